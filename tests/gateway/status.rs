//! The gateway's own pages: what they say, to whom, and what happens without Envoy's admin.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Connection, PATIENCE, chat, eventually, get};
use crate::envoy::{Gateway, Setup, Stats, free_tenant, policy};

const HEALTH: &str = "/api/ai/health";
const METRICS: &str = "/api/ai/metrics";

/// To whoever asks from here, if nothing else is said.
fn setup(name: &'static str, mut status: Value) -> Setup {
    if status.is_object() && status["allow"].is_null() {
        status["allow"] = json!(["127.0.0.0/8"]);
    }
    let mut policy = policy(json!({"acme": free_tenant()}));
    policy["status"] = status;
    policy["providers"]["left_out"] = json!({"cluster": "left_out", "key": "absent"});
    Setup::new(name, policy)
}

async fn health(gateway: &Gateway) -> (u16, Value) {
    let answer = gateway.ask(get(HEALTH)).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status, answer.json())
}

/// The state of one provider, as the page has it.
async fn state(gateway: &Gateway, provider: &str) -> String {
    health(gateway).await.1["providers"][provider]["state"].as_str().unwrap().to_owned()
}

/// The breaker opens on a provider that dies, shows in all three places, and closes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_shows_within_two_seconds_and_closes_by_itself() {
    let mut setup = setup("status-breaker", json!({"cluster": "admin"}));
    setup.breaker = true;
    setup.swaps = vec![("interval: 5s, base_ejection_time: 30s", "interval: 1s, base_ejection_time: 3s")];
    let mut gateway = Gateway::start(setup).await;
    let (status, told) = health(&gateway).await;
    assert_eq!((status, &told["status"]), (200, &json!("healthy")), "{told}");
    assert_eq!(told["providers"]["left_out"]["state"], "no_key");
    let gauge = async |gateway: &Gateway| {
        gateway.stats().await.one("ai_gateway_circuit_breaker_state", &[("provider", "simulated")])
    };
    eventually("the gauge of a closed breaker", async || gauge(&gateway).await, |gauge| *gauge == Some(0)).await;
    let since = told["providers"]["simulated"]["since"].as_str().unwrap().to_owned();
    gateway.polls(2).await;
    assert_eq!(health(&gateway).await.1["providers"]["simulated"]["since"], since, "it has been so since then");

    gateway.provider.as_mut().unwrap().stop();
    for _ in 0..5 {
        let answer = gateway.ask(chat("acme").request()).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"));
    }
    // Each second the filter asks; what was under way may not know yet, and the next answer does.
    let answered = |stats: &Stats| stats.sum("envoy_cluster_upstream_rq_completed", &[("envoy_cluster_name", "admin")]);
    let opened = answered(&gateway.stats().await);
    let is_open = async || {
        let stats = gateway.stats().await;
        let gauge = stats.one("ai_gateway_circuit_breaker_state", &[("provider", "simulated")]);
        assert!(gauge == Some(1) || answered(&stats) < opened + 3, "open, answered and not seen: {stats:?}");
        gauge
    };
    eventually("the gauge of an open breaker", is_open, |gauge| *gauge == Some(1)).await;
    eventually("an open breaker", async || state(&gateway, "simulated").await, |state| state == "ejected").await;
    let (status, told) = health(&gateway).await;
    assert_eq!((status, &told["status"]), (503, &json!("unhealthy")));
    assert_eq!(told["providers"]["simulated"]["circuit_breaker"], "open");
    assert!(
        gateway.ask(get(METRICS)).await.text().contains("ai_gateway_circuit_breaker_state{provider=\"simulated\"} 1\n")
    );

    gateway.provider.as_mut().unwrap().restart().unwrap();
    let closed = async || (state(&gateway, "simulated").await, gauge(&gateway).await);
    eventually("a closed breaker", closed, |(state, gauge)| state == "healthy" && *gauge == Some(0)).await;
    assert_eq!(gateway.ask(chat("acme").request()).await.status, 200);
    assert_eq!(gateway.dead_vms().await, 0);
}

/// Each series with its value as it is written.
fn series(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| line.starts_with("ai_gateway_"));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn figure(value: &str) -> f64 {
    value.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_envoys_own_in_dollars_and_seconds() {
    let gateway = Gateway::start(setup("status-metrics", json!({"cluster": "admin"}))).await;
    for asked in [chat("acme"), chat("acme").stream(), chat("nobody"), chat("acme").model("gpt-4o").sim("delay_ms=20")]
    {
        gateway.ask(asked.request()).await;
    }
    let billed = gateway.provider().settled_ledger(crate::client::PATIENCE).sum().cost_nanousd;
    gateway.settled("acme", billed).await;
    // Envoy brings its histograms together every five seconds.
    let seen = async || gateway.stats().await.count("ai_gateway_request_duration_ms_count");
    eventually("the histograms", seen, |count| *count >= 3).await;

    // Between two questions a further series may appear: gauges follow each second, histograms every five.
    let both = async || {
        let raw = series(&gateway.admin("/stats/prometheus").await);
        let answer = gateway.ask(get(METRICS)).await;
        let kind = Some("text/plain; version=0.0.4; charset=utf-8");
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        (raw, answer.text())
    };
    let (raw, text) = eventually("the same series", both, |(raw, text)| raw.len() == series(text).len()).await;
    let told = series(&text);
    for unit in ["nanousd", "ms", "us"] {
        let has_it = |name: &str| name.split('_').any(|part| part == unit);
        assert!(!told.keys().any(|name| has_it(name.split('{').next().unwrap())), "{unit}");
    }
    for (name, value) in &raw {
        let (named, scale) = match name {
            _ if name.contains("_nanousd") => (name.replacen("_nanousd", "_usd", 1), 1e9),
            _ if name.contains("_us_") => (name.replacen("_us_", "_seconds_", 1), 1e6),
            _ if name.contains("_ms_") => (name.replacen("_ms_", "_seconds_", 1), 1e3),
            _ => (name.clone(), 1.0),
        };
        let is_count = name.contains("_bucket") || name.contains("_count");
        let named = match named.rsplit_once("le=\"").filter(|_| name.contains("_bucket")) {
            Some((before, border)) if !border.starts_with("+Inf") => {
                format!("{before}le=\"{}\"}}", figure(border.trim_end_matches("\"}")) / scale)
            }
            _ => named.trim_end_matches("{}").to_owned(),
        };
        let figure_said = figure(told.get(&named).unwrap_or_else(|| panic!("{named} of {name}")));
        let expected = figure(value) / if is_count { 1.0 } else { scale };
        assert!(
            (figure_said - expected).abs() <= expected.abs() * 1e-12,
            "{name}: {figure_said} instead of {expected}"
        );
    }
    let spent: Vec<_> = told.iter().filter(|(name, _)| name.starts_with("ai_gateway_spent_today_usd")).collect();
    assert_eq!(figure(spent[0].1), billed as f64 / 1e9, "{spent:?}");

    let promlint = std::env::var_os("PROMLINT").expect("PROMLINT: run `make e2e`");
    let mut check = Command::new(promlint).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let check = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_meant_to_sees_the_pages() {
    let mut strangers = setup("status-strangers", json!({"cluster": "admin", "allow": ["10.0.0.0/8"]}));
    strangers.policy["providers"] = json!({"strangers_alone": {"cluster": "provider"}});
    let proxied = setup("status-proxied", json!({"cluster": "admin"}));
    let mut adding = setup("status-adding", json!({"cluster": "admin"}));
    adding.swaps = vec![("skip_xff_append: true", "skip_xff_append: false")];
    let mut without = setup("status-none", json!(null));
    without.policy.as_object_mut().unwrap().remove("status");
    let [gateway, local, adding, without] = Gateway::together([strangers, proxied, adding, without]).await;
    for path in [HEALTH, METRICS] {
        let answer = gateway.ask(get(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "not_allowed"), "{path}");
        assert_eq!(answer.json()["error"]["type"], "permission_error");
    }
    // The gateway itself knows all the same.
    let of = [("provider", "strangers_alone")];
    let gauge = async || gateway.stats().await.one("ai_gateway_circuit_breaker_state", &of);
    eventually("the gauge", gauge, |gauge| *gauge == Some(0)).await;

    // Whoever comes through a proxy on this machine is not this machine.
    let mut proxied = get(HEALTH);
    proxied.headers_mut().insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    assert_eq!(local.ask(proxied).await.status, 403);
    assert_eq!(local.ask(get(HEALTH)).await.status, 200);

    // An Envoy that adds the header by itself makes everybody one who comes through a proxy.
    assert_eq!(adding.ask(get(HEALTH)).await.status, 403);
    assert_eq!(adding.ask(chat("acme").request()).await.status, 200);

    for path in [HEALTH, METRICS] {
        let answer = without.ask(get(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

/// A cluster that leads to `port` of this machine.
fn leads_to(name: &str, port: u16) -> String {
    let endpoint = json!({"lb_endpoints": [{"endpoint":
        {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]});
    let cluster = json!({"name": name, "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]}});
    format!("  - {cluster}\n")
}

/// Waits until the listeners have changed so many times, and nobody asks any more as those before did.
async fn only_the_last_one(gateway: &Gateway, changes: u64) {
    let listeners = async || {
        let stat = async |name: &str| gateway.plain_stat(&format!("listener_manager.{name}")).await;
        let [modified, warming] = [stat("listener_modified").await, stat("total_listeners_warming").await];
        (modified, warming + stat("total_listeners_draining").await)
    };
    // The gateway and the probe.
    eventually("the last listeners alone", listeners, |seen| *seen == (2 * changes, 0)).await;
}

/// An admin that is missing, accepts and never answers, or dies amid its answer: a clear 503 in a moment, and everything
/// else as ever.
#[tokio::test(flavor = "multi_thread")]
async fn without_envoys_admin_the_pages_say_so_and_requests_pass() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let keeping = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            kept.push(socket);
        }
    });
    let breaking = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let breaking_port = breaking.local_addr().unwrap().port();
    let breaks = tokio::spawn(async move {
        while let Ok((mut socket, _)) = breaking.accept().await {
            let mut asked = [0; 1_024];
            let _ = socket.read(&mut asked).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"cluster_").await;
        }
    });
    let nowhere = json!({"name": "nowhere_to_go", "connect_timeout": "1s"});
    let clusters = leads_to("silent", port) + &leads_to("breaking", breaking_port) + &format!("  - {nowhere}\n");
    // The second is known to Envoy, without endpoints: it refuses the call at once.
    let names = ["no_such_cluster", "nowhere_to_go", "silent", "breaking"];
    let asking = |name: &str| setup("status-without", json!({"cluster": name}));
    let insertions = vec![("  #= PROVIDER begins", clusters)];
    let mut gateway = Gateway::start(Setup { dynamic: true, insertions, ..asking(names[0]) }).await;
    for (changes, name) in names.into_iter().enumerate() {
        if changes > 0 {
            gateway.update(asking(name).policy);
            only_the_last_one(&gateway, changes as u64).await;
        }
        let failed = async || gateway.stats().await.sum("ai_gateway_status_polls_failed_total", &[]);
        let failed_before = failed().await;
        for path in [HEALTH, METRICS] {
            let answer = gateway.ask(get(path)).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "status_unknown"), "{name} {path}");
            assert_eq!(answer.json()["status"], "unknown");
        }
        assert_eq!(gateway.ask(chat("acme").request()).await.status, 200);
        // More than Envoy holds comes while the admin is asked. A client that is still sending may miss the answer.
        let mut large = get(HEALTH);
        *large.body_mut() = Full::new(Bytes::from(vec![b' '; 8 << 20])).boxed();
        let mut connection = Connection::open(gateway.addr).await;
        let answer = tokio::time::timeout(PATIENCE, connection.send(large)).await.expect("no hang");
        if let Ok(answer) = answer {
            assert_eq!(answer.status().as_u16(), 503, "{name}");
        }
        // A client that doesn't wait harms nobody.
        for _ in 0..20 {
            let mut connection = Connection::open(gateway.addr).await;
            let _ = tokio::time::timeout(Duration::from_millis(5), connection.send(get(HEALTH))).await;
        }
        eventually("no open request", async || gateway.open_requests().await, |open| *open == 0).await;
        assert_eq!(gateway.ask(chat("acme").request()).await.status, 200);
        eventually("failed questions", failed, |failed| *failed > failed_before).await;
        assert_eq!(gateway.dead_vms().await, 0);
    }
    keeping.abort();
    breaks.abort();
}

/// The old listener drains beside the new one, and asks on.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_providers_is_known_to_the_new_ones_alone() {
    let mut setup = setup("status-reload", json!({"cluster": "admin"}));
    setup.dynamic = true;
    let mut changed = setup.policy.clone();
    changed["providers"]["another"] = json!({"cluster": "another", "key": "absent"});
    let mut gateway = Gateway::start(setup).await;
    // A stream keeps the old configuration alive.
    let mut connection = Connection::open(gateway.addr).await;
    let under_way = chat("acme").stream().sim("hang_after=3");
    let _under_way = connection.send(under_way.request()).await.expect("an answer");
    gateway.update(changed);
    let known = async || health(&gateway).await.1["providers"]["another"]["state"].clone();
    eventually("the change", known, |state| *state == "no_key").await;
    let mut since = BTreeSet::new();
    // Both the old one and the new one have asked in between.
    for _ in 0..8 {
        gateway.polls(2).await;
        let told = health(&gateway).await.1;
        // The other worker may still have the old one.
        if told["providers"]["another"]["state"] == "no_key" {
            since.insert(told["providers"]["simulated"]["since"].to_string());
        }
    }
    assert_eq!(since.len(), 1, "{since:?}");
}
