//! The gateway's own pages and the poll of the breakers: what is asked of Envoy's admin, and what becomes of its answer.

use super::*;
use crate::fake_host::Call;
use proxy_wasm::types::Status;

const HEALTH: &str = "/api/ai/health";
const METRICS: &str = "/api/ai/metrics";
const BREAKER: &str = "provider=.=simulated;.;ai_gateway_circuit_breaker_state";
const WELL: &str = r#"{"cluster_statuses":[{"name":"provider","host_statuses":[{"health_status":{}}]}]}"#;
const OUT: &str =
    r#"{"cluster_statuses":[{"name":"provider","host_statuses":[{"health_status":{"failed_outlier_check":true}}]}]}"#;

fn status() -> Value {
    json!({"cluster": "admin", "allow": ["127.0.0.0/8", "::1"]})
}

fn gateway() -> Gateway {
    Gateway::configured(&with_key("status", status()))
}

/// A request from this machine, or from elsewhere.
fn asked_from(gateway: &Gateway, source: &str, method: &str, path: &str, end: bool) -> (Stream, Action) {
    let stream = gateway.stream();
    stream.attribute("source.address", source.as_bytes());
    let action = stream.request_headers(&[(":method", method), (":path", path)], end);
    (stream, action)
}

fn asked(gateway: &Gateway, path: &str) -> (Stream, u32) {
    let (stream, action) = asked_from(gateway, "127.0.0.1:4711", "GET", path, true);
    assert_eq!((action, stream.upstream()), (Action::Pause, None));
    let (number, question) = with(|host| host.questions()).pop().expect("a question");
    assert_eq!(question.cluster, "admin");
    assert!(question.milliseconds < 1_000);
    (stream, number)
}

fn said(stream: &Stream) -> (String, Value) {
    let reply = stream.reply().expect("a reply");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    (reply.header(":status").unwrap().to_owned(), reply.json())
}

#[test]
fn health_is_what_the_admin_says_now() {
    let gateway = gateway();
    for (clusters, status, word, state) in
        [(WELL, "200", "healthy", "healthy"), (OUT, "503", "unhealthy", "ejected"), (WELL, "200", "healthy", "healthy")]
    {
        let (stream, number) = asked(&gateway, HEALTH);
        assert_eq!(stream.reply(), None, "nothing is said before the admin has answered");
        gateway.answer_call(number, Some((200, clusters.as_bytes())));
        let (code, said) = said(&stream);
        assert_eq!((code.as_str(), &said["status"]), (status, &json!(word)));
        assert_eq!(said["providers"]["simulated"]["state"], state);
        stream.end();
        assert_eq!(stream.record(), None, "a page is no exchange");
    }
}

#[test]
fn metrics_are_shown_in_dollars() {
    let gateway = gateway();
    let (stream, number) = asked(&gateway, METRICS);
    let stats =
        "# TYPE ai_gateway_cost_nanousd_total counter\nai_gateway_cost_nanousd_total{tenant=\"a\"} 1500000000\n";
    gateway.answer_call(number, Some((200, stats.as_bytes())));
    let reply = stream.reply().unwrap();
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(text(&reply).ends_with("\nai_gateway_cost_usd_total{tenant=\"a\"} 1.5\n"), "{}", text(&reply));
}

/// Whatever the admin does, both pages say that it can't be asked, once, and the VM lives on.
#[test]
fn an_admin_that_fails_is_a_503_that_says_so() {
    let gateway = gateway();
    let answers: [Option<(u16, &[u8])>; 4] = [None, Some((504, b"timeout")), Some((500, b"")), Some((200, b"\xffno"))];
    for path in [HEALTH, METRICS] {
        for answer in answers {
            if path == METRICS && matches!(answer, Some((200, _))) {
                continue;
            }
            let (stream, number) = asked(&gateway, path);
            gateway.answer_call(number, answer);
            let (code, said) = said(&stream);
            assert_eq!((code.as_str(), &said["status"]), ("503", &json!("unknown")), "{path} {answer:?}");
            assert_eq!(said["error"]["code"], "status_unknown");
            stream.end();
        }
        for refused in [Status::BadArgument, Status::InternalFailure] {
            with(|host| host.fail(Call::AskCluster, refused));
            let (stream, _) = asked_from(&gateway, "127.0.0.1:4711", "GET", path, true);
            assert_eq!(said(&stream).0, "503");
            with(|host| host.succeed(Call::AskCluster));
        }
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let gateway = gateway();
    for (path, most) in [(HEALTH, crate::breaker::MOST_BYTES), (METRICS, crate::view::metrics::MOST_BYTES)] {
        let (stream, number) = asked(&gateway, path);
        let before = with(|host| host.calls.get(&Call::GetBuffer).copied());
        gateway.answer_call(number, Some((200, &vec![b' '; most + 1])));
        assert_eq!(said(&stream).0, "503");
        assert_eq!(with(|host| host.calls.get(&Call::GetBuffer).copied()), before, "it never comes into the VM");
    }
}

#[test]
fn who_may_not_see_the_pages_reads_which_key_decides() {
    let gateway = gateway();
    for source in ["10.0.0.1:80", "[fe80::1]:80", "", "nonsense"] {
        let (stream, _) = asked_from(&gateway, source, "GET", HEALTH, true);
        let (code, said) = said(&stream);
        assert_eq!((code.as_str(), &said["error"]["code"]), ("403", &json!("not_allowed")), "{source}");
        assert!(said["error"]["message"].as_str().unwrap().contains("status.allow"));
        assert_eq!(said["error"]["type"], "permission_error");
        assert_eq!(with(|host| host.questions()), [], "the admin isn't bothered");
    }
    let (stream, _) = asked_from(&gateway, "[::ffff:127.0.0.1]:80", "HEAD", HEALTH, true);
    assert_eq!((stream.reply(), with(|host| host.questions().len())), (None, 1));
}

#[test]
fn without_status_the_paths_step_aside_and_nobody_asks() {
    let gateway = Gateway::configured(&configuration());
    gateway.tick();
    for path in [HEALTH, METRICS] {
        let (stream, action) = asked_from(&gateway, "127.0.0.1:4711", "GET", path, true);
        assert_eq!((action, stream.reply()), (Action::Continue, None));
    }
    assert_eq!(with(|host| host.questions()), []);
}

/// A body or trailers behind the head must not set the held request free: its route would answer, too.
#[test]
fn a_body_waits_with_its_request() {
    let gateway = gateway();
    let (stream, action) = asked_from(&gateway, "127.0.0.1:4711", "GET", HEALTH, false);
    assert_eq!(action, Action::Pause);
    assert_eq!(stream.request_body(b"what for", false), Action::Pause);
    assert_eq!(stream.request_trailers(), Action::Pause);
    assert_eq!(stream.upstream(), None);
    let (number, _) = with(|host| host.questions()).pop().unwrap();
    gateway.answer_call(number, Some((200, WELL.as_bytes())));
    assert_eq!(said(&stream).0, "200");
}

#[test]
fn a_client_that_leaves_takes_its_question_along() {
    let gateway = gateway();
    let (stream, _) = asked(&gateway, HEALTH);
    stream.end();
    assert_eq!((stream.reply(), with(|host| host.questions())), (None, vec![]));
    let (stream, number) = asked(&gateway, HEALTH);
    gateway.answer_call(number, Some((200, WELL.as_bytes())));
    assert_eq!(said(&stream).0, "200");
}

/// Seconds pass, and one tick comes.
fn ticked(gateway: &Gateway, seconds: u64) -> Option<u32> {
    with(|host| host.clock.0 += seconds * 1_000_000_000);
    gateway.tick();
    with(|host| host.questions()).pop().map(|(number, _)| number)
}

#[test]
fn the_poll_tells_the_gauge_and_asks_once_a_second() {
    let gateway = gateway();
    let number = ticked(&gateway, 0).expect("the first tick asks");
    gateway.answer_call(number, Some((200, OUT.as_bytes())));
    assert_eq!(metric(BREAKER), 1);
    assert_eq!(ticked(&gateway, 0), None, "another worker's tick in the same second");
    let number = ticked(&gateway, 1).expect("a second later");
    gateway.answer_call(number, None);
    assert_eq!((metric(BREAKER), metric("ai_gateway_status_polls_failed_total")), (1, 1));
    let number = ticked(&gateway, 1).expect("an asker without an answer is replaced");
    gateway.answer_call(number, Some((200, WELL.as_bytes())));
    assert_eq!(metric(BREAKER), 0);
}

#[test]
fn of_two_workers_at_once_one_asks() {
    let gateway = gateway();
    with(|host| host.rivals_times(1, |_| b"another worker's".to_vec()));
    assert_eq!(ticked(&gateway, 1), None);
    assert!(ticked(&gateway, 1).is_some(), "what can't be read is written anew");
}

/// A listener that drains ticks on beside the new one, for minutes: neither may take the other's providers for its own.
#[test]
fn a_configuration_that_drains_leaves_the_new_ones_knowledge_alone() {
    let gateway = gateway();
    let mut changed = with_key("status", status());
    changed["providers"]["second"] = json!({"cluster": "second"});
    assert!(gateway.configure(changed.to_string().as_bytes()));
    let health = || {
        let (stream, number) = asked(&gateway, HEALTH);
        gateway.answer_call(number, Some((200, OUT.as_bytes())));
        said(&stream).1["providers"]["simulated"].clone()
    };
    let first = health();
    assert_eq!(first["state"], "ejected");
    for _ in 0..3 {
        with(|host| host.clock.0 += 1_000_000_000);
        gateway.tick();
        for (number, _) in with(|host| host.questions()) {
            gateway.answer_call(number, Some((200, OUT.as_bytes())));
        }
        assert_eq!(health()["since"], first["since"]);
    }
    // A provider that has changed its cluster is another one.
    changed["providers"]["simulated"]["cluster"] = json!("elsewhere");
    assert!(gateway.configure(changed.to_string().as_bytes()));
    assert_eq!(health()["state"], "unknown");
    gateway.drained();
}

/// A program that ends TLS on this machine brings everybody's requests from here.
#[test]
fn the_pages_are_shown_where_the_operator_says_and_nowhere_else() {
    let local = json!(["127.0.0.0/8"]);
    for (status, chain, expected) in [
        (json!({"cluster": "admin"}), "probe", "403"),
        (json!({"cluster": "admin", "allow": []}), "probe", "403"),
        (json!({"cluster": "admin", "allow": local}), "", "asked"),
        (json!({"cluster": "admin", "filter_chain": "probe"}), "probe", "asked"),
        (json!({"cluster": "admin", "filter_chain": "probe"}), "", "none"),
        (json!({"cluster": "admin", "filter_chain": "probe", "allow": local}), "probes", "none"),
        (json!({"cluster": "admin", "filter_chain": "probe", "allow": []}), "probe", "403"),
    ] {
        let configuration = with_key("status", status.clone());
        // Each in a host of its own.
        let became = std::thread::spawn(move || {
            let gateway = Gateway::configured(&configuration);
            let stream = gateway.stream();
            stream.attribute("source.address", b"127.0.0.1:4711");
            stream.attribute("xds.filter_chain_name", chain.as_bytes());
            let action = stream.request_headers(&[(":method", "GET"), (":path", HEALTH)], true);
            match (action, stream.reply()) {
                (Action::Continue, None) => "none".to_owned(),
                (_, Some(reply)) => reply.header(":status").unwrap().to_owned(),
                _ => "asked".to_owned(),
            }
        });
        let became = became.join().unwrap();
        assert_eq!(became, expected, "{status} by `{chain}`");
    }
}

const USAGE: &str = "/api/ai/usage";

fn usage(gateway: &Gateway, tenant: &str) -> Stream {
    let stream = gateway.stream();
    let head = [(":method", "GET"), (":path", USAGE), ("x-tenant-id", tenant), ("x-request-id", "id-1")];
    assert_eq!(stream.request_headers(&head, true), Action::Pause);
    stream
}

#[test]
fn a_caller_sees_its_own_accounts_and_what_its_groups_show() {
    let mut configuration = configuration();
    configuration["groups"] = json!({
        "team": {"parent": "org", "limits": {"in_flight": 9, "requests_per_minute": 70}, "show_figures": true},
        "org": {"budgets": {"month_usd": "100"}},
    });
    configuration["tenants"] = json!({
        "acme": {"group": "team", "budgets": {"request_usd": "0.5", "day_usd": "20"}, "audit": ["requests_per_hour"]},
        "zenith": {"group": "org"},
    });
    let gateway = Gateway::configured(&configuration);
    answered(&admitted(&gateway, BODY));
    let open = admitted(&gateway, BODY);
    let before = with(|host| host.shared(KEY).map(<[u8]>::to_vec));
    let stream = usage(&gateway, "acme");
    let (status, page) = said(&stream);
    assert_eq!((status.as_str(), &page["version"], &page["view"]), ("200", &json!(1), &json!("this_envoy")));
    let accounts = page["accounts"].as_array().unwrap();
    let names: Vec<_> = accounts.iter().map(|account| (&account["kind"], &account["name"])).collect();
    assert_eq!(
        names,
        [(&json!("tenant"), &json!("acme")), (&json!("group"), &json!("team")), (&json!("group"), &json!("org"))]
    );
    assert_eq!(accounts[2].as_object().unwrap().len(), 2, "what it keeps to itself: {}", accounts[2]);
    let limit = |account: usize, guard: &str| {
        let limits = accounts[account]["limits"].as_array().unwrap();
        limits.iter().find(|limit| limit["guard"] == guard).unwrap_or_else(|| panic!("{guard}: {limits:?}")).clone()
    };
    let held = NanoUsd(reserved().0);
    let day = limit(0, "day_usd");
    assert_eq!((&day["limit"], &day["used"]), (&json!("20.00"), &json!(NanoUsd(COST).to_string())));
    assert_eq!(day["reserved"], json!(held.to_string()));
    assert_eq!(day["remaining"], json!(NanoUsd(20_000_000_000 - COST - held.0).to_string()));
    assert!((1..=86_400).contains(&day["reset_seconds"].as_u64().unwrap()));
    assert_eq!(limit(0, "request_usd"), json!({"guard": "request_usd", "limit": "0.50"}));
    let hour = limit(0, "requests_per_hour");
    assert_eq!((&hour["used"], &hour["remaining"], &hour["audit"]), (&json!(2), &json!(49_998), &json!(true)));
    let minute = limit(1, "requests_per_minute");
    assert_eq!((&minute["limit"], &minute["used"], &minute["remaining"]), (&json!(70), &json!(2), &json!(68)));
    assert!((1..=60).contains(&minute["reset_seconds"].as_u64().unwrap()));
    let flight = limit(1, "in_flight");
    assert_eq!((&flight["used"], &flight["remaining"], flight.get("reset_seconds")), (&json!(1), &json!(8), None));
    assert_eq!(accounts[1]["spent_today_usd"], json!(NanoUsd(COST).to_string()));
    stream.end();
    assert_eq!(stream.record(), None, "a page is no exchange");
    assert_eq!(with(|host| host.shared(KEY).map(<[u8]>::to_vec)), before, "to look changes nothing");
    open.end();
    // Another sees nothing of it, and whoever is nobody sees nothing.
    let (_, page) = said(&usage(&gateway, "zenith"));
    assert!(!page.to_string().contains("acme") && !page.to_string().contains("team"), "{page}");
    assert_eq!(page["accounts"][0]["spent_today_usd"], "0.00");
    for (tenant, status) in [("nobody", "403"), ("", "401")] {
        let reply = usage(&gateway, tenant).reply().unwrap();
        assert_eq!(reply.header(":status"), Some(status), "{tenant}");
    }
    // As a client asks by anything else, it is no page.
    let stream = gateway.stream();
    stream.request_headers(&[(":method", "DELETE"), (":path", USAGE), ("x-tenant-id", "acme")], true);
    assert_eq!(stream.reply().unwrap().header(":status"), Some("405"));
}
