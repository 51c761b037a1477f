//! Limits under a crowd: both workers admit from the same cell, and the provider's ledger counts what got through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use simulated_provider::Sum;

use crate::client::{Connection, PATIENCE, chat};
use crate::envoy::{Gateway, Setup, policy};

const CONNECTIONS: usize = 64;
const OFFERED: usize = 5_000;
const LIMIT: usize = 500;
const RUNS: usize = 5;

/// Asks from 64 connections until `offered` requests were made, and counts the answers by status.
pub async fn crowd(gateway: &Gateway, tenant: &str, offered: usize) -> [usize; 2] {
    let left = Arc::new(AtomicUsize::new(offered));
    let callers = (0..CONNECTIONS).map(|_| {
        let (left, addr, tenant) = (left.clone(), gateway.addr, tenant.to_owned());
        tokio::spawn(async move {
            let mut connection = Connection::open(addr).await;
            let asked = chat(&tenant).sim("tokens=1");
            let mut counts = [0, 0];
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                match connection.ask(asked.request()).await {
                    answer if answer.status == 200 => counts[0] += 1,
                    answer => {
                        assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
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

#[tokio::test(flavor = "multi_thread")]
async fn of_5000_requests_by_64_connections_exactly_500_pass() {
    let tenant = |run: usize| format!("crowd-{run}");
    // An hour, so that no machine is too slow for its window.
    let limited = json!({"limits": {"requests_per_hour": LIMIT}});
    let tenants: serde_json::Map<String, Value> = (0..RUNS).map(|run| (tenant(run), limited.clone())).collect();
    let gateway = Gateway::start(Setup::new("limits", policy(Value::Object(tenants)))).await;
    for run in 0..RUNS {
        gateway.provider().clear();
        let [passed, refused] = crowd(&gateway, &tenant(run), OFFERED).await;
        let Sum { requests, billed_requests, cost_nanousd, .. } = gateway.provider().settled_ledger(PATIENCE).sum();
        assert_eq!((requests, billed_requests), (LIMIT as u64, LIMIT as u64), "run {run}: what reached the provider");
        assert_eq!((passed, refused), (LIMIT, OFFERED - LIMIT), "run {run}: what the clients saw");
        let (tenant, counted) = (tenant(run), "ai_gateway_requests_total");
        let stats = gateway.settled(&tenant, cost_nanousd).await;
        let told = |status| stats.sum(counted, &[("tenant", &tenant), ("status", status)]);
        assert_eq!(
            (told("success"), told("rate_limited")),
            (LIMIT as u64, (OFFERED - LIMIT) as u64),
            "run {run}: stats"
        );
    }
    let connections = gateway.admin("/stats?filter=worker_.*downstream_cx_total").await;
    println!("connections by worker:\n{connections}");
}
