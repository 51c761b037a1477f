//! What a call of some type is, in the words of [`crate::llm::tools`], and what an event's kind says of calls.

use super::Of;
use std::borrow::Cow;

/// What a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKind<'a> {
    pub kind: Cow<'a, str>,
    /// Calls of this kind have names of their own; others are named by their kind.
    pub is_named: bool,
}

const fn named(kind: &str) -> Option<CallKind<'_>> {
    Some(CallKind { kind: Cow::Borrowed(kind), is_named: true })
}

const fn hosted(kind: &str) -> Option<CallKind<'_>> {
    Some(CallKind { kind: Cow::Borrowed(kind), is_named: false })
}

/// What it is, by its type, by the member that it stands in, by who runs it, and by its name: each is empty where nothing says so.
/// `None`: it is no call.
pub fn of<'a>(
    of: Of,
    kind: &'a str,
    member: &'static str,
    provider: &'a str,
    name: &'a str,
    within: &str,
) -> Option<CallKind<'a>> {
    match of {
        Of::Chat => match if kind.is_empty() { member } else { kind } {
            "" | "function" => named("function"),
            "custom" => named("custom"),
            // xAI's own tools have the types of Responses here, too.
            other => {
                let kind = other.strip_suffix("_call").unwrap_or(other);
                Some(CallKind { kind: Cow::Borrowed(kind), is_named: !name.is_empty() })
            }
        },
        Of::Function => named("function"),
        Of::Run => hosted(if kind.is_empty() { "function" } else { kind }),
        Of::Item => item(kind),
        Of::Block => block(kind, name, within),
        Of::Use => match kind {
            "" | "tool_use" => named("function"),
            // Nova's, which requests offer by this name.
            "server_tool_use" => named("systemTool"),
            other => named(other),
        },
        Of::Step => step(kind),
        Of::Code => hosted("code_execution"),
        Of::Tool => Some(CallKind { kind: server_tool(kind), is_named: false }),
        Of::LmStudio => match kind {
            "message" | "reasoning" => None,
            "" | "tool_call" | "invalid_tool_call" => named(if provider.is_empty() { "function" } else { provider }),
            other => hosted(other),
        },
        Of::Unknown => hosted(if kind.is_empty() { name } else { kind }),
    }
}

/// Of Responses. What ends as a result does is none, and neither is what the model says or thinks.
fn item(kind: &str) -> Option<CallKind<'_>> {
    match kind {
        "message" | "reasoning" | "mcp_list_tools" | "additional_tools" | "mcp_approval_response" => None,
        "function_call" => named("function"),
        "custom_tool_call" => named("custom"),
        "mcp_call" | "mcp_approval_request" => named("mcp"),
        "program" => hosted("programmatic_tool_calling"),
        _ if kind.contains("compaction") || is_result(kind) => None,
        _ => hosted(kind.strip_suffix("_call").unwrap_or(kind)),
    }
}

/// Anthropic's. Deltas of a block say nothing of what it is.
fn block<'a>(kind: &'a str, name: &'a str, within: &str) -> Option<CallKind<'a>> {
    match kind {
        "text" | "thinking" | "redacted_thinking" | "container_upload" | "compaction" | "fallback"
        | "mcp_tool_listing" | "image" | "document" => None,
        "tool_use" => match within {
            "" => named("function"),
            "browser" => named("browser_toolset"),
            "computer" => named("computer_toolset"),
            _ => named("function"),
        },
        "mcp_tool_use" => named("mcp"),
        "server_tool_use" => match name {
            "bash_code_execution" | "text_editor_code_execution" => named("code_execution"),
            "" => hosted("server_tool_use"),
            name => named(name),
        },
        _ if is_result(kind) || kind.ends_with("_delta") => None,
        _ => named(kind.strip_suffix("_tool_use").or_else(|| kind.strip_suffix("_use")).unwrap_or(kind)),
    }
}

/// Of Interactions.
fn step(kind: &str) -> Option<CallKind<'_>> {
    match kind {
        "thought" | "text" | "model_output" | "user_input" | "image" | "audio" | "video" | "document"
        | "thought_summary" | "thought_signature" | "text_annotation" => None,
        "function_call" => named("function"),
        "mcp_server_tool_call" => named("mcp_server"),
        _ if is_result(kind) || kind.ends_with("_delta") => None,
        _ => hosted(kind.strip_suffix("_call").unwrap_or(kind)),
    }
}

/// Gemini's, of tools that the server runs.
fn server_tool(kind: &str) -> Cow<'_, str> {
    let kind = kind.to_ascii_lowercase();
    match &*kind {
        "google_search_web" | "google_search_image" => Cow::Borrowed("google_search"),
        "" => Cow::Borrowed("tool"),
        _ => Cow::Owned(kind),
    }
}

fn is_result(kind: &str) -> bool {
    ["_output", "_result", "_results", "_response"].iter().any(|end| kind.ends_with(end))
}

/// What an unknown key says that calls stand under: their kind.
pub fn of_key(key: &str) -> Option<&str> {
    [
        "_tool_calls",
        "ToolCalls",
        "_calls",
        "Calls",
        "_tool_call",
        "ToolCall",
        "_call",
        "Call",
        "ToolUse",
        "_tool_use",
        "Use",
        "_use",
    ]
    .iter()
    .find_map(|end| key.strip_suffix(end))
    .filter(|kind| !kind.is_empty())
}

/// What an event says of calls, by its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventKind {
    /// Its own fields are a call's, of this list.
    pub own: Option<Of>,
    /// Their text is no JSON.
    pub is_free: bool,
    pub begins: bool,
    /// It repeats what was told before.
    pub again: bool,
    /// Nothing of its call follows; or of any.
    pub ends: bool,
    pub ends_all: bool,
}

/// The type of the item that an event's own fields are of, as the event's name has it.
pub fn of_event(event: &str) -> &str {
    const CALL: &str = "_call";
    let event = event.strip_prefix("response.").unwrap_or_default();
    let end = event.find("_call_").map(|at| at.saturating_add(CALL.len()));
    end.and_then(|end| event.get(..end)).unwrap_or_default()
}

impl EventKind {
    pub fn of(event: &str) -> Self {
        let nothing = Self::default();
        match event {
            "response.output_item.done" => return Self { again: true, ends: true, ..nothing },
            "response.completed"
            | "response.failed"
            | "response.incomplete"
            | "response.cancelled"
            | "message_stop"
            | "interaction.completed"
            | "interaction.complete"
            | "message-end"
            | "stream-end"
            | "chat.end" => {
                return Self { ends_all: true, ..nothing };
            }
            "content_block_stop" | "step.stop" | "content.stop" | "tool-call-end" => {
                return Self { ends: true, ..nothing };
            }
            "tool_call.start" => return Self { own: Some(Of::LmStudio), begins: true, ..nothing },
            "tool_call.arguments" => return Self { own: Some(Of::LmStudio), ends: true, ..nothing },
            "tool_call.success" | "tool_call.failure" => {
                return Self { own: Some(Of::LmStudio), again: true, ends: true, ..nothing };
            }
            _ => {}
        }
        // `response.function_call_arguments.delta`. Commands and patches come once more, whole, with their item.
        let field =
            event.strip_prefix("response.").and_then(|event| event.split_once("_call_")).map(|(_, field)| field);
        match field.and_then(|field| field.split_once('.')) {
            Some((field @ ("arguments" | "input" | "code"), step)) => {
                Self { own: Some(Of::Item), is_free: field != "arguments", ends: step == "done", ..nothing }
            }
            _ => nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::schema::Dialect;
    use crate::llm::tools::known;

    /// The item, block and step types of the official SDKs that are calls: each is of a kind that requests can offer, by the same
    /// word.
    #[test]
    fn what_answers_call_is_of_the_kinds_that_requests_offer() {
        for (of_list, kind, name, dialect, expected) in [
            (Of::Chat, "function", "f", Dialect::OpenAi, "function"),
            (Of::Chat, "custom", "f", Dialect::OpenAi, "custom"),
            (Of::Chat, "builtin_function", "$web_search", Dialect::OpenAi, "builtin_function"),
            (Of::Chat, "web_search_call", "web_search", Dialect::OpenAi, "web_search"),
            (Of::Item, "function_call", "f", Dialect::OpenAi, "function"),
            (Of::Item, "custom_tool_call", "f", Dialect::OpenAi, "custom"),
            (Of::Item, "mcp_call", "f", Dialect::OpenAi, "mcp"),
            (Of::Item, "mcp_approval_request", "f", Dialect::OpenAi, "mcp"),
            (Of::Item, "web_search_call", "", Dialect::OpenAi, "web_search"),
            (Of::Item, "x_search_call", "", Dialect::OpenAi, "x_search"),
            (Of::Item, "file_search_call", "", Dialect::OpenAi, "file_search"),
            (Of::Item, "code_interpreter_call", "", Dialect::OpenAi, "code_interpreter"),
            (Of::Item, "computer_call", "", Dialect::OpenAi, "computer"),
            (Of::Item, "local_shell_call", "", Dialect::OpenAi, "local_shell"),
            (Of::Item, "shell_call", "", Dialect::OpenAi, "shell"),
            (Of::Item, "apply_patch_call", "", Dialect::OpenAi, "apply_patch"),
            (Of::Item, "image_generation_call", "", Dialect::OpenAi, "image_generation"),
            (Of::Item, "tool_search_call", "", Dialect::OpenAi, "tool_search"),
            (Of::Item, "program", "", Dialect::OpenAi, "programmatic_tool_calling"),
            (Of::Item, "openrouter:web_search", "", Dialect::OpenAi, "openrouter:web_search"),
            (Of::Block, "tool_use", "f", Dialect::Anthropic, "function"),
            (Of::Block, "mcp_tool_use", "f", Dialect::Anthropic, "mcp"),
            (Of::Block, "server_tool_use", "web_search", Dialect::Anthropic, "web_search"),
            (Of::Block, "server_tool_use", "web_fetch", Dialect::Anthropic, "web_fetch"),
            (Of::Block, "server_tool_use", "advisor", Dialect::Anthropic, "advisor"),
            (Of::Block, "server_tool_use", "code_execution", Dialect::Anthropic, "code_execution"),
            (Of::Block, "server_tool_use", "bash_code_execution", Dialect::Anthropic, "code_execution"),
            (Of::Block, "server_tool_use", "text_editor_code_execution", Dialect::Anthropic, "code_execution"),
            (Of::Block, "server_tool_use", "tool_search_tool_regex", Dialect::Anthropic, "tool_search_tool_regex"),
            (Of::Block, "server_tool_use", "tool_search_tool_bm25", Dialect::Anthropic, "tool_search_tool_bm25"),
            (Of::Use, "server_tool_use", "nova_grounding", Dialect::Aws, "systemTool"),
            (Of::Use, "", "f", Dialect::Aws, "function"),
            (Of::Function, "", "f", Dialect::Gemini, "function"),
            (Of::Code, "", "", Dialect::Gemini, "code_execution"),
            (Of::Tool, "GOOGLE_SEARCH_WEB", "", Dialect::Gemini, "google_search"),
            (Of::Tool, "URL_CONTEXT", "", Dialect::Gemini, "url_context"),
            (Of::Tool, "GOOGLE_MAPS", "", Dialect::Gemini, "google_maps"),
            (Of::Tool, "FILE_SEARCH", "", Dialect::Gemini, "file_search"),
            (Of::Step, "function_call", "f", Dialect::Gemini, "function"),
            (Of::Step, "mcp_server_tool_call", "f", Dialect::Gemini, "mcp_server"),
            (Of::Step, "google_search_call", "", Dialect::Gemini, "google_search"),
            (Of::Step, "google_maps_call", "", Dialect::Gemini, "google_maps"),
            (Of::Step, "url_context_call", "", Dialect::Gemini, "url_context"),
            (Of::Step, "file_search_call", "", Dialect::Gemini, "file_search"),
            (Of::Step, "code_execution_call", "", Dialect::Gemini, "code_execution"),
            (Of::Step, "retrieval_call", "", Dialect::Gemini, "retrieval"),
            (Of::Step, "tool_search_call", "", Dialect::Gemini, "tool_search"),
        ] {
            let kind_of_it = of(of_list, kind, "", "", name, "").unwrap().kind;
            assert_eq!(kind_of_it, expected, "{of_list:?} {kind}");
            // Nova's, Bedrock calls `toolSpec`.
            assert!(known(dialect, expected).is_some() || dialect == Dialect::Aws, "{expected}");
        }
    }

    #[test]
    fn what_is_no_call_is_none_and_what_is_unknown_is_one() {
        for (of_list, kinds) in [
            (
                Of::Item,
                &[
                    "message",
                    "reasoning",
                    "function_call_output",
                    "computer_call_output",
                    "program_output",
                    "tool_search_output",
                    "additional_tools",
                    "compaction",
                    "local_shell_call_output",
                    "shell_call_output",
                    "apply_patch_call_output",
                    "mcp_list_tools",
                    "mcp_approval_response",
                    "custom_tool_call_output",
                ][..],
            ),
            (
                Of::Block,
                &[
                    "text",
                    "thinking",
                    "redacted_thinking",
                    "web_search_tool_result",
                    "web_fetch_tool_result",
                    "code_execution_tool_result",
                    "bash_code_execution_tool_result",
                    "mcp_tool_result",
                    "text_editor_code_execution_tool_result",
                    "tool_search_tool_result",
                    "container_upload",
                    "compaction",
                    "fallback",
                    "mcp_tool_listing",
                    "advisor_tool_result",
                    "text_delta",
                    "input_json_delta",
                ],
            ),
            (Of::Step, &["user_input", "thought", "model_output", "google_search_result", "processing_result", "text"]),
            (Of::LmStudio, &["message", "reasoning"]),
        ] {
            for kind in kinds {
                assert_eq!(of(of_list, kind, "", "", "", ""), None, "{of_list:?} {kind}");
            }
            assert_eq!(of(of_list, "xyz", "", "", "", "").unwrap().kind, "xyz");
        }
        assert_eq!(of(Of::Item, "xyz_call", "", "", "", "").unwrap().kind, "xyz");
        assert_eq!(of(Of::Block, "xyz_use", "", "", "", "").unwrap().kind, "xyz");
        assert_eq!(of_key("fooCall"), Some("foo"));
        assert_eq!(of_key("because"), None);
        assert_eq!(of_key("foo_calls"), Some("foo"));
    }

    #[test]
    fn events_say_whose_fields_they_have() {
        for (event, kind, ends) in [
            ("response.function_call_arguments.delta", "function_call", false),
            ("response.function_call_arguments.done", "function_call", true),
            ("response.mcp_call_arguments.delta", "mcp_call", false),
            ("response.custom_tool_call_input.done", "custom_tool_call", true),
            ("response.code_interpreter_call_code.delta", "code_interpreter_call", false),
            ("response.xyz_call_arguments.delta", "xyz_call", false),
        ] {
            assert_eq!(of_event(event), kind);
            let of = EventKind::of(event);
            assert_eq!((of.own, of.ends), (Some(Of::Item), ends), "{event}");
        }
        for event in
            ["response.output_text.delta", "response.shell_call_output_content.delta", "response.mcp_call.failed"]
        {
            assert_eq!(EventKind::of(event), EventKind::default());
        }
    }
}
