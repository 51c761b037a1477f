//! Who answers: providers, the models that they serve, the paths by which they are asked.

use super::keyed::keyed;
#[cfg(feature = "schema")]
use super::schema;
use super::{Name, Named, written, yes};
use crate::name::Pattern;
use crate::route::Sensitivity;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Provider"))]
pub struct Provider {
    /// The Envoy cluster that leads there.
    pub cluster: Name,
    /// Whether it takes `stream_options.include_usage`; one that refuses it must tell its usage by itself.
    #[serde(default = "yes")]
    pub stream_usage_option: bool,
    #[serde(default)]
    pub reported_cost: ReportedCost,
    /// The most sensitive data that it may see.
    #[serde(default, deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    /// What stands in the place of `/v1`.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path"))]
    pub base_path: Option<Name>,
    /// The APIs that it serves; left out, all of OpenAI's.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::apis"))]
    pub apis: Option<Vec<Name>>,
    /// API → its path at this provider, where it is another than OpenAI's; `{model}` is the model's name.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path_of_each_api"))]
    pub paths: Named<Name>,
    #[serde(default)]
    pub key: Key,
    /// Statuses by which it refuses the gateway's own account, and which the client therefore gets as a 503 that says so. Left
    /// out: 401, 402 and 403 where the gateway chooses the providers (`models`), none where a client's own key may have gone along.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::statuses"))]
    pub account_statuses: Option<Vec<u16>>,
}

/// Whether the gateway holds a key for a provider: without one it is left out, and its cluster need not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Key {
    #[default]
    Present,
    Absent,
}

/// A model and who serves it, in the order of preference. A list, because the maps of a YAML configuration reach the
/// filter in no order.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Model"))]
pub struct Model {
    pub model: Pattern,
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub providers: Vec<Served>,
    /// The most tokens of input and output together.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub context_tokens: Option<u64>,
    /// Whether it can call tools.
    #[serde(default)]
    pub tools: bool,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Served"))]
pub struct Served {
    pub provider: Name,
    /// What this provider calls the model; `*` is the gateway's own name for it.
    #[serde(default, deserialize_with = "written")]
    pub model: Option<Name>,
}

/// What becomes of a provider's own figure for what an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ReportedCost {
    #[default]
    Compare,
    Charge,
}

/// An API called by another path than the built-in ones, or a path that is none of ours.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ApiPath"))]
pub struct ApiPath {
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path_pattern"))]
    pub path: Name,
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::api_or_none"))]
    pub api: Name,
    /// Whether the answer is a stream, where neither the body nor the API says.
    #[serde(default, deserialize_with = "written")]
    pub streams: Option<bool>,
}

keyed!(Provider, Model, Served, ApiPath);
