//! What was spent before this Envoy began.

use super::keyed::keyed;
use super::{Date, Named, Usd};
use serde::Deserialize;

/// Where the books begin. An Envoy that starts knows of nothing that was spent before.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Opening"))]
pub struct Opening {
    /// What tenants and groups have spent, as `make opening` writes it.
    pub balances: Balances,
}

/// Of each, the larger of this and what this Envoy knows counts: nothing that was counted here is lowered by it.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Balances"))]
pub struct Balances {
    /// The day (UTC) of which the figures are. On another day those of the day count for nothing, and in another month those of the month.
    pub date: Date,
    /// By tenant. Names that are in no other place of the configuration are passed over.
    #[serde(default)]
    pub tenants: Named<Balance>,
    /// By group.
    #[serde(default)]
    pub groups: Named<Balance>,
}

/// What one of them has spent.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Balance"))]
pub struct Balance {
    /// On that day.
    pub day_usd: Usd,
    /// In its month.
    pub month_usd: Usd,
    /// And what of it on the models of a group.
    #[serde(default)]
    pub model_groups: Named<Spent>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Spent"))]
pub struct Spent {
    /// On that day.
    pub day_usd: Usd,
    /// In its month.
    pub month_usd: Usd,
}

keyed!(Opening, Balances, Balance, Spent);
