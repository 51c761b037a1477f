//! The fields of a `multipart/form-data` request: a recording or a picture is uploaded beside what is asked of it.
//!
//! Only short fields are kept, and files are counted as they pass. Nothing is written into a form, so an alias
//! or a bound stays outside of it. Servers differ about sloppy forms (a boundary behind a bare line feed, a name given
//! twice), and a model that only the provider sees would be paid by nobody: what could be read in two ways is refused.
//! Source: RFC 7578 and RFC 2046, 5.1.

mod part;

use crate::json::words;
pub use part::FieldName;
use part::{Ambiguous, Part};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormPiece<'a> {
    /// A field's value; `None` if it is longer than any that is right.
    Field(FieldName, Option<&'a str>),
    /// The same of any other field, by its name; a file has no value.
    Other(&'a str, Option<&'a str>),
    /// A file is over, of so many bytes.
    File(u64),
}

/// Why a form is refused. Its text is fit for the client.
pub type Fault = &'static str;

#[derive(Debug)]
pub struct FormReader {
    boundary: Boundary,
    /// Bytes of CR LF and the boundary that came last.
    matched: usize,
    stage: Stage,
    current: Current,
}

/// The part at hand.
#[derive(Debug, Default)]
struct Current {
    part: Part,
    /// The line of its head or the value, as far as it is kept.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Behind a boundary, and behind which byte there.
    Behind(u8),
    Head,
    Content,
    End,
    Broken(Fault),
}

/// Two dashes and the boundary, found wherever they stand.
#[derive(Debug)]
struct Boundary {
    text: Vec<u8>,
    /// For each length that matched: how much of it may still be the beginning of a match if the next byte is none.
    shorter: Vec<usize>,
    /// Bytes of the text that came last.
    matched: usize,
}

/// Of a value; what is longer is none that is asked for.
const LONGEST: usize = 512;
/// Of a line in a part's head: a file's name may be long, and percent-encoded beside.
const LONGEST_LINE: usize = 4_096;
/// As RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

const WITHIN: Fault = "has its boundary within a part";
const BEHIND: Fault = "has something behind a boundary";
const LINE: Fault = "has a line in a part's head that is too long, folded, or not ended by CR LF";
const EARLY: Fault = "ends too early";

impl Boundary {
    fn new(boundary: &str) -> Self {
        let text = [b"--", boundary.as_bytes()].concat();
        let mut shorter = vec![0_usize];
        for byte in text.iter().skip(1) {
            let length = shorter.last().copied().unwrap_or(0);
            shorter.push(longer(&text, &shorter, length, *byte));
        }
        Self { text, shorter, matched: 0 }
    }

    /// Takes the next byte. Whether it ends the boundary's text.
    fn advance(&mut self, byte: u8) -> bool {
        self.matched = longer(&self.text, &self.shorter, self.matched, byte);
        let ends = self.matched == self.text.len();
        if ends {
            self.matched = 0;
        }
        ends
    }
}

/// How much of the text has come, when `matched` bytes of it had and this one follows (Knuth, Morris and Pratt).
fn longer(text: &[u8], shorter: &[usize], mut matched: usize, byte: u8) -> usize {
    loop {
        if text.get(matched) == Some(&byte) {
            return matched.saturating_add(1);
        }
        match matched.checked_sub(1) {
            Some(last) => matched = shorter.get(last).copied().unwrap_or(0),
            None => return 0,
        }
    }
}

impl FormReader {
    /// `None` if this isn't a form's content type, or its boundary is none.
    pub fn new(content_type: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content_type).ok()?;
        let (essence, parameters) = text.split_once(';')?;
        if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        // By RFC 2231 `boundary*` is a boundary as well, and some servers take it before the other.
        if parameters.contains('*') {
            return None;
        }
        let parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        let mut boundaries = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
        let (Some((_, boundary)), None) = (boundaries.next(), boundaries.next()) else { return None };
        let boundary = boundary.trim();
        let boundary = boundary.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(boundary);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || !boundary.bytes().all(allowed) {
            return None;
        }
        Some(Self {
            boundary: Boundary::new(boundary),
            // The first boundary may open the body: it lacks the line end that the others begin with.
            matched: CRLF.len(),
            stage: Stage::Content,
            current: Current::default(),
        })
    }

    pub fn feed(&mut self, bytes: &[u8], piece: &mut impl FnMut(FormPiece<'_>)) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.stage {
                Stage::Content => self.content(rest, piece),
                Stage::Broken(_) => return,
                // A server that takes another text for the boundary finds its form here.
                Stage::End => {
                    if !matches!(byte, b'\r' | b'\n') {
                        self.stage = Stage::Broken(BEHIND);
                    }
                    after
                }
                Stage::Behind(before) => {
                    self.stage = match (before, byte) {
                        (BOUNDARY | b' ' | b'\t', b' ' | b'\t' | b'\r') | (BOUNDARY, b'-') => Stage::Behind(byte),
                        (b'\r', b'\n') => Stage::Head,
                        (b'-', b'-') => Stage::End,
                        _ => Stage::Broken(BEHIND),
                    };
                    after
                }
                Stage::Head => {
                    if byte == b'\n' {
                        self.stage = self.line().unwrap_or_else(Stage::Broken);
                    } else {
                        self.current.keep(&[byte], LONGEST_LINE);
                    }
                    after
                }
            };
        }
    }

    /// Whether the form came to its end, and nothing in it was unclear.
    pub const fn finish(&self) -> Result<(), Fault> {
        match self.stage {
            Stage::End => Ok(()),
            Stage::Broken(fault) => Err(fault),
            _ => Err(EARLY),
        }
    }

    fn content<'b>(&mut self, rest: &'b [u8], piece: &mut impl FnMut(FormPiece<'_>)) -> &'b [u8] {
        if self.matched == 0 && self.boundary.matched == 0 {
            let length = words::run(rest, |word| words::equal(word, b'\r') | words::equal(word, b'-'));
            let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            if !run.is_empty() {
                self.current.take(run);
                return after;
            }
        }
        let Some((&byte, after)) = rest.split_first() else { return &[] };
        let found = self.boundary.advance(byte);
        if self.expected() != Some(byte) {
            // CR is the first byte of a delimiter and none of its others: what looked like one was content, and none
            // begins within it.
            let matched = std::mem::take(&mut self.matched);
            let (line_end, text) = matched.checked_sub(CRLF.len()).map_or((matched, 0), |text| (CRLF.len(), text));
            self.current.take(CRLF.get(..line_end).unwrap_or_default());
            self.current.take(self.boundary.text.get(..text).unwrap_or_default());
        }
        if self.expected() == Some(byte) {
            self.matched = self.matched.saturating_add(1);
            if found {
                self.end_of_part(piece);
            }
        } else if found {
            self.stage = Stage::Broken(WITHIN);
        } else {
            self.current.take(&[byte]);
        }
        after
    }

    /// The next byte of CR LF and the boundary.
    fn expected(&self) -> Option<u8> {
        let text = self.matched.checked_sub(CRLF.len());
        text.map_or(CRLF.get(self.matched), |text| self.boundary.text.get(text)).copied()
    }

    fn end_of_part(&mut self, piece: &mut impl FnMut(FormPiece<'_>)) {
        let Current { part, kept } = &self.current;
        let short = Some(&**kept).filter(|kept| !part.file && kept.len() <= LONGEST);
        let value = short.and_then(|kept| std::str::from_utf8(kept).ok());
        if let Some(name) = &part.other {
            piece(FormPiece::Other(name, value));
        }
        if part.file {
            piece(FormPiece::File(part.bytes));
        } else if let Some(name) = part.name {
            piece(FormPiece::Field(name, value));
        }
        (self.stage, self.matched, self.current.part) = (Stage::Behind(BOUNDARY), 0, Part::default());
        self.current.kept.clear();
    }

    /// A line of a part's head has ended.
    fn line(&mut self) -> Result<Stage, Fault> {
        let line =
            self.current.kept.strip_suffix(b"\r").filter(|line| line.len() < LONGEST_LINE && !line.contains(&b'\r'));
        let Some(line) = line.filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t")) else {
            return Err(LINE);
        };
        if line.is_empty() {
            self.current.kept.clear();
            self.current.part.begins().map_err(Ambiguous::why)?;
            return Ok(Stage::Content);
        }
        self.current.part.line(&String::from_utf8_lossy(line)).map_err(Ambiguous::why)?;
        self.current.kept.clear();
        Ok(Stage::Head)
    }
}

impl Current {
    fn take(&mut self, bytes: &[u8]) {
        self.part.bytes = self.part.bytes.saturating_add(bytes.len() as u64);
        if !self.part.file && (self.part.name.is_some() || self.part.other.is_some()) {
            self.keep(bytes, LONGEST);
        }
    }

    /// One byte more than fits shows that it was too long.
    fn keep(&mut self, bytes: &[u8], longest: usize) {
        let room = longest.saturating_add(1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

const CRLF: &[u8] = b"\r\n";
/// Stands for the byte before where a boundary has just ended.
const BOUNDARY: u8 = 0;

#[cfg(test)]
mod tests;
