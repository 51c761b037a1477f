//! The answer to a request, in no dialect yet: a function of the request alone, so the same prompt gives the same bytes.
//!
//! No clock, no counter, no chance: an answer that came through a gateway can be compared byte for byte with
//! one that did not. Ids are a hash of the prompt, because a gateway may rewrite the rest of the request.

use std::iter;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Api, Caching, Reasoning};
use crate::dialects::embeddings;
use crate::event::Event;
use crate::framing::Framing;
use crate::knobs::{Knobs, WrongUsage};
use crate::ledger::Entry;
use crate::prompts::beginnings;
use crate::refusal::Refusal;
use crate::request::Asked;
use crate::sold::{Basket, Sold};
use crate::words;

pub const CREATED: u64 = 1_700_000_000;
/// The same moment, for those who write it out.
pub const CREATED_AT: &str = "2023-11-14T22:13:20Z";
const WANTED_TOKENS: u64 = 16;
const SUMMARY_TOKENS: u64 = 40;
const DOCUMENTS_OF_A_SEARCH: u64 = 100;
/// Of an answer in one piece, which is made before it is sent.
const MOST_WHOLE_BYTES: u64 = 1 << 30;

#[derive(Clone, Debug)]
pub struct Answer {
    pub api: Api,
    /// Without the knobs behind `+`.
    pub model: String,
    pub knobs: Knobs,
    pub stream: bool,
    pub framing: Framing,
    pub include_usage: bool,
    pub output_bound: Option<u64>,
    pub choices: u64,
    pub unshown: u64,
    pub basket: Basket,
    pub items: u64,
    pub size: Option<u64>,
    pub prompt_tokens: u64,
    /// Of the prompt, where that is kept.
    pub beginnings: Vec<u64>,
    pub seed: u64,
}

impl Answer {
    /// `headers` are those that turn knobs; they win over the model's name.
    pub fn to(api: Api, asked: &Asked, headers: &[&str]) -> Result<Self, Refusal> {
        let wording = api.dialect().read(asked)?;
        let (model, suffix) = wording.model.split_once('+').unwrap_or((&wording.model, ""));
        let knobs = Knobs::read(iter::once(suffix).chain(headers.iter().copied()))?;
        let bytes: u64 = wording.texts.iter().map(|text| text.len() as u64).sum();
        let counted = bytes.div_ceil(4) + 4 * wording.messages + wording.token_ids;
        let answer = Self {
            api,
            model: model.to_owned(),
            stream: wording.stream,
            framing: wording.framing,
            include_usage: wording.include_usage,
            output_bound: wording.output_bound,
            choices: wording.choices,
            unshown: wording.unshown,
            basket: Basket::of(api, asked, &knobs),
            items: wording.items,
            size: wording.size,
            beginnings: if knobs.prompt_cache { beginnings(model, &wording.texts) } else { Vec::new() },
            prompt_tokens: if wording.metered { knobs.prompt.unwrap_or(counted) } else { 0 },
            seed: wording.texts.iter().fold(FNV_BASIS, |hash, text| fnv(hash, text.as_bytes())),
            knobs,
        };
        if answer.bytes_at_once() > MOST_WHOLE_BYTES {
            return Err(Refusal::wrong("x-sim", "so large an answer can only be streamed"));
        }
        Ok(answer)
    }

    /// What has to be in memory of the text or the vectors, about.
    fn bytes_at_once(&self) -> u64 {
        let text = self.turns().saturating_mul(self.knobs.event_bytes.unwrap_or(5)).saturating_mul(self.choices);
        let vectors = self.dimensions().saturating_mul(embeddings::BYTES_OF_A_NUMBER).saturating_mul(self.items);
        match self.api {
            Api::Embeddings => vectors,
            _ if self.stream => 0,
            _ => text,
        }
    }

    /// Numbers of each embedding.
    pub fn dimensions(&self) -> u64 {
        self.knobs.dimensions.or(self.size).unwrap_or(embeddings::USUAL_DIMENSIONS)
    }

    /// Whether a stream repeats its text behind it. Text by the megabyte is not repeated.
    pub fn echoes(&self) -> bool {
        self.knobs.events.is_none() && self.knobs.event_bytes.is_none()
    }

    /// The parts of the prompt, in the order in which they take their share of it.
    fn prompt_part(&self, told_from: Caching, wanted: u64, taken: u64) -> u64 {
        let told = self.api.dialect().caching() >= told_from;
        if told { wanted.min(self.prompt_tokens.saturating_sub(taken)) } else { 0 }
    }

    pub fn cached(&self) -> u64 {
        self.prompt_part(Caching::Reads, self.knobs.cached, 0)
    }

    /// Cache writes that live for five minutes.
    pub fn cache_write_5m(&self) -> u64 {
        self.prompt_part(Caching::Writes, self.knobs.cache_write, self.cached())
    }

    pub fn cache_write_1h(&self) -> u64 {
        let taken = self.cached() + self.cache_write_5m();
        self.prompt_part(Caching::HourWrites, self.knobs.cache_write_1h, taken)
    }

    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m() + self.cache_write_1h()
    }

    /// The prompt without what was read from or written to a cache.
    pub fn plain_prompt(&self) -> u64 {
        self.prompt_tokens - self.cached() - self.cache_write()
    }

    pub fn search_units(&self) -> u64 {
        let counted = self.items.div_ceil(DOCUMENTS_OF_A_SEARCH).max(1);
        if self.api == Api::Rerank { self.knobs.search_units.unwrap_or(counted) } else { 0 }
    }

    pub fn web_searches(&self) -> u64 {
        if self.api == Api::Messages { self.knobs.web_searches + self.basket.web_searches() } else { 0 }
    }

    /// Reasoning that is no part of what is shown. It comes first, and takes its share of the bound.
    pub fn thoughts(&self) -> u64 {
        match self.api.dialect().reasoning() {
            Reasoning::Beside => self.bound().map_or(self.knobs.reasoning, |bound| bound.min(self.knobs.reasoning)),
            Reasoning::Within | Reasoning::Untold => 0,
        }
    }

    pub fn reasoning(&self) -> u64 {
        match self.api.dialect().reasoning() {
            Reasoning::Within => self.knobs.reasoning.min(self.completion_tokens()),
            Reasoning::Beside => self.thoughts(),
            Reasoning::Untold => 0,
        }
    }

    fn wanted_turns(&self) -> u64 {
        self.knobs.events.or(self.knobs.tokens).unwrap_or(WANTED_TOKENS)
    }

    /// As far as it is heeded.
    fn bound(&self) -> Option<u64> {
        self.output_bound.filter(|_| !self.knobs.unbounded)
    }

    /// Tokens of one turn, before any factor: one word, or as much prose as a knob asks.
    pub fn turn_tokens(&self) -> u64 {
        self.knobs.event_bytes.map_or(1, words::tokens_of_prose)
    }

    /// How often each choice has its turn. A stream sends an event for each.
    pub fn turns(&self) -> u64 {
        let bound = self.bound().map(|bound| (bound - self.thoughts()) / self.turn_tokens().max(1));
        bound.map_or(self.wanted_turns(), |bound| bound.min(self.wanted_turns()))
    }

    pub fn reached_its_bound(&self) -> bool {
        self.turns() < self.wanted_turns()
    }

    /// What is billed for so many turns.
    pub fn billed(&self, turns: u64) -> u64 {
        turns.saturating_mul(self.turn_tokens()).saturating_mul(self.knobs.usage_factor.unwrap_or(1))
    }

    /// What is shown to the client, of all choices together.
    pub fn visible_tokens(&self) -> u64 {
        self.billed(self.turns() * self.choices)
    }

    pub fn completion_tokens(&self) -> u64 {
        let unshown = self.billed(self.turns() * self.unshown);
        self.visible_tokens().saturating_add(unshown).saturating_add(self.thoughts())
    }

    /// The text of one turn; a space stands between two words.
    pub fn text(&self, choice: u64, turn: u64) -> String {
        let padding = if (choice, turn) == (0, 0) { ".".repeat(self.knobs.big as usize) } else { String::new() };
        if let Some(bytes) = self.knobs.event_bytes {
            return words::prose_of(turn.saturating_mul(bytes), bytes) + &padding;
        }
        let word = words::word((self.seed % 1_000).wrapping_add(choice).wrapping_add(turn), self.knobs.split_utf8);
        let space = if turn == 0 { "" } else { " " };
        format!("{space}{word}{padding}")
    }

    pub fn whole_text(&self, choice: u64) -> String {
        (0..self.turns()).map(|turn| self.text(choice, turn)).collect()
    }

    pub fn id(&self, kind: &str) -> String {
        format!("{kind}{:016x}", self.seed)
    }

    pub fn model_reported(&self) -> &str {
        self.knobs.answer_model.as_deref().unwrap_or(&self.model)
    }

    /// The usage as it is reported: not at all, or wrongly, if a knob says so. Only its own counts go wrong,
    /// not those of the objects in it.
    pub fn reported(&self, mut usage: Value) -> Option<Value> {
        let wrong = match self.knobs.wrong_usage {
            _ if self.knobs.no_usage => return None,
            None => return Some(usage),
            Some(WrongUsage::MissingTotal) => None,
            Some(WrongUsage::Negative) => Some(json!(-5)),
            Some(WrongUsage::String) => Some(json!("12")),
            Some(WrongUsage::Huge) => Some(json!(u64::MAX)),
            Some(WrongUsage::Float) => Some(json!(12.5)),
            Some(WrongUsage::Null) => Some(Value::Null),
        };
        if let Some(counts) = usage.as_object_mut() {
            match wrong {
                None => counts.retain(|name, _| !name.starts_with("total")),
                Some(wrong) => {
                    counts.values_mut().filter(|count| count.is_number()).for_each(|count| *count = wrong.clone());
                }
            }
        }
        Some(usage)
    }

    /// What is billed as soon as an answer begins.
    pub fn bill(&self, entry: &mut Entry) {
        entry.status = 200;
        entry.prompt_tokens = self.prompt_tokens;
        entry.cached_tokens = self.cached();
        entry.cache_creation_tokens = self.cache_write();
        entry.cache_creation_1h_tokens = self.cache_write_1h();
        entry.search_units = self.search_units();
        entry.web_searches = if self.api == Api::Messages { self.knobs.web_searches } else { 0 };
        entry.buy(self.basket.at_once);
        // Of a stream each call is bought as it is made, where the API shows it.
        if !self.stream || !self.shows_calls() {
            entry.buy(self.basket.called());
        }
        entry.service_tier = self.basket.tier.clone();
        if let Some((input, output)) = self.compacted() {
            entry.prompt_tokens = entry.prompt_tokens.saturating_add(input);
            entry.completion_tokens = entry.completion_tokens.saturating_add(output);
        }
        if self.is_made_anyway() {
            entry.completion_tokens = entry.completion_tokens.saturating_add(self.completion_tokens());
        }
    }

    fn shows_calls(&self) -> bool {
        matches!(self.api, Api::Responses | Api::Messages)
    }

    /// What the round before took that compacted the conversation: of all that was said, a summary.
    pub fn compacted(&self) -> Option<(u64, u64)> {
        self.basket.compacts.then_some((self.prompt_tokens, SUMMARY_TOKENS))
    }

    /// It is generated to its end and billed, whoever takes it.
    pub fn is_made_anyway(&self) -> bool {
        self.basket.background
    }

    pub fn tier(&self) -> &str {
        self.basket.tier.as_deref().unwrap_or("default")
    }

    /// What each event bills; nothing of what is billed already.
    pub fn billing(&self, tokens: u64) -> u64 {
        if self.is_made_anyway() { 0 } else { tokens }
    }

    /// The items of a response by which its calls show, and what each of them buys.
    pub fn calls(&self) -> Vec<(Value, Sold)> {
        self.basket.items(self.seed)
    }

    /// The JSON answer and the completion tokens it is billed.
    pub fn whole(&self) -> (Vec<u8>, u64) {
        if self.knobs.error_at.is_some() {
            return (Refusal::too_late().to_json(Some(self.api)).to_string().into_bytes(), 0);
        }
        (self.api.dialect().whole(self), self.billing(self.completion_tokens()))
    }

    /// The events of the stream, made as they are sent. A failure comes after so many of them, and ends it.
    pub fn events(self: Arc<Self>) -> impl Iterator<Item = Event> + Send + use<> {
        let dialect = self.api.dialect();
        let fails = self.knobs.error_at;
        let shown = fails.map_or(usize::MAX, |at| usize::try_from(at).unwrap_or(usize::MAX));
        let (teller, closer) = (self.clone(), self.clone());
        let tokens = (0..self.turns() * self.choices).map(move |nth| dialect.token(&teller, nth));
        let end = move || match fails {
            Some(_) => vec![dialect.failure(&closer)],
            None => dialect.last(&closer),
        };
        let first = dialect.first(&self).into_iter();
        first.chain(tokens).take(shown).chain(iter::once_with(end).flatten())
    }
}

pub const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

pub fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
