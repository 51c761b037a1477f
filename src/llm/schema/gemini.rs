//! Gemini, on Google AI Studio and Vertex. Which model and whether it streams stands in the path; both spellings of a
//! field are the same field (protobuf's JSON). Source: the API reference, `GenerateContentResponse.UsageMetadata`.

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS_BY_MEMBER, asked, count, error, fields, hidden, inline, known, media, object, part,
    path, text, value,
};
use super::{Asked, Dialect, Fact, Field, Medium, OutputBound, Schema, Slot, Small, Want};
use crate::llm::usage::{Contract, Count};

static DATA: &[Field<Asked>] = part! {
    [
    Field { name: "data", key: Some(Asked::SourceData), want: Want::Size, inside: &[] },
    asked("mimeType", Asked::MediaType),
    asked("mime_type", Asked::MediaType),]
    free ["displayName" "display_name"]
};
static FILE: [Field<Asked>; 2] = [hidden("fileUri"), hidden("file_uri")];
static RESPONSE: [Field<Asked>; 1] = [path("parts", RESPONSE_PARTS)];
static RESPONSE_PARTS: &[Field<Asked>] = part! {
    [
    object("inlineData", Asked::Source, DATA),
    object("inline_data", Asked::Source, DATA),
    path("fileData", &FILE),
    path("file_data", &FILE),]
    free ["audioMetadata" "documentMetadata" "mediaResolution" "spreadsheetMetadata" "videoMetadata"]
};

pub(super) static PARTS: &[Field<Asked>] = part! {
    [
    object("inlineData", Asked::Source, DATA),
    object("inline_data", Asked::Source, DATA),
    path("fileData", &FILE),
    path("file_data", &FILE),
    path("functionResponse", &RESPONSE),
    path("function_response", &RESPONSE),]
    free [
        "text" "thought" "thoughtSignature" "thought_signature" "functionCall" "function_call" "executableCode"
        "executable_code" "codeExecutionResult" "code_execution_result" "toolCall" "tool_call" "toolResponse"
        "tool_response" "videoMetadata" "video_metadata" "mediaResolution" "media_resolution" "partMetadata" "part_metadata"
        // How what is beside is read, and what was heard of it.
        "audioMetadata" "audio_metadata" "audioTranscription" "audio_transcription" "documentMetadata" "document_metadata"
        "mediaProcessing" "media_processing" "speechMetadata" "speech_metadata" "spreadsheetMetadata"
        "spreadsheet_metadata"
    ]
};
static CONTENT: [Field<Asked>; 1] = [path("parts", PARTS)];

/// Which model serves is said to the gateway, and never by what is liked best.
static CONFIG: &[Field<Asked>] = fields! {
    [
    asked("maxOutputTokens", Asked::Bound(0)),
    asked("max_output_tokens", Asked::Bound(0)),
    asked("candidateCount", Asked::Choices),
    asked("candidate_count", Asked::Choices),
    object("routingConfig", Asked::OtherModel("generationConfig.routingConfig"), &[]),
    object("routing_config", Asked::OtherModel("generation_config.routing_config"), &[]),
    object("modelSelectionConfig", Asked::OtherModel("generationConfig.modelSelectionConfig"), &[]),
    object("model_selection_config", Asked::OtherModel("generation_config.model_selection_config"), &[]),]
    free [
        "temperature" "topP" "top_p" "topK" "top_k" "stopSequences" "stop_sequences" "seed" "presencePenalty"
        "presence_penalty" "frequencyPenalty" "frequency_penalty" "responseLogprobs" "response_logprobs"
        "logprobs" "responseMimeType" "response_mime_type" "responseSchema" "response_schema"
        "responseJsonSchema" "response_json_schema" "responseFormat" "response_format" "responseModalities"
        "response_modalities" "mediaResolution" "media_resolution" "speechConfig" "speech_config"
        "audioTimestamp" "audio_timestamp" "audioTranscriptionConfig" "audio_transcription_config"
        "translationConfig" "translation_config" "thinkingConfig" "thinking_config" "imageConfig" "image_config"
        "enableAffectiveDialog" "enable_affective_dialog" "enableEnhancedCivicAnswers"
        "enable_enhanced_civic_answers"
    ]
};

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    object("generationConfig", Asked::Nest, CONFIG),
    object("generation_config", Asked::Nest, CONFIG),
    asked("serviceTier", Asked::ServiceTier),
    asked("service_tier", Asked::ServiceTier),
    TOOLS_BY_MEMBER,
    hidden("cachedContent"),
    hidden("cached_content"),
    object("contents", Asked::Needed, &CONTENT),
    path("systemInstruction", &CONTENT),
    path("system_instruction", &CONTENT),
    // Of an answer that broke off, and of what came before it.
    hidden("continuationToken"),
    hidden("continuation_token"),]
    free [
        "safetySettings" "safety_settings" "toolConfig" "tool_config" "labels"
        "modelArmorConfig"
        "model_armor_config" "generationOutputConfig" "generation_output_config" "store" "model" "automaticFunctionCalling" "automaticContinuation"
    ]
};

static DETAILS: [Field<Fact>; 3] = [
    value("modality", Fact::Modality),
    value("tokenCount", Fact::ModalityTokens),
    value("token_count", Fact::ModalityTokens),
];
const INPUT: Fact = Fact::Modalities { audio: Count::AudioInput, image: Count::ImageInput };
const OUTPUT: Fact = Fact::Modalities { audio: Count::AudioOutput, image: Count::ImageOutput };

/// Google answers in the first spelling; relays that were made with its SDK for Python, in the second.
static USAGE: [Field<Fact>; 19] = [
    count("promptTokenCount", Count::Input),
    count("candidatesTokenCount", Count::Output),
    count("thoughtsTokenCount", Count::Reasoning),
    count("toolUsePromptTokenCount", Count::ToolUseInput),
    count("cachedContentTokenCount", Count::Cached),
    count("totalTokenCount", Count::Total),
    object("promptTokensDetails", INPUT, &DETAILS),
    object("candidatesTokensDetails", OUTPUT, &DETAILS),
    value("trafficType", Fact::TrafficType),
    value("serviceTier", Fact::TrafficType),
    count("prompt_token_count", Count::Input),
    count("candidates_token_count", Count::Output),
    count("thoughts_token_count", Count::Reasoning),
    count("tool_use_prompt_token_count", Count::ToolUseInput),
    count("cached_content_token_count", Count::Cached),
    count("total_token_count", Count::Total),
    object("prompt_tokens_details", INPUT, &DETAILS),
    object("candidates_tokens_details", OUTPUT, &DETAILS),
    value("traffic_type", Fact::TrafficType),
];

static ANSWERED: [Field<Fact>; 17] = [
    text("text"),
    object("functionCall", Fact::Arguments, &[]),
    path("executableCode", &[text("code"), known("language"), known("id"), REST]),
    path("inlineData", &[media("data"), known("mimeType"), known("displayName"), REST]),
    object("function_call", Fact::Arguments, &[]),
    path("executable_code", &[text("code"), known("language"), known("id"), REST]),
    path("inline_data", &[media("data"), known("mime_type"), known("display_name"), REST]),
    known("code_execution_result"),
    known("thought_signature"),
    // What a sandbox said, a server's tools, and signatures of what was thought: none is written by the model.
    known("codeExecutionResult"),
    known("toolCall"),
    known("toolResponse"),
    known("fileData"),
    known("thoughtSignature"),
    known("videoMetadata"),
    known("partMetadata"),
    REST,
];

static ANSWER: [Field<Fact>; 8] = [
    value("modelVersion", Fact::Model),
    error("error"),
    object("usageMetadata", Fact::Usage, &USAGE),
    path(
        "candidates",
        &[
            value("finishReason", Fact::Finish),
            path(
                "groundingMetadata",
                &[value("webSearchQueries", Fact::Query), value("imageSearchQueries", Fact::Query)],
            ),
            path("content", &[path("parts", &ANSWERED)]),
            value("finish_reason", Fact::Finish),
            path(
                "grounding_metadata",
                &[value("web_search_queries", Fact::Query), value("image_search_queries", Fact::Query)],
            ),
        ],
    ),
    path("promptFeedback", &[value("blockReason", Fact::Finish)]),
    value("model_version", Fact::Model),
    object("usage_metadata", Fact::Usage, &USAGE),
    path("prompt_feedback", &[value("block_reason", Fact::Finish)]),
];

static BOUNDS: [Slot; 1] = [Slot { nest: Some("generationConfig"), name: "maxOutputTokens" }];

pub static GENERATE: Schema = Schema {
    name: "gemini_generate",
    dialect: Dialect::Gemini,
    failure: None,
    request: REQUEST,
    needs: Some("contents"),
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&BOUNDS),
    // In protobuf, 0 is what was not said.
    zero: Small::Open,
    negative: Small::Open,
    caches_on_request: false,
    usage_option: false,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    always_reports: true,
    keeps: false,
    answer: &ANSWER,
    event: &ANSWER,
    contract: Contract::ThoughtsBeside,
    grows: true,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 3,
};

static EMBED_ANSWER: [Field<Fact>; 6] = [
    error("error"),
    object("embedding", Fact::Made, &[]),
    object("embeddings", Fact::Made, &[]),
    object("usage_metadata", Fact::Usage, &USAGE),
    object("usageMetadata", Fact::Usage, &USAGE),
    // Vertex tells the tokens with each embedding, and of Imagen's pictures nothing but themselves.
    object(
        "predictions",
        Fact::Made,
        &[
            path("embeddings", &[path("statistics", &[value("token_count", Fact::Each(Count::EachInput))])]),
            object("bytesBase64Encoded", Fact::Each(Count::MadeImages), &[]),
        ],
    ),
];

/// What Vertex's models for pictures and videos embed or begin from.
static STORED: [Field<Asked>; 2] = [hidden("gcsUri"), inline("bytesBase64Encoded", Medium::Picture)];
static STORED_VIDEO: [Field<Asked>; 2] = [hidden("gcsUri"), inline("bytesBase64Encoded", Medium::Video)];
/// A picture that is embedded, or drawn over, is sold by the piece.
static PICTURE: [Field<Asked>; 2] =
    [hidden("gcsUri"), Field { name: "bytesBase64Encoded", key: Some(Asked::Picture), want: Want::Size, inside: &[] }];
static INSTANCE: &[Field<Asked>] = &[
    path("image", &PICTURE),
    path("video", &STORED_VIDEO),
    path("lastFrame", &STORED),
    path("referenceImages", &[path("referenceImage", &STORED), path("image", &STORED)]),
];

/// Imagen's pictures are made by as many as are asked for.
static EMBED_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    path("parameters", &[asked("sampleCount", Asked::Choices)]),
    path("content", &CONTENT),
    path("contents", &CONTENT),
    path("requests", &[path("content", &CONTENT)]),
    path("instances", INSTANCE),]
    free [
        "taskType" "task_type" "title" "outputDimensionality" "output_dimensionality" "model"
        "embedContentConfig" "embed_content_config" "labels"
    ]
};

pub static EMBED: Schema = Schema {
    name: "gemini_embed",
    request: EMBED_REQUEST,
    needs: None,
    output: OutputBound::None,
    answer: &EMBED_ANSWER,
    event: &EMBED_ANSWER,
    contract: Contract::InputOnly,
    grows: false,
    always_reports: false,
    ..GENERATE
};
