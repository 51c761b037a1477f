//! `POST /v1/embeddings`.

use super::chat::{CHAT, CHAT_USAGE};
use crate::llm::schema::field::{ROLE, SENSITIVITY, asked, error, fields, object, value};
use crate::llm::schema::{Asked, Fact, Field, OutputBound, Schema};
use crate::llm::usage::Contract;

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
    output: OutputBound::None,
    usage_option: false,
    answer: &EMBEDDINGS_ANSWER,
    event: &EMBEDDINGS_ANSWER,
    contract: Contract::InputOnly,
    grows: false,
    ..CHAT
};
