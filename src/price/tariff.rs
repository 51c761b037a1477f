//! What a model's tokens and items cost, by how long the context is and which service tier answered.
//!
//! Providers have dozens of rates. All of them are resolved once, when the configuration is read: a rate that
//! is not written is that of the kind it is a part of, never zero, so that a cost is one sum over a flat record.

use crate::llm::brings::{Brings, Items};
use crate::llm::kind::kinds;
use crate::llm::request::Rates;
use crate::llm::served::Served;
use crate::llm::tools::{PICTURE_TOKENS, SoldBy};
use crate::llm::usage::Usage;
use crate::units::{NanoUsd, PicoUsdPerToken, Tokens, product};

macro_rules! rates {
    (() parts: [$(($part:ident $(less $inner:ident)?, $side:ident, $rate:ident, $key:ident, $whole:ident, $may:ident),)*]
        pieces: [$(($piece:ident, $price:ident, $piece_key:ident, $rare:literal),)*]) => {
        /// One rate for each kind of token and piece, and for the request itself.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct RateCard {
            pub input: PicoUsdPerToken,
            pub output: PicoUsdPerToken,
            $(pub $rate: PicoUsdPerToken,)*
            pub request: NanoUsd,
            $(pub $price: NanoUsd,)*
        }

        impl RateCard {
            /// What a call costs: exact in pico-USD, then rounded up once.
            pub fn cost(&self, usage: &Usage) -> NanoUsd {
                let mut sides = SideCosts {
                    input: SideCost { left: usage.input_tokens, sum: 0 },
                    output: SideCost { left: usage.output_tokens, sum: 0 },
                };
                $(sides.$side.claim(self.$rate, usage.$part $(.less(usage.$inner))?);)*
                let tokens = sides.input.rest(self.input).saturating_add(sides.output.rest(self.output));
                let pieces = pieces(self.request, 1)$(.saturating_add(pieces(self.$price, usage.$piece)))*;
                nano_usd(tokens.saturating_add(pieces))
            }

            /// The dearest of each side that a request can turn out to be charged by.
            /// Writing a provider's cache may cost more than plain input, and what is cached is the provider's secret until
            /// it answers: the worst case counts the dearest kind that is possible for all of it.
            fn dearest(&self, brings: Brings) -> Ceiling {
                let mut dearest = Ceiling { input: self.input, output: self.output, fixed: NanoUsd::ZERO };
                $(if brings.$may() {
                    dearest.$side = dearest.$side.max(self.$rate);
                })*
                dearest
            }
        }
    };
}
kinds!(rates());

/// The rates of a service tier: those of short contexts, and others for what has more input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub base: RateCard,
    /// In the order of their borders. A request with more input than the border is charged these for all its tokens.
    pub above: Vec<(Tokens, RateCard)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tariff {
    pub standard: Schedule,
    /// By the name that answers give the tier that served them.
    pub service_tiers: Vec<(Box<str>, Schedule)>,
    pub sells: Sells,
}

/// Which hosted tools a price says something of, were it that they cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sells {
    pub web_searches: bool,
    pub file_searches: bool,
    pub containers: bool,
    pub pictures: bool,
    /// Of pictures, their tokens.
    pub picture_tokens: bool,
    /// Nothing that its model is used for costs anything.
    pub all: bool,
}

/// What the worst case of a request is reckoned with, before it is known which kinds its tokens will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceiling {
    pub input: PicoUsdPerToken,
    pub output: PicoUsdPerToken,
    /// Beside the tokens: the request itself, and the items that it asks for.
    pub fixed: NanoUsd,
}

const PICO_PER_NANO: u64 = 1_000;

/// Nearly every sum fits a `u64`, and is divided by one instruction then.
fn nano_usd(pico_usd: u128) -> NanoUsd {
    match u64::try_from(pico_usd) {
        Ok(pico_usd) => NanoUsd(pico_usd.div_ceil(PICO_PER_NANO)),
        Err(_) => NanoUsd(u64::try_from(pico_usd.div_ceil(PICO_PER_NANO.into())).unwrap_or(u64::MAX)),
    }
}

/// The price of `count` items in pico-USD; saturates, as every sum of prices does.
fn pieces(price: NanoUsd, count: u64) -> u128 {
    let nano_usd = product(price.0, count);
    match u64::try_from(nano_usd) {
        Ok(nano_usd) => product(nano_usd, PICO_PER_NANO),
        Err(_) => nano_usd.saturating_mul(PICO_PER_NANO.into()),
    }
}

impl RateCard {
    fn ceiling(&self, brings: Brings) -> Ceiling {
        let items = if brings.items == Items::default() { 0 } else { self.items(&brings) };
        Ceiling { fixed: nano_usd(pieces(self.request, 1).saturating_add(items)), ..self.dearest(brings) }
    }

    /// What few requests bring, or have made.
    #[inline(never)]
    fn items(&self, brings: &Brings) -> u128 {
        let Items { images, given_images, search_units, characters, .. } = brings.items;
        let Items { web_searches, file_searches, container_sessions, tool_images, .. } = brings.items;
        let drawn = self.image_output.of(Tokens(PICTURE_TOKENS.saturating_mul(tool_images)));
        pieces(self.image, images.saturating_add(given_images))
            .saturating_add(pieces(self.search_unit, search_units))
            .saturating_add(pieces(self.character, characters))
            .saturating_add(pieces(self.audio_second, brings.items.most_seconds()))
            .saturating_add(pieces(self.web_search, web_searches))
            .saturating_add(pieces(self.file_search, file_searches))
            .saturating_add(pieces(self.container_session, container_sessions))
            .saturating_add(pieces(self.image, tool_images).max(drawn))
    }
}

/// A side of a call: what of it no part has claimed yet, and what those that did cost. Parts may overlap (a sound that was
/// cached): a token costs what the first that claims it does.
struct SideCost {
    left: Tokens,
    sum: u128,
}

struct SideCosts {
    input: SideCost,
    output: SideCost,
}

impl SideCost {
    fn claim(&mut self, rate: PicoUsdPerToken, tokens: Tokens) {
        let tokens = tokens.min(self.left);
        self.left = self.left.less(tokens);
        self.sum = self.sum.saturating_add(rate.of(tokens));
    }

    /// What the whole side costs, the rest of it at the plain rate.
    fn rest(&self, plain: PicoUsdPerToken) -> u128 {
        self.sum.saturating_add(plain.of(self.left))
    }
}

impl Schedule {
    pub fn rates(&self, input: Tokens) -> &RateCard {
        let above = self.above.iter().rev().find(|(border, _)| input > *border);
        above.map_or(&self.base, |(_, rates)| rates)
    }
}

impl Tariff {
    /// A tier that isn't named costs the standard.
    fn schedule(&self, service_tier: Option<&str>) -> &Schedule {
        let named = service_tier.and_then(|tier| self.service_tiers.iter().find(|(name, _)| **name == *tier));
        named.map_or(&self.standard, |(_, schedule)| schedule)
    }

    /// Whether a picture is sold by its tokens, and not by the piece.
    pub fn draws_by_tokens(&self) -> bool {
        self.standard.base.image == NanoUsd::ZERO
    }

    /// What a picture of a tool is taken for whose tokens nobody tells, where they are what is sold: as it is reserved.
    pub fn tool_picture(&self) -> Tokens {
        let by_tokens = self.sells.picture_tokens && self.draws_by_tokens();
        Tokens(if by_tokens { PICTURE_TOKENS } else { 0 })
    }

    /// Whether what is ranked is sold by the search.
    pub fn ranks_by_the_search(&self) -> bool {
        self.standard.base.search_unit > NanoUsd::ZERO
    }

    /// Of a model that makes pictures and sounds, which of them costs more.
    pub fn draws_dearer_than_it_speaks(&self) -> bool {
        self.standard.base.image_output > self.standard.base.audio_output
    }

    /// By what served.
    pub fn cost(&self, usage: &Usage, served: Option<&str>) -> NanoUsd {
        self.cost_in(usage.input_tokens, usage, served)
    }

    /// The input may have been so much: where a border lies between, the dearer rates count, as far as twice the others: some are five
    /// times as dear, and most guesses are right. And of several names together (a speed and a region) that have no rates as one, the
    /// dearest.
    fn cost_in(&self, context: Tokens, usage: &Usage, served: Option<&str>) -> NanoUsd {
        let cost = |served| {
            let schedule = self.schedule(served);
            let (said, most) = (schedule.rates(usage.input_tokens), schedule.rates(context));
            let cost = said.cost(usage);
            if std::ptr::eq(said, most) {
                cost
            } else {
                cost.max(most.cost(usage).min(NanoUsd(cost.0.saturating_mul(2))))
            }
        };
        match served {
            Some(names) if names.contains('+') && !self.names(names) => {
                names.split('+').map(|name| cost(Some(name))).max().unwrap_or_default()
            }
            served => cost(served),
        }
    }

    /// Of an answer that says to have been served so. It takes nothing back that it doesn't speak of: of that, what was asked for counts,
    /// if it is dearer. Asking for a cheap tier and hanging up must not make it cheap, and neither must a guess that lies below a border:
    /// where nobody told the input, it may have been so much.
    pub fn cost_as(&self, usage: &Usage, may_have_read: Tokens, said: &Served, asked: &Rates) -> NanoUsd {
        let context = usage.input_tokens.max(may_have_read);
        let cost = self.cost_in(context, usage, said.name().as_deref());
        asked.beside(said).map_or(cost, |asked| cost.max(self.cost_in(context, usage, Some(&asked))))
    }

    fn names(&self, tier: &str) -> bool {
        self.service_tiers.iter().any(|(name, _)| **name == *tier)
    }

    /// Neither a cheaper tier nor cheaper rates above a border lower the worst case: another tier may serve, and the input
    /// may turn out below the border.
    pub fn ceiling(&self, input: Tokens, asked: Option<&str>, brings: Brings) -> Ceiling {
        // Mostly the rates above are the base, and the schedule asked for is the standard one: they are not reckoned twice.
        let ceiling = |schedule: &Schedule| {
            let (base, above) = (&schedule.base, schedule.rates(input));
            let most = base.ceiling(brings);
            if std::ptr::eq(base, above) { most } else { most.max(above.ceiling(brings)) }
        };
        let (standard, named) = (&self.standard, self.schedule(asked));
        let most = ceiling(standard);
        let most = if std::ptr::eq(standard, named) { most } else { most.max(ceiling(named)) };
        let several = asked.filter(|names| names.contains('+') && !self.names(names));
        let alone =
            several.into_iter().flat_map(|names| names.split('+')).map(|name| ceiling(self.schedule(Some(name))));
        alone.fold(most, Ceiling::max)
    }

    /// Whether a hosted tool has a price.
    pub const fn sells(&self, piece: SoldBy) -> bool {
        let Sells { web_searches, file_searches, containers, pictures, all, .. } = self.sells;
        all || match piece {
            SoldBy::WebSearch => web_searches,
            SoldBy::FileSearch => file_searches,
            SoldBy::Container => containers,
            SoldBy::Picture => pictures,
        }
    }

    /// Whether a request has a price of its own.
    pub fn sells_requests(&self) -> bool {
        self.standard.base.request > NanoUsd::ZERO
    }

    /// Whether a dearer rate has a price, by itself or with others.
    pub fn rates_as(&self, name: &str) -> bool {
        self.sells.all || self.service_tiers.iter().any(|(known, _)| known.split('+').any(|known| known == name))
    }

    pub const fn is_free(&self) -> bool {
        self.sells.all
    }

    /// Of what costs nothing.
    pub fn free() -> Self {
        Self { sells: Sells { all: true, ..Sells::default() }, ..Self::default() }
    }
}

impl Ceiling {
    pub fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            fixed: self.fixed.max(other.fixed),
        }
    }

    /// The most that a call of this size can cost.
    pub fn worst_case(&self, input: Tokens, output: Tokens) -> NanoUsd {
        nano_usd(self.input.of(input).saturating_add(self.output.of(output))).plus(self.fixed)
    }

    /// The most output whose worst case stays within `budget`; `None` if the rest alone is too dear.
    pub fn output_within(&self, input: Tokens, budget: NanoUsd) -> Option<Tokens> {
        let budget = pieces(NanoUsd(budget.0.checked_sub(self.fixed.0)?), 1);
        let left = budget.checked_sub(self.input.of(input))?;
        let tokens = left.checked_div(u128::from(self.output.0)).unwrap_or(u128::MAX);
        Some(Tokens(u64::try_from(tokens).unwrap_or(u64::MAX)))
    }
}
