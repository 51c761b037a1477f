//! Where text can be, of each API: in its requests, its answers and the events of its streams.
//!
//! Every string is text, and so is every key of an object that no table knows, unless a table says what else it is. So what an
//! API gets new is looked at from its first day; only whose it is may be told less exactly.

mod answers;
mod requests;

use super::schema::Schema;
use crate::json::{Field, Want};

/// Whose a text is, or what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Place {
    /// What the operator of an application says to the model.
    System,
    User,
    /// What a model has said, in this answer or before.
    Assistant,
    /// What it has thought.
    Reasoning,
    /// The arguments of a call.
    ToolCall,
    ToolResult,
    /// What a tool is for, and the schema of its arguments.
    ToolDefinition,
    /// What is given to be read: documents, files, search results.
    Document,
    /// Everything else.
    Other,
}

impl Place {
    pub const ALL: [Self; 9] = [
        Self::System,
        Self::User,
        Self::Assistant,
        Self::Reasoning,
        Self::ToolCall,
        Self::ToolResult,
        Self::ToolDefinition,
        Self::Document,
        Self::Other,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Reasoning => "reasoning",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::ToolDefinition => "tool_definition",
            Self::Document => "document",
            Self::Other => "other",
        }
    }

    /// Of a message, by its `role`.
    pub fn of_role(role: &str) -> Self {
        match role {
            "system" | "developer" | "SYSTEM" => Self::System,
            "user" | "USER" => Self::User,
            "assistant" | "model" | "CHATBOT" => Self::Assistant,
            "tool" | "function" | "TOOL" => Self::ToolResult,
            _ => Self::Other,
        }
    }
}

/// What can't be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// Pictures, sounds, videos and files, in base64.
    Media,
    /// What a provider has encrypted for itself.
    Encrypted,
    /// The tokens of an answer one by one, with how likely each was.
    Logprobs,
    /// A key, or a number, that is too long.
    TooLong,
    /// A body that is no JSON: a form, what is compressed, plain text, a sound.
    Body,
    /// Looking at it would have taken too long.
    TooMuchWork,
}

impl Opaque {
    pub const ALL: [Self; 6] =
        [Self::Media, Self::Encrypted, Self::Logprobs, Self::TooLong, Self::Body, Self::TooMuchWork];

    /// Nobody who is honest comes here.
    pub const fn is_hostile(self) -> bool {
        matches!(self, Self::TooLong | Self::TooMuchWork)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Encrypted => "encrypted",
            Self::Logprobs => "logprobs",
            Self::TooLong => "too_long",
            Self::Body => "body",
            Self::TooMuchWork => "too_much_work",
        }
    }
}

/// What a value of a body is to whoever reads its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    In {
        /// `None`: by the role of its message, or by the kind of its event.
        place: Option<Place>,
        /// It goes on where the last one like it ended: the next delta of a stream, the next part of a content.
        joins: bool,
        /// A document of JSON, written into a string.
        json: bool,
        /// The table knows it for a text. Else it may be a name or a kind, and is looked at all the same.
        named: bool,
    },
    /// A message, which has a role; or a text by itself, which is the user's.
    Message,
    Role,
    /// One of several that come in turns: a choice, a call. Which one, its index says.
    Turn,
    Index,
    /// What kind of event it is.
    Kind,
    /// Of a turn, or of all: nothing follows, once this says something.
    End,
    Opaque(Opaque),
}

impl Text {
    /// Whose it is, unless its message or its event says so.
    pub const fn place(self) -> Option<Place> {
        match self {
            Self::In { place, .. } => place,
            Self::Opaque(_) => Some(Place::Document),
            Self::Message => Some(Place::User),
            _ => Some(Place::Other),
        }
    }

    pub const fn joins(self) -> bool {
        matches!(self, Self::In { joins: true, .. })
    }

    /// A document of JSON, in a string.
    pub const fn is_json(self) -> bool {
        matches!(self, Self::In { json: true, .. })
    }
}

/// The tables of an API.
#[derive(Debug)]
pub struct Texts {
    pub request: &'static [Field<Text>],
    pub answer: &'static [Field<Text>],
    pub event: &'static [Field<Text>],
}

impl Texts {
    pub fn of(schema: &Schema) -> Self {
        Self {
            request: requests::of(schema.name),
            answer: answers::whole(schema.name),
            event: answers::event(schema.name),
        }
    }
}

const fn row(name: &'static str, text: Text, inside: &'static [Field<Text>]) -> Field<Text> {
    let want = match text {
        Text::In { .. } | Text::Opaque(_) | Text::Message => Want::Pieces,
        Text::Role | Text::Index | Text::Kind | Text::End => Want::Value,
        Text::Turn => Want::Presence,
    };
    // What is mostly a string may be an object, too: nobody knows it, and all of it is looked at.
    let inside = match (inside, text) {
        ([], Text::In { place, .. }) => any(place),
        ([], Text::Opaque(Opaque::Media)) => &ANY_DOCUMENT,
        _ => inside,
    };
    Field { name, key: Some(text), want, inside }
}

/// Whatever is in a text that is none.
const fn any(place: Option<Place>) -> &'static [Field<Text>] {
    match place {
        None => &ANY_OF_ROLE,
        Some(Place::System) => &ANY_SYSTEM,
        Some(Place::User) => &ANY_USER,
        Some(Place::Assistant) => &ANY_ASSISTANT,
        Some(Place::Reasoning) => &ANY_REASONING,
        Some(Place::ToolCall) => &ANY_CALL,
        Some(Place::ToolResult) => &ANY_RESULT,
        Some(Place::ToolDefinition) => &ANY_DEFINITION,
        Some(Place::Document) => &ANY_DOCUMENT,
        Some(Place::Other) => &ANY_OTHER,
    }
}

const fn whole(place: Place) -> Text {
    Text::In { place: Some(place), joins: false, json: false, named: false }
}

const fn joins(place: Place) -> Text {
    Text::In { place: Some(place), joins: true, json: false, named: true }
}

/// Of a message's content: a string, or parts.
const OF_ROLE: Text = Text::In { place: None, joins: true, json: false, named: true };

/// A text, and whatever is in it, if it is none.
const fn text(name: &'static str, place: Place, inside: &'static [Field<Text>]) -> Field<Text> {
    row(name, Text::In { place: Some(place), joins: false, json: false, named: true }, inside)
}

/// A text that goes on in the next.
const fn part(name: &'static str, place: Place, inside: &'static [Field<Text>]) -> Field<Text> {
    row(name, joins(place), inside)
}

/// The arguments of a call, as JSON in a string; or as an object.
const fn arguments(name: &'static str, joins: bool) -> Field<Text> {
    row(name, Text::In { place: Some(Place::ToolCall), joins, json: true, named: true }, &ANY_CALL)
}

/// A step on the way. What stands there itself is what all else in it is.
const fn path(name: &'static str, inside: &'static [Field<Text>]) -> Field<Text> {
    match inside {
        [.., Field { key: Some(text @ Text::In { .. }), .. }] => row(name, *text, inside),
        _ => no_text(name),
    }
}

/// Not looked at, with all that is in it: names that the API gives, ids, what is no text.
const fn no_text(name: &'static str) -> Field<Text> {
    Field { name, key: None, want: Want::Presence, inside: &[] }
}

/// In base64.
const fn media(name: &'static str) -> Field<Text> {
    row(name, Text::Opaque(Opaque::Media), &[])
}

const fn encrypted(name: &'static str) -> Field<Text> {
    row(name, Text::Opaque(Opaque::Encrypted), &[])
}

const fn logprobs(name: &'static str) -> Field<Text> {
    row(name, Text::Opaque(Opaque::Logprobs), &[])
}

/// All that the table of an object doesn't know, and all that is in it: the last of its fields.
macro_rules! any {
    ($($all:ident, $inside:ident: $text:expr;)*) => {
        $(
            const $all: Field<Text> = row("", $text, &$inside);
            static $inside: [Field<Text>; 1] = [row("", $text, &$inside)];
        )*
    };
}
any! {
    REST_OF_ROLE, ANY_OF_ROLE: Text::In { place: None, joins: false, json: false, named: false };
    REST_SYSTEM, ANY_SYSTEM: whole(Place::System);
    REST_USER, ANY_USER: whole(Place::User);
    REST_ASSISTANT, ANY_ASSISTANT: whole(Place::Assistant);
    REST_REASONING, ANY_REASONING: whole(Place::Reasoning);
    REST_CALL, ANY_CALL: whole(Place::ToolCall);
    REST_RESULT, ANY_RESULT: whole(Place::ToolResult);
    REST_DEFINITION, ANY_DEFINITION: whole(Place::ToolDefinition);
    REST_DOCUMENT, ANY_DOCUMENT: whole(Place::Document);
    REST_OTHER, ANY_OTHER: whole(Place::Other);
}

/// A table: what is text, what is none, and what all else is.
macro_rules! texts {
    ([$($field:expr,)*] no [$($name:literal)*] rest $rest:expr) => {
        &[$($field,)* $($crate::llm::texts::no_text($name),)* $rest]
    };
}
use texts;
