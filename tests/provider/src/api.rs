//! The APIs this provider speaks, told apart by path, and what a dialect has to know to be spoken.

use crate::answer::Answer;
use crate::dialects::pieces::Pieces;
use crate::dialects::{bedrock, embeddings, gemini, messages, ollama, openai, rerank, responses};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Rerank,
    /// Anthropic's.
    Messages,
    Gemini,
    /// Bedrock's, streamed or not.
    Converse,
    OllamaChat,
    OllamaGenerate,
    Images,
    Speech,
    Transcription,
    /// Bedrock's InvokeModel, of one that embeds pictures.
    Embedding,
}

impl Api {
    pub const ALL: [Api; 14] = [
        Api::Chat,
        Api::Completions,
        Api::Responses,
        Api::Embeddings,
        Api::Rerank,
        Api::Messages,
        Api::Gemini,
        Api::Converse,
        Api::OllamaChat,
        Api::OllamaGenerate,
        Api::Images,
        Api::Speech,
        Api::Transcription,
        Api::Embedding,
    ];

    /// By how the path ends: what stands before differs from provider to provider.
    pub fn of(path: &str) -> Option<Api> {
        let ends = |end: &str| path.ends_with(end);
        match path {
            _ if ends("/chat/completions") => Some(Api::Chat),
            _ if ends("/completions") => Some(Api::Completions),
            _ if ends("/responses") => Some(Api::Responses),
            _ if ends("/embeddings") => Some(Api::Embeddings),
            _ if ends("/rerank") => Some(Api::Rerank),
            _ if ends("/v1/messages") => Some(Api::Messages),
            _ if ends(":generateContent") || ends(":streamGenerateContent") => Some(Api::Gemini),
            _ if path.starts_with("/model/") && (ends("/converse") || ends("/converse-stream")) => Some(Api::Converse),
            _ if ends("/api/chat") => Some(Api::OllamaChat),
            _ if ends("/api/generate") => Some(Api::OllamaGenerate),
            _ if ends("/images/generations") => Some(Api::Images),
            _ if ends("/audio/speech") => Some(Api::Speech),
            _ if ends("/audio/transcriptions") => Some(Api::Transcription),
            _ if path.starts_with("/model/") && ends("/invoke") => Some(Api::Embedding),
            _ => None,
        }
    }

    /// The name that the ledger and the corpus use.
    pub fn name(self) -> &'static str {
        match self {
            Api::Chat => "openai_chat",
            Api::Completions => "openai_completions",
            Api::Responses => "openai_responses",
            Api::Embeddings => "openai_embeddings",
            Api::Rerank => "rerank",
            Api::Messages => "anthropic_messages",
            Api::Gemini => "gemini_generate",
            Api::Converse => "bedrock_converse",
            Api::OllamaChat => "ollama_chat",
            Api::OllamaGenerate => "ollama_generate",
            Api::Images => "openai_images",
            Api::Speech | Api::Transcription => "openai_audio",
            Api::Embedding => "bedrock_invoke",
        }
    }

    pub(crate) fn dialect(self) -> &'static dyn Dialect {
        match self {
            Api::Chat => &openai::Family::Chat,
            Api::Completions => &openai::Family::Text,
            Api::Responses => &responses::Responses,
            Api::Embeddings => &embeddings::Embeddings,
            Api::Rerank => &rerank::Rerank,
            Api::Messages => &messages::Messages,
            Api::Gemini => &gemini::Gemini,
            Api::Converse => &bedrock::Converse,
            Api::OllamaChat => &ollama::Ollama::Chat,
            Api::OllamaGenerate => &ollama::Ollama::Generate,
            Api::Images => &Pieces(Api::Images),
            Api::Speech => &Pieces(Api::Speech),
            Api::Transcription => &Pieces(Api::Transcription),
            Api::Embedding => &Pieces(Api::Embedding),
        }
    }
}

/// Which parts of a prompt an API can tell apart; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caching {
    Untold,
    Reads,
    Writes,
    HourWrites,
}

/// Where reasoning stands in an API's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasoning {
    Untold,
    /// A part of the output's count.
    Within,
    /// A count of its own, beside that of the visible output.
    Beside,
}

/// One API: how its request is read and how its answer is worded. All else is the same for all. What does not
/// stream leaves the events as they are.
pub(crate) trait Dialect: Sync {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal>;

    fn caching(&self) -> Caching {
        Caching::Untold
    }

    fn reasoning(&self) -> Reasoning {
        Reasoning::Untold
    }

    /// What a stream says before its first token.
    fn first(&self, _answer: &Answer) -> Vec<Event> {
        Vec::new()
    }

    /// The `nth` token of a stream, counted over all choices, which take turns.
    fn token(&self, _answer: &Answer, _nth: u64) -> Event {
        Event::plain("")
    }

    /// What a stream says behind its last token.
    fn last(&self, _answer: &Answer) -> Vec<Event> {
        Vec::new()
    }

    /// The end of a stream that fails on request.
    fn failure(&self, answer: &Answer) -> Event {
        Event::of(&Refusal::too_late().to_json(Some(answer.api)))
    }

    /// The answer in one piece.
    fn whole(&self, answer: &Answer) -> Vec<u8>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_api() {
        for (path, api) in [
            ("/v1/chat/completions", Some(Api::Chat)),
            ("/openai/v1/chat/completions", Some(Api::Chat)),
            ("/v1/completions", Some(Api::Completions)),
            ("/v1/responses", Some(Api::Responses)),
            ("/v1/embeddings", Some(Api::Embeddings)),
            ("/v2/rerank", Some(Api::Rerank)),
            ("/v1/messages", Some(Api::Messages)),
            ("/v1/messages/count_tokens", None),
            ("/v1beta/models/gemini-2.5-flash:generateContent", Some(Api::Gemini)),
            ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", Some(Api::Gemini)),
            ("/v1beta/models/gemini-2.5-flash:countTokens", None),
            ("/model/amazon.nova-lite-v1%3A0/converse", Some(Api::Converse)),
            ("/model/amazon.nova-lite-v1:0/converse-stream", Some(Api::Converse)),
            ("/api/chat", Some(Api::OllamaChat)),
            ("/api/generate", Some(Api::OllamaGenerate)),
            ("/elsewhere", None),
        ] {
            assert_eq!(Api::of(path), api, "{path}");
        }
    }
}
