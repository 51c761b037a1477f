//! Whether the data of a stream's events are documents.

/// The data of the event that comes: so many bytes, so far those of [`DONE`] or others.
#[derive(Default)]
pub struct EventData {
    bytes: usize,
    is_other: bool,
    some: bool,
}

/// By which OpenAI's streams end, and which is no document.
const DONE: &[u8] = b"[DONE]";

impl EventData {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.is_other |= !DONE.get(self.bytes..).is_some_and(|rest| rest.starts_with(bytes));
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.some = true;
    }

    /// The event's data are those by which a stream ends.
    pub const fn is_done(&self) -> bool {
        self.bytes == DONE.len() && !self.is_other
    }

    /// The event is over: whether its data should be a document.
    pub fn end(&mut self) -> bool {
        let bytes = std::mem::take(&mut self.bytes);
        std::mem::take(&mut self.is_other) || (bytes > 0 && bytes < DONE.len())
    }

    /// Some event had data.
    pub const fn has_come(&self) -> bool {
        self.some
    }
}
