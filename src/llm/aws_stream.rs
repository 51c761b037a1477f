//! AWS's binary event stream (`application/vnd.amazon.eventstream`), as Bedrock streams its answers.
//!
//! A message is its length, the length of its headers, a checksum, the headers, the payload, a checksum; all lengths are
//! big-endian. Trade-off: the checksums are the client's to check. Lengths that can't be right end the reading: what
//! follows is then only known by its size. Source: the AWS SDKs' specification, "Amazon Event Stream".

mod messages;

use crate::base64::Decoder;
use crate::json::words;
use std::ops::Range;

#[cfg(test)]
pub(crate) use messages::tests as written;
pub use messages::{Message, Messages, exception, rewritten, whole};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramePiece<'a> {
    /// The next bytes of a message's payload.
    Payload(&'a [u8]),
    /// The message is over; `exception`: it tells of an error.
    End { exception: bool },
}

#[derive(Debug)]
pub struct AwsStream {
    part: FramePart,
    /// The prelude, while it comes.
    prelude: [u8; PRELUDE],
    have: usize,
    headers: u32,
    payload: u32,
    exception: Mark,
    /// What isn't modelled by the API, such as a failure inside of it.
    error: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramePart {
    Prelude,
    Headers,
    Payload,
    Checksum {
        missing: u8,
    },
    /// What came is no event stream.
    Broken,
}

const PRELUDE: usize = 12;
const FRAME: u32 = 16;
/// AWS's own bounds on headers and payload.
const MOST_HEADERS: u32 = 128 * 1024;
const MOST_MESSAGE: u32 = 32 * 1024 * 1024;

impl Default for AwsStream {
    fn default() -> Self {
        Self {
            part: FramePart::Prelude,
            prelude: [0; PRELUDE],
            have: 0,
            headers: 0,
            payload: 0,
            exception: Mark::new(b"exception"),
            error: Mark::new(b":error-"),
        }
    }
}

impl AwsStream {
    pub fn feed(&mut self, chunk: &[u8], piece: &mut impl FnMut(FramePiece<'_>)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            match self.part {
                FramePart::Prelude => rest = self.read_prelude(rest),
                FramePart::Headers => {
                    let (headers, after) = split(rest, &mut self.headers);
                    self.exception.feed(headers);
                    self.error.feed(headers);
                    rest = after;
                }
                FramePart::Payload => {
                    let (payload, after) = split(rest, &mut self.payload);
                    if !payload.is_empty() {
                        piece(FramePiece::Payload(payload));
                    }
                    rest = after;
                }
                FramePart::Checksum { missing } => {
                    rest = rest.get(1..).unwrap_or_default();
                    let missing = missing.saturating_sub(1);
                    self.part = FramePart::Checksum { missing };
                    if missing == 0 {
                        piece(FramePiece::End { exception: self.exception.found() || self.error.found() });
                        *self = Self::default();
                    }
                }
                FramePart::Broken => return,
            }
            if self.part == FramePart::Headers && self.headers == 0 {
                self.part = FramePart::Payload;
            }
            if self.part == FramePart::Payload && self.payload == 0 {
                self.part = FramePart::Checksum { missing: 4 };
            }
        }
    }

    fn read_prelude<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let missing = self.prelude.get_mut(self.have..).unwrap_or_default();
        let length = missing.len().min(rest.len());
        let (now, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        for (slot, byte) in missing.iter_mut().zip(now) {
            *slot = *byte;
        }
        self.have = self.have.saturating_add(length);
        if self.have == PRELUDE {
            let [a, b, c, d, e, f, g, h, ..] = self.prelude;
            let (total, headers) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            let payload = total.checked_sub(FRAME).and_then(|rest| rest.checked_sub(headers));
            match payload {
                Some(payload) if headers <= MOST_HEADERS && total <= MOST_MESSAGE => {
                    (self.headers, self.payload, self.part) = (headers, payload, FramePart::Headers);
                }
                _ => self.part = FramePart::Broken,
            }
        }
        after
    }
}

/// As much of `rest` as is `left` of the part, which shrinks by it.
fn split<'b>(rest: &'b [u8], left: &mut u32) -> (&'b [u8], &'b [u8]) {
    let length = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left = left.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
    rest.split_at_checked(length).unwrap_or((rest, &[]))
}

/// Whether a word occurred in bytes that come in pieces: `:message-type: exception`, `:exception-type: …`.
#[derive(Debug)]
struct Mark {
    word: &'static [u8],
    matched: usize,
}

impl Mark {
    const fn new(word: &'static [u8]) -> Self {
        Self { word, matched: 0 }
    }

    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.found() {
                return;
            }
            let next = self.word.get(self.matched) == Some(byte);
            // No proper beginning of the words searched for is also their end: a mismatch begins anew.
            self.matched =
                if next { self.matched.saturating_add(1) } else { usize::from(self.word.first() == Some(byte)) };
        }
    }

    const fn found(&self) -> bool {
        self.matched == self.word.len()
    }
}

/// Behind this it begins.
const BEGIN: &[u8] = b"\"bytes\":\"";

/// The document inside a payload of InvokeModel's streams: `{"bytes":"…"}` holds it in base64.
#[derive(Debug)]
pub struct Wrapped {
    begin: Mark,
    over: bool,
    decoder: Decoder,
}

impl Default for Wrapped {
    fn default() -> Self {
        Self { begin: Mark::new(BEGIN), over: false, decoder: Decoder::default() }
    }
}

impl Wrapped {
    /// Decodes on, in slices of at most 96 bytes.
    pub fn feed(&mut self, payload: &[u8], mut document: impl FnMut(&[u8])) {
        let mut rest = payload;
        while !self.begin.found() {
            let Some((first, after)) = rest.split_first() else { return };
            // A blank behind the colon is legal JSON, and not what AWS sends.
            if !first.is_ascii_whitespace() {
                self.begin.feed(&[*first]);
            }
            rest = after;
        }
        let end = words::run(rest, |word| words::equal(word, b'"'));
        let text = if self.over { &[] } else { rest.get(..end).unwrap_or_default() };
        self.over |= end < rest.len();
        for part in text.chunks(128) {
            let mut out = [0_u8; 96];
            let mut length = 0_usize;
            for byte in part.iter().filter_map(|letter| self.decoder.take(*letter)) {
                if let Some(slot) = out.get_mut(length) {
                    *slot = byte;
                }
                length = length.saturating_add(1);
            }
            document(out.get(..length).unwrap_or_default());
        }
    }
}

/// Where that stands in a payload that is whole.
fn wrapped(payload: &[u8]) -> Option<Range<usize>> {
    let mut begin = Mark::new(BEGIN);
    let last = payload.iter().position(|byte| {
        if !byte.is_ascii_whitespace() {
            begin.feed(&[*byte]);
        }
        begin.found()
    })?;
    let from = last.saturating_add(1);
    let length = payload.get(from..)?.iter().position(|byte| *byte == b'"')?;
    Some(from..from.saturating_add(length))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::mem;

    /// A message with its (unchecked) checksums left zero.
    pub(crate) fn message(headers: &str, payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(headers.as_bytes());
        bytes.extend(payload);
        bytes.extend([0; 4]);
        bytes
    }

    fn read(chunks: &[&[u8]]) -> Vec<(String, bool)> {
        let (mut stream, mut messages, mut payload) = (AwsStream::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            stream.feed(chunk, &mut |piece| match piece {
                FramePiece::Payload(bytes) => payload.extend_from_slice(bytes),
                FramePiece::End { exception } => {
                    messages.push((String::from_utf8(mem::take(&mut payload)).unwrap(), exception));
                }
            });
        }
        messages
    }

    #[test]
    fn messages_are_the_same_wherever_they_are_cut() {
        let stream = [
            message(":event-type: metadata", b"{\"a\":1}"),
            message(":message-type: exception", b"{}"),
            message("", b""),
        ]
        .concat();
        let expected = [("{\"a\":1}".to_owned(), false), ("{}".to_owned(), true), (String::new(), false)];
        for cut in 0..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]), expected, "{cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes), expected);
    }

    #[test]
    fn lengths_that_cannot_be_right_end_the_reading() {
        for (total, headers) in [(15_u32, 0_u32), (16, 1), (u32::MAX, 0), (200_000, 150_000)] {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes(), [0; 4]].concat();
            bytes.extend(message("", b"late"));
            assert_eq!(read(&[&bytes]), []);
        }
    }

    #[test]
    fn base64_inside_a_payload_is_the_document_wherever_it_is_cut() {
        let payload = br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abcd"}"#;
        for cut in 0..payload.len() {
            let (mut wrapped, mut out) = (Wrapped::default(), Vec::new());
            wrapped.feed(&payload[..cut], |bytes| out.extend_from_slice(bytes));
            wrapped.feed(&payload[cut..], |bytes| out.extend_from_slice(bytes));
            assert_eq!(String::from_utf8(out).unwrap(), r#"{"type":"ping"}"#, "{cut}");
        }
    }
}
