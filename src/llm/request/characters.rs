//! How many characters a text of the body has, which is what speech is sold by: the scanner knows its bytes.
//!
//! Trade-off: the body is read a second time, for the few requests that have something read out. What this reader doesn't find,
//! because its name is written with escapes, counts by its bytes, which are never fewer.

pub(super) struct Characters {
    name: &'static str,
    depth: u32,
    /// At the top: a key comes next, or the value of the field that was named.
    is_key_next: bool,
    is_it: bool,
    within: Within,
    count: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Outside,
    /// As many of its bytes are the field's name.
    Key(Option<usize>),
    /// A string; whether it is the one that counts.
    Text(bool),
    Escape(bool),
    /// Hexadecimal digits that are missing, and the first two.
    Unicode {
        counts: bool,
        missing: u8,
        high: u8,
    },
}

impl Characters {
    pub(super) const fn of(name: &'static str) -> Self {
        Self { name, depth: 0, is_key_next: false, is_it: false, within: Within::Outside, count: 0 }
    }

    /// At most one for each byte, and at least one for four.
    pub(super) fn counted(&self, bytes: u64) -> Option<u64> {
        (self.count <= bytes && self.count >= bytes.div_ceil(4)).then_some(self.count)
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.within = match self.within {
                Within::Outside => self.outside(*byte),
                Within::Key(_) if *byte == b'"' => self.end_of_key(),
                Within::Key(matched) => Within::Key(matched.and_then(|matched| self.matches(matched, *byte))),
                Within::Text(_) if *byte == b'"' => Within::Outside,
                Within::Text(counts) if *byte == b'\\' => Within::Escape(counts),
                Within::Text(counts) => {
                    // A character's first byte; those that continue it begin with the bits 10.
                    self.add(counts && byte & 0xc0 != 0x80);
                    Within::Text(counts)
                }
                Within::Escape(counts) if *byte == b'u' => Within::Unicode { counts, missing: 4, high: 0 },
                Within::Escape(counts) => {
                    self.add(counts);
                    Within::Text(counts)
                }
                Within::Unicode { counts, missing, high } => self.unicode(counts, missing, high, *byte),
            };
        }
    }

    fn outside(&mut self, byte: u8) -> Within {
        match byte {
            b'"' if self.depth == 1 && self.is_key_next => return Within::Key(Some(0)),
            b'"' => return Within::Text(std::mem::take(&mut self.is_it) && self.depth == 1),
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.is_key_next = self.depth == 1;
                self.is_it = false;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' if self.depth == 1 => (self.is_key_next, self.is_it) = (true, false),
            b':' => self.is_key_next = false,
            _ => {}
        }
        Within::Outside
    }

    /// What has an escape in it, or other letters, is another name.
    fn matches(&self, matched: usize, byte: u8) -> Option<usize> {
        (self.name.as_bytes().get(matched) == Some(&byte)).then(|| matched.saturating_add(1))
    }

    fn end_of_key(&mut self) -> Within {
        self.is_it = self.within == Within::Key(Some(self.name.len()));
        Within::Outside
    }

    /// Of a pair of surrogates, the first counts.
    fn unicode(&mut self, counts: bool, missing: u8, high: u8, byte: u8) -> Within {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
        let high = if missing > 2 { high << 4 | digit } else { high };
        if missing > 1 {
            return Within::Unicode { counts, missing: missing.saturating_sub(1), high };
        }
        self.add(counts && !(0xdc..=0xdf).contains(&high));
        Within::Text(counts)
    }

    fn add(&mut self, one: bool) {
        self.count = self.count.saturating_add(u64::from(one));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn count(body: &[u8], piece: usize) -> u64 {
        let mut characters = Characters::of("input");
        body.chunks(piece).for_each(|piece| characters.feed(piece));
        characters.count
    }

    #[test]
    fn only_the_field_of_the_name_at_the_top_counts() {
        for (body, expected) in [
            (r#"{"input":"Übung"}"#, 5),
            (r#"{"voice":"input","input":"漢字","instructions":"Медленно"}"#, 2),
            (r#"{"a":{"input":"xxxx"},"b":["input","x"],"input" : "yy"}"#, 2),
            (r#"{"input":"\u0430\ud83e\udd80\n\"\\"}"#, 5),
            (r#"{"inputs":"xx","in\u0070ut":"yy"}"#, 0),
            (r#"{"input":["xx"]}"#, 0),
        ] {
            for piece in [1, 3, 1_000] {
                assert_eq!(count(body.as_bytes(), piece), expected, "{body}");
            }
        }
    }

    #[test]
    fn what_cannot_be_right_is_none() {
        let of = |count| Characters { count, ..Characters::of("input") };
        assert_eq!(of(5).counted(12), Some(5));
        assert_eq!(of(2).counted(12), None);
        assert_eq!(of(13).counted(12), None);
        assert_eq!(of(0).counted(0), Some(0));
    }

    proptest! {
        #[test]
        fn any_text_has_its_characters(text in "\\PC{0,40}", before in "\\PC{0,10}", piece in 1usize..9) {
            let body = json!({"a": before, "input": text}).to_string();
            prop_assert_eq!(count(body.as_bytes(), piece), text.chars().count() as u64);
        }
    }
}
