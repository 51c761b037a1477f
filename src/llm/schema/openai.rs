//! OpenAI's APIs, and what Azure, OpenRouter, Groq, DeepSeek, Mistral, xAI, vLLM, Together, Perplexity and others add to
//! them. Sources: the providers' API references.

use super::{
    Asked, Contract, Count, Dialect, Fact, Field, Item, Medium, Output, ROLE, SENSITIVITY, SPOKEN, Schema, Slot, Small,
    TOOL, TOOLS, UNKNOWN, Want,
};
use super::{
    REST, STRAYS, address, asked, count, error, fields, hidden, inline, known, media, never, object, part, part_id,
    parts, path, reasoned, text, value, varying,
};

/// A URL by itself, or an object that has it.
const fn linked(name: &'static str, medium: Medium, inside: &'static [Field<Asked>]) -> Field<Asked> {
    Field { name, key: Some(Asked::Address(medium)), want: Want::Value, inside }
}

static PICTURE: [Field<Asked>; 1] = [address("url", Medium::Picture)];
static SOUND: [Field<Asked>; 2] = [inline("data", Medium::Sound), address("url", Medium::Sound)];
static VIDEO: [Field<Asked>; 1] = [address("url", Medium::Video)];
static DOCUMENT: [Field<Asked>; 1] = [address("url", Medium::Document)];
static FILE: &[Field<Asked>] = part! {
    [address("file_data", Medium::Document), hidden("file_id"), hidden("file_url"), hidden("url"),]
    free ["filename" "format" "name" "detail"]
};

/// Parts of a message, as those write them too who took the API over: Mistral, vLLM, OpenRouter, Qwen.
static PARTS: &[Field<Asked>] = part! {
    [
    linked("image_url", Medium::Picture, &PICTURE),
    linked("input_audio", Medium::Sound, &SOUND),
    path("file", FILE),
    linked("video_url", Medium::Video, &VIDEO),
    linked("audio_url", Medium::Sound, &SOUND),
    linked("document_url", Medium::Document, &DOCUMENT),
    address("image", Medium::Picture),
    address("video", Medium::Video),
    address("audio", Medium::Sound),
    address("url", Medium::Picture),
    hidden("file_id"),
    hidden("file_ids"),]
    free [
        "type" "text" "refusal" "thinking" "signature" "index" "favicon" "image_embeds" "prompt_cache_breakpoint"
        "citations"
    ]
};

/// What was spoken before, by its id: an answer is no longer.
static SPOKEN_BEFORE: [Field<Asked>; 1] = [asked("id", Asked::HiddenUpTo(SPOKEN, 16_384))];

/// What Gemini reads of its own beside OpenAI's chat.
static GOOGLE: &[Field<Asked>] = &[hidden("cached_content"), path("thinking_config", &[]), UNKNOWN];

const STREAM_OPTIONS: Field<Asked> =
    object("stream_options", Asked::Nest, &[asked("include_usage", Asked::IncludeUsage)]);

/// OpenRouter's list of models to try after the first, and LiteLLM's.
const OTHER_MODELS: Field<Asked> = object("models", Asked::OtherModels("models"), &[]);
const FALLBACKS: Field<Asked> = object("fallbacks", Asked::OtherModels("fallbacks"), &[]);
/// Fields by which a chat has the provider search: OpenAI's and Perplexity's, xAI's, OpenRouter's.
const SEARCH: Field<Asked> = object("web_search_options", Asked::Search("web_search_options"), &[]);
static SOURCES: [Field<Asked>; 2] = [asked("mode", Asked::ToolMode), asked("max_search_results", Asked::ToolMost)];
const LIVE_SEARCH: Field<Asked> = object("search_parameters", Asked::Search("search_parameters"), &SOURCES);
const PLUGINS: Field<Asked> = object("plugins", Asked::Plugins, &[asked("id", Asked::ToolKind)]);
const OTHERS_SERVE: &str = "left out: which models may serve is said to the gateway";
/// Names of the bound that some servers put before the API's own.
const BOUND: &str = "left out: the bound on the output is `max_tokens`";
const NOT_N_PREDICT: Field<Asked> = never("n_predict", BOUND);
const NOT_NUM_PREDICT: Field<Asked> = never("num_predict", BOUND);
const NOT_NEW_TOKENS: Field<Asked> = never("max_new_tokens", BOUND);
/// Of a few bytes, one makes a prompt of any length.
const NOT_TEMPLATE: Field<Asked> = never("chat_template", "left out: how a prompt is written is the server's to say");
const STORE: Field<Asked> = asked("store", Asked::Store);

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
    path("extra_body", &[path("google", GOOGLE), UNKNOWN]),
    path("google", GOOGLE),
    object("audio", Asked::Spoken, &[]),]
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
    ]
};

/// The same reasoning comes under up to three names at once.
static MESSAGE: [Field<Fact>; 19] = [
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
    text("refusal"),
    path("audio", &[text("transcript"), media("data"), value("id", Fact::Id), known("expires_at"), REST]),
    path("tool_calls", &TOOL_CALL),
    path("function_call", &CALL),
    path("thinking", &[text("text"), known("type"), known("signature"), REST]),
    path("images", &[known("type"), known("index"), path("image_url", &[media("url")]), REST]),
    // What was found, not written; LiteLLM's copies of what stands beside them; the ids of what a tool keeps.
    known("annotations"),
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

/// Written tokens go by five names.
static INPUT_DETAILS: [Field<Fact>; 11] = [
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
];

static OUTPUT_DETAILS: [Field<Fact>; 3] = [
    count("reasoning_tokens", Count::Reasoning),
    count("audio_tokens", Count::AudioOutput),
    count("image_tokens", Count::ImageOutput),
];

/// What providers of OpenAI's chat count: their names for the same thing stand side by side.
static CHAT_USAGE: [Field<Fact>; 25] = [
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
];
pub(super) const OWN_KEY: Field<Fact> = value("is_byok", Fact::OwnKey);
pub(super) const UPSTREAM: Field<Fact> = path("cost_details", &[value("upstream_inference_cost", Fact::UpstreamCost)]);

/// MiniMax's errors come under a 200; those that have no text before them are no answers by themselves.
const BASE_RESP: Field<Fact> = path("base_resp", &[value("status_code", Fact::FailureCode)]);

static CHAT_ANSWER: [Field<Fact>; 7] = [
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
    error("error"),
    object("usage", Fact::Usage, &CHAT_USAGE),
    // Groq tells the same twice, or only here.
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    value("service_tier", Fact::ServiceTier),
    value("object", Fact::Kind),
];

/// Moonshot's streams tell their usage inside the last choice.
static CHAT_EVENT: [Field<Fact>; 9] = [
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
    error("error"),
    object("usage", Fact::Usage, &CHAT_USAGE),
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    value("service_tier", Fact::ServiceTier),
    value("object", Fact::Kind),
    varying("obfuscation"),
    BASE_RESP,
];

/// `max_completion_tokens` and `max_tokens`, in the order of `BoundField`.
static CHAT_BOUNDS: [Slot; 2] =
    [Slot { nest: None, name: "max_completion_tokens" }, Slot { nest: None, name: "max_tokens" }];

/// `POST /api/ai/chat`: OpenAI's chat, without a model if its role has one.
pub static GATEWAY_CHAT: Schema = Schema { name: "gateway_chat", own: true, ..CHAT };

pub static CHAT: Schema = Schema {
    name: "openai_chat",
    dialect: Dialect::OpenAi,
    request: CHAT_REQUEST,
    needs: Some("messages"),
    takes_forms: false,
    streams: false,
    output: Output::Field(&CHAT_BOUNDS),
    // What llama.cpp, LM Studio and the front ends that were made for them say for "no bound".
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: true,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    answer: &CHAT_ANSWER,
    event: &CHAT_EVENT,
    contract: Contract::CacheIncluded,
    grows: true,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 14,
};

/// The older API knows one spelling, whatever the price says.
static COMPLETION_BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_tokens" }];

static COMPLETIONS_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    OTHER_MODELS,
    FALLBACKS,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    // `best_of` answers are generated and billed, and at least `n` of them.
    asked("n", Asked::Choices),
    asked("best_of", Asked::Choices),
    NOT_N_PREDICT,
    NOT_NUM_PREDICT,
    NOT_NEW_TOKENS,
    Field { name: "prompt", key: Some(Asked::Prompts), want: Want::Size, inside: &[] },
    asked("max_tokens", Asked::Bound(0)),
    STREAM_OPTIONS,
    asked("service_tier", Asked::ServiceTier),]
    free [
        "echo" "frequency_penalty" "logit_bias" "logprobs" "metadata" "presence_penalty" "seed" "stop" "suffix"
        "temperature" "top_p" "user"
        "response_format" "prompt_cache_key" "random_seed" "safety_identifier"
        "add_special_tokens" "bad_words" "cache_prompt" "grammar" "guided_choice" "guided_grammar" "guided_json"
        "guided_regex" "id_slot" "ignore_eos"
        "include_stop_str_in_output" "json_schema" "keep_alive" "length_penalty" "min_p" "min_tokens" "mirostat"
        "mirostat_eta" "mirostat_tau" "n_keep" "n_probs"
        "prompt_logprobs" "repeat_last_n" "repeat_penalty" "repetition_penalty" "return_token_ids" "samplers"
        "skip_special_tokens"
        "spaces_between_special_tokens" "stop_token_ids" "structured_outputs" "tfs_z" "top_k" "truncate_prompt_tokens"
        "typical_p"
    ]
};

pub static COMPLETIONS: Schema = Schema {
    name: "openai_completions",
    request: COMPLETIONS_REQUEST,
    needs: None,
    output: Output::Field(&COMPLETION_BOUNDS),
    // With `echo`, only the prompt comes back from OpenAI; llama-cpp-python takes it for "no bound".
    zero: Small::Either,
    ..CHAT
};

/// Parts of an item, and what tools of the client's gave back.
static ITEM_PARTS: &[Field<Asked>] = part! {
    [
    asked("type", Asked::PartKind),
    linked("image_url", Medium::Picture, &PICTURE),
    part_id("file_id"),
    address("file_data", Medium::Document),
    hidden("file_url"),
    path("input_audio", &SOUND),
    address("audio_url", Medium::Sound),
    address("video_url", Medium::Video),]
    free [
        "text" "refusal" "detail" "filename" "annotations" "logprobs" "prompt_cache_breakpoint"
    ]
};

/// A picture that a tool draws may move, be drawn by another model's words, and begin from another. A container that was made for
/// another answer holds what that wrote into it.
static MASK: [Field<Asked>; 2] = [linked("image_url", Medium::Picture, &PICTURE), address("file_id", Medium::Picture)];
static ITEM_TOOLS_INSIDE: [Field<Asked>; 10] = {
    let [kind, most, tokens, model, _] = TOOL;
    let svg = path("svg", &[asked("model", Asked::ToolModel)]);
    let frames = asked("frame_count", Asked::ToolFrames);
    let format = asked("output_format", Asked::ToolFormat);
    let container = asked("container", Asked::Refers("tools[].container"));
    let place = path(
        "environment",
        &[asked("type", Asked::ToolPlace), asked("container_id", Asked::Refers("tools[].environment.container_id"))],
    );
    [kind, most, tokens, model, place, svg, frames, format, container, path("input_image_mask", &MASK)]
};
const ITEM_TOOLS: Field<Asked> = object("tools", Asked::Tools, &ITEM_TOOLS_INSIDE);

static RESPONSES_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    OTHER_MODELS,
    FALLBACKS,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    asked("max_output_tokens", Asked::Bound(0)),
    asked("service_tier", Asked::ServiceTier),
    ITEM_TOOLS,
    object(
        "input",
        Asked::Item,
        &[
            parts("content", ITEM_PARTS),
            parts("output", ITEM_PARTS),
            asked("type", Asked::ItemKind),
            asked("id", Asked::ItemId),
            asked("encrypted_content", Asked::ItemContent),
            asked("container_id", Asked::Refers("input[].container_id")),
            path("environment", &[asked("container_id", Asked::Refers("input[].environment.container_id"))]),
            linked("image_url", Medium::Picture, &PICTURE),
            hidden("file_id"),
            hidden("file_url"),
            address("file_data", Medium::Document),
            // A picture that was drawn before.
            inline("result", Medium::Picture),
            // Tools that a search has found, or that join in the middle.
            ITEM_TOOLS,
        ],
    ),
    object("prompt", Asked::StoredPrompt, &[]),
    asked("max_tool_calls", Asked::AllToolsMost),
    PLUGINS,
    STORE,
    asked("background", Asked::Background),
    asked("previous_response_id", Asked::Refers("previous_response_id")),
    Field {
        name: "conversation",
        key: Some(Asked::Refers("conversation")),
        want: Want::Value,
        inside: &[asked("id", Asked::Refers("conversation.id"))],
    },]
    free [
        "access_programs" "background_options" "context_management" "image" "include" "instructions" "metadata"
        "moderation"
        "parallel_tool_calls" "prompt_cache_key" "prompt_cache_options" "prompt_cache_retention" "reasoning"
        "safety_identifier" "stream_options" "temperature" "text"
        "tool_choice" "top_logprobs" "top_p" "truncation" "user" "client_metadata" "frequency_penalty" "presence_penalty"
        "top_k"
    ]
};

static RESPONSES_USAGE: [Field<Fact>; 15] = [
    count("input_tokens", Count::Input),
    count("output_tokens", Count::Output),
    count("total_tokens", Count::Total),
    path("input_tokens_details", &INPUT_DETAILS),
    path("output_tokens_details", &OUTPUT_DETAILS),
    // OpenRouter; Perplexity's is an object.
    Field {
        name: "cost",
        key: Some(Fact::Cost { places: 0 }),
        want: Want::Value,
        inside: &[value("total_cost", Fact::Cost { places: 0 })],
    },
    OWN_KEY,
    UPSTREAM,
    value("cost_in_usd_ticks", Fact::Cost { places: 10 }),
    // xAI.
    path(
        "server_side_tool_usage_details",
        &[
            count("web_search_calls", Count::WebSearches),
            count("x_search_calls", Count::OtherSearches),
            count("file_search_calls", Count::ToldFileSearches),
            count("document_search_calls", Count::ToldFileSearches),
        ],
    ),
    // Perplexity, in two versions.
    path("tool_calls_details", &[path("search_web", &[INVOCATIONS]), path("web_search", &[INVOCATIONS])]),
    // The chat's names, which relays leave as they are, or write a nothing into.
    count("prompt_tokens", Count::Input),
    count("completion_tokens", Count::Output),
    path("prompt_tokens_details", &INPUT_DETAILS),
    path("completion_tokens_details", &OUTPUT_DETAILS),
];
const INVOCATIONS: Field<Fact> = count("invocation", Count::WebSearches);

/// What a model inside of a tool used, which the totals leave out.
static TOOL_USAGE: [Field<Fact>; 2] = [
    path(
        "image_gen",
        &[
            count("input_tokens", Count::ToolInput),
            count("output_tokens", Count::ToolOutput),
            path("output_tokens_details", &[count("image_tokens", Count::ToolImageOutput)]),
        ],
    ),
    path("web_search", &[count("num_requests", Count::WebSearches)]),
];

/// Calls of hosted tools among the items of the output.
const CALL_ID: Field<Fact> = value("id", Fact::CallId);
const CALL_KIND: Field<Fact> = value("type", Fact::CallKind);
const CALL_STATUS: Field<Fact> = value("status", Fact::CallStatus);
const CALL_ACTION: Field<Fact> = path("action", &[value("type", Fact::CallAction)]);
const CALL_CONTAINER: Field<Fact> = value("container_id", Fact::CallContainer);
const CALL_SHELL: Field<Fact> = path("environment", &[CALL_CONTAINER]);

/// The whole answer at the end of a stream, without the texts that the deltas have had already.
static STREAMED_RESPONSE: [Field<Fact>; 8] = [
    value("id", Fact::Id),
    value("model", Fact::Model),
    value("status", Fact::Kind),
    error("error"),
    value("service_tier", Fact::ServiceTier),
    object("usage", Fact::Usage, &RESPONSES_USAGE),
    path("tool_usage", &TOOL_USAGE),
    object("output", Fact::Call, &[CALL_ID, CALL_KIND, CALL_STATUS, CALL_ACTION, CALL_CONTAINER, CALL_SHELL]),
];

static RESPONSES_EVENT: [Field<Fact>; 7] = [
    value("type", Fact::Kind),
    Field { name: "delta", key: Some(Fact::Output), want: Want::Size, inside: &STRAYS },
    varying("sequence_number"),
    varying("obfuscation"),
    path("response", &STREAMED_RESPONSE),
    object("item", Fact::Call, &[CALL_ID, CALL_KIND, CALL_STATUS, CALL_ACTION, CALL_CONTAINER, CALL_SHELL]),
    error("error"),
];

static RESPONSES_ANSWER: [Field<Fact>; 9] = [
    value("object", Fact::Kind),
    value("id", Fact::Id),
    value("model", Fact::Model),
    value("status", Fact::Kind),
    error("error"),
    value("service_tier", Fact::ServiceTier),
    object("usage", Fact::Usage, &RESPONSES_USAGE),
    path("tool_usage", &TOOL_USAGE),
    object(
        "output",
        Fact::Call,
        &[
            path(
                "content",
                &[text("text"), text("refusal"), known("type"), known("annotations"), known("logprobs"), REST],
            ),
            text("arguments"),
            path("summary", &[text("text"), known("type"), REST]),
            CALL_ID,
            CALL_KIND,
            CALL_STATUS,
            // What it looks for; the query is written, what it finds is not.
            CALL_ACTION,
            CALL_CONTAINER,
            CALL_SHELL,
            media("result"),
            known("role"),
            known("call_id"),
            known("name"),
            known("encrypted_content"),
            known("results"),
            known("outputs"),
            known("output"),
            known("phase"),
            known("server_label"),
            known("tools"),
            known("output_format"),
            known("quality"),
            known("size"),
            known("background"),
            REST,
        ],
    ),
];

static RESPONSE_BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_output_tokens" }];

pub static RESPONSES: Schema = Schema {
    name: "openai_responses",
    dialect: Dialect::OpenAi,
    request: RESPONSES_REQUEST,
    needs: None,
    takes_forms: false,
    streams: false,
    output: Output::Field(&RESPONSE_BOUNDS),
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: false,
    item: None,
    background: true,
    wrapped: false,
    own: false,
    answer: &RESPONSES_ANSWER,
    event: &RESPONSES_EVENT,
    contract: Contract::CacheIncluded,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 20,
};

static EMBEDDINGS_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE, SENSITIVITY, asked("model", Asked::Model),]
    free [
        "dimensions" "encoding_format" "input" "user"
        "add_special_tokens" "embedding_type" "embedding_types" "input_type" "inputs" "keep_alive" "late_chunking"
        "metadata" "normalize" "normalized" "output_dimension"
        "output_dtype" "task" "truncate" "truncate_prompt_tokens" "truncation"
    ]
};

static EMBEDDINGS_ANSWER: [Field<Fact>; 4] = [
    value("model", Fact::Model),
    error("error"),
    object("usage", Fact::Usage, &CHAT_USAGE),
    object("data", Fact::Made, &[]),
];

pub static EMBEDDINGS: Schema = Schema {
    name: "openai_embeddings",
    request: EMBEDDINGS_REQUEST,
    needs: None,
    output: Output::None,
    usage_option: false,
    answer: &EMBEDDINGS_ANSWER,
    event: &EMBEDDINGS_ANSWER,
    contract: Contract::InputOnly,
    grows: false,
    ..CHAT
};

static IMAGES_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE, SENSITIVITY, asked("model", Asked::Model), asked("stream", Asked::Stream), asked("n", Asked::Choices),
    // Of a moving picture, each is made.
    asked("frame_count", Asked::Frames),
    asked("output_format", Asked::Format),
    // Who draws by writing is another model, which no price has.
    path("svg", &[asked("model", Asked::OtherModel("svg.model"))]),]
    free [
        "background" "complexity" "frame_duration_ms" "image" "input_fidelity" "markup" "mask" "moderation"
        "output_compression" "partial_images"
        "prompt" "quality" "response_format" "safety_identifier" "size" "style" "user" "aspect_ratio" "image_format"
        "resolution"
    ]
};

static IMAGES_ANSWER: [Field<Fact>; 4] = [
    value("type", Fact::Kind),
    error("error"),
    object("data", Fact::Each(Count::MadeImages), &[]),
    object(
        "usage",
        Fact::Usage,
        &[
            count("input_tokens", Count::Input),
            count("output_tokens", Count::Output),
            count("total_tokens", Count::Total),
            path(
                "input_tokens_details",
                &[count("image_tokens", Count::ImageInput), count("cached_tokens", Count::Cached)],
            ),
            path("output_tokens_details", &[count("image_tokens", Count::ImageOutput)]),
        ],
    ),
];

pub static IMAGES: Schema = Schema {
    name: "openai_images",
    request: IMAGES_REQUEST,
    takes_forms: true,
    needs: None,
    // The dearest picture of OpenAI's image models: high quality, upright.
    output: Output::Fixed(6_240),
    usage_option: false,
    item: Some(Item::Image),
    answer: &IMAGES_ANSWER,
    event: &IMAGES_ANSWER,
    grows: false,
    ..CHAT
};

/// What is read out is sold by the character.
static AUDIO_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    Field { name: "input", key: Some(Asked::Characters), want: Want::Size, inside: &[] },
    // Mistral's: what is to be written down, somewhere else.
    hidden("file_id"),
    hidden("file_url"),]
    free [
        "context_bias" "conversation_history" "diarize" "expressiveness" "metadata" "phoneme_hints" "prompt_cache_key"
        "ref_audio" "speaker_references" "voice_id"
        "instructions" "response_format" "speed" "stream_format" "voice" "chunking_strategy" "file" "include" "keywords"
        "known_speaker_names" "known_speaker_references" "language" "languages" "prompt" "temperature"
        "timestamp_granularities"
    ]
};

static AUDIO_ANSWER: [Field<Fact>; 6] = [
    value("type", Fact::Kind),
    text("text"),
    text("delta"),
    error("error"),
    // Of a verbose transcript, which has no usage.
    value("duration", Fact::Seconds),
    object(
        "usage",
        Fact::Usage,
        &[
            value("seconds", Fact::Seconds),
            count("input_tokens", Count::Input),
            count("output_tokens", Count::Output),
            count("total_tokens", Count::Total),
            path("input_token_details", &[count("audio_tokens", Count::AudioInput)]),
            path("output_token_details", &[count("audio_tokens", Count::AudioOutput)]),
            // Mistral.
            value("prompt_audio_seconds", Fact::Seconds),
            count("prompt_tokens", Count::Input),
            count("completion_tokens", Count::Output),
        ],
    ),
];

pub static AUDIO: Schema = Schema {
    name: "openai_audio",
    request: AUDIO_REQUEST,
    takes_forms: true,
    needs: None,
    // Four minutes of speech at twenty tokens a second: the longest text that is read out.
    output: Output::Fixed(5_000),
    usage_option: false,
    answer: &AUDIO_ANSWER,
    event: &AUDIO_ANSWER,
    // A second of MP3 has sixteen kilobytes and is billed as some twenty tokens.
    opaque_bytes_per_token: 800,
    grows: false,
    ..CHAT
};
