//! `POST /v1/responses`: items in, items out, and tools that OpenAI runs itself.

use super::chat::{INPUT_DETAILS, OUTPUT_DETAILS, OWN_KEY, SERVER_TOOLS, UPSTREAM, XAI_TOOLS};
use super::{FALLBACKS, OTHER_MODELS, PICTURE, PLUGINS, SOUND, STORE, linked};
use crate::llm::schema::field::{
    REFUSAL, REST, ROLE, SENSITIVITY, STRAYS, TOOL, address, asked, count, error, fields, hidden, inline, known, media,
    object, part, part_id, parts, path, text, value, varying,
};
use crate::llm::schema::{Asked, Dialect, Fact, Field, Medium, OutputBound, Schema, Slot, Small, Want};
use crate::llm::usage::{Contract, Count};

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
static MEMORY: [Field<Asked>; 1] = [asked("memory_limit", Asked::Memory)];
static ITEM_TOOLS_INSIDE: [Field<Asked>; 10] = {
    let [kind, most, tokens, model, ..] = TOOL;
    let svg = path("svg", &[asked("model", Asked::ToolModel)]);
    let frames = asked("frame_count", Asked::ToolFrames);
    let format = asked("output_format", Asked::ToolFormat);
    let key = Some(Asked::Refers("tools[].container"));
    let container = Field { name: "container", key, want: Want::Value, inside: &MEMORY };
    let place = object(
        "environment",
        Asked::ToolPlace,
        &[
            asked("type", Asked::ToolPlace),
            asked("container_id", Asked::Refers("tools[].environment.container_id")),
            asked("memory_limit", Asked::Memory),
        ],
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
            object("content", Asked::ItemPart, ITEM_PARTS),
            parts("output", ITEM_PARTS),
            asked("type", Asked::ItemKind),
            asked("id", Asked::ItemId),
            asked("role", Asked::ItemRole),
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

static RESPONSES_USAGE: [Field<Fact>; 17] = [
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
    XAI_TOOLS,
    SERVER_TOOLS,
    // Qwen.
    path("x_tools", &[path("web_search", &[count("count", Count::WebSearches)])]),
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
const INCOMPLETE: Field<Fact> = path("incomplete_details", &[value("reason", Fact::Finish)]);

static STREAMED_RESPONSE: [Field<Fact>; 9] = [
    value("id", Fact::Id),
    value("model", Fact::Model),
    value("status", Fact::Kind),
    error("error"),
    value("service_tier", Fact::ServiceTier),
    object("usage", Fact::Usage, &RESPONSES_USAGE),
    path("tool_usage", &TOOL_USAGE),
    object("output", Fact::Call, &[CALL_ID, CALL_KIND, CALL_STATUS, CALL_ACTION, CALL_CONTAINER, CALL_SHELL]),
    INCOMPLETE,
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

static RESPONSES_ANSWER: [Field<Fact>; 10] = [
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
            path("content", &[text("text"), REFUSAL, known("type"), known("annotations"), known("logprobs"), REST]),
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
    INCOMPLETE,
];

static RESPONSE_BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_output_tokens" }];

pub static RESPONSES: Schema = Schema {
    name: "openai_responses",
    dialect: Dialect::OpenAi,
    failure: Some("response.failed"),
    request: RESPONSES_REQUEST,
    needs: None,
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&RESPONSE_BOUNDS),
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: false,
    item: None,
    background: true,
    wrapped: false,
    own: false,
    always_reports: false,
    keeps: true,
    answer: &RESPONSES_ANSWER,
    event: &RESPONSES_EVENT,
    contract: Contract::CacheIncluded,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 20,
};

/// `POST /v1/responses/compact` takes no bound and keeps nothing: OpenAI refuses fields that it doesn't know.
pub static COMPACT: Schema = Schema { output: OutputBound::Unwritten, keeps: false, ..RESPONSES };
