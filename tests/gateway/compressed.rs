//! Compressed answers. The gateway asks for none, reads none, and lets those pass that come all the same.
//!
//! The alternative is Envoy's `decompressor` between the filter and the provider. What it would cost is measured here,
//! what it would break is tested here: with a test that fails the decision is up for review.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::Provider;
use tokio::sync::OnceCell;

use crate::client::{CHAT, Chat, Connection, PATIENCE, ask, chat, next_piece};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::top;

/// Of one Envoy and one provider, which has these cases to play: the one that is shipped, and those that might be.
struct Gateways {
    provider: Provider,
    cases: PathBuf,
    shipped: Gateway,
    decompressing: Gateway,
    compressing: Gateway,
}

async fn gateways() -> &'static Gateways {
    static GATEWAYS: OnceCell<Gateways> = OnceCell::const_new();
    let start = async || {
        let cases = cases();
        let provider = Provider::playing(&cases);
        let setups = [
            setup("compressed", &provider, Vec::new()),
            setup("compressed-decompressor", &provider, vec![decompressor()]),
            setup("compressed-compressor", &provider, vec![compressor()]),
        ];
        let [shipped, decompressing, compressing] = Gateway::together(setups).await;
        Gateways { provider, cases, shipped, decompressing, compressing }
    };
    GATEWAYS.get_or_init(start).await
}

fn setup(name: &'static str, provider: &Provider, mut insertions: Vec<(&'static str, String)>) -> Setup {
    let embeddings = json!({"match": {"path": "/v1/embeddings"}, "route": {"cluster": "provider"}});
    insertions.push(("              - name: chat_completions", format!("              - {embeddings}\n")));
    let tenants = ["plain", "encoded", "size"].map(|tenant| (tenant.to_owned(), free_tenant()));
    let policy = policy(Value::Object(tenants.into_iter().collect()));
    Setup { provider: Some(provider.addr), insertions, ..Setup::new(name, policy) }
}

/// On the provider's side of the filter.
fn decompressor() -> (&'static str, String) {
    ("          - name: envoy.filters.http.router", gzip("decompressor", "Decompressor"))
}

/// On the client's side.
fn compressor() -> (&'static str, String) {
    ("          - name: nexus", gzip("compressor", "Compressor"))
}

fn gzip(kind: &str, message: &str) -> String {
    let type_of = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let library = json!({
        "name": "gzip",
        "typed_config": {"@type": type_of(&format!("compression.gzip.{kind}.v3.Gzip"))},
    });
    let filter = json!({
        "name": format!("envoy.filters.http.{kind}"),
        "typed_config": {
            "@type": type_of(&format!("filters.http.{kind}.v3.{message}")),
            format!("{kind}_library"): library,
        },
    });
    format!("          - {filter}\n")
}

/// Answers that compress as real ones do: the simulated provider's own words come round too often.
fn cases() -> PathBuf {
    let cases = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compressed-cases");
    let _ = fs::remove_dir_all(&cases);
    case(&cases, "2k", None, &chat_answer(&text(1_600)));
    case(&cases, "60k", None, &chat_answer(&text(57_000)));
    let mut state = 1_u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{}0.0{:016}", if state >> 63 == 0 { "" } else { "-" }, (state >> 8) % 10_000_000_000_000_000)
    };
    let vector: Vec<String> = (0..4_800).map(|_| number()).collect();
    let embedding = format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{}]}}],"usage":{{"prompt_tokens":9,"total_tokens":9}}}}"#,
        vector.join(",")
    );
    case(&cases, "embeddings", None, embedding.as_bytes());
    cases
}

fn case(cases: &Path, name: &str, encoding: Option<&str>, body: &[u8]) {
    let folder = cases.join("made").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("answer.json"), body).unwrap();
    let mut headers = json!({"content-type": "application/json"});
    if let Some(encoding) = encoding {
        headers["content-encoding"] = json!(encoding);
    }
    let told = json!({"status": 200, "headers": headers, "answer": "answer.json"});
    fs::write(folder.join("case.json"), told.to_string()).unwrap();
}

/// Prose and code of this project.
fn text(bytes: usize) -> String {
    let top = top();
    let files = [
        "tests/CLAIMS.md",
        "src/exchange.rs",
        "envoy/manual/security.md",
        "tests/bench/TRIED.md",
        "src/llm/request.rs",
    ];
    let all: String = files.iter().map(|file| fs::read_to_string(top.join(file)).unwrap()).collect();
    all.chars().filter(char::is_ascii).take(bytes).collect()
}

const BYTES_PER_TOKEN: usize = 4;

fn chat_answer(text: &str) -> Vec<u8> {
    let tokens = text.len() / BYTES_PER_TOKEN;
    let answer = json!({
        "id": "chatcmpl-BxK2v9Qm7fA1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens},
    });
    answer.to_string().into_bytes()
}

fn long(tenant: &str, sim: &str) -> Chat {
    chat(tenant).field("max_completion_tokens", 20_000).sim(sim)
}

/// Whatever the client would take, the provider is not asked to compress, and the usage can be read.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_asked_for_compressed() {
    let Gateways { provider, shipped, .. } = gateways().await;
    for accepted in ["gzip, deflate, br, zstd", "gzip;q=1.0, identity;q=0"] {
        for asked in
            [long("plain", "gzip=asked; tokens=90"), long("plain", "gzip=asked; tokens=90").stream().asking_usage()]
        {
            let sent = ask(provider.addr, asked.request()).await.body;
            let answer = shipped.ask(asked.header("accept-encoding", accepted).request()).await;
            assert_eq!((answer.header("content-encoding"), answer.body == sent), (None, true), "{accepted}");
            let record = shipped.record_of(&answer).await;
            assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("reported"), &json!(90)));
        }
    }
}

/// From a provider that asks nobody what they accept.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_compressed_passes_and_is_estimated() {
    let Gateways { provider, shipped, .. } = gateways().await;
    // Nobody else asks for it here.
    let model = "gpt-4";
    let usual = long("encoded", "gzip=always; tokens=300").model(model);
    let asked = [
        usual.clone(),
        usual.clone().stream(),
        usual.clone().stream().asking_usage(),
        long("encoded", "gzip=always; case=made/60k").model(model),
    ];
    for asked in &asked {
        let direct = if asked.is_stream() { asked.clone().asking_usage() } else { asked.clone() };
        let sent = ask(provider.addr, direct.request()).await.body;
        assert!(sent.starts_with(&[0x1f, 0x8b]), "{:?}", sent.get(..9));
        let answer = shipped.ask(asked.request()).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert!(answer.body == sent && !answer.broken, "{} bytes of {}", answer.body.len(), sent.len());
        let record = shipped.record_of(&answer).await;
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("success"), &json!("estimated")));
        assert!(record["input_tokens"].as_u64() > Some(0) && record["output_tokens"].as_u64() > Some(0), "{record}");
    }
    let stats = shipped.stats().await;
    let counted = |source| stats.sum("ai_gateway_usage_total", &[("model", model), ("source", source)]);
    assert_eq!((counted("estimated"), counted("reported")), (asked.len() as u64, 0));
}

/// Text that compresses like text costs about what it would, had its usage been read.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_costs_about_what_it_should() {
    let Gateways { shipped, .. } = gateways().await;
    for (name, bytes) in [("2k", 1_600), ("60k", 57_000)] {
        let answer = shipped.ask(long("size", &format!("gzip=always; case=made/{name}")).request()).await;
        let record = shipped.record_of(&answer).await;
        let (told, right) = (record["output_tokens"].as_u64().unwrap(), (bytes / BYTES_PER_TOKEN) as u64);
        assert!((right / 2..=right * 2).contains(&told), "{name}: {told} instead of {right}");
    }
}

/// It holds no event back, and what it hands on is read and settled like any other answer.
#[tokio::test(flavor = "multi_thread")]
async fn envoys_decompressor_would_serve() {
    let Gateways { provider, decompressing, .. } = gateways().await;
    let asked = long("plain", "gzip=asked; tokens=400");
    for asked in [asked.clone(), asked.stream().asking_usage(), long("plain", "gzip=asked; case=made/60k")] {
        let sent = ask(provider.addr, asked.request()).await.body;
        let answer = decompressing.ask(asked.request()).await;
        assert!(answer.body == sent && answer.header("content-encoding").is_none());
        assert_eq!(decompressing.record_of(&answer).await["usage_source"], "reported");
    }
    for count in [1, 2, 5, 17] {
        let asked = chat("plain").stream().sim(&format!("gzip=asked; tokens=16; hang_after={count}"));
        let mut connection = Connection::open(decompressing.addr).await;
        let answer = tokio::time::timeout(PATIENCE, connection.send(asked.request())).await.expect("a head");
        let mut body = answer.expect("an answer").into_body();
        let mut seen = Vec::new();
        while seen.windows(2).filter(|bytes| bytes == b"\n\n").count() < count {
            seen.extend(next_piece(&mut body).await.expect("an event while the provider stalls"));
        }
    }
    assert!(decompressing.plain_stat("http.gateway.decompressor.gzip.gzip.response.decompressed").await >= 7);
}

/// And why it is not shipped: what it cannot read, and what it won't, it leaves out, and ends the answer as if it were
/// whole. Compressed, the client would have noticed.
#[tokio::test(flavor = "multi_thread")]
async fn but_envoys_decompressor_leaves_out_what_it_cannot_read() {
    let Gateways { provider, cases, shipped, decompressing, .. } = gateways().await;
    let whole = ask(provider.addr, long("plain", "gzip=always; case=made/60k").request()).await.body;
    let plain = chat_answer(&text(57_000));
    let mut corrupt = whole.clone();
    corrupt[8_000..8_016].iter_mut().for_each(|byte| *byte ^= 0x55);
    case(cases, "corrupt", Some("gzip"), &corrupt);
    case(cases, "short", Some("gzip"), &whole[..8_000]);
    // More than a hundred to one looks like a bomb; a model that repeats itself makes such answers.
    case(cases, "loop", None, &chat_answer(&"0 ".repeat(30_000)));
    for (name, whole) in [("corrupt", &plain), ("short", &plain), ("loop", &chat_answer(&"0 ".repeat(30_000)))] {
        let asked = long("plain", &format!("gzip=asked; case=made/{name}"));
        let passed = shipped.ask(asked.request()).await;
        let sent = fs::read(cases.join("made").join(name).join("answer.json")).unwrap();
        assert!(passed.body == sent, "{name}: as shipped, what was sent arrives");

        let answer = decompressing.ask(asked.request()).await;
        assert_eq!((answer.status, answer.broken, answer.header("content-encoding")), (200, false, None), "{name}");
        assert!(answer.body != *whole, "{name}: Envoy's decompressor is better than it was");
        // Where it leaves the beginning out, the gateway sees no document, which is a failure and costs nothing; the provider bills it.
        let record = decompressing.record_of(&answer).await;
        let expected = if answer.body.starts_with(b"{") { "estimated" } else { "none" };
        assert_eq!(record["usage_source"], expected, "{name}: {record}");
    }
}

/// In front of the filter an answer has been read already. Envoy leaves streams as they are.
#[tokio::test(flavor = "multi_thread")]
async fn envoys_compressor_in_front_changes_no_count() {
    let Gateways { compressing, .. } = gateways().await;
    let asked = long("plain", "gzip=asked; case=made/60k").header("accept-encoding", "gzip");
    let answer = compressing.ask(asked.request()).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!((10_000..30_000).contains(&answer.body.len()), "{} bytes", answer.body.len());
    let record = compressing.record_of(&answer).await;
    let tokens = 57_000 / BYTES_PER_TOKEN;
    assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("reported"), &json!(tokens)));

    let asked = long("plain", "gzip=asked; tokens=40").header("accept-encoding", "gzip").stream().asking_usage();
    let answer = compressing.ask(asked.request()).await;
    assert_eq!((answer.header("content-encoding"), answer.events().len() > 40), (None, true));
    assert_eq!(compressing.record_of(&answer).await["output_tokens"], 40);
}

/// A kind of answer, and how often it is asked for in a round.
struct Shape {
    name: &'static str,
    path: &'static str,
    body: Value,
    sim: &'static str,
    times: u32,
}

fn shapes() -> [Shape; 4] {
    let chat = |stream: bool| {
        let messages = json!([{"role": "user", "content": "How is a token budget settled?"}]);
        json!({"model": "gpt-4o-mini", "messages": messages, "max_completion_tokens": 20_000, "stream": stream})
    };
    let embeddings = json!({"model": "gpt-4o-mini", "input": "How is a token budget settled?"});
    let shape = |name, body, sim, times| Shape { name, path: CHAT, body, sim, times };
    [
        shape("JSON, 2 kB", chat(false), "gzip=asked; case=made/2k", 100),
        shape("JSON, 60 kB", chat(false), "gzip=asked; case=made/60k", 40),
        shape("500 events", chat(true), "gzip=asked; tokens=500", 10),
        Shape {
            path: "/v1/embeddings",
            ..shape("embeddings, 100 kB", embeddings, "gzip=asked; case=made/embeddings", 30)
        },
    ]
}

const ROUNDS: usize = 11;

/// Prints what an answer costs with each configuration, medians of interleaved rounds:
/// `cargo test --test gateway what_compression_costs -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, which asserts nothing"]
async fn what_compression_costs() {
    let provider = Provider::playing(cases());
    let gateways = [
        ("as shipped", Gateway::start(setup("cost", &provider, Vec::new())).await),
        ("compressor", Gateway::start(setup("cost-compressor", &provider, vec![compressor()])).await),
        ("decompressor", Gateway::start(setup("cost-decompressor", &provider, vec![decompressor()])).await),
        ("both", Gateway::start(setup("cost-both", &provider, vec![decompressor(), compressor()])).await),
    ];
    println!("{:<20} {:<14} {:>16} {:>16} {:>16}", "", "", "B from provider", "B to client", "CPU us");
    for Shape { name, path, body, sim, times } in shapes() {
        let mut costs = [const { Vec::new() }; 4];
        let mut sizes = [(0, 0); 4];
        for round in 0..=ROUNDS {
            for (nth, (_, gateway)) in gateways.iter().enumerate() {
                let received = async || gateway.plain_stat("cluster.provider.upstream_cx_rx_bytes_total").await;
                let (before, spent) = (received().await, gateway.cpu_time());
                let mut connection = Connection::open(gateway.addr).await;
                for _ in 0..times {
                    let request = Request::post(path)
                        .header("content-type", "application/json")
                        .header("accept-encoding", "gzip, deflate, br")
                        .header("x-tenant-id", "plain")
                        .header("x-sim", sim)
                        .body(Full::from(body.to_string()).boxed())
                        .unwrap();
                    sizes[nth].1 = connection.ask(request).await.body.len();
                }
                let spent = (gateway.cpu_time() - spent) / times;
                sizes[nth].0 = (received().await - before) / u64::from(times);
                if round > 0 {
                    costs[nth].push(spent);
                }
            }
        }
        for ((configuration, _), (mut costs, (received, sent))) in gateways.iter().zip(costs.into_iter().zip(sizes)) {
            costs.sort();
            let median: Duration = costs[ROUNDS / 2];
            println!("{name:<20} {configuration:<14} {received:>16} {sent:>16} {:>16}", median.as_micros());
        }
    }
}
