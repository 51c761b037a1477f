//! Input that a body only points at, against the ledger of a provider that bills it: sixty requests at once of each lever never
//! cost more than the budget, and whoever leaves pays for what was read.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::Ending;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::budgets::away_from_midnight;
use crate::client::{Body, Connection, PATIENCE, ask, next_piece};
use crate::envoy::{Gateway, Setup, policy};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const CONVERSE: &str = "/model/amazon.nova-lite-v1%3A0/converse";

fn post(path: &str, tenant: &str, sim: &str, body: &Value) -> Request<Body> {
    let head = Request::post(path).header("content-type", "application/json").header("x-tenant-id", tenant);
    head.header("x-sim", sim).body(Full::new(body.to_string().into()).boxed()).unwrap()
}

fn responses(more: Value) -> Value {
    let mut body = json!({"model": "gpt-4o", "max_output_tokens": 16, "input": "go on"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn part(path: &str, part: Value) -> Value {
    let content = json!([part, {"type": "text", "text": "sum it up"}]);
    match path {
        CHAT => json!({"model": "gpt-4o", "max_tokens": 16, "messages": [{"role": "user", "content": content}]}),
        MESSAGES => {
            json!({"model": "claude-sonnet-4", "max_tokens": 16, "messages": [{"role": "user", "content": content}]})
        }
        GEMINI => {
            json!({"contents": [{"role": "user", "parts": [part, {"text": "sum it up"}]}], "generationConfig": {"maxOutputTokens": 16}})
        }
        _ => {
            json!({"messages": [{"role": "user", "content": [part, {"text": "x"}]}], "inferenceConfig": {"maxTokens": 16}})
        }
    }
}

/// A tenant for each lever, and what it asks: the provider finds in the names how much it bills.
fn levers() -> Vec<(&'static str, &'static str, Value)> {
    let message = |kind: &str, source: Value| part(MESSAGES, json!({"type": kind, "source": source}));
    let gemini = |more: Value| {
        let mut body = part(GEMINI, json!({"text": "x"}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    vec![
        ("previous-unknown", RESPONSES, responses(json!({"previous_response_id": "resp-tokens-120000"}))),
        ("conversation", RESPONSES, responses(json!({"conversation": {"id": "conv-tokens-120000"}}))),
        ("prompt", RESPONSES, responses(json!({"prompt": {"id": "pmpt-tokens-120000"}}))),
        (
            "input-file",
            RESPONSES,
            responses(
                json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-tokens-120000"}]}]}),
            ),
        ),
        (
            "server",
            RESPONSES,
            responses(
                json!({"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x/tokens-120000"}]}),
            ),
        ),
        ("chat-file", CHAT, part(CHAT, json!({"type": "file", "file": {"file_id": "file-tokens-120000"}}))),
        ("document-url", MESSAGES, message("document", json!({"type": "url", "url": "https://x/tokens-150000.pdf"}))),
        ("document-file", MESSAGES, message("document", json!({"type": "file", "file_id": "file-tokens-150000"}))),
        ("cached", GEMINI, gemini(json!({"cachedContent": "cachedContents/tokens-900000"}))),
        (
            "video",
            GEMINI,
            part(GEMINI, json!({"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x/tokens-900000.mp4"}})),
        ),
        (
            "bucket",
            CONVERSE,
            part(
                CONVERSE,
                json!({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://x/tokens-280000"}}}}),
            ),
        ),
    ]
}

/// Of one Envoy, with a provider each.
struct Gateways {
    levers: Gateway,
    chain: Gateway,
    left: Gateway,
}

const BUDGET: u64 = 1_000_000_000;

/// Tests take turns, so that what is open is a test's own.
async fn in_turn() -> MutexGuard<'static, Gateways> {
    static GATEWAYS: OnceCell<Mutex<Gateways>> = OnceCell::const_new();
    let start = async || {
        let budget = json!({"budgets": {"day_usd": "1"}, "unlimited": ["request_usd"]});
        let names = levers().into_iter().map(|(tenant, ..)| tenant).chain(["previous"]);
        let tenants = names.map(|name| (name.to_owned(), budget.clone())).collect();
        let mut levers = Setup { any_path: true, ..Setup::new("hidden", policy(Value::Object(tenants))) };
        levers.policy["stored_responses"] = json!("any");
        let chain = Setup::new("hidden-chain", policy(json!({"chain": {"tier": "standard"}})));
        let free = json!({"unlimited": ["request_usd", "day_usd"]});
        let tenants = json!({"earlier": free, "picture": free, "document": free, "file": free});
        let mut left = Setup::new("hidden-left", policy(tenants));
        left.policy["stored_responses"] = json!("any");
        let [levers, chain, left] = Gateway::together([levers, chain, left]).await;
        Mutex::new(Gateways { levers, chain, left })
    };
    GATEWAYS.get_or_init(start).await.lock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_at_once_of_each_lever_never_cost_more_than_the_budget() {
    away_from_midnight().await;
    let gateway = &in_turn().await.levers;

    // One whose size is known: it was made here, from a file.
    let file = json!([{"role": "user", "content": [{"type": "input_file", "file_id": "file-tokens-120000"}]}]);
    let first = gateway.ask(post(RESPONSES, "previous", "", &responses(json!({"input": file})))).await;
    let record = gateway.record_of(&first).await;
    gateway.settled("previous", record["cost_nanousd"].as_u64().unwrap()).await;
    let first = first.json()["id"].as_str().unwrap().to_owned();
    let previous = ("previous", RESPONSES, responses(json!({"previous_response_id": first})));
    let levers = [previous].into_iter().chain(levers());

    for (tenant, path, body) in levers {
        // What the first one cost is in the budget, too.
        if tenant != "previous" {
            gateway.provider().clear();
        }
        let asked = (0..60).map(|_| {
            let (addr, request) = (gateway.addr, post(path, tenant, "delay_ms=300", &body));
            tokio::spawn(async move { ask(addr, request).await })
        });
        let (mut passed, mut refused) = (0, 0);
        for answer in asked.collect::<Vec<_>>() {
            let answer = answer.await.expect("an answer");
            match answer.status {
                200 => passed += 1,
                _ => {
                    assert_eq!(answer.status, 402, "{tenant}: {}", answer.text());
                    assert!(answer.text().contains("may bring in"), "{tenant}: {}", answer.text());
                    refused += 1;
                }
            }
        }
        let billed = gateway.provider().settled_ledger(PATIENCE).sum();
        assert!(passed > 0 && refused > 0, "{tenant}: {passed} passed, {refused} were refused");
        assert!(billed.cost_nanousd <= BUDGET, "{tenant}: {} nano-USD billed", billed.cost_nanousd);
        assert!(billed.prompt_tokens >= 100_000 * passed as u64, "{tenant}: the provider has billed nothing hidden");
        gateway.settled(tenant, billed.cost_nanousd).await;
    }
}

/// A response that was made here is reserved as what it holds, link by link, and charged to the nano-dollar.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_responses_is_reserved_as_what_it_holds() {
    let gateway = &in_turn().await.chain;
    let mut previous = json!({});
    for (link, stream) in [false, true, false, true].into_iter().enumerate() {
        let text = "word ".repeat(40 * (link + 1));
        let mut body = responses(previous);
        body["input"] = json!([{"role": "user", "content": text}]);
        body["stream"] = json!(stream);
        let answer = gateway.ask(post(RESPONSES, "chain", "tokens=16", &body)).await;
        assert_eq!(answer.status, 200, "link {link}: {}", answer.text());
        let record = gateway.record_of(&answer).await;
        let entry = gateway.entry_of(&record).expect("an entry");
        let [reserved, cost] = ["reserved_nanousd", "cost_nanousd"].map(|name| record[name].as_u64().unwrap());
        assert_eq!((cost, record["usage_source"].as_str()), (entry.cost_nanousd, Some("reported")));
        assert!(cost <= reserved && reserved < cost * 3, "link {link}: {cost} of {reserved} reserved");
        let id = if stream {
            let text = answer.text();
            let at = text.find("resp_").unwrap();
            text[at..].split('"').next().unwrap().to_owned()
        } else {
            answer.json()["id"].as_str().unwrap().to_owned()
        };
        previous = json!({"previous_response_id": id});
    }
    // One that nobody knows is as dear as it may be.
    let refused =
        gateway.ask(post(RESPONSES, "chain", "", &responses(json!({"previous_response_id": "resp_x"})))).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "response_not_found"));
}

/// Where the size is known, whoever leaves pays between half and one and a half of what was billed, in sum and for each lever.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_pays_for_the_input_that_was_read() {
    let gateway = &in_turn().await.left;
    let first = post(RESPONSES, "earlier", "prompt=120000; tokens=16", &responses(json!({})));
    let first = gateway.ask(first).await;
    gateway.record_of(&first).await;
    let first = first.json()["id"].as_str().unwrap().to_owned();
    let picture = json!({"type": "image_url", "image_url": {"url": "https://x/tokens-25000.png"}});
    let text = "word ".repeat(20_000);
    let document = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}});
    let file = json!({"type": "document", "source": {"type": "file", "file_id": "file-tokens-150000"}});
    let (mut charged_in_sum, mut billed_in_sum) = (0, 0);
    for (tenant, path, sim, mut body) in [
        ("earlier", RESPONSES, "", responses(json!({"previous_response_id": first}))),
        ("picture", CHAT, "", part(CHAT, picture)),
        ("document", MESSAGES, "prompt=20000", part(MESSAGES, document)),
        ("file", MESSAGES, "", part(MESSAGES, file)),
    ] {
        if tenant == "picture" {
            body["model"] = json!("gpt-4o-mini");
        }
        body["stream"] = json!(true);
        gateway.provider().clear();
        let before = gateway.records_of(tenant).len();
        for pieces in [1, 2, 3, 5, 8, 13] {
            let mut connection = Connection::open(gateway.addr).await;
            let sim = format!("{sim}; tokens=16; hold_after=14");
            let answer = connection.send(post(path, tenant, &sim, &body)).await.expect("a head");
            assert_eq!(answer.status(), 200, "{tenant}");
            let mut incoming = answer.into_body();
            let mut seen = 0;
            while seen < pieces {
                let Some(piece) = next_piece(&mut incoming).await else { break };
                seen += String::from_utf8_lossy(&piece).matches("data: ").count();
            }
            drop((incoming, connection));
        }
        let records = gateway.wait_records_of(tenant, before + 6).await;
        let charged: u64 = records.iter().skip(before).filter_map(|record| record["cost_nanousd"].as_u64()).sum();
        let ledger = gateway.provider().settled_ledger(PATIENCE);
        assert!(ledger.requests.iter().all(|entry| entry.ending == Ending::Abandoned), "{tenant}: somebody stayed");
        let billed = ledger.sum().cost_nanousd;
        assert!(charged * 2 >= billed && charged * 2 <= billed * 3, "{tenant}: {charged} charged of {billed}");
        (charged_in_sum, billed_in_sum) = (charged_in_sum + charged, billed_in_sum + billed);
    }
    assert!(charged_in_sum * 5 >= billed_in_sum * 4, "{charged_in_sum} charged of {billed_in_sum}");
}
