//! From a connection to its answers: who is asked, which faults come first, what is billed.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::sync::Notify;

use crate::answer::Answer;
use crate::api::Api;
use crate::books::{Bill, Books};
use crate::corpus::Case;
use crate::knobs::{self, Gzip, Knobs};
use crate::ledger::{Ending, Entry, Ledger};
use crate::playback::Playback;
use crate::prompts::Prompts;
use crate::refusal::Refusal;
use crate::request::Asked;
use crate::shelf::Shelf;
use crate::wire::Wire;
use crate::{script, stream, unbilled};

/// Names the folder with the cases of the corpus.
pub const CASES: &str = "PROVIDER_CASES";

/// Where a client's key may stand.
const KEYS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

const MOST_REQUEST_BYTES: usize = 64 << 20;
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What all connections share.
#[derive(Clone, Debug)]
pub struct Setup {
    pub books: Books,
    /// What requests may point at.
    pub shelf: Shelf,
    /// What it has read.
    pub prompts: Prompts,
    /// Where the cases are that `case` can play.
    pub cases: Option<PathBuf>,
    /// Knobs of every request that doesn't turn them itself.
    pub manners: Manners,
    /// For the answers that are held.
    pub released: Arc<Notify>,
}

/// How the provider as a whole behaves just now: knobs, which a test may turn while it runs.
#[derive(Clone, Debug, Default)]
pub struct Manners(Arc<Mutex<String>>);

impl Manners {
    /// # Panics
    /// If there is no such knob.
    pub fn turn(&self, knobs: &str) {
        Knobs::read([knobs]).expect("knobs");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = knobs.to_owned();
    }

    fn now(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            books: Books::default(),
            shelf: Shelf::default(),
            prompts: Prompts::default(),
            cases: std::env::var_os(CASES).map(PathBuf::from),
            manners: Manners::default(),
            released: Arc::default(),
        }
    }
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
    let manners = setup.manners.now();
    let own = head.headers.get_all("x-sim").iter().filter_map(|value| value.to_str().ok());
    let sims: Vec<&str> = [manners.as_str()].into_iter().chain(own).collect();
    match (&head.method, path) {
        (&Method::GET, "/ledger") => return Ok(told(&filtered(setup.books.read(), query))),
        (&Method::DELETE, "/ledger") => return Ok(told(&json!({"cleared": setup.books.clear()}))),
        (&Method::GET, "/knobs") => return Ok(reply(StatusCode::OK, "text/plain; charset=utf-8", knobs::explained())),
        (&Method::GET, "/health") => return Ok(told(&json!({"status": "ok"}))),
        _ => {}
    }
    let api = Api::of(path).filter(|_| head.method == Method::POST);
    if api.is_none() && !asks_for_a_case(&sims) {
        let body = Limited::new(body, MOST_REQUEST_BYTES).collect().await.map_err(io::Error::other)?;
        return Ok(match unbilled::answer(&head.method, path, &body.to_bytes()) {
            Some(Ok(answer)) => told(&answer),
            Some(Err(refusal)) => refused(&refusal, unbilled::api_of(path)),
            None => refused(&Refusal::new(404, format!("there is no {} {path}", head.method)), None),
        });
    }

    let mut bill = setup.books.open(Entry {
        api,
        tenant: text(&head.headers, "x-tenant-id"),
        request_id: text(&head.headers, "x-request-id"),
        path: path.to_owned(),
        keys: KEYS.iter().filter_map(|name| Some((*name, text(&head.headers, name)?))).collect(),
        ..Entry::default()
    });
    let body = match Limited::new(body, MOST_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(refuse(bill, &Refusal::new(413, "the body is too large"), api));
        }
        // The client broke off; the bill ends as abandoned.
        Err(error) => return Err(io::Error::other(error)),
    };
    let mut work = match Work::read(api, path, query, &body, &sims, &setup) {
        Ok(work) => work,
        Err(refusal) => return Ok(refuse(bill, &refusal, api)),
    };
    work.enter(&bill);

    let knobs = work.knobs();
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
        return Ok(refuse(bill, &Refusal { retry_after: knobs.retry_after, ..refusal }, api));
    }
    if let Work::Generate(answer) = &mut work {
        if answer.knobs.prompt_cache {
            let met = setup.prompts.meet(&answer.beginnings);
            Arc::make_mut(answer).knobs.cached = met;
        }
        setup.shelf.keep(answer.id("resp_"), answer.prompt_tokens.saturating_add(answer.completion_tokens()));
    }
    let mut response = work.respond(bill, rst, &head.headers);
    response.body_mut().hold_until(Arc::clone(&setup.released));
    Ok(response)
}

/// Such a request may come under any path.
fn asks_for_a_case(sims: &[&str]) -> bool {
    Knobs::read(sims.iter().copied()).is_ok_and(|knobs| knobs.case.is_some())
}

/// What is to be done for a request.
enum Work {
    Generate(Arc<Answer>),
    /// Of the request behind it there may be nothing that can be read.
    Play {
        case: Box<Case>,
        knobs: Box<Knobs>,
        unheard: Option<Box<Answer>>,
    },
}

impl Work {
    fn read(
        api: Option<Api>,
        path: &str,
        query: &str,
        body: &[u8],
        sims: &[&str],
        setup: &Setup,
    ) -> Result<Self, Refusal> {
        let answer = api.map(|api| {
            let asked = Asked::read(path, query, body)?;
            let mut answer = Answer::to(api, &asked, sims)?;
            answer.prompt_tokens = answer.prompt_tokens.saturating_add(setup.shelf.hidden_in(&asked.body));
            Ok(answer)
        });
        let knobs = match &answer {
            Some(Ok(answer)) => answer.knobs.clone(),
            _ => Knobs::read(sims.iter().copied())?,
        };
        let Some(name) = &knobs.case else {
            let nobody = || Refusal::new(404, format!("there is no {path}"));
            return Ok(Self::Generate(Arc::new(answer.ok_or_else(nobody)??)));
        };
        let no_corpus = || Refusal::new(404, format!("no corpus to play `{name}` from: {CASES} names none"));
        let case = Case::read(setup.cases.as_deref().ok_or_else(no_corpus)?, name)?;
        let unheard = answer.and_then(Result::ok).map(Box::new);
        Ok(Self::Play { case: Box::new(case), knobs: Box::new(knobs), unheard })
    }

    fn knobs(&self) -> &Knobs {
        match self {
            Self::Generate(answer) => &answer.knobs,
            Self::Play { knobs, .. } => knobs,
        }
    }

    /// What the ledger keeps of the request, whatever becomes of it.
    fn enter(&self, bill: &Bill) {
        let answer = match self {
            Self::Generate(answer) => answer.as_ref(),
            Self::Play { unheard: Some(answer), .. } => answer,
            Self::Play { unheard: None, .. } => return,
        };
        bill.write(|entry| {
            entry.model = answer.model.clone();
            entry.stream = answer.stream;
            entry.output_bound = answer.output_bound;
            entry.include_usage = answer.include_usage;
        });
    }

    /// The answer itself: from here on the request is billed.
    fn respond(self, bill: Bill, rst: Option<Arc<AtomicBool>>, asked: &HeaderMap) -> Response<Playback> {
        let gzip = match self.knobs().gzip {
            Gzip::Never => false,
            Gzip::Always => true,
            Gzip::Asked => text(asked, "accept-encoding").is_some_and(|accepted| accepted.contains("gzip")),
        };
        let Knobs { retry_after, failed, .. } = *self.knobs();
        let mut response = match self {
            Self::Generate(answer) => generated(&answer, bill, gzip),
            Self::Play { case, knobs, .. } => played(*case, bill, &knobs, gzip),
        };
        response.body_mut().break_by(rst);
        if let Some(failed) = failed.and_then(|code| StatusCode::from_u16(code).ok()) {
            *response.status_mut() = failed;
        }
        let headers = response.headers_mut();
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn generated(answer: &Arc<Answer>, mut bill: Bill, gzip: bool) -> Response<Playback> {
    let (steps, length, completion, kind) = if answer.stream {
        let (steps, length) = stream::streamed(answer, gzip);
        (steps, length, 0, answer.framing.content_type())
    } else {
        let (body, completion) = answer.whole();
        let (steps, length) = script::whole(body, &answer.knobs, gzip);
        let kind = if answer.api == Api::Speech { "audio/mpeg" } else { "application/json" };
        (steps, (!answer.knobs.chunked).then_some(length), completion, kind)
    };
    bill.reasoning(answer.reasoning());
    bill.write(|entry| answer.bill(entry));
    bill.generated(completion);
    let mut response = Response::new(Playback::new(steps, length).billed(bill));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if answer.stream {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

fn played(case: Case, bill: Bill, knobs: &Knobs, gzip: bool) -> Response<Playback> {
    bill.write(|entry| case.bill(entry));
    let chunked = knobs.chunked || case.stream && !knobs.content_length;
    let (steps, length) = script::whole(case.body, knobs, gzip);
    let mut response = Response::new(Playback::new(steps, (!chunked).then_some(length)).billed(bill));
    *response.status_mut() = case.status;
    *response.headers_mut() = case.headers;
    response
}

/// `model=`, `tenant=`, `api=` and `case=` narrow the entries and their sum.
fn filtered(mut ledger: Ledger, query: &str) -> Value {
    for pair in query.split('&') {
        ledger = match pair.split_once('=') {
            Some(("model", model)) => ledger.of_model(model),
            Some(("tenant", tenant)) => ledger.of_tenant(tenant),
            Some(("api", api)) => ledger.only(|entry| entry.api.is_some_and(|it| it.name() == api)),
            Some(("case", case)) => ledger.of_case(case),
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
