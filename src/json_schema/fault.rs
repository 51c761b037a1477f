//! Why a value is not valid, in a sentence that the client, the model and the log may read.
//!
//! Nothing of the value itself is in it, which is a tenant's: the only texts are those of the schema, and a member is named only
//! if the schema names it.

mod sentence;

use super::pointer::{Pointer, Step};
use super::rule::{Contains, Properties, Rule, Types};
use super::work::{Halt, MAX_DEPTH, STEPS, STEPS_OF_ALL};
use std::fmt;

/// The first thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the value, as a JSON pointer. `*` stands for a member that the schema doesn't name; a long one is cut.
    pub pointer: String,
    pub kind: Kind,
    sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The value is not valid, because of this keyword. (`false`: the schema that is just that.)
    Invalid(&'static str),
    /// No verdict: the value has too many levels.
    TooDeep,
    /// No verdict: the check took too many steps.
    TooMuchWork,
}

/// What ends a check.
#[derive(Clone, Copy, Debug)]
pub enum Stop<'s> {
    Fails(Why<'s>),
    Halted(Halt),
}

/// What a value doesn't satisfy.
#[derive(Clone, Copy, Debug)]
pub enum Why<'s> {
    Rule(&'s Rule),
    Type(Types, Types),
    Missing(&'s str),
    /// The keyword, the member that is there, and the one that it needs.
    Needs(&'static str, &'s str, &'s str),
    Additional(&'s Properties),
    /// The keyword, and how many items may be there.
    MoreItems(&'static str, u64),
    TooFew(&'s Contains),
    TooMany(u64),
    Several,
}

impl From<Halt> for Stop<'_> {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

impl Why<'_> {
    const fn keyword(&self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.keyword(),
            Self::Type(..) => "type",
            Self::Missing(_) => "required",
            Self::Additional(_) => "additionalProperties",
            Self::Needs(keyword, ..) | Self::MoreItems(keyword, _) => keyword,
            Self::TooFew(contains) if contains.min == 1 => "contains",
            Self::TooFew(_) => "minContains",
            Self::TooMany(_) => "maxContains",
            Self::Several => "oneOf",
        }
    }
}

impl Fault {
    /// `path`: the steps to what the check stopped at.
    pub(super) fn new(path: &[Step<'_>], stop: Stop<'_>) -> Self {
        let pointer = Pointer(path).to_string();
        match stop {
            Stop::Fails(why) => Self { pointer, kind: Kind::Invalid(why.keyword()), sentence: why.to_string() },
            Stop::Halted(Halt::TooDeep) => {
                let sentence = format!("has more than the {MAX_DEPTH} levels that are checked");
                Self { pointer: String::new(), kind: Kind::TooDeep, sentence }
            }
            Stop::Halted(Halt::TooMuchWork) => {
                let sentence = format!(
                    "takes more than the {STEPS} steps that one check may take, or the {STEPS_OF_ALL} of an answer"
                );
                Self { pointer: String::new(), kind: Kind::TooMuchWork, sentence }
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "the value {}", self.sentence),
            pointer => write!(f, "`{pointer}` {}", self.sentence),
        }
    }
}

impl std::error::Error for Fault {}
