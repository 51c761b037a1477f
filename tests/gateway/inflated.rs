//! Requests whose bodies come compressed: Envoy inflates what it can in front of the filter, and nothing else passes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Answer, ask, ask_h2, chat, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::heads::Wire;

async fn gateway() -> &'static Gateway {
    static GATEWAY: OnceCell<Gateway> = OnceCell::const_new();
    let tenants = ["served", "odd", "broken", "large", "bomb", "plain"].map(|name| (name.to_owned(), free_tenant()));
    let start = || Gateway::start(Setup::new("inflated", policy(Value::Object(tenants.into_iter().collect()))));
    GATEWAY.get_or_init(start).await
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A frame of Zstandard, by hand: no window bound, and blocks of at most 128 KiB as they are, or one byte repeated.
pub fn zstd(blocks: &[(&[u8], usize)]) -> Vec<u8> {
    const RAW: usize = 0;
    const REPEATED: usize = 1;
    // The magic number, no content size and no checksum, a window of 128 KiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for (at, (bytes, times)) in blocks.iter().enumerate() {
        let last = usize::from(at + 1 == blocks.len());
        let (kind, size) = if *times > 1 { (REPEATED, *times) } else { (RAW, bytes.len()) };
        let header = last | kind << 1 | size << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(*bytes);
    }
    frame
}

pub fn raw_zstd(body: &[u8]) -> Vec<u8> {
    let blocks: Vec<_> = body.chunks(100_000).map(|block| (block, 1)).collect();
    zstd(&blocks)
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
    for (encoding, body) in [("gzip", gzip(&asked.body())), ("zstd", raw_zstd(&asked.body()))] {
        let compressed = asked.clone().header("content-encoding", encoding);
        let h2 =
            compressed.request_h2(http_body_util::BodyExt::boxed(http_body_util::Full::new(Bytes::from(body.clone()))));
        for answer in [gateway.ask(compressed.request_with(body)).await, ask_h2(gateway.addr, h2).await] {
            assert_eq!((answer.status, &answer.body), (200, &plain.body), "{encoding}");
            let record = gateway.record_of(&answer).await;
            for figure in ["input_tokens", "output_tokens", "cost_nanousd", "reserved_nanousd", "model"] {
                assert_eq!(record[figure], expected[figure], "{figure} of {encoding}");
            }
            let entry = gateway.entry_of(&record).expect("the request in the ledger");
            assert_eq!(record["cost_nanousd"], entry.cost_nanousd);
        }
    }
}

/// Not every provider reads chunks, and none is told of an encoding that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_provider_gets_plain_text_and_its_length() {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}";
    for (name, encoding) in [("inflated-gzip", "gzip"), ("inflated-zstd", "zstd")] {
        let wire = Wire::start(answer).await;
        let setup = Setup { provider: Some(wire.addr), ..Setup::new(name, policy(json!({"acme": free_tenant()}))) };
        let gateway = Gateway::start(setup).await;
        // Its bound is written in: the body that goes on is another one than came.
        let asked = chat("acme").without("max_completion_tokens").header("content-encoding", encoding);
        let body = if encoding == "gzip" { gzip(&asked.body()) } else { raw_zstd(&asked.body()) };
        ask(gateway.addr, asked.request_with(body)).await;
        let whole = async || wire.seen().await;
        let (head, body) = eventually("a whole body", whole, |(_, body)| body.ends_with('}')).await;
        assert!(head.lines().any(|line| line == format!("content-length: {}", body.len())), "{head}\n{body}");
        assert!(!head.contains("content-encoding") && !head.contains("transfer-encoding"), "{head}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["max_completion_tokens"].as_u64().is_some_and(|bound| bound > 0), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_encoding_is_refused_by_its_name() {
    let gateway = gateway().await;
    let body = chat("odd").body();
    let (gzipped, zstandard) = (gzip(&body), raw_zstd(&body));
    for (encoding, body) in [
        ("br", body.clone()),
        ("deflate", body.clone()),
        ("x-gzip", gzipped.clone()),
        ("gzip, gzip", gzip(&gzipped)),
        ("gzip, zstd", raw_zstd(&gzipped)),
        ("zstd, gzip", gzip(&zstandard)),
        ("identity, gzip", gzipped.clone()),
        ("gzip;q=1", gzipped.clone()),
        ("gzip,", gzipped.clone()),
    ] {
        let answer = sent("odd", encoding, body).await;
        assert_eq!((answer.status, &*answer.code()), (415, "unsupported_encoding"), "{encoding}: {}", answer.text());
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
    for (what, encoding, body) in [
        ("plain text", "gzip", body.clone()),
        ("plain text", "zstd", body.clone()),
        ("half of it", "gzip", gzipped[..gzipped.len() / 2].to_vec()),
        ("half of it", "zstd", raw_zstd(&body)[..30_000].to_vec()),
        ("the other one", "zstd", gzipped),
        ("nothing", "gzip", gzip(b"")),
    ] {
        let answer = sent("broken", encoding, body).await;
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
    assert_eq!(sent("large", "zstd", raw_zstd(&body)).await.status, 413);
}

/// A few kilobytes that would be 200 MB cost no memory, and no more time than a few plain bodies of the size that is allowed: what
/// comes in one piece is inflated a hundredfold before the filter can refuse it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_takes_neither_memory_nor_time() {
    const TIMES: u32 = 40;
    let gateway = gateway().await;
    let start = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":""#;
    let mut blocks: Vec<(&[u8], usize)> = vec![(start, 1)];
    blocks.extend(std::iter::repeat_n((&b"a"[..], 128 * 1024), 1_600));
    blocks.push((br#""}]}"#, 1));
    let small = [zstd(&[(start, 1), (b"a", 128 * 1024), (b"a", 128 * 1024), (br#""}]}"#, 1)]), zstd(&blocks)];
    let plain = [start, "a".repeat(200_000_000).as_bytes(), br#""}]}"#].concat();
    let bombs = [("zstd", small[0].clone()), ("zstd", small[1].clone()), ("gzip", gzip(&plain))];
    assert!(bombs.iter().all(|(_, bomb)| bomb.len() < 250_000));
    drop(plain);
    for (encoding, bomb) in &bombs {
        let answer = sent("bomb", encoding, bomb.clone()).await;
        assert!(matches!(answer.status, 400 | 413), "{}", answer.text());
        assert!(answer.status == 413 || answer.text().contains("more than a hundredfold"), "{}", answer.text());
    }
    // What a body as large as allowed takes, which is refused at its last byte.
    let allowed = [start, "a".repeat(4_000_000).as_bytes()].concat();
    let spent = gateway.cpu_time();
    for _ in 0..TIMES {
        assert_eq!(gateway.ask(chat("plain").request_with(allowed.clone())).await.status, 400);
    }
    let usual = gateway.cpu_time() - spent;
    for (encoding, bomb) in bombs {
        let (spent, held) = (gateway.cpu_time(), gateway.resident_bytes());
        for _ in 0..TIMES {
            sent("bomb", encoding, bomb.clone()).await;
        }
        let took = gateway.cpu_time() - spent;
        assert!(
            took < usual * 20,
            "{TIMES} bombs of {} bytes took {took:?}, and as many plain bodies {usual:?}",
            bomb.len()
        );
        let grown = gateway.resident_bytes().saturating_sub(held);
        // Half of what one of them holds: the allocator keeps some, and not of each.
        assert!(grown < 100 << 20, "{grown} bytes more for {TIMES} bombs of {} bytes", bomb.len());
    }
    assert_eq!((gateway.complaints(), gateway.dead_vms().await), (String::new(), 0));
}
