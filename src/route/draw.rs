//! By which of several somebody is served, each for its share of those who ask.
//!
//! Each draws for itself, by a hash of its name and of who asks, and the luckiest for its weight is the first (weighted rendezvous
//! hashing). So nothing is remembered, all workers and Envoys find the same, and changed weights move nobody who need not move: who
//! leaves one for another goes to one whose weight has grown against that of the one he leaves. One that is out leaves its own to the
//! next in their order, and nobody else notices.

use crate::hash::{fnv, mixed};
use crate::order;
use serde::Deserialize;

/// Who keeps what he has once got.
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
    /// The conversation: the session that `session_header` names; else what the body's `prompt_cache_key` says; else how it begins.
    Conversation,
    /// Nobody: each request draws by its `x-request-id`.
    #[default]
    Request,
}

/// All of them, in the order in which they serve whoever has this key. What is drawn under another name is drawn independently.
pub(super) fn drawn<'a, T>(them: &'a [T], under: &str, key: u64, of: impl Fn(&T) -> (&str, u64)) -> Vec<&'a T> {
    let waits = |name: &str| {
        let named = under.bytes().chain([0]).chain(name.bytes()).chain([0]);
        waiting(mixed(fnv(named.chain(key.to_le_bytes()))))
    };
    let mut drawn: Vec<_> = them.iter().map(|it| (waits(of(it).0), it)).collect();
    order::sort_by(&mut drawn, |(one, it), (other, that)| {
        let ((name, weight), (of_that, weight_of_that)) = (of(it), of(that));
        // By how long each waits, divided by its weight.
        let first = one.saturating_mul(weight_of_that).cmp(&other.saturating_mul(weight));
        first.then_with(|| name.cmp(of_that))
    });
    drawn.into_iter().map(|(_, it)| it).collect()
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
