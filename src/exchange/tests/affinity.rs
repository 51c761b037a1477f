//! Conversations that stay where they are: with a provider by weight, with what was the cheapest, with their variant.

use super::routing::{Asked, config, hello};
use crate::exchange::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn configured(change: impl FnOnce(&mut Value)) -> Policy {
    let mut config = config();
    change(&mut config);
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Three providers of one model, sticky by this.
fn weighted(sticky: &str) -> Policy {
    configured(|config| {
        config["models"][0]["providers"] = json!([
            {"provider": "openai", "weight": 50},
            {"provider": "openrouter", "model": "openai/*", "weight": 30},
            {"provider": "local", "model": "llama3.2", "weight": 20},
        ]);
        config["models"][0]["sticky"] = json!(sticky);
    })
}

fn says(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]})
}

/// The same conversation, so many turns later.
fn later(text: &str, turns: usize) -> Value {
    let mut body = says(text);
    let messages = body["messages"].as_array_mut().unwrap();
    for nth in 0..turns {
        messages.push(json!({"role": "assistant", "content": format!("{nth} it is.")}));
        messages.push(json!({"role": "user", "content": format!("And after {nth}?")}));
    }
    body
}

fn clusters(policy: &Policy, asked: &Asked<'_>) -> Vec<String> {
    let sent = asked.sent(policy);
    sent.unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body))).1.clusters
}

fn first(policy: &Policy, asked: &Asked<'_>) -> String {
    clusters(policy, asked).swap_remove(0)
}

fn chosen(policy: &Policy, asked: &Asked<'_>) -> String {
    let (exchange, _) = asked.sent(policy).unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
    let Phase::Open(open) = exchange.phase else { panic!("was not sent on") };
    open.asked.chosen.unwrap()
}

#[test]
fn turns_of_a_conversation_stay_with_one_provider_and_conversations_are_spread_by_weight() {
    let policy = weighted("conversation");
    let mut found = BTreeMap::new();
    for nth in 0..1_000 {
        let text = format!("question {nth}");
        let order = clusters(&policy, &Asked::chat(&says(&text)));
        assert_eq!(order.len(), 3, "the others are its fallbacks");
        for (turns, id) in [(1, "id-2"), (7, "id-3")] {
            let turn = later(&text, turns);
            assert_eq!(clusters(&policy, &Asked::chat(&turn).with("x-request-id", id)), order);
        }
        *found.entry(order[0].clone()).or_insert(0_i64) += 1;
    }
    for (cluster, share) in [("c_openai", 500), ("c_openrouter", 300), ("c_local", 200)] {
        // Five standard deviations of a thousand throws.
        assert!((found[cluster] - share).abs() < 80, "{found:?}");
    }
}

/// Which word says what belongs together: the session's header before the client's own key before the beginning.
#[test]
fn a_session_comes_before_a_cache_key_and_that_before_the_beginning() {
    let policy = weighted("conversation");
    let keyed = |key: &str, text: &str| {
        let mut body = says(text);
        body["prompt_cache_key"] = json!(key);
        body
    };
    let same = |of: &dyn Fn(usize) -> String| (0..32).map(of).collect::<std::collections::BTreeSet<_>>().len() == 1;
    assert!(!same(&|nth| first(&policy, &Asked::chat(&says(&nth.to_string())))));
    assert!(same(&|nth| first(&policy, &Asked::chat(&keyed("mine", &nth.to_string())))));
    assert!(!same(&|nth| first(&policy, &Asked::chat(&keyed(&nth.to_string(), "hello")))));
    assert!(same(&|nth| {
        let body = keyed(&nth.to_string(), &nth.to_string());
        first(&policy, &Asked::chat(&body).with("x-ai-session", "s"))
    }));
    assert!(!same(&|nth| {
        let session = nth.to_string();
        first(&policy, &Asked::chat(&keyed("mine", "hello")).with("x-ai-session", &session))
    }));
    // The header is the gateway's, the key the provider's.
    let body = keyed("mine", "hello");
    let asked = Asked::chat(&body).with("x-ai-session", "s");
    assert!(asked.sent(&policy).unwrap().0.cut().remove.contains(&"x-ai-session".to_owned()));
    let provider = first(&policy, &asked);
    assert_eq!(asked.received(&policy, provider.trim_start_matches("c_")).1["prompt_cache_key"], json!("mine"));
}

/// Nobody finds out by another tenant's words, or steers it: the same words go elsewhere for a part of them.
#[test]
fn tenants_draw_by_themselves() {
    let mut config = config();
    config["models"][0]["providers"] =
        json!([{"provider": "openai", "weight": 1}, {"provider": "local", "model": "llama3.2", "weight": 1}]);
    config["models"][0]["sticky"] = json!("conversation");
    config["tenants"]["friend"] = json!({"unlimited": ["request_usd", "day_usd"]});
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    let differ = (0..200).filter(|nth| {
        let body = says(&nth.to_string());
        first(&policy, &Asked::chat(&body)) != first(&policy, &Asked::chat(&body).by("friend"))
    });
    let differ = differ.count();
    assert!((60..140).contains(&differ), "{differ}");
}

#[test]
fn without_anything_sticky_each_request_draws_for_itself() {
    let policy = configured(|config| {
        config["models"][0]["providers"] =
            json!([{"provider": "openai", "weight": 3}, {"provider": "local", "model": "llama3.2", "weight": 1}]);
    });
    let body = says("hello");
    let ids: Vec<_> = (0..400).map(|nth| format!("id-{nth}")).collect();
    let of = |id: &String| first(&policy, &Asked::chat(&body).with("x-request-id", id));
    let local = ids.iter().filter(|id| of(id) == "c_local").count();
    assert!((57..143).contains(&local), "a quarter, and five deviations: {local}");
    assert!(!policy.sticks.conversations && policy.sticks.session.is_none(), "no body is read for it");
}

/// A circuit breaker that is open moves those that were there, to the next of their own, and they are back when it is closed.
#[test]
fn a_provider_that_is_out_moves_only_its_own() {
    let policy = weighted("conversation");
    let mut moved = 0;
    for nth in 0..200 {
        let body = says(&nth.to_string());
        let order = clusters(&policy, &Asked::chat(&body));
        let out = clusters(&policy, &Asked { open: vec!["openai"], ..Asked::chat(&body) });
        let rest: Vec<_> = order.iter().filter(|cluster| *cluster != "c_openai").cloned().collect();
        assert_eq!(out, [&rest[..], &["c_openai".to_owned()]].concat());
        moved += usize::from(out[0] != order[0]);
        assert_eq!(clusters(&policy, &Asked::chat(&body)), order);
    }
    assert!((60..140).contains(&moved), "{moved}");
}

/// The order that a tenant writes holds, whatever the weights.
#[test]
fn a_tenants_own_list_comes_before_the_weights() {
    let policy = configured(|config| {
        config["models"][0]["providers"] = json!([
            {"provider": "openai", "weight": 9_999},
            {"provider": "openrouter", "model": "openai/*", "weight": 1},
            {"provider": "local", "model": "llama3.2", "weight": 1},
        ]);
        config["tenants"]["acme"]["providers"] = json!(["local", "openai"]);
    });
    for nth in 0..20 {
        let id = format!("id-{nth}");
        let asked = hello("gpt-4o-mini");
        assert_eq!(clusters(&policy, &Asked::chat(&asked).with("x-request-id", &id)), ["c_local", "c_openai"]);
    }
}

/// Only one provider has what it kept, so whatever may lean on it later is where all such requests of the tenant are.
#[test]
fn what_a_provider_keeps_is_found_again() {
    let responses = |body: Value| {
        let mut body = body;
        body["model"] = json!("gpt-4o-mini");
        body
    };
    let with = |policy: &Policy, body: &Value, id: &str| {
        first(policy, &Asked { path: "/v1/responses", ..Asked::chat(body) }.with("x-request-id", id))
    };
    for sticky in ["conversation", "request", "session", "user"] {
        let mut policy = weighted(sticky);
        policy.stored_responses = crate::kept::StoredResponses::Any;
        let begins = with(&policy, &responses(json!({"input": "a"})), "id-1");
        for nth in 0..32 {
            let id = format!("id-{nth}");
            assert_eq!(with(&policy, &responses(json!({"input": nth.to_string()})), &id), begins, "{sticky}");
            let goes_on = responses(json!({"input": nth.to_string(), "previous_response_id": "resp_1"}));
            assert_eq!(with(&policy, &goes_on, &id), begins, "{sticky}");
        }
        let spread = |body: &dyn Fn(usize) -> Value| {
            let of = |nth: usize| with(&policy, &responses(body(nth)), &format!("id-{nth}"));
            (0..32).map(of).collect::<std::collections::BTreeSet<_>>().len() > 1
        };
        assert!(spread(&|nth| json!({"input": nth.to_string(), "store": false})), "{sticky}: of what is not kept");
    }
    // A session says itself what belongs together.
    let policy = weighted("conversation");
    let sessions: Vec<_> = (0..32).map(|nth| nth.to_string()).collect();
    let body = responses(json!({"input": "a"}));
    let of = |session: &String| {
        first(&policy, &Asked { path: "/v1/responses", ..Asked::chat(&body) }.with("x-ai-session", session))
    };
    assert!(sessions.iter().map(of).collect::<std::collections::BTreeSet<_>>().len() > 1);
}

/// One is cheap to read and expensive to write, the other the other way round: of a long request the one is the cheapest, of a short
/// one the other.
fn grows_apart(sticky: &str) -> Policy {
    configured(|config| {
        config["virtual_models"]["grows"] = json!({"cheapest": ["gpt-4o", "gpt-4o-mini"], "sticky": sticky});
        config["models"][0]["providers"] = json!([{"provider": "openai"}]);
        config["models"][1]["providers"] = json!([{"provider": "openai"}]);
        for (nth, input, output) in [(0, "4", "1"), (2, "1", "4")] {
            config["prices"][nth]["input_usd_per_1m_tokens"] = json!(input);
            config["prices"][nth]["output_usd_per_1m_tokens"] = json!(output);
        }
    })
}

fn grown(turns: usize) -> Value {
    let mut body = later("hello", turns);
    body["model"] = json!("grows");
    body["max_tokens"] = json!(300);
    body
}

#[test]
fn a_conversation_keeps_what_was_the_cheapest_for_its_beginning() {
    let each = grows_apart("request");
    assert_eq!(chosen(&each, &Asked::chat(&grown(0))), "gpt-4o-mini");
    assert_eq!(chosen(&each, &Asked::chat(&grown(60))), "gpt-4o", "each request for itself goes over to the other");
    let kept = grows_apart("conversation");
    for turns in [0, 1, 10, 60, 200] {
        assert_eq!(chosen(&kept, &Asked::chat(&grown(turns))), "gpt-4o-mini", "{turns}");
    }
    // A conversation that begins with much is another one.
    let mut long = grown(0);
    long["messages"][0]["content"] = json!("Be kind. ".repeat(1_000));
    assert_eq!(chosen(&kept, &Asked::chat(&long)), "gpt-4o");
    // What has no beginning is judged by itself.
    let mut none = grown(0);
    none["messages"] = json!([]);
    assert_eq!(chosen(&kept, &Asked::chat(&none)), chosen(&each, &Asked::chat(&none)));
}

/// Who goes on from what a provider keeps sends nothing of the beginning again: the first turn and all others are judged alike.
#[test]
fn what_goes_on_from_a_kept_answer_keeps_its_model_too() {
    let mut kept = grows_apart("conversation");
    kept.stored_responses = crate::kept::StoredResponses::Any;
    let turn = |input: String, goes_on: bool| {
        let mut body = json!({"model": "grows", "input": input, "max_output_tokens": 300});
        if goes_on {
            body["previous_response_id"] = json!("resp_1");
        }
        chosen(&kept, &Asked { path: "/v1/responses", ..Asked::chat(&body) })
    };
    let first = turn("x".repeat(9_000), false);
    assert_eq!(first, "gpt-4o-mini");
    assert_eq!([turn("x".to_owned(), true), turn("x".repeat(9_000), true)], [first.clone(), first]);
}

/// It leaves only what can't take it any more: by its context, its breaker, or what a single request may cost.
#[test]
fn a_conversation_goes_on_elsewhere_where_it_must_and_stays_there() {
    let kept = |change: &dyn Fn(&mut Value)| {
        configured(|config| {
            config["virtual_models"]["grows"] =
                json!({"cheapest": ["gpt-4o", "gpt-4o-mini"], "sticky": "conversation"});
            for model in [0, 1] {
                config["models"][model]["providers"] = json!([{"provider": (["openai", "openrouter"][model])}]);
            }
            config["prices"].as_array_mut().unwrap().push(
                json!({"model": "openrouter/gpt-4o", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "4"}),
            );
            config["prices"][0] =
                json!({"model": "gpt-4o-mini", "input_usd_per_1m_tokens": "4", "output_usd_per_1m_tokens": "1"});
            change(config);
        })
    };
    let of = |policy: &Policy, turns: usize| chosen(policy, &Asked::chat(&grown(turns)));
    let short = kept(&|config| config["models"][0]["context_tokens"] = json!(1_500));
    assert_eq!([0, 20, 80, 100].map(|turns| of(&short, turns)), ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]);
    let plain = kept(&|_| {});
    assert_eq!(chosen(&plain, &Asked { open: vec!["openai"], ..Asked::chat(&grown(3)) }), "gpt-4o");
    assert_eq!(of(&plain, 4), "gpt-4o-mini");
    // A request of the first would cost more than a request may.
    let poor = kept(&|config| {
        config["tenants"]["acme"] = json!({"budgets": {"request_usd": "0.008"}, "unlimited": ["day_usd"]});
    });
    assert_eq!([0, 20, 80, 100].map(|turns| of(&poor, turns)), ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]);
}

#[test]
fn a_split_may_be_sticky_by_conversation() {
    let policy = configured(|config| {
        config["virtual_models"]["test"] =
            json!({"split": {"gpt-4o": 50, "gpt-4o-mini": 50}, "sticky": "conversation"});
    });
    let mut found = BTreeMap::new();
    for nth in 0..64 {
        let text = nth.to_string();
        let of = |turns: usize, id: &str| {
            let mut body = later(&text, turns);
            body["model"] = json!("test");
            chosen(&policy, &Asked::chat(&body).with("x-request-id", id))
        };
        let variant = of(0, "a");
        assert_eq!(of(5, "b"), variant);
        *found.entry(variant).or_insert(0) += 1;
    }
    assert!(found.len() == 2 && found.values().all(|count| *count > 16), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever reads the providers in another order finds the same.
    #[test]
    fn the_order_of_a_configuration_moves_nobody(
        weights in prop::array::uniform3(1..=10_000_u64),
        order in Just(vec![0, 1, 2]).prop_shuffle(),
        names in prop::collection::vec("[a-z]{1,8}", 8),
    ) {
        let listed = [("openai", "*"), ("openrouter", "openai/*"), ("local", "llama3.2")];
        let policy = |order: &[usize]| configured(|config| {
            let served = |nth: &usize| {
                let (provider, model) = listed[*nth];
                json!({"provider": provider, "model": model, "weight": weights[*nth]})
            };
            config["models"][0]["providers"] = order.iter().map(served).collect();
            config["models"][0]["sticky"] = json!("conversation");
        });
        let (written, shuffled) = (policy(&[0, 1, 2]), policy(&order));
        for name in names {
            let body = says(&name);
            prop_assert_eq!(clusters(&written, &Asked::chat(&body)), clusters(&shuffled, &Asked::chat(&body)));
        }
    }
}
