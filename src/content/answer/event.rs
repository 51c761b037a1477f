//! One event of a stream, or one document: its texts, until it is known whose they are. A choice may say which it is behind what it
//! says.

use super::channels::{Channels, Which};
use super::findings::Findings;
use crate::content::reader::{Part, TextReader};
use crate::detect::Span;
use crate::json::{Container, Found, Hit, Number};
use crate::llm::texts::{Opaque, Place, Text};
use crate::policy::content::{Content, Looked};

#[derive(Default)]
pub(super) struct Event {
    said: Vec<Said>,
    /// What they say, one behind the other.
    text: String,
    /// The turns that are open, from the outermost on: which each is, and how many were said before it.
    turns: Vec<Turn>,
    /// The event itself may be of a turn.
    own: Option<u64>,
    kind: Option<EventKind>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    kind: Text,
    outer: u64,
    turns: u64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// So many bytes of the event's text, and where they stand.
    Piece {
        from: usize,
        to: usize,
        span: Span,
    },
    EndOfText,
    Unit {
        from: usize,
        to: usize,
        span: Span,
        is_number: bool,
    },
    Opaque(Opaque),
    /// Of the turn that it is said in.
    End,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    index: u64,
    before: usize,
    /// Some of it has been handed over under its index.
    is_known: bool,
}

/// What an event's name says of its texts.
#[derive(Clone, Copy, Debug)]
struct EventKind {
    place: Place,
    json: bool,
    ends: bool,
}

/// What is longer is handed on before it has ended, and what says more.
const LONG: usize = 64 * 1024;
const MOST_SAID: usize = 4 * 1024;

impl EventKind {
    fn of(name: &str) -> Self {
        let json = name.contains("arguments");
        let place = if json || name.contains("input") || name.contains("code") {
            Place::ToolCall
        } else if name.contains("reasoning") {
            Place::Reasoning
        } else {
            Place::Assistant
        };
        let ends = [".done", "_stop", ".stop", "-end", "Stop"].iter().any(|end| name.ends_with(end));
        Self { place, json, ends }
    }
}

impl Event {
    /// Where the first of its texts stands that nobody has looked at.
    pub(super) fn begins(&self) -> Option<u64> {
        self.said.iter().find_map(|said| match said.what {
            What::Piece { span, .. } | What::Unit { span, .. } => Some(span.from),
            _ => None,
        })
    }

    pub(super) fn is_long(&self) -> bool {
        self.text.len() > LONG || self.said.len() > MOST_SAID
    }

    /// So it is called outside of its document.
    pub(super) fn is_of_kind(&mut self, name: &str) {
        self.kind = Some(EventKind::of(name));
    }

    /// What its scanner found; `begins` is where its document begins in the body.
    pub(super) fn hit(&mut self, reader: &mut TextReader, hit: &Hit<'_, Text>, begins: u64) {
        match (hit.key, hit.found) {
            (Text::Turn, Found::Opened(Container::Object)) => {
                self.turns.push(Turn { index: 0, before: self.said.len(), is_known: false });
            }
            (Text::Turn, Found::Closed { container: Container::Object, .. }) => self.end_of_turn(),
            (Text::Index, Found::Number(Number::Whole(index))) => match self.turns.last_mut() {
                Some(turn) if turn.is_known => {}
                Some(turn) => turn.index = index,
                None => self.own = Some(mixed(self.own.unwrap_or(0), index)),
            },
            (Text::Kind, Found::Text { text, .. }) => self.kind = Some(EventKind::of(text)),
            (Text::End, Found::Text { .. } | Found::Bool(true)) => {
                self.say(Text::End, What::End);
            }
            _ => reader.hit(hit, &mut |kind, part| self.part(kind, part, begins)),
        }
    }

    fn part(&mut self, kind: Text, part: Part<'_>, begins: u64) {
        let here = |span: Span| Span { from: begins.wrapping_add(span.from), to: begins.wrapping_add(span.to) };
        let what = match part {
            // Counted when it ends.
            Part::Piece { .. } if matches!(kind, Text::Opaque(_)) => return,
            Part::Piece { text, span } => {
                let (from, to) = self.write(text);
                What::Piece { from, to, span: here(span) }
            }
            Part::Unit { text, span, is_number } => {
                let (from, to) = self.write(text);
                What::Unit { from, to, span: here(span), is_number }
            }
            Part::EndOfText => match kind {
                Text::Opaque(what) => What::Opaque(what),
                _ => What::EndOfText,
            },
            Part::Opaque(what) => What::Opaque(what),
        };
        self.say(kind, what);
    }

    fn write(&mut self, text: &str) -> (usize, usize) {
        let from = self.text.len();
        self.text.push_str(text);
        (from, self.text.len())
    }

    fn say(&mut self, kind: Text, what: What) {
        self.said.push(Said { kind, outer: 0, turns: 0, what });
    }

    fn end_of_turn(&mut self) {
        if let Some(turn) = self.turns.pop() {
            self.give(turn);
        }
    }

    fn give(&mut self, Turn { index, before, .. }: Turn) {
        for said in self.said.get_mut(before..).unwrap_or_default() {
            said.outer = index;
            said.turns = mixed(said.turns, index);
        }
    }

    /// All that it has said goes on to the texts that it is part of; `ended`: it says nothing more.
    pub(super) fn hand_over(
        &mut self,
        content: &Content,
        looked: &Looked,
        channels: &mut Channels,
        found: &mut Findings,
        ended: bool,
    ) {
        for open in (0..self.turns.len()).rev() {
            if let Some(turn) = self.turns.get_mut(open) {
                turn.is_known = true;
                let turn = *turn;
                self.give(turn);
            }
        }
        let of_kind = self.kind.unwrap_or(EventKind { place: Place::Assistant, json: false, ends: false });
        for said in &mut self.said {
            if let Some(own) = self.own {
                (said.outer, said.turns) = (own, mixed(said.turns, own));
            }
        }
        for said in &self.said {
            let json = said.kind.is_json() || (said.kind.place().is_none() && of_kind.json);
            let place = said.kind.place().unwrap_or(of_kind.place);
            let which = Which { outer: said.outer, turns: said.turns, place, json };
            match said.what {
                What::Piece { from, to, span } => {
                    let text = self.text.get(from..to).unwrap_or_default();
                    channels.piece((content, looked), (which, said.kind), (text, span), found);
                }
                What::EndOfText => {
                    found.seen.texts = found.seen.texts.saturating_add(1);
                    if !said.kind.joins() {
                        channels.end_of_whole(content, looked, found, true);
                    }
                }
                What::Unit { from, to, span, is_number } => {
                    let text = self.text.get(from..to).unwrap_or_default();
                    found.unit(content, looked, (text, span, is_number), place);
                }
                What::Opaque(what) => {
                    channels.end_of_whole(content, looked, found, false);
                    found.seen.note_opaque(what);
                }
                What::End => {}
            }
        }
        for said in self.said.iter().filter(|said| matches!(said.what, What::End)) {
            channels.end_of_turn(content, looked, found, said.outer);
        }
        self.said.clear();
        self.text.clear();
        self.turns.iter_mut().for_each(|turn| turn.before = 0);
        if ended {
            if of_kind.ends {
                channels.end_of_turn(content, looked, found, self.own.unwrap_or(0));
            }
            self.turns.clear();
            (self.own, self.kind) = (None, None);
        }
    }
}

/// Two indices as one.
const fn mixed(before: u64, index: u64) -> u64 {
    before.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(index).wrapping_add(1)
}
