//! Messages of AWS's event streams as a whole: where they begin and end, by their first four bytes, which are their length; what they
//! say; and how one is written, or written anew with something else in its document.

use super::{FRAME, PRELUDE, wrapped};
use crate::base64::{Decoder, encoded};
use crate::llm::request::{Edit, spliced};
use std::borrow::Cow;
use std::ops::Range;

/// A message is at least its prelude and its checksums, and at most what AWS allows.
const LEAST: u32 = FRAME;
const MOST: u32 = super::MOST_MESSAGE;
const CHECKSUM: usize = 4;
/// The type of a header's value that is a string.
const STRING: u8 = 7;

/// Cuts a body into parts of which none reaches into a second message.
#[derive(Debug, Default)]
pub struct Messages {
    length: u32,
    /// Bytes of the length that have come, and bytes of the message that have not.
    have: u32,
    missing: u32,
}

impl Messages {
    /// Some of a message has come, and not all of it.
    pub const fn is_within(&self) -> bool {
        self.have > 0
    }

    /// The next part, and what stands behind it. `None`: this is no length of a message.
    pub fn cut<'b>(&mut self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        if self.have < 4 {
            let (first, behind) = bytes.split_at_checked(1)?;
            self.length = self.length << 8 | first.first().map_or(0, |byte| u32::from(*byte));
            self.have = self.have.saturating_add(1);
            if self.have == 4 {
                if !(LEAST..=MOST).contains(&self.length) {
                    return None;
                }
                self.missing = self.length.saturating_sub(4);
            }
            return Some((first, behind));
        }
        let length = bytes.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
        self.missing = self.missing.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        if self.missing == 0 {
            *self = Self::default();
        }
        bytes.split_at_checked(length)
    }
}

/// One that has come whole.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    headers: &'m [u8],
    payload: &'m [u8],
    /// Of the payload, where a document stands in base64.
    wrapped: Option<(usize, usize)>,
}

impl<'m> Message<'m> {
    /// `None`: its lengths don't fit together. With `is_wrapped` its payload may have its document in base64.
    pub fn read(bytes: &'m [u8], is_wrapped: bool) -> Option<Self> {
        let headers = bytes.get(4..8)?.first_chunk().map(|length| u32::from_be_bytes(*length))?;
        let from = PRELUDE.checked_add(usize::try_from(headers).ok()?)?;
        let headers = bytes.get(PRELUDE..from)?;
        let payload = bytes.get(from..bytes.len().checked_sub(CHECKSUM)?)?;
        let wrapped = wrapped(payload).filter(|_| is_wrapped).map(|Range { start, end }| (start, end));
        Some(Self { headers, payload, wrapped })
    }

    /// Where its payload begins in it. Its document takes no more room than that.
    pub const fn payload_from(&self) -> usize {
        PRELUDE.saturating_add(self.headers.len())
    }

    pub fn document(&self) -> Cow<'m, [u8]> {
        match self.wrapped {
            None => Cow::Borrowed(self.payload),
            Some((from, to)) => {
                let mut decoder = Decoder::default();
                let letters = self.payload.get(from..to).unwrap_or_default();
                Cow::Owned(letters.iter().filter_map(|letter| decoder.take(*letter)).collect())
            }
        }
    }

    /// The kind of the event that it is, as a header says.
    pub fn event_type(&self) -> Option<&'m str> {
        let mut rest = self.headers;
        loop {
            let (name, behind) = rest.split_at_checked(usize::from(*rest.first()?).checked_add(1)?)?;
            let (kind, behind) = behind.split_first()?;
            let (length, behind) = behind.split_first_chunk().filter(|_| *kind == STRING)?;
            let (value, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            if name.get(1..) == Some(b":event-type") {
                return str::from_utf8(value).ok();
            }
            rest = behind;
        }
    }

    /// The same with these in its document.
    fn with(&self, edits: &[Edit]) -> Vec<u8> {
        let document = spliced(&self.document(), edits);
        match self.wrapped {
            None => written(self.headers, &document),
            Some((from, to)) => {
                let [before, behind] =
                    [self.payload.get(..from), self.payload.get(to..)].map(Option::unwrap_or_default);
                written(self.headers, &[before, encoded(&document).as_bytes(), behind].concat())
            }
        }
    }
}

/// The length of the message that begins here.
fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk().map(|length| u32::from_be_bytes(*length))?;
    usize::try_from(length).ok().filter(|_| (LEAST..=MOST).contains(&length))
}

/// Where the last message ends that is whole before this.
pub fn whole(bytes: &[u8], before: usize) -> usize {
    let mut end = 0_usize;
    while let Some(next) = bytes.get(end..).and_then(length).map(|length| end.saturating_add(length)) {
        if next > before || next > bytes.len() {
            break;
        }
        end = next;
    }
    end
}

/// Messages with these in their documents: each begins where its payload does, or what that wraps. What is no message stays as it is.
pub fn rewritten(bytes: &[u8], edits: &[Edit], is_wrapped: bool) -> Vec<u8> {
    let (mut out, mut edits) = (Vec::with_capacity(bytes.len()), edits);
    let (mut rest, mut from) = (bytes, 0_u64);
    while let Some((one, behind)) = length(rest).and_then(|length| rest.split_at_checked(length)) {
        let to = from.saturating_add(one.len() as u64);
        let count = edits.iter().take_while(|edit| edit.place.to <= to).count();
        let (own, others) = edits.split_at_checked(count).unwrap_or_default();
        match Message::read(one, is_wrapped).filter(|_| count > 0) {
            None => out.extend_from_slice(one),
            Some(message) => {
                let mut own = own.to_vec();
                let begins = from.saturating_add(message.payload_from() as u64);
                for Edit { place, .. } in &mut own {
                    (place.from, place.to) = (place.from.saturating_sub(begins), place.to.saturating_sub(begins));
                }
                out.extend(message.with(&own));
            }
        }
        (edits, rest, from) = (others, behind, to);
    }
    out.extend_from_slice(rest);
    out
}

/// A message that tells of an error, as Bedrock's are: the exception's name in a header, and JSON.
pub fn exception(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    written(&headers.map(|(name, value)| header(name, value)).concat(), payload)
}

fn header(name: &str, value: &str) -> Vec<u8> {
    let (name_length, length) =
        (u8::try_from(name.len()).unwrap_or(u8::MAX), u16::try_from(value.len()).unwrap_or(u16::MAX));
    [&[name_length], name.as_bytes(), &[STRING], &length.to_be_bytes(), value.as_bytes()].concat()
}

fn written(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let (head, body) = (length(headers.len()), length(payload.len()));
    let mut message = [FRAME.saturating_add(head).saturating_add(body).to_be_bytes(), head.to_be_bytes()].concat();
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message
}

/// The checksum of the messages, that of Ethernet: bit by bit, for the few that are written here.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{AwsStream, FramePiece};
    use super::*;

    /// An event as AWS writes it.
    pub(crate) fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
        let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
        written(&headers.map(|(name, value)| header(name, value)).concat(), payload)
    }

    /// The kinds of a stream's messages, and their documents; all checksums are right.
    pub(crate) fn read(mut stream: &[u8], is_wrapped: bool) -> Vec<(String, String)> {
        let mut some = Vec::new();
        while !stream.is_empty() {
            let (one, behind) = stream.split_at(length(stream).unwrap());
            let (bytes, sum) = one.split_at(one.len() - 4);
            assert_eq!(crc32(&bytes[..8]).to_be_bytes(), bytes[8..12]);
            assert_eq!(crc32(bytes).to_be_bytes(), sum);
            let message = Message::read(one, is_wrapped).unwrap();
            let document = String::from_utf8(message.document().into_owned()).unwrap();
            some.push((message.event_type().unwrap_or_default().to_owned(), document));
            stream = behind;
        }
        some
    }

    /// The smallest message that AWS publishes for those who write decoders has this checksum of its prelude, and of all of it.
    #[test]
    fn an_exception_is_a_frame_with_the_checksums_of_the_specification() {
        assert_eq!(crc32(&[0, 0, 0, 0x10, 0, 0, 0, 0]), 0x05c2_48eb);
        assert_eq!(crc32(&[0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb]), 0x7d98_c8ff);
        let frame = exception("validationException", b"{\"message\":\"over\"}");
        let (mut payload, mut ends) = (Vec::new(), Vec::new());
        AwsStream::default().feed(&frame, &mut |piece| match piece {
            FramePiece::Payload(bytes) => payload.extend_from_slice(bytes),
            FramePiece::End { exception } => ends.push(exception),
        });
        assert_eq!((payload.as_slice(), ends), (b"{\"message\":\"over\"}".as_slice(), vec![true]));
    }
}
