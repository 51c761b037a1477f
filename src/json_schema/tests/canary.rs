//! Nothing of a value is in what is said of it.

use super::{Steps, json, read};
use serde_json::{Value, json};

const CANARY: &str = "canary";

/// Values of all kinds, each text and each name of which is the canary.
fn values() -> Vec<Value> {
    let text = json!(CANARY);
    let object = json!({ CANARY: CANARY, "canary 2": { CANARY: [CANARY] } });
    vec![
        text.clone(),
        json!([text, text, object]),
        json!({ "a": text, "b": [text, text], "c": object, CANARY: 1 }),
        json!({ "a": 1, "kind": text }),
        object,
        json!(4_242_424_242_424_u64),
        json!([4_242_424_242_424_u64]),
    ]
}

#[test]
fn no_fault_repeats_the_value() {
    let fails = [
        "false",
        r#"{"type":"null"}"#,
        r#"{"const":1}"#,
        r#"{"enum":["x",{"a":1}]}"#,
        r#"{"minimum":1e13}"#,
        r#"{"multipleOf":0.7}"#,
        r#"{"minLength":100}"#,
        r#"{"maxLength":1}"#,
        r#"{"pattern":"^x"}"#,
        r#"{"minItems":100}"#,
        r#"{"maxItems":0}"#,
        r#"{"uniqueItems":true}"#,
        r#"{"prefixItems":[true],"items":false}"#,
        r#"{"contains":{"const":1}}"#,
        r#"{"contains":true,"maxContains":0}"#,
        r#"{"minProperties":100}"#,
        r#"{"maxProperties":0}"#,
        r#"{"propertyNames":{"maxLength":1}}"#,
        r#"{"propertyNames":{"pattern":"^x"}}"#,
        r#"{"required":["x"]}"#,
        r#"{"additionalProperties":false}"#,
        r#"{"properties":{"a":true},"additionalProperties":false}"#,
        r#"{"patternProperties":{"^c.n":false}}"#,
        r#"{"dependentRequired":{"a":["x"]}}"#,
        r#"{"dependentSchemas":{"a":false}}"#,
        r#"{"unevaluatedProperties":false}"#,
        r#"{"unevaluatedItems":false}"#,
    ];
    let within = [
        "SCHEMA",
        r#"{"additionalProperties":SCHEMA}"#,
        r#"{"patternProperties":{"":SCHEMA}}"#,
        r#"{"unevaluatedProperties":SCHEMA}"#,
        r#"{"unevaluatedItems":SCHEMA}"#,
        r#"{"items":SCHEMA}"#,
        r#"{"items":{"items":SCHEMA,"additionalProperties":SCHEMA}}"#,
        r#"{"properties":{"a":SCHEMA,"b":SCHEMA,"c":{"additionalProperties":SCHEMA}}}"#,
        r#"{"allOf":[SCHEMA]}"#,
        r#"{"anyOf":[SCHEMA,false]}"#,
        r#"{"oneOf":[SCHEMA,{"type":"null"}]}"#,
        r#"{"oneOf":[{"properties":{"kind":{"const":"x"}}},{"properties":{"kind":{"const":"y"}}},SCHEMA]}"#,
        r#"{"not":{"not":SCHEMA}}"#,
        r#"{"not":{"const":"canary"}}"#,
        r#"{"if":SCHEMA,"else":SCHEMA}"#,
        r#"{"propertyNames":SCHEMA}"#,
        r#"{"contains":SCHEMA}"#,
    ];
    let mut faults = 0;
    for outer in within {
        for inner in fails {
            let schema = read(&json(&outer.replace("SCHEMA", inner))).unwrap();
            for value in values() {
                let Err(fault) = schema.check(&value, &mut Steps::of_all()) else { continue };
                faults += 1;
                let said = format!("{fault} {fault:?}");
                assert!(!said.contains("can") && !said.contains("4242"), "{outer} {inner}: {said}");
            }
        }
    }
    assert!(faults > 900, "{faults}");
}
