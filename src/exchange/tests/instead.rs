//! Near the end of the money another model serves, if it costs less, can take the request, and has room.

use super::routing::{Asked, NOON, config, hello};
use crate::exchange::*;
use crate::limit::accounts::{Holder, Whose};
use crate::outcome::RefusedBy;
use serde_json::{Value, json};

const ACME: Whose<'_> = Whose::Tenant("acme");
const DAY: u64 = 1_000_000_000;

/// A dollar a day; `gpt-4o` gives way to `gpt-4o-mini` from 80 %.
fn written() -> Value {
    let mut config = config();
    config["tenants"]["acme"] = json!({"tier": "premium", "budgets": {"day_usd": "1"}, "unlimited": ["request_usd"]});
    config["models"][1]["instead"] = json!({"model": "gpt-4o-mini"});
    config
}

fn read(config: &Value) -> Policy {
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// The model that it went to, and in whose place and why if in another's.
fn served(config: &Value, asked: &Asked<'_>) -> Result<(String, Option<(String, RefusedBy)>), Outcome> {
    let policy = read(config);
    let (exchange, _) = asked.sent(&policy).map_err(|reply| reply.outcome)?;
    let record = exchange.close(&policy, &Ending::default(), NOON).record;
    let line: Value = serde_json::from_str(&record.to_json()).unwrap();
    let instead = record.instead.map(|instead| (instead.of, instead.by));
    assert_eq!(line.get("instead_of").and_then(Value::as_str), instead.as_ref().map(|(of, _)| of.as_str()));
    assert_eq!(line.get("instead_by").and_then(Value::as_str), instead.as_ref().map(|(_, by)| by.guard));
    Ok((record.model_chosen, instead))
}

fn by(guard: &'static str) -> RefusedBy {
    RefusedBy { guard, group: None, model_group: None }
}

fn own(model: &str) -> Result<(String, Option<(String, RefusedBy)>), Outcome> {
    Ok((model.to_owned(), None))
}

fn instead_of(of: &str, model: &str, by: RefusedBy) -> Result<(String, Option<(String, RefusedBy)>), Outcome> {
    Ok((model.to_owned(), Some((of.to_owned(), by))))
}

#[test]
fn from_its_share_of_the_tightest_budget_on_the_other_model_serves() {
    let dear = || Asked::chat(&hello("gpt-4o"));
    for (spent, expected) in [
        (0, own("gpt-4o")),
        (799_999_999, own("gpt-4o")),
        (800_000_000, instead_of("gpt-4o", "gpt-4o-mini", by("day_usd"))),
        (999_900_000, instead_of("gpt-4o", "gpt-4o-mini", by("day_usd"))),
        (DAY, Err(Outcome::DailyBudgetExceeded)),
    ] {
        assert_eq!(served(&written(), &dear().behind(ACME, spent)), expected, "{spent}");
    }
    let mut config = written();
    config["models"][1]["instead"]["from_percent"] = json!(50);
    let asked = dear().behind(ACME, DAY / 2);
    assert_eq!(served(&config, &asked), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    // Spent of the month, too, of which there is less.
    config["tenants"]["acme"]["budgets"]["month_usd"] = json!("0.6");
    assert_eq!(served(&config, &asked), instead_of("gpt-4o", "gpt-4o-mini", by("month_usd")));
    // What only counts bounds nothing.
    config["tenants"]["acme"]["audit"] = json!(["day_usd", "month_usd"]);
    assert_eq!(served(&config, &dear().behind(ACME, 2 * DAY)), own("gpt-4o"));
}

/// 0.01 USD of 2.50 a million tokens are 4,000; a bound of 100,000 tokens at 10 USD a million is a dollar.
#[test]
fn where_a_budget_has_no_room_for_the_first_the_other_serves_whatever_is_spent() {
    let mut body = hello("gpt-4o");
    body["max_tokens"] = json!(100_000);
    let asked = Asked::chat(&body).behind(ACME, 10_000_000);
    assert_eq!(served(&written(), &asked), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    // A request that brings no bound is given one that the budget pays for.
    body.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(served(&written(), &Asked::chat(&body).behind(ACME, 10_000_000)), own("gpt-4o"));
}

#[test]
fn a_free_model_serves_behind_the_end() {
    let mut config = written();
    config["models"][1]["instead"] = json!({"model": "llama3.2", "from_percent": 100});
    config["prices"][5] =
        json!({"model": "local/llama3.2", "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0"});
    let mut debt = Asked::chat(&hello("gpt-4o")).behind(ACME, 3 * DAY);
    assert_eq!(served(&config, &debt), instead_of("gpt-4o", "llama3.2", by("day_usd")));
    debt.spent.clear();
    assert_eq!(served(&config, &debt), own("gpt-4o"));
}

#[test]
fn what_costs_more_or_as_much_stands_in_for_nobody() {
    let mut config = written();
    config["models"][1].as_object_mut().unwrap().remove("instead");
    config["models"][0]["instead"] = json!({"model": "gpt-4o", "from_percent": 1});
    let asked = Asked::chat(&hello("gpt-4o-mini")).behind(ACME, 900_000_000);
    assert_eq!(served(&config, &asked), own("gpt-4o-mini"));
    config["models"][2]["instead"] = json!({"model": "claude-cheap"});
    let asked = Asked { path: "/v1/messages", ..Asked::chat(&hello("claude-dear")) }.behind(ACME, 900_000_000);
    assert_eq!(served(&config, &asked), own("claude-dear"));
}

#[test]
fn one_that_stands_in_gives_way_itself_further_on() {
    let mut config = written();
    config["models"][0]["instead"] = json!({"model": "llama3.2", "from_percent": 95});
    for (percent, expected) in [
        (79, own("gpt-4o")),
        (94, instead_of("gpt-4o", "gpt-4o-mini", by("day_usd"))),
        (95, instead_of("gpt-4o", "llama3.2", by("day_usd"))),
    ] {
        let asked = Asked::chat(&hello("gpt-4o")).behind(ACME, percent * DAY / 100);
        assert_eq!(served(&config, &asked), expected, "{percent}");
    }
}

/// Each is asked in its own place: the free one at the end of the chain serves where the one between has no room or can't take it.
#[test]
fn a_link_that_has_no_room_or_cannot_take_it_is_passed_over() {
    let mut config = written();
    config["models"][0]["instead"] = json!({"model": "llama3.2", "from_percent": 95});
    config["prices"][5] =
        json!({"model": "local/llama3.2", "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0"});
    let near = |percent: u64| Asked::chat(&hello("gpt-4o")).behind(ACME, percent * DAY / 100);
    assert_eq!(served(&config, &near(100)), instead_of("gpt-4o", "llama3.2", by("day_usd")));
    config["tenants"]["acme"]["models"] = json!(["gpt-4o", "llama3.2"]);
    assert_eq!(served(&config, &near(90)), own("gpt-4o"));
    assert_eq!(served(&config, &near(95)), instead_of("gpt-4o", "llama3.2", by("day_usd")));
}

/// It would not be refused for its money first.
#[test]
fn where_another_limit_is_full_as_well_the_budget_still_counts() {
    let mut config = written();
    config["tenants"]["acme"] = json!({"tier": "premium", "budgets": {"day_usd": "1", "request_usd": "0.6"}});
    let mut body = hello("gpt-4o");
    body["max_tokens"] = json!(70_000);
    let asked = Asked::chat(&body).behind(ACME, DAY / 2);
    assert_eq!(served(&config, &asked), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    // There is room in the day's; that a single request may not cost so much is no end of the money.
    let asked = Asked::chat(&body).behind(ACME, DAY / 4);
    assert_eq!(served(&config, &asked), Err(Outcome::RequestBudgetExceeded));
}

/// A picture is 30 times as many tokens for the small model.
#[test]
fn what_costs_less_is_reckoned_by_what_each_reads() {
    let mut picture = hello("gpt-4o");
    let url = format!("data:image/png;base64,{}", "A".repeat(4_000));
    picture["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": url}}]);
    assert_eq!(served(&written(), &Asked::chat(&picture).behind(ACME, 900_000_000)), own("gpt-4o"));
}

#[test]
fn what_is_kept_for_one_model_and_what_is_no_text_keep_their_model() {
    let mut config = written();
    config["providers"]["openai"]["apis"] = json!(["openai_chat", "openai_embeddings", "gemini_generate"]);
    config["hidden_input"] = json!({"most_tokens": 1_000});
    let near = |path: &'static str, body: &Value| Asked { path, ..Asked::chat(body) }.behind(ACME, 900_000_000);
    let mut file = hello("gpt-4o");
    file["messages"][0]["content"] = json!([{"type": "file", "file": {"file_id": "file-1"}}]);
    let embeddings = json!({"model": "gpt-4o", "input": "hi"});
    let gemini = |more: Value| {
        let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 50}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let path = "/v1beta/models/gpt-4o:generateContent";
    for (path, body, expected) in [
        ("/v1/chat/completions", &file, own("gpt-4o")),
        ("/v1/embeddings", &embeddings, own("gpt-4o")),
        (path, &gemini(json!({"cachedContent": "cachedContents/1"})), own("gpt-4o")),
        (path, &gemini(json!({})), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd"))),
    ] {
        assert_eq!(served(&config, &near(path, body)), expected, "{path} {body}");
    }
    // Whoever serves is called by its own name.
    let (at, _) = near(path, &gemini(json!({}))).received(&read(&config), "openai");
    assert_eq!(at, "/v1beta/models/gpt-4o-mini:generateContent");
    let (_, body) = near("/v1/chat/completions", &hello("gpt-4o")).received(&read(&config), "openrouter");
    assert_eq!(body["model"], "openai/gpt-4o-mini");
}

#[test]
fn aliases_and_names_that_stand_for_several_give_way_as_what_they_stand_for() {
    let mut config = written();
    config["aliases"]["best"] = json!("gpt-4o");
    config["virtual_models"] =
        json!({"split": {"split": {"gpt-4o": 1}}, "auto": ["gpt-4o"], "small": ["llama3.2", "gpt-4o-mini"]});
    config["role_models"] = json!({});
    for name in ["best", "split", "auto"] {
        let asked = Asked::chat(&hello(name)).behind(ACME, 900_000_000);
        assert_eq!(served(&config, &asked), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")), "{name}");
    }
    config["models"][1]["instead"]["model"] = json!("small");
    let asked = Asked::chat(&hello("gpt-4o")).behind(ACME, 900_000_000);
    assert_eq!(served(&config, &asked), instead_of("gpt-4o", "llama3.2", by("day_usd")));
}

#[test]
fn whoever_cannot_take_the_request_or_may_not_leaves_it_to_the_first() {
    let near = |body: &Value| Asked::chat(body).behind(ACME, 900_000_000);
    let mini = || instead_of("gpt-4o", "gpt-4o-mini", by("day_usd"));
    let plain = hello("gpt-4o");
    assert_eq!(served(&written(), &near(&plain)), mini());
    // Its provider's circuit breaker is open, or all of its providers may not see the data.
    let mut config = written();
    config["models"][0]["providers"] = json!([{"provider": "local", "model": "llama3.2"}]);
    let ejected = Asked { open: vec!["local"], ..near(&plain) };
    assert_eq!(served(&config, &near(&plain)), mini());
    assert_eq!(served(&config, &ejected), own("gpt-4o"));
    config["models"][0]["providers"] = json!([{"provider": "openrouter", "model": "openai/*"}]);
    assert_eq!(served(&config, &near(&plain).with("x-ai-sensitivity", "confidential")), own("gpt-4o"));
    // The tenant may not ask for it.
    let mut config = written();
    config["tenants"]["acme"]["models"] = json!(["gpt-4o"]);
    assert_eq!(served(&config, &near(&plain)), own("gpt-4o"));
    // It calls no tools, or reads less.
    let mut config = written();
    config["models"][1]["instead"] = json!({"model": "llama3.2"});
    assert_eq!(served(&config, &near(&plain)), instead_of("gpt-4o", "llama3.2", by("day_usd")));
    let mut tools = plain.clone();
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(served(&config, &near(&tools)), own("gpt-4o"));
    let mut long = plain.clone();
    long["messages"][0]["content"] = "word ".repeat(4_000).into();
    assert_eq!(served(&config, &near(&long)), own("gpt-4o"));
    // It writes less than the client's bound.
    config["prices"][5]["max_output_tokens"] = json!(40);
    assert_eq!(served(&config, &near(&plain)), own("gpt-4o"));
    // It has no price for what is asked for.
    let mut config = written();
    config["unpriced_levers"] = json!("count");
    config["prices"][2]["web_search_usd"] = json!("0.01");
    config["prices"][3]["web_search_usd"] = json!("0.01");
    let mut search = plain.clone();
    search["web_search_options"] = json!({});
    for stance in ["count", "pass"] {
        config["unpriced_levers"] = json!(stance);
        assert_eq!(served(&config, &near(&search)), own("gpt-4o"), "{stance}");
    }
    // The tenant is never to be served by another.
    for whose in [&["tenants", "acme"], &["tiers", "premium"]] {
        let mut config = written();
        if whose[0] == "tiers" {
            config["tiers"] = json!({"premium": {}});
        }
        config[whose[0]][whose[1]]["keeps_model"] = json!(true);
        assert_eq!(served(&config, &near(&plain)), own("gpt-4o"));
        config["tenants"]["acme"]["keeps_model"] = json!(false);
        assert_eq!(served(&config, &near(&plain)), mini());
    }
}

#[test]
fn a_role_has_one_of_its_own_before_its_models() {
    let mut config = written();
    config["role_models"]["code"] = json!({"model": "gpt-4o", "instead": {"model": "llama3.2", "from_percent": 60}});
    let code = |percent: u64| {
        let body = json!({"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]});
        Asked { path: "/api/ai/chat", ..Asked::chat(&body) }.with("x-ai-role", "code").behind(ACME, percent * DAY / 100)
    };
    assert_eq!(served(&config, &code(59)), own("gpt-4o"));
    assert_eq!(served(&config, &code(60)), instead_of("gpt-4o", "llama3.2", by("day_usd")));
    // Who names the model itself has what stands at that.
    let named =
        |percent: u64| Asked::chat(&hello("gpt-4o")).with("x-ai-role", "code").behind(ACME, percent * DAY / 100);
    assert_eq!(served(&config, &named(60)), own("gpt-4o"));
    assert_eq!(served(&config, &named(80)), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    // A tenant's own comes before that of all.
    config["tenants"]["acme"]["role_models"] =
        json!({"code": {"model": "gpt-4o", "instead": {"model": "auto", "from_percent": 20}}});
    assert_eq!(served(&config, &code(20)), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    // Without one, what stands at the model.
    config["tenants"]["acme"]["role_models"] = json!({"code": "gpt-4o"});
    assert_eq!(served(&config, &code(60)), own("gpt-4o"));
    assert_eq!(served(&config, &code(80)), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
}

#[test]
fn any_account_of_the_request_may_be_the_tightest_and_the_other_must_have_room_in_its_own() {
    let mut config = written();
    config["groups"] = json!({"team": {"budgets": {"day_usd": "10"}}});
    config["tenants"]["acme"]["group"] = json!("team");
    config["model_groups"] = json!({"large": ["gpt-4o"], "small": ["gpt-4o-mini", "llama3.2", "openai/gpt-4o-mini"]});
    config["groups"]["team"]["model_groups"] = json!({"large": {"budgets": {"day_usd": "0.5"}}});
    let team = Whose::Group("team");
    let large = Whose::Models { of: Holder::Group("team"), models: "large" };
    let small = Whose::Models { of: Holder::Tenant("acme"), models: "small" };
    let dear = || Asked::chat(&hello("gpt-4o"));
    assert_eq!(served(&config, &dear().behind(team, 7 * DAY)), own("gpt-4o"));
    let of_team = RefusedBy { group: Some("team".to_owned()), ..by("day_usd") };
    assert_eq!(served(&config, &dear().behind(team, 8 * DAY)), instead_of("gpt-4o", "gpt-4o-mini", of_team.clone()));
    let of_large = RefusedBy { model_group: Some("large".to_owned()), ..of_team };
    let asked = dear().behind(large, 450_000_000);
    assert_eq!(served(&config, &asked), instead_of("gpt-4o", "gpt-4o-mini", of_large));
    // The small ones have nothing left: rather the dear one, as long as that has.
    config["tenants"]["acme"]["model_groups"] = json!({"small": {"budgets": {"day_usd": "0.1"}}});
    assert_eq!(served(&config, &asked.behind(small, 100_000_000)), own("gpt-4o"));
}

/// What a provider keeps is with that provider.
#[test]
fn what_goes_on_from_a_providers_own_stays_with_that_provider() {
    let mut config = written();
    config["models"][0]["providers"] = json!([{"provider": "local", "model": "llama3.2"}, {"provider": "openai"}]);
    let body = json!({"model": "gpt-4o", "input": "hi", "max_output_tokens": 50});
    let asked = |store: bool| {
        let mut body = body.clone();
        body["store"] = json!(store);
        Asked { path: "/v1/responses", ..Asked::chat(&body) }.behind(ACME, 900_000_000)
    };
    assert_eq!(served(&config, &asked(false)), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
    assert_eq!(served(&config, &asked(true)), own("gpt-4o"));
    config["models"][0]["providers"] = json!([{"provider": "openai"}]);
    assert_eq!(served(&config, &asked(true)), instead_of("gpt-4o", "gpt-4o-mini", by("day_usd")));
}

#[test]
fn a_configuration_says_who_may_stand_in() {
    let problem = |config: &Value| Policy::read(config.to_string().as_bytes()).unwrap_err().to_string();
    let with = |instead: Value| {
        let mut config = written();
        config["models"][1]["instead"] = instead;
        problem(&config)
    };
    for (instead, said) in [
        (
            json!({"model": "gpt-9"}),
            "models[1].instead.model: `gpt-9` is neither one of `models` nor of `virtual_models`",
        ),
        (json!({"model": "claude-*"}), "models[1].instead.model: `claude-*` is neither"),
        (json!({"model": "fast"}), "models[1].instead.model: `fast` is neither"),
        (json!({"model": "gpt-4o"}), "models[1].instead.model: `gpt-4o` can't stand in for itself"),
        (json!({"model": "role"}), "models[1].instead.model: `role` is a label of the gateway's own"),
        (json!({"model": "auto", "from_percent": 101}), "101 is out of range: 1 to 100 is allowed"),
        (json!({"from_percent": 10}), "missing field `model`"),
    ] {
        let problem = with(instead);
        assert!(problem.contains(said), "{problem}");
    }
    let mut config = written();
    config["role_models"]["code"] = json!({"model": "gpt-4o", "instead": {"model": "gpt-9"}});
    let said = problem(&config);
    assert!(said.contains("role_models.code.instead.model: `gpt-9` is neither"), "{said}");
    config["role_models"]["code"] = json!({"model": "gpt-4o", "instead": {"model": "gpt-4o"}});
    let said = problem(&config);
    assert!(said.contains("role_models.code.instead.model: `gpt-4o` can't stand in for itself"), "{said}");
    let mut circle = written();
    circle["models"][0]["instead"] = json!({"model": "gpt-4o"});
    let said = problem(&circle);
    assert!(
        said.contains("models[0].instead: `gpt-4o-mini`, `gpt-4o`, `gpt-4o-mini` stand in for each other"),
        "{said}"
    );
    let mut unpriced = written();
    (unpriced["virtual_models"], unpriced["aliases"], unpriced["role_models"]) = (json!({}), json!({}), json!({}));
    unpriced["models"][2]["model"] = json!("*");
    unpriced["models"][2]["providers"] = json!([{"provider": "openai"}]);
    unpriced["models"][1]["instead"]["model"] = json!("gpt-4o-mni");
    let said = problem(&unpriced);
    assert!(said.contains("models[1].instead.model: no price matches `gpt-4o-mni` of `openai`"), "{said}");
    let mut unlisted = config.clone();
    (unlisted["models"], unlisted["virtual_models"], unlisted["aliases"]) = (json!([]), json!({}), json!({}));
    let said = problem(&unlisted);
    assert!(said.contains("role_models.code.instead: without `models` Envoy's routes choose the provider"), "{said}");
    config["replicas"] = json!({"count": 2, "cluster": "ratelimit"});
    let said = problem(&config);
    assert!(said.contains("models[1].instead: each of several Envoys knows what it has spent itself"), "{said}");
    config["role_models"]["code"] = json!(["gpt-4o"]);
    let said = problem(&config);
    assert!(said.contains("a model's name, or a map with `model` and `instead`"), "{said}");
}
