//! Numbers of the National Health Service: NHS Data Dictionary, «NHS NUMBER».

use super::groups::{Digits, grouped, may_begin_behind};
use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "uk_nhs",
    label: "UK_NHS",
    pattern: concat!(
        "[0-9]{3}[ -][0-9]{3}[ -][0-9]+(?:-[0-9]+)?",
        r#"|(?i-u:(?:patient)?nhs)(?i-u:[ _-]?(?:number|num|no|nr|id))?["']?[ .:=#]*(?i-u:is )?["']?[0-9]+(?:[ -][0-9]+)*"#
    ),
    longest: 60,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let start = candidate.first_digit()?;
    if !may_begin_behind(candidate.left_of(start)) {
        return None;
    }
    let named = start > 0;
    let bare = || if named { grouped(text, start, &[10]) } else { None };
    let (digits, end) = grouped(text, start, &[3, 3, 4]).or_else(bare)?;
    let right = has_check_digit(digits.values()) && !digits.are_all_the_same();
    if right && (named || is_in_use(&digits)) { candidate.apart(start..end) } else { None }
}

/// Weights from ten down to two, and what is missing to a multiple of eleven. Ten would be missing of numbers not issued.
fn has_check_digit(digits: &[u8]) -> bool {
    let weighed = digits.iter().zip((1_u32..=10).rev());
    let sum = weighed.fold(0_u32, |sum, (digit, weight)| sum.wrapping_add(u32::from(*digit).wrapping_mul(weight)));
    digits.len() == 10 && sum.is_multiple_of(11)
}

/// England and Wales have 4 and 6 to 7, Northern Ireland 32 to 39, tests 9. One in eleven telephone numbers of America has the
/// check digit and the same groups: half of them are told apart by this.
fn is_in_use(digits: &Digits) -> bool {
    matches!(digits.number(0, 2), 32..=49 | 60..=79 | 90..=99)
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
                "«943 476 5919»",
                "«943-476-5919»",
                "NHS number: «9434765919»",
                "NHS No. «943 476 5919».",
                "nhs_number=«9434765919»",
                "{\"nhsNumber\":\"«9434765919»\"}",
                "{\"nhs_number\": \"«401 023 2137»\"}",
                "Patient («401-023-2137») was seen",
                "her NHS number is «4010232137»",
                "NHS#«4010232137»",
                "NHS «221 395 1837»",
                "id\t«612 211 3441»\n",
                "NHS: '«9876543210»'",
                "nhs-no «9434765919»",
            ],
        );
    }

    #[test]
    fn other_numbers_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("943 476 5918", "the check digit is wrong"),
                ("NHS 9434765918", "the check digit is wrong"),
                ("9434765919", "ten digits without a word that says what they are"),
                ("943-476 5919", "two kinds of separators"),
                ("943 4765919", "other groups"),
                ("221 395 1837", "not in use, and no word before it"),
                ("444 444 4444", "all the same"),
                ("1943 476 5919", "the end of a longer number"),
                ("943 476 59190", "too long"),
                ("943-476-5919-1", "goes on behind a dash"),
                ("x943 476 5919", "an identifier"),
                ("NHS 2024", "a year"),
                ("NHS budget 9434765919", "other words before it"),
                ("0.943 476 5919", "a fraction"),
            ],
        );
    }

    fn number(nine: &str) -> Option<String> {
        let whole = |last: &u8| format!("{nine}{}", char::from(*last));
        let right = |last: &u8| has_check_digit(&whole(last).bytes().map(|byte| byte - b'0').collect::<Vec<_>>());
        (b'0'..=b'9').find(right).map(|last| whole(&last))
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(nine in "[467][0-9]{8}", separator in prop::sample::select(vec!["-", " "])) {
            let Some(number) = number(&nine) else { return Ok(()) };
            prop_assume!(number.bytes().any(|byte| byte != number.as_bytes()[0]));
            is_found(&DETECTOR, &pieces(&number, &[3, 3]).join(separator));
        }

        #[test]
        fn a_wrong_digit_is_none(nine in "[467][0-9]{8}", at in 0_usize..10, add in 1_u8..10) {
            let Some(number) = number(&nine) else { return Ok(()) };
            let mut wrong = number.into_bytes();
            wrong[at] = b'0' + (wrong[at] - b'0' + add) % 10;
            let wrong = str::from_utf8(&wrong).unwrap();
            is_passed_over(&DETECTOR, &pieces(wrong, &[3, 3]).join(" "));
        }
    }
}
