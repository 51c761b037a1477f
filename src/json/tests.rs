use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Model,
    Stop,
    Messages,
    Role,
    Content,
    Usage,
    Cache,
    Age,
}

static SHAPE: [Field<Key>; 4] = [
    Field { name: "model", key: Some(Key::Model), want: Want::Value, inside: &[] },
    Field { name: "stop", key: Some(Key::Stop), want: Want::Value, inside: &[] },
    Field {
        name: "messages",
        key: Some(Key::Messages),
        want: Want::Presence,
        inside: &[
            Field { name: "role", key: Some(Key::Role), want: Want::Value, inside: &[] },
            Field { name: "content", key: Some(Key::Content), want: Want::Size, inside: &[] },
        ],
    },
    Field {
        name: "options",
        key: None,
        want: Want::Presence,
        inside: &[Field { name: "usage", key: Some(Key::Usage), want: Want::Value, inside: &[] }],
    },
];

/// The hits in order, as text, and how the document ended.
fn scan(chunks: &[&[u8]]) -> (Vec<String>, Result<(), Malformed>) {
    let mut scanner = Scanner::new(&SHAPE);
    let mut hits = Vec::new();
    let mut note = |hit: Hit<'_, Key>| hits.push(format!("{:?}", Hit { member: 0, ..hit }));
    let fed = chunks.iter().try_for_each(|chunk| scanner.feed(chunk, &mut note));
    let end = scanner.finish();
    if let Err(malformed) = fed {
        assert_eq!(scanner.feed(b" ", &mut note), Err(malformed), "an error stays");
        assert_eq!(end, fed, "an error stays");
    }
    assert_eq!(scanner.is_complete(), end.is_ok());
    (hits, end)
}

/// Each hit: its key, what was found, the bytes of the document where it stands, and whether it was repeated.
fn said(document: &str) -> Vec<(Key, String, &str, bool)> {
    let mut said = Vec::new();
    let mut scanner = Scanner::new(&SHAPE);
    let mut note = |hit: Hit<'_, Key>| {
        let (from, to) = (usize::try_from(hit.from).unwrap(), usize::try_from(hit.to).unwrap());
        said.push((hit.key, format!("{:?}", hit.found), document.get(from..to).unwrap(), hit.repeated));
    };
    scanner.feed(document.as_bytes(), &mut note).unwrap();
    scanner.finish().unwrap();
    said
}

fn found(document: &str) -> Vec<(Key, String)> {
    said(document).into_iter().map(|(key, found, ..)| (key, found)).collect()
}

fn repeated(document: &str) -> Vec<(Key, bool)> {
    said(document).into_iter().map(|(key, .., repeated)| (key, repeated)).collect()
}

fn fault(document: &[u8]) -> String {
    scan(&[document]).1.unwrap_err().to_string()
}

fn number(text: &str) -> Number {
    let mut value = None;
    let document = format!("{{\"model\":{text}}}");
    Scanner::new(&SHAPE)
        .feed(document.as_bytes(), &mut |hit: Hit<'_, Key>| {
            if let Found::Number(number) = hit.found {
                value = Some(number);
            }
        })
        .unwrap();
    value.unwrap()
}

#[test]
fn a_field_is_reported_with_its_place() {
    let document =
        r#" {"x":[{"model":0}], "model" : "gpt-4o", "messages":[{"role":"\u00fc"},{}],"options":{"usage":null}}"#;
    let said: Vec<_> = said(document).into_iter().map(|(key, found, place, _)| (key, found, place)).collect();
    let opened = |container| format!("{:?}", Found::Opened(container));
    let closed = |container, empty| format!("{:?}", Found::Closed { container, empty });
    assert_eq!(
        said,
        [
            (Key::Model, format!("{:?}", Found::Text { text: "gpt-4o", cut: false }), "\"gpt-4o\""),
            (Key::Messages, opened(Container::Array), "["),
            (Key::Messages, opened(Container::Object), "{"),
            (Key::Role, format!("{:?}", Found::Text { text: "ü", cut: false }), r#""\u00fc""#),
            (Key::Messages, closed(Container::Object, false), r#"{"role":"\u00fc"}"#),
            (Key::Messages, opened(Container::Object), "{"),
            (Key::Messages, closed(Container::Object, true), "{}"),
            (Key::Messages, closed(Container::Array, false), r#"[{"role":"\u00fc"},{}]"#),
            (Key::Usage, "Null".to_owned(), "null"),
        ]
    );
}

#[test]
fn arrays_are_transparent() {
    let model = |number| (Key::Model, format!("Number(Whole({number}))"));
    assert_eq!(found(r#"[{"model":1},[[{"model":2}]],{"x":{"model":0}},"model",{"model":3}]"#), [1, 2, 3].map(model));
    let stops = said(r#"{"stop":["a",["b",7],{"model":"c"}]}"#);
    let places: Vec<_> = stops.iter().map(|(key, _, place, _)| (*key, *place)).collect();
    let expected =
        ["[", r#""a""#, "[", r#""b""#, "7", r#"["b",7]"#, "{", r#"{"model":"c"}"#, r#"["a",["b",7],{"model":"c"}]"#];
    assert_eq!(places, expected.map(|place| (Key::Stop, place)));
    let roles = found(r#"{"messages":{"role":1},"messages":[[{"role":2}],{"x":[{"role":0}],"role":3}]}"#);
    assert_eq!(roles.iter().filter(|(key, _)| *key == Key::Role).count(), 3);
}

#[test]
fn a_repeated_key_is_reported_however_it_is_written() {
    let document =
        r#"{"model":1,"mod\u0065l":2,"\u006dodel":[{}],"Model":3,"options":{"usage":1},"options":{"usage":2}}"#;
    assert_eq!(
        repeated(document),
        [
            (Key::Model, false),
            (Key::Model, true),
            (Key::Model, true),
            (Key::Model, false),
            (Key::Model, false),
            (Key::Model, false),
            (Key::Usage, false),
            (Key::Usage, false),
        ]
    );
    let roles = repeated(r#"[{"messages":[{"role":1},{"role":2,"role":3}]},{"messages":null}]"#);
    let roles: Vec<_> = roles.into_iter().filter(|(key, _)| *key == Key::Role).collect();
    assert_eq!(roles, [(Key::Role, false), (Key::Role, false), (Key::Role, true)]);
}

#[test]
fn only_the_exact_key_matches() {
    let long = "model".repeat(60);
    for key in ["", "mode", "models", "model\\u0000", "model\\ud800", " model", long.as_str()] {
        assert_eq!(found(&format!("{{\"{key}\":1}}")), [], "{key}");
    }
}

#[test]
fn text_is_decoded_and_cut_between_characters() {
    let model = |text: &str| {
        let said = found(&format!("{{\"model\":\"{text}\"}}"));
        said.into_iter().next().unwrap().1
    };
    let text = |text: &str, cut| format!("{:?}", Found::Text { text, cut });
    assert_eq!(model(r#"\"\\\/\b\f\n\r\t\u00E9\uD83D\uDE00"#), text("\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}", false));
    assert_eq!(model(""), text("", false));
    assert_eq!(model(&"x".repeat(256)), text(&"x".repeat(256), false));
    assert_eq!(model(&"x".repeat(257)), text(&"x".repeat(256), true));
    assert_eq!(model(&"€".repeat(100)), text(&"€".repeat(85), true));
    assert_eq!(model(&format!("x{}y", "\\ud83d\\ude00".repeat(64))), text(&format!("x{}", "😀".repeat(63)), true));
}

#[test]
fn a_lone_surrogate_is_a_replacement_character() {
    for (written, read) in [
        (r"\ud800", "\u{fffd}"),
        (r"\udc00x", "\u{fffd}x"),
        (r"\ud800x", "\u{fffd}x"),
        (r"\ud800\n", "\u{fffd}\n"),
        (r"\ud800é", "\u{fffd}é"),
        (r"\ud800\u0041", "\u{fffd}A"),
        (r"\ud800\ud800", "\u{fffd}\u{fffd}"),
        (r"\ud800\ud83d\ude00", "\u{fffd}😀"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
    ] {
        let document = format!("{{\"model\":\"{written}\",\"messages\":{{\"content\":\"{written}\"}}}}");
        let found = found(&document);
        assert_eq!(found[0].1, format!("{:?}", Found::Text { text: read, cut: false }), "{written}");
        assert_eq!(found[2].1, format!("{:?}", Found::Size(read.len() as u64)), "{written}");
    }
}

fn fraction(significand: u64, places: u64) -> Number {
    Number::Fraction(Decimal { significand, places })
}

#[test]
fn numbers_are_counts_by_value() {
    let zeros = "0".repeat(400);
    let (large, tiny) = (format!("1{zeros}"), format!("0.{zeros}1"));
    for (text, value) in [
        ("0", Number::Whole(0)),
        ("-0", Number::Whole(0)),
        ("-0.0e9", Number::Whole(0)),
        ("0e999999999999999999999", Number::Whole(0)),
        ("214.0", Number::Whole(214)),
        ("1e3", Number::Whole(1000)),
        ("1E+3", Number::Whole(1000)),
        ("1.25e2", Number::Whole(125)),
        ("125000e-3", Number::Whole(125)),
        ("0.00125e5", Number::Whole(125)),
        ("100.5", fraction(1_005, 1)),
        ("1.25e1", fraction(125, 1)),
        ("125e-4", fraction(125, 4)),
        ("1e-999999999999999999999", fraction(1, i64::MAX as u64)),
        ("-1", Number::Negative),
        ("-0.5", Number::Negative),
        ("-1e999", Number::Negative),
        ("18446744073709551615", Number::Whole(u64::MAX)),
        ("18446744073709551614.000", Number::Whole(u64::MAX - 1)),
        ("18446744073709551616", Number::Whole(u64::MAX)),
        ("1e999999999999999999999", Number::Whole(u64::MAX)),
        (&large, Number::Whole(u64::MAX)),
        (&format!("{large}e-400"), Number::Whole(1)),
        (&format!("{large}1e-400"), fraction(u64::MAX, 400)),
        (&tiny, fraction(1, 401)),
        (&format!("{tiny}e401"), Number::Whole(1)),
    ] {
        assert_eq!(number(text), value, "{text}");
    }
}

#[test]
fn a_fault_is_reported_at_its_byte() {
    for (document, text) in [
        (&b"{\"model\":\"x\",}"[..], "invalid JSON at byte 13: unexpected `}`"),
        (b"", "invalid JSON at byte 0: the document ends too early"),
        (b"{\"a\":1", "invalid JSON at byte 6: the document ends too early"),
        (b"[1.]", "invalid JSON at byte 3: unexpected `]`"),
        (b"01", "invalid JSON at byte 1: something follows the document"),
        (b"{} {}", "invalid JSON at byte 3: something follows the document"),
        (b"\xef\xbb\xbf{}", "invalid JSON at byte 0: unexpected byte 0xef"),
        (b"[\"\xe2\x82\"]", "invalid JSON at byte 2: not UTF-8"),
        (b"[\"abc\xff\"]", "invalid JSON at byte 5: not UTF-8"),
        (b"[\"a\tb\"]", "invalid JSON at byte 3: control character in a string"),
        (b"[\"\\x\"]", "invalid JSON at byte 3: no such escape in a string"),
        (b"[\"\\u12g4\"]", "invalid JSON at byte 6: no such escape in a string"),
        (b"[nul1]", "invalid JSON at byte 4: unexpected `1`"),
    ] {
        assert_eq!(fault(document), text);
    }
}

#[test]
fn the_grammar_is_strict() {
    for document in [
        "[1}",
        "{\"a\":1]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[}",
        "{]",
        "{\"a\":]",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\",1}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "[1:2]",
        "]",
        "[",
        "[\"a\u{1f}\"]",
        "[\"a",
        "[\"\\",
        "'a'",
        "-",
        "-01",
        "00",
        "1.",
        "1.e5",
        "1.5.5",
        ".5",
        "+1",
        "1e",
        "1e+",
        "1e5.5",
        "--1",
        "-a",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "True",
        "tru",
        "nulll",
        "\u{a0}1",
        "\u{c}1",
        "// a\n1",
        "[\"\\u+123\"]",
        "[\"\\u00\"]",
    ] {
        assert!(serde_json::from_str::<Value>(document).is_err(), "{document}");
        assert!(scan(&[document.as_bytes()]).1.is_err(), "{document}");
    }
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"model\":", "}"), ("{\"x\":", "}"), ("[{\"messages\":[", "]}]")] {
        let levels = open.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
        let nested = |times: usize| format!("{}0{}", open.repeat(times), close.repeat(times));
        assert_eq!(scan(&[nested(MAX_DEPTH / levels).as_bytes()]).1, Ok(()));
        assert!(fault(nested(MAX_DEPTH / levels + 1).as_bytes()).ends_with("more than 128 levels deep"));
    }
}

/// What a member is cut out by.
#[test]
fn a_scalar_knows_where_its_member_begins() {
    let document = br#"{ "model": "a", "x": {"y": [1, {}]}, "model":true,"model" :1}"#;
    let mut scanner = Scanner::new(&SHAPE);
    let mut members = Vec::new();
    for byte in document {
        scanner.feed(&[*byte], &mut |hit| members.push((hit.member, hit.to))).unwrap();
    }
    let cut: Vec<_> =
        members.iter().map(|(from, to)| std::str::from_utf8(&document[*from as usize..*to as usize])).collect();
    assert_eq!(cut, [Ok(" \"model\": \"a\""), Ok(" \"model\":true"), Ok("\"model\" :1")]);
}

#[test]
fn a_scanner_restarts_for_the_next_event() {
    let mut scanner = Scanner::new(&SHAPE);
    let mut hits = Vec::new();
    for document in ["{\"model\":1,\"x", "[DONE]", "\"a\\ud800", "7", "[{\"model\":2}]", "{\"model\":[3]}"] {
        scanner.restart();
        assert_eq!((scanner.offset(), scanner.is_complete(), scanner.root_container()), (0, false, None));
        let _ = scanner.feed(document.as_bytes(), &mut |hit| hits.push((hit.from, hit.repeated)));
    }
    assert_eq!(hits, [(9, false), (10, false), (9, false), (10, false), (9, false)]);
    assert_eq!((scanner.offset(), scanner.is_complete()), (13, true));
    assert_eq!(scanner.root_container(), Some(Container::Object));
}

/// A document, written as it will be read.
#[derive(Clone, Debug)]
enum Tree {
    Scalar(&'static str, Found<'static>),
    Array(Vec<Tree>),
    Object(Vec<(&'static str, Tree)>),
}

/// Writes a document and foretells its hits.
struct Writer<'a> {
    text: String,
    hits: Vec<String>,
    blanks: std::iter::Cycle<std::slice::Iter<'a, &'static str>>,
}

impl Writer<'_> {
    fn put(&mut self, token: &str) -> u64 {
        self.text.push_str(self.blanks.next().unwrap());
        self.text.push_str(token);
        (self.text.len() - token.len()) as u64
    }

    fn hit(&mut self, field: Option<&Field<Key>>, found: Found<'_>, from: u64, repeated: bool) {
        if let Some(key) = field.and_then(|field| field.key) {
            self.hits.push(format!("{:?}", Hit { key, found, from, to: self.text.len() as u64, member: 0, repeated }));
        }
    }

    fn tree(&mut self, tree: &Tree, field: Option<&Field<Key>>, inside: &'static [Field<Key>], repeated: bool) {
        match tree {
            Tree::Scalar(text, found) => {
                let from = self.put(text);
                let found = match (*found, field.map(|field| field.want)) {
                    (Found::Text { text, .. }, Some(Want::Size | Want::Presence)) => Found::Size(text.len() as u64),
                    (found, _) => found,
                };
                self.hit(field, found, from, repeated);
            }
            Tree::Array(elements) => {
                let from = self.put("[");
                self.hit(field, Found::Opened(Container::Array), from, repeated);
                for (element, nth) in elements.iter().zip(0..) {
                    if nth > 0 {
                        self.put(",");
                    }
                    self.tree(element, field, inside, false);
                }
                self.put("]");
                let found = Found::Closed { container: Container::Array, empty: elements.is_empty() };
                self.hit(field, found, from, false);
            }
            Tree::Object(members) => {
                let from = self.put("{");
                self.hit(field, Found::Opened(Container::Object), from, repeated);
                let mut seen = Vec::new();
                for (key, value) in members {
                    if !seen.is_empty() {
                        self.put(",");
                    }
                    self.put(key);
                    self.put(":");
                    let name: String = serde_json::from_str(key).unwrap();
                    let field = inside.iter().find(|field| field.name == name);
                    let repeated = seen.contains(&name);
                    self.tree(value, field, field.map_or(&[], |field| field.inside), repeated);
                    seen.push(name);
                }
                self.put("}");
                let found = Found::Closed { container: Container::Object, empty: members.is_empty() };
                self.hit(field, found, from, false);
            }
        }
    }
}

const KEYS: &[&str] = &[
    r#""model""#,
    r#""mod\u0065l""#,
    r#""stop""#,
    r#""messages""#,
    r#""m\u0065ssages""#,
    r#""role""#,
    r#""content""#,
    r#""options""#,
    r#""usage""#,
    r#""""#,
    r#""é\n""#,
];

const SCALARS: &[(&str, Found<'static>)] = &[
    ("null", Found::Null),
    ("true", Found::Bool(true)),
    ("false", Found::Bool(false)),
    ("0", Found::Number(Number::Whole(0))),
    ("-12.5e-3", Found::Number(Number::Negative)),
    ("12.50E2", Found::Number(Number::Whole(1250))),
    ("0.1", Found::Number(Number::Fraction(Decimal { significand: 1, places: 1 }))),
    (r#""""#, Found::Text { text: "", cut: false }),
    (r#""gpt-4o-mini""#, Found::Text { text: "gpt-4o-mini", cut: false }),
    (
        r#""a \"quoted\" \\ text\n, long enough""#,
        Found::Text { text: "a \"quoted\" \\ text\n, long enough", cut: false },
    ),
    (r#""é€😀\ud83d\ude00\u20ac ünïcödé""#, Found::Text { text: "é€😀😀€ ünïcödé", cut: false }),
];

fn documents() -> impl Strategy<Value = (String, Vec<String>)> {
    let scalar = select(SCALARS).prop_map(|(text, found)| Tree::Scalar(text, found));
    let object = |value| prop::collection::vec((select(KEYS), value), 0..6).prop_map(Tree::Object);
    let tree = scalar.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array), 2 => object(inner)]
    });
    let tree = tree.boxed();
    let root = object(tree.clone());
    let tree = prop_oneof![1 => tree, 1 => prop::collection::vec(root.clone(), 0..3).prop_map(Tree::Array), 4 => root];
    let blanks = prop::collection::vec(select(&["", "", "", " ", "\n  ", "\t", "\r\n"][..]), 1..9);
    (tree, blanks).prop_map(|(tree, blanks)| {
        let mut writer = Writer { text: String::new(), hits: Vec::new(), blanks: blanks.iter().cycle() };
        writer.tree(&tree, None, &SHAPE, false);
        writer.put("");
        (writer.text, writer.hits)
    })
}

/// Bytes that are nearly JSON.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    const BITS: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\"",
        b"\"\"",
        b"\"model\":",
        b"0",
        b"1",
        b"-",
        b"+",
        b".",
        b"e",
        b"E9",
        b"null",
        b"true",
        b"fals",
        b" ",
        b"\t",
        b"\n",
        b"\r",
        b"\x0c",
        b"\\",
        b"\\n",
        b"\\u",
        b"\\u00e9",
        b"\\ud83d\\ude00",
        b"/",
        b"\0",
        b"\x1f",
        b"\x7f",
        b"\x80",
        b"\xc3",
        b"\xc3\xa9",
        b"\xe2\x82\xac",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\xf4\x90",
        b"\xc0\x80",
        b"\xff",
        b"plain text",
    ];
    let bits = || prop::collection::vec(select(BITS), 0..10).prop_map(|bits| bits.concat());
    let edit = (
        any::<prop::sample::Index>(),
        0..3_usize,
        prop_oneof![4 => select(BITS).prop_map(<[u8]>::to_vec), 1 => bits()],
    );
    let mutated = (documents(), prop::collection::vec(edit, 0..3)).prop_map(|((document, _), edits)| {
        let mut bytes = document.into_bytes();
        for (at, gone, new) in edits {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + gone).min(bytes.len()), new);
        }
        bytes
    });
    let string = bits().prop_map(|bits| [b"[\"", &bits[..], b"\"]"].concat());
    let digits = prop::collection::vec(select(&["0", "1", "42", ".", "-", "+", "e", "E", ",", ",-0.5", " "][..]), 0..9);
    let numbers = (digits, any::<bool>()).prop_map(|(bits, array)| {
        let bits = bits.concat();
        if array { format!("[{bits}]") } else { bits }.into_bytes()
    });
    prop_oneof![4 => mutated, 1 => bits(), 2 => string, 2 => numbers]
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn the_hits_are_those_foretold((document, foretold) in documents()) {
        let (hits, end) = scan(&[document.as_bytes()]);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(hits, foretold);
    }

    #[test]
    fn serde_json_agrees_on_what_is_json(bytes in almost()) {
        let ours = scan(&[&bytes]).1;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(_) => prop_assert_eq!(ours, Ok(())),
            Err(error) => {
                // Lone surrogates and numbers beyond an f64 are read here and refused there.
                let text = error.to_string();
                if !["surrogate", "end of hex escape", "out of range"].iter().any(|known| text.contains(known)) {
                    prop_assert!(ours.is_err(), "{}", text);
                }
            }
        }
    }

    #[test]
    fn no_cut_changes_a_hit_or_a_fault(bytes in almost(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let whole = scan(&[&bytes]);
        prop_assert_eq!(&whole, &scan(&cut(&bytes, &cuts)));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &scan(&single));
    }

    #[test]
    fn a_count_is_read_in_every_notation(count: u64, places in 0..30_usize) {
        let mut digits = format!("{count:0>31}");
        digits.insert(31 - places, '.');
        let digits = digits.trim_start_matches('0');
        let zero = if digits.starts_with('.') { "0" } else { "" };
        prop_assert_eq!(number(&format!("{zero}{digits}0e{places}")), Number::Whole(count));
        prop_assert_eq!(number(&format!("{count}{}e-{places}", "0".repeat(places))), Number::Whole(count));
    }

    #[test]
    fn words_find_what_bytes_find(bytes in prop::collection::vec(prop_oneof![any::<u8>(), select(&b"\"\\ \x1f\n!"[..])], 0..40)) {
        let marks = |word| words::equal(word, b'"') | words::equal(word, b'\\') | words::below(word, b' ');
        let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(bytes.len());
        prop_assert_eq!(words::run(&bytes, marks), expected);
        let expected = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        prop_assert_eq!(words::run(&bytes, |word| words::equal(word, b'\n')), expected);
    }

    /// One byte that differs is seen wherever it stands.
    #[test]
    fn texts_are_the_same_or_not(bytes in prop::collection::vec(any::<u8>(), 0..40), at: prop::sample::Index, flip in 1_u8..) {
        prop_assert!(words::same(&bytes, &bytes.clone()));
        let mut other = bytes.clone();
        if !bytes.is_empty() {
            other[at.index(bytes.len())] ^= flip;
            prop_assert!(!words::same(&bytes, &other));
        }
        other.push(flip);
        prop_assert!(!words::same(&bytes, &other));
    }
}

static ANYWHERE: [Field<Key>; 2] = [
    Field { name: "cache", key: Some(Key::Cache), want: Want::Presence, inside: &[] },
    Field { name: "ttl", key: Some(Key::Age), want: Want::Value, inside: &[] },
];

fn deep() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), Just(Value::from(7)), "[a-z\"\\\\é]{0,9}".prop_map(Value::from)];
    let keys = vec![
        "cache_control",
        "Cache",
        "cach",
        "ttl",
        "TTL",
        "tt",
        "model",
        "messages",
        "role",
        "content",
        "options",
        "x",
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(select(keys.clone()), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

/// How many keys begin like this, in any letters.
fn keys(value: &Value, beginning: &str) -> usize {
    match value {
        Value::Array(values) => values.iter().map(|value| keys(value, beginning)).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| usize::from(key.to_lowercase().starts_with(beginning)) + keys(value, beginning))
            .sum(),
        _ => 0,
    }
}

proptest! {
    /// What is found anywhere is found there, and what has its place is found as if nobody looked anywhere else.
    #[test]
    fn what_is_wanted_anywhere_is_reported_and_changes_nothing_else(value in deep(), piece in 1usize..9) {
        let document = value.to_string();
        let hits = |mut scanner: Scanner<Key>| {
            let mut hits = Vec::new();
            for piece in document.as_bytes().chunks(piece) {
                scanner.feed(piece, &mut |hit: Hit<'_, Key>| hits.push((hit.key, format!("{hit:?}")))).unwrap();
            }
            scanner.finish().unwrap();
            hits
        };
        let is_placed = |(key, _): &(Key, String)| !matches!(key, Key::Cache | Key::Age);
        let all = hits(Scanner::new(&SHAPE).anywhere(&ANYWHERE));
        let placed: Vec<_> = all.iter().filter(|hit| is_placed(hit)).cloned().collect();
        prop_assert_eq!(placed, hits(Scanner::new(&SHAPE)));
        for (key, beginning) in [(Key::Cache, "cache"), (Key::Age, "ttl")] {
            let said = all.iter().filter(|(of, hit)| *of == key && !hit.contains("Closed")).count();
            prop_assert!(said >= keys(&value, beginning), "{said}: {document}");
            prop_assert!(said == 0 || keys(&value, beginning) > 0, "{document}");
        }
    }
}

static IN_PIECES: [Field<()>; 1] = [Field { name: "text", key: Some(()), want: Want::Pieces, inside: &[] }];

/// As it stands between quotes, and as it is read.
const LETTERS: &[(&str, &str)] = &[
    ("plain", "plain"),
    ("é", "é"),
    ("語", "語"),
    ("😀", "😀"),
    ("\\n", "\n"),
    ("\\\"", "\""),
    ("\\u20ac", "€"),
    ("\\ud83d\\ude00", "😀"),
    // A half of a pair, and what follows it is none.
    ("\\ud83d!", "\u{fffd}!"),
];

proptest! {
    /// The pieces of a text are all of it, in order and without a gap, and each is what its own bytes of the document say.
    #[test]
    fn a_text_in_pieces_is_the_whole_text(letters in prop::collection::vec((select(LETTERS), 1..90_usize), 0..9), piece in 1..200_usize) {
        let (mut written, mut read) = (String::new(), String::new());
        for ((as_written, as_read), times) in letters {
            written += &as_written.repeat(times);
            read += &as_read.repeat(times);
        }
        let document = format!(r#"{{"model":"text","text": "{written}","last":0}}"#);
        let (mut pieces, mut sizes, mut next) = (String::new(), Vec::new(), 25);
        let mut scanner = Scanner::new(&IN_PIECES);
        for bytes in document.as_bytes().chunks(piece) {
            scanner.feed(bytes, &mut |hit: Hit<'_, ()>| match hit.found {
                Found::Piece(text) => {
                    assert!(!text.is_empty() && hit.from == next, "{hit:?} follows {next}");
                    next = hit.to;
                    let own = document.get(usize::try_from(hit.from).unwrap()..usize::try_from(hit.to).unwrap()).unwrap();
                    match serde_json::from_str::<String>(&format!("\"{own}\"")) {
                        Ok(own) => assert_eq!(text, own),
                        Err(_) => assert!(text.contains('\u{fffd}'), "{own}"),
                    }
                    pieces += text;
                }
                Found::Size(size) => sizes.push(size),
                found => panic!("{found:?}"),
            }).unwrap();
        }
        prop_assert_eq!(next, 25 + written.len() as u64);
        prop_assert_eq!(sizes, [read.len() as u64]);
        prop_assert_eq!(pieces, read);
    }
}
