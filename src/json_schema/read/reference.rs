//! `$ref`, and the names that it can refer to.

use super::super::flaw::Reason;
use super::super::pointer::{Step, percent_decoded, unescaped};
use super::super::rule::{Id, Rule};
use super::{Draft, Read, Reader};
use serde_json::Value;

/// A `$ref`, which is followed once the whole document is read.
#[derive(Debug)]
pub struct Reference<'d> {
    pub from: Id,
    to: &'d str,
    pub path: Vec<Step<'d>>,
}

/// Where a reference leads: to what has been read, or to what hasn't, as no keyword says that it is a schema.
enum Target<'d> {
    Schema(Id),
    Value(&'d Value, Vec<Step<'d>>),
}

impl<'d> Reader<'d> {
    /// A rule that has its schema only once the reference is followed.
    pub(super) fn reference(&mut self, from: Id, value: &'d Value) -> Read<Rule> {
        let to = self.text(value)?;
        self.references.push(Reference { from, to, path: self.path.clone() });
        Ok(Rule::Ref(from))
    }

    /// What is read on the way may have more of them.
    pub(super) fn follow_references(&mut self) -> Read<()> {
        let mut followed: usize = 0;
        while let Some(reference) = self.references.get(followed) {
            let (from, to) = (reference.from, reference.to);
            self.path.clone_from(&reference.path);
            let target = match self.target(to)? {
                Target::Schema(id) => id,
                Target::Value(value, path) => {
                    self.path = path;
                    self.schema(value)?
                }
            };
            let rules = self.schemas.get_mut(from.0).into_iter().flatten();
            for rule in rules {
                if let Rule::Ref(id) = rule {
                    *id = target;
                }
            }
            followed = followed.saturating_add(1);
        }
        Ok(())
    }

    fn target(&self, to: &'d str) -> Read<Target<'d>> {
        let own = self.identifier.and_then(|identifier| to.strip_prefix(identifier));
        let fragment = match own.unwrap_or(to) {
            "" => Some(""),
            to => to.strip_prefix('#'),
        };
        let fragment = fragment.ok_or_else(|| self.flaw(Reason::Remote))?;
        let fragment = percent_decoded(fragment).ok_or_else(|| self.form("a reference"))?;
        let no_target = || self.flaw(Reason::NoTarget);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return self.anchors.get(&*fragment).copied().map(Target::Schema).ok_or_else(no_target);
        }
        let mut value = self.document;
        let mut path = Vec::new();
        for token in fragment.split('/').skip(1) {
            let (inside, step) = inside(value, &unescaped(token)).ok_or_else(no_target)?;
            value = inside;
            path.push(step);
        }
        let known = self.known.get(&std::ptr::from_ref(value));
        Ok(known.map_or(Target::Value(value, path), |id| Target::Schema(*id)))
    }

    /// A name for a schema that doesn't change with its place.
    pub(super) fn anchor(&mut self, id: Id, name: &'d str) -> Read<()> {
        match self.anchors.insert(name, id) {
            None => Ok(()),
            Some(_) => Err(self.form("a name that no other schema has")),
        }
    }

    /// Only of the whole: within, references would mean other schemas. In draft 7, a fragment is what became `$anchor`.
    pub(super) fn identifier(&mut self, id: Id, value: &'d Value) -> Read<()> {
        let text = self.text(value)?;
        let whole = text.strip_suffix('#').unwrap_or(text);
        match text.strip_prefix('#') {
            Some(name) if self.draft == Draft::Seven => {
                if name.is_empty() || name.starts_with('/') {
                    Ok(())
                } else {
                    self.anchor(id, name)
                }
            }
            _ if id != Id(0) => Err(self.flaw(Reason::Identifier)),
            _ if whole.is_empty() || whole.contains('#') => Err(self.form("a URI without a fragment")),
            _ => {
                self.identifier = Some(whole);
                Ok(())
            }
        }
    }
}

fn inside<'d>(value: &'d Value, token: &str) -> Option<(&'d Value, Step<'d>)> {
    match value {
        Value::Object(members) => members.get_key_value(token).map(|(name, member)| (member, Step::Name(name))),
        Value::Array(items) => {
            let place: usize = token.parse().ok().filter(|_| token == "0" || !token.starts_with(['0', '+']))?;
            Some((items.get(place)?, Step::Index(place)))
        }
        _ => None,
    }
}
