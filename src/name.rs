//! What a name may be made of: a tenant's, a role's, a model's, a provider's, whoever wrote it.
//!
//! A name goes into headers, labels, keys and records. So one rule holds for all of them, and for decoded escapes as well.

use std::fmt;

/// The label of everything that the configuration does not name: labels come from there only.
pub const OTHER: &str = "other";
/// The label of what was not sent.
pub const NONE: &str = "none";

/// The longest name that a client may write; the operator's are shorter.
pub const LONGEST: usize = 256;

/// What stands for the model of the caller's role, and is taken for what a request of the gateway's own API leaves out.
pub const BY_ROLE: &str = "role";

/// Whether nothing in `text` could end a header's line or a C string, or was unreadable before it was decoded.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || letter == char::REPLACEMENT_CHARACTER)
}

/// Whether a client may name something by it.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && is_printable(text)
}

/// A model's name, or the beginning of one and a `*`. Before the name may stand a provider's label and a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// `None` if a `*` stands anywhere but at the end.
    pub fn new(text: &str) -> Option<Self> {
        let name = text.strip_suffix('*').unwrap_or(text);
        (!name.contains('*')).then(|| Self(text.into()))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub fn in_lower_case(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }
    pub fn matches(&self, model: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => *self.0 == *model,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
