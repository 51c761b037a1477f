//! Limits of a tenant, of the groups above it, and of both for some models alone: what may be admitted, and what an admission did to
//! the books.
//!
//! Trade-off: all windows, budgets and reservations of a tenant live in one [`cell::Cell`], so one swap
//! admits or refuses against every limit at once. Separate keys would contend less, and charge half a decision.

pub mod accounts;
pub mod budget;
mod bytes;
pub mod cell;
pub mod guard;
pub mod lease;
pub mod window;

pub use accounts::ModelsIx;

use crate::price::Ceiling;
use crate::units::{NanoUsd, Tokens, UnixNanos};
use guard::Kind;
pub use guard::{Audited, AuditedBeside, Guard, Guards, Rule, Rules};
use std::ops::{Deref, DerefMut};

/// How many tokens one choice of the answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The client said it; a request whose own bound is too dear is refused.
    Client(Tokens),
    /// The client left it open: it becomes what the tenant may still spend, between these two.
    Open { at_least: Tokens, at_most: Tokens },
}

impl Bound {
    pub const fn least(self) -> Tokens {
        let (Self::Client(tokens) | Self::Open { at_least: tokens, .. }) = self;
        tokens
    }

    pub const fn most(self) -> Tokens {
        let (Self::Client(tokens) | Self::Open { at_most: tokens, .. }) = self;
        tokens
    }
}

/// The compare-and-swap lost too often to be worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapLost;

/// What a request asks of its tenant's cell: its worst case, before anything is spent.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub input: Tokens,
    pub ceiling: Ceiling,
    pub bound: Bound,
    /// Answers asked for (`n`), each up to the bound; at least 1.
    pub choices: u64,
    pub expensive_model: bool,
    /// A worst case above this makes any request an expensive one.
    pub expensive_over: Option<NanoUsd>,
    pub lease_seconds: u64,
    pub shares: Shares,
}

/// What is this Envoy's own of limits that others have as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Of each window.
    pub requests: Share,
    /// Of each budget.
    pub budgets: Share,
    /// What reservations may hold of a budget.
    pub in_flight: Share,
}

impl Shares {
    /// Of limits that are nobody else's.
    pub const WHOLE: Self = Self { requests: Share::WHOLE, budgets: Share::WHOLE, in_flight: Share::WHOLE };

    pub(crate) fn of(&self, guard: Guard, limit: u64) -> u64 {
        match guard.kind() {
            // A single request's is no sum, and what is in flight is counted by each Envoy for itself.
            Kind::Request | Kind::InFlight => limit,
            Kind::Budget(_) => self.budgets.of(limit),
            Kind::Window(..) => self.requests.of(limit),
        }
    }
}

/// A part of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub part: u32,
    pub of: u32,
}

impl Share {
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    pub const fn is_whole(self) -> bool {
        self.part >= self.of
    }

    fn of(self, limit: u64) -> u64 {
        if self.is_whole() { limit } else { self.part_of(limit) }
    }

    /// A function of its own: [`Self::of`] is inlined in several places, and an Envoy that is alone never needs this.
    #[inline(never)]
    fn part_of(self, limit: u64) -> u64 {
        let part = u128::from(limit).saturating_mul(self.part.into()).checked_div(self.of.into());
        // At least one, or a small limit would be none.
        part.and_then(|part| u64::try_from(part).ok()).unwrap_or(limit).max(1)
    }

    /// What a budget has left. The first reservation may take all of it: in a small share nothing dear would ever pass.
    pub(crate) fn left(self, limit: u64, spent: NanoUsd, reserved: NanoUsd) -> NanoUsd {
        let left = NanoUsd(limit).less(spent).less(reserved);
        if reserved == NanoUsd::ZERO { left } else { left.min(NanoUsd(self.of(limit)).less(reserved)) }
    }
}

impl Ask {
    const fn output(&self, per_choice: Tokens) -> Tokens {
        per_choice.times(if self.choices == 0 { 1 } else { self.choices })
    }

    fn worst_case(&self, per_choice: Tokens) -> NanoUsd {
        self.ceiling.worst_case(self.input, self.output(per_choice))
    }

    /// The largest output per choice whose worst case stays within `left`.
    fn affordable(&self, left: NanoUsd) -> Tokens {
        self.per_choice(self.ceiling.output_within(self.input, left).unwrap_or_default())
    }

    fn per_choice(&self, output: Tokens) -> Tokens {
        Tokens(output.0.checked_div(self.choices).unwrap_or(output.0))
    }
}

/// What one cell has set aside for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub at: UnixNanos,
    /// When its money was set aside: with the rest, or later, where it did not suffice. The cost lands in that day and month.
    pub money_at: UnixNanos,
    pub cost: NanoUsd,
    pub tokens: Tokens,
    pub expensive: bool,
    /// It has a place among those in flight, where these are counted.
    pub counted: bool,
    /// It has its places in the windows.
    pub placed: bool,
}

/// What was set aside for one admitted request. It has no copy, and its settlement consumes it: it is settled once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reservation that is not settled holds the tenant's budget until its lease lapses"]
pub struct Reservation {
    /// In the tenant's cell.
    pub own: Held,
    /// In the accounts beside it, in the order in which they were asked.
    pub beside: Vec<Beside>,
}

/// What an account beside the tenant's own has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    pub held: Held,
    /// The models that it is about; `None`: all.
    pub of: Option<ModelsIx>,
}

impl Deref for Reservation {
    type Target = Held;
    fn deref(&self) -> &Held {
        &self.own
    }
}

impl DerefMut for Reservation {
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.own
    }
}

/// What the cell says where an answer costs more than is reserved for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What is reserved from now on, in all; or what had no room.
    pub verdict: Result<NanoUsd, Refusal>,
    /// When it was set aside.
    pub at: UnixNanos,
    /// Guards in audit mode that would have refused.
    pub audit: Guards,
}

impl Held {
    /// Of a request that goes on unasked: its cost is charged all the same when it is over.
    pub const fn nothing(now: UnixNanos) -> Self {
        Self {
            at: now,
            money_at: now,
            cost: NanoUsd::ZERO,
            tokens: Tokens(0),
            expensive: false,
            counted: false,
            placed: false,
        }
    }

    /// Its money was set aside anew, at `at`, and is this from now on.
    pub const fn extend(&mut self, to: NanoUsd, at: UnixNanos) {
        (self.cost, self.money_at) = (to, at);
    }
}

impl Reservation {
    pub const fn of(own: Held) -> Self {
        Self { own, beside: Vec::new() }
    }

    /// What every account has set aside at least that pays for an answer of these models: one that costs more has to ask.
    pub fn least(&self, served: Option<ModelsIx>) -> NanoUsd {
        let pays = |beside: &&Beside| accounts::pays(beside.of, served);
        self.beside.iter().filter(pays).fold(self.own.cost, |least, beside| least.min(beside.held.cost))
    }
}

/// What a tenant was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    pub day: NanoUsd,
    pub month: NanoUsd,
    pub ever: NanoUsd,
}

/// Where a count window stands, for the `x-ratelimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub limit: u64,
    pub remaining: u64,
    pub reset_seconds: u64,
}

/// The windows a client should know of, after the decision: the tightest of the request windows, and the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub requests: Option<Level>,
    pub tokens: Option<Level>,
}

impl Standing {
    /// Of each pair of windows the one that has less left.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let tighter =
            |one: Option<Level>, other: Option<Level>| one.into_iter().chain(other).min_by_key(|level| level.remaining);
        Self { requests: tighter(self.requests, other.requests), tokens: tighter(self.tokens, other.tokens) }
    }
}

/// The guard that refused, in its own unit (requests, tokens or nano-USD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub guard: Guard,
    pub limit: u64,
    pub used: u64,
    /// Set aside for requests that are still under way; zero for request windows.
    pub reserved: u64,
    pub left: u64,
    /// What this request would have needed.
    pub needed: u64,
    /// Milliseconds until it may be worth trying again; `None` when this same request can never pass.
    pub retry_ms: Option<u64>,
    /// Which account beside the tenant's own it was, by its place among them; `None`: the tenant's own.
    pub beside: Option<usize>,
    /// The budget has room. What this Envoy may have under way of it has none, until an answer ends.
    pub in_flight: bool,
}

impl Refusal {
    pub fn retry_seconds(&self) -> Option<u64> {
        self.retry_ms.map(|wait| wait.div_ceil(1_000))
    }
}

/// What one look at the cell decided.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Result<Admitted, Refusal>,
    pub standing: Standing,
    /// Guards in audit mode that would have refused.
    pub audit: Guards,
    /// Those of the accounts beside the tenant's own, by their place among them.
    pub audit_beside: Vec<(usize, Guard)>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    pub reservation: Reservation,
    /// Output tokens per choice that were reserved for: to be written into an unbounded request.
    pub per_choice: Tokens,
}

/// Where a limit or budget stands, in its own unit (requests, tokens or nano-USD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub guard: Guard,
    pub limit: u64,
    /// It refuses nothing.
    pub audit: bool,
    pub used: u64,
    /// Of money, what requests in flight have set aside.
    pub reserved: u64,
    /// Until all that is counted now counts no more; `None` where it is no matter of time.
    pub reset_seconds: Option<u64>,
}

impl Use {
    pub const fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserved)
    }
}

/// Where an account stands, for the gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub spent_today: NanoUsd,
    pub spent_this_month: NanoUsd,
    pub reserved: NanoUsd,
    /// As far as they are counted.
    pub in_flight: u64,
}
