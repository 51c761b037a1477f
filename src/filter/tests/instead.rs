//! Near the end of the money: the cells that are there decide who serves, the client learns of it, and the books are those of who served.

use super::*;

/// `small` costs ten times what `gpt-4o-mini` costs, which serves in its place. A request of `small` comes to 200,000 nano-USD.
fn house(budgets: Value, group: Value) -> Gateway {
    let mut configuration = two_models();
    configuration["models"][1]["instead"] = json!({"model": "gpt-4o-mini", "from_percent": 50});
    configuration["groups"] = json!({"team": {"budgets": group}});
    configuration["tenants"] = json!({"acme": {"group": "team", "budgets": budgets, "unlimited": ["request_usd"]}});
    with_clusters(&configuration)
}

fn asked(gateway: &Gateway) -> Stream {
    admitted(gateway, &BODY.replace("gpt-4o-mini", "small"))
}

/// The model that served, as the client reads it, and the record.
fn served(gateway: &Gateway) -> (String, Value) {
    let stream = asked(gateway);
    answered(&stream);
    let model = stream.client().unwrap().header("x-ai-model").expect("the model").to_owned();
    (model, stream.record().unwrap())
}

#[test]
fn half_of_a_budget_on_the_cheaper_model_serves_and_is_charged() {
    for (own, team, whose, group) in [
        (json!({"day_usd": "0.004"}), json!({"day_usd": "1"}), "tenant", Value::Null),
        (json!({"day_usd": "1"}), json!({"day_usd": "0.004"}), "group", json!("team")),
    ] {
        let gateway = house(own, team);
        for _ in 0..10 {
            let (model, record) = served(&gateway);
            assert_eq!((model.as_str(), record.get("instead_of")), ("small", None));
            assert_eq!(record["cost_nanousd"], json!(10 * COST));
        }
        let (model, record) = served(&gateway);
        assert_eq!((model.as_str(), &record["model_asked"]), ("gpt-4o-mini", &json!("small")));
        assert_eq!((&record["model_chosen"], &record["instead_of"]), (&json!("gpt-4o-mini"), &json!("small")));
        assert_eq!((&record["instead_by"], &record["instead_group"]), (&json!("day_usd"), &group));
        assert_eq!((&record["cost_nanousd"], spent_today().0), (&json!(COST), 101 * COST));
        let counted = "model=.=gpt-4o-mini;.;tenant=.=acme;.;ai_gateway_instead_total";
        assert_eq!(metric(&format!("code=.=day_usd;.;kind=.={whose};.;{counted}")), 1);
    }
}

/// What others have set aside is not spent; but where it leaves no room, the cheaper one serves.
#[test]
fn while_others_hold_all_that_is_left_the_cheaper_model_serves() {
    let gateway = house(json!({"day_usd": "0.004"}), json!({}));
    let [first, second, stream] = [(); 3].map(|()| asked(&gateway));
    assert_eq!(spent_today().0, 0);
    for stream in [first, second] {
        answered(&stream);
        assert_eq!(stream.record().unwrap()["model_chosen"], "small");
    }
    answered(&stream);
    assert_eq!(stream.record().unwrap()["instead_by"], "day_usd");
    assert_eq!(spent_today().0, 21 * COST);
}
