//! Groups of tenants on two workers: a group's budget holds whoever its members are and whatever their own would allow, and a tenant
//! that is refused all the time costs its siblings nothing.

use serde_json::{Value, json};

use crate::budgets::{away_from_midnight, nano_usd};
use crate::client::{Connection, PATIENCE, chat, eventually, get};
use crate::envoy::{Gateway, Setup, policy};

const TENANTS: [&str; 4] = ["red", "green", "blue", "black"];
const CALLERS: usize = 32;
const ROUNDS: usize = 8;

/// The tenants are of two teams of one organisation, with budgets (nano-USD) that the tests set.
fn house(org: Value, team: Value) -> Value {
    let tenant = |team: &str| json!({"group": team, "unlimited": ["request_usd"], "budgets": {"day_usd": "0.004"}});
    let mut policy = policy(json!({
        "red": tenant("one"), "green": tenant("one"), "blue": tenant("two"), "black": tenant("two"),
        "alone": {"unlimited": ["request_usd", "day_usd"]},
    }));
    let mut of_org = team;
    of_org["parent"] = json!("org");
    policy["groups"] = json!({"one": of_org, "two": of_org, "org": org});
    policy
}

/// Answers by status: 200, 402 and 429.
async fn callers(gateway: &Gateway, tenant: &'static str, callers: usize, rounds: usize) -> [usize; 3] {
    let tasks = (0..callers).map(|caller| {
        let addr = gateway.addr;
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            let mut counts = [0; 3];
            for round in 0..rounds {
                let nth = caller + round * 5;
                let asked = chat(tenant).sim(&format!("tokens={}", 1 + nth * 7 % 40));
                let asked = asked.saying(&"Settle this account. ".repeat(1 + nth % 9));
                let asked = if nth.is_multiple_of(3) { asked.without("max_completion_tokens") } else { asked };
                let asked = if nth.is_multiple_of(2) { asked.stream() } else { asked };
                let answer = connection.ask(asked.request()).await;
                match answer.status {
                    200 => counts[0] += 1,
                    402 => counts[1] += 1,
                    429 => counts[2] += 1,
                    other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
                }
            }
            counts
        })
    });
    let mut sum = [0; 3];
    for task in tasks.collect::<Vec<_>>() {
        let counts = task.await.expect("a caller");
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sum
}

/// Each of the four could spend all of it by itself.
#[tokio::test(flavor = "multi_thread")]
async fn four_tenants_never_pass_their_groups_budget_and_its_books_are_theirs() {
    away_from_midnight().await;
    const BUDGET: u64 = 1_000_000;
    let org = json!({"budgets": {"day_usd": "0.001"}, "show_figures": true});
    let gateway = Gateway::start(Setup::new("groups", house(org, json!({})))).await;
    let watched = async {
        loop {
            let billed = gateway.provider().ledger().sum().cost_nanousd;
            assert!(billed <= BUDGET, "{billed} nano-USD billed");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let [red, green, blue, black] = TENANTS.map(|tenant| callers(&gateway, tenant, CALLERS, ROUNDS));
    let counts = tokio::select! {
        (red, green, blue, black) = async { tokio::join!(red, green, blue, black) } => [red, green, blue, black],
        () = watched => unreachable!("watches for ever"),
    };
    let sum = |at: usize| counts.iter().map(|counts| counts[at]).sum::<usize>();
    assert!(sum(0) > 0 && sum(1) > 0 && sum(2) == 0, "{counts:?}");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd;
    assert!(billed <= BUDGET && billed > BUDGET / 4, "{billed} nano-USD billed");

    // Ledger, records, series of the tenants and gauges of their groups name one sum.
    let (mut told, mut by_org) = (0, 0);
    for tenant in TENANTS {
        let records = gateway.wait_records_of(tenant, CALLERS * ROUNDS).await;
        told += records.iter().filter_map(|record| record["cost_nanousd"].as_u64()).sum::<u64>();
        by_org += records.iter().filter(|record| record["refused_group"] == "org").count() as u64;
    }
    assert_eq!(told, billed);
    let gauges = ["one", "two", "org"].map(|group| [("group", group)]);
    let levels = async || {
        let stats = gateway.stats().await;
        let [one, two, org] = gauges.map(|of| stats.sum("ai_gateway_group_spent_today_nanousd", &of));
        let reserved: u64 = gauges.iter().map(|of| stats.sum("ai_gateway_group_reserved_nanousd", of)).sum();
        [one + two, org, reserved]
    };
    eventually("the groups' gauges", levels, |levels| *levels == [billed, billed, 0]).await;
    let stats = gateway.stats().await;
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[]), billed, "a cost is attributed once");
    let refused = stats.sum("ai_gateway_group_refusals_total", &[("group", "org")]);
    assert!(refused == by_org && by_org > 0, "{refused} {by_org}");
    assert_eq!(stats.sum("ai_gateway_settlements_lost_total", &[]), 0);
    // What a member is told of what is left is the same, to the nano-dollar.
    let mut asked = get("/api/ai/usage");
    asked.headers_mut().insert("x-tenant-id", "red".parse().unwrap());
    let page = gateway.ask(asked).await.json();
    let (org, day) = (&page["accounts"][2], &page["accounts"][2]["limits"][0]);
    assert_eq!((&org["name"], &day["guard"], &day["reserved"]), (&json!("org"), &json!("day_usd"), &json!("0.00")));
    assert_eq!(
        [&org["spent_today_usd"], &day["used"], &day["remaining"]].map(nano_usd),
        [billed, billed, BUDGET - billed]
    );
    assert_eq!(page["accounts"][1], json!({"kind": "group", "name": "one"}), "what it keeps to itself");
    let detail = gateway.ask(chat("red").field("max_completion_tokens", 100_000).request()).await.json();
    assert_eq!(detail["error"]["detail"]["reserved"], "0.00", "{detail}");
}

/// A request that its own tenant refuses never comes to what it shares.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_tenants_refused_requests_costs_its_siblings_not_one_refusal() {
    away_from_midnight().await;
    let mut policy = house(json!({"budgets": {"day_usd": "1"}}), json!({"limits": {"requests_per_minute": 600}}));
    for tenant in TENANTS {
        policy["tenants"][tenant]["budgets"] = json!({"day_usd": "1"});
    }
    policy["tenants"]["red"]["limits"] = json!({"requests_per_minute": 5});
    let gateway = Gateway::start(Setup::new("group-flood", policy)).await;
    let (flood, sibling) = tokio::join!(callers(&gateway, "red", 2 * CALLERS, 20), callers(&gateway, "green", 8, 20));
    assert_eq!(flood, [5, 0, 2 * CALLERS * 20 - 5]);
    assert_eq!(sibling, [160, 0, 0], "a sibling was refused for what another asked");
    let stats = gateway.stats().await;
    assert_eq!(stats.sum("ai_gateway_group_refusals_total", &[]), 0);
}

/// 32 callers of each of four tenants at once, whose answers take a while.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_in_flight_than_a_group_and_a_tenant_may_have() {
    const MOST: usize = 12;
    let mut policy = house(json!({"limits": {"in_flight": MOST}}), json!({}));
    for tenant in TENANTS {
        policy["tenants"][tenant]["budgets"] = json!({"day_usd": "1"});
    }
    policy["tenants"]["red"]["limits"] = json!({"in_flight": 3});
    let gateway = Gateway::start(Setup::new("group-in-flight", policy)).await;
    let callers = TENANTS.into_iter().flat_map(|tenant| (0..CALLERS).map(move |caller| (tenant, caller))).map(
        |(tenant, caller)| {
            let addr = gateway.addr;
            tokio::spawn(async move {
                let mut connection = Connection::open(addr).await;
                let mut refused = [0, 0];
                for round in 0..ROUNDS {
                    let asked = chat(tenant).sim("tokens=8; delay_ms=20; gap_ms=5");
                    let asked = if (caller + round).is_multiple_of(2) { asked.stream() } else { asked };
                    let answer = connection.ask(asked.request()).await;
                    if answer.status != 200 {
                        assert_eq!((answer.status, answer.code().as_str()), (429, "in_flight_limited"));
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        refused[usize::from(answer.json()["error"]["detail"]["group"] == "org")] += 1;
                    }
                }
                refused
            })
        },
    );
    let callers: Vec<_> = callers.collect();
    let watched = async {
        let mut most = 0;
        while callers.iter().any(|caller| !caller.is_finished()) {
            most = most.max(gateway.provider().ledger().open());
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        most
    };
    let most = watched.await;
    let mut refused = [0, 0];
    for caller in callers {
        let counts = caller.await.expect("a caller");
        refused = [refused[0] + counts[0], refused[1] + counts[1]];
    }
    assert!(most <= MOST && most > MOST / 2, "{most} in flight");
    let [own, of_org] = refused;
    assert!(own > 0 && of_org > 0, "{own} by the tenant, {of_org} by the group");
    // All of it is over: as many go on as may.
    let levels = async || gateway.stats().await.sum("ai_gateway_group_in_flight", &[("group", "org")]);
    eventually("nothing in flight", levels, |in_flight| *in_flight == 0).await;
}
