//! Who may ask, and for how much.

use super::keyed::keyed;
use super::{Budget, Limit, Name, Named, OfModelGroup, OutputTokens, RoleModel, ToolRules, Usd, written};
use crate::limit::Guard;
use crate::llm::stance::Stance;
use crate::name::Pattern;
use crate::route::Sensitivity;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tier"))]
pub struct Tier {
    /// Limits that differ from the top-level ones.
    pub limits: Limits,
    /// The budgets of each tenant of this tier.
    pub budgets: Budgets,
    /// Limits and budgets of each tenant of this tier for the models of a group, beside those for all models.
    pub model_groups: Named<OfModelGroup>,
    /// Limits and budgets that only count and never refuse.
    #[serde(deserialize_with = "written")]
    pub audit: Option<Vec<Guard>>,
    /// Limits and budgets that don't apply.
    pub unlimited: Vec<Guard>,
    /// A stream that passes what was reserved for it, where the budgets have no more. Left out: `pass`.
    #[serde(deserialize_with = "written")]
    pub overrun: Option<Overrun>,
    /// The least sensitivity of these tenants' requests.
    #[serde(deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    /// Fields of these tenants' requests that no table of the API knows.
    #[serde(deserialize_with = "written")]
    pub unknown_fields: Option<Stance>,
    /// Tools of these tenants' requests, run by a provider, of a kind that is not known.
    #[serde(deserialize_with = "written")]
    pub unknown_tools: Option<Stance>,
    /// What these tenants' requests ask for, and the price of their model says nothing of.
    #[serde(deserialize_with = "written")]
    pub unpriced_levers: Option<Stance>,
    /// The output bound of requests that bring none.
    pub output: OwnOutput,
    /// The providers that may serve these tenants, in the order in which they are asked. Left out: all, as each model lists them.
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub providers: Option<Vec<Name>>,
    /// Whether these tenants' requests are served by their own model or refused, whatever `instead` says.
    #[serde(deserialize_with = "written")]
    pub keeps_model: Option<bool>,
    /// Which tools these tenants may use. Left out: nobody looks.
    #[serde(deserialize_with = "written")]
    pub tools: Option<ToolRules>,
}

/// The output bound of requests that bring none, before that of all tenants.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OwnOutput"))]
pub struct OwnOutput {
    /// The output bound of a request that brings none.
    #[serde(deserialize_with = "written")]
    pub default_max_tokens: Option<OutputTokens>,
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
    /// Its tier: one of `tiers`, or a built-in one.
    #[serde(deserialize_with = "written")]
    pub tier: Option<Name>,
    /// The group that it is in: one of `groups`.
    #[serde(deserialize_with = "written")]
    pub group: Option<Box<Name>>,
    /// Limits that differ from the tier's.
    #[serde(deserialize_with = "written")]
    pub limits: Option<Box<Limits>>,
    /// Budgets that differ from the tier's.
    #[serde(deserialize_with = "written")]
    pub budgets: Option<Box<Budgets>>,
    /// Limits and budgets for the models of a group, over those of its tier.
    #[serde(deserialize_with = "written")]
    pub model_groups: Option<Box<Named<OfModelGroup>>>,
    #[serde(deserialize_with = "written")]
    /// The models that it may ask for. Left out: all.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub models: Option<Box<[Pattern]>>,
    /// Role → model, before the table of all tenants.
    #[serde(deserialize_with = "written")]
    pub role_models: Option<Box<Named<RoleModel>>>,
    /// Limits and budgets that only count and never refuse.
    #[serde(deserialize_with = "written")]
    pub audit: Option<Box<[Guard]>>,
    /// Limits and budgets that don't apply.
    pub unlimited: Box<[Guard]>,
    /// A stream that passes what was reserved for it, where the budgets have no more.
    #[serde(deserialize_with = "written")]
    pub overrun: Option<Overrun>,
    /// The least sensitivity of its requests; the tier's counts, too.
    #[serde(deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    /// Fields of its requests that no table of the API knows.
    #[serde(deserialize_with = "written")]
    pub unknown_fields: Option<Stance>,
    /// Tools of its requests, run by a provider, of a kind that is not known.
    #[serde(deserialize_with = "written")]
    pub unknown_tools: Option<Stance>,
    /// What its requests ask for, and the price of their model says nothing of.
    #[serde(deserialize_with = "written")]
    pub unpriced_levers: Option<Stance>,
    /// The output bound of its requests that bring none.
    #[serde(deserialize_with = "written")]
    pub output: Option<Box<OwnOutput>>,
    /// The providers that may serve it, in the order in which they are asked, in the place of what its tier says.
    #[serde(deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub providers: Option<Box<[Name]>>,
    /// Whether its requests are served by their own model or refused, whatever `instead` says.
    #[serde(deserialize_with = "written")]
    pub keeps_model: Option<bool>,
    /// Which tools it may use, in the place of what its tier says.
    #[serde(deserialize_with = "written")]
    pub tools: Option<Box<ToolRules>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Limits"))]
pub struct Limits {
    /// Requests in any rolling minute.
    #[serde(deserialize_with = "written")]
    pub requests_per_minute: Option<Limit>,
    /// Requests in any rolling hour.
    #[serde(deserialize_with = "written")]
    pub requests_per_hour: Option<Limit>,
    /// Requests in any rolling day.
    #[serde(deserialize_with = "written")]
    pub requests_per_day: Option<Limit>,
    /// Tokens of input and output together, in any rolling minute.
    #[serde(deserialize_with = "written")]
    pub tokens_per_minute: Option<Limit>,
    /// Expensive requests (see `expensive`) in any rolling minute.
    #[serde(deserialize_with = "written")]
    pub expensive_per_minute: Option<Limit>,
    /// Requests in flight at once.
    #[serde(deserialize_with = "written")]
    pub in_flight: Option<Limit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Budgets"))]
pub struct Budgets {
    /// The most that one request may cost.
    #[serde(deserialize_with = "written")]
    pub request_usd: Option<Budget>,
    /// What may be spent in a day (UTC).
    #[serde(deserialize_with = "written")]
    pub day_usd: Option<Budget>,
    /// What may be spent in a calendar month (UTC).
    #[serde(deserialize_with = "written")]
    pub month_usd: Option<Budget>,
}

/// What becomes of a stream that passes what was reserved for it, because its provider ignores the bound, where the budgets have no
/// more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Overrun {
    /// It goes on, and what it costs is charged.
    Pass,
    /// It goes on; record and stat say that it would have been ended.
    Audit,
    /// It is ended, with an error that the client's SDK raises.
    End,
}

/// A request is expensive if its model is listed or if its worst case costs more than `over_usd`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Expensive"))]
pub struct Expensive {
    /// The models whose requests are expensive.
    pub models: Vec<Pattern>,
    /// Requests whose worst case costs more than this are expensive.
    #[serde(deserialize_with = "written")]
    pub over_usd: Option<Usd>,
}

keyed!(Tier, Tenant, Limits, Budgets, Expensive, OwnOutput);
