//! How models do, for the comparison with their week before: why answers end, how long they take by the size of their prompts,
//! and whether the arguments of their calls hold.
//!
//! Trade-off: nobody needs these at once, so a worker may add them up for a while; an exchange then costs no host call for them.

use super::Record;
use crate::llm::meter::Finish;
use crate::llm::usage::UsageSource;
use crate::outcome::Outcome;
use crate::units::Tokens;

/// How large a prompt was, in tokens. Few sizes: each is a series for each model of each provider, and Envoy forgets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromptSize {
    Under1k,
    Under8k,
    Under32k,
    Under128k,
    Over128k,
}

impl PromptSize {
    const fn of(Tokens(tokens): Tokens) -> Self {
        match tokens {
            0..1_000 => Self::Under1k,
            1_000..8_000 => Self::Under8k,
            8_000..32_000 => Self::Under32k,
            32_000..128_000 => Self::Under128k,
            _ => Self::Over128k,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Under1k => "under_1k",
            Self::Under8k => "under_8k",
            Self::Under32k => "under_32k",
            Self::Under128k => "under_128k",
            Self::Over128k => "over_128k",
        }
    }
}

/// Exchanges that count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alike {
    pub(super) finish: Option<Finish>,
    pub(super) prompt: PromptSize,
}

/// What they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub(super) answers: u64,
    pub(super) duration_ms: u64,
    pub(super) streams: u64,
    pub(super) first_token_ms: u64,
    /// Calls of tools whose arguments were held against a schema.
    pub(super) valid: u64,
    pub(super) invalid: u64,
}

impl Sums {
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.answers, other.answers),
            (&mut self.duration_ms, other.duration_ms),
            (&mut self.streams, other.streams),
            (&mut self.first_token_ms, other.first_token_ms),
            (&mut self.valid, other.valid),
            (&mut self.invalid, other.invalid),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What a record says of its model, if anything: a whole answer, or calls that were looked at.
pub(super) fn shown(record: &Record) -> Option<(Alike, Sums)> {
    let calls = record.tools.as_deref().map(|seen| seen.arguments).unwrap_or_default();
    // What is still to come has no usage, and is no answer yet.
    let is_whole = record.outcome == Outcome::Success && record.bill.usage_source != UsageSource::None;
    if !is_whole && calls.valid == 0 && calls.invalid == 0 {
        return None;
    }
    let mut sums = Sums { valid: calls.valid, invalid: calls.invalid, ..Sums::default() };
    if is_whole {
        (sums.answers, sums.duration_ms) = (1, record.duration_ms);
    }
    if let Some(first) = record.first_token_ms.filter(|_| is_whole && record.stream) {
        (sums.streams, sums.first_token_ms) = (1, first);
    }
    Some((Alike { finish: record.finish, prompt: PromptSize::of(record.bill.usage.input_tokens) }, sums))
}
