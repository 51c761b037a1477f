//! What goes on from one text into the next of its kind. Each is a text by itself as well, so what is found in one is believed first;
//! here is only what begins in one and ends in another.

use crate::detect::{Automaton, Closed, Span, Watched};

#[derive(Debug, Default)]
pub(super) struct Seams {
    watched: Watched,
    /// Where each text that it went on from has ended.
    ends: Ends,
    /// So many bytes more can be of what begins before the last of these.
    room: usize,
}

/// What is found across these ends is found.
#[derive(Debug)]
pub(super) struct Across {
    pub(super) closed: Closed,
    pub(super) ends: Ends,
}

/// Where texts have ended, in their order.
#[derive(Debug, Default)]
pub(super) struct Ends(Vec<u64>);

impl Seams {
    /// The text that `watched` has read ends here, and may go on in the next.
    pub(super) fn text_ends(&mut self, automaton: &Automaton, watched: &Watched) {
        if let Some(end) = watched.open_to() {
            if !self.watched.is_open() {
                self.ends.0.clear();
            }
            self.watched.go_on_from(automaton, watched);
            self.ends.0.push(end);
            self.room = automaton.longest();
        }
    }

    /// The next piece of the next text.
    pub(super) fn feed(&mut self, automaton: &Automaton, piece: &str, span: Span, across: &mut impl FnMut(Across)) {
        if !self.watched.is_open() {
            return;
        }
        let Self { watched, ends, room } = self;
        let fits = (0..=piece.len().min(*room)).rev().find(|at| piece.is_char_boundary(*at)).unwrap_or(0);
        let mut closed = |closed| across(Across { closed, ends: std::mem::take(ends) });
        watched.go_on(automaton, piece.get(..fits).unwrap_or_default(), span.part(piece.len(), 0..fits), &mut closed);
        *room = room.saturating_sub(piece.len());
        if fits < piece.len() {
            let after = piece.as_bytes().get(fits).copied();
            watched.cut(automaton, after, &mut closed);
        }
    }

    pub(super) const fn is_overrun(&self) -> bool {
        self.watched.is_overrun()
    }

    /// Bytes of what is open.
    pub(super) fn holds(&self) -> usize {
        self.watched.holds().saturating_add(self.ends.holds())
    }

    /// Nothing follows that it could go on in.
    pub(super) fn end(&mut self, automaton: &Automaton, across: &mut impl FnMut(Across)) {
        let Self { watched, ends, .. } = self;
        watched.end(automaton, &mut |closed| across(Across { closed, ends: std::mem::take(ends) }));
    }
}

impl Ends {
    /// Whether what stands in these places goes across an end.
    pub(super) fn is_crossed(&self, spans: &[Span]) -> bool {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return false };
        // In their order: a message may have a part, and a candidate, for each few bytes.
        let next = self.0.partition_point(|end| *end <= first.from);
        self.0.get(next).is_some_and(|end| *end < last.to)
    }

    pub(super) const fn holds(&self) -> usize {
        self.0.capacity().saturating_mul(size_of::<u64>())
    }
}
