//! Books that survive their Envoy: killed in mid-day and started again, it goes on from what its records say was spent.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use simulated_provider::Provider;

use crate::budgets::{away_from_midnight, nano_usd};
use crate::client::{Chat, Connection, PATIENCE, chat, eventually};
use crate::envoy::{Gateway, Setup, fixtures, policy};
use crate::top;

const CALLERS: usize = 32;
/// Of the tenant and of its group, for a day (nano-USD).
const BUDGET: u64 = 2_000_000;

fn asked(nth: usize) -> Chat {
    let asked = chat("acme").sim(&format!("tokens={}; gap_ms=3", 1 + nth * 7 % 40));
    if nth.is_multiple_of(2) { asked.stream() } else { asked }
}

/// Asks until nobody answers any more, or the budget is spent.
fn callers(gateway: &Gateway) -> Vec<tokio::task::JoinHandle<()>> {
    let addr = gateway.addr;
    let caller = |caller: usize| async move {
        let mut connection = Connection::open(addr).await;
        for round in 0.. {
            let Ok(answer) = connection.send(asked(caller + round * 5).request()).await else { return };
            match answer.status().as_u16() {
                200 if answer.into_body().collect().await.is_ok() => {}
                200 | 402 => return,
                other => panic!("{other}"),
            }
        }
    };
    (0..CALLERS).map(|nth| tokio::spawn(caller(nth))).collect()
}

/// What its access log says was spent on that day and in its month.
pub fn written(gateway: &Gateway, date: &str) -> String {
    let mut opening = Command::new(top().join("envoy/start/opening"));
    let done = opening.args(["--date", date]).arg(gateway.access_log()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_is_killed_and_started_again_stays_within_the_days_budget() {
    away_from_midnight().await;
    let provider = Provider::playing(fixtures());
    let mut house =
        policy(json!({"acme": {"group": "team", "unlimited": ["request_usd"], "budgets": {"day_usd": "0.002"}}}));
    house["groups"] = json!({"team": {"budgets": {"day_usd": "0.002"}, "show_figures": true}});
    let setup = |name, policy| Setup { provider: Some(provider.addr), ..Setup::new(name, policy) };

    let first = Gateway::start(setup("opening-first", house.clone())).await;
    let asking = callers(&first);
    let billed = async || provider.ledger().sum().cost_nanousd;
    eventually("half of the day's budget", billed, |billed| *billed > BUDGET / 2).await;
    first.kill();
    for caller in asking {
        caller.await.expect("a caller");
    }
    let before = provider.settled_ledger(PATIENCE);
    // What was under way, or not yet in the log: nobody knows of it any more.
    let records: Vec<_> =
        first.records().iter().map(|record| record["request_id"].as_str().unwrap().to_owned()).collect();
    let is_recorded = |id: &Option<String>| id.as_ref().is_some_and(|id| records.contains(id));
    let gap: u64 =
        before.requests.iter().filter(|entry| !is_recorded(&entry.request_id)).map(|entry| entry.cost_nanousd).sum();
    let date = first.records()[0]["time"].as_str().unwrap().split('T').next().unwrap().to_owned();
    let opening: Value = serde_json::from_str(&written(&first, &date)).unwrap();
    let recorded = nano_usd(&opening["opening"]["balances"]["tenants"]["acme"]["day_usd"]);
    assert!(recorded > BUDGET / 4 && recorded + gap >= before.sum().cost_nanousd, "{recorded} of it is recorded");
    house["opening"] = opening["opening"].clone();
    let second = Gateway::start(setup("opening-second", house)).await;
    for caller in callers(&second) {
        caller.await.expect("a caller");
    }
    let billed = provider.settled_ledger(PATIENCE).sum().cost_nanousd;
    assert!(billed <= BUDGET + gap, "{billed} nano-USD billed, {gap} of it before the kill and in no record");
    assert!(billed > BUDGET / 2 + gap, "{billed} billed, {gap} of it in no record: what was left was not spent");
    second.written().await;
    let here: u64 = second.records().iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
    let stats = second.settled("acme", recorded + here).await;
    assert_eq!(stats.sum("ai_gateway_opening_today_nanousd_total", &[("tenant", "acme")]), recorded);
    assert_eq!(stats.sum("ai_gateway_group_spent_today_nanousd", &[("group", "team")]), recorded + here);
    assert_eq!(
        stats.sum("ai_gateway_cost_nanousd_total", &[]),
        here,
        "what was spent before is no cost of this Envoy's"
    );
}

/// Logs as operators have them: rotated and compressed, behind a shipper's prefix, with lines that broke off.
#[test]
fn an_access_log_is_summed_up_however_it_was_kept() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("opening-logs");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let record = |time: &str, cost: u64, more: &str| {
        format!(
            r#"{{"v":1,"time":"{time}T12:00:00.000Z","tenant":"acme","groups":["team"],"cost_nanousd":{cost}{more}}}"#
        )
    };
    let failed = r#","model_group":"small","failed_attempts":[{"model_group":"large","cost_nanousd":20}]"#;
    let old = [record("2026-11-02", 5, ""), record("2026-10-31", 7, "")].join("\n");
    let packed = dir.join("access.log.1.gz");
    let mut out = flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
    out.write_all(old.as_bytes()).unwrap();
    out.finish().unwrap();
    let new = [
        format!(r#"pod-1 {}"#, record("2026-11-30", 30, failed)),
        r#"{"time":"2026-11-30T12:00:00.000Z","path":"/api/ai/health"}"#.to_owned(),
        // Killed in the middle of a line; and what a client wrote is no record.
        format!(
            r#"{{"v":1,"time":"2026-11-30T12:0{}"#,
            record("2026-11-30", 100, r#","model_asked":"{\"v\":1,\"cost_nanousd\":9}""#)
        ),
        r#"{"v":1,"time":"2026-11-30T12:00"#.to_owned(),
    ];
    let log = dir.join("access.log");
    fs::write(&log, new.join("\n")).unwrap();
    // Beside the one that is compressed stands what it was made of.
    let plain = dir.join("access.log.1");
    fs::write(&plain, &old).unwrap();
    let mut opening = Command::new(top().join("envoy/start/opening"));
    let done = opening.args(["--date", "2026-11-30"]).args([&log, &plain, &packed]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let sums = |day: &str, month: &str| json!({"day_usd": day, "month_usd": month});
    let mut all = sums("0.00000013", "0.000000135");
    all["model_groups"] = json!({"large": sums("0.00000002", "0.00000002"), "small": sums("0.00000001", "0.00000001")});
    let expected = json!({"date": "2026-11-30", "tenants": {"acme": all}, "groups": {"team": all}});
    let written: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(written["opening"]["balances"], expected);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(
        said,
        "opening: 3 records of 2026-11; 1 lines that look like some were passed over; 1 logs begin as others do, and were \
         not counted again\n"
    );
}
