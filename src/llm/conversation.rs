//! How a conversation begins, of each API: by that all its turns are known for one, for clients send the beginning with each.
//!
//! The beginning is what the system says and the first message that is not the system's. Of that only the texts and what stands for
//! pictures and files count, not how they are written: marks for caches move from turn to turn, and a text is a string in one turn and
//! a part in the next. What follows the beginning is not looked at, and nothing is kept of it but two hashes.

use super::schema::Schema;
use super::texts::Place;
use crate::hash::{FNV, fnv, fnv_on};
use crate::json::{Container, Field, Found, Hit, Scanner, Want};

/// What a request says of the conversation that it is a turn of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The same of all its turns; by what the client calls it, else by how it begins.
    pub key: Option<u64>,
    /// How long the texts of its beginning are, if it has one.
    pub begins: Option<u64>,
}

/// Reads a request's body for its beginning.
pub struct ConversationReader {
    scanner: Scanner<Part>,
    named: Option<u64>,
    system: Texts,
    said: Texts,
    /// A message comes that is the system's, as far as is known.
    of_system: bool,
    /// The first message that is not has ended.
    has_begun: bool,
}

/// What a member of a request has to do with its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The client's own name for what should hit the same cache.
    Name,
    System,
    /// A message, or what is said by itself.
    Message,
    Role,
    Text,
    /// A picture or a file, or where it is: no text.
    Media,
}

/// Texts in a row, of any number.
#[derive(Clone, Copy)]
struct Texts {
    hash: u64,
    bytes: u64,
    /// Of the message that comes, so much more counts for the hash.
    room: usize,
}

/// Agents put what is the same for all before what is this one's; of the system's and of each message that much is told apart.
const MOST_BYTES: usize = 65_536;

impl ConversationReader {
    /// `None`: its requests are no turns, and have no names for what should hit the same cache.
    pub fn new(schema: &Schema) -> Option<Box<Self>> {
        let scanner = Scanner::new(table(schema.name)?);
        let (system, said) = (Texts::NONE, Texts::NONE);
        Some(Box::new(Self { scanner, named: None, system, said, of_system: false, has_begun: false }))
    }

    /// The next bytes of the body. One that is no JSON is refused by its reader.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { scanner, named, system, said, of_system, has_begun } = self;
        let _ = scanner.feed(bytes, &mut |Hit { key, found, .. }| match (key, found) {
            (Part::Name, Found::Text { text, .. }) if !text.is_empty() => *named = Some(fnv(text.bytes())),
            (Part::System, Found::Piece(text)) => system.add(text),
            _ if *has_begun => {}
            (Part::Message, Found::Opened(Container::Object)) => (*of_system, said.room) = (false, MOST_BYTES),
            (Part::Role, Found::Text { text, .. }) => *of_system = Place::of_role(text) == Place::System,
            (Part::Message, Found::Closed { container: Container::Object, .. }) => *has_begun = !*of_system,
            (Part::Message, Found::Size(_)) => *has_begun = true,
            (Part::Text | Part::Message, Found::Piece(text)) => said.add(text),
            (Part::Media, Found::Piece(text)) => said.hash(text),
            _ => {}
        });
    }

    pub fn end(self) -> Conversation {
        let Self { named, system, said, has_begun, .. } = self;
        let begins = has_begun.then(|| system.bytes.saturating_add(said.bytes));
        let key = || fnv([system.hash, said.hash].into_iter().flat_map(u64::to_le_bytes));
        Conversation { key: named.or_else(|| has_begun.then(key)), begins }
    }
}

impl Texts {
    const NONE: Self = Self { hash: FNV, bytes: 0, room: MOST_BYTES };

    fn add(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.hash(text);
    }

    /// The same wherever its pieces are cut.
    fn hash(&mut self, text: &str) {
        let text = text.as_bytes();
        let text = text.get(..self.room).unwrap_or(text);
        self.room = self.room.saturating_sub(text.len());
        self.hash = fnv_on(self.hash, text.iter().copied());
    }
}

const fn row(name: &'static str, part: Part, inside: &'static [Field<Part>]) -> Field<Part> {
    let want = match part {
        Part::Name | Part::Role => Want::Value,
        Part::System | Part::Message | Part::Text | Part::Media => Want::Pieces,
    };
    Field { name, key: Some(part), want, inside }
}
const fn path(name: &'static str, inside: &'static [Field<Part>]) -> Field<Part> {
    Field { name, key: None, want: Want::Presence, inside }
}
const fn message(name: &'static str, inside: &'static [Field<Part>]) -> Field<Part> {
    row(name, Part::Message, inside)
}
const fn text(name: &'static str, inside: &'static [Field<Part>]) -> Field<Part> {
    row(name, Part::Text, inside)
}
const fn system(name: &'static str, inside: &'static [Field<Part>]) -> Field<Part> {
    row(name, Part::System, inside)
}
const fn media(name: &'static str) -> Field<Part> {
    row(name, Part::Media, &MEDIA)
}

/// The client's own name, as OpenAI has it and those who took it over.
const NAME: Field<Part> = row("prompt_cache_key", Part::Name, &[]);
const ROLE: Field<Part> = row("role", Part::Role, &[]);

/// What stands for a picture, a sound or a file, wherever in it.
static MEDIA: [Field<Part>; 9] = [
    row("url", Part::Media, &[]),
    row("data", Part::Media, &[]),
    row("bytes", Part::Media, &[]),
    row("uri", Part::Media, &[]),
    row("fileUri", Part::Media, &[]),
    row("file_uri", Part::Media, &[]),
    row("file_data", Part::Media, &[]),
    row("file_id", Part::Media, &[]),
    media("source"),
];
/// A part of a content, in whatever API.
static PARTS: [Field<Part>; 16] = [
    text("text", &[]),
    text("content", &[]),
    media("image_url"),
    media("input_audio"),
    media("file"),
    media("file_data"),
    media("file_id"),
    media("source"),
    media("image"),
    media("document"),
    media("video"),
    media("audio"),
    media("inlineData"),
    media("inline_data"),
    media("fileData"),
    media("file_url"),
];
static SYSTEM: [Field<Part>; 1] = [system("text", &[])];
static MESSAGE: [Field<Part>; 2] = [ROLE, text("content", &PARTS)];
static CHAT: [Field<Part>; 2] = [NAME, message("messages", &MESSAGE)];
static RESPONSES: [Field<Part>; 3] = [NAME, system("instructions", &[]), message("input", &MESSAGE)];
static SYSTEM_BESIDE: [Field<Part>; 2] = [system("system", &SYSTEM), message("messages", &MESSAGE)];
static CONTENT: [Field<Part>; 2] = [ROLE, path("parts", &PARTS)];
static INSTRUCTION: [Field<Part>; 1] = [path("parts", &SYSTEM)];
static GEMINI: [Field<Part>; 3] = [
    system("systemInstruction", &INSTRUCTION),
    system("system_instruction", &INSTRUCTION),
    message("contents", &CONTENT),
];
static TURN: [Field<Part>; 3] = [ROLE, text("text", &[]), text("content", &PARTS)];
static INTERACTIONS: [Field<Part>; 2] = [system("system_instruction", &[]), message("input", &TURN)];
static NAMED: [Field<Part>; 1] = [NAME];

/// `None`: an API whose requests are no turns.
fn table(api: &str) -> Option<&'static [Field<Part>]> {
    Some(match api {
        "openai_chat" | "gateway_chat" | "cohere_chat" | "ollama_chat" => &CHAT,
        "openai_responses" => &RESPONSES,
        "anthropic_messages" | "bedrock_converse" | "bedrock_invoke" => &SYSTEM_BESIDE,
        "gemini_generate" => &GEMINI,
        "gemini_interactions" => &INTERACTIONS,
        "openai_completions" => &NAMED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
