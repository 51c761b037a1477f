//! One incremental reader of JSON, for requests and answers alike: it checks every byte of a document and reports
//! the few fields asked for, with the place of each, so that a body can be judged while it streams by.
//!
//! Trade-off: `serde_json` would need the whole body in memory, megabytes per stream on prompts with images, and
//! would hide what a gateway must see: duplicate keys and byte positions. This scanner holds a fixed 4 kB, whatever
//! the document. The price is a grammar of our own, so the tests hold it against `serde_json`, byte for byte.

mod number;
pub mod object;
mod scanner;
pub mod words;

pub use number::{Decimal, Number};
pub use scanner::Scanner;
use std::fmt;

/// RFC 8259 lets a reader bound the depth. The stack of containers is one `u128`, a bit for each.
pub const MAX_DEPTH: usize = 128;
/// How many containers within each other may hold wanted fields: each API has room for every object in an array of its own.
/// In arrays of arrays beyond it nothing is found any more. A scanner is made for each body, so its size counts.
pub const MAX_TRACKED: usize = 16;
/// Longer texts are cut; longer keys are read, but match no field.
const MAX_TEXT: usize = 256;

/// A wanted field of an object. Arrays are transparent: `inside` holds for the objects in the field's array too, and
/// the elements of that array are reported under the field's own key. An object has at most 64 wanted fields.
#[derive(Debug)]
pub struct Field<K: 'static> {
    pub name: &'static str,
    /// `None`: only a step on the way to the fields `inside`.
    pub key: Option<K>,
    pub want: Want,
    pub inside: &'static [Field<K>],
}

impl<K> Field<K> {
    /// The last of the fields of an object may have no name: it stands for each key that the others don't name, so that what a
    /// table doesn't know is reported, too. What it is found by is its value, and all that is in it, if it leads to itself.
    pub const fn is_rest(&self) -> bool {
        self.name.is_empty()
    }
}

/// What is wanted of a field that is a string; anything else is always reported the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The text itself, up to 256 bytes of it.
    Value,
    /// Its decoded length in bytes.
    Size,
    /// The whole text as it comes, decoded, in pieces; then its length, as of the above.
    Pieces,
    /// That it is there. Reported as `Found::Size`, too.
    Presence,
}

/// As the last of an object's fields: every key that none before it has. The key is reported, and then its value.
pub const OTHERS: &str = "*";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The key of one of [`OTHERS`], or of what is handed out in pieces wherever it stands; its value follows. Cut, if it is long.
    /// Its place is without the quotes.
    Named(&'a str),
    /// `cut`: the string goes on behind `text`.
    Text {
        text: &'a str,
        cut: bool,
    },
    /// The next of a text, whose place are the bytes that it was decoded from. No character is cut, and none is empty.
    Piece(&'a str),
    Size(u64),
    Number(Number),
    Bool(bool),
    Null,
    Opened(Container),
    Closed {
        container: Container,
        empty: bool,
    },
}

/// A wanted value. `from..to` are its bytes in the document, quotes and brackets included; when a container opens,
/// the bytes of its bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a, K> {
    pub key: K,
    pub found: Found<'a>,
    pub from: u64,
    pub to: u64,
    /// Of a scalar in an object, and of a container in one when it opens: where its member begins, behind the bracket or the comma.
    pub member: u64,
    /// The same object had this key before, or the key is in other letters: readers of the document may disagree about which
    /// one counts.
    /// Reported of the field's value itself (of a container when it opens), not of the elements of an array.
    pub repeated: bool,
}

/// The first byte at which the document stops being JSON, and the reason. Its text is fit for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub at: u64,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    TooDeep,
    BadUtf8,
    BadEscape,
    ControlCharacter,
    Unexpected(u8),
    /// Something follows the document.
    Trailing,
    Truncated,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid JSON at byte {}: ", self.at)?;
        match self.why {
            Why::TooDeep => write!(f, "more than {MAX_DEPTH} levels deep"),
            Why::BadUtf8 => f.write_str("not UTF-8"),
            Why::BadEscape => f.write_str("no such escape in a string"),
            Why::ControlCharacter => f.write_str("control character in a string"),
            Why::Unexpected(byte @ b' '..=b'~') => write!(f, "unexpected `{}`", char::from(byte)),
            Why::Unexpected(byte) => write!(f, "unexpected byte 0x{byte:02x}"),
            Why::Trailing => f.write_str("something follows the document"),
            Why::Truncated => f.write_str("the document ends too early"),
        }
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "indices into short test documents")]
mod tests;
