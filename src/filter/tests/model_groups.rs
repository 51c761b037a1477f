//! Model groups: what tenants and groups may spend on some models, what a caller learns of it, and what is left behind.

use super::*;

/// `acme` is in a team, and may spend so much on large models; so may the team.
fn house(own: Value, team: Value) -> Gateway {
    let mut configuration = configuration();
    configuration["prices"] = json!([
        {"model": "gpt-4o-mini", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"},
        {"model": "small", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"},
    ]);
    configuration["model_groups"] = json!({"large": ["GPT-4o*"]});
    configuration["groups"] = json!({"team": {"model_groups": team}});
    configuration["tenants"] = json!({"acme": {"group": "team", "model_groups": own}});
    Gateway::configured(&configuration)
}

fn asked(gateway: &Gateway, model: &str) -> Stream {
    sent(gateway, &BODY.replace("gpt-4o-mini", model))
}

/// What a holder (`tenant;acme`) has spent on the large models, and reserved.
fn levels(holder: &str) -> (u64, u64) {
    let key = format!("nexus:models2:large;{holder}");
    let mut cell = with(|host| host.shared(&key).map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default());
    let levels = cell.levels(with(|host| host.clock), 900);
    (levels.spent_today.0, levels.reserved.0)
}

#[test]
fn a_request_is_charged_to_the_group_of_the_model_that_serves_under_whatever_name_it_was_asked_for() {
    let budget = json!({"large": {"budgets": {"day_usd": "1"}}});
    let gateway = house(budget.clone(), budget);
    for model in ["gpt-4o-mini", "fast"] {
        let stream = asked(&gateway, model);
        let held = reserved().0;
        assert!(held > 0);
        assert_eq!((levels("tenant;acme").1, levels("group;team").1), (held, held));
        answered(&stream);
        assert_eq!(stream.record().unwrap()["model_group"], "large", "{model}");
    }
    let stream = asked(&gateway, "small");
    answered(&stream);
    assert!(stream.record().unwrap().get("model_group").is_none());
    assert_eq!([levels("tenant;acme"), levels("group;team")], [(2 * COST, 0); 2]);
    assert_eq!(spent_today().0, 3 * COST);
}

#[test]
fn a_model_group_without_room_refuses_by_its_name_and_no_other_model() {
    let tight = json!({"large": {"budgets": {"day_usd": "0.000001"}}});
    for (own, team, group, message) in [
        (
            tight.clone(),
            json!({}),
            Value::Null,
            "The daily budget of the model group `large` of $0.000001 has no room for this request: $0.00 spent",
        ),
        (
            json!({}),
            tight,
            json!("team"),
            "The daily budget of the model group `large` in the group `team` has no room for this request, which may cost up to $0.",
        ),
    ] {
        let gateway = house(own, team);
        let stream = asked(&gateway, "fast");
        assert_eq!(refusal(&stream), ("402".into(), "daily_budget_exceeded".into()));
        let error = stream.reply().unwrap().json()["error"].clone();
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
        let detail = &error["detail"];
        assert_eq!((&detail["guard"], &detail["model_group"]), (&json!("day_usd"), &json!("large")));
        assert_eq!(detail["group"], group);
        assert_eq!(detail["limit"].is_string(), group.is_null(), "a group keeps its figures to itself");
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["refused_by"], &record["refused_model_group"]), (&json!("day_usd"), &json!("large")));
        assert_eq!(record["refused_group"], group);
        assert_eq!(metric("code=.=day_usd;.;group=.=large;.;ai_gateway_model_group_refusals_total"), 1);
        let of_group = metric("code=.=day_usd;.;group=.=team;.;ai_gateway_group_refusals_total");
        assert_eq!(of_group, u64::from(!group.is_null()));
        assert_eq!(
            (reserved().0, levels("tenant;acme"), levels("group;team"), requests(cell())),
            (0, (0, 0), (0, 0), 0)
        );
        answered(&asked(&gateway, "small"));
    }
}

#[test]
fn an_audited_model_group_refuses_nothing_and_says_what_it_would_have() {
    let gateway = house(json!({"large": {"budgets": {"day_usd": "0.000001"}, "audit": ["day_usd"]}}), json!({}));
    let stream = asked(&gateway, "gpt-4o-mini");
    answered(&stream);
    let record = stream.record().unwrap();
    assert_eq!(record["group_audit"], json!([{"model_group": "large", "limit": "day_usd"}]));
    assert_eq!(metric("code=.=day_usd;.;group=.=large;.;ai_gateway_model_group_audit_refusals_total"), 1);
    assert_eq!(levels("tenant;acme"), (COST, 0));
}

#[test]
fn an_open_bound_is_what_the_models_budget_pays_for() {
    let gateway = house(json!({"large": {"budgets": {"day_usd": "0.0005"}}}), json!({}));
    let stream = sent(&gateway, &BODY.replace(r#","max_tokens":50"#, ""));
    let bound = stream.upstream().unwrap().json()["max_completion_tokens"].as_u64().unwrap();
    assert!((150..250).contains(&bound), "{bound}");
    assert_eq!(levels("tenant;acme").1, reserved().0);
    stream.end();
    assert_eq!((levels("tenant;acme").1, reserved().0), (0, 0));
}

#[test]
fn as_many_of_these_models_are_in_flight_as_may_be() {
    let gateway = house(json!({"large": {"limits": {"in_flight": 1}}}), json!({}));
    let one = asked(&gateway, "gpt-4o-mini");
    assert_eq!(refusal(&asked(&gateway, "gpt-4o-mini")), ("429".into(), "in_flight_limited".into()));
    answered(&asked(&gateway, "small"));
    one.end();
    answered(&asked(&gateway, "gpt-4o-mini"));
}

#[test]
fn the_usage_page_has_each_of_a_callers_model_groups() {
    let budget = json!({"large": {"budgets": {"day_usd": "1"}}});
    let gateway = house(budget.clone(), budget);
    answered(&asked(&gateway, "gpt-4o-mini"));
    let stream = gateway.stream();
    let head = [(":method", "GET"), (":path", "/api/ai/usage"), ("x-tenant-id", "acme"), ("x-request-id", "id-1")];
    stream.request_headers(&head, true);
    let page = stream.reply().unwrap().json();
    let accounts = page["accounts"].as_array().unwrap();
    let told: Vec<_> = accounts.iter().map(|account| (account["kind"].clone(), account["name"].clone())).collect();
    let expected = [("model_group", "large"), ("tenant", "acme"), ("model_group", "large"), ("group", "team")];
    assert_eq!(told, expected.map(|(kind, name)| (json!(kind), json!(name))));
    assert_eq!(accounts[0]["spent_today_usd"], "0.00002");
    assert_eq!((&accounts[2]["group"], accounts[2].get("limits")), (&json!("team"), None), "{page}");
}
