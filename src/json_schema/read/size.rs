//! How large a document may be, before anything in it is looked at; and what takes how much memory.

use super::super::flaw::{Flaw, Reason};
use serde_json::Value;

/// Levels of JSON. A property within a property is two of them.
const MAX_DEPTH: usize = 64;
/// What a number is taken for.
const NUMBER: usize = 8;

/// A value, and what a list or a text takes beside what is in it, in bytes of memory.
const VALUE: usize = 24;
const ALLOCATED: usize = 16;
/// A map's members stand in leaves of eleven. One that was filled in its order has leaves that are half full.
const LEAF: usize = 400;
const MEMBERS_OF_A_LEAF: usize = 6;

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

/// About what a copy of a value takes in memory: an empty object in a list is three bytes of text, one with a member 400.
pub fn weight(value: &Value) -> usize {
    let text = |text: &String| text.len().saturating_add(VALUE).saturating_add(ALLOCATED);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => VALUE,
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(weight).fold(VALUE.saturating_add(ALLOCATED), usize::saturating_add),
        Value::Object(members) => {
            let leaves = members.len().div_ceil(MEMBERS_OF_A_LEAF).saturating_mul(LEAF);
            let weights = members.iter().map(|(name, member)| weight(member).saturating_add(text(name)));
            weights.fold(VALUE.saturating_add(leaves), usize::saturating_add)
        }
    }
}
