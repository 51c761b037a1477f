//! A name that stands for two models by weight: who asks keeps his variant, on both workers, and a canary that fails is out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::{Answer, Chat, Connection, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

const USERS: usize = 300;
const STABLE: &str = "gpt-4o";
const CANARY: &str = "gpt-4o-mini";

async fn split(name: &'static str, watched: Value) -> Gateway {
    let mut policy = policy(json!({"acme": free_tenant()}));
    let served = |model: &str| json!({"model": model, "providers": [{"provider": "simulated"}], "tools": true});
    policy["providers"]["simulated"]["sensitivity"] = json!("restricted");
    policy["models"] = json!([served(STABLE), served(CANARY)]);
    policy["virtual_models"] = json!({"which": {"split": {STABLE: 80, CANARY: 20}, "sticky": "user"}});
    if !watched.is_null() {
        policy["virtual_models"]["which"]["canaries"] = json!({CANARY: watched});
    }
    Gateway::start(Setup::new(name, policy)).await
}

fn of(user: &str) -> Chat {
    chat("acme").model("which").header("x-ai-user", user)
}

fn variant(answer: &Answer) -> String {
    answer.header("x-ai-model").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// What each user gets, each by a connection of its own, which goes to either worker.
async fn drawn(gateway: &Gateway) -> BTreeMap<String, String> {
    let mut drawn = BTreeMap::new();
    for nth in 0..USERS {
        let user = format!("user-{nth}");
        let answer = Connection::open(gateway.addr).await.ask(of(&user).request()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        drawn.insert(user, variant(&answer));
    }
    drawn
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_keeps_a_variant_by_weight_and_it_is_recorded_counted_and_paid() {
    let gateway = split("variants", Value::Null).await;
    let first = drawn(&gateway).await;
    assert_eq!(drawn(&gateway).await, first);
    let canary = first.values().filter(|variant| *variant == CANARY).count();
    // A fifth of 300, and five times its deviation. Nothing is drawn anew: it is the same number each time.
    assert!((25..=95).contains(&canary), "{canary}");

    let records = gateway.wait_records_of("acme", 2 * USERS).await;
    let mut cost = BTreeMap::new();
    for record in &records {
        assert_eq!((&record["split"], &record["model_asked"]), (&json!("which"), &json!("which")), "{record}");
        assert_eq!(record["variant"], record["model"], "{record}");
        let billed = gateway.entry_of(record).expect("an entry of the ledger");
        assert_eq!(record["cost_nanousd"], json!(billed.cost_nanousd), "{record}");
        *cost.entry(record["variant"].as_str().unwrap_or_default()).or_insert(0) += billed.cost_nanousd;
    }
    let stats = gateway.settled("acme", cost.values().sum()).await;
    for (model, requests) in [(STABLE, USERS - canary), (CANARY, canary)] {
        let labels = [("split", "which"), ("variant", model)];
        assert_eq!(stats.sum("ai_gateway_variant_requests_total", &labels), 2 * requests as u64);
        assert_eq!(stats.sum("ai_gateway_variant_cost_nanousd_total", &labels), cost[model]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_is_out_on_both_workers_and_its_users_are_served_by_the_other() {
    let gateway = split("canaries", json!({"errors_percent": 10, "least_requests": 20})).await;
    let drawn = drawn(&gateway).await;
    let users: Vec<_> = drawn.iter().filter(|(_, variant)| *variant == CANARY).map(|(user, _)| user).collect();
    // What fails is what the canary's users ask for, until nobody gets it any more.
    let still = async || {
        let mut still = 0;
        for user in &users {
            let answer = Connection::open(gateway.addr).await.ask(of(user).sim("status=400").request()).await;
            still += usize::from(gateway.record_of(&answer).await["variant"] == CANARY);
        }
        still
    };
    eventually("requests that the canary gets", still, |still| *still == 0).await;
    for user in &users {
        let answer = Connection::open(gateway.addr).await.ask(of(user).request()).await;
        assert_eq!((answer.status, variant(&answer).as_str()), (200, STABLE), "{answer:?}");
    }
    let out =
        async || gateway.stats().await.sum("ai_gateway_canary_out_seconds", &[("split", "which"), ("variant", CANARY)]);
    eventually("the gauge that says so", out, |out| *out > 0).await;
}
