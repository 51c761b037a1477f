//! `POST /v1/chat/completions`, as OpenAI and all that took its API over read and answer it.

use super::{
    BOUND, FALLBACKS, GOOGLE, LIVE_SEARCH, NOT_N_PREDICT, NOT_NEW_TOKENS, NOT_NUM_PREDICT, NOT_TEMPLATE, OTHER_MODELS,
    OTHERS_SERVE, PARTS, PLUGINS, QWEN_SEARCH, SEARCH, SPOKEN_BEFORE, STORE, STREAM_OPTIONS,
};
use crate::llm::schema::field::{
    REFUSAL, REST, ROLE, SENSITIVITY, STRAYS, TOOLS, UNKNOWN, asked, count, error, fields, hidden, known, media, never,
    object, path, reasoned, text, value, varying,
};
use crate::llm::schema::{Asked, Dialect, Fact, Field, OutputBound, Schema, Slot, Small, Want};
use crate::llm::usage::{Contract, Count};

static CHAT_REQUEST: &[Field<Asked>] = fields! {
    [
    asked("model", Asked::Model),
    ROLE,
    SENSITIVITY,
    asked("stream", Asked::Stream),
    asked("n", Asked::Choices),
    asked("max_completion_tokens", Asked::Bound(0)),
    asked("max_tokens", Asked::Bound(1)),
    STREAM_OPTIONS,
    asked("service_tier", Asked::ServiceTier),
    TOOLS,
    OTHER_MODELS,
    FALLBACKS,
    STORE,
    SEARCH,
    LIVE_SEARCH,
    PLUGINS,
    // vLLM's, llama.cpp's and the Transformers' words for it.
    asked("best_of", Asked::Choices),
    asked("n_cmpl", Asked::Choices),
    asked("num_return_sequences", Asked::Choices),
    NOT_TEMPLATE,
    path("chat_template_kwargs", &[NOT_TEMPLATE]),
    asked("speed", Asked::Speed),
    asked("inference_geo", Asked::Region),
    NOT_N_PREDICT,
    NOT_NUM_PREDICT,
    NOT_NEW_TOKENS,
    never("context_window_fallbacks", OTHERS_SERVE),
    never("content_policy_fallbacks", OTHERS_SERVE),
    never("preset", OTHERS_SERVE),
    never("route", OTHERS_SERVE),
    never("deferred", "left out: what it comes to would be had later, past this gateway"),
    // Clients that are pointed at the wrong path send it.
    object("input", Asked::Misplaced, &[]),
    object("messages", Asked::Needed, &[path("content", PARTS), path("audio", &SPOKEN_BEFORE)]),
    // Relays put what is in it into the body.
    path(
        "extra_body",
        &[
            path("google", GOOGLE),
            QWEN_SEARCH,
            never("max_tokens", BOUND),
            never("max_completion_tokens", BOUND),
            never("max_output_tokens", BOUND),
            hidden("cached_content"),
            hidden("cachedContent"),
            UNKNOWN,
        ],
    ),
    path("google", GOOGLE),
    // Gemini's, as relays take it.
    hidden("cached_content"),
    hidden("cachedContent"),
    object("audio", Asked::Spoken, &[]),
    QWEN_SEARCH,]
    free [
        "frequency_penalty" "function_call" "functions" "logit_bias" "logprobs" "metadata" "modalities"
        "moderation" "parallel_tool_calls"
        "prediction" "presence_penalty" "prompt_cache_key" "prompt_cache_options" "prompt_cache_retention"
        "reasoning_effort" "response_format" "safety_identifier"
        "seed" "stop" "temperature" "tool_choice" "top_logprobs" "top_p" "user" "verbosity"
        // Mistral.
        "guardrails" "prompt_logprobs" "prompt_mode" "random_seed" "repetition_penalty" "safe_prompt" "top_k"
        "top_prompt_logprobs" "min_tokens"
        // OpenRouter, Groq, xAI, DeepSeek, Qwen, Z.ai, Perplexity.
        "disable_tool_validation" "include_reasoning" "reasoning" "reasoning_format" "reasoning_split" "session_id"
        "thinking" "thinking_budget" "enable_thinking" "tool_stream" "top_a"
        "transforms" "usage" "image_config" "citation_options" "return_images" "return_related_questions"
        "search_domain_filter" "search_mode" "search_recency_filter"
        // vLLM, SGLang, llama.cpp, LM Studio, Ollama.
        "add_generation_prompt" "bad_words" "cache_prompt" "continue_final_message"
        "ignore_eos" "id_slot"
        "include_stop_str_in_output" "keep_alive" "length_penalty" "min_p" "mirostat" "mirostat_eta" "mirostat_tau"
        "n_keep" "n_probs" "grammar" "guided_choice" "guided_grammar"
        "guided_json" "guided_regex" "json_schema" "repeat_last_n" "repeat_penalty" "return_token_ids" "return_tokens"
        "samplers" "skip_special_tokens"
        "spaces_between_special_tokens" "stop_token_ids" "structured_outputs" "think" "tfs_z" "timings_per_token"
        "truncate_prompt_tokens" "ttl" "typical_p"
        "add_special_tokens" "allowed_token_ids" "cache_salt" "documents" "dry_allowed_length" "dry_base" "dry_multiplier"
        "dry_penalty_last_n" "dry_sequence_breakers" "dynatemp_exponent" "dynatemp_range" "ebnf" "no_stop_trim" "regex"
        "repetition_detection" "return_progress" "return_tokens_as_token_ids" "separate_reasoning" "stop_regex" "stream_reasoning"
        "stream_interval" "thinking_token_budget" "xtc_probability" "xtc_threshold"
        // How Qwen, Perplexity and Groq search.
        "search_options"
        "search_after_date_filter" "search_before_date_filter" "search_language_filter" "last_updated_after_filter"
        "last_updated_before_filter" "disable_search" "enable_search_classifier" "search_settings" "language_preference"
    ]
};

/// The same reasoning comes under up to three names at once.
pub(in crate::llm::schema) static MESSAGE: [Field<Fact>; 20] = [
    Field {
        name: "content",
        key: Some(Fact::Output),
        want: Want::Size,
        inside: &[text("text"), known("type"), known("index"), path("image_url", &[media("url")]), REST],
    },
    known("role"),
    reasoned("reasoning_content", 0),
    reasoned("reasoning", 1),
    path(
        "reasoning_details",
        &[
            reasoned("text", 2),
            reasoned("summary", 2),
            known("type"),
            known("id"),
            known("format"),
            known("index"),
            known("signature"),
            known("data"),
            REST,
        ],
    ),
    REFUSAL,
    path("audio", &[text("transcript"), media("data"), value("id", Fact::Id), known("expires_at"), REST]),
    path("tool_calls", &TOOL_CALL),
    path("function_call", &CALL),
    path("thinking", &[text("text"), known("type"), known("signature"), REST]),
    path("images", &[known("type"), known("index"), path("image_url", &[media("url")]), REST]),
    // What was found, not written; LiteLLM's copies of what stands beside them; the ids of what a tool keeps.
    known("annotations"),
    // Groq's, that ran on its side.
    object("executed_tools", Fact::Call, &[value("type", Fact::CallKind), value("index", Fact::CallId)]),
    known("provider_specific_fields"),
    known("thinking_blocks"),
    known("reasoning_signature"),
    known("id"),
    known("name"),
    known("obfuscation"),
    REST,
];
static TOOL_CALL: [Field<Fact>; 6] =
    [path("function", &CALL), known("id"), known("type"), known("index"), known("extra_content"), REST];
static CALL: [Field<Fact>; 4] = [
    text("name"),
    Field { name: "arguments", key: Some(Fact::Output), want: Want::Size, inside: &STRAYS },
    known("thought_signature"),
    REST,
];

/// Written tokens go by six names.
pub(super) static INPUT_DETAILS: [Field<Fact>; 13] = [
    count("cached_tokens", Count::Cached),
    count("cache_read_input_tokens", Count::Cached),
    count("cache_write_tokens", Count::CacheCreation),
    count("cache_creation_input_tokens", Count::CacheCreation),
    count("cache_creation_tokens", Count::CacheCreation),
    count("cached_creation_tokens", Count::CacheCreation),
    count("cached_write_tokens", Count::CacheCreation),
    path(
        "cache_write_tokens_details",
        &[count("ttl_30m_tokens", Count::CacheCreation5m), count("ttl_12h_tokens", Count::CacheCreation1h)],
    ),
    path(
        "cache_creation",
        &[
            count("ephemeral_5m_input_tokens", Count::CacheCreation5m),
            count("ephemeral_1h_input_tokens", Count::CacheCreation1h),
        ],
    ),
    count("audio_tokens", Count::AudioInput),
    count("image_tokens", Count::ImageInput),
    // Requesty's, and LiteLLM's.
    count("caching_tokens", Count::CacheCreation),
    count("web_search_requests", Count::WebSearches),
];

pub(super) static OUTPUT_DETAILS: [Field<Fact>; 4] = [
    count("reasoning_tokens", Count::Reasoning),
    count("audio_tokens", Count::AudioOutput),
    count("image_tokens", Count::ImageOutput),
    count("thinking_tokens", Count::Reasoning),
];

/// What providers of OpenAI's chat count: their names for the same thing stand side by side.
pub(super) static CHAT_USAGE: [Field<Fact>; 35] = [
    count("prompt_tokens", Count::Input),
    count("completion_tokens", Count::Output),
    count("total_tokens", Count::Total),
    path("prompt_tokens_details", &INPUT_DETAILS),
    path("completion_tokens_details", &OUTPUT_DETAILS),
    // DeepSeek; the misses are what is left of the prompt.
    count("prompt_cache_hit_tokens", Count::Cached),
    // Moonshot.
    count("cached_tokens", Count::Cached),
    // Anthropic's models behind compatible endpoints.
    count("cache_creation_input_tokens", Count::CacheCreation),
    count("cache_read_input_tokens", Count::Cached),
    // Perplexity.
    count("num_search_queries", Count::WebSearches),
    count("reasoning_tokens", Count::Reasoning),
    // xAI.
    count("num_sources_used", Count::WebSearches),
    value("cost_in_usd_ticks", Fact::Cost { places: 10 }),
    // OpenRouter; Perplexity's is an object, which is no number.
    Field {
        name: "cost",
        key: Some(Fact::Cost { places: 0 }),
        want: Want::Value,
        inside: &[value("total_cost", Fact::Cost { places: 0 })],
    },
    // OpenRouter, where the key at the model's own provider is the operator's.
    OWN_KEY,
    UPSTREAM,
    // DeepInfra.
    value("estimated_cost", Fact::Cost { places: 0 }),
    // Mistral; sound is sold by the second.
    count("num_cached_tokens", Count::Cached),
    value("prompt_audio_seconds", Fact::Seconds),
    // Names of other APIs, which relays leave as they are, or write a nothing into.
    count("input_tokens", Count::Input),
    count("output_tokens", Count::Output),
    count("promptTokens", Count::Input),
    count("completionTokens", Count::Output),
    count("totalTokens", Count::Total),
    count("cache_write_tokens", Count::CacheCreation),
    path("input_tokens_details", &INPUT_DETAILS),
    path("output_tokens_details", &OUTPUT_DETAILS),
    path("promptTokensDetails", &[count("cachedTokens", Count::Cached)]),
    path("completionTokensDetails", &[count("reasoningTokens", Count::Reasoning)]),
    SERVER_TOOLS,
    XAI_TOOLS,
    // Qwen, and Gemini's models on Vertex.
    path("plugins", &[path("search", &[count("count", Count::WebSearches)])]),
    path("extra_properties", &[path("google", &[value("traffic_type", Fact::TrafficType)])]),
    // Anthropic's models, by relays that leave what they say as it is.
    value("speed", Fact::Speed),
    value("inference_geo", Fact::Region),
];
/// OpenRouter's, in all APIs that it speaks.
pub(super) const SERVER_TOOLS: Field<Fact> =
    path("server_tool_use", &[count("web_search_requests", Count::WebSearches)]);
pub(super) const XAI_TOOLS: Field<Fact> = path(
    "server_side_tool_usage_details",
    &[
        count("web_search_calls", Count::WebSearches),
        count("x_search_calls", Count::OtherSearches),
        count("file_search_calls", Count::ToldFileSearches),
        count("document_search_calls", Count::ToldFileSearches),
        // Sold by the call, and not by the container.
        count("code_interpreter_calls", Count::ToldCodeCalls),
        count("image_generation_calls", Count::ToldImages),
    ],
);
pub const OWN_KEY: Field<Fact> = value("is_byok", Fact::OwnKey);
pub const UPSTREAM: Field<Fact> = path("cost_details", &[value("upstream_inference_cost", Fact::UpstreamCost)]);

/// MiniMax's errors come under a 200.
const BASE_RESP: Field<Fact> = path("base_resp", &[value("status_code", Fact::FailureCode)]);

/// Which tier served, where Cerebras says `auto` beside it; and what Z.ai found.
const TIER_USED: Field<Fact> = value("service_tier_used", Fact::ServiceTier);
const FOUND: Field<Fact> = object("web_search", Fact::Found, &[]);

/// Of what is to come, as those call it who answer later.
const STATUS: Field<Fact> = value("status", Fact::Kind);
const TASK: Field<Fact> = value("task_status", Fact::Kind);

/// In the order in which most write them: a key is looked for from the first on.
static CHAT_ANSWER: [Field<Fact>; 15] = [
    known("id"),
    value("object", Fact::Kind),
    known("created"),
    value("model", Fact::Model),
    object(
        "choices",
        Fact::Choices,
        &[
            path("delta", &MESSAGE),
            path("message", &MESSAGE),
            text("text"),
            value("finish_reason", Fact::Finish),
            error("error"),
        ],
    ),
    object("usage", Fact::Usage, &CHAT_USAGE),
    value("service_tier", Fact::ServiceTier),
    known("system_fingerprint"),
    error("error"),
    // Groq tells the same twice, or only here.
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    BASE_RESP,
    TIER_USED,
    FOUND,
    STATUS,
    TASK,
];

/// Moonshot's streams tell their usage inside the last choice.
static CHAT_EVENT: [Field<Fact>; 14] = [
    known("id"),
    value("object", Fact::Kind),
    known("created"),
    value("model", Fact::Model),
    object(
        "choices",
        Fact::Choices,
        &[
            path("delta", &MESSAGE),
            path("message", &MESSAGE),
            text("text"),
            value("finish_reason", Fact::Finish),
            error("error"),
            path("usage", &CHAT_USAGE),
        ],
    ),
    object("usage", Fact::Usage, &CHAT_USAGE),
    value("service_tier", Fact::ServiceTier),
    known("system_fingerprint"),
    varying("obfuscation"),
    error("error"),
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    BASE_RESP,
    TIER_USED,
    FOUND,
];

/// `max_completion_tokens` and `max_tokens`, in the order of `BoundField`.
static CHAT_BOUNDS: [Slot; 2] =
    [Slot { nest: None, name: "max_completion_tokens" }, Slot { nest: None, name: "max_tokens" }];

/// `POST /api/ai/chat`: OpenAI's chat, without a model if its role has one.
pub static GATEWAY_CHAT: Schema = Schema { name: "gateway_chat", own: true, ..CHAT };

pub static CHAT: Schema = Schema {
    name: "openai_chat",
    dialect: Dialect::OpenAi,
    failure: None,
    request: CHAT_REQUEST,
    needs: Some("messages"),
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&CHAT_BOUNDS),
    // What llama.cpp, LM Studio and the front ends that were made for them say for "no bound".
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: true,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    always_reports: false,
    keeps: false,
    answer: &CHAT_ANSWER,
    event: &CHAT_EVENT,
    contract: Contract::CacheIncluded,
    grows: true,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 14,
};
