//! Bedrock: Converse for all models, InvokeModel in each model's own shape (Anthropic's is read, and of the others what
//! Bedrock's own headers count). Which model and whether it streams stands in the path. Source: the API reference.

use super::{Asked, Contract, Count, Dialect, Fact, Field, Output, ROLE, SENSITIVITY, Schema, Slot, Small, Want};
use super::{REST, anthropic, asked, attachment, count, error, known, media, object, path, text, told};

static SOURCE: [Field<Asked>; 1] = [path("source", &[attachment("bytes")])];
static BLOCK: [Field<Asked>; 3] = [path("image", &SOURCE), path("document", &SOURCE), path("video", &SOURCE)];

static REQUEST: [Field<Asked>; 4] = [
    ROLE,
    SENSITIVITY,
    object("inferenceConfig", Asked::Nest, &[asked("maxTokens", Asked::Bound(0))]),
    object("messages", Asked::Needed, &[path("content", &BLOCK)]),
];

static ANSWER: [Field<Fact>; 6] = [
    error("error"),
    object(
        "usage",
        Fact::Usage,
        &[
            count("inputTokens", Count::Input),
            count("outputTokens", Count::Output),
            count("totalTokens", Count::Total),
            count("cacheReadInputTokens", Count::Cached),
            count("cacheWriteInputTokens", Count::CacheCreation),
            object(
                "cacheDetails",
                Fact::WrittenFor,
                &[told("ttl", Fact::WrittenAge), told("inputTokens", Fact::WrittenTokens)],
            ),
        ],
    ),
    path(
        "delta",
        &[
            text("text"),
            path("toolUse", &[text("input"), REST]),
            path("reasoningContent", &[text("text"), known("signature"), known("redactedContent"), REST]),
            known("citation"),
            known("image"),
            REST,
        ],
    ),
    path(
        "output",
        &[path(
            "message",
            &[path(
                "content",
                &[
                    text("text"),
                    path(
                        "toolUse",
                        &[text("name"), object("input", Fact::Arguments, &[]), known("toolUseId"), known("type")],
                    ),
                    path(
                        "reasoningContent",
                        &[
                            path("reasoningText", &[text("text"), known("signature"), REST]),
                            known("redactedContent"),
                            REST,
                        ],
                    ),
                    path("citationsContent", &[path("content", &[text("text"), REST]), known("citations"), REST]),
                    path("image", &[known("format"), path("source", &[media("bytes")])]),
                    REST,
                ],
            )],
        )],
    ),
    path("start", &[path("toolUse", &[text("name")])]),
    path("serviceTier", &[told("type", Fact::ServiceTier)]),
];

static BOUNDS: [Slot; 1] = [Slot { nest: Some("inferenceConfig"), name: "maxTokens" }];

pub static CONVERSE: Schema = Schema {
    name: "bedrock_converse",
    dialect: Dialect::Aws,
    request: &REQUEST,
    needs: None,
    takes_forms: false,
    streams: false,
    output: Output::Field(&BOUNDS),
    zero: Small::Refused,
    negative: Small::Refused,
    caches_on_request: true,
    usage_option: false,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    answer: &ANSWER,
    event: &ANSWER,
    contract: Contract::CacheBeside,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 4,
};

/// Each family of models calls its bound otherwise.
static INVOKE_REQUEST: [Field<Asked>; 9] = [
    ROLE,
    SENSITIVITY,
    asked("max_tokens", Asked::Bound(0)),
    asked("max_gen_len", Asked::Bound(0)),
    asked("maxTokens", Asked::Bound(0)),
    path("inferenceConfig", &[asked("maxTokens", Asked::Bound(0)), asked("max_new_tokens", Asked::Bound(0))]),
    path("textGenerationConfig", &[asked("maxTokenCount", Asked::Bound(0))]),
    path("messages", &[path("content", &[path("source", &[attachment("data")])])]),
    // Titan's picture, which it bills by the piece.
    Field { name: "inputImage", key: Some(Asked::Picture), want: Want::Size, inside: &[] },
];

pub static INVOKE: Schema = Schema {
    name: "bedrock_invoke",
    request: &INVOKE_REQUEST,
    wrapped: true,
    own: false,
    output: Output::Unwritten,
    zero: Small::Either,
    answer: &anthropic::ANSWER,
    event: &anthropic::ANSWER,
    ..CONVERSE
};
