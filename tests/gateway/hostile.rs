//! Ten thousand requests that mean no good, from a fixed seed, half of them under rules about texts and tools. No VM may die of them,
//! no memory may pile up, and every reply must be one that a client can read.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Bytes, Frame};
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::client::{Body, CHAT, Connection, Frames, PATIENCE, ask_h2, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::wire::{Wire, post};

const REQUESTS: usize = 10_000;
const CALLERS: usize = 16;
const LARGE: usize = 5 << 20;

/// The words that a reply or a record may use.
const CODES: &[&str] = &[
    "invalid_request",
    "tenant_missing",
    "tenant_unknown",
    "model_not_allowed",
    "model_not_found",
    "request_budget_exceeded",
    "daily_budget_exceeded",
    "monthly_budget_exceeded",
    "model_unpriced",
    "response_not_found",
    "request_too_large",
    "unsupported_encoding",
    "rate_limited",
    "expensive_rate_limited",
    "token_rate_limited",
    "in_flight_limited",
    "content_refused",
    "tool_not_allowed",
    "internal_error",
    "provider_unavailable",
];

/// Whether a reply may say this: one of ours, or what the shipped configuration says of a path that nobody serves.
fn known(code: &str) -> bool {
    CODES.contains(&code) || code == "not_found"
}

/// What a record may say beside these.
const ENDINGS: &[&str] =
    &["success", "provider_rejected", "provider_rate_limited", "provider_error", "provider_aborted", "client_closed"];

/// xorshift64*: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.roll() % most.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Scalars and worse, to be put where something else is expected.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "-0",
    "1.5",
    "1e400",
    "-1e400",
    "1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999999999999",
    "0.000000000000000000000000000000000000000000000001",
    "9007199254740993",
    "01",
    "+1",
    "0x10",
    "NaN",
    "Infinity",
    "\"\"",
    "\"gpt-4o-mini\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83e\\udd80\"",
    "\"\\x41\"",
    "\"unended",
    "\"line\nbreak\"",
    "[]",
    "{}",
    "[[[[[[]]]]]]",
    "{\"model\":\"gpt-4\"}",
    "[{\"role\":\"user\",\"content\":\"x\"}]",
    "[{\"role\":\"user\",\"content\":\"jo.doe\\u0040example.com, \\ud83e 4111 1111 1111 1111\"}]",
    "[{\"type\":\"function\",\"function\":{\"name\":\"delete_\\ud800\",\"name\":\"get\"}}]",
    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:\"}}]}]",
    "/* comment */ 1",
    "",
    ",",
    ":",
    "]",
];

const KEYS: &[&str] = &[
    "model",
    "mod\\u0065l",
    "MODEL",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stream",
    "stream_options",
    "include_usage",
    "tools",
    "metadata",
    "",
    "\\u0000",
    "\\ud800",
    "__proto__",
    "model ",
];

/// A body that is nearly one.
fn body(dice: &mut Dice) -> Vec<u8> {
    let well: &[u8] =
        br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}],"max_completion_tokens":4}"#;
    match dice.below(12) {
        0 => well[..dice.below(well.len())].to_vec(),
        1 => {
            let mut body = well.to_vec();
            for _ in 0..=dice.below(4) {
                let at = dice.below(body.len());
                body[at] = dice.roll() as u8;
            }
            body
        }
        2 => {
            let mut body = well.to_vec();
            let at = dice.below(body.len());
            body.insert(at, dice.roll() as u8);
            body
        }
        3 => {
            let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("[[", ""), ("{\"model\":", "")][dice.below(4)];
            let depth = 1 << dice.below(17);
            let nest = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            format!(r#"{{"model":"gpt-4o-mini","x":{nest},"messages":[]}}"#).into_bytes()
        }
        4 => (0..dice.below(300)).map(|_| dice.roll() as u8).collect(),
        5 => {
            let junk: &[&[u8]] = &[b"\xef\xbb\xbf", b"\x00", b"  \t\r\n", b"\xff\xfe", b"data: ", b")]}',\n"];
            [dice.one(junk), well].concat()
        }
        6 => {
            let junk: &[&[u8]] = &[b"{}", b"\x00", b"  \t\r\n", b"\xff", b"}", b",", b"[DONE]"];
            [well, dice.one(junk)].concat()
        }
        // The same key twice, in any spelling.
        7 => {
            let (key, first, second) = (dice.one(KEYS), dice.one(VALUES), dice.one(VALUES));
            format!(r#"{{"model":"gpt-4o-mini","{key}":{first},"messages":[],"{key}":{second}}}"#).into_bytes()
        }
        // Bytes that are no UTF-8, inside of strings.
        8 => {
            let bad: &[&[u8]] = &[b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f"];
            let bad = dice.one(bad);
            let places: [[&[u8]; 3]; 3] = [
                [br#"{"model":"gpt-4o-mini"#, bad, br#"","messages":[{"role":"user","content":"x"}]}"#],
                [br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":""#, bad, br#""}],"max_tokens":4}"#],
                [br#"{"model":"gpt-4o-mini","messages":[],""#, bad, br#"":1}"#],
            ];
            places[dice.below(3)].concat()
        }
        9 => {
            let long = "x".repeat(1 << dice.below(18));
            let bodies = [
                format!(r#"{{"model":"{long}","messages":[]}}"#),
                format!(r#"{{"model":"gpt-4o-mini","{long}":1,"messages":[{{"role":"user","content":"x"}}]}}"#),
                format!(r#"{{"n":1{},"model":"gpt-4o-mini","messages":[]}}"#, long.replace('x', "0")),
                format!(r#"{{"stream":true,"stream_options":{{"{long}":{{}}}},"model":"gpt-4o-mini","messages":[]}}"#),
            ];
            bodies[dice.below(bodies.len())].clone().into_bytes()
        }
        // Fields of the wrong kind, in any order.
        _ => {
            let mut fields = vec![r#""model":"gpt-4o-mini""#.to_owned(), r#""messages":[{"content":"x"}]"#.to_owned()];
            for _ in 0..=dice.below(4) {
                let field = format!(r#""{}":{}"#, dice.one(KEYS), dice.one(VALUES));
                fields.insert(dice.below(fields.len() + 1), field);
            }
            format!("{{{}}}", fields.join(",")).into_bytes()
        }
    }
}

/// Headers that nobody should send.
fn odd_headers(dice: &mut Dice, request: &mut Request<Body>) {
    let names =
        ["x-tenant-id", "x-ai-role", "x-request-id", "content-type", "content-encoding", "accept-encoding", "x-odd"];
    let headers = request.headers_mut();
    for _ in 0..=dice.below(3) {
        let name = HeaderName::from_static(names[dice.below(names.len())]);
        let length = 1 << dice.below(12);
        let value: Vec<u8> = match dice.below(5) {
            0 => Vec::new(),
            1 => b"acme".to_vec(),
            2 => (0..length).map(|_| 0x80 | dice.roll() as u8).collect(),
            3 => (0..length).map(|_| b' ' + (dice.roll() % 95) as u8).collect(),
            _ => b"acme;.;tenant=.=evil;.;ai_gateway_requests_total".to_vec(),
        };
        let value = HeaderValue::from_bytes(&value).expect("visible bytes, or those above");
        if dice.below(2) == 0 {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    if dice.below(20) == 0 {
        for nth in 0..dice.below(150) {
            headers.append(HeaderName::from_bytes(format!("x-many-{nth}").as_bytes()).unwrap(), "1".parse().unwrap());
        }
    }
}

/// A request that HTTP itself frowns on, as it goes over the wire.
fn raw(dice: &mut Dice) -> Vec<u8> {
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}],"max_tokens":2}"#;
    let (length, short, long) = (body.len(), dice.below(body.len()), body.len() + 1 + dice.below(100));
    let framing = match dice.below(10) {
        0 => format!("content-length: {short}\r\n"),
        1 => format!("content-length: {long}\r\n"),
        2 => format!("content-length: {length}\r\ncontent-length: {short}\r\n"),
        3 => format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        4 => "content-length: -1\r\n".to_owned(),
        5 => "content-length: 99999999999999999999\r\n".to_owned(),
        6 => "transfer-encoding: chunked\r\n".to_owned(),
        7 => "transfer-encoding: gzip, chunked\r\n".to_owned(),
        8 => String::new(),
        _ => format!("content-length: +{length}\r\n"),
    };
    let host = dice.one(&["host: gateway\r\n", "host: gateway\r\nhost: other\r\n", "", "host: \x01\r\n"]);
    let path = dice.one(&[
        CHAT,
        "/v1/chat/completions?x=1",
        "//v1/chat/completions",
        "/v1/chat/../chat/completions",
        "*",
        "http://a/",
    ]);
    let version = dice.one(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/9.9"]);
    format!("POST {path} {version}\r\n{host}x-tenant-id: acme\r\n{framing}\r\n{body}").into_bytes()
}

/// Sends it with a good request behind it, on one connection: the first answer's status, and the code in its body if it has
/// one. Each answer keeps to the grammar, and there are no more of them than there may be requests in what was sent.
async fn raw_answer(addr: SocketAddr, bytes: &[u8]) -> Option<(u16, Option<String>)> {
    let mut wire = Wire::open(addr).await;
    let good = post(CHAT, &[("x-tenant-id", "acme"), ("x-sim", "tokens=1"), ("connection", "close")], &chat("").body());
    // Where bytes are lacking, the first of these are taken for them, and what is left is no request.
    wire.send(&[bytes, &good].concat(), 3).await;
    let first = wire.answer().await?;
    while wire.answer().await.is_some() {}
    let code = first.text().split_once(r#""code":""#).and_then(|(_, code)| Some(code.split_once('"')?.0.to_owned()));
    Some((first.status, code))
}

/// What came of one request that got an answer.
struct Reply {
    id: Option<String>,
    status: u16,
    code: Option<String>,
}

async fn hostile(addr: SocketAddr, connection: &mut Option<Connection>, seed: u64) -> Option<Reply> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..4 {
        dice.roll();
    }
    let kind = dice.below(100);
    let well = chat(dice.one(&["acme", "watched"])).sim("tokens=1");
    let answer = match kind {
        // By raw bytes.
        0..4 => {
            match raw_answer(addr, &raw(&mut dice)).await {
                None | Some((200, None)) => {}
                Some((400..500, Some(code))) if known(&code) => {}
                other => panic!("{seed}: {other:?}"),
            }
            return None;
        }
        // By HTTP/2, with trailers.
        4..10 => {
            let body = Bytes::from(if dice.below(3) == 0 { well.body() } else { body(&mut dice) });
            let trailer = [("x-tenant-id".parse().unwrap(), "other".parse().unwrap())].into_iter().collect();
            let mut frames: Vec<_> =
                body.chunks(1 + dice.below(40_000)).map(|piece| Frame::data(body.slice_ref(piece))).collect();
            frames.push(Frame::trailers(trailer));
            ask_h2(addr, well.request_h2(Frames::ending(frames))).await
        }
        _ => {
            let large = seed.is_multiple_of(250);
            let mut request = match kind {
                10..16 => well.request(),
                _ if large => well.request_of(large_body(&mut dice)),
                16..24 => well.request_of(Full::from(body(&mut dice)).boxed()),
                24..40 => {
                    // In pieces, without a length.
                    let body = Bytes::from(body(&mut dice));
                    let size = 1 + dice.below(body.len().max(64));
                    let frames: Vec<_> = body.chunks(size).map(|piece| Frame::data(body.slice_ref(piece))).collect();
                    well.request_of(Frames::ending(frames))
                }
                _ => well.request_with(body(&mut dice)),
            };
            if (16..32).contains(&kind) {
                odd_headers(&mut dice, &mut request);
            }
            let mut open = match connection.take() {
                Some(open) => open,
                None => Connection::open(addr).await,
            };
            let sent = tokio::time::timeout(PATIENCE, open.send(request)).await;
            let Ok(response) = sent.unwrap_or_else(|_| panic!("{seed}: no answer")) else {
                // Envoy answers a body that is too large before it has come, and closes; the answer may be lost in
                // what was still being written.
                assert!(large || kind < 40, "{seed}: the connection was closed without an answer");
                return None;
            };
            let answer = crate::client::whole(response).await;
            if answer.header("connection") != Some("close") && !answer.broken {
                *connection = Some(open);
            }
            answer
        }
    };
    if (10..16).contains(&kind) {
        assert_eq!(answer.status, 200, "{seed}: a good request among the others: {answer:?}");
    }
    assert!(!answer.broken, "{seed}: {answer:?}");
    let error = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["error"].take();
    if answer.status != 200 {
        assert!(error["message"].is_string(), "{seed}: not OpenAI's shape: {answer:?}");
    }
    let code = error["code"].as_str().map(str::to_owned);
    Some(Reply { id: answer.header("x-request-id").map(str::to_owned), status: answer.status, code })
}

fn large_body(dice: &mut Dice) -> Body {
    let filling = match dice.below(4) {
        0 => format!(r#""{}""#, "x".repeat(LARGE)),
        1 => format!("[{}0]", "0,".repeat(LARGE / 2)),
        2 => format!("{}{}", "[".repeat(LARGE / 2), "]".repeat(LARGE / 2)),
        _ => format!("[{}{{}}]", r#"{"role":"user","content":"x"},"#.repeat(LARGE / 30)),
    };
    let body = Bytes::from(format!(r#"{{"model":"gpt-4o-mini","messages":{filling}}}"#));
    if dice.below(2) == 0 {
        return Full::from(body).boxed();
    }
    Frames::ending(body.chunks(1 << 16).map(|piece| Frame::data(body.slice_ref(piece))).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_requests() {
    let mut watched = free_tenant();
    watched["tools"] = json!({"deny": ["delete_*", "kind:mcp"], "offered": "strip", "called": "refuse"});
    let mut policy = policy(json!({"acme": free_tenant(), "watched": watched}));
    let rule = |kind: &str, action: &str| json!({"name": kind, "find": [kind], "action": action, "on": ["request", "answer"], "tenants": ["watched"]});
    policy["content"] = json!({"rules": [rule("email", "mask"), rule("card", "refuse"), rule("jwt", "count")]});
    let gateway = Gateway::start(Setup::new("hostile", policy)).await;
    let warm = gateway.ask(chat("acme").request()).await;
    assert_eq!(warm.status, 200);
    let before = gateway.resident_bytes();

    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (next, addr) = (next.clone(), gateway.addr);
        tokio::spawn(async move {
            let (mut replies, mut connection) = (Vec::new(), None);
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= REQUESTS {
                    return replies;
                }
                replies.extend(hostile(addr, &mut connection, nth as u64).await);
            }
        })
    });
    let mut replies = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        replies.extend(caller.await.expect("a caller"));
    }
    let (took, after) = (began.elapsed(), gateway.resident_bytes());
    let by_code = replies.iter().fold(HashMap::<_, usize>::new(), |mut counts, reply| {
        *counts.entry((reply.status, reply.code.clone())).or_default() += 1;
        counts
    });
    println!("{} replies in {took:?}, {} MiB more: {by_code:?}", replies.len(), after.saturating_sub(before) >> 20);

    // No VM died, and memory stays that of the largest bodies.
    assert_eq!(gateway.dead_vms().await, 0, "{}", gateway.complaints());
    let log = gateway.log();
    let death = log.lines().find(|line| line.contains("panicked at") || line.contains("Uncaught RuntimeError"));
    assert_eq!(death, None);
    assert!(after.saturating_sub(before) < 256 << 20, "{before} bytes before, {after} after");

    // Each was told once, in words of the closed vocabulary; what the client read is what was written down.
    let alive = async || gateway.stats().await.sum("ai_gateway_active_connections", &[]);
    eventually("no open exchange", alive, |open| *open == 0).await;
    gateway.written().await;
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for record in gateway.records() {
        let outcome = record["outcome"].as_str().expect("an outcome").to_owned();
        assert!(CODES.contains(&outcome.as_str()) || ENDINGS.contains(&outcome.as_str()), "{record}");
        assert_ne!(outcome, "internal_error", "{record}");
        let tenant = record["tenant"].as_str().unwrap_or_default();
        assert!(["acme", "watched", "none", "other"].contains(&tenant), "labels are the configuration's: {record}");
        told.entry(record["request_id"].as_str().expect("an id").to_owned()).or_default().push(outcome);
    }
    let mut unread = 0;
    for Reply { id, status, code } in &replies {
        let outcomes = id.as_ref().and_then(|id| told.get(id)).map_or(&[][..], Vec::as_slice);
        match (outcomes, status, code.as_deref()) {
            ([outcome], 200, None) => assert_eq!(outcome, "success"),
            ([outcome], 400..500, _) if outcome == "provider_rejected" => {}
            ([outcome], _, Some(code)) => assert_eq!(outcome, code),
            // Refused by Envoy's own codec or router, before the filter had a word.
            ([], 400 | 404 | 431, code) => {
                assert!(code.is_some_and(known), "{code:?}");
                unread += 1;
            }
            other => panic!("{id:?}: {other:?}"),
        }
    }
    assert!(replies.len() > REQUESTS * 9 / 10 && unread < REQUESTS / 50, "{unread} of {} went unread", replies.len());
    let series = gateway.stats().await.count("ai_gateway_");
    assert!(series < 400, "{series} series");
}
