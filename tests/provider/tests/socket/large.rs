//! Answers that are larger than anyone would keep in memory.

use std::io::Read;

use simulated_provider::{Ending, Provider};

use crate::client::{entry, open};

/// How many bytes came, and the last of them.
fn count(provider: &Provider, path: &str, sim: &str, body: &str) -> (usize, String) {
    let mut socket = open(provider, "POST", path, &format!("x-sim: {sim}\r\nconnection: close\r\n"), body);
    let (mut bytes, mut last, mut part) = (0, Vec::new(), vec![0; 1 << 16]);
    loop {
        match socket.read(&mut part).expect("more of the answer") {
            0 => return (bytes, String::from_utf8_lossy(&last).into_owned()),
            read => {
                bytes += read;
                last.extend_from_slice(&part[..read]);
                last.drain(..last.len().saturating_sub(2_000));
            }
        }
    }
}

#[test]
fn a_large_stream_ends_in_its_usage() {
    let provider = Provider::start();
    let body = r#"{"model":"gpt-5-mini","stream":true,"input":"hello"}"#;
    let sim = "events=100; event_bytes=83000; big_completed=20000000";
    let (bytes, last) = count(&provider, "/v1/responses", sim, body);
    assert!(bytes > 28_300_000, "{bytes}");
    assert!(last.contains(r#""usage":{"input_tokens":6,"#) && last.contains(r#""output_tokens":1600000,"#), "{last}");
    let entry = entry(&provider);
    assert_eq!((entry.ending, entry.completion_tokens), (Ending::Complete, 1_600_000));
}

#[test]
fn a_client_may_leave_a_stream_that_would_never_end() {
    let provider = Provider::start();
    let body = r#"{"model":"gpt-5-mini","stream":true,"input":"hello"}"#;
    let sim = "events=0; big_completed=1000000000000; cut_bytes=3000000; content_length=0";
    let (bytes, _) = count(&provider, "/v1/responses", sim, body);
    assert!((3_000_000..3_100_000).contains(&bytes), "{bytes}");
    assert_eq!(entry(&provider).ending, Ending::Cut);
    let (_, last) =
        count(&provider, "/v1/responses", "events=1000000000; event_bytes=1000", r#"{"model":"m","input":""}"#);
    assert!(last.contains("so large an answer can only be streamed"), "{last}");
}

#[test]
fn embeddings_can_be_large() {
    let provider = Provider::start();
    let body = r#"{"model":"text-embedding-3-small","input":["a","b","c","d"]}"#;
    let (bytes, last) = count(&provider, "/v1/embeddings", "dimensions=250000", body);
    assert!((20_000_000..24_000_000).contains(&bytes), "{bytes}");
    assert!(last.ends_with(r#""usage":{"prompt_tokens":1,"total_tokens":1}}"#), "{last}");
}
