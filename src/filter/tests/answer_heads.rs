//! What a provider writes beside its answer: a lying one, a careless one, and one that everybody knows.

use super::*;

/// As OpenAI's own answers have it, and worse.
const BESIDE: [(&str, &str); 22] = [
    ("openai-organization", "user-1234"),
    ("openai-project", "proj_1"),
    ("anthropic-organization-id", "org"),
    ("anthropic-ratelimit-tokens-remaining", "7"),
    ("x-ratelimit-remaining-tokens", "7"),
    ("x-ratelimit-limit-images", "7"),
    ("set-cookie", "a=b"),
    ("set-cookie", "c=d"),
    ("location", "https://elsewhere.example/v1"),
    ("www-authenticate", "Basic"),
    ("alt-svc", "h3=\":443\""),
    ("strict-transport-security", "max-age=1"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "public, max-age=86400"),
    ("x-envoy-immediate-health-check-fail", "1"),
    ("x-envoy-ratelimited", "1"),
    ("x-envoy-decorator-operation", "x"),
    ("x-nexus-ejected", "1"),
    ("x-nexus-retry-after", "9"),
    ("x-gateway-anything", "1"),
    ("x-ai-model", "liar"),
    ("x-ai-provider", "liar"),
];
/// What SDKs read, and support asks for.
const NEEDED: [(&str, &str); 9] = [
    (":status", "200"),
    ("content-type", "application/json"),
    ("x-request-id", "req_1"),
    ("request-id", "req_2"),
    ("openai-processing-ms", "412"),
    ("openai-version", "2020-10-01"),
    ("x-should-retry", "false"),
    ("retry-after", "3"),
    ("cf-ray", "1-FRA"),
];

fn is_clean(stream: &Stream, needed: &[(&str, &str)]) {
    let seen = stream.client().expect("an answer");
    for (name, value) in needed {
        let values: Vec<_> = seen.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect();
        assert_eq!(values, [value.as_bytes()], "{name}");
    }
    for (name, _) in BESIDE {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_client_sees_of_an_answers_head_what_the_list_has_and_the_gateways_own() {
    for held in [true, false] {
        let gateway = Gateway::configured(&with_key("hold_headers", json!(held)));
        let stream = gateway.stream();
        stream.request_headers(&HEAD, false);
        stream.request_body(BODY.as_bytes(), true);
        stream.answer_headers(&[&NEEDED[..], &BESIDE].concat(), false);
        let ours = [("x-ratelimit-limit-requests", "5000"), ("x-ratelimit-remaining-requests", "4999")];
        is_clean(&stream, &[&NEEDED[..], &ours].concat());
        stream.answer_body(ANSWER.as_bytes(), true);
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], "success");
    }
}

/// As many calls as before the list was there, and fewer: the head is written as a whole.
#[test]
fn a_head_is_written_by_one_call_however_much_of_it_is_left_out() {
    let calls = |beside: &[(&str, &str)]| {
        let gateway = Gateway::configured(&configuration());
        let stream = admitted(&gateway, BODY);
        let before = with(|host| host.calls.values().sum::<u64>());
        stream.answer_headers(&[&NEEDED[..], beside].concat(), false);
        with(|host| host.calls.values().sum::<u64>()) - before
    };
    assert!(calls(&BESIDE) <= calls(&[]), "{} {}", calls(&BESIDE), calls(&[]));
    assert_eq!(calls(&BESIDE), calls(&BESIDE[..1]));
}

#[test]
fn what_the_operator_lists_passes_as_well() {
    let gateway =
        Gateway::configured(&with_key("forward", json!({"answers": ["set-cookie", "access-control-allow-origin"]})));
    let stream = admitted(&gateway, BODY);
    stream.answer_headers(&[&NEEDED[..], &BESIDE].concat(), false);
    let seen = stream.client().unwrap();
    assert_eq!(seen.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
    assert_eq!((seen.header("access-control-allow-origin"), seen.header("location")), (Some("*"), None));
    for (name, why) in [("content-type", "passes anyhow"), ("x-nexus-ejected", "the gateway's own")] {
        let refused =
            crate::policy::Policy::read(with_key("forward", json!({"answers": [name]})).to_string().as_bytes());
        let problem = refused.expect_err("a refusal").to_string();
        assert!(problem.contains("forward.answers[0]") && problem.contains(why), "{problem}");
    }
}

#[test]
fn a_redirect_is_the_providers_error_and_nobody_follows_it() {
    for (status, dialect_path, at) in [
        ("301", "/v1/chat/completions", "/error/code"),
        ("302", "/v1/messages", "/error/code"),
        ("304", "/v1/chat/completions", "/error/code"),
        ("307", "/v1beta/models/gpt-4o-mini:generateContent", "/error/details/0/reason"),
        ("308", "/v2/chat", "/code"),
    ] {
        for bare in [false, true] {
            let gateway = Gateway::configured(&configuration());
            let stream = gateway.stream();
            let body = BODY.replacen('{', r#"{"contents":[],"#, 1);
            stream.request_headers(&[(":method", "POST"), (":path", dialect_path), ("x-tenant-id", "acme")], false);
            stream.request_body(body.as_bytes(), true);
            assert_eq!(stream.reply().map(|reply| text(&reply).to_owned()), None, "{dialect_path}");
            let head = [(":status", status), ("location", "https://elsewhere.example"), ("content-type", "text/html")];
            stream.answer_headers(&[&head[..], &[("content-length", "44")]].concat(), bare);
            if !bare {
                stream.answer_body(b"<a href=https://elsewhere.example>moved</a>", true);
            }
            let seen = stream.client().unwrap();
            assert_eq!((seen.header(":status"), seen.header("location")), (Some("502"), None), "{status}");
            if bare {
                assert_eq!(seen.header("content-length"), None, "a front would wait for it");
            } else {
                assert_eq!(seen.json().pointer(at), Some(&json!("provider_error")), "{status}");
                assert_eq!(seen.header("content-type"), Some("application/json"));
                assert_eq!(seen.header("x-should-retry"), Some("false"));
            }
            stream.end();
            let record = stream.record().unwrap();
            assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("provider_error"), &json!(0)));
            assert_eq!(reserved(), NanoUsd(0));
        }
    }
}

/// Its head tells the length of a body that nobody can write any more: the client is not left to wait for it.
#[test]
fn an_answer_in_a_providers_stead_that_has_no_body_to_be_written_to_is_cut_off() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    stream.answer_headers(&[(":status", "302"), ("location", "https://elsewhere.example")], false);
    stream.answer_trailers();
    assert!(stream.is_closed());
    stream.end();
    assert_eq!((&stream.record().unwrap()["outcome"], reserved()), (&json!("provider_error"), NanoUsd(0)));
}

/// What costs nothing is answered by the same providers.
#[test]
fn answers_to_what_costs_nothing_are_held_against_the_same_list() {
    for (method, path) in [("POST", "/v1/messages/count_tokens"), ("POST", "/v1/responses/input_tokens")] {
        for (status, expected) in [("200", "200"), ("307", "502")] {
            let gateway = Gateway::configured(&configuration());
            let stream = gateway.stream();
            stream.request_headers(&[(":method", method), (":path", path), ("x-tenant-id", "acme")], false);
            stream.request_body(b"{}", true);
            let mut head = [&NEEDED[..], &BESIDE].concat();
            head[0] = (":status", status);
            stream.answer_headers(&head, false);
            stream.answer_body(b"{\"input_tokens\":1}", true);
            is_clean(&stream, &[(":status", expected), ("x-request-id", "req_1")]);
            assert_eq!(text(&stream.client().unwrap()).contains("provider_error"), expected == "502");
            stream.end();
        }
    }
}

/// Neither a count nor a fetch tells a client of the gateway's account, nor is it taken for the gateway's word on the client's key.
#[test]
fn a_refusal_of_the_gateways_account_is_no_answer_to_what_costs_nothing() {
    for (method, path) in
        [("POST", "/v1/messages/count_tokens"), ("POST", "/v1/responses/input_tokens"), ("GET", "/v1/responses/resp_1")]
    {
        for (status, expected) in [("401", "503"), ("402", "503"), ("403", "403"), ("404", "404")] {
            let mut configuration = with_key("stored_responses", json!("any"));
            configuration["providers"]["simulated"]["account_statuses"] = json!([401, 402]);
            let gateway = Gateway::configured(&configuration);
            let stream = gateway.stream();
            let head = [(":method", method), (":path", path), ("x-tenant-id", "acme")];
            stream.request_headers(&head, method == "GET");
            if method == "POST" {
                stream.request_body(b"{}", true);
            }
            stream.answer_headers(&[(":status", status), ("content-type", "application/json")], false);
            stream.answer_body(b"{\"error\":\"org_1 has no credit\"}", true);
            let client = stream.client().unwrap();
            assert_eq!(client.header(":status"), Some(expected), "{path} {status}");
            assert_eq!(text(&client).contains("org_1"), expected == status, "{}", text(&client));
            stream.end();
            let counted =
                metric(&format!("code=.={status};.;provider=.=simulated;.;ai_gateway_provider_account_refusals_total"));
            assert_eq!(counted, u64::from(expected != status), "{path} {status}");
        }
    }
}

#[test]
fn an_answers_trailers_tell_the_client_nothing() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    stream.answer_headers(&NEEDED, false);
    stream.answer_body(ANSWER.as_bytes(), false);
    stream.answer_trailers_of(&["set-cookie", "grpc-status", "x-ratelimit-remaining-tokens"]);
    assert_eq!(stream.answer_trailers_left(), 0);
    stream.end();
    assert_eq!(stream.record().unwrap()["usage_source"], "reported");
}

/// Envoy's own reply has no provider's words in it, and what Envoy's filters add there stays.
#[test]
fn what_envoy_says_by_itself_is_left_as_it_is() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    stream.answer_by_envoy_with(503, "no_healthy_upstream", &[("x-envoy-overloaded", "true")]);
    assert_eq!(stream.client().unwrap().header("x-envoy-overloaded"), Some("true"));
    stream.end();
}

#[test]
fn nobody_sleeps_for_as_long_as_a_provider_says() {
    for (status, wait, never) in [
        ("429", "60", None),
        ("429", "61", Some("false")),
        ("503", "86400", Some("false")),
        ("429", "soon", None),
        ("200", "86400", None),
    ] {
        let gateway = Gateway::configured(&configuration());
        let stream = admitted(&gateway, BODY);
        stream
            .answer_headers(&[(":status", status), ("content-type", "application/json"), ("retry-after", wait)], true);
        let seen = stream.client().unwrap();
        assert_eq!((seen.header("retry-after"), seen.header("x-should-retry")), (Some(wait), never), "{status} {wait}");
        stream.end();
    }
}
