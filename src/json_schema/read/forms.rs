//! What the value of a keyword is taken as.

use super::super::flaw::Reason;
use super::super::number::Decimal;
use super::super::pattern::Pattern;
use super::super::pointer::Step;
use super::super::rule::{Id, Types};
use super::{NAME, Read, Reader, STATE, size};
use serde_json::{Map, Value};
use std::rc::Rc;

impl<'d> Reader<'d> {
    pub(super) fn text(&self, value: &'d Value) -> Read<&'d str> {
        value.as_str().ok_or_else(|| self.form("a string"))
    }

    pub(super) fn number(&self, value: &Value) -> Read<Decimal> {
        value.as_number().map(Decimal::of).ok_or_else(|| self.form("a number"))
    }

    pub(super) fn divisor(&self, value: &Value) -> Read<Decimal> {
        let number = self.number(value)?;
        if number.is_positive() { Ok(number) } else { Err(self.form("more than 0")) }
    }

    pub(super) fn count(&self, value: &Value) -> Read<u64> {
        let count = value.as_number().and_then(|number| Decimal::of(number).count());
        count.ok_or_else(|| self.form("an integer of at least 0"))
    }

    pub(super) fn flag(&self, value: &Value) -> Read<bool> {
        value.as_bool().ok_or_else(|| self.form("`true` or `false`"))
    }

    pub(super) fn members(&self, value: &'d Value) -> Read<&'d Map<String, Value>> {
        value.as_object().ok_or_else(|| self.form("an object"))
    }

    pub(super) fn list(&self, value: &'d Value) -> Read<&'d [Value]> {
        let items = value.as_array().filter(|items| !items.is_empty());
        items.map(Vec::as_slice).ok_or_else(|| self.form("an array with at least one item"))
    }

    pub(super) fn names(&mut self, value: &Value) -> Read<Box<[Box<str>]>> {
        self.keep(size::weight(value))?;
        let names = value.as_array().and_then(|items| items.iter().map(|item| Some(item.as_str()?.into())).collect());
        names.ok_or_else(|| self.form("an array of strings"))
    }

    pub(super) fn types(&self, value: &Value) -> Read<Types> {
        let named = |value: &Value| value.as_str().and_then(Types::named);
        let types = match value {
            Value::Array(names) if !names.is_empty() => {
                names.iter().try_fold(Types::default(), |types, name| Some(types.with(named(name)?)))
            }
            name => named(name),
        };
        types.ok_or_else(|| {
            self.form("one or an array of `null`, `boolean`, `integer`, `number`, `string`, `array` and `object`")
        })
    }

    pub(super) fn pattern(&mut self, text: &'d str) -> Read<Rc<Pattern>> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(Rc::clone(known));
        }
        let pattern = Pattern::read(text).map_err(|unfit| self.flaw(Reason::Pattern(unfit)))?;
        self.states = self.states.saturating_add(pattern.size());
        if self.states > self.limits.states {
            let of = "states and ranges in its patterns, with their repetitions written out";
            return Err(self.flaw(Reason::Limit { of, most: self.limits.states }));
        }
        self.keep(STATE.saturating_mul(pattern.size()).saturating_add(text.len()))?;
        let pattern = Rc::new(pattern);
        self.patterns.insert(text, Rc::clone(&pattern));
        Ok(pattern)
    }

    pub(super) fn schemas(&mut self, value: &'d Value) -> Read<Box<[Id]>> {
        let mut ids = Vec::new();
        for (place, schema) in self.list(value)?.iter().enumerate() {
            ids.push(self.at(Step::Index(place), |reader| reader.schema(schema))?);
        }
        Ok(ids.into())
    }

    /// Reads each member with its name as the next step. Names are kept, mostly.
    pub(super) fn each<T>(
        &mut self,
        value: &'d Value,
        mut read: impl FnMut(&mut Self, &'d str, &'d Value) -> Read<T>,
    ) -> Read<Vec<T>> {
        let mut all = Vec::new();
        for (name, member) in self.members(value)? {
            let member = self.at(Step::Name(name), |reader| {
                reader.keep(NAME.saturating_add(name.len()))?;
                read(reader, name, member)
            })?;
            all.push(member);
        }
        Ok(all)
    }
}
