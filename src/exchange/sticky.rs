//! Who keeps the variant of a model, the provider, or the cheapest, that he has once got.

use crate::hash::fnv;
use crate::headers::Headers;
use crate::llm::conversation::Conversation;
use crate::policy::{Policy, TenantPolicy};
use crate::route::Sticky;
use crate::units::UnixNanos;

/// Of what a request says of its end user, its session and its conversation, hashes.
#[derive(Clone, Copy, Default)]
pub(super) struct SticksTo {
    user: Option<u64>,
    session: Option<u64>,
    /// Once the body has come.
    pub(super) conversation: Conversation,
}

impl SticksTo {
    /// Nobody is asked to prove it: who writes another name only gets the variant of another.
    pub(super) fn of(policy: &Policy, headers: &Headers) -> Self {
        let said = |header: &Option<String>| {
            let value = headers.get(header.as_deref()?)?.trim_ascii();
            (!value.is_empty()).then(|| fnv(value.iter().copied()))
        };
        Self {
            user: said(&policy.sticks.user),
            session: said(&policy.sticks.session),
            conversation: Conversation::default(),
        }
    }

    /// By what a request draws, for another of the tenant's the same where it is sticky. One that doesn't say whose it is draws for
    /// itself, by its id; without one, by its time.
    pub(super) fn key(self, sticky: Sticky, tenant: &TenantPolicy, request_id: &str, now: UnixNanos) -> u64 {
        let own = || if request_id.is_empty() { now.0 } else { fnv(request_id.bytes()) };
        of_tenant(tenant, self.kept(sticky, self.conversation.key).unwrap_or_else(own))
    }

    /// By what one draws that leans on what a provider keeps, or may be leant on: a later one has neither its beginning nor its id. So
    /// all of them draw together, but for those whose head says whose they are.
    pub(super) fn key_of_kept(self, sticky: Sticky, tenant: &TenantPolicy) -> u64 {
        of_tenant(tenant, self.kept(sticky, None).unwrap_or(0))
    }

    fn kept(self, sticky: Sticky, conversation: Option<u64>) -> Option<u64> {
        match sticky {
            Sticky::Tenant => Some(0),
            Sticky::User => self.user,
            Sticky::Session => self.session,
            Sticky::Conversation => self.session.or(conversation),
            Sticky::Request => None,
        }
    }
}

/// No tenant draws by another's words.
fn of_tenant(tenant: &TenantPolicy, key: u64) -> u64 {
    fnv(tenant.name.bytes().chain([0]).chain(key.to_le_bytes()))
}
