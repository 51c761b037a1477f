//! Bodies that nobody honest sends, and those of real servers: nothing breaks, nothing is kept for long, and no cut matters.

use super::examples::{all, events, texts};
use super::{calls, ended, feed, told, told_as};
use crate::llm::meter::Form;
use crate::llm::schema;
use crate::tools::called::Calls;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn answers() -> Vec<(String, PathBuf)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let list =
        |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut answers = Vec::new();
    for api in list(&fixtures).into_iter().filter(|path| path.is_dir()) {
        let name = api.file_name().unwrap().to_str().unwrap().to_owned();
        for case in list(&api).into_iter().filter(|path| path.is_dir()) {
            let files = list(&case).into_iter().filter(|file| file.file_stem().unwrap() == "answer");
            answers.extend(files.map(|file| (name.clone(), file)));
        }
    }
    assert!(answers.len() > 300);
    answers
}

#[test]
fn the_answers_of_the_corpus_call_the_same_however_they_are_cut() {
    let mut called = 0;
    for (api, file) in answers() {
        let Some(schema) = schema::named(&api) else { continue };
        if Calls::new(schema, Form::Json).is_none() {
            continue;
        }
        let mut body = std::fs::read(&file).unwrap();
        if file.extension().unwrap() == "frames" {
            let lines = String::from_utf8(body).unwrap();
            let payload = |line: &str| serde_json::from_str::<Value>(line).unwrap()["payload"].to_string();
            body = lines.lines().flat_map(|line| super::examples::frame(&payload(line))).collect();
        }
        let form = if file.extension().unwrap() == "sse" { Form::Sse } else { Form::Json };
        let whole = told_as(&api, form, &[&body]);
        called += ended(&whole.0).len();
        for size in [1, 7, 61] {
            assert_eq!(told_as(&api, form, &body.chunks(size).collect::<Vec<_>>()), whole, "{}", file.display());
        }
        assert!(whole.0.iter().all(|heard| !heard.name.is_empty()), "{} {:?}", file.display(), whole.0);
    }
    assert!(called > 20, "{called}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_break_anything(bytes in prop::collection::vec(any::<u8>(), 0..200), first in "[{\\[d:\\x00]") {
        for schema in schema::ALL {
            let Some(mut calls) = Calls::new(schema, Form::Opaque) else { continue };
            let body = [first.as_bytes(), &bytes].concat();
            let (mut heard, mut unread) = (Vec::new(), 0);
            feed(&mut calls, &body, true, &mut heard, &mut unread);
            prop_assert!(calls.open.kept.is_empty());
        }
    }

    #[test]
    fn no_change_of_an_answer_breaks_anything(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
        size in 1..90_usize,
    ) {
        let examples = all();
        let example = which.get(&examples);
        let mut body = example.body.clone();
        for (at, byte, kind) in changes {
            let at = at.index(body.len().max(1));
            match kind {
                0 if at < body.len() => body[at] = byte,
                1 => body.truncate(at),
                2 if at < body.len() => drop(body.remove(at)),
                _ => {
                    let again = body[at.min(body.len())..].to_vec();
                    body.extend(again);
                }
            }
        }
        let (mut calls, mut heard, mut unread) = (calls(example.api), Vec::new(), 0);
        for chunk in body.chunks(size) {
            feed(&mut calls, chunk, false, &mut heard, &mut unread);
            if let Some(from) = calls.open_from() {
                prop_assert!(from <= calls.documents.at());
            }
        }
        feed(&mut calls, b"", true, &mut heard, &mut unread);
        prop_assert!(calls.open.kept.is_empty() && calls.open_from().is_none());
        if !body.is_empty() {
            prop_assert_eq!((heard, unread), told(example.api, &[&body]));
        }
    }
}

/// As many calls as fit, of which none ends, and one whose arguments are all escapes: a megabyte is read in a moment.
#[test]
fn a_megabyte_of_calls_takes_no_longer_than_it_should() {
    let call = |index: u64| json!({"choices": [{"delta": {"tool_calls": [{"index": index % 90, "function": {"name": "f", "arguments": "[\"\\u0041\""}}]}}]});
    let stream = events(&texts(&(0..8_000).map(call).collect::<Vec<_>>()));
    let (mut calls, mut heard, mut unread) = (calls("openai_chat"), Vec::new(), 0);
    for chunk in stream.chunks(16_384) {
        feed(&mut calls, chunk, false, &mut heard, &mut unread);
        assert!(calls.open_from().is_some());
    }
    feed(&mut calls, b"", true, &mut heard, &mut unread);
    let items: Vec<_> =
        (0..8_000).map(|nth| json!({"type": "function_call", "name": "f", "arguments": format!("[{nth}]")})).collect();
    let completed = json!({"type": "response.completed", "response": {"output": items}});
    assert_eq!(ended(&told("openai_responses", &[&events(&[completed.to_string()])]).0).len(), 8_000);
}
