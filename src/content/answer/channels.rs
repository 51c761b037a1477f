//! The texts of an answer that go on from event to event, each by itself.

use super::findings::{Behind, Findings, Of};
use crate::content::nested::{Nested, Said};
use crate::detect::{Closed, Span, Watched};
use crate::llm::texts::{Opaque, Place, Text};
use crate::policy::content::{Content, Looked};

/// Which text of an answer one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Which {
    /// The outermost of the turns that it stands in: the choice, the block.
    pub(super) outer: u64,
    /// All of them.
    pub(super) turns: u64,
    pub(super) place: Place,
    pub(super) json: bool,
}

struct Channel {
    which: Which,
    watched: Watched,
    nested: Nested,
    behind: Behind,
}

#[derive(Default)]
pub(super) struct Channels {
    joined: Vec<Channel>,
    /// A text by itself, and what of it is to be looked at when it has ended.
    whole: Option<Channel>,
    closed: Vec<Closed>,
}

/// So many may have something open at a time; of more, what the first has open is given up.
const MOST: usize = 64;

impl Channel {
    fn new(which: Which) -> Self {
        Self { which, watched: Watched::default(), nested: Nested::default(), behind: Behind::default() }
    }

    fn feed(&mut self, looked: &Looked, text: &str, span: Span, closed: &mut impl FnMut(Closed, Of, &mut Behind)) {
        let Self { which, watched, nested, behind } = self;
        let mut closed = |stretch| closed(stretch, which.of(), behind);
        if which.json {
            nested.feed(text, span, &mut |Said { text, span, bare }| {
                watched.stands_bare(Some(bare));
                watched.feed(&looked.automaton, text, span, &mut closed);
            });
        } else {
            watched.stands_bare(None);
            watched.feed(&looked.automaton, text, span, &mut closed);
        }
    }

    fn end(&mut self, content: &Content, looked: &Looked, found: &mut Findings) {
        let Self { which, watched, nested, behind } = self;
        *nested = Nested::default();
        watched.end(&looked.automaton, &mut |mut closed| {
            let until = closed.text.len();
            found.look(content, looked, (&mut closed, until), which.of(), behind);
        });
        self.tell_overrun(found);
    }

    fn tell_overrun(&mut self, found: &mut Findings) {
        if self.watched.take_overrun() {
            found.seen.note_opaque(Opaque::TooMuchWork);
        }
    }

    /// What is open is not waited for any longer, and doesn't go on as it is, where a rule masks.
    fn give_up(&mut self, content: &Content, found: &mut Findings) {
        let open = self.watched.give_up();
        if !open.text.is_empty() {
            found.seen.note_opaque(Opaque::TooLong);
            found.withhold(content, &open.spans(0..open.text.len()));
        }
    }
}

impl Which {
    const fn of(self) -> Of {
        Of { place: self.place, escapes: if self.json { 2 } else { 1 } }
    }
}

impl Channels {
    /// The next of a text.
    pub(super) fn piece(
        &mut self,
        (content, looked): (&Content, &Looked),
        (which, kind): (Which, Text),
        (text, span): (&str, Span),
        found: &mut Findings,
    ) {
        found.seen.bytes = found.seen.bytes.saturating_add(text.len() as u64);
        if !kind.joins() {
            let whole = self.whole.get_or_insert_with(|| Channel::new(which));
            whole.which = which;
            let closed = &mut self.closed;
            whole.feed(looked, text, span, &mut |stretch, _, _| closed.push(stretch));
            whole.tell_overrun(found);
            return;
        }
        // One choice says one thing at a time.
        for other in &mut self.joined {
            if other.which.outer == which.outer && other.which.place != which.place {
                other.end(content, looked, found);
            }
        }
        let at = self.joined.iter().position(|channel| channel.which == which).unwrap_or_else(|| {
            if self.joined.len() >= MOST {
                match self.joined.iter().position(|channel| !channel.watched.is_open()) {
                    Some(idle) => self.joined.remove(idle).end(content, looked, found),
                    None => self.joined.remove(0).give_up(content, found),
                }
            }
            self.joined.push(Channel::new(which));
            self.joined.len().saturating_sub(1)
        });
        let Some(channel) = self.joined.get_mut(at) else { return };
        channel.feed(looked, text, span, &mut |mut closed, of, behind| {
            let until = closed.text.len();
            found.look(content, looked, (&mut closed, until), of, behind);
        });
        channel.tell_overrun(found);
        let Channel { watched, behind, .. } = channel;
        watched.shed(&looked.automaton, |closed, until| {
            found.look(content, looked, (closed, until), which.of(), behind);
        });
    }

    /// The text by itself is over; `is_text`: it was one.
    pub(super) fn end_of_whole(&mut self, content: &Content, looked: &Looked, found: &mut Findings, is_text: bool) {
        let Self { whole, closed, .. } = self;
        let Some(channel) = whole else { return };
        channel.nested = Nested::default();
        channel.watched.end(&looked.automaton, &mut |stretch| closed.push(stretch));
        channel.tell_overrun(found);
        let Channel { which, behind, .. } = channel;
        for mut stretch in closed.drain(..).filter(|_| is_text) {
            let until = stretch.text.len();
            found.look(content, looked, (&mut stretch, until), which.of(), behind);
        }
    }

    /// A turn is over.
    pub(super) fn end_of_turn(&mut self, content: &Content, looked: &Looked, found: &mut Findings, outer: u64) {
        for channel in self.joined.iter_mut().filter(|channel| channel.which.outer == outer) {
            channel.end(content, looked, found);
        }
    }

    /// All of them are over.
    pub(super) fn end(&mut self, content: &Content, looked: &Looked, found: &mut Findings) {
        self.end_of_whole(content, looked, found, true);
        for channel in &mut self.joined {
            channel.end(content, looked, found);
        }
    }

    /// Where the first of what is open begins.
    pub(super) fn open_from(&self) -> Option<u64> {
        let closed = self.closed.first().and_then(Closed::begins);
        let open = |channel: &Channel| channel.watched.open_from().into_iter().chain(channel.nested.waits_from()).min();
        self.joined.iter().chain(&self.whole).filter_map(open).chain(closed).min()
    }

    /// Nothing may wait any longer.
    pub(super) fn give_up(&mut self, content: &Content, looked: &Looked, found: &mut Findings) {
        if let Some(Channel { which, behind, .. }) = &mut self.whole {
            for mut stretch in std::mem::take(&mut self.closed) {
                let until = stretch.text.len();
                found.look(content, looked, (&mut stretch, until), which.of(), behind);
            }
        }
        for channel in self.joined.iter_mut().chain(&mut self.whole) {
            channel.give_up(content, found);
        }
    }
}
