//! The steps of a streamed answer: event by event, and the prose of an event piece by piece, as they are asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use hyper::body::Bytes;

use crate::answer::Answer;
use crate::event::Event;
use crate::framing::Framing;
use crate::knobs::Knobs;
use crate::script::{LINGER, Step, Steps, cut, pieces, send, stop_of, wait};
use crate::sold::Sold;
use crate::squeeze::Squeeze;
use crate::words;

/// A streamed answer: the steps, and its length if that is to be told. `cut` and `hang_after` count events.
pub fn streamed(answer: &Arc<Answer>, gzip: bool) -> (Steps, Option<u64>) {
    let length = answer.knobs.content_length.then(|| {
        let whole = Knobs { cut: None, cut_bytes: None, hang_after: None, ..answer.knobs.clone() };
        let lengths = Stream::of(answer, whole, gzip).map(|step| match step {
            Step::Send { bytes, .. } => bytes.len() as u64,
            _ => 0,
        });
        lengths.sum()
    });
    (Box::new(Stream::of(answer, answer.knobs.clone(), gzip)), length)
}

struct Stream {
    events: Box<dyn Iterator<Item = Event> + Send>,
    framing: Framing,
    sent: u64,
    /// Bytes until `cut_bytes`.
    left: u64,
    /// What is still to come of the event under way.
    rest: Option<Rest>,
    squeeze: Option<Squeeze>,
    steps: VecDeque<Step>,
    over: bool,
    knobs: Knobs,
}

/// Prose, from its byte `at` on, and what stands behind it.
struct Rest {
    at: u64,
    prose: u64,
    after: Vec<u8>,
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
    fn of(answer: &Arc<Answer>, knobs: Knobs, gzip: bool) -> Self {
        Self {
            events: Box::new(answer.clone().events()),
            framing: answer.framing,
            sent: 0,
            left: knobs.cut_bytes.unwrap_or(u64::MAX),
            rest: None,
            squeeze: gzip.then(Squeeze::default),
            steps: VecDeque::new(),
            over: false,
            knobs,
        }
    }

    /// Queues the steps of the next event or of a part of it, or those of the end.
    fn advance(&mut self) {
        if let Some(rest) = self.rest.take() {
            return self.go_on(rest);
        }
        let (stop, end) = stop_of(&self.knobs);
        if stop == Some(self.sent) {
            return self.finish(end);
        }
        let Some(event) = self.events.next() else { return self.close() };
        if self.knobs.hold_after == Some(self.sent) {
            self.steps.push_back(Step::Hold);
        }
        wait(&mut self.steps, if self.sent == 0 { self.knobs.first_ms } else { self.knobs.gap_ms });
        let line_end = match (self.knobs.crlf, self.knobs.cr) {
            (true, _) => "\r\n",
            (_, true) => "\r",
            _ => "\n",
        };
        if let Some(comment) = self.framing.comment(line_end).filter(|_| self.knobs.comments) {
            self.write(comment.into(), 0, Sold::default());
        }
        let (tokens, sold) = (event.tokens, event.sold);
        let mut data = self.framing.around(event, self.sent, line_end);
        self.sent += 1;
        if data.prose == 0 {
            data.before.append(&mut data.after);
        } else {
            self.rest = Some(Rest { at: 0, prose: data.prose, after: data.after });
        }
        self.write(data.before.into(), tokens, sold);
    }

    /// As much prose as is at hand, or what stands behind all of it.
    fn go_on(&mut self, rest: Rest) {
        if rest.prose == 0 {
            return self.write(rest.after.into(), 0, Sold::default());
        }
        let prose = words::prose(rest.at, rest.prose);
        let bytes = prose.len() as u64;
        self.rest = Some(Rest { at: rest.at + bytes, prose: rest.prose - bytes, ..rest });
        self.write(prose, 0, Sold::default());
    }

    fn close(&mut self) {
        let close = self.framing.close(self.sent);
        if self.knobs.done_then_hangup {
            self.write(Bytes::from_static(close), 0, Sold::default());
            return self.finish(vec![Step::Wait(LINGER), Step::Break { delivered: true }]);
        }
        match self.squeeze.take() {
            Some(squeeze) => {
                let last = squeeze.last(close);
                self.write_raw(last.into(), 0, Sold::default());
            }
            None => self.write_raw(Bytes::from_static(close), 0, Sold::default()),
        }
        self.finish(Vec::new());
    }

    /// The first end counts.
    fn finish(&mut self, end: Vec<Step>) {
        if !std::mem::replace(&mut self.over, true) {
            self.steps.extend(end);
        }
    }

    /// Compressed so that it can be read at once.
    fn write(&mut self, bytes: Bytes, tokens: u64, sold: Sold) {
        if bytes.is_empty() {
            return;
        }
        let bytes = match &mut self.squeeze {
            Some(squeeze) => squeeze.next(&bytes).into(),
            None => bytes,
        };
        self.write_raw(bytes, tokens, sold);
    }

    fn write_raw(&mut self, bytes: Bytes, mut tokens: u64, mut sold: Sold) {
        if self.over {
            return;
        }
        let shown = bytes.slice(..self.left.min(bytes.len() as u64) as usize);
        for piece in pieces(&shown, &self.knobs) {
            send(&mut self.steps, shown.slice_ref(piece), std::mem::take(&mut tokens), std::mem::take(&mut sold));
        }
        self.left -= shown.len() as u64;
        if shown.len() < bytes.len() {
            self.finish(cut());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::api::Api;
    use crate::request::Asked;

    fn ask(api: Api, path: &str, body: &str, knobs: &str) -> Arc<Answer> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let asked = Asked::read(path, query, body.as_bytes()).expect("JSON");
        Arc::new(Answer::to(api, &asked, &[knobs]).expect("a request"))
    }

    fn chat(knobs: &str) -> Arc<Answer> {
        let body = r#"{"model":"tiny","stream":true,"messages":[{"content":"hello"}]}"#;
        ask(Api::Chat, "/v1/chat/completions", body, knobs)
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

    #[test]
    fn a_cut_by_bytes_bills_the_events_that_were_begun() {
        let plain = stream("tokens=4");
        let cut = |bytes: usize| {
            let steps: Vec<Step> = streamed(&chat(&format!("tokens=4; cut_bytes={bytes}")), false).0.collect();
            let sent = |step: &Step| match step {
                Step::Send { bytes, tokens, .. } => (bytes.len(), *tokens),
                _ => (0, 0),
            };
            let (sent, billed) = steps.iter().map(sent).fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
            assert_eq!(sent, bytes.min(plain.concat().len()));
            (billed, steps.contains(&Step::Break { delivered: false }))
        };
        let first = plain[0].len();
        assert_eq!(cut(0), (0, true));
        assert_eq!(cut(1), (1, true), "a part of an event is the event");
        assert_eq!(cut(first), (1, true), "the next one was not begun");
        assert_eq!(cut(first + 1), (2, true));
        assert_eq!(cut(plain.concat().len()), (4, false), "nothing is left to cut");
    }

    #[test]
    fn prose_is_made_as_it_is_sent() {
        let body = r#"{"model":"gpt-5-mini","stream":true,"input":"hello"}"#;
        let of = |knobs: &str| streamed(&ask(Api::Responses, "/v1/responses", body, knobs), false).0;
        let end = |steps: Steps| {
            let sent = sends(steps).concat();
            let text = String::from_utf8(sent).expect("UTF-8");
            let data = text.rsplit_once("data: ").map(|(_, data)| data.trim_end().to_owned());
            serde_json::from_str::<serde_json::Value>(&data.unwrap_or_default()).expect("JSON")
        };
        let told = end(of("events=2; event_bytes=50; big_completed=300000"));
        let text = told["response"]["output"][0]["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(text, words::prose_of(0, 300_000));
        let gigabyte = of("events=1000000000; event_bytes=1000; big_completed=1000000000000");
        assert_eq!(sends(Box::new(gigabyte.take(1_000))).len(), 500, "without the rest of it");
    }

    #[test]
    fn every_framing_is_cut_and_closed_alike() {
        let gemini = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;
        let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
        let of = |path: &str, knobs: &str| sends(streamed(&ask(Api::Gemini, path, gemini, knobs), false).0);
        let array = of(path, "tokens=2");
        assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&array.concat()).expect("an array").len(), 3);
        assert_eq!(of(path, "tokens=2; cut=1").len(), 1);
        assert_eq!(of(path, "tokens=2; done_then_hangup").concat(), array.concat());
        assert_eq!(
            of(&format!("{path}?alt=sse"), "tokens=2").concat().windows(6).filter(|it| it == b"data: ").count(),
            3
        );
    }
}
