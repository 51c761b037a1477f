//! The models that a tenant may ask for, as each API lists them.
//!
//! Trade-off: it is read from the configuration, not asked of a provider, which would list what this gateway doesn't serve and
//! other tenants' models. Names that only a pattern knows can't be listed; asked for by name, they are there.

use crate::llm::schema::Dialect;
use crate::order;
use crate::policy::{Policy, TenantPolicy};
use crate::price::Quote;
use crate::route::{Model, ProviderIx};
use crate::units::UnixNanos;
use serde_json::{Value, json};

const EPOCH: &str = "1970-01-01T00:00:00Z";
const OWNER: &str = "nexus-ai-gateway";

/// The whole list, or that one model, or `None` if the tenant has no such model.
pub fn page(
    policy: &Policy,
    tenant: &TenantPolicy,
    dialect: Dialect,
    one: Option<&str>,
    now: UnixNanos,
) -> Option<Vec<u8>> {
    let page = match one {
        Some(name) if serves(policy, tenant, name, now) => entry(dialect, name),
        Some(_) => return None,
        None => list(dialect, &names(policy, tenant)),
    };
    serde_json::to_vec(&page).ok()
}

/// By name, also of a pattern.
fn serves(policy: &Policy, tenant: &TenantPolicy, asked: &str, now: UnixNanos) -> bool {
    let known = policy.models.are_listed() || policy.prices.quote(None, policy.resolve(asked), now) != Quote::Denied;
    known && may_have(policy, tenant, asked)
}

/// Whether the tenant may ask for it, and somebody serves it.
fn may_have(policy: &Policy, tenant: &TenantPolicy, asked: &str) -> bool {
    let is_there = |name: &str| {
        let model = || policy.models.model(name).is_some_and(|model| is_served(policy, tenant, model));
        tenant.allows(name) && (!policy.models.are_listed() || model())
    };
    let name = policy.resolve(asked);
    policy.models.stands_for(name).map_or_else(|| is_there(name), |it| it.any(is_there))
}

/// Whether somebody has it who may serve the tenant.
fn is_served(policy: &Policy, tenant: &TenantPolicy, model: &Model) -> bool {
    let has_key = |ix: ProviderIx| policy.provider_at(ix).is_some_and(|provider| provider.reach.has_key);
    model.serving.iter().any(|it| has_key(it.provider) && tenant.rules.lets_serve(Some(it.provider)))
}

fn names<'a>(policy: &'a Policy, tenant: &TenantPolicy) -> Vec<&'a str> {
    let mut names: Vec<&str> = if policy.models.are_listed() {
        let served = policy.models.models().iter().map(|model| model.model.as_str());
        served.chain(policy.models.virtual_names()).collect()
    } else {
        policy.prices.prices().iter().map(|price| price.model.as_str()).collect()
    };
    names.extend(policy.aliases.keys().map(String::as_str));
    names.retain(|name| !name.contains('*') && may_have(policy, tenant, name));
    order::sort(&mut names);
    names.dedup();
    names
}

fn list(dialect: Dialect, names: &[&str]) -> Value {
    let entries: Vec<Value> = names.iter().map(|name| entry(dialect, name)).collect();
    match dialect {
        Dialect::Gemini | Dialect::Ollama => json!({"models": entries}),
        // OpenAI's list, with what Anthropic's SDKs read beside it: both have it at one path.
        _ => json!({"object": "list", "data": entries, "has_more": false,
            "first_id": names.first(), "last_id": names.last()}),
    }
}

fn entry(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Gemini => {
            let methods = ["generateContent", "streamGenerateContent"];
            json!({"name": format!("models/{name}"), "displayName": name, "supportedGenerationMethods": methods})
        }
        Dialect::Ollama => json!({"name": name, "model": name, "modified_at": EPOCH, "size": 0, "digest": "",
            "details": {"format": "", "family": "", "parameter_size": "", "quantization_level": ""}}),
        _ => json!({"id": name, "object": "model", "created": 0, "owned_by": OWNER,
            "type": "model", "display_name": name, "created_at": EPOCH}),
    }
}
