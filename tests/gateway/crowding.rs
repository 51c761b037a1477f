//! Nobody locks the others out: what one connection may hold of Envoy's memory, and what many may hold of its connections.
//!
//! Each attack tells what it came to: those are the figures in envoy/manual/security.md.

mod one;
mod wire;

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use simulated_provider::Provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::client::{Answer, CHAT, Chat, PATIENCE, ask, ask_h2, chat, eventually, get};
use crate::envoy::{Gateway, Setup, free_tenant, policy};

const KEY: &str = "0123456789abcdef-acme";

/// Either of the shipped configurations, and what it wants to know of who asks.
struct House {
    gateway: Gateway,
    /// Where the gateway doesn't have it itself.
    _provider: Option<Provider>,
    identity: (&'static str, String),
    cluster: &'static str,
}

impl House {
    async fn demo(name: &'static str, swaps: &[(&'static str, &'static str)]) -> Self {
        let policy = policy(json!({"acme": free_tenant()}));
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

    /// Once the provider is known to be well: Envoy asks it before it sends anything there.
    async fn serving(self) -> Self {
        eventually("an answer", async || self.ask(&self.chat()).await.status, |status| *status == 200).await;
        self
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

    async fn active(&self, what: &str) -> u64 {
        self.gateway.plain_stat(&format!("http.gateway.downstream_{what}_active")).await
    }
}

/// The demo's gateway of the tests that keep apart by tenant.
async fn demo() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let start = || {
        let tenants = ["large", "large-h2", "probed", "waiting", "beta"];
        let tenants: Map<String, Value> =
            tenants.map(|tenant| (tenant.to_owned(), free_tenant())).into_iter().collect();
        let mut policy = policy(Value::Object(tenants));
        policy["max_waiting_bodies"] = json!(2);
        Gateway::start(Setup::new("crowding", policy))
    };
    GATEWAY.get_or_init(start).await
}

/// The buffers of connections are small, and requests need not be.
async fn takes_the_largest_request(gateway: &Gateway, asked: Chat) {
    let asked = asked.saying(&"word ".repeat(800_000)).sim("tokens=1");
    assert_eq!(gateway.ask(asked.request()).await.status, 200);
}

async fn takes_the_largest_request_by_http_2(gateway: &Gateway, asked: Chat) {
    let asked = asked.saying(&"word ".repeat(800_000)).sim("tokens=1");
    let body = http_body_util::Full::from(asked.body());
    let request = asked.request_h2(http_body_util::BodyExt::boxed(body));
    assert_eq!(ask_h2(gateway.addr, request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_passes() {
    takes_the_largest_request(demo().await, chat("large")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_passes_by_http_2() {
    takes_the_largest_request_by_http_2(demo().await, chat("large-h2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_passes_in_production() {
    let house = House::production("crowding-large-production", &[]).await.serving().await;
    takes_the_largest_request(&house.gateway, house.chat()).await;
    takes_the_largest_request_by_http_2(&house.gateway, house.chat()).await;
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
        gateway.plain_stat("http.gateway.downstream_cx_total").await
    };
    eventually("a gateway that was full", is_full, |accepted| *accepted >= 190).await;
    let asked = async || {
        assert_eq!(probed().await, 200);
        answered(gateway.addr, &house.chat()).await
    };
    eventually("an answer to an honest client", asked, |status| *status == Some(200)).await;
    let closed = async || gateway.plain_stat("http.gateway.downstream_cx_idle_timeout").await;
    eventually("one that made room", closed, |closed| *closed > 0).await;
}

/// The status, or nothing where the connection was not to be had.
async fn answered(addr: SocketAddr, asked: &Chat) -> Option<u16> {
    let body = asked.body();
    let head = asked.head_text(body.len());
    let mut socket = TcpStream::connect(addr).await.ok()?;
    socket.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    let mut answer = vec![0; 12];
    tokio::time::timeout(PATIENCE, socket.read_exact(&mut answer)).await.ok()?.ok()?;
    String::from_utf8(answer).ok()?.get(9..12)?.parse().ok()
}

/// Before Envoy 1.37, all that makes room is the idle timeout itself.
const FEW: [(&str, &str); 2] = [
    ("max_active_downstream_connections: 1000", "max_active_downstream_connections: 200"),
    ("idle_timeout: 60s", "idle_timeout: 20s"),
];

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_make_room_and_never_keep_a_probe_out() {
    silent_connections_let_others_in(&House::demo("crowding-silent", &FEW).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_make_room_and_never_keep_a_probe_out_in_production() {
    silent_connections_let_others_in(&House::production("crowding-silent-production", &FEW).await).await;
}

/// Nothing but health and metrics, and nothing in the name of a tenant.
#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_probes_serves_nothing_else() {
    let gateway = demo().await;
    let probe = gateway.probe;
    assert_ne!(probe, gateway.addr);
    for (path, status) in [("/api/ai/health", 200), ("/api/ai/metrics", 200), ("/v1/models", 404), ("/", 404)] {
        assert_eq!(ask(probe, get(path)).await.status, status, "{path}");
    }
    // Known by its bound, of which a provider hears.
    let asked = chat("probed").field("max_completion_tokens", 7);
    let reached = || {
        let ledger = gateway.provider().settled_ledger(PATIENCE);
        ledger.requests.into_iter().filter(|entry| entry.output_bound == Some(7)).count()
    };
    let answer = ask(probe, asked.request()).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    assert_eq!(reached(), 0);
    assert_eq!(gateway.ask(asked.request()).await.status, 200);
    assert_eq!(gateway.wait_records_of("probed", 1).await[0]["outcome"], "success");
    assert_eq!(reached(), 1);
}

/// So small that it is full at once.
const FULL: [(&str, &str); 2] = [
    ("max_heap_size_bytes: 1073741824", "max_heap_size_bytes: 1048576"),
    // Or there would be no connection to be told by.
    (
        "  - name: envoy.overload_actions.stop_accepting_connections\n    \
         triggers: [{name: envoy.resource_monitors.fixed_heap, threshold: {value: 0.97}}]\n",
        "",
    ),
];

/// Envoy's own word for a full heap, in ours: an SDK reads it and comes again, and no provider has failed.
async fn tells_of_a_full_heap(house: House) {
    let told = async || house.ask(&house.chat()).await;
    let is_ours = |answer: &Answer| answer.status != 200 && answer.code() == "gateway_overloaded";
    let answer = eventually("the refusal", told, is_ours).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let health = async || ask(house.gateway.probe, get("/api/ai/health")).await.status;
    eventually("no provider has failed", health, |status| *status == 200).await;
    // The filter never saw it, and nothing else gives an answer its id.
    assert_eq!(answer.header("x-request-id"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_heap_is_shown_as_the_gateways_own_trouble() {
    tells_of_a_full_heap(House::demo("crowding-heap", &FULL).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_heap_is_shown_as_the_gateways_own_trouble_in_production() {
    tells_of_a_full_heap(House::production("crowding-heap-production", &FULL).await).await;
}

/// Bodies that are still coming, over the wire: who begins too many is told so, and each that ends makes room.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_too_many_unfinished_bodies_is_refused_and_no_other() {
    let gateway = demo().await;
    let addr = gateway.addr;
    // A place is one on a worker: with three times as many as there are places on both, each is full.
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nx-tenant-id: waiting\r\ncontent-length: 100\r\n\r\n{{");
    let mut waiting = Vec::new();
    let begun = async || {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        waiting.push(socket);
        gateway.records_of("waiting").iter().filter(|record| record["outcome"] == "in_flight_limited").count()
    };
    eventually("refusals", begun, |refused| *refused >= 2).await;
    let refused = async || gateway.ask(chat("waiting").request()).await;
    let answer = eventually("a refusal", refused, |answer| answer.status != 200).await;
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("retry-after")),
        (429, "in_flight_limited", Some("1"))
    );
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["refused_by"], &record["cost_nanousd"]), (&json!("max_waiting_bodies"), &json!(0)));
    assert_eq!(gateway.ask(chat("beta").request()).await.status, 200);
    drop(waiting);
    let served = async || gateway.ask(chat("waiting").request()).await.status;
    eventually("room again", served, |status| *status == 200).await;
}
