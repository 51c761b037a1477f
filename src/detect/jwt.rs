//! Tokens of JSON: RFC 7519's, signed (RFC 7515) or encrypted (RFC 7516).

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "jwt",
    label: "JWT",
    // A header is an object, and the letters of its first two bytes are these. How many parts follow is the check's business.
    pattern: "eyJ[A-Za-z0-9_.-]+",
    longest: 8_192,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let token = candidate.text.trim_end_matches(['.', '-']);
    let joined = |byte: Option<u8>| byte.is_some_and(|byte| super::is_word(byte) || byte == b'-');
    // With the letter after it the match would have been longer, so it is longer than any token.
    if joined(candidate.before) || joined(candidate.after) {
        return None;
    }
    let mut parts = token.split('.');
    let header = parts.next()?;
    let signed = parts.next().is_some_and(|payload| payload.len() >= 2);
    let lengths = (parts.next().map(str::len), parts.next().map(str::len), parts.next().map(str::len));
    let whole = match (lengths, parts.next()) {
        // A signature, or what is encrypted and its tag. A key may be empty before them.
        ((Some(signature), None, None), None) => signed && signature >= 16,
        ((Some(vector), Some(text), Some(tag)), None) => vector > 0 && text > 0 && tag > 0,
        _ => false,
    };
    (whole && names_an_algorithm(header)).then_some(0..token.len())
}

/// Whether `"alg"` stands in what the letters of base64 stand for.
fn names_an_algorithm(header: &str) -> bool {
    let (mut bits, mut count, mut last) = (0_u32, 0_u32, 0_u64);
    header.bytes().any(|letter| {
        let sextet = match letter {
            b'A'..=b'Z' => letter.wrapping_sub(b'A'),
            b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
            b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(sextet);
        count = count.wrapping_add(6);
        if count < 8 {
            return false;
        }
        count = count.wrapping_sub(8);
        last = last << 8 | u64::from(bits.wrapping_shr(count) & 0xff);
        last & 0xff_ffff_ffff == u64::from_be_bytes(*b"\0\0\0\"alg\"")
    })
}

#[cfg(test)]
mod tests {
    use super::super::walk::{finds, is_found, passes_over};
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    const PAYLOAD: &str = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ";
    const SIGNATURE: &str = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";

    #[test]
    fn tokens_are_found() {
        let token = format!("«{HEADER}.{PAYLOAD}.{SIGNATURE}»");
        let kid = "eyJraWQiOiIxIiwiYWxnIjoiUlMyNTYifQ";
        let encrypted = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ";
        let texts = [
            token.clone(),
            format!("Authorization: Bearer {token}"),
            format!("{{\"token\":\"{token}\"}}"),
            format!("token={token}&x=1"),
            format!("It is {token}."),
            format!("({token})"),
            format!("export TOKEN={token}\n"),
            format!("Cookie: session={token}; path=/"),
            format!("«{kid}.{PAYLOAD}.{SIGNATURE}»"),
            format!("«{encrypted}.OKOawDo13gRp.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ.XFBoMYUZodetZdvTiFvSkQ»"),
            "«eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..48V1_ALb6US04U3b.5eym8TW.XFBoMYUZodetZdvTiFvSkQ»".to_owned(),
            format!("{token},{token}"),
            format!("令牌{token}。"),
            format!("{token}…"),
        ];
        finds(&DETECTOR, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn other_words_are_passed_over() {
        let without = "eyJ0eXAiOiJKV1QiLCJraWQiOiIxIn0";
        let broken = HEADER.replace("hbGci", "hbGcj");
        let long = format!("{HEADER}.{}.{SIGNATURE}", "a".repeat(8_192));
        passes_over(
            &DETECTOR,
            &[
                (HEADER, "a header alone"),
                (&format!("{HEADER}.{PAYLOAD}"), "no signature"),
                (&format!("{HEADER}.{PAYLOAD}."), "an empty signature"),
                (&format!("{HEADER}.{PAYLOAD}.short"), "no signature is as short"),
                (&format!("{HEADER}.{PAYLOAD}.{SIGNATURE}.more"), "four parts"),
                (&format!("{without}.{PAYLOAD}.{SIGNATURE}"), "the header names no algorithm"),
                (&format!("{broken}.{PAYLOAD}.{SIGNATURE}"), "the header names no algorithm"),
                (&format!("x{HEADER}.{PAYLOAD}.{SIGNATURE}"), "the end of a longer word"),
                (&format!("{HEADER}..{SIGNATURE}"), "no payload"),
                (&long, "longer than any token"),
                ("eyJhbGciOi...", "shortened"),
                ("eyJ.eyJ.eyJ", "nothing in it"),
                ("eyJzdWIi.js.map.example.com", "names"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(kid in "[a-z0-9]{0,20}", payload in "[A-Za-z0-9_-]{20,200}", signature in "[A-Za-z0-9_-]{42,86}[A-Za-z0-9]") {
            const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let header = format!("{{\"kid\":\"{kid}\",\"alg\":\"RS256\"}}");
            let header: String = header.as_bytes().chunks(3).flat_map(|three| {
                let bits = three.iter().chain(&[0, 0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
                (0..=three.len()).map(move |at| char::from(LETTERS[bits >> (18 - 6 * at) & 63]))
            }).collect();
            is_found(&DETECTOR, &format!("{header}.{payload}.{signature}"));
        }
    }
}
