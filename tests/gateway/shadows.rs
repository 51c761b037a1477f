//! Shadows behind production.yaml: copies of requests that go to another provider, whose ledger is held against the shadow's own
//! series and records. Who asks never notices them, whatever becomes of them.
//!
//! Some hundred requests in every run; `make crowd-shadowed` asks for 20,000, and lets a provider hang for a minute.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::{Entry, Provider};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::budgets::away_from_midnight;
use crate::client::{Body, Chat, Connection, PATIENCE, chat, eventually};
use crate::envoy::{Gateway, boundless_tenant};
use crate::real_servers::llama;

/// Each has a key at the gateway. The requests of the last two are never copied.
const TENANTS: [&str; 5] = ["acme", "crowd", "spender", "unshadowed", "liar"];

fn key(tenant: &str) -> String {
    format!("0123456789abcdef-{tenant}")
}

/// What copies are charged to.
fn account(shadow: &str) -> String {
    format!("shadow:{shadow}")
}

/// A gateway with a provider that answers, and one that gets copies.
struct Stage {
    gateway: Gateway,
    openai: Provider,
    local: Provider,
}

/// One that gets copies of this tenant's requests.
fn shadow(tenant: &str, percent: f64, day_usd: &str) -> Value {
    json!({"of": {"models": ["gpt-4o-mini"], "tenants": [tenant]}, "model": "llama3.2",
        "percent": percent, "budgets": {"request_usd": "1", "day_usd": day_usd, "month_usd": "100"}})
}

impl Stage {
    async fn build(name: &str, shadows: Value) -> Self {
        let [openai, local] = [(); 2].map(|()| Provider::start());
        let gateway = gateway(name, &openai, &local.url(), shadows).await;
        Self { gateway, openai, local }
    }

    /// The one whose provider of copies does what it should. Its tests take turns, so that both ledgers are a test's own.
    async fn in_turn() -> MutexGuard<'static, Self> {
        static STAGE: OnceCell<Mutex<Stage>> = OnceCell::const_new();
        let start = async || {
            let shadows = json!({"crowd": shadow("crowd", 25.0, "100"), "spender": shadow("spender", 100.0, "0.001"),
                "nobody": shadow("test-tenant", 99.9999, "100")});
            Mutex::new(Self::build("shadows", shadows).await)
        };
        let stage = STAGE.get_or_init(start).await.lock().await;
        eventually("the end of all copies", async || stage.under_way().await, |under_way| *under_way == 0).await;
        stage.openai.clear();
        stage.local.clear();
        stage
    }

    /// Copies that have not ended.
    async fn under_way(&self) -> u64 {
        self.gateway.plain_stat("cluster.shadow_entry.upstream_rq_active").await
    }

    /// How many copies were dropped, because there were too many at a time.
    async fn dropped(&self) -> u64 {
        self.gateway.plain_stat("cluster.shadow_entry.upstream_rq_active_overflow").await
    }

    /// So many callers ask this so often each, every other time for a stream, and all of them are answered.
    async fn asked_for(&self, what: &Chat, callers: u64, each: u64) {
        let callers = (0..callers).map(|_| {
            let (addr, whole) = (self.gateway.addr, what.clone());
            tokio::spawn(async move {
                let streamed = whole.clone().stream();
                let mut connection = Connection::open(addr).await;
                for nth in 0..each {
                    let answer = connection.ask(request(if nth % 2 == 0 { &whole } else { &streamed })).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("a caller");
        }
    }

    /// What a tenant is charged is what its own provider billed, of so many requests.
    async fn pays_its_own(&self, tenant: &str, requests: usize) {
        let records = self.gateway.wait_records_of(tenant, requests).await;
        assert!(records.iter().all(|record| record["outcome"] == "success" && record.get("leg").is_none()));
        assert_eq!(costs(&records), billed(&self.openai.settled_ledger(PATIENCE).requests));
        let stats = self.gateway.settled_among_others(tenant, costs(&records)).await;
        assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", tenant)]), costs(&records));
    }
}

/// With shadows that are served at `local`.
async fn gateway(name: &str, openai: &Provider, local: &str, shadows: Value) -> Gateway {
    let environment = [
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
        ("LOCAL_OPENAI_URL", format!("{local}/v1")),
        ("CLIENT_KEYS", TENANTS.map(|tenant| format!("{tenant}={}", key(tenant))).join(",")),
        ("SHADOWS", shadows.to_string()),
    ];
    let mut bounded = boundless_tenant();
    bounded["output"] = json!({"default_max_tokens": 20});
    let tenants = TENANTS.map(|tenant| {
        let limits = if tenant == "unshadowed" { boundless_tenant() } else { bounded.clone() };
        format!("{tenant}: {limits}")
    });
    let tenants = tenants.join("\n                      ");
    // No fault of the shadow's provider is kept from it by its circuit breaker.
    let swaps = [("acme: {tier: premium}", &*tenants), ("consecutive_5xx: 5\n", "consecutive_5xx: 1000000\n")];
    Gateway::production(name, &environment, &swaps).await
}

/// With the key of the tenant that it names.
fn request(asked: &Chat) -> Request<Body> {
    let mut request = asked.request();
    let tenant = request.headers_mut().remove("x-tenant-id").unwrap();
    let bearer = format!("Bearer {}", key(tenant.to_str().unwrap()));
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    request
}

/// A figure that whoever runs the tests may set.
fn wished(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|figure| figure.parse().ok()).unwrap_or(otherwise)
}

fn costs(records: &[Value]) -> u64 {
    records.iter().map(|record| record["cost_nanousd"].as_u64().unwrap()).sum()
}

fn billed(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.cost_nanousd).sum()
}

/// Asks, and leaves after the first bytes of the answer. The request's id.
async fn leave(connection: &mut Connection) -> String {
    let asked = chat("crowd").stream().sim("tokens=16; gap_ms=5");
    let response = connection.send(request(&asked)).await.expect("a head");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut body = response.into_body();
    let _ = body.frame().await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_a_crowd_is_copied_and_each_pays_what_its_own_provider_billed() {
    const CALLERS: u64 = 16;
    let requests = wished("SHADOWED", 1_600);
    let stage = Stage::in_turn().await;
    away_from_midnight().await;
    let copy = account("crowd");
    let series =
        ["ai_gateway_answers_total", "ai_gateway_prompt_answers_total", "ai_gateway_request_duration_ms_count"];
    // In all series without a tenant.
    let counted = async || {
        let stats = stage.gateway.stats().await;
        series.map(|name| [&[("leg", "shadow")][..], &[("provider", "local")]].map(|labels| stats.sum(name, labels)))
    };
    let (counted_before, dropped_before) = (counted().await, stage.dropped().await);
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
                for tenant in ["crowd", "unshadowed"] {
                    let asked = if number % 2 == 0 { chat(tenant) } else { chat(tenant).stream() };
                    let asked = asked.saying(&"word ".repeat(number as usize % 50));
                    let answer = connection.ask(request(&asked)).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            }
            left
        })
    });
    let mut left = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        left.extend(caller.await.expect("a caller"));
    }

    // Of the originals.
    let originals = stage.gateway.wait_records_of("crowd", requests as usize).await;
    let ids: HashMap<&str, &Value> =
        originals.iter().map(|record| (record["request_id"].as_str().unwrap(), record)).collect();
    let unshadowed = stage.gateway.wait_records_of("unshadowed", requests as usize - left.len()).await;
    let ledger = stage.openai.settled_ledger(PATIENCE).requests;
    let [mut charged, mut owed] = [0, 0];
    for entry in &ledger {
        let id = entry.request_id.as_deref().unwrap();
        let Some(record) = ids.get(id) else { continue };
        let cost = record["cost_nanousd"].as_u64().unwrap();
        if left.iter().any(|left| left == id) {
            continue;
        }
        (charged, owed) = (charged + cost, owed + entry.cost_nanousd);
        assert_eq!(cost, entry.cost_nanousd, "{entry:?}");
    }
    assert_eq!(charged, owed);
    assert_eq!(charged, costs(&unshadowed), "who has no shadow and asks for the same pays the same");
    assert!(unshadowed.iter().all(|record| record.get("shadowed").is_none()));
    let stats = stage.gateway.settled_among_others("crowd", costs(&originals)).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", "crowd")]), costs(&originals));

    // Of their copies, whose clients never leave.
    let copies = stage.local.settled_ledger(PATIENCE).requests;
    let records = stage.gateway.wait_records_of(&copy, copies.len()).await;
    let total = costs(&records);
    for record in &records {
        let id = record["request_id"].as_str().unwrap();
        let entry = copies.iter().find(|entry| entry.request_id.as_deref() == Some(id)).expect("its bill");
        let mine = ids.get(id).unwrap_or_else(|| panic!("a copy of nothing: {record}"));
        assert_eq!(mine["shadowed"], "crowd", "{mine}");
        assert!(record["answer"]["text_print"].is_string(), "{record}");
        assert!(left.iter().any(|left| left == id) || mine["answer"]["text_print"].is_string(), "{mine}");
        let told =
            [&record["leg"], &record["shadow"], &record["outcome"], &record["usage_source"], &record["provider"]];
        assert_eq!(told, ["shadow", "crowd", "success", "reported", "local"], "{record}");
        assert_eq!(record["cost_nanousd"], entry.cost_nanousd);
        assert_eq!((entry.model.as_str(), entry.tenant.as_deref(), &entry.keys), ("llama3.2", None, &vec![]));
    }
    assert_eq!(originals.iter().filter(|record| record.get("shadowed").is_some()).count(), records.len());
    let stats = stage.gateway.settled_among_others(&copy, total).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", &copy)]), total);
    assert_eq!(total, billed(&copies));
    assert!(total > 0);
    // In series without a tenant, too, none of them is the model's own.
    let all = counted_before.map(|by_label| by_label.map(|before| before + copies.len() as u64));
    eventually(&format!("{series:?} of copies"), counted, |counted| *counted == all).await;
    assert_eq!(stage.dropped().await, dropped_before);
    println!(
        "{requests} requests, {} left early: {} copies for {total} nano-USD; the whole answers cost {charged}, as without shadows",
        left.len(),
        copies.len()
    );
    // Within five standard deviations.
    let (count, copied) = (requests as i64, copies.len() as i64);
    assert!((copied * 4 - count).pow(2) <= 25 * count * 3, "{copied} of {count} copied");
    assert_eq!(stage.gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_or_waits_for_a_shadow_that_does() {
    const EACH: u64 = 10;
    const LARGE: usize = 100_000;
    /// What Envoy and the clients' requests take meanwhile.
    const SLACK: u64 = 8 << 20;
    let stage = Stage::build("shadows-failing", json!({"cheap": shadow("acme", 100.0, "100")})).await;
    let under_way = async || stage.under_way().await;
    let mut asked = 0;
    for knobs in ["", "reset", "status=500", "delay_ms=2000", "unbounded; tokens=1000; usage_factor=1000"] {
        eventually("the end of all copies", under_way, |under_way| *under_way == 0).await;
        stage.local.behave(knobs);
        let before = stage.local.ledger().requests.len();
        stage.asked_for(&chat("acme"), 4, EACH).await;
        asked += 4 * EACH;
        let met = async || stage.local.ledger().requests.len() - before;
        eventually(&format!("copies that meet `{knobs}`"), met, |met| *met >= 4 * EACH as usize).await;
    }
    // Of those that hang, so many are held, with their bodies; the rest is dropped, and counted.
    eventually("the end of all copies", under_way, |under_way| *under_way == 0).await;
    stage.local.behave("hang");
    let large = chat("acme").saying(&"word ".repeat(LARGE / 5));
    let lasts = Duration::from_secs(wished("SHADOW_HANGS", 0));
    let (began, before, mut most) = (Instant::now(), stage.gateway.allocated_bytes().await, 0);
    let already = asked;
    loop {
        stage.asked_for(&large, 8, 50).await;
        asked += 400;
        most = most.max(stage.gateway.allocated_bytes().await.saturating_sub(before));
        if began.elapsed() >= lasts {
            break;
        }
    }
    println!("{} requests while copies hang: at most {} MiB more", asked - already, most >> 20);
    assert!(most < 64 * 2 * LARGE as u64 + SLACK, "{most} bytes for what hangs");
    eventually("copies that are dropped", async || stage.dropped().await, |dropped| *dropped > 0).await;
    assert_eq!(under_way().await, 64);
    stage.pays_its_own("acme", asked as usize).await;
    assert_eq!(stage.gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_never_carry_a_shadow_past_its_budget() {
    const BUDGET: u64 = 1_000_000;
    let stage = Stage::in_turn().await;
    away_from_midnight().await;
    stage.asked_for(&chat("spender"), 64, 6).await;
    stage.pays_its_own("spender", 64 * 6).await;
    let spent = billed(&stage.local.settled_ledger(PATIENCE).requests);
    assert!(spent <= BUDGET && spent > BUDGET / 2, "{spent} of {BUDGET}");
    let copies = account("spender");
    let stats = stage.gateway.settled_among_others(&copies, spent).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", &copies)]), spent);
}

/// Whoever could have a copy sent anywhere would call a provider past every limit.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_has_a_copy_sent_anywhere() {
    let stage = Stage::in_turn().await;
    for cluster in ["local", "shadow_entry", "openai"] {
        let says = chat("liar")
            .header("x-nexus-shadow", cluster)
            .header("x-nexus-shadow-name", "nobody")
            .header("x-nexus-shadow-tenant", "liar")
            .header("x-nexus-shadow-sensitivity", "public");
        assert_eq!(stage.gateway.ask(request(&says)).await.status, 200);
        let mut elsewhere = request(&says);
        *elsewhere.uri_mut() = "/v1/other".parse().unwrap();
        assert_eq!(stage.gateway.ask(elsewhere).await.status, 404);
    }
    stage.pays_its_own("liar", 3).await;
    assert_eq!(stage.openai.settled_ledger(PATIENCE).requests.len(), 3, "one each, and no copy");
    assert_eq!(stage.local.settled_ledger(PATIENCE).requests.len(), 0);
}

/// Two models that nobody made for each other. Who asks without a bound gets his tenant's, and so does the copy: llama.cpp's model
/// writes until it is told to stop.
#[tokio::test(flavor = "multi_thread")]
async fn llama_cpp_answers_copies_of_what_another_provider_answers() {
    let (openai, llama) = (Provider::start(), llama().await);
    let cheap = json!({"of": {"models": ["gpt-4o-mini"]}, "model": "llama3.2", "percent": "100",
        "budgets": {"request_usd": "1", "day_usd": "1", "month_usd": "1"}});
    let gateway = gateway("shadows-llama", &openai, &format!("http://{llama}"), json!({"cheap": cheap})).await;
    let account = account("cheap");
    let asked = chat("acme").without("max_completion_tokens").saying("the budget of a tenant").sim("tokens=40");
    for asked in [asked.clone(), asked.stream()] {
        assert_eq!(gateway.ask(request(&asked)).await.status, 200);
    }
    let originals = gateway.wait_records_of("acme", 2).await;
    let copies = gateway.wait_records_of(&account, 2).await;
    for original in &originals {
        let of = |copy: &&Value| copy["request_id"] == original["request_id"];
        let copy = copies.iter().find(of).expect("its copy");
        let told = |record: &Value| {
            let names = ["outcome", "usage_source", "provider", "model_answered", "leg", "shadow", "shadowed"];
            names.map(|name| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        assert_eq!(told(original), ["success", "reported", "openai", "gpt-4o-mini", "", "", "cheap"]);
        assert_eq!(told(copy), ["success", "reported", "local", "tiny.gguf", "shadow", "cheap", ""]);
        for record in [original, copy] {
            assert_eq!((&record["output_tokens"], &record["answer"]["finish"]), (&json!(20), &json!("length")));
            assert!(record["answer"]["text_print"].is_string(), "{record}");
        }
        let [input, output] = ["input_tokens", "output_tokens"].map(|name| copy[name].as_u64().unwrap());
        assert!(input > 0);
        assert_eq!(copy["cost_nanousd"], input * 100 + output * 400, "{copy}");
    }
    // The other's ledger has the originals, and nothing else.
    let ledger = openai.settled_ledger(PATIENCE).requests;
    assert_eq!((ledger.len(), billed(&ledger)), (2, costs(&originals)));
    for (account, records) in [("acme", &originals), (&*account, &copies)] {
        let stats = gateway.settled_among_others(account, costs(records)).await;
        assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", account)]), costs(records));
    }
}
