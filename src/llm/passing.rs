//! What of an answer's body has come and not gone on yet, and what is written into it.

use super::aws_stream::{rewritten, whole};
use super::meter::Passage;
use super::request::{Edit, in_order, spliced};

#[derive(Default)]
pub struct Passing {
    /// What has not gone on; its first byte is the `sent`th of the body.
    held: Vec<u8>,
    sent: u64,
    /// None of their places has gone on.
    edits: Vec<Edit>,
}

impl Passing {
    /// So many bytes have come.
    pub fn come(&self) -> u64 {
        self.sent.saturating_add(self.held.len() as u64)
    }

    /// So many of these have not gone on.
    pub const fn waiting(&self) -> usize {
        self.held.len()
    }

    pub fn write(&mut self, edits: &mut Vec<Edit>) {
        self.edits.append(edits);
    }

    /// Takes the next bytes; what goes on, now that all before the `done`th byte may. Of what something stands for nothing does.
    pub fn pass(&mut self, bytes: &[u8], done: u64) -> Passage {
        if self.take(bytes, done) { Passage::Unchanged } else { Passage::Replaced(self.release(done, spliced)) }
    }

    /// The same of AWS's messages: each goes on as a whole, and is written anew where something is written into it. When all may go
    /// on, so does what is no message.
    pub fn pass_messages(&mut self, bytes: &[u8], done: u64, is_wrapped: bool) -> Passage {
        if self.take(bytes, done) {
            return Passage::Unchanged;
        }
        let before = usize::try_from(done.saturating_sub(self.sent)).unwrap_or(usize::MAX);
        let done = if done < self.come() { self.sent.saturating_add(whole(&self.held, before) as u64) } else { done };
        Passage::Replaced(self.release(done, |messages, edits| rewritten(messages, edits, is_wrapped)))
    }

    /// Whether all of these go on as they are.
    fn take(&mut self, bytes: &[u8], done: u64) -> bool {
        let come = self.come().saturating_add(bytes.len() as u64);
        if self.held.is_empty() && self.edits.is_empty() && done >= come {
            self.sent = come;
            return true;
        }
        self.held.extend_from_slice(bytes);
        false
    }

    fn release(&mut self, done: u64, write: impl FnOnce(&[u8], &[Edit]) -> Vec<u8>) -> Vec<u8> {
        // What was not waited for any longer has gone on.
        self.edits.retain(|edit| edit.place.from >= self.sent);
        in_order(&mut self.edits);
        let cut = self.edits.iter().find(|edit| edit.place.from < done && done < edit.place.to);
        let done = cut.map_or(done, |edit| edit.place.from);
        let ready = self.edits.iter().take_while(|edit| edit.place.to <= done).count();
        let mut edits: Vec<_> = self.edits.drain(..ready).collect();
        let length = usize::try_from(done.saturating_sub(self.sent)).unwrap_or(usize::MAX).min(self.held.len());
        for edit in &mut edits {
            edit.place.from = edit.place.from.saturating_sub(self.sent);
            edit.place.to = edit.place.to.saturating_sub(self.sent);
        }
        let passed = write(self.held.get(..length).unwrap_or_default(), &edits);
        self.held.drain(..length);
        self.sent = self.sent.saturating_add(length as u64);
        passed
    }
}
