//! The texts of an answer, looked at as they pass. What may still become a finding is held back, and with it what stands behind it;
//! everything else goes on at once, byte for byte. Behind a finding that a rule refuses, or from where it begins, nothing does.
//!
//! A stream has several texts at the same time: of each choice, of each call. The deltas of one go on where the last ended, whatever
//! came between, and what is written in the place of a finding stands in the first event that had a part of it.

mod channels;
mod event;
mod findings;
mod framing;

use super::placeholders::Placeholders;
use super::reader::TextReader;
use super::screened::Refused;
use crate::detect::Work;
use crate::json::{MAX_DEPTH, Scanner};
use crate::llm::meter::Passage;
use crate::llm::passing::Passing;
use crate::llm::schema::{Dialect, Schema};
use crate::llm::stance::Stance;
use crate::llm::texts::{Opaque, Text, Texts};
use crate::policy::content::{Class, Content};
use crate::record::content::Seen;
use channels::Channels;
use event::Event;
use findings::{Findings, MOST_RESTORED};
use framing::Framing;
use std::rc::Rc;

/// An answer's body, under the eyes of its tenant's rules.
pub struct AnswerTexts {
    content: Rc<Content>,
    texts: Texts,
    dialect: Dialect,
    /// A message of AWS's stream has its document in base64; and the body is a stream of these.
    is_wrapped: bool,
    in_messages: bool,
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
            dialect: schema.dialect,
            is_wrapped: schema.wrapped,
            in_messages: false,
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
                room: MOST_RESTORED,
            },
            refuses,
            must_see: refuses && content.unscanned == Stance::Refuse,
        }))
    }

    /// It can't be looked at: it is compressed, or a sound.
    pub fn look_at_nothing(&mut self) {
        self.framing = Framing::Opaque;
        self.found.seen.note_opaque(Opaque::Body);
    }

    /// That it can't be looked at is no reason to refuse it: it is an error, and another would stand in its place.
    pub const fn may_be_unseen(&mut self) {
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
        self.found.work.read(bytes.len());
        let from = self.passing.come();
        let all = from.saturating_add(bytes.len() as u64);
        self.read(&content, looked, bytes, from, last);
        if last {
            self.channels.end(&content, looked, &mut self.found);
        }
        self.passing.write(&mut self.found.edits);
        // A message that has not come whole is none.
        let end = all.saturating_sub(self.framing.unfinished());
        let mut done = if last { end } else { self.waits_from(end) };
        let most = all.saturating_sub(MOST_HELD.saturating_add(looked.automaton.longest()) as u64);
        if done < most {
            // It may be no more than an event that is long.
            self.event.hand_over(&content, looked, &mut self.channels, &mut self.found, false);
            self.passing.write(&mut self.found.edits);
            done = self.waits_from(end);
        }
        if done < most {
            self.channels.give_up(&content, looked, &mut self.found);
            self.passing.write(&mut self.found.edits);
            done = end;
        }
        self.refuse_unseen();
        let refused_from = self.found.refusal.as_ref().map_or(all, |refusal| refusal.from);
        let done = done.min(refused_from);
        if self.in_messages {
            self.passing.pass_messages(bytes, done, self.is_wrapped)
        } else {
            self.passing.pass(bytes, done)
        }
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
}
