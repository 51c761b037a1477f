use super::*;
use crate::hash::fnv;
use proptest::prelude::*;

const KEYS: u64 = 100_000;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Providers of these weights, whose places are theirs in this order.
fn weights(of: &[u64], places: &[usize]) -> Weights {
    let weighted = |(place, nth): (usize, &usize)| Weighted {
        provider: ProviderIx(place as u16),
        name: NAMES[*nth].into(),
        weight: of[*nth],
    };
    Weights { sticky: Sticky::Conversation, of: places.iter().enumerate().map(weighted).collect() }
}

/// The names of those of them that may serve, in the order in which they do.
fn order(weights: &Weights, key: u64, may: impl Fn(&str) -> bool) -> Vec<Rc<str>> {
    let hop = |it: &Weighted| Hop { provider: it.provider, model: String::new() };
    let mut chain: Vec<_> = weights.of.iter().filter(|it| may(&it.name)).map(hop).collect();
    weights.order(&mut chain, key);
    let name = |hop: &Hop| weights.of.iter().find(|it| it.provider == hop.provider).unwrap().name.clone();
    chain.iter().map(name).collect()
}

/// Five standard deviations of as many throws, squared: by chance once in two million.
fn is_within(found: u64, share: u64, of: u64, count: u64) -> bool {
    let [found, share, of, count] = [found, share, of, count].map(i128::from);
    (found * of - count * share).pow(2) <= 25 * count * share * (of - share)
}

#[test]
fn each_provider_is_the_first_for_its_share_and_the_next_by_the_weights_of_the_rest() {
    let (of, places) = ([70, 20, 10], [0, 1, 2]);
    let weights = weights(&of, &places);
    let orders: Vec<_> = (0..KEYS).map(|nth| order(&weights, fnv(nth.to_le_bytes()), |_| true)).collect();
    for (name, weight) in NAMES.iter().zip(of) {
        let first = orders.iter().filter(|order| &*order[0] == *name).count() as u64;
        assert!(is_within(first, weight, 100, KEYS), "{name}: {first}");
    }
    let of_a: Vec<_> = orders.iter().filter(|order| &*order[0] == "a").collect();
    let then_b = of_a.iter().filter(|order| &*order[1] == "b").count() as u64;
    assert!(is_within(then_b, 2, 3, of_a.len() as u64), "{then_b} of {}", of_a.len());
}

proptest! {
    /// The same key has the same providers, in whatever order they were written; and one that is out leaves its own to the next in
    /// their order, and moves nobody else.
    #[test]
    fn nobody_moves_but_who_must(
        (of, places) in prop::collection::vec(1..=10_000_u64, 2..=5).prop_flat_map(|of| {
            let places = Just((0..of.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(of), places)
        }),
        keys in prop::collection::vec(any::<u64>(), 20),
        out in 0..5_usize,
    ) {
        let written: Vec<_> = (0..of.len()).collect();
        let out = NAMES[out % of.len()];
        for key in keys {
            let all = order(&weights(&of, &written), key, |_| true);
            prop_assert_eq!(&all, &order(&weights(&of, &places), key, |_| true));
            let rest: Vec<_> = all.iter().filter(|name| &***name != out).cloned().collect();
            prop_assert_eq!(&rest, &order(&weights(&of, &places), key, |name| name != out));
        }
    }
}
