//! Names that are split among models: who gets which, and that it is served as if it had been asked for by its own name.

use super::routing::{Asked, NOON, config, hello};
use crate::exchange::*;
use crate::outcome::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn configured(virtual_models: Value, change: impl FnOnce(&mut Value)) -> Policy {
    let mut config = config();
    config["virtual_models"]["test"] = virtual_models;
    change(&mut config);
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn halves(sticky: &str) -> Value {
    json!({"split": {"gpt-4o": 50, "gpt-4o-mini": 50}, "sticky": sticky})
}

fn open(policy: &Policy, asked: &Asked<'_>) -> Result<Open, Reply> {
    let (exchange, _) = asked.sent(policy)?;
    let Phase::Open(open) = exchange.phase else { panic!("was not sent on") };
    Ok(*open)
}

fn chosen(policy: &Policy, asked: &Asked<'_>) -> String {
    let open = open(policy, asked).unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
    open.asked.chosen.unwrap()
}

#[test]
fn who_is_the_same_to_the_split_keeps_his_variant_and_nobody_else_does() {
    for (sticky, kept, others) in [
        ("user", "x-ai-user", ["x-ai-session", "x-request-id"]),
        ("session", "x-ai-session", ["x-ai-user", "x-request-id"]),
    ] {
        let policy = configured(halves(sticky), |_| {});
        let again = configured(halves(sticky), |_| {});
        let mut found = BTreeMap::new();
        for nth in 0..64 {
            let name = format!("somebody {nth}");
            let asked = |other: &str| {
                chosen(&policy, &Asked::chat(&hello("test")).with(kept, &name).with(others[0], &format!("o{other}")))
            };
            let variant = asked("1");
            *found.entry(variant.clone()).or_insert(0) += 1;
            assert_eq!(asked("2"), variant, "another {}", others[0]);
            // Whatever worker, and after a reload.
            assert_eq!(chosen(&again, &Asked::chat(&hello("test")).with(kept, &name)), variant);
        }
        assert!(found.len() == 2 && found.values().all(|count| *count > 16), "{sticky}: {found:?}");
    }
    // Of a whole tenant there is one answer; of requests that don't say whose they are, one for each id.
    let by_tenant = configured(halves("tenant"), |_| {});
    let users = || (0..32).map(|nth| format!("user-{nth}"));
    let of_tenant: std::collections::BTreeSet<_> =
        users().map(|user| chosen(&by_tenant, &Asked::chat(&hello("test")).with("x-ai-user", &user))).collect();
    assert_eq!(of_tenant.len(), 1);
    let by_user = configured(halves("user"), |_| {});
    let nameless = chosen(&by_user, &Asked::chat(&hello("test")));
    for blank in ["", "  "] {
        assert_eq!(chosen(&by_user, &Asked::chat(&hello("test")).with("x-ai-user", blank)), nameless);
    }
}

/// What the split stands for has its own price, chain and rules: the same as if the client had named it.
#[test]
fn a_variant_is_served_as_the_model_that_it_is() {
    let policy = configured(halves("user"), |_| {});
    for nth in 0..16 {
        let user = format!("user-{nth}");
        let asked = Asked::chat(&hello("test")).with("x-ai-user", &user);
        let (exchange, chain) = asked.sent(&policy).unwrap();
        let variant = chosen(&policy, &asked);
        let (_, by_name) = Asked::chat(&hello(&variant)).sent(&policy).unwrap();
        assert_eq!(chain.clusters, by_name.clusters);
        // Of bodies that are as long.
        let mut padded = hello("test");
        padded["messages"][0]["content"] = json!("hi".to_owned() + &"i".repeat(variant.len() - "test".len()));
        let [reserved, reserved_by_name] =
            [Asked::chat(&padded).with("x-ai-user", &user), Asked::chat(&hello(&variant))]
                .map(|asked| open(&policy, &asked).unwrap_or_else(|_| panic!()).reservation.cost);
        assert_eq!(reserved, reserved_by_name);
        let sent = asked.received(&policy, "openai").1;
        assert_eq!(sent["model"], json!(variant));
        // The header is the gateway's, and not one that got lost.
        assert!(exchange.cut().remove.contains(&"x-ai-user".to_owned()));
        let ending = Ending { status: 200, cluster: Some("c_openai".to_owned()), sent: true, ..Ending::default() };
        let line: Value = serde_json::from_str(&exchange.close(&policy, &ending, NOON).record.to_json()).unwrap();
        assert_eq!(
            (&line["split"], &line["variant"], &line["model_asked"]),
            (&json!("test"), &json!(variant), &json!("test"))
        );
        assert_eq!(line.get("dropped"), None);
    }
    let (exchange, _) = Asked::chat(&hello("gpt-4o")).with("x-ai-user", "u").sent(&policy).unwrap();
    let line = exchange.close(&policy, &Ending::default(), NOON).record.to_json();
    assert!(!line.contains("\"split\"") && !line.contains("\"variant\""), "{line}");
}

/// Who may not have his own variant, or can't, gets the next; and a refusal says why of each.
#[test]
fn a_variant_that_cannot_take_a_request_leaves_it_to_the_others() {
    let policy = configured(json!({"split": {"gpt-4o": 1, "llama3.2": 9_999}, "sticky": "user"}), |config| {
        config["tenants"]["narrow"] = json!({"models": ["gpt-4o"], "unlimited": ["request_usd", "day_usd"]});
    });
    let ask = |body: &Value| Asked::chat(body).with("x-ai-user", "somebody");
    assert_eq!(chosen(&policy, &ask(&hello("test"))), "llama3.2");
    assert_eq!(chosen(&policy, &ask(&hello("test")).by("narrow")), "gpt-4o");
    let mut tools = hello("test");
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(chosen(&policy, &ask(&tools)), "gpt-4o");
    assert_eq!(chosen(&policy, &Asked { open: vec!["local"], ..ask(&hello("test")) }), "gpt-4o");
    // Of restricted data only one of them may be asked, whoever draws which.
    for nth in 0..32 {
        let (user, asked) = (format!("user-{nth}"), Asked::chat(&hello("test")));
        let asked = asked.with("x-ai-user", &user).with("x-ai-sensitivity", "restricted");
        assert_eq!(asked.sent(&policy).unwrap().1.clusters, ["c_local"]);
    }
    let refused = open(&policy, &ask(&tools).by("picky")).err().unwrap();
    let message = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.outcome, Outcome::InvalidRequest);
    assert!(message.contains("llama3.2: It can't call tools.") && message.contains("gpt-4o: The model"), "{message}");
}

/// A split may take over the name that clients write: what they name they may have, as before.
#[test]
fn a_split_may_have_the_name_of_a_model() {
    let policy = configured(json!(["gpt-4o"]), |config| {
        config["virtual_models"]["gpt-4o"] = json!({"split": {"gpt-4o": 50, "gpt-4o-mini": 50}, "sticky": "user"});
        config["models"][1]["tools"] = json!(false);
        config["models"][0]["tools"] = json!(false);
    });
    let users: Vec<_> = (0..32).map(|nth| format!("user-{nth}")).collect();
    let count = |body: &Value| {
        let mini = |user: &&String| chosen(&policy, &Asked::chat(body).with("x-ai-user", user)) == "gpt-4o-mini";
        users.iter().filter(mini).count()
    };
    assert!((4..28).contains(&count(&hello("gpt-4o"))));
    let mut tools = hello("gpt-4o");
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(count(&tools), 0);
}

/// It gets what no other can take, and is back where it belongs when it is in again.
#[test]
fn a_canary_that_is_out_comes_last() {
    let policy = configured(
        json!({"split": {"gpt-4o": 1, "llama3.2": 9_999}, "sticky": "user", "canaries": {"llama3.2": {"errors_percent": 5}}}),
        |_| {},
    );
    let asked = || Asked::chat(&hello("test")).with("x-ai-user", "somebody");
    let out = || Asked { out: vec!["gpt-4o", "llama3.2"], ..asked() };
    assert_eq!(chosen(&policy, &asked()), "llama3.2");
    assert_eq!(chosen(&policy, &out()), "gpt-4o");
    assert_eq!(chosen(&policy, &out().with("x-ai-sensitivity", "restricted")), "llama3.2");
}
