//! Conversations over providers by weight: whose turns stay with one, on both workers, are billed as read from its cache; and where its
//! circuit breaker is open, they go on with the next.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::{Entry, Provider};

use crate::client::{Answer, Body, Connection, PATIENCE, chat, eventually};
use crate::envoy::{Gateway, boundless_tenant};

const NAMES: [&str; 3] = ["openai", "openrouter", "local"];
/// Of the tenant `acme`, at the gateway.
const CLIENT: &str = "0123456789abcdef-acme";
const CONVERSATIONS: usize = 60;
const TURNS: usize = 3;

struct House {
    gateway: Gateway,
    providers: [Provider; 3],
}

impl House {
    /// Three providers of one model, a third each.
    async fn build(name: &str, sticky: &str) -> Self {
        let providers = [(); 3].map(|()| Provider::start());
        providers.iter().for_each(|provider| provider.behave("prompt_cache"));
        let [openai, openrouter, local] = &providers;
        let environment = [
            ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
            ("OPENROUTER_API_KEY", "dummy-of-openrouter".to_owned()),
            ("OPENAI_BASE_URL", format!("{}/v1", openai.url())),
            ("OPENROUTER_BASE_URL", format!("{}/api/v1", openrouter.url())),
            ("LOCAL_OPENAI_URL", format!("{}/v1", local.url())),
            ("CLIENT_KEYS", format!("acme={CLIENT}")),
        ];
        let written = r#"providers: [{provider: openai}, {provider: openrouter, model: "openai/*"}, {provider: local, model: llama3.2}]"#;
        let served = NAMES.map(|name| format!("{{provider: {name}, weight: 10}}")).join(", ");
        let weighted = format!("providers: [{served}]\n                      sticky: {sticky}");
        let free = format!("acme: {}", boundless_tenant());
        let swaps = [("acme: {tier: premium}", &*free), (written, &*weighted)];
        Self { gateway: Gateway::production(name, &environment, &swaps).await, providers }
    }

    /// All turns of each conversation, each by a connection of its own, which goes to either worker: who answered them.
    async fn hold(&self) -> Vec<Vec<String>> {
        let mut held = vec![Vec::new(); CONVERSATIONS];
        for turn in 0..TURNS {
            for (nth, answered) in held.iter_mut().enumerate() {
                answered.push(answered_by(&self.take(nth, turn).await));
            }
        }
        held
    }

    async fn take(&self, nth: usize, turn: usize) -> Answer {
        let answer = Connection::open(self.gateway.addr).await.ask(request(nth, turn)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// What the providers billed, once it is what was recorded of each request, and counted.
    async fn billed(&self, requests: usize) -> Vec<Entry> {
        let records = self.gateway.wait_records_of("acme", requests).await;
        let ledgers = self.providers.iter().map(|provider| provider.settled_ledger(PATIENCE).requests);
        let entries: Vec<Entry> = ledgers.flatten().filter(Entry::billed).collect();
        let by_id: BTreeMap<_, _> = entries.iter().map(|entry| (entry.request_id.as_deref(), entry)).collect();
        for record in &records {
            let entry = by_id[&record["request_id"].as_str()];
            let told = [&record["cost_nanousd"], &record["input_tokens"], &record["cached_input_tokens"]];
            let billed = [entry.cost_nanousd, entry.prompt_tokens, entry.cached_tokens].map(Value::from);
            assert_eq!(told, billed.each_ref(), "{record}");
        }
        assert_eq!((records.len(), entries.len()), (requests, requests));
        self.gateway.settled("acme", entries.iter().map(|entry| entry.cost_nanousd).sum()).await;
        entries
    }

    async fn workers_asked(&self) -> usize {
        let connections = self.gateway.admin("/stats?filter=worker_.*downstream_cx_total").await;
        let gateway = connections.lines().filter(|line| line.contains(&format!("_{}.", self.gateway.addr.port())));
        gateway.filter(|line| !line.ends_with(": 0")).count()
    }
}

/// A contract of some pages, which is this conversation's alone, and what was said about it before this turn.
fn request(nth: usize, turn: usize) -> Request<Body> {
    let contract = format!("In contract {nth} the party of part {nth} says so. ").repeat(120);
    let mut messages =
        vec![json!({"role": "system", "content": "You read contracts."}), json!({"role": "user", "content": contract})];
    for turn in 0..turn {
        messages.push(json!({"role": "assistant", "content": format!("That is what clause {turn} says.")}));
        messages.push(json!({"role": "user", "content": format!("And the clause after {turn}?")}));
    }
    let asked = chat("acme").field("messages", messages).anonymous();
    asked.header("authorization", &format!("Bearer {CLIENT}")).request()
}

fn answered_by(answer: &Answer) -> String {
    answer.header("x-ai-provider").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn cached(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.cached_tokens).sum()
}

/// The same conversations, once with turns that stay and once with requests that draw each for itself.
#[tokio::test(flavor = "multi_thread")]
async fn turns_that_stay_with_their_provider_are_read_from_its_cache() {
    let (kept, drawn) = tokio::join!(House::build("affinity", "conversation"), House::build("no-affinity", "request"));
    let (held, scattered) = tokio::join!(kept.hold(), drawn.hold());
    for turns in &held {
        assert_eq!(turns.iter().collect::<BTreeSet<_>>().len(), 1, "{turns:?}");
    }
    assert_eq!(kept.workers_asked().await, 2, "by connections that went to both");
    for name in NAMES {
        // A third of 60, and five times its deviation. How a conversation begins says where it goes: it is the same number each time.
        let of = held.iter().filter(|turns| turns[0] == name).count();
        assert!((2..=38).contains(&of), "{name}: {of}");
    }
    let moved = scattered.iter().filter(|turns| turns.iter().collect::<BTreeSet<_>>().len() > 1).count();
    assert!(moved > CONVERSATIONS / 2, "{moved}");

    let requests = CONVERSATIONS * TURNS;
    let (with, without) = (kept.billed(requests).await, drawn.billed(requests).await);
    let prompts = |entries: &[Entry]| entries.iter().map(|entry| entry.prompt_tokens).sum::<u64>();
    assert_eq!(prompts(&with), prompts(&without));
    let (with_cost, without_cost) = (cost(&with), cost(&without));
    println!(
        "cached tokens: {} with, {} without, of {}; nano-USD: {with_cost} and {without_cost}",
        cached(&with),
        cached(&without),
        prompts(&with)
    );
    // Each turn but the first is read from the cache, but for what is new and what is less than a step of it.
    let later = with.iter().filter(|entry| entry.cached_tokens > 0).count();
    assert_eq!(later, CONVERSATIONS * (TURNS - 1));
    assert!(cached(&with) * 20 > prompts(&with) * 11, "{} of {}", cached(&with), prompts(&with));
    // Of those that draw, the second turn meets its provider again once in three, and the third of them all five times in nine: 4 in 9
    // of what stays. Half as much again is four deviations away.
    assert!(cached(&with) * 2 > cached(&without) * 3, "{} and {}", cached(&with), cached(&without));
    assert!(with_cost * 10 < without_cost * 9, "{with_cost} and {without_cost}");
}

fn cost(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.cost_nanousd).sum()
}

/// Conversations of a provider that fails go on with the next of their own, and after its breaker has opened it isn't asked any more.
/// All others stay where they are.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_leave_a_provider_whose_breaker_is_open_and_no_other() {
    let house = House::build("affinity-breaker", "conversation").await;
    let mut at = Vec::new();
    for nth in 0..CONVERSATIONS {
        at.push(answered_by(&house.take(nth, 0).await));
    }
    house.gateway.polls(2).await;
    house.providers[0].behave("status=500");
    let of_openai: Vec<_> = (0..CONVERSATIONS).filter(|nth| at[*nth] == "openai").collect();
    let fails = async || {
        for nth in &of_openai {
            assert_ne!(answered_by(&house.take(*nth, 1).await), "openai");
        }
        house.gateway.plain_stat("cluster.openai.outlier_detection.ejections_active").await
    };
    eventually("an open breaker", fails, |ejected| *ejected == 1).await;
    house.gateway.polls(2).await;
    let before = house.providers[0].ledger().requests.len();
    let mut next = Vec::new();
    for (nth, at) in at.iter().enumerate() {
        let [one, other] = [house.take(nth, 2).await, house.take(nth, 2).await].map(|answer| answered_by(&answer));
        assert_eq!(one, other, "also where it is now");
        if at == "openai" {
            next.push(one);
        } else {
            assert_eq!(&one, at, "conversation {nth}");
        }
    }
    assert_eq!(house.providers[0].ledger().requests.len(), before, "it is left alone");
    let next: BTreeSet<_> = next.iter().map(String::as_str).collect();
    assert_eq!(next, BTreeSet::from(["local", "openrouter"]), "each has the next of its own");
}
