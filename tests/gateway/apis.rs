//! Every API through real Envoy: the corpus as it says, and answers so large that a filter
//! which kept them would be seen to.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use crate::client::{Body, Connection, PATIENCE, ask, eventually};
use crate::envoy::{Gateway, Setup, fixtures, free_tenant, json_of, policy};

fn post(path: &str, tenant: &str, sim: &str, body: &Value) -> Request<Body> {
    let head = Request::post(path).header("content-type", "application/json").header("x-tenant-id", tenant);
    head.header("x-sim", sim).body(Full::new(body.to_string().into()).boxed()).unwrap()
}

/// `<api>/<case>` and what it says.
fn cases() -> Vec<(String, Value)> {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let apis = folders(&fixtures());
    let cases = apis.iter().flat_map(|api| folders(api)).filter(|case| case.join("case.json").exists());
    let named = |case: PathBuf| {
        let name = case.strip_prefix(fixtures()).unwrap().display().to_string();
        (name, json_of(&case.join("case.json")))
    };
    let mut cases: Vec<_> = cases.map(named).collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(cases.len() >= 120, "{} cases", cases.len());
    cases
}

/// What is counted beside the tokens.
const PIECES: [&str; 6] =
    ["images", "search_units", "web_searches", "file_searches", "container_sessions", "audio_seconds"];

/// The counts of a record, without zeros.
fn usage(record: &Value) -> BTreeMap<&str, u64> {
    let counts = record
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_tokens") || PIECES.contains(&name.as_str()));
    counts.filter_map(|(name, count)| Some((name.as_str(), count.as_u64().filter(|count| *count > 0)?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_corpus_comes_through_envoy_as_it_says() {
    let mut policy = policy(json!({"corpus": free_tenant()}));
    policy["prices"] = json_of(&fixtures().join("prices.json"));
    policy["unpriced_levers"] = json!("pass");
    let setup = Setup { any_path: true, ..Setup::new("corpus", policy) };
    let gateway = Gateway::start(setup).await;
    let (mut expected, mut refused) = (HashMap::new(), 0);
    for (name, case) in cases() {
        // Whole, and in pieces that fall anywhere.
        for bytes in ["", "; bytes=37"] {
            let sim = format!("case={name}{bytes}");
            let path = case["path"].as_str().unwrap();
            let answer = ask(gateway.addr, post(path, "corpus", &sim, &case["request"])).await;
            if answer.status == 400 && case["status"] != 400 {
                panic!("{name}: {}", answer.text());
            }
            expected.insert(answer.request_id().to_owned(), (name.clone(), case["expect"].clone()));
        }
    }
    let records = gateway.wait_records_of("corpus", expected.len()).await;
    let mut faults = Vec::new();
    for record in &records {
        let (name, expect) = &expected[record["request_id"].as_str().unwrap()];
        if record["outcome"] == "invalid_request" && expect["outcome"] == "provider_rejected" {
            refused += 1;
            continue;
        }
        let mut check = |what: &str, got: String, wanted: String| {
            if got != wanted {
                faults.push(format!("{name}: {what}: {got} instead of {wanted}"));
            }
        };
        for (field, name) in [("outcome", "outcome"), ("source", "usage_source")] {
            check(field, record[name].to_string(), expect[field].to_string());
        }
        if expect["source"] != "estimated" {
            let wanted = expect["usage"].as_object().map(|usage| usage.iter().collect::<BTreeMap<_, _>>());
            let wanted = wanted.unwrap_or_default();
            let wanted: BTreeMap<&str, u64> =
                wanted.iter().map(|(name, count)| (name.as_str(), count.as_u64().unwrap())).collect();
            check("usage", format!("{:?}", usage(record)), format!("{wanted:?}"));
            let cost = expect["cost_nanousd"].as_u64().unwrap_or(0);
            check("cost", record["cost_nanousd"].to_string(), cost.to_string());
        }
        for field in ["model_answered", "service_tier", "provider_cost_nanousd"] {
            if !expect[field].is_null() {
                check(field, record[field].to_string(), expect[field].to_string());
            }
        }
        check(
            "mismatch",
            record["usage_mismatch"].to_string(),
            expect["mismatch"].as_bool().unwrap_or(false).to_string(),
        );
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(refused < 20, "{refused} were not tried at all");
    assert_eq!(gateway.dead_vms().await, 0);
}

/// The answer's length, its bytes forgotten as they come.
async fn swallow(gateway: &Gateway, request: Request<Body>) -> (u16, u64, String) {
    let mut connection = Connection::open(gateway.addr).await;
    let response = connection.send(request).await.expect("an answer");
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let (mut body, mut length) = (response.into_body(), 0);
    while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame()).await.expect("a frame in time") {
        length += frame.expect("a frame").data_ref().map_or(0, |bytes| bytes.len() as u64);
    }
    (status, length, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_streams_by_and_leaves_no_trace_in_memory() {
    let gateway = Gateway::start(Setup::new("large", policy(json!({"large": free_tenant()})))).await;
    let memory = async || gateway.stats().await.one("ai_gateway_vm_memory_bytes", &[]);
    // Both workers have answered something, and told their memory.
    for _ in 0..20 {
        let small =
            post("/v1/responses", "large", "tokens=5", &json!({"model": "gpt-5-mini", "input": "hi", "stream": true}));
        assert_eq!(swallow(&gateway, small).await.0, 200);
    }
    gateway.polls(3).await;
    let before = eventually("the VM's memory", memory, |bytes| bytes.is_some_and(|bytes| bytes > 0)).await.unwrap();

    let bound = 900_000_000;
    let stream = json!({"model": "gpt-5-mini", "input": "hi", "stream": true, "max_output_tokens": bound});
    let sim = "events=15000; event_bytes=63000; big_completed=50000000";
    let (status, length, id) = swallow(&gateway, post("/v1/responses", "large", sim, &stream)).await;
    assert!(status == 200 && length > 990_000_000, "{status}, {length} bytes");
    exact(&gateway, &id).await;

    let embeddings = json!({"model": "text-embedding-3-small", "input": vec!["hi"; 100]});
    let (status, length, id) =
        swallow(&gateway, post("/v1/embeddings", "large", "dimensions=48000", &embeddings)).await;
    assert!(status == 200 && length > 100_000_000, "{status}, {length} bytes");
    exact(&gateway, &id).await;

    gateway.polls(3).await;
    let after = memory().await.unwrap();
    assert!(after < before + (1 << 20), "{before} bytes before, {after} after");
}

/// The record of this exchange and the ledger's entry name the same cost.
async fn exact(gateway: &Gateway, id: &str) {
    let look = async || gateway.records_of("large").into_iter().find(|record| record["request_id"] == id);
    let record = eventually("the record", look, Option::is_some).await.unwrap();
    let entry = gateway.entry_of(&record).expect("an entry");
    assert_eq!((&record["usage_source"], &record["outcome"]), (&"reported".into(), &"success".into()), "{record:#}");
    assert_eq!(record["cost_nanousd"], entry.cost_nanousd, "{record:#}\n{entry:?}");
}
