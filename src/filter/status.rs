//! The gateway's own pages: health and metrics, made of what Envoy's admin answers while the request waits.

use super::plugin::Plugin;
use crate::breaker;
use crate::headers::Headers;
use crate::host::{admin, attributes, clock, http};
use crate::network;
use crate::policy::StatusPages;
use crate::view::{Page, health, metrics};
use proxy_wasm::types::Action;
use serde_json::json;

const JSON: &str = "application/json";

/// A page that was asked for: its answer comes with the admin's.
#[derive(Clone, Copy, Debug)]
pub struct Pending(Page);

/// What a request for a page comes to at once.
pub enum AtOnce {
    /// It is none, or there are none.
    No,
    Replied(Action),
    Waiting(Pending),
}

pub fn ask(plugin: &Plugin, headers: &Headers) -> AtOnce {
    let Some(StatusPages { cluster, filter_chain, allow }) = &plugin.policy.status else { return AtOnce::No };
    let [method, path] = [":method", ":path"].map(|name| headers.get(name).unwrap_or_default());
    let Some(page) = Page::called(method, path) else { return AtOnce::No };
    if filter_chain.as_deref().is_some_and(|chain| attributes::filter_chain() != chain) {
        return AtOnce::No;
    }
    // A proxy in front speaks for others: its own address says nothing of who asks.
    let forwarded = headers.get("x-forwarded-for").is_some();
    if forwarded || !network::is_in_one(allow, &attributes::source()) {
        let message = "This page is only for the addresses under `status.allow`, and not through a proxy.";
        let error = json!({"message": message, "type": "permission_error", "param": null, "code": "not_allowed"});
        return AtOnce::Replied(reply(403, JSON, json!({"error": error}).to_string().into_bytes()));
    }
    match admin::ask(cluster, page.asks()) {
        Some(_) => AtOnce::Waiting(Pending(page)),
        None => AtOnce::Replied(unavailable(page)),
    }
}

impl Pending {
    /// The admin has answered, or its time is up.
    pub fn answered(self, plugin: &Plugin, headers: usize, size: usize) {
        let Self(page) = self;
        let replied = match page {
            Page::Health => {
                admin::answer(headers, size, breaker::MOST_BYTES).and_then(|clusters| learn(plugin, &clusters))
            }
            Page::Metrics => admin::answer(headers, size, metrics::MOST_BYTES).map(|stats| {
                let page = metrics::page(&String::from_utf8_lossy(&stats));
                reply(200, "text/plain; version=0.0.4; charset=utf-8", page.into_bytes())
            }),
        };
        if replied.is_none() {
            unavailable(page);
        }
    }
}

fn learn(plugin: &Plugin, clusters: &[u8]) -> Option<Action> {
    let seen = breaker::seen(&plugin.policy, clusters)?;
    let now = clock::now();
    // All workers may know it as well, and this client the beginning of a state that is new.
    plugin.breakers.learn(&plugin.policy, &seen, now);
    let (status, body) = health::page(&plugin.policy, &seen, &plugin.breakers.known(), now);
    Some(reply(status, JSON, body))
}

fn unavailable(page: Page) -> Action {
    let message = match page {
        Page::Health => "Envoy's admin can't be asked for the state of the providers.",
        Page::Metrics => {
            "Envoy's admin can't be asked for its stats, or has too many to tell here; scrape its own /stats/prometheus."
        }
    };
    let error = json!({"message": message, "type": "server_error", "param": null, "code": "status_unknown"});
    reply(503, JSON, json!({"status": "unknown", "error": error}).to_string().into_bytes())
}

/// A page that is known at once.
pub fn page(body: Vec<u8>) -> Action {
    reply(200, JSON, body)
}

fn reply(status: u32, content_type: &str, body: Vec<u8>) -> Action {
    let headers = vec![("content-type", content_type.to_owned()), ("cache-control", "no-store".to_owned())];
    http::send(status, &headers, &body);
    Action::Pause
}
