//! The table of models and who serves them: every name in it is known, and whatever it sends on has a price.

use hashbrown::HashMap;
use std::rc::Rc;

use super::flaw::{Checked, flaw, under};
use super::{OTHER, ProviderPolicy, serving};
use crate::calendar::END_OF_TIME;
use crate::config::{self, Named, VirtualModel};
use crate::name::BY_ROLE;
use crate::price::{PriceTable, Quote};
use crate::route::{
    Canary, Cheapest, CheapestOf, Model, Models, ProviderIx, RoleModel, Serving, Split, StandIn, Sticky, Variant,
    Virtual, Weighted, Weights,
};
use crate::units::Tokens;

/// What the table refers to.
pub(super) struct References<'a> {
    pub(super) providers: &'a [ProviderPolicy],
    pub(super) prices: &'a PriceTable,
    pub(super) roles: &'a [String],
    pub(super) aliases: &'a Named<config::Name>,
}

pub(super) fn read(
    models: Vec<config::Model>,
    virtuals: Named<VirtualModel>,
    roles: Named<config::RoleModel>,
    known: &References<'_>,
) -> Checked<Models> {
    let mut table: Vec<Model> = Vec::with_capacity(models.len());
    let mut instead = Vec::new();
    for (at, written) in models.into_iter().enumerate() {
        let path = format!("models[{at}]");
        let name = written.model.as_str();
        if [OTHER, BY_ROLE].contains(&name) {
            return flaw(format!("{path}.model"), format!("`{name}` is a name of the gateway's own; choose another"));
        }
        if table.iter().any(|model| model.model == written.model) {
            return flaw(format!("{path}.model"), format!("the model `{name}` is written twice"));
        }
        if known.aliases.get(name).is_some() {
            return flaw(
                format!("{path}.model"),
                format!("`{name}` is an alias, too; choose another name for one of them"),
            );
        }
        let model = model(written, &path, known)?;
        instead.extend(model.instead.clone().map(|instead| (instead, model.model.clone(), path)));
        table.push(model);
    }
    let listed = Models::of(table);
    let virtuals = self::virtuals(virtuals, &listed, known)?;
    let models = listed.with_virtuals(virtuals);
    let serving = serving::Serving { providers: known.providers, models: &models, prices: known.prices };
    for (instead, of, path) in instead {
        serving.check_stand_in(&instead, of.as_str(), || path.clone())?;
    }
    let roles = self::roles(roles, serving, known)?;
    Ok(models.with_roles(roles))
}

fn model(written: config::Model, path: &str, known: &References<'_>) -> Checked<Model> {
    let config::Model { model, providers, sticky, context_tokens, tools, instead } = written;
    if providers.is_empty() {
        return flaw(format!("{path}.providers"), "an empty list serves nobody; leave the model out");
    }
    if context_tokens == Some(0) {
        return flaw(format!("{path}.context_tokens"), "0 holds nothing; leave it out where it is not known");
    }
    let mut serving: Vec<Serving> = Vec::with_capacity(providers.len());
    let mut weighted: Vec<Weighted> = Vec::new();
    for (at, config::Served { provider: config::Name(provider), model: name, weight }) in
        providers.into_iter().enumerate()
    {
        let path = format!("{path}.providers[{at}]");
        let Some(ix) = known.providers.iter().position(|known| *known.name == *provider) else {
            let names: Vec<_> = known.providers.iter().map(|known| format!("`{}`", known.name)).collect();
            let names = if names.is_empty() { "one under `providers`".to_owned() } else { names.join(", ") };
            return flaw(format!("{path}.provider"), format!("unknown provider `{provider}`, expected {names}"));
        };
        let policy = known.providers.get(ix);
        if policy.is_some_and(|policy| policy.reach.sensitivity.is_none()) {
            return no_sensitivity(&provider);
        }
        let provider_ix = ProviderIx(u16::try_from(ix).unwrap_or(u16::MAX));
        if serving.iter().any(|serving| serving.provider == provider_ix) {
            return flaw(format!("{path}.provider"), format!("`{provider}` is written twice"));
        }
        let name = name.map_or_else(|| "*".to_owned(), |config::Name(name)| name.to_string());
        // Of a pattern, the names are known only when they are asked for; then it is the same question.
        if !(model.as_str().ends_with('*') && name.contains('*')) {
            let sent = name.replace('*', model.as_str());
            if known.prices.quote(Some(&provider), &sent, END_OF_TIME) == Quote::Denied {
                let problem = format!(
                    "no price matches `{sent}` of `{provider}`: add `{provider}/{sent}` or `{sent}` under `prices`"
                );
                return flaw(path, problem);
            }
        }
        if !serving.is_empty() && weight.is_some() == weighted.is_empty() {
            let problem =
                "of one model either all providers have a `weight`, or none: an order and a share don't go together";
            return flaw(path, problem);
        }
        weighted.extend(weight.map(|weight| Weighted { provider: provider_ix, name: provider, weight: weight.get() }));
        serving.push(Serving { provider: provider_ix, name });
    }
    let weights = weights(weighted, sticky, || format!("{path}.sticky"))?;
    let instead = instead.map(StandIn::from);
    Ok(Model { model, serving, weights, context: context_tokens.map(Tokens), tools, instead })
}

fn weights(of: Vec<Weighted>, sticky: Option<Sticky>, path: impl FnOnce() -> String) -> Checked<Option<Weights>> {
    match (of.is_empty(), sticky) {
        (true, None) => Ok(None),
        (true, Some(_)) => {
            flaw(path(), "nothing is drawn where no provider has a `weight`: give all of them one, or leave it out")
        }
        (false, sticky) => Ok(Some(Weights { sticky: sticky.unwrap_or_default(), of: of.into() })),
    }
}

fn virtuals(
    written: Named<VirtualModel>,
    listed: &Models,
    known: &References<'_>,
) -> Checked<HashMap<String, Virtual>> {
    let mut virtuals = HashMap::with_capacity(written.entries.len());
    for (name, written) in written.entries {
        let path = || under("virtual_models", &name);
        // A split may take the name that clients have written so far: the model itself is one of its variants.
        let is_listed = !matches!(written, VirtualModel::Split(_)) && listed.model(&name).is_some();
        if *name == *BY_ROLE || is_listed || known.aliases.get(&name).is_some() {
            return flaw(path(), format!("`{name}` is a model or an alias already; choose another name"));
        }
        let stands_for = match written {
            VirtualModel::List(models) => Virtual::Cheapest(cheapest(models, CheapestOf::Request, listed, path)?),
            VirtualModel::Cheapest(config::Cheapest { cheapest: models, sticky }) => {
                let path = || format!("{}.cheapest", path());
                Virtual::Cheapest(cheapest(models, sticky, listed, path)?)
            }
            VirtualModel::Split(written) => Virtual::Split(split(&name, written, listed, path)?),
        };
        virtuals.insert(name.to_string(), stands_for);
    }
    Ok(virtuals)
}

fn cheapest(
    candidates: Vec<config::Name>,
    of: CheapestOf,
    listed: &Models,
    path: impl Fn() -> String,
) -> Checked<Cheapest> {
    if candidates.is_empty() {
        return flaw(path(), "an empty list stands for nothing; name some of `models`");
    }
    for (at, config::Name(candidate)) in candidates.iter().enumerate() {
        is_one_of(listed, candidate, || format!("{}[{at}]", path()))?;
    }
    let models = candidates.into_iter().map(|config::Name(candidate)| candidate.to_string()).collect();
    Ok(Cheapest { models, of })
}

fn split(name: &Rc<str>, written: config::Split, listed: &Models, path: impl Fn() -> String) -> Checked<Split> {
    let config::Split { split: weights, sticky, canaries } = written;
    let of = |key: &str| format!("{}.{key}", path());
    if weights.entries.is_empty() {
        return flaw(of("split"), "an empty map stands for nothing; give some of `models` their weights");
    }
    if let Some(other) = canaries.names().find(|canary| weights.get(canary).is_none()) {
        let known: Vec<_> = weights.names().map(|model| format!("`{model}`")).collect();
        let problem = format!("`{other}` is no variant of this split, expected one of {}", known.join(", "));
        return flaw(under(&of("canaries"), other), problem);
    }
    if canaries.entries.len() == weights.entries.len() {
        let problem = "all variants are watched, and none is sure to be left: leave out the one that has served so far";
        return flaw(of("canaries"), problem);
    }
    let variant = |(model, weight): (Rc<str>, config::Weight)| {
        is_one_of(listed, &model, || under(&of("split"), &model))?;
        let canary = canaries.get(&model).map(|written| canary(written, || under(&of("canaries"), &model)));
        Ok(Variant { weight: weight.get(), canary: canary.transpose()?, model })
    };
    let variants = weights.entries.into_iter().map(variant).collect::<Checked<_>>()?;
    Ok(Split::new(Rc::clone(name), sticky, variants))
}

fn canary(written: &config::Canary, path: impl FnOnce() -> String) -> Checked<Canary> {
    let config::Canary { errors_percent, mean_usd, least_requests } = written;
    if errors_percent.is_none() && mean_usd.is_none() {
        return flaw(path(), "it has no bound: write `errors_percent`, `mean_usd` or both");
    }
    Ok(Canary {
        errors_percent: errors_percent.map(config::ErrorsPercent::get),
        mean_cost: mean_usd.map(|config::Budget(usd)| usd),
        least_requests: least_requests.get(),
    })
}

fn is_one_of(listed: &Models, model: &str, path: impl FnOnce() -> String) -> Checked<()> {
    if model.contains('*') || listed.model(model).is_none() {
        return flaw(path(), format!("`{model}` is none of `models`"));
    }
    Ok(())
}

fn roles(
    written: Named<config::RoleModel>,
    serving: serving::Serving<'_>,
    known: &References<'_>,
) -> Checked<HashMap<Rc<str>, RoleModel>> {
    let models = serving.models;
    let is_known = |model: &str| {
        models.model(model).is_some() || models.stands_for(model).is_some() || known.aliases.get(model).is_some()
    };
    let is_model = |model: &str| !models.are_listed() || is_known(model);
    of_roles(written, serving, (known.roles, is_model), || "role_models".to_owned())
}

/// The models of roles, as all tenants or one of them has them.
pub(super) fn of_roles(
    written: Named<config::RoleModel>,
    serving: serving::Serving<'_>,
    (roles, is_model): (&[String], impl Fn(&str) -> bool),
    path: impl Fn() -> String,
) -> Checked<HashMap<Rc<str>, RoleModel>> {
    let of_role = |(role, written): (Rc<str>, config::RoleModel)| {
        let path = || under(&path(), &role);
        if !roles.iter().any(|known| **known == *role) {
            return flaw(path(), unknown_role(&role, roles));
        }
        let config::OrAnother { model: config::Name(model), instead } = written.told();
        if !is_model(&model) {
            return flaw(path(), format!("`{model}` is neither one of `models`, `virtual_models` nor `aliases`"));
        }
        let instead = instead.map(StandIn::from);
        if let Some(instead) = &instead {
            serving.check_stand_in(instead, &model, path)?;
        }
        Ok((role, RoleModel { model, instead }))
    };
    written.entries.into_iter().map(of_role).collect()
}

pub(super) fn no_sensitivity<T>(provider: &str) -> Checked<T> {
    let problem =
        "`sensitivity` is missing: say which data it may see, `public`, `internal`, `confidential` or `restricted`";
    flaw(under("providers", provider), problem)
}

pub(super) fn unknown_role(role: &str, roles: &[String]) -> String {
    if roles.is_empty() {
        return format!("unknown role `{role}`: list it under `roles`");
    }
    let known: Vec<_> = roles.iter().map(|role| format!("`{role}`")).collect();
    format!("unknown role `{role}`, expected one of {}", known.join(", "))
}
