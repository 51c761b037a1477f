//! What a response holds that a provider keeps: the tokens that a request brings in which goes on from it.
//!
//! Trade-off: they are known when the answer tells its usage, long after its ids have passed, so they stand in a table of their own.
//! All of a response is one write into one of eight values. An item alone doesn't say whose it is: only a request that refers to
//! items by themselves reads up to all eight. What is older than the table holds is of unknown size again.

use super::Id;
use crate::units::Tokens;

/// A response that was made, and the items in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub response: Id,
    /// Its input and its output: whatever goes on from it reads no more of it.
    pub whole: Tokens,
    /// No item is more than all of it.
    pub output: Tokens,
    pub items: Vec<Id>,
}

const BUCKETS: u64 = 8;
/// Of 3,072 in all: a thousand responses of a text and what was thought before it. 48 KiB, when it is full.
const SLOTS: usize = 384;
const BYTES: usize = 16;

/// An id, a mark of its response, and what it holds.
struct HeldSlot {
    of: u32,
    tokens: u32,
}

/// By which the items of one response are told from those of another.
fn mark(response: Id) -> u32 {
    u32::try_from(response.0 >> 32).unwrap_or_default()
}

fn written(id: Id, of: u32, tokens: Tokens) -> [u8; BYTES] {
    let tokens = u32::try_from(tokens.0).unwrap_or(u32::MAX);
    let mut slot = [0; BYTES];
    let bytes = id.0.to_le_bytes().into_iter().chain(of.to_le_bytes()).chain(tokens.to_le_bytes());
    slot.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    slot
}

/// The newest counts.
fn find(bucket: &[u8], id: Id) -> Option<HeldSlot> {
    let slot = bucket.chunks_exact(BYTES).rev().find(|slot| slot.starts_with(&id.0.to_le_bytes()))?;
    let (_, rest) = slot.split_at_checked(8)?;
    let (of, tokens) = rest.split_first_chunk()?;
    Some(HeldSlot { of: u32::from_le_bytes(*of), tokens: u32::from_le_bytes(*tokens.first_chunk()?) })
}

impl Made {
    pub const fn bucket(&self) -> u64 {
        self.response.0 % BUCKETS
    }

    /// Its bucket with it as the newest; the oldest go for it.
    pub fn noted_in(&self, bucket: &[u8]) -> Vec<u8> {
        let of = mark(self.response);
        let mut slots = vec![written(self.response, of, self.whole)];
        slots.extend(self.items.iter().map(|item| written(*item, of, self.output)).take(SLOTS.saturating_sub(1)));
        let new = slots.as_flattened();
        let room = SLOTS.saturating_mul(BYTES).saturating_sub(new.len());
        let whole = bucket.len().saturating_sub(bucket.len() % BYTES);
        let newest = bucket.get(whole.saturating_sub(room)..whole).unwrap_or_default();
        [newest, new].concat()
    }
}

/// What these hold together; `None`: that of one is not known. Items of one response are no more than its output.
pub fn held(ids: &[Id], mut read: impl FnMut(u64) -> Vec<u8>) -> Option<Tokens> {
    let mut buckets: [Option<Vec<u8>>; 8] = Default::default();
    let (mut outputs, mut sum) = (Vec::new(), Tokens(0));
    for id in ids {
        let slot = (0..BUCKETS).find_map(|more| {
            let at = id.0.wrapping_add(more) % BUCKETS;
            let bucket = buckets.get_mut(usize::try_from(at).ok()?)?;
            find(bucket.get_or_insert_with(|| read(at)), *id)
        })?;
        let is_response = slot.of == mark(*id);
        if is_response || !outputs.contains(&slot.of) {
            sum = sum.plus(Tokens(slot.tokens.into()));
        }
        if !is_response {
            outputs.push(slot.of);
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::HashMap;

    #[derive(Default)]
    struct Table(HashMap<u64, Vec<u8>>, Cell<u64>);

    impl Table {
        fn make(&mut self, nth: u64, whole: u64, output: u64) {
            let items = vec![item(nth, "msg"), item(nth, "rs")];
            let made = Made { response: response(nth), whole: Tokens(whole), output: Tokens(output), items };
            let bucket = self.0.entry(made.bucket()).or_default();
            *bucket = made.noted_in(bucket);
        }

        fn held(&self, ids: &[Id]) -> Option<u64> {
            let read = |at| {
                self.1.set(self.1.get() + 1);
                self.0.get(&at).cloned().unwrap_or_default()
            };
            held(ids, read).map(|tokens| tokens.0)
        }
    }

    fn response(nth: u64) -> Id {
        Id::of(&format!("resp_{nth}"))
    }

    fn item(nth: u64, kind: &str) -> Id {
        Id::of(&format!("{kind}_{nth}"))
    }

    #[test]
    fn a_response_holds_what_it_came_to_and_its_items_no_more_than_was_written() {
        let mut table = Table::default();
        table.make(1, 120_000, 500);
        table.make(2, 90, 40);
        for (case, ids, expected) in [
            ("a response", vec![response(1)], Some(120_000)),
            ("an item", vec![item(1, "msg")], Some(500)),
            ("two of one response", vec![item(1, "msg"), item(1, "rs")], Some(500)),
            ("of two responses", vec![item(1, "msg"), item(2, "rs"), item(1, "rs")], Some(540)),
            ("a response and one of its items", vec![response(2), item(2, "msg")], Some(130)),
            ("nothing", vec![], Some(0)),
            ("one that is not known", vec![response(1), response(9)], None),
        ] {
            assert_eq!(table.held(&ids), expected, "{case}");
        }
        // Made again under the same id, the last word counts.
        table.make(1, 7, 3);
        assert_eq!(table.held(&[response(1)]), Some(7));
        table.make(3, u64::MAX, u64::MAX);
        assert_eq!(table.held(&[response(3)]), Some(u32::MAX.into()));
    }

    #[test]
    fn a_response_is_found_by_one_read_and_an_item_by_eight_at_most() {
        let mut table = Table::default();
        table.make(1, 10, 5);
        assert_eq!((table.held(&[response(1)]), table.1.take()), (Some(10), 1));
        let items = [item(1, "msg"), item(1, "rs"), item(1, "msg")];
        assert_eq!(table.held(&items), Some(5));
        assert!(table.1.take() <= BUCKETS);
        assert_eq!((table.held(&[response(2), response(3)]), table.1.take()), (None, BUCKETS));
    }

    #[test]
    fn the_table_never_grows_and_the_newest_are_in_it() {
        let mut table = Table::default();
        for nth in 0..20_000 {
            table.make(nth, nth, 1);
        }
        assert!(table.0.values().all(|bucket| bucket.len() <= SLOTS * BYTES));
        assert!((19_300..20_000).all(|nth| table.held(&[response(nth)]) == Some(nth)));
        assert_eq!(table.held(&[response(0)]), None, "the oldest made room");
        // A response of more items than there are places, and rubbish in the place of a table.
        let items = (0..1_000).map(|nth| item(nth, "msg")).collect();
        let made = Made { response: response(1), whole: Tokens(9), output: Tokens(1), items };
        let bucket = made.noted_in(b"rubbish of no whole slot");
        assert_eq!((bucket.len(), find(&bucket, response(1)).map(|slot| slot.tokens)), (SLOTS * BYTES, Some(9)));
    }
}
