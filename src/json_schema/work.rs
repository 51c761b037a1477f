//! What a check may cost. A schema and a value that are both hostile must end soon: on a worker, all tenants wait.

/// As of `serde_json`, which reads no deeper values.
pub const MAX_DEPTH: usize = 128;
/// Of one check. Each is some ten nanoseconds of work.
pub const STEPS: usize = 200_000;
/// Of all checks of one answer, which may have thousands of calls.
pub const STEPS_OF_ALL: usize = 20 * STEPS;
/// A remainder of 128 bits for each bit of an exponent, in steps; and a number with a fraction, which is written out to be read.
pub const DIVISION: usize = 10;
/// How many schemas hold within each other at once, for one value and those in it: each takes some of the stack.
pub const MAX_NESTED: usize = 512;

/// What stops a check with no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    TooDeep,
    TooMuchWork,
}

/// The steps that are left.
#[derive(Debug)]
pub struct Steps(usize);

impl Steps {
    /// Of so many that are left for all.
    pub fn within(all: &Self) -> Self {
        Self(all.0.min(STEPS))
    }

    pub const fn of_all() -> Self {
        Self(STEPS_OF_ALL)
    }

    /// What was spent of some that were [`Self::within`] these.
    pub fn settle(&mut self, within: &Self) {
        let given = Self::within(self).0;
        self.0 = self.0.saturating_sub(given.saturating_sub(within.0));
    }

    pub const fn endless() -> Self {
        Self(usize::MAX)
    }

    pub fn spend(&mut self, steps: usize) -> Result<(), Halt> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.map(drop).ok_or(Halt::TooMuchWork)
    }

    /// To compare a text, which WebAssembly does byte by byte.
    pub const fn of_text(text: &str) -> usize {
        (text.len() >> 6).saturating_add(1)
    }

    /// To find a name among so many.
    pub const fn of_search(names: usize) -> usize {
        match names.checked_ilog2() {
            Some(comparisons) => (comparisons as usize).saturating_add(1),
            None => 1,
        }
    }

    /// To count the characters of a text.
    pub const fn of_length(text: &str) -> usize {
        (text.len() >> 8).saturating_add(1)
    }
}
