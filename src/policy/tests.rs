use super::*;
use crate::limit::{Guard, Rule};
use crate::llm::schema::BoundField;
use crate::price::Quote;
use crate::units::{PicoUsdPerToken, UnixNanos};

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
    let rules = policy.rules(policy.tenant(tenant).unwrap()).unwrap();
    let rule = |guard: Guard| rules.get(guard).limit.map(|limit| (guard.name(), limit, rules.get(guard).audit));
    Guard::ALL.into_iter().filter_map(rule).collect()
}

#[test]
fn nothing_but_tenants_and_prices_is_needed() {
    let policy = read(&format!("{{{PRICES},{TENANTS}}}"));
    assert_eq!((&*policy.tenant_header, &*policy.role_header), ("x-tenant-id", "x-ai-role"));
    assert_eq!((policy.default_max_tokens, policy.min_tokens), (Tokens(4_096), Tokens(16)));
    assert_eq!((policy.max_request_bytes, policy.lease_seconds, policy.starved), (4_194_304, 900, Starved::Deny));
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
    assert_eq!(policy.rules(TenantIx(1)), None);
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
     "cached_input_usd_per_1m_tokens": "1.25", "cache_creation_usd_per_1m_tokens": "3", "output_bound_field": "max_tokens"},
    {"model": "free*", "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0"}
  ],
  "unpriced": {"policy": "price_as", "model": "gpt-4o"}, "aliases": {"fast": "gpt-4o", "new": "o9"},
  "tiers": {"gold": {"budgets": {"request_usd": "1"}, "unlimited": ["day_usd"]}},
  "tenants": {"acme": {"tier": "gold", "models": ["gpt-4o*"]}}, "limits": {"requests_per_minute": 5},
  "expensive": {"models": ["gpt-4", "o1*"], "over_usd": "0.02"}, "output": {"min_tokens": 1},
  "max_request_bytes": 1024, "reservation_lease_seconds": 60, "starved": "allow"
}"#,
    );
    assert_eq!((&*policy.tenant_header, &*policy.role_header, policy.roles.len()), ("x-team", "x-role", 2));
    let providers = [Some("provider"), Some("simulated"), None].map(|cluster| policy.provider_label(cluster));
    assert_eq!(providers, ["simulated", "other", "other"]);
    assert_eq!([Some("code"), Some("boss"), None].map(|role| policy.role_label(role)), ["code", "other", "none"]);
    assert_eq!(["fast", "gpt-4o"].map(|model| policy.resolve(model)), ["gpt-4o", "gpt-4o"]);
    let price = policy.prices.quote(None, "gpt-4o", UnixNanos(0)).price().unwrap();
    assert_eq!(price.bound_field, BoundField::MaxTokens);
    assert_eq!(price.tariff.standard.base.cached_input, PicoUsdPerToken(1_250_000));
    assert_eq!(price.tariff.standard.base.cache_creation, PicoUsdPerToken(3_000_000));
    assert!(matches!(policy.prices.quote(None, "o9", UnixNanos(0)), Quote::PricedAs { .. }));
    assert_eq!((policy.default_max_tokens, policy.min_tokens), (Tokens(4_096), Tokens(1)), "field by field");
    assert_eq!(policy.expensive.over, Some(NanoUsd(20_000_000)));
    assert!(policy.expensive.is_model("o1-mini") && !policy.expensive.is_model("gpt-4o"));
    assert!(policy.tenants[0].allows("gpt-4o-mini") && !policy.tenants[0].allows("o1"));
    assert_eq!((policy.max_request_bytes, policy.lease_seconds, policy.starved), (1_024, 60, Starved::Allow));
    let money: Vec<_> = limits(&policy, "acme").into_iter().filter(|(name, ..)| name.ends_with("usd")).collect();
    assert_eq!(money, [("request_usd", 1_000_000_000, false)]);
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
         `requests_per_day`, `tokens_per_minute`, `expensive_per_minute` (line 3, column 11)"
    );
    assert_eq!(
        refusal(&tenants("{\n \"acme\": {\"tier\": \"gold\"}}")),
        "tenants.acme.tier: unknown tier `gold`, expected one of `low`, `premium`, `standard` (line 3, column 19)"
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
fn a_key_written_twice_is_refused() {
    refused([
        (tenants(r#"{"acme":{},"beta":{},"acme":{}}"#), "tenants: the key `acme` is written twice"),
        (with(r#""aliases":{"a":"gpt-4o","a":"gpt-4o"}"#), "aliases: the key `a` is written twice"),
        (with(r#""starved":"deny","starved":"allow""#), "configuration: duplicate field `starved`"),
    ]);
}

#[test]
fn wrong_amounts_and_limits_say_what_would_be_right() {
    let own = |tenant: &str| tenants(&format!(r#"{{"acme":{{{tenant}}}}}"#));
    let price = |input: &str| {
        format!(
            r#"{{{TENANTS},"prices":[{{"model":"m","input_usd_per_1m_tokens":{input},"output_usd_per_1m_tokens":"1"}}]}}"#
        )
    };
    const QUOTE: &str = "an amount is a quoted decimal string: write \"0.15\", not 0.15";
    let at = |path: &str, problem: &str| -> &'static str { format!("{path}: {problem}").leak() };
    refused([
        (price("0.15"), at("prices[0].input_usd_per_1m_tokens", QUOTE)),
        (price("-1"), at("prices[0].input_usd_per_1m_tokens", QUOTE)),
        (own(r#""budgets":{"day_usd":5}"#), at("tenants.acme.budgets.day_usd", QUOTE)),
        (
            price(r#""-1""#),
            "prices[0].input_usd_per_1m_tokens: \"-1\" is not a price: expected a decimal string such as \"2.50\" (no \
             sign, no exponent)",
        ),
        (
            price(r#""0.0000001""#),
            "prices[0].input_usd_per_1m_tokens: \"0.0000001\" is not a price: at most 6 digits may stand behind the point",
        ),
        (
            own(r#""budgets":{"day_usd":"0.00"}"#),
            "tenants.acme.budgets.day_usd: a budget must be more than 0; list it under `unlimited` to lift it",
        ),
        (
            own(r#""budgets":{"day_usd":null}"#),
            "tenants.acme.budgets.day_usd: invalid type: null, expected an amount in USD as a quoted decimal string \
             such as \"2.50\"",
        ),
        (
            own(r#""limits":{"requests_per_day":0}"#),
            "tenants.acme.limits.requests_per_day: must be at least 1; list it under `unlimited` to lift it",
        ),
        (
            own(r#""limits":{"requests_per_day":-5}"#),
            "tenants.acme.limits.requests_per_day: expected a whole number of at least 1",
        ),
        (
            own(r#""limits":{"requests_per_day":"5"}"#),
            "tenants.acme.limits.requests_per_day: the string \"5\" stands here, expected a whole number without quotes",
        ),
        (
            own(r#""audit":["day_usd"],"unlimited":["day_usd"]"#),
            "tenants.acme.unlimited: `day_usd` is listed here and is listed under `audit` too: remove one of them",
        ),
        (
            own(r#""limits":{"requests_per_day":1},"unlimited":["requests_per_day"]"#),
            "tenants.acme.unlimited: `requests_per_day` is listed here and has a limit too: remove one of them",
        ),
        (
            own(r#""audit":["month_usd"]"#),
            "tenants.acme.audit: `month_usd` has no limit to audit here: write one, or leave it out",
        ),
        (
            own(r#""audit":["day"]"#),
            "tenants.acme.audit[0]: unknown variant `day`, expected one of `requests_per_minute`, `requests_per_hour`, \
             `requests_per_day`, `expensive_per_minute`, `tokens_per_minute`, `request_usd`, `day_usd`, `month_usd`",
        ),
    ]);
}

#[test]
fn wrong_names_say_what_would_be_right() {
    let long = "x".repeat(129);
    refused([
        (tenants("{}"), "tenants: no tenants: at least one is needed, such as `acme: {tier: standard}`"),
        (tenants(r#"{"":{}}"#), "tenants: a name must not be empty"),
        (tenants(r#"{"a;b":{}}"#), "tenants: \"a;b\" is not a name: control characters and `;` are not allowed"),
        (
            tenants(r#"{"a\u0007":{}}"#),
            "tenants: \"a\\u{7}\" is not a name: control characters and `;` are not allowed",
        ),
        (tenants(r#"{"a ":{}}"#), "tenants: \"a \" is not a name: it must not begin or end with a blank"),
        (tenants(&format!(r#"{{"{long}":{{}}}}"#)), "tenants: a name has at most 128 bytes, this one has 129"),
        (tenants(r#"{"other":{}}"#), "tenants.other: `other` is a label of the gateway's own; choose another name"),
        (
            tenants(r#"{"default":{}}"#),
            "tenants.default: `default` is the tenant that unknown ones share: choose another name, or set \
             `unknown_tenants: share_default`",
        ),
        (tenants(r#"{"acme":{"tier":1}}"#), "tenants.acme.tier: the number 1 stands here, expected a name (a string)"),
        (
            tenants(r#"{"acme":{"models":[]}}"#),
            "tenants.acme.models: an empty list allows no model; leave it out to allow all",
        ),
        (
            tenants(r#"{"acme":{"models":["gpt-4o","*o"]}}"#),
            "tenants.acme.models[1]: \"*o\" is not a model: `*` may only stand at the end",
        ),
        (
            with(r#""tenant_header":"X-Tenant""#),
            "tenant_header: \"X-Tenant\" is not a header: lower-case letters, digits and `-` are allowed, no `:`",
        ),
        (
            with(r#""role_header":":path""#),
            "role_header: \":path\" is not a header: lower-case letters, digits and `-` are allowed, no `:`",
        ),
        (with(r#""role_header":"x-tenant-id""#), "role_header: `x-tenant-id` is the tenant's header already"),
        (with(r#""roles":["chat","none"]"#), "roles[1]: `none` is a label of the gateway's own; choose another name"),
        (with(r#""roles":["chat","chat"]"#), "roles[1]: the role `chat` is written twice"),
        (
            with(r#""providers":{"a":{"cluster":"c"},"b":{"cluster":"c"}}"#),
            "providers.b.cluster: the cluster `c` is that of `a` already",
        ),
        (with(r#""providers":{"a":{}}"#), "providers.a: missing field `cluster`"),
        (with(r#""starved":"drop""#), "starved: unknown variant `drop`, expected `deny` or `allow`"),
        (
            with(r#""unknown_tenants":"allow""#),
            "unknown_tenants: unknown variant `allow`, expected `refuse` or `share_default`",
        ),
    ]);
}

#[test]
fn wrong_prices_and_figures_say_what_would_be_right() {
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
    refused([
        (priced(&many), "prices: too many: at most 65535 are allowed"),
        (priced(&[]), "prices: no prices: at least one model must have a price (`*` stands for every model)"),
        (priced(&["a*", "b", "a*"]), "prices[2].model: `a*` has a price already, at prices[0]"),
        (priced(&["a*b"]), "prices[0].model: \"a*b\" is not a model: `*` may only stand at the end"),
        (priced(&["other"]), "prices[0].model: `other` is a label of the gateway's own; choose another name"),
        (with(r#""unpriced":{}"#), "unpriced: missing field `policy`"),
        (
            with(r#""unpriced":{"policy":"free"}"#),
            "unpriced.policy: unknown variant `free`, expected one of `deny`, `allow`, `price_as`",
        ),
        (
            with(r#""unpriced":{"policy":"price_as"}"#),
            "unpriced: the policy `price_as` needs a `model` that has a price",
        ),
        (
            with(r#""unpriced":{"policy":"price_as","model":"o1"}"#),
            "unpriced.model: `o1` has no price itself; name a model under `prices`",
        ),
        (
            with(r#""unpriced":{"policy":"deny","model":"gpt-4o"}"#),
            "unpriced.model: only the policy `price_as` takes a model",
        ),
        (
            with(r#""aliases":{"gpt-3.5":"o1"}"#),
            "aliases.gpt-3.5: no price matches `o1`, so `unpriced` denies it: add it under `prices`",
        ),
        (
            with(r#""aliases":{"a":"b","b":"gpt-4o"}"#),
            "aliases.a: `b` is an alias itself, and aliases are followed once: name its model",
        ),
        (
            with(r#""aliases":{"a*":"gpt-4o"}"#),
            "aliases.a*: `a*: gpt-4o`: an alias stands for one name, `*` is not allowed",
        ),
        (
            with(r#""tiers":{"gold":{"budgets":{"request_usd":"1"}}}"#),
            "tiers.gold: a new tier needs `day_usd` under `budgets`, or listed under `unlimited`",
        ),
        (
            with(r#""output":{"min_tokens":5000}"#),
            "output.min_tokens: 5000 is more than `default_max_tokens` (4096); at most as much is right",
        ),
        (with(r#""output":{"min_tokens":0}"#), "output.min_tokens: 0 is out of range: 1 to 1000000000 is allowed"),
        (with(r#""max_request_bytes":9"#), "max_request_bytes: 9 is out of range: 1024 to 1073741824 is allowed"),
        (
            with(r#""reservation_lease_seconds":86401"#),
            "reservation_lease_seconds: 86401 is out of range: 60 to 1800 is allowed",
        ),
    ]);
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
    assert!(size_of::<TenantPolicy>() <= 64);
}

#[test]
fn the_operators_paths_come_before_the_built_in_ones() {
    let policy = read(&with(
        r#""paths":[{"path":"/ask/{model}","api":"openai_chat","streams":true},{"path":"**/v1/completions","api":"none"}]"#,
    ));
    let called = |path: &str| {
        let called = crate::llm::path::called(&policy.paths, b"POST", path.as_bytes())?;
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

const PROVIDERS: &str =
    r#""providers":{"a":{"cluster":"ca","sensitivity":"internal"},"b":{"cluster":"cb"}},"roles":["chat"]"#;

/// With one model, served by `a`.
fn routed(more: &str) -> String {
    with(&format!(r#"{PROVIDERS},"models":[{{"model":"gpt-4o-mini","providers":[{{"provider":"a"}}]}}],{more}"#))
}

fn models(models: &str) -> String {
    with(&format!(r#"{PROVIDERS},"models":[{models}]"#))
}

#[test]
fn the_closest_model_decides_who_serves_it() {
    let served =
        |name: &str, provider: &str| format!(r#"{{"model":"{name}","providers":[{{"provider":"{provider}"}}]}}"#);
    let all = [served("gpt-4o*", "a"), served("gpt-4o-mini", "c"), served("gpt-4o-mini*", "d")].join(",");
    let providers = r#""providers":{"d":{"cluster":"cd","sensitivity":"public"},"a":{"cluster":"ca","sensitivity":"public"},"c":{"cluster":"cc","sensitivity":"public"}}"#;
    let policy = read(&with(&format!(r#"{providers},"models":[{all}]"#)));
    let serving = |model: &str| {
        let known = policy.routes.model(model)?;
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
fn wrong_routes_say_what_would_be_right() {
    let served = r#""providers":[{"provider":"a"}]"#;
    refused([
        (
            models(r#"{"model":"gpt-4o","providers":[{"provider":"c"}]}"#),
            "models[0].providers[0].provider: unknown provider `c`, expected `a`, `b`",
        ),
        (
            models(r#"{"model":"gpt-4o","providers":[{"provider":"b"}]}"#),
            "providers.b: `sensitivity` is missing: say which data it may see, `public`, `internal`, `confidential` or \
             `restricted`",
        ),
        (
            models(r#"{"model":"gpt-4o","providers":[{"provider":"a"},{"provider":"a"}]}"#),
            "models[0].providers[1].provider: `a` is written twice",
        ),
        (
            models(r#"{"model":"gpt-4o","providers":[]}"#),
            "models[0].providers: an empty list serves nobody; leave the model out",
        ),
        (
            models(r#"{"model":"gpt-4o","providers":[{"provider":"a","model":"llama"}]}"#),
            "models[0].providers[0]: no price matches `llama` of `a`: add `a/llama` or `llama` under `prices`",
        ),
        (
            models(&format!(r#"{{"model":"gpt-4o",{served}}},{{"model":"gpt-4o",{served}}}"#)),
            "models[1].model: the model `gpt-4o` is written twice",
        ),
        (
            models(&format!(r#"{{"model":"role",{served}}}"#)),
            "models[0].model: `role` is a name of the gateway's own; choose another",
        ),
        (
            models(&format!(r#"{{"model":"gpt-4o","context_tokens":0,{served}}}"#)),
            "models[0].context_tokens: 0 holds nothing; leave it out where it is not known",
        ),
        (routed(r#""virtual_models":{"cheap":["gpt-9"]}"#), "virtual_models.cheap[0]: `gpt-9` is none of `models`"),
        (
            routed(r#""virtual_models":{"cheap":[]}"#),
            "virtual_models.cheap: an empty list stands for nothing; name some of `models`",
        ),
        (
            routed(r#""virtual_models":{"gpt-4o-mini":["gpt-4o-mini"]}"#),
            "virtual_models.gpt-4o-mini: `gpt-4o-mini` is a model or an alias already; choose another name",
        ),
        (
            routed(r#""role_models":{"poet":"gpt-4o-mini"}"#),
            "role_models.poet: unknown role `poet`, expected one of `chat`",
        ),
        (
            routed(r#""role_models":{"chat":"gpt-9"}"#),
            "role_models.chat: `gpt-9` is neither one of `models`, `virtual_models` nor `aliases`",
        ),
        (
            routed(r#""aliases":{"fast":"gpt-9"}"#),
            "aliases.fast: `gpt-9` is neither one of `models` nor of `virtual_models`",
        ),
        (with(r#""metrics":{"tenants":["nobody"]}"#), "metrics.tenants[0]: there is no such tenant under `tenants`"),
        (
            with(r#""metrics":{"tenant_label":"tier","tenants":["acme"]}"#),
            "metrics.tenants: only `tenant_label: name` takes a list of tenants",
        ),
        (
            with(r#""status":{"cluster":"admin","allow":["10.0.0.0/33"]}"#),
            "status.allow[0]: `10.0.0.0/33` is no network, such as `10.0.0.0/8` or `::1/128`",
        ),
        (
            with(r#""sensitivity_header":"x-tenant-id""#),
            "sensitivity_header: `x-tenant-id` is the tenant's header already",
        ),
        (
            with(r#""providers":{"a":{"cluster":"ca","base_path":"v1"}}"#),
            "providers.a.base_path: `v1` is not a path: it begins with `/`, and has no blanks and no `#`",
        ),
        (
            with(r#""providers":{"a":{"cluster":"ca","paths":{"openai_chat":"x"}}}"#),
            "providers.a.paths.openai_chat: `x` is not a path: it begins with `/`, and has no blanks and no `#`",
        ),
    ]);
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
fn sharing_needs_to_know_with_how_many_and_whether_the_service_is_there() {
    let shared =
        |more: &str| with(&format!(r#""status":{{"cluster":"admin"}},"shared":{{"cluster":"ratelimit"{more}}}"#));
    assert!(read(&shared(r#","replicas":2"#)).shared.is_some());
    let blind = r#""shared":{"cluster":"ratelimit","replicas":2,"requests_away":"allow","budgets_away":"deny"}"#;
    assert!(read(&with(blind)).shared.is_some());
    refused([
        (shared(r#","replicas":0"#), "shared.replicas: 0 is out of range: 1 to 10000 is allowed"),
        (
            shared(r#","replicas":2,"in_flight_percent":101"#),
            "shared.in_flight_percent: 101 is out of range: 1 to 100 is allowed",
        ),
        (with(&blind.replace("allow", "local")), "shared: `local` needs `status`, to know when the service is away"),
    ]);
}
