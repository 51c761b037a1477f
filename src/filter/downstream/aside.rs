//! Requests that cost nothing.

use super::{Coming, Downstream, status};
use crate::exchange::{Passage, Side};
use crate::headers::Headers;
use crate::host::{attributes, clock, filter_state, http, kept};
use crate::llm::path::Free;
use proxy_wasm::types::Action;
use std::rc::Rc;

impl Downstream {
    /// What is no exchange: what costs nothing is a tenant's all the same, and the gateway tells its models itself.
    pub(super) fn aside(&mut self, headers: &Headers, end_of_stream: bool) -> Action {
        let plugin = Rc::clone(&self.plugin);
        let policy = &plugin.policy;
        let Some(side) = Side::of(policy, headers) else { return Action::Continue };
        let coming = if end_of_stream { Coming::Nothing } else { Coming::of(headers) };
        let side = match side {
            Err(reply) => return self.reply_after(coming, reply, None),
            Ok(side) => side,
        };
        let tenant = Some(side.tenant);
        if side.what == Free::Models {
            return match side.models(policy, headers, clock::now()) {
                Ok(page) => status::page(page),
                Err(reply) => self.reply_after(coming, reply, tenant),
            };
        }
        // No window counts these: what bounds them is how many of a tenant's may be open at once.
        match plugin.waiting.enter(tenant) {
            Ok(place) => self.place = Some(place),
            Err(crowd) => return self.reply_after(Coming::Nothing, side.crowded(crowd, headers), tenant),
        }
        match side.passage(policy, headers, attributes::cluster().as_deref(), kept::knows) {
            Ok(Passage { cut, plan }) => {
                self.beside = true;
                http::cut(&cut);
                if let Some(plan) = plan {
                    filter_state::set_plan(&plan);
                }
                Action::Continue
            }
            Err(reply) => self.reply_after(coming, reply, tenant),
        }
    }
}
