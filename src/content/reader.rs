//! The texts of a document, one after the other, in pieces, as a table says where they are. Requests and answers have this in
//! common; what a text belongs to, how it is decoded further, and when it is looked at, differs.

use crate::detect::Span;
use crate::json::{Found, Hit, Number};
use crate::llm::texts::{Opaque, Text};

/// What comes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The next of a text.
    Piece {
        text: &'a str,
        span: Span,
    },
    /// The text is over. What `joins` may go on in the next of its kind.
    EndOfText,
    /// All of a key or of a number, and where that stands.
    Unit {
        text: &'a str,
        span: Span,
        is_number: bool,
    },
    Opaque(Opaque),
}

/// Tells texts from what is none.
#[derive(Debug, Default)]
pub(super) struct TextReader {
    encoded: Encoded,
}

/// Whether a text is base64 all through: then it is a picture, a sound or a file, and no text.
#[derive(Clone, Copy, Debug, Default)]
struct Encoded {
    /// Behind the head of a `data:` URL.
    head: Head,
    bytes: u64,
    /// Of the line that comes, and whether the last was short: only base64's last line is. A list of keys or numbers has short ones.
    line: u64,
    short: bool,
    lower: bool,
    upper: bool,
    other: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Unknown,
    /// So many letters of `data:` have come.
    Begins(u8),
    /// Up to its comma.
    Within,
    Behind,
}

/// A string of base64 that is shorter may be a word, a key, a name.
const SHORTEST_MEDIA: u64 = 64;
const SHORTEST_ANYWHERE: u64 = 1_024;
/// Base64's lines have 76 letters (RFC 2045) or 64 (RFC 7468).
const SHORTEST_LINE: u64 = 64;
/// A number of fewer digits names nobody.
const SHORTEST_NUMBER: u64 = 100_000_000;
/// A key is kept up to 256 bytes; one that may have been cut can't be looked at.
const LONGEST_KEY: usize = 250;

impl TextReader {
    /// Reads on; each part is handed out with the kind of its text.
    pub(super) fn hit(&mut self, hit: &Hit<'_, Text>, part: &mut impl FnMut(Text, Part<'_>)) {
        let span = Span { from: hit.from, to: hit.to };
        let kind = hit.key;
        match (hit.key, hit.found) {
            (Text::Opaque(what), Found::Opened(_)) if what != Opaque::Media => part(kind, Part::Opaque(what)),
            (_, Found::Piece(text)) => {
                self.encoded.feed(text);
                part(kind, Part::Piece { text, span });
            }
            (_, Found::Size(size)) => {
                let encoded = std::mem::take(&mut self.encoded);
                let opaque = match hit.key {
                    Text::Opaque(Opaque::Media) => encoded.is_media(SHORTEST_MEDIA).then_some(Opaque::Media),
                    Text::Opaque(what) => (size > 0).then_some(what),
                    _ => encoded.is_media_anywhere().then_some(Opaque::Media),
                };
                match opaque {
                    Some(what) => part(kind, Part::Opaque(what)),
                    None => part(kind, Part::EndOfText),
                }
            }
            (Text::In { .. } | Text::Opaque(_), Found::Named(key)) => {
                if key.len() >= LONGEST_KEY {
                    part(kind, Part::Opaque(Opaque::TooLong));
                } else {
                    part(kind, Part::Unit { text: key, span, is_number: false });
                }
            }
            (Text::In { .. } | Text::Message, Found::Number(Number::Whole(number @ SHORTEST_NUMBER..))) => {
                part(kind, Part::Unit { text: &number.to_string(), span, is_number: true });
            }
            _ => {}
        }
    }
}

impl Encoded {
    fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            self.bytes = self.bytes.saturating_add(1);
            match self.head {
                Head::Unknown if byte == b'd' => self.head = Head::Begins(1),
                Head::Unknown => self.head = Head::Behind,
                Head::Begins(letters) => match b"data:".get(usize::from(letters)) {
                    Some(next) if *next == byte => self.head = Head::Begins(letters.saturating_add(1)),
                    Some(_) => self.head = Head::Behind,
                    None => self.head = Head::Within,
                },
                Head::Within | Head::Behind => {}
            }
            match self.head {
                Head::Within if byte == b',' => self.head = Head::Behind,
                // The type of what follows, and its parameters.
                Head::Within => self.other |= !(byte.is_ascii_alphanumeric() || b":;/=.+-_".contains(&byte)),
                Head::Begins(_) => {}
                _ => self.letter(byte),
            }
            if self.other {
                return;
            }
        }
    }

    fn letter(&mut self, byte: u8) {
        match byte {
            b'\n' => self.short = std::mem::take(&mut self.line) < SHORTEST_LINE,
            b'\r' => {}
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' | b'=' => {
                self.line = self.line.saturating_add(1);
                self.lower |= byte.is_ascii_lowercase();
                self.upper |= byte.is_ascii_uppercase();
                self.other |= self.short;
            }
            _ => self.other = true,
        }
    }

    const fn is_media(self, shortest: u64) -> bool {
        !self.other && self.bytes >= shortest && matches!(self.head, Head::Behind)
    }

    /// The same of a text that is said to be one.
    const fn is_media_anywhere(self) -> bool {
        self.is_media(SHORTEST_ANYWHERE) && self.lower && self.upper
    }
}
