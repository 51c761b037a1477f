//! What a request or its answer says, held against its tenant's rules about texts.

use super::Exchange;
use crate::content::{Prompt, Refused, Screened};
use crate::llm::request::Request;
use crate::outcome::{Outcome, Rejection, Reply};
use crate::record::content::{Looked, Seen};
use crate::route::{BySight, Sensitivity};
use std::rc::Rc;

impl Exchange {
    /// No more of a request is wanted that is refused whoever may see it.
    #[cold]
    pub(super) fn refuse_unread(&mut self, refused: &Refused, seen: Seen) -> Reply {
        self.looked = Some(Box::new(Looked { request: seen, ..Looked::default() }));
        self.refuse(request_refused(refused, ""))
    }

    /// Looks at what its texts say, now that it is known whose they are. What is refused wherever it goes goes nowhere.
    pub(super) fn screen(
        &mut self,
        prompt: Prompt,
        request: &Request,
        tenant: &Rc<str>,
    ) -> Result<BySight<Screened>, Rejection> {
        let screened = prompt.screened(self.role.as_deref(), request.spoken, tenant);
        let anywhere = screened.at(Sensitivity::Restricted);
        self.looked = Some(Box::new(Looked { request: anywhere.seen.clone(), ..Looked::default() }));
        match &anywhere.refused {
            Some(refused) => Err(request_refused(refused, "")),
            None => Ok(screened),
        }
    }
}

/// `to` whom it may not go, if not to everybody.
pub(super) fn request_refused(refused: &Refused, to: &str) -> Rejection {
    Rejection::plain(Outcome::ContentRefused, request_message(refused, to))
}

pub(super) fn answer_refused(refused: &Refused) -> Rejection {
    Rejection::plain(Outcome::ContentRefused, answer_message(refused))
}

/// Never what was found: a message goes into logs.
fn request_message(refused: &Refused, to: &str) -> String {
    match refused {
        Refused::Found { rule, label, place } => format!(
            "A rule of this gateway, `{rule}`, does not let the request through{to}: it found {label} in a text of the kind `{}`. Nothing \
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
