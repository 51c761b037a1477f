//! Numbers of telephones: with a plus as E.164 has them, and as they are written at home in America, Britain, France and
//! Germany. Other digits look the same, so a number has its country's lengths and a usual shape, or a word says what it is.

mod countries;
mod national;

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "phone",
    label: "PHONE",
    pattern: concat!(
        r#"(?:(?i-u:(?:cell|contact|customer|home|office|tele|user|work)?(?:phone|mobile)|mobil|cell|tel|telefon|fax|call|sms|whatsapp|handy)(?i-u:[ _-]?(?:number|no|nr)| me| us)?"#,
        r#"["']?[ .:=#]*(?i-u:(?:is|at|on):? )?["']?)?"#,
        r"\+?[(0-9][0-9 ()./-]*[0-9](?: ?(?i-u:x|ext\.?) ?[0-9]+)?"
    ),
    longest: 80,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let start = text.iter().position(|byte| matches!(byte, b'+' | b'(' | b'0'..=b'9'))?;
    let number = text.get(start..)?;
    let named = start > 0;
    let before = candidate.left_of(start);
    let within = before.is_some_and(|byte| super::is_word(byte) || byte == b'+');
    let behind_sign = before.is_some_and(|byte| matches!(byte, b'.' | b'/' | b'-' | b'#' | b'$' | b'%' | b'\\'));
    // The signs may stand between the word and the number: "Tel./Fax".
    if within || (behind_sign && !named && number.first() != Some(&b'+')) {
        return None;
    }
    let length = match number.split_first()? {
        (b'+', rest) => countries::international(rest)?.checked_add(1)?,
        (b'0', [b'0', rest @ ..]) => {
            let length = countries::international(rest)?.checked_add(2)?;
            // Numbers of all kinds are filled up with zeros.
            let digits = number.get(..length)?.iter().all(u8::is_ascii_digit);
            (named || !digits).then_some(length)?
        }
        _ => national::number(number, named)?,
    };
    let end = start.checked_add(length)?;
    let end = extension(text, end).unwrap_or(end);
    // The last digit of a candidate is the last one of its run, unless the run was too long for it.
    let goes_on = match text.get(end) {
        Some(b' ' | b'(' | b')') | None => false,
        Some(_) => text.get(end.checked_add(1)?).is_some_and(u8::is_ascii_digit),
    };
    if goes_on { None } else { candidate.apart(start..end) }
}

/// Where the extension ends that stands behind a number: `x123`, ` ext. 4`.
fn extension(text: &[u8], end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (word, _) = rest.split_at_checked(rest.len().checked_sub(digits)?)?;
    let word = word.trim_ascii();
    let named = [&b"x"[..], b"ext", b"ext."].into_iter().any(|known| known.eq_ignore_ascii_case(word));
    (named && (1..=6).contains(&digits)).then_some(text.len())
}

#[cfg(test)]
mod tests;
