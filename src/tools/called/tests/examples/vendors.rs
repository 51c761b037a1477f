//! Anthropic's API and Google's.

use super::{ARGUMENTS, Example, Framing, OTHERS, events, example, frames, pieces, texts};
use serde_json::{Value, json};

pub fn anthropic() -> Vec<Example> {
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

pub fn google() -> Vec<Example> {
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
