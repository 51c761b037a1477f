//! In front of servers that nobody here wrote: llama.cpp's, for real tokens and streams, and llmock, for the faults it
//! can be told to have.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Answer, ask, chat, eventually, get, next_piece};
use crate::envoy::{Gateway, Setup, free_ports, free_tenant, leashed, policy, started};
use crate::sdk::{python, script};

struct Server {
    addr: SocketAddr,
    _leash: Child,
}

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// A server that is told its port, and its log.
async fn serve(name: &str, command: impl FnOnce(&Path, u16) -> Command) -> Server {
    let dir = directory(name);
    let [port] = free_ports();
    let log = dir.join("server.log");
    let out = File::create(&log).unwrap();
    let leash = command(&dir, port).stdout(out.try_clone().unwrap()).stderr(out).spawn().expect("a shell");
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    started(&log, name, || TcpStream::connect(addr).ok()).await;
    Server { addr, _leash: leash }
}

/// One for all tests: it takes seconds to start.
pub async fn llama() -> SocketAddr {
    static LLAMA: OnceCell<Server> = OnceCell::const_new();
    LLAMA.get_or_init(start_llama).await.addr
}

async fn start_llama() -> Server {
    let command = |dir: &Path, port: u16| {
        let mut command = leashed(python());
        command.arg(script("llama_serve.py")).arg(dir).arg(port.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let server = serve("llama", command).await;
    let ready = async || ask(server.addr, get("/health")).await.status;
    eventually("llama.cpp's model", ready, |status| *status == 200).await;
    server
}

async fn llmock() -> Server {
    let command = |_: &Path, port: u16| {
        let mut command = leashed(python().with_file_name("llmock"));
        command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
        command
    };
    serve("llmock", command).await
}

/// What the record must say of this usage.
fn told(usage: &Value) -> [u64; 4] {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    ["/prompt_tokens", "/completion_tokens", "/total_tokens", "/prompt_tokens_details/cached_tokens"].map(count)
}

fn recorded(record: &Value) -> [u64; 4] {
    ["input_tokens", "output_tokens", "total_tokens", "cached_input_tokens"].map(|name| record[name].as_u64().unwrap())
}

/// The usage that a stream tells, last.
fn usage_of(answer: &Answer) -> Option<Value> {
    let events = answer.events().into_iter().rev().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
    events.map(|mut event| event["usage"].take()).find(Value::is_object)
}

fn content_of(answer: &Answer) -> String {
    let events = answer.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
    events.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn llama_cpp_counts_and_so_do_we() {
    let llama = llama().await;
    let tenants =
        json!({"json": free_tenant(), "stream": free_tenant(), "left": free_tenant(), "error": free_tenant()});
    let setup = Setup { provider: Some(llama), ..Setup::new("real-llama", policy(tenants)) };
    let gateway = Gateway::start(setup).await;
    let says = |tenant: &str, text: &str, most: u64| {
        let asked = chat(tenant).model("tiny").saying(text).field("temperature", 0);
        asked.field("max_completion_tokens", most)
    };

    // Prompts of several lengths; the second time they come from the cache.
    let prompts = ["the budget of a tenant", "the budget of a tenant", "a stone", "", "ledger 漢字 🦀\n\n\"quoted\""];
    for (prompt, most) in prompts.into_iter().zip([3, 40, 1, 7, 5]) {
        let answer = gateway.ask(says("json", prompt, most).request()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (usage, record) = (answer.json()["usage"].take(), gateway.record_of(&answer).await);
        assert_eq!(recorded(&record), told(&usage), "{record}");
        assert_eq!(record["output_tokens"], most, "it writes until it is told to stop");
        assert_eq!((&record["usage_source"], &record["outcome"]), (&json!("reported"), &json!("success")));
        assert_eq!((&record["model"], &record["model_answered"]), (&json!("tiny"), &json!("tiny.gguf")));
        let cost = told(&usage)[0] * 100 + told(&usage)[1] * 400;
        assert_eq!(record["cost_nanousd"], cost, "{record}");

        // The stream says the same, whether the client asked for the usage or not.
        let text = answer.json()["choices"][0]["message"]["content"].as_str().map(str::to_owned);
        let asking = gateway.ask(says("stream", prompt, most).stream().asking_usage().request()).await;
        let record = gateway.record_of(&asking).await;
        assert_eq!(recorded(&record), told(&usage_of(&asking).expect("usage, as asked")), "{record}");
        let silent = gateway.ask(says("stream", prompt, most).stream().request()).await;
        assert_eq!(usage_of(&silent), None, "{}", silent.text());
        assert!(silent.text().ends_with("data: [DONE]\n\n"), "{}", silent.text());
        let unasked = gateway.record_of(&silent).await;
        assert_eq!(recorded(&unasked)[..2], told(&usage)[..2], "{unasked}");
        assert_eq!(unasked["usage_source"], "reported");
        assert_eq!(
            (content_of(&silent), content_of(&asking)),
            (text.clone().unwrap_or_default(), text.unwrap_or_default())
        );
    }

    // Two choices: llama.cpp tells the usage twice, in the middle and at the end.
    let two = gateway.ask(says("stream", "the budget", 4).field("n", 2).stream().request()).await;
    assert_eq!(usage_of(&two), None, "{}", two.text());
    assert_eq!(gateway.record_of(&two).await["usage_source"], "reported");

    // The client goes away in the middle.
    let mut connection = crate::client::Connection::open(gateway.addr).await;
    let asked = says("left", "the river", 1_000).stream();
    let mut body = connection.send(asked.request()).await.expect("an answer").into_body();
    assert!(next_piece(&mut body).await.is_some());
    drop((body, connection));
    let record = gateway.wait_records_of("left", 1).await.remove(0);
    assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("estimated")));
    gateway.settled("left", record["cost_nanousd"].as_u64().expect("a cost")).await;

    // More than its context holds.
    let answer = gateway.ask(says("error", &"the budget of a tenant ".repeat(900), 4).request()).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let record = gateway.record_of(&answer).await;
    assert_eq!((&record["outcome"], &record["cost_nanousd"]), (&json!("provider_rejected"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn llmock_s_faults_end_as_they_should() {
    let llmock = llmock().await;
    let cases = [
        ("fine", false, json!(null), 200, "success", "reported"),
        ("fine-stream", true, json!(null), 200, "success", "reported"),
        ("rate", false, json!({"type": "fail", "status": 429, "retry_after": 9}), 429, "provider_rate_limited", "none"),
        ("refused", false, json!({"type": "fail", "status": 401}), 401, "provider_rejected", "none"),
        ("failed", true, json!({"type": "fail", "status": 500}), 500, "provider_error", "none"),
        ("overloaded", false, json!({"type": "fail", "status": 529}), 529, "provider_error", "none"),
        (
            "gone",
            true,
            json!({"type": "stream_fault", "kind": "disconnect", "after_chunks": 3}),
            200,
            "provider_aborted",
            "estimated",
        ),
        (
            "short",
            true,
            json!({"type": "stream_fault", "kind": "truncate", "after_chunks": 3}),
            200,
            "success",
            "estimated",
        ),
        (
            "garbled",
            true,
            json!({"type": "stream_fault", "kind": "malformed", "after_chunks": 3}),
            200,
            "success",
            "reported",
        ),
        ("slow", true, json!({"type": "slow_first_token", "seconds": 0.3}), 200, "success", "reported"),
    ];
    let tenants: serde_json::Map<String, Value> =
        cases.iter().map(|(case, ..)| ((*case).to_owned(), free_tenant())).collect();
    let setup = Setup { provider: Some(llmock.addr), ..Setup::new("real-llmock", policy(Value::Object(tenants))) };
    let gateway = Gateway::start(setup).await;
    for (case, stream, behavior, status, outcome, source) in cases {
        if !behavior.is_null() {
            let script = json!({"behaviors": [behavior]}).to_string();
            let request = Request::post("/_llmock/scenario").body(Full::from(script).boxed()).unwrap();
            assert_eq!(ask(llmock.addr, request).await.status, 201, "{case}");
        }
        let asked = chat(case).saying("What does a gateway settle, and for whom, and when?");
        let asked = asked.header("authorization", "Bearer unused");
        let answer = gateway.ask(if stream { asked.stream() } else { asked }.request()).await;
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
        let record = gateway.record_of(&answer).await;
        assert_eq!(
            (&record["outcome"], &record["usage_source"]),
            (&json!(outcome), &json!(source)),
            "{case}: {record}"
        );
        gateway.settled(case, record["cost_nanousd"].as_u64().expect("a cost")).await;
        assert_eq!(answer.broken, case == "gone", "{case}");
        if case == "rate" {
            assert_eq!(answer.header("retry-after"), Some("9"));
        }
        if (stream, source) == (false, "reported") {
            assert_eq!(recorded(&record), told(&answer.json()["usage"]), "{case}");
        }
    }
    let seen = ask(llmock.addr, get("/_llmock/requests")).await.json();
    assert_eq!(seen["count"], 10, "each was sent on once");
}
