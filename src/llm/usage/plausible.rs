//! Reports that can't be true: what a request could have come to, and what is charged in the place of more.
//!
//! Trade-off: a bound that is too tight would charge too little of an answer that is true, so it lies well above what was
//! asked for. What lies beyond is no count at all, and what the request might have come to stands in its place.

use super::{Reported, Usage};
use crate::units::Tokens;

/// Of one half: the most that is believed, and what stands in the place of more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Believable {
    pub believed: Tokens,
    pub instead: Tokens,
}

/// What a request could have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    pub input: Believable,
    pub output: Believable,
    /// As it was asked for by the piece.
    pub images: u64,
    pub search_units: u64,
}

/// No answer has more pictures, searches or sandboxes.
const PIECES: u64 = 1_000;
/// What is thought about a search.
const SEARCH_ROUND: u64 = 1_024;
/// What rounds of a provider's own may read: a long context, a few times.
const ROUNDS: Tokens = Tokens(2_000_000);
/// Two days of sound.
const SECONDS: u64 = 172_800;

impl Reported {
    /// What can be true of it.
    #[must_use]
    pub fn within(mut self, most: &Most) -> Self {
        let believed = if self.rounds { most.input.believed.max(ROUNDS) } else { most.input.believed };
        if let Some(reported) = self.input.filter(|reported| reported.input_tokens > believed) {
            self.implausible = true;
            let input_tokens = most.input.instead.min(reported.input_tokens);
            self.input = Some(Usage { input_tokens, ..Usage::default() });
        }
        // Each search is a round of its own.
        let rounds = Tokens(self.items.web_searches.min(PIECES).saturating_mul(SEARCH_ROUND));
        let believed = most.output.believed.plus(rounds);
        if let Some(reported) = self.output.filter(|reported| reported.output_tokens > believed) {
            self.implausible = true;
            let output_tokens = most.output.instead.min(reported.output_tokens);
            self.output = Some(Usage { output_tokens, ..Usage::default() });
        }
        for (pieces, believed, instead) in [
            (&mut self.items.images, PIECES, most.images),
            (&mut self.items.search_units, PIECES, most.search_units),
            (&mut self.items.web_searches, PIECES, 0),
            (&mut self.items.file_searches, PIECES, 0),
            (&mut self.items.container_sessions, PIECES, 0),
            (&mut self.items.audio_seconds, SECONDS, 0),
        ] {
            if *pieces > believed.max(instead) {
                self.implausible = true;
                *pieces = instead;
            }
        }
        self
    }
}

impl Usage {
    /// The same of the usage that a failed attempt reported.
    #[must_use]
    pub fn within(self, most: &Most) -> Self {
        let reported =
            Reported { input: Some(self), output: Some(self), items: self, ..Reported::default() }.within(most);
        reported.usage(Tokens::default, Tokens::default)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Contract, Count, Native};
    use super::*;

    const MOST: Most = Most {
        input: Believable { believed: Tokens(1_000), instead: Tokens(100) },
        output: Believable { believed: Tokens(500), instead: Tokens(50) },
        images: 2,
        search_units: 0,
    };

    #[test]
    fn what_lies_beyond_the_possible_is_replaced_by_what_may_be_true() {
        for (case, input, output, searches, expected) in [
            ("possible", 1_000, 500, 1, (1_000, 500, 1, false)),
            ("too much input", 1_001, 500, 0, (100, 500, 0, true)),
            ("too much output", 10, 501, 0, (10, 50, 0, true)),
            ("both", 999_999_999, 999_999_999, 0, (100, 50, 0, true)),
            ("searches without end", 10, 5, 1_001, (10, 5, 0, true)),
        ] {
            let mut native = Native::default();
            for (count, value) in [(Count::Input, input), (Count::Output, output), (Count::WebSearches, searches)] {
                native.set(count, Some(value));
            }
            native.set(Count::Reasoning, Some(output / 2));
            let reported = native.canonical(Contract::CacheIncluded).within(&MOST);
            let usage = reported.usage(Tokens::default, Tokens::default);
            let came = (usage.input_tokens.0, usage.output_tokens.0, usage.web_searches, reported.implausible);
            assert_eq!(came, expected, "{case}");
            assert!(usage.reasoning_tokens <= usage.output_tokens, "{case}");
        }
    }
}
