//! Cohere's chat (second version, and the first one's shapes where they differ), embeddings and rerankings; the last is
//! also what Jina, Voyage and others answer. Source: the API references.

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS, address, asked, count, error, fields, known, object, part, path, text, value,
};
use super::{Asked, Dialect, Fact, Field, Item, Medium, OutputBound, Schema, Slot, Small, Want};
use crate::llm::usage::{Contract, Count};

static PICTURE: [Field<Asked>; 1] = [address("url", Medium::Picture)];
static PARTS: &[Field<Asked>] = part! {
    [path("image_url", &PICTURE),]
    free ["type" "text" "thinking" "document"]
};

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    asked("max_tokens", Asked::Bound(0)),
    TOOLS,
    path("messages", &[path("content", PARTS)]),
    // The first version's: what the provider searches, and what it keeps.
    object("connectors", Asked::Servers("connectors"), &[]),
    asked("conversation_id", Asked::Refers("conversation_id")),]
    free [
        "strict_tools" "documents" "citation_options" "response_format" "safety_mode" "stop_sequences" "temperature" "seed"
        "frequency_penalty"
        "presence_penalty" "k" "p" "logprobs" "tool_choice" "thinking" "priority"
        // The first version.
        "message" "chat_history" "preamble" "preamble_override" "prompt_truncation" "raw_prompting" "citation_quality"
        "tool_results" "force_single_step" "search_queries_only"
        "max_input_tokens"
    ]
};

/// `billed_units` are what is charged, `tokens` what was counted.
static COUNTS: [Field<Fact>; 3] = [
    count("cached_tokens", Count::Cached),
    path(
        "billed_units",
        &[
            count("input_tokens", Count::BilledInput),
            count("output_tokens", Count::BilledOutput),
            count("search_units", Count::SearchUnits),
        ],
    ),
    path("tokens", &[count("input_tokens", Count::Input), count("output_tokens", Count::Output)]),
];

static MESSAGE: [Field<Fact>; 7] = [
    Field {
        name: "content",
        key: Some(Fact::Output),
        want: Want::Size,
        inside: &[text("text"), text("thinking"), known("type"), REST],
    },
    text("tool_plan"),
    path(
        "tool_calls",
        &[path("function", &[text("name"), text("arguments"), REST]), known("id"), known("type"), known("index"), REST],
    ),
    // Pieces of the text, and where they come from.
    known("citations"),
    known("role"),
    known("id"),
    REST,
];

static ANSWER: [Field<Fact>; 9] = [
    value("type", Fact::Kind),
    path("delta", &[path("message", &MESSAGE), object("usage", Fact::Usage, &COUNTS), error("error"), FINISH]),
    path("message", &MESSAGE),
    object("usage", Fact::Usage, &COUNTS),
    // The first version of the API.
    object("meta", Fact::Usage, &COUNTS),
    path("response", &[object("meta", Fact::Usage, &COUNTS)]),
    text("text"),
    FINISH,
    error("error"),
];
const FINISH: Field<Fact> = value("finish_reason", Fact::Finish);

static BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_tokens" }];

pub static CHAT: Schema = Schema {
    name: "cohere_chat",
    dialect: Dialect::Cohere,
    failure: Some("message-end"),
    request: REQUEST,
    needs: None,
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&BOUNDS),
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: false,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    always_reports: false,
    keeps: false,
    answer: &ANSWER,
    event: &ANSWER,
    contract: Contract::CacheIncluded,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 14,
};

static EMBED_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    address("images", Medium::Picture),
    path("inputs", &[path("content", PARTS)]),]
    free [
        "input_type" "texts" "max_tokens" "output_dimension" "embedding_types" "truncate" "priority"
    ]
};

static EMBED_ANSWER: [Field<Fact>; 3] = [
    object("embeddings", Fact::Made, &[]),
    object(
        "meta",
        Fact::Usage,
        &[path(
            "billed_units",
            &[
                count("input_tokens", Count::BilledInput),
                count("image_tokens", Count::ImageInput),
                count("images", Count::Images),
            ],
        )],
    ),
    object("usage", Fact::Usage, &[count("total_tokens", Count::Total)]),
];

pub static EMBED: Schema = Schema {
    name: "cohere_embed",
    request: EMBED_REQUEST,
    output: OutputBound::None,
    answer: &EMBED_ANSWER,
    event: &EMBED_ANSWER,
    contract: Contract::InputOnly,
    ..CHAT
};

static RERANK_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE, SENSITIVITY, asked("model", Asked::Model), object("documents", Asked::Document, &[]),
    Field { name: "query", key: Some(Asked::Query), want: Want::Size, inside: &[] },]
    free [
        "top_n" "top_k" "max_tokens_per_doc" "max_chunks_per_doc" "relevant_spans" "priority" "rank_fields"
        "return_documents" "truncation" "truncate"
    ]
};

static RERANK_ANSWER: [Field<Fact>; 6] = [
    value("model", Fact::Model),
    object("results", Fact::Made, &[]),
    object("data", Fact::Made, &[]),
    error("error"),
    object("meta", Fact::Usage, &COUNTS),
    object(
        "usage",
        Fact::Usage,
        &[
            count("total_tokens", Count::Total),
            count("prompt_tokens", Count::Input),
            // OpenRouter's.
            count("search_units", Count::SearchUnits),
            value("cost", Fact::Cost { places: 0 }),
        ],
    ),
];

pub static RERANK: Schema = Schema {
    name: "rerank",
    request: RERANK_REQUEST,
    output: OutputBound::None,
    item: Some(Item::SearchUnit),
    answer: &RERANK_ANSWER,
    event: &RERANK_ANSWER,
    contract: Contract::InputOnly,
    ..CHAT
};
