//! Beta flags of Anthropic's API. Source: the SDKs' type `AnthropicBeta`, and what Claude Code sends.
//!
//! Trade-off: a flag is known without its date. A later date of a flag that costs must not pass for a new one, and one
//! that is harmless stays so.

pub const HEADER: &str = "anthropic-beta";

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

/// `None`: a flag that no table knows.
pub fn known(flag: &[u8]) -> Option<Flag> {
    let is_date = |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let is_it = |name: &str| {
        let (before, rest) = flag.split_at_checked(name.len())?;
        (before.eq_ignore_ascii_case(name.as_bytes()) && is_date(rest)).then_some(())
    };
    FLAGS.iter().find(|(name, _)| is_it(name).is_some()).map(|(_, flag)| *flag)
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
            assert_eq!(known(flag.as_bytes()), expected, "{flag}");
        }
    }
}
