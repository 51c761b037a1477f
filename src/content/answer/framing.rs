//! How an answer's body is written: its documents are found in it, and each is read for its texts.

use super::super::reader::TextReader;
use super::AnswerTexts;
use crate::json::Scanner;
use crate::llm::aws_stream::{Message, Messages};
use crate::llm::event_data::EventData;
use crate::llm::schema::Dialect;
use crate::llm::sse::{Data, Sse};
use crate::llm::texts::Opaque;
use crate::policy::content::{Content, Looked};

/// How the body is written.
pub(super) enum Framing {
    /// Nothing but blanks has come.
    Unknown,
    /// One document of JSON, or several in a row.
    Documents,
    Events(Sse, EventData),
    /// AWS's; the one that comes.
    Messages(Messages, Vec<u8>),
    /// What can't be looked at.
    Opaque,
}

/// No message of AWS's that is longer is waited for.
const LONGEST_MESSAGE: usize = 1024 * 1024;

impl Framing {
    /// Bytes of a message that has not come whole.
    pub(super) const fn unfinished(&self) -> u64 {
        if let Self::Messages(_, coming) = self { coming.len() as u64 } else { 0 }
    }
}

impl AnswerTexts {
    /// The next bytes; the body's `from`th is their first.
    pub(super) fn read(&mut self, content: &Content, looked: &Looked, bytes: &[u8], from: u64, last: bool) {
        let mut bytes = bytes;
        let mut from = from;
        if matches!(self.framing, Framing::Unknown) {
            let blank =
                bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte)).count();
            (bytes, from) = (bytes.get(blank..).unwrap_or_default(), from.saturating_add(blank as u64));
            match bytes.first() {
                None => return,
                Some(b'{' | b'[') => self.framing = Framing::Documents,
                Some(b'd' | b'e' | b'i' | b'r' | b':') => {
                    self.framing = Framing::Events(Sse::new(), EventData::default());
                    self.scanner = Scanner::deep(self.texts.event);
                }
                Some(0) if self.dialect == Dialect::Aws => {
                    self.framing = Framing::Messages(Messages::default(), Vec::new());
                    self.scanner = Scanner::deep(self.texts.event);
                    self.in_messages = true;
                }
                Some(_) => return self.look_at_nothing(),
            }
        }
        if self.in_messages {
            return self.read_messages(content, looked, bytes, from, last);
        }
        let Self { framing, scanner, reader, event, begins, channels, found, .. } = self;
        match framing {
            Framing::Documents => {
                let mut rest = bytes;
                loop {
                    let at = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                    // Where the document begins in the body.
                    *begins = at.wrapping_sub(scanner.offset());
                    let Ok(after) = scanner.feed_document(rest, &mut |hit| event.hit(reader, &hit, *begins)) else {
                        // Nobody can read what follows.
                        event.hand_over(content, looked, channels, found, true);
                        channels.end(content, looked, found);
                        return self.look_at_nothing();
                    };
                    if scanner.is_complete() {
                        event.hand_over(content, looked, channels, found, true);
                        scanner.restart();
                    } else if event.is_long() {
                        event.hand_over(content, looked, channels, found, false);
                    }
                    rest = after.trim_ascii_start();
                    if rest.is_empty() {
                        break;
                    }
                }
                if last {
                    event.hand_over(content, looked, channels, found, true);
                }
            }
            Framing::Events(sse, event_data) => {
                let mut rest = bytes;
                loop {
                    let at = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                    let mut data = |Data { bytes, from }: Data<'_>| {
                        // What joins two lines stands nowhere; a number ends with it.
                        if bytes != b"\n" {
                            *begins = at.saturating_add(from as u64).wrapping_sub(scanner.offset());
                        }
                        event_data.feed(bytes);
                        let _ = scanner.feed(bytes, &mut |hit| event.hit(reader, &hit, *begins));
                    };
                    let behind = sse.feed_event(rest, &mut data);
                    let ended = behind.is_some() || (last && sse.finish(&mut |_| {}));
                    if ended {
                        event.hand_over(content, looked, channels, found, true);
                        if event_data.end() && scanner.finish().is_err() {
                            found.seen.note_opaque(Opaque::Body);
                        }
                        scanner.restart();
                        *reader = TextReader::default();
                    } else if event.is_long() {
                        event.hand_over(content, looked, channels, found, false);
                    }
                    match behind {
                        Some(behind) => rest = behind,
                        None => break,
                    }
                }
                // A text that only begins as an event does.
                if last && !event_data.has_come() {
                    found.seen.note_opaque(Opaque::Body);
                }
            }
            Framing::Unknown | Framing::Messages(..) | Framing::Opaque => {}
        }
    }

    fn read_messages(&mut self, content: &Content, looked: &Looked, bytes: &[u8], from: u64, last: bool) {
        let Self {
            framing: Framing::Messages(messages, coming), scanner, reader, event, begins, channels, found, ..
        } = self
        else {
            return;
        };
        let (mut rest, mut is_broken) = (bytes, false);
        while !rest.is_empty() && !is_broken {
            let Some((part, behind)) = messages.cut(rest) else {
                is_broken = true;
                break;
            };
            coming.extend_from_slice(part);
            rest = behind;
            if messages.is_within() {
                continue;
            }
            let at = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
            let at = at.saturating_sub(coming.len() as u64);
            match Message::read(coming, self.is_wrapped) {
                None => is_broken = true,
                Some(message) => {
                    if let Some(kind) = message.event_type().filter(|_| !self.is_wrapped) {
                        event.is_of_kind(kind);
                    }
                    *begins = at.saturating_add(message.payload_from() as u64);
                    let document = message.document();
                    let _ = scanner.feed(&document, &mut |hit| event.hit(reader, &hit, *begins));
                    event.hand_over(content, looked, channels, found, true);
                    if !document.is_empty() && scanner.finish().is_err() {
                        found.seen.note_opaque(Opaque::Body);
                    }
                    scanner.restart();
                    *reader = TextReader::default();
                    coming.clear();
                }
            }
        }
        if coming.len() > LONGEST_MESSAGE {
            found.seen.note_opaque(Opaque::TooLong);
            is_broken = true;
        }
        if is_broken {
            // Nobody can read what follows.
            channels.end(content, looked, found);
            self.look_at_nothing();
        } else if last && !coming.is_empty() {
            found.seen.note_opaque(Opaque::Body);
        }
    }
}
