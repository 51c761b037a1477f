//! What an answer says: how long it is, and a print that is near that of a text that is nearly the same.
//!
//! The print is a SimHash (Charikar 2002): each word and each two words in a row have a hash, and each bit of the print is what most
//! of them have there. Of two texts the bits that differ tell the angle between what they consist of. It takes one pass and a fixed
//! memory, wherever the text is cut; a MinHash of as many bits would tell texts that have little in common less well apart.

use super::PairKey;
use crate::digest::SipHash;
use crate::hash::mixed;
use crate::json::{Container, Found, Hit, Number};
use crate::llm::documents::{Documents, Reader};
use crate::llm::meter::Form;
use crate::llm::schema::Schema;
use crate::llm::texts::{Place, Text, Texts};
use crate::record::answered::Answered;

pub(super) struct TextPrint {
    documents: Documents<Text>,
    said: Said,
}

/// What was said, of the first answer of several.
struct Said {
    print: Print,
    is_event: bool,
    /// An event's kind says whether its texts are the answer's; and what was said before it, while that isn't known.
    is_other: bool,
    before_kind: Option<Print>,
    /// How many turns are open, which the outermost is, and what was said before it.
    turns: usize,
    index: u64,
    opened: u64,
    before: Print,
}

/// The text so far.
#[derive(Clone)]
pub(super) struct Print {
    key: PairKey,
    bytes: u64,
    /// Of how many more features a bit is set than not.
    balance: [i32; 64],
    word: SipHash,
    letters: u32,
    /// The hash of the word before.
    last: Option<u64>,
}

/// Some scripts have no blanks, and hostile texts none either.
const LONGEST_WORD: u32 = 32;

impl TextPrint {
    pub(super) fn new(key: PairKey, schema: &Schema, form: Form) -> Self {
        let Texts { answer, event, .. } = Texts::of(schema);
        let print = Print::new(key);
        let said = Said {
            before: print.clone(),
            print,
            is_event: false,
            is_other: false,
            before_kind: None,
            turns: 0,
            index: 0,
            opened: 0,
        };
        Self { documents: Documents::new(schema, form, (answer, event)), said }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], last: bool) {
        self.documents.feed(bytes, last, &mut self.said);
    }

    pub(super) fn answered(&self) -> Answered {
        let Print { bytes, .. } = self.said.print;
        Answered { text_bytes: bytes, text: self.said.print.end(), ..Answered::default() }
    }
}

impl Said {
    /// Events say a text in pieces, and some say all of it once more.
    const fn is_said(&self, text: Text) -> bool {
        let Text::In { place, joins, named, json: false } = text else { return false };
        let is_answer = matches!(place, None | Some(Place::Assistant)) && !self.is_other;
        is_answer && (joins || (named && !self.is_event))
    }
}

impl Reader<Text> for Said {
    fn begins(&mut self, _at: u64, is_event: bool) {
        self.is_event = is_event;
    }

    fn hit(&mut self, hit: &Hit<'_, Text>, _read: (&[u8], u64)) {
        match (hit.key, hit.found) {
            (text, Found::Piece(piece)) if self.is_said(text) => {
                self.before_kind.get_or_insert_with(|| self.print.clone());
                self.print.say(piece);
            }
            (Text::Kind, Found::Text { text, .. }) => {
                self.is_other = is_other(text);
                if let Some(before) = self.before_kind.take().filter(|_| self.is_other) {
                    self.print = before;
                }
            }
            (Text::Turn, Found::Opened(Container::Array)) if self.turns == 0 => self.opened = 0,
            (Text::Turn, Found::Opened(Container::Object)) => {
                if self.turns == 0 {
                    self.before.clone_from(&self.print);
                    self.index = self.opened;
                    self.opened = self.opened.saturating_add(1);
                }
                self.turns = self.turns.saturating_add(1);
            }
            // Which of several it is, a turn may say behind what it says.
            (Text::Index, Found::Number(Number::Whole(index))) if self.turns == 1 => self.index = index,
            (Text::Turn, Found::Closed { container: Container::Object, .. }) => {
                self.turns = self.turns.saturating_sub(1);
                if self.turns == 0 && self.index > 0 {
                    self.print.clone_from(&self.before);
                }
            }
            _ => {}
        }
    }

    fn ends(&mut self) {
        (self.is_other, self.turns, self.opened) = (false, 0, 0);
        self.before_kind = None;
    }

    fn breaks_off(&mut self) {
        self.ends();
    }
}

/// Of an event whose texts are no answer: what is thought, and what a tool is called with.
fn is_other(kind: &str) -> bool {
    ["reasoning", "arguments", "input", "code", "audio.delta"].iter().any(|other| kind.contains(other))
}

impl Print {
    pub(super) const fn new(key: PairKey) -> Self {
        let PairKey(numbers) = key;
        Self { key, bytes: 0, balance: [0; 64], word: SipHash::new(numbers), letters: 0, last: None }
    }

    pub(super) fn say(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        for letter in text.chars() {
            match Letter::of(letter) {
                Letter::OfWord => self.letter(letter),
                Letter::Word => {
                    self.end_word();
                    self.letter(letter);
                    self.end_word();
                }
                Letter::None => self.end_word(),
            }
        }
    }

    /// `None`: it has no word.
    pub(super) fn end(&self) -> Option<u64> {
        let mut print = self.clone();
        print.end_word();
        print.last?;
        let bit = |print: u64, balance: &i32| print << 1 | u64::from(*balance > 0);
        Some(print.balance.iter().fold(0, bit))
    }

    fn letter(&mut self, letter: char) {
        self.word.bytes(letter.to_ascii_lowercase().encode_utf8(&mut [0; 4]).as_bytes());
        self.letters = self.letters.saturating_add(1);
        if self.letters >= LONGEST_WORD {
            self.end_word();
        }
    }

    fn end_word(&mut self) {
        if self.letters == 0 {
            return;
        }
        let PairKey(numbers) = self.key;
        let word = std::mem::replace(&mut self.word, SipHash::new(numbers)).end();
        self.letters = 0;
        self.count(word);
        if let Some(last) = self.last.replace(word) {
            self.count(mixed(last.rotate_left(32).wrapping_add(word)));
        }
    }

    fn count(&mut self, feature: u64) {
        for (bit, balance) in self.balance.iter_mut().enumerate() {
            let is_set = feature >> bit & 1 == 1;
            *balance = balance.saturating_add(if is_set { 1 } else { -1 });
        }
    }
}

/// What a letter is to the words of a text.
enum Letter {
    OfWord,
    /// One by itself: Chinese, Japanese and Korean are written without blanks, or with few.
    Word,
    None,
}

impl Letter {
    const fn of(letter: char) -> Self {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Self::OfWord,
            // Blanks and signs: of Latin-1, of all scripts, those of East Asia, and full-width ones.
            '\0'..='\u{bf}'
            | '\u{2000}'..='\u{2bff}'
            | '\u{3000}'..='\u{303f}'
            | '\u{fe30}'..='\u{fe4f}'
            | '\u{ff00}'..='\u{ff0f}' => Self::None,
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
                Self::Word
            }
            _ => Self::OfWord,
        }
    }
}
