//! A provider that says again what it was told, and an address of its own: in one piece, or a character an event. Or it calls the
//! function that a request's `metadata` names.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use simulated_provider::eventstream::message as frame;

/// What the provider says of its own.
pub const MAIL: &str = "support@example.com";

pub struct Repeating {
    pub addr: SocketAddr,
    /// The bodies that came, by the `test` of their `metadata`.
    had: Arc<Mutex<HashMap<String, Value>>>,
    next: AtomicU64,
}

impl Repeating {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let had = Arc::<Mutex<HashMap<String, Value>>>::default();
        let kept = Arc::clone(&had);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { addr, had, next: AtomicU64::new(1) }
    }

    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn has(&self, id: &str) -> bool {
        self.had.lock().unwrap().contains_key(id)
    }

    pub fn had(&self, id: &str) -> Value {
        self.had.lock().unwrap().get(id).unwrap_or_else(|| panic!("{id} never came")).clone()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<HashMap<String, Value>>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let mut more = |bytes: &mut Vec<u8>, stream: &mut TcpStream| match stream.read(&mut piece) {
        Ok(read) if read > 0 => {
            bytes.extend(&piece[..read]);
            true
        }
        _ => false,
    };
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(&mut bytes, &mut stream) {
            return;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if !more(&mut bytes, &mut stream) {
            return;
        }
    }
    let Ok(body) = serde_json::from_slice::<Value>(&bytes[end..end + length]) else {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
    };
    // Anthropic's metadata has a user's id and nothing else.
    let id = body["metadata"]["test"].as_str().or(body["metadata"]["user_id"].as_str()).unwrap_or_default();
    kept.lock().unwrap().insert(id.to_owned(), body.clone());
    let is_anthropic = head.starts_with("post /v1/messages");
    let is_bedrock = head.starts_with("post /model/");
    let streams = body["stream"] == Value::Bool(true) || head.contains("/converse-stream ");
    let text = format!("You said: {} Mail {MAIL}, please.", last_text(&body));
    if let Some(name) = body["metadata"]["call"].as_str() {
        let arguments = body["metadata"]["arguments"].as_str().unwrap_or("{}");
        if !streams {
            return whole(&mut stream, &chat_call(name, arguments));
        }
        send(&mut stream, EVENTS, chat_call_events(name, arguments));
        return;
    }
    if is_bedrock {
        if !streams {
            return whole(&mut stream, &converse(&text));
        }
        send(&mut stream, "application/vnd.amazon.eventstream", converse_messages(&text));
        return;
    }
    let events = match (is_anthropic, streams) {
        (false, false) => return whole(&mut stream, &chat(&text)),
        (true, false) => return whole(&mut stream, &message(&body, &text)),
        (false, true) => chat_events(&text),
        (true, true) => message_events(&text),
    };
    send(&mut stream, EVENTS, events);
}

const EVENTS: &str = "text/event-stream";

fn send(stream: &mut TcpStream, content_type: &str, events: Vec<impl AsRef<[u8]>>) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    for event in events {
        let _ = stream.write_all(event.as_ref());
        let _ = stream.flush();
    }
}

fn last_text(body: &Value) -> String {
    let content = &body["messages"].as_array().unwrap().last().unwrap()["content"];
    content.as_str().or(content[0]["text"].as_str()).unwrap_or_default().to_owned()
}

fn whole(stream: &mut TcpStream, answer: &Value) {
    let body = answer.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

fn usage() -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18})
}

fn chat(text: &str) -> Value {
    let message = json!({"role": "assistant", "content": text});
    json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini", "usage": usage(),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
}

fn chat_call(name: &str, arguments: &str) -> Value {
    let call = json!({"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}});
    let message = json!({"role": "assistant", "content": "I look.", "tool_calls": [call]});
    json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage()})
}

/// A word, and the call, its arguments a character an event.
fn chat_call_events(name: &str, arguments: &str) -> Vec<String> {
    let event = |delta: Value, finish: Value, usage: Value| {
        let event = json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage});
        format!("data: {event}\n\n")
    };
    let call = |call: Value| event(json!({"tool_calls": [call]}), Value::Null, Value::Null);
    let mut events = vec![event(json!({"role": "assistant", "content": "I look."}), Value::Null, Value::Null)];
    events.push(call(json!({"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": ""}})));
    events.extend(
        arguments.chars().map(|letter| call(json!({"index": 0, "function": {"arguments": letter.to_string()}}))),
    );
    events.push(event(json!({}), json!("tool_calls"), usage()));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn chat_events(text: &str) -> Vec<String> {
    let event = |choices: Value, usage: Value| {
        let event = json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
            "choices": choices, "usage": usage});
        format!("data: {event}\n\n")
    };
    let delta = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let mut events = vec![event(delta(json!({"role": "assistant", "content": ""}), Value::Null), Value::Null)];
    let said =
        text.chars().map(|letter| event(delta(json!({"content": letter.to_string()}), Value::Null), Value::Null));
    events.extend(said);
    events.push(event(delta(json!({}), json!("stop")), Value::Null));
    events.push(event(json!([]), usage()));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// With a tool, a call of it that has the text as its argument.
fn message(body: &Value, text: &str) -> Value {
    let content = if body["tools"].is_array() {
        json!([{"type": "tool_use", "id": "toolu_1", "name": "write", "input": {"to": text}}])
    } else {
        json!([{"type": "text", "text": text}])
    };
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content,
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 9}})
}

fn message_events(text: &str) -> Vec<String> {
    let event = |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1}});
    let delta = |index: u64, delta: Value| event("content_block_delta", json!({"index": index, "delta": delta}));
    let mut events = vec![event("message_start", json!({"message": message}))];
    let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
    events.push(event("content_block_start", block));
    events.extend(text.chars().map(|letter| delta(0, json!({"type": "text_delta", "text": letter.to_string()}))));
    events.push(event("content_block_stop", json!({"index": 0})));
    // A call with the same, as JSON in pieces of a byte.
    let block =
        json!({"index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "write", "input": {}}});
    events.push(event("content_block_start", block));
    let arguments = json!({"to": text}).to_string();
    events.extend(
        arguments
            .chars()
            .map(|letter| delta(1, json!({"type": "input_json_delta", "partial_json": letter.to_string()}))),
    );
    events.push(event("content_block_stop", json!({"index": 1})));
    let end = json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 9}});
    events.push(event("message_delta", end));
    events.push(event("message_stop", json!({})));
    events
}

fn converse(text: &str) -> Value {
    let message = json!({"role": "assistant", "content": [{"text": text}]});
    json!({"output": {"message": message}, "stopReason": "end_turn", "metrics": {"latencyMs": 1},
        "usage": {"inputTokens": 9, "outputTokens": 9, "totalTokens": 18}})
}

fn converse_messages(text: &str) -> Vec<Vec<u8>> {
    let event = |kind: &str, payload: Value| {
        let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
        frame(&headers, payload.to_string().as_bytes())
    };
    let mut messages = vec![event("messageStart", json!({"role": "assistant"}))];
    let said = |letter: char| json!({"contentBlockIndex": 0, "delta": {"text": letter.to_string()}, "p": "abcd"});
    messages.extend(text.chars().map(|letter| event("contentBlockDelta", said(letter))));
    messages.push(event("contentBlockStop", json!({"contentBlockIndex": 0})));
    messages.push(event("messageStop", json!({"stopReason": "end_turn"})));
    let usage = json!({"inputTokens": 9, "outputTokens": 9, "totalTokens": 18});
    messages.push(event("metadata", json!({"usage": usage, "metrics": {"latencyMs": 1}})));
    messages
}
