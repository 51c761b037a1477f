//! What Istio's own pilot makes of `envoy/istio` (`tests/tools/istio` wrote it down), run by a stock Envoy: Istio's names of clusters and
//! filters, its routes, its regexes for stats.
//!
//! Left out is what only Istio's build of Envoy has (filters named `istio.…`).

use std::path::Path;

use serde_json::{Value, json};

use crate::translated::{bootstrap, by_its_name, code_from_file, here, serves, simulated, told};

const CLUSTER: &str = "outbound|443||api.openai.com";

/// In the place of the issuer's keys: one that signed these tokens until the year 2100, for nobody but this test.
const KEYS: &str =
    r#"{"keys": [{"kty": "oct", "alg": "HS256", "kid": "test", "k": "b2Ytbm9ib2R5LWFuZC1vZi10aGlzLXRlc3QtYWxvbmU"}]}"#;
/// Of `https://login.example.com` for `ai-gateway`, with the claim `tenant: acme`.
const ACME: &str = "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoiYWktZ2F0ZXdheSIsInN1YiI6InNvbWVib2R5IiwiZXhwIjo0MTAyNDQ0ODAwLCJ0ZW5hbnQiOiJhY21lIn0.a9fAiEuc4bWDZmkukobQm5cR47HOaZUVVCIIRKgDbY4";
const NO_TENANT: &str = "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoiYWktZ2F0ZXdheSIsInN1YiI6InNvbWVib2R5IiwiZXhwIjo0MTAyNDQ0ODAwfQ.ef6HmO1QQZF_UIfM6w-JPW4ZP44TvIhiQeCHVdrgWn8";
const FOR_ANOTHER: &str = "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoiYW5vdGhlciIsInN1YiI6InNvbWVib2R5IiwiZXhwIjo0MTAyNDQ0ODAwLCJ0ZW5hbnQiOiJhY21lIn0.VYONpQLL4AjPAuELxqpprAuozUHIEZR9bDRoDCPCe9M";

fn without_istios_own(filters: &mut Value) {
    filters.as_array_mut().unwrap().retain(|filter| !filter["name"].as_str().unwrap().starts_with("istio."));
}

fn configuration(mode: &str, provider: u16, dir: &Path) -> Value {
    let mut istio = told("istio", mode);
    let mut listener = by_its_name(&mut istio["listeners"], "0.0.0.0_80");
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    without_istios_own(&mut manager["http_filters"]);
    here(manager, by_its_name(&mut istio["routes"], "http.80"), dir);
    let mut asks = false;
    for filter in manager["http_filters"].as_array_mut().unwrap() {
        let issuers = filter.pointer_mut("/typed_config/providers").and_then(Value::as_object_mut);
        for (_, issuer) in issuers.into_iter().flatten() {
            issuer["local_jwks"] = json!({"inline_string": KEYS});
            asks = true;
        }
        if filter.get("config_discovery").is_some() {
            let name = filter["name"].as_str().unwrap().to_owned();
            *filter = by_its_name(&mut istio["extensions"], &name);
            code_from_file(filter);
        }
    }
    assert!(asks, "nobody is asked for a token");
    let mut cluster = by_its_name(&mut istio["clusters"], CLUSTER);
    without_istios_own(&mut cluster["filters"]);
    simulated(&mut cluster, provider);
    bootstrap(listener, cluster, &istio["stats_config"], "prometheus_stats")
}

async fn replayed(mode: &str) {
    let name = format!("istio-{mode}");
    let strangers = [NO_TENANT, FOR_ANOTHER, "Bearer another"].map(|token| ("authorization", token));
    let here = |provider, dir: &Path| configuration(mode, provider, dir);
    serves(&name, CLUSTER, ("authorization", ACME), &strangers, true, here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_a_wasmplugin_serves() {
    replayed("bare").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_istio_makes_of_the_envoyfilter_serves() {
    replayed("held").await;
}
