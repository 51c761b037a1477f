//! What this provider keeps and fetches: input that a request only points at, and that is billed all the same.
//!
//! A response is as long as it was when it was made here. Of everything else its name says it: each text of a request that has
//! `tokens-<N>` in it, be it an id, an address or a tool's server, stands for so many tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

const MARK: &str = "tokens-";

/// Responses by their ids, and what each of them came to with its input.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<HashMap<String, u64>>>);

impl Shelf {
    pub fn keep(&self, id: String, tokens: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tokens);
    }

    /// What this request has beside what it says.
    pub fn hidden_in(&self, request: &Value) -> u64 {
        let previous = request.get("previous_response_id").and_then(Value::as_str);
        let kept = previous.and_then(|id| self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied());
        named(request).saturating_add(kept.unwrap_or(0))
    }
}

fn named(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.split(MARK).skip(1).map(number).fold(0, u64::saturating_add),
        Value::Array(elements) => elements.iter().map(named).fold(0, u64::saturating_add),
        Value::Object(members) => members.values().map(named).fold(0, u64::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn number(text: &str) -> u64 {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_request_points_at_has_the_tokens_that_its_name_says() {
        let shelf = Shelf::default();
        shelf.keep("resp_1".to_owned(), 120_000);
        for (request, tokens) in [
            (json!({"input": "tokens of a text"}), 0),
            (json!({"previous_response_id": "resp_1"}), 120_000),
            (json!({"previous_response_id": "resp_2"}), 0),
            (json!({"messages": [{"content": [{"source": {"file_id": "file-tokens-150000"}}]}]}), 150_000),
            (
                json!({"contents": [{"parts": [{"fileData": {"fileUri": "gs://x/tokens-7.mp4"}}]}], "cachedContent": "c/tokens-3"}),
                10,
            ),
        ] {
            assert_eq!(shelf.hidden_in(&request), tokens, "{request}");
        }
    }
}
