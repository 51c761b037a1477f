//! The first things anyone tries: an answer, a stream, and each way to be refused.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{chat, get};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let start = || {
        let mut policy = policy(json!({
            "json": free_tenant(),
            "own": free_tenant(),
            "paths": free_tenant(),
            "stream": free_tenant(),
            "aliased": free_tenant(),
            "open": {"budgets": {"request_usd": "0.0001"}},
            "two": {"limits": {"requests_per_minute": 2}},
            "audited": {"limits": {"requests_per_minute": 1}, "audit": ["requests_per_minute"]},
            "tokens": {"limits": {"tokens_per_minute": 100}},
            "expensive": {"limits": {"expensive_per_minute": 1}, "unlimited": ["request_usd"]},
            "picky": {"models": ["gpt-4o*"]},
            "poor": {"tier": "low"},
            "month": {"budgets": {"month_usd": "0.000005"}},
        }));
        policy["expensive"] = json!({"models": ["gpt-4"]});
        policy["role_models"] = json!({"chat": "gpt-4o-mini"});
        policy["providers"]["simulated"]["sensitivity"] = json!("confidential");
        policy["max_request_bytes"] = json!(100_000);
        Gateway::start(Setup::new("smoke", policy))
    };
    GATEWAY.get_or_init(start).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_answer_passes_and_is_counted() {
    let gateway = gateway().await;
    let asked = chat("json").header("x-ai-role", "code").sim("tokens=7; cached=3");
    let answer = gateway.ask(asked.request()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let usage = answer.json()["usage"].clone();

    let record = gateway.record_of(&answer).await;
    let entry = gateway.entry_of(&record).expect("the request in the ledger");
    let told = |name: &str| record[name].clone();
    assert_eq!(told("tenant"), "json");
    assert_eq!(told("role"), "code");
    assert_eq!(told("provider"), "simulated");
    assert_eq!(told("model"), "gpt-4o-mini");
    assert_eq!(told("outcome"), "success");
    assert_eq!(told("usage_source"), "reported");
    assert_eq!(told("status"), 200);
    assert_eq!(told("stream"), false);
    assert_eq!(told("input_tokens"), usage["prompt_tokens"]);
    assert_eq!(told("output_tokens"), 7);
    assert_eq!(told("cached_input_tokens"), 3);
    assert_eq!(told("cost_nanousd"), entry.cost_nanousd);
    assert!(told("reserved_nanousd").as_u64() >= Some(entry.cost_nanousd), "{record}");

    let stats = gateway.settled("json", entry.cost_nanousd).await;
    let who = [("provider", "simulated"), ("model", "gpt-4o-mini"), ("tenant", "json")];
    let with = |label| who.into_iter().chain([label]).collect::<Vec<_>>();
    let requests = [
        ("provider", "simulated"),
        ("model", "gpt-4o-mini"),
        ("role", "code"),
        ("tenant", "json"),
        ("status", "success"),
    ];
    assert_eq!(stats.sum("ai_gateway_requests_total", &requests), 1);
    assert_eq!(stats.sum("ai_gateway_tokens_total", &with(("direction", "input"))), entry.prompt_tokens);
    assert_eq!(stats.sum("ai_gateway_tokens_total", &with(("direction", "output"))), 7);
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &who), entry.cost_nanousd);
    assert!(stats.sum("ai_gateway_usage_total", &[("source", "reported"), ("model", "gpt-4o-mini")]) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_passes_and_is_counted_without_being_asked() {
    let gateway = gateway().await;
    let answer = gateway.ask(chat("stream").stream().sim("tokens=5").request()).await;
    assert_eq!(answer.status, 200);
    let events = answer.events();
    assert_eq!(events.len(), 5 + 1 + 1, "tokens, the end, [DONE]: {events:#?}");
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    assert!(!answer.text().contains(r#""usage":{"#), "the usage was not asked for");

    let record = gateway.record_of(&answer).await;
    let entry = gateway.entry_of(&record).expect("the request in the ledger");
    assert!(entry.include_usage, "the gateway asked for it");
    assert_eq!(record["stream"], true);
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["usage_source"], "reported");
    assert_eq!(record["output_tokens"], 5);
    assert_eq!(record["cost_nanousd"], entry.cost_nanousd);
    assert!(record["first_byte_ms"].as_u64() <= record["duration_ms"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_sent_on_by_its_real_name() {
    let gateway = gateway().await;
    let answer = gateway.ask(chat("aliased").model("fast").request()).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("gpt-4o-mini")));
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["model_asked"], &record["model"]), (&json!("fast"), &json!("gpt-4o-mini")));
    assert_eq!(gateway.entry_of(&record).expect("an entry").model, "gpt-4o-mini");
}

/// The manual test of the original gateway's document, as it is written there but for the port, on what `make run` starts.
#[tokio::test(flavor = "multi_thread")]
async fn the_originals_manual_test_runs_as_written() {
    let gateway = Gateway::start(Setup::new("manual", Value::Null)).await;
    let curl = async |arguments: &[&str], path: &str| {
        let url = format!("http://{}{path}", gateway.addr);
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-m", "10", "-s", "-w", "\n%{http_code}"]).args(arguments).arg(url);
        let output = String::from_utf8(curl.output().await.unwrap().stdout).unwrap();
        let (body, status) = output.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    };
    let (status, health) = curl(&[], "/api/ai/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status.as_str(), &health["status"]), ("200", &json!("healthy")), "{health}");
    let body = r#"{"messages":[{"role":"user","content":"Hello"}],"role":"chat","sensitivity":"internal"}"#;
    let headers = ["-X", "POST", "-H", "Content-Type: application/json", "-H", "X-Tenant-ID: test-tenant", "-d", body];
    let (status, answer) = curl(&headers, "/api/ai/chat").await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status.as_str(), &answer["object"]), ("200", &json!("chat.completion")), "{answer}");
    assert!(answer["choices"][0]["message"]["content"].is_string());
    let (status, metrics) = curl(&[], "/api/ai/metrics").await;
    assert_eq!(status, "200");
    let counted = r#"ai_gateway_requests_total{tenant="test-tenant",model="gpt-4o-mini",provider="simulated",role="chat",status="success"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("ai_gateway_cost_usd_total{tenant=\"test-tenant\""), "{metrics}");
}

/// The original gateway's own chat: the role names the model, and what only the gateway reads does not travel on.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_chat_needs_no_model() {
    let gateway = gateway().await;
    let ask = async |body: &str| {
        let mut asked = chat("own").request_with(body.to_owned());
        *asked.uri_mut() = "/api/ai/chat".parse().unwrap();
        gateway.ask(asked).await
    };
    let answer =
        ask(r#"{"messages":[{"role":"user","content":"Hello"}],"role":"chat","sensitivity":"internal"}"#).await;
    assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("chat.completion")), "{}", answer.text());
    let record = gateway.record_of(&answer).await;
    let told = [&record["api"], &record["role"], &record["model_asked"], &record["model_chosen"], &record["outcome"]];
    assert_eq!(told, ["gateway_chat", "chat", "role", "gpt-4o-mini", "success"]);
    let entry = gateway.entry_of(&record).expect("an entry");
    assert_eq!((entry.model.as_str(), &record["cost_nanousd"]), ("gpt-4o-mini", &json!(entry.cost_nanousd)));

    for (body, status) in [
        (r#"{"messages":[],"role":"poet"}"#, 400),
        (r#"{"messages":[],"role":"chat","sensitivity":"secret"}"#, 400),
        (r#"{"messages":[],"role":"chat","role":"chat"}"#, 400),
        (r#"{"messages":[]}"#, 400),
        (r#"{"messages":[],"role":"chat","sensitivity":"restricted"}"#, 403),
    ] {
        let refused = ask(body).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_bound_is_given_one_that_fits() {
    let gateway = gateway().await;
    let asked = chat("open").without("max_completion_tokens").sim("tokens=5000");
    let answer = gateway.ask(asked.request()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = gateway.record_of(&answer).await;
    let entry = gateway.entry_of(&record).expect("an entry");
    let bound = entry.output_bound.expect("a bound was written in");
    assert!(bound * 600 <= 100_000 && bound > 100, "{bound} tokens of 600 nano-USD in $0.0001");
    assert_eq!(record["output_tokens"], bound, "the provider kept to it");
    assert!(entry.cost_nanousd <= 100_000);

    // As servers of one's own spell it: the same bound, and never what was written.
    for written in [-1, 0] {
        let answer = gateway.ask(asked.clone().field("max_tokens", written).request()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let entry = gateway.entry_of(&gateway.record_of(&answer).await).expect("an entry");
        assert!(entry.output_bound.is_some_and(|bound| bound > 100 && bound * 600 <= 100_000), "{written}");
    }

    let refused = gateway.ask(asked.field("max_completion_tokens", 5_000).request()).await;
    assert_eq!((refused.status, refused.code().as_str()), (402, "request_budget_exceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_are_none_of_ours() {
    let gateway = gateway().await;
    let mut asked = get("/v1/models");
    asked.headers_mut().insert("x-tenant-id", "json".parse().unwrap());
    let models = gateway.ask(asked).await;
    assert_eq!((models.status, &models.json()["object"]), (200, &json!("list")));
    let missing = gateway.ask(get("/v1/chats")).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
    let other_method = gateway.ask(get("/v1/chat/completions")).await;
    assert_eq!((other_method.status, other_method.code().as_str()), (405, "invalid_request"));
    assert_eq!(other_method.header("allow"), Some("POST"));
    // An allowlist: what is metered passes, and of the same providers what nobody would count does not.
    for (path, passes) in [
        ("/v1/messages", true),
        ("/v1beta/models/gemini-2.5-flash:generateContent", true),
        ("/v1/models/gemini-2.5-flash:streamGenerateContent", true),
        ("/v1beta/models/gemini-2.5-flash:batchEmbedContents", true),
        ("/v1beta/models/gemini-2.5-flash:countTokens", true),
        ("/v1beta/models/gemini-2.5-flash:asyncBatchEmbedContent", false),
        ("/v1beta/models/gemini-2.5-flash:predictLongRunning", false),
        ("/model/amazon.nova-lite-v1:0/converse-stream", true),
        ("/model/amazon.nova-lite-v1:0/invoke", true),
        ("/model/amazon.nova-lite-v1:0/invoke-with-bidirectional-stream", false),
        ("/v2/chat", true),
        ("/v2/generate", false),
        ("/api/generate", true),
        ("/api/pull", false),
    ] {
        let mut asked = chat("paths").request();
        *asked.uri_mut() = path.parse().unwrap();
        let answer = gateway.ask(asked).await;
        let by_the_gateway = answer.status == 404 && answer.text().contains("The gateway does not serve this path.");
        assert_eq!(!by_the_gateway, passes, "{path}: {} {}", answer.status, answer.text());
    }
    for answer in [models, missing, other_method] {
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
        let id = answer.request_id();
        assert!(gateway.records().iter().all(|record| record["request_id"] != id), "uncounted");
    }
}

/// Each refusal by its status and its code, in the shape that OpenAI's SDKs read, and none of them reaches a provider.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_says_why() {
    let gateway = gateway().await;
    let big = "x".repeat(200_000);
    let cases = [
        ("no tenant", chat("-").anonymous(), 401, "tenant_missing"),
        ("an unknown tenant", chat("nobody"), 403, "tenant_unknown"),
        ("two tenants", chat("json").header("x-tenant-id", "stream"), 403, "tenant_unknown"),
        ("the same tenant twice", chat("json").header("x-tenant-id", "json"), 403, "tenant_unknown"),
        ("an empty tenant", chat(""), 401, "tenant_missing"),
        ("two tenants in one", chat("json, stream"), 403, "tenant_unknown"),
        ("a forbidden model", chat("picky").model("tiny"), 403, "model_not_allowed"),
        ("an unpriced model", chat("json").model("gpt-5"), 404, "model_unpriced"),
        (
            "a dear request",
            chat("poor").model("gpt-4").field("max_completion_tokens", 1_000),
            402,
            "request_budget_exceeded",
        ),
        ("a spent month", chat("month"), 402, "monthly_budget_exceeded"),
        ("too many tokens", chat("tokens").field("max_completion_tokens", 500), 429, "token_rate_limited"),
        ("no model", chat("json").without("model"), 400, "invalid_request"),
        ("a large body", chat("json").saying(&big), 413, "request_too_large"),
        // What Envoy's decompressor doesn't inflate.
        ("a compressed body", chat("json").header("content-encoding", "br"), 415, "unsupported_encoding"),
    ];
    for (what, asked, status, code) in cases {
        let answer = gateway.ask(asked.request()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        let error = answer.json()["error"].clone();
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 20), "{what}: {error}");
        assert!(error["type"].is_string() && error["param"].is_null(), "{what}: {error}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429, "{what}: {answer:?}");
        assert_eq!(answer.header("retry-after-ms").is_some(), status == 429, "{what}: {answer:?}");
        // What asking again does not mend.
        let never = status != 429 || error["detail"]["reset_seconds"].as_u64().is_none_or(|seconds| seconds > 60);
        assert_eq!(answer.header("x-should-retry"), never.then_some("false"), "{what}: {answer:?}");
        let record = gateway.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["status"]), (&json!(code), &json!(status)), "{what}");
        assert_eq!((&record["cost_nanousd"], &record["provider"]), (&json!(0), &json!("none")), "{what}");
        assert_eq!(record["refused_by"], error["detail"]["guard"], "{what}");
        assert!(gateway.entry_of(&record).is_none(), "{what} reached the provider");
    }
    let broken = gateway.ask(chat("json").request_with("{\"model\":")).await;
    assert_eq!((broken.status, broken.code().as_str()), (400, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_down_and_then_tells_when_to_come_back() {
    let gateway = gateway().await;
    for left in ["1", "0"] {
        let answer = gateway.ask(chat("two").request()).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit-requests")), (200, Some("2")));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
    }
    let answer = gateway.ask(chat("two").request()).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    let wait: u64 = answer.header("retry-after").expect("retry-after").parse().unwrap();
    let exact: u64 = answer.header("retry-after-ms").expect("retry-after-ms").parse().unwrap();
    assert!((1..60_000).contains(&exact) && exact.div_ceil(1_000) == wait, "{exact} ms, {wait} s: less than a minute");
    let detail = answer.json()["error"]["detail"].clone();
    assert_eq!(
        (&detail["guard"], &detail["limit"], &detail["used"]),
        (&json!("requests_per_minute"), &json!(2), &json!(2))
    );
    assert_eq!(gateway.record_of(&answer).await["refused_by"], "requests_per_minute");
    let counted = [("tenant", "two"), ("code", "requests_per_minute")];
    assert_eq!(gateway.stats().await.sum("ai_gateway_limit_refusals_total", &counted), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expensive_requests_have_a_limit_of_their_own() {
    let gateway = gateway().await;
    let codes = async |model: &str| {
        let answer = gateway.ask(chat("expensive").model(model).request()).await;
        (answer.status, answer.json()["error"]["code"].clone())
    };
    assert_eq!(codes("gpt-4").await, (200, Value::Null));
    assert_eq!(codes("gpt-4").await, (429, json!("expensive_rate_limited")));
    assert_eq!(codes("gpt-4o-mini").await, (200, Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audited_limit_refuses_nothing_and_counts() {
    let gateway = gateway().await;
    for audited in [json!([]), json!(["requests_per_minute"]), json!(["requests_per_minute"])] {
        let answer = gateway.ask(chat("audited").request()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(gateway.record_of(&answer).await["audit"], audited);
    }
    let stats = gateway.stats().await;
    let counted = [("tenant", "audited"), ("code", "requests_per_minute")];
    assert_eq!(stats.sum("ai_gateway_audit_refusals_total", &counted), 2);
}
