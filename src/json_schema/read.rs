//! Reads a schema: each keyword into a rule, or a reason why not. All that a check relies on is made sure of here.

mod circles;
mod composite;
mod forms;
mod keywords;
mod reference;
mod size;

use super::flaw::{Flaw, Reason};
use super::pattern::Pattern;
use super::pointer::{Pointer, Step};
use super::rule::{Id, Rule};
use super::{Schema, Where};
use reference::Reference;
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draft {
    Seven,
    Of2020,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Of the document, in bytes of its shortest text.
    bytes: usize,
    /// Of what is kept of it, in bytes of memory.
    weight: usize,
    schemas: usize,
    /// Of all patterns.
    states: usize,
}

impl Limits {
    const fn of(written: Where) -> Self {
        match written {
            Where::Registered => Self { bytes: 262_144, weight: 8_388_608, schemas: 10_000, states: 32_768 },
            Where::Declared => Self { bytes: 131_072, weight: 2_097_152, schemas: 5_000, states: 1_024 },
        }
    }
}

struct Reader<'d> {
    document: &'d Value,
    draft: Draft,
    limits: Limits,
    schemas: Vec<Vec<Rule>>,
    /// By the address of the value that a schema was read from: what a `$ref` leads to is read once.
    known: BTreeMap<*const Value, Id>,
    /// The `$id` of the whole, without its fragment.
    identifier: Option<&'d str>,
    anchors: BTreeMap<&'d str, Id>,
    references: Vec<Reference<'d>>,
    patterns: BTreeMap<&'d str, Rc<Pattern>>,
    states: usize,
    /// What is kept so far.
    weight: usize,
    /// To what is being read.
    path: Vec<Step<'d>>,
}

type Read<T> = Result<T, Flaw>;

/// What a schema takes by itself, each of its rules, and each name of a member, in bytes of memory.
const SCHEMA: usize = 48;
const RULE: usize = 64;
const NAME: usize = 40;
/// And a state of a pattern, or a range.
const STATE: usize = 16;

pub fn read(document: &Value, written: Where) -> Read<Schema> {
    let limits = Limits::of(written);
    size::check(document, limits.bytes)?;
    let mut reader = Reader {
        document,
        draft: Draft::Of2020,
        limits,
        schemas: Vec::new(),
        known: BTreeMap::new(),
        identifier: None,
        anchors: BTreeMap::new(),
        references: Vec::new(),
        patterns: BTreeMap::new(),
        states: 0,
        weight: 0,
        path: Vec::new(),
    };
    if let Some(name) = document.get("$schema") {
        reader.draft = reader.at(Step::Name("$schema"), |reader| reader.draft(name))?;
    }
    let root = reader.schema(document)?;
    reader.follow_references()?;
    reader.refuse_circles()?;
    let Reader { schemas, weight, .. } = reader;
    Ok(Schema { schemas: schemas.into_iter().map(Vec::into_boxed_slice).collect(), root, weight })
}

impl<'d> Reader<'d> {
    fn schema(&mut self, value: &'d Value) -> Read<Id> {
        let id = Id(self.schemas.len());
        if id.0 >= self.limits.schemas {
            return Err(self.flaw(Reason::Limit { of: "schemas in it", most: self.limits.schemas }));
        }
        self.schemas.push(Vec::new());
        self.known.insert(value, id);
        let rules = match value {
            Value::Bool(true) => Vec::new(),
            Value::Bool(false) => vec![Rule::False],
            Value::Object(keywords) => self.keywords(id, keywords)?,
            _ => return Err(self.form("a schema, which is an object, `true` or `false`")),
        };
        self.keep(RULE.saturating_mul(rules.len()).saturating_add(SCHEMA))?;
        if let Some(slot) = self.schemas.get_mut(id.0) {
            for rule in rules {
                let place = slot.partition_point(|other| other.turn() <= rule.turn());
                slot.insert(place, rule);
            }
        }
        Ok(id)
    }

    /// Counts what is kept. By references to each of its levels, what stands far inside is kept once for each of them.
    fn keep(&mut self, bytes: usize) -> Read<()> {
        self.weight = self.weight.saturating_add(bytes);
        if self.weight > self.limits.weight {
            return Err(self.flaw(Reason::Limit { of: "bytes that its rules take", most: self.limits.weight }));
        }
        Ok(())
    }

    /// Reads what is a step further in.
    fn at<T>(&mut self, step: Step<'d>, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// Of what is being read.
    fn flaw(&self, reason: Reason) -> Flaw {
        Flaw { pointer: Pointer(&self.path).to_string(), reason }
    }

    fn form(&self, form: &'static str) -> Flaw {
        self.flaw(Reason::Form(form))
    }

    fn draft(&self, name: &Value) -> Read<Draft> {
        let name = name.as_str().map(|name| name.strip_suffix('#').unwrap_or(name));
        let without_scheme = name.and_then(|name| name.strip_prefix("http://").or(name.strip_prefix("https://")));
        match without_scheme {
            Some("json-schema.org/draft/2020-12/schema") => Ok(Draft::Of2020),
            Some("json-schema.org/draft-07/schema") => Ok(Draft::Seven),
            _ => Err(self.flaw(Reason::Draft)),
        }
    }
}
