//! Whatever stands in a configuration or in shared data is refused or can be worked with.

use nexus_ai_gateway::config::structure;
use nexus_ai_gateway::exchange::{AnswerHead, Around, Ending, Exchange, Opening, Step};
use nexus_ai_gateway::headers::Headers;
use nexus_ai_gateway::limit::cell::{self, Cell};
use nexus_ai_gateway::limit::{Admitted, Ask, Bound, Guard, Rule, Rules, Shares};
use nexus_ai_gateway::llm::estimate::density::{self, Bucket, Density, Learned, Lesson, Measured, Voice};
use nexus_ai_gateway::llm::path;
use nexus_ai_gateway::policy::{DEFAULT_TENANT, NONE, OTHER, Policy, TenantIx};
use nexus_ai_gateway::price::{Ceiling, Quote};
use nexus_ai_gateway::units::{NanoUsd, PicoUsdPerToken, Tokens, UnixNanos};
use serde_json::Value;

const NOW: UnixNanos = UnixNanos(1_793_491_200_000_000_000);
const END_OF_TIME: UnixNanos = UnixNanos(u64::MAX);

/// The numbers of a document, its longest text and whether a struct can hold it.
fn fits_a_struct(value: &Value) -> bool {
    match value {
        // A double holds these exactly.
        Value::Number(number) => number.as_f64().is_some_and(|double| double.abs() < 9e15),
        Value::Array(values) => values.iter().all(fits_a_struct),
        Value::Object(fields) => fields.values().all(fits_a_struct),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// What Envoy hands over for a configuration written as YAML.
fn encoded(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![8, 0],
        Value::Bool(flag) => vec![32, u8::from(*flag)],
        Value::Number(number) => [vec![17], number.as_f64().unwrap().to_le_bytes().to_vec()].concat(),
        Value::String(text) => field(3, text.as_bytes()),
        Value::Array(values) => {
            field(6, &values.iter().flat_map(|value| field(1, &encoded(value))).collect::<Vec<_>>())
        }
        Value::Object(_) => field(5, &object_of(value)),
    }
}

fn object_of(value: &Value) -> Vec<u8> {
    let entries = value.as_object().unwrap().iter();
    entries.flat_map(|(key, value)| field(1, &[field(1, key.as_bytes()), field(2, &encoded(value))].concat())).collect()
}

/// A request of `tenant` for `model`, from its head to its settlement.
fn exchange(policy: &Policy, tenant: &str, model: &str, cell: &mut Cell) {
    let headers =
        Headers::of(&[(":method", "POST"), (":path", "/v1/chat/completions"), (policy.tenant_header.as_str(), tenant)]);
    let mut exchange = match Exchange::open(policy, &headers, NOW) {
        // The operator's paths may say otherwise.
        Opening::Aside => return,
        Opening::Refuse(_, reply) => return assert!(!reply.body.is_empty()),
        Opening::Read(exchange) => exchange,
    };
    let body = serde_json::json!({"model": model, "messages": [], "stream": true, "max_tokens": null}).to_string();
    if exchange.body(policy, body.as_bytes()).is_some() {
        return;
    }
    let cluster = policy.providers.first().map(|provider| provider.cluster.clone());
    let around = Around {
        cluster: cluster.as_deref(),
        is_attended: &|_| true,
        is_open: &|_| false,
        knows: &|_, _| false,
        density: &|_, _| Density::default(),
        cell: &|_| None,
        sizes: &|_, _| None,
        is_out: &|_, _| false,
        service_unavailable: false,
        now: NOW,
    };
    let Ok(demand) = exchange.end_of_request(policy, around).unwrap() else { return };
    let rules = &*demand.tenant.rules;
    let decision = cell.admit(rules, &demand.ask, NOW);
    if let Ok(Admitted { per_choice, .. }) = decision.verdict
        && let Bound::Open { at_least, at_most } = demand.ask.bound
    {
        assert!((at_least..=at_most).contains(&per_choice));
    }
    if matches!(exchange.decided(policy, demand, Ok(decision), NOW), Step::Refuse(_)) {
        return;
    }
    let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
    exchange.answer_head(
        policy,
        &AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false },
    );
    let answer = br#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"cost":0.01}}"#;
    let _ = exchange.answer_body(answer, true, || NOW);
    let ending = Ending { status: 200, sent: true, attempts: 1, cluster, ..Ending::default() };
    let closed = exchange.close(policy, &ending, NOW);
    serde_json::from_str::<Value>(&closed.record.to_json()).unwrap();
    let settlement = closed.settlement.unwrap();
    let spent = cell.levels(NOW, policy.lease_seconds).spent_today;
    settlement.came.settle(cell, &settlement.reservation, policy.lease_seconds, NOW);
    assert_eq!(cell.levels(NOW, policy.lease_seconds).spent_today, spent.plus(settlement.came.cost));
}

fn asked(policy: &Policy) {
    assert!(policy.min_tokens <= policy.default_max_tokens && policy.min_tokens >= Tokens(1));
    assert!((60..=1_800).contains(&policy.lease_seconds));
    let mut models: Vec<String> = vec![String::new(), "gpt-4o-mini".to_owned(), "é*".to_owned()];
    for (ix, price) in policy.prices.prices().iter().enumerate().take(40) {
        let model = price.model.as_str();
        assert_ne!(model, OTHER);
        let model = model.trim_end_matches('*');
        let found = policy.prices.quote(None, model, END_OF_TIME);
        assert!(matches!(found, Quote::Priced { .. }), "{model}: price {ix} is never found");
        models.push(model.to_owned());
    }
    for (alias, target) in &policy.aliases {
        assert_eq!(policy.resolve(alias), target);
        models.push(alias.clone());
    }
    let providers = policy.providers.iter().map(|provider| Some(provider.name.as_str())).chain([None, Some("")]);
    for provider in providers.take(10) {
        for model in &models {
            let quote = policy.prices.quote(provider, model, NOW);
            assert!(
                quote.label() == OTHER
                    || policy.prices.prices().iter().any(|price| price.model.as_str() == quote.label())
            );
        }
    }
    for provider in &policy.providers {
        assert_eq!(policy.provider_label(Some(&provider.cluster)), provider.name);
    }
    assert_eq!((policy.provider_label(None), &*policy.role_label(None)), (OTHER, NONE));
    let named = policy.tenants.iter().enumerate().filter(|(_, tenant)| !policy.is_account(&tenant.name));
    for (ix, tenant) in named.take(20) {
        let ix = TenantIx(u32::try_from(ix).unwrap());
        assert_eq!(policy.tenant(&tenant.name), Some(ix));
        assert!(
            Guard::ALL
                .iter()
                .all(|guard| policy.tenant_policy(ix).unwrap().rules.get(*guard) == tenant.rules.get(*guard))
        );
        let mut cell = Cell::default();
        for model in models.iter().take(6) {
            exchange(policy, &tenant.name, model, &mut cell);
        }
    }
    assert_eq!(policy.tenant("\0 nobody"), policy.default_tenant);
    assert_eq!(
        policy.default_tenant.is_some(),
        policy.tenant(DEFAULT_TENANT).is_some() && policy.default_tenant.is_some()
    );
    for path in
        ["/v1/chat/completions", "/a/b/c", "/v1beta/models/a/b:generateContent?x", "", "/%2f%", "//model/m/invoke"]
    {
        let _ = path::called(&policy.routes, b"POST", path.as_bytes());
    }
}

fn configuration(input: &[u8]) {
    let json = structure::json_of(input);
    if let Some(json) = &json {
        serde_json::from_str::<Value>(json).unwrap();
    }
    let policy = Policy::read(input);
    match &policy {
        Ok(policy) => asked(policy),
        Err(flaw) => assert!(!flaw.to_string().is_empty()),
    }
    if json.is_none()
        && let Ok(value @ Value::Object(_)) = serde_json::from_slice::<Value>(input)
        && policy.is_ok()
        && fits_a_struct(&value)
        && let Err(flaw) = Policy::read(&object_of(&value))
    {
        panic!("accepted as JSON and refused as a struct: {flaw}");
    }
}

fn rules(limit: u64) -> Rules {
    let mut rules = Rules::default();
    for guard in Guard::ALL {
        rules.set(guard, Rule { limit: Some(limit), audit: guard == Guard::DayUsd });
    }
    rules
}

fn ask(rate: u64, bound: Bound, choices: u64) -> Ask {
    let rate = PicoUsdPerToken(rate);
    Ask {
        input: Tokens(100),
        ceiling: Ceiling { input: rate, output: rate, fixed: NanoUsd(1) },
        bound,
        choices,
        expensive_model: rate.0 & 1 == 1,
        expensive_over: Some(NanoUsd(1_000)),
        lease_seconds: 900,
        shares: Shares::WHOLE,
    }
}

/// Shared data may hold anything: of another version, of a crashed worker, of a future one.
fn stored(input: &[u8]) {
    if let Ok(cell) = Cell::decode(input) {
        // A cell of the first version, or of more or fewer windows, is written as one of these, which reads the same.
        let written = cell.encode();
        assert!(Cell::decode(&written).is_ok_and(|again| again.encode() == written));
        assert!(input.starts_with(b"NXC\x01") || input.len() != cell::ENCODED || *written == *input);
        let random = u64::from_le_bytes(*input.last_chunk::<8>().unwrap());
        for now in [NOW, UnixNanos(0), END_OF_TIME, UnixNanos(random), UnixNanos(NOW.0 + random % 4_000_000_000_000)] {
            for (limit, bound) in [
                (random >> 32, Bound::Client(Tokens(random))),
                (u64::MAX, Bound::Open { at_least: Tokens(16), at_most: Tokens(4_096) }),
                (1 << 40, Bound::Client(Tokens(20))),
            ] {
                let mut cell = cell.clone();
                let standing = cell.standing_at(&rules(limit), 900, now);
                let before = cell.clone();
                let decision = cell.admit(&rules(limit), &ask(random & 0xffff, bound, random & 3), now);
                match decision.verdict {
                    Ok(Admitted { reservation, .. }) => {
                        cell.settle(&reservation, NanoUsd(random), Tokens(random), 900, now);
                        assert!(cell.lifetime() >= before.lifetime());
                    }
                    Err(refusal) => {
                        assert_eq!((&cell, decision.standing), (&before, standing), "a refusal takes nothing");
                        assert!(refusal.left < refusal.needed);
                    }
                }
                assert_eq!(Cell::decode(&cell.encode()), Ok(cell));
            }
        }
    }
    if let Some(mut learned) = Learned::decode(input) {
        assert!(input.len() == density::ENCODED && learned.encode() == input, "a longer record is of another version");
        for tokens in [0, 1, 100, 1 << 40, u64::MAX] {
            let voice = Voice::of("tenant");
            let Density { input, output, frame_bytes, .. } = learned.densities().of(voice);
            assert!((2_000..=8_000).contains(&input.0) && (250..=16_000).contains(&output.0));
            assert!(frame_bytes <= 16_000);
            let measured = Measured { bytes: tokens / 3, tokens };
            let mut fresh = Bucket::default();
            fresh.learn(voice, &Lesson { input: measured, output: measured, frame: measured, pace: measured });
            learned.add(voice.bucket, &fresh);
            let _ = output.tokens(tokens);
        }
        assert_eq!(Learned::decode(&learned.encode()), Some(learned));
    }
}

pub fn holds(input: &[u8]) {
    configuration(input);
    stored(input);
}
