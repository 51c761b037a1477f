//! What a caller has left: its own accounts, and what groups above it let it see.
//!
//! By the names of a refusal's detail, so that a client reads one as the other. Nothing is changed by looking.

use crate::calendar::rfc3339;
use crate::limit::accounts::{Account, Holder, Whose};
use crate::limit::cell::Cell;
use crate::limit::{Guard, Use};
use crate::policy::{Policy, TenantPolicy};
use crate::units::{NanoUsd, UnixNanos};
use serde_json::{Map, Value, json};

/// The layout's version: a field may be added within one, never renamed or removed.
const VERSION: u64 = 1;

/// As JSON. `cell` finds an account's, if it has one.
pub fn page(
    policy: &Policy,
    tenant: &TenantPolicy,
    cell: impl Fn(Whose<'_>) -> Option<Cell>,
    now: UnixNanos,
) -> Vec<u8> {
    let models: Vec<_> = policy.model_groups.all().collect();
    let accounts: Vec<_> = tenant
        .accounts(&models)
        .map(|account| {
            let (kind, name, group) = match account.whose {
                Whose::Tenant(name) => ("tenant", name, None),
                Whose::Group(name) => ("group", name, None),
                Whose::Models { of: Holder::Tenant(_), models } => ("model_group", models, None),
                Whose::Models { of: Holder::Group(group), models } => ("model_group", models, Some(group)),
            };
            let mut told = Map::new();
            told.insert("kind".to_owned(), kind.into());
            told.insert("name".to_owned(), name.into());
            if let Some(group) = group {
                told.insert("group".to_owned(), group.into());
            }
            if account.shows_figures {
                figures(&mut told, &account, cell(account.whose).unwrap_or_default(), policy.lease_seconds, now);
            }
            Value::Object(told)
        })
        .collect();
    let view = if policy.replicas.is_some() { "one_of_several_envoys" } else { "this_envoy" };
    let page = json!({"version": VERSION, "time": rfc3339(now), "view": view, "accounts": accounts});
    serde_json::to_vec(&page).unwrap_or_default()
}

fn figures(told: &mut Map<String, Value>, account: &Account<'_>, mut cell: Cell, lease_seconds: u64, now: UnixNanos) {
    let levels = cell.levels(now, lease_seconds);
    for (name, spent) in [("spent_today_usd", levels.spent_today), ("spent_this_month_usd", levels.spent_this_month)] {
        told.insert(name.to_owned(), spent.to_string().into());
    }
    let uses = cell.uses(account.rules, now);
    told.insert("limits".to_owned(), uses.iter().map(figured).collect());
}

fn figured(of: &Use) -> Value {
    let figure = |value: u64| if of.guard.is_money() { json!(NanoUsd(value).to_string()) } else { json!(value) };
    let mut told = Map::new();
    told.insert("guard".to_owned(), of.guard.name().into());
    told.insert("limit".to_owned(), figure(of.limit));
    // What a single request may cost is no sum.
    if of.guard != Guard::RequestUsd {
        for (name, value) in [("used", of.used), ("reserved", of.reserved), ("remaining", of.left())] {
            told.insert(name.to_owned(), figure(value));
        }
    }
    if let Some(seconds) = of.reset_seconds {
        told.insert("reset_seconds".to_owned(), seconds.into());
    }
    if of.audit {
        told.insert("audit".to_owned(), true.into());
    }
    Value::Object(told)
}
