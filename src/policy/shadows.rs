//! Shadows: which requests are copied, to which model, and on whose account.
//!
//! A shadow's account is a tenant that nobody can be: it stands behind all others in their list, and in no index of names.

use crate::order;
use std::rc::Rc;

use super::flaw::{Checked, flaw, under};
use super::models;
use super::tenants::Tenants;
use super::{Overrun, TenantIx, TenantPolicy, Terms};
use crate::calendar::{Calendar, END_OF_TIME};
use crate::config::{self, Named};
use crate::hash::{fnv, mixed};
use crate::limit::{Guard, Rule, Rules};
use crate::name::Pattern;
use crate::price::{PriceTable, Quote};
use crate::route::{Models, ProviderIx};
use crate::units::{Share, UnixNanos};

/// All shadows, by name: whoever reads the configuration has them in one order.
#[derive(Debug)]
pub struct Shadows {
    /// Where Envoy is to send a copy.
    pub cluster: Box<str>,
    /// By which copies come back, and nothing else.
    pub filter_chain: Box<str>,
    shadows: Box<[Rc<Shadow>]>,
}

/// A model that gets copies of requests.
#[derive(Debug)]
pub struct Shadow {
    pub name: Rc<str>,
    pub account: TenantIx,
    pub model: Box<str>,
    models: Option<Box<[Pattern]>>,
    roles: Option<Box<[Rc<str>]>>,
    /// In order.
    tenants: Option<Box<[TenantIx]>>,
    pub share: Share,
    /// The last day, counted from 1970.
    last_day: u64,
}

/// What decides whether a request is a shadow's.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub tenant: TenantIx,
    /// That it goes to.
    pub model: &'a str,
    pub role: Option<&'a str>,
    pub request_id: &'a str,
    pub now: UnixNanos,
}

impl Shadows {
    pub fn named(&self, name: &str) -> Option<&Rc<Shadow>> {
        self.shadows.iter().find(|shadow| *shadow.name == *name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rc<Shadow>> {
        self.shadows.iter()
    }
}

impl Shadow {
    /// Whether this request is one of those that it gets copies of.
    pub fn wants(&self, of: &Candidate<'_>) -> bool {
        let among = |roles: &[Rc<str>]| of.role.is_some_and(|role| roles.iter().any(|known| **known == *role));
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.matches(of.model)))
            && self.roles.as_ref().is_none_or(|roles| among(roles))
            && self.tenants.as_ref().is_none_or(|tenants| tenants.binary_search(&of.tenant).is_ok())
            && Calendar::Day.number(of.now) <= self.last_day
            && self.draws(of.request_id)
    }

    /// By the request's id, so that everybody who asks again gets the same answer; and by the shadow's name, so that each shadow has
    /// requests of its own. Without an id nothing would say which two belong together.
    fn draws(&self, request_id: &str) -> bool {
        let hash = mixed(fnv(self.name.bytes().chain([0]).chain(request_id.bytes())));
        !request_id.is_empty() && self.share.has(hash)
    }
}

/// What shadows refer to.
pub(super) struct References<'a> {
    pub(super) models: &'a Models,
    pub(super) prices: &'a PriceTable,
    pub(super) provider: &'a dyn Fn(ProviderIx) -> Option<&'a str>,
    pub(super) roles: &'a [String],
}

/// Adds the shadows' accounts to the tenants.
pub(super) fn read(
    written: Named<config::Shadow>,
    mirror: Option<config::Mirror>,
    known: &References<'_>,
    tenants: &mut Tenants,
) -> Checked<Option<Shadows>> {
    if written.entries.is_empty() {
        return Ok(None);
    }
    if !known.models.are_listed() {
        let problem = "without `models` Envoy's routes choose the provider, and a copy would go where its original goes: list \
                       `models`, or leave `shadows` out";
        return flaw("shadows", problem);
    }
    let Some(config::Mirror { cluster, filter_chain }) = mirror else {
        let problem = "it is missing, and `shadows` need it: name the cluster that leads to the listener of their copies, and that \
                       listener's filter chain, as envoy/production.yaml has them";
        return flaw("mirror", problem);
    };
    let mut shadows = Vec::with_capacity(written.entries.len());
    for (name, shadow) in written.entries {
        shadows.push(Rc::new(one(name, shadow, known, tenants)?));
    }
    order::sort_by(&mut shadows, |one, other| Rc::cmp(&one.name, &other.name));
    let [cluster, filter_chain] = [cluster, filter_chain].map(|config::Name(name)| (*name).into());
    Ok(Some(Shadows { cluster, filter_chain, shadows: shadows.into() }))
}

fn one(name: Rc<str>, written: config::Shadow, known: &References<'_>, tenants: &mut Tenants) -> Checked<Shadow> {
    let path = || under("shadows", &name);
    let config::Shadow { of, model: config::Name(model), percent, budgets, until } = written;
    let config::ShadowOf { models, roles, tenants: whose } = of;
    served(&model, known, || format!("{}.model", path()))?;
    let lists = [
        ("models", models.as_ref().map(Vec::len)),
        ("roles", roles.as_ref().map(Vec::len)),
        ("tenants", whose.as_ref().map(Vec::len)),
    ];
    if let Some((key, _)) = lists.into_iter().find(|(_, length)| *length == Some(0)) {
        return flaw(
            format!("{}.of.{key}", path()),
            "an empty list has no requests; leave it out to have those of all",
        );
    }
    for (at, pattern) in models.iter().flatten().enumerate() {
        let is_one = |model: &Pattern| pattern.matches(model.as_str()) || model.matches(pattern.as_str());
        if !known.models.models().iter().any(|model| is_one(&model.model)) {
            let problem = format!("`{pattern}` is none of `models`, so no request goes to it");
            return flaw(format!("{}.of.models[{at}]", path()), problem);
        }
    }
    for (at, config::Name(role)) in roles.iter().flatten().enumerate() {
        if !known.roles.iter().any(|known| **known == **role) {
            return flaw(format!("{}.of.roles[{at}]", path()), models::unknown_role(role, known.roles));
        }
    }
    let mut places = Vec::new();
    for (at, config::Name(tenant)) in whose.iter().flatten().enumerate() {
        let Some(ix) = tenants.index.get(tenant) else {
            let problem = format!("unknown tenant `{tenant}`: write it under `tenants`, or leave it out here");
            return flaw(format!("{}.of.tenants[{at}]", path()), problem);
        };
        places.push(TenantIx(*ix));
    }
    order::sort(&mut places);
    let account = account(&name, &model, &budgets, tenants)?;
    Ok(Shadow {
        account,
        model: (*model).into(),
        models: models.map(Vec::into_boxed_slice),
        roles: roles.map(|roles| roles.into_iter().map(|config::Name(role)| role).collect()),
        tenants: whose.map(|_| places.into()),
        share: percent.0,
        last_day: until.map_or(u64::MAX, |config::Date(day)| Calendar::Day.number(day)),
        name,
    })
}

/// One of the models, with a price at everybody who serves it: of a pattern nobody has asked so far.
fn served(model: &str, known: &References<'_>, path: impl Fn() -> String) -> Checked<()> {
    let Some(found) = known.models.model(model).filter(|_| !model.contains('*')) else {
        return flaw(
            path(),
            format!("`{model}` is none of `models`: write one of their names, no alias and no `virtual_models`"),
        );
    };
    for serving in &found.serving {
        let (provider, sent) =
            ((known.provider)(serving.provider).unwrap_or_default(), serving.name.replace('*', model));
        if known.prices.quote(Some(provider), &sent, END_OF_TIME) == Quote::Denied {
            let problem = format!(
                "no price matches `{sent}` of `{provider}`: add `{provider}/{sent}` or `{sent}` under `prices`"
            );
            return flaw(path(), problem);
        }
    }
    Ok(())
}

/// The account of a shadow: its money and its model are its only bounds. What nobody knows of a request or has a price for goes to no
/// shadow, whatever its tenant may send. A stream that passes what is reserved for it is ended where there is no more: nobody reads it.
fn account(shadow: &str, model: &str, budgets: &config::ShadowBudgets, tenants: &mut Tenants) -> Checked<TenantIx> {
    let name: Rc<str> = format!("shadow:{shadow}").into();
    if tenants.index.contains_key(&name) {
        let problem = format!("`{name}` is the account of the shadow `{shadow}`; choose another name for one of them");
        return flaw(under("tenants", &name), problem);
    }
    let mut rules = Rules::default();
    for (guard, budget) in [
        (Guard::RequestUsd, budgets.request_usd),
        (Guard::DayUsd, budgets.day_usd),
        (Guard::MonthUsd, budgets.month_usd),
    ] {
        rules.set(guard, Rule { limit: Some(budget.0.0), audit: false });
    }
    let terms = Terms { rules, overrun: Some(Overrun::End), ..Terms::default() };
    let ix = TenantIx(u32::try_from(tenants.tenants.len()).unwrap_or(u32::MAX));
    tenants.tenants.push(Rc::new(TenantPolicy {
        ix,
        tier: Rc::clone(&name),
        name,
        rules: Rc::new(terms),
        models: Pattern::new(model).map(|model| Box::from([model])),
        role_models: None,
    }));
    Ok(ix)
}
