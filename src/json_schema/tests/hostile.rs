//! Schemas and values that are made to hurt: each ends soon, in a verdict or in none.

use super::{Fault, Flaw, Kind, Schema, Steps, Where, check, json, read};
use crate::json_schema::Reason;
use serde_json::{Value, json};
use std::fmt::Write;

/// What may come of it.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Refused,
    Valid,
    Invalid,
    TooDeep,
    TooMuchWork,
}

fn end(schema: &Value, value: &Value) -> End {
    let Ok(schema) = read(schema) else { return End::Refused };
    match schema.check(value, &mut Steps::of_all()).map_err(|fault| fault.kind) {
        Ok(()) => End::Valid,
        Err(Kind::Invalid(_)) => End::Invalid,
        Err(Kind::TooDeep) => End::TooDeep,
        Err(Kind::TooMuchWork) => End::TooMuchWork,
    }
}

/// `inside`, within as many of `outer`.
fn nested(levels: usize, inside: Value, outer: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(inside, |inside, _| outer(inside))
}

fn array(inside: Value) -> Value {
    Value::Array(vec![inside])
}

fn member(inside: Value) -> Value {
    Value::Object([("a".to_owned(), inside)].into_iter().collect())
}

/// A chain of definitions, each of which refers to the next twice.
fn bomb(keyword: &str, levels: usize) -> Value {
    let mut definitions = serde_json::Map::new();
    for level in 0..levels {
        let next = json!({ "$ref": format!("#/$defs/{}", level + 1) });
        definitions.insert(level.to_string(), json!({ keyword: [next, next] }));
    }
    definitions.insert(levels.to_string(), json!({ "const": 1 }));
    json!({ "$ref": "#/$defs/0", "$defs": definitions })
}

#[test]
fn hostile_schemas_and_values_end_soon() {
    let wide: Value =
        (0..100_000).map(|place| (format!("name {place}"), json!(place))).collect::<serde_json::Map<_, _>>().into();
    let long = json!("a".repeat(1_000_000));
    let tree = json!({ "items": { "$ref": "#" }, "additionalProperties": { "$ref": "#" } });
    let many_names = (0..20_000).fold(String::from("{"), |mut text, place| {
        let _ = write!(text, "{}\"{place}\":true", if place > 0 { "," } else { "" });
        text
    }) + "}";
    for (case, schema, value, expected) in [
        ("a deep schema", nested(100, json!({}), |inside| json!({ "not": inside })), json!(1), End::Refused),
        (
            "a schema as deep as may be",
            nested(60, json!(true), |inside| json!({ "not": inside })),
            json!(1),
            End::Valid,
        ),
        ("a long schema", json!({ "title": "a".repeat(300_000) }), json!(1), End::Refused),
        ("a wide schema", json!({ "properties": json(&many_names) }), json!({}), End::Refused),
        ("a deep value", tree.clone(), nested(128, json!(1), array), End::Valid),
        ("a value that is too deep", tree.clone(), nested(129, json!(1), array), End::TooDeep),
        ("a value that is far too deep", tree, nested(5_000, json!(1), member), End::TooDeep),
        ("a value that is too deep to compare", json!({ "const": 1 }), nested(5_000, json!(1), array), End::TooDeep),
        ("a wide value", json!({ "additionalProperties": false }), wide.clone(), End::Invalid),
        (
            "a wide value, all of it read",
            json!({ "additionalProperties": { "type": "number" } }),
            wide.clone(),
            End::TooMuchWork,
        ),
        ("names that are all matched", json!({ "patternProperties": { "(a|b|c)*x": false } }), wide, End::TooMuchWork),
        ("only itself", json!({ "$ref": "#" }), json!(1), End::Refused),
        ("itself, by another", json!({ "anyOf": [{ "allOf": [{ "$ref": "#" }] }] }), json!(1), End::Refused),
        ("itself, but for a step", json!({ "not": { "items": { "$ref": "#" } } }), json!([[[1]]]), End::Valid),
        ("2^30 branches of anyOf", bomb("anyOf", 30), json!(2), End::TooMuchWork),
        ("2^30 branches of oneOf", bomb("oneOf", 30), json!(2), End::TooMuchWork),
        ("2^30 branches of allOf", bomb("allOf", 30), json!(1), End::TooMuchWork),
        ("a long chain of references", bomb("allOf", 1_000), json!(1), End::TooMuchWork),
        ("an enum of 20,000", json!({ "enum": (0..20_000).collect::<Vec<_>>() }), json!(20_001), End::Invalid),
        (
            "an enum of 20,000, often",
            json!({ "items": { "enum": (0..20_000).collect::<Vec<_>>() } }),
            json!(vec![7; 5_000]),
            End::Valid,
        ),
        ("10,000 unique items", json!({ "uniqueItems": true }), json!((0..10_000).collect::<Vec<_>>()), End::Valid),
        (
            "10,000 items, two of them equal",
            json!({ "uniqueItems": true }),
            json!((0..10_000).map(|place| place % 9_999).collect::<Vec<_>>()),
            End::Invalid,
        ),
        (
            "100,000 unique items",
            json!({ "uniqueItems": true }),
            json!((0..100_000).collect::<Vec<_>>()),
            End::TooMuchWork,
        ),
        (
            "long items that differ at their end",
            json!({ "uniqueItems": true }),
            json!((0..500).map(|place| format!("{}{place}", "a".repeat(5_000))).collect::<Vec<_>>()),
            End::TooMuchWork,
        ),
        (
            "catastrophic backtracking",
            json!({ "pattern": "^(a+)+$" }),
            json!(format!("{}b", "a".repeat(10_000))),
            End::Invalid,
        ),
        ("nested repetition", json!({ "pattern": "^((a|aa)+)+b$" }), json!("a".repeat(5_000)), End::Invalid),
        ("a repetition of nothing", json!({ "pattern": "(()*)*(){4000000000}$x" }), json!("a"), End::Invalid),
        ("a repetition without end", json!({ "pattern": "((a{100}){100}){100}" }), json!("a"), End::Refused),
        ("a deep pattern", json!({ "pattern": "(".repeat(500) }), json!("a"), End::Refused),
        (
            "many states for each character",
            json!({ "pattern": format!("({})x", "a?".repeat(500)) }),
            long.clone(),
            End::TooMuchWork,
        ),
        ("a long text", json!({ "maxLength": 10 }), long.clone(), End::Invalid),
        ("a long text, looked through", json!({ "pattern": "b" }), long, End::TooMuchWork),
        (
            "unevaluated, many times",
            json!({ "anyOf": vec![json!({ "properties": { "a": true } }); 300], "unevaluatedProperties": true }),
            json!((0..1_000).map(|place| (place.to_string(), json!(1))).collect::<serde_json::Map<_, _>>()),
            End::TooMuchWork,
        ),
        (
            "names as patterns",
            json!({ "patternProperties": (0..9_000).map(|place| (place.to_string(), json!(true))).collect::<serde_json::Map<_, _>>() }),
            json!({}),
            End::Refused,
        ),
    ] {
        assert_eq!(end(&schema, &value), expected, "{case}");
    }
}

#[test]
fn numbers_are_what_they_say() {
    assert!(serde_json::from_str::<Value>("1e400").is_err());
    for (schema, value, valid) in [
        (r#"{"multipleOf":0.01}"#, "19.99", true),
        (r#"{"multipleOf":0.01}"#, "0.3", true),
        (r#"{"multipleOf":0.1}"#, "0.30000000000000004", false),
        (r#"{"const":9007199254740993}"#, "9007199254740992", false),
        (r#"{"const":9007199254740993}"#, "9007199254740993", true),
        (r#"{"maximum":9007199254740992}"#, "9007199254740993", false),
        (r#"{"const":1}"#, "1.0", true),
        (r#"{"type":"integer"}"#, "1.0", true),
        (r#"{"type":"integer"}"#, "1e300", true),
        (r#"{"type":"integer"}"#, "1.5", false),
        (r#"{"multipleOf":1e-300}"#, "1e300", true),
        (r#"{"maximum":18446744073709551615}"#, "18446744073709551616", false),
    ] {
        assert_eq!(check(&json(schema), &json(value)).is_ok(), valid, "{schema} {value}");
    }
}

#[test]
fn what_a_request_declares_may_be_smaller() {
    let wide = json!({ "title": "a".repeat(200_000) });
    assert!(Schema::read(&wide, Where::Registered).is_ok());
    assert!(Schema::read(&wide, Where::Declared).is_err());
}

/// A text that begins as a long one of the schema does is compared as far as that, each time: so many bytes are work.
#[test]
fn what_is_compared_byte_by_byte_counts_as_that() {
    let long = "=".repeat(60_000);
    let many = |one: Value, times: usize| Value::Array(vec![one; times]);
    let a = json!({ "$ref": "#/$defs/a" });
    let not = json!({ "not": a });
    for (case, each, rule, value) in [
        ("const", &not, json!({ "const": format!("{long}x") }), json!(long)),
        ("enum", &not, json!({ "enum": ["a", format!("{long}x")] }), json!(long)),
        ("required", &not, json!({ "required": [format!("{long}x")] }), json!({ long.clone(): 1 })),
        ("properties", &a, json!({ "properties": { format!("{long}x"): false } }), json!({ long.clone(): 1 })),
    ] {
        let schema = read(&json!({ "allOf": many(each.clone(), 1_000), "$defs": { "a": rule } })).unwrap();
        let mut all = Steps::of_all();
        let checks = (0..100).take_while(|_| {
            let verdict = schema.check(&value, &mut all);
            !matches!(verdict, Err(Fault { kind: Kind::TooMuchWork, .. }))
        });
        assert!(checks.count() < 10, "{case}: a hundred times a thousand comparisons of 60 KB");
    }
}

/// An answer may have thousands of calls, and nobody else is served between the first and the last of a document.
#[test]
fn what_all_checks_of_an_answer_may_take_is_bounded_too() {
    let (schema, good) = (read(&bomb("allOf", 30)).unwrap(), read(&json!({"type": "integer"})).unwrap());
    let mut all = Steps::of_all();
    assert!((0..100_000).all(|_| good.check(&json!(1), &mut all).is_ok()), "calls that are usual take next to nothing");
    let halted = (0..1_000).filter(|_| schema.check(&json!(1), &mut all).is_err()).count();
    assert_eq!(halted, 1_000);
    let left = (0..1_000).take_while(|_| good.check(&json!(1), &mut all).is_ok()).count();
    assert!(left < 1_000, "and then no call is taken for a good one");
}

/// Each level is read as a schema by a reference of its own, from the innermost on.
fn read_at_each_level(levels: usize, inside: Value, keyword: &str) -> Value {
    let nested = nested(levels, inside, |inside| json!({ keyword: inside }));
    let pointer = |level: usize| format!("#/default{}", format!("/{keyword}").repeat(level));
    let references = (0..levels).rev().map(|level| json!({ "$ref": pointer(level) }));
    json!({ "default": nested, "anyOf": references.collect::<Vec<_>>() })
}

/// A text of 120 KB would be held as 300 MB.
#[test]
fn what_is_kept_at_each_level_is_kept_up_to_a_bound() {
    let long = "a".repeat(60_000);
    let objects = vec![json!({ "": [] }); 10_000];
    let one = |name: &str, value: Value| json!({ name: value });
    for (case, schema) in [
        ("small objects", read_at_each_level(1, json!(objects), "const")),
        ("consts", read_at_each_level(50, json!(long), "const")),
        ("a const", read_at_each_level(50, json!({ "const": long }), "not")),
        ("an enum", read_at_each_level(50, json!({ "enum": [long] }), "not")),
        ("required names", read_at_each_level(50, json!({ "required": [long] }), "not")),
        ("names of properties", read_at_each_level(50, json!({ "properties": one(&long, json!(true)) }), "not")),
        ("needed names", read_at_each_level(50, json!({ "dependentRequired": { "a": [long] } }), "not")),
        ("names that need", read_at_each_level(50, json!({ "dependentRequired": one(&long, json!([])) }), "not")),
        ("either of draft 7", read_at_each_level(50, json!({ "dependencies": { "a": [long] } }), "not")),
    ] {
        assert!(schema.to_string().len() < 120_000, "{case}");
        let read = Schema::read(&schema, Where::Declared).map(|schema| schema.weight());
        let is_limit = |flaw: &Flaw| matches!(flaw.reason, Reason::Limit { most: 2_097_152, .. });
        assert!(read.as_ref().is_err_and(is_limit), "{case}: {read:?}");
    }
    let rules = read_at_each_level(50, json!({ "anyOf": vec![json!({ "minimum": 1 }); 50] }), "not");
    assert!(Schema::read(&rules, Where::Declared).unwrap().weight() > 50 * 50 * size_of::<crate::json_schema::Rule>());
}

/// What agents send at most: hundreds of properties, described.
#[test]
fn an_honest_schema_takes_about_as_much_as_its_text() {
    let property = |nth: usize| {
        let property = json!({
            "type": ["string", "null"], "description": "What it is, and what the model is to think of. ".repeat(2),
            "enum": ["a first word", "a second word", "a third word", null]
        });
        (format!("property {nth}"), property)
    };
    let properties: serde_json::Map<_, _> = (0..500).map(property).collect();
    let required: Vec<_> = properties.keys().cloned().collect();
    let schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let (text, weight) = (schema.to_string().len(), Schema::read(&schema, Where::Declared).unwrap().weight());
    assert!((50_000..131_072).contains(&text) && weight < 3 * text, "{text} {weight}");
}

#[test]
fn all_of_the_stack_that_a_check_may_take_is_there() {
    // As much as it can nest, on a stack that is smaller than a worker's.
    let schema = json!({
        "$ref": "#/$defs/a",
        "$defs": {
            "a": { "anyOf": [{ "$ref": "#/$defs/b" }] },
            "b": { "oneOf": [{ "if": { "$ref": "#/$defs/c" }, "then": true }] },
            "c": { "not": { "properties": { "a": { "$ref": "#" } }, "items": { "$ref": "#" } } }
        }
    });
    let value = nested(120, json!(1), |inside| member(array(inside)));
    let check = move || read(&schema).unwrap().check(&value, &mut Steps::of_all()).map_err(|fault| fault.kind);
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(check).unwrap();
    assert!(matches!(thread.join().unwrap(), Err(Kind::TooDeep | Kind::TooMuchWork)));
}
