//! A document of JSON that is written into a string of another: its own escapes, decoded once more.

use crate::detect::Span;

/// Decodes the escapes of a text that comes in pieces, wherever they are cut. What is no escape of JSON stays as it is written.
#[derive(Debug, Default)]
pub struct Nested {
    state: State,
    /// Whether it begins as a document does, once something has come.
    document: Option<bool>,
    /// Within a string of the document.
    in_string: bool,
    /// Where the escape stands that comes: in a stream, in as many places as it has events.
    places: Vec<Span>,
    /// The first half of a surrogate pair.
    high: Option<(u16, Vec<Span>)>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Plain,
    /// Behind a backslash.
    Escape,
    Unicode {
        unit: u16,
        missing: u8,
    },
}

/// What is said in one place, or in the first of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    pub text: &'a str,
    pub span: Span,
    /// It stands in a document, and in no string of it: it is a number.
    pub bare: bool,
}

impl Nested {
    /// The next piece, and where it stands; hands out what it says, and where each part of that stands.
    pub fn feed(&mut self, piece: &str, span: Span, said: &mut impl FnMut(Said<'_>)) {
        let mut rest = piece;
        while !rest.is_empty() {
            let at = piece.len().saturating_sub(rest.len());
            if matches!(self.state, State::Plain) {
                // Up to an escape, or behind a quote.
                let plain = rest.find(['\\', '"']).unwrap_or(rest.len());
                let is_quote = rest.as_bytes().get(plain) == Some(&b'"');
                let plain = plain.saturating_add(usize::from(is_quote));
                if let Some(text) = rest.get(..plain).filter(|text| !text.is_empty()) {
                    self.lone(said);
                    let first = text.trim_start().as_bytes().first();
                    self.document = self.document.or(first.map(|byte| b"{[".contains(byte)));
                    let span = span.part(piece.len(), at..at.saturating_add(plain));
                    said(Said { text, span, bare: self.is_bare() });
                    self.in_string ^= is_quote;
                    rest = rest.get(plain..).unwrap_or_default();
                    continue;
                }
            }
            let mut letters = rest.chars();
            let Some(letter) = letters.next() else { return };
            let here = span.part(piece.len(), at..at.saturating_add(letter.len_utf8()));
            self.stands(here);
            match self.state {
                State::Plain => self.state = State::Escape,
                State::Escape => self.escape(letter, said),
                State::Unicode { unit, missing } => self.unicode(letter, unit, missing, said),
            }
            rest = letters.as_str();
        }
    }

    /// More of an escape stands here.
    fn stands(&mut self, here: Span) {
        match self.places.last_mut() {
            Some(last) if last.to == here.from => last.to = here.to,
            // Two letters that are one escape outside.
            Some(last) if *last == here => {}
            _ => self.places.push(here),
        }
    }

    /// Where an escape begins of which more must come.
    pub fn waits_from(&self) -> Option<u64> {
        let high = self.high.as_ref().map_or(&[][..], |(_, places)| places);
        high.iter().chain(&self.places).next().map(|place| place.from)
    }

    fn escape(&mut self, letter: char, said: &mut impl FnMut(Said<'_>)) {
        let decoded = match letter {
            'u' => return self.state = State::Unicode { unit: 0, missing: 4 },
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            other => other,
        };
        self.lone(said);
        self.end_escape(decoded, said);
    }

    fn unicode(&mut self, letter: char, unit: u16, missing: u8, said: &mut impl FnMut(Said<'_>)) {
        let Some(digit) = letter.to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            self.lone(said);
            return self.end_escape(letter, said);
        };
        let unit = unit << 4 | digit;
        if missing > 1 {
            self.state = State::Unicode { unit, missing: missing.saturating_sub(1) };
            return;
        }
        if let Some((high, mut places)) = self.high.take() {
            if let Some(Ok(letter)) = char::decode_utf16([high, unit]).next() {
                std::mem::swap(&mut self.places, &mut places);
                places.into_iter().for_each(|place| self.stands(place));
                return self.end_escape(letter, said);
            }
            self.say("\u{fffd}", &places, said);
        }
        if (0xd800..=0xdbff).contains(&unit) {
            self.high = Some((unit, std::mem::take(&mut self.places)));
            self.state = State::Plain;
        } else {
            self.end_escape(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER), said);
        }
    }

    fn is_bare(&self) -> bool {
        self.document == Some(true) && !self.in_string
    }

    fn end_escape(&mut self, letter: char, said: &mut impl FnMut(Said<'_>)) {
        self.state = State::Plain;
        let places = std::mem::take(&mut self.places);
        self.say(letter.encode_utf8(&mut [0; 4]), &places, said);
    }

    /// What stands in several places: the text in the first of them, and nothing in the others.
    fn say(&self, text: &str, places: &[Span], said: &mut impl FnMut(Said<'_>)) {
        for (nth, span) in places.iter().copied().enumerate() {
            said(Said { text: if nth == 0 { text } else { "" }, span, bare: self.is_bare() });
        }
    }

    /// The first half of a pair that no second followed.
    fn lone(&mut self, said: &mut impl FnMut(Said<'_>)) {
        if let Some((_, places)) = self.high.take() {
            self.say("\u{fffd}", &places, said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a text says, and where each part of it stands.
    fn read(text: &str, cuts: &[usize]) -> (String, Vec<(String, Span)>) {
        let (mut nested, mut parts) = (Nested::default(), Vec::new());
        let mut from = 0;
        for to in cuts.iter().copied().chain([text.len()]).filter(|to| text.is_char_boundary(*to)) {
            if to > from {
                let span = Span { from: from as u64, to: to as u64 };
                nested
                    .feed(text.get(from..to).unwrap(), span, &mut |said| parts.push((said.text.to_owned(), said.span)));
                from = to;
            }
        }
        (parts.iter().map(|(said, _)| said.as_str()).collect(), parts)
    }

    #[test]
    fn escapes_are_decoded_and_stand_where_they_are_written() {
        let (said, parts) = read(r#"{"a":"x\u0040y\n\"\ud83d\ude00"}"#, &[]);
        assert_eq!(said, "{\"a\":\"x@y\n\"😀\"}");
        let at = parts.iter().find(|(said, _)| said == "@").unwrap();
        assert_eq!(at.1, Span { from: 7, to: 13 });
        let pair = parts.iter().find(|(said, _)| said == "😀").unwrap();
        assert_eq!(pair.1, Span { from: 18, to: 30 });
    }

    proptest! {
        #[test]
        fn any_cut_says_what_the_whole_does(text in any::<String>(), cuts in prop::collection::vec(0..200_usize, 0..8)) {
            let written = serde_json::to_string(&text).unwrap();
            // With every character as an escape, too.
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            for written in [written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap(), &escaped] {
                let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (written.len() + 1)).collect();
                cuts.sort_unstable();
                let (said, parts) = read(written, &cuts);
                prop_assert_eq!(&said, &text);
                // Nothing is said twice, and all of it stands somewhere.
                let mut end = 0;
                for (_, span) in parts {
                    prop_assert!(span.from >= end && span.to > span.from);
                    end = span.to;
                }
            }
        }
    }
}
