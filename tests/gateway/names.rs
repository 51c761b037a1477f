//! Names that clients make up: each request brings a tenant, a role and a model that nobody has heard of.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::client::{Connection, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

const NAMES: usize = 100_000;
const A_REQUEST: usize = 3;
const CALLERS: usize = 16;

/// Asks until so many requests were made; one in a hundred is let pass and counted under what it brought.
async fn crowd(gateway: &Gateway, from: usize, to: usize) {
    let next = Arc::new(AtomicUsize::new(from));
    let callers = (0..CALLERS).map(|_| {
        let (next, addr) = (next.clone(), gateway.addr);
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= to {
                    return;
                }
                let tenant = if nth.is_multiple_of(100) { "acme".to_owned() } else { format!("tenant-{nth}") };
                let asked = chat(&tenant).model(&format!("model-{nth}")).header("x-ai-role", &format!("role-{nth}"));
                let answer = connection.ask(asked.sim("tokens=1").request()).await;
                assert!(matches!(answer.status, 200 | 429), "{answer:?}");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("a caller");
    }
}

/// The names of all stats that this Envoy has, its own included.
async fn series(gateway: &Gateway) -> BTreeSet<String> {
    let all = gateway.admin("/stats/prometheus?usedonly").await;
    all.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_made_up_names_add_no_series_to_envoy() {
    let mut policy = policy(json!({"acme": free_tenant(), "default": {"limits": {"requests_per_minute": 10}}}));
    policy["unknown_tenants"] = json!("share_default");
    policy["unpriced"] = json!({"policy": "allow"});
    let gateway = Gateway::start(Setup::new("names", policy)).await;
    // Everything that such requests can come to has come once, in both workers.
    crowd(&gateway, 0, 2_000).await;
    // Gauges follow within two seconds, and Envoy merges the workers' histograms every five: once they know of all, all is there.
    gateway.polls(3).await;
    let merged = async || {
        let stats = gateway.stats().await;
        let success = [("status", "success")];
        ["ai_gateway_request_duration_ms_count", "ai_gateway_requests_total"].map(|name| stats.sum(name, &success))
    };
    eventually("the histograms", merged, |[timed, counted]| timed == counted && *counted >= 20).await;
    let before = series(&gateway).await;
    crowd(&gateway, 2_000, NAMES / A_REQUEST + 2_000).await;
    let after = series(&gateway).await;
    // Envoy may have met with something of its own meanwhile, which is nothing that a client has named.
    let made_up = |name: &str| ["ai_gateway", "tenant-", "model-", "role-"].iter().any(|word| name.contains(word));
    let new: Vec<_> = after.difference(&before).filter(|name| made_up(name)).collect();
    assert_eq!(new, [""; 0]);
    let stats = gateway.stats().await;
    let of = [("tenant", "default"), ("role", "other"), ("model", "other"), ("status", "rate_limited")];
    assert!(stats.sum("ai_gateway_requests_total", &of) > 30_000, "{stats:?}");
    assert!(stats.sum("ai_gateway_requests_total", &[("tenant", "acme"), ("status", "success")]) > 300, "{stats:?}");
    assert_eq!(gateway.dead_vms().await, 0);
}
