//! OpenAI's APIs, and servers that speak like it.

use super::{ARGUMENTS, Example, Framing, OTHERS, escaped, events, example, pieces, quoted, texts};
use serde_json::{Value, json};

const PATCH: &str = "*** Begin\n+ \"{\" \\ é😀\n";
/// As it is told.
const CUSTOM: &str = "free: *** Begin\n+ \"{\" \\ é😀\n";

fn chunk(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

pub fn chat() -> Vec<Example> {
    let api = "openai_chat";
    let called: &[_] =
        &[["function", "book", "", ARGUMENTS], ["custom", "patch", "", CUSTOM], ["function", "list", "", "Missing"]];
    let whole = format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"x","tool_calls":[{{"id":"c1","type":"function","function":{{"arguments":{},"name":"b\u006fok"}}}},{{"id":"c2","type":"custom","custom":{{"name":"patch","input":{}}}}},{{"id":"c3","type":"function","function":{{"name":"list","arguments":""}}}}]}},"finish_reason":"tool_calls"}}]}}"#,
        escaped(ARGUMENTS),
        quoted(PATCH),
    );
    let [a, b, c] = pieces(ARGUMENTS);
    let [x, y, z] = pieces(PATCH);
    let function = |index: u64, name: Option<&str>, arguments: &str| {
        let mut call = json!({"index": index, "function": {"arguments": arguments}});
        if let Some(name) = name {
            call["id"] = json!(format!("call_{index}"));
            call["type"] = json!("function");
            call["function"]["name"] = json!(name);
        }
        chunk(json!({"tool_calls": [call]}))
    };
    let custom = |name: Option<&str>, input: &str| {
        let mut call = json!({"index": 1, "custom": {"input": input}});
        if let Some(name) = name {
            call["id"] = json!("call_1");
            call["type"] = json!("custom");
            call["custom"]["name"] = json!(name);
        }
        chunk(json!({"tool_calls": [call]}))
    };
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let stream = [
        chunk(json!({"role": "assistant", "content": null})),
        function(0, Some("book"), ""),
        function(0, None, a),
        custom(Some("patch"), x),
        function(0, None, b),
        function(2, Some("list"), ""),
        custom(None, y),
        custom(None, z),
        function(0, None, c),
        end.clone(),
        json!({"choices": [], "usage": {"prompt_tokens": 1}}),
    ];
    let mut stream = texts(&stream);
    stream.push("[DONE]".to_owned());
    // Two choices at a time, which say their index behind their calls.
    let of_choice = |index: u64, arguments: &str, name: Option<&str>| {
        let name = name.map_or(String::new(), |name| format!(r#","name":"{name}""#));
        format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{}{name}}}}}]}},"index":{index}}}]}}"#,
            quoted(arguments)
        )
    };
    let ended =
        |index: u64| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"tool_calls","index":{index}}}]}}"#);
    let [d, e, f] = pieces(OTHERS);
    let choices = [
        of_choice(0, "", Some("first")),
        of_choice(1, d, Some("second")),
        of_choice(0, a, None),
        of_choice(1, e, None),
        of_choice(0, b, None),
        of_choice(1, f, None),
        ended(1),
        of_choice(0, c, None),
        ended(0),
    ];
    let both: &[_] = &[["function", "first", "", ARGUMENTS], ["function", "second", "", OTHERS]];
    let both_whole = json!({"choices": [
        {"message": {"tool_calls": [{"type": "function", "function": {"name": "first", "arguments": ARGUMENTS}}]}, "index": 0},
        {"message": {"tool_calls": [{"type": "function", "function": {"name": "second", "arguments": OTHERS}}]}, "index": 1},
    ]});
    let whole_deltas = [
        chunk(json!({"tool_calls": [{"id": "a", "function": {"name": "first", "arguments": ARGUMENTS}}]})),
        chunk(json!({"tool_calls": [{"id": "b", "function": {"name": "second", "arguments": OTHERS}}]})),
        end.clone(),
    ];
    let no_ids = [
        chunk(json!({"tool_calls": [{"function": {"name": "first", "arguments": ARGUMENTS}}]})),
        chunk(json!({"tool_calls": [{"function": {"name": "second", "arguments": OTHERS}}]})),
    ];
    let one_index = [
        chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "first", "arguments": ARGUMENTS}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "id": "b", "function": {"name": "second", "arguments": OTHERS}}]})),
    ];
    let named_again = [
        chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "first", "arguments": a}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "id": "", "function": {"name": "first", "arguments": b}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"name": "", "arguments": c}}]})),
        end.clone(),
    ];
    let split_name = [
        chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "fi", "arguments": ""}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"name": "rst"}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS}}]})),
        end.clone(),
    ];
    let as_objects =
        chunk(json!({"tool_calls": [{"index": 0, "function": {"name": "first", "arguments": {"a": [1]}}}]}));
    let old = [
        chunk(json!({"function_call": {"name": "first", "arguments": ""}})),
        chunk(json!({"function_call": {"arguments": a}})),
        chunk(json!({"function_call": {"arguments": b}})),
        chunk(json!({"function_call": {"arguments": c}})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "function_call"}]}),
    ];
    let old_whole = json!({"choices": [{"message": {"function_call": {"name": "first", "arguments": ARGUMENTS}}}]});
    let repeated = [
        chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "first", "arguments": ARGUMENTS}}]})),
        json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "first", "arguments": ARGUMENTS}},
        ]}}]}),
    ];
    let unknown = json!({"choices": [{"message": {
        "tool_calls": [{"type": "xyz", "xyz": {"query": "q"}}, {"type": "builtin_function", "function": {"name": "$web_search", "arguments": "{}"}}],
        "executed_tools": [{"index": 0, "type": "search", "arguments": "{\"q\":1}", "output": "found \"name\""}],
        "abc_calls": [{"name": "go", "arguments": {"a": 1}}],
        "extra_content": {"name": "none", "tool_calls": [{"name": "none"}]},
        "reasoning_details": [{"type": "reasoning.text", "index": 7}],
    }, "finish_reason": "stop"}]});
    let first: &[_] = &[["function", "first", "", ARGUMENTS]];
    vec![
        example(api, ("whole", "three"), Framing::Document, whole.into_bytes(), called),
        example(api, ("stream", "three"), Framing::Events, events(&stream), called),
        example(
            api,
            ("stream in lines", "three"),
            Framing::Lines,
            stream[..stream.len() - 1].join("\n").into_bytes(),
            called,
        ),
        example(api, ("two choices", "choices"), Framing::Events, events(&choices), both),
        example(api, ("two choices whole", "choices"), Framing::Document, both_whole.to_string().into_bytes(), both),
        example(api, ("whole deltas", ""), Framing::Events, events(&texts(&whole_deltas)), both),
        example(api, ("whole deltas without ids", ""), Framing::Events, events(&texts(&no_ids)), both),
        example(api, ("whole deltas of one index", ""), Framing::Events, events(&texts(&one_index)), both),
        example("gateway_chat", ("named again", ""), Framing::Events, events(&texts(&named_again)), first),
        example(api, ("a name in two parts", ""), Framing::Events, events(&texts(&split_name)), first),
        example(
            api,
            ("an object", ""),
            Framing::Events,
            events(&[as_objects.to_string()]),
            &[["function", "first", "", r#"{"a":[1]}"#]],
        ),
        example(api, ("old", "old"), Framing::Events, events(&texts(&old)), first),
        example(api, ("old whole", "old"), Framing::Document, old_whole.to_string().into_bytes(), first),
        example(api, ("a message at the end", ""), Framing::Events, events(&texts(&repeated)), first),
        example(
            api,
            ("unknown", ""),
            Framing::Document,
            unknown.to_string().into_bytes(),
            &[
                ["xyz", "xyz", "", "Missing"],
                ["builtin_function", "$web_search", "", "{}"],
                ["search", "search", "", r#"{"q":1}"#],
                ["abc", "go", "", r#"{"a":1}"#],
            ],
        ),
        example(
            api,
            ("nothing", ""),
            Framing::Document,
            br#"{"choices":[{"index":0,"message":{"content":"{\"tool_calls\":[{}]}"}}]}"#.to_vec(),
            &[],
        ),
    ]
}

pub fn responses() -> Vec<Example> {
    let api = "openai_responses";
    let items = json!([
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {"id": "fc_1", "type": "function_call", "status": "completed", "arguments": ARGUMENTS, "call_id": "call_1", "name": "book", "namespace": "crm"},
        {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": PATCH},
        {"id": "mcp_1", "type": "mcp_call", "server_label": "wiki", "name": "ask", "arguments": OTHERS, "output": "{\"name\":\"no\"}"},
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"id": "ci_1", "type": "code_interpreter_call", "code": "print(1)", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]},
        {"id": "sh_1", "type": "shell_call", "call_id": "call_3", "action": {"commands": ["ls"]}},
        {"id": "ap_1", "type": "apply_patch_call", "call_id": "call_4", "operation": {"type": "delete_file", "path": "x"}},
        {"id": "xyz_1", "type": "xyz_call", "input": "what"},
        {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
    ]);
    let called: &[_] = &[
        ["function", "book", "crm", ARGUMENTS],
        ["custom", "patch", "", CUSTOM],
        ["mcp", "ask", "wiki", OTHERS],
        ["web_search", "web_search", "", r#"{"query":"q","type":"search"}"#],
        ["code_interpreter", "code_interpreter", "", "free: print(1)"],
        ["shell", "shell", "", r#"{"commands":["ls"]}"#],
        ["apply_patch", "apply_patch", "", r#"{"path":"x","type":"delete_file"}"#],
        ["xyz", "xyz", "", "free: what"],
    ];
    let whole =
        json!({"id": "resp", "object": "response", "output": items, "tools": [{"type": "function", "name": "other"}]});
    let fields = [
        ("arguments", "function_call_arguments"),
        ("input", "custom_tool_call_input"),
        ("arguments", "mcp_call_arguments"),
        ("code", "code_interpreter_call_code"),
    ];
    let mut stream = vec![json!({"type": "response.created", "response": {"id": "resp", "output": []}})];
    let mut done = Vec::new();
    for (index, item) in items.as_array().unwrap().iter().enumerate() {
        let kind = item["type"].as_str().unwrap();
        let field = fields.iter().find(|(_, event)| event.starts_with(&format!("{kind}_")));
        let mut added = item.clone();
        if let Some((name, event)) = field {
            let text = item[name].as_str().unwrap();
            added[name] = json!("");
            stream.push(json!({"type": "response.output_item.added", "output_index": index, "item": added}));
            let id = &item["id"];
            for delta in pieces(text) {
                stream.push(json!({"type": format!("response.{event}.delta"), "item_id": id, "output_index": index, "delta": delta}));
            }
            // Those of the next item may come between.
            done.push(
                json!({"type": format!("response.{event}.done"), "item_id": id, "output_index": index, *name: text}),
            );
        } else {
            stream.push(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        }
        done.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        if index % 2 == 1 {
            stream.append(&mut done);
        }
        stream.push(json!({"type": "response.output_text.delta", "output_index": index, "delta": "x"}));
    }
    stream.append(&mut done);
    let without_end = stream.clone();
    stream.push(json!({"type": "response.completed", "response": whole}));
    // The kind of an event behind what it says, and calls that come with the whole answer alone.
    let mut turned: Vec<String> = Vec::new();
    for event in &stream {
        let Value::Object(event) = event else { continue };
        let kind = event["type"].clone();
        let fields: Vec<_> = event
            .iter()
            .filter(|(name, _)| *name != "type")
            .map(|(name, value)| format!("{}:{value}", json!(name)))
            .collect();
        turned.push(format!("{{{},\"type\":{kind}}}", fields.join(",")));
    }
    let only_whole = [json!({"type": "response.completed", "response": whole})];
    vec![
        example(api, ("whole", "all"), Framing::Document, whole.to_string().into_bytes(), called),
        example(api, ("stream", "all"), Framing::Events, events(&texts(&stream)), called),
        example(api, ("stream without its end", "all"), Framing::Events, events(&texts(&without_end)), called),
        example(api, ("kinds behind", "all"), Framing::Events, events(&turned), called),
        example(api, ("completed alone", "all"), Framing::Events, events(&texts(&only_whole)), called),
    ]
}
