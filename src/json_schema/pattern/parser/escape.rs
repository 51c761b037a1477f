//! Escapes, and classes of characters in brackets.

use super::super::Unfit;
use super::super::set::{self, Range};
use super::{Edge, Node, Parser};

/// Of a class or an escape.
enum Atom {
    Point(u32),
    Set(Vec<Range>),
}

const NO_SUCH_ESCAPE: Unfit = Unfit::Syntax("there is no such escape in ECMAScript");
const NO_END: Unfit = Unfit::Syntax("a class of characters has no end");

impl Parser<'_> {
    /// Behind the backslash.
    pub(super) fn escape(&mut self) -> Result<Node, Unfit> {
        match self.peek() {
            Some('1'..='9' | 'k') => Err(Unfit::BackReference),
            Some('b') => {
                self.rest.next();
                Ok(Node::Edge(Edge::Word))
            }
            Some('B') => {
                self.rest.next();
                Ok(Node::Edge(Edge::NoWord))
            }
            _ => {
                let ranges = match self.escaped()? {
                    Atom::Point(point) => vec![(point, point)],
                    Atom::Set(ranges) => ranges,
                };
                Ok(self.one(ranges))
            }
        }
    }

    /// Behind the opening bracket.
    pub(super) fn class(&mut self) -> Result<Node, Unfit> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        while !self.eat("]") {
            let from = self.class_atom()?;
            let is_range = self.rest.as_str().starts_with('-') && !self.rest.as_str().starts_with("-]");
            if !is_range {
                add(&mut ranges, from);
                continue;
            }
            self.eat("-");
            match (from, self.class_atom()?) {
                (Atom::Point(from), Atom::Point(to)) if from > to => {
                    return Err(Unfit::Syntax("a range of characters ends before it starts"));
                }
                (Atom::Point(from), Atom::Point(to)) => set::add(&mut ranges, (from, to)),
                // Next to a set such as `\d`, a hyphen is one.
                (from, to) => {
                    set::add(&mut ranges, super::point('-'));
                    add(&mut ranges, from);
                    add(&mut ranges, to);
                }
            }
        }
        Ok(self.one(if negated { set::others(&ranges) } else { ranges }))
    }

    fn class_atom(&mut self) -> Result<Atom, Unfit> {
        match self.rest.next().ok_or(NO_END)? {
            '\\' if self.eat("b") => Ok(Atom::Point(8)),
            '\\' => self.escaped(),
            letter => Ok(Atom::Point(letter.into())),
        }
    }

    fn escaped(&mut self) -> Result<Atom, Unfit> {
        let point = match self.rest.next().ok_or(NO_SUCH_ESCAPE)? {
            'd' => return Ok(Atom::Set(set::DIGITS.to_vec())),
            'D' => return Ok(Atom::Set(set::others(set::DIGITS))),
            'w' => return Ok(Atom::Set(set::WORD.to_vec())),
            'W' => return Ok(Atom::Set(set::others(set::WORD))),
            's' => return Ok(Atom::Set(set::SPACES.to_vec())),
            'S' => return Ok(Atom::Set(set::others(set::SPACES))),
            'p' | 'P' => return Err(Unfit::UnicodeProperty),
            't' => 0x9,
            'n' => 0xa,
            'v' => 0xb,
            'f' => 0xc,
            'r' => 0xd,
            '0' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => 0,
            'c' => match self.rest.next() {
                Some(letter) if letter.is_ascii_alphabetic() => u32::from(letter) & 0x1f,
                _ => return Err(NO_SUCH_ESCAPE),
            },
            'x' => self.hex(2)?,
            'u' => self.unicode()?,
            letter if letter.is_ascii_alphanumeric() => return Err(NO_SUCH_ESCAPE),
            letter => letter.into(),
        };
        Ok(Atom::Point(point))
    }

    /// Behind `\u`: in braces, or as units of UTF-16.
    fn unicode(&mut self) -> Result<u32, Unfit> {
        if self.eat("{") {
            let (digits, behind) = self.rest.as_str().split_once('}').ok_or(NO_SUCH_ESCAPE)?;
            let point = u32::from_str_radix(digits, 16).ok().filter(|point| *point <= u32::from(char::MAX));
            self.rest = behind.chars();
            return point.filter(|_| !digits.starts_with('+')).ok_or(NO_SUCH_ESCAPE);
        }
        let high = self.hex(4)?;
        let before = self.rest.clone();
        if (0xd800..0xdc00).contains(&high) && self.eat("\\u") && !self.eat("{") {
            let low = self.hex(4)?;
            if (0xdc00..0xe000).contains(&low) {
                let above = (high & 0x3ff).wrapping_shl(10) | (low & 0x3ff);
                return Ok(above.saturating_add(0x1_0000));
            }
        }
        // Half of a pair is in no text.
        self.rest = before;
        Ok(high)
    }

    fn hex(&mut self, count: usize) -> Result<u32, Unfit> {
        let mut value: u32 = 0;
        for _ in 0..count {
            let digit = self.rest.next().and_then(|letter| letter.to_digit(16)).ok_or(NO_SUCH_ESCAPE)?;
            value = value.wrapping_shl(4) | digit;
        }
        Ok(value)
    }
}

fn add(ranges: &mut Vec<Range>, atom: Atom) {
    match atom {
        Atom::Point(point) => set::add(ranges, (point, point)),
        Atom::Set(set) => set.into_iter().for_each(|range| set::add(ranges, range)),
    }
}
