//! Sorting, as one function for all types.
//!
//! Trade-off: the standard library's sorts are faster for large numbers of small things, and some nine kilobytes of WebAssembly for each
//! type that is sorted. Envoy compiles all of it whenever it starts, and what is sorted here is a few things, or is sorted once.

use std::cmp::Ordering;

/// Up to so many are sorted by exchanging neighbours.
const FEW: usize = 16;

/// Equals stay in their order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut are = |items: &[T], one: usize, other: usize| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    };
    if items.len() <= FEW {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && are(items, at.saturating_sub(1), at).is_gt() {
                items.swap(at, at.saturating_sub(1));
                at = at.saturating_sub(1);
            }
        }
        return;
    }
    let mut from = sorted(items.len(), &mut |one, other| are(items, one, other));
    // Each goes to its place along the circle that it is in.
    for start in 0..items.len() {
        let mut at = start;
        while let Some(next) = from.get_mut(at).map(|place| std::mem::replace(place, at)).filter(|next| *next != at) {
            if next == start {
                break;
            }
            items.swap(at, next);
            at = next;
        }
    }
}

pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// The places of so many things in their order, by merging what is sorted so far in runs that double.
fn sorted(length: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..length).collect();
    let mut merged = Vec::with_capacity(length);
    let mut run = 1_usize;
    while run < length {
        merged.clear();
        for pair in places.chunks(run.saturating_mul(2)) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let (Some((one, others)), Some((other, rest))) = (left.split_first(), right.split_first()) {
                if compare(*one, *other).is_gt() {
                    merged.push(*other);
                    right = rest;
                } else {
                    merged.push(*one);
                    left = others;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut places, &mut merged);
        run = run.saturating_mul(2);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_the_standard_library(items in prop::collection::vec((0..20_u8, any::<u16>()), 0..120)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut ours = items.clone();
            sort_by_key(&mut ours, |(key, _)| *key);
            prop_assert_eq!(ours, expected);
            let (mut expected, mut ours) = (items.clone(), items);
            expected.sort();
            sort(&mut ours);
            prop_assert_eq!(ours, expected);
        }
    }

    /// However it lies, a thousand things are compared ten thousand times at most.
    #[test]
    fn no_order_takes_longer_than_its_length_and_logarithm() {
        for of in [|at: u32| at, |at| 1_000 - at, |at| at % 2, |at| at * 7_919 % 1_009, |_| 1] {
            let mut items: Vec<u32> = (0..1_000).map(of).collect();
            let mut times = 0;
            sort_by(&mut items, |one, other| {
                times += 1;
                one.cmp(other)
            });
            assert!(items.is_sorted() && times <= 10_000, "{times}");
        }
    }
}
