//! Model groups on two workers: what may be spent on some models holds whoever asks and under whatever name, and the other models are
//! not concerned.

use serde_json::{Value, json};

use crate::budgets::{away_from_midnight, nano_usd};
use crate::client::{Connection, PATIENCE, chat, get};
use crate::envoy::{Gateway, Setup, policy};

const TENANTS: [&str; 4] = ["red", "green", "blue", "black"];
const CALLERS: usize = 32;
const ROUNDS: usize = 6;
/// Of all four tenants together, and of each, for large models (nano-USD).
const BUDGET: u64 = 4_000_000;
const OWN: u64 = 1_500_000;

/// How many requests for large models, and for small ones, were answered and refused.
async fn callers(gateway: &Gateway, tenant: &'static str) -> [[usize; 2]; 2] {
    let tasks = (0..CALLERS).map(|caller| {
        let addr = gateway.addr;
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            let mut counts = [[0; 2]; 2];
            for round in 0..ROUNDS {
                let nth = caller + round * 5;
                let model = ["gpt-4o", "gpt-4o-mini", "the-large-one"][nth % 3];
                let asked = chat(tenant).model(model).sim(&format!("tokens={}", 1 + nth * 7 % 40));
                let asked = if nth.is_multiple_of(4) { asked.without("max_completion_tokens") } else { asked };
                let asked = if nth.is_multiple_of(2) { asked.stream() } else { asked };
                let answer = connection.ask(asked.request()).await;
                let refused = match answer.status {
                    200 => 0,
                    402 => {
                        assert_eq!(answer.json()["error"]["detail"]["model_group"], "large");
                        1
                    }
                    other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
                };
                counts[usize::from(model == "gpt-4o-mini")][refused] += 1;
            }
            counts
        })
    });
    let mut sum = [[0; 2]; 2];
    for task in tasks.collect::<Vec<_>>() {
        let counts = task.await.expect("a caller");
        sum.as_flattened_mut().iter_mut().zip(counts.as_flattened()).for_each(|(sum, count)| *sum += count);
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_spent_on_a_group_of_models_than_a_tenant_and_its_group_may() {
    away_from_midnight().await;
    let unlimited = json!(["request_usd", "day_usd"]);
    let of = |usd: &str| json!({"large": {"budgets": {"day_usd": usd}}});
    let tenant = || json!({"group": "org", "unlimited": unlimited, "model_groups": of("0.0015")});
    let mut policy = policy(Value::Object(TENANTS.map(|name| (name.to_owned(), tenant())).into_iter().collect()));
    policy["aliases"] = json!({"the-large-one": "gpt-4o"});
    // `gpt-4o-mini` is named more exactly elsewhere.
    policy["model_groups"] = json!({"large": ["gpt-4o*"], "small": ["gpt-4o-mini"]});
    policy["groups"] = json!({"org": {"model_groups": of("0.004"), "show_figures": true}});
    let gateway = Gateway::start(Setup::new("model-groups", policy)).await;
    let large = || gateway.provider().ledger().only(|entry| entry.model == "gpt-4o");
    let watched = async {
        loop {
            let billed = large().sum().cost_nanousd;
            assert!(billed <= BUDGET, "{billed} nano-USD billed");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let [red, green, blue, black] = TENANTS.map(|tenant| callers(&gateway, tenant));
    let counts = tokio::select! {
        (red, green, blue, black) = async { tokio::join!(red, green, blue, black) } => [red, green, blue, black],
        () = watched => unreachable!("watches for ever"),
    };
    gateway.provider().settled_ledger(PATIENCE);
    let billed = large().sum().cost_nanousd;
    assert!(billed <= BUDGET && billed > BUDGET / 4, "{billed} nano-USD billed");
    let [[answered, refused], [small, none]] = counts.into_iter().fold([[0; 2]; 2], |mut sum, counts| {
        sum.as_flattened_mut().iter_mut().zip(counts.as_flattened()).for_each(|(sum, count)| *sum += count);
        sum
    });
    assert!(answered > 0 && refused > 0 && small > 0, "{counts:?}");
    assert_eq!(none, 0, "nothing bounds the small ones");

    let (mut told, mut of_org) = (0, 0);
    for tenant in TENANTS {
        let records = gateway.wait_records_of(tenant, CALLERS * ROUNDS).await;
        let large = records.iter().filter(|record| record["model_group"] == "large");
        let spent: u64 = large.filter_map(|record| record["cost_nanousd"].as_u64()).sum();
        assert!(spent <= OWN, "{tenant} has spent {spent} nano-USD");
        told += spent;
        of_org += records.iter().filter(|record| record["refused_group"] == "org").count();
        // What it is told is left is the same, to the nano-dollar.
        let mut asked = get("/api/ai/usage");
        asked.headers_mut().insert("x-tenant-id", tenant.parse().unwrap());
        let page = gateway.ask(asked).await.json();
        let own = &page["accounts"][0];
        assert_eq!((&own["kind"], &own["limits"][0]["reserved"]), (&json!("model_group"), &json!("0.00")), "{page}");
        assert_eq!(nano_usd(&own["spent_today_usd"]), spent);
        let org = &page["accounts"][2];
        assert_eq!((&org["group"], nano_usd(&org["spent_today_usd"])), (&json!("org"), billed), "{page}");
    }
    assert_eq!(told, billed);
    let stats = gateway.stats().await;
    let refusals = |name: &str, group: &str| stats.sum(name, &[("group", group)]);
    assert_eq!(refusals("ai_gateway_model_group_refusals_total", "large"), refused as u64);
    assert_eq!(refusals("ai_gateway_group_refusals_total", "org"), of_org as u64);
    assert_eq!(stats.sum("ai_gateway_settlements_lost_total", &[]), 0);
    assert_eq!(gateway.dead_vms().await, 0);
}
