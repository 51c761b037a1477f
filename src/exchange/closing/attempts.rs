//! What attempts before the answer cost: those that failed, those that refused the account, and those that were given up.

use super::super::charge::{Evidence, Foreseen};
use super::super::ending::Ending;
use super::super::{Leg, Open};
use crate::attempt::Failed;
use crate::limit::Reservation;
use crate::llm::usage::UsageSource;
use crate::policy::Policy;
use crate::record::FailedAttempt;
use crate::units::{Tokens, UnixNanos};

/// In the shipped configurations Envoy gives no attempt up sooner. What ended before was hung up on, which at the end of an
/// attempt can't be distinguished from that, and whoever hangs up bills nothing.
const SHORTEST_WAIT: u64 = 5_000_000_000;

impl Open {
    /// The last attempt's answer, if one came, was metered as it passed; and if none came, whoever left it is charged for it.
    fn before_the_answer<'a>(&self, ending: &'a Ending) -> impl Iterator<Item = &'a Failed> {
        let answered = self.answer.is_some();
        let is_over = move |failed: &&Failed| failed.number < ending.attempts || !answered && failed.given_up.is_none();
        ending.failed.iter().filter(is_over)
    }

    /// Providers that refused the gateway's own account before another answered, and by which status.
    pub(super) fn account_refusals(&self, policy: &Policy, ending: &Ending) -> Vec<(String, u64)> {
        let refusal = |failed: &Failed| {
            let provider = policy.providers.iter().find(|provider| provider.name == failed.provider)?;
            let status = failed.refused.filter(|status| policy.refuses_account(provider, *status))?;
            Some((failed.provider.clone(), status))
        };
        self.before_the_answer(ending).filter_map(refusal).collect()
    }

    /// What failed attempts cost: what they reported, or, given up, what there was time for.
    pub(super) fn failed(&self, policy: &Policy, ending: &Ending, request: &Foreseen) -> Vec<FailedAttempt> {
        let cost = |failed: &Failed| {
            let named = |leg: &&Leg| {
                let provider = leg.provider.and_then(|ix| policy.provider_at(ix));
                provider.is_some_and(|provider| provider.name == failed.provider)
            };
            let leg = self.legs.iter().find(named)?;
            let request = request.at(leg, &self.input);
            let (usage, source) = match (failed.usage, failed.given_up) {
                (Some(usage), _) => (usage.within(&request.most(Tokens(0), 0)), UsageSource::Reported),
                (None, Some(at)) => {
                    let earlier = ending.failed.iter().filter(|earlier| earlier.number < failed.number);
                    let after = at.since(began(&self.reservation, earlier));
                    if after < SHORTEST_WAIT {
                        return None;
                    }
                    let left = Evidence::LeftUnderWay { after };
                    (left.charge(&request).usage(), UsageSource::Estimated)
                }
                (None, None) => return None,
            };
            let cost = match failed.service_tier.as_deref() {
                Some(served) => leg.tariff.cost(&usage, Some(served)),
                None => leg.tariff.cost_unserved(&usage, self.service_tier.as_deref()),
            };
            let (provider, model) = (failed.provider.clone(), leg.label.clone());
            Some(FailedAttempt { provider, model, usage, source, cost })
        };
        self.before_the_answer(ending).filter_map(cost).collect()
    }
}

/// When an attempt began, at the earliest: when the one before it was given up.
pub(super) fn began<'a>(reservation: &Reservation, earlier: impl Iterator<Item = &'a Failed>) -> UnixNanos {
    earlier
        .filter_map(|failed| failed.given_up)
        .fold(reservation.at, |latest, at| if at.0 > latest.0 { at } else { latest })
}
