//! Addresses of the Internet Protocol, version 4.

use super::{Candidate, Detector, is_word};
use core::{net::Ipv4Addr, ops::Range};

pub const DETECTOR: Detector = Detector {
    name: "ipv4",
    label: "IPV4",
    // A fifth number tells that there are more than four.
    pattern: r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(?:\.[0-9]+)?",
    longest: 19,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let joined = candidate.before.is_some_and(|byte| is_word(byte) || matches!(byte, b'.' | b'-' | b'+'));
    // RFC 6943, 3.1.1: numbers with leading zeros are read in more than one way, and std's parser takes none.
    let address: Ipv4Addr = candidate.text.parse().ok()?;
    if joined || is_everybodys(address) { None } else { candidate.apart(0..candidate.text.len()) }
}

/// Addresses that tell nothing of anybody: this machine's own, all of them, and masks of networks.
fn is_everybodys(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.octets()[0] == 255
}

#[cfg(test)]
mod tests {
    use super::super::walk::{finds, is_found, is_passed_over, passes_over};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_found() {
        finds(
            &DETECTOR,
            &[
                "«8.8.8.8»",
                "from «203.0.113.7», port 443",
                "«10.0.0.1»:8080",
                "http://«192.168.1.254»/admin",
                "«172.16.0.0»/12",
                "{\"ip\":\"«198.51.100.23»\"}",
                "«203.0.113.7» - - [10/Oct/2000:13:55:36]",
                "ip=«203.0.113.7»&x",
                "The server is «203.0.113.7».",
                "(«1.1.1.1»)«9.9.9.9»",
                "ssh root@«203.0.113.7»",
                "地址是«203.0.113.7»。",
                "Received: from x ([«223.255.255.254»])",
                "::ffff:«192.0.2.128»",
            ],
        );
    }

    #[test]
    fn other_numbers_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("127.0.0.1", "this machine"),
                ("0.0.0.0:80", "all addresses"),
                ("255.255.255.0", "a mask"),
                ("256.1.1.1", "no byte"),
                ("1.2.3", "three numbers"),
                ("1.2.3.4.5", "five numbers"),
                ("1.3.6.1.4.1.311.21.20", "an object identifier"),
                ("v1.2.3.4", "a version"),
                ("Chrome/120.0.6099.109", "a version"),
                ("01.02.03.04", "leading zeros"),
                ("1.2.3.4beta", "a version"),
                ("1.2.3.1000", "no byte"),
                ("x1.2.3.4", "an identifier"),
                ("lib-1.2.3.4.jar", "a version"),
                ("1,2.3.4", "three numbers"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(bytes: [u8; 4]) {
            let address = Ipv4Addr::from(bytes);
            prop_assume!(!is_everybodys(address));
            is_found(&DETECTOR, &address.to_string());
        }

        #[test]
        fn what_is_no_byte_is_none(bytes: [u8; 3], wrong in 256_u32..10_000, at in 0_usize..4) {
            let mut numbers = bytes.map(|byte| byte.to_string()).to_vec();
            numbers.insert(at, wrong.to_string());
            is_passed_over(&DETECTOR, &numbers.join("."));
        }
    }
}
