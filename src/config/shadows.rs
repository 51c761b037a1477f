//! Copies of requests that go to other models, while nobody waits for them.

use super::keyed::keyed;
use super::{Budget, Date, Name, Percentage, written};
use crate::name::Pattern;
use serde::Deserialize;

/// Where Envoy's mirror brings the copies of requests: back into this Envoy, by a listener that nobody else reaches.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Mirror"))]
pub struct Mirror {
    /// The cluster that leads to that listener. Routes mirror to the cluster that `x-nexus-shadow` names.
    pub cluster: Name,
    /// The filter chain of that listener. What comes by any other is no copy, whatever its headers say.
    pub filter_chain: Name,
}

/// A model that gets copies of requests, to be compared with the model that answers them. No client waits for it or pays for it.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Shadow"))]
pub struct Shadow {
    /// Which requests it may have copies of. Left out: all.
    #[serde(default)]
    pub of: ShadowOf,
    /// The model that the copies go to: one of `models`.
    pub model: Name,
    /// How many of a hundred of these requests are copied: 0.01 to 100, with up to four digits behind the point.
    pub percent: Percentage,
    /// What its copies may cost. It is an account of its own.
    pub budgets: ShadowBudgets,
    /// The last day (UTC) on which requests are copied. Left out: there is none.
    #[serde(default, deserialize_with = "written")]
    pub until: Option<Date>,
}

/// Which requests a shadow may have copies of. What is left out leaves nothing out.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ShadowOf"))]
pub struct ShadowOf {
    /// Requests that go to these models, whatever name they asked by.
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub models: Option<Vec<Pattern>>,
    /// Requests of these roles.
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub roles: Option<Vec<Name>>,
    /// Requests of these tenants.
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub tenants: Option<Vec<Name>>,
}

/// All three are needed: nobody sees the bill before it comes.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ShadowBudgets"))]
pub struct ShadowBudgets {
    /// The most that one copy may cost.
    pub request_usd: Budget,
    /// What may be spent in a day (UTC).
    pub day_usd: Budget,
    /// What may be spent in a calendar month (UTC).
    pub month_usd: Budget,
}

keyed!(Mirror, Shadow, ShadowOf, ShadowBudgets);
