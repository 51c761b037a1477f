//! Whatever a client writes and a provider answers: each reply is whole, each header that the gateway writes stays in its
//! place, and each attempt is told what was planned for it.

use nexus_ai_gateway::attempt::Attempt;
use nexus_ai_gateway::exchange::{AnswerHead, Around, Ending, Exchange, Opening, Step};
use nexus_ai_gateway::headers::{Headers, LONGEST_VALUE, is_value};
use nexus_ai_gateway::limit::cell::Cell;
use nexus_ai_gateway::llm::estimate::density::Density;
use nexus_ai_gateway::llm::request::spliced;
use nexus_ai_gateway::outcome::Reply;
use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::units::{NanoUsd, UnixNanos};
use serde_json::Value;

use crate::cuts::{chunkings, head};

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

thread_local! {
    /// Every name is served, so that what a client calls a model goes as far as it can.
    static POLICY: Policy = Policy::read(br#"{
        "tenants": {"acme": {"budgets": {"day_usd": "1000"}, "unlimited": ["request_usd"]}, "poor": {"tier": "low"}},
        "roles": ["chat"], "role_models": {"chat": "auto-1"}, "sensitivity_header": "x-ai-sensitivity",
        "providers": {"one": {"cluster": "one", "base_path": "/v1", "sensitivity": "restricted"}, "two": {"cluster": "two", "base_path": "/api/v1", "sensitivity": "internal"}},
        "models": [{"model": "auto-1", "providers": [{"provider": "one"}]}, {"model": "*", "sticky": "conversation", "instead": {"model": "auto-1"}, "providers": [{"provider": "one", "weight": 2}, {"provider": "two", "model": "there/*", "weight": 1}]}],
        "prices": [{"model": "auto-1", "input_usd_per_1m_tokens": "0.5", "output_usd_per_1m_tokens": "1"}, {"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"}]
    }"#).unwrap();
}

const PATHS: [&str; 10] = [
    "/v1/chat/completions",
    "/api/ai/chat",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1beta/models/",
    "/model/",
    "/api/chat",
    "/v2/rerank",
];

/// Of a thousand dollars 900 are spent, so that another model may serve.
fn near_its_end() -> Cell {
    let mut cell = Cell::default();
    cell.take_over([NanoUsd(900_000_000_000); 2], NOW, NOW, 900);
    cell
}

/// What no reader of HTTP takes for anything but one header.
fn stays(name: &str, value: &str) {
    let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let name = name.strip_prefix(':').unwrap_or(name);
    assert!(!name.is_empty() && name.bytes().all(token), "{name:?}");
    assert!(is_value(value.as_bytes()) && value.len() <= LONGEST_VALUE, "{name}: {value:?}");
}

fn whole(reply: &Reply) {
    assert!((400..600).contains(&reply.status));
    for (name, value) in &reply.headers {
        stays(name, value);
    }
    assert!(serde_json::from_slice::<Value>(&reply.body).is_ok_and(|body| body.is_object()));
}

fn told(exchange: Exchange, policy: &Policy) {
    let line = exchange.close(policy, &Ending::default(), NOW).record.to_json();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
}

pub fn holds(input: &[u8]) {
    let Some(([api, of_path, of_names, of_answer, seed @ ..], rest)) = head::<6>(input) else { return };
    let take = |rest: &mut &[u8], length: u8| {
        let (taken, after) = rest.split_at(usize::from(length).min(rest.len()));
        *rest = after;
        taken.to_vec()
    };
    let mut rest = rest;
    let (path, names, answer) = (take(&mut rest, of_path), take(&mut rest, of_names), take(&mut rest, of_answer));
    let mut names = names.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let base = PATHS[usize::from(api) % PATHS.len()];
    let path = [base.as_bytes(), &path].concat();
    let mut headers: Vec<(&str, Vec<u8>)> =
        vec![(":method", b"POST".to_vec()), (":path", path), ("x-tenant-id", b"acme".to_vec())];
    for name in ["x-request-id", "x-ai-role", "x-ai-sensitivity", "content-type"] {
        headers.extend(names.next().map(|value| (name, value)));
    }
    POLICY.with(|policy| {
        let opened = Exchange::open(policy, &Headers::of(&headers), NOW);
        let mut exchange = match opened {
            Opening::Aside => return,
            Opening::Refuse(exchange, reply) => {
                whole(&reply);
                return told(exchange, policy);
            }
            Opening::Read(exchange) => exchange,
        };
        for piece in chunkings(rest, seed).swap_remove(1) {
            if let Some(reply) = exchange.body(policy, piece) {
                whole(&reply);
                return told(exchange, policy);
            }
        }
        let around = Around {
            cluster: None,
            is_attended: &|_| true,
            is_open: &|_| false,
            knows: &|_, _| false,
            density: &|_, _| Density::default(),
            cell: &|_| Some(near_its_end()),
            sizes: &|_, _| None,
            is_out: &|_, _| false,
            service_unavailable: false,
            now: NOW,
        };
        let demand = match exchange.end_of_request(policy, around).unwrap() {
            Ok(demand) => demand,
            Err(reply) => {
                whole(&reply);
                return told(exchange, policy);
            }
        };
        let rules = &*demand.tenant.rules;
        let decision = Cell::default().admit(rules, &demand.ask, NOW);
        match exchange.decided(policy, demand, Ok(decision), NOW) {
            Step::Refuse(reply) => whole(&reply),
            Step::Forward(_) => panic!("the policy chooses"),
            Step::Route(chain) => {
                // The API, a line for each provider, and whose request it is.
                assert_eq!(chain.plan.lines().count(), chain.clusters.len() + 2, "{:?}", chain.plan);
                for cluster in &chain.clusters {
                    let attempt = Attempt::of(&chain.plan, cluster).expect("each provider of the chain has its line");
                    assert!(is_value(attempt.leg.path.as_bytes()));
                    assert_eq!(spliced(rest, &attempt.leg.edits).len() as u64, attempt.leg.length);
                }
                let head =
                    [(":status", &b"200"[..]), ("content-type", b"application/json"), ("x-nexus-retry-after", &answer)];
                // Envoy lets no other value come from a provider.
                let head: Vec<_> = head.into_iter().filter(|(_, value)| is_value(value)).collect();
                let head = Headers::of(&head);
                let cluster = chain.clusters.first().map(String::as_str);
                let passed = exchange.answer_head(
                    policy,
                    &AnswerHead { headers: &head, from_provider: true, cluster, end_of_stream: false },
                );
                for (name, value) in &passed.set {
                    stays(name, value);
                }
            }
        }
        told(exchange, policy);
    });
}
