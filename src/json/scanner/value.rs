//! Values: containers as they open and close, words and numbers, whole in a piece or not.

use super::number::{self, Digits, NumberPart};
use super::{Expected, InShape, Keeps, Nesting, Progress, Rest, Scanner, Token};
use crate::json::{Container, Field, Found, Hit, MAX_DEPTH, MAX_TEXT, Why, words};

impl<K: Copy, const LEVELS: usize> Scanner<K, LEVELS> {
    /// The first byte of a value, or the end of an array that may still be empty; what stands whole is read whole.
    pub(super) fn value<'b>(
        &mut self,
        token: &'b [u8],
        byte: u8,
        after: &'b [u8],
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Rest<'b> {
        self.progress.from = self.progress.offset;
        match byte {
            b'"' => {
                let keeps =
                    if let InShape::Field(field) = self.progress.place { field.keeps() } else { Keeps::Nothing };
                if let Some((text, behind)) = words::whole_string(after) {
                    self.pass(text.len().saturating_add(2));
                    self.string_is_read(keeps, text, text.len() as u64, found);
                    return Ok(behind);
                }
                self.begin_string(false, keeps);
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
                let part = NumberPart::first(byte);
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

    pub(super) fn begin_word<'b>(
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

    pub(super) fn open(&mut self, container: Container, found: &mut impl FnMut(Hit<'_, K>)) -> Result<(), Why> {
        let progress = &mut self.progress;
        if progress.depth >= MAX_DEPTH {
            return Err(Why::TooDeep);
        }
        if progress.depth == 0 {
            progress.root = Some(container);
        }
        // What was found anywhere may stand in containers that nobody follows.
        if !matches!(progress.place, InShape::Elsewhere)
            && progress.tracked == progress.depth
            && let Some(level) = self.levels.get_mut(progress.tracked)
        {
            *level = Nesting { place: progress.place, opened: progress.offset, seen: 0 };
            progress.tracked = progress.tracked.saturating_add(1);
        }
        progress.depth = progress.depth.saturating_add(1);
        progress.objects = progress.objects << 1 | u128::from(container == Container::Object);
        progress.expected = match container {
            Container::Object => Expected::KeyOrEnd,
            Container::Array => Expected::ElementOrEnd,
        };
        let inside = self.progress.offset.saturating_add(1);
        self.report(Found::Opened(container), inside, found);
        self.progress.member = inside;
        self.progress.repeated = false;
        Ok(())
    }

    pub(super) fn close(&mut self, empty: bool, found: &mut impl FnMut(Hit<'_, K>)) {
        if let Some(&Nesting { place, opened, .. }) = self.innermost() {
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

    pub(super) fn after_value(&mut self) {
        self.progress.expected = if self.progress.depth == 0 { Expected::Nothing } else { Expected::CommaOrEnd };
    }

    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.progress.place, InShape::Field(field) if field.key.is_some())
    }

    #[cold]
    pub(super) fn report_name(&self, key: &[u8], from: u64, to: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        let name = key.get(..MAX_TEXT).unwrap_or(key).utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if let InShape::Field(&Field { key: Some(key), .. }) = self.progress.place {
            let member = self.progress.member;
            found(Hit { key, found: Found::Named(name), from, to, member, repeated: false });
        }
    }

    pub(super) fn container(&self) -> Container {
        if self.progress.objects & 1 == 1 { Container::Object } else { Container::Array }
    }

    /// The innermost container, if it is wanted.
    pub(super) fn innermost(&self) -> Option<&Nesting<K>> {
        if self.progress.tracked != self.progress.depth {
            return None;
        }
        self.levels.get(self.progress.depth.wrapping_sub(1))
    }

    pub(super) fn report(&self, value: Found<'_>, to: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        if let InShape::Field(&Field { key: Some(key), .. }) = self.progress.place {
            let Progress { from, member, repeated, .. } = self.progress;
            found(Hit { key, found: value, from, to, member, repeated });
        }
    }

    pub(super) fn word<'b>(
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

    pub(super) fn number<'b>(
        &mut self,
        rest: &'b [u8],
        mut part: NumberPart,
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Rest<'b> {
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
}
