//! Another model, where the money for the first is near its end.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::keyed::keyed;
use super::{Name, Percent, defaults, written};

/// Serves in the place of a model, where a budget has no room for that, or little is left of one.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Instead"))]
pub struct Instead {
    /// One of `models` or of `virtual_models`. It must cost less, or the first goes on.
    pub model: Name,
    /// How much of the tightest budget must be spent.
    #[serde(default = "defaults::from_percent")]
    pub from_percent: Percent,
}

/// The model of a role.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum RoleModel {
    /// Its name.
    Name(Name),
    OrAnother(OrAnother),
}

/// The model of a role, and another where the money is near its end.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrAnother {
    /// The model of requests that name none.
    pub model: Name,
    /// What serves in its place near the end of the money. Left out: what stands at the model itself.
    #[serde(default, deserialize_with = "written")]
    pub instead: Option<Instead>,
}

impl RoleModel {
    pub fn told(self) -> OrAnother {
        match self {
            Self::Name(model) => OrAnother { model, instead: None },
            Self::OrAnother(told) => told,
        }
    }
}

/// Not `untagged`, which would say of every mistake inside only that nothing matches.
impl<'de> Deserialize<'de> for RoleModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = RoleModel;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's name, or a map with `model` and `instead`")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<RoleModel, E> {
                Name::deserialize(serde::de::value::StrDeserializer::new(name)).map(RoleModel::Name)
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<RoleModel, M::Error> {
                OrAnother::deserialize(MapAccessDeserializer::new(map)).map(RoleModel::OrAnother)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

keyed!(Instead);
