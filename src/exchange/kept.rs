//! Requests that lean on what a provider keeps, or have it keep something: what of it is the tenant's to ask.

use crate::kept::{Id, StoredResponses};
use crate::llm::request::Request;
use crate::llm::schema::Schema;
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
        StoredResponses::Own => {
            if let Some((field, _)) = request.refers.iter().find(|(_, id)| !knows(*id)) {
                return Err(not_found(&format!(
                    "What the field `{field}` refers to was not found among this tenant's."
                )));
            }
        }
        StoredResponses::Refuse => {
            let field = match request.refers.first() {
                Some((field, _)) => Some(*field),
                None if request.background => Some("background"),
                None if request.store == Some(true) => Some("store"),
                None => None,
            };
            if let Some(field) = field {
                let message =
                    format!("The field `{field}` needs responses that the provider keeps, and here it keeps none.");
                return Err(Rejection::plain(Outcome::InvalidRequest, message));
            }
            // Chat completions are kept only where a request says so.
            request.keep_nothing = schema.background;
        }
    }
    Ok(())
}

/// What it refers to holds what the answers came to that made it; where that of one is not known, as much as the model reads.
pub(super) fn weigh(request: &mut Request, sizes: impl Fn(&[Id]) -> Option<Tokens>) {
    let Some((field, _)) = request.refers.first() else { return };
    let ids: Vec<Id> = request.refers.iter().map(|(_, id)| *id).collect();
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
    stored != StoredResponses::Refuse && schema.background && request.store != Some(false)
}

/// Whether somebody may ask for the answer by its ids.
pub(super) fn may_be_kept(stored: StoredResponses, schema: &Schema, request: &Request) -> bool {
    stored == StoredResponses::Own && schema.background && request.store != Some(false)
}

pub(super) fn not_found(message: &str) -> Rejection {
    Rejection::plain(Outcome::ResponseNotFound, message)
}

#[cfg(test)]
mod tests;
