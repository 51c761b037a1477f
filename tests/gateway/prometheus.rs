//! A real Prometheus with the shipped files: what it knows of the gateway, asked by name and labels, is what the provider billed.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};
use simulated_provider::Entry;

use crate::budgets::away_from_midnight;
use crate::client::{Answer, Connection, PATIENCE, ask, chat, eventually, get, whole};
use crate::envoy::{Gateway, Setup, free_ports, leashed, policy, started};
use crate::sdk::python;
use crate::top;

/// As `PROMETHEUS` names it; none where it couldn't be had.
pub fn program() -> Option<PathBuf> {
    let named = PathBuf::from(std::env::var_os("PROMETHEUS").expect("PROMETHEUS: run `make e2e`"));
    named.exists().then_some(named)
}

struct Prometheus {
    addr: SocketAddr,
    _leash: Child,
}

impl Prometheus {
    /// With the shipped configuration and rules, but a second for 15, and this gateway.
    async fn start(name: &str, program: &Path, gateway: &Gateway) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-server"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let shipped = top().join("envoy/prometheus");
        for rules in ["rules.yml", "alerts.yml"] {
            fs::copy(shipped.join(rules), dir.join(rules)).unwrap();
        }
        let mut config = fs::read_to_string(shipped.join("prometheus.yml")).unwrap();
        for (old, new) in [
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("evaluation_interval: 15s", "evaluation_interval: 1s"),
            ("127.0.0.1:10010", &gateway.probe.to_string()),
            ("127.0.0.1:9901", &gateway.admin.to_string()),
        ] {
            assert!(config.contains(old), "prometheus.yml has no `{old}`");
            config = config.replace(old, new);
        }
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let log = dir.join("prometheus.log");
        let out = File::create(&log).unwrap();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_ports::<1>()[0]));
        let leash = leashed(program)
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .expect("a shell");
        started(&log, "Prometheus", || std::net::TcpStream::connect(addr).ok()).await;
        let ready = async || ask(addr, get("/-/ready")).await.status;
        eventually("Prometheus", ready, |status| *status == 200).await;
        Self { addr, _leash: leash }
    }

    async fn api(&self, path: &str) -> Value {
        let answer = ask(self.addr, get(path)).await.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// Each series that the query finds, with its labels.
    async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = self.api(&format!("/api/v1/query?query={encoded}")).await;
        let series = found["result"].as_array().unwrap();
        series.iter().map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap().parse().unwrap())).collect()
    }

    /// Waits until the query finds one series, of this value. Counts and nano-dollars are whole: the rest is a float's.
    #[expect(clippy::float_arithmetic, reason = "Prometheus knows nothing but floats")]
    async fn tells(&self, query: &str, value: f64, within: f64) {
        let one = |found: &Vec<(Value, f64)>| found.len() == 1 && (found[0].1 - value).abs() <= within;
        eventually(&format!("{query} = {value}"), async || self.query(query).await, one).await;
    }
}

/// Of the ledger: the entries of these answers.
fn of<'a>(ledger: &'a [Entry], answers: &[Answer]) -> Vec<&'a Entry> {
    let ids: Vec<_> = answers.iter().map(Answer::request_id).collect();
    ledger.iter().filter(|entry| entry.request_id.as_deref().is_some_and(|id| ids.contains(&id))).collect()
}

fn sum(entries: &[&Entry], figure: impl Fn(&Entry) -> u64) -> f64 {
    entries.iter().map(|entry| figure(entry)).sum::<u64>() as f64
}

#[expect(clippy::float_arithmetic, reason = "Prometheus knows nothing but floats")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1e3
}

const FROM: &str = r#"job="ai-gateway""#;

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_tells_what_the_provider_billed() {
    let Some(program) = program() else {
        eprintln!("SKIPPED: there is no Prometheus here");
        return;
    };
    away_from_midnight().await;
    let spending = json!({"tier": "premium", "budgets": {"day_usd": "0.0001"}, "unlimited": ["request_usd"]});
    let rich = json!({"budgets": {"day_usd": "10"}, "unlimited": ["request_usd"]});
    let mut setup = Setup::new("prometheus", policy(json!({"acme": rich, "globex": rich, "spent": spending})));
    setup.breaker = true;
    setup.swaps = vec![("interval: 5s, base_ejection_time: 30s", "interval: 1s, base_ejection_time: 300s")];
    let mut gateway = Gateway::start(setup).await;
    let prometheus = Prometheus::start("prometheus", &program, &gateway).await;

    // Nothing is open, and then one stream is: the gauge is the provider's own count.
    prometheus.tells(&format!(r#"ai_gateway_circuit_breaker_state{{{FROM}, provider="simulated"}}"#), 0.0, 0.0).await;
    let active = format!(r#"ai_gateway_active_connections{{{FROM}, provider="simulated"}}"#);
    let mut connection = Connection::open(gateway.addr).await;
    let slow = chat("acme").stream().sim("tokens=8; hold_after=3");
    let slow = connection.send(slow.request()).await.unwrap();
    assert_eq!(gateway.provider().ledger().open(), 1);
    prometheus.tells(&active, 1.0, 0.0).await;
    gateway.provider().let_go();
    let mut acme = vec![whole(slow).await];
    assert_eq!(gateway.provider().settled_ledger(PATIENCE).open(), 0);
    prometheus.tells(&active, 0.0, 0.0).await;

    // A rate needs a count before, and one after: first one answer and one failure, then three more of each.
    let mut globex = Vec::new();
    for pairs in [1, 3] {
        for n in 0..pairs {
            let asked = chat("acme").sim(&format!("tokens={}", 3 + n)).header("x-ai-role", "code");
            acme.push(gateway.ask(asked.clone().request()).await);
            acme.push(gateway.ask(asked.stream().request()).await);
            let asked = chat("globex").model("gpt-4o");
            globex.push(gateway.ask(asked.clone().sim(&format!("tokens={}", 5 + n)).request()).await);
            assert_eq!(gateway.ask(asked.sim("status=500").request()).await.status, 500);
        }
        let failed = r#"tenant="globex", provider="simulated", model="gpt-4o", role="none", status="provider_error""#;
        let failures = globex.len() as f64;
        prometheus.tells(&format!("ai_gateway_requests_total{{{FROM}, {failed}}}"), failures, 0.0).await;
    }
    // And one who comes to the end of its budget.
    let mut spent = Vec::new();
    while spent.len() < 100 {
        let answer = gateway.ask(chat("spent").request()).await;
        if answer.status == 402 {
            break;
        }
        spent.push(answer);
    }

    let ledger = gateway.provider().settled_ledger(PATIENCE).requests;
    for (tenant, model, answers) in
        [("acme", "gpt-4o-mini", &acme), ("globex", "gpt-4o", &globex), ("spent", "gpt-4o-mini", &spent)]
    {
        let billed = of(&ledger, answers);
        assert_eq!(billed.len(), answers.len(), "{tenant}");
        let labels = format!(r#"{FROM}, provider="simulated", model="{model}", tenant="{tenant}""#);
        for (direction, tokens) in [
            ("input", sum(&billed, |entry| entry.prompt_tokens)),
            ("output", sum(&billed, |entry| entry.completion_tokens)),
        ] {
            let query = format!(r#"ai_gateway_tokens_total{{{labels}, direction="{direction}"}}"#);
            prometheus.tells(&query, tokens, 0.0).await;
        }
        let cost = sum(&billed, |entry| entry.cost_nanousd);
        prometheus.tells(&format!("ai_gateway_cost_usd_total{{{labels}}} * 1e9"), cost, 1e-3).await;
        let spent_today = format!(r#"ai_gateway_spent_today_usd{{{FROM}, tenant="{tenant}"}} * 1e9"#);
        prometheus.tells(&spent_today, cost, 1e-3).await;
    }
    let succeeded = |labels: &str| {
        format!(r#"ai_gateway_requests_total{{{FROM}, provider="simulated", {labels}, status="success"}}"#)
    };
    for (labels, count) in [
        (r#"tenant="acme", model="gpt-4o-mini", role="none""#, 1),
        (r#"tenant="acme", model="gpt-4o-mini", role="code""#, acme.len() - 1),
        (r#"tenant="globex", model="gpt-4o", role="none""#, globex.len()),
        (r#"tenant="spent", model="gpt-4o-mini", role="none""#, spent.len()),
    ] {
        prometheus.tells(&succeeded(labels), count as f64, 0.0).await;
    }
    // What is in a bucket is exact, where it stands in there isn't told.
    let mut durations = Vec::new();
    let [mut streams, mut first_tokens] = [0, 0];
    for answer in acme.iter().chain(&spent) {
        let record = gateway.record_of(answer).await;
        durations.push(record["duration_ms"].as_u64().unwrap());
        if record["stream"] == true {
            let first = record.get("first_token_ms").unwrap_or(&record["first_byte_ms"]);
            (streams, first_tokens) = (streams + 1, first_tokens + first.as_u64().unwrap());
        }
    }
    let took = |what: &str, more: &str| {
        let labels = format!(r#"{FROM}, provider="simulated", model="gpt-4o-mini", status="success"{more}"#);
        format!("ai_gateway_request_duration_seconds_{what}{{{labels}}}")
    };
    let all = (acme.len() + spent.len()) as f64;
    prometheus.tells(&took("count", ""), all, 0.0).await;
    prometheus.tells(&took("bucket", r#", le="+Inf""#), all, 0.0).await;
    let quick = durations.iter().filter(|ms| **ms <= 2_500).count();
    prometheus.tells(&took("bucket", r#", le="2.5""#), quick as f64, 0.0).await;
    // Envoy keeps no more of a sum than two digits.
    let sum = durations.iter().sum::<u64>();
    prometheus.tells(&took("sum", ""), seconds(sum), seconds(sum / 5)).await;

    // Of models: why answers ended, and what they took by the size of their prompts, to the millisecond.
    let of = format!(r#"{FROM}, provider="simulated", model="gpt-4o-mini""#);
    prometheus.tells(&format!(r#"ai_gateway_answers_total{{{of}, finish="stop"}}"#), all, 0.0).await;
    let by_prompt = |what: &str| format!(r#"ai_gateway_prompt_{what}_total{{{of}, prompt="under_1k"}}"#);
    prometheus.tells(&by_prompt("answers"), all, 0.0).await;
    prometheus.tells(&(by_prompt("duration_seconds") + " * 1e3"), sum as f64, 1e-3).await;
    prometheus.tells(&by_prompt("streams"), streams as f64, 0.0).await;
    prometheus.tells(&(by_prompt("first_token_seconds") + " * 1e3"), first_tokens as f64, 1e-3).await;

    // The rules hold in a real Prometheus: half of the requests for gpt-4o failed, and one budget is nearly spent.
    let half = r#"provider_model:ai_gateway_requests_success:ratio_rate5m{provider="simulated", model="gpt-4o"}"#;
    prometheus.tells(half, 0.5, 0.02).await;
    let nearly = r#"ALERTS{alertname="AiGatewayBudgetNearlySpent", alertstate="firing"}"#;
    prometheus.tells(nearly, 1.0, 0.0).await;
    assert_eq!(prometheus.query(nearly).await[0].0["tenant"], "spent");
    let groups = prometheus.api("/api/v1/rules").await["groups"].as_array().unwrap().clone();
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 20 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");

    // Each job brings what it is there for, and nothing comes twice.
    prometheus.tells(r#"sum(up{job=~"ai-gateway.*"})"#, 2.0, 0.0).await;
    let others = prometheus.query(r#"{job="ai-gateway-envoy", __name__!~"up|scrape_.*"}"#).await;
    let mut names: Vec<_> = others.iter().map(|(labels, _)| labels["__name__"].as_str().unwrap()).collect();
    names.sort_unstable();
    let reloads = ["backoff", "failure", "success"].map(|what| format!("envoy_wasm_nexus_ai_gateway_vm_reload_{what}"));
    assert_eq!(names, reloads);
    assert!(others.iter().all(|(_, value)| *value == 0.0));

    // The provider goes away.
    gateway.provider.as_mut().unwrap().stop();
    for _ in 0..5 {
        assert_eq!(gateway.ask(chat("acme").request()).await.status, 503);
    }
    prometheus.tells(&format!(r#"ai_gateway_circuit_breaker_state{{{FROM}, provider="simulated"}}"#), 1.0, 0.0).await;
    let unavailable = format!(r#"ai_gateway_requests_total{{{FROM}, tenant="acme", status="provider_unavailable"}}"#);
    prometheus.tells(&unavailable, 5.0, 0.0).await;
}

/// The queries of the shipped dashboards for this kind of source, as Grafana would send them.
pub fn panels(kind: &str) -> Vec<Value> {
    let top = top();
    let output =
        Command::new(python()).arg(top.join("tests/tools/grafana/queries.py")).args(["--tenant", "acme"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    all.into_iter().filter(|one| one["kind"] == kind).collect()
}

/// What is counted when something is amiss, and nothing here is; and what there is a week later.
const AMISS: [&str; 6] = [
    ":week_difference",
    ":week_ratio",
    "ai_gateway_cell_races_total",
    "ai_gateway_cell_starved_total",
    "ai_gateway_settlements_lost_total",
    "ai_gateway_status_polls_failed_total",
];

/// One of each that the dashboards tell apart. A rate needs several.
async fn everything_once(gateway: &Gateway) {
    let acme = || chat("acme").header("x-ai-role", "code");
    for sim in ["prompt=100; cached=50", "status=500", "status=422", "no_usage"] {
        gateway.ask(acme().sim(sim).request()).await;
        gateway.ask(acme().stream().sim(sim).request()).await;
    }
    // A stream that is over within a millisecond has no pace.
    gateway.ask(acme().stream().sim("tokens=16; gap_ms=5").request()).await;
    // It says what it bills.
    gateway.ask(acme().sim("case=openai_chat/openrouter_json_cost_exponent").request()).await;
    assert_eq!(gateway.ask(acme().without("messages").request()).await.status, 400);
    for tenant in ["narrow", "audited"] {
        for _ in 0..2 {
            gateway.ask(chat(tenant).request()).await;
        }
    }
    // Rules find an address, give it back, and can't look at a picture. The provider says again what it can't read.
    let picture = json!([{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "iVBORw0KGgoAAAANSUhEUgAA".repeat(4))}}]);
    gateway.ask(acme().field("messages", json!([{"role": "user", "content": picture}])).request()).await;
    let tool = json!([{"type": "function", "function": {"name": "delete_user"}}]);
    gateway.ask(acme().field("tools", tool).request()).await;
    // A call has arguments that are not as its schema says.
    gateway.ask(acme().sim("case=openai_chat/openai_json_tool_calls").request()).await;
    let answer = gateway.ask(acme().saying("I am jo.doe@example.com.").sim("tokens=[EMAIL_1]").request()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("jo.doe@example.com"), "{answer:?}");
    // It leaves.
    let mut connection = Connection::open(gateway.addr).await;
    connection.send(acme().stream().sim("tokens=16; gap_ms=100").request()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_panel_of_the_dashboards_finds_series() {
    let Some(program) = program() else {
        eprintln!("SKIPPED: there is no Prometheus here");
        return;
    };
    away_from_midnight().await;
    let once =
        |audit: Value| json!({"limits": {"requests_per_minute": 1}, "unlimited": ["request_usd"], "audit": audit});
    let tenants = json!({
        "acme": {"budgets": {"day_usd": "10", "month_usd": "100"}, "unlimited": ["request_usd"], "tools": {"deny": ["delete_*"]}},
        "spent": {"budgets": {"day_usd": "0.0001"}, "unlimited": ["request_usd"]},
        "narrow": once(json!([])),
        "audited": once(json!(["requests_per_minute"])),
    });
    let mut policy = policy(tenants);
    let rule = |name: &str, find: &str, action: &str, on: Value| json!({"name": name, "find": [find], "action": action, "on": on});
    let book = json!({"type": "object", "properties": {"total_tokens": {"type": "string"}}});
    policy["tools"] = json!({"registry": {"book": {"parameters": book}}});
    policy["content"] = json!({"rules": [
        rule("mails", "email", "restore", json!(["request"])),
        rule("cards", "card", "count", json!(["request", "answer"])),
    ]});
    let gateway = Gateway::start(Setup::new("dashboards", policy)).await;
    let prometheus = Prometheus::start("dashboards", &program, &gateway).await;
    prometheus.tells(r#"sum(up{job=~"ai-gateway.*"})"#, 2.0, 0.0).await;
    let spends = async || gateway.ask(chat("spent").request()).await.status;
    eventually("the end of a budget", spends, |status| *status == 402).await;
    let panels = panels("prometheus");
    assert!(panels.len() > 100, "{}", panels.len());
    let amiss = |panel: &&Value| AMISS.iter().any(|name| panel["query"].as_str().unwrap().contains(name));
    for panel in panels.iter().filter(amiss) {
        prometheus.query(panel["query"].as_str().unwrap()).await;
    }
    assert_eq!(panels.iter().filter(amiss).count(), 15);
    let found = async |panel: &Value| {
        // What would be zero otherwise has to be there.
        let series = prometheus.query(&panel["query"].as_str().unwrap().replace(" or vector(0)", "")).await;
        // And the legend names something.
        let legend = panel["legend"].as_str().unwrap_or_default();
        let mut named = legend.split("{{").skip(1).map(|part| part.split_once("}}").unwrap().0);
        named.all(|label| series.iter().all(|(labels, _)| labels[label].is_string()))
            && series.iter().any(|(_, value)| !value.is_nan())
    };
    // A rate needs a count before, and one after.
    let silent = async || {
        everything_once(&gateway).await;
        let mut silent = Vec::new();
        for panel in panels.iter().filter(|panel| !amiss(panel)) {
            if !found(panel).await {
                silent.push(panel);
            }
        }
        silent
    };
    eventually("panels without series", silent, Vec::is_empty).await;
}
