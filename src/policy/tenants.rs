//! The tiers, and the tenants in them: what each may spend, ask for and send.

use std::rc::Rc;

use hashbrown::HashMap;

use super::flaw::{Checked, flaw, not_reserved, under};
use super::routes;
use super::rules::Layer;
use super::{DEFAULT_TENANT, NONE, OTHER, TenantIx, TenantPolicy, Terms};
use crate::config::{self, Config, Named, UnknownTenants};
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
) -> Checked<Named<Rc<Terms>>> {
    let builtin = Config::default();
    let mut base = Rules::default();
    Layer::from(&builtin.limits).apply(&mut base, || "limits".to_owned())?;
    Layer::from(limits).apply(&mut base, || "limits".to_owned())?;
    let added = written.names().filter(|name| builtin.tiers.get(name).is_none());
    let mut tiers = Named::default();
    for name in builtin.tiers.names().chain(added) {
        let path = || under("tiers", name);
        let mut terms = Terms { rules: base, stances, ..Terms::default() };
        for tier in [builtin.tiers.get(name), written.get(name)].into_iter().flatten() {
            Layer::from(tier).apply(&mut terms.rules, path)?;
            terms.add(tier.sensitivity, Some(&tier.output), min_tokens, path)?;
            terms.stand([tier.unknown_fields, tier.unknown_tools, tier.unpriced_levers]);
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

type Tenants = (Vec<TenantPolicy>, HashMap<Rc<str>, u32>, Option<TenantIx>);

pub(super) fn read(
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
        let stances = [tenant.unknown_fields, tenant.unknown_tools, tenant.unpriced_levers];
        if stances.iter().any(Option::is_some) {
            Rc::make_mut(&mut rules).stand(stances);
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
