//! Numbers as counts and decimals: exact, however they are written, and without a float.

use super::words;

/// A number as a count: by value, however it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Zero or more, saturated: `214.0` and `1e3` are whole, `1e999` is `u64::MAX`.
    Whole(u64),
    /// Less than zero, whole or not.
    Negative,
    /// More than zero and not whole.
    Fraction(Decimal),
}

/// `significand` × 10^-`places`, exact unless the significand is `u64::MAX`: then it had too many digits to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub significand: u64,
    pub places: u64,
}

/// The part of a number that the last byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberPart {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

/// The exact value of a number, however long: `significand` × 10^`zeros`, less the decimal places, plus the exponent.
/// Its last digit is not zero, which makes the number whole exactly if the sum of those powers is not negative.
#[derive(Debug)]
pub(super) struct Digits {
    negative: bool,
    /// Saturated once it does not fit, and from then on.
    significand: u64,
    zeros: i64,
    places: i64,
    exponent: i64,
    exponent_negative: bool,
}

impl NumberPart {
    pub(super) const fn first(byte: u8) -> Self {
        match byte {
            b'-' => Self::Minus,
            b'0' => Self::Zero,
            _ => Self::Whole,
        }
    }

    /// The part that `byte` belongs to if it continues the number.
    pub(super) const fn then(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Zero | Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::Sign,
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            _ => return None,
        })
    }

    /// Whether any number of digits may follow in the same part.
    pub(super) const fn goes_on(self) -> bool {
        matches!(self, Self::Whole | Self::Fraction | Self::Exponent)
    }

    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Exponent)
    }
}

impl Digits {
    pub(super) const ZERO: Self =
        Self { negative: false, significand: 0, zeros: 0, places: 0, exponent: 0, exponent_negative: false };

    /// Takes in the next byte, which belongs to `part`.
    pub(super) fn push(&mut self, part: NumberPart, byte: u8) {
        match part {
            NumberPart::Minus => self.negative = true,
            NumberPart::Zero | NumberPart::Whole => self.digit(byte),
            NumberPart::Fraction => {
                self.places = self.places.saturating_add(1);
                self.digit(byte);
            }
            NumberPart::Sign => self.exponent_negative = byte == b'-',
            NumberPart::Exponent => {
                self.exponent = self.exponent.saturating_mul(10).saturating_add(i64::from(byte.wrapping_sub(b'0')));
            }
            NumberPart::Point | NumberPart::E => {}
        }
    }

    fn digit(&mut self, byte: u8) {
        if byte == b'0' {
            self.zeros = self.zeros.saturating_add(1);
        } else {
            self.significand = shifted(self.significand, self.zeros.saturating_add(1))
                .saturating_add(u64::from(byte.wrapping_sub(b'0')));
            self.zeros = 0;
        }
    }

    pub(super) fn value(&self) -> Number {
        let exponent = if self.exponent_negative { self.exponent.saturating_neg() } else { self.exponent };
        let power = exponent.saturating_add(self.zeros).saturating_sub(self.places);
        match self.significand {
            0 => Number::Whole(0),
            _ if self.negative => Number::Negative,
            _ if power < 0 => Number::Fraction(Decimal { significand: self.significand, places: power.unsigned_abs() }),
            significand => Number::Whole(shifted(significand, power)),
        }
    }
}

/// What stands behind a number that nobody asks for, if that is there to its end; behind all `in_a_row`, which are the
/// elements of an array. Embeddings are thousands of them.
pub(super) fn whole(bytes: &[u8], in_a_row: bool) -> Option<&[u8]> {
    let mut behind = behind_one(bytes)?;
    while in_a_row
        && let Some(next) = behind.strip_prefix(b",")
        && let Some(next) = behind_one(next)
    {
        behind = next;
    }
    Some(behind)
}

fn behind_one(bytes: &[u8]) -> Option<&[u8]> {
    let mut behind = match bytes.strip_prefix(b"-").unwrap_or(bytes) {
        [b'0', behind @ ..] => behind,
        digits => behind_digits(digits)?,
    };
    if let [b'.', fraction @ ..] = behind {
        behind = behind_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = behind {
        let ([b'+' | b'-', digits @ ..] | digits) = exponent;
        behind = behind_digits(digits)?;
    }
    (!behind.is_empty()).then_some(behind)
}

fn behind_digits(bytes: &[u8]) -> Option<&[u8]> {
    let length = words::run(bytes, words::not_digit);
    bytes.get(length..).filter(|_| length > 0)
}

/// `value` × 10^`power`, saturated.
fn shifted(value: u64, power: i64) -> u64 {
    let factor = u32::try_from(power).ok().and_then(|power| 10_u64.checked_pow(power));
    if value == 0 { 0 } else { factor.map_or(u64::MAX, |factor| value.saturating_mul(factor)) }
}
