//! Nexus AI Gateway for Envoy: tenants and money for a stock Envoy, in one proxy-wasm filter.
//!
//! The way of a request, and where it is written:
//!
//! 1. [`filter`]: Envoy's callbacks. Bytes in, one call to the core, its answer applied.
//! 2. [`exchange`]: the order of things, as a state machine without IO.
//! 3. [`tenant`], [`llm`]: whose request it is, and what it asks for ([`json`] reads it as it comes).
//! 4. [`forward`]: what of its head may go on to a provider.
//! 5. [`policy`] (from [`config`]), [`route`], [`price`]: what is allowed, who may serve it, what it may cost.
//!    Before it is decided, [`content`] has looked at its texts, if rules want it: [`detect`] finds, `llm::texts` says where.
//! 6. [`limit`]: the tenant's cell admits or refuses everything at once; [`host`] swaps it in shared data. [`replicas`]: where
//!    several Envoys have the same limits.
//! 7. [`attempt`]: each provider that Envoy tries gets the request as it wants it.
//! 8. [`llm::meter`]: reads the answer as it passes.
//! 9. [`record`]: what it came to, settled, counted and logged, under one of the codes of [`outcome`].
//!
//! Beside it, [`view`] tells operators what Envoy's admin says of the gateway: health and metrics.
//!
//! Only this file, `filter` and `host` know the proxy-wasm host; everything else is plain Rust under plain tests. Public is what
//! the tools and tests of this repository use.

#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, reason = "a test that overflows must fail, and nobody is served by it")
)]

pub mod attempt;
mod base64;
mod breaker;
mod calendar;
mod canary;
pub mod config;
pub mod content;
pub mod detect;
mod digest;
pub mod exchange;
mod filter;
pub mod forward;
mod hash;
pub mod headers;
mod host;
pub mod json;
pub mod json_schema;
mod kept;
mod likeness;
pub mod limit;
pub mod llm;
pub mod name;
mod network;
mod order;
pub mod outcome;
pub mod policy;
pub mod price;
mod protobuf;
mod record;
pub mod replicas;
pub mod route;
mod tenant;
mod tools;
pub mod units;
mod view;

#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod floors;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(filter::root::Root::default()));
}}
