//! Reads a pattern. What only the lenient grammar of ECMAScript's Annex B has, and is common, is read as that reads it: a brace
//! that repeats nothing, an escaped sign that needs no escape.

mod escape;

use super::Unfit;
use super::set::{self, Range};
use std::str::Chars;

/// Groups within each other.
pub const MAX_GROUPS: usize = 32;

#[derive(Debug)]
pub enum Node {
    /// One character, of the ranges from the first to before the second place.
    One(u32, u32),
    Edge(Edge),
    All(Vec<Self>),
    Either(Vec<Self>),
    /// `None`: without end.
    Repeat(Box<Self>, u32, Option<u32>),
}

/// What holds between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
    Word,
    NoWord,
}

struct Parser<'p> {
    rest: Chars<'p>,
    ranges: Vec<Range>,
    groups: usize,
}

const NOTHING_TO_REPEAT: Unfit = Unfit::Syntax("there is nothing that a quantifier repeats");

pub fn read(text: &str) -> Result<(Node, Vec<Range>), Unfit> {
    let mut parser = Parser { rest: text.chars(), ranges: Vec::new(), groups: 0 };
    let node = parser.either()?;
    match parser.peek() {
        None => Ok((node, parser.ranges)),
        Some(_) => Err(Unfit::Syntax("a `)` closes nothing")),
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let eaten = self.rest.as_str().strip_prefix(text).map(str::chars);
        let is_there = eaten.is_some();
        self.rest = eaten.unwrap_or_else(|| self.rest.clone());
        is_there
    }

    fn either(&mut self) -> Result<Node, Unfit> {
        let mut branches = vec![self.all()?];
        while self.eat("|") {
            branches.push(self.all()?);
        }
        Ok(Node::Either(branches))
    }

    fn all(&mut self) -> Result<Node, Unfit> {
        let mut terms = Vec::new();
        while !matches!(self.peek(), None | Some('|' | ')')) {
            let term = self.term()?;
            terms.push(self.repeated(term)?);
        }
        Ok(Node::All(terms))
    }

    fn term(&mut self) -> Result<Node, Unfit> {
        if self.rest.as_str().starts_with('{') && self.count()?.is_some() {
            return Err(NOTHING_TO_REPEAT);
        }
        match self.rest.next() {
            None | Some('*' | '+' | '?') => Err(NOTHING_TO_REPEAT),
            Some('^') => Ok(Node::Edge(Edge::Start)),
            Some('$') => Ok(Node::Edge(Edge::End)),
            Some('.') => Ok(self.one(set::others(set::LINE_ENDS))),
            Some('(') => self.group(),
            Some('[') => self.class(),
            Some('\\') => self.escape(),
            Some(letter) => Ok(self.one(vec![point(letter)])),
        }
    }

    fn one(&mut self, ranges: Vec<Range>) -> Node {
        let place = |length| u32::try_from(length).unwrap_or(u32::MAX);
        let from = place(self.ranges.len());
        self.ranges.extend(ranges);
        Node::One(from, place(self.ranges.len()))
    }

    fn group(&mut self) -> Result<Node, Unfit> {
        if ["?=", "?!", "?<=", "?<!"].iter().any(|start| self.eat(start)) {
            return Err(Unfit::LookAround);
        }
        if self.eat("?<") {
            while self.rest.next().ok_or(Unfit::Syntax("the name of a group has no end"))? != '>' {}
        } else if !self.eat("?:") && self.eat("?") {
            return Err(Unfit::Modifiers);
        }
        self.groups = self.groups.saturating_add(1);
        if self.groups > MAX_GROUPS {
            return Err(Unfit::TooDeep);
        }
        let node = self.either()?;
        self.groups = self.groups.saturating_sub(1);
        if self.eat(")") { Ok(node) } else { Err(Unfit::Syntax("a group has no end")) }
    }

    /// A term with the quantifier behind it, if there is one. Whether that is lazy changes where a match ends, not whether it is.
    fn repeated(&mut self, term: Node) -> Result<Node, Unfit> {
        let count = if self.eat("*") {
            Some((0, None))
        } else if self.eat("+") {
            Some((1, None))
        } else if self.eat("?") {
            Some((0, Some(1)))
        } else {
            self.count()?
        };
        match (count, term) {
            (None, term) => Ok(term),
            (Some(_), Node::Edge(_)) => Err(NOTHING_TO_REPEAT),
            (Some((least, most)), term) => {
                self.eat("?");
                Ok(Node::Repeat(Box::new(term), least, most))
            }
        }
    }

    /// `{2}`, `{2,}` or `{2,3}`. Any other brace is a character.
    fn count(&mut self) -> Result<Option<(u32, Option<u32>)>, Unfit> {
        let counted = self.rest.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((counts, behind)) = counted else { return Ok(None) };
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().unwrap_or(u32::MAX))
        };
        let count = match counts.split_once(',') {
            None => number(counts).map(|count| (count, Some(count))),
            Some((least, "")) => number(least).map(|least| (least, None)),
            Some((least, most)) => number(least).zip(number(most)).map(|(least, most)| (least, Some(most))),
        };
        if let Some((least, Some(most))) = count
            && least > most
        {
            return Err(Unfit::Syntax("a quantifier's second number is smaller than its first"));
        }
        if count.is_some() {
            self.rest = behind.chars();
        }
        Ok(count)
    }
}

fn point(letter: char) -> Range {
    (letter.into(), letter.into())
}
