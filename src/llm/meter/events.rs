//! Answers that come as events: SSE, and the frames of AWS.

use std::mem;

use super::alike::Alike;
use super::event::Event;
use super::seen::Seen;
use super::sieve::Sieve;
use super::{Framing, Meter, Passage};
use crate::json::Scanner;
use crate::llm::aws_stream::{self, Wrapped};
use crate::llm::schema::Fact;
use crate::llm::sse::Data;

impl Event {
    /// `[DONE]` and other data that isn't JSON tell nothing and go on.
    pub(super) fn data(
        &mut self,
        Data { bytes, from }: Data<'_>,
        scanner: &mut Scanner<Fact>,
        seen: &mut Seen,
        alike: &mut Alike,
    ) {
        if let (false, Some(first)) = (self.begun, bytes.trim_ascii_start().first()) {
            self.begun = true;
            self.not_an_object = *first != b'{';
        }
        alike.data(from);
        let _ = scanner.feed(bytes, &mut |hit| {
            seen.hit(self, &hit);
            alike.hit(&hit);
        });
    }

    /// Begins the next event, and returns this one.
    pub(super) fn end(&mut self, scanner: &mut Scanner<Fact>, seen: &mut Seen) -> Self {
        self.broken = scanner.finish().is_err();
        seen.finished |= self.ends_the_stream();
        seen.counted(self);
        scanner.restart();
        mem::take(self)
    }
}

impl Meter {
    pub(super) fn frames(&mut self, chunk: &[u8]) {
        let Self { scanner, framing: Framing::Binary { frames, wrapped }, seen, event, .. } = self else { return };
        frames.feed(chunk, &mut |piece| match piece {
            aws_stream::FramePiece::Payload(payload) => match wrapped {
                Some(wrapped) => wrapped.feed(payload, |document| {
                    let _ = scanner.feed(document, &mut |hit| seen.hit(event, &hit));
                }),
                None => {
                    let _ = scanner.feed(payload, &mut |hit| seen.hit(event, &hit));
                }
            },
            aws_stream::FramePiece::End { exception } => {
                seen.error |= exception;
                scanner.restart();
                *event = Event::default();
                if let Some(wrapped) = wrapped {
                    *wrapped = Wrapped::default();
                }
            }
        });
    }

    pub(super) fn events(&mut self, chunk: &[u8], last: bool) -> Passage {
        let Self { scanner, framing: Framing::Sse { lines, alike }, seen, event, withhold, .. } = self else {
            return Passage::Unchanged;
        };
        let mut sieve = withhold.as_mut().map(|held| Sieve::over(held, chunk));
        let mut rest = chunk;
        while !rest.is_empty() {
            let between = lines.is_between_events();
            let mut usage_alone = false;
            let behind = if let Some((generated, behind)) = between.then(|| alike.read(rest)).flatten() {
                seen.generated(generated);
                if alike.growing {
                    alike.grow(&mut seen.growth, generated);
                }
                behind
            } else {
                alike.begin(between);
                let Some(behind) = lines.feed_event(rest, &mut |data| event.data(data, scanner, seen, alike)) else {
                    break;
                };
                let ended = event.end(scanner, seen);
                usage_alone = ended.is_usage_alone();
                if lines.is_between_events() && !ended.broken && !ended.ends_the_stream() {
                    let block = rest.get(..rest.len().saturating_sub(behind.len())).unwrap_or_default();
                    alike.learn(block, &seen.growth);
                }
                behind
            };
            if let Some(sieve) = &mut sieve {
                sieve.end_of_event(chunk.len().saturating_sub(behind.len()), usage_alone);
            }
            rest = behind;
        }
        if last && lines.finish(&mut |data| event.data(data, scanner, seen, alike)) {
            let ended = event.end(scanner, seen);
            if let Some(sieve) = &mut sieve {
                sieve.end_of_event(chunk.len(), ended.is_usage_alone());
            }
        }
        let between = lines.at_boundary();
        let known = between || last || event.not_an_object;
        sieve.map_or(Passage::Unchanged, |sieve| sieve.passage(known, between || last))
    }
}
