//! What all workers know of who is served where, and who fails: [`crate::attempt::blame`].
//!
//! A good answer costs a write when what is known of its tenant is old, and otherwise a look at this worker's own copy.

use crate::attempt::blame::{Known, Who};
use crate::units::UnixNanos;
use proxy_wasm::hostcalls;
use std::cell::RefCell;

/// Rounds of a swap. Whoever loses them all leaves it to the next answer.
const ATTEMPTS: u32 = 4;

/// By provider: there are as many as the configuration has.
#[derive(Default)]
pub struct Served {
    known: RefCell<Vec<(String, Known)>>,
}

impl Served {
    /// A tenant got a good answer.
    pub fn note(&self, provider: &str, who: Who, now: UnixNanos) {
        let Ok(mut all) = self.known.try_borrow_mut() else { return };
        if !all.iter().any(|(name, _)| name == provider) {
            all.push((provider.to_owned(), Known::default()));
        }
        let ours = all.iter_mut().find(|(name, _)| name == provider);
        if let Some((_, ours)) = ours
            && ours.served(who, now)
        {
            *ours = swap(provider, |known| known.served(who, now)).1;
        }
    }
}

/// A tenant's request was answered by a failure: whether that is taken for the tenant's own.
pub fn failed(provider: &str, who: Who, now: UnixNanos) -> bool {
    swap(provider, |known| known.failed(who, now)).0
}

fn swap(provider: &str, change: impl Fn(&mut Known) -> bool) -> (bool, Known) {
    let key = format!("nexus:served:{provider}");
    let mut last = (false, Known::default());
    for _ in 0..ATTEMPTS {
        let (bytes, cas) = hostcalls::get_shared_data(&key).unwrap_or_default();
        let mut known = Known::decode(&bytes.unwrap_or_default());
        last = (change(&mut known), known);
        // An impossible number makes the host insert only if the key is absent.
        if hostcalls::set_shared_data(&key, Some(&known.encode()), Some(cas.unwrap_or(u32::MAX))).is_ok() {
            break;
        }
    }
    last
}
