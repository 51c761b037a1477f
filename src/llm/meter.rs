//! Reads an answer as it passes: usage, the model that answered, the size of what was generated, errors inside a 200.
//!
//! Trade-off: nothing is buffered or delayed. Only when the usage event was asked for by the gateway and not by the
//! client are the bytes of an unfinished event held back, because an event can be kept from the client only whole.

mod alike;
mod calls;
mod distinct;
mod event;
mod events;
mod finish;
mod form;
mod growth;
mod ids;
mod reading;
mod rounds;
mod seen;
mod served;
mod sieve;
mod value;

use std::mem;

use super::aws_stream::{AwsStream, Wrapped};
use super::schema::{Dialect, Fact, Schema};
use super::sse::Sse;
use super::usage::Count;
use crate::json::Scanner;
use crate::kept::Id;
use crate::kept::held::Made;
use crate::units::Tokens;
use alike::Alike;
use event::Event;
pub use finish::Finish;
pub use form::Form;
use form::begins_event;
use ids::Ids;
pub use reading::{Generated, Progress, Reading};
use seen::Seen;
use sieve::Withheld;

/// What becomes of the bytes that were fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Unchanged,
    Replaced(Vec<u8>),
}

impl Passage {
    /// `bytes` came; what goes on of them is read by the next one, who may let something else go on.
    pub fn then(&mut self, bytes: &[u8], next: impl FnOnce(&[u8]) -> Self) {
        let passed = match self {
            Self::Unchanged => next(bytes),
            Self::Replaced(bytes) => next(bytes),
        };
        if passed != Self::Unchanged {
            *self = passed;
        }
    }
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
    /// It began as a document of JSON, or as a list of them; and several came in a row.
    is_document: bool,
    is_list: bool,
    lines: bool,
}

enum Framing {
    None,
    Sse { lines: Sse, alike: Alike },
    Binary { frames: AwsStream, wrapped: Option<Wrapped> },
}

impl Framing {
    fn of(schema: &Schema, form: Form) -> Self {
        match form {
            Form::Sse => Self::Sse { lines: Sse::new(), alike: Alike::default() },
            Form::Binary => {
                let wrapped = schema.wrapped.then(Wrapped::default);
                Self::Binary { frames: AwsStream::default(), wrapped }
            }
            Form::Json | Form::Text | Form::Encoded | Form::Opaque | Form::Page => Self::None,
        }
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
            is_list: false,
            lines: false,
        })
    }

    /// Has the answer's ids collected, for [`Self::fresh_ids`].
    pub fn collect_ids(&mut self) {
        self.seen.ids = Some(Box::<Ids>::default());
    }

    /// Why the answer ended, as far as it has said so.
    pub const fn finish(&self) -> Option<Finish> {
        self.seen.finish()
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

    /// What its body turned out to be.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether it has said that it is over. Text that follows all the same takes that back.
    pub const fn is_finished(&self) -> bool {
        self.seen.finished
    }

    pub const fn is_stream(&self) -> bool {
        self.form.is_stream()
    }

    /// Whether output has come, and not only heads, names and comments.
    pub const fn has_output(&self) -> bool {
        match self.form {
            Form::Json | Form::Sse | Form::Binary => self.seen.output_bytes > 0 || self.seen.stray_bytes > 0,
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
            (Form::Sse, _) => return self.events(chunk, last),
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
            Form::Json | Form::Sse | Form::Binary | Form::Page => true,
        }
    }

    /// The body's first bytes, or blanks before them.
    #[inline(never)]
    fn begin(&mut self, chunk: &[u8], last: bool) -> Passage {
        let content = self.content(chunk);
        self.begun = !content.is_empty();
        self.is_document = matches!(content, [b'{' | b'[', ..]);
        self.is_list = matches!(content, [b'[', ..]);
        let announced = self.form;
        match (announced, content) {
            (Form::Sse | Form::Binary, [b'{' | b'[', ..]) => return self.in_one_piece(chunk, content),
            (_, [b'<', ..]) => {
                self.form = Form::Page;
                return self.no_stream(chunk);
            }
            (Form::Text | Form::Opaque | Form::Page, [b'{' | b'[', ..]) => self.form = Form::Json,
            (Form::Text | Form::Opaque | Form::Page, [0, ..]) if self.schema.dialect == Dialect::Aws => {
                self.become_stream(Form::Binary);
            }
            (Form::Sse, _) => {}
            (_, [first, ..]) if begins_event(*first) => {
                self.become_stream(Form::Sse);
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
        self.no_stream(chunk)
    }

    /// What came before under a stream's head, and was held back for its first event, goes on with what follows.
    fn no_stream(&mut self, chunk: &[u8]) -> Passage {
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
        if self.is_list {
            return self.elements(chunk);
        }
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

    /// Each element of a list is an event of its own (Gemini's streams, unless they are asked for as SSE).
    #[inline(never)]
    fn elements(&mut self, chunk: &[u8]) {
        let Self { scanner, seen, event, is_list, .. } = self;
        let mut rest = chunk;
        while let Ok(after) = scanner.feed_element(rest, &mut |hit| seen.hit(event, &hit)) {
            if scanner.is_between_elements() {
                *event = Event::default();
            }
            rest = after;
            if rest.is_empty() {
                return;
            }
            if scanner.is_complete() {
                *is_list = false;
                return self.documents(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
