//! Requests, however they come: read, admitted or refused, and sent on.

use super::*;
use crate::fake_host::Call;
use crate::filter::plugin::ONE_IN;
use proxy_wasm::types::LogLevel;

fn chunks(text: &str, sizes: usize) -> Vec<&[u8]> {
    text.as_bytes().chunks(sizes).collect()
}

#[test]
fn a_chat_is_admitted_metered_and_settled_once_wherever_its_chunks_are_cut() {
    for size in 1..=BODY.len() {
        for empty_last in [false, true] {
            let gateway = Gateway::configured(&configuration());
            let stream = gateway.stream();
            let length = BODY.len().to_string();
            stream.request_headers(&head(&[("content-length", &length), ("accept-encoding", "gzip")]), false);
            let pieces = chunks(BODY, size);
            for (at, piece) in pieces.iter().enumerate() {
                let end = !empty_last && at + 1 == pieces.len();
                let action = stream.request_body(piece, end);
                assert_eq!(action, if end { Action::Continue } else { Action::Pause });
            }
            if empty_last {
                stream.request_body(b"", true);
            }
            let upstream = stream.upstream().unwrap();
            assert_eq!((text(&upstream), upstream.header("content-length")), (BODY, Some(length.as_str())));
            assert_eq!(upstream.header("accept-encoding"), None);
            assert!(reserved() > NanoUsd(50 * 2_000));
            assert_eq!((requests(cell()), active()), (1, 1));

            stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
            for piece in chunks(ANSWER, size) {
                assert_eq!(stream.answer_body(piece, false), Action::Continue);
            }
            stream.answer_body(b"", true);
            with(|host| host.clock.0 += 1_500_000_000);
            stream.end();

            let client = stream.client().unwrap();
            assert_eq!(text(&client), ANSWER);
            assert_eq!(client.header("x-ratelimit-limit-requests"), Some("5000"));
            assert_eq!((reserved(), spent_today(), cell().lifetime()), (NanoUsd(0), NanoUsd(COST), NanoUsd(COST)));
            assert_eq!((ended("success"), active()), (1, 0));
        }
    }
}

#[test]
fn an_exchange_leaves_its_figures_in_stats_and_its_record_in_filter_state() {
    let gateway = Gateway::configured(&configuration());
    for _ in 0..2 {
        let stream = gateway.stream();
        stream.request_headers(&head(&[("x-ai-role", "chat")]), false);
        stream.request_body(BODY.as_bytes(), true);
        with(|host| host.clock.0 += 250_000_000);
        stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
        stream.answer_body(ANSWER.as_bytes(), true);
        with(|host| host.clock.0 += 1_000_000_000);
        stream.end();
        let record = stream.record().unwrap();
        let expected = json!({
            "v": 1, "request_id": "id-1", "tenant": "acme", "role": "chat", "provider": "simulated",
            "model": "gpt-4o-mini", "model_asked": "gpt-4o-mini", "model_answered": "gpt-4o-mini-2024-07-18",
            "stream": false, "outcome": "success", "status": 200, "attempts": 1, "input_tokens": 10,
            "output_tokens": 5, "total_tokens": 15, "cached_input_tokens": 0, "cache_creation_input_tokens": 0,
            "reasoning_tokens": 0, "usage_source": "reported", "cost_nanousd": COST, "audit": [],
            "duration_ms": 1_250, "first_byte_ms": 250,
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&record[field], value, "{field}");
        }
        assert!(record["reserved_nanousd"].as_u64().unwrap() > 100_000);
    }
    let labels = "provider=.=simulated;.;model=.=gpt-4o-mini;.;";
    let requests = format!("{labels}role=.=chat;.;tenant=.=acme;.;status=.=success;.;ai_gateway_requests_total");
    with(|host| {
        let expected = [
            (requests.clone(), 2),
            (format!("direction=.=input;.;{labels}tenant=.=acme;.;ai_gateway_tokens_total"), 20),
            (format!("direction=.=output;.;{labels}tenant=.=acme;.;ai_gateway_tokens_total"), 10),
            (format!("{labels}tenant=.=acme;.;ai_gateway_cost_nanousd_total"), 2 * COST),
            (format!("source=.=reported;.;{labels}ai_gateway_usage_total"), 2),
            (format!("source=.=reported;.;{labels}ai_gateway_spend_nanousd_total"), 2 * COST),
        ];
        let expected = expected.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(host.metrics(), expected);
        let duration = format!("{labels}status=.=success;.;ai_gateway_request_duration_ms");
        assert_eq!(host.samples(&duration), [1_250, 1_250]);
        assert_eq!(
            (host.definitions(&requests), host.definitions(&duration)),
            (1, 1),
            "an id leaks at each definition"
        );
        assert_eq!(host.logged(LogLevel::Info), ["configured: 1 tenants, 1 providers"]);
        assert_eq!(host.log.len(), 1);
    });
}

#[test]
fn the_tenants_gauges_follow_the_cell_at_each_tick() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    gateway.tick();
    let gauge = |name: &str| metric(&format!("tenant=.=acme;.;ai_gateway_{name}_nanousd"));
    assert_eq!(gauge("reserved"), reserved().0);
    answered(&stream);
    gateway.tick();
    assert_eq!((gauge("reserved"), gauge("spent_today"), gauge("spent_this_month")), (0, COST, COST));
    with(|host| host.clock.0 += 86_400_000_000_000);
    gateway.tick();
    assert_eq!((gauge("spent_today"), gauge("spent_this_month")), (0, COST));
}

#[test]
fn trailers_end_a_request_as_its_last_byte_does() {
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    stream.request_headers(&HEAD, false);
    assert_eq!(stream.request_body(BODY.as_bytes(), false), Action::Pause);
    assert_eq!((stream.upstream(), requests(cell())), (None, 0));
    assert_eq!(stream.request_trailers(), Action::Continue);
    assert_eq!((text(&stream.upstream().unwrap()), requests(cell())), (BODY, 1));
    answered(&stream);
    assert_eq!((cell().lifetime(), ended("success")), (NanoUsd(COST), 1));

    let garbage = gateway.stream();
    garbage.request_headers(&HEAD, false);
    garbage.request_body(b"{\"model\":", false);
    garbage.request_trailers();
    assert_eq!(refusal(&garbage), ("400".into(), "invalid_request".into()));
    let remaining = garbage.reply().unwrap().header("x-ratelimit-remaining-requests").map(str::to_owned);
    assert_eq!(remaining.as_deref(), Some("4999"), "every answer to a known tenant says where its windows stand");

    let nothing = gateway.stream();
    nothing.request_headers(&HEAD, false);
    nothing.request_trailers();
    assert_eq!(refusal(&nothing), ("400".into(), "invalid_request".into()));
}

/// What Envoy's `decompressor` inflated comes without a length and ends by trailers.
#[test]
fn an_inflated_body_goes_on_with_its_length_and_without_trailers() {
    let trailers = ["x-envoy-decompressor-gzip-compressed-bytes", "x-envoy-decompressor-gzip-uncompressed-bytes"];
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    stream.request_headers(&HEAD, false);
    stream.request_body(BODY.as_bytes(), false);
    assert_eq!(stream.request_trailers_of(&trailers), Action::Continue);
    let upstream = stream.upstream().unwrap();
    assert_eq!(upstream.header("content-length"), Some(&*upstream.body.len().to_string()));
    assert_eq!(stream.trailers_left(), 0);

    let message = |trailers: &[&str]| {
        let cut = gateway.stream();
        cut.request_headers(&HEAD, false);
        cut.request_body(b"{\"model\":\"gpt", false);
        cut.request_trailers_of(trailers);
        cut.reply().unwrap().json()["error"]["message"].to_string()
    };
    assert!(message(&trailers).contains("Its body was compressed"), "{}", message(&trailers));
    assert!(!message(&["grpc-status"]).contains("Its body was compressed"));
}

#[test]
fn headers_alone_are_no_chat() {
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    assert_eq!(stream.request_headers(&HEAD, true), Action::Pause);
    assert_eq!(refusal(&stream), ("400".into(), "invalid_request".into()));
    stream.end();
    assert_eq!(stream.record().unwrap()["outcome"], "invalid_request");
    assert_eq!(refused("acme", "other", "invalid_request"), 1);
    assert_eq!(with(|host| host.keys().len()), 0);
}

#[test]
fn what_costs_nothing_passes_untouched_and_untold() {
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    let headers = [(":method", "POST"), (":path", "/v1/files"), ("accept-encoding", "gzip")];
    assert_eq!(stream.request_headers(&headers, false), Action::Continue);
    assert_eq!(stream.request_body(b"anything", true), Action::Continue);
    stream.answer_headers(&[(":status", "200"), ("content-length", "2")], false);
    stream.answer_body(b"ok", true);
    stream.end();
    let upstream = stream.upstream().unwrap();
    assert_eq!((text(&upstream), upstream.header("accept-encoding")), ("anything", Some("gzip")));
    assert_eq!(stream.client().unwrap().header("content-length"), Some("2"));
    assert_eq!(stream.record(), None);
    with(|host| assert_eq!((host.metrics().len(), host.keys().len()), (0, 0)));
}

#[test]
fn an_edited_body_says_its_right_length() {
    // The alias, the bound and the wish for usage: all three edits, at the front and in the middle.
    let long = "x".repeat(200_000);
    for content in ["Grüße", &long] {
        for said in [true, false] {
            let gateway = Gateway::configured(&configuration());
            let body =
                format!(r#" {{"messages":[{{"role":"user","content":"{content}"}}],"stream":true,"model":"fast"}}"#);
            let length = body.len().to_string();
            let stream = gateway.stream();
            let length_header = [("content-length", length.as_str())];
            stream.request_headers(&head(if said { &length_header } else { &[] }), false);
            for piece in body.as_bytes().chunks(30_000) {
                stream.request_body(piece, false);
            }
            stream.request_body(b"", true);
            let upstream = stream.upstream().unwrap();
            let length = upstream.body.len().to_string();
            assert_eq!(upstream.header("content-length"), said.then_some(length.as_str()));
            let sent = upstream.json();
            assert_eq!(
                (sent["model"].as_str(), sent["messages"][0]["content"].as_str()),
                (Some("gpt-4o-mini"), Some(content))
            );
            assert_eq!(sent["stream_options"], json!({"include_usage": true}));
            assert!(sent["max_completion_tokens"].as_u64().unwrap() >= 16);
            assert_eq!(sent.as_object().unwrap().len(), 5);
        }
    }
}

#[test]
fn a_body_over_the_bound_is_refused_as_soon_as_it_is_known() {
    let mut configuration = with_key("max_request_bytes", json!(1_024));
    configuration["max_refused_bytes"] = json!(0);
    let gateway = Gateway::configured(&configuration);
    let said = gateway.stream();
    said.request_headers(&head(&[("content-length", "1025")]), false);
    assert_eq!(refusal(&said), ("413".into(), "request_too_large".into()));
    let untold = gateway.stream();
    untold.request_headers(&HEAD, false);
    assert_eq!(untold.request_body(&[b' '; 1_024], false), Action::Pause);
    assert_eq!(untold.reply(), None);
    untold.request_body(b" ", false);
    assert_eq!(refusal(&untold), ("413".into(), "request_too_large".into()));
    for stream in [said, untold] {
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], "request_too_large");
    }
}

#[test]
fn the_tenants_name_must_come_once_and_be_text() {
    let gateway = Gateway::configured(&configuration());
    let rows: [(&[&[u8]], &str, &str, &str); 6] = [
        (&[], "401", "tenant_missing", "none"),
        (&[b""], "401", "tenant_missing", "none"),
        (&[b"acme", b"acme"], "403", "tenant_unknown", "other"),
        (&[b"acme", b"nobody"], "403", "tenant_unknown", "other"),
        (&[b"nobody"], "403", "tenant_unknown", "other"),
        (&[b"acme\xff"], "403", "tenant_unknown", "other"),
    ];
    for (at, (values, status, code, label)) in rows.into_iter().enumerate() {
        let stream = gateway.stream();
        let mut headers: Vec<(&str, &[u8])> = vec![(":method", b"POST"), (":path", b"/v1/chat/completions")];
        headers.extend(values.iter().map(|value| ("X-Tenant-ID", *value)));
        assert_eq!(stream.request_headers(&headers, true), Action::Pause);
        assert_eq!(refusal(&stream), (status.into(), code.into()), "row {at}");
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["tenant"], &record["outcome"]), (&json!(label), &json!(code)), "row {at}");
    }
    with(|host| assert_eq!(host.keys().len(), 0, "an unknown tenant never creates a key"));
    assert_eq!((refused("none", "other", "tenant_missing"), refused("other", "other", "tenant_unknown")), (2, 4));
}

#[test]
fn headers_that_are_not_text_are_nobodys_concern() {
    let gateway = Gateway::configured(&configuration());
    let stream = gateway.stream();
    let mut headers: Vec<(&str, &[u8])> = HEAD.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    headers.extend([("user-agent", &b"\xff\xfe"[..]), ("x-ai-role", b"\xff"), ("content-length", b"\xff")]);
    headers[3] = ("x-request-id", b"id-\xff");
    stream.request_headers(&headers, false);
    stream.request_body(BODY.as_bytes(), true);
    answered(&stream);
    let record = stream.record().unwrap();
    assert_eq!((&record["role"], &record["request_id"]), (&json!("other"), &json!("id-\u{fffd}")));
    let passed = stream.upstream().unwrap().headers;
    assert!(passed.contains(&("user-agent".to_owned(), b"\xff\xfe".to_vec())));
}

#[test]
fn streams_under_way_at_once_do_not_mix() {
    let gateway = Gateway::configured(&configuration());
    let streams: Vec<_> = (0..5).map(|_| gateway.stream()).collect();
    for stream in &streams {
        stream.request_headers(&HEAD, false);
    }
    let (front, back) = BODY.as_bytes().split_at(40);
    streams.iter().for_each(|stream| assert_eq!(stream.request_body(front, false), Action::Pause));
    streams.iter().for_each(|stream| assert_eq!(stream.request_body(back, true), Action::Continue));
    assert_eq!((requests(cell()), active()), (5, 5));
    streams.iter().rev().for_each(answered);
    assert_eq!((reserved(), cell().lifetime(), active()), (NanoUsd(0), NanoUsd(5 * COST), 0));
}

/// Names that a client makes up are labels of nothing.
#[test]
fn ten_thousand_made_up_names_add_no_series() {
    let mut configuration = with_key("tenants", json!({"acme": {"unlimited": ["request_usd", "day_usd"]}}));
    configuration["limits"] = json!({"requests_per_minute": 1_000_000, "requests_per_hour": 1_000_000,
        "requests_per_day": 1_000_000, "expensive_per_minute": 1_000_000});
    let gateway = Gateway::configured(&configuration);
    let ask = |tenant: &str, role: &str, model: &str| {
        let stream = gateway.stream();
        let headers = [
            (":method", "POST"),
            (":path", "/v1/chat/completions"),
            ("x-tenant-id", tenant),
            ("x-ai-role", role),
            ("x-ai-sensitivity", "internal"),
        ];
        stream.request_headers(&headers, false);
        if stream.reply().is_none() {
            stream.request_body(BODY.replace("gpt-4o-mini", model).as_bytes(), true);
        }
        if stream.upstream().is_some() {
            answered(&stream);
        } else {
            stream.end();
        }
    };
    let series = || with(|host| host.metrics().len() + host.keys().len());
    let mut first = None;
    for nth in 0..3_334 {
        let name = format!("made-up-{nth}");
        ask(&name, "chat", "gpt-4o-mini");
        ask("acme", &name, "gpt-4o-mini");
        ask("acme", "chat", &name);
        gateway.drained();
        let now = series();
        assert!(now <= *first.get_or_insert(now) + 4, "after {nth}: {now}");
    }
    gateway.tick();
}

/// What a stream's pace and its kinds of tokens are counted as.
#[test]
fn a_streams_pace_is_counted() {
    let gateway = Gateway::configured(&configuration());
    let stream =
        admitted(&gateway, &BODY.replace('{', "{\"stream\":true,").replacen("{\"stream\":true,\"role", "{\"role", 1));
    stream.answer_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
    let later = |milliseconds: u64| with(|host| host.clock.0 += milliseconds * 1_000_000);
    later(300);
    stream.answer_body(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", false);
    later(1_000);
    let usage = r#"{"prompt_tokens":10,"completion_tokens":11,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":4}}"#;
    stream.answer_body(format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n").as_bytes(), true);
    stream.end();
    let of = "provider=.=simulated;.;model=.=gpt-4o-mini;.;";
    let sampled = |metric: &str| with(|host| host.samples(&format!("{of}{metric}")).to_vec());
    assert_eq!(sampled("ai_gateway_time_to_first_token_ms"), [300]);
    assert_eq!(sampled("ai_gateway_stream_duration_ms"), [1_000]);
    assert_eq!(sampled("ai_gateway_time_per_output_token_us"), [100_000]);
    assert_eq!(metric(&format!("kind=.=reasoning;.;{of}ai_gateway_tokens_by_kind_total")), 4);
}

/// One request in 64 is watched; those that are none of ours are not counted.
#[test]
fn what_the_filter_costs_is_sampled() {
    let gateway = Gateway::configured(&configuration());
    with(|host| host.look_takes = 1_000);
    let mut looks = 0;
    for _ in 0..2 * ONE_IN {
        with(|host| host.calls.clear());
        answered(&admitted(&gateway, BODY));
        looks = with(|host| host.calls[&Call::CurrentTime]);
    }
    // The last one was watched. Each of its five callbacks begins with a look whose own time is not in it.
    let said = || with(|host| host.samples("ai_gateway_filter_time_us").to_vec());
    assert_eq!(said(), [looks - 5; 2]);
    for _ in 0..ONE_IN {
        let aside = gateway.stream();
        aside.request_headers(&[(":method", "GET"), (":path", "/")], true);
        aside.end();
    }
    assert_eq!(said().len(), 2);
}

/// Behind a form's name a server reads a form, and behind one of gRPC Envoy's router counts failures that no matcher sees.
#[test]
fn a_body_that_was_read_as_json_goes_on_as_json() {
    for (written, on) in [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "Application/JSON; charset=utf-8"),
        ("application/x-www-form-urlencoded", "application/json"),
        ("application/grpc", "application/json"),
        ("application/grpc-web+json", "application/json"),
        ("text/plain", "application/json"),
        ("multipart/form-data; boundary=b", "application/json"),
    ] {
        let gateway = Gateway::configured(&configuration());
        let stream = gateway.stream();
        stream.request_headers(&head(&[("content-type", written)]), false);
        stream.request_body(BODY.as_bytes(), true);
        assert_eq!(stream.upstream().unwrap().header("content-type"), Some(on), "{written}");
    }
}

/// It was no form to the reader, so it must be none to the provider.
#[test]
fn a_form_that_cannot_be_read_as_one_goes_on_as_json() {
    for written in
        ["multipart/form-data", "multipart/form-data; boundary=a; boundary=b", "multipart/form-datas; boundary=b"]
    {
        let gateway = Gateway::configured(&configuration());
        let stream = gateway.stream();
        let head = HEAD.map(|(name, value)| (name, if name == ":path" { "/v1/audio/speech" } else { value }));
        stream.request_headers(&[&head[..], &[("content-type", written)]].concat(), false);
        stream.request_body(br#"{"model":"gpt-4o-mini","input":"hi","voice":"alloy"}"#, true);
        assert_eq!(stream.upstream().unwrap().header("content-type"), Some("application/json"), "{written}");
    }
}

/// What a body has very much of is counted and not kept: a worker's memory, once taken, is never given back.
#[test]
fn nothing_that_comes_by_the_million_is_kept() {
    let (chat, responses, messages) = ("/v1/chat/completions", "/v1/responses", "/v1/messages");
    for (path, list, one, refused) in [
        (chat, "tools", "{}", true),
        (chat, "tools", r#"{"type":"function"}"#, true),
        (chat, "tools", r#"{"type":"mcp"}"#, true),
        (chat, "tools", r#"{"type":"x"}"#, true),
        (chat, "tools", r#"{"model":"m"}"#, true),
        (chat, "plugins", "{}", true),
        (chat, "messages", "{}", false),
        (chat, "messages", r#"{"content":[{"type":"text"}]}"#, false),
        (chat, "stop", r#""""#, false),
        (chat, "new_field", "{}", false),
        (chat, "new_field", r#""x""#, true),
        (responses, "input", r#"{"type":"x"}"#, false),
        (responses, "input", r#"{"id":"x"}"#, true),
        (responses, "input", r#"{"tools":[{}]}"#, true),
        (messages, "mcp_servers", "{}", true),
        (messages, "anthropic_beta", r#""x""#, true),
        (messages, "messages", r#"{"content":[{}]}"#, false),
    ] {
        let mut body = format!(r#"{{"model":"gpt-4o-mini","max_tokens":9,"{list}":[{one}"#);
        while body.len() < 4_000_000 {
            body.push(',');
            body.push_str(one);
        }
        body.push(']');
        if list != "messages" {
            body.push_str(r#","messages":[]"#);
        }
        body.push('}');
        let gateway = Gateway::configured(&configuration());
        let stream = gateway.stream();
        stream.request_headers(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")], false);
        let before = allocations();
        stream.request_body(body.as_bytes(), true);
        let taken = allocations() - before;
        assert!(taken < 60_000, "{path} {list} {one}: {taken} allocations");
        let status = stream.reply().map(|reply| reply.header(":status").unwrap().to_owned());
        // By its price, or by name.
        assert_eq!(status.as_deref() == Some("400"), refused, "{path} {list} {one}: {status:?}");
        stream.end();
    }
}
