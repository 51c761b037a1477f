//! Several Envoys with the same limits and budgets.

use super::keyed::keyed;
use super::{Name, Percent, ReplicaCount};
use serde::Deserialize;

/// Limits and budgets that several Envoys share by a rate limit service, which Envoy's own filters ask.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Replicas"))]
pub struct Replicas {
    /// The number of Envoys that share them.
    pub count: ReplicaCount,
    /// The part of a budget that requests in flight may hold as reservations, on all Envoys together.
    #[serde(default = "super::defaults::in_flight_percent")]
    pub in_flight_percent: Percent,
    /// The cluster of the rate limit service. The service counts as unavailable when no endpoint of it is healthy.
    pub cluster: Name,
    /// What each Envoy allows of a rate limit while the service is unavailable.
    #[serde(default)]
    pub requests_without_service: WithoutService,
    /// What each Envoy allows of a budget while the service is unavailable.
    #[serde(default)]
    pub budgets_without_service: WithoutService,
}

/// That nothing shall pass is no choice here: it is Envoy's filters that know first (`failure_mode_deny`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "While the rate limit service is unavailable.")
)]
pub enum WithoutService {
    /// This Envoy's part of the limit: one of `count`.
    #[default]
    Local,
    /// The whole limit, on each Envoy.
    Allow,
}

keyed!(Replicas);
