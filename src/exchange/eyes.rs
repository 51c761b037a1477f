//! Who looks at an answer's body beside its meter: each reads what those before it let pass, and some may want it ended. Most answers
//! have none.

use super::spending::Spending;
use super::{Exchange, Phase, content, tools};
use crate::content::AnswerTexts;
use crate::likeness::Likeness;
use crate::llm::meter::{Meter, Passage};
use crate::llm::whole_events::WholeEvents;
use crate::outcome::{Outcome, Rejection, Reply};
use crate::tools::Calling;

#[derive(Default)]
pub(super) struct Eyes {
    pub(super) texts: Option<Box<AnswerTexts>>,
    /// Where it may be ended between two events.
    pub(super) whole: Option<Box<WholeEvents>>,
    pub(super) calling: Option<Box<Calling>>,
    /// Where what it costs is held against what there is for it.
    pub(super) spending: Option<Box<Spending>>,
    /// Where it is one of a pair.
    pub(super) likeness: Option<Box<Likeness>>,
    /// The gateway has ended it, as this.
    pub(super) ended: Option<Outcome>,
}

impl Eyes {
    /// `None`, where nobody looks.
    pub(super) fn open(self) -> Option<Box<Self>> {
        let looks =
            self.texts.is_some() || self.calling.is_some() || self.spending.is_some() || self.likeness.is_some();
        looks.then(|| Box::new(self))
    }

    /// Whether the body may come out as another.
    pub(super) const fn edits(&self) -> bool {
        self.texts.is_some() || self.whole.is_some()
    }

    /// Whether somebody may refuse it, for what it says or calls.
    pub(super) fn may_refuse(&self) -> bool {
        self.texts.as_ref().is_some_and(|texts| texts.refuses())
            || self.calling.as_ref().is_some_and(|calling| calling.refuses())
    }

    /// Whether somebody may want it ended.
    pub(super) fn may_end(&self) -> bool {
        self.spending.is_some() || self.may_refuse()
    }

    /// The next bytes, as the meter lets them pass.
    #[cold]
    #[inline(never)]
    pub(super) fn pass(&mut self, meter: &Meter, bytes: &[u8], last: bool, passage: &mut Passage) {
        let Self { texts, whole, calling, likeness, .. } = self;
        let mut last = last;
        if let Some(texts) = texts {
            passage.then(bytes, |bytes| texts.feed(bytes, last));
            // What it lets pass then is only the beginning of the answer.
            last &= texts.refused().is_none();
        }
        if let Some(whole) = whole {
            passage.then(bytes, |bytes| whole.feed(meter.form(), bytes, last));
        }
        if let Some(calling) = calling {
            passage.then(bytes, |bytes| calling.feed(bytes, last));
        }
        if let Some(likeness) = likeness {
            passage.then(bytes, |bytes| {
                likeness.feed(bytes, last);
                Passage::Unchanged
            });
        }
    }

    fn refused(&self) -> Option<Rejection> {
        let said = || self.texts.as_ref()?.refused().map(content::answer_refused);
        let called = || self.calling.as_ref()?.refused().map(tools::call_refused);
        said().or_else(called)
    }
}

impl Exchange {
    /// Why the answer may not go on, by what it says or calls: for [`Self::end_answer`], or [`Self::answer_instead`].
    pub fn refused_answer(&self) -> Option<Rejection> {
        self.answer()?.eyes.as_ref().filter(|eyes| eyes.ended.is_none())?.refused()
    }

    /// The client gets this, and nothing of an answer whose head has been held.
    pub fn answer_instead(&mut self, rejection: Rejection) -> Reply {
        let outcome = rejection.outcome;
        let reply = rejection.in_dialect(self.schema.dialect, &self.request_id);
        if let Phase::Open(open) = &mut self.phase
            && let Some(answer) = &mut open.answer
        {
            answer.instead = Some(reply.status.into());
            answer.eyes.get_or_insert_default().ended = Some(outcome);
        }
        reply
    }

    /// Ends an answer that has begun, for this reason: nothing more of it goes on but what is returned, an event that says so. What
    /// was held back of it is dropped.
    pub fn end_answer(&mut self, rejection: &Rejection) -> Vec<u8> {
        let Phase::Open(open) = &mut self.phase else { return Vec::new() };
        let Some(eyes) = open.answer.as_mut().and_then(|answer| answer.eyes.as_mut()) else { return Vec::new() };
        eyes.ended = Some(rejection.outcome);
        let event = rejection.as_last_event(open.schema, &self.request_id);
        eyes.whole.as_mut().map(|whole| whole.end(event.name, &event.data)).unwrap_or_default()
    }

    /// Whether the gateway has ended the answer.
    pub fn is_ended(&self) -> bool {
        self.answer().is_some_and(|answer| answer.ended().is_some())
    }
}
