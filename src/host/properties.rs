//! What Envoy keeps of a stream, by paths whose parts stand apart by a zero, as the host reads them.
//!
//! Trade-off: not through the SDK, which makes a list and a text of each path anew: three allocations for each read.

#![expect(unsafe_code, reason = "host calls")]

use proxy_wasm::types::Status;
use std::ptr::null_mut;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> Status;
    fn proxy_set_property(path: *const u8, path_size: usize, data: *const u8, size: usize) -> Status;
}

/// None where the stream has none.
pub(super) fn property(path: &'static str) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the path outlives the call, and both pointers are to locals. What the host stores was allocated by the SDK's
    // `proxy_on_memory_allocate`, as a vector of exactly this size, and is handed over for good.
    unsafe {
        match proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) {
            Status::Ok if !data.is_null() => Some(Vec::from_raw_parts(data, size, size)),
            _ => None,
        }
    }
}

pub(super) fn set_property(path: &'static str, value: &str) -> Result<(), Status> {
    // SAFETY: the host copies what it is shown.
    match unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) } {
        Status::Ok => Ok(()),
        status => Err(status),
    }
}
