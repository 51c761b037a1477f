//! Streams that repeat all of the text so far in each event instead of what is new (MiniMax with `reasoning_split`).
//!
//! No text is kept, so only sizes tell. Of pieces, one is soon shorter than the one before, or as long, and from then
//! on nobody looks. A few events that grow by chance are no repeats yet: what they sum up to is the upper bound of what came.

/// So many texts, each longer than the one before: pieces that grow by chance come to this once in forty thousand.
const REPEATED: u8 = 8;
/// After so many, one that is as long as the last may be the last once more (beside another text that grows).
const FEW: u8 = 4;

/// The sizes of one kind of text in the events of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    last: u64,
    sum: u64,
    grown: u8,
    /// They are pieces.
    settled: bool,
}

impl Growth {
    /// Whether its texts are known to be pieces.
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    pub const fn more(&mut self, size: u64) {
        if self.settled || size == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(size);
        if size > self.last {
            self.grown = self.grown.saturating_add(1);
        } else {
            self.settled = size < self.last || self.grown < FEW;
        }
        self.last = size;
    }

    /// Of what was summed up, what was said before.
    pub const fn repeated(&self) -> u64 {
        if self.settled || self.grown < REPEATED { 0 } else { self.sum.saturating_sub(self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_always_grow_are_repeats() {
        for (case, sizes, repeated) in [
            ("snapshots", &[5, 9, 12, 20, 21, 30, 44, 50][..], 141),
            ("snapshots that stand still beside others", &[5, 9, 12, 20, 21, 30, 44, 50, 50, 0, 50], 241),
            ("too few to tell", &[5, 9, 12, 20, 21, 30, 44], 0),
            ("pieces", &[5, 9, 12, 20, 21, 30, 44, 50, 49], 0),
            ("pieces of one size", &[5, 5, 9, 12, 20, 21, 30, 44, 50, 51], 0),
            ("nothing", &[0, 0], 0),
        ] {
            let mut growth = Growth::default();
            sizes.iter().for_each(|size| growth.more(*size));
            assert_eq!(growth.repeated(), repeated, "{case}");
        }
    }
}
