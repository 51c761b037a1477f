//! Copies of requests: who gets one, and what it is when it comes back by the mirror.

use super::routing::{Asked, NOON, PAIR, config, hello};
use crate::attempt::Attempt;
use crate::calendar::Calendar;
use crate::exchange::*;
use crate::llm::request::spliced;
use crate::outcome::Outcome;
use crate::policy::shadows::Candidate;
use serde_json::{Value, json};

fn shadow(more: &Value) -> Value {
    let mut shadow = json!({"model": "llama3.2", "percent": 100,
        "budgets": {"request_usd": "1", "day_usd": "1", "month_usd": "1"}});
    for (key, value) in more.as_object().unwrap() {
        shadow[key] = value.clone();
    }
    shadow
}

fn configured(shadows: Value, change: impl FnOnce(&mut Value)) -> Policy {
    let mut config = config();
    config["shadows"] = shadows;
    config["mirror"] = json!({"cluster": "shadow_entry", "filter_chain": "shadow"});
    change(&mut config);
    Policy::read(config.to_string().as_bytes()).unwrap()
}

/// With one shadow, `cheap`.
fn policy(more: &Value) -> Policy {
    configured(json!({"cheap": shadow(more)}), |_| {})
}

/// Which shadow gets a copy.
fn copied(policy: &Policy, asked: &Asked<'_>) -> Option<String> {
    let (mut exchange, _) =
        asked.sent(policy).unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
    let pays = exchange.copy_paid_by(policy).map(|account| account.name.to_string());
    let name = exchange.mirrored(policy, PAIR).into_iter().find(|(name, _)| *name == SHADOW_NAME).map(|(_, name)| name);
    assert_eq!(pays, name.as_ref().map(|name| format!("shadow:{name}")));
    name
}

/// What `provider` gets of the copy.
fn received(policy: &Policy, asked: &Asked<'_>, provider: &str) -> Value {
    let (_, chain) = asked.copied(policy).expect("a copy").unwrap_or_else(|reply| {
        panic!("{}", String::from_utf8_lossy(&reply.body));
    });
    edited(&chain, asked, provider)
}

fn edited(chain: &Chain, asked: &Asked<'_>, provider: &str) -> Value {
    let attempt = Attempt::of(&chain.plan, provider).unwrap_or_else(|| panic!("no leg for {provider}"));
    let body = spliced(asked.body.as_bytes(), &attempt.leg.edits);
    assert_eq!(body.len() as u64, attempt.leg.length, "content-length");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_share_of_the_requests_is_copied_and_of_those_always_the_same() {
    const REQUESTS: u32 = 20_000;
    let ids: [fn(u32) -> String; 2] =
        [|nth| format!("req-{nth}"), |nth| format!("{:032x}", u128::from(nth).wrapping_mul(0x9e37_79b9_7f4a_7c15))];
    for millionths in [1_000_u32, 10_000, 50_000, 250_000, 333_333, 500_000, 999_999, 1_000_000] {
        let percent = f64::from(millionths) / 10_000.0;
        let policy = configured(
            json!({"one": shadow(&json!({"percent": percent})), "two": shadow(&json!({"percent": percent}))}),
            |_| {},
        );
        let shadows: Vec<_> = policy.shadows.as_ref().unwrap().iter().collect();
        for id in ids {
            let wants = |nth: u32, at: usize| {
                let id = id(nth);
                let candidate =
                    Candidate { tenant: TenantIx(0), model: "gpt-4o", role: None, request_id: &id, now: NOON };
                let first = shadows[at].wants(&candidate);
                assert_eq!(shadows[at].wants(&Candidate { now: UnixNanos(NOON.0 + 1), ..candidate }), first, "{id}");
                first
            };
            let (mut of_one, mut of_both) = (0, 0);
            for nth in 0..REQUESTS {
                let both = [wants(nth, 0), wants(nth, 1)];
                of_one += u32::from(both[0]);
                of_both += u32::from(both == [true; 2]);
            }
            // Five standard deviations of as many throws: by chance once in two million.
            let within = |found: u32, share: f64| {
                let (found, count) = (f64::from(found), f64::from(REQUESTS));
                (found - count * share).powi(2) <= 25.0 * count * share * (1.0 - share)
            };
            let share = f64::from(millionths) / 1e6;
            assert!(within(of_one, share), "{percent} %: {of_one} of {REQUESTS}");
            assert!(within(of_both, share * share), "{percent} % of each of two: {of_both} in both");
        }
        let nameless = Candidate { tenant: TenantIx(0), model: "gpt-4o", role: None, request_id: "", now: NOON };
        assert!(!shadows[0].wants(&nameless), "two without an id are no pair");
    }
}

/// As a number, however Envoy hands that on, and as a string.
#[test]
fn a_share_is_the_same_however_it_is_written() {
    for spellings in [
        &[json!(0.1), json!("0.1"), json!("0.1000"), json!(0.1000)][..],
        &[json!(25), json!(25.0), json!("25"), json!("25.0")],
        &[json!(100), json!("100.00"), json!(1e2)],
        &[json!(33.3333), json!("33.3333")],
        &[json!(0.01), json!("0.01"), json!(1e-2)],
    ] {
        let shares = spellings.iter().map(|percent| {
            let policy = policy(&json!({"percent": percent}));
            policy.shadows.as_ref().unwrap().iter().next().unwrap().share
        });
        let shares: Vec<_> = shares.collect();
        assert!(shares.iter().all(|share| *share == shares[0]), "{spellings:?}: {shares:?}");
    }
}

/// Or a longer answer would look like a worse or a dearer model.
#[test]
fn a_copy_may_say_as_much_as_its_original() {
    const TENANT: &str = "/tenants/acme/output";
    const ORIGINAL: &str = "/prices/2/max_output_tokens";
    const SHADOW: &str = "/prices/5/max_output_tokens";
    let own = |most: u64| json!({"default_max_tokens": most});
    let saying = |text: &str| json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
    let open = || saying("hi");
    let mut bounded = open();
    bounded["max_completion_tokens"] = json!(50);
    // What its original may say at most, and what it may.
    for (name, written, body, expected) in [
        ("the tenant's own", &[(TENANT, own(300))][..], open(), [300, 300]),
        ("the original's model's", &[(ORIGINAL, json!(700))], open(), [700, 700]),
        ("the shadow's model writes less", &[(TENANT, own(300)), (SHADOW, json!(200))], open(), [300, 200]),
        ("the client's own", &[(TENANT, own(300))], bounded, [50, 50]),
        ("less may be spent", &[("/tenants/acme", json!({"budgets": {"request_usd": "0.002"}}))], open(), [190, 190]),
        ("the shadow's context has no room", &[(TENANT, own(1_900))], saying(&"word ".repeat(200)), [1_900, 1_630]),
    ] {
        let policy = configured(json!({"cheap": shadow(&json!({}))}), |config| {
            for (place, value) in written {
                let (parent, key) = place.rsplit_once('/').unwrap();
                config.pointer_mut(parent).unwrap()[key] = value.clone();
            }
        });
        let asked = Asked::chat(&body);
        let (_, chain) = asked.sent(&policy).unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
        let sent = edited(&chain, &asked, "openai")["max_completion_tokens"].take();
        let copy = received(&policy, &asked, "local")["max_completion_tokens"].take();
        assert_eq!([sent, copy], expected, "{name}");
    }
}

#[test]
fn who_is_meant_gets_copied_and_nobody_else() {
    let chat = || Asked::chat(&hello("gpt-4o-mini"));
    let of = |of: Value| policy(&json!({"of": of}));
    let cheap = Some("cheap".to_owned());
    // By the model that it goes to, not the name that it asks by.
    for (models, model, is_meant) in [
        (json!(["gpt-4o-mini"]), "fast", true),
        (json!(["gpt-4o-mini"]), "gpt-4o-mini", true),
        (json!(["gpt-4o-mini"]), "gpt-4o", false),
        (json!(["gpt-4*"]), "gpt-4o", true),
        (json!(["llama3.2"]), "cheap", true),
    ] {
        let found = copied(&of(json!({"models": models})), &Asked::chat(&hello(model)));
        assert_eq!(found, cheap.clone().filter(|_| is_meant), "{model}");
    }
    let code = of(json!({"roles": ["code"]}));
    assert_eq!(copied(&code, &chat()), None);
    assert_eq!(copied(&code, &chat().with("x-ai-role", "chat")), None);
    assert_eq!(copied(&code, &chat().with("x-ai-role", "code")), cheap);
    let picky = of(json!({"tenants": ["picky"]}));
    assert_eq!(copied(&picky, &chat()), None);
    assert_eq!(copied(&picky, &Asked::chat(&hello("llama3.2")).by("picky")), cheap);
    // To the end of its last day.
    let last_day = UnixNanos(Calendar::Day.starts(Calendar::Day.number(NOON)) * 1_000_000_000);
    let date = crate::calendar::rfc3339(last_day).split('T').next().unwrap().to_owned();
    let until = policy(&json!({"until": date}));
    let dated = until.shadows.as_ref().unwrap().named("cheap").unwrap();
    for (seconds, is_meant) in [(0, true), (86_399, true), (86_400, false)] {
        let now = UnixNanos(last_day.0 + seconds * 1_000_000_000);
        let candidate = Candidate { tenant: TenantIx(0), model: "gpt-4o", role: None, request_id: "id-1", now };
        assert_eq!(dated.wants(&candidate), is_meant, "{seconds}");
    }
    // Nobody who serves it by this API, or who may see the data.
    let claude = policy(&json!({"model": "claude-4"}));
    assert_eq!(copied(&claude, &chat()), None);
    let messages = |level| {
        let asked = Asked { path: "/v1/messages", ..Asked::chat(&hello("claude-5")) };
        copied(&claude, &asked.with("x-ai-sensitivity", level))
    };
    assert_eq!(messages("confidential"), cheap);
    let gpt = policy(&json!({"model": "gpt-4o"}));
    let level = |level| copied(&gpt, &chat().with("x-ai-sensitivity", level));
    assert_eq!((level("confidential"), level("restricted")), (cheap.clone(), None));
    // Of several that want it, the first by name that can have it.
    let several = configured(
        json!({"b": shadow(&json!({})), "a": shadow(&json!({"model": "claude-4"})), "c": shadow(&json!({}))}),
        |_| {},
    );
    assert_eq!(copied(&several, &chat()).as_deref(), Some("b"));
    assert_eq!(copied(&Policy::read(config().to_string().as_bytes()).unwrap(), &chat()), None);
}

/// A tool that a provider runs would run twice; what one keeps isn't at the other.
#[test]
fn nothing_is_copied_that_has_a_provider_do_more_than_answer() {
    let function = json!([{"type": "function", "function": {"name": "f"}}]);
    let responses = |more: Value| {
        let mut body = json!({"model": "gpt-4o-mini", "input": "hi", "max_output_tokens": 9});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        Asked { path: "/v1/responses", ..Asked::chat(&body) }
    };
    let policy = configured(json!({"cheap": shadow(&json!({"model": "gpt-4o-mini"}))}), |config| {
        for provider in ["openai", "openrouter"] {
            config["providers"][provider]["apis"] = json!(["openai_chat", "openai_responses"]);
        }
        for price in config["prices"].as_array_mut().unwrap() {
            price["web_search_usd"] = json!("0.01");
        }
        config["stored_responses"] = json!("any");
    });
    let mut chat = hello("gpt-4o-mini");
    chat["tools"] = function;
    assert!(copied(&policy, &Asked::chat(&chat)).is_some(), "a client runs its own functions");
    assert!(copied(&policy, &responses(json!({}))).is_some());
    for more in [
        json!({"tools": [{"type": "web_search"}]}),
        json!({"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"}]}),
        json!({"previous_response_id": "resp_1"}),
        json!({"background": true}),
    ] {
        let asked = responses(more.clone());
        assert!(asked.sent(&policy).is_ok(), "{more}");
        assert_eq!(copied(&policy, &asked), None, "{more}");
    }
    // And nothing of it is kept, whatever the client wants of the original.
    for store in [Value::Null, json!(true)] {
        let mut more = json!({});
        if !store.is_null() {
            more["store"] = store;
        }
        assert_eq!(received(&policy, &responses(more), "openai")["store"], false);
    }
}

#[test]
fn a_copy_is_an_exchange_of_the_shadows_on_its_own_account() {
    let policy = policy(&json!({}));
    let asked = Asked::chat(&hello("gpt-4o")).with("x-ai-role", "code");
    let (mut original, chain) = asked.sent(&policy).unwrap();
    original.mirrored(&policy, PAIR);
    assert_eq!(chain.clusters, ["c_openai", "c_openrouter"]);
    let (mut copy, chain) = asked.copied(&policy).expect("a copy").unwrap();
    assert_eq!(chain.clusters, ["c_local"]);
    assert_eq!(received(&policy, &asked, "local")["model"], "llama3.2");
    assert!(copy.copy_paid_by(&policy).is_none(), "a copy of a copy");
    assert_eq!(copy.mirrored(&policy, PAIR), []);
    assert_eq!(&*policy.tenant_policy(copy.tenant().unwrap()).unwrap().name, "shadow:cheap");
    let [original, copy] = [(original, "c_openai"), (copy, "c_local")].map(|(exchange, cluster)| {
        let ending =
            Ending { status: 200, cluster: Some(cluster.to_owned()), sent: true, attempts: 1, ..Ending::default() };
        let Closed { settlement, record, .. } = exchange.close(&policy, &ending, NOON);
        let line: Value = serde_json::from_str(&record.to_json()).unwrap();
        (settlement.unwrap().tenant.name.to_string(), line)
    });
    assert_eq!((original.0.as_str(), copy.0.as_str()), ("acme", "shadow:cheap"));
    let told = |line: &Value| {
        ["request_id", "tenant", "role", "model", "model_asked", "model_chosen", "shadowed", "leg", "shadow"]
            .map(|key| line.get(key).map(|value| value.as_str().unwrap().to_owned()).unwrap_or_default())
    };
    assert_eq!(told(&original.1), ["id-1", "acme", "code", "gpt-4o", "gpt-4o", "gpt-4o", "cheap", "", ""]);
    assert_eq!(
        told(&copy.1),
        ["id-1", "shadow:cheap", "code", "local/llama3.2", "gpt-4o", "llama3.2", "", "shadow", "cheap"]
    );
    assert_eq!(copy.1.get("dropped"), None, "what the gateway itself put there");
}

/// Of a request that nobody copied, nothing of the kind is read.
#[test]
fn what_is_compared_stands_in_the_records_of_both_and_of_nobody_else() {
    let policy = policy(&json!({}));
    let asked = Asked::chat(&hello("gpt-4o"));
    let answer = |exchange: Exchange, cluster: &str, status: &str, text: &str| {
        let mut exchange = exchange;
        let body = json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}).to_string();
        let headers = Headers::of(&[(":status", status), ("content-type", "application/json")]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: Some(cluster), end_of_stream: false };
        exchange.answer_head(&policy, &head);
        assert_eq!(exchange.interest(), Some(Interest { edits: false, follows: false }));
        assert_eq!(exchange.answer_body(body.as_bytes(), true, || NOON), crate::llm::meter::Passage::Unchanged);
        let ending =
            Ending { status: 200, cluster: Some(cluster.to_owned()), sent: true, attempts: 1, ..Ending::default() };
        let line = exchange.close(&policy, &ending, NOON).record.to_json();
        assert!(!line.contains("Rome"), "{line}");
        serde_json::from_str::<Value>(&line).unwrap()["answer"].clone()
    };
    let text = "All roads lead to Rome.";
    let original = || {
        let (mut original, _) = asked.sent(&policy).unwrap();
        original.mirrored(&policy, PAIR);
        original
    };
    let copy = || asked.copied(&policy).unwrap().unwrap().0;
    let one = answer(original(), "c_openai", "200", text);
    assert_eq!((&one["finish"], &one["text_bytes"], &one["calls"]), (&json!("stop"), &json!(23), &json!(0)));
    assert_eq!(answer(copy(), "c_local", "200", text), one);
    assert_ne!(answer(copy(), "c_local", "200", "Most of them lead to Rome."), one);
    // Not of an error, and not without a copy: a shadow may have no money left.
    assert_eq!(answer(copy(), "c_local", "500", text), Value::Null);
    assert_eq!(answer(asked.sent(&policy).unwrap().0, "c_openai", "200", text), Value::Null);
}

/// The copy has the client's own words, so the rules look at them again, for whoever serves the shadow.
#[test]
fn rules_hold_for_a_copy_as_they_do_for_its_tenant() {
    let policy = configured(json!({"cheap": shadow(&json!({"model": "gpt-4o"}))}), |config| {
        config["content"] = json!({"rules": [
            {"name": "mails", "find": ["email"], "action": "mask", "provider_sensitivity_below": "restricted", "tenants": ["acme"]},
            {"name": "coders", "find": ["iban"], "action": "refuse", "roles": ["code"]},
        ]});
        config["tenants"]["acme"]["tools"] = json!({"deny": ["drop_table"], "offered": "strip"});
    });
    let mut body = hello("llama3.2");
    body["messages"][0]["content"] = json!("Write to jo.doe@example.com");
    let asked = || Asked::chat(&body);
    let sent = asked().received(&policy, "local").1;
    assert!(sent.to_string().contains("jo.doe@example.com"), "its own provider may see it: {sent}");
    let sent = received(&policy, &asked(), "openai");
    assert!(sent.to_string().contains("[EMAIL_1]") && !sent.to_string().contains("jo.doe"), "{sent}");
    // Of another tenant nothing is looked for.
    let sent = received(&policy, &asked().by("picky"), "openai");
    assert!(sent.to_string().contains("jo.doe@example.com"), "{sent}");
    let mut tools = hello("gpt-4o-mini");
    tools["tools"] =
        json!(["drop_table", "select"].map(|name| json!({"type": "function", "function": {"name": name}})));
    let sent = received(&policy, &Asked::chat(&tools), "openai");
    assert_eq!(sent["tools"].as_array().unwrap().len(), 1, "{sent}");
}

/// A configuration may have changed while the copy was on its way.
#[test]
fn a_copy_whose_shadow_or_tenant_is_gone_is_nobodys() {
    let policy = policy(&json!({}));
    let asked = Asked::chat(&hello("gpt-4o"));
    let (mut exchange, _) = asked.sent(&policy).unwrap();
    let headers = exchange.mirrored(&policy, PAIR);
    for (gone, other) in
        [(SHADOW_NAME, "dear"), ("x-nexus-shadow-tenant", "shadow:cheap"), ("x-nexus-shadow-tenant", "")]
    {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (*name, if *name == gone { other } else { value })).collect();
        let Err(refused) = asked.sent_with(&policy, &headers, Exchange::open_copy) else { panic!("was sent on") };
        assert!([Outcome::TenantUnknown, Outcome::TenantMissing].contains(&refused.outcome), "{gone}: {other}");
    }
    // Nobody can be an account, or send as one.
    let direct = Asked::chat(&hello("llama3.2")).by("shadow:cheap");
    assert!(direct.sent(&policy).is_err_and(|refused| refused.outcome == Outcome::TenantUnknown));
}
