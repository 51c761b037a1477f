//! The one record a tenant has in shared data, and the three things that happen to it: admit, settle, show.
//!
//! Trade-off: fixed size, little-endian and versioned, written whole at each swap (under 1 kB): memory is bounded
//! by the configuration and a swap is all-or-nothing. The cell holds counts only, never limits, so it outlives
//! configuration and code, and changed limits apply to the old counts.

mod extension;

use super::budget::{self, Spend};
use super::bytes::{put, take_u64};
use super::guard::{Counted, Kind, WINDOWS};
use super::lease::{self, Leases};
use super::window::{self, Span, Window};
use super::{
    Admitted, Ask, Bound, Charged, Decision, Guard, Guards, Held, Level, Levels, Refusal, Reservation, Rules, Share,
    Standing, Use,
};
use crate::calendar::Calendar;
use crate::units::{NanoUsd, Tokens, UnixNanos};

/// "NXC" and the layout's version. A change of layout takes a new version, and reads the one before.
const VERSION: [u8; 4] = *b"NXC\x02";
/// It had windows that did not know when within a slot the latest came.
const FIRST_VERSION: [u8; 4] = *b"NXC\x01";
/// Bytes of an encoded cell that counts nothing in flight.
pub const ENCODED: usize = 4 + WINDOWS.len() * window::ENCODED + MONEY;
/// What is in flight stands where one window more would: code that knows nothing of it, or that knows a further window, reads the cell
/// all the same, and the money is whole.
const _: () = assert!(lease::ENCODED_COUNTS == window::ENCODED);
/// Bytes of what follows the windows.
const MONEY: usize = 2 * budget::ENCODED + lease::ENCODED + 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// By the order of the guards.
    windows: [Window; WINDOWS.len()],
    day_spend: Spend,
    month_spend: Spend,
    leases: Leases,
    /// Everything ever charged: what finance compares with the provider's bill.
    lifetime: NanoUsd,
}

/// The stored bytes are not a cell of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion;

const MILLISECOND: u64 = 1_000_000;

const fn ceil_seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

/// The bytes of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    bytes: [u8; ENCODED + lease::ENCODED_COUNTS],
    length: usize,
}

impl std::ops::Deref for Encoded {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Cell {
    pub fn encode(&self) -> Encoded {
        let counts = self.leases.in_flight() > 0;
        let length = if counts { ENCODED.saturating_add(lease::ENCODED_COUNTS) } else { ENCODED };
        let mut out = Encoded { bytes: [0; ENCODED + lease::ENCODED_COUNTS], length };
        let mut rest = out.bytes.as_mut_slice();
        let rest = &mut rest;
        put(rest, VERSION);
        self.windows.iter().for_each(|window| window.encode(rest));
        if counts {
            self.leases.encode_counts(rest);
        }
        self.day_spend.encode(rest);
        self.month_spend.encode(rest);
        self.leases.encode(rest);
        put(rest, self.lifetime.0.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, UnknownVersion> {
        let (version, rest) = bytes.split_first_chunk().ok_or(UnknownVersion)?;
        let cell = match *version {
            VERSION => Self::read::<{ window::ENCODED }>(rest, Window::decode),
            FIRST_VERSION => Self::read::<{ window::ENCODED_FIRST }>(rest, Window::decode_first),
            _ => None,
        };
        cell.ok_or(UnknownVersion)
    }

    /// How many windows of this size there are, the length says: a filter with more of them reads a cell of one with fewer, and the
    /// other way round, and the money is whole in both.
    fn read<const WINDOW: usize>(bytes: &[u8], window: impl Fn(&mut &[u8]) -> Option<Window>) -> Option<Self> {
        let windows = bytes.len().checked_sub(MONEY).filter(|windows| windows.is_multiple_of(WINDOW))?;
        let (mut windows, mut rest) = bytes.split_at_checked(windows)?;
        let mut cell = Self::default();
        for place in &mut cell.windows {
            if windows.is_empty() {
                break;
            }
            *place = window(&mut windows)?;
        }
        let rest = &mut rest;
        cell.day_spend = Spend::decode(rest)?;
        cell.month_spend = Spend::decode(rest)?;
        cell.leases = Leases::decode(rest)?;
        cell.leases.decode_counts(windows);
        cell.lifetime = NanoUsd(take_u64(rest)?);
        Some(cell)
    }

    fn roll(&mut self, now: UnixNanos, lease_seconds: u64) {
        self.each_window(|_, span, window| window.roll(span, now));
        if self.day_spend.is_ahead_of(Calendar::Day, now) {
            self.set_back(now);
        }
        let day = self.day_spend.number();
        self.day_spend.roll(Calendar::Day, now);
        // No month ends within a day, and to find it is a long calculation.
        if self.day_spend.number() != day {
            self.month_spend.roll(Calendar::Month, now);
        }
        self.leases.roll(now, lease_seconds);
    }

    /// The clock was days ahead: what was spent there counts today, and in this month. What was spent today before is not known any more.
    #[cold]
    fn set_back(&mut self, now: UnixNanos) {
        self.day_spend.set_back(Calendar::Day, now);
        self.month_spend.set_back(Calendar::Month, now);
    }

    /// When money is set aside now.
    fn money_at(&self, now: UnixNanos) -> UnixNanos {
        self.leases.time(now)
    }

    fn each_window(&mut self, mut change: impl FnMut(Counted, Span, &mut Window)) {
        for ((_, counted, span), window) in WINDOWS.into_iter().zip(&mut self.windows) {
            change(counted, span, window);
        }
    }

    fn window(&self, guard: Guard) -> Option<&Window> {
        self.windows.get(guard.index())
    }

    /// The windows that count this, each with its guard.
    fn windows(&self, of: Counted) -> impl Iterator<Item = (Guard, Span, &Window)> {
        let of = move |((guard, counted, span), window)| (counted == of).then_some((guard, span, window));
        WINDOWS.into_iter().zip(&self.windows).filter_map(of)
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
            if !expensive && matches!(guard.kind(), Kind::Window(Counted::Expensive, _)) {
                continue;
            }
            let rule = rules.get(guard);
            let Some(limit) = rule.limit.map(|limit| ask.shares.of(guard, limit)) else { continue };
            let Some(refusal) = self.check(guard, limit, ask.shares.in_flight, cost, tokens, now) else { continue };
            if rule.audit {
                audit.insert(guard);
                continue;
            }
            return Decision {
                verdict: Err(refusal),
                standing: self.standing(rules, now),
                audit,
                audit_beside: Vec::new(),
            };
        }

        self.each_window(|counted, span, window| match counted {
            Counted::Requests => window.add(span, now, 1),
            Counted::Expensive if expensive => window.add(span, now, 1),
            Counted::Expensive => {}
            Counted::Tokens => window.reserve(span, now, tokens.0),
        });
        let money_at = self.money_at(now);
        self.leases.add(money_at, cost);
        let counted = rules.get(Guard::InFlight).limit.is_some();
        if counted {
            self.leases.open(money_at);
        }
        let reservation = Reservation::of(Held { at: now, money_at, cost, tokens, expensive, counted, placed: true });
        let verdict = Ok(Admitted { reservation, per_choice });
        Decision { verdict, standing: self.standing(rules, now), audit, audit_beside: Vec::new() }
    }

    /// The output per choice that every enforced rule still has room for.
    fn room_for(&self, rules: &Rules, ask: &Ask) -> Tokens {
        let room = |guard: Guard| {
            let limit = ask.shares.of(guard, rules.enforced(guard)?);
            match guard.kind() {
                Kind::Request => Some(ask.affordable(NanoUsd(limit))),
                // Of the whole, not of what may be under way: a request that waits gets a longer answer than one that is cut.
                Kind::Budget(calendar) => {
                    let (spent, reserved) = self.spend(calendar);
                    Some(ask.affordable(NanoUsd(limit).less(spent).less(reserved)))
                }
                Kind::Window(Counted::Tokens, _) => {
                    let left = limit.saturating_sub(self.window(guard)?.used());
                    Some(ask.per_choice(Tokens(left).less(ask.input)))
                }
                Kind::Window(..) | Kind::InFlight => None,
            }
        };
        Guard::ALL.into_iter().filter_map(room).min().unwrap_or(Tokens(u64::MAX))
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
        let (used, reserved, needed) = match guard.kind() {
            Kind::Window(counted, _) => {
                (self.window(guard)?.used(), 0, if counted == Counted::Tokens { tokens.0 } else { 1 })
            }
            Kind::InFlight => (self.leases.in_flight(), 0, 1),
            Kind::Request => (0, 0, cost.0),
            Kind::Budget(calendar) => {
                let (spent, reserved) = self.spend(calendar);
                (spent.0, reserved.0, cost.0)
            }
        };
        let left = in_flight.left(limit, NanoUsd(used), NanoUsd(reserved)).0;
        // A free request asks nothing of a budget, even of one in debt.
        if needed <= left {
            return None;
        }
        let in_flight = guard.is_money() && needed <= limit.saturating_sub(used).saturating_sub(reserved);
        let retry_ms = match guard.kind() {
            _ if in_flight => Some(1_000),
            // Nobody knows when one of them ends.
            Kind::InFlight => Some(1_000),
            Kind::Request => None,
            Kind::Budget(calendar) => Some(calendar.ends_in(now).saturating_mul(1_000)),
            Kind::Window(_, span) => {
                // Less the millisecond that an answer and the next request take at least: a client that waits for less than
                // a minute only is given less than one.
                let milliseconds =
                    |nanos: u64| nanos.min(span.length()).saturating_sub(MILLISECOND).div_ceil(MILLISECOND);
                self.window(guard)?.wait(span, now, limit, needed).map(|nanos| milliseconds(nanos).max(1))
            }
        };
        Some(Refusal { guard, limit, used, reserved, left, needed, retry_ms, beside: None, in_flight })
    }

    /// Where each limit and budget stands, as of the last [`Self::levels`].
    pub fn uses(&self, rules: &Rules, now: UnixNanos) -> Vec<Use> {
        let of = |guard: Guard| {
            let rule = rules.get(guard);
            let (used, reserved, reset_seconds) = match guard.kind() {
                Kind::Window(_, span) => {
                    let window = self.window(guard)?;
                    (window.used(), 0, Some(ceil_seconds(window.clears_in(span, now))))
                }
                Kind::InFlight => (self.leases.in_flight(), 0, None),
                Kind::Request => (0, 0, None),
                Kind::Budget(calendar) => {
                    let (spent, reserved) = self.spend(calendar);
                    (spent.0, reserved.0, Some(calendar.ends_in(now)))
                }
            };
            Some(Use { guard, limit: rule.limit?, audit: rule.audit, used, reserved, reset_seconds })
        };
        Guard::ALL.into_iter().filter_map(of).collect()
    }

    /// Where the windows stand, for an answer that asked nothing of them.
    pub fn standing_at(&mut self, rules: &Rules, lease_seconds: u64, now: UnixNanos) -> Standing {
        self.roll(now, lease_seconds);
        self.standing(rules, now)
    }

    fn standing(&self, rules: &Rules, now: UnixNanos) -> Standing {
        let level = |(guard, span, window): (Guard, Span, &Window)| {
            let limit = rules.get(guard).limit?;
            let remaining = limit.saturating_sub(window.used());
            Some(Level { limit, remaining, reset_seconds: ceil_seconds(window.clears_in(span, now)) })
        };
        let tightest = |of| self.windows(of).filter_map(level).min_by_key(|level| level.remaining);
        Standing { requests: tightest(Counted::Requests), tokens: tightest(Counted::Tokens) }
    }

    /// Replaces a reservation by what the request came to. Debt is kept: a dearer answer is charged in full. The reservation is only
    /// lent, for a swap that lost its race settles once more on what the winner left.
    pub fn settle(&mut self, reservation: &Held, cost: NanoUsd, tokens: Tokens, lease_seconds: u64, now: UnixNanos) {
        self.roll(now, lease_seconds);
        self.leases.release(reservation.money_at, reservation.cost);
        if reservation.counted {
            self.leases.close(reservation.money_at);
        }
        self.each_window(|counted, span, window| {
            if counted == Counted::Tokens {
                window.settle(span, reservation.at, reservation.tokens.0, tokens.0, now);
            }
        });
        let at = reservation.money_at;
        let today = self.day_spend.number();
        // Where the clock was set back over midnight, there is no other day.
        let of_today = Calendar::Day.number(at) == today || Calendar::Day.number(now) < today;
        for (calendar, spend) in [(Calendar::Day, &mut self.day_spend), (Calendar::Month, &mut self.month_spend)] {
            if of_today { spend.add(cost) } else { spend.charge(calendar, at, cost) }
        }
        self.lifetime = self.lifetime.plus(cost);
    }

    /// Another account has room for less of a request than was reserved for it here: the rest is given back.
    pub fn shrink(&mut self, held: &mut Held, cost: NanoUsd, tokens: Tokens, lease_seconds: u64, now: UnixNanos) {
        self.roll(now, lease_seconds);
        self.leases.release(held.money_at, held.cost);
        self.leases.add(held.money_at, cost);
        self.each_window(|counted, span, window| {
            if counted == Counted::Tokens {
                window.settle(span, held.at, held.tokens.0, tokens.0, now);
            }
        });
        (held.cost, held.tokens) = (cost, tokens);
    }

    /// Takes a request out of its windows, after it was settled: it was never sent on.
    pub fn withdraw(&mut self, reservation: &Held) {
        if !reservation.placed {
            return;
        }
        self.each_window(|counted, span, window| match counted {
            Counted::Expensive if !reservation.expensive => {}
            Counted::Requests | Counted::Expensive => window.settle(span, reservation.at, 1, 0, reservation.at),
            // Settled by then.
            Counted::Tokens => {}
        });
    }

    /// As it stands at `now`: periods that ended and leases that ran out count no more.
    pub fn levels(&mut self, now: UnixNanos, lease_seconds: u64) -> Levels {
        self.roll(now, lease_seconds);
        Levels {
            spent_today: self.day_spend.current(),
            spent_this_month: self.month_spend.current(),
            reserved: self.leases.since(0),
            in_flight: self.leases.in_flight(),
        }
    }

    /// What was charged in the day and in the month of `at`, and ever.
    pub fn charged(&self, at: UnixNanos) -> Charged {
        let (day, month) = (self.day_spend.charged(Calendar::Day, at), self.month_spend.charged(Calendar::Month, at));
        Charged { day, month, ever: self.lifetime }
    }

    /// What was spent on the day of `at` and in its month before this cell began. Returns by how much that is more than it knows of, if
    /// it is.
    pub fn take_over(
        &mut self,
        [day, month]: [NanoUsd; 2],
        at: UnixNanos,
        now: UnixNanos,
        lease_seconds: u64,
    ) -> Option<[NanoUsd; 2]> {
        self.roll(now, lease_seconds);
        let day = self.day_spend.take_over(Calendar::Day, at, day);
        let month = self.month_spend.take_over(Calendar::Month, at, month);
        (day > NanoUsd::ZERO || month > NanoUsd::ZERO).then_some([day, month])
    }

    pub const fn lifetime(&self) -> NanoUsd {
        self.lifetime
    }
}

#[cfg(test)]
mod tests;
