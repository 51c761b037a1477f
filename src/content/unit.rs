//! A key or a number, as one: where something in it is replaced, all of it is written anew. So a key keeps what else it says,
//! however it is escaped, and a number that is one no longer becomes a string.

use crate::detect::{Automaton, Closed, Span, Watched};
use crate::llm::request::{Edit, Place, spliced};

#[derive(Debug)]
pub(super) struct Unit {
    text: String,
    span: Span,
    is_number: bool,
}

impl Unit {
    /// Looks at it; the stretches are those of its text. `None` if nothing ends in it.
    pub(super) fn look(
        automaton: &Automaton,
        (text, span, is_number): (&str, Span, bool),
        closed: &mut impl FnMut(Closed),
    ) -> Option<Self> {
        let mut some = false;
        let mut closed = |stretch| {
            some = true;
            closed(stretch);
        };
        let mut watched = Watched::default();
        watched.feed(automaton, text, Span { from: 0, to: text.len() as u64 }, &mut closed);
        watched.end(automaton, &mut closed);
        some.then(|| Self { text: text.to_owned(), span, is_number })
    }

    /// What replaces it in its body, when these replace parts of its text.
    pub(super) fn edit(&self, edits: &[Edit]) -> Edit {
        let text = String::from_utf8(spliced(self.text.as_bytes(), edits)).unwrap_or_default();
        let text = escaped(&text, 1);
        let text = if self.is_number { format!("\"{text}\"") } else { text };
        Edit { place: Place { from: self.span.from, to: self.span.to }, text }
    }

    pub(super) const fn holds(&self) -> usize {
        size_of::<Self>().saturating_add(self.text.capacity())
    }

    /// Where it stands.
    pub(super) const fn span(&self) -> Span {
        self.span
    }
}

/// A text as it stands in a string; twice, in one that is a document of JSON itself.
pub(super) fn escaped(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |text, _| {
        let quoted = serde_json::to_string(&text).unwrap_or_default();
        quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
    })
}
