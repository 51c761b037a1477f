//! Several providers behind production.yaml: each its own key, path and name; failures of every kind; a provider that dies
//! under load and comes back. What tenants are charged is held against the ledgers of all providers together.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::{Entry, Provider};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{Answer, Body, Chat, PATIENCE, ask, chat, eventually, get};
use crate::envoy::{Gateway, boundless_tenant};
use crate::top;

const KEYS: [(&str, &str); 3] = [
    ("OPENAI_API_KEY", "dummy-of-openai"),
    ("OPENROUTER_API_KEY", "dummy-of-openrouter"),
    ("ANTHROPIC_API_KEY", "dummy-of-anthropic"),
];
/// Each has a key at the gateway, and its own books: `acme` where a test has a gateway to itself.
const TENANTS: [&str; 5] = ["acme", "attempts", "clients", "billed", "table"];

fn key(tenant: &str) -> String {
    format!("0123456789abcdef-{tenant}")
}

/// One gateway, and the providers behind it.
struct House {
    gateway: Gateway,
    openai: Provider,
    openrouter: Provider,
    anthropic: Provider,
    local: Provider,
}

impl House {
    async fn build(name: &str) -> Self {
        Self::with(name, &[]).await
    }

    async fn with(name: &str, swaps: &[(&str, &str)]) -> Self {
        let [openai, openrouter, anthropic, local] = [(); 4].map(|()| Provider::start());
        let mut environment: Vec<(&str, String)> = KEYS.map(|(name, key)| (name, key.to_owned())).to_vec();
        environment.extend([
            ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
            ("OPENROUTER_BASE_URL", format!("{}/api/v1", openrouter.url())),
            ("ANTHROPIC_BASE_URL", format!("{}/v1", anthropic.url())),
            ("LOCAL_OPENAI_URL", format!("{}/v1", local.url())),
            ("CLIENT_KEYS", TENANTS.map(|tenant| format!("{tenant}={}", key(tenant))).join(",")),
        ]);
        let tenants = TENANTS.map(|tenant| format!("{tenant}: {}", boundless_tenant()));
        let tenants = tenants.join("\n                      ");
        let mut all = vec![
            ("acme: {tier: premium}", tenants.as_str()),
            // Minutes as seconds: the same order of things, in the time of a test.
            ("base_ejection_time: 30s", "base_ejection_time: 2s"),
            ("max_ejection_time: 300s", "max_ejection_time: 2s"),
            ("per_try_idle_timeout: 120s", "per_try_idle_timeout: 2s"),
        ];
        all.extend(swaps);
        let gateway = Gateway::production(name, &environment, &all).await;
        Self { gateway, openai, openrouter, anthropic, local }
    }

    /// The one of the tests that stop no provider, and open no breaker. They take turns, so that manners and ledgers are a test's own.
    async fn in_turn() -> MutexGuard<'static, Self> {
        static HOUSE: OnceCell<Mutex<House>> = OnceCell::const_new();
        let house = HOUSE.get_or_init(async || Mutex::new(Self::build("failover").await)).await.lock().await;
        for provider in house.providers() {
            provider.behave("");
        }
        // An answer ends a row of failures, whoever had those; five would open a breaker.
        for (asked, provider) in [(chat("acme"), "openai"), (restricted("acme"), "local")] {
            assert_eq!(told(&house.ask(&asked).await), (200, Some(provider), Some("gpt-4o-mini")));
        }
        for provider in house.providers() {
            provider.clear();
        }
        house
    }

    fn providers(&self) -> [&Provider; 4] {
        [&self.openai, &self.openrouter, &self.anthropic, &self.local]
    }

    async fn ask(&self, asked: &Chat) -> Answer {
        self.gateway.ask(request(asked)).await
    }

    /// All that was billed for, by whom and for which request.
    fn entries(&self) -> Vec<(&'static str, Entry)> {
        let names = ["openai", "openrouter", "anthropic", "local"];
        let of = |(name, provider): (&'static str, &Provider)| {
            let entries = provider.settled_ledger(PATIENCE).requests;
            entries.into_iter().map(move |entry| (name, entry)).collect::<Vec<_>>()
        };
        names.into_iter().zip(self.providers()).flat_map(of).collect()
    }

    fn asked_of(&self, answer: &Answer) -> Vec<(&'static str, Entry)> {
        let id = answer.request_id();
        self.entries().into_iter().filter(|(_, entry)| entry.request_id.as_deref() == Some(id)).collect()
    }

    fn billed(&self) -> u64 {
        self.entries().iter().map(|(_, entry)| entry.cost_nanousd).sum()
    }
}

/// With the key of the tenant that it names.
fn request(asked: &Chat) -> Request<Body> {
    let mut request = asked.request();
    let tenant = request.headers()["x-tenant-id"].to_str().unwrap().to_owned();
    request.headers_mut().insert("authorization", format!("Bearer {}", key(&tenant)).parse().unwrap());
    // What a client says of itself counts for nothing.
    request.headers_mut().insert("x-tenant-id", "test-tenant".parse().unwrap());
    request.headers_mut().insert("x-nexus-route", "MiIKDyoN".parse().unwrap());
    request
}

fn hello() -> Chat {
    chat("acme")
}

fn restricted(tenant: &str) -> Chat {
    chat(tenant).header("x-ai-sensitivity", "restricted")
}

/// Who answered, and how many were asked.
fn told(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (answer.status, answer.header("x-ai-provider"), answer.header("x-ai-model"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_has_its_own_key_path_and_name() {
    let house = House::in_turn().await;
    let bearer = |provider: &str| vec![("authorization", format!("Bearer dummy-of-{provider}"))];
    let asked = chat("attempts").stream();

    let answer = house.ask(&asked).await;
    assert_eq!(told(&answer), (200, Some("openai"), Some("gpt-4o-mini")), "{}", answer.text());
    let [(who, entry)] = &house.asked_of(&answer)[..] else { panic!("one attempt") };
    assert_eq!((*who, entry.path.as_str(), &entry.keys), ("openai", "/v1/chat/completions", &bearer("openai")));
    assert_eq!((entry.model.as_str(), entry.include_usage, entry.tenant.as_deref()), ("gpt-4o-mini", true, None));

    house.openai.behave("status=500");
    let answer = house.ask(&asked).await;
    assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
    let [_, (who, entry)] = &house.asked_of(&answer)[..] else { panic!("two attempts") };
    assert_eq!(
        (*who, entry.path.as_str(), &entry.keys),
        ("openrouter", "/api/v1/chat/completions", &bearer("openrouter"))
    );
    assert_eq!(entry.model, "openai/gpt-4o-mini");

    house.openrouter.behave("status=503");
    // Larger than what one read brings: the whole body goes along each time.
    let long = "word ".repeat(400_000);
    let answer = house.ask(&chat("attempts").saying(&long)).await;
    assert_eq!(told(&answer), (200, Some("local"), Some("gpt-4o-mini")));
    let [_, _, (who, entry)] = &house.asked_of(&answer)[..] else { panic!("three attempts") };
    assert_eq!(
        (*who, entry.path.as_str(), &entry.keys),
        ("local", "/v1/chat/completions", &vec![]),
        "no key of another"
    );
    assert_eq!(entry.model, "llama3.2");
    let record = house.gateway.record_of(&answer).await;
    let fields =
        ["tenant", "provider", "model", "model_asked", "attempts", "cost_nanousd"].map(|name| record[name].clone());
    let expected = [
        json!("attempts"),
        json!("local"),
        json!("local/llama3.2"),
        json!("gpt-4o-mini"),
        json!(3),
        json!(entry.cost_nanousd),
    ];
    assert_eq!(fields, expected);

    let mut messages =
        request(&chat("attempts").model("claude-sonnet-4").field("max_tokens", 9).without("max_completion_tokens"));
    *messages.uri_mut() = "/v1/messages".parse().unwrap();
    let answer = house.gateway.ask(messages).await;
    assert_eq!(told(&answer), (200, Some("anthropic"), Some("claude-sonnet-4")), "{}", answer.text());
    let [(_, entry)] = &house.asked_of(&answer)[..] else { panic!("one attempt") };
    assert_eq!(entry.keys, [("x-api-key", "dummy-of-anthropic".to_owned())]);
    house.gateway.settled("attempts", house.billed()).await;
    assert_eq!(house.gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_is_known_by_a_key_of_the_gateway() {
    let house = House::in_turn().await;
    let mut nobody = request(&chat("clients"));
    nobody.headers_mut().remove("authorization");
    let refused = house.gateway.ask(nobody).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "tenant_missing"));
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let mut stranger = request(&chat("clients"));
    stranger.headers_mut().insert("authorization", "Bearer of-nobody".parse().unwrap());
    assert_eq!(house.gateway.ask(stranger).await.status, 401);
    let mut other = request(&chat("clients"));
    *other.uri_mut() = "/v1/files".parse().unwrap();
    let elsewhere = house.gateway.ask(other).await;
    assert_eq!((elsewhere.status, elsewhere.header("x-should-retry")), (404, Some("false")));
    assert_eq!(house.entries().len(), 0);
}

/// A failed attempt that its provider billed is charged, once, and beside it the answer of the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_billed_failure_is_charged_beside_the_answer() {
    let house = House::in_turn().await;
    house.openai.behave("failed=500; tokens=7");
    for asked in [chat("billed"), chat("billed").stream()] {
        let answer = house.ask(&asked).await;
        assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
        let record = house.gateway.record_of(&answer).await;
        let costs: Vec<_> = house.asked_of(&answer).iter().map(|(who, entry)| (*who, entry.cost_nanousd)).collect();
        assert!(matches!(costs[..], [("openai", 1..), ("openrouter", 1..)]), "{costs:?}");
        assert_eq!(record["cost_nanousd"], costs[0].1 + costs[1].1, "{record}");
        assert_eq!(record["failed_attempts"][0]["cost_nanousd"], costs[0].1);
    }
    // The last attempt's failure passes to the client, and is charged as it passes.
    house.local.behave("failed=503; tokens=3");
    let answer = house.ask(&restricted("billed")).await;
    assert_eq!(answer.status, 503);
    let billed: u64 = house.asked_of(&answer).iter().map(|(_, entry)| entry.cost_nanousd).sum();
    let record = house.gateway.record_of(&answer).await;
    assert_eq!((&record["cost_nanousd"], &record["attempts"]), (&json!(billed), &json!(4)));
    let stats = house.gateway.settled("billed", house.billed()).await;
    for (provider, entries) in [("openai", 2), ("openrouter", 2)] {
        let of = house.entries().into_iter().filter(|(who, _)| *who == provider).map(|(_, entry)| entry.cost_nanousd);
        assert_eq!(of.clone().count(), entries);
        assert_eq!(
            stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", "billed"), ("provider", provider)]),
            of.sum::<u64>()
        );
    }
}

/// The table of the manual's page on failover, row by row, but for those that are in other modules.
#[tokio::test(flavor = "multi_thread")]
async fn failures_end_as_the_table_says() {
    let house = House::in_turn().await;
    let outcome = async |answer: &Answer| {
        let record = house.gateway.record_of(answer).await;
        (record["outcome"].as_str().unwrap().to_owned(), record["cost_nanousd"].as_u64().unwrap())
    };

    // An answer under 200 has begun, whatever it says.
    house.openai.behave("error_in_200");
    let answer = house.ask(&chat("table")).await;
    assert_eq!((answer.status, house.asked_of(&answer).len()), (200, 1));
    assert_eq!(outcome(&answer).await, ("provider_error".to_owned(), 0));

    // What has begun can't be begun anew.
    house.openai.behave("cut=3");
    let answer = house.ask(&chat("table").stream()).await;
    assert_eq!((answer.status, answer.broken, house.asked_of(&answer).len()), (200, true, 1));
    let (code, cost) = outcome(&answer).await;
    assert_eq!(code, "provider_aborted");
    assert!(cost > 0);

    // A provider's wish to be left alone is not waited for while another can answer.
    house.openai.behave("status=429; retry_after=9");
    let mut quickest = PATIENCE;
    for _ in 0..3 {
        let started = Instant::now();
        let answer = house.ask(&chat("table")).await;
        quickest = quickest.min(started.elapsed());
        assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
    }
    assert!(quickest < Duration::from_secs(9), "{quickest:?}");

    // Where none can, it is: here for a second each, and then the client hears of it.
    house.local.behave("status=429; retry_after=1");
    let started = Instant::now();
    let answer = house.ask(&restricted("table")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")), "{answer:?}");
    assert_eq!(house.asked_of(&answer).len(), 4);
    assert!(started.elapsed() >= Duration::from_secs(3));
    assert_eq!(outcome(&answer).await, ("provider_rate_limited".to_owned(), 0));
    house.local.behave("");

    // One that accepts and never begins a stream is given up, and another asked. Of an answer in one piece silence says nothing.
    house.openai.behave("hang");
    let answer = house.ask(&chat("table").stream()).await;
    assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
    assert_eq!(house.asked_of(&answer).len(), 2);

    house.openai.behave("reset");
    let answer = house.ask(&chat("table")).await;
    assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
    assert_eq!(house.gateway.dead_vms().await, 0);
}

/// Whatever fails, restricted data stays at home.
#[tokio::test(flavor = "multi_thread")]
async fn restricted_data_goes_nowhere_else_when_its_provider_fails() {
    let mut house = House::build("failover-restricted").await;
    let answer = house.ask(&restricted("acme")).await;
    assert_eq!(told(&answer), (200, Some("local"), Some("gpt-4o-mini")));
    // Said in the body it holds as well, and the provider doesn't see it.
    let by_body = house.ask(&hello().field("sensitivity", "restricted").field("role", "chat")).await;
    assert_eq!(told(&by_body), (200, Some("local"), Some("gpt-4o-mini")));
    for manners in ["status=500", "reset", "hang", "status=429", "cut=1"] {
        house.local.behave(manners);
        house.ask(&if manners == "hang" { restricted("acme").stream() } else { restricted("acme") }).await;
    }
    house.local.stop();
    for _ in 0..8 {
        let answer = house.ask(&restricted("acme")).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"));
    }
    let refused = house.ask(&restricted("acme").model("gpt-4o")).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "model_not_allowed"));
    let elsewhere = house.entries().into_iter().filter(|(who, _)| *who != "local").count();
    assert_eq!(elsewhere, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_providers_down_every_client_reads_so_in_its_own_words() {
    let mut house = House::build("failover-all-down").await;
    for provider in [&mut house.openai, &mut house.openrouter, &mut house.anthropic, &mut house.local] {
        provider.stop();
    }
    for _ in 0..8 {
        let answer = house.ask(&hello()).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"), "{}", answer.text());
        let mut messages = request(&hello().model("claude-sonnet-4").field("max_tokens", 9));
        *messages.uri_mut() = "/v1/messages".parse().unwrap();
        let answer = house.gateway.ask(messages).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["type"]), (503, &json!("overloaded_error")), "{}", answer.text());
    }
    // Once the breakers are known to be open, nobody is asked any more.
    let refused = async || {
        let answer = house.ask(&hello()).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"));
        answer.header("retry-after").map(str::to_owned)
    };
    eventually("a refusal at once", refused, |wait| wait.as_deref() == Some("1")).await;
    let stats = house.gateway.settled("acme", 0).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[]), 0);
}

/// A certificate of its own for this name; `openssl` is wherever curl is.
fn certificate(dir: &Path, name: &str) -> [PathBuf; 2] {
    let [certificate, key] = ["certificate", "key"].map(|what| dir.join(format!("{name}-{what}.pem")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=provider", "-addext"])
        .arg(format!("subjectAltName=DNS:{name}"))
        .args(["-keyout", key.to_str().unwrap(), "-out", certificate.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    [certificate, key]
}

/// TLS in front of a provider, with a certificate for this name; and its port.
fn front(dir: &Path, name: &str, provider: &Provider) -> (Child, PathBuf, u16) {
    let [certificate, key] = certificate(dir, name);
    let mut front = Command::new("python3")
        .arg(top().join("tests/gateway/tls_front.py"))
        .args([&certificate, &key])
        .arg(provider.addr.port().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(front.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (front, certificate, port.trim().parse().unwrap())
}

/// Envoy speaks TLS with the name of the provider, to nobody whose certificate has another, and in plain text to the stand-in.
#[tokio::test(flavor = "multi_thread")]
async fn providers_are_known_by_their_certificates() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failover-tls-front");
    std::fs::create_dir_all(&dir).unwrap();
    let [openai, openrouter, local] = [(); 3].map(|()| Provider::start());
    let (mut known, certificate, port) = front(&dir, "localhost", &openai);
    let (mut other, others, others_port) = front(&dir, "elsewhere", &openrouter);
    // Both are trusted: what differs is the name.
    let trusted = dir.join("trusted.pem");
    let both = [certificate, others].map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(&trusted, both.concat()).unwrap();
    let mut environment: Vec<(&str, String)> = KEYS.map(|(name, key)| (name, key.to_owned())).to_vec();
    environment.retain(|(name, _)| *name != "ANTHROPIC_API_KEY");
    environment.extend([
        ("OPENAI_BASE_URL", format!("https://localhost:{port}/v1")),
        ("OPENROUTER_BASE_URL", format!("https://localhost:{others_port}/api/v1")),
        ("LOCAL_OPENAI_URL", format!("{}/v1", local.url())),
        ("SSL_CERT_FILE", trusted.display().to_string()),
        ("CLIENT_KEYS", format!("acme={}", key("acme"))),
    ]);
    let gateway = Gateway::production("failover-tls", &environment, &[]).await;
    let answer = gateway.ask(request(&hello())).await;
    assert_eq!(told(&answer), (200, Some("openai"), Some("gpt-4o-mini")), "{}", answer.text());
    assert_eq!(openai.ledger().requests.len(), 1);
    drop(known.stdin.take());
    known.wait().unwrap();
    let look = async || gateway.ask(request(&hello())).await.header("x-ai-provider").map(str::to_owned);
    eventually("the next provider", look, |provider| provider.as_deref() == Some("local")).await;
    assert_eq!(openrouter.ledger().requests.len(), 0, "its certificate has another name");
    drop(other.stdin.take());
    other.wait().unwrap();
}

/// Without a request that fails on it, a dead provider is found by its health checks; the chain goes around it.
#[tokio::test(flavor = "multi_thread")]
async fn checks_that_fail_take_a_provider_out() {
    let mut house = House::with(
        "failover-checks",
        &[(
            "timeout: 5s, interval: 5s, no_traffic_interval: 5s",
            "timeout: 1s, interval: 0.5s, no_traffic_interval: 0.5s",
        )],
    )
    .await;
    house.openai.stop();
    let gateway = &house.gateway;
    let state = async || {
        let health = ask(gateway.probe, get("/api/ai/health")).await.json();
        [&health["status"], &health["providers"]["openai"]["state"]].map(|word| word.as_str().unwrap_or("").to_owned())
    };
    eventually("failing checks", state, |state| *state == ["degraded", "failing_checks"]).await;
    let attempts = async || {
        let answer = house.ask(&hello()).await;
        assert_eq!(told(&answer), (200, Some("openrouter"), Some("gpt-4o-mini")));
        house.gateway.record_of(&answer).await["attempts"].clone()
    };
    eventually("known to be down, it isn't tried first", attempts, |attempts| *attempts == 1).await;
    house.openai.restart().unwrap();
    let gateway = &house.gateway;
    let state = async || ask(gateway.probe, get("/api/ai/health")).await.json()["status"].clone();
    eventually("checks that pass again", state, |state| *state == "healthy").await;
}

struct Outcome {
    at: Instant,
    status: u16,
    broken: bool,
    id: String,
}

/// Up to 200 requests a second, half of them streams, for as long as it takes to lose a provider and to have it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_killed_under_load_costs_no_answer_once_its_breaker_is_open() {
    let mut house = House::build("failover-killed").await;
    let addr = house.gateway.addr;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load = {
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(5));
            // On a busy machine fewer are asked, and not all at once: Envoy takes a thousand connections.
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let places = std::sync::Arc::new(tokio::sync::Semaphore::new(100));
            let mut running = Vec::new();
            for nth in 0_u32.. {
                beat.tick().await;
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let asked = if nth % 2 == 0 { hello() } else { hello().stream() };
                let tell = tell.clone();
                let place = std::sync::Arc::clone(&places).acquire_owned().await.unwrap();
                running.push(tokio::spawn(async move {
                    let _place = place;
                    let at = Instant::now();
                    let answer = ask(addr, request(&asked.sim("tokens=5; gap_ms=5"))).await;
                    let id = answer.request_id().to_owned();
                    let _ = tell.send(Outcome { at, status: answer.status, broken: answer.broken, id });
                }));
            }
            for task in running {
                task.await.unwrap();
            }
        })
    };
    // It and its stand-in.
    const HEALTHY: &str = "cluster.openai.membership_healthy";
    let served = |provider: &Provider| provider.ledger().requests.len();
    eventually("load", async || served(&house.openai), |served| *served > 200).await;
    assert_eq!(house.gateway.plain_stat(HEALTHY).await, 2);
    house.openai.stop();
    let gateway = &house.gateway;
    let healthy = async || gateway.plain_stat(HEALTHY).await;
    eventually("an open breaker", healthy, |healthy| *healthy == 1).await;
    let opened = Instant::now();
    let shown = async || shown(gateway).await;
    eventually("the state of a dead provider", shown, |shown| *shown == ("failing_checks".to_owned(), Some(1))).await;
    let stood_in = served(&house.openrouter);
    eventually("load on the next", async || served(&house.openrouter), |now| *now > stood_in + 300).await;
    house.openai.restart().unwrap();
    let before = house.openai.ledger().requests.len();
    let openai = &house.openai;
    eventually(
        "requests at the first provider again",
        async || openai.ledger().requests.len(),
        |now| *now > before + 50,
    )
    .await;
    let gateway = &house.gateway;
    let shown = async || self::shown(gateway).await;
    eventually("the state of a provider that is back", shown, |shown| *shown == ("healthy".to_owned(), Some(0))).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    load.await.unwrap();
    let mut outcomes = Vec::new();
    while let Ok(outcome) = heard.try_recv() {
        outcomes.push(outcome);
    }
    let (whole, failed): (Vec<_>, Vec<_>) = outcomes.iter().partition(|it| it.status == 200 && !it.broken);
    let late: Vec<_> = failed.iter().filter(|it| it.at > opened).map(|it| (it.status, it.broken)).collect();
    assert_eq!(late, [], "of {} requests, {} failed", outcomes.len(), failed.len());
    // Before it was open, retries saved all but the streams that had begun.
    assert!(failed.iter().all(|it| it.broken), "{:?}", failed.iter().map(|it| it.status).collect::<Vec<_>>());

    // What was told is charged as billed, request by request and in sum; what broke off is an estimate.
    let mut billed: HashMap<String, u64> = HashMap::new();
    for (_, entry) in house.entries() {
        *billed.entry(entry.request_id.unwrap()).or_default() += entry.cost_nanousd;
    }
    let records = house.gateway.wait_records_of("acme", outcomes.len()).await;
    let records: HashMap<&str, &Value> =
        records.iter().map(|record| (record["request_id"].as_str().unwrap(), record)).collect();
    for it in &whole {
        let record = records[it.id.as_str()];
        assert_eq!(
            (&record["usage_source"], &record["cost_nanousd"]),
            (&json!("reported"), &json!(billed[&it.id])),
            "{record}"
        );
    }
    let charged = records.values().map(|record| record["cost_nanousd"].as_u64().unwrap()).sum();
    house.gateway.settled("acme", charged).await;
    let by: HashMap<&str, usize> = records.values().fold(HashMap::new(), |mut by, record| {
        *by.entry(record["provider"].as_str().unwrap()).or_default() += 1;
        by
    });
    println!("{} requests, {} broke off as their provider died, answered by {by:?}", outcomes.len(), failed.len());
    assert!(by["openai"] > 100 && by["openrouter"] > 100, "{by:?}");
    assert_eq!(house.gateway.dead_vms().await, 0);
}

/// What the pages say of the first provider: its state, and the gauge of its breaker.
async fn shown(gateway: &Gateway) -> (String, Option<u64>) {
    let health = ask(gateway.probe, get("/api/ai/health")).await.json();
    let metrics = ask(gateway.probe, get("/api/ai/metrics")).await.text();
    let gauge =
        metrics.lines().find_map(|line| line.strip_prefix("ai_gateway_circuit_breaker_state{provider=\"openai\"} "));
    let state = health["providers"]["openai"]["state"].as_str().unwrap_or_default().to_owned();
    (state, gauge.map(|gauge| gauge.parse().unwrap()))
}
