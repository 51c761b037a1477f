//! Headers that may go to a provider, a row each. Sources: what the official SDKs and the coding agents send, and what
//! Envoy and tracers add on the way.
//!
//! By most of them a client says who it is, or which request this is: `x-stainless-*`, `x-fern-*`, `x-goog-api-client`,
//! `x-codex-*`. Those by whose value a provider does something else are judged by the value as well: `Media` and `Flags`.

use super::betas::{self, List};
use super::by_length::ByLength;
use crate::json::words::same;
use crate::llm::schema::Dialect::{self, Anthropic, Aws, Cohere, Gemini, OpenAi};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of HTTP, of a tracer, or what any SDK says of itself.
    Any,
    Api(&'static [Dialect]),
    /// Names kinds of answers: passes where all of them can be metered.
    Media,
    /// A list of flags, which have a table of their own.
    Flags(&'static List),
    /// Says that a request is another one's again. The accounts at providers are the gateway's, and two tenants may choose the same
    /// name: it goes on as one that only this tenant's own requests have.
    Again,
    /// For Envoy, from the listener to the router.
    Envoy,
    /// Never the client's. These are only the usual names: what is no row at all doesn't pass either.
    Credential,
}

use Class::{Again, Any, Api, Credential, Envoy, Flags, Media};

type Row = (&'static str, Class);

const APPS: Class = Api(&[OpenAi, Anthropic]);
const CODEX: Class = Api(&[OpenAi]);
const CLAUDE: Class = Api(&[Anthropic]);

/// In the order of their lengths. `x-server-timeout` is none: Google answers a short one with 5xx at once, and a few of these have a
/// provider left alone by all.
const ROWS: [Row; 79] = [
    ("b3", Any),
    ("te", Any),
    ("via", Envoy),
    ("host", Any),
    ("x-app", CLAUDE),
    ("accept", Media),
    ("cookie", Credential),
    ("expect", Any),
    ("api-key", Credential),
    ("version", CODEX),
    ("x-title", APPS),
    ("thread-id", CODEX),
    ("thread_id", CODEX),
    ("x-api-key", Credential),
    ("connection", Any),
    ("keep-alive", Any),
    ("originator", CODEX),
    ("session-id", CODEX),
    ("session_id", CODEX),
    ("tracestate", Any),
    ("user-agent", Any),
    ("x-b3-flags", Any),
    ("openai-beta", Flags(&betas::OPENAI)),
    ("traceparent", Any),
    ("x-b3-spanid", Any),
    ("content-type", Any),
    ("http-referer", APPS),
    ("x-b3-sampled", Any),
    ("x-b3-traceid", Any),
    ("x-request-id", Any),
    ("authorization", Credential),
    ("x-client-name", Api(&[Cohere])),
    ("anthropic-beta", Flags(&betas::ANTHROPIC)),
    ("content-length", Any),
    ("sec-fetch-mode", Any),
    ("x-goog-api-key", Credential),
    ("x-ms-useragent", CODEX),
    ("accept-encoding", Any),
    ("accept-language", Any),
    ("amz-sdk-request", Api(&[Aws])),
    ("conversation_id", CODEX),
    ("idempotency-key", Again),
    ("x-amzn-trace-id", Any),
    ("x-forwarded-for", Envoy),
    ("content-encoding", Any),
    ("x-amz-user-agent", Api(&[Aws])),
    ("x-forwarded-host", Envoy),
    ("x-forwarded-port", Envoy),
    ("anthropic-version", Flags(&betas::ANTHROPIC_VERSION)),
    ("transfer-encoding", Any),
    ("x-b3-parentspanid", Any),
    ("x-codex-window-id", CODEX),
    ("x-forwarded-proto", Any),
    ("x-goog-api-client", Api(&[Gemini])),
    ("x-openai-subagent", CODEX),
    ("x-ot-span-context", Any),
    ("x-codex-turn-state", CODEX),
    ("x-datadog-trace-id", Any),
    ("x-openrouter-title", APPS),
    ("proxy-authorization", Credential),
    ("x-client-request-id", Any),
    ("x-datadog-parent-id", Any),
    ("x-amz-security-token", Credential),
    ("x-amzn-bedrock-trace", Api(&[Aws])),
    ("amz-sdk-invocation-id", Api(&[Aws])),
    ("x-amzn-bedrock-accept", Media),
    ("x-cloud-trace-context", Any),
    ("x-codex-beta-features", CODEX),
    ("x-codex-turn-metadata", CODEX),
    ("x-goog-request-params", Api(&[Gemini])),
    ("x-ms-client-request-id", CODEX),
    ("x-codex-installation-id", CODEX),
    ("x-forwarded-client-cert", Envoy),
    ("x-claude-code-session-id", CLAUDE),
    ("x-codex-parent-thread-id", CODEX),
    ("x-datadog-sampling-priority", Any),
    ("x-amzn-bedrock-guardrailversion", Api(&[Aws])),
    ("x-amzn-bedrock-guardrailidentifier", Api(&[Aws])),
    ("anthropic-dangerous-direct-browser-access", CLAUDE),
];

/// Names that begin so: what SDKs say of themselves, a header for each thing, and what only Envoy sets.
const BEGINNINGS: [Row; 3] = [("x-stainless-", Any), ("x-fern-", Api(&[Cohere])), ("x-envoy-", Envoy)];

const LONGEST: usize = 41;

#[expect(
    clippy::indexing_slicing,
    reason = "computed when the filter is built, where a panic is an error of the compiler"
)]
const NAMES: [&str; ROWS.len()] = {
    let (mut names, mut at) = ([""; ROWS.len()], 0);
    while at < ROWS.len() {
        names[at] = ROWS[at].0;
        at += 1;
    }
    names
};

static BY_LENGTH: ByLength<{ LONGEST + 2 }> = ByLength::of(&NAMES);

/// `None`: a name that nobody knows.
pub fn class(name: &[u8]) -> Option<Class> {
    // HTTP's own, four in each request.
    if name.first() == Some(&b':') {
        return Some(Any);
    }
    let as_long = ROWS.get(BY_LENGTH.as_long(name)).unwrap_or_default();
    let row = as_long.iter().find(|(known, _)| same(known.as_bytes(), name));
    let beginning = || BEGINNINGS.iter().find(|(known, _)| name.starts_with(known.as_bytes()));
    row.or_else(beginning).map(|(_, class)| *class)
}

/// Kinds of answers that a meter reads, or takes by their size. A provider asked for protobuf would answer in it.
const READ: [&[u8]; 10] = [
    b"*/*",
    b"application/json",
    b"text/event-stream",
    b"application/*",
    b"text/*",
    b"text/plain",
    b"application/x-ndjson",
    b"application/vnd.amazon.eventstream",
    b"application/octet-stream",
    b"audio/mpeg",
];

/// Whether an `accept` names only what can be read.
pub fn can_be_read(accept: &[u8]) -> bool {
    READ.iter().take(2).any(|known| same(known, accept))
        || accept.split(|byte| *byte == b',').all(|kind| {
            let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            READ.iter().any(|known| known.eq_ignore_ascii_case(essence))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_and_stands_in_its_place() {
        assert!(ROWS.is_sorted_by_key(|(name, _)| name.len()));
        assert_eq!(ROWS.iter().map(|(name, _)| name.len()).max(), Some(LONGEST));
        for (name, known) in ROWS {
            assert_eq!(class(name.as_bytes()), Some(known), "{name}");
            assert_eq!(name, name.to_ascii_lowercase(), "Envoy's names are in small letters");
        }
    }

    #[test]
    fn a_name_that_is_no_row_is_nobodys() {
        for name in ["", "x", "hos", "hostt", "x-stainless", "x-envoy", "Host", "authorizatioN"] {
            assert_eq!(class(name.as_bytes()), None, "{name}");
        }
        assert_eq!(class(&[b'x'; 300]), None);
        assert_eq!(class(b":path"), Some(Any));
        assert_eq!(class(b"x-stainless-helper"), Some(Any));
    }

    #[test]
    fn an_answer_that_no_meter_reads_is_not_asked_for() {
        for accept in ["", "application/x-protobuf", "application/json, application/x-protobuf;q=0.1", "text/html"] {
            assert!(!can_be_read(accept.as_bytes()), "{accept}");
        }
        for accept in ["*/*", "application/json", "Application/JSON; q=1, text/event-stream", "application/json,text/*"]
        {
            assert!(can_be_read(accept.as_bytes()), "{accept}");
        }
    }
}
