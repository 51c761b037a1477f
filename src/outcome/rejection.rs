//! A refusal: its words and figures, whether and when to try again, and the reply that it becomes.

use super::no_room::{self, RefusedBy, Refuser};
use super::{Outcome, dialect};
use crate::limit::{Level, Refusal, Standing};
use crate::llm::schema::{Dialect, Schema};
use crate::units::{NanoUsd, Tokens};
use serde::Serialize;

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

/// The last event of a stream that the gateway ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEvent {
    pub name: Option<&'static str>,
    /// A document of JSON.
    pub data: Vec<u8>,
}

/// The figures of a refusal, for people and programs. Money is in USD as decimal strings, everything else are counts. Those of a
/// group of tenants are there only where its members may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    guard: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<Figure>,
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
pub const LONGEST_SLEEP_MS: u64 = 60_000;
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

    /// A limit or budget that had no room: says which, how much, and when to come back. `refuser`: whose it is, if not the tenant's own
    /// for all models.
    pub fn limit(refusal: &Refusal, standing: &Standing, refuser: Option<&Refuser>) -> Self {
        let money = refusal.guard.is_money();
        let figure = |value: u64| if money { Figure::Usd(NanoUsd(value).to_string()) } else { Figure::Count(value) };
        let own = |value| refuser.is_none_or(|refuser| refuser.shows_figures).then(|| figure(value));
        let detail = Detail {
            guard: refusal.guard.name(),
            group: refuser.and_then(|refuser| refuser.group.as_deref()).map(str::to_owned),
            model_group: refuser.and_then(|refuser| refuser.model_group.as_deref()).map(str::to_owned),
            limit: own(refusal.limit),
            used: own(refusal.used),
            reserved: own(refusal.reserved),
            remaining: own(refusal.left),
            needed: figure(refusal.needed),
            reset_seconds: refusal.retry_seconds(),
        };
        let outcome = if refusal.in_flight { Outcome::RateLimited } else { Outcome::of_guard(refusal.guard) };
        let mut rejection = Self::plain(outcome, no_room::message(refusal, refuser));
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

    /// An answer that has begun, and for whose rest a budget has no more.
    pub fn exhausted(refusal: &Refusal, refuser: Option<&Refuser>) -> Self {
        let message = no_room::exhausted(refusal, refuser);
        Self { outcome: Outcome::BudgetExhausted, message, ..Self::limit(refusal, &Standing::default(), refuser) }
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
            group: None,
            model_group: None,
            limit: Some(Figure::Count(most)),
            used: Some(Figure::Count(most)),
            reserved: Some(Figure::Count(0)),
            remaining: Some(Figure::Count(0)),
            needed: Figure::Count(1),
            reset_seconds: Some(RETRY_SECONDS),
        }));
        rejection.retry_after = Some(RETRY_SECONDS);
        rejection.headers.push(("retry-after", RETRY_SECONDS.to_string()));
        rejection
    }

    /// The limit or budget that refused.
    pub fn refused_by(&self) -> Option<RefusedBy> {
        let of = |detail: &Detail| RefusedBy {
            guard: detail.guard,
            group: detail.group.clone(),
            model_group: detail.model_group.clone(),
        };
        self.detail.as_deref().map(of)
    }

    /// What is said where the answer has begun, as an event of the API that was called.
    pub fn as_last_event(&self, schema: &Schema, request_id: &str) -> LastEvent {
        LastEvent { name: schema.failure, data: dialect::event(self, schema, request_id) }
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
pub fn never_again() -> (&'static str, String) {
    ("x-should-retry", "false".to_owned())
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
mod tests;
