//! What a body has beside its text, once all of its fields have come.

use super::Fields;
use crate::llm::brings::SOUND_ELSEWHERE;
use crate::llm::estimate::Sizes;
use crate::llm::hidden::Hidden;
use crate::llm::schema::Schema;

impl Fields {
    /// Bytes of recordings. What a request of the kind points at, or doesn't show, is as long as it may be.
    pub(in crate::llm::request) fn sound_bytes(&self, schema: &Schema, is_form: bool) -> u64 {
        if !schema.takes_forms || schema.item.is_some() {
            return 0;
        }
        let media = self.media.as_deref();
        let elsewhere = media.is_some_and(|media| media.whole.is_some());
        let bytes = media.map_or(0, |media| media.sound_bytes);
        // A file beside it hides nothing.
        if elsewhere || is_form && bytes == 0 { SOUND_ELSEWHERE.max(bytes) } else { bytes }
    }

    /// What the body has beside text, and what it only points at.
    pub(in crate::llm::request) fn brings(&self, body_bytes: u64) -> (Sizes, Hidden) {
        let (mut sizes, mut hidden) =
            (Sizes { body_bytes, characters: self.characters, ..Sizes::default() }, Hidden::default());
        let query = self.query.map_or(0, |place| place.to.saturating_sub(place.from));
        sizes.reread_bytes = query.saturating_mul(self.documents.saturating_sub(1));
        if let Some(media) = &self.media {
            sizes.attached_bytes = media.attached_bytes;
            sizes.attachments = media.attachments;
            sizes.pictures = media.pictures;
            sizes.taken = media.taken;
            sizes.sounds = media.sounds;
            hidden.whole = media.whole;
            hidden.held = media.held;
            hidden.held_by = media.held_by;
            hidden.unsure = media.unsure;
        }
        if self.stored_prompt {
            hidden.whole = Some("prompt");
        }
        hidden.unsure |= !self.unknown.fields.is_empty() || self.unknown.suspect.is_some();
        (sizes, hidden)
    }
}
