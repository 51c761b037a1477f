use super::super::work::Steps;
use super::{Pattern, Scratch, Unfit};
use proptest::prelude::*;

fn matches(pattern: &str, text: &str) -> bool {
    let pattern = Pattern::read(pattern).unwrap_or_else(|unfit| panic!("{pattern}: {unfit}"));
    pattern.matches(text, &mut Scratch::default(), &mut Steps::endless()).unwrap()
}

#[test]
fn patterns_match_as_in_ecmascript() {
    for (pattern, matched, other) in [
        ("", &["", "a"][..], &[][..]),
        ("a", &["a", "xax"], &["", "b"]),
        ("^a$", &["a"], &["ab", "ba", "a\n", ""]),
        ("$", &["", "a"], &[]),
        ("a$|^b", &["xa", "bx"], &["ax", "xb"]),
        ("(^a|b)c", &["ac", "xbc"], &["xac"]),
        ("x$y|^", &["", "a"], &[]),
        ("a|b|", &["", "c"], &[]),
        ("^(a|bc)+$", &["a", "bca", "aabc"], &["", "b", "ab"]),
        ("^a{2}$", &["aa"], &["a", "aaa"]),
        ("^a{2,}$", &["aa", "aaaa"], &["a"]),
        ("^a{1,3}$", &["a", "aaa"], &["", "aaaa"]),
        ("^a{0}$", &[""], &["a"]),
        ("^a*?b+?c??$", &["b", "aabbc"], &["a", "bcc"]),
        ("^a{1,2}?$", &["aa"], &["aaa"]),
        ("^{a}$", &["{a}"], &["a"]),
        ("^a{,2}$", &["a{,2}"], &["aa"]),
        ("^}]$", &["}]"], &[]),
        (".", &["a", "\u{1f432}", "\u{85}"], &["", "\n", "\r", "\u{2028}"]),
        ("^.$", &["\u{1f432}"], &["ab"]),
        ("^[a-c_]+$", &["abc_"], &["d", ""]),
        ("^[^a-c]$", &["d", "\n", "é"], &["a", ""]),
        ("[]", &[], &["", "a"]),
        ("^[^]$", &["a", "\n"], &["", "ab"]),
        ("^[a-]+$", &["a-"], &["b"]),
        ("^[-a]+$", &["a-"], &["b"]),
        ("^[\\w-]+$", &["a-b_1"], &["a b", "é"]),
        ("^[\\w-.]+$", &["a-b.c"], &["a/b"]),
        ("^[+--]+$", &["+,-"], &["."]),
        ("^[\\]\\\\^]+$", &["]\\^"], &["a"]),
        ("^[\\b]$", &["\u{8}"], &["b"]),
        ("^[\\D]$", &["a"], &["1"]),
        ("^\\d\\D\\w\\W\\s\\S$", &["1a_- x", "0é9é\u{feff}é"], &["aa_- x"]),
        ("^\\S+$", &["a\u{85}"], &["a\u{2003}b"]),
        ("^\\t\\n\\v\\f\\r\\0\\cJ\\x41\\u0042\\u{43}$", &["\t\n\u{b}\u{c}\r\0\nABC"], &[]),
        ("^\\ud83d\\udc32$", &["\u{1f432}"], &["a"]),
        ("^\\ud83d\\u0041$", &[], &["A"]),
        ("^\\.\\-\\/\\@\\_\\ $", &[".-/@_ "], &[]),
        ("\\bcat\\b", &["cat", "a cat.", "é cat", "écat"], &["cats", "_cat"]),
        ("\\Bat\\B", &["cats"], &["at", "cat"]),
        ("^\\B$", &[""], &["a"]),
        ("^\\b", &["a"], &["", " a"]),
        ("\\B", &["", " ", "aa"], &["a", "aéa"]),
        ("(?:a)(?<name>b)(c)", &["abc"], &["ab"]),
        ("^(?:a?){5}a{5}$", &["aaaaa", "aaaaaaaaaa"], &["aaaa"]),
        ("^(a*)*$", &["", "aaa"], &["b"]),
        ("^(|a){3}$", &["", "aaa"], &["aaaa"]),
        ("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567"]),
    ] {
        for text in matched {
            assert!(matches(pattern, text), "{pattern} {text:?}");
        }
        for text in other {
            assert!(!matches(pattern, text), "{pattern} {text:?}");
        }
    }
}

#[test]
fn what_no_automaton_matches_is_refused() {
    let syntax = |pattern: &str| matches!(Pattern::read(pattern), Err(Unfit::Syntax(_)));
    for pattern in [
        "(",
        ")",
        "(a",
        "a)",
        "[a",
        "*",
        "+a",
        "?",
        "{2}",
        "a**",
        "a{2}{3}",
        "^*",
        "$?",
        "\\b+",
        "a{3,2}",
        "[b-a]",
        "\\",
        "[\\",
        "\\a",
        "\\z",
        "\\c1",
        "\\x4",
        "\\u12",
        "\\u{110000}",
        "\\u{}",
        "\\u{+1}",
        "\\01",
        "(?<name",
        "[\\1]",
        "[\\B]",
    ] {
        assert!(syntax(pattern), "{pattern}");
    }
    let groups = format!("{}{}", "(".repeat(33), ")".repeat(33));
    let long = "a".repeat(1_025);
    for (pattern, expected) in [
        ("(?=a)", Unfit::LookAround),
        ("(?!a)", Unfit::LookAround),
        ("(?<=a)", Unfit::LookAround),
        ("(?<!a)", Unfit::LookAround),
        ("(a)\\1", Unfit::BackReference),
        ("(?<n>a)\\k<n>", Unfit::BackReference),
        ("\\p{L}", Unfit::UnicodeProperty),
        ("[\\P{L}]", Unfit::UnicodeProperty),
        ("(?i:a)", Unfit::Modifiers),
        ("a{5000}", Unfit::TooLarge),
        ("(a{100}){100}", Unfit::TooLarge),
        ("(\\S{1,100}){1,100}", Unfit::TooLarge),
        (&groups, Unfit::TooDeep),
        (&long, Unfit::TooLong),
    ] {
        assert_eq!(Pattern::read(pattern).map(|_| ()), Err(expected), "{pattern}");
    }
}

/// Patterns of what means the same to the crate `regex` without Unicode's classes.
fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[abé]",
        Just("[^a]".to_owned()),
        Just("[ab]".to_owned()),
        Just("[b-é]".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned()),
        Just("(?-u:\\b)".to_owned()),
        Just("\\d".to_owned()),
        Just("".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inside| {
        prop_oneof![
            prop::collection::vec(inside.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inside.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inside, prop::sample::select(vec!["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}"]))
                .prop_map(|(part, count)| format!("(?:{part}){count}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn patterns_match_as_another_engine_says(pattern in patterns(), texts in prop::collection::vec("[abé1 ]{0,6}", 8)) {
        let ours = Pattern::read(&pattern.replace("(?-u:\\b)", "\\b")).unwrap();
        let theirs = regex::Regex::new(&pattern.replace("\\d", "[0-9]")).unwrap();
        let mut scratch = Scratch::default();
        for text in texts {
            let matched = ours.matches(&text, &mut scratch, &mut Steps::endless()).unwrap();
            prop_assert_eq!(matched, theirs.is_match(&text), "{} {:?}", pattern, text);
        }
    }
}
