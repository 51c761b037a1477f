//! What one client writes never becomes another one's answer, nor a line of a head: over HTTP/1.1, on a connection that is
//! kept, as a load balancer keeps it for many clients.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};
use simulated_provider::Provider;
use tokio::task::JoinSet;

use crate::client::chat;
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::wire::{Wire, post};

const ATTACKER: &str = "0123456789abcdef-test";
const VICTIM: &str = "0123456789abcdef-acme";

/// What would end a line, a field, a head or a text somewhere; the first is a whole answer of another's making.
fn endings() -> Vec<String> {
    let stolen = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"OWNED"}]}"#;
    let answer =
        format!("\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{stolen}", stolen.len());
    let mut endings = vec![answer, "\r\nx-injected: 1".to_owned()];
    endings
        .extend(["\r", "\n", "\0", "\t", "\u{b}", "\u{c}", "\u{1b}", "\u{7f}", "\u{85}"].map(|end| format!("{end}x")));
    endings
}

/// As JSON may write it: each letter as an escape.
fn escaped(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut out, unit| {
        let _ = write!(out, "\\u{unit:04x}");
        out
    })
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02x}");
        out
    })
}

/// What to try, and in which words it is told of.
type Attacks = Vec<(Vec<u8>, String)>;

/// Each on connections of its own, and all at once: Envoy waits for a second before it closes one.
async fn all_apart(gateway: &Gateway, attacks: Attacks, of_victim: &[u8]) {
    let mut under_way = JoinSet::new();
    for (attack, what) in attacks {
        for pipelined in [false, true] {
            under_way.spawn(apart(gateway.addr, attack.clone(), of_victim.to_vec(), what.clone(), pipelined));
        }
    }
    under_way.join_all().await;
}

/// On one connection: the attack, and another tenant's request behind it, sent together or one after the other.
async fn apart(addr: SocketAddr, attack: Vec<u8>, of_victim: Vec<u8>, what: String, pipelined: bool) {
    let mut wire = Wire::open(addr).await;
    if pipelined {
        wire.send(&[attack, of_victim.clone()].concat(), 2).await;
    } else {
        wire.send(&attack, 1).await;
    }
    let refused = wire.answer().await.unwrap_or_else(|| panic!("{what}: no answer"));
    assert!(refused.status == 400 && refused.header("x-injected").is_none(), "{what}: {refused:?}");
    let said = refused.text();
    // Envoy's own words for a path that it refuses are Gemini's there.
    assert!(said.contains("invalid_request") || said.contains("INVALID_ARGUMENT"), "{what}: {said}");
    if refused.header("connection") == Some("close") {
        // Envoy closes behind it: there is no answer to steal, and a proxy in front asks on another connection.
        assert!(wire.answer().await.is_none(), "{what}: an answer behind the last one");
        wire = Wire::open(addr).await;
        wire.send(&of_victim, 1).await;
    } else if !pipelined {
        wire.is_spent();
        wire.send(&of_victim, 1).await;
    }
    let answer = wire.answer().await.unwrap_or_else(|| panic!("{what}: the victim has no answer"));
    let own = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    assert!(answer.status == 200 && own["usage"].is_object(), "{what}: {answer:?}");
    assert!(!answer.text().contains("OWNED"), "{what}: {answer:?}");
    wire.is_spent();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_of_production_writes_into_the_connection() {
    let [openai, anthropic] = [(); 2].map(|()| Provider::start());
    let environment = [
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
        ("ANTHROPIC_API_KEY", "dummy-of-anthropic".to_owned()),
        ("ANTHROPIC_BASE_URL", format!("{}/v1", anthropic.url())),
        ("CLIENT_KEYS", format!("test-tenant={ATTACKER},acme={VICTIM}")),
    ];
    let many = json!({"unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_minute": 1_000_000}});
    let (acme, test) = (format!("acme: {many}"), format!("test-tenant: {many}"));
    let swaps = [("acme: {tier: premium}", acme.as_str()), ("test-tenant: {tier: standard}", test.as_str())];
    let gateway = Gateway::production("splitting-production", &environment, &swaps).await;
    let key = |key: &str| format!("Bearer {key}");
    let (attacker, victim) = (key(ATTACKER), key(VICTIM));
    let of_victim = post("/v1/chat/completions", &[("authorization", &victim)], &chat("").body());
    for ending in endings() {
        let name = escaped(&format!("claude-sonnet-4{ending}"));
        let bodies = [
            (
                "/v1/messages",
                format!(r#"{{"model":"{name}","max_tokens":5,"messages":[{{"role":"user","content":"x"}}]}}"#),
            ),
            ("/v1/chat/completions", format!(r#"{{"model":"{name}","messages":[]}}"#)),
            ("/v1/responses", format!(r#"{{"model":"{name}","input":"x"}}"#)),
            ("/v1/embeddings", format!(r#"{{"model":"{name}","input":"x"}}"#)),
            ("/api/ai/chat", format!(r#"{{"role":"{name}","messages":[]}}"#)),
            ("/api/ai/chat", format!(r#"{{"sensitivity":"{name}","messages":[]}}"#)),
        ];
        let attack = |(path, body): (&str, String)| {
            (post(path, &[("authorization", &attacker)], body.as_bytes()), format!("{path} {body}"))
        };
        all_apart(&gateway, bodies.map(attack).into(), &of_victim).await;
    }
    assert!(!gateway.log().contains("header_left_out"), "{}", gateway.complaints());
    assert_eq!(gateway.dead_vms().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_and_no_form_writes_into_the_connection() {
    let gateway = Gateway::start(Setup {
        any_path: true,
        ..Setup::new("splitting", policy(json!({"acme": free_tenant(), "evil": free_tenant()})))
    })
    .await;
    let of_victim = post("/v1/chat/completions", &[("x-tenant-id", "acme")], &chat("").body());
    for ending in endings() {
        let name = percent(&format!("gemini-2.5-flash{ending}"));
        let paths = [
            format!("/v1beta/models/{name}:generateContent"),
            format!("/model/{name}/converse"),
            format!("/openai/deployments/{name}/chat/completions"),
        ];
        let body = br#"{"contents":[],"messages":[]}"#;
        let by_path = paths.map(|path| (post(&path, &[("x-tenant-id", "evil")], body), path));
        let form = format!(
            "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1{ending}\r\n--b\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n"
        );
        let headers = [("x-tenant-id", "evil"), ("content-type", "multipart/form-data; boundary=b")];
        let by_form = (post("/v1/audio/transcriptions", &headers, form.as_bytes()), form);
        all_apart(&gateway, by_path.into_iter().chain([by_form]).collect(), &of_victim).await;
    }
    assert_eq!(gateway.dead_vms().await, 0);
}
