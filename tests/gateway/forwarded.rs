//! What reaches a provider of a client's head, byte for byte, through the shipped configurations: only what its API needs, and
//! no key but its own. Who a client is, wherever its key stands.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use tokio::sync::{self, MutexGuard, OnceCell};

use crate::check::checked;
use crate::client::{Answer, Body, CHAT, ask, eventually, get};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::top;

/// A provider that answers every request alike, and keeps each head as it came.
pub struct Listening {
    pub addr: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<String>>,
}

impl Listening {
    pub fn start(status: u16, answer: &Value) -> Self {
        Self::saying(status, "", answer)
    }

    /// With these lines in the head of each answer.
    pub fn saying(status: u16, beside: &str, answer: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let listening = Self { addr, heads: Arc::default(), answer: Arc::default() };
        listening.say(status, beside, answer);
        let (heads, answer) = (Arc::clone(&listening.heads), Arc::clone(&listening.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heads, answer) = (Arc::clone(&heads), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &heads, &answer));
            }
        });
        listening
    }

    /// What it says from now on.
    pub fn say(&self, status: u16, beside: &str, answer: &Value) {
        let body = answer.to_string();
        let length = body.len();
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status} Said\r\n{beside}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }

    fn url(&self, base: &str) -> String {
        format!("http://{}{base}", self.addr)
    }

    /// The requests that came since the last look; Envoy's health checks are none.
    pub fn heads(&self) -> Vec<String> {
        let heads = std::mem::take(&mut *self.heads.lock().unwrap());
        heads.into_iter().filter(|head| head.starts_with("POST ")).collect()
    }

    /// All of them, whatever their method.
    pub fn all(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }

    pub fn head(&self) -> String {
        let heads = self.heads();
        assert_eq!(heads.len(), 1, "{heads:#?}");
        heads.into_iter().next().unwrap()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<String>>, answer: &Mutex<String>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => bytes.extend(&piece[..read]),
            _ => return,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase().replacen("post ", "POST ", 1);
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => bytes.extend(&piece[..read]),
            _ => return,
        }
    }
    let checked = head.starts_with("get ");
    kept.lock().unwrap().push(head);
    // To a health check it is well, whatever it says to requests.
    let well = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = answer.lock().unwrap().clone();
    let _ = stream.write_all(if checked { well } else { &answer }.as_bytes());
}

pub fn asked(path: &str, headers: &[(&str, &str)], body: &Value) -> Request<Body> {
    let head = Request::post(path).header("content-type", "application/json");
    let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, *value));
    head.body(Full::new(body.to_string().into()).boxed()).unwrap()
}

pub fn chat_body() -> Value {
    json!({"model": "gpt-4o-mini", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]})
}

pub fn chat_answer() -> Value {
    json!({"model": "gpt-4o-mini", "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
}

/// Names that no provider may hear of, whoever wrote them: accounts, keys, and what hides a usage.
const FOREIGN: [&str; 12] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "openai-organization",
    "openai-project",
    "x-goog-user-project",
    "x-goog-fieldmask",
    "x-portkey-api-key",
    "x-http-method-override",
    "next-years-name",
];

#[tokio::test(flavor = "multi_thread")]
async fn only_what_an_api_needs_reaches_the_provider() {
    let answer = json!({"candidates": [{"content": {"parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]});
    let provider = Listening::start(200, &answer);
    let mut policy = policy(json!({"acme": free_tenant()}));
    policy["unpriced"] = json!({"policy": "allow"});
    let setup = Setup { provider: Some(provider.addr), any_path: true, ..Setup::new("forwarded", policy) };
    let gateway = Gateway::start(setup).await;
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let body =
        json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 50}});
    for query in [
        "",
        "?fields=candidates",
        "?%66ields=candidates",
        "?$fields=candidates&$alt=proto",
        "?alt=proto",
        "?prettyPrint=false&key=secret&access_token=secret",
    ] {
        let mut headers = FOREIGN.map(|name| (name, "secret")).to_vec();
        headers.extend([("x-tenant-id", "acme"), ("user-agent", "sdk"), ("x-goog-api-client", "gl-python")]);
        let answer = gateway.ask(asked(&format!("{path}{query}"), &headers, &body)).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let head = provider.head();
        assert_eq!(head.lines().next(), Some(&*format!("POST {} http/1.1", path.to_lowercase())), "{query}");
        assert!(!head.contains("secret"), "{head}");
        assert!(head.contains("user-agent: sdk") && head.contains("x-goog-api-client: gl-python"), "{head}");
        let record = gateway.record_of(&answer).await;
        assert!(record["dropped"].as_array().unwrap().contains(&json!("x-goog-fieldmask")), "{record}");
        assert!(!record.to_string().contains("secret"));
    }
    let answer = gateway.ask(asked(&format!("{path}?alt=sse&alt=proto"), &[("x-tenant-id", "acme")], &body)).await;
    assert_eq!((answer.status, provider.heads().len()), (400, 0), "{}", answer.text());
    let stats = gateway.stats().await;
    for (kind, at_least) in [("header", 6 * 7), ("credential", 6 * 5), ("query", 7)] {
        let counted = stats.sum("ai_gateway_dropped_total", &[("kind", kind)]);
        assert!(counted >= at_least, "{kind}: {counted}");
    }
}

pub const ACME: &str = "0123456789abcdef-of-acme";
const OTHER: &str = "fedcba9876543210-of-test-tenant";

fn environment(openai: &Listening, openrouter: &Listening) -> Vec<(&'static str, String)> {
    vec![
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENAI_BASE_URL", openai.url("/v1")),
        ("OPENROUTER_API_KEY", "dummy-of-openrouter".to_owned()),
        ("OPENROUTER_BASE_URL", openrouter.url("/api/v1")),
        ("CLIENT_KEYS", format!("acme={ACME},test-tenant={OTHER}")),
    ]
}

pub async fn production(name: &str, openai: &Listening, openrouter: &Listening, swaps: &[(&str, &str)]) -> Gateway {
    Gateway::production(name, &environment(openai, openrouter), swaps).await
}

/// A gateway with three providers, of which the second has its key in a header of its own.
struct House {
    gateway: Gateway,
    openai: Listening,
    openrouter: Listening,
    local: Listening,
}

impl House {
    /// Those that it serves take turns, so that what the providers say and hear is a test's own.
    async fn in_turn() -> MutexGuard<'static, Self> {
        static HOUSE: OnceCell<sync::Mutex<House>> = OnceCell::const_new();
        let start = async || {
            let [openai, openrouter, local] = [(); 3].map(|()| Listening::start(200, &chat_answer()));
            let mut environment = environment(&openai, &openrouter);
            environment.push(("LOCAL_API_KEY", "dummy-of-local".to_owned()));
            environment.push(("LOCAL_OPENAI_URL", local.url("/v1")));
            let injected = (
                "credential: {name: openrouter_key}\n                header: authorization",
                "credential: {name: openrouter_key}\n                header: x-portkey-api-key",
            );
            let gateway = Gateway::production("forwarded-production", &environment, &[injected]).await;
            sync::Mutex::new(Self { gateway, openai, openrouter, local })
        };
        let house = HOUSE.get_or_init(start).await.lock().await;
        for provider in [&house.openai, &house.openrouter, &house.local] {
            provider.say(200, "", &chat_answer());
            provider.all();
        }
        house
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_whatever_header_stays_with_its_provider() {
    let house = House::in_turn().await;
    for provider in [&house.openai, &house.openrouter] {
        provider.say(500, "", &json!({"error": {"message": "overloaded"}}));
    }
    let mut headers = FOREIGN.map(|name| (name, "secret")).to_vec();
    headers.retain(|(name, _)| *name != "authorization");
    let bearer = format!("Bearer {ACME}");
    headers.push(("authorization", &bearer));
    let answer = house.gateway.ask(asked(CHAT, &headers, &chat_body())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (first, second, third) = (house.openai.head(), house.openrouter.head(), house.local.head());
    assert!(first.contains("authorization: bearer dummy-of-openai") && !first.contains("portkey"), "{first}");
    assert!(second.contains("x-portkey-api-key: bearer dummy-of-openrouter"), "{second}");
    assert!(!second.contains("dummy-of-openai") && !second.contains("\nauthorization"), "{second}");
    assert!(third.contains("authorization: bearer dummy-of-local"), "{third}");
    assert!(!third.contains("dummy-of-open") && !third.contains("portkey"), "{third}");
    for head in [first, second, third] {
        assert!(!head.contains("secret") && !head.contains(ACME), "{head}");
    }
}

fn tenant(record: &Value) -> &str {
    record["tenant"].as_str().unwrap()
}

/// Agents that have a login of their own send it beside the gateway's key, in either place.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_somebody_elses_hides_the_one_that_counts() {
    let house = House::in_turn().await;
    let House { gateway, openai, .. } = &*house;
    let bearer = format!("Bearer {ACME}");
    let (ours, other) = (bearer.as_str(), format!("Bearer {OTHER}"));
    for (query, headers, whose) in [
        ("", vec![("authorization", ours)], "acme"),
        ("", vec![("x-api-key", ACME)], "acme"),
        ("", vec![("api-key", ACME)], "acme"),
        ("", vec![("x-goog-api-key", ACME)], "acme"),
        ("?key=0123456789abcdef-of-acme", vec![], "acme"),
        ("", vec![("authorization", "Bearer eyJhbGciOi.own"), ("x-api-key", ACME)], "acme"),
        ("", vec![("authorization", ours), ("x-api-key", "sk-ant-own")], "acme"),
        ("", vec![("authorization", "Bearer sk-own"), ("x-api-key", "sk-ant-own"), ("api-key", ACME)], "acme"),
        ("", vec![("x-goog-api-key", ACME), ("authorization", "Bearer ya29.own"), ("api-key", "own")], "acme"),
        ("?key=0123456789abcdef-of-acme", vec![("authorization", "Bearer own")], "acme"),
        // Of two that count, the first: whoever has both may be either.
        ("", vec![("authorization", other.as_str()), ("x-api-key", ACME)], "test-tenant"),
    ] {
        let answer = gateway.ask(asked(&format!("{CHAT}{query}"), &headers, &chat_body())).await;
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
        assert_eq!(tenant(&gateway.record_of(&answer).await), whose, "{headers:?}");
        let head = openai.head();
        assert!(!["own", "abcdef", "fedcba"].iter().any(|key| head.contains(key)), "{head}");
        assert!(head.contains("authorization: bearer dummy-of-openai"), "{head}");
    }
    let refused = |answer: &Answer| assert_eq!(answer.status, 401, "{}", answer.text());
    for headers in [
        vec![],
        vec![("authorization", "Bearer own")],
        vec![("x-api-key", "0123450000000000-of-acme")],
        vec![("x-api-key", "own"), ("x-api-key", ACME)],
        vec![("x-tenant-id", "acme")],
        vec![("cookie", "key=0123456789abcdef-of-acme")],
    ] {
        refused(&gateway.ask(asked(CHAT, &headers, &chat_body())).await);
    }
    assert_eq!(openai.heads().len(), 0);

    // A program that ends TLS on this machine would bring everybody from here.
    for page in ["/api/ai/health", "/api/ai/metrics"] {
        assert_eq!(gateway.ask(get(page)).await.status, 401, "{page}");
        let mut known = get(page);
        known.headers_mut().insert("x-api-key", ACME.parse().unwrap());
        assert_eq!(gateway.ask(known).await.status, 404, "{page}");
        let shown = async || ask(gateway.probe, get(page)).await.status;
        eventually("the page at the probes' listener", shown, |status| *status == 200).await;
    }
}

/// A newer SDK with a flag that nobody has judged is a red test, and no leak.
#[test]
fn every_flag_of_the_official_sdks_is_in_the_table() {
    let anthropic = "import typing, anthropic.types as t; print(*[flag for part in typing.get_args(t.AnthropicBetaParam) for flag in typing.get_args(part)], sep='\\n')";
    // In headers as they are sent, and in the types of what may be sent.
    let openai = "import re, pathlib, openai\n\
                  for file in pathlib.Path(openai.__file__).parent.rglob('*.py'):\n    \
                  text = file.read_text()\n    \
                  print(*re.findall(r'\"OpenAI-Beta\": \"([^\"]+)\"', text), *re.findall(r'\"(\\w+=v\\d+)\"', text), sep='\\n')";
    for (header, list, some) in [("anthropic-beta", anthropic, 30), ("openai-beta", openai, 100)] {
        let output = Command::new(crate::sdk::python()).args(["-c", list]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let flags = String::from_utf8(output.stdout).unwrap();
        let flags: Vec<_> = flags.lines().filter(|flag| !flag.is_empty()).collect();
        let knows = |flag: &&&str| !nexus_ai_gateway::forward::knows_beta(header, flag);
        let unknown: Vec<_> = flags.iter().filter(knows).collect();
        assert!(flags.len() > some, "{flags:?}");
        assert_eq!(unknown, [&""; 0]);
    }
}

/// By hand, with every provider's key set: Envoy itself says no until somebody has made a key. With the filter that does nothing, for
/// it isn't what refuses; what the gateway's says, the checker says here.
#[test]
fn production_does_not_start_with_a_key_that_everybody_knows() {
    let empty = std::env::var("EMPTY").expect("EMPTY: run `make e2e`");
    let text = std::fs::read_to_string(top().join("envoy/production.yaml")).unwrap();
    assert!(text.contains("filename: target/nexus_ai_gateway.wasm"));
    let text = text.replace("filename: target/nexus_ai_gateway.wasm", &format!("filename: {empty}"));
    let written = |name: &str, text: String| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let filled = written("production-by-hand.yaml", text.replace("key: \"\"}", "key: nexus-dummy-of-a-client}"));
    let shipped = written("production-as-shipped.yaml", text);
    let validated = |config: &Path| {
        let envoy = std::env::var_os("ENVOY_PATH").expect("ENVOY_PATH: run `make e2e`");
        let mut command = Command::new(envoy);
        command.args(["--mode", "validate", "-c"]).arg(config).current_dir(top());
        let keys = ["OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "LOCAL_API_KEY"];
        let output = command.envs(keys.map(|name| (name, "dummy"))).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (accepted, said) = validated(&shipped);
    assert!(!accepted && said.contains("CredentialValidationError.Key"), "{said}");
    let (accepted, said) = validated(&filled);
    assert!(accepted, "{said}");
    assert_eq!(checked(&filled), None);
}
