//! Copies of requests, which Envoy's mirror takes where a header says so, and brings back by a listener of its own.

use crate::exchange::{self, Exchange};
use crate::filter::books;
use crate::filter::plugin::Plugin;
use crate::headers::Headers;
use crate::host::{attributes, chance, http};
use crate::likeness::PairKey;
use crate::policy::Policy;
use crate::units::UnixNanos;

/// Whether it came by the listener of copies. A header says what any client likes; a filter chain, only what Envoy's configuration does.
pub(super) fn is_copy(policy: &Policy, headers: &Headers) -> bool {
    policy.shadows.as_ref().is_some_and(|shadows| {
        headers.get(exchange::SHADOW_NAME).is_some() && attributes::filter_chain() == *shadows.filter_chain
    })
}

/// Has Envoy copy a request that goes on, if a shadow wants it and may still have money: the copy itself asks for that.
#[inline(never)]
pub(super) fn send(plugin: &Plugin, exchange: &mut Exchange, now: UnixNanos) {
    let Some(account) = exchange.copy_paid_by(&plugin.policy) else { return };
    if books::may_have_money(plugin, account, now) {
        for (name, value) in exchange.mirrored(&plugin.policy, PairKey::drawn(chance::drawn())) {
            http::set_request_header(name, &value);
        }
    }
}

/// What no filter reads may have a route that mirrors all the same: to whatever cluster its client writes.
pub(super) fn strip(headers: &Headers) {
    if headers.get(exchange::MIRROR).is_some() {
        http::remove_request_header(exchange::MIRROR);
    }
}
