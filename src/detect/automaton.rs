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
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::stretch::begins_word;
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
    /// What is open behind the first byte, if anything is.
    begun: Box<[Option<StateID>; 256]>,
    /// By state: which of `sets` ends in it. Those in which some pattern ends come first.
    ends: Vec<u16>,
    /// Different sets of patterns that end together; the first is empty.
    sets: Vec<Box<[u16]>>,
    rows: Vec<Row>,
    longest: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) longest: usize,
    pub(super) check: Check,
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

/// How much looking again a body may cost, whoever asks what is in it: so many steps for each of its bytes, and a million for any.
/// Prose, code and logs take one or two, tables of numbers up to seven: two megabytes of these are a model's whole context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    steps: u64,
    /// Bytes that are still among the first.
    first: u64,
    finds: u64,
}

const STEPS_PER_BYTE: u64 = 2;
/// The first bytes of a body have more. Of all of them, megabytes that were inflated from some kilobytes would take a worker seconds.
const FIRST_BYTES: u64 = 512 * 1024;
const STEPS_PER_FIRST_BYTE: u64 = 16;
/// Checks read what is long many times over, and honest texts have little that is long: the steps of a check grow with the square
/// of what it reads, from one step for 32 bytes.
const SQUARE_IN_A_STEP: u64 = 1_024;
/// Each is kept until all of them are known.
pub const MOST_FINDS: u64 = 250_000;

impl Work {
    pub const START: Self = Self { steps: 1_000_000, first: FIRST_BYTES, finds: MOST_FINDS };

    pub const fn read(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        let first = if bytes < self.first { bytes } else { self.first };
        self.first = self.first.saturating_sub(first);
        let more = bytes.saturating_sub(first).saturating_mul(STEPS_PER_BYTE);
        self.steps = self.steps.saturating_add(first.saturating_mul(STEPS_PER_FIRST_BYTE)).saturating_add(more);
    }

    /// Whether there was enough of it.
    pub const fn is_left(self) -> bool {
        self.steps > 0 && self.finds > 0
    }

    #[cfg(test)]
    pub const fn left(self) -> u64 {
        self.steps
    }

    pub(super) const fn step(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_sub(steps as u64);
        self.is_left()
    }

    pub(super) const fn check(&mut self, bytes: usize) -> bool {
        let square = (bytes as u64).saturating_mul(bytes as u64);
        self.steps = self.steps.saturating_sub(square.div_ceil(SQUARE_IN_A_STEP));
        self.is_left()
    }

    pub(super) const fn find(&mut self) {
        self.finds = self.finds.saturating_sub(1);
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
        let mut automaton = Self { dfa, begun, ends: Vec::new(), sets: vec![Box::default()], rows, longest };
        automaton.number_ends().ok_or(Flaw::TooLarge)?;
        Ok(automaton)
    }

    /// To ask the table for each pattern that ends takes longer than all else that is done for a byte.
    fn number_ends(&mut self) -> Option<()> {
        /// Behind the dead state and the one that gives up.
        const FIRST_MATCH: usize = 2;
        let mut known = BTreeMap::new();
        for number in 0.. {
            let state = StateID::new(number << self.dfa.stride2()).ok()?;
            let ends = if self.dfa.is_match_state(state) { self.dfa.match_len(state) } else { 0 };
            if ends == 0 && number >= FIRST_MATCH {
                break;
            }
            let pattern = |nth| u16::try_from(self.dfa.match_pattern(state, nth).as_usize()).ok();
            let set: Box<[u16]> = (0..ends).map(pattern).collect::<Option<_>>()?;
            let same = if set.is_empty() { 0 } else { *known.entry(set.clone()).or_insert(self.sets.len()) };
            if same == self.sets.len() {
                self.sets.push(set);
            }
            self.ends.push(u16::try_from(same).ok()?);
        }
        Some(())
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

    /// The same, and the patterns whose matches have ended before it.
    #[inline(always)]
    pub(super) fn goes_on(&self, state: StateID, byte: u8) -> (Option<StateID>, &[u16]) {
        let next = self.dfa.next_state(state, byte);
        if !self.dfa.is_special_state(next) {
            return (Some(next), &[]);
        }
        ((!self.dfa.is_dead_state(next)).then_some(next), self.ended(next))
    }

    /// The patterns whose matches end with the text.
    pub(super) fn ended_with(&self, state: StateID) -> &[u16] {
        self.ended(self.dfa.next_eoi_state(state))
    }

    #[inline(always)]
    fn ended(&self, state: StateID) -> &[u16] {
        let set = self.ends.get(state.as_usize() >> self.dfa.stride2()).copied().unwrap_or(0);
        self.sets.get(usize::from(set)).map_or(&[], |set| set)
    }

    pub(super) fn row(&self, pattern: usize) -> Option<&Row> {
        self.rows.get(pattern)
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
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Automaton").field("patterns", &self.rows.len()).field("bytes", &self.size()).finish()
    }
}
