//! What of a request's head the listener's filter lets go on, in both modes, and what it leaves in record and stats.

use super::*;

const PATH: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const GEMINI: &str = r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":50}}"#;

fn gateway(held: bool, forward: Value) -> Gateway {
    let mut configuration = with_key("hold_headers", json!(held));
    configuration["forward"] = forward;
    configuration["prices"][0]["model"] = json!("*");
    Gateway::configured(&configuration)
}

fn dropped(kind: &str) -> u64 {
    metric(&format!("kind=.={kind};.;ai_gateway_dropped_total"))
}

fn asked(gateway: &Gateway, path: &str, more: &[(&str, &str)]) -> Stream {
    let stream = gateway.stream();
    let head = [&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")][..], more].concat();
    stream.request_headers(&head, false);
    if stream.reply().is_none() {
        stream.request_body(GEMINI.as_bytes(), true);
    }
    stream
}

#[test]
fn a_client_cannot_have_the_usage_left_out_of_its_answer() {
    for held in [true, false] {
        let gateway = gateway(held, json!({}));
        for (query, header) in [
            ("?fields=candidates", None),
            ("?%66ields=candidates", None),
            ("?$fields=candidates&$alt=proto", None),
            ("?alt=proto", None),
            ("", Some(("x-goog-fieldmask", "candidates"))),
        ] {
            let more: Vec<_> = header.into_iter().chain([("content-type", "application/json")]).collect();
            let sent = asked(&gateway, &format!("{PATH}{query}"), &more).upstream().expect("sent on");
            assert_eq!(
                (sent.header(":path"), sent.header("x-goog-fieldmask")),
                (Some(PATH), None),
                "{query} {header:?}"
            );
            assert_eq!(sent.header("content-type"), Some("application/json"));
        }
        let path = format!("{PATH}?alt=sse&key=secret");
        let sent = asked(&gateway, &path, &[]).upstream().expect("sent on");
        assert_eq!(sent.header(":path"), Some(&*format!("{PATH}?alt=sse")));
        let twice = asked(&gateway, &format!("{PATH}?alt=sse&alt=json"), &[]);
        let reply = twice.reply().expect("a refusal");
        assert_eq!((twice.upstream(), reply.header(":status")), (None, Some("400")));
        assert!(text(&reply).contains("The query parameter `alt` is given twice."), "{}", text(&reply));
    }
}

#[test]
fn what_was_dropped_stands_in_the_record_and_is_counted() {
    let gateway = gateway(true, json!({"unknown_betas": "count"}));
    let headers = [
        ("authorization", "Bearer secret"),
        ("x-api-key", "secret"),
        ("anthropic-workspace-id", "secret"),
        ("anthropic-beta", "claude-code-20250219,fast-mode-2026-02-01,new-2027-01-01"),
    ];
    let stream = gateway.stream();
    let head =
        [&[(":method", "POST"), (":path", "/v1/messages?beta=true&x=secret"), ("x-tenant-id", "acme")][..], &headers]
            .concat();
    stream.request_headers(&head, false);
    stream.request_body(br#"{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#, true);
    let sent = stream.upstream().unwrap();
    assert_eq!(sent.header("anthropic-beta"), Some("claude-code-20250219,new-2027-01-01"));
    assert!(!format!("{sent:?}").contains("secret"));
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!(record["dropped"], json!(["anthropic-workspace-id", "beta fast-mode-2026-02-01", "?x"]));
    assert_eq!(record["unknown_betas"], json!(["new-2027-01-01"]));
    assert!(!record.to_string().contains("secret"));
    let kinds = ["header", "credential", "query", "beta"].map(dropped);
    assert_eq!((kinds, metric("ai_gateway_unknown_betas_total")), ([1, 2, 1, 1], 1));

    // An honest request leaves neither.
    let stream = admitted(&gateway, BODY);
    answered(&stream);
    let record = stream.record().unwrap();
    assert_eq!((record.get("dropped"), record.get("unknown_betas")), (None, None));
}

#[test]
fn the_operator_may_let_more_pass() {
    let forward =
        json!({"headers": ["x-team"], "query": ["quotaUser"], "betas": ["fast-mode*"], "unknown_betas": "drop"});
    let gateway = gateway(true, forward);
    let headers = [("x-team", "red"), ("x-other", "blue")];
    let sent = asked(&gateway, &format!("{PATH}?quotaUser=u%20v&fields=x"), &headers).upstream().expect("sent on");
    assert_eq!((sent.header("x-team"), sent.header("x-other")), (Some("red"), None));
    assert_eq!(sent.header(":path"), Some(&*format!("{PATH}?quotaUser=u%20v")));
}
