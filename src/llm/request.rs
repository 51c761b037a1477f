//! The few fields of a request that decide its price, and the edits that may be made to it.
//!
//! The body stays in Envoy's buffer; what is kept here is a handful of values and where they stand, so a
//! request of any size costs the same memory. Edits are splices at those places: nothing else of the body changes.

mod edit;
mod fields;
mod invalid;
mod item;
mod media;
mod rates;
mod reader;
mod tool;
mod unknown;
mod value;

pub use value::is_id;

pub use edit::{Edit, in_order, merged, spliced};
pub use invalid::Invalid;
pub use rates::{OF_NAME, Rates};
pub use reader::{Aside, RequestReader};
use tool::Brought;
use unknown::Unknown;

use super::brings::{Items, Writes, searches_that_rank};
use super::estimate::Sizes;
use super::hidden::Hidden;
use super::schema::{BoundField, Item, OutputBound, Schema, Slot, is_anthropics};
use super::tools::{Hosted, SoldBy, ToolKind};
use crate::kept::Id;
use crate::units::Tokens;

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
pub struct Cut {
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
    /// What tools that a provider runs may bring in, each by itself.
    brought: Vec<Brought>,
    /// Models that are to work inside of tools.
    pub tool_models: Vec<InnerModel>,
    pub sizes: Sizes,
    /// Input that the body only points at.
    pub hidden: Hidden,
    documents: u64,
    /// What each of them is held against.
    query: Option<Place>,
    pictures: u64,
    /// Where the text stands that is sold by its characters.
    pub spoken: Option<Place>,
    sound_bytes: u64,
    /// Just behind the object's opening bracket.
    inside: u64,
    /// The object holds nothing else, so what is put into it ends without a comma.
    empty: bool,
    /// Where a body of JSON names the model.
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
    /// The body names another than the path. Azure doesn't look at it; a server that is called by another path may serve it.
    names_another: bool,
}

/// A model that is to work inside of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerModel {
    pub name: String,
    /// It makes pictures and nothing else.
    pub draws: bool,
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

impl Schema {
    fn slot(&self, slot: u8) -> Option<Slot> {
        match self.output {
            OutputBound::Field(slots) => slots.get(usize::from(slot)).copied(),
            OutputBound::None | OutputBound::Unwritten | OutputBound::Fixed(_) => None,
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

    /// What it asks for itself to be written there.
    pub const fn asked_writes(&self) -> Writes {
        match (self.caches, self.caches_long) {
            (true, true) => Writes::Long,
            (true, false) => Writes::Short,
            (false, _) => Writes::Nothing,
        }
    }

    /// Whether the model's name is to be written for whoever calls it so.
    pub fn needs_name(&self, there: &str) -> bool {
        self.schema.own || self.names_another || self.model != there
    }

    /// Whether whoever calls the model so can be told of it: in the body, where that is no form, or in a path that names models. Else it
    /// is served as what the client wrote.
    pub fn can_be_named(&self, there: &str, path_names_models: bool) -> bool {
        let in_path = self.model_in_path && path_names_models;
        in_path || !self.needs_name(there) || self.schema.own || self.model_place.is_some()
    }

    /// The same where the path stays as it is.
    pub fn can_be_named_in_body(&self, there: &str) -> bool {
        self.model == there || !self.model_in_path && (self.schema.own || self.model_place.is_some())
    }

    /// Whether the client asked for the usage event of a stream.
    pub fn wants_usage(&self) -> bool {
        self.include_usage.is_some_and(|(asked, _)| asked)
    }

    /// Tools that a provider runs don't go on, by where they begin in the body.
    pub fn take_tools_out(&mut self, goes: impl Fn(u64) -> bool) {
        self.hosted.retain(|tool| !goes(tool.at));
        self.brought.retain(|brought| !goes(brought.at));
        self.weigh_tools();
    }

    /// What all of them together may bring in, as far as the request bounds their calls.
    fn weigh_tools(&mut self) {
        let (mut uses, mut tokens, mut most) = (0_u64, 0_u64, 0_u64);
        for brought in &self.brought {
            uses = uses.saturating_add(brought.uses);
            tokens = tokens.saturating_add(brought.uses.saturating_mul(brought.each));
            most = most.max(brought.each);
        }
        let uses = self.all_calls.map_or(uses, |all| uses.min(all));
        let tokens = tokens.min(uses.saturating_mul(most));
        let most = if uses > 0 { most } else { 0 };
        let Hidden { uses: all, brought, each, .. } = &mut self.hidden;
        (*all, *brought, *each) = (uses, Tokens(tokens), Tokens(most));
    }

    /// Adds what a hosted tool may come to.
    fn uses(&self, tool: &Hosted, items: &mut Items) {
        let Some(piece) = tool.kind.and_then(ToolKind::piece) else { return };
        let count = match piece {
            SoldBy::WebSearch => &mut items.web_searches,
            SoldBy::FileSearch => &mut items.file_searches,
            SoldBy::Container => &mut items.container_sessions,
            SoldBy::Picture => &mut items.tool_images,
        };
        let most = tool.most.into_iter().chain(self.all_calls).min();
        let uses = count.saturating_add(piece.uses(most).saturating_mul(tool.makes));
        *count = self.all_calls.map_or(uses, |all| uses.min(all.saturating_mul(tool.makes)));
        if tool.is_uncounted() {
            items.uncounted_searches = items.uncounted_searches.saturating_add(1);
        }
    }

    /// `sizes` are those of its body as it is sent.
    pub fn items(&self, sizes: &Sizes) -> Items {
        let mut asked = Items {
            given_images: self.pictures,
            characters: sizes.characters,
            sound_bytes: self.sound_bytes,
            ..Items::default()
        };
        for tool in &self.hosted {
            self.uses(tool, &mut asked);
        }
        match self.schema.item {
            // Of an API that has all of a provider's models, those that rank are asked a question about documents.
            None if self.query.is_some() && self.documents > 0 => {
                Items { search_units: searches_that_rank(self.documents), ..asked }
            }
            None => asked,
            Some(Item::Image) => Items { images: self.choices, ..asked },
            Some(Item::SearchUnit) => Items { search_units: searches_that_rank(self.documents), ..asked },
        }
    }
}

#[cfg(test)]
mod tests;
