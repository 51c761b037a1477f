//! What is asked of Envoy, as plain values. The only other files that name the proxy-wasm SDK are in `filter`.
//!
//! A panic kills the worker's VM. The SDK's trait getters unwrap every answer; the host calls used here directly pass on
//! the few statuses that Envoy does answer in the phases they are made in, and each of those has an answer of ours. On
//! any other status the SDK itself panics, so what matters is to call nothing outside its phase.

pub mod admin;
pub mod attempts;
pub mod attributes;
pub mod blame;
pub mod breakers;
pub mod canaries;
pub mod cells;
pub mod chain;
pub mod chance;
pub mod clock;
pub mod densities;
pub mod ending;
pub mod filter_state;
pub mod http;
pub mod kept;
pub mod lines;
mod memory;
mod pairs;
mod properties;
mod shared_data;
pub mod stats;
