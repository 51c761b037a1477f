//! A mixed crowd of all APIs and all levers, one of ten leaving at a random moment, against the ledger of a provider that bills them
//! all: what was reported to the nano-dollar, who leaves within bounds, and nobody more than the budget.
//!
//! Some hundred requests in every run; `make crowd` asks for 20,000, and holds each lever by itself.

mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::json;
use simulated_provider::{Entry, price_entries_with_tiers};

use crate::budgets::away_from_midnight;
use crate::client::{Connection, PATIENCE, whole};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use wishes::{Dice, Leaving, Wish};

const CALLERS: u64 = 24;
/// A few hundred, where nobody says how many.
const SHORT: u64 = 720;
/// So many that each lever can be held by itself.
const MANY: u64 = 10_000;
/// Nano-USD of the budget for each request of its tenant: about half of what those come to.
const BUDGET_OF_EACH: u64 = 1_500_000;

fn size() -> u64 {
    std::env::var("CROWD").ok().and_then(|size| size.parse().ok()).unwrap_or(SHORT)
}

/// One of five has a budget.
fn tenant(number: u64) -> &'static str {
    if (number + number / wishes::COUNT) % 5 == 4 { "small" } else { "crowd" }
}

/// Asks for it, and leaves if that is what is wished. The request's id, and whether the connection can be used again.
async fn asked(connection: &mut Connection, number: u64, wish: Wish, dice: &mut Dice) -> (String, bool) {
    let request = wish.request(tenant(number));
    match wish.leaving {
        Leaving::Stays | Leaving::IsCut(_) => {
            let answer = connection.ask(request).await;
            let refused = answer.status == 402 && tenant(number) == "small";
            assert!(
                answer.status == 200 || refused,
                "{number}, {}: {} {}",
                wish.lever,
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            (answer.request_id().to_owned(), !answer.broken && wish.leaving == Leaving::Stays)
        }
        Leaving::Leaves(most) => {
            let response = connection.send(request).await.expect("a head");
            let status = response.status();
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            if status == 402 {
                drop(whole(response).await);
                return (id, true);
            }
            assert_eq!(status, 200, "{number}, {}", wish.lever);
            let (mut body, mut left) = (response.into_body(), dice.below(most.max(1)));
            // By how much came, and by the clock where nothing does.
            let patience = Duration::from_millis(dice.below(60));
            while let Ok(Some(Ok(frame))) = tokio::time::timeout(patience, body.frame()).await {
                let size = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                if size >= left {
                    break;
                }
                left -= size;
            }
            (id, false)
        }
    }
}

/// Requests, charged, billed.
type Sums = BTreeMap<String, [u64; 3]>;

fn add(sums: &mut Sums, name: &str, cost: u64, billed: u64) {
    let sum = sums.entry(name.to_owned()).or_default();
    *sum = [sum[0] + 1, sum[1] + cost, sum[2] + billed];
}

fn shown(sums: &Sums) -> String {
    let line = |(name, [count, charged, billed]): (&String, &[u64; 3])| {
        let ratio = *charged as f64 / (*billed).max(1) as f64;
        format!("{name:<28} {count:>5} {charged:>14} {billed:>14} {ratio:>7.2}\n")
    };
    sums.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_crowd_of_every_api_and_lever_comes_to_what_the_ledger_says() {
    away_from_midnight().await;
    let crowd = size();
    let budget = BUDGET_OF_EACH * crowd / 5;
    let day = format!("{}.{:09}", budget / 1_000_000_000, budget % 1_000_000_000);
    let small = json!({"budgets": {"day_usd": day}, "unlimited": ["request_usd"]});
    let mut policy = policy(json!({"crowd": free_tenant(), "small": small}));
    policy["prices"] = json!(price_entries_with_tiers());
    policy["stored_responses"] = json!("any");
    let gateway = Gateway::start(Setup { any_path: true, ..Setup::new("crowd", policy) }).await;
    let callers = (0..CALLERS).map(|caller| {
        let addr = gateway.addr;
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            let mut levers = Vec::new();
            for number in (caller..crowd).step_by(CALLERS as usize) {
                let mut dice = Dice::of(number);
                let wish = Wish::of(number, &mut dice);
                let (lever, stays) = (wish.lever, wish.leaving == Leaving::Stays);
                let (id, is_open) = asked(&mut connection, number, wish, &mut dice).await;
                levers.push((id, (lever, tenant(number), stays)));
                if !is_open {
                    connection = Connection::open(addr).await;
                }
            }
            levers
        })
    });
    let mut levers = HashMap::new();
    for caller in callers.collect::<Vec<_>>() {
        levers.extend(caller.await.expect("a caller"));
    }

    let ledger = gateway.provider().settled_ledger(PATIENCE);
    let billed: HashMap<&str, &Entry> =
        ledger.requests.iter().filter_map(|entry| Some((entry.request_id.as_deref()?, entry))).collect();
    let of_budget = billed.iter().filter(|(id, _)| levers.get(**id).is_some_and(|(_, tenant, _)| *tenant == "small"));
    let within: u64 = of_budget.map(|(_, entry)| entry.cost_nanousd).sum();
    let of_crowd = (0..crowd).filter(|number| tenant(*number) == "crowd").count();
    let mut records = gateway.wait_records_of("crowd", of_crowd).await;
    let of_small = gateway.wait_records_of("small", crowd as usize - of_crowd).await;
    let total: u64 = records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
    let spent: u64 = of_small.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
    let refused = of_small.iter().filter(|record| record["outcome"] == "daily_budget_exceeded").count();
    records.extend(of_small);

    let (mut by_api, mut by_lever, mut faults) = (Sums::new(), Sums::new(), Vec::new());
    // What who left was billed and not charged: nobody has seen it, so the budget can't hold it.
    let mut unseen = 0;
    // Reserved, and billed beyond it: what the budget can't hold.
    let mut beyond = Sums::new();
    for record in records.iter().filter(|record| record["outcome"] != "daily_budget_exceeded") {
        let id = record["request_id"].as_str().unwrap();
        let Some(entry) = billed.get(id) else { panic!("no bill of {record:#}") };
        let (lever, _, stays) = levers[id];
        let [cost, reserved] = ["cost_nanousd", "reserved_nanousd"].map(|name| record[name].as_u64().unwrap());
        if reserved < entry.cost_nanousd {
            add(&mut beyond, lever, reserved, entry.cost_nanousd);
        }
        match record["usage_source"].as_str() {
            Some("reported") if cost == entry.cost_nanousd => {}
            // Of a usage that broke off in its middle, what came counts.
            Some("reported") if stays => {
                faults.push(format!("{lever}: {cost} of {}: {record} {entry:?}", entry.cost_nanousd))
            }
            _ => {
                add(&mut by_api, record["api"].as_str().unwrap(), cost, entry.cost_nanousd);
                add(&mut by_lever, lever, cost, entry.cost_nanousd);
                if record["tenant"] == "small" {
                    unseen += entry.cost_nanousd.saturating_sub(cost);
                }
            }
        }
    }
    let detail = format!("who left: requests, charged, billed\n{}\n{}", shown(&by_api), shown(&by_lever));
    let detail = format!("{detail}\nbilled beyond what was reserved\n{}", shown(&beyond));
    println!("{detail}\n{within} billed and {spent} charged of a budget of {budget}, {refused} refused");
    assert!(within <= budget + unseen, "{within} nano-USD billed of a budget of {budget}, {unseen} unseen\n{detail}");
    assert!(refused > 0 && within * 4 > budget, "{refused} refused, {within} nano-USD billed of {budget}");
    assert!(spent <= budget + budget / 2, "{spent} nano-USD charged of a budget of {budget}");
    assert!(faults.is_empty(), "{} faults:\n{}\n{detail}", faults.len(), faults[..faults.len().min(12)].join("\n"));
    let sum = |sums: &Sums| sums.values().fold([0, 0], |sum, [_, charged, billed]| [sum[0] + charged, sum[1] + billed]);
    // In hundredths of what was billed.
    let between = |[charged, billed]: [u64; 2], least: u64, most: u64| {
        let [charged, least, most] =
            [(charged, 100), (billed, least), (billed, most)].map(|(a, b)| u128::from(a) * u128::from(b));
        (least..=most).contains(&charged)
    };
    assert!(between(sum(&by_api), 80, 150), "{detail}");
    for (sums, least, most) in [(&by_api, 80, 150), (&by_lever, 50, u64::MAX)] {
        for (name, [_, charged, billed]) in sums.iter().filter(|_| crowd >= MANY) {
            assert!(between([*charged, *billed], least, most), "{name}: {charged} charged of {billed}\n{detail}");
        }
    }
    let stats = gateway.settled_among_others("crowd", total).await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", "crowd")]), total);
    assert_eq!(stats.sum("ai_gateway_usage_mismatch_total", &[]), 0);
    assert_eq!(gateway.dead_vms().await, 0);
}
