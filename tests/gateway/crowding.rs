//! Nobody locks the others out: what one connection may hold of Envoy's memory, and what many may hold of its connections.
//!
//! Each attack tells what it came to: those are the figures in envoy/manual/security.md.

mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use simulated_provider::Provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, CHAT, Chat, ask, ask_h2, chat, eventually, get};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use wire::Wire;

/// What one connection may add to Envoy's heap, whatever it does.
const MOST: u64 = 64 << 20;
const KEY: &str = "0123456789abcdef-acme";
const SHUT: u32 = 0;
const WIDE: u32 = 0x7fff_0000;

/// Minutes as seconds: the same order of things, in the time of a test.
const SOON: [(&str, &str); 4] = [
    ("request_headers_timeout: 10s", "request_headers_timeout: 1s"),
    ("request_timeout: 60s", "request_timeout: 4s"),
    ("stream_idle_timeout: 300s", "stream_idle_timeout: 4s"),
    ("idle_timeout: 60s", "idle_timeout: 2s"),
];

/// Either of the shipped configurations, and what it wants to know of who asks.
struct House {
    gateway: Gateway,
    /// Where the gateway doesn't have it itself.
    _provider: Option<Provider>,
    identity: (&'static str, String),
    cluster: &'static str,
}

impl House {
    async fn demo(name: &'static str, more: Value, swaps: &[(&'static str, &'static str)]) -> Self {
        let mut policy = policy(json!({"acme": free_tenant(), "beta": free_tenant()}));
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let gateway = Gateway::start(Setup { swaps: swaps.to_vec(), ..Setup::new(name, policy) }).await;
        Self { gateway, _provider: None, identity: ("x-tenant-id", "acme".to_owned()), cluster: "provider" }
    }

    async fn production(name: &'static str, swaps: &[(&'static str, &'static str)]) -> Self {
        let provider = Provider::start();
        let environment = [
            ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
            ("OPENAI_BASE_URL", format!("{}/v1", provider.url())),
            ("CLIENT_KEYS", format!("acme={KEY}")),
        ];
        let tenant = "acme: {unlimited: [requests_per_minute, requests_per_hour, requests_per_day, expensive_per_minute, request_usd, day_usd]}";
        let swaps: Vec<_> = swaps.iter().copied().chain([("acme: {tier: premium}", tenant)]).collect();
        let gateway = Gateway::production(name, &environment, &swaps).await;
        let identity = ("authorization", format!("Bearer {KEY}"));
        Self { gateway, _provider: Some(provider), identity, cluster: "openai" }
    }

    fn chat(&self) -> Chat {
        let (name, value) = &self.identity;
        chat("acme").anonymous().header(name, value)
    }

    async fn ask(&self, asked: &Chat) -> Answer {
        self.gateway.ask(asked.request()).await
    }

    /// What a stream of HTTP/2 begins with; the provider's knobs among it.
    fn head<'a>(&'a self, knobs: &'a str) -> Vec<(&'a str, &'a str)> {
        let (name, value) = &self.identity;
        let fixed = [(":method", "POST"), (":scheme", "http"), (":authority", "gateway"), (":path", CHAT)];
        [&fixed[..], &[(name, value), ("content-type", "application/json"), ("x-sim", knobs)]].concat()
    }

    async fn allocated(&self) -> u64 {
        allocated(self.gateway.admin).await
    }

    async fn active(&self, what: &str) -> u64 {
        self.gateway.plain_stat(&format!("http.gateway.downstream_{what}_active")).await
    }

    /// No stream and no connection is left, without a word of the client's.
    async fn all_ends(&self) {
        eventually("no stream", async || self.active("rq").await, |active| *active == 0).await;
        eventually("no connection", async || self.active("cx").await, |active| *active == 0).await;
    }

    /// The heap grows by less than it may while `attack` goes on, and nothing of the attack stays.
    async fn bears<T>(&self, name: &str, attack: impl AsyncFnOnce() -> T) {
        assert_eq!(self.ask(&self.chat()).await.status, 200, "before {name}");
        self.all_ends().await;
        let before = self.allocated().await;
        let (peak, over) = (Arc::new(AtomicU64::new(before)), Arc::new(AtomicBool::new(false)));
        let watch = tokio::spawn({
            let (peak, over, admin) = (peak.clone(), over.clone(), self.gateway.admin);
            async move {
                while !over.load(Ordering::Relaxed) {
                    peak.fetch_max(allocated(admin).await, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        let held = attack().await;
        peak.fetch_max(self.allocated().await, Ordering::Relaxed);
        over.store(true, Ordering::Relaxed);
        watch.await.unwrap();
        let grown = peak.load(Ordering::Relaxed) - before;
        println!("{name}: {:.1} MiB at most", grown as f64 / f64::from(1 << 20));
        assert!(grown < MOST, "{name}: {grown} bytes");
        self.all_ends().await;
        drop(held);
        assert_eq!(self.gateway.dead_vms().await, 0);
    }

    /// Waits until the heap has come to rest.
    async fn is_still(&self) {
        let mut last = self.allocated().await;
        let mut still = 0;
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.allocated().await;
            still = if now.abs_diff(last) < 1 << 16 { still + 1 } else { 0 };
            last = now;
            if still == 20 {
                return;
            }
        }
    }

    async fn bears_one_connection(&self) {
        let body = self.chat().stream().field("max_completion_tokens", 100_000).body();
        let long = "events=60000; event_bytes=400";
        let addr = self.gateway.addr;

        // All at once, whatever was agreed upon; or no more than may be, and a new one for each that was refused.
        for at_once in [1_024, 32] {
            self.bears(&format!("1,024 streams of unfinished bodies, {at_once} at a time"), async || {
                let mut wire = Wire::open(addr, WIDE).await;
                wire.pour(&self.head("tokens=1"), at_once, 1_024, 4_000_000).await;
                assert!(wire.ended || wire.refused > 0 && wire.open_streams() <= 32, "{} streams", wire.open_streams());
                wire
            })
            .await;
        }

        for (name, window) in [("windows that stay shut", SHUT), ("a socket that isn't read", WIDE)] {
            self.bears(&format!("32 long answers, {name}"), async || {
                let asked = self.gateway.plain_stat(&format!("cluster.{}.upstream_rq_total", self.cluster)).await;
                let mut wire = Wire::open(addr, window).await;
                let head = self.head(long);
                for _ in 0..32 {
                    wire.ask(&head, &body).await;
                }
                let stat = format!("cluster.{}.upstream_rq_total", self.cluster);
                let all = async || self.gateway.plain_stat(&stat).await;
                eventually("all at the provider", all, |count| *count >= asked + 32).await;
                self.is_still().await;
                wire
            })
            .await;
        }

        self.bears("a long answer by HTTP/1.1", async || {
            let socket = self.raw(addr, long, &body).await;
            self.is_still().await;
            socket
        })
        .await;

        self.bears("a head without end by HTTP/2", async || {
            let mut wire = Wire::open(addr, WIDE).await;
            let sent = wire.flood(&self.head("tokens=1"), 64 << 20).await;
            assert!(wire.ended, "{sent} bytes, and no end");
            wire
        })
        .await;

        self.bears("a head without end by HTTP/1.1", async || {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n").await.unwrap();
            let line = format!("x-flood: {}\r\n", "y".repeat(1_000)).repeat(16);
            let mut sent = 0;
            while sent < 64 << 20 && socket.write_all(line.as_bytes()).await.is_ok() {
                sent += line.len();
            }
            assert!(sent < 64 << 20, "{sent} bytes, and no end");
            socket
        })
        .await;

        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\n{}: {}\r\n", self.identity.0, self.identity.1);
        for (name, whole) in [("a head", ""), ("a body", "content-length: 100000\r\n\r\n{")] {
            self.bears(&format!("{name} that trickles"), async || {
                let mut socket = TcpStream::connect(addr).await.unwrap();
                socket.write_all(head.as_bytes()).await.unwrap();
                socket.write_all(whole.as_bytes()).await.unwrap();
                let answer = trickled(&mut socket).await;
                assert!(answer.starts_with("HTTP/1.1 408"), "{name}: {answer}");
                assert!(answer.contains(r#""code":"invalid_request""#), "{name}: {answer}");
                socket
            })
            .await;
        }
    }

    /// A request by HTTP/1.1 whose answer nobody reads.
    async fn raw(&self, addr: SocketAddr, knobs: &str, body: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let (name, value) = &self.identity;
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: gateway\r\n{name}: {value}\r\ncontent-type: application/json\r\nx-sim: {knobs}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        socket
    }
}

async fn allocated(admin: SocketAddr) -> u64 {
    let told = ask(admin, get("/memory")).await.json();
    told["allocated"].as_str().expect("`allocated` of /memory").parse().unwrap()
}

/// A byte now and then, until there is an answer.
async fn trickled(socket: &mut TcpStream) -> String {
    let mut answer = vec![0; 1 << 16];
    for _ in 0..600 {
        let sent = socket.write_all(b"a").await;
        match tokio::time::timeout(Duration::from_millis(50), socket.read(&mut answer)).await {
            Ok(Ok(count)) if count > 0 => return String::from_utf8_lossy(&answer[..count]).into_owned(),
            Ok(_) => break,
            Err(_) if sent.is_err() => break,
            Err(_) => {}
        }
    }
    String::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_at_its_worst_holds_little_and_ends() {
    House::demo("crowding-one", json!({}), &SOON).await.bears_one_connection().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_at_its_worst_holds_little_and_ends_in_production() {
    House::production("crowding-one-production", &SOON).await.bears_one_connection().await;
}

/// Windows are small, and requests need not be: what a window holds is no bound of a body.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_passes_by_either_protocol() {
    for house in [
        House::demo("crowding-large", json!({}), &[]).await,
        House::production("crowding-large-production", &[]).await,
    ] {
        let asked = house.chat().saying(&"word ".repeat(800_000)).sim("tokens=1");
        assert_eq!(house.ask(&asked).await.status, 200);
        let body = http_body_util::Full::from(asked.body());
        let request = asked.request_h2(http_body_util::BodyExt::boxed(body));
        assert_eq!(ask_h2(house.gateway.addr, request).await.status, 200);
    }
}

/// Nobody needs a key to open a connection and say nothing. Those that do make room before all are taken, and whoever asks for
/// the gateway's health never waits.
async fn silent_connections_let_others_in(house: &House) {
    let gateway = &house.gateway;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(gateway.addr).await.unwrap());
    }
    let probed = async || ask(gateway.probe, get("/api/ai/health")).await.status;
    let is_full = async || {
        assert_eq!(probed().await, 200);
        gateway.plain_stat("overload.envoy.resource_monitors.global_downstream_max_connections.pressure").await
    };
    eventually("a gateway that is full", is_full, |pressure| *pressure >= 90).await;
    let asked = async || {
        assert_eq!(probed().await, 200);
        answered(gateway.addr, &house.chat()).await
    };
    eventually("an answer to an honest client", asked, |status| *status == Some(200)).await;
    let mut closed = 0;
    for mut socket in silent {
        let mut byte = [0];
        closed += usize::from(matches!(
            tokio::time::timeout(Duration::from_millis(1), socket.read(&mut byte)).await,
            Ok(Ok(0) | Err(_))
        ));
    }
    assert!(closed >= 100, "{closed} of 200 made room");
}

/// The status, or nothing where the connection was not to be had.
async fn answered(addr: SocketAddr, asked: &Chat) -> Option<u16> {
    let body = asked.body();
    let head = asked.head_text(body.len());
    let mut socket = TcpStream::connect(addr).await.ok()?;
    socket.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut answer)).await.ok()?.ok()?;
    String::from_utf8(answer).ok()?.get(9..12)?.parse().ok()
}

const FEW: (&str, &str) = ("max_active_downstream_connections: 1000", "max_active_downstream_connections: 200");

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_make_room_and_never_keep_a_probe_out() {
    silent_connections_let_others_in(&House::demo("crowding-silent", json!({}), &[FEW]).await).await;
    silent_connections_let_others_in(&House::production("crowding-silent-production", &[FEW]).await).await;
}

/// Nothing but health and metrics, and nothing in the name of a tenant.
#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_probes_serves_nothing_else() {
    let house = House::demo("crowding-probe", json!({}), &[]).await;
    let probe = house.gateway.probe;
    assert_ne!(probe, house.gateway.addr);
    for (path, status) in [("/api/ai/health", 200), ("/api/ai/metrics", 200), ("/v1/models", 404), ("/", 404)] {
        assert_eq!(ask(probe, get(path)).await.status, status, "{path}");
    }
    let answer = ask(probe, house.chat().request()).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    assert_eq!(house.gateway.provider().settled_ledger(crate::client::PATIENCE).requests.len(), 0);
    assert_eq!(house.ask(&house.chat()).await.status, 200);
    assert_eq!(house.gateway.wait_records_of("acme", 1).await[0]["outcome"], "success");
}

/// Envoy's own word for a full heap, in ours: an SDK reads it and comes again, and no provider has failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_heap_is_told_as_the_gateways_own_trouble() {
    let full = [
        ("max_heap_size_bytes: 1073741824", "max_heap_size_bytes: 1048576"),
        // Or there would be no connection to be told by.
        (
            "  - name: envoy.overload_actions.stop_accepting_connections\n    \
             triggers: [{name: envoy.resource_monitors.fixed_heap, threshold: {value: 0.97}}]\n",
            "",
        ),
    ];
    for house in [
        House::demo("crowding-heap", json!({}), &full).await,
        House::production("crowding-heap-production", &full).await,
    ] {
        let told = async || house.ask(&house.chat()).await;
        let answer = eventually("a refusal", told, |answer| answer.status != 200).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "gateway_overloaded"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(ask(house.gateway.probe, get("/api/ai/health")).await.status, 200, "no provider has failed");
        let records = house.gateway.records();
        assert!(records.iter().all(|record| record["outcome"] == "success"), "{records:#?}");
    }
}

/// Of HTTP/2's streams those that hold the most are ended first; small ones go on, and nobody's provider has failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_heap_ends_the_streams_that_hold_the_most() {
    let full = [("scaling_threshold: 0.85, saturation_threshold: 0.95", "scaling_threshold: 0, saturation_threshold: 0.001")];
    let house = House::demo("crowding-reset", json!({}), &full).await;
    let mut wire = Wire::open(house.gateway.addr, WIDE).await;
    wire.pour(&house.head("tokens=1"), 1, 1, 1 << 20).await;
    assert_eq!(wire.open_streams(), 0, "the stream went on");
    let record = house.gateway.wait_records_of("acme", 1).await.remove(0);
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("internal_error"), &json!(0)), "{record}");
    assert_eq!(house.ask(&house.chat()).await.status, 200);
}

/// Bodies that are still coming, over the wire: who begins too many is told so, and each that ends makes room.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_too_many_unfinished_bodies_is_refused_and_no_other() {
    let house = House::demo("crowding-waiting", json!({"max_waiting_bodies": 2}), &[]).await;
    let addr = house.gateway.addr;
    // A place is one on a worker: with three times as many as there are places on both, each is full.
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nx-tenant-id: acme\r\ncontent-length: 100\r\n\r\n{{");
    let mut waiting = Vec::new();
    let begun = async || {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        waiting.push(socket);
        house.gateway.records_of("acme").iter().filter(|record| record["outcome"] == "in_flight_limited").count()
    };
    eventually("refusals", begun, |refused| *refused >= 2).await;
    let refused = async || house.ask(&house.chat()).await;
    let answer = eventually("a refusal", refused, |answer| answer.status != 200).await;
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("retry-after")),
        (429, "in_flight_limited", Some("1"))
    );
    let record = house.gateway.record_of(&answer).await;
    assert_eq!((&record["refused_by"], &record["cost_nanousd"]), (&json!("max_waiting_bodies"), &json!(0)));
    assert_eq!(house.gateway.ask(chat("beta").request()).await.status, 200);
    drop(waiting);
    let served = async || house.ask(&house.chat()).await.status;
    eventually("room again", served, |status| *status == 200).await;
}
