//! Anthropic's messages. The start of a stream tells the input, and an output that is only a place holder: what counts
//! is in the last `message_delta`. Source: the API reference, "Streaming Messages".

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS, TOOLS_INSIDE, asked, count, error, fields, hidden, known, object, part, part_id,
    parts, path, text, value,
};
use super::openai::{OWN_KEY, PLUGINS, UPSTREAM};
use super::{Asked, Dialect, Fact, Field, OutputBound, Schema, Slot, Small, Want};
use crate::llm::usage::{Contract, Count};

const KIND: Field<Asked> = asked("type", Asked::PartKind);
const SOURCE_KIND: Field<Asked> = asked("type", Asked::SourceKind);
const MEDIA_TYPE: Field<Asked> = asked("media_type", Asked::MediaType);
const DATA: Field<Asked> = Field { name: "data", key: Some(Asked::SourceData), want: Want::Size, inside: &[] };
const ADDRESS: Field<Asked> = Field { name: "url", key: Some(Asked::SourceAddress), want: Want::Presence, inside: &[] };
const FILE: Field<Asked> = part_id("file_id");

/// What a picture or a document is made from; of a document that may be parts again.
pub(super) static SOURCE: &[Field<Asked>] = part! {
    [
    SOURCE_KIND,
    MEDIA_TYPE,
    DATA,
    ADDRESS,
    FILE,
    parts("content", part! {
        [KIND, object("source", Asked::Source, part! { [SOURCE_KIND, MEDIA_TYPE, DATA, ADDRESS, FILE,] free [] }),]
        free ["text" "citations"]
    }),]
    free []
};

/// What tools gave back, the provider's own among them: what those found stands here, and is not fetched again.
static RESULT: &[Field<Asked>] = part! {
    [
    KIND,
    object("source", Asked::Source, SOURCE),
    parts("content", part! {
        [KIND, object("source", Asked::Source, SOURCE),]
        free ["text" "title" "citations" "context" "file_id"]
    }),]
    free [
        "text" "citations" "title" "context" "url" "encrypted_content" "page_age" "stdout" "stderr" "file_id" "tool_references"
    ]
};

pub(super) static JOINING: [Field<Asked>; 1] = [object("definition", Asked::Tools, &TOOLS_INSIDE)];

pub(super) static BLOCK: &[Field<Asked>] = part! {
    [
    KIND,
    // A tool that joins in the middle.
    path("tool", &JOINING),
    path("tool_changes", &[path("tool", &JOINING)]),
    TOOLS,
    object("source", Asked::Source, SOURCE),
    parts("content", RESULT),
    // Of what is put into a container.
    hidden("file_id"),]
    free [
        "text" "thinking" "signature" "id" "name" "input" "tool_use_id" "is_error" "citations" "title" "context" "data"
        "server_name" "caller" "transformations"
    ]
};

/// A container that another answer has left, by its id or with skills that are to be put into it.
pub(super) const LEFT_CONTAINER: Field<Asked> = Field {
    name: "container",
    key: Some(Asked::Refers("container")),
    want: Want::Value,
    inside: &[
        asked("id", Asked::Refers("container.id")),
        // What is put into one is read, too.
        Field { name: "skills", key: Some(Asked::Hidden("container")), want: Want::Presence, inside: &[] },
    ],
};
/// In bodies for Bedrock and Vertex, what is a header elsewhere.
pub(super) const BETAS: Field<Asked> = asked("anthropic_beta", Asked::Flags("anthropic_beta"));
pub(super) const VERSION: Field<Asked> = asked("anthropic_version", Asked::Flags("anthropic_version"));

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    asked("max_tokens", Asked::Bound(0)),
    asked("service_tier", Asked::ServiceTier),
    asked("speed", Asked::Speed),
    asked("inference_geo", Asked::Region),
    TOOLS,
    object("fallbacks", Asked::OtherModels("fallbacks"), &[]),
    // OpenRouter's.
    PLUGINS,
    object("messages", Asked::Needed, &[parts("content", BLOCK), TOOLS]),
    LEFT_CONTAINER,
    asked("thread", Asked::Refers("thread")),
    BETAS,
    VERSION,
    object("mcp_servers", Asked::Servers("mcp_servers"), &[]),]
    free [
        "compaction" "context_management" "diagnostics" "metadata" "output_config"
        "output_format" "stop_sequences" "system"
        "temperature" "thinking" "tool_choice" "top_k" "top_p" "user_profile_id"
        // Whom it bills, and at less.
        "billing_policy" "fallback_credit_token"
    ]
};

/// Rounds that the totals may leave out: compactions, other models inside of a tool, attempts before a fallback.
static ITERATION: [Field<Fact>; 5] = [
    value("input_tokens", Fact::Iterated(Count::Input)),
    value("output_tokens", Fact::Iterated(Count::Output)),
    value("cache_read_input_tokens", Fact::Iterated(Count::Cached)),
    value("cache_creation_input_tokens", Fact::Iterated(Count::CacheCreation)),
    path(
        "cache_creation",
        &[
            value("ephemeral_5m_input_tokens", Fact::Iterated(Count::CacheCreation5m)),
            value("ephemeral_1h_input_tokens", Fact::Iterated(Count::CacheCreation1h)),
        ],
    ),
];

const INPUT: [Field<Fact>; 10] = [
    count("input_tokens", Count::Input),
    count("cache_read_input_tokens", Count::Cached),
    count("cache_creation_input_tokens", Count::CacheCreation),
    path(
        "cache_creation",
        &[
            count("ephemeral_5m_input_tokens", Count::CacheCreation5m),
            count("ephemeral_1h_input_tokens", Count::CacheCreation1h),
        ],
    ),
    path("server_tool_use", &[count("web_search_requests", Count::WebSearches)]),
    value("service_tier", Fact::ServiceTier),
    value("speed", Fact::Speed),
    value("inference_geo", Fact::Region),
    object("iterations", Fact::Iteration, &ITERATION),
    // Names of OpenAI's chat, which some write beside their own, and others alone.
    count("prompt_tokens", Count::WholeInput),
];

pub(super) const COUNTS: [Field<Fact>; 16] = {
    let [input, read, created, by_age, tools, tier, speed, region, rounds, prompt] = INPUT;
    let completion = count("completion_tokens", Count::WholeOutput);
    let output = count("output_tokens", Count::Output);
    let details = path(
        "output_tokens_details",
        &[count("thinking_tokens", Count::Reasoning), count("reasoning_tokens", Count::Reasoning)],
    );
    // OpenRouter's.
    let cost = value("cost", Fact::Cost { places: 0 });
    [
        input, read, created, by_age, tools, tier, speed, region, rounds, output, details, cost, OWN_KEY, UPSTREAM,
        prompt, completion,
    ]
};

/// Where code ran; a stream tells it at its end.
const CONTAINER: Field<Fact> = path("container", &[value("id", Fact::Container)]);

/// What a server's tools brought is no output: it is read, and counted as input.
static BLOCK_ANSWERED: [Field<Fact>; 16] = [
    text("text"),
    text("thinking"),
    text("name"),
    object("input", Fact::Arguments, &[]),
    known("type"),
    known("id"),
    object("tool_use_id", Fact::Served, &[]),
    known("signature"),
    known("data"),
    // Each block of what a search found is a search: a stream tells their number only at its end.
    path("content", &[value("type", Fact::Found)]),
    known("citations"),
    known("caller"),
    known("file_id"),
    known("server_name"),
    known("is_error"),
    REST,
];

/// Why the answer ended.
const STOP_REASON: Field<Fact> = value("stop_reason", Fact::Finish);

pub(super) static ANSWER: [Field<Fact>; 14] = FACTS;
pub(super) const FACTS: [Field<Fact>; 14] = [
    value("type", Fact::Kind),
    value("model", Fact::Model),
    error("error"),
    path("message", &[value("model", Fact::Model), CONTAINER, object("usage", Fact::Usage, &INPUT)]),
    CONTAINER,
    object("usage", Fact::Usage, &COUNTS),
    path("content_block", &BLOCK_ANSWERED),
    path(
        "delta",
        &[
            text("text"),
            text("thinking"),
            text("partial_json"),
            known("type"),
            // It grows with what is thought, which is counted beside it, or hidden: then time bounds it.
            known("signature"),
            known("citation"),
            STOP_REASON,
            known("stop_sequence"),
            known("stop_details"),
            CONTAINER,
            known("context_management"),
            known("role"),
            object("usage", Fact::Usage, &COUNTS),
            REST,
        ],
    ),
    path("content", &BLOCK_ANSWERED),
    STOP_REASON,
    // Bedrock says so in the last event of a streamed InvokeModel.
    path(
        "amazon-bedrock-invocationMetrics",
        &[
            count("inputTokenCount", Count::Input),
            count("outputTokenCount", Count::Output),
            count("cacheReadInputTokenCount", Count::Cached),
            count("cacheWriteInputTokenCount", Count::CacheCreation),
        ],
    ),
    // Embeddings, through Bedrock; Titan's tell their count.
    count("inputTextTokenCount", Count::Input),
    object("embedding", Fact::Embedding, &[]),
    object("embeddings", Fact::Embedding, &[]),
];

static BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_tokens" }];

pub static MESSAGES: Schema = Schema {
    name: "anthropic_messages",
    dialect: Dialect::Anthropic,
    failure: Some("error"),
    request: REQUEST,
    needs: Some("messages"),
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&BOUNDS),
    // Only the cache is filled.
    zero: Small::Nothing,
    negative: Small::Open,
    caches_on_request: true,
    usage_option: false,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    always_reports: true,
    keeps: false,
    answer: &ANSWER,
    event: &ANSWER,
    contract: Contract::CacheBeside,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 4,
};
