//! The texts of a request, looked at as they come, and judged when all of them are there: by then it is known whose they are.

use super::kept::Kept;
use super::nested::{Nested, Said};
use super::reader::{Part, TextReader};
use super::screened::{Refused, Screened, Stretch, Where};
use super::seams::Seams;
use super::unit::Unit;
use crate::detect::{Span, Watched, Work};
use crate::json::{Container, Found, Hit, MAX_DEPTH, Scanner};
use crate::llm::request::Place as Written;
use crate::llm::schema::Schema;
use crate::llm::texts::{Opaque, Place, Text, Texts};
use crate::policy::content::{Case, Content, Looked};
use crate::record::content::Seen;
use crate::route::BySight;
use std::rc::Rc;

/// A request's body, under the eyes of its tenant's rules.
pub struct Prompt {
    content: Rc<Content>,
    scanner: Scanner<Text, MAX_DEPTH>,
    texts: TextReader,
    watched: Watched,
    nested: Nested,
    seams: Seams,
    /// Of the last text that joins.
    joining: Option<Text>,
    kept: Kept,
    role: Option<Place>,
    seen: Seen,
    work: Work,
    /// It is no JSON.
    is_form: bool,
}

impl Prompt {
    /// `None`, where nothing is looked for in requests.
    pub fn new(content: &Rc<Content>, schema: &Schema, is_form: bool) -> Option<Box<Self>> {
        content.request.as_ref()?;
        let mut seen = Seen::default();
        if is_form {
            seen.note_opaque(Opaque::Body);
        }
        Some(Box::new(Self {
            content: Rc::clone(content),
            scanner: Scanner::deep(Texts::of(schema).request),
            texts: TextReader::default(),
            watched: Watched::default(),
            nested: Nested::default(),
            seams: Seams::default(),
            joining: None,
            kept: Kept::default(),
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
        let Self { content, scanner, texts, watched, nested, seams, joining, kept, role, seen, work, .. } = self;
        let Some(looked) = &content.request else { return };
        work.read(bytes.len());
        let mut coming = Coming { looked, watched, nested, seams, joining, kept, role, seen };
        let _ = scanner.feed(bytes, &mut |hit| coming.hit(texts, &hit));
        kept.look(looked, work);
        watched.look(&looked.automaton, work);
    }

    /// Bytes that it takes until the body's end, beside those of the body: of what has been found, and what is open.
    pub fn weight(&self) -> usize {
        [self.kept.weight(), self.watched.holds(), self.seams.holds()].into_iter().fold(0, usize::saturating_add)
    }

    /// Why it is refused whatever comes, and whatever the rules say: nobody has to read the rest of it.
    pub fn given_up(&self) -> Option<(Refused, Seen)> {
        let mut seen = self.is_too_much().then(|| self.seen.clone())?;
        seen.note_opaque(Opaque::TooMuchWork);
        Some((Refused::Opaque(Opaque::TooMuchWork), seen))
    }

    fn is_too_much(&self) -> bool {
        self.kept.is_overrun() || self.watched.is_overrun() || self.seams.is_overrun() || !self.work.is_left()
    }

    #[cfg(test)]
    pub(super) const fn work_left(&self) -> u64 {
        self.work.left()
    }

    /// Stretches that are kept for its end.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.kept.len()
    }

    /// All of it has come; `role` is what the request is for, if it says so, and `spoken` where the text stands that is sold by its
    /// characters. Who may see it is known only when it is known where it goes.
    #[cold]
    #[inline(never)]
    pub fn screened(mut self, role: Option<&str>, spoken: Option<Written>, tenant: &Rc<str>) -> BySight<Screened> {
        let content = Rc::clone(&self.content);
        let Some(looked) = &content.request else { return BySight::default() };
        let Self { watched, seams, joining, kept, work, .. } = &mut self;
        let place = joining.and_then(Text::place);
        watched.end(&looked.automaton, &mut |stretch| kept.push(Stretch::of(stretch, place)));
        seams.end(&looked.automaton, &mut |across| kept.push(Stretch::across(across, place)));
        kept.look_at_all(looked, work);
        if self.is_too_much() {
            self.seen.note_opaque(Opaque::TooMuchWork);
        }
        let Self { kept, seen, .. } = self;
        BySight::new(&content.borders, |sight| {
            let case = Case { role, sight };
            Screened::of((&content, looked), kept.as_slice(), seen.clone(), (case, spoken), tenant)
        })
    }
}

/// The fields of a prompt, while its scanner is at work.
struct Coming<'a> {
    looked: &'a Looked,
    watched: &'a mut Watched,
    nested: &'a mut Nested,
    seams: &'a mut Seams,
    joining: &'a mut Option<Text>,
    kept: &'a mut Kept,
    role: &'a mut Option<Place>,
    seen: &'a mut Seen,
}

impl Coming<'_> {
    fn hit(&mut self, texts: &mut TextReader, hit: &Hit<'_, Text>) {
        match (hit.key, hit.found) {
            (Text::Role, Found::Text { text, .. }) => *self.role = Some(Place::of_role(text)),
            (Text::Message, Found::Opened(Container::Object)) => {
                self.join_no_more();
                self.kept.message_begins();
                *self.role = None;
            }
            (Text::Message, Found::Closed { container: Container::Object, .. }) => {
                self.join_no_more();
                self.kept.message_ends(self.role.unwrap_or(Place::Other));
            }
            _ => texts.hit(hit, &mut |kind, part| self.part(kind, part)),
        }
    }

    fn part(&mut self, kind: Text, part: Part<'_>) {
        match part {
            Part::Piece { text, span } => {
                if !self.kept.is_in_text() {
                    self.begin(kind);
                }
                self.seen.bytes = self.seen.bytes.saturating_add(text.len() as u64);
                self.watch(text, span, kind);
            }
            Part::EndOfText => {
                self.seen.texts = self.seen.texts.saturating_add(1);
                if kind.joins() {
                    self.seams.text_ends(&self.looked.automaton, self.watched);
                }
                self.end(kind);
            }
            Part::Unit { text, span, is_number } => {
                let (kept, place) = (&mut *self.kept, kind.place());
                let before = kept.len();
                let unit = Unit::look(&self.looked.automaton, (text, span, is_number), &mut |stretch| {
                    kept.push(Stretch::of(stretch, place));
                });
                if let Some(unit) = unit.map(Rc::new) {
                    kept.since(before).iter_mut().for_each(|stretch| stretch.stands = Where::In(Rc::clone(&unit)));
                }
            }
            Part::Opaque(what) => {
                if let Some(before) = self.kept.text_ends() {
                    self.end(kind);
                    self.join_no_more();
                    self.kept.forget_since(before);
                }
                self.seen.note_opaque(what);
            }
        }
    }

    /// A text comes: one that joins goes on from the last, if that was like it.
    fn begin(&mut self, kind: Text) {
        if kind.joins() && *self.joining != Some(kind) {
            self.join_no_more();
            *self.joining = Some(kind);
        }
        self.kept.text_begins();
    }

    fn watch(&mut self, text: &str, span: Span, kind: Text) {
        let Self { looked, watched, nested, seams, kept, .. } = self;
        let mut watch = |Said { text, span, bare }: Said<'_>| {
            watched.stands_bare(kind.is_json().then_some(bare));
            watched.feed(&looked.automaton, text, span, &mut |stretch| kept.push(Stretch::of(stretch, kind.place())));
            if kind.joins() {
                seams.feed(&looked.automaton, text, span, &mut |across| {
                    kept.push(Stretch::across(across, kind.place()));
                });
            }
        };
        if kind.is_json() { nested.feed(text, span, &mut watch) } else { watch(Said { text, span, bare: false }) }
    }

    fn end(&mut self, kind: Text) {
        *self.nested = Nested::default();
        self.kept.text_ends();
        let kept = &mut *self.kept;
        self.watched.end(&self.looked.automaton, &mut |stretch| kept.push(Stretch::of(stretch, kind.place())));
    }

    fn join_no_more(&mut self) {
        let Some(kind) = self.joining.take() else { return };
        let kept = &mut *self.kept;
        self.seams.end(&self.looked.automaton, &mut |across| kept.push(Stretch::across(across, kind.place())));
    }
}
