//! Tokens guessed from bytes: before the call for the reservation, after it where no usage came.
//!
//! Trade-off: a tokenizer would be exact for one family of models and weigh megabytes. Bytes are known for all, and what
//! providers do report teaches how many of them make a token ([`density`]). The reservation leans high (a budget must
//! hold), the settlement aims at the middle (a bill should be fair).

pub mod density;
pub mod experience;
pub mod media;
pub mod pace;

use super::meter::Generated;
use super::schema::Schema;
use crate::units::Tokens;
use density::Density;
use media::Taken;

/// Frames around the messages that the provider adds and bills.
const OVERHEAD: u64 = 16;

/// What the body of a request holds, as far as its size tells about tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub body_bytes: u64,
    /// Bytes of the body that are base64 of pictures, sounds, videos and documents, not text.
    pub attached_bytes: u64,
    /// Whatever it has beside text, in the body or elsewhere.
    pub attachments: u64,
    /// Of these, the pictures: what they come to is their model's affair.
    pub pictures: u64,
    /// What all others in the body come to; and of what is likely of that, sounds.
    pub taken: Taken,
    pub sounds: Tokens,
    /// Of a text that is sold by them.
    pub characters: u64,
    /// What is read once more than it is sent: the question, with each document that it is held against.
    pub reread_bytes: u64,
}

/// Characters of such a text that were found by a rule, and those that stand in their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swapped {
    found: u64,
    put: u64,
}

impl Swapped {
    pub fn count(&mut self, found: &str, put: &str) {
        self.found = self.found.saturating_add(found.chars().count() as u64);
        self.put = self.put.saturating_add(put.chars().count() as u64);
    }

    pub(super) const fn of(self, characters: u64) -> u64 {
        characters.saturating_sub(self.found).saturating_add(self.put)
    }
}

impl Sizes {
    pub const fn text_bytes(&self) -> u64 {
        self.body_bytes.saturating_sub(self.attached_bytes).saturating_add(self.reread_bytes)
    }

    /// Of its text, for the reservation.
    pub fn text_at_most(&self, density: Density) -> Tokens {
        density.input.at_least_dense().tokens(self.text_bytes()).plus(Tokens(OVERHEAD))
    }

    /// For the settlement of an answer without usage.
    pub fn text_likely(&self, density: Density) -> Tokens {
        density.input.tokens(self.text_bytes())
    }

    /// Of what it has beside text, where a picture is taken for so much, and there is so much room for all else: what a few bytes of
    /// a sound or a document may come to is more than a model reads.
    pub fn media(&self, picture: Taken, room: Tokens) -> Taken {
        let Taken { most, likely } = self.taken;
        picture.times(self.pictures).plus(Taken { most: most.min(room), likely: likely.min(room) })
    }
}

/// Of those, the ones whose text passed: nothing that was promised makes them fewer.
pub fn seen(generated: Generated, density: Density) -> Tokens {
    match generated {
        Generated::Text { text, .. } => density.of_text().tokens(text),
        Generated::Nothing | Generated::Broken(_) | Generated::Opaque { .. } => Tokens(0),
    }
}

/// Output tokens that an answer of this size is taken for: at least one, once anything came that is no mere error.
pub fn output(schema: &Schema, generated: Generated, stream: bool, error: bool, density: Density) -> Tokens {
    let (tokens, came) = match generated {
        Generated::Nothing => (Tokens(0), false),
        Generated::Text { text, .. } => (density.output.tokens(text), true),
        Generated::Broken(bytes) => (density.output.tokens(bytes), true),
        Generated::Opaque { bytes, encoded } => {
            let (around, size) = match (encoded, stream) {
                (true, true) => (0, schema.compressed_stream_bytes_per_token),
                (true, false) => (COMPRESSED_AROUND, schema.opaque_bytes_per_token),
                (false, _) => (0, schema.opaque_bytes_per_token),
            };
            (Tokens(bytes.saturating_sub(around).div_ceil(size.max(1))), true)
        }
    };
    tokens.max(Tokens(u64::from(came && !error)))
}

/// Of a compressed answer in one piece, what is not its text: ids, names, usage. Text itself is 1.6 to 2.2 bytes a token.
const COMPRESSED_AROUND: u64 = 300;

#[cfg(test)]
mod tests {
    use super::density::BytesPerToken;
    use super::*;

    #[test]
    fn a_reservation_is_never_below_what_is_likely() {
        let sizes = Sizes { body_bytes: 4_000, attached_bytes: 1_000, attachments: 1, pictures: 1, ..Sizes::default() };
        assert_eq!(sizes.text_likely(Density::default()), Tokens(750));
        assert_eq!(sizes.text_at_most(Density::default()), Tokens(1_000 + 16));
        for thousandths in [250, 2_000, 3_000, 8_000, 16_000] {
            let density = Density { input: BytesPerToken(thousandths), ..Density::default() };
            assert!(sizes.text_at_most(density) > sizes.text_likely(density));
        }
        let picture = media::picture("gpt-4o-mini");
        assert_eq!(sizes.media(picture, Tokens(0)), picture);
        let book = Sizes { taken: media::inline_document(400_000), ..sizes };
        assert_eq!(book.media(picture, Tokens(1_000)).most, picture.most.plus(Tokens(1_000)));
    }
    /// Bytes of gzip, measured on prose and code of this project in the shapes of each API: events flushed one by one,
    /// OpenAI's with its padding and without, Anthropic's four to eight tokens an event, Gemini's thirty.
    #[test]
    fn a_compressed_answer_is_taken_for_about_its_tokens() {
        let cases = [
            ("openai_chat", false, 560, 100),
            ("openai_chat", false, 1_040, 400),
            ("openai_chat", false, 3_500, 2_000),
            ("openai_chat", false, 23_400, 14_250),
            ("openai_chat", true, 1_660, 100),
            ("openai_chat", true, 5_760, 400),
            ("openai_chat", true, 10_040, 400),
            ("openai_responses", true, 11_640, 400),
            ("anthropic_messages", true, 2_160, 400),
            ("anthropic_messages", true, 7_200, 2_000),
            ("gemini_generate", true, 1_400, 400),
            ("ollama_chat", true, 9_400, 400),
        ];
        for (api, stream, bytes, tokens) in cases {
            let schema = crate::llm::schema::named(api).unwrap();
            let likely = output(schema, Generated::Opaque { bytes, encoded: true }, stream, false, Density::default());
            let about = tokens * 4 / 5..=tokens * 9 / 5;
            assert!(about.contains(&likely.0), "{api}, stream {stream}: {likely:?} instead of {tokens}");
        }
        // Whatever little came, it was not free.
        let little = Generated::Opaque { bytes: 60, encoded: true };
        let chat = crate::llm::schema::named("openai_chat").unwrap();
        assert_eq!(output(chat, little, false, false, Density::default()), Tokens(1));
    }
}
