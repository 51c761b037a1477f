//! Requests whose bodies come compressed: Envoy inflates gzip in front of the filter, and nothing else passes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::client::{Answer, PATIENCE, ask, ask_h2, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::heads::Wire;
use crate::top;

/// Of one Envoy.
struct Gateways {
    usual: Gateway,
    /// In front of a provider that keeps what comes, for one exchange.
    overheard: Gateway,
    wire: Wire,
}

async fn gateways() -> &'static Gateways {
    static GATEWAYS: OnceCell<Gateways> = OnceCell::const_new();
    let start = async || {
        let tenants = ["served", "odd", "broken", "large", "bomb", "plain"];
        let tenants = tenants.map(|name| (name.to_owned(), free_tenant())).into_iter().collect();
        let wire = Wire::start("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}");
        let overheard = Setup::new("inflated-length", policy(json!({"acme": free_tenant()})));
        let overheard = Setup { provider: Some(wire.addr), ..overheard };
        let usual = Setup::new("inflated", policy(Value::Object(tenants)));
        let [usual, overheard] = Gateway::together([usual, overheard]).await;
        Gateways { usual, overheard, wire }
    };
    GATEWAYS.get_or_init(start).await
}

async fn gateway() -> &'static Gateway {
    &gateways().await.usual
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A frame of Zstandard, by hand: one block as it is.
pub fn zstd(body: &[u8]) -> Vec<u8> {
    const LAST: usize = 1;
    assert!(body.len() <= 128 * 1024, "a block is no larger");
    // The magic number, no content size and no checksum, a window of 128 KiB.
    let begins = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    [&begins, &(LAST | body.len() << 3).to_le_bytes()[..3], body].concat()
}

/// Words of which no two hundred bytes are alike, so that they shrink as text does.
fn words(bytes: usize) -> String {
    let mut state = 7_u64;
    let mut text = String::new();
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(
            ["settle ", "budget ", "token ", "gateway ", "of ", "the ", "a ", "reserved "][(state >> 60) as usize % 8],
        );
    }
    text
}

async fn sent(tenant: &str, encoding: &str, body: Vec<u8>) -> Answer {
    gateway().await.ask(chat(tenant).header("content-encoding", encoding).request_with(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_served_and_charged_as_what_it_holds() {
    let gateway = gateway().await;
    let asked = chat("served").saying(&words(60_000));
    let plain = gateway.ask(asked.request()).await;
    assert_eq!(plain.status, 200, "{}", plain.text());
    let expected = gateway.record_of(&plain).await;
    let body = gzip(&asked.body());
    let compressed = asked.header("content-encoding", "gzip");
    let h2 =
        compressed.request_h2(http_body_util::BodyExt::boxed(http_body_util::Full::new(Bytes::from(body.clone()))));
    for answer in [gateway.ask(compressed.request_with(body)).await, ask_h2(gateway.addr, h2).await] {
        assert_eq!((answer.status, &answer.body), (200, &plain.body));
        let record = gateway.record_of(&answer).await;
        for figure in ["input_tokens", "output_tokens", "cost_nanousd", "reserved_nanousd", "model"] {
            assert_eq!(record[figure], expected[figure], "{figure}");
        }
        let entry = gateway.entry_of(&record).expect("the request in the ledger");
        assert_eq!(record["cost_nanousd"], entry.cost_nanousd);
    }
}

/// Not every provider reads chunks, and none is told of an encoding that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_provider_gets_plain_text_and_its_length() {
    let Gateways { overheard: gateway, wire, .. } = gateways().await;
    // Its bound is written in: the body that goes on is another one than came.
    let asked = chat("acme").without("max_completion_tokens").header("content-encoding", "gzip");
    ask(gateway.addr, asked.request_with(gzip(&asked.body()))).await;
    let whole = async || wire.seen().await;
    let (head, body) = eventually("a whole body", whole, |(_, body)| body.ends_with('}')).await;
    assert!(head.lines().any(|line| line == format!("content-length: {}", body.len())), "{head}\n{body}");
    assert!(!head.contains("content-encoding") && !head.contains("transfer-encoding"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["max_completion_tokens"].as_u64().is_some_and(|bound| bound > 0), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_encoding_is_refused_by_its_name() {
    let gateway = gateway().await;
    let body = chat("odd").body();
    let (gzipped, zstandard) = (gzip(&body), zstd(&body));
    for (encoding, body) in [
        ("br", body.clone()),
        ("deflate", body.clone()),
        ("x-gzip", gzipped.clone()),
        ("gzip, gzip", gzip(&gzipped)),
        ("zstd", zstandard.clone()),
        ("zstd", b"no frame".to_vec()),
        ("ZSTD", zstandard.clone()),
        ("gzip, zstd", zstd(&gzipped)),
        ("zstd, gzip", gzip(&zstandard)),
        ("identity, gzip", gzipped.clone()),
        ("gzip;q=1", gzipped.clone()),
        ("gzip,", gzipped.clone()),
    ] {
        let answer = sent("odd", encoding, body).await;
        assert_eq!((answer.status, &*answer.code()), (415, "unsupported_encoding"), "{encoding}: {}", answer.text());
        assert!(answer.text().contains("or by `gzip` alone"), "{encoding}: {}", answer.text());
        // The filter sees what nobody inflated, not who inflates what.
        assert_eq!(answer.header("accept-encoding"), Some("identity"), "{encoding}");
        let record = gateway.record_of(&answer).await;
        assert_eq!((&record["cost_nanousd"], gateway.entry_of(&record)), (&json!(0), None), "{encoding}");
    }
    let twice = chat("odd").header("content-encoding", "gzip").header("content-encoding", "gzip");
    assert_eq!(gateway.ask(twice.request_with(gzip(&gzipped))).await.status, 415, "in two lines");
    assert_eq!(sent("odd", "identity", chat("odd").body()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_inflated_is_refused_and_says_that_it_was_compressed() {
    let body = chat("broken").saying(&words(60_000)).body();
    let gzipped = gzip(&body);
    for (what, body) in [
        ("plain text", body),
        ("half of it", gzipped[..gzipped.len() / 2].to_vec()),
        ("another encoding", zstd(b"{}")),
        ("nothing", gzip(b"")),
    ] {
        let answer = sent("broken", "gzip", body).await;
        assert_eq!((answer.status, &*answer.code()), (400, "invalid_request"), "{what}: {}", answer.text());
        assert!(answer.text().contains("compressed"), "{what}: {}", answer.text());
    }
}

/// It is what a body holds that must not be larger than allowed.
#[tokio::test(flavor = "multi_thread")]
async fn the_bound_holds_for_what_was_inflated() {
    let body = chat("large").saying(&words(5_000_000)).body();
    let small = gzip(&body);
    assert!(small.len() < 2_000_000, "{} bytes", small.len());
    let answer = sent("large", "gzip", small).await;
    assert_eq!((answer.status, &*answer.code()), (413, "request_too_large"), "{}", answer.text());
}

/// 200 kB that would be 200 MB cost no memory, and no more time than a few plain bodies of the size that is allowed: what
/// comes in one piece is inflated a hundredfold before the filter can refuse it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_takes_neither_memory_nor_time() {
    const TIMES: u32 = 40;
    let gateway = gateway().await;
    let start = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":""#;
    let bomb = gzip(&[start, "a".repeat(200_000_000).as_bytes(), br#""}]}"#].concat());
    assert!(bomb.len() < 250_000);
    let answer = sent("bomb", "gzip", bomb.clone()).await;
    assert!(matches!(answer.status, 400 | 413), "{}", answer.text());
    assert!(answer.status == 413 || answer.text().contains("more than a hundredfold"), "{}", answer.text());
    // What a body as large as allowed takes, which is refused at its last byte.
    let allowed = [start, "a".repeat(4_000_000).as_bytes()].concat();
    let spent = gateway.cpu_time();
    for _ in 0..TIMES {
        assert_eq!(gateway.ask(chat("plain").request_with(allowed.clone())).await.status, 400);
    }
    let usual = gateway.cpu_time() - spent;
    let (spent, held) = (gateway.cpu_time(), gateway.resident_bytes());
    for _ in 0..TIMES {
        sent("bomb", "gzip", bomb.clone()).await;
    }
    let took = gateway.cpu_time() - spent;
    assert!(took < usual * 20, "{TIMES} bombs took {took:?}, and as many plain bodies {usual:?}");
    let grown = gateway.resident_bytes().saturating_sub(held);
    // Half of what one of them holds: the allocator keeps some, and not of each.
    assert!(grown < 100 << 20, "{grown} bytes more for {TIMES} bombs");
    assert_eq!((gateway.complaints(), gateway.dead_vms().await), (String::new(), 0));
}

/// Envoy's decompressor of zstd allocates the window that a frame claims before it has read anything of it: eight such requests
/// were a gigabyte, and with it the heap of everybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_few_bytes_that_claim_a_large_window_hold_no_memory() {
    // A window of 128 MiB, and of its first block a header and ten bytes.
    const FRAME: &[u8; 19] = b"\x28\xb5\x2f\xfd\x00\x88\x00\x35\x0c{\"model\":\"";
    let tenants = policy(json!({"acme": free_tenant(), "beta": free_tenant()}));
    let gateway = Gateway::start(Setup::new("inflated-window", tenants)).await;
    assert_eq!(gateway.ask(chat("beta").request()).await.status, 200);
    let before = gateway.allocated_bytes().await;
    let mut held = JoinSet::new();
    for _ in 0..8 {
        let mut socket = TcpStream::connect(gateway.addr).await.unwrap();
        let head = chat("acme").header("content-encoding", "zstd").head_text(1_000_000);
        socket.write_all(&[head.as_bytes(), FRAME].concat()).await.unwrap();
        // The refusal waits for the rest of the body, and goes out when nothing comes: by then the frame has long been read.
        held.spawn(async move {
            let mut answer = [0; 12];
            tokio::time::timeout(PATIENCE, socket.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
    }
    eventually("eight bodies", async || gateway.open_requests().await, |open| *open >= 8).await;
    let mut peak = 0;
    while !held.is_empty() {
        peak = peak.max(gateway.allocated_bytes().await.saturating_sub(before));
        assert!(peak < 64 << 20, "{peak} bytes more than {before}");
        assert_eq!(gateway.ask(chat("beta").request()).await.status, 200, "another tenant");
        if let Some(answer) = held.try_join_next() {
            assert_eq!(answer.unwrap(), "HTTP/1.1 415");
        }
    }
    println!("{} KiB at most", peak >> 10);
}

/// What an encoding allocates is the client's to say, but for gzip's 32 KiB.
#[test]
fn nothing_that_is_shipped_inflates_another_encoding() {
    for file in ["envoy.yaml", "production.yaml", "minimal.yaml", "istio/gateway.yaml", "envoy-gateway/patch.yaml"] {
        let text = std::fs::read_to_string(top().join("envoy").join(file)).unwrap();
        let libraries = text.split("envoy.extensions.compression.").skip(1);
        let other: Vec<_> = libraries.filter(|library| !library.starts_with("gzip.decompressor.v3.Gzip}")).collect();
        assert!(other.is_empty(), "{file}: {:?}", other.first().and_then(|library| library.lines().next()));
    }
}
