//! Whole numbers of which only some make sense. The type is the range, so that a figure out of it is refused while it is read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::limit::lease::LONGEST_SECONDS;

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(serde::Serialize))]
pub struct InRange<const LEAST: u64, const MOST: u64>(u64);

pub type OutputTokens = InRange<1, 1_000_000_000>;
pub type ContextTokens = InRange<1, 1_000_000_000>;
/// Nothing: what is hidden is not reserved at all, and charged as it is reported.
pub type HiddenTokens = InRange<0, 1_000_000_000>;
/// Less than a kilobyte holds no conversation; more than a gigabyte fits no buffer of Envoy's.
pub type RequestBytes = InRange<1_024, 1_073_741_824>;
/// Of one tenant on one worker: fewer than one would refuse every request.
pub type WaitingBodies = InRange<1, 65_535>;
/// Less than 64 KiB would refuse what arrives in two pieces.
pub type WaitingBytes = InRange<65_536, 1_073_741_824>;
/// Nothing: every refusal goes out at once.
pub type RefusedBytes = InRange<0, 1_073_741_824>;
/// A reservation that outlives a day would block the budget of the next one.
pub type LeaseSeconds = InRange<60, LONGEST_SECONDS>;
pub type ReplicaCount = InRange<1, 10_000>;
pub type Percent = InRange<1, 100>;
/// With 100 nothing ever passes it.
pub type ErrorsPercent = InRange<0, 99>;
pub type LeastRequests = InRange<1, 1_000_000>;
/// Nothing is no share: what is to get nothing is left out.
pub type Weight = InRange<1, 10_000>;

impl<const LEAST: u64, const MOST: u64> InRange<LEAST, MOST> {
    /// A default of ours: one that is out of its range does not compile.
    pub const fn of<const FIGURE: u64>() -> Self {
        const { assert!(LEAST <= FIGURE && FIGURE <= MOST, "a default is out of its range") };
        Self(FIGURE)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for InRange<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(Bounded { least: LEAST, most: MOST }).map(Self)
    }
}

/// One reader for all ranges: one for each would be a copy of it for each in the filter.
struct Bounded {
    least: u64,
    most: u64,
}

impl Visitor<'_> for Bounded {
    type Value = u64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.least, self.most)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        let Self { least, most } = self;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(E::custom(format_args!("{number} is out of range: {least} to {most} is allowed")))
    }
}
