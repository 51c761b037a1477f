//! What the tables of all APIs are made of: a field, by what it is to the gateway.

use super::{Asked, Fact, Medium};
use crate::json::{Field, OTHERS, Want};
use crate::llm::usage::Count;

/// Where a request says that something is to be cached: `cache_control` of Anthropic's API and those that took it over,
/// Bedrock's `cachePoint`, and what may come after them. Not what is cached already: that is read.
pub static CACHING: [Field<Asked>; 4] = [
    caching("cache_"),
    caching("cachec"),
    caching("cachep"),
    Field { name: "ttl", key: Some(Asked::CacheAge), want: Want::Value, inside: &[] },
];

const fn caching(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::CacheWrite), want: Want::Presence, inside: &[] }
}

/// What the gateway reads of every request, and no API has of its own.
pub(super) const ROLE: Field<Asked> = asked("role", Asked::Role);
pub(super) const SENSITIVITY: Field<Asked> = asked("sensitivity", Asked::Sensitivity);

pub(super) const fn asked(name: &'static str, key: Asked) -> Field<Asked> {
    Field { name, key: Some(key), want: Want::Value, inside: &[] }
}

/// All fields of a request that its API is known to have: those that decide something, and those that cost nothing. What has none
/// of these names is reported as unknown. Sources: the types of the official SDKs, the references of those who speak the API as well.
macro_rules! fields {
    ([$($field:expr,)*] free [$($name:literal)*]) => {
        &[$($field,)* $($crate::llm::schema::field::free($name),)* $crate::llm::schema::field::UNKNOWN]
    };
}
pub(super) use fields;

pub(super) const fn free(name: &'static str) -> Field<Asked> {
    path(name, &[])
}

pub(super) const UNKNOWN: Field<Asked> =
    Field { name: OTHERS, key: Some(Asked::Unknown), want: Want::Value, inside: &IN_UNKNOWN };
static IN_UNKNOWN: [Field<Asked>; 1] =
    [Field { name: OTHERS, key: Some(Asked::InUnknown), want: Want::Value, inside: &IN_UNKNOWN }];

pub(super) const fn never(name: &'static str, why: &'static str) -> Field<Asked> {
    asked(name, Asked::Never(name, why))
}

/// What a tool may say of itself, in all APIs that have a list of them. Some relays take Gemini's tools as well, which are named
/// by a member.
pub(super) const TOOL: [Field<Asked>; 15] = [
    asked("type", Asked::ToolKind),
    asked("max_uses", Asked::ToolMost),
    asked("max_content_tokens", Asked::ToolTokens),
    asked("model", Asked::ToolModel),
    object("environment", Asked::ToolPlace, &[asked("type", Asked::ToolPlace)]),
    named("googleSearch"),
    named("google_search"),
    named("googleSearchRetrieval"),
    named("google_search_retrieval"),
    named("enterpriseWebSearch"),
    named("enterprise_web_search"),
    named("urlContext"),
    named("url_context"),
    named("googleMaps"),
    named("google_maps"),
];
pub(super) static TOOLS_INSIDE: [Field<Asked>; 15] = TOOL;
const fn named(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::ToolNamed(name)), want: Want::Presence, inside: &[] }
}
pub(super) const TOOLS: Field<Asked> = object("tools", Asked::Tools, &TOOLS_INSIDE);

/// Of lists whose tools are named by the member that holds them.
static TOOL_MEMBERS: [Field<Asked>; 1] = [others(Asked::ToolMember)];
pub(super) const TOOLS_BY_MEMBER: Field<Asked> = object("tools", Asked::Tools, &TOOL_MEMBERS);

/// Whatever else an object has.
pub(super) const fn others(key: Asked) -> Field<Asked> {
    Field { name: OTHERS, key: Some(key), want: Want::Value, inside: &[] }
}

/// A picture, a sound, a video or a document, in base64.
pub(super) const fn inline(name: &'static str, medium: Medium) -> Field<Asked> {
    Field { name, key: Some(Asked::Inline(medium)), want: Want::Size, inside: &[] }
}

pub(super) const fn address(name: &'static str, medium: Medium) -> Field<Asked> {
    asked(name, Asked::Address(medium))
}

/// What brings in input that the body doesn't hold, nobody knows how much.
pub(super) const fn hidden(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::Hidden(name)), want: Want::Presence, inside: &[] }
}

/// A content of parts that say of what kind they are.
pub(super) const fn parts(name: &'static str, inside: &'static [Field<Asked>]) -> Field<Asked> {
    object(name, Asked::Part, inside)
}

pub(super) const fn part_id(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::PartId(name)), want: Want::Presence, inside: &[] }
}

/// What a part has that no table knows, and all that is in it.
pub(super) const PART_OTHERS: Field<Asked> =
    Field { name: OTHERS, key: Some(Asked::PartOther), want: Want::Value, inside: &IN_PART_OTHERS };
static IN_PART_OTHERS: [Field<Asked>; 1] =
    [Field { name: OTHERS, key: Some(Asked::PartOther), want: Want::Value, inside: &IN_PART_OTHERS }];

/// The members of a part: those that bring something, those that are text or name something, and all others.
macro_rules! part {
    ([$($field:expr,)*] free [$($name:literal)*]) => {
        &[$($field,)* $($crate::llm::schema::field::free($name),)* $crate::llm::schema::field::PART_OTHERS]
    };
}
pub(super) use part;

/// An object that only leads to the fields `inside`.
pub(super) const fn path<K: Copy>(name: &'static str, inside: &'static [Field<K>]) -> Field<K> {
    Field { name, key: None, want: Want::Presence, inside }
}

pub(super) const fn object<K: Copy>(name: &'static str, key: K, inside: &'static [Field<K>]) -> Field<K> {
    Field { name, key: Some(key), want: Want::Presence, inside }
}

pub(super) const fn value(name: &'static str, fact: Fact) -> Field<Fact> {
    Field { name, key: Some(fact), want: Want::Value, inside: &[] }
}

pub(super) const fn count(name: &'static str, count: Count) -> Field<Fact> {
    value(name, Fact::Count(count))
}

/// Text that was generated.
pub(super) const fn text(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Output), want: Want::Size, inside: &[] }
}

/// Text in the place where a model declines.
pub(super) const REFUSAL: Field<Fact> =
    Field { name: "refusal", key: Some(Fact::Refusal), want: Want::Size, inside: &[] };

/// Text that some repeat under other names in the same event, by its way: the longest counts.
pub(super) const fn reasoned(name: &'static str, way: u8) -> Field<Fact> {
    Field { name, key: Some(Fact::Reasoned(way)), want: Want::Size, inside: &[] }
}

/// A picture or a sound, in base64.
pub(super) const fn media(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Media), want: Want::Size, inside: &[] }
}

/// Known, and no output, with all that is in it: a name, an id, what was generated by nobody, or counted elsewhere.
pub(super) const fn known(name: &'static str) -> Field<Fact> {
    Field { name, key: None, want: Want::Presence, inside: &[] }
}

/// All strings below whatever the table of an object doesn't know: the last of its fields.
pub(super) const REST: Field<Fact> = Field { name: "", key: Some(Fact::Stray), want: Want::Size, inside: &STRAYS };
pub(super) static STRAYS: [Field<Fact>; 1] =
    [Field { name: "", key: Some(Fact::Stray), want: Want::Size, inside: &STRAYS }];

pub(super) const fn varying(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Varying), want: Want::Presence, inside: &[] }
}

pub(super) const fn error(name: &'static str) -> Field<Fact> {
    Field { name, key: Some(Fact::Error), want: Want::Presence, inside: &[] }
}
