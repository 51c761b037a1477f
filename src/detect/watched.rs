//! A text as it comes, under the eyes of an automaton: what of it is still open, and where that stands in the body.

use super::automaton::{Automaton, Stretch, begins_word};
use regex_automata::util::primitives::StateID;

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
struct Segment {
    /// Where it begins in the text.
    at: usize,
    length: usize,
    span: Span,
}

/// A stretch of text that is closed, and has the end of some match in it.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    pub before: Option<u8>,
    pub text: Vec<u8>,
    pub after: Option<u8>,
    /// In a document of JSON that is the text: whether it begins outside of any string.
    bare: Option<bool>,
    segments: Vec<Segment>,
}

/// One text of a body.
#[derive(Debug)]
pub struct Watched {
    /// What is open, by the state that it is in: the first `live` of these, all of them different.
    states: [StateID; MOST_LIVE],
    live: usize,
    /// The last byte that came.
    last: Option<u8>,
    /// The text of what is open, if something is; what is done with, otherwise.
    open: Closed,
    /// Some pattern has ended in it.
    ended: bool,
    overrun: bool,
    bare: Option<bool>,
}

/// So many matches may be open in different states: texts that are not made for it have three.
const MOST_LIVE: usize = 16;

impl Closed {
    pub fn stretch(&self) -> Stretch<'_> {
        Stretch { before: self.before, text: &self.text, after: self.after }
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

    /// Whether what stands there is in no string of a document that is the text.
    pub fn is_bare(&self, at: usize) -> bool {
        // Nothing honest stays open for longer.
        let Some(bare) = self.bare.filter(|_| at < 4_096) else { return false };
        let quotes = self.text.iter().take(at).filter(|byte| **byte == b'"').count();
        bare ^ (quotes % 2 == 1)
    }

    /// Where it begins in the body.
    pub fn begins(&self) -> Option<u64> {
        self.segments.first().map(|segment| segment.span.from)
    }

    fn add(&mut self, text: &[u8], span: Span) {
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
    fn lose(&mut self, bytes: usize) {
        self.before = bytes.checked_sub(1).and_then(|last| self.text.get(last).copied()).or(self.before);
        self.text.drain(..bytes.min(self.text.len()));
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

impl Default for Watched {
    fn default() -> Self {
        let states = [StateID::ZERO; MOST_LIVE];
        Self { states, live: 0, last: None, open: Closed::default(), ended: false, overrun: false, bare: None }
    }
}

impl Watched {
    /// More was open at once than may be: not all of it was followed.
    pub const fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// The same, since this was asked last.
    pub const fn was_overrun(&mut self) -> bool {
        std::mem::replace(&mut self.overrun, false)
    }

    /// Where what is open begins in the body.
    pub fn open_from(&self) -> Option<u64> {
        self.open.begins().filter(|_| self.live > 0)
    }

    /// What comes next stands outside of any string, or in one, if the text is a document.
    pub const fn is_bare(&mut self, bare: Option<bool>) {
        self.bare = bare;
    }

    pub const fn is_open(&self) -> bool {
        self.live > 0
    }

    /// Where the text of what is open has ended so far.
    pub fn open_to(&self) -> Option<u64> {
        self.open.segments.last().map(|segment| segment.span.to).filter(|_| self.live > 0)
    }

    /// Goes on from what is open in a text that has ended, and from what was open here: this has come to the same place.
    pub fn go_on_from(&mut self, automaton: &Automaton, text: &Self) {
        if self.live == 0 {
            (self.states, self.live, self.ended) = (text.states, text.live, false);
            self.open.clone_from(&text.open);
            let most = automaton.longest();
            if self.open.text.len() > most {
                self.open.lose(self.open.text.len().saturating_sub(most));
            }
        } else {
            text.states.iter().take(text.live).for_each(|state| self.add(*state));
        }
        self.last = text.last;
    }

    /// The next piece of what is open. Nothing begins in it.
    pub fn go_on(&mut self, automaton: &Automaton, piece: &str, span: Span, closed: &mut impl FnMut(Closed)) {
        let bytes = piece.as_bytes();
        for (at, byte) in bytes.iter().copied().enumerate() {
            self.step(automaton, byte);
            if self.live == 0 {
                return self.close(bytes, 0..at, span, Some(byte), closed);
            }
        }
        self.open.add(bytes, span);
    }

    /// What is open is followed no longer; `after` comes next.
    pub fn cut(&mut self, automaton: &Automaton, after: Option<u8>, closed: &mut impl FnMut(Closed)) {
        if self.live > 0 {
            match after {
                Some(byte) => self.step(automaton, byte),
                None => self.ended |= self.ends_with_a_match(automaton),
            }
            self.live = 0;
            self.close(&[], 0..0, Span { from: 0, to: 0 }, after, closed);
        }
    }

    fn ends_with_a_match(&self, automaton: &Automaton) -> bool {
        let open = self.states.get(..self.live).unwrap_or_default();
        open.iter().any(|state| automaton.ends_with_a_match(*state))
    }

    /// The next piece of the text, and the bytes that it was decoded from: as many as it has, or those of one escape.
    pub fn feed(&mut self, automaton: &Automaton, piece: &str, span: Span, closed: &mut impl FnMut(Closed)) {
        let bytes = piece.as_bytes();
        // Where what is open begins in this piece.
        let mut from = 0_usize;
        let mut last = self.last;
        let mut at = 0_usize;
        while let Some(byte) = bytes.get(at).copied() {
            let was_open = self.live > 0;
            match (self.live, self.states.first_mut()) {
                (0, _) => {}
                (1, Some(state)) => {
                    // Nearly all of a text comes by here.
                    let (alone, next) = automaton.alone(*state, last, bytes.get(at..).unwrap_or_default());
                    *state = next;
                    if alone > 0 {
                        at = at.saturating_add(alone);
                        last = bytes.get(at.saturating_sub(1)).copied();
                        continue;
                    }
                    self.step(automaton, byte);
                }
                _ => self.step(automaton, byte),
            }
            if was_open && self.live == 0 {
                self.close(bytes, from..at, span, Some(byte), closed);
            }
            if let Some(begun) = automaton.begin(byte)
                && begins_word(last, byte)
            {
                if self.live == 0 {
                    from = at;
                    (self.open.before, self.open.bare) = (last, self.bare);
                }
                self.add(begun);
            }
            last = Some(byte);
            at = at.saturating_add(1);
        }
        self.last = last;
        if self.live > 0 {
            self.open.add(bytes.get(from..).unwrap_or_default(), span.part(bytes.len(), from..bytes.len()));
            // What is older than the longest finding, and has seen none end, is the beginning of none.
            let most = automaton.longest();
            if !self.ended && self.open.text.len() > most.saturating_mul(2) {
                self.open.lose(self.open.text.len().saturating_sub(most));
            }
        }
    }

    /// The text ends here; the next begins anew.
    pub fn end(&mut self, automaton: &Automaton, closed: &mut impl FnMut(Closed)) {
        self.cut(automaton, None, closed);
        self.last = None;
    }

    /// What is open goes on by a byte, or not.
    fn step(&mut self, automaton: &Automaton, byte: u8) {
        let open = self.live;
        self.live = 0;
        for at in 0..open {
            let Some(state) = self.states.get(at) else { return };
            let (next, ended) = automaton.step(*state, byte);
            self.ended |= ended;
            if let Some(next) = next {
                self.add(next);
            }
        }
    }

    fn add(&mut self, state: StateID) {
        let (live, room) = self.states.split_at_mut_checked(self.live).unwrap_or_default();
        if live.contains(&state) {
            return;
        }
        match room.first_mut() {
            Some(slot) => {
                *slot = state;
                self.live = self.live.saturating_add(1);
            }
            None => self.overrun = true,
        }
    }

    /// What is open, and is not waited for any longer.
    pub fn give_up(&mut self) -> Closed {
        (self.live, self.last, self.ended) = (0, None, false);
        std::mem::take(&mut self.open)
    }

    /// Of what is open, has been so for longer than a finding can be, and has some pattern's end in it: lets the beginning be
    /// looked at. `look` gets what is open and up to where findings may begin, and returns where it ended.
    pub fn shed(&mut self, automaton: &Automaton, look: impl FnOnce(&Closed, usize) -> usize) {
        let most = automaton.longest();
        if self.live > 0 && self.ended && self.open.text.len() > most.saturating_mul(2) {
            let until = self.open.text.len().saturating_sub(most);
            let done = look(&self.open, until).max(until);
            self.open.lose(done);
        }
    }

    fn close(
        &mut self,
        bytes: &[u8],
        range: std::ops::Range<usize>,
        span: Span,
        after: Option<u8>,
        closed: &mut impl FnMut(Closed),
    ) {
        if self.ended {
            let place = span.part(bytes.len(), range.clone());
            self.open.add(bytes.get(range).unwrap_or_default(), place);
            self.open.after = after;
            closed(std::mem::take(&mut self.open));
        } else {
            self.open.text.clear();
            self.open.segments.clear();
        }
        self.ended = false;
    }
}
