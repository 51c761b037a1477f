//! The scanner against `serde_json`: what is JSON, what stands where, and that no cut changes any of it.

use std::fmt;

use nexus_ai_gateway::json::{Container, Decimal, Field, Found, Hit, Malformed, Number, Scanner, Want, Why};
use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::cuts::{chunkings, head};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Model,
    Stop,
    Messages,
    Role,
    Content,
    Usage,
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
            Field { name: "content", key: Some(Key::Content), want: Want::Pieces, inside: &[] },
        ],
    },
    Field {
        name: "options",
        key: None,
        want: Want::Presence,
        inside: &[Field { name: "usage", key: Some(Key::Usage), want: Want::Value, inside: &[] }],
    },
];

/// What was found, as `serde_json` can tell it too.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text {
        text: String,
        cut: bool,
    },
    Size(u64),
    /// Of all its pieces.
    Whole(String),
    Number(Number),
    Bool(bool),
    Null,
    Opened(Container),
    Closed {
        container: Container,
        empty: bool,
    },
    /// `serde_json`'s alone: a number that it has rounded.
    Rounded(f64),
}

#[derive(Clone, Debug)]
struct Noted {
    key: Key,
    seen: Seen,
    repeated: bool,
    from: u64,
    to: u64,
}

/// `serde_json` rounds, not always to the nearest.
fn near(number: Number, rounded: f64) -> bool {
    let exact = match number {
        Number::Negative => return rounded.is_sign_negative(),
        Number::Whole(u64::MAX) => return rounded > 1.8e19,
        Number::Whole(whole) => whole as f64,
        // Digits that were too many to keep, or a number too small for a float.
        Number::Fraction(Decimal { significand: u64::MAX, .. }) => return rounded >= 0.0,
        Number::Fraction(Decimal { places: 280.., .. }) => return (0.0..1e-200).contains(&rounded),
        Number::Fraction(Decimal { significand, places }) => significand as f64 * 10_f64.powi(-(places as i32)),
    };
    (exact - rounded).abs() <= exact * 1e-9
}

impl PartialEq for Noted {
    fn eq(&self, other: &Self) -> bool {
        let seen = match (&self.seen, &other.seen) {
            (Seen::Number(number), Seen::Rounded(rounded)) => near(*number, *rounded),
            (ours, theirs) => ours == theirs,
        };
        seen && (self.key, self.repeated) == (other.key, other.repeated)
    }
}

/// The hits of a document, and the pieces of the text that is being read.
#[derive(Default)]
struct Notes {
    hits: Vec<Noted>,
    pieces: String,
    next: Option<u64>,
}

impl Notes {
    fn note(&mut self, hit: &Hit<'_, Key>) {
        if let Found::Piece(text) = hit.found {
            assert!(!text.is_empty() && hit.from < hit.to, "a piece of nothing");
            assert_eq!(self.next.replace(hit.to).unwrap_or(hit.from), hit.from, "a gap between two pieces");
            self.pieces.push_str(text);
        } else {
            self.next = None;
            let noted = Noted::of(hit, std::mem::take(&mut self.pieces));
            self.hits.push(noted);
        }
    }
}

impl Noted {
    fn of(hit: &Hit<'_, Key>, pieces: String) -> Self {
        let seen = match hit.found {
            Found::Text { text, cut } => Seen::Text { text: text.to_owned(), cut },
            Found::Piece(_) => unreachable!("pieces are noted together"),
            Found::Size(size) if hit.key != Key::Content => Seen::Size(size),
            Found::Size(size) => {
                assert_eq!(size, pieces.len() as u64, "the pieces are not the text");
                Seen::Whole(pieces)
            }
            Found::Number(number) => Seen::Number(number),
            Found::Bool(flag) => Seen::Bool(flag),
            Found::Null => Seen::Null,
            Found::Opened(container) => Seen::Opened(container),
            Found::Closed { container, empty } => Seen::Closed { container, empty },
            Found::Named(_) => unreachable!("the shape asks for no others"),
        };
        Self { key: hit.key, seen, repeated: hit.repeated, from: hit.from, to: hit.to }
    }

    /// The value that stands at the place of the hit is the one that was told.
    fn stands_in(&self, document: &[u8]) {
        let place = &document[usize::try_from(self.from).unwrap()..usize::try_from(self.to).unwrap()];
        match &self.seen {
            Seen::Opened(Container::Object) => assert_eq!(place, b"{"),
            Seen::Opened(Container::Array) => assert_eq!(place, b"["),
            Seen::Closed { container, empty } => {
                let ends = if *container == Container::Object { (b'{', b'}') } else { (b'[', b']') };
                assert_eq!((place[0], place[place.len() - 1]), ends);
                assert_eq!(*empty, place[1..place.len() - 1].trim_ascii().is_empty());
            }
            Seen::Null => assert_eq!(place, b"null"),
            Seen::Bool(flag) => assert_eq!(place, flag.to_string().as_bytes()),
            Seen::Text { .. } | Seen::Size(_) | Seen::Whole(_) => {
                assert_eq!((place[0], place[place.len() - 1]), (b'"', b'"'))
            }
            Seen::Number(_) | Seen::Rounded(_) => {
                assert!(place.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')));
            }
        }
    }
}

/// The hits in order, with their places, and how the document ended.
fn scan(chunks: &[&[u8]]) -> (Vec<Noted>, Result<(), Malformed>) {
    let mut scanner = Scanner::new(&SHAPE);
    let mut notes = Notes::default();
    let mut note = |hit: Hit<'_, Key>| notes.note(&hit);
    let fed = chunks.iter().try_for_each(|chunk| scanner.feed(chunk, &mut note));
    let end = scanner.finish();
    if let Err(malformed) = fed {
        assert_eq!(scanner.feed(b" ", &mut note), Err(malformed), "an error stays");
        assert_eq!(end, fed, "an error stays");
    }
    assert_eq!(scanner.is_complete(), end.is_ok());
    (notes.hits, end)
}

/// Documents in a row: the hits of each, and what stopped the last.
fn scan_row(chunks: &[&[u8]]) -> Vec<(Vec<Noted>, u64, bool)> {
    let mut scanner = Scanner::new(&SHAPE);
    let (mut documents, mut notes) = (Vec::new(), Notes::default());
    'row: for chunk in chunks {
        let mut rest = *chunk;
        loop {
            match scanner.feed_document(rest, &mut |hit| notes.note(&hit)) {
                Err(_) => break 'row,
                Ok(after) => {
                    assert!(after.is_empty() || scanner.is_complete(), "only a whole document leaves a rest");
                    // Blanks belong to neither.
                    rest = after.trim_ascii_start();
                }
            }
            if rest.is_empty() {
                break;
            }
            documents.push((std::mem::take(&mut notes).hits, scanner.offset(), true));
            scanner.restart();
        }
    }
    let whole = scanner.finish().is_ok();
    documents.push((notes.hits, scanner.offset(), whole));
    documents
}

fn same(ours: &[Noted], theirs: &[Noted], places: bool, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:?} {theirs:?}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours, theirs, "{what}");
        assert!(!places || (ours.from, ours.to) == (theirs.from, theirs.to), "{what}: {ours:?} {theirs:?}");
    }
}

/// Reads a document by `serde_json`, in its order and with all its repetitions, and foretells the hits.
struct Foretell<'a> {
    hits: &'a mut Vec<Noted>,
    field: Option<&'static Field<Key>>,
    inside: &'static [Field<Key>],
    repeated: bool,
}

impl Foretell<'_> {
    fn hit(&mut self, seen: Seen, repeated: bool) {
        if let Some(key) = self.field.and_then(|field| field.key) {
            self.hits.push(Noted { key, seen, repeated, from: 0, to: 0 });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Foretell<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Foretell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.hit(Seen::Null, self.repeated);
        Ok(())
    }
    fn visit_bool<E>(mut self, flag: bool) -> Result<(), E> {
        self.hit(Seen::Bool(flag), self.repeated);
        Ok(())
    }
    fn visit_u64<E>(mut self, whole: u64) -> Result<(), E> {
        self.hit(Seen::Number(Number::Whole(whole)), self.repeated);
        Ok(())
    }
    fn visit_i64<E>(mut self, _: i64) -> Result<(), E> {
        self.hit(Seen::Number(Number::Negative), self.repeated);
        Ok(())
    }
    fn visit_f64<E>(mut self, rounded: f64) -> Result<(), E> {
        self.hit(Seen::Rounded(rounded), self.repeated);
        Ok(())
    }
    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        let seen = match self.field.map(|field| field.want) {
            Some(Want::Value) => {
                let fits = (0..=text.len().min(256)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                Seen::Text { text: text[..fits].to_owned(), cut: text.len() > 256 }
            }
            Some(Want::Pieces) => Seen::Whole(text.to_owned()),
            _ => Seen::Size(text.len() as u64),
        };
        self.hit(seen, self.repeated);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        self.hit(Seen::Opened(Container::Array), self.repeated);
        let (field, inside, mut empty) = (self.field, self.inside, true);
        while elements.next_element_seed(Foretell { hits: self.hits, field, inside, repeated: false })?.is_some() {
            empty = false;
        }
        self.hit(Seen::Closed { container: Container::Array, empty }, false);
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.hit(Seen::Opened(Container::Object), self.repeated);
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let field = self.inside.iter().find(|field| field.name == name);
            let inside = field.map_or(&[][..], |field| field.inside);
            let repeated = names.contains(&name);
            members.next_value_seed(Foretell { hits: self.hits, field, inside, repeated })?;
            names.push(name);
        }
        self.hit(Seen::Closed { container: Container::Object, empty: names.is_empty() }, false);
        Ok(())
    }
}

/// How many containers are open at the end of a document's beginning, and were at most.
fn depth(document: &[u8]) -> (usize, usize) {
    let (mut depth, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in document {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        most = most.max(depth);
    }
    (depth, most)
}

/// What is read here and refused by `serde_json`: lone surrogates, numbers beyond a float, the 128th level.
const READ_HERE: [&str; 4] = ["surrogate", "end of hex escape", "out of range", "recursion limit"];

pub fn holds(input: &[u8]) {
    let Some((seed, document)) = head::<2>(input) else { return };
    let (hits, end) = scan(&[document]);
    for chunks in chunkings(document, seed) {
        let (cut, cut_end) = scan(&chunks);
        assert_eq!(end, cut_end);
        same(&hits, &cut, true, "cut");
    }
    match serde_json::from_slice::<Value>(document) {
        Ok(_) => {
            assert_eq!(end, Ok(()));
            let mut foretold = Vec::new();
            let foretell = Foretell { hits: &mut foretold, field: None, inside: &SHAPE, repeated: false };
            foretell.deserialize(&mut serde_json::Deserializer::from_slice(document)).unwrap();
            same(&hits, &foretold, false, "foretold");
        }
        Err(error) => {
            let known = READ_HERE.iter().any(|known| error.to_string().contains(known));
            assert!(known || end.is_err(), "{error}");
        }
    }
    match end {
        Ok(()) => {
            hits.iter().for_each(|hit| hit.stands_in(document));
            assert!(depth(document).1 <= 128);
        }
        Err(Malformed { at, why }) => {
            assert!(at <= document.len() as u64);
            assert_eq!(at == document.len() as u64, why == Why::Truncated, "{why:?} at {at}");
            // What stands before the fault was not it.
            let before = &document[..usize::try_from(at).unwrap()];
            let end = scan(&[before]).1;
            assert!(end.is_ok() || end.unwrap_err().why == Why::Truncated);
            let (open, most) = depth(before);
            assert!(most <= 128 && (why != Why::TooDeep || open == 128));
        }
    }
    let row = scan_row(&[document]);
    for chunks in chunkings(document, seed) {
        let cut = scan_row(&chunks);
        assert_eq!(row.len(), cut.len());
        for (whole, cut) in row.iter().zip(&cut) {
            same(&whole.0, &cut.0, true, "in a row");
            assert_eq!((whole.1, whole.2), (cut.1, cut.2));
        }
    }
    if end.is_ok() {
        assert_eq!(row.len(), 1);
        same(&row[0].0, &hits, true, "a row of one");
    }
}
