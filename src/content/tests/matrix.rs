//! Each row of each table, with something in it that a rule finds: where text is, it is found, and nothing else changes; where none
//! is, all of it stays.

use super::rows::{Row, all};
use super::{MAIL, content, passed, screened};
use crate::content::{Placeholders, Refused};
use crate::llm::texts::{Opaque, Place, Text};
use crate::policy::content::Content;
use serde_json::{Value, json};
use std::rc::Rc;

const CARD: u64 = 4_111_111_111_111_111;

fn rules(action: &str, on: &str) -> Rc<Content> {
    content(&json!([{"name": "people", "find": ["email", "card"], "action": action, "on": [on]}]))
}

/// What can stand in a row, and what of it is found.
struct Leaf {
    value: Value,
    mails: usize,
    cards: usize,
}

fn leaf(value: Value, mails: usize, cards: usize) -> Leaf {
    Leaf { value, mails, cards }
}

fn base64() -> String {
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(30)
}

/// In an answer, media are not looked at.
fn leaves(row: &Row, in_answer: bool) -> Vec<Leaf> {
    let escaped = json!({"to": MAIL}).to_string().replace('@', "\\u0040");
    let mut leaves = match row.field().key {
        Some(Text::In { json, .. }) => vec![
            leaf(json!(format!("Dear {MAIL}!")), 1, 0),
            leaf(json!(["x", format!(" {MAIL} "), [format!(" {MAIL} ")]]), 2, 0),
            leaf(json!(CARD), 0, 1),
            leaf(json!([1, CARD, "4111 1111 1111 1111"]), 0, 2),
            leaf(json!(if json { escaped } else { format!(" {MAIL} ") }), 1, 0),
            leaf(json!(base64()), 0, 0),
        ],
        Some(Text::Message) => {
            vec![
                leaf(json!(MAIL), 1, 0),
                leaf(json!([MAIL, MAIL]), 2, 0),
                leaf(json!([CARD]), 0, 1),
                leaf(json!(base64()), 0, 0),
            ]
        }
        Some(Text::Opaque(Opaque::Media)) if !in_answer => vec![
            leaf(json!(format!("https://example.org/?to={MAIL}")), 1, 0),
            leaf(json!([format!("data: {MAIL}")]), 1, 0),
            leaf(json!(base64()), 0, 0),
            leaf(json!(format!("data:image/png;base64,{}", base64())), 0, 0),
        ],
        Some(Text::Opaque(Opaque::Media)) => vec![leaf(json!(base64()), 0, 0)],
        Some(Text::Turn) => vec![],
        None | Some(Text::Opaque(_)) => {
            vec![leaf(json!(MAIL), 0, 0), leaf(json!({"x": MAIL}), 0, 0), leaf(json!([CARD]), 0, 0)]
        }
        Some(Text::Role | Text::Index | Text::Kind | Text::End) => vec![leaf(json!(MAIL), 0, 0)],
    };
    if row.has_rest() {
        leaves.push(leaf(json!({MAIL: 0, "4111111111111111": MAIL}), 2, 1));
        leaves.push(leaf(json!({"x": {"y": [{"z": [format!("To {MAIL}!"), {"n": CARD}]}]}}), 1, 1));
    }
    leaves
}

/// A body with placeholders in the place of what is found in it.
fn masked(body: &str) -> String {
    let mut masked = body.replace(MAIL, "[EMAIL_1]").replace("jo.doe\\\\u0040example.com", "[EMAIL_1]");
    for (number, by) in [("4111 1111 1111 1111", "[CARD_2]"), ("\"4111111111111111\"", "\"[CARD_1]\"")] {
        masked = masked.replace(number, by);
    }
    masked.replace("4111111111111111", "\"[CARD_1]\"")
}

fn by_byte(body: &str) -> Vec<&[u8]> {
    body.as_bytes().chunks(1).collect()
}

#[test]
fn what_stands_in_any_row_of_a_request_is_found_masked_and_restored_and_nothing_else_changes() {
    let (mask, restore) = (rules("mask", "request"), rules("restore", "request"));
    let rows = all(|texts| texts.request);
    assert!(rows.len() > 500, "{}", rows.len());
    for row in &rows {
        for Leaf { value, mails, cards } in leaves(row, false) {
            let body = row.document(value, None).to_string();
            let expected = if mails + cards > 0 { masked(&body) } else { body.clone() };
            for (content, chunks) in
                [(&mask, vec![body.as_bytes()]), (&mask, by_byte(&body)), (&restore, vec![body.as_bytes()])]
            {
                let (sent, screened) = screened(content, row.schema(), &chunks);
                assert_eq!(String::from_utf8(sent).unwrap(), expected, "{row}: {body}");
                let found: u64 = screened.seen.found.iter().map(|found| found.times).sum();
                assert_eq!(found, (mails + cards) as u64, "{row}: {body}");
                assert_eq!(screened.refused, None);
            }
        }
    }
}

#[test]
fn a_finding_in_any_row_of_a_request_is_counted_and_refused_where_it_stands() {
    let (count, refuse) = (rules("count", "request"), rules("refuse", "request"));
    for row in all(|texts| texts.request) {
        let place = row.place(Place::Other);
        for Leaf { value, mails, cards } in leaves(&row, false) {
            let body = row.document(value.clone(), None).to_string();
            let (sent, counted) = screened(&count, row.schema(), &[body.as_bytes()]);
            assert_eq!(String::from_utf8(sent).unwrap(), body);
            let found: u64 = counted.seen.found.iter().map(|found| found.times).sum();
            assert_eq!(found, (mails + cards) as u64, "{row}: {body}");
            let (_, refused) = screened(&refuse, row.schema(), &[body.as_bytes()]);
            match refused.refused {
                Some(Refused::Found { place: found, .. }) if mails + cards > 0 => {
                    // What is in an object has a row of its own.
                    assert!(found == place || value.is_object() || value.is_array(), "{row}: {found:?}");
                }
                other => assert!(other.is_none() && mails + cards == 0, "{row}: {body} {other:?}"),
            }
        }
    }
}

#[test]
fn what_stands_in_any_row_of_an_answer_is_masked_and_nothing_else_changes() {
    let mask = rules("mask", "answer");
    for row in all(|texts| texts.answer) {
        for Leaf { value, mails, cards } in leaves(&row, true) {
            let body = row.document(value, None).to_string();
            let expected = if mails + cards > 0 { masked(&body) } else { body.clone() };
            for chunks in [vec![body.as_bytes()], by_byte(&body)] {
                let out = passed(&mask, row.schema(), Placeholders::default(), &chunks);
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{row}: {body}");
            }
        }
    }
}

/// One event for each, and what stands in the row of the events of a turn.
fn events(row: &Row, pieces: &[(&str, Option<u64>)], end: &str) -> String {
    let event = |(piece, nth): &(&str, Option<u64>)| format!("data: {}{end}{end}", row.document(json!(piece), *nth));
    pieces.iter().map(event).collect()
}

fn said(row: &Row, stream: &[u8], end: &str) -> Vec<String> {
    let text = std::str::from_utf8(stream).unwrap();
    let blank = end.repeat(2);
    let data = text.split(&blank).filter_map(|event| event.strip_prefix("data: "));
    let value = |data: &str| serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
    data.map(|data| row.leaf(&value(data)).as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_address_in_a_row_that_joins_is_masked_wherever_two_events_split_it_and_whatever_comes_between() {
    let mask = rules("mask", "answer");
    let mut joining = 0;
    for row in all(|texts| texts.event) {
        let Some(Text::In { joins: true, json, .. }) = row.field().key else { continue };
        joining += 1;
        let nested = json!({"to": MAIL, "n": "\n"}).to_string().replace('@', "\\u0040");
        let text = if json { nested } else { format!("Dear {MAIL}, hello") };
        let expected = text.replace(MAIL, "[EMAIL_1]").replace("jo.doe\\u0040example.com", "[EMAIL_1]");
        let nth = row.has_index().then_some(3);
        for at in 1..text.len() {
            let (one, other) = text.split_at(at);
            let end = ["\n", "\r\n", "\r"][at % 3];
            let mut pieces = vec![(one, nth), (other, nth)];
            if nth.is_some() {
                pieces.insert(1, ("x", Some(1)));
            }
            let body = events(&row, &pieces, end);
            let half = body.len() / 2;
            for chunks in [vec![body.as_bytes()], vec![&body.as_bytes()[..half], &body.as_bytes()[half..]]] {
                let out = passed(&mask, row.schema(), Placeholders::default(), &chunks);
                let mut said = said(&row, &out, end);
                if nth.is_some() {
                    assert!(said.len() == 3, "{row}: {}", String::from_utf8_lossy(&out));
                    assert_eq!(said.remove(1), "x", "{row}");
                }
                assert_eq!(said.concat(), expected, "{row} at {at}: {}", String::from_utf8_lossy(&out));
            }
        }
    }
    assert!(joining > 30, "{joining}");
}
