//! Units of the books: tokens, money, prices and time, each a type of its own.
//!
//! Trade-off: plain integers would be shorter, but `tokens + nano_usd` would compile. Arithmetic
//! saturates upwards and never wraps: a sum too large to hold must read as "too dear", never as cheap.

use std::fmt;

/// A count of tokens, as a provider bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tokens(pub u64);

/// An amount of money in nano-USD (10⁻⁹ USD). The unit of every budget, reservation and counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub u64);

/// A price in pico-USD (10⁻¹² USD) per token: 1 USD per 1 M tokens is 1,000,000 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PicoUsdPerToken(pub u64);

/// A part of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// A moment: nanoseconds since 1970-01-01T00:00:00Z, as the host tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub u64);

/// Why a decimal string is not an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAnAmount {
    /// Nothing but digits and one point is allowed; no sign, exponent or blank.
    Form,
    /// More digits behind the point than the unit can hold exactly.
    TooFine { places: u32 },
    /// Larger than the unit can hold.
    TooLarge,
}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected a decimal string such as \"2.50\" (no sign, no exponent)"),
            Self::TooFine { places } => write!(f, "at most {places} digits may stand behind the point"),
            Self::TooLarge => f.write_str("the amount is too large"),
        }
    }
}

/// Reads `text` as an exact decimal, scaled by 10^`places`.
fn decimal(text: &str, places: u32) -> Result<u64, NotAnAmount> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(NotAnAmount::Form);
    }
    let fraction = fraction.trim_end_matches('0');
    let used = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    let Some(missing) = places.checked_sub(used) else {
        return Err(NotAnAmount::TooFine { places });
    };
    let mut value: u64 = 0;
    let padding = std::iter::repeat_n(b'0', usize::try_from(missing).unwrap_or(0));
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit.wrapping_sub(b'0'))))
            .ok_or(NotAnAmount::TooLarge)?;
    }
    Ok(value)
}

/// Whether `a * b` fits a `u64`, without multiplying. WebAssembly has no instruction for a product's upper half, so that
/// asking afterwards takes a dozen times as long as most products themselves.
const fn product_is_small(a: u64, b: u64) -> bool {
    a.leading_zeros().wrapping_add(b.leading_zeros()) >= u64::BITS
}

/// `a * b`, exact: two `u64` factors always fit a `u128`.
pub fn product(a: u64, b: u64) -> u128 {
    if product_is_small(a, b) { u128::from(a.wrapping_mul(b)) } else { u128::from(a).wrapping_mul(u128::from(b)) }
}

impl Tokens {
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
    pub const fn times(self, factor: u64) -> Self {
        Self(if product_is_small(self.0, factor) { self.0.wrapping_mul(factor) } else { self.0.saturating_mul(factor) })
    }
}

impl NanoUsd {
    pub const ZERO: Self = Self(0);

    /// Reads an exact decimal of US dollars, such as `"0.002"`; at most nine digits behind the point.
    pub fn from_usd(text: &str) -> Result<Self, NotAnAmount> {
        decimal(text, 9).map(Self)
    }
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// US dollars with all significant digits, at least two behind the point: `0.10`, `0.000000001`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOS: u64 = 1_000_000_000;
        let (whole, rest) = (self.0.wrapping_div(NANOS), self.0.wrapping_rem(NANOS));
        let digits = format!("{rest:09}");
        let (cents, fine) = digits.split_at(2);
        write!(f, "{whole}.{cents}{}", fine.trim_end_matches('0'))
    }
}

impl PicoUsdPerToken {
    /// Reads an exact decimal of US dollars per 1 M tokens, such as `"2.50"`; at most six digits behind the point.
    pub fn from_usd_per_1m(text: &str) -> Result<Self, NotAnAmount> {
        decimal(text, 6).map(Self)
    }
    /// The price of `tokens` in pico-USD, exact.
    pub fn of(self, tokens: Tokens) -> u128 {
        product(self.0, tokens.0)
    }
}

impl Share {
    const WHOLE: u32 = 1_000_000;
    /// A hundredth of a percent.
    pub const BASIS_POINT: Self = Self(100);

    /// Reads an exact decimal from `"0"` to `"100"`; at most four digits behind the point.
    pub fn from_percent(text: &str) -> Result<Self, NotAnAmount> {
        let millionths = u32::try_from(decimal(text, 4)?).ok().filter(|millionths| *millionths <= Self::WHOLE);
        millionths.map(Self).ok_or(NotAnAmount::TooLarge)
    }

    /// Whether `hash` falls into the share. Of all hashes exactly so many do, rounded up; those of a smaller share are among them.
    pub fn has(self, hash: u64) -> bool {
        let (part, whole) = (u128::from(self.0) << 64, u128::from(Self::WHOLE));
        u128::from(hash).saturating_mul(whole) < part
    }
}

impl UnixNanos {
    pub const fn seconds(self) -> u64 {
        self.0.wrapping_div(1_000_000_000)
    }
    /// Nanoseconds since `earlier`; zero when the clocks of two workers disagree about the order.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        assert_eq!(PicoUsdPerToken::from_usd_per_1m("2.50"), Ok(PicoUsdPerToken(2_500_000)));
        assert_eq!(PicoUsdPerToken::from_usd_per_1m("0.000001"), Ok(PicoUsdPerToken(1)));
        assert_eq!(NanoUsd::from_usd("0.002"), Ok(NanoUsd(2_000_000)));
        assert_eq!(NanoUsd::from_usd("10"), Ok(NanoUsd(10_000_000_000)));
        assert_eq!(NanoUsd::from_usd("1.0000000000000"), Ok(NanoUsd(1_000_000_000)));
        assert_eq!(NanoUsd::from_usd("0.0000000001"), Err(NotAnAmount::TooFine { places: 9 }));
        assert_eq!(NanoUsd::from_usd("99999999999999"), Err(NotAnAmount::TooLarge));
        for wrong in ["", ".", "-1", "+1", "1e3", " 1", "1.", ".5", "1,5", "0x1", "١"] {
            assert_eq!(NanoUsd::from_usd(wrong), Err(NotAnAmount::Form), "{wrong:?}");
        }
    }

    #[test]
    fn a_product_is_exact_whichever_way_it_is_taken() {
        let factors = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX]);
        for (a, b) in factors.clone().flat_map(|a| factors.clone().map(move |b| (a, b))) {
            assert_eq!(product(a, b), u128::from(a) * u128::from(b), "{a} times {b}");
            assert_eq!(Tokens(a).times(b), Tokens(a.saturating_mul(b)), "{a} times {b}");
        }
    }

    proptest! {
        /// The bounds in the hashes themselves: the last that is in, and the first that is not.
        #[test]
        fn a_share_is_exact_to_the_hash(millionths in 0_u32..=1_000_000, smaller in 0_u32..=1_000_000, hash: u64) {
            let written = |millionths: u32| Share::from_percent(&format!("{}.{:04}", millionths / 10_000, millionths % 10_000));
            let share = written(millionths).unwrap();
            let hashes = ((u128::from(millionths) << 64).div_ceil(1_000_000)) as u64;
            match millionths {
                1_000_000 => prop_assert!(share.has(u64::MAX)),
                0 => prop_assert!(!share.has(0)),
                _ => prop_assert!(share.has(hashes - 1) && !share.has(hashes)),
            }
            let part = written(smaller.min(millionths)).unwrap();
            prop_assert!(share.has(hash) || !part.has(hash));
        }
    }

    #[test]
    fn money_is_shown_with_every_digit_that_counts() {
        assert_eq!(NanoUsd(100_000_000).to_string(), "0.10");
        assert_eq!(NanoUsd(1).to_string(), "0.000000001");
        assert_eq!(NanoUsd(12_345_600_000).to_string(), "12.3456");
    }
}
