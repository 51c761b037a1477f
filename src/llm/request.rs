//! The few fields of a request that decide its price, and the edits that may be made to it.
//!
//! Trade-off: the body stays in Envoy's buffer; what is kept here is a handful of values and where they stand, so a
//! request of any size costs the same memory. Edits are splices at those places: nothing else of the body changes.

mod characters;
mod edit;
mod fields;
mod item;
mod media;
mod rates;
mod tool;
mod unknown;
mod value;

use characters::Characters;
pub use edit::{Edit, spliced};
use fields::Fields;
use rates::Rates;
use unknown::Unknown;

use super::brings::{Items, Writes};
use super::estimate::Sizes;
use super::form::{self, FormReader};
use super::hidden::Hidden;
use super::path::Called;
use super::schema::{Asked, BoundField, CACHING, Item, Output, Schema, Slot, is_anthropics};
use super::tools::{Hosted, Kind, Piece};
use crate::json::{Container, Malformed, Scanner};
use crate::kept::Id;
use crate::name;

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

/// A bound as the client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    said: Said,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Tokens(Tokens),
    Null,
    /// "No bound", in a word that the provider must not see.
    Over,
    /// What is left as it is, and bounds nothing for certain.
    Kept,
}

/// A member that the provider is not to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    from: u64,
    to: u64,
    behind: Behind,
    /// Of a bound: it stays where this slot is written over.
    slot: Option<u8>,
}

/// What follows a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Unknown,
    /// A comma, and here the next member.
    Comma(u64),
    Bracket,
}

/// Why a request is refused as `invalid_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    Json(Malformed),
    NotAnObject,
    Form(form::Fault),
    Missing(&'static str),
    /// Of another API by what it has.
    Elsewhere,
    /// The provider would take it from a prompt that it has kept.
    ModelOfPrompt,
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
            Self::Form(fault) => write!(f, "the form {fault}"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Elsewhere => f.write_str(
                "the field `messages` is missing; `input` belongs to the Responses API, so either send `messages` or set the \
                 client to `/v1/responses`",
            ),
            Self::ModelOfPrompt => f.write_str(
                "the field `model` is missing; this gateway needs it beside `prompt` too, for what a request may cost must be \
                 known before it is sent",
            ),
            Self::Repeated(field) => write!(f, "the field `{field}` is given more than once, or in other letters"),
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
    pub rates: Rates,
    /// Fields that no table knows.
    pub unknown: Unknown,
    /// Tools that a provider runs.
    pub hosted: Vec<Hosted>,
    /// How many calls of them there may be in all.
    all_calls: Option<u64>,
    /// Models that are to work inside of tools.
    pub tool_models: Vec<String>,
    pub sizes: Sizes,
    /// Input that the body only points at.
    pub hidden: Hidden,
    documents: u64,
    pictures: u64,
    characters: u64,
    sound_bytes: u64,
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
    /// Whether the provider is to keep what it makes; left out, the API has its own idea.
    pub store: Option<bool>,
    store_place: Option<Place>,
    pub background: bool,
    /// Its answer is to be spoken.
    pub speaks: bool,
    /// What it leans on that a provider has kept: by which field, and what.
    pub refers: Vec<(&'static str, Id)>,
    /// What other clients write into a header, by which field.
    pub flags: Vec<(&'static str, String)>,
    /// The provider is asked to keep nothing, whatever the API does by itself.
    pub keep_nothing: bool,
    pub role: Option<String>,
    pub sensitivity: Option<String>,
    cut: Vec<Cut>,
    caches: bool,
    caches_long: bool,
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
    fields: Fields,
}

#[expect(clippy::large_enum_variant, reason = "forms are rare, and the reader is boxed as a whole")]
enum Source {
    Json(Scanner<Asked>),
    /// Of a text that may be sold by the character.
    Spoken(Box<Spoken>),
    Form(FormReader),
}

struct Spoken {
    scanner: Scanner<Asked>,
    characters: Characters,
}

/// What of the body's beginning has come: edits go behind the bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Bracket,
    FirstKey,
    Known { empty: bool },
}

/// What a provider ranks for the price of one search.
const DOCUMENTS_PER_SEARCH: u64 = 100;

impl RequestReader {
    /// A form is read as one where the API takes any; everything else is read as JSON.
    pub fn new(called: Called, content_type: Option<&[u8]>) -> Self {
        let form = content_type.filter(|_| called.schema.takes_forms).and_then(FormReader::new);
        let scanner = || Scanner::new(called.schema.request).in_any_case().anywhere(&CACHING);
        let source = match form {
            Some(form) => Source::Form(form),
            None if called.schema.takes_forms => {
                Source::Spoken(Box::new(Spoken { scanner: scanner(), characters: Characters::of("input") }))
            }
            None => Source::Json(scanner()),
        };
        Self { called, source, before: Before::Bracket, inside: 0, fields: Fields::NONE }
    }

    pub const fn is_of_a_form(&self) -> bool {
        matches!(self.source, Source::Form(_))
    }

    /// Feeds the next bytes of the body. A fault is reported at the end, once; until then nothing more is read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.fields.fault.is_some() {
            return;
        }
        let (fields, schema) = (&mut self.fields, self.called.schema);
        let scanner = match &mut self.source {
            Source::Json(scanner) => scanner,
            Source::Spoken(spoken) => {
                spoken.characters.feed(bytes);
                &mut spoken.scanner
            }
            Source::Form(form) => return form.feed(bytes, &mut |piece| fields.piece(schema, piece)),
        };
        if let Err(malformed) = scanner.feed(bytes, &mut |hit| fields.hit(schema, &hit)) {
            fields.fault.get_or_insert(Invalid::Json(malformed));
        }
        let begins = scanner.offset().saturating_sub(bytes.len() as u64);
        fields.cut.iter_mut().for_each(|cut| cut.look_behind(begins, bytes));
        self.beginning(bytes);
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

    /// What a request refers to that a provider has kept, where it is not for an answer.
    pub fn references(mut self) -> Result<Vec<(&'static str, Id)>, Invalid> {
        self.end().map(|()| self.fields.refers)
    }

    fn end(&mut self) -> Result<(), Invalid> {
        let (fields, schema) = (&mut self.fields, self.called.schema);
        let mut finish = |scanner: &mut Scanner<Asked>| match scanner.finish(&mut |hit| fields.hit(schema, &hit)) {
            Err(malformed) => Err(Invalid::Json(malformed)),
            Ok(()) if scanner.root_container() != Some(Container::Object) => Err(Invalid::NotAnObject),
            Ok(()) => Ok(()),
        };
        let ended = match &mut self.source {
            Source::Json(scanner) => finish(scanner),
            Source::Spoken(spoken) => finish(&mut spoken.scanner),
            Source::Form(form) => form.finish().map_err(Invalid::Form),
        };
        self.fields.fault.take().map_or(ended, Err)
    }

    /// The request, once its last byte has come; `body_bytes` is its length as received.
    pub fn finish(mut self, body_bytes: u64) -> Result<Request, Invalid> {
        self.end()?;
        let schema = self.called.schema;
        let Self { inside, before, fields, called, source } = self;
        let is_form = matches!(source, Source::Form(_));
        let sound_bytes = fields.sound_bytes(schema, is_form);
        let characters = if let Source::Spoken(spoken) = source { Some(spoken.characters) } else { None };
        let (sizes, mut hidden) = fields.brings(body_bytes);
        hidden.unsure |= schema.may_hide_input();
        let model_in_path = called.model.is_some();
        let (model, model_place) = match (called.model, fields.model) {
            (Some(model), _) if !name::is_name(&model) => {
                return Err(Invalid::Wrong { field: "model", expected: value::NAME });
            }
            (Some(model), _) => (model, None),
            (None, Some((model, place))) => (model, (!is_form).then_some(place)),
            (None, None) if schema.own => (BY_ROLE.to_owned(), None),
            (None, None) if fields.stored_prompt => return Err(Invalid::ModelOfPrompt),
            (None, None) => return Err(Invalid::Missing("model")),
        };
        if let Some(needed) = schema.needs
            && !fields.needed
        {
            return Err(if fields.misplaced { Invalid::Elsewhere } else { Invalid::Missing(needed) });
        }
        Ok(Request {
            schema,
            model,
            stream: called.streams.or(fields.stream).unwrap_or(schema.streams),
            choices: fields.choices.unwrap_or(1).saturating_mul(fields.prompts.max(1)).saturating_mul(fields.frames),
            rates: fields.rates,
            unknown: fields.unknown,
            hosted: fields.tools.hosted,
            all_calls: fields.tools.all_calls,
            tool_models: fields.tools.models,
            sizes,
            hidden,
            documents: fields.documents,
            pictures: fields.pictures,
            characters: characters.and_then(|counter| counter.counted(fields.characters)).unwrap_or(fields.characters),
            sound_bytes,
            inside,
            empty: before == Before::Known { empty: true },
            model_place,
            bounds: fields.bounds,
            nest: fields.nest,
            include_usage: fields.include_usage,
            tools: fields.tools.any,
            store: fields.store.and_then(|(store, _)| store),
            store_place: fields.store.map(|(_, place)| place),
            background: fields.background,
            speaks: fields.speaks,
            refers: fields.refers,
            flags: fields.flags,
            keep_nothing: false,
            role: fields.role,
            sensitivity: fields.sensitivity,
            cut: fields.cut,
            caches: fields.caches,
            caches_long: fields.caches_long,
            model_in_path,
        })
    }
}

impl Cut {
    /// Looks for what follows it, in bytes of the body that begin at `begins`.
    fn look_behind(&mut self, begins: u64, bytes: &[u8]) {
        let from = self.to.saturating_sub(begins);
        let rest = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
        let Some(at) =
            rest.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|_| self.behind == Behind::Unknown)
        else {
            return;
        };
        let next = begins.saturating_add(from).saturating_add(at as u64).saturating_add(1);
        self.behind = if rest.get(at) == Some(&b',') { Behind::Comma(next) } else { Behind::Bracket };
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

impl Request {
    /// The client's own bound on each choice. With two spellings, a provider takes either: the larger counts.
    pub fn bound(&self) -> Option<Tokens> {
        let tokens = |written: &Written| if let Said::Tokens(tokens) = written.said { Some(tokens) } else { None };
        self.bounds.iter().flatten().filter_map(tokens).max()
    }

    /// Whether the client wrote its bound only where a server that reads this field doesn't look. Those who read OpenAI's newer name
    /// read the older one as well.
    pub fn is_bound_elsewhere(&self, field: BoundField) -> bool {
        let nth = field.slot();
        let is_written = self.bounds.get(usize::from(nth)).copied().flatten().is_some();
        nth > 0 && self.schema.slot(nth).is_some() && !is_written && self.bound().is_some()
    }

    /// What the request may have a provider write into its cache, at most. Models of Anthropic's write what they are asked to,
    /// for as long as they are asked to; of all others it is not known, and those that speak Anthropic's API may have both rates.
    pub fn writes(&self, model: &str) -> Writes {
        let reported = self.schema.caches_on_request && is_anthropics(model);
        match (self.caches, self.caches_long) {
            (true, true) => Writes::Long,
            _ if !reported && self.schema.caches_on_request => Writes::Long,
            (true, false) => Writes::Short,
            (false, _) if reported => Writes::Nothing,
            (false, _) => Writes::Short,
        }
    }

    /// Whether the model's name is to be written in any case.
    pub const fn needs_name(&self) -> bool {
        self.schema.own
    }

    /// Whether the client asked for the usage event of a stream.
    pub fn wants_usage(&self) -> bool {
        self.include_usage.is_some_and(|(asked, _)| asked)
    }

    /// Adds what a hosted tool may come to.
    fn uses(&self, tool: &Hosted, items: &mut Items) {
        let Some(piece) = tool.kind.and_then(Kind::piece) else { return };
        let count = match piece {
            Piece::WebSearch => &mut items.web_searches,
            Piece::FileSearch => &mut items.file_searches,
            Piece::Container => &mut items.container_sessions,
            Piece::Picture => &mut items.tool_images,
        };
        let most = tool.most.into_iter().chain(self.all_calls).min();
        let uses = count.saturating_add(piece.uses(most).saturating_mul(tool.makes));
        *count = self.all_calls.map_or(uses, |all| uses.min(all.saturating_mul(tool.makes)));
        if tool.is_uncounted() {
            items.uncounted_searches = items.uncounted_searches.saturating_add(1);
        }
    }

    pub fn items(&self) -> Items {
        let mut asked = Items {
            given_images: self.pictures,
            characters: self.characters,
            sound_bytes: self.sound_bytes,
            ..Items::default()
        };
        for tool in &self.hosted {
            self.uses(tool, &mut asked);
        }
        match self.schema.item {
            None => asked,
            Some(Item::Image) => Items { images: self.choices, ..asked },
            Some(Item::SearchUnit) => {
                Items { search_units: self.documents.div_ceil(DOCUMENTS_PER_SEARCH).max(1), ..asked }
            }
        }
    }
}

#[cfg(test)]
mod tests;
