//! The tenants' gauges (spent, reserved), brought up to date once a second from the cells.
//!
//! Trade-off: setting them at each request would cost as much as the decision, and the last of two racing workers
//! would leave its older figure standing. Here the tenants that were busy are read at each tick, and some of all the
//! others in turn: periods end, leases lapse and configurations change without a request that would tell.

use crate::host::cells;
use crate::host::stats::Stats;
use crate::limit::{Guard, Levels};
use crate::policy::{Policy, TenantIx};
use crate::units::UnixNanos;
use hashbrown::HashSet;
use std::cell::{Cell, RefCell};

#[derive(Default)]
pub struct LevelGauges {
    busy: RefCell<HashSet<TenantIx>>,
    /// Where the turn of the others has come to.
    turn: Cell<usize>,
}

/// Tenants of the turn per tick: about half a millisecond a second, and ten thousand tenants in less than a minute.
const PER_TICK: usize = 256;
/// Another worker may write between the reading and the setting; then the reading is repeated.
const ROUNDS: usize = 4;

impl LevelGauges {
    pub fn touch(&self, tenant: TenantIx) {
        if let Ok(mut busy) = self.busy.try_borrow_mut() {
            busy.insert(tenant);
        }
    }

    pub fn publish(&self, policy: &Policy, stats: &Stats, now: UnixNanos) {
        let Ok(mut busy) = self.busy.try_borrow_mut() else { return };
        let turn = self.turn.get();
        let next = turn.saturating_add(PER_TICK);
        self.turn.set(if next >= policy.tenants.len() { 0 } else { next });
        let others = (turn..next.min(policy.tenants.len())).filter_map(|ix| u32::try_from(ix).ok()).map(TenantIx);
        for tenant in busy.drain().chain(others) {
            if let Some(tenant) = policy.tenant_policy(tenant).filter(|tenant| policy.has_gauges(&tenant.name)) {
                let levels = || Some(cells::read(&tenant.name)?.levels(now, policy.lease_seconds));
                let budgets = [Guard::DayUsd, Guard::MonthUsd].map(|guard| tenant.rules.get(guard).limit);
                settle_on(levels, |levels| stats.levels(&tenant.name, levels, budgets));
            }
        }
    }
}

/// Sets what was read until the same is read again. A tenant without a cell has no gauges.
fn settle_on(read: impl Fn() -> Option<Levels>, set: impl Fn(Levels)) {
    let mut known = None;
    for _ in 0..ROUNDS {
        let levels = read();
        if levels == known {
            return;
        }
        known = levels;
        if let Some(levels) = levels {
            set(levels);
        }
    }
}
