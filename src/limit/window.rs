//! A strict rolling window: no interval of its length ever admits more than the limit.
//!
//! Trade-off: a log of arrivals would be exact and unbounded; two buckets weighted by time would be small and
//! let bursts through. A ring of sub-windows, the oldest counted whole, never lets one through and gives
//! room back up to one sub-window (a twentieth) late.

use super::cell::{put, take, take_u64};
use crate::units::UnixNanos;

/// Sub-windows of a window.
const PARTS: u64 = 20;
/// An interval of the window's length touches at most this many sub-windows.
const SLOTS: usize = 21;
const RING: u64 = 21;
pub const ENCODED: usize = 8 + SLOTS * 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Minute,
    Hour,
    Day,
}

impl Span {
    const fn part(self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        match self {
            Self::Minute => 60 * SECOND / PARTS,
            Self::Hour => 3_600 * SECOND / PARTS,
            Self::Day => 86_400 * SECOND / PARTS,
        }
    }

    fn slot(self, at: UnixNanos) -> u64 {
        at.0.checked_div(self.part()).unwrap_or(0)
    }
}

/// Counts per sub-window. `head` is the number of the newest one; slot `n` stands at index `n mod 21`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    head: u64,
    counts: [u32; SLOTS],
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % RING).unwrap_or(0)
}

fn clip(amount: u64) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}

impl Window {
    /// Moves on to `now`. Workers' clocks differ by a little, so time never runs backwards here; a clock that was
    /// set back by more than a whole window starts it afresh rather than freezing the tenant.
    pub fn roll(&mut self, span: Span, now: UnixNanos) {
        let slot = span.slot(now);
        let passed = slot.saturating_sub(self.head);
        if passed >= RING || self.head.saturating_sub(slot) >= RING {
            *self = Self { head: slot, counts: [0; SLOTS] };
            return;
        }
        for _ in 0..passed {
            self.head = self.head.saturating_add(1);
            self.put(self.head, 0);
        }
    }

    fn get(&self, slot: u64) -> u64 {
        self.counts.get(index(slot)).copied().map_or(0, u64::from)
    }

    fn put(&mut self, slot: u64, count: u64) {
        if let Some(place) = self.counts.get_mut(index(slot)) {
            *place = clip(count);
        }
    }

    pub fn used(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(u64::from(*count)))
    }

    pub fn add(&mut self, amount: u64) {
        self.put(self.head, self.get(self.head).saturating_add(amount));
    }

    /// Counts where [`Window::settle`] will look for it, also when this worker's clock is a little behind.
    pub fn reserve(&mut self, span: Span, at: UnixNanos, amount: u64) {
        self.settle(span, at, 0, amount);
    }

    /// Replaces what was reserved at `at` by what it came to. If that sub-window is gone, its reservation is
    /// forgotten with it and only the excess counts, now.
    pub fn settle(&mut self, span: Span, at: UnixNanos, reserved: u64, actual: u64) {
        let slot = span.slot(at);
        let age = self.head.saturating_sub(slot);
        if age < RING && slot <= self.head {
            let rest = self.get(slot).saturating_sub(u64::from(clip(reserved)));
            self.put(slot, rest.saturating_add(actual));
        } else {
            self.add(actual.saturating_sub(reserved));
        }
    }

    /// Nanoseconds until `needed` more fit under `limit`, if nothing else arrives; `None` if they never can.
    pub fn wait(&self, span: Span, now: UnixNanos, limit: u64, needed: u64) -> Option<u64> {
        let room = limit.checked_sub(needed)?;
        let mut used = self.used();
        let oldest = self.head.saturating_sub(PARTS);
        for slot in oldest..=self.head {
            if used <= room {
                return Some(self.lapses(span, slot.saturating_sub(1)).saturating_sub(now.0));
            }
            used = used.saturating_sub(self.get(slot));
        }
        Some(self.lapses(span, self.head).saturating_sub(now.0))
    }

    /// Nanoseconds until everything counted now has left the window.
    pub fn clears_in(&self, span: Span, now: UnixNanos) -> u64 {
        match self.used() {
            0 => 0,
            _ => self.lapses(span, self.head).saturating_sub(now.0),
        }
    }

    /// When `slot` is counted no more.
    fn lapses(&self, span: Span, slot: u64) -> u64 {
        slot.saturating_add(RING).saturating_mul(span.part())
    }

    pub fn encode(&self, out: &mut &mut [u8]) {
        put(out, self.head.to_le_bytes());
        self.counts.iter().for_each(|count| put(out, count.to_le_bytes()));
    }

    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { head: take_u64(bytes)?, counts: take(bytes, u32::from_le_bytes)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000_000_000;

    proptest! {
        /// The documented promise, over random arrivals: any interval of a window's length admits at most the limit.
        #[test]
        fn no_interval_of_the_length_admits_more_than_the_limit(
            limit in 1u64..40,
            gaps in prop::collection::vec(0u64..9_000_000_000, 1..400),
        ) {
            let (mut window, mut now) = (Window::default(), 1_700_000_000_000_000_000u64);
            let mut admitted = Vec::new();
            for gap in gaps {
                now += gap;
                window.roll(Span::Minute, UnixNanos(now));
                if window.used() < limit {
                    window.add(1);
                    admitted.push(now);
                }
            }
            for (first, start) in admitted.iter().enumerate() {
                let inside = admitted[first..].iter().filter(|at| **at < start + MINUTE).count() as u64;
                prop_assert!(inside <= limit, "{inside} admitted within a minute, limit {limit}");
            }
        }

        /// `wait` is the truth: one nanosecond earlier the request does not fit, at that moment it does.
        #[test]
        fn waiting_as_told_is_enough_and_not_too_much(
            limit in 1u64..20,
            gaps in prop::collection::vec(0u64..5_000_000_000, 1..60),
        ) {
            let (mut window, mut now) = (Window::default(), 1_700_000_000_000_000_000u64);
            for gap in gaps {
                now += gap;
                window.roll(Span::Minute, UnixNanos(now));
                if window.used() < limit {
                    window.add(1);
                    continue;
                }
                let wait = window.wait(Span::Minute, UnixNanos(now), limit, 1).unwrap();
                prop_assert!(wait > 0 && wait <= MINUTE + MINUTE / 20);
                let (mut early, mut late) = (window.clone(), window.clone());
                early.roll(Span::Minute, UnixNanos(now + wait - 1));
                late.roll(Span::Minute, UnixNanos(now + wait));
                prop_assert!(early.used() >= limit && late.used() < limit);
            }
        }
    }

    #[test]
    fn a_worker_whose_clock_is_behind_counts_into_the_newest_sub_window() {
        let mut window = Window::default();
        window.roll(Span::Minute, UnixNanos(10 * MINUTE));
        window.add(1);
        window.roll(Span::Minute, UnixNanos(10 * MINUTE - 5_000_000));
        window.add(1);
        assert_eq!(window.used(), 2);
    }

    #[test]
    fn settling_corrects_where_it_was_reserved_and_only_debt_outlives_the_window() {
        let mut window = Window::default();
        let at = UnixNanos(10 * MINUTE);
        window.roll(Span::Minute, at);
        window.add(1_000);
        window.settle(Span::Minute, at, 1_000, 40);
        assert_eq!(window.used(), 40);
        window.roll(Span::Minute, UnixNanos(20 * MINUTE));
        window.settle(Span::Minute, at, 1_000, 400);
        assert_eq!(window.used(), 0);
        window.settle(Span::Minute, at, 1_000, 1_400);
        assert_eq!(window.used(), 400);
    }
}
