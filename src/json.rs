//! One incremental reader of JSON, for requests and answers alike: it checks every byte of a document and reports
//! the few fields asked for, with the place of each, so that a body can be judged while it streams by.
//!
//! Trade-off: `serde_json` would need the whole body in memory, megabytes per stream on prompts with images, and
//! would hide what a gateway must see: duplicate keys and byte positions. This scanner holds a fixed 4 kB, whatever
//! the document. The price is a grammar of our own, so the tests hold it against `serde_json`, byte for byte.

mod number;
pub mod words;

pub use number::{Decimal, Number};
use number::{Digits, Part};
use std::fmt;

/// RFC 8259 lets a reader bound the depth. The stack of containers is one `u128`, a bit for each.
const MAX_DEPTH: usize = 128;
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

/// What is wanted of a field that is a string; anything else is always reported the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The text itself, up to 256 bytes of it.
    Value,
    /// Its decoded length in bytes.
    Size,
    /// That it is there. Reported as `Found::Size`, like the above.
    Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// `cut`: the string goes on behind `text`.
    Text {
        text: &'a str,
        cut: bool,
    },
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
    /// Of a scalar in an object: where its member begins, behind the bracket or the comma.
    pub member: u64,
    /// The same object had this key before: readers of the document may disagree about which one counts.
    /// Told of the field's value itself (of a container when it opens), not of the elements of an array.
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

/// Reads one document, in pieces cut anywhere, and reports the fields of `shape` that its top-level object has (or
/// the objects of its top-level array). Nothing is allocated and nothing of the document is kept.
#[derive(Debug)]
pub struct Scanner<K: 'static> {
    shape: &'static [Field<K>],
    progress: Progress<K>,
    /// The open containers from the outermost on, as far as they are wanted: the first `progress.tracked` of these.
    levels: [Level<K>; MAX_TRACKED],
    /// The start of the current string, decoded; its last character may be cut.
    text: [u8; MAX_TEXT],
}

/// All that a new document resets. The rest of a scanner is dead memory by then: a stream of events restarts often.
#[derive(Debug)]
struct Progress<K: 'static> {
    offset: u64,
    malformed: Option<Malformed>,
    root: Option<Container>,
    expected: Expected,
    token: Token,
    /// Where the current value starts.
    from: u64,
    /// Where the current member starts, until a container opens in it.
    member: u64,
    /// Which field the current value belongs to, and whether its object had that field before.
    place: Place<K>,
    repeated: bool,
    depth: usize,
    /// The innermost container is the lowest bit: 1 for an object.
    objects: u128,
    tracked: usize,
    string: Text,
    digits: Digits,
}

/// Where a value stands in the shape.
#[derive(Debug)]
enum Place<K: 'static> {
    Elsewhere,
    Root,
    Field(&'static Field<K>),
}

#[derive(Debug)]
struct Level<K: 'static> {
    place: Place<K>,
    opened: u64,
    /// One bit for each field of the object that has occurred.
    seen: u64,
}

/// What the grammar allows between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Value,
    ElementOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// The token that the bytes so far have left unfinished.
#[derive(Clone, Copy, Debug)]
enum Token {
    None,
    String,
    Escape,
    Unicode { unit: u16, missing: u8 },
    Word { found: Found<'static>, missing: &'static [u8] },
    Number(Part),
}

#[derive(Debug)]
struct Text {
    is_key: bool,
    keep: bool,
    /// Decoded bytes, all of them and those in the buffer.
    size: u64,
    kept: usize,
    /// The first half of a surrogate pair, when its escape came last.
    high: Option<u16>,
    /// The first bytes of a character that two feeds share.
    split: [u8; 4],
    split_len: usize,
}

impl<K> Clone for Place<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Place<K> {}

impl<K> Level<K> {
    const UNUSED: Self = Self { place: Place::Elsewhere, opened: 0, seen: 0 };
}

impl<K> Progress<K> {
    const START: Self = Self {
        offset: 0,
        malformed: None,
        root: None,
        expected: Expected::Value,
        token: Token::None,
        from: 0,
        member: 0,
        place: Place::Root,
        repeated: false,
        depth: 0,
        objects: 0,
        tracked: 0,
        string: Text::EMPTY,
        digits: Digits::ZERO,
    };
}

type Rest<'b> = Result<&'b [u8], Why>;

impl<K: Copy> Scanner<K> {
    pub const fn new(shape: &'static [Field<K>]) -> Self {
        Self { shape, progress: Progress::START, levels: [const { Level::UNUSED }; MAX_TRACKED], text: [0; MAX_TEXT] }
    }

    /// Reads on. A document once malformed stays so: every later call returns the same error.
    pub fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Hit<'_, K>)) -> Result<(), Malformed> {
        if let Some(malformed) = self.progress.malformed {
            return Err(malformed);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.step(rest, found).map_err(|why| self.malformed(why))?;
        }
        Ok(())
    }

    /// Reads on to the end of the document: what stands behind it is returned unread, for documents in a row.
    pub fn feed_document<'b>(
        &mut self,
        bytes: &'b [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Result<&'b [u8], Malformed> {
        if let Some(malformed) = self.progress.malformed {
            return Err(malformed);
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_complete() {
            rest = self.step(rest, found).map_err(|why| self.malformed(why))?;
        }
        Ok(rest)
    }

    /// The document ends here. Only a top-level number can end with it, which belongs to no field: nothing is found.
    pub fn finish(&mut self, _found: &mut impl FnMut(Hit<'_, K>)) -> Result<(), Malformed> {
        if let Some(malformed) = self.progress.malformed {
            return Err(malformed);
        }
        if let Token::Number(part) = self.progress.token
            && part.may_end()
        {
            self.progress.token = Token::None;
            self.after_value();
        }
        if self.is_complete() { Ok(()) } else { Err(self.malformed(Why::Truncated)) }
    }

    /// How many bytes of the document have been read.
    pub fn offset(&self) -> u64 {
        self.progress.offset
    }

    /// Whether a whole top-level value has been read; only whitespace may follow.
    pub fn is_complete(&self) -> bool {
        self.progress.expected == Expected::Nothing && self.progress.malformed.is_none()
    }

    /// Begins the next document, of the same shape.
    pub fn restart(&mut self) {
        self.progress = Progress::START;
    }

    /// What the document is, once it has opened; a scalar never does.
    pub fn root_container(&self) -> Option<Container> {
        self.progress.root
    }

    fn malformed(&mut self, why: Why) -> Malformed {
        let malformed = Malformed { at: self.progress.offset, why };
        self.progress.malformed = Some(malformed);
        malformed
    }

    /// Reads at least one byte of `rest`, which is not empty.
    fn step<'b>(&mut self, rest: &'b [u8], found: &mut impl FnMut(Hit<'_, K>)) -> Rest<'b> {
        match self.progress.token {
            Token::None => self.between(rest, found),
            Token::String => self.string(rest, found),
            Token::Escape => self.escape(rest),
            Token::Unicode { unit, missing } => self.unicode(rest, unit, missing),
            Token::Word { found: value, missing } => self.word(rest, value, missing, found),
            Token::Number(part) => self.number(rest, part, found),
        }
    }

    fn between<'b>(&mut self, rest: &'b [u8], found: &mut impl FnMut(Hit<'_, K>)) -> Rest<'b> {
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.pass(blanks);
        let token = rest.get(blanks..).unwrap_or_default();
        let Some((&byte, after)) = token.split_first() else {
            return Ok(&[]);
        };
        match (self.progress.expected, byte) {
            (Expected::Value | Expected::ElementOrEnd, _) => return self.value(token, byte, after, found),
            (Expected::Key | Expected::KeyOrEnd, b'"') => return Ok(self.key(after)),
            (Expected::Colon, b':') => self.progress.expected = Expected::Value,
            // The elements of an array share a place: the last one has left it as it was.
            (Expected::CommaOrEnd, b',') => match self.container() {
                Container::Object => {
                    self.progress.expected = Expected::Key;
                    self.progress.member = self.progress.offset.saturating_add(1);
                }
                Container::Array => self.progress.expected = Expected::Value,
            },
            (Expected::KeyOrEnd, b'}') => self.close(true, found),
            (Expected::CommaOrEnd, b'}') if self.container() == Container::Object => self.close(false, found),
            (Expected::CommaOrEnd, b']') if self.container() == Container::Array => self.close(false, found),
            (Expected::Nothing, _) => return Err(Why::Trailing),
            _ => return Err(Why::Unexpected(byte)),
        }
        self.pass(1);
        Ok(after)
    }

    /// Behind the quote that opens a key. Nearly every one stands whole in the piece at hand, and a colon behind it.
    fn key<'b>(&mut self, after: &'b [u8]) -> &'b [u8] {
        let Some((key, behind)) = words::whole_string(after) else {
            let keep = self.innermost().is_some();
            self.begin_string(true, keep);
            self.pass(1);
            return after;
        };
        let Self { shape, progress, levels, .. } = self;
        progress.enter(levels, shape, if key.len() <= MAX_TEXT { Some(key) } else { None });
        self.pass(key.len().saturating_add(2));
        match behind {
            [b':', behind @ ..] => {
                self.progress.expected = Expected::Value;
                self.pass(1);
                behind
            }
            _ => {
                self.progress.expected = Expected::Colon;
                behind
            }
        }
    }

    /// The first byte of a value, or the end of an array that may still be empty; what stands whole is read whole.
    fn value<'b>(
        &mut self,
        token: &'b [u8],
        byte: u8,
        after: &'b [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Rest<'b> {
        self.progress.from = self.progress.offset;
        match byte {
            b'"' => {
                let keep = matches!(self.progress.place, Place::Field(field) if field.wants_text());
                if let Some((text, behind)) = words::whole_string(after) {
                    self.pass(text.len().saturating_add(2));
                    let kept = text.get(..MAX_TEXT).unwrap_or(text);
                    self.string_is_read(keep, kept, text.len() as u64, found);
                    return Ok(behind);
                }
                self.begin_string(false, keep);
            }
            b'{' => self.open(Container::Object, found)?,
            b'[' => self.open(Container::Array, found)?,
            b't' => return Ok(self.begin_word(after, Found::Bool(true), b"rue", found)),
            b'f' => return Ok(self.begin_word(after, Found::Bool(false), b"alse", found)),
            b'n' => return Ok(self.begin_word(after, Found::Null, b"ull", found)),
            b'-' | b'0'..=b'9' => {
                let in_array = self.progress.depth > 0 && self.container() == Container::Array;
                if !self.is_wanted()
                    && let Some(behind) = number::whole(token, in_array)
                {
                    self.pass(token.len().saturating_sub(behind.len()));
                    self.after_value();
                    return Ok(behind);
                }
                let part = Part::first(byte);
                self.progress.digits = Digits::ZERO;
                self.progress.digits.push(part, byte);
                self.pass(1);
                self.progress.token = Token::Number(part);
                return if after.is_empty() { Ok(after) } else { self.number(after, part, found) };
            }
            b']' if self.progress.expected == Expected::ElementOrEnd => self.close(true, found),
            _ => return Err(Why::Unexpected(byte)),
        }
        self.pass(1);
        Ok(after)
    }

    fn begin_word<'b>(
        &mut self,
        after: &'b [u8],
        value: Found<'static>,
        missing: &'static [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> &'b [u8] {
        let Some(behind) = after.strip_prefix(missing) else {
            self.pass(1);
            self.progress.token = Token::Word { found: value, missing };
            return after;
        };
        self.pass(missing.len().saturating_add(1));
        self.report(value, self.progress.offset, found);
        self.after_value();
        behind
    }

    fn open(&mut self, container: Container, found: &mut impl FnMut(Hit<'_, K>)) -> Result<(), Why> {
        let progress = &mut self.progress;
        if progress.depth >= MAX_DEPTH {
            return Err(Why::TooDeep);
        }
        if progress.depth == 0 {
            progress.root = Some(container);
        }
        if !matches!(progress.place, Place::Elsewhere)
            && let Some(level) = self.levels.get_mut(progress.tracked)
        {
            *level = Level { place: progress.place, opened: progress.offset, seen: 0 };
            progress.tracked = progress.tracked.saturating_add(1);
        }
        progress.depth = progress.depth.saturating_add(1);
        progress.member = progress.offset.saturating_add(1);
        progress.objects = progress.objects << 1 | u128::from(container == Container::Object);
        progress.expected = match container {
            Container::Object => Expected::KeyOrEnd,
            Container::Array => Expected::ElementOrEnd,
        };
        self.report(Found::Opened(container), self.progress.offset.saturating_add(1), found);
        self.progress.repeated = false;
        Ok(())
    }

    fn close(&mut self, empty: bool, found: &mut impl FnMut(Hit<'_, K>)) {
        if let Some(&Level { place, opened, .. }) = self.innermost() {
            self.progress.place = place;
            self.progress.from = opened;
            self.progress.repeated = false;
            let container = self.container();
            self.report(Found::Closed { container, empty }, self.progress.offset.saturating_add(1), found);
            self.progress.tracked = self.progress.tracked.saturating_sub(1);
        }
        self.progress.objects >>= 1;
        self.progress.depth = self.progress.depth.saturating_sub(1);
        self.after_value();
    }

    fn after_value(&mut self) {
        self.progress.expected = if self.progress.depth == 0 { Expected::Nothing } else { Expected::CommaOrEnd };
    }

    fn is_wanted(&self) -> bool {
        matches!(self.progress.place, Place::Field(_))
    }

    fn container(&self) -> Container {
        if self.progress.objects & 1 == 1 { Container::Object } else { Container::Array }
    }

    /// The innermost container, if it is wanted.
    fn innermost(&self) -> Option<&Level<K>> {
        if self.progress.tracked != self.progress.depth {
            return None;
        }
        self.levels.get(self.progress.depth.wrapping_sub(1))
    }

    fn report(&self, value: Found<'_>, to: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        if let Place::Field(&Field { key: Some(key), .. }) = self.progress.place {
            let Progress { from, member, repeated, .. } = self.progress;
            found(Hit { key, found: value, from, to, member, repeated });
        }
    }

    fn word<'b>(
        &mut self,
        rest: &'b [u8],
        value: Found<'static>,
        missing: &'static [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Rest<'b> {
        let (Some((&byte, after)), Some((&next, missing))) = (rest.split_first(), missing.split_first()) else {
            return Ok(&[]);
        };
        if byte != next {
            return Err(Why::Unexpected(byte));
        }
        self.pass(1);
        self.progress.token = Token::Word { found: value, missing };
        if missing.is_empty() {
            self.progress.token = Token::None;
            self.report(value, self.progress.offset, found);
            self.after_value();
        }
        Ok(after)
    }

    fn number<'b>(&mut self, rest: &'b [u8], mut part: Part, found: &mut impl FnMut(Hit<'_, K>)) -> Rest<'b> {
        let wanted = self.is_wanted();
        let mut after = rest;
        while let Some((&byte, next)) = after.split_first()
            && let Some(follows) = part.then(byte)
        {
            part = follows;
            after = next;
            if wanted {
                self.progress.digits.push(follows, byte);
            } else if part.goes_on() {
                after = after.get(words::run(after, words::not_digit)..).unwrap_or_default();
            }
        }
        self.pass(rest.len().saturating_sub(after.len()));
        match after.first() {
            None => self.progress.token = Token::Number(part),
            Some(&byte) if !part.may_end() => return Err(Why::Unexpected(byte)),
            Some(_) => {
                self.progress.token = Token::None;
                self.report(Found::Number(self.progress.digits.value()), self.progress.offset, found);
                self.after_value();
            }
        }
        Ok(after)
    }

    fn begin_string(&mut self, is_key: bool, keep: bool) {
        self.progress.token = Token::String;
        self.progress.string = Text { is_key, keep, ..Text::EMPTY };
    }

    /// Plain characters, up to the closing quote or the next escape.
    fn string<'b>(&mut self, rest: &'b [u8], found: &mut impl FnMut(Hit<'_, K>)) -> Rest<'b> {
        if self.progress.string.split_len > 0 {
            return self.split_character(rest);
        }
        let mut ascii = true;
        let blocks = words::plain_blocks(rest);
        let tail = words::run(rest.get(blocks..).unwrap_or_default(), |word| {
            ascii &= words::is_ascii(word);
            words::ends_plain(word)
        });
        let length = blocks.saturating_add(tail);
        let (plain, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if !plain.is_empty() {
            self.lone_surrogate();
            self.plain(plain, ascii, after.is_empty())?;
        }
        let Some((&byte, after)) = after.split_first() else {
            return Ok(&[]);
        };
        match byte {
            b'"' => {
                self.lone_surrogate();
                self.pass(1);
                self.end_string(found);
            }
            b'\\' => {
                self.pass(1);
                self.progress.token = Token::Escape;
            }
            _ => return Err(Why::ControlCharacter),
        }
        Ok(after)
    }

    fn plain(&mut self, plain: &[u8], ascii: bool, may_split: bool) -> Result<(), Why> {
        let mut whole = plain;
        if !ascii && let Err(error) = str::from_utf8(plain) {
            let (valid, split) = plain.split_at_checked(error.valid_up_to()).unwrap_or((plain, &[]));
            if error.error_len().is_some() || !may_split {
                self.pass(valid.len());
                return Err(Why::BadUtf8);
            }
            for (slot, byte) in self.progress.string.split.iter_mut().zip(split) {
                *slot = *byte;
            }
            self.progress.string.split_len = split.len();
            whole = valid;
        }
        self.pass(plain.len());
        self.append(whole);
        Ok(())
    }

    /// The next byte of a character of which an earlier feed brought the start.
    fn split_character<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
        let Text { mut split, split_len, .. } = self.progress.string;
        let length = split_len.saturating_add(1);
        let (Some((&byte, after)), Some(slot)) = (rest.split_first(), split.get_mut(split_len)) else {
            return Ok(&[]);
        };
        *slot = byte;
        let character = split.get(..length).unwrap_or_default();
        match str::from_utf8(character) {
            Ok(_) => {
                self.progress.string.split_len = 0;
                self.append(character);
            }
            Err(error) if error.error_len().is_none() => {
                self.progress.string.split = split;
                self.progress.string.split_len = length;
            }
            Err(_) => {
                self.progress.offset = self.progress.offset.saturating_sub(split_len as u64);
                return Err(Why::BadUtf8);
            }
        }
        self.pass(1);
        Ok(after)
    }

    /// The byte behind a backslash.
    fn escape<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
        let Some((&byte, after)) = rest.split_first() else {
            return Ok(&[]);
        };
        self.progress.token = Token::String;
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.progress.token = Token::Unicode { unit: 0, missing: 4 };
                self.pass(1);
                return Ok(after);
            }
            _ => return Err(Why::BadEscape),
        };
        self.lone_surrogate();
        self.append(&[decoded]);
        self.pass(1);
        Ok(after)
    }

    fn unicode<'b>(&mut self, rest: &'b [u8], mut unit: u16, mut missing: u8) -> Rest<'b> {
        let mut after = rest;
        while missing > 0 {
            let Some((&byte, next)) = after.split_first() else {
                self.progress.token = Token::Unicode { unit, missing };
                return Ok(after);
            };
            let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
            unit = unit << 4 | digit.ok_or(Why::BadEscape)?;
            missing = missing.saturating_sub(1);
            self.pass(1);
            after = next;
        }
        self.progress.token = Token::String;
        if let Some(high) = self.progress.string.high
            && let Some(Ok(character)) = char::decode_utf16([high, unit]).next()
        {
            self.progress.string.high = None;
            self.append_char(character);
            return Ok(after);
        }
        self.lone_surrogate();
        match unit {
            0xd800..=0xdbff => self.progress.string.high = Some(unit),
            _ => self.append_char(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
        Ok(after)
    }

    /// The first half of a surrogate pair that no second half follows is decoded as U+FFFD. `serde_json` refuses it,
    /// but providers read such texts.
    fn lone_surrogate(&mut self) {
        if self.progress.string.high.take().is_some() {
            self.append_char(char::REPLACEMENT_CHARACTER);
        }
    }

    fn append_char(&mut self, character: char) {
        self.append(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn append(&mut self, decoded: &[u8]) {
        let string = &mut self.progress.string;
        string.size = string.size.saturating_add(decoded.len() as u64);
        if !string.keep {
            return;
        }
        let room = self.text.get_mut(string.kept..).unwrap_or_default();
        let fits = room.len().min(decoded.len());
        for (slot, byte) in room.iter_mut().zip(decoded) {
            *slot = *byte;
        }
        string.kept = string.kept.saturating_add(fits);
    }

    fn end_string(&mut self, found: &mut impl FnMut(Hit<'_, K>)) {
        let Text { is_key, keep, size, kept, .. } = self.progress.string;
        // Of a copy, for the scanner itself moves on. Only a string that came in parts, or with escapes, comes here.
        let buffer = self.text;
        let text = buffer.get(..kept).unwrap_or_default();
        self.progress.token = Token::None;
        if is_key {
            self.progress.expected = Expected::Colon;
            let Self { shape, progress, levels, .. } = self;
            progress.enter(levels, shape, if size > kept as u64 { None } else { Some(text) });
        } else {
            self.string_is_read(keep, text, size, found);
        }
    }

    /// A value's string: `kept` of its `size` bytes.
    fn string_is_read(&mut self, keep: bool, kept: &[u8], size: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        let value = if keep {
            // Every byte has been checked, so only a character that was cut can be invalid.
            let whole = |kept| str::from_utf8(kept).ok();
            let text = whole(kept).unwrap_or_else(|| kept.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
            Found::Text { text, cut: size > kept.len() as u64 }
        } else {
            Found::Size(size)
        };
        self.report(value, self.progress.offset, found);
        self.after_value();
    }

    fn pass(&mut self, bytes: usize) {
        self.progress.offset = self.progress.offset.saturating_add(bytes as u64);
    }
}

impl<K> Progress<K> {
    /// The key says where in the shape the next value stands; `None` is one too long for any field.
    fn enter(&mut self, levels: &mut [Level<K>], shape: &'static [Field<K>], key: Option<&[u8]>) {
        self.place = Place::Elsewhere;
        self.repeated = false;
        let Some(key) = key.filter(|_| self.tracked == self.depth) else { return };
        let Some(object) = levels.get_mut(self.depth.wrapping_sub(1)) else { return };
        let fields = match object.place {
            Place::Elsewhere => &[],
            Place::Root => shape,
            Place::Field(field) => field.inside,
        };
        // Mostly the first byte tells names of one length apart.
        let is_key = |field: &Field<K>| {
            let name = field.name.as_bytes();
            name.len() == key.len() && name.first() == key.first() && name == key
        };
        let Some((field, bit)) = fields.iter().zip(0..).find(|(field, _)| is_key(field)) else { return };
        let bit = 1_u64.checked_shl(bit).unwrap_or(0);
        self.place = Place::Field(field);
        self.repeated = object.seen & bit != 0;
        object.seen |= bit;
    }
}

impl<K> Field<K> {
    fn wants_text(&self) -> bool {
        self.key.is_some() && self.want == Want::Value
    }
}

impl Text {
    const EMPTY: Self = Self { is_key: false, keep: false, size: 0, kept: 0, high: None, split: [0; 4], split_len: 0 };
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "indices into short test documents")]
mod tests;
