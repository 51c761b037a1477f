//! The texts of a request, looked at as they come, and judged when all of them are there: by then it is known whose they are.

use super::nested::{Nested, Said};
use super::reader::{Part, TextReader};
use super::screened::{Screened, Stretch, Where};
use super::seams::Seams;
use super::unit::Unit;
use crate::detect::{MOST_FINDS, Span, Watched, Work};
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
    /// Stretches that some pattern ended in, in the order of the body.
    closed: Vec<Stretch>,
    looked_at: usize,
    /// There were more than are kept.
    overrun: bool,
    /// How many there were before the text that comes, if one does, and before its message.
    before_text: Option<usize>,
    before_message: usize,
    role: Option<Place>,
    seen: Seen,
    work: Work,
    /// It is no JSON.
    is_form: bool,
}

/// Stretches from `first` on in which nothing was found are kept no longer: some pattern ends in each few bytes of some texts. What
/// counts those before a place counts them no more.
fn drop_fruitless(closed: &mut Vec<Stretch>, first: usize, (text, message): (&mut Option<usize>, &mut usize)) {
    let dropped = |closed: &[Stretch], before: usize| {
        closed.get(first..before).map_or(0, |them| them.iter().filter(|stretch| stretch.is_fruitless()).count())
    };
    if let Some(before) = text {
        *before = before.saturating_sub(dropped(closed, *before));
    }
    *message = message.saturating_sub(dropped(closed, *message));
    let tail = closed.split_off(first.min(closed.len()));
    closed.extend(tail.into_iter().filter(|stretch| !stretch.is_fruitless()));
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
            closed: Vec::new(),
            looked_at: 0,
            overrun: false,
            before_text: None,
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
        let Self {
            content,
            scanner,
            texts,
            watched,
            nested,
            seams,
            joining,
            closed,
            looked_at,
            overrun,
            before_text,
            before_message,
            role,
            seen,
            work,
            ..
        } = self;
        let Some(looked) = &content.request else { return };
        work.read(bytes.len());
        let mut coming =
            Coming { looked, watched, nested, seams, joining, closed, before_text, before_message, role, seen };
        let _ = scanner.feed(bytes, &mut |hit| coming.hit(texts, &hit));
        // Not all at once at the end: others wait for the worker.
        closed.iter_mut().skip(*looked_at).for_each(|stretch| stretch.look(looked, work));
        if closed.len() > *looked_at {
            drop_fruitless(closed, *looked_at, (before_text, before_message));
        }
        // Each has a finding, of which there are no more in a body, or there was no work left to look at it.
        if closed.len() as u64 > MOST_FINDS {
            *overrun = true;
            closed.clear();
            (*before_text, *before_message) = (before_text.map(|_| 0), 0);
        }
        *looked_at = closed.len();
        watched.look(&looked.automaton, work);
    }

    /// Stretches that are kept for its end.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.closed.len()
    }

    /// All of it has come; `role` is what the request is for, if it says so, and `spoken` where the text stands that is sold by its
    /// characters. Who may see it is known only when it is known where it goes.
    #[cold]
    #[inline(never)]
    pub fn screened(mut self, role: Option<&str>, spoken: Option<Written>, tenant: &Rc<str>) -> BySight<Screened> {
        let content = Rc::clone(&self.content);
        let Some(looked) = &content.request else { return BySight::default() };
        let Self { watched, seams, joining, closed, work, .. } = &mut self;
        let place = joining.and_then(Text::place);
        watched.end(&looked.automaton, &mut |stretch| closed.push(Stretch::of(stretch, place)));
        seams.end(&looked.automaton, &mut |across| closed.push(Stretch::across(across, place)));
        closed.iter_mut().for_each(|stretch| stretch.look(looked, work));
        if self.overrun || self.watched.is_overrun() || self.seams.is_overrun() || !self.work.is_left() {
            self.seen.note_opaque(Opaque::TooMuchWork);
        }
        let Self { closed, seen, .. } = self;
        BySight::new(&content.borders, |sight| {
            let case = Case { role, sight };
            Screened::of((&content, looked), &closed, seen.clone(), (case, spoken), tenant)
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
    closed: &'a mut Vec<Stretch>,
    before_text: &'a mut Option<usize>,
    before_message: &'a mut usize,
    role: &'a mut Option<Place>,
    seen: &'a mut Seen,
}

impl Coming<'_> {
    fn hit(&mut self, texts: &mut TextReader, hit: &Hit<'_, Text>) {
        match (hit.key, hit.found) {
            (Text::Role, Found::Text { text, .. }) => *self.role = Some(Place::of_role(text)),
            (Text::Message, Found::Opened(Container::Object)) => {
                self.join_no_more();
                (*self.before_message, *self.role) = (self.closed.len(), None);
            }
            (Text::Message, Found::Closed { container: Container::Object, .. }) => {
                self.join_no_more();
                let place = self.role.unwrap_or(Place::Other);
                let of_message = self.closed.get_mut(*self.before_message..).unwrap_or_default();
                of_message.iter_mut().for_each(|stretch| stretch.place = stretch.place.or(Some(place)));
                *self.before_message = self.closed.len();
            }
            _ => texts.hit(hit, &mut |kind, part| self.part(kind, part)),
        }
    }

    fn part(&mut self, kind: Text, part: Part<'_>) {
        match part {
            Part::Piece { text, span } => {
                if self.before_text.is_none() {
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
                let (closed, place) = (&mut *self.closed, kind.place());
                let before = closed.len();
                let unit = Unit::look(&self.looked.automaton, (text, span, is_number), &mut |stretch| {
                    closed.push(Stretch::of(stretch, place));
                });
                if let Some(unit) = unit.map(Rc::new) {
                    let stretches = closed.get_mut(before..).unwrap_or_default();
                    stretches.iter_mut().for_each(|stretch| stretch.stands = Where::In(Rc::clone(&unit)));
                }
            }
            Part::Opaque(what) => {
                let before = *self.before_text;
                if before.is_some() {
                    self.end(kind);
                    self.join_no_more();
                }
                self.closed.truncate(before.unwrap_or(usize::MAX));
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
        *self.before_text = Some(self.closed.len());
    }

    fn watch(&mut self, text: &str, span: Span, kind: Text) {
        let Self { looked, watched, nested, seams, closed, .. } = self;
        let mut watch = |Said { text, span, bare }: Said<'_>| {
            watched.stands_bare(kind.is_json().then_some(bare));
            watched.feed(&looked.automaton, text, span, &mut |stretch| closed.push(Stretch::of(stretch, kind.place())));
            if kind.joins() {
                seams.feed(&looked.automaton, text, span, &mut |across| {
                    closed.push(Stretch::across(across, kind.place()));
                });
            }
        };
        if kind.is_json() { nested.feed(text, span, &mut watch) } else { watch(Said { text, span, bare: false }) }
    }

    fn end(&mut self, kind: Text) {
        *self.nested = Nested::default();
        *self.before_text = None;
        let closed = &mut *self.closed;
        self.watched.end(&self.looked.automaton, &mut |stretch| closed.push(Stretch::of(stretch, kind.place())));
    }

    fn join_no_more(&mut self) {
        let Some(kind) = self.joining.take() else { return };
        let closed = &mut *self.closed;
        self.seams.end(&self.looked.automaton, &mut |across| closed.push(Stretch::across(across, kind.place())));
    }
}
