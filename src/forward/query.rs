//! The query of a request, made anew of the parameters that its API knows.
//!
//! Trade-off: names are compared decoded, as the provider's server would (`%66ields` is `fields`), and what passes is
//! written in one spelling. So no second reading of the same bytes finds a parameter that was not judged.

use super::{Dropped, LeftOut, Unclear};
use crate::llm::path::decoded;
use crate::llm::schema::Dialect::{self, Anthropic, Gemini, OpenAi};

enum QueryValue {
    OneOf(&'static [&'static str]),
    Plain,
    /// One of a list: the parameter may come again.
    Item,
}

/// A parameter: of which API, how it is called, and how it is written.
struct Parameter(Dialect, &'static str, &'static str, QueryValue);

/// What the request does: most parameters choose how something stored is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    Makes,
    Reads,
}

/// A row a parameter. What Google's servers take of any request (`fields`, `alt=proto`, `key`, `access_token`,
/// `prettyPrint`, `quotaUser`, each with or without a `$`) hides the usage, or names another account.
const PARAMETERS: [Parameter; 3] = [
    // Azure's; the version decides which fields there are.
    Parameter(OpenAi, "api-version", "api-version", QueryValue::Plain),
    Parameter(Anthropic, "beta", "beta", QueryValue::OneOf(&["true"])),
    Parameter(Gemini, "alt", "alt", QueryValue::OneOf(&["sse", "json"])),
];

/// Of a response that was stored. To a request that makes something they are nobody's.
const OF_WHAT_IS_STORED: [Parameter; 7] = [
    Parameter(OpenAi, "stream", "stream", QueryValue::OneOf(&["true", "false"])),
    Parameter(OpenAi, "starting_after", "starting_after", QueryValue::Plain),
    Parameter(OpenAi, "include[]", "include%5B%5D", QueryValue::Item),
    Parameter(OpenAi, "include", "include", QueryValue::Item),
    Parameter(OpenAi, "after", "after", QueryValue::Plain),
    Parameter(OpenAi, "limit", "limit", QueryValue::Plain),
    Parameter(OpenAi, "order", "order", QueryValue::OneOf(&["asc", "desc"])),
];

/// The path with the query that goes on, where it is another than the client's.
pub fn rebuilt(
    path: &str,
    dialect: Dialect,
    does: Does,
    more: &[String],
    left_out: &mut LeftOut,
) -> Result<Option<String>, Unclear> {
    let Some(at) = path.find(['?', '#']) else { return Ok(None) };
    let Some((bare, rest)) = path.split_at_checked(at) else { return Ok(None) };
    let (query, fragment) = match rest.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (rest, None),
    };
    if fragment.is_some() {
        left_out.drop(Dropped::Query, b"#");
    }
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut new = String::with_capacity(path.len());
    new.push_str(bare);
    let mut seen: Vec<&str> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (written, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decoded(written.as_bytes());
        let is_it = |known: &str| known.as_bytes().eq_ignore_ascii_case(&name);
        let stored: &[Parameter] = if does == Does::Reads { &OF_WHAT_IS_STORED } else { &[] };
        let of_api = PARAMETERS.iter().chain(stored).find(|Parameter(of, known, ..)| *of == dialect && is_it(known));
        let of_operator = || more.iter().map(String::as_str).find(|known| is_it(known));
        let (known, passes) = match of_api {
            Some(Parameter(_, known, _, QueryValue::Item)) if seen.contains(known) => {
                (None, plain(value, &QueryValue::Item))
            }
            Some(Parameter(_, known, _, allowed)) => (Some(*known), plain(value, allowed)),
            None => (of_operator(), of_operator().and_then(|_| whole(value))),
        };
        if let Some(known) = known {
            if seen.contains(&known) {
                return Err(Unclear::Twice(known.to_owned()));
            }
            seen.push(known);
        }
        let name = of_api.map(|Parameter(_, _, written, _)| *written).or_else(of_operator).unwrap_or_default();
        let passes = passes.map(|value| (name, value));
        match passes {
            Some((name, value)) => {
                new.push(if new.len() == bare.len() { '?' } else { '&' });
                new.extend([name, "=", &value]);
            }
            // What stands alone may be a value.
            None => left_out.drop(Dropped::Query, if parameter.contains('=') { written.as_bytes() } else { b"" }),
        }
    }
    Ok((new != path).then_some(new))
}

/// A value that means the same however it is read.
fn plain(value: &str, allowed: &QueryValue) -> Option<String> {
    let value = String::from_utf8(decoded(value.as_bytes())).ok()?;
    let passes = match allowed {
        QueryValue::OneOf(known) => known.contains(&value.as_str()),
        QueryValue::Plain | QueryValue::Item => {
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    };
    passes.then_some(value)
}

/// A value of the operator's own parameter, as the client wrote it. Some servers part parameters at a `;` as well.
fn whole(value: &str) -> Option<String> {
    value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';').then(|| value.to_owned())
}
