//! Keys and tokens of clouds and other services, by what their issuers let them begin with.

mod forms;

use super::{Candidate, Detector, entropy};
use core::ops::Range;
use forms::{FORMS, Form, Part};

pub const DETECTOR: Detector =
    Detector { name: "api_key", label: "API_KEY", pattern: forms::PATTERN, longest: 2_048, check };

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    FORMS.iter().find_map(|form| {
        let mut range = read(form, text)?;
        // A sentence's own full stop.
        if text.get(..range.end)?.ends_with(b".") {
            range.end = range.end.checked_sub(1)?;
        }
        // A word that says what follows may be the end of a longer one: aws_secret_access_key.
        let begins = range.start > 0 || !candidate.before.is_some_and(|byte| form.begins_within(byte));
        let goes_on = candidate.right_of(range.end).is_some_and(|byte| form.goes_on(byte));
        let value = text.get(range.clone())?;
        (begins && !goes_on && is_random(value)).then_some(range)
    })
}

/// Where the key of this form stands, if one begins here.
fn read(form: &Form, text: &[u8]) -> Option<Range<usize>> {
    let (mut start, mut at) = (0_usize, 0_usize);
    for part in form.0 {
        let rest = text.get(at..)?;
        at = at.checked_add(match part {
            Part::Is(letters) => begins_with(rest, letters).then_some(letters.len())?,
            Part::One(some) => some.iter().find(|letters| begins_with(rest, letters))?.len(),
            Part::Behind(letters) => {
                start = letters.len();
                begins_with(rest, letters).then_some(start)?
            }
            Part::Named(names) => {
                let word = rest.iter().take_while(|byte| super::is_word(**byte)).count();
                let (word, behind) = rest.split_at_checked(word)?;
                let ends_in = |name: &&str| {
                    let ends = word.len().checked_sub(name.len()).and_then(|at| word.get(at..));
                    ends.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
                };
                let between = behind.iter().take_while(|byte| b"\"': =>\\".contains(byte)).count();
                start = word.len().checked_add(between)?;
                (between > 0 && names.iter().any(ends_in)).then_some(start)?
            }
            Part::Run(letters, least, most) => {
                let count = rest.iter().take_while(|byte| letters.has(**byte)).count().min(*most);
                (count >= *least).then_some(count)?
            }
        })?;
    }
    Some(start..at)
}

fn begins_with(text: &[u8], letters: &str) -> bool {
    text.starts_with(letters.as_bytes())
}

/// Not a placeholder: `sk-xxxxxxxx`, `ghp_your_token_here`, Amazon's `AKIAIOSFODNN7EXAMPLE`.
fn is_random(key: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"example", b"EXAMPLE", b"your", b"YOUR", b"xxxx", b"XXXX", b"placeholder", b"PLACEHOLDER"];
    let has = |word: &&[u8]| key.windows(word.len()).any(|part| part == *word);
    entropy::per_byte(key) >= entropy::BIT.saturating_mul(5) / 2 && !WORDS.iter().any(has)
}

#[cfg(test)]
mod tests;
