//! Copies of requests, as Envoy sees them: what a request is sent with, what a copy is charged to, what a provider never learns.

use super::*;

/// Shadow and original have a cluster each; a token of either costs as much as in the other tests.
fn configuration() -> Value {
    let mut configuration = two_models();
    configuration["mirror"] = json!({"cluster": "shadow_entry", "filter_chain": "shadow"});
    configuration["shadows"] = json!({"cheap": {"model": "small", "percent": 100,
        "budgets": {"request_usd": "0.5", "day_usd": "0.01", "month_usd": "0.5"}}});
    configuration
}

const ACCOUNT: &str = "nexus:cell2:shadow:cheap";
const SAYS: [(&str, &str); 5] = [
    ("x-nexus-shadow", "shadow_entry"),
    ("x-nexus-shadow-name", "cheap"),
    ("x-nexus-shadow-role", "chat"),
    ("x-nexus-shadow-sensitivity", "internal"),
    ("x-nexus-shadow-tenant", "acme"),
];

const KEY: &str = "x-nexus-shadow-key";

/// All but the key, which is another each time.
fn says(seen: &Seen) -> Vec<(&str, &str)> {
    let ours = seen.headers.iter().filter(|(name, _)| name.starts_with("x-nexus-shadow") && name != KEY);
    let mut says: Vec<_> = ours.map(|(name, value)| (&**name, std::str::from_utf8(value).unwrap())).collect();
    says.sort_unstable();
    says
}

fn account() -> Cell {
    with(|host| host.shared(ACCOUNT).map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default())
}

/// A copy, as Envoy's mirror brings it: by the filter chain that is configured for it.
fn copy(gateway: &Gateway, chain: &str, more: &[(&str, &str)]) -> Stream {
    let stream = gateway.stream();
    stream.attribute("xds.filter_chain_name", chain.as_bytes());
    stream.request_headers(&head(more), false);
    stream.request_body(BODY.as_bytes(), true);
    stream
}

fn answered_by_second(stream: &Stream) {
    stream.attribute("xds.cluster_name", b"second");
    stream.answer_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    stream.answer_body(ANSWER.as_bytes(), true);
    stream.end();
}

#[test]
fn a_request_goes_on_with_what_its_copy_is_to_be() {
    let gateway = with_clusters(&configuration());
    let stream = gateway.stream();
    stream.request_headers(&head(&[("x-ai-role", "chat")]), false);
    stream.request_body(BODY.as_bytes(), true);
    let sent = stream.upstream().unwrap();
    assert_eq!(says(&sent), SAYS);
    assert_eq!(sent.body, BODY.as_bytes(), "a copy has the client's own body");
    let key = sent.header(KEY).unwrap().to_owned();
    assert!(key.len() == 32 && key.bytes().all(|digit| digit.is_ascii_hexdigit()), "{key}");
    stream.end();
    let again = admitted(&gateway, BODY);
    assert_ne!(again.upstream().unwrap().header(KEY), Some(&*key));
    again.end();

    let mut none = configuration();
    none["shadows"] = json!({});
    let gateway = with_clusters(&none);
    assert_eq!(says(&admitted(&gateway, BODY).upstream().unwrap()), []);
}

/// On no path, whether the filter reads it or not.
#[test]
fn a_client_that_writes_these_headers_is_not_heard() {
    for shadows in [true, false] {
        let mut configuration = configuration();
        configuration["tenants"]["beta"] = json!({});
        configuration["shadows"]["cheap"]["of"] = json!({"tenants": ["beta"]});
        if !shadows {
            configuration["shadows"] = json!({});
        }
        let gateway = with_clusters(&configuration);
        for (method, path) in [("POST", "/v1/chat/completions"), ("POST", "/v1/messages/count_tokens"), ("GET", "/any")]
        {
            let stream = gateway.stream();
            let head = [(":method", method), (":path", path), ("x-tenant-id", "acme")];
            stream.request_headers(&[&head[..], &SAYS].concat(), method == "GET");
            if method == "POST" {
                stream.request_body(BODY.as_bytes(), true);
            }
            let sent = stream.upstream().expect("sent on");
            assert_eq!(sent.header("x-nexus-shadow"), None, "{path}");
            stream.end();
        }
        // What it says of itself makes it nobody else, either.
        let stream = copy(&gateway, "gateway", &SAYS);
        answered(&stream);
        assert_eq!(stream.record().unwrap()["tenant"], "acme");
        assert_eq!((cell().lifetime(), account().lifetime()), (NanoUsd(COST), NanoUsd(0)));
    }
}

/// Where there is no tenant among the labels, either.
#[test]
fn a_copy_has_series_of_its_own() {
    let gateway = with_clusters(&configuration());
    answered_by_second(&copy(&gateway, "shadow", &SAYS));
    gateway.tick();
    let of = "provider=.=second;.;model=.=small;.;";
    for (label, name) in [("finish=.=none;.;", "answers"), ("source=.=reported;.;", "usage")] {
        let [own, copies] =
            ["", "leg=.=shadow;.;"].map(|leg| metric(&format!("{label}{of}{leg}ai_gateway_{name}_total")));
        assert_eq!((own, copies), (0, 1), "{name}");
    }
    let durations = |leg: &str| {
        let name = format!("{of}status=.=success;.;{leg}ai_gateway_request_duration_ms");
        with(|host| host.samples(&name).len())
    };
    assert_eq!([durations(""), durations("leg=.=shadow;.;")], [0, 1]);
    with(|host| {
        // By how much an estimate is off depends on the text, and not on whose it is.
        for name in host.metrics().into_keys().filter(|name| name.contains("model=.=") && !name.contains("estimate")) {
            assert!(name.contains("tenant=.=shadow:cheap;.;") || name.contains("leg=.=shadow;.;"), "{name}");
        }
    });
}

/// By a key that both know, and that is in no record.
#[test]
fn the_answers_of_a_pair_are_compared() {
    let gateway = with_clusters(&configuration());
    let original = admitted(&gateway, BODY);
    let key = original.upstream().unwrap().header(KEY).unwrap().to_owned();
    answered(&original);
    let copy = copy(&gateway, "shadow", &[&SAYS[..], &[(KEY, &key)]].concat());
    assert_eq!(copy.upstream().unwrap().header(KEY), None);
    answered_by_second(&copy);
    let [original, copy] = [original, copy].map(|stream| stream.record().unwrap());
    assert!(original["answer"].is_object());
    assert_eq!((&original["answer"], &original["request_id"]), (&copy["answer"], &copy["request_id"]));
    assert_eq!((&original["shadowed"], &copy["shadow"]), (&json!("cheap"), &json!("cheap")));
    assert!(![original, copy].iter().any(|record| record.to_string().contains(&key)));
}

#[test]
fn a_copy_is_charged_to_its_shadow_and_to_nobody_else() {
    let gateway = with_clusters(&configuration());
    let stream = copy(&gateway, "shadow", &SAYS);
    let sent = stream.upstream().expect("sent on");
    assert_eq!(says(&sent), [], "{sent:?}");
    assert!(account().levels(with(|host| host.clock), 900).reserved > NanoUsd(0));
    answered_by_second(&stream);
    assert_eq!((account().lifetime(), cell().lifetime()), (NanoUsd(10 * COST), NanoUsd(0)));
    assert_eq!(account().levels(with(|host| host.clock), 900).reserved, NanoUsd(0));
    assert_eq!(with(|host| host.shared(KEY).map(<[u8]>::to_vec)), None, "acme's cell");
    let record = stream.record().unwrap();
    let told = ["leg", "shadow", "request_id", "tenant", "role", "model_asked", "model", "provider", "outcome"];
    assert_eq!(
        told.map(|key| record[key].as_str().unwrap()),
        ["shadow", "cheap", "id-1", "shadow:cheap", "chat", "gpt-4o-mini", "small", "second", "success"]
    );
    assert_eq!((&record["cost_nanousd"], record.get("dropped")), (&json!(10 * COST), None));
    let series = "provider=.=second;.;model=.=small;.;tenant=.=shadow:cheap;.;ai_gateway_cost_nanousd_total";
    assert_eq!(metric(series), 10 * COST);
    assert!(with(|host| host.metrics().keys().all(|name| !name.contains("acme"))));
}

/// Whoever hides the names of tenants hides no shadow: its money is the operator's.
#[test]
fn a_shadow_has_series_of_its_own_whatever_tenants_are_called() {
    for label in ["name", "tier", "none"] {
        let mut configuration = configuration();
        configuration["metrics"] = json!({"tenant_label": label});
        let gateway = with_clusters(&configuration);
        answered_by_second(&copy(&gateway, "shadow", &SAYS));
        gateway.tick();
        for series in [
            "provider=.=second;.;model=.=small;.;tenant=.=shadow:cheap;.;ai_gateway_cost_nanousd_total",
            "tenant=.=shadow:cheap;.;ai_gateway_spent_today_nanousd",
        ] {
            assert_eq!(metric(series), 10 * COST, "{label}");
        }
    }
}

#[test]
fn a_shadow_without_money_gets_nothing_and_no_request_notices() {
    let gateway = with_clusters(&configuration());
    // What a request of 50 tokens and their price comes to, until no more fits.
    let mut copies = 0_u64;
    loop {
        let stream = copy(&gateway, "shadow", &SAYS);
        if stream.reply().is_some() {
            assert_eq!(refusal(&stream), ("402".to_owned(), "daily_budget_exceeded".to_owned()));
            break;
        }
        answered_by_second(&stream);
        copies += 1;
    }
    assert!(copies > 10 && account().lifetime() <= NanoUsd(10_000_000), "{copies}");
    // A cell that was charged all of it.
    let spent = rival(10_000_000)(None);
    with(|host| host.set_shared(ACCOUNT.to_owned(), spent, 0).unwrap());
    let stream = admitted(&gateway, BODY);
    assert_eq!(says(&stream.upstream().unwrap()), [], "what is known to be refused is not copied");
    answered(&stream);
    assert_eq!(cell().lifetime(), NanoUsd(COST));
}

const PLAN: &str = "1\topenai_chat\nopenai\t/v1/chat/completions\t95\t9-22=\"openai/gpt-4o-mini\"";

/// Envoy's mirror reads where a copy goes after the attempt's head has passed; so the head waits, and loses it with the body.
#[test]
fn a_provider_learns_of_no_copy() {
    let gateway = Gateway::configured(&json!({"attempt_of": "openai"}));
    let attempt = |more: &[(&str, &str)], expected: Action| {
        let stream = gateway.stream();
        stream.set_state("nexus_plan", PLAN);
        let length = BODY.len().to_string();
        let head = head(&[&[("content-length", &*length)], more].concat());
        assert_eq!(stream.request_headers(&head, false), expected);
        stream
    };
    let is_sent = |stream: &Stream| {
        let sent = stream.upstream().expect("sent on");
        assert_eq!((says(&sent), sent.header(KEY)), (vec![], None));
        assert_eq!(sent.json()["model"], "openai/gpt-4o-mini");
    };
    let says_all = [&SAYS[..], &[(KEY, "0123456789abcdef0123456789abcdef")]].concat();
    for cut in 0..BODY.len() {
        let stream = attempt(&says_all, Action::Pause);
        let (first, rest) = BODY.as_bytes().split_at(cut);
        stream.request_body(first, false);
        assert_eq!(stream.upstream(), None, "cut at {cut}");
        stream.request_body(rest, true);
        is_sent(&stream);
    }
    let stream = attempt(&SAYS, Action::Pause);
    stream.request_body(BODY.as_bytes(), false);
    assert_eq!(stream.upstream(), None);
    stream.request_trailers();
    is_sent(&stream);
    // Whoever has no copy does not wait.
    let stream = attempt(&[], Action::Continue);
    stream.request_body(BODY.as_bytes(), true);
    is_sent(&stream);
}
