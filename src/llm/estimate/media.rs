//! What pictures, sounds, videos and documents are taken for in tokens, where a body holds them.
//!
//! None of them is looked into. Each has a figure that a reservation is made with, which an honest one stays below,
//! and one that is likely, for an answer that reports nothing. A report is believed all the same as far as the model reads.

use crate::units::Tokens;

/// What something comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub most: Tokens,
    pub likely: Tokens,
}

impl Taken {
    const fn of(most: u64, likely: u64) -> Self {
        Self { most: Tokens(most), likely: Tokens(likely) }
    }

    pub const fn plus(self, other: Self) -> Self {
        Self { most: self.most.plus(other.most), likely: self.likely.plus(other.likely) }
    }

    pub const fn times(self, count: u64) -> Self {
        Self { most: self.most.times(count), likely: self.likely.times(count) }
    }
}

/// A picture of any size, by what a model's name has in it: the first that matches. Sources: OpenAI's guide to images (a base and
/// eight tiles of 512 pixels, or 1,536 patches of 32 pixels by a factor; 10,000 patches where a model takes the original),
/// Anthropic's (1,568 pixels of edge, 2,576 since Opus 4.7, in patches of 28), Google's (258 a tile of 768 pixels, of 3,072 at
/// the most; by resolution since Gemini 3), and the sizes that open models' own processors scale to.
static PICTURES: [(&str, Taken); 27] = [
    // 2,833 and 5,667 a tile: as dear as a picture of its larger sibling.
    ("gpt-4o-mini", Taken::of(48_169, 25_501)),
    ("gpt-4.1-mini", Taken::of(2_489, 1_659)),
    ("gpt-4.1-nano", Taken::of(3_779, 2_519)),
    ("gpt-5-mini", Taken::of(2_489, 1_659)),
    ("gpt-5-nano", Taken::of(3_779, 2_519)),
    ("o4-mini", Taken::of(2_642, 1_761)),
    ("codex-mini", Taken::of(2_642, 1_761)),
    ("gpt-4", Taken::of(1_536, 765)),
    ("chatgpt-4o", Taken::of(1_536, 765)),
    ("gpt-5-chat", Taken::of(1_536, 630)),
    ("gpt-5.", Taken::of(12_000, 1_843)),
    ("gpt-5", Taken::of(1_536, 630)),
    ("gpt-image", Taken::of(7_024, 1_024)),
    ("gpt-", Taken::of(12_000, 1_843)),
    ("o1", Taken::of(1_536, 675)),
    ("o3", Taken::of(1_536, 675)),
    ("computer-use", Taken::of(1_536, 581)),
    ("claude", Taken::of(5_500, 1_600)),
    ("gemini-3", Taken::of(4_128, 1_120)),
    ("gemini", Taken::of(4_128, 1_032)),
    ("nova", Taken::of(4_800, 1_300)),
    ("grok", Taken::of(1_792, 1_792)),
    ("pixtral", Taken::of(4_160, 1_600)),
    ("mistral", Taken::of(4_160, 1_600)),
    ("magistral", Taken::of(4_160, 1_600)),
    ("qwen", Taken::of(16_386, 1_600)),
    ("llama", Taken::of(6_516, 1_600)),
];
/// Of a model that nothing is known of.
const PICTURE: Taken = Taken::of(5_500, 1_600);

/// A picture for this model, as its provider calls it.
pub fn picture(model: &str) -> Taken {
    PICTURES.iter().find(|(name, _)| model.contains(name)).map_or(PICTURE, |(_, taken)| *taken)
}

/// Bytes of base64 that hold one byte.
const fn decoded(base64: u64) -> u64 {
    base64.saturating_mul(3).div_ceil(4)
}

/// A sound, in bytes. A second of speech takes a thousand of them in the smallest files, eight thousand in common ones; Gemini
/// counts 32 tokens for it, OpenAI ten.
pub const fn sound(bytes: u64) -> Taken {
    Taken::of(bytes.saturating_mul(32).div_ceil(1_000), bytes.saturating_mul(32).div_ceil(8_000))
}

/// The same where OpenAI transcribes it.
pub const fn speech(bytes: u64) -> Taken {
    Taken::of(bytes.saturating_mul(10).div_ceil(1_000), bytes.saturating_mul(10).div_ceil(8_000))
}

pub const fn inline_sound(base64: u64) -> Taken {
    sound(decoded(base64))
}

/// Gemini counts up to 300 tokens for a second, with its sound. A picture that stands still takes a thousand bytes for it, a
/// camera's a hundred thousand.
pub const fn inline_video(base64: u64) -> Taken {
    let bytes = decoded(base64);
    Taken::of(bytes.saturating_mul(300).div_ceil(1_000), bytes.saturating_mul(300).div_ceil(50_000))
}

/// A page of a PDF is text and a picture of it, some 3,000 tokens in four thousand bytes where it is packed well. It is never less
/// than text of its size, and never less than a page.
pub const fn inline_document(base64: u64) -> Taken {
    Taken::of(base64.saturating_add(3_072), base64.div_ceil(4).saturating_add(768))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_costs_what_its_model_makes_of_it() {
        for (model, most) in [
            ("gpt-4o-mini", 48_169),
            ("openai/gpt-4o-mini-2024-07-18", 48_169),
            ("gpt-4o-2024-11-20", 1_536),
            ("gpt-4.1", 1_536),
            ("gpt-4.1-nano", 3_779),
            ("gpt-5", 1_536),
            ("gpt-5-mini-2025-08-07", 2_489),
            ("gpt-5.4-mini", 12_000),
            ("gpt-6", 12_000),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", 5_500),
            ("gemini-2.5-flash", 4_128),
            ("anything-else", 5_500),
        ] {
            assert_eq!(picture(model).most, Tokens(most), "{model}");
        }
    }

    /// A name that stands behind one it has in it would never be found.
    #[test]
    fn every_row_of_the_table_can_be_reached_and_is_likely_less_than_at_most() {
        for (at, (name, taken)) in PICTURES.iter().enumerate() {
            assert_eq!(picture(name), *taken, "{name}, row {at}");
            assert!(taken.likely <= taken.most && taken.likely > Tokens(0), "{name}");
        }
    }

    #[test]
    fn what_is_heard_seen_or_read_grows_with_its_size() {
        // An hour of a common file; a megabyte of a clip; a page, and a book of a hundred that is packed well.
        assert_eq!(sound(8_000 * 3_600), Taken::of(921_600, 115_200));
        assert_eq!(inline_sound(4_000), Taken::of(96, 12));
        assert_eq!(inline_video(4_000_000), Taken::of(900_000, 18_000));
        assert_eq!(inline_document(0), Taken::of(3_072, 768));
        assert!(inline_document(400_000).most > Tokens(300_000));
        for bytes in [0, 1, 999, u64::MAX] {
            for of in [sound, speech, inline_sound, inline_video, inline_document] {
                assert!(of(bytes).likely <= of(bytes).most, "{bytes}");
            }
        }
    }
}
