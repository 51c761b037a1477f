//! What the client of a stream gets, byte for byte and at once: what the provider sent, less the usage that was not
//! asked for.

use std::time::Instant;

use serde_json::json;
use tokio::sync::OnceCell;

use crate::client::{Chat, Connection, PATIENCE, ask, chat, next_piece};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    GATEWAY.get_or_init(|| Gateway::start(Setup::new("streams", policy(json!({"acme": free_tenant()}))))).await
}

/// What the provider sends when it is asked directly.
async fn direct(asked: &Chat) -> Vec<u8> {
    let answer = ask(gateway().await.provider().addr, asked.request()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The stream without its usage event: the only one with an empty list of choices.
fn less_usage(stream: &[u8], line_end: &[u8]) -> Vec<u8> {
    let blank = line_end.repeat(2);
    let mut rest = stream;
    let mut kept = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(blank.len()).position(|bytes| bytes == blank).map_or(rest.len(), |at| at + blank.len());
        let (event, behind) = rest.split_at(end);
        if !event.windows(12).any(|bytes| bytes == br#""choices":[]"#) {
            kept.extend_from_slice(event);
        }
        rest = behind;
    }
    kept
}

const KNOBS: &[&str] = &[
    "",
    "tokens=0",
    "tokens=1",
    "bytes=1",
    "bytes=3; split_utf8",
    "split_utf8",
    "crlf",
    "crlf; bytes=1",
    "cr",
    "cr; bytes=1",
    "no_done",
    "no_done; bytes=1",
    "comments",
    "comments; crlf; bytes=7",
    "content_length",
    "no_usage",
    "usage_in_content",
    "continuous_usage",
    "done_then_hangup",
    "cached=3; reasoning=2; answer_model=gpt-4o-mini-2024-07-18",
    "big=300000",
    "big=300000; bytes=4096; crlf",
    "tokens=2000",
    "cut=4",
    "cut=4; bytes=5",
    "error_at=3",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_as_it_was_sent() {
    let gateway = gateway().await;
    for knobs in KNOBS {
        let asked = chat("acme").stream().field("max_completion_tokens", 2_000).sim(knobs);
        let end: &[u8] = match knobs {
            knobs if knobs.contains("crlf") => b"\r\n",
            knobs if knobs.starts_with("cr") => b"\r",
            _ => b"\n",
        };
        let sent = direct(&asked.clone().asking_usage()).await;
        let without = less_usage(&sent, end);
        let dropped = ["no_usage", "usage_in_content", "error_at=3"].contains(knobs) || knobs.contains("cut");
        assert_eq!(without.len() < sent.len(), !dropped, "{knobs}: is there a usage event to leave out?");

        for (what, asked, expected) in [("asked", asked.clone().asking_usage(), &sent), ("not asked", asked, &without)]
        {
            let answer = gateway.ask(asked.request()).await;
            assert_eq!(answer.status, 200, "`{knobs}`, usage {what}");
            assert_eq!(
                String::from_utf8_lossy(&answer.body),
                String::from_utf8_lossy(expected),
                "`{knobs}`, usage {what}"
            );
            assert_eq!(answer.body, *expected, "`{knobs}`, usage {what}");
            let type_of = answer.header("content-type");
            assert_eq!(type_of, Some("text/event-stream; charset=utf-8"), "`{knobs}`, usage {what}");
        }
    }
}

/// The client left no other options behind: they are kept beside the one that was put in.
#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_client_stay() {
    let gateway = gateway().await;
    for options in [json!({"include_usage": false}), json!({}), json!({"include_obfuscation": false}), json!(null)] {
        let asked = chat("acme").stream().field("stream_options", options.clone());
        let answer = gateway.ask(asked.request()).await;
        let usage = direct(&chat("acme").stream().asking_usage()).await;
        assert_eq!(answer.body, less_usage(&usage, b"\n"), "{options}");
        assert_eq!(gateway.record_of(&answer).await["usage_source"], "reported", "{options}");
    }
}

/// A JSON answer is never edited.
#[tokio::test(flavor = "multi_thread")]
async fn a_json_answer_arrives_as_it_was_sent() {
    let gateway = gateway().await;
    for knobs in ["", "bytes=1", "split_utf8", "chunked", "chunked; bytes=100", "big=3000000", "no_usage"] {
        let asked = chat("acme").sim(knobs);
        let answer = gateway.ask(asked.request()).await;
        assert_eq!((answer.status, answer.body), (200, direct(&asked).await), "`{knobs}`");
    }
}

/// A body of nearly four megabytes, edited at its front and in its middle, arrives whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_is_edited_in_place() {
    let gateway = gateway().await;
    let text = "0123456789abcdef".repeat(240_000);
    for asked in [chat("acme"), chat("acme").model("fast").without("max_completion_tokens").stream()] {
        let asked = asked.saying(&text).sim("tokens=2");
        let answer = gateway.ask(asked.request()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = gateway.record_of(&answer).await;
        let entry = gateway.entry_of(&record).expect("an entry");
        assert_eq!((entry.model.as_str(), entry.prompt_tokens), ("gpt-4o-mini", text.len() as u64 / 4 + 4));
        assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("success"), &json!(entry.cost_nanousd)));
        assert!(entry.output_bound.is_some() && entry.include_usage == entry.stream);
    }
}

/// The provider stalls for ever behind the nth event; the client has it all the same, first byte and all.
#[tokio::test(flavor = "multi_thread")]
async fn no_event_waits_for_the_next() {
    let gateway = gateway().await;
    for (count, usage) in [(1, false), (2, false), (5, false), (1, true), (18, true), (17, false)] {
        let asked = chat("acme").stream().sim(&format!("tokens=16; hang_after={count}"));
        let asked = if usage { asked.asking_usage() } else { asked };
        let mut connection = Connection::open(gateway.addr).await;
        let answer = tokio::time::timeout(PATIENCE, connection.send(asked.request())).await.expect("a head");
        let mut body = answer.expect("an answer").into_body();
        let mut seen = Vec::new();
        while seen.windows(2).filter(|bytes| bytes == b"\n\n").count() < count {
            seen.extend(next_piece(&mut body).await.expect("an event while the provider stalls"));
        }
        assert!(seen.ends_with(b"\n\n"), "{count} events: {:?}", String::from_utf8_lossy(&seen));
    }
}

/// What the record says of an answer's times is what its client has seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_has_its_own_time() {
    let gateway = gateway().await;
    let began = Instant::now();
    let mut connection = Connection::open(gateway.addr).await;
    let asked = chat("acme").stream().sim("hang_after=2");
    let answer = tokio::time::timeout(PATIENCE, connection.send(asked.request())).await.expect("a head");
    let answer = answer.expect("an answer");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut body = answer.into_body();
    assert!(next_piece(&mut body).await.is_some());
    let first = began.elapsed();
    gateway.polls(2).await;
    let all = began.elapsed();
    drop((body, connection));
    let record = gateway.record_with_id(&id).await;
    let [first_byte, duration] =
        ["first_byte_ms", "duration_ms"].map(|field| u128::from(record[field].as_u64().unwrap()));
    assert!(first_byte <= first.as_millis() + 1, "{first:?}: {record}");
    assert!(duration + 2 >= first_byte + (all - first).as_millis(), "{first:?}, {all:?}: {record}");
}
