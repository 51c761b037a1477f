//! Reads an Envoy configuration that holds the plugin's, or the plugin's own, and writes what envoyproxy/ratelimit is
//! configured with. The filter itself reads the limits, so the two cannot disagree.

use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::shared;
use serde_json::Value;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("which configuration? `ratelimit-config envoy.yaml`");
        return ExitCode::FAILURE;
    };
    match written(&file) {
        Ok(configuration) => {
            print!("{configuration}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{file}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn written(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let whole: Value = serde_yaml_ng::from_str(&text).map_err(|error| error.to_string())?;
    let plugin = plugin(&whole).ok_or("it holds no configuration of the plugin: none with `tenants` and `prices`")?;
    let policy = Policy::read(plugin.to_string().as_bytes()).map_err(|error| error.to_string())?;
    if policy.shared.is_none() {
        return Err("its plugin shares nothing: `shared` is missing".to_owned());
    }
    Ok(shared::service_configuration(&policy))
}

/// The first map that has what every configuration of the plugin has.
fn plugin(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(fields) if fields.contains_key("tenants") && fields.contains_key("prices") => Some(value),
        Value::Object(fields) => fields.values().find_map(plugin),
        Value::Array(values) => values.iter().find_map(plugin),
        _ => None,
    }
}
