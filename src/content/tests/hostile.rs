//! Bodies that nobody honest sends: nothing breaks, and what can't be followed is refused or withheld.

use super::{MAIL, chat, content, goes_on, mails, passed, said, screened, stream};
use crate::content::{AnswerTexts, Placeholders, Prompt, Refused};
use crate::detect::{self, Work};
use crate::llm::meter::Passage;
use crate::llm::texts::Opaque;
use crate::policy::content::Content;
use crate::route::Sensitivity;
use proptest::prelude::*;
use serde_json::json;
use std::rc::Rc;

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

/// A body that never ends keeps what was found in it: a finding for each few bytes takes a few times as many, and all of it is told.
#[test]
fn what_is_found_in_each_few_bytes_is_kept_in_little_and_told() {
    let content = content(&mails("count"));
    let mail = || json!({"type": "text", "text": MAIL});
    let parts: Vec<_> = std::iter::repeat_with(mail).take(4_000).collect();
    let keyed = format!("{{\"{}\": 1}}", ["a@b.co"; 1_000].join("\": 2, \""));
    let escaped = json!("a@b.co\n".repeat(30_000)).to_string().replace('.', "\\u002e");
    let bodies = [
        json!({"messages": [{"role": "user", "content": "a@b.co ".repeat(60_000)}]}).to_string(),
        json!({"messages": [{"content": "a@b.co ".repeat(60_000), "role": "user"}]}).to_string(),
        json!({"messages": [{"content": parts, "role": "user"}]}).to_string(),
        format!(r#"{{"messages":[{{"role":"user","content":{escaped}}}]}}"#),
    ];
    for body in bodies {
        for size in [16_384, usize::MAX] {
            let mut prompt = Prompt::new(&content, chat(), false).unwrap();
            let mut last = 0;
            for chunk in body.as_bytes().chunks(size) {
                prompt.feed(chunk);
                last = prompt.weight();
            }
            assert!((body.len() / 10..body.len() * 24).contains(&last), "{last} of {}: {:.60}", body.len(), body);
        }
    }
    let body = json!({"messages": [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": keyed}}]}]});
    let mut prompt = Prompt::new(&content, chat(), false).unwrap();
    prompt.feed(body.to_string().as_bytes());
    assert!(prompt.weight() > 100 * 1_000);
}

/// What stretches become, put together, is what they were.
#[test]
fn a_body_is_edited_as_one_however_it_comes() {
    const ROLES: [&str; 3] = ["user", "assistant", "tool"];
    let content = content(&mails("mask"));
    let texts = ["a@b.co, b@c.de", "\u{e4}@ ", "to jo@d.ee\n", "x@y.zz x@", "", "q.de"];
    let part = |nth: usize| json!({"type": "text", "text": texts[nth % texts.len()]});
    let message = |nth: usize| {
        let parts: Vec<_> = (nth..nth + 9).map(part).collect();
        json!({"content": parts, "role": ROLES[nth % 3], "a@b.co": nth})
    };
    let body = json!({"messages": (0..30).map(message).collect::<Vec<_>>()}).to_string().replace('@', "\\u0040");
    let (whole, seen) = screened(&content, chat(), &[body.as_bytes()]);
    let whole = String::from_utf8(whole).unwrap();
    assert!(whole.contains("[EMAIL_1]") && !whole.contains("jo\\u0040"), "{whole}");
    for size in [1, 2, 7, 100, 1_000] {
        let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
        let (sent, again) = screened(&content, chat(), &chunks);
        assert_eq!((String::from_utf8(sent).unwrap(), &again.seen), (whole.clone(), &seen.seen), "{size}");
    }
}

/// A key of thousands of bytes has a placeholder of ten, and a model repeats what it is told to.
#[test]
fn what_is_restored_makes_an_answer_longer_by_so_much_and_no_more() {
    let content = content(&json!([{"name": "keys", "find": ["private_key"], "action": "restore"}]));
    let key =
        format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----", (("A".repeat(64)) + "\n").repeat(100));
    let body = json!({"messages": [{"role": "user", "content": key}]}).to_string();
    let (sent, screened) = screened(&content, chat(), &[body.as_bytes()]);
    assert!(String::from_utf8(sent).unwrap().contains("[PRIVATE_KEY_1]"));
    let answer = stream(&["[PRIVATE_KEY_1] "; 2_400]);
    let mut texts = AnswerTexts::new(&content, chat(), screened.placeholders).unwrap();
    let out = goes_on(&mut texts, &answer.as_bytes().chunks(4_096).collect::<Vec<_>>());
    assert!(out.len() - answer.len() <= 4 << 20, "{} of {}", out.len(), answer.len());
    assert!(out.len() > 4 << 20);
    let seen = texts.seen();
    assert_eq!(seen.restored + seen.opaque[Opaque::TooMuchWork as usize], 2_400);
    assert!(said(&out).ends_with("[PRIVATE_KEY_1] "));
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

fn all_detectors(action: &str) -> Rc<Content> {
    let names: Vec<_> = detect::ALL.iter().map(|detector| detector.name).collect();
    content(&json!([{"name": "all", "find": names, "action": action, "on": ["request", "answer"]}]))
}

/// Steps that a thousand bytes take of a body that says this over and over, with all detectors; nothing, if it is given up.
fn steps_of_1000(content: &Rc<Content>, said: &str) -> Option<u64> {
    let body = json!({"messages": [{"role": "user", "content": said.repeat(100_000 / said.len() + 1)}]}).to_string();
    let mut prompt = Prompt::new(content, chat(), false).unwrap();
    body.as_bytes().chunks(16_384).for_each(|chunk| prompt.feed(chunk));
    let mut given = Work::START;
    given.read(body.len());
    let spent = given.left() - prompt.work_left();
    prompt.given_up().is_none().then_some(spent * 1_000 / body.len() as u64)
}

/// What takes less than two steps a byte is looked at to its end, however long it is; tables up to some megabytes.
#[test]
fn ordinary_text_is_never_too_much_work() {
    let content = all_detectors("count");
    let code = concat!(include_str!("../prompt.rs"), include_str!("hostile.rs"));
    let ordinary = [
        code,
        include_str!("../../../envoy/manual/content.md"),
        include_str!("../../../Cargo.lock"),
        "Dear Jo, your number is 12345. Call +49 89 636 48018, or mail jo.doe@example.com. Bye!\n",
        "2026-11-30T12:13:14.123Z INFO 10.0.0.1 GET /v1/chat 200 12.5ms\n",
        "{\"id\": 123, \"name\": \"x y\", \"v\": [1.5, 2.5]}, ",
    ];
    for text in ordinary {
        let steps = steps_of_1000(&content, text);
        assert!(steps.is_some_and(|steps| steps < 2_000), "{steps:?}: {text:.60}");
    }
    for table in ["1 0 0 1 12 255 ", "0.123456 -1.234567 12.3456 ", "2024-01-01;12.50;4711;+49 89 636 48018;-3\n"] {
        let mut work = Work::START;
        work.read(1_900_000);
        let steps = steps_of_1000(&content, table);
        assert!(steps.is_some_and(|steps| steps * 1_900 < work.left()), "{steps:?}: {table}");
    }
}

/// A few kilobytes of gzip become megabytes at once, and nobody else is served until they are looked at.
#[test]
fn what_takes_too_much_work_is_given_up_long_before_its_end() {
    let content = all_detectors("count");
    let body = json!({"messages": [{"role": "user", "content": "1.1.1.1.".repeat(1 << 19)}]}).to_string();
    let mut prompt = Prompt::new(&content, chat(), false).unwrap();
    let mut read = 0;
    for chunk in body.as_bytes().chunks(65_536) {
        if prompt.given_up().is_none() {
            prompt.feed(chunk);
            read += chunk.len();
        }
    }
    let (refused, seen) = prompt.given_up().unwrap();
    assert_eq!((refused, seen.opaque[Opaque::TooMuchWork as usize]), (Refused::Opaque(Opaque::TooMuchWork), 1));
    assert!(read < 1 << 20, "{read} of {}", body.len());
}

/// An answer of many vectors is longer than any text.
#[test]
fn an_answer_of_numbers_is_looked_at_to_its_end() {
    let content = all_detectors("count");
    for schema in ["openai_embeddings", "gemini_embed", "ollama_embed"] {
        let schema = crate::llm::schema::named(schema).unwrap();
        let vector = vec![-0.012_345_678_901_234_5; 1_536];
        let vectors: Vec<_> = (0..50).map(|nth| json!({"index": nth, "embedding": vector, "values": vector})).collect();
        let body = json!({"data": vectors, "embeddings": vectors}).to_string();
        let mut texts = AnswerTexts::new(&content, schema, Placeholders::default()).unwrap();
        goes_on(&mut texts, &body.as_bytes().chunks(16_384).collect::<Vec<_>>());
        assert_eq!((texts.seen().opaque[Opaque::TooMuchWork as usize], body.len() > 5_000_000), (0, true));
    }
}
