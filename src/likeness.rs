//! How alike two answers to one request are, when no word of either is kept: each leg of a pair leaves a few numbers in its record,
//! and who has both compares these.
//!
//! All of them depend on a key that only the two legs know, and that stands in no record: so a print says how near two answers of one
//! pair are, and nothing else. Nobody who has the records can try out which text it was, not even of an answer of one word, and two
//! pairs have nothing in common.

mod calls;
mod text;

use crate::llm::meter::{Finish, Form};
use crate::llm::schema::Schema;
use crate::record::answered::Answered;
use calls::CallsPrint;
use text::TextPrint;

/// What the two legs of a pair share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairKey([u64; 2]);

impl PairKey {
    /// Of numbers that nobody can guess.
    pub const fn drawn(numbers: [u64; 2]) -> Self {
        Self(numbers)
    }

    /// As it stands in a header.
    pub fn written(self) -> String {
        let [first, second] = self.0;
        format!("{first:016x}{second:016x}")
    }

    pub fn read(written: &str) -> Option<Self> {
        let (first, second) = written.split_at_checked(16).filter(|_| written.len() == 32)?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        Some(Self([number(first)?, number(second)?]))
    }
}

/// An answer's body, as it is compared.
pub struct Likeness {
    text: TextPrint,
    /// `None`: answers of this API call nothing.
    calls: Option<CallsPrint>,
}

impl Likeness {
    pub fn new(key: PairKey, schema: &Schema, form: Form) -> Box<Self> {
        Box::new(Self { text: TextPrint::new(key, schema, form), calls: CallsPrint::new(key, schema, form) })
    }

    /// The next bytes; `last` when no more can come.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8], last: bool) {
        self.text.feed(bytes, last);
        if let Some(calls) = &mut self.calls {
            calls.feed(bytes, last);
        }
    }

    /// What it came to.
    pub fn answered(&self, finish: Option<Finish>) -> Answered {
        let mut answered = Answered { finish, ..self.text.answered() };
        if let Some(calls) = &self.calls {
            calls.tell(&mut answered);
        }
        answered
    }
}

#[cfg(test)]
mod tests;
