//! What the streams of one worker share.

use super::late::Waits;
use super::levels::LevelGauges;
use super::waiting::Waiting;
use crate::host::attempts::Attended;
use crate::host::blame::LastServed;
use crate::host::breakers::Breakers;
use crate::host::canaries::Canaries;
use crate::host::densities::Densities;
use crate::host::stats::Stats;
use crate::policy::{Policy, TenantIx};
use crate::units::UnixNanos;
use std::cell::Cell;
use std::rc::Rc;

/// At a request a second, every minute has a sample.
pub const ONE_IN: u32 = 64;

/// What every stream of this worker shares. A stream keeps the configuration that it began with.
pub struct Plugin {
    pub policy: Policy,
    pub stats: Stats,
    pub levels: LevelGauges,
    pub densities: Densities,
    pub attended: Attended,
    pub breakers: Breakers,
    pub canaries: Canaries,
    pub waiting: Rc<Waiting>,
    pub late: Rc<Waits>,
    pub served: LastServed,
    /// By tenant, if Envoys share limits: whether this worker has seen it.
    seen: Vec<Cell<bool>>,
    /// Streams until the next that is watched.
    unwatched: Cell<u32>,
}

impl Plugin {
    pub fn new(policy: Policy) -> Self {
        let seen = if policy.replicas.is_some() { vec![Cell::new(false); policy.tenants.len()] } else { Vec::new() };
        Self {
            waiting: Rc::new(Waiting::new(&policy)),
            attended: Attended::of(&policy),
            canaries: Canaries::of(&policy),
            late: Rc::default(),
            policy,
            seen,
            stats: Stats::default(),
            levels: LevelGauges::default(),
            densities: Densities::default(),
            breakers: Breakers::default(),
            served: LastServed::default(),
            unwatched: Cell::new(ONE_IN),
        }
    }

    /// Whether the service by which Envoys share limits is known to be away.
    pub fn service_unavailable(&self, now: UnixNanos) -> bool {
        self.policy.replicas.is_some() && self.breakers.is_service_open(now)
    }

    /// Whether this worker sees a tenant for the first time whose limits other Envoys share.
    pub fn mark_seen(&self, tenant: TenantIx) -> bool {
        let seen = usize::try_from(tenant.0).ok().and_then(|at| self.seen.get(at));
        seen.is_some_and(|seen| !seen.replace(true))
    }

    /// Whether the next stream is watched; one in [`ONE_IN`] is.
    pub fn take_turn(&self) -> bool {
        let left = self.unwatched.get().saturating_sub(1);
        self.unwatched.set(if left == 0 { ONE_IN } else { left });
        left == 0
    }
}
