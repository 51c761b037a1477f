mod affinity;
mod corpus;
mod instead;
mod listed;
mod routing;
mod shadows;
mod spending;
mod variants;

use super::*;
use crate::limit::SwapLost;
use crate::limit::cell::Cell;
use crate::llm::meter::Passage;
use crate::llm::usage::UsageSource;
use crate::policy::OnContention;
use crate::record::Bill;
use crate::units::NanoUsd;

const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const POLICY: &str = r#"{
    "tenants": {"acme": {"tier": "premium"}, "picky": {"models": ["gpt-4o*"]}},
    "roles": ["chat"], "providers": {"openai": {"cluster": "openai_cluster"}}, "aliases": {"fast": "gpt-4o-mini"},
    "prices": [
        {"model": "gpt-4o-mini", "input_usd_per_1m_tokens": "0.15", "output_usd_per_1m_tokens": "0.60"},
        {"model": "tiny", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1", "output_bound_field": "max_tokens"}
    ]}"#;
const BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
const USAGE: &str = r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;

fn policy() -> Policy {
    Policy::read(POLICY.as_bytes()).unwrap()
}

/// Nothing is known but where Envoy's route leads.
pub(super) fn around(cluster: Option<&str>) -> Around<'_> {
    Around {
        cluster,
        is_attended: &|_| true,
        is_open: &|_| false,
        knows: &|_, _| false,
        density: &|_, _| Density::default(),
        cell: &|_| None,
        sizes: &|_, _| None,
        is_out: &|_, _| false,
        service_unavailable: false,
        now: NOON,
    }
}

fn head(extra: &[(&str, &str)]) -> Headers {
    called("POST", "/v1/chat/completions", extra)
}

fn called(method: &str, path: &str, extra: &[(&str, &str)]) -> Headers {
    Headers::of(&[&[(":method", method), (":path", path), ("x-request-id", "id-1")], extra].concat())
}

fn refused(policy: &Policy, headers: &[(&str, &str)]) -> Reply {
    match Exchange::open(policy, &head(headers), NOON) {
        Opening::Refuse(exchange, reply) => {
            let closed = exchange.close(policy, &Ending::default(), NOON);
            assert_eq!((closed.settlement, closed.record.outcome), (None, reply.outcome));
            reply
        }
        Opening::Aside | Opening::Read(_) => panic!("was not refused"),
    }
}

fn asked(policy: &Policy, tenant: &str, body: &str) -> (Exchange, Result<Demand, Reply>) {
    let Opening::Read(mut exchange) = Exchange::open(policy, &head(&[("x-tenant-id", tenant)]), NOON) else {
        panic!("was not read")
    };
    assert_eq!(exchange.body(policy, body.as_bytes()), None);
    let demand = exchange.end_of_request(policy, around(Some("openai_cluster"))).unwrap();
    (exchange, demand)
}

/// An exchange that was sent on, the cell that holds its reservation, and the edits.
fn sent(policy: &Policy, body: &str) -> (Exchange, Cell, Vec<Edit>) {
    let (mut exchange, demand) = asked(policy, "acme", body);
    let mut cell = Cell::default();
    let demand = demand.unwrap();
    let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
    let Step::Forward(edits) = exchange.decided(policy, demand, Ok(decision), NOON) else { panic!("was not sent on") };
    (exchange, cell, edits)
}

/// The same by any path.
fn sent_to(policy: &Policy, path: &str, body: &str) -> Exchange {
    let headers = called("POST", path, &[("x-tenant-id", "acme")]);
    let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOON) else { panic!("was not read") };
    assert_eq!(exchange.body(policy, body.as_bytes()), None);
    let demand = exchange.end_of_request(policy, around(None)).unwrap().unwrap();
    let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
    let step = exchange.decided(policy, demand, Ok(decision), NOON);
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    exchange
}

fn answer(policy: &Policy, exchange: &mut Exchange, status: u64, content_type: &str, body: &str) {
    let headers = [(":status", status.to_string()), ("content-type", content_type.to_owned())];
    let headers = Headers::of(&headers);
    exchange.answer_head(
        policy,
        &AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false },
    );
    exchange.answer_body(body.as_bytes(), false, || NOON);
}

#[test]
fn who_is_not_known_or_not_clear_is_refused_by_name() {
    let policy = policy();
    for (headers, outcome) in [
        (&[][..], Outcome::TenantMissing),
        (&[("x-tenant-id", "")], Outcome::TenantMissing),
        (&[("x-tenant-id", "nobody")], Outcome::TenantUnknown),
        (&[("x-tenant-id", "acme"), ("x-tenant-id", "acme")], Outcome::TenantUnknown),
        (&[("x-tenant-id", "acme"), ("content-length", "99999999")], Outcome::RequestTooLarge),
        (&[("x-tenant-id", "acme"), ("content-encoding", "gzip")], Outcome::UnsupportedEncoding),
        (
            &[("x-tenant-id", "acme"), ("content-encoding", "identity"), ("content-encoding", "br")],
            Outcome::UnsupportedEncoding,
        ),
        (&[("x-tenant-id", "acme"), ("content-type", "application/json; charset=utf-7")], Outcome::InvalidRequest),
        (&[("x-tenant-id", "acme"), ("content-type", "text/json;x=y; Charset=\"UTF-16\"")], Outcome::InvalidRequest),
        (
            &[("x-tenant-id", "acme"), ("content-type", "application/json"), ("content-type", "text/plain")],
            Outcome::InvalidRequest,
        ),
    ] {
        assert_eq!(refused(&policy, headers).outcome, outcome, "{headers:?}");
    }
}

#[test]
fn a_form_is_read_in_one_encoding_only() {
    let opened = |path, content_type| {
        let headers = called("POST", path, &[("x-tenant-id", "acme"), ("content-type", content_type)]);
        match Exchange::open(&policy(), &headers, NOON) {
            Opening::Read(_) => None,
            Opening::Refuse(_, reply) => Some(reply.outcome),
            Opening::Aside => panic!("{path} is not an API"),
        }
    };
    let (upload, chat, urlencoded) =
        ("/v1/audio/transcriptions", "/v1/chat/completions", "application/X-www-form-urlencoded");
    assert_eq!(opened(upload, urlencoded), Some(Outcome::InvalidRequest));
    assert_eq!(opened(upload, "multipart/form-data; boundary=b; charset=\"utf-8\""), None);
    // What curl says of any body, and no reader of a chat believes.
    assert_eq!(opened(chat, urlencoded), None);
}

#[test]
fn other_paths_step_aside() {
    let headers = called("POST", "/v1/models", &[("x-tenant-id", "acme")]);
    assert!(matches!(Exchange::open(&policy(), &headers, NOON), Opening::Aside));
}

#[test]
fn a_model_that_is_not_allowed_or_has_no_price_is_refused() {
    let policy = policy();
    let ask = |tenant, model: &str| {
        let (_, demand) = asked(&policy, tenant, &BODY.replace("gpt-4o-mini", model));
        demand.err().map(|reply| reply.outcome)
    };
    assert_eq!(ask("picky", "tiny"), Some(Outcome::ModelNotAllowed));
    assert_eq!(ask("picky", "fast"), None);
    assert_eq!(ask("acme", "gpt-9"), Some(Outcome::ModelUnpriced));
    // What is here for nobody is no secret of those who may use it.
    assert_eq!(ask("picky", "gpt-9"), Some(Outcome::ModelNotFound));
}

#[test]
fn a_request_is_sent_on_as_it_is_unless_something_must_be_said() {
    let policy = policy();
    assert_eq!(sent(&policy, BODY).2, []);
    let texts = |body: &str| sent(&policy, body).2.into_iter().map(|edit| edit.text).collect::<Vec<_>>();
    assert_eq!(texts(&BODY.replace("gpt-4o-mini", "fast")), ["\"gpt-4o-mini\""]);
    assert_eq!(texts(&BODY.replace(",\"max_tokens\":50", "")), ["\"max_completion_tokens\":4096,"]);
    let tiny = BODY.replace("gpt-4o-mini", "tiny").replace(",\"max_tokens\":50", "");
    assert_eq!(texts(&tiny), ["\"max_tokens\":4096,"]);
    let stream = BODY.replace("\"model\"", "\"stream\":true,\"model\"");
    assert_eq!(texts(&stream), ["\"stream_options\":{\"include_usage\":true},"]);
}

/// One row per way an exchange can end once it was sent on: what it is called, and what it costs.
#[test]
fn every_ending_is_settled_once_and_called_by_its_name() {
    const GONE: u64 = 1 << 14;
    const TIMEOUT: u64 = 1 << 2;
    const RESET: u64 = 1 << 6;
    const ABORTED: u64 = 1 << 23;
    const OVERLOADED: u64 = 1 << 25;
    const JSON: &str = "application/json";
    const SSE: &str = "text/event-stream";
    let delta = r#"data: {"choices":[{"delta":{"content":"12345678"}}]}"#;
    let deltas = format!("{delta}\n\n{delta}\n\n");
    let usage_event = format!("{deltas}data: {USAGE}\n\ndata: [DONE]\n\n");
    use Outcome::*;
    use UsageSource::{Estimated, None as Nothing, Reported};
    let no_answer = None;
    type Row<'a> = (&'a str, bool, Option<(u64, &'a str, &'a str)>, u64, bool, Outcome, UsageSource, u64);
    let rows: [Row<'_>; 18] = [
        ("a whole JSON answer", false, Some((200, JSON, USAGE)), 0, true, Success, Reported, 4_500),
        ("a whole stream", true, Some((200, SSE, &usage_event)), 0, true, Success, Reported, 4_500),
        ("hung up on [DONE]", true, Some((200, SSE, &usage_event)), GONE, true, Success, Reported, 4_500),
        ("no usage in a stream", true, Some((200, SSE, &deltas)), 0, true, Success, Estimated, 6_150),
        ("client gone in mid-stream", true, Some((200, SSE, &deltas)), GONE, true, ClientClosed, Estimated, 6_150),
        (
            "provider gone in mid-stream",
            true,
            Some((200, SSE, &deltas)),
            ABORTED,
            true,
            ProviderAborted,
            Estimated,
            6_150,
        ),
        (
            "a JSON answer cut off",
            false,
            Some((200, JSON, "{\"choices\"")),
            ABORTED,
            true,
            ProviderAborted,
            Estimated,
            33_150,
        ),
        (
            "a full heap in mid-stream",
            true,
            Some((200, SSE, &deltas)),
            OVERLOADED,
            true,
            InternalError,
            Estimated,
            6_150,
        ),
        ("a full heap before an answer", false, no_answer, OVERLOADED, true, InternalError, Estimated, 33_150),
        ("client gone before a stream", true, no_answer, GONE, true, ClientClosed, Estimated, 3_750),
        ("client gone before an answer in one piece", false, no_answer, GONE, true, ClientClosed, Estimated, 33_150),
        ("client gone before anything was sent", false, no_answer, GONE, false, ClientClosed, Nothing, 0),
        ("the provider is given up on", false, no_answer, TIMEOUT, true, ProviderUnavailable, Estimated, 33_150),
        ("the provider hangs up at once", false, no_answer, RESET, true, ProviderUnavailable, Nothing, 0),
        ("the provider refuses", false, Some((404, JSON, "{\"error\":{}}")), 0, true, ProviderRejected, Nothing, 0),
        ("the provider limits", false, Some((429, JSON, "{\"error\":{}}")), 0, true, ProviderRateLimited, Nothing, 0),
        ("the provider fails", false, Some((500, "text/html", "<p>")), 0, true, ProviderError, Nothing, 0),
        ("an error in a 200", false, Some((200, JSON, "{\"error\":{}}")), 0, true, ProviderError, Nothing, 0),
    ];
    let policy = policy();
    for (name, stream, answered, flags, sent_on, outcome, source, cost) in rows {
        let body = if stream { BODY.replace("\"model\"", "\"stream\":true,\"model\"") } else { BODY.to_owned() };
        let (mut exchange, mut cell, _) = sent(&policy, &body);
        if let Some((status, content_type, text)) = answered {
            answer(&policy, &mut exchange, status, content_type, text);
        }
        let ending = Ending {
            status: answered.map_or(503, |(status, ..)| status),
            flags,
            cluster: Some("openai_cluster".to_owned()),
            sent: sent_on,
            attempts: 1,
            ..Ending::default()
        };
        let Closed { settlement, record, .. } = exchange.close(&policy, &ending, UnixNanos(NOON.0 + 1_000_000_000));
        assert_eq!((record.outcome, record.bill.usage_source), (outcome, source), "{name}");
        // The estimate of the input grows with the body, which says `stream` or doesn't.
        let tolerance = if source == Estimated { 700 } else { 0 };
        assert!(record.bill.cost.0.abs_diff(cost) <= tolerance, "{name}: {} instead of {cost}", record.bill.cost.0);
        assert_eq!(record.labels.provider, "openai", "{name}");
        let Settlement { reservation, came, .. } = settlement.unwrap();
        assert_eq!((cell.levels(NOON, 900).reserved, record.reserved), (reservation.cost, reservation.cost), "{name}");
        came.settle(&mut cell, &reservation, 900, NOON);
        let levels = cell.levels(NOON, 900);
        assert_eq!((levels.reserved, levels.spent_today), (NanoUsd(0), record.bill.cost), "{name}");
    }
}

/// Whether a path is served is between the client and Envoy: no provider was asked, and none looks down for it.
#[test]
fn what_envoy_answers_by_itself_takes_no_place_and_blames_no_provider() {
    let policy = policy();
    let to = |cluster: Option<&str>| cluster.map(str::to_owned);
    for (status, cluster, outcome) in [
        (404, None, Outcome::InvalidRequest),
        (426, None, Outcome::InvalidRequest),
        (403, None, Outcome::InvalidRequest),
        (301, None, Outcome::InvalidRequest),
        (200, None, Outcome::InvalidRequest),
        // A filter behind this one, on a route that leads somewhere.
        (403, Some("openai_cluster"), Outcome::InvalidRequest),
        (413, Some("openai_cluster"), Outcome::RequestTooLarge),
        (429, Some("openai_cluster"), Outcome::RateLimited),
    ] {
        let (mut exchange, mut cell, _) = sent(&policy, BODY);
        let headers = Headers::of(&[(":status", status.to_string())]);
        let head = AnswerHead { headers: &headers, from_provider: false, cluster: None, end_of_stream: false };
        let passed = exchange.answer_head(&policy, &head);
        assert_eq!((passed.set, passed.body), (vec![], None), "{status}");
        let ending = Ending { status, cluster: to(cluster), ..Ending::default() };
        let Closed { settlement, record, .. } = exchange.close(&policy, &ending, NOON);
        assert_eq!((record.outcome, record.status, record.bill.cost), (outcome, status, NanoUsd::ZERO));
        assert_eq!((&*record.labels.provider, record.admitted), ("none", false), "{status}");
        let Settlement { reservation, came, .. } = settlement.unwrap();
        assert!(came.withdrawn, "{status}");
        came.settle(&mut cell, &reservation, 900, NOON);
        let mut untouched = Cell::default();
        assert_eq!(cell.levels(NOON, 900), untouched.levels(NOON, 900), "{status}");
    }
    // Once it was sent, a low status says nothing: Envoy may call its own timeout 204.
    for (sent_on, attempts, status) in [(true, 1, 204), (false, 1, 404), (false, 0, 503)] {
        let (exchange, ..) = sent(&policy, BODY);
        let ending = Ending { status, sent: sent_on, attempts, flags: 1 << 2, ..Ending::default() };
        let closed = exchange.close(&policy, &ending, NOON);
        assert_eq!(closed.record.outcome, Outcome::ProviderUnavailable);
        assert!(!closed.settlement.unwrap().came.withdrawn);
    }
}

#[test]
fn a_starved_swap_is_refused_or_sent_on_without_a_reservation() {
    let mut policy = policy();
    for (starved, refuses) in [(OnContention::Deny, true), (OnContention::Allow, false)] {
        policy.on_contention = starved;
        let (mut exchange, demand) = asked(&policy, "acme", BODY);
        let step = exchange.decided(&policy, demand.unwrap(), Err(SwapLost), NOON);
        assert_eq!(matches!(step, Step::Refuse(_)), refuses);
        answer(&policy, &mut exchange, 200, "application/json", USAGE);
        let closed = exchange.close(&policy, &Ending { status: 200, ..Ending::default() }, NOON);
        let charged = closed.settlement.map(|settlement| (settlement.reservation.cost, settlement.came.cost));
        assert_eq!(charged, (!refuses).then_some((NanoUsd(0), NanoUsd(4_500))));
    }
}

/// `with` beside the usual policy, on its `gpt-4o-mini` and its provider.
fn adjusted(with: impl FnOnce(&mut serde_json::Value)) -> Policy {
    let mut policy: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    with(&mut policy);
    Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Whoever asks for a cheap tier and hangs up before the answer says what served it must not get it for that.
#[test]
fn a_cheap_tier_is_charged_only_where_the_answer_says_that_it_served() {
    let flex = serde_json::json!({"input_usd_per_1m_tokens": "0.075", "output_usd_per_1m_tokens": "0.30"});
    let policy = adjusted(|policy| policy["prices"][0]["service_tiers"] = serde_json::json!({"flex": flex}));
    let body = BODY.replace("\"model\"", "\"service_tier\":\"flex\",\"stream\":true,\"model\"");
    let cost = |text: &str, flags| {
        let (mut exchange, mut cell, _) = sent(&policy, &body);
        let reserved = cell.levels(NOON, 900).reserved;
        answer(&policy, &mut exchange, 200, "text/event-stream", text);
        let ending = Ending { status: 200, flags, sent: true, ..Ending::default() };
        (exchange.close(&policy, &ending, NOON).record.bill.cost.0, reserved.0)
    };
    let delta = "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\n";
    let served = USAGE.replacen('{', "data: {\"service_tier\":\"flex\",", 1) + "\n\ndata: [DONE]\n\n";
    let (said, reserved) = cost(&served, 0);
    let (untold, _) = cost(&served.replace("\"service_tier\":\"flex\",", ""), 0);
    assert_eq!((said, untold), (2_250, 4_500));
    let (cut, _) = cost(delta, 1 << 14);
    let (cut_standard, reserved_standard) = {
        let body = body.replace("\"flex\"", "\"batch\"");
        let (mut exchange, mut cell, _) = sent(&policy, &body);
        answer(&policy, &mut exchange, 200, "text/event-stream", delta);
        let ending = Ending { status: 200, flags: 1 << 14, sent: true, ..Ending::default() };
        (exchange.close(&policy, &ending, NOON).record.bill.cost.0, cell.levels(NOON, 900).reserved.0)
    };
    assert_eq!((cut, reserved), (cut_standard, reserved_standard));
}

/// vLLM tells with each piece what that choice has come to, and only at the end what all have.
#[test]
fn a_count_beside_one_choice_of_several_is_not_taken_for_all_of_them() {
    let policy = policy();
    let charged = |choices: u64, text: &str, flags: u64| {
        let more = format!("\"stream\":true,\"n\":{choices},\"model\"");
        let (mut exchange, ..) = sent(&policy, &BODY.replace("\"model\"", &more));
        answer(&policy, &mut exchange, 200, "text/event-stream", text);
        let ending = Ending { status: 200, flags, sent: true, ..Ending::default() };
        let bill = exchange.close(&policy, &ending, NOON).record.bill;
        (bill.usage.output_tokens.0, bill.usage_source)
    };
    let piece = |choice: u64, tokens: u64| {
        let text = "four or five words here ".repeat(8);
        format!(
            "data: {{\"choices\":[{{\"index\":{choice},\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":\"length\"}}],\
             \"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{tokens},\"total_tokens\":{}}}}}\n\n",
            tokens + 9
        )
    };
    let pieces: String = (0..8).map(|choice| piece(choice, 40)).collect();
    let all =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":320,\"total_tokens\":329}}\n\n";
    for flags in [0, 1 << 14] {
        let (output, source) = charged(8, &pieces, flags);
        assert!((300..=500).contains(&output) && source == UsageSource::Estimated, "{output} {source:?}");
    }
    assert_eq!(charged(8, &format!("{pieces}{all}"), 0), (320, UsageSource::Reported));
    assert_eq!(charged(1, &piece(0, 40), 0), (40, UsageSource::Reported));
}

/// Whoever always asks for ten choices must not be charged ten times their pace for each of ten when leaving.
#[test]
fn a_pace_is_learned_of_one_choice() {
    let policy = policy();
    let pace = |choices: u64| {
        let more = format!("\"stream\":true,\"n\":{choices},\"model\"");
        let (mut exchange, ..) = sent(&policy, &BODY.replace("\"model\"", &more));
        let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n\
                    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":400,\"total_tokens\":407}}\n\n\
                    data: [DONE]\n\n";
        answer(&policy, &mut exchange, 200, "text/event-stream", text);
        let ending = Ending { status: 200, sent: true, ..Ending::default() };
        let later = UnixNanos(NOON.0 + 4_000_000_000);
        let learned = exchange.close(&policy, &ending, later).experience.unwrap().lesson.pace;
        (learned.bytes, learned.tokens)
    };
    assert_eq!([1, 10].map(pace), [(400, 4_000), (400, 40_000)]);
}

/// An answer takes back what it speaks of, and no more: one that can't say a speed has said nothing of it with its tier.
#[test]
fn a_dearer_rate_that_was_asked_for_counts_until_the_answer_speaks_of_it() {
    let rate = |usd: &str| serde_json::json!({"input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": usd});
    let tiers = serde_json::json!({"flex": rate("1"), "priority": rate("20"), "fast": rate("60"), "us": rate("11")});
    let policy = adjusted(|policy| {
        policy["prices"][0]["service_tiers"] = tiers.clone();
        policy["prices"][0]["input_usd_per_1m_tokens"] = "0".into();
        policy["prices"][0]["output_usd_per_1m_tokens"] = "10".into();
    });
    let cost = |asked: &str, top: &str, in_usage: &str| {
        let body = BODY.replace("\"model\"", &format!("{asked}\"model\""));
        let (mut exchange, _, _) = sent(&policy, &body);
        let text = format!(
            r#"{{{top}"choices":[{{"message":{{"content":"hi"}}}}],"usage":{{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8{in_usage}}}}}"#
        );
        answer(&policy, &mut exchange, 200, "application/json", &text);
        let ending = Ending { status: 200, sent: true, ..Ending::default() };
        exchange.close(&policy, &ending, NOON).record.bill.cost.0 / 1_000
    };
    let tier = |name: &str| format!("\"service_tier\":\"{name}\",");
    for (asked, top, in_usage, usd) in [
        ("\"speed\":\"fast\",", &*tier("default"), "", 60),
        ("\"speed\":\"fast\",", &tier("priority"), "", 60),
        ("\"speed\":\"fast\",", &tier("default"), ",\"speed\":\"standard\"", 10),
        ("\"speed\":\"fast\",", "", ",\"speed\":\"fast\"", 60),
        ("\"inference_geo\":\"us\",", &tier("default"), "", 11),
        ("\"inference_geo\":\"us\",", &tier("default"), ",\"inference_geo\":\"global\"", 10),
        ("\"inference_geo\":\"us\",", &tier("priority"), "", 20),
        ("", &tier("default"), ",\"speed\":\"fast\"", 60),
        (&tier("flex"), &tier("default"), "", 10),
        (&tier("flex"), &tier("flex"), "", 1),
        (&tier("flex"), "", "", 10),
        (&tier("flex"), "", ",\"speed\":\"standard\"", 10),
        (&tier("priority"), &tier("default"), "", 10),
    ] {
        assert_eq!(cost(asked, top, in_usage), usd, "{asked} {top} {in_usage}");
    }
}

#[test]
fn a_provider_that_refuses_the_usage_option_is_not_asked_by_it() {
    let policy = adjusted(|policy| policy["providers"]["openai"]["stream_usage_option"] = false.into());
    let (mut exchange, _, edits) = sent(&policy, &BODY.replace("\"model\"", "\"stream\":true,\"model\""));
    assert_eq!(edits, []);
    // What it tells by itself is not kept from the client.
    let alone = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n";
    answer(&policy, &mut exchange, 200, "text/event-stream", "");
    assert_eq!(exchange.answer_body(alone.as_bytes(), true, || NOON), Passage::Unchanged);
    let record = exchange.close(&policy, &Ending { status: 200, ..Ending::default() }, NOON).record;
    assert_eq!((record.bill.cost, record.bill.usage_source), (NanoUsd(4_500), UsageSource::Reported));
}

#[test]
fn a_providers_own_figure_is_compared_and_charged_only_where_that_is_wanted() {
    let said = |cost: &str| USAGE.replace("\"total_tokens\":15", &format!("\"total_tokens\":15,\"cost\":{cost}"));
    for (wanted, cost, charged, differs) in [
        ("compare", "0.0000045", 4_500, false),
        ("compare", "0.0000044995", 4_500, false),
        ("compare", "0.000009", 4_500, true),
        ("charge", "0.000009", 9_000, true),
    ] {
        let policy = adjusted(|policy| policy["providers"]["openai"]["reported_cost"] = wanted.into());
        let (mut exchange, ..) = sent(&policy, BODY);
        answer(&policy, &mut exchange, 200, "application/json", &said(cost));
        let ending = Ending { status: 200, cluster: Some("openai_cluster".to_owned()), ..Ending::default() };
        let record = exchange.close(&policy, &ending, NOON).record;
        assert_eq!((record.bill.cost.0, record.bill.provider_cost_differs), (charged, differs), "{wanted} {cost}");
    }
}

/// Nothing is known of a cluster that is none of the providers: where these say what they may see, it sees what everybody may.
#[test]
fn a_cluster_that_is_no_provider_sees_what_everybody_may() {
    let unsaid = policy();
    let said = adjusted(|policy| policy["providers"]["openai"]["sensitivity"] = "confidential".into());
    let levels = ["public", "internal", "confidential", "restricted"];
    for (policy, cluster, seen) in [
        (&unsaid, Some("openai_cluster"), 4),
        (&unsaid, Some("nobody"), 4),
        (&unsaid, None, 4),
        (&said, Some("openai_cluster"), 3),
        (&said, Some("nobody"), 1),
        (&said, None, 1),
    ] {
        let served = levels.map(|level| {
            let headers = head(&[("x-tenant-id", "acme"), ("x-ai-sensitivity", level)]);
            let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOON) else { panic!("was not read") };
            assert_eq!(exchange.body(policy, BODY.as_bytes()), None);
            let demand = exchange.end_of_request(policy, around(cluster)).unwrap();
            demand.map_err(|reply| assert_eq!((reply.status, reply.outcome), (403, Outcome::ModelNotAllowed))).is_ok()
        });
        let expected = [0, 1, 2, 3].map(|at| at < seen);
        assert_eq!(served, expected, "{cluster:?}");
    }
}

/// It is generated when nobody looks any more, and polling it costs nothing.
#[test]
fn a_background_response_is_charged_at_its_bound_when_it_is_accepted() {
    let policy = policy();
    let headers = called("POST", "/v1/responses", &[("x-tenant-id", "acme")]);
    let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!("was not read") };
    let body = r#"{"model":"gpt-4o-mini","input":"hi","background":true,"max_output_tokens":700}"#;
    assert_eq!(exchange.body(&policy, body.as_bytes()), None);
    let demand = exchange.end_of_request(&policy, around(None)).unwrap().unwrap();
    let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
    assert_eq!(exchange.decided(&policy, demand, Ok(decision), NOON), Step::Forward(Vec::new()));
    let accepted = r#"{"id":"resp_1","status":"queued","error":null,"usage":null,"output":[]}"#;
    answer(&policy, &mut exchange, 200, "application/json", accepted);
    let record = exchange.close(&policy, &Ending { status: 200, ..Ending::default() }, NOON).record;
    assert_eq!((record.bill.usage.output_tokens, record.bill.usage_source), (Tokens(700), UsageSource::Estimated));
    let headers = called("GET", "/v1/responses/resp_1", &[("x-tenant-id", "acme")]);
    assert!(matches!(Exchange::open(&policy, &headers, NOON), Opening::Aside));
}

#[test]
fn the_record_is_one_line_of_json_without_anything_of_the_conversation() {
    let policy = policy();
    let (mut exchange, ..) = sent(&policy, &BODY.replace("\"hi\"", "\"a secret\""));
    answer(&policy, &mut exchange, 200, "application/json", &USAGE.replace("hello", "another secret"));
    let line = exchange.close(&policy, &Ending { status: 200, ..Ending::default() }, NOON).record.to_json();
    assert!(!line.contains('\n') && !line.contains("secret"), "{line}");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["request_id"], &line["cost_nanousd"]), (&"id-1".into(), &4_500.into()));
}

/// The bound that is written into a request without one: the tenant's, else the model's own, else that of all; never more than
/// the model writes, and never more than can be paid.
#[test]
fn an_open_bound_is_the_models_own_as_far_as_the_budget_pays() {
    let written = |adjust: &dyn Fn(&mut serde_json::Value)| {
        let policy = adjusted(|policy| {
            policy["prices"][0]["max_output_tokens"] = 16_384.into();
            policy["tenants"]["acme"]["unlimited"] = serde_json::json!(["request_usd", "day_usd"]);
            adjust(policy);
        });
        let (_, _, edits) = sent(&policy, &BODY.replace(",\"max_tokens\":50", ""));
        edits.iter().map(|edit| edit.text.clone()).collect::<String>()
    };
    let bound = |tokens: u64| format!("\"max_completion_tokens\":{tokens},");
    assert_eq!(written(&|_| ()), bound(16_384));
    assert_eq!(written(&|policy| policy["output"]["default_max_tokens"] = 20.into()), bound(16_384));
    assert_eq!(
        written(&|policy| policy["tenants"]["acme"]["output"] = serde_json::json!({"default_max_tokens": 500})),
        bound(500)
    );
    let tier = |tokens: u64| serde_json::json!({"premium": {"output": {"default_max_tokens": tokens}}});
    assert_eq!(written(&|policy| policy["tiers"] = tier(600)), bound(600));
    assert_eq!(written(&|policy| policy["tiers"] = tier(1_000_000)), bound(16_384));
    assert_eq!(written(&|policy| policy["prices"][0]["max_output_tokens"] = 7.into()), bound(7));
    let paid = written(&|policy| {
        policy["tenants"]["acme"] = serde_json::json!({"budgets": {"request_usd": "0.001"}});
    });
    let tokens: u64 = paid.trim_start_matches("\"max_completion_tokens\":").trim_end_matches(',').parse().unwrap();
    assert!((1_500..1_667).contains(&tokens), "{tokens}");
}

/// A turn as Claude Code sends it: 115 kB of prompt and tools, cached for an hour, and a bound of 32,000; and one near the end
/// of a context. What was too dear for any tier is what the tier `agent` is for.
#[test]
fn a_coding_agents_turn_fits_the_tier_that_is_for_it() {
    let policy = |tier: &str| {
        adjusted(|policy| {
            policy["tenants"]["acme"]["tier"] = tier.into();
            policy["prices"][0] = serde_json::json!({"model": "claude-sonnet-4*", "input_usd_per_1m_tokens": "3",
                "output_usd_per_1m_tokens": "15", "cached_input_usd_per_1m_tokens": "0.30",
                "cache_creation_usd_per_1m_tokens": "3.75", "cache_creation_1h_usd_per_1m_tokens": "6"});
            policy["aliases"] = serde_json::json!({});
        })
    };
    let reserved = |tier: &str, kilobytes: usize, cache: &str| {
        let policy = policy(tier);
        let headers = called("POST", "/v1/messages", &[("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!("was not read") };
        let text = "word ".repeat(kilobytes * 200);
        let body = format!(
            r#"{{"model":"claude-sonnet-4-5","max_tokens":32000,"system":[{{"type":"text","text":"{text}"{cache}}}],"messages":[]}}"#
        );
        assert_eq!(exchange.body(&policy, body.as_bytes()), None);
        let demand = exchange.end_of_request(&policy, around(Some("openai_cluster"))).unwrap().unwrap();
        let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
        decision.verdict.map(|admitted| admitted.reservation.cost.0 / 1_000_000).map_err(|refusal| refusal.guard.name())
    };
    let (plain, short) = ("", r#","cache_control":{"type":"ephemeral"}"#);
    let long = r#","cache_control":{"type":"ephemeral","ttl":"1h"}"#;
    assert_eq!(reserved("premium", 115, plain), Err("request_usd"));
    assert_eq!([plain, short, long].map(|cache| reserved("agent", 115, cache)), [Ok(595), Ok(623), Ok(710)]);
    assert!(matches!(reserved("agent", 600, long), Ok(1_680..=1_690)), "a whole context");
}

/// Who fills a cache asks for no output. A server that isn't Anthropic's may generate all the same.
#[test]
fn a_bound_of_nothing_is_believed_of_whom_it_is_documented() {
    let reserved = |model: &str| {
        let policy = adjusted(|policy| {
            policy["prices"][1]["model"] = model.into();
            policy["tenants"]["acme"]["unlimited"] = serde_json::json!(["request_usd"]);
        });
        let headers = called("POST", "/v1/messages", &[("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!("was not read") };
        let body = format!(r#"{{"model":"{model}","max_tokens":0,"messages":[]}}"#);
        assert_eq!(exchange.body(&policy, body.as_bytes()), None);
        let demand = exchange.end_of_request(&policy, around(Some("openai_cluster"))).unwrap().unwrap();
        let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
        let tokens = decision.verdict.as_ref().unwrap().per_choice;
        assert_eq!(
            exchange.decided(&policy, demand, Ok(decision), NOON),
            Step::Forward(Vec::new()),
            "it is sent on as it is"
        );
        tokens
    };
    assert_eq!(reserved("claude-sonnet-4-5"), Tokens(0));
    assert_eq!(reserved("qwen3-local"), Tokens(4_096));
}

/// A probe for whether a model answers at all: `min_tokens` is for requests that have no bound.
#[test]
fn a_bound_of_one_stays_one() {
    let policy = policy();
    for (path, rest) in [
        ("/v1/chat/completions", r#""messages":[],"max_tokens":1"#),
        ("/v1/chat/completions", r#""messages":[],"max_completion_tokens":1"#),
        ("/v1/messages?beta=true", r#""messages":[],"max_tokens":1"#),
        ("/v1/responses", r#""input":"hi","max_output_tokens":1"#),
    ] {
        let headers = called("POST", path, &[("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!("was not read") };
        let body = format!(r#"{{"model":"gpt-4o-mini",{rest}}}"#);
        assert_eq!(exchange.body(&policy, body.as_bytes()), None);
        let demand = exchange.end_of_request(&policy, around(Some("openai_cluster"))).unwrap().unwrap();
        let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
        assert_eq!(decision.verdict.as_ref().unwrap().per_choice, Tokens(1), "{path}: {rest}");
        let Step::Forward(edits) = exchange.decided(&policy, demand, Ok(decision), NOON) else { panic!("{path}") };
        let edited = crate::llm::request::spliced(body.as_bytes(), &edits);
        let sent: serde_json::Value = serde_json::from_slice(&edited).unwrap();
        for (name, bound) in sent.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("max_")) {
            assert_eq!(bound, 1, "{path}: {name}");
        }
    }
}

/// Their tokens are told at the end, if at all: who leaves before it has had them drawn all the same.
#[test]
fn pictures_that_are_sold_by_their_tokens_are_paid_for_by_who_leaves() {
    const GONE: u64 = 1 << 14;
    let policy = Policy::read(
        br#"{"tenants": {"acme": {"unlimited": ["request_usd"]}}, "prices": [{"model": "m", "input_usd_per_1m_tokens": "5",
            "output_usd_per_1m_tokens": "10", "image_output_usd_per_1m_tokens": "32"}]}"#,
    )
    .unwrap();
    let left = |path: &str, rest: &str, text: &str| {
        let body = format!(r#"{{"model":"m",{rest}}}"#);
        let mut exchange = sent_to(&policy, path, &body);
        if !text.is_empty() {
            answer(&policy, &mut exchange, 200, "text/event-stream", text);
        }
        let ending =
            Ending { status: if text.is_empty() { 0 } else { 200 }, flags: GONE, sent: true, ..Ending::default() };
        let record = exchange.close(&policy, &ending, UnixNanos(NOON.0 + 2_000_000_000)).record;
        let Bill { cost, usage, usage_source, .. } = record.bill;
        assert_eq!(usage_source, UsageSource::Estimated, "{path}: {rest}");
        assert!(cost <= record.reserved, "{path}: {rest}: {cost:?} of {:?}", record.reserved);
        (cost.0 / 1_000_000, usage.image_output_tokens.0)
    };
    let begins = r#"data: {"type":"response.output_item.added","item":{"id":"ig_1","type":"image_generation_call","status":"in_progress"}}"#;
    let begins = format!("{begins}\n\n");
    let tool = r#""input":"a harbour","max_output_tokens":500,"tools":[{"type":"image_generation"}]"#;
    let [images, responses] = ["/v1/images/generations", "/v1/responses"];
    let (cost, drawn) = left(images, r#""prompt":"a harbour","n":4"#, "");
    assert!(drawn > 16_000 && cost >= drawn * 32 / 1_000, "{cost} {drawn}");
    assert_eq!(left(responses, &format!(r#"{tool},"stream":true"#), &begins), (262, 8_192));
    let (cost, drawn) = left(responses, &format!(r#"{tool},"background":true"#), "");
    assert!(drawn == 16_384 && cost >= 524, "{cost}");
}

/// What a body may hold decided what was reserved, and does what is charged where no report says what it held: a guess in the middle lies
/// below a border that the input lay above.
#[test]
fn an_input_that_nobody_told_has_the_rates_of_what_it_may_have_been() {
    let policy = Policy::read(
        br#"{"tenants": {"acme": {"unlimited": ["request_usd"]}}, "prices": [{"model": "m", "input_usd_per_1m_tokens": "1",
            "output_usd_per_1m_tokens": "0", "above": [{"input_tokens": 27200, "input_usd_per_1m_tokens": "2"}]}]}"#,
    )
    .unwrap();
    let charged = |bytes: usize, text: &str| {
        let prompt = "fn x() ".repeat(bytes / 7);
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"stream":true,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
        );
        let mut exchange = sent_to(&policy, "/v1/messages", &body);
        if !text.is_empty() {
            answer(&policy, &mut exchange, 200, "text/event-stream", text);
        }
        let ending = Ending { status: 200, flags: 1 << 14, sent: true, ..Ending::default() };
        let bill = exchange.close(&policy, &ending, NOON).record.bill;
        assert_eq!(bill.usage_source, UsageSource::Estimated);
        (bill.usage.input_tokens.0, bill.cost.0 / bill.usage.input_tokens.0)
    };
    let (guessed, rate) = charged(90_000, "");
    assert!(guessed < 27_200 && rate == 2_000, "{guessed} {rate}");
    assert_eq!(charged(60_000, "").1, 1_000, "however dense it is, that is less");
    assert_eq!(charged(120_000, "").1, 2_000);
    let told = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":20000,\
                \"output_tokens\":1}}}\n\n";
    assert_eq!(charged(90_000, told), (20_000, 1_000), "what was told is what it is");
}

/// tts-1 is sold by the character and says no usage; its sound is not a model's output. Who leaves has bought all of it.
#[test]
fn speech_costs_what_its_characters_do_however_it_ends() {
    const GONE: u64 = 1 << 14;
    let policy = Policy::read(
        br#"{"tenants": {"acme": {"unlimited": ["request_usd"]}}, "prices": [
            {"model": "tts-1", "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0", "character_usd": "0.000015"}]}"#,
    )
    .unwrap();
    let spoken = |text: &str, flags: u64, ends: bool| {
        let body = format!(r#"{{"model":"tts-1","voice":"alloy","input":"{text}"}}"#);
        let mut exchange = sent_to(&policy, "/v1/audio/speech", &body);
        answer(&policy, &mut exchange, 200, "audio/mpeg", &"\u{1}sound".repeat(500));
        if ends {
            exchange.answer_body(b"", true, || NOON);
        }
        let ending = Ending { status: 200, flags, sent: true, attempts: 1, ..Ending::default() };
        let record = exchange.close(&policy, &ending, NOON).record;
        (record.bill.cost, record.reserved)
    };
    let price = NanoUsd(60_000_000);
    for (what, text) in [
        ("ASCII", "a".repeat(4_000)),
        ("two bytes each", "ä".repeat(4_000)),
        ("three bytes each", "語".repeat(4_000)),
        ("four bytes each", "🦀".repeat(4_000)),
        ("escaped", "\\u00e4".repeat(4_000)),
        ("escaped in halves", "\\ud83e\\udd80".repeat(4_000)),
        ("all of these by turns", "aä語🦀\\n\\\"\\u00e4\\ud83e\\udd80".repeat(500)),
    ] {
        assert_eq!(spoken(&text, 0, true), (price, price), "{what}");
        assert_eq!(spoken(&text, GONE, false), (price, price), "{what}, and the client left");
    }
}

/// A router lets another model answer, and bills that one. A date behind the asked name makes no other model.
#[test]
fn a_model_that_answers_in_the_place_of_another_is_told_apart_by_its_price_and_charged_where_that_is_wanted() {
    let said = |model: &str| USAGE.replacen('{', &format!("{{\"model\":\"{model}\","), 1);
    for (wanted, answered, charged, differs) in [
        ("compare", "gpt-4o-mini", 4_500, false),
        ("compare", "gpt-4o-mini-2024-07-18", 4_500, false),
        ("compare", "a-model-of-theirs", 4_500, false),
        ("compare", "tiny", 4_500, true),
        ("compare", "gpt-4o-mini-dear", 4_500, true),
        ("charge", "gpt-4o-mini-2024-07-18", 4_500, false),
        ("charge", "a-model-of-theirs", 4_500, false),
        ("charge", "tiny", 15_000, true),
        ("charge", "gpt-4o-mini-dear", 45_000, true),
        ("charge", "gpt-4o-2024-08-06", 30_000, true),
    ] {
        let policy = adjusted(|policy| {
            policy["providers"]["openai"]["answered_model"] = wanted.into();
            let mut prices = policy["prices"].as_array().unwrap().clone();
            for (model, rate) in [("*", "9"), ("gpt-4o*", "2"), ("gpt-4o-mini-dear*", "3")] {
                prices.push(serde_json::json!({
                    "model": model, "input_usd_per_1m_tokens": rate, "output_usd_per_1m_tokens": rate}));
            }
            policy["prices"] = prices.into();
        });
        let (mut exchange, ..) = sent(&policy, BODY);
        answer(&policy, &mut exchange, 200, "application/json", &said(answered));
        let ending = Ending { status: 200, cluster: Some("openai_cluster".to_owned()), ..Ending::default() };
        let bill = exchange.close(&policy, &ending, NOON).record.bill;
        assert_eq!((bill.cost.0, bill.answered_model_differs), (charged, differs), "{wanted} {answered}");
    }
}

/// Where Envoy's route leads there is no `models`: what the price says of the model's context holds.
#[test]
fn a_bound_that_is_written_leaves_room_for_the_input() {
    let mut config: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    (config["prices"][0]["context_tokens"], config["prices"][0]["max_output_tokens"]) = (8_192.into(), 8_192.into());
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    let body =
        format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{}"}}]}}"#, "word ".repeat(3_000));
    let Opening::Read(mut exchange) = Exchange::open(&policy, &head(&[("x-tenant-id", "acme")]), NOON) else {
        panic!()
    };
    assert_eq!(exchange.body(&policy, body.as_bytes()), None);
    let demand = exchange.end_of_request(&policy, around(Some("openai_cluster"))).unwrap().unwrap();
    let crate::limit::Bound::Open { at_most, .. } = demand.ask.bound else { panic!("{:?}", demand.ask.bound) };
    // 15,000 bytes are likely to be 3,750 tokens, and 5,000 are reserved: a third denser, they leave room for the answer.
    assert!((3_000..=8_192 - 5_000).contains(&at_most.0), "{at_most:?}");
}
