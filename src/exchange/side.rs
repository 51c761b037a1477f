//! Requests that cost nothing, and are no less a tenant's: token counts, lists of models, and what is asked of a response
//! that was paid when it was made.
//!
//! No cell is asked, no answer read and no record written. But the operator's key goes with them, so whoever
//! sends one must be known, its head is cut like any other, and no provider gets a text that it may not see.

use super::Passed;
use super::answer::{account_refused, leads_elsewhere, led_elsewhere};
use super::kept::{self, not_found};
use super::models;
use super::opening::{compressed, illegible, sensitivity, too_large};
use crate::attempt;
use crate::attempt::blame::Who;
use crate::forward::HeadEdit;
use crate::headers::Headers;
use crate::kept::{Id, StoredResponses};
use crate::llm::path::{self, Called, Free, FreePath, WrongMethod};
use crate::llm::request::{Aside, RequestReader, is_id};
use crate::llm::schema::Dialect;
use crate::name::is_printable;
use crate::outcome::{Crowd, Outcome, Rejection, Reply, shown};
use crate::policy::{Policy, TenantIx};
use crate::route::Sensitivity;
use crate::tenant::Identity;
use crate::units::UnixNanos;

/// One of these requests, whose tenant is known.
#[derive(Debug)]
pub struct Side {
    pub what: Free,
    pub dialect: Dialect,
    pub tenant: TenantIx,
    /// The model that the path names, or the response.
    pub name: Option<String>,
}

/// The body of a token count. It is read for what it refers to (of another tenant's response it would tell the size), and for how
/// sensitive it says it is.
pub struct CountBody {
    pub tenant: TenantIx,
    /// The most that its provider may see.
    sees: Option<Sensitivity>,
    dialect: Dialect,
    reader: RequestReader,
    received: u64,
    request_id: String,
}

impl CountBody {
    /// How much of it was read.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next bytes. A reply means that no more are wanted.
    pub fn body(&mut self, policy: &Policy, bytes: &[u8]) -> Option<Reply> {
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received > policy.max_request_bytes {
            return Some(too_large(policy).in_dialect(self.dialect, &self.request_id));
        }
        self.reader.feed(bytes);
        None
    }

    pub fn crowded(&self, crowd: Crowd) -> Reply {
        Rejection::crowd(crowd).in_dialect(self.dialect, &self.request_id)
    }

    /// Its end has come: whether it may go on.
    pub fn end(self, policy: &Policy, knows: impl Fn(&str, Id) -> bool) -> Result<(), Reply> {
        let Self { tenant, sees, dialect, reader, request_id, .. } = self;
        let tenant = policy.tenant_policy(tenant).map_or("", |tenant| &tenant.name);
        let judged = match reader.aside() {
            Ok(Aside { refers, sensitivity: says }) => {
                kept::own(policy.stored_responses, &refers, |id| knows(tenant, id))
                    .and_then(|()| says.map_or(Ok(()), |says| seen_by(sees, sensitivity("sensitivity", &says)?)))
            }
            Err(invalid) => {
                let message = format!("The request can't be read: {invalid}.");
                Err(Rejection::plain(Outcome::InvalidRequest, message))
            }
        };
        judged.map_err(|rejection| rejection.in_dialect(dialect, &request_id))
    }
}

/// How one goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Onward {
    pub cut: HeadEdit,
    /// For the attempt, where the route's cluster is a provider that this filter chooses from.
    pub plan: Option<String>,
}

impl Side {
    /// Looks at the head of a request that is no exchange; `None`: it is none of these either.
    pub fn of(policy: &Policy, headers: &Headers) -> Option<Result<Self, Reply>> {
        let [method, path] = [":method", ":path"].map(|name| headers.get(name).unwrap_or_default());
        let FreePath { what, dialect, name } = match path::beside(&policy.free_routes, &policy.routes, method, path)? {
            Ok(free) => free,
            Err(wrong) => return Some(Err(not_this_way(wrong, headers))),
        };
        let tenant = identified(policy, headers).map_err(|rejection| replied(rejection, dialect, headers));
        Some(tenant.map(|tenant| Self { what, dialect, tenant, name }))
    }

    /// The list of models, or the one that was asked for.
    pub fn models(&self, policy: &Policy, headers: &Headers, now: UnixNanos) -> Result<Vec<u8>, Reply> {
        let tenant = policy.tenant_policy(self.tenant);
        let one = self.name.as_deref();
        tenant.and_then(|tenant| models::page(policy, tenant, self.dialect, one, now)).ok_or_else(|| {
            let name = one.filter(|name| is_printable(name)).unwrap_or_default();
            let message = format!("The model `{name}` is not served here, or not to this tenant.");
            replied(Rejection::plain(Outcome::ModelNotFound, message), self.dialect, headers)
        })
    }

    /// Its body, where that may refer to what is kept, or say that this cluster may not see it.
    pub fn counted(&self, policy: &Policy, headers: &Headers, cluster: Option<&str>) -> Option<CountBody> {
        // Who may see all needs no word of the body's.
        let sees = policy.sees_at_most(policy.provider(cluster)).filter(|most| *most < Sensitivity::Restricted);
        let refers = self.dialect == Dialect::OpenAi && policy.stored_responses != StoredResponses::Any;
        if self.what != Free::Counts || !refers && sees.is_none() {
            return None;
        }
        let called = Called { schema: self.dialect.api(), model: None, streams: None };
        Some(CountBody {
            tenant: self.tenant,
            sees,
            dialect: self.dialect,
            reader: RequestReader::beside(called),
            received: 0,
            request_id: request_id(headers).to_owned(),
        })
    }

    /// Too many of the tenant's are open for this one to go on.
    pub fn crowded(&self, crowd: Crowd, headers: &Headers) -> Reply {
        replied(Rejection::crowd(crowd), self.dialect, headers)
    }

    /// What becomes of it where the route leads to this cluster.
    pub fn onward(
        &self,
        policy: &Policy,
        headers: &Headers,
        cluster: Option<&str>,
        knows: impl Fn(&str, Id) -> bool,
    ) -> Result<Onward, Reply> {
        let judged = self.is_own(policy, knows).and_then(|()| self.judged(policy, headers, cluster));
        judged.map_err(|rejection| replied(rejection, self.dialect, headers))
    }

    /// What was kept for another tenant is, to this one, not there.
    fn is_own(&self, policy: &Policy, knows: impl Fn(&str, Id) -> bool) -> Result<(), Rejection> {
        let (Free::Stored, Some(id)) = (self.what, &self.name) else { return Ok(()) };
        let is_own = match policy.stored_responses {
            StoredResponses::Any => true,
            StoredResponses::Refuse => false,
            // A server that resolves `..` would find another's behind it.
            StoredResponses::Own if id.contains('/') || !is_id(id) => false,
            StoredResponses::Own => {
                policy.tenant_policy(self.tenant).is_some_and(|tenant| knows(&tenant.name, Id::of(id)))
            }
        };
        if is_own { Ok(()) } else { Err(not_found(&format!("Response with id '{}' not found.", shown(id)))) }
    }

    fn judged(&self, policy: &Policy, headers: &Headers, cluster: Option<&str>) -> Result<Onward, Rejection> {
        if let Some(encoding) = headers.all("content-encoding").find(|name| !name.eq_ignore_ascii_case(b"identity")) {
            return Err(compressed(encoding));
        }
        if let Some(why) = illegible(headers, self.dialect.api()) {
            return Err(Rejection::plain(Outcome::InvalidRequest, why));
        }
        let path = String::from_utf8_lossy(headers.get(":path").unwrap_or_default()).into_owned();
        let tenant = policy.tenant_policy(self.tenant);
        let mut cut = policy
            .allowed
            .cut(headers, self.dialect, &path, tenant.map(|tenant| &*tenant.name))
            .map_err(|unclear| Rejection::plain(Outcome::InvalidRequest, unclear.message()))?;
        cut.read_as_json(headers);
        let path = cut.set.iter().find(|(name, _)| name == ":path").map_or(path, |(_, path)| path.clone());
        let at = cluster.and_then(|cluster| policy.provider_of(cluster));
        if tenant.is_some_and(|tenant| !tenant.rules.lets_serve(at)) {
            let message = "The provider of this path may not serve this tenant.";
            return Err(Rejection::plain(Outcome::ModelNotAllowed, message));
        }
        let provider = at.and_then(|ix| policy.provider_at(ix));
        let floor = tenant.and_then(|tenant| tenant.rules.sensitivity).unwrap_or(Sensitivity::Public);
        let stated = stated_sensitivity(policy, headers)?.unwrap_or(policy.default_sensitivity);
        seen_by(policy.sees_at_most(provider), stated.max(floor))?;
        let Some(provider) = provider else { return Ok(Onward { cut, plan: None }) };
        let schema = policy.models.are_listed().then(|| self.dialect.api());
        let leg = schema.and_then(|_| provider.free_path(&path)).map(|path| attempt::PlannedLeg {
            provider: provider.name.clone(),
            path,
            length: headers.number("content-length").unwrap_or(0),
            edits: Vec::new(),
        });
        let who = tenant.map_or_else(Who::default, |tenant| Who::of(&tenant.name));
        let plan = schema.zip(leg).map(|(schema, leg)| attempt::plan(schema, &cut.kept, &[leg], who));
        Ok(Onward { cut, plan })
    }
}

/// By what nobody counts, a path that costs money would be called all the same, or the account be changed.
fn not_this_way(WrongMethod { dialect, allow }: WrongMethod, headers: &Headers) -> Reply {
    let message = format!("This path is called by {} here.", allow.replace(", ", " or "));
    let mut rejection = Rejection::plain(Outcome::InvalidRequest, message);
    rejection.headers.push(("allow", allow.to_owned()));
    Reply { status: 405, ..replied(rejection, dialect, headers) }
}

impl Passed {
    /// What becomes of a provider's answer to one; `refused`: by whom the gateway's own account is, by this.
    pub fn beside(dialect: Dialect, refused: Option<&str>, headers: &Headers, end_of_stream: bool) -> Self {
        let mut passed = Self::default();
        let status = headers.number(":status").unwrap_or(0);
        let refused = refused.map(|provider| account_refused(provider, status));
        let instead = refused.or_else(|| leads_elsewhere(status).then(|| led_elsewhere("", status)));
        if let Some(rejection) = instead {
            passed.replace(rejection.in_dialect(dialect, ""), end_of_stream);
        }
        passed
    }
}

fn identified(policy: &Policy, headers: &Headers) -> Result<TenantIx, Rejection> {
    let name = &policy.tenant_header;
    let tenant = match Identity::of(headers, name) {
        Identity::One(tenant) => policy.tenant(tenant),
        Identity::Missing => {
            let message = format!("The request names no tenant: the header `{name}` is missing.");
            return Err(Rejection::plain(Outcome::TenantMissing, message));
        }
        Identity::Unusable | Identity::Garbled => None,
    };
    tenant.ok_or_else(|| Rejection::plain(Outcome::TenantUnknown, "The tenant is not known to this gateway."))
}

/// Whether who may see so much at most may see this.
fn seen_by(most: Option<Sensitivity>, sensitivity: Sensitivity) -> Result<(), Rejection> {
    if most.is_none_or(|most| sensitivity <= most) {
        return Ok(());
    }
    let message = format!("The provider of this path may not see {} data.", sensitivity.name());
    Err(Rejection::plain(Outcome::ModelNotAllowed, message))
}

fn stated_sensitivity(policy: &Policy, headers: &Headers) -> Result<Option<Sensitivity>, Rejection> {
    let name = &policy.sensitivity_header;
    let stated = match Identity::of(headers, name) {
        Identity::Missing if headers.get(name).is_none() => return Ok(None),
        Identity::Missing => None,
        Identity::One(stated) => Sensitivity::named(stated),
        Identity::Unusable | Identity::Garbled => None,
    };
    let unclear =
        || Rejection::plain(Outcome::InvalidRequest, format!("`{name}` must be given once, with a known value."));
    stated.map(Some).ok_or_else(unclear)
}

/// As a reply to a request that has no exchange.
pub fn replied(rejection: Rejection, dialect: Dialect, headers: &Headers) -> Reply {
    rejection.in_dialect(dialect, request_id(headers))
}

fn request_id(headers: &Headers) -> &str {
    let id = headers.get("x-request-id").and_then(|id| std::str::from_utf8(id.get(..128).unwrap_or(id)).ok());
    id.filter(|id| is_printable(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy() -> Policy {
        let configuration = json!({
            "tenants": {"acme": {"tier": "premium"}, "close": {"providers": ["openai"]}},
            "providers": {
                "openai": {"cluster": "openai", "sensitivity": "internal", "base_path": "/api/v1"},
                "anthropic": {"cluster": "anthropic", "sensitivity": "restricted", "apis": ["anthropic_messages"]},
            },
            "models": [{"model": "gpt-4o", "providers": [{"provider": "openai"}]}],
            "prices": [{"model": "gpt-4o", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
        });
        Policy::read(configuration.to_string().as_bytes()).unwrap()
    }

    fn onward(method: &str, path: &str, cluster: &str, more: &[(&str, &str)]) -> Result<Onward, (u32, Outcome)> {
        onward_of("acme", method, path, cluster, more)
    }

    fn onward_of(
        tenant: &str,
        method: &str,
        path: &str,
        cluster: &str,
        more: &[(&str, &str)],
    ) -> Result<Onward, (u32, Outcome)> {
        let head = [(":method", method), (":path", path), ("x-tenant-id", tenant)];
        let headers = Headers::of(&[&head[..], more].concat());
        let policy = policy();
        let side = Side::of(&policy, &headers).expect("one of these");
        side.and_then(|side| side.onward(&policy, &headers, Some(cluster), |_, id| id == Id::of("resp_1")))
            .map_err(|reply| (reply.status, reply.outcome))
    }

    #[test]
    fn the_attempt_at_the_routes_provider_gets_its_path_and_nobody_elses() {
        let onward = onward("GET", "/v1/responses/resp_1", "openai", &[("authorization", "Bearer mine")]).unwrap();
        let plan = onward.plan.unwrap();
        let attempt = attempt::Attempt::of(&plan, "openai").unwrap();
        assert_eq!((&*attempt.leg.path, attempt.leg.length), ("/api/v1/responses/resp_1", 0));
        assert_eq!(attempt::Attempt::of(&plan, "anthropic"), None);
        assert_eq!(onward.cut.remove, ["authorization"], "the head is cut as any other");
    }

    /// Some servers read over the rest, and what it is may be chosen so that the hash is that of an id of one's own.
    #[test]
    fn only_what_could_be_an_id_is_looked_up() {
        for id in ["resp_1%00", "resp_1;x", "x%2F..%2Fresp_1", "x/../resp_1"] {
            let path = format!("/v1/responses/{id}");
            let headers = Headers::of(&[(":method", "GET"), (":path", &path), ("x-tenant-id", "acme")]);
            let policy = policy();
            let side = Side::of(&policy, &headers).expect("one of these").unwrap();
            let onward = side.onward(&policy, &headers, Some("openai"), |_, _| true);
            assert_eq!(onward.map(|_| ()).map_err(|reply| reply.outcome), Err(Outcome::ResponseNotFound), "{id}");
        }
    }

    #[test]
    fn no_text_is_counted_by_a_provider_that_may_not_see_it() {
        let counted = |cluster, level| {
            onward("POST", "/v1/messages/count_tokens", cluster, &[("x-ai-sensitivity", level)]).map(|_| ())
        };
        assert_eq!(counted("openai", "internal"), Ok(()));
        assert_eq!(counted("openai", "restricted"), Err((403, Outcome::ModelNotAllowed)));
        assert_eq!(counted("anthropic", "restricted"), Ok(()));
        assert_eq!(counted("anthropic", "secret"), Err((400, Outcome::InvalidRequest)));
        assert_eq!(counted("anthropic", ""), Err((400, Outcome::InvalidRequest)));
        let utf7 = [("content-type", "application/json; charset=utf-7")];
        let garbled = onward("POST", "/v1/messages/count_tokens", "anthropic", &utf7).map(|_| ());
        assert_eq!(garbled, Err((400, Outcome::InvalidRequest)));
    }

    /// By its body as by its head, in each API; a word that nobody knows is no word.
    #[test]
    fn no_text_is_counted_by_a_provider_that_may_not_see_it_by_its_own_word() {
        let policy = policy();
        for (path, content) in [
            ("/v1/responses/input_tokens", r#""input":"x""#),
            ("/v1/messages/count_tokens", r#""messages":[]"#),
            ("/v1beta/models/g:countTokens", r#""contents":[]"#),
        ] {
            let counted = |cluster: &str, head: &str, says: &str| {
                let head = [(":method", "POST"), (":path", path), ("x-tenant-id", "acme"), ("x-ai-sensitivity", head)];
                let headers = Headers::of(&head);
                let side = Side::of(&policy, &headers).unwrap().unwrap();
                assert!(side.onward(&policy, &headers, Some(cluster), |_, _| false).is_ok());
                let Some(mut body) = side.counted(&policy, &headers, Some(cluster)) else { return Ok(()) };
                assert_eq!(body.body(&policy, format!("{{{content}{says}}}").as_bytes()), None);
                body.end(&policy, |_, _| false).map_err(|reply| (reply.status, reply.outcome))
            };
            let too_sensitive = Err((403, Outcome::ModelNotAllowed));
            for (cluster, most) in [("nobody", 0), ("openai", 1)] {
                for (at, level) in Sensitivity::ALL.into_iter().enumerate() {
                    let says = format!(r#","sensitivity":"{}""#, level.name());
                    let expected = if at <= most { Ok(()) } else { too_sensitive };
                    assert_eq!(counted(cluster, "public", &says), expected, "{path} {cluster} {level:?}");
                }
                assert_eq!(counted(cluster, "public", ""), Ok(()));
                let unknown = counted(cluster, "public", r#","sensitivity":"secret""#);
                assert_eq!(unknown, Err((400, Outcome::InvalidRequest)), "{path} {cluster}");
            }
        }
    }

    #[test]
    fn a_count_is_read_only_where_its_provider_may_not_see_all() {
        let policy = policy();
        for (path, cluster, reads) in [
            ("/v1/messages/count_tokens", "anthropic", false),
            ("/v1beta/models/g:countTokens", "anthropic", false),
            ("/v1/messages/count_tokens", "openai", true),
            // For what it may refer to.
            ("/v1/responses/input_tokens", "anthropic", true),
        ] {
            let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
            let side = Side::of(&policy, &headers).unwrap().unwrap();
            assert_eq!(side.counted(&policy, &headers, Some(cluster)).is_some(), reads, "{path} {cluster}");
        }
    }

    /// Google's own examples write an object where its API has a list.
    #[test]
    fn a_count_is_for_its_provider_to_judge_but_for_what_it_refers_to_and_how_sensitive_it_is() {
        let policy = policy();
        for (path, body, expected) in [
            ("/v1beta/models/g:countTokens", r#"{"contents":{"role":"user"}}"#, Ok(())),
            ("/v1beta/models/g:countTokens", r#"{"contents":{},"sensitivity":"restricted"}"#, Err(403)),
            ("/v1beta/models/g:countTokens", r#"{"contents":{},"sensitivity":7}"#, Err(400)),
            ("/v1beta/models/g:countTokens", r#"{"contents":[],"contents":[]}"#, Err(400)),
            ("/v1beta/models/g:countTokens", r#"{"contents":"#, Err(400)),
            ("/v1/messages/count_tokens", r#"{"model":7,"max_tokens":"many"}"#, Ok(())),
            ("/v1/responses/input_tokens", r#"{"max_output_tokens":"many","input":"x"}"#, Ok(())),
            ("/v1/responses/input_tokens", r#"{"max_output_tokens":"many","previous_response_id":7}"#, Err(400)),
            ("/v1/responses/input_tokens", r#"{"max_output_tokens":"many","previous_response_id":"a"}"#, Err(404)),
        ] {
            let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
            let side = Side::of(&policy, &headers).unwrap().unwrap();
            let mut count = side.counted(&policy, &headers, Some("openai")).expect("it is read");
            assert_eq!(count.body(&policy, body.as_bytes()), None);
            assert_eq!(count.end(&policy, |_, _| false).map_err(|reply| reply.status), expected, "{path} {body}");
        }
    }

    /// Where providers say what they may see, who is none of them sees what everybody may.
    #[test]
    fn a_cluster_that_is_no_provider_counts_what_everybody_may_see() {
        for (level, expected) in [
            ("public", Ok(())),
            ("internal", Err((403, Outcome::ModelNotAllowed))),
            ("restricted", Err((403, Outcome::ModelNotAllowed))),
            ("secret", Err((400, Outcome::InvalidRequest))),
        ] {
            let more = [("x-ai-sensitivity", level)];
            assert_eq!(onward("POST", "/v1/messages/count_tokens", "nobody", &more).map(|_| ()), expected, "{level}");
        }
    }

    #[test]
    fn nobody_answers_a_tenant_beside_its_requests_who_may_not_serve_it() {
        for (tenant, cluster, may) in [
            ("acme", "anthropic", true),
            ("acme", "nobody", true),
            ("close", "openai", true),
            ("close", "anthropic", false),
            ("close", "nobody", false),
        ] {
            let counted =
                onward_of(tenant, "POST", "/v1/messages/count_tokens", cluster, &[("x-ai-sensitivity", "public")])
                    .map(|_| ());
            let expected = if may { Ok(()) } else { Err((403, Outcome::ModelNotAllowed)) };
            assert_eq!(counted, expected, "{tenant} {cluster}");
        }
    }

    #[test]
    fn another_method_of_a_known_path_is_refused_in_the_words_of_its_api() {
        for (method, path, allow, at) in [
            ("GET", "/v1/chat/completions", "POST", "/error/code"),
            ("PATCH", "/v1/messages", "POST", "/error/code"),
            ("OPTIONS", "/model/m/converse", "POST", "/code"),
            ("DELETE", "/v1beta/models/g:generateContent", "POST", "/error/details/0/reason"),
            ("DELETE", "/v1/models/ft:mine", "GET", "/error/code"),
        ] {
            let headers = Headers::of(&[(":method", method), (":path", path), ("x-tenant-id", "acme")]);
            let reply = Side::of(&policy(), &headers).expect("one of ours").expect_err("a refusal");
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!((reply.status, body.pointer(at)), (405, Some(&json!("invalid_request"))), "{method} {path}");
            assert!(reply.headers.contains(&("allow", allow.to_owned())), "{:?}", reply.headers);
        }
        let headers = Headers::of(&[(":method", "DELETE"), (":path", "/v1/files/f"), ("x-tenant-id", "acme")]);
        assert!(Side::of(&policy(), &headers).is_none(), "a path of nobody's");
    }

    #[test]
    fn whoever_is_not_known_gets_nothing() {
        let refused = |more: &[(&str, &str)]| {
            let headers = Headers::of(&[&[(":method", "GET"), (":path", "/v1/models")][..], more].concat());
            Side::of(&policy(), &headers).unwrap().map(|_| ()).map_err(|reply| reply.outcome)
        };
        assert_eq!(refused(&[]), Err(Outcome::TenantMissing));
        assert_eq!(refused(&[("x-tenant-id", "other")]), Err(Outcome::TenantUnknown));
        assert_eq!(refused(&[("x-tenant-id", "acme"), ("x-tenant-id", "acme")]), Err(Outcome::TenantUnknown));
        assert_eq!(refused(&[("x-tenant-id", "acme")]), Ok(()));
    }
}
