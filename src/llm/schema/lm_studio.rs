//! LM Studio's own API. Source: its REST reference.

use super::field::{ROLE, SENSITIVITY, address, asked, count, error, fields, object, part, path, text, value};
use super::{Asked, Fact, Field, Medium, OutputBound, Schema, Slot, openai};
use crate::llm::usage::{Contract, Count};

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    asked("max_output_tokens", Asked::Bound(0)),
    object("integrations", Asked::Tools, &[asked("type", Asked::ToolKind)]),
    asked("previous_response_id", Asked::Refers("previous_response_id")),
    asked("store", Asked::Store),
    path("input", part! { [address("data_url", Medium::Picture),] free ["type" "content" "text"] }),]
    free [
        "system_prompt" "temperature" "top_p" "top_k" "min_p" "repeat_penalty" "reasoning" "context_length"
    ]
};

static STATS: [Field<Fact>; 3] = [
    count("input_tokens", Count::Input),
    count("total_output_tokens", Count::Output),
    count("reasoning_output_tokens", Count::Reasoning),
];

static ANSWER: [Field<Fact>; 6] = [
    value("response_id", Fact::Id),
    value("model_instance_id", Fact::Model),
    error("error"),
    path("output", &[text("content"), text("output"), object("arguments", Fact::Arguments, &[])]),
    object("stats", Fact::Usage, &STATS),
    value("type", Fact::Kind),
];

/// The end of a stream brings the whole answer once more.
static EVENT: [Field<Fact>; 5] = [
    value("type", Fact::Kind),
    error("error"),
    text("content"),
    path(
        "result",
        &[
            value("response_id", Fact::Id),
            value("model_instance_id", Fact::Model),
            object("stats", Fact::Usage, &STATS),
        ],
    ),
    object("stats", Fact::Usage, &STATS),
];

static BOUNDS: [Slot; 1] = [Slot { nest: None, name: "max_output_tokens" }];

pub static CHAT: Schema = Schema {
    name: "lm_studio_chat",
    failure: Some("error"),
    request: REQUEST,
    output: OutputBound::Field(&BOUNDS),
    background: false,
    answer: &ANSWER,
    event: &EVENT,
    contract: Contract::CacheIncluded,
    ..openai::RESPONSES
};
