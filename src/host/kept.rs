//! The tenants' tables of ids, in shared data: what one worker has seen made, all know of before its client does.

use super::shared_data::{self, Change};
use crate::kept::held::{self, Made};
use crate::kept::{self, Id};
use crate::units::Tokens;

/// Rounds of the swap: others write into the same of a tenant's hundred buckets at the same moment hardly ever.
const ATTEMPTS: u32 = 16;

fn key(tenant: &str, id: Id) -> String {
    format!("nexus:kept1:{}:{tenant}", id.bucket())
}

fn held_key(tenant: &str, bucket: u64) -> String {
    format!("nexus:held1:{bucket}:{tenant}")
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

/// What these ids of the tenant's hold together, if that is known of each.
pub fn sizes(tenant: &str, ids: &[Id]) -> Option<Tokens> {
    held::held(ids, |bucket| shared_data::read(&held_key(tenant, bucket)).unwrap_or_default())
}

/// What the tenant was given holds so much. What can't be written is of unknown size, and taken for more.
pub fn weigh(tenant: &str, made: &Made) {
    shared_data::swap(&held_key(tenant, made.bucket()), ATTEMPTS, |bucket| {
        Change::Store((), made.noted_in(&bucket.unwrap_or_default()))
    });
}
