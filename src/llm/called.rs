//! Where calls of tools are, of each API: in its answers and in the events of its streams.
//!
//! A table says where a call stands, what it is called, and how its arguments are written; [`kinds`] says what a call of some type
//! is. A type that neither knows is a call of its own name, so that what an API gets new is told from its first day. Sources: the
//! types of the official SDKs (OpenAI 3.54, Anthropic 2.12, Google 3.4, Cohere 7.3, botocore 1.44, Ollama 0.6), LM Studio's
//! reference of its streaming events, Groq's of its compound systems, and Amazon's guide to Nova.

pub mod kinds;
mod tables;

use super::schema::Schema;
use crate::json::{Field, Want};

/// What a value of an answer is to whoever reads its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// One of several answers at a time: a choice, a candidate.
    Turn,
    /// Which one: of the turns, of its calls, of what the event is about.
    Index,
    /// What kind of event it is.
    Event,
    /// An object that is a call or a part of one, if its type says so.
    Call {
        of: Of,
        comes: Comes,
    },
    /// The same under a key that the table doesn't know: if the key says so.
    Unknown,
    /// Which block an event is about, and what it says of that: an event that says nothing ends it.
    BlockIndex,
    Block,
    Type,
    /// The member that a call's own fields stand in, which is named by its kind.
    Member(&'static str),
    /// The kind of who runs it.
    Provider,
    Name,
    /// By which deltas are told from another call.
    Id,
    /// The server, the namespace or the set of tools that the name is one of.
    Within,
    Arguments(Written),
    /// Values that Vertex streams, each with its path in the arguments.
    Parts,
    /// More of the call follows in a later event.
    GoesOn,
    /// Nothing follows, of the turn or of all, once this says something.
    End,
}

/// How arguments are written where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// JSON in a string; or as it stands.
    Json,
    /// The next piece of such a string.
    Piece,
    /// A text that is no JSON.
    Free,
    /// The next piece of that.
    FreePiece,
    /// As it stands; a word in its place is something else.
    Value,
}

/// What lists calls stand in: it says how their types are read, and calls of one list have their indices among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// OpenAI's chat, and who speaks like it.
    Chat,
    /// Functions alone.
    Function,
    /// What has run already, each by its own kind.
    Run,
    /// Responses.
    Item,
    /// Anthropic's.
    Block,
    /// Bedrock's.
    Use,
    /// Interactions.
    Step,
    /// Gemini's code, and its tools that the server runs.
    Code,
    Tool,
    LmStudio,
    /// What stands under a key that no table knows.
    Unknown,
}

/// How a call comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    Whole,
    /// Whole, and in a stream perhaps once more.
    Again,
    /// With its event's kind: begun, or once more.
    ByEvent,
    /// Perhaps not all of it; the rest is in later events.
    InParts,
    /// All of it, unless it says that it goes on.
    Closing,
}

/// The tables of an API.
#[derive(Clone, Copy, Debug)]
pub struct CallTables {
    pub answer: &'static [Field<Called>],
    pub event: &'static [Field<Called>],
}

impl CallTables {
    /// `None`: its answers call nothing.
    pub fn of(schema: &Schema) -> Option<Self> {
        tables::of(schema.name)
    }
}

const fn value(name: &'static str, key: Called) -> Field<Called> {
    Field { name, key: Some(key), want: Want::Value, inside: &[] }
}

const fn object(name: &'static str, key: Called, inside: &'static [Field<Called>]) -> Field<Called> {
    Field { name, key: Some(key), want: Want::Presence, inside }
}

const fn path(name: &'static str, inside: &'static [Field<Called>]) -> Field<Called> {
    Field { name, key: None, want: Want::Presence, inside }
}

const fn call(name: &'static str, of: Of, comes: Comes, inside: &'static [Field<Called>]) -> Field<Called> {
    object(name, Called::Call { of, comes }, inside)
}

const fn arguments(name: &'static str, written: Written) -> Field<Called> {
    Field { name, key: Some(Called::Arguments(written)), want: Want::Pieces, inside: &[] }
}
