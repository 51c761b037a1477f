//! A circuit breaker belongs to its provider: what one tenant does, on purpose or by being slow, shuts it for nobody. And it
//! opens where the provider fails.

mod ways;

use std::time::Duration;

use hyper::Request;
use serde_json::json;
use simulated_provider::Provider;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{Answer, Body, Chat, Connection, ask, chat, eventually, next_piece};
use crate::envoy::{Gateway, boundless_tenant};

const KEYS: [(&str, &str); 2] = [("OPENAI_API_KEY", "dummy-of-openai"), ("OPENROUTER_API_KEY", "dummy-of-openrouter")];
/// Of the tenants, at the gateway.
const CLIENTS: [(&str, &str); 3] = [
    ("acme", "0123456789abcdef-acme"),
    ("friend", "0123456789abcdef-friend"),
    ("test-tenant", "0123456789abcdef-test"),
];
/// Each way is gone this often at once: more than the five failures that open a breaker.
const AT_ONCE: usize = 8;

struct House {
    gateway: Gateway,
    openai: Provider,
    openrouter: Provider,
}

impl House {
    async fn build(name: &str, swaps: &[(&str, &str)]) -> Self {
        let [openai, openrouter] = [(); 2].map(|()| Provider::start());
        let mut environment: Vec<(&str, String)> = KEYS.map(|(name, key)| (name, key.to_owned())).to_vec();
        let clients = CLIENTS.map(|(tenant, key)| format!("{tenant}={key}")).join(",");
        environment.extend([
            ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
            ("OPENROUTER_BASE_URL", format!("{}/api/v1", openrouter.url())),
            ("CLIENT_KEYS", clients),
        ]);
        let tenant = boundless_tenant();
        let acme = format!("acme: {tenant}\n                      friend: {tenant}");
        let other = format!("test-tenant: {tenant}");
        let mut all = vec![
            ("acme: {tier: premium}", acme.as_str()),
            ("test-tenant: {tier: standard}", other.as_str()),
            // A fault stands behind the model's name, where a request says it and not the provider as a whole.
            ("- model: gpt-4o-mini\n", "- model: gpt-4o-mini*\n"),
            ("{model: gpt-4o-mini, input", "{model: \"gpt-4o-mini*\", input"),
            ("{model: openrouter/openai/gpt-4o-mini, input", "{model: \"openrouter/openai/gpt-4o-mini*\", input"),
            // Minutes as seconds.
            ("per_try_idle_timeout: 120s", "per_try_idle_timeout: 1s"),
        ];
        all.extend(swaps);
        Self { gateway: Gateway::production(name, &environment, &all).await, openai, openrouter }
    }

    /// The one of the tests in which no breaker opens. They take turns, so that the providers' manners are a test's own.
    async fn in_turn() -> MutexGuard<'static, Self> {
        static HOUSE: OnceCell<Mutex<House>> = OnceCell::const_new();
        let house = HOUSE.get_or_init(async || Mutex::new(Self::build("breakers", &[]).await)).await.lock().await;
        for provider in [&house.openai, &house.openrouter] {
            provider.behave("");
        }
        house
    }

    async fn of(&self, tenant: &str, asked: &Chat) -> Answer {
        self.gateway.ask(request(tenant, asked)).await
    }

    /// The other tenant is served by the provider that it prefers, and no breaker was ever opened.
    async fn is_unharmed(&self, after: &str) {
        let answer = self.of("test-tenant", &hello()).await;
        assert_eq!(
            (answer.status, answer.header("x-ai-provider")),
            (200, Some("openai")),
            "after {after}: {}",
            answer.text()
        );
        for provider in ["openai", "openrouter"] {
            assert_eq!(self.ejections(provider).await, 0, "{provider} was ejected by {after}");
        }
    }

    async fn ejections(&self, provider: &str) -> u64 {
        self.gateway.plain_stat(&format!("cluster.{provider}.outlier_detection.ejections_enforced_total")).await
    }

    /// All of these at once, each many times.
    async fn many(&self, asked: &[Chat]) -> Vec<Answer> {
        self.many_of(&["acme"], asked).await
    }

    async fn many_of(&self, tenants: &[&str], asked: &[Chat]) -> Vec<Answer> {
        let addr = self.gateway.addr;
        let each =
            asked.iter().flat_map(|asked| (0..AT_ONCE).flat_map(move |_| tenants.iter().map(move |of| (of, asked))));
        let asked = each.map(|(tenant, asked)| tokio::spawn(ask(addr, request(tenant, asked))));
        let mut answers = Vec::new();
        for answer in asked.collect::<Vec<_>>() {
            answers.push(answer.await.unwrap());
        }
        answers
    }

    /// Leaves as soon as an answer has begun, or with `wait` before that.
    async fn leave(&self, asked: &Chat, wait: Option<Duration>) {
        let mut connection = Connection::open(self.gateway.addr).await;
        let sent = connection.send(request("acme", asked));
        match wait {
            Some(wait) => assert!(tokio::time::timeout(wait, sent).await.is_err(), "an answer came"),
            None => drop(next_piece(sent.await.unwrap().body_mut()).await),
        }
    }
}

fn request(tenant: &str, asked: &Chat) -> Request<Body> {
    let (_, key) = CLIENTS.iter().find(|(name, _)| *name == tenant).unwrap();
    asked.clone().anonymous().header("authorization", &format!("Bearer {key}")).request()
}

fn hello() -> Chat {
    chat("")
}

/// One that the provider answers so.
fn faulty(knobs: &str) -> Chat {
    hello().model(&format!("gpt-4o-mini+{knobs}"))
}

/// A provider that fails everybody is failing, whoever asks next: with one tenant alone, and with two that both fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_everybody_is_ejected_after_five_failures() {
    for (name, tenants) in [("breakers-one-fails", &["acme"][..]), ("breakers-two-fail", &["acme", "test-tenant"])] {
        let house = House::build(name, &[]).await;
        for tenant in tenants {
            assert_eq!(house.of(tenant, &hello()).await.header("x-ai-provider"), Some("openai"));
        }
        // Workers tell each other once in a second whom they served.
        house.gateway.polls(2).await;
        house.openai.behave("status=500");
        // Of each tenant one request that was served and one failure that tells them apart, and five that count; and one more each, for
        // a worker that is late to say whom it served. Beyond that none is asked, however late Envoy's main thread hears of the fifth.
        let most = 3 * tenants.len() + 5;
        let fail = async || {
            for tenant in tenants {
                if house.openai.ledger().requests.len() < most {
                    assert_eq!(house.of(tenant, &hello()).await.header("x-ai-provider"), Some("openrouter"));
                }
            }
            house.ejections("openai").await
        };
        eventually("an open breaker", fail, |ejections| *ejections == 1).await;
    }
}

/// That a provider can't be reached is found by its checks, and no request is needed for it: until then each goes on to the
/// next, and nothing that ends without an answer opens the breaker.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_is_taken_out_by_its_checks() {
    let mut house = House::build("breakers-refused", &[]).await;
    for tenant in ["acme", "test-tenant"] {
        assert_eq!(house.of(tenant, &hello()).await.header("x-ai-provider"), Some("openai"));
    }
    house.openai.stop();
    let alone = async || {
        assert_eq!(house.of("acme", &hello()).await.header("x-ai-provider"), Some("openrouter"));
        house.gateway.plain_stat("cluster.openai.membership_healthy").await
    };
    eventually("the stand-in alone", alone, |healthy| *healthy == 1).await;
    let health = async || crate::client::ask(house.gateway.probe, crate::client::get("/api/ai/health")).await.json();
    let openai = |health: &serde_json::Value| health["providers"]["openai"].clone();
    let seen = eventually("its state", health, |health| openai(health)["state"] == "failing_checks").await;
    assert_eq!(openai(&seen)["circuit_breaker"], "open");
    assert_eq!(house.ejections("openai").await, 0);
}

/// Where each tenant has a quota of its own at the provider, or nobody shares one, an operator may have it count.
#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_open_a_breaker_only_where_the_operator_says_so() {
    let ejections = async |house: &House| {
        house.openai.behave("status=429");
        for _ in 0..6 {
            assert_eq!(house.of("acme", &hello()).await.header("x-ai-provider"), Some("openrouter"));
        }
        house.ejections("openai").await
    };
    assert_eq!(ejections(&*House::in_turn().await).await, 0);
    let counted = [("safe_regex: {regex: '5\\d\\d'}", "safe_regex: {regex: '5\\d\\d|429'}")];
    assert_eq!(ejections(&House::build("breakers-429-yes", &counted).await).await, 1);
}

/// The operator's own account is refused: the next provider answers, the operator learns of it, and no client is told of a
/// budget or a key that isn't its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_account_goes_on_to_the_next_provider_and_is_never_the_clients() {
    let house = House::in_turn().await;
    let refusals = async |provider: &str, code: &str| {
        let labels = [("provider", provider), ("code", code)];
        house.gateway.stats().await.sum("ai_gateway_provider_account_refusals_total", &labels)
    };
    for status in ["401", "402"] {
        house.openai.behave(&format!("status={status}"));
        house.openrouter.behave("");
        let answer = house.of("acme", &hello()).await;
        assert_eq!((answer.status, answer.header("x-ai-provider")), (200, Some("openrouter")), "{}", answer.text());
        house.openrouter.behave(&format!("status={status}"));
        let answer = house.of("acme", &hello()).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"), "{}", answer.text());
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(answer.text().contains(&format!("it answered {status}")), "{}", answer.text());
        let record = house.gateway.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("provider_unavailable"), &json!(0)));
        let seen = async || [refusals("openai", status).await, refusals("openrouter", status).await];
        // The chain of two is asked four times in turn: the first, and then the last again and again.
        let counted =
            eventually("refusals of the account", seen, |[openai, openrouter]| *openai >= 2 && *openrouter >= 1).await;
        assert_eq!(counted, [2, 3], "{status}");
        assert!(house.gateway.complaints().contains("account_refused"), "the log says so");
    }
    // A 403 of OpenRouter's is about what the client wrote: it hears why.
    house.openai.behave("status=403");
    house.openrouter.behave("status=403");
    let answer = house.of("acme", &hello()).await;
    assert_eq!((answer.status, answer.header("x-ai-provider")), (403, Some("openrouter")), "{}", answer.text());
    let seen = async || [refusals("openai", "403").await, refusals("openrouter", "403").await];
    eventually("openai's refusal", seen, |seen| *seen == [1, 0]).await;
    assert_eq!(house.ejections("openai").await, 0);
}

/// Whatever path a client makes up, it is the client's mistake: nothing of its windows is used, no provider failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_no_route_serves_takes_no_window_and_blames_no_provider() {
    let house = House::in_turn().await;
    let paths = [
        "/v1/chat/completions/",
        "//v1//chat/completions/",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/x/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/v1/chat/completions/x/../",
        "/v1/%63hat/completions/",
        "/x/v1/responses",
        "/v1/embeddings/",
        "/v1/chat/completions;a=b",
        "/openai/deployments/gpt-4o-mini/chat/completions?api-version=1",
    ];
    let left = async || {
        let answer = house.of("acme", &hello()).await;
        let left: u64 = answer.header("x-ratelimit-remaining-requests").unwrap().parse().unwrap();
        left
    };
    let counted = async |labels: &[(&str, &str)]| house.gateway.stats().await.sum("ai_gateway_requests_total", labels);
    let blamed =
        async || [counted(&[("status", "provider_unavailable")]).await, counted(&[("status", "provider_error")]).await];
    let refused = [("status", "invalid_request"), ("provider", "none")];
    let (blamed_before, refused_before) = (blamed().await, counted(&refused).await);
    let before = left().await;
    let (mut served, mut judged) = (1, 0);
    for path in paths {
        for asked in [hello(), hello().stream()] {
            let mut request = request("acme", &asked);
            *request.uri_mut() = path.parse().unwrap();
            let answer = house.gateway.ask(request).await;
            if answer.status == 200 {
                // A spelling that is served is an exchange like any other.
                served += 1;
                continue;
            }
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
            let id = answer.request_id().to_owned();
            let line = async || house.gateway.lines().into_iter().find(|line| line["request_id"] == id.as_str());
            let line = eventually("its line in the log", line, |line| line.is_some()).await.unwrap();
            // What the filter doesn't take for an API has no record.
            if line["attempts"].as_u64().is_some_and(|attempts| attempts > 0) {
                served += 1;
            } else if line.get("v").is_some() {
                judged += 1;
                let told = ["outcome", "provider", "cost_nanousd"].map(|name| line[name].clone());
                assert_eq!(told, [json!("invalid_request"), json!("none"), json!(0)], "{path}: {line}");
            }
        }
    }
    assert!(judged >= 4, "{judged} of them were read as API calls");
    let used = before.saturating_sub(left().await);
    assert!(used <= served, "{used} places are taken in the window, and {served} requests were sent on");
    assert_eq!(blamed().await, blamed_before);
    assert!(counted(&refused).await > refused_before);
    assert_eq!(house.gateway.stats().await.sum("ai_gateway_reserved_nanousd", &[]), 0);
}
