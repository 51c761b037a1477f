//! Near the end of the money on two workers: a cheaper model serves, nothing passes the budget, and all who count agree on who served.

use serde_json::json;
use simulated_provider::Provider;

use crate::budgets::away_from_midnight;
use crate::client::{Connection, PATIENCE, chat};
use crate::envoy::{Gateway, boundless_tenant};

const CALLERS: usize = 64;
const ROUNDS: usize = 8;
/// Of the day, in nano-USD.
const BUDGET: u64 = 12_000_000;
const DEAR: &str = "gpt-4o";
const CHEAP: &str = "gpt-4o-mini";
/// Of the tenant `acme`, at the gateway.
const CLIENT: &str = "0123456789abcdef-acme";

/// How many the dear model served, the cheap one, and nobody.
async fn caller(gateway: std::net::SocketAddr, caller: usize) -> [usize; 3] {
    let mut connection = Connection::open(gateway).await;
    let mut counts = [0; 3];
    for round in 0..ROUNDS {
        let nth = caller + round * 5;
        let asked = chat("acme").model(DEAR).sim(&format!("tokens={}", 1 + nth * 7 % 40)).anonymous();
        let asked = if nth.is_multiple_of(3) { asked.without("max_completion_tokens") } else { asked };
        let asked = if nth.is_multiple_of(2) { asked.stream() } else { asked };
        let answer = connection.ask(asked.header("authorization", &format!("Bearer {CLIENT}")).request()).await;
        let place = match (answer.status, answer.header("x-ai-model")) {
            (200, Some(DEAR)) => 0,
            (200, Some(CHEAP)) => 1,
            (402, None) => 2,
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&answer.body)),
        };
        counts[place] += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn from_half_of_the_budget_on_a_cheaper_model_serves_and_the_ledger_says_the_same() {
    away_from_midnight().await;
    let openai = Provider::start();
    let environment = [
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
        ("CLIENT_KEYS", format!("acme={CLIENT}")),
    ];
    let mut tenant = boundless_tenant();
    tenant["unlimited"] = json!(["request_usd"]);
    tenant["budgets"] = json!({"day_usd": "0.012"});
    let (tenant, model) = (format!("acme: {tenant}"), format!("- model: {DEAR}\n"));
    let at = " ".repeat(22);
    let instead = format!("{model}{at}instead: {{model: {CHEAP}, from_percent: 50}}\n");
    let swaps = [("acme: {tier: premium}", &*tenant), (&*model, &*instead)];
    let gateway = Gateway::production("instead", &environment, &swaps).await;

    let watched = async {
        loop {
            let billed = openai.ledger().sum().cost_nanousd;
            assert!(billed <= BUDGET, "{billed} nano-USD billed");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let callers: Vec<_> = (0..CALLERS).map(|nth| tokio::spawn(caller(gateway.addr, nth))).collect();
    let counted = async {
        let mut sum = [0; 3];
        for caller in callers {
            sum.iter_mut().zip(caller.await.expect("a caller")).for_each(|(sum, count)| *sum += count);
        }
        sum
    };
    let [dear, cheap, refused] = tokio::select! {
        counts = counted => counts,
        () = watched => unreachable!("watches for ever"),
    };
    let ledger = openai.settled_ledger(PATIENCE);
    let billed = |model: &str| ledger.clone().only(|entry| entry.model == model);
    assert!(dear > 0 && cheap > 0, "{dear} {cheap} {refused}");
    assert_eq!([billed(DEAR), billed(CHEAP)].map(|of| of.requests.len()), [dear, cheap]);
    let all = ledger.sum().cost_nanousd;
    assert!(all <= BUDGET && billed(DEAR).sum().cost_nanousd > BUDGET / 4, "{all} nano-USD billed");

    let records = gateway.wait_records_of("acme", CALLERS * ROUNDS).await;
    let told: u64 = records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum();
    assert_eq!(told, all);
    let instead: Vec<_> = records.iter().filter(|record| record.get("instead_of").is_some()).collect();
    for record in &instead {
        let of = [&record["model_asked"], &record["instead_of"]];
        assert_eq!((of, &record["model_chosen"]), ([&json!(DEAR); 2], &json!(CHEAP)), "{record}");
        assert_eq!(record["instead_by"], "day_usd");
    }
    // One that lost a race for the last of the money was refused.
    let served = instead.iter().filter(|record| record["outcome"] == "success").count();
    assert_eq!(served, cheap);
    let stats = gateway.settled("acme", all).await;
    let labels = [("code", "day_usd"), ("kind", "tenant"), ("model", CHEAP), ("tenant", "acme")];
    assert_eq!(stats.sum("ai_gateway_instead_total", &labels), cheap as u64);
    assert_eq!(gateway.dead_vms().await, 0);
}
