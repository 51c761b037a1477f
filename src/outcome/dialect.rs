//! The same refusal in the error bodies of each API, so that its SDKs raise their own exceptions.
//!
//! What stands at the place that an SDK reads is the API's own word; the gateway's code and figures stand beside it.

use super::{Detail, Outcome, Rejection};
use crate::llm::schema::{Dialect, Schema};
use serde::Serialize;
use serde_json::{Value, json};

/// Beside the words of each dialect.
#[derive(Serialize)]
struct Ours<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a Detail>,
}

pub(super) fn body(rejection: &Rejection, dialect: Dialect, request_id: &str) -> Vec<u8> {
    // Strings and integers always serialise; an empty body would still carry the right status.
    serde_json::to_vec(&document(rejection, dialect, request_id)).unwrap_or_default()
}

/// The same as the last event of a stream that has begun. What stands at its top makes an SDK raise; where its API has an event for
/// failures, it is one of these as well.
pub(super) fn event(rejection: &Rejection, schema: &Schema, request_id: &str) -> Vec<u8> {
    let mut event = document(rejection, schema.dialect, request_id);
    let message = &rejection.message;
    let beside = match (schema.dialect, schema.failure) {
        (Dialect::OpenAi, Some(failure @ "response.failed")) => {
            // Codex asks again and again, unless it reads this code here.
            let error = json!({"code": openai_type(rejection.outcome), "message": message});
            json!({"type": failure, "response": {"object": "response", "status": "failed", "error": error}})
        }
        (Dialect::OpenAi, Some(failure)) => json!({"type": failure}),
        (Dialect::Gemini, Some(failure)) => json!({"event_type": failure}),
        (Dialect::Cohere, Some(failure)) => {
            json!({"type": failure, "delta": {"finish_reason": "ERROR", "error": message}})
        }
        _ => Value::Null,
    };
    if let (Value::Object(event), Value::Object(beside)) = (&mut event, beside) {
        event.extend(beside);
    }
    serde_json::to_vec(&event).unwrap_or_default()
}

fn document(rejection: &Rejection, dialect: Dialect, request_id: &str) -> Value {
    let Rejection { outcome, message, detail, retry_after, .. } = rejection;
    let ours = Ours { code: outcome.code(), detail: detail.as_deref() };
    match dialect {
        Dialect::OpenAi => {
            let error = json!({"message": message, "type": openai_type(*outcome), "param": null});
            json!({"error": merged(error, &ours)})
        }
        Dialect::Anthropic => {
            // Where its SDKs look for what stands behind the broad type.
            let details = json!({"error_code": ours.code});
            let error = json!({"type": anthropic_type(*outcome), "message": message, "details": details});
            json!({"type": "error", "error": merged(error, &ours), "request_id": request_id})
        }
        Dialect::Gemini => json!({"error": gemini(*outcome, message, *retry_after, &ours)}),
        Dialect::Aws | Dialect::Cohere => merged(json!({"message": message}), &ours),
        Dialect::Ollama => merged(json!({"error": message}), &ours),
    }
}

fn merged(mut theirs: Value, ours: &Ours<'_>) -> Value {
    if let (Value::Object(into), Ok(Value::Object(ours))) = (&mut theirs, serde_json::to_value(ours)) {
        into.extend(ours);
    }
    theirs
}

/// OpenAI's own word for this kind of error, which its SDKs show beside the message.
const fn openai_type(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::InvalidRequest
        | Outcome::ContentRefused
        | Outcome::ToolNotAllowed
        | Outcome::RequestTooLarge
        | Outcome::UnsupportedEncoding
        | Outcome::ModelNotFound
        | Outcome::ModelUnpriced
        | Outcome::ResponseNotFound => "invalid_request_error",
        Outcome::TenantMissing => "authentication_error",
        Outcome::TenantUnknown | Outcome::ModelNotAllowed => "permission_error",
        Outcome::RequestBudgetExceeded
        | Outcome::DailyBudgetExceeded
        | Outcome::MonthlyBudgetExceeded
        | Outcome::BudgetExhausted => "insufficient_quota",
        Outcome::RateLimited | Outcome::ExpensiveRateLimited | Outcome::InFlightLimited => "requests",
        Outcome::TokenRateLimited => "tokens",
        _ => "server_error",
    }
}

/// By the status, as Anthropic's own errors go.
const fn anthropic_type(outcome: Outcome) -> &'static str {
    match outcome.status() {
        400 | 415 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        _ => "api_error",
    }
}

/// The place of `code` is the status's here, so ours is the reason of its `ErrorInfo`.
fn gemini(outcome: Outcome, message: &str, retry_after: Option<u64>, ours: &Ours<'_>) -> Value {
    let status = match outcome.status() {
        400 | 413 | 415 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": outcome.code(),
        "domain": "nexus-ai-gateway",
    })];
    if let Some(seconds) = retry_after {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")}));
    }
    if let Some(detail) = ours.detail {
        details.push(json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": detail}));
    }
    json!({"code": outcome.status(), "message": message, "status": status, "details": details})
}

/// AWS's SDKs read the kind of an error from a header.
pub(super) fn header(outcome: Outcome, dialect: Dialect) -> Option<(&'static str, String)> {
    let kind = match outcome.status() {
        _ if dialect != Dialect::Aws => return None,
        400 | 413 | 415 => "ValidationException",
        404 => "ResourceNotFoundException",
        401 | 403 => "AccessDeniedException",
        402 => "ServiceQuotaExceededException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    };
    Some(("x-amzn-errortype", kind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(outcome: Outcome, dialect: Dialect) -> Value {
        let reply = Rejection::plain(outcome, "no").in_dialect(dialect, "id-1");
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn each_dialect_says_it_where_its_sdks_look() {
        let of = |dialect| said(Outcome::DailyBudgetExceeded, dialect);
        assert_eq!(
            of(Dialect::OpenAi),
            json!({"error": {"message": "no", "type": "insufficient_quota", "param": null, "code": "daily_budget_exceeded"}})
        );
        assert_eq!(
            of(Dialect::Anthropic),
            json!({"type": "error", "request_id": "id-1",
                "error": {"type": "billing_error", "message": "no", "code": "daily_budget_exceeded",
                    "details": {"error_code": "daily_budget_exceeded"}}})
        );
        let gemini = of(Dialect::Gemini);
        assert_eq!(
            (&gemini["error"]["code"], &gemini["error"]["status"]),
            (&402.into(), &"FAILED_PRECONDITION".into())
        );
        assert_eq!(gemini["error"]["details"][0]["reason"], "daily_budget_exceeded");
        assert_eq!(of(Dialect::Aws), json!({"message": "no", "code": "daily_budget_exceeded"}));
        assert_eq!(of(Dialect::Ollama), json!({"error": "no", "code": "daily_budget_exceeded"}));
    }

    /// Where an SDK looks in the middle of a stream: `error` at the top is what makes OpenAI's and Google's raise.
    #[test]
    fn a_stream_that_has_begun_is_ended_in_the_words_of_its_api() {
        use crate::llm::schema::named;
        let rejection = Rejection::plain(Outcome::BudgetExhausted, "over");
        for (api, name, kind, at) in [
            ("openai_chat", None, "insufficient_quota", "/error/type"),
            ("openai_completions", None, "budget_exhausted", "/error/code"),
            ("gateway_chat", None, "over", "/error/message"),
            ("openai_responses", Some("response.failed"), "budget_exhausted", "/error/code"),
            ("openai_responses", Some("response.failed"), "insufficient_quota", "/response/error/code"),
            ("openai_responses", Some("response.failed"), "failed", "/response/status"),
            ("openai_responses", Some("response.failed"), "response.failed", "/type"),
            ("lm_studio_chat", Some("error"), "error", "/type"),
            ("anthropic_messages", Some("error"), "error", "/type"),
            ("anthropic_messages", Some("error"), "billing_error", "/error/type"),
            ("gemini_generate", None, "FAILED_PRECONDITION", "/error/status"),
            ("gemini_interactions", Some("error"), "error", "/event_type"),
            ("bedrock_converse", Some("validationException"), "over", "/message"),
            ("bedrock_invoke", Some("validationException"), "over", "/message"),
            ("cohere_chat", Some("message-end"), "ERROR", "/delta/finish_reason"),
            ("ollama_chat", None, "over", "/error"),
            ("ollama_generate", None, "budget_exhausted", "/code"),
        ] {
            let event = rejection.as_last_event(named(api).unwrap(), "id-1");
            let data: Value = serde_json::from_slice(&event.data).unwrap();
            assert_eq!((event.name, data.pointer(at)), (name, Some(&json!(kind))), "{api}, {at}: {data}");
            assert!(!event.data.contains(&b'\n'), "one line: {api}");
            // Google's SDK reads the beginning of its text.
            assert!(api != "gemini_generate" || event.data.starts_with(b"{\"error\":"));
        }
    }

    #[test]
    fn a_model_that_is_not_here_is_what_each_sdk_calls_a_wrong_name() {
        for outcome in [Outcome::ModelNotFound, Outcome::ModelUnpriced] {
            let openai = said(outcome, Dialect::OpenAi);
            assert_eq!(openai["error"]["type"], "invalid_request_error");
            assert_eq!(openai["error"]["code"], outcome.code());
            assert_eq!(said(outcome, Dialect::Anthropic)["error"]["type"], "not_found_error");
            assert_eq!(said(outcome, Dialect::Gemini)["error"]["status"], "NOT_FOUND");
            let kind = ("x-amzn-errortype", "ResourceNotFoundException".to_owned());
            assert_eq!(header(outcome, Dialect::Aws), Some(kind));
        }
    }

    #[test]
    fn aws_names_the_kind_and_the_request_in_headers() {
        let reply = Rejection::plain(Outcome::RateLimited, "no").in_dialect(Dialect::Aws, "id-1");
        assert!(reply.headers.contains(&("x-amzn-errortype", "ThrottlingException".to_owned())));
        assert!(reply.headers.contains(&("x-amzn-requestid", "id-1".to_owned())));
    }
}
