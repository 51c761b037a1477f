//! The one record a tenant has in shared data, and the three things that happen to it: admit, settle, show.
//!
//! Trade-off: fixed size, little-endian and versioned, written whole at each swap (under 1 kB): memory is bounded
//! by the configuration and a swap is all-or-nothing. The cell holds counts only, never limits, so it outlives
//! configuration and code, and changed limits apply to the old counts.

use super::budget::{self, Spend};
use super::bytes::{put, take_u64};
use super::lease::{self, Leases};
use super::window::{self, Span, Window};
use super::{
    Admitted, Ask, Bound, Charged, Decision, Guard, Guards, Level, Levels, Refusal, Reservation, Rules, Share, Standing,
};
use crate::calendar::Calendar;
use crate::units::{NanoUsd, Tokens, UnixNanos};

/// "NXC" and the layout's version. A change of layout takes a new version, and reads the one before.
const VERSION: [u8; 4] = *b"NXC\x02";
/// It had windows that did not know when within a slot the latest came.
const FIRST_VERSION: [u8; 4] = *b"NXC\x01";
/// Bytes of an encoded cell.
pub const ENCODED: usize = 4 + 5 * window::ENCODED + 2 * budget::ENCODED + lease::ENCODED + 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    minute: Window,
    hour: Window,
    day: Window,
    expensive: Window,
    tokens: Window,
    day_spend: Spend,
    month_spend: Spend,
    leases: Leases,
    /// Everything ever charged: what finance compares with the provider's bill.
    lifetime: NanoUsd,
}

/// The stored bytes are not a cell of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion;

/// The request windows, each with its guard and length.
const REQUEST_WINDOWS: [(Guard, Span); 3] = [
    (Guard::RequestsPerMinute, Span::Minute),
    (Guard::RequestsPerHour, Span::Hour),
    (Guard::RequestsPerDay, Span::Day),
];

const MILLISECOND: u64 = 1_000_000;

const fn ceil_seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

impl Cell {
    pub fn encode(&self) -> [u8; ENCODED] {
        let mut out = [0; ENCODED];
        let mut rest = out.as_mut_slice();
        let rest = &mut rest;
        put(rest, VERSION);
        for window in [&self.minute, &self.hour, &self.day, &self.expensive, &self.tokens] {
            window.encode(rest);
        }
        self.day_spend.encode(rest);
        self.month_spend.encode(rest);
        self.leases.encode(rest);
        put(rest, self.lifetime.0.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, UnknownVersion> {
        let (version, mut bytes) = bytes.split_first_chunk().ok_or(UnknownVersion)?;
        let window = match *version {
            VERSION => Window::decode,
            FIRST_VERSION => Window::decode_first,
            _ => return Err(UnknownVersion),
        };
        let rest = &mut bytes;
        let fields = |rest: &mut &[u8]| {
            let cell = Self {
                minute: window(rest)?,
                hour: window(rest)?,
                day: window(rest)?,
                expensive: window(rest)?,
                tokens: window(rest)?,
                day_spend: Spend::decode(rest)?,
                month_spend: Spend::decode(rest)?,
                leases: Leases::decode(rest)?,
                lifetime: NanoUsd(take_u64(rest)?),
            };
            rest.is_empty().then_some(cell)
        };
        fields(rest).ok_or(UnknownVersion)
    }

    fn roll(&mut self, now: UnixNanos, lease_seconds: u64) {
        self.minute.roll(Span::Minute, now);
        self.hour.roll(Span::Hour, now);
        self.day.roll(Span::Day, now);
        self.expensive.roll(Span::Minute, now);
        self.tokens.roll(Span::Minute, now);
        let day = self.day_spend.number();
        self.day_spend.roll(Calendar::Day, now);
        // No month ends within a day, and to find it is a long calculation.
        if self.day_spend.number() != day {
            self.month_spend.roll(Calendar::Month, now);
        }
        self.leases.roll(now, lease_seconds);
    }

    fn requests(&self, guard: Guard) -> &Window {
        match guard {
            Guard::RequestsPerHour => &self.hour,
            Guard::RequestsPerDay => &self.day,
            Guard::ExpensivePerMinute => &self.expensive,
            Guard::TokensPerMinute => &self.tokens,
            _ => &self.minute,
        }
    }

    fn spend(&self, calendar: Calendar) -> (NanoUsd, NanoUsd) {
        let spend = match calendar {
            Calendar::Day => &self.day_spend,
            Calendar::Month => &self.month_spend,
        };
        (spend.current(), self.leases.since(spend.since(calendar)))
    }

    /// Admits the request against every rule at once, or leaves the counts as they are.
    pub fn admit(&mut self, rules: &Rules, ask: &Ask, now: UnixNanos) -> Decision {
        self.roll(now, ask.lease_seconds);
        let per_choice = match ask.bound {
            Bound::Client(tokens) => tokens,
            Bound::Open { at_least, at_most } => self.room_for(rules, ask).min(at_most).max(at_least),
        };
        let cost = ask.worst_case(per_choice);
        let tokens = ask.input.plus(ask.output(per_choice));
        let expensive = ask.expensive_model || ask.expensive_over.is_some_and(|over| cost > over);

        let mut audit = Guards::default();
        for guard in Guard::ALL {
            if guard == Guard::ExpensivePerMinute && !expensive {
                continue;
            }
            let rule = rules.get(guard);
            let Some(limit) = rule.limit.map(|limit| ask.shares.of(guard, limit)) else { continue };
            let Some(refusal) = self.check(guard, limit, ask.shares.in_flight, cost, tokens, now) else { continue };
            if rule.audit {
                audit.insert(guard);
                continue;
            }
            return Decision { verdict: Err(refusal), standing: self.standing(rules, now), audit };
        }

        self.minute.add(Span::Minute, now, 1);
        self.hour.add(Span::Hour, now, 1);
        self.day.add(Span::Day, now, 1);
        if expensive {
            self.expensive.add(Span::Minute, now, 1);
        }
        self.tokens.reserve(Span::Minute, now, tokens.0);
        self.leases.add(now, cost);
        let reservation = Reservation { at: now, cost, tokens, expensive };
        let verdict = Ok(Admitted { reservation, per_choice });
        Decision { verdict, standing: self.standing(rules, now), audit }
    }

    /// The output per choice that every enforced rule still has room for.
    fn room_for(&self, rules: &Rules, ask: &Ask) -> Tokens {
        let left = |calendar| {
            let (spent, reserved) = self.spend(calendar);
            // Of the whole, not of what may be under way: a request that waits gets a longer answer than one that is cut.
            move |limit| NanoUsd(limit).less(spent).less(reserved)
        };
        let enforced = |guard| rules.enforced(guard).map(|limit| ask.shares.of(guard, limit));
        let money = [
            enforced(Guard::RequestUsd).map(NanoUsd),
            enforced(Guard::DayUsd).map(left(Calendar::Day)),
            enforced(Guard::MonthUsd).map(left(Calendar::Month)),
        ];
        let affordable = money.into_iter().flatten().map(|left| ask.affordable(left)).min();
        let window = enforced(Guard::TokensPerMinute)
            .map(|limit| ask.per_choice(Tokens(limit.saturating_sub(self.tokens.used())).less(ask.input)));
        affordable.into_iter().chain(window).min().unwrap_or(Tokens(u64::MAX))
    }

    fn check(
        &self,
        guard: Guard,
        limit: u64,
        in_flight: Share,
        cost: NanoUsd,
        tokens: Tokens,
        now: UnixNanos,
    ) -> Option<Refusal> {
        let (used, reserved, needed) = match guard {
            Guard::TokensPerMinute => (self.tokens.used(), 0, tokens.0),
            Guard::RequestUsd => (0, 0, cost.0),
            Guard::DayUsd => {
                let (spent, reserved) = self.spend(Calendar::Day);
                (spent.0, reserved.0, cost.0)
            }
            Guard::MonthUsd => {
                let (spent, reserved) = self.spend(Calendar::Month);
                (spent.0, reserved.0, cost.0)
            }
            window => (self.requests(window).used(), 0, 1),
        };
        let left = in_flight.left(limit, NanoUsd(used), NanoUsd(reserved)).0;
        // A free request asks nothing of a budget, even of one in debt.
        if needed <= left {
            return None;
        }
        let in_flight = guard.is_money() && needed <= limit.saturating_sub(used).saturating_sub(reserved);
        let retry_ms = match guard {
            _ if in_flight => Some(1_000),
            Guard::RequestUsd => None,
            Guard::DayUsd => Some(Calendar::Day.ends_in(now).saturating_mul(1_000)),
            Guard::MonthUsd => Some(Calendar::Month.ends_in(now).saturating_mul(1_000)),
            window => {
                let span = match window {
                    Guard::RequestsPerHour => Span::Hour,
                    Guard::RequestsPerDay => Span::Day,
                    _ => Span::Minute,
                };
                // Less the millisecond that an answer and the next request take at least: a client that waits for less than
                // a minute only is given less than one.
                let milliseconds =
                    |nanos: u64| nanos.min(span.length()).saturating_sub(MILLISECOND).div_ceil(MILLISECOND);
                self.requests(window).wait(span, now, limit, needed).map(|nanos| milliseconds(nanos).max(1))
            }
        };
        Some(Refusal { guard, limit, used, reserved, left, needed, retry_ms, in_flight })
    }

    /// Where the windows stand, for an answer that asked nothing of them.
    pub fn standing_at(&mut self, rules: &Rules, lease_seconds: u64, now: UnixNanos) -> Standing {
        self.roll(now, lease_seconds);
        self.standing(rules, now)
    }

    fn standing(&self, rules: &Rules, now: UnixNanos) -> Standing {
        let level = |guard, span| {
            let (limit, window) = (rules.get(guard).limit?, self.requests(guard));
            let remaining = limit.saturating_sub(window.used());
            Some(Level { limit, remaining, reset_seconds: ceil_seconds(window.clears_in(span, now)) })
        };
        let requests = REQUEST_WINDOWS
            .into_iter()
            .filter_map(|(guard, span)| level(guard, span))
            .min_by_key(|level| level.remaining);
        Standing { requests, tokens: level(Guard::TokensPerMinute, Span::Minute) }
    }

    /// Replaces a reservation by what the request came to. Debt is kept: a dearer answer is charged in full.
    pub fn settle(
        &mut self,
        reservation: &Reservation,
        cost: NanoUsd,
        tokens: Tokens,
        lease_seconds: u64,
        now: UnixNanos,
    ) {
        self.roll(now, lease_seconds);
        self.leases.release(reservation.at, reservation.cost);
        self.tokens.settle(Span::Minute, reservation.at, reservation.tokens.0, tokens.0, now);
        let of_today = Calendar::Day.number(reservation.at) == self.day_spend.number();
        for (calendar, spend) in [(Calendar::Day, &mut self.day_spend), (Calendar::Month, &mut self.month_spend)] {
            if of_today { spend.add(cost) } else { spend.charge(calendar, reservation.at, cost) }
        }
        self.lifetime = self.lifetime.plus(cost);
    }

    /// Takes a request out of its windows, after it was settled: it was never sent on.
    pub fn withdraw(&mut self, reservation: &Reservation) {
        let windows = [(&mut self.minute, Span::Minute), (&mut self.hour, Span::Hour), (&mut self.day, Span::Day)];
        for (window, span) in windows {
            window.settle(span, reservation.at, 1, 0, reservation.at);
        }
        if reservation.expensive {
            self.expensive.settle(Span::Minute, reservation.at, 1, 0, reservation.at);
        }
    }

    /// As it stands at `now`: periods that ended and leases that ran out count no more.
    pub fn levels(&mut self, now: UnixNanos, lease_seconds: u64) -> Levels {
        self.roll(now, lease_seconds);
        Levels {
            spent_today: self.day_spend.current(),
            spent_this_month: self.month_spend.current(),
            reserved: self.leases.since(0),
        }
    }

    /// What was charged in the day and in the month of `at`, and ever.
    pub fn charged(&self, at: UnixNanos) -> Charged {
        let (day, month) = (self.day_spend.charged(Calendar::Day, at), self.month_spend.charged(Calendar::Month, at));
        Charged { day, month, ever: self.lifetime }
    }

    pub const fn lifetime(&self) -> NanoUsd {
        self.lifetime
    }
}

#[cfg(test)]
mod tests;
