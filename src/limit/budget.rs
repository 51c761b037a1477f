//! What was spent in a calendar period, day or month, in UTC.
//!
//! Trade-off: rolling periods would be smoother, but finance closes books by the calendar. The period before is
//! kept beside the current one, so that an answer that ends past midnight is charged to the day that reserved it.

use crate::calendar::Calendar;
use crate::units::{NanoUsd, UnixNanos};

pub const ENCODED: usize = 24;

/// The current period's spend and that of the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    number: u64,
    current: NanoUsd,
    previous: NanoUsd,
}

impl Spend {
    /// Moves on to the period of `now`; a clock that is behind leaves it where it is.
    pub fn roll(&mut self, calendar: Calendar, now: UnixNanos) {
        let number = calendar.number(now);
        if number <= self.number {
            return;
        }
        let follows = number == self.number.saturating_add(1);
        self.previous = if follows { self.current } else { NanoUsd::ZERO };
        self.current = NanoUsd::ZERO;
        self.number = number;
    }

    /// Whether the clock was set back from a period behind the next one, which nobody who is only late was ever in.
    pub fn is_ahead_of(&self, calendar: Calendar, now: UnixNanos) -> bool {
        calendar.number(now).saturating_add(1) < self.number
    }

    /// What was counted ahead of the clock counts in the period that there is, beside what that had itself, if it is still known.
    pub fn set_back(&mut self, calendar: Calendar, now: UnixNanos) {
        let number = calendar.number(now);
        if number.saturating_add(1) == self.number {
            let before = std::mem::take(&mut self.previous);
            self.add(before);
        }
        self.number = self.number.min(number);
    }

    pub const fn current(&self) -> NanoUsd {
        self.current
    }

    /// The first second of the current period.
    pub fn since(&self, calendar: Calendar) -> u64 {
        calendar.starts(self.number)
    }

    /// Of the current period.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Raises the current period to what was spent of it, if it is the one that holds `at`. Returns by how much.
    pub fn take_over(&mut self, calendar: Calendar, at: UnixNanos, spent: NanoUsd) -> NanoUsd {
        let more = if calendar.number(at) == self.number { spent.less(self.current) } else { NanoUsd::ZERO };
        self.add(more);
        more
    }

    /// Charges the current period.
    pub const fn add(&mut self, cost: NanoUsd) {
        self.current = self.current.plus(cost);
    }

    /// Charges the period that reserved at `at`, or the current one when that is gone.
    pub fn charge(&mut self, calendar: Calendar, at: UnixNanos, cost: NanoUsd) {
        if calendar.number(at).saturating_add(1) == self.number {
            self.previous = self.previous.plus(cost);
        } else {
            self.add(cost);
        }
    }

    /// What the period was charged that a cost of `at` is charged to.
    pub fn charged(&self, calendar: Calendar, at: UnixNanos) -> NanoUsd {
        if calendar.number(at).saturating_add(1) == self.number { self.previous } else { self.current }
    }

    pub fn encode(&self, out: &mut &mut [u8]) {
        for value in [self.number, self.current.0, self.previous.0] {
            super::bytes::put(out, value.to_le_bytes());
        }
    }

    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut next = || super::bytes::take_u64(bytes);
        Some(Self { number: next()?, current: NanoUsd(next()?), previous: NanoUsd(next()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixNanos {
        UnixNanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_cost_lands_in_the_day_that_reserved_it_or_in_the_current_one() {
        let (monday, tuesday, friday) = (at(86_400 * 4), at(86_400 * 5), at(86_400 * 8));
        let mut spend = Spend::default();
        spend.roll(Calendar::Day, monday);
        spend.charge(Calendar::Day, monday, NanoUsd(5));
        spend.roll(Calendar::Day, tuesday);
        spend.charge(Calendar::Day, monday, NanoUsd(7));
        assert_eq!((spend.previous, spend.current()), (NanoUsd(12), NanoUsd(0)));
        spend.roll(Calendar::Day, friday);
        spend.charge(Calendar::Day, monday, NanoUsd(9));
        assert_eq!((spend.previous, spend.current()), (NanoUsd(0), NanoUsd(9)));
    }
}
