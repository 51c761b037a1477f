//! Keeps the usage event from a client that did not ask for it.
//!
//! An event can be kept back only whole, so its bytes wait until it is known; everything else flows on at once.

use std::mem;

use super::Passage;

/// Bytes of an unfinished event, kept until it is known whether the client may see it.
#[derive(Default)]
pub struct Withheld {
    bytes: Vec<u8>,
    /// The event outgrew the bound and its beginning has been sent: the rest follows.
    passing: bool,
    /// The last event ended with a carriage return, at the very end of a chunk: a line feed that comes next belongs to
    /// it, and goes where it went.
    returned: Option<Fate>,
}

impl Withheld {
    /// Gives up what waits.
    pub fn release(&mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Passed,
    Withheld,
}

/// No usage event comes near this; anything larger is content and goes on at once.
const LARGEST_WITHHELD: usize = 16 * 1024;

/// Lets a chunk's events through, less those that are kept from the client.
pub struct Sieve<'a> {
    held: &'a mut Withheld,
    chunk: &'a [u8],
    /// Where the current event begins in the chunk; before it, held bytes may belong to it too.
    event_from: usize,
    /// What goes on, once it differs from the chunk.
    out: Vec<u8>,
    /// Bytes of the chunk before this index are in `out` or dropped.
    copied: usize,
    dropped: bool,
}

impl<'a> Sieve<'a> {
    pub fn over(held: &'a mut Withheld, chunk: &'a [u8]) -> Self {
        let fate = if chunk.is_empty() { None } else { held.returned.take() };
        let fate = fate.filter(|_| chunk.starts_with(b"\n"));
        let dropped = fate == Some(Fate::Withheld);
        let copied = usize::from(dropped);
        Self { held, chunk, event_from: usize::from(fate.is_some()), out: Vec::new(), copied, dropped }
    }

    pub fn end_of_event(&mut self, end: usize, withhold: bool) {
        let withhold = withhold && !self.held.passing;
        if withhold {
            self.pass_until(self.event_from);
            self.held.bytes.clear();
            self.copied = end;
            self.dropped = true;
        } else if !self.held.bytes.is_empty() {
            self.out.append(&mut self.held.bytes);
            self.pass_until(end);
        }
        let returned = end == self.chunk.len() && self.chunk.ends_with(b"\r");
        self.held.returned = returned.then_some(if withhold { Fate::Withheld } else { Fate::Passed });
        self.held.passing = false;
        self.event_from = end;
    }

    fn pass_until(&mut self, end: usize) {
        self.out.extend_from_slice(self.chunk.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// `known`: nothing of the chunk's end has to wait; `between`: and no event is unfinished.
    pub fn passage(mut self, known: bool, between: bool) -> Passage {
        if known || self.held.passing {
            self.held.passing = !between;
            if self.out.is_empty() && !self.dropped && self.copied == 0 && self.held.bytes.is_empty() {
                return Passage::Unchanged;
            }
            self.out.append(&mut self.held.bytes);
            self.pass_until(self.chunk.len());
            return Passage::Replaced(self.out);
        }
        // The chunk ends inside an event: its bytes wait for the rest.
        self.pass_until(self.event_from);
        let rest = self.chunk.get(self.event_from..).unwrap_or_default();
        self.held.bytes.extend_from_slice(rest);
        if self.held.bytes.len() > LARGEST_WITHHELD {
            self.out.append(&mut self.held.bytes);
            self.held.passing = true;
        }
        Passage::Replaced(self.out)
    }
}
