//! What a field may say, by what it is.

use super::{Invalid, Said};
use crate::json::{Found, Hit, Number};
use crate::kept::Id;
use crate::llm::schema::{Asked, Schema, Small};
use crate::name;
use crate::units::Tokens;

/// What is said of a name that is none.
pub(super) const NAME: &str = "a string of 1 to 256 bytes without control characters";

/// Refuses a repetition, by the same name or another spelling: the value checked here must be the one that the provider
/// will use.
pub(super) fn once(field: &'static str, hit: &Hit<'_, Asked>, before: bool) -> Result<(), Invalid> {
    if hit.repeated || before { Err(Invalid::Repeated(field)) } else { Ok(()) }
}

pub(super) fn name(field: &'static str, hit: &Hit<'_, Asked>) -> Result<String, Invalid> {
    match hit.found {
        Found::Text { text, cut: false } if name::is_name(text) => Ok(text.to_owned()),
        _ => Err(Invalid::Wrong { field, expected: NAME }),
    }
}

/// The id of something that the provider may have; `null`, and an empty one, is of nothing.
pub(super) fn id(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<Id>, Invalid> {
    match hit.found {
        Found::Text { text, cut: false } if is_id(text) => Ok((!text.is_empty()).then(|| Id::of(text))),
        Found::Null | Found::Closed { .. } => Ok(None),
        _ => Err(Invalid::Wrong { field, expected: "an id of at most 256 bytes: letters, digits and `_.:~-=+/`" }),
    }
}

/// What is kept under an id is found by a hash of it: with any other byte, which a server may read over, another's could be made to
/// have the hash of one's own.
pub fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:~-=+/".contains(&byte))
}

/// A flag that may be left `null`.
pub(super) fn flag(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<bool>, Invalid> {
    match hit.found {
        Found::Bool(flag) => Ok(Some(flag)),
        Found::Null => Ok(None),
        _ => Err(Invalid::Wrong { field, expected: "true or false" }),
    }
}

/// A count that may be nothing, or left `null`.
pub(super) fn whole(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<u64>, Invalid> {
    match hit.found {
        Found::Number(Number::Whole(count)) => Ok(Some(count)),
        Found::Null => Ok(None),
        _ => Err(Invalid::Wrong { field, expected: "a whole number" }),
    }
}

/// A count that may be left `null`.
pub(super) fn count(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<u64>, Invalid> {
    match hit.found {
        Found::Number(Number::Whole(count @ 1..)) => Ok(Some(count)),
        Found::Null => Ok(None),
        _ => Err(Invalid::Wrong { field, expected: "a whole number of at least 1" }),
    }
}

/// What a bound says: some SDKs write `null` for none, and each API has its own idea of 0 and of what is less.
pub(super) fn said(schema: &Schema, field: &'static str, hit: &Hit<'_, Asked>) -> Result<Said, Invalid> {
    let small = match hit.found {
        Found::Number(Number::Whole(0)) => schema.zero,
        Found::Number(Number::Negative) => schema.negative,
        _ => return Ok(count(field, hit)?.map_or(Said::Null, |count| Said::Tokens(Tokens(count)))),
    };
    match small {
        Small::Open => Ok(Said::Over),
        Small::Nothing => Ok(Said::Tokens(Tokens(0))),
        Small::Either => Ok(Said::Kept),
        Small::Refused => Err(Invalid::Wrong { field, expected: "a whole number of at least 1" }),
    }
}
