//! OpenAI's APIs, and what Azure, OpenRouter, Groq, DeepSeek, Mistral, xAI, vLLM, Together, Perplexity and others add to
//! them. Sources: the providers' API references.

mod audio;
mod chat;
mod completions;
mod embeddings;
mod images;
mod responses;

pub use audio::AUDIO;
pub use chat::{CHAT, GATEWAY_CHAT};
pub(super) use chat::{MESSAGE, OWN_KEY, UPSTREAM};
pub use completions::COMPLETIONS;
pub use embeddings::EMBEDDINGS;
pub use images::IMAGES;
pub use responses::{COMPACT, RESPONSES};

use super::field::{TOOLS_BY_MEMBER, UNKNOWN, address, asked, hidden, inline, never, object, part, path};
use super::{Asked, Field, Medium, SPOKEN, Want};

/// A URL by itself, or an object that has it.
const fn linked(name: &'static str, medium: Medium, inside: &'static [Field<Asked>]) -> Field<Asked> {
    Field { name, key: Some(Asked::Address(medium)), want: Want::Value, inside }
}

static PICTURE: [Field<Asked>; 1] = [address("url", Medium::Picture)];
static SOUND: [Field<Asked>; 2] = [inline("data", Medium::Sound), address("url", Medium::Sound)];
static VIDEO: [Field<Asked>; 1] = [address("url", Medium::Video)];
static DOCUMENT: [Field<Asked>; 1] = [address("url", Medium::Document)];
static FILE: &[Field<Asked>] = part! {
    [address("file_data", Medium::Document), hidden("file_id"), hidden("file_url"), hidden("url"),]
    free ["filename" "format" "name" "detail"]
};

/// Parts of a message, as those write them too who took the API over: Mistral, vLLM, OpenRouter, Qwen.
static PARTS: &[Field<Asked>] = part! {
    [
    linked("image_url", Medium::Picture, &PICTURE),
    linked("input_audio", Medium::Sound, &SOUND),
    path("file", FILE),
    linked("video_url", Medium::Video, &VIDEO),
    linked("audio_url", Medium::Sound, &SOUND),
    linked("document_url", Medium::Document, &DOCUMENT),
    address("image", Medium::Picture),
    address("video", Medium::Video),
    address("audio", Medium::Sound),
    address("url", Medium::Picture),
    hidden("file_id"),
    hidden("file_ids"),]
    free [
        "type" "text" "refusal" "thinking" "signature" "index" "favicon" "image_embeds" "prompt_cache_breakpoint"
        "citations"
    ]
};

/// What was spoken before, by its id: an answer is no longer.
static SPOKEN_BEFORE: [Field<Asked>; 1] = [asked("id", Asked::HiddenUpTo(SPOKEN, 16_384))];

/// What Gemini reads of its own beside OpenAI's chat.
static GOOGLE: &[Field<Asked>] =
    &[hidden("cached_content"), hidden("cachedContent"), path("thinking_config", &[]), TOOLS_BY_MEMBER, UNKNOWN];

const STREAM_OPTIONS: Field<Asked> =
    object("stream_options", Asked::Nest, &[asked("include_usage", Asked::IncludeUsage)]);

/// OpenRouter's list of models to try after the first, and LiteLLM's.
const OTHER_MODELS: Field<Asked> = object("models", Asked::OtherModels("models"), &[]);
const FALLBACKS: Field<Asked> = object("fallbacks", Asked::OtherModels("fallbacks"), &[]);
/// Fields by which a chat has the provider search: OpenAI's and Perplexity's, xAI's, OpenRouter's, Qwen's.
const SEARCH: Field<Asked> = object("web_search_options", Asked::Search("web_search_options"), &[]);
static SOURCES: [Field<Asked>; 2] = [asked("mode", Asked::ToolMode), asked("max_search_results", Asked::SearchMost)];
const LIVE_SEARCH: Field<Asked> = object("search_parameters", Asked::Search("search_parameters"), &SOURCES);
/// Qwen's, a flag.
const QWEN_SEARCH: Field<Asked> = asked("enable_search", Asked::Search("enable_search"));
pub(super) const PLUGINS: Field<Asked> = object("plugins", Asked::Plugins, &[asked("id", Asked::ToolKind)]);
const OTHERS_SERVE: &str = "left out: which models may serve is said to the gateway";
/// Names of the bound that some servers put before the API's own.
const BOUND: &str = "left out: the bound on the output is `max_tokens`";
const NOT_N_PREDICT: Field<Asked> = never("n_predict", BOUND);
const NOT_NUM_PREDICT: Field<Asked> = never("num_predict", BOUND);
const NOT_NEW_TOKENS: Field<Asked> = never("max_new_tokens", BOUND);
/// Of a few bytes, one makes a prompt of any length.
const NOT_TEMPLATE: Field<Asked> = never("chat_template", "left out: how a prompt is written is the server's to say");
const STORE: Field<Asked> = asked("store", Asked::Store);
