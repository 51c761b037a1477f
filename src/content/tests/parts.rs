//! What goes on from one part of a content into the next, and what doesn't.

use super::{MAIL, chat, content, screened};
use crate::content::{Refused, Screened};
use crate::llm::schema;
use crate::llm::texts::Opaque;
use serde_json::{Value, json};

fn masked(parts: &[Value]) -> (Value, Screened) {
    masked_by(&json!([{"name": "people", "find": ["email", "card"], "action": "mask"}]), parts)
}

fn masked_by(rules: &Value, parts: &[Value]) -> (Value, Screened) {
    let body = json!({"messages": [{"role": "user", "content": parts}, {"role": "user", "content": "x"}]}).to_string();
    let (sent, screened) = screened(&content(rules), chat(), &[body.as_bytes()]);
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    (sent["messages"][0]["content"].clone(), screened)
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn texts(parts: &[&str]) -> Vec<Value> {
    parts.iter().map(|part| text(part)).collect()
}

#[test]
fn each_part_is_a_text_by_itself_whatever_stands_beside_it() {
    let long = "a".repeat(2_000);
    let base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(40);
    for (parts, expected) in [
        (["My card", "4111111111111111"], ["My card", "[CARD_1]"]),
        (["4111111111111111", "2 apples"], ["[CARD_1]", "2 apples"]),
        (["Write to", MAIL], ["Write to", "[EMAIL_1]"]),
        ([MAIL, "2024-01-01"], ["[EMAIL_1]", "2024-01-01"]),
        ([MAIL, &long], ["[EMAIL_1]", &long]),
        ([MAIL, &base64], ["[EMAIL_1]", &base64]),
        (["x", "y"], ["x", "y"]),
    ] {
        assert_eq!(masked(&texts(&parts)).0, json!(texts(&expected)), "{parts:?}");
    }
}

#[test]
fn what_is_split_over_parts_is_found_wherever_it_is_split_and_however_often() {
    for one in 1..MAIL.len() {
        let (sent, screened) =
            masked(&texts(&[&format!("Dear {}", MAIL.split_at(one).0), &format!("{}, hello", MAIL.split_at(one).1)]));
        let said = format!("{}{}", sent[0]["text"].as_str().unwrap(), sent[1]["text"].as_str().unwrap());
        // The end of an address may be one, and so may its beginning.
        assert!(said.contains("[EMAIL_1]") && !said.contains("doe@example.com"), "{one}: {said}");
        assert_eq!(screened.seen.found[0].times, 1);
    }
    let letters: Vec<_> = MAIL.chars().map(|letter| text(&letter.to_string())).collect();
    let (sent, _) = masked(&letters);
    let said: String = sent.as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect();
    assert_eq!(said, "[EMAIL_1]");
    // A picture, keys that no table knows and empty lists don't keep two texts apart.
    let between =
        json!({"type": "image_url", "image_url": {"url": "https://example.org/x.png"}, "x": [], "y": 123_456_789});
    let (sent, _) = masked(&[text("to jo.doe@exa"), between, text("mple.com")]);
    assert_eq!((&sent[0]["text"], &sent[2]["text"]), (&json!("to [EMAIL_1]"), &json!("")));
}

#[test]
fn nothing_goes_on_into_the_next_message() {
    let body =
        json!({"messages": [{"role": "user", "content": "jo.doe@exa"}, {"role": "user", "content": "mple.com"}]});
    let (sent, _) = screened(&content(&super::mails("mask")), chat(), &[body.to_string().as_bytes()]);
    assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), body);
}

#[test]
fn what_is_only_counted_hides_nothing_that_is_masked_or_refused() {
    let rules = |action: &str| {
        json!([
            {"name": "all", "patterns": ["[a-z.@]{3,60}"], "action": "count"},
            {"name": "mails", "find": ["email"], "action": action},
        ])
    };
    let parts = texts(&[MAIL, " jo.doe@exa", "mple.com"]);
    let (sent, screened) = masked_by(&rules("mask"), &parts);
    assert_eq!(sent, json!(texts(&["[EMAIL_1]", " [EMAIL_1]", ""])));
    assert!(screened.seen.found.iter().any(|found| &*found.rule == "all" && found.times >= 3));
    let (_, screened) = masked_by(&rules("refuse"), &parts);
    assert!(matches!(screened.refused, Some(Refused::Found { rule, .. }) if &*rule == "mails"));
    // Nor does what is masked hide what is refused.
    let rules = json!([
        {"name": "words", "patterns": ["[a-z.@]{3,60}"], "action": "mask"},
        {"name": "mails", "find": ["email"], "action": "refuse"},
    ]);
    assert!(masked_by(&rules, &parts).1.refused.is_some());
}

#[test]
fn something_encrypted_behind_a_text_keeps_what_was_found_in_it() {
    let body = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": MAIL}],
        "encrypted_content": {"x": 1}, "n": 4_111_111_111_111_111_u64, "summary": []}]});
    let (sent, screened) = screened(
        &content(&super::mails("mask")),
        schema::named("openai_responses").unwrap(),
        &[body.to_string().as_bytes()],
    );
    assert_eq!(String::from_utf8(sent).unwrap(), body.to_string().replace(MAIL, "[EMAIL_1]"));
    assert_eq!(screened.seen.opaque[Opaque::Encrypted as usize], 1);
}

#[test]
fn a_list_of_numbers_or_keys_is_no_file_of_base64() {
    let cards = "4111111111111111\n".repeat(100);
    let (sent, screened) = masked(&[text(&cards)]);
    assert_eq!(sent[0]["text"], cards.replace("4111111111111111", "[CARD_1]"));
    assert_eq!(screened.seen.opaque, [0; Opaque::ALL.len()]);
    let wrapped =
        format!("{}\r\n", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJiVBORw0KGgoAAAANSUhEUgAA").repeat(30) + "AAAA";
    let (_, screened) = masked(&[text(&wrapped)]);
    assert_eq!(screened.seen.opaque[Opaque::Media as usize], 1);
    let (sent, _) = masked(&[text(&format!("data: {MAIL},{}", "iVBORw0KGgo".repeat(200)))]);
    assert!(!sent.to_string().contains(MAIL));
}

#[test]
fn a_key_keeps_what_else_it_says_and_a_number_its_other_digits() {
    let rules = json!([
        {"name": "mails", "find": ["email"], "action": "mask"},
        {"name": "nine", "patterns": ["[1-8]{9}"], "action": "mask", "label": "NINE"},
    ]);
    let body =
        r#"{"messages":[{"role":"user","x":{"of \u00e9 jo.doe\u0040example.com, b@c.de \"":1,"n":1234567890123}}]}"#;
    let (sent, _) = screened(&content(&rules), chat(), &[body.as_bytes()]);
    let expected = r#"{"messages":[{"role":"user","x":{"of é [EMAIL_1], [EMAIL_2] \"":1,"n":1234567890123}}]}"#;
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
    let body = body.replace("1234567890123", "1234567810912");
    let (sent, _) = screened(&content(&rules), chat(), &[body.as_bytes()]);
    assert!(String::from_utf8(sent).unwrap().contains(r#""n":"[NINE_1]0912""#));
}
