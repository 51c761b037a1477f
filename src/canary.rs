//! Variants that are watched: what all workers know of each, and when it has passed its bounds.
//!
//! What is shared is a few counts of the last five minutes, and since when it is out. Trade-off: each worker adds its own once a second,
//! so a canary gets requests for up to two seconds after the one that was one too many. And out is out: a canary that came back by itself
//! would fail the same users every five minutes.

use crate::outcome::Outcome;
use crate::record::Record;
use crate::route::{Canary, Split};
use crate::units::{NanoUsd, UnixNanos};

/// What came of requests that got a canary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub failed: u64,
    pub cost: NanoUsd,
}

impl Counts {
    /// Of a request that was sent on. Those whose client left, or had no more money, say nothing.
    pub fn of(record: &Record) -> Option<Self> {
        let failed = match record.outcome {
            Outcome::Success => 0,
            Outcome::ProviderUnavailable
            | Outcome::ProviderRejected
            | Outcome::ProviderRateLimited
            | Outcome::ProviderError
            | Outcome::ProviderAborted => 1,
            _ => return None,
        };
        record.admitted.then(|| Self { requests: 1, failed, cost: record.bill.charged() })
    }

    pub fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.failed = self.failed.saturating_add(more.failed);
        self.cost = self.cost.plus(more.cost);
    }

    /// Whether they are beyond what a canary may come to.
    fn pass(&self, bounds: &Canary) -> bool {
        let [requests, failed, cost] = [self.requests, self.failed, self.cost.0].map(u128::from);
        let fails = |percent: u64| failed.saturating_mul(100) > requests.saturating_mul(percent.into());
        let is_dear = |mean: NanoUsd| cost > requests.saturating_mul(mean.0.into());
        self.requests >= bounds.least_requests
            && (bounds.errors_percent.is_some_and(fails) || bounds.mean_cost.is_some_and(is_dear))
    }
}

/// Slices of the window: the last is still filling.
const SLICES: usize = 10;
const SLICE_SECONDS: u64 = 30;

/// What all workers know of a canary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Each with its number since 1970, at the place of its remainder.
    slices: [(u64, Counts); SLICES],
    /// The second (Unix) since when it is out.
    pub out_since: Option<u64>,
}

const VERSION: u8 = 1;
const PER_SLICE: usize = 32;

impl Watched {
    pub fn add(&mut self, counts: Counts, bounds: &Canary, now: UnixNanos) {
        let seconds = now.0 / 1_000_000_000;
        let number = seconds / SLICE_SECONDS;
        let place = number.checked_rem(SLICES as u64).and_then(|at| usize::try_from(at).ok());
        let place = place.and_then(|at| self.slices.get_mut(at));
        if let Some((of, known)) = place {
            if *of != number {
                (*of, *known) = (number, Counts::default());
            }
            known.add(counts);
        }
        if self.recent(number).pass(bounds) {
            self.out_since.get_or_insert(seconds);
        }
    }

    /// All of the window. A clock that was set back has no future.
    fn recent(&self, number: u64) -> Counts {
        let is_recent = |of: u64| number.checked_sub(of).is_some_and(|age| age < SLICES as u64);
        let mut all = Counts::default();
        self.slices.iter().filter(|(of, _)| is_recent(*of)).for_each(|(_, counts)| all.add(*counts));
        all
    }

    /// Of an unknown version: nothing.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (out_since, rest) = rest.split_first_chunk::<8>()?;
        let (written, []) = rest.as_chunks::<PER_SLICE>() else { return None };
        let written: &[[u8; PER_SLICE]; SLICES] = written.try_into().ok()?;
        if *version != VERSION {
            return None;
        }
        let out_since = Some(u64::from_le_bytes(*out_since)).filter(|since| *since > 0);
        let slices = written.map(|slice| {
            let mut numbers = slice.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
            let mut next = || numbers.next().unwrap_or_default();
            (next(), Counts { requests: next(), failed: next(), cost: NanoUsd(next()) })
        });
        Some(Self { slices, out_since })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.out_since.unwrap_or_default().to_le_bytes());
        for (number, Counts { requests, failed, cost }) in &self.slices {
            [*number, *requests, *failed, cost.0].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        }
        bytes
    }
}

/// What makes a split this and no other: what is known of a canary holds until somebody writes the split anew.
pub fn fingerprint(split: &Split) -> u64 {
    crate::hash::fnv(format!("{split:?}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixNanos {
        UnixNanos((NOON + seconds) * 1_000_000_000)
    }

    fn bounds(errors_percent: Option<u64>, mean_cost: Option<u64>, least_requests: u64) -> Canary {
        Canary { errors_percent, mean_cost: mean_cost.map(NanoUsd), least_requests }
    }

    fn counts(requests: u64, failed: u64, cost: u64) -> Counts {
        Counts { requests, failed, cost: NanoUsd(cost) }
    }

    #[test]
    fn a_canary_is_out_when_it_passes_a_bound_and_not_before() {
        for (errors, mean, least, seen, is_out) in [
            (Some(5), None, 20, counts(20, 1, 0), false),
            (Some(5), None, 20, counts(20, 2, 0), true),
            (Some(5), None, 20, counts(19, 19, 0), false),
            (Some(100), None, 1, counts(9, 9, 0), false),
            (None, Some(10), 1, counts(9, 9, 90), false),
            (None, Some(10), 1, counts(9, 0, 91), true),
            (Some(50), Some(10), 2, counts(2, 1, 21), true),
            (Some(50), Some(10), 2, counts(u64::MAX, 1, u64::MAX), false),
        ] {
            let mut canary = Watched::default();
            canary.add(seen, &bounds(errors, mean, least), at(7));
            assert_eq!(canary.out_since, is_out.then_some(NOON + 7), "{seen:?}");
        }
    }

    #[test]
    fn what_is_older_than_five_minutes_counts_no_more_and_out_is_out() {
        let bounds = bounds(Some(10), None, 10);
        let mut canary = Watched::default();
        canary.add(counts(9, 9, 0), &bounds, at(0));
        let mut later = canary.clone();
        later.add(counts(1, 0, 0), &bounds, at(301));
        assert_eq!(later.out_since, None);
        canary.add(counts(1, 0, 0), &bounds, at(269));
        assert_eq!(canary.out_since, Some(NOON + 269));
        canary.add(counts(1_000_000, 0, 0), &bounds, at(100_000));
        assert_eq!(canary.out_since, Some(NOON + 269));
        // A clock that is set back looks at what was then.
        later.add(counts(9, 0, 0), &bounds, at(0));
        assert_eq!(later.recent(NOON / SLICE_SECONDS), counts(9, 0, 0));
    }

    proptest! {
        /// In whatever order and pieces the workers bring it, all are told the same; and no bytes are more than they say.
        #[test]
        fn what_is_known_is_the_sum_of_what_was_brought_and_survives_its_bytes(
            brought in prop::collection::vec((0..300_u64, 0..9_u64, 0..9_u64), 0..40),
            cut in 0..400_usize,
            version in any::<u8>(),
        ) {
            let never = bounds(None, None, 1);
            let mut canary = Watched::default();
            let mut times: Vec<_> = brought.iter().map(|(at, ..)| *at).collect();
            times.sort_unstable();
            for (time, (_, requests, cost)) in times.iter().zip(&brought) {
                canary = Watched::decode(&canary.encode());
                canary.add(counts(*requests, *requests / 2, *cost), &never, at(*time));
            }
            let now = (NOON + times.last().copied().unwrap_or(0)) / SLICE_SECONDS;
            let mut sum = Counts::default();
            let recent = |time: &u64| now - (NOON + time) / SLICE_SECONDS < SLICES as u64;
            for (_, (_, requests, cost)) in times.iter().zip(&brought).filter(|(time, _)| recent(time)) {
                sum.add(counts(*requests, *requests / 2, *cost));
            }
            prop_assert_eq!(canary.recent(now), sum);
            let mut bytes = canary.encode();
            prop_assert_eq!(&Watched::decode(&bytes), &canary);
            prop_assert!(cut >= bytes.len() || Watched::decode(&bytes[..cut]) == Watched::default());
            bytes[0] = version;
            prop_assert!(version == VERSION || Watched::decode(&bytes) == Watched::default());
        }
    }
}
