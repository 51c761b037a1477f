//! What may not go through, or not as it is: rules about the texts of requests and answers.

use super::keyed::keyed;
use super::{Name, written};
use crate::detect::Detector;
use crate::llm::stance::Stance;
use crate::llm::texts::Place;
use crate::name::Pattern;
use crate::route::Sensitivity;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Content"))]
pub struct Content {
    /// What is looked for, and what becomes of it. Without any, no text is looked at, and nothing of this costs anything.
    pub rules: Vec<ContentRule>,
    /// A secret of your own, of at least 16 characters. With it a placeholder's number is made from what it stands for: the same in
    /// every request of a tenant, so that a provider's cache survives. Left out: numbers count up within each request.
    #[serde(deserialize_with = "written")]
    pub placeholder_key: Option<Secret>,
    /// What of a body can't be looked at: pictures, what a provider has encrypted, bodies that are no JSON.
    pub unscanned: Stance,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ContentRule"))]
pub struct ContentRule {
    /// As stats and records call it.
    pub name: Name,
    /// Built-in kinds of findings.
    #[serde(default)]
    pub find: Vec<Detected>,
    /// Expressions of your own: of bytes, without anchors, and with a longest match.
    #[serde(default)]
    pub patterns: Vec<Expression>,
    /// Words and phrases, found in any letters, and not inside of other words.
    #[serde(default)]
    pub words: Vec<Word>,
    /// What a placeholder calls what `patterns` and `words` find. Left out: `REDACTED`.
    #[serde(default, deserialize_with = "written")]
    pub label: Option<Label>,
    pub action: ContentAction,
    /// Where it is looked for. Left out: in requests.
    #[serde(default, deserialize_with = "written")]
    pub on: Option<Vec<Direction>>,
    /// In which texts. Left out: in all.
    #[serde(default, deserialize_with = "written")]
    pub places: Option<Vec<Place>>,
    /// Of which tenants; `*` may stand at the end of a name. Left out: of all.
    #[serde(default, deserialize_with = "written")]
    pub tenants: Option<Vec<Pattern>>,
    /// Of which tiers. Left out: of all.
    #[serde(default, deserialize_with = "written")]
    pub tiers: Option<Vec<Name>>,
    /// Of requests with which roles. Left out: of all.
    #[serde(default, deserialize_with = "written")]
    pub roles: Option<Vec<Name>>,
    /// Only of requests that may go to a provider whose `sensitivity` is lower than this, as their first or as a fallback. Left out:
    /// of all, wherever they go.
    #[serde(default, deserialize_with = "written")]
    pub provider_sensitivity_below: Option<Sensitivity>,
}

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ContentAction {
    /// It passes, and is counted.
    Count,
    /// A placeholder goes on in its place.
    Mask,
    /// The same, and where the answer repeats the placeholder, the client gets its own words again.
    Restore,
    /// The request is refused; an answer, if it was found there.
    Refuse,
}

impl ContentAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Mask => "mask",
            Self::Restore => "restore",
            Self::Refuse => "refuse",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Direction {
    Request,
    Answer,
}

/// A built-in kind of findings.
#[derive(Clone, Copy, Debug)]
pub struct Detected(pub &'static Detector);

/// An expression with a longest match, in bytes.
#[derive(Clone, Debug)]
pub struct Expression {
    pub expression: String,
    pub longest: usize,
}

#[derive(Clone, Debug)]
pub struct Word(pub String);

#[derive(Clone, Debug)]
pub struct Label(pub String);

#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Default for Content {
    fn default() -> Self {
        Self { rules: Vec::new(), placeholder_key: None, unscanned: Stance::Count }
    }
}

keyed!(Content, ContentRule);
