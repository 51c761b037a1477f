//! The stretches of a request that are kept for its end, and how much memory they take until then: a body may never end, and what is
//! found in one may take more than Envoy's bytes of it.

use super::screened::Stretch;
use crate::detect::{MOST_FINDS, Work};
use crate::llm::texts::Place;
use crate::policy::content::Looked;

/// Stretches that some pattern ended in, in the order of the body.
#[derive(Default)]
pub(super) struct Kept {
    stretches: Vec<Stretch>,
    /// Those before this have been looked at.
    looked_at: usize,
    /// Bytes that these hold, beside what each has in the list.
    held: usize,
    /// There were more than are kept.
    overrun: bool,
    /// How many there were before the text that comes, if one does, and before its message.
    before_text: Option<usize>,
    before_message: usize,
}

impl Kept {
    pub(super) fn push(&mut self, stretch: Stretch) {
        self.stretches.push(stretch);
    }

    pub(super) const fn len(&self) -> usize {
        self.stretches.len()
    }

    pub(super) fn as_slice(&self) -> &[Stretch] {
        &self.stretches
    }

    /// Those that came behind so many.
    pub(super) fn since(&mut self, before: usize) -> &mut [Stretch] {
        self.stretches.get_mut(before..).unwrap_or_default()
    }

    pub(super) const fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// Bytes that all of them take.
    pub(super) const fn weight(&self) -> usize {
        self.stretches.capacity().saturating_mul(size_of::<Stretch>()).saturating_add(self.held)
    }

    pub(super) const fn is_in_text(&self) -> bool {
        self.before_text.is_some()
    }

    pub(super) const fn text_begins(&mut self) {
        self.before_text = Some(self.stretches.len());
    }

    pub(super) const fn text_ends(&mut self) -> Option<usize> {
        self.before_text.take()
    }

    /// The text before which there were so many was none.
    pub(super) fn forget_since(&mut self, before: usize) {
        let gone = self.stretches.get(before..self.looked_at).unwrap_or_default();
        self.held = self.held.saturating_sub(gone.iter().map(Stretch::holds).sum());
        self.stretches.truncate(before);
        self.looked_at = self.looked_at.min(before);
    }

    pub(super) const fn message_begins(&mut self) {
        self.before_message = self.stretches.len();
    }

    /// Whoever it is from: those of its stretches are in this place that are in none yet.
    pub(super) fn message_ends(&mut self, place: Place) {
        let of_message = self.stretches.get_mut(self.before_message..).unwrap_or_default();
        of_message.iter_mut().for_each(|stretch| stretch.place = stretch.place.or(Some(place)));
        self.before_message = self.stretches.len();
    }

    /// Looks at what has come since: not all at once at the end, for others wait for the worker.
    pub(super) fn look(&mut self, looked: &Looked, work: &mut Work) {
        if self.stretches.len() > self.looked_at {
            self.since(self.looked_at).iter_mut().for_each(|stretch| stretch.look(looked, work));
            self.settle();
        }
        // Each has a finding, of which there are no more in a body, or there was no work left to look at it.
        if self.stretches.len() as u64 > MOST_FINDS {
            self.overrun = true;
            (self.stretches, self.held) = (Vec::new(), 0);
            (self.before_text, self.before_message) = (self.before_text.map(|_| 0), 0);
        }
        self.looked_at = self.stretches.len();
    }

    /// All of them once more, those that there was no work left for.
    pub(super) fn look_at_all(&mut self, looked: &Looked, work: &mut Work) {
        self.stretches.iter_mut().for_each(|stretch| stretch.look(looked, work));
    }

    /// Stretches in which nothing was found are kept no longer: some pattern ends in each few bytes of some texts. And those of one
    /// place become one, for there may be a finding in each few bytes, too.
    fn settle(&mut self) {
        let (text, message) = (self.before_text, self.before_message);
        // The last that was looked at may take others in.
        let first = self.looked_at.saturating_sub(1);
        let fresh = self.stretches.split_off(first.min(self.stretches.len()));
        let known = fresh.iter().take(self.looked_at.saturating_sub(first));
        self.held = self.held.saturating_sub(known.map(Stretch::holds).sum());
        for (at, stretch) in (first..).zip(fresh.into_iter().map(Some).chain([None])) {
            let len = self.stretches.len();
            if text == Some(at) {
                self.before_text = Some(len);
            }
            if message == at {
                self.before_message = len;
            }
            let Some(mut stretch) = stretch.filter(|stretch| !stretch.is_fruitless()) else { continue };
            // A text that comes may turn out to be none, and its message to be somebody else's.
            let is_apart = self.before_text == Some(len) || self.before_message == len;
            if let Some(last) = self.stretches.last_mut().filter(|_| len > first && !is_apart)
                && last.take_in(&mut stretch)
            {
                continue;
            }
            if at >= self.looked_at {
                stretch.shrink();
            }
            self.stretches.push(stretch);
        }
        self.stretches.shrink_to(self.stretches.len().saturating_mul(2));
        let held = self.stretches.get(first..).unwrap_or_default().iter().map(Stretch::holds).sum();
        self.held = self.held.saturating_add(held);
    }
}
