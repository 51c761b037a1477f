//! The official SDKs for Python: what their users get to see. The cases stand in `sdk/`, one script for each SDK; what
//! an SDK says was used is compared here with the record, the provider's ledger and the stats.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use simulated_provider::price_entries;
use tokio::sync::OnceCell;

use crate::budgets::away_from_midnight;
use crate::envoy::{Gateway, Setup, fixtures, json_of, policy};
use crate::top;

/// An SDK may be told to sleep for two minutes, and what it does takes as long as the machine likes.
const LONGEST_RUN: Duration = Duration::from_secs(900);

/// The Python that has the SDKs and the real servers: `PYTHON`, or what `make e2e` installs.
pub fn python() -> PathBuf {
    let installed = || top().join("target/venv/bin/python");
    let python = std::env::var_os("PYTHON").map_or_else(installed, PathBuf::from);
    assert!(python.exists(), "no Python with tests/requirements.txt at {}: run `make e2e`", python.display());
    python
}

pub fn script(name: &str) -> PathBuf {
    top().join("tests/gateway").join(name)
}

async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let start = || {
        let mut tenants = Map::new();
        for (sdk, usual) in
            [("openai", "gpt-4o-mini"), ("anthropic", "claude-*"), ("google", "gemini-*"), ("aws", "amazon.*")]
        {
            for (name, tenant) in [
                // A transcription that has no bound is reckoned with 4,096 tokens.
                ("", json!({"tier": "premium", "budgets": {"request_usd": "0.10"}})),
                ("-quiet", json!({"tier": "premium"})),
                ("-minute", json!({"limits": {"requests_per_minute": 1}})),
                ("-hour", json!({"limits": {"requests_per_hour": 1}})),
                ("-poor", json!({"budgets": {"day_usd": "0.000001"}})),
                ("-picky", json!({"models": [usual]})),
            ] {
                tenants.insert(format!("{sdk}{name}"), tenant);
            }
        }
        let mut policy = policy(Value::Object(tenants));
        // The provider knows no transcriptions: it plays those of the corpus.
        let corpus: Value = json_of(&fixtures().join("prices.json"));
        let transcribes = |price: &&Value| price["model"].as_str().is_some_and(|model| model.ends_with("transcribe"));
        let transcriptions = corpus.as_array().unwrap().iter().filter(transcribes).cloned();
        policy["prices"] = price_entries().into_iter().chain(transcriptions).collect();
        Gateway::start(Setup { any_path: true, ..Setup::new("sdk", policy) })
    };
    GATEWAY.get_or_init(start).await
}

/// What a script tells that asks the gateway by official SDKs, once all that it asserts holds.
pub async fn told(gateway: &Gateway, name: &str, more: &[&str]) -> String {
    let mut command = tokio::process::Command::new(python());
    command.arg(script(name)).arg(format!("http://{}", gateway.addr)).args(more);
    // Without anybody's proxies, keys and profiles; with what the scripts share.
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR")).env("PYTHONPATH", script("sdk"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::time::timeout(LONGEST_RUN, command.kill_on_drop(true).output());
    let output = output.await.expect("an end").expect("Python");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// Runs the cases of an SDK: they hold, and what it says was used is what everybody says.
async fn understands(sdk: &str) {
    away_from_midnight().await;
    let gateway = gateway().await;
    let told = told(gateway, &format!("sdk/{sdk}_cases.py"), &[]).await;
    assert!(told.ends_with("cases hold\n"), "{told}");

    let used = told.lines().filter_map(|line| line.strip_prefix("used "));
    let used: Vec<Value> = used.map(|used| serde_json::from_str(used).unwrap()).collect();
    assert!(used.len() >= 2, "an answer and a stream: {told}");
    let (mut cost, mut tokens) = (0, [0, 0]);
    for used in used {
        let record = gateway.record_with_id(used["request_id"].as_str().unwrap()).await;
        assert_eq!((&record["tenant"], &record["usage_source"]), (&json!(sdk), &json!("reported")), "{record}");
        for (count, value) in used["counts"].as_object().unwrap() {
            assert_eq!(&record[count], value, "{count} in {record}");
        }
        let entry = gateway.entry_of(&record).expect("the request in the ledger");
        let count = |name: &str| used["counts"][name].as_u64().unwrap();
        let [input, output] = ["input_tokens", "output_tokens"].map(count);
        assert_eq!([entry.prompt_tokens, entry.completion_tokens], [input, output], "{entry:?}");
        assert_eq!(record["cost_nanousd"], entry.cost_nanousd, "{entry:?}");
        cost += entry.cost_nanousd;
        tokens = [tokens[0] + input, tokens[1] + output];
    }
    let stats = gateway.settled_among_others(sdk, cost).await;
    let sum = |direction| stats.sum("ai_gateway_tokens_total", &[("tenant", sdk), ("direction", direction)]);
    assert_eq!(["input", "output"].map(sum), tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_s_sdk_understands_every_answer() {
    understands("openai").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_s_sdk_understands_every_answer() {
    understands("anthropic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_s_sdk_understands_every_answer() {
    understands("google").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_s_sdk_understands_every_answer() {
    understands("aws").await;
}
