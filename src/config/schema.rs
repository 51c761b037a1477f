//! The JSON Schema of what is not derived: single values with a form of their own, and maps of names.
//!
//! Trade-off: a pattern says less than the reader, which knows why a value is wrong. None of them refuses what the reader
//! takes, and both are asked about the same wrong configurations (`policy/tests/refused.rs`).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::content::{Detected, Expression, Label, Secret, Word};
use super::named::Named;
use super::range::InRange;
use super::scalar::{Budget, Date, HeaderName, Limit, Name, Percentage, Usd, UsdPer1m};
use super::tools::{Parameters, ToolPattern};
use crate::detect;
use crate::llm::schema;
use crate::name::Pattern;

/// No blank at either end, no control character and no `;`.
const NAME: &str = r"^[^\s;\x00-\x1f\x7f-\x9f](?:[^;\x00-\x1f\x7f-\x9f]*[^\s;\x00-\x1f\x7f-\x9f])?$";
/// The same, with a `*` at the end or none.
const PATTERN: &str = r"^(?:[^\s;*\x00-\x1f\x7f-\x9f](?:[^;*\x00-\x1f\x7f-\x9f]*[^\s;*\x00-\x1f\x7f-\x9f])?|(?:[^\s;*\x00-\x1f\x7f-\x9f][^;*\x00-\x1f\x7f-\x9f]*)?\*)$";
const HEADER: &str = r"^[a-z0-9!#$%&'*+.^_`|~-]+$";
const USD: &str = r"^[0-9]+(?:\.[0-9]{1,9}0*)?$";
const BUDGET: &str = r"^(?=.*[1-9])[0-9]+(?:\.[0-9]{1,9}0*)?$";
const USD_PER_1M: &str = r"^[0-9]+(?:\.[0-9]{1,6}0*)?$";
const PERCENTAGE: &str = r"^[0-9]+(?:\.[0-9]{1,4}0*)?$";
const DATE: &str = r"^(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$";
/// Of a provider, and of a client: there a segment may be any, or the model's name.
const PATH: &str = r"^/[!-\x22$-~]*$";
const PATH_PATTERN: &str = r"^(?:\*\*)?(?:/(?:\*|\{model\}[^*{/]*|[^/*{?#%]+))+$";

macro_rules! described {
    ($($type:ident: $schema:tt)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

described! {
    Name: {"description": "A name, of at most 128 bytes.", "type": "string", "minLength": 1, "maxLength": 128, "pattern": NAME}
    Pattern: {
        "description": "A name, or the beginning of one and a `*`; of models also `label/name`, for that of one provider.",
        "type": "string", "minLength": 1, "maxLength": 128, "pattern": PATTERN
    }
    HeaderName: {"description": "A header's name in lower case.", "type": "string", "pattern": HEADER}
    Usd: {"description": "US dollars as a quoted decimal, such as \"0.02\".", "type": "string", "pattern": USD}
    Budget: {"description": "US dollars as a quoted decimal, more than nothing, such as \"2.50\".", "type": "string", "pattern": BUDGET}
    UsdPer1m: {"description": "US dollars per million tokens as a quoted decimal, such as \"2.50\".", "type": "string", "pattern": USD_PER_1M}
    Date: {"description": "A day (UTC), such as \"2026-01-31\".", "type": "string", "pattern": DATE}
    Expression: {"description": "An expression of bytes, without anchors and with a longest match.", "type": "string", "minLength": 1}
    Word: {"description": "A word or a phrase.", "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^\\S(?:.*\\S)?$"}
    Label: {"description": "What a placeholder says.", "type": "string", "maxLength": 24, "pattern": "^[A-Z](?:[A-Z_]*[A-Z])?$"}
    Secret: {"description": "A secret of your own.", "type": "string", "minLength": 16}
    ToolPattern: {
        "description": "A tool's name, the beginning of one and a `*`, or `kind:` and a kind of tools.", "type": "string", "minLength": 1, "maxLength": 128
    }
    Parameters: {"description": "A JSON Schema, of draft 2020-12 or 7.", "type": "object"}
    Percentage: {
        "description": "How many of a hundred, with up to four digits behind the point; as a string, too.",
        "anyOf": [{"type": "number", "minimum": 0.01, "maximum": 100}, {"type": "string", "pattern": PERCENTAGE}]
    }
    Limit: {"description": "How many; list it under `unlimited` to lift it.", "type": "integer", "minimum": 1}
}

impl JsonSchema for Detected {
    fn schema_name() -> Cow<'static, str> {
        "Detected".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = detect::ALL.iter().map(|detector| detector.name).collect();
        json_schema!({"description": "A built-in kind of findings.", "enum": names})
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }
    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        let (name, value) = (schemas.subschema_for::<Name>(), schemas.subschema_for::<T>());
        json_schema!({"type": "object", "propertyNames": name, "additionalProperties": value})
    }
}

impl<const LEAST: u64, const MOST: u64> JsonSchema for InRange<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("From_{LEAST}_to_{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "format": "uint64", "minimum": LEAST, "maximum": MOST})
    }
}

fn names() -> Vec<&'static str> {
    schema::ALL.iter().map(|schema| schema.name).collect()
}

pub(super) fn apis(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"enum": names()}})
}

pub(super) fn statuses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "integer", "minimum": 400, "maximum": 499, "not": {"const": 429}}})
}

pub(super) fn api_or_none(_: &mut SchemaGenerator) -> Schema {
    let all: Vec<_> = names().into_iter().chain(["none"]).collect();
    json_schema!({"enum": all})
}

pub(super) fn path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 128, "pattern": PATH})
}

pub(super) fn path_of_each_api(schemas: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "propertyNames": {"enum": names()}, "additionalProperties": path(schemas)})
}

pub(super) fn path_pattern(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 128, "pattern": PATH_PATTERN})
}
