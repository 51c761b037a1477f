//! By which of a model's rates it was served, as its answer tells.

use super::seen::{Seen, keep};
use super::value::tier_of_traffic;

impl Seen {
    /// By a tier that stands in the head, or by a kind of traffic.
    pub(super) fn served(&mut self, tier: &str) {
        if let Some(tier) = tier_of_traffic(tier) {
            keep(&mut self.rates.tier, tier);
        }
    }
}
