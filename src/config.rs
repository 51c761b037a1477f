//! What the operator wrote: the configuration's JSON as types, one field per key.
//!
//! Trade-off: a wrong configuration is refused whole. A typo that is skipped leaves a tenant without its limit, and
//! nobody notices before the bill; so unknown and doubled keys, `null` and numbers for money are errors that name their
//! place. All default figures stand in `config/defaults.rs`, nowhere else.

mod content;
pub mod defaults;
mod error;
mod forward;
mod groups;
mod instead;
mod keyed;
mod model_groups;
mod named;
mod opening;
mod path;
mod prices;
mod providers;
mod range;
mod rated;
mod replicas;
mod scalar;
#[cfg(feature = "schema")]
mod schema;
mod shadows;
pub mod structure;
mod tenants;
mod tools;
mod variants;
mod view;

use std::rc::Rc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use keyed::keyed;

pub use content::{Content, ContentAction, ContentRule, Detected, Direction, Expression, Word};
pub use error::ConfigError;
pub use forward::Forward;
pub use groups::Group;
pub use instead::{Instead, OrAnother, RoleModel};
pub use model_groups::{ModelPatterns, OfModelGroup};
pub use named::Named;
pub use opening::{Balance, Balances, Opening, Spent};
pub use path::LineColumn;
pub use prices::{Above, Price, ServiceTier, Unpriced, UnpricedPolicy};
pub use providers::{AnsweredModel, ApiPath, Key, Model, Provider, ReportedCost, Served};
pub use range::{
    ContextTokens, ErrorsPercent, HiddenTokens, InRange, LeaseSeconds, LeastRequests, OutputTokens, Percent,
    RefusedBytes, ReplicaCount, RequestBytes, WaitingBodies, WaitingBytes, Weight,
};
pub use rated::WrittenRates;
pub use replicas::{Replicas, WithoutService};
pub use scalar::{Budget, Date, HeaderName, Limit, Name, Percentage, Usd, UsdPer1m};
pub use shadows::{Mirror, Shadow, ShadowBudgets, ShadowOf};
pub use tenants::{Budgets, Expensive, Limits, Overrun, OwnOutput, Tenant, Tier};
pub use tools::{CalledAction, OfferedAction, Parameters, RegisteredTool, ToolPattern, ToolRules, Tools};
pub use variants::{Canary, Cheapest, Split, VirtualModel};
pub use view::{Metrics, Status, TenantLabel};

use crate::kept::StoredResponses;
use crate::llm::stance::Stance;
use crate::route::Sensitivity;

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Config", extend("required" = ["tenants", "prices"])))]
pub struct Config {
    /// The header that says whose a request is. An authentication filter in front must set it.
    pub tenant_header: HeaderName,
    /// What happens to a request of a tenant that is not under `tenants`.
    pub unknown_tenants: UnknownTenants,
    /// The header that says what a request is for: its role.
    pub role_header: HeaderName,
    /// The roles that become label values; others count as `other`.
    pub roles: Vec<Name>,
    /// The header that says how sensitive a request's data is.
    pub sensitivity_header: HeaderName,
    /// The sensitivity of a request that names none.
    pub default_sensitivity: Sensitivity,
    /// The providers, by the label that stats and records show. Clusters that are not named here count as `other`.
    pub providers: Named<Provider>,
    /// Who serves which model. Without any, Envoy's routes choose the provider.
    pub models: Vec<Model>,
    /// A name that stands for other models: of a list or of `cheapest`, each request gets the cheapest that fits; of a `split`, each gets one by weight.
    pub virtual_models: Named<VirtualModel>,
    /// The header that says which end user a request is for, where something is sticky by `user`.
    pub user_header: HeaderName,
    /// The header that says which session a request belongs to, where something is sticky by `session` or `conversation`.
    pub session_header: HeaderName,
    /// Role → the model of a request that names none.
    pub role_models: Named<RoleModel>,
    /// Paths of your own, looked up before the built-in ones.
    pub paths: Vec<ApiPath>,
    /// What goes to a provider of a client's headers and query, beside what the APIs need.
    pub forward: Forward,
    /// What models cost; of several entries of one model, the latest that has begun.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub prices: Vec<Price>,
    pub unpriced: Unpriced,
    /// The name that a client may write → the model that is sent on.
    pub aliases: Named<Name>,
    /// `low`, `standard`, `premium` and `agent` are there already; what is written here overrides them field by field.
    pub tiers: Named<Tier>,
    /// Who may call.
    #[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
    pub tenants: Named<Tenant>,
    /// Who is above the tenants: what several of them, or all, may spend and ask for together.
    pub groups: Named<Group>,
    /// Models that tenants, tiers and groups may have limits and budgets of their own for. Of a model that two of these stand for, the more
    /// specific one counts.
    pub model_groups: Named<ModelPatterns>,
    /// What was spent before this Envoy began, so that its books go on from there. Left out: they begin with nothing.
    #[serde(deserialize_with = "written")]
    pub opening: Option<Opening>,
    /// The limits that every tier starts from.
    pub limits: Limits,
    pub expensive: Expensive,
    /// The output bound of requests that bring none, where neither the tenant, its tier nor the model's price has one.
    pub output: Output,
    /// Input that the body of a request only points at: files, conversations, cached contents, what hosted tools bring in.
    pub hidden_input: HiddenInput,
    /// Whether a request's headers wait until its body is checked, for which Envoy must have `allow_on_headers_stop_iteration`.
    /// If `false`, the headers go on at once and only the body waits.
    pub hold_headers: bool,
    /// The largest body of a request. It must stay below Envoy's buffer limit.
    pub max_request_bytes: RequestBytes,
    /// How many requests of one tenant may wait for the rest of their bodies at once, on each worker. No limit or budget sees
    /// them before their end, and Envoy holds all that has come.
    pub max_waiting_bodies: WaitingBodies,
    /// How many bytes those requests may hold so far, together: what was sent, what rules have found in it, and what is kept of requests
    /// until their answers have ended (schemas, values to restore). Less than `max_request_bytes` counts as that much.
    pub max_waiting_bytes: WaitingBytes,
    /// Responses, their items and conversations that a provider keeps. To a provider all tenants are one.
    pub stored_responses: StoredResponses,
    /// Fields of a request that no table of its API knows. One that holds a model's name or a URL is refused, unless this says
    /// `pass`.
    pub unknown_fields: Stance,
    /// Tools, run by a provider, of a kind that is not known.
    pub unknown_tools: Stance,
    /// What the price of a model says nothing of: tools that are sold by the piece, dearer service tiers, speeds and regions.
    pub unpriced_levers: Stance,
    /// What may not go through, or not as it is: personal data, secrets, words of your own.
    pub content: Content,
    /// Functions that are registered. Who may use which stands under `tiers` and `tenants`.
    pub tools: Tools,
    /// A request that is refused while its body is coming gets its refusal when the body has come, for many clients read nothing
    /// before. What comes is dropped; of more than this, the refusal goes out at once. With `hold_headers: false` it always does.
    pub max_refused_bytes: RefusedBytes,
    /// After how long the reservations of a crashed worker lapse.
    pub reservation_lease_seconds: LeaseSeconds,
    pub on_contention: OnContention,
    /// The pages `/api/ai/health` and `/api/ai/metrics`, and the states of the providers. Left out: there are no such pages.
    #[serde(deserialize_with = "written")]
    pub status: Option<Status>,
    pub metrics: Metrics,
    /// Models that get copies of requests, so that they can be compared with those that answer. Each has its own budgets.
    pub shadows: Named<Shadow>,
    /// Where Envoy's mirror brings those copies; needed if there are `shadows`.
    #[serde(deserialize_with = "written")]
    pub mirror: Option<Mirror>,
    /// Several Envoys have the same limits and budgets. Left out: each Envoy has its limits for itself.
    #[serde(deserialize_with = "written")]
    pub replicas: Option<Replicas>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum UnknownTenants {
    Refuse,
    ShareDefault,
}

/// What happens to a request whose compare-and-swap on the tenant's cell lost 64 times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnContention {
    Deny,
    Allow,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Output"))]
pub struct Output {
    /// The output bound of a request that brings none.
    pub default_max_tokens: OutputTokens,
    /// The smallest bound that is given to a request: if the budget pays for less, the request is refused.
    pub min_tokens: OutputTokens,
}

/// Nobody sees this input before the provider reports it. It is reserved, and charged where no report comes, as what it may hold.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "HiddenInput"))]
pub struct HiddenInput {
    /// What a model is taken to read at most, if neither its price nor its entry under `models` has a `context_tokens`.
    pub default_context_tokens: ContextTokens,
    /// The most that is reserved for what is of unknown size, where you know your files and tools to be small. Left out: all that the
    /// model reads beside what the body holds.
    #[serde(deserialize_with = "written")]
    pub most_tokens: Option<HiddenTokens>,
}

keyed!(Config, HiddenInput, Output, Upstream);

/// Refuses `null`, which `Option` alone takes: a limit of `null` reads like "no limit" but would mean "not written".
fn written<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn yes() -> bool {
    true
}

/// The whole configuration of the plugin in a provider's cluster: the gateway's own says all the rest.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Upstream", description = "The configuration of the plugin in a provider's cluster.")
)]
pub struct Upstream {
    /// The label of the provider, as under `providers`.
    pub attempt_of: Name,
}

#[derive(Deserialize)]
struct Probe {
    attempt_of: Option<IgnoredAny>,
}

impl Upstream {
    /// The provider's label.
    pub fn read(json: &[u8]) -> Result<Rc<str>, ConfigError> {
        let read = serde_json::from_slice(json).map(|Self { attempt_of: Name(provider) }| provider);
        read.map_err(|error| ConfigError::from_serde(&error, json))
    }

    /// Whether a configuration that is wrong wants to be a provider's: wherever `attempt_of` stands in it, for the maps of a
    /// YAML configuration reach the filter in no order.
    pub fn is_meant(json: &[u8]) -> bool {
        serde_json::from_slice(json).is_ok_and(|Probe { attempt_of }| attempt_of.is_some())
    }
}

impl Config {
    pub fn read(json: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_slice(json).map_err(|error| ConfigError::from_serde(&error, json))
    }
}
