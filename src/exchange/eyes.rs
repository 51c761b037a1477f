//! Who looks at an answer's body beside its meter: each reads what those before it let pass. Most answers have none.

use super::spending::Spending;
use crate::content::AnswerTexts;
use crate::llm::meter::{Meter, Passage};
use crate::llm::whole_events::WholeEvents;
use crate::outcome::Outcome;
use crate::tools::Calling;

#[derive(Default)]
pub(super) struct Eyes {
    pub(super) texts: Option<Box<AnswerTexts>>,
    /// Where it may be ended between two events.
    pub(super) whole: Option<Box<WholeEvents>>,
    pub(super) calling: Option<Box<Calling>>,
    /// Where what it costs is held against what there is for it.
    pub(super) spending: Option<Box<Spending>>,
    /// The gateway has ended it, as this.
    pub(super) ended: Option<Outcome>,
}

impl Eyes {
    /// `None`, where nobody looks.
    pub(super) fn open(self) -> Option<Box<Self>> {
        let looks = self.texts.is_some() || self.calling.is_some() || self.spending.is_some();
        looks.then(|| Box::new(self))
    }

    /// Whether the body may come out as another.
    pub(super) const fn edits(&self) -> bool {
        self.texts.is_some() || self.whole.is_some()
    }

    /// Whether somebody may want it ended.
    pub(super) fn may_end(&self) -> bool {
        self.spending.is_some() || self.calling.as_ref().is_some_and(|calling| calling.refuses())
    }

    /// The next bytes, as the meter lets them pass.
    #[cold]
    #[inline(never)]
    pub(super) fn pass(&mut self, meter: &Meter, bytes: &[u8], last: bool, passage: &mut Passage) {
        if let Some(texts) = &mut self.texts {
            passage.then(bytes, |bytes| texts.feed(bytes, last));
        }
        if let Some(whole) = &mut self.whole {
            passage.then(bytes, |bytes| whole.feed(meter.form(), bytes, last));
        }
        if let Some(calling) = &mut self.calling {
            passage.then(bytes, |bytes| calling.feed(bytes, last));
        }
    }
}
