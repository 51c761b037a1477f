//! Server-sent events, cut out of a byte stream that arrives in pieces cut anywhere.
//!
//! Trade-off: buffering lines would be simpler and would hold whatever a provider chooses to send. The state here is a
//! few bytes, and the data goes on in the slices in which it came. Rules: WHATWG HTML, "Interpreting an event stream",
//! with one exception: an event at the end of the stream counts without its blank line. Providers omit that line, and
//! the usage is in that event.

use std::mem;

use crate::json::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of the event's data.
    Data(&'a [u8]),
    /// A blank line has ended a block of lines, even one of nothing but comments. Up to `end`, an index into the fed
    /// chunk, everything belongs to that block or an earlier one.
    EndOfEvent { end: usize },
}

#[derive(Debug)]
pub struct Sse {
    line: Line,
    /// The last line ended with a carriage return: a line feed that follows is part of that end.
    after_return: bool,
    /// The current block has a line, and has a line of `data`.
    in_block: bool,
    has_data: bool,
}

/// How much of the current line has been understood.
#[derive(Clone, Copy, Debug)]
enum Line {
    Start,
    /// The name of the field, so far a prefix of `data`.
    Name {
        missing: &'static [u8],
    },
    /// Just behind `data:`, where one space does not count.
    Colon,
    Data,
    /// A comment or another field.
    Other,
    /// A byte order mark, which may only open the stream.
    Mark {
        missing: &'static [u8],
    },
}

const NAME: &[u8] = b"data";
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Default for Sse {
    fn default() -> Self {
        Self::new()
    }
}

impl Sse {
    pub const fn new() -> Self {
        Self { line: Line::Mark { missing: MARK }, after_return: false, in_block: false, has_data: false }
    }

    pub fn feed(&mut self, chunk: &[u8], piece: &mut impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            if mem::take(&mut self.after_return) && byte == b'\n' {
                rest = after;
            } else if matches!(byte, b'\n' | b'\r') {
                self.after_return = byte == b'\r';
                if self.is_blank() {
                    let line_feed = self.after_return && after.first() == Some(&b'\n');
                    let end = chunk.len().saturating_sub(after.len()).saturating_add(usize::from(line_feed));
                    self.end_block(end, piece);
                } else {
                    self.end_line(piece);
                }
                rest = after;
            } else {
                rest = self.within_line(rest, byte, after, piece);
            }
        }
    }

    /// The stream ends here, and with it the event that still lacks its blank line: its `end` is 0.
    pub fn finish(&mut self, piece: &mut impl FnMut(Piece<'_>)) {
        if !self.is_blank() {
            self.end_line(piece);
        }
        self.end_block(0, piece);
    }

    /// Whether nothing of a next event has come since the last one ended.
    pub fn at_boundary(&self) -> bool {
        !self.in_block
    }

    fn is_blank(&self) -> bool {
        match self.line {
            Line::Start => true,
            Line::Mark { missing } => missing.len() == MARK.len(),
            Line::Name { .. } | Line::Colon | Line::Data | Line::Other => false,
        }
    }

    fn end_block(&mut self, end: usize, piece: &mut impl FnMut(Piece<'_>)) {
        self.line = Line::Start;
        self.has_data = false;
        if mem::take(&mut self.in_block) {
            piece(Piece::EndOfEvent { end });
        }
    }

    fn end_line(&mut self, piece: &mut impl FnMut(Piece<'_>)) {
        if let Line::Name { missing: [] } = self.line {
            self.begin_data(piece);
        }
        self.line = Line::Start;
        self.in_block = true;
    }

    /// A further line of data joins the ones before it with a line feed.
    fn begin_data(&mut self, piece: &mut impl FnMut(Piece<'_>)) {
        if mem::replace(&mut self.has_data, true) {
            piece(Piece::Data(b"\n"));
        }
    }

    /// Reads on from `byte`, which does not end the line, and returns what is left of `rest`.
    fn within_line<'b>(
        &mut self,
        rest: &'b [u8],
        byte: u8,
        after: &'b [u8],
        piece: &mut impl FnMut(Piece<'_>),
    ) -> &'b [u8] {
        match self.line {
            Line::Mark { missing: [next, missing @ ..] } if byte == *next => {
                self.line = if missing.is_empty() { Line::Start } else { Line::Mark { missing } };
                return after;
            }
            Line::Mark { .. } if self.is_blank() => {
                self.line = Line::Start;
                return rest;
            }
            Line::Start => {
                self.line = Line::Name { missing: NAME };
                self.in_block = true;
                return rest;
            }
            Line::Name { missing: [next, missing @ ..] } if byte == *next => {
                self.line = Line::Name { missing };
                return after;
            }
            Line::Name { missing: [] } if byte == b':' => {
                self.begin_data(piece);
                self.line = Line::Colon;
                return after;
            }
            Line::Mark { .. } | Line::Name { .. } => {
                self.line = Line::Other;
                self.in_block = true;
            }
            Line::Colon => {
                self.line = Line::Data;
                if byte == b' ' {
                    return after;
                }
            }
            Line::Data | Line::Other => {}
        }
        let length = words::run(rest, |word| words::equal(word, b'\n') | words::equal(word, b'\r'));
        let (run, line_end) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if matches!(self.line, Line::Data) {
            piece(Piece::Data(run));
        }
        line_end
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "indices into short test streams")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The data of each event and where it ends in the stream (0: with the stream).
    fn events(chunks: &[&[u8]]) -> Vec<(Vec<u8>, usize)> {
        let (mut sse, mut events, mut data, mut before) = (Sse::new(), Vec::new(), Vec::new(), 0);
        for chunk in chunks {
            sse.feed(chunk, &mut |piece| match piece {
                Piece::Data(bytes) => data.extend_from_slice(bytes),
                Piece::EndOfEvent { end } => events.push((mem::take(&mut data), before + end)),
            });
            before += chunk.len();
        }
        sse.finish(&mut |piece| match piece {
            Piece::Data(bytes) => data.extend_from_slice(bytes),
            Piece::EndOfEvent { end } => events.push((mem::take(&mut data), end)),
        });
        assert!(sse.at_boundary());
        events
    }

    fn data(stream: &str) -> Vec<String> {
        events(&[stream.as_bytes()]).into_iter().map(|(data, _)| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn events_end_with_a_blank_line_of_any_kind() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["event: delta", "data: one", "", "data: two", "", ""].join(end);
            assert_eq!(data(&stream), ["one", "two"], "{end:?}");
        }
        assert_eq!(data("data: a\r\n\ndata: b\n\r\ndata: c\r\rdata: d\n\r"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn one_space_behind_the_colon_does_not_count() {
        assert_eq!(data("data:x\n\ndata: x\n\ndata:  x\n\ndata:\tx\n\n"), ["x", "x", " x", "\tx"]);
    }

    #[test]
    fn lines_of_data_join_with_a_line_feed() {
        assert_eq!(data("data: {\ndata: }\n\n"), ["{\n}"]);
        assert_eq!(data("data\ndata:\ndata: \nid: 7\ndata:x\n\n"), ["\n\n\nx"]);
        assert_eq!(data("data: a\n\ndata: b\n\n"), ["a", "b"]);
    }

    #[test]
    fn comments_and_other_fields_carry_no_data() {
        assert_eq!(data(": ping\n\n"), [""]);
        assert_eq!(data(":data: x\nevent: data: x\ndat: x\ndatas: x\n data: x\nDATA: x\nretry: 1\n\n"), [""]);
        assert_eq!(data("data: x:data: y\n\n"), ["x:data: y"]);
    }

    #[test]
    fn blank_lines_alone_are_no_event() {
        assert_eq!(data(""), [""; 0]);
        assert_eq!(data("\n\r\n\r\r\n\n"), [""; 0]);
        assert_eq!(data("\n\ndata: x\n\n\n\n"), ["x"]);
    }

    #[test]
    fn a_byte_order_mark_may_open_the_stream_only() {
        assert_eq!(data("\u{feff}data: x\n\n"), ["x"]);
        assert_eq!(data("\u{feff}\u{feff}data: x\n\n"), [""]);
        assert_eq!(data("data: x\n\n\u{feff}data: x\n\n"), ["x", ""]);
        assert_eq!(events(&[b"\xef\xbbdata: x\n\n"]), [(vec![], 11)]);
        assert_eq!(events(&[b"\xef\n\n"]), [(vec![], 3)]);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        for stream in ["data: x", "data: x\n", "data: x\r", "data: x\r\n"] {
            assert_eq!(events(&[stream.as_bytes()]), [(b"x".to_vec(), 0)], "{stream:?}");
        }
        assert_eq!(data("data: x\ndata"), ["x\n"]);
        assert_eq!(data("data: x\n\n"), ["x"]);
    }

    #[test]
    fn a_line_feed_in_the_next_chunk_belongs_to_the_event_before() {
        let mut sse = Sse::new();
        let mut feed = |chunk: &str| {
            let mut ends = Vec::new();
            sse.feed(chunk.as_bytes(), &mut |piece| {
                if let Piece::EndOfEvent { end } = piece {
                    ends.push(end);
                }
            });
            (ends, sse.at_boundary())
        };
        assert_eq!(feed("data: x\r\n\r"), (vec![10], true));
        assert_eq!(feed("\n"), (vec![], true));
        assert_eq!(feed("data: y\r\n\r\nda"), (vec![11], false));
        assert_eq!(feed("ta: z\r"), (vec![], false));
        assert_eq!(feed("\n"), (vec![], false));
        assert_eq!(feed("\n"), (vec![1], true));
    }

    #[test]
    fn data_comes_in_slices_as_large_as_the_chunk_allows() {
        let stream = format!("data: {}\n\n", "x".repeat(5000));
        let mut slices = Vec::new();
        Sse::new().feed(stream.as_bytes(), &mut |piece| {
            if let Piece::Data(bytes) = piece {
                slices.push(bytes.len());
            }
        });
        assert_eq!(slices, [5000]);
    }

    /// The rules once more, on whole lines.
    fn by_lines(stream: &str) -> Vec<String> {
        let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
        let mut events = Vec::new();
        let mut block: Option<Vec<&str>> = None;
        for line in stream.split('\n').chain([""]) {
            if line.is_empty() {
                events.extend(block.take().map(|data| data.join("\n")));
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let block = block.get_or_insert_default();
            if name == "data" {
                block.push(value.strip_prefix(' ').unwrap_or(value));
            }
        }
        events
    }

    fn streams() -> impl Strategy<Value = String> {
        const BITS: &[&str] = &["data", "data:", "data: ", ":", "event: x", "x", " ", "{\"a\":1}", "é", "\u{feff}"];
        const ENDS: &[&str] = &["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r"];
        let bit = prop_oneof![3 => prop::sample::select(BITS), 2 => prop::sample::select(ENDS)];
        prop::collection::vec(bit, 0..24).prop_map(|bits| bits.concat())
    }

    proptest! {
        #[test]
        fn events_are_those_of_the_whole_lines(stream in streams()) {
            prop_assert_eq!(data(&stream), by_lines(&stream));
        }

        #[test]
        fn no_cut_changes_an_event(stream in streams(), cuts in prop::collection::vec(0..80_usize, 0..12)) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().chain([bytes.len()]);
            let chunks: Vec<&[u8]> = starts.zip(ends).map(|(from, to)| &bytes[from..to]).collect();
            let (whole, cut) = (events(&[bytes]), events(&chunks));
            prop_assert_eq!(whole.len(), cut.len());
            for (whole, cut) in whole.iter().zip(&cut) {
                prop_assert_eq!(&whole.0, &cut.0);
                // The line feed that ends an event may have come too late to be counted in.
                prop_assert!(whole.1 == cut.1 || whole.1 == cut.1 + 1 && bytes[cut.1] == b'\n');
            }
        }
    }
}
