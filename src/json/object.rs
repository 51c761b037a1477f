//! An object of JSON, written field by field.
//!
//! Trade-off: `serde_json` looks at every byte of every key, though all keys are this crate's own words, and a line of
//! forty fields was a tenth of what an exchange cost. Texts that need an escape still go to `serde_json`.

use crate::json::words;

/// A field's name as it stands between two fields, so that it is written at once: [`name!`] makes one.
#[derive(Clone, Copy)]
pub struct MemberName(pub &'static str);

/// The [`MemberName`] of a field whose name needs no escape.
macro_rules! name {
    ($name:expr) => {
        $crate::json::object::MemberName(concat!(",\"", $name, "\":"))
    };
}
pub(crate) use name;

pub struct Object<'a> {
    out: &'a mut String,
    begun: bool,
}

impl<'a> Object<'a> {
    pub const fn begin(out: &'a mut String) -> Self {
        Self { out, begun: false }
    }

    /// An object without a field would lack its bracket.
    pub fn end(self) {
        self.out.push('}');
    }

    /// Its value comes next.
    fn name(&mut self, MemberName(name): MemberName) {
        if self.begun {
            return self.out.push_str(name);
        }
        self.begun = true;
        self.out.push('{');
        self.out.push_str(name.strip_prefix(',').unwrap_or(name));
    }

    pub fn number(&mut self, name: MemberName, number: u64) {
        self.name(name);
        digits(self.out, number);
    }

    pub fn flag(&mut self, name: MemberName, flag: bool) {
        self.name(name);
        self.out.push_str(if flag { "true" } else { "false" });
    }

    pub fn text(&mut self, name: MemberName, text: &str) {
        self.name(name);
        quoted(self.out, text);
    }

    pub fn maybe_number(&mut self, name: MemberName, number: Option<u64>) {
        match number {
            Some(number) => self.number(name, number),
            None => self.null(name),
        }
    }

    pub fn maybe_text(&mut self, name: MemberName, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    /// A member that is left out where there is no text.
    pub fn text_if_any(&mut self, name: MemberName, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Its value is an object of its own.
    pub fn object(&mut self, name: MemberName, write: impl FnOnce(&mut String)) {
        self.name(name);
        write(self.out);
    }

    fn null(&mut self, name: MemberName) {
        self.name(name);
        self.out.push_str("null");
    }

    pub fn list<T>(&mut self, name: MemberName, items: impl Iterator<Item = T>, each: impl Fn(&mut String, T)) {
        self.name(name);
        self.out.push('[');
        for (nth, item) in items.enumerate() {
            if nth > 0 {
                self.out.push(',');
            }
            each(self.out, item);
        }
        self.out.push(']');
    }
}

/// No text is longer: clients and providers may write megabytes, and a shipper takes lines of so many bytes.
const MOST_BYTES: usize = 256;

pub fn quoted(out: &mut String, text: &str) {
    if text.len() <= MOST_BYTES && words::is_plain(text.as_bytes()) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&escaped(text));
    }
}

/// A text that is cut says so. NUL, of which PostgreSQL's jsonb knows nothing, is the replacement character.
#[cold]
fn escaped(text: &str) -> String {
    let end = (0..=MOST_BYTES).rev().find(|end| text.is_char_boundary(*end));
    let kept = end.and_then(|end| text.get(..end)).filter(|_| text.len() > MOST_BYTES);
    let text = kept.map_or_else(|| text.to_owned(), |kept| format!("{kept}…"));
    // A string always serialises.
    serde_json::to_string(&text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// The ones before it first; most counts have but one digit.
fn digits(out: &mut String, number: u64) {
    if number >= 10 {
        digits(out, number / 10);
    }
    out.push(char::from(b'0'.wrapping_add(u8::try_from(number % 10).unwrap_or(0))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn as_kept(text: &str) -> String {
        text.replace('\0', "\u{fffd}")
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let quoted = |text: &str| {
            let mut out = String::new();
            quoted(&mut out, text);
            serde_json::from_str::<String>(&out).unwrap()
        };
        for text in ["x".repeat(256), "é".repeat(128), format!("{}\0", "x".repeat(255))] {
            assert_eq!(quoted(&text), as_kept(&text));
        }
        assert_eq!(quoted(&"x".repeat(257)), format!("{}…", "x".repeat(256)));
        assert_eq!(quoted(&"漢".repeat(1_000_000)), format!("{}…", "漢".repeat(85)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, text: String, flag: bool, items: Vec<String>) {
            let mut out = String::new();
            let mut object = Object::begin(&mut out);
            object.number(name!("number"), number);
            object.text(name!("text"), &text);
            object.flag(name!("flag"), flag);
            object.maybe_number(name!("no_number"), None);
            object.maybe_text(name!("no_text"), None);
            object.list(name!("items"), items.iter(), |out, item| quoted(out, item));
            object.end();
            let [text, items] = [vec![text], items].map(|texts| texts.into_iter().map(|text| as_kept(&text)).collect::<Vec<_>>());
            let text = &text[0];
            let expected = json!({"number": number, "text": text, "flag": flag, "no_number": null, "no_text": null, "items": items});
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_written_too() {
        for (number, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = String::new();
            digits(&mut out, number);
            assert_eq!(out, text);
        }
    }
}
