//! How many different texts came, in bounded memory.

use crate::hash::fnv;

/// More than any answer has; what comes beyond it counts each time.
const MOST: usize = 256;

/// The hashes of what came.
#[derive(Debug, Default)]
pub struct Distinct(Vec<u64>);

impl Distinct {
    /// Whether it is new.
    pub fn insert(&mut self, text: &str) -> bool {
        self.insert_hash(fnv(text.bytes()))
    }

    /// How many of them are new.
    pub fn insert_all(&mut self, more: &Self) -> u64 {
        more.0.iter().filter(|hash| self.insert_hash(**hash)).count() as u64
    }

    fn insert_hash(&mut self, hash: u64) -> bool {
        let is_new = !self.0.contains(&hash);
        if is_new && self.0.len() < MOST {
            self.0.push(hash);
        }
        is_new
    }
}
