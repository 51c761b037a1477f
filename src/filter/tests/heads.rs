//! `hold_headers: false`: the head goes on at once, as it must where Envoy shows no body behind a head that is held.

use super::*;

fn gateway() -> Gateway {
    Gateway::configured(&with_key("hold_headers", json!(false)))
}

/// A request whose head is on its way, and nothing of its body.
fn begun(gateway: &Gateway, more: &[(&str, &str)]) -> Stream {
    let stream = gateway.stream();
    assert_eq!(stream.request_headers(&head(more), false), Action::Continue);
    stream
}

fn sent_body(stream: &Stream) -> Vec<u8> {
    stream.upstream().expect("a head").body
}

/// The reply, of a request of which only the head has gone.
fn late_refusal(stream: &Stream) -> (String, String) {
    assert_eq!(sent_body(stream), b"");
    let reply = stream.reply().expect("a reply");
    (reply.header(":status").unwrap().to_owned(), reply.json()["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn the_head_goes_on_and_the_body_waits_for_the_decision() {
    for size in 1..=BODY.len() {
        for by_trailers in [false, true] {
            let gateway = gateway();
            let length = BODY.len().to_string();
            let stream = begun(&gateway, &[("content-length", &length), ("accept-encoding", "gzip")]);
            let sent = stream.upstream().unwrap();
            assert_eq!((sent.header("content-length"), sent.header("accept-encoding")), (None, None));
            let pieces: Vec<_> = BODY.as_bytes().chunks(size).collect();
            for (at, piece) in pieces.iter().enumerate() {
                assert_eq!((sent_body(&stream), requests(cell())), (vec![], 0));
                stream.request_body(piece, !by_trailers && at + 1 == pieces.len());
            }
            if by_trailers {
                assert_eq!(sent_body(&stream), b"");
                assert_eq!(stream.request_trailers(), Action::Continue);
            }
            assert_eq!(sent_body(&stream), BODY.as_bytes());
            assert!(reserved() > NanoUsd(50 * 2_000));
            answered(&stream);
            assert_eq!((reserved(), cell().lifetime(), ended("success"), active()), (NanoUsd(0), NanoUsd(COST), 1, 0));
        }
    }
}

#[test]
fn a_body_is_edited_as_ever_for_its_length_is_said_by_nobody() {
    let gateway = gateway();
    let body = r#"{"messages":[{"role":"user","content":"Hello"}],"stream":true,"model":"fast"}"#;
    let stream = begun(&gateway, &[("content-length", &body.len().to_string())]);
    stream.request_body(body.as_bytes(), true);
    let sent: Value = serde_json::from_slice(&sent_body(&stream)).unwrap();
    assert_eq!((&sent["model"], &sent["stream_options"]), (&json!("gpt-4o-mini"), &json!({"include_usage": true})));
    assert!(sent["max_completion_tokens"].as_u64().unwrap() >= 16);
    assert_eq!(stream.upstream().unwrap().header("content-length"), None);
    with(|host| assert_eq!(host.log.len(), 1, "Envoy refused nothing: {:?}", host.log));
}

#[test]
fn a_refusal_comes_late_and_costs_nothing() {
    let limited = json!({"limits": {"requests_per_minute": 1}, "budgets": {"request_usd": "0.5"}});
    let mut configuration = with_key("hold_headers", json!(false));
    configuration["tenants"] = json!({"acme": limited});
    let gateway = Gateway::configured(&configuration);
    let passed = begun(&gateway, &[]);
    passed.request_body(BODY.as_bytes(), true);
    answered(&passed);
    let rows = [
        (BODY.to_owned(), "429", "rate_limited"),
        (BODY.replace("gpt-4o-mini", "unknown"), "404", "model_unpriced"),
        ("{\"model\":".to_owned(), "400", "invalid_request"),
    ];
    for (body, status, code) in rows {
        let stream = begun(&gateway, &[]);
        stream.request_body(body.as_bytes(), true);
        assert_eq!(late_refusal(&stream), (status.into(), code.into()));
        let client = stream.client().unwrap();
        assert_eq!(client.header("x-ratelimit-limit-requests"), Some("1"));
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!(code), &json!(0)));
    }
    assert_eq!((reserved(), cell().lifetime(), active()), (NanoUsd(0), NanoUsd(COST), 0));
}

#[test]
fn what_the_head_alone_refuses_is_never_sent() {
    let gateway = gateway();
    let refused = |more: &[(&str, &str)], end| {
        let stream = gateway.stream();
        assert_eq!(stream.request_headers(&head(more), end), Action::Pause);
        refusal(&stream).0
    };
    assert_eq!(refused(&[("content-length", "5000000")], false), "413");
    assert_eq!(refused(&[("content-encoding", "gzip")], false), "415");
    assert_eq!(refused(&[], true), "400", "a body is missing");
}

#[test]
fn an_answer_before_the_request_is_whole_passes_if_it_is_an_error_and_ends_the_request() {
    let rows = [("401", "provider_rejected"), ("429", "provider_rate_limited"), ("503", "provider_error")];
    for (status, outcome) in rows {
        let gateway = gateway();
        let stream = begun(&gateway, &[]);
        stream.request_body(&BODY.as_bytes()[..20], false);
        stream.answer_headers(&[(":status", status), ("content-type", "application/json")], false);
        stream.answer_body(b"{}", true);
        assert_eq!(stream.request_body(&BODY.as_bytes()[20..], true), Action::Pause, "the rest goes nowhere");
        assert_eq!(stream.request_trailers(), Action::Pause);
        stream.end();
        let client = stream.client().unwrap();
        assert_eq!((client.header(":status"), text(&client)), (Some(status), "{}"));
        assert_eq!(client.header("x-ratelimit-remaining-requests"), Some("5000"));
        let record = stream.record().unwrap();
        assert_eq!((&record["outcome"], &record["provider"]), (&json!(outcome), &json!("simulated")));
        assert_eq!((sent_body(&stream), cell().lifetime(), requests(cell())), (vec![], NanoUsd(0), 0));
    }
}

/// Also while the request is still coming: it is no word on the client's key, and the operator has to know.
#[test]
fn a_refusal_of_the_gateways_account_before_the_request_is_whole_is_not_the_clients() {
    let mut configuration = with_key("hold_headers", json!(false));
    configuration["providers"]["simulated"]["account_statuses"] = json!([401, 402]);
    let gateway = Gateway::configured(&configuration);
    for (status, expected, outcome) in [
        ("401", "503", "provider_unavailable"),
        ("402", "503", "provider_unavailable"),
        ("403", "403", "provider_rejected"),
    ] {
        let stream = begun(&gateway, &[]);
        stream.request_body(&BODY.as_bytes()[..20], false);
        stream.answer_headers(&[(":status", status), ("content-type", "application/json")], false);
        stream.answer_body(b"{\"error\":\"org_1 has no credit\"}", true);
        stream.end();
        let client = stream.client().unwrap();
        assert_eq!(client.header(":status"), Some(expected), "{status}");
        assert_eq!(text(&client).contains("org_1"), status == "403", "{}", text(&client));
        let record = stream.record().unwrap();
        assert_eq!(
            (&record["outcome"], &record["status"]),
            (&json!(outcome), &json!(expected.parse::<u64>().unwrap()))
        );
        let counted =
            metric(&format!("code=.={status};.;provider=.=simulated;.;ai_gateway_provider_account_refusals_total"));
        assert_eq!(counted, u64::from(status != "403"), "{status}");
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_none() {
    let gateway = gateway();
    let stream = begun(&gateway, &[]);
    stream.request_body(&BODY.as_bytes()[..20], false);
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.end();
    assert_eq!(late_refusal(&stream), ("502".into(), "provider_error".into()));
    assert_eq!(stream.client().unwrap().header(":status"), Some("502"));
    assert_eq!((cell().lifetime(), requests(cell())), (NanoUsd(0), 0));
}

#[test]
fn envoys_own_answer_before_the_request_is_whole_is_in_the_words_of_the_api() {
    for (status, outcome) in [(503, "provider_unavailable"), (413, "request_too_large"), (408, "invalid_request")] {
        let gateway = gateway();
        let stream = gateway.stream();
        let head = [(":method", "POST"), (":path", "/v1/messages"), ("x-tenant-id", "acme")];
        assert_eq!(stream.request_headers(&head, false), Action::Continue);
        stream.answer_by_envoy(status, "envoys_own");
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], outcome);
        let client = stream.client().unwrap();
        assert_eq!(client.header(":status"), Some(status.to_string().as_str()));
        assert_eq!(status == 503, text(&client).contains("overloaded_error"), "{}", text(&client));
    }
}

#[test]
fn a_client_that_leaves_in_its_body_pays_nothing() {
    let gateway = gateway();
    let stream = begun(&gateway, &[]);
    stream.request_body(&BODY.as_bytes()[..20], false);
    stream.attribute("upstream.address", b"127.0.0.1:8080");
    stream.number("response.flags", 1 << 14);
    stream.end();
    assert_eq!(stream.record().unwrap()["outcome"], "client_closed");
    assert_eq!((sent_body(&stream), cell().lifetime(), requests(cell())), (vec![], NanoUsd(0), 0));
}
