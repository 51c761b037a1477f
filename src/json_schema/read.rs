//! Reads a schema: each keyword into a rule, or a reason why not. All that a check relies on is made sure of here.

mod circles;
mod composite;
mod forms;
mod keywords;
mod reference;
mod size;

use super::Where;
use super::flaw::{Flaw, Reason};
use super::pattern::Pattern;
use super::pointer::{Pointer, Step};
use super::rule::{Id, Rule, Rules};
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
    schemas: usize,
    /// Of all patterns.
    states: usize,
}

impl Limits {
    const fn of(written: Where) -> Self {
        match written {
            Where::Registered => Self { bytes: 262_144, schemas: 10_000, states: 32_768 },
            Where::Declared => Self { bytes: 131_072, schemas: 5_000, states: 1_024 },
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
    /// To what is being read.
    path: Vec<Step<'d>>,
}

type Read<T> = Result<T, Flaw>;

pub fn read(document: &Value, written: Where) -> Read<(Box<[Rules]>, Id)> {
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
        path: Vec::new(),
    };
    if let Some(name) = document.get("$schema") {
        reader.draft = reader.at(Step::Name("$schema"), |reader| reader.draft(name))?;
    }
    let root = reader.schema(document)?;
    reader.follow_references()?;
    reader.refuse_circles()?;
    Ok((reader.schemas.into_iter().map(Vec::into_boxed_slice).collect(), root))
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
        if let Some(slot) = self.schemas.get_mut(id.0) {
            for rule in rules {
                let place = slot.partition_point(|other| other.turn() <= rule.turn());
                slot.insert(place, rule);
            }
        }
        Ok(id)
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
