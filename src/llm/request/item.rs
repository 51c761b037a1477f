//! Elements of the input of a response: which of them stand, by their ids, for what the provider has kept.

use super::Invalid;
use super::value::{id, once};
use crate::json::{Container, Found, Hit};
use crate::kept::Id;
use crate::llm::schema::Asked;

/// An element of the input, while it is read.
pub(super) struct InputItem {
    stands: Stands,
    id: Option<Id>,
    /// It has with it what its id would stand for: what was reasoned, or drawn.
    sealed: bool,
    pub(super) drawn: bool,
    /// It has said of what kind it is.
    named: bool,
    /// It says whose it is, and has something in it: as only a message does.
    speaks: bool,
    pub(super) holds: bool,
}

impl InputItem {
    pub(super) const NONE: Self = Self {
        stands: Stands::Reference,
        id: None,
        sealed: false,
        drawn: false,
        named: false,
        speaks: false,
        holds: false,
    };

    /// Its end, with the id if that is all there is of it, or one of its members.
    pub(super) fn hit(&mut self, hit: &Hit<'_, Asked>) -> Result<Option<Id>, Invalid> {
        match hit.key {
            Asked::Item => {
                once("input", hit, false)?;
                match hit.found {
                    Found::Opened(Container::Object) => *self = Self::NONE,
                    Found::Closed { container: Container::Object, .. } => {
                        let item = std::mem::replace(self, Self::NONE);
                        return Ok(item.id.filter(|_| item.is_reference()));
                    }
                    _ => {}
                }
            }
            Asked::ItemKind => {
                once("input.type", hit, false)?;
                self.named = true;
                // A list of kinds, too: whoever reads its first may find a reference in it.
                self.stands = match hit.found {
                    Found::Text { text, cut: false } => Stands::named(text),
                    _ => Stands::Reference,
                };
            }
            Asked::ItemRole => {
                once("input.role", hit, false)?;
                self.speaks |=
                    matches!(hit.found, Found::Text { text: "user" | "assistant" | "system" | "developer", .. });
            }
            Asked::ItemId => {
                once("input.id", hit, false)?;
                self.id = id("input.id", hit)?;
            }
            Asked::ItemContent => {
                once("input.encrypted_content", hit, false)?;
                self.sealed |= matches!(hit.found, Found::Text { text, .. } if !text.is_empty());
            }
            _ => {}
        }
        Ok(None)
    }

    /// Whether its id alone says what it is.
    const fn is_reference(&self) -> bool {
        match self.stands {
            // A message may leave out what it is.
            Stands::Reference => self.named || !(self.speaks && self.holds),
            Stands::Whole => false,
            Stands::Reasoned => !self.sealed,
            Stands::Drawn => !self.drawn,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// With nothing but an id, and of a kind that nobody knows yet, too.
    Reference,
    /// It is what it says, and its id only its name.
    Whole,
    /// Providers keep what these hold, and clients that have nothing kept bring it.
    Reasoned,
    Drawn,
}

impl Stands {
    fn named(name: &str) -> Self {
        match name {
            "reasoning" | "compaction" | "compaction_summary" => Self::Reasoned,
            "image_generation_call" => Self::Drawn,
            name if WHOLE.contains(&name) => Self::Whole,
            _ => Self::Reference,
        }
    }
}

/// Kinds of elements that hold all that they stand for. Source: the types of OpenAI's SDKs and of Codex.
const WHOLE: [&str; 27] = [
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
    "tool_search_output",
    "additional_tools",
    "configuration_update",
    "program",
    "program_output",
    // Of Codex, between its agents.
    "agent_message",
];
