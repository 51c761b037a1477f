//! Rules about tools, as they are written.

use super::{refusal, refused, tenants, with};
use crate::policy::Policy;

fn own_tools(tools: &str) -> String {
    tenants(&format!(r#"{{"acme":{{"tools":{{{tools}}}}}}}"#))
}

#[test]
fn each_flaw_of_a_rule_about_tools_says_where_it_is_and_what_would_be_right() {
    refused([
        (
            own_tools(r#""offered":"drop""#),
            "tenants.acme.tools.offered: unknown variant `drop`, expected one of `count`, `strip`, `refuse`",
        ),
        (
            own_tools(r#""called":"strip""#),
            "tenants.acme.tools.called: unknown variant `strip`, expected one of `pass`, `count`, `refuse`",
        ),
        (
            own_tools(r#""allow":["get_*x"]"#),
            "tenants.acme.tools.allow[0]: \"get_*x\" is neither a name nor the beginning of one: `*` may only stand at the end",
        ),
        (own_tools(r#""allow":null"#), "tenants.acme.tools.allow: invalid type: null, expected a sequence"),
        (
            own_tools(r#""registered_only":true"#),
            "tenants.acme.tools.registered_only: no function is registered: write `tools.registry`, or leave this out",
        ),
        (with(r#""tools":{"registry":{"f":{}}}"#), "tools.registry.f: missing field `parameters`"),
        (
            with(r#""tools":{"registry":{"f":{"parameters":{"type":"text"}}}}"#),
            "tools.registry.f: `/type` in the schema: must be one or an array of `null`, `boolean`, `integer`, `number`, `string`, `array` and `object`",
        ),
        (
            with(r#""tools":{"registry":{"f":{"parameters":"object"}}}"#),
            "tools.registry.f: a JSON Schema is expected, as a map such as {type: object, properties: …}",
        ),
        (with(r#""tools":{"allow":[]}"#), "tools: unknown field `allow`, expected `registry`"),
    ]);
    let unknown = refusal(&own_tools(r#""deny":["kind:browser"]"#));
    assert!(
        unknown
            .starts_with("tenants.acme.tools.deny[0]: unknown kind `browser`, expected one of `custom`, `function`,"),
        "{unknown}"
    );
    let keyword = refusal(&with(r#""tools":{"registry":{"f":{"parameters":{"$dynamicRef":"x"}}}}"#));
    assert!(keyword.starts_with("tools.registry.f: ") && keyword.contains("is not enforced"), "{keyword}");
}

/// Without rules, nobody looks; what a tenant writes stands in the place of its tier's.
#[test]
fn rules_about_tools_are_a_tenants_or_its_tiers() {
    let json = r#"{"prices":[{"model":"m","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}],
        "tiers":{"low":{"tools":{"deny":["a"]}}},
        "tenants":{"one":{"tier":"low"},"two":{"tier":"low","tools":{"deny":["b"]}},"three":{}}}"#;
    let policy = Policy::read(json.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let denies = |tenant: &str, name: &str| {
        let tenant = policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap();
        tenant.rules.tools.map(|ix| policy.tools.of(ix).unwrap().judge("function", &[name.to_owned()]).is_err())
    };
    assert_eq!([denies("one", "a"), denies("one", "b")], [Some(true), Some(false)]);
    assert_eq!([denies("two", "a"), denies("two", "b")], [Some(false), Some(true)]);
    assert_eq!(denies("three", "a"), None);
}

/// Of a server's tool, its name and the server's count.
#[test]
fn a_call_of_what_a_server_offers_is_allowed_by_either_name_and_denied_by_either() {
    for (tools, name, within, expected) in [
        (r#""deny":["crm"]"#, "ask", "crm", false),
        (r#""deny":["delete_*"]"#, "Delete_all", "crm", false),
        (r#""deny":["delete_*"]"#, "ask", "crm", true),
        (r#""allow":["crm"]"#, "ask", "crm", true),
        (r#""allow":["ask"]"#, "ask", "crm", true),
        (r#""allow":["ask"]"#, "tell", "crm", false),
        (r#""allow":["kind:mcp"],"deny":["crm"]"#, "ask", "crm", false),
        (r#""allow":["kind:mcp"]"#, "ask", "", true),
    ] {
        let policy = Policy::read(own_tools(tools).as_bytes()).unwrap();
        let tenant = policy.tenant_policy(policy.tenant("acme").unwrap()).unwrap();
        let rules = policy.tools.of(tenant.rules.tools.unwrap()).unwrap();
        assert_eq!(rules.judge_call("mcp", name, within).is_ok(), expected, "{tools} {name} {within}");
    }
}
