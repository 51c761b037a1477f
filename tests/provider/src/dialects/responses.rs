//! OpenAI's Responses. Its last event echoes the whole answer, and with a knob far more than fits in memory.

use serde_json::{Value, json};

use crate::answer::{Answer, CREATED};
use crate::api::{Caching, Dialect, Reasoning};
use crate::event::{Data, Event};
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, texts, texts_of};
use crate::words;

/// created, in_progress, output_item.added, content_part.added
const FIRST_EVENTS: u64 = 4;

pub struct Responses;

/// How far a response has come, as it says itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

impl Status {
    fn at_the_end(answer: &Answer) -> Self {
        if answer.reached_its_bound() { Status::Incomplete } else { Status::Completed }
    }

    fn name(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete => "incomplete",
            Status::Failed => "failed",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Status::InProgress => "response.in_progress",
            Status::Completed => "response.completed",
            Status::Incomplete => "response.incomplete",
            Status::Failed => "response.failed",
        }
    }
}

fn usage(answer: &Answer) -> Option<Value> {
    let (prompt, completion) = (answer.prompt_tokens, answer.completion_tokens());
    answer.reported(json!({
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": answer.cached()},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning()},
        "total_tokens": prompt.saturating_add(completion),
    }))
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

fn item(answer: &Answer, status: Status, content: Value) -> Value {
    let id = answer.id("msg_");
    json!({"id": id, "type": "message", "role": "assistant", "status": status.name(), "content": content})
}

/// What its hosted tools did, and its text.
fn output(answer: &Answer, status: Status, text: &str) -> Value {
    let calls = answer.calls().into_iter().map(|(call, _)| call);
    calls.chain([item(answer, status, json!([part(text)]))]).collect()
}

/// The response object. Its keys are in order, so `usage` stands behind whatever text there is.
fn response(answer: &Answer, status: Status, text: &str) -> Value {
    let failed = status == Status::Failed;
    let shows = !failed && status != Status::InProgress;
    let error = json!({"code": "server_error", "message": Refusal::too_late().message});
    let mut response = json!({
        "id": answer.id("resp_"),
        "object": "response",
        "created_at": CREATED,
        "status": status.name(),
        "background": answer.is_made_anyway(),
        "error": if failed { error } else { Value::Null },
        "incomplete_details": (status == Status::Incomplete).then(|| json!({"reason": "max_output_tokens"})),
        "instructions": null,
        "max_output_tokens": answer.output_bound,
        "metadata": {},
        "model": answer.model_reported(),
        "output": if shows { output(answer, status, text) } else { json!([]) },
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": answer.tier(),
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
    });
    match usage(answer).filter(|_| shows) {
        Some(usage) => response["usage"] = usage,
        None if shows => {
            response.as_object_mut().map(|response| response.remove("usage"));
        }
        None => {}
    }
    response
}

/// A response that was stored and is fetched again, under this id.
pub fn stored(answer: &Answer, id: &str) -> Value {
    let mut response = response(answer, Status::Completed, &answer.whole_text(0));
    response["id"] = json!(id);
    response
}

impl Dialect for Responses {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let input = asked.part(&["input"]);
        let instructions = texts(asked.part(&["instructions"]));
        let (input, messages) = match input {
            Value::String(_) => (texts(input), 1),
            Value::Array(items) => (texts_of(items, "content"), items.len() as u64),
            _ => return Err(Refusal::wrong("input", "input must be a text or a list of items")),
        };
        Ok(Wording {
            model: asked.model()?,
            stream: asked.switch("stream")?,
            output_bound: asked.number("max_output_tokens", u64::MAX)?,
            messages: messages + instructions.len() as u64,
            texts: [instructions, input].concat(),
            ..Wording::default()
        })
    }

    fn caching(&self) -> Caching {
        Caching::Reads
    }

    fn reasoning(&self) -> Reasoning {
        Reasoning::Within
    }

    fn first(&self, answer: &Answer) -> Vec<Event> {
        let begun = response(answer, Status::InProgress, "");
        let item_id = answer.id("msg_");
        let item = item(answer, Status::InProgress, json!([]));
        let searching = answer.calls().into_iter().enumerate().map(|(nth, (call, sold))| {
            Event::typed("response.output_item.done", &json!({"output_index": nth, "item": call})).selling(sold)
        });
        let searching: Vec<Event> = searching.collect();
        let message = [
            Event::typed("response.created", &json!({"response": begun, "sequence_number": 0})),
            Event::typed("response.in_progress", &json!({"response": begun, "sequence_number": 1})),
            Event::typed("response.output_item.added", &json!({"output_index": 0, "item": item, "sequence_number": 2})),
            Event::typed(
                "response.content_part.added",
                &json!({
                    "item_id": item_id, "output_index": 0, "content_index": 0, "part": part(""), "sequence_number": 3,
                }),
            ),
        ];
        // The calls come before the message, and behind the response's own beginning.
        [&message[..2], &searching, &message[2..]].concat()
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        let delta = json!({
            "item_id": answer.id("msg_"),
            "output_index": 0,
            "content_index": 0,
            "delta": answer.text(0, nth),
            "logprobs": [],
            "sequence_number": FIRST_EVENTS + nth,
        });
        Event::typed("response.output_text.delta", &delta).billing(answer.billing(answer.billed(1)))
    }

    /// Text by the megabyte is not echoed, except in the last event, by a knob of its own.
    fn last(&self, answer: &Answer) -> Vec<Event> {
        let text = if answer.echoes() { answer.whole_text(0) } else { String::new() };
        let status = Status::at_the_end(answer);
        let (item_id, nth) = (answer.id("msg_"), FIRST_EVENTS + answer.turns());
        let text_done = json!({
            "item_id": item_id, "output_index": 0, "content_index": 0, "text": text, "logprobs": [],
            "sequence_number": nth,
        });
        let part_done = json!({
            "item_id": item_id, "output_index": 0, "content_index": 0, "part": part(&text), "sequence_number": nth + 1,
        });
        let item_done = json!({
            "output_index": 0, "item": item(answer, status, json!([part(&text)])), "sequence_number": nth + 2,
        });
        let echoed = match answer.knobs.big_completed {
            0 => text,
            _ => text + words::GAP,
        };
        let end = json!({"response": response(answer, status, &echoed), "sequence_number": nth + 3});
        let mut end = Event::typed(status.event(), &end);
        if answer.knobs.big_completed > 0 {
            let json = String::from_utf8_lossy(&end.data.before).into_owned();
            end.data = Data::with_prose(&json, answer.knobs.big_completed);
        }
        vec![
            Event::typed("response.output_text.done", &text_done),
            Event::typed("response.content_part.done", &part_done),
            Event::typed("response.output_item.done", &item_done),
            end,
        ]
    }

    fn failure(&self, answer: &Answer) -> Event {
        let all = FIRST_EVENTS + answer.turns();
        let nth = answer.knobs.error_at.unwrap_or(all).min(all);
        let failed = response(answer, Status::Failed, "");
        Event::typed(Status::Failed.event(), &json!({"response": failed, "sequence_number": nth}))
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        // Work in the background has only begun.
        let status = if answer.is_made_anyway() { Status::InProgress } else { Status::at_the_end(answer) };
        response(answer, status, &answer.whole_text(0)).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn answer(extra: &str, knobs: &str) -> Arc<Answer> {
        let body = format!(r#"{{"model":"gpt-5-mini","input":"hello","instructions":"be brief"{extra}}}"#);
        let asked = Asked::read("/v1/responses", "", body.as_bytes()).expect("JSON");
        Arc::new(Answer::to(Api::Responses, &asked, &[knobs]).expect("a request"))
    }

    fn json_of(data: &Data) -> Value {
        serde_json::from_slice(&data.clone().whole()).expect("JSON")
    }

    #[test]
    fn a_stream_tells_its_usage_in_the_last_event() {
        let answer = answer(r#","stream":true"#, "tokens=3; cached=2; reasoning=1");
        let events: Vec<Event> = answer.clone().events().collect();
        let names: Vec<&str> = events.iter().filter_map(|event| event.name).collect();
        assert_eq!(names.len(), 4 + 3 + 4);
        assert_eq!(
            (names[0], names[4], names[10]),
            ("response.created", "response.output_text.delta", "response.completed")
        );
        let told: Vec<Value> = events.iter().map(|event| json_of(&event.data)).collect();
        for (nth, event) in told.iter().enumerate() {
            assert_eq!((&event["sequence_number"], &event["type"]), (&json!(nth), &json!(names[nth])));
        }
        let usage = &told[10]["response"]["usage"];
        assert_eq!(usage["input_tokens"], 4 + 8);
        assert_eq!(usage["input_tokens_details"]["cached_tokens"], 2);
        assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 1);
        assert_eq!(usage["total_tokens"], 15);
        let (whole, billed) = answer.whole();
        assert_eq!(billed, 3);
        assert_eq!(serde_json::from_slice::<Value>(&whole).expect("JSON"), told[10]["response"]);
    }

    #[test]
    fn the_bound_leaves_a_response_incomplete() {
        let answer = answer(r#","stream":true,"max_output_tokens":2"#, "tokens=9");
        let end = answer.events().last().expect("an event");
        assert_eq!(end.name, Some("response.incomplete"));
        let end = json_of(&end.data);
        assert_eq!(end["response"]["incomplete_details"]["reason"], "max_output_tokens");
        assert_eq!(end["response"]["usage"]["output_tokens"], 2);
    }

    #[test]
    fn a_big_end_echoes_prose_before_its_usage() {
        let answer = answer(r#","stream":true"#, "events=3; event_bytes=166; big_completed=5000");
        let events: Vec<Event> = answer.events().collect();
        assert_eq!(events.iter().map(|event| event.tokens).sum::<u64>(), 3 * 32);
        assert_eq!(json_of(&events[5].data)["delta"].as_str().map(str::len), Some(166));
        let end = &events[10].data;
        assert_eq!(end.prose, 5_000);
        assert!(String::from_utf8_lossy(&end.after).contains(r#""usage":{"#));
        let end = json_of(end);
        assert_eq!(end["response"]["output"][0]["content"][0]["text"].as_str().map(str::len), Some(5_000));
        assert_eq!(end["response"]["usage"]["output_tokens"], 96);
    }

    #[test]
    fn a_failure_is_a_response_that_failed() {
        let events: Vec<Event> = answer(r#","stream":true"#, "tokens=9; error_at=5").events().collect();
        assert_eq!(events.len(), 6);
        assert_eq!(events.iter().map(|event| event.tokens).sum::<u64>(), 1);
        assert_eq!(json_of(&events[5].data)["response"]["error"]["code"], "server_error");
    }
}
