//! What is asked of Envoy, as plain values. The only other files that name the proxy-wasm SDK are in `filter`.
//!
//! The SDK's trait getters unwrap, and a panic kills the worker's VM: here its host calls are used directly, and what
//! can fail has an answer.

pub mod cells;
pub mod exchange_facts;
pub mod http;
pub mod stats;
