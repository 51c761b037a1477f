//! Rules about texts: a body is looked at the same however it is cut, and what is put in the place of a finding leaves it what it is.

use std::cell::OnceCell;
use std::rc::Rc;

use nexus_ai_gateway::content::{AnswerTexts, Placeholders, Prompt, Screened};
use nexus_ai_gateway::llm::meter::Passage;
use nexus_ai_gateway::llm::request::spliced;
use nexus_ai_gateway::llm::schema::{self, Schema};
use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::policy::content::Content;
use nexus_ai_gateway::route::Sensitivity;
use serde_json::{Value, json};

use crate::cuts::{chunkings, head};

thread_local! {
    static RULES: OnceCell<[Rc<Content>; 2]> = const { OnceCell::new() };
}

fn rules(action: &str, on: &str) -> Rc<Content> {
    let config = json!({
        "tenants": {"acme": {}},
        "prices": [{"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
        "content": {"rules": [
            {"name": "people", "find": ["email", "card", "phone"], "action": action, "on": [on]},
            {"name": "words", "words": ["assistant", "你好"], "patterns": ["[0-9]{9}"], "action": "count", "on": [on]},
        ]},
    });
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    Rc::clone(policy.contents.of(policy.tenant("acme").unwrap()).unwrap())
}

fn screened(content: &Rc<Content>, schema: &Schema, chunks: &[&[u8]]) -> Screened {
    let mut prompt = Prompt::new(content, schema, false).unwrap();
    chunks.iter().for_each(|chunk| prompt.feed(chunk));
    prompt.screened(None, None, &"acme".into()).into_at(Sensitivity::Public)
}

fn passed(content: &Rc<Content>, schema: &Schema, placeholders: Placeholders, chunks: &[&[u8]]) -> Vec<u8> {
    let Some(mut texts) = AnswerTexts::new(content, schema, placeholders) else { return chunks.concat() };
    let mut out = Vec::new();
    let mut came = 0;
    for (nth, chunk) in chunks.iter().enumerate() {
        came += chunk.len();
        match texts.feed(chunk, nth + 1 == chunks.len()) {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
    }
    assert!(came > 0 || out.is_empty());
    out
}

/// The same document but for texts, and for numbers that have become texts. Two keys may have become one.
fn is_alike(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::String(_) | Value::Number(_), Value::String(_)) => true,
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| is_alike(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            after.len() <= before.len()
                && before.iter().all(|(key, before)| after.get(key).is_none_or(|after| is_alike(before, after)))
        }
        _ => before == after,
    }
}

pub fn holds(input: &[u8]) {
    let Some(([api, flags, seed @ ..], body)) = head::<4>(input) else { return };
    let schema = schema::ALL[usize::from(api) % schema::ALL.len()];
    let [restore, mask] =
        RULES.with(|rules_| rules_.get_or_init(|| [rules("restore", "request"), rules("mask", "answer")]).clone());
    let out = if flags & 1 == 0 {
        let whole = screened(&restore, schema, &[body]);
        for chunks in chunkings(body, seed) {
            let cut = screened(&restore, schema, &chunks);
            assert_eq!((&cut.edits, &cut.seen, &cut.refused), (&whole.edits, &whole.seen, &whole.refused));
        }
        let edits = &whole.edits;
        assert!(edits.iter().all(|edit| edit.place.from < edit.place.to && edit.place.to <= body.len() as u64));
        assert!(edits.windows(2).all(|pair| pair[0].place.to <= pair[1].place.from), "{edits:?}");
        spliced(body, edits)
    } else {
        let whole = passed(&mask, schema, Placeholders::default(), &[body]);
        for chunks in chunkings(body, seed) {
            let cut = passed(&mask, schema, Placeholders::default(), &chunks);
            assert!(cut == whole, "{} became {}", whole.escape_ascii(), cut.escape_ascii());
        }
        whole
    };
    let Ok(before) = serde_json::from_slice::<Value>(body) else { return };
    let after: Value = serde_json::from_slice(&out)
        .unwrap_or_else(|error| panic!("{error}: {} became {}", body.escape_ascii(), out.escape_ascii()));
    assert!(is_alike(&before, &after), "{before} became {after}");
}
