mod oracle;

use proptest::prelude::*;

use super::*;
use crate::llm::brings::{Brings, Items, Writes};
use crate::llm::request::Rates;
use crate::llm::served::Served;
use crate::llm::usage::Usage;
use crate::units::{NanoUsd, PicoUsdPerToken, Tokens};

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

fn price(model: &str, input: u64) -> Price {
    from(model, input, UnixNanos(0))
}

fn from(model: &str, input: u64, from: UnixNanos) -> Price {
    let base = RateCard { input: PicoUsdPerToken(input), ..RateCard::default() };
    let tariff =
        Tariff { standard: Schedule { base, above: Vec::new() }, service_tiers: Vec::new(), sells: Sells::default() };
    Price {
        model: Pattern::new(model).unwrap(),
        from,
        tariff: Rc::new(tariff),
        bound_field: BoundField::default(),
        max_output: None,
        context: None,
    }
}

fn table(models: &[&str]) -> PriceTable {
    let mut table = PriceTable::default();
    for model in models {
        table.add(price(model, 1)).unwrap();
    }
    table
}

#[test]
fn the_exact_name_wins_then_the_longest_beginning() {
    let table = table(&["*", "gpt-4*", "gpt-4o*", "gpt-4o", "gpt-4o-mini", "ge*"]);
    for (model, entry) in [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini-2024", "gpt-4o*"),
        ("gpt-4", "gpt-4*"),
        ("gpt-4-turbo", "gpt-4*"),
        ("gpt-3", "*"),
        ("", "*"),
        ("gé", "*"),
        ("gpt-4*", "gpt-4*"),
    ] {
        assert_eq!(table.quote(None, model, NOW).label(), entry, "{model}");
    }
}

#[test]
fn a_model_without_a_price_meets_the_policy() {
    let mut table = table(&["gpt-4o"]);
    assert_eq!(table.quote(None, "new", NOW), Quote::Denied);
    table.set_unpriced(Unpriced::Allow);
    assert_eq!(table.quote(None, "new", NOW), Quote::Free);
    table.set_unpriced(Unpriced::PriceAs("gpt-4o".into()));
    let quote = table.quote(None, "new", NOW);
    assert_eq!(quote, Quote::PricedAs { price: &table.prices()[0] });
    assert_eq!(quote.label(), "other");
    table.set_unpriced(Unpriced::PriceAs("gone".into()));
    assert_eq!(table.quote(None, "new", NOW), Quote::Denied, "a name from nowhere is not a free pass");
}

#[test]
fn a_model_is_priced_once_and_the_table_has_an_end() {
    let mut table = table(&["a", "a*"]);
    assert_eq!(table.add(price("a", 2)), Err(NotAdded::SameModelAs(PriceIx(0))));
    assert_eq!(table.add(price("a*", 2)), Err(NotAdded::SameModelAs(PriceIx(1))));
    for nth in 2..65_535 {
        table.add(price(&format!("m{nth}"), 1)).unwrap();
    }
    assert_eq!(table.add(price("one more", 1)), Err(NotAdded::Full));
    assert_eq!(table.find("m65534", NOW), table.prices().last());
}

#[test]
fn a_providers_own_price_comes_before_that_of_the_name() {
    let table = table(&["*", "gpt-4o", "azure/gpt-4o*", "azure/*", "azure*"]);
    for (provider, model, entry) in [
        (Some("azure"), "gpt-4o", "azure/gpt-4o*"),
        (Some("azure"), "o3", "azure/*"),
        (Some("openai"), "gpt-4o", "gpt-4o"),
        (Some("openai"), "o3", "*"),
        (None, "azure/gpt-4o", "azure/gpt-4o*"),
    ] {
        assert_eq!(table.quote(provider, model, NOW).label(), entry, "{provider:?} {model}");
    }
}

#[test]
fn a_price_holds_from_its_day_until_the_next_one() {
    let day = |days: u64| UnixNanos(days * 86_400_000_000_000);
    let mut table = PriceTable::default();
    for (input, begins) in [(1, 0), (3, 20), (2, 10)] {
        table.add(from("m*", input, day(begins))).unwrap();
    }
    table.add(from("m-new", 9, day(15))).unwrap();
    assert_eq!(table.add(from("m*", 7, day(10))), Err(NotAdded::SameModelAs(PriceIx(2))));
    let rate = |model, now| table.find(model, now).map(|price| price.tariff.standard.base.input.0);
    for (model, now, input) in [
        ("m", day(0), Some(1)),
        ("m", UnixNanos(day(10).0 - 1), Some(1)),
        ("m", day(10), Some(2)),
        ("m", day(20), Some(3)),
        // Until its own price begins, a name has that of its beginning.
        ("m-new", day(14), Some(2)),
        ("m-new", day(15), Some(9)),
        ("x", day(15), None),
    ] {
        assert_eq!(rate(model, now), input, "{model} {now:?}");
    }
}

#[test]
fn a_long_context_and_a_served_tier_have_rates_of_their_own() {
    let rates = |input| RateCard { input: PicoUsdPerToken(input), ..RateCard::default() };
    let above = vec![(Tokens(100_000), rates(20)), (Tokens(200_000), rates(5))];
    let tariff = Tariff {
        standard: Schedule { base: rates(10), above },
        service_tiers: vec![("flex".into(), Schedule { base: rates(4), above: Vec::new() })],
        sells: Sells::default(),
    };
    let cost = |thousands: u64, tier| {
        tariff.cost(&Usage { input_tokens: Tokens(thousands * 1_000), ..Usage::default() }, tier).0
    };
    let at_border = Usage { input_tokens: Tokens(100_001), ..Usage::default() };
    assert_eq!(tariff.cost(&at_border, None), NanoUsd(2_001), "all its tokens, and rounded up once");
    assert_eq!([cost(100, None), cost(101, None), cost(201, None)], [1_000, 2_020, 1_005]);
    let guessed = |thousands: u64, most: u64| {
        let usage = Usage { input_tokens: Tokens(thousands * 1_000), ..Usage::default() };
        tariff.cost_as(&usage, Tokens(most * 1_000), &Served::default(), &Rates::default()).0
    };
    assert_eq!([guessed(90, 100), guessed(90, 101), guessed(150, 0)], [900, 1_800, 3_000]);
    assert_eq!(guessed(150, 201), 3_000, "cheaper rates above a border are none for a guess below it");
    let steep = Schedule { base: rates(10), above: vec![(Tokens(100_000), rates(50))] };
    let steep = Tariff { standard: steep, ..Tariff::default() };
    let usage = Usage { input_tokens: Tokens(90_000), ..Usage::default() };
    let steep = steep.cost_as(&usage, Tokens(101_000), &Served::default(), &Rates::default());
    assert_eq!(steep, NanoUsd(1_800), "most guesses are right: five times as much would be none");
    assert_eq!([cost(101, Some("flex")), cost(101, Some("default"))], [404, 2_020]);
    assert_eq!(tariff.ceiling(Tokens(1), Some("flex"), Brings::default()).input.0, 10, "another tier may serve");
    assert_eq!(tariff.ceiling(Tokens(300_000), None, Brings::default()).input.0, 10, "the input may turn out shorter");
}

#[test]
fn patterns_match_as_they_are_written() {
    assert!(Pattern::new("gpt-4").unwrap().matches("gpt-4"));
    assert!(!Pattern::new("gpt-4").unwrap().matches("gpt-4o"));
    assert!(Pattern::new("gpt-4*").unwrap().matches("gpt-4"));
    assert!(Pattern::new("*").unwrap().matches("anything"));
    assert_eq!([Pattern::new("a*b"), Pattern::new("*a"), Pattern::new("a**")], [None, None, None]);
}

#[test]
fn cached_input_is_part_of_the_input() {
    let rates = RateCard {
        input: PicoUsdPerToken(3_000_000),
        output: PicoUsdPerToken(15_000_000),
        cached_input: PicoUsdPerToken(300_000),
        cache_creation: PicoUsdPerToken(3_750_000),
        ..RateCard::default()
    };
    let usage = Usage {
        input_tokens: Tokens(1_000),
        output_tokens: Tokens(100),
        cached_input_tokens: Tokens(600),
        cache_creation_input_tokens: Tokens(300),
        ..Usage::default()
    };
    // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 100 × 15 USD per 1 M
    assert_eq!(rates.cost(&usage).to_string(), "0.003105");
}

#[test]
fn the_smallest_price_costs_a_nano_and_the_largest_saturates() {
    let usage = |tokens| Usage { output_tokens: Tokens(tokens), ..Usage::default() };
    let rates = |output| RateCard { output: PicoUsdPerToken(output), ..RateCard::default() };
    assert_eq!(rates(1).cost(&usage(1)), NanoUsd(1));
    assert_eq!(rates(1).cost(&usage(1_000)), NanoUsd(1));
    assert_eq!(rates(1).cost(&usage(1_001)), NanoUsd(2));
    assert_eq!(rates(0).cost(&usage(u64::MAX)), NanoUsd::ZERO);
    assert_eq!(rates(u64::MAX).cost(&usage(u64::MAX)), NanoUsd(u64::MAX));
}

/// Base 10⁹, least digit first: arithmetic of its own, so that no overflow of `u128` can hide in both sides of a test.
#[expect(clippy::arithmetic_side_effects, reason = "nine digits times nine digits fit a u64")]
mod longhand {
    const BASE: u64 = 1_000_000_000;

    fn digits(mut number: u64) -> [u64; 3] {
        std::array::from_fn(|_| {
            let digit = number % BASE;
            number /= BASE;
            digit
        })
    }

    /// The sum of the products, rounded up to whole thousands and divided by them; saturated to `u64`.
    pub fn cost(products: &[(u64, u64)]) -> u64 {
        let mut sum = [0_u64; 8];
        for &(left, right) in products {
            for (at, left) in digits(left).into_iter().enumerate() {
                for (shift, right) in digits(right).into_iter().enumerate() {
                    let mut carry = left * right;
                    for place in &mut sum[at + shift..] {
                        carry += *place;
                        *place = carry % BASE;
                        carry /= BASE;
                    }
                }
            }
        }
        let (mut rest, mut quotient) = (0, [0_u64; 8]);
        for place in (0..sum.len()).rev() {
            let value = rest * BASE + sum[place];
            quotient[place] = value / 1_000;
            rest = value % 1_000;
        }
        let whole = quotient.iter().rev().try_fold(0_u64, |value, digit| value.checked_mul(BASE)?.checked_add(*digit));
        whole.and_then(|value| value.checked_add(u64::from(rest > 0))).unwrap_or(u64::MAX)
    }

    #[test]
    fn longhand_is_right_itself() {
        assert_eq!(cost(&[(1, 1)]), 1);
        assert_eq!(cost(&[(1_000, 1), (1_000, 2)]), 3);
        assert_eq!(cost(&[(u64::MAX, 1_000)]), u64::MAX);
        assert_eq!(cost(&[(u64::MAX, 999)]), ((u128::from(u64::MAX) * 999).div_ceil(1_000)) as u64);
        assert_eq!(cost(&[(u64::MAX, u64::MAX); 4]), u64::MAX);
    }
}

prop_compose! {
    fn rates()(rates in [(); 10].map(|()| any_scale()), pieces in [(); 4].map(|()| any_scale())) -> RateCard {
        let [input, cached_input, cache_creation, cache_creation_1h, audio_input, image_input, output, reasoning,
            audio_output, image_output] = rates.map(PicoUsdPerToken);
        let [request, image, search_unit, web_search] = pieces.map(NanoUsd);
        RateCard {
            input, cached_input, cache_creation, cache_creation_1h, audio_input, image_input, output, reasoning,
            audio_output, image_output, request, image, search_unit, web_search, ..RateCard::default()
        }
    }
}

prop_compose! {
    /// As an answer's counts are made canonical: no part is more than its whole.
    fn usage()(input in [(); 5].map(|()| any_scale()), output in [(); 4].map(|()| any_scale()),
        images in any_scale(), search_units in any_scale(), web_searches in any_scale()) -> Usage {
        let sum = |parts: &[u64]| Tokens(parts.iter().fold(0, |sum: u64, part| sum.saturating_add(*part)));
        let [plain, cached, created, audio, image] = input.map(|part| part >> 3);
        let [text, reasoning, spoken, drawn] = output.map(|part| part >> 3);
        Usage {
            input_tokens: sum(&[plain, cached, created, audio, image]),
            output_tokens: sum(&[text, reasoning, spoken, drawn]),
            total_tokens: Tokens(0),
            cached_input_tokens: Tokens(cached),
            cache_creation_input_tokens: Tokens(created),
            cache_creation_1h_input_tokens: Tokens(created >> 1),
            reasoning_tokens: Tokens(reasoning),
            audio_input_tokens: Tokens(audio),
            image_input_tokens: Tokens(image),
            audio_output_tokens: Tokens(spoken),
            image_output_tokens: Tokens(drawn),
            images, search_units, web_searches,
            ..Usage::default()
        }
    }
}

fn ceiling(rates: RateCard) -> Ceiling {
    let tariff = Tariff {
        standard: Schedule { base: rates, above: Vec::new() },
        service_tiers: Vec::new(),
        sells: Sells::default(),
    };
    tariff.ceiling(Tokens(0), None, Brings::default())
}

/// Small and huge numbers alike; uniform `u64`s are almost all huge.
fn any_scale() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

proptest! {
    #[test]
    fn a_cost_is_the_exact_sum_rounded_up_once(rates in rates(), usage in usage()) {
        let created_1h = usage.cache_creation_1h_input_tokens.0;
        let created = usage.cache_creation_input_tokens.0 - created_1h;
        let (audio, image) = (usage.audio_input_tokens.0, usage.image_input_tokens.0);
        let plain = usage.input_tokens.0 - usage.cached_input_tokens.0 - created - created_1h - audio - image;
        let (spoken, drawn) = (usage.audio_output_tokens.0, usage.image_output_tokens.0);
        let text = usage.output_tokens.0 - usage.reasoning_tokens.0 - spoken - drawn;
        // A nano-USD is a thousand pico-USD; the factors stay below base 10⁹'s three digits.
        let pieces = [(rates.request, 1), (rates.image, usage.images), (rates.search_unit, usage.search_units),
            (rates.web_search, usage.web_searches)];
        let mut products = vec![
            (rates.input.0, plain), (rates.cached_input.0, usage.cached_input_tokens.0), (rates.cache_creation.0, created),
            (rates.cache_creation_1h.0, created_1h), (rates.audio_input.0, audio), (rates.image_input.0, image),
            (rates.output.0, text), (rates.reasoning.0, usage.reasoning_tokens.0), (rates.audio_output.0, spoken),
            (rates.image_output.0, drawn),
        ];
        for (price, count) in pieces {
            // A thousand times, by adding: the product of a price and a thousand may not fit.
            products.extend(std::iter::repeat_n((price.0, count), 1_000));
        }
        prop_assert_eq!(rates.cost(&usage), NanoUsd(longhand::cost(&products)));
    }

    #[test]
    fn more_output_or_plain_input_never_costs_less(rates in rates(), usage in usage(), more in any_scale()) {
        let output = Usage { output_tokens: usage.output_tokens.plus(Tokens(more)), ..usage };
        let input = Usage { input_tokens: usage.input_tokens.plus(Tokens(more)), ..usage };
        prop_assert!(rates.cost(&output) >= rates.cost(&usage));
        prop_assert!(rates.cost(&input) >= rates.cost(&usage));
    }

    #[test]
    fn the_worst_case_covers_every_split_of_the_input(rates in rates(), usage in usage()) {
        let usage = Usage { web_searches: 0, ..usage };
        let items = Items { images: usage.images, search_units: usage.search_units, ..Items::default() };
        let tariff = Tariff { standard: Schedule { base: rates, above: Vec::new() }, service_tiers: Vec::new(), sells: Sells::default() };
        let worst = |usage: &Usage, writes| {
            let ceiling = tariff.ceiling(usage.input_tokens, None, Brings { attachments: true, writes, items });
            ceiling.worst_case(usage.input_tokens, usage.output_tokens).plus(NanoUsd(1))
        };
        prop_assert!(rates.cost(&usage) <= worst(&usage, Writes::Long));
        // What is not written can't be charged as written.
        let short = Usage { cache_creation_1h_input_tokens: Tokens(0), ..usage };
        prop_assert!(rates.cost(&short) <= worst(&short, Writes::Short));
        let nothing = Usage { cache_creation_input_tokens: Tokens(0), ..short };
        prop_assert!(rates.cost(&nothing) <= worst(&nothing, Writes::Nothing));
    }

    /// `u64::MAX` is where costs saturate, so nothing is above that budget.
    #[test]
    fn the_output_within_a_budget_is_the_most_that_fits(rates in rates(), input in any_scale(), budget in 0..u64::MAX) {
        let (input, budget, ceiling) = (Tokens(input), NanoUsd(budget), ceiling(rates));
        match ceiling.output_within(input, budget) {
            None => prop_assert!(ceiling.worst_case(input, Tokens(0)) > budget),
            Some(most) => {
                prop_assert!(ceiling.worst_case(input, most) <= budget);
                prop_assert!(most == Tokens(u64::MAX) || ceiling.worst_case(input, most.plus(Tokens(1))) > budget);
            }
        }
    }

    #[test]
    fn a_lookup_is_the_longest_match_by_hand(models in proptest::collection::vec("[ab]{0,4}\\*?", 0..12), model in "[ab*é]{0,6}") {
        let mut table = PriceTable::default();
        for model in &models {
            let _ = table.add(price(model, 1));
        }
        let by_hand = table.prices().iter().filter(|price| price.model.matches(&model)).max_by_key(|price| {
            let text = price.model.as_str();
            (!text.ends_with('*'), text.len())
        });
        prop_assert_eq!(table.find(&model, NOW), by_hand);
    }
}
