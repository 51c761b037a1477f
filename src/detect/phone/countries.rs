//! Numbers with a country's code before them: ITU-T's E.164 and what its list of codes has assigned.

use super::national::is_american;

/// How many digits follow a country's code, at least and at most.
///
/// What is not listed here by itself has from 6 to 12, as long as no number has more than 15 with its code.
fn lengths(code: u32) -> (usize, usize) {
    match code {
        1 | 7 | 90 | 91 | 92 => (10, 10),
        20 | 55 | 63 | 66 | 86 => (8, 11),
        27 | 31 | 33 | 34 | 40 | 41 | 48 | 351 | 380 | 420 | 421 => (9, 9),
        30 | 52 | 57 => (10, 10),
        32 | 36 | 56 | 84 | 353 => (8, 10),
        39 => (6, 11),
        43 | 49 => (6, 13),
        44 => (9, 10),
        45 | 47 | 65 | 372 | 371 | 370 => (7, 8),
        46 | 61 => (7, 10),
        81 | 82 => (8, 10),
        _ => (6, 12),
    }
}

/// The code that digits begin with, and how many of them it has. Codes with three digits have no two-digit beginning of another.
fn code(digits: &[u8]) -> Option<(u32, usize)> {
    let number = |count: usize| {
        let first = digits.get(..count)?;
        Some(first.iter().fold(0_u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(*digit))))
    };
    match number(2)? {
        10..=19 => Some((1, 1)),
        70..=79 => Some((7, 1)),
        two @ (20 | 27 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 | 81 | 82 | 84 | 86 | 90..=95 | 98) => {
            Some((two, 2))
        }
        _ => match number(3)? {
            three @ (211..=213
            | 216
            | 218
            | 220..=269
            | 290..=299
            | 350..=359
            | 370..=389
            | 420
            | 421
            | 423
            | 500..=509
            | 590..=599
            | 670
            | 672..=692
            | 800
            | 808
            | 850
            | 852
            | 853
            | 855
            | 856
            | 870
            | 878
            | 880..=883
            | 886
            | 888
            | 960..=979
            | 992..=996
            | 998) => Some((three, 3)),
            _ => None,
        },
    }
}

/// How far a number reaches whose code begins `text`.
pub fn international(text: &[u8]) -> Option<usize> {
    let mut digits = [0_u8; 15];
    let (mut count, mut end, mut open, mut gap) = (0_usize, None, false, 0_usize);
    let mut known: Option<(u32, usize)> = None;
    let mut at = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                // A zero for calls from within the country, left out of calls from outside: +49 (0) 30.
                if open
                    && known.is_some()
                    && text.get(at..)?.starts_with(b"0)")
                    && text.get(at.checked_sub(1)?) == Some(&b'(')
                {
                    at = at.checked_add(1)?;
                    continue;
                }
                let Some(place) = digits.get_mut(count) else { break };
                *place = byte.wrapping_sub(b'0');
                count = count.checked_add(1)?;
                gap = 0;
                if known.is_none() {
                    known = code(digits.get(..count)?);
                }
                let last_of_group = !text.get(at.checked_add(1)?).is_some_and(u8::is_ascii_digit);
                if let Some((code, length)) = known.filter(|_| last_of_group && !open) {
                    let national = digits.get(length..count)?;
                    let (least, most) = lengths(code);
                    if national.len() > most {
                        break;
                    }
                    if national.len() >= least && is_possible(code, national) {
                        end = at.checked_add(1);
                    }
                }
            }
            b'(' if !open => open = true,
            b')' if open => open = false,
            b' ' | b'-' | b'.' | b'/' => gap = gap.checked_add(1)?,
            _ => break,
        }
        if gap > 3 {
            break;
        }
        at = at.checked_add(1)?;
    }
    end
}

fn is_possible(code: u32, national: &[u8]) -> bool {
    match (code, national) {
        (1, _) => is_american(national),
        // Italy's numbers keep their zero.
        (39, _) => true,
        (_, [first, ..]) => *first != 0,
        _ => false,
    }
}
