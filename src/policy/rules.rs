//! Rules in layers: the base limits, then the tier, then the tenant. A layer overrides what it writes, field by field. A group's
//! stand alone.

use crate::config::{Budgets, ConfigError, Group, Limits, OfModelGroup, Tenant, Tier};
use crate::limit::{Guard, Rule, Rules};

#[derive(Clone, Copy, Default)]
pub(super) struct Layer<'a> {
    limits: Option<&'a Limits>,
    budgets: Option<&'a Budgets>,
    audit: Option<&'a [Guard]>,
    unlimited: &'a [Guard],
}

impl<'a> From<&'a Limits> for Layer<'a> {
    fn from(limits: &'a Limits) -> Self {
        Self { limits: Some(limits), ..Self::default() }
    }
}

impl<'a> From<&'a Tier> for Layer<'a> {
    fn from(tier: &'a Tier) -> Self {
        Self {
            limits: Some(&tier.limits),
            budgets: Some(&tier.budgets),
            audit: tier.audit.as_deref(),
            unlimited: &tier.unlimited,
        }
    }
}

impl<'a> From<&'a Group> for Layer<'a> {
    fn from(group: &'a Group) -> Self {
        Self {
            limits: Some(&group.limits),
            budgets: Some(&group.budgets),
            audit: group.audit.as_deref(),
            unlimited: &[],
        }
    }
}

impl<'a> From<&'a OfModelGroup> for Layer<'a> {
    fn from(of: &'a OfModelGroup) -> Self {
        Self { limits: Some(&of.limits), budgets: Some(&of.budgets), audit: of.audit.as_deref(), unlimited: &[] }
    }
}

impl<'a> From<&'a Tenant> for Layer<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self {
            limits: tenant.limits.as_deref(),
            budgets: tenant.budgets.as_deref(),
            audit: tenant.audit.as_deref(),
            unlimited: &tenant.unlimited,
        }
    }
}

impl Layer<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.limits.is_none() && self.budgets.is_none() && self.audit.is_none() && self.unlimited.is_empty()
    }

    /// What this layer writes for `guard`.
    fn limit(&self, guard: Guard) -> Option<u64> {
        let limit = |of: fn(&Limits) -> Option<crate::config::Limit>| self.limits.and_then(of).map(|limit| limit.0);
        let budget = |of: fn(&Budgets) -> Option<crate::config::Budget>| self.budgets.and_then(of).map(|usd| usd.0.0);
        match guard {
            Guard::RequestsPerMinute => limit(|limits| limits.requests_per_minute),
            Guard::RequestsPerHour => limit(|limits| limits.requests_per_hour),
            Guard::RequestsPerDay => limit(|limits| limits.requests_per_day),
            Guard::TokensPerMinute => limit(|limits| limits.tokens_per_minute),
            Guard::ExpensivePerMinute => limit(|limits| limits.expensive_per_minute),
            Guard::InFlight => limit(|limits| limits.in_flight),
            Guard::RequestUsd => budget(|budgets| budgets.request_usd),
            Guard::DayUsd => budget(|budgets| budgets.day_usd),
            Guard::MonthUsd => budget(|budgets| budgets.month_usd),
        }
    }

    /// Lays this layer over `rules`; `path` is where it was written.
    pub(super) fn apply(&self, rules: &mut Rules, path: impl Fn() -> String) -> Result<(), ConfigError> {
        for guard in Guard::ALL {
            let inherited = rules.get(guard);
            let written = self.limit(guard);
            let audit = self.audit.map_or(inherited.audit, |audit| audit.contains(&guard));
            let rule = if !self.unlimited.contains(&guard) {
                Rule { limit: written.or(inherited.limit), audit }
            } else if written.is_some() {
                return Err(contradiction(&path(), guard, "has a limit"));
            } else if self.audit.is_some_and(|audit| audit.contains(&guard)) {
                return Err(contradiction(&path(), guard, "is listed under `audit`"));
            } else {
                Rule::default()
            };
            rules.set(guard, rule);
        }
        Ok(())
    }

    /// An audit of nothing was meant to be something.
    pub(super) fn check_audit(&self, rules: &Rules, path: impl Fn() -> String) -> Result<(), ConfigError> {
        match self.audit.unwrap_or_default().iter().find(|guard| rules.get(**guard).limit.is_none()) {
            None => Ok(()),
            Some(guard) => {
                let problem = format!("`{}` has no limit to audit here: write one, or leave it out", guard.name());
                Err(ConfigError::new(format!("{}.audit", path()), problem))
            }
        }
    }
}

fn contradiction(path: &str, guard: Guard, other: &str) -> ConfigError {
    let problem = format!("`{}` is listed here and {other} too: remove one of them", guard.name());
    ConfigError::new(format!("{path}.unlimited"), problem)
}
