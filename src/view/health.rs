//! The page that says how the providers are.

use serde_json::{Map, json};

use crate::breaker::{Followed, Known, Observed, Since, State};
use crate::calendar::rfc3339;
use crate::policy::Policy;
use crate::units::UnixNanos;

/// The page: its status and its JSON.
pub fn page(policy: &Policy, seen: &Followed<Observed>, known: &Known, now: UnixNanos) -> (u32, Vec<u8>) {
    let mut known = known.clone();
    known.learn(seen, now);
    let mut providers = Map::new();
    for ((provider, seen), Since { state, since }) in
        policy.providers.iter().zip(&seen.providers).zip(&known.states.providers)
    {
        let breaker = if state.is_open() { "open" } else { "closed" };
        let said = json!({
            "state": state.name(),
            "since": rfc3339(UnixNanos(since.saturating_mul(1_000_000_000))),
            "circuit_breaker": breaker,
            "endpoints": {"healthy": seen.healthy, "total": seen.total},
        });
        providers.insert(provider.name.clone(), said);
    }
    let with_key = || seen.providers.iter().filter(|seen| seen.state != State::NoKey);
    let healthy = with_key().filter(|seen| seen.state == State::Healthy).count();
    let (status, word) = match (healthy, with_key().count()) {
        (healthy, all) if healthy == all && all > 0 => (200, "healthy"),
        (0, _) => (503, "unhealthy"),
        _ => (200, "degraded"),
    };
    (status, json!({"status": word, "providers": providers}).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::seen;
    use crate::breaker::tests::{NOON, OUT, SICK, WELL, clusters, policy};
    use serde_json::Value;

    #[test]
    fn the_page_says_it_all() {
        let policy = policy();
        let page = |a: &str, b: &str| {
            let (status, body) = page(&policy, &seen(&policy, &clusters(a, b)).unwrap(), &Known::default(), NOON);
            (status, serde_json::from_slice::<Value>(&body).unwrap())
        };
        let (status, said) = page(OUT, WELL);
        assert_eq!((status, &said["status"]), (200, &json!("degraded")));
        let ejected = json!({"state": "ejected", "since": "2027-01-15T08:00:00.000Z", "circuit_breaker": "open",
            "endpoints": {"healthy": 0, "total": 1}});
        assert_eq!(said["providers"]["a"], ejected);
        assert_eq!(said["providers"]["d"]["state"], "no_key");
        let (status, said) = page(OUT, SICK);
        assert_eq!((status, &said["status"]), (503, &json!("unhealthy")));
    }
}
