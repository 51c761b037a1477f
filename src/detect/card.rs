//! Numbers of payment cards: ISO/IEC 7812, with the ranges and lengths that the networks publish.

use super::groups::{Digits, grouped, may_begin_behind};
use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "card",
    label: "CARD",
    // How many digits there are, and in which groups, is counted by the check: a count would multiply the automaton's states.
    pattern: "[0-9]+(?:[ -][0-9]+)*",
    longest: 40,
    check,
};

/// How numbers are written, the longest first: a card's number may be followed by its check value, but not preceded.
const SHAPES: [&[usize]; 15] = [
    &[19],
    &[4, 4, 4, 4, 3],
    &[18],
    &[4, 4, 4, 4, 2],
    &[17],
    &[4, 4, 4, 4, 1],
    &[16],
    &[4, 4, 4, 4],
    &[15],
    &[4, 6, 5],
    &[14],
    &[4, 6, 4],
    &[13],
    &[4, 4, 4, 1],
    &[4, 3, 3, 3],
];

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    if text.len() < 13 || !may_begin_behind(candidate.before) {
        return None;
    }
    let end = SHAPES.iter().find_map(|sizes| {
        let (digits, end) = grouped(text, 0, sizes)?;
        (is_issued(&digits) && has_luhn(digits.values())).then_some(end)
    })?;
    candidate.apart(0..end)
}

/// Whether a network issues numbers that begin so and are as long.
fn is_issued(digits: &Digits) -> bool {
    let long = digits.values().len();
    let six = digits.number(0, 6);
    let (one, two, three, four) = (six / 100_000, six / 10_000, six / 1_000, six / 100);
    match one {
        // UATP; JCB had 1800 and 2131 before.
        1 => long == 15,
        // Mastercard, Mir, JCB.
        2 => match four {
            2221..=2720 => long == 16,
            2200..=2204 => long >= 16,
            2131 => long == 15,
            _ => false,
        },
        // American Express, Diners Club, JCB.
        3 => match two {
            34 | 37 => long == 15,
            36 => long >= 14,
            38 | 39 => long == 14 || long >= 16,
            30 => (300..=305).contains(&three) && (long == 14 || long >= 16) || four == 3095 && long >= 14,
            // Issued are 3528 to 3589; programs that make numbers up take all of them.
            35 => long >= 16,
            _ => false,
        },
        // Visa.
        4 => matches!(long, 13 | 16 | 19),
        // Mastercard, Maestro; Verve and Elo lie in its 50.
        5 => (51..=55).contains(&two) && long == 16 || matches!(two, 50 | 56 | 57 | 58) && long >= 13,
        // Discover, UnionPay, Maestro, RuPay.
        6 => {
            let discover = four == 6011 || (644..=659).contains(&three);
            (discover || two == 62 || two == 60) && long >= 16 || matches!(two, 63 | 67) && long >= 13
        }
        // RuPay and UnionPay in India.
        8 => matches!(two, 81 | 82) && long >= 16,
        // Troy.
        9 => four == 9792 && long == 16,
        _ => false,
    }
}

/// ISO/IEC 7812-1, annex B: every second digit from the right counts twice, and its own digits are added.
fn has_luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (at, digit)| {
        let digit = u32::from(*digit);
        let weighed = match at % 2 {
            0 => digit,
            _ if digit > 4 => digit.wrapping_mul(2).wrapping_sub(9),
            _ => digit.wrapping_mul(2),
        };
        sum.wrapping_add(weighed)
    });
    sum.is_multiple_of(10)
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
                "«4111111111111111»",
                "My card is «4111 1111 1111 1111», valid 12/27.",
                "«4111-1111-1111-1111»",
                "«5555 5555 5555 4444» 123",
                "{\"pan\":\"«2223003122003222»\"}",
                "amex «378282246310005»",
                "amex «3782 822463 10005».",
                "diners «3056 930902 5904» or «36227206271667»",
                "discover «6011-0009-9013-9424»",
                "jcb «3530 1113 3330 0000»",
                "unionpay «6212345678901234569» (19)",
                "maestro «6759649826438453»",
                "visa of 13: «4222222222222»",
                "pay(card=«4242424242424242», cvv=123)",
                "4 cards: «4000 0566 5566 5556»",
                "卡号«4012888888881881»。",
                "mir «2200 0000 0000 0004»",
                "GET /cards/«4242424242424242»/charges",
            ],
        );
    }

    #[test]
    fn other_numbers_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("4111111111111112", "the check digit is wrong"),
                ("4111 1111 1111 1112", "the check digit is wrong"),
                ("94111111111111111", "the middle of a longer run"),
                ("41111111111111111234", "more than nineteen digits"),
                ("4111-1111 1111-1111", "two kinds of separators"),
                ("4111  1111  1111  1111", "two blanks"),
                ("41 1111 1111 1111 11", "groups that nobody writes"),
                ("4111-1111-1111-1111-2", "it goes on behind a dash"),
                ("0000 0000 0000 0000", "no network issues it"),
                ("9999 9999 9999 9995", "no network issues it"),
                ("0.4111111111111111", "a fraction"),
                ("x4111111111111111", "an identifier"),
                ("4111111111111111_v2", "an identifier"),
                ("550e8400-e29b-4111-1111-111111111111", "a UUID"),
                ("1700000000000000000", "nanoseconds"),
                ("2024-01-02 03-04-05", "a time"),
                ("+4111111111111111", "a plus before it"),
                ("4111111111111", "thirteen digits without the checksum"),
            ],
        );
    }

    fn luhn_digit(digits: &str) -> char {
        let digit = |last: &u8| has_luhn(&digits.bytes().chain([*last]).map(|byte| byte - b'0').collect::<Vec<_>>());
        char::from((b'0'..=b'9').find(digit).unwrap())
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(
            start in "(4|5[1-5]|222[1-9]|271[0-9])[0-9]{14}", separator in prop::sample::select(vec!["", " ", "-"])
        ) {
            let fifteen = pieces(&start, &[15])[0];
            let number = format!("{fifteen}{}", luhn_digit(fifteen));
            let groups: Vec<&str> = number.as_bytes().chunks(4).map(|four| str::from_utf8(four).unwrap()).collect();
            is_found(&DETECTOR, &groups.join(separator));
        }

        #[test]
        fn a_wrong_digit_is_no_card(start in "4[0-9]{14}", at in 0_usize..16, add in 1_u8..10) {
            let mut number = format!("{start}{}", luhn_digit(&start)).into_bytes();
            number[at] = b'0' + (number[at] - b'0' + add) % 10;
            is_passed_over(&DETECTOR, str::from_utf8(&number).unwrap());
        }
    }
}
