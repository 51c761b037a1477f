//! Sets of characters, as sorted ranges that don't touch.

/// From the first to the last of some code points, both included.
pub type Range = (u32, u32);

const LAST: u32 = char::MAX as u32;

pub const DIGITS: &[Range] = &[(0x30, 0x39)];
pub const WORD: &[Range] = &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
pub const LINE_ENDS: &[Range] = &[(0xa, 0xa), (0xd, 0xd), (0x2028, 0x2029)];
/// ECMAScript's white space and line terminators.
pub const SPACES: &[Range] = &[
    (0x9, 0xd),
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
    (0xfeff, 0xfeff),
];

/// Adds a range to those of a set, and joins all that overlap it or touch it.
pub fn add(set: &mut Vec<Range>, (mut from, mut to): Range) {
    let first = set.partition_point(|(_, end)| end.saturating_add(1) < from);
    let behind = set.partition_point(|(start, _)| *start <= to.saturating_add(1));
    if let Some(touched) = set.get(first..behind)
        && let ([(start, _), ..], [.., (_, end)]) = (touched, touched)
    {
        (from, to) = (from.min(*start), to.max(*end));
        set.drain(first..behind);
    }
    set.insert(first, (from, to));
}

/// All characters that are not in a set.
pub fn others(ranges: &[Range]) -> Vec<Range> {
    let mut others = Vec::with_capacity(ranges.len().saturating_add(1));
    let mut next = 0;
    for (from, to) in ranges {
        if *from > next {
            others.push((next, from.saturating_sub(1)));
        }
        next = to.saturating_add(1);
    }
    if next <= LAST {
        others.push((next, LAST));
    }
    others
}

pub fn has(ranges: &[Range], letter: char) -> bool {
    let point = u32::from(letter);
    let place = ranges.partition_point(|(_, to)| *to < point);
    ranges.get(place).is_some_and(|(from, _)| *from <= point)
}

pub fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_sorted_and_apart() {
        let mut set = Vec::new();
        for (added, expected) in [
            ((10, 20), vec![(10, 20)]),
            ((30, 40), vec![(10, 20), (30, 40)]),
            ((0, 5), vec![(0, 5), (10, 20), (30, 40)]),
            ((12, 15), vec![(0, 5), (10, 20), (30, 40)]),
            ((6, 6), vec![(0, 6), (10, 20), (30, 40)]),
            ((25, 29), vec![(0, 6), (10, 20), (25, 40)]),
            ((8, 26), vec![(0, 6), (8, 40)]),
            ((0, LAST), vec![(0, LAST)]),
        ] {
            add(&mut set, added);
            assert_eq!(set, expected);
        }
        assert_eq!(others(&set), []);
        assert_eq!(others(&[]), [(0, LAST)]);
        assert_eq!(others(&others(SPACES)), SPACES);
    }
}
