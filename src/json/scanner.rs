//! The way through a document, token by token: what the grammar allows next, and where in the shape a value stands.
//!
//! A token that stands whole in the piece at hand is read in one step, which nearly all do; the states that let
//! a piece end anywhere are for the few that do not.

mod key;
mod string;
mod value;

use super::number::{self, Digits, NumberPart};
use super::{Container, Field, Found, Hit, MAX_DEPTH, MAX_TEXT, MAX_TRACKED, Malformed, Want, Why, words};
use string::{Keeps, Text};

/// Reads one document, in pieces cut anywhere, and reports the fields of `shape` that its top-level object has (or
/// the objects of its top-level array). Nothing is allocated and nothing of the document is kept.
#[derive(Debug)]
pub struct Scanner<K: 'static, const LEVELS: usize = MAX_TRACKED> {
    shape: &'static [Field<K>],
    in_any_case: bool,
    /// Fields that are found wherever they stand, by the beginning of their key.
    anywhere: &'static [Field<K>],
    progress: Progress<K>,
    /// The open containers from the outermost on, as far as they are wanted: the first `progress.tracked` of these.
    levels: [Nesting<K>; LEVELS],
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
    place: InShape<K>,
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
enum InShape<K: 'static> {
    Elsewhere,
    Root,
    Field(&'static Field<K>),
}

#[derive(Debug)]
struct Nesting<K: 'static> {
    place: InShape<K>,
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
    Number(NumberPart),
}

impl<K> Clone for InShape<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for InShape<K> {}

impl<K> Nesting<K> {
    const UNUSED: Self = Self { place: InShape::Elsewhere, opened: 0, seen: 0 };
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
        place: InShape::Root,
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
        Self::over(shape)
    }
}

impl<K: Copy> Scanner<K, MAX_DEPTH> {
    /// One that follows a document however deep it is.
    pub const fn deep(shape: &'static [Field<K>]) -> Self {
        Self::over(shape)
    }
}

impl<K: Copy, const LEVELS: usize> Scanner<K, LEVELS> {
    const fn over(shape: &'static [Field<K>]) -> Self {
        let levels = [const { Nesting::UNUSED }; LEVELS];
        Self { shape, in_any_case: false, anywhere: &[], progress: Progress::START, levels, text: [0; MAX_TEXT] }
    }

    /// A key in other letters (`Model`) is reported as its field, repeated: Go's and .NET's readers take it for that, others
    /// don't.
    pub const fn in_any_case(mut self) -> Self {
        self.in_any_case = true;
        self
    }

    /// Each of these fields is reported wherever its key stands, however deep, in any letters, and whatever follows its name in the
    /// key. Only its own value is: a container as it opens.
    pub const fn anywhere(mut self, fields: &'static [Field<K>]) -> Self {
        self.anywhere = fields;
        self
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
        self.feed_until(bytes, found, |_| false)
    }

    /// The same to the next element of the outermost array: a document of its own, to whoever sends several so.
    pub fn feed_element<'b>(
        &mut self,
        bytes: &'b [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Result<&'b [u8], Malformed> {
        self.feed_until(bytes, found, Self::is_between_elements)
    }

    #[inline(always)]
    fn feed_until<'b>(
        &mut self,
        bytes: &'b [u8],
        found: &mut impl FnMut(Hit<'_, K>),
        is_there: impl Fn(&Self) -> bool,
    ) -> Result<&'b [u8], Malformed> {
        if let Some(malformed) = self.progress.malformed {
            return Err(malformed);
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_complete() {
            rest = self.step(rest, found).map_err(|why| self.malformed(why))?;
            if is_there(self) {
                break;
            }
        }
        Ok(rest)
    }

    /// Behind the comma that follows an element of the outermost array.
    pub fn is_between_elements(&self) -> bool {
        let Progress { root, depth, expected, .. } = &self.progress;
        *depth == 1 && *expected == Expected::Value && *root == Some(Container::Array)
    }

    /// The document ends here. Only a top-level number can end with it, which belongs to no field: nothing is found.
    pub fn finish(&mut self) -> Result<(), Malformed> {
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

    /// Where something wanted begins of which more must come before it is handed out: a key, a number, an escape.
    pub fn waits_from(&self) -> Option<u64> {
        let Progress { token, from, offset, ref string, .. } = self.progress;
        match token {
            Token::Number(_) => Some(from).filter(|_| self.is_wanted()),
            Token::String | Token::Escape | Token::Unicode { .. } => string.waits_from().filter(|from| *from < offset),
            Token::None | Token::Word { .. } => None,
        }
        .filter(|_| self.progress.malformed.is_none())
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
            (Expected::Key | Expected::KeyOrEnd, b'"') => return Ok(self.key(after, found)),
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
    fn key<'b>(&mut self, after: &'b [u8], found: &mut impl FnMut(Hit<'_, K>)) -> &'b [u8] {
        let Some((key, behind)) = words::whole_string(after) else {
            let keeps =
                if self.innermost().is_some() || !self.anywhere.is_empty() { Keeps::Start } else { Keeps::Nothing };
            self.begin_string(true, keeps);
            self.pass(1);
            return after;
        };
        let Self { shape, in_any_case, anywhere, progress, levels, .. } = self;
        progress.enter(levels, shape, *in_any_case, anywhere, if key.len() <= MAX_TEXT { Some(key) } else { None });
        if progress.is_named() {
            let from = progress.offset.saturating_add(1);
            self.report_name(key, from, from.saturating_add(key.len() as u64), found);
        }
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

    fn pass(&mut self, bytes: usize) {
        self.progress.offset = self.progress.offset.saturating_add(bytes as u64);
    }
}

impl<K> Field<K> {
    fn keeps(&self) -> Keeps {
        match self.want {
            Want::Value if self.key.is_some() => Keeps::Start,
            Want::Pieces => Keeps::Next,
            _ => Keeps::Nothing,
        }
    }
}
