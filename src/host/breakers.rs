//! What is known of the providers' circuit breakers, shared by all workers.
//!
//! Trade-off: Envoy tells nobody when it ejects an endpoint. One worker a second asks its admin and writes down the answer;
//! every worker reads that at its tick. Routing by it is a second late, which costs a retry and no answer.
//!
//! Each list of providers has a key of its own: a listener that drains after a change asks on for minutes, and under one
//! key the two would forget each other's answers every second. A key is never given back, but is small, and lists change
//! by hand.

use super::shared_data::{self, Change};
use crate::breaker::{self, Followed, Known, Observed};
use crate::policy::Policy;
use crate::units::UnixNanos;
use std::cell::RefCell;

/// Rounds of the swap: whoever loses them all leaves it to the next tick.
const ATTEMPTS: u32 = 8;

#[derive(Default)]
pub struct Breakers {
    known: RefCell<Known>,
}

impl Breakers {
    pub fn is_open(&self, provider: usize, now: UnixNanos) -> bool {
        self.known.try_borrow().is_ok_and(|known| known.is_open(provider, now))
    }

    pub fn is_service_open(&self, now: UnixNanos) -> bool {
        self.known.try_borrow().is_ok_and(|known| known.is_service_open(now))
    }

    pub fn known(&self) -> Known {
        self.known.try_borrow().map(|known| known.clone()).unwrap_or_default()
    }

    /// Reads what the others know. If it is time to ask anew, it is noted that this worker does.
    pub fn take_turn_to_ask(&self, policy: &Policy, now: UnixNanos) -> bool {
        let mut known = Known::default();
        let asked = shared_data::swap(&key(policy), 1, |bytes| {
            known = decoded(bytes, policy);
            if known.is_due(now) {
                Change::Store(true, Known { asked: now, ..known.clone() }.encode(policy))
            } else {
                Change::Keep(false)
            }
        });
        self.keep(known);
        asked.value.unwrap_or(false)
    }

    /// What the admin said.
    pub fn learn(&self, policy: &Policy, seen: &Followed<Observed>, now: UnixNanos) {
        let mut known = Known::default();
        shared_data::swap(&key(policy), ATTEMPTS, |bytes| {
            known = decoded(bytes, policy);
            known.learn(seen, now);
            Change::Store((), known.encode(policy))
        });
        self.keep(known);
    }

    fn keep(&self, known: Known) {
        if let Ok(mut ours) = self.known.try_borrow_mut() {
            *ours = known;
        }
    }
}

fn key(policy: &Policy) -> String {
    format!("nexus:providers:{:016x}", breaker::fingerprint(policy))
}

fn decoded(bytes: Option<Vec<u8>>, policy: &Policy) -> Known {
    Known::decode(&bytes.unwrap_or_default(), policy)
}
