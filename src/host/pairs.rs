//! A header map in one piece of memory.
//!
//! Trade-off: not through the SDK, which would take the map apart with two allocations for each header, and panic where Envoy has
//! none to show.

#![expect(unsafe_code, reason = "host calls")]

use crate::headers::Headers;
use proxy_wasm::types::{MapType, Status};
use std::ptr::null_mut;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> Status;
    fn proxy_set_header_map_pairs(map: MapType, data: *const u8, size: usize) -> Status;
}

/// All at once: one call instead of one a header, and repeated headers are seen. None where Envoy has none to show.
pub fn headers(map: MapType) -> Headers {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both pointers are to locals. What the host stores was allocated by the SDK's `proxy_on_memory_allocate`, as a
    // vector of exactly this size, and is handed over for good.
    unsafe {
        match proxy_get_header_map_pairs(map, &raw mut data, &raw mut size) {
            Status::Ok if !data.is_null() => Headers::new(Vec::from_raw_parts(data, size, size)),
            _ => Headers::default(),
        }
    }
}

/// In the place of all that are there, as they are written.
pub fn set_headers(map: MapType, written: &[u8]) -> Result<(), Status> {
    // SAFETY: the host copies what it is shown.
    match unsafe { proxy_set_header_map_pairs(map, written.as_ptr(), written.len()) } {
        Status::Ok => Ok(()),
        status => Err(status),
    }
}
