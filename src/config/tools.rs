//! Which tools may be offered to a model and called by it, and what their arguments must be.

use super::Named;
use super::keyed::keyed;
use super::written;
use crate::json_schema::{Schema, Where};
use crate::name::Pattern;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::rc::Rc;

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tools"))]
pub struct Tools {
    /// Functions by their names, with what their arguments must be.
    pub registry: Named<RegisteredTool>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RegisteredTool"))]
pub struct RegisteredTool {
    /// The JSON Schema of its arguments. A request that offers the function must have the same, or none: then this one goes on.
    pub parameters: Parameters,
    /// What it is for. If it is written, a request must have the same, or none: then this one goes on.
    #[serde(default, deserialize_with = "written")]
    pub description: Option<String>,
}

/// Which tools the requests of a tier's, or a tenant's may offer, and their answers call. A tenant's stand in the place of its tier's.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ToolRules"))]
pub struct ToolRules {
    /// What may be used: names, beginnings of names and a `*`, and kinds, such as `kind:web_search`. Left out: everything.
    #[serde(deserialize_with = "written")]
    pub allow: Option<Vec<ToolPattern>>,
    /// What may not, though `allow` has it.
    pub deny: Vec<ToolPattern>,
    /// Functions must be in `tools.registry`.
    pub registered_only: bool,
    /// What happens to a request that offers, or chooses, what may not be used.
    pub offered: OfferedAction,
    /// What happens to an answer that calls what may not be used.
    pub called: CalledAction,
    /// What happens to an answer that calls a function of the registry with arguments that are not as its schema says.
    pub arguments: CalledAction,
    /// The same, where a client's own definition is `strict`.
    pub strict: CalledAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OfferedAction {
    /// It passes, and is counted.
    Count,
    /// The tool is taken out of the request.
    Strip,
    /// The request is refused.
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CalledAction {
    /// It is not looked for.
    Pass,
    /// It passes, and is counted.
    Count,
    /// The client gets an error in its place, and the provider is cut off.
    Refuse,
}

/// A name of a tool, the beginning of one and a `*`, or a kind of tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolPattern {
    Name(Pattern),
    /// As [`crate::llm::tools::same_kind`] compares it.
    Kind(Box<str>),
}

/// The JSON Schema of a function's arguments.
#[derive(Clone, Debug)]
pub struct Parameters {
    pub written: Rc<Value>,
    pub schema: Rc<Schema>,
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        if !written.is_object() {
            return Err(D::Error::custom("a JSON Schema is expected, as a map such as {type: object, properties: …}"));
        }
        let schema = Schema::read(&written, Where::Registered).map_err(D::Error::custom)?;
        Ok(Self { written: Rc::new(written), schema: Rc::new(schema) })
    }
}

impl OfferedAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Strip => "strip",
            Self::Refuse => "refuse",
        }
    }
}

impl CalledAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Count => "count",
            Self::Refuse => "refuse",
        }
    }
}

impl Default for ToolRules {
    fn default() -> Self {
        Self {
            allow: None,
            deny: Vec::new(),
            registered_only: false,
            offered: OfferedAction::Count,
            called: CalledAction::Count,
            arguments: CalledAction::Count,
            strict: CalledAction::Pass,
        }
    }
}

keyed!(Tools, RegisteredTool, ToolRules);
