//! Paths of what costs nothing, and known paths that are called by another method than they have.

use super::{PathPattern, Route, segments, without_query};
use crate::json::words::same;
use crate::llm::schema::Dialect;

/// What costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// A response that was made before: it is fetched, cancelled, deleted.
    Stored,
    /// How many tokens a request would have.
    Counts,
    /// Which models there are.
    Models,
    /// What the caller has left.
    Usage,
}

#[derive(Clone, Debug)]
pub struct FreeRoute {
    /// As `allow` lists them.
    methods: &'static str,
    pattern: PathPattern,
    what: Free,
    dialect: Dialect,
}

/// A request that costs nothing.
#[derive(Clone, Debug)]
pub struct FreePath {
    pub what: Free,
    pub dialect: Dialect,
    /// Of the model, or the id of what is stored.
    pub name: Option<String>,
}

/// What is kept is fetched wherever it may have been made: after any prefix, with a version or without.
pub(super) const FREE: [(&str, &str, Free, Dialect); 20] = [
    // The more exact first: `{model}` is an id here, and takes what is behind it.
    ("POST", "**/responses/input_tokens", Free::Counts, Dialect::OpenAi),
    ("GET", "**/responses/{model}/input_items", Free::Stored, Dialect::OpenAi),
    ("GET, DELETE", "**/responses/{model}", Free::Stored, Dialect::OpenAi),
    ("POST", "**/responses/{model}/cancel", Free::Stored, Dialect::OpenAi),
    // Of what is kept otherwise, no answer was noted: with `own` it is not there.
    ("GET, POST, DELETE", "**/chat/completions/{model}", Free::Stored, Dialect::OpenAi),
    ("GET, POST, DELETE", "**/conversations/{model}", Free::Stored, Dialect::OpenAi),
    ("GET, POST, DELETE", "**/containers/{model}", Free::Stored, Dialect::OpenAi),
    ("GET", "**/interactions/{model}:stream", Free::Stored, Dialect::Gemini),
    ("GET, DELETE", "**/interactions/{model}", Free::Stored, Dialect::Gemini),
    ("POST", "**/interactions/{model}/cancel", Free::Stored, Dialect::Gemini),
    ("POST", "**/v1/messages/count_tokens", Free::Counts, Dialect::Anthropic),
    ("POST", "**/publishers/anthropic/models/count-tokens:rawPredict", Free::Counts, Dialect::Anthropic),
    ("POST", "**/models/{model}:countTokens", Free::Counts, Dialect::Gemini),
    ("GET", "**/v1/models", Free::Models, Dialect::OpenAi),
    ("GET", "**/v1/models/{model}", Free::Models, Dialect::OpenAi),
    ("GET", "**/v1beta/models", Free::Models, Dialect::Gemini),
    ("GET", "**/v1beta/models/{model}", Free::Models, Dialect::Gemini),
    ("GET", "**/v1beta/openai/models", Free::Models, Dialect::OpenAi),
    ("GET", "**/api/tags", Free::Models, Dialect::Ollama),
    ("GET", "/api/ai/usage", Free::Usage, Dialect::OpenAi),
];

pub fn free_routes() -> Vec<FreeRoute> {
    let route = |(methods, pattern, what, dialect): (_, &str, _, _)| {
        Some(FreeRoute { methods, pattern: PathPattern::new(pattern)?, what, dialect })
    };
    FREE.into_iter().filter_map(route).collect()
}

/// A path that is known, called by a method that it doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongMethod {
    pub dialect: Dialect,
    /// Those that it has, as `allow` lists them.
    pub allow: &'static str,
}

/// Whether a request is one of those, or calls a known path by another method than it has: a provider may list, change or delete by
/// that what is the account's. It is asked of what no route for money matches; what the operator's `paths` say is none of the
/// gateway's is none of these either, and `POST` of what is known to be read may be a route of the operator's own.
pub fn beside(free: &[FreeRoute], paid: &[Route], method: &[u8], path: &[u8]) -> Option<Result<FreePath, WrongMethod>> {
    let path = without_query(path);
    let segments = segments(&path);
    let is_left = || paid.iter().any(|route| route.schema.is_none() && route.pattern.matches(&segments).is_some());
    let mut known = None;
    for route in free {
        let Some(name) = route.pattern.matches(&segments) else { continue };
        if route.methods.split(", ").any(|known| same(known.as_bytes(), method)) {
            let name = (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned());
            return (!is_left()).then_some(Ok(FreePath { what: route.what, dialect: route.dialect, name }));
        }
        known = known.or(Some(WrongMethod { dialect: route.dialect, allow: route.methods }));
    }
    if method == b"POST" {
        return None;
    }
    let wrong = match paid.iter().find(|route| route.pattern.matches(&segments).is_some()) {
        Some(route) => route.schema.map(|schema| WrongMethod { dialect: schema.dialect, allow: "POST" }),
        None => known,
    };
    wrong.map(Err)
}
