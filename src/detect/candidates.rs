//! What a stretch of text may hold, whoever asks: each place where something may begin, each pattern that ends behind it, each check.
//!
//! Matches that are open in the same state have the same future: they go on as one. So a text is read as often as there are
//! different states open at once, which is hardly ever more than three, and not once for each place where something begins.

use super::automaton::{Automaton, Work};
use super::stretch::Stretch;
use crate::order;
use regex_automata::util::primitives::StateID;
use std::ops::Range;

/// Bytes of a stretch that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub pattern: usize,
    pub range: Range<usize>,
}

/// What the checks let stand, in the order of the places where its patterns begin, and at each in the order of the patterns.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    found: Vec<Candidate>,
    /// All that begins before this is known.
    known: usize,
    /// Where the last of them begins.
    reach: usize,
}

#[derive(Clone, Debug)]
struct Candidate {
    /// Where its pattern begins: its context, if it has one.
    at: usize,
    finding: Finding,
}

/// A place where something begins, and where that ends.
struct Beginning {
    at: usize,
    /// In the order in which their patterns ended first.
    ends: Vec<Ends>,
    /// It goes on as an older one does, from the place on that is told.
    joins: Option<(usize, usize)>,
}

/// Where a pattern ends: at all places from one to another, and at others before these.
struct Ends {
    pattern: u16,
    last: (usize, usize),
    before: Vec<(usize, usize)>,
}

#[derive(Clone, Copy)]
struct Open {
    state: StateID,
    /// The oldest of the beginnings that have come to this state.
    oldest: usize,
}

impl Beginning {
    fn end(&mut self, patterns: &[u16], end: usize) {
        for pattern in patterns {
            match self.ends.iter_mut().find(|ends| ends.pattern == *pattern) {
                None => self.ends.push(Ends { pattern: *pattern, last: (end, end), before: Vec::new() }),
                Some(ends) if ends.last.1.saturating_add(1) == end => ends.last.1 = end,
                Some(ends) => ends.before.push(std::mem::replace(&mut ends.last, (end, end))),
            }
        }
    }
}

impl Ends {
    /// The last that is no later than this.
    fn up_to(&self, most: usize) -> Option<usize> {
        let (first, last) = if self.last.0 <= most {
            self.last
        } else {
            let reached = self.before.partition_point(|(first, _)| *first <= most);
            *self.before.get(reached.checked_sub(1)?)?
        };
        (first <= most).then_some(last.min(most))
    }
}

impl Candidates {
    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All that begins before this is known. It is less than was asked for, if there was no work left.
    pub const fn known(&self) -> usize {
        self.known
    }

    /// Where the last of them begins, behind its context.
    pub const fn reach(&self) -> usize {
        self.reach
    }

    /// Those of a text that comes behind so many bytes, all of which are known.
    pub(super) fn take_in(&mut self, next: &mut Self, before: usize) {
        let moved = next.found.drain(..).map(|Candidate { at, finding: Finding { pattern, range } }| {
            let range = range.start.saturating_add(before)..range.end.saturating_add(before);
            Candidate { at: at.saturating_add(before), finding: Finding { pattern, range } }
        });
        self.found.extend(moved);
        self.reach = self.reach.max(next.reach.saturating_add(before));
        self.known = next.known.saturating_add(before);
    }

    pub(super) const fn holds(&self) -> usize {
        self.found.capacity().saturating_mul(size_of::<Candidate>())
    }

    pub(super) fn shrink(&mut self) {
        self.found.shrink_to_fit();
    }

    /// Goes on with what begins before `until`.
    pub(super) fn look(&mut self, automaton: &Automaton, stretch: Stretch<'_>, until: usize, work: &mut Work) {
        // What is walked through at once takes so much memory, and each byte is read three halves times.
        let at_once = automaton.longest().saturating_mul(2).max(4_096);
        let until = until.min(stretch.text.len());
        let mut ends = Vec::new();
        while self.known < until {
            let to = self.known.saturating_add(at_once).min(until);
            let Some(beginnings) = automaton.walk(stretch, self.known..to, work) else { return };
            for beginning in &beginnings {
                automaton.longest_ends(&beginnings, beginning, &mut ends);
                for (pattern, end) in ends.drain(..) {
                    let Some(row) = automaton.row(pattern) else { continue };
                    let Some(text) = stretch.candidate(beginning.at, end) else { continue };
                    if !work.check(text.text.len()) {
                        return;
                    }
                    let Some(range) = (row.check)(&text).filter(|range| !range.is_empty()) else { continue };
                    let range = beginning.at.saturating_add(range.start)..beginning.at.saturating_add(range.end);
                    work.find();
                    self.reach = self.reach.max(range.start);
                    self.found.push(Candidate { at: beginning.at, finding: Finding { pattern, range } });
                }
                self.known = beginning.at.saturating_add(1);
            }
            self.known = to;
        }
    }

    /// Of the patterns that are `wanted`, in places that it `fits`: the leftmost, and of those that begin together the longest.
    /// Findings don't overlap. Tells those that begin before `until`, in their order, and returns where they ended.
    pub fn findings(
        &self,
        until: usize,
        (wanted, fits): (impl Fn(usize) -> bool, impl Fn(&Range<usize>) -> bool),
        mut found: impl FnMut(Finding),
    ) -> usize {
        // Behind its context, a finding may leave room for others before it.
        let mut behind: Option<Finding> = None;
        let mut done = 0;
        for together in self.found.chunk_by(|one, other| one.at == other.at) {
            let Some(at) = together.first().map(|first| first.at) else { continue };
            if let Some(next) = behind.take_if(|next| next.range.start <= at) {
                done = next.range.end;
                found(next);
            }
            if at < done || (at >= until && behind.is_none()) {
                continue;
            }
            let mut best: Option<&Finding> = None;
            for Candidate { finding, .. } in together {
                let is_longer = best.is_none_or(|best| finding.range.end > best.range.end);
                if is_longer && wanted(finding.pattern) && fits(&finding.range) {
                    best = Some(finding);
                }
            }
            let room = behind.as_ref().map_or(usize::MAX, |next| next.range.start);
            match best.filter(|best| best.range.end <= room).cloned() {
                Some(best) if best.range.start > at && behind.is_none() => behind = Some(best),
                Some(best) => {
                    done = best.range.end;
                    found(best);
                }
                None => {}
            }
        }
        if let Some(next) = behind {
            done = next.range.end;
            found(next);
        }
        done.max(self.known.min(until))
    }
}

impl Automaton {
    /// What begins in a part of a stretch, and where each of it ends; `None` if there was no work left for it.
    fn walk(&self, stretch: Stretch<'_>, part: Range<usize>, work: &mut Work) -> Option<Vec<Beginning>> {
        let mut beginnings: Vec<Beginning> = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        // A match is seen one byte behind its end.
        let last = part.end.saturating_add(self.longest()).min(stretch.text.len());
        for at in part.start..=last {
            if open.is_empty() && at >= part.end {
                break;
            }
            let Some(byte) = stretch.byte(at) else {
                for Open { state, oldest } in open {
                    beginnings.get_mut(oldest)?.end(self.ended_with(state), at);
                }
                break;
            };
            if !work.step(open.len()) {
                return None;
            }
            let mut kept = 0_usize;
            for nth in 0..open.len() {
                let Open { state, oldest } = *open.get(nth)?;
                let (Some(state), ended) = self.goes_on(state, byte) else { continue };
                let beginning = beginnings.get_mut(oldest)?;
                if let Some(older) = open.get(..kept)?.iter().find(|older| older.state == state) {
                    beginning.joins = Some((older.oldest, at));
                } else {
                    beginning.end(ended, at);
                    *open.get_mut(kept)? = Open { state, oldest };
                    kept = kept.saturating_add(1);
                }
            }
            open.truncate(kept);
            if at < part.end
                && let Some(state) = self.begin(byte)
                && stretch.may_begin(at)
            {
                let oldest = beginnings.len();
                let same = open.iter().find(|older| older.state == state);
                let joins = same.map(|older| (older.oldest, at.saturating_add(1)));
                beginnings.push(Beginning { at, ends: Vec::new(), joins });
                if joins.is_none() {
                    open.push(Open { state, oldest });
                }
            }
        }
        Some(beginnings)
    }

    /// The longest match of each pattern that is no longer than its findings, in the order of the patterns.
    fn longest_ends(&self, all: &[Beginning], beginning: &Beginning, longest: &mut Vec<(usize, usize)>) {
        let (mut of, mut from) = (beginning, 0);
        loop {
            for ends in &of.ends {
                let pattern = usize::from(ends.pattern);
                let Some(row) = self.row(pattern) else { continue };
                let last = ends.up_to(beginning.at.saturating_add(row.longest));
                let Some(end) = last.filter(|end| *end >= from) else { continue };
                match longest.iter_mut().find(|(known, _)| *known == pattern) {
                    Some(known) => known.1 = end,
                    None => longest.push((pattern, end)),
                }
            }
            let older = of.joins.and_then(|(older, at)| Some((all.get(older)?, at)));
            let Some((older, at)) = older else { break };
            (of, from) = (older, at);
        }
        order::sort(longest);
    }
}
