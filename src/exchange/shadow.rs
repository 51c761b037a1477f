//! Copies of requests, for other models than those that answer: who gets one, and what a copy is when it comes.
//!
//! Envoy's mirror copies a request that goes on into a listener of the same Envoy, where it is an exchange like any other. It differs in
//! three things: its model is the shadow's, the shadow's account pays for it, and what holds for texts, tools and data is what holds for
//! the tenant whose request it is. The copy has the client's own body, so that is looked at again, for the shadow's providers; and
//! nothing is copied that has a provider do, keep or look up something.

use super::{Exchange, Phase};
use crate::headers::Headers;
use crate::kept::StoredResponses;
use crate::likeness::PairKey;
use crate::llm::request::Request;
use crate::outcome::{Outcome, Rejection};
use crate::policy::shadows::{Candidate, Shadow};
use crate::policy::{OTHER, Policy, TenantIx, TenantPolicy};
use crate::record::{Leg, Pair};
use crate::route::{Bounds, Sensitivity};
use crate::tenant::Identity;
use crate::units::{Tokens, UnixNanos};
use std::rc::Rc;

/// To this cluster Envoy's mirror sends a copy. Whoever could write it would have copies sent anywhere.
pub const MIRROR: &str = "x-nexus-shadow";
/// By these a copy says whose shadow it is, and of what.
pub const NAME: &str = "x-nexus-shadow-name";
const TENANT: &str = "x-nexus-shadow-tenant";
const ROLE: &str = "x-nexus-shadow-role";
const SENSITIVITY: &str = "x-nexus-shadow-sensitivity";
/// The output bound that the original was given here, whose client wrote none.
const BOUND: &str = "x-nexus-shadow-bound";
/// What both answers are compared by.
const KEY: &str = "x-nexus-shadow-key";

/// Who sends a request.
#[derive(Clone, Copy)]
pub(super) enum Sender<'a> {
    Client,
    /// Envoy's mirror, for this shadow, if that is still there.
    Mirror(Option<&'a Rc<Shadow>>),
}

/// By which headers a request says who asks, as what, and with how sensitive data.
pub(super) struct Says<'a> {
    pub(super) tenant: &'a str,
    pub(super) role: &'a str,
    pub(super) sensitivity: &'a str,
}

/// Another's request, which a shadow has a copy of.
pub(super) struct Copied {
    pub(super) shadow: Rc<Shadow>,
    /// Whose request it is.
    pub(super) of: TenantIx,
    /// The output bound that its original was given, if its client wrote none.
    bound: Option<Tokens>,
    pub(super) key: Option<PairKey>,
}

/// The shadow that is to have a copy of a request.
pub(super) struct CopiedFor {
    pub(super) shadow: Rc<Shadow>,
    /// The output bound that the request was given, if its client wrote none.
    bound: Option<Tokens>,
    /// Once Envoy is told to copy it.
    pub(super) key: Option<PairKey>,
}

impl<'a> Sender<'a> {
    pub(super) fn says(self, policy: &'a Policy) -> Says<'a> {
        match self {
            Self::Client => Says {
                tenant: &policy.tenant_header,
                role: &policy.role_header,
                sensitivity: &policy.sensitivity_header,
            },
            Self::Mirror(_) => Says { tenant: TENANT, role: ROLE, sensitivity: SENSITIVITY },
        }
    }

    /// Whose copy it is. `None`: a client's own request.
    pub(super) fn shadow(self) -> Result<Option<&'a Rc<Shadow>>, Rejection> {
        match self {
            Self::Client => Ok(None),
            Self::Mirror(Some(shadow)) => Ok(Some(shadow)),
            Self::Mirror(None) => Err(Rejection::plain(
                Outcome::TenantUnknown,
                "The shadow that this is a copy for is not there any more.",
            )),
        }
    }
}

/// Whether a provider would do nothing for it but answer. What it runs, keeps or looks up by an id would be done twice, or isn't there.
fn is_self_contained(request: &Request) -> bool {
    request.hosted.is_empty() && request.refers.is_empty() && request.hidden.is_nothing() && !request.background
}

/// Of nothing there is none.
fn bound(headers: &Headers) -> Option<Tokens> {
    headers.number(BOUND).filter(|most| *most > 0).map(Tokens)
}

fn pair_key(headers: &Headers) -> Option<PairKey> {
    match Identity::of(headers, KEY) {
        Identity::One(written) => PairKey::read(written),
        _ => None,
    }
}

impl Policy {
    /// Whose copy a request says it is.
    pub(super) fn shadow_of(&self, headers: &Headers) -> Option<&Rc<Shadow>> {
        match Identity::of(headers, NAME) {
            Identity::One(name) => self.shadows.as_ref()?.named(name),
            _ => None,
        }
    }
}

impl Exchange {
    /// Who pays for a request of this tenant's, if `shadow` has a copy of it.
    pub(super) fn paid_by<'a>(
        &mut self,
        policy: &'a Policy,
        tenant: &'a Rc<TenantPolicy>,
        shadow: Option<&Rc<Shadow>>,
        headers: &Headers,
    ) -> Result<&'a Rc<TenantPolicy>, Rejection> {
        let Some(shadow) = shadow else { return Ok(tenant) };
        let (shadow_has, of) = (Rc::clone(shadow), tenant.ix);
        self.copied = Some(Copied { shadow: shadow_has, of, bound: bound(headers), key: pair_key(headers) });
        policy.tenant_policy(shadow.account).ok_or_else(|| {
            self.labels.tenant = OTHER.into();
            Rejection::plain(Outcome::InternalError, "The shadow has no account.")
        })
    }

    /// By whose rules about texts and tools it is judged, if this one pays for it.
    pub(super) fn judged_as(&self, payer: TenantIx) -> TenantIx {
        self.copied.as_ref().map_or(payer, |copied| copied.of)
    }

    /// The model of the shadow that has it.
    pub(super) fn copied_to(&self) -> Option<Rc<Shadow>> {
        self.copied.as_ref().map(|copied| Rc::clone(&copied.shadow))
    }

    /// The output bound of a copy whose client wrote none: that of its original, so that both may say as much.
    pub(super) fn bound_of_original(&self) -> Option<Tokens> {
        self.copied.as_ref()?.bound
    }

    /// What becomes of what a provider would keep: of a copy nobody asks for it again.
    pub(super) fn stored(&self, policy: &Policy) -> StoredResponses {
        if self.copied.is_some() { StoredResponses::Refuse } else { policy.stored_responses }
    }

    /// How sensitive its data is.
    pub(super) fn sensitivity(&self, policy: &Policy, tenant: &TenantPolicy) -> Sensitivity {
        let floor = tenant.rules.sensitivity.unwrap_or(Sensitivity::Public);
        self.sensitivity.unwrap_or(policy.default_sensitivity).max(floor)
    }

    /// The first shadow that is to have a copy of this request, which goes on to `model` and, if its client wrote none, was given
    /// this output bound.
    pub(super) fn copied_for(
        &self,
        policy: &Policy,
        tenant: &TenantPolicy,
        request: &Request,
        (model, bound): (&str, Option<Tokens>),
        now: UnixNanos,
    ) -> Option<CopiedFor> {
        let shadows = policy.shadows.as_ref()?;
        if self.copied.is_some() || !is_self_contained(request) {
            return None;
        }
        let (role, request_id) = (self.role.as_deref(), self.request_id.as_str());
        let candidate = Candidate { tenant: tenant.ix, model, role, request_id, now };
        let listed = tenant.rules.providers.as_deref();
        let bounds = Bounds { schema: self.schema, sensitivity: self.sensitivity(policy, tenant), listed };
        let reach = |ix| policy.provider_at(ix).map(|provider| &provider.reach);
        let serves = |shadow: &Shadow| policy.models.chain(&shadow.model, &bounds, reach, |_| 0).is_ok();
        let shadow = shadows.iter().find(|shadow| shadow.wants(&candidate) && serves(shadow))?;
        Some(CopiedFor { shadow: Rc::clone(shadow), bound, key: None })
    }

    /// Who would pay for the copy that a shadow is to have of it, now that it goes on.
    pub fn copy_paid_by<'a>(&self, policy: &'a Policy) -> Option<&'a TenantPolicy> {
        let Phase::Open(open) = &self.phase else { return None };
        policy.tenant_policy(open.copied_for.as_ref()?.shadow.account).map(|account| &**account)
    }

    /// Envoy is to copy it: what it goes on with for that. Nobody can guess `key`.
    pub fn mirrored(&mut self, policy: &Policy, key: PairKey) -> Vec<(&'static str, String)> {
        let Some(shadows) = policy.shadows.as_ref() else { return Vec::new() };
        let Phase::Open(open) = &mut self.phase else { return Vec::new() };
        let Some(copied_for) = open.copied_for.as_mut() else { return Vec::new() };
        copied_for.key = Some(key);
        let mut headers = vec![
            (MIRROR, shadows.cluster.to_string()),
            (NAME, copied_for.shadow.name.to_string()),
            (TENANT, open.tenant.name.to_string()),
            (KEY, key.written()),
        ];
        headers.extend(copied_for.bound.map(|Tokens(most)| (BOUND, most.to_string())));
        let tenant = Rc::clone(&open.tenant);
        headers.push((SENSITIVITY, self.sensitivity(policy, &tenant).name().to_owned()));
        headers.extend(self.role.clone().map(|role| (ROLE, role)));
        headers
    }

    /// By what the answers are compared, if it is one of a pair.
    pub(super) fn pair_key(&self) -> Option<PairKey> {
        match (&self.copied, &self.phase) {
            (Some(copied), _) => copied.key,
            (None, Phase::Open(open)) => open.copied_for.as_ref()?.key,
            _ => None,
        }
    }

    /// Which leg of a pair it is, if it is one.
    pub(super) fn pair(&self) -> Option<Pair> {
        match (&self.copied, &self.phase) {
            (Some(copied), _) => Some(Pair { shadow: Rc::clone(&copied.shadow.name), leg: Leg::Shadow }),
            (None, Phase::Open(open)) => {
                let copied_for = open.copied_for.as_ref().filter(|copied_for| copied_for.key.is_some())?;
                Some(Pair { shadow: Rc::clone(&copied_for.shadow.name), leg: Leg::Original })
            }
            _ => None,
        }
    }
}
