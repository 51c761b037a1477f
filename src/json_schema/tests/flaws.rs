//! What is said of a schema that is not taken.

use super::{json, read};

#[test]
fn each_flaw_has_its_place_and_what_would_be_right() {
    for (schema, pointer, says) in [
        ("1", "", "must be a schema"),
        (r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#, "/$schema", "draft/2020-12"),
        (
            r#"{"properties":{"a":{"$schema":"http://json-schema.org/draft-07/schema#"}}}"#,
            "/properties/a/$schema",
            "the same",
        ),
        (r#"{"properties":{"a":{"typ":"string"}}}"#, "/properties/a/typ", "`typ` is not enforced"),
        (r#"{"nullable":true}"#, "/nullable", "list for `type`"),
        (r##"{"$dynamicRef":"#a"}"##, "/$dynamicRef", "use `$ref`"),
        (r#"{"type":"text"}"#, "/type", "one or an array of `null`"),
        (r#"{"type":[]}"#, "/type", "one or an array of `null`"),
        (r#"{"minLength":-1}"#, "/minLength", "integer of at least 0"),
        (r#"{"minLength":1.5}"#, "/minLength", "integer of at least 0"),
        (r#"{"multipleOf":0}"#, "/multipleOf", "more than 0"),
        (r#"{"minimum":"1"}"#, "/minimum", "a number"),
        (r#"{"exclusiveMinimum":true}"#, "/exclusiveMinimum", "a number"),
        (r#"{"enum":1}"#, "/enum", "an array"),
        (r#"{"anyOf":[]}"#, "/anyOf", "at least one item"),
        (r#"{"anyOf":[{},{"not":1}]}"#, "/anyOf/1/not", "a schema"),
        (r#"{"required":true}"#, "/required", "array of strings"),
        (r#"{"items":[{}]}"#, "/items", "`prefixItems`"),
        (r#"{"additionalItems":false}"#, "/additionalItems", "`items` for those behind"),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","prefixItems":[{}]}"#,
            "/prefixItems",
            "array of `items`",
        ),
        (r#"{"$ref":"other.json"}"#, "/$ref", "no others are loaded"),
        (r##"{"$ref":"#/$defs/a"}"##, "/$ref", "no schema"),
        (r##"{"items":{"$ref":"#a"}}"##, "/items/$ref", "no schema"),
        (r##"{"$ref":"#/%zz"}"##, "/$ref", "a reference"),
        (r##"{"$ref":"#"}"##, "/$ref", "never end"),
        (
            r##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}"##,
            "/$defs/a/anyOf/0/$ref",
            "never end",
        ),
        (r##"{"dependentSchemas":{"a":{"$ref":"#"}}}"##, "/dependentSchemas/a/$ref", "never end"),
        (r#"{"properties":{"a":{"$id":"b.json"}}}"#, "/properties/a/$id", "only the whole schema"),
        (r#"{"$id":"b.json#a"}"#, "/$id", "without a fragment"),
        (r##"{"$anchor":"a","items":{"$anchor":"a"}}"##, "/items/$anchor", "no other"),
        (r#"{"pattern":"(?=a)"}"#, "/pattern", "look-ahead"),
        (r#"{"patternProperties":{"(a)\\1":{}}}"#, "/patternProperties/(a)\\1", "back-references"),
        (r#"{"pattern":"("}"#, "/pattern", "no end"),
        (r#"{"pattern":"\\p{L}"}"#, "/pattern", "`\\p` is not supported"),
        (r#"{"pattern":"(a{1000}){1000}"}"#, "/pattern", "at most 4096 states"),
    ] {
        let flaw = read(&json(schema)).expect_err(schema);
        assert_eq!(flaw.pointer, pointer, "{schema}: {flaw}");
        assert!(flaw.to_string().contains(says), "{schema}: {flaw}");
    }
}

#[test]
fn what_is_common_is_taken() {
    for schema in [
        "true",
        "{}",
        r#"{"title":"a","description":"b","default":1,"examples":[],"format":"date","x-order":1,"$comment":"c"}"#,
        r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/A","definitions":{"A":{"type":"object"}}}"##,
        r##"{"definitions":{"A":{}},"properties":{"a":{"$ref":"#/definitions/A"}}}"##,
        r##"{"$id":"https://example.com/a","$ref":"https://example.com/a#/$defs/b","$defs":{"b":{}}}"##,
        r##"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$id":"#/properties/a"}}}"##,
        r##"{"oneOf":[{"$ref":"#/$defs/a"}],"discriminator":{"propertyName":"kind"},"$defs":{"a":{}}}"##,
        r##"{"properties":{"children":{"items":{"$ref":"#"}}}}"##,
    ] {
        read(&json(schema)).unwrap_or_else(|flaw| panic!("{schema}: {flaw}"));
    }
}
