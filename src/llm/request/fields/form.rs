//! The same fields, of a form.

use super::Fields;
use crate::json::{Found, Hit, Number, words};
use crate::llm::form;
use crate::llm::request::value::NAME;
use crate::llm::request::{Invalid, Place};
use crate::llm::schema::{Asked, FRAMES, Item, Medium, Schema};
use crate::name;

const AUTHOR: &str = "left out: another model than the one that is priced would work and be billed";
const IN_JSON: &str = "said in JSON: what is read out is sold by its characters";
const BY_HEADER: &str = "left out of a form: a header says it";

impl Fields {
    /// A field or a file of a form.
    pub(in crate::llm::request) fn piece(&mut self, schema: &Schema, piece: form::FormPiece<'_>) {
        let nowhere = Place { from: 0, to: 0 };
        let field = match piece {
            form::FormPiece::File(bytes) => {
                let medium = if schema.item == Some(Item::Image) { Medium::Picture } else { Medium::Sound };
                self.media().file(medium, bytes);
                return;
            }
            form::FormPiece::Other(name, value) => return self.other(schema, name, value),
            form::FormPiece::Field(field, value) => (field, value),
        };
        let fault = match field {
            // Empty as in JSON: the path may name it.
            (form::FieldName::Model, Some(model))
                if self.model.is_none() && (model.is_empty() || name::is_name(model)) =>
            {
                self.model = Some((model.to_owned(), nowhere));
                return;
            }
            (form::FieldName::Stream, Some(stream @ ("true" | "false"))) if self.stream.is_none() => {
                self.stream = Some(stream == "true");
                return;
            }
            (form::FieldName::Choices, Some(choices)) if self.choices.is_none() => match choices.parse() {
                Ok(choices @ 1..) => {
                    self.choices = Some(choices);
                    return;
                }
                _ => Invalid::Wrong { field: "n", expected: "a whole number of at least 1" },
            },
            // Of a moving picture, each is made.
            (form::FieldName::Frames, Some(frames)) => match frames.parse() {
                Ok(frames @ 1..) => {
                    self.frames = self.frames.max(frames);
                    return;
                }
                _ => Invalid::Wrong { field: "frame_count", expected: "a whole number of at least 1" },
            },
            (form::FieldName::Format, Some(format)) => {
                match format {
                    "gif" => self.frames = self.frames.max(FRAMES),
                    "svg" => self.unsold("output_format", format),
                    _ => {}
                }
                return;
            }
            (form::FieldName::Address, Some("")) => return,
            (form::FieldName::Address, _) => {
                self.media().whole.get_or_insert("url");
                return;
            }
            (form::FieldName::Frames, None) => Invalid::Wrong { field: "frame_count", expected: "a whole number" },
            (form::FieldName::Format, None) => Invalid::Wrong { field: "output_format", expected: "a name" },
            (form::FieldName::Author, _) => Invalid::Wrong { field: "svg", expected: AUTHOR },
            (form::FieldName::Model, _) => Invalid::Wrong { field: "model", expected: NAME },
            (form::FieldName::Stream, _) => Invalid::Wrong { field: "stream", expected: "true or false, once" },
            (form::FieldName::Choices, _) => Invalid::Repeated("n"),
            // Nothing is cut out of a form, and the provider is not to see them.
            (form::FieldName::Role, _) => Invalid::Wrong { field: "role", expected: BY_HEADER },
            (form::FieldName::Sensitivity, _) => Invalid::Wrong { field: "sensitivity", expected: BY_HEADER },
        };
        self.fault.get_or_insert(fault);
    }

    /// What the API's table says of a name, it says of it in a form: `a[]` and `a[b]` are of the field `a`.
    fn other(&mut self, schema: &Schema, name: &str, value: Option<&str>) {
        let (field, within) = name.split_at_checked(name.find(['[', '.']).unwrap_or(name.len())).unwrap_or((name, ""));
        let found = match value.map(str::parse) {
            Some(Ok(count)) => Found::Number(Number::Whole(count)),
            _ => value.map_or(Found::Size(u64::MAX), |text| Found::Text { text, cut: false }),
        };
        let mut hit = |key, found, repeated| self.hit(schema, &Hit { key, found, from: 0, to: 0, member: 0, repeated });
        match words::in_other_letters(field.as_bytes(), schema.request, |known| known.name) {
            Some(known) => match known.key {
                // A form's series is as long as any: whether its length is read, and how it is spelled, nobody knows.
                None | Some(Asked::SeriesOptions) => {}
                Some(Asked::Characters) => {
                    self.fault.get_or_insert(Invalid::Wrong { field: "input", expected: IN_JSON });
                }
                Some(key) => hit(key, found, known.name != field),
            },
            None => {
                hit(Asked::Unknown, Found::Named(field), false);
                hit(Asked::Unknown, found, false);
                hit(Asked::InUnknown, Found::Named(within), false);
            }
        }
    }
}
