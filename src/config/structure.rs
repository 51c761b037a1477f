//! A configuration that was written as YAML beside the filter: Envoy hands it over as an encoded `google.protobuf.Struct`.
//!
//! Trade-off: it is turned into JSON first, so that both ways of writing have one reader and one set of errors. Only
//! lines and columns are lost, which the operator never saw.

use crate::protobuf::{WireValue, part};

/// Structs nest; deeper ones than any configuration are refused rather than recursed into.
const DEEPEST: u32 = 64;

/// The same configuration as JSON; `None` if these bytes are no encoded struct.
pub fn json_of(bytes: &[u8]) -> Option<String> {
    let mut json = String::with_capacity(bytes.len().saturating_mul(2));
    object(bytes, &mut json, DEEPEST)?;
    Some(json)
}

fn object(mut bytes: &[u8], json: &mut String, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    json.push('{');
    let mut first = true;
    while !bytes.is_empty() {
        let (1, WireValue::Bytes(mut entry)) = part(&mut bytes)? else { return None };
        let (mut key, mut content): (&[u8], &[u8]) = (&[], &[]);
        while !entry.is_empty() {
            match part(&mut entry)? {
                (1, WireValue::Bytes(bytes)) => key = bytes,
                (2, WireValue::Bytes(bytes)) => content = bytes,
                _ => return None,
            }
        }
        separate(json, &mut first);
        string(key, json)?;
        json.push(':');
        value(content, json, depth)?;
    }
    json.push('}');
    Some(())
}

fn list(mut bytes: &[u8], json: &mut String, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    json.push('[');
    let mut first = true;
    while !bytes.is_empty() {
        let (1, WireValue::Bytes(content)) = part(&mut bytes)? else { return None };
        separate(json, &mut first);
        value(content, json, depth)?;
    }
    json.push(']');
    Some(())
}

fn value(mut bytes: &[u8], json: &mut String, depth: u32) -> Option<()> {
    let content = part(&mut bytes)?;
    match content {
        (1, WireValue::Varint(_)) => json.push_str("null"),
        (2, WireValue::Fixed64(bits)) => number(f64::from_le_bytes(bits), json),
        (3, WireValue::Bytes(text)) => string(text, json)?,
        (4, WireValue::Varint(flag)) => json.push_str(if flag == 0 { "false" } else { "true" }),
        (5, WireValue::Bytes(fields)) => object(fields, json, depth)?,
        (6, WireValue::Bytes(values)) => list(values, json, depth)?,
        _ => return None,
    }
    bytes.is_empty().then_some(())
}

fn separate(json: &mut String, first: &mut bool) {
    if !std::mem::replace(first, false) {
        json.push(',');
    }
}

fn string(bytes: &[u8], json: &mut String) -> Option<()> {
    json.push_str(&serde_json::to_string(std::str::from_utf8(bytes).ok()?).ok()?);
    Some(())
}

/// A struct knows only doubles. Counts come back as the whole numbers they were written as; money is never a number,
/// and where one stands its reader refuses it.
fn number(double: f64, json: &mut String) {
    let text = double.to_string();
    let exact = text.parse::<i64>().is_ok_and(|whole| whole.unsigned_abs() <= 1 << 53);
    if exact || !double.is_finite() {
        json.push_str(if exact { &text } else { "null" });
    } else {
        json.push_str(
            &serde_json::Number::from_f64(double).map_or_else(|| "null".to_owned(), |number| number.to_string()),
        );
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
        out
    }

    fn encoded(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![8, 0],
            Value::Bool(flag) => vec![32, u8::from(*flag)],
            Value::Number(number) => [vec![17], number.as_f64().unwrap().to_le_bytes().to_vec()].concat(),
            Value::String(text) => field(3, text.as_bytes()),
            Value::Array(values) => {
                field(6, &values.iter().flat_map(|value| field(1, &encoded(value))).collect::<Vec<_>>())
            }
            Value::Object(_) => field(5, &object_of(value)),
        }
    }

    /// What Envoy hands over for a configuration written as YAML.
    pub fn object_of(value: &Value) -> Vec<u8> {
        let entries = value.as_object().unwrap().iter();
        entries
            .flat_map(|(key, value)| field(1, &[field(1, key.as_bytes()), field(2, &encoded(value))].concat()))
            .collect()
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,200}".prop_map(Value::from),
            Just(Value::from(0.25)),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z_\"]{0,9}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_as_a_struct_reads_as_the_same_json(values in prop::collection::btree_map("[a-z]{1,9}", any_value(), 0..6)) {
            let written = Value::Object(values.into_iter().collect());
            let json = json_of(&object_of(&written)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), written);
        }

        #[test]
        fn any_bytes_are_a_struct_or_none_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(json) = json_of(&bytes) {
                prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
            }
        }
    }

    #[test]
    fn json_text_is_no_struct() {
        for text in ["{}", "\n{\"a\": 1}", " {\"tenants\":{}}", "\n{\n  \"tenants\": {}\n}\n"] {
            assert_eq!(json_of(text.as_bytes()), None, "{text:?}");
        }
    }
}
