//! Anthropic's messages. Its input count leaves the cache out, and its output count is told twice, the later one final.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Caching, Dialect};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, number, texts, texts_of};
use crate::sold::Sold;

pub struct Messages;

/// A message says one token is out as it begins, so that one is billed then.
fn tokens_at_the_start(answer: &Answer) -> u64 {
    answer.visible_tokens().min(1)
}

fn counts(answer: &Answer, output: u64) -> Value {
    json!({
        "input_tokens": answer.plain_prompt(),
        "cache_creation_input_tokens": answer.cache_write(),
        "cache_read_input_tokens": answer.cached(),
        "output_tokens": output,
    })
}

/// The counts of a message tell the two kinds of cache writes apart; those behind a stream do not.
fn split(answer: &Answer, mut counts: Value) -> Value {
    let (five_minutes, hour) = (answer.cache_write_5m(), answer.cache_write_1h());
    counts["cache_creation"] = json!({"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour});
    counts["service_tier"] = json!("standard");
    counts
}

fn searched(answer: &Answer, mut counts: Value) -> Value {
    if answer.web_searches() > 0 {
        counts["server_tool_use"] = json!({"web_search_requests": answer.web_searches()});
    }
    if let Some((input, output)) = answer.compacted() {
        let round = |kind: &str, input: u64, output: u64| {
            json!({
                "type": kind, "input_tokens": input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "output_tokens": output,
            })
        };
        let message = round("message", answer.plain_prompt(), answer.completion_tokens());
        counts["iterations"] = json!([round("compaction", input, output), message]);
    }
    counts
}

/// What each search found, as a block of the answer.
fn searches(answer: &Answer) -> Vec<(Value, Sold)> {
    let found =
        json!({"type": "web_search_result", "url": "https://x/", "title": "Rivers", "encrypted_content": "QUJD"});
    let block = |(call, sold): (Value, Sold)| {
        let block = json!({"type": "web_search_tool_result", "tool_use_id": call["id"], "content": [found, found]});
        (block, sold)
    };
    answer.calls().into_iter().map(block).collect()
}

fn message(answer: &Answer, content: Value, stop: Option<&str>, usage: Option<Value>) -> Value {
    let mut message = json!({
        "id": answer.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.model_reported(),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
    });
    if let Some(usage) = usage {
        message["usage"] = usage;
    }
    message
}

fn stop(answer: &Answer) -> &'static str {
    if answer.reached_its_bound() { "max_tokens" } else { "end_turn" }
}

impl Dialect for Messages {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let messages = asked.list("messages")?;
        let system = texts(asked.part(&["system"]));
        let bound = number(&asked.body, "max_tokens", u64::MAX)?;
        // To count a prompt, none is needed.
        if bound.is_none() && asked.path.ends_with("/messages") {
            return Err(Refusal::wrong("max_tokens", "max_tokens: Field required"));
        }
        Ok(Wording {
            model: asked.model()?,
            stream: asked.switch("stream")?,
            output_bound: bound,
            messages: messages.len() as u64 + u64::from(!system.is_empty()),
            texts: [system, texts_of(messages, "content")].concat(),
            ..Wording::default()
        })
    }

    fn caching(&self) -> Caching {
        Caching::HourWrites
    }

    fn first(&self, answer: &Answer) -> Vec<Event> {
        let tokens = tokens_at_the_start(answer);
        let begun = message(answer, json!([]), None, answer.reported(split(answer, counts(answer, tokens))));
        let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
        let searching = searches(answer).into_iter().map(|(block, sold)| {
            Event::typed("content_block_start", &json!({"index": 0, "content_block": block})).selling(sold)
        });
        let begun = Event::typed("message_start", &json!({"message": begun})).billing(tokens);
        let text = [Event::typed("content_block_start", &block), Event::typed("ping", &json!({}))];
        std::iter::once(begun).chain(searching).chain(text).collect()
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        let delta = json!({"index": 0, "delta": {"type": "text_delta", "text": answer.text(0, nth)}});
        let before = if nth == 0 { tokens_at_the_start(answer) } else { 0 };
        Event::typed("content_block_delta", &delta).billing(answer.billed(1) - before)
    }

    fn last(&self, answer: &Answer) -> Vec<Event> {
        let mut delta = json!({"delta": {"stop_reason": stop(answer), "stop_sequence": null}});
        let counts = counts(answer, answer.completion_tokens());
        if let Some(usage) = answer.reported(searched(answer, counts)) {
            delta["usage"] = usage;
        }
        let mut events =
            vec![Event::typed("content_block_stop", &json!({"index": 0})), Event::typed("message_delta", &delta)];
        if !answer.knobs.no_done {
            events.push(Event::typed("message_stop", &json!({})));
        }
        events
    }

    fn failure(&self, answer: &Answer) -> Event {
        Event::of(&Refusal::too_late().to_json(Some(answer.api))).named("error")
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let searches = searches(answer).into_iter().map(|(block, _)| block);
        let content = searches.chain([json!({"type": "text", "text": answer.whole_text(0)})]).collect();
        let counts = searched(answer, split(answer, counts(answer, answer.completion_tokens())));
        message(answer, content, Some(stop(answer)), answer.reported(counts)).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn answer(knobs: &str) -> Arc<Answer> {
        let body = json!({
            "model": "claude-sonnet-4", "max_tokens": 5, "stream": true, "system": [{"type": "text", "text": "be kind"}],
            "messages": [{"role": "user", "content": "hello"}],
        });
        let asked = Asked::read("/v1/messages", "", body.to_string().as_bytes()).expect("JSON");
        Arc::new(Answer::to(Api::Messages, &asked, &[knobs]).expect("a request"))
    }

    fn json_of(event: &Event) -> Value {
        serde_json::from_slice(&event.data.before).expect("JSON")
    }

    #[test]
    fn the_input_leaves_the_cache_out() {
        let answer = answer("prompt=100; cached=40; cache_write=20; cache_write_1h=10; web_searches=2");
        let whole: Value = serde_json::from_slice(&answer.whole().0).expect("JSON");
        let usage = &whole["usage"];
        assert_eq!(usage["input_tokens"], 30);
        assert_eq!(usage["cache_read_input_tokens"], 40);
        assert_eq!(usage["cache_creation_input_tokens"], 30);
        assert_eq!(usage["cache_creation"]["ephemeral_5m_input_tokens"], 20);
        assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 10);
        assert_eq!(usage["output_tokens"], 5);
        assert_eq!(usage["server_tool_use"]["web_search_requests"], 2);
        assert_eq!(whole["stop_reason"], "max_tokens");
    }

    #[test]
    fn a_stream_counts_twice_and_bills_once() {
        let events: Vec<Event> = answer("tokens=3").events().collect();
        let names: Vec<&str> = events.iter().filter_map(|event| event.name).collect();
        assert_eq!(names[..4], ["message_start", "content_block_start", "ping", "content_block_delta"]);
        assert_eq!(names[6..], ["content_block_stop", "message_delta", "message_stop"]);
        assert_eq!(events.iter().map(|event| event.tokens).collect::<Vec<_>>(), [1, 0, 0, 0, 1, 1, 0, 0, 0]);
        assert_eq!(json_of(&events[0])["message"]["usage"]["output_tokens"], 1);
        assert_eq!(json_of(&events[0])["message"]["usage"]["input_tokens"], 4 + 3 + 4, "two messages, twelve bytes");
        assert_eq!(json_of(&events[7])["usage"]["output_tokens"], 3);
        let none: Vec<Event> = answer("tokens=0; no_done; no_usage").events().collect();
        assert_eq!(none.len(), 5);
        assert!(
            none.iter().all(|event| event.tokens == 0 && !event.data.before.windows(7).any(|it| it == b"\"usage\""))
        );
    }

    #[test]
    fn a_message_without_a_bound_is_refused() {
        let body = br#"{"model":"claude-sonnet-4","messages":[{"role":"user","content":"hello"}]}"#;
        let read = |path: &str| Answer::to(Api::Messages, &Asked::read(path, "", body).expect("JSON"), &[]);
        assert_eq!(read("/v1/messages").expect_err("no bound").param, Some("max_tokens"));
        assert_eq!(read("/v1/messages/count_tokens").expect("a count").prompt_tokens, 6);
    }

    #[test]
    fn a_failure_is_an_event_of_its_own() {
        let events: Vec<Event> = answer("error_at=3").events().collect();
        assert_eq!(events.len(), 4);
        assert_eq!(events[3].name, Some("error"));
        assert_eq!(json_of(&events[3])["error"]["type"], "overloaded_error");
    }
}
