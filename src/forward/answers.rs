//! Headers of a provider's answer that reach the client, a row each: the mirror of what goes to a provider.
//!
//! Trade-off: what a provider writes beside its answer may send a client with its key elsewhere (`location`, `alt-svc`), set its
//! cookies, show it the account's name and quota, or speak as the gateway (`x-ratelimit-*`, `x-nexus-*`) or to Envoy. A list of
//! that is never whole, so what passes is listed: what describes the body, what a provider's support will ask for, and what an SDK
//! reads. Sources: the official SDKs and coding agents, and answers of the providers themselves.

use super::by_length::ByLength;
use crate::headers::{Headers, written};
use crate::json::words::same;

/// In the order of their lengths.
const ROWS: [&str; 46] = [
    "date",
    "vary",
    "cf-ray",
    "server",
    "num_chars",
    "num_tokens",
    "request-id",
    "x-amz-id-2",
    "retry-after",
    "content-type",
    "openai-model",
    "x-request-id",
    "cache-control",
    "server-timing",
    "x-models-etag",
    "content-length",
    "openai-version",
    "retry-after-ms",
    "x-should-retry",
    "apigw-requestid",
    "apim-request-id",
    "x-amzn-trace-id",
    "x-frame-options",
    "x-generation-id",
    "x-ms-request-id",
    "content-encoding",
    "content-language",
    "x-amz-request-id",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-debug-trace-id",
    "x-oai-request-id",
    "x-xss-protection",
    "transfer-encoding",
    "x-accel-buffering",
    "x-goog-request-id",
    "x-codex-turn-state",
    "content-disposition",
    "x-client-request-id",
    "openai-processing-ms",
    "x-reasoning-included",
    "x-gemini-service-tier",
    "x-provider-request-id",
    "x-content-type-options",
    "x-ms-client-request-id",
    "x-envoy-upstream-service-time",
];

/// Bedrock counts, and says how it served.
const BEGINNING: &[u8] = b"x-amzn-bedrock-";

const LONGEST: usize = 29;

static BY_LENGTH: ByLength<{ LONGEST + 2 }> = ByLength::of(&ROWS);

/// By what a cache in front of the gateway keeps an answer to itself.
const UNSHARED: [&[u8]; 6] = [b"no-cache", b"no-store", b"private", b"no-transform", b"must-revalidate", b"max-age=0"];

/// Whether a header needs no entry in the configuration.
#[inline(never)]
pub fn passes(name: &[u8], value: &[u8]) -> bool {
    // Of HTTP's own there is but the status.
    if name.first() == Some(&b':') {
        return true;
    }
    let as_long = ROWS.get(BY_LENGTH.as_long(name)).unwrap_or_default();
    match as_long.iter().find(|known| same(known.as_bytes(), name)) {
        // One tenant's answer, kept by a cache, would be another's.
        Some(&"cache-control") => {
            let mut directives = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            directives.all(|directive| UNSHARED.iter().any(|known| known.eq_ignore_ascii_case(directive)))
        }
        Some(_) => true,
        None => name.starts_with(BEGINNING),
    }
}

/// The head that the client gets where the provider's has something that it should not: without that and what is named in
/// `remove`, and with what is `set`; as the host reads it. `None`: all of it may pass.
#[inline(never)]
pub fn sifted(
    answer: &Headers,
    allowed: &[String],
    set: &[(&'static str, String)],
    remove: &[&'static str],
) -> Option<Vec<u8>> {
    let is = |known: &str, name: &[u8]| same(known.as_bytes(), name);
    let is_pseudo = |(name, _): &&(&'static str, String)| name.starts_with(':');
    let mut kept: Vec<(&[u8], &[u8])> = Vec::with_capacity(32);
    // Envoy wants a pseudo-header before all that are none.
    kept.extend(set.iter().filter(is_pseudo).map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let mut sifts = false;
    for (name, value) in answer.iter() {
        if !passes(name, value) && !allowed.iter().any(|allowed| is(allowed, name)) {
            sifts = true;
        } else if !set.iter().any(|(known, _)| is(known, name)) && !remove.iter().any(|known| is(known, name)) {
            kept.push((name, value));
        }
    }
    if !sifts {
        return None;
    }
    for (name, value) in set {
        if !name.starts_with(':') {
            kept.push((name.as_bytes(), value.as_bytes()));
        }
    }
    Some(written(&kept))
}

/// By what a provider speaks to Envoy's router and to its load balancer, which read an attempt's answer before any filter of the
/// listener does: it calls a host unhealthy or degraded, and keeps a failure from being tried elsewhere.
pub fn speaks_to_envoy(name: &[u8]) -> bool {
    name.starts_with(b"x-envoy-") || name.starts_with(b"endpoint-load-metrics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_and_stands_in_its_place() {
        assert!(ROWS.is_sorted_by_key(|name| name.len()));
        assert_eq!(ROWS.iter().map(|name| name.len()).max(), Some(LONGEST));
        for name in ROWS {
            assert!(passes(name.as_bytes(), b"no-cache"), "{name}");
            assert_eq!(name, name.to_ascii_lowercase(), "Envoy's names are in small letters");
        }
        assert!(passes(b":status", b"200") && passes(b"x-amzn-bedrock-input-token-count", b"7"));
    }

    #[test]
    fn what_acts_tells_of_the_account_or_speaks_as_the_gateway_does_not_pass() {
        for name in [
            "",
            "location",
            "content-location",
            "refresh",
            "link",
            "alt-svc",
            "set-cookie",
            "set-cookie2",
            "www-authenticate",
            "proxy-authenticate",
            "authentication-info",
            "strict-transport-security",
            "public-key-pins",
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "access-control-expose-headers",
            "content-security-policy",
            "clear-site-data",
            "report-to",
            "nel",
            "x-accel-redirect",
            "x-sendfile",
            "etag",
            "expires",
            "age",
            "upgrade",
            "trailer",
            "grpc-status",
            "x-envoy-immediate-health-check-fail",
            "x-envoy-ratelimited",
            "x-envoy-overloaded",
            "x-envoy-degraded",
            "x-envoy-decorator-operation",
            "x-envoy-peer-metadata",
            "endpoint-load-metrics",
            "openai-organization",
            "openai-project",
            "anthropic-organization-id",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-unified-status",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-project-tokens",
            "ratelimit",
            "x-codex-primary-used-percent",
            "x-litellm-key-spend",
            "x-litellm-response-cost",
            "x-nexus-retry-after",
            "x-nexus-ejected",
            "x-gateway-anything",
            "x-ai-model",
            "x-ai-provider",
            "x-tenant-id",
            "x-goog-upload-url",
            "operation-location",
            "mcp-session-id",
        ] {
            assert!(!passes(name.as_bytes(), b"1"), "{name}");
        }
        assert!(!passes(&[b'x'; 300], b""));
    }

    #[test]
    fn no_cache_in_front_keeps_an_answer_for_others() {
        for value in ["no-cache", "no-cache, no-transform", "private, max-age=0, must-revalidate", "No-Store"] {
            assert!(passes(b"cache-control", value.as_bytes()), "{value}");
        }
        for value in ["public", "max-age=3600", "no-cache, s-maxage=9", "", "private=\"x\"", "immutable"] {
            assert!(!passes(b"cache-control", value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn an_honest_head_is_left_alone_and_another_is_written_anew() {
        let answer = Headers::of(&[(":status", "200"), ("content-type", "application/json"), ("x-request-id", "1")]);
        assert_eq!(sifted(&answer, &[], &[("x-ai-model", "m".to_owned())], &["content-length"]), None);
        let answer = Headers::of(&[
            (":status", "302"),
            ("content-type", "text/html"),
            ("location", "https://elsewhere"),
            ("x-ratelimit-limit-requests", "9"),
            ("x-mine", "1"),
            ("content-length", "7"),
            ("x-request-id", "1"),
            ("x-mine", "2"),
        ]);
        let set = [
            ("x-ratelimit-limit-requests", "60".to_owned()),
            (":status", "502".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let sifted = sifted(&answer, &["x-mine".to_owned()], &set, &["content-length"]).unwrap();
        let expected = [
            (":status", "502"),
            ("x-mine", "1"),
            ("x-request-id", "1"),
            ("x-mine", "2"),
            ("x-ratelimit-limit-requests", "60"),
            ("content-type", "application/json"),
        ];
        assert_eq!(sifted, written(&expected));
    }
}
