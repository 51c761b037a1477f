//! Bodies that nobody honest sends: nothing breaks, and what can't be followed is refused or withheld.

use super::{MAIL, chat, content, mails, passed, screened};
use crate::content::{AnswerTexts, Placeholders, Prompt, Refused};
use crate::llm::meter::Passage;
use crate::llm::texts::Opaque;
use crate::route::Sensitivity;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn what_is_deep_is_followed_to_the_last_level() {
    let content = content(&mails("mask"));
    for depth in [1, 16, 17, 60, 124] {
        let body = format!(
            r#"{{"messages":[{{"role":"user","x":{}"{MAIL}"{}}}]}}"#,
            r#"{"a":["#.repeat(depth / 2),
            "]}".repeat(depth / 2)
        );
        let (sent, _) = screened(&content, chat(), &[body.as_bytes()]);
        assert_eq!(String::from_utf8(sent).unwrap(), body.replace(MAIL, "[EMAIL_1]"), "{depth}");
    }
}

#[test]
fn a_key_that_is_too_long_is_refused() {
    for key in ["k".repeat(10_000), format!("{}{MAIL}", "k ".repeat(200))] {
        let body = json!({"messages": [{"role": "user", "x": {key: 1}}]}).to_string();
        let (_, screened) = screened(&content(&mails("mask")), chat(), &[body.as_bytes()]);
        assert_eq!(screened.refused, Some(Refused::Opaque(Opaque::TooLong)));
    }
}

#[test]
fn a_hundred_thousand_parts_are_each_looked_at() {
    let parts: Vec<_> =
        (0..100_000).map(|nth| json!({"type": "text", "text": if nth % 1_000 == 0 { MAIL } else { "x" }})).collect();
    let body = json!({"messages": [{"role": "user", "content": parts}]}).to_string();
    let (sent, screened) = screened(&content(&mails("mask")), chat(), &[body.as_bytes()]);
    assert_eq!(screened.seen.texts, 100_000);
    assert_eq!(String::from_utf8(sent).unwrap(), body.replace(MAIL, "[EMAIL_1]"));
}

/// Some pattern ends in each few bytes, and nothing is found: what is kept of it is what may still be found.
#[test]
fn what_almost_matches_in_a_request_is_not_held() {
    let content = content(&mails("mask"));
    let body = json!({"messages": [{"role": "user", "content": "a@b ".repeat(100_000) + MAIL}]}).to_string();
    let mut prompt = Prompt::new(&content, chat(), false).unwrap();
    for chunk in body.as_bytes().chunks(16_384) {
        prompt.feed(chunk);
        assert!(prompt.held() < 4, "{}", prompt.held());
    }
    let parts = vec![json!({"type": "text", "text": "a@b.co"}); 20_000];
    let body = json!({"messages": [{"role": "user", "content": parts}]}).to_string();
    let (sent, _) = screened(&content, chat(), &[body.as_bytes()]);
    assert_eq!(String::from_utf8(sent).unwrap(), body.replace("a@b.co", "[EMAIL_1]"));
}

/// What comes while there is no work left is not taken for looked at.
#[test]
fn what_hides_behind_hard_work_is_masked_or_refused() {
    let all = json!([{"name": "all", "find": ["email", "jwt", "card", "phone", "url_credentials"], "action": "mask"}]);
    let content = content(&all);
    let dots = "a.".repeat(160) + "@b.zz ";
    for hard in [dots.as_str(), "eyJ-", "eyJhbGciOi.", "a@b ", "1234 5678 ", "https://a:b"] {
        for size in [4_096, 65_536, usize::MAX] {
            let text = hard.repeat(400_000 / hard.len()) + " " + MAIL + " ";
            let body = json!({"messages": [{"role": "user", "content": text + &"words ".repeat(2_000)}]}).to_string();
            let chunks: Vec<_> = body.as_bytes().chunks(size.min(body.len() - 6_000)).collect();
            let (sent, screened) = screened(&content, chat(), &chunks);
            let passes = screened.refused.is_none() && String::from_utf8_lossy(&sent).contains(MAIL);
            assert!(!passes, "{hard} in pieces of {size}");
        }
    }
}

#[test]
fn lone_surrogates_and_bytes_that_are_no_text_break_nothing() {
    let content = content(&mails("mask"));
    for (body, expected) in [
        (
            r#"{"messages":[{"content":"\ud83d jo.doe\u0040example.com \ude00"}]}"#,
            r#"{"messages":[{"content":"\ud83d [EMAIL_1] \ude00"}]}"#,
        ),
        (
            r#"{"messages":[{"content":"\ud83d\ud83djo.doe@example.com\udc00"}]}"#,
            r#"{"messages":[{"content":"\ud83d\ud83d[EMAIL_1]\udc00"}]}"#,
        ),
    ] {
        let by_byte: Vec<_> = body.as_bytes().chunks(1).collect();
        for chunks in [vec![body.as_bytes()], by_byte] {
            let (sent, _) = screened(&content, chat(), &chunks);
            assert_eq!(String::from_utf8(sent).unwrap(), expected);
        }
    }
    let body = b"{\"choices\":[{\"delta\":{\"content\":\"to jo.doe@example.com \xff\xfe\"}}]}";
    let out = passed(&content, chat(), Placeholders::default(), &[body]);
    assert!(!String::from_utf8_lossy(&out).contains("jo.doe") && out.ends_with(b"\xff\xfe\"}}]}"));
}

/// An answer of one long text, in chunks as Envoy has them: what came out, and what was said of it.
fn long(text: &str) -> (usize, String, [u64; Opaque::ALL.len()]) {
    let content = content(
        &json!([{"name": "all", "find": ["email", "jwt", "card", "phone", "url_credentials"], "action": "mask", "on": ["answer"]}]),
    );
    let mut texts = AnswerTexts::new(&content, chat(), Placeholders::default()).unwrap();
    let body = json!({"choices": [{"delta": {"content": text}}]}).to_string();
    let (mut out, mut most_held, mut came) = (Vec::new(), 0, 0);
    let chunks: Vec<_> = body.as_bytes().chunks(16_384).collect();
    for (nth, chunk) in chunks.iter().enumerate() {
        came += chunk.len();
        match texts.feed(chunk, nth + 1 == chunks.len()) {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
        most_held = most_held.max(came.saturating_sub(out.len()));
    }
    (most_held, String::from_utf8(out).unwrap(), texts.seen().opaque)
}

#[test]
fn almost_matches_without_an_end_are_passed_or_withheld_and_little_is_held() {
    for part in ["a.", "a@", "a@b", "1234 ", "eyJ-", "eyJ.", "https://a:", "1", "+1 (", "4111 1111 ", "[EMAIL_"] {
        let text = part.repeat(400_000 / part.len());
        let (held, out, _) = long(&text);
        serde_json::from_str::<serde_json::Value>(&out).unwrap_or_else(|error| panic!("{part}: {error}"));
        // What is withheld or masked is no longer held.
        if out.len() > 400_000 {
            assert!(held < 200_000, "{part}: {held}");
        }
    }
}

/// Of this process, in bytes, as Linux tells it.
fn resident() -> usize {
    const PAGE: usize = 4096;
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
}

#[test]
#[ignore = "a gigabyte: make check-texts"]
fn a_gigabyte_of_almost_matches_streams_by_and_holds_little() {
    const PARTS: [&str; 11] =
        ["a.", "a@", "a@b", "1234 ", "eyJ-", "eyJ.", "https://a:", "1", "+1 (", "4111 1111 ", "[EMAIL_"];
    const EVENT: usize = 4_000;
    let content = content(
        &json!([{"name": "all", "find": ["email", "jwt", "card", "phone", "url_credentials"], "action": "mask", "on": ["answer"]}]),
    );
    let mut texts = AnswerTexts::new(&content, chat(), Placeholders::default()).unwrap();
    let before = resident();
    let (mut came, mut gone, mut most_held) = (0_usize, 0, 0);
    while came < 1 << 30 {
        for part in PARTS {
            let delta = json!({"choices": [{"index": 0, "delta": {"content": part.repeat(EVENT / part.len())}}]});
            let event = format!("data: {delta}\n\n");
            for _ in 0..256 {
                came += event.len();
                gone += match texts.feed(event.as_bytes(), false) {
                    Passage::Unchanged => event.len(),
                    Passage::Replaced(bytes) => bytes.len(),
                };
                most_held = most_held.max(came.saturating_sub(gone));
            }
            // What was masked is shorter, and no longer held.
            gone = came;
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{came} bytes, {most_held} held at most, {grown} more in memory");
    assert!(grown < 64 << 20, "{grown} bytes");
}

#[test]
fn a_request_that_takes_too_much_work_is_refused_and_an_honest_one_is_not() {
    let content = content(
        &json!([{"name": "all", "find": ["email", "jwt", "card", "phone", "api_key", "secret"], "action": "mask"}]),
    );
    let of = |text: String| {
        let body = json!({"messages": [{"role": "user", "content": text}]}).to_string();
        let mut prompt = Prompt::new(&content, chat(), false).unwrap();
        body.as_bytes().chunks(16_384).for_each(|chunk| prompt.feed(chunk));
        prompt.screened(None, None, &"acme".into()).into_at(Sensitivity::Public).refused
    };
    assert_eq!(of("Dear Jo, your number is 12345. Bye!\n".repeat(30_000)), None);
    for row in ["2024-01-01;12.50;4711;+49 89 636 48018;-3\n", "1 0 0 1 12 255 ", "-3 0.5 1e9 "] {
        assert_eq!(of(row.repeat(1_000_000 / row.len())), None);
    }
    for part in ["a.", "a.a@b.", "1-", "eyJ-"] {
        let refused = of(part.repeat(1_000_000 / part.len()));
        assert!(matches!(refused, None | Some(Refused::Opaque(Opaque::TooMuchWork))), "{part}");
    }
}

proptest! {
    #[test]
    fn no_bytes_at_all_break_it(
        head in prop::sample::select(vec![&b"data: "[..], b"{", b"[", b"", b"\xef\xbb\xbf{\"choices\":[", b"event: x\ndata: {\"choices\":"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\",:a0\\\\ud8@.\n-]{0,80}", size in 1..40_usize,
    ) {
        let mask = content(&mails("mask"));
        for rest in [&bytes[..], text.as_bytes()] {
            let body = [head, rest].concat();
            let chunks: Vec<_> = body.chunks(size).collect();
            let out = passed(&mask, chat(), Placeholders::default(), &chunks);
            prop_assert!(out.len() <= body.len() + 1_000);
            screened(&mask, chat(), &chunks);
        }
    }
}
