//! What models cost, as written.

use super::keyed::keyed;
use super::rated::{rated, rated_struct};
use super::{ContextTokens, Date, Name, Named, OutputTokens, Usd, UsdPer1m, WrittenRates, written};
use crate::llm::kind::kinds;
use crate::llm::schema::BoundField;
use crate::name::Pattern;
use serde::Deserialize;

rated! {
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Price"))]
    pub struct Price {
        /// The model: a name, or a beginning with `*`; `label/name` for that of one provider, which comes first.
        pub model: Pattern,
        /// The first day (UTC) on which the price holds. Of several entries of a model, the latest that has begun counts.
        #[serde(default, deserialize_with = "written")]
        pub from: Option<Date>,
        /// Other rates for requests with long input.
        #[serde(default)]
        pub above: Vec<Above>,
        /// Other rates for the service tier that served, by its name in the answer.
        #[serde(default)]
        pub service_tiers: Named<ServiceTier>,
        /// The field in which an output bound is written (OpenAI chat): some servers know only one of them.
        #[serde(default)]
        pub output_bound_field: BoundField,
        /// The most that the model writes at once. A request without an output bound gets this one, if its tenant can pay for it.
        #[serde(default, deserialize_with = "written")]
        pub max_output_tokens: Option<OutputTokens>,
        /// The most that the model reads at once: its context. What a request only points at (files, conversations, pages that a tool
        /// fetches) is reserved as up to so much.
        #[serde(default, deserialize_with = "written")]
        pub context_tokens: Option<ContextTokens>,
    }
}

rated! {
    /// Rates for requests with more input; what is not written stays as it is below.
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Above"))]
    pub struct Above {
        /// The rates hold for all tokens of a request with more input than this.
        pub input_tokens: u64,
    }
}

rated! {
    /// Rates of a service tier, by the name that answers give it; what is not written is that of the price.
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ServiceTier"))]
    pub struct ServiceTier {
        /// Other rates for requests with long input, in this tier.
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
    schemars(rename = "Unpriced", description = "What happens to a request for a model that no price matches.")
)]
pub struct Unpriced {
    /// `deny`: 404; `allow`: it costs nothing and counts as `other`; `price_as`: it costs what `model` does.
    pub policy: UnpricedPolicy,
    /// The model whose price is taken, with `price_as`.
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
