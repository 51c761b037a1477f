//! What the configuration means: validated, with every name resolved to an index, as the way of a request needs it.
//!
//! Trade-off: everything that can be wrong is refused here, before a listener takes it, so that no request meets a
//! tier that is missing or an alias without a price. Tenants of one tier share its rules: a hundred thousand of them
//! cost each worker's VM their names.

mod build;
mod configured;
pub mod content;
mod flaw;
mod forward;
pub mod groups;
mod instead;
pub mod model_groups;
mod models;
pub mod opening;
mod prices;
mod providers;
mod replicas;
mod rules;
mod serving;
pub mod shadows;
mod tenants;
pub mod tools;

use std::borrow::Cow;
use std::rc::Rc;

use groups::Group;
use hashbrown::{HashMap, HashSet};
use model_groups::{ModelGroups, OfModels};
use opening::Opening;

pub use configured::Configured;

use crate::attempt;
pub use crate::config::{AnsweredModel, ConfigError, OnContention, ReportedCost};
use crate::forward::Allowed;
use crate::kept::StoredResponses;
use crate::limit::accounts::{Account, Holder, Whose};
use crate::limit::{Audited, AuditedBeside, Guard, Guards, ModelsIx, Refusal, Rules};
use crate::llm::path::{self, Route};
use crate::llm::schema::Schema;
use crate::llm::stance::Stances;
pub use crate::name::{NONE, OTHER, Pattern};
use crate::network::Network;
use crate::outcome::Refuser;
use crate::price::PriceTable;
use crate::replicas::Replicas;
use crate::route::{Models, ProviderIx, Reach, RoleModel, Sensitivity, Sticky};
use crate::units::{NanoUsd, Tokens};

/// The tenant that unknown ones share.
pub const DEFAULT_TENANT: &str = "default";

/// The place of a tenant in `Policy::tenants`; means nothing to another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantIx(pub u32);

#[derive(Debug)]
pub struct Policy {
    pub tenant_header: String,
    pub role_header: String,
    pub roles: Vec<String>,
    pub sensitivity_header: String,
    pub default_sensitivity: Sensitivity,
    pub sticks: Sticks,
    pub tenants: Vec<Rc<TenantPolicy>>,
    /// Who is above them, by name.
    pub groups: Vec<Rc<Group>>,
    pub model_groups: ModelGroups,
    /// What was spent before this Envoy began.
    pub opening: Option<Opening>,
    tenant_index: HashMap<Rc<str>, u32>,
    /// Whose limits unknown tenants share; without it they are refused.
    pub default_tenant: Option<TenantIx>,
    /// By name: whoever reads the configuration has them in one order.
    pub providers: Vec<ProviderPolicy>,
    pub models: Models,
    /// The operator's paths, then the built-in ones.
    pub routes: Vec<Route>,
    pub free_routes: Vec<path::FreeRoute>,
    pub allowed: Allowed,
    pub prices: PriceTable,
    pub expensive: Expensive,
    /// What the client may write → the model that is sent on.
    pub aliases: HashMap<String, String>,
    pub default_max_tokens: Tokens,
    pub min_tokens: Tokens,
    pub hidden_input: HiddenInput,
    pub hold_headers: bool,
    pub max_request_bytes: u64,
    /// Of one tenant, on one worker.
    pub stored_responses: StoredResponses,
    /// Of a refused request, what is read for the sake of its client.
    pub max_refused_bytes: u64,
    pub max_waiting_bodies: u64,
    pub max_waiting_bytes: u64,
    pub lease_seconds: u64,
    pub on_contention: OnContention,
    pub status: Option<StatusPages>,
    pub tenant_labels: TenantLabels,
    pub tiers: Vec<(Rc<str>, Rc<Terms>)>,
    pub replicas: Option<Replicas>,
    /// What is looked for in texts, where there are rules about them.
    pub contents: content::Contents,
    /// Rules about tools, where there are any.
    pub tools: tools::Tools,
    /// Who gets copies of requests, if anybody does. Their accounts stand behind the tenants.
    pub shadows: Option<Box<shadows::Shadows>>,
}

/// By what a request keeps its variant or its provider, as far as anything is sticky by that.
#[derive(Debug, Default)]
pub struct Sticks {
    /// Headers.
    pub user: Option<String>,
    pub session: Option<String>,
    /// Bodies are read for how they begin.
    pub conversations: bool,
}

/// What input is taken for that no body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenInput {
    /// What a model reads that nothing is known of.
    pub default_context: Tokens,
    /// The operator's own figure of what is of unknown size.
    pub most: Option<Tokens>,
}

/// What the stats call a tenant.
#[derive(Debug)]
pub enum TenantLabels {
    Names,
    /// These by their names, all others `other`.
    Some(HashSet<Rc<str>>),
    Tiers,
    None,
}

/// The gateway's own pages.
#[derive(Clone, Debug)]
pub struct StatusPages {
    /// Leads to Envoy's admin.
    pub cluster: String,
    /// By which they are asked for, if not by any.
    pub filter_chain: Option<Box<str>>,
    /// From where they may be seen.
    pub allow: Vec<Network>,
}

/// What holds for a tenant's requests: its rules, and what is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    rules: Rules,
    /// What a tenant may spend and ask for of some models.
    pub of_models: Vec<OfModels>,
    /// The nearest above it, if there is one.
    pub group: Option<Rc<Group>>,
    /// No request is less sensitive.
    pub sensitivity: Option<Sensitivity>,
    /// Who may serve it, in the order in which they are asked. `None`: all, as each model lists them.
    pub providers: Option<Rc<[ProviderIx]>>,
    /// The bound of a request that brings none.
    pub default_max_tokens: Option<Tokens>,
    pub stances: Stances,
    /// Rules about tools, if there are any.
    pub tools: Option<tools::ToolsIx>,
    /// Whether streams are held against the money that there is for them.
    pub overrun: Option<Overrun>,
    /// No other model serves its requests, however near the end its money is.
    pub keeps_model: bool,
}

/// What becomes of a stream for which there is no money left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrun {
    /// It is said that it would have been ended.
    Audit,
    End,
}

impl std::ops::Deref for Terms {
    type Target = Rules;
    fn deref(&self) -> &Rules {
        &self.rules
    }
}

/// What holds for a tenant. A request keeps it from its decision to its settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantPolicy {
    pub ix: TenantIx,
    pub name: Rc<str>,
    pub tier: Rc<str>,
    /// The tier's own, or those of all of the tier in one group, if the tenant overrides nothing.
    pub rules: Rc<Terms>,
    /// `None` allows every model.
    pub models: Option<Box<[Pattern]>>,
    /// Before the table of all tenants.
    pub role_models: Option<Box<HashMap<Rc<str>, RoleModel>>>,
}

#[derive(Clone, Debug)]
pub struct ProviderPolicy {
    pub name: String,
    pub cluster: String,
    /// Whether a stream may be asked for its usage.
    pub stream_usage_option: bool,
    pub reported_cost: ReportedCost,
    pub answered_model: AnsweredModel,
    pub reach: Reach,
    /// What stands in the place of `/v1`.
    pub base_path: String,
    /// API → its path here.
    pub paths: Vec<(&'static Schema, String)>,
    /// By which it refuses the gateway's own account, if the operator says so.
    pub account_statuses: Option<Vec<u64>>,
}

#[derive(Clone, Debug, Default)]
pub struct Expensive {
    pub models: Vec<Pattern>,
    pub over: Option<NanoUsd>,
}

impl Policy {
    /// An unknown name is the default tenant, if there is one.
    pub fn tenant(&self, name: &str) -> Option<TenantIx> {
        self.tenant_index.get(name).copied().map(TenantIx).or(self.default_tenant)
    }

    pub fn tenant_policy(&self, tenant: TenantIx) -> Option<&Rc<TenantPolicy>> {
        self.tenants.get(usize::try_from(tenant.0).ok()?)
    }

    /// The provider behind an Envoy cluster.
    pub fn provider(&self, cluster: Option<&str>) -> Option<&ProviderPolicy> {
        self.provider_at(self.provider_of(cluster?)?)
    }

    pub fn provider_of(&self, cluster: &str) -> Option<ProviderIx> {
        let at = self.providers.iter().position(|provider| provider.cluster == cluster)?;
        u16::try_from(at).ok().map(ProviderIx)
    }

    pub fn provider_at(&self, ix: ProviderIx) -> Option<&ProviderPolicy> {
        self.providers.get(usize::from(ix.0))
    }

    /// The `provider` label of an Envoy cluster.
    pub fn provider_label(&self, cluster: Option<&str>) -> &str {
        self.provider(cluster).map_or(OTHER, |provider| &provider.name)
    }

    /// The most sensitive data that whoever answers a route may see; `None`: any. Of one that is none of the providers nothing is known:
    /// where they say what they may see, it sees what everybody may.
    pub fn sees_at_most(&self, provider: Option<&ProviderPolicy>) -> Option<Sensitivity> {
        let says = |provider: &ProviderPolicy| provider.reach.sensitivity.is_some();
        match provider {
            Some(provider) => provider.reach.sensitivity,
            None => self.providers.iter().any(says).then_some(Sensitivity::Public),
        }
    }

    /// Whether this status says that a provider refuses the gateway's own account, and nothing of the client. Where Envoy's route
    /// leads to the provider, a client's own key may have gone along.
    pub fn refuses_account(&self, provider: &ProviderPolicy, status: u64) -> bool {
        match &provider.account_statuses {
            Some(statuses) => statuses.contains(&status),
            None => self.models.are_listed() && attempt::ACCOUNT.contains(&status),
        }
    }

    /// The `role` label of what the role header says.
    pub fn role_label(&self, role: Option<&str>) -> Cow<'static, str> {
        let Some(role) = role else { return NONE.into() };
        let known = self.roles.iter().find(|known| **known == role);
        known.map_or(OTHER.into(), |known| known.to_string().into())
    }

    /// The model of a role, for this tenant.
    pub fn model_of_role<'a>(&'a self, tenant: &'a TenantPolicy, role: &str) -> Option<&'a RoleModel> {
        let own = tenant.role_models.as_ref().and_then(|models| models.get(role));
        own.or_else(|| self.models.model_of_role(role))
    }

    /// What the stats call this tenant; a label that is none already stays.
    pub fn tenant_label<'a>(&'a self, tenant: &'a str) -> &'a str {
        let Some(known) = self.tenant_index.get(tenant).and_then(|ix| self.tenant_policy(TenantIx(*ix))) else {
            return tenant;
        };
        match &self.tenant_labels {
            TenantLabels::Names => tenant,
            TenantLabels::Some(names) if names.contains(tenant) => tenant,
            TenantLabels::Some(_) => OTHER,
            TenantLabels::Tiers => &known.tier,
            TenantLabels::None => NONE,
        }
    }

    /// Whether it is a shadow's account, which no request can name.
    pub fn is_account(&self, tenant: &str) -> bool {
        self.shadows.is_some() && !self.tenant_index.contains_key(tenant)
    }

    /// Whether this tenant's own gauges are published: several under one label would overwrite each other.
    pub fn has_gauges(&self, tenant: &str) -> bool {
        match &self.tenant_labels {
            _ if self.is_account(tenant) => true,
            TenantLabels::Names => true,
            TenantLabels::Some(names) => names.contains(tenant),
            TenantLabels::Tiers | TenantLabels::None => false,
        }
    }

    /// The model that is sent on for the one that the client wrote.
    pub fn resolve<'a>(&'a self, model: &'a str) -> &'a str {
        self.aliases.get(model).map_or(model, |target| target)
    }
}

impl Sticks {
    fn of(models: &Models, user: &str, session: &str) -> Self {
        let conversations = models.sticks_by(Sticky::Conversation);
        Self {
            user: models.sticks_by(Sticky::User).then(|| user.to_owned()),
            session: (conversations || models.sticks_by(Sticky::Session)).then(|| session.to_owned()),
            conversations,
        }
    }

    pub fn headers(&self) -> impl Iterator<Item = &String> {
        [&self.user, &self.session].into_iter().flatten()
    }
}

impl ProviderPolicy {
    /// The path of an API here, for a client's; `renamed` as in [`path::rebased`].
    pub fn path(&self, schema: &Schema, called: &str, model: &str, renamed: Option<(&str, &str)>) -> Option<String> {
        if let Some(template) = self.template(schema) {
            return Some(path::templated(template, model));
        }
        path::rebased(&self.base_path, schema.spoken_at(called), renamed)
    }

    /// Whether a model that the client's path names stands in the path here, too.
    pub fn path_names_model(&self, schema: &Schema) -> bool {
        self.template(schema).is_none_or(path::names_model)
    }

    /// The operator's own path for an API.
    fn template(&self, schema: &Schema) -> Option<&str> {
        self.paths.iter().find(|(api, _)| *api == schema.spoken_as()).map(|(_, template)| template.as_str())
    }
}

impl ProviderPolicy {
    /// Where a path is here that costs nothing.
    pub fn free_path(&self, called: &str) -> Option<String> {
        path::rebased(&self.base_path, called, None)
    }
}

impl Terms {
    /// Whether a provider may serve it; whoever is none of the providers may if all may.
    pub fn lets_serve(&self, provider: Option<ProviderIx>) -> bool {
        self.providers.as_ref().is_none_or(|listed| provider.is_some_and(|ix| listed.contains(&ix)))
    }
}

impl TenantPolicy {
    /// The groups above it, the nearest first.
    pub fn groups(&self) -> impl Iterator<Item = &Rc<Group>> + Clone {
        self.rules.group.iter().flat_map(Group::chain)
    }

    /// The accounts in which a request that these models may serve has to have room, the most specific first.
    pub fn accounts<'a>(&'a self, models: &'a [ModelsIx]) -> impl Iterator<Item = Account<'a>> + Clone {
        let own = Account { whose: Whose::Tenant(&self.name), of: None, rules: &self.rules, shows_figures: true };
        let of_models = model_groups::accounts(&self.rules.of_models, models, Holder::Tenant(&self.name), true);
        of_models.chain(std::iter::once(own)).chain(self.groups().flat_map(move |group| group.accounts(models)))
    }

    /// These without its own.
    pub fn beside<'a>(&'a self, models: &'a [ModelsIx]) -> impl Iterator<Item = Account<'a>> + Clone {
        self.accounts(models).filter(|account| !matches!(account.whose, Whose::Tenant(_)))
    }

    /// Whether anybody has an account for these models that a request of it meets.
    pub fn has_account_for(&self, models: ModelsIx) -> bool {
        let has = |all: &[OfModels]| all.iter().any(|of| of.ix == models);
        has(&self.rules.of_models) || self.groups().any(|group| has(&group.of_models))
    }

    /// Whose limit it was that refused, if not its own for all models.
    pub fn refuser_of(&self, refusal: &Refusal, models: &[ModelsIx]) -> Option<Refuser> {
        self.beside(models).nth(refusal.beside?).as_ref().and_then(Refuser::of_account)
    }

    /// Adds what audited guards would have refused, with the names of whose they are.
    pub fn audited(&self, audited: &mut Audited, models: &[ModelsIx], own: Guards, beside: &[(usize, Guard)]) {
        own.iter().for_each(|guard| audited.own.insert(guard));
        for (place, guard) in beside {
            let Some(refuser) = self.beside(models).nth(*place).as_ref().and_then(Refuser::of_account) else {
                continue;
            };
            let Refuser { group, model_group, .. } = refuser;
            let entry = AuditedBeside { group, model_group, guard: *guard };
            if !audited.beside.contains(&entry) {
                audited.beside.push(entry);
            }
        }
    }

    pub fn allows(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.matches(model)))
    }
}

impl Expensive {
    pub fn is_model(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }
}

#[cfg(test)]
mod tests;
