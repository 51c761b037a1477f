//! The automaton and the text that it reads, against readers that look at everything again at each place.

use super::stretch::begins_word;
use super::*;
use proptest::prelude::*;

fn pattern(expression: &str) -> Pattern {
    let longest = bounded(expression, 64).unwrap_or_else(|flaw| panic!("{expression}: {flaw:?}"));
    Pattern { expression: expression.to_owned(), longest, check: whole_match }
}

/// A detector's expression may have no end of its own, but its findings have one.
const LONGEST: usize = 7;

/// Where an expression of letters, classes, letters that are optional or go on, and alternatives may end, from the beginning of a
/// text on.
fn ends(expression: &str, text: &[u8]) -> Vec<usize> {
    expression.split('|').flat_map(|branch| branch_ends(branch.as_bytes(), text, 0)).collect()
}

fn branch_ends(expression: &[u8], text: &[u8], at: usize) -> Vec<usize> {
    let (one, rest): (&[u8], &[u8]) = match expression {
        [] => return vec![at],
        [b'[', ..] => {
            let end = expression.iter().position(|byte| *byte == b']').unwrap();
            (&expression[1..end], &expression[end + 1..])
        }
        [letter, rest @ ..] => (std::slice::from_ref(letter), rest),
    };
    let (optional, rest) = rest.strip_prefix(b"?").map_or((false, rest), |rest| (true, rest));
    let (goes_on, rest) = rest.strip_prefix(b"+").map_or((false, rest), |rest| (true, rest));
    let mut ends = if optional { branch_ends(rest, text, at) } else { Vec::new() };
    if text.get(at).is_some_and(|byte| one.contains(byte)) {
        ends.extend(branch_ends(rest, text, at + 1));
        if goes_on {
            ends.extend(branch_ends(expression, text, at + 1));
        }
    }
    ends
}

/// The leftmost, and of those that begin together the longest, and of those that are as long the first.
fn naive(expressions: &[String], text: &str) -> Vec<(usize, std::ops::Range<usize>)> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let longest = |expression: &String| {
            ends(expression, &bytes[at..bytes.len().min(at + LONGEST)])
                .into_iter()
                .filter(|end| *end > 0)
                .map(|end| at + end)
                .max()
        };
        let best = expressions.iter().map(longest).enumerate().filter_map(|(nth, end)| Some((nth, end?)));
        let best = best.fold(None, |best: Option<(usize, usize)>, one| match best {
            Some(best) if best.1 >= one.1 => Some(best),
            _ => Some(one),
        });
        match best.filter(|_| begins_word(before, bytes[at])) {
            Some((nth, end)) => {
                found.push((nth, at..end));
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// What is found in a text that comes in pieces; each piece stands at ten times its place, and seven bytes behind the last.
fn watched(automaton: &Automaton, pieces: &[&str]) -> Vec<(usize, String, Vec<Span>)> {
    let (mut watched, mut closed, mut from) = (Watched::default(), Vec::new(), 0);
    let (mut found, mut work) = (Vec::new(), Work::START);
    for piece in pieces {
        let to = from + piece.len() as u64;
        watched.feed(automaton, piece, Span { from, to }, &mut |stretch| closed.push(stretch));
        watched.look(automaton, &mut work);
        from = to + 7;
    }
    watched.end(automaton, &mut |stretch| closed.push(stretch));
    assert!(watched.open_from().is_none());
    for closed in &mut closed {
        closed.look(automaton, closed.text.len(), &mut work);
        let all = (|_| true, |_: &Range<usize>| true);
        closed.candidates.findings(closed.text.len(), all, |finding| {
            let text = String::from_utf8(closed.text[finding.range.clone()].to_vec()).unwrap();
            found.push((finding.pattern, text, closed.spans(finding.range)));
        });
    }
    found
}

fn expression() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec!["a", "b", "-", "[ab]", "[a-]", "a?", "[b ]?", "[ab]+", "[a-]+"]);
    let branch = (prop::sample::select(vec!["a", "b", "-", "[ab]"]), prop::collection::vec(one, 0..5))
        .prop_map(|(first, rest)| format!("{first}{}", rest.concat()));
    prop::collection::vec(branch, 1..3).prop_map(|branches| branches.join("|"))
}

/// The classes of the reader above have no ranges.
fn plain(expression: &str) -> String {
    expression.replace("[a-]", "[-a]")
}

proptest! {
    #[test]
    fn the_leftmost_and_longest_is_found_and_stands_where_it_was_read(
        expressions in prop::collection::vec(expression(), 1..4), text in "[ab\\- ]{0,40}", at in prop::collection::vec(0..40_usize, 0..5),
    ) {
        let pattern = |expression: &String| Pattern { expression: plain(expression), longest: LONGEST, check: whole_match };
        let patterns: Vec<_> = expressions.iter().map(pattern).collect();
        let automaton = Automaton::build(&patterns).unwrap();
        let mut at: Vec<_> = at.iter().map(|at| at % (text.len() + 1)).collect();
        at.sort_unstable();
        let (mut pieces, mut places, mut last) = (Vec::new(), Vec::new(), 0);
        for (nth, at) in at.iter().copied().chain([text.len()]).enumerate() {
            places.extend((last..at).map(|place| place as u64 + 7 * nth as u64));
            pieces.push(text.get(last..at).unwrap());
            last = at;
        }
        let found = watched(&automaton, &pieces);
        let expected = naive(&expressions, &text);
        let told: Vec<_> = found.iter().map(|(pattern, text, _)| (*pattern, text.clone())).collect();
        let wanted: Vec<_> = expected.iter().map(|(pattern, range)| (*pattern, text.get(range.clone()).unwrap().to_owned()))
            .collect();
        prop_assert_eq!(told, wanted, "{:?} in {:?}", expressions, text);
        for ((.., spans), (_, range)) in found.iter().zip(&expected) {
            let bytes: Vec<u64> = spans.iter().flat_map(|span| span.from..span.to).collect();
            prop_assert_eq!(&bytes, &places[range.clone()]);
        }
    }
}

#[test]
fn an_escape_stands_in_all_of_its_places_and_what_is_plain_in_its_own() {
    let automaton = Automaton::build(&[pattern("ab@c")]).unwrap();
    let (mut watched, mut closed) = (Watched::default(), Vec::new());
    // `xa`, `b` as an escape of six bytes in two places, `@` as one, and `cd`.
    let parts = [("xa", 10, 12), ("b", 12, 14), ("", 30, 34), ("@", 34, 40), ("cd", 40, 42)];
    watched.feed(&automaton, "x ", Span { from: 8, to: 10 }, &mut |stretch| closed.push(stretch));
    for (text, from, to) in parts {
        let text = text.strip_prefix('x').unwrap_or(text);
        let from = to - (to - from).min(if text == "a" { 1 } else { 9 });
        watched.feed(&automaton, text, Span { from, to }, &mut |stretch| closed.push(stretch));
    }
    watched.end(&automaton, &mut |stretch| closed.push(stretch));
    let spans = closed[0].spans(0..4);
    assert_eq!(spans, [Span { from: 11, to: 14 }, Span { from: 30, to: 41 }]);
    assert_eq!(closed[0].spans(0..1), [Span { from: 11, to: 12 }]);
    assert_eq!(closed[0].before, Some(b' '));
}

#[test]
fn expressions_that_no_stream_can_wait_for_are_refused_each_for_its_reason() {
    for anchored in ["^a", "a$", r"\ba", r"a\B", r"\Aa", r"a\z", "(?m)^a"] {
        assert_eq!(bounded(anchored, 64), Err(Flaw::Anchored), "{anchored}");
    }
    for empty in ["", "a?", "a*", "(|a)", "a{0,3}"] {
        assert_eq!(bounded(empty, 64), Err(Flaw::Empty), "{empty}");
    }
    for unbounded in ["a+", "ab*", "a{2,}", ".+", "a{65}", "(ab){33}"] {
        assert_eq!(bounded(unbounded, 64), Err(Flaw::Unbounded), "{unbounded}");
    }
    for wrong in ["(", "a{2", "[b", r"\p{L}", "(?<=a)b", r"(a)\1", "a**{", "ü{2}("] {
        assert!(matches!(bounded(wrong, 64), Err(Flaw::Syntax(why)) if !why.is_empty()), "{wrong}");
    }
    for (fits, longest) in [("a", 1), ("a{64}", 64), ("ab?c{1,3}", 5), ("ü", 2), ("[a-z]|xyz", 3)] {
        assert_eq!(bounded(fits, 64), Ok(longest), "{fits}");
    }
    let large =
        |nth| Pattern { expression: format!("[a-z]{{1,100}}{nth}.{{1,250}}"), longest: 400, check: whole_match };
    let many: Vec<_> = (0..300).map(large).collect();
    assert_eq!(Automaton::build(&many).unwrap_err(), Flaw::TooLarge);
}

#[test]
fn a_text_stands_for_itself() {
    let letters: String = (b' '..=b'~').map(char::from).collect();
    for text in [letters.as_str(), "a.b*c", "Zoë (x)", "日本語", "\n\t\0"] {
        let expression = literal(text);
        let longest = bounded(&expression, 1_000).unwrap();
        assert_eq!(longest, text.len());
        let automaton = Automaton::build(&[Pattern { expression, longest, check: whole_match }]).unwrap();
        assert_eq!(watched(&automaton, &[text]).len(), 1, "{text:?}");
        assert!(watched(&automaton, &[&text.replace(['a', 'Z', '日', '\t'], "_")]).is_empty(), "{text:?}");
    }
}

#[test]
fn words_are_found_in_any_letters_whatever_letters_they_have() {
    for (word, text) in [("Falcon", "FALCON"), ("Straße", "sTraße"), ("日本", "日本"), ("Überweisung", "Überweisung")]
    {
        let expression = format!("(?i){}", literal(word));
        let automaton = Automaton::build(&[Pattern { expression, longest: word.len(), check: whole_word }]);
        let automaton = automaton.unwrap_or_else(|flaw| panic!("{word}: {flaw:?}"));
        assert_eq!(watched(&automaton, &[&format!("the {text}!")]).len(), 1, "{word}");
        assert!(watched(&automaton, &[&format!("the {text}s")]).is_empty(), "{word}");
    }
}

#[test]
fn a_text_that_is_open_all_through_is_looked_at_in_parts_as_if_it_were_none() {
    let expressions: Vec<_> = ["a[ab-]+", "b-", "[b-]+a"].map(String::from).into();
    let pattern = |expression: &String| Pattern { expression: plain(expression), longest: LONGEST, check: whole_match };
    let automaton = Automaton::build(&expressions.iter().map(pattern).collect::<Vec<_>>()).unwrap();
    // More than is walked through at once, and different at each end of it.
    let letter = |nth: u32| match nth % 7 {
        at if at == nth / 1_000 % 5 => '-',
        at if at % 2 == 0 => 'a',
        _ => 'b',
    };
    let text: String = (0..13_000).map(letter).collect();
    let expected = naive(&expressions, &text);
    for size in [1_000, 4_096, 13_000] {
        let pieces: Vec<_> = text.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let found = watched(&automaton, &pieces).into_iter().map(|(pattern, text, _)| (pattern, text));
        assert!(
            found.eq(expected.iter().map(|(pattern, range)| (*pattern, text.get(range.clone()).unwrap().to_owned()))),
            "{size}"
        );
    }
}

/// What looking at a text has cost, in steps, and whether there was enough.
fn steps(automaton: &Automaton, text: &str) -> (u64, bool) {
    let (mut watched, mut closed) = (Watched::default(), Vec::new());
    let mut work = Work::START;
    work.read(text.len());
    let had = work.left();
    let all = Span { from: 0, to: text.len() as u64 };
    watched.feed(automaton, text, all, &mut |stretch| closed.push(stretch));
    watched.end(automaton, &mut |stretch| closed.push(stretch));
    closed.iter_mut().for_each(|closed| closed.look(automaton, closed.text.len(), &mut work));
    (had - work.left(), work.is_left())
}

#[test]
fn honest_texts_and_most_that_look_like_findings_take_half_of_the_work_that_they_may() {
    let patterns: Vec<_> = ALL.iter().map(Pattern::of).collect();
    let automaton = Automaton::build(&patterns).unwrap();
    let texts = [
        "Dear Jo, how are you? 12 of 13. ",
        "2024-01-01;12.50;4711;49 89 636480\n",
        "xyz ",
        "1 ",
        "12 4 -7 0.5 ",
        "0x12ab, 0x7f, ",
        "{\"id\": 12345678, \"a\": [1, 2.5, \"x@y\"]}, ",
        "sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9\n",
        "https://example.com/a?b=c&d=e%40f ",
        "a.b.c(d, e.f_g)\n",
        "a.a@b.",
        "1-",
        "a:b@",
        "a:a:",
        "AA-",
    ];
    for part in texts {
        let text = part.repeat(1_000_000 / part.len());
        let (steps, is_left) = steps(&automaton, &text);
        assert!(is_left && steps < 8 * text.len() as u64, "{part:?}: {steps}");
    }
    // Each beginning has a check that reads thousands of bytes.
    for part in ["eyJ.", "password=", "sk-"] {
        let (_, is_left) = steps(&automaton, &part.repeat(1_000_000 / part.len()));
        assert!(!is_left, "{part:?}");
    }
}

#[test]
fn no_more_is_found_than_is_kept_until_all_is_known() {
    let automaton = Automaton::build(&[pattern("x")]).unwrap();
    assert!(steps(&automaton, &"x ".repeat(249_999)).1);
    assert!(!steps(&automaton, &"x ".repeat(250_000)).1);
}

#[test]
fn what_is_open_for_longer_than_a_finding_is_kept_no_longer() {
    let automaton = Automaton::build(&[pattern("x[a.]{20}!")]).unwrap();
    let (mut watched, mut closed) = (Watched::default(), 0);
    for nth in 0..1_000_u64 {
        let text = ".a".repeat(500).replacen('.', "x", 1);
        let from = nth * 1_000;
        watched.feed(&automaton, &text, Span { from, to: from + 1_000 }, &mut |_| closed += 1);
        assert!(watched.open_from().is_none_or(|open| open + 50 > from));
    }
    assert_eq!(closed, 0);
}
