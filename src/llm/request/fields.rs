//! What the fields of a request's body say: each at most once, and as the API has it.
//!
//! Trade-off: a field that is given twice is refused, even where all providers known today agree about which one counts:
//! the price must be that of what is generated.

use super::item::{InputItem, Kind};
use super::media::Media;
use super::rates::{Rates, Said as _};
use super::tool::{Brought, Tools};
use super::unknown::Unknown;
use super::value::{NAME, count, flag, id, name, once, said};
use super::{Behind, Cut, Invalid, Nest, Place, SLOTS, Said, Written};
use crate::json::{Container, Found, Hit};
use crate::kept::Id;
use crate::llm::brings::SOUND_ELSEWHERE;
use crate::llm::estimate::Sizes;
use crate::llm::form;
use crate::llm::hidden::Hidden;
use crate::llm::schema::{Asked, FRAMES, Item, Medium, Schema};
use crate::name;
use crate::units::Tokens;

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
    /// Sold by the piece.
    pub(super) pictures: u64,
    pub(super) characters: u64,
    /// Prompts of a list, each of which is answered by itself.
    pub(super) prompts: u64,
    has_prompts: bool,
    /// Pictures in each picture that moves.
    pub(super) frames: u64,
    pub(super) unknown: Unknown,
    /// The first fault in the order of the body.
    pub(super) fault: Option<Invalid>,
}

/// More of them no conversation has, and each is looked up.
const MOST_REFERENCES: usize = 1_000;

const MOST_FLAGS: usize = 64;

const BY_HEADER: &str = "left out of a form: a header says it";

impl Fields {
    pub(super) const NONE: Self = Self {
        model: None,
        stream: None,
        choices: None,
        bounds: [None; SLOTS],
        nest: None,
        include_usage: None,
        rates: Rates { service_tier: None, speed: None, region: None },
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
        pictures: 0,
        characters: 0,
        prompts: 0,
        has_prompts: false,
        frames: 1,
        unknown: Unknown::NONE,
        fault: None,
    };

    pub(super) fn hit(&mut self, schema: &Schema, hit: &Hit<'_, Asked>) {
        if let Err(fault) = self.take(schema, hit) {
            self.fault.get_or_insert(fault);
        }
    }

    /// A field or a file of a form.
    pub(super) fn piece(&mut self, schema: &Schema, piece: form::Piece<'_>) {
        let nowhere = Place { from: 0, to: 0 };
        let field = match piece {
            form::Piece::File(bytes) => {
                let medium = if schema.item == Some(Item::Image) { Medium::Picture } else { Medium::Sound };
                self.media().file(medium, bytes);
                return;
            }
            form::Piece::Field(field, value) => (field, value),
        };
        let fault = match field {
            (form::Name::Model, Some(model)) if self.model.is_none() && name::is_name(model) => {
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
            (form::Name::Model, _) => Invalid::Wrong { field: "model", expected: NAME },
            (form::Name::Stream, _) => Invalid::Wrong { field: "stream", expected: "true or false, once" },
            (form::Name::Choices, _) => Invalid::Repeated("n"),
            // Nothing is cut out of a form, and the provider is not to see them.
            (form::Name::Role, _) => Invalid::Wrong { field: "role", expected: BY_HEADER },
            (form::Name::Sensitivity, _) => Invalid::Wrong { field: "sensitivity", expected: BY_HEADER },
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
                if matches!(hit.found, Found::Text { text: "gif", .. }) {
                    self.frames = self.frames.max(FRAMES);
                }
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
            Asked::Characters => {
                once("input", hit, false)?;
                if let Found::Size(size) = hit.found {
                    self.characters = size;
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
            Asked::Item => {
                once("input", hit, false)?;
                match hit.found {
                    Found::Opened(Container::Object) => self.item = InputItem::NONE,
                    Found::Closed { container: Container::Object, .. } => {
                        let item = std::mem::replace(&mut self.item, InputItem::NONE);
                        if let Some(id) = item.id.filter(|_| item.is_reference()) {
                            self.refer("input", id)?;
                        }
                    }
                    _ => {}
                }
            }
            Asked::ItemKind => {
                once("input.type", hit, false)?;
                // A list of kinds, too: whoever reads its first may find a reference in it.
                self.item.kind = match hit.found {
                    Found::Text { text, cut: false } => Kind::named(text),
                    _ => Kind::Reference,
                };
            }
            Asked::ItemId => {
                once("input.id", hit, false)?;
                self.item.id = id("input.id", hit)?;
            }
            Asked::ItemContent => {
                once("input.encrypted_content", hit, false)?;
                self.item.sealed |= matches!(hit.found, Found::Text { text, .. } if !text.is_empty());
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
            Asked::Document => {
                let one = matches!(hit.found, Found::Size(_) | Found::Opened(Container::Object));
                self.documents = self.documents.saturating_add(u64::from(one));
            }
        }
        Ok(())
    }

    #[cold]
    fn media(&mut self) -> &mut Media {
        self.media.get_or_insert_with(|| Box::new(Media::NONE))
    }

    /// Bytes of recordings. What a request of the kind points at, or doesn't show, is as long as it may be.
    pub(super) fn sound_bytes(&self, schema: &Schema, is_form: bool) -> u64 {
        if !schema.takes_forms || schema.item.is_some() {
            return 0;
        }
        let media = self.media.as_deref();
        let elsewhere = media.is_some_and(|media| media.whole.is_some());
        match media.map_or(0, |media| media.sound_bytes) {
            0 if is_form || elsewhere => SOUND_ELSEWHERE,
            bytes => bytes,
        }
    }

    /// What the body has beside text, and what it only points at.
    pub(super) fn brings(&self, body_bytes: u64) -> (Sizes, Hidden) {
        let (mut sizes, mut hidden) = (Sizes { body_bytes, ..Sizes::default() }, Hidden::default());
        if let Some(media) = &self.media {
            sizes.attached_bytes = media.attached_bytes;
            sizes.attachments = media.attachments;
            sizes.pictures = media.pictures;
            sizes.taken = media.taken;
            hidden.whole = media.whole;
            hidden.held = media.held;
            hidden.held_by = media.held_by;
            hidden.unsure = media.unsure;
        }
        if self.stored_prompt {
            hidden.whole = Some("prompt");
        }
        if let Some(Brought { uses, tokens, each }) = self.tools.brought() {
            (hidden.uses, hidden.brought, hidden.each) = (uses, Tokens(tokens), Tokens(each));
        }
        hidden.unsure |= !self.unknown.fields.is_empty();
        (sizes, hidden)
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

    /// The member at hand is not for the provider; that of a slot only where the slot is not written over.
    fn cut(&mut self, hit: &Hit<'_, Asked>, slot: Option<u8>) {
        self.cut.push(Cut { from: hit.member, to: hit.to, behind: Behind::Unknown, slot });
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
