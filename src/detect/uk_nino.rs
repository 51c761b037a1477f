//! National insurance numbers of the United Kingdom: HMRC's manual NIM39110.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "uk_nino",
    label: "UK_NINO",
    pattern: "[A-Za-z]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-Da-d]",
    longest: 13,
    check,
};

/// Two letters that are used for other things, or never.
const UNUSED: [&[u8; 2]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let [first, second, .., last] = text else { return None };
    let letters = [*first, *second, *last];
    let upper = letters.iter().all(u8::is_ascii_uppercase);
    let lower = letters.iter().all(u8::is_ascii_lowercase);
    let [first, second, _] = letters.map(|letter| letter.to_ascii_uppercase());
    let possible = !b"DFIQUV".contains(&first) && !b"DFIOQUV".contains(&second) && !UNUSED.contains(&&[first, second]);
    let joined = |byte: Option<u8>| byte.is_some_and(|byte| byte == b'-' || super::is_word(byte));
    let apart = !joined(candidate.before) && !joined(candidate.after);
    (possible && apart && (upper || lower) && is_grouped(text)).then_some(0..text.len())
}

/// Either between all groups or between none stands the same: people write AB123456C, AB 12 34 56 C and AB 123456 C.
fn is_grouped(text: &[u8]) -> bool {
    let mut separators = [None; 4];
    let mut rest = text;
    for (group, size) in [2_usize, 2, 2, 2].into_iter().enumerate() {
        let Some((_, behind)) = rest.split_at_checked(size) else { return false };
        rest = behind;
        if let Some((byte @ (b' ' | b'-'), behind)) = rest.split_first() {
            if let Some(separator) = separators.get_mut(group) {
                *separator = Some(*byte);
            }
            rest = behind;
        }
    }
    let [outer, second, third, last] = separators;
    // Blanks within the digits come with blanks around them.
    second == third && (second.is_none() || second == outer && second == last) && (last.is_none() || last == outer)
}

#[cfg(test)]
mod tests {
    use super::super::walk::{finds, is_found, is_passed_over, passes_over, pieces};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_found() {
        finds(
            &DETECTOR,
            &[
                "«AB123456C»",
                "«AB 12 34 56 C»",
                "«AB-12-34-56-C»",
                "«AB 123456 C»",
                "«AB 123456C»",
                "my NI number is «ab123456c».",
                "NINO: «JG 10 37 59 A», thanks",
                "{\"nino\":\"«JG103759A»\"}",
                "(«NP 94 71 72 D»)",
                "nino=«SC123456B»&year=2024",
                "«jg 10 37 59 a»",
                "号码«AA123456A»。",
                "AB123456E and «AB123456D»",
            ],
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("QQ123456C", "the sample of the forms: no Q is issued"),
                ("DA123456C", "D never stands first"),
                ("AO123456C", "O never stands second"),
                ("GB123456C", "used for something else"),
                ("ZZ123456C", "never issued"),
                ("AB123456E", "no such suffix"),
                ("AB12345C", "five digits"),
                ("AB1234567C", "seven digits"),
                ("XAB123456C", "a longer word"),
                ("AB123456CD", "a longer word"),
                ("Ab123456C", "letters of two cases"),
                ("AB 12-34 56 C", "two kinds of separators"),
                ("AB12 3456C", "groups that nobody writes"),
                ("ref-AB123456C", "the end of something longer"),
                ("AB123456C-7", "goes on behind a dash"),
                ("AB123456", "no suffix"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(
            prefix in "[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]", digits in "[0-9]{6}", suffix in "[A-D]", form in 0_usize..4
        ) {
            prop_assume!(!UNUSED.iter().any(|unused| unused[..] == *prefix.as_bytes()));
            let pairs = pieces(&digits, &[2, 2]);
            is_found(&DETECTOR, &match form {
                0 => format!("{prefix}{digits}{suffix}"),
                1 => format!("{prefix} {} {suffix}", pairs.join(" ")),
                2 => format!("{prefix}-{}-{suffix}", pairs.join("-")),
                _ => format!("{prefix} {digits} {suffix}"),
            });
        }

        #[test]
        fn another_prefix_is_none(prefix in "[DFIQUV][A-Z]|[A-Z][DFIOQUV]", digits in "[0-9]{6}", suffix in "[A-D]") {
            is_passed_over(&DETECTOR, &format!("{prefix}{digits}{suffix}"));
        }
    }
}
