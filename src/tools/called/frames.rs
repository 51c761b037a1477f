//! Where the messages of AWS's event streams begin and end: by their first four bytes, which are their length.

/// A message is at least its prelude and its checksums, and at most what AWS allows.
const LEAST: u32 = 16;
const MOST: u32 = 32 * 1024 * 1024;

/// Cuts a body into parts of which none reaches into a second message.
#[derive(Debug, Default)]
pub(super) struct Frames {
    length: u32,
    /// Bytes of the length that have come, and bytes of the message that have not.
    have: u32,
    missing: u32,
}

impl Frames {
    /// Some of a message has come, and not all of it.
    pub(super) const fn is_within(&self) -> bool {
        self.have > 0
    }

    /// The next part, and what stands behind it. `None`: this is no length of a message.
    pub(super) fn cut<'b>(&mut self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        if self.have < 4 {
            let (first, behind) = bytes.split_at_checked(1)?;
            self.length = self.length << 8 | first.first().map_or(0, |byte| u32::from(*byte));
            self.have = self.have.saturating_add(1);
            if self.have == 4 {
                if !(LEAST..=MOST).contains(&self.length) {
                    return None;
                }
                self.missing = self.length.saturating_sub(4);
            }
            return Some((first, behind));
        }
        let length = bytes.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
        self.missing = self.missing.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        if self.missing == 0 {
            *self = Self::default();
        }
        bytes.split_at_checked(length)
    }
}
