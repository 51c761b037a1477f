//! What a request asks to be served by: a tier, a speed, a region, each of which may be dearer than the standard.

use super::Invalid;
use super::value::once;
use crate::json::{Found, Hit};
use crate::llm::schema::Asked;
use crate::llm::served::Served;

/// As it was asked for, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub service_tier: Option<String>,
    pub speed: Option<String>,
    pub region: Option<String>,
    /// What is dearer and no price can say by how much, by the field that asks for it; of several, the first.
    pub unsold: Option<(&'static str, String)>,
}

/// The field of what stands in the model's name.
pub const OF_NAME: &str = "model";

/// None of these is dearer than the standard.
const USUAL_TIERS: [&str; 8] =
    ["auto", "default", "standard", "standard_only", "on_demand", "unspecified", "flex", "batch"];

pub(super) trait ByName {
    fn hit(&mut self, field: &'static str, hit: &Hit<'_, Asked>) -> Result<(), Invalid>;
}

impl ByName for Option<String> {
    fn hit(&mut self, field: &'static str, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        once(field, hit, self.is_some())?;
        match hit.found {
            Found::Text { text, .. } if !text.is_empty() => {
                // Vertex writes protobuf's names.
                let text = text.to_ascii_lowercase();
                *self = Some(text.strip_prefix("service_tier_").map_or_else(|| text.clone(), str::to_owned));
            }
            Found::Text { .. } | Found::Null => {}
            _ => return Err(Invalid::Wrong { field, expected: "a name" }),
        }
        Ok(())
    }
}

impl Rates {
    /// What may be dearer, by the field that asks for it.
    pub fn dearer(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { service_tier, speed, region, .. } = self;
        let other = |name: &Option<String>, usual: &[&str]| name.as_deref().is_some_and(|name| !usual.contains(&name));
        let tier = service_tier.as_deref().filter(|_| other(service_tier, &USUAL_TIERS));
        let speed = speed.as_deref().filter(|_| other(speed, &["standard"]));
        let region = region.as_deref().filter(|_| other(region, &["global"]));
        let named = |field| move |name| (field, name);
        let tier = tier.map(named("service_tier"));
        tier.into_iter().chain(speed.map(named("speed"))).chain(region.map(named("inference_geo")))
    }

    /// What it was to be served by, as far as an answer doesn't say otherwise.
    pub fn beside(&self, said: &Served) -> Option<String> {
        if *said == Served::default() {
            return self.name();
        }
        let untold = |asked: &Option<String>, said: &Option<String>| said.is_none() && asked.is_some();
        if !untold(&self.service_tier, &said.tier)
            && !untold(&self.speed, &said.speed)
            && !untold(&self.region, &said.region)
        {
            return None;
        }
        let or = |said: &Option<String>, asked: &Option<String>| said.clone().or_else(|| asked.clone());
        let together = Served {
            tier: or(&said.tier, &self.service_tier),
            speed: or(&said.speed, &self.speed),
            region: or(&said.region, &self.region),
        };
        together.name()
    }

    /// All of it together, as an answer that was served so would say it.
    pub fn name(&self) -> Option<String> {
        let mut dearer = self.dearer().map(|(_, name)| name);
        match (dearer.next(), dearer.next()) {
            (Some(first), None) => Some(first.to_owned()),
            (Some(first), Some(second)) => {
                Some(dearer.fold([first, "+", second].concat(), |names, name| [&*names, "+", name].concat()))
            }
            // A cheaper one may have rates as well.
            (None, _) => self.service_tier.clone(),
        }
    }
}
