//! Strings of which a piece has only a part, or that have escapes: decoded as they come, counted, and kept up to a bound or
//! handed out.

use super::{Expected, InShape, Progress, Rest, Scanner, Token};
use crate::json::{Field, Found, Hit, Why, words};

/// What the scanner's buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    Nothing,
    /// The beginning of the text.
    Start,
    /// What of it is decoded and not handed out yet: an escape, or a character that two feeds share.
    Next,
}

#[derive(Debug)]
pub(super) struct Text {
    is_key: bool,
    keeps: Keeps,
    /// Decoded bytes, all of them and those in the buffer.
    size: u64,
    kept: usize,
    /// Where what is not handed out begins.
    next: u64,
    /// The first half of a surrogate pair, when its escape came last.
    high: Option<u16>,
    /// The first bytes of a character that two feeds share.
    split: [u8; 4],
    split_len: usize,
}

impl Text {
    pub(super) const EMPTY: Self = Self {
        is_key: false,
        keeps: Keeps::Nothing,
        size: 0,
        kept: 0,
        next: 0,
        high: None,
        split: [0; 4],
        split_len: 0,
    };

    /// Where that begins which is not handed out.
    pub(super) fn waits_from(&self) -> Option<u64> {
        let waits = if self.is_key { self.keeps == Keeps::Start } else { self.keeps == Keeps::Next };
        waits.then_some(self.next)
    }
}

impl<K: Copy, const LEVELS: usize> Scanner<K, LEVELS> {
    /// At its quote.
    pub(super) fn begin_string(&mut self, is_key: bool, keeps: Keeps) {
        let next = self.progress.offset.saturating_add(1);
        self.progress.token = Token::String;
        self.progress.string = Text { is_key, keeps, next, ..Text::EMPTY };
    }

    /// Plain characters, up to the closing quote or the next escape.
    pub(super) fn string<'b>(&mut self, rest: &'b [u8], found: &mut impl FnMut(Hit<'_, K>)) -> Rest<'b> {
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
            self.plain(plain, ascii, after.is_empty(), found)?;
        }
        let Some((&byte, after)) = after.split_first() else {
            return Ok(&[]);
        };
        match byte {
            b'"' => {
                self.lone_surrogate();
                self.hand_kept(found);
                self.pass(1);
                self.end_string(found);
            }
            b'\\' => {
                self.hand_kept(found);
                self.pass(1);
                self.progress.token = Token::Escape;
            }
            _ => return Err(Why::ControlCharacter),
        }
        Ok(after)
    }

    fn plain(
        &mut self,
        plain: &[u8],
        ascii: bool,
        may_split: bool,
        found: &mut impl FnMut(Hit<'_, K>),
    ) -> Result<(), Why> {
        let mut whole = plain;
        if !ascii && let Err(error) = str::from_utf8(plain) {
            let (valid, split) = plain.split_at_checked(error.valid_up_to()).unwrap_or((plain, &[]));
            if error.error_len().is_some() || !may_split {
                if self.progress.string.keeps == Keeps::Next {
                    self.hand_kept(found);
                    let from = self.progress.offset;
                    self.hand(valid, from, from.saturating_add(valid.len() as u64), found);
                }
                self.pass(valid.len());
                return Err(Why::BadUtf8);
            }
            for (slot, byte) in self.progress.string.split.iter_mut().zip(split) {
                *slot = *byte;
            }
            self.progress.string.split_len = split.len();
            whole = valid;
        }
        if self.progress.string.keeps == Keeps::Next {
            self.hand_kept(found);
            self.progress.string.size = self.progress.string.size.saturating_add(whole.len() as u64);
            let from = self.progress.offset;
            self.progress.string.next = from.saturating_add(whole.len() as u64);
            self.hand(whole, from, self.progress.string.next, found);
        } else {
            self.append(whole);
        }
        self.pass(plain.len());
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
    pub(super) fn escape<'b>(&mut self, rest: &'b [u8]) -> Rest<'b> {
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

    pub(super) fn unicode<'b>(&mut self, rest: &'b [u8], mut unit: u16, mut missing: u8) -> Rest<'b> {
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
        if string.keeps == Keeps::Nothing {
            return;
        }
        let room = self.text.get_mut(string.kept..).unwrap_or_default();
        let fits = room.len().min(decoded.len());
        for (slot, byte) in room.iter_mut().zip(decoded) {
            *slot = *byte;
        }
        string.kept = string.kept.saturating_add(fits);
    }

    /// Hands out what is in the buffer: it was decoded from all bytes since the last piece.
    fn hand_kept(&mut self, found: &mut impl FnMut(Hit<'_, K>)) {
        let Text { keeps: Keeps::Next, kept: kept @ 1.., .. } = self.progress.string else { return };
        let from = std::mem::replace(&mut self.progress.string.next, self.progress.offset);
        self.progress.string.kept = 0;
        self.hand(self.text.get(..kept).unwrap_or_default(), from, self.progress.offset, found);
    }

    #[cold]
    pub(super) fn hand(&self, text: &[u8], from: u64, to: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        if let (InShape::Field(&Field { key: Some(key), .. }), Ok(text)) = (self.progress.place, str::from_utf8(text))
            && !text.is_empty()
        {
            let Progress { member, repeated, .. } = self.progress;
            found(Hit { key, found: Found::Piece(text), from, to, member, repeated });
        }
    }

    fn end_string(&mut self, found: &mut impl FnMut(Hit<'_, K>)) {
        let Text { is_key, keeps, size, kept, next, .. } = self.progress.string;
        // Of a copy, for the scanner itself moves on. Only a string that came in parts, or with escapes, comes here.
        let buffer = self.text;
        let text = buffer.get(..kept).unwrap_or_default();
        self.progress.token = Token::None;
        if is_key {
            self.progress.expected = Expected::Colon;
            let Self { shape, in_any_case, anywhere, progress, levels, .. } = self;
            progress.enter(levels, shape, *in_any_case, anywhere, if size > kept as u64 { None } else { Some(text) });
            if progress.is_named() {
                self.report_name(text, next, self.progress.offset.saturating_sub(1), found);
            }
        } else {
            self.string_is_read(keeps, text, size, found);
        }
    }

    /// A value's string: `kept` of its `size` bytes; of one that is handed out, what was not yet.
    pub(super) fn string_is_read(&mut self, keeps: Keeps, kept: &[u8], size: u64, found: &mut impl FnMut(Hit<'_, K>)) {
        let value = if keeps == Keeps::Start {
            // Every byte has been checked, so only a character that was cut can be invalid.
            let whole = |kept| str::from_utf8(kept).ok();
            let text = whole(kept).unwrap_or_else(|| kept.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
            Found::Text { text, cut: size > kept.len() as u64 }
        } else {
            if keeps == Keeps::Next {
                let to = self.progress.offset.saturating_sub(1);
                self.hand(kept, to.saturating_sub(kept.len() as u64), to, found);
            }
            Found::Size(size)
        };
        self.report(value, self.progress.offset, found);
        self.after_value();
    }
}
