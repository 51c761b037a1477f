//! The calls of an answer that have begun and not ended, and those of a stream that may come once more.

use super::piece::{Argument, Kept, Piece, Text, TextFault};
use super::{Arguments, CallId, Told, Tool, partial};
use crate::digest::hmac;
use crate::json::Scanner;
use crate::llm::called::{Comes, Of};

/// Which call of a stream its parts are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) turn: u64,
    pub(super) of: Of,
    pub(super) index: u64,
}

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
/// A name that goes on from delta to delta is no longer.
const LONGEST_NAME: usize = 1_024;

struct OpenCall {
    key: Key,
    call: CallId,
    /// Where its first event begins.
    from: u64,
    kind: String,
    name: String,
    within: String,
    id: String,
    unclear: bool,
    /// Its name has been told; and whether its arguments are kept.
    told: bool,
    kept: bool,
    /// What stood in one place, and what came in pieces.
    given: Option<Argument>,
    pieces: Option<Argument>,
    parts: Option<Text>,
    goes_on: bool,
}

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
            let same = |call: &OpenCall| call.may_be(&whole) && (call.key == key || call.says_the_same(&whole));
            let by_key = self.calls.iter().position(|call| call.key == key && call.may_be(&whole));
            if let Some(at) = by_key.or_else(|| self.calls.iter().position(same)) {
                return self.end_with(at, piece, whole.given, told);
            }
            if self.is_known(&whole) {
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

impl OpenCall {
    fn new(call: CallId, key: Key, from: u64, piece: &Piece) -> Self {
        let kind = piece.kind();
        let is_named = kind.as_ref().is_none_or(|kind| kind.is_named);
        let kind = kind.map_or_else(String::new, |kind| kind.kind.into_owned());
        // What has no name is called as its kind is.
        let name = if is_named || !piece.names.is_empty() { String::new() } else { kind.clone() };
        Self {
            key,
            call,
            from,
            kind,
            name,
            within: String::new(),
            id: piece.id.clone(),
            unclear: false,
            told: false,
            kept: false,
            given: None,
            pieces: None,
            parts: None,
            goes_on: false,
        }
    }

    /// Another call begins in its place: some servers give all of them one index, or none.
    fn is_another(&self, piece: &Piece, index_said: bool) -> bool {
        let begins =
            !piece.names.is_empty() || (piece.of != Of::Chat && piece.kind().is_some() && !piece.kind.is_empty());
        if !begins {
            return false;
        }
        if !piece.id.is_empty() && !self.id.is_empty() && piece.id != self.id {
            return true;
        }
        let other_name =
            !piece.names.is_empty() && if self.goes_on { piece.name() != self.name } else { self.says_something() };
        !index_said && other_name
    }

    /// Whether a call that comes whole may be this one, by what it is.
    fn may_be(&self, whole: &Self) -> bool {
        let name = self.name.is_empty() || whole.name.is_empty() || self.name == whole.name;
        name && (self.kind.is_empty() || self.kind == whole.kind)
            && (self.within.is_empty() || self.within == whole.within)
    }

    fn says_something(&self) -> bool {
        let said = |argument: &Option<Argument>| argument.as_ref().is_some_and(|argument| !argument.text.is_empty());
        said(&self.pieces) || said(&self.given) || self.parts.is_some()
    }

    /// Nothing, or the empty object that stands in a place that pieces fill.
    fn says_nothing(&self) -> bool {
        let pieces = self.pieces.as_ref().is_none_or(|pieces| pieces.text.is_empty());
        pieces && self.parts.is_none() && self.given.as_ref().is_none_or(is_placeholder)
    }

    fn says(&self, given: &Argument) -> bool {
        let same = |own: &Option<Argument>| {
            own.as_ref().is_some_and(|own| own.text.bytes().is_ok() && own.text.bytes() == given.text.bytes())
        };
        same(&self.pieces) || (same(&self.given) && self.pieces.is_none())
    }

    fn says_the_same(&self, whole: &Self) -> bool {
        self.name == whole.name && whole.given.as_ref().is_some_and(|given| self.says(given))
    }

    fn merge(&mut self, mut piece: Piece, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.unclear |= piece.unclear;
        self.goes_on = piece.goes_on;
        if self.id.is_empty() {
            self.id.clone_from(&piece.id);
        }
        if let Some(kind) = piece.kind().filter(|kind| !piece.kind.is_empty() && kind.kind != self.kind) {
            // What was told of it was not all of it.
            self.told = false;
            self.kind = kind.kind.into_owned();
        }
        if !piece.within.is_empty() && piece.within != self.within {
            self.told = false;
            self.unclear |= !self.within.is_empty();
            self.within = std::mem::take(&mut piece.within);
        }
        let mut others = Vec::new();
        for (nth, name) in std::mem::take(&mut piece.names).into_iter().enumerate() {
            if nth > 0 {
                others.push(name);
            } else if self.name.is_empty() {
                self.name = name;
            } else if self.name != name {
                let room = self.name.len().saturating_add(name.len()) <= LONGEST_NAME;
                if room && !self.told {
                    self.name.push_str(&name);
                } else {
                    // Some readers take the last, others both as one.
                    self.unclear |= !room;
                    others.extend(room.then(|| [&*self.name, &*name].concat()));
                    others.push(name);
                }
            }
        }
        let waits = piece.comes == Comes::InParts && matches!(self.key.of, Of::Chat | Of::Function);
        if let Some(arguments) = piece.arguments.take() {
            self.take(arguments);
        }
        if let (Some(parts), true) = (piece.parts.take(), self.kept || !self.told) {
            match &mut self.parts {
                None => self.parts = Some(parts),
                Some(before) => append(before, &parts),
            }
        }
        if !self.told && !self.name.is_empty() && (!waits || self.says_something() || !others.is_empty()) {
            self.tell_name(told);
        }
        for name in others {
            let tool = Tool { kind: &self.kind, name: &name, within: &self.within, unclear: self.unclear };
            self.kept |= told(Told::Named { call: self.call, tool });
        }
    }

    fn take(&mut self, arguments: Argument) {
        if self.told && !self.kept {
            return;
        }
        let place = if arguments.is_piece { &mut self.pieces } else { &mut self.given };
        match place {
            Some(before) if arguments.is_piece => {
                append(&mut before.text, &arguments.text);
                before.is_free |= arguments.is_free;
            }
            // Given twice, otherwise.
            Some(before)
                if !before.text.is_empty()
                    && before.text.bytes() != arguments.text.bytes()
                    && !is_placeholder(before) =>
            {
                before.text.give_up(TextFault::Broken);
            }
            _ => *place = Some(arguments),
        }
    }

    fn tool(&self) -> Tool<'_> {
        Tool { kind: &self.kind, name: &self.name, within: &self.within, unclear: self.unclear }
    }

    fn tell_name(&mut self, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.told = true;
        let kept = told(Told::Named { call: self.call, tool: self.tool() });
        self.kept |= kept;
        if !self.kept {
            (self.given, self.pieces, self.parts) = (None, None, None);
        }
    }

    /// Tells what its arguments are, all texts that may be taken for them; returns what they are known by.
    fn tell_end(&self, told: &mut impl FnMut(Told<'_>) -> bool) -> Vec<Option<[u8; 32]>> {
        let assembled = self.parts.as_ref().filter(|_| self.kept).map(|parts| parts.bytes().map(partial::assembled));
        let mut tell = |arguments| {
            told(Told::Ended { call: self.call, tool: self.tool(), arguments });
        };
        if !self.kept {
            tell(Arguments::None);
            return vec![None];
        }
        let mut known = Vec::new();
        match &assembled {
            Some(Ok(Some(text))) => tell(Arguments::Json(text)),
            Some(Ok(None)) => tell(Arguments::Unreadable),
            Some(Err(fault)) => tell((*fault).into()),
            None => {}
        }
        let pieces = self.pieces.as_ref().filter(|pieces| !pieces.text.is_empty());
        let is_filled = pieces.is_some() || self.parts.is_some();
        let given = self.given.as_ref().filter(|given| {
            let same = pieces.is_some_and(|pieces| pieces.text.bytes() == given.text.bytes());
            !given.text.is_empty() && !(is_filled && (same || is_placeholder(given)))
        });
        for argument in pieces.into_iter().chain(given) {
            known.extend(argument.text.bytes().ok().map(|bytes| Some(digest(bytes))));
            tell(argument.told());
        }
        if !is_filled && given.is_none() {
            known.push(Some(digest(b"")));
            tell(Arguments::Missing);
        }
        known
    }

    fn overflows(mut self, piece: Piece, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.merge(piece, told);
        if !self.told {
            self.tell_name(told);
        }
        told(Told::Ended { call: self.call, tool: self.tool(), arguments: Arguments::TooLong });
    }

    fn digest(&self) -> [u8; 32] {
        hmac(&[], &[self.kind.as_bytes(), self.name.as_bytes(), self.within.as_bytes()])
    }
}

impl Argument {
    fn told(&self) -> Arguments<'_> {
        match self.text.bytes().map(str::from_utf8) {
            Ok(Ok(text)) if self.is_free => Arguments::FreeText(text),
            Ok(Ok(text)) if is_json(text) => Arguments::Json(text),
            Ok(_) => Arguments::Unreadable,
            Err(fault) => fault.into(),
        }
    }
}

impl From<TextFault> for Arguments<'_> {
    fn from(fault: TextFault) -> Self {
        match fault {
            TextFault::TooLong => Self::TooLong,
            TextFault::Broken => Self::Unreadable,
        }
    }
}

/// What stands in the first event of a call whose arguments follow in pieces.
fn is_placeholder(given: &Argument) -> bool {
    given.text.bytes().is_ok_and(|bytes| bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"{}"))
}

fn append(text: &mut Text, more: &Text) {
    match more.bytes() {
        Ok(bytes) => text.push(bytes),
        Err(fault) => text.give_up(fault),
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    hmac(&[], &[bytes])
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::<()>::new(&[]);
    scanner.feed(text.as_bytes(), &mut |_| {}).is_ok() && scanner.finish().is_ok()
}
