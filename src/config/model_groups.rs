//! Models that have limits of their own, under a tenant, a tier or a group.

use super::keyed::keyed;
use super::{Budgets, Limits, written};
use crate::limit::Guard;
use crate::name::Pattern;
use serde::Deserialize;

/// Models, by name, or by the beginning of one and a `*`; before either may stand a provider's label and a slash.
pub type ModelPatterns = Vec<Pattern>;

/// What may be spent on the models of a group, and asked of them. Requests that one of them may serve have to have room here, too.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OfModelGroup"))]
pub struct OfModelGroup {
    /// Limits of requests to these models. What is left out is not limited.
    pub limits: Limits,
    /// Budgets for these models. What is left out is not limited.
    pub budgets: Budgets,
    /// Limits and budgets that only count and never refuse.
    #[serde(deserialize_with = "written")]
    pub audit: Option<Vec<Guard>>,
}

keyed!(OfModelGroup);
