//! What the gateway shows of itself: its pages, and the labels of its stats.

use super::keyed::keyed;
use super::{Name, written};
use serde::Deserialize;

/// Which labels the stats have. Limits and records know every tenant all the same.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Metrics"))]
pub struct Metrics {
    /// What the label `tenant` says.
    pub tenant_label: TenantLabel,
    /// The tenants whose names are label values; others count as `other`. Left out: all tenants.
    #[serde(deserialize_with = "written")]
    pub tenants: Option<Vec<Name>>,
}

/// What the label `tenant` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TenantLabel {
    #[default]
    Name,
    Tier,
    None,
}

/// Who may see the gateway's own pages, and the cluster that leads to Envoy's admin, which is asked for them.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Status"))]
pub struct Status {
    /// The cluster that leads to Envoy's admin.
    pub cluster: Name,
    /// The filter chain through which the pages can be asked for; elsewhere there are none. Left out: any.
    #[serde(default, deserialize_with = "written")]
    pub filter_chain: Option<Name>,
    /// The networks that may ask for the pages. Left out: this machine where there is a `filter_chain`, else nobody, because a
    /// program that ends TLS on this machine brings everybody's requests from here.
    #[serde(default, deserialize_with = "written")]
    pub allow: Option<Vec<Name>>,
}

keyed!(Metrics, Status);
