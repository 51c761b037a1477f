//! How an exchange can end, as one closed vocabulary: the code is the reply's `code`, the `status` label and the
//! record's field, so dashboards, clients and documents speak the same word.

mod dialect;
mod no_room;
mod rejection;

use crate::calendar::Calendar;
use crate::limit::Guard;
use crate::limit::guard::{Counted, Kind};
pub use no_room::{RefusedBy, Refuser};
pub use rejection::{
    Crowd, Detail, LONGEST_SLEEP_MS, LastEvent, Rejection, Reply, never_again, rate_limit_headers, shown,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    // Refused by the gateway, before anything was sent on.
    InvalidRequest,
    TenantMissing,
    TenantUnknown,
    ModelNotAllowed,
    /// A rule about texts doesn't let it through.
    ContentRefused,
    /// It offers, chooses or calls a tool that its tenant may not use.
    ToolNotAllowed,
    RequestBudgetExceeded,
    DailyBudgetExceeded,
    MonthlyBudgetExceeded,
    ModelNotFound,
    ModelUnpriced,
    /// What a provider may have kept, and is not known to be this tenant's.
    ResponseNotFound,
    RequestTooLarge,
    UnsupportedEncoding,
    RateLimited,
    ExpensiveRateLimited,
    TokenRateLimited,
    /// Too much of an account's is in flight at once.
    InFlightLimited,
    InternalError,
    // Sent on, and ended otherwise than by a good answer.
    ProviderUnavailable,
    /// The provider refused the request (4xx other than 429).
    ProviderRejected,
    /// The provider's own rate limit (429).
    ProviderRateLimited,
    /// The provider failed (5xx), or reported an error inside a 200.
    ProviderError,
    /// The answer broke off in the middle, on the provider's side.
    ProviderAborted,
    /// The client went away before its answer was complete.
    ClientClosed,
    /// The gateway ended a stream for which there was no money left.
    BudgetExhausted,
}

impl Outcome {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::InvalidRequest => "invalid_request",
            Self::TenantMissing => "tenant_missing",
            Self::TenantUnknown => "tenant_unknown",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::ContentRefused => "content_refused",
            Self::ToolNotAllowed => "tool_not_allowed",
            Self::RequestBudgetExceeded => "request_budget_exceeded",
            Self::DailyBudgetExceeded => "daily_budget_exceeded",
            Self::MonthlyBudgetExceeded => "monthly_budget_exceeded",
            Self::ModelNotFound => "model_not_found",
            Self::ModelUnpriced => "model_unpriced",
            Self::ResponseNotFound => "response_not_found",
            Self::RequestTooLarge => "request_too_large",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::RateLimited => "rate_limited",
            Self::ExpensiveRateLimited => "expensive_rate_limited",
            Self::TokenRateLimited => "token_rate_limited",
            Self::InFlightLimited => "in_flight_limited",
            Self::InternalError => "internal_error",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderRejected => "provider_rejected",
            Self::ProviderRateLimited => "provider_rate_limited",
            Self::ProviderError => "provider_error",
            Self::ProviderAborted => "provider_aborted",
            Self::ClientClosed => "client_closed",
            Self::BudgetExhausted => "budget_exhausted",
        }
    }

    /// The status of the gateway's own reply. Endings behind the provider's answer keep the status they had; of one that the gateway
    /// brings about, this chooses the words.
    pub const fn status(self) -> u32 {
        match self {
            Self::InvalidRequest | Self::ContentRefused | Self::ToolNotAllowed => 400,
            Self::TenantMissing => 401,
            Self::TenantUnknown | Self::ModelNotAllowed => 403,
            Self::RequestBudgetExceeded
            | Self::DailyBudgetExceeded
            | Self::MonthlyBudgetExceeded
            | Self::BudgetExhausted => 402,
            // What clients take for a wrong name, and show as one.
            Self::ModelNotFound | Self::ModelUnpriced | Self::ResponseNotFound => 404,
            Self::RequestTooLarge => 413,
            Self::UnsupportedEncoding => 415,
            Self::RateLimited | Self::ExpensiveRateLimited | Self::TokenRateLimited | Self::InFlightLimited => 429,
            Self::ProviderError => 502,
            Self::ProviderUnavailable => 503,
            _ => 500,
        }
    }

    pub const fn of_guard(guard: Guard) -> Self {
        match guard.kind() {
            Kind::Window(Counted::Requests, _) => Self::RateLimited,
            Kind::Window(Counted::Expensive, _) => Self::ExpensiveRateLimited,
            Kind::Window(Counted::Tokens, _) => Self::TokenRateLimited,
            Kind::InFlight => Self::InFlightLimited,
            Kind::Request => Self::RequestBudgetExceeded,
            Kind::Budget(Calendar::Day) => Self::DailyBudgetExceeded,
            Kind::Budget(Calendar::Month) => Self::MonthlyBudgetExceeded,
        }
    }
}
