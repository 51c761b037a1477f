//! Bedrock's APIs, Cohere's, Ollama's and LM Studio's.

use super::{ARGUMENTS, Example, Framing, OTHERS, events, example, frames, pieces, texts};
use serde_json::{Value, json};

pub fn bedrock() -> Vec<Example> {
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

pub fn others() -> Vec<Example> {
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
