//! An answer with an error status, worded as each API words it.

use serde_json::{Value, json};

use crate::api::Api;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    pub code: Option<&'static str>,
    pub param: Option<&'static str>,
    pub retry_after: Option<u64>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let code = match status {
            401 => Some("invalid_api_key"),
            404 => Some("not_found"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        };
        Self { status, message: message.into(), code, param: None, retry_after: None }
    }

    pub fn wrong(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(400, message) }
    }

    /// What goes wrong in the middle of a 200.
    pub fn too_late() -> Self {
        Self::new(200, "the simulated provider failed on request, under status 200")
    }

    /// The error's body. OpenAI's words are also those for a path that is nobody's.
    pub fn to_json(&self, api: Option<Api>) -> Value {
        let message = &self.message;
        match api {
            Some(Api::Messages) => {
                json!({"type": "error", "error": {"type": self.kind_at_anthropic(), "message": message}})
            }
            Some(Api::Gemini) => {
                let code = if self.status == 200 { 500 } else { self.status };
                json!({"error": {"code": code, "message": message, "status": self.status_at_google()}})
            }
            Some(Api::Converse | Api::Rerank) => json!({"message": message}),
            Some(Api::OllamaChat | Api::OllamaGenerate) => json!({"error": message}),
            _ => {
                let kind = self.kind_at_openai();
                json!({"error": {"message": message, "type": kind, "param": self.param, "code": self.code}})
            }
        }
    }

    fn kind_at_openai(&self) -> &'static str {
        match self.status {
            401 | 403 => "authentication_error",
            429 => "rate_limit_error",
            200 | 500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn kind_at_anthropic(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            200 | 529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }

    fn status_at_google(&self) -> &'static str {
        match self.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            200 | 500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        }
    }

    /// AWS names the error in a header, and in the middle of a stream in its own kind of frame.
    pub fn exception_at_aws(&self) -> &'static str {
        match self.status {
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            200 | 500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_words_its_errors_itself() {
        let full = Refusal::new(429, "slow down");
        let said = |api| full.to_json(api);
        assert_eq!(said(None)["error"]["code"], "rate_limit_exceeded");
        assert_eq!(said(Some(Api::Chat))["error"]["type"], "rate_limit_error");
        assert_eq!(said(Some(Api::Messages))["type"], "error");
        assert_eq!(said(Some(Api::Messages))["error"]["type"], "rate_limit_error");
        assert_eq!(said(Some(Api::Gemini))["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(said(Some(Api::Gemini))["error"]["code"], 429);
        assert_eq!(said(Some(Api::Converse))["message"], "slow down");
        assert_eq!(full.exception_at_aws(), "ThrottlingException");
        assert_eq!(said(Some(Api::OllamaChat))["error"], "slow down");
    }
}
