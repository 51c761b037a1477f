//! The texts of a request, looked at as they come, and judged when all of them are there: by then it is known whose they are.

use super::nested::Nested;
use super::placeholders::Placeholders;
use super::reader::{Kind, Part, TextReader};
use crate::detect::{Closed, Span, Watched, Work};
use crate::json::{Container, Found, Hit, MAX_DEPTH, Scanner};
use crate::llm::request::{Edit, Place as Written};
use crate::llm::schema::Schema;
use crate::llm::stance::Stance;
use crate::llm::texts::{Opaque, Place, Text, Texts};
use crate::policy::content::{Action, Content, Looked};
use crate::record::content::Seen;
use std::rc::Rc;

/// A request's body, under the eyes of its tenant's rules.
pub struct Prompt {
    content: Rc<Content>,
    scanner: Scanner<Text, MAX_DEPTH>,
    texts: TextReader,
    watched: Watched,
    nested: Nested,
    /// The text that comes, or the last of those that join.
    kind: Option<Kind>,
    /// Stretches that some pattern ended in, in the order of the body.
    closed: Vec<Stretch>,
    /// How many there were before the text that comes, and before its message.
    before_text: usize,
    before_message: usize,
    role: Option<Place>,
    seen: Seen,
    work: Work,
    /// It is no JSON.
    is_form: bool,
}

struct Stretch {
    closed: Closed,
    /// `None`: of whoever its message is from.
    place: Option<Place>,
    is_number: bool,
}

/// What the rules make of a request.
#[derive(Debug, Default)]
pub struct Screened {
    /// What is written into its body, in the order of the places.
    pub edits: Vec<Edit>,
    pub placeholders: Placeholders,
    pub seen: Seen,
    /// The first finding that a rule refuses: the rule, and where it was found.
    pub refused: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Found {
        rule: Rc<str>,
        label: Rc<str>,
        place: Place,
    },
    /// It could not be looked at.
    Opaque(Opaque),
}

impl Prompt {
    /// `None`, where nothing is looked for in requests.
    pub fn new(content: &Rc<Content>, schema: &Schema, is_form: bool) -> Option<Box<Self>> {
        content.request.as_ref()?;
        let mut seen = Seen::default();
        if is_form {
            seen.is_opaque(Opaque::Body);
        }
        Some(Box::new(Self {
            content: Rc::clone(content),
            scanner: Scanner::deep(Texts::of(schema).request),
            texts: TextReader::default(),
            watched: Watched::new(),
            nested: Nested::default(),
            kind: None,
            closed: Vec::new(),
            before_text: 0,
            before_message: 0,
            role: None,
            seen,
            work: Work::START,
            is_form,
        }))
    }

    /// The next bytes of the body. One that is no JSON is refused by its reader.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.is_form {
            return;
        }
        self.work.read(bytes.len());
        let Self {
            content,
            scanner,
            texts,
            watched,
            nested,
            kind,
            closed,
            before_text,
            before_message,
            role,
            seen,
            ..
        } = self;
        let Some(looked) = &content.request else { return };
        let mut coming = Coming { looked, watched, nested, kind, closed, before_text, before_message, role, seen };
        let _ = scanner.feed(bytes, &mut |hit| coming.hit(texts, &hit));
    }

    /// All of it has come; `role` is what the request is for, if it says so.
    #[cold]
    #[inline(never)]
    pub fn screened(mut self, role: Option<&str>, tenant: &Rc<str>) -> Screened {
        let content = Rc::clone(&self.content);
        let mut screened =
            Screened { placeholders: Placeholders::new(content.key.clone(), Rc::clone(tenant)), ..Screened::default() };
        let Some(looked) = &content.request else { return screened };
        let closed = &mut self.closed;
        self.watched.end(&looked.automaton, &mut |stretch| {
            closed.push(Stretch { closed: stretch, place: self.kind.and_then(Kind::place), is_number: false });
        });
        screened.seen = self.seen;
        for stretch in &self.closed {
            screened.look(&content, looked, stretch, role, &mut self.work);
        }
        if !self.work.is_left() || self.watched.is_overrun() {
            screened.seen.is_opaque(Opaque::TooMuchWork);
        }
        let unsure = screened.seen.unscanned().map(|(what, _)| what).find(|what| match what {
            // Nobody who is honest comes here.
            Opaque::TooLong | Opaque::TooMuchWork => true,
            _ => content.unscanned == Stance::Refuse,
        });
        screened.refused = screened.refused.or(unsure.map(Refused::Opaque));
        screened.edits.sort_by_key(|edit| (edit.place.from, edit.place.to));
        screened
    }
}

/// The fields of a prompt, while its scanner is at work.
struct Coming<'a> {
    looked: &'a Looked,
    watched: &'a mut Watched,
    nested: &'a mut Nested,
    kind: &'a mut Option<Kind>,
    closed: &'a mut Vec<Stretch>,
    before_text: &'a mut usize,
    before_message: &'a mut usize,
    role: &'a mut Option<Place>,
    seen: &'a mut Seen,
}

impl Coming<'_> {
    fn hit(&mut self, texts: &mut TextReader, hit: &Hit<'_, Text>) {
        match (hit.key, hit.found) {
            (Text::Role, Found::Text { text, .. }) => *self.role = Some(Place::of_role(text)),
            (Text::Message, Found::Opened(Container::Object)) => {
                self.end();
                (*self.before_message, *self.role) = (self.closed.len(), None);
            }
            (Text::Message, Found::Closed { container: Container::Object, .. }) => {
                self.end();
                let place = self.role.unwrap_or(Place::Other);
                let of_message = self.closed.get_mut(*self.before_message..).unwrap_or_default();
                of_message.iter_mut().for_each(|stretch| stretch.place = stretch.place.or(Some(place)));
                *self.before_message = self.closed.len();
            }
            _ => texts.hit(hit, &mut |kind, part| self.part(kind, part)),
        }
    }

    fn part(&mut self, kind: Kind, part: Part<'_>) {
        match part {
            Part::Piece { text, span } => {
                self.begin(kind);
                self.seen.bytes = self.seen.bytes.saturating_add(text.len() as u64);
                self.watch(text, span, kind, false);
            }
            Part::EndOfText => {
                self.seen.texts = self.seen.texts.saturating_add(1);
                if !kind.joins() {
                    self.end();
                }
                *self.before_text = self.closed.len();
            }
            Part::Border => self.end(),
            Part::Number { text, span } => {
                self.end();
                self.watch(text, Span { from: span.from, to: span.to }, kind, true);
                self.finish(kind, true);
            }
            Part::Opaque(what) => {
                self.end();
                self.closed.truncate(*self.before_text);
                self.seen.is_opaque(what);
            }
        }
    }

    /// A text comes: it goes on from the last, or that one has ended.
    fn begin(&mut self, kind: Kind) {
        if *self.kind != Some(kind) {
            self.end();
            *self.kind = Some(kind);
            *self.before_text = self.closed.len();
        }
    }

    fn watch(&mut self, text: &str, span: Span, kind: Kind, is_number: bool) {
        let Self { looked, watched, nested, closed, .. } = self;
        let mut watch = |text: &str, span: Span| {
            watched.feed(&looked.automaton, text, span, &mut |stretch| {
                closed.push(Stretch { closed: stretch, place: kind.place(), is_number });
            });
        };
        if kind.is_json() && !is_number {
            nested.feed(text, span, &mut watch);
        } else {
            watch(text, span);
        }
    }

    fn end(&mut self) {
        if let Some(kind) = self.kind.take() {
            self.finish(kind, false);
        }
    }

    fn finish(&mut self, kind: Kind, is_number: bool) {
        *self.nested = Nested::default();
        let closed = &mut *self.closed;
        self.watched.end(&self.looked.automaton, &mut |stretch| {
            closed.push(Stretch { closed: stretch, place: kind.place(), is_number });
        });
    }
}

impl Screened {
    fn look(&mut self, content: &Content, looked: &Looked, stretch: &Stretch, role: Option<&str>, work: &mut Work) {
        let place = stretch.place.unwrap_or(Place::Other);
        let text = &stretch.closed.text;
        let rule_of = |pattern: usize| looked.aims.get(pattern).and_then(|aim| content.rules.get(aim.rule));
        let wanted = |pattern: usize| rule_of(pattern).is_some_and(|rule| rule.looks(place, role));
        looked.automaton.findings(stretch.closed.stretch(), text.len(), work, wanted, |finding| {
            let (Some(aim), Some(rule)) = (looked.aims.get(finding.pattern), rule_of(finding.pattern)) else { return };
            self.seen.find(&rule.name, &aim.label, rule.action.name(), place);
            match rule.action {
                Action::Count => {}
                Action::Refuse => {
                    let (rule, label) = (Rc::clone(&rule.name), Rc::clone(&aim.label));
                    self.refused.get_or_insert(Refused::Found { rule, label, place });
                }
                Action::Mask | Action::Restore => {
                    let value = text.get(finding.range.clone()).and_then(|value| str::from_utf8(value).ok());
                    let restores = rule.action == Action::Restore;
                    let placeholder = self.placeholders.of(&aim.label, value.unwrap_or_default(), restores).to_owned();
                    let spans = stretch.closed.spans(finding.range);
                    write(&mut self.edits, &spans, placeholder, stretch.is_number);
                }
            }
        });
    }
}

/// A placeholder at the first of the places, and nothing at the others. In the place of a number it is a string.
pub(super) fn write(edits: &mut Vec<Edit>, spans: &[Span], placeholder: String, is_number: bool) {
    let text = if is_number { format!("\"{placeholder}\"") } else { placeholder };
    let texts = std::iter::once(text).chain(std::iter::repeat_with(String::new));
    edits.extend(
        spans.iter().zip(texts).map(|(span, text)| Edit { place: Written { from: span.from, to: span.to }, text }),
    );
}
