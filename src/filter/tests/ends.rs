//! Streams for which there is no money left: ended in their own words, and their provider cut off.

use super::*;
use crate::fake_host::Call;

const SSE: [(&str, &str); 3] = [(":status", "200"), ("content-type", "text/event-stream"), ("content-length", "99999")];

fn house(overrun: &str, status: bool) -> Value {
    let mut configuration = configuration();
    // 50 tokens of output at 2,000 nano-USD and about 50 of input at 1,000 are reserved.
    configuration["tenants"]["acme"] =
        json!({"overrun": overrun, "budgets": {"day_usd": "0.0002"}, "unlimited": ["request_usd"]});
    if status {
        configuration["status"] = json!({"cluster": "admin", "allow": ["127.0.0.1/32"]});
    }
    configuration
}

const STREAM: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}}"#;

/// Eight bytes of text.
fn events(count: usize) -> String {
    "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}],\"usage\":null}\n\n".repeat(count)
}

fn begun(gateway: &Gateway) -> Stream {
    let stream = admitted(gateway, STREAM);
    stream.answer_headers(&SSE, false);
    stream
}

fn overruns(kind: &str) -> u64 {
    metric(&format!("kind=.={kind};.;code=.=day_usd;.;tenant=.=acme;.;ai_gateway_overruns_total"))
}

/// It was ended once, and settled for what was seen.
fn is_settled(stream: &Stream) {
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["overrun"]), (&json!("budget_exhausted"), &json!("day_usd")));
    assert_eq!((&record["status"], &record["usage_source"]), (&json!(200), &json!("estimated")));
    assert_eq!((reserved(), active(), ended("budget_exhausted")), (NanoUsd(0), 0, 1));
    assert_eq!(cell().lifetime(), NanoUsd(record["cost_nanousd"].as_u64().unwrap()));
    assert_eq!(overruns("ended"), 1);
}

#[test]
fn the_error_goes_out_first_and_the_provider_is_cut_off_by_the_answer_to_a_question() {
    let gateway = Gateway::configured(&house("end", true));
    let stream = begun(&gateway);
    assert_eq!(stream.client().unwrap().header("content-length"), None);
    for _ in 0..50 {
        assert_eq!(stream.answer_body(events(1).as_bytes(), false), Action::Continue);
    }
    assert_eq!(text(&stream.client().unwrap()), events(50));
    assert_eq!(stream.answer_body((events(200) + "data: {\"cho").as_bytes(), false), Action::Continue);
    assert!(!stream.is_closed(), "what is reset in the same callback never says its last words");
    let client = stream.client().unwrap();
    let (sent, error) = text(&client).split_once("data: {\"error\"").unwrap();
    assert_eq!(sent, events(250));
    assert!(error.contains("budget_exhausted") && error.ends_with("}\n\n"), "{error}");
    let questions = with(|host| host.questions());
    let [(number, question)] = &questions[..] else { panic!("{questions:?}") };
    assert_eq!((&*question.cluster, &*question.path), ("admin", "/ready"));
    gateway.answer_call(*number, Some((200, b"LIVE")));
    assert!(stream.is_closed());
    assert_eq!(stream.client().unwrap(), client);
    is_settled(&stream);
}

#[test]
fn without_an_admin_or_before_it_answers_the_next_chunk_cuts_the_provider_off() {
    for status in [false, true] {
        let gateway = Gateway::configured(&house("end", status));
        let stream = begun(&gateway);
        stream.answer_body(events(250).as_bytes(), false);
        let client = stream.client().unwrap();
        assert_eq!(stream.answer_body(events(1).as_bytes(), false), Action::Pause);
        assert!(stream.is_closed());
        assert_eq!(stream.client().unwrap(), client);
        for (number, _) in with(|host| host.questions()) {
            gateway.answer_call(number, None);
        }
        assert_eq!(with(|host| host.calls[&Call::CloseStream]), 1);
        is_settled(&stream);
    }
}

#[test]
fn a_provider_that_ends_by_itself_in_the_meantime_ends_as_it_should() {
    let gateway = Gateway::configured(&house("end", true));
    let stream = begun(&gateway);
    stream.answer_body(events(250).as_bytes(), false);
    let client = stream.client().unwrap();
    assert_eq!(stream.answer_body(b"data: [DONE]\n\n", true), Action::Continue);
    for (number, _) in with(|host| host.questions()) {
        gateway.answer_call(number, Some((200, b"LIVE")));
    }
    assert!(!stream.is_closed());
    assert_eq!(stream.client().unwrap(), client);
    is_settled(&stream);
}

#[test]
fn a_chunk_of_several_pieces_is_ended_behind_the_piece_in_which_the_money_ended() {
    let gateway = Gateway::configured(&house("end", true));
    let stream = begun(&gateway);
    let all = events(5_000);
    stream.answer_body(all.as_bytes(), false);
    let client = stream.client().unwrap();
    let (sent, error) = text(&client).split_once("data: {\"error\"").unwrap();
    assert!(all.starts_with(sent) && sent.len() < 64 * 1024 && sent.ends_with("\n\n"), "{}", sent.len());
    assert!(error.ends_with("}\n\n"));
}

#[test]
fn in_audit_every_byte_goes_on_and_it_counts() {
    let gateway = Gateway::configured(&house("audit", true));
    let stream = begun(&gateway);
    assert_eq!(stream.client().unwrap().header("content-length"), Some("99999"));
    for chunk in events(250).as_bytes().chunks(100) {
        stream.answer_body(chunk, false);
    }
    stream.answer_body(b"", true);
    assert_eq!(text(&stream.client().unwrap()), events(250));
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["overrun"]), (&json!("success"), &json!("day_usd")));
    assert_eq!((reserved(), overruns("audit"), overruns("ended")), (NanoUsd(0), 1, 0));
    assert_eq!(with(|host| host.questions()), []);
}

/// What is asked of the host while nothing is passed is what is asked without: the bytes of the chunk.
#[test]
fn between_two_looks_at_the_books_a_chunk_costs_no_call_of_the_host_more() {
    for overrun in ["pass", "audit", "end"] {
        let mut house = house(overrun, false);
        house["tenants"]["acme"]["budgets"]["day_usd"] = json!("100");
        let gateway = Gateway::configured(&house);
        let stream = begun(&gateway);
        let calls = || with(|host| host.calls.values().sum::<u64>());
        stream.answer_body(events(1).as_bytes(), false);
        let before = calls();
        for _ in 0..60 {
            stream.answer_body(events(1).as_bytes(), false);
        }
        assert_eq!(calls() - before, 60, "{overrun}");
        for _ in 0..400 {
            stream.answer_body(events(1).as_bytes(), false);
        }
        let asked = calls() - before - 460;
        // The time, the cell and its change, each time it doubles.
        assert!(asked == if overrun == "pass" { 0 } else { 9 }, "{overrun}: {asked}");
    }
}
