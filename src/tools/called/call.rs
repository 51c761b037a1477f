//! A call that has begun: what it has said so far, from event to event, and what is told of that.

use super::piece::{Argument, Piece, Text, TextFault};
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

/// A name that goes on from delta to delta is no longer.
pub const LONGEST_NAME: usize = 1_024;

pub(super) struct OpenCall {
    pub(super) key: Key,
    pub(super) call: CallId,
    /// Where its first event begins.
    pub(super) from: u64,
    kind: String,
    pub(super) name: String,
    pub(super) within: String,
    id: String,
    unclear: bool,
    /// Its name has been told; and whether its arguments are kept.
    pub(super) told: bool,
    pub(super) kept: bool,
    /// What stood in one place, and what came in pieces.
    pub(super) given: Option<Argument>,
    pub(super) pieces: Option<Argument>,
    pub(super) parts: Option<Text>,
    goes_on: bool,
}

impl OpenCall {
    pub(super) fn new(call: CallId, key: Key, from: u64, piece: &Piece) -> Self {
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
    pub(super) fn is_another(&self, piece: &Piece, index_said: bool) -> bool {
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
    pub(super) fn may_be(&self, whole: &Self) -> bool {
        let name = self.name.is_empty() || whole.name.is_empty() || self.name == whole.name;
        name && (self.kind.is_empty() || self.kind == whole.kind)
            && (self.within.is_empty() || self.within == whole.within)
    }

    fn says_something(&self) -> bool {
        let said = |argument: &Option<Argument>| argument.as_ref().is_some_and(|argument| !argument.text.is_empty());
        said(&self.pieces) || said(&self.given) || self.parts.is_some()
    }

    /// Nothing, or the empty object that stands in a place that pieces fill.
    pub(super) fn says_nothing(&self) -> bool {
        let pieces = self.pieces.as_ref().is_none_or(|pieces| pieces.text.is_empty());
        pieces && self.parts.is_none() && self.given.as_ref().is_none_or(is_placeholder)
    }

    pub(super) fn says(&self, given: &Argument) -> bool {
        let same = |own: &Option<Argument>| {
            own.as_ref().is_some_and(|own| own.text.bytes().is_ok() && own.text.bytes() == given.text.bytes())
        };
        same(&self.pieces) || (same(&self.given) && self.pieces.is_none())
    }

    pub(super) fn says_the_same(&self, whole: &Self) -> bool {
        let kept = self.kept || !self.told;
        self.name == whole.name
            && match &whole.given {
                Some(given) if kept && !is_placeholder(given) => self.says(given),
                _ => !kept || self.says_nothing(),
            }
    }

    pub(super) fn merge(&mut self, mut piece: Piece, told: &mut impl FnMut(Told<'_>) -> bool) {
        // What was told of it was not all of it.
        self.told &= !piece.unclear;
        self.unclear |= piece.unclear;
        self.goes_on = piece.goes_on;
        if self.id.is_empty() {
            self.id.clone_from(&piece.id);
        }
        if let Some(kind) = piece.kind().filter(|kind| piece.says_kind() && kind.kind != self.kind) {
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
            self.kept |= told(Told::Named { call: self.call, tool, from: self.from });
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

    pub(super) fn tell_name(&mut self, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.told = true;
        let kept = told(Told::Named { call: self.call, tool: self.tool(), from: self.from });
        self.kept |= kept;
        if !self.kept {
            (self.given, self.pieces, self.parts) = (None, None, None);
        }
    }

    /// Tells what its arguments are, all texts that may be taken for them; returns what they are known by.
    pub(super) fn tell_end(&self, told: &mut impl FnMut(Told<'_>) -> bool) -> Vec<Option<[u8; 32]>> {
        let assembled = self.parts.as_ref().filter(|_| self.kept).map(|parts| parts.bytes().map(partial::assembled));
        let mut tell = |arguments| {
            told(Told::Ended { call: self.call, tool: self.tool(), arguments, from: self.from });
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

    pub(super) fn overflows(mut self, piece: Piece, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.merge(piece, told);
        if !self.told {
            self.tell_name(told);
        }
        told(Told::Ended { call: self.call, tool: self.tool(), arguments: Arguments::TooLong, from: self.from });
    }

    pub(super) fn digest(&self) -> [u8; 32] {
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

pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    hmac(&[], &[bytes])
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::<()>::new(&[]);
    scanner.feed(text.as_bytes(), &mut |_| {}).is_ok() && scanner.finish().is_ok()
}
