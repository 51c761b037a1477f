//! `make demo`, shortly: everything happens that can, and all who count say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::envoy::{free_ports, ports_in_a_row, wasm};
use crate::{postgres, prometheus};

/// The vocabulary, without `internal_error`, which nobody can ask for. `tenant_missing` is Envoy's own here: its
/// `api_key_auth` refuses before there is an exchange.
const OUTCOMES: [&str; 21] = [
    "budget_exhausted",
    "client_closed",
    "content_refused",
    "daily_budget_exceeded",
    "expensive_rate_limited",
    "invalid_request",
    "model_not_allowed",
    "model_unpriced",
    "monthly_budget_exceeded",
    "provider_aborted",
    "provider_error",
    "provider_rate_limited",
    "provider_rejected",
    "provider_unavailable",
    "rate_limited",
    "request_budget_exceeded",
    "request_too_large",
    "success",
    "tenant_unknown",
    "token_rate_limited",
    "tool_not_allowed",
];

#[test]
fn in_the_demo_everything_happens_and_all_who_count_agree() {
    // It writes under target/ of its own tree, where a `make demo` may be at work.
    let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let _ = fs::remove_dir_all(&top);
    let sources = crate::top().join("envoy");
    for folder in ["", "start", "prometheus", "postgres"] {
        let into = top.join("envoy").join(folder);
        fs::create_dir_all(&into).unwrap();
        for file in fs::read_dir(sources.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_file() {
                fs::copy(&file, into.join(file.file_name().unwrap())).unwrap();
            }
        }
    }
    let names = [
        "GATEWAY_PORT",
        "ADMIN_PORT",
        "EJECTED_PORT",
        "PROBE_PORT",
        "PROMETHEUS_PORT",
        "POSTGRES_PORT",
        "RECORDS_PORT",
    ];
    let said = Command::new("python3")
        .arg(top.join("envoy/start/demo"))
        .envs(names.into_iter().zip(free_ports::<7>().map(|port| port.to_string())))
        .env("PROVIDER_PORT", ports_in_a_row(4).to_string())
        .env("WASM", wasm())
        .env("FUNC_E", std::env::var_os("FUNC_E").expect("FUNC_E: run `make e2e`"))
        .env("FUNC_E_STATE_HOME", top.join("func-e"))
        .env("FUNC_E_RUNTIME_DIR", top.join("func-e"))
        .env_remove("FUNC_E_HOME")
        .env("PROVIDER", std::env::var_os("PROVIDER").expect("PROVIDER: run `make e2e`"))
        .envs([("DEMO_ONCE", "1"), ("DEMO_MINUTES", "0.3")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{told}\n{}", String::from_utf8_lossy(&said.stderr));
    assert!(told.contains("The reckoning agrees."), "{told}");
    // The same figures in each row, and a row of each that is here.
    let (story, reckoning) = told.split_once("The reckoning:").expect("a reckoning");
    let figures = |who: &str| -> Option<Vec<&str>> {
        let row = reckoning.lines().find_map(|line| line.trim_start().strip_prefix(who))?;
        Some(row.split_whitespace().collect())
    };
    let records = figures("access log");
    assert!(records.as_ref().is_some_and(|row| row.len() == 4), "{told}");
    assert_eq!(figures("Envoy's stats"), records);
    if prometheus::program().is_some() {
        assert_eq!(figures("Prometheus"), records);
    }
    if postgres::debian().is_some() {
        assert_eq!(figures("PostgreSQL"), records);
        assert!(reckoning.contains("as in Envoy's stats"), "{told}");
        assert_eq!(figures("lines that are no record"), Some(vec!["0"]), "{told}");
    }

    let log = fs::read_to_string(top.join("target/demo/access.log")).unwrap();
    let lines = log.lines().filter(|line| line.starts_with(r#"{"v":1,"#));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: BTreeSet<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(seen, BTreeSet::from(OUTCOMES), "{told}");
    assert!(OUTCOMES.iter().all(|outcome| figures(outcome).is_some()), "{told}");
    assert_ne!(figures("tenant_missing").unwrap()[1], "0");
    // Not the refused alone: others answered for a provider that was away, and streams broke off when it went.
    let count = |holds: &dyn Fn(&Value) -> bool| lines.iter().filter(|line| holds(line)).count();
    assert!(count(&|line| line["outcome"] == "success" && line["provider"] == "openrouter") > 10, "{told}");
    assert!(
        story.contains("the breaker of openai is open") && story.contains("the breaker of openai is closed"),
        "{told}"
    );
}
