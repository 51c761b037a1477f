//! Ids in an answer, under which its provider may keep what they stand for.

use crate::kept::Id;

/// Ids in the answer, each once.
#[derive(Default)]
pub(super) struct Ids {
    pub all: Vec<Id>,
    /// How many of them were asked for.
    pub known: usize,
    /// That of the whole answer.
    pub response: Option<Id>,
    /// What it holds was asked for.
    pub weighed: bool,
}

/// No response has more items than a model can call tools in a turn.
const MOST_IDS: usize = 1_000;

impl Ids {
    pub(super) fn note(&mut self, id: Id) {
        if self.all.len() < MOST_IDS && !self.all.contains(&id) {
            self.all.push(id);
        }
    }
}
