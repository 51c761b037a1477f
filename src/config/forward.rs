//! What of a client's head goes on to a provider, beside what the tables of the APIs name.

use super::keyed::keyed;
use super::{HeaderName, Name};
use crate::forward::UnknownBetas;
use crate::name::Pattern;
use serde::Deserialize;

/// Everything else that a client sends is dropped and counted. What the gateway's own Envoy adds behind the filter, a
/// provider's key above all, needs no entry.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Forward"))]
pub struct Forward {
    /// More headers that pass to every provider.
    pub headers: Vec<HeaderName>,
    /// More query parameters that pass.
    pub query: Vec<Name>,
    /// Flags of `anthropic-beta` and `openai-beta` that pass although they cost more, bring in what a request doesn't show, let
    /// another model serve or send data elsewhere; `*` at the end stands for any date.
    pub betas: Vec<Pattern>,
    /// What happens to flags that no table here knows, and to unknown versions of Anthropic's API.
    pub unknown_betas: UnknownBetas,
    /// More headers of answers that reach clients, whoever wrote them: a provider, or a route of yours
    /// (`response_headers_to_add`). Filters that stand before this one in the chain add theirs to what it lets pass.
    pub answers: Vec<HeaderName>,
}

keyed!(Forward);
