//! One connection that does its worst, in every way that we know: what Envoy's heap grows by, and that it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::House;
use super::wire::{WIDE, Wire};
use crate::client::{CHAT, PATIENCE, ask, eventually, get};

/// What one connection may add to Envoy's heap, whatever it does.
const MOST: u64 = 64 << 20;
const SHUT: u32 = 0;

/// Minutes as seconds: the same order of things, in the time of a test.
const SOON: [(&str, &str); 5] = [
    ("request_headers_timeout: 10s", "request_headers_timeout: 1s"),
    ("request_timeout: 60s", "request_timeout: 4s"),
    ("stream_idle_timeout: 300s", "stream_idle_timeout: 4s"),
    // Of the routes, where an answer may be silent for longer than a request.
    ("idle_timeout: 900s", "idle_timeout: 4s"),
    ("idle_timeout: 60s", "idle_timeout: 2s"),
];

impl House {
    async fn allocated(&self) -> u64 {
        allocated(self.gateway.admin).await
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
        println!("{name}: {} KiB at most", grown >> 10);
        assert!(grown < MOST, "{name}: {grown} bytes");
        self.all_ends().await;
        drop(held);
        assert_eq!(self.gateway.dead_vms().await, 0);
    }

    /// How many answers Envoy has stopped to read, because nobody takes them, and not gone on with.
    async fn unread(&self) -> u64 {
        let stat = async |what| {
            let name = format!("cluster.{}.upstream_flow_control_{what}_reading_total", self.cluster);
            self.gateway.plain_stat(&name).await
        };
        let paused = stat("paused").await;
        paused.saturating_sub(stat("resumed").await)
    }

    /// Waits until Envoy reads no more of what the provider sends: of answers that nobody takes, some fit into the sockets.
    async fn is_still(&self) {
        const LOOKS: u32 = 20;
        let stat = format!("cluster.{}.upstream_cx_rx_bytes_total", self.cluster);
        let (mut last, mut still) = (0, 0);
        let look = async || {
            let now = self.gateway.plain_stat(&stat).await;
            still = if now == last { still + 1 } else { 0 };
            last = now;
            still
        };
        eventually("an end of what is read", look, |still| *still >= LOOKS).await;
    }

    /// Envoy holds all that it ever will of so many answers more than these.
    async fn is_full(&self, before: u64, answers: u64) {
        eventually(
            "answers that are read no further",
            async || self.unread().await,
            |unread| *unread >= before + answers,
        )
        .await;
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
                let unread = self.unread().await;
                let mut wire = Wire::open(addr, window).await;
                let head = self.head(long);
                for _ in 0..32 {
                    wire.ask(&head, &body).await;
                }
                let stat = format!("cluster.{}.upstream_rq_total", self.cluster);
                let all = async || self.gateway.plain_stat(&stat).await;
                eventually("all at the provider", all, |count| *count >= asked + 32).await;
                if window == SHUT {
                    self.is_full(unread, 32).await;
                } else {
                    self.is_still().await;
                }
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
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
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
    House::demo("crowding-one", &SOON).await.bears_one_connection().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_at_its_worst_holds_little_and_ends_in_production() {
    House::production("crowding-one-production", &SOON).await.serving().await.bears_one_connection().await;
}
