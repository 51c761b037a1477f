use super::*;
use crate::hash::fnv;
use proptest::prelude::*;

const KEYS: u64 = 100_000;

fn split(weights: &[(&str, u64)]) -> Split {
    let variants =
        weights.iter().map(|(model, weight)| Variant { model: (*model).into(), weight: *weight, canary: None });
    Split::new("chat".into(), Sticky::User, variants.collect())
}

fn first(split: &Split, key: u64) -> &str {
    &split.ranked(key)[0].model
}

/// Keys as they come: hashes of texts.
fn key(nth: u64) -> u64 {
    fnv(format!("user-{nth}").into_bytes())
}

/// Five standard deviations of as many throws, squared: by chance once in two million.
fn is_within(found: u64, share: u64, of: u64) -> bool {
    let [found, share, of, count] = [found, share, of, KEYS].map(i128::from);
    (found * of - count * share).pow(2) <= 25 * count * share * (of - share)
}

#[test]
fn each_variant_gets_its_share() {
    for weights in [
        &[("a", 90), ("b", 10)][..],
        &[("a", 1), ("b", 1)],
        &[("gpt-4o", 9_999), ("gpt-4o-mini", 1)],
        &[("a", 50), ("b", 30), ("c", 20)],
        &[("a", 5), ("b", 1), ("c", 1), ("d", 1), ("e", 2)],
        &[("only", 7)],
    ] {
        let split = split(weights);
        let all = weights.iter().map(|(_, weight)| weight).sum();
        for keys in [key as fn(u64) -> u64, |nth| nth] {
            for (model, weight) in weights {
                let found = (0..KEYS).filter(|nth| first(&split, keys(*nth)) == *model).count() as u64;
                assert!(is_within(found, *weight, all), "{weights:?}: {found} of {KEYS} for {model}");
            }
        }
    }
}

/// Two experiments at once: who is in the small part of one is no more likely in that of the other.
#[test]
fn splits_draw_independently_of_each_other() {
    let one = split(&[("a", 90), ("b", 10)]);
    let other = Split { name: "code".into(), ..split(&[("a", 90), ("b", 10)]) };
    let both = (0..KEYS).filter(|nth| [&one, &other].iter().all(|split| first(split, key(*nth)) == "b")).count();
    assert!(is_within(both as u64, 1, 100), "{both}");
}

#[test]
fn from_90_10_to_80_20_a_tenth_moves_and_only_from_the_one_to_the_other() {
    let (before, after) = (split(&[("a", 90), ("b", 10)]), split(&[("a", 80), ("b", 20)]));
    let moved: Vec<_> = (0..KEYS)
        .map(|nth| (first(&before, key(nth)), first(&after, key(nth))))
        .filter(|(from, to)| from != to)
        .collect();
    assert!(moved.iter().all(|way| *way == ("a", "b")));
    assert!(is_within(moved.len() as u64, 1, 10), "{}", moved.len());
}

#[test]
fn a_new_variant_takes_its_share_from_all_others_and_moves_nobody_else() {
    let (before, after) = (split(&[("a", 60), ("c", 30)]), split(&[("a", 60), ("b", 10), ("c", 30)]));
    let moved = (0..KEYS).filter(|nth| {
        let (from, to) = (first(&before, key(*nth)), first(&after, key(*nth)));
        assert!(to == from || to == "b", "{from} to {to}");
        to != from
    });
    assert!(is_within(moved.count() as u64, 1, 10));
}

proptest! {
    /// Of any weights, and any others: nobody moves who need not. With it, whoever asks again has the same, in whatever order the
    /// variants were read, and one that goes leaves its own to the next in their order.
    #[test]
    fn who_moves_goes_where_the_weight_has_grown_against_that_of_the_one_he_leaves(
        weights in prop::collection::vec((1..=10_000_u64, 1..=10_000_u64), 1..6),
        keys in prop::collection::vec(any::<u64>(), 20),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let before: Vec<_> = names.into_iter().zip(&weights).map(|(name, (weight, _))| (name, *weight)).collect();
        let after: Vec<_> = names.into_iter().zip(&weights).map(|(name, (_, weight))| (name, *weight)).collect();
        let turned: Vec<_> = before.iter().rev().copied().collect();
        let of = |weights: &[(&str, u64)], name: &str| weights.iter().find(|(known, _)| *known == name).unwrap().1;
        for key in keys {
            let ranked = |weights: &[(&str, u64)]| {
                split(weights).ranked(key).iter().map(|variant| variant.model.to_string()).collect::<Vec<_>>()
            };
            let order = ranked(&before);
            prop_assert_eq!(&order, &ranked(&turned));
            let (from, to) = (&order[0], &ranked(&after)[0]);
            if from != to {
                prop_assert!(of(&after, to) * of(&before, from) > of(&before, to) * of(&after, from));
            }
            if order.len() > 1 {
                let rest: Vec<_> = before.iter().copied().filter(|(name, _)| name != from).collect();
                prop_assert_eq!(&order[1..], &ranked(&rest)[..]);
            }
        }
    }
}
