//! Other filters that hold a request, before and behind this one: the provider gets every byte, whoever lets go first.
//!
//! Envoy lost pieces of bodies between such filters until its releases of August 2026 (see envoy/manual/envoys.md), so what each
//! combination comes to on this Envoy is printed as well.

mod processor;

use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{Chat, Frames, ask_h2, chat};
use crate::envoy::{Gateway, Setup, fixtures, free_tenant, policy};

/// What a filter does with a body, by its name here. To compare with, one that does nothing.
const KINDS: [&str; 7] =
    ["nothing", "buffer", "lua_whole", "lua_pieces", "BUFFERED", "STREAMED", "FULL_DUPLEX_STREAMED"];
const PLACES: [&str; 2] = ["before", "behind"];
/// What lets the head of an answer go after a while.
const ANSWERS_HEAD: &str = "ANSWERS_HEAD";

fn filter(kind: &str) -> Value {
    let of = |package: &str, message: &str, mut config: Value| {
        let path = format!("type.googleapis.com/envoy.extensions.filters.http.{package}.v3.{message}");
        config["@type"] = json!(path);
        config
    };
    let lua = |body: &str| json!({"default_source_code": {"inline_string": format!("function envoy_on_request(handle) {body} end")}});
    match kind {
        "nothing" => {
            of("lua", "Lua", json!({"default_source_code": {"inline_string": "function envoy_on_request(handle) end"}}))
        }
        "buffer" => of("buffer", "Buffer", json!({"max_request_bytes": 8_388_608})),
        "lua_whole" => of("lua", "Lua", lua("handle:body()")),
        "lua_pieces" => of("lua", "Lua", lua("for piece in handle:bodyChunks() do end")),
        mode => {
            let trailers = if mode == "FULL_DUPLEX_STREAMED" { "SEND" } else { "SKIP" };
            let (asked, answered, body) =
                if mode == ANSWERS_HEAD { ("SKIP", "SEND", "NONE") } else { ("SEND", "SKIP", mode) };
            let service = json!({
                "envoy_grpc": {"cluster_name": "processor"},
                "timeout": "60s",
                "initial_metadata": [{"key": "x-mode", "value": mode}],
            });
            of(
                "ext_proc",
                "ExternalProcessor",
                json!({
                    "grpc_service": service,
                    "message_timeout": "60s",
                    "processing_mode": {
                        "request_header_mode": asked, "response_header_mode": answered,
                        "request_body_mode": body, "response_body_mode": "NONE",
                        "request_trailer_mode": trailers, "response_trailer_mode": "SKIP",
                    },
                }),
            )
        }
    }
}

/// Tests take turns, so that the provider is idle when one of them looks at what it got.
async fn in_turn() -> MutexGuard<'static, Gateway> {
    static GATEWAY: OnceCell<Mutex<Gateway>> = OnceCell::const_new();
    GATEWAY.get_or_init(async || Mutex::new(Gateway::start(setup()).await)).await.lock().await
}

/// All of them, in both places, none of which does anything but on the route that names it.
fn setup() -> Setup {
    let processor = processor::start();
    let kinds = || KINDS.into_iter().chain([ANSWERS_HEAD]);
    let chain = |place: &str| {
        let filters = kinds()
            .map(|kind| json!({"name": format!("{kind}_{place}"), "disabled": true, "typed_config": filter(kind)}));
        filters.map(|filter| format!("          - {filter}\n")).collect()
    };
    let names = PLACES.iter().flat_map(|place| kinds().map(move |kind| format!("{kind}_{place}")));
    let routes = names.map(|name| {
        let on = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
        let route = json!({
            "match": {"prefix": "/v1/chat/completions", "headers": [{"name": "x-neighbour", "string_match": {"exact": name}}]},
            "route": {"cluster": "provider", "timeout": "300s"},
            "typed_per_filter_config": {name: on},
        });
        format!("              - {route}\n")
    });
    let http2 = json!({"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}}});
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": processor.port()}});
    let cluster = json!({
        "name": "processor",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {"cluster_name": "processor", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    });
    Setup {
        insertions: vec![
            ("          - name: nexus", chain("before")),
            ("          - name: envoy.filters.http.router", chain("behind")),
            ("              - name: chat_completions", routes.collect()),
            (
                "  # envoy/start/run puts another cluster here when OPENAI_BASE_URL names a provider.",
                format!("  - {cluster}\n"),
            ),
        ],
        ..Setup::new("neighbours", policy(json!({"acme": free_tenant()})))
    }
}

/// In pieces of 16 KiB, each ready when the one before it has gone.
fn pieces(body: &[u8]) -> Vec<Frame<Bytes>> {
    body.chunks(16 << 10).map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect()
}

fn bodies() -> Vec<Chat> {
    let long = |length: usize| "0123456789abcdef".repeat(length / 16);
    let of = |length: usize| chat("acme").saying(&long(length)).sim("tokens=2");
    // As it came, and with what the filter writes into it.
    let sizes = [64, 20 << 10, 200 << 10, 2 << 20];
    sizes
        .into_iter()
        .flat_map(|size| [of(size), of(size).stream(), of(size).without("max_completion_tokens")])
        .collect()
}

/// What went wrong with this request, if anything did.
async fn lost(gateway: &Gateway, asked: &Chat, by_http2: bool) -> Option<String> {
    let frames = || Frames::ending(pieces(&asked.body()));
    let answer = if by_http2 {
        ask_h2(gateway.addr, asked.request_h2(frames())).await
    } else {
        gateway.ask(asked.request_of(frames())).await
    };
    if answer.status != 200 {
        let protocol = if by_http2 { "HTTP/2" } else { "HTTP/1.1" };
        return Some(format!("{} to {} bytes by {protocol}", answer.status, asked.body().len()));
    }
    let record = gateway.record_of(&answer).await;
    let entry = gateway.entry_of(&record)?;
    let text = serde_json::from_slice::<Value>(&asked.body()).unwrap()["messages"][0]["content"].as_str().unwrap().len()
        as u64;
    let whole = entry.prompt_tokens == text / 4 + 4 && entry.output_bound.is_some();
    (!whole).then(|| format!("{} tokens of {text} bytes, bound {:?}", entry.prompt_tokens, entry.output_bound))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_comes_through_filters_that_hold_it_too() {
    let gateway = in_turn().await;
    let mut harmed = Vec::new();
    for place in PLACES {
        // What this Envoy refuses without any neighbour, it refuses with one as well.
        let mut alone = Vec::new();
        for kind in KINDS {
            let name: &'static str = format!("{kind}_{place}").leak();
            let mut found = Vec::new();
            for asked in bodies() {
                for by_http2 in [false, true] {
                    let asked = asked.clone().header("x-neighbour", name);
                    found.push(lost(&gateway, &asked, by_http2).await);
                }
            }
            let count = found.iter().flatten().count();
            let first = found.iter().flatten().next().map_or("", |what| what);
            println!("{place:<7} {kind:<22} {count} of {} requests harmed {first}", found.len());
            if kind == "nothing" {
                alone = found;
            } else {
                let more = found.into_iter().zip(&alone).filter(|(what, alone)| what.is_some() && what != *alone);
                harmed.extend(more.map(|(what, _)| (name, what)));
            }
        }
    }
    assert!(harmed.is_empty(), "{harmed:#?}");
    assert_eq!(gateway.dead_vms().await, 0);
}

/// A stream that comes whole in one frame, whose head another filter holds meanwhile, loses the event that is not the client's, and
/// nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_one_frame_comes_through_a_filter_that_holds_the_answers_head() {
    let gateway = in_turn().await;
    let sent = fixtures().join("openai_chat/openai_sse_usage_chunk/answer.sse");
    let sent = std::fs::read_to_string(sent).unwrap();
    let events = sent.split_inclusive("\n\n").filter(|event| !event.contains("\"usage\":{"));
    let kept: String = events.collect();
    assert!(kept.len() < sent.len() && kept.ends_with("data: [DONE]\n\n"));
    for place in PLACES {
        let name: &'static str = format!("{ANSWERS_HEAD}_{place}").leak();
        for by_http2 in [false, true] {
            let asked =
                chat("acme").stream().sim("case=openai_chat/openai_sse_usage_chunk").header("x-neighbour", name);
            let answer = if by_http2 {
                ask_h2(gateway.addr, asked.request_h2(Frames::ending(pieces(&asked.body())))).await
            } else {
                gateway.ask(asked.request()).await
            };
            assert_eq!((answer.status, answer.text()), (200, kept.clone()), "{name}");
            let record = gateway.record_of(&answer).await;
            assert_eq!(record["usage_source"], "reported", "{name}: {record}");
        }
    }
    assert_eq!(gateway.dead_vms().await, 0);
}
