//! The few fields of a chat request that decide its price, and the edits that may be made to it.
//!
//! Trade-off: the body stays in Envoy's buffer; what is kept here is a handful of values and where they stand, so a
//! request of any size costs the same memory. Edits are splices at those places: nothing else of the body changes.

use super::estimate::Sizes;
use crate::json::{Container, Field, Found, Hit, Malformed, Number, Scanner, Want};
use crate::units::Tokens;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Model,
    Stream,
    Choices,
    MaxTokens,
    MaxCompletionTokens,
    StreamOptions,
    IncludeUsage,
    Messages,
    Attachment,
}

const fn field(name: &'static str, key: Key, want: Want) -> Field<Key> {
    Field { name, key: Some(key), want, inside: &[] }
}

const fn path(name: &'static str, inside: &'static [Field<Key>]) -> Field<Key> {
    Field { name, key: None, want: Want::Presence, inside }
}

static PARTS: [Field<Key>; 3] = [
    path("image_url", &[field("url", Key::Attachment, Want::Size)]),
    path("input_audio", &[field("data", Key::Attachment, Want::Size)]),
    path("file", &[field("file_data", Key::Attachment, Want::Size)]),
];

static SHAPE: [Field<Key>; 7] = [
    field("model", Key::Model, Want::Value),
    field("stream", Key::Stream, Want::Value),
    field("n", Key::Choices, Want::Value),
    field("max_tokens", Key::MaxTokens, Want::Value),
    field("max_completion_tokens", Key::MaxCompletionTokens, Want::Value),
    Field {
        name: "stream_options",
        key: Some(Key::StreamOptions),
        want: Want::Presence,
        inside: &[field("include_usage", Key::IncludeUsage, Want::Value)],
    },
    Field { name: "messages", key: Some(Key::Messages), want: Want::Presence, inside: &[path("content", &PARTS)] },
];

/// Where a value stands in the body, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub from: u64,
    pub to: u64,
}

/// A count the client sent, or `null` in its place: some SDKs write it for "no bound".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    tokens: Option<Tokens>,
    place: Place,
}

/// Why a request is refused as `invalid_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    Json(Malformed),
    NotAnObject,
    Missing(&'static str),
    Repeated(&'static str),
    Wrong { field: &'static str, expected: &'static str },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(malformed) => malformed.fmt(f),
            Self::NotAnObject => f.write_str("the body must be a JSON object"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Repeated(field) => write!(f, "the field `{field}` is given more than once"),
            Self::Wrong { field, expected } => write!(f, "the field `{field}` must be {expected}"),
        }
    }
}

/// A chat request as its client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRequest {
    /// Just behind the object's opening bracket.
    inside: u64,
    pub model: String,
    model_place: Place,
    pub stream: bool,
    pub choices: u64,
    max_tokens: Option<Written>,
    max_completion_tokens: Option<Written>,
    stream_options: Option<StreamOptions>,
    pub sizes: Sizes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StreamOptions {
    /// The whole object, or the `null` in its place.
    place: Option<Place>,
    is_null: bool,
    empty: bool,
    include_usage: Option<(bool, Place)>,
}

/// Reads a chat request as its bytes come.
pub struct ChatReader {
    /// White space before the object, and then its bracket.
    inside: u64,
    opened: bool,
    scanner: Scanner<Key>,
    read: Read,
}

#[derive(Default)]
struct Read {
    model: Option<(String, Place)>,
    stream: bool,
    choices: Option<u64>,
    max_tokens: Option<Written>,
    max_completion_tokens: Option<Written>,
    stream_options: Option<StreamOptions>,
    messages: bool,
    attachments: u64,
    attached_bytes: u64,
    /// The first fault in the order of the body.
    fault: Option<Invalid>,
}

/// A URL this long holds the picture itself; a shorter one only points at it.
const INLINE_BYTES: u64 = 2_048;

impl Default for ChatReader {
    fn default() -> Self {
        Self { inside: 0, opened: false, scanner: Scanner::new(&SHAPE), read: Read::default() }
    }
}

impl ChatReader {
    /// Feeds the next bytes of the body. A fault is told at the end, once; until then nothing more is read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.read.fault.is_some() {
            return;
        }
        if !self.opened {
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.opened = blank < bytes.len();
            self.inside = self.inside.saturating_add(blank as u64).saturating_add(u64::from(self.opened));
        }
        let read = &mut self.read;
        if let Err(malformed) = self.scanner.feed(bytes, &mut |hit| read.hit(&hit)) {
            self.read.fault.get_or_insert(Invalid::Json(malformed));
        }
    }

    /// The request, once its last byte has come; `body_bytes` is its length as received.
    pub fn finish(mut self, body_bytes: u64) -> Result<ChatRequest, Invalid> {
        let read = &mut self.read;
        if read.fault.is_none()
            && let Err(malformed) = self.scanner.finish(&mut |hit| read.hit(&hit))
        {
            read.fault = Some(Invalid::Json(malformed));
        }
        if let Some(fault) = self.read.fault {
            return Err(fault);
        }
        if self.scanner.root_container() != Some(Container::Object) {
            return Err(Invalid::NotAnObject);
        }
        let Self { inside, read, .. } = self;
        let (model, model_place) = read.model.ok_or(Invalid::Missing("model"))?;
        if !read.messages {
            return Err(Invalid::Missing("messages"));
        }
        let sizes = Sizes { body_bytes, attached_bytes: read.attached_bytes, attachments: read.attachments };
        Ok(ChatRequest {
            inside,
            model,
            model_place,
            stream: read.stream,
            choices: read.choices.unwrap_or(1),
            max_tokens: read.max_tokens,
            max_completion_tokens: read.max_completion_tokens,
            stream_options: read.stream_options,
            sizes,
        })
    }
}

impl Read {
    fn hit(&mut self, hit: &Hit<'_, Key>) {
        let place = Place { from: hit.from, to: hit.to };
        let result = match hit.key {
            Key::Model => self.model(hit, place),
            Key::Stream => flag("stream", hit).map(|stream| self.stream = stream),
            Key::Choices => {
                bound("n", hit, place).map(|written| self.choices = written.tokens.map(|choices| choices.0))
            }
            Key::MaxTokens => bound("max_tokens", hit, place).map(|written| self.max_tokens = Some(written)),
            Key::MaxCompletionTokens => {
                bound("max_completion_tokens", hit, place).map(|written| self.max_completion_tokens = Some(written))
            }
            Key::StreamOptions => self.stream_options(hit, place),
            Key::IncludeUsage => self.include_usage(hit, place),
            Key::Messages => self.messages(hit),
            Key::Attachment => {
                if let Found::Size(size) = hit.found {
                    self.attachments = self.attachments.saturating_add(1);
                    if size > INLINE_BYTES {
                        self.attached_bytes = self.attached_bytes.saturating_add(size);
                    }
                }
                Ok(())
            }
        };
        let result = match name(hit.key) {
            Some(field) if hit.repeated => Err(Invalid::Repeated(field)),
            _ => result,
        };
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
    }

    fn model(&mut self, hit: &Hit<'_, Key>, place: Place) -> Result<(), Invalid> {
        match hit.found {
            Found::Text { text, cut: false } if !text.is_empty() => {
                self.model = Some((text.to_owned(), place));
                Ok(())
            }
            _ => Err(Invalid::Wrong { field: "model", expected: "a string of 1 to 256 bytes" }),
        }
    }

    fn messages(&mut self, hit: &Hit<'_, Key>) -> Result<(), Invalid> {
        match hit.found {
            Found::Opened(Container::Array) => self.messages = true,
            // Elements of the array are the provider's to judge.
            _ if self.messages => {}
            _ => return Err(Invalid::Wrong { field: "messages", expected: "an array" }),
        }
        Ok(())
    }

    fn stream_options(&mut self, hit: &Hit<'_, Key>, place: Place) -> Result<(), Invalid> {
        let options = self.stream_options.get_or_insert_default();
        match hit.found {
            Found::Opened(Container::Object) => {}
            Found::Closed { empty, .. } => (options.place, options.empty) = (Some(place), empty),
            Found::Null => (options.place, options.is_null) = (Some(place), true),
            _ => return Err(Invalid::Wrong { field: "stream_options", expected: "an object" }),
        }
        Ok(())
    }

    fn include_usage(&mut self, hit: &Hit<'_, Key>, place: Place) -> Result<(), Invalid> {
        let asked = flag("stream_options.include_usage", hit)?;
        self.stream_options.get_or_insert_default().include_usage = Some((asked, place));
        Ok(())
    }
}

/// Fields whose repetition is refused: the value checked here must be the value the provider will use.
const fn name(key: Key) -> Option<&'static str> {
    match key {
        Key::Model => Some("model"),
        Key::Stream => Some("stream"),
        Key::Choices => Some("n"),
        Key::MaxTokens => Some("max_tokens"),
        Key::MaxCompletionTokens => Some("max_completion_tokens"),
        Key::StreamOptions => Some("stream_options"),
        Key::IncludeUsage => Some("stream_options.include_usage"),
        Key::Messages => Some("messages"),
        Key::Attachment => None,
    }
}

/// A flag that may be left `null`.
fn flag(field: &'static str, hit: &Hit<'_, Key>) -> Result<bool, Invalid> {
    match hit.found {
        Found::Bool(flag) => Ok(flag),
        Found::Null => Ok(false),
        _ => Err(Invalid::Wrong { field, expected: "true or false" }),
    }
}

fn bound(field: &'static str, hit: &Hit<'_, Key>, place: Place) -> Result<Written, Invalid> {
    match hit.found {
        Found::Number(Number::Whole(tokens @ 1..)) => Ok(Written { tokens: Some(Tokens(tokens)), place }),
        Found::Null => Ok(Written { tokens: None, place }),
        _ => Err(Invalid::Wrong { field, expected: "a whole number of at least 1" }),
    }
}

/// How a provider wants the bound on the output to be called: newer models of OpenAI refuse `max_tokens`, older servers
/// know no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundField {
    #[default]
    MaxCompletionTokens,
    MaxTokens,
}

impl BoundField {
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }
}

/// One splice: the bytes of `place` are replaced by `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub place: Place,
    pub text: String,
}

impl ChatRequest {
    /// The client's own bound on each choice. With both spellings, a provider takes either: the larger counts.
    pub fn bound(&self) -> Option<Tokens> {
        let tokens = |written: Option<Written>| written.and_then(|written| written.tokens);
        tokens(self.max_tokens).max(tokens(self.max_completion_tokens))
    }

    /// Whether the client asked for the usage event of a stream.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.and_then(|options| options.include_usage).is_some_and(|(asked, _)| asked)
    }

    /// The edits that send `model` on, bound the output by `bound`, and have the usage of a stream reported.
    /// In the order of their places, which never overlap.
    pub fn edits(&self, model: Option<&str>, bound: Option<(BoundField, Tokens)>) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut front = String::new();
        if let Some(model) = model {
            // A string always serialises; were it not so, the request would go out with the client's own name.
            if let Ok(text) = serde_json::to_string(model) {
                edits.push(Edit { place: self.model_place, text });
            }
        }
        if let Some((field, tokens)) = bound {
            let written = match field {
                BoundField::MaxCompletionTokens => self.max_completion_tokens,
                BoundField::MaxTokens => self.max_tokens,
            };
            match written {
                Some(written) => edits.push(Edit { place: written.place, text: tokens.0.to_string() }),
                None => front.push_str(&format!("\"{}\":{},", field.name(), tokens.0)),
            }
        }
        if self.stream && !self.wants_usage() {
            match self.stream_options {
                Some(StreamOptions { include_usage: Some((_, place)), .. }) => {
                    edits.push(Edit { place, text: "true".to_owned() });
                }
                Some(StreamOptions { place: Some(place), is_null: true, .. }) => {
                    edits.push(Edit { place, text: "{\"include_usage\":true}".to_owned() });
                }
                Some(StreamOptions { place: Some(place), empty, .. }) => {
                    let at = place.from.saturating_add(1);
                    let comma = if empty { "" } else { "," };
                    let place = Place { from: at, to: at };
                    edits.push(Edit { place, text: format!("\"include_usage\":true{comma}") });
                }
                _ => front.push_str("\"stream_options\":{\"include_usage\":true},"),
            }
        }
        if !front.is_empty() {
            // `model` always stands in the object, so a field in front of it ends with a comma.
            edits.push(Edit { place: Place { from: self.inside, to: self.inside }, text: front });
        }
        edits.sort_by_key(|edit| edit.place.from);
        edits
    }
}

/// Applies edits to the beginning of a body, which must reach to the end of the last edit.
pub fn spliced(prefix: &[u8], edits: &[Edit]) -> Vec<u8> {
    let added = edits.iter().fold(0usize, |sum, edit| sum.saturating_add(edit.text.len()));
    let mut out = Vec::with_capacity(prefix.len().saturating_add(added));
    let mut done = 0usize;
    for Edit { place, text } in edits {
        let from = usize::try_from(place.from).unwrap_or(usize::MAX);
        out.extend_from_slice(prefix.get(done..from).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        done = usize::try_from(place.to).unwrap_or(usize::MAX);
    }
    out.extend_from_slice(prefix.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
