//! What Envoy knows of the stream at hand: the clock, attributes, and where its record goes.

use crate::exchange::Ending;
use crate::units::UnixNanos;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Bytes;
use std::time::UNIX_EPOCH;

/// Where the access log finds the record: `%FILTER_STATE(wasm.nexus_record:PLAIN)%`.
const RECORD: &str = "nexus_record";

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

/// Whether the answer at hand was made by the provider rather than by Envoy in its stead.
pub fn from_provider() -> bool {
    attribute(["response", "code_details"]).is_some_and(|details| details == b"via_upstream")
}

pub fn status() -> u64 {
    number(["response", "code"]).unwrap_or(0)
}

/// In `on_log`: how the stream ended.
pub fn ending(chosen: Option<&str>) -> Ending {
    Ending {
        status: status(),
        flags: number(["response", "flags"]).unwrap_or(0),
        cluster: cluster().or_else(|| chosen.map(str::to_owned)),
        sent: attribute(["upstream", "address"]).is_some_and(|address| !address.is_empty()),
        attempts: number(["upstream", "request_attempt_count"]).unwrap_or(0),
    }
}

pub fn publish(record: &str) {
    if let Err(status) = hostcalls::set_property(vec![RECORD], Some(record.as_bytes())) {
        log::warn!("Envoy would not take the record of an exchange: {status:?}");
    }
}
