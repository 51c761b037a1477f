//! Flags by which a header changes what a request is. Sources: Anthropic's SDKs' type `AnthropicBeta` and what Claude Code
//! sends; the values of `OpenAI-Beta` in OpenAI's SDKs, and what Codex sends; the versions in Anthropic's API reference.
//!
//! Trade-off: a flag is known without its date or version. A later date of a flag that costs must not pass for a new one,
//! and one that is harmless stays so.

use crate::llm::schema::Dialect;

/// A header that holds flags, and whose they are.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    pub header: &'static str,
    pub dialect: Dialect,
    flags: &'static [(&'static str, Flag)],
    /// What stands between a flag and its date or version.
    before_version: &'static [u8],
}

pub static ANTHROPIC: List =
    List { header: "anthropic-beta", dialect: Dialect::Anthropic, flags: &FLAGS, before_version: b"" };
pub static OPENAI: List =
    List { header: "openai-beta", dialect: Dialect::OpenAi, flags: &OPENAI_FLAGS, before_version: b"=" };
/// Of the whole API; it says how answers are written, and another than these may write them so that no meter reads them.
pub static ANTHROPIC_VERSION: List =
    List { header: "anthropic-version", dialect: Dialect::Anthropic, flags: &VERSIONS, before_version: b"" };

/// The same in the body, as Bedrock and Vertex have it.
pub static VERSION_IN_BODY: List =
    List { header: "anthropic_version", dialect: Dialect::Anthropic, flags: &VERSIONS_IN_BODY, before_version: b"" };

pub static LISTS: [&List; 3] = [&ANTHROPIC, &OPENAI, &ANTHROPIC_VERSION];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    Harmless,
    /// It opens what costs more than the price says, brings in what the request doesn't show, lets another model serve, or
    /// has the provider send data elsewhere.
    Costs,
}

use Flag::{Costs, Harmless};

const FLAGS: [(&str, Flag); 61] = [
    // Six times the price, or twice above 200,000 tokens.
    ("fast-mode", Costs),
    ("context-1m", Costs),
    // Input by an id, from the operator's one account.
    ("files-api", Costs),
    ("agent-memory", Costs),
    ("message-threads", Costs),
    ("user-profiles", Costs),
    // Containers, by the hour.
    ("code-execution", Costs),
    ("skills", Costs),
    // Data to addresses of the client's choice.
    ("mcp-client", Costs),
    ("mcp-tunnels", Costs),
    ("telemetry-destinations", Costs),
    ("webhooks", Costs),
    ("web-fetch", Costs),
    // The operator's account itself.
    ("admin-user-sign-out", Costs),
    ("analytics-usage-cost", Costs),
    ("ce-claude-code-managed-settings", Costs),
    ("ce-plugins", Costs),
    ("ce-user-management", Costs),
    ("spend-limit-reads", Costs),
    ("user-profiles-billing", Costs),
    // Other models.
    ("advisor-tool", Costs),
    ("server-side-fallback", Costs),
    ("fallback-credit", Costs),
    // Work that goes on without its reader.
    ("managed-agents", Costs),
    ("message-batches", Costs),
    ("dreaming", Costs),
    ("adaptive-thinking", Harmless),
    ("advanced-tool-use", Harmless),
    ("afk-mode", Harmless),
    ("cache-diagnosis", Harmless),
    ("claude-code", Harmless),
    ("compact", Harmless),
    ("computer-use", Harmless),
    ("context-management", Harmless),
    ("dev-full-thinking", Harmless),
    ("effort", Harmless),
    ("extended-cache-ttl", Harmless),
    ("experimental-claude-tag", Harmless),
    ("fine-grained-tool-streaming", Harmless),
    ("inline-tools", Harmless),
    ("interleaved-thinking", Harmless),
    ("mid-conversation-output-config", Harmless),
    ("mid-conversation-system-clear-at", Harmless),
    ("mid-conversation-tool-changes", Harmless),
    ("model-context-window-exceeded", Harmless),
    ("oauth", Harmless),
    ("output-128k", Harmless),
    ("output-300k", Harmless),
    ("pdfs", Harmless),
    ("prompt-caching", Harmless),
    ("prompt-caching-scope", Harmless),
    ("redact-thinking", Harmless),
    ("search-results", Harmless),
    ("structured-outputs", Harmless),
    ("summarize-connector-text", Harmless),
    ("task-budgets", Harmless),
    ("thinking-binding-controls", Harmless),
    ("thinking-display-updates", Harmless),
    ("thinking-token-count", Harmless),
    ("token-counting", Harmless),
    ("token-efficient-tools", Harmless),
];

const OPENAI_FLAGS: [(&str, Flag); 7] = [
    // Models that call others, whose work the request doesn't show.
    ("responses_multi_agent", Costs),
    ("agents", Costs),
    // Sessions of the operator's account.
    ("chatkit_beta", Costs),
    // Of APIs that the gateway doesn't serve; clients send it with every request.
    ("assistants", Harmless),
    ("realtime", Harmless),
    ("responses", Harmless),
    ("responses_websockets", Harmless),
];

const VERSIONS: [(&str, Flag); 2] = [("2023-06-01", Harmless), ("2023-01-01", Harmless)];

const VERSIONS_IN_BODY: [(&str, Flag); 4] = [
    ("bedrock-2023-05-31", Harmless),
    ("vertex-2023-10-16", Harmless),
    ("2023-06-01", Harmless),
    ("2023-01-01", Harmless),
];

impl List {
    /// All that are known, without their dates.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.flags.iter().map(|(name, _)| *name)
    }

    /// `None`: a flag that no table knows.
    pub fn known(&self, flag: &[u8]) -> Option<Flag> {
        let is_version = |rest: &[u8]| match rest.strip_prefix(self.before_version) {
            // After `=`: `v2`, `experimental`, `2026-02-06`.
            Some(version) if !self.before_version.is_empty() => {
                version.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            }
            Some(date) => date.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'),
            None => rest.is_empty(),
        };
        let is_it = |name: &str| {
            let (before, rest) = flag.split_at_checked(name.len())?;
            (before.eq_ignore_ascii_case(name.as_bytes()) && is_version(rest)).then_some(())
        };
        self.flags.iter().find(|(name, _)| is_it(name).is_some()).map(|(_, flag)| *flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_known_whatever_its_date() {
        for (flag, expected) in [
            ("fast-mode-2026-02-01", Some(Costs)),
            ("fast-mode-2027-11-30", Some(Costs)),
            ("FAST-MODE-2026-02-01", Some(Costs)),
            ("server-side-fallback-2026-07-01", Some(Costs)),
            ("claude-code-20250219", Some(Harmless)),
            ("prompt-caching-scope-2026-01-05", Some(Harmless)),
            ("compact-2026-01-12", Some(Harmless)),
            ("oauth-2025-04-20", Some(Harmless)),
            ("skills", Some(Costs)),
            ("compact-everything-2026-01-12", None),
            ("fast-mode-x", None),
            ("", None),
        ] {
            assert_eq!(ANTHROPIC.known(flag.as_bytes()), expected, "{flag}");
        }
        for (flag, expected) in [
            ("assistants=v2", Some(Harmless)),
            ("assistants=v3", Some(Harmless)),
            ("OpenAI-Beta", None),
            ("responses=experimental", Some(Harmless)),
            ("responses_websockets=2026-02-06", Some(Harmless)),
            ("responses_multi_agent=v1", Some(Costs)),
            ("Responses_Multi_Agent=v9", Some(Costs)),
            ("responses_multi_agent", Some(Costs)),
            ("responses_multi_agents=v1", None),
            ("responses=v1;agents=v1", None),
            ("assistants2", None),
        ] {
            assert_eq!(OPENAI.known(flag.as_bytes()), expected, "{flag}");
        }
        for (version, expected) in [("2023-06-01", Some(Harmless)), ("2027-01-01", None), ("", None)] {
            assert_eq!(ANTHROPIC_VERSION.known(version.as_bytes()), expected, "{version}");
        }
    }
}
