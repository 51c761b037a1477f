//! How an answer goes over the wire: the order of writes, flushes, waits and breaks, made ahead of any socket.
//!
//! The steps are plain values in a lazy iterator. Whatever a knob asks is decided here, where it can be tested
//! without a connection; `playback` only performs the steps.

use std::collections::VecDeque;
use std::iter;
use std::time::Duration;

use hyper::body::Bytes;

use crate::knobs::{Knobs, LONGEST_MS};
use crate::sold::Sold;
use crate::squeeze::Squeeze;

/// Before a break, so that what was written leaves first: neither hyper nor h2 flush when a body fails.
pub const LINGER: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hands these bytes over and bills the tokens, and what is sold with them.
    Send {
        bytes: Bytes,
        tokens: u64,
        sold: Sold,
    },
    /// Lets the connection write what it has before the next bytes come.
    Flush,
    Wait(Duration),
    /// Waits until the provider lets go.
    Hold,
    /// Breaks the connection (HTTP/2: the stream) off. `delivered`: nothing was left to send.
    Break {
        delivered: bool,
    },
}

pub type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// A body with nothing odd about it.
pub fn plain(body: Vec<u8>) -> Steps {
    Box::new(iter::once(Step::Send { bytes: body.into(), tokens: 0, sold: Sold::default() }))
}

/// An answer in one piece: the steps, and the length of all of it. Its `cut` and `hang_after` count bytes.
pub fn whole(body: Vec<u8>, knobs: &Knobs, gzip: bool) -> (Steps, u64) {
    let body = Bytes::from(if gzip { Squeeze::default().last(&body) } else { body });
    let length = body.len() as u64;
    let cut = knobs.cut.into_iter().chain(knobs.cut_bytes).min();
    let (stop, end) = stop_of(&Knobs { cut, ..knobs.clone() });
    let shown = body.slice(..stop.map_or(length, |stop| stop.min(length)) as usize);
    let mut steps = VecDeque::new();
    wait(&mut steps, knobs.first_ms);
    for (nth, piece) in pieces(&shown, knobs).enumerate() {
        if nth > 0 {
            wait(&mut steps, knobs.gap_ms);
        }
        send(&mut steps, shown.slice_ref(piece), 0, Sold::default());
    }
    if shown.len() < body.len() {
        steps.extend(end);
    }
    (Box::new(steps.into_iter()), length)
}

pub fn cut() -> Vec<Step> {
    vec![Step::Wait(LINGER), Step::Break { delivered: false }]
}

/// Where the knobs stop the answer, and the steps they put there. The earlier of two stops counts.
pub fn stop_of(knobs: &Knobs) -> (Option<u64>, Vec<Step>) {
    let hang = vec![Step::Wait(Duration::from_millis(LONGEST_MS)), Step::Break { delivered: false }];
    match (knobs.cut, knobs.hang_after) {
        (Some(at), Some(hang_at)) if hang_at < at => (Some(hang_at), hang),
        (Some(at), _) => (Some(at), cut()),
        (None, Some(at)) => (Some(at), hang),
        (None, None) => (None, Vec::new()),
    }
}

pub fn wait(steps: &mut VecDeque<Step>, ms: u64) {
    if ms > 0 {
        steps.push_back(Step::Wait(Duration::from_millis(ms)));
    }
}

pub fn send(steps: &mut VecDeque<Step>, bytes: Bytes, tokens: u64, sold: Sold) {
    steps.push_back(Step::Flush);
    steps.push_back(Step::Send { bytes, tokens, sold });
}

/// The pieces in which `bytes` are written. To cut inside code points is to cut behind each lead byte.
pub fn pieces<'a>(bytes: &'a [u8], knobs: &Knobs) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
    match knobs.bytes.and_then(|size| usize::try_from(size).ok()) {
        Some(size) => Box::new(bytes.chunks(size.max(1))),
        None if knobs.split_utf8 => {
            Box::new(bytes.split_inclusive(|byte| *byte >= 0xc0).filter(|piece| !piece.is_empty()))
        }
        None => Box::new(iter::once(bytes).filter(|piece| !piece.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(steps.contains(&Step::Send { bytes: Bytes::from_static(b"0123"), tokens: 0, sold: Sold::default() }));
        assert_eq!(steps.last(), Some(&Step::Break { delivered: false }));
        assert_eq!(of("cut=0").0.len(), 2);
        assert!(!of("cut=10").0.contains(&Step::Break { delivered: false }), "nothing is left to cut");
        assert_eq!(of("bytes=3").0.iter().filter(|step| matches!(step, Step::Flush)).count(), 4);
    }

    #[test]
    fn the_earlier_of_two_stops_counts() {
        let hung = stop_of(&Knobs { cut: Some(5), hang_after: Some(3), ..Knobs::default() });
        assert_eq!((hung.0, hung.1.first()), (Some(3), Some(&Step::Wait(Duration::from_millis(LONGEST_MS)))));
        let both = Knobs { cut: Some(7), cut_bytes: Some(4), ..Knobs::default() };
        let sent = whole(b"0123456789".to_vec(), &both, false)
            .0
            .any(|step| step == Step::Send { bytes: Bytes::from_static(b"0123"), tokens: 0, sold: Sold::default() });
        assert!(sent);
    }
}
