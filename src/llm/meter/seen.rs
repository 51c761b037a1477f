//! What the fields of an answer come to, as they are found.

use std::mem;

use super::Event;
use super::distinct::Distinct;
use crate::json::{Container, Decimal, Found, Hit, Number};
use crate::kept::Id;
use crate::llm::schema::Fact;
use crate::llm::usage::{Contract, Count, Native, Told, reported_usd};
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
    /// Of strings that no table knows.
    pub stray_bytes: u64,
    cost: Option<NanoUsd>,
    /// What the provider of the provider bills, where the key is the operator's own.
    upstream_cost: Option<NanoUsd>,
    own_key: bool,
    service_tier: Option<String>,
    speed: Option<String>,
    region: Option<String>,
    /// If they are wanted.
    pub ids: Option<Box<Ids>>,
    modality: Modality,
    written: Written,
    iterations: Iterations,
    call: Option<Box<Call>>,
    calls: Option<Box<Calls>>,
}

/// Ids in the answer, each once.
#[derive(Default)]
pub(super) struct Ids {
    pub all: Vec<Id>,
    /// How many of them were asked for.
    pub known: usize,
    /// That of the whole answer.
    pub response: Option<Id>,
    /// What it holds was asked for.
    pub weighed: bool,
}

/// No response has more items than a model can call tools in a turn.
const MOST_IDS: usize = 1_000;

/// The object of a modality's count, while it is read.
#[derive(Default)]
struct Modality {
    kind: Option<Kind>,
    tokens: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Image,
}

/// The object of what was written into a cache for one lifetime, while it is read.
#[derive(Default)]
struct Written {
    for_an_hour: bool,
    tokens: Option<u64>,
}

/// The rounds that an answer took (Anthropic's `iterations`): their sums, and the one that is read.
#[derive(Default)]
struct Iterations {
    sums: Native,
    this: Native,
}

/// A call of a hosted tool, while it is read.
#[derive(Default)]
struct Call {
    id: String,
    kind: String,
    status: String,
    action: String,
    container: String,
}

/// What was called, each once: streams repeat it.
#[derive(Default)]
struct Calls {
    items: Distinct,
    containers: Distinct,
    queries: Distinct,
}

/// Of a sound's eight hundred bytes or so, and of a picture's megabyte in its thousand tokens, those that count as one of text.
const MEDIA_BYTES: u64 = 200;
const MOST_MEDIA: u64 = 6_400;

/// Sizes of the same text under its several names, in one event.
#[derive(Clone, Copy, Default)]
pub(super) struct Ways([u64; 3]);

impl Ways {
    /// By how much the longest has grown.
    fn more(&mut self, way: u8, size: u64) -> u64 {
        let longest = |ways: &[u64; 3]| ways.iter().copied().max().unwrap_or(0);
        let before = longest(&self.0);
        if let Some(so_far) = self.0.get_mut(usize::from(way)) {
            *so_far = so_far.saturating_add(size);
        }
        longest(&self.0).saturating_sub(before)
    }
}

const ITERATED: [Count; 6] =
    [Count::Input, Count::Output, Count::Cached, Count::CacheCreation, Count::CacheCreation5m, Count::CacheCreation1h];

impl Seen {
    pub(super) fn hit(&mut self, event: &mut Event, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            (Fact::Model, Found::Text { text, .. }) => keep(&mut self.model, text),
            (Fact::ServiceTier, Found::Text { text, .. }) => keep(&mut self.service_tier, text),
            (Fact::TrafficType, Found::Text { text, .. }) => {
                if let Some(tier) = tier_of_traffic(text) {
                    keep(&mut self.service_tier, tier);
                }
            }
            (Fact::Speed, Found::Text { text, .. }) => keep(&mut self.speed, text),
            (Fact::Region, Found::Text { text, .. }) => keep(&mut self.region, text),
            (Fact::Kind, Found::Text { text, .. }) => {
                self.error |= matches!(text, "error" | "failed" | "response.failed");
                match text {
                    "queued" | "in_progress" => self.accepted = true,
                    "completed" | "incomplete" | "failed" | "cancelled" => self.accepted = false,
                    _ => {}
                }
            }
            (Fact::Error, found) => self.error |= !matches!(found, Found::Null | Found::Closed { .. }),
            (Fact::Choices, Found::Closed { container: Container::Array, empty }) => event.choices_empty = empty,
            (Fact::Usage, Found::Opened(Container::Object)) => {
                event.usage = true;
                if self.has_rounds() {
                    self.iterations = Iterations::default();
                }
            }
            (Fact::Output, Found::Size(size)) => self.text(event, size),
            (Fact::Reasoned(way), Found::Size(size)) => {
                let more = event.reasoned.more(way, size);
                self.text(event, more);
            }
            (Fact::Arguments, Found::Closed { .. }) => self.text(event, hit.to.saturating_sub(hit.from)),
            (Fact::Count(count), Found::Number(number)) => self.count(event, count, number),
            (Fact::Finish, Found::Text { text, .. }) => {
                self.error |= text == "error";
                self.finished = true;
                event.finished = true;
            }
            (Fact::Embedding, Found::Opened(_)) if self.counts.get(Count::Output).is_none() => {
                self.counts.set(Count::Output, Some(0));
            }
            (Fact::Each(count), Found::Opened(Container::Object) | Found::Size(_)) => self.counts.add(count, 1),
            (Fact::Each(count), Found::Number(Number::Whole(value))) => self.counts.add(count, value),
            (Fact::Seconds, Found::Number(number)) => self.counts.set(Count::AudioSeconds, whole_units(number)),
            (Fact::Cost { places }, Found::Number(number)) => self.cost = cost(number, places),
            (Fact::UpstreamCost, Found::Number(number)) => self.upstream_cost = cost(number, 0),
            (Fact::OwnKey, Found::Bool(own_key)) => self.own_key = own_key,
            (Fact::Modalities { .. }, Found::Opened(Container::Object)) => self.modality = Modality::default(),
            (Fact::Modalities { audio, image }, Found::Closed { container: Container::Object, .. }) => {
                match mem::take(&mut self.modality) {
                    Modality { kind: Some(Kind::Audio), tokens } => self.counts.set(audio, tokens),
                    Modality { kind: Some(Kind::Image), tokens } => self.counts.set(image, tokens),
                    Modality { kind: None, .. } => {}
                }
            }
            (Fact::Modality, Found::Text { text, .. }) => {
                self.modality.kind = match text {
                    "AUDIO" | "audio" => Some(Kind::Audio),
                    "IMAGE" | "image" => Some(Kind::Image),
                    _ => None,
                };
            }
            (Fact::ModalityTokens, Found::Number(Number::Whole(tokens))) => self.modality.tokens = Some(tokens),
            (Fact::Stray, Found::Size(size)) => self.stray(event, size),
            (Fact::Media, Found::Size(size)) => self.stray(event, (size / MEDIA_BYTES).min(MOST_MEDIA)),
            _ => self.rare(hit),
        }
    }

    /// What few answers have.
    fn rare(&mut self, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            (Fact::WrittenFor, Found::Opened(Container::Object)) => self.written = Written::default(),
            (Fact::WrittenFor, Found::Closed { container: Container::Object, .. }) => {
                let Written { for_an_hour, tokens } = mem::take(&mut self.written);
                let count = if for_an_hour { Count::CacheCreation1h } else { Count::CacheCreation5m };
                self.counts.set(count, tokens);
            }
            (Fact::WrittenAge, Found::Text { text, .. }) => self.written.for_an_hour = text != "5m",
            (Fact::WrittenTokens, Found::Number(Number::Whole(tokens))) => self.written.tokens = Some(tokens),
            (Fact::Iteration, Found::Opened(Container::Object)) => self.iterations.this = Native::default(),
            (Fact::Iterated(count), Found::Number(Number::Whole(value))) => {
                self.iterations.this.set(count, Some(value));
            }
            (Fact::Iteration, Found::Closed { container: Container::Object, .. }) => {
                let this = mem::take(&mut self.iterations.this);
                // An attempt that wrote nothing is not billed.
                if this.get(Count::Output).is_some_and(|output| output > 0) {
                    for count in ITERATED {
                        self.iterations.sums.add(count, this.get(count).unwrap_or(0));
                    }
                }
            }
            (Fact::Call, Found::Opened(Container::Object)) => self.call = Some(Box::default()),
            (Fact::Call, Found::Closed { container: Container::Object, .. }) => self.end_of_call(),
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
                self.call(|call| &mut call.id, text);
            }
            (Fact::CallKind, Found::Text { text, .. }) => self.call(|call| &mut call.kind, text),
            (Fact::CallStatus, Found::Text { text, .. }) => self.call(|call| &mut call.status, text),
            (Fact::CallAction, Found::Text { text, .. }) => self.call(|call| &mut call.action, text),
            (Fact::CallContainer, Found::Text { text, .. }) => self.call(|call| &mut call.container, text),
            (Fact::Container, Found::Text { text, .. })
                if !text.is_empty() && self.calls.get_or_insert_default().containers.insert(text) =>
            {
                self.counts.add(Count::ContainerSessions, 1);
            }
            (Fact::Query, Found::Text { text, .. }) => self.query(text),
            _ => {}
        }
    }

    fn query(&mut self, text: &str) {
        if !text.is_empty() && self.calls.get_or_insert_default().queries.insert(text) {
            self.counts.add(Count::SearchCalls, 1);
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(ids) = &mut self.ids {
            let id = Id::of(text);
            if ids.all.len() < MOST_IDS && !ids.all.contains(&id) {
                ids.all.push(id);
            }
        }
    }

    fn call(&mut self, field: impl FnOnce(&mut Call) -> &mut String, text: &str) {
        if let Some(call) = &mut self.call {
            text.clone_into(field(call));
        }
    }

    /// An item is told when it begins, when it ends, and perhaps with the whole answer: its end counts, once.
    fn end_of_call(&mut self) {
        let Some(call) = self.call.take() else { return };
        let over = matches!(&*call.status, "" | "completed" | "incomplete" | "failed");
        if !over || !call.kind.ends_with("_call") {
            return;
        }
        let calls = self.calls.get_or_insert_default();
        if !call.id.is_empty() && !calls.items.insert(&call.id) {
            return;
        }
        match &*call.kind {
            "x_search_call" => self.counts.add(Count::SearchCalls, 1),
            // To open a page of a result, or to search in it, is no search.
            "web_search_call" if matches!(&*call.action, "" | "search") => self.counts.add(Count::SearchCalls, 1),
            "file_search_call" => self.counts.add(Count::FileSearches, 1),
            // A shell of the client's own has none.
            "shell_call" if call.container.is_empty() => {}
            "code_interpreter_call" | "shell_call" if calls.containers.insert(&call.container) => {
                self.counts.add(Count::ContainerSessions, 1);
            }
            _ => {}
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
            Count::Input => event.input_is_nothing = value == 0,
            Count::Cached | Count::CacheCreation => event.cache_counts |= value > 0,
            _ => {}
        }
        if value > 0 || self.counts.get(count).is_none_or(|before| before == 0) {
            if number != Number::Negative {
                self.counts.set(count, Some(value));
            }
            if count == Count::Output {
                self.counted_bytes = self.output_bytes;
            }
        }
        if event.input_is_nothing && event.cache_counts {
            self.counts.set(Count::Input, Some(0));
        }
    }

    fn has_rounds(&self) -> bool {
        self.iterations.sums.get(Count::Output).is_some()
    }

    /// The counts, with the rounds that the totals leave out.
    pub(super) fn native(&self, contract: Contract) -> Told {
        if !self.has_rounds() && self.calls.is_none() {
            return self.counts.canonical(contract);
        }
        let mut counts = self.counts;
        for count in ITERATED {
            let sum = self.iterations.sums.get(count).unwrap_or(0);
            if counts.get(count).is_some_and(|total| total < sum) || (counts.get(count).is_none() && sum > 0) {
                counts.set(count, Some(sum));
            }
        }
        // Gemini's models before the third bill a grounded prompt once, however many queries it took.
        let model = self.model.as_deref().unwrap_or_default();
        let is_once = self.calls.is_some() && ["gemini-1", "gemini-2"].iter().any(|old| model.starts_with(old));
        if is_once && counts.get(Count::SearchCalls).is_some_and(|searches| searches > 1) {
            counts.set(Count::SearchCalls, Some(1));
        }
        counts.canonical(contract)
    }

    /// The provider's own bill.
    pub(super) fn cost(&self) -> Option<NanoUsd> {
        match (self.cost, self.upstream_cost.filter(|_| self.own_key)) {
            (Some(cost), Some(upstream)) => Some(cost.plus(upstream)),
            (cost, upstream) => cost.or(upstream),
        }
    }

    /// The name of what served: the tier, and what else has rates of its own.
    pub(super) fn service_tier(&self) -> Option<String> {
        let other = |text: &Option<String>, usual: &[&str]| text.clone().filter(|text| !usual.contains(&&**text));
        let speed = other(&self.speed, &["standard"]);
        let region = other(&self.region, &["global", "not_available"]);
        match (speed.or_else(|| self.service_tier.clone()), region) {
            (Some(tier), Some(region)) if tier != "standard" && tier != "default" => {
                Some([&*tier, "+", &*region].concat())
            }
            (_, Some(region)) => Some(region),
            (tier, None) => tier,
        }
    }

    /// Neither text nor an end, nor anybody's name.
    pub(super) fn is_blank(&self) -> bool {
        self.output_bytes == 0
            && self.stray_bytes == 0
            && !self.finished
            && !self.error
            && self.model.is_none()
            && !self.accepted
    }

    /// Text after what looked like the end: that was a preview, or the end of another choice.
    pub(super) const fn generated(&mut self, bytes: u64) {
        self.output_bytes = self.output_bytes.saturating_add(bytes);
        self.finished &= bytes == 0;
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
    }
}

fn keep(kept: &mut Option<String>, text: &str) {
    if kept.as_deref() != Some(text) {
        *kept = Some(text.to_owned());
    }
}

/// Vertex names the tier that served by the kind of traffic.
fn tier_of_traffic(kind: &str) -> Option<&'static str> {
    match kind {
        "ON_DEMAND_PRIORITY" | "PRIORITY" => Some("priority"),
        "ON_DEMAND_FLEX" | "FLEX" => Some("flex"),
        "BATCH" => Some("batch"),
        _ => None,
    }
}

/// A begun unit counts.
fn whole_units(number: Number) -> Option<u64> {
    match number {
        Number::Whole(units) => Some(units),
        Number::Fraction(Decimal { significand, places }) => {
            let scale = u32::try_from(places).ok().and_then(|places| 10_u64.checked_pow(places));
            Some(scale.map_or(1, |scale| significand.div_ceil(scale)))
        }
        Number::Negative => None,
    }
}

/// A number of units of 10^-`places` USD.
fn cost(number: Number, unit_places: u64) -> Option<NanoUsd> {
    let Decimal { significand, places } = match number {
        Number::Whole(significand) => Decimal { significand, places: 0 },
        Number::Fraction(decimal) => decimal,
        Number::Negative => return None,
    };
    reported_usd(Decimal { significand, places: places.saturating_add(unit_places) })
}
