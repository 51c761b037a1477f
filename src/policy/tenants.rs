//! The tiers, and the tenants in them: what each may spend, ask for and send.

use crate::order;
use std::rc::Rc;

use hashbrown::HashMap;

use super::content::Reading;
use super::flaw::{Checked, flaw, not_reserved, under};
use super::groups::{self, Group, GroupIx};
use super::model_groups::ModelGroups;
use super::models;
use super::rules::Layer;
use super::serving::Serving;
use super::tools::Tools;
use super::{DEFAULT_TENANT, NONE, OTHER, Overrun, TenantIx, TenantPolicy, Terms};
use crate::config::{self, Named, UnknownTenants, defaults};
use crate::limit::{Guard, Rules};
use crate::llm::stance::{Stance, Stances};
use crate::route::Sensitivity;
use crate::units::Tokens;

const DEFAULT_TIER: &str = "standard";

/// The built-in tiers under what was written.
pub(super) fn tiers(
    limits: &config::Limits,
    written: &Named<config::Tier>,
    stances: Stances,
    min_tokens: u64,
    serving: Serving<'_>,
    (tools, models): (&mut Tools, &ModelGroups),
) -> Checked<Named<Rc<Terms>>> {
    let builtin = defaults::tiers();
    let mut base = Rules::default();
    Layer::from(&defaults::LIMITS).apply(&mut base, || "limits".to_owned())?;
    Layer::from(limits).apply(&mut base, || "limits".to_owned())?;
    let added = written.names().filter(|name| builtin.get(name).is_none());
    let mut tiers = Named::default();
    for name in builtin.names().chain(added) {
        let path = || under("tiers", name);
        let mut terms = Terms { rules: base, stances, ..Terms::default() };
        for tier in [builtin.get(name), written.get(name)].into_iter().flatten() {
            Layer::from(tier).apply(&mut terms.rules, path)?;
            models.lay(&mut terms.of_models, &tier.model_groups, path)?;
            terms.add(tier.sensitivity, Some(&tier.output), min_tokens, path)?;
            terms.stand([tier.unknown_fields, tier.unknown_tools, tier.unpriced_levers]);
            if let Some(providers) = &tier.providers {
                let path = || format!("{}.providers", path());
                let listed = serving.read(providers, path)?;
                serving.leaves_some(&listed, None, path)?;
                terms.providers = Some(listed);
            }
            if let Some(rules) = &tier.tools {
                terms.tools = Some(tools.add(rules, path)?);
            }
            terms.overruns(tier.overrun);
            terms.keeps_model = tier.keeps_model.unwrap_or(terms.keeps_model);
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
    /// What is written over what holds so far: of fields, of tools, of levers without a price.
    fn stand(&mut self, [fields, tools, levers]: [Option<Stance>; 3]) {
        let before = self.stances;
        self.stances = Stances {
            unknown_fields: fields.unwrap_or(before.unknown_fields),
            unknown_tools: tools.unwrap_or(before.unknown_tools),
            unpriced_levers: levers.unwrap_or(before.unpriced_levers),
        };
    }

    /// What is written over what holds so far.
    const fn overruns(&mut self, written: Option<config::Overrun>) {
        if let Some(written) = written {
            self.overrun = match written {
                config::Overrun::Pass => None,
                config::Overrun::Audit => Some(Overrun::Audit),
                config::Overrun::End => Some(Overrun::End),
            };
        }
    }

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
            let most = most.get();
            if most < min_tokens {
                return flaw(
                    format!("{}.output.default_max_tokens", path()),
                    format!("{most} is less than `output.min_tokens` ({min_tokens}); at least as much is right"),
                );
            }
            self.default_max_tokens = Some(Tokens(most));
        }
        Ok(())
    }
}

/// The tenants, and where each is found.
pub(super) struct Tenants {
    pub(super) tenants: Vec<Rc<TenantPolicy>>,
    pub(super) index: HashMap<Rc<str>, u32>,
    /// Whose limits unknown ones share.
    pub(super) default: Option<TenantIx>,
}

/// The groups that a tenant may be in, and what holds for tenants of a tier in each: they share it.
pub(super) struct Groups<'a> {
    /// By name.
    groups: &'a [Rc<Group>],
    models: &'a ModelGroups,
    terms: HashMap<(Rc<str>, GroupIx), Rc<Terms>>,
}

impl<'a> Groups<'a> {
    pub(super) fn of(groups: &'a [Rc<Group>], models: &'a ModelGroups) -> Self {
        Self { groups, models, terms: HashMap::new() }
    }

    /// What holds for a tenant of this tier before it says anything else.
    fn terms(
        &mut self,
        tenant: &config::Tenant,
        (tier, terms): (&Rc<str>, &Rc<Terms>),
        path: impl Fn() -> String,
    ) -> Checked<Rc<Terms>> {
        let Some(config::Name(name)) = tenant.group.as_deref() else { return Ok(Rc::clone(terms)) };
        let group = groups::named(self.groups, name, || format!("{}.group", path()))?;
        let in_it = || Rc::new(Terms { group: Some(Rc::clone(group)), ..Terms::clone(terms) });
        Ok(Rc::clone(self.terms.entry((Rc::clone(tier), group.ix)).or_insert_with(in_it)))
    }
}

pub(super) fn read(
    mut written: Named<config::Tenant>,
    unknown: UnknownTenants,
    (tiers, groups): (&Named<Rc<Terms>>, &mut Groups<'_>),
    roles: &[String],
    min_tokens: u64,
    serving: Serving<'_>,
    (contents, tools): (&mut Reading, &mut Tools),
) -> Checked<Tenants> {
    if written.entries.is_empty() {
        return flaw("tenants", "no tenants: at least one is needed, such as `acme: {tier: standard}`");
    }
    let default = default_tenant(&mut written, unknown)?.map(TenantIx);
    // The tiers' own names, so that a hundred thousand tenants share three of them.
    let tiers: Tiers<'_> = tiers.entries.iter().map(|(name, terms)| (&**name, (name, terms))).collect();
    let tenant = |((name, tenant), ix)| {
        one((TenantIx(ix), name), tenant, (&tiers, &mut *groups), roles, min_tokens, serving, (contents, tools))
            .map(Rc::new)
    };
    let tenants = written.entries.into_iter().zip(0..).map(tenant).collect::<Checked<_>>()?;
    Ok(Tenants { tenants, index: written.index, default })
}

/// Who unknown tenants are, if they are let in at all; added where nobody wrote it.
fn default_tenant(written: &mut Named<config::Tenant>, unknown: UnknownTenants) -> Checked<Option<u32>> {
    match (unknown, written.index.get(DEFAULT_TENANT)) {
        (UnknownTenants::Refuse, None) => Ok(None),
        (UnknownTenants::Refuse, Some(_)) => {
            let problem = "`default` is the tenant that unknown ones share: choose another name, or set \
                           `unknown_tenants: share_default`";
            flaw(under("tenants", DEFAULT_TENANT), problem)
        }
        (UnknownTenants::ShareDefault, Some(at)) => Ok(Some(*at)),
        (UnknownTenants::ShareDefault, None) => {
            Ok(Some(written.push(DEFAULT_TENANT.into(), config::Tenant::default())))
        }
    }
}

type Tiers<'a> = HashMap<&'a str, (&'a Rc<str>, &'a Rc<Terms>)>;

fn one(
    (ix, name): (TenantIx, Rc<str>),
    tenant: config::Tenant,
    (tiers, groups): (&Tiers<'_>, &mut Groups<'_>),
    roles: &[String],
    min_tokens: u64,
    serving: Serving<'_>,
    (contents, tools): (&mut Reading, &mut Tools),
) -> Checked<TenantPolicy> {
    let path = || under("tenants", &name);
    not_reserved(path, &name, &[OTHER, NONE])?;
    let (tier, shared) = tier_of(&tenant, tiers, path)?;
    let shared = groups.terms(&tenant, (tier, shared), path)?;
    if tenant.models.as_ref().is_some_and(|models| models.is_empty()) {
        return flaw(format!("{}.models", path()), "an empty list allows no model; leave it out to allow all");
    }
    let rules = own_terms(&tenant, shared, min_tokens, serving, (tools, groups.models), path)?;
    let of_roles = |written: Box<Named<config::RoleModel>>| {
        let roles = (roles, |_: &str| true);
        models::of_roles(*written, serving, roles, || format!("{}.role_models", path())).map(Box::new)
    };
    let role_models = tenant.role_models.map(of_roles).transpose()?;
    contents.add(&name, tier)?;
    Ok(TenantPolicy { ix, tier: Rc::clone(tier), rules, models: tenant.models, role_models, name })
}

fn tier_of<'a>(
    tenant: &config::Tenant,
    tiers: &Tiers<'a>,
    path: impl Fn() -> String,
) -> Checked<(&'a Rc<str>, &'a Rc<Terms>)> {
    let wanted = tenant.tier.as_ref().map_or(DEFAULT_TIER, |config::Name(tier)| tier);
    if let Some(tier) = tiers.get(wanted) {
        return Ok(*tier);
    }
    let mut known: Vec<_> = tiers.keys().map(|name| format!("`{name}`")).collect();
    order::sort(&mut known);
    let problem = format!("unknown tier `{wanted}`, expected one of {}", known.join(", "));
    flaw(format!("{}.tier", path()), problem)
}

/// What holds for a tenant: the terms of its tier and group, of which it has a copy only where it writes its own.
fn own_terms(
    tenant: &config::Tenant,
    mut terms: Rc<Terms>,
    min_tokens: u64,
    serving: Serving<'_>,
    (tools, models): (&mut Tools, &ModelGroups),
    path: impl Fn() -> String + Copy,
) -> Checked<Rc<Terms>> {
    let layer = Layer::from(tenant);
    if !layer.is_empty() {
        layer.apply(&mut Rc::make_mut(&mut terms).rules, path)?;
        layer.check_audit(&terms, path)?;
    }
    if let Some(written) = &tenant.model_groups {
        models.lay(&mut Rc::make_mut(&mut terms).of_models, written, path)?;
    }
    if tenant.sensitivity.is_some() || tenant.output.is_some() {
        Rc::make_mut(&mut terms).add(tenant.sensitivity, tenant.output.as_deref(), min_tokens, path)?;
    }
    let stances = [tenant.unknown_fields, tenant.unknown_tools, tenant.unpriced_levers];
    if stances.iter().any(Option::is_some) {
        Rc::make_mut(&mut terms).stand(stances);
    }
    if let Some(providers) = &tenant.providers {
        Rc::make_mut(&mut terms).providers = Some(serving.read(providers, || format!("{}.providers", path()))?);
    }
    let own = if tenant.providers.is_some() { Some("providers") } else { tenant.models.as_ref().map(|_| "models") };
    if let Some((key, listed)) = own.zip(terms.providers.as_deref()) {
        serving.leaves_some(listed, tenant.models.as_deref(), || format!("{}.{key}", path()))?;
    }
    if let Some(rules) = &tenant.tools {
        Rc::make_mut(&mut terms).tools = Some(tools.add(rules, path)?);
    }
    if tenant.overrun.is_some() {
        Rc::make_mut(&mut terms).overruns(tenant.overrun);
    }
    if let Some(keeps) = tenant.keeps_model {
        Rc::make_mut(&mut terms).keeps_model = keeps;
    }
    Ok(terms)
}
