//! What a request offers, held against its tenant's rules about tools.

use super::Exchange;
use crate::llm::offered::Offers;
use crate::llm::request::{Cut, Edit, Place, Request, in_order};
use crate::order;
use crate::outcome::{Outcome, Rejection, shown};
use crate::policy::tools::{ToolRules, Why};
use crate::policy::{Policy, TenantIx};
use crate::tools::{self, Judged, Refusal, Refused};
use std::mem;
use std::rc::Rc;

/// The rules about tools that hold for a tenant, if there are any.
pub(super) fn rules(policy: &Policy, tenant: TenantIx) -> Option<&Rc<ToolRules>> {
    policy.tools.of(policy.tenant_policy(tenant)?.rules.tools?)
}

impl Exchange {
    /// What is taken out of the request, or written into it: beside what else is edited.
    #[cold]
    #[inline(never)]
    pub(super) fn offered(
        &mut self,
        offers: &Offers,
        rules: &ToolRules,
        request: &mut Request,
    ) -> Result<Judged, Rejection> {
        let levers = request.hosted.iter().filter(|tool| tool.is_lever()).map(|_| "web_search");
        let mut judged = tools::judge(offers, rules, levers);
        self.tools = Some(Box::new(mem::take(&mut judged.seen)));
        if let Some(refusal) = &judged.refused {
            return Err(Rejection::plain(Outcome::ToolNotAllowed, message(refusal)));
        }
        in_order(&mut judged.edits);
        let members = mem::take(&mut judged.members);
        take_out(request, &judged.edits, &members);
        request.leave_out(members);
        Ok(judged)
    }
}

pub(super) fn call_refused(refused: &Refused) -> Rejection {
    Rejection::plain(Outcome::ToolNotAllowed, call_message(refused))
}

/// What goes is neither paid nor priced. Neither edits nor members overlap.
fn take_out(request: &mut Request, edits: &[Edit], members: &[Cut]) {
    let mut gone: Vec<Place> = edits.iter().map(|edit| edit.place).chain(members.iter().map(Cut::place)).collect();
    if gone.is_empty() {
        return;
    }
    order::sort_by_key(&mut gone, |place| place.to);
    request.take_tools_out(|at| {
        let next = gone.get(gone.partition_point(|place| place.to <= at));
        next.is_some_and(|place| place.from <= at)
    });
}

/// Never what was said: only what it is about.
fn call_message(Refused { kind, name, why, fault, .. }: &Refused) -> String {
    let what = format!("a call of `{}` (`{}`)", shown(name), shown(kind));
    match (why, fault) {
        (Why::Arguments, Some(fault)) => {
            format!("The model's answer was ended: its arguments for {what} are not as the registered schema says: {fault}.")
        }
        (Why::Arguments, None) => format!(
            "The model's answer was ended: its arguments for {what} are no JSON that can be held against the registered schema."
        ),
        (Why::Unread, _) => {
            "The model's answer was ended: what it calls can't be told, and this tenant's rules let only through what can.".to_owned()
        }
        _ => format!("The model's answer was ended: it has {what}, which is not one that this tenant may use."),
    }
}

fn message(Refusal { kind, name, why, stays }: &Refusal) -> String {
    let what = match name {
        Some(name) => format!("The tool `{}` (`{}`)", shown(name), shown(kind)),
        None => format!("A tool of the kind `{}`", shown(kind)),
    };
    let mut message = match why {
        Why::NotAllowed => format!("{what} is not one that this tenant may use. Leave it out, or ask the gateway's operator."),
        Why::Unregistered => {
            format!("{what} is not registered here, and only registered functions may be used. Leave it out, or ask the gateway's operator.")
        }
        Why::Differs => format!(
            "{what} is registered here with another definition. Send its name alone, or the registered schema and description."
        ),
        _ => "What the request offers as tools can't be told: each must be an object that says each thing once, by its API's \
              own names, and none may come with what the provider keeps (`prompt`, `cachedContent`)."
            .to_owned(),
    };
    if *stays && *why == Why::NotAllowed {
        message.push_str(" It stands where this gateway can take nothing out.");
    }
    message
}
