//! The filter on the real SDK and a test host: what a request leaves behind, in Envoy and in the books.

mod answer_heads;
mod answers;
mod attempts;
mod canaries;
mod configuration;
mod content;
mod ends;
mod failures;
mod forwarded;
mod groups;
mod heads;
mod instead;
mod late;
mod model_groups;
mod opening;
mod pages;
mod performance;
mod requests;
mod shadows;
mod sharing;
mod stored;
mod swaps;
mod tools;
mod waiting;

use crate::fake_host::{Gateway, Seen, Stream, allocations, with};
use crate::limit::cell::Cell;
use crate::limit::{Ask, Bound, Guard, Rule, Rules, Shares};
use crate::price::Ceiling;
use crate::units::{NanoUsd, Tokens, UnixNanos};
use proxy_wasm::types::Action;
use serde_json::{Value, json};

const BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Grüße"}],"max_tokens":50}"#;
/// 10 input tokens at 1,000 nano-USD and 5 output tokens at 2,000.
const COST: u64 = 20_000;
const ANSWER: &str = r#"{"model":"gpt-4o-mini-2024-07-18","choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const KEY: &str = "nexus:cell2:acme";

fn configuration() -> Value {
    json!({
        "providers": {"simulated": {"cluster": "provider"}},
        "roles": ["chat"],
        "prices": [{"model": "gpt-4o-mini", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"}],
        "aliases": {"fast": "gpt-4o-mini"},
        // Wide, so that a test that is about a limit sets its own.
        "limits": {"requests_per_minute": 5_000, "requests_per_hour": 50_000, "requests_per_day": 500_000},
        "tenants": {"acme": {"budgets": {"request_usd": "0.5"}}},
    })
}

/// Two models have a cluster each.
fn two_models() -> Value {
    let mut configuration = configuration();
    configuration["providers"] = json!({
        "simulated": {"cluster": "provider", "sensitivity": "restricted"},
        "second": {"cluster": "second", "sensitivity": "restricted"},
    });
    configuration["models"] = json!([
        {"model": "gpt-4o-mini", "providers": [{"provider": "simulated"}]},
        {"model": "small", "providers": [{"provider": "second"}]},
    ]);
    configuration["prices"] = json!([
        {"model": "gpt-4o-mini", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"},
        {"model": "small", "input_usd_per_1m_tokens": "10", "output_usd_per_1m_tokens": "20"},
    ]);
    configuration
}

/// A worker of an Envoy in which the filter runs in the providers' clusters, too.
fn with_clusters(configuration: &Value) -> Gateway {
    let gateway = Gateway::configured(configuration);
    let providers = configuration["providers"].as_object().unwrap().keys();
    providers.for_each(|provider| drop(Gateway::beside(&json!({"attempt_of": provider}))));
    gateway
}

/// The configuration with one more key.
fn with_key(key: &str, value: Value) -> Value {
    let mut configuration = configuration();
    configuration[key] = value;
    configuration
}

const HEAD: [(&str, &str); 4] =
    [(":method", "POST"), (":path", "/v1/chat/completions"), ("x-tenant-id", "acme"), ("x-request-id", "id-1")];

fn head<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&HEAD[..], more].concat()
}

/// A request of acme's, sent in one piece and admitted.
fn admitted(gateway: &Gateway, body: &str) -> Stream {
    let stream = sent(gateway, body);
    assert_eq!(stream.reply().map(|reply| text(&reply).to_owned()), None);
    assert!(stream.upstream().is_some());
    stream
}

fn sent(gateway: &Gateway, body: &str) -> Stream {
    let stream = gateway.stream();
    let length = body.len().to_string();
    assert_eq!(stream.request_headers(&head(&[("content-length", &length)]), false), Action::Pause);
    assert_eq!(stream.upstream(), None, "nothing may reach a provider before the cell has agreed");
    stream.request_body(body.as_bytes(), true);
    stream
}

/// The provider's answer in one piece, and the stream's end.
fn answered(stream: &Stream) {
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(ANSWER.as_bytes(), true);
    assert_eq!(stream.client().unwrap().body, ANSWER.as_bytes());
    stream.end();
}

/// An answer in one piece comes in pieces of this size, perhaps with trailers behind it, while its head waits: what is done at its end.
fn held(stream: &Stream, body: &str, size: usize, trailers: bool) -> Action {
    let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
    let (last, before) = chunks.split_last().unwrap();
    before.iter().for_each(|chunk| assert_eq!(stream.answer_body(chunk, false), Action::Pause));
    let end = stream.answer_body(last, !trailers);
    if !trailers {
        return end;
    }
    assert_eq!(end, Action::Pause);
    stream.answer_trailers()
}

fn refusal(stream: &Stream) -> (String, String) {
    assert_eq!(stream.upstream(), None);
    let reply = stream.reply().expect("a reply");
    let code = reply.json()["error"]["code"].as_str().unwrap().to_owned();
    (reply.header(":status").unwrap().to_owned(), code)
}

fn cell() -> Cell {
    with(|host| host.shared(KEY).map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default())
}

fn reserved() -> NanoUsd {
    cell().levels(with(|host| host.clock), 900).reserved
}

fn spent_today() -> NanoUsd {
    cell().levels(with(|host| host.clock), 900).spent_today
}

/// A request that asks for nothing but its place in the windows.
fn free() -> Ask {
    Ask {
        input: Tokens(0),
        ceiling: Ceiling::default(),
        bound: Bound::Client(Tokens(0)),
        choices: 1,
        expensive_model: false,
        expensive_over: None,
        lease_seconds: 900,
        shares: Shares::WHOLE,
    }
}

/// Requests that the cell counts in this minute: what a further one finds.
fn requests(mut cell: Cell) -> u64 {
    let mut rules = Rules::default();
    rules.set(Guard::RequestsPerMinute, Rule { limit: Some(1_000), audit: false });
    let standing = cell.admit(&rules, &free(), with(|host| host.clock)).standing;
    999 - standing.requests.unwrap().remaining
}

/// Another worker admits a request that costs `cost`, on what it finds.
fn rival(cost: u64) -> impl FnMut(Option<&[u8]>) -> Vec<u8> {
    let now = with(|host| host.clock);
    move |before| {
        let mut cell = before.map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default();
        let decision = cell.admit(&Rules::default(), &free(), now);
        let mut reservation = decision.verdict.expect("no rule refuses").reservation;
        reservation.cost = NanoUsd(0);
        cell.settle(&reservation, NanoUsd(cost), Tokens(0), 900, now);
        cell.encode().to_vec()
    }
}

/// That worker is faster than ours, so many times.
fn rivals(times: u32, cost: u64) {
    let rival = rival(cost);
    with(|host| host.rivals_times(times, rival));
}

fn metric(name: &str) -> u64 {
    with(|host| host.metric(name))
}

const REQUESTS: &str = "provider=.=simulated;.;model=.=gpt-4o-mini;.;role=.=none;.;tenant=.=acme;.;";

/// How many requests ended with this outcome, after they were sent on.
fn ended(outcome: &str) -> u64 {
    metric(&format!("{REQUESTS}status=.={outcome};.;ai_gateway_requests_total"))
}

/// The same for those that were refused.
fn refused(tenant: &str, model: &str, outcome: &str) -> u64 {
    metric(&format!(
        "provider=.=none;.;model=.={model};.;role=.=none;.;tenant=.={tenant};.;status=.={outcome};.;ai_gateway_requests_total"
    ))
}

fn active() -> u64 {
    metric("provider=.=simulated;.;ai_gateway_active_connections")
}

fn text(seen: &Seen) -> &str {
    std::str::from_utf8(&seen.body).unwrap()
}
