//! What Envoy knows of the stream at hand: the clock, attributes, and where its record goes.

use super::lines;
use crate::attempt::Failed;
use crate::exchange::{Ending, Told};
use crate::shared::State;
use crate::units::UnixNanos;
use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Bytes;
use std::time::UNIX_EPOCH;

/// Where the access log finds the record: `%FILTER_STATE(wasm.nexus_record:PLAIN)%`.
const RECORD: &str = "nexus_record";
/// What is set under a name is read under that name in `wasm.`, by attempts as well.
const PLAN: &str = "nexus_plan";
const PLAN_STATE: &str = "wasm.nexus_plan";
const FAILED: &str = "nexus_failed_attempts";
const FAILED_STATE: &str = "wasm.nexus_failed_attempts";

pub fn now() -> UnixNanos {
    let since = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    UnixNanos(since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0))
}

fn attribute(path: [&str; 2]) -> Option<Bytes> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

fn number(path: [&str; 2]) -> Option<u64> {
    let bytes = attribute(path)?;
    Some(u64::from_le_bytes(*bytes.first_chunk::<8>()?))
}

/// The cluster that the route chose.
pub fn cluster() -> Option<String> {
    attribute(["xds", "cluster_name"]).and_then(|name| String::from_utf8(name).ok()).filter(|name| !name.is_empty())
}

/// Where the request comes from: an address and a port.
pub fn source() -> String {
    attribute(["source", "address"]).map(|source| String::from_utf8_lossy(&source).into_owned()).unwrap_or_default()
}

/// By which of the listener's filter chains the connection came in.
pub fn filter_chain() -> String {
    let name = attribute(["xds", "filter_chain_name"]);
    name.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default()
}

/// Who made the answer at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Provider,
    /// Envoy, in the provider's stead.
    Envoy,
    /// A `ratelimit` filter of Envoy's: its service refused, or could not be asked.
    Refused,
    Unasked,
}

pub fn origin() -> Origin {
    match attribute(["response", "code_details"]).as_deref() {
        Some(b"via_upstream") => Origin::Provider,
        Some(b"request_rate_limited") => Origin::Refused,
        Some(b"rate_limiter_error") => Origin::Unasked,
        _ => Origin::Envoy,
    }
}

fn status() -> u64 {
    number(["response", "code"]).unwrap_or(0)
}

/// Attempts at a provider so far, the one at hand included.
pub fn attempts() -> u64 {
    number(["upstream", "request_attempt_count"]).unwrap_or(0)
}

pub fn set_plan(plan: &str) {
    set(PLAN, plan);
}

/// What the exchange has planned for its attempts.
pub fn plan() -> Option<String> {
    state(PLAN_STATE)
}

/// One more attempt that failed and told what it used.
pub fn add_failed(line: &str) {
    let before = state(FAILED_STATE).unwrap_or_default();
    set(FAILED, &if before.is_empty() { line.to_owned() } else { [&before, "\n", line].concat() });
}

/// The attempts that have failed so far.
pub fn failed() -> Vec<Failed> {
    state(FAILED_STATE).as_deref().map(Failed::all).unwrap_or_default()
}

fn state(name: &'static str) -> Option<String> {
    attribute(["filter_state", name]).and_then(|state| String::from_utf8(state).ok())
}

fn set(name: &'static str, value: &str) {
    if let Err(status) = hostcalls::set_property(vec![name], Some(value.as_bytes())) {
        lines::say(
            Level::Warn,
            name,
            format_args!(
                "Envoy would not keep this of an exchange ({status:?}): its record, or what its attempts need, is missing. Envoy 1.36 or newer is needed"
            ),
        );
    }
}

/// In `on_log`: how the stream ended. An attribute costs as much as a good part of the decision, so none is asked for that
/// is known already. `first` is the cluster of the first attempt, `last` that of the answer, if they are known; attempts
/// leave what they cost only where there was a choice of providers.
pub fn ending(told: Told, first: Option<&str>, last: Option<String>, routed: bool) -> Ending {
    if let Told::Refused { status } = told {
        return Ending { status, ..Ending::default() };
    }
    let failed = if routed { failed() } else { Vec::new() };
    let (status, complete, sent) = match told {
        Told::Answered { status, complete } => (status, complete, true),
        _ => (status(), false, attribute(["upstream", "address"]).is_some_and(|address| !address.is_empty())),
    };
    let attempts = attempts();
    let first = || first.map(str::to_owned);
    let cluster = match last {
        Some(last) => Some(last),
        None if attempts <= 1 && !routed => first().or_else(cluster),
        // A retry may have chosen another.
        None => cluster().or_else(first),
    };
    Ending {
        failed,
        status,
        flags: if complete { 0 } else { number(["response", "flags"]).unwrap_or(0) },
        cluster,
        sent,
        attempts,
    }
}

/// For Envoy's `ratelimit` filters.
pub fn share(states: &[State]) {
    states.iter().for_each(|(name, value)| set(name, value));
}

pub fn publish(record: &str) {
    set(RECORD, record);
}
