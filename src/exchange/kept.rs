//! Requests that lean on what a provider keeps, or have it keep something: what of it is the tenant's to ask.

use crate::kept::{Id, StoredResponses};
use crate::llm::request::Request;
use crate::llm::schema::{SPOKEN, Schema};
use crate::llm::tools::{SoldBy, ToolKind};
use crate::outcome::{Outcome, Rejection};
use crate::units::Tokens;

/// What it refers to must be the tenant's, as far as the operator wants to know.
pub(super) fn judge(
    stored: StoredResponses,
    schema: &Schema,
    request: &mut Request,
    knows: impl Fn(Id) -> bool,
) -> Result<(), Rejection> {
    match stored {
        StoredResponses::Any => {}
        StoredResponses::Own => own(stored, &request.refers, knows)?,
        StoredResponses::Refuse => {
            own(stored, &request.refers, knows)?;
            if request.background {
                return Err(kept_nowhere("background"));
            }
            if request.store == Some(true) {
                return Err(kept_nowhere("store"));
            }
            // Chat completions are kept only where a request says so.
            request.keep_nothing = schema.keeps;
        }
    }
    Ok(())
}

/// What is referred to must be the tenant's, whatever the request is for.
pub(super) fn own(
    stored: StoredResponses,
    refers: &[(&'static str, Id)],
    knows: impl Fn(Id) -> bool,
) -> Result<(), Rejection> {
    let unknown = match stored {
        StoredResponses::Any => None,
        StoredResponses::Own => refers.iter().find(|(_, id)| !knows(*id)),
        StoredResponses::Refuse => refers.first(),
    };
    match unknown {
        None => Ok(()),
        Some((field, _)) if stored == StoredResponses::Refuse => Err(kept_nowhere(field)),
        Some((field, _)) => {
            Err(not_found(&format!("What the field `{field}` refers to was not found among this tenant's.")))
        }
    }
}

fn kept_nowhere(field: &str) -> Rejection {
    let message = format!("The field `{field}` needs responses that the provider keeps, and here it keeps none.");
    Rejection::plain(Outcome::InvalidRequest, message)
}

/// What it refers to holds what the answers came to that made it; where that of one is not known, as much as the model reads.
pub(super) fn weigh(request: &mut Request, sizes: impl Fn(&[Id]) -> Option<Tokens>) {
    // What was spoken has its own reserve.
    let refers = || request.refers.iter().filter(|(field, _)| *field != SPOKEN);
    let Some((field, _)) = refers().next() else { return };
    let ids: Vec<Id> = refers().map(|(_, id)| *id).collect();
    match sizes(&ids) {
        Some(tokens) => {
            request.hidden.held = request.hidden.held.plus(tokens);
            request.hidden.held_by.get_or_insert(field);
        }
        None => {
            request.hidden.whole.get_or_insert(field);
        }
    }
}

/// Whether a request of its tenant may go on from the answer.
pub(super) fn may_be_gone_on_from(stored: StoredResponses, schema: &Schema, request: &Request) -> bool {
    stored != StoredResponses::Refuse && schema.keeps && request.store != Some(false)
}

/// Whether it is one of several requests that only one provider can serve: what one has kept, the others don't have.
pub(super) fn leans(stored: StoredResponses, schema: &Schema, request: &Request) -> bool {
    !request.refers.is_empty() || may_be_gone_on_from(stored, schema, request)
}

/// Whether somebody may ask for the answer by its ids; or for the container in which its code ran, whatever else is kept.
pub(super) fn may_be_kept(stored: StoredResponses, schema: &Schema, request: &Request) -> bool {
    let keeps = schema.keeps && request.store != Some(false) || request.speaks;
    let container = Some(ToolKind::Sold(SoldBy::Container));
    stored == StoredResponses::Own && (keeps || request.hosted.iter().any(|tool| tool.kind == container))
}

pub(super) fn not_found(message: &str) -> Rejection {
    Rejection::plain(Outcome::ResponseNotFound, message)
}

#[cfg(test)]
mod tests;
