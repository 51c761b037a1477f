//! How the tests of the detectors look at a text: by the automaton of the product, with one detector alone.

use super::{Automaton, Candidates, Detector, Pattern, Stretch, Work};
use core::ops::Range;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

thread_local! {
    static BUILT: RefCell<BTreeMap<&'static str, Rc<Automaton>>> = const { RefCell::new(BTreeMap::new()) };
}

fn automaton(detector: &Detector) -> Rc<Automaton> {
    let build = || Rc::new(Automaton::build(&[Pattern::of(detector)]).unwrap());
    BUILT.with_borrow_mut(|built| Rc::clone(built.entry(detector.name).or_insert_with(build)))
}

pub fn findings(detector: &Detector, text: &str) -> Vec<Range<usize>> {
    let stretch = Stretch { before: None, text: text.as_bytes(), after: None };
    let (mut found, mut work) = (Vec::new(), Work::START);
    let mut candidates = Candidates::default();
    candidates.look(&automaton(detector), stretch, text.len(), &mut work);
    candidates.findings(text.len(), (|_| true, |_: &Range<usize>| true), |finding| found.push(finding.range));
    for range in &found {
        assert!(text.get(range.clone()).is_some(), "{}: {range:?} of {text:?}", detector.name);
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
