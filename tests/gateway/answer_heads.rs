//! What a lying provider writes beside its answer, through real Envoys: nothing of it acts on them or on the client, and nothing
//! shows the account.

use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::CHAT;
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::forwarded::{ACME, Listening, asked, chat_answer, chat_body, production};

/// By their names; each is there twice.
const BESIDE: [&str; 24] = [
    "set-cookie",
    "location",
    "content-location",
    "refresh",
    "link",
    "alt-svc",
    "www-authenticate",
    "strict-transport-security",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "clear-site-data",
    "x-accel-redirect",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-ratelimited",
    "x-envoy-degraded",
    "x-envoy-decorator-operation",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "anthropic-ratelimit-tokens-remaining",
    "x-ratelimit-remaining-tokens",
    "x-nexus-ejected",
    "x-nexus-own-failure",
    "x-gateway-anything",
];

fn beside() -> String {
    let twice = |name: &str| format!("{name}: lie-1\r\n{name}: lie-2\r\n");
    let honest = "x-request-id: req_1\r\nretry-after: 7\r\nopenai-processing-ms: 9\r\n";
    BESIDE.map(twice).concat() + honest
}

/// A provider, and what stands in front of it. Tests take turns, so that it says what a test tells it to.
async fn in_turn() -> MutexGuard<'static, (Listening, Gateway)> {
    static GATEWAY: OnceCell<Mutex<(Listening, Gateway)>> = OnceCell::const_new();
    let start = async || {
        let provider = Listening::saying(200, &beside(), &chat_answer());
        let policy = policy(json!({"acme": free_tenant()}));
        let setup = Setup { provider: Some(provider.addr), ..Setup::new("answer-heads", policy) };
        let gateway = Gateway::start(setup).await;
        Mutex::new((provider, gateway))
    };
    GATEWAY.get_or_init(start).await.lock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_providers_headers_reach_nobody() {
    let (provider, gateway) = &*in_turn().await;
    for status in [200, 400, 500] {
        provider.say(status, &beside(), &chat_answer());
        for path in [CHAT, "/v1/responses/input_tokens"] {
            let answer = gateway.ask(asked(path, &[("x-tenant-id", "acme")], &chat_body())).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            let seen = format!("{:?}", answer.headers);
            assert!(!seen.contains("lie-"), "{path}: {seen}");
            for name in BESIDE {
                assert_eq!(answer.header(name), None, "{path}: {name}");
            }
            // Envoy's own id stands where the provider's was.
            let honest = ["retry-after", "openai-processing-ms", "x-provider-request-id"];
            assert_eq!(honest.map(|name| answer.header(name)), [Some("7"), Some("9"), Some("req_1")]);
            assert!(answer.header("x-ratelimit-limit-requests").is_some() || path != CHAT);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_ends_here_and_is_the_providers_error() {
    let elsewhere = "location: http://127.0.0.1:1/v1/chat/completions\r\n";
    let (provider, gateway) = &*in_turn().await;
    for status in [301, 302, 303, 307, 308] {
        provider.say(status, elsewhere, &json!({"moved": true}));
        for path in [CHAT, "/v1/responses/input_tokens"] {
            let answer = gateway.ask(asked(path, &[("x-tenant-id", "acme")], &chat_body())).await;
            assert_eq!((answer.status, answer.header("location")), (502, None), "{status} {path}");
            assert_eq!(answer.json()["error"]["code"], "provider_error", "{}", answer.text());
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
    }
}

/// An attempt's answer is read by Envoy's router before the listener's filter sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lying_provider_keeps_no_request_from_the_next_one() {
    let openai = Listening::saying(503, &beside(), &json!({"error": {"message": "overloaded"}}));
    let openrouter = Listening::saying(200, &beside(), &chat_answer());
    let gateway = production("answer-heads-routed", &openai, &openrouter, &[]).await;
    let bearer = format!("Bearer {ACME}");
    let mut first = 0;
    for _ in 0..3 {
        let answer = gateway.ask(asked(CHAT, &[("authorization", &bearer)], &chat_body())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!format!("{:?}", answer.headers).contains("lie-"), "{:?}", answer.headers);
        assert_eq!(answer.header("x-ai-provider"), Some("openrouter"));
        first += openai.heads().len();
        openrouter.head();
    }
    assert_eq!(first, 3, "its health is for the checks to judge");
}
