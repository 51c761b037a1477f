//! One event of a stream, or the whole document, while it is read.

/// Facts of the current document: the event, or the whole JSON body.
#[derive(Clone, Copy, Default)]
pub(super) struct Event {
    pub(super) choices_empty: bool,
    pub(super) has_choices: bool,
    pub(super) usage: bool,
    /// Its usage has a count of nothing where the input stood, and counts of a cache that may be it.
    pub(super) input_is_nothing: bool,
    pub(super) cache_counts: bool,
    /// Its output was counted: text in it is among that.
    pub(super) counted: bool,
    pub(super) finished: bool,
    pub(super) reasoned: Ways,
    /// Its data began otherwise than an object: `[DONE]`, which is never the usage.
    pub(super) not_an_object: bool,
    pub(super) begun: bool,
    /// It is over, and was no whole JSON.
    pub(super) broken: bool,
}

impl Event {
    pub(super) const fn is_usage_alone(&self) -> bool {
        self.usage && self.choices_empty && !self.not_an_object
    }

    /// Nothing is generated behind the usage alone, or `[DONE]`.
    pub(super) const fn ends_the_stream(&self) -> bool {
        self.is_usage_alone() || self.not_an_object
    }
}

/// Sizes of the same text under its several names, in one event.
#[derive(Clone, Copy, Default)]
pub(super) struct Ways([u64; 3]);

impl Ways {
    /// By how much the longest has grown.
    pub(super) fn more(&mut self, way: u8, size: u64) -> u64 {
        let longest = |ways: &[u64; 3]| ways.iter().copied().max().unwrap_or(0);
        let before = longest(&self.0);
        if let Some(so_far) = self.0.get_mut(usize::from(way)) {
            *so_far = so_far.saturating_add(size);
        }
        longest(&self.0).saturating_sub(before)
    }
}
