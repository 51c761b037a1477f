//! Events of a stream that are like the last one but for their text: most are, and these need no parser.
//!
//! Trade-off: one event is remembered as it came, with gaps where the text stood. Bytes that equal it around the gaps
//! say what it said, so only the sizes of their texts are read. Whatever differs elsewhere, has an escape in its text or
//! comes in two chunks goes the long way, which alone defines what an event means.

use super::growth::Growth;
use crate::json::{Found, Hit, words};
use crate::llm::schema::Fact;

/// Longer events are rare, and kept for each open stream.
const LONGEST: usize = 1024;
/// An event has a text, what pads it, and a number.
const GAPS: usize = 4;

#[derive(Default)]
pub struct Alike {
    /// The last event, to its blank line; and whether the next one may be like it.
    block: Vec<u8>,
    known: Known,
    gaps: [Gap; GAPS],
    /// How many of the gaps there are.
    found: usize,
    /// Where the event's data began.
    data: Option<usize>,
    /// The event says something each time it comes, or did not come in one piece.
    unlike: bool,
    /// It has a text that may stand in it under another name, too.
    reasoned: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    /// What it said, and that its texts are pieces.
    Whole,
    /// Its texts may yet be all that was said so far.
    Growing,
}

/// Bytes that may differ, quotes excluded: those of the data, and of the block once that is learnt.
#[derive(Clone, Copy, Default)]
struct Gap {
    from: usize,
    to: usize,
    varies: Varies,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Varies {
    #[default]
    GeneratedText,
    Reasoned,
    Text,
    Digits,
}

impl Alike {
    /// An event at the start of `bytes`, if it is like the last one: how much text it brought, and what follows it.
    pub fn read<'b>(&mut self, bytes: &'b [u8], growth: &mut [Growth; 2]) -> Option<(u64, &'b [u8])> {
        match self.known {
            Known::Whole => self.read_around(bytes),
            Known::Growing => self.read_growing(bytes, growth),
            Known::Nothing => None,
        }
    }

    fn read_around<'b>(&self, bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
        let (mut rest, mut from, mut generated) = (bytes, 0, 0_u64);
        for gap in self.gaps.get(..self.found)? {
            rest = words::behind(rest, self.block.get(from..gap.from)?)?;
            rest = if gap.varies == Varies::Digits {
                behind_digits(rest)?
            } else {
                let (text, behind) = words::whole_string(rest)?;
                if matches!(gap.varies, Varies::GeneratedText | Varies::Reasoned) {
                    generated = generated.saturating_add(text.len() as u64);
                }
                behind
            };
            from = gap.to;
        }
        let behind = words::behind(rest, self.block.get(from..)?)?;
        Some((generated, behind))
    }

    /// The same, and the sizes of its texts: for the first few events of a stream, mostly.
    #[cold]
    fn read_growing<'b>(&mut self, bytes: &'b [u8], growth: &mut [Growth; 2]) -> Option<(u64, &'b [u8])> {
        let (generated, behind) = self.read_around(bytes)?;
        let (mut rest, mut from) = (bytes, 0);
        let [texts, reasoned] = growth;
        for gap in self.gaps.get(..self.found)? {
            rest = words::behind(rest, self.block.get(from..gap.from)?)?;
            rest = if gap.varies == Varies::Digits {
                behind_digits(rest)?
            } else {
                let (text, behind) = words::whole_string(rest)?;
                match gap.varies {
                    Varies::GeneratedText => texts.more(text.len() as u64),
                    Varies::Reasoned => reasoned.more(text.len() as u64),
                    Varies::Text | Varies::Digits => {}
                }
                behind
            };
            from = gap.to;
        }
        self.known = self.knowledge(growth);
        Some((generated, behind))
    }

    /// Of an event that is learnt: texts of a kind that it doesn't have are of no interest.
    fn knowledge(&self, [texts, reasoned]: &[Growth; 2]) -> Known {
        let is_settled = |gap: &Gap| match gap.varies {
            Varies::GeneratedText => texts.is_settled(),
            Varies::Reasoned => reasoned.is_settled(),
            Varies::Text | Varies::Digits => true,
        };
        let settled = self.gaps.iter().take(self.found).all(is_settled);
        if settled { Known::Whole } else { Known::Growing }
    }

    /// An event is read for what it says; `whole` if it has not begun in an earlier chunk.
    pub fn begin(&mut self, whole: bool) {
        self.block.clear();
        self.known = Known::Nothing;
        self.found = 0;
        self.data = None;
        self.unlike = !whole;
        self.reasoned = false;
    }

    /// A piece of the event's data, at `from` of the block.
    pub fn data(&mut self, from: usize) {
        self.unlike |= self.data.replace(from).is_some();
    }

    /// What the event says: the same once more changes nothing, or the size of a text is all that counts.
    pub fn hit(&mut self, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            (Fact::Output, Found::Size(_)) => self.gap(hit, Varies::GeneratedText),
            // The same text under another name must be held against the first.
            (Fact::Reasoned(_), Found::Size(_)) if !self.reasoned => {
                self.reasoned = true;
                self.gap(hit, Varies::Reasoned);
            }
            (Fact::Varying, Found::Size(_)) => self.gap(hit, Varies::Text),
            (Fact::Varying, Found::Number(_)) => self.gap(hit, Varies::Digits),
            (Fact::Model | Fact::ServiceTier | Fact::Kind, Found::Text { .. })
            | (Fact::Choices | Fact::Output, Found::Opened(_) | Found::Closed { .. })
            | (_, Found::Null) => {}
            _ => self.unlike = true,
        }
    }

    fn gap(&mut self, hit: &Hit<'_, Fact>, varies: Varies) {
        let (Some(gap), Ok(from), Ok(to)) = (self.gaps.get_mut(self.found), hit.from.try_into(), hit.to.try_into())
        else {
            self.unlike = true;
            return;
        };
        *gap = Gap { from, to, varies };
        self.found = self.found.saturating_add(1);
    }

    /// The event is over, was whole, and is `block`: the next one may be like it.
    pub fn learn(&mut self, block: &[u8], growth: &[Growth; 2]) {
        let Some(data) = self.data.filter(|_| !self.unlike && block.len() <= LONGEST) else { return };
        for gap in self.gaps.iter_mut().take(self.found) {
            let quote = usize::from(gap.varies != Varies::Digits);
            gap.from = gap.from.saturating_add(data).saturating_add(quote);
            gap.to = gap.to.saturating_add(data);
        }
        // Once for the whole stream.
        self.block.reserve_exact(LONGEST);
        self.block.extend_from_slice(block);
        self.known = self.knowledge(growth);
    }
}

/// A whole number without sign, point and exponent; what it ends at is not looked at.
fn behind_digits(bytes: &[u8]) -> Option<&[u8]> {
    let (digits, behind) = bytes.split_at_checked(words::run(bytes, words::not_digit))?;
    matches!(digits, [b'0'] | [b'1'..=b'9', ..]).then_some(behind)
}
