//! Configurations that are wrong, and what is said of each. The checking program and real Envoy are asked about them too.

const PRICES: &str =
    r#""prices":[{"model":"gpt-4o*","input_usd_per_1m_tokens":"2.50","output_usd_per_1m_tokens":"10"}]"#;
const TENANTS: &str = r#""tenants":{"acme":{}}"#;

pub struct Refused {
    pub json: String,
    /// Without line and column.
    pub says: String,
    /// One value is wrong by itself, so that the JSON Schema sees it too.
    pub by_shape: bool,
}

fn shape(json: String, says: impl Into<String>) -> Refused {
    Refused { json, says: says.into(), by_shape: true }
}

fn meaning(json: String, says: impl Into<String>) -> Refused {
    Refused { json, says: says.into(), by_shape: false }
}

/// A configuration that is right but for `more`.
fn with(more: &str) -> String {
    format!("{{{PRICES},{TENANTS},{more}}}")
}

fn tenants(tenants: &str) -> String {
    format!("{{{PRICES},\n\"tenants\":{tenants}}}")
}

fn own(tenant: &str) -> String {
    tenants(&format!(r#"{{"acme":{{{tenant}}}}}"#))
}

pub fn all() -> Vec<Refused> {
    [
        unknown_and_missing(),
        amounts_and_limits(),
        names(),
        prices_and_figures(),
        routes(),
        sharing(),
        forward(),
        shadows(),
        groups(),
        model_groups(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Groups, and a tenant in one.
fn grouped(groups: &str, tenant: &str) -> String {
    format!(r#"{{{PRICES},"groups":{{{groups}}},"tenants":{{"acme":{{{tenant}}}}}}}"#)
}

fn groups() -> Vec<Refused> {
    let chain = |length: usize| {
        let group = |at: usize| format!(r#""g{at}":{{"parent":"g{}"}},"#, at + 1);
        format!(r#"{}"g{length}":{{}}"#, (1..length).map(group).collect::<String>())
    };
    let too_many = "more than 4 groups would stand above a tenant of this one: leave out one `parent`";
    vec![
        shape(
            grouped(r#""org":{"parents":"x"}"#, ""),
            "groups.org: unknown field `parents`, expected one of `parent`, `limits`, `budgets`, `model_groups`, `audit`, `show_figures`",
        ),
        shape(grouped(r#""org":[]"#, ""), "groups.org: invalid type: sequence, expected a map"),
        meaning(grouped("", r#""group":"org""#), "tenants.acme.group: unknown group `org`: write it under `groups`"),
        meaning(
            grouped(r#""a":{},"b":{}"#, r#""group":"c""#),
            "tenants.acme.group: unknown group `c`, expected one of `a`, `b`",
        ),
        meaning(grouped(r#""a":{"parent":"b"}"#, ""), "groups.a.parent: unknown group `b`, expected one of `a`"),
        meaning(
            grouped(r#""a":{"parent":"a"}"#, ""),
            "groups.a.parent: `a`, `a` stand above each other in a circle: leave out one `parent`",
        ),
        meaning(
            grouped(r#""a":{"parent":"b"},"b":{"parent":"c"},"c":{"parent":"b"}"#, ""),
            "groups.b.parent: `b`, `c`, `b` stand above each other in a circle: leave out one `parent`",
        ),
        meaning(grouped(&chain(5), ""), format!("groups.g1.parent: {too_many}")),
        meaning(grouped(&chain(9), ""), format!("groups.g1.parent: {too_many}")),
        // Whichever of a chain is written first.
        meaning(
            grouped(
                r#""g3":{"parent":"g4"},"g4":{"parent":"g5"},"g5":{},"g1":{"parent":"g2"},"g2":{"parent":"g3"}"#,
                "",
            ),
            format!("groups.g1.parent: {too_many}"),
        ),
        meaning(
            format!(
                r#"{{{PRICES},"tenants":{{"acme":{{"limits":{{"in_flight":5}}}}}},"status":{{"cluster":"admin"}},"replicas":{{"count":2,"cluster":"limits"}}}}"#
            ),
            "tenants.acme.limits.in_flight: several Envoys share no count of what is in flight, and each would let as many pass: leave it \
             out, or `replicas`",
        ),
        meaning(
            grouped(r#""other":{}"#, ""),
            "groups.other: `other` is a label of the gateway's own; choose another name",
        ),
        meaning(
            grouped(r#""a":{"audit":["day_usd"]}"#, ""),
            "groups.a.audit: `day_usd` has no limit to audit here: write one, or leave it out",
        ),
        meaning(
            with(r#""groups":{"a":{}},"replicas":{"count":2,"cluster":"limits"}"#),
            "groups: groups have no limits that several Envoys share, and each would let all of them pass: leave `groups` out, or \
             `replicas`",
        ),
    ]
}

fn model_groups() -> Vec<Refused> {
    let of = |groups: &str, tenant: &str| {
        format!(r#"{{{PRICES},"model_groups":{{{groups}}},"tenants":{{"acme":{{"model_groups":{{{tenant}}}}}}}}}"#)
    };
    vec![
        shape(
            of(r#""dear":["gpt-4o*"]"#, r#""dear":{"budget":{}}"#),
            "tenants.acme.model_groups.dear: unknown field `budget`, expected one of `limits`, `budgets`, `audit`",
        ),
        shape(of(r#""dear":{"models":[]}"#, ""), "model_groups.dear: invalid type: map, expected a sequence"),
        meaning(
            format!(r#"{{{PRICES},{TENANTS},"aliases":{{"fast":"gpt-4o"}},"model_groups":{{"dear":["fast"]}}}}"#),
            "model_groups.dear: `fast` is an alias of `gpt-4o`: no model goes by this name, so write those that serve",
        ),
        meaning(of(r#""dear":[]"#, ""), "model_groups.dear: an empty list is a group of no model: leave it out"),
        meaning(
            of(r#""none":["gpt-4o"]"#, ""),
            "model_groups.none: `none` is a label of the gateway's own; choose another name",
        ),
        meaning(
            of(r#""b":["gpt-4o","GPT-4o*"],"a":["gpt-4o*"]"#, ""),
            "model_groups.b: `gpt-4o*` is in the model group `a` already: a model is in one of them",
        ),
        meaning(
            of("", r#""dear":{}"#),
            "tenants.acme.model_groups.dear: unknown model group `dear`: write it under `model_groups`",
        ),
        meaning(
            of(r#""b":["x"],"a":["y"]"#, r#""dear":{}"#),
            "tenants.acme.model_groups.dear: unknown model group `dear`, expected one of `a`, `b`",
        ),
        meaning(
            of(r#""a":["y"]"#, r#""a":{"audit":["day_usd"]}"#),
            "tenants.acme.model_groups.a.audit: `day_usd` has no limit to audit here: write one, or leave it out",
        ),
        meaning(
            with(r#""model_groups":{"a":["x"]},"replicas":{"count":2,"cluster":"limits"}"#),
            "model_groups: groups have no limits that several Envoys share, and each would let all of them pass: leave `model_groups` out, \
             or `replicas`",
        ),
    ]
}

fn unknown_and_missing() -> Vec<Refused> {
    vec![
        shape(
            own(r#""limits":{"burts":1}"#),
            "tenants.acme.limits: unknown field `burts`, expected one of `requests_per_minute`, `requests_per_hour`, \
             `requests_per_day`, `tokens_per_minute`, `expensive_per_minute`, `in_flight`",
        ),
        shape(format!(r#"{{{TENANTS},"prices":[{{}}]}}"#), "prices[0]: missing field `model`"),
        shape(with(r#""limits":[5]"#), "limits: invalid type: sequence, expected a map"),
        shape(
            with(r#""tenant_header":null"#),
            "tenant_header: invalid type: null, expected a header's name (a string)",
        ),
        shape(
            with(r#""default_sensitivity":"secret""#),
            "default_sensitivity: unknown variant `secret`, expected one of \
            `public`, `internal`, `confidential`, `restricted`",
        ),
        shape(
            r#"{"attempt_of":"openai","tenants":{}}"#.to_owned(),
            "configuration: unknown field `tenants`, expected `attempt_of`",
        ),
        shape(
            r#"{"tenants":{},"attempt_of":"openai"}"#.to_owned(),
            "configuration: unknown field `tenants`, expected `attempt_of`",
        ),
        shape(r#"{"attempt_of":5}"#.to_owned(), "attempt_of: the number 5 stands here, expected a name (a string)"),
    ]
}

fn amounts_and_limits() -> Vec<Refused> {
    let price = |input: &str| {
        format!(
            r#"{{{TENANTS},"prices":[{{"model":"m","input_usd_per_1m_tokens":{input},"output_usd_per_1m_tokens":"1"}}]}}"#
        )
    };
    const QUOTE: &str = "an amount is a quoted decimal string: write \"0.15\", not 0.15";
    let at = |path: &str, problem: &str| format!("{path}: {problem}");
    vec![
        shape(price("0.15"), at("prices[0].input_usd_per_1m_tokens", QUOTE)),
        shape(price("-1"), at("prices[0].input_usd_per_1m_tokens", QUOTE)),
        shape(own(r#""budgets":{"day_usd":5}"#), at("tenants.acme.budgets.day_usd", QUOTE)),
        shape(
            price(r#""-1""#),
            "prices[0].input_usd_per_1m_tokens: \"-1\" is not a price: expected a decimal string such as \"2.50\" (no \
             sign, no exponent)",
        ),
        shape(
            price(r#""0.0000001""#),
            "prices[0].input_usd_per_1m_tokens: \"0.0000001\" is not a price: at most 6 digits may stand behind the point",
        ),
        shape(
            own(r#""budgets":{"day_usd":"0.00"}"#),
            "tenants.acme.budgets.day_usd: a budget must be more than 0; list it under `unlimited` to lift it",
        ),
        shape(
            own(r#""budgets":{"day_usd":null}"#),
            "tenants.acme.budgets.day_usd: invalid type: null, expected an amount in USD as a quoted decimal string \
             such as \"2.50\"",
        ),
        shape(
            own(r#""limits":{"requests_per_day":0}"#),
            "tenants.acme.limits.requests_per_day: must be at least 1; list it under `unlimited` to lift it",
        ),
        shape(
            own(r#""limits":{"requests_per_day":-5}"#),
            "tenants.acme.limits.requests_per_day: expected a whole number of at least 1",
        ),
        shape(
            own(r#""limits":{"requests_per_day":"5"}"#),
            "tenants.acme.limits.requests_per_day: the string \"5\" stands here, expected a whole number without quotes",
        ),
        meaning(
            own(r#""audit":["day_usd"],"unlimited":["day_usd"]"#),
            "tenants.acme.unlimited: `day_usd` is listed here and is listed under `audit` too: remove one of them",
        ),
        meaning(
            own(r#""limits":{"requests_per_day":1},"unlimited":["requests_per_day"]"#),
            "tenants.acme.unlimited: `requests_per_day` is listed here and has a limit too: remove one of them",
        ),
        meaning(
            own(r#""audit":["month_usd"]"#),
            "tenants.acme.audit: `month_usd` has no limit to audit here: write one, or leave it out",
        ),
        shape(
            own(r#""overrun":"stop""#),
            "tenants.acme.overrun: unknown variant `stop`, expected one of `pass`, `audit`, `end`",
        ),
        shape(
            with(r#""tiers":{"low":{"overrun":"refuse"}}"#),
            "tiers.low.overrun: unknown variant `refuse`, expected one of `pass`, `audit`, `end`",
        ),
        shape(
            own(r#""audit":["day"]"#),
            "tenants.acme.audit[0]: unknown variant `day`, expected one of `requests_per_minute`, `requests_per_hour`, \
             `requests_per_day`, `expensive_per_minute`, `tokens_per_minute`, `in_flight`, `request_usd`, `day_usd`, `month_usd`",
        ),
    ]
}

fn names() -> Vec<Refused> {
    let long = "x".repeat(129);
    vec![
        shape(tenants("{}"), "tenants: no tenants: at least one is needed, such as `acme: {tier: standard}`"),
        shape(tenants(r#"{"":{}}"#), "tenants: a name must not be empty"),
        shape(tenants(r#"{"a;b":{}}"#), "tenants: \"a;b\" is not a name: control characters and `;` are not allowed"),
        shape(
            tenants(r#"{"a\u0007":{}}"#),
            "tenants: \"a\\u{7}\" is not a name: control characters and `;` are not allowed",
        ),
        shape(tenants(r#"{"a ":{}}"#), "tenants: \"a \" is not a name: it must not begin or end with a blank"),
        shape(tenants(&format!(r#"{{"{long}":{{}}}}"#)), "tenants: a name has at most 128 bytes, this one has 129"),
        meaning(
            tenants(r#"{"other":{}}"#),
            "tenants.other: `other` is a label of the gateway's own; choose another name",
        ),
        meaning(
            tenants(r#"{"default":{}}"#),
            "tenants.default: `default` is the tenant that unknown ones share: choose another name, or set \
             `unknown_tenants: share_default`",
        ),
        shape(
            tenants(r#"{"acme":{"tier":1}}"#),
            "tenants.acme.tier: the number 1 stands here, expected a name (a string)",
        ),
        shape(
            tenants(r#"{"acme":{"models":[]}}"#),
            "tenants.acme.models: an empty list allows no model; leave it out to allow all",
        ),
        shape(
            tenants(r#"{"acme":{"models":["gpt-4o","*o"]}}"#),
            "tenants.acme.models[1]: \"*o\" is neither a name nor the beginning of one: `*` may only stand at the end",
        ),
        shape(
            with(r#""tenant_header":"X-Tenant""#),
            "tenant_header: \"X-Tenant\" is not a header: lower-case letters, digits and `-` are allowed, no `:`",
        ),
        shape(
            with(r#""role_header":":path""#),
            "role_header: \":path\" is not a header: lower-case letters, digits and `-` are allowed, no `:`",
        ),
        meaning(with(r#""role_header":"x-tenant-id""#), "role_header: `x-tenant-id` is the tenant's header already"),
        meaning(
            with(r#""roles":["chat","none"]"#),
            "roles[1]: `none` is a label of the gateway's own; choose another name",
        ),
        meaning(with(r#""roles":["chat","chat"]"#), "roles[1]: the role `chat` is written twice"),
        meaning(
            with(r#""providers":{"a":{"cluster":"c"},"b":{"cluster":"c"}}"#),
            "providers.b.cluster: the cluster `c` is that of `a` already",
        ),
        shape(with(r#""providers":{"a":{}}"#), "providers.a: missing field `cluster`"),
        shape(with(r#""on_contention":"drop""#), "on_contention: unknown variant `drop`, expected `deny` or `allow`"),
        shape(
            with(r#""unknown_tenants":"allow""#),
            "unknown_tenants: unknown variant `allow`, expected `refuse` or `share_default`",
        ),
    ]
}

fn prices_and_figures() -> Vec<Refused> {
    let priced = |models: &[&str]| {
        let prices: Vec<_> = models
            .iter()
            .map(|model| {
                format!(r#"{{"model":"{model}","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}}"#)
            })
            .collect();
        format!(r#"{{{TENANTS},"prices":[{}]}}"#, prices.join(","))
    };
    vec![
        shape(priced(&[]), "prices: no prices: at least one model must have a price (`*` stands for every model)"),
        meaning(priced(&["a*", "b", "a*"]), "prices[2].model: `a*` has a price already, at prices[0]"),
        shape(
            priced(&["a*b"]),
            "prices[0].model: \"a*b\" is neither a name nor the beginning of one: `*` may only stand at the end",
        ),
        meaning(priced(&["other"]), "prices[0].model: `other` is a label of the gateway's own; choose another name"),
        shape(with(r#""unpriced":{}"#), "unpriced: missing field `policy`"),
        shape(
            with(r#""unpriced":{"policy":"free"}"#),
            "unpriced.policy: unknown variant `free`, expected one of `deny`, `allow`, `price_as`",
        ),
        meaning(
            with(r#""unpriced":{"policy":"price_as"}"#),
            "unpriced: the policy `price_as` needs a `model` that has a price",
        ),
        meaning(
            with(r#""unpriced":{"policy":"price_as","model":"o1"}"#),
            "unpriced.model: `o1` has no price itself; name a model under `prices`",
        ),
        meaning(
            with(r#""unpriced":{"policy":"deny","model":"gpt-4o"}"#),
            "unpriced.model: only the policy `price_as` takes a model",
        ),
        meaning(
            with(r#""aliases":{"gpt-3.5":"o1"}"#),
            "aliases.gpt-3.5: no price matches `o1`, so `unpriced` denies it: add it under `prices`",
        ),
        meaning(
            with(r#""aliases":{"a":"b","b":"gpt-4o"}"#),
            "aliases.a: `b` is an alias itself, and aliases are followed once: name its model",
        ),
        meaning(
            with(r#""aliases":{"a*":"gpt-4o"}"#),
            "aliases.a*: `a*: gpt-4o`: an alias stands for one name, `*` is not allowed",
        ),
        meaning(
            with(r#""tiers":{"gold":{"budgets":{"request_usd":"1"}}}"#),
            "tiers.gold: a new tier needs `day_usd` under `budgets`, or listed under `unlimited`",
        ),
        meaning(
            with(r#""output":{"min_tokens":5000}"#),
            "output.min_tokens: 5000 is more than `default_max_tokens` (4096); at most as much is right",
        ),
        meaning(
            tenants(r#"{"acme":{"output":{"default_max_tokens":15}}}"#),
            "tenants.acme.output.default_max_tokens: 15 is less than `output.min_tokens` (16); at least as much is right",
        ),
        shape(
            with(r#""tiers":{"low":{"output":{"default_max_tokens":0}}}"#),
            "tiers.low.output.default_max_tokens: 0 is out of range: 1 to 1000000000 is allowed",
        ),
        shape(
            tenants(r#"{"acme":{"output":{"max_tokens":15}}}"#),
            "tenants.acme.output: unknown field `max_tokens`, expected `default_max_tokens`",
        ),
        shape(
            tenants(r#"{"acme":{"sensitivity":"secret"}}"#),
            "tenants.acme.sensitivity: unknown variant `secret`, expected one of `public`, `internal`, `confidential`, \
             `restricted`",
        ),
        shape(with(r#""output":{"min_tokens":0}"#), "output.min_tokens: 0 is out of range: 1 to 1000000000 is allowed"),
        shape(with(r#""max_request_bytes":9"#), "max_request_bytes: 9 is out of range: 1024 to 1073741824 is allowed"),
        shape(
            with(r#""max_request_bytes":"4096""#),
            "max_request_bytes: invalid type: string \"4096\", expected a whole number from 1024 to 1073741824",
        ),
        shape(
            with(r#""max_waiting_bodies":-1"#),
            "max_waiting_bodies: invalid type: integer `-1`, expected a whole number from 1 to 65535",
        ),
        shape(
            with(r#""hidden_input":{"most_tokens":1000000001}"#),
            "hidden_input.most_tokens: 1000000001 is out of range: 0 to 1000000000 is allowed",
        ),
        shape(
            format!(
                r#"{{{TENANTS},"prices":[{{"model":"m","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1","context_tokens":0}}]}}"#
            ),
            "prices[0].context_tokens: 0 is out of range: 1 to 1000000000 is allowed",
        ),
        shape(
            with(r#""reservation_lease_seconds":86401"#),
            "reservation_lease_seconds: 86401 is out of range: 60 to 1800 is allowed",
        ),
    ]
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

/// One model, served by these; of the providers `c` is like `a`.
fn by_weight(by: &str) -> String {
    let c = PROVIDERS.replacen('{', r#"{"c":{"cluster":"cc","sensitivity":"public"},"#, 1);
    with(&format!(r#"{c},"models":[{{"model":"gpt-4o-mini","providers":[{by}]}}]"#))
}

fn routes() -> Vec<Refused> {
    let served = r#""providers":[{"provider":"a"}]"#;
    let unheld = models(&format!(r#"{{"model":"gpt-4o",{served}}}"#)).replacen('{', r#"{"hold_headers":false,"#, 1);
    vec![
        meaning(
            unheld,
            "models: without held headers Envoy has chosen the provider before the model is known: leave `models` out, or \
             hold headers",
        ),
        meaning(
            models(r#"{"model":"gpt-4o","providers":[{"provider":"c"}]}"#),
            "models[0].providers[0].provider: unknown provider `c`, expected `a`, `b`",
        ),
        meaning(
            models(r#"{"model":"gpt-4o","providers":[{"provider":"b"}]}"#),
            "providers.b: `sensitivity` is missing: say which data it may see, `public`, `internal`, `confidential` or \
             `restricted`",
        ),
        meaning(
            models(r#"{"model":"gpt-4o","providers":[{"provider":"a"},{"provider":"a"}]}"#),
            "models[0].providers[1].provider: `a` is written twice",
        ),
        shape(
            models(r#"{"model":"gpt-4o","providers":[]}"#),
            "models[0].providers: an empty list serves nobody; leave the model out",
        ),
        meaning(
            models(r#"{"model":"gpt-4o","providers":[{"provider":"a","model":"llama"}]}"#),
            "models[0].providers[0]: no price matches `llama` of `a`: add `a/llama` or `llama` under `prices`",
        ),
        meaning(
            models(&format!(r#"{{"model":"gpt-4o",{served}}},{{"model":"gpt-4o",{served}}}"#)),
            "models[1].model: the model `gpt-4o` is written twice",
        ),
        meaning(
            models(&format!(r#"{{"model":"role",{served}}}"#)),
            "models[0].model: `role` is a name of the gateway's own; choose another",
        ),
        shape(
            models(&format!(r#"{{"model":"gpt-4o","context_tokens":0,{served}}}"#)),
            "models[0].context_tokens: 0 holds nothing; leave it out where it is not known",
        ),
        meaning(
            routed(r#""virtual_models":{"cheap":["gpt-9"]}"#),
            "virtual_models.cheap[0]: `gpt-9` is none of `models`",
        ),
        shape(
            routed(r#""virtual_models":{"cheap":[]}"#),
            "virtual_models.cheap: an empty list stands for nothing; name some of `models`",
        ),
        meaning(
            routed(r#""virtual_models":{"gpt-4o-mini":["gpt-4o-mini"]}"#),
            "virtual_models.gpt-4o-mini: `gpt-4o-mini` is a model or an alias already; choose another name",
        ),
        meaning(
            routed(r#""virtual_models":{"test":{"split":{"gpt-9":1}}}"#),
            "virtual_models.test.split.gpt-9: `gpt-9` is none of `models`",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"split":{}}}"#),
            "virtual_models.test.split: an empty map stands for nothing; give some of `models` their weights",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"split":{"gpt-4o-mini":0}}}"#),
            "virtual_models.test.split.gpt-4o-mini: 0 is out of range: 1 to 10000 is allowed",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"split":{"gpt-4o-mini":1},"sticky":"users"}}"#),
            "virtual_models.test.sticky: unknown variant `users`, expected one of `tenant`, `user`, `session`, \
             `conversation`, `request`",
        ),
        shape(
            routed(r#""virtual_models":{"test":"gpt-4o-mini"}"#),
            "virtual_models.test: invalid type: string \"gpt-4o-mini\", expected a list of models, or a map with `split` \
             or `cheapest`",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"weights":{}}}"#),
            "virtual_models.test: unknown field `weights`, expected one of `split`, `cheapest`, `sticky`, `canaries`",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"sticky":"conversation"}}"#),
            "virtual_models.test: write `split` with its weights, or `cheapest` with its candidates",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"cheapest":["gpt-4o-mini"],"split":{"gpt-4o-mini":1}}}"#),
            "virtual_models.test: `cheapest` stands without `split` and `canaries`",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"cheapest":["gpt-4o-mini"],"sticky":"user"}}"#),
            "virtual_models.test: what was the cheapest is kept by a `conversation`, or by nobody but the `request`",
        ),
        meaning(
            routed(r#""virtual_models":{"test":{"cheapest":["gpt-9"]}}"#),
            "virtual_models.test.cheapest[0]: `gpt-9` is none of `models`",
        ),
        shape(
            routed(r#""virtual_models":{"test":{"cheapest":[]}}"#),
            "virtual_models.test.cheapest: an empty list stands for nothing; name some of `models`",
        ),
        meaning(
            models(r#"{"model":"gpt-4o-mini","sticky":"user","providers":[{"provider":"a"}]}"#),
            "models[0].sticky: nothing is drawn where no provider has a `weight`: give all of them one, or leave it out",
        ),
        meaning(
            by_weight(r#"{"provider":"a","weight":1},{"provider":"c"}"#),
            "models[0].providers[1]: of one model either all providers have a `weight`, or none: an order and a share don't go \
             together",
        ),
        meaning(
            by_weight(r#"{"provider":"a"},{"provider":"c","weight":1}"#),
            "models[0].providers[1]: of one model either all providers have a `weight`, or none: an order and a share don't go \
             together",
        ),
        shape(
            by_weight(r#"{"provider":"a","weight":0}"#),
            "models[0].providers[0].weight: 0 is out of range: 1 to 10000 is allowed",
        ),
        meaning(
            routed(
                r#""virtual_models":{"test":{"split":{"gpt-4o-mini":1},"canaries":{"gpt-9":{"errors_percent":5}}}}"#,
            ),
            "virtual_models.test.canaries.gpt-9: `gpt-9` is no variant of this split, expected one of `gpt-4o-mini`",
        ),
        meaning(
            routed(
                r#""virtual_models":{"test":{"split":{"gpt-4o-mini":1},"canaries":{"gpt-4o-mini":{"errors_percent":5}}}}"#,
            ),
            "virtual_models.test.canaries: all variants are watched, and none is sure to be left: leave out the one that has served \
             so far",
        ),
        shape(
            routed(
                r#""virtual_models":{"test":{"split":{"gpt-4o-mini":1},"canaries":{"gpt-4o-mini":{"errors_percent":100}}}}"#,
            ),
            "virtual_models.test.canaries.gpt-4o-mini.errors_percent: 100 is out of range: 0 to 99 is allowed",
        ),
        meaning(with(r#""user_header":"x-ai-role""#), "user_header: `x-ai-role` is the role's header already"),
        meaning(
            format!(
                r#"{{{PRICES},{PROVIDERS},"tenants":{{"acme":{{"models":["gpt-4o-m*"],"providers":["b"]}}}},"models":[
                {{"model":"gpt-4o-mini","providers":[{{"provider":"a"}}]}}]}}"#
            ),
            "tenants.acme.providers: nothing is left: no model that may be asked for is served by `b`, only by `a`",
        ),
        meaning(
            with(r#""tiers":{"low":{"providers":["a"]}}"#),
            "tiers.low.providers: without `models` Envoy's routes choose the provider: list `models`, or leave `providers` out",
        ),
        shape(
            routed(r#""tiers":{"low":{"providers":[]}}"#),
            "tiers.low.providers: an empty list lets nobody serve; leave it out to let all",
        ),
        meaning(
            routed(r#""tiers":{"low":{"providers":["a","x"]}}"#),
            "tiers.low.providers[1]: unknown provider `x`, expected one of `a`, `b`",
        ),
        meaning(routed(r#""tiers":{"low":{"providers":["a","a"]}}"#), "tiers.low.providers[1]: `a` is written twice"),
        meaning(
            routed(r#""tiers":{"low":{"providers":["b"]}}"#),
            "tiers.low.providers: nothing is left: no model that may be asked for is served by `b`, only by `a`",
        ),
        meaning(
            routed(r#""role_models":{"poet":"gpt-4o-mini"}"#),
            "role_models.poet: unknown role `poet`, expected one of `chat`",
        ),
        meaning(
            routed(r#""role_models":{"chat":"gpt-9"}"#),
            "role_models.chat: `gpt-9` is neither one of `models`, `virtual_models` nor `aliases`",
        ),
        meaning(
            routed(r#""aliases":{"fast":"gpt-9"}"#),
            "aliases.fast: `gpt-9` is neither one of `models` nor of `virtual_models`",
        ),
        meaning(
            with(r#""metrics":{"tenants":["nobody"]}"#),
            "metrics.tenants[0]: there is no such tenant under `tenants`",
        ),
        meaning(
            with(r#""metrics":{"tenant_label":"tier","tenants":["acme"]}"#),
            "metrics.tenants: only `tenant_label: name` takes a list of tenants",
        ),
        meaning(
            with(r#""status":{"cluster":"admin","allow":["10.0.0.0/33"]}"#),
            "status.allow[0]: `10.0.0.0/33` is no network, such as `10.0.0.0/8` or `::1/128`",
        ),
        meaning(
            with(r#""sensitivity_header":"x-tenant-id""#),
            "sensitivity_header: `x-tenant-id` is the tenant's header already",
        ),
        shape(
            with(r#""providers":{"a":{"cluster":"ca","base_path":"v1"}}"#),
            "providers.a.base_path: `v1` is not a path: it begins with `/`, and has no blanks and no `#`",
        ),
        shape(
            with(r#""providers":{"a":{"cluster":"ca","paths":{"openai_chat":"x"}}}"#),
            "providers.a.paths.openai_chat: `x` is not a path: it begins with `/`, and has no blanks and no `#`",
        ),
    ]
}

fn sharing() -> Vec<Refused> {
    let shared =
        |more: &str| with(&format!(r#""status":{{"cluster":"admin"}},"replicas":{{"cluster":"ratelimit"{more}}}"#));
    vec![
        shape(shared(""), "replicas: missing field `count`"),
        shape(
            with(r#""shared":{"replicas":2,"cluster":"ratelimit"}"#),
            "configuration: `shared` is called `replicas` now",
        ),
        shape(shared(r#","replicas":2"#), "replicas: `replicas` is called `count` now"),
        shape(
            shared(r#","count":2,"budgets_away":"allow""#),
            "replicas: `budgets_away` is called `budgets_without_service` now",
        ),
        shape(with(r#""held_heads":false"#), "configuration: `held_heads` is called `hold_headers` now"),
        shape(with(r#""starved":"allow""#), "configuration: `starved` is called `on_contention` now"),
        shape(shared(r#","count":0"#), "replicas.count: 0 is out of range: 1 to 10000 is allowed"),
        shape(
            shared(r#","count":2,"in_flight_percent":101"#),
            "replicas.in_flight_percent: 101 is out of range: 1 to 100 is allowed",
        ),
        shape(
            shared(r#","count":2,"requests_without_service":"deny""#),
            "replicas.requests_without_service: unknown variant `deny`, expected `local` or `allow`",
        ),
        meaning(
            with(r#""replicas":{"cluster":"ratelimit","count":2,"requests_without_service":"allow"}"#),
            "replicas: `local` needs `status`, to know when the service is unavailable",
        ),
        meaning(
            shared(r#","count":2"#).replacen('{', r#"{"hold_headers":false,"#, 1),
            "replicas: without held headers Envoy has asked the service before the filter knows for what: leave `replicas` out, or \
             hold headers",
        ),
    ]
}

fn forward() -> Vec<Refused> {
    let forward = |written: &str| with(&format!(r#""forward":{{{written}}}"#));
    vec![
        shape(
            forward(r#""header":[]"#),
            "forward: unknown field `header`, expected one of `headers`, `query`, `betas`, `unknown_betas`, `answers`",
        ),
        shape(
            forward(r#""headers":["X-Team"]"#),
            "forward.headers[0]: \"X-Team\" is not a header: lower-case letters, digits and `-` are allowed, no `:`",
        ),
        shape(
            forward(r#""unknown_betas":"refuse""#),
            "forward.unknown_betas: unknown variant `refuse`, expected `count` or `drop`",
        ),
        meaning(
            forward(r#""headers":["x-team","x-tenant-id"]"#),
            "forward.headers[1]: `x-tenant-id` says who calls, which is none of the provider's business; leave it out",
        ),
        meaning(forward(r#""headers":["user-agent"]"#), "forward.headers[0]: `user-agent` passes anyhow; leave it out"),
        meaning(
            forward(r#""headers":["x-nexus-route"]"#),
            "forward.headers[0]: `x-nexus-route` is a header of the gateway's own; leave it out",
        ),
        meaning(
            forward(r#""query":["a&b"]"#),
            "forward.query[0]: `a&b` is no parameter: letters, digits and `-._~$` are allowed",
        ),
    ]
}

fn shadows() -> Vec<Refused> {
    const MIRROR: &str = r#""mirror":{"cluster":"shadow_entry","filter_chain":"shadow"}"#;
    let around = |more: &str, mirror: &str| {
        let served = models(r#"{"model":"gpt-4o","providers":[{"provider":"a"}]}"#);
        served.replacen('{', &format!(r#"{{"shadows":{{"cheap":{{{more}}}}},{mirror}"#), 1)
    };
    let budgets = r#""budgets":{"request_usd":"1","day_usd":"1","month_usd":"1"}"#;
    let written = |more: &str| around(more, &format!("{MIRROR},"));
    let with = |more: &str| written(&format!(r#""model":"gpt-4o","percent":10,{budgets},{more}"#));
    let percent = |percent: &str| written(&format!(r#""model":"gpt-4o","percent":{percent},{budgets}"#));
    vec![
        meaning(
            self::with(&format!(r#""shadows":{{"cheap":{{"model":"gpt-4o","percent":10,{budgets}}}}},{MIRROR}"#)),
            "shadows: without `models` Envoy's routes choose the provider, and a copy would go where its original goes: list \
             `models`, or leave `shadows` out",
        ),
        meaning(
            around(&format!(r#""model":"gpt-4o","percent":10,{budgets}"#), ""),
            "mirror: it is missing, and `shadows` need it: name the cluster that leads to the listener of their copies, and that \
             listener's filter chain, as envoy/production.yaml has them",
        ),
        meaning(
            written(&format!(r#""model":"gpt-9","percent":10,{budgets}"#)),
            "shadows.cheap.model: `gpt-9` is none of `models`: write one of their names, no alias and no `virtual_models`",
        ),
        shape(percent("0"), "shadows.cheap.percent: 0 is out of range: 0.01 to 100 is allowed"),
        shape(percent("0.0099"), "shadows.cheap.percent: 0.0099 is out of range: 0.01 to 100 is allowed"),
        shape(percent("101"), "shadows.cheap.percent: 101 is out of range: 0.01 to 100 is allowed"),
        shape(percent("100.0001"), "shadows.cheap.percent: 100.0001 is out of range: 0.01 to 100 is allowed"),
        meaning(percent("\"0\""), "shadows.cheap.percent: 0 is out of range: 0.01 to 100 is allowed"),
        meaning(
            percent("0.01001"),
            "shadows.cheap.percent: 0.01001 is too fine: at most 4 digits may stand behind the point",
        ),
        shape(
            percent("-1"),
            "shadows.cheap.percent: a negative number stands here, expected how many of a hundred: a number from 0.01 to 100",
        ),
        shape(
            percent("\"1 %\""),
            "shadows.cheap.percent: \"1 %\" stands here, expected how many of a hundred: a number from 0.01 to 100",
        ),
        shape(written(r#""model":"gpt-4o","percent":10"#), "shadows.cheap: missing field `budgets`"),
        shape(
            written(r#""model":"gpt-4o","percent":10,"budgets":{"request_usd":"1","day_usd":"1"}"#),
            "shadows.cheap.budgets: missing field `month_usd`",
        ),
        shape(
            with(r#""until":"tomorrow""#),
            "shadows.cheap.until: \"tomorrow\" is not a date, expected a date such as \"2026-01-31\" (UTC)",
        ),
        shape(
            with(r#""of":{"models":[]}"#),
            "shadows.cheap.of.models: an empty list has no requests; leave it out to have those of all",
        ),
        meaning(
            with(r#""of":{"models":["claude*"]}"#),
            "shadows.cheap.of.models[0]: `claude*` is none of `models`, so no request goes to it",
        ),
        meaning(
            with(r#""of":{"roles":["poet"]}"#),
            "shadows.cheap.of.roles[0]: unknown role `poet`, expected one of `chat`",
        ),
        meaning(
            with(r#""of":{"tenants":["nobody"]}"#),
            "shadows.cheap.of.tenants[0]: unknown tenant `nobody`: write it under `tenants`, or leave it out here",
        ),
        meaning(
            with(r#""until":"2099-01-31""#).replacen(r#""acme":{}"#, r#""acme":{},"shadow:cheap":{}"#, 1),
            "tenants.shadow:cheap: `shadow:cheap` is the account of the shadow `cheap`; choose another name for one of them",
        ),
    ]
}
