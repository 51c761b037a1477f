//! A message's headers as the host hands them over, in one piece of memory.
//!
//! Trade-off: of twenty headers half a dozen are looked at. Two allocations for each that nobody asks for would cost more by
//! far than finding one; so where each ends is written once into the memory that had its lengths, and a name is compared
//! with those that are as long.

use crate::json::words::{self, same};

/// The host hands over how many there are, the lengths of each name and value, then both, each with a zero behind it; numbers are
/// little-endian `u32`. What doesn't keep to that has no headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// In the place of a value's length stands where it and its zero end among the texts.
    bytes: Vec<u8>,
    /// Where the texts begin.
    texts: usize,
    /// A bit for each length that a name has, by the remainder: most names that are asked for are of no header's length.
    lengths: u64,
}

const fn bit(of_name: u32) -> u64 {
    1 << (of_name % u64::BITS)
}

/// Bytes of how many there are, and of the two numbers of each.
const COUNT: usize = 4;
const ENTRY: usize = 8;
type Length = [u8; 4];

/// The two numbers of each, and the texts.
fn split(bytes: &mut [u8]) -> Option<(&mut [[Length; 2]], &mut [u8])> {
    let (count, rest) = bytes.split_first_chunk_mut()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (entries, texts) = rest.split_at_mut_checked(count.checked_mul(ENTRY)?)?;
    Some((entries.as_chunks_mut().0.as_chunks_mut().0, texts))
}

/// Names and values, one after another.
struct Pairs<'h> {
    entries: &'h [[Length; 2]],
    begins: u32,
    texts: &'h [u8],
}

impl<'h> Pairs<'h> {
    /// The next value of this name.
    #[inline(always)]
    fn value(&mut self, name: &str) -> Option<&'h [u8]> {
        let length = u32::try_from(name.len()).ok()?;
        loop {
            let (known, value) = self.find(Some(length))?;
            if same(known, name.as_bytes()) {
                return Some(value);
            }
        }
    }

    /// The next, or the next whose name is as long.
    #[inline(always)]
    fn find(&mut self, as_long: Option<u32>) -> Option<(&'h [u8], &'h [u8])> {
        let (mut rest, mut begins) = (self.entries, self.begins);
        while let Some(([of_name, ends], behind)) = rest.split_first() {
            let (of_name, ends) = (u32::from_le_bytes(*of_name), u32::from_le_bytes(*ends));
            if as_long.is_none_or(|wanted| of_name == wanted) {
                (self.entries, self.begins) = (behind, ends);
                let place = usize::try_from(begins).ok()?..usize::try_from(ends).ok()?;
                let (name, value) = self.texts.get(place)?.split_at_checked(usize::try_from(of_name).ok()?)?;
                let [_, value @ .., _] = value else { return None };
                return Some((name, value));
            }
            (rest, begins) = (behind, ends);
        }
        self.entries = &[];
        None
    }
}

impl<'h> Iterator for Pairs<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.find(None)
    }
}

/// The longest value that the gateway gives a header of an answer.
pub const LONGEST_VALUE: usize = 1_024;

/// Whether these bytes can be a header's value: neither Proxy-Wasm nor Envoy looks at one that a filter writes, and over
/// HTTP/1.1 a line's end in it begins the next header, or another answer.
pub fn is_value(bytes: &[u8]) -> bool {
    words::run(bytes, |word| words::below(word, b' ') | words::equal(word, 0x7f)) == bytes.len()
}

impl Headers {
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let (mut lengths, mut ends) = (0, 0_u64);
        let Some((entries, texts)) = split(&mut bytes) else { return Self::default() };
        let (of_entries, of_texts) = (size_of_val(entries), texts.len() as u64);
        for [of_name, of_value] in entries {
            let length = u32::from_le_bytes(*of_name);
            lengths |= bit(length);
            ends = ends.wrapping_add(length.into()).wrapping_add(u32::from_le_bytes(*of_value).into()).wrapping_add(2);
            let [low @ .., _, _, _, _] = ends.to_le_bytes();
            *of_value = low;
        }
        if ends > of_texts.min(u32::MAX.into()) {
            return Self::default();
        }
        Self { texts: of_entries.saturating_add(COUNT), bytes, lengths }
    }

    fn pairs(&self) -> Pairs<'_> {
        let (head, texts) = self.bytes.split_at_checked(self.texts).unwrap_or_default();
        let entries = head.get(COUNT..).unwrap_or_default().as_chunks().0.as_chunks().0;
        Pairs { entries, begins: 0, texts }
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs()
    }

    /// The first value of a header.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.named(name)?.value(name)
    }

    /// All values of a header, whose name is in small letters, as Envoy's are.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let mut pairs = self.named(name);
        std::iter::from_fn(move || pairs.as_mut()?.value(name))
    }

    #[inline(always)]
    fn named(&self, name: &str) -> Option<Pairs<'_>> {
        let is_there = self.lengths & bit(u32::try_from(name.len()).ok()?) != 0;
        is_there.then(|| self.pairs())
    }

    /// The first value of a header, as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        std::str::from_utf8(self.get(name)?).ok()?.trim().parse().ok()
    }

    /// From names and values.
    pub fn of<N: AsRef<[u8]>, V: AsRef<[u8]>>(headers: &[(N, V)]) -> Self {
        Self::new(written(headers))
    }
}

/// As the host writes them.
pub fn written<N: AsRef<[u8]>, V: AsRef<[u8]>>(headers: &[(N, V)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let texts = headers.iter().fold(0_usize, |sum, (name, value)| {
        sum.saturating_add(name.as_ref().len()).saturating_add(value.as_ref().len()).saturating_add(2)
    });
    let mut out = Vec::with_capacity(headers.len().saturating_mul(ENTRY).saturating_add(COUNT).saturating_add(texts));
    out.extend_from_slice(&length(headers.len()));
    for (name, value) in headers {
        out.extend_from_slice(&length(name.as_ref().len()));
        out.extend_from_slice(&length(value.as_ref().len()));
    }
    for part in headers.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]) {
        out.extend_from_slice(part);
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_is_found_by_its_whole_name() {
        let headers = Headers::of(&[("a", "1"), ("ab", "2"), ("", "3"), ("a", "4"), ("n", " 5 "), ("x", "")]);
        let one = |name| headers.get(name).map(|value| std::str::from_utf8(value).unwrap());
        assert_eq!(
            [one("a"), one("ab"), one(""), one("x"), one("b"), one("A")],
            [Some("1"), Some("2"), Some("3"), Some(""), None, None]
        );
        assert_eq!(headers.all("a").collect::<Vec<_>>(), [b"1", b"4"]);
        assert_eq!((headers.number("n"), headers.number("x"), headers.number("y")), (Some(5), None, None));
        assert_eq!(headers.iter().count(), 6);
    }

    #[test]
    fn a_value_has_no_control_characters() {
        for length in 0..40 {
            let text = "é漢 !~".repeat(8).into_bytes();
            assert!(is_value(&text[..length]));
            for at in 0..length {
                for byte in (0..b' ').chain([0x7f]) {
                    let mut value = text[..length].to_vec();
                    value[at] = byte;
                    assert!(!is_value(&value), "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20)) {
            let headers = Headers::of(&pairs);
            let read: Vec<_> = headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let headers = Headers::new(bytes);
            prop_assert!(headers.iter().count() <= 256);
            let _ = (headers.get("a"), headers.number("a"));
        }
    }
}
