//! The calls of tools in an answer, read as it passes: each is told when it has its name, and again when its arguments are
//! complete, from wherever they stand: whole in a document, or piece by piece in a stream.
//!
//! Readers of an answer disagree where it says something twice, so all of it is told: each name under which a call may be read, and
//! each text that may be taken for its arguments. What can't be read is told, too; nothing is passed over in silence.

mod call;
mod document;
mod open;
mod partial;
mod piece;

pub use call::LONGEST_NAME;

use crate::json::Hit;
use crate::llm::called::{CallTables, Called};
use crate::llm::documents::{Documents, Reader};
use crate::llm::meter::Form;
use crate::llm::schema::Schema;
use document::Document;
use open::OpenCalls;

/// Which of the calls of an answer one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// What is told of an answer's calls; a call's first event, or its document, begins at the byte `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// A call has a name: whether its arguments are to be kept is to be answered. It is told as soon as it is whole: in OpenAI's
    /// chat, where some servers split it, with the first of the arguments or with the end. Of a call that readers may know by
    /// several names, each is told.
    Named { call: CallId, tool: Tool<'a>, from: u64 },
    /// Its arguments are complete. Of a call whose end says otherwise than what came before, both are told.
    Ended { call: CallId, tool: Tool<'a>, arguments: Arguments<'a>, from: u64 },
    /// What follows can't be read, of an event or of the body: what it calls is not known.
    Unread,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// As a request offers it: `function`, `web_search`; what nobody knows, by its own type.
    pub kind: &'a str,
    /// A kind that has no names is its own.
    pub name: &'a str,
    /// The server, the namespace or the set of tools that the name is one of; mostly none.
    pub within: &'a str,
    /// One of these is longer than is told, is no text, or is said twice.
    pub unclear: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments<'a> {
    /// A document: decoded from the string that it was written in, or as it stands. A reader that keeps it may refuse it all the
    /// same: half a surrogate pair, a number beyond its range.
    Json(&'a str),
    /// Of a tool that takes no JSON.
    FreeText(&'a str),
    /// Nothing stands in their place, or an empty text: most readers take that for `{}`.
    Missing,
    /// Nobody wanted them kept.
    None,
    /// They are longer than is kept of one call or of all that are open, or more calls are open than are followed.
    TooLong,
    /// No JSON, broken off, or said twice in one place.
    Unreadable,
}

/// The calls of one answer.
pub struct Calls {
    documents: Documents<Called>,
    document: Document,
    open: OpenCalls,
}

/// What a document says of calls goes to those that are open, and what is known of them is told.
struct Reading<'c, F> {
    document: &'c mut Document,
    open: &'c mut OpenCalls,
    told: &'c mut F,
}

impl Calls {
    /// `None`: answers of this API call nothing.
    pub fn new(schema: &Schema, form: Form) -> Option<Self> {
        let CallTables { answer, event } = CallTables::of(schema)?;
        Some(Self {
            documents: Documents::new(schema, form, (answer, event)).in_any_case(),
            document: Document::default(),
            open: OpenCalls::default(),
        })
    }

    /// Reads on; `last` when no more can come. What is told of a name is to be answered: whether the arguments of a call by this
    /// name are to be kept.
    pub fn feed(&mut self, bytes: &[u8], last: bool, told: &mut impl FnMut(Told<'_>) -> bool) {
        let Self { documents, document, open } = self;
        documents.feed(bytes, last, &mut Reading { document, open, told });
        if last {
            open.end_all(told);
        }
    }

    /// Where the event begins, or the document, that the first of the calls stands in of which more is waited for: its name, or
    /// arguments that are to be kept. What stands before it may go on, for all that is known of calls.
    pub fn open_from(&self) -> Option<u64> {
        self.document.call_from().into_iter().chain(self.open.waits_from()).min()
    }

    /// Where the event or the document begins that has not ended yet. No reader takes an event for one before that.
    pub fn unfinished_from(&self) -> Option<u64> {
        self.documents.unfinished_from()
    }
}

impl<F: FnMut(Told<'_>) -> bool> Reader<Called> for Reading<'_, F> {
    fn begins(&mut self, at: u64, is_event: bool) {
        self.document.begins = at;
        self.document.is_event = is_event;
    }

    fn hit(&mut self, hit: &Hit<'_, Called>, read: (&[u8], u64)) {
        self.document.hit(hit, read, self.open, self.told);
    }

    fn has_read(&mut self, read: (&[u8], u64)) {
        self.document.keep_rest(read, self.open);
    }

    fn ends(&mut self) {
        self.document.end(self.open, self.told);
    }

    fn breaks_off(&mut self) {
        self.document.break_off(self.open, self.told);
        (self.told)(Told::Unread);
    }

    /// Nothing follows that, and some servers say no other end.
    fn is_done(&mut self) {
        self.open.end_all(self.told);
    }
}

#[cfg(test)]
mod tests;
