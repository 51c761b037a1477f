//! What a request offers, held against its tenant's rules about tools.

use super::Exchange;
use crate::llm::offered::Offers;
use crate::llm::request::{Edit, Request};
use crate::llm::tools::{SoldBy, ToolKind};
use crate::outcome::{Outcome, Rejection, shown};
use crate::policy::tools::{ToolRules, Why};
use crate::policy::{Policy, TenantIx};
use crate::tools::{self, Judged, Refusal};
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
        let levers: Vec<&str> =
            request.hosted.iter().filter(|tool| tool.is_uncounted()).map(|tool| lever(tool.kind)).collect();
        let mut judged = tools::judge(offers, rules, levers);
        self.tools = Some(Box::new(mem::take(&mut judged.seen)));
        if let Some(refusal) = &judged.refused {
            return Err(Rejection::plain(Outcome::ToolNotAllowed, message(refusal)));
        }
        request.leave_out(mem::take(&mut judged.members));
        judged.edits.sort_by_key(|Edit { place, .. }| (place.from, place.to));
        Ok(judged)
    }
}

/// What a request asks for by a field, or by its model's name, as a kind of tools.
const fn lever(kind: Option<ToolKind>) -> &'static str {
    match kind {
        Some(ToolKind::Sold(SoldBy::WebSearch)) => "web_search",
        Some(ToolKind::Sold(SoldBy::FileSearch)) => "file_search",
        _ => "other",
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
              own names."
            .to_owned(),
    };
    if *stays && *why == Why::NotAllowed {
        message.push_str(" It stands where this gateway can take nothing out.");
    }
    message
}
