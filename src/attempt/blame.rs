//! Whose fault a provider's failure is: its own, or that of those who fail there.
//!
//! Envoy's circuit breaker counts failures in a row and knows no tenants: five requests that a provider chokes on, all of one
//! tenant, would shut it for everybody. So a failure is not counted while the provider serves somebody else well: there is a
//! witness, another tenant that was served and hasn't failed since. However many fail together, one served within the last
//! minute speaks for the provider; against a single one that fails, one of the last ten minutes does. Nor is a failure counted
//! of a request that failed at another provider before: a provider that only stands in has served nobody else.
//!
//! Where all who were served fail, or are silent for a minute, nothing tells bad requests from a provider that is
//! down, and then the breaker opens, as it should for the other case. Until then the next of the chain answers.

use crate::hash::fnv;
use crate::units::UnixNanos;

/// The header by which the filter tells Envoy's `error_matcher` that a failure is not the provider's.
pub const OWN_FAILURE: &str = "x-nexus-own-failure";

/// For how long a good answer to another tenant speaks for a provider, if a single one fails there.
const SPEAKS_NANOS: u64 = 600_000_000_000;
/// And if several do.
const OUTSPEAKS_NANOS: u64 = 60_000_000_000;
/// How old the note of a tenant that is served may become. Each tick would be a write, otherwise.
const STALE_NANOS: u64 = 10_000_000_000;
/// Witnesses that are remembered. So many tenants would have to be served well, and fail together, to silence all others.
const WITNESSES: usize = 8;

/// A tenant, by the hash of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who(pub u32);

impl Who {
    pub fn of(tenant: &str) -> Self {
        let hash = fnv(tenant.bytes());
        Self(u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default())
    }
}

/// A tenant that was served, and when it failed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Witness {
    who: Who,
    served: UnixNanos,
    failed: UnixNanos,
}

impl Witness {
    fn is_witness(&self) -> bool {
        self.served.0 > self.failed.0
    }

    /// Whether it may make room: it speaks for nobody, or hasn't been served for a while.
    fn is_free(&self, now: UnixNanos) -> bool {
        !self.is_witness() || self.served.0.abs_diff(now.0) >= STALE_NANOS
    }
}

/// A tenant that failed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failure {
    who: Who,
    at: UnixNanos,
}

/// What is known of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blamed {
    seen: [Witness; WITNESSES],
    /// The last two that failed: enough to find another than the one at hand.
    failed: [Failure; 2],
}

const VERSION: u8 = 3;

impl Blamed {
    /// Takes in who was served as another worker knows it.
    pub fn learn(&mut self, other: &Self) {
        for seen in other.seen.iter().filter(|seen| seen.served.0 > 0) {
            if let Some(slot) = self.slot(seen.who, seen.served) {
                slot.served = slot.served.max(seen.served);
                slot.failed = slot.failed.max(seen.failed);
            }
        }
    }

    /// A tenant got a good answer. Whether that is worth a note.
    pub fn served(&mut self, who: Who, now: UnixNanos) -> bool {
        let Some(slot) = self.slot(who, now).filter(|slot| slot.is_free(now)) else { return false };
        slot.served = now;
        true
    }

    /// A tenant's request was answered by a failure: whether that is taken for the request's fault.
    pub fn failed(&mut self, who: Who, now: UnixNanos) -> bool {
        let another =
            self.failed.iter().filter(|failed| failed.who != who).map(|failed| failed.at).max().unwrap_or_default();
        self.note_failure(who, now);
        if let Some(own) = self.seen.iter_mut().find(|seen| seen.who == who) {
            own.failed = now;
        }
        self.seen.iter().filter(|seen| seen.who != who && seen.is_witness()).any(|seen| {
            let speaks = if another < seen.served { SPEAKS_NANOS } else { OUTSPEAKS_NANOS };
            seen.served.0.abs_diff(now.0) <= speaks
        })
    }

    /// In the place of its own failure before, or of the older of two others'.
    fn note_failure(&mut self, who: Who, now: UnixNanos) {
        let [first, second] = &mut self.failed;
        let slot = match (first.who == who, second.who == who) {
            (true, _) => first,
            (_, true) => second,
            _ if first.at <= second.at => first,
            _ => second,
        };
        *slot = Failure { who, at: now };
    }

    /// Its own slot, or one that may make room: of those who failed since they were served, then of the one served longest ago.
    fn slot(&mut self, who: Who, now: UnixNanos) -> Option<&mut Witness> {
        let is_own = |seen: &Witness| seen.who == who && seen.served.0 > 0;
        if self.seen.iter().any(is_own) {
            return self.seen.iter_mut().find(|seen| is_own(seen));
        }
        let slot = self.seen.iter_mut().min_by_key(|seen| (seen.is_witness(), seen.served))?;
        let is_newer = !slot.is_witness() || now >= slot.served;
        (is_newer && slot.is_free(now)).then(|| {
            *slot = Witness { who, ..Witness::default() };
            slot
        })
    }

    /// Of an unknown version: nothing.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        let mut known = Self::default();
        for seen in &mut known.seen {
            *seen = Witness { who: who(&mut rest)?, served: time(&mut rest)?, failed: time(&mut rest)? };
        }
        for failed in &mut known.failed {
            *failed = Failure { who: who(&mut rest)?, at: time(&mut rest)? };
        }
        (*version == VERSION).then_some(known)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for Witness { who, served, failed } in self.seen {
            bytes.extend(who.0.to_le_bytes());
            bytes.extend(served.0.to_le_bytes());
            bytes.extend(failed.0.to_le_bytes());
        }
        for Failure { who, at } in self.failed {
            bytes.extend(who.0.to_le_bytes());
            bytes.extend(at.0.to_le_bytes());
        }
        bytes
    }
}

fn who(rest: &mut &[u8]) -> Option<Who> {
    let (who, more) = rest.split_first_chunk::<4>()?;
    *rest = more;
    Some(Who(u32::from_le_bytes(*who)))
}

fn time(rest: &mut &[u8]) -> Option<UnixNanos> {
    let (at, more) = rest.split_first_chunk::<8>()?;
    *rest = more;
    Some(UnixNanos(u64::from_le_bytes(*at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_800_000_000_000_000_000;

    fn at(seconds: u64) -> UnixNanos {
        UnixNanos(NOON + seconds * 1_000_000_000)
    }

    fn tenants() -> [Who; 4] {
        ["acme", "beta", "gamma", "delta"].map(Who::of)
    }

    #[test]
    fn one_tenants_failures_are_its_own_while_the_provider_serves_another() {
        let [acme, beta, ..] = tenants();
        let mut known = Blamed::default();
        known.served(beta, at(0));
        // Its own good answers say nothing of its failures.
        known.served(acme, at(1));
        for second in 2..600 {
            assert!(known.failed(acme, at(second)), "at {second}");
        }
        assert!(!known.failed(acme, at(601)), "what was served ten minutes ago no longer speaks for it");
        known.served(beta, at(602));
        assert!(known.failed(acme, at(603)));
    }

    #[test]
    fn a_provider_that_fails_all_its_tenants_is_to_blame() {
        let [acme, beta, ..] = tenants();
        let mut alone = Blamed::default();
        alone.served(acme, at(0));
        assert!(!alone.failed(acme, at(1)), "with one tenant alone nothing speaks for the provider");
        let mut known = Blamed::default();
        known.served(acme, at(0));
        known.served(beta, at(0));
        assert!(known.failed(acme, at(20)), "it may be the request");
        assert!(!known.failed(beta, at(21)), "acme failed after it was served");
        assert!(!known.failed(acme, at(22)));
        // Until others are served again.
        known.served(beta, at(23));
        assert!(known.failed(acme, at(24)));
    }

    #[test]
    fn tenants_who_fail_together_are_not_everybody() {
        let [acme, beta, gamma, delta] = tenants();
        let mut known = Blamed::default();
        for who in tenants() {
            known.served(who, at(0));
        }
        for second in 1..60 {
            for who in [acme, beta, gamma] {
                assert!(known.failed(who, at(second)), "{who:?} at {second}: delta was served");
            }
        }
        // Whoever served nobody for a minute but tenants who failed since is to blame.
        assert!(!known.failed(acme, at(62)));
        known.served(delta, at(63));
        assert!(known.failed(beta, at(64)));
        // The witness fails, too.
        assert!(!known.failed(delta, at(65)));
        assert!(!known.failed(acme, at(66)));
    }

    #[test]
    fn so_many_as_are_remembered_cannot_keep_another_witness_out() {
        let witness = Who::of("witness");
        let mut known = Blamed::default();
        let conspirators: Vec<Who> = (0..WITNESSES).map(|n| Who::of(&format!("conspirator-{n}"))).collect();
        for round in 0..20 {
            for &who in &conspirators {
                known.served(who, at(round * 20));
            }
            for &who in &conspirators {
                known.failed(who, at(round * 20 + 1));
            }
            assert!(known.served(witness, at(round * 20 + 2)), "one that failed makes room");
            for &who in &conspirators {
                assert!(known.failed(who, at(round * 20 + 3)), "round {round}");
            }
        }
    }

    #[test]
    fn among_many_tenants_there_is_always_another() {
        let all = tenants();
        let mut known = Blamed::default();
        let mut notes = 0;
        for second in 0..100 {
            for who in all {
                notes += u32::from(known.served(who, at(second)));
            }
            for who in all {
                let mut now = known;
                assert!(now.failed(who, at(second)), "{who:?} at {second}");
            }
        }
        assert_eq!(notes, 40, "in 100 seconds: each is a write");
    }

    #[test]
    fn workers_learn_from_each_other_who_was_served() {
        let [acme, beta, gamma, _] = tenants();
        let mut known = Blamed::default();
        known.served(acme, at(5));
        known.failed(gamma, at(5));
        let mut other = Blamed::default();
        other.served(beta, at(7));
        other.served(acme, at(3));
        known.learn(&other);
        let mut expected = Blamed::default();
        expected.served(acme, at(5));
        expected.served(beta, at(7));
        expected.failed(gamma, at(5));
        assert_eq!(known, expected);
        // What is older takes nobody's place.
        let mut full = Blamed::default();
        for n in 0..WITNESSES {
            full.served(Who::of(&format!("tenant-{n}")), at(100));
        }
        let before = full;
        full.learn(&known);
        assert_eq!(full, before);
    }

    #[test]
    fn what_is_known_survives_its_bytes_and_nothing_else_is_read() {
        let [acme, beta, gamma, _] = tenants();
        let mut known = Blamed::default();
        known.served(acme, at(0));
        known.served(beta, at(1));
        known.failed(gamma, at(2));
        let bytes = known.encode();
        assert_eq!(Blamed::decode(&bytes), known);
        for cut in 0..bytes.len() {
            assert_eq!(Blamed::decode(&bytes[..cut]), Blamed::default());
        }
        assert_eq!(Blamed::decode(&[&[9], &bytes[1..]].concat()), Blamed::default());
    }
}
