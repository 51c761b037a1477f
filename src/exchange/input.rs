//! What a request's input may come to where a leg leads: what its body holds, and what that only points at.

use super::Leg;
use crate::llm::brings::Writes;
use crate::llm::estimate::Sizes;
use crate::llm::estimate::media::{self, Taken};
use crate::llm::hidden::Hidden;
use crate::llm::request::Request;
use crate::policy::HiddenInput;
use crate::units::Tokens;

pub(super) struct Input {
    pub(super) sizes: Sizes,
    /// What it asks for to be written into a cache.
    pub(super) writes: Writes,
    /// Of most requests, nothing.
    beyond: Option<Box<Beyond>>,
}

/// What a request has beside text.
struct Beyond {
    hidden: Hidden,
    figures: HiddenInput,
}

impl Beyond {
    fn context(&self, leg: &Leg) -> Tokens {
        leg.context.unwrap_or(self.figures.default_context)
    }

    fn media(&self, sizes: &Sizes, leg: &Leg, text: Tokens) -> Taken {
        if sizes.attachments == 0 {
            return Taken::default();
        }
        sizes.media(media::picture(&leg.model), self.context(leg).less(text))
    }
}

/// What a request takes of a model's context: certainly no more, likely, and without what nobody knows before it is read.
pub(super) struct InContext {
    pub(super) certain: Tokens,
    pub(super) likely: Tokens,
    pub(super) sized: Tokens,
}

/// Beyond this, the bytes of a document say little of its length.
const LONG_DOCUMENT: Tokens = Tokens(65_536);

impl Input {
    /// `sizes` are those of the body as it is sent.
    pub(super) fn of(request: &Request, sizes: Sizes, figures: HiddenInput) -> Self {
        let Request { hidden, .. } = request;
        let writes = request.asked_writes();
        let has_more = sizes.attachments > 0 || hidden.unsure || !hidden.is_nothing();
        Self { sizes, writes, beyond: has_more.then(|| Box::new(Beyond { hidden: *hidden, figures })) }
    }

    /// Nothing but text: neither what the model is nor how much it reads matters.
    pub(super) fn is_plain(&self) -> bool {
        self.sizes.attachments == 0 && self.beyond.as_ref().is_none_or(|beyond| beyond.hidden.is_nothing())
    }

    /// What the body holds, for the reservation.
    pub(super) fn shown(&self, leg: &Leg) -> Tokens {
        let text = self.sizes.text_at_most(leg.density);
        self.beyond.as_ref().map_or(text, |beyond| text.plus(beyond.media(&self.sizes, leg, text).most))
    }

    /// What it takes of a context.
    pub(super) fn in_context(&self, leg: &Leg) -> InContext {
        let (most, text) = (self.sizes.text_at_most(leg.density), self.sizes.text_likely(leg.density));
        let Some(beyond) = &self.beyond else { return InContext { certain: most, likely: text, sized: text } };
        let pictures = self.pictures(leg);
        let media = beyond.media(&self.sizes, leg, text).likely;
        InContext { certain: most.plus(media), likely: text.plus(media), sized: text.plus(pictures) }
    }

    /// What a context must have room for: of a document, as far as its bytes say something of its length.
    pub(super) fn needs(&self, leg: &Leg) -> Tokens {
        // Of a small context, too, it takes no more than half.
        let half = leg.context.map_or(LONG_DOCUMENT, |context| Tokens(context.0 / 2));
        let others = self.sizes.taken.likely.min(LONG_DOCUMENT).min(half);
        self.sizes.text_likely(leg.density).plus(self.pictures(leg)).plus(others)
    }

    fn pictures(&self, leg: &Leg) -> Tokens {
        if self.sizes.pictures == 0 {
            return Tokens(0);
        }
        media::picture(&leg.model).likely.times(self.sizes.pictures)
    }

    /// What it only points at, beside what it holds.
    pub(super) fn hidden(&self, leg: &Leg, shown: Tokens) -> Tokens {
        let Some(beyond) = &self.beyond else { return Tokens(0) };
        beyond.hidden.most(beyond.context(leg).less(shown), beyond.figures.most)
    }

    /// For the settlement of an answer without usage, without what hosted tools bring.
    pub(super) fn likely(&self, leg: &Leg) -> Tokens {
        let text = self.sizes.text_likely(leg.density);
        let Some(beyond) = &self.beyond else { return text };
        let shown = text.plus(beyond.media(&self.sizes, leg, text).likely);
        shown.plus(beyond.hidden.likely(beyond.context(leg).less(shown), beyond.figures.most))
    }

    /// Of what is likely, pictures and sounds.
    pub(super) fn pictures_and_sounds(&self, leg: &Leg) -> [Tokens; 2] {
        let Some(beyond) = &self.beyond else { return [Tokens(0); 2] };
        [self.pictures(leg), self.sizes.sounds.min(beyond.context(leg))]
    }

    /// What hosted tools bring beside what is likely: each time, and in all.
    pub(super) fn brought(&self, leg: &Leg, likely: Tokens) -> [Tokens; 2] {
        let Some(beyond) = &self.beyond else { return [Tokens(0); 2] };
        let room = beyond.context(leg).less(likely);
        [1, beyond.hidden.uses].map(|uses| beyond.hidden.of_uses(uses, room))
    }

    /// What more of a report is believed than the body explains.
    pub(super) fn explains(&self, leg: &Leg) -> Tokens {
        self.beyond.as_ref().map_or(Tokens(0), |beyond| beyond.hidden.explains(leg.context))
    }
}

#[cfg(test)]
mod tests;
