//! A text as it comes, under the eyes of an automaton: what of it is still open.

use super::automaton::{Automaton, Work};
use super::candidates::Candidates;
use super::closed::{Closed, Span};
use super::stretch::begins_word;
use regex_automata::util::primitives::StateID;

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
    pub const fn take_overrun(&mut self) -> bool {
        std::mem::replace(&mut self.overrun, false)
    }

    /// Where what is open begins in the body.
    pub fn open_from(&self) -> Option<u64> {
        self.open.begins().filter(|_| self.live > 0)
    }

    /// Bytes of what is open.
    pub const fn holds(&self) -> usize {
        self.open.holds()
    }

    /// What comes next stands outside of any string, or in one, if the text is a document.
    pub const fn stands_bare(&mut self, bare: Option<bool>) {
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

    /// Of what is open, has been so for longer than a finding can be, and has some pattern's end in it: looks at the beginning,
    /// so that little is left to do at its end.
    pub fn look(&mut self, automaton: &Automaton, work: &mut Work) {
        let (most, length) = (automaton.longest(), self.open.text.len());
        let known = self.open.candidates.known();
        if self.live > 0 && self.ended && length > most.saturating_mul(2).saturating_add(known) {
            // What begins there ends before the text does that has come so far.
            self.open.look(automaton, length.saturating_sub(most).saturating_sub(1), work);
        }
    }

    /// The same, and lets go of it. `look` gets what is open and up to where findings may begin.
    pub fn shed(&mut self, automaton: &Automaton, look: impl FnOnce(&mut Closed, usize)) {
        let most = automaton.longest();
        if self.live > 0 && self.ended && self.open.text.len() > most.saturating_mul(2) {
            let until = self.open.text.len().saturating_sub(most);
            look(&mut self.open, until);
            self.open.lose(until);
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
            self.open.candidates = Candidates::default();
        }
        self.ended = false;
    }
}
