//! Names that stand for other models: the cheapest of some, or each for its share of who asks.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::keyed::keyed;
use super::{Budget, ErrorsPercent, LeastRequests, Name, Named, Weight, defaults, written};
use crate::route::Sticky;

/// What a name stands for that is served by other names.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum VirtualModel {
    /// The cheapest of these that fits.
    Cheapest(#[cfg_attr(feature = "schema", schemars(length(min = 1)))] Vec<Name>),
    Split(Split),
}

/// One of several models, by weight.
#[derive(Debug, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Split"))]
pub struct Split {
    /// The variants, models of `models`, each with its weight: of all weights together that share of who asks.
    #[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
    pub split: Named<Weight>,
    /// Who keeps the variant that he has once got: the `tenant`, the end `user`, the `session`, or nobody but the `request`.
    #[serde(default)]
    pub sticky: Sticky,
    /// Variants that are watched: one that passes a bound gets nothing more, but what no other can take. At least one is not watched.
    #[serde(default)]
    pub canaries: Named<Canary>,
}

/// What a variant may come to in five minutes.
#[derive(Debug, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Canary"))]
pub struct Canary {
    /// How many of a hundred of its requests may fail: by the provider's fault, or because it rejects them.
    #[serde(default, deserialize_with = "written")]
    pub errors_percent: Option<ErrorsPercent>,
    /// What a request may cost on average.
    #[serde(default, deserialize_with = "written")]
    pub mean_usd: Option<Budget>,
    /// With fewer requests in five minutes nothing is concluded.
    #[serde(default = "defaults::least_requests")]
    pub least_requests: LeastRequests,
}

/// Not `untagged`, which would say of every mistake inside only that nothing matches.
impl<'de> Deserialize<'de> for VirtualModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = VirtualModel;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of models, or a map with `split`")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, models: S) -> Result<VirtualModel, S::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(models)).map(VirtualModel::Cheapest)
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<VirtualModel, M::Error> {
                <Split as Deserialize>::deserialize(MapAccessDeserializer::new(map)).map(VirtualModel::Split)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

keyed!(Split, Canary);
