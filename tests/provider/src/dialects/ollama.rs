//! Ollama's own chat and generate: lines of JSON, streamed unless asked not to be, all counts on the last one.

use serde_json::{Value, json};

use crate::answer::{Answer, CREATED_AT};
use crate::api::{Caching, Dialect};
use crate::event::Event;
use crate::framing::Framing;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, number, switch, texts, texts_of};

pub enum Ollama {
    Chat,
    Generate,
}

impl Ollama {
    fn line(&self, answer: &Answer, text: &str, done: bool) -> Value {
        let mut line = json!({"model": answer.model_reported(), "created_at": CREATED_AT, "done": done});
        match self {
            Ollama::Chat => line["message"] = json!({"role": "assistant", "content": text}),
            Ollama::Generate => line["response"] = json!(text),
        }
        line
    }

    /// The line with `done`. A prompt that was in the cache is not counted in it, though it is billed.
    fn end(&self, answer: &Answer, text: &str) -> Value {
        let mut line = self.line(answer, text, true);
        line["done_reason"] = json!(if answer.reached_its_bound() { "length" } else { "stop" });
        for (name, nanoseconds) in
            [("total_duration", 3_000), ("load_duration", 0), ("prompt_eval_duration", 1_000), ("eval_duration", 2_000)]
        {
            line[name] = json!(nanoseconds);
        }
        if let Ollama::Generate = self {
            line["context"] = json!([]);
        }
        let mut counts = json!({"eval_count": answer.completion_tokens()});
        if answer.cached() == 0 {
            counts["prompt_eval_count"] = json!(answer.prompt_tokens);
        }
        if let (Some(line), Some(Value::Object(counts))) = (line.as_object_mut(), answer.reported(counts)) {
            line.extend(counts);
        }
        line
    }
}

impl Dialect for Ollama {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let (texts, messages) = match self {
            Ollama::Chat => {
                let messages = asked.list("messages")?;
                (texts_of(messages, "content"), messages.len() as u64)
            }
            Ollama::Generate => ([texts(asked.part(&["system"])), texts(asked.part(&["prompt"]))].concat(), 0),
        };
        let options = asked.part(&["options"]);
        // A negative number is no bound.
        let unbounded = options.get("num_predict").and_then(Value::as_i64).is_some_and(|bound| bound < 0);
        Ok(Wording {
            model: asked.model()?,
            stream: switch(&asked.body, "stream")?.unwrap_or(true),
            framing: Framing::Lines,
            output_bound: if unbounded { None } else { number(options, "num_predict", u64::MAX)? },
            texts,
            messages,
            ..Wording::default()
        })
    }

    fn caching(&self) -> Caching {
        Caching::Reads
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        Event::of(&self.line(answer, &answer.text(0, nth), false)).billing(answer.billed(1))
    }

    fn last(&self, answer: &Answer) -> Vec<Event> {
        vec![Event::of(&self.end(answer, ""))]
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        self.end(answer, &answer.whole_text(0)).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn answer(api: Api, path: &str, body: &str, knobs: &str) -> Arc<Answer> {
        let asked = Asked::read(path, "", body.as_bytes()).expect("JSON");
        Arc::new(Answer::to(api, &asked, &[knobs]).expect("a request"))
    }

    #[test]
    fn it_streams_unless_asked_not_to() {
        let body = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hello"}],"options":{"num_predict":2}}"#;
        let chat = answer(Api::OllamaChat, "/api/chat", body, "");
        assert!(chat.stream);
        let lines: Vec<Value> =
            chat.events().map(|event| serde_json::from_slice(&event.data.before).expect("JSON")).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["done"], &lines[2]["done"]), (&json!(false), &json!(true)));
        assert_eq!((&lines[2]["prompt_eval_count"], &lines[2]["eval_count"]), (&json!(6), &json!(2)));
        assert_eq!(lines[2]["done_reason"], "length");
    }

    #[test]
    fn a_cached_prompt_is_not_counted() {
        let body = r#"{"model":"llama3.2","prompt":"hello","stream":false,"options":{"num_predict":-1}}"#;
        let generate = answer(Api::OllamaGenerate, "/api/generate", body, "cached=1; tokens=3");
        assert!(!generate.stream && generate.output_bound.is_none());
        let whole: Value = serde_json::from_slice(&generate.whole().0).expect("JSON");
        assert_eq!((whole.get("prompt_eval_count"), &whole["eval_count"]), (None, &json!(3)));
        assert!(whole["response"].as_str().is_some_and(|text| text.split(' ').count() == 3));
        assert_eq!(generate.prompt_tokens, 2);
    }
}
