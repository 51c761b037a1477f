//! A request's head: whether it is for us, whose it is, and what is known of it before its body.

use super::{Exchange, Opening, Phase};
use crate::headers::Headers;
use crate::limit::Guards;
use crate::llm::path;
use crate::llm::request::{Request, RequestReader};
use crate::outcome::{Outcome, Rejection};
use crate::policy::{NONE, OTHER, Policy, TenantIx};
use crate::record::Labels;
use crate::route::Sensitivity;
use crate::tenant::Identity;
use crate::units::UnixNanos;

impl Exchange {
    /// Looks at a request's head: is it for us, and whose is it?
    pub fn open(policy: &Policy, headers: &Headers, now: UnixNanos) -> Opening {
        let method = headers.get(":method").unwrap_or_default();
        let path = headers.get(":path").unwrap_or_default();
        let Some(called) = path::called(&policy.paths, method, path) else {
            return Opening::Aside;
        };
        let (role, label) = match Identity::of(headers, &policy.role_header) {
            Identity::Missing => (None, policy.role_label(None)),
            Identity::One(role) => (Some(role.to_owned()), policy.role_label(Some(role))),
            Identity::Unusable => (None, OTHER),
        };
        let mut exchange = Self {
            started: now,
            schema: called.schema,
            tenant: None,
            labels: Labels {
                tenant: NONE.to_owned(),
                role: label.to_owned(),
                model: OTHER.to_owned(),
                provider: NONE.to_owned(),
            },
            role,
            sensitivity: None,
            path: String::from_utf8_lossy(path).into_owned(),
            request_id: headers
                .get("x-request-id")
                .map(|id| String::from_utf8_lossy(id.get(..128).unwrap_or(id)).into_owned())
                .unwrap_or_default(),
            model_asked: String::new(),
            model_chosen: String::new(),
            stream: false,
            audit: Guards::default(),
            phase: Phase::Over,
        };
        match exchange.admit_head(policy, headers) {
            Ok(tenant) => {
                exchange.phase = Phase::Reading {
                    tenant,
                    reader: Box::new(RequestReader::new(called, headers.get("content-type"))),
                    received: 0,
                };
                Opening::Read(exchange)
            }
            Err(rejection) => {
                let reply = exchange.refuse(rejection);
                Opening::Refuse(exchange, reply)
            }
        }
    }

    fn admit_head(&mut self, policy: &Policy, headers: &Headers) -> Result<TenantIx, Rejection> {
        let name = &policy.tenant_header;
        let tenant = match Identity::of(headers, name) {
            Identity::One(tenant) => tenant,
            Identity::Missing => {
                let message = format!("The request names no tenant: the header `{name}` is missing.");
                return Err(Rejection::plain(Outcome::TenantMissing, message));
            }
            Identity::Unusable => {
                OTHER.clone_into(&mut self.labels.tenant);
                let message = format!("The header `{name}` must be given exactly once, with one tenant's name.");
                return Err(Rejection::plain(Outcome::TenantUnknown, message));
            }
        };
        let Some((ix, known)) = policy.tenant(tenant).and_then(|ix| Some((ix, policy.tenant_policy(ix)?))) else {
            OTHER.clone_into(&mut self.labels.tenant);
            return Err(Rejection::plain(Outcome::TenantUnknown, "The tenant is not known to this gateway."));
        };
        self.labels.tenant = known.name.to_string();
        self.tenant = Some(ix);
        self.sensitivity = match Identity::of(headers, &policy.sensitivity_header) {
            Identity::Missing => None,
            Identity::One(name) => Some(sensitivity(&policy.sensitivity_header, name)?),
            Identity::Unusable => return Err(not_sensitivity(&policy.sensitivity_header)),
        };
        if headers.get("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            let message = "The request's body is compressed; send it without a content-encoding.";
            return Err(Rejection::plain(Outcome::InvalidRequest, message));
        }
        match headers.number("content-length") {
            Some(length) if length > policy.max_request_bytes => Err(too_large(policy)),
            _ => Ok(ix),
        }
    }

    /// Role and sensitivity as the body says them, in the gateway's own API. Of two sensitivities the stricter holds; two
    /// roles must be the same, for the header may have been set by who authenticated the client.
    pub(super) fn hear(&mut self, policy: &Policy, request: &Request) -> Result<(), Rejection> {
        if let Some(role) = &request.role {
            if self.role.as_ref().is_some_and(|header| header != role) {
                let message = format!("The field `role` and the header `{}` name two roles.", policy.role_header);
                return Err(Rejection::plain(Outcome::InvalidRequest, message));
            }
            policy.role_label(Some(role)).clone_into(&mut self.labels.role);
            self.role = Some(role.clone());
        }
        if let Some(written) = &request.sensitivity {
            self.sensitivity = self.sensitivity.max(Some(sensitivity("sensitivity", written)?));
        }
        Ok(())
    }
}

fn sensitivity(place: &str, name: &str) -> Result<Sensitivity, Rejection> {
    Sensitivity::named(name).ok_or_else(|| not_sensitivity(place))
}

fn not_sensitivity(place: &str) -> Rejection {
    let known = Sensitivity::ALL.map(|level| format!("`{}`", level.name())).join(", ");
    Rejection::plain(Outcome::InvalidRequest, format!("`{place}` must be given once, as one of {known}."))
}

pub(super) fn too_large(policy: &Policy) -> Rejection {
    let message = format!("The request's body is larger than the {} bytes allowed.", policy.max_request_bytes);
    Rejection::plain(Outcome::RequestTooLarge, message)
}
