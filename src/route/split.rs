//! A name that stands for one of several models, each for its share of those who ask.
//!
//! Each variant draws for itself, by a hash of its name and of who asks, and the luckiest for its weight is taken (weighted rendezvous
//! hashing). So nothing is remembered, all workers and Envoys find the same, and changed weights move nobody who need not move: who
//! leaves one variant for another goes to one whose weight has grown against that of the one he leaves.

use crate::hash::{fnv, mixed};
use crate::units::NanoUsd;
use serde::Deserialize;
use std::rc::Rc;

/// Who keeps the variant that he has once got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Sticky {
    /// The tenant, with all that it asks.
    Tenant,
    /// The end user that `user_header` names.
    User,
    /// The session that `session_header` names.
    Session,
    /// Nobody: each request draws by its `x-request-id`.
    #[default]
    Request,
}

#[derive(Debug)]
pub struct Split {
    pub name: Rc<str>,
    pub sticky: Sticky,
    /// By name: whoever reads the configuration has them in one order.
    variants: Box<[Variant]>,
}

#[derive(Debug)]
pub struct Variant {
    pub model: Rc<str>,
    pub weight: u64,
    /// What it may come to, if it is watched.
    pub canary: Option<Canary>,
}

/// What a variant may come to that is watched, in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    pub errors_percent: Option<u64>,
    pub mean_cost: Option<NanoUsd>,
    /// With fewer, nothing is concluded.
    pub least_requests: u64,
}

impl Split {
    pub fn new(name: Rc<str>, sticky: Sticky, mut variants: Vec<Variant>) -> Self {
        variants.sort_by(|one, other| one.model.cmp(&other.model));
        Self { name, sticky, variants: variants.into() }
    }

    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The variants for whoever has this key: the first is his, the others are in its place where it can't be, in their order.
    pub fn ranked(&self, key: u64) -> Vec<&Variant> {
        let drawn = self.variants.iter().map(|variant| (self.waits(&variant.model, key), variant));
        let mut drawn: Vec<_> = drawn.collect();
        // By how long each waits, divided by its weight.
        drawn.sort_by(|(one, of_one), (other, of_other)| {
            one.saturating_mul(of_other.weight).cmp(&other.saturating_mul(of_one.weight))
        });
        drawn.into_iter().map(|(_, variant)| variant).collect()
    }

    fn waits(&self, model: &str, key: u64) -> u64 {
        let named = self.name.bytes().chain([0]).chain(model.bytes()).chain([0]);
        waiting(mixed(fnv(named.chain(key.to_le_bytes()))))
    }
}

const FRACTION_BITS: u32 = 32;

/// The negative logarithm (of two) of a draw between 0 and 1, in parts of 2³²: how long one waits for what happens all the time with the
/// same likelihood. Of two who wait, divided by their weights, each is first as often as its weight says. At least 1, at most 2³⁸.
fn waiting(draw: u64) -> u64 {
    const LONGEST: u64 = 64 << FRACTION_BITS;
    let Some(whole) = draw.checked_ilog2() else { return LONGEST };
    // From 1 to 2, as parts of 2⁶³. Squared, it is 2 or more where the next bit of the logarithm is one.
    let mut rest = draw.unbounded_shl(draw.leading_zeros());
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        let square = u128::from(rest).saturating_mul(rest.into());
        let is_two = square >> 127 == 1;
        rest = u64::try_from(if is_two { square >> 64 } else { square >> 63 }).unwrap_or(u64::MAX);
        log = log << 1 | u64::from(is_two);
    }
    LONGEST.saturating_sub(log)
}

#[cfg(test)]
mod tests;
