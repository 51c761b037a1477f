//! The order of the money: what a tenant's cell is asked before a request goes on, what it gets at the end, and what the
//! record says to everybody else.

use super::plugin::Plugin;
use crate::exchange::{Demand, Exchange, More, Settlement};
use crate::host::{cells, clock, filter_state, kept, lines};
use crate::limit::{Decision, Guard, Levels, Shares, SwapLost};
use crate::outcome::Rejection;
use crate::policy::TenantPolicy;
use crate::record::Record;
use crate::replicas;
use crate::units::{NanoUsd, UnixNanos};
use log::Level;

/// Asks the tenant's cell. A refusal changes nothing, so it writes nothing.
pub(super) fn ask(plugin: &Plugin, demand: &Demand, now: UnixNanos) -> Result<Decision, SwapLost> {
    let Demand { tenant, ask, .. } = demand;
    let mut charged = NanoUsd::ZERO;
    let swap = cells::swap(&tenant.name, cells::ADMIT_ATTEMPTS, |cell| {
        charged = cell.lifetime();
        let decision = cell.admit(&tenant.rules, ask, now);
        let store = decision.verdict.is_ok();
        (decision, store)
    });
    plugin.stats.swapped(&swap);
    if plugin.mark_seen(tenant.ix) || (swap.forgot && plugin.policy.replicas.is_some()) {
        cells::begin_to_publish(&tenant.name, charged, swap.forgot);
    }
    plugin.levels.touch(tenant.ix);
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

/// Asks the tenant's cell for more, where an answer costs more by now than was reserved for it. Returns why it is to be ended.
fn extend(plugin: &Plugin, exchange: &mut Exchange) -> Option<Rejection> {
    let More { tenant, reservation, seen } = exchange.wants_more()?;
    let now = clock::now();
    let lease = plugin.policy.lease_seconds;
    let shares = plugin.policy.replicas.as_ref();
    let shares = shares.map_or(Shares::WHOLE, |shared| shared.shares(plugin.service_unavailable(now)));
    let swap = cells::swap(&tenant.name, cells::ADMIT_ATTEMPTS, |cell| {
        let extension = cell.extend(&tenant.rules, reservation, seen, shares, lease, now);
        (extension, extension.verdict.is_ok())
    });
    plugin.stats.swapped(&swap);
    plugin.levels.touch(tenant.ix);
    exchange.extended(swap.outcome, now)
}

/// Whether an account may have anything left: one that has spent it all asks in vain. It is only looked at.
pub(super) fn may_have_money(plugin: &Plugin, tenant: &TenantPolicy, now: UnixNanos) -> bool {
    let Some(mut cell) = cells::read(&tenant.name) else { return true };
    let Levels { spent_today, spent_this_month, reserved } = cell.levels(now, plugin.policy.lease_seconds);
    let has = |guard, spent: NanoUsd| tenant.rules.get(guard).limit.is_none_or(|limit| spent.plus(reserved).0 < limit);
    has(Guard::DayUsd, spent_today) && has(Guard::MonthUsd, spent_this_month)
}

/// The last of a reservation: it is consumed by its settlement, however often the swap is repeated.
pub(super) fn settle(plugin: &Plugin, settlement: Settlement, now: UnixNanos) {
    let Settlement { tenant, reservation, cost, tokens, withdrawn } = settlement;
    let lease = plugin.policy.lease_seconds;
    let publishes = plugin.policy.replicas.is_some() && !withdrawn && !plugin.service_unavailable(now);
    let swap = cells::swap(&tenant.name, cells::SETTLE_ATTEMPTS, |cell| {
        cell.settle(&reservation, cost, tokens, lease, now);
        if withdrawn {
            cell.withdraw(&reservation);
        }
        (publishes.then(|| cell.charged(reservation.money_at)), true)
    });
    if let Ok(Some(charged)) = swap.outcome {
        let before = cells::publish(&tenant.name, charged.ever);
        filter_state::share(&replicas::published(&tenant.rules, before, charged, tokens));
    }
    plugin.stats.swapped(&swap);
    plugin.levels.touch(tenant.ix);
    if swap.outcome.is_err() {
        plugin.stats.lost_settlement();
        lines::say(
            Level::Error,
            "settlement_lost",
            format_args!(
                "{cost} USD of tenant {} are in its record and not in its books: its cell changed {} times under our hands, or \
                 Envoy refuses to write it. See the runbook, AiGatewaySettlementsLost",
                tenant.name,
                cells::SETTLE_ATTEMPTS
            ),
        );
    }
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
