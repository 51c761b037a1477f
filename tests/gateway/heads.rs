//! `hold_headers: false` in an Envoy without `allow_on_headers_stop_iteration`, as a bare WasmPlugin of Istio's has it: the
//! head of a request is at the provider before the decision, its body never is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{self, Arc};
use std::thread;

use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{CHAT, Connection, Frames, PATIENCE, ask_h2, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::limits::crowd;

fn setup(name: &'static str, tenants: Value) -> Setup {
    let mut policy = policy(tenants);
    policy["hold_headers"] = json!(false);
    let swaps = vec![("                allow_on_headers_stop_iteration: true\n", "")];
    Setup { swaps, breaker: true, ..Setup::new(name, policy) }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_charged_as_billed_and_refusals_cost_nothing() {
    let gateway = &in_turn().await.usual;

    // Refusals come late, in the same words, and are none of the provider's failures: its breaker stays closed.
    let ask = || chat("refused");
    let refusals = [
        (ask().field("max_completion_tokens", 1_000_000), 402, "request_budget_exceeded"),
        (ask().model("unknown"), 404, "model_unpriced"),
        (ask().without("messages"), 400, "invalid_request"),
    ];
    for (asked, status, code) in refusals.iter().cycle().take(12) {
        let answer = gateway.ask(asked.request()).await;
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code));
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("1000000"));
        let record = gateway.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!(code), &json!(0)));
    }
    let large = gateway.ask(ask().saying(&"x".repeat(4_200_000)).request()).await;
    assert_eq!((large.status, large.code().as_str()), (413, "request_too_large"));
    assert_eq!(gateway.ask(ask().anonymous().request()).await.code(), "tenant_missing");
    assert_eq!(gateway.plain_stat("cluster.provider.outlier_detection.ejections_enforced_total").await, 0);
    assert_eq!(gateway.provider().settled_ledger(PATIENCE).sum().billed_requests, 0);

    let body = |tenant| Bytes::from(chat(tenant).body());
    let [front, back] = [body("chunked").slice(..40), body("chunked").slice(40..)];
    let frames = Frames::ending([Frame::data(front), Frame::data(back)]);
    let end = Frames::ending([
        Frame::data(body("trailers")),
        Frame::trailers([("x-end", "1")].iter().map(trailer).collect()),
    ]);
    let answers = [
        ("plain", gateway.ask(chat("plain").request()).await, "reported"),
        (
            "edited",
            gateway.ask(chat("edited").model("fast").without("max_completion_tokens").request()).await,
            "reported",
        ),
        ("stream", gateway.ask(chat("stream").stream().request()).await, "reported"),
        ("guessed", gateway.ask(chat("guessed").stream().sim("no_usage").request()).await, "estimated"),
        ("chunked", gateway.ask(chat("chunked").request_of(frames)).await, "reported"),
        ("trailers", ask_h2(gateway.addr, chat("trailers").request_h2(end)).await, "reported"),
        ("large", gateway.ask(chat("large").saying(&"x ".repeat(1_000_000)).request()).await, "reported"),
    ];
    for (tenant, answer, source) in answers {
        assert_eq!(answer.status, 200, "{tenant}: {answer:?}");
        let record = gateway.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("success"), &json!(source)), "{record}");
        let entry = gateway.entry_of(&record).expect("an entry");
        let cost = record["cost_nanousd"].as_u64().unwrap();
        gateway.settled(tenant, cost).await;
        match tenant {
            "guessed" => assert!(cost >= entry.cost_nanousd && cost > 0, "{record}"),
            _ => assert_eq!(cost, entry.cost_nanousd, "{record}"),
        }
        let asked_for = entry.output_bound.is_some() && (tenant != "stream" || entry.include_usage);
        assert!(asked_for, "the bound and the wish for usage were written: {entry:?}");
        assert!(tenant != "stream" || !answer.text().contains("\"usage\":{"), "{}", answer.text());
    }

    let half = Frames::unending([Frame::data(Bytes::from_static(b"{\"model\":\"gpt-4o-mini\","))]);
    let mut leaving = Connection::open(gateway.addr).await;
    tokio::select! {
        _ = leaving.send(chat("gone").request_of(half)) => panic!("an answer before the request's end"),
        _ = eventually("an open request", async || gateway.open_requests().await, |open| *open == 1) => {}
    }
    drop(leaving);
    let record = gateway.wait_records_of("gone", 1).await.remove(0);
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("client_closed"), &json!(0)));

    gateway.provider().clear();
    let [passed, refused] = crowd(gateway, "crowd", 500).await;
    assert_eq!((passed, refused), (50, 450));
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    assert_eq!(billed.billed_requests, 50, "what reached the provider");
    gateway.settled("crowd", billed.cost_nanousd).await;
    assert_eq!((gateway.complaints(), gateway.dead_vms().await), (String::new(), 0));
}

fn trailer((name, value): &(&'static str, &'static str)) -> (hyper::header::HeaderName, hyper::header::HeaderValue) {
    (hyper::header::HeaderName::from_static(name), hyper::header::HeaderValue::from_static(value))
}

/// A provider that keeps what comes, and says what it is told to as soon as there is a head.
pub struct Wire {
    pub addr: SocketAddr,
    came: Arc<sync::Mutex<Vec<u8>>>,
}

impl Wire {
    pub fn start(says: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { addr: listener.local_addr().unwrap(), came: Arc::default() };
        let came = Arc::clone(&wire.came);
        thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let came = Arc::clone(&came);
                thread::spawn(move || {
                    let mut piece = [0; 4096];
                    let mut said = false;
                    while let Ok(size @ 1..) = socket.read(&mut piece) {
                        let whole = {
                            let mut came = came.lock().unwrap();
                            came.extend(&piece[..size]);
                            came.windows(4).any(|end| end == b"\r\n\r\n")
                        };
                        if whole && !said {
                            said = true;
                            let _ = socket.write_all(says.as_bytes());
                        }
                    }
                });
            }
        });
        wire
    }

    /// Head and body of what came, once there is a head.
    pub async fn seen(&self) -> (String, String) {
        let look = async || {
            let text = String::from_utf8(self.came.lock().unwrap().clone()).unwrap();
            text.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()))
        };
        eventually("a head at the provider", look, Option::is_some).await.unwrap()
    }
}

/// A gateway in front of a provider that says one thing, for one exchange.
struct Front {
    gateway: Gateway,
    wire: Wire,
}

/// Of one Envoy.
struct Gateways {
    usual: Gateway,
    silent: Front,
    early_error: Front,
    early_answer: Front,
}

/// Tests take turns, so that what is open is a test's own.
async fn in_turn() -> MutexGuard<'static, Gateways> {
    static GATEWAYS: OnceCell<Mutex<Gateways>> = OnceCell::const_new();
    let start = async || {
        let mut tenants =
            json!({"crowd": {"limits": {"requests_per_hour": 50}, "unlimited": ["request_usd", "day_usd"]}});
        for tenant in ["plain", "edited", "stream", "guessed", "chunked", "trailers", "large", "refused", "gone"] {
            tenants[tenant] = free_tenant();
        }
        tenants["refused"] = json!({"budgets": {"request_usd": "0.001"}});
        let usual = setup("heads", tenants);
        let error = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"error\":\"key\"}";
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let [silent, early_error, early_answer] = ["", error, answer].map(Wire::start);
        let behind =
            |name, wire: &Wire| Setup { provider: Some(wire.addr), ..setup(name, json!({"acme": free_tenant()})) };
        let setups = [
            usual,
            behind("heads-silent", &silent),
            behind("heads-early-error", &early_error),
            behind("heads-early-answer", &early_answer),
        ];
        let [usual, one, two, three] = Gateway::together(setups).await;
        let silent = Front { gateway: one, wire: silent };
        let early_error = Front { gateway: two, wire: early_error };
        let early_answer = Front { gateway: three, wire: early_answer };
        Mutex::new(Gateways { usual, silent, early_error, early_answer })
    };
    GATEWAYS.get_or_init(start).await.lock().await
}

/// Sends a head and the first half of a body, and the rest once the provider has what it gets of that.
async fn in_halves(Front { gateway, wire }: &Front, model: &str) -> String {
    let body = chat("acme").model(model).body();
    let (front, back) = body.split_at(30);
    let mut client = TcpStream::connect(gateway.addr).await.unwrap();
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nx-tenant-id: acme\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(&[head.as_bytes(), front].concat()).await.unwrap();
    let (head, _) = wire.seen().await;
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert_eq!(wire.seen().await.1, "", "half of a body is no body");
    let _ = client.write_all(back).await;
    let _ = client.write_all(b"").await;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // The connection may stay open behind the answer.
    while !is_whole(&answer) {
        match tokio::time::timeout(PATIENCE, client.read(&mut piece)).await.expect("an answer in time") {
            Ok(size @ 1..) => answer.extend(&piece[..size]),
            _ => break,
        }
    }
    String::from_utf8(answer).unwrap()
}

/// Whether all is there that the head promises.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap())
}

async fn outcome(front: &Front) -> (Value, Value) {
    let record = front.gateway.wait_records_of("acme", 1).await.remove(0);
    (record["outcome"].clone(), record["cost_nanousd"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_refused_body_reaches_the_provider() {
    let front = &in_turn().await.silent;
    let answer = in_halves(front, "unknown").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("model_unpriced"), "{answer}");
    assert_eq!(outcome(front).await, (json!("model_unpriced"), json!(0)));
    assert_eq!(front.wire.seen().await.1, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_before_the_body_is_the_clients_and_another_answer_is_none() {
    let Gateways { early_error, early_answer, .. } = &*in_turn().await;
    let answer = in_halves(early_error, "gpt-4o-mini").await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with("{\"error\":\"key\"}"), "{answer}");
    assert_eq!(outcome(early_error).await, (json!("provider_rejected"), json!(0)));
    assert_eq!(early_error.wire.seen().await.1, "");

    let answer = in_halves(early_answer, "gpt-4o-mini").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("provider_error"), "{answer}");
    assert_eq!(outcome(early_answer).await, (json!("provider_error"), json!(0)));
    assert_eq!(early_answer.wire.seen().await.1, "");
}
