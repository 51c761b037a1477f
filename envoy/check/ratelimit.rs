//! What envoyproxy/ratelimit is configured with, by the limits of the plugin's configuration.

use std::fmt::Write;

use nexus_ai_gateway::limit::{Guard, Rules};
use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::replicas::{figure, unit};

/// The service's configuration: each tier's limits for its tenants, then the tenants that have their own.
pub fn configuration(policy: &Policy) -> String {
    let mut out = "# Written by `make ratelimit-config` from the plugin's configuration: change that.\ndomain: nexus\ndescriptors:\n".to_owned();
    for guard in Guard::ALL.into_iter().filter(|guard| *guard != Guard::RequestUsd) {
        // Writing to a string never fails.
        let _ = limit(&mut out, policy, guard);
    }
    out
}

fn limit(out: &mut String, policy: &Policy, guard: Guard) -> std::fmt::Result {
    writeln!(out, "- key: limit\n  value: {}\n  descriptors:", guard.name())?;
    for (tier, rules) in &policy.tiers {
        let rule = rules.get(guard);
        let own = policy.tenants.iter().filter(|tenant| tenant.tier == *tier && tenant.rules.get(guard) != rule);
        let own: Vec<_> = own.collect();
        if rule.limit.is_none() && own.is_empty() {
            continue;
        }
        writeln!(out, "  - key: tier\n    value: {}\n    descriptors:", quoted(tier))?;
        if rule.limit.is_some() {
            writeln!(out, "    - key: tenant")?;
            figures(out, guard, rules)?;
        }
        for tenant in own {
            writeln!(out, "    - key: tenant\n      value: {}", quoted(&tenant.name))?;
            figures(out, guard, &tenant.rules)?;
        }
    }
    Ok(())
}

fn figures(out: &mut String, guard: Guard, rules: &Rules) -> std::fmt::Result {
    let rule = rules.get(guard);
    // A tenant without a limit in a tier with one: found, and nothing is counted.
    let Some(limit) = rule.limit else { return Ok(()) };
    let (figure, name) = (figure(guard, limit), guard.name());
    let budget = matches!(guard, Guard::DayUsd | Guard::MonthUsd);
    let window = match guard {
        // The days and months are named; these windows only have to be longer.
        Guard::MonthUsd => "year",
        Guard::DayUsd => "week",
        Guard::RequestsPerHour => "hour",
        Guard::RequestsPerDay => "day",
        _ => "minute",
    };
    let indent = if budget { "        " } else { "      " };
    if budget {
        writeln!(out, "      descriptors:\n      - key: period\n        value: \"{}:*\"", unit(limit))?;
    }
    if rule.audit {
        writeln!(out, "{indent}shadow_mode: true")?;
    }
    writeln!(out, "{indent}rate_limit: {{name: {name}, unit: {window}, requests_per_unit: {figure}}}")
}

/// A string of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{
    "prices": [{"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
    "replicas": {"count": 2, "cluster": "ratelimit"}, "status": {"cluster": "admin"},
    "limits": {"requests_per_minute": 50}, "tiers": {"low": {"audit": ["day_usd"]}},
    "tenants": {"a": {}, "b": {"budgets": {"day_usd": "20"}}, "c": {"unlimited": ["requests_per_minute"]},
        "\"d\": \\": {"tier": "low", "budgets": {"month_usd": "1000"}}}}"#;

    #[test]
    fn the_services_configuration_is_that_of_the_plugin() {
        let policy = Policy::read(POLICY.as_bytes()).unwrap();
        let written = configuration(&policy);
        let limit = |name: &str| {
            let (_, rest) = written.split_once(&format!("- key: limit\n  value: {name}\n  descriptors:\n")).unwrap();
            rest.split_once("- key: limit").map_or(rest, |(limit, _)| limit).to_owned()
        };
        let tier = |limit: &str, name: &str| {
            let (_, rest) =
                limit.split_once(&format!("  - key: tier\n    value: \"{name}\"\n    descriptors:\n")).unwrap();
            rest.split_once("  - key: tier\n").map_or(rest, |(tier, _)| tier).to_owned()
        };
        let minute = "      rate_limit: {name: requests_per_minute, unit: minute, requests_per_unit: 50}\n";
        assert_eq!(
            tier(&limit("requests_per_minute"), "standard"),
            format!("    - key: tenant\n{minute}    - key: tenant\n      value: \"c\"\n")
        );
        let day = |unit: u64, figure: u64| {
            format!(
                "      descriptors:\n      - key: period\n        value: \"{unit}:*\"\n        \
                 rate_limit: {{name: day_usd, unit: week, requests_per_unit: {figure}}}\n"
            )
        };
        assert_eq!(
            tier(&limit("day_usd"), "standard"),
            format!(
                "    - key: tenant\n{}    - key: tenant\n      value: \"b\"\n{}",
                day(1, 999_999_999),
                day(100, 199_999_999)
            )
        );
        assert!(
            tier(&limit("day_usd"), "low").contains("        shadow_mode: true\n        rate_limit: {name: day_usd")
        );
        let month = limit("month_usd");
        assert!(month.contains("value: \"\\\"d\\\": \\\\\"\n"), "{month}");
        assert!(month.contains("{name: month_usd, unit: year, requests_per_unit: 999999999}"));
        assert!(!written.contains("request_usd"));
    }
}
