//! Whether a word looks like a secret: not like a type, a name, a place for one, or a sentence's next word.

use super::super::entropy::{BIT, per_byte};

/// How much of `text` is the value: what a sentence, a list or a query string puts behind it is not.
pub fn length(text: &str, quoted: bool) -> usize {
    // The backslash of a quote that is escaped.
    let text = text.trim_end_matches('\\');
    if quoted {
        return text.len();
    }
    let next = text.match_indices(['&', ';', ',']).find(|(at, _)| {
        let behind = text.get(at.saturating_add(1)..).unwrap_or_default();
        let name = behind.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'_').count();
        name > 0 && behind.as_bytes().get(name).is_some_and(|byte| matches!(byte, b'=' | b':'))
    });
    let text = next.and_then(|(at, _)| text.get(..at)).unwrap_or(text);
    // In a string of JSON or code the line may end behind it.
    let text = text.split_once("\\n").map_or(text, |(line, _)| line);
    text.trim_end_matches(['.', ',', ';', ':', '?', ')', ']', '}']).len()
}

/// What stands where a secret will be put, or was taken out.
pub fn is_placeholder(value: &str) -> bool {
    // By their first byte: a value may be long, and is read once.
    let holds = |(at, byte): (usize, &u8)| {
        let words: &[&str] = match byte.to_ascii_lowercase() {
            b'$' => &["${", "$("],
            b'{' => &["{{"],
            b'}' => &["}}"],
            b':' => &["://"],
            b'x' => &["xxxx"],
            b'*' => &["****"],
            b'.' => &["..."],
            b'y' => &["your_", "your-"],
            b'e' => &["example"],
            b'r' => &["redacted"],
            b'c' => &["changeme"],
            _ => return false,
        };
        let rest = value.as_bytes().get(at..).unwrap_or_default();
        let begins =
            |word: &&str| rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()));
        words.iter().any(begins)
    };
    value.as_bytes().iter().enumerate().any(holds)
        || matches!(value.as_bytes(), [b'%', .., b'%'] | [b'{', ..] | [b'[', .., b']'] | [.., b'%', b's' | b'd'])
        || matches!(value.as_bytes(), [b'$', name @ ..] if name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_'))
}

/// A call, a path, or names with dots between them. Within quotes it would be none.
pub fn is_code(value: &str) -> bool {
    let is_name = |name: &str| {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        first && name.len() <= 24 && name.bytes().all(super::super::is_word)
    };
    let dotted = value.contains('.') && value.split('.').all(is_name);
    let path = value.starts_with(['/', '~']) && value.len() < 40 || value.starts_with("./") || value.contains(":\\");
    dotted || path || value.contains(['(', '[']) || value.starts_with(['@', '&', '*'])
}

/// How often a word goes over from letters to digits or back, twice, and from a small letter to a large one, once.
///
/// Chance does so at more than half of its letters, a name or a word with a number behind it at few.
fn turns(value: &[u8]) -> usize {
    let mut turns = 0_usize;
    let mut last: Option<u8> = None;
    for byte in value.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        if let Some(last) = last.replace(*byte) {
            if last.is_ascii_digit() != byte.is_ascii_digit() {
                turns = turns.saturating_add(2);
            } else if last.is_ascii_lowercase() && byte.is_ascii_uppercase() {
                turns = turns.saturating_add(1);
            }
        }
    }
    turns
}

/// Letters of both cases as no name in code has them: many large ones, and some of them side by side.
fn is_mixed(value: &[u8]) -> bool {
    let upper = value.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let lower = value.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    // An abbreviation is one of them: SSHPrivateKey.
    let begins_pair = |three: &&[u8]| matches!(three, [before, rest @ ..] if !before.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_uppercase));
    let first = value.get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_uppercase));
    let pairs = value.windows(3).filter(begins_pair).count().saturating_add(usize::from(first));
    let length = value.len();
    upper.saturating_mul(4) >= length
        && lower.saturating_mul(4) >= length
        && pairs > 1
        && turns(value).saturating_mul(8) >= length
}

/// A number of base 16, or a UUID.
fn is_hex(value: &[u8]) -> bool {
    let digits = value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let cases = value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase);
    digits && !cases && value.len() >= 16 && turns(value).saturating_mul(5) >= value.len()
}

/// What people take for a password: letters with a digit or a sign among them, or a row of digits.
pub fn is_password(value: &str) -> bool {
    let bytes = value.trim_end_matches(['!', '?', ';', ',']).as_bytes();
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    let digits = bytes.iter().any(u8::is_ascii_digit);
    let signs = bytes.iter().any(|byte| b"!#$%&*+=?@^~".contains(byte));
    // Laravel's rules, GraphQL's and TypeScript's types.
    let is_rule = value.contains('|')
        && value.split('|').next().is_some_and(|rule| rule.bytes().all(|byte| byte.is_ascii_lowercase()));
    let is_time = !letters && bytes.iter().any(|byte| b":/-.".contains(byte));
    let enough = digits || (letters && signs) || (bytes.len() >= 8 && is_mixed(bytes));
    value.len() >= 6 && !is_rule && !is_time && enough && per_byte(bytes) >= BIT
}

/// What a machine has drawn: enough letters, spread over many, and turning often.
pub fn is_key(value: &str, least: usize) -> bool {
    let bytes = value.as_bytes();
    let length = bytes.len();
    let digits = bytes.iter().any(u8::is_ascii_digit);
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    let spread = per_byte(bytes) >= if length < 16 { BIT.saturating_mul(11) / 4 } else { BIT.saturating_mul(3) };
    // Two in five.
    let turning = digits && turns(bytes).saturating_mul(5) >= length.saturating_mul(2);
    length >= least && letters && spread && (turning || digits && is_hex(bytes) || length >= 20 && is_mixed(bytes))
}
