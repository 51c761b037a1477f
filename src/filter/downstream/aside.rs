//! Requests that cost nothing.

use super::{Coming, Downstream, PIECE, shadow, status};
use crate::exchange::{Onward, Side};
use crate::headers::Headers;
use crate::host::{attributes, cells, clock, filter_state, http, kept};
use crate::llm::path::Free;
use crate::view::usage;
use proxy_wasm::types::{Action, BufferType};
use std::rc::Rc;

impl Downstream {
    /// What is no exchange: what costs nothing is a tenant's all the same, and the gateway tells its models itself.
    pub(super) fn aside(&mut self, headers: &Headers, end_of_stream: bool) -> Action {
        let plugin = Rc::clone(&self.plugin);
        let policy = &plugin.policy;
        let Some(side) = Side::of(policy, headers) else {
            shadow::strip(headers);
            return Action::Continue;
        };
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
        if side.what == Free::Usage {
            return match policy.tenant_policy(side.tenant) {
                Some(tenant) => status::page(usage::page(policy, tenant, cells::read, clock::now())),
                None => Action::Continue,
            };
        }
        // No window counts these: what bounds them is how many of a tenant's may be open at once.
        match plugin.waiting.enter(tenant) {
            Ok(place) => self.place = Some(place),
            Err(crowd) => return self.reply_after(Coming::Nothing, side.crowded(crowd, headers), tenant),
        }
        let cluster = attributes::cluster();
        match side.onward(policy, headers, cluster.as_deref(), kept::knows) {
            Ok(Onward { cut, plan }) => {
                self.beside = Some(side.dialect);
                http::cut(&cut);
                if let Some(plan) = plan {
                    filter_state::set_plan(&plan);
                }
                self.counted = if end_of_stream { None } else { side.counted(policy, headers, cluster.as_deref()) };
                let holds = policy.hold_headers && self.counted.is_some();
                if holds { Action::Pause } else { Action::Continue }
            }
            Err(reply) => self.reply_after(coming, reply, tenant),
        }
    }

    /// The next bytes of what costs nothing.
    pub(super) fn counted_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        let Some(counted) = &mut self.counted else { return Action::Continue };
        let tenant = Some(counted.tenant);
        let mut refused = None;
        if !end_of_stream && let Some(Err(crowd)) = self.place.as_mut().map(|place| place.grow(buffered, 0)) {
            refused = Some((Coming::Nothing, counted.crowded(crowd)));
        }
        while refused.is_none() {
            let done = usize::try_from(counted.received()).unwrap_or(usize::MAX);
            let wanted = buffered.saturating_sub(done).min(PIECE);
            let piece = if wanted == 0 { Vec::new() } else { http::body(BufferType::HttpRequestBody, done, wanted) };
            if piece.is_empty() {
                return if end_of_stream { self.counted_end() } else { Action::Pause };
            }
            let coming = if end_of_stream { Coming::Nothing } else { Coming::Unknown };
            refused = counted.body(&self.plugin.policy, &piece).map(|reply| (coming, reply));
        }
        let Some((coming, reply)) = refused else { return Action::Pause };
        (self.counted, self.beside) = (None, None);
        let action = self.reply_after(coming, reply, tenant);
        if let Some(late) = &mut self.late {
            late.drop_body(buffered, end_of_stream);
        }
        action
    }

    /// Its end has come.
    pub(super) fn counted_end(&mut self) -> Action {
        let Some(counted) = self.counted.take() else { return Action::Continue };
        let tenant = Some(counted.tenant);
        if let Some(place) = &mut self.place {
            // Envoy holds nothing more of it; what it has no room for was said before.
            let _ = place.grow(0, 0);
        }
        match counted.end(&self.plugin.policy, kept::knows) {
            Ok(()) => Action::Continue,
            Err(reply) => {
                self.beside = None;
                self.reply_after(Coming::Nothing, reply, tenant)
            }
        }
    }
}
