//! The answer as it passes: its head gets what the client should know, its body is read, and edited where something is kept
//! from the client.

use super::{Coming, Downstream, PIECE, books};
use crate::exchange::{AnswerHead, Exchange, Interest, Passed};
use crate::filter::plugin::Plugin;
use crate::host::attributes::Origin;
use crate::host::{admin, attributes, clock, http};
use crate::llm::meter;
use crate::outcome::Rejection;
use proxy_wasm::types::{Action, BufferType};

/// What still goes on of a piece, and why nothing more does. It only borrows the piece: were it moved in here, every chunk would have
/// to note whether it still has its own.
#[cold]
#[inline(never)]
fn last_words(exchange: &mut Exchange, piece: &[u8], passage: &meter::Passage, rejection: &Rejection) -> Vec<u8> {
    let passed = match passage {
        meter::Passage::Unchanged => piece,
        meter::Passage::Replaced(passed) => passed,
    };
    [passed, &exchange.end_answer(rejection)].concat()
}

/// A question whose answer nobody reads: the cheapest that the admin knows.
const ANYTHING: &str = "/ready";

/// What becomes of an answer's body.
pub(super) enum Body {
    /// It goes on as it comes, edited or not.
    Passing,
    /// The client gets this instead.
    Instead(Vec<u8>),
    /// The head waits for its end: so much was read, and this of it passes.
    Held { read: usize, passed: Vec<u8> },
}

impl Body {
    fn of(passed: &mut Passed) -> Self {
        match passed.body.take() {
            Some(body) => Self::Instead(body),
            None if passed.held => Self::Held { read: 0, passed: Vec::new() },
            None => Self::Passing,
        }
    }
}

impl Downstream {
    /// Its head has come, or what Envoy says in its stead.
    pub(super) fn answer_head(&mut self, end_of_stream: bool) -> Action {
        let Some(exchange) = &mut self.exchange else { return self.side_head(end_of_stream) };
        let early = exchange.is_reading() && !self.plugin.policy.hold_headers;
        if !exchange.is_open() && !early {
            return Action::Continue;
        }
        let headers = http::response_headers();
        // The router leaves its mark on what a provider answered; without it (`suppress_envoy_headers`), Envoy is asked.
        let marked = headers.get("x-envoy-upstream-service-time").is_some();
        let origin = if marked { Origin::Provider } else { attributes::origin() };
        let from_provider = origin == Origin::Provider;
        self.answered_by = if exchange.has_choice() || early { attributes::cluster() } else { None };
        let cluster = self.answered_by.as_deref();
        let head = AnswerHead { headers: &headers, from_provider, cluster, end_of_stream };
        let policy = &self.plugin.policy;
        let mut passed = match origin {
            _ if early => match exchange.early_answer(policy, &head) {
                Ok(mut passed) => {
                    passed.set.extend(self.standing());
                    passed
                }
                Err(reply) => return self.refuse(Coming::Nothing, reply),
            },
            Origin::Refused | Origin::Unasked if policy.replicas.is_some() => {
                exchange.turned_away(&head, origin == Origin::Unasked, clock::now())
            }
            _ => exchange.answer_head(policy, &head),
        };
        self.body = Body::of(&mut passed);
        if !matches!(self.body, Body::Instead(_)) && self.exchange.as_ref().is_some_and(Exchange::edits_answer) {
            passed.remove.push("content-length");
        }
        let allowed = from_provider.then_some(&*self.plugin.policy.allowed.answers);
        http::pass_answer(&headers, passed.set, &passed.remove, allowed);
        if matches!(self.body, Body::Held { .. }) { Action::Pause } else { Action::Continue }
    }

    /// Of a request that cost nothing.
    fn side_head(&mut self, end_of_stream: bool) -> Action {
        let Some(dialect) = self.beside else { return Action::Continue };
        let headers = http::response_headers();
        if attributes::origin() != Origin::Provider {
            return Action::Continue;
        }
        let Plugin { policy, stats, .. } = &*self.plugin;
        let status = headers.number(":status").unwrap_or(0);
        let cluster = if matches!(status, 400..500) { attributes::cluster() } else { None };
        let provider = policy.provider(cluster.as_deref());
        let refused = provider.filter(|provider| policy.refuses_account(provider, status));
        if let Some(provider) = refused {
            stats.account_refused(&provider.name, status);
        }
        let refused = refused.map(|provider| &*provider.name);
        let mut passed = Passed::beside(dialect, refused, &headers, end_of_stream);
        self.body = Body::of(&mut passed);
        http::pass_answer(&headers, passed.set, &passed.remove, Some(&policy.allowed.answers));
        Action::Continue
    }

    /// The next bytes of its body have come.
    pub(super) fn answer_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match &mut self.body {
            Body::Passing => {}
            Body::Held { .. } => return self.held_body(size, end_of_stream),
            Body::Instead(body) => {
                http::replace(BufferType::HttpResponseBody, size, &std::mem::take(body));
                // What has ended by itself in the meantime is over as it should be.
                if !end_of_stream && self.cut_off() {
                    return Action::Pause;
                }
                self.is_uncut &= !end_of_stream;
                return Action::Continue;
            }
        }
        let Some(exchange) = &mut self.exchange else { return Action::Continue };
        let Some(Interest { edits, follows }) = exchange.interest() else { return Action::Continue };
        let whole = size <= PIECE;
        let mut done = 0usize;
        loop {
            let wanted = size.saturating_sub(done).min(PIECE);
            // When editing in several pieces, what was read is drained from the front and comes back at the end.
            let from = if edits && !whole { 0 } else { done };
            let piece = if wanted == 0 { Vec::new() } else { http::body(BufferType::HttpResponseBody, from, wanted) };
            done = done.saturating_add(wanted);
            let last = end_of_stream && done >= size;
            let passage = exchange.answer_body(&piece, last, clock::now);
            if follows && let Some(rejection) = books::follow(&self.plugin, exchange) {
                let words = last_words(exchange, &piece, &passage, &rejection);
                let unread = if whole { size } else { size.saturating_sub(done).saturating_add(wanted) };
                return self.end_answer(unread, &words);
            }
            if edits && !whole {
                let passed = match passage {
                    meter::Passage::Unchanged => piece,
                    meter::Passage::Replaced(passed) => passed,
                };
                http::replace(BufferType::HttpResponseBody, wanted, &[]);
                http::append(BufferType::HttpResponseBody, &passed);
            } else if let meter::Passage::Replaced(passed) = passage {
                http::replace(BufferType::HttpResponseBody, wanted, &passed);
            }
            if done >= size {
                return Action::Continue;
            }
        }
    }

    /// More of the body of an answer whose head waits; Envoy has all of it from the beginning. In its place goes what passed, or
    /// the refusal of the whole.
    #[inline(never)]
    fn held_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let (Body::Held { read, passed }, Some(exchange)) = (&mut self.body, &mut self.exchange) else {
            return Action::Continue;
        };
        loop {
            let wanted = size.saturating_sub(*read).min(PIECE);
            let piece = if wanted == 0 { Vec::new() } else { http::body(BufferType::HttpResponseBody, *read, wanted) };
            *read = read.saturating_add(wanted);
            let last = end_of_stream && *read >= size;
            match exchange.answer_body(&piece, last, clock::now) {
                meter::Passage::Unchanged => passed.extend(piece),
                meter::Passage::Replaced(piece) => passed.extend(piece),
            }
            books::note_ids(&self.plugin, exchange);
            // Not before its end: usage stands there.
            if let Some(rejection) = exchange.refused_answer().filter(|_| last) {
                http::reply(&exchange.answer_instead(rejection));
                self.body = Body::Instead(Vec::new());
                return Action::Pause;
            }
            if *read >= size {
                break;
            }
        }
        if !end_of_stream {
            return Action::Pause;
        }
        // Behind trailers alone there is no body, and Envoy has no buffer to write to: to try would end this VM.
        if size > 0 {
            http::replace(BufferType::HttpResponseBody, size, passed);
        }
        self.body = Body::Passing;
        Action::Continue
    }

    /// Nothing of the answer goes on but what has, and these last words: of Envoy's buffer, so much from its front is dropped. The
    /// provider is cut off when a question to the admin is answered, or with its next chunk, whatever comes first: what is reset in
    /// the same callback as its last words never says them.
    #[inline(never)]
    fn end_answer(&mut self, unread: usize, words: &[u8]) -> Action {
        http::replace(BufferType::HttpResponseBody, unread, &[]);
        if !words.is_empty() {
            http::append(BufferType::HttpResponseBody, words);
        }
        (self.body, self.is_uncut) = (Body::Instead(Vec::new()), true);
        if let Some(status) = &self.plugin.policy.status {
            admin::ask(&status.cluster, ANYTHING);
        }
        Action::Continue
    }

    /// Cuts the provider of an answer off that was ended here, if that is still to be done.
    pub(super) fn cut_off(&mut self) -> bool {
        let is_uncut = std::mem::take(&mut self.is_uncut);
        if is_uncut {
            http::reset_answer();
        }
        is_uncut
    }

    /// By trailers an answer has ended, too, and no byte of its body was the last.
    pub(super) fn answer_trailers(&mut self) -> Action {
        if self.exchange.is_some() || self.beside.is_some() {
            http::drop_response_trailers();
        }
        match &self.body {
            Body::Held { read, .. } => {
                let read = *read;
                return self.held_body(read, true);
            }
            // Its head tells a length, and there is no body to write it to.
            Body::Instead(unsaid) if !unsaid.is_empty() => {
                http::reset_answer();
                return Action::Pause;
            }
            Body::Instead(_) | Body::Passing => {}
        }
        self.is_uncut = false;
        if let Some(exchange) = &mut self.exchange {
            exchange.answer_body(&[], true, clock::now);
            // What waited for more goes on no longer, nor do last words; the client is not to take it for the end.
            if let Some(rejection) = exchange.refused_answer() {
                exchange.end_answer(&rejection);
                http::reset_answer();
                return Action::Pause;
            }
        }
        Action::Continue
    }
}
