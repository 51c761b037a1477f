//! What Envoy knows of the stream at hand: its attributes.

use super::properties::property;

pub(super) fn number(path: &'static str) -> Option<u64> {
    let bytes = property(path)?;
    Some(u64::from_le_bytes(*bytes.first_chunk::<8>()?))
}

/// The cluster that the route chose.
pub fn cluster() -> Option<String> {
    property("xds\0cluster_name").and_then(|name| String::from_utf8(name).ok()).filter(|name| !name.is_empty())
}

/// Where the request comes from: an address and a port.
pub fn source() -> String {
    property("source\0address").map(|source| String::from_utf8_lossy(&source).into_owned()).unwrap_or_default()
}

/// By which of the listener's filter chains the connection came in.
pub fn filter_chain() -> String {
    let name = property("xds\0filter_chain_name");
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
    match property("response\0code_details").as_deref() {
        Some(b"via_upstream") => Origin::Provider,
        Some(b"request_rate_limited") => Origin::Refused,
        Some(b"rate_limiter_error") => Origin::Unasked,
        _ => Origin::Envoy,
    }
}

pub(super) fn status() -> u64 {
    number("response\0code").unwrap_or(0)
}

/// Attempts at a provider so far, the one at hand included.
pub fn attempts() -> u64 {
    number("upstream\0request_attempt_count").unwrap_or(0)
}

/// In an attempt: whether its request went to a connection. The address of the host that was chosen says less.
pub fn is_connected() -> bool {
    property("upstream\0local_address").is_some_and(|address| !address.is_empty())
}

/// In an attempt: whether the provider reset it, or its connection failed or ended (UR, UF, UC).
pub fn was_hung_up() -> bool {
    const HUNG_UP: u64 = 1 << 4 | 1 << 5 | 1 << 6;
    number("response\0flags").is_some_and(|flags| flags & HUNG_UP != 0)
}
