use std::fmt;

use serde_json::error::Category;

use super::path::{LineColumn, path_at, place_of};

/// Keys that were called otherwise before the first release: before, and now.
const RENAMED: [(&str, &str); 6] = [
    ("held_heads", "hold_headers"),
    ("starved", "on_contention"),
    ("shared", "replicas"),
    ("replicas", "count"),
    ("requests_away", "requests_without_service"),
    ("budgets_away", "budgets_without_service"),
];

/// Why a configuration was refused: the path, what is wrong there and what would be right, and the place in the text.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    problem: String,
    place: Option<LineColumn>,
}

impl ConfigError {
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into(), place: None }
    }

    /// Where in the text the value stands, if it was written at all.
    pub const fn place(&self) -> Option<LineColumn> {
        self.place
    }

    /// Adds line and column, if the value was written at all.
    pub fn in_text(mut self, json: &[u8]) -> Self {
        self.place = self.place.or_else(|| place_of(json, &self.path));
        self
    }

    /// Forgets the place in a text that the operator never saw.
    pub fn without_place(self) -> Self {
        Self { place: None, ..self }
    }

    pub(super) fn from_serde(error: &serde_json::Error, json: &[u8]) -> Self {
        if json.trim_ascii().is_empty() {
            return Self::new("", "it is empty: `tenants` and `prices` are needed at least");
        }
        let place = LineColumn { line: error.line(), column: error.column() };
        let text = error.to_string();
        let problem = text.strip_suffix(&format!(" at line {} column {}", place.line, place.column)).unwrap_or(&text);
        let problem = match error.classify() {
            Category::Syntax | Category::Eof => format!("not JSON: {problem}"),
            Category::Data | Category::Io => renamed(problem).unwrap_or_else(|| problem.to_owned()),
        };
        Self { path: path_at(json, place), problem, place: Some(place) }
    }
}

/// What to say to whoever wrote a key's old name.
fn renamed(problem: &str) -> Option<String> {
    let (written, _) = problem.strip_prefix("unknown field `")?.split_once('`')?;
    let (old, new) = RENAMED.iter().find(|(old, _)| *old == written)?;
    Some(format!("`{old}` is called `{new}` now"))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        write!(f, "{path}: {}", self.problem)?;
        match self.place {
            Some(LineColumn { line, column }) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
