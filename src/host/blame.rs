//! What all workers know of who is served where, and who fails: [`crate::attempt::blame`].
//!
//! Trade-off: a good answer is noted in this worker's own memory, and published to the others at the next tick. So an exchange costs
//! nothing more, and others know of it a second late.

use super::shared_data::{self, Change};
use crate::attempt::blame::{Blamed, Who};
use crate::units::UnixNanos;
use std::cell::RefCell;

/// Rounds of a swap. Whoever loses them all leaves it to the next tick, or failure.
const ATTEMPTS: u32 = 4;

/// By provider: there are as many as the configuration has.
#[derive(Default)]
pub struct LastServed {
    known: RefCell<Vec<ProviderBlame>>,
}

struct ProviderBlame {
    name: String,
    known: Blamed,
    /// Whether others don't know it yet.
    fresh: bool,
}

impl LastServed {
    /// A tenant got a good answer.
    pub fn note(&self, provider: &str, who: Who, now: UnixNanos) {
        let Ok(mut all) = self.known.try_borrow_mut() else { return };
        if !all.iter().any(|ours| ours.name == provider) {
            all.push(ProviderBlame { name: provider.to_owned(), known: Blamed::default(), fresh: false });
        }
        if let Some(ours) = all.iter_mut().find(|ours| ours.name == provider) {
            ours.fresh |= ours.known.served(who, now);
        }
    }

    /// Tells the other workers.
    pub fn publish(&self) {
        let Ok(mut all) = self.known.try_borrow_mut() else { return };
        for ours in all.iter_mut().filter(|ours| ours.fresh) {
            ours.fresh = false;
            let known = ours.known;
            ours.known = swap(&ours.name, |theirs| theirs.learn(&known)).1;
        }
    }
}

/// A tenant's request was answered by a failure: whether that is taken for the tenant's own.
pub fn failed(provider: &str, who: Who, now: UnixNanos) -> bool {
    swap(provider, |known| known.failed(who, now)).0
}

fn swap<T>(provider: &str, change: impl Fn(&mut Blamed) -> T) -> (T, Blamed) {
    let (mut left, mut latest) = (None, Blamed::default());
    shared_data::swap(&format!("nexus:served:{provider}"), ATTEMPTS, |bytes| {
        latest = Blamed::decode(&bytes.unwrap_or_default());
        left = Some(change(&mut latest));
        Change::Store((), latest.encode())
    });
    (left.unwrap_or_else(|| change(&mut latest)), latest)
}
