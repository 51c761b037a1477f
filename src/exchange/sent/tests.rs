//! What is reserved is what the body that goes out comes to, and a rule that depends on who may see it holds wherever one may not.

mod sight;

use crate::exchange::tests::around;
use crate::exchange::{Exchange, Opening, Step};
use crate::headers::Headers;
use crate::limit::cell::Cell;
use crate::llm::request::spliced;
use crate::policy::Policy;
use crate::units::{NanoUsd, Tokens, UnixNanos};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

fn weather() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

fn policy(content: &Value, tools: &Value) -> Policy {
    let registry = json!({"get_weather": {"parameters": weather(), "description": "Weather of a city."}});
    let config = json!({
        "tenants": {"acme": {"unlimited": ["request_usd", "day_usd"], "tools": tools}},
        "tools": {"registry": registry},
        "content": content,
        "roles": ["chat"],
        "stored_responses": "any",
        "unknown_fields": "pass",
        "prices": [{"model": "*", "input_usd_per_1m_tokens": "1000", "output_usd_per_1m_tokens": "1",
            "character_usd": "0.001"}],
    });
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// What it is taken for, and what of it goes out.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    input: Tokens,
    reserved: NanoUsd,
    sent: String,
}

fn taken(policy: &Policy, path: &str, body: &str, size: usize) -> Taken {
    let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
    let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOON) else { panic!("{path} was not read") };
    body.as_bytes().chunks(size).for_each(|chunk| assert_eq!(exchange.body(policy, chunk), None));
    let demand = exchange.end_of_request(policy, around(None)).unwrap();
    let demand = demand.unwrap_or_else(|reply| panic!("{body}: {}", String::from_utf8_lossy(&reply.body)));
    let input = demand.ask.input;
    let mut cell = Cell::default();
    let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
    let Step::Forward(edits) = exchange.decided(policy, demand, Ok(decision), NOON) else { panic!("{body}") };
    let sent = String::from_utf8(spliced(body.as_bytes(), &edits)).unwrap();
    Taken { input, reserved: cell.levels(NOON, 900).reserved, sent }
}

/// A body of each API, with `@` where texts stand.
const BODIES: [(&str, &str); 14] = [
    (
        "/v1/chat/completions",
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"system","content":"@"},{"content":[{"type":"text","text":"@"},{"type":"text","text":"@"}],"role":"user"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"to\":\"@\"}"}}]}],"metadata":{"@":4111111111111111},"user":"@"}"#,
    ),
    ("/api/ai/chat", r#"{"role":"chat","model":"m","messages":[{"role":"user","content":"@"}],"max_tokens":9}"#),
    (
        "/v1/responses",
        r#"{"model":"m","instructions":"@","input":[{"role":"user","content":[{"type":"input_text","text":"@"}]},{"type":"function_call_output","call_id":"c","output":"@"}],"max_output_tokens":9}"#,
    ),
    (
        "/v1/messages",
        r#"{"system":[{"type":"text","text":"@"}],"messages":[{"role":"user","content":"@"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"@":["@",4111111111111111]}}]}],"max_tokens":9,"model":"m"}"#,
    ),
    (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        r#"{"systemInstruction":{"parts":[{"text":"@"}]},"contents":[{"role":"user","parts":[{"text":"@"},{"functionResponse":{"name":"f","response":{"x":"@"}}}]}],"generationConfig":{"maxOutputTokens":9}}"#,
    ),
    (
        "/model/m/converse",
        r#"{"system":[{"text":"@"}],"messages":[{"role":"user","content":[{"text":"@"},{"toolResult":{"toolUseId":"t","content":[{"json":{"x":"@"}}]}}]}],"inferenceConfig":{"maxTokens":9}}"#,
    ),
    ("/v2/chat", r#"{"model":"m","messages":[{"role":"user","content":"@"}],"documents":["@"],"max_tokens":9}"#),
    (
        "/api/chat",
        r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"@"}],"options":{"num_predict":9}}"#,
    ),
    ("/v1beta/interactions", r#"{"model":"m","input":"@","generation_config":{"max_output_tokens":9}}"#),
    ("/v1/completions", r#"{"prompt":["@","@"],"suffix":"@","max_tokens":9,"model":"m"}"#),
    ("/v1/embeddings", r#"{"input":["@","@"],"model":"m"}"#),
    ("/v1/rerank", r#"{"model":"m","query":"@","documents":["@","@"]}"#),
    ("/v1/images/generations", r#"{"model":"m","prompt":"@"}"#),
    ("/v1/audio/speech", r#"{"model":"m","instructions":"@","input":"@","voice":"a","query":"@"}"#),
];

/// A text, with what is shorter than what stands in its place, and what is longer. It may stand as a key, and so is no longer than
/// one may be.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("to "),
        Just("über das 語 "),
        Just("a@b.de "),
        Just("a\\u0040b.de "),
        Just("some.body.with.a.very.long.name.indeed@department.of.a.large.company.example.com "),
        Just("4111 1111 1111 1111 "),
        Just("Nordwind "),
        Just("\\ud83e\\udd80 "),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn written(body: &str, texts: &[String]) -> String {
    let mut texts = texts.iter().cycle();
    let mut parts = body.split('@');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |body, part| body + texts.next().unwrap() + part)
}

fn content(action: &str, key: bool) -> Value {
    let mut content = json!({"rules": [
        {"name": "people", "find": ["email", "card"], "action": action},
        {"name": "project", "words": ["Nordwind", "über"], "action": action, "label": "A_PROJECT_OF_OURS"},
    ]});
    if key {
        content["placeholder_key"] = json!("0123456789abcdef");
    }
    content
}

/// A list of tools of each API in the place of `@`; a registered function by its name alone, and one that is denied.
const TOOLS: [(&str, &str, &str, &str); 14] = [
    (
        "/v1/chat/completions",
        r#"{"model":"m","max_tokens":9,"tools":[@],"tool_choice":"required","messages":[]}"#,
        r#"{"type":"function","function":{"name":"get_weather"}}"#,
        r#"{"type":"function","function":{"name":"delete","description":"a@b.de","parameters":{}}}"#,
    ),
    (
        "/v1/chat/completions",
        r#"{"functions":[@],"function_call":{"name":"delete"},"model":"m","max_tokens":9,"messages":[]}"#,
        r#"{"name":"get_weather"}"#,
        r#"{"name":"delete"}"#,
    ),
    (
        "/v1/responses",
        r#"{"model":"m","input":"Nordwind","max_output_tokens":9,"tools":[@],"tool_choice":"auto"}"#,
        r#"{"type":"function","name":"get_weather"}"#,
        r#"{"type":"function","name":"delete","description":"some.body.with.a.very.long.name@example.com"}"#,
    ),
    (
        "/v1/messages",
        r#"{"tools":[@],"model":"m","max_tokens":9,"tool_choice":{"type":"any"},"messages":[]}"#,
        r#"{"name":"get_weather"}"#,
        r#"{"name":"delete","input_schema":{"type":"object"}}"#,
    ),
    (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        r#"{"contents":[],"tools":[@],"generationConfig":{"maxOutputTokens":9}}"#,
        r#"{"functionDeclarations":[{"name":"get_weather"}]}"#,
        r#"{"functionDeclarations":[{"name":"delete"},{"name":"remove"}]}"#,
    ),
    (
        "/model/m/converse",
        r#"{"messages":[],"inferenceConfig":{"maxTokens":9},"toolConfig":{"tools":[@],"toolChoice":{"any":{}}}}"#,
        r#"{"toolSpec":{"name":"get_weather"}}"#,
        r#"{"toolSpec":{"name":"delete"}}"#,
    ),
    (
        "/v2/chat",
        r#"{"model":"m","messages":[],"max_tokens":9,"tools":[@]}"#,
        r#"{"type":"function","function":{"name":"get_weather"}}"#,
        r#"{"type":"function","function":{"name":"delete"}}"#,
    ),
    (
        "/api/chat",
        r#"{"model":"m","stream":false,"messages":[],"options":{"num_predict":9},"tools":[@]}"#,
        r#"{"type":"function","function":{"name":"get_weather"}}"#,
        r#"{"type":"function","function":{"name":"delete"}}"#,
    ),
    (
        "/v1beta/interactions",
        r#"{"model":"m","input":"x","generation_config":{"max_output_tokens":9},"tools":[@]}"#,
        r#"{"type":"function","name":"get_weather"}"#,
        r#"{"type":"function","name":"delete"}"#,
    ),
    // What a provider runs and nobody here has a price for: taken out, it is neither refused nor reserved.
    (
        "/v1/chat/completions",
        r#"{"model":"m","max_tokens":9,"tools":[@],"messages":[]}"#,
        r#"{"type":"function","function":{"name":"get_weather"}}"#,
        r#"{"type":"web_search"}"#,
    ),
    (
        "/v1/responses",
        r#"{"model":"m","input":"x","max_output_tokens":9,"tools":[@]}"#,
        r#"{"type":"function","name":"get_weather"}"#,
        r#"{"type":"mcp","server_label":"crm","server_url":"https://x.example"}"#,
    ),
    (
        "/v1/responses",
        r#"{"model":"m","input":[{"type":"tool_search_output","tools":[@]}],"max_output_tokens":9}"#,
        r#"{"type":"function","name":"get_weather"}"#,
        r#"{"type":"image_generation"}"#,
    ),
    (
        "/v1/messages",
        r#"{"tools":[@],"model":"m","max_tokens":9,"messages":[]}"#,
        r#"{"name":"get_weather"}"#,
        r#"{"type":"web_search_20250305","name":"web_search","max_uses":3}"#,
    ),
    (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        r#"{"tools":[@],"contents":[],"generationConfig":{"maxOutputTokens":9}}"#,
        r#"{"functionDeclarations":[{"name":"get_weather"}]}"#,
        r#"{"googleSearch":{}}"#,
    ),
];

fn strip() -> Value {
    json!({"allow": ["get_*"], "offered": "strip"})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_body_with_placeholders_is_taken_for_what_goes_out(
        api in 0..BODIES.len(),
        texts in prop::collection::vec(text(), 1..6),
        action in prop::sample::select(vec!["mask", "restore"]),
        key in any::<bool>(),
        size in 1..200_usize,
    ) {
        let (path, body) = BODIES[api];
        let body = written(body, &texts);
        let edited = taken(&policy(&content(action, key), &json!({})), path, &body, size);
        let anew = taken(&policy(&json!({}), &json!({})), path, &edited.sent, 1_000);
        prop_assert!(!edited.sent.contains("Nordwind"));
        prop_assert_eq!(edited, anew);
    }

    #[test]
    fn a_body_whose_tools_are_taken_out_or_defined_is_taken_for_what_goes_out(
        api in 0..TOOLS.len(),
        offered in prop::collection::vec(any::<bool>(), 0..6),
        masked in any::<bool>(),
        size in 1..200_usize,
    ) {
        let (path, body, registered, denied) = TOOLS[api];
        let tools: Vec<_> = offered.iter().map(|allowed| if *allowed { registered } else { denied }).collect();
        let body = body.replace('@', &tools.join(" , "));
        let content = if masked { content("mask", false) } else { json!({}) };
        let edited = taken(&policy(&content, &strip()), path, &body, size);
        let anew = taken(&policy(&json!({}), &json!({})), path, &edited.sent, 1_000);
        let holds = edited.sent.matches("\"required\":[\"city\"]").count();
        prop_assert_eq!(holds, offered.iter().filter(|allowed| **allowed).count());
        prop_assert!(!["delete", "search\"", "Search", "mcp", "image"].iter().any(|denied| edited.sent.contains(denied)));
        prop_assert_eq!(edited, anew);
    }

    /// What is taken out of a picture that is none must not make room for a text.
    #[test]
    fn a_body_with_attachments_is_taken_for_no_less_than_what_goes_out(
        texts in prop::collection::vec(text(), 1..6),
        data in prop::collection::vec(text(), 1..40),
        kind in prop::sample::select(vec!["image_url", "file", "input_audio"]),
        size in 1..200_usize,
    ) {
        let data = data.concat();
        let part = match kind {
            "image_url" => format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#),
            "file" => format!(r#"{{"type":"file","file":{{"filename":"f","file_data":"data:application/pdf;base64,{data}"}}}}"#),
            _ => format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}"#),
        };
        let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"@"},%]}]}"#;
        let body = written(body, &texts).replace('%', &part);
        let edited = taken(&policy(&content("mask", false), &json!({})), "/v1/chat/completions", &body, size);
        let anew = taken(&policy(&json!({}), &json!({})), "/v1/chat/completions", &edited.sent, 1_000);
        prop_assert!(edited.input >= anew.input && edited.reserved >= anew.reserved, "{edited:?} {anew:?}");
    }
}
