//! The prompts that this provider has read, as real ones keep them: whoever begins as one of them is billed less for what is the same.
//!
//! As OpenAI does by itself: from 1,024 tokens on, in steps of 128, each model for itself. What others keep only where a request asks
//! for it, and for how long, is left out: nothing here is ever too old, only the most counts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::{FNV_BASIS, fnv};

const LEAST_TOKENS: u64 = 1_024;
const STEP_TOKENS: u64 = 128;
/// As prompts are counted: four bytes are a token.
const STEP_BYTES: usize = 512;
/// When there are more beginnings, all are forgotten.
const MOST: usize = 1 << 20;

/// Of one provider; another doesn't have them.
#[derive(Clone, Debug, Default)]
pub struct Prompts(Arc<Mutex<HashSet<u64>>>);

/// The beginnings of a prompt, each a step longer than the one before.
pub fn beginnings(model: &str, texts: &[&str]) -> Vec<u64> {
    let mut hash = fnv(FNV_BASIS, model.as_bytes());
    let bytes: Vec<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
    let steps = bytes.chunks_exact(STEP_BYTES);
    steps
        .map(|step| {
            hash = fnv(hash, step);
            hash
        })
        .collect()
}

impl Prompts {
    /// How many tokens of this prompt it has read before; from now on, all of them.
    pub fn meet(&self, beginnings: &[u64]) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = beginnings.iter().take_while(|beginning| known.contains(beginning)).count() as u64 * STEP_TOKENS;
        if known.len() > MOST {
            known.clear();
        }
        known.extend(beginnings);
        if met < LEAST_TOKENS { 0 } else { met }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_from_the_beginning_on_is_met_again() {
        let prompts = Prompts::default();
        let long = "x".repeat(8_192);
        let of = |texts: &[&str]| prompts.meet(&beginnings("gpt-4o", texts));
        assert_eq!(of(&[&long]), 0, "the first time");
        assert_eq!(of(&[&long, "and then?"]), 2_048);
        assert_eq!(of(&[&long[..5_000], "another"]), 1_152, "whole steps");
        assert_eq!(of(&["y", &long]), 0, "another beginning");
        assert_eq!(prompts.meet(&beginnings("gpt-4o-mini", &[&long])), 0, "another model");
        assert_eq!(Prompts::default().meet(&beginnings("gpt-4o", &[&long])), 0, "another provider");
        let short = "z".repeat(4_095);
        assert_eq!((of(&[&short]), of(&[&short])), (0, 0), "too short");
    }
}
