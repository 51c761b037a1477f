//! What was read of an answer, and what that proves.

use super::super::charge::{ACCEPTED, Answered, Evidence, Foreseen};
use super::super::ending::{Ending, answered};
use super::super::input::Input;
use super::super::{Answer, Leg};
use crate::llm::estimate;
use crate::llm::estimate::experience::Experience;
use crate::llm::meter::Reading;
use crate::llm::schema::Schema;
use crate::llm::served::Served;
use crate::outcome::Outcome;
use crate::units::{NanoUsd, Tokens, UnixNanos};

impl Foreseen {
    /// The same, where this leg leads.
    pub(super) fn at(self, leg: &Leg, input: &Input) -> Self {
        let likely_input = input.likely(leg);
        let [pictures, sounds] = input.pictures_and_sounds(leg);
        let shown_input = input.shown(leg);
        let request = Self {
            likely_input,
            pictures,
            sounds,
            writes: input.writes,
            most_input: shown_input.plus(input.hidden(leg, shown_input)),
            shown_input,
            density: leg.density,
            draws: leg.tariff.draws_dearer_than_it_speaks(),
            draws_by_the_piece: !leg.tariff.draws_by_tokens(),
            ranks_by_the_search: leg.tariff.ranks_by_the_search(),
            tool_picture: leg.tariff.tool_picture(),
            hidden_input: input.explains(leg),
            ..self
        };
        if request.hidden_input == Tokens(0) {
            return request;
        }
        let [brought_each, brought] = input.brought(leg, likely_input);
        Self { brought_each, brought, ..request }
    }
}

impl Answer {
    /// What was read of it, and what that proves.
    pub(super) fn weighed(
        self,
        schema: &'static Schema,
        ending: &Ending,
        input: &Input,
        request: &Foreseen,
        [sent, now]: [UnixNanos; 2],
    ) -> Weighed {
        let ended = self.ended();
        let Self { status, meter, length, first_byte, first_output, complete, .. } = self;
        let (stream, non_streaming) = (request.stream, !request.stream && !meter.is_stream());
        let Reading {
            mut reported,
            cost,
            model,
            served,
            generated,
            error,
            is_blank,
            accepted,
            exhausted,
            finished,
            uncounted,
            of_choice,
            stray,
            media,
        } = meter.read();
        // What has no output, and is none, has not even an output of nothing. What hosted tools did before stays.
        if is_blank || (error && reported.says_nothing(schema.contract)) {
            reported = reported.pieces();
        }
        // Taken, and worked on later: nobody sees what it comes to.
        let accepted = accepted || (status == ACCEPTED && is_blank);
        let error = error || (is_blank && ending.flags == 0 && status < 400 && !accepted && ended.is_none());
        // What was reported so far of an answer that the gateway ended is not the last word on it, unless all of it had come.
        let cut_short = ended.is_some() && !complete;
        let of_choice = of_choice && request.is_several();
        let is_final = !cut_short
            && !of_choice
            && reported.is_whole()
            && (finished || !stream || (ending.flags == 0 && uncounted == 0));
        let outcome = ended.unwrap_or_else(|| answered(ending, status, error, is_final));
        let shown = estimate::output(schema, generated, stream, error, request.density);
        let seen = estimate::seen(generated, request.density);
        let elapsed = now.since(sent);
        let is_plausible = !reported.within(&request.most(seen, elapsed)).implausible;
        let experience = if is_final && is_plausible && input.is_plain() {
            let usage = reported.usage(Tokens::default, Tokens::default);
            // An answer in one piece is written before it is sent, however slowly it is read.
            let took = first_byte.filter(|_| non_streaming).map_or(elapsed, |at| at.since(sent));
            // A pace is that of one choice.
            let took = took.saturating_mul(request.choices.max(1));
            Experience::of(&input.sizes, generated, non_streaming, shown, request.likely_input, &usage, took)
        } else {
            None
        };
        let answered = Answered {
            status,
            reported,
            is_final,
            shown,
            seen,
            stray: request.density.output.tokens(stray),
            media: request.density.output.tokens(media),
            silent: first_output.unwrap_or(now).since(sent),
            elapsed,
            uncounted,
            of_choice,
            error,
            non_streaming,
            broke_off: ending.flags != 0 || cut_short,
            length,
            success: outcome == Outcome::Success,
            accepted,
            exhausted,
        };
        let usage_mismatch = is_final && reported.mismatch;
        let read = Read { model: model.unwrap_or_default(), served, provider_cost: cost, usage_mismatch };
        Weighed { outcome, evidence: Evidence::Answered(answered), read, experience }
    }
}

/// What is known of an answer, and what its ending is called.
pub(super) struct Weighed {
    pub outcome: Outcome,
    pub evidence: Evidence,
    pub read: Read,
    pub experience: Option<Experience>,
}

/// What an answer says beside its usage.
#[derive(Default)]
pub(super) struct Read {
    pub model: String,
    pub served: Served,
    pub provider_cost: Option<NanoUsd>,
    pub usage_mismatch: bool,
}

impl Weighed {
    pub(super) fn without_answer(outcome: Outcome, evidence: Evidence) -> Self {
        Self { outcome, evidence, read: Read::default(), experience: None }
    }
}

/// A provider's own figure is believed up to ten times ours, or down to a tenth. Where ours is nothing, there is no price to
/// hold it against: then up to what no answer costs.
pub(super) fn is_near(theirs: NanoUsd, ours: NanoUsd) -> bool {
    const MOST_UNPRICED: NanoUsd = NanoUsd(100_000_000_000);
    match ours {
        NanoUsd::ZERO => theirs <= MOST_UNPRICED,
        _ => theirs.0 <= ours.0.saturating_mul(10) && ours.0 <= theirs.0.saturating_mul(10).saturating_add(10),
    }
}
