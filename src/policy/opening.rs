//! What was spent before this Envoy began, of those whom the configuration knows.

use std::rc::Rc;

use hashbrown::HashMap;

use super::groups::Group;
use super::model_groups::OfModels;
use super::tenants::Tenants;
use crate::config;
use crate::limit::accounts::{Holder, Whose};
use crate::units::{NanoUsd, UnixNanos};

/// What each account has spent, on the day of `at` and in its month.
#[derive(Debug)]
pub struct Opening {
    pub at: UnixNanos,
    pub balances: Vec<Balance>,
}

#[derive(Debug)]
pub struct Balance {
    of: Of,
    models: Option<Rc<str>>,
    pub day: NanoUsd,
    pub month: NanoUsd,
}

#[derive(Clone, Debug)]
enum Of {
    Tenant(Rc<str>),
    Group(Rc<str>),
}

impl Balance {
    pub fn whose(&self) -> Whose<'_> {
        let of = match &self.of {
            Of::Tenant(name) => Holder::Tenant(name),
            Of::Group(name) => Holder::Group(name),
        };
        match (&self.models, of) {
            (Some(models), of) => Whose::Models { of, models },
            (None, Holder::Tenant(name)) => Whose::Tenant(name),
            (None, Holder::Group(name)) => Whose::Group(name),
        }
    }
}

impl Opening {
    /// Whoever is gone from the configuration is passed over: a log tells of all who were there. `groups` are by name.
    pub(super) fn read(written: config::Opening, tenants: &Tenants, groups: &[Rc<Group>]) -> Self {
        let config::Opening { balances: config::Balances { date, tenants: of_tenants, groups: of_groups } } = written;
        let mut balances = Vec::new();
        let mut add = |of: Of, accounts: &[OfModels], balance: config::Balance| {
            let config::Balance { day_usd, month_usd, model_groups: of_models } = balance;
            balances.push(Balance { of: of.clone(), models: None, day: day_usd.0, month: month_usd.0 });
            for (name, config::Spent { day_usd, month_usd }) in of_models.entries {
                if accounts.iter().any(|account| account.name == name) {
                    balances.push(Balance { of: of.clone(), models: Some(name), day: day_usd.0, month: month_usd.0 });
                }
            }
        };
        // Shadows' accounts are behind the tenants, and no request can name them.
        let known: HashMap<_, _> = tenants.tenants.iter().map(|tenant| (&*tenant.name, tenant)).collect();
        for (name, balance) in of_tenants.entries {
            if let Some(tenant) = known.get(&*name) {
                add(Of::Tenant(name), &tenant.rules.of_models, balance);
            }
        }
        for (name, balance) in of_groups.entries {
            let at = groups.binary_search_by(|group| group.name.cmp(&name)).ok();
            if let Some(group) = at.and_then(|at| groups.get(at)) {
                add(Of::Group(name), &group.of_models, balance);
            }
        }
        Self { at: date.0, balances }
    }
}
