//! Names in the order of their lengths: one is compared with the few that are as long.

use std::ops::Range;

/// Where the names of each length begin, up to the longest; made when the filter is built.
pub(super) struct ByLength<const ENDS: usize>([u8; ENDS]);

impl<const ENDS: usize> ByLength<ENDS> {
    #[expect(
        clippy::indexing_slicing,
        reason = "computed when the filter is built, where a panic is an error of the compiler"
    )]
    pub(super) const fn of(names: &[&str]) -> Self {
        let mut starts = [0; ENDS];
        let (mut length, mut at) = (0, 0);
        while length < ENDS {
            while at < names.len() && names[at].len() < length {
                at = at.saturating_add(1);
            }
            starts[length] = at as u8;
            length = length.saturating_add(1);
        }
        assert!(names.len() <= u8::MAX as usize, "more names than a place can tell");
        assert!(at == names.len(), "a name is longer than the longest, or stands before a shorter one");
        Self(starts)
    }

    /// The places of those that are as long as this one.
    pub(super) fn as_long(&self, name: &[u8]) -> Range<usize> {
        let start = |length: usize| self.0.get(length).copied().unwrap_or_default().into();
        start(name.len())..start(name.len().saturating_add(1))
    }
}
