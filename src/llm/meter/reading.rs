//! What an answer has said, once nothing more of it comes.

use super::{Form, Meter};
use crate::llm::schema::OutputBound;
use crate::llm::served::Served;
use crate::llm::usage::Reported;
use crate::units::NanoUsd;

/// What was read, once nothing more comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub reported: Reported,
    /// The provider's own bill.
    pub cost: Option<NanoUsd>,
    pub model: Option<String>,
    /// By which rates it was served, as far as it says so.
    pub served: Served,
    pub generated: Generated,
    /// An error stood in the answer, or in an event of it; or it was a page for people.
    pub error: bool,
    /// Neither text nor usage came, nor a word on why: if that is all of it, it is no answer of a model.
    pub is_blank: bool,
    /// The answer says that it is still to come: in a queue, or in progress.
    pub accepted: bool,
    /// It ended at its bound.
    pub exhausted: bool,
    /// What was reported is the whole, wherever the answer broke off.
    pub finished: bool,
    /// Bytes of text that came after the last count of the output.
    pub uncounted: u64,
    /// Such counts come with one choice after the other: of several, each may be that one's alone (vLLM).
    pub of_choice: bool,
    /// Bytes of strings in the answer that no table knows: they may be text.
    pub stray: u64,
    /// Of these, what pictures and sounds count as.
    pub media: u64,
}

/// How much was generated, as far as its size tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generated {
    /// Not a byte came.
    #[default]
    Nothing,
    /// Bytes of text, among those of the body; what else came (roles, names, ends) is none.
    Text { text: u64, body: u64 },
    /// Bytes of JSON that broke before any text in it was whole.
    Broken(u64),
    /// Bytes of a body that could not be read.
    Opaque { bytes: u64, encoded: bool },
}

/// How far an answer has come that goes on: what tells cheaply whether it is worth reading what it has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of text, repeats and all.
    pub text: u64,
    /// Of these, what came before the last count of the output.
    pub counted: u64,
}

/// Of `{}` and `[]`.
const EMPTY_DOCUMENT: u64 = 2;

impl Meter {
    pub const fn progress(&self) -> Progress {
        Progress { text: self.seen.output_bytes, counted: self.seen.counted_bytes }
    }

    /// What was reported so far, and the bytes of text that came since, of all that it has said once.
    pub fn so_far(&self) -> (Reported, u64, u64) {
        let text = self.seen.output_bytes.saturating_sub(self.seen.repeated());
        let mut reported = self.seen.native(self.schema.contract);
        reported.doubt_beside_text(text);
        (reported, text.saturating_sub(self.seen.counted_bytes.min(text)), text)
    }

    /// By which rates it was served, as far as it has said so.
    pub const fn rates(&self) -> &Served {
        &self.seen.rates
    }

    /// Closes the books on the answer, wherever it ended.
    pub fn read(mut self: Box<Self>) -> Reading {
        let Self { scanner, seen, event, form, lines, .. } = &mut *self;
        // A cut stream's last event counts as far as it was read.
        let is_json = *form == Form::Json;
        let broken = scanner.finish().is_err() && is_json;
        seen.finished |= event.ends_the_stream();
        if form.is_stream() {
            seen.counted(event);
        }
        if broken {
            seen.counts.forget_sums();
        }
        if *form == Form::Sse || *lines {
            seen.forget_repeats();
        }
        let contract = self.schema.contract;
        // Of models whose answers no table has, any document is one.
        let is_unwritten = matches!(self.schema.output, OutputBound::Unwritten);
        let is_some_document = is_unwritten && is_json && self.is_document && self.body_bytes > EMPTY_DOCUMENT;
        let nothing = self.seen.is_blank(contract) && !is_some_document;
        // What only looked like events, by its first byte, is what the head said.
        let as_announced = self.announced.filter(|_| nothing && !self.seen.finished);
        let form = as_announced.unwrap_or(self.form);
        let generated = match form {
            _ if self.body_bytes == 0 => Generated::Nothing,
            Form::Page => Generated::Nothing,
            Form::Encoded | Form::Opaque => {
                Generated::Opaque { bytes: self.body_bytes, encoded: self.form == Form::Encoded }
            }
            Form::Text if as_announced.is_some() => Generated::Text { text: self.body_bytes, body: self.body_bytes },
            Form::Json if broken && self.is_document && self.seen.output_bytes == 0 && !self.seen.error => {
                Generated::Broken(self.body_bytes)
            }
            Form::Json | Form::Text | Form::Sse | Form::Binary => {
                Generated::Text { text: self.seen.output_bytes, body: self.body_bytes }
            }
        };
        let mut reported = self.seen.native(contract);
        reported.doubt_beside_text(self.seen.output_bytes);
        let readable = matches!(form, Form::Json | Form::Sse | Form::Binary);
        // Of a document that broke off before its text, nobody knows that it had none.
        let is_whole = !matches!(generated, Generated::Broken(_));
        let is_blank = reported.says_nothing(contract) && (self.body_bytes == 0 || readable && nothing && is_whole);
        let uncounted = self.seen.output_bytes.saturating_sub(self.seen.counted_bytes);
        Reading {
            reported,
            error: self.seen.error || form == Form::Page,
            is_blank,
            accepted: self.seen.accepted,
            exhausted: self.seen.exhausted,
            cost: self.seen.cost(),
            served: self.seen.rates,
            model: self.seen.model,
            generated,
            // A count that text follows was a preview, wherever it stood.
            finished: (self.seen.finished || !self.schema.grows) && uncounted == 0,
            uncounted,
            of_choice: self.seen.counts_choices,
            stray: self.seen.stray_bytes,
            media: self.seen.media_bytes,
        }
    }
}
