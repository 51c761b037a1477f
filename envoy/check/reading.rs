//! What a value without quotes is to whoever reads the file, and the JSON that the filter gets of it.
//!
//! Trade-off: there is no one YAML. Envoy's reader takes `0.15` for a string and `no` for false; Kubernetes' takes `0.15`
//! for a number, which is no amount of money. A check that knew one of them would be wrong about the other.

use std::rc::Rc;

use nexus_ai_gateway::config::LineColumn;

use crate::yaml::{At, Content, Key, Node};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// yaml-cpp, as `ValueUtil::loadFromYaml` in Envoy's source/common/protobuf/yaml_utility.cc asks it.
    Envoy,
    /// sigs.k8s.io/yaml, which is YAML 1.1; and JSON, of which that makes the same.
    Kubernetes,
}

#[derive(Debug, PartialEq)]
enum Scalar {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
}

impl Reading {
    fn scalar(self, text: &str) -> Scalar {
        if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Scalar::Null;
        }
        if let Some(flag) = flag(text) {
            return Scalar::Flag(flag);
        }
        match self {
            Self::Envoy => match whole(text, false) {
                Some(number) if i32::try_from(number).is_ok() => Scalar::Number(number as f64),
                Some(number) => Scalar::Text(number.to_string()),
                None => Scalar::Text(text.to_owned()),
            },
            Self::Kubernetes => {
                let digits = text.replace('_', "");
                let number = || whole(&digits, true).map(|number| number as f64).or_else(|| decimal(&digits));
                let begins = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
                begins.then(number).flatten().map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Number)
            }
        }
    }
}

/// In one case: `yes`, `Yes` and `YES`, and no `yEs`.
fn flag(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let (first, rest) = text.split_at_checked(1)?;
    let one_case = text == lower
        || text == text.to_ascii_uppercase()
        || (first.to_ascii_uppercase() == first && rest == rest.to_ascii_lowercase());
    match lower.as_str() {
        "y" | "yes" | "true" | "on" if one_case => Some(true),
        "n" | "no" | "false" | "off" if one_case => Some(false),
        _ => None,
    }
}

/// A leading zero makes it octal, to both readers.
fn whole(text: &str, prefixes: bool) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] if prefixes => (2, &digits[2..]),
        [b'0', b'o', ..] if prefixes => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn decimal(text: &str) -> Option<f64> {
    let only = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| only && number.is_finite())
}

/// A JSON text of which each line holds one token, so that a line of it is a place in the file.
pub struct Told {
    pub json: String,
    places: Vec<At>,
}

impl Told {
    pub fn of(node: &Node, reading: Reading) -> Self {
        let mut told = Self { json: String::new(), places: Vec::new() };
        told.value(node, reading);
        told
    }

    pub fn at(&self, place: LineColumn) -> Option<At> {
        self.places.get(place.line.checked_sub(1)?).copied()
    }

    fn line(&mut self, token: &str, at: At) {
        self.json.push_str(token);
        self.json.push('\n');
        self.places.push(at);
    }

    fn value(&mut self, node: &Node, reading: Reading) {
        let at = node.at;
        match &node.content {
            Content::Plain(text) => match reading.scalar(text) {
                Scalar::Null => self.line("null", at),
                Scalar::Flag(flag) => self.line(if flag { "true" } else { "false" }, at),
                Scalar::Number(number) => self.line(&number_text(number), at),
                Scalar::Text(text) => self.line(&quoted(&text), at),
            },
            Content::Quoted(text) | Content::Literal(text) => self.line(&quoted(text), at),
            Content::List(items) => {
                self.line("[", at);
                for (nth, item) in items.iter().enumerate() {
                    if nth > 0 {
                        self.line(",", item.at);
                    }
                    self.value(item, reading);
                }
                self.line("]", at);
            }
            Content::Map(entries) => {
                let merged;
                let entries = match reading {
                    Reading::Kubernetes => {
                        merged = self::merged(entries);
                        &merged
                    }
                    Reading::Envoy => entries,
                };
                self.line("{", at);
                for (nth, (key, value)) in entries.iter().enumerate() {
                    if nth > 0 {
                        self.line(",", key.at);
                    }
                    self.line(&format!("{}:", quoted(&key.name)), key.at);
                    self.value(value, reading);
                }
                self.line("}", at);
            }
        }
    }
}

/// YAML 1.1 puts the entries of what `<<` stands for in its place, and what comes later counts; to Envoy it is a key like
/// any other. A key that is written twice by itself stays so, for the filter to refuse.
fn merged(entries: &[(Key, Rc<Node>)]) -> Vec<(Key, Rc<Node>)> {
    let mut all: Vec<(Key, Rc<Node>, bool)> = Vec::new();
    for (key, value) in entries {
        if key.name != "<<" {
            all.retain(|(known, _, by_merge)| !by_merge || known.name != key.name);
            all.push((key.clone(), Rc::clone(value), false));
            continue;
        }
        let parts = if value.list().is_empty() { std::slice::from_ref(value) } else { value.list() };
        // Of several, the first counts.
        for part in parts.iter().rev() {
            for (key, value) in merged(part.map()) {
                all.retain(|(known, ..)| known.name != key.name);
                all.push((key, value, true));
            }
        }
    }
    all.into_iter().map(|(key, value, _)| (key, value)).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// As the filter writes the doubles of an encoded struct.
fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        return (number as i64).to_string();
    }
    serde_json::Value::from(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_merges_maps_where_they_are_named() {
        let told = |text: &str| {
            let node = crate::yaml::documents(text).expect("YAML").remove(0);
            let json: serde_json::Value =
                serde_json::from_str(&Told::of(&node, Reading::Kubernetes).json).expect("JSON");
            json.to_string()
        };
        assert_eq!(
            told("{a: &x {p: 1, q: 2}, b: {<<: *x, p: 3}, c: {p: 3, <<: *x}, d: {<<: [{p: 5}, *x]}}"),
            r#"{"a":{"p":1,"q":2},"b":{"p":3,"q":2},"c":{"p":1,"q":2},"d":{"p":5,"q":2}}"#
        );
    }

    /// The second column was asked of Envoy 1.40.0, the third of sigs.k8s.io/yaml 1.6.0.
    #[test]
    fn each_reader_has_its_own_yaml() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        for (written, envoy, kubernetes) in [
            ("0.15", text("0.15"), Scalar::Number(0.15)),
            ("1e3", text("1e3"), Scalar::Number(1000.0)),
            ("60", Scalar::Number(60.0), Scalar::Number(60.0)),
            ("-5", Scalar::Number(-5.0), Scalar::Number(-5.0)),
            ("0x10", Scalar::Number(16.0), Scalar::Number(16.0)),
            ("010", Scalar::Number(8.0), Scalar::Number(8.0)),
            ("08", text("08"), Scalar::Number(8.0)),
            ("1_000", text("1_000"), Scalar::Number(1000.0)),
            ("0_8", text("0_8"), Scalar::Number(8.0)),
            ("1_0.5", text("1_0.5"), Scalar::Number(10.5)),
            ("_1", text("_1"), text("_1")),
            ("-0x10", Scalar::Number(-16.0), Scalar::Number(-16.0)),
            ("0o10", text("0o10"), Scalar::Number(8.0)),
            ("0b11", text("0b11"), Scalar::Number(3.0)),
            ("+.5", text("+.5"), Scalar::Number(0.5)),
            ("1.", text("1."), Scalar::Number(1.0)),
            ("1e", text("1e"), text("1e")),
            ("0.1.2", text("0.1.2"), text("0.1.2")),
            ("+", text("+"), text("+")),
            ("3000000000", text("3000000000"), Scalar::Number(3e9)),
            ("no", Scalar::Flag(false), Scalar::Flag(false)),
            ("On", Scalar::Flag(true), Scalar::Flag(true)),
            ("yEs", text("yEs"), text("yEs")),
            ("~", Scalar::Null, Scalar::Null),
            ("2026-01-31", text("2026-01-31"), text("2026-01-31")),
            ("nan", text("nan"), text("nan")),
            ("gpt-4o*", text("gpt-4o*"), text("gpt-4o*")),
        ] {
            assert_eq!(Reading::Envoy.scalar(written), envoy, "{written}");
            assert_eq!(Reading::Kubernetes.scalar(written), kubernetes, "{written}");
        }
    }
}
