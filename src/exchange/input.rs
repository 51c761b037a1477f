//! What a request's input may come to where a leg leads: what its body holds, and what that only points at.

use super::Leg;
use crate::llm::estimate::Sizes;
use crate::llm::estimate::media::{self, Taken};
use crate::llm::hidden::Hidden;
use crate::llm::request::Request;
use crate::policy::HiddenInput;
use crate::units::Tokens;

#[derive(Clone, Copy)]
pub(super) struct Input {
    pub(super) sizes: Sizes,
    pub(super) hidden: Hidden,
    figures: HiddenInput,
}

impl Input {
    pub(super) const fn of(request: &Request, figures: HiddenInput) -> Self {
        Self { sizes: request.sizes, hidden: request.hidden, figures }
    }

    /// Nothing but text: neither what the model is nor how much it reads matters.
    pub(super) const fn is_plain(&self) -> bool {
        self.sizes.attachments == 0 && self.hidden.is_nothing()
    }

    fn context(&self, leg: &Leg) -> Tokens {
        leg.context.unwrap_or(self.figures.default_context)
    }

    fn media(&self, leg: &Leg, text: Tokens) -> Taken {
        let Taken { most, likely } = self.sizes.media(media::picture(&leg.model));
        let room = self.context(leg).less(text);
        Taken { most: most.min(room), likely: likely.min(room) }
    }

    /// What the body holds, for the reservation.
    pub(super) fn shown(&self, leg: &Leg) -> Tokens {
        let text = self.sizes.text_at_most(leg.density);
        if self.sizes.attachments == 0 { text } else { text.plus(self.media(leg, text).most) }
    }

    /// With what it points at.
    pub(super) fn most(&self, leg: &Leg) -> Tokens {
        let shown = self.shown(leg);
        shown.plus(self.hidden(leg, shown))
    }

    /// What it only points at, beside what it holds.
    pub(super) fn hidden(&self, leg: &Leg, shown: Tokens) -> Tokens {
        if self.hidden.is_nothing() {
            return Tokens(0);
        }
        self.hidden.most(self.context(leg).less(shown), self.figures.most)
    }

    /// For the settlement of an answer without usage, and what so many uses of hosted tools bring beside it.
    pub(super) fn likely(&self, leg: &Leg) -> Tokens {
        let text = self.sizes.text_likely(leg.density);
        if self.is_plain() {
            return text;
        }
        let shown = text.plus(self.media(leg, text).likely);
        shown.plus(self.hidden.likely(self.context(leg).less(shown), self.figures.most))
    }

    /// What each of `uses` of its hosted tools brings beside that.
    pub(super) fn brought(&self, leg: &Leg, likely: Tokens, uses: u64) -> Tokens {
        self.hidden.of_uses(uses, self.context(leg).less(likely))
    }

    /// What more of a report is believed than the body explains.
    pub(super) fn explains(&self, leg: &Leg) -> Tokens {
        self.hidden.explains(leg.context)
    }
}

#[cfg(test)]
mod tests;
