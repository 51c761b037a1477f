//! What control planes make of the manifests, run by a stock Envoy: their names of clusters and filters, their routes, their
//! labels of stats.
//!
//! Their agents and servers don't run here: the filter's code is read from a file, and nothing comes by ADS. The simulated provider,
//! without TLS, stands for the real one.

use std::fs;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use simulated_provider::Provider;

use crate::client::{PATIENCE, chat};
use crate::envoy::{Gateway, free_ports, wasm};
use crate::inflated::{gzip, zstd};
use crate::top;

/// What a control plane made of its manifests, for one mode of the filter.
pub fn told(control_plane: &str, mode: &str) -> Value {
    let fixture = top().join(format!("tests/fixtures/{control_plane}/{mode}.json"));
    serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap()
}

pub fn by_its_name(resources: &mut Value, name: &str) -> Value {
    let found = resources.as_array_mut().unwrap().iter_mut().find(|resource| resource["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}")).take()
}

/// The connection manager as it is here: with its routes, its logs in `dir`.
pub fn here(manager: &mut Value, routes: Value, dir: &Path) {
    manager.as_object_mut().unwrap().remove("rds");
    manager["route_config"] = routes;
    for log in manager["access_log"].as_array_mut().unwrap() {
        log["typed_config"]["path"] = json!(dir.join("access.log"));
    }
}

pub fn code_from_file(filter: &mut Value) {
    filter["typed_config"]["config"]["vm_config"]["code"] = json!({"local": {"filename": wasm()}});
}

/// The cluster of the real provider, with the simulated one behind it.
pub fn simulated(cluster: &mut Value, port: u16) {
    for real in ["transport_socket", "transport_socket_matches"] {
        cluster.as_object_mut().unwrap().remove(real);
    }
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = address;
}

/// Envoy's bootstrap around what was told, which finds its own admin by the name `admin_cluster`.
pub fn bootstrap(mut listener: Value, cluster: Value, stats_config: &Value, admin_cluster: &str) -> Value {
    listener["name"] = json!("gateway");
    listener["address"]["socket_address"] = json!({"address": "127.0.0.1", "port_value": 0});
    let [port] = free_ports();
    let admin = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": admin},
        "stats_config": stats_config,
        "static_resources": {
            "listeners": [listener],
            "clusters": [cluster, {
                "name": admin_cluster,
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": admin_cluster,
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": admin}}]}],
                },
            }],
        },
    })
}

/// A call is answered, charged as the provider bills it, and counted under the right labels; a refused one costs nothing; the breaker of
/// `cluster` is closed; and no other path leads anywhere.
/// `key` is acme's; by `strangers` nobody is anybody, whatever tenant they name. Where the control plane lets Envoy be told more
/// (`patched`), what it refuses by itself is in the words of the path's API, and gzip is inflated.
pub async fn serves(
    name: &str,
    cluster: &str,
    key: (&'static str, &str),
    strangers: &[(&'static str, &str)],
    patched: bool,
    configuration: impl FnOnce(u16, &Path) -> Value,
) {
    let provider = Provider::start();
    let port = provider.addr.port();
    let gateway = Gateway::of(name, provider, |dir| configuration(port, dir)).await;
    let chat = |tenant: &str| chat(tenant).header(key.0, key.1);
    // What a client says of itself counts for nothing.
    let answer = gateway.ask(chat("test-tenant").request()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = gateway.record_of(&answer).await;
    assert_eq!(record["tenant"], "acme");
    let entry = gateway.entry_of(&record).expect("the provider's entry");
    assert_eq!((entry.tenant, entry.keys), (None, vec![]), "neither the tenant's name nor its key goes on");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    let cost = billed.cost_nanousd;
    assert!(cost > 0);
    assert_eq!((&record["cost_nanousd"], &record["provider"]), (&json!(cost), &json!("openai")));
    let refused = gateway.ask(chat("acme").model("unknown").request()).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "model_unpriced"));
    assert_eq!(gateway.provider().settled_ledger(PATIENCE).sum().billed_requests, billed.billed_requests);
    let nobody = crate::client::chat("acme");
    for stranger in strangers.iter().map(|(name, value)| nobody.clone().header(name, value)).chain([nobody.clone()]) {
        let answer = gateway.ask(stranger.request()).await;
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        // In OpenAI's words, and some clients would try again what isn't said to be final.
        assert!(answer.json()["error"]["message"].is_string(), "{answer:?}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{answer:?}");
    }
    assert_eq!(gateway.provider().settled_ledger(PATIENCE).sum().billed_requests, billed.billed_requests);

    let stats = gateway.settled("acme", cost).await;
    let model = [("model", "gpt-4o-mini"), ("provider", "openai"), ("tenant", "acme")];
    assert_eq!(stats.one("ai_gateway_cost_nanousd_total", &model), Some(cost));
    let requests = [("provider", "openai"), ("role", "none"), ("tenant", "acme"), ("status", "success")];
    assert_eq!(stats.one("ai_gateway_requests_total", &requests), Some(1));
    let breaker = gateway.admin("/stats/prometheus?filter=outlier_detection").await;
    // Istio's label is `cluster_name`, Envoy's `envoy_cluster_name`.
    let closed = format!("cluster_name=\"{cluster}\"}} 0");
    let is_closed = |line: &str| line.contains("ejections_active{") && line.ends_with(&closed);
    assert!(breaker.lines().any(is_closed), "{breaker}");
    let elsewhere = gateway.ask(crate::client::get("/elsewhere")).await;
    assert!(matches!(elsewhere.status, 401 | 403 | 404), "{elsewhere:?}");
    keeps_responses(&gateway, key).await;
    if !patched {
        return;
    }
    for (path, pointer, words) in [
        ("/v1/messages/batches", "/error/type", ["permission_error", "not_found_error"]),
        ("/v1beta/models/none:generateContent", "/error/status", ["PERMISSION_DENIED", "NOT_FOUND"]),
        ("/v1/nothing", "/error/code", ["tenant_unknown", "not_found"]),
    ] {
        let answer = gateway.ask(crate::client::get(path)).await;
        let word = answer.json().pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        assert!(word.is_some_and(|word| words.contains(&&*word)), "{path}: {answer:?}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}: {answer:?}");
    }
    let asked = chat("acme");
    let gzipped = gzip(&asked.body());
    for (encoding, body, status) in
        [("gzip", gzipped.clone(), 200), ("gzip, gzip", gzipped, 415), ("zstd", zstd(&asked.body()), 415)]
    {
        let asked = chat("acme").header("content-encoding", encoding);
        assert_eq!(gateway.ask(asked.request_with(body)).await.status, status, "{encoding}");
    }
}

/// What the provider keeps is read and deleted by its tenant, and what nobody made is not there.
async fn keeps_responses(gateway: &Gateway, (name, key): (&'static str, &str)) {
    let ask = |method: &str, path: &str, body: &str| {
        let head = Request::builder().method(method).uri(path).header(name, key);
        let head = head.header("content-type", "application/json");
        gateway.ask(head.body(Full::new(Bytes::from(body.to_owned())).boxed()).unwrap())
    };
    let asked = json!({"model": "gpt-4o-mini", "input": "Hello", "max_output_tokens": 9}).to_string();
    let made = ask("POST", "/v1/responses", &asked).await;
    assert_eq!(made.status, 200, "{made:?}");
    let own = format!("/v1/responses/{}", made.json()["id"].as_str().unwrap());
    for (method, path) in [("GET", own.clone()), ("GET", format!("{own}/input_items")), ("DELETE", own.clone())] {
        let answer = ask(method, &path, "").await;
        // The simulated provider deletes nothing, and says so itself.
        assert!(answer.status == 200 || method == "DELETE", "{method} {path}: {}", answer.text());
        let ours = ["response_not_found", "does not serve"].map(|words| answer.text().contains(words));
        assert_eq!(ours, [false; 2], "{method} {path}: {}", answer.text());
    }
    for (method, path) in [("GET", "/v1/responses/resp_7"), ("POST", "/v1/responses/resp_7/cancel")] {
        let answer = ask(method, path, "").await;
        assert_eq!((answer.status, &*answer.code()), (404, "response_not_found"), "{method} {path}: {}", answer.text());
    }
}
