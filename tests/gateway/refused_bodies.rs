//! Refusals of large requests, as clients see them that send their whole body before they read: curl by both versions of
//! HTTP, and Python's urllib. Envoy by itself would end the stream under their hands, and they would see no answer.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::client::{CHAT, PATIENCE, eventually};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::sdk::{python, script};

const MB: usize = 1_000_000;

/// What is refused by which code, at the head, in the middle or at the end.
type Case = (&'static str, &'static [&'static str], &'static [usize], u16, &'static str);

const CASES: [Case; 9] = [
    (CHAT, &[], &[2 * MB, 5 * MB, 20 * MB], 401, "tenant_missing"),
    (CHAT, &["x-tenant-id:nobody"], &[2 * MB, 5 * MB, 20 * MB], 403, "tenant_unknown"),
    (CHAT, &["x-tenant-id:picky"], &[2 * MB], 403, "model_not_allowed"),
    (CHAT, &["x-tenant-id:free"], &[5 * MB, 20 * MB, 31 * MB], 413, "request_too_large"),
    // Of 20 MB in one chunk Python's client still loses its refusal, see the manual.
    (CHAT, &["x-tenant-id:free", "transfer-encoding:chunked"], &[5 * MB], 413, "request_too_large"),
    (CHAT, &["x-tenant-id:free", "content-encoding:br"], &[2 * MB, 20 * MB], 415, "unsupported_encoding"),
    (CHAT, &["x-tenant-id:free", "x-ai-sensitivity:odd"], &[2 * MB, 20 * MB], 400, "invalid_request"),
    (CHAT, &["x-tenant-id:poor"], &[2 * MB], 402, "request_budget_exceeded"),
    ("/v1/messages/count_tokens", &["x-tenant-id:nobody"], &[2 * MB, 20 * MB], 403, "tenant_unknown"),
];

async fn gateway(name: &'static str) -> Gateway {
    let policy = policy(json!({
        "free": free_tenant(),
        "picky": {"unlimited": ["request_usd", "day_usd"], "models": ["o1*"]},
        "poor": {"budgets": {"request_usd": "0.000001"}},
        "once": {"unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_hour": 1}},
    }));
    Gateway::start(Setup::new(name, policy)).await
}

/// Status and code, or the words of a client that lost its answer.
async fn said(mut command: Command) -> Result<(u16, String), String> {
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await.expect("an end").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lost = || format!("{text} {} {}", output.status, String::from_utf8_lossy(&output.stderr));
    // The status stands behind curl's body and before urllib's.
    let (status, body) = match text.trim_end().rsplit_once('\n') {
        Some((body, status)) => (status, body),
        None => text.split_once(' ').ok_or_else(lost)?,
    };
    let body: Value = serde_json::from_str(body).map_err(|_| lost())?;
    let code = body["error"]["code"].as_str().ok_or_else(lost)?;
    Ok((status.parse().map_err(|_| lost())?, code.to_owned()))
}

fn curl(version: &str, file: &Path, url: &str, headers: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "60", version, "-o", "-", "-w", "\n%{http_code}", "--data-binary"]);
    command.arg(format!("@{}", file.display())).args(["-H", "expect:", "-H", "content-type: application/json"]);
    for header in headers {
        command.args(["-H", header]);
    }
    command.arg(url);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_refused_body_gets_its_refusal() {
    let gateway = gateway("refused-bodies").await;
    let mut lost = Vec::new();
    for (path, headers, sizes, status, code) in CASES {
        for &size in sizes {
            let url = format!("http://{}{path}", gateway.addr);
            let mut urllib = Command::new(python());
            urllib.arg(script("refused_bodies/urllib_sends.py")).arg(&url).arg(size.to_string()).args(headers);
            let body = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused-bodies").join(format!("{size}.json"));
            let opening = r#"{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":""#;
            std::fs::write(&body, [opening, &"x".repeat(size - opening.len() - 4), r#""}]}"#].concat()).unwrap();
            let commands = [
                ("curl h2", curl("--http2-prior-knowledge", &body, &url, headers)),
                ("curl h1", curl("--http1.1", &body, &url, headers)),
                ("urllib", urllib),
            ];
            for (client, command) in commands {
                let said = said(command).await;
                println!("{client} {status} {code} {size}: {said:?}");
                if said != Ok((status, code.to_owned())) {
                    lost.push(format!("{client}, {size} bytes, {code}: {said:?}"));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

/// Envoy hands over at once what it has read, which is up to the connection's limit and one more read of 128 KiB. If a body may not hold
/// that much, a worker that was late answers 413 by itself, and resets the connection under a refusal that waits.
#[test]
fn a_body_may_hold_more_than_is_read_at_once() {
    for file in ["envoy.yaml", "production.yaml"] {
        let text = std::fs::read_to_string(crate::top().join("envoy").join(file)).unwrap();
        // The gateway's listener is the first.
        let limit = |key: &str| {
            let written = text.split_once(key).unwrap_or_else(|| panic!("{file}: {key}")).1;
            let digits: String = written.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().unwrap_or_else(|_| panic!("{file}: {key}{written:.20}"))
        };
        let (read, held) = (limit("per_connection_buffer_limit_bytes: "), limit("request_body_buffer_limit: "));
        assert!(held >= read + 128 * 1024, "{file}: {held} may be held, {read} read");
    }
}

/// Whoever sends no more, and waits for an answer, has it all the same; whoever leaves meanwhile leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_the_middle_gets_its_refusal() {
    let gateway = gateway("refused-bodies-stopped").await;
    for (tenant, status) in [("", "401"), ("x-tenant-id: nobody\r\n", "403"), ("x-tenant-id: free\r\n", "413")] {
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\n{tenant}content-length: 5000000\r\n\r\n{{");
        let [mut stays, mut leaves] =
            [TcpStream::connect(gateway.addr).await.unwrap(), TcpStream::connect(gateway.addr).await.unwrap()];
        leaves.write_all(head.as_bytes()).await.unwrap();
        drop(leaves);
        stays.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        tokio::time::timeout(PATIENCE, stays.read_exact(&mut answer)).await.expect("an answer").unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
    }
    eventually("no request", async || gateway.open_requests().await, |open| *open == 0).await;
    assert_eq!(gateway.dead_vms().await, 0);
}
