//! How an exchange ended, what that is called, and what becomes of its reservation.

use std::rc::Rc;

mod attempts;

use super::charge::{Answered, Charge, Evidence, Request};
use super::input::Input;
use super::{Answer, Leg, Open};
use crate::attempt::Failed;
use crate::limit::Reservation;
use crate::llm::estimate;
use crate::llm::estimate::experience::Experience;
use crate::llm::meter::Reading;
use crate::llm::schema::Schema;
use crate::llm::usage::{Reported, UsageSource};
use crate::outcome::Outcome;
use crate::policy::{OTHER, Policy, ReportedCost, TenantIx};
use crate::record::{Bill, Record};
use crate::units::{NanoUsd, Tokens, UnixNanos};
use attempts::began;

/// What Envoy knows once the stream is over.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    pub status: u64,
    /// Envoy's response flags, as the bits that the attribute `response.flags` has.
    pub flags: u64,
    /// The cluster that was chosen, if any.
    pub cluster: Option<String>,
    /// Whether a connection to the provider carried (a part of) the request.
    pub sent: bool,
    pub attempts: u64,
    /// Attempts that were answered by a failure.
    pub failed: Vec<Failed>,
}

impl Ending {
    /// The client reset its stream of HTTP/2 (DR). Bits are those of Envoy's `CoreResponseFlag`.
    pub const RESET: u64 = 1 << 28;
    /// The downstream connection ended (DC), or its protocol was broken (DPE).
    const CLIENT_GONE: u64 = 1 << 14 | 1 << 18 | Self::RESET;
    /// Envoy's heap was full, and this stream among those that held the most (OM).
    const OVERLOADED: u64 = 1 << 25;
    /// Envoy gave up waiting: route (UT), idle (SI), upstream and downstream stream durations (UMSDR, DT); or on the stream.
    const GAVE_UP: u64 = 1 << 2 | 1 << 16 | 1 << 19 | 1 << 22 | Self::OVERLOADED;

    const fn has(&self, flags: u64) -> bool {
        self.flags & flags != 0
    }

    /// Whoever walks away from a request under way doesn't know what it came to. Between two attempts nothing is under way.
    fn left_under_way(&self, after: u64) -> Evidence {
        let under_way =
            self.sent && self.failed.iter().all(|failed| failed.number < self.attempts || failed.given_up.is_some());
        if under_way && self.has(Self::CLIENT_GONE | Self::GAVE_UP) {
            Evidence::LeftUnderWay { after }
        } else {
            Evidence::Unanswered
        }
    }

    /// What Envoy called it that answered by itself and sent nothing on: no route leads there (404, 426, another
    /// `direct_response`), or a filter behind this one refuses. That is between the client and Envoy, and says nothing of a provider.
    pub(super) const fn unsent(&self) -> Option<Outcome> {
        match self.status {
            _ if self.sent || self.attempts > 0 => None,
            413 => Some(Outcome::RequestTooLarge),
            429 => Some(Outcome::RateLimited),
            1..500 => Some(Outcome::InvalidRequest),
            _ => None,
        }
    }
}

/// The money of an exchange, to be written to its tenant's cell. It consumed the reservation.
#[derive(Debug, PartialEq, Eq)]
pub struct Settlement {
    pub tenant: TenantIx,
    pub reservation: Reservation,
    pub cost: NanoUsd,
    pub tokens: Tokens,
    /// The request was never sent on: the windows forget it, too.
    pub withdrawn: bool,
}

/// What a phase came to, for the record and the books.
pub(super) struct Came {
    pub outcome: Outcome,
    /// The limit or budget that had no room.
    pub refused_by: Option<&'static str>,
    /// Where the client got another than Envoy says.
    pub status: Option<u64>,
    /// The label of whoever was asked, if anybody was.
    pub provider: Option<String>,
    pub sent: Option<Sent>,
    pub bill: Bill,
    pub settlement: Option<Settlement>,
    pub experience: Option<Experience>,
}

/// Of a request that was sent on.
pub(super) struct Sent {
    pub reserved: NanoUsd,
    /// Nanoseconds until the answer's first byte, and until its first output.
    pub first_byte: Option<u64>,
    pub first_output: Option<u64>,
    /// The label of the model that was asked last.
    pub model: Option<String>,
}

impl Came {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            refused_by: None,
            status: None,
            provider: None,
            sent: None,
            bill: Bill::default(),
            settlement: None,
            experience: None,
        }
    }
}

pub struct Closed {
    pub settlement: Option<Settlement>,
    pub experience: Option<Experience>,
    pub record: Record,
}

/// How a request ended that was never read to its end.
pub(super) const fn unread(ending: &Ending) -> Outcome {
    match ending.status {
        413 => Outcome::RequestTooLarge,
        400..500 => Outcome::InvalidRequest,
        _ if ending.has(Ending::OVERLOADED) => Outcome::InternalError,
        _ if ending.status == 0 || ending.has(Ending::CLIENT_GONE) => Outcome::ClientClosed,
        _ => Outcome::InternalError,
    }
}

impl Open {
    /// What was reserved for a request that was never sent on is given back, with its places in the windows.
    pub(super) fn withdrawn(self) -> Settlement {
        let Self { tenant, reservation, .. } = self;
        Settlement { tenant, reservation, cost: NanoUsd::ZERO, tokens: Tokens(0), withdrawn: true }
    }

    /// What the exchange came to: the last thing that happens to a reservation.
    pub(super) fn close(
        self,
        policy: &Policy,
        ending: &Ending,
        stream: bool,
        started: UnixNanos,
        now: UnixNanos,
    ) -> Came {
        if let Some((outcome, refused_by)) = self.withdrawn {
            let status = Some(outcome.status().into());
            return Came { refused_by, status, settlement: Some(self.withdrawn()), ..Came::of(outcome) };
        }
        if self.answer.is_none()
            && let Some(outcome) = ending.unsent()
        {
            return Came { settlement: Some(self.withdrawn()), ..Came::of(outcome) };
        }
        let provider = policy.provider(ending.cluster.as_deref());
        let leg = self.leg(policy, ending.cluster.as_deref());
        let sent = Sent {
            reserved: self.reservation.cost,
            first_byte: self.answer.as_ref().and_then(|answer| answer.first_byte).map(|at| at.since(started)),
            first_output: self.answer.as_ref().and_then(|answer| answer.first_output).map(|at| at.since(started)),
            model: leg.map(|leg| leg.label.clone()),
        };
        let provider_name = provider.map_or(OTHER, |provider| &provider.name).to_owned();
        let charged = provider.map_or(ReportedCost::Compare, |provider| provider.reported_cost);
        let tariff = leg.map(|leg| Rc::clone(&leg.tariff)).unwrap_or_default();
        let request = Request {
            most_output: self.most_output,
            items: self.items,
            stream,
            background: self.schema.background,
            detached: self.detached,
            reports: self.schema.always_reports(),
            ..Request::default()
        };
        let request = leg.map_or(request, |leg| request.at(leg, &self.input));
        let sent_at = began(&self.reservation, ending.failed.iter().filter(|failed| failed.number < ending.attempts));
        let failed_attempts = self.failed(policy, ending, &request);
        let mut account_refusals = self.account_refusals(policy, ending);
        let Weighed { outcome, evidence, read, experience } = match self.answer {
            Some(Answer { refused: Some(status), .. }) => {
                account_refusals.push((provider_name.clone(), status));
                Weighed::without_answer(Outcome::ProviderUnavailable, Evidence::AccountRefused)
            }
            Some(answer) => answer.weighed(self.schema, ending, &self.input, &request, [sent_at, now]),
            None => Weighed::without_answer(unanswered(ending), ending.left_under_way(now.since(sent_at))),
        };
        let charge = evidence.charge(&request);
        let (usage, usage_source) = (charge.usage(), charge.source());
        let Read { model, service_tier, provider_cost, usage_mismatch } = read;
        let ours = match service_tier.as_deref() {
            Some(served) => tariff.cost(&usage, Some(served)),
            None => tariff.cost_unserved(&usage, self.service_tier.as_deref()),
        };
        let believes = provider_cost.is_none_or(|theirs| is_near(theirs, ours));
        let cost = match (&charge, provider_cost, charged) {
            (Charge::Nothing, ..) => NanoUsd::ZERO,
            (Charge::Reported(_), Some(theirs), ReportedCost::Charge) if believes => theirs,
            _ => ours,
        };
        let usage_implausible =
            matches!(charge, Charge::Implausible(_)) || (charged == ReportedCost::Charge && !believes);
        // Providers round, too; and an estimate is no price to hold theirs against.
        let provider_cost_differs =
            usage_source == UsageSource::Reported && provider_cost.is_some_and(|theirs| theirs.0.abs_diff(ours.0) > 1);
        let bill = Bill {
            model,
            usage,
            usage_source,
            usage_mismatch,
            usage_implausible,
            usage_unreported: matches!(charge, Charge::Unreported(_)),
            service_tier,
            cost,
            failed_attempts,
            account_refusals,
            provider_cost,
            provider_cost_differs,
        };
        let settlement = Settlement {
            tenant: self.tenant,
            reservation: self.reservation,
            cost: bill.charged(),
            tokens: bill.tokens(),
            withdrawn: false,
        };
        Came {
            provider: Some(provider_name),
            sent: Some(sent),
            bill,
            settlement: Some(settlement),
            experience,
            ..Came::of(outcome)
        }
    }
}

impl Request {
    /// The same, where this leg leads.
    fn at(self, leg: &Leg, input: &Input) -> Self {
        let likely_input = input.likely(leg);
        let shown_input = input.shown(leg);
        let request = Self {
            likely_input,
            most_input: shown_input.plus(input.hidden(leg, shown_input)),
            shown_input,
            density: leg.density,
            hidden_input: input.explains(leg),
            ..self
        };
        if request.hidden_input == Tokens(0) {
            return request;
        }
        let [brought_each, brought] = input.brought(leg, likely_input);
        Self { brought_each, brought, ..request }
    }
}

impl Answer {
    /// What was read of it, and what that proves.
    fn weighed(
        self,
        schema: &'static Schema,
        ending: &Ending,
        input: &Input,
        request: &Request,
        [sent, now]: [UnixNanos; 2],
    ) -> Weighed {
        let Self { status, meter, length, first_byte, first_output, .. } = self;
        let (stream, non_streaming) = (request.stream, !request.stream && !meter.is_stream());
        let Reading {
            mut reported,
            cost,
            model,
            service_tier,
            generated,
            error,
            is_blank,
            accepted,
            finished,
            uncounted,
            stray,
        } = meter.read();
        // What has no output, and is none, has not even an output of nothing.
        if is_blank || (error && reported.says_nothing(schema.contract)) {
            reported = Reported::default();
        }
        let error = error || (is_blank && ending.flags == 0 && status < 400);
        let is_final = reported.is_whole() && (finished || !stream || (ending.flags == 0 && uncounted == 0));
        let outcome = answered(ending, status, error, is_final);
        let shown = estimate::output(schema, generated, stream, error, request.density);
        let seen = estimate::seen(generated, request.density);
        let elapsed = now.since(sent);
        let is_plausible = !reported.within(&request.most(seen, elapsed)).implausible;
        let experience = if is_final && is_plausible && input.is_plain() {
            let usage = reported.usage(Tokens::default, Tokens::default);
            // An answer in one piece is written before it is sent, however slowly it is read.
            let took = first_byte.filter(|_| non_streaming).map_or(elapsed, |at| at.since(sent));
            Experience::of(&input.sizes, generated, non_streaming, shown, request.likely_input, &usage, took)
        } else {
            None
        };
        let answered = Answered {
            status,
            reported,
            is_final,
            shown,
            seen,
            stray: request.density.output.tokens(stray),
            silent: first_output.unwrap_or(now).since(sent),
            elapsed,
            uncounted,
            error,
            non_streaming,
            broke_off: ending.flags != 0,
            length,
            success: outcome == Outcome::Success,
            accepted,
        };
        let usage_mismatch = is_final && reported.mismatch;
        let read = Read { model: model.unwrap_or_default(), service_tier, provider_cost: cost, usage_mismatch };
        Weighed { outcome, evidence: Evidence::Answered(answered), read, experience }
    }
}

/// What is known of an answer, and what its ending is called.
struct Weighed {
    outcome: Outcome,
    evidence: Evidence,
    read: Read,
    experience: Option<Experience>,
}

/// What an answer says beside its usage.
#[derive(Default)]
struct Read {
    model: String,
    service_tier: Option<String>,
    provider_cost: Option<NanoUsd>,
    usage_mismatch: bool,
}

impl Weighed {
    fn without_answer(outcome: Outcome, evidence: Evidence) -> Self {
        Self { outcome, evidence, read: Read::default(), experience: None }
    }
}

/// A provider's own figure is believed up to ten times ours, or down to a tenth. Where ours is nothing, there is no price to
/// hold it against: then up to what no answer costs.
fn is_near(theirs: NanoUsd, ours: NanoUsd) -> bool {
    const MOST_UNPRICED: NanoUsd = NanoUsd(100_000_000_000);
    match ours {
        NanoUsd::ZERO => theirs <= MOST_UNPRICED,
        _ => theirs.0 <= ours.0.saturating_mul(10) && ours.0 <= theirs.0.saturating_mul(10).saturating_add(10),
    }
}

/// How an exchange ended that was sent on, and got no answer.
const fn unanswered(ending: &Ending) -> Outcome {
    if ending.has(Ending::CLIENT_GONE) {
        Outcome::ClientClosed
    } else if ending.has(Ending::OVERLOADED) {
        Outcome::InternalError
    } else {
        Outcome::ProviderUnavailable
    }
}

/// How an exchange ended whose answer had begun. A usage that came says that the answer was whole: SDKs hang up on
/// `[DONE]` without waiting for the end of the stream.
const fn answered(ending: &Ending, status: u64, error: bool, whole: bool) -> Outcome {
    match status {
        429 => Outcome::ProviderRateLimited,
        400..500 => Outcome::ProviderRejected,
        500.. => Outcome::ProviderError,
        _ if error => Outcome::ProviderError,
        _ if whole || ending.flags == 0 => Outcome::Success,
        _ if ending.has(Ending::CLIENT_GONE) => Outcome::ClientClosed,
        _ if ending.has(Ending::OVERLOADED) => Outcome::InternalError,
        _ => Outcome::ProviderAborted,
    }
}
