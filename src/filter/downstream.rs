//! One client's stream: Envoy's callbacks turned into calls of its [`Exchange`].
//!
//! Headers are held (`allow_on_headers_stop_iteration`) until the body is read, so that nothing reaches a provider
//! before the tenant's cell has agreed. Bodies stay in Envoy's buffers and are read from there in pieces.
//!
//! With `held_heads: false` only bodies are held. The head has gone on when the decision falls, so what the decision may
//! need of it is done up front, and a provider may answer before it was asked anything.

use super::late::Late;
use super::plugin::Plugin;
use super::status::{self, Asked};
use super::waiting::Place;
use crate::attempt::blame::Who;
use crate::exchange::{AnswerHead, Around, Demand, Exchange, Opening, Passage, Settlement, Side, Step};
use crate::headers::Headers;
use crate::host::attributes::Origin;
use crate::host::{attributes, cells, chain, clock, ending, filter_state, http, kept, lines};
use crate::limit::{Decision, SwapStarved};
use crate::llm::meter;
use crate::llm::path::Free;
use crate::llm::request::{self, Edit};
use crate::outcome::{Outcome, Reply, rate_limit_headers};
use crate::policy::TenantIx;
use crate::record::Record;
use crate::replicas;
use crate::route::ProviderIx;
use crate::units::{NanoUsd, UnixNanos};
use log::Level;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType};
use std::rc::Rc;

/// What is copied into the VM at a time.
const PIECE: usize = 64 * 1024;

pub struct Downstream {
    plugin: Rc<Plugin>,
    /// By which Envoy knows this stream.
    id: u32,
    /// `None` before the head, for a request that is none of ours, and once everything is told.
    exchange: Option<Exchange>,
    /// The cluster whose gauge counts this exchange.
    cluster: Option<String>,
    /// Of several that it might have been.
    answered_by: Option<String>,
    /// What the client gets instead of the body that came.
    instead: Option<Vec<u8>>,
    /// A page of the gateway's own, until it is answered.
    page: Option<status::Pending>,
    /// Among the tenant's requests whose bodies are still coming; given back when it is dropped.
    place: Option<Place>,
    /// A refusal that waits for the rest of the body.
    late: Option<Late>,
    /// No exchange, and for a provider all the same.
    beside: bool,
}

impl Downstream {
    pub const fn new(plugin: Rc<Plugin>, id: u32) -> Self {
        Self {
            plugin,
            id,
            exchange: None,
            cluster: None,
            answered_by: None,
            instead: None,
            page: None,
            place: None,
            late: None,
            beside: false,
        }
    }

    /// Whether this stream is an AI request that is not told yet.
    pub const fn has_exchange(&self) -> bool {
        self.exchange.is_some()
    }

    fn reply(reply: &Reply) -> Action {
        http::reply(reply);
        Action::Pause
    }

    /// What is no exchange: what costs nothing is a tenant's all the same, and the gateway tells its models itself.
    fn aside(&mut self, headers: &Headers, end_of_stream: bool) -> Action {
        let plugin = Rc::clone(&self.plugin);
        let policy = &plugin.policy;
        let coming = if end_of_stream { Coming::Nothing } else { Coming::of(headers) };
        let side = match Side::of(policy, headers) {
            None => return Action::Continue,
            Some(Err(reply)) => return self.reply_after(coming, reply, None),
            Some(Ok(side)) => side,
        };
        let tenant = Some(side.tenant);
        if side.what == Free::Models {
            return match side.models(policy, headers, clock::now()) {
                Ok(page) => status::page(page),
                Err(reply) => self.reply_after(coming, reply, tenant),
            };
        }
        match side.passage(policy, headers, attributes::cluster().as_deref(), kept::knows) {
            Ok(Passage { cut, plan }) => {
                self.beside = true;
                http::cut(&cut);
                if let Some(plan) = plan {
                    filter_state::set_plan(&plan);
                }
                Action::Continue
            }
            Err(reply) => self.reply_after(coming, reply, tenant),
        }
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
            && policy.held_heads
            && let Ok(mut place) = self.place.take().map_or_else(|| waiting.enter(tenant), Ok)
            && place.grow(0).is_ok()
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
            let mut cell = cells::read(&tenant.name).unwrap_or_default();
            rate_limit_headers(&cell.standing_at(&tenant.rules, policy.lease_seconds, clock::now()))
        })
    }

    /// The request's end has come, by its last byte, its trailers, or its headers alone.
    fn decide(&mut self) -> Action {
        let plugin = Rc::clone(&self.plugin);
        self.place = None;
        let Some(exchange) = &mut self.exchange else { return Action::Continue };
        if !exchange.is_reading() {
            return beyond(exchange);
        }
        let received = exchange.received();
        let now = clock::now();
        let routed = plugin.policy.routes.choose();
        self.cluster = if routed { None } else { attributes::cluster() };
        let around = Around {
            cluster: self.cluster.as_deref(),
            is_open: &|ProviderIx(at)| plugin.breakers.is_open(at.into(), now),
            knows: &kept::knows,
            density: &|model| plugin.densities.of(model),
            service_away: plugin.service_away(now),
            now,
        };
        let demand = match exchange.end_of_request(&plugin.policy, around) {
            Ok(demand) => demand,
            Err(reply) => return self.refuse(Coming::Nothing, reply),
        };
        let decision = ask(&plugin, &demand, now);
        match exchange.decided(&plugin.policy, decision, now) {
            Step::Refuse(reply) => return Self::reply(&reply),
            Step::Forward(edits) => apply(&edits, received, plugin.policy.held_heads),
            Step::Route(route) => {
                chain::publish(&route);
                self.cluster = route.clusters.into_iter().next();
            }
        }
        filter_state::share(&exchange.shared_question(&plugin.policy));
        plugin.stats.opened(plugin.policy.provider_label(self.cluster.as_deref()));
        if plugin.policy.held_heads {
            ask_for_plain_text();
        }
        Action::Continue
    }
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

/// Asks the tenant's cell. A refusal changes nothing, so it writes nothing.
fn ask(plugin: &Plugin, demand: &Demand, now: UnixNanos) -> Result<Decision, SwapStarved> {
    let ask = &demand.ask;
    let Some(tenant) = plugin.policy.tenant_policy(demand.tenant) else {
        return Err(SwapStarved);
    };
    let mut charged = NanoUsd::ZERO;
    let swap = cells::swap(&tenant.name, cells::ADMIT_ATTEMPTS, |cell| {
        charged = cell.lifetime();
        let decision = cell.admit(&tenant.rules, ask, now);
        let store = decision.verdict.is_ok();
        (decision, store)
    });
    plugin.stats.swapped(&swap);
    if plugin.mark_seen(demand.tenant) || (swap.forgot && plugin.policy.replicas.is_some()) {
        cells::begin_to_tell(&tenant.name, charged, swap.forgot);
    }
    plugin.levels.touch(demand.tenant);
    swap.outcome
}

/// Before the client has them, on whichever worker it comes with them.
fn note_ids(plugin: &Plugin, exchange: &mut Exchange) {
    let tenant = exchange.tenant();
    let fresh = exchange.fresh_ids();
    if fresh.is_empty() {
        return;
    }
    if let Some(tenant) = tenant.and_then(|ix| plugin.policy.tenant_policy(ix)) {
        for id in fresh {
            kept::note(&tenant.name, *id);
        }
    }
}

/// The last of a reservation: it is consumed by its settlement, however often the swap is repeated.
fn settle(plugin: &Plugin, settlement: Settlement, now: UnixNanos) {
    let Some(tenant) = plugin.policy.tenant_policy(settlement.tenant) else { return };
    let Settlement { reservation, cost, tokens, withdrawn, .. } = settlement;
    let lease = plugin.policy.lease_seconds;
    let tells = plugin.policy.replicas.is_some() && !withdrawn && !plugin.service_away(now);
    let swap = cells::swap(&tenant.name, cells::SETTLE_ATTEMPTS, |cell| {
        cell.settle(&reservation, cost, tokens, lease, now);
        if withdrawn {
            cell.withdraw(&reservation);
        }
        (tells.then(|| cell.charged(reservation.at)), true)
    });
    if let Ok(Some(charged)) = swap.outcome {
        let told = cells::tell(&tenant.name, charged.ever);
        filter_state::share(&replicas::told(&tenant.rules, told, charged, tokens));
    }
    plugin.stats.swapped(&swap);
    plugin.levels.touch(settlement.tenant);
    if swap.outcome.is_err() {
        plugin.stats.lost_settlement();
        lines::say(
            Level::Error,
            "settlement_lost",
            format_args!(
                "{cost} USD of tenant {} are in its record and not in its books: its cell changed {} times under our hands, or \
                 Envoy refuses to write it. See the runbook, AiGatewaySettlementsLost",
                tenant.name,
                cells::SETTLE_ATTEMPTS
            ),
        );
    }
}

/// Splices the edits into the beginning of the buffered body, and corrects its length where the head has one.
fn apply(edits: &[Edit], received: u64, held_heads: bool) {
    let Some(last) = edits.last() else { return };
    let reach = usize::try_from(last.place.to).unwrap_or(usize::MAX);
    let prefix = http::body(BufferType::HttpRequestBody, 0, reach);
    let edited = request::spliced(&prefix, edits);
    let length = received.saturating_sub(prefix.len() as u64).saturating_add(edited.len() as u64);
    http::replace(BufferType::HttpRequestBody, prefix.len(), &edited);
    if held_heads {
        http::correct_content_length(length);
    }
}

impl Context for Downstream {
    fn on_http_call_response(&mut self, _call: u32, headers: usize, size: usize, _trailers: usize) {
        if let Some(page) = self.page.take() {
            page.answered(&self.plugin, headers, size);
        }
    }
}

impl HttpContext for Downstream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = http::request_headers();
        match status::ask(&self.plugin, &headers) {
            Asked::No => {}
            Asked::Replied(action) => return action,
            Asked::Waiting(page) => {
                self.page = Some(page);
                return Action::Pause;
            }
        }
        match Exchange::open(&self.plugin.policy, &headers, clock::now()) {
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
                if self.plugin.policy.held_heads {
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
        let Some(exchange) = &mut self.exchange else { return Action::Continue };
        if !exchange.is_reading() {
            return beyond(exchange);
        }
        if !end_of_stream && let Some(Err(crowd)) = self.place.as_mut().map(|place| place.grow(buffered)) {
            // Nothing more of this tenant's may stay unfinished.
            let reply = exchange.crowded(crowd);
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
        if end_of_stream { self.decide() } else { Action::Pause }
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
        if self.beside {
            http::drop_request_trailers();
            return Action::Continue;
        }
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.is_reading()) {
            if http::drop_request_trailers() {
                exchange.came_compressed();
            }
            // What was inflated has lost its length, and not every provider reads chunks.
            if self.plugin.policy.held_heads {
                http::set_request_header("content-length", &exchange.received().to_string());
            }
        }
        self.decide()
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(exchange) = &mut self.exchange else { return Action::Continue };
        let early = exchange.is_reading() && !self.plugin.policy.held_heads;
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
        let passed = match origin {
            _ if early => match exchange.early_answer(&head) {
                Ok(mut passed) => {
                    passed.set.extend(self.standing());
                    passed
                }
                Err(reply) => return self.refuse(Coming::Nothing, reply),
            },
            Origin::Refused | Origin::Unasked if policy.replicas.is_some() => {
                exchange.turned_away(policy, &head, origin == Origin::Unasked, clock::now())
            }
            _ => exchange.answer_head(policy, &head),
        };
        for (name, value) in passed.set {
            http::set_response_header(&headers, name, &value);
        }
        for name in passed.remove {
            http::remove_response_header(name);
        }
        self.instead = passed.body;
        if self.exchange.as_ref().is_some_and(Exchange::edits_answer) {
            http::remove_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if let Some(body) = &mut self.instead {
            http::replace(BufferType::HttpResponseBody, size, &std::mem::take(body));
            return Action::Continue;
        }
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.meters_answer()) else {
            return Action::Continue;
        };
        let edits = exchange.edits_answer();
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
            note_ids(&self.plugin, exchange);
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

    /// Called for every ending, also for those that no other callback sees: the one place where an exchange is settled.
    fn on_log(&mut self) {
        self.place = None;
        self.late = None;
        let Some(exchange) = self.exchange.take() else { return };
        let plugin = Rc::clone(&self.plugin);
        let now = clock::now();
        let (first, last) = (self.cluster.as_deref(), self.answered_by.take());
        let ending = ending::ending(exchange.told(), first, last, exchange.has_choice());
        let opened = exchange.is_open();
        let closed = exchange.close(&plugin.policy, &ending, now);
        if let Some(settlement) = closed.settlement {
            settle(&plugin, settlement, now);
        }
        if opened {
            // Under the cluster it was opened under: a retry may have chosen another since.
            plugin.stats.closed(plugin.policy.provider_label(self.cluster.as_deref()));
        }
        let record = &closed.record;
        if plugin.policy.routes.choose() && record.outcome == Outcome::Success {
            plugin.served.note(&record.labels.provider, Who::of(&record.labels.tenant), now);
        }
        if let Some(experience) = &closed.experience {
            plugin.densities.learn(&closed.record.labels, experience);
        }
        tell(&plugin, &closed.record);
    }
}

fn tell(plugin: &Plugin, record: &Record) {
    for (provider, status) in &record.bill.account_refusals {
        lines::say(
            Level::Warn,
            "account_refused",
            format_args!(
                "{provider} refuses this gateway's account ({status}): its key, its credit, or the region it is called from. See \
                 the runbook, AiGatewayAccountRefused"
            ),
        );
    }
    plugin.stats.count(record, plugin.policy.tenant_label(&record.labels.tenant));
    filter_state::publish(&record.to_json());
}
