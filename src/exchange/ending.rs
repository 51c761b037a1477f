//! How an exchange ended, as Envoy knows it, and what that is called.

use super::charge::Evidence;
use crate::attempt::{Begun, Failed};
use crate::outcome::Outcome;

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
    /// When attempts began, but for the first: what failed before, and how long Envoy waited then, is nothing that they wrote in.
    pub begun: Vec<Begun>,
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
    pub(super) fn left_under_way(&self, after: u64) -> Evidence {
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

/// How an exchange ended that was sent on, and got no answer.
pub(super) const fn unanswered(ending: &Ending) -> Outcome {
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
pub(super) const fn answered(ending: &Ending, status: u64, error: bool, whole: bool) -> Outcome {
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
