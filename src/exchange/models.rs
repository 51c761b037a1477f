//! The models that a tenant may ask for, as each API lists them.
//!
//! Trade-off: it is read from the configuration, not asked of a provider, which would list what this gateway doesn't serve and
//! other tenants' models. Names that only a pattern knows can't be listed; asked for by name, they are there.

use crate::llm::schema::Dialect;
use crate::policy::{Policy, TenantPolicy};
use crate::price::Quote;
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
    let name = policy.resolve(asked);
    if let Some(it) = policy.models.stands_for(name) {
        return it.any(|name| tenant.allows(name));
    }
    let known = if policy.models.are_listed() {
        policy.models.model(name).is_some_and(|model| model.serving.iter().any(|it| has_key(policy, it.provider)))
    } else {
        policy.prices.quote(None, name, now) != Quote::Denied
    };
    known && tenant.allows(name)
}

fn has_key(policy: &Policy, provider: crate::route::ProviderIx) -> bool {
    policy.provider_at(provider).is_some_and(|provider| provider.reach.has_key)
}

fn names<'a>(policy: &'a Policy, tenant: &TenantPolicy) -> Vec<&'a str> {
    let mut names: Vec<&str> = if policy.models.are_listed() {
        let served = policy.models.models().iter();
        let served = served.filter(|model| model.serving.iter().any(|it| has_key(policy, it.provider)));
        served.map(|model| model.model.as_str()).chain(policy.models.virtual_names()).collect()
    } else {
        policy.prices.prices().iter().map(|price| price.model.as_str()).collect()
    };
    names.extend(policy.aliases.keys().map(String::as_str));
    let may = |name: &str| match policy.models.stands_for(name) {
        Some(it) => it.any(|name| tenant.allows(name)),
        None => tenant.allows(policy.resolve(name)),
    };
    names.retain(|name| !name.contains('*') && may(name));
    names.sort_unstable();
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
