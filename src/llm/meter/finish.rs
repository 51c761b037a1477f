//! Why an answer ended, in one word for all APIs.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It has said all.
    Stop,
    /// It was as long as it might be.
    Length,
    /// Its tools are to be run.
    ToolCalls,
    /// The provider, or the model, would not say it.
    ContentFilter,
    /// Whatever else an API says.
    Other,
}

impl Finish {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }

    /// Why nearly all answers end, in the words of nearly all APIs.
    pub(super) fn usual(reason: &str) -> Option<Self> {
        match reason {
            "stop" | "end_turn" | "STOP" | "COMPLETE" | "completed" => Some(Self::Stop),
            "tool_calls" | "tool_use" => Some(Self::ToolCalls),
            _ => None,
        }
    }

    /// `None`: it says that it ended, and not why.
    #[cold]
    pub(super) fn of(reason: &str) -> Option<Self> {
        let reason = reason.to_ascii_lowercase();
        Some(match &*reason {
            "incomplete" => return None,
            "stop" | "end_turn" | "stop_sequence" | "complete" | "completed" | "eos" | "eos_token" => Self::Stop,
            "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
                Self::Length
            }
            "tool_calls" | "tool_call" | "tool_use" | "function_call" | "requires_action" => Self::ToolCalls,
            "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "refusal"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "image_safety"
            | "sensitive"
            | "error_toxic" => Self::ContentFilter,
            _ => Self::Other,
        })
    }
}
