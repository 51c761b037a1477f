//! The exchanges that are counted: what clients and providers send, and how it comes by in Envoy.

use crate::host::{Headers, Side, Stream, Tally, Vm};
use serde_json::{Value, json};

/// Envoy reads as much from a socket at a time.
const PIECE: usize = 16 * 1024;

/// What an official SDK sends.
const CLIENT: [(&str, &str); 19] = [
    (":authority", "gateway.example.com"),
    (":scheme", "https"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate"),
    ("connection", "keep-alive"),
    ("content-type", "application/json"),
    ("user-agent", "OpenAI/Python 3.54.0"),
    ("x-stainless-lang", "python"),
    ("x-stainless-package-version", "3.54.0"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.11.2"),
    ("x-stainless-async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "0a4b1c3e-52a7-4f0e-9d53-6f2a1be0c9d4"),
    ("x-ai-role", "chat"),
];

/// What is generated, a token at a time; a word with an escape, and one that is not ASCII, among ten.
const WORDS: [&str; 10] = [" a", " river", " runs", " under", " the", " old", " br\u{fc}cke", ",", " quietly", ".\\n"];

/// What a provider answers with.
const PROVIDER: [(&str, &str); 17] = [
    (":status", "200"),
    ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
    ("server", "cloudflare"),
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "user-1234567890abcdefghijklmn"),
    ("openai-processing-ms", "412"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "200000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "199982"),
    ("x-ratelimit-reset-requests", "8.64s"),
    ("x-ratelimit-reset-tokens", "5ms"),
    ("x-request-id", "req_5f0c6a1e8b7d4c2f9a3e1d0b6c8f7a2e"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("cf-ray", "8f2a1b3c4d5e6f70-FRA"),
    ("x-envoy-upstream-service-time", "415"),
];

#[derive(Clone)]
pub struct Exchange {
    pub method: &'static str,
    pub path: &'static str,
    pub tenant: String,
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// As it comes by, piece by piece.
    pub answer: Vec<Vec<u8>>,
    /// As the record has it. None: the filter steps aside, and writes none.
    pub outcome: Option<&'static str>,
}

fn pieces(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    bytes.chunks(PIECE).map(<[u8]>::to_vec).collect()
}

fn usage() -> Value {
    json!({"prompt_tokens": 19, "completion_tokens": 500, "total_tokens": 519,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

/// Keys in OpenAI's order: `serde_json` would sort them.
/// OpenAI pads its events, so that their lengths do not tell the text.
fn chunk(choices: &str, usage: &str, nth: usize) -> Vec<u8> {
    let padding = &"9tKq3vXwLm0R"[nth % 12..];
    format!(
        "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283,\
         \"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_06737a9306\",\
         \"choices\":[{choices}],\"usage\":{usage},\"obfuscation\":\"{padding}\"}}\n\n"
    )
    .into_bytes()
}

impl Exchange {
    /// A small chat, answered in one piece.
    pub fn chat() -> Self {
        let request = "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},\
            {\"role\":\"user\",\"content\":\"What does a compare-and-swap do, in two sentences?\"}],\"max_tokens\":600,\"temperature\":0.2}";
        let text = "A compare-and-swap writes a new value only where the old one still stands, in one step that nobody can \
            come between. Whoever loses the race reads again and decides anew, so that no update is ever lost. ";
        let answer = format!(
            "{{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\",\"created\":1741569952,\
             \"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{}\",\
             \"refusal\":null,\"annotations\":[]}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{},\
             \"service_tier\":\"default\",\"system_fingerprint\":\"fp_06737a9306\"}}",
            text.repeat(2),
            usage()
        );
        Self {
            method: "POST",
            path: "/v1/chat/completions",
            tenant: "acme".to_owned(),
            body: request.into(),
            content_type: "application/json",
            answer: pieces(answer.into()),
            outcome: Some("success"),
        }
    }

    /// A chat with this much text before the question.
    pub fn long_prompt(bytes: usize) -> Self {
        Self::of_text(&"The gateway reads each request once, as it comes, and keeps none of it. ".repeat(bytes / 72))
    }

    pub fn of_text(context: &str) -> Self {
        let body = json!({"model": "gpt-4o-mini", "max_tokens": 600,
            "messages": [{"role": "system", "content": context}, {"role": "user", "content": "And so?"}]});
        Self { body: body.to_string().into(), ..Self::chat() }
    }

    /// The same with a tool.
    pub fn offering(self) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).expect("JSON");
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
        let function = json!({"name": "get_weather", "description": "The weather of a city.", "parameters": parameters, "strict": true});
        body["tools"] = json!([{"type": "function", "function": function}]);
        Self { body: body.to_string().into(), ..self }
    }

    /// A chat with a picture of this size in it.
    pub fn picture(bytes: usize) -> Self {
        let url =
            format!("data:image/png;base64,{}", "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAADwf7zUAAAA".repeat(bytes / 48));
        let content =
            json!([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]);
        let body =
            json!({"model": "gpt-4o-mini", "max_tokens": 600, "messages": [{"role": "user", "content": content}]});
        Self { body: body.to_string().into(), ..Self::chat() }
    }

    /// A stream of this many events, each on its own; the client asks for its usage, or doesn't.
    pub fn stream(events: usize, asks: bool) -> Self {
        let option = if asks { ",\"stream_options\":{\"include_usage\":true}" } else { "" };
        let chat = Self::chat();
        let request = String::from_utf8(chat.body.clone()).expect("UTF-8");
        let request = request.replacen('{', &format!("{{\"stream\":true{option},"), 1);
        let delta = |nth: usize| {
            let word = WORDS[nth % WORDS.len()];
            format!("{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"logprobs\":null,\"finish_reason\":null}}")
        };
        let last = "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}";
        let mut answer: Vec<_> = (0..events).map(|nth| chunk(&delta(nth), "null", nth)).collect();
        answer.extend([chunk(last, "null", 1), chunk("", &usage().to_string(), 2), b"data: [DONE]\n\n".to_vec()]);
        Self { body: request.into(), content_type: "text/event-stream; charset=utf-8", answer, ..chat }
    }

    /// The same, as a fast provider's comes by: many events at a time.
    pub fn packed(self) -> Self {
        Self { answer: pieces(self.answer.concat()), ..self }
    }

    pub fn embeddings(bytes: usize) -> Self {
        let vector = vec!["-0.0069292834"; 1536].join(",");
        let one = format!("{{\"object\":\"embedding\",\"index\":0,\"embedding\":[{vector}]}}");
        let all = vec![one.as_str(); bytes / one.len()].join(",");
        let answer = format!(
            "{{\"object\":\"list\",\"data\":[{all}],\"model\":\"text-embedding-3-small\",\
             \"usage\":{{\"prompt_tokens\":8,\"total_tokens\":8}}}}"
        );
        let body = json!({"model": "text-embedding-3-small", "input": ["one", "two", "three", "four", "five"]});
        Self { path: "/v1/embeddings", body: body.to_string().into(), answer: pieces(answer.into()), ..Self::chat() }
    }

    /// More than a single request of its tenant may cost.
    pub fn too_dear() -> Self {
        let body = json!({"model": "gpt-4", "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}]});
        Self {
            tenant: "small".to_owned(),
            body: body.to_string().into(),
            outcome: Some("request_budget_exceeded"),
            ..Self::chat()
        }
    }

    pub fn models() -> Self {
        let answer = json!({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]});
        Self {
            method: "GET",
            path: "/v1/files",
            body: Vec::new(),
            answer: pieces(answer.to_string().into()),
            outcome: None,
            ..Self::chat()
        }
    }

    pub fn by(self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self }
    }

    pub fn ends(self, outcome: &'static str) -> Self {
        Self { outcome: Some(outcome), ..self }
    }

    fn request_headers(&self) -> Headers {
        let length = self.body.len().to_string();
        let own = [(":method", self.method), (":path", self.path), ("x-tenant-id", self.tenant.as_str())];
        let told = (!self.body.is_empty()).then_some(("content-length", length.as_str()));
        let all = own.into_iter().chain(CLIENT).chain(told);
        all.map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    fn answer_headers(&self) -> Headers {
        let all = PROVIDER.into_iter().chain([("content-type", self.content_type)]);
        all.map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

/// The plugins that an exchange goes past, by their root contexts.
#[derive(Clone, Copy)]
pub struct Way {
    pub listener: u32,
    /// In the provider's cluster, where there is one.
    pub cluster: Option<u32>,
}

fn count(items: usize) -> u32 {
    u32::try_from(items).expect("few")
}

/// One stream's callbacks for one plugin.
struct Passing<'a> {
    vm: &'a mut Vm,
    context: u32,
}

impl Passing<'_> {
    fn side(&mut self, request: bool) -> &mut Side {
        let stream = &mut self.vm.host().stream;
        if request { &mut stream.request } else { &mut stream.answer }
    }

    fn head(&mut self, request: bool, end: bool) -> u32 {
        let headers = count(self.side(request).headers.len());
        let callback = if request { "proxy_on_request_headers" } else { "proxy_on_response_headers" };
        self.vm.call(callback, &[self.context, headers, end.into()])
    }

    /// What the filter lets pass is gone from the buffer, and handed back.
    fn body(&mut self, request: bool, piece: &[u8], end: bool) -> Vec<u8> {
        let side = self.side(request);
        side.body.extend(piece);
        let size = count(side.body.len());
        let callback = if request { "proxy_on_request_body" } else { "proxy_on_response_body" };
        let paused = self.vm.call(callback, &[self.context, size, end.into()]) == 1;
        if paused { Vec::new() } else { std::mem::take(&mut self.side(request).body) }
    }

    fn replied(&mut self) -> bool {
        let Some((status, body)) = self.vm.host().stream.reply.take() else { return false };
        let stream = &mut self.vm.host().stream;
        stream.answer.headers = vec![(":status".to_owned(), status.to_string().into())];
        stream.attributes.insert("response.code".to_owned(), u64::from(status).to_le_bytes().into());
        self.head(false, body.is_empty());
        if !body.is_empty() {
            self.body(false, &body, true);
        }
        true
    }

    fn delete(self) {
        self.vm.call("proxy_on_done", &[self.context]);
        self.vm.call("proxy_on_delete", &[self.context]);
    }
}

/// Each callback as Envoy would make it over HTTP/1.1: the end of a body comes by itself, behind its last byte.
pub fn run(vm: &mut Vm, way: Way, exchange: &Exchange) -> Vec<(&'static str, Tally)> {
    let attributes = [
        ("xds.cluster_name", b"provider".to_vec()),
        ("source.address", b"10.0.0.7:51544".to_vec()),
        ("response.flags", 0_u64.to_le_bytes().to_vec()),
    ];
    let request = Side { headers: exchange.request_headers(), body: Vec::new() };
    let attributes = attributes.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
    vm.host().stream = Stream { request, attributes, ..Stream::default() };
    vm.told();
    let context = vm.new_context(way.listener);
    let mut client = Passing { vm, context };
    client.head(true, exchange.body.is_empty());
    let mut replied = client.replied();
    let mut sent = Vec::new();
    if !exchange.body.is_empty() {
        for piece in exchange.body.chunks(PIECE) {
            if !replied {
                sent.extend(client.body(true, piece, false));
                replied = client.replied();
            }
        }
        if !replied {
            sent.extend(client.body(true, &[], true));
            replied = client.replied();
        }
    }
    let attempt = (!replied).then(|| answered(&mut client, way, exchange, &sent)).flatten();
    client.vm.call("proxy_on_log", &[context]);
    client.delete();
    if let Some(context) = attempt {
        Passing { vm, context }.delete();
    }
    let record = vm.host().stream.attributes.get("filter_state.wasm.nexus_record");
    let record: Option<Value> = record.map(|record| serde_json::from_slice(record).expect("a record of JSON"));
    let outcome = record.as_ref().and_then(|record| record["outcome"].as_str());
    assert_eq!(outcome, exchange.outcome, "{record:?} {:?}", vm.host().log);
    vm.told()
}

/// The provider's answer, past both plugins; the context of the attempt, where there is one.
fn answered(client: &mut Passing, way: Way, exchange: &Exchange, sent: &[u8]) -> Option<u32> {
    let attempt = way.cluster.map(|root| {
        let context = client.vm.new_context(root);
        // The route takes these out (`request_headers_to_remove`).
        client
            .vm
            .host()
            .stream
            .request
            .headers
            .retain(|(name, _)| !["x-tenant-id", "x-ai-role"].contains(&name.as_str()));
        client.vm.host().stream.attributes.insert("upstream.request_attempt_count".to_owned(), one());
        let mut provider = Passing { vm: client.vm, context };
        provider.head(true, sent.is_empty());
        provider.body(true, sent, true);
        context
    });
    let stream = &mut client.vm.host().stream;
    stream.answer.headers = exchange.answer_headers();
    for (path, value) in [
        ("response.code", 200_u64.to_le_bytes().to_vec()),
        ("response.code_details", b"via_upstream".to_vec()),
        ("upstream.address", b"10.0.0.9:443".to_vec()),
        ("upstream.request_attempt_count", one()),
    ] {
        stream.attributes.insert(path.to_owned(), value);
    }
    if let Some(context) = attempt {
        Passing { vm: client.vm, context }.head(false, false);
    }
    client.head(false, false);
    let end: &[u8] = &[];
    for piece in exchange.answer.iter().map(Vec::as_slice).chain([end]) {
        let ends = piece.is_empty();
        let passed = match attempt {
            Some(context) => Passing { vm: client.vm, context }.body(false, piece, ends),
            None => piece.to_vec(),
        };
        client.body(false, &passed, ends);
    }
    attempt
}

fn one() -> Vec<u8> {
    1_u64.to_le_bytes().into()
}
