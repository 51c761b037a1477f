//! A header map in one piece of memory.
//!
//! Trade-off: not through the SDK, which would take the map apart with two allocations for each header, and panic where Envoy has
//! none to show.

#![expect(unsafe_code, reason = "host calls")]

use super::memory::handed_over;
use crate::headers::Headers;
use proxy_wasm::types::{MapType, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> Status;
    fn proxy_set_header_map_pairs(map: MapType, data: *const u8, size: usize) -> Status;
}

/// All at once: one call instead of one a header, and repeated headers are seen. None where Envoy has none to show.
pub fn headers(map: MapType) -> Headers {
    // SAFETY: the host writes to the two places alone, which outlive the call.
    handed_over(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
        .map_or_else(Headers::default, Headers::new)
}

/// In the place of all that are there, as they are written.
pub fn set_headers(map: MapType, written: &[u8]) -> Result<(), Status> {
    // SAFETY: the host copies what it is shown.
    match unsafe { proxy_set_header_map_pairs(map, written.as_ptr(), written.len()) } {
        Status::Ok => Ok(()),
        status => Err(status),
    }
}
