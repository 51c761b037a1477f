//! What Envoy keeps of a stream, by paths whose parts stand apart by a zero, as the host reads them.
//!
//! Trade-off: not through the SDK, which makes a list and a text of each path anew: three allocations for each read.

#![expect(unsafe_code, reason = "host calls")]

use super::memory::handed_over;
use proxy_wasm::types::Status;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> Status;
    fn proxy_set_property(path: *const u8, path_size: usize, data: *const u8, size: usize) -> Status;
}

/// None where the stream has none.
pub(super) fn property(path: &'static str) -> Option<Vec<u8>> {
    // SAFETY: the path outlives the call, and the host writes to the two places alone.
    handed_over(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(super) fn set_property(path: &'static str, value: &str) -> Result<(), Status> {
    // SAFETY: the host copies what it is shown.
    match unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) } {
        Status::Ok => Ok(()),
        status => Err(status),
    }
}
