//! From what was written to what it means. The checks of single values are in the configuration's types; those that
//! need more than one value are here.

use std::mem::take;
use std::rc::Rc;

use hashbrown::HashMap;

use super::content::{self, Contents};
use super::flaw::{Checked, flaw, not_reserved, under};
use super::groups::{self, Group};
use super::model_groups::ModelGroups;
use super::models::{self, References};
use super::opening::Opening;
use super::serving::Serving;
use super::shadows::{self, Shadows};
use super::tenants::{self, Tenants};
use super::tools::Tools;
use super::{
    Expensive, HiddenInput, NONE, OTHER, Policy, ProviderPolicy, StatusPages, Sticks, TenantLabels, Terms, forward,
    prices, providers, replicas,
};
use crate::calendar::END_OF_TIME;
use crate::config::{self, Config, Named, TenantLabel};
use crate::forward::Allowed;
use crate::limit::Guard;
use crate::llm::path::{self, Route};
use crate::llm::stance::Stances;
use crate::price::{PriceTable, Quote};
use crate::replicas::Replicas;
use crate::route::{Models, ProviderIx};
use crate::units::Tokens;

pub(super) fn policy(mut config: Config) -> Checked<Policy> {
    check_output(&config.output)?;
    check_headers(&config)?;
    check_held_headers(&config)?;
    check_groups(&config)?;
    check_instead(&config)?;
    let resolved = Resolved::of(&mut config)?;
    Ok(resolved.policy(config))
}

fn check_output(output: &config::Output) -> Checked<()> {
    if output.min_tokens <= output.default_max_tokens {
        return Ok(());
    }
    let (min, max) = (output.min_tokens.get(), output.default_max_tokens.get());
    flaw("output.min_tokens", format!("{min} is more than `default_max_tokens` ({max}); at most as much is right"))
}

/// One header can't say two things.
fn check_headers(config: &Config) -> Checked<()> {
    let headers = [
        ("tenant", &config.tenant_header),
        ("role", &config.role_header),
        ("sensitivity", &config.sensitivity_header),
        ("user", &config.user_header),
        ("session", &config.session_header),
    ];
    for (at, (what, header)) in headers.iter().enumerate() {
        if let Some((whose, _)) = headers.iter().take(at).find(|(_, known)| known == header) {
            return flaw(format!("{what}_header"), format!("`{}` is the {whose}'s header already", header.0));
        }
    }
    Ok(())
}

/// The service counts what comes, and nothing of what ends.
fn check_in_flight(tiers: &Named<Rc<Terms>>, tenants: &Tenants) -> Checked<()> {
    let limits = |terms: &Terms| terms.get(Guard::InFlight).limit.is_some();
    let tier = tiers.entries.iter().find(|(_, terms)| limits(terms)).map(|(name, _)| under("tiers", name));
    let tenant = || tenants.tenants.iter().find(|tenant| limits(&tenant.rules));
    match tier.or_else(|| Some(under("tenants", &tenant()?.name))) {
        None => Ok(()),
        Some(path) => flaw(
            format!("{path}.limits.in_flight"),
            "several Envoys share no count of what is in flight, and each would let as many pass: leave it out, or `replicas`",
        ),
    }
}

/// The service that several Envoys share knows tenants only.
fn check_groups(config: &Config) -> Checked<()> {
    let written =
        [("groups", config.groups.entries.is_empty()), ("model_groups", config.model_groups.entries.is_empty())];
    if let Some((what, _)) = written.iter().find(|(_, none)| config.replicas.is_some() && !none) {
        let problem = format!(
            "groups have no limits that several Envoys share, and each would let all of them pass: leave `{what}` out, or `replicas`"
        );
        return flaw(*what, problem);
    }
    Ok(())
}

/// Each of several Envoys knows what it has spent itself.
fn check_instead(config: &Config) -> Checked<()> {
    if config.replicas.is_none() {
        return Ok(());
    }
    let at_role = |(role, of): &(Rc<str>, config::RoleModel)| match of {
        config::RoleModel::OrAnother(config::OrAnother { instead: Some(_), .. }) => Some(under("role_models", role)),
        _ => None,
    };
    let at_model = config.models.iter().position(|model| model.instead.is_some()).map(|at| format!("models[{at}]"));
    let of_roles = |written: &Named<config::RoleModel>| written.entries.iter().find_map(at_role);
    let of_tenant = |(name, tenant): &(Rc<str>, config::Tenant)| {
        let at = of_roles(tenant.role_models.as_deref()?)?;
        Some(format!("{}.{at}", under("tenants", name)))
    };
    let of_tenants = || config.tenants.entries.iter().find_map(of_tenant);
    match at_model.or_else(|| of_roles(&config.role_models)).or_else(of_tenants) {
        None => Ok(()),
        Some(path) => flaw(
            format!("{path}.instead"),
            "each of several Envoys knows what it has spent itself, and would see the end too late: leave it out, or `replicas`",
        ),
    }
}

/// What Envoy does by a request's headers must wait until the filter has read the body.
fn check_held_headers(config: &Config) -> Checked<()> {
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
    Ok(())
}

/// The parts of a configuration that name each other, with every name found.
struct Resolved {
    replicas: Option<Replicas>,
    roles: Vec<String>,
    catalog: Catalog,
    routes: Vec<Route>,
    allowed: Allowed,
    sticks: Sticks,
    tiers: Named<Rc<Terms>>,
    groups: Vec<Rc<Group>>,
    model_groups: ModelGroups,
    opening: Option<Opening>,
    tenants: Tenants,
    contents: Contents,
    tools: Tools,
    shadows: Option<Box<Shadows>>,
    tenant_labels: TenantLabels,
    status: Option<StatusPages>,
}

/// Who serves which model, and what it costs.
struct Catalog {
    providers: Vec<ProviderPolicy>,
    prices: PriceTable,
    models: Models,
    aliases: HashMap<String, String>,
}

impl Resolved {
    fn of(config: &mut Config) -> Checked<Self> {
        let has_status = config.status.is_some();
        let replicas = config.replicas.as_ref().map(|written| replicas::read(written, has_status)).transpose()?;
        let roles = roles(take(&mut config.roles))?;
        let catalog = Catalog::of(config, &roles)?;
        let routes = providers::paths(&config.paths)?;
        let sticks = Sticks::of(&catalog.models, &config.user_header.0, &config.session_header.0);
        let callers = [&config.tenant_header, &config.role_header, &config.sensitivity_header];
        let allowed = forward::read(take(&mut config.forward), callers, &sticks)?;
        let min_tokens = config.output.min_tokens.get();
        let mut tools = Tools::begin(take(&mut config.tools));
        let serving = Serving { providers: &catalog.providers, models: &catalog.models, prices: &catalog.prices };
        let stands_for = |name: &str| {
            let alias = catalog.aliases.get(name).map(|target| format!("an alias of `{target}`"));
            let is_virtual = || catalog.models.stands_for(name).is_some() && catalog.models.model(name).is_none();
            alias.or_else(|| is_virtual().then(|| "a virtual model".to_owned()))
        };
        let model_groups = ModelGroups::read(take(&mut config.model_groups), stands_for)?;
        let models = (&mut tools, &model_groups);
        let tiers = tenants::tiers(&config.limits, &config.tiers, stances(config), min_tokens, serving, models)?;
        let mut contents = content::Reading::begin(take(&mut config.content), &roles, &tiers, &catalog.providers)?;
        let unknown = config.unknown_tenants;
        let groups = groups::read(take(&mut config.groups), &model_groups)?;
        let mut tenants = tenants::read(
            take(&mut config.tenants),
            unknown,
            (&tiers, &mut tenants::Groups::of(&groups, &model_groups)),
            &roles,
            min_tokens,
            serving,
            (&mut contents, &mut tools),
        )?;
        if replicas.is_some() {
            check_in_flight(&tiers, &tenants)?;
        }
        let tenant_labels = tenant_labels(take(&mut config.metrics), &tenants.index)?;
        let status = config.status.take().map(providers::status).transpose()?;
        let contents = contents.end();
        let shadows = catalog.shadows(config, &roles, &mut tenants)?.map(Box::new);
        let opening = config.opening.take().map(|written| Opening::read(written, &tenants, &groups));
        Ok(Self {
            replicas,
            roles,
            catalog,
            routes,
            allowed,
            sticks,
            tiers,
            groups,
            model_groups,
            opening,
            tenants,
            contents,
            tools,
            shadows,
            tenant_labels,
            status,
        })
    }

    /// With what stands for itself.
    fn policy(self, config: Config) -> Policy {
        let Self { catalog: Catalog { providers, prices, models, aliases }, tenants, .. } = self;
        Policy {
            tenant_header: config.tenant_header.0,
            role_header: config.role_header.0,
            roles: self.roles,
            sensitivity_header: config.sensitivity_header.0,
            default_sensitivity: config.default_sensitivity,
            tenant_labels: self.tenant_labels,
            tenants: tenants.tenants,
            groups: self.groups,
            model_groups: self.model_groups,
            opening: self.opening,
            tenant_index: tenants.index,
            default_tenant: tenants.default,
            providers,
            models,
            routes: self.routes,
            free_routes: path::free_routes(),
            allowed: self.allowed,
            sticks: self.sticks,
            prices,
            expensive: Expensive { models: config.expensive.models, over: config.expensive.over_usd.map(|usd| usd.0) },
            aliases,
            default_max_tokens: Tokens(config.output.default_max_tokens.get()),
            min_tokens: Tokens(config.output.min_tokens.get()),
            hidden_input: hidden_input(&config.hidden_input),
            hold_headers: config.hold_headers,
            max_request_bytes: config.max_request_bytes.get(),
            stored_responses: config.stored_responses,
            max_refused_bytes: config.max_refused_bytes.get(),
            max_waiting_bodies: config.max_waiting_bodies.get(),
            max_waiting_bytes: config.max_waiting_bytes.get(),
            lease_seconds: config.reservation_lease_seconds.get(),
            on_contention: config.on_contention,
            contents: self.contents,
            tools: self.tools,
            shadows: self.shadows,
            status: self.status,
            tiers: self.tiers.entries,
            replicas: self.replicas,
        }
    }
}

impl Catalog {
    fn of(config: &mut Config, roles: &[String]) -> Checked<Self> {
        let providers = providers::read(take(&mut config.providers))?;
        let prices = prices::read(&config.prices, &config.unpriced)?;
        let models = models::read(
            take(&mut config.models),
            take(&mut config.virtual_models),
            take(&mut config.role_models),
            &References { providers: &providers, prices: &prices, roles, aliases: &config.aliases },
        )?;
        let aliases = aliases(take(&mut config.aliases), &providers, &prices, &models)?;
        Ok(Self { providers, prices, models, aliases })
    }

    fn shadows(&self, config: &mut Config, roles: &[String], tenants: &mut Tenants) -> Checked<Option<Shadows>> {
        let provider = |ProviderIx(at)| self.providers.get(usize::from(at)).map(|provider| provider.name.as_str());
        let known = shadows::References { models: &self.models, prices: &self.prices, provider: &provider, roles };
        shadows::read(take(&mut config.shadows), config.mirror.take(), &known, tenants)
    }
}

const fn stances(config: &Config) -> Stances {
    Stances {
        unknown_fields: config.unknown_fields,
        unknown_tools: config.unknown_tools,
        unpriced_levers: config.unpriced_levers,
    }
}

fn hidden_input(written: &config::HiddenInput) -> HiddenInput {
    HiddenInput {
        default_context: Tokens(written.default_context_tokens.get()),
        most: written.most_tokens.map(|most| Tokens(most.get())),
    }
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
    models: &Models,
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
        if models.are_listed() {
            if models.model(model).is_none() && models.stands_for(model).is_none() {
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
