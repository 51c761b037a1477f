//! Whatever a client offers and a provider calls: what is denied goes to nobody, wherever a body is cut.

use nexus_ai_gateway::exchange::{AnswerHead, Around, Ending, Exchange, Opening, Step};
use nexus_ai_gateway::headers::Headers;
use nexus_ai_gateway::limit::cell::Cell;
use nexus_ai_gateway::llm::estimate::density::Density;
use nexus_ai_gateway::llm::meter::Passage;
use nexus_ai_gateway::llm::request::spliced;
use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::units::UnixNanos;
use serde_json::Value;

use crate::cuts::{chunkings, head};

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

thread_local! {
    static POLICY: Policy = Policy::read(br#"{
        "tools": {"registry": {"get_weather": {"parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}},
        "tenants": {"acme": {"unlimited": ["request_usd", "day_usd", "requests_per_minute"],
            "tools": {"deny": ["delete_*", "kind:mcp"], "offered": "strip", "called": "refuse", "arguments": "refuse", "strict": "refuse"}}},
        "unknown_tools": "pass", "unpriced_levers": "pass",
        "prices": [{"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"}]
    }"#).unwrap();
}

const PATHS: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/v1beta/models/m:streamGenerateContent",
    "/model/m/converse",
    "/v2/chat",
    "/api/chat",
];

/// What a provider may take for the name of a tool.
fn offers_denied(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(offers_denied),
        Value::Object(members) => members.iter().any(|(key, value)| match (&**key, value) {
            ("name", Value::String(name)) => name.to_ascii_lowercase().starts_with("delete_"),
            ("type", Value::String(kind)) => kind == "mcp",
            ("tools" | "functions" | "functionDeclarations" | "function_declarations", list) => offers_denied(list),
            ("function" | "custom" | "toolSpec", tool) => offers_denied(tool),
            _ => false,
        }),
        _ => false,
    }
}

struct Passed {
    sent: Vec<u8>,
    said: Vec<u8>,
    /// The answer was.
    refused: bool,
}

/// `None`: it is refused.
fn pass(policy: &Policy, path: &str, stream: bool, request: &[&[u8]], answer: &[&[u8]]) -> Option<Passed> {
    let headers = [(":method", &b"POST"[..]), (":path", path.as_bytes()), ("x-tenant-id", b"acme")];
    let Opening::Read(mut exchange) = Exchange::open(policy, &Headers::of(&headers), NOW) else { return None };
    for piece in request {
        if exchange.body(policy, piece).is_some() {
            return None;
        }
    }
    let around = Around {
        cluster: None,
        is_attended: &|_| true,
        is_open: &|_| false,
        knows: &|_, _| false,
        density: &|_, _| Density::default(),
        cell: &|_| None,
        sizes: &|_, _| None,
        is_out: &|_, _| false,
        service_unavailable: false,
        now: NOW,
    };
    let demand = exchange.end_of_request(policy, around)?.ok()?;
    let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOW);
    let Step::Forward(edits) = exchange.decided(policy, demand, Ok(decision), NOW) else { return None };
    let sent = spliced(&request.concat(), &edits);
    let content_type: &[u8] = if stream { b"text/event-stream" } else { b"application/json" };
    let head = Headers::of(&[(":status", &b"200"[..]), ("content-type", content_type)]);
    exchange
        .answer_head(policy, &AnswerHead { headers: &head, from_provider: true, cluster: None, end_of_stream: false });
    let mut said = Vec::new();
    let mut refused = false;
    for (nth, piece) in answer.iter().enumerate() {
        match exchange.answer_body(piece, nth + 1 == answer.len(), || NOW) {
            Passage::Unchanged => said.extend_from_slice(piece),
            Passage::Replaced(bytes) => said.extend(bytes),
        }
        if let Some(rejection) = exchange.refused_answer() {
            refused = true;
            exchange.end_answer(&rejection);
            break;
        }
    }
    let line = exchange
        .close(policy, &Ending { status: 200, sent: true, attempts: 1, ..Ending::default() }, NOW)
        .record
        .to_json();
    assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
    Some(Passed { sent, said, refused })
}

// A request in a line, and behind it an answer.
pub fn holds(input: &[u8]) {
    let Some(([api, stream, seed @ ..], rest)) = head::<4>(input) else { return };
    let path = PATHS[usize::from(api) % PATHS.len()];
    let at = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (request, answer) = rest.split_at(at);
    let answer = answer.get(1..).unwrap_or_default();
    let stream = stream & 1 == 1;
    POLICY.with(|policy| {
        let (requests, answers) = (chunkings(request, seed), chunkings(answer, seed));
        let mut first: Option<Option<Passed>> = None;
        for (nth, request) in requests.iter().enumerate() {
            let answer = answers.get(nth).or(answers.last()).unwrap();
            let passed = pass(policy, path, stream, request, answer);
            if let Some(Passed { sent, .. }) = &passed {
                let body: Value = serde_json::from_slice(sent).expect("what goes on is JSON");
                let offers = ["tools", "functions"].iter().any(|list| body.get(list).is_some_and(offers_denied));
                let around = body.get("toolConfig").and_then(|around| around.get("tools")).is_some_and(offers_denied);
                assert!(!offers && !around, "{}", String::from_utf8_lossy(sent));
            }
            match &first {
                None => first = Some(passed),
                Some(first) => {
                    let [one, two] = [first, &passed].map(|passed| {
                        let Passed { sent, said, refused } = passed.as_ref()?;
                        // What can't be read ends an answer where its pieces end.
                        Some((sent, (!refused).then_some(said), refused))
                    });
                    assert_eq!(one, two);
                }
            }
        }
    });
}
