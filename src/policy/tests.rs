#[expect(dead_code, reason = "the checking program asks the schema")]
mod refused;

mod content;
mod tools;

use super::*;
use crate::limit::{Guard, Rule};
use crate::llm::schema::BoundField;
use crate::price::Quote;
use crate::units::{PicoUsdPerToken, UnixNanos};
use refused::Refused;

const PRICES: &str =
    r#""prices":[{"model":"gpt-4o*","input_usd_per_1m_tokens":"2.50","output_usd_per_1m_tokens":"10"}]"#;
const TENANTS: &str = r#""tenants":{"acme":{}}"#;

/// A configuration that is right but for `more`.
fn with(more: &str) -> String {
    format!("{{{PRICES},{TENANTS},{more}}}")
}

fn tenants(tenants: &str) -> String {
    format!("{{{PRICES},\n\"tenants\":{tenants}}}")
}

fn read(json: &str) -> Policy {
    Policy::read(json.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{json}"))
}

fn refusal(json: &str) -> String {
    match Policy::read(json.as_bytes()) {
        Ok(_) => panic!("accepted: {json}"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that each configuration is refused with a message that says all of `words`.
fn refused<const N: usize>(cases: [(String, &str); N]) {
    for (json, message) in cases {
        let refusal = refusal(&json);
        let (said, place) = refusal.rsplit_once(" (line ").unwrap_or((&refusal, "nowhere"));
        assert_eq!(said, message, "{place}\n{json}");
    }
}

fn limits(policy: &Policy, tenant: &str) -> Vec<(&'static str, u64, bool)> {
    let rules = &policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap().rules;
    let rule = |guard: Guard| rules.get(guard).limit.map(|limit| (guard.name(), limit, rules.get(guard).audit));
    Guard::ALL.into_iter().filter_map(rule).collect()
}

#[test]
fn nothing_but_tenants_and_prices_is_needed() {
    let policy = read(&format!("{{{PRICES},{TENANTS}}}"));
    assert_eq!((&*policy.tenant_header, &*policy.role_header), ("x-tenant-id", "x-ai-role"));
    assert_eq!((policy.default_max_tokens, policy.min_tokens), (Tokens(4_096), Tokens(16)));
    assert_eq!(
        (policy.max_request_bytes, policy.lease_seconds, policy.on_contention),
        (4_194_304, 900, OnContention::Deny)
    );
    assert_eq!(
        limits(&policy, "acme"),
        [
            ("requests_per_minute", 60, false),
            ("requests_per_hour", 1_000, false),
            ("requests_per_day", 10_000, false),
            ("expensive_per_minute", 10, false),
            ("request_usd", 10_000_000, false),
            ("day_usd", 1_000_000_000, false),
        ]
    );
    assert_eq!(&*policy.tenants[0].tier, "standard");
    assert_eq!(policy.tenant("stranger"), None);
    assert_eq!(policy.tenant_policy(TenantIx(1)), None);
    let Quote::Priced { price, .. } = policy.prices.quote(None, "gpt-4o-mini", UnixNanos(0)) else { panic!() };
    assert_eq!(
        price.tariff.standard.base.cached_input,
        PicoUsdPerToken(2_500_000),
        "as dear as plain input, if not written"
    );
    assert_eq!(policy.prices.quote(None, "o1", UnixNanos(0)), Quote::Denied);
}

#[test]
fn everything_can_be_written() {
    let policy = read(
        r#"{
  "tenant_header": "x-team", "role_header": "x-role", "roles": ["chat", "code"], "unknown_tenants": "share_default",
  "providers": {"simulated": {"cluster": "provider"}},
  "prices": [
    {"model": "gpt-4o", "input_usd_per_1m_tokens": "2.50", "output_usd_per_1m_tokens": "10",
     "cached_input_usd_per_1m_tokens": "1.25", "cache_creation_usd_per_1m_tokens": "3", "output_bound_field": "max_tokens",
     "max_output_tokens": 16384},
    {"model": "free*", "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0"}
  ],
  "unpriced": {"policy": "price_as", "model": "gpt-4o"}, "aliases": {"fast": "gpt-4o", "new": "o9"},
  "tiers": {"gold": {"budgets": {"request_usd": "1"}, "unlimited": ["day_usd"]}},
  "tenants": {"acme": {"tier": "gold", "models": ["gpt-4o*"]}}, "limits": {"requests_per_minute": 5},
  "expensive": {"models": ["gpt-4", "o1*"], "over_usd": "0.02"}, "output": {"min_tokens": 1},
  "max_request_bytes": 1024, "reservation_lease_seconds": 60, "on_contention": "allow"
}"#,
    );
    assert_eq!((&*policy.tenant_header, &*policy.role_header, policy.roles.len()), ("x-team", "x-role", 2));
    let providers = [Some("provider"), Some("simulated"), None].map(|cluster| policy.provider_label(cluster));
    assert_eq!(providers, ["simulated", "other", "other"]);
    assert_eq!([Some("code"), Some("boss"), None].map(|role| policy.role_label(role)), ["code", "other", "none"]);
    assert_eq!(["fast", "gpt-4o"].map(|model| policy.resolve(model)), ["gpt-4o", "gpt-4o"]);
    let price = policy.prices.find("gpt-4o", UnixNanos(0)).unwrap();
    assert_eq!((price.bound_field, price.max_output), (BoundField::MaxTokens, Some(Tokens(16_384))));
    assert_eq!(price.tariff.standard.base.cached_input, PicoUsdPerToken(1_250_000));
    assert_eq!(price.tariff.standard.base.cache_creation, PicoUsdPerToken(3_000_000));
    assert!(matches!(policy.prices.quote(None, "o9", UnixNanos(0)), Quote::PricedAs { .. }));
    assert_eq!((policy.default_max_tokens, policy.min_tokens), (Tokens(4_096), Tokens(1)), "field by field");
    assert_eq!(policy.expensive.over, Some(NanoUsd(20_000_000)));
    assert!(policy.expensive.is_model("o1-mini") && !policy.expensive.is_model("gpt-4o"));
    assert!(policy.tenants[0].allows("gpt-4o-mini") && !policy.tenants[0].allows("o1"));
    assert_eq!(
        (policy.max_request_bytes, policy.lease_seconds, policy.on_contention),
        (1_024, 60, OnContention::Allow)
    );
    let money: Vec<_> = limits(&policy, "acme").into_iter().filter(|(name, ..)| name.ends_with("usd")).collect();
    assert_eq!(money, [("request_usd", 1_000_000_000, false)]);
}

#[test]
fn a_tenant_has_the_stricter_floor_and_its_own_bound_before_its_tiers() {
    let policy = read(&format!(
        "{{{PRICES},{}}}",
        r#""tiers": {"agent": {"sensitivity": "confidential", "output": {"default_max_tokens": 9000}}},
  "tenants": {
    "plain": {"tier": "low"}, "as_tier": {"tier": "agent"},
    "strict": {"tier": "agent", "sensitivity": "restricted", "output": {"default_max_tokens": 500}},
    "lax": {"tier": "agent", "sensitivity": "public"}}"#
    ));
    let terms = |tenant: &str| {
        let terms = &policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap().rules;
        (terms.sensitivity, terms.default_max_tokens.map(|tokens| tokens.0))
    };
    assert_eq!(terms("plain"), (None, None));
    assert_eq!(terms("as_tier"), (Some(Sensitivity::Confidential), Some(9_000)));
    assert_eq!(terms("strict"), (Some(Sensitivity::Restricted), Some(500)));
    assert_eq!(terms("lax"), (Some(Sensitivity::Confidential), Some(9_000)));
    assert_eq!(
        limits(&policy, "as_tier"),
        [
            ("requests_per_minute", 120, false),
            ("requests_per_hour", 3_000, false),
            ("requests_per_day", 20_000, false),
            ("expensive_per_minute", 60, false),
            ("request_usd", 6_000_000_000, false),
            ("day_usd", 50_000_000_000, false),
        ]
    );
}

#[test]
fn each_layer_overrides_what_it_writes_and_nothing_else() {
    let policy = read(&format!(
        "{{{PRICES},{}}}",
        r#""limits": {"requests_per_minute": 100, "tokens_per_minute": 9},
  "tiers": {"premium": {"limits": {"requests_per_minute": 600}, "budgets": {"month_usd": "200"},
    "audit": ["requests_per_day", "requests_per_minute"], "unlimited": ["requests_per_hour"]}},
  "tenants": {
    "as_tier": {"tier": "premium"},
    "own": {"tier": "premium", "limits": {"requests_per_hour": 7}, "budgets": {"day_usd": "5"},
      "audit": ["day_usd"], "unlimited": ["tokens_per_minute", "requests_per_day"]},
    "low": {"tier": "low"}}"#
    ));
    assert_eq!(
        limits(&policy, "as_tier"),
        [
            ("requests_per_minute", 600, true),
            ("requests_per_day", 10_000, true),
            ("expensive_per_minute", 10, false),
            ("tokens_per_minute", 9, false),
            ("request_usd", 50_000_000, false),
            ("day_usd", 10_000_000_000, false),
            ("month_usd", 200_000_000_000, false),
        ]
    );
    assert_eq!(
        limits(&policy, "own"),
        [
            ("requests_per_minute", 600, false),
            ("requests_per_hour", 7, false),
            ("expensive_per_minute", 10, false),
            ("request_usd", 50_000_000, false),
            ("day_usd", 5_000_000_000, true),
            ("month_usd", 200_000_000_000, false),
        ]
    );
    assert_eq!(limits(&policy, "low")[0], ("requests_per_minute", 100, false));
    assert_eq!(policy.tenants[1].rules.get(Guard::RequestsPerDay), Rule::default(), "lifted, not audited");
}

#[test]
fn unknown_tenants_share_one_or_are_refused() {
    let shared =
        |tenants: &str| read(&format!(r#"{{{PRICES},"unknown_tenants":"share_default","tenants":{tenants}}}"#));
    let policy = shared(r#"{"acme":{}}"#);
    assert_eq!(policy.tenant("stranger"), Some(TenantIx(1)));
    assert_eq!((&*policy.tenants[1].name, &*policy.tenants[1].tier), ("default", "standard"));
    assert_eq!(policy.tenant("default"), policy.default_tenant);
    let policy = shared(r#"{"default":{"tier":"low"},"acme":{}}"#);
    assert_eq!((policy.tenant("stranger"), policy.tenant("acme")), (Some(TenantIx(0)), Some(TenantIx(1))));
    assert_eq!(&*policy.tenants[0].tier, "low");
}

#[test]
fn a_refusal_names_path_line_and_column() {
    let json = "{\"tenants\": {\n  \"acme\": {\"limits\": {\n    \"burts\": 1}}}}";
    assert_eq!(
        refusal(json),
        "tenants.acme.limits: unknown field `burts`, expected one of `requests_per_minute`, `requests_per_hour`, \
         `requests_per_day`, `tokens_per_minute`, `expensive_per_minute`, `in_flight` (line 3, column 11)"
    );
    assert_eq!(
        refusal(&tenants("{\n \"acme\": {\"tier\": \"gold\"}}")),
        "tenants.acme.tier: unknown tier `gold`, expected one of `agent`, `low`, `premium`, `standard` (line 3, column 19)"
    );
    assert_eq!(refusal("{\"prices\": [{}]}"), "prices[0]: missing field `model` (line 1, column 14)");
    assert_eq!(
        refusal("{\"tenants\": {\"acme\": {}},\n}"),
        "configuration: not JSON: trailing comma (line 2, column 1)"
    );
    assert_eq!(refusal(" \n"), "configuration: it is empty: `tenants` and `prices` are needed at least");
    assert_eq!(refusal("tenant_header: x"), "configuration: not JSON: expected ident (line 1, column 2)");
    assert_eq!(refusal("[]"), "configuration: invalid type: sequence, expected a map (line 1, column 0)");
    assert_eq!(
        refusal(&with("\"limits\": [5]")),
        format!("limits: invalid type: sequence, expected a map (line 1, column {})", with("\"limits\": ").len() - 1)
    );
}

#[test]
fn each_wrong_configuration_says_what_would_be_right() {
    for Refused { json, says, .. } in refused::all() {
        let refusal = refusal(&json);
        let (said, place) = refusal.rsplit_once(" (line ").unwrap_or((&refusal, "nowhere"));
        assert_eq!(said, says, "{place}\n{json}");
    }
}

#[test]
fn a_key_written_twice_is_refused() {
    refused([
        (tenants(r#"{"acme":{},"beta":{},"acme":{}}"#), "tenants: the key `acme` is written twice"),
        (with(r#""aliases":{"a":"gpt-4o","a":"gpt-4o"}"#), "aliases: the key `a` is written twice"),
        (with(r#""on_contention":"deny","on_contention":"allow""#), "configuration: duplicate field `on_contention`"),
    ]);
}

#[test]
fn there_is_an_end_of_prices() {
    let priced = |models: &[&str]| {
        let prices: Vec<_> = models
            .iter()
            .map(|model| {
                format!(r#"{{"model":"{model}","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}}"#)
            })
            .collect();
        format!(r#"{{{TENANTS},"prices":[{}]}}"#, prices.join(","))
    };
    let many: Vec<String> = (0..=65_535).map(|nth| format!("m{nth}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(read(&priced(&many[..65_535])).prices.prices().len(), 65_535);
    refused([(priced(&many), "prices: too many: at most 65535 are allowed")]);
}

#[test]
fn a_refusal_of_meaning_has_a_place_too() {
    let message = refusal(&with("\n\"output\": {\"min_tokens\":\n 5000}"));
    assert!(message.ends_with("(line 3, column 2)"), "{message}");
    let message = refusal(r#"{"tenants":{"acme":{}}}"#);
    assert!(
        message.starts_with("prices: no prices") && message.ends_with(')') && !message.contains("line"),
        "{message}"
    );
}

#[test]
fn tenants_without_overrides_share_their_tiers_rules() {
    let many: Vec<_> = (0..100_000).map(|nth| format!(r#""tenant-{nth}":{{"tier":"low"}}"#)).collect();
    let policy = read(&tenants(&format!("{{{}}}", many.join(","))));
    assert_eq!(policy.tenants.len(), 100_000);
    assert_eq!(policy.tenant("tenant-77777"), Some(TenantIx(77_777)));
    let [first, .., last] = &*policy.tenants else { panic!() };
    assert!(Rc::ptr_eq(&first.rules, &last.rules) && Rc::ptr_eq(&first.tier, &last.tier));
    assert!(size_of::<TenantPolicy>() <= 72);
}

#[test]
fn the_operators_paths_come_before_the_built_in_ones() {
    let policy = read(&with(
        r#""paths":[{"path":"/ask/{model}","api":"openai_chat","streams":true},{"path":"**/v1/completions","api":"none"}]"#,
    ));
    let called = |path: &str| {
        let called = crate::llm::path::called(&policy.routes, b"POST", path.as_bytes())?;
        Some((called.schema.name, called.model, called.streams))
    };
    assert_eq!(called("/ask/gpt-4o"), Some(("openai_chat", Some("gpt-4o".to_owned()), Some(true))));
    assert_eq!(called("/v1/completions"), None);
    assert_eq!(called("/v1/chat/completions"), Some(("openai_chat", None, None)));
}

#[test]
fn wrong_paths_say_what_would_be_right() {
    let known = crate::llm::schema::ALL.map(|schema| format!("`{}`", schema.name)).join(", ");
    let unknown = format!("paths[0].api: unknown API `openai`, expected `none` (not metered) or one of {known}");
    refused([
        (
            with(r#""paths":[{"path":"v1/ask","api":"openai_chat"}]"#),
            "paths[0].path: `v1/ask` is not a path: `/` or `**/`, then segments, of which `*` stands for any one and \
             `{model}` for the model's name",
        ),
        (with(r#""paths":[{"path":"/v1/ask","api":"openai"}]"#), &unknown),
    ]);
}

#[test]
fn the_closest_model_decides_who_serves_it() {
    let served =
        |name: &str, provider: &str| format!(r#"{{"model":"{name}","providers":[{{"provider":"{provider}"}}]}}"#);
    let all = [served("gpt-4o*", "a"), served("gpt-4o-mini", "c"), served("gpt-4o-mini*", "d")].join(",");
    let providers = r#""providers":{"d":{"cluster":"cd","sensitivity":"public"},"a":{"cluster":"ca","sensitivity":"public"},"c":{"cluster":"cc","sensitivity":"public"}}"#;
    let policy = read(&with(&format!(r#"{providers},"models":[{all}]"#)));
    let serving = |model: &str| {
        let known = policy.models.model(model)?;
        Some(policy.provider_at(known.serving.first()?.provider)?.name.as_str())
    };
    assert_eq!(serving("gpt-4o-mini"), Some("c"));
    assert_eq!(serving("gpt-4o-mini-2024"), Some("d"));
    assert_eq!(serving("gpt-4o"), Some("a"));
    assert_eq!(serving("gpt-4"), None);
    // However a map came, every worker has the providers in one order.
    let names: Vec<_> = policy.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["a", "c", "d"]);
}

#[test]
fn unknown_names_are_reported_with_those_that_are_known() {
    let unknown = refusal(&with(r#""providers":{"a":{"cluster":"ca","apis":["openai"]}}"#));
    assert!(
        unknown.starts_with("providers.a.apis[0]: unknown API `openai`, expected one of `gateway_chat`, "),
        "{unknown}"
    );
    let role = format!(r#"{{{PRICES},"roles":["chat"],"tenants":{{"acme":{{"role_models":{{"poet":"gpt-4o"}}}}}}}}"#);
    refused([(role, "tenants.acme.role_models.poet: unknown role `poet`, expected one of `chat`")]);
    let level = refusal(&with(r#""default_sensitivity":"secret""#));
    assert!(level.contains("unknown variant `secret`, expected one of `public`, `internal`"), "{level}");
}

#[test]
fn the_tenants_label_can_be_cut_down() {
    let of = |metrics: &str| {
        let json =
            format!(r#"{{{PRICES},"tenants":{{"acme":{{"tier":"premium"}},"small":{{"tier":"low"}}}}{metrics}}}"#);
        let policy = read(&json);
        let labels = ["acme", "small", NONE, OTHER].map(|tenant| policy.tenant_label(tenant).to_owned());
        (labels, ["acme", "small"].map(|tenant| policy.has_gauges(tenant)))
    };
    let owned = |labels: [&str; 4]| labels.map(str::to_owned);
    assert_eq!(of(""), (owned(["acme", "small", "none", "other"]), [true, true]));
    assert_eq!(of(r#","metrics":{"tenants":["acme"]}"#), (owned(["acme", "other", "none", "other"]), [true, false]));
    assert_eq!(
        of(r#","metrics":{"tenant_label":"tier"}"#),
        (owned(["premium", "low", "none", "other"]), [false, false])
    );
    assert_eq!(of(r#","metrics":{"tenant_label":"none"}"#), (owned(["none", "none", "none", "other"]), [false, false]));
}

#[test]
fn who_needs_no_part_of_a_limit_need_not_know_whether_the_service_is_there() {
    let shared = r#""replicas":{"cluster":"ratelimit","count":2,"requests_without_service":"allow","budgets_without_service":"allow"}"#;
    assert!(read(&with(shared)).replicas.is_some());
}

#[test]
fn what_becomes_of_an_overrun_is_the_tiers_word_unless_the_tenant_has_one() {
    let policy = read(&format!(
        "{{{PRICES},\"tiers\":{{\"low\":{{\"overrun\":\"audit\"}},\"premium\":{{\"overrun\":\"end\"}}}},\"tenants\":{{{}}}}}",
        r#""usual":{},"low":{"tier":"low"},"ended":{"tier":"low","overrun":"end"},"passed":{"tier":"premium","overrun":"pass"},
            "premium":{"tier":"premium"}"#
    ));
    let overrun = |tenant: &str| policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap().rules.overrun;
    let (audit, end) = (Some(Overrun::Audit), Some(Overrun::End));
    let all = ["usual", "low", "ended", "passed", "premium"].map(overrun);
    assert_eq!(all, [None, audit, end, None, end]);
}

#[test]
fn a_model_is_in_the_group_that_names_it_most_exactly() {
    let policy = read(&format!(
        r#"{{{PRICES},{TENANTS},"model_groups":{{
            "all":["*"],"dear":["gpt-4o","openrouter/openai/*"],"cheap":["gpt-4o-mini*"],"some":["gpt-*"]
        }}}}"#
    ));
    let group =
        |names: &[&str]| policy.model_groups.of(names.iter().copied()).and_then(|ix| policy.model_groups.name(ix));
    for (names, expected) in [
        (&["gpt-4o"][..], "dear"),
        (&["GPT-4o"], "dear"),
        (&["gpt-4o-mini"], "cheap"),
        (&["gpt-4o-mini-2024-07-18"], "cheap"),
        (&["gpt-4o-2024-08-06"], "some"),
        (&["openrouter/openai/gpt-4o-mini", "openai/gpt-4o-mini"], "dear"),
        // As a request has them: what a provider calls it, with its label and without.
        (&["openai/gpt-4o", "openai/gpt-4o*", "gpt-4o", "gpt-4o*"], "dear"),
        (&["openrouter/openai/gpt-4o-mini", "gpt-4o-mini"], "dear"),
        (&["claude"], "all"),
    ] {
        assert_eq!(group(names).map(|name| &**name), Some(expected), "{names:?}");
    }
    let none = read(&format!(r#"{{{PRICES},{TENANTS},"model_groups":{{"dear":["gpt-4o"]}}}}"#));
    assert_eq!(none.model_groups.of(["gpt-4o-mini", "o1"]), None);
}

#[test]
fn limits_for_a_model_group_are_the_tiers_under_the_tenants() {
    let policy = read(&format!(
        r#"{{{PRICES},"model_groups":{{"dear":["gpt-4o"],"cheap":["gpt-4o-mini"]}},
        "tiers":{{"low":{{"model_groups":{{"dear":{{"budgets":{{"day_usd":"1","month_usd":"9"}}}}}}}}}},
        "tenants":{{"usual":{{"tier":"low"}},"plain":{{}},
            "own":{{"tier":"low","model_groups":{{"dear":{{"budgets":{{"day_usd":"2"}}}},"cheap":{{"limits":{{"in_flight":3}}}}}}}}}}}}"#
    ));
    let of = |tenant: &str| {
        let tenant = policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap();
        let told = |of: &model_groups::OfModels| {
            (
                of.name.to_string(),
                [Guard::DayUsd, Guard::MonthUsd, Guard::InFlight].map(|guard| of.rules.get(guard).limit),
            )
        };
        tenant.rules.of_models.iter().map(told).collect::<Vec<_>>()
    };
    let dear = |day| ("dear".to_owned(), [Some(day), Some(9_000_000_000), None]);
    assert_eq!((of("usual"), of("plain")), (vec![dear(1_000_000_000)], vec![]));
    assert_eq!(of("own"), [("cheap".to_owned(), [None, None, Some(3)]), dear(2_000_000_000)]);
}

#[test]
fn a_tenant_has_the_groups_above_it_the_nearest_first() {
    let policy = read(&format!(
        r#"{{{PRICES},"groups":{{
            "team":{{"parent":"org","limits":{{"requests_per_minute":5}}}},
            "holding":{{"budgets":{{"month_usd":"9"}},"audit":["month_usd"],"show_figures":true}},
            "org":{{"parent":"holding"}}
        }},"tenants":{{"acme":{{"group":"team"}},"zenith":{{"group":"holding"}},"alone":{{}}}}}}"#
    ));
    let above = |tenant: &str| {
        let tenant = policy.tenant_policy(policy.tenant(tenant).unwrap()).unwrap();
        tenant.groups().map(|group| group.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (above("acme"), above("zenith"), above("alone")),
        (vec!["team".to_owned(), "org".to_owned(), "holding".to_owned()], vec!["holding".to_owned()], vec![],)
    );
    for (at, group) in policy.groups.iter().enumerate() {
        assert_eq!(group.ix.0 as usize, at);
    }
    let holding = &policy.groups[0];
    assert_eq!((&*holding.name, holding.shows_figures, policy.groups[1].shows_figures), ("holding", true, false));
    // No tier's limits hold for a group: what is not written is not limited.
    let limited =
        |group: &groups::Group| Guard::ALL.into_iter().filter(|guard| group.rules.get(*guard).limit.is_some()).count();
    assert_eq!(policy.groups.iter().map(|group| limited(group)).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(holding.rules.get(Guard::MonthUsd), Rule { limit: Some(9_000_000_000), audit: true });
}
