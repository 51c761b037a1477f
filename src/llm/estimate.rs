//! Tokens guessed from bytes: before the call for the reservation, after it when no usage came.
//!
//! Trade-off: a tokenizer would be exact for one family of models and weigh megabytes. Bytes are known for all.
//! The reservation leans high (a budget must hold), the settlement aims at the middle (a bill should be fair).

use crate::units::Tokens;

/// Most text has 3.5 to 4.5 bytes a token; JSON around it is denser than prose.
const BYTES_PER_TOKEN_RESERVED: u64 = 3;
const BYTES_PER_TOKEN_SETTLED: u64 = 4;
/// What a picture or a sound is taken for, whatever its size in base64: providers bill a few hundred to 1,600.
const TOKENS_PER_ATTACHMENT: u64 = 1_600;
/// Frames around the messages that the provider adds and bills.
const OVERHEAD: u64 = 16;

/// What the body of a request holds, as far as its size tells about tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub body_bytes: u64,
    /// Bytes of the body that are base64 of pictures and sounds, not text.
    pub attached_bytes: u64,
    pub attachments: u64,
}

impl Sizes {
    fn tokens(&self, bytes_per_token: u64) -> Tokens {
        let text = self.body_bytes.saturating_sub(self.attached_bytes).div_ceil(bytes_per_token);
        Tokens(text.saturating_add(self.attachments.saturating_mul(TOKENS_PER_ATTACHMENT)))
    }

    /// For the reservation.
    pub fn input_at_most(&self) -> Tokens {
        self.tokens(BYTES_PER_TOKEN_RESERVED).plus(Tokens(OVERHEAD))
    }

    /// For the settlement of an answer without usage.
    pub fn input_likely(&self) -> Tokens {
        self.tokens(BYTES_PER_TOKEN_SETTLED)
    }
}

/// Output tokens of `bytes` of generated text.
pub fn output(bytes: u64) -> Tokens {
    Tokens(bytes.div_ceil(BYTES_PER_TOKEN_SETTLED))
}
