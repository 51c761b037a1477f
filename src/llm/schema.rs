//! The APIs that are admitted and metered, each as one table: what its requests ask, what its answers tell.
//!
//! Trade-off: a provider's quirk is a row here, not code elsewhere. Two scanners (of requests and of answers) and one
//! contract of counts read every API; what a table cannot say, no provider has needed yet.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod interactions;
mod lm_studio;
mod ollama;
mod openai;

use super::usage::{Contract, Count};
use crate::json::{Field, OTHERS, Want};

/// An API: its requests are admitted and its answers metered. Everything else steps aside.
#[derive(Clone, Copy)]
pub struct Schema {
    /// As the configuration's `paths` and the record name it.
    pub name: &'static str,
    pub dialect: Dialect,
    pub request: &'static [Field<Asked>],
    /// The field that a request must have, an array.
    pub needs: Option<&'static str>,
    /// Whether requests may be forms, for what is uploaded.
    pub takes_forms: bool,
    /// Whether a request that says nothing is answered as a stream.
    pub streams: bool,
    pub output: Output,
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
    /// Whether whoever serves it always reports its usage. OpenAI's is served by many who don't.
    pub fn always_reports(&self) -> bool {
        matches!(self.name, "anthropic_messages" | "gemini_generate" | "bedrock_converse")
    }

    /// Whether whoever serves it keeps answers under ids that later requests may name.
    pub fn keeps(&self) -> bool {
        matches!(self.name, "openai_responses" | "gemini_interactions" | "lm_studio_chat")
    }

    /// Whether its requests have shapes that no table says: files of forms, and what each family of models has of its own.
    pub const fn may_hide_input(&self) -> bool {
        self.takes_forms || matches!(self.output, Output::Unwritten)
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

/// How the output of a request is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
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

/// What a field of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Model,
    Stream,
    Choices,
    /// The bound on the output, by its slot.
    Bound(u8),
    /// The object that a slot stands in.
    Nest,
    IncludeUsage,
    /// A tier, a speed, a region: each may have rates of its own.
    ServiceTier,
    Speed,
    Region,
    /// The field that the schema needs.
    Needed,
    /// In base64, what the field's name says.
    Inline(Medium),
    /// Where it can be had, or a `data:` URL that holds it.
    Address(Medium),
    /// By the field's name, what brings in as much as the model reads, for all that the body says.
    Hidden(&'static str),
    /// By the field's name, what brings in so many tokens at most.
    HiddenUpTo(&'static str, u32),
    /// By the field's name, servers whose tools the provider calls.
    Servers(&'static str),
    /// A part of a content, whose kind says what its source or its id stands for.
    Part,
    PartKind,
    /// By its name, an id in a part: of a picture, or of whatever it may be.
    PartId(&'static str),
    /// A member of a part that no table knows.
    PartOther,
    /// What a part is made from. What it is shows at its end: its kind, its type, and where or what it is.
    Source,
    SourceKind,
    MediaType,
    SourceData,
    SourceAddress,
    Document,
    /// A tool that is offered; what holds of all of them stands beside.
    Tools,
    /// The kind of a tool, where a member says it and where the member is it.
    ToolKind,
    ToolMember,
    /// How often it may be used, and all that a provider runs together.
    ToolMost,
    AllToolsMost,
    /// How many tokens each use of it brings in, at most.
    ToolTokens,
    /// Another model that works inside of it.
    ToolModel,
    /// How many pictures it makes in one, and whether that moves.
    ToolFrames,
    ToolFormat,
    /// Where it runs.
    ToolPlace,
    /// Whether it is used at all.
    ToolMode,
    /// By its name, an object that has the provider search; what it sells stands at its members.
    Search(&'static str),
    /// A relay's own additions.
    Plugins,
    /// Whether the provider is to keep what is made.
    Store,
    /// The answer is to be spoken, and what was said is kept for a while.
    Spoken,
    /// Whether it is to be made while nobody waits.
    Background,
    /// By the field's name, the id of something that the provider has kept.
    Refers(&'static str),
    /// An element of the input, its kind and its id: by itself, an id stands for what the provider has kept.
    Item,
    ItemKind,
    ItemId,
    /// What an element brings along in the place of what was kept.
    ItemContent,
    /// By the field's name, a list of the flags that other clients write into a header.
    Flags(&'static str),
    /// By its name, a list of models that may serve in the place of the one that is priced.
    OtherModels(&'static str),
    /// By its name, another model that works beside the one that is priced.
    OtherModel(&'static str),
    /// A text that is sold by the character.
    Characters,
    /// A picture that is sold by the piece.
    Picture,
    /// A prompt that the provider has kept, and what a model it names.
    StoredPrompt,
    /// A field that must be left out, and why.
    Never(&'static str, &'static str),
    /// How many pictures are made in one, and whether it moves.
    Frames,
    Format,
    /// A field of the request that no table knows, and what it holds.
    Unknown,
    InUnknown,
    /// What belongs to another API.
    Misplaced,
    /// What is completed: of a list, each is answered by itself.
    Prompts,
    /// For the gateway alone.
    Role,
    Sensitivity,
    /// Wherever it stands: something is to be written into a cache.
    CacheWrite,
    /// For how long, wherever it stands.
    CacheAge,
}

/// What a field of an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Model,
    /// Under which the provider may have kept the answer, or an item of it.
    Id,
    Choices,
    /// Generated text, by its size.
    Output,
    /// The same, which may stand there under other names as well: by which.
    Reasoned(u8),
    /// A string that no table knows: it may be text.
    Stray,
    /// A generated picture or sound, by its size in base64.
    Media,
    /// A generated object, by its length.
    Arguments,
    /// Differs from event to event of a stream, and nobody reads it.
    Varying,
    /// An error, unless it is null.
    Error,
    /// The kind of an event or an answer: `error` and `failed` are what the names say.
    Kind,
    /// Why the answer ended, unless it is null: nothing more is generated.
    Finish,
    /// The object that holds the usage.
    Usage,
    Count(Count),
    /// What was asked for is no text: there is no output to count.
    Embedding,
    /// It came, whatever it holds.
    Made,
    /// What adds up over the items of an answer: an object or a text counts one, a number what it says.
    Each(Count),
    /// Counts by modality, in objects of a `modality` and a `tokenCount`.
    Modalities {
        audio: Count,
        image: Count,
    },
    Modality,
    ModalityTokens,
    ServiceTier,
    /// By what kind of traffic Vertex served it, or Gemini's own name for the tier.
    TrafficType,
    /// Why it failed, by a number that is 0 where it didn't.
    FailureCode,
    /// How fast, and where: each has rates of its own.
    Speed,
    Region,
    /// How long a sound was.
    Seconds,
    /// The provider's own bill, in units of 10^-`places` USD.
    Cost {
        places: u64,
    },
    /// What a relay's provider bills beside it, in USD, if the key is the operator's own.
    UpstreamCost,
    OwnKey,
    /// What was written into a cache, in objects of an age and a count.
    WrittenFor,
    WrittenAge,
    WrittenTokens,
    /// A round of several that an answer took, and its counts.
    Iteration,
    Iterated(Count),
    /// An item of the output, which may be the call of a hosted tool.
    Call,
    CallId,
    CallKind,
    CallStatus,
    CallAction,
    CallContainer,
    /// The container that the code of an answer ran in, each once.
    Container,
    /// A search that was made: each different one counts.
    Query,
    /// Which call of a hosted tool a block answers, and what that found, by its kind.
    Served,
    Found,
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

/// Where a request says that something is to be cached: `cache_control` of Anthropic's API and those that took it over,
/// Bedrock's `cachePoint`, and what may come after them.
pub static CACHING: [Field<Asked>; 2] = [
    Field { name: "cache", key: Some(Asked::CacheWrite), want: Want::Presence, inside: &[] },
    Field { name: "ttl", key: Some(Asked::CacheAge), want: Want::Value, inside: &[] },
];

/// What the gateway reads of every request, and no API has of its own.
const ROLE: Field<Asked> = asked("role", Asked::Role);
const SENSITIVITY: Field<Asked> = asked("sensitivity", Asked::Sensitivity);

const fn asked(name: &'static str, key: Asked) -> Field<Asked> {
    Field { name, key: Some(key), want: Want::Value, inside: &[] }
}

/// All fields of a request that its API is known to have: those that decide something, and those that cost nothing. What has none
/// of these names is reported as unknown. Sources: the types of the official SDKs, the references of those who speak the API as well.
macro_rules! fields {
    ([$($field:expr,)*] free [$($name:literal)*]) => {
        &[$($field,)* $($crate::llm::schema::free($name),)* $crate::llm::schema::UNKNOWN]
    };
}
use fields;

const fn free(name: &'static str) -> Field<Asked> {
    path(name, &[])
}

const UNKNOWN: Field<Asked> = Field { name: OTHERS, key: Some(Asked::Unknown), want: Want::Value, inside: &IN_UNKNOWN };
static IN_UNKNOWN: [Field<Asked>; 1] =
    [Field { name: OTHERS, key: Some(Asked::InUnknown), want: Want::Value, inside: &IN_UNKNOWN }];

const fn never(name: &'static str, why: &'static str) -> Field<Asked> {
    asked(name, Asked::Never(name, why))
}

/// What a tool may say of itself, in all APIs that have a list of them.
const TOOL: [Field<Asked>; 5] = [
    asked("type", Asked::ToolKind),
    asked("max_uses", Asked::ToolMost),
    asked("max_content_tokens", Asked::ToolTokens),
    asked("model", Asked::ToolModel),
    path("environment", &[asked("type", Asked::ToolPlace)]),
];
static TOOLS_INSIDE: [Field<Asked>; 5] = TOOL;
const TOOLS: Field<Asked> = object("tools", Asked::Tools, &TOOLS_INSIDE);

/// Of lists whose tools are named by the member that holds them.
static TOOL_MEMBERS: [Field<Asked>; 1] = [others(Asked::ToolMember)];
const TOOLS_BY_MEMBER: Field<Asked> = object("tools", Asked::Tools, &TOOL_MEMBERS);

/// Whatever else an object has.
const fn others(key: Asked) -> Field<Asked> {
    Field { name: OTHERS, key: Some(key), want: Want::Value, inside: &[] }
}

/// A picture, a sound, a video or a document, in base64.
const fn inline(name: &'static str, medium: Medium) -> Field<Asked> {
    Field { name, key: Some(Asked::Inline(medium)), want: Want::Size, inside: &[] }
}

const fn address(name: &'static str, medium: Medium) -> Field<Asked> {
    asked(name, Asked::Address(medium))
}

/// What brings in input that the body doesn't hold, nobody knows how much.
const fn hidden(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::Hidden(name)), want: Want::Presence, inside: &[] }
}

/// A content of parts that say of what kind they are.
const fn parts(name: &'static str, inside: &'static [Field<Asked>]) -> Field<Asked> {
    object(name, Asked::Part, inside)
}

const fn part_id(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::PartId(name)), want: Want::Presence, inside: &[] }
}

/// What a part has that no table knows, and all that is in it.
const PART_OTHERS: Field<Asked> =
    Field { name: OTHERS, key: Some(Asked::PartOther), want: Want::Value, inside: &IN_PART_OTHERS };
static IN_PART_OTHERS: [Field<Asked>; 1] =
    [Field { name: OTHERS, key: Some(Asked::PartOther), want: Want::Value, inside: &IN_PART_OTHERS }];

/// The members of a part: those that bring something, those that are text or name something, and all others.
macro_rules! part {
    ([$($field:expr,)*] free [$($name:literal)*]) => {
        &[$($field,)* $($crate::llm::schema::free($name),)* $crate::llm::schema::PART_OTHERS]
    };
}
use part;

/// An object that only leads to the fields `inside`.
const fn path<K: Copy>(name: &'static str, inside: &'static [Field<K>]) -> Field<K> {
    Field { name, key: None, want: Want::Presence, inside }
}

const fn object<K: Copy>(name: &'static str, key: K, inside: &'static [Field<K>]) -> Field<K> {
    Field { name, key: Some(key), want: Want::Presence, inside }
}

const fn value(name: &'static str, fact: Fact) -> Field<Fact> {
    Field { name, key: Some(fact), want: Want::Value, inside: &[] }
}

const fn count(name: &'static str, count: Count) -> Field<Fact> {
    value(name, Fact::Count(count))
}

/// Text that was generated.
const fn text(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Output), want: Want::Size, inside: &[] }
}

/// Text that some repeat under other names in the same event, by its way: the longest counts.
const fn reasoned(name: &'static str, way: u8) -> Field<Fact> {
    Field { name, key: Some(Fact::Reasoned(way)), want: Want::Size, inside: &[] }
}

/// A picture or a sound, in base64.
const fn media(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Media), want: Want::Size, inside: &[] }
}

/// Known, and no output, with all that is in it: a name, an id, what was generated by nobody, or counted elsewhere.
const fn known(name: &'static str) -> Field<Fact> {
    Field { name, key: None, want: Want::Presence, inside: &[] }
}

/// All strings below whatever the table of an object doesn't know: the last of its fields.
const REST: Field<Fact> = Field { name: "", key: Some(Fact::Stray), want: Want::Size, inside: &STRAYS };
static STRAYS: [Field<Fact>; 1] = [Field { name: "", key: Some(Fact::Stray), want: Want::Size, inside: &STRAYS }];

const fn varying(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Varying), want: Want::Presence, inside: &[] }
}

const fn error(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Error), want: Want::Presence, inside: &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::MAX_TRACKED;

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

    #[test]
    fn every_schema_is_found_by_its_own_name() {
        for schema in ALL {
            assert!(named(schema.name) == Some(schema), "{}", schema.name);
        }
    }
}
