//! Random requests and answers of each API, written with escapes of all kinds, against a reader that has nothing in common with
//! ours: what is found is gone, and undoing the placeholders gives the same document again.

use super::{content, cuts, passed, screened};
use crate::content::Placeholders;
use crate::json::Field;
use crate::llm::schema::{self, Schema};
use crate::llm::texts::{Opaque, Text, Texts};
use crate::policy::content::Content;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::rc::Rc;

/// What is planted. No two of them share a part.
const PLANTED: [&str; 4] = ["jo.doe@example.com", "ann+x@mail.example.org", "4111 1111 1111 1111", "bo@b.example.net"];
const NUMBERS: [u64; 3] = [4_111_111_111_111_111, 5_500_005_555_555_559, 7];
const WORDS: [&str; 9] =
    ["hello", " ", "\"quoted\"", "line\nbreak", "tab\t\\ and / ", "Zoë…", "日本語", "😀👩‍🚀", "x = {\"a\":1}"];

/// Chance that is the same each time for a seed.
struct Chance(Cell<u64>);

impl Chance {
    fn below(&self, bound: usize) -> usize {
        let mut state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((state ^ state >> 31) % bound as u64).unwrap()
    }

    fn of<'a, T: ?Sized>(&self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }

    /// A text: words and what is planted, apart from each other and from its ends.
    fn text(&self) -> String {
        let some = (0..self.below(4)).map(|_| if self.below(2) == 0 { self.of(&PLANTED) } else { self.of(&WORDS) });
        format!(" {} ", some.collect::<Vec<_>>().join(", "))
    }

    fn anything(&self, depth: usize) -> Value {
        match self.below(if depth < 4 { 8 } else { 5 }) {
            0..=2 => json!(self.text()),
            3 => json!(NUMBERS[self.below(NUMBERS.len())]),
            4 => self.of(&[&json!(null), &json!(true), &json!(-1.5), &json!("")]).clone(),
            5 => (0..self.below(4)).map(|_| self.anything(depth + 1)).collect(),
            _ => {
                let member = |_| (format!("key{}", self.text()), self.anything(depth + 1));
                Value::Object((0..self.below(3)).map(member).collect())
            }
        }
    }

    /// An object of a table.
    fn object(&self, table: &'static [Field<Text>], depth: usize) -> Value {
        let mut object = Map::new();
        for _ in 0..self.below(5) + usize::from(depth == 0) {
            let Some(field) = table.get(self.below(table.len().max(1))) else { break };
            let name = if field.is_rest() { format!("unheard of {}", self.text()) } else { field.name.to_owned() };
            object.insert(name, self.value(field, depth + 1));
        }
        Value::Object(object)
    }

    fn value(&self, field: &'static Field<Text>, depth: usize) -> Value {
        match field.key {
            Some(Text::Role) => json!(self.of(&["user", "system", "tool"])),
            Some(Text::Index) => json!(self.below(3)),
            Some(Text::Kind | Text::End) => json!("text.delta"),
            Some(Text::Opaque(_)) | None => json!("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(2)),
            Some(Text::In { json: true, .. }) if self.below(2) == 0 => {
                let inner = Value::Object(Map::from_iter([("to".to_owned(), self.anything(3))]));
                json!(self.written(&inner))
            }
            Some(Text::In { .. } | Text::Message | Text::Turn) => match self.below(4) {
                _ if depth > 8 || field.is_rest() => self.anything(depth),
                0 if !matches!(field.key, Some(Text::Turn)) => json!(self.text()),
                0 | 1 => self.object(field.inside, depth),
                _ => (0..self.below(4)).map(|_| self.object(field.inside, depth)).collect(),
            },
        }
    }

    /// A document as somebody may write it: blanks anywhere, any letter as an escape.
    fn written(&self, value: &Value) -> String {
        let blank = || self.of(&["", "", "", " ", "\n", "\r\n\t"]);
        let between =
            |open: &str, some: Vec<String>, close: &str| format!("{open}{}{}{close}", some.join(","), blank());
        let text = match value {
            Value::String(text) => self.string(text),
            Value::Array(some) => between("[", some.iter().map(|value| self.written(value)).collect(), "]"),
            Value::Object(object) => {
                let member = |(key, value): (&String, &Value)| {
                    format!("{}{}{}:{}", blank(), self.string(key), blank(), self.written(value))
                };
                between("{", object.iter().map(member).collect(), "}")
            }
            other => other.to_string(),
        };
        format!("{}{text}{}", blank(), blank())
    }

    fn string(&self, text: &str) -> String {
        // Some have none, some a few, some nothing else.
        let often = self.of(&[&0, &1, &8]);
        let mut out = String::from("\"");
        for letter in text.chars() {
            match letter {
                _ if self.below(8) < *often => {
                    letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04X}"));
                }
                '"' | '\\' => out.extend(['\\', letter]),
                '/' if self.below(2) == 0 => out += "\\/",
                '\n' => out += "\\n",
                '\t' => out += "\\t",
                '\r' => out += "\\r",
                '\0'..' ' => out += &format!("\\u{:04x}", u32::from(letter)),
                _ => out.push(letter),
            }
        }
        out + "\""
    }
}

fn rules(action: &str, on: &str) -> Rc<Content> {
    content(&json!([{"name": "people", "find": ["email", "card"], "action": action, "on": [on]}]))
}

/// With what is found in it by its placeholder, or the other way round; documents within strings as documents, and long numbers as
/// strings.
fn plain(value: &Value, undo: &impl Fn(&str) -> String) -> Value {
    let text = |text: &str| match serde_json::from_str::<Value>(text) {
        Ok(inner @ Value::Object(_)) => json!({"json": plain(&inner, undo)}),
        _ => json!(undo(text)),
    };
    match value {
        Value::String(string) => text(string),
        Value::Number(number) if number.as_u64().is_some_and(|number| number >= 100_000_000) => {
            json!(number.to_string())
        }
        Value::Array(some) => some.iter().map(|value| plain(value, undo)).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (undo(key), plain(value, undo))).collect(),
        other => other.clone(),
    }
}

fn undone(text: &str, placeholders: &Placeholders) -> String {
    let mut parts = text.split('[');
    parts.next().unwrap_or_default().to_owned()
        + &parts
            .map(|part| {
                let end = part.find(']').map_or(0, |end| end + 1);
                let (name, rest) = part.split_at(end);
                match placeholders.value(&format!("[{name}")) {
                    Some(value) => format!("{value}{rest}"),
                    None => format!("[{part}"),
                }
            })
            .collect::<String>()
}

fn api() -> impl Strategy<Value = &'static Schema> {
    (0..schema::ALL.len()).prop_map(|nth| schema::ALL[nth])
}

/// `make check-texts` tries more.
fn conversations() -> ProptestConfig {
    let asked = std::env::var("CONVERSATIONS").map(|number| number.parse().expect("a number of CONVERSATIONS"));
    ProptestConfig::with_cases(asked.unwrap_or(256))
}

proptest! {
    #![proptest_config(conversations())]

    #[test]
    fn no_request_keeps_what_is_found_and_its_placeholders_give_it_back(
        api in api(), seed: u64, at in prop::collection::vec(0..4_000_usize, 0..9),
    ) {
        let chance = Chance(Cell::new(seed));
        let document = chance.object(Texts::of(api).request, 0);
        let body = chance.written(&document);
        prop_assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), &document);
        let (sent, screened) = screened(&rules("restore", "request"), api, &cuts(body.as_bytes(), &at));
        let sent = String::from_utf8(sent).unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap_or_else(|error| panic!("{error}: {body} became {sent}"));
        let text = sent.to_string();
        for planted in PLANTED.iter().copied().chain(["4111111111111111", "5500005555555559"]) {
            prop_assert!(!text.contains(planted), "{planted} in {text}");
        }
        let before = plain(&document, &str::to_owned);
        prop_assert_eq!(plain(&sent, &|text| undone(text, &screened.placeholders)), before, "{}", body);
        prop_assert_eq!(screened.refused, None);
    }

    #[test]
    fn an_answer_is_masked_the_same_however_it_is_cut_and_stays_what_it_is(
        api in api(), seed: u64, at in prop::collection::vec(0..4_000_usize, 0..9), framing in 0..4_usize,
    ) {
        let chance = Chance(Cell::new(seed));
        let texts = Texts::of(api);
        let one = |table| chance.written(&chance.object(table, 0));
        let data = |end: &str| -> String {
            let line = |_| one(texts.event).replace(['\n', '\r', '\t'], " ");
            let event = |line| format!("event: x{end}data: {line}{end}: comment{end}{end}");
            (0..4).map(line).map(event).collect()
        };
        let body = match framing {
            0 => one(texts.answer),
            1 => format!("\u{feff}\n{}\n{}", one(texts.answer), one(texts.answer)),
            2 => data("\n"),
            _ => data("\r\n"),
        };
        let mask = rules("mask", "answer");
        let whole = String::from_utf8(passed(&mask, api, Placeholders::default(), &[body.as_bytes()])).unwrap();
        let cut = passed(&mask, api, Placeholders::default(), &cuts(body.as_bytes(), &at));
        prop_assert_eq!(&String::from_utf8(cut).unwrap(), &whole, "{}", body);
        let by_byte: Vec<_> = body.as_bytes().chunks(1).collect();
        let cut = passed(&mask, api, Placeholders::default(), &by_byte);
        prop_assert_eq!(&String::from_utf8(cut).unwrap(), &whole, "{}", body);
        let documents: Vec<&str> = match framing {
            0 | 1 => vec![whole.trim_start_matches('\u{feff}')],
            _ => whole.lines().filter_map(|line| line.strip_prefix("data: ")).collect(),
        };
        for document in documents {
            for value in serde_json::Deserializer::from_str(document).into_iter::<Value>() {
                let value = value.unwrap_or_else(|error| panic!("{error}: {body} became {document}"));
                prop_assert!(!PLANTED.iter().any(|planted| value.to_string().contains(planted)), "{document}");
            }
        }
    }
}

/// The builder plants something in nearly every row, or the properties would say little.
#[test]
fn most_of_these_documents_have_something_to_be_found() {
    let rules = rules("count", "request");
    let mut found = 0;
    for seed in 0..100 {
        let chance = Chance(Cell::new(seed));
        let api = schema::ALL[chance.below(schema::ALL.len())];
        let body = chance.written(&chance.object(Texts::of(api).request, 0));
        let (_, screened) = screened(&rules, api, &[body.as_bytes()]);
        found += usize::from(!screened.seen.found.is_empty());
        assert_eq!(screened.seen.opaque[Opaque::TooMuchWork as usize], 0);
    }
    assert!(found > 40, "{found}");
}
