//! What the fields of a request's body say: each at most once, and as the API has it.
//!
//! Trade-off: a field that is given twice is refused, even where all providers known today agree about which one counts:
//! the price must be that of what is generated.

mod brings;
mod edited;
mod form;

use super::item::InputItem;
use super::media::Media;
use super::rates::{ByName as _, Rates};
use super::tool::Tools;
use super::unknown::Unknown;
use super::value::{count, flag, id, name, once, said};
use super::{Cut, Invalid, Nest, Place, SLOTS, Said, Written};
use crate::json::{Container, Found, Hit};
use crate::kept::Id;
use crate::llm::schema::{Asked, FRAMES, Medium, Schema};

pub(super) struct Fields {
    pub(super) model: Option<(String, Place)>,
    pub(super) stream: Option<bool>,
    pub(super) choices: Option<u64>,
    pub(super) bounds: [Option<Written>; SLOTS],
    pub(super) nest: Option<Nest>,
    pub(super) include_usage: Option<(bool, Place)>,
    pub(super) rates: Rates,
    pub(super) tools: Tools,
    pub(super) store: Option<(Option<bool>, Place)>,
    pub(super) background: bool,
    pub(super) speaks: bool,
    pub(super) refers: Vec<(&'static str, Id)>,
    item: InputItem,
    /// By which field, and which.
    pub(super) flags: Vec<(&'static str, String)>,
    pub(super) role: Option<String>,
    pub(super) sensitivity: Option<String>,
    pub(super) cut: Vec<Cut>,
    pub(super) caches: bool,
    pub(super) caches_long: bool,
    pub(super) needed: bool,
    pub(super) stored_prompt: bool,
    pub(super) misplaced: bool,
    /// Of most requests there is none.
    media: Option<Box<Media>>,
    pub(super) documents: u64,
    pub(super) query: Option<Place>,
    /// Sold by the piece.
    pub(super) pictures: u64,
    characters: u64,
    pub(super) spoken: Option<Place>,
    /// Prompts of a list, each of which is answered by itself.
    pub(super) prompts: u64,
    has_prompts: bool,
    /// Pictures in each picture that moves.
    frames: u64,
    in_series: bool,
    series: Option<u64>,
    pub(super) unknown: Unknown,
    /// It is for no answer: most of it is only for its provider to judge.
    pub(super) aside: bool,
    /// The first fault in the order of the body.
    pub(super) fault: Option<Invalid>,
}

/// More of them no conversation has, and each is looked up.
const MOST_REFERENCES: usize = 1_000;

/// As many pictures as ByteDance draws in a row, where the request doesn't say.
const LONGEST_SERIES: u64 = 15;

const MOST_FLAGS: usize = 64;

/// Whether it is a fault of what is for no answer, too: what is said twice, what is referred to, and how sensitive it is.
#[cold]
fn is_of_all(fault: &Invalid, key: &Asked) -> bool {
    matches!(fault, Invalid::Repeated(_))
        || matches!(key, Asked::Sensitivity | Asked::Refers(_) | Asked::HiddenUpTo(..))
        || matches!(key, Asked::Item | Asked::ItemKind | Asked::ItemId | Asked::ItemContent | Asked::ItemRole)
}

impl Fields {
    pub(super) const NONE: Self = Self {
        model: None,
        stream: None,
        choices: None,
        bounds: [None; SLOTS],
        nest: None,
        include_usage: None,
        rates: Rates { service_tier: None, speed: None, region: None, unsold: None },
        tools: Tools::NONE,
        store: None,
        background: false,
        speaks: false,
        refers: Vec::new(),
        item: InputItem::NONE,
        flags: Vec::new(),
        role: None,
        sensitivity: None,
        cut: Vec::new(),
        caches: false,
        caches_long: false,
        needed: false,
        stored_prompt: false,
        misplaced: false,
        media: None,
        documents: 0,
        query: None,
        pictures: 0,
        characters: 0,
        spoken: None,
        prompts: 0,
        has_prompts: false,
        frames: 1,
        in_series: false,
        series: None,
        unknown: Unknown::NONE,
        aside: false,
        fault: None,
    };

    pub(super) fn hit(&mut self, schema: &Schema, hit: &Hit<'_, Asked>) {
        if let Err(fault) = self.take(schema, hit)
            && (!self.aside || is_of_all(&fault, &hit.key))
        {
            self.fault.get_or_insert(fault);
        }
    }

    fn take(&mut self, schema: &Schema, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        let place = Place { from: hit.from, to: hit.to };
        match hit.key {
            Asked::Model => {
                once("model", hit, self.model.is_some())?;
                // An empty one is as good as none where the path names it: SDKs that must send the field write it so.
                let is_empty = matches!(hit.found, Found::Null | Found::Text { text: "", cut: false });
                self.model = Some((if is_empty { String::new() } else { name("model", hit)? }, place));
                if schema.own {
                    self.cut(hit, None);
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
                self.choices = self.choices.max(count("n", hit)?);
            }
            Asked::Bound(slot) => {
                let field = schema.slot(slot).map_or("max_tokens", |slot| slot.name);
                if let Some(bound) = self.bounds.get_mut(usize::from(slot)) {
                    once(field, hit, bound.is_some())?;
                    let said = said(schema, field, hit)?;
                    *bound = Some(Written { said, place });
                    if said == Said::Over {
                        self.cut(hit, Some(slot));
                    }
                }
            }
            Asked::Nest => self.nest(schema, hit, place)?,
            Asked::IncludeUsage => {
                once("stream_options.include_usage", hit, self.include_usage.is_some())?;
                let asked = flag("stream_options.include_usage", hit)?.unwrap_or(false);
                self.include_usage = Some((asked, place));
            }
            Asked::ServiceTier => self.rates.service_tier.hit("service_tier", hit)?,
            Asked::Speed => self.rates.speed.hit("speed", hit)?,
            // The price of a container is that of the smallest.
            Asked::Memory if matches!(hit.found, Found::Null | Found::Text { text: "1g", .. }) => {}
            Asked::Memory => {
                self.unsold("memory_limit", if let Found::Text { text, .. } = hit.found { text } else { "" })
            }
            Asked::Region => self.rates.region.hit("inference_geo", hit)?,
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
            Asked::Inline(Medium::Picture) => {
                self.item.drawn |= matches!(hit.found, Found::Size(1..));
                self.media().hit(hit)?;
            }
            Asked::HiddenUpTo(field, _) => {
                self.media().hit(hit)?;
                if let Some(id) = id(field, hit)? {
                    self.refer(field, id)?;
                }
            }
            Asked::Inline(_)
            | Asked::Address(_)
            | Asked::Hidden(_)
            | Asked::Part
            | Asked::PartKind
            | Asked::PartId(_)
            | Asked::PartOther
            | Asked::Source
            | Asked::SourceKind
            | Asked::MediaType
            | Asked::SourceData
            | Asked::SourceAddress => self.media().hit(hit)?,
            Asked::ItemPart => {
                self.item.holds |= matches!(hit.found, Found::Opened(Container::Object));
                self.media().hit(&Hit { key: Asked::Part, ..*hit })?;
            }
            Asked::OtherModels(field) => {
                once(field, hit, false)?;
                if !matches!(hit.found, Found::Null | Found::Opened(_) | Found::Closed { empty: true, .. }) {
                    let expected = "left out: which models may serve is said to the gateway";
                    return Err(Invalid::Wrong { field, expected });
                }
            }
            Asked::Never(field, expected) => {
                once(field, hit, false)?;
                if !matches!(hit.found, Found::Null) {
                    return Err(Invalid::Wrong { field, expected });
                }
            }
            Asked::Frames => {
                once("frame_count", hit, false)?;
                self.frames = self.frames.max(count("frame_count", hit)?.unwrap_or(1));
            }
            Asked::Format => {
                once("output_format", hit, false)?;
                match hit.found {
                    Found::Text { text: "gif", .. } => self.frames = self.frames.max(FRAMES),
                    // Who writes such a picture is a model of its own.
                    Found::Text { text: text @ "svg", .. } => self.unsold("output_format", text),
                    _ => {}
                }
            }
            Asked::Series => {
                once("sequential_image_generation", hit, false)?;
                self.in_series |= !matches!(hit.found, Found::Null | Found::Text { text: "disabled", .. });
            }
            Asked::SeriesOptions => {
                let field = "sequential_image_generation_options";
                once(field, hit, false)?;
                if !matches!(hit.found, Found::Null | Found::Opened(Container::Object) | Found::Closed { .. }) {
                    return Err(Invalid::Wrong { field, expected: "an object" });
                }
            }
            Asked::SeriesMost => {
                once("max_images", hit, false)?;
                self.series = count("max_images", hit)?;
            }
            Asked::Unknown | Asked::InUnknown => self.unknown.hit(hit),
            Asked::OtherModel(field) => {
                once(field, hit, false)?;
                if !matches!(hit.found, Found::Null) {
                    let expected = "left out: another model than the one that is priced would work and be billed";
                    return Err(Invalid::Wrong { field, expected });
                }
            }
            Asked::Picture => {
                once("inputImage", hit, false)?;
                if let Found::Size(size) = hit.found {
                    self.pictures = self.pictures.saturating_add(1);
                    self.media().by_the_piece(size);
                }
            }
            Asked::Drawn => {
                once("imageGenerationConfig", hit, false)?;
                match hit.found {
                    Found::Opened(Container::Object) => self.pictures = self.pictures.max(1),
                    Found::Closed { .. } => {}
                    _ => {
                        let many = count("imageGenerationConfig.numberOfImages", hit)?;
                        self.pictures = self.pictures.max(many.unwrap_or(1));
                    }
                }
            }
            Asked::Characters => {
                if let Found::Piece(text) = hit.found {
                    self.characters = self.characters.saturating_add(text.chars().count() as u64);
                } else {
                    // Not at a piece: whether one comes before the text turns out to be no JSON depends on where the body is cut.
                    once("input", hit, false)?;
                    self.spoken = Some(place);
                }
            }
            Asked::StoredPrompt => {
                once("prompt", hit, false)?;
                self.stored_prompt |= !matches!(hit.found, Found::Null);
            }
            Asked::Misplaced => {
                once("input", hit, false)?;
                self.misplaced |= !matches!(hit.found, Found::Null);
            }
            // A text, a list of texts, a list of tokens, or a list of lists of tokens.
            Asked::Prompts if hit.repeated => return Err(Invalid::Repeated("prompt")),
            Asked::Prompts => match hit.found {
                Found::Opened(Container::Array) if !self.has_prompts => self.has_prompts = true,
                Found::Opened(_) | Found::Size(_) => self.prompts = self.prompts.saturating_add(1),
                _ => {}
            },
            Asked::Tools
            | Asked::Plugins
            | Asked::Search(_)
            | Asked::Servers(_)
            | Asked::ToolMember
            | Asked::ToolKind
            | Asked::ToolMost
            | Asked::SearchMost
            | Asked::ToolNamed(_)
            | Asked::ToolTokens
            | Asked::ToolModel
            | Asked::ToolFrames
            | Asked::ToolFormat
            | Asked::ToolPlace
            | Asked::ToolMode
            | Asked::AllToolsMost => self.tools.hit(schema.dialect, hit)?,
            Asked::Store => {
                once("store", hit, self.store.is_some())?;
                self.store = Some((flag("store", hit)?, place));
            }
            Asked::Spoken => {
                once("audio", hit, false)?;
                self.speaks |= hit.found == Found::Opened(Container::Object);
            }
            Asked::Background => {
                once("background", hit, false)?;
                self.background = flag("background", hit)?.unwrap_or(false);
            }
            Asked::Refers(field) => {
                once(field, hit, false)?;
                // Some may be an object with its id in it.
                let holds_id = matches!(field, "conversation" | "container" | "tools[].container")
                    && hit.found == Found::Opened(Container::Object);
                if !holds_id && let Some(id) = id(field, hit)? {
                    self.refer(field, id)?;
                }
            }
            Asked::Item | Asked::ItemKind | Asked::ItemId | Asked::ItemContent | Asked::ItemRole => {
                if let Some(id) = self.item.hit(hit)? {
                    self.refer("input", id)?;
                }
            }
            Asked::Flags(field) => self.flag(field, hit)?,
            Asked::Role => {
                once("role", hit, self.role.is_some())?;
                self.role = Some(name("role", hit)?);
                self.cut(hit, None);
            }
            Asked::Sensitivity => {
                once("sensitivity", hit, self.sensitivity.is_some())?;
                self.sensitivity = Some(name("sensitivity", hit)?);
                self.cut(hit, None);
            }
            Asked::CacheWrite => self.caches |= !matches!(hit.found, Found::Null | Found::Closed { .. }),
            Asked::CacheAge => {
                let short =
                    matches!(hit.found, Found::Text { text: "5m", cut: false } | Found::Null | Found::Closed { .. });
                self.caches_long |= !short;
            }
            Asked::Query => {
                once("query", hit, false)?;
                if matches!(hit.found, Found::Size(_)) {
                    self.query = Some(place);
                }
            }
            Asked::Document => {
                let one = matches!(hit.found, Found::Size(_) | Found::Opened(Container::Object));
                self.documents = self.documents.saturating_add(u64::from(one));
            }
        }
        Ok(())
    }

    /// How many pictures each choice may come to.
    pub(super) fn pictures_of_each(&self) -> u64 {
        let series = if self.in_series { self.series.unwrap_or(LONGEST_SERIES) } else { 1 };
        self.frames.max(series)
    }

    #[cold]
    pub(super) fn unsold(&mut self, field: &'static str, text: &str) {
        self.rates.unsold.get_or_insert_with(|| (field, text.to_owned()));
    }

    #[cold]
    fn media(&mut self) -> &mut Media {
        self.media.get_or_insert_with(|| Box::new(Media::NONE))
    }

    #[cold]
    fn flag(&mut self, field: &'static str, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        once(field, hit, false)?;
        match hit.found {
            Found::Null | Found::Opened(Container::Array) | Found::Closed { .. } => Ok(()),
            Found::Text { text, cut: false } if self.flags.len() < MOST_FLAGS => {
                self.flags.push((field, text.to_owned()));
                Ok(())
            }
            _ => Err(Invalid::Wrong { field, expected: "a flag, or a list of at most 64" }),
        }
    }

    fn refer(&mut self, field: &'static str, id: Id) -> Result<(), Invalid> {
        if self.refers.len() >= MOST_REFERENCES {
            return Err(Invalid::Wrong { field, expected: "one of at most 1,000 references" });
        }
        self.refers.push((field, id));
        Ok(())
    }
}
