//! A client with one connection that it owns, so that it can leave when a test says so.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::wire::{Heard, Overheard};

pub type Body = BoxBody<Bytes, Infallible>;

/// Nothing here takes longer, unless it hangs: whatever else the machine has to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what is waited for.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

pub const CHAT: &str = "/v1/chat/completions";

/// A chat request in the making.
#[derive(Clone)]
pub struct Chat {
    headers: Vec<(&'static str, String)>,
    fields: Map<String, Value>,
}

/// The usual request of this tenant: `gpt-4o-mini`, one short message, at most 16 tokens.
pub fn chat(tenant: &str) -> Chat {
    let asked = Chat { headers: vec![("x-tenant-id", tenant.to_owned())], fields: Map::new() };
    asked.model("gpt-4o-mini").saying("What does a gateway settle?").field("max_completion_tokens", 16)
}

impl Chat {
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "x-tenant-id");
        self
    }

    pub fn model(self, model: &str) -> Self {
        self.field("model", model)
    }

    pub fn saying(self, text: &str) -> Self {
        self.field("messages", json!([{"role": "user", "content": text}]))
    }

    pub fn stream(self) -> Self {
        self.field("stream", true)
    }

    pub fn is_stream(&self) -> bool {
        self.fields.get("stream") == Some(&Value::Bool(true))
    }

    pub fn asking_usage(self) -> Self {
        self.field("stream_options", json!({"include_usage": true}))
    }

    /// The provider's knobs.
    pub fn sim(self, knobs: &str) -> Self {
        self.header("x-sim", knobs)
    }

    pub fn body(&self) -> Vec<u8> {
        Value::Object(self.fields.clone()).to_string().into_bytes()
    }

    fn head(&self) -> hyper::http::request::Builder {
        let head = Request::post(CHAT).header("content-type", "application/json");
        self.headers.iter().fold(head, |head, (name, value)| head.header(*name, value))
    }

    /// The head as it goes over the wire by HTTP/1.1, for a body of this length.
    pub fn head_text(&self, length: usize) -> String {
        let fixed = format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n");
        let named = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        fixed + &named.collect::<String>() + "\r\n"
    }

    pub fn request(&self) -> Request<Body> {
        self.request_with(self.body())
    }

    /// The same headers over another body.
    pub fn request_with(&self, body: impl Into<Bytes>) -> Request<Body> {
        self.request_of(Full::new(body.into()).boxed())
    }

    pub fn request_of(&self, body: Body) -> Request<Body> {
        self.head().body(body).unwrap()
    }

    /// The same request to an address without a host header of HTTP/2.
    pub fn request_h2(&self, body: Body) -> Request<Body> {
        let mut request = self.request_of(body);
        *request.uri_mut() = format!("http://gateway{CHAT}").parse().unwrap();
        request
    }
}

/// A body of these frames, ready at once; its end may never come.
pub struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    unending: bool,
}

impl Frames {
    pub fn ending(frames: impl Into<VecDeque<Frame<Bytes>>>) -> Body {
        Self { frames: frames.into(), unending: false }.boxed()
    }

    pub fn unending(frames: impl Into<VecDeque<Frame<Bytes>>>) -> Body {
        Self { frames: frames.into(), unending: true }.boxed()
    }
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.frames.pop_front() {
            None if self.unending => Poll::Pending,
            frame => Poll::Ready(frame.map(Ok)),
        }
    }
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Full::default().boxed()).unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// It broke off.
    pub broken: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn request_id(&self) -> &str {
        self.header("x-request-id").expect("x-request-id on every answer")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// `error.code` of an answer that isn't 200.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code in {self:?}")).to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The `data:` of each event of a stream whose lines end by LF.
    pub fn events(&self) -> Vec<String> {
        self.text().split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

/// One connection by HTTP/1.1. Dropped, it is closed at once.
pub struct Connection {
    sender: http1::SendRequest<Body>,
    task: JoinHandle<()>,
    heard: Heard,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).await.expect("a connection");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let heard = Heard::default();
        let socket = TokioIo::new(Overheard::new(socket, heard.clone()));
        let (sender, connection) = http1::handshake(socket).await.expect("HTTP/1.1");
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { sender, task, heard }
    }

    /// Sends, and waits for the head of the answer.
    pub async fn send(&mut self, mut request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        request.headers_mut().entry("host").or_insert_with(|| "gateway".parse().unwrap());
        self.sender.ready().await?;
        self.heard.asked(request.method() == Method::HEAD);
        self.sender.send_request(request).await
    }

    pub async fn ask(&mut self, request: Request<Body>) -> Answer {
        whole(tokio::time::timeout(PATIENCE, self.send(request)).await.expect("an answer in time").expect("an answer"))
            .await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
        let faults = self.heard.faults();
        assert!(faults.is_empty() || std::thread::panicking(), "what came is not HTTP/1.1: {faults:?}");
    }
}

/// On a connection of its own.
pub async fn ask(addr: SocketAddr, request: Request<Body>) -> Answer {
    Connection::open(addr).await.ask(request).await
}

/// A connection by HTTP/2 with prior knowledge. What is dropped of it, a request or an answer, is a stream that is reset.
pub async fn open_h2(addr: SocketAddr) -> (http2::SendRequest<Body>, JoinHandle<()>) {
    let socket = TcpStream::connect(addr).await.expect("a connection");
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, task)
}

/// By HTTP/2, on a connection of its own.
pub async fn ask_h2(addr: SocketAddr, request: Request<Body>) -> Answer {
    let (mut sender, task) = open_h2(addr).await;
    let response = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.expect("an answer in time");
    let answer = whole(response.expect("an answer")).await;
    task.abort();
    answer
}

/// Reads the rest of an answer, to its end or to where it breaks off.
pub async fn whole(response: Response<Incoming>) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let (mut body, mut broken) = (Vec::new(), false);
    loop {
        match tokio::time::timeout(PATIENCE, incoming.frame()).await.expect("the rest of an answer in time") {
            None => break,
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    body.extend_from_slice(bytes);
                }
            }
            Some(Err(_)) => {
                broken = true;
                break;
            }
        }
    }
    Answer { status: head.status.as_u16(), headers: head.headers, body, broken }
}

/// Waits for the next bytes of a body; none if it is over.
pub async fn next_piece(body: &mut Incoming) -> Option<Bytes> {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("a piece in time");
    frame?.ok()?.into_data().ok()
}

/// Tries until it holds; fails with the last value otherwise.
pub async fn eventually<T: std::fmt::Debug, F: AsyncFnMut() -> T>(
    what: &str,
    mut look: F,
    holds: impl Fn(&T) -> bool,
) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        let seen = look().await;
        if holds(&seen) {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {seen:?} at last");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
