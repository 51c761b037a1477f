//! The order of the money: what the cells of a tenant and its groups are asked before a request goes on, what they get at the end,
//! and what the record says to everybody else.

use super::plugin::Plugin;
use crate::exchange::{Demand, Exchange, More, Settlement};
use crate::host::{cells, clock, filter_state, kept, lines};
use crate::limit::accounts::{self, Came, Cells, Effort, Whose};
use crate::limit::cell::Cell;
use crate::limit::{Ask, Decision, Guard, Levels, ModelsIx, Reservation, Shares, SwapLost};
use crate::outcome::Rejection;
use crate::policy::TenantPolicy;
use crate::record::Record;
use crate::replicas;
use crate::units::{NanoUsd, UnixNanos};
use log::Level;

/// The cells as this worker changes them: what is lost and begun anew is counted.
struct Counting<'a>(&'a Plugin);

impl Cells for Counting<'_> {
    fn change<T>(
        &self,
        whose: Whose<'_>,
        effort: Effort,
        change: impl FnMut(&mut Cell) -> (T, bool),
    ) -> Result<T, SwapLost> {
        let attempts = match effort {
            Effort::Admit => cells::ADMIT_ATTEMPTS,
            Effort::Settle => cells::SETTLE_ATTEMPTS,
        };
        let swap = cells::swap(whose, attempts, change);
        self.0.stats.swapped(&swap);
        swap.outcome
    }
}

/// Their gauges are to be brought up to date.
fn touch(plugin: &Plugin, tenant: &TenantPolicy) {
    plugin.levels.touch(tenant.ix);
    tenant.groups().for_each(|group| plugin.levels.touch_group(group.ix));
}

/// Asks the tenant's cell, and those of its groups and of the models, if there are any. A refusal changes nothing, so it writes nothing.
pub(super) fn ask(plugin: &Plugin, demand: &Demand, now: UnixNanos) -> Result<Decision, SwapLost> {
    let Demand { tenant, ask, models, .. } = demand;
    if tenant.rules.group.is_none() && models.is_empty() {
        return ask_own(plugin, tenant, ask, now);
    }
    accounts::admit(&Counting(plugin), tenant.accounts(models), |ask| ask_own(plugin, tenant, ask, now), ask, now)
}

fn ask_own(plugin: &Plugin, tenant: &TenantPolicy, ask: &Ask, now: UnixNanos) -> Result<Decision, SwapLost> {
    let mut charged = NanoUsd::ZERO;
    let swap = cells::swap(Whose::Tenant(&tenant.name), cells::ADMIT_ATTEMPTS, |cell| {
        charged = cell.lifetime();
        let decision = cell.admit(&tenant.rules, ask, now);
        let store = decision.verdict.is_ok();
        (decision, store)
    });
    plugin.stats.swapped(&swap);
    if plugin.mark_seen(tenant.ix) || (swap.forgot && plugin.policy.replicas.is_some()) {
        cells::begin_to_publish(&tenant.name, charged, swap.forgot);
    }
    touch(plugin, tenant);
    swap.outcome
}

/// Before the client has them, on whichever worker it comes with them.
/// Few answers have any: apart, it takes nothing from the way of all others.
#[inline(never)]
pub(super) fn note_ids(plugin: &Plugin, exchange: &mut Exchange) {
    let Some(tenant) = exchange.tenant().and_then(|ix| plugin.policy.tenant_policy(ix)) else { return };
    for id in exchange.fresh_ids() {
        kept::note(&tenant.name, *id);
    }
    if let Some(made) = exchange.fresh_size() {
        kept::weigh(&tenant.name, &made);
    }
}

/// What is asked of an answer as it passes, before that goes on. Returns why it is to be ended.
#[inline(never)]
pub(super) fn follow(plugin: &Plugin, exchange: &mut Exchange) -> Option<Rejection> {
    note_ids(plugin, exchange);
    extend(plugin, exchange).or_else(|| exchange.refused_answer())
}

/// Asks the cells for more, where an answer costs more by now than was reserved for it. Returns why it is to be ended.
fn extend(plugin: &Plugin, exchange: &mut Exchange) -> Option<Rejection> {
    let More { tenant, models, reservation, seen, served } = exchange.wants_more()?;
    let now = clock::now();
    let lease = plugin.policy.lease_seconds;
    let shares = plugin.policy.replicas.as_ref();
    let shares = shares.map_or(Shares::WHOLE, |shared| shared.shares(plugin.service_unavailable(now)));
    let accounts = tenant.accounts(models);
    let extended = accounts::extend(&Counting(plugin), accounts, reservation, (seen, served), (shares, lease), now);
    touch(plugin, tenant);
    exchange.extended(extended)
}

/// Whether an account may have anything left: one that has spent it all asks in vain. It is only looked at.
pub(super) fn may_have_money(plugin: &Plugin, tenant: &TenantPolicy, now: UnixNanos) -> bool {
    let Some(mut cell) = cells::read(Whose::Tenant(&tenant.name)) else { return true };
    let Levels { spent_today, spent_this_month, reserved, .. } = cell.levels(now, plugin.policy.lease_seconds);
    let has = |guard, spent: NanoUsd| tenant.rules.get(guard).limit.is_none_or(|limit| spent.plus(reserved).0 < limit);
    has(Guard::DayUsd, spent_today) && has(Guard::MonthUsd, spent_this_month)
}

/// The last of a reservation: it is consumed by its settlement, however often the swap is repeated.
pub(super) fn settle(plugin: &Plugin, settlement: Settlement, now: UnixNanos) {
    let Settlement { tenant, models, reservation, came, of_models } = settlement;
    let Reservation { own, beside } = reservation;
    let lease = plugin.policy.lease_seconds;
    let publishes = plugin.policy.replicas.is_some() && !came.withdrawn && !plugin.service_unavailable(now);
    let swap = cells::swap(Whose::Tenant(&tenant.name), cells::SETTLE_ATTEMPTS, |cell| {
        came.settle(cell, &own, lease, now);
        (publishes.then(|| cell.charged(own.money_at)), true)
    });
    if let Ok(Some(charged)) = swap.outcome {
        let before = cells::publish(&tenant.name, charged.ever);
        filter_state::share(&replicas::published(&tenant.rules, before, charged, came.tokens));
    }
    plugin.stats.swapped(&swap);
    touch(plugin, &tenant);
    if swap.outcome.is_err() {
        lost(plugin, Whose::Tenant(&tenant.name), came.cost);
    }
    if !beside.is_empty() {
        let came_to = |models: Option<ModelsIx>| match models {
            None => came,
            Some(models) => {
                let own = of_models.iter().find(|(of, _)| *of == models);
                own.map_or(Came::NOTHING, |(_, came)| *came)
            }
        };
        let accounts = tenant.beside(&models).zip(beside);
        for (whose, cost) in accounts::settle(&Counting(plugin), accounts, came_to, lease, now) {
            lost(plugin, whose, cost);
        }
    }
}

#[cold]
fn lost(plugin: &Plugin, whose: Whose<'_>, cost: NanoUsd) {
    plugin.stats.lost_settlement();
    lines::say(
        Level::Error,
        "settlement_lost",
        format_args!(
            "{cost} USD of {whose} are in a record and not in its books: its cell changed {} times under our hands, or Envoy refuses \
             to write it. See the runbook, AiGatewaySettlementsLost",
            cells::SETTLE_ATTEMPTS
        ),
    );
}

/// Counts a record, and leaves it for the access log.
pub(super) fn record(plugin: &Plugin, record: &Record) {
    for (provider, status) in &record.bill.account_refusals {
        lines::say(
            Level::Warn,
            "account_refused",
            format_args!(
                "{provider} refuses this gateway's account ({status}): its key, its credit, or the region it is called from. See \
                 the runbook, AiGatewayAccountRefused"
            ),
        );
    }
    plugin.stats.count(record, plugin.policy.tenant_label(&record.labels.tenant));
    filter_state::publish(&record.to_json());
}
