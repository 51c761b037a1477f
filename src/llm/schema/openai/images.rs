//! `POST /v1/images/generations`, `edits` and `variations`.

use super::chat::{CHAT, OWN_KEY, UPSTREAM};
use crate::llm::schema::field::{ROLE, SENSITIVITY, asked, count, error, fields, object, path, value};
use crate::llm::schema::{Asked, Fact, Field, Item, OutputBound, Schema};
use crate::llm::usage::Count;

static IMAGES_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE, SENSITIVITY, asked("model", Asked::Model), asked("stream", Asked::Stream), asked("n", Asked::Choices),
    // As SiliconFlow, and those who serve models of others, call it.
    asked("batch_size", Asked::Choices),
    asked("num_images", Asked::Choices),
    asked("num_outputs", Asked::Choices),
    asked("num_images_per_prompt", Asked::Choices),
    // ByteDance's series.
    asked("sequential_image_generation", Asked::Series),
    object("sequential_image_generation_options", Asked::SeriesOptions, &[asked("max_images", Asked::SeriesMost)]),
    // Of a moving picture, each is made.
    asked("frame_count", Asked::Frames),
    asked("output_format", Asked::Format),
    // Who draws by writing is another model, which no price has.
    path("svg", &[asked("model", Asked::OtherModel("svg.model"))]),]
    free [
        "background" "complexity" "frame_duration_ms" "image" "input_fidelity" "markup" "mask" "moderation"
        "output_compression" "partial_images"
        "prompt" "quality" "response_format" "safety_identifier" "size" "style" "user" "aspect_ratio" "image_format"
        "resolution"
    ]
};

static IMAGES_ANSWER: [Field<Fact>; 8] = [
    value("type", Fact::Kind),
    error("error"),
    object("data", Fact::Each(Count::MadeImages), &[]),
    // The same under another name, or both.
    object("images", Fact::Each(Count::AlsoMadeImages), &[]),
    // Of what is to come.
    value("status", Fact::Kind),
    value("task_status", Fact::Kind),
    // Of who writes a picture as SVG, beside what is drawn.
    path("svg_usage", &[count("input_tokens", Count::ToolInput), count("output_tokens", Count::ToolOutput)]),
    object(
        "usage",
        Fact::Usage,
        &[
            count("input_tokens", Count::Input),
            count("output_tokens", Count::Output),
            count("total_tokens", Count::Total),
            // Names of the chat, which relays write.
            count("prompt_tokens", Count::Input),
            count("completion_tokens", Count::Output),
            path(
                "input_tokens_details",
                &[count("image_tokens", Count::ImageInput), count("cached_tokens", Count::Cached)],
            ),
            path("output_tokens_details", &[count("image_tokens", Count::ImageOutput)]),
            // ByteDance's, xAI's, OpenRouter's.
            count("generated_images", Count::ToldImages),
            value("cost_in_usd_ticks", Fact::Cost { places: 10 }),
            value("cost", Fact::Cost { places: 0 }),
            OWN_KEY,
            UPSTREAM,
        ],
    ),
];

pub static IMAGES: Schema = Schema {
    name: "openai_images",
    request: IMAGES_REQUEST,
    takes_forms: true,
    needs: None,
    // The dearest picture of OpenAI's image models: high quality, upright.
    output: OutputBound::Fixed(6_240),
    usage_option: false,
    item: Some(Item::Image),
    answer: &IMAGES_ANSWER,
    event: &IMAGES_ANSWER,
    grows: false,
    ..CHAT
};
