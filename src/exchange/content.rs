//! What a request or its answer says, held against its tenant's rules about texts.

use super::Exchange;
use crate::content::{Prompt, Refused, Screened};
use crate::outcome::{Outcome, Rejection};
use crate::record::content::Looked;
use std::mem;
use std::rc::Rc;

impl Exchange {
    /// Looks at what its texts say, now that it is known whose they are.
    pub(super) fn screen(&mut self, prompt: Prompt, tenant: &Rc<str>) -> Result<Screened, Rejection> {
        let mut screened = prompt.screened(self.role.as_deref(), tenant);
        self.looked = Some(Box::new(Looked { request: mem::take(&mut screened.seen), ..Looked::default() }));
        match screened.refused.take() {
            Some(refused) => Err(Rejection::plain(Outcome::ContentRefused, request_message(&refused))),
            None => Ok(screened),
        }
    }
}

pub(super) fn answer_refused(refused: &Refused) -> Rejection {
    Rejection::plain(Outcome::ContentRefused, answer_message(refused))
}

/// Never what was found: a message goes into logs.
fn request_message(refused: &Refused) -> String {
    match refused {
        Refused::Found { rule, label, place } => format!(
            "A rule of this gateway, `{rule}`, does not let the request through: it found {label} in a text of the kind `{}`. Nothing \
             was sent to a provider. Take it out, or ask the gateway's operator.",
            place.name()
        ),
        Refused::Opaque(what) => format!(
            "The rules of this gateway could not look at all of the request (`{}`), and it is not sent on without. Send it as text \
             that is JSON, or ask the gateway's operator.",
            what.name()
        ),
    }
}

/// The same of an answer.
fn answer_message(refused: &Refused) -> String {
    match refused {
        Refused::Found { rule, label, place } => format!(
            "The model's answer was ended: a rule of this gateway, `{rule}`, does not let it through. It found {label} in a text of the \
             kind `{}`. Ask for something else, or ask the gateway's operator.",
            place.name()
        ),
        Refused::Opaque(what) => format!(
            "The model's answer was ended: the rules of this gateway could not look at all of it (`{}`), and it does not go on without.",
            what.name()
        ),
    }
}
