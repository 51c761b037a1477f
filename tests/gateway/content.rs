//! Rules about texts, through a real Envoy: what reaches the provider, and what the client gets, raw and by the SDKs.

pub mod repeating;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Answer, Chat, chat};
use crate::envoy::{Gateway, Setup, policy};
use crate::sdk::told;
use repeating::{MAIL, Repeating};

struct House {
    gateway: Gateway,
    provider: Repeating,
}

/// A tenant for each thing that may become of a finding.
async fn house() -> &'static House {
    static HOUSE: OnceCell<House> = OnceCell::const_new();
    let start = async || {
        let provider = Repeating::start();
        let tenant = || json!({"tier": "premium"});
        let mut policy = policy(json!({
            "counting": tenant(), "masking": tenant(), "restoring": tenant(), "refusing": tenant(), "answering": tenant(),
            "plain": tenant(), "abroad": tenant(), "at-home": tenant(),
        }));
        policy["providers"]["simulated"]["sensitivity"] = json!("internal");
        let rule = |name: &str, action: &str, on: Value| json!({"name": name, "find": ["email", "card"], "action": action, "on": on, "tenants": [name]});
        policy["content"] = json!({"placeholder_key": "0123456789abcdef", "rules": [
            rule("counting", "count", json!(["request", "answer"])),
            rule("masking", "mask", json!(["request", "answer"])),
            rule("restoring", "restore", json!(["request"])),
            rule("refusing", "refuse", json!(["request"])),
            rule("answering", "refuse", json!(["answer"])),
            {"name": "own", "find": ["iban"], "action": "restore", "tenants": ["answering"]},
            {"name": "abroad", "find": ["email"], "action": "mask", "tenants": ["abroad"], "provider_sensitivity_below": "confidential"},
            {"name": "at-home", "find": ["email"], "action": "mask", "tenants": ["at-home"], "provider_sensitivity_below": "internal"},
        ]});
        let gateway = Gateway::start(Setup { provider: Some(provider.addr), ..Setup::new("content", policy) }).await;
        House { gateway, provider }
    };
    HOUSE.get_or_init(start).await
}

const CLIENT: &str = "jo.doe@example.org";

/// What the client says; what the provider then had, and the answer as the client has it, of JSON or of all its events.
async fn said(asked: &Chat) -> (Value, String) {
    let House { gateway, provider } = house().await;
    let id = format!("{:x}", provider.next());
    let asked = asked.clone().field("metadata", json!({"test": id}));
    let answer = gateway.ask(asked.request()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let value = |data: &str| serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
    let said = if asked.is_stream() {
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let events =
            text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        events
            .map(|data| value(data)["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
            .collect()
    } else {
        value(&text)["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    (provider.had(&id), said)
}

fn asking(tenant: &str, stream: bool) -> Chat {
    let asked = chat(tenant).saying(&format!("I am {CLIENT}, or \"{CLIENT}\"."));
    if stream { asked.stream() } else { asked }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_never_reaches_the_provider_and_what_it_says_itself_is_masked_too() {
    for stream in [false, true] {
        let (had, said) = said(&asking("masking", stream)).await;
        let had = had["messages"][0]["content"].as_str().unwrap();
        let placeholder = had.strip_prefix("I am ").unwrap().split(',').next().unwrap();
        assert!(placeholder.starts_with("[EMAIL_"), "{had}");
        assert_eq!(had, format!("I am {placeholder}, or \"{placeholder}\"."));
        // The provider's own has another number, and the client's stays as it was sent.
        assert!(said.starts_with(&format!("You said: {had} Mail [EMAIL_")), "{said}");
        assert!(!said.contains(MAIL) && said.ends_with("], please."), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restored_is_the_providers_placeholder_and_the_clients_own_words() {
    for stream in [false, true] {
        let (had, said) = said(&asking("restoring", stream)).await;
        assert!(!had.to_string().contains("jo.doe"), "{had}");
        assert_eq!(said, format!("You said: I am {CLIENT}, or \"{CLIENT}\". Mail {MAIL}, please."));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_counted_and_what_no_rule_is_for_passes_as_it_is() {
    for tenant in ["counting", "plain"] {
        for stream in [false, true] {
            let (had, said) = said(&asking(tenant, stream)).await;
            assert_eq!(had["messages"][0]["content"], format!("I am {CLIENT}, or \"{CLIENT}\"."));
            assert_eq!(said, format!("You said: I am {CLIENT}, or \"{CLIENT}\". Mail {MAIL}, please."));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_some_providers_holds_where_one_of_them_is_asked() {
    for (tenant, masked) in [("abroad", true), ("at-home", false)] {
        let (had, _) = said(&asking(tenant, false)).await;
        assert_eq!(had["messages"][0]["content"].as_str().unwrap().contains(CLIENT), !masked, "{tenant}: {had}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_which_rule_it_is_and_never_what_was_found() {
    let House { gateway, provider } = house().await;
    let answer = gateway.ask(asking("refusing", false).field("metadata", json!({"test": "refused"})).request()).await;
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status, 400, "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["error"]["code"], "content_refused", "{text}");
    assert!(text.contains("`refusing`") && text.contains("EMAIL") && text.contains("`user`"), "{text}");
    assert!(!text.contains("jo.doe"), "{text}");
    assert!(!provider.has("refused"));
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("content_refused"), &json!(0)), "{record}");
    let found = json!([{"rule": "refusing", "kind": "EMAIL", "place": "user", "action": "refuse", "times": 2}]);
    assert_eq!(record["content"]["request"]["found"], found, "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn record_and_stats_say_what_was_looked_at_and_found_and_never_the_text() {
    let House { gateway, .. } = house().await;
    let answer = gateway.ask(asking("counting", true).field("metadata", json!({"test": "counted"})).request()).await;
    let record = gateway.record_of(&answer).await;
    let content = &record["content"];
    let times = |direction: &str| content[direction]["found"][0]["times"].as_u64().unwrap();
    assert_eq!((times("request"), times("answer")), (2, 3), "{record}");
    assert!(!record.to_string().contains("example"), "{record}");
    let found = [("rule", "counting"), ("kind", "EMAIL"), ("direction", "answer")];
    let stats = gateway.stats().await;
    assert!(stats.sum("ai_gateway_content_found_total", &found) >= 3);
    assert!(stats.sum("ai_gateway_content_texts_total", &[("tenant", "counting"), ("direction", "request")]) > 0);
    assert_eq!(stats.sum("ai_gateway_content_texts_total", &[("tenant", "plain")]), 0);
}

const OWN: &str = "DE89 3704 0044 0532 0130 00";

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// What a stream said before it was ended, and the error that it ended with.
fn ended(stream: &str) -> (String, Value) {
    let mut events: Vec<Value> = stream
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap_or_else(|_| panic!("{stream}")))
        .collect();
    let last = events.pop().unwrap();
    let said = events.iter().map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    (said.collect(), last)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_rule_refuses_ends_before_what_was_found_and_is_paid() {
    let House { gateway, provider } = house().await;
    for stream in [false, true] {
        let id = format!("{:x}", provider.next());
        let asked = chat("answering").saying(&format!("I have {OWN}."));
        let asked = if stream { asked.stream() } else { asked };
        let answer = gateway.ask(asked.field("metadata", json!({"test": id})).request()).await;
        let text = text(&answer);
        assert_eq!(answer.status, if stream { 200 } else { 400 }, "{text}");
        assert!(!provider.had(&id).to_string().contains("3704") && !text.contains("support"), "{text}");
        let error = if stream {
            let (said, last) = ended(&text);
            assert_eq!(said, format!("You said: I have {OWN}. Mail "));
            last
        } else {
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(error["error"]["code"], "content_refused", "{text}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("answer") && message.contains("`answering`") && message.contains("EMAIL"),
            "{message}"
        );
        let record = gateway.record_of(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["status"]),
            (&json!("content_refused"), &json!(answer.status)),
            "{record}"
        );
        let found =
            json!([{"rule": "answering", "kind": "EMAIL", "place": "assistant", "action": "refuse", "times": 1}]);
        assert_eq!(record["content"]["answer"]["found"], found, "{record}");
        assert!(record["cost_nanousd"].as_u64().unwrap() > 0, "{record}");
        if !stream {
            let read = (&record["usage_source"], &record["output_tokens"]);
            assert_eq!(read, (&json!("reported"), &json!(9)), "{record}");
        }
    }
    let refused = [("rule", "answering"), ("kind", "EMAIL"), ("direction", "answer")];
    assert!(gateway.stats().await.sum("ai_gateway_content_found_total", &refused) >= 2);
}

/// What a script of the official SDKs says of the gateway.
async fn reads(name: &str) {
    let House { gateway, .. } = house().await;
    told(gateway, &format!("content/{name}"), &[]).await;
}

/// They raise their own exceptions, in one piece and as a stream.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_raise_what_is_refused_of_an_answer() {
    reads("refused.py").await;
}

/// The official SDKs read what was restored, in one piece and as a stream, as if nothing had been masked.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_read_what_was_restored() {
    reads("restored.py").await;
    let House { provider, .. } = house().await;
    for id in ["openai", "openai-stream", "anthropic", "anthropic-stream", "anthropic-tool"] {
        let had = provider.had(id).to_string();
        assert!(had.contains("[EMAIL_") && !had.contains("jo.doe"), "{id}: {had}");
    }
}
