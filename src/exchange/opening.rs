//! A request's head: whether it is for us, whose it is, and what is known of it before its body.

use super::shadow::Sender;
use super::sticky::SticksTo;
use super::{Exchange, Incoming, Opening, Phase, tools};
use crate::content::Prompt;
use crate::forward::{HeadEdit, LeftOut};
use crate::headers::Headers;
use crate::llm::conversation::ConversationReader;
use crate::llm::offered::Offers;
use crate::llm::path;
use crate::llm::request::{Request, RequestReader};
use crate::llm::schema::Schema;
use crate::outcome::{Outcome, Rejection, shown};
use crate::policy::{NONE, OTHER, Policy, TenantIx};
use crate::record::Labels;
use crate::route::Sensitivity;
use crate::tenant::Identity;
use crate::units::UnixNanos;

impl Exchange {
    /// Looks at a request's head: is it for us, and whose is it?
    pub fn open(policy: &Policy, headers: &Headers, now: UnixNanos) -> Opening {
        Self::sent_by(Sender::Client, policy, headers, now)
    }

    /// The same of what only Envoy's mirror can have sent: the copy of another's request.
    pub fn open_copy(policy: &Policy, headers: &Headers, now: UnixNanos) -> Opening {
        Self::sent_by(Sender::Mirror(policy.shadow_of(headers)), policy, headers, now)
    }

    fn sent_by(sender: Sender<'_>, policy: &Policy, headers: &Headers, now: UnixNanos) -> Opening {
        let method = headers.get(":method").unwrap_or_default();
        let path = headers.get(":path").unwrap_or_default();
        let Some(called) = path::called(&policy.routes, method, path) else {
            return Opening::Aside;
        };
        let asked_role = Identity::of(headers, sender.says(policy).role);
        let (role, label) = match asked_role {
            Identity::Missing => (None, policy.role_label(None)),
            Identity::One(role) => (Some(role.to_owned()), policy.role_label(Some(role))),
            Identity::Unusable | Identity::Garbled => (None, OTHER.into()),
        };
        let mut exchange = Self {
            started: now,
            schema: called.schema,
            tenant: None,
            labels: Labels { tenant: NONE.into(), role: label, model: OTHER.into(), provider: NONE.into() },
            role,
            sensitivity: None,
            sticks_to: SticksTo::of(policy, headers),
            path: text(path),
            cut: HeadEdit::default(),
            request_id: headers
                .get("x-request-id")
                .map(|id| text(id.get(..128).unwrap_or(id)))
                .filter(|id| !id.contains(char::is_control))
                .unwrap_or_default(),
            phase: Phase::Deciding,
            copied: None,
            looked: None,
            tools: None,
        };
        match exchange.admit_head(sender, policy, headers, asked_role) {
            Ok(tenant) => {
                let judged_as = exchange.judged_as(tenant);
                let reader = Box::new(RequestReader::new(called, headers.get("content-type")));
                if !reader.is_of_a_form() {
                    exchange.cut.read_as_json(headers);
                }
                let content = policy.contents.of(judged_as);
                let prompt = content.and_then(|content| Prompt::new(content, exchange.schema, reader.is_of_a_form()));
                let offers = tools::rules(policy, judged_as).and_then(|_| Offers::new(exchange.schema));
                let reads = policy.sticks.conversations && !reader.is_of_a_form();
                let conversation = if reads { ConversationReader::new(exchange.schema) } else { None };
                exchange.phase = Phase::Reading(Incoming {
                    tenant,
                    reader,
                    prompt,
                    offers,
                    conversation,
                    received: 0,
                    inflated: false,
                });
                Opening::Read(exchange)
            }
            Err(rejection) => {
                let reply = exchange.refuse(rejection);
                Opening::Refuse(exchange, reply)
            }
        }
    }

    fn admit_head(
        &mut self,
        sender: Sender<'_>,
        policy: &Policy,
        headers: &Headers,
        role: Identity<'_>,
    ) -> Result<TenantIx, Rejection> {
        let says = sender.says(policy);
        let shadow = sender.shadow()?;
        let name = says.tenant;
        let tenant = match Identity::of(headers, name) {
            Identity::One(tenant) => tenant,
            Identity::Missing => {
                let message = format!("The request names no tenant: the header `{name}` is missing.");
                return Err(Rejection::plain(Outcome::TenantMissing, message));
            }
            Identity::Garbled => {
                self.labels.tenant = OTHER.into();
                return Err(garbled(name));
            }
            Identity::Unusable => {
                self.labels.tenant = OTHER.into();
                let message = format!("The header `{name}` must be given exactly once, with one tenant's name.");
                return Err(Rejection::plain(Outcome::TenantUnknown, message));
            }
        };
        let Some(known) = policy.tenant(tenant).and_then(|ix| policy.tenant_policy(ix)) else {
            self.labels.tenant = OTHER.into();
            return Err(Rejection::plain(Outcome::TenantUnknown, "The tenant is not known to this gateway."));
        };
        let payer = self.paid_by(policy, known, shadow, headers)?;
        self.labels.tenant = payer.name.to_string().into();
        self.tenant = Some(payer.ix);
        if role == Identity::Garbled {
            return Err(garbled(says.role));
        }
        self.sensitivity = match Identity::of(headers, says.sensitivity) {
            // An empty one was meant to say something.
            Identity::Missing if headers.get(says.sensitivity).is_some() => {
                return Err(not_sensitivity(says.sensitivity));
            }
            Identity::Missing => None,
            Identity::One(name) => Some(sensitivity(says.sensitivity, name)?),
            Identity::Unusable | Identity::Garbled => return Err(not_sensitivity(says.sensitivity)),
        };
        if let Some(encoding) = headers.all("content-encoding").find(|name| !name.eq_ignore_ascii_case(b"identity")) {
            return Err(compressed(encoding));
        }
        if let Some(why) = illegible(headers, self.schema) {
            return Err(Rejection::plain(Outcome::InvalidRequest, why));
        }
        if headers.number("content-length").is_some_and(|length| length > policy.max_request_bytes) {
            return Err(too_large(policy));
        }
        self.cut = policy
            .allowed
            .cut(headers, self.schema.dialect, &self.path, Some(&payer.name))
            .map_err(|unclear| Rejection::plain(Outcome::InvalidRequest, unclear.message()))?;
        // What a client's head lost stands in the record of its own exchange; what a copy loses here is only the gateway's own.
        if shadow.is_some() {
            self.cut.left_out = LeftOut::default();
        }
        // The path that is judged from here on is the one that is sent.
        if let Some((_, path)) = self.cut.set.iter().find(|(name, _)| name == ":path") {
            self.path.clone_from(path);
        }
        Ok(payer.ix)
    }

    /// What of a header's flags stands in the body is held against the header's table.
    pub(super) fn flags(&mut self, policy: &Policy, request: &Request) -> Result<(), Rejection> {
        for (field, flag) in &request.flags {
            policy.allowed.flag_in_body(field, flag, &mut self.cut.left_out).map_err(|why| {
                let message = format!(
                    "The field `{field}` must not have `{}`: {why}. Leave it out, or have the operator list it under `forward.betas`.",
                    shown(flag)
                );
                Rejection::plain(Outcome::InvalidRequest, message)
            })?;
        }
        Ok(())
    }

    /// Role and sensitivity as the body says them, in any API. Of two sensitivities the stricter holds; two
    /// roles must be the same, for the header may have been set by who authenticated the client.
    pub(super) fn hear(&mut self, policy: &Policy, request: &Request) -> Result<(), Rejection> {
        if let Some(role) = &request.role {
            if self.role.as_ref().is_some_and(|header| header != role) {
                let message = format!("The field `role` and the header `{}` name two roles.", policy.role_header);
                return Err(Rejection::plain(Outcome::InvalidRequest, message));
            }
            self.labels.role = policy.role_label(Some(role));
            self.role = Some(role.clone());
        }
        if let Some(written) = &request.sensitivity {
            self.sensitivity = self.sensitivity.max(Some(sensitivity("sensitivity", written)?));
        }
        Ok(())
    }
}

/// What is UTF-8, as nearly all is, is only looked over.
fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

/// Why a body could be another one to the provider than it is here, by what its head says of it.
pub(super) fn illegible(headers: &Headers, schema: &Schema) -> Option<&'static str> {
    let mut types = headers.all("content-type");
    let content_type = match (types.next(), types.next()) {
        // Nearly every request's.
        (None, _) | (Some(b"application/json"), None) => return None,
        (Some(content_type), None) => std::str::from_utf8(content_type).ok(),
        (Some(_), Some(_)) => None,
    };
    let Some(content_type) = content_type else {
        return Some("The header `content-type` must be given once, in ASCII.");
    };
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    // A server that reads UTF-7, as one in Node.js may, finds quotes where there are none.
    let is_other = |(name, value): (&str, &str)| {
        let charset = value.trim().trim_matches('"');
        let is_utf8 = ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
        name.trim().eq_ignore_ascii_case("charset") && !is_utf8
    };
    if parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(is_other) {
        return Some("The request's body must be UTF-8, and its `content-type` names another charset.");
    }
    let is_form = essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    (is_form && schema.takes_forms).then_some("A form must come as `multipart/form-data`.")
}

fn garbled(header: &str) -> Rejection {
    let message = format!("The header `{header}` has a control character, which no name has.");
    Rejection::plain(Outcome::InvalidRequest, message)
}

/// What nobody in front of the filter has inflated.
pub(super) fn compressed(encoding: &[u8]) -> Rejection {
    let encoding = String::from_utf8_lossy(encoding);
    let message = format!(
        "The request's body is compressed (`{}`), which is not read here. Send it as it is, without a `content-encoding` \
         (switch the compression of requests off in the client), or by `gzip` alone, where Envoy inflates that in front of this filter.",
        shown(&encoding)
    );
    let mut rejection = Rejection::plain(Outcome::UnsupportedEncoding, message);
    // By RFC 9110, 12.5.3: what would have been taken.
    rejection.headers.push(("accept-encoding", "identity".to_owned()));
    rejection
}

pub(super) fn sensitivity(place: &str, name: &str) -> Result<Sensitivity, Rejection> {
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
