//! Paths beside those that cost money: what is free, other spellings of what is not, and what nobody serves, in the words of
//! the API that each belongs to.

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::Provider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::client::{Answer, Body, ask, chat};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let start = || {
        let mut policy = policy(json!({
            "any": free_tenant(),
            "one": {"unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_minute": 1}},
            "picky": {"models": ["gpt-4o*"]},
        }));
        policy["stored_responses"] = json!("any");
        Gateway::start(Setup::new("sides", policy))
    };
    GATEWAY.get_or_init(start).await
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let head = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, *value));
    head.body(Full::from(body.to_owned()).boxed()).unwrap()
}

fn is_by_the_gateway(answer: &Answer) -> bool {
    answer.text().contains("The gateway does not serve this path.")
}

const COUNT: &str = r#"{"model":"claude-sonnet-4","messages":[{"role":"user","content":"How many?"}]}"#;
const GEMINI_COUNT: &str = r#"{"contents":[{"role":"user","parts":[{"text":"How many?"}]}]}"#;

const FREE: [(&str, &str, &str); 12] = [
    ("GET", "/v1/models", ""),
    ("GET", "/v1/models?limit=1000", ""),
    ("GET", "/openai/v1/models", ""),
    ("GET", "/v1beta/openai/models", ""),
    ("GET", "/v1/models/gpt-4o-mini", ""),
    ("GET", "/v1beta/models", ""),
    ("GET", "/api/tags", ""),
    ("POST", "/v1/messages/count_tokens?beta=true", COUNT),
    ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", GEMINI_COUNT),
    ("GET", "/v1/responses/resp_7", ""),
    ("DELETE", "/v1/responses/resp_7", ""),
    ("POST", "/v1/responses/resp_7/cancel", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_needs_a_tenant_and_takes_none_of_its_limits() {
    let gateway = gateway().await;
    let served = gateway.ask(chat("one").request()).await;
    assert_eq!(served.status, 200, "the only one in this minute");
    for (method, path, body) in FREE {
        let nobody = gateway.ask(request(method, path, &[], body)).await;
        assert_eq!(nobody.status, 401, "{method} {path}: {}", nobody.text());
        assert!(nobody.text().contains("names no tenant"), "{path}: {}", nobody.text());
        let stranger = gateway.ask(request(method, path, &[("x-tenant-id", "stranger")], body)).await;
        assert_eq!(stranger.status, 403, "{method} {path}: {}", stranger.text());
        let answer = gateway.ask(request(method, path, &[("x-tenant-id", "one")], body)).await;
        // The provider knows how to fetch a response, and neither to delete nor to cancel one.
        let expected = if method == "DELETE" || path.ends_with("cancel") { 404 } else { 200 };
        assert_eq!((answer.status, is_by_the_gateway(&answer)), (expected, false), "{path}: {}", answer.text());
        for answer in [nobody, stranger, answer] {
            let id = answer.request_id().to_owned();
            assert!(gateway.records().iter().all(|record| record["request_id"] != id), "{path} is no exchange");
        }
    }
    assert_eq!(gateway.wait_records_of("one", 1).await.len(), 1);
    let encoded = [("x-tenant-id", "one"), ("content-encoding", "gzip")];
    let compressed = gateway.ask(request("POST", "/v1/messages/count_tokens", &encoded, COUNT)).await;
    assert_eq!((compressed.status, &compressed.json()["type"]), (415, &json!("error")), "nothing bounds it here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_the_models_that_it_may_ask_for() {
    let gateway = gateway().await;
    let of = async |path: &str| gateway.ask(request("GET", path, &[("x-tenant-id", "picky")], "")).await;
    let names = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
    };
    // `fast` is an alias of the second.
    let expected = ["fast", "gpt-4o", "gpt-4o-mini"];
    let list = of("/v1/models").await.json();
    assert_eq!((names(&list["data"], "id"), &list["object"]), (expected.map(str::to_owned).to_vec(), &json!("list")));
    assert_eq!(names(&of("/api/tags").await.json()["models"], "name"), expected);
    let gemini = names(&of("/v1beta/models").await.json()["models"], "name");
    assert_eq!(gemini, expected.map(|name| format!("models/{name}")));
    assert_eq!(of("/v1/models/gpt-4o").await.json()["id"], "gpt-4o");
    for hidden in ["/v1/models/tiny", "/v1/models/nothing"] {
        let answer = of(hidden).await;
        assert_eq!((answer.status, &*answer.code()), (404, "model_not_found"), "{hidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_api_is_served_under_the_base_urls_that_clients_have() {
    let gateway = gateway().await;
    for path in [
        "/chat/completions",
        "/v1/chat/completions/",
        "/openai/v1/chat/completions",
        "/v1beta/openai/chat/completions",
        "//v1//chat/completions",
    ] {
        let mut asked = chat("any").request();
        *asked.uri_mut() = path.parse().unwrap();
        let answer = gateway.ask(asked).await;
        assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("chat.completion")), "{path}");
        let record = gateway.record_of(&answer).await;
        let entry = gateway.entry_of(&record).expect("the request in the ledger");
        assert_eq!(record["cost_nanousd"], entry.cost_nanousd, "{path}");
    }
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#;
    let path = "/v1alpha/models/gemini-2.5-flash:generateContent";
    let answer = gateway.ask(request("POST", path, &[("x-tenant-id", "any")], gemini)).await;
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["api"], &record["tenant"]), (&json!("gemini_generate"), &json!("any")));
}

/// The place where each API's SDK looks, and what it finds there.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_is_refused_in_the_words_of_its_api() {
    let gateway = gateway().await;
    for (path, place, word) in [
        ("/v1/threads", "/error/code", json!("not_found")),
        ("/v1/files", "/error/type", json!("invalid_request_error")),
        ("/v1/messages/batches", "/error/type", json!("not_found_error")),
        ("/v1/messages/batches", "/type", json!("error")),
        ("/v1beta/models/gemini-2.5-flash:predictLongRunning", "/error/status", json!("NOT_FOUND")),
        ("/v1beta/models/gemini-2.5-flash:predictLongRunning", "/error/code", json!(404)),
        ("/api/pull", "/error", json!("The gateway does not serve this path.")),
        ("/api/ai/nothing", "/error/code", json!("not_found")),
        ("/v2/generate", "/message", json!("The gateway does not serve this path.")),
        ("/model/amazon.nova-lite-v1:0/count-tokens", "/message", json!("The gateway does not serve this path.")),
    ] {
        let answer = gateway.ask(request("POST", path, &[("x-tenant-id", "any")], "{}")).await;
        assert_eq!((answer.status, answer.json().pointer(place)), (404, Some(&word)), "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}");
    }
    // Claude Code looks whether anybody is there; any answer will do.
    let hello = gateway.ask(request("HEAD", "/api/hello", &[], "")).await;
    assert_eq!((hello.status, hello.text()), (404, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_refused_for_good_and_says_what_to_do() {
    let gateway = gateway().await;
    for path in ["/v1/responses", "/v1/realtime?model=gpt-4o", "/"] {
        let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: gateway\r\nx-tenant-id: any\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(answer.contains("x-should-retry: false") && answer.contains("send the request by HTTP"), "{answer}");
    }
}

const CLIENT: &str = "nexus-0123456789abcdef";
const OTHER: &str = "nexus-fedcba9876543210";

async fn production(name: &str, stored: Option<&str>) -> (Gateway, [Provider; 2]) {
    let providers = [(); 2].map(|()| Provider::start());
    let mut environment = vec![
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("ANTHROPIC_API_KEY", "dummy-of-anthropic".to_owned()),
        ("OPENAI_BASE_URL", format!("{}/v1", providers[0].url())),
        ("ANTHROPIC_BASE_URL", format!("{}/v1", providers[1].url())),
        ("CLIENT_KEYS", format!("acme={CLIENT},beta={OTHER}")),
    ];
    if let Some(stored) = stored {
        environment.push(("STORED_RESPONSES", stored.to_owned()));
    }
    let tenants = [("acme: {tier: premium}", "acme: {tier: premium}\n                      beta: {tier: premium}")];
    (Gateway::production(name, &environment, &tenants).await, providers)
}

#[tokio::test(flavor = "multi_thread")]
async fn production_serves_what_is_free_to_those_with_a_key() {
    let bearer = format!("Bearer {CLIENT}");
    let key = [("authorization", &*bearer)];
    let (gateway, _providers) = production("sides-production", Some("any")).await;
    for (method, path, body, place, word) in [
        ("POST", "/v1/messages/count_tokens", COUNT, "/input_tokens", None),
        ("GET", "/v1/responses/resp_7", "", "/id", Some(json!("resp_7"))),
        ("GET", "/openai/v1/responses/resp_7", "", "/id", Some(json!("resp_7"))),
        ("GET", "/responses/resp_7/", "", "/id", Some(json!("resp_7"))),
        ("GET", "/v1/models/gpt-4o", "", "/id", Some(json!("gpt-4o"))),
        ("GET", "/openai/v1/models/gpt-4o", "", "/id", Some(json!("gpt-4o"))),
        ("GET", "/v1/models/claude-sonnet-4-5", "", "/type", Some(json!("model"))),
    ] {
        let nobody = ask(gateway.addr, request(method, path, &[], body)).await;
        assert_eq!(nobody.status, 401, "{path}: {}", nobody.text());
        let answer = ask(gateway.addr, request(method, path, &key, body)).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        let found = answer.json().pointer(place).cloned();
        assert!(found.is_some() && word.is_none_or(|word| found == Some(word)), "{path}: {}", answer.text());
    }
    let listed = ask(gateway.addr, request("GET", "/v1/models", &key, "")).await.json();
    assert!(listed["data"].as_array().is_some_and(|models| models.iter().any(|model| model["id"] == "gpt-4o-mini")));
    assert_eq!(gateway.records(), Vec::<Value>::new(), "nothing of it is an exchange");

    // As other base URLs write it, by way of the plan.
    let body = r#"{"model":"gpt-4o-mini","max_tokens":4,"messages":[{"role":"user","content":"Hello"}]}"#;
    for path in ["/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions/"] {
        let answer = ask(gateway.addr, request("POST", path, &key, body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

/// What a client asks of a response that is there.
fn ways(id: &str) -> Vec<(&'static str, String, String)> {
    let next = json!({"model": "gpt-4o-mini", "input": "go on", "max_output_tokens": 9, "previous_response_id": id});
    vec![
        ("GET", format!("/v1/responses/{id}"), String::new()),
        ("GET", format!("/v1/responses/{id}/input_items"), String::new()),
        ("POST", format!("/v1/responses/{id}/cancel"), "{}".to_owned()),
        ("POST", "/v1/responses".to_owned(), next.to_string()),
        ("DELETE", format!("/v1/responses/{id}"), String::new()),
    ]
}

/// To OpenAI all tenants are one account: the gateway tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn stored_responses_are_their_tenants() {
    let (gateway, _providers) = production("sides-own", None).await;
    let [acme, beta] = [CLIENT, OTHER].map(|key| format!("Bearer {key}"));
    // A connection of its own for each: Envoy gives them to both workers.
    let asked = async |key: &str, method: &str, path: &str, body: &str| {
        let head = [("authorization", key), ("content-type", "application/json")];
        ask(gateway.addr, request(method, path, &head, body)).await
    };
    let made = async |key: &str, stream: bool| {
        let body = json!({"model": "gpt-4o-mini", "input": "Hello", "max_output_tokens": 9, "stream": stream});
        let answer = asked(key, "POST", "/v1/responses", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        let (_, id) = text.split_once("\"id\":\"resp_").or_else(|| text.split_once("\"id\": \"resp_")).expect("an id");
        format!("resp_{}", id.split('"').next().unwrap())
    };
    for stream in [false, true] {
        let id = made(&acme, stream).await;
        for round in 0..4 {
            for (method, path, body) in ways(&id) {
                let answer = asked(&beta, method, &path, &body).await;
                assert_eq!((answer.status, &*answer.code()), (404, "response_not_found"), "{method} {path}");
                assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
                let answer = asked(&acme, method, &path, &body).await;
                assert!(
                    answer.status == 200 || method == "DELETE" || path.ends_with("cancel"),
                    "{method} {path}: {answer:?}"
                );
                if answer.status != 200 {
                    assert_ne!(answer.code(), "response_not_found", "{method} {path}, {round}");
                }
            }
        }
    }
    // Neither knows what nobody made.
    for key in [&acme, &beta] {
        assert_eq!(asked(key, "GET", "/v1/responses/resp_7", "").await.code(), "response_not_found");
    }
    assert_eq!(gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_kept_nothing_is_asked_for() {
    let (gateway, providers) = production("sides-stored", Some("refuse")).await;
    let bearer = format!("Bearer {CLIENT}");
    let asked = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(gateway.addr, request(method, path, &[("authorization", &*bearer)], &body)).await
    };
    for method in ["GET", "DELETE"] {
        let answer = asked(method, "/v1/responses/resp_7", Value::Null).await;
        assert_eq!((answer.status, &*answer.code()), (404, "response_not_found"), "{method}: {}", answer.text());
    }
    let body = |more: Value| {
        let mut body = json!({"model": "gpt-4o-mini", "input": "Hello", "max_output_tokens": 9});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [json!({"background": true}), json!({"store": true}), json!({"previous_response_id": "resp_7"})] {
        let answer = asked("POST", "/v1/responses", body(more.clone())).await;
        assert_eq!((answer.status, &*answer.code()), (400, "invalid_request"), "{more}");
    }
    assert_eq!(providers[0].settled_ledger(crate::client::PATIENCE).requests.len(), 0);
    let plain = async || asked("POST", "/v1/responses", body(json!({}))).await.status;
    crate::client::eventually("an answer", plain, |status| *status == 200).await;
}
