//! Variants that are watched, on two workers: one that passes its bounds gets nothing more, within two ticks of the request that was one
//! too many.

use super::*;
use proxy_wasm::types::LogLevel;

const OUT: &str = "split=.=test;.;variant=.=small;.;ai_gateway_canary_out_seconds";
const ASKED: &str = r#"{"model":"test","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;

fn configuration(canary: Value) -> Value {
    let mut configuration = two_models();
    configuration["virtual_models"] =
        json!({"test": {"split": {"gpt-4o-mini": 1, "small": 9_999}, "sticky": "user", "canaries": {"small": canary}}});
    configuration
}

/// A request of a user whose variant is the canary, unless that is out.
fn asked(gateway: &Gateway) -> Stream {
    let stream = gateway.stream();
    stream.request_headers(&head(&[("x-ai-user", "somebody")]), false);
    stream.request_body(ASKED.as_bytes(), true);
    assert!(stream.upstream().is_some());
    stream
}

/// What the variant of a request was, which its provider answers by this status.
fn variant(gateway: &Gateway, status: &str) -> String {
    let stream = asked(gateway);
    stream.attribute("xds.cluster_name", b"second");
    stream.answer_headers(&[(":status", status), ("content-type", "application/json")], false);
    stream.answer_body(if status == "200" { ANSWER } else { r#"{"error":{"message":"no"}}"# }.as_bytes(), true);
    stream.end();
    stream.record().unwrap()["variant"].as_str().unwrap().to_owned()
}

#[test]
fn a_canary_that_passes_its_bounds_is_out_on_every_worker_within_two_seconds() {
    let canary = json!({"errors_percent": 20, "least_requests": 10});
    let one = with_clusters(&configuration(canary.clone()));
    let other = Gateway::beside(&configuration(canary.clone()));
    for status in ["200"; 8].into_iter().chain(["400", "503"]) {
        assert_eq!(variant(&one, status), "small");
    }
    let ticks = || [&one, &other].into_iter().for_each(Gateway::tick);
    ticks();
    ticks();
    assert_eq!((variant(&one, "200").as_str(), metric(OUT)), ("small", 0), "20 % are no more than 20 %");
    // What two workers count is one sum: two more of eleven.
    assert_eq!((variant(&one, "500"), variant(&other, "429")), ("small".to_owned(), "small".to_owned()));
    ticks();
    ticks();
    assert_eq!(metric(OUT), 1_800_000_000);
    for gateway in [&one, &other, &Gateway::beside(&configuration(canary))] {
        assert_eq!(variant(gateway, "200"), "gpt-4o-mini");
    }
    let warned = with(|host| host.logged(LogLevel::Warn).iter().filter(|line| line.contains("canary_out")).count());
    assert_eq!(warned, 1);
    // For good, until somebody writes the split anew.
    with(|host| host.clock = UnixNanos(host.clock.0 + 3_600_000_000_000));
    ticks();
    assert_eq!((variant(&one, "200").as_str(), metric(OUT)), ("gpt-4o-mini", 1_800_003_600));
    let changed = json!({"errors_percent": 21, "least_requests": 10});
    assert_eq!(variant(&Gateway::beside(&configuration(changed)), "200"), "small");
}

#[test]
fn a_canary_that_is_dear_is_out_and_what_clients_leave_says_nothing() {
    // An answer costs 200,000 nano-dollars there.
    for (mean_usd, is_out) in [("0.0002", false), ("0.000199999", true)] {
        let gateway = with_clusters(&configuration(json!({"mean_usd": mean_usd, "least_requests": 1})));
        let left = asked(&gateway);
        left.number("response.flags", 1 << 14);
        left.end();
        assert_eq!(left.record().unwrap()["outcome"], "client_closed");
        gateway.tick();
        assert_eq!(variant(&gateway, "200"), "small");
        gateway.tick();
        assert_eq!(variant(&gateway, "200") == "gpt-4o-mini", is_out, "{mean_usd}");
    }
}
