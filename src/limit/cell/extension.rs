//! What more there is for an answer that costs more than was reserved for it.

use super::Cell;
use crate::limit::guard::Kind;
use crate::limit::{Extension, Guard, Guards, Held, Rules, Share, Shares};
use crate::units::{NanoUsd, Tokens, UnixNanos};

impl Cell {
    /// Sets aside more for an answer of which so much was seen: as much again, or what is left, for which the budgets and the
    /// request's own are asked as they were at first. Windows are no money, and are left as they are. All of it is set aside now:
    /// a stream that goes on past midnight has its place in the new day, and what it holds does not lapse while it grows.
    pub fn extend(
        &mut self,
        rules: &Rules,
        reservation: &Held,
        seen: NanoUsd,
        shares: Shares,
        lease_seconds: u64,
        now: UnixNanos,
    ) -> Extension {
        self.roll(now, lease_seconds);
        self.leases.release(reservation.money_at, reservation.cost);
        let mut audit = Guards::default();
        let mut most = seen.plus(seen);
        for guard in Guard::ALL.into_iter().filter(|guard| guard.is_money()) {
            let rule = rules.get(guard);
            let Some(limit) = rule.limit.map(|limit| shares.of(guard, limit)) else { continue };
            match self.check(guard, limit, shares.in_flight, seen, Tokens(0), now) {
                None if rule.audit => {}
                None => most = most.min(self.money_left(guard, limit, shares.in_flight)),
                Some(_) if rule.audit => audit.insert(guard),
                Some(refusal) => return Extension { verdict: Err(refusal), at: now, audit },
            }
        }
        let money_at = self.money_at(now);
        self.leases.add(money_at, most);
        if reservation.counted {
            self.leases.close(reservation.money_at);
            self.leases.open(money_at);
        }
        Extension { verdict: Ok(most), at: money_at, audit }
    }

    /// What is left of a budget, or of what one request may cost.
    fn money_left(&self, guard: Guard, limit: u64, in_flight: Share) -> NanoUsd {
        let (spent, reserved) = match guard.kind() {
            Kind::Budget(calendar) => self.spend(calendar),
            Kind::Request | Kind::Window(..) | Kind::InFlight => (NanoUsd::ZERO, NanoUsd::ZERO),
        };
        in_flight.left(limit, spent, reserved)
    }
}
