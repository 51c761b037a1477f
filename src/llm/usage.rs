//! The one usage contract: what an answer cost in tokens and items, whoever reported it.
//!
//! Providers differ in what includes what. Native counts are kept as they come (the last non-null value
//! wins) and made canonical once, at the end, so that a stream's corrections and repeats can't be summed.

mod native;
mod plausible;

pub use native::{Contract, Count, Native};
pub use plausible::{Believable, Most};

use super::kind::kinds;
use crate::json::Decimal;
use crate::json::object::{MemberName, name};
use crate::units::{NanoUsd, Tokens};

macro_rules! usage {
    (() parts: [$(($part:ident $(less $inner:ident)?, $side:ident, $($of_part:tt)*),)*] pieces: [$(($piece:ident, $price:ident, $key:ident, $rare:literal),)*]) => {
        /// Inclusive counts, as Envoy's own usage contract has them: cached and created tokens are part of the input,
        /// reasoning tokens part of the output, and so are those of sounds and pictures. Created tokens are those of every
        /// lifetime. Pieces are counted beside the tokens.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Usage {
            pub input_tokens: Tokens,
            pub output_tokens: Tokens,
            pub total_tokens: Tokens,
            $(pub $part: Tokens,)*
            $(pub $piece: u64,)*
        }

        impl Usage {
            /// All counts, each with its name.
            pub const fn named(&self) -> [(&'static str, u64); KINDS] {
                [
                    ("input_tokens", self.input_tokens.0),
                    ("output_tokens", self.output_tokens.0),
                    ("total_tokens", self.total_tokens.0),
                    $((stringify!($part), self.$part.0),)*
                    $((stringify!($piece), self.$piece),)*
                ]
            }

            /// Those that a record has. Written out, because each request's record goes through them.
            #[inline(always)]
            pub fn each_recorded(&self, mut write: impl FnMut(MemberName, u64)) {
                write(name!("input_tokens"), self.input_tokens.0);
                write(name!("output_tokens"), self.output_tokens.0);
                write(name!("total_tokens"), self.total_tokens.0);
                $(write(name!(stringify!($part)), self.$part.0);)*
                $(if !$rare || self.$piece > 0 {
                    write(name!(stringify!($piece)), self.$piece);
                })*
            }

            /// Of counts in the order of [`Self::named`]. Pieces at the end may be missing: an older filter knows fewer.
            pub fn from_counts(counts: &[u64]) -> Option<Self> {
                let mut counts = counts.iter().copied();
                let usage = Self {
                    input_tokens: Tokens(counts.next()?),
                    output_tokens: Tokens(counts.next()?),
                    total_tokens: Tokens(counts.next()?),
                    $($part: Tokens(counts.next()?),)*
                    $($piece: counts.next().unwrap_or(0),)*
                };
                counts.next().is_none().then_some(usage)
            }

            /// Two halves and what comes by the piece.
            const fn of(halves: Halves, items: &Self) -> Self {
                Self {
                    input_tokens: halves.input.input_tokens,
                    output_tokens: halves.output.output_tokens,
                    total_tokens: halves.input.input_tokens.plus(halves.output.output_tokens),
                    $($part: halves.$side.$part,)*
                    $($piece: items.$piece,)*
                }
            }
        }

        /// How many counts there are: those of the parts and pieces, the two sides and their sum.
        pub const KINDS: usize = 3 $(+ { let _ = stringify!($part); 1 })* $(+ { let _ = stringify!($piece); 1 })*;
    };
}
kinds!(usage());

#[derive(Clone, Copy)]
struct Halves {
    input: Usage,
    output: Usage,
}

impl Usage {
    /// The same, with no less of either side than this.
    #[must_use]
    pub fn at_least(self, input: Tokens, output: Tokens) -> Self {
        let (input_tokens, output_tokens) = (self.input_tokens.max(input), self.output_tokens.max(output));
        Self { input_tokens, output_tokens, total_tokens: input_tokens.plus(output_tokens), ..self }
    }
}

/// Where the counts of an exchange come from; a label and a field of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UsageSource {
    Reported,
    Estimated,
    #[default]
    None,
}

impl UsageSource {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}

/// A provider's counts as the contract has them; a half is missing where the provider didn't tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    input: Option<Usage>,
    output: Option<Usage>,
    items: Usage,
    /// Pictures, whether or not tokens were told beside them.
    drawn: u64,
    /// The provider's total is not the sum of its parts.
    pub mismatch: bool,
    /// More than the request could have come to was reported: what is here stands in its place.
    pub implausible: bool,
    /// It took rounds that read more than the body shows: a compaction, or another model's.
    pub rounds: bool,
}

impl Reported {
    /// Both halves: nothing is left to estimate.
    pub const fn is_whole(&self) -> bool {
        self.input.is_some() && self.output.is_some()
    }

    pub const fn is_nothing(&self) -> bool {
        self.input.is_none() && self.output.is_none()
    }

    pub const fn tells_input(&self) -> bool {
        self.input.is_some()
    }

    /// Something that is sold by the piece: what was seen to run or to be made.
    pub fn has_pieces(&self) -> bool {
        self.items != Usage::default()
    }

    /// Nothing else of it.
    #[must_use]
    pub fn pieces(self) -> Self {
        Self { items: self.items, drawn: self.drawn, ..Self::default() }
    }

    /// How often hosted tools were seen to run.
    pub const fn hosted_uses(&self) -> u64 {
        let Usage { web_searches, file_searches, container_sessions, .. } = self.items;
        web_searches.saturating_add(file_searches).saturating_add(container_sessions)
    }

    /// The same where pictures are sold by the piece, whatever tokens they are told to have: that is the price's affair.
    #[must_use]
    pub fn drawn_by_the_piece(self) -> Self {
        Self { items: Usage { images: self.items.images.max(self.drawn), ..self.items }, ..self }
    }

    /// The input reported so far, and so much more that is read by its end; together no more than `most`, if the report isn't.
    #[must_use]
    pub fn reading(self, more: Tokens, most: Tokens) -> Self {
        let read = |input: Usage| {
            let tokens = input.input_tokens.plus(more).min(most).max(input.input_tokens);
            Usage { input_tokens: tokens, ..input }
        };
        Self { input: self.input.map(read), ..self }
    }

    /// The output reported so far, and what came since.
    #[must_use]
    pub fn growing_by(self, tokens: Tokens) -> Self {
        let grown = |output: Usage| Usage { output_tokens: output.output_tokens.plus(tokens), ..output };
        Self { output: self.output.map(grown), ..self }
    }

    /// Not even an output of nothing, but where there never is one.
    pub fn says_nothing(&self, contract: Contract) -> bool {
        self.input.is_none() && (self.output.is_none() || contract == Contract::InputOnly)
    }

    /// A count of nothing beside text that came says that the text was not counted; and an input of nothing beside it, neither.
    pub fn doubt_beside_text(&mut self, bytes: u64) {
        let by_the_second = self.items.audio_seconds > 0;
        let counted = by_the_second || self.output.is_none_or(|output| output.output_tokens > Tokens(0));
        if bytes > 0 && !counted {
            self.input = self.input.filter(|input| input.input_tokens > Tokens(0));
            self.output = None;
            self.mismatch = false;
        }
    }

    /// The usage, with an estimate in the place of a half that was not reported.
    pub fn usage(&self, input: impl FnOnce() -> Tokens, output: impl FnOnce() -> Tokens) -> Usage {
        self.or_else(
            || Usage { input_tokens: input(), ..Usage::default() },
            || Usage { output_tokens: output(), ..Usage::default() },
        )
    }

    /// The same, where an estimate has parts.
    pub fn or_else(&self, input: impl FnOnce() -> Usage, output: impl FnOnce() -> Usage) -> Usage {
        let (input, output) = (self.input.unwrap_or_else(input), self.output.unwrap_or_else(output));
        Usage::of(Halves { input, output }, &self.items)
    }
}

/// What a provider says its answer cost, in USD: exact, rounded up to nano-USD. `None` if it can't be held exactly.
pub fn reported_usd(Decimal { significand, places }: Decimal) -> Option<NanoUsd> {
    if significand == u64::MAX {
        return None;
    }
    let nano = u128::from(significand).saturating_mul(1_000_000_000);
    let scale = u32::try_from(places).ok().and_then(|places| 10_u128.checked_pow(places));
    // What has more places than that is less than a nano.
    let nano = scale.map_or(1, |scale| nano.div_ceil(scale));
    u64::try_from(nano).ok().map(NanoUsd)
}

#[cfg(test)]
mod tests;
