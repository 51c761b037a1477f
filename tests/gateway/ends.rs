//! Streams of a provider that heeds no bound, for which there is no money left: ended in words that the SDKs raise, and cut off at
//! their provider, whose ledger says what was sent.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use simulated_provider::Ending;
use tokio::sync::OnceCell;

use crate::budgets::away_from_midnight;
use crate::client::{Chat, ask, ask_h2, chat};
use crate::envoy::{Gateway, Setup, policy};
use crate::sdk::told;

/// A word of the provider's has 5.2 bytes: it is charged as 1.3 tokens, and is certainly 0.65.
const DEAREST: u64 = 135;

/// A tenant for each API, whose requests may cost what about 200 words of its model do.
async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let start = || {
        let tenant = |overrun: &str, usd: &str| json!({"overrun": overrun, "budgets": {"request_usd": usd}, "unlimited": ["day_usd"]});
        let policy = policy(json!({
            "openai": tenant("end", "0.0001"),
            "responses": tenant("end", "0.0001"),
            "anthropic": tenant("end", "0.003"),
            "google": tenant("end", "0.0004"),
            "aws": tenant("end", "0.00005"),
            "ollama": tenant("end", "0.0001"),
            "raw": tenant("end", "0.0001"),
            "stalled": tenant("end", "0.0001"),
            "audited": tenant("audit", "0.0001"),
            "passed": tenant("pass", "0.0001"),
            "two": {"overrun": "end", "budgets": {"day_usd": "0.0003"}, "unlimited": ["request_usd"]},
        }));
        Gateway::start(Setup { any_path: true, ..Setup::new("ends", policy) })
    };
    GATEWAY.get_or_init(start).await
}

fn asked(tenant: &str, knobs: &str) -> Chat {
    chat(tenant).stream().sim(&format!("unbounded; {knobs}"))
}

/// The record of a stream that was ended here: its provider was cut off, and what it billed until then is charged, but for what was on
/// its way (where usage is reported as it grows, nothing of that is estimated), and no more than an estimate may add.
async fn ended(record: &Value, of: &Gateway) {
    assert_eq!((&record["outcome"], &record["status"]), (&json!("budget_exhausted"), &json!(200)), "{record}");
    assert_eq!(record["usage_source"], "estimated", "{record}");
    let entry = of.entry_of(record).expect("an entry");
    assert_eq!(entry.ending, Ending::Abandoned, "{entry:?}");
    let charged = record["cost_nanousd"].as_u64().unwrap();
    let billed = entry.cost_nanousd;
    let (least, most) = (billed * 85 / 100, billed * DEAREST / 100 + billed / 10);
    assert!((least..=most).contains(&charged), "{billed} billed: {record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_raise_their_own_exceptions_and_what_was_sent_is_charged() {
    let gateway = gateway().await;
    told(gateway, "ends/raised.py", &["unbounded; tokens=50000; gap_ms=2"]).await;
    for (tenant, streams) in
        [("openai", 1), ("responses", 1), ("anthropic", 2), ("google", 1), ("aws", 1), ("ollama", 1)]
    {
        let records = gateway.wait_records_of(tenant, streams).await;
        for record in &records {
            ended(record, gateway).await;
        }
        let cost = records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
        let stats = gateway.settled(tenant, cost).await;
        let of = [("tenant", tenant), ("code", "request_usd"), ("kind", "ended")];
        assert_eq!(stats.sum("ai_gateway_overruns_total", &of), streams as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_event_stands_behind_whole_ones_by_either_protocol() {
    let gateway = gateway().await;
    for (h2, knobs) in
        [(false, "tokens=50000; gap_ms=2"), (true, "tokens=50000; gap_ms=2"), (false, "tokens=9000; bytes=7")]
    {
        let asked = asked("raw", knobs);
        let answer = if h2 {
            ask_h2(gateway.addr, asked.request_h2(Full::from(asked.body()).boxed())).await
        } else {
            ask(gateway.addr, asked.request()).await
        };
        assert!(answer.broken, "its end is none of the provider's");
        let events = answer.events();
        let (last, before) = events.split_last().unwrap();
        assert!(answer.text().ends_with("\n\n") && before.len() > 100);
        let error: Value = serde_json::from_str(last).unwrap();
        assert_eq!(error["error"]["code"], "budget_exhausted", "{last}");
        assert!(before.iter().all(|event| serde_json::from_str::<Value>(event).unwrap()["choices"].is_array()));
        ended(&gateway.record_of(&answer).await, gateway).await;
    }
}

/// It stalls right behind the text for which there is no money, and the client waits on: nothing but the answer to a question of the
/// gateway's own can end it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_stalls_is_cut_off_at_once_all_the_same() {
    let gateway = gateway().await;
    for _ in 0..4 {
        let began = Instant::now();
        let answer = gateway.ask(asked("stalled", "events=9; event_bytes=20000; hang_after=1").request()).await;
        assert!(answer.broken && answer.text().contains("budget_exhausted"));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        ended(&gateway.record_of(&answer).await, gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_changes_no_byte_and_says_what_would_have_been() {
    let gateway = gateway().await;
    for (tenant, overrun) in [("audited", json!("request_usd")), ("passed", Value::Null)] {
        let asked = asked(tenant, "tokens=2000; bytes=100").asking_usage();
        let answer = gateway.ask(asked.request()).await;
        let direct = ask(gateway.provider().addr, asked.request()).await;
        assert!(!answer.broken && answer.body == direct.body);
        let record = gateway.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["overrun"]), (&json!("success"), &overrun), "{record}");
        assert_eq!(record["usage_source"], "reported", "{record}");
        let stats = gateway.settled(tenant, record["cost_nanousd"].as_u64().unwrap()).await;
        let audited = stats.sum("ai_gateway_overruns_total", &[("tenant", tenant), ("kind", "audit")]);
        assert_eq!(audited, u64::from(!overrun.is_null()));
    }
}

/// Where usage is reported as it grows, nothing is estimated: both together cost the day's budget, and what was on its way.
#[tokio::test(flavor = "multi_thread")]
async fn two_streams_of_one_tenant_end_with_their_budget() {
    away_from_midnight().await;
    const BUDGET: u64 = 300_000;
    const WORD: u64 = 600;
    let gateway = gateway().await;
    let asked = asked("two", "tokens=50000; gap_ms=4; continuous_usage");
    let both = tokio::join!(gateway.ask(asked.request()), gateway.ask(asked.request()));
    let (mut charged, mut billed) = (0, 0);
    for answer in [both.0, both.1] {
        assert!(answer.broken && answer.text().contains("budget_exhausted"), "{}", answer.text());
        let record = gateway.record_of(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["overrun"]),
            (&json!("budget_exhausted"), &json!("day_usd")),
            "{record}"
        );
        charged += record["cost_nanousd"].as_u64().unwrap();
        billed += gateway.entry_of(&record).expect("an entry").cost_nanousd;
    }
    // A chunk of each has a few words on a busy machine.
    assert!(charged > BUDGET * 9 / 10 && charged <= BUDGET + 40 * WORD, "{charged}");
    assert!(billed <= charged + 40 * WORD, "{billed} billed, {charged} charged");
    gateway.settled("two", charged).await;
}
