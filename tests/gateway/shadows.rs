//! Shadows behind production.yaml: copies of requests that go to another provider, whose ledger is held against the shadow's own
//! series and records. Who asks never notices them, whatever becomes of them.

use std::collections::HashMap;

use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::{Entry, Provider};

use crate::budgets::away_from_midnight;
use crate::client::{Body, Chat, Connection, PATIENCE, chat, eventually, whole};
use crate::envoy::{Gateway, boundless_tenant};

/// Of the tenant `acme`, at the gateway.
const CLIENT: &str = "0123456789abcdef-acme";
const ACCOUNT: &str = "shadow:cheap";

/// A gateway with a provider that answers, and one that gets copies.
struct Stage {
    gateway: Gateway,
    openai: Provider,
    local: Provider,
}

impl Stage {
    async fn build(name: &str, percent: u64, day_usd: &str, tenant: &str) -> Self {
        let [openai, local] = [(); 2].map(|()| Provider::start());
        let shadows = json!({"cheap": {"of": {"models": ["gpt-4o-mini"], "tenants": [tenant]}, "model": "llama3.2",
            "percent": percent, "budgets": {"request_usd": "1", "day_usd": day_usd, "month_usd": "100"}}});
        let environment = [
            ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
            ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
            ("LOCAL_OPENAI_URL", format!("{}/v1", local.url())),
            ("CLIENT_KEYS", format!("acme={CLIENT}")),
            ("SHADOWS", shadows.to_string()),
        ];
        let free = format!("acme: {}", boundless_tenant());
        // No fault of the shadow's provider is kept from it by its circuit breaker.
        let swaps = [("acme: {tier: premium}", &*free), ("consecutive_5xx: 5\n", "consecutive_5xx: 1000000\n")];
        let gateway = Gateway::production(name, &environment, &swaps).await;
        Self { gateway, openai, local }
    }

    /// So many callers ask so often each, and all of them are answered.
    async fn asked(&self, callers: u64, each: u64) {
        let callers = (0..callers).map(|_| {
            let addr = self.gateway.addr;
            tokio::spawn(async move {
                let mut connection = Connection::open(addr).await;
                for nth in 0..each {
                    let asked = if nth % 2 == 0 { hello() } else { hello().stream() };
                    let answer = connection.ask(request(&asked)).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("a caller");
        }
    }

    /// What `acme` is charged is what its own provider billed, of so many requests.
    async fn acme_pays_its_own(&self, requests: usize) {
        let records = self.gateway.wait_records_of("acme", requests).await;
        assert!(records.iter().all(|record| record["outcome"] == "success" && record.get("leg").is_none()));
        assert_eq!(costs(&records), billed(&self.openai.settled_ledger(PATIENCE).requests));
        let stats = self.gateway.settled_among_others("acme", costs(&records)).await;
        assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", "acme")]), costs(&records));
    }
}

fn request(asked: &Chat) -> Request<Body> {
    asked.clone().anonymous().header("authorization", &format!("Bearer {CLIENT}")).request()
}

fn hello() -> Chat {
    chat("acme")
}

fn costs(records: &[Value]) -> u64 {
    records.iter().map(|record| record["cost_nanousd"].as_u64().unwrap()).sum()
}

fn billed(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.cost_nanousd).sum()
}

/// Asks, and leaves after the first bytes of the answer. The request's id.
async fn leave(connection: &mut Connection) -> String {
    let response = connection.send(request(&hello().stream().sim("tokens=16; gap_ms=5"))).await.expect("a head");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut body = response.into_body();
    let _ = body.frame().await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_a_crowd_is_copied_and_each_pays_what_its_own_provider_billed() {
    const CALLERS: u64 = 16;
    let requests = std::env::var("SHADOWED").ok().and_then(|size| size.parse().ok()).unwrap_or(1_600);
    away_from_midnight().await;
    let stage = Stage::build("shadows-crowd", 25, "100", "acme").await;
    let callers = (0..CALLERS).map(|caller| {
        let addr = stage.gateway.addr;
        tokio::spawn(async move {
            let (mut connection, mut left) = (Connection::open(addr).await, Vec::new());
            for number in (caller..requests).step_by(CALLERS as usize) {
                if number % 10 == 7 {
                    left.push(leave(&mut connection).await);
                    connection = Connection::open(addr).await;
                    continue;
                }
                let asked = if number % 2 == 0 { hello() } else { hello().stream() };
                let answer = connection.send(request(&asked.saying(&"word ".repeat(number as usize % 50)))).await;
                let answer = whole(answer.expect("a head")).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            left
        })
    });
    let mut left = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        left.extend(caller.await.expect("a caller"));
    }

    // Of the originals.
    let originals = stage.gateway.wait_records_of("acme", requests as usize).await;
    let ids: HashMap<&str, &Value> =
        originals.iter().map(|record| (record["request_id"].as_str().unwrap(), record)).collect();
    let ledger = stage.openai.settled_ledger(PATIENCE).requests;
    let [mut charged, mut owed] = [0, 0];
    for entry in &ledger {
        let id = entry.request_id.as_deref().unwrap();
        let cost = ids[id]["cost_nanousd"].as_u64().unwrap();
        if left.iter().any(|left| left == id) {
            continue;
        }
        (charged, owed) = (charged + cost, owed + entry.cost_nanousd);
        assert_eq!(cost, entry.cost_nanousd, "{entry:?}");
    }
    assert_eq!(charged, owed);
    let acme = stage.gateway.settled_among_others("acme", costs(&originals)).await;
    assert_eq!(acme.sum("ai_gateway_cost_nanousd_total", &[("tenant", "acme")]), costs(&originals));

    // Of their copies, whose clients never leave.
    let copies = stage.local.settled_ledger(PATIENCE).requests;
    let records = stage.gateway.wait_records_of(ACCOUNT, copies.len()).await;
    let total = costs(&records);
    for record in &records {
        let id = record["request_id"].as_str().unwrap();
        let entry = copies.iter().find(|entry| entry.request_id.as_deref() == Some(id)).expect("its bill");
        let mine = ids.get(id).unwrap_or_else(|| panic!("a copy of nothing: {record}"));
        assert_eq!(mine["shadowed"], "cheap", "{mine}");
        assert!(record["answer"]["text_print"].is_string(), "{record}");
        assert!(left.iter().any(|left| left == id) || mine["answer"]["text_print"].is_string(), "{mine}");
        let told =
            [&record["leg"], &record["shadow"], &record["outcome"], &record["usage_source"], &record["provider"]];
        assert_eq!(told, ["shadow", "cheap", "success", "reported", "local"], "{record}");
        assert_eq!(record["cost_nanousd"], entry.cost_nanousd);
        assert_eq!((entry.model.as_str(), entry.tenant.as_deref(), &entry.keys), ("llama3.2", None, &vec![]));
    }
    assert_eq!(originals.iter().filter(|record| record.get("shadowed").is_some()).count(), records.len());
    let stats = stage.gateway.settled_among_others(ACCOUNT, total).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", ACCOUNT)]), total);
    assert_eq!(total, billed(&copies));
    assert!(total > 0);
    // In series without a tenant, too, none of them is the model's own.
    for name in ["ai_gateway_answers_total", "ai_gateway_prompt_answers_total", "ai_gateway_request_duration_ms_count"]
    {
        let counted = async || {
            let stats = stage.gateway.stats().await;
            [&[("leg", "shadow")][..], &[("provider", "local")]].map(|labels| stats.sum(name, labels))
        };
        let all = copies.len() as u64;
        eventually(&format!("{name} of copies"), counted, |counted| *counted == [all, all]).await;
    }
    assert_eq!(stage.gateway.plain_stat("cluster.shadow_entry.upstream_rq_active_overflow").await, 0);
    // Within five standard deviations.
    let (count, copied) = (requests as i64, copies.len() as i64);
    assert!((copied * 4 - count).pow(2) <= 25 * count * 3, "{copied} of {count} copied");
    assert_eq!(stage.gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_or_waits_for_a_shadow_that_does() {
    const EACH: u64 = 10;
    let stage = Stage::build("shadows-failing", 100, "100", "acme").await;
    let under_way = async || stage.gateway.plain_stat("cluster.shadow_entry.upstream_rq_active").await;
    let mut asked = 0;
    for knobs in ["", "reset", "status=500", "delay_ms=2000", "unbounded; tokens=1000; usage_factor=1000", "hang"] {
        eventually("the end of all copies", under_way, |under_way| *under_way == 0).await;
        stage.local.behave(knobs);
        let before = stage.local.ledger().requests.len();
        stage.asked(4, EACH).await;
        asked += 4 * EACH;
        let met = async || stage.local.ledger().requests.len() - before;
        eventually(&format!("copies that meet `{knobs}`"), met, |met| *met >= 4 * EACH as usize).await;
    }
    // The rest of those that hang is dropped, and counted.
    assert!(under_way().await >= 4 * EACH, "they hang");
    stage.asked(8, 20).await;
    asked += 160;
    let dropped = async || stage.gateway.plain_stat("cluster.shadow_entry.upstream_rq_active_overflow").await;
    eventually("copies that are dropped", dropped, |dropped| *dropped > 0).await;
    assert!(under_way().await <= 64);
    stage.acme_pays_its_own(asked as usize).await;
    assert_eq!(stage.gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_never_carry_a_shadow_past_its_budget() {
    const BUDGET: u64 = 1_000_000;
    away_from_midnight().await;
    let stage = Stage::build("shadows-budget", 100, "0.001", "acme").await;
    stage.asked(64, 6).await;
    stage.acme_pays_its_own(64 * 6).await;
    let spent = billed(&stage.local.settled_ledger(PATIENCE).requests);
    assert!(spent <= BUDGET && spent > BUDGET / 2, "{spent} of {BUDGET}");
    let stats = stage.gateway.settled_among_others(ACCOUNT, spent).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", ACCOUNT)]), spent);
}

/// Whoever could have a copy sent anywhere would call a provider past every limit.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_has_a_copy_sent_anywhere() {
    let stage = Stage::build("shadows-clients", 100, "100", "test-tenant").await;
    for cluster in ["local", "shadow_entry", "openai"] {
        let says = hello()
            .header("x-nexus-shadow", cluster)
            .header("x-nexus-shadow-name", "cheap")
            .header("x-nexus-shadow-tenant", "acme")
            .header("x-nexus-shadow-sensitivity", "public");
        assert_eq!(stage.gateway.ask(request(&says)).await.status, 200);
        let mut elsewhere = request(&says);
        *elsewhere.uri_mut() = "/v1/other".parse().unwrap();
        assert_eq!(stage.gateway.ask(elsewhere).await.status, 404);
    }
    stage.acme_pays_its_own(3).await;
    assert_eq!(stage.openai.settled_ledger(PATIENCE).requests.len(), 3, "one each, and no copy");
    assert_eq!(stage.local.settled_ledger(PATIENCE).requests.len(), 0);
}
