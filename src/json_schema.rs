//! JSON Schema, drafts 2020-12 and 7, for the arguments of tool calls: a schema is read once, and each value is then held against
//! it up to the first fault.
//!
//! What a schema says is enforced, or the schema is not taken: a keyword that is not known here is refused when the schema is
//! read, with its place, so that nobody relies on a rule that never fires. Annotations are taken and ignored: `title`,
//! `default`, `examples` and the like, `format`, `contentEncoding`, and all words that begin with `x-`.
//!
//! Both sides may be hostile. A schema is bounded when it is read, and a check has a budget of steps; neither panics, and
//! no fault repeats anything of the value.

mod check;
mod equality;
mod fault;
mod flaw;
mod number;
mod pattern;
mod pointer;
mod read;
mod rule;
mod work;

pub use equality::equal;
pub use fault::{Fault, Kind};
pub use flaw::{Flaw, Reason};
pub use pattern::Unfit;
use rule::{Id, Rule, Rules};
use serde_json::Value;
pub use work::Steps;

/// A schema as rules. The document it was read from is not kept.
#[derive(Debug)]
pub struct Schema {
    schemas: Box<[Rules]>,
    root: Id,
    weight: usize,
}

/// Who wrote a schema, which decides how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In the configuration: it is read once.
    Registered,
    /// In a request: it is read, and paid for, with each.
    Declared,
}

impl Schema {
    pub fn read(document: &Value, written: Where) -> Result<Self, Flaw> {
        read::read(document, written)
    }

    /// About what it takes in memory, in bytes.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// The first fault of a value, if it has one; `all`: the work that is left for it, and for others of the same answer.
    pub fn check(&self, value: &Value, all: &mut Steps) -> Result<(), Fault> {
        check::check(self, value, all)
    }

    fn rules(&self, id: Id) -> &[Rule] {
        self.schemas.get(id.0).map_or(&[], |rules| rules)
    }

    fn is_false(&self, id: Id) -> bool {
        matches!(self.rules(id), [Rule::False])
    }
}

#[cfg(test)]
mod tests;
