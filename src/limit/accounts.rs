//! The accounts of a request: the tenant's own, those of the groups above it, and of each of these one for some models alone, where
//! these have limits of their own. A request has to have room in each of them.
//!
//! Trade-off: one swap over all cells would decide at once, and Envoy has none. So each is asked by a swap of its own, the most
//! specific first, and a refusal takes back what those before it have set aside. A flood of requests that their own tenant refuses
//! never touches the cells that it shares. What is taken back was held for a moment: meanwhile another may be refused for want of it,
//! but never admitted beyond a limit.

use super::cell::Cell;
use super::{Admitted, Ask, Beside, Bound, Decision, Guard, Guards, Held, Refusal, Reservation, Rules, Shares};
use super::{Standing, SwapLost};
use crate::units::{NanoUsd, Tokens, UnixNanos};

/// The place of a model group among all; means nothing to another configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelsIx(pub u16);

/// Who has limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder<'a> {
    Tenant(&'a str),
    Group(&'a str),
}

/// Whose a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose<'a> {
    Tenant(&'a str),
    Group(&'a str),
    /// What one of them asks of a model group.
    Models {
        of: Holder<'a>,
        models: &'a str,
    },
}

impl std::fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tenant(name) => write!(f, "tenant {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Models { of: Holder::Tenant(name), models } => {
                write!(f, "tenant {name} for the model group {models}")
            }
            Self::Models { of: Holder::Group(name), models } => write!(f, "group {name} for the model group {models}"),
        }
    }
}

/// An account, as a request meets it.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub whose: Whose<'a>,
    /// The models that it is about; `None`: all.
    pub of: Option<ModelsIx>,
    pub rules: &'a Rules,
    /// Whether whoever is refused learns its figures.
    pub shows_figures: bool,
}

impl Account<'_> {
    const fn is_the_tenants_own(&self) -> bool {
        matches!(self.whose, Whose::Tenant(_))
    }
}

/// Whether an account of these models pays for what was served by those.
pub(super) fn pays(of: Option<ModelsIx>, served: Option<ModelsIx>) -> bool {
    of.is_none() || of == served
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

/// Asks each account for room, the most specific first; the tenant's own by `own`. If one refuses, or can't be reached, then those
/// that had room before it have theirs back.
pub fn admit<'a>(
    cells: &impl Cells,
    accounts: impl Iterator<Item = Account<'a>> + Clone,
    mut own: impl FnMut(&Ask) -> Result<Decision, SwapLost>,
    ask: &Ask,
    now: UnixNanos,
) -> Result<Decision, SwapLost> {
    let mut asked = Asked::default();
    for account in accounts.clone() {
        let ask = Ask { bound: asked.per_choice.map_or(ask.bound, |most| ask.bound.up_to(most)), ..*ask };
        let decision = if account.is_the_tenants_own() {
            own(&ask)
        } else {
            cells.change(account.whose, Effort::Admit, |cell| {
                let decision = cell.admit(account.rules, &ask, now);
                let store = decision.verdict.is_ok();
                (decision, store)
            })
        };
        let refused = match decision.map(|decision| asked.hear(&account, decision)) {
            Ok(None) => continue,
            Ok(Some(refusal)) => Ok(refusal),
            Err(SwapLost) => Err(SwapLost),
        };
        for (account, held) in accounts.zip(&asked.held) {
            // Where it can't be written, it lapses with its lease.
            let _ = cells.change(account.whose, Effort::Settle, |cell| {
                Came::NOTHING.settle(cell, held, ask.lease_seconds, now);
                ((), true)
            });
        }
        return refused.map(|refusal| asked.decided(Err(refusal)));
    }
    let per_choice = asked.per_choice.unwrap_or_default();
    fit(cells, accounts.clone(), &mut asked.held, ask, per_choice, now);
    let mut reservation = Reservation::of(Held::nothing(now));
    for (account, held) in accounts.zip(&asked.held) {
        if account.is_the_tenants_own() {
            reservation.own = *held;
        } else {
            reservation.beside.push(Beside { held: *held, of: account.of });
        }
    }
    Ok(asked.decided(Ok(Admitted { reservation, per_choice })))
}

/// What accounts have said so far, one after another.
#[derive(Default)]
struct Asked {
    held: Vec<Held>,
    /// What the tightest has room for.
    per_choice: Option<Tokens>,
    standing: Standing,
    audit: Guards,
    audit_beside: Vec<(usize, Guard)>,
    /// The place of the next that is not the tenant's own.
    beside: usize,
}

impl Asked {
    fn hear(&mut self, account: &Account<'_>, decision: Decision) -> Option<Refusal> {
        let place = if account.is_the_tenants_own() {
            self.audit = decision.audit;
            None
        } else {
            let place = self.beside;
            self.beside = place.saturating_add(1);
            self.audit_beside.extend(decision.audit.iter().map(|guard| (place, guard)));
            Some(place)
        };
        if account.shows_figures {
            self.standing = self.standing.tighter(decision.standing);
        }
        match decision.verdict {
            Ok(admitted) => {
                self.per_choice = Some(admitted.per_choice);
                self.held.push(admitted.reservation.own);
                None
            }
            Err(refusal) => Some(Refusal { beside: place, ..refusal }),
        }
    }

    fn decided(self, verdict: Result<Admitted, Refusal>) -> Decision {
        let Self { standing, audit, audit_beside, .. } = self;
        Decision { verdict, standing, audit, audit_beside }
    }
}

/// Those who had room for more than the tightest keep no more than that needs.
fn fit<'a>(
    cells: &impl Cells,
    accounts: impl Iterator<Item = Account<'a>>,
    held: &mut [Held],
    ask: &Ask,
    per_choice: Tokens,
    now: UnixNanos,
) {
    let (cost, tokens) = (ask.worst_case(per_choice), ask.input.plus(ask.output(per_choice)));
    for (account, held) in accounts.zip(held).filter(|(_, held)| held.tokens > tokens) {
        let shrunk = cells.change(account.whose, Effort::Admit, |cell| {
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

/// Sets aside more for an answer of the models `served` that costs more than one of its accounts has reserved for it, as
/// [`Cell::extend`] does it. Those before one that has no more keep what they got: the request's end gives it back.
pub fn extend<'a>(
    cells: &impl Cells,
    accounts: impl Iterator<Item = Account<'a>>,
    reservation: &mut Reservation,
    (seen, served): (NanoUsd, Option<ModelsIx>),
    (shares, lease_seconds): (Shares, u64),
    now: UnixNanos,
) -> Result<Extended, SwapLost> {
    let mut extended = Extended::default();
    let Reservation { own, beside } = reservation;
    let (mut own, mut beside) = (Some(own), beside.iter_mut().enumerate());
    for account in accounts {
        let held = if account.is_the_tenants_own() {
            own.take().map(|held| (None, held))
        } else {
            beside.next().map(|(place, Beside { held, .. })| (Some(place), held))
        };
        let Some((place, held)) = held.filter(|(_, held)| held.cost < seen && pays(account.of, served)) else {
            continue;
        };
        let extension = cells.change(account.whose, Effort::Admit, |cell| {
            let extension = cell.extend(account.rules, held, seen, shares, lease_seconds, now);
            (extension, extension.verdict.is_ok())
        })?;
        match place {
            None => extended.audit = extension.audit,
            Some(place) => extended.audit_beside.extend(extension.audit.iter().map(|guard| (place, guard))),
        }
        match extension.verdict {
            Ok(cost) => held.extend(cost, extension.at),
            Err(refusal) => {
                extended.refusal = Some(Refusal { beside: place, ..refusal });
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
    /// Those of the accounts beside the tenant's own, by their place among them.
    pub audit_beside: Vec<(usize, Guard)>,
}

/// Replaces what the accounts beside the tenant's own hold for a request by what it came to for each. Returns those whose cells could
/// not be written, and what is not in them.
pub fn settle<'a>(
    cells: &impl Cells,
    beside: impl Iterator<Item = (Account<'a>, Beside)>,
    came: impl Fn(Option<ModelsIx>) -> Came,
    lease_seconds: u64,
    now: UnixNanos,
) -> Vec<(Whose<'a>, NanoUsd)> {
    let settled = |(account, Beside { held, of }): (Account<'a>, Beside)| {
        let came = came(of);
        let swapped = cells.change(account.whose, Effort::Settle, |cell| {
            came.settle(cell, &held, lease_seconds, now);
            ((), true)
        });
        swapped.is_err().then_some((account.whose, came.cost))
    };
    beside.filter_map(settled).collect()
}

impl Bound {
    /// The same, where no more than this was given to it so far.
    pub(crate) fn up_to(self, per_choice: Tokens) -> Self {
        match self {
            Self::Client(tokens) => Self::Client(tokens),
            Self::Open { at_least, .. } => Self::Open { at_least, at_most: per_choice },
        }
    }
}

#[cfg(test)]
mod tests;
