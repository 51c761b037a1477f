//! Google's Gemini. Thoughts are counted beside the candidates, and every chunk tells the usage so far.

use serde_json::{Value, json};

use crate::answer::{Answer, CREATED_AT};
use crate::api::{Caching, Dialect, Reasoning};
use crate::event::Event;
use crate::framing::Framing;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, number, texts, texts_of};

const MOST_CANDIDATES: u64 = 8;
const STREAMED: &str = ":streamGenerateContent";

pub struct Gemini;

fn usage(answer: &Answer, candidates: u64) -> Option<Value> {
    let (prompt, thoughts) = (answer.prompt_tokens, answer.thoughts());
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "totalTokenCount": prompt.saturating_add(candidates).saturating_add(thoughts),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    if thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(thoughts);
    }
    if answer.cached() > 0 {
        usage["cachedContentTokenCount"] = json!(answer.cached());
        usage["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": answer.cached()}]);
    }
    if let Some(tier) = &answer.basket.tier {
        usage["trafficType"] = json!(format!("ON_DEMAND_{}", tier.to_uppercase()));
    }
    answer.reported(usage)
}

/// What was searched for, in the last piece of the first candidate.
fn searched(answer: &Answer, mut candidate: Value) -> Value {
    let queries: Vec<String> = (0..answer.basket.web_searches()).map(|nth| format!("books of river {nth}")).collect();
    if !queries.is_empty() {
        candidate["groundingMetadata"] = json!({"webSearchQueries": queries});
    }
    candidate
}

fn candidate(index: u64, text: &str, finish: Option<&str>) -> Value {
    let mut candidate = json!({"index": index, "content": {"parts": [{"text": text}], "role": "model"}});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    candidate
}

fn answered(answer: &Answer, candidates: Vec<Value>, usage: Option<Value>) -> Value {
    let mut answered = json!({
        "candidates": candidates,
        "createTime": CREATED_AT,
        "modelVersion": answer.model_reported(),
        "responseId": answer.id(""),
    });
    if let Some(usage) = usage {
        answered["usageMetadata"] = usage;
    }
    answered
}

fn finish(answer: &Answer) -> Option<&'static str> {
    Some(if answer.reached_its_bound() { "MAX_TOKENS" } else { "STOP" })
}

impl Dialect for Gemini {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        // To count a prompt, the contents may come as a request would have them.
        let body = asked.body.get("generateContentRequest").unwrap_or(&asked.body);
        let contents = body.get("contents").and_then(Value::as_array).filter(|contents| !contents.is_empty());
        let contents = contents.ok_or_else(|| Refusal::wrong("contents", "contents is not specified"))?;
        let part = |names: [&str; 2]| names.iter().find_map(|name| body.get(name)).unwrap_or(&Value::Null);
        let system = part(["systemInstruction", "system_instruction"]).get("parts").map(texts).unwrap_or_default();
        let config = part(["generationConfig", "generation_config"]);
        let stream = asked.path.ends_with(STREAMED);
        let sse = asked.query.split('&').any(|pair| pair == "alt=sse");
        Ok(Wording {
            model: asked.model_between("/models/", ":")?,
            stream,
            framing: if sse { Framing::Sse } else { Framing::Array },
            output_bound: number(config, "maxOutputTokens", u64::MAX)?,
            choices: number(config, "candidateCount", MOST_CANDIDATES)?.unwrap_or(1),
            messages: contents.len() as u64 + u64::from(!system.is_empty()),
            texts: [system, texts_of(contents, "parts")].concat(),
            ..Wording::default()
        })
    }

    fn caching(&self) -> Caching {
        Caching::Reads
    }

    fn reasoning(&self) -> Reasoning {
        Reasoning::Beside
    }

    /// Whoever gets the first token is billed for the thoughts that came before it.
    fn token(&self, answer: &Answer, nth: u64) -> Event {
        let (index, turn) = (nth % answer.choices, nth / answer.choices);
        let candidate = candidate(index, &answer.text(index, turn), None);
        let thoughts = if nth == 0 { answer.thoughts() } else { 0 };
        let usage = usage(answer, answer.billed(nth + 1));
        Event::of(&answered(answer, vec![candidate], usage)).billing(answer.billed(1) + thoughts)
    }

    fn last(&self, answer: &Answer) -> Vec<Event> {
        let candidates = (0..answer.choices)
            .map(|index| candidate(index, "", finish(answer)))
            .map(|candidate| searched(answer, candidate))
            .collect();
        let thoughts = if answer.turns() == 0 { answer.thoughts() } else { 0 };
        let usage = usage(answer, answer.visible_tokens());
        vec![Event::of(&answered(answer, candidates, usage)).billing(thoughts)]
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let candidate = |index: u64| searched(answer, candidate(index, &answer.whole_text(index), finish(answer)));
        let candidates = (0..answer.choices).map(candidate).collect();
        answered(answer, candidates, usage(answer, answer.visible_tokens())).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Api;

    fn answer(path: &str, knobs: &str) -> Arc<Answer> {
        let body = json!({
            "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
            "systemInstruction": {"parts": [{"text": "be kind"}]},
            "generationConfig": {"maxOutputTokens": 10},
        });
        let asked = Asked::read(path, "", body.to_string().as_bytes()).expect("JSON");
        Arc::new(Answer::to(Api::Gemini, &asked, &[knobs]).expect("a request"))
    }

    #[test]
    fn thoughts_are_counted_beside_the_candidates_and_within_the_bound() {
        let answer = answer("/v1beta/models/gemini-2.5-flash:generateContent", "tokens=9; reasoning=7; cached=2");
        assert_eq!(answer.model, "gemini-2.5-flash");
        let (whole, billed) = answer.whole();
        assert_eq!((billed, answer.reasoning()), (10, 7));
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        let usage = &whole["usageMetadata"];
        assert_eq!(usage["promptTokenCount"], 11);
        assert_eq!(usage["candidatesTokenCount"], 3);
        assert_eq!(usage["thoughtsTokenCount"], 7);
        assert_eq!(usage["totalTokenCount"], 21);
        assert_eq!(usage["cachedContentTokenCount"], 2);
        assert_eq!(whole["candidates"][0]["finishReason"], "MAX_TOKENS");
    }

    #[test]
    fn a_stream_is_billed_its_thoughts_first() {
        let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
        let events: Vec<Event> = answer(path, "tokens=3; reasoning=5").events().collect();
        assert_eq!(events.iter().map(|event| event.tokens).collect::<Vec<_>>(), [6, 1, 1, 0]);
        let counts = events.iter().map(|event| {
            let told: Value = serde_json::from_slice(&event.data.before).expect("JSON");
            told["usageMetadata"]["totalTokenCount"].as_u64().expect("a count")
        });
        assert_eq!(counts.collect::<Vec<_>>(), [17, 18, 19, 19]);
        let events: Vec<Event> = answer(path, "tokens=3; reasoning=50").events().collect();
        assert_eq!(events.iter().map(|event| event.tokens).collect::<Vec<_>>(), [10], "nothing but thoughts");
    }
}
