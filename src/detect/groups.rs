//! Numbers that are written in groups of digits, with a blank or a dash between them.

/// The longest of them are those of cards.
const MOST: usize = 19;

#[derive(Default)]
pub struct Digits {
    values: [u8; MOST],
    count: usize,
}

impl Digits {
    pub fn values(&self) -> &[u8] {
        self.values.get(..self.count).unwrap_or_default()
    }

    /// The number that a few of them are.
    pub fn number(&self, from: usize, count: usize) -> u32 {
        let few = self.values().iter().skip(from).take(count);
        few.fold(0, |number: u32, digit| number.wrapping_mul(10).wrapping_add(u32::from(*digit)))
    }

    pub fn are_all_the_same(&self) -> bool {
        self.values().windows(2).all(|two| two.first() == two.last())
    }
}

/// The digits that stand in `text` from `from` on in groups of these sizes, and where the last one ends.
///
/// What stands between them is the same each time. `None` as well if the number goes on behind a dash or in one more digit.
pub fn grouped(text: &[u8], from: usize, sizes: &[usize]) -> Option<(Digits, usize)> {
    let mut digits = Digits::default();
    let (mut at, mut between) = (from, None);
    for (group, size) in sizes.iter().enumerate() {
        if group > 0 {
            let separator = text.get(at).filter(|byte| matches!(byte, b' ' | b'-'))?;
            if *between.get_or_insert(separator) != separator {
                return None;
            }
            at = at.checked_add(1)?;
        }
        let end = at.checked_add(*size)?;
        for byte in text.get(at..end)? {
            *digits.values.get_mut(digits.count)? = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
            digits.count = digits.count.checked_add(1)?;
        }
        at = end;
    }
    let goes_on = match text.get(at) {
        Some(b'-') => text.get(at.checked_add(1)?).is_some_and(u8::is_ascii_digit),
        next => next.is_some_and(u8::is_ascii_digit),
    };
    (!goes_on).then_some((digits, at))
}

/// Whether a number may begin behind this byte: it is the middle of a word, of a fraction or of a longer number otherwise.
pub fn may_begin_behind(byte: Option<u8>) -> bool {
    !byte.is_some_and(|byte| super::is_word(byte) || matches!(byte, b'-' | b'.' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_one_separator_and_an_end() {
        let read = |text: &str, sizes: &[usize]| {
            grouped(text.as_bytes(), 0, sizes).map(|(digits, end)| (digits.values().to_vec(), end))
        };
        assert_eq!(read("12 34", &[2, 2]), Some((vec![1, 2, 3, 4], 5)));
        assert_eq!(read("12-34 5", &[2, 2]), Some((vec![1, 2, 3, 4], 5)));
        assert_eq!(read("12-34-", &[2, 2]), Some((vec![1, 2, 3, 4], 5)));
        for (text, sizes) in [("12 345", &[2, 2][..]), ("12-34-5", &[2, 2]), ("12 34-56", &[2, 2, 2]), ("12", &[2, 2])]
        {
            assert_eq!(read(text, sizes), None, "{text}");
        }
        assert_eq!(read("1234", &[4]).map(|(_, end)| end), Some(4));
        assert_eq!(grouped(b"1234", 0, &[4]).map(|(digits, _)| digits.number(1, 2)), Some(23));
        assert_eq!(read(&"1".repeat(20), &[20]), None);
    }
}
