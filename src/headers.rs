//! A message's headers as the host hands them over, in one piece of memory.
//!
//! Trade-off: of twenty headers half a dozen are looked at. Finding one goes over the lengths of those before it, and
//! looks at the names that are as long; two allocations for each that nobody asks for would cost more by far.

use crate::json::words::{self, same};

/// How many, the lengths of each name and value, then both, each with a zero behind it; numbers are little-endian `u32`.
/// What doesn't keep to that has no headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<u8>);

/// Where a header's name begins among the texts, and both lengths. No sum of so many `u32` is too large for a `u64`.
#[derive(Clone, Copy)]
struct Place {
    name: u64,
    of_name: u64,
    of_value: u64,
}

impl Place {
    fn texts(self, texts: &[u8]) -> Option<(&[u8], &[u8])> {
        let (_, text) = texts.split_at_checked(usize::try_from(self.name).ok()?)?;
        let (name, text) = text.split_at_checked(usize::try_from(self.of_name).ok()?)?;
        let (value, text) = text.split_first()?.1.split_at_checked(usize::try_from(self.of_value).ok()?)?;
        text.split_first().map(|_| (name, value))
    }
}

/// The places that the lengths tell, and the texts; a place behind the texts' end has none.
fn read(bytes: &[u8]) -> Option<(impl Iterator<Item = Place>, &[u8])> {
    let (count, lengths) = bytes.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, texts) = lengths.split_at_checked(count.checked_mul(8)?)?;
    let mut next = 0_u64;
    let places = lengths.as_chunks().0.iter().map(move |lengths: &[u8; 8]| {
        let lengths = u64::from_le_bytes(*lengths);
        let place = Place { name: next, of_name: lengths & u64::from(u32::MAX), of_value: lengths >> 32 };
        next = next.wrapping_add(place.of_name).wrapping_add(place.of_value).wrapping_add(2);
        place
    });
    Some((places, texts))
}

/// The longest value that the gateway gives a header of an answer.
pub const LONGEST_VALUE: usize = 1_024;

/// Whether these bytes can be a header's value: neither Proxy-Wasm nor Envoy looks at one that a filter writes, and over
/// HTTP/1.1 a line's end in it begins the next header, or another answer.
pub fn is_value(bytes: &[u8]) -> bool {
    words::run(bytes, |word| words::below(word, b' ') | words::equal(word, 0x7f)) == bytes.len()
}

impl Headers {
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let read = read(&self.0).into_iter();
        read.flat_map(|(places, texts)| places.map_while(move |place| place.texts(texts)))
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of a header, whose name is in small letters, as Envoy's are.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.as_bytes();
        let as_long = move |place: &Place| place.of_name == name.len() as u64;
        let read = read(&self.0).into_iter();
        read.flat_map(move |(places, texts)| places.filter(as_long).map_while(move |place| place.texts(texts)))
            .filter(move |(known, _)| same(known, name))
            .map(|(_, value)| value)
    }

    /// The first value of a header, as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        std::str::from_utf8(self.get(name)?).ok()?.trim().parse().ok()
    }

    /// As the host writes them.
    pub fn of<N: AsRef<[u8]>, V: AsRef<[u8]>>(headers: &[(N, V)]) -> Self {
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = length(headers.len()).to_vec();
        for (name, value) in headers {
            out.extend(length(name.as_ref().len()));
            out.extend(length(value.as_ref().len()));
        }
        for part in headers.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]) {
            out.extend(part);
            out.push(0);
        }
        Self(out)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
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
