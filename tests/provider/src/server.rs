//! From a connection to its answers: who is asked, which faults come first, what is billed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::api::Api;
use crate::books::{Bill, Books};
use crate::knobs::{self, Gzip};
use crate::ledger::{Ending, Entry, Ledger};
use crate::playback::Playback;
use crate::refusal::Refusal;
use crate::request::Asked;
use crate::wire::Wire;
use crate::{script, stream, unbilled};

const MOST_REQUEST_BYTES: usize = 64 << 20;
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What all connections share.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub books: Books,
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, setup: Setup) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(Wire::new(socket), setup.clone()))),
            // Out of file descriptors, most likely: they come back as connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(wire: Wire, setup: Setup) {
    let rst = wire.rst();
    let service = service_fn(move |request| respond(request, setup.clone(), rst.clone()));
    // An error here is a client that left or a break that was asked for; the ledger has both.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(wire), service).await;
}

async fn respond(request: Request<Incoming>, setup: Setup, rst: Arc<AtomicBool>) -> io::Result<Response<Playback>> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let sims: Vec<&str> = head.headers.get_all("x-sim").iter().filter_map(|value| value.to_str().ok()).collect();
    match (&head.method, path) {
        (&Method::GET, "/ledger") => return Ok(told(&filtered(setup.books.read(), query))),
        (&Method::DELETE, "/ledger") => return Ok(told(&json!({"cleared": setup.books.clear()}))),
        (&Method::GET, "/knobs") => return Ok(reply(StatusCode::OK, "text/plain; charset=utf-8", knobs::explained())),
        (&Method::GET, "/health") => return Ok(told(&json!({"status": "ok"}))),
        _ => {}
    }
    let api = Api::of(path).filter(|_| head.method == Method::POST);
    let Some(api) = api else {
        let body = Limited::new(body, MOST_REQUEST_BYTES).collect().await.map_err(io::Error::other)?;
        return Ok(match unbilled::answer(&head.method, path, &body.to_bytes()) {
            Some(Ok(answer)) => told(&answer),
            Some(Err(refusal)) => refused(&refusal, unbilled::api_of(path)),
            None => refused(&Refusal::new(404, format!("there is no {} {path}", head.method)), None),
        });
    };

    let mut bill = setup.books.open(Entry {
        api: Some(api),
        tenant: text(&head.headers, "x-tenant-id"),
        request_id: text(&head.headers, "x-request-id"),
        ..Entry::default()
    });
    let body = match Limited::new(body, MOST_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(refuse(bill, &Refusal::new(413, "the body is too large"), Some(api)));
        }
        // The client broke off; the bill ends as abandoned.
        Err(error) => return Err(io::Error::other(error)),
    };
    let answer = match Asked::read(path, query, &body).and_then(|asked| Answer::to(api, &asked, &sims)) {
        Ok(answer) => Arc::new(answer),
        Err(refusal) => return Ok(refuse(bill, &refusal, Some(api))),
    };
    bill.write(|entry| {
        entry.model = answer.model.clone();
        entry.stream = answer.stream;
        entry.output_bound = answer.output_bound;
        entry.include_usage = answer.include_usage;
    });

    let knobs = &answer.knobs;
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
        return Ok(refuse(bill, &Refusal { retry_after: knobs.retry_after, ..refusal }, Some(api)));
    }
    Ok(generated(&answer, bill, rst, &head.headers))
}

/// The answer itself: from here on the request is billed.
fn generated(
    answer: &Arc<Answer>,
    mut bill: Bill,
    rst: Option<Arc<AtomicBool>>,
    asked: &HeaderMap,
) -> Response<Playback> {
    let gzip = match answer.knobs.gzip {
        Gzip::Never => false,
        Gzip::Always => true,
        Gzip::Asked => text(asked, "accept-encoding").is_some_and(|accepted| accepted.contains("gzip")),
    };
    let (steps, length, completion, kind) = if answer.stream {
        let (steps, length) = stream::streamed(answer, gzip);
        (steps, length, 0, answer.framing.content_type())
    } else {
        let (body, completion) = answer.whole();
        let (steps, length) = script::whole(body, &answer.knobs, gzip);
        (steps, (!answer.knobs.chunked).then_some(length), completion, "application/json")
    };
    bill.reasoning(answer.reasoning());
    bill.write(|entry| answer.bill(entry));
    bill.generated(completion);
    let mut response = Response::new(Playback::new(steps, length).billed(bill).breaking(rst));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if answer.stream {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let Some(seconds) = answer.knobs.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// `model=`, `tenant=` and `api=` narrow the entries and their sum.
fn filtered(mut ledger: Ledger, query: &str) -> Value {
    for pair in query.split('&') {
        ledger = match pair.split_once('=') {
            Some(("model", model)) => ledger.of_model(model),
            Some(("tenant", tenant)) => ledger.of_tenant(tenant),
            Some(("api", api)) => ledger.only(|entry| entry.api.is_some_and(|it| it.name() == api)),
            _ => ledger,
        };
    }
    ledger.to_json()
}

fn refuse(mut bill: Bill, refusal: &Refusal, api: Option<Api>) -> Response<Playback> {
    bill.refuse(refusal.status);
    refused(refusal, api)
}

fn refused(refusal: &Refusal, api: Option<Api>) -> Response<Playback> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, "application/json", refusal.to_json(api).to_string());
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if api == Some(Api::Converse) {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(refusal.exception_at_aws()));
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
