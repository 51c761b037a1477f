//! Limits that several Envoys share: what Envoy's `ratelimit` filters are given, and what becomes of their refusals.

use super::*;

fn sharing() -> Value {
    let mut configuration = configuration();
    configuration["replicas"] = json!({"count": 2, "cluster": "ratelimit"});
    configuration["status"] = json!({"cluster": "admin"});
    // In units of ten nano-dollars.
    configuration["tenants"]["acme"]["budgets"]["day_usd"] = json!("5");
    configuration["tenants"]["acme"]["limits"] = json!({"tokens_per_minute": 100_000});
    configuration
}

fn states(stream: &Stream) -> Vec<(&'static str, Option<String>)> {
    const NAMES: [&str; 6] =
        ["nexus_tier", "nexus_tenant", "nexus_expensive", "nexus_day", "nexus_day_hits", "nexus_tokens"];
    NAMES.into_iter().map(|name| (name, stream.state(name))).filter(|(_, state)| state.is_some()).collect()
}

/// A second later Envoy's admin says so.
fn is_away(gateway: &Gateway, away: bool) {
    with(|host| host.clock.0 += 1_000_000_000);
    gateway.tick();
    let (number, _) = with(|host| host.questions()).remove(0);
    let health = json!({"failed_active_health_check": away});
    let cluster = json!({"name": "ratelimit", "host_statuses": [{"health_status": health}]});
    gateway.answer_call(number, Some((200, json!({"cluster_statuses": [cluster]}).to_string().as_bytes())));
    assert_eq!(metric("ai_gateway_shared_limits_away"), u64::from(away));
}

fn some(states: &[(&'static str, &str)]) -> Vec<(&'static str, Option<String>)> {
    states.iter().map(|(name, state)| (*name, Some((*state).to_owned()))).collect()
}

const ASKED: [(&str, &str); 3] = [("nexus_tier", "standard"), ("nexus_tenant", "acme"), ("nexus_day", "10:2027-01-15")];

#[test]
fn envoy_learns_who_it_is_before_the_call_and_what_it_came_to_at_the_end() {
    let gateway = Gateway::configured(&sharing());
    let stream = admitted(&gateway, BODY);
    assert_eq!(states(&stream), some(&ASKED));
    answered(&stream);
    assert_eq!(states(&stream), some(&[&ASKED[..], &[("nexus_day_hits", "2000"), ("nexus_tokens", "15")]].concat()));
}

#[test]
fn alone_nothing_is_published() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    answered(&stream);
    assert_eq!(states(&stream), []);
    // Somebody else's `ratelimit` filter is answered for as ever.
    let stream = admitted(&gateway, BODY);
    stream.answer_by_envoy(429, "request_rate_limited");
    stream.end();
    assert_eq!(text(&stream.client().unwrap()), "no healthy upstream");
}

#[test]
fn what_is_refused_by_the_service_is_said_in_our_words_and_forgotten_by_the_cell() {
    let gateway = Gateway::configured(&sharing());
    for (status, by, said, code) in
        [(429, "requests", "429", "rate_limited"), (402, "day_usd", "402", "daily_budget_exceeded")]
    {
        let stream = admitted(&gateway, BODY);
        stream.answer_by_envoy_with(
            status,
            "request_rate_limited",
            &[
                ("x-nexus-refused-by", by),
                ("x-ratelimit-limit", "5000, 5000;w=60"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "37"),
            ],
        );
        stream.end();
        let client = stream.client().unwrap();
        assert_eq!((client.header(":status"), client.json()["error"]["code"].as_str()), (Some(said), Some(code)));
        assert_eq!(client.header("retry-after"), (status == 429).then_some("37"));
        assert_eq!((client.header("x-nexus-refused-by"), client.header("x-ratelimit-limit")), (None, None));
        let record = stream.record().unwrap();
        assert_eq!((&record["outcome"], &record["provider"]), (&json!(code), &json!("none")));
        assert_eq!((&record["cost_nanousd"], &record["status"]), (&json!(0), &json!(status)));
        assert_eq!((requests(cell()), reserved(), cell().lifetime()), (0, NanoUsd(0), NanoUsd(0)));
        assert_eq!((states(&stream), active()), (some(&ASKED), 0), "nothing is counted at its end");
    }
}

#[test]
fn a_service_that_could_not_be_asked_is_our_failure_where_it_must_be_asked() {
    let gateway = Gateway::configured(&sharing());
    let stream = admitted(&gateway, BODY);
    stream.answer_by_envoy(503, "rate_limiter_error");
    stream.end();
    assert_eq!(stream.client().unwrap().json()["error"]["code"], "internal_error");
    assert_eq!((requests(cell()), reserved()), (0, NanoUsd(0)));
    assert_eq!(stream.record().unwrap()["outcome"], "internal_error");
}

#[test]
fn while_the_service_is_unavailable_each_envoy_has_its_part() {
    let mut configuration = sharing();
    configuration["limits"]["requests_per_minute"] = json!(7);
    let gateway = Gateway::configured(&configuration);
    is_away(&gateway, true);
    for _ in 0..3 {
        answered(&admitted(&gateway, BODY));
    }
    let stream = sent(&gateway, BODY);
    assert_eq!(refusal(&stream), ("429".to_owned(), "rate_limited".to_owned()));
    is_away(&gateway, false);
    for _ in 0..4 {
        answered(&admitted(&gateway, BODY));
    }
    assert_eq!(refusal(&sent(&gateway, BODY)), ("429".to_owned(), "rate_limited".to_owned()));
}

#[test]
fn what_was_charged_while_the_service_was_unavailable_is_published_afterwards() {
    let gateway = Gateway::configured(&sharing());
    let hits = || {
        let stream = admitted(&gateway, BODY);
        answered(&stream);
        stream.state("nexus_day_hits").map(|hits| hits.parse::<u64>().unwrap())
    };
    assert_eq!(hits(), Some(COST / 10));
    is_away(&gateway, true);
    assert_eq!([hits(), hits()], [None, None]);
    is_away(&gateway, false);
    assert_eq!([hits(), hits()], [Some(3 * COST / 10), Some(COST / 10)]);
}

#[test]
fn what_was_charged_before_limits_were_shared_is_not_published() {
    let gateway = Gateway::configured(&configuration());
    answered(&admitted(&gateway, BODY));
    assert!(gateway.configure(sharing().to_string().as_bytes()));
    let stream = admitted(&gateway, BODY);
    answered(&stream);
    assert_eq!(stream.state("nexus_day_hits"), Some((COST / 10).to_string()));
}

#[test]
fn what_a_request_costs_is_published_to_the_day_and_month_that_it_was_asked_in() {
    let mut configuration = sharing();
    configuration["tenants"]["acme"]["budgets"]["month_usd"] = json!("50");
    let gateway = Gateway::configured(&configuration);
    const NAMES: [&str; 4] = ["nexus_day", "nexus_day_hits", "nexus_month", "nexus_month_hits"];
    let said = |stream: &Stream| NAMES.map(|name| stream.state(name).unwrap());
    let [day, month] = [(COST / 10).to_string(), (COST / 100).to_string()];
    // A second before February.
    with(|host| host.clock = UnixNanos(1_801_439_999_000_000_000));
    let january = admitted(&gateway, BODY);
    with(|host| host.clock.0 += 2_000_000_000);
    let february = admitted(&gateway, BODY);
    answered(&february);
    answered(&january);
    assert_eq!(said(&january), ["10:2027-01-31", &day, "100:2027-01", &month]);
    assert_eq!(said(&february), ["10:2027-02-01", &day, "100:2027-02", &month]);
    // As the cell has it.
    let levels = cell().levels(with(|host| host.clock), 900);
    assert_eq!((levels.spent_today, levels.spent_this_month), (NanoUsd(COST), NanoUsd(COST)));
    assert_eq!(cell().lifetime(), NanoUsd(2 * COST));
}

#[test]
fn what_is_published_late_goes_to_no_day_that_it_was_not_charged_in() {
    let mut configuration = sharing();
    configuration["tenants"]["acme"]["budgets"]["month_usd"] = json!("50");
    let gateway = Gateway::configured(&configuration);
    is_away(&gateway, true);
    answered(&admitted(&gateway, BODY));
    with(|host| host.clock.0 += 86_400_000_000_000);
    is_away(&gateway, true);
    answered(&admitted(&gateway, BODY));
    is_away(&gateway, false);
    let stream = admitted(&gateway, BODY);
    answered(&stream);
    assert_eq!(stream.state("nexus_day_hits"), Some((2 * COST / 10).to_string()));
    assert_eq!(stream.state("nexus_month_hits"), Some((3 * COST / 100).to_string()));
}
