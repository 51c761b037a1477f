//! Text between what surrounds it, and where in it something may begin.

use super::Candidate;

/// A stretch of text in which something was open, and some pattern ended.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'t> {
    /// The byte before it, unless the text begins with it.
    pub before: Option<u8>,
    pub text: &'t [u8],
    /// The byte behind it, unless the text ends with it.
    pub after: Option<u8>,
}

/// Whether something may begin with a byte: not in the middle of a word.
#[inline(always)]
pub(super) fn begins_word(before: Option<u8>, byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() || !before.is_some_and(|before| before.is_ascii_alphanumeric())
}

impl<'t> Stretch<'t> {
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied().or(self.after.filter(|_| at == self.text.len()))
    }

    pub(super) fn may_begin(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map_or(self.before, |before| self.byte(before));
        self.byte(at).is_none_or(|byte| begins_word(before, byte))
    }

    /// The text that a pattern matched, of whole characters.
    pub(super) fn candidate(&self, from: usize, to: usize) -> Option<Candidate<'t>> {
        let text = self.text.get(from..to)?;
        // A pattern of bytes may end inside of a character.
        let whole = match str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => str::from_utf8(text.get(..error.valid_up_to())?).ok()?,
        };
        let before = from.checked_sub(1).map_or(self.before, |before| self.byte(before));
        let after = self.byte(from.saturating_add(whole.len()));
        (!whole.is_empty()).then_some(Candidate { before, text: whole, after })
    }
}
