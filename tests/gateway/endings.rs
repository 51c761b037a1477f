//! Every way an exchange can end, each settled once: one record, no reservation left, no connection counted.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use simulated_provider::Ending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::timeout;

use crate::client::{Answer, Chat, Connection, Frames, PATIENCE, ask_h2, chat, eventually, next_piece, open_h2, whole};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

/// What the one record of a case must say.
struct Told {
    outcome: &'static str,
    source: &'static str,
    /// Whether the cost is what the ledger says. Estimates may differ from it.
    exact: bool,
}

const fn reported(outcome: &'static str) -> Told {
    Told { outcome, source: "reported", exact: true }
}

const fn estimated(outcome: &'static str) -> Told {
    Told { outcome, source: "estimated", exact: false }
}

/// Nothing was used: nothing is charged.
const fn unused(outcome: &'static str) -> Told {
    Told { outcome, source: "none", exact: true }
}

const ERRORS: [&str; 3] = ["error-json", "error-stream", "error-late"];
const ABSURD: [&str; 3] = ["huge", "float", "huge-stream"];
const RESETS: [&str; 2] = ["h2-json", "h2-stream"];
const LEAVING: [&str; 7] =
    ["upload", "waiting-json", "waiting-stream", "mid-json", "mid-stream", "after-done", "after-end"];
const WAYS: [&str; 3] = ["left-close", "left-rst", "left-h2"];
const TRAILERS: [&str; 4] = ["plain", "trailers", "trailers-stream", "refused"];
const TIMEOUTS: [&str; 3] = ["timeout-json", "timeout-stream", "timeout-middle"];

/// With one tenant per case.
fn setup(name: &'static str, cases: &[&str]) -> Setup {
    let tenants: serde_json::Map<String, Value> =
        cases.iter().map(|case| ((*case).to_owned(), free_tenant())).collect();
    Setup::new(name, policy(Value::Object(tenants)))
}

/// Of one Envoy, with a provider each.
struct Gateways {
    usual: Gateway,
    /// Heads go to its provider before the decision.
    sent_heads: Gateway,
    impatient: Gateway,
    with_breaker: Gateway,
}

/// Tests take turns, so that what is open and counted is a test's own.
async fn in_turn() -> MutexGuard<'static, Gateways> {
    static GATEWAYS: OnceCell<Mutex<Gateways>> = OnceCell::const_new();
    let start = async || {
        let by_provider = by_the_provider();
        let others = [&ERRORS[..], &ABSURD, &RESETS, &LEAVING, &WAYS, &TRAILERS, &["half", "expects"]].concat();
        let cases: Vec<&str> = by_provider.iter().map(|(case, ..)| *case).chain(others).collect();
        let mut sent_heads = setup("endings-sent-heads", &["expects"]);
        sent_heads.policy["hold_headers"] = json!(false);
        let impatient = Setup { timeout: "4s", ..setup("endings-timeout", &TIMEOUTS) };
        let with_breaker = Setup { breaker: true, ..setup("endings-breaker", &["failing", "after"]) };
        let setups = [setup("endings", &cases), sent_heads, impatient, with_breaker];
        let [usual, sent_heads, impatient, with_breaker] = Gateway::together(setups).await;
        Mutex::new(Gateways { usual, sent_heads, impatient, with_breaker })
    };
    GATEWAYS.get_or_init(start).await.lock().await
}

/// The case is over: checks its record, the gauges and the cost.
async fn check(gateway: &Gateway, case: &str, told: &Told) -> Value {
    let record = gateway.wait_records_of(case, 1).await.remove(0);
    assert_eq!(record["outcome"], told.outcome, "{case}: {record}");
    assert_eq!(record["usage_source"], told.source, "{case}: {record}");
    let cost = record["cost_nanousd"].as_u64().expect("a cost");
    // What was refused has touched no books.
    let stats = if record["provider"] == "none" { gateway.stats().await } else { gateway.settled(case, cost).await };
    assert_eq!(stats.sum("ai_gateway_cost_nanousd_total", &[("tenant", case)]), cost, "{case}: the counter");
    let requests = stats.sum("ai_gateway_requests_total", &[("tenant", case)]);
    let so_ended = stats.sum("ai_gateway_requests_total", &[("tenant", case), ("status", told.outcome)]);
    assert_eq!((requests, so_ended), (1, 1), "{case}: counted once");
    let billed = gateway.entry_of(&record).map_or(0, |entry| entry.cost_nanousd);
    if told.exact {
        assert_eq!(cost, billed, "{case}: {record}");
    }
    if told.source == "estimated" {
        assert!(cost > 0 && cost >= billed, "{case}: the provider billed {billed}: {record}");
    }
    record
}

fn by_the_provider() -> Vec<(&'static str, Chat, u16, Told)> {
    let stream = |case: &str| chat(case).stream();
    vec![
        ("json", chat("json"), 200, reported("success")),
        ("json-chunked", chat("json-chunked").sim("chunked; bytes=9"), 200, reported("success")),
        ("stream", stream("stream"), 200, reported("success")),
        ("stream-asking", stream("stream-asking").asking_usage(), 200, reported("success")),
        ("stream-no-done", stream("stream-no-done").sim("no_done"), 200, reported("success")),
        ("done-then-hangup", stream("done-then-hangup").sim("done_then_hangup"), 200, reported("success")),
        ("usage-in-content", stream("usage-in-content").sim("usage_in_content"), 200, reported("success")),
        ("continuous", stream("continuous").sim("continuous_usage"), 200, reported("success")),
        ("two-choices", stream("two-choices").field("n", 2), 200, reported("success")),
        ("reset-json", chat("reset-json").sim("reset"), 503, unused("provider_unavailable")),
        ("reset-stream", stream("reset-stream").sim("reset; rst"), 503, unused("provider_unavailable")),
        ("cut-json", chat("cut-json").sim("cut=60"), 200, estimated("provider_aborted")),
        ("cut-json-first", chat("cut-json-first").sim("cut=0"), 200, estimated("provider_aborted")),
        ("cut-stream", stream("cut-stream").sim("cut=4"), 200, estimated("provider_aborted")),
        ("cut-stream-rst", stream("cut-stream-rst").sim("cut=4; rst"), 200, estimated("provider_aborted")),
        ("status-400", chat("status-400").sim("status=400"), 400, unused("provider_rejected")),
        ("status-401", chat("status-401").sim("status=401"), 401, unused("provider_rejected")),
        ("status-429", chat("status-429").sim("status=429; retry_after=3"), 429, unused("provider_rate_limited")),
        ("status-500", chat("status-500").sim("status=500"), 500, unused("provider_error")),
        ("status-503", stream("status-503").sim("status=503"), 503, unused("provider_error")),
        ("no-usage-json", chat("no-usage-json").sim("no_usage"), 200, estimated("success")),
        ("no-usage-stream", stream("no-usage-stream").sim("no_usage"), 200, estimated("success")),
        ("gzip", chat("gzip").sim("gzip=asked").header("accept-encoding", "gzip"), 200, reported("success")),
        ("no-total", chat("no-total").sim("wrong_usage=missing_total"), 200, reported("success")),
        ("negative", chat("negative").sim("wrong_usage=negative"), 200, estimated("success")),
        ("string", chat("string").sim("wrong_usage=string"), 200, estimated("success")),
        ("null", stream("null").sim("wrong_usage=null"), 200, estimated("success")),
    ]
}

/// Endings that the provider brings about, while the client reads on.
#[tokio::test(flavor = "multi_thread")]
async fn endings_by_the_provider() {
    let gateway = &in_turn().await.usual;
    for (case, asked, status, told) in by_the_provider() {
        let answer = gateway.ask(asked.request()).await;
        assert_eq!(answer.status, status, "{case}: {answer:?}");
        let record = check(gateway, case, &told).await;
        assert_eq!(record["status"], status, "{case}: {record}");
        let broken = ["cut-json", "cut-json-first", "cut-stream", "cut-stream-rst", "done-then-hangup"].contains(&case);
        assert_eq!(answer.broken, broken, "{case}: what broke off does so for the client too");
        if status == 429 {
            assert_eq!(answer.header("retry-after"), Some("3"), "the provider's own");
        }
        if case.starts_with("reset") {
            assert_eq!(answer.code(), "provider_unavailable");
            assert_eq!(gateway.entry_of(&record).expect("an entry").ending, Ending::Reset);
        }
    }
}

/// An error object under status 200 ends as the provider's error.
#[tokio::test(flavor = "multi_thread")]
async fn errors_under_status_200() {
    let gateway = &in_turn().await.usual;
    let [json, stream, late] = ERRORS.map(chat);
    let asked = [json.sim("error_in_200"), stream.stream().sim("error_in_200"), late.stream().sim("error_at=3")];
    for (case, asked) in ERRORS.into_iter().zip(asked) {
        let answer = gateway.ask(asked.request()).await;
        assert_eq!(answer.status, 200, "{case}");
        let record = gateway.wait_records_of(case, 1).await.remove(0);
        assert_eq!(record["outcome"], "provider_error", "{case}: {record}");
        gateway.settled(case, record["cost_nanousd"].as_u64().expect("a cost")).await;
    }
}

/// Nonsense is no usage: it is estimated within the bound.
#[tokio::test(flavor = "multi_thread")]
async fn absurd_usage() {
    let gateway = &in_turn().await.usual;
    let [huge, float, stream] = ABSURD.map(chat);
    let asked = [huge.sim("wrong_usage=huge"), float.sim("wrong_usage=float"), stream.stream().sim("wrong_usage=huge")];
    for (case, asked) in ABSURD.into_iter().zip(asked) {
        assert_eq!(gateway.ask(asked.request()).await.status, 200, "{case}");
        let record = gateway.wait_records_of(case, 1).await.remove(0);
        assert_eq!(record["outcome"], "success", "{case}: {record}");
        assert_eq!(record["usage_source"], "estimated", "{case}: {record}");
        let cost = record["cost_nanousd"].as_u64().expect("a cost");
        assert!(record["reserved_nanousd"].as_u64() >= Some(cost), "{case}: {record}");
        gateway.settled(case, cost).await;
    }
}

/// Waits until the provider has read a request to its end.
async fn arrived(gateway: &Gateway) {
    let look = async || gateway.provider().ledger().requests.iter().any(|entry| !entry.model.is_empty());
    eventually("a request at the provider", look, |arrived| *arrived).await;
}

/// The same by HTTP/2, where a client resets its stream, and its connection stays.
#[tokio::test(flavor = "multi_thread")]
async fn endings_by_a_reset() {
    let gateway = &in_turn().await.usual;
    let [json, stream] = RESETS;
    let (mut sender, _connection) = open_h2(gateway.addr).await;
    let request = |asked: &Chat| asked.request_h2(Full::from(asked.body()).boxed());
    gateway.provider().clear();
    tokio::select! {
        _ = sender.send_request(request(&chat(json).sim("hang"))) => panic!("an answer"),
        () = arrived(gateway) => {}
    }
    check(gateway, json, &estimated("client_closed")).await;
    let asked = chat(stream).stream().sim("hang_after=5");
    let mut body = sender.send_request(request(&asked)).await.unwrap().into_body();
    assert!(next_piece(&mut body).await.is_some());
    drop(body);
    let record = check(gateway, stream, &estimated("client_closed")).await;
    assert!(record["output_tokens"].as_u64() >= Some(1), "what was seen: {record}");
}

/// Endings by a client that leaves: before anything was sent on, before, during and after the answer.
#[tokio::test(flavor = "multi_thread")]
async fn endings_by_the_client() {
    let gateway = &in_turn().await.usual;
    let leave = async |case: &str, asked: Chat, pieces: usize| {
        gateway.provider().clear();
        let mut connection = Connection::open(gateway.addr).await;
        let sent = connection.send(asked.request());
        if pieces == 0 {
            tokio::select! {
                _ = sent => panic!("{case}: an answer"),
                () = arrived(gateway) => {}
            }
            drop(connection);
            return Vec::new();
        }
        let mut body = tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap().into_body();
        let mut seen = Vec::new();
        while seen.iter().filter(|byte| **byte == b'\n').count() / 2 < pieces {
            match next_piece(&mut body).await {
                Some(piece) => seen.extend_from_slice(&piece),
                None => break,
            }
        }
        drop(connection);
        seen
    };

    // The body is half sent.
    let half = Frames::unending([Frame::data(Bytes::from_static(b"{\"model\":\"gpt-4o-mini\","))]);
    let mut connection = Connection::open(gateway.addr).await;
    tokio::select! {
        _ = connection.send(chat("upload").request_of(half)) => panic!("upload: an answer"),
        _ = eventually("an open request", async || gateway.open_requests().await, |open| *open == 1) => {}
    }
    drop(connection);
    check(gateway, "upload", &unused("client_closed")).await;

    leave("waiting-json", chat("waiting-json").sim("hang"), 0).await;
    check(gateway, "waiting-json", &estimated("client_closed")).await;
    leave("waiting-stream", chat("waiting-stream").stream().sim("hang"), 0).await;
    check(gateway, "waiting-stream", &estimated("client_closed")).await;
    let mut connection = Connection::open(gateway.addr).await;
    let asked = chat("mid-json").sim("hang_after=50");
    let mut body = connection.send(asked.request()).await.unwrap().into_body();
    assert!(next_piece(&mut body).await.is_some());
    drop((body, connection));
    check(gateway, "mid-json", &estimated("client_closed")).await;
    let seen = leave("mid-stream", chat("mid-stream").stream().sim("hang_after=5"), 5).await;
    assert_eq!(seen.windows(6).filter(|six| six == b"data: ").count(), 5);
    let record = check(gateway, "mid-stream", &estimated("client_closed")).await;
    assert!((1..=16).contains(&record["output_tokens"].as_u64().unwrap()), "what was seen: {record}");

    // An SDK hangs up on `[DONE]`, and doesn't wait for the end of the body.
    let asked = chat("after-done").stream().sim("tokens=2; hang_after=5");
    let seen = leave("after-done", asked, 4).await;
    assert!(seen.ends_with(b"data: [DONE]\n\n"), "{:?}", String::from_utf8_lossy(&seen));
    check(gateway, "after-done", &reported("success")).await;

    let mut connection = Connection::open(gateway.addr).await;
    let answer: Answer = connection.ask(chat("after-end").stream().request()).await;
    drop(connection);
    assert!(!answer.broken);
    check(gateway, "after-end", &reported("success")).await;
}

/// Whichever way a client leaves a long stream, its provider is stopped, and what is charged is what was sent until then.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_stream_stops_its_provider_and_pays_for_what_was_sent() {
    const ALL: u64 = 30_000;
    const READ: usize = 20;
    let gateway = &in_turn().await.usual;
    for way in WAYS {
        let asked = chat(way).stream().field("max_completion_tokens", ALL).sim(&format!("tokens={ALL}; gap_ms=10"));
        if way == "left-h2" {
            let (mut sender, _connection) = open_h2(gateway.addr).await;
            let request = asked.request_h2(Full::from(asked.body()).boxed());
            let mut body = sender.send_request(request).await.unwrap().into_body();
            let mut read = 0;
            while read < READ {
                let piece = next_piece(&mut body).await.expect("an endless stream");
                read += piece.windows(6).filter(|six| six == b"data: ").count();
            }
        } else {
            let body = asked.body();
            let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
            socket.write_all(&[asked.head_text(body.len()).as_bytes(), &body].concat()).await.unwrap();
            let mut read = Vec::new();
            while read.windows(6).filter(|six| six == b"data: ").count() < READ {
                let more = timeout(PATIENCE, socket.read_buf(&mut read)).await.expect("more in time").unwrap();
                assert!(more > 0, "{way}: an endless stream");
            }
            if way == "left-rst" {
                socket.set_zero_linger().unwrap();
            }
        }
        let record = gateway.wait_records_of(way, 1).await.remove(0);
        assert_eq!(
            (&record["outcome"], &record["usage_source"]),
            (&"client_closed".into(), &"estimated".into()),
            "{record}"
        );
        let sent = gateway.entry_of(&record).expect("an entry").completion_tokens;
        let charged = record["output_tokens"].as_u64().unwrap();
        // Five minutes of it were to come.
        assert!(sent < ALL / 10, "{way}: the provider went on to {sent} tokens");
        assert!(charged >= READ as u64 - 1 && charged <= 2 * sent + 20, "{way}: {charged} charged, {sent} sent");
        assert!(2 * charged + 20 >= sent, "{way}: {charged} charged, {sent} sent");
        gateway.settled(way, record["cost_nanousd"].as_u64().unwrap()).await;
    }
}

/// Some clients close their writing half behind the request (BusyBox's wget, `nc -N`), and Envoy takes that for leaving. Each try
/// costs what there was time for, whatever bound they name.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_writing_half_has_left_and_pays_for_the_time_it_took() {
    let gateway = &in_turn().await.usual;
    gateway.provider().clear();
    let asked = chat("half").field("max_completion_tokens", 16_000).sim("hang");
    let body = asked.body();
    let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
    socket.write_all(&[asked.head_text(body.len()).as_bytes(), &body].concat()).await.unwrap();
    arrived(gateway).await;
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "", "Envoy sends nothing to who has left");
    let record = gateway.wait_records_of("half", 1).await.remove(0);
    assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("estimated")));
    assert!(record["output_tokens"].as_u64().unwrap() < 8_000, "not the bound: {record}");
}

/// As .NET's client sends a body: not before it was told to go on.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_to_be_told_to_send_the_body_is_told() {
    let gateways = in_turn().await;
    for (name, gateway) in [("held", &gateways.usual), ("sent", &gateways.sent_heads)] {
        let text = "word ".repeat(600_000);
        let asked = chat("expects").saying(&text).header("expect", "100-continue").sim("tokens=2");
        let body = asked.body();
        let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
        let until = async |end: &str, socket: &mut TcpStream| {
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains(end) {
                let read = timeout(PATIENCE, socket.read_buf(&mut seen)).await.expect("an answer in time").unwrap();
                assert!(read > 0, "{name}: {}", String::from_utf8_lossy(&seen));
            }
            String::from_utf8_lossy(&seen).into_owned()
        };
        socket.write_all(asked.head_text(body.len()).as_bytes()).await.unwrap();
        assert!(until("\r\n\r\n", &mut socket).await.starts_with("HTTP/1.1 100 "), "{name}");
        socket.write_all(&body).await.unwrap();
        assert!(until("\"usage\"", &mut socket).await.starts_with("HTTP/1.1 200 "), "{name}");
        // What is too large is refused before anything of the body came; Envoy has told its client to go on all the same.
        let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
        socket.write_all(asked.head_text(1 << 30).as_bytes()).await.unwrap();
        until("HTTP/1.1 413 ", &mut socket).await;
    }
}

/// Envoy gives up waiting: before the answer (504), and in its middle.
#[tokio::test(flavor = "multi_thread")]
async fn endings_by_timeout() {
    let gateway = &in_turn().await.impatient;
    let asked = [chat(TIMEOUTS[0]), chat(TIMEOUTS[1]).stream()].map(|asked| asked.sim("hang").request());
    let [waiting, streaming] = asked.map(|asked| gateway.ask(asked));
    let mut connection = Connection::open(gateway.addr).await;
    let middle = async {
        let asked = chat(TIMEOUTS[2]).stream().sim("hang_after=3");
        whole(connection.send(asked.request()).await.unwrap()).await
    };
    let (waiting, streaming, middle) = tokio::join!(waiting, streaming, middle);
    for (case, answer) in [(TIMEOUTS[0], waiting), (TIMEOUTS[1], streaming)] {
        assert_eq!((answer.status, answer.code().as_str()), (504, "provider_unavailable"), "{case}");
        let told = Told { outcome: "provider_unavailable", source: "estimated", exact: false };
        let record = check(gateway, case, &told).await;
        assert_eq!(record["status"], 504, "{case}: {record}");
    }
    assert_eq!((middle.status, middle.broken), (200, true));
    check(gateway, TIMEOUTS[2], &estimated("provider_aborted")).await;
}

/// HTTP/2 requests that end by trailers have no last byte of a body.
#[tokio::test(flavor = "multi_thread")]
async fn request_trailers_are_an_end_like_any_other() {
    let gateway = &in_turn().await.usual;
    let trailers = |chat: &Chat| {
        let trailer = [("x-checksum".parse().unwrap(), "1".parse().unwrap())].into_iter().collect();
        Frames::ending([Frame::data(Bytes::from(chat.body())), Frame::trailers(trailer)])
    };
    let asked = chat("plain");
    let answer = ask_h2(gateway.addr, asked.request_h2(Full::from(asked.body()).boxed())).await;
    assert_eq!(answer.status, 200);
    check(gateway, "plain", &reported("success")).await;
    let asked = chat("trailers").without("max_completion_tokens");
    let answer = ask_h2(gateway.addr, asked.request_h2(trailers(&asked))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = check(gateway, "trailers", &reported("success")).await;
    assert!(gateway.entry_of(&record).expect("an entry").output_bound.is_some(), "it was edited");
    let asked = chat("trailers-stream").stream();
    let answer = ask_h2(gateway.addr, asked.request_h2(trailers(&asked))).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n") && !answer.text().contains(r#""usage":{"#));
    check(gateway, "trailers-stream", &reported("success")).await;
    let asked = chat("refused").model("gpt-5");
    let answer = ask_h2(gateway.addr, asked.request_h2(trailers(&asked))).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "model_unpriced"));
    let record = check(gateway, "refused", &unused("model_unpriced")).await;
    assert!(gateway.entry_of(&record).is_none(), "it was not sent on");
}

/// As shipped: five failures in a row open the circuit, and then nobody waits for a provider that is down.
#[tokio::test(flavor = "multi_thread")]
async fn five_failures_open_the_circuit() {
    let gateway = &in_turn().await.with_breaker;
    for _ in 0..5 {
        assert_eq!(gateway.ask(chat("failing").sim("status=500").request()).await.status, 500);
    }
    let ejected = async || gateway.plain_stat("cluster.endings-breaker.outlier_detection.ejections_active").await;
    eventually("an open circuit", ejected, |ejected| *ejected == 1).await;
    let answer = gateway.ask(chat("after").request()).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unavailable"));
    let record = check(gateway, "after", &unused("provider_unavailable")).await;
    assert!(gateway.entry_of(&record).is_none(), "it was not sent on: {record}");
}
