//! Values that a word before them calls a secret, and that look like one: `password: …`, `api_key = "…"`, `Bearer …`.

mod value;

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "secret",
    label: "SECRET",
    // No match begins within a word, and so the beginnings of words that are written together are listed. Quotes, brackets and
    // backslashes stand around in code and in JSON within JSON.
    pattern: concat!(
        "(?i-u:(?:access|account|admin|api|app|auth|bot|client|csrf|db|id|jwt|login|my|mysql|new|old|pg|refresh|root|service|",
        "session|smtp|user|web)?",
        "(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|bearer|basic|authorization|auth|",
        "(?:api|(?:secret)?access|private|secret|encryption|signing|account|master|license|shared|client)[_ -]?key))",
        r#"(?:["'\\\]]*[ \t]*[:=>]+[ \t]*|["'\\\]]*[ \t]+(?i-u:(?:is|was):?[ \t]+)?)["'\\]*[!#-&(-;=?-_a-~]+"#
    ),
    longest: 4_096,
    check,
};

/// What stands between the word and the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// `=`, `:`, `=>`, `>` of an element, an option of a command line, or the scheme of a header.
    Sign,
    /// `is`, `was`.
    Verb,
    /// Only a blank.
    Blank,
}

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text;
    // Neither a word nor what stands behind it has a blank but these.
    let behind = text.bytes().rev().take_while(|byte| !b" \t\"'<>".contains(byte)).count();
    let (word, between, start) = parts(text, text.len().checked_sub(behind)?)?;
    let quoted = text.get(..start)?.ends_with(['"', '\'']);
    let option = candidate.before == Some(b'-') && between == Between::Blank;
    let scheme = word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic");
    let between = if option || scheme { Between::Sign } else { between };
    let length = value::length(text.get(start..)?, quoted);
    let end = start.checked_add(length)?;
    let value = text.get(start..end)?;
    // A call or an index, cut off by the quote within: getenv("X").
    let is_call = text.ends_with(['(', '[']);
    let has =
        |known: &str| word.as_bytes().windows(known.len()).any(|part| part.eq_ignore_ascii_case(known.as_bytes()));
    let is_password = has("pass") || has("pwd");
    // What passes is no password, unless it is written as one.
    let ends = word.len().checked_sub(4).and_then(|at| word.get(at..));
    let passes =
        ends.is_some_and(|end| end.eq_ignore_ascii_case("pass")) && !quoted && !text.get(..start)?.contains('=');
    let is_secret = match between {
        _ if is_call || passes || value::is_placeholder(value) || (!quoted && value::is_code(value)) => false,
        Between::Sign | Between::Verb if is_password => value::is_password(value),
        Between::Sign => value::is_key(value, 8),
        Between::Verb => value::is_key(value, 12),
        Between::Blank => value::is_key(value, 20),
    };
    is_secret.then_some(start..end)
}

/// The word, what stands behind it, and where the value begins.
fn parts(text: &str, last: usize) -> Option<(&str, Between, usize)> {
    let letters = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    let name = text.bytes().take_while(letters).count();
    // "api key": a word of two.
    let two = text
        .get(name..)?
        .strip_prefix(' ')
        .filter(|rest| rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("key")));
    let name = if two.is_some() { name.checked_add(4)? } else { name };
    let rest = text.get(name..)?;
    let signs = rest.bytes().take_while(|byte| b"\"'\\] \t:=>".contains(byte)).count();
    let has_sign = rest.bytes().take(signs).any(|byte| b":=>".contains(&byte));
    let start = name.checked_add(signs)?;
    let word = text.get(..name)?;
    if has_sign {
        return Some((word, Between::Sign, start));
    }
    let verb = text.get(start..)?.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b':').count();
    let is_verb = ["is", "was", "is:", "was:"]
        .iter()
        .any(|known| text.get(start..start.saturating_add(verb)).is_some_and(|verb| known.eq_ignore_ascii_case(verb)));
    if is_verb && last > start {
        let quotes =
            text.get(start.checked_add(verb)?..)?.bytes().take_while(|byte| b" \t\"'\\".contains(byte)).count();
        return Some((word, Between::Verb, start.checked_add(verb)?.checked_add(quotes)?));
    }
    Some((word, Between::Blank, start))
}

#[cfg(test)]
mod tests;
