//! The fields of a `multipart/form-data` request: a recording or a picture is uploaded beside what is asked of it.
//!
//! Trade-off: only short fields are kept, and files are counted as they pass. Nothing is written into a form, so an alias
//! or a bound stays outside of it. Source: RFC 7578 and RFC 2046, 5.1.

use crate::json::words;

/// Fields that say what a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Model,
    Stream,
    Choices,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A field's value; `None` if it is longer than any that is right.
    Field(Name, Option<&'a str>),
    /// A file is over, of so many bytes.
    File(u64),
}

#[derive(Debug)]
pub struct FormReader {
    /// CR LF, two dashes and the boundary.
    delimiter: Vec<u8>,
    /// Bytes of the delimiter that came last.
    matched: usize,
    place: Place,
    /// The header line or the value at hand, as far as it is kept.
    kept: Vec<u8>,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind a delimiter: the end of the form, or a part.
    Boundary {
        last: bool,
    },
    Header,
    Content,
    End,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    name: Option<Name>,
    file: bool,
    bytes: u64,
}

/// Of a header or a value; what is longer is none that is asked for.
const LONGEST: usize = 512;
/// As RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

impl FormReader {
    /// `None` if this isn't a form's content type.
    pub fn new(content_type: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content_type).ok()?;
        let (essence, parameters) = text.split_once(';')?;
        if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        let (_, boundary) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
        let boundary = boundary.trim().trim_matches('"');
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return None;
        }
        // The first delimiter may open the body: it lacks the line end that the others begin with.
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        Some(Self { delimiter, matched: 2, place: Place::Content, kept: Vec::new(), part: Part::default() })
    }

    pub fn feed(&mut self, bytes: &[u8], piece: &mut impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.place {
                Place::Content => self.content(rest, piece),
                Place::End => return,
                Place::Boundary { last } => {
                    self.place = match byte {
                        b'\n' if last => Place::End,
                        b'\n' => Place::Header,
                        _ => Place::Boundary { last: last || byte == b'-' },
                    };
                    after
                }
                Place::Header => {
                    if byte == b'\n' {
                        self.end_of_header();
                    } else {
                        self.keep(&[byte]);
                    }
                    after
                }
            };
        }
    }

    /// Whether the form came to its end.
    pub fn is_complete(&self) -> bool {
        matches!(self.place, Place::End | Place::Boundary { last: true })
    }

    fn content<'b>(&mut self, rest: &'b [u8], piece: &mut impl FnMut(Piece<'_>)) -> &'b [u8] {
        if self.matched == 0 {
            let length = words::run(rest, |word| words::equal(word, b'\r'));
            let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.take(run);
            self.matched = usize::from(!after.is_empty());
            return after.get(1..).unwrap_or_default();
        }
        let Some((byte, after)) = rest.split_first() else { return &[] };
        if self.delimiter.get(self.matched) != Some(byte) {
            // A delimiter has one CR, its first byte: what looked like one was content, and none begins within it.
            let content = self.delimiter.get(..self.matched).unwrap_or_default().to_vec();
            self.take(&content);
            self.matched = 0;
            return rest;
        }
        self.matched = self.matched.saturating_add(1);
        if self.matched == self.delimiter.len() {
            self.end_of_part(piece);
        }
        after
    }

    fn take(&mut self, bytes: &[u8]) {
        self.part.bytes = self.part.bytes.saturating_add(bytes.len() as u64);
        if self.part.name.is_some() {
            self.keep(bytes);
        }
    }

    /// One byte more than fits shows that it was too long.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_add(1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_of_part(&mut self, piece: &mut impl FnMut(Piece<'_>)) {
        if self.part.file {
            piece(Piece::File(self.part.bytes));
        } else if let Some(name) = self.part.name {
            let short = self.kept.get(..).filter(|kept| kept.len() <= LONGEST);
            piece(Piece::Field(name, short.and_then(|kept| std::str::from_utf8(kept).ok())));
        }
        (self.place, self.matched, self.part) = (Place::Boundary { last: false }, 0, Part::default());
        self.kept.clear();
    }

    fn end_of_header(&mut self) {
        let line = String::from_utf8_lossy(&self.kept).trim_end().to_owned();
        self.kept.clear();
        if line.is_empty() {
            self.place = Place::Content;
            return;
        }
        let Some((header, value)) = line.split_once(':') else { return };
        if header.trim().eq_ignore_ascii_case("content-disposition") {
            let mut parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
            for (name, value) in &mut parameters {
                match (name.trim(), value.trim().trim_matches('"')) {
                    ("name", "model") => self.part.name = Some(Name::Model),
                    ("name", "stream") => self.part.name = Some(Name::Stream),
                    ("name", "n") => self.part.name = Some(Name::Choices),
                    ("filename" | "filename*", _) => self.part.file = true,
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
        so\r\nund\r\n--\r\n--c\r\n--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n\
        Content-Disposition: form-data; name=\"prompt\"\r\n\r\nname=\"model\"\r\n--b--\r\nepilogue";

    fn read(content_type: &str, chunks: &[&[u8]]) -> (Vec<String>, bool) {
        let (mut form, mut pieces) = (FormReader::new(content_type.as_bytes()).unwrap(), Vec::new());
        for chunk in chunks {
            form.feed(chunk, &mut |piece| pieces.push(format!("{piece:?}")));
        }
        (pieces, form.is_complete())
    }

    #[test]
    fn fields_and_files_are_the_same_wherever_the_form_is_cut() {
        let pieces = vec!["File(16)".to_owned(), "Field(Model, Some(\"whisper-1\"))".to_owned()];
        let bytes = FORM.as_bytes();
        for cut in 0..bytes.len() {
            let read = read("multipart/form-data; boundary=b", &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(read, (pieces.clone(), true), "{cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read("Multipart/Form-Data; charset=utf-8; boundary=\"b\"", &single), (pieces, true));
    }

    #[test]
    fn a_form_that_breaks_off_is_not_complete_and_a_long_field_has_no_value() {
        let cut = &FORM.as_bytes()[..FORM.len() - 20];
        assert!(!read("multipart/form-data; boundary=b", &[cut]).1);
        let long = FORM.replace("whisper-1", &"x".repeat(600));
        assert_eq!(read("multipart/form-data; boundary=b", &[long.as_bytes()]).0[1], "Field(Model, None)");
    }

    #[test]
    fn only_a_form_is_a_form() {
        for content_type in [
            "",
            "application/json",
            "multipart/form-data",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=",
        ] {
            assert!(FormReader::new(content_type.as_bytes()).is_none(), "{content_type}");
        }
    }
}
