//! What the rules about tools have seen of an exchange: what was offered and called, and what of it was not let through.

use crate::json::object::{Object, name};
use crate::policy::tools::Why;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub offered: u64,
    pub called: u64,
    pub arguments: Arguments,
    pub denied: Vec<Denied>,
}

/// Calls whose arguments were held against a schema. Not in the line: they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    pub valid: u64,
    pub invalid: u64,
}

/// What was not let through, or would not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    pub on: On,
    /// As the table of kinds has it, or `other`.
    pub kind: &'static str,
    /// As its client, or the model, calls it; long ones are cut.
    pub name: String,
    pub why: Why,
    /// What became of it.
    pub action: &'static str,
    pub times: u64,
}

/// Where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Request,
    Answer,
}

/// More are counted under the last.
const MOST: usize = 32;

impl On {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

impl Seen {
    pub fn deny(&mut self, denied: Denied) {
        let full = self.denied.len() >= MOST;
        let same = |other: &&mut Denied| {
            let Denied { on, kind, name, why, action, .. } = &denied;
            full || (other.on, other.kind, &other.name, other.why, other.action) == (*on, *kind, name, *why, *action)
        };
        match self.denied.iter_mut().rev().find(same) {
            Some(other) => other.times = other.times.saturating_add(denied.times),
            None => self.denied.push(denied),
        }
    }

    /// What was seen elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.offered = self.offered.saturating_add(other.offered);
        self.called = self.called.saturating_add(other.called);
        self.arguments.valid = self.arguments.valid.saturating_add(other.arguments.valid);
        self.arguments.invalid = self.arguments.invalid.saturating_add(other.arguments.invalid);
        other.denied.iter().for_each(|denied| self.deny(denied.clone()));
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.number(name!("offered"), self.offered);
        line.number(name!("called"), self.called);
        if !self.denied.is_empty() {
            line.list(name!("denied"), self.denied.iter(), |out, denied| denied.write(out));
        }
        line.end();
    }
}

impl Denied {
    fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.text(name!("on"), self.on.name());
        line.text(name!("kind"), self.kind);
        line.text(name!("name"), &self.name);
        line.text(name!("why"), self.why.name());
        line.text(name!("action"), self.action);
        line.number(name!("times"), self.times);
        line.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(name: &str) -> Denied {
        Denied {
            on: On::Request,
            kind: "function",
            name: name.to_owned(),
            why: Why::NotAllowed,
            action: "strip",
            times: 1,
        }
    }

    #[test]
    fn what_is_denied_is_written_once_with_how_often() {
        let mut seen = Seen { offered: 3, called: 1, ..Seen::default() };
        for name in ["a", "b\"", "a"] {
            seen.deny(denied(name));
        }
        seen.deny(Denied { on: On::Answer, why: Why::Arguments, action: "count", ..denied("a") });
        let mut out = String::new();
        seen.write(&mut out);
        let expected = concat!(
            r#"{"offered":3,"called":1,"denied":["#,
            r#"{"on":"request","kind":"function","name":"a","why":"not_allowed","action":"strip","times":2},"#,
            r#"{"on":"request","kind":"function","name":"b\"","why":"not_allowed","action":"strip","times":1},"#,
            r#"{"on":"answer","kind":"function","name":"a","why":"arguments","action":"count","times":1}]}"#
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn whoever_is_denied_a_million_times_makes_no_longer_record() {
        let mut seen = Seen::default();
        for nth in 0..1_000 {
            seen.deny(denied(&nth.to_string()));
        }
        assert_eq!(seen.denied.len(), MOST);
        assert_eq!(seen.denied.iter().map(|denied| denied.times).sum::<u64>(), 1_000);
    }
}
