//! Elements of the input of a response: which of them stand, by their ids, for what the provider has kept.

use crate::kept::Id;

/// An element of the input, while it is read.
pub(super) struct InputItem {
    pub(super) kind: Kind,
    pub(super) id: Option<Id>,
    /// It has with it what its id would stand for: what was reasoned, or drawn.
    pub(super) sealed: bool,
    pub(super) drawn: bool,
}

impl InputItem {
    pub(super) const NONE: Self = Self { kind: Kind::Reference, id: None, sealed: false, drawn: false };

    /// Whether its id alone says what it is.
    pub(super) const fn is_reference(&self) -> bool {
        match self.kind {
            Kind::Reference => true,
            Kind::Whole => false,
            Kind::Reasoned => !self.sealed,
            Kind::Drawn => !self.drawn,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// With nothing but an id, and of a kind that nobody knows yet, too.
    Reference,
    /// It is what it says, and its id only its name.
    Whole,
    /// Providers keep what these hold, and clients that have nothing kept bring it.
    Reasoned,
    Drawn,
}

impl Kind {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "reasoning" | "compaction" | "compaction_summary" => Self::Reasoned,
            "image_generation_call" => Self::Drawn,
            name if WHOLE.contains(&name) => Self::Whole,
            _ => Self::Reference,
        }
    }
}

/// Kinds of elements that hold all that they stand for. Source: the types of OpenAI's SDKs.
const WHOLE: [&str; 21] = [
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "web_search_call",
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "tool_search_call",
];
