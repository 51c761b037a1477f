//! What one object says of a call, and the text of its arguments, which is bounded.

use crate::llm::called::{Comes, Of, kinds};
use std::cell::Cell;
use std::rc::Rc;

/// Of one call so much is kept, and so much of all that are open.
pub(super) const MOST_OF_ONE: usize = 256 * 1024;
pub(super) const MOST_OF_ALL: usize = 1024 * 1024;
/// Names of one call that differ; no honest answer has two.
const MOST_NAMES: usize = 8;

/// How much is kept, by all texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Rc<Cell<usize>>);

#[cfg(test)]
impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }
}

#[derive(Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    fault: Option<TextFault>,
    kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFault {
    TooLong,
    Broken,
}

impl Text {
    pub(super) const fn new(kept: Kept) -> Self {
        Self { bytes: Vec::new(), fault: None, kept }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let all = self.kept.0.get().saturating_add(bytes.len());
        if self.fault.is_some() {
        } else if all > MOST_OF_ALL || self.bytes.len().saturating_add(bytes.len()) > MOST_OF_ONE {
            self.give_up(TextFault::TooLong);
        } else {
            self.bytes.extend_from_slice(bytes);
            self.kept.0.set(all);
        }
    }

    /// The first fault counts.
    pub(super) fn give_up(&mut self, fault: TextFault) {
        self.fault = self.fault.or(Some(fault));
        self.kept.0.set(self.kept.0.get().saturating_sub(self.bytes.len()));
        self.bytes = Vec::new();
    }

    pub(super) fn bytes(&self) -> Result<&[u8], TextFault> {
        self.fault.map_or(Ok(&self.bytes), Err)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fault.is_none() && self.bytes.is_empty()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.kept.0.set(self.kept.0.get().saturating_sub(self.bytes.len()));
    }
}

/// Arguments, or the next piece of them.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) text: Text,
    pub(super) is_free: bool,
    pub(super) is_piece: bool,
    /// Its value is over.
    pub(super) is_whole: bool,
}

/// What an object says of a call.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) of: Of,
    pub(super) comes: Comes,
    pub(super) member: &'static str,
    pub(super) kind: String,
    pub(super) provider: String,
    pub(super) within: String,
    pub(super) id: String,
    /// Mostly one.
    pub(super) names: Vec<String>,
    /// A name, or what it is one of, is no text, is cut, or is said twice.
    pub(super) unclear: bool,
    pub(super) index: Option<u64>,
    /// In its list.
    pub(super) position: u64,
    pub(super) arguments: Option<Argument>,
    /// Values of its arguments, each with its path, as they stand.
    pub(super) parts: Option<Text>,
    pub(super) goes_on: bool,
}

impl Piece {
    pub(super) const fn new(of: Of, comes: Comes) -> Self {
        Self {
            of,
            comes,
            member: "",
            kind: String::new(),
            provider: String::new(),
            within: String::new(),
            id: String::new(),
            names: Vec::new(),
            unclear: false,
            index: None,
            position: 0,
            arguments: None,
            parts: None,
            goes_on: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    pub(super) fn add_name(&mut self, name: &str) {
        if name.is_empty() || self.names.iter().any(|known| known == name) {
        } else if self.names.len() < MOST_NAMES {
            self.names.push(name.to_owned());
        } else {
            self.unclear = true;
        }
    }

    pub(super) fn kind(&self) -> Option<kinds::CallKind<'_>> {
        kinds::of(self.of, &self.kind, self.member, &self.provider, self.name(), &self.within)
    }

    /// The same once more, without what it has said: what it took to say it is used again.
    pub(super) fn renewed(mut self, of: Of, comes: Comes) -> Self {
        let [mut kind, mut provider, mut within, mut id] =
            [&mut self.kind, &mut self.provider, &mut self.within, &mut self.id].map(std::mem::take);
        [&mut kind, &mut provider, &mut within, &mut id].into_iter().for_each(String::clear);
        Self { kind, provider, within, id, ..Self::new(of, comes) }
    }

    /// Other than by its member: later deltas may have no more than that.
    pub(super) const fn says_kind(&self) -> bool {
        !self.kind.is_empty() || !self.provider.is_empty()
    }

    /// Whether it may be more of a call that has begun, though it doesn't say of which kind.
    pub(super) fn is_more(&self) -> bool {
        let says_none = self.kind.is_empty() || self.kind.ends_with("_delta");
        says_none && (self.arguments.is_some() || self.parts.is_some())
    }

    /// Nothing but a place is said.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
            && self.kind.is_empty()
            && self.id.is_empty()
            && !self.unclear
            && self.parts.is_none()
            && self.arguments.as_ref().is_none_or(|arguments| arguments.text.is_empty())
    }
}
