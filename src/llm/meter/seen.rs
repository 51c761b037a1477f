//! What the fields of an answer come to, as they are found.

use std::mem;

use super::calls::{Call, Calls};
use super::event::Event;
use super::finish::Finish;
use super::growth::Growth;
use super::ids::Ids;
use super::rounds::Rounds;
use super::value::{
    CacheWrites, Modality, ModalityKind, cost, is_bound, is_failure, is_to_come, is_unfinished, whole_units,
    written_seconds,
};
use crate::json::{Container, Found, Hit, Number};
use crate::kept::Id;
use crate::llm::schema::Fact;
use crate::llm::served::Served;
use crate::llm::usage::{Contract, Count, Native, Reported};
use crate::units::NanoUsd;

/// Facts of the whole answer.
#[derive(Default)]
pub(super) struct Seen {
    pub counts: Native,
    pub model: Option<String>,
    pub error: bool,
    pub accepted: bool,
    pub finished: bool,
    pub output_bytes: u64,
    /// Of `output_bytes`, those that came before the last count of the output.
    pub counted_bytes: u64,
    /// In a stream, that count came with a choice, and not for the first time: of several, it may be that one's alone.
    pub counts_choices: bool,
    counted_with_choice: bool,
    /// Of strings that no table knows; and of these, what pictures and sounds count as.
    pub stray_bytes: u64,
    pub media_bytes: u64,
    cost: Option<NanoUsd>,
    /// What the provider of the provider bills, where the key is the operator's own.
    upstream_cost: Option<NanoUsd>,
    own_key: bool,
    pub(super) rates: Served,
    /// If they are wanted.
    pub ids: Option<Box<Ids>>,
    /// By its last word on that.
    finish: Option<Finish>,
    /// Text came in the place that an API has for a model that declines.
    refuses: bool,
    modality: Modality,
    written: CacheWrites,
    rounds: Option<Box<Rounds>>,
    call: Option<Box<Call>>,
    calls: Option<Box<Calls>>,
    /// Of texts, and of what was reasoned.
    pub growth: [Growth; 2],
    /// The answer says why it ended; and that it is a conversation made short.
    has_reason: bool,
    /// It ended at its bound.
    pub exhausted: bool,
    compacts: bool,
    /// The input has gone over into what a cache held.
    input_moved: bool,
}

/// Of a sound's eight hundred bytes or so, and of a picture's megabyte in its thousand tokens, those that count as one of text.
const MEDIA_BYTES: u64 = 200;
const MOST_MEDIA: u64 = 6_400;

impl Seen {
    pub(super) fn hit(&mut self, event: &mut Event, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            (Fact::Model, Found::Text { text, .. }) => keep(&mut self.model, text),
            (Fact::ServiceTier, Found::Text { text, .. }) => {
                // What was asked for, where the provider was to choose, says nothing of what served.
                if text != "auto" {
                    keep(&mut self.rates.tier, text);
                }
            }
            (Fact::TrafficType, Found::Text { text, .. }) => self.served(text),
            (Fact::Speed, Found::Text { text, .. }) => keep(&mut self.rates.speed, text),
            (Fact::Region, Found::Text { text, .. }) => keep(&mut self.rates.region, text),
            (Fact::Kind, Found::Text { text, .. }) => {
                self.error |= matches!(text, "error" | "failed" | "response.failed");
                match text {
                    "completed" | "incomplete" | "failed" | "cancelled" | "requires_action" => {
                        self.accepted = false;
                        self.has_reason = true;
                        self.note_finish(text);
                    }
                    "response.refusal.delta" | "response.refusal.done" => self.refuses = true,
                    "response.compaction" => self.compacts = true,
                    // An object's kind is longer than any of these words.
                    _ if text.len() > 11 => {}
                    _ => self.accepted |= is_to_come(text),
                }
            }
            (Fact::Error, found) => {
                let is_none = matches!(found, Found::Null | Found::Closed { .. } | Found::Size(0) | Found::Bool(false));
                self.error |= !is_none;
            }
            (Fact::Choices, Found::Closed { container: Container::Array, empty }) => {
                event.choices_empty = empty;
                event.has_choices |= !empty;
            }
            (Fact::Usage, Found::Opened(Container::Object)) => event.usage = true,
            (Fact::Output | Fact::Refusal, Found::Size(size)) => {
                self.refuses |= hit.key == Fact::Refusal && size > 0;
                let [texts, _] = &mut self.growth;
                texts.more(size);
                self.text(event, size);
            }
            (Fact::Reasoned(way), Found::Size(size)) => {
                let more = event.reasoned.more(way, size);
                let [_, reasoned] = &mut self.growth;
                reasoned.more(more);
                self.text(event, more);
            }
            (Fact::Arguments, Found::Closed { .. }) => self.text(event, hit.to.saturating_sub(hit.from)),
            (Fact::Count(count), Found::Number(number)) => self.count(event, count, number),
            (Fact::Finish, Found::Text { text, .. }) if !is_unfinished(text) => {
                self.has_reason = true;
                self.finished = true;
                event.finished = true;
                if !self.note_finish(text) {
                    self.error |= is_failure(text);
                    self.exhausted |= is_bound(text);
                }
            }
            (Fact::Embedding, Found::Opened(_)) if self.counts.get(Count::Output).is_none() => {
                self.counts.set(Count::Output, Some(0));
                // Of a picture there is no input, either.
                self.counts.set(Count::Images, Some(0));
            }
            (Fact::Each(count), Found::Opened(Container::Object) | Found::Size(_)) => self.counts.add(count, 1),
            (Fact::Each(count), Found::Number(Number::Whole(value))) => self.counts.add(count, value),
            (Fact::Seconds, Found::Number(number)) if number != Number::Whole(0) => {
                self.seconds(event, whole_units(number));
            }
            (Fact::Cost { places }, Found::Number(number)) => self.cost = cost(number, places),
            (Fact::UpstreamCost, Found::Number(number)) => self.upstream_cost = cost(number, 0),
            (Fact::OwnKey, Found::Bool(own_key)) => self.own_key = own_key,
            (Fact::Modalities { .. }, Found::Opened(Container::Object)) => self.modality = Modality::default(),
            (Fact::Modalities { audio, image }, Found::Closed { container: Container::Object, .. }) => {
                match mem::take(&mut self.modality) {
                    Modality { kind: Some(ModalityKind::Audio), tokens } => self.counts.set(audio, tokens),
                    Modality { kind: Some(ModalityKind::Image), tokens } => self.counts.set(image, tokens),
                    Modality { kind: None, .. } => {}
                }
            }
            (Fact::Modality, Found::Text { text, .. }) => {
                self.modality.kind = match text {
                    "AUDIO" | "audio" => Some(ModalityKind::Audio),
                    "IMAGE" | "image" => Some(ModalityKind::Image),
                    _ => None,
                };
            }
            (Fact::ModalityTokens, Found::Number(Number::Whole(tokens))) => self.modality.tokens = Some(tokens),
            (Fact::Stray, Found::Size(size)) => self.stray(event, size),
            (Fact::Media, Found::Size(size)) => {
                let size = (size / MEDIA_BYTES).min(MOST_MEDIA);
                self.media_bytes = self.media_bytes.saturating_add(size);
                self.stray(event, size);
            }
            _ => self.rare(event, hit),
        }
    }

    /// What few answers have.
    fn rare(&mut self, event: &mut Event, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            // What was written is told by age, perhaps in several entries, and each time whole.
            (Fact::WrittenFor, Found::Opened(Container::Array)) => {
                self.counts.set(Count::CacheCreation5m, None);
                self.counts.set(Count::CacheCreation1h, None);
            }
            (Fact::WrittenFor, Found::Opened(Container::Object)) => self.written = CacheWrites::default(),
            (Fact::WrittenFor, Found::Closed { container: Container::Object, .. }) => {
                let CacheWrites { for_an_hour, tokens } = mem::take(&mut self.written);
                let count = if for_an_hour { Count::CacheCreation1h } else { Count::CacheCreation5m };
                self.counts.add(count, tokens.unwrap_or(0));
            }
            (Fact::WrittenAge, Found::Text { text, .. }) => self.written.for_an_hour = text != "5m",
            (Fact::WrittenTokens, Found::Number(Number::Whole(tokens))) => self.written.tokens = Some(tokens),
            (Fact::Iteration, Found::Opened(Container::Array)) => self.rounds = Some(Box::default()),
            (Fact::Iteration, Found::Opened(Container::Object)) => self.rounds.get_or_insert_default().begin(),
            (Fact::Iterated(count), Found::Number(Number::Whole(value))) => {
                self.rounds.get_or_insert_default().count(count, value);
            }
            (Fact::Iteration, Found::Closed { container: Container::Object, .. }) => {
                self.rounds.get_or_insert_default().end();
            }
            (Fact::Made, Found::Opened(_)) => self.has_reason = true,
            (Fact::Seconds, Found::Text { text, .. }) => self.seconds(event, written_seconds(text)),
            (Fact::FailureCode, Found::Number(number)) => self.error |= number != Number::Whole(0),
            (Fact::Call, Found::Opened(Container::Object)) => self.call = Some(Box::default()),
            (Fact::Call, Found::Closed { container: Container::Object, .. }) => {
                if let Some(call) = self.call.take() {
                    self.calls.get_or_insert_default().end_of(&call, &mut self.counts);
                }
            }
            (Fact::Id, Found::Text { text, cut: false }) => {
                self.note(text);
                if let Some(ids) = &mut self.ids {
                    ids.response.get_or_insert(Id::of(text));
                }
            }
            (Fact::CallId, Found::Text { text, cut }) => {
                if !cut {
                    self.note(text);
                }
                self.call(hit.key, text);
            }
            (Fact::CallContainer, Found::Text { text, cut }) => {
                if !cut {
                    self.note(text);
                }
                self.call(hit.key, text);
            }
            (Fact::CallKind | Fact::CallStatus | Fact::CallAction, Found::Text { text, .. }) => {
                self.call(hit.key, text)
            }
            (Fact::Container, Found::Text { text, cut }) => {
                if !cut {
                    self.note(text);
                }
                self.calls.get_or_insert_default().container(text, &mut self.counts);
            }
            (Fact::Query, Found::Text { text, .. }) => {
                self.calls.get_or_insert_default().query(text, &mut self.counts);
            }
            (Fact::StepQuery, Found::Text { text, .. }) => self.calls.get_or_insert_default().asked(text),
            (Fact::StepKind, Found::Text { text: "google_search_call", .. }) => {
                self.calls.get_or_insert_default().searches();
            }
            (Fact::Step, Found::Closed { container: Container::Object, .. }) => {
                if let Some(calls) = &mut self.calls {
                    calls.end_of_step(&mut self.counts);
                }
            }
            (Fact::Served, _) => self.calls.get_or_insert_default().served(),
            (Fact::CallId, Found::Number(Number::Whole(index))) => self.call(hit.key, &index.to_string()),
            (Fact::Found, Found::Text { text: "web_search_result", .. } | Found::Opened(Container::Object)) => {
                self.calls.get_or_insert_default().found(&mut self.counts);
            }
            _ => {}
        }
    }

    /// Whether it is as usual. An answer says it once, and [`Self::hit`] is for what each event says.
    #[inline(never)]
    fn note_finish(&mut self, reason: &str) -> bool {
        let usual = Finish::usual(reason);
        self.finish = usual.or_else(|| Finish::of(reason)).or(self.finish);
        usual.is_some()
    }

    /// Why it ended, as far as it has said so. A model that declines has said all, as its API sees it.
    pub(super) const fn finish(&self) -> Option<Finish> {
        match self.finish {
            Some(Finish::Stop) if self.refuses => Some(Finish::ContentFilter),
            finish => finish,
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(ids) = &mut self.ids {
            ids.note(Id::of(text));
        }
    }

    fn call(&mut self, field: Fact, text: &str) {
        if let Some(call) = &mut self.call {
            call.field(field, text);
        }
    }

    /// The last count wins: streams repeat and correct theirs. But a count once positive is not taken back by a place holder: a
    /// nothing, or less than nothing, unless what it counted stands beside it among those of a cache.
    fn count(&mut self, event: &mut Event, count: Count, number: Number) {
        let value = match number {
            Number::Whole(value) => value,
            Number::Negative => 0,
            Number::Fraction(_) => return,
        };
        match count {
            Count::Input => {
                event.input_is_nothing = value == 0;
                self.input_moved &= value == 0;
            }
            Count::Cached | Count::CacheCreation => {
                event.cache_counts |= value > self.counts.get(count).unwrap_or(0);
            }
            _ => {}
        }
        if value > 0 || self.counts.get(count).is_none_or(|before| before == 0) {
            if number != Number::Negative {
                self.counts.set(count, Some(value));
            }
            if matches!(count, Count::Output | Count::WholeOutput) {
                event.counted = true;
                self.counted_bytes = self.output_bytes;
            }
        }
        self.input_moved |= event.input_is_nothing && event.cache_counts;
    }

    /// The counts, with the rounds that the totals leave out.
    pub(super) fn native(&self, contract: Contract) -> Reported {
        let moved = self.input_moved && contract == Contract::CacheBeside;
        if !moved && self.rounds.is_none() && self.calls.is_none() && !self.compacts {
            return self.counts.canonical(contract);
        }
        let mut counts = self.counts;
        if moved {
            counts.set(Count::Input, Some(0));
        }
        if let Some(rounds) = &self.rounds {
            rounds.complete(&mut counts);
        }
        // Gemini's models before the third bill a grounded prompt once, however many queries it took.
        let model = self.model.as_deref().unwrap_or_default();
        let model = model.rsplit('/').next().unwrap_or(model);
        let is_once = self.calls.is_some() && ["gemini-1", "gemini-2"].iter().any(|old| model.starts_with(old));
        if is_once && counts.get(Count::SearchCalls).is_some_and(|searches| searches > 1) {
            counts.set(Count::SearchCalls, Some(1));
        }
        let mut reported = counts.canonical(contract);
        reported.rounds = self.rounds.is_some() || self.compacts;
        reported
    }

    /// An event is over, which may have told the output.
    pub(super) const fn counted(&mut self, event: &Event) {
        if !event.counted {
            return;
        }
        self.counts_choices = event.has_choices && self.counted_with_choice;
        self.counted_with_choice = event.has_choices;
    }

    /// Bytes of text that were said before.
    pub(super) fn repeated(&self) -> u64 {
        self.growth.iter().fold(0, |sum, growth| sum.saturating_add(growth.repeated()))
    }

    /// Of a stream that repeats its text in each event, what was said last counts.
    pub(super) fn forget_repeats(&mut self) {
        let repeated = self.repeated();
        self.output_bytes = self.output_bytes.saturating_sub(repeated);
        self.counted_bytes = self.counted_bytes.min(self.output_bytes);
    }

    /// The provider's own bill.
    pub(super) fn cost(&self) -> Option<NanoUsd> {
        match (self.cost, self.upstream_cost.filter(|_| self.own_key)) {
            (Some(cost), Some(upstream)) => Some(cost.plus(upstream)),
            (cost, upstream) => cost.or(upstream),
        }
    }

    /// Neither text nor a reason why it ended. What has no text is no answer without its model's name, or what was made.
    pub(super) fn is_blank(&self, contract: Contract) -> bool {
        let is_made = contract == Contract::InputOnly && self.model.is_some();
        !is_made && self.output_bytes == 0 && self.stray_bytes == 0 && !self.has_reason && !self.error && !self.accepted
    }

    /// Text after what looked like the end: that was a preview, or the end of another choice.
    pub(super) const fn generated(&mut self, bytes: u64) {
        self.output_bytes = self.output_bytes.saturating_add(bytes);
        self.finished &= bytes == 0;
    }

    /// What is sold by them has told its usage: its text costs nothing beside them.
    fn seconds(&mut self, event: &mut Event, seconds: Option<u64>) {
        self.counts.set(Count::AudioSeconds, seconds);
        event.counted = true;
        self.counted_bytes = self.output_bytes;
    }

    /// What may be text is no reason to doubt a count of nothing, but tells that the stream goes on.
    const fn stray(&mut self, event: &Event, bytes: u64) {
        self.stray_bytes = self.stray_bytes.saturating_add(bytes);
        self.finished = event.finished || (self.finished && bytes == 0);
    }

    /// The end may stand before the text in one event.
    const fn text(&mut self, event: &Event, bytes: u64) {
        self.generated(bytes);
        self.finished |= event.finished;
        if event.counted {
            self.counted_bytes = self.output_bytes;
        }
    }
}

pub(super) fn keep(kept: &mut Option<String>, text: &str) {
    if kept.as_deref() != Some(text) {
        *kept = Some(text.to_owned());
    }
}
