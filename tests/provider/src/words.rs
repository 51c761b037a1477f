//! What the model says: the same words for every API, each of them one token, so that a token weighs the same.

use std::sync::LazyLock;

use hyper::body::Bytes;

/// Each is one token, and its length in bytes is that of a usual one.
const PLAIN: [&str; 16] = [
    "the", "quiet", "river", "keeps", "its", "own", "ledger", "and", "every", "stone", "under", "it", "is", "a",
    "settled", "account",
];
const SCRIPTS: [&str; 8] = ["café", "漢字", "naïve", "🦀", "Ελλάδα", "👩‍🚀", "мир", "ไทย"];

/// Stands in a text where prose is to follow; from the private use area, which JSON leaves as it is.
pub const GAP: &str = "\u{e000}";

const PROSE_BYTES: usize = 64 << 10;

/// All plain words with a space behind each, over and over, and the length of once.
static PROSE: LazyLock<(Bytes, usize)> = LazyLock::new(|| {
    let once = PLAIN.join(" ") + " ";
    (Bytes::from(once.repeat(1 + PROSE_BYTES / once.len())), once.len())
});

pub fn word(nth: u64, split_utf8: bool) -> &'static str {
    let words: &[&str] = if split_utf8 { &SCRIPTS } else { &PLAIN };
    words.get((nth % words.len() as u64) as usize).copied().unwrap_or_default()
}

/// Prose from its byte `at` on: at most `most` bytes, at least one if any are wanted. It is not copied.
pub fn prose(at: u64, most: u64) -> Bytes {
    let (prose, once) = &*PROSE;
    let start = (at % *once as u64) as usize;
    let left = (prose.len() - start) as u64;
    prose.slice(start..start + most.min(left) as usize)
}

pub fn prose_of(mut at: u64, bytes: u64) -> String {
    let mut text = Vec::new();
    while (text.len() as u64) < bytes {
        let more = prose(at, bytes - text.len() as u64);
        at += more.len() as u64;
        text.extend_from_slice(&more);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What so many bytes of prose are billed: as many words as they hold, rounded up.
pub fn tokens_of_prose(bytes: u64) -> u64 {
    let once = PROSE.1 as u64;
    bytes.saturating_mul(PLAIN.len() as u64).div_ceil(once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_goes_on_where_it_was_left() {
        let whole = prose_of(0, 200_000);
        assert_eq!(whole.len(), 200_000);
        assert!(whole.starts_with("the quiet river keeps"));
        assert_eq!(prose_of(0, 77) + &prose_of(77, 199_923), whole);
        assert_eq!(prose_of(5, 0), "");
    }

    #[test]
    fn prose_is_billed_by_its_words() {
        assert_eq!(tokens_of_prose(0), 0);
        assert_eq!(tokens_of_prose(1), 1);
        let once = PLAIN.join(" ").len() as u64 + 1;
        assert_eq!(tokens_of_prose(once), 16);
        let words = prose_of(0, 100 * once).split_whitespace().count();
        assert_eq!(tokens_of_prose(100 * once), words as u64);
    }
}
