//! What operators ask the gateway itself, made of what Envoy's admin answers: health and metrics.
//!
//! Trade-off: Envoy knows the state of each endpoint and holds all counters; nothing of that is kept twice. What is here
//! only reads its answers, and tells them in the gateway's own names and units. No call is made from here.

pub mod health;
pub mod metrics;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A page of the gateway's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Health,
    Metrics,
}

impl Page {
    /// By the method and the exact path; a query changes nothing.
    pub fn called(method: &[u8], path: &[u8]) -> Option<Self> {
        // Envoy itself leaves the body out of an answer to HEAD.
        if !matches!(method, b"GET" | b"HEAD") {
            return None;
        }
        match path.split(|byte| matches!(byte, b'?' | b'#')).next()? {
            b"/api/ai/health" => Some(Self::Health),
            b"/api/ai/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// What Envoy's admin is asked for it.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Health => CLUSTERS,
            Self::Metrics => "/stats/prometheus?filter=ai_gateway",
        }
    }
}

/// Where the admin tells the state of every endpoint.
pub const CLUSTERS: &str = "/clusters?format=json";

/// Addresses that share a beginning: `10.0.0.0/8`, `::1/128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    prefix: u32,
}

impl Network {
    /// `None` if `text` is no network: an address without a length stands for itself.
    pub fn new(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let whole: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Some(whole), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= whole))?;
        // An address of version 4 is one of version 6 behind 96 bits.
        Some(Self { address: bits(address), prefix: prefix.saturating_add(128_u32.saturating_sub(whole)) })
    }

    fn holds(&self, address: IpAddr) -> bool {
        let shift = 128_u32.saturating_sub(self.prefix);
        (self.address ^ bits(address)).checked_shr(shift).unwrap_or(0) == 0
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Only this machine.
pub fn loopback() -> Vec<Network> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .into_iter()
        .map(|address| Network { address: bits(address), prefix: if address.is_ipv4() { 104 } else { 128 } })
        .collect()
}

/// Whether one of the networks holds where a request comes from (`127.0.0.1:4711`, `[::1]:4711`).
pub fn may_see(allowed: &[Network], source: &str) -> bool {
    let address = source.rsplit_once(':').map_or(source, |(address, _)| address);
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(|address| allowed.iter().any(|network| network.holds(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_path() {
        assert_eq!(Page::called(b"GET", b"/api/ai/health"), Some(Page::Health));
        assert_eq!(Page::called(b"GET", b"/api/ai/metrics?x=1"), Some(Page::Metrics));
        assert_eq!(Page::called(b"HEAD", b"/api/ai/health"), Some(Page::Health));
        for (method, path) in [("POST", "/api/ai/health"), ("GET", "/api/ai/health/"), ("GET", "/x/api/ai/health")] {
            assert_eq!(Page::called(method.as_bytes(), path.as_bytes()), None, "{method} {path}");
        }
    }

    #[test]
    fn a_network_holds_what_it_says() {
        let networks = |texts: &[&str]| texts.iter().map(|text| Network::new(text).unwrap()).collect::<Vec<_>>();
        let allowed = networks(&["10.1.0.0/16", "fd00::/8", "192.0.2.7"]);
        for (source, expected) in [
            ("10.1.2.3:80", true),
            ("10.2.2.3:80", false),
            ("[fd12::1]:80", true),
            ("[fe80::1]:80", false),
            ("[::ffff:10.1.2.3]:80", true),
            ("192.0.2.7:1", true),
            ("192.0.2.8:1", false),
            ("", false),
            ("nonsense", false),
        ] {
            assert_eq!(may_see(&allowed, source), expected, "{source}");
        }
        let local = loopback();
        assert!(["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"].iter().all(|source| may_see(&local, source)));
        assert!(!may_see(&local, "10.0.0.1:1") && !may_see(&local, "[::2]:1"));
        assert!(may_see(&networks(&["0.0.0.0/0"]), "8.8.8.8:1") && !may_see(&networks(&["0.0.0.0/0"]), "[fd00::1]:1"));
        assert!(may_see(&networks(&["::/0"]), "8.8.8.8:1") && may_see(&networks(&["::/0"]), "[fd00::1]:1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::1/129", "x", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Network::new(wrong), None, "{wrong}");
        }
    }
}
