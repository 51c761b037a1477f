//! Reads an answer as it passes: usage, the model that answered, the size of what was generated, errors inside a 200.
//!
//! Trade-off: nothing is buffered or delayed. Only when the usage event was asked for by the gateway and not by the
//! client are the bytes of an unfinished event held back, because an event can be kept from the client only whole.

mod alike;
mod calls;
mod distinct;
mod event;
mod form;
mod growth;
mod rounds;
mod seen;
mod sieve;

use std::mem;

use super::eventstream::{self, EventStream, Wrapped};
use super::framing::{Data, Sse};
use super::schema::{Dialect, Fact, Schema};
use super::usage::{Count, Reported};
use crate::json::Scanner;
use crate::kept::Id;
use crate::kept::held::Made;
use crate::units::{NanoUsd, Tokens};
use alike::Alike;
use event::Event;
pub use form::Form;
use form::begins_event;
use seen::{Ids, Seen};
use sieve::{Sieve, Withheld};

/// What becomes of the bytes that were fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Unchanged,
    Replaced(Vec<u8>),
}

/// What was read, once nothing more comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub reported: Reported,
    /// The provider's own bill.
    pub cost: Option<NanoUsd>,
    pub model: Option<String>,
    pub service_tier: Option<String>,
    pub generated: Generated,
    /// An error stood in the answer, or in an event of it; or it was a page for people.
    pub error: bool,
    /// Neither text nor usage came, nor a word on why: if that is all of it, it is no answer of a model.
    pub is_blank: bool,
    /// The answer says that it is still to come: in a queue, or in progress.
    pub accepted: bool,
    /// What was reported is the whole, wherever the answer broke off.
    pub finished: bool,
    /// Bytes of text that came after the last count of the output.
    pub uncounted: u64,
    /// Bytes of strings in the answer that no table knows: they may be text.
    pub stray: u64,
}

/// How much was generated, as far as its size tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generated {
    /// Not a byte came.
    #[default]
    Nothing,
    /// Bytes of text, among those of the body; what else came (roles, names, ends) is none.
    Text { text: u64, body: u64 },
    /// Bytes of JSON that broke before any text in it was whole.
    Broken(u64),
    /// Bytes of a body that could not be read.
    Opaque { bytes: u64, encoded: bool },
}

pub struct Meter {
    schema: &'static Schema,
    form: Form,
    scanner: Scanner<Fact>,
    framing: Framing,
    seen: Seen,
    event: Event,
    withhold: Option<Withheld>,
    body_bytes: u64,
    /// More than blanks and a byte order mark has come; and how much of the mark.
    begun: bool,
    marked: u8,
    /// As what the head announced it, where the body looked otherwise.
    announced: Option<Form>,
    /// It began as a document of JSON; and several came in a row.
    is_document: bool,
    lines: bool,
}

enum Framing {
    None,
    Sse { lines: Sse, alike: Alike },
    Binary { frames: EventStream, wrapped: Option<Wrapped> },
}

impl Framing {
    fn of(schema: &Schema, form: Form) -> Self {
        match form {
            Form::EventStream => Self::Sse { lines: Sse::new(), alike: Alike::default() },
            Form::Binary => {
                let wrapped = schema.wrapped.then(Wrapped::default);
                Self::Binary { frames: EventStream::default(), wrapped }
            }
            Form::Json | Form::Text | Form::Encoded | Form::Opaque | Form::Page => Self::None,
        }
    }
}

impl Event {
    /// `[DONE]` and other data that isn't JSON tell nothing and go on.
    fn data(
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
    fn end(&mut self, scanner: &mut Scanner<Fact>, seen: &mut Seen) -> Self {
        self.broken = scanner.finish(&mut |hit| seen.hit(self, &hit)).is_err();
        seen.finished |= self.ends_the_stream();
        scanner.restart();
        mem::take(self)
    }
}

impl Meter {
    /// `withhold_usage`: the usage event was asked for by the gateway, and is not for the client.
    pub fn new(schema: &'static Schema, form: Form, withhold_usage: bool) -> Box<Self> {
        Box::new(Self {
            schema,
            form,
            scanner: Scanner::new(if form.is_stream() { schema.event } else { schema.answer }),
            framing: Framing::of(schema, form),
            seen: Seen::default(),
            event: Event::default(),
            withhold: (withhold_usage && form.may_be_events()).then(Withheld::default),
            body_bytes: 0,
            begun: false,
            marked: 0,
            announced: None,
            is_document: false,
            lines: false,
        })
    }

    /// Has the answer's ids collected, for [`Self::fresh_ids`].
    pub fn collect_ids(&mut self) {
        self.seen.ids = Some(Box::<Ids>::default());
    }

    /// Those that came since this was asked last.
    pub fn fresh_ids(&mut self) -> &[Id] {
        let Some(ids) = &mut self.seen.ids else { return &[] };
        let known = mem::replace(&mut ids.known, ids.all.len());
        ids.all.get(known..).unwrap_or_default()
    }

    /// What the answer holds, under its ids: once, as soon as it has told all of it.
    pub fn fresh_size(&mut self) -> Option<Made> {
        let ids = self.seen.ids.as_mut().filter(|ids| !ids.weighed)?;
        let response = ids.response?;
        self.seen.counts.get(Count::Output)?;
        let reported = self.seen.native(self.schema.contract);
        if !reported.is_whole() {
            return None;
        }
        let usage = reported.usage(Tokens::default, Tokens::default);
        let ids = self.seen.ids.as_mut()?;
        ids.weighed = true;
        let items = ids.all.iter().copied().filter(|id| *id != response).collect();
        Some(Made { response, whole: usage.total_tokens, output: usage.output_tokens, items })
    }

    /// A count that stood in the answer's head.
    pub fn reported(&mut self, count: Count, value: Option<u64>) {
        if value.is_some() {
            self.seen.counts.set(count, value);
        }
    }

    /// The tier that served, as the answer's head names it.
    pub fn served(&mut self, tier: &str) {
        self.seen.served(tier);
    }

    pub const fn is_stream(&self) -> bool {
        self.form.is_stream()
    }

    /// Whether output has come, and not only heads, names and comments.
    pub const fn has_output(&self) -> bool {
        match self.form {
            Form::Json | Form::EventStream | Form::Binary => self.seen.output_bytes > 0 || self.seen.stray_bytes > 0,
            Form::Text | Form::Encoded | Form::Opaque | Form::Page => {
                self.body_bytes > 0 && (self.begun || !self.is_told_by_its_beginning())
            }
        }
    }

    /// Whether the body may come out shorter than it went in.
    pub const fn edits(&self) -> bool {
        self.withhold.is_some()
    }

    /// Reads the next bytes; `last` when no more can come.
    pub fn feed(&mut self, chunk: &[u8], last: bool) -> Passage {
        self.body_bytes = self.body_bytes.saturating_add(chunk.len() as u64);
        if !self.begun && self.is_told_by_its_beginning() {
            return self.begin(chunk, last);
        }
        self.read_on(chunk, last)
    }

    #[inline(always)]
    fn read_on(&mut self, chunk: &[u8], last: bool) -> Passage {
        match (self.form, &self.framing) {
            (Form::EventStream, _) => return self.events(chunk, last),
            (Form::Binary, _) => self.frames(chunk),
            (Form::Json, _) => self.documents(chunk),
            (Form::Text, _) => self.seen.generated(chunk.len() as u64),
            (Form::Encoded | Form::Opaque | Form::Page, _) => {}
        }
        Passage::Unchanged
    }

    /// Whatever the head says, no document of JSON begins as an event does, and neither as a page or a frame of AWS's. Only a
    /// sound, or what was heard in one, may begin with any byte.
    const fn is_told_by_its_beginning(&self) -> bool {
        match self.form {
            Form::Encoded => false,
            Form::Text | Form::Opaque => !self.schema.takes_forms || self.schema.item.is_some(),
            Form::Json | Form::EventStream | Form::Binary | Form::Page => true,
        }
    }

    /// The body's first bytes, or blanks before them.
    #[inline(never)]
    fn begin(&mut self, chunk: &[u8], last: bool) -> Passage {
        let content = self.content(chunk);
        self.begun = !content.is_empty();
        self.is_document = matches!(content, [b'{' | b'[', ..]);
        let announced = self.form;
        match (announced, content) {
            (Form::EventStream | Form::Binary, [b'{' | b'[', ..]) => return self.in_one_piece(chunk, content),
            (_, [b'<', ..]) => self.form = Form::Page,
            (Form::Text | Form::Opaque | Form::Page, [b'{' | b'[', ..]) => self.form = Form::Json,
            (Form::Text | Form::Opaque | Form::Page, [0, ..]) if self.schema.dialect == Dialect::Aws => {
                self.become_stream(Form::Binary);
            }
            (Form::EventStream, _) => {}
            (_, [first, ..]) if begins_event(*first) => {
                self.become_stream(Form::EventStream);
                let before = chunk.get(..chunk.len().saturating_sub(content.len())).unwrap_or_default();
                self.announced = Some(announced).filter(|form| matches!(form, Form::Text | Form::Opaque));
                return match self.read_on(content, last) {
                    Passage::Replaced(bytes) => Passage::Replaced([before, &bytes].concat()),
                    Passage::Unchanged => Passage::Unchanged,
                };
            }
            _ => {}
        }
        // A byte order mark is no JSON, though some servers begin with one.
        self.read_on(if matches!(self.form, Form::Json | Form::Text) { content } else { chunk }, last)
    }

    /// What stands behind blanks and a byte order mark, which may be cut anywhere.
    fn content<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let mut rest = chunk.trim_ascii_start();
        while let Some((first, after)) = rest.split_first()
            && b"\xef\xbb\xbf".get(usize::from(self.marked)) == Some(first)
        {
            self.marked = self.marked.saturating_add(1);
            rest = after.trim_ascii_start();
        }
        rest
    }

    /// An error in one piece, under the head of the stream that was asked for (Azure). `content`: `chunk` without the
    /// blanks before it.
    fn in_one_piece(&mut self, chunk: &[u8], content: &[u8]) -> Passage {
        self.form = Form::Json;
        self.scanner = Scanner::new(self.schema.answer);
        self.documents(content);
        let mut blanks = self.withhold.as_mut().map(Withheld::release).unwrap_or_default();
        if blanks.is_empty() {
            return Passage::Unchanged;
        }
        blanks.extend_from_slice(chunk);
        Passage::Replaced(blanks)
    }

    /// Events under the head of one document, of a text or of nothing, as some relays send them.
    fn become_stream(&mut self, form: Form) {
        self.form = form;
        self.scanner = Scanner::new(self.schema.event);
        self.framing = Framing::of(self.schema, form);
    }

    fn documents(&mut self, chunk: &[u8]) {
        let Self { scanner, seen, event, lines, .. } = self;
        let mut rest = chunk;
        // A body that stops being JSON keeps what it has reported; the rest is estimated.
        while let Ok(after) = scanner.feed_document(rest, &mut |hit| seen.hit(event, &hit)) {
            rest = after.trim_ascii_start();
            if rest.is_empty() {
                return;
            }
            seen.finished |= event.ends_the_stream();
            *event = Event::default();
            *lines = true;
            scanner.restart();
        }
    }

    fn frames(&mut self, chunk: &[u8]) {
        let Self { scanner, framing: Framing::Binary { frames, wrapped }, seen, event, .. } = self else { return };
        frames.feed(chunk, &mut |piece| match piece {
            eventstream::Piece::Payload(payload) => match wrapped {
                Some(wrapped) => wrapped.feed(payload, |document| {
                    let _ = scanner.feed(document, &mut |hit| seen.hit(event, &hit));
                }),
                None => {
                    let _ = scanner.feed(payload, &mut |hit| seen.hit(event, &hit));
                }
            },
            eventstream::Piece::End { exception } => {
                seen.error |= exception;
                scanner.restart();
                *event = Event::default();
                if let Some(wrapped) = wrapped {
                    *wrapped = Wrapped::default();
                }
            }
        });
    }

    fn events(&mut self, chunk: &[u8], last: bool) -> Passage {
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

    /// Closes the books on the answer, wherever it ended.
    pub fn read(mut self: Box<Self>) -> Reading {
        let Self { scanner, seen, event, form, lines, .. } = &mut *self;
        // A number at the very end is only complete now. A cut stream's last event counts as far as it was read.
        let broken = scanner.finish(&mut |hit| seen.hit(event, &hit)).is_err() && *form == Form::Json;
        seen.finished |= event.ends_the_stream();
        if broken {
            seen.counts.forget_sums();
        }
        if *form == Form::EventStream || *lines {
            seen.forget_repeats();
        }
        let contract = self.schema.contract;
        let nothing = self.seen.is_blank(contract);
        // What only looked like events, by its first byte, is what the head said.
        let as_announced = self.announced.filter(|_| nothing && !self.seen.finished);
        let form = as_announced.unwrap_or(self.form);
        let generated = match form {
            _ if self.body_bytes == 0 => Generated::Nothing,
            Form::Page => Generated::Nothing,
            Form::Encoded | Form::Opaque => {
                Generated::Opaque { bytes: self.body_bytes, encoded: self.form == Form::Encoded }
            }
            Form::Text if as_announced.is_some() => Generated::Text { text: self.body_bytes, body: self.body_bytes },
            Form::Json if broken && self.is_document && self.seen.output_bytes == 0 && !self.seen.error => {
                Generated::Broken(self.body_bytes)
            }
            Form::Json | Form::Text | Form::EventStream | Form::Binary => {
                Generated::Text { text: self.seen.output_bytes, body: self.body_bytes }
            }
        };
        let mut reported = self.seen.native(contract);
        reported.doubt_beside_text(self.seen.output_bytes);
        let readable = matches!(form, Form::Json | Form::EventStream | Form::Binary);
        // Of a document that broke off before its text, nobody knows that it had none.
        let is_whole = !matches!(generated, Generated::Broken(_));
        let is_blank = reported.says_nothing(contract) && (self.body_bytes == 0 || readable && nothing && is_whole);
        let uncounted = self.seen.output_bytes.saturating_sub(self.seen.counted_bytes);
        Reading {
            reported,
            error: self.seen.error || form == Form::Page,
            is_blank,
            accepted: self.seen.accepted,
            cost: self.seen.cost(),
            service_tier: self.seen.service_tier(),
            model: self.seen.model,
            generated,
            // A count that text follows was a preview, wherever it stood.
            finished: (self.seen.finished || !self.schema.grows) && uncounted == 0,
            uncounted,
            stray: self.seen.stray_bytes,
        }
    }
}

#[cfg(test)]
mod tests;
