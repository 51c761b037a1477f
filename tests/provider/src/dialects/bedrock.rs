//! Bedrock's Converse. Like Anthropic's, its input leaves the cache out, but its total does not.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Caching, Dialect};
use crate::event::Event;
use crate::framing::Framing;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, number, texts, texts_of};

const STREAMED: &str = "/converse-stream";

pub struct Converse;

fn usage(answer: &Answer) -> Option<Value> {
    let (prompt, completion) = (answer.prompt_tokens, answer.completion_tokens());
    let mut usage = json!({
        "inputTokens": answer.plain_prompt(),
        "outputTokens": completion,
        "totalTokens": prompt.saturating_add(completion),
        "cacheReadInputTokens": answer.cached(),
        "cacheWriteInputTokens": answer.cache_write(),
    });
    let writes = [("1h", answer.cache_write_1h()), ("5m", answer.cache_write_5m())];
    let writes = writes.iter().filter(|(_, tokens)| *tokens > 0);
    let details: Vec<Value> = writes.map(|(ttl, tokens)| json!({"ttl": ttl, "inputTokens": tokens})).collect();
    if !details.is_empty() {
        usage["cacheDetails"] = json!(details);
    }
    answer.reported(usage)
}

fn with_usage(answer: &Answer, mut object: Value) -> Value {
    if let Some(usage) = usage(answer) {
        object["usage"] = usage;
    }
    if let Some(tier) = &answer.basket.tier {
        object["serviceTier"] = json!({"type": tier});
    }
    object
}

fn stop(answer: &Answer) -> &'static str {
    if answer.reached_its_bound() { "max_tokens" } else { "end_turn" }
}

impl Dialect for Converse {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let messages = asked.list("messages")?;
        let system = texts(asked.part(&["system"]));
        let stream = asked.path.ends_with(STREAMED);
        Ok(Wording {
            model: asked.model_between("/model/", if stream { STREAMED } else { "/converse" })?,
            stream,
            framing: Framing::EventStream,
            output_bound: number(asked.part(&["inferenceConfig"]), "maxTokens", u64::MAX)?,
            messages: messages.len() as u64 + u64::from(!system.is_empty()),
            texts: [system, texts_of(messages, "content")].concat(),
            ..Wording::default()
        })
    }

    fn caching(&self) -> Caching {
        Caching::HourWrites
    }

    fn first(&self, _answer: &Answer) -> Vec<Event> {
        vec![Event::of(&json!({"role": "assistant"})).named("messageStart")]
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        let delta = json!({"contentBlockIndex": 0, "delta": {"text": answer.text(0, nth)}});
        Event::of(&delta).named("contentBlockDelta").billing(answer.billed(1))
    }

    fn last(&self, answer: &Answer) -> Vec<Event> {
        vec![
            Event::of(&json!({"contentBlockIndex": 0})).named("contentBlockStop"),
            Event::of(&json!({"stopReason": stop(answer)})).named("messageStop"),
            Event::of(&with_usage(answer, json!({"metrics": {"latencyMs": 1}}))).named("metadata"),
        ]
    }

    fn failure(&self, answer: &Answer) -> Event {
        Event::of(&Refusal::too_late().to_json(Some(answer.api))).named("internalServerException").fault()
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let message = json!({"role": "assistant", "content": [{"text": answer.whole_text(0)}]});
        let whole = json!({"output": {"message": message}, "stopReason": stop(answer), "metrics": {"latencyMs": 1}});
        with_usage(answer, whole).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn answer(path: &str, knobs: &str) -> Arc<Answer> {
        let body = json!({
            "messages": [{"role": "user", "content": [{"text": "hello"}]}],
            "system": [{"text": "be kind"}],
            "inferenceConfig": {"maxTokens": 4},
        });
        let asked = Asked::read(path, "", body.to_string().as_bytes()).expect("JSON");
        Arc::new(Answer::to(Api::Converse, &asked, &[knobs]).expect("a request"))
    }

    #[test]
    fn the_total_counts_the_cache_and_the_input_does_not() {
        let knobs = "prompt=50; cached=20; cache_write=10; cache_write_1h=5";
        let answer = answer("/model/amazon.nova-lite-v1%3A0/converse", knobs);
        assert_eq!((answer.model.as_str(), answer.stream), ("amazon.nova-lite-v1:0", false));
        let whole: Value = serde_json::from_slice(&answer.whole().0).expect("JSON");
        let expected = json!({
            "inputTokens": 15, "outputTokens": 4, "totalTokens": 54,
            "cacheReadInputTokens": 20, "cacheWriteInputTokens": 15,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 5}, {"ttl": "5m", "inputTokens": 10}],
        });
        assert_eq!(whole["usage"], expected);
        assert_eq!(whole["stopReason"], "max_tokens");
    }

    #[test]
    fn a_stream_ends_in_its_metadata() {
        let events: Vec<Event> = answer("/model/amazon.nova-lite-v1:0/converse-stream", "tokens=2").events().collect();
        let names: Vec<&str> = events.iter().filter_map(|event| event.name).collect();
        let delta = "contentBlockDelta";
        assert_eq!(names, ["messageStart", delta, delta, "contentBlockStop", "messageStop", "metadata"]);
        assert_eq!(events.iter().map(|event| event.tokens).sum::<u64>(), 2);
        let faulty = answer("/model/m/converse-stream", "error_at=1").events().last().expect("an event");
        assert!(faulty.fault);
    }
}
