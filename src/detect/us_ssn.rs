//! Social security numbers of the United States. Only a number's form and what was never issued tell it from others.

use super::groups::{Digits, grouped, may_begin_behind};
use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "us_ssn",
    label: "US_SSN",
    pattern: concat!(
        "[0-9]{3}[ -][0-9]{2}[ -][0-9]+(?:-[0-9]+)?",
        r#"|(?i-u:(?:customer|employee|patient|spouse|user)?ssn|social[ _-]?security)(?i-u:[ _-]?(?:number|num|no|nr))?["']?[ .:=#]*(?i-u:is )?["']?[0-9]+(?:[ -][0-9]+)*"#
    ),
    longest: 60,
    check,
};

/// Printed in advertisements, wallets and manuals.
const SAMPLES: [u32; 5] = [78_051_120, 111_223_333, 123_456_789, 219_099_999, 457_555_462];

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let start = candidate.first_digit()?;
    if !may_begin_behind(candidate.left_of(start)) {
        return None;
    }
    // Nine digits in a row are anything, unless words before them say what they are.
    let bare = || if start > 0 { grouped(text, start, &[9]) } else { None };
    let (digits, end) = grouped(text, start, &[3, 2, 4]).or_else(bare)?;
    if is_issued(&digits) { candidate.apart(start..end) } else { None }
}

/// 20 CFR 422 and the numbering scheme: no area of 000, 666 or 9xx, no group of 00, no serial of 0000.
fn is_issued(digits: &Digits) -> bool {
    let (area, group, serial) = (digits.number(0, 3), digits.number(3, 2), digits.number(5, 4));
    let possible = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    possible && !digits.are_all_the_same() && !SAMPLES.contains(&digits.number(0, 9))
}

#[cfg(test)]
mod tests {
    use super::super::walk::{finds, is_found, is_passed_over, passes_over};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_found() {
        finds(
            &DETECTOR,
            &[
                "«536-22-8145»",
                "«536 22 8145»",
                "My SSN is «536-22-8145».",
                "SSN: «536228145»",
                "ssn=«536228145»&x=1",
                "{\"ssn\":\"«536-22-8145»\"}",
                "{\"ssn\": \"«536228145»\",\"spouseSsn\":\"«536228146»\"}",
                "social security number «536228145»",
                "Social Security No. «536 22 8145»",
                "social_security_number: '«536228145»'",
                "(«001-01-0001»)",
                "id,ssn\n7,«899-99-9998»\n",
                "SSN#«536228145»",
                "社会保障号«536-22-8145»。",
            ],
        );
    }

    #[test]
    fn other_numbers_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("000-22-8145", "no area"),
                ("666-22-8145", "an area that is never issued"),
                ("900-22-8145", "a taxpayer's number"),
                ("536-00-8145", "no group"),
                ("536-22-0000", "no serial"),
                ("078-05-1120", "came with wallets"),
                ("219-09-9999", "from an advertisement"),
                ("123-45-6789", "a sample"),
                ("333-33-3333", "a sample"),
                ("111-22-3333", "a sample"),
                ("536228145", "nine digits without a word that says what they are"),
                ("536-22 8145", "two kinds of separators"),
                ("536-22-81456", "too long"),
                ("1536-22-8145", "the end of a longer number"),
                ("536-22-8145-9", "goes on behind a dash"),
                ("536-228-145", "other groups"),
                ("SSN: 53622814", "eight digits"),
                ("ssn_536228145", "an identifier"),
                ("x-536-22-8145", "goes on before a dash"),
                ("lesson 12", "a word that has the letters"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(
            area in 1_u32..900, group in 1_u32..100, serial in 1_u32..10_000, separator in prop::sample::select(vec!["-", " "])
        ) {
            let text = format!("{area:03}{separator}{group:02}{separator}{serial:04}");
            let digits: u32 = format!("{area:03}{group:02}{serial:04}").parse().unwrap();
            prop_assume!(area != 666 && !SAMPLES.contains(&digits) && !digits.is_multiple_of(111_111_111));
            is_found(&DETECTOR, &text);
        }

        #[test]
        fn what_was_never_issued_is_none(area in 900_u32..1_000, group in 0_u32..100, serial in 0_u32..10_000) {
            is_passed_over(&DETECTOR, &format!("{area:03}-{group:02}-{serial:04}"));
            is_passed_over(&DETECTOR, &format!("536-{group:02}-0000"));
            is_passed_over(&DETECTOR, &format!("536-00-{serial:04}"));
        }
    }
}
