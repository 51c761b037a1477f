//! Why a body is no request.

use crate::json::Malformed;
use crate::llm::form;
use std::fmt;

/// Why a request is refused as `invalid_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    Json(Malformed),
    NotAnObject,
    Form(form::Fault),
    Missing(&'static str),
    /// Of another API by what it has.
    Elsewhere,
    /// The provider would take it from a prompt that it has kept.
    ModelOfPrompt,
    Repeated(&'static str),
    Wrong {
        field: &'static str,
        expected: &'static str,
    },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(malformed) => malformed.fmt(f),
            Self::NotAnObject => f.write_str("the body must be a JSON object"),
            Self::Form(fault) => write!(f, "the form {fault}"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Elsewhere => f.write_str(
                "the field `messages` is missing; `input` belongs to the Responses API, so either send `messages` or set the \
                 client to `/v1/responses`",
            ),
            Self::ModelOfPrompt => f.write_str(
                "the field `model` is missing; this gateway needs it beside `prompt` too, for what a request may cost must be \
                 known before it is sent",
            ),
            Self::Repeated(field) => write!(f, "the field `{field}` is given more than once, or in other letters"),
            Self::Wrong { field, expected } => write!(f, "the field `{field}` must be {expected}"),
        }
    }
}
