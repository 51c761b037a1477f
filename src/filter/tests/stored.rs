//! Responses that a provider keeps: each tenant has its own, whichever worker saw them made.

use super::*;

const MADE: &str = r#"{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#;

fn configured(stored: &str) -> Value {
    let mut configuration = with_key("stored_responses", json!(stored));
    configuration["tenants"] = json!({"acme": {}, "beta": {}});
    configuration
}

/// For tests that are not about what a request may bring in.
fn unlimited(stored: &str) -> Value {
    let mut configuration = configured(stored);
    let free = json!({"unlimited": ["request_usd", "day_usd"]});
    configuration["tenants"] = json!({"acme": free, "beta": free});
    configuration
}

fn asked(gateway: &Gateway, tenant: &str, method: &str, path: &str, body: &str) -> Stream {
    let stream = gateway.stream();
    stream.request_headers(&[(":method", method), (":path", path), ("x-tenant-id", tenant)], body.is_empty());
    if !body.is_empty() {
        stream.request_body(body.as_bytes(), true);
    }
    stream
}

/// A response of this tenant's, which is answered in these pieces.
fn made(gateway: &Gateway, tenant: &str, pieces: &[&str]) -> Stream {
    let stream = asked(gateway, tenant, "POST", "/v1/responses", r#"{"model":"gpt-4o-mini","input":"hi"}"#);
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    for piece in pieces {
        stream.answer_body(piece.as_bytes(), false);
    }
    stream
}

/// What became of it: passed, or this code.
fn outcome(stream: &Stream) -> Option<String> {
    let code = stream.reply().map(|reply| reply.json()["error"]["code"].as_str().unwrap().to_owned());
    assert_eq!(code.is_none(), stream.upstream().is_some());
    stream.end();
    code
}

const WAYS: [(&str, &str, &str); 9] = [
    ("GET", "/v1/responses/resp_1", ""),
    ("GET", "/v1/responses/resp_1?include=x", ""),
    ("GET", "/v1/responses/resp_1/input_items", ""),
    ("DELETE", "/v1/responses/resp%5f1", ""),
    ("POST", "/v1/responses/resp_1/cancel", ""),
    // As other base URLs and Azure write it, and behind a route's prefix.
    ("GET", "/openai/responses/resp_1?api-version=2025-04-01-preview", ""),
    ("DELETE", "/responses/resp_1", ""),
    ("POST", "/v3/router/responses/resp_1/cancel", ""),
    ("POST", "/v1/responses", r#"{"model":"gpt-4o-mini","input":"go on","previous_response_id":"resp_1"}"#),
];

#[test]
fn another_tenants_response_is_not_there() {
    let gateway = Gateway::configured(&configured("own"));
    for (method, path, body) in WAYS {
        assert_eq!(outcome(&asked(&gateway, "acme", method, path, body)).as_deref(), Some("response_not_found"));
    }
    let stream = made(&gateway, "acme", &[MADE]);
    // Another worker, while the answer is not even over.
    assert!(gateway.configure(configured("own").to_string().as_bytes()));
    for (method, path, body) in WAYS {
        assert_eq!(outcome(&asked(&gateway, "acme", method, path, body)), None, "{method} {path}");
        let other = asked(&gateway, "beta", method, path, body);
        let reply = other.reply().unwrap();
        assert_eq!(reply.header(":status"), Some("404"), "{method} {path}");
        assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
        assert_eq!(outcome(&other).as_deref(), Some("response_not_found"), "{method} {path}");
    }
    stream.end();
    assert_eq!(refused("beta", "other", "response_not_found"), 1, "the request for a new one is an exchange");
    for path in
        ["/v1/responses/resp_1/../resp_1", "/v1/responses/resp_1/x", "/v1/responses/RESP_1", "/v1/responses/resp_1%00"]
    {
        assert_eq!(outcome(&asked(&gateway, "acme", "GET", path, "")).as_deref(), Some("response_not_found"), "{path}");
    }
}

#[test]
fn the_operator_may_pass_all_or_none() {
    for (method, path, body) in WAYS {
        let any = Gateway::configured(&unlimited("any"));
        assert_eq!(outcome(&asked(&any, "beta", method, path, body)), None, "{method} {path}");
        let none = Gateway::configured(&configured("refuse"));
        let code = outcome(&asked(&none, "beta", method, path, body)).unwrap();
        assert_eq!(code, if path == "/v1/responses" { "invalid_request" } else { "response_not_found" });
    }
}

#[test]
fn an_id_is_written_once_and_before_it_passes() {
    let gateway = Gateway::configured(&configured("own"));
    let kept = || with(|host| host.keys().iter().filter(|key| key.starts_with("nexus:kept1:")).count());
    let stream = made(&gateway, "acme", &[MADE.get(..20).unwrap()]);
    assert_eq!(kept(), 1, "the id of the response has come");
    stream.answer_body(&MADE.as_bytes()[20..], true);
    assert_eq!(kept(), 2);
    stream.end();
    answered(&admitted(&gateway, BODY));
    assert_eq!(kept(), 2, "chat completions are kept nowhere");
    let none = r#"{"model":"gpt-4o-mini","input":"hi","store":false}"#;
    let stream = asked(&gateway, "beta", "POST", "/v1/responses", none);
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(MADE.as_bytes(), true);
    stream.end();
    assert_eq!(kept(), 2);
}

/// One write an answer, as soon as its usage has come; and another worker reserves no more than that.
#[test]
fn what_a_response_holds_is_written_once_and_known_to_all_workers() {
    let go_on = r#"{"model":"gpt-4o-mini","input":"go on","previous_response_id":"resp_1"}"#;
    let by_items = r#"{"model":"gpt-4o-mini","input":[{"type":"item_reference","id":"msg_1"}]}"#;
    let held = || with(|host| host.keys().iter().filter(|key| key.starts_with("nexus:held1:")).count());
    for stored in ["own", "any"] {
        let gateway = Gateway::configured(&configured(stored));
        let (before, usage) = MADE.split_at(MADE.find(r#""usage""#).unwrap());
        let stream = made(&gateway, "acme", &[before]);
        assert_eq!(held(), 0, "{stored}: nothing is told yet");
        assert_eq!(
            outcome(&asked(&gateway, "acme", "POST", "/v1/responses", go_on)).as_deref(),
            Some("request_budget_exceeded")
        );
        stream.answer_body(usage.as_bytes(), true);
        assert_eq!(held(), 1, "{stored}");
        assert!(gateway.configure(configured(stored).to_string().as_bytes()));
        for body in [go_on, by_items] {
            assert_eq!(outcome(&asked(&gateway, "acme", "POST", "/v1/responses", body)), None, "{stored}: {body}");
        }
        stream.end();
        answered(&admitted(&gateway, BODY));
        assert_eq!(held(), 1, "{stored}: of a chat nobody goes on");
    }
    let gateway = Gateway::configured(&configured("refuse"));
    made(&gateway, "acme", &[MADE]).end();
    assert_eq!(held(), 0, "nothing is kept");
}

/// Trailers of what is no exchange go to a provider as little as others.
#[test]
fn trailers_of_what_is_free_go_nowhere() {
    for held in [true, false] {
        let mut configuration = configured("own");
        configuration["hold_headers"] = json!(held);
        let gateway = Gateway::configured(&configuration);
        let stream = gateway.stream();
        let head = [(":method", "POST"), (":path", "/v1/responses/input_tokens"), ("x-tenant-id", "acme")];
        stream.request_headers(&head, false);
        stream.request_body(b"{}", false);
        stream.request_trailers_of(&["openai-organization", "authorization"]);
        assert_eq!((stream.trailers_left(), stream.reply()), (0, None));
        stream.end();
    }
}

/// A count tells how large a response is: it is nobody's who has not made it, wherever its body is cut.
#[test]
fn another_tenants_response_is_not_counted() {
    let path = "/v1/responses/input_tokens";
    let body = r#"{"model":"gpt-4o-mini","input":"go on","previous_response_id":"resp_1"}"#;
    for held in [true, false] {
        let mut configuration = configured("own");
        configuration["hold_headers"] = json!(held);
        let gateway = Gateway::configured(&configuration);
        made(&gateway, "acme", &[MADE]).end();
        for cut in [0, 1, 40, body.len()] {
            let counted = |tenant: &str| {
                let stream = gateway.stream();
                stream.request_headers(&[(":method", "POST"), (":path", path), ("x-tenant-id", tenant)], false);
                stream.request_body(&body.as_bytes()[..cut], false);
                assert!(stream.upstream().is_none_or(|sent| sent.body.is_empty()), "nothing goes on unread");
                stream.request_body(&body.as_bytes()[cut..], true);
                stream
            };
            let own = counted("acme");
            assert_eq!((own.reply(), own.upstream().unwrap().body), (None, body.as_bytes().to_vec()), "{held} {cut}");
            own.end();
            let reply = counted("beta").reply().expect("a refusal");
            assert_eq!(
                (reply.header(":status"), &reply.json()["error"]["code"]),
                (Some("404"), &json!("response_not_found"))
            );
        }
        for (body, status) in [
            (r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#, Some("404")),
            (r#"{"input":"x","previous_response_id":"resp_2","previous_response_id":null}"#, Some("400")),
            ("{", Some("400")),
            (r#"{"input":"x"}"#, None),
        ] {
            let stream = asked(&gateway, "beta", "POST", path, body);
            let said = stream.reply().map(|reply| reply.header(":status").unwrap().to_owned());
            assert_eq!(said.as_deref(), status, "{body}");
            stream.end();
        }
        let trailing = gateway.stream();
        trailing.request_headers(&[(":method", "POST"), (":path", path), ("x-tenant-id", "beta")], false);
        trailing.request_body(body.as_bytes(), false);
        trailing.request_trailers();
        assert_eq!(trailing.reply().unwrap().header(":status"), Some("404"), "trailers end a body, too");
    }
    let refusing = Gateway::configured(&configured("refuse"));
    assert_eq!(asked(&refusing, "acme", "POST", path, body).reply().unwrap().header(":status"), Some("400"));
    let any = Gateway::configured(&configured("any"));
    assert_eq!(asked(&any, "beta", "POST", path, body).reply(), None);
}
