use super::super::walk::{findings, finds, is_found, is_passed_over, passes_over, pieces};
use super::*;
use proptest::prelude::*;

#[test]
fn numbers_are_found() {
    finds(
        &DETECTOR,
        &[
            "«+14155552671»",
            "call «+1 (415) 555-2671» now",
            "«+1-415-555-2671», «+1.415.555.2671»",
            "«(415) 555-2671» or «(415)555-2671»",
            "«415-555-2671»; «415.555.2671»; «415 555 2671»",
            "«1-800-555-1234» is free",
            "«415-555-2671x123» and «415-555-2671 ext. 42»",
            "tel:«+44-20-7946-0958»",
            "«+44 (0) 20 7946 0958»",
            "«020 7946 0958», «(0161) 496 0000», «01632 960001»",
            "mobile: «07700 900123» or «07700900123»",
            "«+49 (0)30 123456» und «+49/30/123456»",
            "Tel. «030 123456», Fax «030/1234567»",
            "Handy: «0151 23456789» oder «0151-2345678» oder «015123456789»",
            "«(030) 1234-567»",
            "«01 23 45 67 89», «01.23.45.67.89», «06-12-34-56-78», «0612345678»",
            "«+33 1 23 45 67 89» / «0033 1 23 45 67 89»",
            "«001-415-555-2671»",
            "{\"phone\":\"«4155552671»\"}",
            "{\"homePhone\":\"«4155552671»\"}",
            "{\"phone_number\": \"«4155552671»\"}",
            "phone: «555-2671»",
            "Phone number: «12345678»",
            "call me at «4155552671»",
            "his phone is «4155552671».",
            "电话«+86 138 0013 8000»。",
            "«+91 98765 43210», «+81-90-1234-5678»",
            "«+39 06 1234 5678» for calls",
            "(«+353 1 234 5678»)",
            "«+1 415 555 2671» 100 dollars",
            "2024-01-02 «415-555-2671»",
        ],
    );
}

#[test]
fn other_numbers_are_passed_over() {
    passes_over(
        &DETECTOR,
        &[
            ("2024-01-02", "a date"),
            ("01/02/2024 and 01.02.2024 and 01-02-2024", "dates"),
            ("2024-01-02 03-04-05", "a time"),
            ("20240102123045", "a time"),
            ("1700000000", "seconds since 1970"),
            ("4155552671", "ten digits without a word that says what they are"),
            ("123-456-7890", "no area begins with 1"),
            ("911-555-2671", "no area ends with 11"),
            ("415-155-2671", "no exchange begins with 1"),
            ("$415.555.2671", "a price"),
            ("v415.555.2671", "a version"),
            ("415-555-26713", "a digit too many"),
            ("415-555-2671-1", "goes on behind a dash"),
            ("1415-555-2671", "the end of a longer number"),
            ("550e8400-e29b-41d4-a716-446655440000", "a UUID"),
            ("123-555-4567-8901", "a part of a longer number"),
            ("+1 415 555 267", "a digit too few"),
            ("+141555526711", "a digit too many"),
            ("+999 123 456 789", "no such country"),
            ("+2024-01-02", "a date"),
            ("C++11 and UTC+0200", "no number's plus"),
            ("+100 000 000 000", "an amount"),
            ("0000012345", "filled up with zeros"),
            ("0012345678901", "filled up with zeros"),
            ("0.123 456 789", "a fraction"),
            ("012-34-5678", "a number of social security"),
            ("Boston, MA 02110-1301, USA", "a postal code"),
            ("192.168.100.200", "an address"),
            ("4111 1111 1111 1111", "a card"),
            ("12 345 678", "an amount"),
            ("3.14159 26535", "a fraction"),
            ("chapter 10-12, pages 100-120", "ranges"),
            ("call 12 times", "a number of times"),
            ("10 000 000 000", "an amount"),
            ("x = (1024 - 512) / 2", "arithmetic"),
        ],
    );
}

proptest! {
    #[test]
    fn generated_ones_of_america_are_found_whole(
        area in "[2-9][02-8][02-9]", exchange in "[2-9][02-9][02-9]", line in "[0-9]{4}", form in 0_usize..7
    ) {
        is_found(&DETECTOR, &match form {
            0 => format!("+1{area}{exchange}{line}"),
            1 => format!("({area}) {exchange}-{line}"),
            2 => format!("{area}-{exchange}-{line}"),
            3 => format!("{area}.{exchange}.{line}"),
            4 => format!("+1 {area} {exchange} {line}"),
            5 => format!("1-{area}-{exchange}-{line}"),
            _ => format!("{area}-{exchange}-{line}x123"),
        });
    }

    #[test]
    fn generated_ones_of_europe_are_found_whole(digits in "[1-9][0-9]{9}", form in 0_usize..6) {
        let pairs = pieces(&digits, &[1, 2, 2, 2, 2])[..5].join(" ");
        is_found(&DETECTOR, &match form {
            0 => format!("+33{}", pairs.replace(' ', "")),
            1 => format!("+33 {pairs}"),
            2 => format!("0{pairs}"),
            3 => format!("+44 {}", pieces(&digits, &[4]).join(" ")),
            4 => format!("+49 {}", pieces(&digits, &[3]).join(" ")),
            _ => format!("0{}", pieces(&digits, &[3]).join("/")),
        });
    }

    #[test]
    fn numbers_in_a_row_are_none(digits in "[1-9][0-9]{5,18}") {
        is_passed_over(&DETECTOR, &digits);
    }

    #[test]
    fn times_are_none(year in 1970_u32..2100, month in 1_u32..13, day in 1_u32..32, hour in 0_u32..24, minute in 0_u32..60) {
        for text in [
            format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:00"),
            format!("{day:02}/{month:02}/{year} {hour:02}.{minute:02}"),
            format!("{day:02}.{month:02}.{year}, {hour:02}:{minute:02}"),
            format!("{year}{month:02}{day:02}-{hour:02}{minute:02}"),
            format!("{month:02}-{day:02}-{year}"),
        ] {
            prop_assert!(findings(&DETECTOR, &text).is_empty(), "{}", text);
        }
    }
}
