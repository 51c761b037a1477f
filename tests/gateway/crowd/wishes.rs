//! What each of the crowd asks for: a lever in turn, worded by dice that fall the same in every run.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use crate::client::Body;

/// The same numbers in every run.
pub struct Dice(u64);

impl Dice {
    pub fn of(number: u64) -> Self {
        Self(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    Stays,
    /// The provider breaks off after so many bytes.
    IsCut(u64),
    /// The client leaves somewhere before so many bytes.
    Leaves(u64),
}

/// How a request is worded.
pub struct Wish {
    pub lever: &'static str,
    path: String,
    kind: &'static str,
    body: Vec<u8>,
    sim: String,
    pub leaving: Leaving,
}

/// What is asked, and about how long a whole answer is.
struct Words {
    path: String,
    kind: &'static str,
    body: Vec<u8>,
    sim: String,
    length: u64,
}

/// What the dice have thrown for a request.
struct Thrown {
    tokens: u64,
    stream: bool,
    text: String,
}

type Wording = fn(&Thrown, &mut Dice) -> Words;

const JSON: &str = "application/json";
const PROSE: &str = "Whoever keeps the books of a river counts what comes in and what goes out, and is never done. ";
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

pub const COUNT: u64 = 35;
const LEVERS: [(&str, Wording); COUNT as usize] = [
    ("chat", |thrown, _| chat(thrown, json!({}))),
    ("completions", |thrown, _| completions(thrown, json!({"prompt": thrown.text}), 1)),
    ("responses", |thrown, _| responses(thrown, json!({}))),
    ("embeddings", |thrown, _| {
        let body = json!({"model": "text-embedding-3-small", "input": [thrown.text]});
        Words { length: 2_500, ..words("/v1/embeddings", body, thrown, 0) }
    }),
    ("rerank", |thrown, dice| {
        let documents = vec![json!(PROSE); 1 + dice.below(150) as usize];
        let body = json!({"model": "rerank-v3.5", "query": "books", "documents": documents});
        Words { length: 1_500, ..words("/v2/rerank", body, thrown, 0) }
    }),
    ("messages", |thrown, dice| {
        let Words { sim, .. } = messages(thrown, json!({}));
        let written = format!("{sim}; cache_write={}; cache_write_1h={}", dice.below(9), dice.below(9));
        Words { sim: written, ..messages(thrown, json!({})) }
    }),
    ("gemini", |thrown, _| gemini(thrown, json!({}))),
    ("converse", |thrown, _| converse(thrown, json!({}))),
    ("ollama chat", |thrown, _| {
        let messages = json!([{"role": "user", "content": thrown.text}]);
        let options = json!({"num_predict": 900});
        let body = json!({"model": "llama3.2", "messages": messages, "stream": thrown.stream, "options": options});
        words("/api/chat", body, thrown, 130)
    }),
    ("ollama generate", |thrown, _| {
        let options = json!({"num_predict": 900});
        let body = json!({"model": "llama3.2", "prompt": thrown.text, "stream": thrown.stream, "options": options});
        words("/api/generate", body, thrown, 120)
    }),
    ("chat: n", |thrown, dice| {
        let n = dice.between(2, 4);
        let Words { length, .. } = chat(thrown, json!({}));
        Words { length: length * n, ..chat(thrown, json!({"n": n})) }
    }),
    ("chat: search", |thrown, _| chat(thrown, json!({"web_search_options": {}}))),
    ("chat: tier", |thrown, _| chat(thrown, json!({"service_tier": "priority"}))),
    ("completions: prompts", |thrown, dice| {
        let prompts = vec![json!(thrown.text); dice.between(2, 6) as usize];
        completions(thrown, json!({"prompt": prompts}), prompts.len() as u64)
    }),
    ("completions: best_of", |thrown, dice| {
        let thrown = Thrown { stream: false, text: thrown.text.clone(), ..*thrown };
        completions(&thrown, json!({"prompt": thrown.text, "n": 1, "best_of": dice.between(2, 4)}), 1)
    }),
    ("responses: searches", |thrown, dice| called(thrown, json!({"type": "web_search"}), dice)),
    ("responses: file searches", |thrown, dice| {
        called(thrown, json!({"type": "file_search", "vector_store_ids": ["vs_1"]}), dice)
    }),
    ("responses: code", |thrown, dice| {
        called(thrown, json!({"type": "code_interpreter", "container": {"type": "auto"}}), dice)
    }),
    ("responses: pictures", |thrown, dice| {
        // A request that bounds nothing is reserved for two.
        let Words { sim, .. } = responses(thrown, json!({}));
        let sim = format!("{sim}; calls={}", dice.between(1, 2));
        Words { sim, ..called(thrown, json!({"type": "image_generation"}), dice) }
    }),
    ("responses: tier", |thrown, _| responses(thrown, json!({"service_tier": "flex"}))),
    ("responses: background", |thrown, _| {
        // As much as it may: what nobody waits for is charged at its bound.
        let Words { sim, .. } = responses(thrown, json!({}));
        let more = json!({"background": true, "max_output_tokens": thrown.tokens});
        Words { sim, ..responses(thrown, more) }
    }),
    ("responses: file", |thrown, dice| {
        let id = format!("file-tokens-{}", dice.between(220_000, 270_000));
        let content = json!([{"type": "input_file", "file_id": id}, {"type": "input_text", "text": thrown.text}]);
        responses(thrown, json!({"input": [{"role": "user", "content": content}]}))
    }),
    ("messages: searches", |thrown, dice| {
        let Words { sim, length, .. } = messages(thrown, json!({}));
        let calls = dice.between(1, 4);
        let more = json!({"tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 5}]});
        Words { sim: format!("{sim}; calls={calls}"), length: length + calls * 150, ..messages(thrown, more) }
    }),
    ("messages: compaction", |thrown, _| {
        messages(thrown, json!({"context_management": {"edits": [{"type": "compact_20260112"}]}}))
    }),
    ("messages: file", |thrown, dice| {
        let id = format!("file-tokens-{}", dice.between(160_000, 198_000));
        let content = json!([{"type": "document", "source": {"type": "file", "file_id": id}}, {"type": "text", "text": thrown.text}]);
        messages(thrown, json!({"messages": [{"role": "user", "content": content}]}))
    }),
    ("gemini: searches", |thrown, dice| {
        let Words { sim, .. } = gemini(thrown, json!({}));
        let sim = format!("{sim}; calls={}", dice.between(1, 2));
        Words { sim, ..gemini(thrown, json!({"tools": [{"googleSearch": {}}]})) }
    }),
    ("gemini: candidates", |thrown, _| {
        let config = json!({"maxOutputTokens": 900, "candidateCount": 3});
        let Words { length, .. } = gemini(thrown, json!({}));
        Words { length: length * 3, ..gemini(thrown, json!({"generationConfig": config})) }
    }),
    ("gemini: tier", |thrown, _| gemini(thrown, json!({"serviceTier": "priority"}))),
    ("converse: tier", |thrown, _| converse(thrown, json!({"serviceTier": {"type": "priority"}}))),
    ("converse: video", |thrown, dice| {
        let uri = format!("s3://x/tokens-{}", dice.between(240_000, 298_000));
        let video = json!({"video": {"format": "mp4", "source": {"s3Location": {"uri": uri}}}});
        converse(thrown, json!({"messages": [{"role": "user", "content": [video, {"text": thrown.text}]}]}))
    }),
    ("pictures", |thrown, dice| {
        let n = dice.between(1, 3);
        let body = json!({"model": "dall-e-3", "prompt": thrown.text, "n": n});
        Words { length: 3_000 * n, ..words("/v1/images/generations", body, thrown, 0) }
    }),
    ("speech", |thrown, dice| {
        // What is no ASCII has more bytes than characters.
        let text = if dice.below(2) == 0 { thrown.text.clone() } else { "каждый камень 漢字 ".repeat(3) };
        let body = json!({"model": "tts-1", "voice": "alloy", "input": text});
        Words { length: 40_000, ..words("/v1/audio/speech", body, thrown, 0) }
    }),
    ("transcripts", |thrown, dice| transcribed(thrown, dice.between(16_000, 400_000))),
    ("embedded pictures", |thrown, dice| {
        let picture = "A".repeat(dice.between(100, 9_000) as usize);
        let body = json!({"inputImage": picture, "inputText": thrown.text});
        Words { length: 1_300, ..words("/model/amazon.titan-embed-image-v1/invoke", body, thrown, 0) }
    }),
    ("messages: cached", |thrown, dice| {
        let Words { sim, .. } = messages(thrown, json!({}));
        let system =
            json!([{"type": "text", "text": thrown.text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
        Words {
            sim: format!("{sim}; cache_write_1h={}", dice.below(200)),
            ..messages(thrown, json!({"system": system}))
        }
    }),
];

fn with(mut body: Value, more: Value) -> Value {
    let (Value::Object(body_of), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    body_of.extend(more);
    body
}

fn words(path: &str, body: Value, thrown: &Thrown, event: u64) -> Words {
    let length = if thrown.stream { thrown.tokens * event } else { 300 + thrown.tokens * 5 };
    let sim = format!("tokens={}; dimensions=64", thrown.tokens);
    Words { path: path.to_owned(), kind: JSON, body: body.to_string().into(), sim, length }
}

fn chat(thrown: &Thrown, more: Value) -> Words {
    let messages = json!([{"role": "user", "content": thrown.text}]);
    let body = json!({"model": "gpt-4o-mini", "messages": messages, "stream": thrown.stream, "max_tokens": 900});
    words(CHAT, with(body, more), thrown, 260)
}

fn completions(thrown: &Thrown, more: Value, choices: u64) -> Words {
    let body = json!({"model": "gpt-3.5-turbo-instruct", "stream": thrown.stream, "max_tokens": 900});
    let Words { length, .. } = words(CHAT, json!({}), thrown, 200);
    Words { length: length * choices, ..words("/v1/completions", with(body, more), thrown, 200) }
}

fn responses(thrown: &Thrown, more: Value) -> Words {
    let body = json!({"model": "gpt-5-mini", "input": thrown.text, "stream": thrown.stream, "max_output_tokens": 900});
    words(RESPONSES, with(body, more), thrown, 190)
}

fn called(thrown: &Thrown, tool: Value, dice: &mut Dice) -> Words {
    let calls = dice.between(1, 3);
    let Words { sim, length, .. } = responses(thrown, json!({}));
    let sim = format!("{sim}; calls={calls}");
    Words { sim, length: length + calls * 200, ..responses(thrown, json!({"tools": [tool]})) }
}

fn messages(thrown: &Thrown, more: Value) -> Words {
    let messages = json!([{"role": "user", "content": thrown.text}]);
    let body = json!({"model": "claude-sonnet-4", "messages": messages, "stream": thrown.stream, "max_tokens": 900});
    words(MESSAGES, with(body, more), thrown, 130)
}

fn gemini(thrown: &Thrown, more: Value) -> Words {
    let path = match (thrown.stream, thrown.tokens % 2) {
        (false, _) => "/v1beta/models/gemini-2.5-flash:generateContent",
        (true, 0) => "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        (true, _) => "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    };
    let contents = json!([{"role": "user", "parts": [{"text": thrown.text}]}]);
    let body = json!({"contents": contents, "generationConfig": {"maxOutputTokens": 900}});
    words(path, with(body, more), thrown, 200)
}

fn converse(thrown: &Thrown, more: Value) -> Words {
    let path = if thrown.stream { "converse-stream" } else { "converse" };
    let blocks = json!([{"role": "user", "content": [{"text": thrown.text}]}]);
    let body = json!({"messages": blocks, "inferenceConfig": {"maxTokens": 900}});
    words(&format!("/model/amazon.nova-lite-v1%3A0/{path}"), with(body, more), thrown, 200)
}

/// A form, with a file of so many bytes.
fn transcribed(thrown: &Thrown, bytes: u64) -> Words {
    let field = |name: &str, value: &str| {
        format!("--river\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut body = field("model", "whisper-1");
    if thrown.stream {
        body += &field("stream", "true");
    }
    body += "--river\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\ncontent-type: audio/mpeg\r\n\r\n";
    body += &"x".repeat(bytes as usize);
    body += "\r\n--river--\r\n";
    let about = words("/v1/audio/transcriptions", json!({}), thrown, 90);
    Words { kind: "multipart/form-data; boundary=river", body: body.into(), ..about }
}

impl Wish {
    pub fn of(number: u64, dice: &mut Dice) -> Self {
        let (lever, wording) = LEVERS[(number % COUNT) as usize];
        let (tokens, stream) = (dice.between(20, 199), dice.below(2) == 0);
        let text = PROSE.repeat(1 + dice.below(12) as usize);
        let Words { path, kind, body, mut sim, length } = wording(&Thrown { tokens, stream, text }, dice);
        if !lever.starts_with("ollama") {
            sim += &format!("; cached={}", dice.below(4) * 3);
        }
        sim += &format!("; reasoning={}", dice.below(5));
        let leaving = match dice.below(20) {
            0 => Leaving::IsCut(1 + dice.below(length)),
            1 => Leaving::Leaves(length),
            _ => Leaving::Stays,
        };
        match leaving {
            Leaving::Stays => {}
            Leaving::IsCut(at) => sim += &format!("; cut_bytes={at}"),
            // Slow enough that there is something to leave.
            Leaving::Leaves(_) => sim += "; first_ms=30; gap_ms=2",
        }
        Self { lever, path, kind, body, sim, leaving }
    }

    pub fn request(&self, tenant: &str) -> Request<Body> {
        let head = Request::post(&self.path).header("content-type", self.kind).header("x-tenant-id", tenant);
        let head = head.header("x-sim", &self.sim);
        head.body(Full::new(self.body.clone().into()).boxed()).unwrap()
    }
}
