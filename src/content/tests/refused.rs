//! Answers that say what a rule refuses: where text is, nothing of a finding reaches the client, and what it has is the beginning of
//! what it would have had.

use super::rows::{Row, all};
use super::{MAIL, chat, content, cuts, goes_on, passed, screened};
use crate::content::{AnswerTexts, Placeholders, Refused};
use crate::llm::meter::{Form, Passage};
use crate::llm::schema::{self, Schema};
use crate::llm::texts::{Opaque, Place, Text};
use crate::llm::whole_events::WholeEvents;
use crate::policy::content::Content;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;

pub(super) fn refusing() -> Rc<Content> {
    content(&json!([{"name": "people", "find": ["email", "card"], "action": "refuse", "on": ["answer"]}]))
}

/// What goes on of an answer, and why the rest does not.
pub(super) fn cut_off(texts: &mut AnswerTexts, chunks: &[&[u8]]) -> (String, Option<Refused>) {
    let out = goes_on(texts, chunks);
    (String::from_utf8_lossy(&out).into_owned(), texts.refused().cloned())
}

const LAST: &str = "data: {\"error\":\"over\"}\n\n";

/// What the client has of a stream: whole events, and a last one when it is refused.
fn ended(content: &Rc<Content>, schema: &Schema, placeholders: Placeholders, chunks: &[&[u8]]) -> String {
    String::from_utf8(ended_as(Form::Sse, content, schema, placeholders, chunks)).unwrap()
}

/// The same of a stream of another form.
pub(super) fn ended_as(
    form: Form,
    content: &Rc<Content>,
    schema: &Schema,
    placeholders: Placeholders,
    chunks: &[&[u8]],
) -> Vec<u8> {
    let mut texts = AnswerTexts::new(content, schema, placeholders).unwrap();
    assert!(texts.refuses());
    let mut whole = WholeEvents::new(schema.dialect);
    let mut out = Vec::new();
    for (nth, chunk) in chunks.iter().enumerate() {
        let last = nth + 1 == chunks.len();
        let mut passage = texts.feed(chunk, last);
        let goes_on = texts.refused().is_none();
        passage.then(chunk, |bytes| whole.feed(form, bytes, last && goes_on));
        match passage {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
        if !goes_on {
            out.extend(whole.end(None, b"{\"error\":\"over\"}"));
            break;
        }
    }
    out
}

fn events(row: &Row, pieces: &[(&str, Option<u64>)]) -> Vec<String> {
    pieces.iter().map(|(piece, nth)| format!("data: {}\n\n", row.document(json!(piece), *nth))).collect()
}

#[test]
fn what_stands_in_any_row_of_an_answer_is_refused_and_nothing_of_it_passes() {
    let refuse = refusing();
    let values = [
        json!(format!("Dear {MAIL}!")),
        json!({MAIL: 0}),
        json!([4_111_111_111_111_111_u64]),
        json!({"x": [{"y": [format!("To {MAIL}!")]}]}),
        json!("nothing at all"),
    ];
    let mut found = 0;
    for row in all(|texts| texts.answer) {
        for value in &values {
            let body = row.document(value.clone(), None).to_string();
            let mut masked = None;
            for chunks in [vec![body.as_bytes()], body.as_bytes().chunks(1).collect()] {
                let mut texts = AnswerTexts::new(&refuse, row.schema(), Placeholders::default()).unwrap();
                let (out, refused) = cut_off(&mut texts, &chunks);
                assert!(body.starts_with(&out), "{row}: {body} became {out}");
                match &refused {
                    Some(Refused::Found { rule, .. }) => {
                        assert_eq!(&**rule, "people");
                        assert!(!out.contains("jo.") && !out.contains("411"), "{row}: {out}");
                        assert_eq!(texts.seen().found[0].action, "refuse");
                    }
                    Some(other) => panic!("{row}: {other:?}"),
                    None => assert_eq!(out, body, "{row}"),
                }
                // It is refused where it would be masked.
                let is_masked = *masked.get_or_insert_with(|| {
                    let mask =
                        content(&json!([{"name": "m", "find": ["email", "card"], "action": "mask", "on": ["answer"]}]));
                    passed(&mask, row.schema(), Placeholders::default(), &chunks) != body.as_bytes()
                });
                assert_eq!(refused.is_some(), is_masked, "{row}: {body}");
                found += usize::from(is_masked);
            }
        }
    }
    assert!(found > 400, "{found}");
}

#[test]
fn a_stream_goes_on_up_to_the_event_in_which_the_finding_begins_wherever_two_events_split_it() {
    let refuse = refusing();
    let mut joining = 0;
    for row in all(|texts| texts.event) {
        let Some(Text::In { joins: true, json, .. }) = row.field().key else { continue };
        joining += 1;
        let nested = json!({"to": MAIL, "n": "\n"}).to_string().replace('@', "\\u0040");
        let text = if json { nested } else { format!("Dear {MAIL}, hello") };
        let begins = text.find("jo.doe").unwrap();
        let nth = row.has_index().then_some(3);
        for at in 1..text.len() {
            let (one, other) = text.split_at(at);
            let mut pieces = vec![("well ", nth), (one, nth), (other, nth), ("later", nth)];
            if nth.is_some() {
                pieces.insert(2, ("x", Some(1)));
            }
            let before = match (at > begins, nth) {
                (true, _) => 1,
                (false, None) => 2,
                (false, Some(_)) => 3,
            };
            let events = events(&row, &pieces);
            let (body, expected) = (events.concat(), events[..before].concat() + LAST);
            for chunks in [vec![body.as_bytes()], cuts(body.as_bytes(), &[at * 7, at * 11, at * 13])] {
                assert_eq!(ended(&refuse, row.schema(), Placeholders::default(), &chunks), expected, "{row} at {at}");
            }
        }
    }
    assert!(joining > 30, "{joining}");
}

/// Each rule of another kind, and an answer that has something for all of them.
fn all_kinds(refuses: bool) -> Rc<Content> {
    let mut rules = json!([
        {"name": "cards", "find": ["card"], "action": "mask", "on": ["answer"]},
        {"name": "names", "words": ["Nordwind"], "label": "NAME", "action": "restore"},
        {"name": "hosts", "words": ["example"], "action": "count", "on": ["answer"]},
        {"name": "domains", "words": ["example.com"], "action": "mask", "on": ["answer"]},
    ]);
    if refuses {
        let refuse = json!({"name": "people", "find": ["email"], "action": "refuse", "on": ["answer"]});
        rules.as_array_mut().unwrap().push(refuse);
    }
    content(&rules)
}

fn given(content: &Rc<Content>) -> Placeholders {
    let body = json!({"messages": [{"role": "user", "content": "of Nordwind"}]}).to_string();
    screened(content, chat(), &[body.as_bytes()]).1.placeholders
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn before_the_cut_masks_and_restores_hold_and_the_client_has_whole_events_of_these(
        nth in any::<prop::sample::Index>(),
        splits in prop::collection::vec(0..100_usize, 0..9),
        at in prop::collection::vec(0..6_000_usize, 0..12),
        finds in any::<bool>(),
    ) {
        let rows: Vec<_> = all(|texts| texts.event);
        let joining: Vec<_> = rows.iter().filter(|row| matches!(row.field().key, Some(Text::In { joins: true, .. }))).collect();
        let row = joining[nth.index(joining.len())];
        let json = row.field().key.is_some_and(Text::is_json);
        let said = format!("Card 4111 1111 1111 1111 of [NAME_1] and 4222 2222 2222 2. Mail {}, or not", if finds { MAIL } else { "nobody" });
        let text = if json { json!({"to": said, "at": 1}).to_string() } else { said };
        let pieces = cuts(text.as_bytes(), &splits);
        let pieces: Vec<_> = pieces.into_iter().map(|piece| (std::str::from_utf8(piece).unwrap(), None)).collect();
        let body = events(row, &pieces).concat();
        let would = passed(&all_kinds(false), row.schema(), given(&all_kinds(false)), &[body.as_bytes()]);
        let would = String::from_utf8(would).unwrap();
        let out = ended(&all_kinds(true), row.schema(), given(&all_kinds(true)), &cuts(body.as_bytes(), &at));
        if !finds {
            prop_assert_eq!(out, would);
            return Ok(());
        }
        let (begins, mut length) = (text.find("jo.doe").unwrap(), 0);
        let before = pieces.iter().take_while(|(piece, _)| { length += piece.len(); length <= begins }).count();
        let expected: String = would.split_inclusive("\n\n").take(before).collect();
        prop_assert_eq!(out, expected + LAST, "{}", row);
    }

    #[test]
    fn an_answer_in_one_piece_is_refused_however_it_is_cut(
        api in (0..schema::ALL.len()).prop_map(|nth| schema::ALL[nth]),
        at in prop::collection::vec(0..4_000_usize, 0..9),
        before in 0..3_000_usize,
    ) {
        let value = json!({"unheard_of": format!("{}to {MAIL}", "a b, ".repeat(before))});
        let body = value.to_string();
        let mut texts = AnswerTexts::new(&refusing(), api, Placeholders::default()).unwrap();
        let (out, refused) = cut_off(&mut texts, &cuts(body.as_bytes(), &at));
        prop_assert!(matches!(refused, Some(Refused::Found { .. })), "{refused:?}");
        prop_assert!(body.starts_with(&out) && !out.contains("jo."));
    }

    #[test]
    fn whatever_the_bytes_are_they_go_on_as_they_are_or_only_their_beginning_does(
        head in prop::sample::select(vec!["data: ", "{", "[", "", "event: x\ndata: {\"choices\":"]),
        text in "([{}\\[\\]\",:a0\\\\ud8@.\n-]|\\\\u0040|jo.doe@example.com){0,40}", size in 1..40_usize,
    ) {
        let refuse = refusing();
        let body = format!("{head}{text}");
        let mut texts = AnswerTexts::new(&refuse, chat(), Placeholders::default()).unwrap();
        let (out, refused) = cut_off(&mut texts, &body.as_bytes().chunks(size).collect::<Vec<_>>());
        prop_assert!(body.starts_with(&out), "{body} became {out}");
        prop_assert!(refused.is_some() || out == body, "{body} became {out}");
    }
}

#[test]
fn a_finding_in_arguments_is_refused_through_the_escapes_of_both_documents() {
    let refuse = refusing();
    for written in ["jo.doe@example.com", "jo\\u002edoe\\u0040example.com", "\\u006ao.doe@example.c\\u006f\\u006D"] {
        let arguments = format!("{{\"to\":\"{written}\"}}");
        let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}}]});
        let body = format!("data: {call}\n\n");
        for body in [body.clone(), body.replace("example", "ex\\u0061mple")] {
            for size in [1, 7, body.len()] {
                let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
                let out = ended(&refuse, chat(), Placeholders::default(), &chunks);
                assert_eq!(out, LAST, "{written} by {size}");
            }
        }
    }
}

#[test]
fn the_message_has_the_rule_the_kind_and_the_place() {
    let body = json!({"choices": [{"message": {"reasoning_content": format!("to {MAIL}")}}]}).to_string();
    let mut texts = AnswerTexts::new(&refusing(), chat(), Placeholders::default()).unwrap();
    let (_, refused) = cut_off(&mut texts, &[body.as_bytes()]);
    let Some(Refused::Found { rule, label, place }) = refused else { panic!("it passes") };
    assert_eq!((&*rule, &*label, place), ("people", "EMAIL", Place::Reasoning));
}

/// Something masked covers where it begins, and the text has been open for longer than is kept.
#[test]
fn what_is_masked_hides_nothing_that_is_refused_however_long_a_text_is_open() {
    let mask = json!({"name": "lines", "patterns": ["-{1,10}"], "action": "mask", "on": ["answer"]});
    let refuse = json!({"name": "ends", "patterns": ["--="], "action": "refuse", "on": ["answer"]});
    let (both, mask) = (content(&json!([mask, refuse])), content(&json!([mask])));
    for dashes in 2..64 {
        let stream = |text: &str| -> String {
            let event = |letter: char| json!({"choices": [{"index": 0, "delta": {"content": letter.to_string()}}]});
            text.chars().map(|letter| format!("data: {}\n\n", event(letter))).collect()
        };
        let line = "-".repeat(dashes);
        let body = stream(&format!("x {line}="));
        let mut texts = AnswerTexts::new(&both, chat(), Placeholders::default()).unwrap();
        let (_, refused) = cut_off(&mut texts, &body.as_bytes().chunks(50).collect::<Vec<_>>());
        assert!(matches!(refused, Some(Refused::Found { .. })), "{dashes}");
        // A mask is the same by itself, and with a rule beside it that refuses nothing.
        let body = stream(&format!("x {line} y"));
        let alone = passed(&mask, chat(), Placeholders::default(), &[body.as_bytes()]);
        let mut texts = AnswerTexts::new(&both, chat(), Placeholders::default()).unwrap();
        let beside = cut_off(&mut texts, &body.as_bytes().chunks(50).collect::<Vec<_>>());
        assert_eq!(beside, (String::from_utf8(alone).unwrap(), None), "{dashes}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_and_what_cannot_be_looked_at_as_the_operator_says() {
    let rules = json!([{"name": "people", "find": ["email"], "action": "refuse", "on": ["answer"]}]);
    let refuse = content(&rules);
    // More choices than are followed have something open.
    let said = (0..70).map(|nth| json!({"choices": [{"index": nth, "delta": {"content": "to jo.doe@exa"}}]}));
    let open: String = said.map(|event| format!("data: {event}\n\n")).collect();
    let mut texts = AnswerTexts::new(&refuse, chat(), Placeholders::default()).unwrap();
    let (out, refused) = cut_off(&mut texts, &[open.as_bytes()]);
    assert_eq!((&*out, refused), ("", Some(Refused::Opaque(Opaque::TooLong))));
    for (unscanned, refuses) in [("count", false), ("pass", false), ("refuse", true)] {
        let content = super::unscanned(&rules, unscanned);
        for body in ["data: hello\n\n", "<html>", "{\"choices\":[}"] {
            let new = || AnswerTexts::new(&content, chat(), Placeholders::default()).unwrap();
            let (out, refused) = cut_off(&mut new(), &[body.as_bytes()]);
            let expected = if refuses { ("", Some(Refused::Opaque(Opaque::Body))) } else { (body, None) };
            assert_eq!((&*out, refused), expected, "{unscanned}: {body}");
            // It is none, and has its own words.
            let mut error = new();
            error.may_be_unseen();
            assert_eq!(cut_off(&mut error, &[body.as_bytes()]), (body.to_owned(), None));
            // Its head says so already.
            let mut opaque = new();
            opaque.look_at_nothing();
            assert_eq!(opaque.refuses(), refuses);
            assert_eq!(cut_off(&mut opaque, &[body.as_bytes()]).1.is_some(), refuses);
        }
    }
}

/// What the client wrote itself is no finding: what the provider says is looked at.
#[test]
fn what_is_restored_is_not_refused() {
    let content = content(&json!([
        {"name": "restored", "find": ["email"], "action": "restore"},
        {"name": "refused", "find": ["email"], "action": "refuse", "on": ["answer"]},
    ]));
    let body = json!({"messages": [{"role": "user", "content": format!("I am {MAIL}")}]}).to_string();
    let answer = |said: &str| json!({"choices": [{"message": {"content": said}}]}).to_string();
    for (said, expected) in [("Dear [EMAIL_1].", Some(format!("Dear {MAIL}."))), ("Dear b@c.de.", None)] {
        let given = screened(&content, chat(), &[body.as_bytes()]).1.placeholders;
        let mut texts = AnswerTexts::new(&content, chat(), given).unwrap();
        let (out, refused) = cut_off(&mut texts, &[answer(said).as_bytes()]);
        assert_eq!(refused.is_none(), expected.is_some());
        if let Some(expected) = expected {
            assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["choices"][0]["message"]["content"], expected);
        }
    }
}

/// A finding that is refused may stand in the middle of one that is masked.
#[test]
fn of_what_is_masked_no_part_goes_on_as_it_is_where_the_answer_is_cut() {
    let both = content(&json!([
        {"name": "mails", "find": ["email"], "action": "mask", "on": ["answer"]},
        {"name": "hosts", "words": ["example"], "action": "refuse", "on": ["answer"]},
    ]));
    let body = json!({"choices": [{"message": {"content": format!("to {MAIL}")}}]}).to_string();
    for size in 1..body.len() {
        let mut texts = AnswerTexts::new(&both, chat(), Placeholders::default()).unwrap();
        let (out, refused) = cut_off(&mut texts, &body.as_bytes().chunks(size).collect::<Vec<_>>());
        assert!(refused.is_some() && body.starts_with(&out) && !out.contains("jo."), "{size}: {out}");
    }
}
