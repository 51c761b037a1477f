use proptest::prelude::*;

use super::*;

fn price(model: &str, input: u64) -> Price {
    let rates = Rates { input: PicoUsdPerToken(input), ..Rates::default() };
    Price { model: Pattern::new(model).unwrap(), rates, bound_field: BoundField::default() }
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
        assert_eq!(table.quote(model).label(), entry, "{model}");
    }
}

#[test]
fn a_model_without_a_price_meets_the_policy() {
    let mut table = table(&["gpt-4o"]);
    assert_eq!(table.quote("new"), Quote::Denied);
    table.set_unpriced(Unpriced::Allow);
    assert_eq!(table.quote("new"), Quote::Free);
    table.set_unpriced(Unpriced::PriceAs(PriceIx(0)));
    let quote = table.quote("new");
    assert_eq!(quote, Quote::PricedAs { price: &table.prices()[0] });
    assert_eq!((quote.label(), quote.price().unwrap().model.as_str()), ("other", "gpt-4o"));
    table.set_unpriced(Unpriced::PriceAs(PriceIx(9)));
    assert_eq!(table.quote("new"), Quote::Denied, "an index from nowhere is not a free pass");
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
    assert_eq!(table.find("m65534"), Some(PriceIx(65_534)));
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
    let rates = Rates {
        input: PicoUsdPerToken(3_000_000),
        output: PicoUsdPerToken(15_000_000),
        cached_input: PicoUsdPerToken(300_000),
        cache_creation: PicoUsdPerToken(3_750_000),
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
    let rates = |output| Rates { output: PicoUsdPerToken(output), ..Rates::default() };
    assert_eq!(rates(1).cost(&usage(1)), NanoUsd(1));
    assert_eq!(rates(1).cost(&usage(1_000)), NanoUsd(1));
    assert_eq!(rates(1).cost(&usage(1_001)), NanoUsd(2));
    assert_eq!(rates(0).cost(&usage(u64::MAX)), NanoUsd::ZERO);
    assert_eq!(rates(u64::MAX).cost(&usage(u64::MAX)), NanoUsd::MAX);
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
    fn rates()(rates in [any_scale(), any_scale(), any_scale(), any_scale()]) -> Rates {
        let [input, output, cached_input, cache_creation] = rates.map(PicoUsdPerToken);
        Rates { input, output, cached_input, cache_creation }
    }
}

prop_compose! {
    fn usage()(tokens in [any_scale(), any_scale(), any_scale(), any_scale()]) -> Usage {
        let [input_tokens, output_tokens, cached_input_tokens, cache_creation_input_tokens] = tokens.map(Tokens);
        Usage { input_tokens, output_tokens, cached_input_tokens, cache_creation_input_tokens, ..Usage::default() }
    }
}

/// Small and huge numbers alike; uniform `u64`s are almost all huge.
fn any_scale() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

proptest! {
    #[test]
    fn a_cost_is_the_exact_sum_rounded_up_once(rates in rates(), usage in usage()) {
        let (cached, creation) = (usage.cached_input_tokens.0, usage.cache_creation_input_tokens.0);
        let plain = usage.input_tokens.0.saturating_sub(cached).saturating_sub(creation);
        let exact = longhand::cost(&[
            (rates.input.0, plain),
            (rates.cached_input.0, cached),
            (rates.cache_creation.0, creation),
            (rates.output.0, usage.output_tokens.0),
        ]);
        prop_assert_eq!(rates.cost(&usage), NanoUsd(exact));
    }

    #[test]
    fn more_output_or_plain_input_never_costs_less(rates in rates(), usage in usage(), more in any_scale()) {
        let output = Usage { output_tokens: usage.output_tokens.plus(Tokens(more)), ..usage };
        let input = Usage { input_tokens: usage.input_tokens.plus(Tokens(more)), ..usage };
        prop_assert!(rates.cost(&output) >= rates.cost(&usage));
        prop_assert!(rates.cost(&input) >= rates.cost(&usage));
    }

    /// Rounding once means that a call in parts is never cheaper than the whole, and dearer by less than a nano each.
    #[test]
    fn the_parts_cost_the_whole_and_a_nano_at_most(rates in rates(), usage in usage()) {
        let parts = [
            Usage { output_tokens: Tokens(0), ..usage },
            Usage { output_tokens: usage.output_tokens, ..Usage::default() },
        ];
        let sum = parts.iter().fold(NanoUsd::ZERO, |sum, part| sum.plus(rates.cost(part)));
        let whole = rates.cost(&usage);
        prop_assert!(whole <= sum && sum.0 <= whole.0.saturating_add(1));
    }

    #[test]
    fn the_worst_case_covers_every_split_of_the_input(rates in rates(), usage in usage()) {
        let parts = usage.cached_input_tokens.0.checked_add(usage.cache_creation_input_tokens.0);
        prop_assume!(parts.is_some_and(|parts| parts <= usage.input_tokens.0));
        prop_assert!(rates.cost(&usage) <= rates.worst_case(usage.input_tokens, usage.output_tokens));
    }

    /// `u64::MAX` is where costs saturate, so nothing is above that budget.
    #[test]
    fn the_output_within_a_budget_is_the_most_that_fits(rates in rates(), input in any_scale(), budget in 0..u64::MAX) {
        let (input, budget) = (Tokens(input), NanoUsd(budget));
        match rates.output_within(input, budget) {
            None => prop_assert!(rates.worst_case(input, Tokens(0)) > budget),
            Some(most) => {
                prop_assert!(rates.worst_case(input, most) <= budget);
                prop_assert!(most == Tokens(u64::MAX) || rates.worst_case(input, most.plus(Tokens(1))) > budget);
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
        prop_assert_eq!(table.quote(&model).price(), by_hand);
    }
}
