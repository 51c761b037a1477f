//! The texts of an answer, looked at as they pass. What may still become a finding is held back, and with it what stands behind it;
//! everything else goes on at once, byte for byte. Behind a finding that a rule refuses, or from where it begins, nothing does.
//!
//! A stream has several texts at the same time: of each choice, of each call. The deltas of one go on where the last ended, whatever
//! came between, and what is written in the place of a finding stands in the first event that had a part of it.

mod channels;
mod event;

use super::placeholders::Placeholders;
use super::reader::TextReader;
use super::screened::{Refused, stands, write};
use super::unit::{Unit, escaped};
use crate::detect::{Closed, Finding, Span, Work};
use crate::json::{MAX_DEPTH, Scanner};
use crate::llm::event_data::EventData;
use crate::llm::meter::Passage;
use crate::llm::passing::Passing;
use crate::llm::request::Edit;
use crate::llm::schema::Schema;
use crate::llm::sse::{Data, Sse};
use crate::llm::stance::Stance;
use crate::llm::texts::{Opaque, Place, Text, Texts};
use crate::policy::content::{Action, Class, Content, Looked};
use crate::record::content::Seen;
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
    /// Some rule may refuse it; and it is refused if not all of it can be looked at, whatever that is.
    refuses: bool,
    must_see: bool,
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
    refusal: Option<Refusal>,
}

/// Why the answer may not go on, and the first byte that may not.
struct Refusal {
    why: Refused,
    from: u64,
}

/// Whose a stretch is, and how often a value is escaped where it stands.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) place: Place,
    pub(super) escapes: usize,
}

/// Where the last finding of each class has ended, of a text that is looked at a part at a time: what begins before that is a part
/// of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Behind([u64; Class::ALL.len()]);

impl Behind {
    fn of(self, class: Class) -> u64 {
        self.0.get(class as usize).copied().unwrap_or(0)
    }

    fn found(&mut self, class: Class, spans: &[Span]) {
        if let (Some(behind), Some(last)) = (self.0.get_mut(class as usize), spans.last()) {
            *behind = last.to;
        }
    }
}

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
        let refuses = looked.classes.contains(&Class::Refuse);
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
            found: Findings {
                placeholders,
                seen: Seen::default(),
                work: Work::START,
                edits: Vec::new(),
                refusal: None,
            },
            refuses,
            must_see: refuses && content.unscanned == Stance::Refuse,
        }))
    }

    /// It can't be looked at: it is compressed, a sound, frames of AWS.
    pub fn look_at_nothing(&mut self) {
        self.framing = Framing::Opaque;
        self.found.seen.note_opaque(Opaque::Body);
    }

    /// It is an error: that it can't be looked at is no reason to put another in its place.
    pub const fn is_error(&mut self) {
        self.must_see = false;
    }

    /// Whether it may be refused.
    pub const fn refuses(&self) -> bool {
        self.must_see || (self.refuses && !matches!(self.framing, Framing::Opaque))
    }

    /// Why it is refused: nothing of what was found has gone on, and nothing more may.
    pub fn refused(&self) -> Option<&Refused> {
        self.found.refusal.as_ref().map(|refusal| &refusal.why)
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
        if self.refused().is_some() {
            return Passage::Replaced(Vec::new());
        }
        let content = Rc::clone(&self.content);
        let Some(looked) = content.answer.as_ref().filter(|_| !matches!(self.framing, Framing::Opaque)) else {
            self.refuse_unseen();
            return if self.refused().is_some() { Passage::Replaced(Vec::new()) } else { Passage::Unchanged };
        };
        self.found.work.read(bytes.len().saturating_mul(looked.classes.len()));
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
        self.refuse_unseen();
        let refused_from = self.found.refusal.as_ref().map_or(all, |refusal| refusal.from);
        self.passing.pass(bytes, done.min(refused_from))
    }

    /// Of what can't be looked at, it isn't known where it begins.
    fn refuse_unseen(&mut self) {
        let unseen = self.found.seen.unscanned().map(|(what, _)| what).find(|what| self.must_see || what.is_hostile());
        if let Some(what) = unseen.filter(|_| self.refuses) {
            self.found.refuse(Refused::Opaque(what), 0);
        }
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
    /// Looks at a stretch for what begins in it, up to there. A finding of one class hides none of another.
    pub(super) fn look(
        &mut self,
        content: &Content,
        looked: &Looked,
        (closed, until): (&Closed, usize),
        of: Of,
        behind: &mut Behind,
    ) {
        let mut done = 0;
        for class in looked.classes.iter().copied() {
            let ended = self.look_for(content, looked, (closed, until), (class, of), behind);
            if class == Class::Replace {
                done = ended;
            }
        }
        if !self.work.is_left() {
            self.seen.note_opaque(Opaque::TooMuchWork);
            self.withhold(content, &closed.spans(done..until));
        }
    }

    /// Returns where it ended.
    fn look_for(
        &mut self,
        content: &Content,
        looked: &Looked,
        (closed, until): (&Closed, usize),
        (class, Of { place, escapes }): (Class, Of),
        behind: &mut Behind,
    ) -> usize {
        let Self { placeholders, seen, work, edits, refusal } = self;
        let wanted = |pattern: usize| match looked.aim(content, pattern) {
            Some((_, rule)) => rule.action.class() == class && rule.looks(place, None),
            None => class == Class::Replace,
        };
        let from = behind.of(class);
        let is_behind = |range: &Range<usize>| {
            let begins = |range| closed.spans(range).first().map_or(0, |span| span.from);
            closed.begins() >= Some(from) || begins(range.clone()) >= from
        };
        looked.automaton.findings(closed.stretch(), until, work, (wanted, is_behind), |finding| {
            let Finding { pattern, range } = finding;
            let text = closed.text.get(range.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
            let is_bare = closed.is_bare(range.start);
            let spans = closed.spans(range);
            behind.found(class, &spans);
            let Some((aim, rule)) = looked.aim(content, pattern) else {
                if let Some(value) = placeholders.value(text) {
                    let value = escaped(value, escapes);
                    seen.restored = seen.restored.saturating_add(1);
                    write(edits, &spans, value);
                }
                return;
            };
            seen.find(&rule.name, &aim.label, rule.action.name(), place);
            match rule.action {
                Action::Mask => write(edits, &spans, stands(placeholders.of(&aim.label, text, false), is_bare)),
                Action::Refuse => {
                    let (rule, label) = (Rc::clone(&rule.name), Rc::clone(&aim.label));
                    let from = spans.first().map_or(0, |span| span.from);
                    Refusal::note(refusal, Refused::Found { rule, label, place }, from);
                }
                Action::Count | Action::Restore => {}
            }
        })
    }

    fn refuse(&mut self, why: Refused, from: u64) {
        Refusal::note(&mut self.refusal, why, from);
    }

    /// Looks at a key, or at a number.
    fn unit(&mut self, content: &Content, looked: &Looked, unit: (&str, Span, bool), place: Place) {
        let mut stretches = Vec::new();
        let Some(unit) = Unit::look(&looked.automaton, unit, &mut |stretch| stretches.push(stretch)) else { return };
        // Places in these are its own.
        let before = (std::mem::take(&mut self.edits), self.refusal.take());
        for stretch in &stretches {
            let of = Of { place, escapes: 0 };
            self.look(content, looked, (stretch, stretch.text.len()), of, &mut Behind::default());
        }
        let edits = std::mem::replace(&mut self.edits, before.0);
        if !edits.is_empty() {
            self.edits.push(unit.edit(&edits));
        }
        if let Some(refusal) = std::mem::replace(&mut self.refusal, before.1) {
            self.refuse(refusal.why, unit.span().from);
        }
    }

    /// What can't be looked at doesn't go on as it is, where a rule masks.
    fn withhold(&mut self, content: &Content, spans: &[Span]) {
        if content.rules.iter().any(|rule| rule.action == Action::Mask) {
            write(&mut self.edits, spans, "[WITHHELD]".to_owned());
        }
    }
}

impl Refusal {
    /// The first that was found is told. Another that stands before it may be found later: its text goes on from event to event.
    fn note(noted: &mut Option<Self>, why: Refused, from: u64) {
        match noted {
            Some(refusal) => refusal.from = refusal.from.min(from),
            None => *noted = Some(Self { why, from }),
        }
    }
}
