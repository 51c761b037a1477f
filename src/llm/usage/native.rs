//! A provider's own counts, and what they come to by what its API includes in what.

use super::{Reported, Usage};
use crate::units::Tokens;

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
    /// Searches of another kind, beside the first; and those of files, and runs of code, as they are told and not seen one
    /// by one.
    OtherSearches,
    ToldFileSearches,
    ToldCodeCalls,
    /// The same pictures under another name; and as many as were told to have come out.
    AlsoMadeImages,
    ToldImages,
    /// By the names of another API, caches and all: they count where the API's own are missing.
    WholeInput,
    WholeOutput,
}

const COUNTS: usize = Count::WholeOutput as usize + 1;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native {
    counts: [Option<u64>; COUNTS],
}

impl Default for Native {
    fn default() -> Self {
        Self { counts: [None; COUNTS] }
    }
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
        self.set(Count::AlsoMadeImages, None);
        self.set(Count::ToldImages, None);
    }

    fn or_zero(&self, count: Count) -> u64 {
        self.get(count).unwrap_or(0)
    }

    pub fn canonical(&self, contract: Contract) -> Reported {
        if self.counts.iter().any(|count| count.is_some_and(|count| count > PLAUSIBLE)) {
            return Reported { implausible: true, ..Reported::default() };
        }
        // A picture that is sold by its tokens has some; a count of nothing, or of the prompt alone, is not its price.
        let by_tokens = self.or_zero(Count::Output) > 0;
        let told = self.get(Count::ToldImages).filter(|told| *told > 0);
        let drawn = told.or(self.get(Count::MadeImages).max(self.get(Count::AlsoMadeImages)));
        let made = drawn.filter(|_| !by_tokens);
        // Embedded, or drawn by a tool whose tokens nobody tells.
        let told = self.get(Count::Images);
        let by_a_tool = told.filter(|_| contract != Contract::InputOnly && self.get(Count::ToolOutput).is_none());
        let images = told.filter(|_| contract == Contract::InputOnly).or(made);
        let items = Usage {
            images: images.or(by_a_tool).unwrap_or(0),
            search_units: self.or_zero(Count::SearchUnits),
            web_searches: self
                .or_zero(Count::WebSearches)
                .saturating_add(self.or_zero(Count::OtherSearches))
                .max(self.or_zero(Count::SearchCalls)),
            file_searches: self.or_zero(Count::FileSearches).max(self.or_zero(Count::ToldFileSearches)),
            container_sessions: self.or_zero(Count::ContainerSessions).max(self.or_zero(Count::ToldCodeCalls)),
            audio_seconds: self.or_zero(Count::AudioSeconds),
            ..Usage::default()
        };
        // What is sold by the piece needs no tokens.
        let some = |pieces: Option<u64>| pieces.filter(|pieces| *pieces > 0);
        let by_the_piece =
            some(images).or(some(self.get(Count::SearchUnits))).or(self.get(Count::AudioSeconds)).map(|_| 0);
        let reported = self.get(Count::BilledInput).or(self.get(Count::Input));
        let bare = |whole: u64| {
            let caches = self.or_zero(Count::Cached).saturating_add(self.or_zero(Count::CacheCreation));
            whole.saturating_sub(caches)
        };
        let mut input = reported.or(self.get(Count::EachInput)).or(self.get(Count::WholeInput).map(bare));
        let mut output = self.get(Count::BilledOutput).or(self.get(Count::Output)).or(self.get(Count::WholeOutput));
        let total = self.get(Count::Total).filter(|_| self.get(Count::BilledInput).is_none());
        if contract == Contract::InputOnly {
            // Some tell a total alone, or beside a prompt of nothing (Jina), or of the text without its pictures.
            input = input.max(total);
            output = output.or(Some(0));
        }
        // Where more was cached than billed, that was the provider's own prompt, which is never billed (Cohere).
        let billed = self.get(Count::BilledInput);
        let cached =
            self.get(Count::Cached).filter(|cached| billed.is_none_or(|billed| *cached <= billed)).unwrap_or(0);
        let created_1h = self.or_zero(Count::CacheCreation1h);
        let created = self.get(Count::CacheCreation);
        let created = created.unwrap_or(0).max(self.or_zero(Count::CacheCreation5m).saturating_add(created_1h));
        // A picture of ByteDance's, which is sold by the piece, has no input: the total says so.
        let by_the_piece = by_the_piece.or((drawn.is_some() && total.is_some() && total == output).then_some(0));
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
        let is_something = |input: &u64| *input > 0 || by_the_piece.is_some() || self.get(Count::Images) == Some(0);
        // A count of nothing beside it says as little.
        let output = output.filter(|output| {
            *output > 0 || contract == Contract::InputOnly || input.as_ref().is_some_and(is_something)
        });
        let input = input.filter(is_something);
        let (input, output) = (
            input.map(|input| input.saturating_add(self.or_zero(Count::ToolInput))),
            output.map(|output| output.saturating_add(self.or_zero(Count::ToolOutput))),
        );
        Reported {
            input: input.map(|input| self.input_of(input, cached, created)),
            output: output.map(|output| self.output_of(output)),
            items,
            drawn: drawn.unwrap_or(0),
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
