//! Requests that wait on this worker for the rest of their bodies: how many of each tenant's, and what they hold. What is kept of a
//! request until its answer has ended is held as well: schemas, and what is to be restored.
//!
//! No limit sees a request before its end, and until then Envoy keeps all that has come of it, and this VM what rules have found in
//! it. The counts are this worker's own, so they cost no call of the host: a tenant may hold as much on each of Envoy's workers.

use std::cell::Cell;
use std::rc::Rc;

use crate::outcome::Crowd;
use crate::policy::{Policy, TenantIx};

/// What one tenant holds. Both are bounded by the configuration, far below what these types hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    bodies: u32,
    bytes: u32,
}

#[derive(Debug)]
pub struct Waiting {
    most_bodies: u32,
    most_bytes: u32,
    /// By [`TenantIx`]; the last is of all who are no tenant.
    held: Box<[Cell<Held>]>,
}

impl Waiting {
    pub fn new(policy: &Policy) -> Self {
        let within = |most: u64| u32::try_from(most).unwrap_or(u32::MAX);
        Self {
            most_bodies: within(policy.max_waiting_bodies),
            most_bytes: within(policy.max_waiting_bytes.max(policy.max_request_bytes)),
            held: vec![Cell::default(); policy.tenants.len().saturating_add(1)].into(),
        }
    }

    fn of(&self, tenant: Option<TenantIx>) -> Option<&Cell<Held>> {
        match tenant {
            Some(TenantIx(at)) => self.held.get(usize::try_from(at).ok()?),
            None => self.held.last(),
        }
    }

    /// A place for one more body of this tenant's, which holds nothing yet.
    pub fn enter(self: &Rc<Self>, tenant: Option<TenantIx>) -> Result<Seat, Crowd> {
        if let Some(cell) = self.of(tenant) {
            let Held { bodies, bytes } = cell.get();
            if bodies >= self.most_bodies {
                return Err(Crowd::Bodies { most: self.most_bodies.into() });
            }
            if bytes > self.most_bytes {
                return Err(Crowd::Bytes { most: self.most_bytes.into() });
            }
            cell.set(Held { bodies: bodies.saturating_add(1), bytes });
        }
        Ok(Seat { waiting: Rc::clone(self), tenant, waits: 1, bytes: 0 })
    }
}

/// The place of one request. Dropped, on whatever ending, it gives back what it held.
#[derive(Debug)]
pub struct Seat {
    waiting: Rc<Waiting>,
    tenant: Option<TenantIx>,
    /// Bodies that are still coming by it.
    waits: u32,
    bytes: u32,
}

fn within(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Seat {
    /// The body has come this far, and it is not the end; so much is kept of it besides. What one alone has found is never too much:
    /// it is bounded by its own length.
    pub fn grow(&mut self, to: usize, besides: usize) -> Result<(), Crowd> {
        let Some(cell) = self.waiting.of(self.tenant) else { return Ok(()) };
        let most = self.waiting.most_bytes;
        let Held { bodies, bytes } = cell.get();
        let own = within(to.saturating_add(besides));
        let held = bytes.saturating_sub(self.bytes).saturating_add(own);
        let is_alone = bytes == self.bytes && within(to) <= most;
        if held > most && own > self.bytes && !is_alone {
            return Err(Crowd::Bytes { most: most.into() });
        }
        cell.set(Held { bodies, bytes: held });
        self.bytes = own;
        Ok(())
    }

    /// The body has come, and so much of it is kept until the answer has ended: most requests keep nothing.
    pub fn keep(mut self, kept: usize) -> Option<Self> {
        if kept == 0 {
            return None;
        }
        let kept = within(kept);
        if let Some(cell) = self.waiting.of(self.tenant) {
            let Held { bodies, bytes } = cell.get();
            let bytes = bytes.saturating_sub(self.bytes).saturating_add(kept);
            cell.set(Held { bodies: bodies.saturating_sub(self.waits), bytes });
        }
        (self.waits, self.bytes) = (0, kept);
        Some(self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(cell) = self.waiting.of(self.tenant) {
            let Held { bodies, bytes } = cell.get();
            cell.set(Held { bodies: bodies.saturating_sub(self.waits), bytes: bytes.saturating_sub(self.bytes) });
        }
    }
}
