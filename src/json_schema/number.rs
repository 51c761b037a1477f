//! Numbers as decimals, so that `19.99` is a multiple of `0.01` and `9007199254740993` is not `9007199254740992`.
//!
//! Trade-off: a number that `serde_json` keeps as an `f64` stands for the shortest decimal that reads as it. That is the number
//! as it was written, up to 15 digits of it. Beyond, and for integers that fit neither `u64` nor `i64`, it is the nearest
//! `f64` that is compared, as every JavaScript reader would.

mod digits;

use digits::Digits;
use serde_json::Number;
use std::cmp::Ordering;
use std::fmt::{self, Write};

/// ± `significand` × 10^`exponent`. The last digit of the significand is not zero, and zero is always the same, so that equal
/// numbers are equal field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    exponent: i32,
    significand: u64,
}

impl Decimal {
    pub fn of(number: &Number) -> Self {
        if let Some(whole) = number.as_u64() {
            Self::new(false, whole, 0)
        } else if let Some(whole) = number.as_i64() {
            Self::new(whole < 0, whole.unsigned_abs(), 0)
        } else {
            let mut digits = Digits::default();
            // Nothing can go wrong when digits are counted.
            let _ = write!(digits, "{number}");
            digits.value()
        }
    }

    fn new(negative: bool, mut significand: u64, mut exponent: i32) -> Self {
        if significand == 0 {
            return Self::default();
        }
        while significand.is_multiple_of(10) {
            significand = significand.wrapping_div(10);
            exponent = exponent.saturating_add(1);
        }
        Self { negative, exponent, significand }
    }

    /// Whether it is an integer, however it is written: `1.0` and `1e300` are.
    pub fn is_whole(self) -> bool {
        self.exponent >= 0
    }

    pub fn is_positive(self) -> bool {
        self.significand > 0 && !self.negative
    }

    /// As a count, which is `u64::MAX` from there on. `None`: negative or not whole.
    pub fn count(self) -> Option<u64> {
        let power = u32::try_from(self.exponent).ok().filter(|_| !self.negative)?;
        Some(10_u64.checked_pow(power).and_then(|power| self.significand.checked_mul(power)).unwrap_or(u64::MAX))
    }

    /// Whether it is an integer times `of`, which is more than zero. Exact, whatever the exponents.
    pub fn is_multiple_of(self, of: Self) -> bool {
        let (significand, divisor) = (u128::from(self.significand), u128::from(of.significand));
        let power = self.exponent.saturating_sub(of.exponent);
        let remainder = match u32::try_from(power) {
            Ok(power) => {
                let shift = power_modulo(power, divisor);
                significand.checked_mul(shift).and_then(|value| value.checked_rem(divisor))
            }
            // A divisor that is longer than any significand divides zero only.
            Err(_) => match 10_u128.checked_pow(power.unsigned_abs()).and_then(|power| divisor.checked_mul(power)) {
                Some(divisor) => significand.checked_rem(divisor),
                None => Some(significand),
            },
        };
        remainder == Some(0)
    }

    /// The place of its first digit, the exponent of which is one less.
    fn magnitude(self) -> i32 {
        let digits = self.significand.checked_ilog10().map_or(0, |digits| digits.saturating_add(1));
        self.exponent.saturating_add_unsigned(digits)
    }

    /// Of two that are not zero, without their signs.
    fn cmp_size(self, other: Self) -> Ordering {
        // With their first digits at the same place, the shorter significand is padded to at most the twenty digits of the other.
        let padded = |number: Self, to: Self| {
            let zeros = u32::try_from(number.exponent.saturating_sub(to.exponent)).unwrap_or(0);
            10_u128.saturating_pow(zeros).saturating_mul(number.significand.into())
        };
        self.magnitude().cmp(&other.magnitude()).then_with(|| padded(self, other).cmp(&padded(other, self)))
    }
}

/// 10^`power` modulo `divisor`, which has at most 64 bits: no product here has more than 128.
fn power_modulo(power: u32, divisor: u128) -> u128 {
    let times = |a: u128, b: u128| a.wrapping_mul(b).checked_rem(divisor).unwrap_or(0);
    let (mut result, mut square, mut left) = (times(1, 1), times(10, 1), power);
    while left > 0 {
        if left & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        left >>= 1;
    }
    result
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.significand, number.negative) {
            (0, _) => 0,
            (_, negative) => {
                if negative {
                    -1
                } else {
                    1
                }
            }
        };
        match (sign(self), sign(other)) {
            (-1, -1) => other.cmp_size(*self),
            (1, 1) => self.cmp_size(*other),
            (one, other) => one.cmp(&other),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Zeros that are still read at a glance.
        const ZEROS: i32 = 12;
        if self.negative {
            f.write_char('-')?;
        }
        let digits = self.significand.to_string();
        let magnitude = self.magnitude();
        let zeros = |count: i32| usize::try_from(count).unwrap_or(0);
        if (0..=ZEROS).contains(&self.exponent) {
            write!(f, "{digits}{:0<1$}", "", zeros(self.exponent))
        } else if magnitude > 0 && self.exponent < 0 {
            let (whole, fraction) = digits.split_at_checked(zeros(magnitude)).unwrap_or((&digits, ""));
            write!(f, "{whole}.{fraction}")
        } else if (-ZEROS..=0).contains(&magnitude) {
            write!(f, "0.{:0<1$}{digits}", "", zeros(magnitude.saturating_neg()))
        } else {
            write!(f, "{digits}e{}", self.exponent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_compare_by_value() {
        let ascending = [
            "-1e308",
            "-18446744073709551616",
            "-9223372036854775808",
            "-9007199254740993",
            "-9007199254740992",
            "-10",
            "-9.5",
            "-1e-300",
            "0",
            "5e-324",
            "1e-300",
            "0.1",
            "0.3",
            "0.30000000000000004",
            "1",
            "1.5",
            "9.99",
            "10",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551614",
            "18446744073709551615",
            "1e20",
            "1e308",
        ];
        for (place, one) in ascending.iter().enumerate() {
            for (other_place, other) in ascending.iter().enumerate() {
                assert_eq!(decimal(one).cmp(&decimal(other)), place.cmp(&other_place), "{one} {other}");
            }
        }
        for (one, other) in
            [("1", "1.0"), ("1e2", "100"), ("0", "-0.0"), ("1.50", "15e-1"), ("1e20", "100000000000000000000")]
        {
            assert_eq!(decimal(one), decimal(other));
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (number, of, expected) in [
            ("19.99", "0.01", true),
            ("0.3", "0.1", true),
            ("0.30000000000000004", "0.1", false),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("1e308", "0.5", true),
            ("1e308", "0.123456789", false),
            ("12391239123", "1e-8", true),
            ("-4.5", "1.5", true),
            ("35", "1.5", false),
            ("0", "7e300", true),
            ("1e-300", "1", false),
            ("1e-300", "1e300", false),
            ("1e300", "1e-300", true),
            ("18446744073709551615", "5", true),
            ("18446744073709551615", "18446744073709551614", false),
            ("9007199254740993", "2", false),
            ("1e308", "18446744073709551615", false),
        ] {
            assert_eq!(decimal(number).is_multiple_of(decimal(of)), expected, "{number} of {of}");
        }
    }

    #[test]
    fn counts_are_whole_and_saturated() {
        for (number, expected) in [
            ("2.0", Some(2)),
            ("0", Some(0)),
            ("1e3", Some(1_000)),
            ("1e300", Some(u64::MAX)),
            ("-1", None),
            ("2.5", None),
        ] {
            assert_eq!(decimal(number).count(), expected, "{number}");
        }
    }

    #[test]
    fn a_decimal_reads_as_it_was_written() {
        for (number, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("-1", "-1"),
            ("100", "100"),
            ("1e12", "1000000000000"),
            ("1e300", "1e300"),
            ("19.99", "19.99"),
            ("0.001", "0.001"),
            ("1.5e-20", "15e-21"),
            ("-0.5", "-0.5"),
            ("18446744073709551615", "18446744073709551615"),
            ("120.5", "120.5"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(decimal(number).to_string(), expected);
        }
    }
}
