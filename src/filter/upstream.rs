//! One attempt at a provider: Envoy's callbacks in a provider's cluster, once per attempt.
//!
//! Header changes of one attempt are still there in the next, so every attempt sets what it needs anew; the body is the
//! client's own each time. `on_log` is never called here.

use crate::attempt::blame::OWN_FAILURE;
use crate::attempt::{self, Attempt, Begun, Failed};
use crate::exchange;
use crate::forward::answers;
use crate::host::{attributes, blame, clock, filter_state, http, lines};
use crate::llm::meter::Meter;
use crate::llm::request;
use crate::llm::schema::Dialect;
use crate::outcome::{Outcome, Rejection};
use log::Level;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType};
use std::rc::Rc;

/// How much of a failed answer is waited for: errors are short, and what is longer tells no usage.
const LONGEST_ERROR: usize = 64 * 1024;

pub struct Upstream {
    provider: Rc<str>,
    /// Until its edits are made.
    attempt: Option<Attempt>,
    edited: bool,
    /// Envoy's mirror has still to read where a copy goes: the head waits for the body, and loses that then.
    copied: bool,
    answered: bool,
    failing: Option<Failing>,
}

/// An answer that Envoy may discard, held until what it cost is known.
struct Failing {
    number: u64,
    status: u64,
    meter: Box<Meter>,
    read: usize,
}

impl Upstream {
    pub const fn new(provider: Rc<str>) -> Self {
        Self { provider, attempt: None, edited: false, copied: false, answered: false, failing: None }
    }

    /// Notes a failure, by which its tenant is no witness any more. Whether it is the request's own: it failed at another provider
    /// before, or others are served well here.
    fn note_failure(&self, attempt: &Attempt) -> bool {
        let failed_elsewhere = filter_state::failed()
            .iter()
            .filter(|failed| failed.given_up.is_none())
            .any(|failed| failed.provider != *self.provider && failed.refused.is_none_or(|status| status == 429));
        let own = |tenant| blame::failed(&self.provider, tenant, clock::now());
        failed_elsewhere || attempt.tenant.is_some_and(own)
    }

    /// Makes the edits, once what they reach into is there.
    fn edit(&mut self) {
        if let Some(attempt) = self.attempt.as_ref().filter(|_| !self.edited) {
            let prefix = http::body(BufferType::HttpRequestBody, 0, attempt.reach());
            http::replace(BufferType::HttpRequestBody, prefix.len(), &request::spliced(&prefix, &attempt.leg.edits));
            self.edited = true;
        }
    }

    /// The provider learns of no copy.
    fn forget_copy(&mut self) {
        if std::mem::take(&mut self.copied) {
            http::remove_request_header(exchange::MIRROR);
        }
    }

    fn note(&mut self) {
        if let Some(Failing { number, status, meter, .. }) = self.failing.take() {
            filter_state::add_failed(&Failed::of(number, &self.provider, status, Some(meter.read())).line());
        }
    }
}

impl Context for Upstream {
    /// An attempt that ends without an answer was given up, if its provider had it: whoever hangs up bills nothing. Which
    /// attempt comes next, or whether the client has left, the exchange knows.
    fn on_done(&mut self) -> bool {
        if self.attempt.is_some() && !self.answered && attributes::is_connected() && !attributes::was_hung_up() {
            let failed = Failed::given_up(attributes::attempts(), &self.provider, clock::now());
            filter_state::add_failed(&failed.line());
        }
        true
    }
}

impl HttpContext for Upstream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let plan = filter_state::plan();
        let Some(attempt) = plan.as_deref().and_then(|plan| Attempt::of(plan, &self.provider)) else {
            lines::say(
                Level::Error,
                "no_plan",
                format_args!(
                    "a request came to the cluster of {} that the listener's filter didn't send there, and is refused: its route \
                     must lead there by `priority_group`, and `attempt_of` must name this provider as `providers` does",
                    self.provider
                ),
            );
            let message = "The gateway does not send this request to this provider.";
            http::reply(&Rejection::plain(Outcome::ModelNotAllowed, message).in_dialect(Dialect::OpenAi, ""));
            return Action::Pause;
        };
        let number = attributes::attempts();
        if number > 1 {
            filter_state::add_begun(Begun { number, at: clock::now() });
        }
        // What an earlier attempt was given for its provider is still there, and is not for this one. Its own key is put in
        // behind this filter.
        let headers = http::request_headers();
        let mut cut = attempt.cut(&headers);
        self.copied = !end_of_stream && headers.get(exchange::MIRROR).is_some();
        if self.copied {
            cut.remove.retain(|name| name != exchange::MIRROR);
        }
        http::cut(&cut);
        if headers.get(":path") != Some(attempt.leg.path.as_bytes()) {
            http::set_request_header(":path", &attempt.leg.path);
        }
        // Chunked, or HTTP/2 without one: the framing tells the length.
        if headers.get("content-length").is_some() {
            http::set_request_header("content-length", &attempt.leg.length.to_string());
        }
        self.edited = attempt.leg.edits.is_empty();
        self.attempt = Some(attempt);
        if self.copied { Action::Pause } else { Action::Continue }
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        let lacks = |attempt: &Attempt| !self.edited && buffered < attempt.reach();
        if !end_of_stream && (self.copied || self.attempt.as_ref().is_some_and(lacks)) {
            return Action::Pause;
        }
        self.edit();
        self.forget_copy();
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.edit();
        self.forget_copy();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.answered = true;
        let Some(attempt) = &self.attempt else { return Action::Continue };
        let headers = http::response_headers();
        for (name, _) in headers.iter().filter(|(name, _)| answers::speaks_to_envoy(name)) {
            http::remove_response_header(&String::from_utf8_lossy(name));
        }
        let status = headers.number(":status").unwrap_or(0);
        if !attempt::may_be_retried(status) {
            return Action::Continue;
        }
        let nth = attributes::attempts();
        // What a provider says of that itself counts for nothing.
        if matches!(status, 429 | 500..) && self.note_failure(attempt) {
            http::set_response_header(&headers, OWN_FAILURE, "1");
        } else if headers.get(OWN_FAILURE).is_some() {
            http::remove_response_header(OWN_FAILURE);
        }
        // Envoy would wait for as long before it tries another provider, too.
        if let Some(wait) = headers.get("retry-after")
            && attempt.has_another(nth)
        {
            http::set_response_header(&headers, attempt::RETRY_AFTER, &String::from_utf8_lossy(wait));
            http::remove_response_header("retry-after");
        }
        if end_of_stream {
            filter_state::add_failed(&Failed::of(nth, &self.provider, status, None).line());
            return Action::Continue;
        }
        let meter = attempt.meter(headers.get("content-type"), headers.get("content-encoding"));
        self.failing = Some(Failing { number: nth, status, meter, read: 0 });
        Action::Pause
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(failing) = &mut self.failing else { return Action::Continue };
        let fresh = size.saturating_sub(failing.read).min(LONGEST_ERROR);
        let piece = http::body(BufferType::HttpResponseBody, failing.read, fresh);
        failing.read = failing.read.saturating_add(fresh);
        failing.meter.feed(&piece, end_of_stream);
        if !end_of_stream && size < LONGEST_ERROR {
            return Action::Pause;
        }
        self.note();
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.note();
        Action::Continue
    }
}
