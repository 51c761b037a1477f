//! Days, months and times in UTC: the periods that finance closes its books by, and how a time is written.

use crate::units::UnixNanos;

const DAY_SECONDS: u64 = 86_400;

/// When everything that is dated has begun.
pub const END_OF_TIME: UnixNanos = UnixNanos(u64::MAX);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    Day,
    Month,
}

/// A time as people and databases read it: UTC, to the millisecond.
pub fn rfc3339(at: UnixNanos) -> String {
    let month = Calendar::Month.number(at);
    let of_month = at.seconds().saturating_sub(Calendar::Month.starts(month));
    let (year, month, day) = (month / 12, month % 12, of_month / DAY_SECONDS);
    let (month, day, second) = (month.saturating_add(1), day.saturating_add(1), of_month % DAY_SECONDS);
    let (hour, minute, second, milli) = (second / 3_600, second / 60 % 60, second % 60, at.0 / 1_000_000 % 1_000);
    let mut out = String::with_capacity(24);
    // Each exchange writes its time: `format!` would take as long as all else of its record.
    let digit =
        |out: &mut String, digit: u64| out.push(char::from(b'0'.wrapping_add(u8::try_from(digit).unwrap_or(0))));
    let two = |out: &mut String, number: u64| {
        digit(out, number / 10 % 10);
        digit(out, number % 10);
    };
    two(&mut out, year / 100);
    two(&mut out, year);
    for (before, number) in [('-', month), ('-', day), ('T', hour), (':', minute), (':', second)] {
        out.push(before);
        two(&mut out, number);
    }
    out.push('.');
    digit(&mut out, milli / 100);
    two(&mut out, milli);
    out.push('Z');
    out
}

/// Days before the first of March, year 0, of the proleptic Gregorian calendar, counted from 1970-01-01.
const EPOCH_SHIFT: u64 = 719_468;

impl Calendar {
    /// The number of the period that holds `at`, counted without gaps.
    pub fn number(self, at: UnixNanos) -> u64 {
        let days = at.seconds() / DAY_SECONDS;
        match self {
            Self::Day => days,
            Self::Month => month_of(days),
        }
    }

    /// The first second of period `number`.
    pub fn starts(self, number: u64) -> u64 {
        let days = match self {
            Self::Day => number,
            Self::Month => first_day_of(number),
        };
        days.saturating_mul(DAY_SECONDS)
    }

    /// The beginning of the day written as `YYYY-MM-DD`, from 1970 on.
    pub fn date(text: &str) -> Option<UnixNanos> {
        let [year, month, day] = [text.get(..4)?, text.get(5..7)?, text.get(8..)?].map(|digits| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if all_digits { digits.parse::<u64>().ok() } else { None }
        });
        let (year, month, day) = (year.filter(|year| *year >= 1970)?, month?.checked_sub(1)?, day?.checked_sub(1)?);
        let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
        let number = year.checked_mul(12)?.checked_add(month)?;
        let seconds = Self::Month.starts(number).checked_add(day.checked_mul(DAY_SECONDS)?)?;
        let at = UnixNanos(seconds.checked_mul(1_000_000_000)?);
        // The thirtieth of February lies in March.
        (dashes && month < 12 && Self::Month.number(at) == number).then_some(at)
    }

    pub fn ends_in(self, at: UnixNanos) -> u64 {
        self.starts(self.number(at).saturating_add(1)).saturating_sub(at.seconds())
    }
}

/// Months since year 0, January being 0 of each: Hinnant's `civil_from_days`, years starting in March.
fn month_of(days: u64) -> u64 {
    let shifted = days.saturating_add(EPOCH_SHIFT);
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let leap_days = (day_of_era / 1_460).saturating_sub(day_of_era / 36_524).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_sub(leap_days) / 365;
    let before = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(before);
    let march_month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    era.saturating_mul(400).saturating_add(year_of_era).saturating_mul(12).saturating_add(march_month).saturating_add(2)
}

/// Days from 1970-01-01 to the first day of a month counted as in [`month_of`].
fn first_day_of(month: u64) -> u64 {
    let march = month.saturating_sub(2);
    let (year, march_month) = (march / 12, march % 12);
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = march_month.saturating_mul(153).saturating_add(2) / 5;
    let day_of_era = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100)
        .saturating_add(day_of_year);
    era.saturating_mul(146_097).saturating_add(day_of_era).saturating_sub(EPOCH_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_800_000_000_123_999_999, "2027-01-15T08:00:00.123Z"),
            (951_827_696_789_000_000, "2000-02-29T12:34:56.789Z"),
            (4_107_542_399_999_000_000, "2100-02-28T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(UnixNanos(nanos)), text);
        }
    }

    #[test]
    fn a_date_is_the_beginning_of_its_day_or_none() {
        let seconds = |text| Calendar::date(text).map(UnixNanos::seconds);
        assert_eq!(seconds("1970-01-01"), Some(0));
        assert_eq!(seconds("2024-02-29"), Some(1_709_164_800));
        assert_eq!(seconds("2026-12-31"), Some(1_798_675_200));
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-1",
            "1969-12-31",
            "2026/01/01",
            "2026-01-01T00:00",
            "+026-01-01",
            "２026-01-01",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    fn at(seconds: u64) -> UnixNanos {
        UnixNanos(seconds * 1_000_000_000)
    }

    #[test]
    fn months_follow_the_calendar_through_leap_years() {
        // date -u -d '2024-02-29 23:59:59' +%s, and the second after it.
        assert_eq!(Calendar::Month.ends_in(at(1_709_251_199)), 1);
        assert_eq!(Calendar::Month.number(at(1_709_251_200)), Calendar::Month.number(at(1_709_251_199)) + 1);
        // 2100 is no leap year: its February ends on the 28th (4107542399 is the last second).
        assert_eq!(Calendar::Month.ends_in(at(4_107_542_399)), 1);
        for day in 0..60_000u64 {
            let (now, number) = (at(day * 86_400), Calendar::Month.number(at(day * 86_400)));
            assert!(Calendar::Month.starts(number) <= now.seconds());
            assert!(Calendar::Month.starts(number + 1) > now.seconds());
        }
        assert_eq!(Calendar::Month.number(at(0)), 1970 * 12);
    }
}
