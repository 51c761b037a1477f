//! Refusals while the body is coming: they wait for its end, and nothing of it is held.

use super::*;

/// Longer than a request may be, and shorter than what is read of a refused one.
const LARGE: (&str, &str) = ("content-length", "80000");

fn configured(more: &[(&str, Value)]) -> Gateway {
    let mut configuration = with_key("max_request_bytes", json!(65_536));
    configuration["max_refused_bytes"] = json!(100_000);
    configuration["max_waiting_bodies"] = json!(2);
    for (key, value) in more {
        configuration[*key] = value.clone();
    }
    Gateway::configured(&configuration)
}

fn begun(gateway: &Gateway, more: &[(&str, &str)]) -> Stream {
    let stream = gateway.stream();
    assert_eq!(stream.request_headers(&head(more), false), Action::Pause);
    stream
}

static PIECE: [u8; 40_000] = [b' '; 40_000];

#[test]
fn a_refusal_at_the_head_comes_with_the_last_byte() {
    let gateway = configured(&[]);
    let stream = begun(&gateway, &[LARGE]);
    assert_eq!(stream.reply(), None);
    assert_eq!(stream.request_body(&PIECE, false), Action::Pause);
    assert_eq!((stream.reply(), stream.held()), (None, 0));
    stream.request_body(&PIECE, true);
    assert_eq!(refusal(&stream), ("413".into(), "request_too_large".into()));
    assert_eq!(stream.held(), 0);
    assert_eq!(stream.reply().unwrap().header("x-ratelimit-limit-requests"), Some("5000"));
    stream.end();
    assert_eq!(stream.record().unwrap()["outcome"], "request_too_large");
}

#[test]
fn so_does_one_in_the_middle_and_one_that_ends_in_trailers() {
    let gateway = configured(&[]);
    let stream = begun(&gateway, &[]);
    stream.request_body(&PIECE, false);
    assert_eq!(stream.held(), 40_000);
    stream.request_body(&PIECE, false);
    assert_eq!((stream.reply(), stream.held()), (None, 0), "what had come is dropped, too");
    stream.request_trailers();
    assert_eq!(refusal(&stream), ("413".into(), "request_too_large".into()));
    stream.end();
}

#[test]
fn whatever_was_refused_waits_whoever_asked() {
    let gateway = configured(&[]);
    for (more, status, code) in [
        (&[(":path", "/v1/chat/completions"), ("x-tenant-id", "nobody")][..], "403", "tenant_unknown"),
        (&[(":path", "/v1/chat/completions")], "401", "tenant_missing"),
        (&[(":path", "/v1/messages/count_tokens"), ("x-tenant-id", "nobody")], "403", "tenant_unknown"),
        (
            &[(":path", "/v1/messages/count_tokens"), ("x-tenant-id", "acme"), ("content-encoding", "br")],
            "415",
            "unsupported_encoding",
        ),
        (
            &[(":path", "/v1/chat/completions"), ("x-tenant-id", "acme"), ("content-encoding", "br")],
            "415",
            "unsupported_encoding",
        ),
    ] {
        let stream = gateway.stream();
        stream.request_headers(&[&[(":method", "POST")], more].concat(), false);
        assert_eq!(stream.reply(), None, "{code}");
        stream.request_body(&PIECE, false);
        stream.request_body(b"", true);
        assert_eq!(refusal(&stream), (status.into(), code.into()));
        stream.end();
    }
}

/// Each of the bounds, at which it goes out at once: nobody may have the gateway read for ever.
#[test]
fn a_refusal_waits_only_within_its_bounds() {
    // By its head it is longer.
    let gateway = configured(&[]);
    let stream = begun(&gateway, &[("content-length", "100001")]);
    assert_eq!(refusal(&stream).1, "request_too_large");
    stream.end();

    // By its head it isn't, or says nothing.
    for more in [&[LARGE][..], &[]] {
        let stream = begun(&gateway, more);
        stream.request_body(&[b' '; 99_999], false);
        assert_eq!(stream.reply(), None);
        stream.request_body(b" ", false);
        assert_eq!(refusal(&stream).1, "request_too_large");
        stream.end();
    }

    // The tenant has no place for one more, and so has nobody in particular.
    for (tenant, status) in [("acme", "413"), ("nobody", "403")] {
        let more = [(":path", "/v1/chat/completions"), ("x-tenant-id", tenant), ("content-length", "80000")];
        let ask = || {
            let stream = gateway.stream();
            stream.request_headers(&[&[(":method", "POST")][..], &more].concat(), false);
            stream
        };
        let waiting = [ask(), ask()];
        assert!(waiting.iter().all(|stream| stream.reply().is_none()), "{tenant}");
        let third = ask();
        assert_eq!(third.reply().expect("a reply").header(":status"), Some(status), "{tenant}");
        third.end();
        waiting.iter().for_each(Stream::end);
        let next = ask();
        assert_eq!(next.reply(), None, "{tenant}: each ending makes room");
        next.end();
    }

    // The operator wants none of it, or Envoy gives no body before the head goes on.
    for (key, value) in [("max_refused_bytes", json!(0)), ("hold_headers", json!(false))] {
        let gateway = configured(&[(key, value)]);
        for more in [&[LARGE][..], &[("content-encoding", "br")]] {
            let stream = begun(&gateway, more);
            assert!(stream.reply().is_some(), "{key}");
            stream.end();
        }
    }
}

/// Who has too much unfinished may not have more of it.
#[test]
fn a_crowd_is_refused_at_once() {
    let gateway = configured(&[]);
    let waiting = [begun(&gateway, &[]), begun(&gateway, &[])];
    assert!(waiting.iter().all(|stream| stream.reply().is_none()));
    assert_eq!(refusal(&begun(&gateway, &[])).1, "in_flight_limited");
}

#[test]
fn a_client_that_stops_sending_gets_its_refusal_after_some_seconds() {
    let gateway = configured(&[]);
    let [slow, silent] = [begun(&gateway, &[LARGE]), begun(&gateway, &[LARGE])];
    for second in 1..=5 {
        gateway.tick();
        assert_eq!(silent.reply(), None, "after {second} s");
        slow.request_body(b" ", false);
    }
    gateway.tick();
    assert_eq!(refusal(&silent), ("413".into(), "request_too_large".into()));
    assert_eq!(slow.reply(), None, "somebody is still sending");
    silent.end();
    for _ in 0..10 {
        gateway.tick();
    }
    assert_eq!(refusal(&slow).1, "request_too_large");
    slow.end();
    gateway.tick();
    assert_eq!(with(|host| host.logged(proxy_wasm::types::LogLevel::Error).len()), 0);
}

#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let gateway = configured(&[]);
    for end in [Stream::end, Stream::drop_silently] {
        let stream = begun(&gateway, &[LARGE]);
        stream.request_body(&PIECE, false);
        end(&stream);
        for _ in 0..10 {
            gateway.tick();
        }
    }
    let open = [begun(&gateway, &[LARGE]), begun(&gateway, &[LARGE])];
    assert!(open.iter().all(|stream| stream.reply().is_none()), "their places are free");
}
