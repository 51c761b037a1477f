//! A message's headers as the host hands them over, in one piece of memory.
//!
//! Trade-off: of twenty headers half a dozen are looked at. Finding one walks over the lengths of those before it, which
//! is cheaper by far than two allocations for each that nobody asks for.

/// How many, the lengths of each name and value, then both, each with a zero behind it; numbers are little-endian `u32`.
/// What doesn't keep to that has no headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<u8>);

/// Names and values, in their order.
#[derive(Default)]
pub struct Walk<'a> {
    lengths: &'a [u8],
    texts: &'a [u8],
}

fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (four, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*four)).ok()
}

fn text<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (text, rest) = bytes.split_at_checked(length)?;
    let (_zero, rest) = rest.split_first()?;
    *bytes = rest;
    Some(text)
}

impl<'a> Walk<'a> {
    fn over(mut bytes: &'a [u8]) -> Option<Self> {
        let count = length(&mut bytes)?;
        let (lengths, texts) = bytes.split_at_checked(count.checked_mul(8)?)?;
        Some(Self { lengths, texts })
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = (length(&mut self.lengths)?, length(&mut self.lengths)?);
        Some((text(&mut self.texts, name)?, text(&mut self.texts, value)?))
    }
}

impl Headers {
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn iter(&self) -> Walk<'_> {
        Walk::over(&self.0).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of a header, whose name is in small letters, as Envoy's are.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        // Mostly the length tells, or the first byte.
        let is_it = move |known: &[u8]| known.len() == name.len() && known.first() == name.first() && known == name;
        self.iter().filter(move |(known, _)| is_it(known)).map(|(_, value)| value)
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
