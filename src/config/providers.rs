//! Who answers: providers, the models that they serve, the paths by which they are asked.

use super::keyed::keyed;
#[cfg(feature = "schema")]
use super::schema;
use super::{Instead, Name, Named, Weight, written, yes};
use crate::name::Pattern;
use crate::route::{Sensitivity, Sticky};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Provider"))]
pub struct Provider {
    /// The Envoy cluster that leads there.
    pub cluster: Name,
    /// Whether it accepts `stream_options.include_usage`. A provider that refuses it must report its usage by itself.
    #[serde(default = "yes")]
    pub stream_usage_option: bool,
    /// What happens to the provider's own figure for what an answer cost: it is compared with ours, or charged.
    #[serde(default)]
    pub reported_cost: ReportedCost,
    /// What happens where its answer names another model than was asked, with a price of its own: the two costs are compared, or
    /// the cost of the model that answered is charged (a router's, as Azure's `model-router`).
    #[serde(default)]
    pub answered_model: AnsweredModel,
    /// The most sensitive data that it may see.
    #[serde(default, deserialize_with = "written")]
    pub sensitivity: Option<Sensitivity>,
    /// What its paths begin with, instead of `/v1`.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path"))]
    pub base_path: Option<Name>,
    /// The APIs that it serves. Left out: all of OpenAI's.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::apis"))]
    pub apis: Option<Vec<Name>>,
    /// API → its path at this provider, where that differs from OpenAI's. `{model}` stands for the model's name.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path_of_each_api"))]
    pub paths: Named<Name>,
    /// `absent` leaves the provider out.
    #[serde(default)]
    pub key: Key,
    /// The statuses by which it refuses the gateway's own account. The client gets a 503 that says so. Left out: 401, 402 and 403
    /// where the gateway chooses the providers (`models`), none where a client's own key may have gone along.
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
    /// The model's name, or a pattern.
    pub model: Pattern,
    /// Who serves it: the first is asked first, the others are its fallbacks. Where they have weights, each is the first for its share.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub providers: Vec<Served>,
    /// Of providers with weights: who keeps the one that he has once got. Left out: each `request` draws for itself.
    #[serde(default, deserialize_with = "written")]
    pub sticky: Option<Sticky>,
    /// The most tokens of input and output together. A virtual model skips candidates whose context is too small.
    #[serde(default, deserialize_with = "written")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub context_tokens: Option<u64>,
    /// Whether it can call tools. A virtual model skips candidates that can't, if a request offers tools.
    #[serde(default)]
    pub tools: bool,
    /// What serves in its place near the end of the money.
    #[serde(default, deserialize_with = "written")]
    pub instead: Option<Instead>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Served"))]
pub struct Served {
    /// A label under `providers`.
    pub provider: Name,
    /// Of all weights of the model together, the share for which it is asked first. All of a model's providers have one, or none.
    #[serde(default, deserialize_with = "written")]
    pub weight: Option<Weight>,
    /// What this provider calls the model; `*` in it stands for the gateway's own name. Left out: the same.
    #[serde(default, deserialize_with = "written")]
    pub model: Option<Name>,
}

/// What happens to a provider's own figure for what an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ReportedCost {
    #[default]
    Compare,
    Charge,
}

/// What happens to the price of the model that an answer names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AnsweredModel {
    #[default]
    Compare,
    Charge,
}

/// An API called by another path than the built-in ones, or a path that is none of ours.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ApiPath"))]
pub struct ApiPath {
    /// The path: `*` stands for any segment, a leading `**` for any number of them, `{model}` for the model's name.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::path_pattern"))]
    pub path: Name,
    /// The API that is spoken there; `none`: the path is not metered.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::api_or_none"))]
    pub api: Name,
    /// Whether the answer is a stream, where neither the body nor the API says.
    #[serde(default, deserialize_with = "written")]
    pub streams: Option<bool>,
}

keyed!(Provider, Model, Served, ApiPath);
