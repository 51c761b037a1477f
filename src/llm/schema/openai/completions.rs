//! The API before chat: `POST /v1/completions`.

use super::chat::CHAT;
use super::{FALLBACKS, NOT_N_PREDICT, NOT_NEW_TOKENS, NOT_NUM_PREDICT, OTHER_MODELS, STREAM_OPTIONS};
use crate::llm::schema::field::{ROLE, SENSITIVITY, asked, fields};
use crate::llm::schema::{Asked, Field, OutputBound, Schema, Slot, Small, Want};

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
    output: OutputBound::Field(&COMPLETION_BOUNDS),
    // With `echo`, only the prompt comes back from OpenAI; llama-cpp-python takes it for "no bound".
    zero: Small::Either,
    ..CHAT
};
