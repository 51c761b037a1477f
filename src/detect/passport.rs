//! Numbers of passports. Their forms are many and common, so a word before one has to say what it is.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "passport",
    label: "PASSPORT",
    // The last of the abbreviations is French, with a degree sign.
    pattern: concat!(
        r#"(?i-u:(?:customer|guest|passenger|user)?passports?|passeport|reisepass|pasaporte|passaporto)(?i-u:[ _-]?(?:number|nummer|num|no|nr|id|n\xc2\xb0))?"#,
        r#"["']?[ .:=#(]*(?i-u:is |was )?["']?[A-Za-z0-9]+"#
    ),
    longest: 60,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text;
    let word = text.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    let start = text.len().checked_sub(word)?;
    // With nothing between, it is one word: "passports", "passport2".
    if start == 0 {
        return None;
    }
    let value = text.get(start..)?;
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let lower = value.bytes().filter(u8::is_ascii_lowercase).count();
    let upper = value.bytes().filter(u8::is_ascii_uppercase).count();
    // ICAO 9303 has nine places for it; few countries use fewer than eight, none fewer than six.
    let is_number = (6..=9).contains(&value.len()) && digits >= 4 && (lower == 0 || upper == 0);
    if is_number { candidate.apart(start..text.len()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{findings, finds, passes_over};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_found() {
        finds(
            &DETECTOR,
            &[
                "Passport number: «X1234567»",
                "passport no. «123456789»",
                "Passport No «C01X00T47».",
                "my passport is «AB1234567»",
                "my passport («L8988901C»)",
                "passport #«561234567»",
                "{\"passport\":\"«K0000000E»\"}",
                "{\"passport_number\": \"«963545637»\"}",
                "passportNumber='«PA0940443»'",
                "PASSPORT NUMBER IS «340020013»",
                "Reisepass-Nr. «C01X00T47»",
                "passeport n° «09AK12345»",
                "pasaporte: «AAA123456»",
                "Reisepassnummer: «CFGHJ1234»",
                "passport «g12345678»",
            ],
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("X1234567", "no word says what it is"),
                ("passport renewal", "a word"),
                ("passport 2024", "a year"),
                ("passport number required", "a word"),
                ("Passport: yes", "a word"),
                ("passports123456", "an identifier"),
                ("passport.js", "a library"),
                ("npm i passport-oauth2", "a library"),
                ("passport X1234567890", "too long"),
                ("passport X123", "too short"),
                ("passport for John, 123456789", "other words between"),
                ("passport-local@1.0.0", "a version"),
                ("passport X1234567_copy", "an identifier"),
                ("passport Abc12345", "letters of two cases"),
            ],
        );
    }

    proptest! {
        #[test]
        fn a_generated_one_is_found_whole(number in "[A-Z]{0,2}[0-9]{7}", word in "passport( (no|number))?[:]? ") {
            let text = format!("His {word}{number}, issued in 2020");
            let start = 4 + word.len();
            let found = findings(&DETECTOR, &text);
            prop_assert_eq!(found, vec![start..start + number.len()]);
            // Without the word it is not.
            prop_assert!(findings(&DETECTOR, &number).is_empty());
        }
    }
}
