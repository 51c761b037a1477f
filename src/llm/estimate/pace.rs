//! How fast a model writes: what bounds the tokens that nobody saw by the time that there was for them.

use crate::units::Tokens;

/// Tokens a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pace(pub u64);

/// Before anything is learned: few of the models that are sold write faster for one reader.
pub const PRIOR: Pace = Pace(250);

/// A prompt is read, and a queue is left, before the first token: a silence that is no longer tells of no output.
pub const FIRST_TOKEN: u64 = 2_000_000_000;

/// Long prompts and queues are behind by then.
pub const LONG_WAIT: u64 = 10_000_000_000;

impl Pace {
    /// Of so many that are written at once, one at the least.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count.max(1)))
    }

    /// At most so many can have been written in so many nanoseconds.
    pub fn tokens(self, nanos: u64) -> Tokens {
        Tokens((nanos / 1_000_000).saturating_mul(self.0).div_ceil(1_000))
    }

    /// Of a stream of so many choices that has shown nothing for so long. Only what is longer than a common wait is thought by each.
    pub fn silent(self, nanos: u64, choices: u64) -> Tokens {
        let others = Self(self.0.saturating_mul(choices.saturating_sub(1)));
        self.tokens(nanos.saturating_sub(FIRST_TOKEN)).plus(others.tokens(nanos.saturating_sub(LONG_WAIT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_bounds_what_can_have_been_written() {
        let second = 1_000_000_000;
        for (nanos, written, in_silence) in
            [(0, 0, 0), (second / 2, 125, 0), (3 * second, 750, 250), (120 * second, 30_000, 29_500)]
        {
            assert_eq!((PRIOR.tokens(nanos), PRIOR.silent(nanos, 1)), (Tokens(written), Tokens(in_silence)), "{nanos}");
        }
        // Each choice thinks by itself, and waits with the others.
        let [soon, late] = [4, 60].map(|seconds| [1, 8].map(|choices| PRIOR.silent(seconds * second, choices).0));
        assert_eq!((soon, late), ([500, 500], [14_500, 14_500 + 7 * 12_500]));
        assert!(PRIOR.tokens(u64::MAX) > Tokens(1_000_000_000), "no clock that jumps makes it nothing");
    }
}
