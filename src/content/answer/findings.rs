//! What the rules find in an answer's texts, and what becomes of it.

use super::super::placeholders::Placeholders;
use super::super::screened::{Refused, stands, write};
use super::super::unit::{Unit, escaped};
use crate::detect::{Closed, Finding, Span, Work};
use crate::llm::request::Edit;
use crate::llm::texts::{Opaque, Place};
use crate::policy::content::{Action, Case, Class, Content, Looked};
use crate::record::content::Seen;
use crate::route::Sensitivity;
use std::ops::Range;
use std::rc::Rc;

/// A rule that looks at answers depends neither on a role nor on a provider.
const ANY: Case<'_> = Case { role: None, sight: Sensitivity::Restricted };

/// What was found, and what stands for it.
pub(super) struct Findings {
    pub(super) placeholders: Placeholders,
    pub(super) seen: Seen,
    pub(super) work: Work,
    pub(super) edits: Vec<Edit>,
    pub(super) refusal: Option<Refusal>,
    /// Bytes that values may still be longer than their placeholders.
    pub(super) room: usize,
}

/// Of one answer. A value may be thousands of bytes long and its placeholder ten, and a model repeats what it is told to.
pub(super) const MOST_RESTORED: usize = 4 * 1024 * 1024;

/// Why the answer may not go on, and the first byte that may not.
pub(super) struct Refusal {
    pub(super) why: Refused,
    pub(super) from: u64,
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

impl Findings {
    /// Looks at a stretch for what begins in it, up to there. A finding of one class hides none of another.
    pub(super) fn look(
        &mut self,
        content: &Content,
        looked: &Looked,
        (closed, until): (&mut Closed, usize),
        of: Of,
        behind: &mut Behind,
    ) {
        closed.look(&looked.automaton, until, &mut self.work);
        // Behind its context, a finding may leave room for others before it.
        while closed.candidates.known() < closed.candidates.reach() && self.work.is_left() {
            closed.look(&looked.automaton, closed.candidates.reach(), &mut self.work);
        }
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
        let Self { placeholders, seen, edits, refusal, room, .. } = self;
        let wanted = |pattern: usize| match looked.aim(content, pattern) {
            Some((_, rule)) => rule.action.class() == class && rule.looks(place, ANY),
            None => class == Class::Replace,
        };
        let from = behind.of(class);
        let is_behind = |range: &Range<usize>| {
            let begins = |range| closed.spans(range).first().map_or(0, |span| span.from);
            closed.begins() >= Some(from) || begins(range.clone()) >= from
        };
        let mut bareness = closed.bareness();
        closed.candidates.findings(until, (wanted, is_behind), |finding| {
            let Finding { pattern, range } = finding;
            let text = closed.text.get(range.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
            let is_bare = bareness(range.start);
            let spans = closed.spans(range);
            behind.found(class, &spans);
            let Some((aim, rule)) = looked.aim(content, pattern) else {
                if let Some(value) = placeholders.value(text) {
                    let written = (value.len() <= *room).then(|| escaped(value, escapes));
                    let longer = |value: &String| value.len().saturating_sub(text.len());
                    let Some(value) = written.filter(|value| longer(value) <= *room) else {
                        return seen.note_opaque(Opaque::TooMuchWork);
                    };
                    *room = room.saturating_sub(longer(&value));
                    seen.restored = seen.restored.saturating_add(1);
                    write(edits, &spans, value);
                }
                return;
            };
            seen.find(&rule.name, &aim.label, rule.action.name(), place);
            match rule.action {
                Action::Mask => write(edits, &spans, stands(&placeholders.of(&aim.label, text, false), is_bare)),
                Action::Refuse => {
                    let (rule, label) = (Rc::clone(&rule.name), Rc::clone(&aim.label));
                    let from = spans.first().map_or(0, |span| span.from);
                    Refusal::note(refusal, Refused::Found { rule, label, place }, from);
                }
                Action::Count | Action::Restore => {}
            }
        })
    }

    pub(super) fn refuse(&mut self, why: Refused, from: u64) {
        Refusal::note(&mut self.refusal, why, from);
    }

    /// Looks at a key, or at a number.
    pub(super) fn unit(&mut self, content: &Content, looked: &Looked, unit: (&str, Span, bool), place: Place) {
        let mut stretches = Vec::new();
        let Some(unit) = Unit::look(&looked.automaton, unit, &mut |stretch| stretches.push(stretch)) else { return };
        // Places in these are its own.
        let before = (std::mem::take(&mut self.edits), self.refusal.take());
        for stretch in &mut stretches {
            let (of, until) = (Of { place, escapes: 0 }, stretch.text.len());
            self.look(content, looked, (stretch, until), of, &mut Behind::default());
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
    pub(super) fn withhold(&mut self, content: &Content, spans: &[Span]) {
        if content.masks_answers() {
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
