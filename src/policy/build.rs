//! From what was written to what it means. The checks of single values are in the configuration's types; those that
//! need more than one value are here.

use std::ops::RangeInclusive;
use std::rc::Rc;

use hashbrown::HashMap;

use super::forward;
use super::providers;
use super::routes::{self, Known};
use super::rules::Layer;
use super::{
    DEFAULT_TENANT, Expensive, NONE, OTHER, Policy, ProviderPolicy, TenantIx, TenantLabels, TenantPolicy, Terms,
};
use crate::config::{
    self, Config, ConfigError, LEASE_SECONDS, Named, OUTPUT_TOKENS, REQUEST_BYTES, TenantLabel, UnknownTenants,
    UnpricedPolicy, WrittenRates,
};
use crate::limit::{Guard, Rules};
use crate::price::{NotAdded, Price, PriceIx, PriceTable, Quote, Schedule, Tariff, Unpriced};
use crate::route::{Routes, Sensitivity};
use crate::shared::Shared;
use crate::units::{Tokens, UnixNanos};

pub(super) type Checked<T> = Result<T, ConfigError>;

const DEFAULT_TIER: &str = "standard";

pub(super) fn policy(config: Config) -> Checked<Policy> {
    let output = &config.output;
    in_range("output.default_max_tokens", output.default_max_tokens, OUTPUT_TOKENS)?;
    in_range("output.min_tokens", output.min_tokens, OUTPUT_TOKENS)?;
    in_range("max_request_bytes", config.max_request_bytes, REQUEST_BYTES)?;
    in_range("max_waiting_bodies", config.max_waiting_bodies, config::WAITING_BODIES)?;
    in_range("max_waiting_bytes", config.max_waiting_bytes, config::WAITING_BYTES)?;
    in_range("reservation_lease_seconds", config.reservation_lease_seconds, LEASE_SECONDS)?;
    if output.min_tokens > output.default_max_tokens {
        let (min, max) = (output.min_tokens, output.default_max_tokens);
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
    if let Some(written) = &config.shared {
        in_range("shared.replicas", written.replicas, config::REPLICAS)?;
        in_range("shared.in_flight_percent", written.in_flight_percent, config::PERCENT)?;
        let local = [written.requests_away, written.budgets_away].contains(&config::Away::Local);
        if local && config.status.is_none() {
            let problem = "`local` needs `status`, to know when the service is away";
            return flaw("shared", problem);
        }
    }
    let shared = config.shared.as_ref().map(Shared::new);
    if !config.held_heads && config.shared.is_some() {
        let problem = "without held heads Envoy has asked the service before the filter knows for what: leave `shared` out, or \
                       hold heads";
        return flaw("shared", problem);
    }
    if !config.held_heads && !config.models.is_empty() {
        let problem = "without held heads Envoy has chosen the provider before the model is known: leave `models` out, or \
                       hold heads";
        return flaw("models", problem);
    }
    let roles = roles(config.roles)?;
    let providers = providers::read(config.providers)?;
    let paths = providers::paths(&config.paths)?;
    let allowed =
        forward::read(config.forward, [&config.tenant_header, &config.role_header, &config.sensitivity_header])?;
    let prices = prices(&config.prices, &config.unpriced)?;
    let routes = routes::read(
        config.models,
        config.virtual_models,
        config.role_models,
        &Known { providers: &providers, prices: &prices, roles: &roles, aliases: &config.aliases },
    )?;
    let aliases = aliases(config.aliases, &providers, &prices, &routes)?;
    let min_tokens = config.output.min_tokens;
    let tiers = tiers(&config.limits, &config.tiers, min_tokens)?;
    let (tenants, tenant_index, default_tenant) =
        tenants(config.tenants, config.unknown_tenants, &tiers, &roles, min_tokens)?;
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
        default_max_tokens: Tokens(config.output.default_max_tokens),
        min_tokens: Tokens(config.output.min_tokens),
        held_heads: config.held_heads,
        max_request_bytes: config.max_request_bytes,
        max_waiting_bodies: config.max_waiting_bodies,
        max_waiting_bytes: config.max_waiting_bytes,
        lease_seconds: config.reservation_lease_seconds,
        starved: config.starved,
        status: config.status.map(providers::status).transpose()?,
        tiers: tiers.entries,
        shared,
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

pub(super) fn flaw<T>(path: impl Into<String>, problem: impl Into<String>) -> Checked<T> {
    Err(ConfigError::new(path, problem))
}

/// `tenants.acme`: keys are shown escaped, they may be anything.
pub(super) fn under(map: &str, name: &str) -> String {
    format!("{map}.{}", name.escape_debug())
}

fn in_range(path: &str, value: u64, range: RangeInclusive<u64>) -> Checked<()> {
    if range.contains(&value) {
        return Ok(());
    }
    flaw(path, format!("{value} is out of range: {} to {} is allowed", range.start(), range.end()))
}

pub(super) fn not_reserved(path: impl FnOnce() -> String, name: &str, reserved: &[&str]) -> Checked<()> {
    if !reserved.contains(&name) {
        return Ok(());
    }
    flaw(path(), format!("`{name}` is a label of the gateway's own; choose another name"))
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

fn schedule(base: WrittenRates, above: &[config::Above], path: &str) -> Checked<Schedule> {
    let Some(rates) = base.rates() else {
        let missing = if base.input.is_none() { "input" } else { "output" };
        return flaw(path, format!("`{missing}_usd_per_1m_tokens` is missing; write \"0\" for what costs nothing"));
    };
    let mut schedule = Schedule { base: rates, above: Vec::with_capacity(above.len()) };
    for (at, border) in above.iter().enumerate() {
        let tokens = Tokens(border.input_tokens);
        if schedule.above.last().is_some_and(|(before, _)| *before >= tokens) {
            return flaw(
                format!("{path}.above[{at}].input_tokens"),
                "the borders must rise, each above the one before",
            );
        }
        schedule.above.push((tokens, border.written_rates().over(base).rates().unwrap_or(rates)));
    }
    Ok(schedule)
}

fn tariff(price: &config::Price, path: &str) -> Checked<Tariff> {
    let base = price.written_rates();
    let standard = schedule(base, &price.above, path)?;
    let mut service_tiers = Vec::with_capacity(price.service_tiers.entries.len());
    for (name, tier) in &price.service_tiers.entries {
        let path = under(&format!("{path}.service_tiers"), name);
        service_tiers.push(((**name).into(), schedule(tier.written_rates().over(base), &tier.above, &path)?));
    }
    Ok(Tariff { standard, service_tiers })
}

fn prices(written: &[config::Price], unpriced: &config::Unpriced) -> Checked<PriceTable> {
    if written.is_empty() {
        return flaw("prices", "no prices: at least one model must have a price (`*` stands for every model)");
    }
    let mut table = PriceTable::default();
    for (at, price) in written.iter().enumerate() {
        let path = || format!("prices[{at}].model");
        let model = price.model.as_str();
        not_reserved(path, model, &[OTHER])?;
        if let Some(most) = price.max_output_tokens {
            in_range(&format!("prices[{at}].max_output_tokens"), most, OUTPUT_TOKENS)?;
        }
        let price = Price {
            model: price.model.clone(),
            from: price.from.map(|date| date.0).unwrap_or_default(),
            tariff: Rc::new(tariff(price, &format!("prices[{at}]"))?),
            bound_field: price.output_bound_field,
            max_output: price.max_output_tokens.map(Tokens),
        };
        match table.add(price) {
            Ok(_) => {}
            Err(NotAdded::SameModelAs(PriceIx(first))) => {
                return flaw(path(), format!("`{model}` has a price already, at prices[{first}]"));
            }
            Err(NotAdded::Full) => return flaw("prices", format!("too many: at most {} are allowed", u16::MAX)),
        }
    }
    let policy = match (unpriced.policy, &unpriced.model) {
        (UnpricedPolicy::Deny, None) => Unpriced::Deny,
        (UnpricedPolicy::Allow, None) => Unpriced::Allow,
        (UnpricedPolicy::Deny | UnpricedPolicy::Allow, Some(_)) => {
            return flaw("unpriced.model", "only the policy `price_as` takes a model");
        }
        (UnpricedPolicy::PriceAs, None) => {
            return flaw("unpriced", "the policy `price_as` needs a `model` that has a price");
        }
        (UnpricedPolicy::PriceAs, Some(config::Name(model))) => {
            if table.find(model, END_OF_TIME).is_none() {
                return flaw("unpriced.model", format!("`{model}` has no price itself; name a model under `prices`"));
            }
            Unpriced::PriceAs((**model).into())
        }
    };
    table.set_unpriced(policy);
    Ok(table)
}

/// When every price has begun.
pub(super) const END_OF_TIME: UnixNanos = UnixNanos(u64::MAX);

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

/// The built-in tiers under what was written.
fn tiers(limits: &config::Limits, written: &Named<config::Tier>, min_tokens: u64) -> Checked<Named<Rc<Terms>>> {
    let builtin = Config::default();
    let mut base = Rules::default();
    Layer::from(&builtin.limits).apply(&mut base, || "limits".to_owned())?;
    Layer::from(limits).apply(&mut base, || "limits".to_owned())?;
    let added = written.names().filter(|name| builtin.tiers.get(name).is_none());
    let mut tiers = Named::default();
    for name in builtin.tiers.names().chain(added) {
        let path = || under("tiers", name);
        let mut terms = Terms { rules: base, ..Terms::default() };
        for tier in [builtin.tiers.get(name), written.get(name)].into_iter().flatten() {
            Layer::from(tier).apply(&mut terms.rules, path)?;
            terms.add(tier.sensitivity, Some(&tier.output), min_tokens, path)?;
        }
        // A new tier inherits no budget, and must not spend without end because nobody thought of one.
        let lifted = written.get(name).map(|tier| tier.unlimited.as_slice()).unwrap_or_default();
        let open = |guard: &&Guard| terms.rules.get(**guard).limit.is_none() && !lifted.contains(guard);
        if let Some(guard) = [Guard::RequestUsd, Guard::DayUsd].iter().find(open) {
            let guard = guard.name();
            return flaw(path(), format!("a new tier needs `{guard}` under `budgets`, or listed under `unlimited`"));
        }
        tiers.push(Rc::clone(name), Rc::new(terms));
    }
    Ok(tiers)
}

impl Terms {
    /// What a tier or a tenant writes beside its rules. Of two floors the stricter holds.
    fn add(
        &mut self,
        sensitivity: Option<Sensitivity>,
        output: Option<&config::OwnOutput>,
        min_tokens: u64,
        path: impl Fn() -> String,
    ) -> Checked<()> {
        self.sensitivity = self.sensitivity.max(sensitivity);
        if let Some(most) = output.and_then(|output| output.default_max_tokens) {
            let path = format!("{}.output.default_max_tokens", path());
            in_range(&path, most, OUTPUT_TOKENS)?;
            if most < min_tokens {
                return flaw(
                    path,
                    format!("{most} is less than `output.min_tokens` ({min_tokens}); at least as much is right"),
                );
            }
            self.default_max_tokens = Some(Tokens(most));
        }
        Ok(())
    }
}

type Tenants = (Vec<TenantPolicy>, HashMap<Rc<str>, u32>, Option<TenantIx>);

fn tenants(
    mut written: Named<config::Tenant>,
    unknown: UnknownTenants,
    tiers: &Named<Rc<Terms>>,
    roles: &[String],
    min_tokens: u64,
) -> Checked<Tenants> {
    if written.entries.is_empty() {
        return flaw("tenants", "no tenants: at least one is needed, such as `acme: {tier: standard}`");
    }
    let shared = match (unknown, written.index.get(DEFAULT_TENANT)) {
        (UnknownTenants::Refuse, None) => None,
        (UnknownTenants::Refuse, Some(_)) => {
            let problem = "`default` is the tenant that unknown ones share: choose another name, or set \
                           `unknown_tenants: share_default`";
            return flaw(under("tenants", DEFAULT_TENANT), problem);
        }
        (UnknownTenants::ShareDefault, Some(at)) => Some(*at),
        (UnknownTenants::ShareDefault, None) => Some(written.push(DEFAULT_TENANT.into(), config::Tenant::default())),
    };
    // The tiers' own names, so that a hundred thousand tenants share three of them.
    let tiers: HashMap<&str, (&Rc<str>, &Rc<Terms>)> =
        tiers.entries.iter().map(|(name, rules)| (&**name, (name, rules))).collect();
    let mut tenants = Vec::with_capacity(written.entries.len());
    for (name, tenant) in written.entries {
        let path = || under("tenants", &name);
        not_reserved(path, &name, &[OTHER, NONE])?;
        let wanted = tenant.tier.as_ref().map_or(DEFAULT_TIER, |config::Name(tier)| tier);
        let Some((tier, shared)) = tiers.get(wanted) else {
            let mut known: Vec<_> = tiers.keys().map(|name| format!("`{name}`")).collect();
            known.sort_unstable();
            let problem = format!("unknown tier `{wanted}`, expected one of {}", known.join(", "));
            return flaw(format!("{}.tier", path()), problem);
        };
        if tenant.models.as_ref().is_some_and(|models| models.is_empty()) {
            return flaw(format!("{}.models", path()), "an empty list allows no model; leave it out to allow all");
        }
        let layer = Layer::from(&tenant);
        let mut rules = Rc::clone(shared);
        if !layer.is_empty() {
            layer.apply(&mut Rc::make_mut(&mut rules).rules, path)?;
            layer.check_audit(&rules, path)?;
        }
        if tenant.sensitivity.is_some() || tenant.output.is_some() {
            Rc::make_mut(&mut rules).add(tenant.sensitivity, tenant.output.as_deref(), min_tokens, path)?;
        }
        let role_models = tenant.role_models.map(|models| models.entries);
        let unknown = |(role, _): &&(Rc<str>, config::Name)| !roles.iter().any(|known| **known == **role);
        if let Some((role, _)) = role_models.iter().flatten().find(unknown) {
            return flaw(under(&format!("{}.role_models", path()), role), routes::unknown_role(role, roles));
        }
        let role_models = role_models.map(|models| {
            Box::new(models.into_iter().map(|(role, config::Name(model))| (role, model)).collect::<HashMap<_, _>>())
        });
        tenants.push(TenantPolicy { tier: Rc::clone(tier), rules, models: tenant.models, role_models, name });
    }
    Ok((tenants, written.index, shared.map(TenantIx)))
}
