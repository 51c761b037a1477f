//! The tenants' gauges (spent, reserved), brought up to date once a second from the cells.
//!
//! Trade-off: setting them at each request would cost as much as the decision, and the last of two racing workers
//! would leave its older figure standing. Read from the cell, they are right whoever writes, also after a reload.

use crate::host::cells;
use crate::host::stats::Stats;
use crate::limit::Levels;
use crate::limit::budget::Calendar;
use crate::policy::{Policy, TenantIx};
use crate::units::{NanoUsd, UnixNanos};
use hashbrown::HashSet;
use std::cell::{Cell, RefCell};

#[derive(Default)]
pub struct LevelGauges {
    /// Changed since the last tick, or with reservations that may lapse without a request.
    hot: RefCell<HashSet<TenantIx>>,
    /// All that were ever hot: at midnight theirs fall back to zero.
    known: RefCell<HashSet<TenantIx>>,
    day: Cell<u64>,
}

/// Another worker may write between the reading and the setting; then the reading is repeated.
const ROUNDS: usize = 4;

impl LevelGauges {
    pub fn touch(&self, tenant: TenantIx) {
        if let Ok(mut hot) = self.hot.try_borrow_mut() {
            hot.insert(tenant);
        }
    }

    pub fn publish(&self, policy: &Policy, stats: &Stats, now: UnixNanos) {
        let (Ok(mut hot), Ok(mut known)) = (self.hot.try_borrow_mut(), self.known.try_borrow_mut()) else { return };
        known.extend(hot.iter().copied());
        let day = Calendar::Day.number(now);
        if self.day.replace(day) != day {
            hot.extend(known.iter().copied());
        }
        hot.retain(|tenant| {
            let Some(tenant) = policy.tenant_policy(*tenant) else { return false };
            let read = || cells::read(&tenant.name).levels(now, policy.lease_seconds);
            let mut levels = read();
            for _ in 0..ROUNDS {
                stats.levels(&tenant.name, levels);
                let Levels { reserved, .. } = levels;
                let again = read();
                if again == levels {
                    return reserved > NanoUsd::ZERO;
                }
                levels = again;
            }
            true
        });
    }
}
