//! Answers of each API that call something, in the shapes of the providers' own references.

use serde_json::{Value, json};

/// How an example is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Document,
    Lines,
    Events,
    Frames,
}

pub struct Example {
    pub api: &'static str,
    pub title: &'static str,
    /// Examples of one pair call the same.
    pub pair: &'static str,
    pub framing: Framing,
    pub body: Vec<u8>,
    /// Kind, name, within what, arguments.
    pub calls: Vec<[&'static str; 4]>,
}

/// Arguments with everything that is written otherwise in a string.
pub const ARGUMENTS: &str = r#"{"to":"J\u006f \ud83d\ude00 \"x\"\n","deep":{"a":[1,-2.5e3,{"b":null}]},"é😀":"\\\/"}"#;
pub const OTHERS: &str = r#"{"n": [1, 2, {"k": "}]"}], "empty": {}}"#;
const PATCH: &str = "*** Begin\n+ \"{\" \\ é😀\n";

/// A string of JSON, with every character as an escape.
pub fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

pub fn pieces(text: &str) -> [&str; 3] {
    let cut = |at: usize| (at..).find(|at| text.is_char_boundary(*at)).unwrap();
    let (first, second) = (cut(text.len() / 3), cut(text.len() * 2 / 3));
    [&text[..first], &text[first..second], &text[second..]]
}

/// Events of a stream: each with its name, as some write it, or not.
pub fn events(data: &[String]) -> Vec<u8> {
    let event = |(nth, data): (usize, &String)| match nth % 3 {
        0 => format!("data: {data}\n\n"),
        1 => format!("event: x\ndata:{data}\n\n"),
        _ => format!("data: {data}\nid: 7\n\n"),
    };
    data.iter().enumerate().map(event).collect::<String>().into_bytes()
}

pub fn texts(data: &[Value]) -> Vec<String> {
    data.iter().map(Value::to_string).collect()
}

/// A message of AWS's event stream; the checksums are the client's to check.
pub fn frame(payload: &str) -> Vec<u8> {
    let headers: &[u8] = b"\x0b:event-type\x07\x00\x05chunk";
    let length = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let lengths = [length.to_be_bytes(), u32::try_from(headers.len()).unwrap().to_be_bytes()].concat();
    [&lengths, &[0; 4][..], headers, payload.as_bytes(), &[0; 4]].concat()
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |bytes: &[u8]| {
        let all = bytes.iter().chain(&[0, 0]).take(3).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let letter = |nth: usize| {
            if nth <= bytes.len() { char::from(LETTERS[(all >> (18 - 6 * nth) & 63) as usize]) } else { '=' }
        };
        (0..4).map(letter).collect::<String>()
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

fn example(
    api: &'static str,
    (title, pair): (&'static str, &'static str),
    framing: Framing,
    body: Vec<u8>,
    calls: &[[&'static str; 4]],
) -> Example {
    Example { api, title, pair, framing, body, calls: calls.to_vec() }
}

/// The same events, in frames, bare and wrapped.
fn frames(data: &[String], is_wrapped: bool) -> Vec<u8> {
    let payload = |data: &String| if is_wrapped { json!({"bytes": base64(data)}).to_string() } else { data.clone() };
    data.iter().flat_map(|data| frame(&payload(data))).collect()
}

pub fn all() -> Vec<Example> {
    [chat(), responses(), anthropic(), google(), bedrock(), others()].into_iter().flatten().collect()
}

fn chunk(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn chat() -> Vec<Example> {
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

const CUSTOM: &str = "free: *** Begin\n+ \"{\" \\ é😀\n";

fn responses() -> Vec<Example> {
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

fn anthropic() -> Vec<Example> {
    let api = "anthropic_messages";
    let blocks = |arguments: &str, others: &str| {
        format!(
            r#"[{{"type":"text","text":"Let me."}},{{"type":"tool_use","id":"t1","name":"b\u006fok","input":{arguments}}},{{"type":"server_tool_use","id":"s1","name":"web_search","input":{others}}},{{"type":"web_search_tool_result","tool_use_id":"s1","content":[{{"type":"web_search_result","title":"name"}}]}},{{"type":"mcp_tool_use","id":"m1","name":"ask","server_name":"wiki","input":{{}}}},{{"type":"tool_use","id":"b1","name":"click","toolset_name":"browser","input":{{"x": 1}}}}]"#
        )
    };
    let called: &[_] = &[
        ["function", "book", "", ARGUMENTS],
        ["web_search", "web_search", "", OTHERS],
        ["mcp", "ask", "wiki", "{}"],
        ["browser_toolset", "click", "browser", r#"{"x": 1}"#],
    ];
    let whole = format!(
        r#"{{"id":"msg","type":"message","role":"assistant","content":{},"stop_reason":"tool_use"}}"#,
        blocks(ARGUMENTS, OTHERS)
    );
    let start =
        |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let [a, b, c] = pieces(ARGUMENTS);
    let [d, e, f] = pieces(OTHERS);
    let stream = [
        json!({"type": "message_start", "message": {"id": "msg", "type": "message", "role": "assistant", "content": []}}),
        start(0, json!({"type": "text", "text": ""})),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me."}}),
        stop(0),
        start(1, json!({"type": "tool_use", "id": "t1", "name": "book", "input": {}})),
        delta(1, ""),
        delta(1, a),
        start(2, json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})),
        delta(2, d),
        delta(1, b),
        delta(2, e),
        delta(2, f),
        stop(2),
        delta(1, c),
        stop(1),
        start(
            3,
            json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result"}]}),
        ),
        stop(3),
        start(4, json!({"type": "mcp_tool_use", "id": "m1", "name": "ask", "server_name": "wiki", "input": {}})),
        stop(4),
        start(5, json!({"type": "tool_use", "id": "b1", "name": "click", "toolset_name": "browser", "input": {}})),
        delta(5, r#"{"x": 1}"#),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
        json!({"type": "message_stop"}),
    ];
    let stream = texts(&stream);
    let unknown = json!({"content": [{"type": "xyz_use", "name": "go", "input": {"a": 1}}, {"type": "xyz"}, {"type": "fallback"}]});
    let all: &[_] = &[["xyz", "go", "", r#"{"a":1}"#], ["xyz", "", "", "Missing"]];
    let mut examples = vec![
        example(api, ("whole", "all"), Framing::Document, whole.clone().into_bytes(), called),
        example(api, ("stream", "all"), Framing::Events, events(&stream), called),
        example(api, ("unknown", ""), Framing::Document, unknown.to_string().into_bytes(), all),
    ];
    examples.push(example("bedrock_invoke", ("whole", "all"), Framing::Document, whole.into_bytes(), called));
    examples.push(example("bedrock_invoke", ("stream", "all"), Framing::Frames, frames(&stream, true), called));
    examples
}

fn google() -> Vec<Example> {
    let api = "gemini_generate";
    let called: &[_] = &[
        ["function", "book", "", ARGUMENTS],
        ["code_execution", "code_execution", "", "free: print(\"é\")"],
        ["google_search", "google_search", "", r#"{"queries":["q"]}"#],
        ["function", "list", "", "Missing"],
        ["xyz", "xyz", "", r#"{"a":1}"#],
    ];
    let parts = format!(
        r#"{{"text":"Yes."}},{{"functionCall":{{"args":{ARGUMENTS},"name":"b\u006fok"}},"thoughtSignature":"c2ln"}},{{"executableCode":{{"language":"PYTHON","code":"print(\"é\")"}}}},{{"codeExecutionResult":{{"outcome":"OUTCOME_OK","output":"name"}}}},{{"toolCall":{{"toolType":"GOOGLE_SEARCH_WEB","args":{{"queries":["q"]}}}}}},{{"function_call":{{"name":"list"}}}},{{"xyzCall":{{"args":{{"a":1}}}}}}"#
    );
    let whole = format!(
        r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}},"finishReason":"STOP","index":0}}]}}"#
    );
    let candidate = |index: u64, part: &str, finish: &str| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}}{finish},"index":{index}}}]}}"#)
    };
    let streamed: Vec<String> =
        parts.replace("}},{", "}}\n{").replace("\"},{", "\"}\n{").lines().map(|part| candidate(0, part, "")).collect();
    let twice = [
        candidate(0, r#"{"functionCall":{"name":"again","args":{}}}"#, ""),
        candidate(0, r#"{"functionCall":{"name":"again","args":{}}}"#, ""),
    ];
    let partial = [
        candidate(1, r#"{"functionCall":{"name":"book","willContinue":true}}"#, ""),
        candidate(0, r#"{"functionCall":{"name":"list","partialArgs":[{"jsonPath":"$.a","stringValue":"1"}],"willContinue":true}}"#, ""),
        candidate(1, r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.to","stringValue":"J\u006f \ud83d","willContinue":true},{"jsonPath":"$.to","stringValue":"\ude00"}],"willContinue":true}}"#, "").replace("\\ud83d", "").replace("\\ude00", "\\ud83d\\ude00"),
        candidate(1, r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.n[0]","numberValue":2}]}}"#, ""),
        candidate(0, r#"{"functionCall":{}}"#, r#","finishReason":"STOP""#),
    ];
    let partial_called: &[_] =
        &[["function", "book", "", r#"{"n":[2],"to":"Jo 😀"}"#], ["function", "list", "", r#"{"a":"1"}"#]];
    let interactions = "gemini_interactions";
    let steps = format!(
        r#"[{{"type":"thought","signature":"c2ln"}},{{"type":"function_call","id":"f1","name":"book","arguments":{ARGUMENTS}}},{{"type":"google_search_call","id":"g1","arguments":{{"queries":["q"]}}}},{{"type":"google_search_result","call_id":"g1","result":[{{"name":"no"}}]}},{{"type":"mcp_server_tool_call","id":"m1","name":"ask","server_name":"wiki","arguments":{OTHERS}}},{{"type":"xyz_call","id":"x1"}},{{"type":"model_output","content":[{{"type":"text","text":"done"}}]}}]"#
    );
    let stepped: &[_] = &[
        ["function", "book", "", ARGUMENTS],
        ["google_search", "google_search", "", r#"{"queries":["q"]}"#],
        ["mcp_server", "ask", "wiki", OTHERS],
        ["xyz", "xyz", "", "Missing"],
    ];
    let interaction = format!(r#"{{"id":"v1","object":"interaction","status":"completed","steps":{steps}}}"#);
    let first = interaction.replace("\"steps\"", "\"outputs\"");
    let [a, b, c] = pieces(ARGUMENTS);
    let delta = |index: u64, text: &str| {
        json!({"event_type": "step.delta", "index": index, "delta": {"type": "arguments_delta", "arguments": text}})
            .to_string()
    };
    let stop = |index: u64| json!({"index": index, "event_type": "step.stop"}).to_string();
    let stream = [
        r#"{"interaction":{"id":"v1","status":"in_progress"},"event_type":"interaction.created"}"#.to_owned(),
        r#"{"index":0,"step":{"type":"thought"},"event_type":"step.start"}"#.to_owned(),
        stop(0),
        r#"{"index":1,"step":{"type":"function_call","id":"f1","name":"book","arguments":{}},"event_type":"step.start"}"#.to_owned(),
        delta(1, a),
        delta(1, b),
        r#"{"index":2,"step":{"type":"google_search_call","id":"g1"},"event_type":"step.start"}"#.to_owned(),
        r#"{"index":2,"delta":{"type":"google_search_call","arguments":{"queries":["q"]}},"event_type":"step.delta"}"#.to_owned(),
        delta(1, c),
        stop(2),
        stop(1),
        format!(r#"{{"index":3,"step":{{"type":"mcp_server_tool_call","id":"m1","name":"ask","server_name":"wiki","arguments":{OTHERS}}},"event_type":"step.start"}}"#),
        stop(3),
        r#"{"index":4,"step":{"type":"xyz_call","id":"x1"},"event_type":"step.start"}"#.to_owned(),
        r#"{"index":5,"step":{"type":"model_output"},"event_type":"step.start"}"#.to_owned(),
        r#"{"index":5,"delta":{"type":"text","text":"done"},"event_type":"step.delta"}"#.to_owned(),
        stop(5),
        format!(r#"{{"interaction":{interaction},"event_type":"interaction.completed"}}"#),
        "[DONE]".to_owned(),
    ];
    vec![
        example(api, ("whole", "all"), Framing::Document, whole.into_bytes(), called),
        example(api, ("stream", "all"), Framing::Events, events(&streamed), called),
        example(
            api,
            ("stream as an array", "all"),
            Framing::Document,
            format!("[{}\n]", streamed.join(",\r\n")).into_bytes(),
            called,
        ),
        example(api, ("the same twice", ""), Framing::Events, events(&twice), &[["function", "again", "", "{}"]; 2]),
        example(api, ("values one by one", ""), Framing::Events, events(&partial), partial_called),
        example(interactions, ("whole", "all"), Framing::Document, interaction.into_bytes(), stepped),
        example(interactions, ("first version", "all"), Framing::Document, first.into_bytes(), stepped),
        example(interactions, ("stream", "all"), Framing::Events, events(&stream), stepped),
    ]
}

fn bedrock() -> Vec<Example> {
    let content = format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"Yes."}},{{"toolUse":{{"toolUseId":"t1","name":"book","input":{ARGUMENTS}}}}},{{"toolUse":{{"toolUseId":"t2","name":"nova_grounding","type":"server_tool_use","input":{OTHERS}}}}},{{"toolResult":{{"toolUseId":"t2","content":[{{"json":{{"name":"x"}}}}]}}}},{{"xyzToolUse":{{"name":"go","input":{{"a":1}}}}}}]}}}},"stopReason":"tool_use","usage":{{"inputTokens":1}}}}"#
    );
    let called: &[_] = &[
        ["function", "book", "", ARGUMENTS],
        ["systemTool", "nova_grounding", "", OTHERS],
        ["xyz", "go", "", r#"{"a":1}"#],
    ];
    let [a, b, c] = pieces(ARGUMENTS);
    let [d, e, f] = pieces(OTHERS);
    let start = |index: u64, tool: Value| json!({"contentBlockIndex": index, "start": {"toolUse": tool}, "p": "abc"});
    let delta = |index: u64, text: &str| json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}});
    let stop = |index: u64| json!({"contentBlockIndex": index, "p": "abcd"});
    let stream = [
        json!({"role": "assistant"}),
        json!({"contentBlockIndex": 0, "delta": {"text": "Yes."}}),
        stop(0),
        start(1, json!({"toolUseId": "t1", "name": "book"})),
        delta(1, a),
        start(2, json!({"toolUseId": "t2", "name": "nova_grounding", "type": "server_tool_use"})),
        delta(2, d),
        delta(1, b),
        delta(1, c),
        stop(1),
        delta(2, e),
        delta(2, f),
        json!({"stopReason": "tool_use"}),
        json!({"usage": {"inputTokens": 1}}),
    ];
    let two = &called[..2];
    let nova: Vec<Value> = stream
        .iter()
        .map(|event| match event {
            event if event.get("start").is_some() => json!({"contentBlockStart": event}),
            event if event.get("delta").is_some() => json!({"contentBlockDelta": event}),
            event if event.get("contentBlockIndex").is_some() => json!({"contentBlockStop": event}),
            event if event.get("stopReason").is_some() => json!({"messageStop": event}),
            event => json!({"metadata": event}),
        })
        .collect();
    let cohere =
        json!({"text": "", "tool_calls": [{"name": "book", "parameters": {"a": 1}}], "finish_reason": "COMPLETE"});
    vec![
        example("bedrock_converse", ("whole", ""), Framing::Document, content.clone().into_bytes(), called),
        example("bedrock_converse", ("stream", "two"), Framing::Frames, frames(&texts(&stream), false), two),
        example("bedrock_invoke", ("Nova whole", ""), Framing::Document, content.into_bytes(), called),
        example("bedrock_invoke", ("Nova stream", "two"), Framing::Frames, frames(&texts(&nova), true), two),
        example(
            "bedrock_invoke",
            ("Cohere whole", ""),
            Framing::Document,
            cohere.to_string().into_bytes(),
            &[["function", "book", "", r#"{"a":1}"#]],
        ),
    ]
}

fn others() -> Vec<Example> {
    let cohere = "cohere_chat";
    let called: &[_] = &[["function", "book", "", ARGUMENTS], ["function", "list", "", OTHERS]];
    let calls = json!([
        {"id": "b1", "type": "function", "function": {"name": "book", "arguments": ARGUMENTS}},
        {"id": "b2", "type": "function", "function": {"name": "list", "arguments": OTHERS}},
    ]);
    let whole = json!({"id": "c", "message": {"role": "assistant", "tool_plan": "I will", "tool_calls": calls}, "finish_reason": "TOOL_CALL"});
    let mut stream = vec![
        json!({"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
        json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}}),
    ];
    for (index, call) in calls.as_array().unwrap().iter().enumerate() {
        let mut begun = call.clone();
        begun["function"]["arguments"] = json!("");
        stream.push(json!({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begun}}}));
        for piece in pieces(call["function"]["arguments"].as_str().unwrap()) {
            stream.push(json!({"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": {"function": {"arguments": piece}}}}}));
        }
        stream.push(json!({"type": "tool-call-end", "index": index}));
    }
    stream.push(json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}));
    let [a, b, c] = pieces(ARGUMENTS);
    let chunk = |delta: Value| json!({"event_type": "tool-calls-chunk", "tool_call_delta": delta}).to_string();
    let first_version = [
        json!({"event_type": "stream-start"}).to_string(),
        chunk(json!({"index": 0, "name": "book"})),
        chunk(json!({"index": 0, "parameters": a})),
        chunk(json!({"index": 0, "parameters": b})),
        chunk(json!({"index": 0, "parameters": c})),
        format!(
            r#"{{"event_type":"tool-calls-generation","tool_calls":[{{"name":"book","parameters":{ARGUMENTS}}}]}}"#
        ),
        format!(
            r#"{{"event_type":"stream-end","response":{{"tool_calls":[{{"name":"book","parameters":{ARGUMENTS}}}]}}}}"#
        ),
    ];
    let ollama = [
        format!(r#"{{"model":"m","message":{{"role":"assistant","content":"","tool_calls":[{{"function":{{"index":0,"name":"book","arguments":{ARGUMENTS}}}}}]}},"done":false}}"#),
        format!(r#"{{"model":"m","message":{{"role":"assistant","content":"","tool_calls":[{{"id":"x","function":{{"name":"list","arguments":{OTHERS}}}}},{{"function":{{"name":"list","arguments":{OTHERS}}}}}]}},"done":false}}"#),
        r#"{"model":"m","message":{"role":"assistant","content":"{\"tool_calls\":[]}"},"done_reason":"stop","done":true}"#.to_owned(),
    ];
    let three: &[_] = &[called[0], called[1], called[1]];
    let ollama_whole = format!(
        r#"{{"model":"m","message":{{"tool_calls":[{{"function":{{"name":"book","arguments":{ARGUMENTS}}}}},{{"function":{{"name":"list","arguments":{OTHERS}}}}},{{"function":{{"name":"list","arguments":{OTHERS}}}}}]}},"done":true}}"#
    );
    let lm = "lm_studio_chat";
    let provider = r#""provider_info":{"type":"ephemeral_mcp","server_label":"hub"}"#;
    let output = format!(
        r#"[{{"type":"reasoning","content":"hm"}},{{"type":"tool_call","tool":"book","arguments":{ARGUMENTS},"output":"[{{\"type\":\"text\"}}]",{provider}}},{{"type":"invalid_tool_call","reason":"no","metadata":{{"type":"invalid_name","tool_name":"list"}}}},{{"type":"message","content":"done"}}]"#
    );
    let result = format!(r#"{{"model_instance_id":"m","output":{output},"response_id":"r"}}"#);
    let lm_called: &[_] = &[["ephemeral_mcp", "book", "hub", ARGUMENTS], ["function", "list", "", "Missing"]];
    let lm_stream = [
        r#"{"type":"chat.start","model_instance_id":"m"}"#.to_owned(),
        r#"{"type":"reasoning.delta","content":"hm"}"#.to_owned(),
        format!(r#"{{"type":"tool_call.start","tool":"book",{provider}}}"#),
        format!(r#"{{"type":"tool_call.arguments","tool":"book","arguments":{ARGUMENTS},{provider}}}"#),
        format!(r#"{{"type":"tool_call.success","tool":"book","arguments":{ARGUMENTS},"output":"[]",{provider}}}"#),
        r#"{"type":"tool_call.failure","reason":"no","metadata":{"type":"invalid_name","tool_name":"list"}}"#
            .to_owned(),
        r#"{"type":"message.delta","content":"done"}"#.to_owned(),
        format!(r#"{{"type":"chat.end","result":{result}}}"#),
    ];
    vec![
        example(cohere, ("whole", "two"), Framing::Document, whole.to_string().into_bytes(), called),
        example(cohere, ("stream", "two"), Framing::Events, events(&texts(&stream)), called),
        example(cohere, ("first version", ""), Framing::Events, events(&first_version), &called[..1]),
        example("ollama_chat", ("stream", "three"), Framing::Lines, ollama.join("\n").into_bytes(), three),
        example("ollama_chat", ("whole", "three"), Framing::Document, ollama_whole.into_bytes(), three),
        example(lm, ("whole", "two"), Framing::Document, result.into_bytes(), lm_called),
        example(lm, ("stream", "two"), Framing::Events, events(&lm_stream), lm_called),
    ]
}
