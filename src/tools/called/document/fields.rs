//! The fields of a call: its words, and its arguments, as they are written.

use super::{Document, Value};
use crate::json::{Container, Found, Hit};
use crate::llm::called::{Called, Comes, Of, Written};
use crate::tools::called::open::OpenCalls;
use crate::tools::called::piece::{Argument, Piece, Text, TextFault};

impl Document {
    /// The call that a field belongs to: the one that is read, or the event itself.
    fn target(&mut self) -> &mut Piece {
        match &mut self.call {
            Some(call) => call,
            None => self.own.get_or_insert_with(|| Piece::new(Of::Item, Comes::InParts)),
        }
    }

    /// Nobody asks what an event says by itself, once it is known to be no part of a call.
    fn is_of_no_call(&self) -> bool {
        self.call.is_none() && self.event.is_some_and(|event| event.own.is_none())
    }

    pub(super) fn word(&mut self, hit: &Hit<'_, Called>) {
        if matches!(hit.found, Found::Null | Found::Closed { .. }) || self.is_of_no_call() {
            return;
        }
        let Hit { key, found, repeated, .. } = *hit;
        let piece = self.target();
        let (text, cut) = match found {
            Found::Text { text, cut } => (text, cut),
            // A name that is no text is none that a reader could know.
            _ => ("", matches!(key, Called::Name | Called::Type | Called::Within)),
        };
        match key {
            Called::GoesOn => piece.goes_on |= found == Found::Bool(true),
            Called::Name => {
                piece.unclear |= cut;
                piece.add_name(text);
            }
            Called::Type => {
                piece.unclear |= cut || repeated;
                text.clone_into(&mut piece.kind);
            }
            Called::Within => {
                piece.unclear |= cut || repeated;
                text.clone_into(&mut piece.within);
            }
            Called::Provider => {
                piece.unclear |= cut || repeated;
                text.clone_into(&mut piece.provider);
            }
            Called::Id => text.clone_into(&mut piece.id),
            Called::Member(member) if matches!(found, Found::Opened(Container::Object)) => {
                piece.unclear |= !piece.member.is_empty();
                piece.member = member;
            }
            _ => {}
        }
    }

    pub(super) fn arguments(&mut self, hit: &Hit<'_, Called>, (bytes, at): (&[u8], u64), open: &OpenCalls) {
        if self.value.is_none() && (hit.found == Found::Null || self.is_of_no_call()) {
            return;
        }
        let written = match hit.key {
            Called::Arguments(written) => written,
            _ => Written::Value,
        };
        if let Some(value) = self.value {
            if matches!(hit.found, Found::Closed { .. }) && hit.from == value.begins {
                self.keep(value, (bytes, at), hit.to, open);
                self.value = None;
                if !value.is_parts
                    && let Some(arguments) = &mut self.target().arguments
                {
                    arguments.is_whole = true;
                }
            }
            return;
        }
        if let Found::Opened(_) = hit.found {
            let is_parts = hit.key == Called::Parts;
            if !is_parts {
                self.begin_arguments(Written::Value, hit.repeated, open);
            }
            self.value = Some(Value { begins: hit.from, next: hit.from, is_parts });
            return;
        }
        if written == Written::Value {
            return;
        }
        let arguments = self.begin_arguments(written, hit.repeated, open);
        match hit.found {
            Found::Piece(text) => arguments.text.push(text.as_bytes()),
            Found::Size(_) => arguments.is_whole = true,
            _ => arguments.text.give_up(TextFault::Broken),
        }
    }

    /// What goes on, or what begins: of a second value in one object nobody knows whether it counts.
    fn begin_arguments(&mut self, written: Written, repeated: bool, open: &OpenCalls) -> &mut Argument {
        let arguments = self.target().arguments.get_or_insert_with(|| Argument {
            text: Text::new(open.kept.clone()),
            is_free: matches!(written, Written::Free | Written::FreePiece),
            is_piece: matches!(written, Written::Piece | Written::FreePiece),
            is_whole: false,
        });
        if arguments.is_whole || repeated {
            arguments.text.give_up(TextFault::Broken);
        }
        arguments
    }

    /// What of a value that is kept as it stands these bytes have, up to the document's `to`th.
    fn keep(&mut self, value: Value, (bytes, at): (&[u8], u64), to: u64, open: &OpenCalls) {
        let place = |offset: u64| usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = bytes.get(place(value.next.max(at))..place(to).min(bytes.len())).unwrap_or_default();
        let piece = self.target();
        if value.is_parts {
            piece.parts.get_or_insert_with(|| Text::new(open.kept.clone())).push(part);
        } else if let Some(arguments) = &mut piece.arguments {
            arguments.text.push(part);
        }
    }

    /// The value goes on in the next bytes.
    pub(in crate::tools::called) fn keep_rest(&mut self, (bytes, at): (&[u8], u64), open: &OpenCalls) {
        if let Some(value) = self.value {
            let to = at.saturating_add(bytes.len() as u64);
            self.keep(value, (bytes, at), to, open);
            self.value = Some(Value { next: to, ..value });
        }
    }
}
