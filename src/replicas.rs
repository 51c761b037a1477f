//! Limits and budgets that several Envoys share: what Envoy's own `ratelimit` filters ask a rate limit service and publish to it,
//! and what its refusals mean.
//!
//! The service adds and compares, and takes nothing back. So requests are counted by it before the call, and
//! exactly; tokens and money are only looked at before the call, and counted at the end, when they are known. What is
//! under way meanwhile is bounded by each Envoy's share: [`Replicas::in_flight`].
//!
//! A budget of $0.000001 and one of $1,000,000 don't fit the same unit of a service whose limits have 32 bits. So each
//! budget has its own, a power of ten of nano-USD: the smallest in which it is at most [`MOST_UNITS`]. What is published are the
//! whole units that the tenant's charges of all time have passed since the last time: no remainder is lost or rounded up, and
//! what was charged while the service was unavailable is published with the next answer after it.

use crate::calendar::{Calendar, rfc3339};
use crate::headers::Headers;
use crate::limit::guard::{Counted, Kind, WINDOWS};
use crate::limit::window::Span;
use crate::limit::{Charged, Guard, Level, Refusal, Reservation, Rules, Share, Shares, Standing};
use crate::units::{NanoUsd, Tokens, UnixNanos};

/// A budget in the unit in which it is counted.
const MOST_UNITS: u64 = 1_000_000_000;
/// Envoy passes on no more than this of one answer. What is dearer has filled its whole budget.
const MOST_HITS: u64 = MOST_UNITS - 1;

/// The service as the configuration knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Leads to it. Its health says whether it is away.
    pub cluster: String,
    /// What reservations under way may hold of a budget here.
    pub in_flight: Share,
    /// This Envoy's own part of the windows and budgets, while the service is away.
    pub requests_without_service: Share,
    pub budgets_without_service: Share,
}

/// A name in filter state and what stands there for Envoy's `ratelimit` filters.
pub type Descriptor = (&'static str, String);

impl Replicas {
    pub const fn shares(&self, away: bool) -> Shares {
        if !away {
            return Shares { in_flight: self.in_flight, ..Shares::WHOLE };
        }
        let (requests, budgets) = (self.requests_without_service, self.budgets_without_service);
        // A part is this Envoy's own, to its last cent.
        let in_flight = if budgets.is_whole() { self.in_flight } else { Share::WHOLE };
        Shares { requests, budgets, in_flight }
    }
}

/// What the service is asked before the call.
pub fn question(tenant: &str, tier: &str, rules: &Rules, reservation: &Reservation) -> Vec<Descriptor> {
    let mut states = vec![("nexus_tenant", tenant.to_owned()), ("nexus_tier", tier.to_owned())];
    if reservation.expensive {
        states.push(("nexus_expensive", Guard::ExpensivePerMinute.name().to_owned()));
    }
    for (guard, name) in [(Guard::DayUsd, "nexus_day"), (Guard::MonthUsd, "nexus_month")] {
        if let Some(limit) = rules.get(guard).limit {
            states.push((name, period(guard, limit, reservation.at)));
        }
    }
    states
}

/// What is published to the service at the end, if all up to `before` was. What is late is published to no day and no month
/// that it wasn't charged in.
pub fn published(rules: &Rules, before: NanoUsd, charged: Charged, tokens: Tokens) -> Vec<Descriptor> {
    let mut states = Vec::new();
    if rules.get(Guard::TokensPerMinute).limit.is_some() {
        states.push(("nexus_tokens", tokens.0.min(MOST_HITS).to_string()));
    }
    let Charged { day, month, ever } = charged;
    for (guard, name, period) in [(Guard::DayUsd, "nexus_day_hits", day), (Guard::MonthUsd, "nexus_month_hits", month)]
    {
        if let Some(limit) = rules.get(guard).limit {
            states.push((name, hits(unit(limit), before.max(ever.less(period)), ever).to_string()));
        }
    }
    states
}

/// Nano-USD to one hit of the service.
pub fn unit(limit: u64) -> u64 {
    let mut unit: u64 = 1;
    while limit.checked_div(unit).is_some_and(|units| units > MOST_UNITS) {
        unit = unit.saturating_mul(10);
    }
    unit
}

/// The units that end between two sums of charges. Added up they are the whole units of the last.
fn hits(unit: u64, before: NanoUsd, now: NanoUsd) -> u64 {
    let units = |charged: NanoUsd| charged.0.checked_div(unit).unwrap_or(0);
    units(now).saturating_sub(units(before)).min(MOST_HITS)
}

/// A budget's period, and its unit: one that changed must not read the counts of the other. The service's own months
/// have thirty days, so the month is named here, and counted in its longest window.
fn period(guard: Guard, limit: u64, at: UnixNanos) -> String {
    let length = if guard == Guard::MonthUsd { "2027-01".len() } else { "2027-01-15".len() };
    format!("{}:{}", unit(limit), rfc3339(at).get(..length).unwrap_or_default())
}

/// The service refuses above its figure. What is counted at the end is refused from the limit on, for by then it is spent.
pub fn figure(guard: Guard, limit: u64) -> u32 {
    let figure = match guard.kind() {
        Kind::Budget(_) => limit.checked_div(unit(limit)).unwrap_or(0).saturating_sub(1),
        Kind::Window(Counted::Tokens, _) => limit.saturating_sub(1),
        Kind::Request | Kind::Window(..) | Kind::InFlight => limit,
    };
    u32::try_from(figure).unwrap_or(u32::MAX)
}

/// Which of the two kinds of `ratelimit` filters has refused, by a header that each of them puts on its refusals.
pub const REFUSED_BY: &str = "x-nexus-refused-by";
/// Envoy's own headers, of the filter that counts requests and tokens.
pub const STANDING: [&str; 3] = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

/// The tightest window as Envoy tells it: which it is, what it allows, what is left and when it begins anew.
fn tightest(rules: &Rules, headers: &Headers) -> Option<(Guard, Counted, Level)> {
    let [limit, remaining, reset] = STANDING;
    // The figure comes first, then all windows.
    let digits = headers.get(limit)?.iter().take_while(|byte| byte.is_ascii_digit());
    let figured = digits.fold(0, |figured: u32, byte| figured.saturating_mul(10).saturating_add(u32::from(byte & 15)));
    let (remaining, reset_seconds) = (headers.number(remaining)?, headers.number(reset)?);
    let fits = |(guard, counted, span): (Guard, Counted, Span)| {
        let limit = rules.get(guard).limit?;
        let is_it = figure(guard, limit) == figured && reset_seconds <= span.seconds();
        is_it.then_some((guard, counted, Level { limit, remaining, reset_seconds }))
    };
    WINDOWS.into_iter().find_map(fits)
}

/// Where the windows of all Envoys stand, in the place of this one's where they are tighter.
pub fn standing(rules: &Rules, headers: &Headers, own: Standing) -> Standing {
    match tightest(rules, headers) {
        None => own,
        Some((_, Counted::Tokens, level)) => Standing { tokens: Some(level), requests: None }.tighter(own),
        Some((_, Counted::Expensive, _)) => own,
        Some((_, Counted::Requests, level)) => Standing { requests: Some(level), tokens: None }.tighter(own),
    }
}

/// The limit that the service found full.
pub fn refusal(rules: &Rules, headers: &Headers, reservation: &Reservation, now: UnixNanos) -> Option<Refusal> {
    let budget = |guard, calendar: Calendar| Some((guard, rules.get(guard).limit?, calendar.ends_in(now)));
    let (guard, limit, retry) = match headers.get(REFUSED_BY)? {
        b"day_usd" => budget(Guard::DayUsd, Calendar::Day)?,
        b"month_usd" => budget(Guard::MonthUsd, Calendar::Month)?,
        _ => tightest(rules, headers).map(|(guard, _, level)| (guard, level.limit, level.reset_seconds.max(1)))?,
    };
    let needed = match guard.kind() {
        Kind::Budget(_) | Kind::Request => reservation.cost.0,
        Kind::Window(Counted::Tokens, _) => reservation.tokens.0,
        Kind::Window(..) | Kind::InFlight => 1,
    };
    // Envoy has rounded it up, and a client that waits for less than a minute only should.
    let retry_ms = Some(retry.saturating_mul(1_000).saturating_sub(1));
    Some(Refusal { guard, limit, used: limit, reserved: 0, left: 0, needed, retry_ms, beside: None, in_flight: false })
}

#[cfg(test)]
mod tests;
