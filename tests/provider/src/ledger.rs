//! What the provider bills: one entry per chat request, and their sum.
//!
//! Prices and rounding are written here a second time on purpose. The gateway is checked against this
//! ledger, and a ledger that shared the gateway's code would agree with its mistakes.
//!
//! A request is billed from the moment its 2xx answer begins: the prompt at once, the completion as it is
//! handed to the connection (a JSON answer: all of it). Refusals and resets bill nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Beyond this many, the oldest entries leave the list and the sum; `forgotten` tells how many did.
const MOST_ENTRIES: usize = 200_000;

/// Prices in pico-USD per token: 1 USD per 1 M tokens is 1,000,000 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

/// The models with a price of their own; any other costs [`DEFAULT_RATES`].
pub const PRICES: [(&str, Rates); 4] = [
    ("gpt-4o-mini", Rates { input: 150_000, cached: 75_000, output: 600_000 }),
    ("gpt-4o", Rates { input: 2_500_000, cached: 1_250_000, output: 10_000_000 }),
    ("gpt-4", Rates { input: 30_000_000, cached: 30_000_000, output: 60_000_000 }),
    ("tiny", Rates { input: 100_000, cached: 100_000, output: 400_000 }),
];

pub const DEFAULT_RATES: Rates = Rates { input: 1_000_000, cached: 1_000_000, output: 2_000_000 };

impl Rates {
    pub fn of(model: &str) -> Rates {
        PRICES.iter().find(|(name, _)| *name == model).map_or(DEFAULT_RATES, |(_, rates)| *rates)
    }

    /// Nano-USD of one request, rounded up once. `cached` tokens are a part of `prompt`.
    pub fn cost(self, prompt: u64, cached: u64, completion: u64) -> u64 {
        let cached = cached.min(prompt);
        let parts = [(prompt - cached, self.input), (cached, self.cached), (completion, self.output)];
        // Tokens fill 64 bits and rates fewer than 32: 128 bits hold the sum of three products.
        let pico: u128 = parts.iter().map(|(tokens, rate)| u128::from(*tokens) * u128::from(*rate)).sum();
        u64::try_from(pico.div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

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

/// One chat request as it arrived, and what it was billed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    /// The model by which it is priced; empty if the request could not be read.
    pub model: String,
    /// `x-tenant-id`, if it got this far.
    pub tenant: Option<String>,
    /// `x-request-id`
    pub request_id: Option<String>,
    pub stream: bool,
    /// The output bound that arrived, from whichever field.
    pub output_bound: Option<u64>,
    /// Whether `stream_options.include_usage` arrived.
    pub include_usage: bool,
    /// 0 until an answer begins.
    pub status: u16,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cached_tokens: u64,
    pub cost_nanousd: u64,
    /// The whole answer was handed over. With [`Ending::Cut`]: the cut came after the last byte.
    pub delivered: bool,
    pub ending: Ending,
}

impl Entry {
    pub fn billed(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn price(&mut self) {
        self.cost_nanousd = match self.billed() {
            true => Rates::of(&self.model).cost(self.prompt_tokens, self.cached_tokens, self.completion_tokens),
            false => 0,
        };
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
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
    pub cost_nanousd: u64,
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
        for entry in &self.requests {
            sum.requests += 1;
            sum.billed_requests += u64::from(entry.billed());
            sum.prompt_tokens = sum.prompt_tokens.saturating_add(entry.prompt_tokens);
            sum.completion_tokens = sum.completion_tokens.saturating_add(entry.completion_tokens);
            sum.cached_tokens = sum.cached_tokens.saturating_add(entry.cached_tokens);
            sum.cost_nanousd = sum.cost_nanousd.saturating_add(entry.cost_nanousd);
        }
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

    /// Requests that have not ended yet.
    pub fn open(&self) -> usize {
        self.requests.iter().filter(|entry| entry.ending == Ending::Open).count()
    }

    pub fn to_json(&self) -> Value {
        let sum = self.sum();
        json!({
            "requests": self.requests.iter().map(Entry::to_json).collect::<Vec<_>>(),
            "forgotten": self.forgotten,
            "sum": {
                "requests": sum.requests,
                "billed_requests": sum.billed_requests,
                "prompt_tokens": sum.prompt_tokens,
                "completion_tokens": sum.completion_tokens,
                "cached_tokens": sum.cached_tokens,
                "cost_nanousd": sum.cost_nanousd,
            },
        })
    }
}

/// The ledger that is being written, shared by all connections.
#[derive(Clone, Debug, Default)]
pub struct Books(Arc<Mutex<Pages>>);

/// Ids are consecutive, so an entry is found by its distance from the first.
#[derive(Debug, Default)]
struct Pages {
    first: u64,
    entries: VecDeque<Entry>,
    forgotten: u64,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(&self) -> Ledger {
        let pages = self.pages();
        Ledger { requests: pages.entries.iter().cloned().collect(), forgotten: pages.forgotten }
    }

    /// Empties the ledger and tells how many entries it had. A request under way is forgotten with the rest.
    pub fn clear(&self) -> usize {
        let mut pages = self.pages();
        let count = pages.entries.len();
        pages.first += count as u64;
        pages.entries.clear();
        pages.forgotten = 0;
        count
    }

    /// Opens an entry; its id is the ledger's to give.
    pub fn open(&self, mut entry: Entry) -> Bill {
        let mut pages = self.pages();
        if pages.entries.len() >= MOST_ENTRIES {
            pages.entries.pop_front();
            pages.first += 1;
            pages.forgotten += 1;
        }
        let id = pages.first + pages.entries.len() as u64;
        entry.id = id;
        pages.entries.push_back(entry);
        Bill { books: self.clone(), id, ended: false }
    }
}

/// The right to write one entry. Dropped before its end, the client went away: hyper drops the answer then.
#[derive(Debug)]
pub struct Bill {
    books: Books,
    id: u64,
    ended: bool,
}

impl Bill {
    /// Changes the entry and prices it anew.
    pub fn write(&self, change: impl FnOnce(&mut Entry)) {
        let mut pages = self.books.pages();
        let at = self.id.checked_sub(pages.first).and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| pages.entries.get_mut(at)) {
            change(entry);
            entry.price();
        }
    }

    pub fn generated(&self, tokens: u64) {
        if tokens > 0 {
            self.write(|entry| entry.completion_tokens = entry.completion_tokens.saturating_add(tokens));
        }
    }

    /// The first end counts.
    pub fn end(&mut self, ending: Ending, delivered: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            self.write(|entry| (entry.ending, entry.delivered) = (ending, delivered));
        }
    }

    pub fn refuse(&mut self, status: u16) {
        self.write(|entry| entry.status = status);
        self.end(Ending::Refused, true);
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        self.end(Ending::Abandoned, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_in_pico_usd_and_rounded_up_once() {
        let mini = Rates::of("gpt-4o-mini");
        assert_eq!(mini.cost(0, 0, 0), 0);
        assert_eq!(mini.cost(1_000_000, 0, 1_000_000), 750_000_000, "0.15 + 0.60 USD");
        assert_eq!(mini.cost(1_000_000, 1_000_000, 0), 75_000_000, "all of it cached");
        assert_eq!(mini.cost(10, 4, 3), 3_000, "6 × 150,000 + 4 × 75,000 + 3 × 600,000 pico-USD");
        assert_eq!(Rates { input: 1, cached: 1, output: 1 }.cost(1, 0, 1), 1, "2 pico-USD are not free");
        assert_eq!(Rates { input: 1, cached: 1, output: 1 }.cost(1_000, 0, 1), 2, "1,001 pico-USD");
        assert_eq!(mini.cost(5, 9, 0), mini.cost(5, 5, 0), "no more is cached than was asked");
        assert_eq!(Rates::of("gpt-4").cost(u64::MAX, 0, u64::MAX), u64::MAX, "saturates");
        assert_eq!(Rates::of("gpt-4o-2024-11-20"), DEFAULT_RATES, "names are exact");
    }

    #[test]
    fn only_a_begun_answer_is_billed() {
        let books = Books::default();
        let entry = || Entry { model: "tiny".into(), ..Entry::default() };
        let begin = |bill: &Bill| bill.write(|entry| (entry.status, entry.prompt_tokens) = (200, 100));

        books.open(entry()).refuse(429);
        books.open(entry()).end(Ending::Reset, false);
        drop(books.open(entry()));
        assert_eq!(books.read().sum(), Sum { requests: 3, ..Sum::default() });

        let mut whole = books.open(entry());
        begin(&whole);
        whole.generated(7);
        whole.generated(3);
        whole.end(Ending::Complete, true);
        drop(whole);
        let left = books.open(entry());
        begin(&left);
        left.generated(1);
        assert_eq!(books.read().open(), 1);
        drop(left);

        let ledger = books.read();
        let endings: Vec<_> = ledger.requests.iter().map(|entry| entry.ending.name()).collect();
        assert_eq!(endings, ["refused", "reset", "abandoned", "complete", "abandoned"]);
        let sum = ledger.sum();
        assert_eq!((sum.requests, sum.billed_requests), (5, 2));
        assert_eq!((sum.prompt_tokens, sum.completion_tokens), (200, 11));
        assert_eq!(sum.cost_nanousd, (100 * 100 + 10 * 400) + (100 * 100 + 400));
        assert_eq!(ledger.to_json()["sum"]["cost_nanousd"], sum.cost_nanousd);
    }

    #[test]
    fn a_request_that_outlives_clear_writes_nowhere() {
        let books = Books::default();
        let old = books.open(Entry::default());
        assert_eq!(books.clear(), 1);
        let new = books.open(Entry::default());
        old.write(|entry| entry.status = 200);
        drop(old);
        let ledger = books.read();
        assert_eq!(ledger.requests.len(), 1);
        assert_eq!((ledger.requests[0].id, ledger.requests[0].status), (1, 0));
        assert_eq!(ledger.open(), 1);
        drop(new);
    }

    #[test]
    fn views_keep_their_own_sum() {
        let books = Books::default();
        for (tenant, model) in [("a", "tiny"), ("b", "tiny"), ("a", "gpt-4")] {
            books.open(Entry { tenant: Some(tenant.into()), model: model.into(), ..Entry::default() }).refuse(500);
        }
        assert_eq!(books.read().of_tenant("a").sum().requests, 2);
        assert_eq!(books.read().of_tenant("a").of_model("tiny").sum().requests, 1);
        assert_eq!(books.read().of_tenant("c").sum(), Sum::default());
    }
}
