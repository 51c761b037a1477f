//! By which of a model's rates it was served: a tier, a speed, a region.

use super::seen::{Seen, keep};
use super::value::tier_of_traffic;

impl Seen {
    /// The name of what served: the tier, and what else has rates of its own.
    pub(super) fn service_tier(&self) -> Option<String> {
        let other = |text: &Option<String>, usual: &[&str]| text.clone().filter(|text| !usual.contains(&&**text));
        let speed = other(&self.speed, &["standard"]);
        let region = other(&self.region, &["global", "not_available"]);
        match (speed.or_else(|| self.service_tier.clone()), region) {
            (Some(tier), Some(region)) if tier != "standard" && tier != "default" => {
                Some([&*tier, "+", &*region].concat())
            }
            (_, Some(region)) => Some(region),
            (tier, None) => tier,
        }
    }

    /// By a tier that stands in the head, or by a kind of traffic.
    pub(super) fn served(&mut self, tier: &str) {
        if let Some(tier) = tier_of_traffic(tier) {
            keep(&mut self.service_tier, tier);
        }
    }
}
