//! The state of each provider's circuit breaker, from Envoy's own view of its endpoints, and what all workers know of it.
//!
//! What is shared between workers is a few bytes a provider, not Envoy's answer: since when it has been so, and who asked
//! last. One worker a second asks; the others read.

use crate::hash::fnv;
use serde::Deserialize;

use crate::policy::Policy;
use crate::units::UnixNanos;

/// Larger answers are not read: that is thousands of endpoints.
pub const MOST_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Envoy doesn't know it, or was not asked yet.
    #[default]
    Unknown,
    Healthy,
    /// The outlier detection has taken every endpoint out: the circuit breaker is open.
    Ejected,
    /// No endpoint passes its active health checks.
    FailingChecks,
    /// Left out for want of its key.
    NoKey,
}

impl State {
    const ALL: [Self; 5] = [Self::Unknown, Self::Healthy, Self::Ejected, Self::FailingChecks, Self::NoKey];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Ejected => "ejected",
            Self::FailingChecks => "failing_checks",
            Self::NoKey => "no_key",
        }
    }

    fn byte(self) -> u8 {
        Self::ALL.iter().position(|state| *state == self).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
    }

    /// Whether Envoy sends it nothing: five failures in a row, or checks that fail.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Ejected | Self::FailingChecks)
    }
}

/// A provider as Envoy sees it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub state: State,
    pub healthy: usize,
    pub total: usize,
}

#[derive(Deserialize)]
struct Clusters {
    cluster_statuses: Vec<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    #[serde(default)]
    host_statuses: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    priority: u32,
    #[serde(default)]
    health_status: Health,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    failed_active_health_check: bool,
    failed_outlier_check: bool,
    pending_dynamic_removal: bool,
    pending_active_hc: bool,
    eds_health_status: String,
}

impl Health {
    /// What discovery says of an endpoint counts, too.
    fn is_unfit(&self) -> bool {
        let said = matches!(self.eds_health_status.as_str(), "UNHEALTHY" | "DRAINING" | "TIMEOUT");
        self.failed_active_health_check || self.pending_active_hc || self.pending_dynamic_removal || said
    }
}

/// What is watched: the providers, in the order of the policy, and the service by which Envoys share limits, if they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed<T> {
    pub providers: Vec<T>,
    pub service: Option<T>,
}

/// All that is watched, from Envoy's `/clusters?format=json`. `None` if that can't be read.
pub fn seen(policy: &Policy, clusters: &[u8]) -> Option<Followed<Observed>> {
    let Clusters { cluster_statuses } = serde_json::from_slice(clusters).ok()?;
    let of = |name: &str| cluster_statuses.iter().find(|cluster| cluster.name == name);
    let providers = policy.providers.iter().map(|provider| match of(&provider.cluster) {
        _ if !provider.reach.has_key => Observed { state: State::NoKey, ..Observed::default() },
        Some(cluster) => cluster.seen(),
        None => Observed::default(),
    });
    let service = policy.replicas.as_ref();
    Some(Followed {
        providers: providers.collect(),
        service: service.map(|shared| of(&shared.cluster).map_or_else(Observed::default, Cluster::seen)),
    })
}

impl Cluster {
    /// Endpoints behind the first are stand-ins: they answer for a provider that is gone.
    fn seen(&self) -> Observed {
        let first = self.host_statuses.iter().map(|endpoint| endpoint.priority).min().unwrap_or(0);
        let endpoints = || self.host_statuses.iter().filter(|endpoint| endpoint.priority == first);
        let total = endpoints().count();
        let ejected = endpoints().filter(|endpoint| endpoint.health_status.failed_outlier_check).count();
        let unfit =
            |endpoint: &&Endpoint| !endpoint.health_status.failed_outlier_check && endpoint.health_status.is_unfit();
        let healthy = total.saturating_sub(ejected).saturating_sub(endpoints().filter(unfit).count());
        let state = match (total, healthy, ejected) {
            (0, ..) => State::Unknown,
            (_, 1.., _) => State::Healthy,
            (_, _, ejected) if ejected == total => State::Ejected,
            _ => State::FailingChecks,
        };
        Observed { state, healthy, total }
    }
}

/// What all workers know of the breakers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// When somebody asked last, answered or not.
    pub asked: UnixNanos,
    /// When the states were learnt.
    pub learnt: UnixNanos,
    pub states: Followed<Since>,
}

/// A state, and the second (Unix) since when it has been so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    pub state: State,
    pub since: u64,
}

const VERSION: u8 = 1;
const PER_ENTRY: usize = 9;

/// What is older is no knowledge any more.
const STALE_SECONDS: u64 = 5;
/// Ticks come once a second, and a little early now and then.
const PERIOD_NANOS: u64 = 900_000_000;

impl Known {
    /// Of an unknown version: nothing.
    pub fn decode(bytes: &[u8], policy: &Policy) -> Self {
        Self::read(bytes, policy).unwrap_or_default()
    }

    fn read(bytes: &[u8], policy: &Policy) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (asked, rest) = rest.split_first_chunk::<8>()?;
        let (learnt, rest) = rest.split_first_chunk::<8>()?;
        let (entries, []) = rest.as_chunks::<PER_ENTRY>() else { return None };
        let (providers, service) = entries.split_at_checked(policy.providers.len())?;
        if *version != VERSION || service.len() != usize::from(policy.replicas.is_some()) {
            return None;
        }
        let since = |[state, since @ ..]: &[u8; PER_ENTRY]| {
            Some(Since { state: *State::ALL.get(usize::from(*state))?, since: u64::from_le_bytes(*since) })
        };
        let all = |entries: &[[u8; PER_ENTRY]]| entries.iter().map(since).collect::<Option<Vec<_>>>();
        let states = Followed { providers: all(providers)?, service: all(service)?.pop() };
        let time = |bytes: &[u8; 8]| UnixNanos(u64::from_le_bytes(*bytes));
        Some(Self { asked: time(asked), learnt: time(learnt), states })
    }

    pub fn encode(&self, policy: &Policy) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for number in [self.asked.0, self.learnt.0] {
            bytes.extend(number.to_le_bytes());
        }
        let providers = (0..policy.providers.len()).map(|at| self.states.providers.get(at).copied());
        let service = policy.replicas.as_ref().map(|_| self.states.service);
        for entry in providers.chain(service) {
            let Since { state, since } = entry.unwrap_or_default();
            bytes.push(state.byte());
            bytes.extend(since.to_le_bytes());
        }
        bytes
    }

    /// Whether it is time to ask again; an asker that died is replaced at the next tick.
    pub fn is_due(&self, now: UnixNanos) -> bool {
        apart(now, self.asked) >= PERIOD_NANOS
    }

    /// Takes in what Envoy said. A state that stays keeps its beginning.
    pub fn learn(&mut self, seen: &Followed<Observed>, now: UnixNanos) {
        let since = |before: Option<&Since>, seen: &Observed| match before {
            Some(before) if before.state == seen.state => *before,
            _ => Since { state: seen.state, since: now.0 / 1_000_000_000 },
        };
        let before = &self.states;
        let providers = seen.providers.iter().enumerate().map(|(at, seen)| since(before.providers.get(at), seen));
        let service = seen.service.as_ref().map(|seen| since(before.service.as_ref(), seen));
        self.states = Followed { providers: providers.collect(), service };
        self.learnt = now;
    }

    /// Whether a provider's circuit breaker is known to be open. What is not known is tried.
    pub fn is_open(&self, provider: usize, now: UnixNanos) -> bool {
        self.is_known_open(self.states.providers.get(provider), now)
    }

    /// Whether Envoy is known to send nothing to the service by which Envoys share limits.
    pub fn is_service_open(&self, now: UnixNanos) -> bool {
        self.is_known_open(self.states.service.as_ref(), now)
    }

    fn is_known_open(&self, of: Option<&Since>, now: UnixNanos) -> bool {
        let fresh = apart(now, self.learnt) <= STALE_SECONDS.saturating_mul(1_000_000_000);
        fresh && of.is_some_and(|it| it.state.is_open())
    }
}

/// A clock that was set back must not make what is old look new until it has caught up.
fn apart(now: UnixNanos, then: UnixNanos) -> u64 {
    now.0.abs_diff(then.0)
}

/// FNV-1a over what makes the providers these and no others, so that no configuration reads the states of another's.
pub fn fingerprint(policy: &Policy) -> u64 {
    let bytes = policy.providers.iter().flat_map(|provider| {
        let key = u8::from(provider.reach.has_key);
        provider.name.bytes().chain([0]).chain(provider.cluster.bytes()).chain([0, key])
    });
    let service = policy.replicas.as_ref().map_or("", |shared| &shared.cluster);
    fnv(bytes.chain(service.bytes()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn policy() -> Policy {
        let provider = |name: &str| format!(r#""{name}":{{"cluster":"c_{name}"}}"#);
        let absent = r#""d":{"cluster":"c_d","key":"absent"}"#;
        let json = format!(
            r#"{{"tenants":{{"acme":{{}}}},"prices":[{{"model":"*","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}}],
            "providers":{{{},{},{},{absent}}}}}"#,
            provider("c"),
            provider("a"),
            provider("b")
        );
        Policy::read(json.as_bytes()).unwrap()
    }

    /// As Envoy 1.40 writes it, shortened.
    pub(crate) fn clusters(a: &str, b: &str) -> Vec<u8> {
        let stand_in =
            r#"{"address":{},"priority":1,"health_status":{"eds_health_status":"HEALTHY"},"hostname":"ejected"}"#;
        let cluster = |name: &str, health: &str| {
            format!(
                r#"{{"name":"{name}","added_via_api":false,"host_statuses":[{{"address":{{}},"stats":[],"health_status":{health}}},{stand_in}]}}"#
            )
        };
        format!(r#"{{"cluster_statuses":[{},{},{{"name":"nobody"}}]}}"#, cluster("c_a", a), cluster("c_b", b))
            .into_bytes()
    }

    pub(crate) const WELL: &str = r#"{"eds_health_status":"HEALTHY"}"#;
    pub(crate) const OUT: &str = r#"{"failed_outlier_check":true,"eds_health_status":"HEALTHY"}"#;
    pub(crate) const SICK: &str = r#"{"failed_active_health_check":true,"eds_health_status":"HEALTHY"}"#;
    pub(crate) const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

    fn states(a: &str, b: &str) -> Vec<&'static str> {
        seen(&policy(), &clusters(a, b)).unwrap().providers.iter().map(|seen| seen.state.name()).collect()
    }

    #[test]
    fn a_state_is_what_envoy_says_of_the_real_endpoints() {
        assert_eq!(states(WELL, WELL), ["healthy", "healthy", "unknown", "no_key"]);
        assert_eq!(states(OUT, SICK), ["ejected", "failing_checks", "unknown", "no_key"]);
        assert_eq!(
            states(r#"{"eds_health_status":"DRAINING"}"#, "{}"),
            ["failing_checks", "healthy", "unknown", "no_key"]
        );
        for nonsense in ["", "[]", "no", "{\"cluster_statuses\":7}"] {
            assert_eq!(seen(&policy(), nonsense.as_bytes()), None, "{nonsense}");
        }
    }

    /// It stands after the providers, and is none of them.
    #[test]
    fn the_service_that_envoys_share_has_a_state_of_its_own() {
        let policy = Policy::read(
            br#"{"tenants":{"acme":{}},"prices":[{"model":"*","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}],
            "providers":{"a":{"cluster":"c_a"}},
            "replicas":{"cluster":"c_b","count":2,"requests_without_service":"allow","budgets_without_service":"allow"}}"#,
        )
        .unwrap();
        for (provider, service) in [(WELL, OUT), (OUT, WELL), (OUT, OUT)] {
            let mut known = Known::default();
            known.learn(&seen(&policy, &clusters(provider, service)).unwrap(), NOON);
            assert_eq!((known.is_open(0, NOON), known.is_open(1, NOON)), (provider == OUT, false));
            assert_eq!(known.is_service_open(NOON), service == OUT);
            assert_eq!(Known::decode(&known.encode(&policy), &policy), known);
        }
    }

    #[test]
    fn what_is_known_survives_the_bytes_and_keeps_its_beginning() {
        let policy = policy();
        let at = |seconds: u64| UnixNanos(NOON.0 + seconds * 1_000_000_000);
        let mut known = Known { asked: NOON, ..Known::default() };
        known.learn(&seen(&policy, &clusters(WELL, OUT)).unwrap(), NOON);
        known.learn(&seen(&policy, &clusters(OUT, OUT)).unwrap(), at(60));
        let since: Vec<_> = known.states.providers.iter().map(|it| it.since).collect();
        assert_eq!(since, [1_800_000_060, 1_800_000_000, 1_800_000_000, 1_800_000_000]);
        let bytes = known.encode(&policy);
        assert_eq!(Known::decode(&bytes, &policy), known);
        let open = |now| [0, 1, 2, 9].map(|provider| known.is_open(provider, now));
        assert_eq!(open(at(61)), [true, true, false, false]);
        assert_eq!(open(at(66)), [false; 4], "too old to be knowledge");
        let back = UnixNanos(NOON.0 - 3_600_000_000_000);
        assert!(known.is_due(back) && open(back) == [false; 4], "the clock was set back");
        assert!(known.is_due(at(1)) && !Known { asked: at(1), ..known.clone() }.is_due(at(1)));
        for cut in 0..bytes.len() {
            assert_eq!(Known::decode(&bytes[..cut], &policy), Known::default());
        }
        let mut other = bytes.clone();
        other[0] ^= 1;
        assert_eq!(Known::decode(&other, &policy), Known::default(), "another version");
    }
}
