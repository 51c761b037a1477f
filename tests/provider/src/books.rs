//! The ledger while it is written: the books that all connections share, and the bill that each request holds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ledger::{Ending, Entry, Ledger};
use crate::sold::Sold;

/// Beyond this many, the oldest entries leave the list and the sum; `forgotten` tells how many did.
const MOST_ENTRIES: usize = 200_000;

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
        Bill { books: self.clone(), id, reasoning: 0, ended: false }
    }
}

/// The right to write one entry. Dropped before its end, the client went away: hyper drops the answer then.
#[derive(Debug)]
pub struct Bill {
    books: Books,
    id: u64,
    /// What the whole answer reasons, however much of it is generated.
    reasoning: u64,
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

    pub fn sold(&self, sold: Sold) {
        if sold != Sold::default() {
            self.write(|entry| entry.buy(sold));
        }
    }

    pub fn reasoning(&mut self, tokens: u64) {
        self.reasoning = tokens;
    }

    /// Reasoning comes first: what is generated is reasoning until the plan for it is fulfilled.
    pub fn generated(&self, tokens: u64) {
        if tokens > 0 {
            self.write(|entry| {
                entry.completion_tokens = entry.completion_tokens.saturating_add(tokens);
                entry.reasoning_tokens = self.reasoning.min(entry.completion_tokens);
            });
        }
    }

    /// The first end counts. An error that was played to its end refused the request.
    pub fn end(&mut self, ending: Ending, delivered: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            self.write(|entry| {
                let refused = ending == Ending::Complete && entry.status >= 300;
                entry.ending = if refused { Ending::Refused } else { ending };
                entry.delivered = delivered;
            });
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
    use crate::ledger::Sum;

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
