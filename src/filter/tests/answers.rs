//! Answers, however they come and end: metered as they pass, and settled once.

use super::*;

const SSE: [(&str, &str); 2] = [(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")];
const STREAM: &str =
    r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true}"#;
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}\n\n";

fn event(content: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}],\"usage\":null}}\n\n")
}

fn streamed(body: &str, pieces: &[&[u8]]) -> Stream {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, body);
    stream.answer_headers(&SSE, false);
    for piece in pieces {
        assert_eq!(stream.answer_body(piece, false), Action::Continue);
    }
    stream.answer_body(b"", true);
    stream.end();
    stream
}

fn is_settled_as_reported(stream: &Stream) {
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("success"), &json!("reported")));
    assert_eq!((cell().lifetime(), reserved(), active()), (NanoUsd(COST), NanoUsd(0), 0));
}

#[test]
fn the_usage_that_only_the_gateway_asked_for_never_reaches_the_client() {
    let content = [event("Grüße"), ": ping\n\n".to_owned(), event("!")].concat();
    let done = "data: [DONE]\n\n";
    let all = [&content, USAGE, done].concat();
    let expected = [&content, done].concat();
    let bytes = all.as_bytes();
    let cuts = (0..=bytes.len()).map(|cut| vec![&bytes[..cut], &bytes[cut..]]);
    let sizes = (1..40).map(|size| bytes.chunks(size).collect());
    for pieces in cuts.chain(sizes) {
        let stream = streamed(STREAM, &pieces);
        let sent = stream.upstream().unwrap();
        assert_eq!(sent.json()["stream_options"], json!({"include_usage": true}));
        assert_eq!(sent.header("content-length"), Some(sent.body.len().to_string().as_str()));
        let client = stream.client().unwrap();
        assert_eq!(text(&client), expected);
        is_settled_as_reported(&stream);
    }
}

/// Some relays send events under the head of one document, and say how long it is.
#[test]
fn events_under_another_head_lose_their_length_and_the_usage_that_only_the_gateway_asked_for() {
    let (content, done) = (event("hi"), "data: [DONE]\n\n");
    let all = [&content, USAGE, done].concat();
    let length = all.len().to_string();
    for kind in ["application/json", "text/plain", "application/octet-stream"] {
        for size in [1, 7, 1_000] {
            let gateway = Gateway::configured(&configuration());
            let stream = admitted(&gateway, STREAM);
            stream.answer_headers(&[(":status", "200"), ("content-type", kind), ("content-length", &length)], false);
            for piece in all.as_bytes().chunks(size) {
                assert_eq!(stream.answer_body(piece, false), Action::Continue);
            }
            stream.answer_body(b"", true);
            stream.end();
            let client = stream.client().unwrap();
            let kept = [&*content, done].concat();
            assert_eq!((text(&client), client.header("content-length")), (&*kept, None), "{kind}");
            is_settled_as_reported(&stream);
        }
    }
}

#[test]
fn the_usage_that_the_client_asked_for_reaches_it() {
    let asked = STREAM.replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    let all = [&event("hi"), USAGE, "data: [DONE]\n\n"].concat();
    for size in [1, 7, 1_000] {
        let stream = streamed(&asked, &all.as_bytes().chunks(size).collect::<Vec<_>>());
        assert_eq!(text(&stream.upstream().unwrap()), asked);
        assert_eq!(text(&stream.client().unwrap()), all);
        is_settled_as_reported(&stream);
    }
}

#[test]
fn answers_larger_than_a_piece_are_edited_and_metered_too() {
    const PIECE: usize = 64 * 1024;
    // The usage event stands before, across and behind the border of a piece.
    for fill in [PIECE - 400, PIECE - 200, PIECE - 120, PIECE - 60, PIECE, 3 * PIECE + 11] {
        let before =
            [event(&"x".repeat(fill % 10_000)), event("filler filler").repeat(fill / event("filler filler").len())]
                .concat();
        let after = [": ", &"y".repeat(PIECE * 2), "\n\ndata: [DONE]\n\n"].concat();
        let all = [&before, USAGE, &after].concat();
        let expected = [before.as_str(), &after].concat();
        for size in [all.len(), PIECE, PIECE + 1, 100_000] {
            let stream = streamed(STREAM, &all.as_bytes().chunks(size).collect::<Vec<_>>());
            let client = stream.client().unwrap();
            assert!(client.body == expected.as_bytes(), "fill {fill}, chunks of {size}");
            is_settled_as_reported(&stream);
        }
    }
}

#[test]
fn a_large_answer_in_json_is_metered_in_pieces_and_left_as_it_is() {
    let answer = ANSWER.replace("hello", &"x".repeat(300_000));
    for size in [answer.len(), 70_000] {
        let gateway = Gateway::configured(&configuration());
        let stream = admitted(&gateway, BODY);
        let length = answer.len().to_string();
        stream.answer_headers(
            &[(":status", "200"), ("content-type", "application/json"), ("content-length", &length)],
            false,
        );
        let pieces: Vec<_> = answer.as_bytes().chunks(size).collect();
        for (at, piece) in pieces.iter().enumerate() {
            stream.answer_body(piece, at + 1 == pieces.len());
        }
        stream.end();
        let client = stream.client().unwrap();
        assert!(client.body == answer.as_bytes());
        assert_eq!(client.header("content-length"), Some(length.as_str()));
        is_settled_as_reported(&stream);
    }
}

#[test]
fn an_edited_answer_loses_its_length() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, STREAM);
    stream.answer_headers(&[SSE[0], SSE[1], ("content-length", "999")], false);
    assert_eq!(stream.client().unwrap().header("content-length"), None);
    stream.answer_body(USAGE.as_bytes(), true);
    assert_eq!(stream.client().unwrap().body, b"");
    stream.end();
    is_settled_as_reported(&stream);
}

#[test]
fn an_answer_that_ends_by_trailers_is_whole() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, STREAM);
    stream.answer_headers(&SSE, false);
    // Without its blank line: some servers end so.
    let all = [&event("hi"), USAGE, "data: [DONE]\n"].concat();
    stream.answer_body(all.as_bytes(), false);
    stream.answer_trailers();
    stream.end();
    assert_eq!(text(&stream.client().unwrap()), [event("hi"), "data: [DONE]\n".to_owned()].concat());
    is_settled_as_reported(&stream);
}

/// One in 64 streams is watched.
#[test]
fn the_trailers_of_a_watched_answer_are_its_end_too_and_go_nowhere() {
    let gateway = Gateway::configured(&configuration());
    for nth in 1..=65 {
        let stream = admitted(&gateway, STREAM);
        stream.answer_headers(&SSE, false);
        stream.answer_body(event("hi").as_bytes(), false);
        stream.answer_trailers();
        assert_eq!(stream.answer_trailers_left(), 0, "{nth}");
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], "success", "{nth}");
    }
}

/// Providers tell limits of their own under the same names: two of them would leave a client to choose.
#[test]
fn the_providers_own_limits_are_not_shown() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    stream.answer_headers(
        &[SSE[0], SSE[1], ("x-ratelimit-limit-requests", "7"), ("x-ratelimit-limit-requests", "8")],
        false,
    );
    let said = stream.client().unwrap().headers;
    let said = said.iter().filter(|(name, _)| name == "x-ratelimit-limit-requests").map(|(_, value)| value.as_slice());
    assert_eq!(said.collect::<Vec<_>>(), [b"5000"]);
}

#[test]
fn an_answer_of_envoys_own_is_not_metered() {
    let gateway = Gateway::configured(&configuration());
    for (status, details) in [(503, "no_healthy_upstream"), (504, "response_timeout")] {
        let stream = admitted(&gateway, BODY);
        stream.answer_by_envoy(status, details);
        stream.number("response.flags", 2);
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["outcome"], &record["status"]), (&json!("provider_unavailable"), &json!(status)));
        assert_eq!((&record["cost_nanousd"], &record["usage_source"]), (&json!(0), &json!("none")));
        assert_eq!(stream.client().unwrap().header("x-ratelimit-limit-requests"), Some("5000"));
    }
    assert_eq!((cell().lifetime(), reserved(), active()), (NanoUsd(0), NanoUsd(0), 0));
    assert_eq!(ended("provider_unavailable"), 2);
}

#[test]
fn a_request_that_was_never_answered_gives_its_reservation_back() {
    const CLIENT_GONE: u64 = 1 << 14;
    const CLIENT_RESET: u64 = 1 << 28;
    let whole = 50 * 2_000 + BODY.len().div_ceil(4) as u64 * 1_000;
    // Before a connection was there it cost nothing; behind it, the answer may have been generated. A stream of HTTP/2 that is
    // reset with NO_ERROR leaves no flag.
    for (sent, flags, cost) in
        [(false, CLIENT_GONE, 0), (true, CLIENT_GONE, whole), (true, CLIENT_RESET, whole), (true, 0, whole)]
    {
        let gateway = Gateway::configured(&configuration());
        let stream = admitted(&gateway, BODY);
        if sent {
            stream.attribute("upstream.address", b"127.0.0.1:8080");
        }
        stream.number("response.flags", flags);
        // Time enough for all that it was bounded to.
        with(|host| host.clock = UnixNanos(host.clock.0 + 1_000_000_000));
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], "client_closed");
        assert_eq!((cell().lifetime(), reserved(), active()), (NanoUsd(cost), NanoUsd(0), 0));
    }
}

#[test]
fn a_stream_that_broke_off_is_charged_for_what_was_seen() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, STREAM);
    stream.answer_headers(&SSE, false);
    stream.answer_body([event("12345678"), "data: {\"choices\":[{\"del".to_owned()].concat().as_bytes(), false);
    stream.number("response.flags", 1 << 14);
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("estimated")));
    assert_eq!(record["output_tokens"], 2);
    assert_eq!(reserved(), NanoUsd(0));
    assert!(cell().lifetime() > NanoUsd(0));
}

/// By HTTP/2 a client may reset its stream: with NO_ERROR, Envoy has no flag for it.
#[test]
fn an_answer_that_its_client_reset_is_left_and_not_whole() {
    let first = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "four".repeat(25));
    for flags in [1 << 28, 0] {
        for body in [STREAM, BODY] {
            let gateway = Gateway::configured(&configuration());
            let stream = admitted(&gateway, body);
            let content_type = if body == STREAM { "text/event-stream" } else { "application/json" };
            stream.answer_headers(&[(":status", "200"), ("content-type", content_type)], false);
            stream.answer_body(if body == STREAM { first.as_bytes() } else { &ANSWER.as_bytes()[..40] }, false);
            stream.number("response.flags", flags);
            with(|host| host.clock = UnixNanos(host.clock.0 + 1_000_000_000));
            stream.end();
            let record = stream.record().unwrap();
            assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("estimated")));
            assert!(record["output_tokens"].as_u64() >= Some(25), "{record}");
        }
    }
}

#[test]
fn a_log_without_a_request_or_a_second_one_tells_nothing() {
    let gateway = Gateway::configured(&configuration());
    let never = gateway.stream();
    never.number("response.code", 400);
    never.end();
    assert_eq!(never.record(), None);
    with(|host| assert_eq!((host.metrics().len(), host.keys().len()), (0, 0)));

    let stream = admitted(&gateway, BODY);
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(ANSWER.as_bytes(), true);
    stream.log();
    let left = || with(|host| (format!("{:?}", host.metrics()), host.shared(KEY).map(<[u8]>::to_vec)));
    let before = left();
    stream.log();
    stream.end();
    assert_eq!(left(), before);
    is_settled_as_reported(&stream);
}

#[test]
fn a_request_that_broke_off_in_its_body_is_recorded_and_holds_nothing() {
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    stream.request_headers(&HEAD, false);
    stream.request_body(&BODY.as_bytes()[..20], false);
    stream.number("response.flags", 1 << 14);
    stream.end();
    assert_eq!(stream.record().unwrap()["outcome"], "client_closed");
    assert_eq!(refused("acme", "other", "client_closed"), 1);
    assert_eq!(with(|host| host.keys().len()), 0);
}

#[test]
fn the_gauge_of_active_exchanges_falls_where_it_rose() {
    // Failover between clusters, and a route that is known only later.
    for (first, last) in [("provider", "other_provider"), ("", "provider"), ("provider", "")] {
        let gateway = Gateway::configured(&with_key(
            "providers",
            json!({"simulated": {"cluster": "provider"}, "second": {"cluster": "other_provider"}}),
        ));
        let stream = gateway.stream();
        stream.attribute("xds.cluster_name", first.as_bytes());
        stream.request_headers(&HEAD, false);
        stream.request_body(BODY.as_bytes(), true);
        stream.attribute("xds.cluster_name", last.as_bytes());
        answered(&stream);
        let gauges = with(|host| {
            let gauges = host.metrics().into_iter().filter(|(name, _)| name.ends_with("active_connections"));
            gauges.map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>()
        });
        assert_eq!(gauges, [], "from {first:?} to {last:?}");
    }
}

/// It is one call of the host, and the memory that this hands it over in. So is a piece of one, unless the end of the stream
/// is to be left out: then what may be it is held until it is whole.
#[test]
fn an_event_allocates_nothing() {
    let gateway = Gateway::configured(&configuration());
    let event = "data: {\"id\":\"x\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"café\\n\"}}],\"usage\":null}\n\n".as_bytes();
    for asks in [true, false] {
        let mut body: Value = serde_json::from_str(BODY).unwrap();
        body["stream"] = json!(true);
        if asks {
            body["stream_options"] = json!({"include_usage": true});
        }
        let stream = admitted(&gateway, &body.to_string());
        stream.answer_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
        assert!(allocations() > 0, "they are counted");
        let calls = || with(|host| host.calls.values().sum::<u64>());
        let passes = |piece: &[u8]| {
            let before = (allocations(), calls());
            stream.answer_body(piece, false);
            (allocations() - before.0, calls() - before.1)
        };
        // The first asks for the time, too, and the second finds a place in which an event is remembered.
        passes(event);
        assert_eq!(passes(event), (1, 1), "asks: {asks}");
        for _ in 0..3 {
            assert_eq!(passes(event), (0, 1), "asks: {asks}");
        }
        let other = String::from_utf8_lossy(event).replace("\\n", " au lait");
        for event in [event, other.as_bytes(), other.replace(" au", "").as_bytes()] {
            assert_eq!(passes(event), (0, 1), "asks: {asks}");
        }
        for cut in (0..event.len()).filter(|_| asks) {
            let (front, back) = event.split_at(cut);
            // An empty piece is no reason to ask the host for anything.
            let called = u64::from(cut > 0);
            assert_eq!((passes(front), passes(back)), ((0, called), (0, 1)), "cut at {cut}");
        }
    }
}
