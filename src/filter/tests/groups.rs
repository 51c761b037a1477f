//! Groups above tenants: what the filter asks their cells, what a member learns of it, and what is left behind.

use super::*;

fn house(groups: Value, tenants: Value) -> Gateway {
    let mut configuration = configuration();
    (configuration["groups"], configuration["tenants"]) = (groups, tenants);
    Gateway::configured(&configuration)
}

/// acme and zenith are of a team; that is of an organisation.
fn team(team: Value, org: Value) -> Gateway {
    let mut team = team;
    team["parent"] = json!("org");
    house(
        json!({"team": team, "org": org}),
        json!({"acme": {"group": "team"}, "zenith": {"group": "team"}, "alone": {}}),
    )
}

fn of(gateway: &Gateway, tenant: &str) -> Stream {
    let stream = gateway.stream();
    let mut head = head(&[]);
    head[2] = ("x-tenant-id", tenant);
    stream.request_headers(&head, false);
    stream.request_body(BODY.as_bytes(), true);
    stream
}

fn group(name: &str) -> Cell {
    let key = format!("nexus:group2:{name}");
    with(|host| host.shared(&key).map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default())
}

fn levels(name: &str) -> (u64, u64) {
    let levels = group(name).levels(with(|host| host.clock), 900);
    (levels.spent_today.0, levels.reserved.0)
}

#[test]
fn a_request_is_charged_to_its_tenant_and_to_every_group_above_and_counted_once() {
    let gateway = team(json!({}), json!({"budgets": {"day_usd": "1", "month_usd": "20"}}));
    let stream = of(&gateway, "acme");
    let held = reserved().0;
    assert!(held > 0);
    assert_eq!((levels("team"), levels("org")), ((0, held), (0, held)));
    answered(&stream);
    answered(&of(&gateway, "zenith"));
    answered(&of(&gateway, "alone"));
    assert_eq!((levels("team"), levels("org"), spent_today().0), ((2 * COST, 0), (2 * COST, 0), COST));
    gateway.tick();
    let gauge = |name: &str, group: &str| metric(&format!("group=.={group};.;ai_gateway_group_{name}_nanousd"));
    for of in ["team", "org"] {
        assert_eq!(
            (gauge("spent_today", of), gauge("spent_this_month", of), gauge("reserved", of)),
            (2 * COST, 2 * COST, 0)
        );
    }
    let budgets = ["budget_today", "budget_this_month"];
    assert_eq!(budgets.map(|budget| gauge(budget, "org")), [1_000_000_000, 20_000_000_000]);
    let cost = |tenant| {
        metric(&format!(
            "provider=.=simulated;.;model=.=gpt-4o-mini;.;tenant=.={tenant};.;ai_gateway_cost_nanousd_total"
        ))
    };
    assert_eq!(["acme", "zenith", "alone", "team", "org"].map(cost), [COST, COST, COST, 0, 0]);
}

#[test]
fn a_group_without_room_refuses_by_its_name_and_shows_its_figures_to_whom_it_may() {
    for (shows, message) in [
        (
            true,
            "The daily budget of the group `org` of $0.000001 has no room for this request: $0.00 spent, $0.00 reserved",
        ),
        (false, "The daily budget of the group `org` has no room for this request, which may cost up to $0."),
    ] {
        let gateway = team(json!({}), json!({"budgets": {"day_usd": "0.000001"}, "show_figures": shows}));
        let stream = of(&gateway, "acme");
        assert_eq!(refusal(&stream), ("402".into(), "daily_budget_exceeded".into()));
        let error = stream.reply().unwrap().json()["error"].clone();
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
        let detail = &error["detail"];
        assert_eq!((&detail["guard"], &detail["group"]), (&json!("day_usd"), &json!("org")));
        let figures = ["limit", "used", "reserved", "remaining"].map(|figure| detail.get(figure).is_some());
        assert_eq!(figures, [shows; 4], "{detail}");
        assert!(detail["needed"].is_string() && detail["reset_seconds"].as_u64() > Some(0), "{detail}");
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["refused_by"], &record["refused_group"]), (&json!("day_usd"), &json!("org")));
        assert_eq!(metric("code=.=day_usd;.;group=.=org;.;ai_gateway_group_refusals_total"), 1);
        assert_eq!(metric("code=.=day_usd;.;tenant=.=acme;.;ai_gateway_limit_refusals_total"), 1);
        assert_eq!((reserved().0, levels("team"), levels("org"), requests(cell())), (0, (0, 0), (0, 0), 0));
        // Who is in no group is not concerned.
        answered(&of(&gateway, "alone"));
    }
}

#[test]
fn a_window_of_a_group_is_shown_beside_the_tenants_own_if_it_may_be() {
    for (shows, left) in [(true, "2"), (false, "4999")] {
        let gateway = team(json!({"limits": {"requests_per_minute": 4}, "show_figures": shows}), json!({}));
        answered(&of(&gateway, "zenith"));
        let stream = of(&gateway, "acme");
        answered(&stream);
        let client = stream.client().unwrap();
        assert_eq!(client.header("x-ratelimit-remaining-requests"), Some(left));
        // Of a request that never came to the cells, too.
        let stream = gateway.stream();
        stream.request_headers(&head(&[]), false);
        stream.request_body(b"no json", true);
        let reply = stream.reply().unwrap();
        assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some(left));
        answered(&of(&gateway, "zenith"));
        answered(&of(&gateway, "zenith"));
        let stream = of(&gateway, "acme");
        assert_eq!(refusal(&stream), ("429".into(), "rate_limited".into()));
        let reply = stream.reply().unwrap();
        assert!(reply.header("retry-after").is_some());
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        let says = if shows {
            "Rate limit of the group `team` reached: 4 requests per minute, 4 used, 0 left. Try again in"
        } else {
            "Rate limit of the group `team` reached: requests per minute. Try again in"
        };
        assert!(message.starts_with(says), "{message}");
    }
}

#[test]
fn an_audited_group_refuses_nothing_and_says_what_it_would_have() {
    let gateway = team(json!({}), json!({"budgets": {"day_usd": "0.000001"}, "audit": ["day_usd"]}));
    let stream = of(&gateway, "acme");
    answered(&stream);
    let record = stream.record().unwrap();
    assert_eq!(record["audit"], json!([]));
    assert_eq!(record["group_audit"], json!([{"group": "org", "limit": "day_usd"}]));
    assert_eq!(metric("code=.=day_usd;.;group=.=org;.;ai_gateway_group_audit_refusals_total"), 1);
    assert_eq!(levels("org"), (COST, 0));
    // A record of who is in no group has no word of groups.
    let stream = of(&gateway, "alone");
    answered(&stream);
    assert!(!stream.record().unwrap().as_object().unwrap().keys().any(|key| key.contains("group")));
}

#[test]
fn a_client_that_leaves_gives_every_group_its_share_back() {
    let gateway = team(json!({"limits": {"requests_per_minute": 100}}), json!({}));
    let stream = of(&gateway, "acme");
    stream.end();
    assert_eq!((levels("team").1, levels("org").1, reserved().0), (0, 0, 0));
    let record = stream.record().unwrap();
    assert_eq!(levels("org").0, record["cost_nanousd"].as_u64().unwrap());
}

#[test]
fn a_stream_beyond_its_reservation_is_ended_by_the_group_that_has_no_more() {
    let mut configuration = configuration();
    configuration["groups"] = json!({"org": {"budgets": {"day_usd": "0.0002"}}});
    configuration["tenants"] = json!({"acme": {"group": "org", "overrun": "end"}});
    let gateway = Gateway::configured(&configuration);
    let stream = gateway.stream();
    stream.request_headers(&head(&[]), false);
    let body = BODY.replace("\"model\"", "\"stream\":true,\"model\"");
    stream.request_body(body.as_bytes(), true);
    stream.answer_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}],\"usage\":null}\n\n";
    let said = (0..200).find_map(|_| {
        stream.answer_body(event.as_bytes(), false);
        Some(text(&stream.client()?).to_owned()).filter(|said| said.contains("error"))
    });
    let said = said.expect("an end");
    assert!(
        said.contains("budget_exhausted") && said.contains("the daily budget of the group `org` has not that much"),
        "{said}"
    );
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["overrun"]), (&json!("budget_exhausted"), &json!("day_usd")));
    assert_eq!(record["overrun_group"], "org");
    assert_eq!((levels("org").1, reserved().0), (0, 0));
    assert_eq!(levels("org").0, spent_today().0);
}

#[test]
fn races_for_the_cells_of_a_tenant_and_its_groups_are_run_again() {
    let gateway = team(json!({}), json!({}));
    // Faster than ours, at whichever cell is changed first.
    rivals(3, 7);
    let stream = of(&gateway, "acme");
    answered(&stream);
    assert_eq!(levels("org"), (COST, 0));
    assert_eq!(metric("ai_gateway_cell_races_total"), 3);
}

#[test]
fn as_many_are_in_flight_as_may_be_and_every_end_makes_room() {
    let gateway = team(json!({"limits": {"in_flight": 2}, "show_figures": true}), json!({}));
    let (one, other) = (of(&gateway, "acme"), of(&gateway, "zenith"));
    let refused = of(&gateway, "acme");
    assert_eq!(refusal(&refused), ("429".into(), "in_flight_limited".into()));
    let reply = refused.reply().unwrap();
    assert_eq!((reply.header("retry-after"), reply.header("x-should-retry")), (Some("1"), None));
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message,
        "2 requests of the group `team` are in flight, and 2 may be at once. Try again when one has ended."
    );
    refused.end();
    assert_eq!(refused.record().unwrap()["refused_by"], "in_flight");
    gateway.tick();
    assert_eq!(metric("group=.=team;.;ai_gateway_group_in_flight"), 2);
    // One is answered, the other's client leaves.
    answered(&one);
    let third = of(&gateway, "acme");
    assert!(third.upstream().is_some());
    other.end();
    answered(&of(&gateway, "zenith"));
    third.end();
    gateway.tick();
    assert_eq!(metric("group=.=team;.;ai_gateway_group_in_flight"), 0);
    // Who limits nothing has no such gauge.
    assert!(with(|host| host.metrics().keys().all(|name| !name.ends_with("tenant=.=acme;.;ai_gateway_in_flight"))));
}
