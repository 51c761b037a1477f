//! From what was written to what it means. The checks of single values are in the configuration's types; those that
//! need more than one value are here.

use std::rc::Rc;

use hashbrown::HashMap;

use super::flaw::{Checked, flaw, not_reserved, under};
use super::routes::{self, References};
use super::{
    Expensive, HiddenInput, NONE, OTHER, Policy, ProviderPolicy, TenantLabels, forward, prices, providers, replicas,
    tenants,
};
use crate::calendar::END_OF_TIME;
use crate::config::{self, Config, Named, TenantLabel};
use crate::llm::stance::Stances;
use crate::price::{PriceTable, Quote};
use crate::route::Routes;
use crate::units::Tokens;

pub(super) fn policy(config: Config) -> Checked<Policy> {
    let output = &config.output;
    if output.min_tokens > output.default_max_tokens {
        let (min, max) = (output.min_tokens.get(), output.default_max_tokens.get());
        return flaw(
            "output.min_tokens",
            format!("{min} is more than `default_max_tokens` ({max}); at most as much is right"),
        );
    }
    if config.tenant_header == config.role_header {
        return flaw("role_header", format!("`{}` is the tenant's header already", config.role_header.0));
    }
    for (header, whose) in [(&config.tenant_header, "tenant"), (&config.role_header, "role")] {
        if config.sensitivity_header == *header {
            return flaw("sensitivity_header", format!("`{}` is the {whose}'s header already", header.0));
        }
    }
    let has_status = config.status.is_some();
    let replicas = config.replicas.as_ref().map(|written| replicas::read(written, has_status)).transpose()?;
    if !config.hold_headers && config.replicas.is_some() {
        let problem = "without held headers Envoy has asked the service before the filter knows for what: leave `replicas` out, or \
                       hold headers";
        return flaw("replicas", problem);
    }
    if !config.hold_headers && !config.models.is_empty() {
        let problem = "without held headers Envoy has chosen the provider before the model is known: leave `models` out, or \
                       hold headers";
        return flaw("models", problem);
    }
    let roles = roles(config.roles)?;
    let providers = providers::read(config.providers)?;
    let paths = providers::paths(&config.paths)?;
    let allowed =
        forward::read(config.forward, [&config.tenant_header, &config.role_header, &config.sensitivity_header])?;
    let prices = prices::read(&config.prices, &config.unpriced)?;
    let routes = routes::read(
        config.models,
        config.virtual_models,
        config.role_models,
        &References { providers: &providers, prices: &prices, roles: &roles, aliases: &config.aliases },
    )?;
    let aliases = aliases(config.aliases, &providers, &prices, &routes)?;
    let min_tokens = config.output.min_tokens.get();
    let stances = Stances {
        unknown_fields: config.unknown_fields,
        unknown_tools: config.unknown_tools,
        unpriced_levers: config.unpriced_levers,
    };
    let tiers = tenants::tiers(&config.limits, &config.tiers, stances, min_tokens)?;
    let (tenants, tenant_index, default_tenant) =
        tenants::read(config.tenants, config.unknown_tenants, &tiers, &roles, min_tokens)?;
    Ok(Policy {
        tenant_header: config.tenant_header.0,
        role_header: config.role_header.0,
        roles,
        sensitivity_header: config.sensitivity_header.0,
        default_sensitivity: config.default_sensitivity,
        tenant_labels: tenant_labels(config.metrics, &tenant_index)?,
        tenants,
        tenant_index,
        default_tenant,
        providers,
        routes,
        paths,
        free_paths: crate::llm::path::free_routes(),
        allowed,
        prices,
        expensive: Expensive { models: config.expensive.models, over: config.expensive.over_usd.map(|usd| usd.0) },
        aliases,
        default_max_tokens: Tokens(config.output.default_max_tokens.get()),
        min_tokens: Tokens(config.output.min_tokens.get()),
        hidden_input: HiddenInput {
            default_context: Tokens(config.hidden_input.default_context_tokens.get()),
            most: config.hidden_input.most_tokens.map(|most| Tokens(most.get())),
        },
        hold_headers: config.hold_headers,
        max_request_bytes: config.max_request_bytes.get(),
        stored_responses: config.stored_responses,
        max_refused_bytes: config.max_refused_bytes.get(),
        max_waiting_bodies: config.max_waiting_bodies.get(),
        max_waiting_bytes: config.max_waiting_bytes.get(),
        lease_seconds: config.reservation_lease_seconds.get(),
        on_contention: config.on_contention,
        status: config.status.map(providers::status).transpose()?,
        tiers: tiers.entries,
        replicas,
    })
}

fn tenant_labels(written: config::Metrics, tenants: &HashMap<Rc<str>, u32>) -> Checked<TenantLabels> {
    let config::Metrics { tenant_label, tenants: names } = written;
    match (tenant_label, names) {
        (TenantLabel::Name, None) => Ok(TenantLabels::Names),
        (TenantLabel::Tier, None) => Ok(TenantLabels::Tiers),
        (TenantLabel::None, None) => Ok(TenantLabels::None),
        (TenantLabel::Name, Some(names)) => {
            if let Some(at) = names.iter().position(|config::Name(name)| !tenants.contains_key(name)) {
                return flaw(format!("metrics.tenants[{at}]"), "there is no such tenant under `tenants`");
            }
            Ok(TenantLabels::Some(names.into_iter().map(|config::Name(name)| name).collect()))
        }
        (_, Some(_)) => flaw("metrics.tenants", "only `tenant_label: name` takes a list of tenants"),
    }
}

fn roles(written: Vec<config::Name>) -> Checked<Vec<String>> {
    let mut roles: Vec<String> = Vec::with_capacity(written.len());
    for (at, config::Name(role)) in written.into_iter().enumerate() {
        let path = || format!("roles[{at}]");
        not_reserved(path, &role, &[OTHER, NONE])?;
        if roles.iter().any(|known| **known == *role) {
            return flaw(path(), format!("the role `{role}` is written twice"));
        }
        roles.push(role.to_string());
    }
    Ok(roles)
}

fn aliases(
    written: Named<config::Name>,
    providers: &[ProviderPolicy],
    prices: &PriceTable,
    routes: &Routes,
) -> Checked<HashMap<String, String>> {
    let has_own_price = |model: &str| {
        let quote = |provider: &ProviderPolicy| prices.quote(Some(&provider.name), model, END_OF_TIME);
        providers.iter().any(|provider| quote(provider) != Quote::Denied)
    };
    for (alias, config::Name(model)) in &written.entries {
        let path = || under("aliases", alias);
        if alias.contains('*') || model.contains('*') {
            return flaw(path(), format!("`{alias}: {model}`: an alias stands for one name, `*` is not allowed"));
        }
        if written.get(model).is_some() {
            return flaw(
                path(),
                format!("`{model}` is an alias itself, and aliases are followed once: name its model"),
            );
        }
        if routes.choose() {
            if routes.model(model).is_none() && routes.candidates(model).is_none() {
                return flaw(path(), format!("`{model}` is neither one of `models` nor of `virtual_models`"));
            }
            continue;
        }
        if prices.quote(None, model, END_OF_TIME) == Quote::Denied && !has_own_price(model) {
            let problem = format!("no price matches `{model}`, so `unpriced` denies it: add it under `prices`");
            return flaw(path(), problem);
        }
    }
    Ok(written.entries.into_iter().map(|(alias, config::Name(model))| (alias.to_string(), model.to_string())).collect())
}
