//! Whose fault a provider's failure is: its own, or one tenant's.
//!
//! Envoy's circuit breaker counts failures in a row and knows no tenants: five requests that a provider chokes on, all of one
//! tenant, would shut it for everybody. So a failure is not counted while the provider serves another tenant well: it is
//! taken for the request's. As soon as two tenants fail there, or nobody else has been served for a while, it counts. Nor is
//! one counted of a request that failed at another provider before: a provider that only stands in has served nobody else.
//!
//! Trade-off: with one tenant alone nothing tells its bad request from a provider that is down, and then the breaker opens,
//! as it should for the other case. Who shares a gateway is known after an answer, so a tenant is told from the others by what
//! was served in the last minutes; a provider that fails only for the one tenant left is asked in vain for as long, and the
//! next of the chain answers.

use crate::units::UnixNanos;

/// The header by which the filter tells Envoy's `error_matcher` that a failure is not the provider's.
pub const OWN_FAILURE: &str = "x-nexus-own-failure";

/// For how long a good answer to another tenant speaks for a provider.
const SPEAKS_NANOS: u64 = 600_000_000_000;
/// How old the note of a tenant that is served may become. Each tick would be a write, otherwise.
const STALE_NANOS: u64 = 10_000_000_000;

/// A tenant, by the hash of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who(pub u32);

impl Who {
    /// FNV-1a.
    pub fn of(tenant: &str) -> Self {
        Self(tenant.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    who: Who,
    at: UnixNanos,
}

/// The last two tenants that something happened to: enough to find another than the one at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Two([Seen; 2]);

impl Two {
    /// When it last happened to another tenant.
    fn last_of_another(&self, than: Who) -> Option<UnixNanos> {
        self.0.iter().filter(|seen| seen.who != than && seen.at.0 > 0).map(|seen| seen.at).max()
    }

    /// This tenant's, or the older of two others'.
    fn slot(&mut self, who: Who) -> &mut Seen {
        let [first, second] = &mut self.0;
        match (first.who == who, second.who == who) {
            (true, _) => first,
            (_, true) => second,
            _ if first.at <= second.at => first,
            _ => second,
        }
    }

    /// Notes it, if what is noted is older than `stale`; whether it was.
    fn note(&mut self, who: Who, now: UnixNanos, stale: u64) -> bool {
        let slot = self.slot(who);
        if slot.at.0.abs_diff(now.0) < stale {
            return false;
        }
        *slot = Seen { who, at: now };
        true
    }

    /// Of what both know, the latest.
    fn learn(&mut self, other: &Self) {
        for seen in other.0 {
            let slot = self.slot(seen.who);
            if slot.at < seen.at {
                *slot = seen;
            }
        }
    }
}

/// What is known of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    served: Two,
    failed: Two,
}

const VERSION: u8 = 1;

impl Known {
    /// Takes in who was served as another worker knows it.
    pub fn learn(&mut self, other: &Self) {
        self.served.learn(&other.served);
    }

    /// A tenant got a good answer. Whether that is worth a note.
    pub fn served(&mut self, who: Who, now: UnixNanos) -> bool {
        self.served.note(who, now, STALE_NANOS)
    }

    /// A tenant's request was answered by a failure: whether that is the tenant's own.
    pub fn failed(&mut self, who: Who, now: UnixNanos) -> bool {
        let failed_another = self.failed.last_of_another(who);
        self.failed.note(who, now, 0);
        let Some(served) = self.served.last_of_another(who) else { return false };
        served.0.abs_diff(now.0) <= SPEAKS_NANOS && failed_another.is_none_or(|failed| failed < served)
    }

    /// Of an unknown version: nothing.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        let mut seen = || {
            let (who, more) = rest.split_first_chunk::<4>()?;
            let (at, more) = more.split_first_chunk::<8>()?;
            rest = more;
            Some(Seen { who: Who(u32::from_le_bytes(*who)), at: UnixNanos(u64::from_le_bytes(*at)) })
        };
        let known = Self { served: Two([seen()?, seen()?]), failed: Two([seen()?, seen()?]) };
        (*version == VERSION).then_some(known)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for Seen { who, at } in self.served.0.iter().chain(&self.failed.0) {
            bytes.extend(who.0.to_le_bytes());
            bytes.extend(at.0.to_le_bytes());
        }
        bytes
    }
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
        let mut known = Known::default();
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
        let mut alone = Known::default();
        alone.served(acme, at(0));
        assert!(!alone.failed(acme, at(1)), "with one tenant alone nothing speaks for the provider");
        let mut known = Known::default();
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
    fn among_many_tenants_there_is_always_another() {
        let all = tenants();
        let mut known = Known::default();
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
        assert!(notes <= 22, "{notes} notes in 100 seconds: each is a write");
    }

    #[test]
    fn workers_learn_from_each_other_who_was_served() {
        let [acme, beta, gamma, _] = tenants();
        let mut known = Known::default();
        known.served(acme, at(5));
        known.failed(gamma, at(5));
        let mut other = Known::default();
        other.served(beta, at(7));
        other.served(acme, at(3));
        known.learn(&other);
        let mut expected = Known::default();
        expected.served(acme, at(5));
        expected.served(beta, at(7));
        expected.failed(gamma, at(5));
        assert_eq!(known, expected);
    }

    #[test]
    fn what_is_known_survives_its_bytes_and_nothing_else_is_read() {
        let [acme, beta, gamma, _] = tenants();
        let mut known = Known::default();
        known.served(acme, at(0));
        known.served(beta, at(1));
        known.failed(gamma, at(2));
        let bytes = known.encode();
        assert_eq!(Known::decode(&bytes), known);
        for cut in 0..bytes.len() {
            assert_eq!(Known::decode(&bytes[..cut]), Known::default());
        }
        assert_eq!(Known::decode(&[&[9], &bytes[1..]].concat()), Known::default());
    }
}
