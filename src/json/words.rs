//! Eight bytes at a time in a plain `u64`, or sixteen where a block of them is all the same: prompts are megabytes.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

// The lowest mark is always a true one; a borrow can set false marks only above it. Readers take the lowest only.

/// Marks (0x80) the bytes of `word` that equal `byte`.
pub const fn equal(word: u64, byte: u8) -> u64 {
    let zeros = word ^ ONES.wrapping_mul(byte as u64);
    zeros.wrapping_sub(ONES) & !zeros & HIGHS
}

/// Marks (0x80) the bytes of `word` that are smaller than `bound`, which is at most 0x80.
pub const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(bound as u64)) & !word & HIGHS
}

/// Marks (0x80) the bytes of `word` that can't stand in a string as they are: quotes, backslashes, control characters.
pub const fn ends_plain(word: u64) -> u64 {
    equal(word, b'"') | equal(word, b'\\') | below(word, b' ')
}

/// Marks (0x80) the bytes of `word` that are no decimal digit.
pub const fn not_digit(word: u64) -> u64 {
    // 0x46 lifts all above `9` to the high bit; a byte that carries into the next one is marked itself.
    below(word, b'0') | ((word.wrapping_add(ONES.wrapping_mul(0x46)) | word) & HIGHS)
}

/// How many of the first bytes are plain ASCII of a string, in whole blocks: there, no byte needs a second look.
/// The loop over a block has no branch, so that a compiler makes it one of sixteen bytes at a time where it can.
pub fn plain_blocks(bytes: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let ends = |byte: u8| byte == b'"' || byte == b'\\' || !(b' '..0x80).contains(&byte);
    let plain = |block: &&[u8; BLOCK]| !block.iter().fold(false, |found, byte| found | ends(*byte));
    blocks.iter().take_while(plain).count().saturating_mul(BLOCK)
}

/// Whether two texts are the same. A comparison of slices becomes a `memcmp`, which takes a byte at a time in WebAssembly.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let is_same = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    match (a.len() == b.len(), a.last_chunk(), b.last_chunk()) {
        (false, ..) => false,
        // The last eight bytes are all of the rest, and some that were compared before.
        (true, Some(a_end), Some(b_end)) => {
            is_same((a_end, b_end)) && a.as_chunks().0.iter().zip(b.as_chunks().0).all(is_same)
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// Which of these names a key is but for the case of its letters, or to a server whose texts end at a NUL. Names are ASCII; two
/// letters beyond it have one of it for their other case, and Go's reader knows them: the long s and the Kelvin sign.
pub fn in_other_letters<T>(key: &[u8], named: &'static [T], name: impl Fn(&T) -> &str) -> Option<&'static T> {
    let key = key.split(|byte| *byte == 0).next().unwrap_or(key);
    if key.is_ascii() {
        let is_it = |name: &str| name.len() == key.len() && key.eq_ignore_ascii_case(name.as_bytes());
        return named.iter().find(|named| is_it(name(named)));
    }
    let folded = |letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    let key = str::from_utf8(key).ok()?;
    named.iter().find(|named| key.chars().map(folded).eq(name(named).chars().map(folded)))
}

/// Whether a text can stand between quotes as it is.
pub fn is_plain(text: &[u8]) -> bool {
    run(text, ends_plain) == text.len()
}

/// What may be short enough to be read at once, and kept whole; longer strings are worth their own steps.
const SHORT: usize = super::MAX_TEXT;

/// A string's text, and what follows its closing quote. Only of a string that is short, ends in `bytes` and has no escapes.
pub fn whole_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut ascii = true;
    let length = run(bytes.get(..SHORT).unwrap_or(bytes), |word| {
        ascii &= is_ascii(word);
        ends_plain(word)
    });
    let (text, behind) = bytes.split_at_checked(length)?;
    let behind = behind.strip_prefix(b"\"")?;
    (ascii || str::from_utf8(text).is_ok()).then_some((text, behind))
}

/// What stands behind `start` in `bytes`, if they begin with it. (A comparison of slices looks at one byte at a time here.)
pub fn behind<'b>(bytes: &'b [u8], start: &[u8]) -> Option<&'b [u8]> {
    let (head, behind) = bytes.split_at_checked(start.len())?;
    let ((words, tail), (starts, end)) = (head.as_chunks::<8>(), start.as_chunks::<8>());
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let same = words.iter().zip(starts).all(|(one, other)| word(one) == word(other));
    (same && tail == end).then_some(behind)
}

/// Whether a byte of `word` has its high bit set.
pub const fn is_ascii(word: u64) -> bool {
    word & HIGHS == 0
}

/// How many bytes come before the first one that `marks` marks: all, if it marks none.
/// `marks` may be shown zeros behind the last byte.
pub fn run(bytes: &[u8], mut marks: impl FnMut(u64) -> u64) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length: usize = 0;
    for word in words {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return length.saturating_add(lowest(found));
        }
        length = length.saturating_add(8);
    }
    let mut last = [0; 8];
    for (slot, byte) in last.iter_mut().zip(tail) {
        *slot = *byte;
    }
    length.saturating_add(lowest(marks(u64::from_le_bytes(last))).min(tail.len()))
}

const fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() >> 3) as usize
}
