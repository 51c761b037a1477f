//! The rules for objects.

use super::super::fault::{Stop, Why};
use super::super::pointer::Step;
use super::super::rule::{Id, Needs, Properties, Rule};
use super::super::work::Steps;
use super::{Check, Checked};
use serde_json::{Map, Value};

type Members = Map<String, Value>;

impl<'s> Check<'s> {
    pub(super) fn object(&mut self, rule: &'s Rule, members: &Members, object: &Value) -> Checked<'s> {
        let count = u64::try_from(members.len()).unwrap_or(u64::MAX);
        let holds = match rule {
            Rule::MinProperties(least) => count >= *least,
            Rule::MaxProperties(most) => count <= *most,
            Rule::Required(names) => {
                return match self.missing(names, members)? {
                    Some(name) => Err(Stop::Fails(Why::Missing(name))),
                    None => Ok(()),
                };
            }
            Rule::PropertyNames(id) => self.names_fit(*id, members)?,
            Rule::Properties(of) => return self.properties(of, members),
            Rule::DependentRequired(of) | Rule::DependentSchemas(of) | Rule::Dependencies(of) => {
                return self.dependents(rule, of, members, object);
            }
            Rule::UnevaluatedProperties(of) => return self.unevaluated_properties(rule, *of, members, object),
            _ => true,
        };
        if holds { Ok(()) } else { Err(Stop::Fails(Why::Rule(rule))) }
    }

    fn properties(&mut self, of: &'s Properties, members: &Members) -> Checked<'s> {
        for (name, member) in members {
            let named = self.find(of, name)?;
            if let Some((name, id)) = named {
                self.inside(Step::Name(name), *id, member)?;
            }
            let step = named.map_or(Step::Other, |(name, _)| Step::Name(name));
            let mut is_additional = named.is_none();
            for (pattern, id) in &of.patterns {
                if self.matches(pattern, name)? {
                    is_additional = false;
                    self.inside(step, *id, member)?;
                }
            }
            if let Some(id) = of.additional.filter(|_| is_additional) {
                if self.schema.is_false(id) {
                    return Err(Stop::Fails(Why::Additional(of)));
                }
                self.inside(Step::Other, id, member)?;
            }
        }
        Ok(())
    }

    /// The first of the names that no member has.
    fn missing(&mut self, names: &'s [Box<str>], members: &Members) -> Checked<'s, Option<&'s str>> {
        for name in names {
            if !self.has(members, name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn names_fit(&mut self, id: Id, members: &Members) -> Checked<'s, bool> {
        for name in members.keys() {
            self.spend(Steps::of_text(name))?;
            if self.attempt(id, &Value::String(name.clone()))?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn dependents(
        &mut self,
        rule: &'s Rule,
        of: &'s [(Box<str>, Needs)],
        members: &Members,
        object: &Value,
    ) -> Checked<'s> {
        for (name, needs) in of {
            if !self.has(members, name)? {
                continue;
            }
            match needs {
                Needs::Schema(id) => self.value(*id, object)?,
                Needs::Members(names) => {
                    if let Some(missing) = self.missing(names, members)? {
                        return Err(Stop::Fails(Why::Needs(rule.keyword(), name, missing)));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn has(&mut self, members: &Members, name: &str) -> Checked<'s, bool> {
        self.spend(Steps::of_search(members.len()).saturating_mul(Steps::of_text(name)))?;
        Ok(members.contains_key(name))
    }

    /// The name as the schema has it, and the schema for it.
    pub(super) fn find(&mut self, of: &'s Properties, name: &str) -> Checked<'s, Option<&'s (Box<str>, Id)>> {
        self.spend(Steps::of_search(of.named.len()).saturating_mul(Steps::of_text(name)))?;
        let place = of.named.binary_search_by(|(known, _)| (**known).cmp(name)).ok();
        Ok(place.and_then(|place| of.named.get(place)))
    }
}
