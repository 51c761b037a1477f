//! A model's name → its tariff → the cost of a call, or the news that it has no price.
//!
//! Trade-off: a price that is missing is an outcome of its own, with a policy. Calling it zero would let every new model
//! of a provider through for free; so `Quote` makes the caller say what it does without a price.

pub mod tariff;

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use crate::llm::schema::BoundField;
use crate::name::{OTHER, Pattern};
use crate::units::{Tokens, UnixNanos};

pub use tariff::{Ceiling, RateCard, Schedule, Sells, Tariff};

/// The place of a price in the table, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceIx(pub u16);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// As the configuration writes it, `*` included: the label of every model it matches.
    pub model: Pattern,
    /// When it begins to hold: prices change on a day, and the table can know it before.
    pub from: UnixNanos,
    /// Shared with the exchanges under way, which keep the price that they began with.
    pub tariff: Rc<Tariff>,
    pub bound_field: BoundField,
    /// The most that the model writes at once: a larger bound is refused by its provider.
    pub max_output: Option<Tokens>,
    /// The most that the model reads: its context.
    pub context: Option<Tokens>,
}

/// What becomes of a model that no price matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unpriced {
    #[default]
    Deny,
    /// It costs nothing, but is counted as unpriced.
    Allow,
    /// It costs what the entry costs, and is counted as unpriced.
    PriceAs(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote<'a> {
    Priced { price: &'a Price },
    PricedAs { price: &'a Price },
    Free,
    Denied,
}

#[derive(Debug, Default)]
pub struct PriceTable {
    prices: Vec<Price>,
    /// Under one name, the prices of all dates, the latest first.
    exact: HashMap<Box<str>, Vec<PriceIx>>,
    /// Without their `*`.
    prefixes: HashMap<Box<str>, Vec<PriceIx>>,
    /// The distinct lengths of the prefixes, longest first: each costs a lookup one hash, however many prefixes there are.
    prefix_lengths: Vec<usize>,
    /// What stands before a slash of a name: of a provider that is not among them, no price is its own.
    labels: HashSet<Box<str>>,
    unpriced: Unpriced,
}

/// Why a price cannot join the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    /// The same model, from the same day on.
    SameModelAs(PriceIx),
    Full,
}

impl PriceTable {
    pub fn add(&mut self, price: Price) -> Result<PriceIx, NotAdded> {
        // One index is left out, so that the count of the prices fits as well.
        let ix = match u16::try_from(self.prices.len()) {
            Ok(ix) if ix < u16::MAX => PriceIx(ix),
            _ => return Err(NotAdded::Full),
        };
        let text = price.model.as_str();
        let (map, name) = match text.strip_suffix('*') {
            Some(prefix) => (&mut self.prefixes, prefix),
            None => (&mut self.exact, text),
        };
        let dated = map.entry(name.into()).or_default();
        let begins = |ix: &PriceIx| self.prices.get(usize::from(ix.0)).map_or(UnixNanos(0), |price| price.from);
        match dated.binary_search_by(|other| price.from.cmp(&begins(other))) {
            Ok(at) => return Err(NotAdded::SameModelAs(dated.get(at).copied().unwrap_or(ix))),
            Err(at) => dated.insert(at, ix),
        }
        if text.ends_with('*')
            && let Err(at) = self.prefix_lengths.binary_search_by(|length| name.len().cmp(length))
        {
            self.prefix_lengths.insert(at, name.len());
        }
        let before = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
        self.labels.extend(before.map(Box::from));
        self.prices.push(price);
        Ok(ix)
    }

    pub fn set_unpriced(&mut self, unpriced: Unpriced) {
        self.unpriced = unpriced;
    }

    fn get(&self, ix: PriceIx) -> Option<&Price> {
        self.prices.get(usize::from(ix.0))
    }

    /// In the order of `PriceIx`.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    fn begun(&self, dated: &[PriceIx], now: UnixNanos) -> Option<&Price> {
        dated.iter().filter_map(|ix| self.get(*ix)).find(|price| price.from <= now)
    }

    /// The exact name before any `*`, then the longest prefix; of several dates the latest that has begun.
    pub fn find(&self, model: &str, now: UnixNanos) -> Option<&Price> {
        self.find_from(model, 0, now)
    }

    /// The same, of prefixes of at least so many bytes.
    fn find_from(&self, model: &str, least: usize, now: UnixNanos) -> Option<&Price> {
        self.exact.get(model).and_then(|dated| self.begun(dated, now)).or_else(|| {
            let lengths = self.prefix_lengths.iter().take_while(|length| **length >= least);
            let mut beginnings = lengths.filter_map(|length| model.get(..*length));
            beginnings.find_map(|prefix| self.begun(self.prefixes.get(prefix)?, now))
        })
    }

    /// The provider's own price of a model, which a `*` for all models is not; or one that says more of it than so many bytes.
    fn own(&self, provider: Option<&str>, model: &str, known: Option<usize>, now: UnixNanos) -> Option<&Price> {
        let provider = provider.filter(|provider| self.labels.contains(*provider))?;
        let name = [provider, "/", model].concat();
        let more = known.map_or(1, |known| known.saturating_add(2));
        self.find_from(&name, provider.len().saturating_add(more), now)
    }

    /// The price of the model that an answer names, if it is another than was asked and has one of its own: `*` is everybody's. A
    /// name that goes on where the asked one ends (`-2024-07-18`) is another only where the table says more of it than of that one.
    pub fn of_answered(&self, provider: Option<&str>, asked: &str, answered: &str, now: UnixNanos) -> Option<&Price> {
        if answered == asked || answered.is_empty() {
            return None;
        }
        let known = if answered.starts_with(asked) { asked.len() } else { 0 };
        self.own(provider, answered, Some(known), now)
            .or_else(|| self.find_from(answered, known.saturating_add(1), now))
    }

    /// The price of `model`, after the policy for models without one: the provider's own before that of the name alone.
    pub fn quote(&self, provider: Option<&str>, model: &str, now: UnixNanos) -> Quote<'_> {
        if let Some(price) = self.own(provider, model, None, now).or_else(|| self.find(model, now)) {
            return Quote::Priced { price };
        }
        match &self.unpriced {
            Unpriced::Allow => Quote::Free,
            Unpriced::PriceAs(model) => self.find(model, now).map_or(Quote::Denied, |price| Quote::PricedAs { price }),
            Unpriced::Deny => Quote::Denied,
        }
    }
}

impl<'a> Quote<'a> {
    /// The `model` label: of a model that has no entry in the table, the one of all others.
    pub fn label(self) -> &'a str {
        match self {
            Self::Priced { price } => price.model.as_str(),
            Self::PricedAs { .. } | Self::Free | Self::Denied => OTHER,
        }
    }
}

#[cfg(test)]
mod tests;
