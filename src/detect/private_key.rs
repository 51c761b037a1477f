//! Private keys as text: RFC 7468's, OpenSSH's, OpenSSL's older ones, PGP's.
//!
//! A key is found only once its last line has come: a first line alone, or one whose key was cut off, is no finding.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "private_key",
    label: "PRIVATE_KEY",
    // In a string of JSON or code the lines end with a backslash and an n.
    pattern: concat!(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\t\n\r -~]+",
        r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    ),
    longest: 8_192,
    check,
};

/// No key has fewer letters of base64 in a row: a line of PEM has 64, the shortest key in one line 64.
const RUN: usize = 32;

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text;
    let label = text.strip_prefix("-----BEGIN ")?;
    let (label, rest) = label.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    // Another one begins within: the first was cut off.
    if body.contains("-----BEGIN") || !body.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (last, _) = rest.split_once("-----")?;
    let end = [11, label.len(), 5, body.len(), 9, last.len(), 5].into_iter().try_fold(0_usize, usize::checked_add)?;
    (last == label && has_key(body)).then_some(0..end)
}

/// Whether the letters of a key stand there, and not dots or a sentence in their place.
fn has_key(body: &str) -> bool {
    let mut run = 0_usize;
    body.bytes().any(|byte| {
        let letter = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        run = if letter { run.saturating_add(1) } else { 0 };
        run >= RUN
    })
}

#[cfg(test)]
mod tests {
    use super::super::walk::{findings, finds, passes_over};
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

    fn pem(label: &str, line_end: &str) -> String {
        format!("-----BEGIN {label}-----{line_end}{LINE}{line_end}{LINE}{line_end}MzEfYyjiWA4R4==-----END {label}-----")
    }

    #[test]
    fn keys_are_found() {
        let texts = [
            format!("«{}»", pem("PRIVATE KEY", "\n")),
            format!("here: «{}» done", pem("RSA PRIVATE KEY", "\n")),
            format!("«{}»\n", pem("EC PRIVATE KEY", "\r\n")),
            format!("{{\"key\":\"«{}»\"}}", pem("PRIVATE KEY", "\\n")),
            format!("x = '«{}»\\n'", pem("OPENSSH PRIVATE KEY", "\\n")),
            format!("«{}»", pem("ENCRYPTED PRIVATE KEY", "\n    ")),
            format!("«{}»", pem("DSA PRIVATE KEY", " ")),
            format!("«{}»", pem("PGP PRIVATE KEY BLOCK", "\n")),
            format!("KEY=«{}»", pem("PRIVATE KEY", "")),
            format!("«{}»\n«{}»", pem("PRIVATE KEY", "\n"), pem("EC PRIVATE KEY", "\n")),
            format!(
                "«{}»",
                pem("RSA PRIVATE KEY", "\n").replace(
                    "KEY-----\nMII",
                    "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\nMII"
                )
            ),
            format!("-----BEGIN CERTIFICATE-----\n{LINE}\n-----END CERTIFICATE-----\n«{}»", pem("PRIVATE KEY", "\n")),
            format!("-----BEGIN PRIVATE KEY-----\nMII «{}»", pem("PRIVATE KEY", "\n")),
            format!("密钥«{}»。", pem("PRIVATE KEY", "\n")),
        ];
        finds(&DETECTOR, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let cut = pem("PRIVATE KEY", "\n").replace("-----END PRIVATE KEY-----", "");
        let other = pem("PRIVATE KEY", "\n").replace("END PRIVATE", "END RSA PRIVATE");
        let long = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "A".repeat(8_192));
        let foreign = pem("PRIVATE KEY", "\n").replace("MII", "é");
        let tail = pem("PRIVATE KEY", "\n").replace("-----BEGIN PRIVATE KEY-----", "");
        passes_over(
            &DETECTOR,
            &[
                (pem("PUBLIC KEY", "\n").as_str(), "a public key"),
                (pem("CERTIFICATE", "\n").as_str(), "a certificate"),
                (pem("RSA PUBLIC KEY", "\n").as_str(), "a public key"),
                (pem("PGP PUBLIC KEY BLOCK", "\n").as_str(), "a public key"),
                (pem("private key", "\n").as_str(), "small letters"),
                (&cut, "the last line never comes"),
                (&tail, "the first line is missing"),
                (&other, "the last line is another key's"),
                (&long, "longer than any key"),
                (&foreign, "letters that are not ASCII"),
                ("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "left out"),
                ("-----BEGIN PRIVATE KEY-----\nyour key here\n-----END PRIVATE KEY-----", "a place for one"),
                ("It stands between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----.", "a sentence"),
                ("---BEGIN PRIVATE KEY---\nMII\n---END PRIVATE KEY---", "too few dashes"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(lines in prop::collection::vec("[A-Za-z0-9+/]{64}", 1..40), around in "[a-z \n]{0,20}") {
            let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", lines.join("\n"));
            let text = format!("{around}{key}{around}");
            prop_assert_eq!(findings(&DETECTOR, &text), vec![around.len()..around.len() + key.len()]);
        }
    }
}
