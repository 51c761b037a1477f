//! Networks of addresses, and which of them a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
pub fn is_in_one(allowed: &[Network], source: &str) -> bool {
    let address = source.rsplit_once(':').map_or(source, |(address, _)| address);
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(|address| allowed.iter().any(|network| network.holds(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(is_in_one(&allowed, source), expected, "{source}");
        }
        let local = loopback();
        assert!(["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"].iter().all(|source| is_in_one(&local, source)));
        assert!(!is_in_one(&local, "10.0.0.1:1") && !is_in_one(&local, "[::2]:1"));
        assert!(
            is_in_one(&networks(&["0.0.0.0/0"]), "8.8.8.8:1") && !is_in_one(&networks(&["0.0.0.0/0"]), "[fd00::1]:1")
        );
        assert!(is_in_one(&networks(&["::/0"]), "8.8.8.8:1") && is_in_one(&networks(&["::/0"]), "[fd00::1]:1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::1/129", "x", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Network::new(wrong), None, "{wrong}");
        }
    }
}
