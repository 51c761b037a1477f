//! The answer to a chat request: a function of the request alone, so the same prompt gives the same bytes.
//!
//! No clock, no counter, no chance: an answer that came through a gateway can be compared byte for byte with
//! one that did not. The id is a hash of the prompt, because a gateway may rewrite the rest of the request.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::knobs::{Knobs, WrongUsage};

const CREATED: u64 = 1_700_000_000;
const WANTED_TOKENS: u64 = 16;
const MOST_CHOICES: u64 = 128;

/// Each is one token, and its length in bytes is that of a usual one.
const PLAIN: [&str; 16] = [
    "the", "quiet", "river", "keeps", "its", "own", "ledger", "and", "every", "stone", "under", "it", "is", "a",
    "settled", "account",
];
const SCRIPTS: [&str; 8] = ["café", "漢字", "naïve", "🦀", "Ελλάδα", "👩‍🚀", "мир", "ไทย"];

/// An error in OpenAI's shape.
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

    fn wrong(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(400, message) }
    }

    pub fn to_json(&self) -> Value {
        let kind = match self.status {
            401 | 403 => "authentication_error",
            429 => "rate_limit_error",
            200 | 500.. => "server_error",
            _ => "invalid_request_error",
        };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

/// A chat request, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Without the knobs behind `+`.
    pub model: String,
    pub knobs: Knobs,
    pub stream: bool,
    pub include_usage: bool,
    pub output_bound: Option<u64>,
    choices: u64,
    prompt_tokens: u64,
    seed: u64,
}

impl Chat {
    pub fn read(body: &[u8], headers: &[&str]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::new(400, format!("the body is not JSON: {error}")))?;
        let full = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
        let full = full.ok_or_else(|| Refusal::wrong("model", "you must provide a model parameter"))?;
        let (model, suffix) = full.split_once('+').unwrap_or((full, ""));
        let mut knobs = Knobs::default();
        for text in [suffix].iter().chain(headers) {
            knobs.turn(text).map_err(|message| Refusal::wrong("x-sim", message))?;
        }

        let messages = body.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
        let messages = messages.ok_or_else(|| Refusal::wrong("messages", "messages must be an array, not empty"))?;
        let texts: Vec<&str> = messages.iter().flat_map(texts).collect();
        let bytes: u64 = texts.iter().map(|text| text.len() as u64).sum();

        let stream = switch(&body, "stream")?;
        let options = body.get("stream_options").filter(|options| !options.is_null());
        if options.is_some() && !stream {
            return Err(Refusal::wrong("stream_options", "stream_options is only allowed when stream is enabled"));
        }
        let include_usage = options.map_or(Ok(false), |options| switch(options, "include_usage"))?;
        let bound = number(&body, "max_completion_tokens", u64::MAX)?;
        Ok(Self {
            model: model.to_owned(),
            stream,
            include_usage,
            output_bound: bound.or(number(&body, "max_tokens", u64::MAX)?),
            choices: number(&body, "n", MOST_CHOICES)?.unwrap_or(1),
            prompt_tokens: bytes.div_ceil(4) + 4 * messages.len() as u64,
            seed: texts.iter().fold(FNV_BASIS, |hash, text| fnv(hash, text.as_bytes())),
            knobs,
        })
    }

    pub fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
    }

    pub fn cached_tokens(&self) -> u64 {
        self.knobs.cached.min(self.prompt_tokens)
    }

    /// Tokens of each choice, before any factor.
    fn tokens(&self) -> u64 {
        let wanted = self.knobs.tokens.unwrap_or(WANTED_TOKENS);
        self.output_bound.map_or(wanted, |bound| bound.min(wanted))
    }

    /// What is billed for `sent` tokens.
    pub fn billed(&self, sent: u64) -> u64 {
        sent.saturating_mul(self.knobs.usage_factor.unwrap_or(1))
    }

    pub fn completion_tokens(&self) -> u64 {
        self.billed(self.tokens() * self.choices)
    }

    fn finish_reason(&self) -> &'static str {
        if self.tokens() < self.knobs.tokens.unwrap_or(WANTED_TOKENS) { "length" } else { "stop" }
    }

    /// The token's text; a space stands between two.
    fn text(&self, choice: u64, nth: u64) -> String {
        let words: &[&str] = if self.knobs.split_utf8 { &SCRIPTS } else { &PLAIN };
        let at = (self.seed % 1_000).wrapping_add(choice).wrapping_add(nth) % words.len() as u64;
        let word = words.get(at as usize).copied().unwrap_or_default();
        let space = if nth == 0 { "" } else { " " };
        let padding = if (choice, nth) == (0, 0) { ".".repeat(self.knobs.big as usize) } else { String::new() };
        format!("{space}{word}{padding}")
    }

    fn head(&self, object: &str) -> Map<String, Value> {
        let model = self.knobs.answer_model.as_deref().unwrap_or(&self.model);
        let head = [
            ("id", json!(format!("chatcmpl-{:016x}", self.seed))),
            ("object", json!(object)),
            ("created", json!(CREATED)),
            ("model", json!(model)),
            ("service_tier", json!("default")),
            ("system_fingerprint", json!("fp_simulated")),
        ];
        head.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// `completion` is what has been billed for so far.
    fn usage(&self, completion: u64) -> Value {
        let prompt = self.prompt_tokens;
        let mut usage = json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens(), "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.knobs.reasoning.min(completion),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        });
        if self.knobs.cache_write > 0 {
            usage["prompt_tokens_details"]["cache_write_tokens"] = json!(self.knobs.cache_write);
        }
        let mut counts = |count: Value| {
            for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
                usage[name] = count.clone();
            }
        };
        match self.knobs.wrong_usage {
            None => {}
            Some(WrongUsage::Negative) => counts(json!(-5)),
            Some(WrongUsage::String) => counts(json!("12")),
            Some(WrongUsage::Huge) => counts(json!(u64::MAX)),
            Some(WrongUsage::Float) => counts(json!(12.5)),
            Some(WrongUsage::Null) => counts(Value::Null),
            Some(WrongUsage::MissingTotal) => {
                usage.as_object_mut().map(|usage| usage.remove("total_tokens"));
            }
        }
        usage
    }

    fn failure(&self) -> Value {
        Refusal::new(200, "the simulated provider failed on request, under status 200").to_json()
    }

    /// The JSON answer and the completion tokens it is billed.
    pub fn whole(&self) -> (Vec<u8>, u64) {
        if self.knobs.error_at.is_some() {
            return (self.failure().to_string().into_bytes(), 0);
        }
        let choice = |index: u64| {
            let content: String = (0..self.tokens()).map(|nth| self.text(index, nth)).collect();
            json!({
                "index": index,
                "message": {"role": "assistant", "content": content, "refusal": null},
                "logprobs": null,
                "finish_reason": self.finish_reason(),
            })
        };
        let mut answer = self.head("chat.completion");
        answer.insert("choices".to_owned(), (0..self.choices).map(choice).collect());
        if !self.knobs.no_usage {
            answer.insert("usage".to_owned(), self.usage(self.completion_tokens()));
        }
        (Value::Object(answer).to_string().into_bytes(), self.completion_tokens())
    }

    fn chunk(&self, choices: Value, usage: Option<Value>) -> Vec<u8> {
        let mut chunk = self.head("chat.completion.chunk");
        chunk.insert("choices".to_owned(), choices);
        if let Some(usage) = usage.or(self.include_usage.then_some(Value::Null)) {
            chunk.insert("usage".to_owned(), usage);
        }
        Value::Object(chunk).to_string().into_bytes()
    }

    fn usage_so_far(&self, sent: u64) -> Option<Value> {
        (self.knobs.continuous_usage && !self.knobs.no_usage).then(|| self.usage(self.billed(sent)))
    }

    /// The choices take turns, a token each.
    fn token_event(&self, nth: u64) -> Event {
        let (choice, token) = (nth % self.choices, nth / self.choices);
        let text = self.text(choice, token);
        let delta = match token {
            0 => json!({"role": "assistant", "content": text, "refusal": null}),
            _ => json!({"content": text}),
        };
        let choices = json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": null}]);
        Event { data: self.chunk(choices, self.usage_so_far(nth + 1)), tokens: self.billed(1) }
    }

    fn finish_event(&self, choice: u64) -> Event {
        let last = choice + 1 == self.choices;
        let usage = match self.knobs.usage_in_content && !self.knobs.no_usage && last {
            true => Some(self.usage(self.completion_tokens())),
            false => self.usage_so_far(self.tokens() * self.choices),
        };
        let delta = if self.knobs.usage_in_content { json!({"content": ""}) } else { json!({}) };
        let choices = json!([
            {"index": choice, "delta": delta, "logprobs": null, "finish_reason": self.finish_reason()}
        ]);
        Event { data: self.chunk(choices, usage), tokens: 0 }
    }

    /// The events of the stream, made as they are sent: one for each token, one to finish each choice, usage, `[DONE]`.
    pub fn events(self: Arc<Self>) -> impl Iterator<Item = Event> + Send + use<> {
        let plain = |data: Vec<u8>| Event { data, tokens: 0 };
        let tokens = self.tokens() * self.choices;
        let shown = self.knobs.error_at.map_or(tokens, |at| at.min(tokens));
        let whole = self.knobs.error_at.is_none();
        let error = (!whole).then(|| plain(self.failure().to_string().into_bytes()));
        let reports = whole && self.include_usage && !self.knobs.no_usage && !self.knobs.usage_in_content;
        let usage = reports.then(|| plain(self.chunk(json!([]), Some(self.usage(self.completion_tokens())))));
        let done = (whole && !self.knobs.no_done).then(|| plain(b"[DONE]".to_vec()));
        let finishes = 0..if whole { self.choices } else { 0 };
        let finisher = self.clone();
        (0..shown)
            .map(move |nth| self.token_event(nth))
            .chain(finishes.map(move |choice| finisher.finish_event(choice)))
            .chain(error)
            .chain(usage)
            .chain(done)
    }
}

/// One `data:` line of a stream, and the tokens that are billed when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub data: Vec<u8>,
    pub tokens: u64,
}

/// All texts of a message: a plain content, or its text parts.
fn texts(message: &Value) -> Vec<&str> {
    match message.get("content") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect(),
        _ => Vec::new(),
    }
}

fn switch(body: &Value, name: &'static str) -> Result<bool, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(Refusal::wrong(name, format!("{name} must be true or false"))),
    }
}

fn number(body: &Value, name: &'static str, most: u64) -> Result<Option<u64>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| (1..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::wrong(name, format!("{name} must be a whole number from 1 to {most}"))),
        },
    }
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(extra: &str, knobs: &str) -> Arc<Chat> {
        let body = format!(r#"{{"model":"tiny","messages":[{{"role":"user","content":"hello"}}]{extra}}}"#);
        Arc::new(Chat::read(body.as_bytes(), &[knobs]).expect("a request"))
    }

    fn json_of(data: &[u8]) -> Value {
        serde_json::from_slice(data).expect("JSON")
    }

    #[test]
    fn prompts_are_counted_by_bytes_and_messages() {
        let read = |content: &str| {
            let body = format!(r#"{{"model":"tiny","messages":[{{"content":{content}}},{{"content":null}}]}}"#);
            Chat::read(body.as_bytes(), &[]).expect("a request").prompt_tokens()
        };
        assert_eq!(read(r#""""#), 8);
        assert_eq!(read(r#""hello""#), 10);
        assert_eq!(read(r#""漢字""#), 10, "six bytes of UTF-8");
        assert_eq!(read(r#"[{"type":"text","text":"abcd"},{"type":"image_url"},{"type":"text","text":"e"}]"#), 10);
    }

    #[test]
    fn the_smaller_of_bound_and_wish_is_sent() {
        let told = |extra, knobs| {
            let (data, billed) = chat(extra, knobs).whole();
            let answer = json_of(&data);
            assert_eq!(answer["usage"]["completion_tokens"], billed);
            assert_eq!(answer["usage"]["total_tokens"], 6 + billed);
            let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
            let words = content.split_whitespace().count();
            (billed, words, answer["choices"][0]["finish_reason"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(told("", ""), (16, 16, "stop".into()));
        assert_eq!(told(r#","max_tokens":5"#, ""), (5, 5, "length".into()));
        assert_eq!(told(r#","max_tokens":5,"max_completion_tokens":3"#, ""), (3, 3, "length".into()));
        assert_eq!(told(r#","max_tokens":50"#, "tokens=9"), (9, 9, "stop".into()));
        assert_eq!(told(r#","n":3"#, "tokens=2"), (6, 2, "stop".into()));
        assert_eq!(told("", "tokens=2; usage_factor=10"), (20, 2, "stop".into()));
        assert_eq!(told("", "tokens=0"), (0, 0, "stop".into()));
    }

    #[test]
    fn a_stream_says_what_the_whole_answer_says() {
        let extra = r#","n":2,"stream":true,"stream_options":{"include_usage":true}"#;
        let chat = chat(extra, "tokens=3");
        let events: Vec<Event> = chat.clone().events().collect();
        assert_eq!(events.len(), 6 + 2 + 1 + 1);
        assert_eq!(events.iter().map(|event| event.tokens).sum::<u64>(), chat.completion_tokens());
        let (done, events) = events.split_last().expect("events");
        assert_eq!(done.data, b"[DONE]");
        let chunks: Vec<Value> = events.iter().map(|event| json_of(&event.data)).collect();
        let (usage, chunks) = chunks.split_last().expect("chunks");
        assert_eq!(usage["choices"], json!([]));
        assert!(chunks.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));

        let whole = json_of(&chat.whole().0);
        assert_eq!(usage["usage"], whole["usage"]);
        for index in 0..2 {
            let deltas = chunks.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == index);
            let content: String = deltas.filter_map(|choice| choice["delta"]["content"].as_str()).collect();
            assert_eq!(whole["choices"][index]["message"]["content"], content);
        }
    }

    #[test]
    fn usage_is_told_only_as_asked() {
        let usages = |extra: &str, knobs: &str| -> Vec<Option<u64>> {
            let chat = chat(&format!(r#","stream":true{extra}"#), &format!("tokens=2;no_done;{knobs}"));
            let told = |event: Event| json_of(&event.data).get("usage").map(|usage| usage["completion_tokens"].clone());
            chat.events().map(|event| told(event).map(|count| count.as_u64().unwrap_or(0))).collect()
        };
        let asked = r#","stream_options":{"include_usage":true}"#;
        assert_eq!(usages("", ""), [None, None, None]);
        assert_eq!(usages(asked, ""), [Some(0), Some(0), Some(0), Some(2)]);
        assert_eq!(usages(asked, "no_usage"), [Some(0), Some(0), Some(0)]);
        assert_eq!(usages("", "usage_in_content"), [None, None, Some(2)]);
        assert_eq!(usages("", "continuous_usage"), [Some(1), Some(2), Some(2)]);
        assert_eq!(usages("", "error_at=1"), [None, None], "one token, then the error");
    }

    #[test]
    fn the_header_wins_over_the_model_and_the_name_is_cleaned() {
        let body = br#"{"model":"gpt-4o-mini+tokens=5,cut=1","messages":[{"content":"x"}]}"#;
        let chat = Chat::read(body, &["tokens=7"]).expect("a request");
        assert_eq!((chat.model.as_str(), chat.knobs.tokens, chat.knobs.cut), ("gpt-4o-mini", Some(7), Some(1)));
    }

    #[test]
    fn what_is_no_chat_request_is_refused() {
        let refused = |body: &str| Chat::read(body.as_bytes(), &[]).expect_err(body);
        assert_eq!(refused("{").status, 400);
        assert_eq!(refused(r#"{"messages":[]}"#).param, Some("model"));
        assert_eq!(refused(r#"{"model":"m","messages":[]}"#).param, Some("messages"));
        let with = |extra: &str| refused(&format!(r#"{{"model":"m","messages":[{{"content":"x"}}],{extra}}}"#)).param;
        assert_eq!(with(r#""max_tokens":0"#), Some("max_tokens"));
        assert_eq!(with(r#""n":129"#), Some("n"));
        assert_eq!(with(r#""stream":"yes""#), Some("stream"));
        assert_eq!(with(r#""stream_options":{}"#), Some("stream_options"));
    }
}
