//! The documents of an answer's body, for whoever reads more of them than the meter does: one, several in a row, those of a stream's
//! events or of AWS's messages. Whatever the head announces, the body's first byte says how it is written.

use super::aws_stream::{AwsStream, FramePiece, Messages, Wrapped};
use super::event_data::EventData;
use super::meter::Form;
use super::schema::{Dialect, Schema};
use super::sse::{Data, Sse};
use crate::json::{Field, Hit, MAX_DEPTH, Scanner};

pub struct Documents<K: 'static> {
    /// The table of an event.
    event: &'static [Field<K>],
    dialect: Dialect,
    wrapped: bool,
    /// As the head announces it.
    form: Form,
    framing: Framing,
    in_any_case: bool,
    scanner: Scanner<K, MAX_DEPTH>,
    /// Where the document begins, or the event that it stands in.
    begins: u64,
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

/// Who reads them.
pub trait Reader<K> {
    /// A document begins at this byte of the body, or the event that it stands in.
    fn begins(&mut self, _at: u64, _is_event: bool) {}

    /// Something wanted was found in these bytes; the number says which of the document's is the first of them.
    fn hit(&mut self, hit: &Hit<'_, K>, read: (&[u8], u64));

    /// All of these bytes has been read.
    fn has_read(&mut self, _read: (&[u8], u64)) {}

    fn ends(&mut self);

    /// What follows can't be read, of the document or of the body.
    fn breaks_off(&mut self) {}

    /// The stream has said that nothing follows.
    fn is_done(&mut self) {}
}

impl<K: Copy> Documents<K> {
    /// By the tables of an API's answers in one piece, and of its events.
    pub const fn new(schema: &Schema, form: Form, (answer, event): (&'static [Field<K>], &'static [Field<K>])) -> Self {
        Self {
            event,
            dialect: schema.dialect,
            wrapped: schema.wrapped,
            form,
            framing: if matches!(form, Form::Encoded) { Framing::Opaque } else { Framing::Unknown },
            in_any_case: false,
            scanner: Scanner::deep(answer),
            begins: 0,
            at: 0,
        }
    }

    /// Keys are known in other letters, too.
    pub fn in_any_case(mut self) -> Self {
        self.in_any_case = true;
        self.scanner = self.scanner.in_any_case();
        self
    }

    /// Reads on; `last` when no more can come.
    pub fn feed(&mut self, bytes: &[u8], last: bool, reader: &mut impl Reader<K>) {
        if self.at == 0 && !bytes.is_empty() && matches!(self.framing, Framing::Opaque) {
            reader.breaks_off();
        }
        let (mut bytes, mut from) = (bytes, self.at);
        self.at = self.at.saturating_add(bytes.len() as u64);
        if matches!(self.framing, Framing::Unknown) {
            let blank =
                bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte)).count();
            (bytes, from) = (bytes.get(blank..).unwrap_or_default(), from.saturating_add(blank as u64));
            let Some(first) = bytes.first() else { return };
            self.begin(*first, from, reader);
        }
        match self.framing {
            Framing::Documents => self.documents(bytes, from, last, reader),
            Framing::Events(..) => self.events(bytes, from, last, reader),
            Framing::Frames(_) => self.frames(bytes, from, last, reader),
            Framing::Unknown | Framing::Opaque => {}
        }
    }

    /// Bytes of the body that have come.
    #[cfg(test)]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Where the event or the document begins that has not ended yet. No reader takes an event for one before that.
    pub fn unfinished_from(&self) -> Option<u64> {
        let begun = match &self.framing {
            Framing::Documents => self.scanner.offset() > 0 && !self.scanner.is_complete(),
            Framing::Events(sse, _) => !sse.at_boundary(),
            Framing::Frames(frames) => frames.messages.is_within(),
            Framing::Unknown | Framing::Opaque => false,
        };
        begun.then_some(self.begins)
    }

    /// Whatever the head says, a document's first byte tells that it is one; an event may begin with a field that nobody knows, if
    /// the head announces it.
    fn begin(&mut self, first: u8, from: u64, reader: &mut impl Reader<K>) {
        self.framing = match first {
            b'{' | b'[' => Framing::Documents,
            b'd' | b'e' | b'i' | b'r' | b':' => Framing::Events(Sse::new(), EventData::default()),
            0 if self.dialect == Dialect::Aws => Framing::Frames(Box::default()),
            b'<' => Framing::Opaque,
            _ if self.form == Form::Sse => Framing::Events(Sse::new(), EventData::default()),
            _ => Framing::Opaque,
        };
        if matches!(self.framing, Framing::Events(..) | Framing::Frames(_)) {
            let scanner = Scanner::deep(self.event);
            self.scanner = if self.in_any_case { scanner.in_any_case() } else { scanner };
        }
        self.begins = from;
        if matches!(self.framing, Framing::Opaque) {
            reader.breaks_off();
        }
    }

    fn documents(&mut self, bytes: &[u8], from: u64, last: bool, reader: &mut impl Reader<K>) {
        let Self { scanner, begins, .. } = self;
        let mut rest = if scanner.offset() == 0 { bytes.trim_ascii_start() } else { bytes };
        while !rest.is_empty() {
            let at = scanner.offset();
            if at == 0 {
                *begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                reader.begins(*begins, false);
            }
            let behind = scanner.feed_document(rest, &mut |hit| reader.hit(&hit, (rest, at)));
            reader.has_read((rest, at));
            let Ok(behind) = behind else {
                reader.breaks_off();
                self.framing = Framing::Opaque;
                return;
            };
            if scanner.is_complete() {
                reader.ends();
                scanner.restart();
            }
            rest = if scanner.offset() == 0 { behind.trim_ascii_start() } else { behind };
        }
        if last && scanner.offset() > 0 {
            reader.breaks_off();
        }
    }

    fn events(&mut self, bytes: &[u8], from: u64, last: bool, reader: &mut impl Reader<K>) {
        let Self { framing: Framing::Events(sse, event), scanner, begins, .. } = self else { return };
        let mut rest = bytes;
        loop {
            if sse.at_boundary() {
                *begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                reader.begins(*begins, true);
            }
            let behind = sse.feed_event(rest, &mut |Data { bytes, .. }| {
                event.feed(bytes);
                read(scanner, bytes, reader);
            });
            if behind.is_some() || (last && sse.finish(&mut |_| {})) {
                if event.is_done() {
                    reader.is_done();
                }
                if event.end() && scanner.finish().is_err() {
                    reader.breaks_off();
                } else {
                    reader.ends();
                }
                scanner.restart();
            }
            match behind {
                Some(behind) => rest = behind,
                None => return,
            }
        }
    }

    fn frames(&mut self, bytes: &[u8], from: u64, last: bool, reader: &mut impl Reader<K>) {
        let Self { framing: Framing::Frames(frames), wrapped: is_wrapped, scanner, begins, .. } = self else { return };
        let FrameReader { messages, stream, wrapped, begun } = &mut **frames;
        let mut rest = bytes;
        while !rest.is_empty() {
            if !messages.is_within() {
                *begins = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                reader.begins(*begins, true);
            }
            let Some((part, behind)) = messages.cut(rest) else {
                reader.breaks_off();
                self.framing = Framing::Opaque;
                return;
            };
            rest = behind;
            stream.feed(part, &mut |piece| match piece {
                FramePiece::Payload(bytes) if *is_wrapped => wrapped.feed(bytes, |bytes| {
                    *begun |= !bytes.is_empty();
                    read(scanner, bytes, reader);
                }),
                FramePiece::Payload(bytes) => {
                    *begun |= !bytes.is_empty();
                    read(scanner, bytes, reader);
                }
                FramePiece::End { .. } => {
                    if std::mem::take(begun) && scanner.finish().is_err() {
                        reader.breaks_off();
                    } else {
                        reader.ends();
                    }
                    scanner.restart();
                    *wrapped = Wrapped::default();
                }
            });
        }
        if last && messages.is_within() {
            reader.breaks_off();
        }
    }
}

/// The next bytes of an event's data. One that is no document is told of when it ends.
fn read<K: Copy>(scanner: &mut Scanner<K, MAX_DEPTH>, bytes: &[u8], reader: &mut impl Reader<K>) {
    let at = scanner.offset();
    let _ = scanner.feed(bytes, &mut |hit| reader.hit(&hit, (bytes, at)));
    reader.has_read((bytes, at));
}
