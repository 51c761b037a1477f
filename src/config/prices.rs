//! What models cost, as written.

#[cfg(feature = "schema")]
use super::OUTPUT_TOKENS;
use super::keyed::keyed;
use super::rated::{rated, rated_struct};
use super::{Date, Name, Named, Usd, UsdPer1m, WrittenRates, written};
use crate::llm::kind::kinds;
use crate::llm::schema::BoundField;
use crate::name::Pattern;
use serde::Deserialize;

rated! {
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Price"))]
    pub struct Price {
        pub model: Pattern,
        /// The first day (UTC) that it holds for.
        #[serde(default, deserialize_with = "written")]
        pub from: Option<Date>,
        #[serde(default)]
        pub above: Vec<Above>,
        #[serde(default)]
        pub service_tiers: Named<ServiceTier>,
        #[serde(default)]
        pub output_bound_field: BoundField,
        /// The most that the model writes at once: a request without a bound gets this one, as far as its tenant can pay.
        #[serde(default, deserialize_with = "written")]
        #[cfg_attr(feature = "schema", schemars(range(min = *OUTPUT_TOKENS.start(), max = *OUTPUT_TOKENS.end())))]
        pub max_output_tokens: Option<u64>,
    }
}

rated! {
    /// Rates for requests with more input; what is not written stays as it is below.
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Above"))]
    pub struct Above {
        pub input_tokens: u64,
    }
}

rated! {
    /// Rates of a service tier, by the name that answers give it; what is not written is that of the price.
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ServiceTier"))]
    pub struct ServiceTier {
        #[serde(default)]
        pub above: Vec<Above>,
    }
}

/// Not a tagged enum: serde would buffer it, and its errors lose their place.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Unpriced", description = "What becomes of a model that no price matches.")
)]
pub struct Unpriced {
    pub policy: UnpricedPolicy,
    #[serde(default, deserialize_with = "written")]
    pub model: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum UnpricedPolicy {
    Deny,
    Allow,
    PriceAs,
}

keyed!(Price, Above, ServiceTier, Unpriced);
