//! A model's name → its rates → the cost of a call, or the news that it has no price.
//!
//! Trade-off: a price that is missing is an outcome of its own, with a policy. Calling it zero would let every new model
//! of a provider through for free; so `Quote` makes the caller say what it does without a price.

use std::fmt;

use hashbrown::HashMap;

use crate::llm::request::BoundField;
use crate::llm::usage::Usage;
use crate::units::{NanoUsd, PicoUsdPerToken, Tokens};

/// The label of a model that has no entry in the table: labels come from the configuration only.
pub const OTHER_MODEL: &str = "other";

/// A model's name, or the beginning of one and a `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

/// The place of a price in the table, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceIx(pub u16);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub input: PicoUsdPerToken,
    pub output: PicoUsdPerToken,
    pub cached_input: PicoUsdPerToken,
    pub cache_creation: PicoUsdPerToken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// As the configuration writes it, `*` included: the label of every model it matches.
    pub model: Pattern,
    pub rates: Rates,
    pub bound_field: BoundField,
}

/// What becomes of a model that no price matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unpriced {
    #[default]
    Deny,
    /// It costs nothing, but is counted as unpriced.
    Allow,
    /// It costs what the entry costs, and is counted as unpriced.
    PriceAs(PriceIx),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote<'a> {
    Priced { ix: PriceIx, price: &'a Price },
    PricedAs { price: &'a Price },
    Free,
    Denied,
}

#[derive(Debug, Default)]
pub struct PriceTable {
    prices: Vec<Price>,
    exact: HashMap<Box<str>, PriceIx>,
    /// Without their `*`.
    prefixes: HashMap<Box<str>, PriceIx>,
    /// The distinct lengths of the prefixes, longest first: each costs a lookup one hash, however many prefixes there are.
    prefix_lengths: Vec<usize>,
    unpriced: Unpriced,
}

/// Why a price cannot join the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    SameModelAs(PriceIx),
    Full,
}

impl Pattern {
    /// `None` if a `*` stands anywhere but at the end.
    pub fn new(text: &str) -> Option<Self> {
        let name = text.strip_suffix('*').unwrap_or(text);
        (!name.contains('*')).then(|| Self(text.into()))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub fn matches(&self, model: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => *self.0 == *model,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Rates {
    /// What a call costs: exact in pico-USD, then rounded up once.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let (cached, creation) = (usage.cached_input_tokens, usage.cache_creation_input_tokens);
        let plain = usage.input_tokens.less(cached).less(creation);
        nano_usd(
            self.input
                .of(plain)
                .saturating_add(self.cached_input.of(cached))
                .saturating_add(self.cache_creation.of(creation))
                .saturating_add(self.output.of(usage.output_tokens)),
        )
    }

    /// The most that a call of this size can cost.
    pub fn worst_case(&self, input: Tokens, output: Tokens) -> NanoUsd {
        nano_usd(self.dearest_input().of(input).saturating_add(self.output.of(output)))
    }

    /// The most output whose worst case stays within `budget`; `None` if the input alone is too dear.
    pub fn output_within(&self, input: Tokens, budget: NanoUsd) -> Option<Tokens> {
        let budget = u128::from(budget.0).saturating_mul(PICO_PER_NANO);
        let left = budget.checked_sub(self.dearest_input().of(input))?;
        let tokens = left.checked_div(u128::from(self.output.0)).unwrap_or(u128::MAX);
        Some(Tokens(u64::try_from(tokens).unwrap_or(u64::MAX)))
    }

    /// The dearest rate that a token of the input can turn out to have. Writing a provider's cache may cost more than
    /// plain input, and what is cached is the provider's secret until it answers: the worst case counts this for all of it.
    fn dearest_input(&self) -> PicoUsdPerToken {
        self.input.max(self.cached_input).max(self.cache_creation)
    }
}

const PICO_PER_NANO: u128 = 1_000;

fn nano_usd(pico_usd: u128) -> NanoUsd {
    NanoUsd(u64::try_from(pico_usd.div_ceil(PICO_PER_NANO)).unwrap_or(u64::MAX))
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
        if let Some(first) = map.get(name) {
            return Err(NotAdded::SameModelAs(*first));
        }
        map.insert(name.into(), ix);
        if text.ends_with('*')
            && let Err(at) = self.prefix_lengths.binary_search_by(|length| name.len().cmp(length))
        {
            self.prefix_lengths.insert(at, name.len());
        }
        self.prices.push(price);
        Ok(ix)
    }

    pub fn set_unpriced(&mut self, unpriced: Unpriced) {
        self.unpriced = unpriced;
    }

    pub fn get(&self, ix: PriceIx) -> Option<&Price> {
        self.prices.get(usize::from(ix.0))
    }

    /// In the order of `PriceIx`.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The exact name before any `*`, then the longest prefix.
    pub fn find(&self, model: &str) -> Option<PriceIx> {
        self.exact.get(model).copied().or_else(|| {
            let mut beginnings = self.prefix_lengths.iter().filter_map(|length| model.get(..*length));
            beginnings.find_map(|prefix| self.prefixes.get(prefix).copied())
        })
    }

    /// The price of `model`, after the policy for models without one.
    pub fn quote(&self, model: &str) -> Quote<'_> {
        let entry = |ix| self.get(ix).map(|price| (ix, price));
        if let Some((ix, price)) = self.find(model).and_then(entry) {
            return Quote::Priced { ix, price };
        }
        match self.unpriced {
            Unpriced::Allow => Quote::Free,
            Unpriced::PriceAs(ix) => self.get(ix).map_or(Quote::Denied, |price| Quote::PricedAs { price }),
            Unpriced::Deny => Quote::Denied,
        }
    }
}

impl<'a> Quote<'a> {
    pub const fn price(self) -> Option<&'a Price> {
        match self {
            Self::Priced { price, .. } | Self::PricedAs { price } => Some(price),
            Self::Free | Self::Denied => None,
        }
    }

    /// The `model` label.
    pub fn label(self) -> &'a str {
        match self {
            Self::Priced { price, .. } => price.model.as_str(),
            Self::PricedAs { .. } | Self::Free | Self::Denied => OTHER_MODEL,
        }
    }
}

#[cfg(test)]
mod tests;
