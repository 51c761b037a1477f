//! `pattern`: the regular expressions of ECMAScript, with its `u` flag, as far as an automaton can match them.
//!
//! Trade-off: an automaton over characters that is followed as it is, all its states at once, needs no more than its text to be
//! built, and takes a time that is at worst its size times the length of the text. Making it deterministic first would
//! match faster, but takes far longer than a match: and a schema that a client sends is read with every request.

mod automaton;
mod parser;
mod set;

use super::work::{Halt, Steps};
pub use automaton::Scratch;
use automaton::State;
use std::fmt;

/// Of the text of a pattern, in bytes.
pub const MAX_TEXT: usize = 1_024;
/// Of one pattern: the states with all repetitions written out, and the ranges of its characters.
pub const MAX_SIZE: usize = 4_096;

#[derive(Debug)]
pub struct Pattern {
    text: Box<str>,
    states: Box<[State]>,
    ranges: Box<[set::Range]>,
    /// It can match from the start of a text only.
    anchored: bool,
}

/// Why a pattern can't be matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    LookAround,
    BackReference,
    UnicodeProperty,
    Modifiers,
    /// It has more than [`MAX_TEXT`] bytes.
    TooLong,
    /// It comes to more than [`MAX_SIZE`].
    TooLarge,
    TooDeep,
    Syntax(&'static str),
}

impl Pattern {
    pub fn read(text: &str) -> Result<Self, Unfit> {
        if text.len() > MAX_TEXT {
            return Err(Unfit::TooLong);
        }
        let (node, ranges) = parser::read(text)?;
        let states = automaton::states(&node, ranges.len())?;
        let mut pattern = Self { text: text.into(), states, ranges: ranges.into(), anchored: false };
        pattern.anchored = pattern.starts_at_start();
        Ok(pattern)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Of the [`MAX_SIZE`].
    pub fn size(&self) -> usize {
        self.states.len().saturating_add(self.ranges.len())
    }

    /// Whether it matches anywhere in `text`.
    pub fn matches(&self, text: &str, scratch: &mut Scratch, steps: &mut Steps) -> Result<bool, Halt> {
        automaton::Run::new(self, scratch).matches(text, steps)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookAround => {
                f.write_str("look-ahead and look-behind are not supported: an automaton can't match them")
            }
            Self::BackReference => f.write_str("back-references are not supported: an automaton can't match them"),
            Self::UnicodeProperty => {
                f.write_str("`\\p` is not supported: name the characters, as ranges such as `[a-zÀ-ÿ]`")
            }
            Self::Modifiers => f.write_str("groups with flags are not supported: write both cases, as in `[aA]`"),
            Self::TooLong => write!(f, "a pattern has at most {MAX_TEXT} bytes"),
            Self::TooLarge => write!(
                f,
                "a pattern has at most {MAX_SIZE} states and ranges with its repetitions written out: use smaller counts, or `maxLength`"
            ),
            Self::TooDeep => write!(f, "a pattern has at most {} groups within each other", parser::MAX_GROUPS),
            Self::Syntax(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests;
