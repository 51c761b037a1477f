//! Every row of the tables that has calls: what stands there is told, with what it is one of and with its arguments.

use super::{ended, told};
use crate::json::{Field, OTHERS};
use crate::llm::called::{CallTables, Called, Of, Written};
use crate::llm::schema;
use serde_json::{Map, Value, json};

type Table = &'static [Field<Called>];

/// The rows of calls, by the way to them.
fn calls(table: Table, way: &[&'static str], rows: &mut Vec<(Vec<&'static str>, &'static Field<Called>)>) {
    for field in table {
        let way = [way, &[field.name]].concat();
        match field.key {
            Some(Called::Call { .. } | Called::Unknown) => rows.push((way, field)),
            _ => calls(field.inside, &way, rows),
        }
    }
}

/// A type by which an object of this list is a call that has a name.
const fn kind(of: Of) -> &'static str {
    match of {
        Of::Item | Of::Step => "function_call",
        Of::Block => "tool_use",
        Of::LmStudio => "tool_call",
        Of::Tool => "URL_CONTEXT",
        _ => "function",
    }
}

/// All fields of a row, but arguments of other names than `arguments`.
fn object(fields: Table, of: Of, arguments: &str) -> Value {
    let mut object = Map::new();
    for field in fields {
        let value = match field.key {
            Some(Called::Arguments(Written::Value)) if field.name == arguments => json!({"a": "é"}),
            Some(Called::Arguments(_)) if field.name == arguments => json!("{\"a\":\"\\u00e9\"}"),
            Some(Called::Name) => json!("named"),
            Some(Called::Type) => json!(kind(of)),
            Some(Called::Within) => json!("part"),
            Some(Called::Id) => json!("id"),
            Some(Called::Index) => json!(3),
            Some(Called::Provider) => json!("plugin"),
            // One of the members of a call.
            Some(Called::Member("custom")) => continue,
            None | Some(Called::Member(_)) => object_or_nothing(field.inside, of, arguments),
            _ => continue,
        };
        if !value.is_null() {
            object.insert(field.name.to_owned(), value);
        }
    }
    json!(object)
}

fn object_or_nothing(fields: Table, of: Of, arguments: &str) -> Value {
    // Where the same fields stand once more, of a call that could not be made, or that nobody knows, they are another's.
    let is_another = of == Of::Unknown || fields.iter().any(|field| field.name == "tool_name");
    if is_another { Value::Null } else { object(fields, of, arguments) }
}

/// The names of a row's arguments.
fn arguments(fields: Table) -> Vec<&'static str> {
    let inside = |field: &'static Field<Called>| match field.key {
        Some(Called::Arguments(_)) => vec![field.name],
        None | Some(Called::Member("function")) => arguments(field.inside),
        _ => Vec::new(),
    };
    let mut names: Vec<_> = fields.iter().flat_map(inside).collect();
    names.dedup();
    names
}

#[test]
fn what_stands_in_a_row_of_calls_is_told() {
    let mut seen = 0;
    for schema in schema::ALL {
        let Some(tables) = CallTables::of(schema) else { continue };
        for (table, is_event) in [(tables.answer, false), (tables.event, true)] {
            let mut rows = Vec::new();
            calls(table, &[], &mut rows);
            for (way, row) in rows {
                let of = if let Some(Called::Call { of, .. }) = row.key { of } else { Of::Unknown };
                for name in arguments(row.inside) {
                    seen += 1;
                    let nest = |inner: Value, step: &&str| {
                        let key = if *step == OTHERS { "heard_calls" } else { *step };
                        json!({key: [inner]})
                    };
                    let document = way.iter().rev().fold(object(row.inside, of, name), nest).to_string();
                    let body = if is_event { format!("data: {document}\n\n") } else { document };
                    let (heard, unread) = told(schema.name, &[body.as_bytes()]);
                    let ended = ended(&heard);
                    let [[_, called, within, arguments]] = &ended[..] else {
                        panic!("{} {body}: {heard:?}", schema.name)
                    };
                    // A delta of Anthropic's has no name.
                    let known = ["named", "url_context", "code_execution"];
                    let is_nameless = called.is_empty() && name == "partial_json";
                    assert!(is_nameless || known.contains(&&**called), "{} {body}", schema.name);
                    let has_within = body.contains("\"part\"");
                    assert_eq!(
                        (unread, &**within),
                        (0, if has_within { "part" } else { "" }),
                        "{} {body}",
                        schema.name
                    );
                    assert!(arguments.contains("\"a\":"), "{} {body}: {arguments}", schema.name);
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
