//! The texts of an answer, looked at as they pass. What may still become a finding is held back, and with it what stands behind it;
//! everything else goes on at once, byte for byte.
//!
//! A stream has several texts at the same time: of each choice, of each call. The deltas of one go on where the last ended, whatever
//! came between, and what is written in the place of a finding stands in the first event that had a part of it.

mod channels;
mod event;

use super::placeholders::Placeholders;
use super::reader::TextReader;
use super::screened::{stands, write};
use super::unit::{Unit, escaped};
use crate::detect::{Closed, Span, Work};
use crate::json::{MAX_DEPTH, Scanner};
use crate::llm::event_data::EventData;
use crate::llm::meter::Passage;
use crate::llm::passing::Passing;
use crate::llm::request::Edit;
use crate::llm::schema::Schema;
use crate::llm::sse::{Data, Sse};
use crate::llm::stance::Stance;
use crate::llm::texts::{Opaque, Place, Text, Texts};
use crate::policy::content::{Action, Case, Class, Content, Looked};
use crate::record::content::Seen;
use crate::route::Sensitivity;
use channels::Channels;
use event::Event;
use std::ops::Range;
use std::rc::Rc;

/// An answer's body, under the eyes of its tenant's rules.
pub struct AnswerTexts {
    content: Rc<Content>,
    texts: Texts,
    framing: Framing,
    scanner: Scanner<Text, MAX_DEPTH>,
    reader: TextReader,
    event: Event,
    /// Where the document begins in the body, as the last line of an event's data has it.
    begins: u64,
    channels: Channels,
    passing: Passing,
    found: Findings,
}

/// How the body is written.
enum Framing {
    /// Nothing but blanks has come.
    Unknown,
    /// One document of JSON, or several in a row.
    Documents,
    Events(Sse, EventData),
    /// What can't be looked at.
    Opaque,
}

/// What was found, and what stands for it.
pub(super) struct Findings {
    pub(super) placeholders: Placeholders,
    pub(super) seen: Seen,
    pub(super) work: Work,
    pub(super) edits: Vec<Edit>,
}

/// A rule that looks at answers depends neither on a role nor on a provider.
const ANY: Case<'_> = Case { role: None, sight: Sensitivity::Restricted };

/// So much may wait for what may become a finding: other choices may be far ahead.
const MOST_HELD: usize = 64 * 1024;

impl AnswerTexts {
    /// `None`, where nothing is looked for in this answer: no rule wants it, and nothing is to be restored.
    pub fn new(content: &Rc<Content>, schema: &Schema, placeholders: Placeholders) -> Option<Box<Self>> {
        let looked = content.answer.as_ref()?;
        if looked.aims.is_empty() && !placeholders.restores() {
            return None;
        }
        let texts = Texts::of(schema);
        let scanner = Scanner::deep(texts.answer);
        Some(Box::new(Self {
            content: Rc::clone(content),
            texts,
            framing: Framing::Unknown,
            scanner,
            reader: TextReader::default(),
            event: Event::default(),
            begins: 0,
            channels: Channels::default(),
            passing: Passing::default(),
            found: Findings { placeholders, seen: Seen::default(), work: Work::START, edits: Vec::new() },
        }))
    }

    /// It can't be looked at: it is compressed, a sound, frames of AWS.
    pub fn look_at_nothing(&mut self) {
        self.framing = Framing::Opaque;
        self.found.seen.note_opaque(Opaque::Body);
    }

    /// What was looked at so far, and found.
    pub fn seen(&self) -> Seen {
        let mut seen = self.found.seen.clone();
        if self.content.unscanned == Stance::Pass {
            seen.pass_over_opaque();
        }
        seen
    }

    /// The next bytes; `last` when no more can come.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Passage {
        if matches!(self.framing, Framing::Opaque) {
            return Passage::Unchanged;
        }
        let content = Rc::clone(&self.content);
        let Some(looked) = &content.answer else { return Passage::Unchanged };
        self.found.work.read(bytes.len().saturating_mul(content.classes));
        let from = self.passing.come();
        let all = from.saturating_add(bytes.len() as u64);
        self.read(&content, looked, bytes, from, last);
        if last {
            self.channels.end(&content, looked, &mut self.found);
        }
        self.passing.write(&mut self.found.edits);
        let mut done = if last { all } else { self.waits_from(all) };
        let most = all.saturating_sub(MOST_HELD.saturating_add(looked.automaton.longest()) as u64);
        if done < most {
            // It may be no more than an event that is long.
            self.event.hand_over(&content, looked, &mut self.channels, &mut self.found, false);
            self.passing.write(&mut self.found.edits);
            done = self.waits_from(all);
        }
        if done < most {
            self.channels.give_up(&content, looked, &mut self.found);
            self.passing.write(&mut self.found.edits);
            done = all;
        }
        self.passing.pass(bytes, done)
    }

    /// Where the first that can't go on yet begins, of so many bytes.
    fn waits_from(&self, all: u64) -> u64 {
        let token = self.scanner.waits_from().map(|from| self.begins.wrapping_add(from));
        [self.event.begins(), self.channels.open_from(), token].into_iter().flatten().fold(all, u64::min)
    }

    fn read(&mut self, content: &Content, looked: &Looked, bytes: &[u8], from: u64, last: bool) {
        let mut bytes = bytes;
        let mut from = from;
        if matches!(self.framing, Framing::Unknown) {
            let blank =
                bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte)).count();
            (bytes, from) = (bytes.get(blank..).unwrap_or_default(), from.saturating_add(blank as u64));
            match bytes.first() {
                None => return,
                Some(b'{' | b'[') => self.framing = Framing::Documents,
                Some(b'd' | b'e' | b'i' | b'r' | b':') => {
                    self.framing = Framing::Events(Sse::new(), EventData::default());
                    self.scanner = Scanner::deep(self.texts.event);
                }
                Some(_) => return self.look_at_nothing(),
            }
        }
        let Self { framing, scanner, reader, event, begins, channels, found, .. } = self;
        match framing {
            Framing::Documents => {
                let mut rest = bytes;
                loop {
                    let at = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                    // Where the document begins in the body.
                    *begins = at.wrapping_sub(scanner.offset());
                    let Ok(after) = scanner.feed_document(rest, &mut |hit| event.hit(reader, &hit, *begins)) else {
                        // Nobody can read what follows.
                        event.hand_over(content, looked, channels, found, true);
                        channels.end(content, looked, found);
                        return self.look_at_nothing();
                    };
                    if scanner.is_complete() {
                        event.hand_over(content, looked, channels, found, true);
                        scanner.restart();
                    } else if event.is_long() {
                        event.hand_over(content, looked, channels, found, false);
                    }
                    rest = after.trim_ascii_start();
                    if rest.is_empty() {
                        break;
                    }
                }
                if last {
                    event.hand_over(content, looked, channels, found, true);
                }
            }
            Framing::Events(sse, event_data) => {
                let mut rest = bytes;
                loop {
                    let at = from.saturating_add(bytes.len().saturating_sub(rest.len()) as u64);
                    let mut data = |Data { bytes, from }: Data<'_>| {
                        // What joins two lines stands nowhere; a number ends with it.
                        if bytes != b"\n" {
                            *begins = at.saturating_add(from as u64).wrapping_sub(scanner.offset());
                        }
                        event_data.feed(bytes);
                        let _ = scanner.feed(bytes, &mut |hit| event.hit(reader, &hit, *begins));
                    };
                    let behind = sse.feed_event(rest, &mut data);
                    let ended = behind.is_some() || (last && sse.finish(&mut |_| {}));
                    if ended {
                        event.hand_over(content, looked, channels, found, true);
                        if event_data.end() && scanner.finish().is_err() {
                            found.seen.note_opaque(Opaque::Body);
                        }
                        scanner.restart();
                        *reader = TextReader::default();
                    } else if event.is_long() {
                        event.hand_over(content, looked, channels, found, false);
                    }
                    match behind {
                        Some(behind) => rest = behind,
                        None => break,
                    }
                }
                // A text that only begins as an event does.
                if last && !event_data.has_come() {
                    found.seen.note_opaque(Opaque::Body);
                }
            }
            Framing::Unknown | Framing::Opaque => {}
        }
    }
}

impl Findings {
    /// Looks at a stretch, up to where findings may begin; returns where it ended. A value is escaped so often where it stands.
    pub(super) fn look(
        &mut self,
        content: &Content,
        looked: &Looked,
        closed: &Closed,
        until: usize,
        place: Place,
        escapes: usize,
    ) -> usize {
        let mut done = self.look_for(content, looked, (closed, until), place, (Class::Replace, escapes));
        if content.rules.iter().any(|rule| rule.action == Action::Count) {
            self.look_for(content, looked, (closed, until), place, (Class::Count, escapes));
        }
        if !self.work.is_left() {
            self.seen.note_opaque(Opaque::TooMuchWork);
            self.withhold(content, &closed.spans(done..until));
            done = done.max(until);
        }
        done
    }

    fn look_for(
        &mut self,
        content: &Content,
        looked: &Looked,
        (closed, until): (&Closed, usize),
        place: Place,
        (class, escapes): (Class, usize),
    ) -> usize {
        let Self { placeholders, seen, work, edits } = self;
        let wanted = |pattern: usize| match looked.aim(content, pattern) {
            Some((_, rule)) => rule.action.class() == class && rule.looks(place, ANY),
            None => class == Class::Replace,
        };
        looked.automaton.findings(closed.stretch(), until, work, (wanted, |_: &Range<usize>| true), |finding| {
            let text =
                closed.text.get(finding.range.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
            let Some((aim, rule)) = looked.aim(content, finding.pattern) else {
                if let Some(value) = placeholders.value(text) {
                    let value = escaped(value, escapes);
                    seen.restored = seen.restored.saturating_add(1);
                    write(edits, &closed.spans(finding.range), value);
                }
                return;
            };
            seen.find(&rule.name, &aim.label, rule.action.name(), place);
            if rule.action == Action::Mask {
                let placeholder = placeholders.of(&aim.label, text, false);
                write(
                    edits,
                    &closed.spans(finding.range.clone()),
                    stands(placeholder, closed.is_bare(finding.range.start)),
                );
            }
        })
    }

    /// Looks at a key, or at a number.
    fn unit(&mut self, content: &Content, looked: &Looked, unit: (&str, Span, bool), place: Place) {
        let mut stretches = Vec::new();
        let Some(unit) = Unit::look(&looked.automaton, unit, &mut |stretch| stretches.push(stretch)) else { return };
        let before = std::mem::take(&mut self.edits);
        for stretch in &stretches {
            self.look(content, looked, stretch, stretch.text.len(), place, 0);
        }
        let edits = std::mem::replace(&mut self.edits, before);
        if !edits.is_empty() {
            self.edits.push(unit.edit(&edits));
        }
    }

    /// What can't be looked at doesn't go on as it is, where a rule masks.
    fn withhold(&mut self, content: &Content, spans: &[Span]) {
        if content.rules.iter().any(|rule| rule.action == Action::Mask) {
            write(&mut self.edits, spans, "[WITHHELD]".to_owned());
        }
    }
}
