//! What the rules make of a request, when it is known whose its texts are.

use super::placeholders::Placeholders;
use super::seams::{Across, Ends};
use super::unit::Unit;
use crate::detect::{Closed, Finding, Span, Work};
use crate::llm::estimate::Swapped;
use crate::llm::request::{Edit, Place as Written, in_order};
use crate::llm::stance::Stance;
use crate::llm::texts::{Opaque, Place};
use crate::order;
use crate::policy::content::{Action, Case, Class, Content, Looked};
use crate::record::content::Seen;
use std::ops::Range;
use std::rc::Rc;

/// A stretch of text that may have findings.
pub(super) struct Stretch {
    closed: Closed,
    /// `None`: of whoever its message is from.
    pub(super) place: Option<Place>,
    pub(super) stands: Where,
}

pub(super) enum Where {
    /// In the body itself.
    InBody,
    /// The same, and findings are those that go across the ends of texts.
    Across(Ends),
    In(Rc<Unit>),
}

/// More findings no honest request has that are to be masked.
const MOST_EDITS: usize = 30_000;

/// What the rules make of a request.
#[derive(Debug, Default)]
pub struct Screened {
    /// What is written into its body, in the order of the places.
    pub edits: Vec<Edit>,
    /// Of the text that is sold by its characters.
    pub swapped: Swapped,
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

/// What a rule has found.
struct Hit<'s> {
    pattern: usize,
    place: Place,
    value: &'s str,
    /// In the place of a number, in a document within a string.
    bare: bool,
    /// Bytes of the body, or of the unit that it stands in.
    spans: Vec<Span>,
    unit: Option<&'s Rc<Unit>>,
}

impl Stretch {
    pub(super) const fn of(closed: Closed, place: Option<Place>) -> Self {
        Self { closed, place, stands: Where::InBody }
    }

    const fn is_across(&self) -> bool {
        matches!(self.stands, Where::Across(_))
    }

    pub(super) fn across(Across { closed, ends }: Across, place: Option<Place>) -> Self {
        Self { closed, place, stands: Where::Across(ends) }
    }

    /// Looks for what may be found in it, by whatever rule.
    pub(super) fn look(&mut self, looked: &Looked, work: &mut Work) {
        self.closed.look(&looked.automaton, self.closed.text.len(), work);
    }

    /// Becomes one with another that comes behind it, if both are of the body itself and of one place. Tells whether it did.
    pub(super) fn take_in(&mut self, next: &mut Self) -> bool {
        let are_plain = matches!((&self.stands, &next.stands), (Where::InBody, Where::InBody));
        are_plain && self.place == next.place && self.closed.take_in(&mut next.closed)
    }

    pub(super) fn shrink(&mut self) {
        self.closed.shrink();
    }

    /// Bytes that it takes beside its own.
    pub(super) fn holds(&self) -> usize {
        let stands = match &self.stands {
            Where::InBody => 0,
            Where::Across(ends) => ends.holds(),
            Where::In(unit) => unit.holds(),
        };
        self.closed.holds().saturating_add(stands)
    }

    /// All of it was looked at, and nothing stands in it, whoever asks.
    pub(super) fn is_fruitless(&self) -> bool {
        self.closed.candidates.is_empty() && self.closed.is_known()
    }

    /// What of a class is found in it. What goes across ends is none if part of it is another's already.
    fn hits<'s>(
        &'s self,
        (content, looked): (&Content, &Looked),
        (class, case): (Class, Case<'_>),
        taken: &mut Taken,
        hits: &mut Vec<Hit<'s>>,
    ) {
        let place = self.place.unwrap_or(Place::Other);
        let wanted = |pattern: usize| {
            let rule = looked.aim(content, pattern);
            rule.is_some_and(|(_, rule)| rule.action.class() == class && rule.looks(place, case))
        };
        let Closed { text, .. } = &self.closed;
        let fits = |range: &Range<usize>| match &self.stands {
            Where::InBody | Where::In(_) => true,
            Where::Across(ends) => {
                let spans = self.closed.spans(range.clone());
                ends.is_crossed(&spans) && taken.is_free(&spans)
            }
        };
        let from = hits.len();
        let mut is_bare = self.closed.bareness();
        self.closed.candidates.findings(text.len(), (wanted, fits), |finding| {
            let Finding { pattern, range } = finding;
            let value = text.get(range.clone()).and_then(|value| str::from_utf8(value).ok()).unwrap_or_default();
            let bare = is_bare(range.start);
            let spans = self.closed.spans(range);
            let unit = if let Where::In(unit) = &self.stands { Some(unit) } else { None };
            hits.push(Hit { pattern, place, value, bare, spans, unit });
        });
        if matches!(self.stands, Where::Across(_)) {
            taken.reach = hits.get(from..).and_then(<[_]>::last).and_then(Hit::ends).unwrap_or(taken.reach);
        }
    }
}

/// Places in the body in which something has been found.
#[derive(Default)]
struct Taken {
    /// In texts by themselves, in their order.
    spans: Vec<Span>,
    /// And across their ends: all up to here.
    reach: u64,
}

impl Taken {
    fn of(hits: &[Hit<'_>]) -> Self {
        let in_body = hits.iter().filter(|hit| hit.unit.is_none());
        let mut spans: Vec<_> = in_body.flat_map(|hit| hit.spans.iter().copied()).collect();
        order::sort_by_key(&mut spans, |span| span.from);
        Self { spans, reach: 0 }
    }

    fn is_free(&self, spans: &[Span]) -> bool {
        spans.iter().all(|span| {
            let before = self.spans.partition_point(|taken| taken.from < span.to);
            let last = before.checked_sub(1).and_then(|last| self.spans.get(last));
            span.from >= self.reach && last.is_none_or(|last| last.to <= span.from)
        })
    }
}

impl Hit<'_> {
    /// Where it begins in the body.
    fn begins(&self) -> u64 {
        self.unit.map_or_else(|| self.spans.first().map_or(0, |span| span.from), |unit| unit.span().from)
    }

    fn ends(&self) -> Option<u64> {
        self.spans.last().map(|span| span.to)
    }
}

impl Screened {
    pub(super) fn of(
        (content, looked): (&Content, &Looked),
        stretches: &[Stretch],
        seen: Seen,
        (case, spoken): (Case<'_>, Option<Written>),
        tenant: &Rc<str>,
    ) -> Self {
        let placeholders = Placeholders::new(content.key.clone(), Rc::clone(tenant));
        let mut screened = Self { placeholders, seen, ..Self::default() };
        // A finding that is only counted, or longer, hides none that is refused or masked.
        for class in looked.classes.iter().copied() {
            let (mut hits, mut taken) = (Vec::new(), Taken::default());
            for stretch in stretches.iter().filter(|stretch| !stretch.is_across()) {
                stretch.hits((content, looked), (class, case), &mut taken, &mut hits);
            }
            taken = Taken::of(&hits);
            for stretch in stretches.iter().filter(|stretch| stretch.is_across()) {
                stretch.hits((content, looked), (class, case), &mut taken, &mut hits);
            }
            order::sort_by_key(&mut hits, Hit::begins);
            screened.apply(content, looked, &hits, spoken);
        }
        // Each provider's plan has all of them.
        if screened.edits.len() > MOST_EDITS {
            screened.seen.note_opaque(Opaque::TooMuchWork);
        }
        let refuses = content.unscanned == Stance::Refuse;
        let unsure = screened.seen.unscanned().map(|(what, _)| what).find(|what| refuses || what.is_hostile());
        if content.unscanned == Stance::Pass {
            screened.seen.pass_over_opaque();
        }
        screened.refused = screened.refused.or(unsure.map(Refused::Opaque));
        in_order(&mut screened.edits);
        screened
    }

    fn apply(&mut self, content: &Content, looked: &Looked, hits: &[Hit<'_>], spoken: Option<Written>) {
        let mut of_unit: Option<(&Rc<Unit>, Vec<Edit>)> = None;
        for hit in hits {
            let Some((aim, rule)) = looked.aim(content, hit.pattern) else { continue };
            self.seen.find(&rule.name, &aim.label, rule.action.name(), hit.place);
            match rule.action {
                Action::Count => {}
                Action::Refuse => {
                    let (rule, label) = (Rc::clone(&rule.name), Rc::clone(&aim.label));
                    self.refused.get_or_insert(Refused::Found { rule, label, place: hit.place });
                }
                // More is refused, and to write it would take longer than to send it.
                Action::Mask | Action::Restore if self.edits.len() > MOST_EDITS => return,
                Action::Mask | Action::Restore => {
                    let restores = rule.action == Action::Restore;
                    let placeholder = self.placeholders.of(&aim.label, hit.value, restores).into_owned();
                    if spoken.is_some_and(|spoken| spoken.from <= hit.begins() && hit.begins() < spoken.to) {
                        self.swapped.count(hit.value, &placeholder);
                    }
                    let Some(unit) = hit.unit else {
                        write(&mut self.edits, &hit.spans, stands(&placeholder, hit.bare));
                        continue;
                    };
                    if let Some((before, edits)) = of_unit.take_if(|(before, _)| !Rc::ptr_eq(before, unit)) {
                        self.edits.push(before.edit(&edits));
                    }
                    let (_, edits) = of_unit.get_or_insert_with(|| (unit, Vec::new()));
                    write(edits, &hit.spans, placeholder);
                }
            }
        }
        if let Some((unit, edits)) = of_unit {
            self.edits.push(unit.edit(&edits));
        }
    }
}

/// A placeholder, as it stands in a string; in the place of a number in a document in it, it is a string of that.
pub(super) fn stands(placeholder: &str, bare: bool) -> String {
    if bare { format!("\\\"{placeholder}\\\"") } else { placeholder.to_owned() }
}

/// A placeholder at the first of the places, and nothing at the others.
pub(super) fn write(edits: &mut Vec<Edit>, spans: &[Span], placeholder: String) {
    let texts = std::iter::once(placeholder).chain(std::iter::repeat_with(String::new));
    edits.extend(
        spans.iter().zip(texts).map(|(span, text)| Edit { place: Written { from: span.from, to: span.to }, text }),
    );
}
