//! `unevaluatedProperties` and `unevaluatedItems`: what no other rule of the schema, or of those that hold in its place, has looked
//! at.
//!
//! Trade-off: which members were looked at is not collected while the rules are checked, which all schemas would pay for. It is
//! asked for, member by member, once a schema has one of these keywords and all else holds.

use super::super::fault::{Stop, Why};
use super::super::pointer::Step;
use super::super::rule::{Id, Needs, Rule, Unevaluated};
use super::{Check, Checked};
use serde_json::{Map, Value};

/// A member or an item.
#[derive(Clone, Copy)]
enum Part<'v> {
    Member(&'v str),
    Item(usize, &'v Value),
}

impl<'s> Check<'s> {
    pub(super) fn unevaluated_properties(
        &mut self,
        rule: &'s Rule,
        of: Unevaluated,
        members: &Map<String, Value>,
        object: &Value,
    ) -> Checked<'s> {
        for (name, member) in members {
            if !self.is_evaluated(of, Part::Member(name), object)? {
                self.unevaluated(rule, of, Step::Other, member)?;
            }
        }
        Ok(())
    }

    pub(super) fn unevaluated_items(
        &mut self,
        rule: &'s Rule,
        of: Unevaluated,
        items: &[Value],
        array: &Value,
    ) -> Checked<'s> {
        for (place, item) in items.iter().enumerate() {
            if !self.is_evaluated(of, Part::Item(place, item), array)? {
                self.unevaluated(rule, of, Step::Index(place), item)?;
            }
        }
        Ok(())
    }

    fn unevaluated(&mut self, rule: &'s Rule, of: Unevaluated, step: Step<'s>, value: &Value) -> Checked<'s> {
        if self.schema.is_false(of.schema) {
            return Err(Stop::Fails(Why::Rule(rule)));
        }
        self.inside(step, of.schema, value)
    }

    /// By the schema that has the keyword, but for the keyword itself.
    fn is_evaluated(&mut self, of: Unevaluated, part: Part<'_>, whole: &Value) -> Checked<'s, bool> {
        let rules = self.schema.rules(of.within);
        let mut others = rules.iter().filter(|rule| !rule.is_unevaluated());
        any(&mut others, |rule| self.rule_evaluates(rule, part, whole))
    }

    /// By a schema that holds for `whole`.
    fn evaluates(&mut self, id: Id, part: Part<'_>, whole: &Value) -> Checked<'s, bool> {
        let rules = self.schema.rules(id);
        self.nested(|check| any(&mut rules.iter(), |rule| check.rule_evaluates(rule, part, whole)))
    }

    fn rule_evaluates(&mut self, rule: &'s Rule, part: Part<'_>, whole: &Value) -> Checked<'s, bool> {
        self.spend(1)?;
        Ok(match (rule, part) {
            (Rule::Properties(of), Part::Member(name)) => {
                of.additional.is_some()
                    || self.find(of, name)?.is_some()
                    || any(&mut of.patterns.iter(), |(pattern, _)| self.matches(pattern, name))?
            }
            (Rule::Items(of), Part::Item(place, _)) => of.rest.is_some() || place < of.prefix.len(),
            (Rule::Contains(of), Part::Item(place, item)) => {
                self.quietly(|check| check.inside(Step::Index(place), of.schema, item))?.is_none()
            }
            // It holds, so all that was left to it is allowed.
            (Rule::UnevaluatedProperties(_), Part::Member(_)) | (Rule::UnevaluatedItems(_), Part::Item(..)) => true,
            (Rule::Ref(id), part) => self.evaluates(*id, part, whole)?,
            (Rule::AllOf(ids), part) => any(&mut ids.iter(), |id| self.evaluates(*id, part, whole))?,
            (Rule::AnyOf(ids) | Rule::OneOf(ids), part) => {
                any(&mut ids.iter(), |id| Ok(self.attempt(*id, whole)?.is_none() && self.evaluates(*id, part, whole)?))?
            }
            (Rule::If(of), part) => {
                let holds = self.attempt(of.condition, whole)?.is_none();
                let branch = if holds { of.then } else { of.otherwise };
                let ids = [Some(of.condition).filter(|_| holds), branch];
                any(&mut ids.iter().flatten(), |id| self.evaluates(*id, part, whole))?
            }
            (Rule::DependentSchemas(of) | Rule::Dependencies(of), part) => {
                any(&mut of.iter(), |(name, needs)| match (needs, whole) {
                    (Needs::Schema(id), Value::Object(members)) => {
                        Ok(self.has(members, name)? && self.evaluates(*id, part, whole)?)
                    }
                    _ => Ok(false),
                })?
            }
            _ => false,
        })
    }
}

fn any<'s, T>(of: &mut impl Iterator<Item = T>, mut is: impl FnMut(T) -> Checked<'s, bool>) -> Checked<'s, bool> {
    for one in of {
        if is(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}
