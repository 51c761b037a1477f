//! Arguments that Vertex streams value by value, each with its path: `[{"jsonPath": "$.to[0].name", "stringValue": "Jo"}]`.
//! Texts of one path follow each other. Source: Vertex AI's `FunctionCall.partial_args`, and RFC 9535 for the paths.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a path may have at most; no schema of arguments is as deep.
const DEEPEST: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(alias = "json_path")]
    json_path: String,
    #[serde(alias = "string_value")]
    string_value: Option<String>,
    #[serde(alias = "number_value")]
    number_value: Option<serde_json::Number>,
    #[serde(alias = "bool_value")]
    bool_value: Option<bool>,
    #[serde(default, alias = "null_value", deserialize_with = "is_there")]
    null_value: bool,
}

/// The null of protobuf's JSON is written as one, or as its name.
fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// The document that lists of parts make, one behind the other. `None`: they make none.
pub(super) fn assembled(lists: &[u8]) -> Option<String> {
    let mut root = Value::Object(Map::new());
    for list in serde_json::Deserializer::from_slice(lists).into_iter::<Vec<Part>>() {
        for part in list.ok()? {
            let steps = steps(&part.json_path)?;
            let Some(value) = part.value() else { continue };
            let place = steps.iter().try_fold(&mut root, go)?;
            match (place, value) {
                (Value::String(text), Value::String(more)) => text.push_str(&more),
                (place @ Value::Null, value) => *place = value,
                // Two values at one place, or a value where members are.
                _ => return None,
            }
        }
    }
    Some(root.to_string())
}

impl Part {
    /// `None`: it only says that a value has ended.
    fn value(self) -> Option<Value> {
        let text = self.string_value.map(Value::String);
        let number = self.number_value.map(Value::Number);
        text.or(number).or(self.bool_value.map(Value::Bool)).or(self.null_value.then_some(Value::Null))
    }
}

/// One step into a value, which is made on the way.
fn go<'v>(place: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match step {
        Step::Member(name) => {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            Some(place.as_object_mut()?.entry(name.as_str()).or_insert(Value::Null))
        }
        Step::Element(at) => {
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let elements = place.as_array_mut()?;
            // The next one at most: an index costs no more than its digits.
            if *at == elements.len() {
                elements.push(Value::Null);
            }
            elements.get_mut(*at)
        }
    }
}

/// The names and the indices of a path.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= DEEPEST {
            return None;
        }
        let step;
        (step, rest) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, behind) = name.split_at_checked(end)?;
            (Step::Member(name.to_owned()), behind)
        } else {
            let inside = rest.strip_prefix('[')?;
            match inside.strip_prefix(['\'', '"']) {
                Some(name) => quoted(name, inside.chars().next()?)?,
                None => {
                    let (index, behind) = inside.split_once(']')?;
                    (Step::Element(index.parse().ok()?), behind)
                }
            }
        };
        steps.push(step);
    }
    Some(steps)
}

/// A name in quotes, up to its bracket.
fn quoted(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            letter if letter == quote => break,
            '\\' => name.push(letters.next().filter(|escaped| matches!(escaped, '\'' | '"' | '\\' | '/'))?),
            letter => name.push(letter),
        }
    }
    letters.as_str().strip_prefix(']').map(|behind| (Step::Member(name), behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_stand_at_their_paths_and_texts_go_on() {
        let lists = r#"[{"jsonPath":"$.to[0].name","stringValue":"J\u006f","willContinue":true},{"json_path":"$.to[0].name","string_value":"hn"}]
            [{"jsonPath":"$.to[1]","numberValue":-1.5},{"jsonPath":"$['a.b']","boolValue":true},{"jsonPath":"$.n","nullValue":"NULL_VALUE"}]
            [{"jsonPath":"$.m","nullValue":null},{"jsonPath":"$.to[0].name"}]"#;
        let made: Value = serde_json::from_str(&assembled(lists.as_bytes()).unwrap()).unwrap();
        assert_eq!(made, json!({"to": [{"name": "John"}, -1.5], "a.b": true, "n": null, "m": null}));
        assert_eq!(assembled(b"").as_deref(), Some("{}"));
    }

    #[test]
    fn what_makes_no_document_makes_none() {
        for list in [
            r#"[{"jsonPath":"a","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[7]","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[99999999999999999999]","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a","stringValue":"x"},{"jsonPath":"$.a","numberValue":1}]"#,
            r#"[{"jsonPath":"$.a","stringValue":"x"},{"jsonPath":"$.a.b","numberValue":1}]"#,
            r#"[{"stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a""#,
            r#"[{"jsonPath":"$['a","stringValue":"x"}]"#,
        ] {
            assert_eq!(assembled(list.as_bytes()), None, "{list}");
        }
        let deep = format!(r#"[{{"jsonPath":"${}","boolValue":true}}]"#, ".a".repeat(65));
        assert_eq!(assembled(deep.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_path_breaks_anything(path in "[$.\\[\\]'\"a0-2\\\\]{0,12}", texts in prop::collection::vec(any::<String>(), 0..3)) {
            let list: Vec<_> = texts.iter().map(|text| json!({"jsonPath": path, "stringValue": text})).collect();
            let made = assembled(json!(list).to_string().as_bytes());
            if let Some(made) = made {
                prop_assert!(serde_json::from_str::<Value>(&made).unwrap().is_object());
            }
        }
    }
}
