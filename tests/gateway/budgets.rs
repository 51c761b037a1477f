//! Money under a crowd: whatever is under way, the provider never bills more than the budget, and when all is over
//! its ledger, the counter and the gauge name the same figure, to the nano-dollar.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Chat, Connection, PATIENCE, ask, chat};
use crate::envoy::{Gateway, Setup, policy};

const CALLERS: usize = 64;

/// Waits if the day is about to end, for its books would be closed in the middle of a test.
pub async fn away_from_midnight() {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let left = 86_400 - since.as_secs() % 86_400;
    if left < 300 {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

/// The nth request of a caller: JSON and streams, short and long, bounded or not.
fn nth(tenant: &str, nth: usize) -> Chat {
    let asked = chat(tenant).sim(&format!("tokens={}; cached={}", 1 + nth * 7 % 40, nth % 5));
    let asked = asked.saying(&"Settle this account. ".repeat(1 + nth % 9));
    let asked = if nth.is_multiple_of(3) { asked.without("max_completion_tokens") } else { asked };
    match nth % 4 {
        0 => asked,
        1 => asked.stream(),
        2 => asked.stream().asking_usage(),
        _ => asked.field("n", 2),
    }
}

/// 64 callers at once, each asking `rounds` times. Answers by status: 200 and 402.
async fn crowd(gateway: &Gateway, tenant: &str, rounds: usize) -> [usize; 2] {
    let callers = (0..CALLERS).map(|caller| {
        let (addr, tenant) = (gateway.addr, tenant.to_owned());
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            let mut counts = [0, 0];
            for round in 0..rounds {
                let answer = connection.ask(nth(&tenant, caller + round * 5).request()).await;
                match answer.status {
                    200 => counts[0] += 1,
                    _ => {
                        assert_eq!((answer.status, answer.code().as_str()), (402, "daily_budget_exceeded"));
                        assert_eq!(answer.header("retry-after"), None);
                        counts[1] += 1;
                    }
                }
            }
            counts
        })
    });
    let mut sum = [0, 0];
    for caller in callers.collect::<Vec<_>>() {
        let counts = caller.await.expect("a caller");
        sum = [sum[0] + counts[0], sum[1] + counts[1]];
    }
    sum
}

/// What the detail of a 402 calls this, in nano-USD.
pub fn nano_usd(figure: &Value) -> u64 {
    let figure = figure.as_str().expect("USD as a string");
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
    whole.parse::<u64>().unwrap() * 1_000_000_000 + format!("{fraction:0<9}").parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_never_passes_the_budget_and_equals_what_is_reported() {
    away_from_midnight().await;
    const BUDGET: u64 = 1_000_000;
    let rounds = ["one", "two", "three"];
    let budget = json!({"budgets": {"day_usd": "0.001"}, "unlimited": ["request_usd"]});
    let tenants: serde_json::Map<String, Value> =
        rounds.iter().map(|tenant| ((*tenant).to_owned(), budget.clone())).collect();
    let gateway = Gateway::start(Setup::new("budgets", policy(Value::Object(tenants)))).await;
    for tenant in rounds {
        gateway.provider().clear();
        let watched = async {
            let mut most = 0;
            loop {
                most = most.max(gateway.provider().ledger().sum().cost_nanousd);
                assert!(most <= BUDGET, "{tenant}: {most} nano-USD billed");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let [passed, refused] = tokio::select! {
            counts = crowd(&gateway, tenant, 12) => counts,
            () = watched => unreachable!("watches for ever"),
        };
        let billed = gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd;
        assert!(passed > 0 && refused > 0, "{passed} passed, {refused} were refused");
        assert!(billed <= BUDGET && billed > BUDGET / 4, "{tenant}: {billed} nano-USD billed");
        let stats = gateway.settled(tenant, billed).await;
        let of = [("tenant", tenant)];
        assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &of), billed, "{tenant}: the counter");
        assert_eq!(stats.sum("ai_gateway_settlements_lost_total", &[]), 0);

        // The cell itself tells the same, in a refusal.
        let dear = chat(tenant).field("max_completion_tokens", 100_000);
        let detail = gateway.ask(dear.request()).await.json()["error"]["detail"].clone();
        assert_eq!((nano_usd(&detail["used"]), nano_usd(&detail["reserved"])), (billed, 0), "{tenant}: the cell");
        assert_eq!(nano_usd(&detail["remaining"]), BUDGET - billed);
        assert!((1..=86_400).contains(&detail["reset_seconds"].as_u64().expect("a reset")), "{detail}");

        let records = gateway.wait_records_of(tenant, CALLERS * 12 + 1).await;
        let told: u64 = records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
        assert_eq!(told, billed, "{tenant}: the records");
    }
}

/// Answers that break off, report nothing or never come: what is charged in their stead is no less than what was billed.
#[tokio::test(flavor = "multi_thread")]
async fn faults_never_carry_the_ledger_past_the_budget() {
    away_from_midnight().await;
    const BUDGET: u64 = 1_000_000;
    let faults = [
        "no_usage",
        "cut=3",
        "cut=200",
        "reset",
        "error_at=2",
        "status=500",
        "no_done; no_usage",
        "wrong_usage=negative",
    ];
    let budget = json!({"budgets": {"day_usd": "0.001"}, "unlimited": ["request_usd"]});
    let gateway = Gateway::start(Setup::new("faults", policy(json!({"faulty": budget})))).await;
    let callers = (0..CALLERS).map(|caller| {
        let addr = gateway.addr;
        tokio::spawn(async move {
            let mut refused = 0;
            for round in 0..10 {
                let fault = faults[(caller + round) % faults.len()];
                let asked = nth("faulty", caller + round * 5).sim(fault);
                // What broke off takes its connection along.
                let answer = ask(addr, asked.request()).await;
                refused += usize::from(answer.status == 402);
            }
            refused
        })
    });
    let mut refused = 0;
    for caller in callers.collect::<Vec<_>>() {
        refused += caller.await.expect("a caller");
    }
    let billed = gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd;
    let records = gateway.wait_records_of("faulty", CALLERS * 10).await;
    let charged = records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
    assert!(refused > 0 && billed > BUDGET / 4, "{refused} were refused, {billed} nano-USD billed");
    assert!(billed <= charged && charged <= BUDGET, "{billed} nano-USD billed, {charged} charged");
    gateway.settled("faulty", charged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_bills_more_than_was_reserved_leaves_a_debt() {
    away_from_midnight().await;
    let debtor = json!({"budgets": {"day_usd": "0.0001"}, "unlimited": ["request_usd"]});
    let gateway = Gateway::start(Setup::new("debts", policy(json!({"debtor": debtor})))).await;
    let answer = gateway.ask(chat("debtor").sim("tokens=10; usage_factor=50").request()).await;
    assert_eq!(answer.status, 200);
    let record = gateway.record_of(&answer).await;
    assert!(record["cost_nanousd"].as_u64() > record["reserved_nanousd"].as_u64(), "{record}");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd;
    assert!(billed > 100_000, "{billed} nano-USD are more than the budget");
    assert_eq!(record["cost_nanousd"], billed);

    for asked in [chat("debtor"), chat("debtor").stream(), chat("debtor").without("max_completion_tokens")] {
        let refused = gateway.ask(asked.request()).await;
        assert_eq!((refused.status, refused.code().as_str()), (402, "daily_budget_exceeded"));
        let detail = refused.json()["error"]["detail"].clone();
        assert_eq!((nano_usd(&detail["used"]), nano_usd(&detail["remaining"])), (billed, 0), "{detail}");
    }
    assert_eq!(gateway.provider().ledger().sum().requests, 1, "nothing more was admitted");
    gateway.settled("debtor", billed).await;
}
