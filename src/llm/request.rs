//! The few fields of a request that decide its price, and the edits that may be made to it.
//!
//! Trade-off: the body stays in Envoy's buffer; what is kept here is a handful of values and where they stand, so a
//! request of any size costs the same memory. Edits are splices at those places: nothing else of the body changes.

mod edit;

pub use edit::{Edit, spliced};

use super::estimate::Sizes;
use super::form::{self, FormReader};
use super::path::Called;
use super::schema::{Asked, Item, Output, Schema, Slot};
use crate::json::{Container, Found, Hit, Malformed, Number, Scanner};
use crate::price::Items;
use crate::units::Tokens;
use std::fmt;

/// What stands for the model of the caller's role, and is taken for what a request of the gateway's own API leaves out.
pub const BY_ROLE: &str = "role";

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
    /// A form without its end.
    Form,
    Missing(&'static str),
    Repeated(&'static str),
    Wrong {
        field: &'static str,
        expected: &'static str,
    },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(malformed) => malformed.fmt(f),
            Self::NotAnObject => f.write_str("the body must be a JSON object"),
            Self::Form => f.write_str("the form ends too early"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Repeated(field) => write!(f, "the field `{field}` is given more than once"),
            Self::Wrong { field, expected } => write!(f, "the field `{field}` must be {expected}"),
        }
    }
}

/// A request as its client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    schema: &'static Schema,
    pub model: String,
    pub stream: bool,
    pub choices: u64,
    pub service_tier: Option<String>,
    pub sizes: Sizes,
    documents: u64,
    /// Just behind the object's opening bracket.
    inside: u64,
    /// The object holds nothing else, so what is put into it ends without a comma.
    empty: bool,
    /// Where the body names the model, and the name counts.
    model_place: Option<Place>,
    bounds: [Option<Written>; SLOTS],
    nest: Option<Nest>,
    include_usage: Option<(bool, Place)>,
    pub tools: bool,
    pub role: Option<String>,
    pub sensitivity: Option<String>,
    /// Members that the provider is not to see.
    cut: Vec<Place>,
    /// Whether the path names the model, and not the body.
    pub model_in_path: bool,
}

/// The most slots that a schema has for its bound.
const SLOTS: usize = 2;

/// The object in the request that a schema's slots stand in, or the `null` in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nest {
    place: Place,
    is_null: bool,
    empty: bool,
}

/// Reads a request as its bytes come.
pub struct RequestReader {
    called: Called,
    source: Source,
    before: Before,
    inside: u64,
    read: Read,
}

#[expect(clippy::large_enum_variant, reason = "forms are rare, and the reader is boxed as a whole")]
enum Source {
    Json(Scanner<Asked>),
    Form(FormReader),
}

/// What of the body's beginning has come: edits go behind the bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Bracket,
    FirstKey,
    Known { empty: bool },
}

#[derive(Default)]
struct Read {
    model: Option<(String, Place)>,
    stream: Option<bool>,
    choices: Option<u64>,
    bounds: [Option<Written>; SLOTS],
    nest: Option<Nest>,
    include_usage: Option<(bool, Place)>,
    service_tier: Option<String>,
    tools: bool,
    role: Option<String>,
    sensitivity: Option<String>,
    cut: Vec<Place>,
    needed: bool,
    attachments: u64,
    attached_bytes: u64,
    documents: u64,
    /// The first fault in the order of the body.
    fault: Option<Invalid>,
}

/// A URL this long holds the picture itself; a shorter one only points at it.
const INLINE_BYTES: u64 = 2_048;
/// What a provider ranks for the price of one search.
const DOCUMENTS_PER_SEARCH: u64 = 100;

impl RequestReader {
    /// A form is read as one where the API takes any; everything else is read as JSON.
    pub fn new(called: Called, content_type: Option<&[u8]>) -> Self {
        let form = content_type.filter(|_| called.schema.takes_forms).and_then(FormReader::new);
        let source = form.map_or_else(|| Source::Json(Scanner::new(called.schema.request)), Source::Form);
        Self { called, source, before: Before::Bracket, inside: 0, read: Read::NOTHING }
    }

    /// Feeds the next bytes of the body. A fault is told at the end, once; until then nothing more is read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.read.fault.is_some() {
            return;
        }
        let (read, schema) = (&mut self.read, self.called.schema);
        match &mut self.source {
            Source::Json(scanner) => {
                if let Err(malformed) = scanner.feed(bytes, &mut |hit| read.hit(schema, &hit)) {
                    read.fault.get_or_insert(Invalid::Json(malformed));
                }
                self.beginning(bytes);
            }
            Source::Form(form) => form.feed(bytes, &mut |piece| read.piece(piece)),
        }
    }

    fn beginning(&mut self, mut bytes: &[u8]) {
        while !matches!(self.before, Before::Known { .. }) {
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some((first, rest)) = bytes.get(blank..).and_then(<[u8]>::split_first) else {
                if self.before == Before::Bracket {
                    self.inside = self.inside.saturating_add(blank as u64);
                }
                return;
            };
            if self.before == Before::Bracket {
                self.inside = self.inside.saturating_add(blank as u64).saturating_add(1);
                self.before = Before::FirstKey;
            } else {
                self.before = Before::Known { empty: *first == b'}' };
            }
            bytes = rest;
        }
    }

    /// The request, once its last byte has come; `body_bytes` is its length as received.
    pub fn finish(mut self, body_bytes: u64) -> Result<Request, Invalid> {
        let (read, schema) = (&mut self.read, self.called.schema);
        let ended = match &mut self.source {
            Source::Json(scanner) => match scanner.finish(&mut |hit| read.hit(schema, &hit)) {
                Err(malformed) => Err(Invalid::Json(malformed)),
                Ok(()) if scanner.root_container() != Some(Container::Object) => Err(Invalid::NotAnObject),
                Ok(()) => Ok(()),
            },
            Source::Form(form) if form.is_complete() => Ok(()),
            Source::Form(_) => Err(Invalid::Form),
        };
        if let Some(fault) = self.read.fault {
            return Err(fault);
        }
        ended?;
        let Self { inside, before, read, called, source } = self;
        let is_form = matches!(source, Source::Form(_));
        let model_in_path = called.model.is_some();
        let (model, model_place) = match (called.model, read.model) {
            (Some(model), _) => (model, None),
            (None, Some((model, place))) => (model, (!is_form).then_some(place)),
            (None, None) if schema.own => (BY_ROLE.to_owned(), None),
            (None, None) => return Err(Invalid::Missing("model")),
        };
        if let Some(needed) = schema.needs
            && !read.needed
        {
            return Err(Invalid::Missing(needed));
        }
        let sizes = Sizes { body_bytes, attached_bytes: read.attached_bytes, attachments: read.attachments };
        Ok(Request {
            schema,
            model,
            stream: called.streams.or(read.stream).unwrap_or(schema.streams),
            choices: read.choices.unwrap_or(1),
            service_tier: read.service_tier,
            sizes,
            documents: read.documents,
            inside,
            empty: before == Before::Known { empty: true },
            model_place,
            bounds: read.bounds,
            nest: read.nest,
            include_usage: read.include_usage,
            tools: read.tools,
            role: read.role,
            sensitivity: read.sensitivity,
            cut: read.cut,
            model_in_path,
        })
    }
}

impl Read {
    const NOTHING: Self = Self {
        model: None,
        stream: None,
        choices: None,
        bounds: [None; SLOTS],
        nest: None,
        include_usage: None,
        service_tier: None,
        tools: false,
        role: None,
        sensitivity: None,
        cut: Vec::new(),
        needed: false,
        attachments: 0,
        attached_bytes: 0,
        documents: 0,
        fault: None,
    };

    fn hit(&mut self, schema: &Schema, hit: &Hit<'_, Asked>) {
        if let Err(fault) = self.take(schema, hit) {
            self.fault.get_or_insert(fault);
        }
    }

    /// A field or a file of a form.
    fn piece(&mut self, piece: form::Piece<'_>) {
        let nowhere = Place { from: 0, to: 0 };
        let field = match piece {
            form::Piece::File(bytes) => {
                self.attachments = self.attachments.saturating_add(1);
                self.attached_bytes = self.attached_bytes.saturating_add(bytes);
                return;
            }
            form::Piece::Field(field, value) => (field, value),
        };
        let fault = match field {
            (form::Name::Model, Some(model)) if self.model.is_none() && !model.is_empty() && model.len() <= 256 => {
                self.model = Some((model.to_owned(), nowhere));
                return;
            }
            (form::Name::Stream, Some(stream @ ("true" | "false"))) if self.stream.is_none() => {
                self.stream = Some(stream == "true");
                return;
            }
            (form::Name::Choices, Some(choices)) if self.choices.is_none() => match choices.parse() {
                Ok(choices @ 1..) => {
                    self.choices = Some(choices);
                    return;
                }
                _ => Invalid::Wrong { field: "n", expected: "a whole number of at least 1" },
            },
            (form::Name::Model, _) => Invalid::Wrong { field: "model", expected: "one string of 1 to 256 bytes" },
            (form::Name::Stream, _) => Invalid::Wrong { field: "stream", expected: "true or false, once" },
            (form::Name::Choices, _) => Invalid::Repeated("n"),
        };
        self.fault.get_or_insert(fault);
    }

    fn take(&mut self, schema: &Schema, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        let place = Place { from: hit.from, to: hit.to };
        match hit.key {
            Asked::Model => {
                once("model", hit, self.model.is_some())?;
                self.model = Some((name("model", hit)?, place));
                if schema.own {
                    self.cut.push(Place { from: hit.member, to: hit.to });
                }
            }
            Asked::Stream => {
                once("stream", hit, self.stream.is_some())?;
                // Left `null`, it is what the API does by itself.
                self.stream = flag("stream", hit)?;
            }
            Asked::Choices => {
                // `n` and `best_of`: as many as the larger says are generated.
                once("n", hit, false)?;
                let choices = bound("n", hit, place)?.tokens.map(|choices| choices.0);
                self.choices = self.choices.max(choices);
            }
            Asked::Bound(slot) => {
                let field = schema.slot(slot).map_or("max_tokens", |slot| slot.name);
                if let Some(bound) = self.bounds.get_mut(usize::from(slot)) {
                    once(field, hit, bound.is_some())?;
                    *bound = Some(self::bound(field, hit, place)?);
                }
            }
            Asked::Nest => self.nest(schema, hit, place)?,
            Asked::IncludeUsage => {
                once("stream_options.include_usage", hit, self.include_usage.is_some())?;
                let asked = flag("stream_options.include_usage", hit)?.unwrap_or(false);
                self.include_usage = Some((asked, place));
            }
            Asked::ServiceTier => {
                once("service_tier", hit, self.service_tier.is_some())?;
                if let Found::Text { text, .. } = hit.found {
                    self.service_tier = Some(text.to_owned());
                }
            }
            Asked::Needed => {
                let field = schema.needs.unwrap_or_default();
                once(field, hit, false)?;
                match hit.found {
                    Found::Opened(Container::Array) => self.needed = true,
                    // Elements of the array are the provider's to judge.
                    _ if self.needed => {}
                    _ => return Err(Invalid::Wrong { field, expected: "an array" }),
                }
            }
            Asked::Attachment => {
                if let Found::Size(size) = hit.found {
                    self.attachments = self.attachments.saturating_add(1);
                    if size > INLINE_BYTES {
                        self.attached_bytes = self.attached_bytes.saturating_add(size);
                    }
                }
            }
            Asked::Tools => self.tools |= matches!(hit.found, Found::Opened(Container::Object)),
            Asked::Role => {
                once("role", hit, self.role.is_some())?;
                self.role = Some(name("role", hit)?);
                self.cut.push(Place { from: hit.member, to: hit.to });
            }
            Asked::Sensitivity => {
                once("sensitivity", hit, self.sensitivity.is_some())?;
                self.sensitivity = Some(name("sensitivity", hit)?);
                self.cut.push(Place { from: hit.member, to: hit.to });
            }
            Asked::Document => {
                let one = matches!(hit.found, Found::Size(_) | Found::Opened(Container::Object));
                self.documents = self.documents.saturating_add(u64::from(one));
            }
        }
        Ok(())
    }

    fn nest(&mut self, schema: &Schema, hit: &Hit<'_, Asked>, place: Place) -> Result<(), Invalid> {
        let field = schema.nest();
        match hit.found {
            Found::Opened(Container::Object) => once(field, hit, self.nest.is_some()),
            Found::Closed { empty, .. } => {
                self.nest = Some(Nest { place, is_null: false, empty });
                Ok(())
            }
            Found::Null => {
                once(field, hit, self.nest.is_some())?;
                self.nest = Some(Nest { place, is_null: true, empty: true });
                Ok(())
            }
            _ => Err(Invalid::Wrong { field, expected: "an object" }),
        }
    }
}

impl Schema {
    fn slot(&self, slot: u8) -> Option<Slot> {
        match self.output {
            Output::Field(slots) => slots.get(usize::from(slot)).copied(),
            Output::None | Output::Unwritten | Output::Fixed(_) => None,
        }
    }

    /// The object that slots of this schema stand in.
    fn nest(&self) -> &'static str {
        self.slot(0).and_then(|slot| slot.nest).unwrap_or(STREAM_OPTIONS)
    }
}

const STREAM_OPTIONS: &str = "stream_options";

/// Refuses a repetition, by the same name or another spelling: the value checked here must be the one that the provider
/// will use.
fn once(field: &'static str, hit: &Hit<'_, Asked>, before: bool) -> Result<(), Invalid> {
    if hit.repeated || before { Err(Invalid::Repeated(field)) } else { Ok(()) }
}

fn name(field: &'static str, hit: &Hit<'_, Asked>) -> Result<String, Invalid> {
    match hit.found {
        Found::Text { text, cut: false } if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Invalid::Wrong { field, expected: "a string of 1 to 256 bytes" }),
    }
}

/// A flag that may be left `null`.
fn flag(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<bool>, Invalid> {
    match hit.found {
        Found::Bool(flag) => Ok(Some(flag)),
        Found::Null => Ok(None),
        _ => Err(Invalid::Wrong { field, expected: "true or false" }),
    }
}

fn bound(field: &'static str, hit: &Hit<'_, Asked>, place: Place) -> Result<Written, Invalid> {
    match hit.found {
        Found::Number(Number::Whole(tokens @ 1..)) => Ok(Written { tokens: Some(Tokens(tokens)), place }),
        Found::Null => Ok(Written { tokens: None, place }),
        // Ollama's spelling of "no bound".
        Found::Number(Number::Negative) if field == "num_predict" => Ok(Written { tokens: None, place }),
        _ => Err(Invalid::Wrong { field, expected: "a whole number of at least 1" }),
    }
}

impl Request {
    /// The client's own bound on each choice. With two spellings, a provider takes either: the larger counts.
    pub fn bound(&self) -> Option<Tokens> {
        self.bounds.iter().flatten().filter_map(|written| written.tokens).max()
    }

    /// Whether the model's name is to be written in any case.
    pub const fn needs_name(&self) -> bool {
        self.schema.own
    }

    /// Whether the client asked for the usage event of a stream.
    pub fn wants_usage(&self) -> bool {
        self.include_usage.is_some_and(|(asked, _)| asked)
    }

    pub fn items(&self) -> Items {
        match self.schema.item {
            None => Items::default(),
            Some(Item::Image) => Items { images: self.choices, search_units: 0 },
            Some(Item::SearchUnit) => {
                Items { images: 0, search_units: self.documents.div_ceil(DOCUMENTS_PER_SEARCH).max(1) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
