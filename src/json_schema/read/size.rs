//! How large a document may be, before anything in it is looked at.

use super::super::flaw::{Flaw, Reason};
use serde_json::Value;

/// Levels of JSON. A property within a property is two of them.
const MAX_DEPTH: usize = 64;
/// What a number is taken for.
const NUMBER: usize = 8;

pub fn check(document: &Value, most: usize) -> Result<(), Flaw> {
    let reason = match size(document, MAX_DEPTH) {
        None => Reason::Limit { of: "levels in it", most: MAX_DEPTH },
        Some(size) if size > most => Reason::Limit { of: "bytes in it", most },
        Some(_) => return Ok(()),
    };
    Err(Flaw { pointer: String::new(), reason })
}

/// About the length of its shortest text. `None`: it is too deep.
fn size(value: &Value, levels: usize) -> Option<usize> {
    let levels = levels.checked_sub(1)?;
    let text = |text: &String| text.len().saturating_add(3);
    Some(match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => NUMBER,
        Value::String(string) => text(string),
        Value::Array(items) => {
            let sizes = items.iter().map(|item| size(item, levels));
            sizes.sum::<Option<usize>>()?.saturating_add(items.len()).saturating_add(2)
        }
        Value::Object(members) => {
            let sizes = members.iter().map(|(name, member)| Some(size(member, levels)?.saturating_add(text(name))));
            sizes.sum::<Option<usize>>()?.saturating_add(members.len()).saturating_add(2)
        }
    })
}
