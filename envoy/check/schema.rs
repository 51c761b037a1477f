//! The JSON Schema of a configuration, from the types that read it.

use nexus_ai_gateway::config::{Config, Upstream};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Draft 7: what every editor knows.
pub fn schema() -> Value {
    let mut schemas = SchemaSettings::draft07().for_deserialize().into_generator();
    let (gateway, attempt) = (schemas.subschema_for::<Config>(), schemas.subschema_for::<Upstream>());
    let mut definitions = schemas.take_definitions(true);
    definitions.insert(
        "Plugin".to_owned(),
        json!({"if": {"type": "object", "required": ["attempt_of"]}, "then": attempt, "else": gateway}),
    );
    let plugin = json!({"$ref": "#/definitions/Plugin"});
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Nexus AI Gateway for Envoy",
        "description": "The configuration of the plugin, alone in a file or in a manifest of Kubernetes.",
        "if": {"type": "object", "required": ["apiVersion", "kind"]},
        "then": {"properties": {"spec": {"properties": {
            "pluginConfig": plugin,
            // Of a TrafficExtension a map, of an EnvoyExtensionPolicy a list.
            "wasm": {"properties": {"pluginConfig": plugin}, "items": {"properties": {"config": plugin}}},
        }}}},
        "else": plugin,
        "definitions": definitions,
    });
    without_null(&mut schema);
    with_defaults(&mut schema);
    schema
}

/// What the reader takes for a key that is left out, where the types don't tell.
fn with_defaults(schema: &mut Value) {
    let tier = |request: &str, day: &str| json!({"budgets": {"request_usd": request, "day_usd": day}});
    let mut agent = tier("6", "50");
    agent["limits"] = json!({
        "requests_per_minute": 120, "requests_per_hour": 3000, "requests_per_day": 20000, "expensive_per_minute": 60
    });
    for (definition, key, default) in [
        ("Config", "tenant_header", json!("x-tenant-id")),
        ("Config", "unknown_tenants", json!("refuse")),
        ("Config", "role_header", json!("x-ai-role")),
        ("Config", "sensitivity_header", json!("x-ai-sensitivity")),
        ("Config", "default_sensitivity", json!("internal")),
        ("Config", "user_header", json!("x-ai-user")),
        ("Config", "session_header", json!("x-ai-session")),
        ("Split", "sticky", json!("request")),
        ("Cheapest", "sticky", json!("request")),
        ("Config", "unpriced", json!({"policy": "deny"})),
        ("Config", "on_contention", json!("deny")),
        (
            "Config",
            "limits",
            json!({
                "requests_per_minute": 60, "requests_per_hour": 1000, "requests_per_day": 10000,
                "expensive_per_minute": 10
            }),
        ),
        (
            "Config",
            "tiers",
            json!({
                "low": tier("0.002", "0.10"), "standard": tier("0.01", "1"), "premium": tier("0.05", "10"), "agent": agent
            }),
        ),
        ("Tenant", "tier", json!("standard")),
        ("Provider", "reported_cost", json!("compare")),
        ("Provider", "answered_model", json!("compare")),
        ("Provider", "key", json!("present")),
        ("Price", "output_bound_field", json!("max_completion_tokens")),
        ("Content", "unscanned", json!("count")),
        ("ContentRule", "label", json!("REDACTED")),
        ("ContentRule", "on", json!(["request"])),
        ("Forward", "unknown_betas", json!("count")),
        ("Metrics", "tenant_label", json!("name")),
        ("Replicas", "requests_without_service", json!("local")),
        ("Replicas", "budgets_without_service", json!("local")),
    ] {
        let described = &mut schema["definitions"][definition]["properties"][key];
        // Beside a `$ref` draft 7 looks at nothing else.
        if let Some(reference) = described.get("$ref").cloned() {
            *described = json!({"allOf": [{"$ref": reference}]});
        }
        described["default"] = default;
    }
}

/// The reader takes no `null` anywhere: what may be left out is an `Option` all the same.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(without_null);
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                choices.retain(|choice| *choice != json!({"type": "null"}));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    if fields.is_empty() {
                        fields.extend(only);
                    } else {
                        fields.insert("allOf".to_owned(), json!([only]));
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::refused;
    use crate::yaml::documents;

    fn says(schema: &jsonschema::Validator, configuration: &Value) -> Vec<String> {
        schema.iter_errors(configuration).map(|error| error.to_string()).collect()
    }

    #[test]
    fn what_is_wrong_by_shape_is_refused_and_nothing_else() {
        let schema = jsonschema::validator_for(&schema()).expect("a schema");
        for refused::Refused { json, says: message, by_shape } in refused::all() {
            let said = says(&schema, &serde_json::from_str(&json).expect("JSON"));
            assert_eq!(!said.is_empty(), by_shape, "{message}\n{json}\n{said:#?}");
        }
    }

    /// What the reader makes of a configuration in which every default is written is what it makes of one without.
    #[test]
    fn the_defaults_are_the_readers() {
        let schema = schema();
        let with_defaults = |definition: &str, written: Value| {
            let mut written = written;
            for (key, about) in schema["definitions"][definition]["properties"].as_object().expect("properties") {
                if let Some(default) = about.get("default").filter(|default| !default.is_null()) {
                    written[key] = default.clone();
                }
            }
            written
        };
        let configuration = |write: &dyn Fn(&str, Value) -> Value| {
            let price = json!({"model": "m", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"});
            write(
                "Config",
                json!({
                    "tenants": {"acme": write("Tenant", json!({}))},
                    "prices": [write("Price", price)],
                    "providers": {"openai": write("Provider", json!({"cluster": "openai", "sensitivity": "internal"}))},
                    "models": [write("Model", json!({"model": "m", "providers": [{"provider": "openai"}]}))],
                    "content": {"rules": [write("ContentRule", json!({"name": "mails", "find": ["email"], "action": "count"}))]},
                    "forward": write("Forward", json!({})),
                    "metrics": write("Metrics", json!({})),
                    "output": write("Output", json!({})),
                    "replicas": write("Replicas", json!({"count": 2, "cluster": "ratelimit"})),
                    "status": {"cluster": "admin"},
                }),
            )
        };
        let read = |configuration: &Value| {
            nexus_ai_gateway::policy::Policy::read(configuration.to_string().as_bytes()).expect("a configuration")
        };
        let (long, short) = (configuration(&with_defaults), configuration(&|_, written| written));
        assert!(long.to_string().len() > short.to_string().len() + 1_000, "{long}");
        let shown = |configuration: &Value| format!("{:#?}", read(configuration));
        assert_eq!(shown(&long), shown(&short));
    }

    #[test]
    fn manifests_are_looked_into() {
        let schema = jsonschema::validator_for(&schema()).expect("a schema");
        let right = json!({"attempt_of": "openai"});
        for (configuration, errors) in [(&right, 0), (&json!({"attempt_of": ""}), 1)] {
            for spec in [
                json!({"url": "oci://registry/filter", "pluginConfig": configuration}),
                json!({"phase": "AUTHZ", "wasm": {"pluginConfig": configuration}}),
                json!({"wasm": [{"name": "nexus", "config": configuration}]}),
            ] {
                let manifest = json!({"apiVersion": "v1", "kind": "Some", "spec": spec});
                assert_eq!(says(&schema, &manifest).len().min(1), errors, "{manifest}");
            }
        }
    }

    #[test]
    fn the_shipped_configurations_are_valid() {
        let schema = jsonschema::validator_for(&schema()).expect("a schema");
        for (file, count) in [("envoy.yaml", 2), ("production.yaml", 7)] {
            let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).expect("a shipped file");
            let held = crate::plugins::held(&documents(&text).expect("YAML"));
            assert_eq!(held.len(), count, "{file}");
            for configuration in held {
                assert_eq!(says(&schema, &configuration), Vec::<String>::new(), "{file}");
            }
        }
    }

    #[test]
    fn forms_are_exact() {
        let schema = jsonschema::validator_for(&schema()).expect("a schema");
        let taken = |price: &Value, tenant: &str, more: &Value| {
            let mut configuration = json!({"tenants": {tenant: {}}, "prices": [price]});
            for (key, value) in more.as_object().expect("a map") {
                configuration[key] = value.clone();
            }
            let read = nexus_ai_gateway::policy::Policy::read(configuration.to_string().as_bytes());
            let by_schema = says(&schema, &configuration);
            assert_eq!(by_schema.is_empty(), read.is_ok(), "{configuration}\n{by_schema:#?}\n{:?}", read.err());
        };
        let price = |model: &str, input: &str| json!({"model": model, "input_usd_per_1m_tokens": input, "output_usd_per_1m_tokens": "0"});
        for amount in
            ["0", "2.50", "0.000001", "1.0000000000", "007", "", ".", "1.", ".5", "-1", "1e3", " 1", "0.0000001"]
        {
            taken(&price("m", amount), "acme", &json!({}));
        }
        for model in ["m", "m*", "*", "a b", "a *", "m/*", "é", "*m", "a*b", "**", " m", "m ", "a;b", ""] {
            taken(&price(model, "1"), "acme", &json!({}));
        }
        for name in [
            "a",
            "a.b",
            "a b",
            "$",
            "\u{e9}",
            " a",
            "a\t",
            "a\nb",
            "\u{85}",
            "a;",
            "\u{2003}a",
            &"x".repeat(128),
            &"x".repeat(129),
        ] {
            taken(&price("m", "1"), name, &json!({}));
        }
        for header in ["x-team", "a_b", "X-Team", ":path", "", "a b"] {
            taken(&price("m", "1"), "acme", &json!({"tenant_header": header}));
        }
        for budget in ["1", "0.000000001", "0", "0.0", "00.10", "0.0000000001"] {
            taken(&price("m", "1"), "acme", &json!({"tiers": {"low": {"budgets": {"day_usd": budget}}}}));
        }
        for date in ["2026-01-31", "1970-01-01", "1969-12-31", "2026-13-01", "2026-1-1", "2026-01-32", "20260131"] {
            let mut dated = price("m", "1");
            dated["from"] = json!(date);
            taken(&dated, "acme", &json!({}));
        }
        for path in
            ["/v1/ask", "**/ask", "/a/*/b", "/m/{model}:ask", "/", "ask", "//", "/a?b", "/**", "/{other}", "/a/**/b"]
        {
            taken(&price("m", "1"), "acme", &json!({"paths": [{"path": path, "api": "openai_chat"}]}));
        }
        for base in ["/v1", "/", "v1", "/a b", "/a#b", "/a\"b", "/\u{e9}"] {
            let provider = json!({"providers": {"a": {"cluster": "c", "base_path": base}}});
            taken(&price("m", "1"), "acme", &provider);
        }
        for figure in [1_023, 1_024, 1_073_741_824_u64, 1_073_741_825] {
            taken(&price("m", "1"), "acme", &json!({"max_request_bytes": figure}));
        }
    }
}
