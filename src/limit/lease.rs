//! Requests in flight, and the money that is set aside for them, by the minute it was set aside in.
//!
//! Trade-off: a list of reservations would be exact and as long as clients make it. Sums per minute are of fixed
//! size, and let the reservations of a VM that died lapse by themselves, a lease (to the minute) after they were made.
//! A minute lies wholly in one day and one month, so each budget finds its own reservations in the same ring.

use super::bytes::{put, take, take_u64};
use crate::units::{NanoUsd, UnixNanos};

const SLOT_SECONDS: u64 = 60;
const SLOTS: usize = 32;
const RING: u64 = 32;
pub const ENCODED: usize = 8 + SLOTS * 8;
/// The counts, and what tells them from a window.
pub const ENCODED_COUNTS: usize = COUNTS.len() + SLOTS * 4;
const COUNTS: [u8; 6] = *b"flight";
/// The longest lease the ring can hold.
pub const LONGEST_SECONDS: u64 = 30 * SLOT_SECONDS;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    head: u64,
    sums: [NanoUsd; SLOTS],
    /// Those that are counted, once there is one: what nobody limits is not.
    counted: Option<Box<Counted>>,
}

/// Requests in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counted {
    by_minute: [u32; SLOTS],
    all: u64,
}

fn slot_of(at: UnixNanos) -> u64 {
    at.seconds() / SLOT_SECONDS
}

impl Leases {
    /// Moves on to `now` and lets leases run out.
    pub fn roll(&mut self, now: UnixNanos, lease_seconds: u64) {
        // Within a minute nothing runs out. (A lease that was just made shorter holds from the next one on.)
        if slot_of(now) == self.head {
            return;
        }
        // The clock was set back by more than the ring holds: nothing of that would lapse before it is so late again.
        if self.head.saturating_sub(slot_of(now)) >= RING {
            *self = Self { head: slot_of(now), ..Self::default() };
            return;
        }
        let keep = lease_seconds.min(LONGEST_SECONDS).div_ceil(SLOT_SECONDS);
        let slot = slot_of(now).max(self.head);
        // What the ring holds is of the old head and the 31 minutes before it.
        let lapsed = slot.saturating_sub(keep).min(self.head.saturating_add(1));
        for number in self.head.saturating_sub(RING - 1)..lapsed {
            if let Some(sum) = self.sums.get_mut(index(number)) {
                *sum = NanoUsd::ZERO;
            }
            if let Some(counted) = &mut self.counted {
                counted.lapse(index(number));
            }
        }
        self.counted = self.counted.take().filter(|counted| counted.all > 0);
        self.head = slot;
    }

    /// When something is set aside now: in the minute it is, or in the latest that anybody was in, if the clock is behind. What is of
    /// yesterday would be in no budget of today.
    pub fn time(&self, now: UnixNanos) -> UnixNanos {
        let head = self.head.saturating_mul(SLOT_SECONDS).saturating_mul(1_000_000_000);
        UnixNanos(now.0.max(head))
    }

    /// What is set aside at a time, in its minute: there it will be looked for.
    pub fn add(&mut self, at: UnixNanos, cost: NanoUsd) {
        if let Some(sum) = self.slot(at) {
            *sum = sum.plus(cost);
        }
    }

    fn place(&self, at: UnixNanos) -> Option<usize> {
        let slot = slot_of(at);
        (slot <= self.head && number_at(self.head, index(slot)) == slot).then(|| index(slot))
    }

    fn slot(&mut self, at: UnixNanos) -> Option<&mut NanoUsd> {
        let place = self.place(at)?;
        self.sums.get_mut(place)
    }

    /// One more is in flight, from `at` on.
    pub fn open(&mut self, at: UnixNanos) {
        let Some(place) = self.place(at) else { return };
        let counted = self.counted.get_or_insert_default();
        if let Some(count) = counted.by_minute.get_mut(place)
            && let Some(more) = count.checked_add(1)
        {
            *count = more;
            counted.all = counted.all.saturating_add(1);
        }
    }

    /// One that was opened at `at` is over; if its lease has run out, it was so before.
    pub fn close(&mut self, at: UnixNanos) {
        let Some((place, counted)) = self.place(at).zip(self.counted.as_mut()) else { return };
        if let Some(count) = counted.by_minute.get_mut(place).filter(|count| **count > 0) {
            *count = count.saturating_sub(1);
            counted.all = counted.all.saturating_sub(1);
        }
        self.counted = self.counted.take().filter(|counted| counted.all > 0);
    }

    /// How many are in flight, of those that are counted.
    pub fn in_flight(&self) -> u64 {
        self.counted.as_ref().map_or(0, |counted| counted.all)
    }

    /// Gives back what was added at `at`; nothing if its lease has run out.
    pub fn release(&mut self, at: UnixNanos, cost: NanoUsd) {
        if let Some(sum) = self.slot(at) {
            *sum = sum.less(cost);
        }
    }

    /// Reserved since a second of the calendar.
    pub fn since(&self, second: u64) -> NanoUsd {
        let first = second / SLOT_SECONDS;
        // The clock was set back to before that: all that is set aside counts.
        let first = if self.head < first { 0 } else { first };
        // But for half an hour after midnight, that is all of them.
        if self.head.saturating_sub(RING - 1) >= first {
            return self.sums.iter().fold(NanoUsd::ZERO, |sum, reserved| sum.plus(*reserved));
        }
        self.sums.iter().enumerate().fold(NanoUsd::ZERO, |sum, (position, reserved)| {
            if number_at(self.head, position) >= first { sum.plus(*reserved) } else { sum }
        })
    }

    pub fn encode(&self, out: &mut &mut [u8]) {
        put(out, self.head.to_le_bytes());
        self.sums.iter().for_each(|sum| put(out, sum.0.to_le_bytes()));
    }

    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (head, sums) = (take_u64(bytes)?, take(bytes, |bytes| NanoUsd(u64::from_le_bytes(bytes)))?);
        Some(Self { head, sums, counted: None })
    }

    /// What is counted, apart: a cell that counts nothing has none of it.
    pub fn encode_counts(&self, out: &mut &mut [u8]) {
        let Some(counted) = &self.counted else { return };
        put(out, COUNTS);
        counted.by_minute.iter().for_each(|count| put(out, count.to_le_bytes()));
    }

    /// Nothing, of bytes that are no counts.
    pub fn decode_counts(&mut self, bytes: &[u8]) {
        let Some((&COUNTS, mut counts)) = bytes.split_first_chunk() else { return };
        let Some(by_minute) = take(&mut counts, u32::from_le_bytes) else { return };
        let all = by_minute.iter().fold(0, |sum: u64, count| sum.saturating_add(u64::from(*count)));
        self.counted = (all > 0).then(|| Box::new(Counted { by_minute, all }));
    }
}

impl Counted {
    fn lapse(&mut self, place: usize) {
        if let Some(count) = self.by_minute.get_mut(place) {
            self.all = self.all.saturating_sub(std::mem::take(count).into());
        }
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % RING).unwrap_or(0)
}

/// The newest slot number not after `head` that stands at `position`.
fn number_at(head: u64, position: usize) -> u64 {
    let behind = head.wrapping_sub(position as u64) % RING;
    head.saturating_sub(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> UnixNanos {
        UnixNanos((28_000_000 + minute) * 60_000_000_000)
    }

    #[test]
    fn what_is_added_is_released_or_lapses_never_both() {
        for lived in 0..200u64 {
            let mut leases = Leases::default();
            leases.roll(at(0), 900);
            leases.add(at(0), NanoUsd(70));
            for minute in 1..=lived {
                leases.roll(at(minute), 900);
            }
            assert_eq!(leases.since(0), NanoUsd(if lived <= 15 { 70 } else { 0 }), "after {lived} minutes");
            leases.add(at(lived), NanoUsd(5));
            leases.release(at(0), NanoUsd(70));
            leases.release(at(lived), NanoUsd(5));
            assert_eq!(leases.since(0), NanoUsd::ZERO);
        }
    }

    #[test]
    fn what_is_opened_is_closed_or_lapses_never_both() {
        for lived in 0..200u64 {
            let mut leases = Leases::default();
            leases.roll(at(0), 900);
            leases.open(at(0));
            for minute in 1..=lived {
                leases.roll(at(minute), 900);
            }
            assert_eq!(leases.in_flight(), u64::from(lived <= 15), "after {lived} minutes");
            leases.open(at(lived));
            leases.close(at(0));
            assert_eq!(leases.in_flight(), 1);
            leases.close(at(lived));
            assert_eq!(leases.in_flight(), 0);
        }
    }

    #[test]
    fn a_budget_sees_only_the_reservations_of_its_own_period() {
        let mut leases = Leases::default();
        for minute in [0, 5, 10] {
            leases.roll(at(minute), 1_800);
            leases.add(at(minute), NanoUsd(1 + minute));
        }
        assert_eq!(leases.since(at(5).seconds()), NanoUsd(17));
        assert_eq!(leases.since(0), NanoUsd(18));
    }
}
