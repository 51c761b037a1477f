//! A stretch of text, and where its bytes stand in the body.

use super::automaton::{Automaton, Work};
use super::candidates::Candidates;
use super::stretch::Stretch;

/// Bytes of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

impl Span {
    /// The place of some bytes of a text that stands here: all of it, where it is written as an escape.
    pub const fn part(self, length: usize, range: std::ops::Range<usize>) -> Self {
        if self.to.saturating_sub(self.from) == length as u64 {
            let from = self.from.saturating_add(range.start as u64);
            Self { from, to: self.from.saturating_add(range.end as u64) }
        } else {
            self
        }
    }
}

/// Where so many bytes of text stand in the body: each by itself, or all of them as one escape. One that is split has another
/// segment without bytes for each further place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where it begins in the text.
    at: usize,
    length: usize,
    pub(super) span: Span,
}

/// A stretch of text that is closed, and has the end of some match in it.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    pub before: Option<u8>,
    pub text: Vec<u8>,
    pub after: Option<u8>,
    /// In a document of JSON that is the text: whether it begins outside of any string.
    pub(super) bare: Option<bool>,
    pub(super) segments: Vec<Segment>,
    pub candidates: Candidates,
}

impl Closed {
    /// Looks at what begins before `until`.
    pub fn look(&mut self, automaton: &Automaton, until: usize, work: &mut Work) {
        let stretch = Stretch { before: self.before, text: &self.text, after: self.after };
        self.candidates.look(automaton, stretch, until, work);
    }

    /// All that may begin in it is known.
    pub const fn is_known(&self) -> bool {
        self.candidates.known() >= self.text.len()
    }

    /// Goes on with another, if all of both is known: what is found in either stays what it is. Not in a document, whose quotes are
    /// counted from where a stretch begins.
    pub fn take_in(&mut self, next: &mut Self) -> bool {
        let is_plain = self.bare.is_none() && next.bare.is_none() && self.is_known() && next.is_known();
        if is_plain {
            let before = self.text.len();
            self.text.append(&mut next.text);
            let moved = next.segments.drain(..).map(|Segment { at, length, span }| Segment {
                at: at.saturating_add(before),
                length,
                span,
            });
            self.segments.extend(moved);
            self.candidates.take_in(&mut next.candidates, before);
            self.after = next.after;
        }
        is_plain
    }

    /// Bytes that it takes beside its own.
    pub const fn holds(&self) -> usize {
        let segments = self.segments.capacity().saturating_mul(size_of::<Segment>());
        self.text.capacity().saturating_add(segments).saturating_add(self.candidates.holds())
    }

    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.segments.shrink_to_fit();
        self.candidates.shrink();
    }

    /// Where bytes of the text stand in the body, without those between them. An escape is whole or not at all.
    pub fn spans(&self, range: std::ops::Range<usize>) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let first = self.segments.partition_point(|segment| segment.at.saturating_add(segment.length) <= range.start);
        for Segment { at: begins, length, span } in self.segments.iter().skip(first).copied() {
            if begins > range.end {
                break;
            }
            // More of what the last byte was decoded from.
            if length == 0 && range.start < begins && begins <= range.end {
                spans.push(span);
            }
            let ends = begins.saturating_add(length);
            let (from, to) = (range.start.max(begins), range.end.min(ends));
            if from < to {
                let each = span.to.saturating_sub(span.from) == length as u64;
                let from_in = from.saturating_sub(begins) as u64;
                let to_in = to.saturating_sub(begins) as u64;
                let here = if each {
                    Span { from: span.from.saturating_add(from_in), to: span.from.saturating_add(to_in) }
                } else {
                    span
                };
                match spans.last_mut().filter(|last| last.to == here.from) {
                    Some(last) => last.to = here.to,
                    None => spans.push(here),
                }
            }
        }
        spans
    }

    /// Whether what stands there is in no string of a document that is the text. Asked of places in their order: quotes are
    /// counted on from one to the next.
    pub fn bareness(&self) -> impl FnMut(usize) -> bool {
        let (mut counted, mut bare) = (0, self.bare);
        move |at| {
            // Nothing honest stays open for longer.
            let Some(bare) = bare.as_mut().filter(|_| at < 4_096) else { return false };
            let quotes = self.text.get(counted..at).unwrap_or_default().iter().filter(|byte| **byte == b'"').count();
            counted = counted.max(at);
            *bare ^= quotes % 2 == 1;
            *bare
        }
    }

    /// Where it begins in the body.
    pub fn begins(&self) -> Option<u64> {
        self.segments.first().map(|segment| segment.span.from)
    }

    pub(super) fn add(&mut self, text: &[u8], span: Span) {
        if text.is_empty() && span.to == span.from {
            return;
        }
        let segment = Segment { at: self.text.len(), length: text.len(), span };
        self.text.extend_from_slice(text);
        // Plain text that goes on where it ended is one segment.
        if let Some(last) = self.segments.last_mut()
            && last.is_plain()
            && segment.is_plain()
            && last.span.to == span.from
        {
            last.length = last.length.saturating_add(segment.length);
            last.span.to = span.to;
            return;
        }
        self.segments.push(segment);
    }

    /// Gives up the first bytes of its text.
    pub(super) fn lose(&mut self, bytes: usize) {
        self.before = bytes.checked_sub(1).and_then(|last| self.text.get(last).copied()).or(self.before);
        self.text.drain(..bytes.min(self.text.len()));
        self.candidates = Candidates::default();
        for segment in &mut self.segments {
            segment.at = segment.at.saturating_sub(bytes);
        }
        let mut lost = bytes;
        let mut whole = 0_usize;
        for segment in &mut self.segments {
            if segment.length > lost {
                if segment.is_plain() {
                    segment.span.from = segment.span.from.saturating_add(lost as u64);
                }
                segment.length = segment.length.saturating_sub(lost);
                break;
            }
            lost = lost.saturating_sub(segment.length);
            whole = whole.saturating_add(1);
        }
        self.segments.drain(..whole.min(self.segments.len()));
    }
}

impl Segment {
    const fn is_plain(&self) -> bool {
        self.span.to.saturating_sub(self.span.from) == self.length as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counting from the beginning for each of many findings would take the square of them.
    #[test]
    fn places_in_their_order_are_bare_as_if_each_was_counted_from_the_beginning() {
        let text = br#"{"a": 12, "b\"c": "34 ""56", 78: ["9", 0]}"#.repeat(120);
        for bare in [Some(true), Some(false), None] {
            let closed = Closed { text: text.clone(), bare, ..Closed::default() };
            for step in [1, 7, 13, 600] {
                let mut is_bare = closed.bareness();
                for at in (0..=text.len()).step_by(step) {
                    let quotes = text[..at].iter().filter(|byte| **byte == b'"').count();
                    let expected = at < 4_096 && bare.is_some_and(|bare| bare ^ (quotes % 2 == 1));
                    assert_eq!(is_bare(at), expected, "{at} {step} {bare:?}");
                }
            }
        }
    }
}
