//! How an exchange ended, what that is called, and what it costs.
//!
//! Trade-off: an ending that tells its usage is charged exactly. One that doesn't is charged an estimate that leans
//! towards what the provider will bill: a client that walks away must not find that cheaper than to stay.

use std::rc::Rc;

use super::{Answer, Leg, Open};
use crate::attempt::Failed;
use crate::limit::Reservation;
use crate::llm::estimate;
use crate::llm::estimate::density::Density;
use crate::llm::estimate::experience::Experience;
use crate::llm::meter::Reading;
use crate::llm::usage::{Told, UsageSource};
use crate::outcome::Outcome;
use crate::policy::{Policy, ReportedCost, TenantIx};
use crate::record::{FailedAttempt, Record};
use crate::units::{NanoUsd, Tokens};

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
    /// Bits as in Envoy's `CoreResponseFlag`: the downstream connection ended (DC), or its protocol was broken (DPE).
    const CLIENT_GONE: u64 = 1 << 14 | 1 << 18;
    /// Envoy's heap was full, and this stream among those that held the most (OM).
    const OVERLOADED: u64 = 1 << 25;
    /// Envoy gave up waiting: route (UT), idle (SI), upstream and downstream stream durations (UMSDR, DT); or on the stream.
    const GAVE_UP: u64 = 1 << 2 | 1 << 16 | 1 << 19 | 1 << 22 | Self::OVERLOADED;

    const fn has(&self, flags: u64) -> bool {
        self.flags & flags != 0
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
    pub(super) fn settle(
        self,
        policy: &Policy,
        ending: &Ending,
        stream: bool,
        charged: ReportedCost,
        record: &mut Record,
    ) -> (Settlement, Option<Experience>) {
        let (sizes, most_output) = (self.sizes, self.most_output);
        let leg = self.leg(policy, ending.cluster.as_deref());
        let density = leg.map(|leg| leg.density).unwrap_or_default();
        let tariff = leg.map(|leg| Rc::clone(&leg.tariff)).unwrap_or_default();
        record.failed_attempts = self.failed(policy, ending);
        record.account_refusals = self.account_refusals(policy, ending);
        let likely_input = || sizes.input_likely(density);
        let mut experience = None;
        let estimated = match self.answer {
            Some(Answer { refused: Some(status), .. }) => {
                record.outcome = Outcome::ProviderUnavailable;
                record.account_refusals.push((record.labels.provider.clone(), status));
                None
            }
            Some(Answer { status, meter, length, .. }) => {
                let in_one_piece = !stream && !meter.is_stream();
                let Reading { told, cost, model, service_tier: served, generated, error, finished, uncounted } =
                    meter.read();
                let whole = told.is_whole() && (finished || !stream || ending.flags == 0);
                record.model_answered = model.unwrap_or_default();
                record.outcome = answered(ending, status, error, whole);
                record.usage_mismatch = whole && told.mismatch;
                record.provider_cost = cost;
                record.service_tier = served;
                let shown = estimate::output(self.schema, generated, stream, error, density);
                if whole {
                    record.usage = told.usage(Tokens::default, Tokens::default);
                    record.usage_source = UsageSource::Reported;
                    experience = Experience::of(&sizes, generated, in_one_piece, shown, likely_input(), &record.usage);
                    None
                } else if status >= 400 || (error && shown == Tokens(0) && told.is_nothing()) {
                    // An error and nothing else is no output, under whatever status: providers don't bill for it.
                    None
                } else if told.is_whole() {
                    // It told what it came to until it broke off, or a little before.
                    Some((told.growing_by(density.output.tokens(uncounted)), shown))
                } else if in_one_piece && ending.flags != 0 {
                    // It was generated to its end before it was sent: what was cut off counts too.
                    Some((told, length.map_or(most_output, |length| whole_of(length, density)).max(shown)))
                } else if self.schema.background && shown <= Tokens(1) && record.outcome == Outcome::Success {
                    // It was only accepted, to be generated in the background.
                    Some((told, most_output))
                } else {
                    Some((told, shown))
                }
            }
            None => {
                record.outcome = match ending {
                    _ if ending.has(Ending::CLIENT_GONE) => Outcome::ClientClosed,
                    _ if ending.has(Ending::OVERLOADED) => Outcome::InternalError,
                    _ => Outcome::ProviderUnavailable,
                };
                // Whoever walks away from a request under way doesn't know what it came to. A stream would have
                // begun to show; an answer in one piece may have been generated to its end, and is billed as such.
                // Between two attempts nothing is under way.
                let under_way = ending.sent && ending.failed.iter().all(|failed| failed.number < ending.attempts);
                let walked_away = under_way && ending.has(Ending::CLIENT_GONE | Ending::GAVE_UP);
                walked_away.then_some((Told::default(), if stream { Tokens(0) } else { most_output }))
            }
        };
        if let Some((told, output)) = estimated {
            record.usage = told.usage(likely_input, || output.min(most_output));
            record.usage_source = UsageSource::Estimated;
            // What is sold by the piece was asked for, and made before it was sent.
            record.usage.images = record.usage.images.max(self.items.images);
            record.usage.search_units = record.usage.search_units.max(self.items.search_units);
        }
        let ours = match record.service_tier.as_deref() {
            Some(served) => tariff.cost(&record.usage, Some(served)),
            None => tariff.cost_unserved(&record.usage, self.service_tier.as_deref()),
        };
        record.cost = match (record.usage_source, record.provider_cost, charged) {
            (UsageSource::None, ..) => NanoUsd::ZERO,
            (UsageSource::Reported, Some(theirs), ReportedCost::Charge) => theirs,
            _ => ours,
        };
        // Providers round, too; and an estimate is no price to hold theirs against.
        record.provider_cost_differs = record.usage_source == UsageSource::Reported
            && record.provider_cost.is_some_and(|theirs| theirs.0.abs_diff(ours.0) > 1);
        let tokens = |sum: Tokens, failed: &FailedAttempt| sum.plus(failed.usage.total_tokens);
        let tokens = record.failed_attempts.iter().fold(record.usage.total_tokens, tokens);
        let cost = record.charged();
        let settlement =
            Settlement { tenant: self.tenant, reservation: self.reservation, cost, tokens, withdrawn: false };
        (settlement, experience)
    }

    /// The last attempt's answer, if one came, was metered as it passed.
    fn before_the_answer<'a>(&self, ending: &'a Ending) -> impl Iterator<Item = &'a Failed> {
        let answered = self.answer.is_some();
        ending.failed.iter().filter(move |failed| !answered || failed.number < ending.attempts)
    }

    /// Providers that refused the gateway's own account before another answered, and by which status.
    fn account_refusals(&self, policy: &Policy, ending: &Ending) -> Vec<(String, u64)> {
        let refusal = |failed: &Failed| {
            let provider = policy.providers.iter().find(|provider| provider.name == failed.provider)?;
            let status = failed.refused.filter(|status| policy.refuses_account(provider, *status))?;
            Some((failed.provider.clone(), status))
        };
        self.before_the_answer(ending).filter_map(refusal).collect()
    }

    /// What failed attempts cost.
    fn failed(&self, policy: &Policy, ending: &Ending) -> Vec<FailedAttempt> {
        let cost = |failed: &Failed| {
            let named = |leg: &&Leg| {
                let provider = leg.provider.and_then(|ix| policy.provider_at(ix));
                provider.is_some_and(|provider| provider.name == failed.provider)
            };
            let leg = self.legs.iter().find(named)?;
            let usage = failed.usage?;
            let cost = match failed.service_tier.as_deref() {
                Some(served) => leg.tariff.cost(&usage, Some(served)),
                None => leg.tariff.cost_unserved(&usage, self.service_tier.as_deref()),
            };
            let (provider, model) = (failed.provider.clone(), leg.label.clone());
            Some(FailedAttempt { provider, model, usage, cost })
        };
        self.before_the_answer(ending).filter_map(cost).collect()
    }
}

/// What an answer in one piece came to of which only the beginning was sent: text, but for what commonly frames it.
fn whole_of(length: u64, density: Density) -> Tokens {
    density.output.tokens(length.saturating_sub(density.frame_bytes))
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
