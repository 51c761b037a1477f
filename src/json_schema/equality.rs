//! JSON Schema's equality: numbers by value, objects whatever the order of their members. And an order that agrees with it, so
//! that equal items are found by sorting.

use super::number::Decimal;
use super::work::{DIVISION, Halt, MAX_DEPTH, Steps};
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Whether two values are the same to JSON Schema: `1` is `1.0`, and `9007199254740993` is not `9007199254740992`.
/// What is nested deeper than any JSON that is read here equals nothing.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> bool {
    weight(a, MAX_DEPTH, &mut Steps::endless()).is_ok() && order(a, b).is_eq()
}

/// Goes no deeper than the shallower of the two.
pub fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => order_of_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            let orders = a.iter().zip(b).map(|(a, b)| order(a, b));
            first_difference(orders)
        }),
        (Value::Object(a), Value::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            if a.keys().is_sorted() && b.keys().is_sorted() {
                order_of_members(a.iter(), b.iter())
            } else {
                let (a, b) = (sorted(a), sorted(b));
                order_of_members(
                    a.iter().map(|(name, member)| (*name, *member)),
                    b.iter().map(|(name, member)| (*name, *member)),
                )
            }
        }),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Of as many members each, in the order of their names.
fn order_of_members<'v>(
    a: impl Iterator<Item = (&'v String, &'v Value)> + Clone,
    b: impl Iterator<Item = (&'v String, &'v Value)> + Clone,
) -> Ordering {
    let members = a.zip(b);
    let names = members.clone().map(|((a, _), (b, _))| a.cmp(b));
    let values = members.map(|((_, a), (_, b))| order(a, b));
    first_difference(names.chain(values))
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The members of an object in the order of their names, which `serde_json` may be built not to keep.
fn sorted(object: &Map<String, Value>) -> BTreeMap<&String, &Value> {
    let mut members = BTreeMap::new();
    for (name, member) in object {
        members.insert(name, member);
    }
    members
}

/// Up to here, each integer is a float.
const EXACT: u64 = 1 << 53;

/// A large integer and a float are written out to be compared.
pub fn weight_of_number(number: &Number) -> usize {
    let is_small = number.as_i64().is_some_and(|whole| whole.unsigned_abs() <= EXACT);
    if is_small { 1 } else { DIVISION }
}

/// Floats, and integers that are floats as well, need no decimals: their order is the same.
fn order_of_numbers(a: &Number, b: &Number) -> Ordering {
    let float = |number: &Number| match number.as_i64() {
        Some(whole) => (whole.unsigned_abs() <= EXACT).then_some(whole as f64),
        None => number.as_f64().filter(|_| number.is_f64()),
    };
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a)
            .zip(float(b))
            .and_then(|(a, b)| a.partial_cmp(&b))
            .unwrap_or_else(|| Decimal::of(a).cmp(&Decimal::of(b))),
    }
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// What comparing it may take, in steps, which are spent as they are counted. It may have `depth` levels.
pub fn weight(value: &Value, depth: usize, steps: &mut Steps) -> Result<usize, Halt> {
    let mut sum: usize = 1;
    match value {
        Value::String(text) => sum = Steps::of_text(text),
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or(Halt::TooDeep)?;
            for item in items {
                sum = sum.saturating_add(weight(item, depth, steps)?);
            }
        }
        Value::Object(members) => {
            let depth = depth.checked_sub(1).ok_or(Halt::TooDeep)?;
            for (name, member) in members {
                let member = weight(member, depth, steps)?;
                sum = sum.saturating_add(Steps::of_text(name)).saturating_add(member);
            }
        }
        Value::Number(number) => sum = weight_of_number(number),
        Value::Null | Value::Bool(_) => {}
    }
    steps.spend(1)?;
    Ok(sum)
}

pub fn in_order(items: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<_> = items.iter().collect();
    crate::order::sort_by(&mut sorted, |a, b| order(a, b));
    sorted
}

/// Whether two of the items are equal. Each of the rounds of sorting compares each item about once.
pub fn has_equal(items: &[Value], depth: usize, steps: &mut Steps) -> Result<bool, Halt> {
    let mut weights: usize = 0;
    for item in items {
        weights = weights.saturating_add(weight(item, depth, steps)?);
    }
    steps.spend(weights.saturating_mul(Steps::of_search(items.len())))?;
    let sorted = in_order(items);
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    Ok(pairs.any(|(a, b)| order(a, b).is_eq()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equality_is_by_value() {
        let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        for (a, b, expected) in [
            ("1", "1.0", true),
            ("0", "-0.0", true),
            ("100", "1e2", true),
            ("9007199254740992", "9007199254740993", false),
            ("9007199254740992", "9007199254740992.0", true),
            ("-9007199254740993", "-9007199254740992", false),
            ("18446744073709551615", "18446744073709551614", false),
            ("1", "true", false),
            ("0", "false", false),
            ("0", "null", false),
            ("\"1\"", "1", false),
            ("[1,2]", "[2,1]", false),
            ("[1]", "[1,1]", false),
            (r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1.0}"#, true),
            (r#"{"a":1}"#, r#"{"b":1}"#, false),
            (r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#, false),
            ("[]", "{}", false),
        ] {
            assert_eq!(equal(&read(a), &read(b)), expected, "{a} {b}");
            assert_eq!(equal(&read(b), &read(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn what_is_too_deep_equals_nothing() {
        let deep = |levels| (0..levels).fold(json!(1), |inside, _| json!([inside]));
        assert!(equal(&deep(MAX_DEPTH), &deep(MAX_DEPTH)));
        assert!(!equal(&deep(MAX_DEPTH + 1), &deep(MAX_DEPTH + 1)));
        assert!(!equal(&deep(4 * MAX_DEPTH), &deep(4 * MAX_DEPTH)));
    }
}
