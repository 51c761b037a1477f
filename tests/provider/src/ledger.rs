//! What the provider bills: one entry per request for an answer, and their sum.
//!
//! A request is billed from the moment its 2xx answer begins: the prompt at once, the completion as it is
//! handed to the connection (a JSON answer: all of it). Refusals and resets bill nothing.

use serde_json::{Value, json};

use crate::api::Api;
use crate::prices::Rates;
use crate::sold::Sold;

/// How a request ended, from where the provider stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It has not ended yet.
    #[default]
    Open,
    /// The answer was handed over to its last byte.
    Complete,
    /// The provider broke off after the answer had begun.
    Cut,
    /// The provider closed before any answer.
    Reset,
    /// Answered by an error status.
    Refused,
    /// The client went away first.
    Abandoned,
}

impl Ending {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One request as it arrived, and what it was billed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    /// Whose words it spoke; none for a case that was played under another path.
    pub api: Option<Api>,
    /// The model by which it is priced; empty if the request could not be read.
    pub model: String,
    /// `x-tenant-id`, if it got this far.
    pub tenant: Option<String>,
    /// `x-request-id`
    pub request_id: Option<String>,
    /// As it arrived.
    pub path: String,
    /// The headers with keys that arrived; no ledger that is shown has them.
    pub keys: Vec<(&'static str, String)>,
    pub stream: bool,
    /// The output bound that arrived, from whichever field.
    pub output_bound: Option<u64>,
    /// Whether `stream_options.include_usage` arrived.
    pub include_usage: bool,
    /// 0 until an answer begins.
    pub status: u16,
    /// All of the prompt: what was read from or written to a cache is a part of it, in every API.
    pub prompt_tokens: u64,
    /// All that was generated, reasoning included.
    pub completion_tokens: u64,
    pub cached_tokens: u64,
    /// Cache writes of both kinds.
    pub cache_creation_tokens: u64,
    pub cache_creation_1h_tokens: u64,
    /// Of the completion tokens so far.
    pub reasoning_tokens: u64,
    pub search_units: u64,
    pub web_searches: u64,
    pub file_searches: u64,
    pub container_sessions: u64,
    pub images: u64,
    pub audio_seconds: u64,
    pub characters: u64,
    /// By which it was served, if not by the standard.
    pub service_tier: Option<String>,
    /// `<api>/<case>` of the corpus, if a case was played.
    pub case: Option<String>,
    pub cost_nanousd: u64,
    /// The whole answer was handed over. With [`Ending::Cut`]: the cut came after the last byte.
    pub delivered: bool,
    pub ending: Ending,
}

impl Entry {
    pub fn billed(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A played case brings its cost along, whatever its status.
    pub(crate) fn price(&mut self) {
        if self.case.is_none() {
            let rates = Rates::of(&self.model).in_tier(self.service_tier.as_deref());
            self.cost_nanousd = if self.billed() { rates.cost(self) } else { 0 };
        }
    }

    pub(crate) fn buy(&mut self, sold: Sold) {
        let Sold { web_searches, file_searches, containers, images, seconds, characters } = sold;
        self.web_searches += web_searches;
        self.file_searches += file_searches;
        self.container_sessions += containers;
        self.images += images;
        self.audio_seconds += seconds;
        self.characters += characters;
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "api": self.api.map(Api::name),
            "model": self.model,
            "tenant": self.tenant,
            "request_id": self.request_id,
            "stream": self.stream,
            "output_bound": self.output_bound,
            "include_usage": self.include_usage,
            "status": self.status,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_creation_tokens": self.cache_creation_tokens,
            "cache_creation_1h_tokens": self.cache_creation_1h_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "search_units": self.search_units,
            "web_searches": self.web_searches,
            "file_searches": self.file_searches,
            "container_sessions": self.container_sessions,
            "images": self.images,
            "audio_seconds": self.audio_seconds,
            "characters": self.characters,
            "service_tier": self.service_tier,
            "case": self.case,
            "cost_nanousd": self.cost_nanousd,
            "delivered": self.delivered,
            "ending": self.ending.name(),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// All that arrived, refused ones too.
    pub requests: u64,
    /// Those whose 2xx answer began.
    pub billed_requests: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cached_tokens: u64,
    pub cache_creation_tokens: u64,
    pub cache_creation_1h_tokens: u64,
    pub reasoning_tokens: u64,
    pub search_units: u64,
    pub web_searches: u64,
    pub cost_nanousd: u64,
}

impl Sum {
    fn add(&mut self, entry: &Entry) {
        self.requests += 1;
        self.billed_requests += u64::from(entry.billed());
        for (sum, more) in [
            (&mut self.prompt_tokens, entry.prompt_tokens),
            (&mut self.completion_tokens, entry.completion_tokens),
            (&mut self.cached_tokens, entry.cached_tokens),
            (&mut self.cache_creation_tokens, entry.cache_creation_tokens),
            (&mut self.cache_creation_1h_tokens, entry.cache_creation_1h_tokens),
            (&mut self.reasoning_tokens, entry.reasoning_tokens),
            (&mut self.search_units, entry.search_units),
            (&mut self.web_searches, entry.web_searches),
            (&mut self.cost_nanousd, entry.cost_nanousd),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn to_json(self) -> Value {
        json!({
            "requests": self.requests,
            "billed_requests": self.billed_requests,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_creation_tokens": self.cache_creation_tokens,
            "cache_creation_1h_tokens": self.cache_creation_1h_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "search_units": self.search_units,
            "web_searches": self.web_searches,
            "cost_nanousd": self.cost_nanousd,
        })
    }
}

/// The ledger at one moment: a copy that later requests do not change.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub requests: Vec<Entry>,
    pub forgotten: u64,
}

impl Ledger {
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        self.requests.iter().for_each(|entry| sum.add(entry));
        sum
    }

    /// Only the entries that `wanted` keeps.
    pub fn only(mut self, wanted: impl Fn(&Entry) -> bool) -> Ledger {
        self.requests.retain(wanted);
        self
    }

    pub fn of_tenant(self, tenant: &str) -> Ledger {
        self.only(|entry| entry.tenant.as_deref() == Some(tenant))
    }

    pub fn of_model(self, model: &str) -> Ledger {
        self.only(|entry| entry.model == model)
    }

    pub fn of_api(self, api: Api) -> Ledger {
        self.only(|entry| entry.api == Some(api))
    }

    pub fn of_case(self, case: &str) -> Ledger {
        self.only(|entry| entry.case.as_deref() == Some(case))
    }

    /// Requests that have not ended yet.
    pub fn open(&self) -> usize {
        self.requests.iter().filter(|entry| entry.ending == Ending::Open).count()
    }

    pub fn to_json(&self) -> Value {
        json!({
            "requests": self.requests.iter().map(Entry::to_json).collect::<Vec<_>>(),
            "forgotten": self.forgotten,
            "sum": self.sum().to_json(),
        })
    }
}
