//! Answers as they pass: what is restored and how it is written there, what is held back, and for how long.

use super::{MAIL, chat, content, cuts, mails, passed, screened};
use crate::content::{AnswerTexts, Placeholders};
use crate::llm::meter::Passage;
use crate::llm::schema;
use crate::llm::texts::Opaque;
use crate::policy::content::Content;
use serde_json::{Value, json};
use std::rc::Rc;

/// A name with everything that must be escaped.
const NAME: &str = "O\"Brien\\é";

fn names() -> Rc<Content> {
    content(&json!([{"name": "names", "patterns": ["O\"Brien\\\\\u{e9}"], "action": "restore", "label": "NAME"}]))
}

fn given(content: &Rc<Content>, said: &str) -> Placeholders {
    let body = json!({"messages": [{"role": "user", "content": said}]}).to_string();
    let (sent, screened) = screened(content, chat(), &[body.as_bytes()]);
    assert!(!String::from_utf8(sent).unwrap().contains(said));
    screened.placeholders
}

fn delta(index: u64, delta: Value) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": index, "delta": delta}]}))
}

fn documents(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    text.split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn what_is_restored_is_escaped_as_the_place_wants_it_however_its_placeholder_is_split() {
    let content = names();
    let arguments = json!({"to": "[NAME_1]", "not": "[NAME_2]"}).to_string();
    for at in 1..arguments.len() {
        let call = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
        let body = [
            delta(0, call(arguments.split_at(at).0)),
            delta(1, json!({"content": "for [NAME"})),
            delta(0, call(arguments.split_at(at).1)),
            delta(1, json!({"content": "_1]!"})),
        ]
        .concat();
        let out =
            documents(&passed(&content, chat(), given(&content, NAME), &cuts(body.as_bytes(), &[at * 7, at * 11])));
        let said = |nth: usize, path: &str| out[nth].pointer(path).unwrap().as_str().unwrap().to_owned();
        let path = "/choices/0/delta/tool_calls/0/function/arguments";
        let arguments: Value = serde_json::from_str(&(said(0, path) + &said(2, path))).unwrap();
        assert_eq!(arguments, json!({"to": NAME, "not": "[NAME_2]"}), "{at}");
        assert_eq!(said(1, "/choices/0/delta/content") + &said(3, "/choices/0/delta/content"), format!("for {NAME}!"));
    }
}

#[test]
fn a_key_and_a_number_are_held_back_until_they_are_whole() {
    let mask = content(&json!([{"name": "people", "find": ["email", "card"], "action": "mask", "on": ["answer"]}]));
    let body = format!(r#"{{"choices":[{{"index":0,"x":{{"{MAIL}":4111111111111111,"n":[4111111111111111]}}}}]}}"#);
    let expected = body.replace(MAIL, "[EMAIL_1]").replace("4111111111111111", "\"[CARD_1]\"");
    for at in 0..body.len() {
        let out = passed(&mask, chat(), Placeholders::default(), &cuts(body.as_bytes(), &[at]));
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{at}");
    }
    // A number may end with its line of data.
    let body = format!("data: {{\"x\":\ndata: 4111111111111111\ndata: ,\"y\":\"{MAIL}\"\ndata: }}\n\n");
    let expected = body.replace(MAIL, "[EMAIL_1]").replace("4111111111111111", "\"[CARD_1]\"");
    for at in 0..body.len() {
        let out = passed(&mask, chat(), Placeholders::default(), &cuts(body.as_bytes(), &[at]));
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{at}");
    }
}

#[test]
fn an_address_that_begins_or_ends_with_an_escape_is_masked_at_any_cut() {
    let mask = content(&mails("mask"));
    let body = r#"{"choices":[{"message":{"content":"\u0064\u00f6e@example.c\u006f\u006D\ud83d\ude00","tool_calls":[{"function":{"arguments":"{\"a\":\"\\u006ao@example.c\\u006fm\\u00e9\"}"}}]}}]}"#;
    let expected = r#"{"choices":[{"message":{"content":"[EMAIL_1]\ud83d\ude00","tool_calls":[{"function":{"arguments":"{\"a\":\"[EMAIL_2]\\u00e9\"}"}}]}}]}"#;
    for at in 0..body.len() {
        let out = passed(&mask, chat(), Placeholders::default(), &cuts(body.as_bytes(), &[at]));
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{at}");
    }
}

#[test]
fn what_is_no_finding_passes_at_once_and_nothing_raw_follows_a_reset() {
    let mask = content(&mails("mask"));
    let mut texts = AnswerTexts::new(&mask, chat(), Placeholders::default()).unwrap();
    let mut out = Vec::new();
    let mut feed = |bytes: &str, last: bool| {
        match texts.feed(bytes.as_bytes(), last) {
            Passage::Unchanged => out.extend_from_slice(bytes.as_bytes()),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
        out.len()
    };
    let hello = delta(0, json!({"content": "Hello, you. "}));
    assert_eq!(feed(&hello, false), hello.len());
    let all = feed(&delta(0, json!({"content": "Write to jo.doe@exam"})), false);
    assert!(all < hello.len() * 2);
    // It is reset here: what is open has not gone on.
    assert!(!String::from_utf8(out).unwrap().contains("jo.doe"));
}

#[test]
fn a_text_that_is_handed_over_before_its_choice_has_ended_goes_on_in_the_same() {
    let mask = content(&mails("mask"));
    for before in (65_500..65_560).step_by(7) {
        let text = format!("{}{MAIL} and more", "x ".repeat(before / 2));
        for body in [
            json!({"choices": [{"index": 0, "message": {"content": text}}]}).to_string(),
            json!({"choices": [{"message": {"content": text}, "zindex": 0, "index": 1}]}).to_string(),
        ] {
            let chunks: Vec<_> = body.as_bytes().chunks(1_000).collect();
            let out = passed(&mask, chat(), Placeholders::default(), &chunks);
            assert_eq!(String::from_utf8(out).unwrap(), body.replace(MAIL, "[EMAIL_1]"));
        }
    }
}

#[test]
fn a_thousand_choices_at_a_time_are_followed_as_far_as_they_have_something_open() {
    let mask = content(&mails("mask"));
    let said = ["hello, ", "to jo.doe@exa", "mple.com now"];
    // Of 60 all are followed, though all are open; of 1,000, those that are open one by one.
    let at_once: String =
        said.iter().flat_map(|piece| (0..60).map(move |nth| delta(nth, json!({"content": piece})))).collect();
    let open = [&said[1..]].concat();
    let one_by_one: String = (0..1_000).map(|nth| delta(nth, json!({"content": "hello, "}))).collect::<String>()
        + &(0..1_000)
            .flat_map(|nth| open.iter().map(move |piece| delta(nth, json!({"content": piece}))))
            .collect::<String>();
    for body in [at_once, one_by_one] {
        let out = passed(&mask, chat(), Placeholders::default(), &[body.as_bytes()]);
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("mple.com") && out.contains("[EMAIL_1]"));
    }
}

#[test]
fn what_follows_a_document_that_is_none_is_told_and_passes() {
    let mask = content(&mails("mask"));
    let mut texts = AnswerTexts::new(&mask, schema::named("ollama_chat").unwrap(), Placeholders::default()).unwrap();
    let body = format!("{{\"response\":\"to {MAIL}\"}}\n{{\"response\":\" x\"]\n");
    let Passage::Replaced(out) = texts.feed(body.as_bytes(), false) else { panic!("it is unchanged") };
    assert_eq!(String::from_utf8(out).unwrap(), body.replace(MAIL, "[EMAIL_1]"));
    assert_eq!(texts.seen().opaque[Opaque::Body as usize], 1);
    assert!(matches!(texts.feed(b"anything", true), Passage::Unchanged));
}

#[test]
fn of_more_texts_than_are_followed_none_goes_on_as_it_is() {
    let mask = content(&mails("mask"));
    let said = ["to jo.doe@exa", "mple.com now"];
    let body: String =
        said.iter().flat_map(|piece| (0..70).map(move |nth| delta(nth, json!({"content": piece})))).collect();
    let out = String::from_utf8(passed(&mask, chat(), Placeholders::default(), &[body.as_bytes()])).unwrap();
    assert!(!out.contains("jo.doe") && out.contains("[WITHHELD]"), "{out}");
    documents(out.as_bytes());
}

#[test]
fn data_that_is_no_document_is_told_and_the_end_of_a_stream_is_no_such_data() {
    let mask = content(&mails("mask"));
    let hello = delta(0, json!({"content": "hello"}));
    for (body, told) in [
        (format!("{hello}data: [DONE]\n\n"), 0),
        (format!(": ping\n\n{hello}data: [DONE]"), 0),
        (format!("data: hello\n\n{hello}data: [DONE]\n\n"), 1),
        (format!("{hello}data: [DONE] and more\n\ndata: [DO\n\n"), 2),
        ("data: {\"choices\":\n\n".to_owned(), 1),
        (format!("dear {MAIL}, here it is"), 1),
        (format!("Dear {MAIL}, here it is"), 1),
    ] {
        for at in 1..body.len() {
            let mut texts = AnswerTexts::new(&mask, chat(), Placeholders::default()).unwrap();
            let (first, rest) = body.as_bytes().split_at(at);
            texts.feed(first, false);
            texts.feed(rest, true);
            assert_eq!(texts.seen().opaque[Opaque::Body as usize], told, "{body} cut at {at}");
        }
    }
}

#[test]
fn a_long_answer_full_of_escapes_is_no_reason_to_withhold() {
    let mask = content(&mails("mask"));
    let text = format!("{} to {MAIL}, {}", "\\u4f60\\n".repeat(20_000), "\\u597d".repeat(20_000));
    let body = format!("{{\"choices\":[{{\"index\":0,\"message\":{{\"content\":\"{text}\"}}}}]}}");
    let chunks: Vec<_> = body.as_bytes().chunks(1_000).collect();
    let out = String::from_utf8(passed(&mask, chat(), Placeholders::default(), &chunks)).unwrap();
    assert!(out == body.replace(MAIL, "[EMAIL_1]"), "{}", out.contains("[WITHHELD]"));
}
