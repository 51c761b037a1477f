//! What the filter leaves with Envoy for others that see the same stream: its attempts, Envoy's `ratelimit` filters and
//! the access log.

use super::lines;
use super::properties::{property, set_property};
use crate::attempt::{Begun, Failed};
use crate::replicas::Descriptor;
use log::Level;

/// Where the access log finds the record: `%FILTER_STATE(wasm.nexus_record:PLAIN)%`.
const RECORD: &str = "nexus_record";
/// What is set under a name is read under that name in `wasm.`, by attempts as well.
const PLAN: &str = "nexus_plan";
const PLAN_STATE: &str = "filter_state\0wasm.nexus_plan";
const FAILED: &str = "nexus_failed_attempts";
const FAILED_STATE: &str = "filter_state\0wasm.nexus_failed_attempts";
const BEGAN: &str = "nexus_attempts_began";
const BEGAN_STATE: &str = "filter_state\0wasm.nexus_attempts_began";

pub fn set_plan(plan: &str) {
    set(PLAN, plan);
}

/// What the exchange has planned for its attempts.
pub fn plan() -> Option<String> {
    state(PLAN_STATE)
}

/// One more attempt that failed and reported what it used.
pub fn add_failed(line: &str) {
    add(FAILED, FAILED_STATE, line);
}

/// One more attempt, which is not the first, begins.
pub fn add_begun(begun: Begun) {
    add(BEGAN, BEGAN_STATE, &begun.line());
}

/// When attempts began, but for the first.
pub fn begun() -> Vec<Begun> {
    state(BEGAN_STATE).as_deref().map(Begun::all).unwrap_or_default()
}

fn add(name: &'static str, path: &'static str, line: &str) {
    let before = state(path).unwrap_or_default();
    set(name, &if before.is_empty() { line.to_owned() } else { [&before, "\n", line].concat() });
}

/// The attempts that have failed so far.
pub fn failed() -> Vec<Failed> {
    state(FAILED_STATE).as_deref().map(Failed::all).unwrap_or_default()
}

fn state(path: &'static str) -> Option<String> {
    property(path).and_then(|state| String::from_utf8(state).ok())
}

fn set(name: &'static str, value: &str) {
    if let Err(status) = set_property(name, value) {
        lines::say(
            Level::Warn,
            name,
            format_args!(
                "Envoy would not keep this of an exchange ({status:?}): its record, or what its attempts need, is missing. Envoy 1.36 or newer is needed"
            ),
        );
    }
}

/// For Envoy's `ratelimit` filters.
pub fn share(states: &[Descriptor]) {
    states.iter().for_each(|(name, value)| set(name, value));
}

pub fn publish(record: &str) {
    set(RECORD, record);
}
