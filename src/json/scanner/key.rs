//! Keys: where in the shape the value behind one stands.

use super::{InShape, Nesting, Progress};
use crate::json::{Field, OTHERS, Want, words};

impl<K> Progress<K> {
    /// The key says where in the shape the next value stands; `None` is one too long for any field.
    pub(super) fn enter(
        &mut self,
        levels: &mut [Nesting<K>],
        shape: &'static [Field<K>],
        in_any_case: bool,
        anywhere: &'static [Field<K>],
        key: Option<&[u8]>,
    ) {
        self.place = InShape::Elsewhere;
        self.repeated = false;
        let Some(key) = key else {
            if self.tracked == self.depth {
                self.enter_others(levels, shape);
            }
            return;
        };
        if self.tracked == self.depth {
            self.enter_followed(levels, shape, in_any_case, key);
        }
        if !anywhere.is_empty() && (matches!(self.place, InShape::Elsewhere) || self.is_other()) {
            let begins = |field: &&Field<K>| {
                let name = field.name.as_bytes();
                let same = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == *b;
                key.len() >= name.len() && key.iter().zip(name).all(same)
            };
            self.place = anywhere.iter().find(begins).map_or(self.place, InShape::Field);
        }
    }

    pub(super) fn is_other(&self) -> bool {
        matches!(self.place, InShape::Field(field) if field.name == OTHERS)
    }

    /// Whether the key itself is reported, as well as its value.
    pub(super) fn is_named(&self) -> bool {
        self.is_other()
            || matches!(self.place, InShape::Field(field) if field.is_rest() && matches!(field.want, Want::Pieces))
    }

    /// A key that is too long for any name may be one of an object's others.
    fn enter_others(&mut self, levels: &[Nesting<K>], shape: &'static [Field<K>]) {
        let fields = match levels.get(self.depth.wrapping_sub(1)).map(|object| object.place) {
            None | Some(InShape::Elsewhere) => &[],
            Some(InShape::Root) => shape,
            Some(InShape::Field(field)) => field.inside,
        };
        if let Some(others) = fields.last().filter(|field| field.name == OTHERS || field.is_rest()) {
            self.place = InShape::Field(others);
        }
    }

    /// The key of an object that stands in the shape.
    fn enter_followed(&mut self, levels: &mut [Nesting<K>], shape: &'static [Field<K>], in_any_case: bool, key: &[u8]) {
        let Some(object) = levels.get_mut(self.depth.wrapping_sub(1)) else { return };
        let fields = match object.place {
            InShape::Elsewhere => &[],
            InShape::Root => shape,
            InShape::Field(field) => field.inside,
        };
        // Mostly the first byte tells names of one length apart.
        let is_key = |field: &Field<K>| {
            let name = field.name.as_bytes();
            name.len() == key.len() && name.first() == key.first() && words::same(name, key)
        };
        let Some((field, bit)) = fields.iter().zip(0..).find(|(field, _)| is_key(field)) else {
            if let Some(rest) = fields.last().filter(|field| field.is_rest()) {
                self.place = InShape::Field(rest);
                return;
            }
            if in_any_case && let Some(field) = words::in_other_letters(key, fields, |field| field.name) {
                self.place = InShape::Field(field);
                self.repeated = true;
            } else if let Some(others) = fields.last().filter(|field| field.name == OTHERS) {
                self.place = InShape::Field(others);
            }
            return;
        };
        let bit = 1_u64.checked_shl(bit).unwrap_or(0);
        self.place = InShape::Field(field);
        self.repeated = object.seen & bit != 0;
        object.seen |= bit;
    }
}
