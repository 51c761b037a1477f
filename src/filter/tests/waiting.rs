//! Bodies that are still coming: a tenant has so many places for them on a worker, and each ending gives one back.

use super::*;

const FULL: (&str, &str) = ("429", "in_flight_limited");

fn gateway(key: &str, most: u64) -> Gateway {
    let mut configuration = with_key(key, json!(most));
    configuration["tenants"] = json!({"acme": {}, "beta": {}});
    configuration["max_request_bytes"] = json!(65_536);
    Gateway::configured(&configuration)
}

/// With a rule about texts.
fn looking(most: u64, action: &str) -> Gateway {
    let mut configuration = with_key("max_waiting_bytes", json!(most));
    configuration["max_request_bytes"] = json!(65_536);
    configuration["content"] = json!({"rules": [{"name": "mails", "find": ["email"], "action": action}]});
    Gateway::configured(&configuration)
}

/// A request whose head has come, and no end.
fn begun(gateway: &Gateway) -> Stream {
    let stream = gateway.stream();
    stream.request_headers(&HEAD, false);
    stream
}

fn is_full(gateway: &Gateway) -> bool {
    let stream = begun(gateway);
    let refused = stream.reply().is_some();
    if refused {
        assert_eq!(refusal(&stream), (FULL.0.into(), FULL.1.into()));
    }
    stream.end();
    refused
}

#[test]
fn one_body_too_many_is_refused_at_its_head_in_words_that_say_so() {
    let gateway = gateway("max_waiting_bodies", 3);
    let waiting: Vec<_> = (0..3).map(|_| begun(&gateway)).collect();
    assert!(waiting.iter().all(|stream| stream.reply().is_none()));
    let refused = begun(&gateway);
    assert_eq!(refusal(&refused), (FULL.0.into(), FULL.1.into()));
    let reply = refused.reply().unwrap();
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("5000"));
    let detail = reply.json()["error"]["detail"].clone();
    assert_eq!((&detail["guard"], &detail["limit"]), (&json!("max_waiting_bodies"), &json!(3)));
    refused.end();
    let record = refused.record().unwrap();
    assert_eq!((&record["outcome"], &record["refused_by"]), (&json!(FULL.1), &json!("max_waiting_bodies")));
    assert_eq!((requests(cell()), refused_here()), (0, 1), "the windows know nothing of it");
}

fn refused_here() -> u64 {
    super::refused("acme", "other", FULL.1)
}

#[test]
fn another_tenant_has_places_of_its_own() {
    let gateway = gateway("max_waiting_bodies", 1);
    let waiting = begun(&gateway);
    assert!(is_full(&gateway));
    let other = gateway.stream();
    let headers = HEAD.map(|(name, value)| (name, if name == "x-tenant-id" { "beta" } else { value }));
    other.request_headers(&headers, false);
    assert_eq!((other.reply(), waiting.reply()), (None, None));
}

/// No window counts what is free: without a place, one tenant's could take all the requests that a provider's cluster may have.
#[test]
fn what_is_free_holds_a_place_until_its_answer_has_ended() {
    let gateway = gateway("max_waiting_bodies", 1);
    let asked = || {
        let stream = gateway.stream();
        let head = [(":method", "POST"), (":path", "/v1/responses/input_tokens"), ("x-tenant-id", "acme")];
        stream.request_headers(&head, false);
        stream
    };
    let first = asked();
    first.request_body(b"{}", true);
    first.answer_headers(&[(":status", "200")], false);
    assert_eq!(first.reply(), None);
    let refused = asked();
    assert_eq!(refusal(&refused), (FULL.0.into(), FULL.1.into()));
    refused.end();
    assert!(is_full(&gateway));
    first.answer_body(b"{}", true);
    first.end();
    assert_eq!(asked().reply(), None);
}

/// What a place may end with, each on a request that holds the only one.
#[test]
fn every_ending_gives_the_place_back() {
    type Way = (&'static str, fn(&Stream));
    let ways: [Way; 9] = [
        ("its last byte, and its answer", |stream| {
            stream.request_body(BODY.as_bytes(), true);
            answered(stream);
        }),
        ("trailers", |stream| {
            stream.request_body(BODY.as_bytes(), false);
            stream.request_trailers();
            answered(stream);
        }),
        ("a refusal at its end", |stream| {
            stream.request_body(b"{", true);
            stream.end();
        }),
        ("a refusal in the middle", |stream| {
            stream.request_body(&[b' '; 65_537], false);
            stream.request_body(b"", true);
            assert_eq!(refusal(stream).1, "request_too_large");
            stream.end();
        }),
        ("the client has gone before a byte", Stream::end),
        ("the client has gone in the middle", |stream| {
            stream.request_body(&BODY.as_bytes()[..9], false);
            stream.end();
        }),
        ("Envoy's patience has ended", |stream| {
            stream.request_body(b"{", false);
            stream.answer_by_envoy(408, "request_overall_timeout");
            stream.end();
        }),
        ("its context is dropped", |stream| {
            stream.request_body(b"{", false);
            stream.drop_silently();
        }),
        ("its context is dropped before a byte", Stream::drop_silently),
    ];
    for hold_headers in [true, false] {
        let mut configuration = with_key("max_waiting_bodies", json!(1));
        configuration["hold_headers"] = json!(hold_headers);
        configuration["max_request_bytes"] = json!(65_536);
        for (name, end) in ways {
            if !hold_headers && name.contains("refusal") {
                continue;
            }
            let gateway = Gateway::configured(&configuration);
            let stream = begun(&gateway);
            assert!(begun(&gateway).reply().is_some(), "{name}: the only place is taken");
            end(&stream);
            let next = begun(&gateway);
            assert_eq!(next.reply(), None, "{name}, heads held: {hold_headers}");
        }
    }
}

/// Once it is decided, a request no longer waits for a body, however long its answer takes.
#[test]
fn an_answer_that_takes_long_holds_no_place() {
    let gateway = gateway("max_waiting_bodies", 1);
    let open: Vec<_> = (0..5).map(|_| admitted(&gateway, BODY)).collect();
    open.iter().for_each(answered);
}

#[test]
fn what_bodies_hold_together_is_bounded_and_a_refused_one_makes_room() {
    let gateway = gateway("max_waiting_bytes", 100_000);
    let piece = |size: usize| vec![b' '; size];
    let [first, second, third] = [(); 3].map(|()| begun(&gateway));
    first.request_body(&piece(60_000), false);
    second.request_body(&piece(30_000), false);
    third.request_body(&piece(10_000), false);
    // Not a byte more, whoever sends it.
    second.request_body(&piece(1), false);
    assert_eq!(refusal(&second), (FULL.0.into(), FULL.1.into()));
    assert_eq!(second.reply().unwrap().json()["error"]["detail"]["guard"], "max_waiting_bytes");
    second.end();
    // It had 30,000.
    third.request_body(&piece(30_000), false);
    assert_eq!(third.reply(), None);
    third.request_body(&piece(1), false);
    assert_eq!(refusal(&third).1, FULL.1);
    third.end();
    first.end();
    let alone = begun(&gateway);
    alone.request_body(&piece(65_536), false);
    assert_eq!(alone.reply(), None);
}

/// The bound that is written may be less than what one request may have.
#[test]
fn one_body_alone_may_always_be_the_largest_there_may_be() {
    let mut configuration = with_key("max_waiting_bytes", json!(65_536));
    configuration["max_request_bytes"] = json!(200_000);
    let gateway = Gateway::configured(&configuration);
    let alone = begun(&gateway);
    alone.request_body(&[b' '; 200_000], false);
    assert_eq!(alone.reply(), None);
    let second = begun(&gateway);
    second.request_body(b" ", false);
    assert_eq!(refusal(&second).1, FULL.1);
}

/// What rules have found in a body takes more than the body, and is counted with it. What one alone has is never too much.
#[test]
fn what_was_found_in_bodies_that_wait_is_a_part_of_what_they_hold() {
    let gateway = looking(200_000, "count");
    let found =
        format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{}"#, "a@b.co ".repeat(7_000));
    let begun = || {
        let stream = begun(&gateway);
        for chunk in found.as_bytes().chunks(16_384).take_while(|_| stream.reply().is_none()) {
            stream.request_body(chunk, false);
        }
        stream
    };
    let first = begun();
    assert_eq!(first.reply(), None);
    let second = begun();
    assert_eq!(refusal(&second), (FULL.0.into(), FULL.1.into()));
    assert_eq!(second.reply().unwrap().json()["error"]["detail"]["guard"], "max_waiting_bytes");
    second.end();
    first.request_body(br#""}],"max_tokens":50}"#, true);
    answered(&first);
    assert_eq!(first.record().unwrap()["content"]["request"]["found"][0]["times"], 7_000);
    assert_eq!(begun().reply(), None);
}

/// A body that comes whole, or without any, is over before it could wait.
#[test]
fn a_body_that_comes_at_once_is_never_too_many_bytes() {
    let gateway = gateway("max_waiting_bytes", 65_536);
    let waiting = begun(&gateway);
    waiting.request_body(&[b' '; 65_536], false);
    answered(&admitted(&gateway, BODY));
}

/// A stream may stay open for a quarter of an hour, and what it restores or checks stays with it.
#[test]
fn what_is_kept_until_an_answer_has_ended_is_held_until_then() {
    let gateway = looking(65_536, "restore");
    let of = |gateway: &Gateway, mails: usize| {
        let mails: String = (0..mails).map(|at| format!("m{at}@b.co ")).collect();
        let body =
            format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{mails}"}}],"max_tokens":50}}"#);
        admitted(gateway, &body)
    };
    let asked = |mails: usize| of(&gateway, mails);
    let some = asked(5);
    assert!(!is_full(&gateway));
    let many = asked(500);
    assert!(is_full(&gateway));
    answered(&many);
    assert!(!is_full(&gateway));
    answered(&some);
    let gateway = looking(65_536, "mask");
    let masked = of(&gateway, 500);
    assert!(!is_full(&gateway), "what is only masked is not kept");
    answered(&masked);
}
