//! What a request brings along beside its text, and what it only points at.
//!
//! Whatever can't be told to be a picture or a sound is text of its size. So only what the table of an API names takes
//! bytes away from the text, and an address in a field that no table knows stands for as much as the model reads.

use super::Invalid;
use super::value::once;
use crate::json::{Container, Found, Hit};
use crate::llm::estimate::media::{self, Taken};
use crate::llm::schema::{Asked, Medium};
use crate::units::Tokens;

pub(super) struct Media {
    pub(super) attachments: u64,
    /// Bytes that are no text.
    pub(super) attached_bytes: u64,
    pub(super) pictures: u64,
    /// Of files that are recordings.
    pub(super) sound_bytes: u64,
    /// Sounds and videos; and what documents come to beyond text of their size.
    pub(super) taken: Taken,
    /// Of what is likely of these, sounds.
    pub(super) sounds: Tokens,
    /// The first field that may bring as much as the model reads.
    pub(super) whole: Option<&'static str>,
    pub(super) held: Tokens,
    pub(super) held_by: Option<&'static str>,
    /// Some may be more than they were taken for.
    pub(super) unsure: bool,
    part: ContentPart,
    source: PartSource,
    /// A member that no table knows, whose name speaks of a file or an address, until its value is known.
    other: bool,
}

/// A part of a content, while it is read: what it is may be said behind what it brings.
#[derive(Clone, Copy)]
struct ContentPart {
    medium: Option<Medium>,
    /// Inside of it, what it brings waits for its end.
    is_open: bool,
    data: Option<u64>,
    points: Option<&'static str>,
}

/// What a part is made from, while it is read.
#[derive(Clone, Copy)]
struct PartSource {
    medium: Option<Medium>,
    is_text: bool,
    /// Of its data, in base64 or text.
    data: Option<u64>,
    points: bool,
}

/// An address this long holds the thing itself; a shorter one only points at it.
const INLINE_BYTES: u64 = 2_048;

const SOMEWHERE: &str = "a part of the content that points elsewhere";

impl ContentPart {
    const NONE: Self = Self { medium: None, is_open: false, data: None, points: None };
}

impl PartSource {
    const NONE: Self = Self { medium: None, is_text: false, data: None, points: false };
}

impl Media {
    pub(super) const NONE: Self = Self {
        attachments: 0,
        attached_bytes: 0,
        sound_bytes: 0,
        pictures: 0,
        taken: Taken { most: Tokens(0), likely: Tokens(0) },
        sounds: Tokens(0),
        whole: None,
        held: Tokens(0),
        held_by: None,
        unsure: false,
        part: ContentPart::NONE,
        source: PartSource::NONE,
        other: false,
    };

    #[cold]
    pub(super) fn hit(&mut self, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        let said = !matches!(hit.found, Found::Null | Found::Size(0) | Found::Text { text: "", .. });
        match (hit.key, hit.found) {
            (Asked::PartOther, found) => self.other(found),
            (Asked::Inline(medium), found) => {
                once("data", hit, false)?;
                if let Found::Size(size) = found {
                    self.inline(medium, size);
                }
            }
            (Asked::Address(medium), found) => {
                once("url", hit, false)?;
                if let Found::Text { text, .. } = found {
                    self.address(medium, text, hit.to.saturating_sub(hit.from).saturating_sub(2));
                }
            }
            (Asked::Hidden(field), found) => {
                once(field, hit, false)?;
                if said && !matches!(found, Found::Closed { .. }) {
                    self.points_at(field);
                }
            }
            (Asked::HiddenUpTo(field, tokens), found) => {
                once(field, hit, false)?;
                if said && !matches!(found, Found::Closed { .. }) {
                    self.held = self.held.plus(Tokens(tokens.into()));
                    self.held_by.get_or_insert(field);
                }
            }
            (Asked::PartId(field), _) => {
                once(field, hit, false)?;
                if said {
                    self.points(field);
                }
            }
            (Asked::PartKind, found) => {
                once("type", hit, false)?;
                if let Found::Text { text, cut: false } = found {
                    self.part.medium = of_kind(text);
                }
            }
            (Asked::Part, Found::Opened(Container::Object)) => {
                once("content", hit, false)?;
                // What stands inside of another part ends that: what it has brought so far is judged without its kind.
                self.end_of_part(None);
                self.part.is_open = true;
            }
            (Asked::Part, Found::Closed { container: Container::Object, .. }) => self.end_of_part(self.part.medium),
            (Asked::Part, _) => once("content", hit, false)?,
            _ => self.source(hit)?,
        }
        Ok(())
    }

    fn source(&mut self, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        match (hit.key, hit.found) {
            // One inside of another ends the outer: what that had is judged as far as it is known.
            (Asked::Source, Found::Opened(Container::Object) | Found::Closed { container: Container::Object, .. }) => {
                once("source", hit, false)?;
                self.end_of_source();
            }
            (Asked::Source, _) => once("source", hit, false)?,
            (Asked::SourceKind, found) => {
                once("source.type", hit, false)?;
                if let Found::Text { text, cut: false } = found {
                    self.source.is_text |= text == "text";
                    self.source.medium = self.source.medium.or_else(|| of_kind(text));
                }
            }
            (Asked::MediaType, found) => {
                once("media_type", hit, false)?;
                if let Found::Text { text, .. } = found {
                    self.source.is_text |= text.starts_with("text/");
                    self.source.medium = Some(of_type(text));
                }
            }
            (Asked::SourceData, Found::Size(size)) => {
                once("data", hit, false)?;
                self.source.data = Some(size);
            }
            (Asked::SourceAddress, Found::Size(1..)) => {
                once("url", hit, false)?;
                self.source.points = true;
            }
            _ => once("source", hit, false)?,
        }
        Ok(())
    }

    fn end_of_source(&mut self) {
        let PartSource { medium, is_text, data, points } = std::mem::replace(&mut self.source, PartSource::NONE);
        // Text is in the body, and counted there. What a part says of itself counts where its source doesn't say more.
        match (data.filter(|_| !is_text), medium) {
            (Some(size), Some(medium)) => self.inline(medium, size),
            (Some(size), None) if self.part.is_open && self.part.data.is_none() => self.part.data = Some(size),
            (Some(size), None) => self.inline(Medium::Document, size),
            (None, _) => {}
        }
        if points {
            match medium {
                Some(Medium::Picture) => self.picture(0),
                _ => self.points("source.url"),
            }
        }
    }

    /// By this field, a part points at something, or what is no part.
    fn points(&mut self, field: &'static str) {
        if self.part.is_open && self.part.points.is_none() {
            self.part.points = Some(field);
        } else {
            self.points_at(field);
        }
    }

    fn end_of_part(&mut self, medium: Option<Medium>) {
        let ContentPart { data, points, .. } = std::mem::replace(&mut self.part, ContentPart::NONE);
        if let Some(size) = data {
            self.inline(medium.unwrap_or(Medium::Document), size);
        }
        match points {
            Some(_) if medium == Some(Medium::Picture) => self.picture(0),
            Some(field) => self.points_at(field),
            None => {}
        }
    }

    /// What holds itself in the body.
    pub(super) fn inline(&mut self, medium: Medium, size: u64) {
        match medium {
            Medium::Picture => self.picture(size),
            Medium::Sound => self.sound(size, media::inline_sound(size)),
            Medium::Video => self.attach(size, media::inline_video(size)),
            Medium::Document => self.attach(size, media::inline_document(size)),
        }
    }

    /// A file of a form.
    pub(super) fn file(&mut self, medium: Medium, bytes: u64) {
        match medium {
            Medium::Picture => self.picture(bytes),
            _ => {
                self.sound_bytes = self.sound_bytes.saturating_add(bytes);
                self.sound(bytes, media::speech(bytes));
            }
        }
    }

    /// A picture that is sold by the piece: it comes to no tokens.
    pub(super) fn by_the_piece(&mut self, base64: u64) {
        self.attached_bytes = self.attached_bytes.saturating_add(base64);
        self.unsure = true;
    }

    fn attach(&mut self, bytes: u64, taken: Taken) {
        self.attachments = self.attachments.saturating_add(1);
        self.attached_bytes = self.attached_bytes.saturating_add(bytes);
        self.taken = self.taken.plus(taken);
        self.unsure = true;
    }

    fn sound(&mut self, bytes: u64, taken: Taken) {
        self.sounds = self.sounds.plus(taken.likely);
        self.attach(bytes, taken);
    }

    fn picture(&mut self, bytes: u64) {
        self.pictures = self.pictures.saturating_add(1);
        self.attach(bytes, Taken::default());
    }

    fn points_at(&mut self, field: &'static str) {
        self.attachments = self.attachments.saturating_add(1);
        self.whole.get_or_insert(field);
    }

    fn address(&mut self, medium: Medium, text: &str, size: u64) {
        let text = text.trim_ascii_start();
        let scheme = text.get(..5).unwrap_or_default();
        if scheme.eq_ignore_ascii_case("data:") {
            let kind = text.get(5..).and_then(|rest| rest.split([';', ',']).next()).unwrap_or_default();
            // What names no type is what its field says.
            self.inline(if kind.is_empty() { medium } else { of_type(kind) }, size);
        } else if size > INLINE_BYTES {
            self.inline(medium, size);
        } else if medium == Medium::Picture && (!text.contains("://") || text.get(..4).is_some_and(is_http)) {
            self.picture(0);
        } else if !text.is_empty() {
            self.points_at(match medium {
                Medium::Picture => "image_url",
                Medium::Sound => "audio_url",
                Medium::Video => "video_url",
                Medium::Document => "file_data",
            });
        }
    }

    /// Of what no table knows: an address, or by its name an id.
    fn other(&mut self, found: Found<'_>) {
        match found {
            Found::Named(name) => {
                let name = name.to_ascii_lowercase();
                self.unsure = true;
                self.other = ["_id", "_ids", "uri", "url", "file", "files"].iter().any(|end| name.ends_with(end))
                    && ["file", "uri", "url", "doc", "store"].iter().any(|word| name.contains(word));
            }
            Found::Null | Found::Closed { .. } => self.other = false,
            found => {
                let address = matches!(found, Found::Text { text, .. } if is_address(text));
                if std::mem::take(&mut self.other) || address {
                    self.points_at(SOMEWHERE);
                }
            }
        }
    }
}

/// Whether a text is an address and nothing else.
fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
        && !rest.contains(char::is_whitespace)
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http")
}

/// What a part or a source calls itself.
fn of_kind(kind: &str) -> Option<Medium> {
    match kind {
        "image" | "input_image" | "image_url" | "computer_screenshot" => Some(Medium::Picture),
        "audio" | "input_audio" => Some(Medium::Sound),
        "video" => Some(Medium::Video),
        "document" | "file" | "input_file" => Some(Medium::Document),
        _ => None,
    }
}

/// What no table knows is read as a document.
fn of_type(kind: &str) -> Medium {
    let is = |beginning: &str| kind.get(..beginning.len()).is_some_and(|it| it.eq_ignore_ascii_case(beginning));
    if is("image/") && !is("image/svg") {
        Medium::Picture
    } else if is("audio/") {
        Medium::Sound
    } else if is("video/") {
        Medium::Video
    } else {
        Medium::Document
    }
}

#[cfg(test)]
mod tests;
