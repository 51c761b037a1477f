//! Server-sent events, cut out of a byte stream that arrives in pieces cut anywhere.
//!
//! Trade-off: buffering lines would be simpler and would hold whatever a provider chooses to send. The state here is a
//! few bytes, and the data goes on in the slices in which it came. Rules: WHATWG HTML, "Interpreting an event stream",
//! with one exception: an event at the end of the stream counts without its blank line. Providers omit that line, and
//! the usage is in that event.

use std::mem;

use crate::json::words;

/// The next bytes of an event's data, and where they stand in what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    pub bytes: &'a [u8],
    pub from: usize,
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

    /// Reads to the end of the next event and returns what stands behind it, or `None` if the event goes on behind
    /// `bytes`. An event ends with the blank line behind a block of lines, even of nothing but comments.
    pub fn feed_event<'b>(&mut self, bytes: &'b [u8], data: &mut impl FnMut(Data<'_>)) -> Option<&'b [u8]> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if mem::take(&mut self.after_return) && byte == b'\n' {
                rest = after;
            } else if matches!(byte, b'\n' | b'\r') {
                rest = after;
                self.after_return = byte == b'\r';
                if !self.is_blank() {
                    self.end_line(data);
                } else if self.end_block() {
                    let line_feed = rest.strip_prefix(b"\n").filter(|_| self.after_return);
                    self.after_return &= line_feed.is_none();
                    return Some(line_feed.unwrap_or(rest));
                }
            } else {
                let from = bytes.len().saturating_sub(rest.len());
                rest = self.within_line(rest, from, byte, after, data);
            }
        }
        None
    }

    /// The stream ends here. Returns whether an event ends with it, which lacks its blank line.
    pub fn finish(&mut self, data: &mut impl FnMut(Data<'_>)) -> bool {
        if !self.is_blank() {
            self.end_line(data);
        }
        self.end_block()
    }

    /// Whether nothing of a next event has come since the last one ended.
    pub fn at_boundary(&self) -> bool {
        !self.in_block
    }

    /// Whether the next byte can only begin an event, and does not end a line.
    pub fn is_between_events(&self) -> bool {
        matches!(self.line, Line::Start) && !self.in_block && !self.after_return
    }

    fn is_blank(&self) -> bool {
        match self.line {
            Line::Start => true,
            Line::Mark { missing } => missing.len() == MARK.len(),
            Line::Name { .. } | Line::Colon | Line::Data | Line::Other => false,
        }
    }

    /// Returns whether there was a block.
    fn end_block(&mut self) -> bool {
        self.line = Line::Start;
        self.has_data = false;
        mem::take(&mut self.in_block)
    }

    fn end_line(&mut self, data: &mut impl FnMut(Data<'_>)) {
        if let Line::Name { missing: [] } = self.line {
            self.begin_data(data);
        }
        self.line = Line::Start;
        self.in_block = true;
    }

    /// A further line of data joins the ones before it with a line feed.
    fn begin_data(&mut self, data: &mut impl FnMut(Data<'_>)) {
        if mem::replace(&mut self.has_data, true) {
            data(Data { bytes: b"\n", from: 0 });
        }
    }

    /// Reads on from `byte`, which stands at `from` and does not end the line, and returns what is left of `rest`.
    fn within_line<'b>(
        &mut self,
        rest: &'b [u8],
        from: usize,
        byte: u8,
        after: &'b [u8],
        data: &mut impl FnMut(Data<'_>),
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
                self.begin_data(data);
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
            data(Data { bytes: run, from });
        }
        line_end
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "indices into short test streams")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a chunk: the data of each event that ends in it, and where; `data` is what an earlier chunk has brought.
    fn read(sse: &mut Sse, chunk: &[u8], data: &mut Vec<u8>) -> Vec<(Vec<u8>, usize)> {
        let (mut events, mut rest) = (Vec::new(), chunk);
        loop {
            let before = rest;
            let behind = sse.feed_event(before, &mut |Data { bytes, from }| {
                assert!(bytes == b"\n" || before[from..].starts_with(bytes));
                data.extend_from_slice(bytes);
            });
            let Some(behind) = behind else { return events };
            events.push((mem::take(data), chunk.len() - behind.len()));
            rest = behind;
        }
    }

    /// The data of each event and where it ends in the stream (0: with the stream).
    fn events(chunks: &[&[u8]]) -> Vec<(Vec<u8>, usize)> {
        let (mut sse, mut events, mut data, mut before) = (Sse::new(), Vec::new(), Vec::new(), 0);
        for chunk in chunks {
            events.extend(read(&mut sse, chunk, &mut data).into_iter().map(|(data, end)| (data, before + end)));
            before += chunk.len();
        }
        if sse.finish(&mut |Data { bytes, .. }| data.extend_from_slice(bytes)) {
            events.push((data, 0));
        }
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
            let ends: Vec<usize> =
                read(&mut sse, chunk.as_bytes(), &mut Vec::new()).into_iter().map(|(_, end)| end).collect();
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
        Sse::new().feed_event(stream.as_bytes(), &mut |Data { bytes, .. }| slices.push(bytes.len()));
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
