//! Account numbers: ISO 13616, with the lengths of SWIFT's registry.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "iban",
    label: "IBAN",
    // In groups of four a match may run on into the words behind it.
    pattern: "[A-Za-z]{2}[0-9]{2}(?:[A-Za-z0-9]+|(?: [A-Za-z0-9]{4})+(?: [A-Za-z0-9]{1,3})?)",
    // Thirty-four letters in groups of four.
    longest: 42,
    check,
};

/// How long the numbers of each country are; a few of Africa and Iran use them without being registered.
const COUNTRIES: [(usize, &str); 18] = [
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "AO CV GW LY MZ PT ST"),
    (26, "DZ IR IS TR"),
    (27, "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD"),
    (28, "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let country = text.first_chunk::<2>()?.map(|letter| letter.to_ascii_uppercase());
    let length = length(country)?;
    let blanks = if text.get(4) == Some(&b' ') { length.saturating_sub(1) / 4 } else { 0 };
    let end = length.checked_add(blanks)?;
    let number = text.get(..end)?;
    let regular = number.iter().enumerate().all(|(at, byte)| (*byte == b' ') == (blanks > 0 && at % 5 == 4));
    if regular && remainder(number) == 1 { candidate.apart(0..end) } else { None }
}

fn length(country: [u8; 2]) -> Option<usize> {
    let is_among = |(_, countries): &&(usize, &str)| countries.split(' ').any(|name| name.as_bytes() == country);
    COUNTRIES.iter().find(is_among).map(|(length, _)| *length)
}

/// ISO 7064's MOD 97-10: the country and the check digits go to the end, and a letter is a number from 10 on.
fn remainder(number: &[u8]) -> u32 {
    let (head, tail) = number.split_at_checked(4).unwrap_or_default();
    tail.iter().chain(head).filter(|byte| **byte != b' ').fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        rest.wrapping_mul(if value > 9 { 100 } else { 10 }).wrapping_add(value) % 97
    })
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
                "«DE89370400440532013000»",
                "IBAN «DE89 3704 0044 0532 0130 00», BIC COBADEFF",
                "Zahl auf «DE89 3704 0044 0532 0130 00» bis zum 5. Mai",
                "«GB29NWBK60161331926819»",
                "«GB29 NWBK 6016 1331 9268 19» and more",
                "iban:«FR1420041010050500013M02606»",
                "«FR14 2004 1010 0505 0001 3M02 606»",
                "«gb29nwbk60161331926819»",
                "{\"iban\":\"«NL91ABNA0417164300»\"}",
                "«MT84MALT011000012345MTLCAST001S»",
                "(«NO93 8601 1117 947»)",
                "«LC55HEMM000100010012001200023015»",
                "«CH93 0076 2011 6238 5295 7»; «AT61 1904 3002 3457 3201»",
                "账号«ES9121000418450200051332»。",
                "DE89370400440532013001 or «BR1800360305000010009795493C1»",
            ],
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("DE88370400440532013000", "the check digits are wrong"),
                ("DE89370400440532013001", "a digit is wrong"),
                ("DE8937040044053201300", "too short"),
                ("DE893704004405320130001", "too long"),
                ("ZZ89370400440532013000", "no such country"),
                ("XDE89370400440532013000", "the end of a longer word"),
                ("DE89370400440532013000_1", "an identifier"),
                ("DE89 37040044 0532013000", "groups that nobody writes"),
                ("DE89-3704-0044-0532-0130-00", "dashes"),
                ("DE89  3704 0044 0532 0130 00", "two blanks"),
                ("GB29 NWBK 6016", "cut off"),
                ("89370400440532013000", "no country"),
                ("US12 this last word must not pass", "words"),
                ("de12 3456 7890 1234 5678 90", "the check digits are wrong"),
                ("ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12", "a hash"),
            ],
        );
    }

    fn number(country: &str, rest: &str) -> String {
        let checksum = 98 - remainder(format!("{country}00{rest}").as_bytes());
        format!("{country}{checksum:02}{rest}")
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(at in 0_usize..40, rest in "[A-Z0-9]{30}", grouped: bool, lower: bool) {
            let all: Vec<(usize, &str)> = COUNTRIES
                .iter()
                .flat_map(|(length, names)| names.split(' ').map(|name| (*length, name)))
                .collect();
            let (length, country) = all[at % all.len()];
            let mut number = number(country, pieces(&rest, &[length - 4])[0]);
            if lower {
                number.make_ascii_lowercase();
            }
            let groups: Vec<&str> = number.as_bytes().chunks(4).map(|four| str::from_utf8(four).unwrap()).collect();
            is_found(&DETECTOR, &groups.join(if grouped { " " } else { "" }));
        }

        #[test]
        fn a_wrong_digit_is_none(rest in "[0-9]{18}", at in 2_usize..22, add in 1_u8..10) {
            let mut number = number("DE", &rest).into_bytes();
            number[at] = b'0' + (number[at] - b'0' + add) % 10;
            is_passed_over(&DETECTOR, str::from_utf8(&number).unwrap());
        }
    }
}
