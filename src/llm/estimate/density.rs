//! How many bytes make a token, learned for each priced model from what its provider reported.
//!
//! Trade-off: one average per model would let a single tenant bend everybody's estimate, with texts of blanks. So each
//! tenant adds to one of sixteen buckets, and the middle one of those that know enough is believed; a bucket's older
//! half fades, so that a model that changes is followed. A record is 388 bytes, whatever comes.

use crate::units::Tokens;

/// In thousandths of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BytesPerToken(pub u64);

/// For what goes in and for what comes out: JSON around a prompt and hidden reasoning behind an answer differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Density {
    pub input: BytesPerToken,
    pub output: BytesPerToken,
    /// Bytes around the text of an answer in one piece: names, ids, the usage.
    pub frame_bytes: u64,
}

/// Before anything is learned: most text has 3.5 to 4.5 bytes a token.
const PRIOR: BytesPerToken = BytesPerToken(4_000);
/// The prompt decides reservations: whoever bends it can't make them more than twice as large.
const INPUT: (u64, u64) = (2_000, 8_000);
/// Hidden reasoning leaves no byte for most of its tokens.
const OUTPUT: (u64, u64) = (250, 16_000);
/// The same measure, for a frame and the one answer in it.
const PRIOR_FRAME: BytesPerToken = BytesPerToken(512_000);
const FRAME: (u64, u64) = (0, 16_000_000);

impl Density {
    /// Of a model that nothing is known of yet.
    pub const PRIOR: Self = Self { input: PRIOR, output: PRIOR, frame_bytes: PRIOR_FRAME.0.div_ceil(1_000) };
}

impl Default for Density {
    fn default() -> Self {
        Self::PRIOR
    }
}

impl BytesPerToken {
    pub fn tokens(self, bytes: u64) -> Tokens {
        Tokens(bytes.saturating_mul(1_000).div_ceil(self.0.max(1)))
    }

    /// A quarter denser, and at least as dense as unknown text: what a reservation assumes.
    pub fn at_least_dense(self) -> Self {
        let density = self.min(PRIOR).0;
        Self(density.saturating_sub(density >> 2))
    }
}

/// Bytes that turned out to be so many tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    pub bytes: u64,
    pub tokens: u64,
}

/// What one answer taught, or several of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lesson {
    pub input: Measured,
    pub output: Measured,
    /// Bytes of an answer in one piece that were no text; each answer counts as one token.
    pub frame: Measured,
}

pub const BUCKETS: usize = 16;

/// A model's record in shared data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    buckets: [Lesson; BUCKETS],
}

const VERSION: [u8; 4] = *b"NXD\x01";
pub const ENCODED: usize = VERSION.len() + BUCKETS * 6 * 4;
/// A bucket is halved above this: it remembers the last few megabytes.
const MEMORY: u64 = 1 << 22;
/// Less than this is chance.
const ENOUGH: u64 = 2_048;

/// The bucket of a tenant; several may share one.
pub fn bucket(tenant: &str) -> usize {
    let hash = tenant
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from((hash >> 32) & 15).unwrap_or(0)
}

impl Measured {
    pub const fn add(&mut self, more: Self) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.tokens = self.tokens.saturating_add(more.tokens);
        while self.bytes > MEMORY || self.tokens > MEMORY {
            self.bytes >>= 1;
            self.tokens >>= 1;
        }
    }

    fn density(&self, (least, most): (u64, u64)) -> Option<BytesPerToken> {
        let thousandths = self.bytes.saturating_mul(1_000).checked_div(self.tokens)?;
        (self.bytes >= ENOUGH || self.tokens >= ENOUGH).then_some(BytesPerToken(thousandths.clamp(least, most)))
    }
}

impl Lesson {
    pub const fn add(&mut self, more: &Self) {
        self.input.add(more.input);
        self.output.add(more.output);
        self.frame.add(more.frame);
    }
}

impl Learned {
    pub fn add(&mut self, bucket: usize, lesson: &Lesson) {
        if let Some(known) = self.buckets.get_mut(bucket) {
            known.add(lesson);
        }
    }

    pub fn density(&self) -> Density {
        Density {
            input: middle(self.buckets.iter().filter_map(|bucket| bucket.input.density(INPUT)), PRIOR),
            output: middle(self.buckets.iter().filter_map(|bucket| bucket.output.density(OUTPUT)), PRIOR),
            frame_bytes: middle(self.buckets.iter().filter_map(|bucket| bucket.frame.density(FRAME)), PRIOR_FRAME)
                .0
                .div_ceil(1_000),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENCODED);
        out.extend_from_slice(&VERSION);
        for Lesson { input, output, frame } in &self.buckets {
            for value in [input.bytes, input.tokens, output.bytes, output.tokens, frame.bytes, frame.tokens] {
                out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        out
    }

    /// What is no record of this version has taught nothing.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(&VERSION).filter(|_| bytes.len() == ENCODED)?;
        let mut values = fields.as_chunks::<4>().0.iter().map(|four| u64::from(u32::from_le_bytes(*four)));
        let mut measured = || Some(Measured { bytes: values.next()?, tokens: values.next()? });
        let mut learned = Self::default();
        for bucket in &mut learned.buckets {
            *bucket = Lesson { input: measured()?, output: measured()?, frame: measured()? };
        }
        Some(learned)
    }
}

/// With two opinions, the prior has a voice: neither tenant can speak for the other.
fn middle(opinions: impl Iterator<Item = BytesPerToken>, prior: BytesPerToken) -> BytesPerToken {
    let mut opinions: Vec<BytesPerToken> = opinions.collect();
    if matches!(opinions.len(), 0 | 2) {
        opinions.push(prior);
    }
    opinions.sort_unstable();
    // Of an even number the denser one: an estimate rather charges a token too many.
    opinions.get(opinions.len().saturating_sub(1) >> 1).copied().unwrap_or(prior)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lesson(bytes: u64, tokens: u64) -> Lesson {
        let measured = Measured { bytes, tokens };
        Lesson { input: measured, output: measured, frame: measured }
    }

    #[test]
    fn what_providers_report_is_learned_and_a_single_tenant_is_believed_about_itself() {
        let mut learned = Learned::default();
        assert_eq!(learned.density(), Density::default());
        learned.add(3, &lesson(100, 50));
        assert_eq!(learned.density(), Density::default(), "too little is chance");
        for _ in 0..100 {
            learned.add(3, &lesson(500, 100));
        }
        assert_eq!(learned.density().output.0 / 100, 49);
    }

    #[test]
    fn a_change_is_followed() {
        let mut learned = Learned::default();
        for bytes_per_token in [8, 3] {
            for _ in 0..40_000 {
                learned.add(0, &lesson(bytes_per_token * 100, 100));
            }
        }
        assert!(learned.density().output < BytesPerToken(3_100), "{:?}", learned.density());
    }

    proptest! {
        /// However one tenant lies, the estimate stays between what the others and the prior say.
        #[test]
        fn one_tenant_bends_nothing_beyond_what_others_say(
            honest in prop::collection::vec(1_u64..9, 1..15),
            lie in (1_u64..100_000_000, 1_u64..100_000_000),
        ) {
            let mut learned = Learned::default();
            for (bucket, bytes_per_token) in honest.iter().enumerate() {
                learned.add(bucket, &lesson(bytes_per_token * 10_000, 10_000));
            }
            learned.add(15, &lesson(lie.0, lie.1));
            let Density { input, output, .. } = learned.density();
            let least = honest.iter().min().copied().unwrap_or(4).min(4) * 1_000;
            let most = honest.iter().max().copied().unwrap_or(4).max(4) * 1_000;
            prop_assert!(output.0 >= least.min(4_000) && output.0 <= most, "{output:?}");
            prop_assert!(input.0 >= least.clamp(2_000, 4_000) && input.0 <= most.min(8_000));
        }

        #[test]
        fn a_record_survives_its_encoding(lessons in prop::collection::vec((0_usize..16, any::<u32>(), any::<u32>()), 0..40)) {
            let mut learned = Learned::default();
            for (bucket, bytes, tokens) in lessons {
                learned.add(bucket, &lesson(bytes.into(), tokens.into()));
            }
            let bytes = learned.encode();
            prop_assert_eq!(bytes.len(), ENCODED);
            prop_assert_eq!(Learned::decode(&bytes), Some(learned));
            prop_assert_eq!(Learned::decode(&[&bytes[..], &[0]].concat()), None, "a longer record is another's");
        }

        #[test]
        fn what_is_no_record_teaches_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Learned::decode(&bytes), None);
        }
    }
}
