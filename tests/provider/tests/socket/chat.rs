//! Chat completions: raw HTTP/1.1 bytes as they come, HTTP/2 by hyper's client, and the ledger after each.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use simulated_provider::{Ending, Entry, Port, Provider};

use crate::client::{PATIENCE, entry, get, open, post};

fn body(model: &str, stream: bool) -> String {
    let options = if stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]{options}}}"#)
}

/// All that comes until the provider closes, and whether it closed in good order.
fn ask(provider: &Provider, sim: &str, body: &str) -> (String, Option<ErrorKind>) {
    let headers = format!("x-sim: {sim}\r\nx-tenant-id: acme\r\nx-request-id: r-1\r\n");
    let (bytes, error) = post(provider, "/v1/chat/completions", &headers, body);
    (String::from_utf8_lossy(&bytes).into_owned(), error)
}

/// Waits until a request has come so far: a client that leaves too early leaves no trace.
fn arrived(provider: &Provider, so_far: impl Fn(&Entry) -> bool) {
    let come = (0..12_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        provider.ledger().requests.iter().any(&so_far)
    });
    assert!(come, "no request arrived");
}

/// A conversation that goes on is billed as read from the cache, as far as this provider has read it; another has not.
#[test]
fn a_prompt_that_was_read_before_is_billed_as_cached() {
    let [one, other] = [(); 2].map(|()| Provider::start());
    let turn = |provider: &Provider, said: &str| {
        let begins = "A contract of many words. ".repeat(200);
        let body = format!(
            r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"{begins}"}},{{"role":"user","content":"{said}"}}]}}"#
        );
        let (answer, _) = ask(provider, "prompt_cache; tokens=1", &body);
        let json: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a head").1).expect("JSON");
        let entry = provider.ledger().requests.pop().expect("an entry");
        let told = &json["usage"]["prompt_tokens_details"]["cached_tokens"];
        assert_eq!(told, &Value::from(entry.cached_tokens));
        let (plain, cached) = (entry.prompt_tokens - entry.cached_tokens, entry.cached_tokens);
        assert_eq!(entry.cost_nanousd, (plain * 150_000 + cached * 75_000 + 600_000).div_ceil(1_000));
        cached
    };
    assert_eq!([turn(&one, "Sum it up."), turn(&one, "And then?")], [0, 5_200 / 512 * 128]);
    assert_eq!(turn(&other, "And then?"), 0);
}

#[test]
fn a_json_answer_is_billed_as_it_reports() {
    let provider = Provider::start();
    let (answer, _) = ask(&provider, "tokens=20; cached=2", &body("gpt-4o-mini", false));
    let (head, json) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("content-type: application/json"), "{head}");
    assert!(head.contains(&format!("content-length: {}", json.len())), "{head}");
    let json: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json["model"], "gpt-4o-mini");
    assert_eq!(json["usage"]["prompt_tokens_details"]["cached_tokens"], 2);

    let (_, told) = get(&provider, "GET", "/ledger?tenant=acme");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let cost = (4 * 150_000 + 2 * 75_000 + 20 * 600_000_u64).div_ceil(1_000);
    assert_eq!(told["sum"]["cost_nanousd"], cost);
    assert_eq!(told["requests"][0]["request_id"], "r-1");
    assert_eq!(told["requests"][0]["ending"], "complete");
    assert_eq!(told["requests"][0]["prompt_tokens"], json["usage"]["prompt_tokens"]);
    assert_eq!(told["requests"][0]["completion_tokens"], json["usage"]["completion_tokens"]);
    assert_eq!(provider.ledger().sum().cost_nanousd, cost);

    assert!(get(&provider, "GET", "/ledger?tenant=beta").1.contains(r#""requests":[]"#));
    assert!(get(&provider, "GET", "/v1/models").1.contains("gpt-4o-mini"));
    assert!(get(&provider, "GET", "/health").0.starts_with("HTTP/1.1 200"));
    assert!(get(&provider, "GET", "/elsewhere").0.starts_with("HTTP/1.1 404"));
    get(&provider, "DELETE", "/ledger");
    assert_eq!(provider.ledger().requests.len(), 0);
}

#[test]
fn a_stream_ends_in_usage_and_done() {
    let provider = Provider::start();
    let (answer, _) = ask(&provider, "tokens=3", &body("tiny", true));
    assert_eq!(answer.matches("data: {").count(), 5);
    assert_eq!(answer.matches(r#""usage":null"#).count(), 4);
    assert!(answer.contains(r#""usage":{"completion_tokens":3,"#), "{answer}");
    assert!(answer.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{answer}");
    let entry = entry(&provider);
    assert_eq!((entry.ending, entry.delivered, entry.completion_tokens), (Ending::Complete, true, 3));
    assert!(entry.stream && entry.include_usage);
    assert_eq!(entry.cost_nanousd, (6 * 100_000 + 3 * 400_000_u64).div_ceil(1_000));

    let (again, _) = ask(&provider, "tokens=3", &body("tiny", true));
    let events = |answer: &str| answer.split_once("\r\n\r\n").map(|(_, events)| events.to_owned());
    assert_eq!(events(&again), events(&answer), "the same request has the same answer");
    let (again, _) = ask(&provider, "tokens=3; bytes=1; first_ms=1; content_length", &body("tiny", true));
    let (head, events) = again.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("content-length: {}", events.len())), "{head}");
}

#[test]
fn what_breaks_is_billed_as_far_as_it_went() {
    let provider = Provider::start();
    let broken = |sim: &str, stream: bool| {
        provider.clear();
        let (answer, error) = ask(&provider, sim, &body("tiny", stream));
        let entry = entry(&provider);
        let sum = provider.ledger().sum();
        assert_eq!(sum.cost_nanousd, entry.cost_nanousd);
        (answer, error, entry.ending, entry.delivered, entry.completion_tokens, sum.billed_requests)
    };
    let (answer, error, ending, delivered, tokens, billed) = broken("tokens=9; cut=4", true);
    assert_eq!((error, ending, delivered, tokens, billed), (None, Ending::Cut, false, 4, 1));
    assert_eq!(answer.matches("data: {").count(), 4);
    assert!(!answer.ends_with("0\r\n\r\n"), "an end without the last chunk");

    let (answer, _, ending, delivered, tokens, _) = broken("tokens=9; done_then_hangup", true);
    assert_eq!((ending, delivered, tokens), (Ending::Cut, true, 9));
    assert!(answer.ends_with("data: [DONE]\n\n\r\n"), "{answer}");

    let (answer, _, ending, _, tokens, billed) = broken("tokens=9; cut=0", true);
    assert_eq!((ending, tokens, billed), (Ending::Cut, 0, 1), "the head was sent");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");

    let (answer, _, ending, _, tokens, _) = broken("tokens=9; cut=11", false);
    assert_eq!((ending, tokens), (Ending::Cut, 9), "a JSON answer was generated before it was cut");
    assert_eq!(answer.split_once("\r\n\r\n").map(|(_, json)| json.len()), Some(11));

    let (answer, error, ending, _, _, billed) = broken("reset", false);
    assert_eq!((answer.as_str(), error, ending, billed), ("", None, Ending::Reset, 0));
    let (_, error, ending, ..) = broken("reset; rst", false);
    assert_eq!((error, ending), (Some(ErrorKind::ConnectionReset), Ending::Reset));
    let (_, error, ending, _, tokens, _) = broken("tokens=9; cut=2; rst", true);
    assert_eq!((error, ending, tokens), (Some(ErrorKind::ConnectionReset), Ending::Cut, 2));

    let (answer, _, ending, _, _, billed) = broken("status=429; retry-after=7", true);
    assert_eq!((ending, billed), (Ending::Refused, 0));
    assert!(answer.contains("retry-after: 7") && answer.contains("rate_limit_exceeded"), "{answer}");
    let (answer, _, ending, ..) = broken("cot=5", true);
    assert_eq!(ending, Ending::Refused);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("unknown knob `cot`; known are tokens"), "{answer}");
}

#[test]
fn a_client_that_leaves_pays_for_what_was_sent() {
    let provider = Provider::start();
    let leave = |sim: &str, reads: usize, status: u16| {
        provider.clear();
        let headers = format!("x-sim: {sim}\r\n");
        let mut socket = open(&provider, "POST", "/v1/chat/completions", &headers, &body("tiny", true));
        let mut read = Vec::new();
        let mut part = [0; 4096];
        while String::from_utf8_lossy(&read).matches("data: {").count() < reads {
            let count = socket.read(&mut part).expect("more of the stream");
            assert_ne!(count, 0);
            read.extend_from_slice(&part[..count]);
        }
        if reads == 0 {
            arrived(&provider, |entry| entry.status == status && !entry.model.is_empty());
        }
        assert_eq!(provider.ledger().requests[0].ending, Ending::Open);
        drop(socket);
        let entry = entry(&provider);
        assert_eq!((entry.ending, entry.delivered), (Ending::Abandoned, false));
        (entry.status, entry.completion_tokens)
    };
    assert_eq!(leave("tokens=9; hang_after=3", 3, 200), (200, 3));
    assert_eq!(leave("tokens=9; gap_ms=60000", 1, 200), (200, 1));
    assert_eq!(leave("first_ms=60000", 0, 200), (200, 0));
    assert_eq!(leave("hang", 0, 0), (0, 0), "no answer, no bill");
    assert_eq!(leave("delay_ms=60000", 0, 0), (0, 0));
}

#[test]
fn a_client_that_leaves_while_it_writes_is_no_bill() {
    let provider = Provider::start();
    let mut socket = TcpStream::connect(provider.addr).expect("a connection");
    socket.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{").expect("a part");
    arrived(&provider, |_| true);
    drop(socket);
    assert_eq!(entry(&provider).ending, Ending::Abandoned);
    assert_eq!(provider.ledger().sum().billed_requests, 0);
}

#[test]
fn bytes_of_one_reach_the_reader_one_by_one() {
    let provider = Provider::start();
    let sim = "tokens=0; bytes=1; gap_ms=2; no_usage; chunked";
    let (answer, _) = ask(&provider, sim, &body("tiny", false));
    let (head, chunks) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(chunks.matches("\r\n1\r\n").count() > 100, "each byte is a chunk: {chunks}");
}

#[test]
fn a_dropped_provider_is_gone_and_can_come_back() {
    let port = Port::free().expect("a port");
    let addr = port.addr();
    let provider = Provider::start_on(addr).expect("this port");
    ask(&provider, "", &body("tiny", false));
    drop(provider);
    let provider = (0..6_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        Provider::start_on(addr).ok()
    });
    let provider = provider.expect("the same port again");
    assert_eq!(provider.ledger().requests.len(), 0);
    assert!(ask(&provider, "", &body("tiny", false)).0.starts_with("HTTP/1.1 200"));
}

// Two threads: waiting for the ledger blocks one, and the client must still reset its stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_by_prior_knowledge() {
    let provider = Provider::start();
    let socket = tokio::net::TcpStream::connect(provider.addr).await.expect("a connection");
    let hands = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let (mut sender, connection) = hands.expect("HTTP/2");
    tokio::spawn(connection);
    let mut ask = |sim: &'static str| {
        let request = Request::post("http://x/v1/chat/completions").header("x-sim", sim);
        sender.send_request(request.body(Full::new(Bytes::from(body("tiny", true)))).expect("a request"))
    };
    let whole = ask("tokens=3").await.expect("an answer").into_body().collect().await.expect("a body").to_bytes();
    assert!(whole.ends_with(b"data: [DONE]\n\n"));

    let mut cut = ask("tokens=9; cut=2").await.expect("an answer").into_body();
    let mut events = 0;
    let error = loop {
        match cut.frame().await {
            Some(Ok(_)) => events += 1,
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(error.is_some(), "the stream is reset, the connection is not");
    assert_eq!(events, 2);
    ask("reset").await.expect_err("a reset stream");
    let mut left = ask("tokens=9; hang_after=1").await.expect("an answer").into_body();
    left.frame().await.expect("an event").expect("its bytes");
    drop(left);

    let ledger = provider.settled_ledger(PATIENCE);
    let endings: Vec<_> = ledger.requests.iter().map(|entry| entry.ending).collect();
    assert_eq!(endings, [Ending::Complete, Ending::Cut, Ending::Reset, Ending::Abandoned]);
    assert_eq!(ledger.requests.iter().map(|entry| entry.completion_tokens).sum::<u64>(), 3 + 2 + 1);
}
