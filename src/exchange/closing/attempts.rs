//! What attempts before the answer cost: those that failed, those that refused the account, and those that were given up.

use super::super::charge::{Evidence, Foreseen};
use super::super::ending::Ending;
use super::super::{Leg, Open};
use crate::attempt::Failed;
use crate::limit::{ModelsIx, Reservation, accounts};
use crate::llm::usage::UsageSource;
use crate::policy::Policy;
use crate::record::{Bill, FailedAttempt};
use crate::units::{NanoUsd, Tokens, UnixNanos};

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
            let leg = leg_of(policy, &self.legs, &failed.provider)?;
            let request = request.at(leg, &self.input);
            let (usage, may_have_read, source) = match (failed.usage, failed.given_up) {
                (Some(usage), _) => (usage.within(&request.most(Tokens(0), 0)), Tokens(0), UsageSource::Reported),
                (None, Some(at)) => {
                    let after = at.since(began(&self.reservation, ending, failed.number));
                    if after < SHORTEST_WAIT {
                        return None;
                    }
                    let left = Evidence::LeftUnderWay { after };
                    (left.charge(&request).usage(), left.may_have_read(&request), UsageSource::Estimated)
                }
                (None, None) => return None,
            };
            let cost = leg.tariff.cost_as(&usage, may_have_read, &failed.served, &self.rates);
            let (provider, model) = (failed.provider.clone(), leg.label.clone());
            let model_group = leg.models.and_then(|ix| policy.model_groups.name(ix)).cloned();
            Some(FailedAttempt { provider, model, model_group, usage, source, cost })
        };
        self.before_the_answer(ending).filter_map(cost).collect()
    }
}

/// The leg that leads to this provider.
fn leg_of<'a>(policy: &Policy, legs: &'a [Leg], provider: &str) -> Option<&'a Leg> {
    let named =
        |leg: &&Leg| leg.provider.and_then(|ix| policy.provider_at(ix)).is_some_and(|policy| policy.name == provider);
    legs.iter().find(named)
}

/// What of a bill is of each model group: its answer is of the group of the model that `served` it, and each failed attempt of that of
/// the model that failed.
pub(super) fn of_models(
    policy: &Policy,
    legs: &[Leg],
    served: Option<ModelsIx>,
    bill: &Bill,
) -> Vec<(ModelsIx, accounts::Came)> {
    let mut of_models: Vec<(ModelsIx, accounts::Came)> = Vec::new();
    let mut add = |models: Option<ModelsIx>, cost: NanoUsd, tokens: Tokens| {
        let Some(models) = models else { return };
        match of_models.iter_mut().find(|(known, _)| *known == models) {
            Some((_, came)) => (came.cost, came.tokens) = (came.cost.plus(cost), came.tokens.plus(tokens)),
            None => of_models.push((models, accounts::Came { cost, tokens, withdrawn: false })),
        }
    };
    add(served, bill.cost, bill.usage.total_tokens);
    for FailedAttempt { provider, cost, usage, .. } in &bill.failed_attempts {
        add(leg_of(policy, legs, provider).and_then(|leg| leg.models), *cost, usage.total_tokens);
    }
    of_models
}

/// When an attempt began, at the earliest: when it said so, or the one before it was given up.
pub(super) fn began(reservation: &Reservation, ending: &Ending, number: u64) -> UnixNanos {
    let given_up = ending.failed.iter().filter(|failed| failed.number < number).filter_map(|failed| failed.given_up);
    let begun = ending.begun.iter().filter(|begun| begun.number <= number).map(|begun| begun.at);
    given_up.chain(begun).fold(reservation.at, |latest, at| if at.0 > latest.0 { at } else { latest })
}
