//! What the host hands over in memory.

#![expect(unsafe_code, reason = "host calls")]

use proxy_wasm::types::Status;
use std::ptr::null_mut;

/// Makes a call that is given two places: one for where the host has put something, one for its size.
pub(super) fn handed_over(call: impl FnOnce(*mut *mut u8, *mut usize) -> Status) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = call(&raw mut data, &raw mut size);
    // SAFETY: what the host stores was allocated by the SDK's `proxy_on_memory_allocate`, as a vector of exactly this size, and
    // is handed over for good.
    (status == Status::Ok && !data.is_null()).then(|| unsafe { Vec::from_raw_parts(data, size, size) })
}
