//! The APIs that are admitted and metered, each as one table: what its requests ask, what its answers tell.
//!
//! A provider's quirk is a row here, not code elsewhere. Two scanners (of requests and of answers) and one
//! contract of counts read every API; what a table cannot say, no provider has needed yet.

pub(super) mod anthropic;
mod asked;
pub(super) mod bedrock;
pub(super) mod cohere;
mod fact;
mod field;
pub(super) mod gemini;
pub(super) mod interactions;
pub(super) mod lm_studio;
pub(super) mod ollama;
pub(super) mod openai;

pub use asked::Asked;
pub use fact::Fact;
pub use field::CACHING;

use super::usage::Contract;
use crate::json::{Field, Want};

/// An API: its requests are admitted and its answers metered. Everything else steps aside.
#[derive(Clone, Copy)]
pub struct Schema {
    /// As the configuration's `paths` and the record name it.
    pub name: &'static str,
    pub dialect: Dialect,
    /// The event by which a stream says that it has failed, where events have names.
    pub failure: Option<&'static str>,
    pub request: &'static [Field<Asked>],
    /// The field that a request must have, an array.
    pub needs: Option<&'static str>,
    /// Whether requests may be forms, for what is uploaded.
    pub takes_forms: bool,
    /// Whether a request that says nothing is answered as a stream.
    pub streams: bool,
    pub output: OutputBound,
    /// What a bound of 0 says, and one below.
    pub zero: Small,
    pub negative: Small,
    /// Models of Anthropic's write what they were given into a cache only where a request says so.
    pub caches_on_request: bool,
    /// What a stream must be asked for before it tells its usage.
    pub usage_option: bool,
    pub item: Option<Item>,
    /// A request may be accepted before it is worked on, and is generated and billed all the same.
    pub background: bool,
    /// In binary streams, the answer stands in base64 inside the payloads.
    pub wrapped: bool,
    /// The gateway's own API: a request need not name its model, and what only the gateway reads is cut out of it.
    pub own: bool,
    /// Whoever serves it always reports its usage. OpenAI's is served by many who don't.
    pub always_reports: bool,
    /// Whoever serves it keeps answers under ids that later requests may name.
    pub keeps: bool,
    pub answer: &'static [Field<Fact>],
    /// Of an event, where a stream's differ from an answer in one piece.
    pub event: &'static [Field<Fact>],
    pub contract: Contract,
    /// Streams may tell their usage as it grows: it is the whole only once the answer has said that it is finished.
    pub grows: bool,
    /// Bytes of an answer that can't be read (compressed, a sound), for each token that it is taken for.
    pub opaque_bytes_per_token: u64,
    /// The same of a compressed stream. Most of it stands around the text: an event has one token here, thirty there.
    pub compressed_stream_bytes_per_token: u64,
}

impl Schema {
    /// The API by which a provider is spoken to: the gateway's own is OpenAI's chat to it.
    pub const fn spoken_as(&self) -> &Self {
        if self.own { &openai::CHAT } else { self }
    }

    /// By which path, where a client called `path`.
    pub const fn spoken_at<'a>(&self, path: &'a str) -> &'a str {
        if self.own { "/v1/chat/completions" } else { path }
    }

    /// Whether its requests have shapes that no table says: files of forms, and what each family of models has of its own.
    pub const fn may_hide_input(&self) -> bool {
        self.takes_forms || matches!(self.output, OutputBound::Unwritten)
    }
}

/// By its name: tables lead to themselves.
impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schema").field(&self.name).finish()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Schema {}

/// Whose error bodies the API's clients understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    /// AWS: a `message`, and the kind of error in a header.
    Aws,
    Cohere,
    Ollama,
}

impl Dialect {
    /// Its main API: for a path that is none of the metered ones, what holds there.
    pub const fn api(self) -> &'static Schema {
        match self {
            Self::OpenAi => &openai::RESPONSES,
            Self::Anthropic => &anthropic::MESSAGES,
            Self::Gemini => &gemini::GENERATE,
            Self::Aws => &bedrock::CONVERSE,
            Self::Cohere => &cohere::CHAT,
            Self::Ollama => &ollama::CHAT,
        }
    }
}

/// How the output of a request is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputBound {
    None,
    /// By a field, into which a bound can be written where the client left it open: one of these, by `BoundField`.
    Field(&'static [Slot]),
    /// By a field that differs from model to model, so none can be written.
    Unwritten,
    /// By what the model makes of each choice: a picture, a sound.
    Fixed(u64),
}

/// What a bound says that is no count. Servers differ, so what none of them may take for unbounded is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Small {
    /// "No bound": the gateway's own stands in its place.
    Open,
    /// Nothing is to be generated, by the models of who made the API.
    Nothing,
    /// Nothing to some servers, "no bound" to others: it is left as it is, and reserved for as if it were none.
    Either,
    Refused,
}

/// A field of the request that can be written into: at the top, or in the object `nest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub nest: Option<&'static str>,
    pub name: &'static str,
}

/// What a request asks for by the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// As many as there are choices.
    Image,
    /// One for each hundred documents.
    SearchUnit,
}

/// What a request may bring along that is no text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Picture,
    Sound,
    Video,
    Document,
}

/// How a provider of OpenAI's API wants the bound on the output to be called: newer models of OpenAI refuse
/// `max_tokens`, older servers know no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BoundField {
    #[default]
    MaxCompletionTokens,
    MaxTokens,
}

impl BoundField {
    pub const fn slot(self) -> u8 {
        match self {
            Self::MaxCompletionTokens => 0,
            Self::MaxTokens => 1,
        }
    }
}

/// Of a moving picture, where the request doesn't say.
pub const FRAMES: u64 = 9;
/// What was spoken before, by its id.
pub const SPOKEN: &str = "messages[].audio.id";

/// What a provider is taken to serve of which nothing is said: nearly everybody speaks it.
pub static OPENAI: [&Schema; 6] =
    [&openai::CHAT, &openai::COMPLETIONS, &openai::RESPONSES, &openai::EMBEDDINGS, &openai::IMAGES, &openai::AUDIO];

pub static ALL: [&Schema; 20] = [
    &openai::GATEWAY_CHAT,
    &openai::CHAT,
    &openai::COMPLETIONS,
    &openai::RESPONSES,
    &openai::EMBEDDINGS,
    &openai::IMAGES,
    &openai::AUDIO,
    &cohere::RERANK,
    &cohere::CHAT,
    &cohere::EMBED,
    &anthropic::MESSAGES,
    &gemini::GENERATE,
    &gemini::EMBED,
    &interactions::INTERACTIONS,
    &lm_studio::CHAT,
    &bedrock::CONVERSE,
    &bedrock::INVOKE,
    &ollama::CHAT,
    &ollama::GENERATE,
    &ollama::EMBED,
];

/// Whether a provider's name for a model says that it is Anthropic's: others speak its API as well, and keep to their own ideas
/// of what is cached and of what 0 bounds. A name that hides it is taken for another's, which reserves more.
pub fn is_anthropics(model: &str) -> bool {
    model.contains("claude")
}

pub fn named(name: &str) -> Option<&'static Schema> {
    ALL.into_iter().find(|schema| schema.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{MAX_TRACKED, OTHERS};

    /// Fields of fields.
    fn depth<K>(fields: &[Field<K>]) -> usize {
        fields
            .iter()
            .filter(|field| !field.is_rest() && field.name != OTHERS)
            .map(|field| 1 + depth(field.inside))
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn the_scanner_follows_every_field_however_it_is_wrapped() {
        for schema in ALL {
            let deepest = depth(schema.request).max(depth(schema.answer)).max(depth(schema.event));
            // The last is a scalar; around each of the others may be an array, and around the document as well.
            assert!(2 * deepest <= MAX_TRACKED, "{}: {deepest}", schema.name);
        }
    }

    #[test]
    fn every_request_can_say_its_role_and_its_sensitivity() {
        for schema in ALL {
            for (name, key) in [("role", Asked::Role), ("sensitivity", Asked::Sensitivity)] {
                let is_it = |field: &&Field<Asked>| field.name == name && field.key == Some(key);
                assert_eq!(schema.request.iter().filter(is_it).count(), 1, "{}: {name}", schema.name);
            }
        }
    }

    #[test]
    fn every_request_has_a_table_of_all_fields_each_of_them_once() {
        for schema in ALL {
            for (at, field) in schema.request.iter().enumerate() {
                let again = schema.request.iter().skip(at + 1).any(|other| other.name == field.name);
                assert!(!again, "{}: {}", schema.name, field.name);
            }
            assert_eq!(schema.request.last().and_then(|field| field.key), Some(Asked::Unknown), "{}", schema.name);
        }
    }

    /// A table that is made from another could inherit what is true of that one only.
    #[test]
    fn who_always_reports_and_who_keeps_is_said_of_each_api_by_itself() {
        let names = |is: fn(&&&Schema) -> bool| ALL.iter().filter(is).map(|schema| schema.name).collect::<Vec<_>>();
        let reports = names(|schema| schema.always_reports);
        assert_eq!(reports, ["anthropic_messages", "gemini_generate", "bedrock_converse"]);
        let keeps = names(|schema| schema.keeps);
        assert_eq!(keeps, ["openai_responses", "gemini_interactions", "lm_studio_chat"]);
    }

    #[test]
    fn every_schema_is_found_by_its_own_name() {
        for schema in ALL {
            assert!(named(schema.name) == Some(schema), "{}", schema.name);
        }
    }
}
