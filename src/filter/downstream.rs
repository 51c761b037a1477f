//! One client's stream: Envoy's callbacks turned into calls of its [`Exchange`].
//!
//! Headers are held (`allow_on_headers_stop_iteration`) until the body is read, so that nothing reaches a provider
//! before the tenant's cell has agreed. Bodies stay in Envoy's buffers and are read from there in pieces.
//!
//! With `hold_headers: false` only bodies are held. The head has gone on when the decision falls, so what the decision may
//! need of it is done up front, and a provider may answer before it was asked anything.

mod answer;
mod aside;
mod edits;
mod shadow;

use super::books;
use super::late::Late;
use super::plugin::Plugin;
use super::status::{self, AtOnce};
use super::waiting::Seat;
use crate::attempt::blame::Who;
use crate::exchange::{Around, CountBody, Exchange, Opening, Step};
use crate::headers::Headers;
use crate::host::{attributes, cells, chain, clock, ending, filter_state, http, kept};
use crate::limit::Standing;
use crate::limit::accounts::Account;
use crate::llm::schema::Dialect;
use crate::outcome::{Outcome, Reply, rate_limit_headers};
use crate::policy::TenantIx;
use crate::route::ProviderIx;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType};
use std::rc::Rc;

/// What is copied into the VM at a time.
const PIECE: usize = 64 * 1024;

pub struct Downstream {
    plugin: Rc<Plugin>,
    /// By which Envoy knows this stream.
    id: u32,
    /// `None` before the head, for a request that is none of ours, and once its record is written.
    exchange: Option<Exchange>,
    /// The cluster whose gauge counts this exchange.
    cluster: Option<String>,
    /// Of several that it might have been.
    answered_by: Option<String>,
    /// What becomes of the answer's body.
    body: answer::Body,
    /// The answer was ended here, and its provider is still to be cut off.
    is_uncut: bool,
    /// A page of the gateway's own, until it is answered.
    page: Option<status::Pending>,
    /// Among the tenant's requests whose bodies are still coming; given back when it is dropped.
    place: Option<Seat>,
    /// A refusal that waits for the rest of the body.
    late: Option<Late>,
    /// No exchange, and for a provider all the same: by whose API.
    beside: Option<Dialect>,
    /// Of such a request, the body that is read before it goes on.
    counted: Option<CountBody>,
}

impl Downstream {
    pub const fn new(plugin: Rc<Plugin>, id: u32) -> Self {
        Self {
            plugin,
            id,
            exchange: None,
            cluster: None,
            answered_by: None,
            body: answer::Body::Passing,
            is_uncut: false,
            page: None,
            place: None,
            late: None,
            beside: None,
            counted: None,
        }
    }

    /// Whether this stream is an AI request whose record is not written yet.
    pub const fn has_exchange(&self) -> bool {
        self.exchange.is_some()
    }

    fn reply(reply: &Reply) -> Action {
        http::reply(reply);
        Action::Pause
    }

    /// Refuses what is still coming: the reply waits for its end, where it may.
    fn reply_after(&mut self, coming: Coming, reply: Reply, tenant: Option<TenantIx>) -> Action {
        let Plugin { policy, waiting, late, .. } = &*self.plugin;
        let most = policy.max_refused_bytes;
        let waits = match coming {
            Coming::Nothing => false,
            Coming::Known(length) => length <= most,
            Coming::Unknown => most > 0,
        };
        if waits
            && policy.hold_headers
            && let Ok(mut place) = self.place.take().map_or_else(|| waiting.enter(tenant), Ok)
            && place.grow(0, 0).is_ok()
        {
            self.late = Some(late.begin(self.id, reply, place, most));
            return Action::Pause;
        }
        Self::reply(&reply)
    }

    /// Refuses what never came to the cell: the client learns where its windows stand all the same.
    fn refuse(&mut self, coming: Coming, mut reply: Reply) -> Action {
        reply.headers.extend(self.standing());
        let tenant = self.exchange.as_ref().and_then(Exchange::tenant);
        self.reply_after(coming, reply, tenant)
    }

    fn standing(&self) -> Vec<(&'static str, String)> {
        let Plugin { policy, .. } = &*self.plugin;
        let tenant = self.exchange.as_ref().and_then(Exchange::tenant).and_then(|ix| policy.tenant_policy(ix));
        tenant.map_or_else(Vec::new, |tenant| {
            let now = clock::now();
            let standing = |account: Account<'_>| {
                let mut cell = cells::read(account.whose).unwrap_or_default();
                cell.standing_at(account.rules, policy.lease_seconds, now)
            };
            let shown = tenant.accounts(&[]).filter(|account| account.shows_figures);
            rate_limit_headers(&shown.map(standing).reduce(Standing::tighter).unwrap_or_default())
        })
    }

    /// The request's end has come, by its last byte, its trailers, or its headers alone.
    fn decide(&mut self) -> Action {
        let plugin = Rc::clone(&self.plugin);
        let place = self.place.take();
        let Some(exchange) = &mut self.exchange else { return Action::Continue };
        if !exchange.is_reading() {
            return beyond(exchange);
        }
        let received = exchange.received();
        let now = clock::now();
        let routed = plugin.policy.models.are_listed();
        self.cluster = if routed { None } else { attributes::cluster() };
        let around = Around {
            cluster: self.cluster.as_deref(),
            is_attended: &|provider| plugin.attended.is(&plugin.policy, provider),
            is_open: &|ProviderIx(at)| plugin.breakers.is_open(at.into(), now),
            is_out: &|split, model| plugin.canaries.is_out(split, model),
            knows: &kept::knows,
            sizes: &kept::sizes,
            density: &|model, tenant| plugin.densities.of(model, tenant),
            cell: &cells::read,
            service_unavailable: plugin.service_unavailable(now),
            now,
        };
        let demand = match exchange.end_of_request(&plugin.policy, around) {
            Some(Ok(demand)) => demand,
            Some(Err(reply)) => return self.refuse(Coming::Nothing, reply),
            None => return beyond(exchange),
        };
        let decision = books::ask(&plugin, &demand, now);
        match exchange.decided(&plugin.policy, demand, decision, now) {
            Step::Refuse(reply) => return Self::reply(&reply),
            Step::Forward(edits) => edits::apply(&edits, received, plugin.policy.hold_headers),
            Step::Route(route) => {
                chain::publish(&route);
                self.cluster = route.clusters.into_iter().next();
            }
        }
        self.place = place.and_then(|place| place.keep(exchange.keeps()));
        if plugin.policy.shadows.is_some() {
            shadow::send(&plugin, exchange, now);
        }
        filter_state::share(&exchange.shared_question(&plugin.policy));
        plugin.stats.opened(plugin.policy.provider_label(self.cluster.as_deref()));
        if plugin.policy.hold_headers {
            ask_for_plain_text();
        }
        Action::Continue
    }
}

/// A body has come this far. A reply means that nothing more of this tenant's may stay unfinished.
fn grown(place: &mut Option<Seat>, exchange: &mut Exchange, buffered: usize) -> Option<Reply> {
    let crowd = place.as_mut()?.grow(buffered, exchange.holds()).err()?;
    Some(exchange.crowded(crowd))
}

/// What is still to come of a request that is refused.
#[derive(Clone, Copy)]
enum Coming {
    Nothing,
    /// So many bytes, by its head.
    Known(u64),
    Unknown,
}

impl Coming {
    fn of(headers: &Headers) -> Self {
        headers.number("content-length").map_or(Self::Unknown, Self::Known)
    }
}

/// What is still to come of a request that is decided. Of one that was answered before its end, nothing goes on.
const fn beyond(exchange: &Exchange) -> Action {
    if exchange.is_open() { Action::Continue } else { Action::Pause }
}

/// The answer must be readable as it passes.
fn ask_for_plain_text() {
    http::remove_request_header("accept-encoding");
}

impl Context for Downstream {
    fn on_http_call_response(&mut self, _call: u32, headers: usize, size: usize, _trailers: usize) {
        if let Some(page) = self.page.take() {
            page.answered(&self.plugin, headers, size);
        } else {
            self.cut_off();
        }
    }
}

impl HttpContext for Downstream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = http::request_headers();
        match status::ask(&self.plugin, &headers) {
            AtOnce::No => {}
            AtOnce::Replied(action) => return action,
            AtOnce::Waiting(page) => {
                self.page = Some(page);
                return Action::Pause;
            }
        }
        let policy = &self.plugin.policy;
        let open = if shadow::is_copy(policy, &headers) { Exchange::open_copy } else { Exchange::open };
        match open(policy, &headers, clock::now()) {
            Opening::Aside => self.aside(&headers, end_of_stream),
            Opening::Refuse(exchange, reply) => {
                self.exchange = Some(exchange);
                self.refuse(if end_of_stream { Coming::Nothing } else { Coming::of(&headers) }, reply)
            }
            Opening::Read(exchange) => {
                let exchange = self.exchange.insert(exchange);
                if !end_of_stream && let Some(tenant) = exchange.tenant() {
                    match self.plugin.waiting.enter(Some(tenant)) {
                        Ok(place) => self.place = Some(place),
                        Err(crowd) => {
                            let reply = exchange.crowded(crowd);
                            return self.refuse(Coming::Nothing, reply);
                        }
                    }
                }
                http::cut(exchange.cut());
                if self.plugin.policy.hold_headers {
                    return if end_of_stream { self.decide() } else { Action::Pause };
                }
                ask_for_plain_text();
                if end_of_stream {
                    return self.decide();
                }
                // Edits may change the length: the body goes on in chunks.
                http::remove_request_header("content-length");
                Action::Continue
            }
        }
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        // A page may be asked for with a body: letting that pass would let the request go on to its route, too.
        if self.page.is_some() {
            return Action::Pause;
        }
        if let Some(late) = &mut self.late {
            late.drop_body(buffered, end_of_stream);
            return Action::Pause;
        }
        let Some(exchange) = &mut self.exchange else { return self.counted_body(buffered, end_of_stream) };
        if !exchange.is_reading() {
            return beyond(exchange);
        }
        if !end_of_stream && let Some(reply) = grown(&mut self.place, exchange, buffered) {
            return self.refuse(Coming::Nothing, reply);
        }
        loop {
            let done = usize::try_from(exchange.received()).unwrap_or(usize::MAX);
            let wanted = buffered.saturating_sub(done).min(PIECE);
            let piece = if wanted == 0 { Vec::new() } else { http::body(BufferType::HttpRequestBody, done, wanted) };
            if piece.is_empty() {
                break;
            }
            if let Some(reply) = exchange.body(&self.plugin.policy, &piece) {
                let action = self.refuse(if end_of_stream { Coming::Nothing } else { Coming::Unknown }, reply);
                if let Some(late) = &mut self.late {
                    late.drop_body(buffered, end_of_stream);
                }
                return action;
            }
        }
        if end_of_stream {
            return self.decide();
        }
        // Rules may have found more in it than it is long.
        if exchange.holds() > 0
            && let Some(reply) = grown(&mut self.place, exchange, buffered)
        {
            return self.refuse(Coming::Nothing, reply);
        }
        Action::Pause
    }

    /// An HTTP/2 request with trailers has no last byte: without this it would pass every check. Envoy's `decompressor` ends
    /// each request by them, to say how much it inflated.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if self.page.is_some() {
            return Action::Pause;
        }
        if let Some(late) = &self.late {
            late.send();
            return Action::Pause;
        }
        if self.beside.is_some() {
            http::drop_request_trailers();
            return self.counted_end();
        }
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.is_reading()) {
            if http::drop_request_trailers() {
                exchange.came_compressed();
            }
            // What was inflated has lost its length, and not every provider reads chunks.
            if self.plugin.policy.hold_headers {
                http::set_request_header("content-length", &exchange.received().to_string());
            }
        }
        self.decide()
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.answer_head(end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.answer_body(size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.answer_trailers()
    }

    /// Called for every ending, also for those that no other callback sees: the one place where an exchange is settled.
    fn on_log(&mut self) {
        self.place = None;
        self.late = None;
        let Some(exchange) = self.exchange.take() else { return };
        let plugin = Rc::clone(&self.plugin);
        let now = clock::now();
        let (first, last) = (self.cluster.as_deref(), self.answered_by.take());
        let ending = ending::ending(exchange.so_far(), first, last, exchange.has_choice());
        let opened = exchange.is_open();
        let closed = exchange.close(&plugin.policy, &ending, now);
        if let Some(settlement) = closed.settlement {
            books::settle(&plugin, settlement, now);
        }
        if opened {
            // Under the cluster it was opened under: a retry may have chosen another since.
            plugin.stats.closed(plugin.policy.provider_label(self.cluster.as_deref()));
        }
        let record = &closed.record;
        if plugin.policy.models.are_listed() && record.outcome == Outcome::Success {
            plugin.served.note(&record.labels.provider, Who::of(&record.labels.tenant), now);
        }
        if let Some(experience) = &closed.experience {
            plugin.densities.learn(&closed.record.labels, experience);
        }
        plugin.canaries.note(&closed.record);
        books::record(&plugin, &closed.record);
    }
}
