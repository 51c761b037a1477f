//! How an exchange ended, what that is called, and what it costs.
//!
//! Trade-off: an ending that tells its usage is charged exactly. One that doesn't is charged an estimate that leans
//! towards what the provider will bill: a client that walks away must not find that cheaper than to stay.

use super::{Answer, Open};
use crate::limit::Reservation;
use crate::llm::estimate::output;
use crate::llm::meter::Reading;
use crate::llm::usage::{Usage, UsageSource};
use crate::outcome::Outcome;
use crate::policy::TenantIx;
use crate::record::Record;
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
}

impl Ending {
    /// Bits as in Envoy's `CoreResponseFlag`: the downstream connection ended (DC), or its protocol was broken (DPE).
    const CLIENT_GONE: u64 = 1 << 14 | 1 << 18;
    /// Envoy gave up waiting: route (UT), idle (SI), upstream and downstream stream durations (UMSDR, DT).
    const GAVE_UP: u64 = 1 << 2 | 1 << 16 | 1 << 19 | 1 << 22;

    const fn has(&self, flags: u64) -> bool {
        self.flags & flags != 0
    }
}

/// The money of an exchange, to be written to its tenant's cell. It consumed the reservation.
#[derive(Debug, PartialEq, Eq)]
pub struct Settlement {
    pub tenant: TenantIx,
    pub reservation: Reservation,
    pub cost: NanoUsd,
    pub tokens: Tokens,
}

pub struct Closed {
    pub settlement: Option<Settlement>,
    pub record: Record,
}

/// How a request ended that was never read to its end.
pub(super) const fn unread(ending: &Ending) -> Outcome {
    match ending.status {
        413 => Outcome::RequestTooLarge,
        400..500 => Outcome::InvalidRequest,
        _ if ending.status == 0 || ending.has(Ending::CLIENT_GONE) => Outcome::ClientClosed,
        _ => Outcome::InternalError,
    }
}

impl Open {
    /// What the exchange came to: the last thing that happens to a reservation.
    pub(super) fn settle(self, ending: &Ending, stream: bool, record: &mut Record) -> Settlement {
        let likely_input = self.sizes.input_likely();
        let estimate = |output: Tokens| {
            let output = output.min(self.most_output);
            Usage {
                input_tokens: likely_input,
                output_tokens: output,
                total_tokens: likely_input.plus(output),
                ..Usage::default()
            }
        };
        let (usage, source) = match self.answer {
            Some(Answer { status, meter, length, .. }) => {
                let Reading { usage, model, likely_output, error } = meter.read();
                record.model_answered = model.unwrap_or_default();
                record.outcome = answered(ending, status, error, usage.is_some());
                match usage {
                    Some(usage) => (usage, UsageSource::Reported),
                    // An error and nothing else is no output, under whatever status: providers don't bill for it.
                    None if status >= 400 || (error && likely_output == Tokens(0)) => {
                        (Usage::default(), UsageSource::None)
                    }
                    // An answer in one piece was generated to its end before it was sent: what was cut off counts too.
                    None if !stream && ending.flags != 0 => {
                        let whole = length.map_or(self.most_output, output);
                        (estimate(whole.max(likely_output)), UsageSource::Estimated)
                    }
                    None => (estimate(likely_output), UsageSource::Estimated),
                }
            }
            None => {
                record.outcome =
                    if ending.has(Ending::CLIENT_GONE) { Outcome::ClientClosed } else { Outcome::ProviderUnavailable };
                // Whoever walks away from a request under way doesn't know what it came to. A stream would have
                // begun to show; an answer in one piece may have been generated to its end, and is billed as such.
                let walked_away = ending.sent && ending.has(Ending::CLIENT_GONE | Ending::GAVE_UP);
                match (walked_away, stream) {
                    (false, _) => (Usage::default(), UsageSource::None),
                    (true, true) => (estimate(Tokens(0)), UsageSource::Estimated),
                    (true, false) => (estimate(self.most_output), UsageSource::Estimated),
                }
            }
        };
        let cost = self.rates.cost(&usage);
        record.usage = usage;
        record.usage_source = source;
        record.cost = cost;
        Settlement { tenant: self.tenant, reservation: self.reservation, cost, tokens: usage.total_tokens }
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
        _ => Outcome::ProviderAborted,
    }
}
