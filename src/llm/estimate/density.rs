//! How many bytes make a token, and how many tokens a second, learned for each priced model from what its provider reported.
//!
//! Trade-off: one average per model would let a single tenant bend everybody's estimate, with texts of blanks or with hidden
//! reasoning. So each tenant adds to one of sixteen buckets, and of those that know enough the middle one is believed; until
//! three speak, the prior speaks in their place, and no middle is believed far from the prior. What a tenant's own answers
//! taught counts for that tenant alone, and only where it makes no discount. A bucket's older half fades, so that a model
//! that changes is followed. A record is 580 bytes, whatever comes.

use super::pace::{self, Pace};
use crate::hash::fnv;
use crate::order;
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
    pub pace: Pace,
}

/// Before anything is learned: most text has 3.5 to 4.5 bytes a token.
const PRIOR: BytesPerToken = BytesPerToken(4_000);
/// What others taught is believed up to twice the prior, or half of it.
const COMMON: (u64, u64) = (2_000, 8_000);
/// No text has more, from its beginning to its end: prose has 4 to 5, code that is indented far has 6.
const MOST_OF_TEXT: BytesPerToken = BytesPerToken(COMMON.1);
/// Hidden reasoning leaves no byte for most of its tokens. More bytes a token than others have are no discount.
const OWN_OUTPUT: (u64, u64) = (250, 8_000);
/// The same measure, for a frame and the one answer in it.
const PRIOR_FRAME: u64 = 512_000;
const FRAME: (u64, u64) = (128_000, 2_048_000);
const COMMON_PACE: (u64, u64) = (125, 500);
/// The fastest that is sold writes some thousands. Who reads slowly makes no discount either.
const OWN_PACE: (u64, u64) = (125, 4_000);

impl Density {
    /// Of a model that nothing is known of yet.
    pub const PRIOR: Self =
        Self { input: PRIOR, output: PRIOR, frame_bytes: PRIOR_FRAME.div_ceil(1_000), pace: pace::PRIOR };

    /// Of text that passed: no hidden reasoning in it.
    pub fn of_text(self) -> BytesPerToken {
        self.output.max(BytesPerToken(COMMON.0))
    }
}

impl Default for Density {
    fn default() -> Self {
        Self::PRIOR
    }
}

/// The tokens that a text of so many bytes has at least, whatever was learned: what is held against an honest provider must be true.
pub fn certain(bytes: u64) -> Tokens {
    Tokens(bytes.saturating_mul(1_000).checked_div(MOST_OF_TEXT.0).unwrap_or(0))
}

/// The least text that has so many.
pub fn certain_bytes(tokens: Tokens) -> u64 {
    tokens.0.saturating_mul(MOST_OF_TEXT.0) / 1_000
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

/// Bytes that turned out to be so many tokens; of the pace, tokens that took so many milliseconds.
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
    pub pace: Measured,
}

pub const BUCKETS: usize = 16;

/// Whose lessons those are: several tenants may share a bucket, and then it speaks for none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    pub bucket: usize,
    owner: u32,
}

const NOBODY: u32 = 0;
const SEVERAL: u32 = u32::MAX;

impl Voice {
    pub fn of(tenant: &str) -> Self {
        let hash = fnv(tenant.bytes());
        let owner = u32::try_from(hash & 0xffff_ffff).unwrap_or(SEVERAL);
        Self { bucket: usize::try_from((hash >> 32) & 15).unwrap_or(0), owner: owner.clamp(1, SEVERAL - 1) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    owner: u32,
    lesson: Lesson,
}

/// A model's record in shared data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    buckets: [Bucket; BUCKETS],
}

const VERSION: [u8; 4] = *b"NXD\x02";
pub const ENCODED: usize = VERSION.len() + BUCKETS * 9 * 4;
/// A bucket is halved above this: it remembers the last few megabytes.
const MEMORY: u64 = 1 << 22;
/// Less than this is chance.
const ENOUGH: u64 = 2_048;

impl Measured {
    pub const fn add(&mut self, more: Self) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.tokens = self.tokens.saturating_add(more.tokens);
        while self.bytes > MEMORY || self.tokens > MEMORY {
            self.bytes >>= 1;
            self.tokens >>= 1;
        }
    }

    /// In thousandths.
    fn ratio(&self, (least, most): (u64, u64)) -> Option<u64> {
        let thousandths = self.bytes.saturating_mul(1_000).checked_div(self.tokens)?;
        (self.bytes >= ENOUGH || self.tokens >= ENOUGH).then_some(thousandths.clamp(least, most))
    }
}

impl Lesson {
    const fn add(&mut self, more: &Self) {
        self.input.add(more.input);
        self.output.add(more.output);
        self.frame.add(more.frame);
        self.pace.add(more.pace);
    }
}

impl Bucket {
    pub const fn learn(&mut self, voice: Voice, lesson: &Lesson) {
        self.add(&Self { owner: voice.owner, lesson: *lesson });
    }

    const fn add(&mut self, more: &Self) {
        self.owner = match (self.owner, more.owner) {
            (owner, NOBODY) | (NOBODY, owner) => owner,
            (owner, other) if owner == other => owner,
            _ => SEVERAL,
        };
        self.lesson.add(&more.lesson);
    }

    /// For its owner alone.
    fn own(&self, common: Density) -> Density {
        let Lesson { input, output, frame, pace } = &self.lesson;
        Density {
            // Whoever bends the own prompts makes the own reservations twice as large at the most, and nothing cheaper.
            input: input.ratio(COMMON).map_or(common.input, |own| common.input.min(BytesPerToken(own))),
            output: output.ratio(OWN_OUTPUT).map_or(common.output, |own| common.output.min(BytesPerToken(own))),
            frame_bytes: frame
                .ratio(FRAME)
                .map_or(common.frame_bytes, |own| common.frame_bytes.min(own.div_ceil(1_000))),
            pace: pace.ratio(OWN_PACE).map_or(common.pace, |own| common.pace.max(Pace(own))),
        }
    }
}

/// What is known of a model, for everybody and for each tenant of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Densities {
    common: Density,
    own: [(u32, Density); BUCKETS],
}

impl Densities {
    pub fn of(&self, voice: Voice) -> Density {
        match self.own.get(voice.bucket) {
            Some((owner, own)) if *owner == voice.owner => *own,
            _ => self.common,
        }
    }
}

impl Learned {
    pub fn add(&mut self, at: usize, fresh: &Bucket) {
        if let Some(known) = self.buckets.get_mut(at) {
            known.add(fresh);
        }
    }

    pub fn densities(&self) -> Densities {
        let opinions = |of: fn(&Lesson) -> &Measured, range| {
            self.buckets.iter().filter_map(move |bucket| of(&bucket.lesson).ratio(range))
        };
        let common = Density {
            input: BytesPerToken(middle(opinions(|lesson| &lesson.input, COMMON), PRIOR.0)),
            output: BytesPerToken(middle(opinions(|lesson| &lesson.output, COMMON), PRIOR.0)),
            frame_bytes: middle(opinions(|lesson| &lesson.frame, FRAME), PRIOR_FRAME).div_ceil(1_000),
            pace: Pace(middle(opinions(|lesson| &lesson.pace, COMMON_PACE), pace::PRIOR.0)),
        };
        Densities { common, own: self.buckets.map(|bucket| (bucket.owner, bucket.own(common))) }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENCODED);
        out.extend_from_slice(&VERSION);
        for Bucket { owner, lesson: Lesson { input, output, frame, pace } } in &self.buckets {
            out.extend_from_slice(&owner.to_le_bytes());
            for Measured { bytes, tokens } in [input, output, frame, pace] {
                for value in [bytes, tokens] {
                    out.extend_from_slice(&u32::try_from(*value).unwrap_or(u32::MAX).to_le_bytes());
                }
            }
        }
        out
    }

    /// What is no record of this version has taught nothing.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(&VERSION).filter(|_| bytes.len() == ENCODED)?;
        let mut values = fields.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
        let mut learned = Self::default();
        for bucket in &mut learned.buckets {
            bucket.owner = values.next()?;
            let mut measured = || Some(Measured { bytes: values.next()?.into(), tokens: values.next()?.into() });
            bucket.lesson = Lesson { input: measured()?, output: measured()?, frame: measured()?, pace: measured()? };
        }
        Some(learned)
    }
}

/// Of an even number of opinions the lower one: an estimate rather charges a token too many.
fn middle(opinions: impl Iterator<Item = u64>, prior: u64) -> u64 {
    let mut all = [prior; BUCKETS];
    let mut voices = 0_usize;
    for (place, opinion) in all.iter_mut().zip(opinions) {
        *place = opinion;
        voices = voices.saturating_add(1);
    }
    let voices = voices.clamp(3, BUCKETS);
    let voices = all.get_mut(..voices).unwrap_or_default();
    order::sort(voices);
    voices.get(voices.len().saturating_sub(1) >> 1).copied().unwrap_or(prior)
}

#[cfg(test)]
mod tests;
