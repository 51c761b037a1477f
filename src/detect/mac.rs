//! Addresses of network adapters: EUI-48, in the forms of IEEE 802 and of Cisco.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "mac",
    label: "MAC",
    // A colon before it is one of a longer run's, unless a word stands before the colon.
    pattern: concat!(
        "(?:(?i-u:mac):)?[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]+)+",
        r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]+"
    ),
    // One more group tells that a run is longer.
    longest: 24,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let start = if candidate.text.starts_with(['m', 'M']) { 4 } else { 0 };
    let text = candidate.text.as_bytes().get(start..)?;
    let (size, separator) = match text.len() {
        17 => (2_usize, text.get(2)),
        14 => (4, text.get(4)),
        _ => return None,
    };
    let stride = size.checked_add(1)?;
    let (mut zeros, mut ones) = (true, true);
    for (at, byte) in text.iter().enumerate() {
        if at.checked_rem(stride)? == size {
            (Some(byte) == separator).then_some(())?;
        } else {
            byte.is_ascii_hexdigit().then_some(())?;
            zeros &= *byte == b'0';
            ones &= byte.eq_ignore_ascii_case(&b'f');
        }
    }
    let joined = start == 0 && candidate.before.is_some_and(|byte| matches!(byte, b':' | b'-' | b'.'));
    // Nobody's, and everybody's.
    if zeros || ones || joined { None } else { candidate.apart(start..candidate.text.len()) }
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
                "«00:1a:2b:3c:4d:5e»",
                "«00-1A-2B-3C-4D-5E»",
                "«001a.2b3c.4d5e»",
                "ether «3c:22:fb:9a:01:7e» txqueuelen 1000",
                "{\"mac\":\"«3C:22:FB:9A:01:7E»\"}",
                "adapter «3c:22:fb:9a:01:7e»: up",
                "MAC=«3c:22:fb:9a:01:7e».",
                "(«00-00-5E-00-53-01»)",
                "«00:11:22:33:44:55», «00:11:22:33:44:56»",
                "mac:«3c:22:fb:9a:01:7e»",
                "dhcp ack «0050.56c0.0008» on vlan 1",
                "地址«3c:22:fb:9a:01:7e»。",
                "10.0.0.1 3c:22:fb «3c:22:fb:9a:01:7e»",
            ],
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("00:00:00:00:00:00", "nobody's"),
                ("ff:ff:ff:ff:ff:ff", "everybody's"),
                ("00:1a:2b:3c:4d", "five bytes"),
                ("00:1a:2b:3c:4d:5e:6f", "seven bytes"),
                ("00:11:22:33:44:55:66:77", "eight bytes"),
                ("00:1a-2b:3c-4d:5e", "two kinds of separators"),
                ("00:1a:2b:3c:4d:5", "half a byte"),
                ("00:1a:2b:3c:4d:5ef", "half a byte too many"),
                ("00:1g:2b:3c:4d:5e", "no digit of base 16"),
                ("12:30:45", "a time"),
                ("2024-01-02-03-04-05", "a time"),
                ("550e8400-e29b-41d4-a716-446655440000", "a UUID"),
                ("001a2b3c4d5e", "no separators: a number"),
                ("x00:1a:2b:3c:4d:5e", "an identifier"),
                ("SHA1:AA:BB:CC:DD:EE:FF:00:11:22:33", "a fingerprint"),
                ("2001:db8:aa:bb:cc:dd:ee:ff", "an address of IPv6"),
                ("1234.5678.90123", "a group of five"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(bytes: [u8; 6], form in 0_usize..3) {
            prop_assume!(bytes != [0; 6] && bytes != [0xff; 6]);
            let [a, b, c, d, e, f] = bytes;
            is_found(&DETECTOR, &match form {
                0 => format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
                1 => format!("{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{f:02X}"),
                _ => format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}"),
            });
        }

        #[test]
        fn more_or_fewer_bytes_are_none(bytes in prop::collection::vec("[0-9a-f]{2}", 2..20)) {
            prop_assume!(bytes.len() != 6);
            is_passed_over(&DETECTOR, &bytes.join(":"));
        }
    }
}
