//! What is said of a value that is not valid.

use super::{check, json};

#[test]
fn each_keyword_says_what_is_expected_and_where() {
    for (schema, value, expected) in [
        ("false", "1", "the value is not allowed"),
        (r#"{"type":"string"}"#, "1", "the value must be of type string, and is of type number"),
        (r#"{"type":["null","integer"]}"#, "1.5", "the value must be of type null or integer, and is of type number"),
        (r#"{"const":5}"#, "6", "the value must be 5"),
        (r#"{"enum":["b","a",null,1]}"#, "2", "the value must be one of null, 1, `a`, `b`"),
        (r#"{"enum":[[1],2]}"#, "[2]", "the value must be one of the values in `enum`"),
        (r#"{"minimum":0.01}"#, "0", "the value must be at least 0.01"),
        (r#"{"maximum":1e300}"#, "1.1e300", "the value must be at most 1e300"),
        (r#"{"exclusiveMinimum":0}"#, "0", "the value must be more than 0"),
        (r#"{"exclusiveMaximum":-1}"#, "0", "the value must be less than -1"),
        (r#"{"multipleOf":0.01}"#, "0.015", "the value must be a multiple of 0.01"),
        (r#"{"minLength":2}"#, r#""é""#, "the value must have at least 2 characters"),
        (r#"{"maxLength":1}"#, r#""éé""#, "the value must have at most 1 character"),
        (r#"{"pattern":"^a+$"}"#, r#""b""#, "the value must match the pattern `^a+$`"),
        (r#"{"minItems":1}"#, "[]", "the value must have at least 1 item"),
        (r#"{"maxItems":2}"#, "[1,2,3]", "the value must have at most 2 items"),
        (r#"{"uniqueItems":true}"#, "[1,1.0]", "the value must not have two items that are equal"),
        (r#"{"items":{"type":"string"}}"#, r#"["a",1]"#, "`/1` must be of type string, and is of type number"),
        (r#"{"prefixItems":[true],"items":false}"#, "[1,2]", "the value must have at most 1 item"),
        (
            r#"{"contains":{"const":1},"minContains":2}"#,
            "[1]",
            "the value must have at least 2 items for which `contains` holds",
        ),
        (
            r#"{"contains":{"const":1},"maxContains":1}"#,
            "[1,1]",
            "the value must have at most 1 item for which `contains` holds",
        ),
        (r#"{"minProperties":1}"#, "{}", "the value must have at least 1 property"),
        (r#"{"maxProperties":0}"#, r#"{"a":1}"#, "the value must have at most 0 properties"),
        (r#"{"required":["a","b"]}"#, r#"{"a":1}"#, "the value must have the property `b`"),
        (r#"{"dependentRequired":{"a":["b"]}}"#, r#"{"a":1}"#, "the value must have the property `b`, as it has `a`"),
        (
            r#"{"properties":{"a":{},"b":{}},"additionalProperties":false}"#,
            r#"{"a":1,"secret":1}"#,
            "the value must not have other properties than `a`, `b`",
        ),
        (
            r#"{"additionalProperties":false}"#,
            r#"{"c":1}"#,
            "the value must not have properties that the schema doesn't name",
        ),
        (
            r#"{"additionalProperties":{"type":"null"}}"#,
            r#"{"secret":1}"#,
            "`/*` must be of type null, and is of type number",
        ),
        (
            r#"{"properties":{"a":{"properties":{"b/c":{"maximum":1}}}}}"#,
            r#"{"a":{"b/c":2}}"#,
            "`/a/b~1c` must be at most 1",
        ),
        (
            r#"{"propertyNames":{"maxLength":1}}"#,
            r#"{"secret":1}"#,
            "the value has a property whose name `propertyNames` doesn't allow",
        ),
        (r#"{"anyOf":[{"minimum":5},{"multipleOf":2}]}"#, "1", "the value must fit a schema of `anyOf`, and fits none"),
        (
            r#"{"oneOf":[{"minimum":5},{"multipleOf":2}]}"#,
            "6",
            "the value must fit exactly one schema of `oneOf`, and fits several",
        ),
        (r#"{"not":{"type":"number"}}"#, "1", "the value must not fit the schema in `not`"),
        (
            r#"{"unevaluatedProperties":false}"#,
            r#"{"secret":1}"#,
            "the value must not have properties that no part of the schema describes",
        ),
    ] {
        let fault = check(&json(schema), &json(value)).expect_err(schema);
        assert_eq!(fault.to_string(), expected, "{schema}");
    }
}

#[test]
fn a_branch_that_the_value_was_meant_for_says_what_is_wrong_in_it() {
    let optional = json(r#"{"anyOf":[{"type":"object","required":["city"]},{"type":"null"}]}"#);
    assert_eq!(check(&optional, &json("{}")).unwrap_err().to_string(), "the value must have the property `city`");
    let tagged = json(
        r#"{"oneOf":[
            {"properties":{"kind":{"const":"circle"},"radius":{"type":"number"}},"required":["kind","radius"]},
            {"properties":{"kind":{"const":"square"},"side":{"minimum":1}},"required":["kind","side"]}
        ]}"#,
    );
    let fault = check(&tagged, &json(r#"{"kind":"square","side":0}"#)).unwrap_err();
    assert_eq!(fault.to_string(), "`/side` must be at least 1");
}

#[test]
fn what_is_said_is_short_however_long_the_schema_is() {
    let long = "n".repeat(5_000);
    let schema =
        json(&format!(r#"{{"properties":{{"{long}":{{}}}},"required":["{long}"],"additionalProperties":false}}"#));
    let many: Vec<_> = (0..1_000).map(|place| format!("\"value {place}\"")).collect();
    for (schema, value) in [
        (schema.clone(), json("{}")),
        (schema, json(r#"{"a":1}"#)),
        (json(&format!(r#"{{"enum":[{}]}}"#, many.join(","))), json("1")),
        (json(&format!(r#"{{"pattern":"^{}"}}"#, "a".repeat(1_000))), json("\"b\"")),
    ] {
        let said = check(&schema, &value).unwrap_err().to_string();
        assert!(said.len() < 400, "{said}");
    }
}
