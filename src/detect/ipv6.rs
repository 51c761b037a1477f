//! Addresses of the Internet Protocol, version 6, in every form of RFC 4291's section 2.2.

use super::{Candidate, Detector, is_word};
use core::{net::Ipv6Addr, ops::Range};

pub const DETECTOR: Detector = Detector {
    name: "ipv6",
    label: "IPV6",
    pattern: "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*",
    // Six groups and an address of version 4 have 45; one more tells that a run is longer.
    longest: 48,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    if candidate.before.is_some_and(|byte| is_word(byte) || matches!(byte, b':' | b'.')) {
        return None;
    }
    let text = candidate.text;
    let dotted = text.trim_end_matches('.');
    // A colon or a full stop of the sentence's own may stand behind it.
    let colon = dotted.strip_suffix(':').filter(|rest| !rest.ends_with(':'));
    let (address, parsed) = [Some(text), Some(dotted), colon]
        .into_iter()
        .flatten()
        .find_map(|text| text.parse::<Ipv6Addr>().ok().map(|parsed| (text, parsed)))?;
    let everybodys = parsed.is_loopback() || parsed.is_unspecified();
    if everybodys || !is_written_as_one(address, parsed) {
        return None;
    }
    // Cut off by the longest length, or `fe80::1::` of no meaning.
    let goes_on = candidate.text.len() == address.len() && candidate.after == Some(b':');
    if goes_on && candidate.text.len() == DETECTOR.longest { None } else { candidate.apart(0..address.len()) }
}

/// Whether nobody would write this for something else: `a::b` is a path in C++ and Rust, and eight bytes are an EUI-64.
fn is_written_as_one(text: &str, address: Ipv6Addr) -> bool {
    if !text.contains("::") {
        return text.split(':').any(|group| group.len() != 2);
    }
    let [first, second, ..] = address.segments();
    let mapped = address.to_ipv4_mapped().is_some();
    // 64:ff9b::/96 and 64:ff9b:1::/48 stand for addresses of version 4 (RFC 6052, RFC 8215).
    let translated = first == 0x64 && second == 0xff9b;
    // What is assigned: global unicast, unique local, link-local, multicast. All of them begin with four digits.
    let assigned = matches!(first, 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf | 0xff00..=0xffff);
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    (mapped || translated || assigned) && has_digit
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
                "«2001:db8::1»",
                "«2001:0db8:85a3:0000:0000:8a2e:0370:7334»",
                "from «2001:DB8::FF00:42:8329», port 443",
                "http://[«2001:db8::1»]:8080/",
                "«fe80::1»%eth0",
                "«fe80::1ff:fe23:4567:890a»/64",
                "The server is «2001:db8::8a2e:370:7334».",
                "address: «fd12:3456:789a:1::1»: up",
                "«::ffff:192.0.2.128»",
                "«64:ff9b::192.0.2.33»",
                "«2001:db8:1:2:3:4:192.0.2.33»",
                "{\"ip\":\"«2a00:1450:4001:82a::200e»\"}",
                "«ff02::1», «2001:db8::»",
                "«1:2:3:4:5:6:7:8»",
                "地址是«2001:db8::1»。",
                "«2607:f8b0:4004:c07::66»,«2607:f8b0:4004:c07::67»",
            ],
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("12:30:45", "a time"),
                ("2024-01-02T03:04:05Z", "a time"),
                ("12:30:45.123456", "a time"),
                ("a::b", "a path"),
                ("dead::beef", "a path"),
                ("std::fmt::Display", "a path"),
                ("crate::detect::a1::b2", "a path"),
                ("::add", "a path from the root"),
                ("b2::a1()", "a path"),
                ("00:1a:2b:3c:4d:5e", "a MAC address"),
                ("00:11:22:33:44:55:66:77", "an EUI-64"),
                ("::1", "this machine"),
                ("::", "all addresses"),
                ("[::]:8080", "all addresses"),
                ("2001:db8:::1", "three colons"),
                ("2001:db8::1::2", "compressed twice"),
                ("1:2:3:4:5:6:7", "seven groups"),
                ("1:2:3:4:5:6:7:8:9", "nine groups"),
                ("2001:db8::12345", "five digits"),
                ("2001:db8::g", "no digit of base 16"),
                ("x2001:db8::1", "an identifier"),
                ("AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD", "a fingerprint"),
                ("{a:1,b:{c::d}}", "a path"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(bits: u128, zeros in 0_u32..64) {
            let low = bits & (u128::MAX >> 16);
            let address = Ipv6Addr::from(0x2001_u128 << 112 | low >> zeros << zeros);
            is_found(&DETECTOR, &address.to_string());
            let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:04X}")).collect();
            is_found(&DETECTOR, &groups.join(":"));
        }

        #[test]
        fn more_or_fewer_groups_are_none(groups in prop::collection::vec("[1-9a-f][0-9a-f]{2,3}", 2..16)) {
            prop_assume!(groups.len() != 8);
            is_passed_over(&DETECTOR, &groups.join(":"));
        }
    }
}
