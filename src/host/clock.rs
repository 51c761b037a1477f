//! The time, as Envoy has it.

use crate::units::UnixNanos;
use proxy_wasm::hostcalls;
use std::time::UNIX_EPOCH;

pub fn now() -> UnixNanos {
    let since = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    UnixNanos(since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0))
}
