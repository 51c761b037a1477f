//! End to end: the shipped `envoy.yaml` in a real Envoy with two workers, in front of the simulated provider.
//!
//! Trade-off: an Envoy takes six seconds of a processor to start, nearly all of it to compile the plugin, so each module has one
//! for all its tests (several gateways may be one Envoy's: `Gateway::together`), and tests keep apart by tenant or take turns.
//! What the gateway says (stats, records) is checked against what the provider billed, never against itself.

#![expect(clippy::disallowed_methods, reason = "only the filter is told the time by its host")]

mod affinity;
mod agents;
mod answer_heads;
mod apis;
mod breakers;
mod budgets;
mod check;
mod client;
mod cluster;
mod compressed;
mod content;
mod crowd;
mod crowding;
mod demo;
mod endings;
mod ends;
mod envoy;
mod envoy_gateway;
mod failover;
mod forwarded;
mod groups;
mod heads;
mod hidden;
mod hostile;
mod image;
mod inflated;
mod instead;
mod istio;
mod limits;
mod model_groups;
mod names;
mod native;
mod neighbours;
mod opening;
mod postgres;
mod production;
mod prometheus;
mod real_servers;
mod refused_bodies;
mod reload;
mod sdk;
mod shadows;
mod side_requests;
mod sides;
mod smoke;
mod splitting;
mod status;
mod streams;
mod tool_caller;
mod tools;
mod translated;
mod variants;
mod wire;

/// The top of the repository.
fn top() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/gateway is two folders below it")
}
