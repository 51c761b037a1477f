//! An OpenAI-compatible provider that needs no key, no network and no model: what the gateway is run and tested
//! against. It answers `POST /v1/chat/completions` (JSON and SSE) over HTTP/1.1 and HTTP/2 with prior knowledge,
//! writes down what it bills (`GET /ledger`), and fails in any way a request asks for (`GET /knobs`).
//!
//! Real servers are tested elsewhere; this one exists because none of them says what it billed, and none of them
//! hangs up on demand. The answer depends on the request alone, so that bytes can be compared.

pub mod answer;
pub mod knobs;
pub mod ledger;
mod playback;
mod script;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use answer::{Chat, Refusal};
use knobs::Gzip;
pub use ledger::{Bill, Books, Ending, Entry, Ledger, Sum};
use playback::Playback;
use wire::Wire;

const MOST_REQUEST_BYTES: usize = 64 << 20;

/// A provider in this process, on threads of its own; it stops when dropped.
pub struct Provider {
    pub addr: SocketAddr,
    books: Books,
    runtime: Option<Runtime>,
}

impl Provider {
    /// On a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn start() -> Self {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port of 127.0.0.1 to listen on")
    }

    /// On this address, for instance that of a provider that was dropped.
    pub fn start_on(addr: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().thread_name("provider").build()?;
        let books = Books::default();
        let listener = {
            let _guard = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(serve_into(listener, books.clone()));
        Ok(Self { addr, books, runtime: Some(runtime) })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn ledger(&self) -> Ledger {
        self.books.read()
    }

    /// The ledger once no request is open, or after `longest`: a client may be done before the provider knows.
    pub fn settled_ledger(&self, longest: Duration) -> Ledger {
        let step = Duration::from_millis(5);
        for _ in 0..longest.as_millis() / step.as_millis() {
            if self.ledger().open() == 0 {
                break;
            }
            std::thread::sleep(step);
        }
        self.ledger()
    }

    pub fn clear(&self) {
        self.books.clear();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves for ever, with a ledger of its own.
pub async fn serve(listener: TcpListener) {
    serve_into(listener, Books::default()).await;
}

/// Serves for ever and writes into `books`.
pub async fn serve_into(listener: TcpListener, books: Books) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(Wire::new(socket), books.clone()))),
            // Out of file descriptors, most likely: they come back as connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(wire: Wire, books: Books) {
    let rst = wire.rst();
    let service = service_fn(move |request| respond(request, books.clone(), rst.clone()));
    // An error here is a client that left or a break that was asked for; the ledger has both.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(wire), service).await;
}

async fn respond(request: Request<Incoming>, books: Books, rst: Arc<AtomicBool>) -> io::Result<Response<Playback>> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions") => chat(request, &books, rst).await,
        (&Method::GET, "/ledger") => Ok(told(&filtered(books.read(), request.uri().query().unwrap_or_default()))),
        (&Method::DELETE, "/ledger") => Ok(told(&json!({"cleared": books.clear()}))),
        (&Method::GET, "/knobs") => Ok(reply(StatusCode::OK, "text/plain; charset=utf-8", knobs::explained())),
        (&Method::GET, "/health") => Ok(told(&json!({"status": "ok"}))),
        (&Method::GET, "/v1/models") => Ok(told(&models())),
        (method, path) => Ok(refused(&Refusal::new(404, format!("there is no {method} {path}")))),
    }
}

/// `model=` and `tenant=` narrow the entries and their sum.
fn filtered(mut ledger: Ledger, query: &str) -> Value {
    for pair in query.split('&') {
        ledger = match pair.split_once('=') {
            Some(("model", model)) => ledger.of_model(model),
            Some(("tenant", tenant)) => ledger.of_tenant(tenant),
            _ => ledger,
        };
    }
    ledger.to_json()
}

fn models() -> Value {
    let model = |(name, _): &(&str, _)| json!({"id": name, "object": "model", "created": 0, "owned_by": "simulated"});
    json!({"object": "list", "data": ledger::PRICES.iter().map(model).collect::<Vec<_>>()})
}

async fn chat(request: Request<Incoming>, books: &Books, rst: Arc<AtomicBool>) -> io::Result<Response<Playback>> {
    let (head, body) = request.into_parts();
    let mut bill = books.open(Entry {
        tenant: text(&head.headers, "x-tenant-id"),
        request_id: text(&head.headers, "x-request-id"),
        ..Entry::default()
    });
    let body = match Limited::new(body, MOST_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(refuse(bill, &Refusal::new(413, "the body is too large")));
        }
        // The client broke off; the bill ends as abandoned.
        Err(error) => return Err(io::Error::other(error)),
    };
    let sim: Vec<&str> = head.headers.get_all("x-sim").iter().filter_map(|value| value.to_str().ok()).collect();
    let chat = match Chat::read(&body, &sim) {
        Ok(chat) => chat,
        Err(refusal) => return Ok(refuse(bill, &refusal)),
    };
    bill.write(|entry| {
        entry.model = chat.model.clone();
        entry.stream = chat.stream;
        entry.output_bound = chat.output_bound;
        entry.include_usage = chat.include_usage;
    });

    let knobs = &chat.knobs;
    let rst = knobs.rst.then_some(rst);
    let waited = knobs.delay_ms + if knobs.hang { knobs::LONGEST_MS } else { 0 };
    if waited > 0 {
        tokio::time::sleep(Duration::from_millis(waited)).await;
    }
    if knobs.reset || knobs.hang {
        bill.end(Ending::Reset, false);
        if let Some(rst) = rst {
            rst.store(true, Ordering::Relaxed);
        }
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    if let Some(status) = knobs.status {
        let refusal = Refusal::new(status, format!("the simulated provider answers {status}, as it was asked to"));
        return Ok(refuse(bill, &Refusal { retry_after: knobs.retry_after, ..refusal }));
    }
    Ok(answer(chat, bill, rst, &head.headers))
}

/// The 2xx answer: from here on the request is billed.
fn answer(chat: Chat, bill: Bill, rst: Option<Arc<AtomicBool>>, asked: &HeaderMap) -> Response<Playback> {
    let gzip = match chat.knobs.gzip {
        Gzip::Never => false,
        Gzip::Always => true,
        Gzip::Asked => text(asked, "accept-encoding").is_some_and(|accepted| accepted.contains("gzip")),
    };
    let chat = Arc::new(chat);
    let (steps, length, completion, kind) = if chat.stream {
        let (steps, length) = script::streamed(&chat, gzip);
        (steps, length, 0, "text/event-stream; charset=utf-8")
    } else {
        let (body, completion) = chat.whole();
        let (steps, length) = script::whole(body, &chat.knobs, gzip);
        (steps, (!chat.knobs.chunked).then_some(length), completion, "application/json")
    };
    bill.write(|entry| {
        entry.status = 200;
        entry.prompt_tokens = chat.prompt_tokens();
        entry.cached_tokens = chat.cached_tokens();
        entry.completion_tokens = completion;
    });
    let mut response = Response::new(Playback::new(steps, length).billed(bill).breaking(rst));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if chat.stream {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let Some(seconds) = chat.knobs.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn refuse(mut bill: Bill, refusal: &Refusal) -> Response<Playback> {
    bill.refuse(refusal.status);
    refused(refusal)
}

fn refused(refusal: &Refusal) -> Response<Playback> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, "application/json", refusal.to_json().to_string());
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn told(value: &Value) -> Response<Playback> {
    reply(StatusCode::OK, "application/json", value.to_string())
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response<Playback> {
    let length = body.len() as u64;
    let mut response = Response::new(Playback::new(script::plain(body.into_bytes()), Some(length)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
