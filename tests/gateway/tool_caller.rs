//! A provider that calls a tool: the first turn of a conversation calls the one that it knows, the turn after its result
//! answers in words. By OpenAI's chat and Responses, by Anthropic's and by Gemini's API, as JSON and as events.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const WORDS: &str = "The note says forty-two.";
/// What every answer says it used.
pub const INPUT: u64 = 100;
pub const OUTPUT: u64 = 10;

pub struct ToolCaller {
    pub addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub encoded: bool,
    pub body: Value,
}

impl ToolCaller {
    /// A shell is told to run `command`, another tool to note the same; then it says `words`.
    pub async fn start(command: &'static str, words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = Self { addr: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = Arc::clone(&caller.asked);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                let serve = service_fn(move |request| answer(request, command, words, Arc::clone(&asked)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), serve));
            }
        });
        caller
    }

    /// What it was asked, without Envoy's own checks.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

type Reply = Response<Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    command: &str,
    words: &str,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> Result<Reply, Infallible> {
    if request.method() == Method::GET {
        return Ok(reply("application/json", r#"{"object":"list","data":[]}"#.to_owned()));
    }
    let path = request.uri().path().to_owned();
    let encoded = request.headers().contains_key("content-encoding");
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let call = if has_result(&body) { None } else { tool(&body).map(|name| (name.clone(), input(&name, command))) };
    let stream = body["stream"] == json!(true) || path.ends_with(":streamGenerateContent");
    let (whole, events) = match path.rsplit('/').next() {
        Some("messages") => anthropic(&body, call, words),
        Some("responses") => responses(&body, call, words),
        Some(model) if model.contains(':') => gemini(call, words),
        _ => chat(&body, call, words),
    };
    asked.lock().unwrap().push(Asked { encoded, body });
    Ok(if stream { reply("text/event-stream", events) } else { reply("application/json", whole.to_string()) })
}

fn reply(content_type: &str, body: String) -> Reply {
    Response::builder().header("content-type", content_type).body(Full::from(body)).unwrap()
}

/// Whether the conversation holds what a tool came to.
fn has_result(body: &Value) -> bool {
    let items = ["messages", "input", "contents"].into_iter().filter_map(|list| body[list].as_array()).flatten();
    let inside = |item: &'_ Value| ["content", "parts"].map(|list| item[list].as_array().cloned().unwrap_or_default());
    let mut items = items.flat_map(|item| inside(item).into_iter().flatten().chain([item.clone()]));
    items.any(|item| {
        item["role"] == "tool"
            || item.get("functionResponse").is_some()
            || item["type"].as_str().is_some_and(|kind| kind == "tool_result" || kind.ends_with("_output"))
    })
}

/// The first of the offered tools that it knows.
fn tool(body: &Value) -> Option<String> {
    let offered = body["tools"].as_array()?;
    // Gemini's are declared in lists, inside an item.
    let declared = offered.iter().filter_map(|tool| tool["functionDeclarations"].as_array()).flatten();
    let name = |tool: &Value| tool["name"].as_str().or_else(|| tool["function"]["name"].as_str()).map(str::to_owned);
    let known = |name: &String| [SHELLS, &["exec_command", "note"]].concat().contains(&name.as_str());
    offered.iter().chain(declared).filter_map(name).find(known)
}

/// What Claude Code, opencode and Gemini CLI call it.
const SHELLS: &[&str] = &["Bash", "bash", "run_shell_command"];

fn input(name: &str, command: &str) -> Value {
    match name {
        _ if SHELLS.contains(&name) => json!({"command": command, "description": "Writes a note"}),
        "exec_command" => json!({"cmd": command}),
        _ => json!({"text": command}),
    }
}

type Call = Option<(String, Value)>;

fn named(events: &[Value]) -> String {
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(named).collect()
}

fn anthropic(body: &Value, call: Call, words: &str) -> (Value, String) {
    let (stop, block, delta) = match call {
        Some((name, input)) => (
            "tool_use",
            json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": input}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
        ),
        None => ("end_turn", json!({"type": "text", "text": words}), json!({"type": "text_delta", "text": words})),
    };
    let usage = |output: u64| json!({"input_tokens": INPUT, "output_tokens": output});
    let message = |content: Value, stop: Option<&str>, output: u64| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content,
            "stop_reason": stop, "stop_sequence": null, "usage": usage(output)})
    };
    let mut begun = block.clone();
    begun[if stop == "tool_use" { "input" } else { "text" }] = if stop == "tool_use" { json!({}) } else { json!("") };
    let events = [
        json!({"type": "message_start", "message": message(json!([]), None, 1)}),
        json!({"type": "content_block_start", "index": 0, "content_block": begun}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": usage(OUTPUT)}),
        json!({"type": "message_stop"}),
    ];
    (message(json!([block]), Some(stop), OUTPUT), named(&events))
}

fn responses(body: &Value, call: Call, words: &str) -> (Value, String) {
    let item = match call {
        Some((name, input)) => json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name,
            "arguments": input.to_string(), "status": "completed"}),
        None => json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": words, "annotations": []}]}),
    };
    let response = |status: &str, output: Value, usage: Value| {
        json!({"id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": status, "model": body["model"],
            "output": output, "usage": usage, "error": null, "incomplete_details": null, "instructions": null,
            "metadata": {}, "parallel_tool_calls": true, "tool_choice": "auto", "tools": []})
    };
    let usage = json!({"input_tokens": INPUT, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": INPUT + OUTPUT});
    let done = response("completed", json!([item]), usage);
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]), Value::Null)}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
    ];
    if item["type"] == "message" {
        events.push(
            json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
            "delta": words, "logprobs": []}),
        );
    }
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    events.push(json!({"type": "response.completed", "response": done}));
    for (at, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(at);
    }
    (done, named(&events))
}

fn chat(body: &Value, call: Call, words: &str) -> (Value, String) {
    let (finish, message) = match call {
        Some((name, input)) => (
            "tool_calls",
            json!({"role": "assistant", "content": null, "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                "function": {"name": name, "arguments": input.to_string()}}]}),
        ),
        None => ("stop", json!({"role": "assistant", "content": words})),
    };
    let usage = json!({"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT});
    let of = |object: &str, choices: Value, usage: Value| {
        json!({"id": "chatcmpl-1", "object": object, "created": 1_790_000_000, "model": body["model"],
            "choices": choices, "usage": usage})
    };
    let chunk = |delta: &Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let events = [
        of("chat.completion.chunk", chunk(&message, Value::Null), Value::Null),
        of("chat.completion.chunk", chunk(&json!({}), json!(finish)), Value::Null),
        of("chat.completion.chunk", json!([]), usage.clone()),
    ];
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let whole = of("chat.completion", json!([{"index": 0, "message": message, "finish_reason": finish}]), usage);
    (whole, events + "data: [DONE]\n\n")
}

fn gemini(call: Call, words: &str) -> (Value, String) {
    let part = match call {
        Some((name, input)) => json!({"functionCall": {"name": name, "args": input}}),
        None => json!({"text": words}),
    };
    let usage = json!({"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT});
    let content = json!({"role": "model", "parts": [part]});
    let whole = json!({"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": usage, "modelVersion": "simulated", "responseId": "response-1"});
    let events = format!("data: {whole}\n\n");
    (whole, events)
}
