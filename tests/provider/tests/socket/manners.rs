//! A provider that fails as a whole, goes away and comes back.

use std::io::Read;
use std::net::TcpStream;

use simulated_provider::{Entry, Provider};

use crate::client::{PATIENCE, entry, get, open, post};

const CHAT: &str = "/api/v1/chat/completions";

fn body(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]{more}}}"#)
}

fn status(provider: &Provider, headers: &str, body: &str) -> String {
    let (answer, _) = post(provider, CHAT, headers, body);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn manners_hold_for_every_request_that_turns_no_knob_of_its_own() {
    let provider = Provider::start();
    provider.behave("status=503");
    assert_eq!(status(&provider, "", &body("tiny", "")), "HTTP/1.1 503 Service Unavailable");
    assert_eq!(status(&provider, "x-sim: status=404\r\n", &body("tiny", "")), "HTTP/1.1 404 Not Found");
    provider.behave("");
    assert_eq!(status(&provider, "", &body("tiny", "")), "HTTP/1.1 200 OK");
}

#[test]
fn a_failure_can_be_billed() {
    let provider = Provider::start();
    provider.behave("failed=500; tokens=5");
    let (answer, _) = post(&provider, CHAT, "authorization: Bearer k\r\n", &body("openai/gpt-4o-mini", ""));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("\"completion_tokens\":5"), "{answer}");
    let Entry { cost_nanousd, path, keys, completion_tokens, .. } = entry(&provider);
    assert_eq!((path.as_str(), completion_tokens), (CHAT, 5));
    assert_eq!(keys, [("authorization", "Bearer k".to_owned())]);
    assert_eq!(cost_nanousd, (6_u64 * 150_000 + 5 * 600_000).div_ceil(1_000), "as gpt-4o-mini, whosever it is");
}

#[test]
fn a_provider_comes_back_where_it_was_with_its_books() {
    let mut provider = Provider::start();
    assert_eq!(status(&provider, "", &body("tiny", "")), "HTTP/1.1 200 OK");
    let mut under_way = open(&provider, "POST", CHAT, "x-sim: gap_ms=60000\r\n", &body("tiny", r#","stream":true"#));
    // It has begun to answer.
    under_way.read_exact(&mut [0; 12]).expect("a status");
    provider.stop();
    assert!(TcpStream::connect(provider.addr).is_err(), "nobody listens");
    let mut rest = Vec::new();
    // Reset or closed: over, in any case.
    let _ = under_way.read_to_end(&mut rest);
    provider.restart().expect("the same port");
    assert_eq!(status(&provider, "", &body("tiny", "")), "HTTP/1.1 200 OK");
    let statuses: Vec<_> = provider.settled_ledger(PATIENCE).requests.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), statuses.len());
    assert!(statuses.len() >= 2, "{statuses:?}");
}

#[test]
fn models_are_listed_under_any_base_path_for_nothing() {
    let provider = Provider::start();
    for path in ["/v1/models", "/api/v1/models", "/models"] {
        assert!(get(&provider, "GET", path).0.starts_with("HTTP/1.1 200"), "{path}");
    }
    assert_eq!(provider.ledger().requests.len(), 0);
}

#[test]
fn what_only_a_gateway_reads_is_refused() {
    let provider = Provider::start();
    for field in ["role", "sensitivity"] {
        let refused = status(&provider, "", &body("tiny", &format!(r#","{field}":"x""#)));
        assert_eq!(refused, "HTTP/1.1 400 Bad Request", "{field}");
    }
}
