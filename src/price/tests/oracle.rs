//! Costs against a library that nobody here wrote: `tests/fixtures/oracle.json` holds what genai-prices itself says that
//! 55 of its models cost for 20 usages each. How it is made, `tests/tools/prices/oracle.py` says.

use crate::llm::usage::Usage;
use crate::policy::Policy;
use crate::price::*;
use crate::units::Tokens;
use serde_json::{Value, json};
use std::path::Path;

fn file(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn policy(prices: &Value) -> Policy {
    let policy = json!({"tenants": {"acme": {}}, "prices": prices});
    Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn usage(counts: &Value) -> Usage {
    let known: &[&str] = &[
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cached_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_1h_input_tokens",
        "reasoning_tokens",
        "audio_input_tokens",
        "image_input_tokens",
        "audio_output_tokens",
        "image_output_tokens",
        "images",
        "search_units",
        "web_searches",
    ];
    for name in counts.as_object().unwrap().keys() {
        assert!(known.contains(&name.as_str()), "{name}");
    }
    let count = |name: &str| counts.get(name).map_or(0, |count| count.as_u64().unwrap());
    let tokens = |name: &str| Tokens(count(name));
    Usage {
        input_tokens: tokens("input_tokens"),
        output_tokens: tokens("output_tokens"),
        total_tokens: tokens("total_tokens"),
        cached_input_tokens: tokens("cached_input_tokens"),
        cache_creation_input_tokens: tokens("cache_creation_input_tokens"),
        cache_creation_1h_input_tokens: tokens("cache_creation_1h_input_tokens"),
        reasoning_tokens: tokens("reasoning_tokens"),
        audio_input_tokens: tokens("audio_input_tokens"),
        image_input_tokens: tokens("image_input_tokens"),
        audio_output_tokens: tokens("audio_output_tokens"),
        image_output_tokens: tokens("image_output_tokens"),
        images: count("images"),
        search_units: count("search_units"),
        web_searches: count("web_searches"),
        ..Usage::default()
    }
}

#[test]
fn costs_are_those_that_genai_prices_names() {
    let (models, mut rows) = (file("tests/fixtures/oracle.json"), 0);
    let models = models.as_array().unwrap();
    for model in models {
        let policy = policy(&json!([model["price"]]));
        let price = &policy.prices.prices()[0];
        for case in model["cases"].as_array().unwrap() {
            let cost = price.tariff.cost(&usage(&case["usage"]), case["service_tier"].as_str());
            assert_eq!(cost.0, case["cost_nanousd"].as_u64().unwrap(), "{}: {case}", price.model);
            rows += 1;
        }
    }
    assert!(models.len() >= 50 && rows >= 1_000, "{} models, {rows} rows", models.len());
}

#[test]
fn the_catalogue_is_a_configuration() {
    let catalogue = file("envoy/prices/catalogue.json");
    let policy = policy(&catalogue["prices"]);
    let providers: std::collections::HashSet<&str> =
        policy.prices.prices().iter().filter_map(|price| price.model.as_str().split('/').next()).collect();
    assert!(policy.prices.prices().len() > 1_000 && providers.len() >= 12, "{providers:?}");
    let now = UnixNanos(1_795_478_400_000_000_000);
    for (provider, model) in
        [("openai", "gpt-4o-mini-2024-07-18"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro")]
    {
        assert!(matches!(policy.prices.quote(Some(provider), model, now), Quote::Priced { .. }), "{provider}/{model}");
    }
}
