//! Near the end of the money another model serves: which, and whether it costs less and has room itself.
//!
//! What serves is checked at its own price and in its own accounts, so that nobody is sent on to a refusal that the first model would
//! not have met. Trade-off: others may spend between this look and the admission, which then refuses what the look has passed. It never
//! lets through what it should not.

use super::admission::models_of;
use super::offer::{Offer, Wish};
use crate::limit::Guard;
use crate::limit::accounts::Account;
use crate::limit::guard::Kind;
use crate::llm::schema::OutputBound;
use crate::name::OTHER;
use crate::outcome::{RefusedBy, Refuser};
use crate::record::Instead;
use crate::route::{MOST_LINKS, StandIn};
use crate::units::NanoUsd;

/// Of a hundred.
const ALL: u64 = 100;

/// How near its end the money is.
struct Scarce {
    /// How much is spent of the tightest budget; all, where that has no room for the request however short its answer.
    percent: u64,
    by: RefusedBy,
}

impl Wish<'_> {
    /// Puts what is to serve in its place there, if anything is.
    pub(super) fn near_the_end(&self, offer: &mut Offer) {
        let of_role = self.role_model().and_then(|role| role.instead.as_ref());
        let stand_ins = [of_role, self.policy.models.instead_of(&offer.model)];
        if stand_ins != [None, None]
            && let Some(other) = self.in_place_of(offer, stand_ins)
        {
            *offer = other;
        }
    }

    /// What stands in for the role comes before what does so for its model.
    #[cold]
    fn in_place_of(&self, offer: &Offer, stand_ins: [Option<&StandIn>; 2]) -> Option<Offer> {
        if self.tenant.rules.keeps_model || !self.may_be_another() {
            return None;
        }
        let Scarce { percent, by } = self.scarcity(offer)?;
        let mut other = stand_ins.into_iter().flatten().find_map(|first| self.furthest(first, percent, offer))?;
        other.instead = Some(Box::new(Instead { of: offer.model.clone(), by }));
        Some(other)
    }

    /// Whether another model can answer it as well: it is asked for a text, of as many tokens as a bound says, and points at nothing that
    /// a provider keeps. Vectors of two models have nothing in common; files and caches are one provider's, or one model's.
    fn may_be_another(&self) -> bool {
        matches!(self.schema.output, OutputBound::Field(_)) && self.request.hidden.whole.is_none()
    }

    /// Of those that stand in one after another the last whose share is reached, of those that can. Behind one that has no room for the
    /// request, the next one's is.
    fn furthest(&self, first: &StandIn, mut percent: u64, offer: &Offer) -> Option<Offer> {
        let (mut found, mut next): (Option<Offer>, _) = (None, Some(first));
        for _ in 0..MOST_LINKS {
            let Some(link) = next.filter(|link| link.from_percent <= percent) else { break };
            match self.cheaper(&link.model, found.as_ref().unwrap_or(offer)) {
                Some(other) if self.has_room(&other) => {
                    let own = self.scarcity(&other).map_or(0, |scarce| scarce.percent);
                    percent = percent.max(own);
                    found = Some(other);
                }
                Some(_) => percent = ALL,
                None => {}
            }
            next = self.policy.models.instead_of(&link.model);
        }
        found
    }

    /// `None`: there is no budget.
    fn scarcity(&self, offer: &Offer) -> Option<Scarce> {
        let NanoUsd(least) = offer.ceiling.worst_case(offer.input, offer.bound.least().times(self.request.choices));
        let models = models_of(self.tenant, &offer.legs);
        let mut tightest: Option<(u64, Guard, Account<'_>)> = None;
        for account in self.tenant.accounts(&models) {
            let mut cell = (self.around.cell)(account.whose).unwrap_or_default();
            cell.levels(self.around.now, self.policy.lease_seconds);
            for of in cell.uses(account.rules, self.around.now) {
                if of.audit || !matches!(of.guard.kind(), Kind::Budget(_)) {
                    continue;
                }
                let spent = u128::from(of.used).saturating_mul(ALL.into()).checked_div(of.limit.into());
                let spent = spent.and_then(|percent| u64::try_from(percent).ok()).unwrap_or(ALL);
                let percent = if least > of.left() { ALL.max(spent) } else { spent };
                if tightest.is_none_or(|(most, ..)| percent > most) {
                    tightest = Some((percent, of.guard, account));
                }
            }
        }
        let (percent, guard, account) = tightest?;
        Some(Scarce { percent, by: RefusedBy::of(guard, Refuser::of_account(&account).as_ref()) })
    }

    /// That model's offer, if it can take the request and costs less.
    fn cheaper(&self, model: &str, offer: &Offer) -> Option<Offer> {
        let other = self.named(self.policy.resolve(model)).and_then(|other| self.fits(other)).ok()?;
        let output = offer.bound.most();
        // Each by what it reads: a picture is many times as many tokens for one model as for another.
        let cost = |of: &Offer| of.ceiling.worst_case(of.input, output.times(self.request.choices));
        let legs = &other.legs;
        let is_bound_too_high = |bound| legs.iter().any(|leg| leg.max_output.is_some_and(|most| bound > most));
        let first = |of: &Offer| of.legs.first().and_then(|leg| leg.provider);
        let can = cost(&other) < cost(offer)
            // What has no price costs nothing here, and is billed all the same.
            && self.price_as_much(legs, &offer.legs)
            && legs.iter().all(|leg| leg.label != OTHER || !leg.tariff.is_free())
            && (!self.is_refused(&other) || self.is_refused(offer))
            // Its provider would refuse a bound that is more than the model writes.
            && !self.request.bound().is_some_and(is_bound_too_high)
            && (!self.leans || first(&other) == first(offer));
        can.then_some(other)
    }

    /// Whether its accounts would take it as they are now: they are asked as at the admission, on copies of their cells.
    fn has_room(&self, offer: &Offer) -> bool {
        let models = models_of(self.tenant, &offer.legs);
        let mut ask = self.ask(offer);
        self.tenant.accounts(&models).all(|account| {
            let mut cell = (self.around.cell)(account.whose).unwrap_or_default();
            let admitted = cell.admit(account.rules, &ask, self.around.now).verdict;
            // The next one is asked for no more than this one has room for.
            admitted.map(|admitted| ask.bound = ask.bound.up_to(admitted.per_choice)).is_ok()
        })
    }
}
