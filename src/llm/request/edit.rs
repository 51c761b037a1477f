//! What is written into a request before it is sent on: splices at known places, and nothing else of the body changes.

use super::{Behind, Cut, Nest, Place, Request, STREAM_OPTIONS, Said};
use crate::llm::estimate::{Sizes, Swapped};
use crate::llm::schema::{BoundField, Slot};
use crate::order;
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
        let bound = bound.filter(|_| !self.bounds.iter().flatten().any(|written| written.said == Said::Kept));
        let nth = |field: BoundField| if self.schema.slot(field.slot()).is_some() { field.slot() } else { 0 };
        let emptied = self.cut_out(bound.map(|(field, _)| nth(field)), &mut edits);
        if let Some((field, tokens)) = bound {
            let nth = nth(field);
            if let Some(slot) = self.schema.slot(nth) {
                let written = self.bounds.get(usize::from(nth)).copied().flatten().map(|written| written.place);
                self.write(slot, &tokens.0.to_string(), written, &mut edits, &mut front);
            }
        }
        if ask_usage && self.stream && !self.wants_usage() {
            let slot = Slot { nest: Some(STREAM_OPTIONS), name: "include_usage" };
            self.write(slot, "true", self.include_usage.map(|(_, place)| place), &mut edits, &mut front);
        }
        if self.keep_nothing && self.store != Some(false) {
            self.write(Slot { nest: None, name: "store" }, "false", self.store_place, &mut edits, &mut front);
        }
        if !front.is_empty() {
            let comma = if self.empty || emptied { "" } else { "," };
            let place = Place { from: self.inside, to: self.inside };
            edits.push(Edit { place, text: front.join(",") + comma });
        }
        in_order(&mut edits);
        edits
    }

    /// What its body holds as it will be sent, with these edits of rules. What tells the provider what to do (a model's name, a
    /// bound, the usage of a stream) is known later, and no model reads it.
    pub fn sizes_with(&self, rules: &[Edit], swapped: Swapped) -> Sizes {
        // The gateway's own API always says it anew.
        let own = self.edits(self.schema.own.then_some(self.model.as_str()), None, false);
        let Sizes { mut body_bytes, mut taken, characters, mut reread_bytes, .. } = self.sizes;
        let again = self.documents.saturating_sub(1);
        for Edit { place, text } in own.iter().chain(left(rules, &own)) {
            let (takes, puts) = (place.to.saturating_sub(place.from), text.len() as u64);
            if self.query.is_some_and(|query| query.from <= place.from && place.to <= query.to) {
                let written = reread_bytes.saturating_add(puts.saturating_mul(again));
                reread_bytes = written.saturating_sub(takes.saturating_mul(again));
            }
            if self.sizes.attached_bytes == 0 {
                body_bytes = body_bytes.saturating_add(puts).saturating_sub(takes);
            } else {
                // It may stand in what is attached: what goes there makes the text no shorter, and a byte of a document that comes
                // is a token.
                let grows = puts.saturating_sub(takes);
                body_bytes = body_bytes.saturating_add(grows);
                taken.most = taken.most.plus(Tokens(grows));
            }
        }
        Sizes { body_bytes, taken, characters: swapped.of(characters), reread_bytes, ..self.sizes }
    }

    /// These members don't go on, either.
    pub fn leave_out(&mut self, members: impl IntoIterator<Item = Cut>) {
        self.cut.extend(members);
        order::sort_by_key(&mut self.cut, |cut| cut.from);
    }

    /// Cuts out what the provider is not to see; `written` is the slot that is written over instead. Whether nothing is left.
    /// A member goes with the comma before it, or, with none before it, with that behind it.
    fn cut_out(&self, written: Option<u8>, edits: &mut Vec<Edit>) -> bool {
        let (mut first, mut emptied) = (self.inside, false);
        for Cut { from, to, behind, slot } in self.cut.iter().copied() {
            if slot.is_some() && slot == written {
                continue;
            }
            let place = match behind {
                Behind::Comma(next) if from == first => {
                    first = next;
                    Place { from, to: next }
                }
                _ if from == first => {
                    emptied = true;
                    Place { from, to }
                }
                _ => Place { from: from.saturating_sub(1), to },
            };
            edits.push(Edit { place, text: String::new() });
        }
        emptied
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

/// Sorts them by their places: once in the code, for sorting is a large piece of it.
pub fn in_order(edits: &mut [Edit]) {
    order::sort_by_key(edits, |edit| (edit.place.from, edit.place.to));
}

/// Those that stand in no place of these edits: what is cut out or written over as a whole needs no edit inside. Both are in the
/// order of their places.
fn left<'e>(more: &'e [Edit], edits: &[Edit]) -> impl Iterator<Item = &'e Edit> {
    more.iter().filter(|Edit { place, .. }| {
        let behind = edits.partition_point(|edit| edit.place.to <= place.from);
        edits.get(behind).is_none_or(|edit| place.to <= edit.place.from)
    })
}

/// Both, in the order of their places.
pub fn merged(mut edits: Vec<Edit>, more: &[Edit]) -> Vec<Edit> {
    if more.is_empty() {
        return edits;
    }
    let more: Vec<_> = left(more, &edits).cloned().collect();
    edits.extend(more);
    in_order(&mut edits);
    edits
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
