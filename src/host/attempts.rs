//! In which providers' clusters the filter runs. Only there does an attempt get its path, the name of its model and the edits of its
//! body: without it, a provider would be sent the client's own words, with what rules mask.

use super::{lines, shared_data};
use crate::policy::Policy;
use crate::route::ProviderIx;
use log::Level;
use std::cell::Cell;

fn key(provider: &str) -> String {
    format!("nexus:attempts1:{provider}")
}

/// The filter runs in this provider's cluster.
pub fn attend(provider: &str) {
    shared_data::insert(&key(provider), b"1");
}

/// Whether this worker has found it in a provider's cluster, by the place of the provider.
pub struct Attended(Box<[Cell<bool>]>);

impl Attended {
    /// Nothing is found yet: a listener may be configured before its clusters.
    pub fn of(policy: &Policy) -> Self {
        Self(policy.providers.iter().map(|_| Cell::new(false)).collect())
    }

    pub fn is(&self, policy: &Policy, ix: ProviderIx) -> bool {
        let (Some(found), Some(provider)) = (self.0.get(usize::from(ix.0)), policy.provider_at(ix)) else {
            return false;
        };
        if !found.get() {
            found.set(shared_data::read(&key(&provider.name)).is_some());
        }
        if !found.get() {
            lines::say(
                Level::Error,
                "no_attempts",
                format_args!(
                    "nothing is sent to {name}: `models` lists it, and in its cluster {cluster} no plugin with `attempt_of: {name}` and \
                     this plugin's `vm_id` writes what it may be sent. See the cluster `openai` of envoy/production.yaml",
                    name = provider.name,
                    cluster = provider.cluster,
                ),
            );
        }
        found.get()
    }
}
