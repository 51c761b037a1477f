//! One document of an answer, or of an event of its stream: what it says of calls, until it is known of which.
//!
//! A choice may say which it is behind its calls, and an event of which kind: so parts of calls wait for the end of both. Calls that
//! are whole don't, however many a document has.

mod fields;

use super::Told;
use super::call::Key;
use super::open::OpenCalls;
use super::piece::{Piece, TextFault};
use crate::json::{Container, Found, Hit, Number};
use crate::llm::called::kinds::{self, EventKind};
use crate::llm::called::{Called, Comes, Of};

#[derive(Default)]
pub(super) struct Document {
    /// Where it begins in the body.
    pub(super) begins: u64,
    /// It is one of a stream's: it may say again what was told before.
    pub(super) is_event: bool,
    event: Option<EventKind>,
    /// The type of the call that the event's own fields are of.
    event_of: String,
    /// What stands in no call: the event itself may be a part of one.
    own: Option<Piece>,
    own_index: Option<u64>,
    /// Which block it is about, and whether it says something of it.
    block: Option<u64>,
    has_block: bool,
    turn: Option<Turn>,
    /// The call that is read, and parts of those before it; and one that was none, whose room is used again.
    call: Option<Piece>,
    spare: Option<Piece>,
    parts: Vec<Piece>,
    position: u64,
    /// The value that is kept as it stands: where it begins, and what of it is to come.
    value: Option<Value>,
    /// The kind of call that an unknown key says; or where the object begins that is none.
    unknown: String,
    skipped: Option<u64>,
    ends_all: bool,
    /// It says twice of which kind it is, or whose: readers disagree on what it says.
    is_doubtful: bool,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    index: u64,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    begins: u64,
    next: u64,
    is_parts: bool,
}

/// So many parts wait; what is known by then counts.
const MOST_PARTS: usize = 64;
/// What some write for a reason while there is none.
const UNFINISHED: [&str; 3] = ["", "null", "FINISH_REASON_UNSPECIFIED"];

impl Document {
    /// Where it begins, if there is something of a call in it.
    pub(super) fn call_from(&self) -> Option<u64> {
        let own = self.own.is_some() && self.event.is_none_or(|event| event.own.is_some());
        (own || self.call.is_some() || !self.parts.is_empty()).then_some(self.begins)
    }

    /// What its scanner found in these bytes, of which the first is the document's `at`th.
    pub(super) fn hit(
        &mut self,
        hit: &Hit<'_, Called>,
        (bytes, at): (&[u8], u64),
        open: &mut OpenCalls,
        told: &mut impl FnMut(Told<'_>) -> bool,
    ) {
        if let Some(skipped) = self.skipped {
            if matches!(hit.found, Found::Closed { .. }) && hit.from == skipped {
                self.skipped = None;
            }
            return;
        }
        match (hit.key, hit.found) {
            (Called::Call { .. }, Found::Opened(Container::Array)) if self.call.is_none() => self.position = 0,
            (Called::Call { of, comes }, Found::Opened(Container::Object)) if self.call.is_none() => {
                let spare = self.spare.take().map(|spare| spare.renewed(of, comes));
                self.call = Some(spare.unwrap_or_else(|| Piece::new(of, comes)));
            }
            (Called::Call { .. } | Called::Unknown, Found::Closed { container: Container::Object, .. }) => {
                self.end_call(open, told);
            }
            (Called::Unknown, Found::Named(key)) => self.unknown = kinds::of_key(key).unwrap_or_default().to_owned(),
            (Called::Unknown, Found::Opened(Container::Object)) if self.unknown.is_empty() || self.call.is_some() => {
                self.skipped = Some(hit.from);
            }
            (Called::Unknown, Found::Opened(Container::Object)) => {
                let kind = self.unknown.clone();
                self.call = Some(Piece { kind, ..Piece::new(Of::Unknown, Comes::Again) });
            }
            (Called::Turn, Found::Opened(Container::Object)) => {
                self.turn = Some(Turn { index: 0, ended: false });
                self.position = 0;
            }
            (Called::Turn, Found::Closed { container: Container::Object, .. }) => self.end_turn(open, told),
            (Called::Index, Found::Number(Number::Whole(index))) => {
                self.is_doubtful |= hit.repeated;
                match (&mut self.call, &mut self.turn) {
                    (Some(call), _) => call.index = Some(index),
                    (None, Some(turn)) => turn.index = index,
                    (None, None) => self.own_index = Some(index),
                }
            }
            (Called::BlockIndex, Found::Number(Number::Whole(index))) => {
                self.is_doubtful |= hit.repeated;
                (self.own_index, self.block) = (Some(index), Some(index));
            }
            (Called::Block, Found::Opened(_)) => self.has_block = true,
            (Called::Event, Found::Text { text, .. }) => {
                self.is_doubtful |= hit.repeated;
                self.event = Some(EventKind::of(text));
                kinds::of_event(text).clone_into(&mut self.event_of);
            }
            (Called::End, found) => self.end_if(found),
            (Called::Arguments(_) | Called::Parts, _) => self.arguments(hit, (bytes, at), open),
            (
                Called::Type
                | Called::Member(_)
                | Called::Provider
                | Called::Name
                | Called::Id
                | Called::Within
                | Called::GoesOn,
                _,
            ) => self.word(hit),
            _ => {}
        }
    }

    fn end_if(&mut self, found: Found<'_>) {
        let says = match found {
            Found::Text { text, .. } => !UNFINISHED.contains(&text),
            found => found == Found::Bool(true),
        };
        match &mut self.turn {
            Some(turn) => turn.ended |= says,
            None => self.ends_all |= says,
        }
    }

    fn end_call(&mut self, open: &mut OpenCalls, told: &mut impl FnMut(Told<'_>) -> bool) {
        let Some(mut piece) = self.call.take() else { return };
        // Of these only one goes on at a time, wherever it stands.
        let is_alone = matches!(piece.of, Of::Function | Of::Code | Of::Tool) && piece.comes != Comes::Again;
        piece.position = if is_alone { 0 } else { self.position };
        self.position = self.position.saturating_add(1);
        if matches!(piece.comes, Comes::Whole | Comes::Again) {
            let key = self.key(&piece, piece.index);
            return open.whole(piece, key, self.begins, self.is_event, told);
        }
        if piece.kind().is_none() && !piece.is_more() {
            self.spare = Some(piece);
            return;
        }
        self.parts.push(piece);
        if self.parts.len() >= MOST_PARTS {
            self.hand_over(open, told);
        }
    }

    fn key(&self, piece: &Piece, index: Option<u64>) -> Key {
        let turn = self.turn.map_or(0, |turn| turn.index);
        Key { turn, of: piece.of, index: index.unwrap_or(piece.position) }
    }

    /// What waited goes to the calls that it is of.
    fn hand_over(&mut self, open: &mut OpenCalls, told: &mut impl FnMut(Told<'_>) -> bool) {
        let event = self.event.unwrap_or_default();
        for piece in std::mem::take(&mut self.parts) {
            let index = piece.index.or(self.own_index);
            let key = self.key(&piece, index);
            if piece.comes == Comes::ByEvent && event.again {
                open.whole(piece, key, self.begins, self.is_event, told);
            } else {
                open.part(piece, key, self.begins, index.is_some(), told);
            }
        }
    }

    fn end_turn(&mut self, open: &mut OpenCalls, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.hand_over(open, told);
        if let Some(Turn { index, ended: true }) = self.turn.take() {
            open.end_turn(index, told);
        }
    }

    /// It is no document from here on, or it ends too early: what it has said of a call counts, and its arguments are broken.
    pub(super) fn break_off(&mut self, open: &mut OpenCalls, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.value = None;
        self.skipped = None;
        for piece in self.call.iter_mut().chain(&mut self.own) {
            if let Some(arguments) = &mut piece.arguments {
                arguments.text.give_up(TextFault::Broken);
            }
        }
        self.end_call(open, told);
        self.end(open, told);
    }

    /// It is over.
    pub(super) fn end(&mut self, open: &mut OpenCalls, told: &mut impl FnMut(Told<'_>) -> bool) {
        let event = self.event.unwrap_or_default();
        if let (Some(mut own), Some(of)) = (self.own.take(), event.own) {
            own.of = of;
            own.comes = Comes::ByEvent;
            if of == Of::Item {
                own.kind = std::mem::take(&mut self.event_of);
            }
            if let Some(arguments) = &mut own.arguments {
                arguments.is_free |= event.is_free;
            }
            if event.begins {
                open.end(|key| key.of == of, told);
            }
            self.parts.push(own);
        }
        self.end_turn(open, told);
        let ended = self.own_index.unwrap_or(0);
        if event.ends || (self.block.is_some() && !self.has_block) {
            open.end(|key| key.turn == 0 && key.index == ended, told);
        }
        if self.ends_all || event.ends_all {
            open.end_all(told);
        }
        if std::mem::take(&mut self.is_doubtful) {
            told(Told::Unread);
        }
        open.next_event();
        self.event = None;
        self.event_of.clear();
        (self.own_index, self.block, self.has_block) = (None, None, false);
        (self.ends_all, self.position) = (false, 0);
        self.unknown.clear();
    }
}
