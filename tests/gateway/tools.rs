//! Rules about tools, through a real Envoy: what a provider is offered, and what of its calls the client gets, raw and by the SDKs.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Answer, Chat, chat};
use crate::content::repeating::Repeating;
use crate::envoy::{Gateway, Setup, policy};
use crate::sdk::told;

struct House {
    gateway: Gateway,
    provider: Repeating,
}

/// A tenant for each thing that may become of a tool.
async fn house() -> &'static House {
    static HOUSE: OnceCell<House> = OnceCell::const_new();
    let start = async || {
        let provider = Repeating::start();
        let tenant = |tools: Value| json!({"tier": "premium", "tools": tools});
        let allow = json!(["get_*", "kind:web_search"]);
        let mut policy = policy(json!({
            "counting": tenant(json!({"allow": allow})),
            "stripping": tenant(json!({"allow": allow, "offered": "strip"})),
            "refusing": tenant(json!({"allow": allow, "offered": "refuse", "called": "refuse", "arguments": "refuse"})),
            "calling": tenant(json!({"allow": allow, "called": "refuse"})),
            "plain": {"tier": "premium"},
        }));
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        policy["tools"] = json!({"registry": {"get_weather": {"parameters": parameters}}});
        let gateway = Gateway::start(Setup { provider: Some(provider.addr), ..Setup::new("tools", policy) }).await;
        House { gateway, provider }
    };
    HOUSE.get_or_init(start).await
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

/// What the provider had, if it had anything, and the answer.
async fn asked(asked: Chat, metadata: Value) -> (Option<Value>, Answer) {
    let House { gateway, provider } = house().await;
    let id = format!("{:x}", provider.next());
    let mut metadata = metadata;
    metadata["test"] = json!(id);
    let answer = gateway.ask(asked.field("metadata", metadata).request()).await;
    (provider.has(&id).then(|| provider.had(&id)), answer)
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_is_counted_taken_out_or_refused() {
    let House { gateway, .. } = house().await;
    let offering = |tenant: &str| {
        chat(tenant)
            .field("tools", json!([tool("delete_user"), tool("get_time")]))
            .field("tool_choice", tool("delete_user"))
    };
    for tenant in ["plain", "counting"] {
        let (had, answer) = asked(offering(tenant), json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let had = had.unwrap();
        assert_eq!(
            (&had["tools"], &had["tool_choice"]),
            (&json!([tool("delete_user"), tool("get_time")]), &tool("delete_user"))
        );
    }
    let (had, answer) = asked(offering("stripping"), json!({})).await;
    let had = had.unwrap();
    assert_eq!((&had["tools"], &had["tool_choice"]), (&json!([tool("get_time")]), &json!("auto")));
    let record = gateway.record_of(&answer).await;
    let denied = json!({"on": "request", "kind": "function", "name": "delete_user", "why": "not_allowed", "action": "strip", "times": 2});
    assert_eq!(record["tools"], json!({"offered": 2, "called": 0, "denied": [denied]}), "{record}");
    // Nothing is left: the choice goes, too.
    let (had, _) =
        asked(chat("stripping").field("tools", json!([tool("x")])).field("tool_choice", "required"), json!({})).await;
    let had = had.unwrap();
    assert!(had.get("tools").is_none() && had.get("tool_choice").is_none(), "{had}");

    let (had, answer) = asked(offering("refusing"), json!({})).await;
    assert_eq!((had, answer.status), (None, 400), "{answer:?}");
    let body: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!(body["error"]["code"], "tool_not_allowed", "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("`delete_user`"), "{body}");
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("tool_not_allowed"), &json!(0)), "{record}");
    let stats = gateway.stats().await;
    let counted = [("code", "not_allowed"), ("kind", "function"), ("direction", "request"), ("tenant", "stripping")];
    assert!(stats.sum("ai_gateway_tools_denied_total", &counted) >= 3);
    assert_eq!(stats.sum("ai_gateway_tools_total", &[("tenant", "plain")]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_function_goes_on_with_its_definition() {
    let (had, _) = asked(chat("counting").field("tools", json!([tool("get_weather")])), json!({})).await;
    let function = &had.unwrap()["tools"][0]["function"];
    assert_eq!(function["parameters"]["required"], json!(["city"]), "{function}");
}

/// The same calls for who counts them only and for who refuses.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_called_is_seen_by_nobody_and_is_paid_all_the_same() {
    let House { gateway, .. } = house().await;
    for stream in [false, true] {
        let calling = |tenant: &str| if stream { chat(tenant).stream() } else { chat(tenant) };
        for (name, arguments, why) in [
            ("get_weather", r#"{"city":"Oslo"}"#, None),
            ("get_time", "{}", None),
            ("get_weather", r#"{"city":4711}"#, Some("arguments")),
            ("delete_user", "{}", Some("not_allowed")),
        ] {
            let metadata = json!({"call": name, "arguments": arguments});
            let (_, counted) = asked(calling("counting"), metadata.clone()).await;
            let (_, answer) = asked(calling("refusing"), metadata).await;
            let (whole, said) = (text(&counted), text(&answer));
            assert!(whole.contains(name), "{whole}");
            let record = gateway.record_of(&answer).await;
            assert_eq!(record["tools"]["called"], 1, "{record}");
            let Some(why) = why else {
                assert_eq!((answer.status, &said), (200, &whole), "{name}");
                assert_eq!(record["outcome"], "success", "{record}");
                continue;
            };
            assert!(
                !said.contains("tool_calls") && !said.contains("4711") && said.contains("tool_not_allowed"),
                "{said}"
            );
            assert_eq!(answer.status, if stream { 200 } else { 400 }, "{said}");
            assert_eq!(said.starts_with("data: ") && said.contains("I look."), stream, "{said}");
            assert_eq!(
                (&record["outcome"], &record["status"]),
                (&json!("tool_not_allowed"), &json!(answer.status)),
                "{record}"
            );
            assert_eq!(record["tools"]["denied"][0]["why"], why, "{record}");
            assert!(record["cost_nanousd"].as_u64().unwrap() > 0, "{record}");
            if !stream {
                assert_eq!(
                    (&record["usage_source"], &record["output_tokens"]),
                    (&json!("reported"), &json!(9)),
                    "{record}"
                );
            }
        }
    }
}

/// The official SDKs raise their own exceptions, in one piece and as a stream.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_raise_what_is_refused() {
    let House { gateway, .. } = house().await;
    told(gateway, "tools/refused.py", &[]).await;
}
