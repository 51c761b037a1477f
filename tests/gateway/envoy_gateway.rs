//! What Envoy Gateway makes of `envoy/envoy-gateway` (`tests/tools/envoy-gateway` wrote it down), run by a stock Envoy: its names of clusters
//! and filters, its routes that switch the filter on, the labels that its bootstrap is given.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::top;
use crate::translated::{bootstrap, by_its_name, code_from_file, here, serves, simulated, told};

const CLUSTER: &str = "httproute/ai/openai/rule/0";
/// Of acme. What was told of clients was told without their keys.
const KEY: &str = "nexus-dummy-of-acme";

/// Whatever is called `credentials` in there, and how many there are.
fn with_clients(told: &mut Value) -> usize {
    match told {
        Value::Object(fields) => fields
            .iter_mut()
            .map(|(name, value)| {
                if name == "credentials" {
                    *value = json!([{"client": "acme", "key": KEY}]);
                    return 1;
                }
                with_clients(value)
            })
            .sum(),
        Value::Array(items) => items.iter_mut().map(with_clients).sum(),
        _ => 0,
    }
}

fn configuration(mode: &str, provider: u16, dir: &Path) -> Value {
    let mut made = told("envoy-gateway", mode);
    let mut listener = by_its_name(&mut made["listeners"], "ai/ai/http");
    // Its own line for requests without a route.
    listener.as_object_mut().unwrap().remove("access_log");
    assert!(with_clients(&mut made["routes"]) + with_clients(&mut listener) > 0, "nobody is asked for a key");
    let filters = listener["default_filter_chain"]["filters"].as_array_mut().unwrap();
    let last = filters.last_mut().expect("the connection manager, behind the limit of connections");
    let manager = &mut last["typed_config"];
    here(manager, by_its_name(&mut made["routes"], "ai/ai/http"), dir);
    let filters = manager["http_filters"].as_array_mut().unwrap();
    let ours = filters.iter_mut().find(|filter| filter["typed_config"]["config"]["root_id"] == "nexus_ai_gateway");
    let ours = ours.expect("the filter");
    code_from_file(ours);
    let held = ours["typed_config"]["config"].get("allow_on_headers_stop_iteration").is_some();
    assert_eq!(held, mode == "held", "patch.yaml has found the filter");
    let mut cluster = by_its_name(&mut made["clusters"], CLUSTER);
    simulated(&mut cluster, provider);
    // The choice between HTTP/1.1 and 2 is TLS's.
    let options =
        &mut cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    options.as_object_mut().unwrap().remove("auto_config");
    options["explicit_http_config"] = json!({"http_protocol_options": {}});
    bootstrap(listener, cluster, &made["stats_config"], "admin")
}

async fn replayed(mode: &str) {
    let name = format!("envoy-gateway-{mode}");
    let strangers = [("x-api-key", "another"), ("authorization", "Bearer another")];
    let here = |provider, dir: &Path| configuration(mode, provider, dir);
    serves(&name, CLUSTER, ("x-api-key", KEY), &strangers, mode == "held", here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_envoy_gateway_makes_of_the_extension_policy_serves() {
    replayed("bare").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_envoy_gateway_makes_of_the_patch_serves() {
    replayed("held").await;
}

/// Envoy reads labels and buckets from a bootstrap that each way of starting it writes anew.
#[test]
fn the_stats_are_labelled_as_in_the_shipped_configuration() {
    let read = |file: &str| fs::read_to_string(top().join("envoy").join(file)).unwrap();
    let labels = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| line.trim() != "stats_config:").map(str::trim);
        let begins = ["stats_config:", "stats_tags:", "- ", "histogram_bucket_settings:", "buckets:"];
        lines
            .take_while(|line| begins.iter().any(|begin| line.starts_with(begin)) && *line != "---")
            .map(str::to_owned)
            .collect()
    };
    let shipped = labels(&read("envoy.yaml"));
    assert!(shipped.len() > 15, "{shipped:?}");
    assert_eq!(labels(&read("envoy-gateway/gateway.yaml")), shipped);
}
