//! Tenants with a list of providers: who serves them, in which order, and that nobody else sees anything of theirs.

use super::routing::{Asked, config, hello};
use crate::attempt::Attempt;
use crate::exchange::*;
use crate::outcome::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};

const PROVIDERS: [&str; 4] = ["openai", "openrouter", "anthropic", "local"];

fn configured(change: impl FnOnce(&mut Value)) -> Policy {
    let mut config = config();
    change(&mut config);
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn clusters(asked: &Asked<'_>, policy: &Policy) -> Result<Vec<String>, Outcome> {
    asked.sent(policy).map(|(_, chain)| chain.clusters).map_err(|reply| reply.outcome)
}

proptest! {
    /// Of what the model's chain has, those on the list, in its order, and behind them those that are down: for every name and API, and
    /// for the copy that a shadow gets. Other tenants notice nothing.
    #[test]
    fn only_who_is_listed_serves_a_tenant_and_in_that_order(
        of_tier in prop::option::of(prop::sample::subsequence(PROVIDERS.to_vec(), 1..=4).prop_shuffle()),
        own in prop::option::of(prop::sample::subsequence(PROVIDERS.to_vec(), 1..=4).prop_shuffle()),
        model in prop::sample::select(vec!["gpt-4o-mini", "gpt-4o", "claude-4", "llama3.2", "auto", "cheap", "fast", "split"]),
        path in prop::sample::select(vec!["/v1/chat/completions", "/v1/messages", "/v1/embeddings"]),
        level in prop::sample::select(vec!["public", "internal", "confidential", "restricted"]),
        open in prop::sample::subsequence(PROVIDERS.to_vec(), 0..=4),
        shadow in prop::sample::select(vec!["gpt-4o-mini", "claude-4", "llama3.2"]),
    ) {
        let list = own.as_ref().or(of_tier.as_ref());
        let policy = |listed: bool| configured(|config| {
            config["virtual_models"]["split"] = json!({"split": {"gpt-4o": 1, "claude-4": 1, "llama3.2": 1}});
            config["tenants"]["free"] = json!({"unlimited": ["request_usd", "day_usd"]});
            let budgets = json!({"request_usd": "100", "day_usd": "100", "month_usd": "100"});
            config["shadows"] = json!({"all": {"model": shadow, "percent": 100, "budgets": budgets}});
            config["mirror"] = json!({"cluster": "shadow_entry", "filter_chain": "shadow"});
            if let Some(providers) = of_tier.as_ref().filter(|_| listed) {
                config["tiers"] = json!({"premium": {"providers": providers}});
            }
            if let Some(providers) = own.as_ref().filter(|_| listed) {
                config["tenants"]["acme"]["providers"] = json!(providers);
            }
        });
        let (policy, free) = (policy(true), policy(false));
        let body = json!({"model": model, "input": "x", "max_tokens": 9, "messages": []});
        let asked = || Asked { path, open: open.clone(), ..Asked::chat(&body) }.with("x-ai-sensitivity", level);
        prop_assert_eq!(clusters(&asked().by("free"), &policy), clusters(&asked().by("free"), &free));
        let listed = |name: &str| list.is_none_or(|list| list.contains(&name));
        let copied = asked().copied(&policy).and_then(Result::ok);
        for (exchange, chain) in asked().sent(&policy).into_iter().chain(copied) {
            let Phase::Open(sent) = exchange.phase else { panic!("was not sent on") };
            let chosen = sent.asked.chosen.unwrap();
            let names: Vec<_> = chain.clusters.iter().map(|cluster| cluster.trim_start_matches("c_")).collect();
            // All of those that serve this model anyhow, and are listed.
            let named = Asked { path, ..Asked::chat(&json!({"model": chosen, "input": "x", "max_tokens": 9, "messages": []})) };
            let mut expected = clusters(&named.with("x-ai-sensitivity", level), &free).unwrap();
            expected.retain(|cluster| listed(cluster.trim_start_matches("c_")));
            if let Some(list) = list {
                expected.sort_by_key(|cluster| list.iter().position(|name| cluster.ends_with(name)));
            }
            expected.sort_by_key(|cluster| open.contains(&cluster.trim_start_matches("c_")));
            prop_assert_eq!(&chain.clusters, &expected);
            for name in PROVIDERS {
                prop_assert_eq!(Attempt::of(&chain.plan, name).is_some(), names.contains(&name) && listed(name));
            }
        }
    }
}

#[test]
fn whom_nobody_on_the_list_serves_is_told_so() {
    let policy = configured(|config| config["tenants"]["acme"]["providers"] = json!(["local"]));
    let Err(refused) = Asked::chat(&hello("gpt-4o")).sent(&policy) else { panic!("was sent on") };
    let message = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.outcome, Outcome::ModelNotAllowed);
    assert!(message.contains("No provider that may serve this tenant serves the model `gpt-4o`."), "{message}");
    // Of a virtual model, whoever is left.
    assert_eq!(clusters(&Asked::chat(&hello("auto")), &policy).unwrap(), ["c_local"]);
    // And what is listed is what can be had.
    let tenant = policy.tenant_policy(policy.tenant("acme").unwrap()).unwrap();
    let page = |one: Option<&str>| {
        models::page(&policy, tenant, crate::llm::schema::Dialect::OpenAi, one, super::routing::NOON)
    };
    let names: Vec<_> = serde_json::from_slice::<Value>(&page(None).unwrap()).unwrap()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["auto", "cheap", "fast", "gpt-4o-mini", "llama3.2"]);
    assert!(page(Some("gpt-4o")).is_none() && page(Some("claude-4")).is_none() && page(Some("fast")).is_some());
}
