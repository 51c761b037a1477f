//! A client's request from its first header to its last byte, as a state machine without IO.
//!
//! Trade-off: the order of things stands in this one file, and every callback is one call into it. Each phase owns
//! exactly what it needs, so nothing can be settled that was not admitted, and nothing twice.

use crate::limit::{Admitted, Ask, Bound, Decision, Guards, Reservation, Standing};
use crate::llm::estimate::Sizes;
use crate::llm::meter::{Form, Meter, Passage};
use crate::llm::request::{BoundField, ChatReader, ChatRequest, Edit};
use crate::llm::schema::Schema;
use crate::llm::usage::{Usage, UsageSource};
use crate::outcome::{Outcome, Reply, rate_limit_headers};
use crate::policy::{NONE, OTHER, Policy, Starved, TenantIx};
use crate::price::{Quote, Rates};
use crate::record::{Labels, Record};
use crate::tenant::Identity;
use crate::units::{NanoUsd, Tokens, UnixNanos};

mod ending;

pub use ending::{Closed, Ending, Settlement};

pub struct Exchange {
    started: UnixNanos,
    /// Once it is known to be one of ours.
    tenant: Option<TenantIx>,
    labels: Labels,
    request_id: String,
    model_asked: String,
    stream: bool,
    audit: Guards,
    phase: Phase,
}

enum Phase {
    /// The body is coming.
    Reading { tenant: TenantIx, reader: Box<ChatReader>, received: u64 },
    /// The cell is being asked.
    Asking { tenant: TenantIx, plan: Box<Plan> },
    /// Sent on; the reservation is held until the stream has ended.
    Open(Box<Open>),
    /// Answered by the gateway itself.
    Refused(Outcome),
    /// Everything is told.
    Over,
}

/// A request that may be sent on, if the cell has room.
struct Plan {
    request: ChatRequest,
    /// The name to write into the body, where an alias was used.
    rename: Option<String>,
    rates: Rates,
    bound_field: BoundField,
}

struct Open {
    tenant: TenantIx,
    reservation: Reservation,
    rates: Rates,
    sizes: Sizes,
    most_output: Tokens,
    standing: Standing,
    withhold_usage: bool,
    answer: Option<Answer>,
}

/// The provider's answer, once its head is there.
struct Answer {
    status: u64,
    meter: Meter,
    /// As the head announced it.
    length: Option<u64>,
    first_byte: Option<UnixNanos>,
}

/// What to do with a request whose head has come.
pub enum Opening {
    /// Not an AI request: the filter has nothing more to do with it.
    Aside,
    Read(Exchange),
    Refuse(Exchange, Reply),
}

/// A question to the tenant's cell: [`crate::limit::cell::Cell::admit`] answers it.
pub struct Demand {
    pub tenant: TenantIx,
    pub ask: Ask,
}

/// What to do with a request whose end has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it on, with these edits at the beginning of its body (none: as it is).
    Forward(Vec<Edit>),
    Refuse(Reply),
}

/// The compare-and-swap lost too often to be worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapStarved;

/// The head of an answer, whoever made it.
pub struct AnswerHead<'a> {
    pub status: u64,
    pub content_type: Option<&'a [u8]>,
    pub content_encoding: Option<&'a [u8]>,
    pub content_length: Option<&'a [u8]>,
    /// Whether it came from the provider, not from Envoy in its stead.
    pub from_provider: bool,
}

type Headers = [(String, Vec<u8>)];

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

impl Exchange {
    /// Looks at a request's head: is it for us, and whose is it?
    pub fn open(policy: &Policy, headers: &Headers, now: UnixNanos) -> Opening {
        let method = header(headers, ":method").unwrap_or_default();
        let path = header(headers, ":path").unwrap_or_default();
        let Some(Schema::OpenAiChat) = Schema::of(method, path) else {
            return Opening::Aside;
        };
        let role = match Identity::of(headers, &policy.role_header) {
            Identity::Missing => policy.role_label(None),
            Identity::One(role) => policy.role_label(Some(role)),
            Identity::Unusable => OTHER,
        };
        let mut exchange = Self {
            started: now,
            tenant: None,
            labels: Labels {
                tenant: NONE.to_owned(),
                role: role.to_owned(),
                model: OTHER.to_owned(),
                provider: NONE.to_owned(),
            },
            request_id: header(headers, "x-request-id")
                .map(|id| String::from_utf8_lossy(id.get(..128).unwrap_or(id)).into_owned())
                .unwrap_or_default(),
            model_asked: String::new(),
            stream: false,
            audit: Guards::default(),
            phase: Phase::Over,
        };
        match exchange.admit_head(policy, headers) {
            Ok(tenant) => {
                exchange.phase = Phase::Reading { tenant, reader: Box::default(), received: 0 };
                Opening::Read(exchange)
            }
            Err(reply) => {
                exchange.phase = Phase::Refused(reply.outcome);
                Opening::Refuse(exchange, reply)
            }
        }
    }

    fn admit_head(&mut self, policy: &Policy, headers: &Headers) -> Result<TenantIx, Reply> {
        let name = &policy.tenant_header;
        let tenant = match Identity::of(headers, name) {
            Identity::One(tenant) => tenant,
            Identity::Missing => {
                let message = format!("The request names no tenant: the header `{name}` is missing.");
                return Err(Reply::plain(Outcome::TenantMissing, &message));
            }
            Identity::Unusable => {
                OTHER.clone_into(&mut self.labels.tenant);
                let message = format!("The header `{name}` must be given exactly once, with one tenant's name.");
                return Err(Reply::plain(Outcome::TenantUnknown, &message));
            }
        };
        let Some((ix, known)) = policy.tenant(tenant).and_then(|ix| Some((ix, policy.tenant_policy(ix)?))) else {
            OTHER.clone_into(&mut self.labels.tenant);
            return Err(Reply::plain(Outcome::TenantUnknown, "The tenant is not known to this gateway."));
        };
        self.labels.tenant = known.name.to_string();
        self.tenant = Some(ix);
        if header(headers, "content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            let message = "The request's body is compressed; send it without a content-encoding.";
            return Err(Reply::plain(Outcome::InvalidRequest, message));
        }
        match header(headers, "content-length").and_then(number) {
            Some(length) if length > policy.max_request_bytes => Err(too_large(policy)),
            _ => Ok(ix),
        }
    }

    /// Takes the next bytes of the body. A reply means that no more are wanted.
    pub fn body(&mut self, policy: &Policy, bytes: &[u8]) -> Option<Reply> {
        let Phase::Reading { reader, received, .. } = &mut self.phase else {
            return None;
        };
        *received = received.saturating_add(bytes.len() as u64);
        if *received > policy.max_request_bytes {
            return Some(self.refuse(too_large(policy)));
        }
        reader.feed(bytes);
        None
    }

    /// Whose request it is, once that is known.
    pub const fn tenant(&self) -> Option<TenantIx> {
        self.tenant
    }

    /// Bytes of the body that were read so far.
    pub fn received(&self) -> u64 {
        match &self.phase {
            Phase::Reading { received, .. } => *received,
            _ => 0,
        }
    }

    /// Whether the request's end is still to be decided.
    pub const fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Reading { .. })
    }

    fn refuse(&mut self, reply: Reply) -> Reply {
        self.phase = Phase::Refused(reply.outcome);
        reply
    }

    /// The request has ended: what must the tenant's cell be asked?
    pub fn end_of_request(&mut self, policy: &Policy) -> Result<Demand, Reply> {
        let Phase::Reading { tenant, reader, received } = std::mem::replace(&mut self.phase, Phase::Over) else {
            return Err(self.refuse(Reply::plain(Outcome::InternalError, "The request was read out of order.")));
        };
        match self.plan(policy, tenant, *reader, received) {
            Ok((plan, ask)) => {
                self.phase = Phase::Asking { tenant, plan: Box::new(plan) };
                Ok(Demand { tenant, ask })
            }
            Err(reply) => Err(self.refuse(reply)),
        }
    }

    fn plan(
        &mut self,
        policy: &Policy,
        tenant: TenantIx,
        reader: ChatReader,
        received: u64,
    ) -> Result<(Plan, Ask), Reply> {
        let request = reader.finish(received).map_err(|invalid| {
            Reply::plain(Outcome::InvalidRequest, &format!("The request can't be read: {invalid}."))
        })?;
        self.model_asked.clone_from(&request.model);
        self.stream = request.stream;
        let model = policy.resolve(&request.model);
        let rename = (model != request.model).then(|| model.to_owned());
        if !policy.tenant_policy(tenant).is_some_and(|tenant| tenant.allows(model)) {
            let message = "The model is not among those that this tenant may use.";
            return Err(Reply::plain(Outcome::ModelNotAllowed, message));
        }
        let quote = policy.prices.quote(model);
        quote.label().clone_into(&mut self.labels.model);
        let (rates, bound_field) = match quote {
            Quote::Priced { price, .. } | Quote::PricedAs { price } => (price.rates, price.bound_field),
            Quote::Free => (Rates::default(), BoundField::default()),
            Quote::Denied => {
                let message = "The model has no price here, and requests without a price are not sent on.";
                return Err(Reply::plain(Outcome::ModelUnpriced, message));
            }
        };
        let open = Bound::Open { at_least: policy.min_tokens, at_most: policy.default_max_tokens };
        let ask = Ask {
            input: request.sizes.input_at_most(),
            rates,
            bound: request.bound().map_or(open, Bound::Client),
            choices: request.choices,
            expensive_model: policy.expensive.is_model(model),
            expensive_over: policy.expensive.over,
            lease_seconds: policy.lease_seconds,
        };
        Ok((Plan { request, rename, rates, bound_field }, ask))
    }

    /// The cell has answered, or the swap was starved.
    pub fn decided(&mut self, policy: &Policy, decision: Result<Decision, SwapStarved>, now: UnixNanos) -> Step {
        let Phase::Asking { tenant, plan } = std::mem::replace(&mut self.phase, Phase::Over) else {
            let reply = Reply::plain(Outcome::InternalError, "The request was decided out of order.");
            return Step::Refuse(self.refuse(reply));
        };
        let (admitted, standing) = match (decision, policy.starved) {
            (Ok(Decision { verdict, standing, audit, .. }), _) => {
                self.audit = audit;
                match verdict {
                    Ok(admitted) => (admitted, standing),
                    Err(refusal) => return Step::Refuse(self.refuse(Reply::refusal(&refusal, &standing))),
                }
            }
            (Err(SwapStarved), Starved::Deny) => {
                let message = "The tenant's limits could not be checked just now; try again.";
                return Step::Refuse(self.refuse(Reply::plain(Outcome::InternalError, message)));
            }
            // Sent on without a reservation; its cost is charged all the same when it is over.
            (Err(SwapStarved), Starved::Allow) => {
                let reservation = Reservation { at: now, cost: NanoUsd::ZERO, tokens: Tokens(0) };
                let per_choice = plan.request.bound().unwrap_or(policy.default_max_tokens);
                (Admitted { reservation, per_choice }, Standing::default())
            }
        };
        let Plan { request, rename, rates, bound_field } = *plan;
        let bound = request.bound().is_none().then_some((bound_field, admitted.per_choice));
        let edits = request.edits(rename.as_deref(), bound);
        self.phase = Phase::Open(Box::new(Open {
            tenant,
            reservation: admitted.reservation,
            rates,
            sizes: request.sizes,
            most_output: admitted.per_choice.times(request.choices),
            standing,
            withhold_usage: request.stream && !request.wants_usage(),
            answer: None,
        }));
        Step::Forward(edits)
    }

    /// Whether it was sent on: only then there is an answer to read and a reservation to settle.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// An answer's head has come: the headers to set on it, if this exchange was sent on.
    pub fn answer_head(&mut self, head: &AnswerHead<'_>) -> Vec<(&'static str, String)> {
        let Phase::Open(open) = &mut self.phase else {
            return Vec::new();
        };
        if head.from_provider {
            let form = Form::of(head.content_type, head.content_encoding);
            let meter = Meter::new(form, open.withhold_usage);
            let length = head.content_length.and_then(number);
            open.answer = Some(Answer { status: head.status, meter, length, first_byte: None });
        }
        rate_limit_headers(&open.standing)
    }

    /// Whether the answer's body may come out shorter than the provider said.
    pub fn edits_answer(&self) -> bool {
        self.answer().is_some_and(|answer| answer.meter.edits())
    }

    /// Whether the answer's body is of interest at all.
    pub fn meters_answer(&self) -> bool {
        self.answer().is_some()
    }

    fn answer(&self) -> Option<&Answer> {
        match &self.phase {
            Phase::Open(open) => open.answer.as_ref(),
            _ => None,
        }
    }

    /// Reads the next bytes of the answer; `last` when no more can come.
    pub fn answer_body(&mut self, bytes: &[u8], last: bool, now: impl FnOnce() -> UnixNanos) -> Passage {
        let Phase::Open(open) = &mut self.phase else {
            return Passage::Unchanged;
        };
        let Some(answer) = &mut open.answer else {
            return Passage::Unchanged;
        };
        if answer.first_byte.is_none() && !bytes.is_empty() {
            answer.first_byte = Some(now());
        }
        answer.meter.feed(bytes, last)
    }

    /// The stream is over, however it ended.
    pub fn close(self, policy: &Policy, ending: &Ending, now: UnixNanos) -> Closed {
        let Self { started, mut labels, request_id, model_asked, stream, audit, phase, .. } = self;
        let mut record = Record {
            labels: labels.clone(),
            outcome: Outcome::ClientClosed,
            request_id,
            model_asked,
            model_answered: String::new(),
            stream,
            status: ending.status,
            attempts: ending.attempts,
            usage: Usage::default(),
            usage_source: UsageSource::None,
            cost: NanoUsd::ZERO,
            reserved: NanoUsd::ZERO,
            audit,
            duration_ms: now.since(started) / 1_000_000,
            first_byte_ms: None,
            admitted: false,
        };
        let settlement = match phase {
            Phase::Refused(outcome) => {
                record.outcome = outcome;
                None
            }
            Phase::Reading { .. } | Phase::Asking { .. } | Phase::Over => {
                record.outcome = ending::unread(ending);
                None
            }
            Phase::Open(open) => {
                policy.provider_label(ending.cluster.as_deref()).clone_into(&mut labels.provider);
                record.labels = labels;
                record.admitted = true;
                record.reserved = open.reservation.cost;
                let first_byte = open.answer.as_ref().and_then(|answer| answer.first_byte);
                record.first_byte_ms = first_byte.map(|at| at.since(started) / 1_000_000);
                Some(open.settle(ending, stream, &mut record))
            }
        };
        Closed { settlement, record }
    }
}

fn too_large(policy: &Policy) -> Reply {
    let message = format!("The request's body is larger than the {} bytes allowed.", policy.max_request_bytes);
    Reply::plain(Outcome::RequestTooLarge, &message)
}

#[cfg(test)]
mod tests;
