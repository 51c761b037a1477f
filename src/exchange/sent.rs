//! The body as it will be sent: what rules take out of it and write into it, and what it holds then. This is what is reserved for.

use crate::content::{Placeholders, Refused, Screened};
use crate::llm::estimate::{Sizes, Swapped};
use crate::llm::request::{Edit, Request, merged};
use crate::record::content::Seen;

pub(super) struct Sent {
    /// In the order of their places.
    pub(super) edits: Vec<Edit>,
    pub(super) sizes: Sizes,
    /// Where its texts are looked at.
    pub(super) placeholders: Option<Placeholders>,
    pub(super) seen: Option<Seen>,
    /// Why it is not sent.
    pub(super) refused: Option<Refused>,
}

impl Sent {
    /// `defined`: what rules about tools take out of their definitions and write into them.
    pub(super) fn of(request: &Request, screened: Option<Screened>, defined: &[Edit]) -> Self {
        let Some(Screened { edits: masks, swapped, placeholders, seen, refused }) = screened else {
            let sizes = request.sizes_with(defined, Swapped::default());
            return Self { edits: defined.to_vec(), sizes, placeholders: None, seen: None, refused: None };
        };
        // A definition that goes needs no mask inside.
        let edits = merged(defined.to_vec(), &masks);
        let sizes = request.sizes_with(&edits, swapped);
        Self { edits, sizes, placeholders: Some(placeholders), seen: Some(seen), refused }
    }
}

#[cfg(test)]
mod tests;
