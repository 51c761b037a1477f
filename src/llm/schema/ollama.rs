//! Ollama's own API: newline-delimited JSON, streamed unless the client says otherwise. What its cache held of the prompt
//! is not counted at all: then the input is estimated. Source: the API reference.

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS, asked, count, error, fields, inline, known, never, object, path, text, value,
};
use super::{Asked, Dialect, Fact, Field, Medium, OutputBound, Schema, Slot, Small};
use crate::llm::usage::{Contract, Count};

const MACHINE: &str = "left out: how a model runs on the server's machine is for its operator to say";
static OPTIONS: &[Field<Asked>] = fields! {
    [
    asked("num_predict", Asked::Bound(0)),
    never("num_gpu", MACHINE),
    never("main_gpu", MACHINE),
    never("num_thread", MACHINE),
    never("num_batch", MACHINE),
    never("numa", MACHINE),
    never("low_vram", MACHINE),
    never("use_mmap", MACHINE),
    never("use_mlock", MACHINE),
    never("vocab_only", MACHINE),]
    free [
        "num_ctx" "num_keep" "seed" "temperature" "top_k" "top_p" "min_p" "tfs_z" "typical_p" "repeat_last_n" "repeat_penalty"
        "presence_penalty" "frequency_penalty" "mirostat" "mirostat_eta" "mirostat_tau" "penalize_newline" "stop"
        "f16_kv" "logits_all" "embedding_only" "draft_num_predict"
    ]
};

static CHAT_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    object("options", Asked::Nest, OPTIONS),
    TOOLS,
    object("messages", Asked::Needed, &[inline("images", Medium::Picture)]),]
    free [
        "think" "logprobs" "top_logprobs" "format" "keep_alive" "truncate" "shift"
    ]
};

static ANSWER: [Field<Fact>; 8] = [
    value("model", Fact::Model),
    error("error"),
    text("response"),
    text("thinking"),
    path(
        "message",
        &[
            text("content"),
            text("thinking"),
            path("tool_calls", &[path("function", &[text("name"), object("arguments", Fact::Arguments, &[])])]),
            known("role"),
            known("tool_name"),
            path("images", &[]),
            REST,
        ],
    ),
    count("prompt_eval_count", Count::Input),
    count("eval_count", Count::Output),
    value("done_reason", Fact::Finish),
];

static BOUNDS: [Slot; 1] = [Slot { nest: Some("options"), name: "num_predict" }];

pub static CHAT: Schema = Schema {
    name: "ollama_chat",
    dialect: Dialect::Ollama,
    failure: None,
    request: CHAT_REQUEST,
    needs: None,
    takes_forms: false,
    streams: true,
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
    compressed_stream_bytes_per_token: 22,
};

static GENERATE_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    object("options", Asked::Nest, OPTIONS),
    // Of a few bytes, one makes a prompt of any length.
    never("template", "left out: how a prompt is written is the server's to say"),
    TOOLS,
    inline("images", Medium::Picture),]
    free [
        "prompt" "suffix" "system" "context" "think" "logprobs" "top_logprobs" "raw" "format" "keep_alive"
        "width" "height" "steps" "truncate" "shift"
    ]
};

pub static GENERATE: Schema = Schema { name: "ollama_generate", request: GENERATE_REQUEST, ..CHAT };

static EMBED_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE, SENSITIVITY, asked("model", Asked::Model),]
    free [
        "input" "prompt" "truncate" "options" "keep_alive" "dimensions"
    ]
};

pub static EMBED: Schema = Schema {
    name: "ollama_embed",
    request: EMBED_REQUEST,
    streams: false,
    output: OutputBound::None,
    contract: Contract::InputOnly,
    ..CHAT
};
