//! The text of a number, as it is written by the digit, read into a decimal.

use super::Decimal;
use std::fmt::{self, Write};

/// A number's text, digit by digit: as of an `f64`, which has 17 significant ones at most.
#[derive(Default)]
pub struct Digits {
    negative: bool,
    significand: u64,
    /// Behind the last digit that is not zero.
    zeros: i32,
    places: i32,
    exponent: i32,
    exponent_negative: bool,
    part: Part,
}

#[derive(Clone, Copy, Default)]
enum Part {
    #[default]
    Whole,
    Fraction,
    Exponent,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match (byte, self.part) {
                (b'.', _) => self.part = Part::Fraction,
                (b'e' | b'E', _) => self.part = Part::Exponent,
                (b'-', Part::Exponent) => self.exponent_negative = true,
                (b'-', _) => self.negative = true,
                (b'0'..=b'9', Part::Exponent) => {
                    self.exponent = self.exponent.saturating_mul(10).saturating_add(i32::from(byte.wrapping_sub(b'0')));
                }
                (b'0'..=b'9', part) => {
                    self.places = self.places.saturating_add(i32::from(matches!(part, Part::Fraction)));
                    self.digit(byte);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Digits {
    fn digit(&mut self, byte: u8) {
        self.zeros = self.zeros.saturating_add(1);
        if byte != b'0' {
            let power = 10_u64.saturating_pow(self.zeros.unsigned_abs());
            self.significand =
                self.significand.saturating_mul(power).saturating_add(u64::from(byte.wrapping_sub(b'0')));
            self.zeros = 0;
        }
    }

    pub fn value(&self) -> Decimal {
        let exponent = if self.exponent_negative { self.exponent.saturating_neg() } else { self.exponent };
        Decimal::new(self.negative, self.significand, exponent.saturating_add(self.zeros).saturating_sub(self.places))
    }
}
