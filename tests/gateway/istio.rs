//! What Istio's own pilot makes of `envoy/istio` (`tests/istio` wrote it down), run by a stock Envoy: Istio's names of clusters and
//! filters, its routes, its regexes for stats.
//!
//! Left out is what only Istio's build of Envoy has (filters named `istio.…`).

use std::path::Path;

use serde_json::Value;

use crate::translated::{bootstrap, by_its_name, code_from_file, here, serves, simulated, told};

const CLUSTER: &str = "outbound|443||api.openai.com";

fn without_istios_own(filters: &mut Value) {
    filters.as_array_mut().unwrap().retain(|filter| !filter["name"].as_str().unwrap().starts_with("istio."));
}

fn configuration(mode: &str, provider: u16, dir: &Path) -> Value {
    let mut istio = told("istio", mode);
    let mut listener = by_its_name(&mut istio["listeners"], "0.0.0.0_80");
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    without_istios_own(&mut manager["http_filters"]);
    here(manager, by_its_name(&mut istio["routes"], "http.80"), dir);
    for filter in manager["http_filters"].as_array_mut().unwrap() {
        if filter.get("config_discovery").is_some() {
            let name = filter["name"].as_str().unwrap().to_owned();
            *filter = by_its_name(&mut istio["extensions"], &name);
            code_from_file(filter);
        }
    }
    let mut cluster = by_its_name(&mut istio["clusters"], CLUSTER);
    without_istios_own(&mut cluster["filters"]);
    simulated(&mut cluster, provider);
    bootstrap(listener, cluster, &istio["stats_config"], "prometheus_stats")
}

async fn replayed(mode: &str) {
    serves(&format!("istio-{mode}"), CLUSTER, |provider, dir| configuration(mode, provider, dir)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_a_wasmplugin_serves() {
    replayed("bare").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_the_envoyfilter_serves() {
    replayed("held").await;
}
