//! What a name may be made of: a tenant's, a role's, a model's, a provider's, whoever wrote it.
//!
//! A name goes into headers, labels, keys and records. So one rule holds for all of them, and for decoded escapes as well.

/// The longest name that a client may write; the operator's are shorter.
pub const LONGEST: usize = 256;

/// Whether nothing in `text` could end a header's line or a C string, or was unreadable before it was decoded.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || letter == char::REPLACEMENT_CHARACTER)
}

/// Whether a client may name something by it.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && is_printable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_control_characters_however_they_are_written() {
        for name in ["gpt-4o", "us.anthropic.claude-sonnet-4-20250514-v1:0", "é/漢 🙂", &"x".repeat(LONGEST)] {
            assert!(is_name(name), "{name:?}");
        }
        for letter in ('\0'..='\u{9f}').filter(|letter| letter.is_control()).chain(['\u{fffd}']) {
            assert!(!is_name(&format!("gpt{letter}4o")), "{letter:?}");
        }
        assert!(!is_name("") && !is_name(&"x".repeat(LONGEST + 1)));
    }
}
