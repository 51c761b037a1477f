//! Events of a stream that are like the last one but for their text: most are, and these need no parser.
//!
//! One event is remembered as it came, with gaps where the text stood. Bytes that equal it around the gaps
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
    /// The last event, to its blank line; empty: the next one is read whatever it is.
    block: Vec<u8>,
    gaps: [Gap; GAPS],
    /// How many of the gaps there are.
    found: usize,
    /// Where the event's data began.
    data: Option<usize>,
    /// The event says something each time it comes, or did not come in one piece.
    unlike: bool,
    /// How many texts it has; and one that may stand in it under another name, too.
    said: usize,
    reasoned: bool,
    /// Its one text may yet be all that was said so far, and not a piece.
    pub growing: bool,
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
    Text,
    Digits,
}

impl Alike {
    /// An event at the start of `bytes`, if it is like the last one: how much text it brought, and what follows it.
    pub fn read<'b>(&self, bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
        let (mut rest, mut from, mut generated) = (bytes, 0, 0_u64);
        if self.block.is_empty() {
            return None;
        }
        for gap in self.gaps.get(..self.found)? {
            rest = words::behind(rest, self.block.get(from..gap.from)?)?;
            rest = if gap.varies == Varies::Digits {
                behind_digits(rest)?
            } else {
                let (text, behind) = words::whole_string(rest)?;
                if gap.varies == Varies::GeneratedText {
                    generated = generated.saturating_add(text.len() as u64);
                }
                behind
            };
            from = gap.to;
        }
        let behind = words::behind(rest, self.block.get(from..)?)?;
        Some((generated, behind))
    }

    /// An event is read for what it says; `whole` if it has not begun in an earlier chunk.
    pub fn begin(&mut self, whole: bool) {
        self.block.clear();
        self.found = 0;
        self.data = None;
        self.unlike = !whole;
        self.said = 0;
        self.reasoned = false;
    }

    /// A piece of the event's data, at `from` of the block.
    pub fn data(&mut self, from: usize) {
        self.unlike |= self.data.replace(from).is_some();
    }

    /// What the event says: the same once more changes nothing, or the size of a text is all that counts.
    pub fn hit(&mut self, hit: &Hit<'_, Fact>) {
        match (hit.key, hit.found) {
            (Fact::Output | Fact::Refusal, Found::Size(_)) => {
                self.said = self.said.saturating_add(1);
                self.gap(hit, Varies::GeneratedText);
            }
            // The same text under another name must be held against the first.
            (Fact::Reasoned(_), Found::Size(_)) if !self.reasoned => {
                self.reasoned = true;
                self.gap(hit, Varies::GeneratedText);
            }
            (Fact::Varying, Found::Size(_)) => self.gap(hit, Varies::Text),
            (Fact::Varying, Found::Number(_)) => self.gap(hit, Varies::Digits),
            (Fact::Model | Fact::ServiceTier | Fact::Kind | Fact::StepKind, Found::Text { .. })
            | (Fact::Choices | Fact::Output | Fact::Step, Found::Opened(_) | Found::Closed { .. })
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

    /// An event like the last one brought a text of so many bytes.
    #[cold]
    pub fn grow(&mut self, [said, reasoned]: &mut [Growth; 2], bytes: u64) {
        let growth = if self.reasoned { reasoned } else { said };
        growth.more(bytes);
        self.growing = !growth.is_settled();
    }

    /// The event is over, was whole, and is `block`: the next one may be like it.
    pub fn learn(&mut self, block: &[u8], [said, reasoned]: &[Growth; 2]) {
        let are_pieces = (self.said == 0 || said.is_settled()) && (!self.reasoned || reasoned.is_settled());
        // Of several texts, it would not be known which one has grown.
        let is_one = self.said.saturating_add(usize::from(self.reasoned)) == 1;
        let learns = (are_pieces || is_one) && !self.unlike && block.len() <= LONGEST;
        self.growing = !are_pieces;
        let Some(data) = self.data.filter(|_| learns) else { return };
        for gap in self.gaps.iter_mut().take(self.found) {
            let quote = usize::from(gap.varies != Varies::Digits);
            gap.from = gap.from.saturating_add(data).saturating_add(quote);
            gap.to = gap.to.saturating_add(data);
        }
        // Once for the whole stream.
        self.block.reserve_exact(LONGEST);
        self.block.extend_from_slice(block);
    }
}

/// A whole number without sign, point and exponent; what it ends at is not looked at.
fn behind_digits(bytes: &[u8]) -> Option<&[u8]> {
    let (digits, behind) = bytes.split_at_checked(words::run(bytes, words::not_digit))?;
    matches!(digits, [b'0'] | [b'1'..=b'9', ..]).then_some(behind)
}
