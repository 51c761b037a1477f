//! The gauges of tenants and groups (spent, reserved), brought up to date once a second from the cells.
//!
//! Trade-off: setting them at each request would cost as much as the decision, and the last of two racing workers
//! would leave its older figure standing. Here the tenants that were busy are read at each tick, and some of all the
//! others in turn: periods end, leases lapse and configurations change without a request that would tell.

use crate::host::cells;
use crate::host::stats::Stats;
use crate::limit::accounts::Whose;
use crate::limit::{Guard, Levels, Rules};
use crate::policy::groups::GroupIx;
use crate::policy::{Policy, TenantIx};
use crate::units::UnixNanos;
use hashbrown::HashSet;
use std::cell::{Cell, RefCell};

#[derive(Default)]
pub struct LevelGauges {
    tenants: Turns,
    groups: Turns,
}

/// Whose turn it is, of many.
#[derive(Default)]
struct Turns {
    busy: RefCell<HashSet<u32>>,
    /// Where the turn of the others has come to.
    turn: Cell<usize>,
}

/// Tenants of the turn per tick: about half a millisecond a second, and ten thousand tenants in less than a minute.
const PER_TICK: usize = 256;
/// Another worker may write between the reading and the setting; then the reading is repeated.
const ROUNDS: usize = 4;

impl Turns {
    fn touch(&self, ix: u32) {
        if let Ok(mut busy) = self.busy.try_borrow_mut() {
            busy.insert(ix);
        }
    }

    /// The busy ones since the last time, and some of the others, of so many.
    fn take(&self, of: usize) -> Vec<u32> {
        let Ok(mut busy) = self.busy.try_borrow_mut() else { return Vec::new() };
        let turn = self.turn.get();
        let next = turn.saturating_add(PER_TICK);
        self.turn.set(if next >= of { 0 } else { next });
        busy.drain().chain((turn..next.min(of)).filter_map(|ix| u32::try_from(ix).ok())).collect()
    }
}

impl LevelGauges {
    pub fn touch(&self, TenantIx(ix): TenantIx) {
        self.tenants.touch(ix);
    }

    pub fn touch_group(&self, GroupIx(ix): GroupIx) {
        self.groups.touch(ix);
    }

    pub fn publish(&self, policy: &Policy, stats: &Stats, now: UnixNanos) {
        let publish = |whose: Whose<'_>, rules: &Rules| {
            let levels = || Some(cells::read(whose)?.levels(now, policy.lease_seconds));
            let budgets = [Guard::DayUsd, Guard::MonthUsd].map(|guard| rules.get(guard).limit);
            let counted = rules.get(Guard::InFlight).limit.is_some();
            settle_on(levels, |levels| stats.levels(whose, levels, budgets, counted));
        };
        for ix in self.tenants.take(policy.tenants.len()) {
            let tenant = policy.tenant_policy(TenantIx(ix)).filter(|tenant| policy.has_gauges(&tenant.name));
            if let Some(tenant) = tenant {
                publish(Whose::Tenant(&tenant.name), &tenant.rules);
            }
        }
        for ix in self.groups.take(policy.groups.len()) {
            if let Some(group) = usize::try_from(ix).ok().and_then(|ix| policy.groups.get(ix)) {
                publish(Whose::Group(&group.name), &group.rules);
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
