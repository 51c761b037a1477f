//! A second opinion: Envoy's own `ai_protocol_manager` reads the same answers in the same Envoy, case by case of the
//! corpus, and comes to the same counts. Where it doesn't, [`REASONS`] says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use crate::client::{Answer, eventually};
use crate::envoy::{Gateway, Setup, fixtures, free_tenant, json_of};

/// The APIs that Envoy knows too, and what it calls them.
const APIS: [(&str, &str); 4] = [
    ("openai_chat", "OPENAI_CHAT_COMPLETIONS"),
    ("openai_responses", "OPENAI_RESPONSES"),
    ("anthropic_messages", "ANTHROPIC_MESSAGES"),
    ("gemini_generate", "GEMINI_GENERATE_CONTENT"),
];

/// Our name of a count, and where Envoy keeps it.
const COUNTS: [(&str, &str); 6] = [
    ("input_tokens", "input_tokens"),
    ("output_tokens", "output_tokens"),
    ("total_tokens", "total_tokens"),
    ("cached_input_tokens", "input_token_details.cached_tokens"),
    ("cache_creation_input_tokens", "input_token_details.cache_creation_tokens"),
    ("reasoning_tokens", "output_token_details.reasoning_tokens"),
];

/// Why the two differ, and where. Ours are held against the provider's bill and the corpus in other tests.
const REASONS: &[(&str, &[&str])] = &[
    (
        "Envoy does not add hidden reasoning, of which only the total tells",
        &[
            "openai_chat/gemini_compat_hidden_thoughts",
            "openai_chat/gemini_compat_no_completion",
            "openai_chat/gemini_compat_zero_completion",
            "openai_chat/openai_json_total_too_large",
            "openai_chat/xai_json_context_tier",
            "openai_chat/xai_json_field_report",
            "openai_chat/xai_json_reasoning_outside",
            "openai_chat/xai_sse_cumulative",
        ],
    ),
    (
        "Envoy adds thoughts to the candidates, even where the total says that they are among them",
        &["gemini_generate/gemini_json_thoughts_included", "gemini_generate/gemini_json_tool_use_thoughts_included"],
    ),
    ("Envoy has no total of one part alone", &["gemini_generate/gemini_json_blocked"]),
    (
        "Envoy takes the placeholder of `message_start` for the output, where no count follows",
        &["anthropic_messages/anthropic_sse_cut_after_text", "anthropic_messages/anthropic_sse_overloaded_midway"],
    ),
    ("Envoy does not know DeepSeek's name for cached tokens", &["openai_chat/deepseek_json_keepalive"]),
    ("Envoy does not look into Groq's `x_groq`", &["openai_chat/groq_sse_x_groq_alone"]),
    ("Envoy does not look for a usage inside Moonshot's choices", &["openai_chat/moonshot_sse_usage_in_choice"]),
    ("Envoy refuses JSON with a key that comes twice", &["openai_chat/openai_json_duplicate_usage"]),
    (
        "Envoy drops a last event that no blank line ends",
        &["openai_chat/openai_sse_no_final_blank", "openai_chat/openai_sse_no_final_newline"],
    ),
    (
        "Envoy takes reasoning that stands beside the output for a part of it",
        &["openai_chat/perplexity_json_reasoning_beside"],
    ),
    ("Envoy takes counts of null for nothing", &["openai_chat/openrouter_json_finish_error"]),
    ("Envoy reads no events under the head of one document", &["openai_chat/relay_sse_as_json"]),
    ("Envoy does not know Qwen's name for written tokens", &["openai_chat/qwen_json_cache_written"]),
    ("Envoy does not add rounds that the totals leave out", &["anthropic_messages/anthropic_json_compaction"]),
    (
        "Envoy takes a place holder of nothing, or less, for the input",
        &[
            "anthropic_messages/sglang_sse_input_zero_again",
            "anthropic_messages/kimi_sse_minus_one",
            "anthropic_messages/relay_sse_zero_input",
        ],
    ),
    (
        "Envoy reads a body by its head, by each API's own spelling, and without a mark before it",
        &[
            "anthropic_messages/relay_json_as_text",
            "anthropic_messages/relay_sse_as_json",
            "anthropic_messages/relay_sse_without_type_cr",
            "gemini_generate/relay_array_as_sse",
            "gemini_generate/relay_array_without_type",
            "gemini_generate/relay_json_as_text",
            "gemini_generate/relay_json_grounding_snake_case",
            "gemini_generate/relay_json_snake_case",
            "gemini_generate/relay_sse_as_json",
            "gemini_generate/relay_sse_snake_case",
            "gemini_generate/relay_sse_without_type",
            "openai_chat/relay_json_as_html",
            "openai_chat/relay_json_as_sse",
            "openai_chat/relay_json_as_text",
            "openai_chat/relay_json_bom",
            "openai_chat/relay_json_camel_case",
            "openai_chat/relay_json_without_type",
            "openai_chat/relay_ndjson_of_chunks",
            "openai_chat/relay_ndjson_of_chunks_as_sse",
            "openai_chat/relay_sse_as_html",
            "openai_chat/relay_sse_as_json_bom_cr",
            "openai_chat/relay_sse_as_json_crlf_comment",
            "openai_chat/relay_sse_as_json_id_first",
            "openai_chat/relay_sse_as_octets",
            "openai_chat/relay_sse_as_text",
            "openai_chat/relay_sse_without_type",
            "openai_responses/relay_json_as_text",
            "openai_responses/relay_sse_as_json",
            "openai_responses/relay_sse_without_type",
        ],
    ),
    (
        "Envoy takes a place holder of nothing, or a preview before the text, for the usage",
        &[
            "anthropic_messages/anthropic_sse_error_in_words",
            "anthropic_messages/relay_json_input_zero",
            "anthropic_messages/relay_json_zeros",
            "anthropic_messages/relay_sse_minus_one_alone",
            "anthropic_messages/relay_sse_preview_output",
            "anthropic_messages/relay_sse_usage_in_the_delta",
            "gemini_generate/gemini_json_prompt_zero",
            "gemini_generate/gemini_sse_preview_usage",
            "gemini_generate/gemini_sse_prompt_zero_again",
            "openai_chat/minimax_json_base_resp",
            "openai_chat/relay_json_completion_minus_one",
            "openai_chat/relay_json_completion_zero",
            "openai_chat/relay_json_prompt_minus_one",
            "openai_chat/relay_json_prompt_null",
            "openai_chat/relay_json_prompt_zero",
            "openai_chat/relay_sse_preview_usage_alone",
            "openai_chat/relay_sse_preview_with_role",
            "openai_chat/relay_sse_prompt_zero_at_the_end",
            "openai_chat/relay_sse_prompt_zero_with_cached",
            "openai_chat/relay_json_zeros_at_the_bound",
            "openai_chat/relay_sse_usage_of_zeros",
            "openai_chat/relay_sse_zeros_and_no_word",
            "openai_chat/relay_sse_usage_then_zeros",
            "openai_responses/relay_json_input_zero",
            "openai_responses/openai_json_incomplete_zeros",
            "openai_responses/relay_json_zeros",
        ],
    ),
    (
        "Envoy does not know others' names for cached, written and reasoning tokens",
        &[
            "anthropic_messages/relay_json_names_of_chat",
            "anthropic_messages/relay_sse_names_of_chat",
            "gemini_generate/relay_json_picture_queries_snake_case",
            "openai_chat/bifrost_json_cache_written",
            "openai_chat/relay_json_camel_case_details",
            "openai_chat/requesty_json_cache_written",
            "openai_chat/litellm_json_cache_written",
            "openai_chat/mistral_json_num_cached",
            "openai_chat/moonshot_json_cached_at_the_top",
            "openai_chat/newapi_json_cache_written",
            "openai_chat/qwen_sse_cache_written",
            "openai_chat/relay_json_cache_read_inside",
            "openai_chat/sglang_json_reasoning_at_the_top",
            "openai_responses/perplexity_json_invocations",
        ],
    ),
    (
        "Envoy does not add rounds, repeated usages and what stands beside the totals",
        &[
            "anthropic_messages/anthropic_json_advisor",
            "anthropic_messages/anthropic_json_cache_by_age_alone",
            "anthropic_messages/anthropic_json_fallback",
            "anthropic_messages/anthropic_sse_advisor",
            "anthropic_messages/anthropic_sse_compaction",
            "anthropic_messages/anthropic_sse_rounds_survive",
            "anthropic_messages/kimi_sse_minus_one_twice",
            "anthropic_messages/sglang_sse_cache_told_again",
            "gemini_generate/gemini_json_cache_beyond_the_prompt",
            "openai_chat/perplexity_sse_reasoning_beside",
            "openai_chat/relay_json_cache_beside",
            "openai_chat/relay_json_cache_beyond_the_prompt",
            "openai_chat/relay_sse_cache_read_and_written_beside",
            "openai_responses/relay_sse_usage_twice",
        ],
    ),
    ("Envoy reads no event of more than 1 MiB", &["openai_responses, stream: tokens=20; big_completed=1200000"]),
    ("Envoy reads no JSON of more than 4 MiB", &["openai_chat: big=4500000"]),
];

/// Answers that the provider makes up, of every API, in one piece and as a stream.
const KNOBS: &[&str] = &[
    "tokens=20",
    "tokens=20; cached=3; reasoning=2",
    "tokens=20; cache_write=4",
    "tokens=20; bytes=1",
    "tokens=200; crlf; comments",
    "no_usage",
];

/// `extraction_status` of a usage that was found; or of a part of it.
const COMPLETE: &str = "1";
const PARTIAL: &str = "2";

struct Case {
    name: String,
    api: &'static str,
    path: String,
    request: Value,
    sim: String,
}

fn corpus() -> Vec<Case> {
    let of = |api: &'static str| {
        let folders = fs::read_dir(fixtures().join(api)).unwrap().map(|entry| entry.unwrap().path());
        folders.map(move |folder| {
            let told: Value = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
            let name = format!("{api}/{}", folder.file_name().unwrap().display());
            let (path, request) = (told["path"].as_str().unwrap().to_owned(), told["request"].clone());
            Case { sim: format!("case={name}"), name, api, path, request }
        })
    };
    APIS.iter().flat_map(|(api, _)| of(api)).collect()
}

fn made_up(api: &'static str, stream: bool, knobs: &str) -> Case {
    let messages = json!([{"role": "user", "content": "How is a token budget settled?"}]);
    let (path, request) = match api {
        "openai_chat" => {
            ("/v1/chat/completions", json!({"model": "gpt-5-mini", "messages": messages, "stream": stream}))
        }
        "openai_responses" => {
            ("/v1/responses", json!({"model": "gpt-5-mini", "input": "How is it settled?", "stream": stream}))
        }
        "anthropic_messages" => (
            "/v1/messages",
            json!({"model": "claude-sonnet-4-5", "messages": messages, "max_tokens": 300, "stream": stream}),
        ),
        _ => (
            if stream {
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
            } else {
                "/v1beta/models/gemini-2.5-flash:generateContent"
            },
            json!({"contents": [{"role": "user", "parts": [{"text": "How is it settled?"}]}]}),
        ),
    };
    let name = format!("{api}{}: {knobs}", if stream { ", stream" } else { "" });
    Case { name, api, path: path.to_owned(), request, sim: knobs.to_owned() }
}

fn cases() -> Vec<Case> {
    let mut cases = corpus();
    for (api, _) in APIS {
        for knobs in KNOBS {
            cases.extend([false, true].map(|stream| made_up(api, stream, knobs)));
        }
    }
    cases.push(made_up("openai_responses", true, "tokens=20; big_completed=1200000"));
    cases.push(made_up("openai_chat", false, "big=4500000"));
    cases
}

/// Envoy's filter stands on the provider's side of ours, so both read what the provider sent.
async fn gateway() -> Gateway {
    let prices: Value = json_of(&fixtures().join("prices.json"));
    let policy = json!({"tenants": {"acme": free_tenant()}, "prices": prices, "limits": {"requests_per_minute": 100_000},
        "forward": {"headers": ["x-sim", "x-api"]}});
    let manager = json!({
        "name": "envoy.filters.http.ai_protocol_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager",
            "response_handling": {"token_usage": {}},
        },
    });
    let per_route =
        "type.googleapis.com/envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManagerPerRoute";
    let routes = APIS.map(|(api, protocol)| {
        let route = json!({
            "match": {"prefix": "/", "headers": [{"name": "x-api", "string_match": {"exact": api}}]},
            "route": {"cluster": "provider"},
            "typed_per_filter_config": {
                "envoy.filters.http.ai_protocol_manager": {"@type": per_route, "response": {"llm_protocol": protocol}},
            },
        });
        format!("              - {route}\n")
    });
    let told = |field: &str| format!("%CEL(metadata.typed_filter_metadata['envoy.ai.token_usage'].{field})%");
    let mut line: BTreeMap<_, _> = COUNTS.iter().map(|(ours, theirs)| (*ours, told(theirs))).collect();
    line.insert("native", "%REQ(X-REQUEST-ID)%".to_owned());
    line.insert("extraction_status", told("extraction_status"));
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": Path::new(env!("CARGO_TARGET_TMPDIR")).join("native/access.log"),
            "log_format": {"json_format": line},
        },
    });
    let setup = Setup {
        insertions: vec![
            ("          - name: envoy.filters.http.router", format!("          - {manager}\n")),
            ("              - name: chat_completions", routes.concat()),
            (
                "          # One line per AI exchange: the record that the filter wrote, which is JSON already.",
                format!("          - {log}\n"),
            ),
        ],
        ..Setup::new("native", policy)
    };
    Gateway::start(setup).await
}

/// What one of the two has read from an answer; none: the answer told no usage.
type Counts = Option<[u64; COUNTS.len()]>;

/// Of our filter, and of Envoy's.
async fn counted(gateway: &Gateway, answer: &Answer) -> (Counts, Counts) {
    let record = gateway.record_of(answer).await;
    let reported = record["usage_source"] == "reported";
    let ours = reported.then(|| COUNTS.map(|(name, _)| record[name].as_u64().unwrap()));

    let id = answer.request_id();
    let look = async || gateway.lines().into_iter().find(|line| line["native"] == id);
    let line = eventually(&format!("Envoy's counts of {id}"), look, Option::is_some).await.unwrap();
    let status = line["extraction_status"].as_str();
    let found = status.is_some_and(|status| [COMPLETE, PARTIAL].contains(&status));
    let theirs = found.then(|| COUNTS.map(|(name, _)| line[name].as_str().unwrap().parse().unwrap()));
    (ours, theirs)
}

#[tokio::test(flavor = "multi_thread")]
async fn envoys_own_counts_are_ours() {
    let gateway = gateway().await;
    let mut unused: Vec<&str> = REASONS.iter().flat_map(|(_, cases)| *cases).copied().collect();
    let (mut agreed, mut unexplained) = (0, Vec::new());
    for Case { name, api, path, request, sim } in cases() {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("x-tenant-id", "acme")
            .header("x-api", api)
            .header("x-sim", sim)
            .body(Full::from(request.to_string()).boxed())
            .unwrap();
        let answer = gateway.ask(request).await;
        let (ours, theirs) = counted(&gateway, &answer).await;
        if ours == theirs {
            agreed += usize::from(ours.is_some());
        } else if let Some(at) = unused.iter().position(|explained| *explained == name) {
            unused.remove(at);
        } else {
            unexplained.push(format!("{name}: {ours:?}, and Envoy {theirs:?}"));
        }
    }
    let counts = COUNTS.map(|(name, _)| name).join(", ");
    assert!(unexplained.is_empty(), "differences without a reason ({counts}):\n{}", unexplained.join("\n"));
    assert!(unused.is_empty(), "reasons, and no difference: {unused:#?}");
    assert!(agreed >= 180, "only {agreed} answers were counted by both");
}
