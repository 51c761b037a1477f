//! What Istio's own pilot makes of `envoy/istio` (`tests/istio` wrote it down), run by a stock Envoy: Istio's names of clusters and
//! filters, its routes, its regexes for stats.
//!
//! Left out is what only Istio's build of Envoy has (filters named `istio.…`), and the TLS to the real provider, in whose place
//! the simulated one stands. In the place of Istio's agent, the filter's code is a file, and nothing comes by ADS.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use simulated_provider::Provider;

use crate::client::{PATIENCE, chat};
use crate::envoy::{Gateway, free_ports, wasm};

const CLUSTER: &str = "outbound|443||api.openai.com";

fn without_istios_own(filters: &mut Value) {
    filters.as_array_mut().unwrap().retain(|filter| !filter["name"].as_str().unwrap().starts_with("istio."));
}

fn by_its_name(resources: &mut Value, name: &str) -> Value {
    let found = resources.as_array_mut().unwrap().iter_mut().find(|resource| resource["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}")).take()
}

fn configuration(mode: &str, provider: SocketAddr, dir: &Path) -> Value {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/istio/{mode}.json"));
    let mut istio: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    let mut listener = by_its_name(&mut istio["listeners"], "0.0.0.0_80");
    listener["name"] = json!("gateway");
    listener["address"]["socket_address"] = json!({"address": "127.0.0.1", "port_value": 0});
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    without_istios_own(&mut manager["http_filters"]);
    manager.as_object_mut().unwrap().remove("rds");
    manager["route_config"] = by_its_name(&mut istio["routes"], "http.80");
    for log in manager["access_log"].as_array_mut().unwrap() {
        log["typed_config"]["path"] = json!(dir.join("access.log"));
    }
    for filter in manager["http_filters"].as_array_mut().unwrap() {
        if filter.get("config_discovery").is_some() {
            let name = filter["name"].as_str().unwrap().to_owned();
            let mut extension = by_its_name(&mut istio["extensions"], &name);
            extension["typed_config"]["config"]["vm_config"]["code"] = json!({"local": {"filename": wasm()}});
            *filter = extension;
        }
    }
    let mut cluster = by_its_name(&mut istio["clusters"], CLUSTER);
    without_istios_own(&mut cluster["filters"]);
    for real in ["transport_socket", "transport_socket_matches"] {
        cluster.as_object_mut().unwrap().remove(real);
    }
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": provider.port()}});
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = address;
    let [port] = free_ports();
    let admin = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": admin},
        "stats_config": istio["stats_config"],
        "static_resources": {
            "listeners": [listener],
            "clusters": [cluster, {
                "name": "prometheus_stats",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "prometheus_stats",
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": admin}}]}],
                },
            }],
        },
    })
}

async fn replayed(mode: &str) {
    let provider = Provider::start();
    let addr = provider.addr;
    let gateway = Gateway::of(&format!("istio-{mode}"), provider, |dir| configuration(mode, addr, dir)).await;
    let answer = gateway.ask(chat("acme").request()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = gateway.record_of(&answer).await;
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    let cost = billed.cost_nanousd;
    assert!(cost > 0);
    assert_eq!((&record["cost_nanousd"], &record["provider"]), (&json!(cost), &json!("openai")));
    let refused = gateway.ask(chat("acme").model("unknown").request()).await;
    assert_eq!((refused.status, refused.code().as_str()), (402, "model_unpriced"));
    assert_eq!(gateway.provider().settled_ledger(PATIENCE).sum().billed_requests, billed.billed_requests);
    assert_eq!(gateway.ask(chat("nobody").request()).await.code(), "tenant_unknown");

    let stats = gateway.settled("acme", cost).await;
    let model = [("model", "gpt-4o-mini*"), ("provider", "openai"), ("tenant", "acme")];
    assert_eq!(stats.one("ai_gateway_cost_nanousd_total", &model), Some(cost));
    let requests = [("provider", "openai"), ("role", "none"), ("tenant", "acme"), ("status", "success")];
    assert_eq!(stats.one("ai_gateway_requests_total", &requests), Some(1));
    let breaker = gateway.admin("/stats/prometheus?filter=outlier_detection").await;
    assert!(breaker.contains(&format!("ejections_active{{cluster_name=\"{CLUSTER}\"}} 0")), "{breaker}");
    assert_eq!(gateway.ask(crate::client::get("/elsewhere")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_a_wasmplugin_serves() {
    replayed("bare").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_the_envoyfilter_serves() {
    replayed("held").await;
}
