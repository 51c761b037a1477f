//! A name that stands for two models by weight: who asks keeps his variant, on both workers, and a canary that fails is out.

use std::collections::BTreeMap;

use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::Provider;

use crate::client::{Answer, Body, Connection, PATIENCE, chat, eventually};
use crate::envoy::{Gateway, boundless_tenant};

const USERS: usize = 300;
const STABLE: &str = "gpt-4o";
const CANARY: &str = "gpt-4o-mini";
/// Of the tenant `acme`, at the gateway.
const CLIENT: &str = "0123456789abcdef-acme";

async fn split(name: &str, watched: Value) -> (Gateway, Provider) {
    let openai = Provider::start();
    let environment = [
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
        ("CLIENT_KEYS", format!("acme={CLIENT}")),
    ];
    let mut which = json!({"split": {STABLE: 80, CANARY: 20}, "sticky": "user"});
    if !watched.is_null() {
        which["canaries"] = json!({CANARY: watched});
    }
    let (free, which) = (format!("acme: {}", boundless_tenant()), format!("auto: {which}"));
    let swaps = [("acme: {tier: premium}", &*free), ("auto: [gpt-4o, gpt-4o-mini]", &*which)];
    (Gateway::production(name, &environment, &swaps).await, openai)
}

fn of(user: &str) -> Request<Body> {
    let asked = chat("acme").model("auto").header("x-ai-user", user);
    asked.anonymous().header("authorization", &format!("Bearer {CLIENT}")).request()
}

fn variant(answer: &Answer) -> String {
    answer.header("x-ai-model").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// What each user gets, each by a connection of its own, which goes to either worker.
async fn drawn(gateway: &Gateway) -> BTreeMap<String, String> {
    let mut drawn = BTreeMap::new();
    for nth in 0..USERS {
        let user = format!("user-{nth}");
        let answer = Connection::open(gateway.addr).await.ask(of(&user)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        drawn.insert(user, variant(&answer));
    }
    drawn
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_keeps_a_variant_by_weight_and_it_is_recorded_counted_and_paid() {
    let (gateway, openai) = split("variants", Value::Null).await;
    let first = drawn(&gateway).await;
    assert_eq!(drawn(&gateway).await, first);
    let canary = first.values().filter(|variant| *variant == CANARY).count();
    // A fifth of 300, and five times its deviation. Nothing is drawn anew: it is the same number each time.
    assert!((25..=95).contains(&canary), "{canary}");

    let records = gateway.wait_records_of("acme", 2 * USERS).await;
    let ledger = openai.settled_ledger(PATIENCE).requests;
    let mut cost = BTreeMap::from([(STABLE, 0), (CANARY, 0)]);
    for record in &records {
        assert_eq!((&record["split"], &record["model_asked"]), (&json!("auto"), &json!("auto")), "{record}");
        let billed =
            ledger.iter().find(|entry| record["request_id"].as_str() == entry.request_id.as_deref()).expect("an entry");
        assert_eq!((&record["variant"], &record["model"]), (&json!(billed.model), &json!(billed.model)), "{record}");
        assert_eq!(record["cost_nanousd"], json!(billed.cost_nanousd), "{record}");
        *cost.get_mut(billed.model.as_str()).expect("a variant") += billed.cost_nanousd;
    }
    let stats = gateway.settled("acme", cost.values().sum()).await;
    for (model, requests) in [(STABLE, USERS - canary), (CANARY, canary)] {
        let labels = [("split", "auto"), ("variant", model)];
        assert_eq!(stats.sum("ai_gateway_variant_requests_total", &labels), 2 * requests as u64);
        assert_eq!(stats.sum("ai_gateway_variant_cost_nanousd_total", &labels), cost[model]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_is_out_on_both_workers_and_its_users_are_served_by_the_other() {
    let (gateway, openai) = split("canaries", json!({"errors_percent": 10, "least_requests": 20})).await;
    let drawn = drawn(&gateway).await;
    let users: Vec<_> = drawn.iter().filter(|(_, variant)| *variant == CANARY).map(|(user, _)| user).collect();
    // Only the canary's users ask while the provider rejects all, until nobody gets it any more.
    openai.behave("status=400");
    let still = async || {
        let mut still = 0;
        for user in &users {
            let answer = Connection::open(gateway.addr).await.ask(of(user)).await;
            still += usize::from(gateway.record_of(&answer).await["variant"] == CANARY);
        }
        still
    };
    eventually("requests that the canary gets", still, |still| *still == 0).await;
    openai.behave("");
    for user in &users {
        let answer = Connection::open(gateway.addr).await.ask(of(user)).await;
        assert_eq!((answer.status, variant(&answer).as_str()), (200, STABLE), "{answer:?}");
    }
    let out =
        async || gateway.stats().await.sum("ai_gateway_canary_out_seconds", &[("split", "auto"), ("variant", CANARY)]);
    eventually("the gauge that says so", out, |out| *out > 0).await;
}
