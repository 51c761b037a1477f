//! OpenAI's APIs, and what Azure, OpenRouter, Groq, DeepSeek, Mistral, xAI, vLLM, Together, Perplexity and others add to
//! them. Sources: the providers' API references.

use super::{Asked, Contract, Count, Dialect, Fact, Field, Item, Output, ROLE, SENSITIVITY, Schema, Slot, Small, Want};
use super::{REST, STRAYS, asked, attachment, count, error, known, media, object, path, reasoned, text, told, varying};

static PARTS: [Field<Asked>; 4] = [
    path("image_url", &[attachment("url")]),
    path("input_audio", &[attachment("data")]),
    path("file", &[attachment("file_data")]),
    path("video_url", &[attachment("url")]),
];

const STREAM_OPTIONS: Field<Asked> =
    object("stream_options", Asked::Nest, &[asked("include_usage", Asked::IncludeUsage)]);

/// OpenRouter's list of models to try after the first, and LiteLLM's.
const OTHER_MODELS: Field<Asked> = object("models", Asked::OtherModels("models"), &[]);
const FALLBACKS: Field<Asked> = object("fallbacks", Asked::OtherModels("fallbacks"), &[]);
const TOOLS: Field<Asked> = object("tools", Asked::Tools, &[]);
const STORE: Field<Asked> = asked("store", Asked::Store);

static CHAT_REQUEST: [Field<Asked>; 14] = [
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
    object("messages", Asked::Needed, &[path("content", &PARTS)]),
];

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
    path("audio", &[text("transcript"), media("data"), known("id"), known("expires_at"), REST]),
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
static INPUT_DETAILS: [Field<Fact>; 9] = [
    count("cached_tokens", Count::Cached),
    count("cache_write_tokens", Count::CacheCreation),
    count("cache_creation_input_tokens", Count::CacheCreation),
    count("cache_creation_tokens", Count::CacheCreation),
    count("cached_creation_tokens", Count::CacheCreation),
    count("cached_write_tokens", Count::CacheCreation),
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
static CHAT_USAGE: [Field<Fact>; 16] = [
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
    told("cost_in_usd_ticks", Fact::Cost { places: 10 }),
    // OpenRouter; Perplexity's is an object, which is no number.
    Field {
        name: "cost",
        key: Some(Fact::Cost { places: 0 }),
        want: Want::Value,
        inside: &[told("total_cost", Fact::Cost { places: 0 })],
    },
    // OpenRouter, where the key at the model's own provider is the operator's.
    told("is_byok", Fact::OwnKey),
    path("cost_details", &[told("upstream_inference_cost", Fact::UpstreamCost)]),
];

static CHAT_ANSWER: [Field<Fact>; 7] = [
    told("model", Fact::Model),
    object(
        "choices",
        Fact::Choices,
        &[
            path("delta", &MESSAGE),
            path("message", &MESSAGE),
            text("text"),
            told("finish_reason", Fact::Finish),
            error("error"),
        ],
    ),
    error("error"),
    object("usage", Fact::Usage, &CHAT_USAGE),
    // Groq tells the same twice, or only here.
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    told("service_tier", Fact::ServiceTier),
    told("object", Fact::Kind),
];

/// Moonshot's streams tell their usage inside the last choice.
static CHAT_EVENT: [Field<Fact>; 8] = [
    told("model", Fact::Model),
    object(
        "choices",
        Fact::Choices,
        &[
            path("delta", &MESSAGE),
            path("message", &MESSAGE),
            text("text"),
            told("finish_reason", Fact::Finish),
            error("error"),
            path("usage", &CHAT_USAGE),
        ],
    ),
    error("error"),
    object("usage", Fact::Usage, &CHAT_USAGE),
    path("x_groq", &[object("usage", Fact::Usage, &CHAT_USAGE), error("error")]),
    told("service_tier", Fact::ServiceTier),
    told("object", Fact::Kind),
    varying("obfuscation"),
];

/// `max_completion_tokens` and `max_tokens`, in the order of `BoundField`.
static CHAT_BOUNDS: [Slot; 2] =
    [Slot { nest: None, name: "max_completion_tokens" }, Slot { nest: None, name: "max_tokens" }];

/// `POST /api/ai/chat`: OpenAI's chat, without a model if its role has one.
pub static GATEWAY_CHAT: Schema = Schema { name: "gateway_chat", own: true, ..CHAT };

pub static CHAT: Schema = Schema {
    name: "openai_chat",
    dialect: Dialect::OpenAi,
    request: &CHAT_REQUEST,
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

static COMPLETIONS_REQUEST: [Field<Asked>; 12] = [
    ROLE,
    SENSITIVITY,
    OTHER_MODELS,
    FALLBACKS,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    // `best_of` answers are generated and billed, and at least `n` of them.
    asked("n", Asked::Choices),
    asked("best_of", Asked::Choices),
    Field { name: "prompt", key: Some(Asked::Prompts), want: Want::Size, inside: &[] },
    asked("max_tokens", Asked::Bound(0)),
    STREAM_OPTIONS,
    asked("service_tier", Asked::ServiceTier),
];

pub static COMPLETIONS: Schema = Schema {
    name: "openai_completions",
    request: &COMPLETIONS_REQUEST,
    needs: None,
    output: Output::Field(&COMPLETION_BOUNDS),
    // With `echo`, only the prompt comes back from OpenAI; llama-cpp-python takes it for "no bound".
    zero: Small::Either,
    ..CHAT
};

static RESPONSES_REQUEST: [Field<Asked>; 14] = [
    ROLE,
    SENSITIVITY,
    OTHER_MODELS,
    FALLBACKS,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    asked("max_output_tokens", Asked::Bound(0)),
    asked("service_tier", Asked::ServiceTier),
    TOOLS,
    object(
        "input",
        Asked::Item,
        &[
            path("content", &[attachment("image_url"), attachment("file_data")]),
            attachment("image_url"),
            asked("type", Asked::ItemKind),
            asked("id", Asked::ItemId),
        ],
    ),
    STORE,
    asked("background", Asked::Background),
    asked("previous_response_id", Asked::Refers("previous_response_id")),
    Field {
        name: "conversation",
        key: Some(Asked::Refers("conversation")),
        want: Want::Value,
        inside: &[asked("id", Asked::Refers("conversation.id"))],
    },
];

static RESPONSES_USAGE: [Field<Fact>; 7] = [
    count("input_tokens", Count::Input),
    count("output_tokens", Count::Output),
    count("total_tokens", Count::Total),
    path("input_tokens_details", &INPUT_DETAILS),
    path("output_tokens_details", &OUTPUT_DETAILS),
    told("cost", Fact::Cost { places: 0 }),
    told("cost_in_usd_ticks", Fact::Cost { places: 10 }),
];

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
const CALL_ID: Field<Fact> = told("id", Fact::CallId);
const CALL_KIND: Field<Fact> = told("type", Fact::CallKind);
const CALL_STATUS: Field<Fact> = told("status", Fact::CallStatus);
const CALL_ACTION: Field<Fact> = path("action", &[told("type", Fact::CallAction)]);
const CALL_CONTAINER: Field<Fact> = told("container_id", Fact::CallContainer);

/// The whole answer at the end of a stream, without the texts that the deltas have told already.
static STREAMED_RESPONSE: [Field<Fact>; 8] = [
    told("id", Fact::Id),
    told("model", Fact::Model),
    told("status", Fact::Kind),
    error("error"),
    told("service_tier", Fact::ServiceTier),
    object("usage", Fact::Usage, &RESPONSES_USAGE),
    path("tool_usage", &TOOL_USAGE),
    object("output", Fact::Call, &[CALL_ID, CALL_KIND, CALL_STATUS, CALL_ACTION, CALL_CONTAINER]),
];

static RESPONSES_EVENT: [Field<Fact>; 7] = [
    told("type", Fact::Kind),
    Field { name: "delta", key: Some(Fact::Output), want: Want::Size, inside: &STRAYS },
    varying("sequence_number"),
    varying("obfuscation"),
    path("response", &STREAMED_RESPONSE),
    object("item", Fact::Call, &[CALL_ID, CALL_KIND, CALL_STATUS, CALL_ACTION, CALL_CONTAINER]),
    error("error"),
];

static RESPONSES_ANSWER: [Field<Fact>; 8] = [
    told("id", Fact::Id),
    told("model", Fact::Model),
    told("status", Fact::Kind),
    error("error"),
    told("service_tier", Fact::ServiceTier),
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
    request: &RESPONSES_REQUEST,
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

static EMBEDDINGS_REQUEST: [Field<Asked>; 3] = [ROLE, SENSITIVITY, asked("model", Asked::Model)];

static EMBEDDINGS_ANSWER: [Field<Fact>; 3] =
    [told("model", Fact::Model), error("error"), object("usage", Fact::Usage, &CHAT_USAGE)];

pub static EMBEDDINGS: Schema = Schema {
    name: "openai_embeddings",
    request: &EMBEDDINGS_REQUEST,
    needs: None,
    output: Output::None,
    usage_option: false,
    answer: &EMBEDDINGS_ANSWER,
    event: &EMBEDDINGS_ANSWER,
    contract: Contract::InputOnly,
    grows: false,
    ..CHAT
};

static IMAGES_REQUEST: [Field<Asked>; 5] =
    [ROLE, SENSITIVITY, asked("model", Asked::Model), asked("stream", Asked::Stream), asked("n", Asked::Choices)];

static IMAGES_ANSWER: [Field<Fact>; 4] = [
    told("type", Fact::Kind),
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
    request: &IMAGES_REQUEST,
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
static AUDIO_REQUEST: [Field<Asked>; 4] = [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    Field { name: "input", key: Some(Asked::Characters), want: Want::Size, inside: &[] },
];

static AUDIO_ANSWER: [Field<Fact>; 6] = [
    told("type", Fact::Kind),
    text("text"),
    text("delta"),
    error("error"),
    // Of a verbose transcript, which has no usage.
    told("duration", Fact::Seconds),
    object(
        "usage",
        Fact::Usage,
        &[
            told("seconds", Fact::Seconds),
            count("input_tokens", Count::Input),
            count("output_tokens", Count::Output),
            count("total_tokens", Count::Total),
            path("input_token_details", &[count("audio_tokens", Count::AudioInput)]),
            path("output_token_details", &[count("audio_tokens", Count::AudioOutput)]),
        ],
    ),
];

pub static AUDIO: Schema = Schema {
    name: "openai_audio",
    request: &AUDIO_REQUEST,
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
