//! How an answer goes over the wire: the order of writes, flushes, waits and breaks, made ahead of any socket.
//!
//! The steps are plain values in a lazy iterator. Whatever a knob asks is decided here, where it can be tested
//! without a connection; `playback` only performs the steps.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::answer::{Chat, Event};
use crate::knobs::{Knobs, LONGEST_MS};

/// Before a break, so that what was written leaves first: neither hyper nor h2 flush when a body fails.
const LINGER: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hands these bytes over and bills the tokens.
    Send {
        bytes: Bytes,
        tokens: u64,
    },
    /// Lets the connection write what it has before the next bytes come.
    Flush,
    Wait(Duration),
    /// Breaks the connection (HTTP/2: the stream) off. `delivered`: nothing was left to send.
    Break {
        delivered: bool,
    },
}

pub type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// A body with nothing odd about it.
pub fn plain(body: Vec<u8>) -> Steps {
    Box::new(std::iter::once(Step::Send { bytes: body.into(), tokens: 0 }))
}

/// A JSON answer: the steps, and the length of all of it. Its `cut` and `hang_after` count bytes.
pub fn whole(body: Vec<u8>, knobs: &Knobs, gzip: bool) -> (Steps, u64) {
    let body = if gzip { Squeeze::new().last(&body) } else { body };
    let length = body.len() as u64;
    let (stop, end) = stop_of(knobs);
    let shown = stop.map_or(body.len(), |stop| usize::try_from(stop).unwrap_or(usize::MAX).min(body.len()));
    let mut steps = VecDeque::new();
    wait(&mut steps, knobs.first_ms);
    for (nth, piece) in pieces(body.get(..shown).unwrap_or_default(), knobs).enumerate() {
        if nth > 0 {
            wait(&mut steps, knobs.gap_ms);
        }
        send(&mut steps, piece, 0);
    }
    if shown < body.len() {
        steps.extend(end);
    }
    (Box::new(steps.into_iter()), length)
}

/// A streamed answer: the steps, and its length if that is to be told. `cut` and `hang_after` count events.
pub fn streamed(chat: &Arc<Chat>, gzip: bool) -> (Steps, Option<u64>) {
    let stream = |knobs: Knobs| Stream {
        events: Box::new(chat.clone().events()),
        sent: 0,
        squeeze: gzip.then(Squeeze::new),
        steps: VecDeque::new(),
        over: false,
        knobs,
    };
    let length = chat.knobs.content_length.then(|| {
        let whole = Knobs { cut: None, hang_after: None, ..chat.knobs.clone() };
        let lengths = stream(whole).map(|step| match step {
            Step::Send { bytes, .. } => bytes.len() as u64,
            _ => 0,
        });
        lengths.sum()
    });
    (Box::new(stream(chat.knobs.clone())), length)
}

struct Stream {
    events: Box<dyn Iterator<Item = Event> + Send>,
    sent: u64,
    squeeze: Option<Squeeze>,
    steps: VecDeque<Step>,
    over: bool,
    knobs: Knobs,
}

impl Iterator for Stream {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.steps.is_empty() && !self.over {
            self.advance();
        }
        self.steps.pop_front()
    }
}

impl Stream {
    /// Queues the steps of the next event, or those of the end.
    fn advance(&mut self) {
        let (stop, end) = stop_of(&self.knobs);
        if stop == Some(self.sent) {
            self.over = true;
            return self.steps.extend(end);
        }
        let Some(event) = self.events.next() else {
            self.over = true;
            if self.knobs.done_then_hangup {
                return self.steps.extend([Step::Wait(LINGER), Step::Break { delivered: true }]);
            }
            let rest = self.squeeze.take().map(|squeeze| squeeze.last(&[])).unwrap_or_default();
            return self.write(&rest, 0);
        };
        wait(&mut self.steps, if self.sent == 0 { self.knobs.first_ms } else { self.knobs.gap_ms });
        if self.knobs.comments {
            let comment = self.encoded(b": keep-alive");
            self.write(&comment, 0);
        }
        let line = self.encoded(&[b"data: ", event.data.as_slice()].concat());
        self.write(&line, event.tokens);
        self.sent += 1;
    }

    /// The line, its end, the blank line behind it; compressed so that it can be read at once.
    fn encoded(&mut self, line: &[u8]) -> Vec<u8> {
        let end: &[u8] = match (self.knobs.crlf, self.knobs.cr) {
            (true, _) => b"\r\n",
            (_, true) => b"\r",
            _ => b"\n",
        };
        let line = [line, end, end].concat();
        match &mut self.squeeze {
            Some(squeeze) => squeeze.next(&line),
            None => line,
        }
    }

    fn write(&mut self, bytes: &[u8], mut tokens: u64) {
        for piece in pieces(bytes, &self.knobs) {
            send(&mut self.steps, piece, std::mem::take(&mut tokens));
        }
    }
}

/// Where the knobs stop the answer, and the steps they put there. The earlier of two stops counts.
fn stop_of(knobs: &Knobs) -> (Option<u64>, Vec<Step>) {
    let cut = [Step::Wait(LINGER), Step::Break { delivered: false }];
    let hang = [Step::Wait(Duration::from_millis(LONGEST_MS)), Step::Break { delivered: false }];
    match (knobs.cut, knobs.hang_after) {
        (Some(at), Some(hang_at)) if hang_at < at => (Some(hang_at), hang.into()),
        (Some(at), _) => (Some(at), cut.into()),
        (None, Some(at)) => (Some(at), hang.into()),
        (None, None) => (None, Vec::new()),
    }
}

fn wait(steps: &mut VecDeque<Step>, ms: u64) {
    if ms > 0 {
        steps.push_back(Step::Wait(Duration::from_millis(ms)));
    }
}

fn send(steps: &mut VecDeque<Step>, piece: &[u8], tokens: u64) {
    steps.push_back(Step::Flush);
    steps.push_back(Step::Send { bytes: Bytes::copy_from_slice(piece), tokens });
}

/// The pieces in which `bytes` are written. To cut inside code points is to cut behind each lead byte.
fn pieces<'a>(bytes: &'a [u8], knobs: &Knobs) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
    match knobs.bytes.and_then(|size| usize::try_from(size).ok()) {
        Some(size) => Box::new(bytes.chunks(size.max(1))),
        None if knobs.split_utf8 => {
            Box::new(bytes.split_inclusive(|byte| *byte >= 0xc0).filter(|piece| !piece.is_empty()))
        }
        None => Box::new(std::iter::once(bytes).filter(|piece| !piece.is_empty())),
    }
}

/// One gzip stream over many writes. Writing to memory cannot fail.
struct Squeeze(GzEncoder<Vec<u8>>);

impl Squeeze {
    fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    fn next(&mut self, bytes: &[u8]) -> Vec<u8> {
        let _ = self.0.write_all(bytes);
        let _ = self.0.flush();
        std::mem::take(self.0.get_mut())
    }

    fn last(mut self, bytes: &[u8]) -> Vec<u8> {
        let _ = self.0.write_all(bytes);
        self.0.finish().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn chat(knobs: &str) -> Arc<Chat> {
        let body = br#"{"model":"tiny","stream":true,"messages":[{"content":"hello"}]}"#;
        Arc::new(Chat::read(body, &[knobs]).expect("a request"))
    }

    fn sends(steps: Steps) -> Vec<Bytes> {
        let sent = |step| match step {
            Step::Send { bytes, .. } => Some(bytes),
            _ => None,
        };
        steps.filter_map(sent).collect()
    }

    fn stream(knobs: &str) -> Vec<Bytes> {
        sends(streamed(&chat(knobs), false).0)
    }

    #[test]
    fn a_stream_is_the_same_in_any_pieces() {
        let plain = stream("tokens=4").concat();
        assert_eq!(stream("tokens=4").len(), 6, "one write for each event");
        assert!(stream("tokens=4; bytes=1").iter().all(|piece| piece.len() == 1));
        assert_eq!(stream("tokens=4; bytes=1").concat(), plain);
        assert_eq!(stream("tokens=4; bytes=7").concat(), plain);
    }

    #[test]
    fn code_points_are_cut_inside() {
        let pieces = stream("tokens=8; split_utf8");
        assert!(pieces.iter().filter(|piece| std::str::from_utf8(piece).is_err()).count() > 8);
        let text = String::from_utf8(pieces.concat()).expect("whole code points in sum");
        assert!(text.contains('é') && text.contains('漢') && text.contains('🦀'));
    }

    #[test]
    fn lines_end_as_asked() {
        let text = |knobs: &str| String::from_utf8(stream(knobs).concat()).expect("UTF-8");
        assert!(text("tokens=1").ends_with("}\n\ndata: [DONE]\n\n"));
        assert!(text("tokens=1; crlf").ends_with("}\r\n\r\ndata: [DONE]\r\n\r\n"));
        assert!(text("tokens=1; cr").ends_with("}\r\rdata: [DONE]\r\r"));
        assert!(text("tokens=1; no_done").ends_with("}\n\n"));
        assert_eq!(text("tokens=1; comments").matches(": keep-alive\n\n").count(), 3);
    }

    #[test]
    fn a_cut_stands_behind_so_many_events() {
        for cut in 0..4 {
            let steps: Vec<Step> = streamed(&chat(&format!("tokens=9; cut={cut}")), false).0.collect();
            let sent = steps.iter().filter(|step| matches!(step, Step::Send { .. })).count();
            assert_eq!(sent, cut);
            assert_eq!(steps.last(), Some(&Step::Break { delivered: false }));
        }
        let steps: Vec<Step> = streamed(&chat("tokens=2; done_then_hangup"), false).0.collect();
        assert_eq!(steps.last(), Some(&Step::Break { delivered: true }));
        let hung = stop_of(&Knobs { cut: Some(5), hang_after: Some(3), ..Knobs::default() });
        assert_eq!((hung.0, hung.1.first()), (Some(3), Some(&Step::Wait(Duration::from_millis(LONGEST_MS)))));
    }

    #[test]
    fn a_json_answer_is_cut_by_bytes() {
        let of = |knobs: &str| {
            let mut turned = Knobs::default();
            turned.turn(knobs).expect("knobs");
            let (steps, length) = whole(b"0123456789".to_vec(), &turned, false);
            (steps.collect::<Vec<_>>(), length)
        };
        let (steps, length) = of("cut=4");
        assert_eq!(length, 10, "the head promises all of it");
        assert!(steps.contains(&Step::Send { bytes: Bytes::from_static(b"0123"), tokens: 0 }));
        assert_eq!(steps.last(), Some(&Step::Break { delivered: false }));
        assert_eq!(of("cut=0").0.len(), 2);
        assert!(!of("cut=10").0.contains(&Step::Break { delivered: false }), "nothing is left to cut");
        assert_eq!(of("bytes=3").0.iter().filter(|step| matches!(step, Step::Flush)).count(), 4);
    }

    #[test]
    fn a_promised_length_is_kept() {
        for knobs in ["tokens=5; content_length", "tokens=5; content_length; comments; crlf; bytes=3"] {
            for gzip in [false, true] {
                let (steps, length) = streamed(&chat(knobs), gzip);
                assert_eq!(length, Some(sends(steps).concat().len() as u64));
            }
        }
    }

    #[test]
    fn every_event_can_be_unzipped_when_it_comes() {
        let plain = stream("tokens=5");
        let zipped = sends(streamed(&chat("tokens=5"), true).0);
        let mut text = Vec::new();
        GzDecoder::new(zipped.concat().as_slice()).read_to_end(&mut text).expect("gzip");
        assert_eq!(text, plain.concat());
        let mut first = vec![0; plain[0].len()];
        GzDecoder::new(zipped[0].as_ref()).read_exact(&mut first).expect("the first event, from the first piece");
        assert_eq!(first, plain[0]);
    }
}
