//! Ways around what is counted, through real Envoys: another method, gRPC's words, a path without end, and requests that cost
//! nothing, by the dozen.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{Body, CHAT, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::forwarded::{Listening, chat_answer, chat_body};

fn request(method: &str, path: &str, content_type: &str, body: &str) -> Request<Body> {
    let head = Request::builder().method(method).uri(path).header("x-tenant-id", "acme");
    head.header("content-type", content_type).body(Full::from(body.to_owned()).boxed()).unwrap()
}

/// Of one Envoy: one in front of a provider that keeps what comes, by its own routes or by all paths, and one with few places.
struct Gateways {
    provider: Listening,
    shipped: Gateway,
    any_path: Gateway,
    narrow: Gateway,
    /// Whether the provider of the narrow one says anything.
    speaks: Arc<AtomicBool>,
}

/// Tests take turns, so that what came to the provider and the processors' time are a test's own.
async fn in_turn() -> MutexGuard<'static, Gateways> {
    static GATEWAYS: OnceCell<Mutex<Gateways>> = OnceCell::const_new();
    let start = async || {
        let (provider, speaks) = (Listening::start(200, &chat_answer()), Arc::new(AtomicBool::new(false)));
        let setup = |name| {
            let policy = policy(json!({"acme": free_tenant(), "beta": free_tenant()}));
            Setup { provider: Some(provider.addr), ..Setup::new(name, policy) }
        };
        let any_path = Setup { any_path: true, ..setup("side-requests-any") };
        let mut narrow = Setup { provider: Some(silent(&speaks)), ..setup("side-requests-narrow") };
        narrow.policy["max_waiting_bodies"] = json!(2);
        let [shipped, any_path, narrow] = Gateway::together([setup("side-requests"), any_path, narrow]).await;
        Mutex::new(Gateways { provider, shipped, any_path, narrow, speaks })
    };
    let gateways = GATEWAYS.get_or_init(start).await.lock().await;
    gateways.provider.all();
    gateways
}

/// OpenAI lists by `GET` what was kept of all tenants, and deletes models by `DELETE`.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_path_is_called_by_its_own_methods_only() {
    let Gateways { provider, any_path: gateway, .. } = &*in_turn().await;
    for (path, allow) in [
        (CHAT, "POST"),
        ("/v1/responses", "POST"),
        ("/v1/messages", "POST"),
        ("/model/m/converse", "POST"),
        ("/v1/models/ft:gpt-4o:acme", "GET"),
        ("/v1/responses/resp_1", "GET, DELETE"),
    ] {
        for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MKCOL"] {
            if allow.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let answer = gateway.ask(request(method, path, "application/json", "{}")).await;
            // Envoy itself has no use for some of them.
            assert!(matches!(answer.status, 405 | 400 | 501), "{method} {path}: {} {}", answer.status, answer.text());
            if matches!(method, "PUT" | "PATCH" | "DELETE" | "OPTIONS") {
                assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
            }
        }
    }
    assert_eq!(provider.all().len(), 0, "nothing of it reaches a provider");
    let passes = gateway.ask(request("DELETE", "/v1/files/f", "application/json", "")).await;
    assert_eq!((passes.status, provider.all().len()), (200, 1), "a path that nobody knows is the operator's");
}

/// Envoy's router counts failures of gRPC by its own rules, and the words are the client's.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_json_is_no_grpc_to_anybody() {
    let Gateways { provider, shipped: gateway, .. } = &*in_turn().await;
    for content_type in
        ["application/grpc", "application/grpc+json", "application/grpc-web-text", "application/grpc; x=1"]
    {
        let answer = gateway.ask(request("POST", CHAT, content_type, &chat_body().to_string())).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
        assert!(answer.header("grpc-status").is_none(), "{content_type}");
        let head = provider.head();
        assert!(head.contains("content-type: application/json") && !head.contains("grpc"), "{head}");
        assert_eq!(gateway.record_of(&answer).await["outcome"], "success");
    }
}

/// As long as Envoy lets a head be: no worker goes over it again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_thousands_of_segments_keeps_nobody_waiting() {
    let gateway = &in_turn().await.any_path;
    let took = async |bytes: usize| {
        let before = gateway.cpu_time();
        for segment in ["/a", "/models", "/v1/responses", "/deployments", "/%61", "/."] {
            for ending in ["/chat/completions", "/x:generateContent", "/cancel", ""] {
                for method in ["POST", "GET", "DELETE"] {
                    let path = segment.repeat(bytes / segment.len()) + ending;
                    let body = chat_body().to_string();
                    assert!(gateway.ask(request(method, &path, "application/json", &body)).await.status >= 200);
                }
            }
        }
        gateway.cpu_time() - before
    };
    let (short, long) = (took(5_000).await, took(50_000).await);
    // Ten times as long: what goes over it from each of its segments takes a hundred times as long.
    assert!(long < short * 40 + std::time::Duration::from_millis(500), "{long:?} after {short:?}");
    let served = gateway.ask(chat("acme").request()).await;
    assert_eq!(served.status, 200, "{}", served.text());
}

/// A provider that says nothing until it may.
fn silent(speaks: &Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, speaks) = (listener.local_addr().unwrap(), Arc::clone(speaks));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let speaks = Arc::clone(&speaks);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes);
                while !speaks.load(Ordering::Relaxed) {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                let said = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = stream.write_all(said.as_bytes());
            });
        }
    });
    addr
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_takes_no_more_places_than_a_tenant_has() {
    let Gateways { narrow: gateway, speaks, .. } = &*in_turn().await;
    let path = "/v1/responses/input_tokens";
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\nx-tenant-id: acme\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    // Two on each of two workers; whoever comes then is answered at once.
    let mut waiting = Vec::new();
    let begun = async || {
        let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1_024];
        let read = tokio::time::timeout(std::time::Duration::from_millis(300), async {
            tokio::io::AsyncReadExt::read(&mut socket, &mut answer).await.unwrap_or(0)
        });
        let said = read.await.map(|read| String::from_utf8_lossy(&answer[..read]).into_owned()).unwrap_or_default();
        waiting.push(socket);
        said
    };
    let refused = eventually("a refusal", begun, |said| !said.is_empty()).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("in_flight_limited"), "{refused}");
    assert!(waiting.len() <= 5 + 8, "{} were taken", waiting.len());
    speaks.store(true, Ordering::Relaxed);
    let served = async || gateway.ask(request("POST", path, "application/json", "{}")).await.status;
    eventually("room again", served, |status| *status == 200).await;
}
