//! Names that stand for other models: the cheapest of some, or each for its share of who asks.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::keyed::keyed;
use super::{Budget, ErrorsPercent, LeastRequests, Name, Named, Weight, defaults, written};
use crate::route::{CheapestOf, Sticky};

/// What a name stands for that is served by other names.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum VirtualModel {
    /// The cheapest of these that fits.
    List(#[cfg_attr(feature = "schema", schemars(length(min = 1)))] Vec<Name>),
    Cheapest(Cheapest),
    Split(Split),
}

/// The cheapest of several that fits.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Cheapest {
    /// The candidates, models of `models`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub cheapest: Vec<Name>,
    /// Who keeps what was the cheapest once: a `conversation`, as long as that can take its turns, or nobody but the `request`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub sticky: CheapestOf,
}

/// One of several models, by weight.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Split {
    /// The variants, models of `models`, each with its weight: of all weights together that share of who asks.
    #[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
    pub split: Named<Weight>,
    /// Who keeps the variant that he has once got: the `tenant`, the end `user`, the `session`, the `conversation`, or nobody but the
    /// `request`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub sticky: Sticky,
    /// Variants that are watched: one that passes a bound gets nothing more, but what no other can take. At least one is not watched.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub canaries: Named<Canary>,
}

/// Either of them, as far as its keys tell.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Either {
    #[serde(default, deserialize_with = "written")]
    split: Option<Named<Weight>>,
    #[serde(default, deserialize_with = "written")]
    cheapest: Option<Vec<Name>>,
    #[serde(default)]
    sticky: Sticky,
    #[serde(default, deserialize_with = "written")]
    canaries: Option<Named<Canary>>,
}

impl Either {
    fn told(self) -> Result<VirtualModel, &'static str> {
        match self {
            Self { split: Some(split), cheapest: None, sticky, canaries } => {
                Ok(VirtualModel::Split(Split { split, sticky, canaries: canaries.unwrap_or_default() }))
            }
            Self { split: None, cheapest: Some(cheapest), sticky, canaries: None } => {
                let sticky = match sticky {
                    Sticky::Request => CheapestOf::Request,
                    Sticky::Conversation => CheapestOf::Conversation,
                    _ => {
                        return Err(
                            "what was the cheapest is kept by a `conversation`, or by nobody but the `request`",
                        );
                    }
                };
                Ok(VirtualModel::Cheapest(Cheapest { cheapest, sticky }))
            }
            Self { cheapest: Some(_), .. } => Err("`cheapest` stands without `split` and `canaries`"),
            Self { .. } => Err("write `split` with its weights, or `cheapest` with its candidates"),
        }
    }
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
                f.write_str("a list of models, or a map with `split` or `cheapest`")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, models: S) -> Result<VirtualModel, S::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(models)).map(VirtualModel::List)
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<VirtualModel, M::Error> {
                Either::deserialize(MapAccessDeserializer::new(map))?.told().map_err(M::Error::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

keyed!(Canary);
