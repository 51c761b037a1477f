//! Who may ask, and for how much.

#[cfg(feature = "schema")]
use super::OUTPUT_TOKENS;
use super::keyed::keyed;
use super::{Budget, Limit, Name, Named, Usd, written};
use crate::limit::Guard;
use crate::name::Pattern;
use crate::route::Sensitivity;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tier"))]
pub struct Tier {
    pub limits: Limits,
    pub budgets: Budgets,
    #[serde(deserialize_with = "written")]
    pub audit: Option<Vec<Guard>>,
    pub unlimited: Vec<Guard>,
    /// No request of these tenants is less sensitive than this.
    #[serde(deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    pub output: OwnOutput,
}

/// Bounds for requests that bring none, before those of all.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OwnOutput"))]
pub struct OwnOutput {
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(range(min = *OUTPUT_TOKENS.start(), max = *OUTPUT_TOKENS.end())))]
    pub default_max_tokens: Option<u64>,
}

/// Boxed where it is rarely written: there may be a hundred thousand of these.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Tenant", description = "What is not written is that of the tier.")
)]
pub struct Tenant {
    #[serde(deserialize_with = "written")]
    pub tier: Option<Name>,
    #[serde(deserialize_with = "written")]
    pub limits: Option<Box<Limits>>,
    #[serde(deserialize_with = "written")]
    pub budgets: Option<Box<Budgets>>,
    #[serde(deserialize_with = "written")]
    /// Which models it may ask for; left out, all.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub models: Option<Box<[Pattern]>>,
    /// Before the table of all tenants.
    #[serde(deserialize_with = "written")]
    pub role_models: Option<Box<Named<Name>>>,
    #[serde(deserialize_with = "written")]
    pub audit: Option<Box<[Guard]>>,
    pub unlimited: Box<[Guard]>,
    /// No request of it is less sensitive than this, nor than its tier says.
    #[serde(deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    #[serde(deserialize_with = "written")]
    pub output: Option<Box<OwnOutput>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Limits"))]
pub struct Limits {
    #[serde(deserialize_with = "written")]
    pub requests_per_minute: Option<Limit>,
    #[serde(deserialize_with = "written")]
    pub requests_per_hour: Option<Limit>,
    #[serde(deserialize_with = "written")]
    pub requests_per_day: Option<Limit>,
    #[serde(deserialize_with = "written")]
    pub tokens_per_minute: Option<Limit>,
    #[serde(deserialize_with = "written")]
    pub expensive_per_minute: Option<Limit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Budgets"))]
pub struct Budgets {
    #[serde(deserialize_with = "written")]
    pub request_usd: Option<Budget>,
    #[serde(deserialize_with = "written")]
    pub day_usd: Option<Budget>,
    #[serde(deserialize_with = "written")]
    pub month_usd: Option<Budget>,
}

/// A request is expensive if its model is listed or if its worst case costs more than `over_usd`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Expensive"))]
pub struct Expensive {
    pub models: Vec<Pattern>,
    #[serde(deserialize_with = "written")]
    pub over_usd: Option<Usd>,
}

keyed!(Tier, Tenant, Limits, Budgets, Expensive, OwnOutput);
