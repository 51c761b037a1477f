//! What is written into a request before it is sent on: splices at known places, and nothing else of the body changes.

use super::{Nest, Place, Request, STREAM_OPTIONS};
use crate::llm::schema::{BoundField, Slot};
use crate::units::Tokens;

/// One splice: the bytes of `place` are replaced by `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub place: Place,
    pub text: String,
}

impl Request {
    /// The edits that send `model` on, bound the output by `bound`, and have the usage of a stream reported.
    /// In the order of their places, which never overlap. The gateway's own API always needs a `model` here.
    pub fn edits(&self, model: Option<&str>, bound: Option<(BoundField, Tokens)>, ask_usage: bool) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut front = Vec::new();
        // A string always serialises; were it not so, the request would go out with the client's own name.
        match (self.model_place, model.map(serde_json::to_string)) {
            (_, Some(Ok(text))) if self.schema.own => front.push(format!("\"model\":{text}")),
            (Some(place), Some(Ok(text))) => edits.push(Edit { place, text }),
            _ => {}
        }
        // A member goes with the comma before it. The first has none: what is put in its place ends without one.
        let mut first_is_cut = false;
        for Place { from, to } in &self.cut {
            let is_first = *from == self.inside;
            first_is_cut |= is_first;
            let from = if is_first { *from } else { from.saturating_sub(1) };
            edits.push(Edit { place: Place { from, to: *to }, text: String::new() });
        }
        if let Some((field, tokens)) = bound {
            let nth = if self.schema.slot(field.slot()).is_some() { field.slot() } else { 0 };
            if let Some(slot) = self.schema.slot(nth) {
                let written = self.bounds.get(usize::from(nth)).copied().flatten().map(|written| written.place);
                self.write(slot, &tokens.0.to_string(), written, &mut edits, &mut front);
            }
        }
        if ask_usage && self.stream && !self.wants_usage() {
            let slot = Slot { nest: Some(STREAM_OPTIONS), name: "include_usage" };
            self.write(slot, "true", self.include_usage.map(|(_, place)| place), &mut edits, &mut front);
        }
        if !front.is_empty() {
            let comma = if self.empty || first_is_cut { "" } else { "," };
            let place = Place { from: self.inside, to: self.inside };
            edits.push(Edit { place, text: front.join(",") + comma });
        }
        edits.sort_by_key(|edit| (edit.place.from, edit.place.to));
        edits
    }

    /// Has `slot` say `value`: in the place of what was written, in its object, or at the front of the request.
    fn write(&self, slot: Slot, value: &str, written: Option<Place>, edits: &mut Vec<Edit>, front: &mut Vec<String>) {
        let field = format!("\"{}\":{value}", slot.name);
        match (written, slot.nest, self.nest) {
            (Some(place), ..) => edits.push(Edit { place, text: value.to_owned() }),
            (None, None, _) => front.push(field),
            (None, Some(nest), None) => front.push(format!("\"{nest}\":{{{field}}}")),
            (None, Some(_), Some(Nest { place, is_null: true, .. })) => {
                edits.push(Edit { place, text: format!("{{{field}}}") });
            }
            (None, Some(_), Some(Nest { place, empty, .. })) => {
                let at = place.from.saturating_add(1);
                let comma = if empty { "" } else { "," };
                edits.push(Edit { place: Place { from: at, to: at }, text: field + comma });
            }
        }
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
