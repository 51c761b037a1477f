//! Envoy refusing a host call: what the SDK tells of it has an answer, and what it panics on is listed here.

use super::*;
use crate::fake_host::Call;
use crate::host::{attributes, filter_state};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType, Status};
use std::panic::catch_unwind;

const STATUSES: [Status; 7] = [
    Status::NotFound,
    Status::BadArgument,
    Status::SerializationFailure,
    Status::ParseFailure,
    Status::Empty,
    Status::CasMismatch,
    Status::InternalFailure,
];

/// One call of each kind that the product uses.
fn make(call: Call) {
    let headers = MapType::HttpRequestHeaders;
    let body = BufferType::HttpRequestBody;
    match call {
        Call::Log => drop(hostcalls::log(proxy_wasm::types::LogLevel::Info, "line")),
        Call::CurrentTime => drop(hostcalls::get_current_time()),
        Call::SetTickPeriod => drop(hostcalls::set_tick_period(std::time::Duration::from_secs(1))),
        Call::GetBuffer => drop(hostcalls::get_buffer(body, 0, 1)),
        Call::SetBuffer => drop(hostcalls::set_buffer(body, 0, 1, b"x")),
        Call::HeaderPairs => drop(hostcalls::get_map_bytes(headers)),
        Call::HeaderValue => drop(hostcalls::get_map_value_bytes(headers, "name")),
        Call::AddHeader => drop(hostcalls::add_map_value(headers, "name", "value")),
        Call::ReplaceHeader => drop(hostcalls::set_map_value(headers, "name", Some("value"))),
        Call::RemoveHeader => drop(hostcalls::remove_map_value(headers, "name")),
        Call::SetHeaderPairs => drop(hostcalls::set_map(headers, vec![("name", "value")])),
        Call::GetProperty => drop(attributes::cluster()),
        Call::SetProperty => filter_state::set_plan("value"),
        Call::GetSharedData => drop(hostcalls::get_shared_data("key")),
        Call::SetSharedData => drop(hostcalls::set_shared_data("key", Some(b"value"), Some(1))),
        Call::DefineMetric => drop(hostcalls::define_metric(MetricType::Counter, "name")),
        Call::IncrementMetric => drop(hostcalls::increment_metric(1, 1)),
        Call::RecordMetric => drop(hostcalls::record_metric(1, 1)),
        Call::SendLocalResponse => drop(hostcalls::send_http_response(200, vec![], None)),
        Call::AskCluster => drop(crate::host::admin::ask("admin", crate::view::CLUSTERS)),
        Call::CloseStream => drop(hostcalls::reset_http_response()),
    }
}

/// What SDK 0.2.5 tells its caller of, and all of it where the call is made without the SDK. On every other status it panics by itself, `hostcalls` and trait getters alike.
const fn said(call: Call) -> &'static [Status] {
    match call {
        Call::GetBuffer | Call::HeaderValue | Call::GetSharedData | Call::RecordMetric => &[Status::NotFound],
        Call::GetProperty | Call::SetProperty => &STATUSES,
        Call::SetSharedData => &[Status::CasMismatch],
        Call::IncrementMetric => &[Status::NotFound, Status::BadArgument],
        Call::AskCluster => &[Status::BadArgument, Status::InternalFailure],
        _ => &[],
    }
}

#[test]
fn the_sdk_panics_on_every_status_but_these() {
    for call in Call::ALL {
        for status in STATUSES {
            Gateway::start();
            with(|host| host.fail(call, status));
            let survived = catch_unwind(|| make(call)).is_ok();
            assert_eq!(survived, said(call).contains(&status), "{call:?}: {status:?}");
        }
    }
}

/// Plain, streamed and refused exchanges, whatever becomes of them.
fn exchanges(gateway: &Gateway) {
    let long = format!("{{\"messages\":[],\"model\":\"fast\",\"stream\":true,\"x\":\"{}\"}}", "x".repeat(100_000));
    for (body, form) in [(BODY, "application/json"), (&long, "text/event-stream"), ("{", "text/plain")] {
        let stream = gateway.stream();
        let length = body.len().to_string();
        let held = stream.request_headers(&head(&[("content-length", &length), ("accept-encoding", "gzip")]), false);
        if held == Action::Pause && stream.reply().is_none() {
            stream.request_body(body.as_bytes(), true);
        }
        if stream.reply().is_none() {
            stream.answer_headers(&[(":status", "200"), ("content-type", form), ("content-length", "9")], false);
            stream.answer_body(format!("data: {ANSWER}\n\n").repeat(600).as_bytes(), false);
            stream.answer_body(b"data: ", true);
        }
        stream.end();
    }
    gateway.tick();
}

#[test]
fn a_call_that_fails_costs_the_request_and_never_the_worker() {
    for call in Call::ALL {
        for status in said(call) {
            let gateway = Gateway::configured(&configuration());
            with(|host| host.fail(call, *status));
            exchanges(&gateway);
            with(|host| host.succeed(call));
            let lifetime = cell().lifetime();
            let stream = gateway.stream();
            stream.request_headers(&HEAD, false);
            stream.request_body(BODY.as_bytes(), true);
            answered(&stream);
            assert_eq!(cell().lifetime(), NanoUsd(lifetime.0 + COST), "after {call:?}: {status:?}");
        }
    }
}

#[test]
fn a_body_that_envoy_does_not_show_is_never_sent_on() {
    let gateway = Gateway::configured(&configuration());
    with(|host| host.fail(Call::GetBuffer, Status::NotFound));
    let stream = sent(&gateway, BODY);
    assert_eq!(refusal(&stream), ("400".into(), "invalid_request".into()));
    assert_eq!(requests(cell()), 0);
}

#[test]
fn what_is_unknown_of_the_ending_costs_no_settlement() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(ANSWER.as_bytes(), true);
    with(|host| host.fail(Call::GetProperty, Status::InternalFailure));
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("success"), &json!(COST)));
    assert_eq!((reserved(), cell().lifetime(), active()), (NanoUsd(0), NanoUsd(COST), 0));
}

/// Host calls since the last look.
fn calls() -> u64 {
    with(|host| std::mem::take(&mut host.calls).values().sum())
}

#[test]
fn host_calls_are_few() {
    let gateway = Gateway::configured(&configuration());
    let streamed = BODY.replace("\"max_tokens\":50", "\"stream\":true");
    let sse = [(":status", "200"), ("content-type", "text/event-stream")];
    // The series are defined once.
    answered(&admitted(&gateway, BODY));
    calls();

    let stream = admitted(&gateway, BODY);
    answered(&stream);
    assert!(calls() <= 33, "a chat in JSON");

    let stream = admitted(&gateway, &streamed);
    stream.answer_headers(&sse, false);
    stream.answer_body(b"data: {}\n\n", false);
    calls();
    stream.answer_body(b"data: {}\n\ndata: {}\n\n", false);
    assert!(calls() <= 1, "a chunk of whole events");
    stream.answer_body(b"data: {", false);
    assert!(calls() <= 2, "a chunk that ends in an event");
    stream.answer_body(b"}\n\n", true);
    stream.end();

    let aside = gateway.stream();
    calls();
    aside.request_headers(&[(":method", "GET"), (":path", "/")], true);
    aside.answer_headers(&[(":status", "200")], false);
    aside.answer_body(b"ok", true);
    aside.end();
    assert!(calls() <= 2, "a request that is none of ours");
}
