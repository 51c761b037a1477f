//! A client's request from its first header to its last byte, as a state machine without IO.
//!
//! Trade-off: the order of things stands in this one file, and every callback is one call into it. Each phase owns
//! exactly what it needs, so nothing can be settled that was not admitted, and nothing twice.

use crate::limit::{Admitted, Ask, Bound, Decision, Guards, Reservation, Standing};
use crate::llm::estimate::Sizes;
use crate::llm::estimate::density::Density;
use crate::llm::meter::{Form, Meter, Passage};
use crate::llm::path;
use crate::llm::request::{Edit, Request, RequestReader};
use crate::llm::schema::{BoundField, Output, Schema};
use crate::llm::usage::{Count, Usage, UsageSource};
use crate::outcome::{Outcome, Rejection, Reply, rate_limit_headers};
use crate::policy::{NONE, OTHER, Policy, ReportedCost, Starved, TenantIx};
use crate::price::{Items, Quote, Tariff};
use crate::record::{Labels, Record};
use crate::tenant::Identity;
use crate::units::{NanoUsd, Tokens, UnixNanos};
use std::rc::Rc;

mod ending;

pub use ending::{Checked, Closed, Ending, Experience, Settlement};

pub struct Exchange {
    started: UnixNanos,
    schema: &'static Schema,
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
    Reading { tenant: TenantIx, reader: Box<RequestReader>, received: u64 },
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
    request: Request,
    /// The name to write into the body, where an alias was used.
    rename: Option<String>,
    tariff: Rc<Tariff>,
    bound_field: BoundField,
    density: Density,
    /// Whether a stream is to be asked for its usage.
    ask_usage: bool,
}

struct Open {
    tenant: TenantIx,
    schema: &'static Schema,
    reservation: Reservation,
    tariff: Rc<Tariff>,
    /// As the client asked for it; the answer may say otherwise.
    service_tier: Option<String>,
    density: Density,
    sizes: Sizes,
    items: Items,
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
    pub headers: &'a Headers,
    /// Whether it came from the provider, not from Envoy in its stead.
    pub from_provider: bool,
}

pub type Headers = [(String, Vec<u8>)];

/// Bedrock counts the tokens of InvokeModel for models whose answers don't.
const COUNTED_IN_THE_HEAD: [(&str, Count); 2] =
    [("x-amzn-bedrock-input-token-count", Count::Input), ("x-amzn-bedrock-output-token-count", Count::Output)];

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
        let Some(called) = path::called(&policy.paths, method, path) else {
            return Opening::Aside;
        };
        let role = match Identity::of(headers, &policy.role_header) {
            Identity::Missing => policy.role_label(None),
            Identity::One(role) => policy.role_label(Some(role)),
            Identity::Unusable => OTHER,
        };
        let mut exchange = Self {
            started: now,
            schema: called.schema,
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
                exchange.phase = Phase::Reading {
                    tenant,
                    reader: Box::new(RequestReader::new(called, header(headers, "content-type"))),
                    received: 0,
                };
                Opening::Read(exchange)
            }
            Err(rejection) => {
                let reply = exchange.refuse(rejection);
                Opening::Refuse(exchange, reply)
            }
        }
    }

    fn admit_head(&mut self, policy: &Policy, headers: &Headers) -> Result<TenantIx, Rejection> {
        let name = &policy.tenant_header;
        let tenant = match Identity::of(headers, name) {
            Identity::One(tenant) => tenant,
            Identity::Missing => {
                let message = format!("The request names no tenant: the header `{name}` is missing.");
                return Err(Rejection::plain(Outcome::TenantMissing, message));
            }
            Identity::Unusable => {
                OTHER.clone_into(&mut self.labels.tenant);
                let message = format!("The header `{name}` must be given exactly once, with one tenant's name.");
                return Err(Rejection::plain(Outcome::TenantUnknown, message));
            }
        };
        let Some((ix, known)) = policy.tenant(tenant).and_then(|ix| Some((ix, policy.tenant_policy(ix)?))) else {
            OTHER.clone_into(&mut self.labels.tenant);
            return Err(Rejection::plain(Outcome::TenantUnknown, "The tenant is not known to this gateway."));
        };
        self.labels.tenant = known.name.to_string();
        self.tenant = Some(ix);
        if header(headers, "content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            let message = "The request's body is compressed; send it without a content-encoding.";
            return Err(Rejection::plain(Outcome::InvalidRequest, message));
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

    fn refuse(&mut self, rejection: Rejection) -> Reply {
        self.phase = Phase::Refused(rejection.outcome);
        rejection.in_dialect(self.schema.dialect, &self.request_id)
    }

    /// The request has ended: what must the tenant's cell be asked? `cluster` is where it would go, `density` what is
    /// known of a priced model's tokens.
    pub fn end_of_request(
        &mut self,
        policy: &Policy,
        cluster: Option<&str>,
        density: impl FnOnce(&str) -> Density,
        now: UnixNanos,
    ) -> Result<Demand, Reply> {
        let Phase::Reading { tenant, reader, received } = std::mem::replace(&mut self.phase, Phase::Over) else {
            let rejection = Rejection::plain(Outcome::InternalError, "The request was read out of order.");
            return Err(self.refuse(rejection));
        };
        let request = reader.finish(received).map_err(|invalid| {
            Rejection::plain(Outcome::InvalidRequest, format!("The request can't be read: {invalid}."))
        });
        match request.and_then(|request| self.plan(policy, tenant, request, cluster, density, now)) {
            Ok((plan, ask)) => {
                self.phase = Phase::Asking { tenant, plan: Box::new(plan) };
                Ok(Demand { tenant, ask })
            }
            Err(rejection) => Err(self.refuse(rejection)),
        }
    }

    fn plan(
        &mut self,
        policy: &Policy,
        tenant: TenantIx,
        request: Request,
        cluster: Option<&str>,
        density: impl FnOnce(&str) -> Density,
        now: UnixNanos,
    ) -> Result<(Plan, Ask), Rejection> {
        self.model_asked.clone_from(&request.model);
        self.stream = request.stream;
        let model = policy.resolve(&request.model);
        let rename = (model != request.model).then(|| model.to_owned());
        if !policy.tenant_policy(tenant).is_some_and(|tenant| tenant.allows(model)) {
            let message = "The model is not among those that this tenant may use.";
            return Err(Rejection::plain(Outcome::ModelNotAllowed, message));
        }
        let provider = policy.provider(cluster);
        let quote = policy.prices.quote(provider.map(|provider| provider.name.as_str()), model, now);
        quote.label().clone_into(&mut self.labels.model);
        let (tariff, bound_field) = match quote {
            Quote::Priced { price } | Quote::PricedAs { price } => (Rc::clone(&price.tariff), price.bound_field),
            Quote::Free => (Rc::default(), BoundField::default()),
            Quote::Denied => {
                let message = "The model has no price here, and requests without a price are not sent on.";
                return Err(Rejection::plain(Outcome::ModelUnpriced, message));
            }
        };
        let density = density(&self.labels.model);
        let input = request.sizes.input_at_most(density);
        let service_tier = request.service_tier.as_deref();
        let attachments = request.sizes.attachments > 0;
        let ceiling = tariff.ceiling(input, service_tier, attachments, request.items());
        let ask = Ask {
            input,
            ceiling,
            bound: self.bound(policy, &request),
            choices: request.choices,
            expensive_model: policy.expensive.is_model(model),
            expensive_over: policy.expensive.over,
            lease_seconds: policy.lease_seconds,
        };
        let ask_usage = self.schema.usage_option && provider.is_none_or(|provider| provider.stream_usage_option);
        Ok((Plan { request, rename, tariff, bound_field, density, ask_usage }, ask))
    }

    /// What is known of the output before it is made.
    fn bound(&self, policy: &Policy, request: &Request) -> Bound {
        match (self.schema.output, request.bound()) {
            (Output::None, _) => Bound::Client(Tokens(0)),
            (Output::Fixed(tokens), _) => Bound::Client(Tokens(tokens)),
            (_, Some(bound)) => Bound::Client(bound),
            (Output::Unwritten, None) => Bound::Client(policy.default_max_tokens),
            (Output::Field(_), None) => Bound::Open { at_least: policy.min_tokens, at_most: policy.default_max_tokens },
        }
    }

    /// The cell has answered, or the swap was starved.
    pub fn decided(&mut self, policy: &Policy, decision: Result<Decision, SwapStarved>, now: UnixNanos) -> Step {
        let Phase::Asking { tenant, plan } = std::mem::replace(&mut self.phase, Phase::Over) else {
            let rejection = Rejection::plain(Outcome::InternalError, "The request was decided out of order.");
            return Step::Refuse(self.refuse(rejection));
        };
        let (admitted, standing) = match (decision, policy.starved) {
            (Ok(Decision { verdict, standing, audit, .. }), _) => {
                self.audit = audit;
                match verdict {
                    Ok(admitted) => (admitted, standing),
                    Err(refusal) => return Step::Refuse(self.refuse(Rejection::limit(&refusal, &standing))),
                }
            }
            (Err(SwapStarved), Starved::Deny) => {
                let message = "The tenant's limits could not be checked just now; try again.";
                return Step::Refuse(self.refuse(Rejection::plain(Outcome::InternalError, message)));
            }
            // Sent on without a reservation; its cost is charged all the same when it is over.
            (Err(SwapStarved), Starved::Allow) => {
                let reservation = Reservation { at: now, cost: NanoUsd::ZERO, tokens: Tokens(0) };
                let per_choice = match self.bound(policy, &plan.request) {
                    Bound::Client(tokens) | Bound::Open { at_most: tokens, .. } => tokens,
                };
                (Admitted { reservation, per_choice }, Standing::default())
            }
        };
        let Plan { request, rename, tariff, bound_field, density, ask_usage } = *plan;
        let bound = request.bound().is_none().then_some((bound_field, admitted.per_choice));
        let edits = request.edits(rename.as_deref(), bound, ask_usage);
        self.phase = Phase::Open(Box::new(Open {
            tenant,
            schema: self.schema,
            reservation: admitted.reservation,
            tariff,
            density,
            sizes: request.sizes,
            items: request.items(),
            most_output: admitted.per_choice.times(request.choices),
            standing,
            withhold_usage: ask_usage && request.stream && !request.wants_usage(),
            service_tier: request.service_tier,
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
            let form = Form::of(header(head.headers, "content-type"), header(head.headers, "content-encoding"));
            let mut meter = Meter::new(open.schema, form, open.withhold_usage);
            for (name, count) in COUNTED_IN_THE_HEAD {
                meter.told(count, header(head.headers, name).and_then(number));
            }
            let status = header(head.headers, ":status").and_then(number).unwrap_or(0);
            let length = header(head.headers, "content-length").and_then(number);
            open.answer = Some(Answer { status, meter, length, first_byte: None });
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
        let Self { started, schema, mut labels, request_id, model_asked, stream, audit, phase, .. } = self;
        let mut record = Record {
            labels: labels.clone(),
            outcome: Outcome::ClientClosed,
            request_id,
            api: schema.name,
            model_asked,
            model_answered: String::new(),
            stream,
            status: ending.status,
            attempts: ending.attempts,
            usage: Usage::default(),
            usage_source: UsageSource::None,
            usage_mismatch: false,
            service_tier: None,
            cost: NanoUsd::ZERO,
            provider_cost: None,
            provider_cost_differs: false,
            reserved: NanoUsd::ZERO,
            audit,
            duration_ms: now.since(started) / 1_000_000,
            first_byte_ms: None,
            admitted: false,
        };
        let (settlement, experience) = match phase {
            Phase::Refused(outcome) => {
                record.outcome = outcome;
                (None, None)
            }
            Phase::Reading { .. } | Phase::Asking { .. } | Phase::Over => {
                record.outcome = ending::unread(ending);
                (None, None)
            }
            Phase::Open(open) => {
                let provider = policy.provider(ending.cluster.as_deref());
                provider.map_or(OTHER, |provider| &provider.name).clone_into(&mut labels.provider);
                let charged = provider.map_or(ReportedCost::Compare, |provider| provider.reported_cost);
                record.labels = labels;
                record.admitted = true;
                record.reserved = open.reservation.cost;
                let first_byte = open.answer.as_ref().and_then(|answer| answer.first_byte);
                record.first_byte_ms = first_byte.map(|at| at.since(started) / 1_000_000);
                let (settlement, experience) = open.settle(ending, stream, charged, &mut record);
                (Some(settlement), experience)
            }
        };
        Closed { settlement, experience, record }
    }
}

fn too_large(policy: &Policy) -> Rejection {
    let message = format!("The request's body is larger than the {} bytes allowed.", policy.max_request_bytes);
    Rejection::plain(Outcome::RequestTooLarge, message)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod corpus;
