//! Rules about texts, over whole bodies: of each API, in each place, cut anywhere.

mod hostile;
mod matrix;
mod messages;
mod numbers;
mod oracle;
mod parts;
mod refused;
mod rows;
mod streams;

use super::{AnswerTexts, Placeholders, Prompt, Refused, Screened};
use crate::llm::meter::Passage;
use crate::llm::request::spliced;
use crate::llm::schema::{self, Schema};
use crate::policy::Policy;
use crate::policy::content::Content;
use crate::route::Sensitivity;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;

pub(super) const MAIL: &str = "jo.doe@example.com";

pub(super) fn content(rules: &Value) -> Rc<Content> {
    unscanned(rules, "count")
}

/// The same, where this becomes of what can't be looked at.
fn unscanned(rules: &Value, unscanned: &str) -> Rc<Content> {
    let config = json!({
        "tenants": {"acme": {}},
        "roles": ["chat"],
        "prices": [{"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
        "content": {"rules": rules, "unscanned": unscanned},
    });
    let policy = Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    Rc::clone(policy.contents.of(policy.tenant("acme").unwrap()).unwrap())
}

fn mails(action: &str) -> Value {
    json!([{"name": "mails", "find": ["email"], "action": action, "on": if action == "mask" { json!(["request", "answer"]) } else { json!(["request"]) }}])
}

/// A request, as it is sent on.
fn screened(content: &Rc<Content>, schema: &Schema, chunks: &[&[u8]]) -> (Vec<u8>, Screened) {
    let mut prompt = Prompt::new(content, schema, false).unwrap();
    chunks.iter().for_each(|chunk| prompt.feed(chunk));
    let screened = prompt.screened(None, None, &"acme".into()).into_at(Sensitivity::Public);
    (spliced(&chunks.concat(), &screened.edits), screened)
}

/// An answer, as it passes.
fn passed(content: &Rc<Content>, schema: &Schema, placeholders: Placeholders, chunks: &[&[u8]]) -> Vec<u8> {
    goes_on(&mut AnswerTexts::new(content, schema, placeholders).unwrap(), chunks)
}

/// What of it goes on to the client.
fn goes_on(texts: &mut AnswerTexts, chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (nth, chunk) in chunks.iter().enumerate() {
        match texts.feed(chunk, nth + 1 == chunks.len()) {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
    }
    out
}

fn cuts<'b>(body: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([body.len()]);
    starts.zip(ends).map(|(from, to)| &body[from..to]).collect()
}

#[test]
fn a_mail_address_in_a_chat_is_masked_and_nothing_else_changes() {
    let content = content(&mails("mask"));
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": format!("Write to {MAIL}, and again to {MAIL}.")},
        {"role": "user", "content": [{"type": "text", "text": "Or to other@example.org!"}]},
    ]})
    .to_string();
    let (sent, screened) = screened(&content, chat(), &[body.as_bytes()]);
    let expected = body.replace(MAIL, "[EMAIL_1]").replace("other@example.org", "[EMAIL_2]");
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
    assert_eq!(screened.refused, None);
    let found: Vec<_> = screened.seen.found.iter().map(|found| (found.place.name(), found.times)).collect();
    assert_eq!(found, [("user", 3)]);
}

#[test]
fn an_address_that_is_split_by_escapes_and_parts_is_found() {
    let content = content(&mails("mask"));
    let body = r#"{"messages":[{"content":[{"type":"text","text":"to jo.d\u006fe\u0040exa"},{"type":"text","text":"mple.com now"}],"role":"user"}]}"#;
    let (sent, screened) = screened(&content, chat(), &[body.as_bytes()]);
    let expected = r#"{"messages":[{"content":[{"type":"text","text":"to [EMAIL_1]"},{"type":"text","text":" now"}],"role":"user"}]}"#;
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
    assert_eq!(screened.seen.found[0].place.name(), "user");
}

#[test]
fn a_rule_that_refuses_says_which_it_is_and_where() {
    let content = content(&mails("refuse"));
    let body = json!({"messages": [{"role": "tool", "content": MAIL}]}).to_string();
    let (_, screened) = screened(&content, chat(), &[body.as_bytes()]);
    let Some(Refused::Found { rule, label, place }) = screened.refused else { panic!("it passes") };
    assert_eq!((&*rule, &*label, place.name()), ("mails", "EMAIL", "tool_result"));
}

#[test]
fn what_was_restored_stands_in_the_answer_as_the_client_wrote_it() {
    let content = content(&mails("restore"));
    let body = json!({"messages": [{"role": "user", "content": format!("Write to {MAIL}.")}]}).to_string();
    let (sent, screened) = screened(&content, chat(), &[body.as_bytes()]);
    assert!(!String::from_utf8(sent).unwrap().contains(MAIL));
    let answer =
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"I wrote to [EMAIL_1], not [EMAIL_2]."}}]}"#;
    let out = passed(&content, chat(), screened.placeholders, &[answer.as_bytes()]);
    assert_eq!(String::from_utf8(out).unwrap(), answer.replace("[EMAIL_1]", MAIL));
}

/// The events of a stream, one for each piece of a text.
fn stream(pieces: &[&str]) -> String {
    let events = pieces.iter().map(|piece| {
        let event = json!({"id": "1", "choices": [{"index": 0, "delta": {"content": piece}}]});
        format!("data: {event}\n\n")
    });
    events.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn said(stream: &[u8]) -> String {
    let text = std::str::from_utf8(stream).unwrap();
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let value = |data: &str| serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
    events.map(|data| value(data)["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()).collect()
}

proptest! {
    #[test]
    fn an_address_in_a_stream_is_masked_however_its_events_are_cut(
        splits in prop::collection::vec(0..60_usize, 0..8),
        at in prop::collection::vec(0..2_000_usize, 0..12),
    ) {
        let content = content(&mails("mask"));
        let text = format!("Dear {MAIL}, see b@c.de. Or \"x\" <a.b@example.org>");
        let pieces: Vec<_> = cuts(text.as_bytes(), &splits).into_iter().map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let body = stream(&pieces);
        let out = passed(&content, chat(), Placeholders::default(), &cuts(body.as_bytes(), &at));
        let expected = text.replace(MAIL, "[EMAIL_1]").replace("b@c.de", "[EMAIL_2]").replace("a.b@example.org", "[EMAIL_3]");
        prop_assert_eq!(said(&out), expected);
    }
}

fn chat() -> &'static Schema {
    schema::named("openai_chat").unwrap()
}
