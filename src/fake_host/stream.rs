//! Drives the filter as Envoy does: one plugin, its streams, and what comes out at their two ends.

use super::abi;
use super::allocations::Phase;
use super::{HOST, Host, with};
use proxy_wasm::types::{Action, MapType};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names in lower case, repeated ones as often as they came.
pub type Headers = Vec<(String, Vec<u8>)>;

/// Contexts are numbered for the whole process: tests may share a thread, and with it the SDK's state.
static NEXT_CONTEXT: AtomicU32 = AtomicU32::new(1);

fn new_context() -> u32 {
    NEXT_CONTEXT.fetch_add(1, Ordering::Relaxed)
}

/// A message as it left the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Seen {
    /// The only value of a header; `None` if it is missing.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.iter().filter(|(known, _)| known == name).collect();
        assert!(values.len() <= 1, "{name} is repeated");
        values.first().map(|(_, value)| std::str::from_utf8(value).expect("UTF-8"))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }
}

/// One direction of a stream.
#[derive(Default)]
pub(super) struct Side {
    pub(super) headers: Headers,
    /// The filter may look at the headers: they came just now, or are held.
    pub(super) headers_open: bool,
    pub(super) buffer: Vec<u8>,
    pub(super) body_open: bool,
    /// What went on to the other end.
    passed: Option<Seen>,
}

impl Side {
    /// The filter said `Continue`: everything that was held goes on.
    fn pass(&mut self) {
        let passed = self.passed.get_or_insert_with(|| Seen { headers: self.headers.clone(), body: Vec::new() });
        passed.body.append(&mut self.buffer);
        self.headers_open = false;
        self.body_open = false;
    }
}

#[derive(Default)]
pub(super) struct Passing {
    pub(super) request: Side,
    /// Behind the body of the request; they have none of their own.
    pub(super) trailers: Side,
    pub(super) answer_trailers: Side,
    pub(super) answer: Side,
    /// By their path, joined by dots.
    pub(super) attributes: BTreeMap<String, Vec<u8>>,
    /// Everything that was written, in order, by key.
    pub(super) filter_state: BTreeMap<String, Vec<Vec<u8>>>,
    pub(super) replies: Vec<Seen>,
    pub(super) logging: bool,
    /// The filter has closed it.
    pub(super) closed: bool,
}

impl Passing {
    pub(super) fn side(&mut self, map: MapType) -> &mut Side {
        match map {
            MapType::HttpRequestHeaders => &mut self.request,
            MapType::HttpRequestTrailers => &mut self.trailers,
            MapType::HttpResponseHeaders => &mut self.answer,
            MapType::HttpResponseTrailers => &mut self.answer_trailers,
            other => panic!("{other:?} is not part of the test host"),
        }
    }
}

/// The plugin on one worker: a root context for each configuration that was accepted, the newest last.
pub struct Gateway {
    roots: RefCell<Vec<u32>>,
}

impl Gateway {
    /// A new Envoy, without a configuration.
    pub fn start() -> Self {
        static ONCE: Once = Once::new();
        HOST.set(Host::new());
        // The SDK's first start is not made for threads, and takes the panics of failing tests to the log.
        ONCE.call_once(|| {
            let print = panic::take_hook();
            crate::_initialize();
            panic::set_hook(Box::new(move |panic| {
                // Captured output is lost when a panic in a callback aborts the process.
                if active() != 0 {
                    let _ = writeln!(std::io::stderr(), "in a callback: {panic}");
                }
                print(panic);
            }));
        });
        crate::_initialize();
        Self { roots: RefCell::default() }
    }

    /// A new Envoy with this configuration, which must be accepted.
    pub fn configured(configuration: &serde_json::Value) -> Self {
        let gateway = Self::start();
        let accepted = gateway.configure(configuration.to_string().as_bytes());
        assert!(accepted, "{:?}", with(|host| host.log.clone()));
        gateway
    }

    /// Another worker of the same Envoy, with this configuration.
    pub fn beside(configuration: &serde_json::Value) -> Self {
        let gateway = Self { roots: RefCell::default() };
        assert!(gateway.configure(configuration.to_string().as_bytes()), "{:?}", with(|host| host.log.clone()));
        gateway
    }

    /// Whether the filter accepted it. Then new streams begin with it, and the ones before keep theirs.
    pub fn configure(&self, configuration: &[u8]) -> bool {
        let root = new_context();
        with(|host| host.configuration = configuration.to_vec());
        abi::proxy_on_context_create(root, 0);
        let accepted = in_context(root, || abi::proxy_on_configure(root, configuration.len()));
        if accepted {
            self.roots.borrow_mut().push(root);
        } else {
            delete(root);
        }
        accepted
    }

    /// The last stream of the configurations before the newest is gone, and they with it.
    pub fn drained(&self) {
        let mut roots = self.roots.borrow_mut();
        let newest = roots.pop().expect("a configuration");
        roots.drain(..).for_each(delete);
        roots.push(newest);
    }

    /// The time has come that the filter asked for.
    pub fn tick(&self) {
        assert!(with(|host| host.tick_milliseconds).is_some(), "no ticks were asked for");
        for root in self.roots.borrow().iter().copied() {
            in_context(root, || abi::proxy_on_tick(root));
        }
    }

    /// Question `number` is answered, or with `None` its time is up. Envoy says nothing to a context that is gone.
    pub fn answer_call(&self, number: u32, said: Option<(u16, &[u8])>) {
        let question = with(|host| host.questions.remove(&number)).expect("a question under way");
        let seen = said.map(|(status, body)| Seen {
            headers: vec![(":status".to_owned(), status.to_string().into_bytes())],
            body: body.to_vec(),
        });
        let count = seen.as_ref().map_or(0, |seen| seen.headers.len());
        let size = seen.as_ref().map_or(0, |seen| seen.body.len());
        with(|host| host.said = seen);
        in_context(question.context, || {
            abi::proxy_on_http_call_response(question.context, number, count, size, 0);
        });
        with(|host| host.said = None);
    }

    /// A stream whose route leads to the cluster `provider`.
    pub fn stream(&self) -> Stream {
        let root = *self.roots.borrow().last().expect("a configuration");
        let stream = Stream { id: new_context() };
        with(|host| host.streams.insert(stream.id, Passing::default()));
        in_context(stream.id, || abi::proxy_on_context_create(stream.id, root));
        stream.attribute("xds.cluster_name", b"provider");
        stream
    }
}

fn delete(context: u32) {
    let done = in_context(context, || {
        let done = abi::proxy_on_done(context);
        abi::proxy_on_delete(context);
        done
    });
    assert!(done, "the context would stay alive for ever");
    with(|host| host.questions.retain(|_, question| question.context != context));
}

/// 0 outside of callbacks, and where the host is borrowed or gone.
fn active() -> u32 {
    HOST.try_with(|host| host.try_borrow().map_or(0, |host| host.active)).unwrap_or(0)
}

fn in_context<T>(context: u32, callback: impl FnOnce() -> T) -> T {
    with(|host| host.active = context);
    let filter = Phase::of_the_filter();
    let answer = callback();
    drop(filter);
    with(|host| host.active = 0);
    answer
}

/// One request and its answer. Each call is one callback of the filter, and what Envoy does about its answer.
pub struct Stream {
    id: u32,
}

impl Stream {
    fn passing<T>(&self, look: impl FnOnce(&mut Passing) -> T) -> T {
        with(|host| look(host.streams.get_mut(&self.id).expect("a stream until it is deleted")))
    }

    pub fn attribute(&self, path: &str, value: &[u8]) {
        self.passing(|stream| stream.attributes.insert(path.to_owned(), value.to_vec()));
    }

    /// Integers are eight bytes, the lowest first.
    pub fn number(&self, path: &str, value: u64) {
        self.attribute(path, &value.to_le_bytes());
    }

    /// The latest that was written under this name, by any filter of the stream.
    pub fn state(&self, name: &str) -> Option<String> {
        let latest = self.passing(|stream| stream.filter_state.get(name)?.last().cloned());
        latest.map(|state| String::from_utf8(state).expect("UTF-8"))
    }

    /// Another filter of the stream writes.
    pub fn set_state(&self, name: &str, value: &str) {
        self.passing(|stream| stream.filter_state.entry(name.to_owned()).or_default().push(value.into()));
    }

    pub fn request_headers<V: AsRef<[u8]>>(&self, headers: &[(&str, V)], end: bool) -> Action {
        let count = self.passing(|stream| {
            let lower = |(name, value): &(&str, V)| (name.to_ascii_lowercase(), value.as_ref().to_vec());
            stream.request.headers = headers.iter().map(lower).collect();
            stream.request.headers_open = true;
            headers.len()
        });
        self.requested(|id| abi::proxy_on_request_headers(id, count, end))
    }

    /// What is held is shown again, with the new bytes behind it.
    pub fn request_body(&self, bytes: &[u8], end: bool) -> Action {
        let size = self.passing(|stream| {
            assert!(stream.replies.is_empty(), "nothing more is read once a reply was sent");
            stream.request.buffer.extend(bytes);
            stream.request.body_open = true;
            stream.request.buffer.len()
        });
        self.requested(|id| abi::proxy_on_request_body(id, size, end))
    }

    /// What Envoy holds of the request's body.
    pub fn held(&self) -> usize {
        self.passing(|stream| stream.request.buffer.len())
    }

    pub fn request_trailers(&self) -> Action {
        self.request_trailers_of(&["grpc-status"])
    }

    /// Of these names.
    pub fn request_trailers_of(&self, names: &[&str]) -> Action {
        self.passing(|stream| {
            stream.trailers.headers = names.iter().map(|name| ((*name).to_owned(), b"1".to_vec())).collect();
            stream.trailers.headers_open = true;
        });
        self.requested(|id| abi::proxy_on_request_trailers(id, names.len()))
    }

    /// How many of the request's trailers are left.
    pub fn trailers_left(&self) -> usize {
        self.passing(|stream| stream.trailers.headers.len())
    }

    fn requested(&self, callback: impl FnOnce(u32) -> Action) -> Action {
        let action = in_context(self.id, || callback(self.id));
        if let Some(reply) = self.reply() {
            self.replied(reply);
        } else if action == Action::Continue {
            self.passing(|stream| stream.request.pass());
        }
        action
    }

    /// The filter's own reply comes past it like any answer, but without details of where it was made.
    fn replied(&self, Seen { headers, body }: Seen) {
        self.answer(headers, body.is_empty());
        if !body.is_empty() {
            self.answer_body(&body, true);
        }
    }

    /// The head of the provider's answer, `:status` among its headers.
    pub fn answer_headers(&self, headers: &[(&str, &str)], end: bool) -> Action {
        self.attribute("response.code_details", b"via_upstream");
        self.attribute("upstream.address", b"127.0.0.1:8080");
        let first = 1_u64.to_le_bytes().to_vec();
        self.passing(|stream| {
            stream.attributes.entry("upstream.request_attempt_count".to_owned()).or_insert(first);
        });
        self.answer(headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(), end)
    }

    /// An answer that Envoy makes in the provider's stead.
    pub fn answer_by_envoy(&self, status: u16, details: &str) {
        self.answer_by_envoy_with(status, details, &[]);
    }

    /// With what one of its filters adds.
    pub fn answer_by_envoy_with(&self, status: u16, details: &str, more: &[(&str, &str)]) {
        self.attribute("response.code_details", details.as_bytes());
        let status = status.to_string();
        let headers = [&[(":status", &*status), ("content-type", "text/plain")], more].concat();
        self.answer(
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
            false,
        );
        self.answer_body(b"no healthy upstream", true);
    }

    fn answer(&self, headers: Headers, end: bool) -> Action {
        let count = headers.len();
        let status = headers.iter().find(|(name, _)| name == ":status").expect("a status").1.clone();
        self.number("response.code", String::from_utf8(status).expect("digits").parse().expect("digits"));
        self.passing(|stream| {
            stream.answer.headers = headers;
            stream.answer.headers_open = true;
        });
        self.answered(|id| abi::proxy_on_response_headers(id, count, end))
    }

    pub fn answer_body(&self, bytes: &[u8], end: bool) -> Action {
        let size = self.passing(|stream| {
            assert!(!stream.closed, "nothing more comes of a stream that is closed");
            stream.answer.buffer.extend(bytes);
            stream.answer.body_open = true;
            stream.answer.buffer.len()
        });
        self.answered(|id| abi::proxy_on_response_body(id, size, end))
    }

    /// Whether the filter has closed both of its ends.
    pub fn is_closed(&self) -> bool {
        self.passing(|stream| stream.closed)
    }

    /// An answer with trailers has no last byte either.
    pub fn answer_trailers(&self) -> Action {
        self.answer_trailers_of(&["grpc-status"])
    }

    /// Of these names.
    pub fn answer_trailers_of(&self, names: &[&str]) -> Action {
        self.passing(|stream| {
            stream.answer_trailers.headers = names.iter().map(|name| ((*name).to_owned(), b"1".to_vec())).collect();
            stream.answer_trailers.headers_open = true;
        });
        self.answered(|id| abi::proxy_on_response_trailers(id, 1))
    }

    /// How many of the answer's trailers are left.
    pub fn answer_trailers_left(&self) -> usize {
        self.passing(|stream| stream.answer_trailers.headers.len())
    }

    fn answered(&self, callback: impl FnOnce(u32) -> Action) -> Action {
        let before = self.reply();
        let action = in_context(self.id, || callback(self.id));
        if let (None, Some(Seen { headers, body })) = (before, self.reply()) {
            // In the place of an answer it comes past no filter.
            let status = headers.iter().find(|(name, _)| name == ":status").expect("a status").1.clone();
            self.number("response.code", String::from_utf8(status).expect("digits").parse().expect("digits"));
            self.passing(|stream| {
                (stream.answer.headers, stream.answer.buffer) = (headers, body);
                stream.answer.pass();
            });
        } else if action == Action::Continue {
            self.passing(|stream| stream.answer.pass());
        }
        action
    }

    pub fn log(&self) {
        self.passing(|stream| stream.logging = true);
        in_context(self.id, || abi::proxy_on_log(self.id));
        self.passing(|stream| stream.logging = false);
    }

    /// The stream is over; what became of it can still be looked at.
    pub fn end(&self) {
        self.log();
        delete(self.id);
    }

    /// The stream is gone without a word: its context is deleted, and nothing was logged.
    pub fn drop_silently(&self) {
        delete(self.id);
    }

    /// What reached the provider.
    pub fn upstream(&self) -> Option<Seen> {
        self.passing(|stream| stream.request.passed.clone())
    }

    /// What reached the client.
    pub fn client(&self) -> Option<Seen> {
        self.passing(|stream| stream.answer.passed.clone())
    }

    /// The filter's own reply; it never sends two.
    pub fn reply(&self) -> Option<Seen> {
        self.passing(|stream| {
            assert!(stream.replies.len() <= 1, "replied twice");
            stream.replies.first().cloned()
        })
    }

    /// The record for the access log, if there is one; there are never two.
    pub fn record(&self) -> Option<serde_json::Value> {
        self.passing(|stream| {
            let records = stream.filter_state.get("nexus_record").map_or(&[][..], Vec::as_slice);
            assert!(records.len() <= 1, "said twice");
            records.first().map(|record| serde_json::from_slice(record).expect("a record of JSON"))
        })
    }
}
