//! The calls of tools in an answer, read as it passes: each is told when it has its name, and again when its arguments are
//! complete, from wherever they stand: whole in a document, or piece by piece in a stream.
//!
//! Readers of an answer disagree where it says something twice, so all of it is told: each name under which a call may be read, and
//! each text that may be taken for its arguments. What can't be read is told, too; nothing is passed over in silence.

mod call;
mod document;
mod open;
mod partial;
mod piece;

use crate::json::{MAX_DEPTH, Scanner};
use crate::llm::aws_stream::{AwsStream, FramePiece, Messages, Wrapped};
use crate::llm::called::{CallTables, Called};
use crate::llm::event_data::EventData;
use crate::llm::meter::Form;
use crate::llm::schema::{Dialect, Schema};
use crate::llm::sse::{Data, Sse};
use document::Document;
use open::OpenCalls;

/// Which of the calls of an answer one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// What is told of an answer's calls; a call's first event, or its document, begins at the byte `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// A call has a name: whether its arguments are to be kept is to be answered. It is told as soon as it is whole: in OpenAI's
    /// chat, where some servers split it, with the first of the arguments or with the end. Of a call that readers may know by
    /// several names, each is told.
    Named { call: CallId, tool: Tool<'a>, from: u64 },
    /// Its arguments are complete. Of a call whose end says otherwise than what came before, both are told.
    Ended { call: CallId, tool: Tool<'a>, arguments: Arguments<'a>, from: u64 },
    /// What follows can't be read, of an event or of the body: what it calls is not known.
    Unread,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// As a request offers it: `function`, `web_search`; what nobody knows, by its own type.
    pub kind: &'a str,
    /// A kind that has no names is its own.
    pub name: &'a str,
    /// The server, the namespace or the set of tools that the name is one of; mostly none.
    pub within: &'a str,
    /// One of these is longer than is told, is no text, or is said twice.
    pub unclear: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments<'a> {
    /// A document: decoded from the string that it was written in, or as it stands. A reader that keeps it may refuse it all the
    /// same: half a surrogate pair, a number beyond its range.
    Json(&'a str),
    /// Of a tool that takes no JSON.
    FreeText(&'a str),
    /// Nothing stands in their place, or an empty text: most readers take that for `{}`.
    Missing,
    /// Nobody wanted them kept.
    None,
    /// They are longer than is kept of one call or of all that are open, or more calls are open than are followed.
    TooLong,
    /// No JSON, broken off, or said twice in one place.
    Unreadable,
}

/// The calls of one answer.
pub struct Calls {
    tables: CallTables,
    dialect: Dialect,
    wrapped: bool,
    /// As the head announces it.
    form: Form,
    framing: Framing,
    scanner: Scanner<Called, MAX_DEPTH>,
    document: Document,
    open: OpenCalls,
    /// Bytes of the body that have come.
    at: u64,
}

/// How the body is written.
enum Framing {
    /// Nothing but blanks has come.
    Unknown,
    /// One document of JSON, or several in a row.
    Documents,
    Events(Sse, EventData),
    Frames(Box<FrameReader>),
    /// What can't be read.
    Opaque,
}

#[derive(Default)]
struct FrameReader {
    messages: Messages,
    stream: AwsStream,
    wrapped: Wrapped,
    /// Something of a document has come.
    begun: bool,
}

impl Calls {
    /// `None`: answers of this API call nothing.
    pub fn new(schema: &Schema, form: Form) -> Option<Self> {
        let tables = CallTables::of(schema)?;
        Some(Self {
            tables,
            dialect: schema.dialect,
            wrapped: schema.wrapped,
            form,
            framing: if form == Form::Encoded { Framing::Opaque } else { Framing::Unknown },
            scanner: Scanner::deep(tables.answer).in_any_case(),
            document: Document::default(),
            open: OpenCalls::default(),
            at: 0,
        })
    }

    /// Reads on; `last` when no more can come. What is told of a name is to be answered: whether the arguments of a call by this
    /// name are to be kept.
    pub fn feed(&mut self, bytes: &[u8], last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        if self.at == 0 && !bytes.is_empty() && matches!(self.framing, Framing::Opaque) {
            told(Told::Unread);
        }
        let from = self.at;
        self.at = self.at.saturating_add(bytes.len() as u64);
        self.read(bytes, from, last, told);
        if last {
            self.open.end_all(told);
        }
    }

    /// Where the event begins, or the document, that the first of the calls stands in of which more is waited for: its name, or
    /// arguments that are to be kept. What stands before it may go on, for all that is known of calls.
    pub fn open_from(&self) -> Option<u64> {
        self.document.call_from().into_iter().chain(self.open.waits_from()).min()
    }

    /// Where the event or the document begins that has not ended yet. No reader takes an event for one before that.
    pub fn unfinished_from(&self) -> Option<u64> {
        let begun = match &self.framing {
            Framing::Documents => self.scanner.offset() > 0 && !self.scanner.is_complete(),
            Framing::Events(sse, _) => !sse.at_boundary(),
            Framing::Frames(reader) => reader.messages.is_within(),
            Framing::Unknown | Framing::Opaque => false,
        };
        begun.then_some(self.document.begins)
    }

    fn read(&mut self, bytes: &[u8], from: u64, last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        let (mut bytes, mut from) = (bytes, from);
        if matches!(self.framing, Framing::Unknown) {
            let blank =
                bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte)).count();
            (bytes, from) = (bytes.get(blank..).unwrap_or_default(), from.saturating_add(blank as u64));
            let Some(first) = bytes.first() else { return };
            self.begin(*first, from, told);
        }
        match self.framing {
            Framing::Documents => self.documents(bytes, from, last, told),
            Framing::Events(..) => self.events(bytes, from, last, told),
            Framing::Frames(_) => self.frames(bytes, from, last, told),
            Framing::Unknown | Framing::Opaque => {}
        }
    }

    /// Whatever the head says, a document's first byte tells that it is one; an event may begin with a field that nobody knows, if
    /// the head announces it.
    fn begin(&mut self, first: u8, from: u64, told: &mut impl FnMut(Told<'_>) -> bool) {
        self.framing = match first {
            b'{' | b'[' => Framing::Documents,
            b'd' | b'e' | b'i' | b'r' | b':' => Framing::Events(Sse::new(), EventData::default()),
            0 if self.dialect == Dialect::Aws => Framing::Frames(Box::default()),
            b'<' => Framing::Opaque,
            _ if self.form == Form::Sse => Framing::Events(Sse::new(), EventData::default()),
            _ => Framing::Opaque,
        };
        if matches!(self.framing, Framing::Opaque) {
            told(Told::Unread);
        }
        self.document.begins = from;
        if matches!(self.framing, Framing::Events(..) | Framing::Frames(_)) {
            self.document.is_event = true;
            self.scanner = Scanner::deep(self.tables.event).in_any_case();
        }
    }

    fn documents(&mut self, bytes: &[u8], from: u64, last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        let Self { scanner, document, open, .. } = self;
        let mut rest = if scanner.offset() == 0 { bytes.trim_ascii_start() } else { bytes };
        while !rest.is_empty() {
            if scanner.offset() == 0 {
                document.begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
            }
            let Some(after) = document.read_document(scanner, rest, open, told) else {
                document.break_off(open, told);
                told(Told::Unread);
                self.framing = Framing::Opaque;
                return;
            };
            if scanner.is_complete() {
                document.end(open, told);
                scanner.restart();
            }
            rest = if scanner.offset() == 0 { after.trim_ascii_start() } else { after };
        }
        if last && scanner.offset() > 0 {
            document.break_off(open, told);
            told(Told::Unread);
        }
    }

    fn events(&mut self, bytes: &[u8], from: u64, last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        let Self { framing: Framing::Events(sse, event), scanner, document, open, .. } = self else { return };
        let mut rest = bytes;
        loop {
            if sse.at_boundary() {
                document.begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
            }
            let behind = sse.feed_event(rest, &mut |Data { bytes, .. }| {
                event.feed(bytes);
                document.read(scanner, bytes, open, told);
            });
            if behind.is_some() || (last && sse.finish(&mut |_| {})) {
                // Nothing follows that, and some servers say no other end.
                if event.is_done() {
                    open.end_all(told);
                }
                if event.end() && scanner.finish().is_err() {
                    document.break_off(open, told);
                    told(Told::Unread);
                } else {
                    document.end(open, told);
                }
                scanner.restart();
            }
            match behind {
                Some(behind) => rest = behind,
                None => return,
            }
        }
    }

    fn frames(&mut self, bytes: &[u8], from: u64, last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        let Self { framing: Framing::Frames(reader), wrapped: is_wrapped, scanner, document, open, .. } = self else {
            return;
        };
        let FrameReader { messages, stream, wrapped, begun } = &mut **reader;
        let mut rest = bytes;
        while !rest.is_empty() {
            if !messages.is_within() {
                document.begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
            }
            let Some((part, behind)) = messages.cut(rest) else {
                document.break_off(open, told);
                told(Told::Unread);
                self.framing = Framing::Opaque;
                return;
            };
            rest = behind;
            stream.feed(part, &mut |piece| match piece {
                FramePiece::Payload(bytes) if *is_wrapped => wrapped.feed(bytes, |bytes| {
                    *begun |= !bytes.is_empty();
                    document.read(scanner, bytes, open, told);
                }),
                FramePiece::Payload(bytes) => {
                    *begun |= !bytes.is_empty();
                    document.read(scanner, bytes, open, told);
                }
                FramePiece::End { .. } => {
                    if std::mem::take(begun) && scanner.finish().is_err() {
                        document.break_off(open, told);
                        told(Told::Unread);
                    } else {
                        document.end(open, told);
                    }
                    scanner.restart();
                    *wrapped = Wrapped::default();
                }
            });
        }
        if last && messages.is_within() {
            document.break_off(open, told);
            told(Told::Unread);
        }
    }
}

#[cfg(test)]
mod tests;
