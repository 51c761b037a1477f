//! `POST /v1/audio/speech`, `transcriptions` and `translations`.

use super::chat::CHAT;
use crate::llm::schema::field::{
    ROLE, SENSITIVITY, asked, count, error, fields, hidden, media, object, path, text, value,
};
use crate::llm::schema::{Asked, Fact, Field, OutputBound, Schema, Want};
use crate::llm::usage::Count;

/// What is read out is sold by the character.
static AUDIO_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("stream", Asked::Stream),
    Field { name: "input", key: Some(Asked::Characters), want: Want::Pieces, inside: &[] },
    // Mistral's: what is to be written down, somewhere else.
    hidden("file_id"),
    hidden("file_url"),]
    free [
        "context_bias" "conversation_history" "diarize" "expressiveness" "metadata" "phoneme_hints" "prompt_cache_key"
        "ref_audio" "speaker_references" "voice_id"
        "instructions" "response_format" "speed" "stream_format" "voice" "chunking_strategy" "file" "include" "keywords"
        "known_speaker_names" "known_speaker_references" "language" "languages" "prompt" "temperature"
        "timestamp_granularities"
        // Of faster-whisper's servers and vLLM: how carefully it is listened, which changes no price.
        "beam_size" "best_of" "hotwords" "n_best" "to_language" "use_beam_search" "vad_filter"
    ]
};

static AUDIO_ANSWER: [Field<Fact>; 9] = [
    value("type", Fact::Kind),
    text("text"),
    text("delta"),
    // Speech as events; Mistral's.
    media("audio"),
    media("audio_data"),
    error("error"),
    // Of a verbose transcript, which has no usage.
    value("duration", Fact::Seconds),
    value("audio_duration", Fact::Seconds),
    object(
        "usage",
        Fact::Usage,
        &[
            value("seconds", Fact::Seconds),
            value("duration", Fact::Seconds),
            value("audio_seconds", Fact::Seconds),
            value("input_audio_seconds", Fact::Seconds),
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
    output: OutputBound::Fixed(5_000),
    usage_option: false,
    answer: &AUDIO_ANSWER,
    event: &AUDIO_ANSWER,
    // A second of MP3 has sixteen kilobytes and is billed as some twenty tokens.
    opaque_bytes_per_token: 800,
    grows: false,
    ..CHAT
};
