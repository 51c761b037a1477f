//! The query of a request, made anew of the parameters that its API knows.
//!
//! Trade-off: names are compared decoded, as the provider's server would (`%66ields` is `fields`), and what passes is
//! written in one spelling. So no second reading of the same bytes finds a parameter that was not judged.

use super::{Kind, LeftOut, Unclear};
use crate::llm::path::decoded;
use crate::llm::schema::Dialect::{self, Anthropic, Gemini, OpenAi};

enum Value {
    OneOf(&'static [&'static str]),
    Plain,
}

/// A row a parameter. What Google's servers take of any request (`fields`, `alt=proto`, `key`, `access_token`,
/// `prettyPrint`, `quotaUser`, each with or without a `$`) hides the usage, or names another account.
const PARAMETERS: [(Dialect, &str, Value); 3] = [
    // Azure's; the version decides which fields there are.
    (OpenAi, "api-version", Value::Plain),
    (Anthropic, "beta", Value::OneOf(&["true"])),
    (Gemini, "alt", Value::OneOf(&["sse", "json"])),
];

/// The path with the query that goes on, where it is another than the client's.
pub fn rebuilt(
    path: &str,
    dialect: Dialect,
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
        left_out.drop(Kind::Query, b"#");
    }
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut new = String::with_capacity(path.len());
    new.push_str(bare);
    let mut seen: Vec<&str> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (written, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decoded(written.as_bytes());
        let is_it = |known: &str| known.as_bytes().eq_ignore_ascii_case(&name);
        let of_api = PARAMETERS.iter().find(|(of, known, _)| *of == dialect && is_it(known));
        let passes = match of_api {
            Some((_, known, allowed)) => plain(value, allowed).map(|value| (*known, value)),
            None => more.iter().find(|known| is_it(known)).and_then(|known| Some((known.as_str(), whole(value)?))),
        };
        let known =
            of_api.map(|(_, known, _)| *known).or_else(|| more.iter().map(String::as_str).find(|known| is_it(known)));
        if let Some(known) = known {
            if seen.contains(&known) {
                return Err(Unclear::Twice(known.to_owned()));
            }
            seen.push(known);
        }
        match passes {
            Some((name, value)) => {
                new.push(if new.len() == bare.len() { '?' } else { '&' });
                new.extend([name, "=", &value]);
            }
            // What stands alone may be a value.
            None => left_out.drop(Kind::Query, if parameter.contains('=') { written.as_bytes() } else { b"" }),
        }
    }
    Ok((new != path).then_some(new))
}

/// A value that means the same however it is read.
fn plain(value: &str, allowed: &Value) -> Option<String> {
    let value = String::from_utf8(decoded(value.as_bytes())).ok()?;
    let passes = match allowed {
        Value::OneOf(known) => known.contains(&value.as_str()),
        Value::Plain => value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    passes.then_some(value)
}

/// A value of the operator's own parameter, as the client wrote it. Some servers part parameters at a `;` as well.
fn whole(value: &str) -> Option<String> {
    value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';').then(|| value.to_owned())
}
