//! The accounts above a tenant: its group, that one's parent, and so on. A request has to have room in each of them.
//!
//! Trade-off: one swap over all cells would decide at once, and Envoy has none. So each is asked by a swap of its own, the tenant
//! first, and a refusal above takes back what those before it have set aside. A flood of requests that their own tenant refuses
//! never touches the cells that it shares. What is taken back was held for a moment: meanwhile another may be refused for want of it,
//! but never admitted beyond a limit.

use super::cell::Cell;
use super::{Admitted, Ask, Bound, Decision, Guard, Guards, Held, Refusal, Reservation, Rules, Shares, SwapLost};
use crate::units::{NanoUsd, Tokens, UnixNanos};

/// Whose a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose<'a> {
    Tenant(&'a str),
    Group(&'a str),
}

impl std::fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tenant(name) => write!(f, "tenant {name}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}

/// An account, as a request meets it.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub whose: Whose<'a>,
    pub rules: &'a Rules,
    /// Whether whoever is refused learns its figures.
    pub shows_figures: bool,
}

/// How often a swap is repeated that another worker won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A decision, which may be refused instead.
    Admit,
    /// Money that was spent.
    Settle,
}

/// Where the cells are.
pub trait Cells {
    /// Changes one of them, by one swap. `change` says what it found, and whether the changed cell is to be stored.
    fn change<T>(
        &self,
        whose: Whose<'_>,
        effort: Effort,
        change: impl FnMut(&mut Cell) -> (T, bool),
    ) -> Result<T, SwapLost>;
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    pub cost: NanoUsd,
    pub tokens: Tokens,
    /// It was never sent on: the windows forget it, too.
    pub withdrawn: bool,
}

impl Came {
    /// What was never sent.
    pub const NOTHING: Self = Self { cost: NanoUsd::ZERO, tokens: Tokens(0), withdrawn: true };

    /// Puts it in the place of what a cell has set aside for the request.
    pub fn settle(&self, cell: &mut Cell, held: &Held, lease_seconds: u64, now: UnixNanos) {
        cell.settle(held, self.cost, self.tokens, lease_seconds, now);
        if self.withdrawn {
            cell.withdraw(held);
        }
    }
}

/// Asks each account for what the tenant's own cell has admitted. If one refuses, or can't be reached, then the tenant and those
/// that had room before it have theirs back.
pub fn admit<'a>(
    cells: &impl Cells,
    tenant: &str,
    above: impl Iterator<Item = Account<'a>> + Clone,
    ask: &Ask,
    own: Decision,
    now: UnixNanos,
) -> Result<Decision, SwapLost> {
    let Decision { verdict: Ok(mut admitted), mut standing, audit, mut audit_above } = own else { return Ok(own) };
    for (level, account) in above.clone().enumerate() {
        let ask = Ask { bound: ask.bound.up_to(admitted.per_choice), ..*ask };
        let asked = cells.change(account.whose, Effort::Admit, |cell| {
            let decision = cell.admit(account.rules, &ask, now);
            let store = decision.verdict.is_ok();
            (decision, store)
        });
        let refused = match asked {
            Ok(decision) => {
                audit_above.extend(decision.audit.iter().map(|guard| (level, guard)));
                if account.shows_figures {
                    standing = standing.tighter(decision.standing);
                }
                match decision.verdict {
                    Ok(theirs) => {
                        admitted.per_choice = theirs.per_choice;
                        admitted.reservation.above.push(theirs.reservation.own);
                        continue;
                    }
                    Err(refusal) => Ok(Refusal { above: Some(level), ..refusal }),
                }
            }
            Err(SwapLost) => Err(SwapLost),
        };
        let Reservation { own, above: held } = admitted.reservation;
        settle(cells, above, held, Came::NOTHING, ask.lease_seconds, now);
        // Where it can't be written, it lapses with its lease.
        let _ = cells.change(Whose::Tenant(tenant), Effort::Settle, |cell| {
            Came::NOTHING.settle(cell, &own, ask.lease_seconds, now);
            ((), true)
        });
        return refused.map(|refusal| Decision { verdict: Err(refusal), standing, audit, audit_above });
    }
    fit(cells, tenant, above, ask, &mut admitted, now);
    Ok(Decision { verdict: Ok(admitted), standing, audit, audit_above })
}

/// Those who had room for more than the tightest keep no more than that needs.
fn fit<'a>(
    cells: &impl Cells,
    tenant: &str,
    above: impl Iterator<Item = Account<'a>>,
    ask: &Ask,
    admitted: &mut Admitted,
    now: UnixNanos,
) {
    let Reservation { own, above: held } = &mut admitted.reservation;
    let (cost, tokens) = (ask.worst_case(admitted.per_choice), ask.input.plus(ask.output(admitted.per_choice)));
    let whose = std::iter::once(Whose::Tenant(tenant)).chain(above.map(|account| account.whose));
    for (whose, held) in whose.zip(std::iter::once(own).chain(held)).filter(|(_, held)| held.tokens > tokens) {
        let shrunk = cells.change(whose, Effort::Admit, |cell| {
            let mut shrunk = *held;
            cell.shrink(&mut shrunk, cost, tokens, ask.lease_seconds, now);
            (shrunk, true)
        });
        // Where it can't be written, it is given back at the end.
        if let Ok(shrunk) = shrunk {
            *held = shrunk;
        }
    }
}

/// Sets aside more for an answer that costs more than one of its accounts has reserved for it, as [`Cell::extend`] does it. Those
/// before one that has no more keep what they got: the request's end gives it back.
pub fn extend<'a>(
    cells: &impl Cells,
    accounts: impl Iterator<Item = Account<'a>>,
    reservation: &mut Reservation,
    seen: NanoUsd,
    (shares, lease_seconds): (Shares, u64),
    now: UnixNanos,
) -> Result<Extended, SwapLost> {
    let mut extended = Extended::default();
    let Reservation { own, above } = reservation;
    for (place, (account, held)) in accounts.zip(std::iter::once(own).chain(above)).enumerate() {
        if held.cost >= seen {
            continue;
        }
        let extension = cells.change(account.whose, Effort::Admit, |cell| {
            let extension = cell.extend(account.rules, held, seen, shares, lease_seconds, now);
            (extension, extension.verdict.is_ok())
        })?;
        let level = place.checked_sub(1);
        match level {
            None => extended.audit = extension.audit,
            Some(level) => extended.audit_above.extend(extension.audit.iter().map(|guard| (level, guard))),
        }
        match extension.verdict {
            Ok(cost) => held.extend(cost, now),
            Err(refusal) => {
                extended.refusal = Some(Refusal { above: level, ..refusal });
                break;
            }
        }
    }
    Ok(extended)
}

/// What the accounts say where an answer costs more than is reserved for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Of the first that had no more.
    pub refusal: Option<Refusal>,
    /// Guards in audit mode that would have refused.
    pub audit: Guards,
    /// Those of the accounts above, by their level.
    pub audit_above: Vec<(usize, Guard)>,
}

/// Replaces what the first accounts hold for a request by what it came to. Returns those whose cells could not be written.
pub fn settle<'a>(
    cells: &impl Cells,
    above: impl Iterator<Item = Account<'a>>,
    held: Vec<Held>,
    came: Came,
    lease_seconds: u64,
    now: UnixNanos,
) -> Vec<Whose<'a>> {
    let settled = |(account, held): (Account<'a>, Held)| {
        let swapped = cells.change(account.whose, Effort::Settle, |cell| {
            came.settle(cell, &held, lease_seconds, now);
            ((), true)
        });
        swapped.is_err().then_some(account.whose)
    };
    above.zip(held).filter_map(settled).collect()
}

impl Bound {
    /// The same, where no more than this was given to it so far.
    fn up_to(self, per_choice: Tokens) -> Self {
        match self {
            Self::Client(tokens) => Self::Client(tokens),
            Self::Open { at_least, .. } => Self::Open { at_least, at_most: per_choice },
        }
    }
}

#[cfg(test)]
mod tests;
