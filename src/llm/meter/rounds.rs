//! The rounds that an answer took (Anthropic's `iterations`): the totals may leave out compactions, other models inside of a
//! tool, and attempts before a fallback.

use crate::llm::usage::{Count, Native};

const COUNTS: [Count; 6] =
    [Count::Input, Count::Output, Count::Cached, Count::CacheCreation, Count::CacheCreation5m, Count::CacheCreation1h];

/// Their sums, and the one that is read.
#[derive(Default)]
pub struct Rounds {
    sums: Native,
    this: Native,
}

impl Rounds {
    pub fn begin(&mut self) {
        self.this = Native::default();
    }

    pub fn count(&mut self, count: Count, value: u64) {
        self.this.set(count, Some(value));
    }

    /// An attempt that wrote nothing is not billed.
    pub fn end(&mut self) {
        if self.this.get(Count::Output).is_some_and(|output| output > 0) {
            for count in COUNTS {
                self.sums.add(count, self.this.get(count).unwrap_or(0));
            }
        }
    }

    /// Puts the sums in the place of totals that are less.
    pub fn complete(&self, totals: &mut Native) {
        for count in COUNTS {
            let sum = self.sums.get(count).unwrap_or(0);
            if totals.get(count).map_or(sum > 0, |total| total < sum) {
                totals.set(count, Some(sum));
            }
        }
    }
}
