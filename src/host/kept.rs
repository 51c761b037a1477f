//! The tenants' tables of ids, in shared data: what one worker has seen made, all know of before its client does.

use super::shared_data::{self, Change};
use crate::kept::{self, Id};

/// Rounds of the swap: others write into the same of a tenant's hundred buckets at the same moment hardly ever.
const ATTEMPTS: u32 = 16;

fn key(tenant: &str, id: Id) -> String {
    format!("nexus:kept1:{}:{tenant}", id.bucket())
}

/// Whether this tenant was given this id.
pub fn knows(tenant: &str, id: Id) -> bool {
    kept::knows(&shared_data::read(&key(tenant, id)).unwrap_or_default(), id)
}

/// The tenant is given this id. One that can't be written is nobody's.
pub fn note(tenant: &str, id: Id) {
    shared_data::swap(&key(tenant, id), ATTEMPTS, |bucket| match kept::with(&bucket.unwrap_or_default(), id) {
        Some(bucket) => Change::Store((), bucket),
        None => Change::Keep(()),
    });
}
