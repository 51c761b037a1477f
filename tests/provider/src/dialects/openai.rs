//! OpenAI's chat completions and the legacy completions before them: one shape of stream, two shapes of choice.

use serde_json::{Map, Value, json};

use crate::answer::{Answer, CREATED};
use crate::api::{Caching, Dialect, Reasoning};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, switch, texts, texts_of};

const MOST_CHOICES: u64 = 128;

pub enum Family {
    Chat,
    Text,
}

impl Family {
    fn head(&self, answer: &Answer, streamed: bool) -> Map<String, Value> {
        let (id, object) = match (self, streamed) {
            (Family::Chat, false) => ("chatcmpl-", "chat.completion"),
            (Family::Chat, true) => ("chatcmpl-", "chat.completion.chunk"),
            (Family::Text, _) => ("cmpl-", "text_completion"),
        };
        let head = [
            ("id", json!(answer.id(id))),
            ("object", json!(object)),
            ("created", json!(CREATED)),
            ("model", json!(answer.model_reported())),
            ("system_fingerprint", json!("fp_simulated")),
        ];
        let tier = match self {
            Family::Chat => Some(("service_tier", json!(answer.tier()))),
            Family::Text => None,
        };
        head.into_iter().chain(tier).map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// `completion` is what has been billed for so far.
    fn usage(&self, answer: &Answer, completion: u64) -> Option<Value> {
        let prompt = answer.prompt_tokens;
        let mut usage = json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
        });
        if let Family::Chat = self {
            usage["prompt_tokens_details"] = json!({"cached_tokens": answer.cached(), "audio_tokens": 0});
            usage["completion_tokens_details"] = json!({
                "reasoning_tokens": answer.reasoning().min(completion),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            });
            if answer.cache_write() > 0 {
                usage["prompt_tokens_details"]["cache_write_tokens"] = json!(answer.cache_write());
            }
        }
        answer.reported(usage)
    }

    fn usage_so_far(&self, answer: &Answer, turns: u64) -> Option<Value> {
        let told = answer.knobs.continuous_usage;
        told.then(|| self.usage(answer, answer.billed(turns))).flatten()
    }

    /// One choice in a stream. Without text it is the end of the choice.
    fn choice(&self, index: u64, turn: u64, text: Option<&str>, finish: Option<&str>) -> Value {
        let text_of = |text: Option<&str>| text.unwrap_or_default().to_owned();
        match self {
            Family::Text => {
                json!({"index": index, "text": text_of(text), "logprobs": null, "finish_reason": finish})
            }
            Family::Chat => {
                let delta = match (turn, text) {
                    (_, None) => json!({}),
                    (0, Some(text)) => json!({"role": "assistant", "content": text, "refusal": null}),
                    (_, Some(text)) => json!({"content": text}),
                };
                json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish})
            }
        }
    }

    fn chunk(&self, answer: &Answer, choices: Value, usage: Option<Value>) -> Event {
        let mut chunk = self.head(answer, true);
        chunk.insert("choices".to_owned(), choices);
        if let Some(usage) = usage.or(answer.include_usage.then_some(Value::Null)) {
            chunk.insert("usage".to_owned(), usage);
        }
        Event::of(&Value::Object(chunk))
    }

    fn finish(&self, answer: &Answer, index: u64) -> Event {
        let last = index + 1 == answer.choices;
        let in_content = answer.knobs.usage_in_content;
        let usage = match in_content && !answer.knobs.no_usage && last {
            true => self.usage(answer, answer.completion_tokens()),
            false => self.usage_so_far(answer, answer.turns() * answer.choices),
        };
        // Behind its first turn, so that the role is not told twice.
        let choice = self.choice(index, 1, in_content.then_some(""), Some(reason(answer)));
        self.chunk(answer, json!([choice]), usage)
    }
}

fn reason(answer: &Answer) -> &'static str {
    if answer.reached_its_bound() { "length" } else { "stop" }
}

impl Dialect for Family {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let model = asked.model()?;
        // OpenAI refuses what it doesn't know; these are what a gateway might forget to take out.
        if let Some(unknown) = ["role", "sensitivity"].into_iter().find(|name| asked.body.get(name).is_some()) {
            return Err(Refusal::wrong(unknown, format!("Unrecognized request argument supplied: {unknown}")));
        }
        let mut wording = match self {
            Family::Chat => {
                let messages = asked.list("messages")?;
                Wording { texts: texts_of(messages, "content"), messages: messages.len() as u64, ..Wording::default() }
            }
            Family::Text => {
                let texts = texts(asked.part(&["prompt"]));
                let refusal = || Refusal::wrong("prompt", "prompt must be a text, or a list of them");
                Some(Wording { texts, ..Wording::default() }).filter(|it| !it.texts.is_empty()).ok_or_else(refusal)?
            }
        };
        let stream = asked.switch("stream")?;
        let options = asked.part(&["stream_options"]);
        if !options.is_null() && !stream {
            return Err(Refusal::wrong("stream_options", "stream_options is only allowed when stream is enabled"));
        }
        wording.include_usage = switch(options, "include_usage")?.unwrap_or_default();
        let newer = match self {
            Family::Chat => asked.number("max_completion_tokens", u64::MAX)?,
            Family::Text => None,
        };
        wording.output_bound = newer.or(asked.number("max_tokens", u64::MAX)?);
        // Each of several prompts is completed.
        let prompts = if let Family::Text = self { wording.texts.len() as u64 } else { 1 };
        let shown = asked.number("n", MOST_CHOICES)?.unwrap_or(1);
        wording.choices = prompts * shown;
        if let Family::Text = self {
            let best_of = asked.number("best_of", MOST_CHOICES)?.unwrap_or(shown);
            if stream && best_of > shown {
                return Err(Refusal::wrong("best_of", "results cannot be streamed where best_of is larger than n"));
            }
            wording.unshown = prompts * best_of.saturating_sub(shown);
        }
        Ok(Wording { model, stream, ..wording })
    }

    fn caching(&self) -> Caching {
        if let Family::Chat = self { Caching::Writes } else { Caching::Untold }
    }

    fn reasoning(&self) -> Reasoning {
        if let Family::Chat = self { Reasoning::Within } else { Reasoning::Untold }
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        let (index, turn) = (nth % answer.choices, nth / answer.choices);
        let choice = self.choice(index, turn, Some(&answer.text(index, turn)), None);
        self.chunk(answer, json!([choice]), self.usage_so_far(answer, nth + 1)).billing(answer.billed(1))
    }

    /// One to finish each choice, usage, `[DONE]`.
    fn last(&self, answer: &Answer) -> Vec<Event> {
        let mut events: Vec<Event> = (0..answer.choices).map(|index| self.finish(answer, index)).collect();
        if answer.include_usage && !answer.knobs.usage_in_content && !answer.knobs.no_usage {
            events.push(self.chunk(answer, json!([]), self.usage(answer, answer.completion_tokens())));
        }
        if !answer.knobs.no_done {
            events.push(Event::plain("[DONE]"));
        }
        events
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let choice = |index: u64| {
            let text = answer.whole_text(index);
            match self {
                Family::Chat => json!({
                    "index": index,
                    "message": {"role": "assistant", "content": text, "refusal": null},
                    "logprobs": null,
                    "finish_reason": reason(answer),
                }),
                Family::Text => self.choice(index, 0, Some(&text), Some(reason(answer))),
            }
        };
        let mut whole = self.head(answer, false);
        whole.insert("choices".to_owned(), (0..answer.choices).map(choice).collect());
        if let Some(usage) = self.usage(answer, answer.completion_tokens()) {
            whole.insert("usage".to_owned(), usage);
        }
        Value::Object(whole).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn read(body: &str, knobs: &[&str]) -> Result<Answer, Refusal> {
        Answer::to(Api::Chat, &Asked::read("/v1/chat/completions", "", body.as_bytes())?, knobs)
    }

    fn chat(extra: &str, knobs: &str) -> Arc<Answer> {
        let body = format!(r#"{{"model":"tiny","messages":[{{"role":"user","content":"hello"}}]{extra}}}"#);
        Arc::new(read(&body, &[knobs]).expect("a request"))
    }

    fn json_of(data: &[u8]) -> Value {
        serde_json::from_slice(data).expect("JSON")
    }

    #[test]
    fn prompts_are_counted_by_bytes_and_messages() {
        let read = |content: &str| {
            let body = format!(r#"{{"model":"tiny","messages":[{{"content":{content}}},{{"content":null}}]}}"#);
            read(&body, &[]).expect("a request").prompt_tokens
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
        assert_eq!(done.data.before, b"[DONE]");
        let chunks: Vec<Value> = events.iter().map(|event| json_of(&event.data.before)).collect();
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
    fn usage_comes_only_as_asked() {
        let usages = |extra: &str, knobs: &str| -> Vec<Option<u64>> {
            let chat = chat(&format!(r#","stream":true{extra}"#), &format!("tokens=2;no_done;{knobs}"));
            let told =
                |event: Event| json_of(&event.data.before).get("usage").map(|usage| usage["completion_tokens"].clone());
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
        let body = r#"{"model":"gpt-4o-mini+tokens=5,cut=1","messages":[{"content":"x"}]}"#;
        let chat = read(body, &["tokens=7"]).expect("a request");
        assert_eq!((chat.model.as_str(), chat.knobs.tokens, chat.knobs.cut), ("gpt-4o-mini", Some(7), Some(1)));
    }

    #[test]
    fn what_is_no_chat_request_is_refused() {
        let refused = |body: &str| read(body, &[]).expect_err(body);
        assert_eq!(refused("{").status, 400);
        assert_eq!(refused(r#"{"messages":[]}"#).param, Some("model"));
        assert_eq!(refused(r#"{"model":"m","messages":[]}"#).param, Some("messages"));
        let with = |extra: &str| refused(&format!(r#"{{"model":"m","messages":[{{"content":"x"}}],{extra}}}"#)).param;
        assert_eq!(with(r#""max_tokens":0"#), Some("max_tokens"));
        assert_eq!(with(r#""n":129"#), Some("n"));
        assert_eq!(with(r#""stream":"yes""#), Some("stream"));
        assert_eq!(with(r#""stream_options":{}"#), Some("stream_options"));
    }

    #[test]
    fn legacy_completions_finish_every_prompt() {
        let body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": ["hello", "worlds"], "n": 2, "max_tokens": 3});
        let asked = Asked::read("/v1/completions", "", body.to_string().as_bytes()).expect("a request");
        let answer = Answer::to(Api::Completions, &asked, &["cached=1; reasoning=1"]).expect("a request");
        assert_eq!((answer.prompt_tokens, answer.choices, answer.cached(), answer.reasoning()), (3, 4, 0, 0));
        let (whole, billed) = answer.whole();
        let whole = json_of(&whole);
        assert_eq!(billed, 12);
        assert_eq!(whole["object"], "text_completion");
        assert_eq!(whole["usage"], json!({"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15}));
        assert_eq!(whole["choices"][3]["finish_reason"], "length");
        let events: Vec<Event> = Arc::new(answer).events().collect();
        assert_eq!(events.len(), 12 + 4 + 1);
        let texts = events[..12].iter().map(|event| json_of(&event.data.before)["choices"][0].clone());
        let first: String =
            texts.filter(|it| it["index"] == 0).filter_map(|it| it["text"].as_str().map(str::to_owned)).collect();
        assert_eq!(whole["choices"][0]["text"], first);
    }
}
