//! A strict rolling window: no interval of its length ever admits more than the limit.
//!
//! Trade-off: a log of arrivals would be exact and unbounded; two buckets weighted by time would be small and
//! let bursts through. A ring of sub-windows, each counted whole until the latest arrival in it is as old as the window is
//! long, never lets one through, and tells nobody to wait for longer than that.

use super::bytes::{put, put_all, take_bytes, take_u64};
use crate::units::UnixNanos;

/// Sub-windows of a window.
const PARTS: u64 = 20;
/// An interval of the window's length touches at most this many sub-windows.
const SLOTS: usize = 21;
const RING: u64 = 21;
pub const ENCODED: usize = ENCODED_FIRST + SLOTS * 2;
/// Of a cell's first version.
pub const ENCODED_FIRST: usize = 8 + SLOTS * 4;

/// Steps in which a sub-window's latest arrival is kept: some 50 microseconds of a minute's, 70 milliseconds of a day's.
const STEPS: u64 = u16::MAX as u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Minute,
    Hour,
    Day,
}

impl Span {
    /// As in "requests per minute".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    const fn part(self) -> u64 {
        self.seconds().saturating_mul(1_000_000_000).wrapping_div(PARTS)
    }

    pub(super) const fn length(self) -> u64 {
        self.part().saturating_mul(PARTS)
    }

    const fn step(self) -> u64 {
        match self {
            Self::Minute => Self::Minute.part().div_ceil(STEPS),
            Self::Hour => Self::Hour.part().div_ceil(STEPS),
            Self::Day => Self::Day.part().div_ceil(STEPS),
        }
    }

    fn slot(self, at: UnixNanos) -> u64 {
        at.0.checked_div(self.part()).unwrap_or(0)
    }

    /// When a slot begins. No slot is later than the last one of a clock of nanoseconds, and so no product is too large: a
    /// product that has to be asked whether it is takes a dozen times as long.
    fn start(self, slot: u64) -> u64 {
        slot.min(u64::MAX.checked_div(self.part()).unwrap_or(0)).wrapping_mul(self.part())
    }
}

/// Counts per sub-window. `head` is the number of the newest one; slot `n` stands at index `n mod 21`.
/// Bytes as they are stored: a number of them is one load, and all of them one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    head: u64,
    counts: [[u8; 4]; SLOTS],
    /// When the latest that is counted there came, in steps from the slot's beginning, rounded up.
    latest: [[u8; 2]; SLOTS],
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
            *self = Self { head: slot, ..Self::default() };
            return;
        }
        let mut place = index(self.head);
        for _ in 0..passed {
            place = if place.saturating_add(1) == SLOTS { 0 } else { place.saturating_add(1) };
            self.clear(place);
        }
        self.head = self.head.max(slot);
        // Those after it are younger than the window is long, whenever in them something came.
        let oldest = self.head.saturating_sub(PARTS);
        if self.get(oldest) > 0 && self.lapses(span, oldest) <= now.0 {
            self.clear(index(oldest));
        }
    }

    fn get(&self, slot: u64) -> u64 {
        self.counts.get(index(slot)).map_or(0, |count| u32::from_le_bytes(*count).into())
    }

    fn put(&mut self, slot: u64, count: u64) {
        if let Some(place) = self.counts.get_mut(index(slot)) {
            *place = clip(count).to_le_bytes();
        }
    }

    fn clear(&mut self, place: usize) {
        if let (Some(count), Some(latest)) = (self.counts.get_mut(place), self.latest.get_mut(place)) {
            (*count, *latest) = ([0; 4], [0; 2]);
        }
    }

    /// Something came at `at` that counts in `slot`.
    fn came(&mut self, span: Span, slot: u64, at: UnixNanos) {
        let since = at.0.saturating_sub(span.start(slot)).min(span.part());
        let steps = u16::try_from(since.div_ceil(span.step())).unwrap_or(u16::MAX);
        if let Some(place) = self.latest.get_mut(index(slot))
            && steps > u16::from_le_bytes(*place)
        {
            *place = steps.to_le_bytes();
        }
    }

    pub fn used(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(u32::from_le_bytes(*count).into()))
    }

    pub fn add(&mut self, span: Span, at: UnixNanos, amount: u64) {
        self.put(self.head, self.get(self.head).saturating_add(amount));
        self.came(span, self.head, at);
    }

    /// Counts where [`Window::settle`] will look for it, also when this worker's clock is a little behind.
    pub fn reserve(&mut self, span: Span, at: UnixNanos, amount: u64) {
        let slot = span.slot(at);
        if slot < self.head && self.head.saturating_sub(slot) < RING {
            self.put(slot, self.get(slot).saturating_add(amount));
            self.came(span, slot, at);
        } else {
            self.add(span, at, amount);
        }
    }

    /// Replaces what was reserved at `at` by what it came to. If it counts no more, its reservation is forgotten and only the
    /// excess counts, now.
    pub fn settle(&mut self, span: Span, at: UnixNanos, reserved: u64, actual: u64, now: UnixNanos) {
        let slot = span.slot(at);
        let age = self.head.saturating_sub(slot);
        match self.get(slot).checked_sub(u64::from(clip(reserved))) {
            Some(rest) if age < RING && slot <= self.head => {
                self.put(slot, rest.saturating_add(actual));
                self.came(span, slot, at);
            }
            _ => {
                let excess = actual.saturating_sub(reserved);
                if excess > 0 {
                    self.add(span, now, excess);
                }
            }
        }
    }

    /// Nanoseconds until `needed` more fit under `limit`, if nothing else arrives; `None` if they never can.
    pub fn wait(&self, span: Span, now: UnixNanos, limit: u64, needed: u64) -> Option<u64> {
        let room = limit.checked_sub(needed)?;
        let mut used = self.used();
        let mut until = now.0;
        for slot in self.head.saturating_sub(PARTS)..=self.head {
            if used <= room {
                break;
            }
            let count = self.get(slot);
            if count > 0 {
                used = used.saturating_sub(count);
                until = self.lapses(span, slot);
            }
        }
        Some(until.saturating_sub(now.0))
    }

    /// Nanoseconds until everything counted now has left the window.
    pub fn clears_in(&self, span: Span, now: UnixNanos) -> u64 {
        let mut slots = (self.head.saturating_sub(PARTS)..=self.head).rev();
        let newest = slots.find(|slot| self.get(*slot) > 0);
        newest.map_or(0, |slot| self.lapses(span, slot).saturating_sub(now.0))
    }

    /// When `slot` is counted no more: a window's length after the latest that came in it.
    fn lapses(&self, span: Span, slot: u64) -> u64 {
        let steps = self.latest.get(index(slot)).map_or(u16::MAX, |steps| u16::from_le_bytes(*steps));
        // Steps are a `u16`, and one of them is less than a second.
        let since = u64::from(steps).wrapping_mul(span.step()).min(span.part());
        span.start(slot.saturating_add(PARTS)).saturating_add(since)
    }

    pub fn encode(&self, out: &mut &mut [u8]) {
        put(out, self.head.to_le_bytes());
        put_all(out, self.counts.as_flattened());
        put_all(out, self.latest.as_flattened());
    }

    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { head: take_u64(bytes)?, counts: take_bytes(bytes)?, latest: take_bytes(bytes)? })
    }

    /// As the first version stored it: when the latest came is not known, so each slot counts as if it were at its end.
    pub fn decode_first(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { head: take_u64(bytes)?, counts: take_bytes(bytes)?, latest: [[u8::MAX; 2]; SLOTS] })
    }
}

#[cfg(test)]
mod tests;
