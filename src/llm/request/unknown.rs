//! Fields of a request that no table of its API knows: their names, and whether what they hold can spend money.

use crate::json::{Found, Hit};
use crate::llm::schema::Asked;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Those that say something; `null` is nothing.
    pub fields: Vec<String>,
    /// Short texts in them, each with its field's place among `fields`: one may be a model's name.
    pub texts: Vec<(usize, String)>,
    /// One that speaks of models or of addresses, and what it has of them.
    pub suspect: Option<(String, &'static str)>,
    /// The field that is read, until its value is known.
    name: Option<String>,
}

/// What is kept of a body's unknown fields; a body with more than this is nothing that an SDK sends.
const MOST_FIELDS: usize = 64;
const MOST_TEXTS: usize = 256;
/// No model's name is longer.
const LONGEST: usize = 128;

impl Unknown {
    pub(super) const NONE: Self = Self { fields: Vec::new(), texts: Vec::new(), suspect: None, name: None };

    #[cold]
    pub(super) fn hit(&mut self, hit: &Hit<'_, Asked>) {
        match hit.found {
            Found::Named(name) if hit.key == Asked::Unknown => self.name = Some(name.to_owned()),
            Found::Named(name) => self.text(name),
            Found::Null => {}
            Found::Closed { .. } => {}
            found => {
                self.field();
                if let Found::Text { text, .. } = found {
                    self.text(text);
                }
            }
        }
    }

    /// The field says something.
    fn field(&mut self) {
        let Some(name) = self.name.take() else { return };
        let lower = name.to_ascii_lowercase();
        if let Some(word) = ["model", "fallback"].into_iter().find(|word| lower.contains(word)) {
            self.suspect(name.clone(), if word == "model" { "a model" } else { "a fallback" });
        }
        if self.fields.len() >= MOST_FIELDS {
            return self.suspect(name, "more than can be judged");
        }
        self.fields.push(name);
    }

    fn text(&mut self, text: &str) {
        let Some((at, field)) = self.fields.iter().enumerate().next_back() else { return };
        if text.contains("://") || text.starts_with("//") {
            return self.suspect(field.clone(), "an address");
        }
        if text.is_empty() || text.len() > LONGEST || text.contains(' ') {
            return;
        }
        if self.texts.len() >= MOST_TEXTS {
            return self.suspect(field.clone(), "more than can be judged");
        }
        self.texts.push((at, text.to_owned()));
    }

    fn suspect(&mut self, field: String, what: &'static str) {
        self.suspect.get_or_insert((field, what));
    }
}
