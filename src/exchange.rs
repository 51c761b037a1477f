//! A client's request from its first header to its last byte, as a state machine without IO.
//!
//! Trade-off: the order of things stands in this one file, and every callback is one call into it. Each phase owns
//! exactly what it needs, so nothing can be settled that was not admitted, and nothing twice.

use crate::attempt::Chain;
use crate::attempt::blame::Who;
use crate::forward::Cut;
use crate::headers::Headers;
use crate::kept::Id;
use crate::limit::{Admitted, Ask, Bound, Decision, Guards, Reservation, Shares, Standing, SwapLost};
use crate::llm::brings::Items;
use crate::llm::estimate::density::Density;
use crate::llm::meter::Meter;
use crate::llm::request::{Edit, Request, RequestReader};
use crate::llm::schema::{BoundField, Schema};
use crate::llm::usage::Count;
use crate::outcome::{Crowd, Outcome, Rejection, Reply};
use crate::policy::{OTHER, OnContention, Policy, TenantIx};
use crate::price::Tariff;
use crate::record::{Labels, Record};
use crate::route::{ProviderIx, Sensitivity};
use crate::units::{NanoUsd, Tokens, UnixNanos};
use std::rc::Rc;

mod answer;
mod charge;
mod ending;
mod input;
mod kept;
mod levers;
mod models;
mod offer;
mod opening;
mod side;

use ending::{Came, Sent};
use input::Input;
use offer::{Offer, Wish, chain};
use opening::too_large;

pub use ending::{Closed, Ending, Settlement};
pub use side::{Passage, Side};

pub struct Exchange {
    started: UnixNanos,
    schema: &'static Schema,
    /// Once it is known to be one of ours.
    tenant: Option<TenantIx>,
    labels: Labels,
    /// As the header says it.
    role: Option<String>,
    sensitivity: Option<Sensitivity>,
    /// As it goes on.
    path: String,
    cut: Cut,
    request_id: String,
    model_asked: String,
    /// What it was taken for: the model of a role, of an alias, or the cheapest.
    model_chosen: String,
    stream: bool,
    /// Envoy inflated the body before it came here.
    inflated: bool,
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
    /// Answered before its end, by the provider or by Envoy in its stead: the body was never sent.
    Early(Outcome),
    /// Answered by the gateway itself; by which of the tenant's limits, if one was full.
    Refused(Outcome, Option<&'static str>),
    /// Its record is written.
    Over,
}

/// A request that may be sent on, if the cell has room.
struct Plan {
    request: Request,
    /// Never empty.
    legs: Vec<Leg>,
    bound: Bound,
    /// Whether they were chosen here: then each attempt edits for itself.
    routed: bool,
    input: Input,
    /// What of it the body only points at, as reserved.
    hidden: Tokens,
}

/// A provider that a request may go to, and what it is called and costs there.
struct Leg {
    provider: Option<ProviderIx>,
    /// The model's name there.
    model: String,
    path: String,
    /// The `model` label.
    label: String,
    tariff: Rc<Tariff>,
    bound_field: BoundField,
    /// The most that the model writes at once.
    max_output: Option<Tokens>,
    /// The most that it reads, if that is known.
    context: Option<Tokens>,
    density: Density,
    /// Whether a stream is to be asked for its usage.
    ask_usage: bool,
}

struct Open {
    tenant: TenantIx,
    schema: &'static Schema,
    reservation: Reservation,
    legs: Vec<Leg>,
    routed: bool,
    /// As the client asked for it; the answer may say otherwise.
    service_tier: Option<String>,
    input: Input,
    items: Items,
    most_output: Tokens,
    /// It is to be answered while nobody waits.
    detached: bool,
    standing: Standing,
    /// Whether the client does not want the usage event of its stream, should one be asked for.
    hide_usage: bool,
    /// Whether its tenant may ask for the answer again.
    note_ids: bool,
    /// Whether a request may go on from the answer, and what that then holds is still to be noted.
    note_sizes: bool,
    answer: Option<Answer>,
    /// The service that several Envoys share had no room, or was unavailable; by which limit.
    withdrawn: Option<(Outcome, Option<&'static str>)>,
}

/// The provider's answer, once its head is there.
struct Answer {
    status: u64,
    meter: Box<Meter>,
    /// As the head announced it.
    length: Option<u64>,
    first_byte: Option<UnixNanos>,
    /// Comments, a role and other heads are no output.
    first_output: Option<UnixNanos>,
    /// Its last byte has passed: whatever happens to the stream from now on, the provider has answered.
    complete: bool,
    /// By this status the provider refused the gateway's own account; `status` is what the client got.
    refused: Option<u64>,
}

/// What is known of an outcome before Envoy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoFar {
    /// By the gateway itself.
    Refused {
        status: u64,
    },
    Answered {
        status: u64,
        complete: bool,
    },
    Nothing,
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
    /// Send it where Envoy's route leads, with these edits at the beginning of its body (none: as it is).
    Forward(Vec<Edit>),
    /// Send it along this chain, as it is: each attempt edits for its provider.
    Route(Chain),
    Refuse(Reply),
}

/// What is known around a request when its end has come.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Where Envoy's route leads.
    pub cluster: Option<&'a str>,
    /// Whether a provider's circuit breaker is known to be open.
    pub is_open: &'a dyn Fn(ProviderIx) -> bool,
    /// Whether a tenant, by its name, was given what has this id.
    pub knows: &'a dyn Fn(&str, Id) -> bool,
    /// What a tenant's ids hold in all, by its name, if that is known of each of them.
    pub sizes: &'a dyn Fn(&str, &[Id]) -> Option<Tokens>,
    /// What is known of a priced model's tokens, when a tenant asks for it.
    pub density: &'a dyn Fn(&str, &str) -> Density,
    /// Whether the service by which Envoys share limits is known to be unavailable.
    pub service_unavailable: bool,
    pub now: UnixNanos,
}

/// The head of an answer, whoever made it.
pub struct AnswerHead<'a> {
    pub headers: &'a Headers,
    /// Whether it came from the provider, not from Envoy in its stead.
    pub from_provider: bool,
    /// Whose it is, where there was a choice.
    pub cluster: Option<&'a str>,
    /// Whether no body follows.
    pub end_of_stream: bool,
}

/// What becomes of an answer's head.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub set: Vec<(&'static str, String)>,
    pub remove: Vec<&'static str>,
    /// The client gets this in the place of the body.
    pub body: Option<Vec<u8>>,
}

/// Bedrock counts the tokens of InvokeModel for models whose answers don't.
const COUNTED_IN_THE_HEAD: [(&str, Count); 2] =
    [("x-amzn-bedrock-input-token-count", Count::Input), ("x-amzn-bedrock-output-token-count", Count::Output)];

impl Exchange {
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

    /// What the head loses before it goes on.
    pub const fn cut(&self) -> &Cut {
        &self.cut
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

    /// Envoy inflated the body that was read.
    pub const fn came_compressed(&mut self) {
        self.inflated = true;
    }

    /// Whether the request's end is still to be decided.
    pub const fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Reading { .. })
    }

    /// Too much of the tenant's is still coming for this one to be read on.
    pub fn crowded(&mut self, crowd: Crowd) -> Reply {
        self.refuse(Rejection::crowd(crowd))
    }

    fn refuse(&mut self, rejection: Rejection) -> Reply {
        self.phase = Phase::Refused(rejection.outcome, rejection.limit_name());
        rejection.in_dialect(self.schema.dialect, &self.request_id)
    }

    /// The request has ended: what must the tenant's cell be asked?
    pub fn end_of_request(&mut self, policy: &Policy, around: Around<'_>) -> Result<Demand, Reply> {
        let Phase::Reading { tenant, reader, received } = std::mem::replace(&mut self.phase, Phase::Over) else {
            let rejection = Rejection::plain(Outcome::InternalError, "The request was read out of order.");
            return Err(self.refuse(rejection));
        };
        // Envoy says nothing of what it could not inflate, and leaves it out.
        let cut = if self.inflated {
            " Its body was compressed; it may be broken, or grow more than a hundredfold."
        } else {
            ""
        };
        let request = reader.finish(received).map_err(|invalid| {
            Rejection::plain(Outcome::InvalidRequest, format!("The request can't be read: {invalid}.{cut}"))
        });
        match request.and_then(|request| self.plan(policy, tenant, request, around)) {
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
        mut request: Request,
        around: Around<'_>,
    ) -> Result<(Plan, Ask), Rejection> {
        self.model_asked.clone_from(&request.model);
        self.stream = request.stream;
        self.hear(policy, &request)?;
        let Some(tenant) = policy.tenant_policy(tenant) else {
            return Err(Rejection::plain(Outcome::InternalError, "The tenant is gone."));
        };
        kept::judge(policy.stored_responses, self.schema, &mut request, |id| (around.knows)(&tenant.name, id))?;
        kept::weigh(&mut request, |ids| (around.sizes)(&tenant.name, ids));
        let floor = tenant.rules.sensitivity.unwrap_or(Sensitivity::Public);
        let wish = Wish {
            policy,
            tenant,
            request: &request,
            schema: self.schema,
            path: &self.path,
            role: self.role.as_deref(),
            sensitivity: self.sensitivity.unwrap_or(policy.default_sensitivity).max(floor),
            around,
        };
        let fields = wish.unknown_fields()?;
        let Offer { model, legs, noted, input, reckoned, hidden, ceiling, bound, .. } = wish.best()?;
        noted.iter().chain(fields).for_each(|name| self.cut.left_out.unknown_field(name));
        if let Some(leg) = legs.first() {
            self.labels.model = leg.label.clone().into();
        }
        let ask = Ask {
            input,
            ceiling,
            bound,
            choices: request.choices,
            expensive_model: policy.expensive.is_model(&model),
            expensive_over: policy.expensive.over,
            lease_seconds: policy.lease_seconds,
            shares: policy.replicas.as_ref().map_or(Shares::WHOLE, |shared| shared.shares(around.service_unavailable)),
        };
        self.model_chosen = model;
        Ok((Plan { request, legs, bound, routed: policy.routes.choose(), input: reckoned, hidden }, ask))
    }

    /// The cell has answered, or the swap lost every race.
    pub fn decided(&mut self, policy: &Policy, decision: Result<Decision, SwapLost>, now: UnixNanos) -> Step {
        let Phase::Asking { tenant, plan } = std::mem::replace(&mut self.phase, Phase::Over) else {
            let rejection = Rejection::plain(Outcome::InternalError, "The request was decided out of order.");
            return Step::Refuse(self.refuse(rejection));
        };
        let (admitted, standing) = match (decision, policy.on_contention) {
            (Ok(Decision { verdict, standing, audit, .. }), _) => {
                self.audit = audit;
                match verdict {
                    Ok(admitted) => (admitted, standing),
                    Err(refusal) => {
                        let mut rejection = Rejection::limit(&refusal, &standing);
                        if let Some(field) = plan.request.hidden.field() {
                            rejection.blame_hidden(field, plan.hidden);
                        }
                        return Step::Refuse(self.refuse(rejection));
                    }
                }
            }
            (Err(SwapLost), OnContention::Deny) => {
                let message = "The tenant's limits could not be checked just now; try again.";
                return Step::Refuse(self.refuse(Rejection::plain(Outcome::InternalError, message)));
            }
            // Sent on without a reservation; its cost is charged all the same when it is over.
            (Err(SwapLost), OnContention::Allow) => {
                let reservation = Reservation { at: now, cost: NanoUsd::ZERO, tokens: Tokens(0), expensive: false };
                let per_choice = match plan.bound {
                    Bound::Client(tokens) | Bound::Open { at_most: tokens, .. } => tokens,
                };
                (Admitted { reservation, per_choice }, Standing::default())
            }
        };
        let Plan { request, legs, routed, input, .. } = *plan;
        let open_bound = request.bound().is_none();
        let edits = |leg: &Leg| {
            let most = leg.max_output.map_or(admitted.per_choice, |most| admitted.per_choice.min(most));
            let writes = open_bound || request.is_bound_elsewhere(leg.bound_field);
            let bound = writes.then_some((leg.bound_field, most));
            let rename = request.needs_name() || (leg.model != request.model && !request.model_in_path);
            request.edits(rename.then_some(leg.model.as_str()), bound, leg.ask_usage)
        };
        let step = match legs.first() {
            Some(leg) if !routed => Step::Forward(edits(leg)),
            _ => {
                let tenant = Who::of(&self.labels.tenant);
                Step::Route(chain(policy, self.schema, &self.cut.kept, &legs, &request, tenant, edits))
            }
        };
        self.phase = Phase::Open(Box::new(Open {
            tenant,
            schema: self.schema,
            reservation: admitted.reservation,
            legs,
            routed,
            input,
            items: request.items(),
            most_output: admitted.per_choice.times(request.choices),
            detached: request.background,
            standing,
            hide_usage: request.stream && !request.wants_usage(),
            note_ids: kept::may_be_kept(policy.stored_responses, self.schema, &request),
            note_sizes: kept::may_be_gone_on_from(policy.stored_responses, self.schema, &request),
            service_tier: request.rates.name(),
            answer: None,
            withdrawn: None,
        }));
        step
    }

    /// Whether it was sent on: only then there is an answer to read and a reservation to settle.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub fn so_far(&self) -> SoFar {
        match &self.phase {
            Phase::Refused(outcome, _) => SoFar::Refused { status: outcome.status().into() },
            Phase::Open(open) => match open.answer.as_ref() {
                Some(Answer { status, complete, .. }) => SoFar::Answered { status: *status, complete: *complete },
                None => SoFar::Nothing,
            },
            _ => SoFar::Nothing,
        }
    }

    /// The stream is over, however it ended.
    pub fn close(self, policy: &Policy, ending: &Ending, now: UnixNanos) -> Closed {
        let Self {
            started, schema, mut labels, cut, request_id, model_asked, model_chosen, stream, audit, phase, ..
        } = self;
        let Came { outcome, refused_by, status, provider, sent, bill, settlement, experience } = match phase {
            Phase::Refused(outcome, refused_by) => Came { refused_by, ..Came::of(outcome) },
            Phase::Early(outcome) => {
                let provider = ending.cluster.as_deref().map(|cluster| policy.provider(Some(cluster)));
                let label = provider.map(|provider| provider.map_or(OTHER, |provider| &provider.name).to_owned());
                Came { provider: label, ..Came::of(outcome) }
            }
            Phase::Reading { .. } | Phase::Asking { .. } | Phase::Over => Came::of(ending::unread(ending)),
            Phase::Open(open) => open.close(policy, ending, stream, started, now),
        };
        if let Some(provider) = provider {
            labels.provider = provider.into();
        }
        let admitted = sent.is_some();
        let (mut reserved, mut first_byte_ms, mut first_token_ms) = (NanoUsd::ZERO, None, None);
        if let Some(Sent { reserved: held, first_byte, first_output, model }) = sent {
            reserved = held;
            first_byte_ms = first_byte.map(|nanos| nanos / 1_000_000);
            first_token_ms = first_output.map(|nanos| nanos / 1_000_000);
            labels.model = model.map_or(labels.model, Into::into);
        }
        let record = Record {
            labels,
            outcome,
            started,
            request_id,
            api: schema.name,
            model_asked,
            model_chosen,
            stream,
            status: status.unwrap_or(ending.status),
            attempts: ending.attempts,
            bill,
            reserved,
            refused_by,
            audit,
            left_out: cut.left_out,
            duration_ms: now.since(started) / 1_000_000,
            first_byte_ms,
            first_token_ms,
            admitted,
        };
        Closed { settlement, experience, record }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod corpus;

#[cfg(test)]
mod routing;
