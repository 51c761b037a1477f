//! Input that a body only points at, through the whole exchange: reserved, refused, charged where nobody says what it was, and
//! believed where somebody does.

use serde_json::{Value, json};

use super::super::tests::around;
use crate::exchange::{AnswerHead, Around, Ending, Exchange, Opening, Phase, Step};
use crate::headers::Headers;
use crate::kept::Id;
use crate::limit::cell::Cell;
use crate::llm::estimate::density::Density;
use crate::outcome::{Outcome, Reply};
use crate::policy::Policy;
use crate::record::{Bill, Record};
use crate::units::{Tokens, UnixNanos};

const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const GONE: u64 = 1 << 14;
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const CONVERSE: &str = "/model/nova-lite/converse";

fn policy(adjust: impl Fn(&mut Value)) -> Policy {
    let price = |model: &str, input: &str, output: &str, context: u64| {
        json!({"model": model, "input_usd_per_1m_tokens": input, "output_usd_per_1m_tokens": output,
            "web_search_usd": "0", "file_search_usd": "0", "container_session_usd": "0", "context_tokens": context})
    };
    let mut policy = json!({
        "tenants": {
            "acme": {"unlimited": ["request_usd", "day_usd"]},
            "day": {"unlimited": ["request_usd"], "budgets": {"day_usd": "1"}},
            "small": {"tier": "standard"},
        },
        "limits": {"requests_per_minute": 1_000, "expensive_per_minute": 1_000},
        "unpriced_levers": "count",
        "stored_responses": "any",
        "prices": [
            price("gpt-4o", "2.5", "10", 128_000), price("gpt-4o-mini", "0.15", "0.6", 128_000),
            price("claude-sonnet-4", "3", "15", 200_000), price("gemini-2.5-flash", "0.3", "2.5", 1_048_576),
            price("nova-lite", "0.06", "0.24", 300_000),
            {"model": "bare", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"},
        ],
    });
    adjust(&mut policy);
    Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn opened(policy: &Policy, tenant: &str, path: &str, body: &Value) -> Exchange {
    let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", tenant)]);
    let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOON) else { panic!("{path} was not read") };
    assert_eq!(exchange.body(policy, body.to_string().as_bytes()), None);
    exchange
}

/// Admits it into this cell: `resp_1` is known to hold 120,000 tokens, `msg_1` 500.
fn asked_in(cell: &mut Cell, policy: &Policy, tenant: &str, path: &str, body: &Value) -> Result<Exchange, Reply> {
    let mut exchange = opened(policy, tenant, path, body);
    let sizes = |_: &str, ids: &[Id]| {
        ids.iter().try_fold(Tokens(0), |sum, id| match *id {
            id if id == Id::of("resp_1") => Some(sum.plus(Tokens(120_000))),
            id if id == Id::of("msg_1") => Some(sum.plus(Tokens(500))),
            _ => None,
        })
    };
    let demand = exchange.end_of_request(policy, Around { sizes: &sizes, ..around(None) }).unwrap()?;
    let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
    match exchange.decided(policy, demand, Ok(decision), NOON) {
        Step::Refuse(reply) => Err(reply),
        Step::Forward(_) | Step::Route(_) => Ok(exchange),
    }
}

fn asked(policy: &Policy, path: &str, body: &Value) -> (Exchange, u64) {
    let mut cell = Cell::default();
    let exchange = asked_in(&mut cell, policy, "acme", path, body).unwrap_or_else(|reply| panic!("{body}: {reply:?}"));
    (exchange, cell.levels(NOON, 900).reserved.0)
}

fn closed(mut exchange: Exchange, policy: &Policy, answer: Option<(&str, &str)>, flags: u64) -> Record {
    let seconds = |seconds: u64| UnixNanos(NOON.0 + seconds * 1_000_000_000);
    if let Some((kind, body)) = answer {
        let headers = Headers::of(&[(":status", "200"), ("content-type", kind)]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
        exchange.answer_head(policy, &head);
        exchange.answer_body(body.as_bytes(), flags == 0, || seconds(1));
    }
    let status = if answer.is_some() { 200 } else { 0 };
    exchange.close(policy, &Ending { status, flags, sent: true, attempts: 1, ..Ending::default() }, seconds(1)).record
}

fn with(path: &str, model: &str, more: Value) -> Value {
    let mut body = match path {
        CHAT | MESSAGES => json!({"model": model, "max_tokens": 100, "messages": []}),
        RESPONSES => json!({"model": model, "max_output_tokens": 100, "input": "go on"}),
        GEMINI => json!({"contents": [], "generationConfig": {"maxOutputTokens": 100}}),
        _ => json!({"messages": [], "inferenceConfig": {"maxTokens": 100}}),
    };
    more.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
    body
}

fn part(path: &str, part: Value) -> Value {
    match path {
        RESPONSES => json!({"input": [{"type": "message", "role": "user", "content": [part]}]}),
        GEMINI => json!({"contents": [{"parts": [part]}]}),
        _ => json!({"messages": [{"role": "user", "content": [part]}]}),
    }
}

fn text_document() -> Value {
    let text = "word ".repeat(160_000);
    part(MESSAGES, json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}))
}

/// 100 tokens of a stream that ends before its usage.
fn deltas(path: &str) -> String {
    let event = match path {
        RESPONSES => json!({"type": "response.output_text.delta", "delta": "word"}),
        _ => json!({"choices": [{"index": 0, "delta": {"content": "word"}}]}),
    };
    format!("data: {event}\n\n").repeat(100)
}

/// The table of the red team: what the provider billed, in micro-USD, of each request whose body said nothing of its input.
#[test]
fn what_a_red_team_had_for_nothing_is_reserved_and_charged_to_whoever_leaves() {
    let policy = policy(|_| {});
    let file = part(MESSAGES, json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}));
    let picture = part(CHAT, json!({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}}));
    let stream = |mut more: Value| {
        more["stream"] = json!(true);
        more
    };
    let previous = json!({"previous_response_id": "resp_1"});
    let unknown = json!({"previous_response_id": "resp_9"});
    for (case, path, model, more, billed) in [
        ("a response of known size", RESPONSES, "gpt-4o", stream(previous.clone()), 300_800),
        ("the same, left before its answer", RESPONSES, "gpt-4o", previous, 300_000),
        ("a response of unknown size", RESPONSES, "gpt-4o", stream(unknown), 300_800),
        ("a text as a document, left before its answer", MESSAGES, "claude-sonnet-4", text_document(), 480_000),
        ("a file by its id", MESSAGES, "claude-sonnet-4", file, 450_000),
        ("a picture for a small model", CHAT, "gpt-4o-mini", stream(picture), 5_527),
    ] {
        let body = with(path, model, more);
        let (exchange, reserved) = asked(&policy, path, &body);
        assert!(reserved >= billed * 1_000, "{case}: {reserved} nano-USD reserved");
        let events = deltas(path);
        let answer = body["stream"].as_bool().map(|_| ("text/event-stream", &*events));
        let charged = closed(exchange, &policy, answer, GONE).bill.cost.0 / 1_000;
        assert!(charged * 2 >= billed && charged * 2 <= billed * 3, "{case}: {charged} of {billed} micro-USD");
    }
}

/// Reserved in tokens, beside some forty of text and of output: the model's context, unless more is known.
#[test]
fn each_lever_is_reserved_as_what_it_may_hold() {
    let by_default = policy(|_| {});
    let few = policy(|policy| policy["hidden_input"] = json!({"most_tokens": 5_000, "default_context_tokens": 9_000}));
    let message = |content: Value| part(MESSAGES, content);
    let web = |uses: u64| json!({"tools": [{"type": "web_search_20250305", "max_uses": uses}]});
    for (path, model, more, tokens, with_few) in [
        (RESPONSES, "gpt-4o", json!({}), 0, 0),
        (RESPONSES, "gpt-4o", json!({"tools": [{"type": "function", "name": "f"}]}), 0, 0),
        (RESPONSES, "gpt-4o", json!({"previous_response_id": "resp_1"}), 120_000, 120_000),
        (RESPONSES, "gpt-4o", json!({"previous_response_id": "resp_9"}), 128_000, 5_000),
        (RESPONSES, "gpt-4o", json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), 500, 500),
        (RESPONSES, "gpt-4o", json!({"conversation": "conv_1"}), 128_000, 5_000),
        (RESPONSES, "gpt-4o", json!({"prompt": {"id": "pmpt_1"}}), 128_000, 5_000),
        (RESPONSES, "gpt-4o", json!({"tools": [{"type": "web_search"}], "max_tool_calls": 2}), 32_768, 5_000),
        (RESPONSES, "gpt-4o", json!({"tools": [{"type": "mcp", "server_url": "https://x"}]}), 128_000, 5_000),
        (CHAT, "gpt-4o", part(CHAT, json!({"type": "file", "file": {"file_id": "file_1"}})), 128_000, 5_000),
        (CHAT, "bare", part(CHAT, json!({"type": "file", "file": {"file_id": "file_1"}})), 1_000_000, 5_000),
        (CHAT, "gpt-4o", json!({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}), 16_384, 16_384),
        (
            MESSAGES,
            "claude-sonnet-4",
            message(json!({"type": "document", "source": {"type": "url", "url": "https://x"}})),
            200_000,
            5_000,
        ),
        (MESSAGES, "claude-sonnet-4", json!({"container": {"skills": [{"skill_id": "pptx"}]}}), 200_000, 5_000),
        (MESSAGES, "claude-sonnet-4", web(3), 49_152, 5_000),
        (MESSAGES, "claude-sonnet-4", web(99), 200_000, 5_000),
        (GEMINI, "gemini-2.5-flash", json!({"cachedContent": "cachedContents/1"}), 1_048_576, 5_000),
        (GEMINI, "gemini-2.5-flash", part(GEMINI, json!({"fileData": {"fileUri": "gs://x/y.mp4"}})), 1_048_576, 5_000),
        (
            CONVERSE,
            "nova-lite",
            part(CONVERSE, json!({"video": {"source": {"s3Location": {"uri": "s3://x"}}}})),
            300_000,
            5_000,
        ),
    ] {
        let rate = |model: &str| match model {
            "gpt-4o" => 2_500,
            "claude-sonnet-4" => 3_000,
            "gemini-2.5-flash" => 300,
            "nova-lite" => 60,
            _ => 1_000,
        };
        // What one lever costs is what it adds to the same body without it, but for the room that the body itself takes.
        let body = with(path, model, more);
        for (policy, tokens) in [(&by_default, tokens), (&few, with_few)] {
            let (_, reserved) = asked(policy, path, &body);
            let input = reserved.saturating_sub(reserved.min(100 * 15_000)) / rate(model);
            let slack = 100 * 15_000 / rate(model) + 200;
            assert!(input <= tokens + slack && tokens <= input + slack, "{body}: {input} tokens reserved, of {tokens}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_by_the_name_of_the_field_that_brought_it() {
    let policy = policy(|_| {});
    let refused = |path: &str, model: &str, more: Value| {
        let reply =
            asked_in(&mut Cell::default(), &policy, "small", path, &with(path, model, more)).map(|_| ()).unwrap_err();
        (reply.outcome, String::from_utf8(reply.body).unwrap())
    };
    for (path, model, more, field, tokens) in [
        (RESPONSES, "gpt-4o", json!({"previous_response_id": "resp_1"}), "previous_response_id", "120000"),
        (RESPONSES, "gpt-4o", json!({"conversation": {"id": "conv_1"}}), "conversation.id", "1279"),
        (RESPONSES, "gpt-4o", json!({"tools": [{"type": "mcp", "server_url": "https://x"}]}), "tools", "1279"),
        (CHAT, "gpt-4o", part(CHAT, json!({"type": "file", "file": {"file_id": "f"}})), "file_id", "1279"),
    ] {
        let (outcome, message) = refused(path, model, more);
        assert_eq!(outcome, Outcome::RequestBudgetExceeded, "{field}");
        assert!(message.contains(&format!("`{field}` may bring in {tokens}")), "{field}: {message}");
    }
    // What is refused for what it has itself doesn't speak of what it hasn't.
    let (_, message) = refused(CHAT, "gpt-4o", json!({"max_tokens": 100_000}));
    assert!(!message.contains("may bring in"), "{message}");
    // And a plain request of this tier passes.
    assert!(asked_in(&mut Cell::default(), &policy, "small", CHAT, &with(CHAT, "gpt-4o", json!({}))).is_ok());
}

/// Sixty at once, of each lever: what is admitted can't cost more than the day's dollar.
#[test]
fn sixty_at_once_never_come_to_more_than_the_budget() {
    let policy = policy(|_| {});
    let file = part(MESSAGES, json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}));
    for (path, model, more, billed) in [
        (RESPONSES, "gpt-4o", json!({"previous_response_id": "resp_1"}), 301_000_000_u64),
        (RESPONSES, "gpt-4o", json!({"conversation": "conv_1"}), 301_000_000),
        (MESSAGES, "claude-sonnet-4", file, 451_500_000),
        (GEMINI, "gemini-2.5-flash", json!({"cachedContent": "c"}), 300_250_000),
    ] {
        let mut cell = Cell::default();
        let body = with(path, model, more);
        let admitted = (0..60).filter(|_| asked_in(&mut cell, &policy, "day", path, &body).is_ok()).count() as u64;
        assert!(admitted > 0 && admitted * billed <= 1_000_000_000, "{body}: {admitted} admitted");
    }
}

fn reported(policy: &Policy, path: &str, body: &Value, input: u64) -> Bill {
    let usage = match path {
        CHAT => json!({"prompt_tokens": input, "completion_tokens": 9, "total_tokens": input + 9}),
        _ => json!({"input_tokens": input, "output_tokens": 9, "total_tokens": input + 9}),
    };
    let answer = json!({"type": "message", "status": "completed", "usage": usage}).to_string();
    closed(asked(policy, path, body).0, policy, Some(("application/json", &answer)), 0).bill
}

#[test]
fn a_report_is_believed_as_far_as_the_request_could_hide_it() {
    let policy = policy(|_| {});
    let file = part(CHAT, json!({"type": "file", "file": {"file_id": "file_1"}}));
    let pdf = part(CHAT, json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}}));
    let function = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
    let search = json!({"tools": [{"type": "web_search"}], "max_tool_calls": 3});
    for (case, path, more, input, believed) in [
        ("a line", CHAT, json!({}), 16_000, true),
        ("more than a line can be", CHAT, json!({}), 20_000, false),
        ("a function that the client runs", CHAT, function, 120_000, false),
        ("a file", CHAT, file.clone(), 120_000, true),
        ("more than the model reads", CHAT, file, 200_000, false),
        ("pages that their bytes don't show", CHAT, pdf, 120_000, true),
        ("a field that no table knows", CHAT, json!({"next_years": 1}), 120_000, true),
        ("three rounds of searches", RESPONSES, search.clone(), 500_000, true),
        ("a lie about them", RESPONSES, search, 700_000, false),
        ("a response", RESPONSES, json!({"previous_response_id": "resp_1"}), 128_000, true),
    ] {
        let bill = reported(&policy, path, &with(path, "gpt-4o", more), input);
        assert_eq!(bill.usage_implausible, !believed, "{case}: {bill:?}");
        assert_eq!(bill.usage.input_tokens.0 == input, believed, "{case}");
    }
    // Of a model whose context nobody wrote, as long as the longest.
    let file = with(CHAT, "bare", part(CHAT, json!({"type": "file", "file": {"file_id": "file_1"}})));
    assert!(!reported(&policy, CHAT, &file, 3_000_000).usage_implausible);
    assert!(reported(&policy, CHAT, &file, 5_000_000).usage_implausible);
}

#[test]
fn who_leaves_pays_for_the_tools_that_were_seen_to_run_and_one_more() {
    let policy = policy(|_| {});
    let stream = json!({"stream": true, "tools": [{"type": "web_search"}], "max_tool_calls": 4});
    let call = |id: u64| {
        let item = json!({"id": format!("ws_{id}"), "type": "web_search_call", "status": "completed"});
        format!("data: {}\n\n", json!({"type": "response.output_item.done", "item": item}))
    };
    let left = |calls: u64| {
        let events = (0..calls).map(call).collect::<String>() + &deltas(RESPONSES);
        let (exchange, _) = asked(&policy, RESPONSES, &with(RESPONSES, "gpt-4o", stream.clone()));
        closed(exchange, &policy, Some(("text/event-stream", &events)), GONE).bill.usage.input_tokens.0 / 1_000
    };
    assert_eq!((left(0), left(1), left(2), left(9)), (16, 32, 49, 65));
    let mut unseen = stream.clone();
    unseen["stream"] = json!(false);
    let (exchange, _) = asked(&policy, RESPONSES, &with(RESPONSES, "gpt-4o", unseen));
    assert_eq!(closed(exchange, &policy, None, GONE).bill.usage.input_tokens.0 / 1_000, 65);
}

/// What is hidden teaches nothing of how many bytes make a token.
#[test]
fn only_a_request_that_shows_all_its_input_teaches() {
    let policy = policy(|_| {});
    let answer = json!({"choices": [{"message": {"content": "a text of some length"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59}})
    .to_string();
    for (more, teaches) in [
        (json!({}), true),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), true),
        (part(CHAT, json!({"type": "file", "file": {"file_id": "f"}})), false),
        (json!({"web_search_options": {}}), false),
        (part(CHAT, json!({"type": "image_url", "image_url": {"url": "https://x"}})), false),
    ] {
        let (mut exchange, _) = asked(&policy, CHAT, &with(CHAT, "gpt-4o", more.clone()));
        let headers = Headers::of(&[(":status", "200"), ("content-type", "application/json")]);
        let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
        exchange.answer_head(&policy, &head);
        exchange.answer_body(answer.as_bytes(), true, || NOON);
        let ending = Ending { status: 200, sent: true, attempts: 1, ..Ending::default() };
        assert_eq!(exchange.close(&policy, &ending, NOON).experience.is_some(), teaches, "{more}");
    }
}

/// The output keeps its room: a context that a file might fill leaves no request with a bound of a few tokens.
#[test]
fn a_request_that_hides_input_keeps_the_output_bound_that_it_would_have() {
    let reserved = |more: Value| {
        let policy = policy(|policy| {
            policy["providers"] = json!({"openai": {"cluster": "openai", "sensitivity": "restricted"}});
            policy["models"] =
                json!([{"model": "gpt-4o", "context_tokens": 128_000, "providers": [{"provider": "openai"}]}]);
        });
        let mut body = with(CHAT, "gpt-4o", more);
        body.as_object_mut().unwrap().remove("max_tokens");
        asked(&policy, CHAT, &body).1
    };
    let output = 4_096 * 10_000;
    let plain = reserved(json!({}));
    assert!((output..output + 200_000).contains(&plain), "{plain}");
    let file = reserved(part(CHAT, json!({"type": "file", "file": {"file_id": "f"}})));
    assert!(file >= output + 127_000 * 2_500, "{file}");
}

/// A picture that may be huge, a document that may be a book, a prompt that may be dense: none of them cuts the answer to a few tokens.
#[test]
fn what_may_be_long_leaves_the_answer_its_room() {
    let written = |model: &str, more: Value| {
        let policy = policy(|policy| {
            policy["providers"] = json!({"openai": {"cluster": "openai", "sensitivity": "restricted"}});
            policy["models"] =
                json!([{"model": model, "context_tokens": 128_000, "providers": [{"provider": "openai"}]}]);
            policy["virtual_models"] = json!({"auto": {"cheapest": [model]}});
        });
        [model, "auto"].map(|name| {
            let mut body = with(CHAT, name, more.clone());
            body.as_object_mut().unwrap().remove("max_tokens");
            let Phase::Open(open) = asked(&policy, CHAT, &body).0.phase else { panic!("was not admitted") };
            open.most_output.0
        })
    };
    let picture = json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}});
    let pdf = json!({"type": "file", "file": {"file_data": format!("data:application/pdf;base64,{}", "QUJD".repeat(40_000))}});
    let content = |parts: Vec<Value>| json!({"messages": [{"role": "user", "content": parts}]});
    let long = json!({"messages": [{"role": "user", "content": "word ".repeat(80_000)}]});
    for (case, more) in [
        ("three pictures", content(vec![picture.clone(), picture.clone(), picture])),
        ("a packed document", content(vec![pdf])),
        ("a long prompt", long),
    ] {
        assert_eq!(written("gpt-4o-mini", more), [4_096; 2], "{case}");
    }
    // A denser text than most is not refused for the answer that was asked for.
    let small = |text: &str| {
        let policy = policy(|policy| policy["prices"][1]["context_tokens"] = json!(8_192));
        let mut body = with(CHAT, "gpt-4o-mini", json!({"messages": [{"role": "user", "content": text}]}));
        body.as_object_mut().unwrap().remove("max_tokens");
        let Phase::Open(open) = asked(&policy, CHAT, &body).0.phase else { panic!("was not admitted") };
        (open.input.sizes.text_likely(Density::default()).0, open.most_output.0)
    };
    for kilobytes in [1, 8, 16, 20, 24] {
        let (likely, output) = small(&"a".repeat(kilobytes * 1_024));
        assert!(output <= 4_096 && (likely + likely / 8 + output <= 8_192 || output == 16), "{likely} {output}");
    }
    let policy = policy(|_| {});
    let mut full =
        with(CHAT, "gpt-4o-mini", json!({"messages": [{"role": "user", "content": "word ".repeat(120_000)}]}));
    full.as_object_mut().unwrap().remove("max_tokens");
    let Phase::Open(open) = asked(&policy, CHAT, &full).0.phase else { panic!("was not admitted") };
    assert_eq!(open.most_output, Tokens(16), "where the text alone fills the context, there is none");
}
