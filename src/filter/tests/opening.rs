//! What was spent before this Envoy began: it counts from the first request on, once, and lowers nothing.

use super::*;

/// When the tests play.
const TODAY: &str = "2027-01-15";

/// Budgets of $1 a day and $10 a month, of which so much is spent, as of that day.
fn opened(date: &str, day: &str, month: &str) -> Value {
    let mut configuration = configuration();
    let budgets = json!({"day_usd": "1", "month_usd": "10"});
    configuration["model_groups"] = json!({"large": ["gpt-4o*"]});
    configuration["groups"] = json!({"team": {"budgets": {"month_usd": "100"}}});
    configuration["tenants"] = json!({"acme": {"budgets": budgets, "group": "team", "model_groups": {"large": {"budgets": {"day_usd": "0.8"}}}}});
    let spent = json!({"day_usd": day, "month_usd": month});
    let mut of_acme = spent.clone();
    of_acme["model_groups"] = json!({"large": {"day_usd": "0.25", "month_usd": "0.25"}, "gone": spent});
    configuration["opening"] = json!({"balances": {
        "date": date,
        "tenants": {"acme": of_acme, "gone": spent},
        "groups": {"team": {"day_usd": "7", "month_usd": "70"}, "gone": spent},
    }});
    configuration
}

fn levels(key: &str) -> (u64, u64) {
    let mut cell = with(|host| host.shared(key).map(|bytes| Cell::decode(bytes).expect("a cell")).unwrap_or_default());
    let levels = cell.levels(with(|host| host.clock), 900);
    (levels.spent_today.0, levels.spent_this_month.0)
}

const CENT: u64 = 10_000_000;

#[test]
fn every_account_goes_on_from_what_it_had_spent() {
    let gateway = Gateway::configured(&opened(TODAY, "0.5", "4"));
    assert_eq!(levels(KEY), (50 * CENT, 400 * CENT));
    assert_eq!(levels("nexus:group2:team"), (700 * CENT, 7_000 * CENT));
    assert_eq!(levels("nexus:models2:large;tenant;acme"), (25 * CENT, 25 * CENT));
    assert!(with(|host| host.shared("nexus:cell2:gone").is_none() && host.shared("nexus:group2:gone").is_none()));
    let took = ["today", "this_month"]
        .map(|period| metric(&format!("tenant=.=acme;.;ai_gateway_opening_{period}_nanousd_total")));
    assert_eq!(took, [50 * CENT, 400 * CENT]);
    answered(&admitted(&gateway, BODY));
    assert_eq!(levels(KEY), (50 * CENT + COST, 400 * CENT + COST));
}

#[test]
fn another_worker_and_a_configuration_that_comes_again_take_nothing_over_twice() {
    let configuration = opened(TODAY, "0.5", "4");
    let gateway = Gateway::configured(&configuration);
    answered(&admitted(&gateway, BODY));
    let spent = levels(KEY);
    let _other = Gateway::beside(&configuration);
    assert!(gateway.configure(configuration.to_string().as_bytes()));
    assert_eq!(levels(KEY), spent);
    // What was spent here is more by now than what is written: it stays.
    assert!(gateway.configure(opened(TODAY, "0.1", "0.1").to_string().as_bytes()));
    assert_eq!(levels(KEY), spent);
    assert_eq!(metric("tenant=.=acme;.;ai_gateway_opening_today_nanousd_total"), 50 * CENT);
}

#[test]
fn a_budget_that_was_spent_before_admits_nothing() {
    let gateway = Gateway::configured(&opened(TODAY, "1", "4"));
    assert_eq!(refusal(&sent(&gateway, BODY)), ("402".into(), "daily_budget_exceeded".into()));
    let gateway = Gateway::configured(&opened(TODAY, "0.5", "10"));
    assert_eq!(refusal(&sent(&gateway, BODY)), ("402".into(), "monthly_budget_exceeded".into()));
}

#[test]
fn figures_of_another_day_count_in_its_month_only_and_those_of_another_month_not_at_all() {
    for (date, expected) in [("2027-01-01", (0, 400 * CENT)), ("2026-12-31", (0, 0)), ("2027-02-15", (0, 0))] {
        let _gateway = Gateway::configured(&opened(date, "0.5", "4"));
        assert_eq!(levels(KEY), expected, "{date}");
        let said = with(|host| host.logged(proxy_wasm::types::LogLevel::Warn).join("\n"));
        assert!(said.contains("`opening` is of another day"), "{date}: {said}");
    }
}
