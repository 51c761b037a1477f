//! Gemini's Interactions: a model or an agent, in the foreground or not. Agents choose their own models, so a request must name
//! one. A field's name may be in protobuf's other spelling, as all of Google's. Source: the API reference, `Interaction` and `Usage`.

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS, asked, count, error, fields, hidden, known, media, never, object, part, path, text,
    value,
};
use super::{Asked, Fact, Field, OutputBound, Schema, Slot, Want, gemini};
use crate::llm::usage::{Contract, Count};

/// What is given, by itself or in a turn: its `type` says of what kind its data is, and its address.
macro_rules! content {
    ([$($more:expr,)*]) => {
        part! {
            [
            asked("type", Asked::SourceKind),
            Field { name: "data", key: Some(Asked::SourceData), want: Want::Size, inside: &[] },
            asked("mime_type", Asked::MediaType),
            asked("mimeType", Asked::MediaType),
            Field { name: "uri", key: Some(Asked::SourceAddress), want: Want::Presence, inside: &[] },
            hidden("file_id"),
            hidden("fileId"),
            $($more,)*]
            free [
                "text" "resolution" "role" "name" "id" "arguments" "call_id" "signature" "annotations" "channels"
                "sample_rate" "processing" "is_error" "server_name" "status" "code" "queries" "urls"
                "callId" "sampleRate" "isError" "serverName"
            ]
        }
    };
}
static CONTENT: &[Field<Asked>] = content! { [] };
static TURN: &[Field<Asked>] = content! {
    [
    object("content", Asked::Source, CONTENT),
    object("result", Asked::Source, CONTENT),
    // Of what was thought, which may have pictures.
    object("summary", Asked::Source, CONTENT),]
};

static CONFIG: [Field<Asked>; 2] =
    [asked("max_output_tokens", Asked::Bound(0)), asked("maxOutputTokens", Asked::Bound(0))];

const SENT_ELSEWHERE: &str = "left out: what is made would be sent to an address of the client's";

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("model", Asked::Model),
    asked("agent", Asked::OtherModel("agent")),
    asked("stream", Asked::Stream),
    object("generation_config", Asked::Nest, &CONFIG),
    object("generationConfig", Asked::Nest, &CONFIG),
    TOOLS,
    asked("service_tier", Asked::ServiceTier),
    asked("serviceTier", Asked::ServiceTier),
    asked("previous_interaction_id", Asked::Refers("previous_interaction_id")),
    asked("previousInteractionId", Asked::Refers("previous_interaction_id")),
    hidden("cached_content"),
    hidden("cachedContent"),
    never("environment", "left out: whose a sandbox is that Google keeps is not known here"),
    hidden("continuation_token"),
    hidden("continuationToken"),
    asked("background", Asked::Background),
    asked("store", Asked::Store),
    never("webhook_config", SENT_ELSEWHERE),
    never("webhookConfig", SENT_ELSEWHERE),
    object("input", Asked::Source, TURN),]
    free [
        "agent_config" "labels" "response_format" "response_mime_type" "response_modalities"
        "safety_settings"
        "system_instruction"
        "agentConfig" "responseFormat" "responseMimeType" "responseModalities" "safetySettings" "systemInstruction"
    ]
};

static BY_MODALITY: [Field<Fact>; 2] = [value("modality", Fact::Modality), value("tokens", Fact::ModalityTokens)];

static USAGE: [Field<Fact>; 9] = [
    count("total_input_tokens", Count::Input),
    count("total_output_tokens", Count::Output),
    count("total_thought_tokens", Count::Reasoning),
    count("total_tool_use_tokens", Count::ToolUseInput),
    count("total_cached_tokens", Count::Cached),
    count("total_tokens", Count::Total),
    path("grounding_tool_count", &[value("count", Fact::Each(Count::WebSearches))]),
    object(
        "input_tokens_by_modality",
        Fact::Modalities { audio: Count::AudioInput, image: Count::ImageInput },
        &BY_MODALITY,
    ),
    object(
        "output_tokens_by_modality",
        Fact::Modalities { audio: Count::AudioOutput, image: Count::ImageOutput },
        &BY_MODALITY,
    ),
];

/// What a step or an output of the first version has of text.
static PIECE: [Field<Fact>; 4] = [text("text"), text("summary"), ARGUMENTS, STEP_KIND];
/// Of a search that Google makes, each different query is one. A function of the client's may have an argument of that name.
const ARGUMENTS: Field<Fact> = object("arguments", Fact::Arguments, &[value("queries", Fact::StepQuery)]);
const STEP_KIND: Field<Fact> = value("type", Fact::StepKind);
static STEP: [Field<Fact>; 6] = [
    object("content", Fact::Step, &PIECE),
    path("summary", &[text("text")]),
    text("text"),
    text("name"),
    ARGUMENTS,
    STEP_KIND,
];

static ANSWER: [Field<Fact>; 8] = [
    value("id", Fact::Id),
    value("model", Fact::Model),
    value("status", Fact::Kind),
    error("error"),
    object("usage", Fact::Usage, &USAGE),
    object("outputs", Fact::Step, &PIECE),
    object("steps", Fact::Step, &STEP),
    value("service_tier", Fact::TrafficType),
];

/// The end of a stream brings the interaction, without the texts that came before.
static EVENT: [Field<Fact>; 6] = [
    value("event_type", Fact::Kind),
    error("error"),
    object(
        "delta",
        Fact::Step,
        &[
            text("text"),
            text("thought"),
            ARGUMENTS,
            media("data"),
            STEP_KIND,
            known("id"),
            known("name"),
            known("mime_type"),
            known("signature"),
            known("annotations"),
            known("result"),
            REST,
        ],
    ),
    path(
        "interaction",
        &[
            value("id", Fact::Id),
            value("model", Fact::Model),
            value("status", Fact::Kind),
            error("error"),
            object("usage", Fact::Usage, &USAGE),
            value("service_tier", Fact::TrafficType),
        ],
    ),
    // A call of a function may come whole as it begins.
    object("step", Fact::Step, &STEP),
    object("usage", Fact::Usage, &USAGE),
];

static BOUNDS: [Slot; 1] = [Slot { nest: Some("generation_config"), name: "max_output_tokens" }];

pub static INTERACTIONS: Schema = Schema {
    name: "gemini_interactions",
    failure: Some("error"),
    request: REQUEST,
    needs: None,
    output: OutputBound::Field(&BOUNDS),
    background: true,
    always_reports: false,
    keeps: true,
    answer: &ANSWER,
    event: &EVENT,
    contract: Contract::ThoughtsBeside,
    grows: false,
    ..gemini::GENERATE
};
