//! Addresses of mail: RFC 5321's, as people write them. What only quoting would allow is no address here.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "email",
    label: "EMAIL",
    // A query string writes the sign as %40. RFC 6531 allows letters that are not ASCII: Latin, Greek and Cyrillic have two
    // bytes. Chinese ones have three, and stand right beside an address that they are no part of.
    pattern: concat!(
        r"(?:[A-Za-z0-9_]|[\xc3-\xd3][\x80-\xbf])(?:[A-Za-z0-9.%+'_-]|[\xc3-\xd3][\x80-\xbf])*",
        "(?:@|%40)[A-Za-z0-9.-]+"
    ),
    // RFC 5321, 4.5.3.1: 64 for the mailbox, and no path has more than 254 with its domain.
    longest: 320,
    check,
};

/// Endings of files that are no top-level domains: `icon@2x.png`.
const FILES: [&str; 18] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "ico", "css", "js", "json", "html", "htm", "xml", "txt", "yml",
    "yaml", "lock",
];

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    // Every beginning is tried, and the first one has the whole mailbox.
    if candidate.before.is_some_and(super::is_word) {
        return None;
    }
    let text = candidate.text;
    // No letter of a mailbox or a domain is an @, and none of a domain a %.
    let (sign, domain) = match text.find('@') {
        Some(sign) => (sign, sign.checked_add(1)?),
        None => text.rfind("%40").and_then(|sign| Some((sign, sign.checked_add(3)?)))?,
    };
    let start = mailbox(text.get(..sign)?)?;
    let end = domain.checked_add(reach(text.get(domain..)?)?)?;
    let length = end.checked_sub(start)?;
    // What git and ssh take for a remote place: git@github.com:owner/name.
    let remote = text.get(start..sign) == Some("git") && candidate.right_of(end) == Some(b':');
    (length <= 254 && !remote).then_some(start..end)
}

/// Where the mailbox begins in what stands before the sign.
fn mailbox(text: &str) -> Option<usize> {
    // Two dots never stand together in one, and behind a percent sign stands a letter of a query string's separators.
    let after_dots = text.rfind("..").and_then(|at| at.checked_add(2)).unwrap_or(0);
    let after_percent = text.rfind('%').map_or(0, |at| {
        let escape = text.bytes().skip(at.saturating_add(1)).take(2).filter(u8::is_ascii_hexdigit).count();
        at.saturating_add(if escape == 2 { 3 } else { 1 })
    });
    let from = after_dots.max(after_percent);
    let rest = text.get(from..)?;
    let start = from.checked_add(rest.find(|letter: char| letter.is_alphanumeric() || letter == '_')?)?;
    let length = text.len().checked_sub(start)?;
    (length <= 64 && !text.ends_with(['.', '\''])).then_some(start)
}

/// How far a domain reaches in what stands behind the sign.
fn reach(text: &str) -> Option<usize> {
    let (mut at, mut end, mut labels) = (0_usize, None, 0_u8);
    let mut ended_lower = false;
    for label in text.split('.') {
        let whole = label.trim_end_matches('-');
        let starts_upper = whole.starts_with(|letter: char| letter.is_ascii_uppercase());
        // A sentence that begins without a blank before it: "mail jo@example.com.Then wait".
        if whole.is_empty() || whole.len() > 63 || whole.starts_with('-') || (ended_lower && starts_upper) {
            break;
        }
        labels = labels.saturating_add(1);
        let top = is_top(whole);
        if labels >= 2 && top {
            end = at.checked_add(whole.len());
            ended_lower = !whole.bytes().any(|byte| byte.is_ascii_uppercase());
        }
        if whole.len() < label.len() {
            break;
        }
        at = at.checked_add(label.len())?.checked_add(1)?;
    }
    let end = end?;
    let file = text.get(..end)?.rsplit('.').next().is_some_and(|top| FILES.contains(&top));
    (!file).then_some(end)
}

fn is_top(label: &str) -> bool {
    let letters = label.bytes().all(|byte| byte.is_ascii_alphabetic());
    label.len() >= 2 && (letters || label.starts_with("xn--"))
}

#[cfg(test)]
mod tests {
    use super::super::walk::{finds, is_found, passes_over};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_found() {
        finds(
            &DETECTOR,
            &[
                "«jo@example.com»",
                "Write to «jo.doe+news@mail.example.co.uk», please.",
                "<«a@b.de»>; <«c_d@e-f.org»>",
                "mailto:«info@example.museum»?subject=hi",
                "{\"email\":\"«JOHN.DOE@EXAMPLE.COM»\"}",
                "'«o'brien@example.ie»'",
                "GET /?to=«jo%40example.com»&x=1",
                "next=mail%3D«jo%40example.com»",
                "user=«x1@sub.sub2.example.info».",
                "mail «jo@example.com».Then wait",
                "…«first.last@xn--mnchen-3ya.de»…",
                "邮箱«zhang.wei@example.cn»。",
                "«jo@example.com»,«mo@example.com»;«bo@example.com»",
                "...«jo@example.com»",
                "«józef.müller@example.pl» und “«jo@example.com»”",
                "«_service@example.com»- and so on",
                "«git@example.com» as a mailbox",
                "«root@db1.internal»:5432",
            ],
        );
    }

    #[test]
    fn what_only_looks_like_one_is_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("jo@example", "no dot in the domain"),
                ("jo@", "no domain"),
                ("@example.com", "no mailbox"),
                ("icon@2x.png", "a picture for dense screens"),
                ("lodash@4.17.21", "a version of a package"),
                ("npm i @types/node@18.11.9", "a package in a scope"),
                ("git@github.com:owner/name.git", "a remote place of git"),
                ("jo@.com", "an empty label"),
                ("jo@-example.com", "a label that begins with a dash"),
                ("jo.@example.com", "a mailbox that ends with a dot"),
                ("jo @ example.com", "blanks around the sign"),
                ("jo@192.168.0.1", "numbers for a domain"),
                ("self@x.y", "a top-level domain of one letter"),
                ("actions/checkout@v4.1.1", "a version of an action"),
                ("@app.route('/x')", "a decorator"),
                ("a@b@c", "no domain behind either sign"),
            ],
        );
        let long = format!("{}@example.com", "x".repeat(65));
        passes_over(&DETECTOR, &[(long.as_str(), "a mailbox of 65 letters"); 12]);
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(
            address in "[a-z0-9_][a-z0-9_+-]{0,20}(\\.[a-z0-9_-]{1,10}){0,2}@[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\\.(com|org|de|co\\.uk)"
        ) {
            is_found(&DETECTOR, &address);
        }
    }
}
