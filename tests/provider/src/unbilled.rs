//! What a provider answers for nothing: counting, listing, storing, and fetching again what was paid for.

use hyper::Method;
use serde_json::{Value, json};

use crate::answer::{Answer, CREATED};
use crate::api::Api;
use crate::dialects::responses;
use crate::prices;
use crate::refusal::Refusal;
use crate::request::Asked;

const COUNTED_BY_ANTHROPIC: &str = "/messages/count_tokens";
const COUNTED_BY_GOOGLE: &str = ":countTokens";
const STORED: &str = "/v1/responses/";

/// `None` if there is nothing under this path.
pub fn answer(method: &Method, path: &str, body: &[u8]) -> Option<Result<Value, Refusal>> {
    let posted = method == Method::POST;
    match path {
        _ if method == Method::GET && path.ends_with("/models") => Some(Ok(models())),
        "/v1/files" if method == Method::GET => Some(Ok(json!({"object": "list", "data": [], "has_more": false}))),
        "/v1/files" if posted => Some(Ok(file(body.len()))),
        _ if posted && path.ends_with(COUNTED_BY_ANTHROPIC) => {
            let count = |answer: Answer| json!({"input_tokens": answer.prompt_tokens});
            Some(counted(Api::Messages, path, body).map(count))
        }
        _ if posted && path.ends_with(COUNTED_BY_GOOGLE) => {
            let count = |answer: Answer| json!({"totalTokens": answer.prompt_tokens});
            Some(counted(Api::Gemini, path, body).map(count))
        }
        _ if method == Method::GET => path.strip_prefix(STORED).filter(|id| !id.is_empty()).map(stored),
        _ => None,
    }
}

/// Whose words an error under this path is told in.
pub fn api_of(path: &str) -> Option<Api> {
    match path {
        _ if path.ends_with(COUNTED_BY_ANTHROPIC) => Some(Api::Messages),
        _ if path.ends_with(COUNTED_BY_GOOGLE) => Some(Api::Gemini),
        _ => None,
    }
}

fn counted(api: Api, path: &str, body: &[u8]) -> Result<Answer, Refusal> {
    Answer::to(api, &Asked::read(path, "", body)?, &[])
}

fn models() -> Value {
    let model = |(name, _): &(&str, _)| json!({"id": name, "object": "model", "created": 0, "owned_by": "simulated"});
    json!({"object": "list", "data": prices::PRICES.iter().map(model).collect::<Vec<_>>()})
}

fn file(bytes: usize) -> Value {
    json!({
        "id": "file-simulated", "object": "file", "bytes": bytes, "created_at": CREATED,
        "filename": "upload", "purpose": "user_data", "status": "processed",
    })
}

/// Nothing is kept: every id has the same response, with a usage that was billed when it was made.
fn stored(id: &str) -> Result<Value, Refusal> {
    let body = br#"{"model":"gpt-5-mini","input":"hello"}"#;
    counted(Api::Responses, "/v1/responses", body).map(|answer| responses::stored(&answer, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: Method, path: &str, body: &str) -> Option<Value> {
        answer(&method, path, body.as_bytes()).and_then(Result::ok)
    }

    #[test]
    fn counts_are_those_of_the_answers() {
        let body = r#"{"model":"claude-sonnet-4","messages":[{"role":"user","content":"hello"}]}"#;
        let counted = told(Method::POST, "/v1/messages/count_tokens", body);
        assert_eq!(counted, Some(json!({"input_tokens": 6})));
        let body = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;
        let counted = told(Method::POST, "/v1beta/models/gemini-2.5-flash:countTokens", body);
        assert_eq!(counted, Some(json!({"totalTokens": 6})));
        let refused = answer(&Method::POST, "/v1/messages/count_tokens", b"{}");
        assert!(matches!(refused, Some(Err(Refusal { status: 400, .. }))));
    }

    #[test]
    fn a_stored_response_tells_its_usage_again() {
        let stored = told(Method::GET, "/v1/responses/resp_7", "").expect("a response");
        assert_eq!((&stored["id"], &stored["usage"]["total_tokens"]), (&json!("resp_7"), &json!(22)));
        assert_eq!(told(Method::GET, "/v1/responses/", ""), None);
        assert_eq!(told(Method::GET, "/v1/elsewhere", ""), None);
    }
}
