//! What rules about texts have seen of an exchange: how much was looked at, and what was found, by its kind and number. Never a text.

use crate::json::object::{Object, name};
use crate::llm::texts::{Opaque, Place};
use std::rc::Rc;

/// Both directions of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    pub request: Seen,
    pub answer: Seen,
}

/// What was looked at and found in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Texts, and their bytes as they are said.
    pub texts: u64,
    pub bytes: u64,
    pub found: Vec<Found>,
    /// Placeholders that became the client's own words again.
    pub restored: u64,
    /// What could not be looked at, by its kind.
    pub opaque: [u64; Opaque::ALL.len()],
}

/// How often a rule found something of one kind in texts of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub rule: Rc<str>,
    /// As a placeholder calls it.
    pub kind: Rc<str>,
    /// What became of it.
    pub action: &'static str,
    pub place: Place,
    pub times: u64,
}

impl Seen {
    pub fn find(&mut self, rule: &Rc<str>, kind: &Rc<str>, action: &'static str, place: Place) {
        let same = |found: &&mut Found| found.rule == *rule && found.kind == *kind && found.place == place;
        if let Some(found) = self.found.iter_mut().find(same) {
            found.times = found.times.saturating_add(1);
            return;
        }
        self.found.push(Found { rule: Rc::clone(rule), kind: Rc::clone(kind), action, place, times: 1 });
    }

    pub fn note_opaque(&mut self, what: Opaque) {
        if let Some(times) = self.opaque.get_mut(what as usize) {
            *times = times.saturating_add(1);
        }
    }

    /// Says nothing of what could not be looked at, but for what nobody honest sends.
    pub fn pass_over_opaque(&mut self) {
        for (what, times) in Opaque::ALL.into_iter().zip(&mut self.opaque) {
            if !what.is_hostile() {
                *times = 0;
            }
        }
    }

    /// What could not be looked at, each kind with its number.
    pub fn unscanned(&self) -> impl Iterator<Item = (Opaque, u64)> {
        Opaque::ALL.into_iter().zip(self.opaque).filter(|(_, times)| *times > 0)
    }

    fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.number(name!("texts"), self.texts);
        line.number(name!("bytes"), self.bytes);
        if !self.found.is_empty() {
            line.list(name!("found"), self.found.iter(), |out, found| found.write(out));
        }
        if self.restored > 0 {
            line.number(name!("restored"), self.restored);
        }
        if self.unscanned().next().is_some() {
            line.list(name!("unscanned"), self.unscanned(), |out, (what, times)| {
                let mut line = Object::begin(out);
                line.text(name!("kind"), what.name());
                line.number(name!("times"), times);
                line.end();
            });
        }
        line.end();
    }
}

impl Found {
    fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.text(name!("rule"), &self.rule);
        line.text(name!("kind"), &self.kind);
        line.text(name!("place"), self.place.name());
        line.text(name!("action"), self.action);
        line.number(name!("times"), self.times);
        line.end();
    }
}

impl Looked {
    pub(super) fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.object(name!("request"), |out| self.request.write(out));
        line.object(name!("answer"), |out| self.answer.write(out));
        line.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_written_by_its_kind_and_number() {
        let mut looked = Looked::default();
        let mut out = String::new();
        looked.write(&mut out);
        assert_eq!(out, r#"{"request":{"texts":0,"bytes":0},"answer":{"texts":0,"bytes":0}}"#);
        let (mails, cards): (Rc<str>, Rc<str>) = ("mails".into(), "ca\"rds".into());
        looked.request.find(&mails, &"EMAIL".into(), "mask", Place::User);
        looked.request.find(&cards, &"CARD".into(), "refuse", Place::ToolCall);
        looked.request.find(&mails, &"EMAIL".into(), "mask", Place::User);
        looked.request.find(&mails, &"EMAIL".into(), "mask", Place::System);
        (looked.request.texts, looked.request.bytes) = (3, 40);
        looked.request.note_opaque(Opaque::Media);
        looked.request.note_opaque(Opaque::Media);
        looked.request.note_opaque(Opaque::TooMuchWork);
        looked.answer.restored = 2;
        out.clear();
        looked.write(&mut out);
        let found = concat!(
            r#""found":[{"rule":"mails","kind":"EMAIL","place":"user","action":"mask","times":2},"#,
            r#"{"rule":"ca\"rds","kind":"CARD","place":"tool_call","action":"refuse","times":1},"#,
            r#"{"rule":"mails","kind":"EMAIL","place":"system","action":"mask","times":1}]"#
        );
        let unscanned = r#""unscanned":[{"kind":"media","times":2},{"kind":"too_much_work","times":1}]"#;
        let answer = r#"{"texts":0,"bytes":0,"restored":2}"#;
        assert_eq!(out, format!(r#"{{"request":{{"texts":3,"bytes":40,{found},{unscanned}}},"answer":{answer}}}"#));
    }

    #[test]
    fn each_kind_has_a_name_and_a_number_of_its_own() {
        for (nth, what) in Opaque::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, nth);
            let mut seen = Seen::default();
            seen.note_opaque(what);
            assert_eq!(
                seen.unscanned().map(|(what, times)| (what.name(), times)).collect::<Vec<_>>(),
                [(what.name(), 1)]
            );
        }
        for (nth, place) in Place::ALL.into_iter().enumerate() {
            assert_eq!(place as usize, nth);
            assert_eq!(Place::ALL.iter().filter(|other| other.name() == place.name()).count(), 1);
        }
    }
}
