//! The automaton of a pattern, and how a text is matched: all the states that it may be in are followed at once, so that no
//! pattern needs more than its size in steps for a character.

use super::super::work::{Halt, Steps};
use super::parser::{Edge, Node};
use super::{MAX_SIZE, Pattern, Unfit, set};

#[derive(Clone, Copy, Debug)]
pub enum State {
    /// A character of the ranges from the first to before the second place leads to the next state.
    One(u32, u32),
    /// The next state is reached where this holds.
    Edge(Edge),
    /// Both are reached.
    Either(u32, u32),
    Match,
}

/// So many visits to states are one step of the work that a check may take.
const VISITS_PER_STEP: usize = 8;
/// What a character costs whatever the states are.
const VISITS_PER_CHARACTER: usize = 4;

/// `taken`: what the pattern has of its size without the states.
pub fn states(node: &Node, taken: usize) -> Result<Box<[State]>, Unfit> {
    let mut builder = Builder { states: Vec::new(), most: MAX_SIZE.saturating_sub(taken) };
    builder.add(node)?;
    builder.push(State::Match)?;
    Ok(builder.states.into())
}

struct Builder {
    states: Vec<State>,
    most: usize,
}

impl Builder {
    /// The next state's place.
    fn next(&self) -> u32 {
        u32::try_from(self.states.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, state: State) -> Result<(), Unfit> {
        if self.states.len() >= self.most {
            return Err(Unfit::TooLarge);
        }
        self.states.push(state);
        Ok(())
    }

    /// A state whose second way is known once what is in between is added.
    fn fork(&mut self) -> Result<u32, Unfit> {
        let place = self.next();
        self.push(State::Either(place.saturating_add(1), 0))?;
        Ok(place)
    }

    fn set_second(&mut self, place: u32, to: u32) {
        let state = usize::try_from(place).ok().and_then(|place| self.states.get_mut(place));
        if let Some(State::Either(_, second)) = state {
            *second = to;
        }
    }

    fn add(&mut self, node: &Node) -> Result<(), Unfit> {
        match node {
            Node::One(from, to) => self.push(State::One(*from, *to)),
            Node::Edge(edge) => self.push(State::Edge(*edge)),
            Node::All(nodes) => nodes.iter().try_for_each(|node| self.add(node)),
            Node::Either(branches) => self.either(branches),
            Node::Repeat(node, least, most) => self.repeat(node, *least, *most),
        }
    }

    fn either(&mut self, branches: &[Node]) -> Result<(), Unfit> {
        let Some((last, branches)) = branches.split_last() else { return Ok(()) };
        let mut ends = Vec::new();
        for branch in branches {
            let fork = self.fork()?;
            self.add(branch)?;
            ends.push(self.fork()?);
            self.set_second(fork, self.next());
        }
        self.add(last)?;
        for end in ends {
            let behind = self.next();
            self.go_to(end, behind);
        }
        Ok(())
    }

    /// Makes of a fork a single way.
    fn go_to(&mut self, place: u32, to: u32) {
        if let Some(state) = usize::try_from(place).ok().and_then(|place| self.states.get_mut(place)) {
            *state = State::Either(to, to);
        }
    }

    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>) -> Result<(), Unfit> {
        let mut start = self.next();
        for _ in 0..least {
            start = self.next();
            self.add(node)?;
            if self.next() == start {
                // Nothing, however often, is nothing.
                return Ok(());
            }
        }
        let Some(most) = most else {
            if least > 0 {
                return self.push(State::Either(start, self.next().saturating_add(1)));
            }
            let fork = self.fork()?;
            self.add(node)?;
            self.push(State::Either(fork, fork))?;
            self.set_second(fork, self.next());
            return Ok(());
        };
        let mut forks = Vec::new();
        for _ in least..most {
            forks.push(self.fork()?);
            self.add(node)?;
        }
        let behind = self.next();
        for fork in forks {
            self.set_second(fork, behind);
        }
        Ok(())
    }
}

/// What matching needs in memory, kept from one match to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The states that the last character led to.
    reached: Vec<u32>,
    /// The states among these, or those that they lead to, that take a character.
    waiting: Vec<u32>,
    stack: Vec<u32>,
    /// At which of all the characters so far a state was last visited.
    visited: Vec<u64>,
    now: u64,
}

/// Between which characters a state is visited. `None`: at the start, or the end.
#[derive(Clone, Copy)]
struct Place {
    before: Option<char>,
    behind: Option<char>,
}

pub struct Run<'r> {
    pattern: &'r Pattern,
    scratch: &'r mut Scratch,
    visits: usize,
}

impl<'r> Run<'r> {
    pub fn new(pattern: &'r Pattern, scratch: &'r mut Scratch) -> Self {
        scratch.reached.clear();
        let states = pattern.states.len();
        if scratch.visited.len() < states {
            scratch.visited.resize(states, 0);
            scratch.reached.reserve(states);
            scratch.stack.reserve(states);
            scratch.waiting.clear();
            scratch.waiting.reserve(states);
        }
        Self { pattern, scratch, visits: 0 }
    }

    pub fn matches(mut self, text: &str, steps: &mut Steps) -> Result<bool, Halt> {
        let mut letters = text.chars();
        let mut before = None;
        loop {
            let place = Place { before, behind: letters.next() };
            if before.is_none() || !self.pattern.anchored {
                self.scratch.reached.push(0);
            }
            self.visits = self.visits.saturating_add(VISITS_PER_CHARACTER);
            if self.reaches_match(place) {
                return Ok(true);
            }
            steps.spend(self.visits.wrapping_div(VISITS_PER_STEP))?;
            self.visits &= VISITS_PER_STEP.saturating_sub(1);
            let Some(letter) = place.behind else { return Ok(false) };
            self.take(letter);
            if self.pattern.anchored && self.scratch.reached.is_empty() {
                return Ok(false);
            }
            before = Some(letter);
        }
    }

    /// Follows all states that were reached up to those that take a character.
    fn reaches_match(&mut self, place: Place) -> bool {
        let Scratch { reached, waiting, stack, visited, now } = &mut *self.scratch;
        *now = now.saturating_add(1);
        waiting.clear();
        stack.clear();
        stack.append(reached);
        while let Some(state) = stack.pop() {
            self.visits = self.visits.saturating_add(1);
            let place_of = usize::try_from(state).unwrap_or(usize::MAX);
            match visited.get_mut(place_of) {
                Some(last) if *last != *now => *last = *now,
                _ => continue,
            }
            match self.pattern.states.get(place_of) {
                Some(State::One(..)) => waiting.push(state),
                Some(State::Edge(edge)) if edge.is_at(place) => stack.push(state.saturating_add(1)),
                Some(State::Either(one, other)) => stack.extend([*other, *one]),
                Some(State::Match) => return true,
                Some(State::Edge(_)) | None => {}
            }
        }
        false
    }

    fn take(&mut self, letter: char) {
        let Scratch { reached, waiting, .. } = &mut *self.scratch;
        let states = &self.pattern.states;
        let ranges = &self.pattern.ranges;
        let index = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
        let takes = |state: u32| match states.get(index(state)) {
            Some(State::One(from, to)) => {
                ranges.get(index(*from)..index(*to)).is_some_and(|ranges| set::has(ranges, letter))
            }
            _ => false,
        };
        reached.extend(waiting.iter().filter(|state| takes(**state)).map(|state| state.saturating_add(1)));
    }
}

impl Edge {
    fn is_at(self, place: Place) -> bool {
        let is_word = |letter: Option<char>| letter.is_some_and(set::is_word);
        match self {
            Self::Start => place.before.is_none(),
            Self::End => place.behind.is_none(),
            Self::Word => is_word(place.before) != is_word(place.behind),
            Self::NoWord => is_word(place.before) == is_word(place.behind),
        }
    }
}

impl Pattern {
    /// Whether behind the start nothing is reached that takes a character or is a match: then a later start is none.
    pub(super) fn starts_at_start(&self) -> bool {
        let mut scratch = Scratch::default();
        // Wherever it is: a word may begin there, or end, or neither.
        let places = [('a', Some('a')), ('a', Some(' ')), ('a', None), (' ', Some('a')), (' ', Some(' ')), (' ', None)];
        places.into_iter().all(|(before, behind)| {
            let mut run = Run::new(self, &mut scratch);
            run.scratch.reached.push(0);
            !run.reaches_match(Place { before: Some(before), behind }) && run.scratch.waiting.is_empty()
        })
    }
}
