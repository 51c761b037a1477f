//! The calls of an answer that have begun and not ended, and those of a stream that may come once more.

use super::call::{Key, OpenCall, digest};
use super::piece::{Argument, Kept, Piece};
use super::{CallId, Told};
use crate::llm::called::Comes;

#[derive(Default)]
pub(super) struct OpenCalls {
    pub(super) kept: Kept,
    calls: Vec<OpenCall>,
    /// Those that have ended, in a stream.
    ended: Vec<EndedCall>,
    begun: u64,
    /// Which event is read, from one on.
    event: u64,
}

/// So many are followed at a time.
const MOST_OPEN: usize = 64;
/// So many are known again.
const MOST_ENDED: usize = 256;

/// A call that has been told of, to know it again; `None`: whatever its arguments are.
struct EndedCall {
    tool: [u8; 32],
    arguments: Option<[u8; 32]>,
    /// The last event that had it.
    event: u64,
}

impl OpenCalls {
    /// Where the first begins of which more is waited for.
    pub(super) fn waits_from(&self) -> Option<u64> {
        self.calls.iter().filter(|call| !call.told || call.kept).map(|call| call.from).min()
    }

    pub(super) fn next_event(&mut self) {
        self.event = self.event.saturating_add(1);
    }

    fn next_call(&mut self) -> CallId {
        self.begun = self.begun.saturating_add(1);
        CallId(self.begun)
    }

    /// A part of a call, or its beginning.
    pub(super) fn part(
        &mut self,
        piece: Piece,
        key: Key,
        from: u64,
        index_said: bool,
        told: &mut impl FnMut(Told<'_>) -> bool,
    ) {
        let kind = piece.kind();
        let mut at = self.calls.iter().position(|call| call.key == key);
        let is_call = match &kind {
            Some(kind) => at.is_some() || !kind.is_named || !piece.is_empty(),
            None => piece.is_more(),
        };
        if !is_call {
            return;
        }
        if let Some(open) =
            at.filter(|open| self.calls.get(*open).is_some_and(|call| call.is_another(&piece, index_said)))
        {
            self.end_at(open, told);
            at = None;
        }
        let at = at.unwrap_or(self.calls.len());
        if at >= MOST_OPEN {
            let call = self.next_call();
            return OpenCall::new(call, key, from, &piece).overflows(piece, told);
        }
        if at == self.calls.len() {
            let call = self.next_call();
            self.calls.push(OpenCall::new(call, key, from, &piece));
        }
        let closes = piece.comes == Comes::Closing && !piece.goes_on;
        if let Some(call) = self.calls.get_mut(at) {
            call.merge(piece, told);
        }
        if closes {
            self.end_at(at, told);
        }
    }

    /// A call in one piece; `is_event`: perhaps one that was told of before.
    pub(super) fn whole(
        &mut self,
        mut piece: Piece,
        key: Key,
        from: u64,
        is_event: bool,
        told: &mut impl FnMut(Told<'_>) -> bool,
    ) {
        if piece.kind().is_none() {
            return;
        }
        let repeats = is_event && piece.comes != Comes::Whole;
        let mut whole = OpenCall::new(CallId(0), key, from, &piece);
        if whole.name.is_empty() {
            piece.name().clone_into(&mut whole.name);
        }
        whole.within.clone_from(&piece.within);
        whole.given = piece.arguments.take();
        if repeats {
            let same = |call: &OpenCall| call.may_be(&whole) && call.says_the_same(&whole);
            let by_key = self.calls.iter().position(|call| call.key == key && call.may_be(&whole));
            if let Some(at) = by_key.or_else(|| self.calls.iter().position(same)) {
                return self.end_with(at, piece, whole.given, told);
            }
            // What is cut may be the same no further than it is told.
            if !piece.unclear && self.is_known(&whole) {
                return;
            }
        }
        whole.call = self.next_call();
        whole.merge(piece, told);
        self.tell_end(&mut whole, repeats, told);
    }

    /// A call that is open comes once more, whole: what it says otherwise is told, too.
    fn end_with(&mut self, at: usize, piece: Piece, given: Option<Argument>, told: &mut impl FnMut(Told<'_>) -> bool) {
        let mut call = self.calls.remove(at);
        call.merge(piece, told);
        if !call.told {
            call.tell_name(told);
        }
        let given = given.filter(|given| call.kept && !given.text.is_empty());
        match given {
            Some(given) if call.says_nothing() => call.given = Some(given),
            Some(given) if !call.says(&given) => {
                self.tell_end(&mut call, true, told);
                (call.pieces, call.parts, call.given) = (None, None, Some(given));
            }
            _ => {}
        }
        self.tell_end(&mut call, true, told);
    }

    pub(super) fn end_turn(&mut self, turn: u64, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.end(|key| key.turn == turn, told);
    }

    pub(super) fn end_all(&mut self, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.end(|_| true, told);
    }

    /// Nothing follows of these.
    pub(super) fn end(&mut self, which: impl Fn(Key) -> bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        while let Some(at) = self.calls.iter().position(|call| which(call.key)) {
            self.end_at(at, told);
        }
    }

    fn end_at(&mut self, at: usize, told: &mut impl FnMut(Told<'_>) -> bool) {
        if at < self.calls.len() {
            let mut call = self.calls.remove(at);
            self.tell_end(&mut call, true, told);
        }
    }

    fn tell_end(&mut self, call: &mut OpenCall, remembered: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        if !call.told {
            call.tell_name(told);
        }
        let told_of = call.tell_end(told);
        if !remembered {
            return;
        }
        let tool = call.digest();
        for arguments in told_of {
            if self.ended.len() < MOST_ENDED {
                self.ended.push(EndedCall { tool, arguments, event: self.event });
            }
        }
    }

    /// Whether it was told of before, and not in this event: two of one event are two.
    fn is_known(&mut self, call: &OpenCall) -> bool {
        if self.ended.is_empty() {
            return false;
        }
        let tool = call.digest();
        let arguments = call.given.as_ref().map_or(Some(digest(b"")), |given| given.text.bytes().ok().map(digest));
        let event = self.event;
        let same = |ended: &&mut EndedCall| {
            ended.event != event && ended.tool == tool && (ended.arguments.is_none() || ended.arguments == arguments)
        };
        let Some(ended) = self.ended.iter_mut().find(same) else { return false };
        ended.event = event;
        true
    }
}
