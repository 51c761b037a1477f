//! The way through a document, token by token: what the grammar allows next, and where in the shape a value stands.
//!
//! Trade-off: a token that stands whole in the piece at hand is read in one step, which nearly all do; the states that let
//! a piece end anywhere are for the few that do not.

mod string;

use super::number::{self, Digits, Part};
use super::{Container, Field, Found, Hit, MAX_DEPTH, MAX_TEXT, MAX_TRACKED, Malformed, Want, Why, words};
use string::Text;

/// Reads one document, in pieces cut anywhere, and reports the fields of `shape` that its top-level object has (or
/// the objects of its top-level array). Nothing is allocated and nothing of the document is kept.
#[derive(Debug)]
pub struct Scanner<K: 'static> {
    shape: &'static [Field<K>],
    in_any_case: bool,
    /// Fields that are found wherever they stand, by the beginning of their key.
    anywhere: &'static [Field<K>],
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
        let levels = [const { Level::UNUSED }; MAX_TRACKED];
        Self { shape, in_any_case: false, anywhere: &[], progress: Progress::START, levels, text: [0; MAX_TEXT] }
    }

    /// A key in other letters (`Model`) is told as its field, repeated: Go's and .NET's readers take it for that, others
    /// don't.
    pub const fn in_any_case(mut self) -> Self {
        self.in_any_case = true;
        self
    }

    /// Each of these fields is told wherever its key stands, however deep, in any letters, and whatever follows its name in the
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
            let keep = self.innermost().is_some() || !self.anywhere.is_empty();
            self.begin_string(true, keep);
            self.pass(1);
            return after;
        };
        let Self { shape, in_any_case, anywhere, progress, levels, .. } = self;
        progress.enter(levels, shape, *in_any_case, anywhere, if key.len() <= MAX_TEXT { Some(key) } else { None });
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
        // What was found anywhere may stand in containers that nobody follows.
        if !matches!(progress.place, Place::Elsewhere)
            && progress.tracked == progress.depth
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

    fn pass(&mut self, bytes: usize) {
        self.progress.offset = self.progress.offset.saturating_add(bytes as u64);
    }
}

impl<K> Progress<K> {
    /// The key says where in the shape the next value stands; `None` is one too long for any field.
    fn enter(
        &mut self,
        levels: &mut [Level<K>],
        shape: &'static [Field<K>],
        in_any_case: bool,
        anywhere: &'static [Field<K>],
        key: Option<&[u8]>,
    ) {
        self.place = Place::Elsewhere;
        self.repeated = false;
        let Some(key) = key else { return };
        if self.tracked == self.depth {
            self.enter_followed(levels, shape, in_any_case, key);
        }
        if !anywhere.is_empty() && matches!(self.place, Place::Elsewhere) {
            let begins = |field: &&Field<K>| {
                let name = field.name.as_bytes();
                let same = |(a, b): (&u8, &u8)| a | 0x20 == *b;
                key.len() >= name.len() && key.iter().zip(name).all(same)
            };
            self.place = anywhere.iter().find(begins).map_or(Place::Elsewhere, Place::Field);
        }
    }

    /// The key of an object that stands in the shape.
    fn enter_followed(&mut self, levels: &mut [Level<K>], shape: &'static [Field<K>], in_any_case: bool, key: &[u8]) {
        let Some(object) = levels.get_mut(self.depth.wrapping_sub(1)) else { return };
        let fields = match object.place {
            Place::Elsewhere => &[],
            Place::Root => shape,
            Place::Field(field) => field.inside,
        };
        // Mostly the first byte tells names of one length apart.
        let is_key = |field: &Field<K>| {
            let name = field.name.as_bytes();
            name.len() == key.len() && name.first() == key.first() && words::same(name, key)
        };
        let Some((field, bit)) = fields.iter().zip(0..).find(|(field, _)| is_key(field)) else {
            if in_any_case && let Some(field) = words::in_other_letters(key, fields, |field| field.name) {
                self.place = Place::Field(field);
                self.repeated = true;
            }
            return;
        };
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
