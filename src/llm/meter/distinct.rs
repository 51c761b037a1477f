//! How many different texts came, in bounded memory.

/// More than any answer has; what comes beyond it counts each time.
const MOST: usize = 256;

/// The hashes of what came.
#[derive(Debug, Default)]
pub struct Distinct(Vec<u64>);

impl Distinct {
    /// Whether it is new.
    pub fn insert(&mut self, text: &str) -> bool {
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let is_new = !self.0.contains(&hash);
        if is_new && self.0.len() < MOST {
            self.0.push(hash);
        }
        is_new
    }
}
