//! The one usage contract: what an answer cost in tokens, whoever reported it.
//!
//! Trade-off: providers differ in what includes what. Native fields are kept as they come (the last non-null value
//! wins) and made canonical once, at the end, so that a stream's corrections and repeats can't be summed.

use crate::units::Tokens;

/// Inclusive counts, as Envoy's own usage contract has them: cached and created tokens are part of the input,
/// reasoning tokens part of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: Tokens,
    pub output_tokens: Tokens,
    pub total_tokens: Tokens,
    pub cached_input_tokens: Tokens,
    pub cache_creation_input_tokens: Tokens,
    pub reasoning_tokens: Tokens,
}

/// Where the counts of an exchange come from; a label and a field of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageSource {
    Reported,
    Estimated,
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

/// OpenAI chat's own fields; `None` until a number came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenAiUsage {
    pub prompt: Option<u64>,
    pub completion: Option<u64>,
    pub total: Option<u64>,
    pub cached: Option<u64>,
    pub cache_write: Option<u64>,
    pub reasoning: Option<u64>,
}

/// More than any answer can hold: a larger count is a provider's mistake, and must not drain a budget.
const PLAUSIBLE: u64 = 1_000_000_000;

impl OpenAiUsage {
    /// `None` without both sums that a cost needs: a half-told usage is no usage, and is estimated instead.
    ///
    /// The output is what the total leaves beside the prompt when that is more than was called completion: some
    /// providers (xAI, Gemini's compatible endpoint) leave reasoning out of it, and it is billed as output.
    pub fn canonical(&self) -> Option<Usage> {
        let prompt = self.prompt?;
        let completion = self.completion.or_else(|| self.total?.checked_sub(prompt))?;
        let output = completion.max(self.total.unwrap_or(0).saturating_sub(prompt));
        if prompt > PLAUSIBLE || output > PLAUSIBLE {
            return None;
        }
        Some(Usage {
            input_tokens: Tokens(prompt),
            output_tokens: Tokens(output),
            total_tokens: Tokens(prompt.saturating_add(output)),
            cached_input_tokens: Tokens(self.cached.unwrap_or(0).min(prompt)),
            cache_creation_input_tokens: Tokens(
                self.cache_write.unwrap_or(0).min(prompt.saturating_sub(self.cached.unwrap_or(0))),
            ),
            reasoning_tokens: Tokens(self.reasoning.unwrap_or(0).min(output)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_left_out_of_the_completion_is_found_by_the_sum() {
        let native = OpenAiUsage {
            prompt: Some(10_120),
            completion: Some(1_499),
            total: Some(14_428),
            reasoning: Some(2_809),
            ..OpenAiUsage::default()
        };
        assert_eq!(native.canonical().map(|usage| usage.output_tokens), Some(Tokens(4_308)));
    }

    #[test]
    fn an_impossible_count_is_no_usage() {
        for (prompt, completion) in [(u64::MAX, 1), (1, u64::MAX), (1_000_000_001, 1)] {
            let native = OpenAiUsage { prompt: Some(prompt), completion: Some(completion), ..Default::default() };
            assert_eq!(native.canonical(), None);
        }
    }

    #[test]
    fn half_a_usage_is_none_and_parts_never_exceed_their_sum() {
        assert_eq!(OpenAiUsage { completion: Some(3), ..Default::default() }.canonical(), None);
        assert_eq!(OpenAiUsage { prompt: Some(3), ..Default::default() }.canonical(), None);
        let lie = OpenAiUsage {
            prompt: Some(5),
            completion: Some(1),
            cached: Some(9),
            cache_write: Some(9),
            reasoning: Some(9),
            ..Default::default()
        };
        let usage = lie.canonical().unwrap();
        assert_eq!((usage.cached_input_tokens, usage.cache_creation_input_tokens), (Tokens(5), Tokens(0)));
        assert_eq!(usage.reasoning_tokens, Tokens(1));
    }
}
