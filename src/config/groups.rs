//! Who is above the tenants: teams, organisations.

use super::keyed::keyed;
use super::{Budgets, Limits, Name, Named, OfModelGroup, written};
use crate::limit::Guard;
use serde::Deserialize;

/// What its members may spend and ask for together. Each request of a member has to have room here, too, and in its parent.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Group"))]
pub struct Group {
    /// The group that this one is in: one of `groups`. Up to four may stand above a tenant.
    #[serde(deserialize_with = "written")]
    pub parent: Option<Name>,
    /// Limits of all its members together. What is left out is not limited.
    pub limits: Limits,
    /// Budgets of all its members together; `request_usd` is of each request. What is left out is not limited.
    pub budgets: Budgets,
    /// Limits and budgets of all its members together for the models of a group.
    pub model_groups: Named<OfModelGroup>,
    /// Limits and budgets that only count and never refuse.
    #[serde(deserialize_with = "written")]
    pub audit: Option<Vec<Guard>>,
    /// Whether a refused member learns how much the group may spend and has spent. Otherwise it learns the group's name, which of the
    /// limits refused, and when to try again.
    pub show_figures: bool,
}

keyed!(Group);
