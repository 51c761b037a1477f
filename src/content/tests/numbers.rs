//! Numbers in a document that is written into a string: what stands in their place keeps it one.

use super::{chat, content, passed, screened};
use crate::content::Placeholders;
use serde_json::{Value, json};

#[test]
fn a_number_in_the_arguments_of_a_call_becomes_a_string_of_them() {
    let rules = json!([{"name": "cards", "find": ["card"], "action": "mask", "on": ["request", "answer"]}]);
    let content = content(&rules);
    let arguments = r#"{"card":4111111111111111,"said":"\"4111111111111111\"","all":[1,4111111111111111]}"#;
    let expected = r#"{"card":"[CARD_1]","said":"\"[CARD_1]\"","all":[1,"[CARD_1]"]}"#;
    let call = json!({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": arguments}}]});
    let at = "/tool_calls/0/function/arguments";
    let body = json!({"messages": [call]}).to_string();
    let (sent, _) = screened(&content, chat(), &[body.as_bytes()]);
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"][0].pointer(at).unwrap(), expected);
    let body = json!({"choices": [{"index": 0, "message": call}]}).to_string();
    let out = passed(&content, chat(), Placeholders::default(), &[body.as_bytes()]);
    let out: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(out["choices"][0]["message"].pointer(at).unwrap(), expected);
}
