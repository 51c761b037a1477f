//! How the tests walk a text: at each place the longest match is taken and checked, and the way goes on behind a finding.

use super::{Candidate, Detector};
use core::ops::Range;
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton, StartKind, dense},
    util::{start, syntax},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

type Dfa = Rc<dense::DFA<Vec<u32>>>;

thread_local! {
    static BUILT: RefCell<BTreeMap<&'static str, Dfa>> = const { RefCell::new(BTreeMap::new()) };
}

fn dfa(detector: &Detector) -> Dfa {
    let build = || {
        let built = dense::Builder::new()
            .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(detector.pattern);
        Rc::new(built.unwrap_or_else(|error| panic!("{}: {error}", detector.name)))
    };
    BUILT.with_borrow_mut(|built| Rc::clone(built.entry(detector.name).or_insert_with(build)))
}

fn longest(dfa: &Dfa, text: &[u8], at: usize, most: usize) -> Option<usize> {
    let mut state = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).unwrap();
    let mut end = None;
    for (at, byte) in text.iter().enumerate().skip(at).take(most) {
        state = dfa.next_state(state, *byte);
        if dfa.is_match_state(state) {
            end = Some(at);
        } else if dfa.is_dead_state(state) {
            return end;
        }
    }
    // A match is told one byte late.
    let last = text.len().min(at + most);
    let late = match text.get(last) {
        Some(byte) => dfa.next_state(state, *byte),
        None => dfa.next_eoi_state(state),
    };
    if dfa.is_match_state(late) { Some(last) } else { end }
}

pub fn findings(detector: &Detector, text: &str) -> Vec<Range<usize>> {
    let dfa = dfa(detector);
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let finding = longest(&dfa, bytes, at, detector.longest).filter(|end| *end > at).and_then(|end| {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            // A match of ASCII never begins within a character.
            let candidate = Candidate { before, text: text.get(at..end)?, after: bytes.get(end).copied() };
            let range = (detector.check)(&candidate)?;
            assert!(super::stretch::begins_word(before, bytes[at]), "{}: within a word of {text:?}", detector.name);
            assert!(range.start < range.end && range.end <= end - at, "{}: {range:?} of {text:?}", detector.name);
            Some(at + range.start..at + range.end)
        });
        match finding {
            Some(range) => {
                assert!(text.get(range.clone()).is_some(), "{}: {range:?} of {text:?}", detector.name);
                at = range.end;
                found.push(range);
            }
            None => at += 1,
        }
    }
    found
}

/// Texts with what is found in them between `«` and `»`.
pub fn finds(detector: &Detector, marked: &[&str]) {
    assert!(marked.len() >= 12, "{}: {} findings", detector.name, marked.len());
    for marked in marked {
        let (mut text, mut expected, mut start) = (String::new(), Vec::new(), 0);
        for letter in marked.chars() {
            match letter {
                '«' => start = text.len(),
                '»' => expected.push(start..text.len()),
                other => text.push(other),
            }
        }
        let found = findings(detector, &text);
        let told: Vec<&str> = found.iter().filter_map(|range| text.get(range.clone())).collect();
        assert_eq!(found, expected, "{}: {marked:?} gives {told:?}", detector.name);
    }
}

/// Texts in which nothing is found, each with the reason.
pub fn passes_over(detector: &Detector, texts: &[(&str, &str)]) {
    assert!(texts.len() >= 12, "{}: {} near misses", detector.name, texts.len());
    for (text, reason) in texts {
        let told: Vec<&str> = findings(detector, text).into_iter().filter_map(|range| text.get(range)).collect();
        assert!(told.is_empty(), "{}: {text:?} gives {told:?}, but {reason}", detector.name);
    }
}

/// A text in pieces of so many bytes, and the rest.
pub fn pieces<'t>(mut text: &'t str, sizes: &[usize]) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    for size in sizes {
        let (piece, rest) = text.split_at(*size);
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

/// Surroundings for what is generated: a text before it and one after.
pub const AROUND: [(&str, &str); 8] = [
    ("", ""),
    ("Please note ", " and answer."),
    ("{\"value\":\"", "\",\"more\":1}"),
    ("(", ")"),
    ("a, ", ", b"),
    ("Überweisung: ", "。"),
    ("line one\n", "\nline three"),
    ("x = '", "'; y = 2"),
];

/// That `value` is found, and nothing else, wherever it stands.
pub fn is_found(detector: &Detector, value: &str) {
    for (before, after) in AROUND {
        let text = format!("{before}{value}{after}");
        let expected = before.len()..before.len() + value.len();
        assert_eq!(findings(detector, &text), [expected], "{}: {text:?}", detector.name);
    }
}

/// That `value` is not found as a whole, wherever it stands.
pub fn is_passed_over(detector: &Detector, value: &str) {
    for (before, after) in AROUND {
        let text = format!("{before}{value}{after}");
        let whole = before.len()..before.len() + value.len();
        assert!(!findings(detector, &text).contains(&whole), "{}: {text:?}", detector.name);
    }
}
