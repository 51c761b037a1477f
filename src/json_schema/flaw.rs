//! Why a schema is not taken, and what would be right: for whoever wrote it.

use super::pattern::Unfit;
use super::pointer::Shown;
use std::fmt;

/// The first thing in a schema that can't be enforced as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where in the schema, as a JSON pointer; a long one is cut.
    pub pointer: String,
    pub reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `$schema` is of a draft that is not known here.
    Draft,
    /// The keyword is none of the draft's, or not enforced; what would be.
    Keyword {
        name: String,
        instead: &'static str,
    },
    /// What the value of the keyword must be.
    Form(&'static str),
    /// `$ref` to another document.
    Remote,
    /// `$ref` to a place that isn't there.
    NoTarget,
    /// `$ref` comes back to itself for the same value.
    Circle,
    /// `$id` within the schema, from where references would mean others.
    Identifier,
    Pattern(Unfit),
    Limit {
        of: &'static str,
        most: usize,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str("the schema: "),
            pointer => write!(f, "`{pointer}` in the schema: "),
        }?;
        self.reason.fmt(f)
    }
}

impl std::error::Error for Flaw {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft => f.write_str(
                "must be `https://json-schema.org/draft/2020-12/schema` or `http://json-schema.org/draft-07/schema#`, and the same in all of it",
            ),
            Self::Keyword { name, instead } => write!(f, "{} is not enforced: {instead}", Shown(name)),
            Self::Form(form) => write!(f, "must be {form}"),
            Self::Remote => f.write_str("must refer to this schema itself, as `#/$defs/…` does: no others are loaded"),
            Self::NoTarget => f.write_str("refers to no schema"),
            Self::Circle => f.write_str("comes back to itself without a step into the value, and would never end"),
            Self::Identifier => f.write_str("only the whole schema may have an `$id`: name this one in `$defs`"),
            Self::Pattern(unfit) => unfit.fmt(f),
            Self::Limit { of, most } => write!(f, "there are more than {most} {of}"),
        }
    }
}
