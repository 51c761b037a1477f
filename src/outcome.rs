//! How an exchange can end, as one closed vocabulary: the code is the reply's `code`, the `status` label and the
//! record's field, so dashboards, clients and documents speak the same word.

mod dialect;

use crate::limit::{Guard, Level, Refusal, Standing};
use crate::llm::schema::Dialect;
use crate::units::{NanoUsd, Tokens};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    // Refused by the gateway, before anything was sent on.
    InvalidRequest,
    TenantMissing,
    TenantUnknown,
    ModelNotAllowed,
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
    /// Too much of the tenant's is under way at once.
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
}

impl Outcome {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::InvalidRequest => "invalid_request",
            Self::TenantMissing => "tenant_missing",
            Self::TenantUnknown => "tenant_unknown",
            Self::ModelNotAllowed => "model_not_allowed",
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
        }
    }

    /// The status of the gateway's own reply. Endings behind the provider's answer keep the status they had.
    pub const fn status(self) -> u32 {
        match self {
            Self::InvalidRequest => 400,
            Self::TenantMissing => 401,
            Self::TenantUnknown | Self::ModelNotAllowed => 403,
            Self::RequestBudgetExceeded | Self::DailyBudgetExceeded | Self::MonthlyBudgetExceeded => 402,
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
        match guard {
            Guard::RequestsPerMinute | Guard::RequestsPerHour | Guard::RequestsPerDay => Self::RateLimited,
            Guard::ExpensivePerMinute => Self::ExpensiveRateLimited,
            Guard::TokensPerMinute => Self::TokenRateLimited,
            Guard::RequestUsd => Self::RequestBudgetExceeded,
            Guard::DayUsd => Self::DailyBudgetExceeded,
            Guard::MonthUsd => Self::MonthlyBudgetExceeded,
        }
    }
}

/// What a tenant's bodies that are still coming have too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    Bodies { most: u64 },
    Bytes { most: u64 },
}

/// A refusal, before its dialect is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub outcome: Outcome,
    pub message: String,
    pub detail: Option<Box<Detail>>,
    /// Seconds until it may be worth trying again, as a client reads it.
    pub retry_after: Option<u64>,
    pub headers: Vec<(&'static str, String)>,
}

/// A local reply, in the dialect of the API that was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub outcome: Outcome,
    pub status: u32,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The figures of a refusal, for people and programs. Money is in USD as decimal strings, everything else are counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    guard: &'static str,
    limit: Figure,
    used: Figure,
    reserved: Figure,
    remaining: Figure,
    needed: Figure,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    Count(u64),
    Usd(String),
}

/// Longer than this (a minute's window), an SDK must be asked not to sleep through it: three official ones otherwise sleep as
/// long as `retry-after` says.
const LONGEST_SLEEP_MS: u64 = 60_000;
/// The longest name of a model that a message repeats, in characters.
const LONGEST_NAME: usize = 96;

/// What a client calls a model, as a message repeats it: bounded, and without what a terminal would obey.
pub fn shown(name: &str) -> String {
    let printable = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    let mut shown: String = name.chars().take(LONGEST_NAME).map(printable).collect();
    if shown.len() < name.len() && name.chars().nth(LONGEST_NAME).is_some() {
        shown.push('…');
    }
    shown
}

impl Rejection {
    /// A refusal that needs no figures.
    pub fn plain(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into(), detail: None, retry_after: None, headers: Vec::new() }
    }

    /// A limit or budget that had no room: says which, how much, and when to come back.
    pub fn limit(refusal: &Refusal, standing: &Standing) -> Self {
        let money = refusal.guard.is_money();
        let figure = |value: u64| if money { Figure::Usd(NanoUsd(value).to_string()) } else { Figure::Count(value) };
        let detail = Detail {
            guard: refusal.guard.name(),
            limit: figure(refusal.limit),
            used: figure(refusal.used),
            reserved: figure(refusal.reserved),
            remaining: figure(refusal.left),
            needed: figure(refusal.needed),
            reset_seconds: refusal.retry_seconds(),
        };
        let outcome = if refusal.in_flight { Outcome::RateLimited } else { Outcome::of_guard(refusal.guard) };
        let mut rejection = Self::plain(outcome, message(refusal));
        rejection.detail = Some(Box::new(detail));
        if !money || refusal.in_flight {
            // A request that can never pass gets a wait all the same (429 always has one), and not to use it.
            let wait = refusal.retry_ms.unwrap_or(LONGEST_SLEEP_MS);
            let seconds = wait.div_ceil(1_000);
            rejection.retry_after = Some(seconds);
            rejection.headers.push(("retry-after", seconds.to_string()));
            // OpenAI's, Anthropic's and Vercel's SDKs read this one first.
            rejection.headers.push(("retry-after-ms", wait.to_string()));
            if refusal.retry_ms.is_none_or(|wait| wait > LONGEST_SLEEP_MS) {
                rejection.headers.push(never_again());
            }
        }
        rejection.headers.extend(rate_limit_headers(standing));
        rejection
    }

    /// Of the tokens that had no room, these are behind what the body only points at: there is something to be done about it.
    pub fn blame_hidden(&mut self, field: &str, tokens: Tokens) {
        let needs = matches!(
            self.outcome,
            Outcome::RequestBudgetExceeded
                | Outcome::DailyBudgetExceeded
                | Outcome::MonthlyBudgetExceeded
                | Outcome::TokenRateLimited
        );
        if needs && tokens > Tokens(0) {
            self.message.push_str(&format!(
                " `{field}` may bring in {} tokens that the body doesn't show, and they are reserved: leave it out and send what is \
                 needed as text, or choose a model with a smaller context.",
                tokens.0
            ));
        }
    }

    /// The tenant's bodies that are still coming are as many, or hold as much, as they may. The wait is a guess: a body
    /// ends when its client ends it.
    pub fn crowd(crowd: Crowd) -> Self {
        const RETRY_SECONDS: u64 = 1;
        let (guard, held, most) = match crowd {
            Crowd::Bodies { most } => ("max_waiting_bodies", format!("Bodies of {most} requests"), most),
            Crowd::Bytes { most } => ("max_waiting_bytes", format!("{most} bytes of requests"), most),
        };
        let message = format!(
            "{held} of this tenant wait here for the rest of them, as many as may at once. Try again in {RETRY_SECONDS} s."
        );
        let mut rejection = Self::plain(Outcome::InFlightLimited, message);
        rejection.detail = Some(Box::new(Detail {
            guard,
            limit: Figure::Count(most),
            used: Figure::Count(most),
            reserved: Figure::Count(0),
            remaining: Figure::Count(0),
            needed: Figure::Count(1),
            reset_seconds: Some(RETRY_SECONDS),
        }));
        rejection.retry_after = Some(RETRY_SECONDS);
        rejection.headers.push(("retry-after", RETRY_SECONDS.to_string()));
        rejection
    }

    /// The limit or budget that refused, as the operator writes it.
    pub fn limit_name(&self) -> Option<&'static str> {
        self.detail.as_ref().map(|detail| detail.guard)
    }

    pub fn in_dialect(self, dialect: Dialect, request_id: &str) -> Reply {
        let body = dialect::body(&self, dialect, request_id);
        let mut headers = self.headers;
        headers.push(("content-type", "application/json".to_owned()));
        // Whoever asks the same again is refused again. (A rate limit says so by itself where it holds for long.)
        if matches!(self.outcome.status(), 400..=428 | 430..500) {
            headers.push(never_again());
        }
        if let Some(kind) = dialect::header(self.outcome, dialect) {
            headers.push(kind);
        }
        if !request_id.is_empty() {
            // OpenAI's SDKs show the first, Anthropic's the second, AWS's one of its own.
            headers.push(("x-request-id", request_id.to_owned()));
            headers.push(("request-id", request_id.to_owned()));
            if dialect == Dialect::Aws {
                headers.push(("x-amzn-requestid", request_id.to_owned()));
            }
        }
        Reply { outcome: self.outcome, status: self.outcome.status(), headers, body }
    }
}

/// What official SDKs and Claude Code obey before their own ideas of which status is worth another try.
fn never_again() -> (&'static str, String) {
    ("x-should-retry", "false".to_owned())
}

fn message(refusal: &Refusal) -> String {
    let Refusal { limit, used, reserved, left, needed, .. } = *refusal;
    let usd = |value| format!("${}", NanoUsd(value));
    let wait = refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" It resets in {seconds} s."));
    let spent = |period: &str| {
        format!(
            "The {period} budget of {} has no room for this request: {} spent, {} reserved by requests under way, \
             {} left, and this request may cost up to {}.{wait}",
            usd(limit),
            usd(used),
            usd(reserved),
            usd(left),
            usd(needed)
        )
    };
    let rate = |what: &str| {
        let wait = refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" Try again in {seconds} s."));
        format!("Rate limit reached: {limit} {what}, {used} used, {left} left.{wait}")
    };
    match refusal.guard {
        _ if refusal.in_flight => format!(
            "Requests under way hold {} of the budget of {}, all that they may. Try again when one has ended.",
            usd(reserved),
            usd(limit)
        ),
        Guard::RequestsPerMinute => rate("requests per minute"),
        Guard::RequestsPerHour => rate("requests per hour"),
        Guard::RequestsPerDay => rate("requests per day"),
        Guard::ExpensivePerMinute => rate("expensive requests per minute"),
        Guard::TokensPerMinute if refusal.retry_ms.is_none() => format!(
            "This request may use up to {needed} tokens, more than the {limit} tokens per minute that are allowed. \
             Shorten it or lower its output bound."
        ),
        Guard::TokensPerMinute => {
            format!("{} This request may use up to {needed}.", rate("tokens per minute"))
        }
        Guard::RequestUsd => format!(
            "This request may cost up to {}, more than the {} a single request may cost. Shorten it, lower its \
             output bound or choose a cheaper model.",
            usd(needed),
            usd(limit)
        ),
        Guard::DayUsd => spent("daily"),
        Guard::MonthUsd => spent("monthly"),
    }
}

/// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, in OpenAI's spelling (`reset` is a duration).
pub fn rate_limit_headers(standing: &Standing) -> Vec<(&'static str, String)> {
    let mut headers = Vec::with_capacity(6);
    let mut add = |level: Option<Level>, [limit, remaining, reset]: [&'static str; 3]| {
        if let Some(level) = level {
            headers.push((limit, level.limit.to_string()));
            headers.push((remaining, level.remaining.to_string()));
            headers.push((reset, format!("{}s", level.reset_seconds)));
        }
    };
    add(
        standing.requests,
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    );
    add(standing.tokens, ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn refusal(guard: Guard, retry_ms: Option<u64>) -> Refusal {
        Refusal {
            guard,
            limit: 10_000_000,
            used: 4,
            reserved: 2,
            left: 9_999_994,
            needed: 10_000_000,
            retry_ms,
            in_flight: false,
        }
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_budget_refusal_is_never_slept_on_and_shows_its_figures() {
        let rejection = Rejection::limit(&refusal(Guard::DayUsd, Some(3_600_000)), &Standing::default());
        let reply = rejection.in_dialect(Dialect::OpenAi, "id-1");
        assert_eq!((reply.status, header(&reply, "retry-after")), (402, None));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["error"]["code"], "daily_budget_exceeded");
        assert_eq!(body["error"]["detail"]["limit"], "0.01");
        assert_eq!(body["error"]["detail"]["used"], "0.000000004");
        assert_eq!(body["error"]["detail"]["reset_seconds"], 3_600);
    }

    #[test]
    fn a_rate_refusal_always_says_when_and_long_waits_are_not_for_sleeping() {
        for guard in Guard::ALL.into_iter().filter(|guard| !guard.is_money()) {
            for (wait, retry, should) in [
                (Some(1), ("1", "1"), None),
                (Some(59_999), ("60", "59999"), None),
                (Some(60_001), ("61", "60001"), Some("false")),
                (None, ("60", "60000"), Some("false")),
            ] {
                let reply =
                    Rejection::limit(&refusal(guard, wait), &Standing::default()).in_dialect(Dialect::OpenAi, "");
                let said = (header(&reply, "retry-after"), header(&reply, "retry-after-ms"));
                assert_eq!((reply.status, said), (429, (Some(retry.0), Some(retry.1))));
                assert_eq!(header(&reply, "x-should-retry"), should);
            }
        }
    }

    #[test]
    fn what_is_refused_for_good_says_so_and_what_may_pass_later_does_not() {
        use Outcome::*;
        for (outcome, status) in [
            (InvalidRequest, 400),
            (TenantMissing, 401),
            (DailyBudgetExceeded, 402),
            (TenantUnknown, 403),
            (ModelNotAllowed, 403),
            (ModelNotFound, 404),
            (ModelUnpriced, 404),
            (ResponseNotFound, 404),
            (RequestTooLarge, 413),
            (UnsupportedEncoding, 415),
            (RateLimited, 429),
            (InternalError, 500),
            (ProviderUnavailable, 503),
        ] {
            let reply = Rejection::plain(outcome, "no").in_dialect(Dialect::Anthropic, "");
            let expected = (status < 500 && status != 429).then_some("false");
            assert_eq!((reply.status, header(&reply, "x-should-retry")), (status, expected));
        }
    }

    #[test]
    fn a_models_name_is_shown_bounded_and_printable() {
        assert_eq!(shown("gpt-9"), "gpt-9");
        assert_eq!(shown("a\r\nb\u{1b}[31m"), "a\u{fffd}\u{fffd}b\u{fffd}[31m");
        assert_eq!(shown(&"ä".repeat(LONGEST_NAME)), "ä".repeat(LONGEST_NAME));
        assert_eq!(shown(&"ä".repeat(300)).chars().count(), LONGEST_NAME + 1);
    }
}
