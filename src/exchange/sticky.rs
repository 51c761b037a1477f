//! Who keeps the variant of a model that he has once got.

use crate::hash::fnv;
use crate::headers::Headers;
use crate::policy::{Policy, TenantPolicy};
use crate::route::Sticky;
use crate::units::UnixNanos;

/// Of what a request's head says of its end user and session, a hash.
#[derive(Clone, Copy, Default)]
pub(super) struct SticksTo {
    user: Option<u64>,
    session: Option<u64>,
}

impl SticksTo {
    /// Nobody is asked to prove it: who writes another name only gets the variant of another.
    pub(super) fn of(policy: &Policy, headers: &Headers) -> Self {
        let said = |header: &Option<String>| {
            let value = headers.get(header.as_deref()?)?.trim_ascii();
            (!value.is_empty()).then(|| fnv(value.iter().copied()))
        };
        Self { user: said(&policy.sticks.user), session: said(&policy.sticks.session) }
    }

    /// By what a request draws, for another of the tenant's the same where it is sticky. One that doesn't say whose it is draws for
    /// itself, by its id; without one, by its time.
    pub(super) fn key(self, sticky: Sticky, tenant: &TenantPolicy, request_id: &str, now: UnixNanos) -> u64 {
        let kept = match sticky {
            Sticky::Tenant => Some(0),
            Sticky::User => self.user,
            Sticky::Session => self.session,
            Sticky::Request => None,
        };
        let own = || if request_id.is_empty() { now.0 } else { fnv(request_id.bytes()) };
        let key = kept.unwrap_or_else(own);
        fnv(tenant.name.bytes().chain([0]).chain(key.to_le_bytes()))
    }
}
