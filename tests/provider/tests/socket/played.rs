//! Cases of a corpus, written here as small as they can be.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use simulated_provider::{Ending, Entry, Provider};

use crate::client::{entry, post};

/// A corpus of three cases that is gone when the test is.
struct Corpus(PathBuf);

impl Corpus {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("played-{name}-{}", std::process::id()));
        let corpus = Self(folder);
        corpus.case(
            "openai_chat/basic",
            json!({
                "request": {"model": "gpt-4o"}, "status": 200, "answer": "answer.sse",
                "headers": {"content-type": "text/event-stream", "x-request-id": "real"},
                "expect": {
                    "usage": {"input_tokens": 7, "output_tokens": 3, "cached_input_tokens": 2}, "cost_nanousd": 1234,
                },
            }),
            "data: {\"usage\":{\"prompt_tokens\":7}}\n\ndata: [DONE]\n\n",
        );
        corpus.case(
            "anthropic_messages/limited",
            json!({
                "status": 429, "answer": "answer.json", "expect": {"outcome": "provider_rate_limited"},
                "headers": {"content-type": "application/json", "retry-after": "9", "content-length": "1"},
            }),
            r#"{"type":"error"}"#,
        );
        corpus.case(
            "bedrock_converse/stream",
            json!({
                "status": 200, "answer": "answer.frames", "expect": {"cost_nanousd": 5},
                "headers": {"content-type": "application/vnd.amazon.eventstream"},
            }),
            r#"{"headers":{":message-type":"event",":event-type":"metadata"},"payload":{"usage":{"inputTokens":1}}}"#,
        );
        corpus
    }

    fn case(&self, name: &str, told: Value, answer: &str) {
        let folder = self.0.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("case.json"), told.to_string()).expect("a case");
        fs::write(folder.join(told["answer"].as_str().expect("a file")), answer).expect("an answer");
    }
}

impl Drop for Corpus {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn play(provider: &Provider, path: &str, sim: &str, body: &str) -> (String, Vec<u8>, Entry) {
    provider.clear();
    let (bytes, _) = post(provider, path, &format!("x-sim: {sim}\r\n"), body);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[end + 4..].to_vec(), entry(provider))
}

#[test]
fn a_case_is_played_as_it_was_recorded_and_billed_as_it_is_known() {
    let corpus = Corpus::new("recorded");
    let provider = Provider::playing(&corpus.0);
    let sim = "case=openai_chat/basic; content_length; bytes=3";
    let (head, body, entry) = play(&provider, "/anywhere/at/all", sim, "no JSON");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    assert!(head.contains("x-request-id: real"), "{head}");
    assert_eq!(body, b"data: {\"usage\":{\"prompt_tokens\":7}}\n\ndata: [DONE]\n\n");
    assert_eq!((entry.case.as_deref(), entry.api, entry.stream), (Some("openai_chat/basic"), None, true));
    assert_eq!((entry.model.as_str(), entry.cost_nanousd), ("gpt-4o", 1234));
    assert_eq!((entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens), (7, 3, 2));
    assert_eq!(provider.ledger().of_case("openai_chat/basic").sum().cost_nanousd, 1234);

    let asked = r#"{"model":"tiny+case=openai_chat/basic","messages":[{"role":"user","content":"x"}]}"#;
    let (_, _, entry) = play(&provider, "/v1/chat/completions", "", asked);
    assert_eq!((entry.case.as_deref(), entry.model.as_str()), (Some("openai_chat/basic"), "tiny"));
    let (_, body, entry) = play(&provider, "/x", "case=openai_chat/basic; cut_bytes=10; content_length", "");
    assert_eq!((body.len(), entry.ending, entry.cost_nanousd), (10, Ending::Cut, 1234));
}

#[test]
fn a_case_of_a_refusal_is_played_too() {
    let corpus = Corpus::new("refusal");
    let provider = Provider::playing(&corpus.0);
    let (head, body, entry) = play(&provider, "/v1/messages", "case=anthropic_messages/limited", "{}");
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 9"), "{head}");
    assert_eq!(
        (body.as_slice(), entry.ending, entry.cost_nanousd),
        (br#"{"type":"error"}"#.as_slice(), Ending::Refused, 0)
    );
}

#[test]
fn frames_are_played_as_a_binary_stream() {
    let corpus = Corpus::new("frames");
    let provider = Provider::playing(&corpus.0);
    let sim = "case=bedrock_converse/stream; content_length";
    let (head, body, entry) = play(&provider, "/model/m/converse-stream", sim, "{}");
    assert!(head.contains("application/vnd.amazon.eventstream"), "{head}");
    assert_eq!(u32::from_be_bytes(body[..4].try_into().expect("four bytes")) as usize, body.len());
    let crc = crc32fast::hash(&body[..body.len() - 4]).to_be_bytes();
    assert_eq!(&body[body.len() - 4..], crc);
    assert_eq!(entry.cost_nanousd, 5);
}

#[test]
fn a_case_that_is_not_there_is_a_refusal() {
    let corpus = Corpus::new("missing");
    let provider = Provider::playing(&corpus.0);
    let (head, body, entry) = play(&provider, "/v1/chat/completions", "case=openai_chat/none", "{}");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert!(String::from_utf8_lossy(&body).contains("`openai_chat/none` cannot be played"));
    assert_eq!(entry.ending, Ending::Refused);
}
