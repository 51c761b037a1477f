//! What answers that report their usage teach about those that don't.

use super::Sizes;
use super::density::{Lesson, Measured};
use crate::llm::meter::Generated;
use crate::llm::usage::Usage;
use crate::units::Tokens;

/// What an answer that reported its usage teaches about the next that doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experience {
    pub lesson: Lesson,
    /// What would have been charged for, had it reported nothing, against what it reported.
    pub input: Compared,
    pub output: Compared,
}

/// An estimate held against what was reported; sums of many are the estimates' error, signed and not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub estimated: Tokens,
    pub reported: Tokens,
    pub off_by: Tokens,
}

impl Compared {
    const fn of(estimated: Tokens, reported: Tokens) -> Self {
        Self { estimated, reported, off_by: Tokens(estimated.0.abs_diff(reported.0)) }
    }

    pub const fn add(&mut self, more: Self) {
        self.estimated = self.estimated.plus(more.estimated);
        self.reported = self.reported.plus(more.reported);
        self.off_by = self.off_by.plus(more.off_by);
    }
}

impl Experience {
    /// Only texts teach: pictures and sounds have no bytes to measure their tokens by.
    pub fn of(
        sizes: &Sizes,
        generated: Generated,
        in_one_piece: bool,
        shown: Tokens,
        likely_input: Tokens,
        usage: &Usage,
        nanos: u64,
    ) -> Option<Self> {
        let Generated::Text { text, body } = generated else { return None };
        let spoken = usage.audio_output_tokens.plus(usage.image_output_tokens);
        if sizes.attachments > 0 || spoken > Tokens(0) {
            return None;
        }
        let input = Measured { bytes: sizes.text_bytes(), tokens: usage.input_tokens.0 };
        let output = Measured { bytes: text, tokens: usage.output_tokens.0 };
        let frame = Measured { bytes: body.saturating_sub(text), tokens: 1 };
        let frame = if in_one_piece { frame } else { Measured::default() };
        let pace = Measured { bytes: usage.output_tokens.0, tokens: (nanos / 1_000_000).max(1) };
        let shown = if usage.output_tokens == Tokens(0) { Tokens(0) } else { shown };
        Some(Self {
            lesson: Lesson { input, output, frame, pace },
            input: Compared::of(likely_input, usage.input_tokens),
            output: Compared::of(shown, usage.output_tokens),
        })
    }
}
