//! Levers that cost money, through the whole exchange: refused by name, or reserved and charged.

use serde_json::{Value, json};

use super::super::tests::around;
use crate::exchange::{AnswerHead, Ending, Exchange, Opening, Step};
use crate::headers::Headers;
use crate::limit::cell::Cell;
use crate::policy::Policy;
use crate::record::Record;
use crate::units::UnixNanos;

const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-3-pro:generateContent";
const CONVERSE: &str = "/model/nova/converse";
const INVOKE: &str = "/model/nova/invoke";

/// `all` has a price for everything, at tokens that cost nothing: what is reserved is what the levers come to.
fn policy(adjust: impl Fn(&mut Value)) -> Policy {
    let nothing = json!({"input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0"});
    let price = |model: &str, more: Value| {
        let mut price = nothing.clone();
        price["model"] = json!(model);
        more.as_object().unwrap().iter().for_each(|(key, value)| price[key] = value.clone());
        price
    };
    let sold = json!({
        "web_search_usd": "0.01", "file_search_usd": "0.0025", "container_session_usd": "0.03", "image_usd": "0.17",
    });
    let tier = |usd: &str| json!({"output_usd_per_1m_tokens": usd});
    let mut rated = sold.clone();
    rated["service_tiers"] = json!({"priority": tier("20"), "fast": tier("60"), "us": tier("11")});
    let mut policy = json!({
        "tenants": {"acme": {"unlimited": ["request_usd", "day_usd"]}},
        "prices": [
            price("all", rated.clone()), price("all:online", rated), price("searches", json!({"request_usd": "0.035"})), price("gemini-3-pro", sold), price("bare", json!({})), price("nova", json!({})),
            price("dear", json!({"image_output_usd_per_1m_tokens": "40"})),
            price("cheap", json!({"image_output_usd_per_1m_tokens": "30"})),
        ],
    });
    adjust(&mut policy);
    Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn asked(policy: &Policy, path: &str, body: &Value) -> (Exchange, Result<Cell, String>) {
    let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
    let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOON) else { panic!("{path} was not read") };
    assert_eq!(exchange.body(policy, body.to_string().as_bytes()), None);
    let demand = match exchange.end_of_request(policy, around(None)).unwrap() {
        Ok(demand) => demand,
        Err(reply) => {
            assert_eq!(reply.status, 400);
            return (exchange, Err(String::from_utf8(reply.body).unwrap()));
        }
    };
    let mut cell = Cell::default();
    let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
    assert!(matches!(exchange.decided(policy, demand, Ok(decision), NOON), Step::Forward(_) | Step::Route(_)));
    (exchange, Ok(cell))
}

/// What is reserved, in micro-USD, or why it is refused.
fn reserved(policy: &Policy, path: &str, body: &Value) -> Result<u64, String> {
    asked(policy, path, body).1.map(|mut cell| cell.levels(NOON, 900).reserved.0 / 1_000)
}

fn closed(mut exchange: Exchange, policy: &Policy, answer: Option<&Value>, flags: u64) -> Record {
    if let Some(answer) = answer {
        let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
        exchange.answer_head(policy, &head);
        exchange.answer_body(answer.to_string().as_bytes(), true, || NOON);
    }
    let status = if answer.is_some() { 200 } else { 0 };
    exchange.close(policy, &Ending { status, flags, sent: true, attempts: 1, ..Ending::default() }, NOON).record
}

fn with(path: &str, model: &str, more: Value) -> Value {
    let mut body = match path {
        CHAT | MESSAGES => json!({"model": model, "max_tokens": 10, "messages": []}),
        RESPONSES => json!({"model": model, "max_output_tokens": 10, "input": "x"}),
        GEMINI => json!({"contents": []}),
        _ => json!({"messages": []}),
    };
    more.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
    body
}

/// 10,000 micro-USD a search, 2,500 a file's, 30,000 a container, 170,000 a picture.
#[test]
fn hosted_tools_are_reserved_by_their_own_maximum() {
    let policy = policy(|_| {});
    for (path, more, micro_usd) in [
        (CHAT, json!({}), 0),
        (CHAT, json!({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}]}), 0),
        (CHAT, json!({"web_search_options": {}}), 10_000),
        (CHAT, json!({"web_search_options": null, "plugins": null, "search_parameters": null}), 0),
        (CHAT, json!({"plugins": [{"id": "web", "max_results": 3}, {"id": "response-healing"}]}), 100_000),
        (CHAT, json!({"search_parameters": {}}), 150_000),
        (CHAT, json!({"search_parameters": {"mode": "on", "max_search_results": 4}}), 40_000),
        (CHAT, json!({"search_parameters": {"mode": "off"}}), 0),
        (CHAT, json!({"enable_search": true, "search_options": {"search_strategy": "max"}}), 10_000),
        (CHAT, json!({"enable_search": false}), 0),
        (CHAT, json!({"extra_body": {"enable_search": true}}), 10_000),
        (CHAT, json!({"model": "all:online"}), 10_000),
        (CHAT, json!({"model": "searches"}), 35_000),
        (CHAT, json!({"model": "searches", "web_search_options": {"search_context_size": "high"}}), 35_000),
        (CHAT, json!({"tools": [{"google_search": {}}]}), 100_000),
        (CHAT, json!({"tools": [{"googleSearch": {}, "url_context": {}}]}), 100_000),
        (CHAT, json!({"tools": [{"type": "web_search", "url_context": {}, "max_uses": 0}]}), 100_000),
        (CHAT, json!({"search_parameters": {"max_search_results": 0}}), 150_000),
        (CHAT, json!({"tools": [{"googleSearch": null, "type": "function", "function": {"name": "f"}}]}), 0),
        (RESPONSES, json!({"tools": [{"type": "web_search"}]}), 100_000),
        (RESPONSES, json!({"tools": [{"type": "web_search_preview_2025_03_11"}], "max_tool_calls": 3}), 30_000),
        (RESPONSES, json!({"tools": [{"type": "web_search"}], "max_tool_calls": 0}), 100_000),
        (RESPONSES, json!({"tools": [{"type": "file_search", "vector_store_ids": ["a"]}]}), 25_000),
        (RESPONSES, json!({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}), 30_000),
        (RESPONSES, json!({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}), 30_000),
        (RESPONSES, json!({"tools": [{"type": "shell", "environment": {"type": "local"}}]}), 0),
        (RESPONSES, json!({"tools": [{"type": "image_generation", "quality": "high"}]}), 340_000),
        (RESPONSES, json!({"tools": [{"type": "mcp"}, {"type": "local_shell"}, {"type": "apply_patch"}]}), 0),
        (RESPONSES, json!({"input": [{"type": "tool_search_output", "tools": [{"type": "web_search"}]}]}), 100_000),
        (MESSAGES, json!({"tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "bash_20250124"}]}), 0),
        (MESSAGES, json!({"tools": [{"type": "web_search_20250305", "max_uses": 50}]}), 500_000),
        (MESSAGES, json!({"tools": [{"type": "web_search_20260318"}, {"type": "web_fetch_20250910"}]}), 100_000),
        (MESSAGES, json!({"tools": [{"type": "code_execution_20250825", "max_uses": 9}]}), 30_000),
        // Only Anthropic's own kinds are bounded by it.
        (MESSAGES, json!({"tools": [{"max_uses": 1, "type": "web_search_20250305"}]}), 10_000),
        (MESSAGES, json!({"tools": [{"max_uses": 1, "type": "openrouter:web_search"}]}), 100_000),
        (MESSAGES, json!({"tools": [{"type": "openrouter:web_search", "max_uses": 1}]}), 100_000),
        (MESSAGES, json!({"tools": [{"type": "x_search", "max_uses": 50}]}), 500_000),
        (
            MESSAGES,
            json!({"messages": [{"role": "user", "content": [
                {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"type": "web_search_20250305"}}},
            ]}]}),
            100_000,
        ),
        (GEMINI, json!({"tools": [{"functionDeclarations": []}, {"codeExecution": {}}, {"url_context": {}}]}), 0),
        (GEMINI, json!({"tools": [{"googleSearch": {}}]}), 100_000),
        (GEMINI, json!({"tools": [{"google_search_retrieval": {}}]}), 100_000),
        (CONVERSE, json!({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}, {"cachePoint": {}}]}}), 0),
        (
            CONVERSE,
            json!({"additionalModelRequestFields": {"tools": [{"type": "computer_20250124", "name": "computer"}],
                "inferenceConfig": {"topK": 20}}}),
            0,
        ),
    ] {
        assert_eq!(reserved(&policy, path, &with(path, "all", more.clone())), Ok(micro_usd), "{path} {more}");
    }
}

#[test]
fn a_tool_that_is_unknown_or_has_no_price_is_refused_by_name_unless_the_operator_says_otherwise() {
    for (path, model, more, key, said) in [
        (RESPONSES, "bare", json!({"tools": [{"type": "web_search"}]}), "unpriced_levers", "no `web_search_usd`"),
        (RESPONSES, "bare", json!({"tools": [{"type": "file_search"}]}), "unpriced_levers", "no `file_search_usd`"),
        (RESPONSES, "bare", json!({"tools": [{"type": "image_generation"}]}), "unpriced_levers", "no `image_usd` or"),
        (CHAT, "bare", json!({"web_search_options": {}}), "unpriced_levers", "The tool `web_search_options`"),
        (CHAT, "searches", json!({"plugins": [{"id": "web"}]}), "unpriced_levers", "The tool `web`"),
        (CHAT, "bare", json!({"tools": [{"type": "code_interpreter"}]}), "unpriced_levers", "container_session_usd"),
        (
            CHAT,
            "all",
            json!({"tools": [{"type": "builtin_function"}]}),
            "unpriced_levers",
            "what no price here can say",
        ),
        (CHAT, "all", json!({"plugins": [{"id": "file-parser"}]}), "unpriced_levers", "The tool `file-parser`"),
        (CHAT, "all", json!({"plugins": [{"id": "new"}]}), "unknown_tools", "The tool `new` is of no kind"),
        (CHAT, "all", json!({"plugins": [{}]}), "unknown_tools", "The tool `plugins` is of no kind"),
        (RESPONSES, "all", json!({"tools": [{"type": "video_generation"}]}), "unknown_tools", "`video_generation`"),
        (MESSAGES, "all", json!({"tools": [{"type": "advisor_20260301"}]}), "unpriced_levers", "`advisor_20260301`"),
        (GEMINI, "", json!({"tools": [{"googleMaps": {}}]}), "unpriced_levers", "The tool `googleMaps`"),
        (GEMINI, "", json!({"tools": [{"bingSearch": {}}]}), "unknown_tools", "The tool `bingSearch` is of no kind"),
        (CONVERSE, "", json!({"toolConfig": {"tools": [{"systemTool": {}}]}}), "unpriced_levers", "`systemTool`"),
        (INVOKE, "", json!({"toolConfig": {"tools": [{"systemTool": {}}]}}), "unpriced_levers", "`systemTool`"),
        (
            CHAT,
            "all",
            json!({"tools": [{"type": "openrouter:image_generation", "url_context": {}, "max_uses": 0}]}),
            "unpriced_levers",
            "The tool `openrouter:image_generation`",
        ),
    ] {
        let body = with(path, model, more.clone());
        let refused = reserved(&policy(|_| {}), path, &body).expect_err(&more.to_string());
        assert!(refused.contains(said) && refused.contains(&format!("{key}: count")), "{more}: {refused}");
        for stance in ["count", "pass"] {
            for place in ["", "tier", "tenant"] {
                let policy = policy(|policy| match place {
                    "" => policy[key] = json!(stance),
                    "tier" => policy["tiers"]["standard"][key] = json!(stance),
                    _ => policy["tenants"]["acme"][key] = json!(stance),
                });
                let (exchange, cell) = asked(&policy, path, &body);
                assert!(cell.is_ok(), "{more}: {cell:?}");
                let noted = closed(exchange, &policy, None, 0).left_out.unknown_fields;
                assert_eq!(noted.len(), usize::from(stance == "count"), "{more}: {noted:?}");
            }
        }
    }
}

/// Output of 10 tokens: 200 micro-USD as `priority`, 600 as `fast`, 110 in `us`.
#[test]
fn a_dearer_rate_is_reserved_as_it_is_asked_for_and_refused_where_it_has_none() {
    let policy = policy(|_| {});
    for (path, model, more, expected) in [
        (CHAT, "all", json!({"service_tier": "priority"}), Ok(200)),
        (CHAT, "all", json!({"service_tier": "PRIORITY"}), Ok(200)),
        (CHAT, "bare", json!({"service_tier": "auto"}), Ok(0)),
        (CHAT, "bare", json!({"service_tier": "default"}), Ok(0)),
        (CHAT, "bare", json!({"service_tier": "flex"}), Ok(0)),
        (CHAT, "bare", json!({"service_tier": null}), Ok(0)),
        (CHAT, "bare", json!({"service_tier": "priority"}), Err("service_tiers.priority")),
        (CHAT, "all", json!({"service_tier": "scale"}), Err("`service_tier: scale` may be dearer")),
        (RESPONSES, "bare", json!({"service_tier": "priority"}), Err("service_tiers.priority")),
        (
            MESSAGES,
            "bare",
            json!({"speed": "standard", "service_tier": "standard_only", "inference_geo": "global"}),
            Ok(0),
        ),
        (MESSAGES, "all", json!({"speed": "fast"}), Ok(600)),
        (MESSAGES, "all", json!({"speed": "fast", "inference_geo": "us"}), Ok(600)),
        (MESSAGES, "all", json!({"inference_geo": "us"}), Ok(110)),
        (MESSAGES, "bare", json!({"speed": "fast"}), Err("`speed: fast` may be dearer")),
        (MESSAGES, "all", json!({"inference_geo": "eu"}), Err("`inference_geo: eu` may be dearer")),
        (GEMINI, "", json!({"serviceTier": "SERVICE_TIER_PRIORITY"}), Err("service_tiers.priority")),
        (GEMINI, "", json!({"service_tier": "standard"}), Ok(0)),
        (CONVERSE, "", json!({"serviceTier": {"type": "priority"}}), Err("service_tiers.priority")),
        (CONVERSE, "", json!({"performanceConfig": {"latency": "optimized"}}), Err("`speed: optimized`")),
        (CONVERSE, "", json!({"performanceConfig": {"latency": "standard"}}), Ok(0)),
    ] {
        match (reserved(&policy, path, &with(path, model, more.clone())), expected) {
            (Ok(reserved), Ok(expected)) => assert_eq!(reserved, expected, "{more}"),
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{more}: {said}"),
            (came, expected) => panic!("{more}: {came:?}, not {expected:?}"),
        }
    }
    let counted = self::policy(|policy| policy["unpriced_levers"] = json!("count"));
    let (exchange, _) = asked(&counted, CHAT, &with(CHAT, "bare", json!({"service_tier": "priority"})));
    assert_eq!(closed(exchange, &counted, None, 0).left_out.unknown_fields, ["service_tier:priority"]);
}

#[test]
fn a_model_inside_of_a_tool_must_be_the_tenants_and_no_dearer_than_the_price() {
    let tool = |model: &str| json!({"tools": [{"type": "image_generation", "model": model}]});
    for (model, inner, passes) in
        [("dear", "cheap", true), ("dear", "dear", true), ("cheap", "dear", false), ("dear", "gpt-image-2", false)]
    {
        let came = reserved(&policy(|_| {}), RESPONSES, &with(RESPONSES, model, tool(inner)));
        assert_eq!(came.is_ok(), passes, "{model} {inner}: {came:?}");
    }
    let advised = |model: &str, inner: &str| {
        let priced = policy(|policy| {
            policy["unpriced_levers"] = json!("pass");
            for (model, input, cached, output) in
                [("opus", "5", "0.5", "25"), ("sonnet", "3", "0.3", "15"), ("odd", "3", "0.6", "15")]
            {
                policy["prices"].as_array_mut().unwrap().push(json!({"model": model, "input_usd_per_1m_tokens": input,
                    "cached_input_usd_per_1m_tokens": cached, "output_usd_per_1m_tokens": output,
                    "image_output_usd_per_1m_tokens": "30"}));
            }
            let prices = policy["prices"].as_array_mut().unwrap();
            for (model, above) in
                [("short", json!([])), ("long", json!([{"input_tokens": 200_000, "input_usd_per_1m_tokens": "6"}]))]
            {
                let mut price = prices.last().unwrap().clone();
                (price["model"], price["cached_input_usd_per_1m_tokens"], price["above"]) =
                    (json!(model), json!("0.5"), above);
                prices.push(price);
            }
        });
        let advisor = json!({"tools": [{"type": "advisor_20260301", "name": "advisor", "model": inner}]});
        reserved(&priced, MESSAGES, &with(MESSAGES, model, advisor)).is_ok()
    };
    assert!(advised("opus", "sonnet") && advised("sonnet", "sonnet"));
    assert!(!advised("sonnet", "opus") && !advised("sonnet", "odd") && !advised("sonnet", "unpriced"));
    // Dearer from some length on.
    assert!(advised("opus", "short") && advised("long", "long") && !advised("opus", "long"));
    let narrow = policy(|policy| policy["tenants"]["acme"]["models"] = json!(["dear"]));
    assert!(reserved(&narrow, RESPONSES, &with(RESPONSES, "dear", tool("cheap"))).is_err());
}

/// Inside of another model, nobody counts it.
#[test]
fn a_model_inside_of_a_tool_is_in_the_model_group_of_the_one_that_calls_it_if_that_group_has_limits() {
    let tool = json!({"tools": [{"type": "image_generation", "model": "cheap"}]});
    let passes = |groups: Value, limited: &[&str]| {
        let of = limited.iter().map(|group| ((*group).to_owned(), json!({"budgets": {"day_usd": "1000"}})));
        let of = Value::Object(of.collect());
        let house = policy(|policy| {
            policy["model_groups"] = groups.clone();
            policy["tenants"]["acme"]["model_groups"] = of.clone();
        });
        reserved(&house, RESPONSES, &with(RESPONSES, "dear", tool.clone())).is_ok()
    };
    let apart = || json!({"draws": ["CHEAP"], "rest": ["dear"]});
    assert!(!passes(apart(), &["draws"]) && !passes(apart(), &["draws", "rest"]));
    assert!(passes(apart(), &[]) && passes(apart(), &["rest"]));
    assert!(passes(json!({"all": ["cheap", "dear"]}), &["all"]));
}

#[test]
fn hosted_tools_are_charged_as_the_answer_counts_them_and_as_they_were_reserved_where_none_came() {
    let policy = policy(|_| {});
    let tools = json!([{"type": "web_search"}, {"type": "code_interpreter"}, {"type": "file_search"}]);
    let body = with(RESPONSES, "all", json!({"tools": tools, "max_tool_calls": 4}));
    let left = closed(asked(&policy, RESPONSES, &body).0, &policy, None, 1 << 14).bill;
    assert_eq!((left.usage.web_searches, left.usage.container_sessions, left.usage.file_searches), (4, 1, 4));
    assert_eq!(left.cost.0, 80_000_000);
    let answer = json!({"status": "completed", "output": [
        {"type": "web_search_call", "id": "1", "status": "completed"},
        {"type": "shell_call", "id": "2", "environment": {"type": "container_reference", "container_id": "c"}},
        {"type": "shell_call", "id": "3", "environment": {"type": "local"}},
    ], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let said = closed(asked(&policy, RESPONSES, &body).0, &policy, Some(&answer), 0).bill;
    assert_eq!((said.usage.web_searches, said.usage.container_sessions, said.cost.0), (1, 1, 40_000_000));

    let body = with(MESSAGES, "all", json!({"tools": [{"type": "code_execution_20250825"}]}));
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let answer = json!({"type": "message", "content": [], "container": {"id": "c"}, "usage": usage});
    let said = closed(asked(&policy, MESSAGES, &body).0, &policy, Some(&answer), 0).bill;
    assert_eq!((said.usage.container_sessions, said.cost.0), (1, 30_000_000));

    // No answer of OpenAI's chat counts its search.
    let body = with(CHAT, "all", json!({"web_search_options": {}}));
    let answer = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let said = closed(asked(&policy, CHAT, &body).0, &policy, Some(&answer), 0).bill;
    assert_eq!((said.usage.web_searches, said.cost.0), (1, 10_000_000));
}

/// The table: what holds a model's name or an address spends, or has another serve; all else is next month's SDK.
#[test]
fn a_field_that_no_table_knows_is_counted_or_refused() {
    let by_default = policy(|policy| policy["aliases"] = json!({"fast-one": "all"}));
    let strict = policy(|policy| policy["tiers"]["standard"]["unknown_fields"] = json!("refuse"));
    let pass = policy(|policy| policy["tenants"]["acme"]["unknown_fields"] = json!("pass"));
    for (more, noted, said) in [
        (json!({"temperature": 1, "logit_bias": {"1": 2}, "new_thing": null}), &[][..], None),
        (json!({"new_thing": 1}), &["new_thing"], None),
        (
            json!({"new_thing": {"a": [{"b": "c d e"}]}, "other": [], "cl\u{e9}": false}),
            &["cl??", "new_thing", "other"],
            None,
        ),
        (json!({"new_thing": {"a": [{"b": "https://x"}]}}), &[], Some("speaks of an address")),
        (json!({"webhook": "//x/y"}), &[], Some("speaks of an address")),
        (json!({"judge_model": "any"}), &[], Some("speaks of a model")),
        (json!({"litellm_fallbacks": ["x"]}), &[], Some("speaks of a fallback")),
        (json!({"judge": "bare"}), &[], Some("names the model `bare`")),
        (json!({"judge": [["openai/bare"]]}), &[], Some("names the model `openai/bare`")),
        (json!({"judge": {"bare": 1}}), &[], Some("names the model `bare`")),
        (json!({"judge": {"by": [{"x": "fast-one"}]}}), &[], Some("names the model `fast-one`")),
        (json!({"judge": vec!["x"; 300]}), &[], Some("more than can be judged")),
    ] {
        let body = with(CHAT, "all", more.clone());
        match said {
            None => {
                let (exchange, cell) = asked(&by_default, CHAT, &body);
                assert!(cell.is_ok(), "{more}: {cell:?}");
                assert_eq!(closed(exchange, &by_default, None, 0).left_out.unknown_fields, noted, "{more}");
            }
            Some(said) => {
                let refused = reserved(&by_default, CHAT, &body).expect_err(&more.to_string());
                assert!(refused.contains(said) && refused.contains("unknown_fields: pass"), "{more}: {refused}");
            }
        }
        assert_eq!(reserved(&strict, CHAT, &body).is_ok(), noted.is_empty() && said.is_none(), "{more}");
        let (exchange, cell) = asked(&pass, CHAT, &body);
        assert!(cell.is_ok(), "{more}: {cell:?}");
        assert!(closed(exchange, &pass, None, 0).left_out.unknown_fields.is_empty());
    }
}

/// What relays and servers of one's own read beside the APIs: it has others serve, spends, or reaches a machine of the operator's.
#[test]
fn what_relays_and_servers_of_ones_own_obey_is_refused_by_name_in_every_api() {
    let policy = policy(|_| {});
    for (field, value) in [
        // OpenRouter.
        ("provider", json!({"order": ["dear"], "allow_fallbacks": true})),
        ("provider_options", json!({"gateway": {"order": ["x"]}})),
        // LiteLLM.
        ("api_base", json!("internal:8080")),
        ("base_url", json!("internal")),
        ("api_key", json!("sk-1")),
        ("user_config", json!({"x": 1})),
        ("extra_headers", json!({"x-key": "1"})),
        ("litellm_params", json!({})),
        ("num_retries", json!(9)),
        ("input_cost_per_token", json!(0)),
        ("aws_role_name", json!("x")),
        ("vertex_credentials", json!("x")),
        ("tags", json!(["paid"])),
        ("context_window_fallback_dict", json!({})),
        ("prompt_id", json!("p")),
        // vLLM.
        ("priority", json!(-1)),
        ("request_id", json!("resp_of_another")),
        ("Request_ID", json!("resp_of_another")),
        ("kv_transfer_params", json!({"remote_host": "10.0.0.1"})),
        ("ec_transfer_params", json!({"x": 1})),
        ("prompt_embeds", json!("gASV")),
        ("logits_processors", json!(["os.system"])),
        ("mm_processor_kwargs", json!({"max_pixels": 9})),
        ("vllm_xargs", json!({"kv_transfer_params": 1})),
        ("lora_request", json!({"name": "x"})),
        ("use_beam_search", json!(true)),
        // SGLang.
        ("lora_path", json!("x")),
        ("bootstrap_host", json!("10.0.0.1")),
        ("bootstrap_port", json!(1)),
        ("custom_logit_processor", json!("gASV")),
        ("session_params", json!({"id": "x"})),
        ("rid", json!("x")),
        ("data_parallel_rank", json!(1)),
        // llama.cpp, TGI and LoRAX.
        ("lora", json!([{"id": 0, "scale": 1}])),
        ("adapter_id", json!("x")),
        ("adapter_source", json!("s3")),
        ("response_fields", json!(["content"])),
        // Of those who sell what others serve: a search, what a server keeps, how much is made, a rate.
        ("web_search", json!({"enable": true})),
        ("knowledge_ids", json!(["k"])),
        ("candidateCount", json!(8)),
        ("numImages", json!(8)),
        ("extraBody", json!({"google": {"tools": [{"googleSearch": {}}]}})),
        ("fast_mode", json!(true)),
        ("async", json!(true)),
        ("hide_usage", json!(true)),
        // Other models, wherever an object names them.
        ("compound_custom", json!({"models": {"answering_model": "unheard of"}})),
        // Next year's, by the words in them.
        ("defaultProvider", json!("x")),
        ("x-api-key", json!("x")),
        ("remote-host", json!("x")),
        ("serverHost", json!("x")),
        ("customLogitProcessor", json!("x")),
        ("onFinishCallback", json!("x")),
    ] {
        for (path, mut body) in [
            (CHAT, with(CHAT, "all", json!({}))),
            (RESPONSES, with(RESPONSES, "all", json!({}))),
            (MESSAGES, with(MESSAGES, "all", json!({}))),
            ("/v1/embeddings", json!({"model": "all", "input": "x"})),
            ("/v1/completions", json!({"model": "all", "prompt": "x", "max_tokens": 9})),
        ] {
            body[field] = value.clone();
            let refused = reserved(&policy, path, &body).expect_err(&format!("{path} {field}"));
            assert!(refused.contains(&format!("`{field}`")) && refused.contains("unknown_fields: pass"), "{refused}");
        }
        let inside = json!({"extra_body": {field: value}});
        assert!(reserved(&policy, CHAT, &with(CHAT, "all", inside)).is_err(), "{field}");
    }
    // Where all passes, an id of the client's choice still names nothing that is kept.
    let pass = self::policy(|policy| policy["unknown_fields"] = json!("pass"));
    let any = self::policy(|policy| {
        policy["unknown_fields"] = json!("pass");
        policy["stored_responses"] = json!("any");
    });
    for field in ["request_id", "rid", "Request_ID"] {
        let [chat, response] =
            [CHAT, RESPONSES].map(|path| (path, with(path, "all", json!({"provider": "x", field: "resp_1"}))));
        let refused = reserved(&pass, response.0, &response.1).expect_err(field);
        assert!(refused.contains(&format!("`{}`", field.to_lowercase())), "{refused}");
        assert!(reserved(&pass, chat.0, &chat.1).is_ok() && reserved(&any, response.0, &response.1).is_ok(), "{field}");
    }
    // What these servers take and nobody is the poorer for.
    for field in ["exploration", "is_portable", "supported_formats", "ghost", "hairstyle"] {
        let (exchange, cell) = asked(&policy, CHAT, &with(CHAT, "all", json!({field: 1})));
        assert!(cell.is_ok(), "{field}: {cell:?}");
        assert_eq!(closed(exchange, &policy, None, 0).left_out.unknown_fields, [field]);
    }
    for field in ["cache_prompt", "id_slot", "cache_salt", "dry_multiplier", "regex", "min_tokens", "return_progress"] {
        let (exchange, cell) = asked(&policy, CHAT, &with(CHAT, "all", json!({field: 1})));
        assert!(cell.is_ok(), "{field}: {cell:?}");
        assert!(closed(exchange, &policy, None, 0).left_out.unknown_fields.is_empty(), "{field}");
    }
    let ollama =
        |options: Value| reserved(&policy, "/api/chat", &json!({"model": "all", "messages": [], "options": options}));
    assert!(ollama(json!({"num_predict": 9, "num_ctx": 8_192, "temperature": 0})).is_ok());
    for option in ["num_gpu", "main_gpu", "num_thread", "num_batch", "use_mmap"] {
        assert!(ollama(json!({"num_predict": 9, option: 1})).is_err(), "{option}");
    }
}

/// Bedrock and Vertex take in the body what is a header elsewhere.
#[test]
fn betas_in_a_body_are_held_against_the_headers_table() {
    let counted = policy(|policy| policy["prices"][0]["model"] = json!("*"));
    let strict = policy(|policy| {
        policy["prices"][0]["model"] = json!("*");
        policy["forward"] = json!({"unknown_betas": "drop"});
    });
    let open = policy(|policy| {
        policy["prices"][0]["model"] = json!("*");
        policy["forward"] = json!({"betas": ["context-1m*"]});
    });
    let vertex = "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict";
    let body = |path: &str, flags: Value| match path {
        CONVERSE => json!({"messages": [], "inferenceConfig": {"maxTokens": 9},
            "additionalModelRequestFields": {"anthropic_beta": flags}}),
        _ => {
            json!({"messages": [], "max_tokens": 9, "anthropic_version": "vertex-2023-10-16", "anthropic_beta": flags})
        }
    };
    for path in [vertex, "/model/claude/invoke", CONVERSE, MESSAGES] {
        let passes = |policy: &Policy, flags: Value| {
            let mut body = body(path, flags);
            if path == MESSAGES {
                body["model"] = json!("claude");
            }
            let (exchange, cell) = asked(policy, path, &body);
            cell.map(|_| closed(exchange, policy, None, 0).left_out.unknown_betas)
        };
        for flags in [json!([]), json!(null), json!("interleaved-thinking-2025-05-14"), json!(["claude-code-20250219"])]
        {
            assert_eq!(passes(&counted, flags.clone()), Ok(Vec::new()), "{path} {flags}");
        }
        for flags in [
            json!(["context-1m-2025-08-07"]),
            json!(["claude-code-20250219", "Context-1M-2099-01-01"]),
            json!("claude-code-20250219, fast-mode-2026-02-01"),
            json!(["mcp-client-2025-11-20"]),
            json!(["context-1m-2025-08-07\u{20}"]),
            json!(["new one"]),
            json!([["context-1m-2025-08-07"]]),
            json!([{"x": "context-1m"}]),
            json!(7),
            json!(vec!["effort-2025-11-24"; 65]),
            json!(["x".repeat(300)]),
        ] {
            let refused = passes(&counted, flags.clone()).expect_err(&format!("{path} {flags}"));
            assert!(refused.contains("anthropic_beta"), "{refused}");
        }
        assert_eq!(passes(&counted, json!(["new-2027-01-01"])), Ok(vec!["new-2027-01-01".to_owned()]), "{path}");
        assert!(passes(&strict, json!(["new-2027-01-01"])).is_err(), "{path}");
        assert!(passes(&open, json!(["context-1m-2025-08-07"])).is_ok(), "{path}");
    }
    let versioned = |version: &str| {
        let body = json!({"messages": [], "max_tokens": 9, "anthropic_version": version});
        reserved(&strict, "/model/claude/invoke", &body).is_ok()
    };
    assert!(versioned("bedrock-2023-05-31") && !versioned("bedrock-2099-01-01"));
}

#[test]
fn a_field_that_must_be_left_out_is_refused_and_a_moving_picture_is_many() {
    let policy = policy(|_| {});
    for (more, passes) in [
        (json!({"n_predict": 50}), false),
        (json!({"n_predict": null, "preset": null}), true),
        (json!({"preset": "dear"}), false),
        (json!({"context_window_fallbacks": [{"all": ["dear"]}]}), false),
        (json!({"route": "fallback"}), false),
        (json!({"deferred": true}), false),
    ] {
        assert_eq!(reserved(&policy, CHAT, &with(CHAT, "all", more.clone())).is_ok(), passes, "{more}");
    }
    let image = |more: Value| {
        let mut body = json!({"model": "all", "prompt": "x"});
        more.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        reserved(&policy, "/v1/images/generations", &body)
    };
    assert_eq!(image(json!({"n": 2})), Ok(340_000));
    assert_eq!(image(json!({"output_format": "gif"})), Ok(9 * 170_000));
    assert_eq!(image(json!({"output_format": "gif", "frame_count": 16, "n": 2})), Ok(2 * 16 * 170_000));
}

/// 170,000 micro-USD a picture.
#[test]
fn pictures_are_reserved_and_charged_by_as_many_as_are_embedded_or_drawn() {
    let policy = policy(|policy| {
        let mut price = policy["prices"][0].clone();
        (price["model"], price["service_tiers"]) = (json!("pictures"), json!({}));
        policy["prices"].as_array_mut().unwrap().push(price);
    });
    let invoke = "/model/pictures/invoke";
    let images = "/v1/images/generations";
    let (series, most) = ("sequential_image_generation", "sequential_image_generation_options");
    let picture = json!({"bytesBase64Encoded": "aGk="});
    for (path, body, many) in [
        (invoke, json!({"inputImage": "aGk=", "embeddingConfig": {}}), 1),
        (invoke, json!({"images": ["aGk=", "aGk="], "input_type": "image"}), 2),
        (invoke, json!({"singleEmbeddingParams": {"image": {"source": {"bytes": "aGk="}}}}), 1),
        (invoke, json!({"textToImageParams": {}, "imageGenerationConfig": {"quality": "premium"}}), 1),
        (invoke, json!({"textToImageParams": {}, "imageGenerationConfig": {"numberOfImages": 4}}), 4),
        (invoke, json!({"singleEmbeddingParams": {"text": {"value": "x"}}}), 0),
        ("/v1/models/pictures:predict", json!({"instances": [{"image": picture}, {"image": picture}]}), 2),
        (images, json!({"model": "pictures", "prompt": "x", "batch_size": 3}), 3),
        (images, json!({"model": "pictures", "prompt": "x", "num_images": 3, "n": 1}), 3),
        (images, json!({"model": "pictures", "prompt": "x", series: "auto"}), 15),
        (images, json!({"model": "pictures", "prompt": "x", series: "auto", most: {"max_images": 4}}), 4),
        (images, json!({"model": "pictures", "prompt": "x", series: "disabled", most: {"max_images": 4}}), 1),
        (images, json!({"model": "pictures", "prompt": "x", series: "auto", most: null}), 15),
    ] {
        assert_eq!(reserved(&policy, path, &body), Ok(170_000 * many), "{path} {body}");
        // Who leaves before the answer has had them drawn.
        let left = closed(asked(&policy, path, &body).0, &policy, None, 1 << 14).bill;
        assert_eq!(left.usage.images, many, "{path} {body}");
    }
    // Of two lengths a reader takes the first or the last.
    for options in [
        r#"{"max_images":15},"Sequential_image_generation_options":{"max_images":1}"#,
        r#"{"max_images":15},"sequential_image_generation_options":{"max_images":1}"#,
        r#"{"max_images":15,"Max_images":1}"#,
        r#"[{"max_images":15},{"max_images":1}]"#,
        "1",
    ] {
        let body = format!(r#"{{"model":"pictures","prompt":"x","{series}":"auto","{most}":{options}}}"#);
        let headers = Headers::of(&[(":method", "POST"), (":path", images), ("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!() };
        let said = exchange.body(&policy, body.as_bytes());
        let refused = said.is_some() || exchange.end_of_request(&policy, around(None)).is_some_and(|it| it.is_err());
        assert!(refused, "{body}");
    }
}

/// What no price has a key for is refused by its field, whichever way a body says it.
#[test]
fn what_no_price_can_say_is_refused_by_its_field() {
    let refusing = policy(|_| {});
    let counting = policy(|policy| policy["unpriced_levers"] = json!("count"));
    let tools = |tool: Value| json!({"model": "all", "input": "hi", "max_output_tokens": 5, "tools": [tool]});
    let sized = |size: &str| json!({"type": "auto", "memory_limit": size});
    for (body, noted) in [
        (tools(json!({"type": "code_interpreter", "container": sized("64g")})), "memory_limit:64g"),
        (
            tools(json!({"type": "shell", "environment": {"type": "container_auto", "memory_limit": "4g"}})),
            "memory_limit:4g",
        ),
    ] {
        let said = asked(&refusing, RESPONSES, &body).1.unwrap_err();
        let (field, size) = noted.split_once(':').unwrap();
        assert!(
            said.contains(&format!("`{field}: {size}` is dearer, and no price here can say by how much")),
            "{said}"
        );
        let (exchange, admitted) = asked(&counting, RESPONSES, &body);
        assert!(admitted.is_ok());
        let record = exchange.close(&counting, &Ending::default(), NOON).record;
        assert!(record.left_out.unknown_fields.iter().any(|name| name == noted), "{:?}", record.left_out);
    }
    for size in ["1g", ""] {
        let container = if size.is_empty() { json!({"type": "auto"}) } else { sized(size) };
        let body = tools(json!({"type": "code_interpreter", "container": container}));
        assert!(asked(&refusing, RESPONSES, &body).1.is_ok(), "{size}");
    }
    let svg = json!({"model": "all", "prompt": "a harbour", "output_format": "svg"});
    assert!(asked(&refusing, "/v1/images/generations", &svg).1.unwrap_err().contains("`output_format: svg`"));
}

/// A reader takes the first or the last of two: the price must be that of what runs.
#[test]
fn where_a_shell_runs_is_said_once() {
    let policy = policy(|_| {});
    for (place, passes) in [
        (r#""environment":{"type":"local"}"#, true),
        (r#""environment":{"type":"local"},"environment":{"type":"container_auto"}"#, false),
        (r#""environment":{"type":"container_auto"},"environment":{"type":"local"}"#, false),
        (r#""environment":{"type":"local"},"Environment":{"type":"container_auto"}"#, false),
        (r#""environment":{"type":"local"},"environment":null"#, false),
        (r#""environment":[{"type":"container_auto"},{"type":"local"}]"#, false),
    ] {
        for (path, rest) in [(RESPONSES, r#""input":"x""#), (CHAT, r#""messages":[]"#)] {
            let body = format!(r#"{{"model":"bare",{rest},"tools":[{{"type":"shell",{place}}}]}}"#);
            let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
            let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!() };
            let said = exchange.body(&policy, body.as_bytes());
            let admitted =
                said.is_none() && exchange.end_of_request(&policy, around(None)).is_some_and(|it| it.is_ok());
            assert_eq!(admitted, passes, "{path} {body}");
        }
    }
}

/// Beside `inferenceConfig` a bound would be read by the model, and by nobody here.
#[test]
fn converse_has_no_bound_among_what_goes_to_the_model_as_it_is() {
    let policy = policy(|_| {});
    for more in [
        json!({"max_tokens": 100_000}),
        json!({"max_completion_tokens": 100_000}),
        json!({"max_output_tokens": 100_000}),
        json!({"inferenceConfig": {"maxTokens": 100_000}}),
        json!({"inferenceConfig": {"max_new_tokens": 100_000}}),
        json!({"textGenerationConfig": {"maxTokenCount": 8_000}}),
    ] {
        let body = with(CONVERSE, "", json!({"additionalModelRequestFields": more}));
        let refused = reserved(&policy, CONVERSE, &body).unwrap_err();
        assert!(refused.contains("the bound on the output is `inferenceConfig.maxTokens`"), "{refused}");
    }
    let hosted = json!({"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}});
    let body = with(CONVERSE, "", json!({"additionalModelRequestFields": hosted}));
    assert!(
        reserved(&policy, CONVERSE, &body).unwrap_err().contains("tools are offered in the `toolConfig` beside it")
    );
}

/// OpenRouter reads more of a name than who it is, in any order.
#[test]
fn a_names_endings_are_priced_or_refused_unless_the_whole_name_is_the_operators() {
    let search = json!({"input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "0", "web_search_usd": "0.01"});
    let priced = |models: &[&str], stance: &str| {
        policy(|policy| {
            let price = |model: &&str| {
                let mut price = search.clone();
                price["model"] = json!(model);
                price
            };
            policy["prices"] = models.iter().map(price).collect();
            policy["unpriced_levers"] = json!(stance);
        })
    };
    let asked = |policy: &Policy, model: &str| reserved(policy, CHAT, &with(CHAT, model, json!({})));
    let (wild, exact) = (priced(&["gpt-*"], "refuse"), priced(&["gpt-4o:nitro", "gpt-*"], "refuse"));
    for (model, micro_usd) in [
        ("gpt-4o", 0),
        ("gpt-4o:online", 10_000),
        ("gpt-4o:ONLINE", 10_000),
        ("gpt-4o:online:free", 10_000),
        ("gpt-4o:free:online", 10_000),
        ("gpt-4o:onliner", 0),
        ("gpt-4o-online", 0),
        ("gpt-oss:120b", 0),
        ("gpt-4o@20250101", 0),
    ] {
        assert_eq!(asked(&wild, model), Ok(micro_usd), "{model}");
    }
    for model in ["gpt-4o:nitro", "gpt-4o:Nitro", "gpt-4o@preset/x", "gpt-4o:nitro:online", "gpt-4o:online@PRESET/x"] {
        let refused = asked(&wild, model).unwrap_err();
        assert!(refused.contains("The model's name has `") && refused.contains("unpriced_levers"), "{refused}");
    }
    assert!(asked(&exact, "gpt-4o:nitro").is_ok() && asked(&exact, "gpt-4o-mini:nitro").is_err());
    assert!(asked(&priced(&["gpt-*"], "count"), "gpt-4o:nitro").is_ok());
    assert!(asked(&priced(&["gpt-4o:nitro*"], "refuse"), "gpt-4o:nitro").is_err());
    // Who serves it decides whose price it is.
    for (prices, passes) in [
        (&["openrouter/openai/gpt-4o:nitro", "gpt-*"][..], true),
        (&["openai/gpt-4o:nitro"], true),
        (&["openrouter/openai/gpt-4o*"], false),
        (&["openai/gpt-4o:nitro", "openrouter/openai/gpt-4o*"], false),
        (&["reseller/openai/gpt-4o:nitro", "openrouter/openai/*"], false),
    ] {
        let policy = policy(|policy| {
            let price = |model: &&str| {
                let mut price = search.clone();
                price["model"] = json!(model);
                price
            };
            policy["prices"] = prices.iter().map(price).collect();
            policy["providers"] = json!({
                "openrouter": {"cluster": "openrouter", "sensitivity": "restricted"},
                "reseller": {"cluster": "reseller", "sensitivity": "restricted"},
            });
            policy["models"] = json!([{"model": "openai/*", "providers": [{"provider": "openrouter"}]}]);
        });
        assert_eq!(asked(&policy, "openai/gpt-4o:nitro").is_ok(), passes, "{prices:?}");
    }
}

/// Google reads both spellings of a name.
#[test]
fn an_interaction_is_read_in_both_spellings() {
    let policy = policy(|policy| {
        policy["prices"][0]["service_tiers"] = json!({});
    });
    let asked = |more: Value| {
        let mut body = json!({"model": "all", "input": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked(&policy, "/v1beta/interactions", &body).1
    };
    assert!(asked(json!({"generationConfig": {"maxOutputTokens": 9}, "systemInstruction": "x"})).is_ok());
    for (more, says) in [
        (json!({"serviceTier": "priority"}), "service_tier"),
        (json!({"webhookConfig": {"uris": ["x"]}}), "webhookConfig"),
        // Another tenant's sandbox, by its id; or an account's credentials in a new one.
        (json!({"environment": "env_1"}), "environment"),
        (json!({"environment": {"type": "remote", "environment_id": "env_1"}}), "environment"),
        (json!({"generation_config": {}, "generationConfig": {}}), "generation_config"),
        (json!({"generationConfig": {"max_output_tokens": 9, "maxOutputTokens": 99}}), "max_output_tokens"),
    ] {
        let refused = asked(more.clone()).expect_err(&more.to_string());
        assert!(refused.contains(says), "{more}: {refused}");
    }
}

/// Only a shell runs where the client is: of any other tool the word hides nothing.
#[test]
fn a_tool_that_says_it_runs_elsewhere_is_sold_all_the_same() {
    let policy = policy(|_| {});
    let chat = |kind: &str| json!({"model": "bare", "messages": [], "tools": [{"type": kind, "environment": {"type": "local"}}]});
    for kind in ["openrouter:image_generation", "x_search", "nobody_knows"] {
        assert!(asked(&policy, CHAT, &chat(kind)).1.is_err(), "{kind}");
    }
    let shell = json!({"model": "bare", "input": "hi", "tools": [{"type": "shell", "environment": {"type": "local"}}]});
    assert!(asked(&policy, RESPONSES, &shell).1.is_ok());
}

/// A server that speaks several APIs may read a field of one in another.
#[test]
fn what_one_api_is_priced_by_passes_in_no_other() {
    let policy = policy(|_| {});
    for (path, more) in [
        (MESSAGES, json!({"plugins": [{"id": "fusion"}]})),
        (RESPONSES, json!({"input": "hi", "n": 4})),
        (RESPONSES, json!({"input": "hi", "web_search_options": {}})),
        (CHAT, json!({"messages": [], "extra_body": {"max_tokens": 100_000}})),
        (CHAT, json!({"messages": [], "extra_body": {"n": 8}})),
        (CHAT, json!({"messages": [], "extra_body": {"service_tier": "priority"}})),
        (CHAT, json!({"previousInteractionId": "x"})),
        (CHAT, json!({"serviceTier": "priority"})),
        (CHAT, json!({"webhookConfig": {}, "fileId": "x"})),
        (CHAT, json!({"previousResponseId": "x"})),
        (CHAT, json!({"previous_interaction_id": "x"})),
        (CHAT, json!({"continuationToken": "x"})),
        (MESSAGES, json!({"num_outputs": 4})),
    ] {
        let mut body = json!({"model": "bare", "max_tokens": 5, "messages": []});
        if path == RESPONSES {
            body = json!({"model": "bare", "max_output_tokens": 5});
        }
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(asked(&policy, path, &body).1.is_err(), "{path} {body}");
    }
    let google = json!({"model": "bare", "messages": [], "extra_body": {"google": {"thinking_config": {}}}});
    assert!(asked(&policy, CHAT, &google).1.is_ok());
    // An application's own, which no server reads in these letters.
    for field in [
        "thread",
        "environment",
        "conversation",
        "container",
        "requestId",
        "projectId",
        "threadId",
        "agentId",
        "conversationId",
    ] {
        let body = json!({"model": "bare", "messages": [], "max_tokens": 5, field: "mine"});
        let (exchange, cell) = self::asked(&policy, CHAT, &body);
        assert!(cell.is_ok(), "{field}: {cell:?}");
        assert_eq!(closed(exchange, &policy, None, 0).left_out.unknown_fields, [field]);
    }
    // Clients that know several APIs write each one's bound: what it comes to is charged.
    let beside = json!({"model": "bare", "messages": [], "max_output_tokens": 9, "maxOutputTokens": 9});
    assert_eq!(asked(&policy, CHAT, &beside).1.map(drop), Ok(()));
}

/// To judge a name takes a thousand times as long as to send one.
#[test]
fn names_that_nobody_knows_are_judged_up_to_a_bound() {
    let policy = policy(|_| {});
    let body = |names: usize| {
        let names: Vec<_> = (0..names).map(|_| "\"a\":1").collect();
        format!(r#"{{"model":"bare","messages":[],"zz":{{{}}}}}"#, names.join(","))
    };
    for (names, passes) in [(200, true), (2_000, false)] {
        let headers = Headers::of(&[(":method", "POST"), (":path", CHAT), ("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!() };
        assert_eq!(exchange.body(&policy, body(names).as_bytes()), None);
        let said = exchange.end_of_request(&policy, around(None)).unwrap().map(|_| ());
        assert_eq!(said.is_ok(), passes, "{names}");
        if let Err(reply) = said {
            assert!(String::from_utf8(reply.body).unwrap().contains("more than can be judged"));
        }
    }
}

/// OpenAI refuses fields that this path doesn't have.
#[test]
fn a_compaction_goes_on_as_it_came() {
    let policy = policy(|_| {});
    let body = json!({"model": "all", "input": [{"role": "user", "content": "hi"}], "instructions": "be brief"});
    let headers = Headers::of(&[(":method", "POST"), (":path", "/v1/responses/compact"), ("x-tenant-id", "acme")]);
    let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, NOON) else { panic!() };
    assert_eq!(exchange.body(&policy, body.to_string().as_bytes()), None);
    let demand = exchange.end_of_request(&policy, around(None)).unwrap().unwrap();
    let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
    assert_eq!(exchange.decided(&policy, demand, Ok(decision), NOON), Step::Forward(vec![]));
}

/// Bedrock has all models under one path: those that rank are sold by the search, and what no table reads is no answer for nothing.
#[test]
fn what_a_model_of_bedrocks_answers_is_charged_though_no_table_knows_its_shape() {
    let policy = policy(|policy| {
        let price = |model: &str, more: Value| {
            let mut price = json!({"model": model, "input_usd_per_1m_tokens": "0", "output_usd_per_1m_tokens": "100"});
            more.as_object().unwrap().iter().for_each(|(key, value)| price[key] = value.clone());
            price
        };
        let prices = policy["prices"].as_array_mut().unwrap();
        prices.push(price("rank", json!({"output_usd_per_1m_tokens": "0", "search_unit_usd": "0.002"})));
        prices.push(price("pegasus", json!({})));
    });
    let documents: Vec<_> = (0..101).map(|nth| nth.to_string()).collect();
    let body = json!({"query": "q", "documents": documents, "top_n": 3, "api_version": 2});
    assert_eq!(reserved(&policy, "/model/rank/invoke", &body), Ok(4_000));
    let ranked = json!({"results": [{"index": 0, "relevance_score": 0.9}]});
    let record = closed(asked(&policy, "/model/rank/invoke", &body).0, &policy, Some(&ranked), 0);
    assert_eq!((record.outcome.code(), record.bill.cost.0), ("success", 4_000_000));
    // Documents that are read, and no question about them.
    let read = json!({"message": "q", "documents": documents, "max_tokens": 5});
    assert_eq!(reserved(&policy, "/model/rank/invoke", &read), Ok(0));
    for (answer, least) in [
        (json!({"message": "A harbour that is frozen from one end to the other.", "finishReason": "stop"}), 10),
        (json!({"verdict": {"why": "A harbour that is frozen from one end to the other."}}), 10),
        (json!({"score": 0.9}), 1),
    ] {
        let body = json!({"inputPrompt": "q", "mediaSource": {}});
        let record = closed(asked(&policy, "/model/pegasus/invoke", &body).0, &policy, Some(&answer), 0);
        let came = (record.outcome.code(), record.bill.usage_source.name());
        assert_eq!(came, ("success", "estimated"), "{answer}");
        assert!(record.bill.usage.output_tokens.0 >= least, "{answer}: {:?}", record.bill.usage);
    }
    let nothing = closed(asked(&policy, "/model/pegasus/invoke", &body).0, &policy, Some(&json!({})), 0);
    assert_eq!((nothing.outcome.code(), nothing.bill.cost.0), ("provider_error", 0));
}

/// 10,000 micro-USD a search. What ran before the error has been sold.
#[test]
fn an_error_after_hosted_tools_have_run_costs_what_they_do() {
    let policy = policy(|_| {});
    let body = with(RESPONSES, "all", json!({"tools": [{"type": "web_search"}]}));
    let call = json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}});
    let failed = |output: Value| {
        let answer = json!({"object": "response", "status": "failed", "error": {"code": "server_error"}, "output": output, "usage": null});
        let record = closed(asked(&policy, RESPONSES, &body).0, &policy, Some(&answer), 0);
        (record.outcome.code(), record.bill.usage.web_searches, record.bill.cost.0)
    };
    assert_eq!(failed(json!([call])), ("provider_error", 1, 10_000_000));
    assert_eq!(failed(json!([])), ("provider_error", 0, 0));
}

/// 30,000 micro-USD each, at xAI for each run of code, whatever containers they have.
#[test]
fn runs_of_code_that_are_told_are_charged_where_more_are_told_than_seen() {
    let policy = policy(|_| {});
    let body = with(RESPONSES, "all", json!({"tools": [{"type": "code_interpreter"}]}));
    let call = |id: &str| json!({"type": "code_interpreter_call", "id": id, "status": "completed"});
    for (told, sessions) in [(json!({"code_interpreter_calls": 3, "image_generation_calls": 0}), 3), (json!({}), 1)] {
        let usage =
            json!({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "server_side_tool_usage_details": told});
        let answer =
            json!({"object": "response", "status": "completed", "output": [call("a"), call("b")], "usage": usage});
        let bill = closed(asked(&policy, RESPONSES, &body).0, &policy, Some(&answer), 0).bill;
        assert_eq!((bill.usage.container_sessions, bill.cost.0), (sessions, sessions * 30_000_000));
    }
}
