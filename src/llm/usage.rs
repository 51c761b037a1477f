//! The one usage contract: what an answer cost in tokens and items, whoever reported it.
//!
//! Trade-off: providers differ in what includes what. Native counts are kept as they come (the last non-null value
//! wins) and made canonical once, at the end, so that a stream's corrections and repeats can't be summed.

mod plausible;

pub use plausible::{Most, Side};

use super::kind::kinds;
use crate::json::Decimal;
use crate::json::object::{Name, name};
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
            pub fn each_recorded(&self, mut write: impl FnMut(Name, u64)) {
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

/// A count as its provider names it; [`Native`] has a place for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Input,
    Output,
    Total,
    /// The input as it adds up over the items of an answer (Vertex).
    EachInput,
    /// What is billed, where that differs from what was counted (Cohere).
    BilledInput,
    BilledOutput,
    Cached,
    CacheCreation,
    CacheCreation5m,
    CacheCreation1h,
    Reasoning,
    /// Input that a provider counts beside the prompt (Gemini's tool use).
    ToolUseInput,
    AudioInput,
    ImageInput,
    AudioOutput,
    ImageOutput,
    Images,
    /// Pictures in an answer, which are sold by the piece where no tokens are reported.
    MadeImages,
    SearchUnits,
    WebSearches,
    FileSearches,
    ContainerSessions,
    AudioSeconds,
    /// Searches as they are seen one by one; a reported sum counts, if it is larger.
    SearchCalls,
    /// What a model that works inside of a tool used, beside the answer's own counts (OpenAI's `tool_usage`).
    ToolInput,
    ToolOutput,
    ToolImageOutput,
    /// Searches of another kind, beside the first; and those of files, as they are told and not seen one by one.
    OtherSearches,
    ToldFileSearches,
}

const COUNTS: usize = Count::ToldFileSearches as usize + 1;

/// What includes what in a provider's own counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// OpenAI and all that copy it: caches are part of the input. Output that the total holds and the completion does
    /// not is hidden reasoning (xAI, Gemini's compatible endpoint), and is billed as output.
    CacheIncluded,
    /// Anthropic, Bedrock: the input is what was neither read from nor written to a cache.
    CacheBeside,
    /// Gemini: the same as the first for caches; thoughts stand beside the candidates unless the total says otherwise.
    ThoughtsBeside,
    /// Embeddings, rerankings: there is no output, and a total alone is the input.
    InputOnly,
}

/// The provider's own counts, `None` until one came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Native {
    counts: [Option<u64>; COUNTS],
}

/// A provider's counts as the contract has them; a half is missing where the provider didn't tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    input: Option<Usage>,
    output: Option<Usage>,
    items: Usage,
    /// The provider's total is not the sum of its parts.
    pub mismatch: bool,
    /// More than the request could have come to was reported: what is here stands in its place.
    pub implausible: bool,
    /// It took rounds that read more than the body shows: a compaction, or another model's.
    pub rounds: bool,
}

/// More than any answer can hold: a larger count is a provider's mistake, and must not drain a budget.
const PLAUSIBLE: u64 = 1_000_000_000;

impl Native {
    pub fn get(&self, count: Count) -> Option<u64> {
        self.counts.get(count as usize).copied().flatten()
    }

    pub fn set(&mut self, count: Count, value: Option<u64>) {
        if let Some(slot) = self.counts.get_mut(count as usize) {
            *slot = value;
        }
    }

    /// So many more, of what adds up as it comes.
    pub fn add(&mut self, count: Count, more: u64) {
        self.set(count, Some(self.or_zero(count).saturating_add(more)));
    }

    /// What adds up is only known at an answer's end, and so is whether it is what is charged.
    pub fn forget_sums(&mut self) {
        self.set(Count::EachInput, None);
        self.set(Count::MadeImages, None);
    }

    fn or_zero(&self, count: Count) -> u64 {
        self.get(count).unwrap_or(0)
    }

    pub fn canonical(&self, contract: Contract) -> Reported {
        if self.counts.iter().any(|count| count.is_some_and(|count| count > PLAUSIBLE)) {
            return Reported { implausible: true, ..Reported::default() };
        }
        let by_tokens = self.get(Count::Input).or(self.get(Count::Output)).is_some();
        let made = self.get(Count::MadeImages).filter(|_| !by_tokens);
        let images = self.get(Count::Images).or(made);
        let items = Usage {
            images: images.unwrap_or(0),
            search_units: self.or_zero(Count::SearchUnits),
            web_searches: self
                .or_zero(Count::WebSearches)
                .saturating_add(self.or_zero(Count::OtherSearches))
                .max(self.or_zero(Count::SearchCalls)),
            file_searches: self.or_zero(Count::FileSearches).max(self.or_zero(Count::ToldFileSearches)),
            container_sessions: self.or_zero(Count::ContainerSessions),
            audio_seconds: self.or_zero(Count::AudioSeconds),
            ..Usage::default()
        };
        // What is sold by the piece needs no tokens.
        let some = |pieces: Option<u64>| pieces.filter(|pieces| *pieces > 0);
        let by_the_piece =
            some(images).or(some(self.get(Count::SearchUnits))).or(self.get(Count::AudioSeconds)).map(|_| 0);
        let reported = self.get(Count::BilledInput).or(self.get(Count::Input));
        let mut input = reported.or(self.get(Count::EachInput));
        let mut output = self.get(Count::BilledOutput).or(self.get(Count::Output));
        let total = self.get(Count::Total).filter(|_| self.get(Count::BilledInput).is_none());
        if contract == Contract::InputOnly {
            // Some tell a total alone, or a prompt of nothing beside it (Jina).
            input = input.filter(|input| *input > 0).or(total).or(input);
            output = output.or(Some(0));
        }
        let cached = self.or_zero(Count::Cached);
        let created_1h = self.or_zero(Count::CacheCreation1h);
        let created = self.get(Count::CacheCreation);
        let created = created.unwrap_or(0).max(self.or_zero(Count::CacheCreation5m).saturating_add(created_1h));
        let input = input.or(by_the_piece).map(|input| match contract {
            Contract::CacheBeside => input.saturating_add(cached).saturating_add(created),
            Contract::ThoughtsBeside => {
                let input = input.saturating_add(self.or_zero(Count::ToolUseInput));
                if cached > input { input.saturating_add(cached) } else { input }
            }
            Contract::CacheIncluded => self.with_caches(input, output, total, cached.saturating_add(created)),
            Contract::InputOnly => input,
        });
        let reasoning = self.or_zero(Count::Reasoning);
        let Sum { output, mismatch } = self.output(contract, input, output, total, reasoning);
        let output = output.or(by_the_piece);
        // No answer comes from a prompt of nothing: that count is a place holder.
        let may_be_nothing = by_the_piece.is_some() || (contract != Contract::InputOnly && output.unwrap_or(0) == 0);
        let input = input.filter(|input| *input > 0 || may_be_nothing);
        let (input, output) = (
            input.map(|input| input.saturating_add(self.or_zero(Count::ToolInput))),
            output.map(|output| output.saturating_add(self.or_zero(Count::ToolOutput))),
        );
        Reported {
            input: input.map(|input| self.input_of(input, cached, created)),
            output: output.map(|output| self.output_of(output)),
            items,
            mismatch,
            implausible: false,
            rounds: false,
        }
    }

    /// What a cache held is a part of the input, unless it is more, or the total says that it stands beside it (relays that
    /// pass Anthropic's counts on under OpenAI's names).
    fn with_caches(&self, input: u64, output: Option<u64>, total: Option<u64>, caches: u64) -> u64 {
        let beside = input.saturating_add(caches);
        let sum = |input: u64| Some(input.saturating_add(output.unwrap_or(0)));
        let in_total = || output.is_some_and(|output| output > 0) && total == sum(beside);
        if caches > input
            || (caches > 0 && self.get(Count::Reasoning).is_none_or(|reasoning| reasoning == 0) && in_total())
        {
            beside
        } else {
            input
        }
    }

    /// The output, held against the total.
    fn output(
        &self,
        contract: Contract,
        input: Option<u64>,
        reported: Option<u64>,
        total: Option<u64>,
        reasoning: u64,
    ) -> Sum {
        let rest = input.and_then(|input| total?.checked_sub(input));
        match (contract, reported, rest) {
            (Contract::InputOnly, reported, rest) => {
                Sum { output: reported, mismatch: input.is_some() && total.is_some() && rest != reported }
            }
            (_, _, None) => {
                let is_beside = match contract {
                    Contract::ThoughtsBeside => true,
                    Contract::CacheIncluded => reported.is_some_and(|reported| reasoning > reported),
                    Contract::CacheBeside | Contract::InputOnly => false,
                };
                let beside = if is_beside { reasoning } else { 0 };
                // A total below the input is a mismatch; no total, or no input to hold it against, is none.
                let mismatch = input.is_some() && total.is_some();
                Sum { output: reported.map(|reported| reported.saturating_add(beside)), mismatch }
            }
            // Bedrock's total has been seen with and without the cached tokens.
            (Contract::CacheBeside, Some(reported), Some(rest)) => {
                let bare = self.or_zero(Count::Input).saturating_add(reported);
                Sum { output: Some(reported), mismatch: rest != reported && total != Some(bare) }
            }
            (Contract::CacheBeside, None, _) => Sum { output: None, mismatch: false },
            (Contract::CacheIncluded, None | Some(0), Some(rest)) => Sum { output: Some(rest), mismatch: false },
            // More reasoning than output is no part of it, whatever the total leaves out (Perplexity).
            (Contract::CacheIncluded, Some(reported), Some(rest)) if reasoning > reported.max(rest) => {
                Sum { output: Some(reported.saturating_add(reasoning)), mismatch: rest != reported }
            }
            (Contract::CacheIncluded, Some(reported), Some(rest)) => {
                let explained = rest == reported || rest == reported.saturating_add(reasoning);
                Sum { output: Some(reported.max(rest)), mismatch: !explained }
            }
            // A refused prompt has no candidates, and no count of them.
            (Contract::ThoughtsBeside, None, Some(rest)) if reasoning == 0 => {
                Sum { output: Some(rest), mismatch: false }
            }
            (Contract::ThoughtsBeside, reported, Some(rest)) => {
                let reported = reported.unwrap_or(0);
                let beside = reported.saturating_add(reasoning);
                Sum {
                    output: Some(if rest == reported { reported } else { beside }),
                    mismatch: rest != reported && rest != beside,
                }
            }
        }
    }

    fn input_of(&self, input: u64, cached: u64, created: u64) -> Usage {
        // Sounds and pictures may have been cached too: they overlap, and only the price must take them apart.
        let part = |count: u64| Tokens(count.min(input));
        let cached_input_tokens = part(cached);
        let created = Tokens(created.min(input.saturating_sub(cached_input_tokens.0)));
        Usage {
            input_tokens: Tokens(input),
            cached_input_tokens,
            cache_creation_input_tokens: created,
            cache_creation_1h_input_tokens: Tokens(self.or_zero(Count::CacheCreation1h)).min(created),
            audio_input_tokens: part(self.or_zero(Count::AudioInput)),
            image_input_tokens: part(self.or_zero(Count::ImageInput)),
            ..Usage::default()
        }
    }

    fn output_of(&self, output: u64) -> Usage {
        let part = |count: Count| Tokens(self.or_zero(count).min(output));
        Usage {
            output_tokens: Tokens(output),
            reasoning_tokens: part(Count::Reasoning),
            audio_output_tokens: part(Count::AudioOutput),
            image_output_tokens: part(Count::ImageOutput).plus(part(Count::ToolImageOutput)).min(Tokens(output)),
            ..Usage::default()
        }
    }
}

struct Sum {
    output: Option<u64>,
    mismatch: bool,
}

impl Reported {
    /// Both halves: nothing is left to estimate.
    pub const fn is_whole(&self) -> bool {
        self.input.is_some() && self.output.is_some()
    }

    pub const fn is_nothing(&self) -> bool {
        self.input.is_none() && self.output.is_none()
    }

    /// How often hosted tools were seen to run.
    pub const fn hosted_uses(&self) -> u64 {
        let Usage { web_searches, file_searches, container_sessions, .. } = self.items;
        web_searches.saturating_add(file_searches).saturating_add(container_sessions)
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
        let input = self.input.unwrap_or_else(|| Usage { input_tokens: input(), ..Usage::default() });
        let output = self.output.unwrap_or_else(|| Usage { output_tokens: output(), ..Usage::default() });
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
mod tests {
    use super::*;

    fn native(counts: &[(Count, u64)]) -> Native {
        let mut native = Native::default();
        for (count, value) in counts {
            native.set(*count, Some(*value));
        }
        native
    }

    /// Input, output and whether the sums disagree; nothing if a half is missing.
    fn sums(contract: Contract, counts: &[(Count, u64)]) -> Option<(u64, u64, bool)> {
        let reported = native(counts).canonical(contract);
        let usage = reported.usage(Tokens::default, Tokens::default);
        reported.is_whole().then_some((usage.input_tokens.0, usage.output_tokens.0, reported.mismatch))
    }

    #[test]
    fn reasoning_left_out_of_the_completion_is_found_by_the_sum() {
        use Count::{Input, Output, Reasoning, Total};
        let sums = |counts: &[_]| sums(Contract::CacheIncluded, counts);
        let xai = [(Input, 10_120), (Output, 1_499), (Total, 14_428), (Reasoning, 2_809)];
        assert_eq!(sums(&xai), Some((10_120, 4_308, false)));
        assert_eq!(sums(&[(Input, 7), (Output, 0), (Total, 8)]), Some((7, 1, false)));
        assert_eq!(sums(&[(Input, 7), (Total, 9)]), Some((7, 2, false)));
        assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 402)]), Some((7, 395, true)));
        assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 15)]), Some((7, 12, true)));
        assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 3)]), Some((7, 12, true)));
    }

    #[test]
    fn caches_beside_the_input_are_added_to_it() {
        use Count::{CacheCreation, CacheCreation1h, CacheCreation5m, Cached, Input, Output, Total};
        let counts = [(Input, 16), (Output, 9), (Total, 2_412), (CacheCreation, 2_387)];
        assert_eq!(sums(Contract::CacheBeside, &counts), Some((2_403, 9, false)));
        let counts = [(Input, 5), (Output, 1), (Cached, 10), (CacheCreation5m, 20), (CacheCreation1h, 30)];
        let usage = native(&counts).canonical(Contract::CacheBeside).usage(Tokens::default, Tokens::default);
        assert_eq!((usage.input_tokens, usage.cached_input_tokens), (Tokens(65), Tokens(10)));
        let created = (usage.cache_creation_input_tokens, usage.cache_creation_1h_input_tokens);
        assert_eq!(created, (Tokens(50), Tokens(30)));
    }

    #[test]
    fn thoughts_stand_beside_the_candidates_unless_the_total_says_otherwise() {
        use Count::{Input, Output, Reasoning, ToolUseInput, Total};
        let sums = |counts: &[_]| sums(Contract::ThoughtsBeside, counts);
        assert_eq!(sums(&[(Input, 10), (Output, 12), (Reasoning, 5), (Total, 27)]), Some((10, 17, false)));
        assert_eq!(sums(&[(Input, 10), (Output, 12), (Reasoning, 5), (Total, 22)]), Some((10, 12, false)));
        assert_eq!(sums(&[(Input, 10), (ToolUseInput, 3), (Output, 12), (Total, 25)]), Some((13, 12, false)));
        assert_eq!(sums(&[(Input, 10), (Total, 10)]), Some((10, 0, false)));
        assert_eq!(sums(&[(Input, 10), (Output, 1), (Total, 99)]), Some((10, 1, true)));
    }

    #[test]
    fn what_has_no_output_or_is_sold_by_the_piece_is_whole_without_it() {
        assert_eq!(sums(Contract::InputOnly, &[(Count::Total, 8)]), Some((8, 0, false)));
        assert_eq!(sums(Contract::InputOnly, &[(Count::SearchUnits, 1)]), Some((0, 0, false)));
        assert_eq!(sums(Contract::InputOnly, &[]), None);
        assert_eq!(sums(Contract::CacheIncluded, &[(Count::Images, 2)]), Some((0, 0, false)));
    }

    #[test]
    fn an_impossible_count_is_no_usage() {
        for (prompt, completion) in [(u64::MAX, 1), (1, u64::MAX), (1_000_000_001, 1)] {
            let counts = [(Count::Input, prompt), (Count::Output, completion)];
            assert_eq!(sums(Contract::CacheIncluded, &counts), None);
        }
    }

    #[test]
    fn a_half_that_is_reported_is_kept_and_parts_never_exceed_their_sum() {
        let half = native(&[(Count::Output, 3)]).canonical(Contract::CacheIncluded);
        let usage = half.usage(|| Tokens(9), || Tokens(99));
        assert_eq!((half.is_whole(), usage.input_tokens, usage.output_tokens), (false, Tokens(9), Tokens(3)));
        let lie = native(&[
            (Count::Input, 5),
            (Count::Output, 1),
            (Count::Cached, 9),
            (Count::CacheCreation, 9),
            (Count::Reasoning, 9),
        ]);
        let usage = lie.canonical(Contract::CacheIncluded).usage(Tokens::default, Tokens::default);
        // More in a cache than was put in stands beside it.
        assert_eq!((usage.cached_input_tokens, usage.cache_creation_input_tokens), (Tokens(9), Tokens(9)));
        assert_eq!(usage.input_tokens, Tokens(23));
        // More reasoning than output is no part of it.
        assert_eq!((usage.reasoning_tokens, usage.output_tokens), (Tokens(9), Tokens(10)));
        let lie = native(&[(Count::Input, 5), (Count::Output, 1), (Count::AudioOutput, 9)]);
        let usage = lie.canonical(Contract::CacheIncluded).usage(Tokens::default, Tokens::default);
        assert_eq!(usage.audio_output_tokens, Tokens(1));
    }

    #[test]
    fn a_reported_cost_is_read_to_the_nano_and_rounded_up() {
        let usd = |significand, places| reported_usd(Decimal { significand, places });
        assert_eq!(usd(95, 2), Some(NanoUsd(950_000_000)));
        assert_eq!(usd(14_999_999_999_999_999, 20), Some(NanoUsd(150_000)));
        assert_eq!(usd(1, 200), Some(NanoUsd(1)));
        assert_eq!(usd(u64::MAX, 3), None);
    }
}
