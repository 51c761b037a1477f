//! The tenants' tables of ids, in shared data: what one worker has seen made, all know of before its client does.

use crate::kept::{self, Id};
use proxy_wasm::hostcalls;

/// Rounds of the swap: others write into the same of a tenant's hundred buckets at the same moment hardly ever.
const ATTEMPTS: u32 = 16;

fn key(tenant: &str, id: Id) -> String {
    format!("nexus:kept1:{}:{tenant}", id.bucket())
}

/// Whether this tenant was given this id.
pub fn knows(tenant: &str, id: Id) -> bool {
    let (bucket, _) = hostcalls::get_shared_data(&key(tenant, id)).unwrap_or_default();
    kept::knows(&bucket.unwrap_or_default(), id)
}

/// The tenant is given this id. One that can't be written is nobody's.
pub fn note(tenant: &str, id: Id) {
    let key = key(tenant, id);
    for _ in 0..ATTEMPTS {
        let (bucket, cas) = hostcalls::get_shared_data(&key).unwrap_or_default();
        let Some(bucket) = kept::with(&bucket.unwrap_or_default(), id) else { return };
        // An impossible number makes the host insert only if the key is absent.
        if hostcalls::set_shared_data(&key, Some(&bucket), Some(cas.unwrap_or(u32::MAX))).is_ok() {
            return;
        }
    }
}
