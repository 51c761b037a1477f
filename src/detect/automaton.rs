//! All patterns of a set of rules as one automaton: one look into a table for each byte, however many patterns there are.
//!
//! It is begun wherever a word may begin. Trade-off: an automaton that begins anywhere by itself would need one state for what is
//! open at the same time, and with all detectors there are more of those than fit into memory. Here each open match has a state of
//! its own, and two that are in the same state are one.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::{Rc, Weak};

use super::stretch::{Stretch, begins_word};
use super::{Check, Detector};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As an expression: of bytes, without anchors.
    pub expression: String,
    /// Bytes of the longest finding.
    pub longest: usize,
    pub check: Check,
}

impl Pattern {
    pub fn of(detector: &Detector) -> Self {
        let Detector { pattern, longest, check, .. } = *detector;
        Self { expression: pattern.to_owned(), longest, check }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
            && self.longest == other.longest
            && std::ptr::fn_addr_eq(self.check, other.check)
    }
}

pub struct Automaton {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// What is open behind the first byte, if anything is.
    begun: Box<[Option<StateID>; 256]>,
    rows: Vec<Row>,
    longest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    longest: usize,
    check: Check,
}

/// What a set of patterns may take, built.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Why a pattern, or a set of them, is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not an expression: why.
    Syntax(String),
    /// It holds at the beginning or the end of a text, or at a word's, or looks around.
    Anchored,
    /// It may match nothing at all.
    Empty,
    /// It has no longest match, or one of more bytes than a finding may have.
    Unbounded,
    /// The whole set takes more memory than it may.
    TooLarge,
}

/// Bytes of a stretch that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub pattern: usize,
    pub range: Range<usize>,
}

/// How much looking again a text may cost: so many steps for each of its bytes, and a million for any. Prose and code took one and
/// a half when that was measured, with all detectors, and JSON three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work(u64);

const STEPS_PER_BYTE: u64 = 16;

impl Work {
    pub const START: Self = Self(1_000_000);

    pub const fn read(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add((bytes as u64).saturating_mul(STEPS_PER_BYTE));
    }

    /// Whether there was enough of it.
    pub const fn is_left(self) -> bool {
        self.0 > 0
    }

    #[cfg(test)]
    pub const fn left(self) -> u64 {
        self.0
    }

    const fn step(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.is_left()
    }
}

fn bytewise() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// Whether an expression of the operator's can be looked for in a text that passes: the bytes of its longest match.
pub fn bounded(expression: &str, most: usize) -> Result<usize, Flaw> {
    let parsed = syntax::parse_with(expression, &bytewise()).map_err(|error| Flaw::Syntax(error.to_string()))?;
    let properties = parsed.properties();
    if !properties.look_set().is_empty() {
        return Err(Flaw::Anchored);
    }
    if properties.minimum_len().is_none_or(|least| least == 0) {
        return Err(Flaw::Empty);
    }
    properties.maximum_len().filter(|longest| *longest <= most).ok_or(Flaw::Unbounded)
}

/// A text as an expression that stands for itself.
pub fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len().saturating_mul(2));
    for letter in text.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            expression.push_str(&format!("\\x{:02x}", u32::from(letter)));
        } else {
            expression.push(letter);
        }
    }
    expression
}

thread_local! {
    /// Those of this VM that somebody has.
    static BUILT: RefCell<Vec<(Vec<Pattern>, Weak<Automaton>)>> = const { RefCell::new(Vec::new()) };
}

impl Automaton {
    /// Building takes a worker some tenths of a second with all detectors, in which it serves nobody. Who looks for the same shares
    /// one: requests and answers, other tenants, and a new configuration with the old one that still serves.
    pub fn shared(patterns: Vec<Pattern>) -> Result<Rc<Self>, Flaw> {
        BUILT.with_borrow_mut(|built| {
            built.retain(|(_, automaton)| automaton.strong_count() > 0);
            let same = built.iter().find(|(known, _)| *known == patterns);
            if let Some(automaton) = same.and_then(|(_, automaton)| automaton.upgrade()) {
                return Ok(automaton);
            }
            let automaton = Rc::new(Self::build(&patterns)?);
            built.push((patterns, Rc::downgrade(&automaton)));
            Ok(automaton)
        })
    }

    pub fn build(patterns: &[Pattern]) -> Result<Self, Flaw> {
        let expressions: Vec<_> = patterns.iter().map(|pattern| pattern.expression.as_str()).collect();
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(MOST_BYTES))
            .determinize_size_limit(Some(MOST_BYTES));
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(MOST_BYTES));
        let compiled = thompson::Compiler::new().configure(nfa).syntax(bytewise()).build_many(&expressions);
        let nfa = compiled.map_err(|error| match error.size_limit() {
            Some(_) => Flaw::TooLarge,
            None => Flaw::Syntax(error.to_string()),
        })?;
        let built = dense::Builder::new().configure(config).build_from_nfa(&nfa);
        let dfa = built.map_err(|error| {
            if error.is_size_limit_exceeded() { Flaw::TooLarge } else { Flaw::Syntax(error.to_string()) }
        })?;
        let start = dfa.universal_start_state(Anchored::Yes).ok_or(Flaw::Anchored)?;
        let first = |byte: usize| u8::try_from(byte).ok().map(|byte| dfa.next_state(start, byte));
        let is_open = |state: &StateID| !dfa.is_dead_state(*state);
        let begun = Box::new(std::array::from_fn(|byte| first(byte).filter(is_open)));
        let rows: Vec<_> =
            patterns.iter().map(|pattern| Row { longest: pattern.longest, check: pattern.check }).collect();
        let longest = rows.iter().map(|row| row.longest).max().unwrap_or(0);
        Ok(Self { dfa, start, begun, rows, longest })
    }

    /// Bytes of the longest finding. What is open is held back for twice as long at most.
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.dfa.memory_usage()
    }

    /// What is open behind `byte`, if something was before it, or begins with it; and whether a match has ended before it.
    #[inline(always)]
    pub(super) fn step(&self, state: StateID, byte: u8) -> (Option<StateID>, bool) {
        let next = self.dfa.next_state(state, byte);
        if !self.dfa.is_special_state(next) {
            return (Some(next), false);
        }
        ((!self.dfa.is_dead_state(next)).then_some(next), self.dfa.is_match_state(next))
    }

    #[inline(always)]
    pub(super) fn begin(&self, byte: u8) -> Option<StateID> {
        self.begun.get(usize::from(byte)).copied().flatten()
    }

    /// How many bytes one that is open goes on by itself: no match ends, and nothing else may begin. And its state then.
    #[inline(always)]
    pub(super) fn alone(&self, mut state: StateID, mut last: Option<u8>, bytes: &[u8]) -> (usize, StateID) {
        for (at, byte) in bytes.iter().copied().enumerate() {
            let next = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(next) || (self.begin(byte).is_some() && begins_word(last, byte)) {
                return (at, state);
            }
            (state, last) = (next, Some(byte));
        }
        (bytes.len(), state)
    }

    pub(super) fn ends_with_a_match(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }

    /// What a stretch holds of the patterns that are `wanted`, in places that it `fits`: the leftmost, and of those that begin
    /// together the longest. Findings don't overlap. Looks only for those that begin before `until`; where it ended.
    pub fn findings(
        &self,
        stretch: Stretch<'_>,
        until: usize,
        work: &mut Work,
        (wanted, fits): (impl Fn(usize) -> bool, impl Fn(&Range<usize>) -> bool),
        mut found: impl FnMut(Finding),
    ) -> usize {
        let mut ends = vec![None; self.rows.len()];
        // Behind its context, a finding may leave room for others before it.
        let mut behind: Option<Finding> = None;
        let mut at = 0;
        while at < until || behind.is_some() {
            if let Some(next) = behind.take_if(|next| next.range.start <= at) {
                at = next.range.end;
                found(next);
                continue;
            }
            if !stretch.may_begin(at) {
                at = at.saturating_add(1);
                continue;
            }
            if !self.ends(stretch, at, &mut ends, work) {
                break;
            }
            let room = behind.as_ref().map_or(usize::MAX, |next| next.range.start);
            match self.best(stretch, at, &ends, (&wanted, &fits)).filter(|best| best.range.end <= room) {
                Some(best) if best.range.start > at && behind.is_none() => {
                    behind = Some(best);
                    at = at.saturating_add(1);
                }
                Some(best) => {
                    at = best.range.end;
                    found(best);
                }
                None => at = at.saturating_add(1),
            }
        }
        at
    }

    /// The longest match of each pattern from `at` on, of no more bytes than its findings have; `false` if there was no work left for it.
    fn ends(&self, stretch: Stretch<'_>, at: usize, ends: &mut [Option<usize>], work: &mut Work) -> bool {
        ends.fill(None);
        let mut state = self.start;
        let mut mark = |state: StateID, end: usize| {
            for nth in 0..self.dfa.match_len(state) {
                let pattern = self.dfa.match_pattern(state, nth).as_usize();
                let fits = self.rows.get(pattern).is_some_and(|row| end.saturating_sub(at) <= row.longest);
                if let Some(slot) = ends.get_mut(pattern).filter(|_| fits) {
                    *slot = Some(end);
                }
            }
        };
        let rest = stretch.text.get(at..).unwrap_or_default();
        // A match is seen one byte behind its end.
        for (end, byte) in (at..).zip(rest.iter().copied().chain(stretch.after)).take(self.longest.saturating_add(1)) {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_dead_state(state) {
                    return true;
                }
                if self.dfa.is_match_state(state) {
                    mark(state, end);
                }
            }
            if !work.step() {
                return false;
            }
        }
        if stretch.after.is_none() {
            let state = self.dfa.next_eoi_state(state);
            if self.dfa.is_match_state(state) {
                mark(state, stretch.text.len());
            }
        }
        true
    }

    fn best(
        &self,
        stretch: Stretch<'_>,
        at: usize,
        ends: &[Option<usize>],
        (wanted, fits): (impl Fn(usize) -> bool, impl Fn(&Range<usize>) -> bool),
    ) -> Option<Finding> {
        let mut best: Option<Finding> = None;
        for (pattern, (row, end)) in self.rows.iter().zip(ends).enumerate() {
            let Some(end) = end else { continue };
            if !wanted(pattern) {
                continue;
            }
            let Some(range) = stretch.candidate(at, *end).and_then(|candidate| (row.check)(&candidate)) else {
                continue;
            };
            let range = at.saturating_add(range.start)..at.saturating_add(range.end);
            let is_longer = best.as_ref().is_none_or(|best| range.end > best.range.end);
            if is_longer && !range.is_empty() && fits(&range) {
                best = Some(Finding { pattern, range });
            }
        }
        best
    }
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Automaton").field("patterns", &self.rows.len()).field("bytes", &self.size()).finish()
    }
}
