//! A client's request from its first header to its last byte, as a state machine without IO. Every callback is one call into it.
//!
//! | Phase | what it owns | goes on by |
//! |---|---|---|
//! | `Reading` | the reader of the body | [`Exchange::body`], [`Exchange::end_of_request`] |
//! | `Deciding` | nothing: the [`Demand`] has it | [`Exchange::decided`] |
//! | `Open` | the reservation, the answer | [`Exchange::answer_head`], [`Exchange::answer_body`] |
//! | `Early`, `Refused` | why | |
//!
//! [`Exchange::close`] ends each of them. A demand and a reservation have no copies: nothing is settled that was not admitted,
//! and nothing twice.

use std::rc::Rc;

use crate::attempt::Chain;
use crate::content::{Placeholders, Prompt};
use crate::forward::HeadEdit;
use crate::headers::Headers;
use crate::kept::Id;
use crate::limit::accounts::Whose;
use crate::limit::cell::Cell;
use crate::limit::{Audited, ModelsIx, Reservation, Standing};
use crate::llm::brings::Items;
use crate::llm::conversation::ConversationReader;
use crate::llm::estimate::density::Density;
use crate::llm::meter::Meter;
use crate::llm::offered::Offers;
use crate::llm::request::{Edit, Rates, RequestReader};
use crate::llm::schema::Schema;
use crate::outcome::{Crowd, Outcome, RefusedBy, Rejection, Reply};
use crate::policy::{Policy, TenantIx, TenantPolicy};
use crate::record::content::Looked;
use crate::record::{self, Instead, Labels};
use crate::route::{ProviderIx, Sensitivity};
use crate::tools::Callable;
use crate::units::{Tokens, UnixNanos};

mod admission;
mod answer;
mod charge;
mod closing;
mod content;
mod ending;
mod eyes;
mod input;
mod instead;
mod kept;
mod levers;
mod models;
mod offer;
mod opening;
mod sent;
mod shadow;
mod side;
mod spending;
mod sticky;
mod tools;

pub use admission::Demand;
use admission::Leg;
pub use answer::Interest;
use eyes::Eyes;
use input::Input;
use opening::too_large;
use shadow::{Copied, CopiedFor};
use sticky::SticksTo;

pub use closing::{Closed, Settlement};
pub use ending::Ending;
pub use shadow::{MIRROR, NAME as SHADOW_NAME};
pub use side::{CountBody, Onward, Side};
pub use spending::More;

pub struct Exchange {
    started: UnixNanos,
    schema: &'static Schema,
    /// Once it is known to be one of ours.
    tenant: Option<TenantIx>,
    labels: Labels,
    /// As the header says it.
    role: Option<String>,
    sensitivity: Option<Sensitivity>,
    sticks_to: SticksTo,
    /// As it goes on.
    path: String,
    cut: HeadEdit,
    request_id: String,
    phase: Phase,
    /// Another's request, on a shadow's account.
    copied: Option<Copied>,
    /// What rules about its texts have seen, where there are any.
    looked: Option<Box<Looked>>,
    /// What rules about tools have seen, where there are any.
    tools: Option<Box<record::tools::Seen>>,
}

/// What the body asks for.
#[derive(Clone, Default)]
struct AskedFor {
    /// As the client names it.
    model: String,
    /// What that was taken for, if there was a choice to be made: the model of a role, of an alias, or the cheapest.
    chosen: Option<String>,
    /// The name that is split among variants, of which that is one.
    split: Option<Rc<str>>,
    /// Why that serves in another's place, if it does.
    instead: Option<Box<Instead>>,
    stream: bool,
}

enum Phase {
    /// The body is coming.
    Reading(Incoming),
    /// Its end has come, and it is being decided; or it is being opened.
    Deciding,
    /// Sent on; the reservation is held until the stream has ended.
    Open(Box<Open>),
    /// Answered before its end, by the provider or by Envoy in its stead: the body was never sent.
    Early {
        outcome: Outcome,
        /// The status by which the provider refused the gateway's own account; the client got another.
        refused: Option<u64>,
    },
    /// Answered by the gateway itself.
    Refused(Box<Refused>),
}

struct Incoming {
    tenant: TenantIx,
    reader: Box<RequestReader>,
    /// Where texts are looked at.
    prompt: Option<Box<Prompt>>,
    /// Where tools are.
    offers: Option<Box<Offers>>,
    /// Where turns of one conversation are known for that.
    conversation: Option<Box<ConversationReader>>,
    received: u64,
    /// Envoy inflates the body before it comes here.
    inflated: bool,
}

struct Refused {
    outcome: Outcome,
    /// Which limit was full.
    limit: Option<RefusedBy>,
    /// If the body was read.
    asked: Option<AskedFor>,
    audit: Audited,
}

struct Open {
    tenant: Rc<TenantPolicy>,
    schema: &'static Schema,
    asked: AskedFor,
    /// Limits that would have refused it, were they not audited only.
    audit: Audited,
    reservation: Reservation,
    legs: Vec<Leg>,
    /// The model groups of these, as far as anybody has limits for them.
    models: Vec<ModelsIx>,
    routed: bool,
    /// As the client asked for it; the answer may say otherwise.
    rates: Rates,
    input: Input,
    items: Items,
    most_output: Tokens,
    /// How many answers are written at once: choices, each of every prompt.
    choices: u64,
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
    /// What stands for what was found in it, if its texts are looked at.
    placeholders: Option<Box<Placeholders>>,
    /// What the answer may call, where there are rules about it.
    callable: Option<Box<Callable>>,
    /// The shadow that is to have a copy of it.
    copied_for: Option<CopiedFor>,
    /// The service that several Envoys share had no room, or was unavailable; by which limit.
    withdrawn: Option<(Outcome, Option<RefusedBy>)>,
}

/// The provider's answer, once its head is there.
struct Answer {
    status: u64,
    meter: Box<Meter>,
    /// Who else looks at it.
    eyes: Option<Box<Eyes>>,
    /// As the head announced it.
    length: Option<u64>,
    first_byte: Option<UnixNanos>,
    /// Comments, a role and other heads are no output.
    first_output: Option<UnixNanos>,
    /// Its last byte has passed: whatever happens to the stream from now on, the provider has answered.
    complete: bool,
    /// The client got a reply with this status in its place.
    instead: Option<u64>,
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
    /// Whether the filter runs in a provider's cluster, too, and makes of a request there what may be sent.
    pub is_attended: &'a dyn Fn(ProviderIx) -> bool,
    /// Whether a provider's circuit breaker is known to be open.
    pub is_open: &'a dyn Fn(ProviderIx) -> bool,
    /// Whether a variant of a split, by the names of both, has passed what it may come to.
    pub is_out: &'a dyn Fn(&str, &str) -> bool,
    /// Whether a tenant, by its name, was given what has this id.
    pub knows: &'a dyn Fn(&str, Id) -> bool,
    /// What a tenant's ids hold in all, by its name, if that is known of each of them.
    pub sizes: &'a dyn Fn(&str, &[Id]) -> Option<Tokens>,
    /// What is known of a priced model's tokens, when a tenant asks for it.
    pub density: &'a dyn Fn(&str, &str) -> Density,
    /// An account's cell, if it has one.
    pub cell: &'a dyn Fn(Whose<'_>) -> Option<Cell>,
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
    /// It waits until all of the body has been read: that may be refused.
    pub held: bool,
}

impl Exchange {
    /// Takes the next bytes of the body. A reply means that no more are wanted.
    pub fn body(&mut self, policy: &Policy, bytes: &[u8]) -> Option<Reply> {
        let Phase::Reading(reading) = &mut self.phase else {
            return None;
        };
        reading.received = reading.received.saturating_add(bytes.len() as u64);
        if reading.received > policy.max_request_bytes {
            return Some(self.refuse(too_large(policy)));
        }
        reading.reader.feed(bytes);
        if let Some(prompt) = &mut reading.prompt {
            prompt.feed(bytes);
            if let Some((refused, seen)) = prompt.given_up() {
                return Some(self.refuse_unread(&refused, seen));
            }
        }
        if let Some(offers) = &mut reading.offers {
            offers.feed(bytes);
        }
        if let Some(conversation) = &mut reading.conversation {
            conversation.feed(bytes);
        }
        None
    }

    /// What the head loses before it goes on.
    pub const fn cut(&self) -> &HeadEdit {
        &self.cut
    }

    /// Whose request it is, once that is known.
    pub const fn tenant(&self) -> Option<TenantIx> {
        self.tenant
    }

    /// Bytes of the body that were read so far.
    pub fn received(&self) -> u64 {
        match &self.phase {
            Phase::Reading(reading) => reading.received,
            _ => 0,
        }
    }

    /// Bytes that are kept of the body until its end, beside Envoy's.
    pub fn holds(&self) -> usize {
        match &self.phase {
            Phase::Reading(reading) => reading.prompt.as_ref().map_or(0, |prompt| prompt.weight()),
            _ => 0,
        }
    }

    /// Bytes that are kept of the request until its answer has ended.
    pub fn keeps(&self) -> usize {
        match &self.phase {
            Phase::Open(open) => {
                // What is only masked is forgotten when the answer begins.
                let restored = open.placeholders.as_ref().filter(|placeholders| placeholders.restores());
                let restored = restored.map_or(0, |placeholders| placeholders.weight());
                open.callable.as_ref().map_or(restored, |callable| callable.weight().saturating_add(restored))
            }
            _ => 0,
        }
    }

    /// Envoy inflated the body that was read.
    pub const fn came_compressed(&mut self) {
        if let Phase::Reading(reading) = &mut self.phase {
            reading.inflated = true;
        }
    }

    /// Whether the request's end is still to be decided.
    pub const fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Reading(_))
    }

    /// Too much of the tenant's is still coming for this one to be read on.
    pub fn crowded(&mut self, crowd: Crowd) -> Reply {
        self.refuse(Rejection::crowd(crowd))
    }

    fn refuse(&mut self, rejection: Rejection) -> Reply {
        self.refuse_asked(rejection, None, Audited::default())
    }

    /// What was asked for is known.
    fn refuse_asked(&mut self, rejection: Rejection, asked: Option<AskedFor>, audit: Audited) -> Reply {
        let (outcome, limit) = (rejection.outcome, rejection.refused_by());
        self.phase = Phase::Refused(Box::new(Refused { outcome, limit, asked, audit }));
        rejection.in_dialect(self.schema.dialect, &self.request_id)
    }

    /// Whether it was sent on: only then there is an answer to read and a reservation to settle.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub fn so_far(&self) -> SoFar {
        match &self.phase {
            Phase::Refused(refused) => SoFar::Refused { status: refused.outcome.status().into() },
            Phase::Open(open) => match open.answer.as_ref() {
                Some(Answer { status, complete, .. }) => SoFar::Answered { status: *status, complete: *complete },
                None => SoFar::Nothing,
            },
            _ => SoFar::Nothing,
        }
    }
}

#[cfg(test)]
mod tests;
