//! Every API: what it reports, what it is billed, and how its stream breaks.

use serde_json::{Value, json};
use simulated_provider::{Api, Ending, Entry, Provider, price_entries};

use crate::client::{entry, get, post};

/// An API, the path of its streams, and a request of two bytes a word.
struct Streamed {
    api: Api,
    path: &'static str,
    body: Value,
    content_type: &'static str,
    /// Events before the first token.
    first: u64,
}

fn streamed() -> Vec<Streamed> {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let parts = json!([{"role": "user", "content": [{"text": "hello"}]}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let of = |api, path, content_type, first, body| Streamed { api, path, body, content_type, first };
    let sse = "text/event-stream; charset=utf-8";
    let sonnet = json!({"model": "claude-sonnet-4", "max_tokens": 50, "messages": messages, "stream": true});
    let instruct = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "hello", "stream": true});
    vec![
        of(
            Api::Chat,
            "/v1/chat/completions",
            sse,
            0,
            json!({"model": "gpt-4o-mini", "messages": messages, "stream": true}),
        ),
        of(Api::Completions, "/v1/completions", sse, 0, instruct),
        of(Api::Responses, "/v1/responses", sse, 4, json!({"model": "gpt-5-mini", "input": "hello", "stream": true})),
        of(Api::Messages, "/v1/messages", sse, 3, sonnet),
        of(Api::Gemini, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", sse, 0, contents.clone()),
        of(
            Api::Gemini,
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            "application/json; charset=UTF-8",
            0,
            contents,
        ),
        of(
            Api::Converse,
            "/model/amazon.nova-lite-v1%3A0/converse-stream",
            "application/vnd.amazon.eventstream",
            1,
            json!({"messages": parts}),
        ),
        of(Api::OllamaChat, "/api/chat", "application/x-ndjson", 0, json!({"model": "llama3.2", "messages": messages})),
        of(
            Api::OllamaGenerate,
            "/api/generate",
            "application/x-ndjson",
            0,
            json!({"model": "llama3.2", "prompt": "hello"}),
        ),
    ]
}

/// The head, the body as it came, and the entry.
fn ask(provider: &Provider, path: &str, sim: &str, body: &Value) -> (String, Vec<u8>, Entry) {
    provider.clear();
    let (bytes, _) = post(provider, path, &format!("x-sim: {sim}\r\n"), &body.to_string());
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    (head, bytes[end + 4..].to_vec(), entry(provider))
}

/// Without chunks between them, the bytes of a stream can be read as they are.
fn whole_stream(provider: &Provider, asked: &Streamed, sim: &str) -> (String, Vec<u8>, Entry) {
    ask(provider, asked.path, &format!("content_length; {sim}"), &asked.body)
}

#[test]
fn every_stream_is_whole_and_billed_once() {
    let provider = Provider::start();
    for asked in streamed() {
        let (head, body, entry) = whole_stream(&provider, &asked, "tokens=7");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains(&format!("content-type: {}", asked.content_type)), "{head}");
        assert_eq!((entry.api, entry.stream, entry.ending), (Some(asked.api), true, Ending::Complete));
        assert_eq!(entry.completion_tokens, 7, "{}", asked.path);
        assert!(entry.prompt_tokens > 0 && entry.cost_nanousd > 0);
        let again = whole_stream(&provider, &asked, "tokens=7; bytes=5").1;
        assert_eq!(again, body, "{}: in any pieces", asked.path);
    }
}

#[test]
fn every_stream_is_cut_behind_so_many_events() {
    let provider = Provider::start();
    for asked in streamed() {
        let tokens = |sim: &str| {
            let (_, body, entry) = whole_stream(&provider, &asked, &format!("tokens=9; {sim}"));
            assert_eq!((entry.ending, entry.delivered), (Ending::Cut, false), "{}", asked.path);
            (body.len(), entry.completion_tokens)
        };
        let (bytes, billed) = tokens(&format!("cut={}", asked.first + 3));
        assert_eq!(billed, 3, "{}", asked.path);
        assert_eq!(tokens(&format!("cut_bytes={bytes}")), (bytes, 3), "{}", asked.path);
        // What stands between two elements of an array belongs to the later one.
        assert_eq!(tokens(&format!("cut_bytes={}", bytes + 1)), (bytes + 1, 4), "{}", asked.path);
        let (_, _, entry) = whole_stream(&provider, &asked, "error_at=2");
        assert_eq!(entry.ending, Ending::Complete);
    }
}

#[test]
fn whole_answers_report_what_is_billed() {
    let provider = Provider::start();
    let told = |path: &str, sim: &str, body: Value| {
        let (_, json, entry) = ask(&provider, path, sim, &body);
        (serde_json::from_slice::<Value>(&json).expect("JSON"), entry)
    };
    let messages = json!([{"role": "user", "content": "hello"}]);

    let sonnet = json!({"model": "claude-sonnet-4", "max_tokens": 50, "messages": messages});
    let sim = "prompt=100; cached=40; cache_write=20; cache_write_1h=10; tokens=5; web_searches=1";
    let (json, entry) = told("/v1/messages", sim, sonnet);
    assert_eq!(json["usage"]["input_tokens"], 30);
    assert_eq!((entry.prompt_tokens, entry.cached_tokens), (100, 40));
    assert_eq!((entry.cache_creation_tokens, entry.cache_creation_1h_tokens, entry.web_searches), (30, 10, 1));
    assert_eq!(entry.cost_nanousd, 30 * 3_000 + 40 * 300 + 20 * 3_750 + 10 * 6_000 + 5 * 15_000 + 10_000_000);

    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let contents = json!({"contents": [{"parts": [{"text": "hello"}]}]});
    let (json, entry) = told(path, "tokens=5; reasoning=20; cached=2", contents);
    assert_eq!(json["usageMetadata"]["thoughtsTokenCount"], 20);
    assert_eq!((entry.model.as_str(), entry.completion_tokens, entry.reasoning_tokens), ("gemini-2.5-flash", 25, 20));
    assert_eq!(entry.cost_nanousd, (4 * 300 + 2 * 75 + 25 * 2_500));

    let (json, entry) =
        told("/v1/responses", "tokens=5; reasoning=2", json!({"model": "gpt-5-mini", "input": "hello"}));
    assert_eq!((&json["status"], &json["usage"]["output_tokens"]), (&json!("completed"), &json!(5)));
    assert_eq!((entry.completion_tokens, entry.reasoning_tokens), (5, 2));

    let embedded = json!({"model": "text-embedding-3-small", "input": ["hello", "world!"]});
    let (json, entry) = told("/v1/embeddings", "dimensions=4; prompt=55", embedded);
    assert_eq!(json["usage"], json!({"prompt_tokens": 55, "total_tokens": 55}));
    assert_eq!((entry.api, entry.completion_tokens, entry.cost_nanousd), (Some(Api::Embeddings), 0, 1_100));

    let ranked = json!({"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"]});
    let (json, entry) = told("/v2/rerank", "search_units=3", ranked);
    assert_eq!(json["meta"]["billed_units"]["search_units"], 3);
    assert_eq!((entry.search_units, entry.prompt_tokens, entry.cost_nanousd), (3, 0, 6_000_000));

    let parts = json!({"messages": [{"role": "user", "content": [{"text": "hello"}]}]});
    let (json, entry) = told("/model/amazon.nova-lite-v1:0/converse", "cached=2; tokens=5", parts);
    assert_eq!((&json["usage"]["inputTokens"], &json["usage"]["totalTokens"]), (&json!(4), &json!(11)));
    assert_eq!(entry.cost_nanousd, (4 * 60 + 2 * 15 + 5 * 240));

    let (json, entry) =
        told("/api/chat", "tokens=5", json!({"model": "llama3.2", "messages": messages, "stream": false}));
    assert_eq!((&json["prompt_eval_count"], &json["eval_count"]), (&json!(6), &json!(5)));
    assert_eq!((entry.stream, entry.cost_nanousd), (false, 6 * 100 + 5 * 400));
    assert!(get(&provider, "GET", "/ledger?api=ollama_chat").1.contains(r#""api":"ollama_chat""#));
}

#[test]
fn frames_of_a_binary_stream_can_be_read() {
    let provider = Provider::start();
    let asked = streamed().into_iter().find(|asked| asked.api == Api::Converse).expect("Converse");
    let (_, body, _) = whole_stream(&provider, &asked, "tokens=2");
    let mut rest = body.as_slice();
    let mut frames = 0;
    while !rest.is_empty() {
        let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        let length = number(0) as usize;
        assert_eq!(number(8), crc32fast::hash(&rest[..8]), "the prelude's CRC");
        assert_eq!(number(length - 4), crc32fast::hash(&rest[..length - 4]), "the message's CRC");
        let payload = &rest[12 + number(4) as usize..length - 4];
        serde_json::from_slice::<Value>(payload).expect("a payload of JSON");
        rest = &rest[length..];
        frames += 1;
    }
    assert_eq!(frames, 1 + 2 + 3);
}

#[test]
fn refusals_speak_the_language_of_the_api() {
    let provider = Provider::start();
    for asked in streamed() {
        let (head, body, entry) = ask(&provider, asked.path, "status=429; retry_after=3", &asked.body);
        assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 3"), "{head}");
        assert_eq!(head.contains("x-amzn-errortype: ThrottlingException"), asked.api == Api::Converse);
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert!(body.get("error").or(body.get("message")).is_some(), "{body}");
        assert_eq!((entry.ending, entry.cost_nanousd), (Ending::Refused, 0));
    }
}

#[test]
fn what_costs_nothing_leaves_no_entry() {
    let provider = Provider::start();
    let count = json!({"model": "claude-sonnet-4", "messages": [{"role": "user", "content": "hello"}]});
    let (answer, _) = post(&provider, "/v1/messages/count_tokens", "", &count.to_string());
    assert!(answer.ends_with(br#"{"input_tokens":6}"#));
    let count = json!({"contents": [{"parts": [{"text": "hello"}]}]});
    let (answer, _) = post(&provider, "/v1beta/models/gemini-2.5-flash:countTokens", "", &count.to_string());
    assert!(answer.ends_with(br#"{"totalTokens":6}"#));
    assert!(get(&provider, "GET", "/v1/responses/resp_1").1.contains(r#""total_tokens":22"#));
    assert!(get(&provider, "GET", "/v1/files").0.starts_with("HTTP/1.1 200"));
    let (answer, _) = post(&provider, "/v1/files", "", "bytes");
    assert!(String::from_utf8_lossy(&answer).contains(r#""bytes":5"#));
    assert!(get(&provider, "GET", "/v1/models").1.contains("rerank-v3.5"));
    assert_eq!(provider.ledger().requests.len(), 0);
}

#[test]
fn every_price_can_be_configured() {
    for entry in price_entries() {
        let fields = entry.as_object().expect("an object");
        // Money is a string, whatever it is for; what a model reads is a number.
        assert!(
            fields.iter().all(|(key, value)| value.is_string() || (key == "context_tokens" && value.is_u64())),
            "{entry}"
        );
        assert!(fields.contains_key("input_usd_per_1m_tokens") && fields.contains_key("output_usd_per_1m_tokens"));
    }
}
