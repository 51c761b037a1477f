//! The answer as it passes: its head gets what the client should know, its body is read, and edited where something is kept
//! from the client.

use super::{Coming, Downstream, PIECE, books};
use crate::exchange::{AnswerHead, Exchange, Passed};
use crate::host::attributes::Origin;
use crate::host::{admin, attributes, clock, http};
use crate::llm::meter;
use proxy_wasm::types::{Action, BufferType};

/// A question whose answer nobody reads: the cheapest that the admin knows.
const ANYTHING: &str = "/ready";

/// Of the body of an answer whose head waits: how much was read, and what of it passes.
#[derive(Default)]
pub(super) struct Held {
    read: usize,
    passed: Vec<u8>,
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
        self.answered_by = if exchange.has_choice() { attributes::cluster() } else { None };
        let cluster = self.answered_by.as_deref();
        let head = AnswerHead { headers: &headers, from_provider, cluster, end_of_stream };
        let policy = &self.plugin.policy;
        let mut passed = match origin {
            _ if early => match exchange.early_answer(&head) {
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
        self.instead = passed.body;
        if self.instead.is_none() && self.exchange.as_ref().is_some_and(Exchange::edits_answer) {
            passed.remove.push("content-length");
        }
        let allowed = from_provider.then_some(&*self.plugin.policy.allowed.answers);
        http::pass_answer(&headers, passed.set, &passed.remove, allowed);
        if passed.held {
            self.held = Some(Held::default());
            return Action::Pause;
        }
        Action::Continue
    }

    /// Of a request that cost nothing.
    fn side_head(&mut self, end_of_stream: bool) -> Action {
        let Some(dialect) = self.beside else { return Action::Continue };
        let headers = http::response_headers();
        if attributes::origin() != Origin::Provider {
            return Action::Continue;
        }
        let passed = Passed::beside(dialect, &headers, end_of_stream);
        self.instead = passed.body;
        http::pass_answer(&headers, passed.set, &passed.remove, Some(&self.plugin.policy.allowed.answers));
        Action::Continue
    }

    /// The next bytes of its body have come.
    pub(super) fn answer_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.held.is_some() {
            return self.held_body(size, end_of_stream);
        }
        if let Some(body) = &mut self.instead {
            http::replace(BufferType::HttpResponseBody, size, &std::mem::take(body));
            // What has ended by itself in the meantime is over as it should be.
            if !end_of_stream && self.cut_off() {
                return Action::Pause;
            }
            self.is_uncut &= !end_of_stream;
            return Action::Continue;
        }
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.meters_answer()) else {
            return Action::Continue;
        };
        let (edits, is_followed) = (exchange.edits_answer(), exchange.is_followed());
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
            if is_followed {
                books::note_ids(&self.plugin, exchange);
                if let Some(rejection) = books::extend(&self.plugin, exchange).or_else(|| exchange.refused_call()) {
                    let mut words = match passage {
                        meter::Passage::Unchanged => piece,
                        meter::Passage::Replaced(passed) => passed,
                    };
                    words.extend(exchange.end_answer(&rejection));
                    let unread = if whole { size } else { size.saturating_sub(done).saturating_add(wanted) };
                    return self.end_answer(unread, &words);
                }
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
        let (Some(held), Some(exchange)) = (&mut self.held, &mut self.exchange) else { return Action::Continue };
        loop {
            let wanted = size.saturating_sub(held.read).min(PIECE);
            let piece =
                if wanted == 0 { Vec::new() } else { http::body(BufferType::HttpResponseBody, held.read, wanted) };
            held.read = held.read.saturating_add(wanted);
            let last = end_of_stream && held.read >= size;
            match exchange.answer_body(&piece, last, clock::now) {
                meter::Passage::Unchanged => held.passed.extend(piece),
                meter::Passage::Replaced(passed) => held.passed.extend(passed),
            }
            books::note_ids(&self.plugin, exchange);
            // Not before its end: usage stands there.
            if let Some(rejection) = exchange.refused_call().filter(|_| last) {
                http::reply(&exchange.answer_instead(rejection));
                (self.held, self.instead) = (None, Some(Vec::new()));
                return Action::Pause;
            }
            if held.read >= size {
                break;
            }
        }
        if !end_of_stream {
            return Action::Pause;
        }
        http::replace(BufferType::HttpResponseBody, size, &held.passed);
        self.held = None;
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
        (self.instead, self.is_uncut) = (Some(Vec::new()), true);
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
        if let Some(Held { read, .. }) = self.held {
            return self.held_body(read, true);
        }
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.meters_answer()) {
            exchange.answer_body(&[], true, clock::now);
        }
        self.is_uncut = false;
        if self.exchange.is_some() || self.beside.is_some() {
            http::drop_response_trailers();
        }
        Action::Continue
    }
}
