//! What each model costs, and the arithmetic of a bill.
//!
//! Prices and rounding are written here a second time on purpose. The gateway is checked against this
//! ledger, and a ledger that shared the gateway's code would agree with its mistakes.

use serde_json::{Map, Value, json};

use crate::ledger::Entry;

/// Pico-USD per token (1 USD per 1 M tokens is 1,000,000 of them) and per counted item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub input: u64,
    pub cached: u64,
    pub cache_creation: u64,
    pub cache_creation_1h: u64,
    pub output: u64,
    pub reasoning: u64,
    pub search_unit: u64,
    pub web_search: u64,
    pub file_search: u64,
    pub container: u64,
    pub image: u64,
    pub second: u64,
    pub character: u64,
}

impl Rates {
    /// Writing a cache costs what reading the prompt costs, reasoning what any output does; items are free.
    pub const fn new(input: u64, cached: u64, output: u64) -> Self {
        Self {
            input,
            cached,
            cache_creation: input,
            cache_creation_1h: input,
            output,
            reasoning: output,
            search_unit: 0,
            web_search: 0,
            file_search: 0,
            container: 0,
            image: 0,
            second: 0,
            character: 0,
        }
    }

    const fn writing(self, cache_creation: u64, cache_creation_1h: u64) -> Self {
        Self { cache_creation, cache_creation_1h, ..self }
    }

    const fn searching(self, search_unit: u64, web_search: u64) -> Self {
        Self { search_unit, web_search, ..self }
    }

    /// What hosted tools of OpenAI's cost beside its searches.
    const fn hosting(self) -> Self {
        Self { file_search: 2_500_000_000, container: 30_000_000_000, image: 40_000_000_000, ..self }
    }

    const fn drawing(self, image: u64) -> Self {
        Self { image, ..self }
    }

    const fn hearing(self, second: u64) -> Self {
        Self { second, ..self }
    }

    const fn speaking(self, character: u64) -> Self {
        Self { character, ..self }
    }

    /// Twice as dear where it is first served, and half where it can wait; what is sold by the piece stays.
    pub fn in_tier(self, tier: Option<&str>) -> Self {
        let (times, by) = match tier {
            Some("priority") => (2, 1),
            Some("flex") => (1, 2),
            _ => return self,
        };
        let each = |rate: u64| rate * times / by;
        Self {
            input: each(self.input),
            cached: each(self.cached),
            cache_creation: each(self.cache_creation),
            cache_creation_1h: each(self.cache_creation_1h),
            output: each(self.output),
            reasoning: each(self.reasoning),
            ..self
        }
    }
}

/// The models with a price of their own; any other costs [`DEFAULT_RATES`].
pub const PRICES: &[(&str, Rates)] = &[
    ("gpt-4o-mini", Rates::new(150_000, 75_000, 600_000).searching(0, 10_000_000_000)),
    ("gpt-4o", Rates::new(2_500_000, 1_250_000, 10_000_000).searching(0, 10_000_000_000)),
    ("gpt-4", Rates::new(30_000_000, 30_000_000, 60_000_000)),
    ("tiny", Rates::new(100_000, 100_000, 400_000)),
    ("gpt-5-mini", Rates::new(250_000, 25_000, 2_000_000).searching(0, 10_000_000_000).hosting()),
    ("gpt-3.5-turbo-instruct", Rates::new(1_500_000, 1_500_000, 2_000_000)),
    ("text-embedding-3-small", Rates::new(20_000, 20_000, 0)),
    ("rerank-v3.5", Rates::new(0, 0, 0).searching(2_000_000_000, 0)),
    (
        "claude-sonnet-4",
        Rates::new(3_000_000, 300_000, 15_000_000).writing(3_750_000, 6_000_000).searching(0, 10_000_000_000),
    ),
    ("gemini-2.5-flash", Rates::new(300_000, 75_000, 2_500_000).searching(0, 35_000_000_000)),
    ("amazon.nova-lite-v1:0", Rates::new(60_000, 15_000, 240_000)),
    ("llama3.2", Rates::new(100_000, 100_000, 400_000)),
];

/// Those that are sold by the piece.
const BY_THE_PIECE: &[(&str, Rates)] = &[
    ("dall-e-3", Rates::new(0, 0, 0).drawing(40_000_000_000)),
    ("whisper-1", Rates::new(0, 0, 0).hearing(100_000_000)),
    ("tts-1", Rates::new(0, 0, 0).speaking(15_000_000)),
    ("amazon.titan-embed-image-v1", Rates::new(800_000, 800_000, 0).drawing(60_000_000)),
];

/// The most that each of them reads. One that has none reads anything.
const CONTEXTS: &[(&str, u64)] = &[
    ("gpt-4o-mini", 128_000),
    ("gpt-4o", 128_000),
    ("gpt-4", 8_192),
    ("gpt-5-mini", 272_000),
    ("claude-sonnet-4", 200_000),
    ("gemini-2.5-flash", 1_048_576),
    ("amazon.nova-lite-v1:0", 300_000),
    ("llama3.2", 131_072),
];

pub const DEFAULT_RATES: Rates = Rates::new(1_000_000, 1_000_000, 2_000_000);

/// [`PRICES`] as the gateway's configuration writes them: one object a model, money as decimal strings.
pub fn price_entries() -> Vec<Value> {
    PRICES.iter().map(|(model, rates)| rates.entry(model)).collect()
}

/// The same, with what each costs in the tiers that may serve it.
pub fn price_entries_with_tiers() -> Vec<Value> {
    let in_tier = |rates: Rates, model: &str, tier: &str| {
        let mut entry = rates.in_tier(Some(tier)).entry(model);
        if let Some(entry) = entry.as_object_mut() {
            entry.retain(|name, _| name.ends_with("_tokens") && name.contains("usd"));
        }
        entry
    };
    let entry = |(model, rates): &(&str, Rates)| {
        let mut entry = rates.entry(model);
        let tiers = ["priority", "flex"].map(|tier| (tier.to_owned(), in_tier(*rates, model, tier)));
        entry["service_tiers"] = Value::Object(tiers.into_iter().collect());
        entry
    };
    PRICES.iter().chain(BY_THE_PIECE).map(entry).collect()
}

impl Rates {
    /// Whose model it is may stand before its name, as OpenRouter writes it.
    pub fn of(model: &str) -> Rates {
        let model = model.rsplit('/').next().unwrap_or(model);
        PRICES.iter().chain(BY_THE_PIECE).find(|(name, _)| *name == model).map_or(DEFAULT_RATES, |(_, rates)| *rates)
    }

    /// Nano-USD of one request, rounded up once.
    pub fn cost(self, billed: &Entry) -> u64 {
        let mut plain = billed.prompt_tokens;
        let mut part = |tokens: u64| {
            let part = tokens.min(plain);
            plain -= part;
            part
        };
        let (cached, creation) = (part(billed.cached_tokens), part(billed.cache_creation_tokens));
        let hour = billed.cache_creation_1h_tokens.min(creation);
        let reasoning = billed.reasoning_tokens.min(billed.completion_tokens);
        let parts = [
            (plain, self.input),
            (cached, self.cached),
            (creation - hour, self.cache_creation),
            (hour, self.cache_creation_1h),
            (billed.completion_tokens - reasoning, self.output),
            (reasoning, self.reasoning),
            (billed.search_units, self.search_unit),
            (billed.web_searches, self.web_search),
            (billed.file_searches, self.file_search),
            (billed.container_sessions, self.container),
            (billed.images, self.image),
            (billed.audio_seconds, self.second),
            (billed.characters, self.character),
        ];
        // Counts fill 64 bits and rates fewer than 40: 128 bits hold the sum of these products.
        let pico: u128 = parts.iter().map(|(count, rate)| u128::from(*count) * u128::from(*rate)).sum();
        u64::try_from(pico.div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    /// The price entry of `model`. Rates that follow from others are written all the same, except free items.
    pub fn entry(self, model: &str) -> Value {
        let mut entry = Map::new();
        entry.insert("model".to_owned(), json!(model));
        for (name, pico) in [
            ("input", self.input),
            ("cached_input", self.cached),
            ("cache_creation", self.cache_creation),
            ("cache_creation_1h", self.cache_creation_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
        ] {
            entry.insert(format!("{name}_usd_per_1m_tokens"), json!(decimal(pico, 6)));
        }
        for (name, pico) in [
            ("search_unit", self.search_unit),
            ("web_search", self.web_search),
            ("file_search", self.file_search),
            ("container_session", self.container),
            ("image", self.image),
            ("audio_second", self.second),
            ("character", self.character),
        ] {
            if pico > 0 {
                entry.insert(format!("{name}_usd"), json!(decimal(pico, 12)));
            }
        }
        if let Some((_, context)) = CONTEXTS.iter().find(|(name, _)| *name == model) {
            entry.insert("context_tokens".to_owned(), json!(context));
        }
        Value::Object(entry)
    }
}

/// `units`, of which 10^`digits` are one dollar.
fn decimal(units: u64, digits: u32) -> String {
    let one = 10_u64.pow(digits);
    let text = format!("{}.{:0width$}", units / one, units % one, width = digits as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(prompt_tokens: u64, cached_tokens: u64, completion_tokens: u64) -> Entry {
        Entry { prompt_tokens, cached_tokens, completion_tokens, ..Entry::default() }
    }

    #[test]
    fn a_cost_is_exact_in_pico_usd_and_rounded_up_once() {
        let mini = Rates::of("gpt-4o-mini");
        assert_eq!(mini.cost(&tokens(0, 0, 0)), 0);
        assert_eq!(mini.cost(&tokens(1_000_000, 0, 1_000_000)), 750_000_000, "0.15 + 0.60 USD");
        assert_eq!(mini.cost(&tokens(1_000_000, 1_000_000, 0)), 75_000_000, "all of it cached");
        assert_eq!(mini.cost(&tokens(10, 4, 3)), 3_000, "6 × 150,000 + 4 × 75,000 + 3 × 600,000 pico-USD");
        let cheapest = Rates::new(1, 1, 1);
        assert_eq!(cheapest.cost(&tokens(1, 0, 1)), 1, "2 pico-USD are not free");
        assert_eq!(cheapest.cost(&tokens(1_000, 0, 1)), 2, "1,001 pico-USD");
        assert_eq!(mini.cost(&tokens(5, 9, 0)), mini.cost(&tokens(5, 5, 0)), "no more is cached than was asked");
        assert_eq!(Rates::of("gpt-4").cost(&tokens(u64::MAX, 0, u64::MAX)), u64::MAX, "saturates");
        assert_eq!(Rates::of("gpt-4o-2024-11-20"), DEFAULT_RATES, "names are exact");
    }

    #[test]
    fn every_kind_has_its_rate() {
        let billed = Entry {
            prompt_tokens: 100,
            cached_tokens: 40,
            cache_creation_tokens: 30,
            cache_creation_1h_tokens: 10,
            completion_tokens: 7,
            reasoning_tokens: 3,
            web_searches: 2,
            ..Entry::default()
        };
        let sonnet = Rates::of("claude-sonnet-4");
        let nano = 30 * 3_000 + 40 * 300 + 20 * 3_750 + 10 * 6_000 + 7 * 15_000 + 2 * 10_000_000;
        assert_eq!(sonnet.cost(&billed), nano);
        assert_eq!(Rates { reasoning: 1_000_000, ..sonnet }.cost(&billed), nano - 3 * 14_000);
        let searched = Entry { search_units: 3, ..Entry::default() };
        assert_eq!(Rates::of("rerank-v3.5").cost(&searched), 6_000_000);
    }

    #[test]
    fn prices_are_written_as_the_gateway_reads_them() {
        let sonnet = Rates::of("claude-sonnet-4").entry("claude-sonnet-4");
        assert_eq!(sonnet["model"], "claude-sonnet-4");
        assert_eq!(sonnet["input_usd_per_1m_tokens"], "3");
        assert_eq!(sonnet["cached_input_usd_per_1m_tokens"], "0.3");
        assert_eq!(sonnet["cache_creation_usd_per_1m_tokens"], "3.75");
        assert_eq!(sonnet["web_search_usd"], "0.01");
        assert_eq!(Rates::of("rerank-v3.5").entry("rerank-v3.5")["search_unit_usd"], "0.002");
        assert_eq!(Rates::of("text-embedding-3-small").entry("e")["output_usd_per_1m_tokens"], "0");
        assert_eq!(price_entries().len(), PRICES.len());
    }
}
