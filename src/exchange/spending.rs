//! A stream held against the money that is set aside for it, while it passes.
//!
//! Only what is certain counts: what was reported so far, and of text that was not counted no more tokens than it has at least. What
//! may be hidden is charged at the end and is no reason to end anything, and neither is an input that came to more than was thought: a
//! provider that keeps to its bound is never ended. Between two looks at the books, a chunk costs the comparison of two numbers.

use std::rc::Rc;

use super::charge::Foreseen;
use super::{Answer, Exchange, Leg, Open, Phase};
use crate::limit::accounts::Extended;
use crate::limit::{ModelsIx, Reservation, SwapLost};
use crate::llm::brings::Brings;
use crate::llm::estimate::density::{certain, certain_bytes};
use crate::llm::meter::{Meter, Progress};
use crate::llm::request::Rates;
use crate::llm::whole_events::are_events;
use crate::outcome::{Outcome, RefusedBy, Rejection};
use crate::policy::{Overrun, TenantPolicy};
use crate::price::{Ceiling, Tariff};
use crate::units::{NanoUsd, Tokens};

/// What a stream's answer costs so far.
pub(super) struct Spending {
    overrun: Overrun,
    request: Foreseen,
    /// Of the request, what its text comes to.
    input: Tokens,
    /// The group of the model that answers.
    models: Option<ModelsIx>,
    tariff: Rc<Tariff>,
    dearest: Ceiling,
    rates: Rates,
    /// Where it was looked at last; and text up to which there is no reason to look again.
    looked: Option<Progress>,
    enough: u64,
    /// Where there was no more, nobody looks any longer.
    over: Option<RefusedBy>,
}

/// A question to the cells of the tenant and of those above it, in the middle of an answer: [`crate::limit::cell::Cell::extend`]
/// answers it.
pub struct More<'a> {
    pub tenant: &'a TenantPolicy,
    pub models: &'a [ModelsIx],
    pub reservation: &'a mut Reservation,
    /// What the answer costs so far, which is more than one of them has reserved.
    pub seen: NanoUsd,
    /// The group of the model that answers.
    pub served: Option<ModelsIx>,
}

impl Spending {
    /// What the answer costs so far, if that is more than is reserved, and its output more than was asked for.
    fn beyond(&mut self, meter: &Meter, reserved: NanoUsd) -> Option<NanoUsd> {
        let now = meter.progress();
        let is_known = self.looked.is_some_and(|before| before.counted == now.counted && now.text <= self.enough);
        if is_known || self.over.is_some() {
            return None;
        }
        let (seen, output) = self.seen(meter);
        let bound = self.request.most_output;
        if seen > reserved && output > bound {
            return Some(seen);
        }
        // The dearest rate is none too cheap: what it leaves room for needs no second look.
        let paid = self.dearest.output_within(Tokens(0), reserved.less(seen)).unwrap_or_default();
        self.looked = Some(now);
        self.enough = now.text.saturating_add(certain_bytes(paid.max(bound.less(output))));
        None
    }

    /// What it costs, and its output. Few chunks ask for it.
    #[inline(never)]
    fn seen(&self, meter: &Meter) -> (NanoUsd, Tokens) {
        let (reported, uncounted, text) = meter.so_far();
        // A report that can't be true ends no stream, either.
        let reported = reported.within(&self.request.most(certain(text), 0));
        let grown = if reported.is_whole() { reported.growing_by(certain(uncounted)) } else { reported };
        let usage = grown.usage(|| self.input, || certain(text));
        // Of several choices, what is told in between may be one's alone.
        let usage = if self.request.is_several() { usage.at_least(Tokens(0), certain(text)) } else { usage };
        let cost = self.tariff.cost_as(&usage, Tokens(0), meter.rates(), &self.rates);
        (cost, usage.output_tokens)
    }
}

impl Open {
    /// Of an answer that comes from where this leg leads.
    pub(super) fn spending(&self, overrun: Overrun, leg: Option<&Leg>) -> Box<Spending> {
        let request = self.foreseen(leg);
        let tariff = leg.map(|leg| Rc::clone(&leg.tariff)).unwrap_or_default();
        let dearest = tariff.ceiling(request.most_input, self.rates.name().as_deref(), Brings::default());
        Box::new(Spending {
            overrun,
            models: leg.and_then(|leg| leg.models),
            input: self.input.sizes.text_likely(request.density),
            dearest: Ceiling { fixed: NanoUsd::ZERO, ..dearest },
            rates: self.rates.clone(),
            request,
            tariff,
            looked: None,
            enough: 0,
            over: None,
        })
    }
}

impl Exchange {
    /// Whether what the answer costs by now is more than is reserved for it, and the tenant's cell is to be asked.
    pub fn wants_more(&mut self) -> Option<More<'_>> {
        let Phase::Open(open) = &mut self.phase else { return None };
        let Open { tenant, schema, models, reservation, answer, .. } = &mut **open;
        let Answer { meter, eyes, complete, .. } = answer.as_mut()?;
        let eyes = eyes.as_mut()?;
        // What has ended costs no more, whoever says so.
        let goes_on =
            !*complete && eyes.ended.is_none() && !meter.is_finished() && are_events(meter.form(), schema.dialect);
        let spending = eyes.spending.as_mut().filter(|_| goes_on)?;
        let served = spending.models;
        let seen = spending.beyond(meter, reservation.least(served))?;
        Some(More { tenant, models, reservation, seen, served })
    }

    /// The cells have answered. A rejection is for [`Self::end_answer`].
    pub fn extended(&mut self, extended: Result<Extended, SwapLost>) -> Option<Rejection> {
        let Phase::Open(open) = &mut self.phase else { return None };
        // Whoever lost every race asks again with the next chunk.
        let Ok(Extended { refusal, audit, audit_beside }) = extended else { return None };
        open.tenant.audited(&mut open.audit, &open.models, audit, &audit_beside);
        let refusal = refusal?;
        let refuser = open.tenant.refuser_of(&refusal, &open.models);
        let rejection = Rejection::exhausted(&refusal, refuser.as_ref());
        let spending = open.answer.as_mut()?.eyes.as_mut()?.spending.as_mut()?;
        spending.over = rejection.refused_by();
        (spending.overrun == Overrun::End).then_some(rejection)
    }
}

impl Answer {
    /// The budget that had no more for it.
    pub(super) fn overrun(&self) -> Option<RefusedBy> {
        self.eyes.as_ref()?.spending.as_ref()?.over.clone()
    }

    /// As what the gateway has ended it.
    pub(super) fn ended(&self) -> Option<Outcome> {
        self.eyes.as_ref()?.ended
    }
}
