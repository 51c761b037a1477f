//! Lets an answer go on by whole events only, so that it can be ended between two of them, with a last one of the gateway's own.
//!
//! Trade-off: an event waits for its end, which mostly comes in the same chunk. One that is longer than an honest one is goes on in
//! pieces, and until it is over the answer can be ended only without a word.

use std::mem;

use super::aws_stream::{self, Messages};
use super::meter::{Form, Passage};
use super::schema::Dialect;
use super::sse::Sse;

pub struct WholeEvents {
    dialect: Dialect,
    /// Once more than blanks has come.
    framing: Option<Framing>,
    /// Of an event that is not over.
    held: Vec<u8>,
    /// The client has the beginning of an event that is not over.
    torn: bool,
}

enum Framing {
    Sse(Sse),
    /// A document of JSON a line.
    Lines,
    /// Those of one array of JSON.
    Elements(Elements),
    /// AWS's binary frames.
    Frames(Frames),
    /// One document, or what is not known.
    Whole,
}

/// No honest event comes near this.
const LONGEST: usize = 64 * 1024;

/// Whether an answer of this form comes as events, between which it can be ended.
pub const fn are_events(form: Form, dialect: Dialect) -> bool {
    match form {
        Form::Sse | Form::Binary => true,
        Form::Json => matches!(dialect, Dialect::Ollama | Dialect::Cohere | Dialect::Gemini),
        Form::Text | Form::Encoded | Form::Opaque | Form::Page => false,
    }
}

impl Framing {
    fn of(form: Form, dialect: Dialect) -> Self {
        match (form, dialect) {
            _ if !are_events(form, dialect) => Self::Whole,
            (Form::Sse, _) => Self::Sse(Sse::new()),
            (Form::Binary, _) => Self::Frames(Frames::default()),
            (_, Dialect::Gemini) => Self::Elements(Elements::default()),
            _ => Self::Lines,
        }
    }

    /// Behind the last event that ends in these bytes.
    fn last_end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            // Whatever stands before it, behind a blank line an event has ended: nearly every chunk does so, and needs no reading.
            Self::Sse(lines) if bytes.ends_with(b"\n\n") => {
                *lines = Sse::new();
                Some(bytes.len())
            }
            Self::Sse(lines) => {
                let (mut rest, mut end) = (bytes, None);
                while let Some(behind) = lines.feed_event(rest, &mut |_| {}) {
                    end = Some(bytes.len().saturating_sub(behind.len()));
                    rest = behind;
                }
                end
            }
            Self::Lines => bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at.saturating_add(1)),
            Self::Elements(elements) => elements.last_end(bytes),
            Self::Frames(frames) => frames.last_end(bytes),
            Self::Whole => Some(bytes.len()),
        }
    }
}

impl WholeEvents {
    pub fn new(dialect: Dialect) -> Box<Self> {
        Box::new(Self { dialect, framing: None, held: Vec::new(), torn: false })
    }

    /// The next bytes of a body of which this is known; `last` when no more can come.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, form: Form, bytes: &[u8], last: bool) -> Passage {
        if self.framing.is_none() && bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
            self.framing = Some(Framing::of(form, self.dialect));
        }
        let Some(framing) = &mut self.framing else { return Passage::Unchanged };
        let end = framing.last_end(bytes);
        let end = match end {
            _ if last => bytes.len(),
            Some(end) => end,
            None if self.torn => return Passage::Unchanged,
            None => 0,
        };
        if end > 0 {
            self.torn = false;
        }
        let (whole, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        if self.held.is_empty() && rest.is_empty() {
            return Passage::Unchanged;
        }
        let mut out = if last || end > 0 { mem::take(&mut self.held) } else { Vec::new() };
        out.extend_from_slice(whole);
        self.held.extend_from_slice(rest);
        if self.held.len() > LONGEST {
            out.append(&mut self.held);
            self.torn = true;
        }
        Passage::Replaced(out)
    }

    /// Ends it with an event of this name and these data, a document of JSON; nothing, where the client has a part of another. What
    /// is held is dropped.
    pub fn end(&mut self, name: Option<&str>, data: &[u8]) -> Vec<u8> {
        self.held = Vec::new();
        match self.framing.as_ref().filter(|_| !self.torn) {
            Some(Framing::Sse(_)) => {
                let name = name.map(|name| ["event: ", name, "\n"].concat()).unwrap_or_default();
                [name.as_bytes(), b"data: ", data, b"\n\n"].concat()
            }
            Some(Framing::Lines) => [data, b"\n"].concat(),
            Some(Framing::Elements(elements)) => elements.with_last(data),
            Some(Framing::Frames(Frames { broken: false, .. })) => {
                aws_stream::exception(name.unwrap_or_default(), data)
            }
            _ => Vec::new(),
        }
    }
}

/// Where the elements of an array end.
#[derive(Default)]
struct Elements {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// One has ended; and so has the array.
    some: bool,
    closed: bool,
}

impl Elements {
    fn last_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut end = None;
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                self.in_string = self.escaped || *byte != b'"';
                self.escaped = !self.escaped && *byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth <= 1 {
                        self.some = true;
                        self.closed = self.depth == 0;
                        end = Some(at.saturating_add(1));
                    }
                }
                _ => {}
            }
        }
        end
    }

    fn with_last(&self, data: &[u8]) -> Vec<u8> {
        match (self.closed, self.some) {
            (true, _) => Vec::new(),
            (_, true) => [b",\n", data, b"]\n"].concat(),
            _ => [b"[", data, b"]\n"].concat(),
        }
    }
}

/// Where AWS's frames end.
#[derive(Default)]
struct Frames {
    messages: Messages,
    broken: bool,
}

impl Frames {
    fn last_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut rest, mut end) = (bytes, None);
        while !self.broken && !rest.is_empty() {
            let cut = self.messages.cut(rest);
            self.broken = cut.is_none();
            rest = cut.map_or(rest, |(_, behind)| behind);
            if !self.messages.is_within() {
                end = Some(bytes.len().saturating_sub(rest.len()));
            }
        }
        // What is no frame goes on as it is.
        if self.broken { Some(bytes.len()) } else { end }
    }
}

#[cfg(test)]
mod tests;
