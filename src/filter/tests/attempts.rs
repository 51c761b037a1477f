//! The filter in a provider's cluster: what an attempt sends, what of a failed answer it holds, and what it refuses.

use super::*;
use crate::attempt::{Begun, Failed};
use proxy_wasm::types::LogLevel;

const PLAN: &str = "1\topenai_chat\nopenai\t/v1/chat/completions\t88\nopenrouter\t/api/v1/chat/completions\t95\t9-22=\"openai/gpt-4o-mini\"";
const TOLD: &str =
    r#"{"error":{"message":"overloaded"},"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;

fn cluster(provider: &str) -> Gateway {
    Gateway::configured(&json!({"attempt_of": provider}))
}

fn attempt(gateway: &Gateway, number: u64) -> Stream {
    let stream = gateway.stream();
    stream.set_state("nexus_plan", PLAN);
    stream.number("upstream.request_attempt_count", number);
    let length = BODY.len().to_string();
    assert_eq!(stream.request_headers(&head(&[("content-length", &length)]), false), Action::Continue);
    stream
}

/// The head of an answer to attempt `number`.
fn failed(stream: &Stream, number: u64, headers: &[(&str, &str)], end: bool) -> Action {
    stream.number("upstream.request_attempt_count", number);
    stream.answer_headers(headers, end)
}

/// What rules mask, and the name that only the gateway knows, would go to the provider as the client wrote them.
#[test]
fn nothing_is_sent_to_a_cluster_without_the_filter() {
    let mut configuration = two_models();
    configuration["virtual_models"] = json!({"either": ["gpt-4o-mini", "small"]});
    let gateway = Gateway::configured(&configuration);
    let asked = |model: &str| {
        let stream = sent(&gateway, &BODY.replace("gpt-4o-mini", model));
        stream.reply().is_some().then(|| refusal(&stream))
    };
    let refused = Some(("500".to_owned(), "internal_error".to_owned()));
    for model in ["gpt-4o-mini", "small", "either"] {
        assert_eq!(asked(model), refused, "{model}");
    }
    assert_eq!(reserved(), NanoUsd::ZERO);
    let said = with(|host| host.logged(LogLevel::Error).join("\n"));
    assert!(said.contains("no plugin with `attempt_of: simulated`"), "{said}");
    // A cluster that comes later counts from then on, and the other provider's model is still refused.
    let _second = Gateway::beside(&json!({"attempt_of": "second"}));
    assert_eq!([asked("small"), asked("either"), asked("gpt-4o-mini")], [None, None, refused]);
}

#[test]
fn an_attempt_sends_its_own_line_of_the_plan() {
    let gateway = cluster("openrouter");
    let stream = attempt(&gateway, 2);
    stream.request_body(BODY.as_bytes(), true);
    let sent = stream.upstream().unwrap();
    assert_eq!((sent.header(":path"), sent.header("content-length")), (Some("/api/v1/chat/completions"), Some("95")));
    assert_eq!(sent.json()["model"], "openai/gpt-4o-mini");
    let begun = stream.state("nexus_attempts_began").map(|lines| Begun::all(&lines));
    assert_eq!(begun.map(|begun| begun.into_iter().map(|begun| begun.number).collect()), Some(vec![2]));
    let gateway = cluster("openai");
    let stream = attempt(&gateway, 1);
    stream.request_body(BODY.as_bytes(), true);
    assert_eq!(stream.upstream().unwrap().body, BODY.as_bytes());
    assert_eq!(stream.state("nexus_attempts_began"), None, "the first begins with the exchange");
}

/// However the body comes, nothing of it goes out before its edits are made.
#[test]
fn edits_are_made_wherever_the_body_is_cut() {
    for cut in 0..BODY.len() {
        let gateway = cluster("openrouter");
        let stream = attempt(&gateway, 1);
        let (first, rest) = BODY.as_bytes().split_at(cut);
        stream.request_body(first, false);
        stream.request_body(rest, true);
        assert_eq!(stream.upstream().unwrap().json()["model"], "openai/gpt-4o-mini", "cut at {cut}");
    }
}

#[test]
fn a_provider_that_the_plan_does_not_name_gets_nothing() {
    for (provider, plan) in [
        ("stranger", Some(PLAN)),
        ("openai", None),
        ("openai", Some("")),
        ("openai", Some("2\topenai_chat\nopenai\t/\t0")),
        ("openai", Some("1\tno_such_api\nopenai\t/\t0")),
        ("openai", Some("1\topenai_chat\nopenai\t/")),
        ("openai", Some("1\topenai_chat\nopenai\t/\t0\t5-=x")),
    ] {
        let gateway = cluster(provider);
        let stream = gateway.stream();
        if let Some(plan) = plan {
            stream.set_state("nexus_plan", plan);
        }
        assert_eq!(stream.request_headers(&head(&[]), false), Action::Pause);
        assert_eq!(refusal(&stream), ("403".to_owned(), "model_not_allowed".to_owned()), "{plan:?}");
    }
}

#[test]
fn a_failed_answer_is_held_until_what_it_cost_is_known() {
    let gateway = cluster("openai");
    for (status, content, said) in [
        ("500", TOLD, true),
        ("429", TOLD, true),
        ("503", "upstream is down", false),
        ("402", "{\"error\":{}}", false),
        ("200", TOLD, false),
        ("404", TOLD, false),
    ] {
        let stream = attempt(&gateway, 1);
        stream.request_body(BODY.as_bytes(), true);
        let held = failed(&stream, 1, &[(":status", status), ("content-type", "application/json")], false);
        assert_eq!(held == Action::Pause, !["200", "404"].contains(&status), "{status}");
        let (first, rest) = content.split_at(7);
        stream.answer_body(first.as_bytes(), false);
        stream.answer_body(rest.as_bytes(), true);
        assert_eq!(stream.client().unwrap().body, content.as_bytes(), "{status}");
        let lines = stream.state("nexus_failed_attempts").map(|lines| Failed::all(&lines)).unwrap_or_default();
        let tokens: Vec<_> =
            lines.iter().map(|failed| (failed.number, failed.usage.map(|usage| usage.total_tokens.0))).collect();
        let fails = !["200", "404"].contains(&status);
        assert_eq!(tokens, if fails { vec![(1, said.then_some(15))] } else { vec![] }, "{status}");
    }
}

/// What the provider's cluster learns of a failure of `tenant`'s.
fn blamed(gateway: &Gateway, tenant: &str, headers: &[(&str, &str)]) -> bool {
    let stream = gateway.stream();
    let who = crate::attempt::blame::Who::of(tenant).0;
    stream.set_state("nexus_plan", &format!("{PLAN}\n\t{who:x}"));
    stream.request_headers(&head(&[]), false);
    stream.request_body(BODY.as_bytes(), true);
    failed(&stream, 1, headers, true);
    stream.client().unwrap().header("x-nexus-own-failure").is_some()
}

/// Envoy's breaker knows no tenants; the filter tells it which failures are one's own.
#[test]
fn failures_of_one_tenant_are_not_the_providers_while_it_serves_others() {
    let gateway = cluster("openai");
    let failing = [(":status", "500")];
    assert!(!blamed(&gateway, "acme", &failing), "nobody else was served");
    let served = crate::host::blame::LastServed::default();
    let now = with(|host| host.clock);
    served.note("openai", crate::attempt::blame::Who::of("beta"), UnixNanos(now.0 + 1));
    served.publish();
    with(|host| host.clock = UnixNanos(now.0 + 2));
    for status in ["500", "503", "429"] {
        assert!(blamed(&gateway, "acme", &[(":status", status)]), "{status}");
    }
    for unblamed in ["200", "404", "402"] {
        assert!(!blamed(&gateway, "acme", &[(":status", unblamed)]), "{unblamed}");
    }
    with(|host| host.clock = UnixNanos(now.0 + 3));
    assert!(blamed(&gateway, "gamma", &failing), "two that fail are not everybody: beta was served");
    assert!(!blamed(&gateway, "beta", &failing), "acme failed there, too");
    // A provider can't say it of itself.
    let lying = [(":status", "500"), ("x-nexus-own-failure", "1")];
    assert!(!blamed(&gateway, "gamma", &lying), "all have failed there");
}

#[test]
fn attempts_add_up_and_long_errors_are_let_go() {
    let gateway = cluster("openrouter");
    let stream = attempt(&gateway, 2);
    let before = "1\topenai\t\t10\t5\t15\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0";
    stream.set_state("nexus_failed_attempts", before);
    failed(&stream, 2, &[(":status", "500"), ("content-type", "application/json")], false);
    stream.answer_body(TOLD.as_bytes(), true);
    let lines = Failed::all(&stream.state("nexus_failed_attempts").unwrap());
    let said: Vec<_> = lines.iter().map(|failed| (failed.number, failed.provider.as_str())).collect();
    assert_eq!(said, [(1, "openai"), (2, "openrouter")]);

    let stream = attempt(&gateway, 1);
    failed(&stream, 1, &[(":status", "500"), ("content-type", "application/json")], false);
    assert_eq!(stream.answer_body(&[b' '; 70_000], false), Action::Continue);
    assert_eq!(stream.answer_body(&[b' '; 70_000], false), Action::Continue);
    assert_eq!(stream.client().unwrap().body.len(), 140_000);
}

/// Envoy waits as long as a provider asks; another provider need not be waited for.
#[test]
fn a_wait_is_hidden_only_while_another_provider_follows() {
    let gateway = cluster("openai");
    for (number, hidden) in [(1, true), (2, false), (3, false)] {
        let stream = attempt(&gateway, number);
        failed(&stream, number, &[(":status", "429"), ("retry-after", "5")], true);
        let seen = stream.client().unwrap();
        let (wait, kept) = (seen.header("retry-after"), seen.header("x-nexus-retry-after"));
        assert_eq!((wait, kept), if hidden { (None, Some("5")) } else { (Some("5"), None) }, "attempt {number}");
    }
}

/// Headers of one attempt are still there in the next: another provider's key must not be, whatever it is called.
#[test]
fn nothing_that_an_earlier_attempt_was_given_is_sent_on() {
    let gateway = cluster("openai");
    let stream = gateway.stream();
    stream.set_state("nexus_plan", PLAN);
    let given = [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-portkey-api-key",
        "x-amz-security-token",
        "openai-organization",
        "cookie",
    ]
    .map(|name| (name, "secret"));
    let passes = [("content-type", "application/json"), ("user-agent", "SDK"), ("x-stainless-lang", "js")];
    stream.request_headers(&head(&[&given[..], &passes].concat()), false);
    stream.request_body(BODY.as_bytes(), true);
    let sent = stream.upstream().unwrap();
    assert!(given.iter().all(|(name, _)| sent.header(name).is_none()), "{sent:?}");
    assert!(passes.iter().all(|(name, value)| sent.header(name) == Some(*value)), "{sent:?}");
}

/// What only the operator lets pass may be the very header that another provider's key went into.
#[test]
fn a_header_that_the_operator_lets_pass_has_the_clients_value_in_every_attempt() {
    let plan = PLAN.replacen("openai_chat", "openai_chat\tx-team=red=blue", 1);
    for left in
        [&[("x-team", "secret")][..], &[("x-team", "secret"), ("x-team", "red=blue")], &[("x-team", "red=blue")], &[]]
    {
        let gateway = cluster("openrouter");
        let stream = gateway.stream();
        stream.set_state("nexus_plan", &plan);
        stream.request_headers(&head(left), false);
        stream.request_body(BODY.as_bytes(), true);
        let sent = stream.upstream().unwrap();
        assert_eq!(sent.header("x-team"), Some("red=blue"), "{left:?}");
        assert!(!format!("{sent:?}").contains("secret"));
    }
}

#[test]
fn only_the_name_of_a_provider_is_configured() {
    for wrong in [r#"{"attempt_of":7}"#, r#"{"attempt_of":""}"#, r#"{"attempt_of":"openai","tenants":{}}"#] {
        let gateway = Gateway::start();
        assert!(!gateway.configure(wrong.as_bytes()), "{wrong}");
    }
}

/// The router reads these before any filter of the listener does: a host is taken out by them, or a failure is final.
#[test]
fn an_attempts_answer_says_nothing_to_envoy() {
    for status in ["200", "503"] {
        let gateway = cluster("openai");
        let stream = attempt(&gateway, 1);
        let to_envoy = [
            "x-envoy-immediate-health-check-fail",
            "x-envoy-ratelimited",
            "x-envoy-degraded",
            "endpoint-load-metrics",
            "endpoint-load-metrics-bin",
        ];
        let mut head = vec![(":status", status), ("x-request-id", "1")];
        head.extend(to_envoy.map(|name| (name, "true")));
        failed(&stream, 1, &head, true);
        let seen = stream.client().unwrap();
        assert_eq!(seen.header("x-request-id"), Some("1"));
        for name in to_envoy {
            assert_eq!(seen.header(name), None, "{status} {name}");
        }
    }
}
