//! Where text can be in the requests of each API.

use super::{
    ANY_CALL, ANY_DOCUMENT, ANY_REASONING, ANY_RESULT, ANY_SYSTEM, ANY_USER, OF_ROLE, Place, REST_ASSISTANT, REST_CALL,
    REST_DEFINITION, REST_DOCUMENT, REST_OF_ROLE, REST_OTHER, REST_REASONING, REST_RESULT, REST_SYSTEM, REST_USER,
    Text, arguments, encrypted, media, part, path, row, text, texts,
};
use crate::json::Field;

/// The table of an API, by its name.
pub(super) fn of(api: &str) -> &'static [Field<Text>] {
    match api {
        "openai_chat" | "gateway_chat" => CHAT,
        "openai_responses" => RESPONSES,
        "anthropic_messages" => ANTHROPIC,
        "gemini_generate" | "gemini_embed" => GEMINI,
        "gemini_interactions" => INTERACTIONS,
        "bedrock_converse" => CONVERSE,
        "bedrock_invoke" => INVOKE,
        "cohere_chat" => COHERE,
        "ollama_chat" | "ollama_generate" | "ollama_embed" => OLLAMA,
        "lm_studio_chat" => LM_STUDIO,
        // What has a prompt, an input, a query or documents, and no messages.
        _ => PROMPTS,
    }
}

const ROLE: Field<Text> = row("role", Text::Role, &[]);
const fn message(name: &'static str, inside: &'static [Field<Text>]) -> Field<Text> {
    row(name, Text::Message, inside)
}
/// A message's content, or a part of one.
const fn of_role(name: &'static str, inside: &'static [Field<Text>]) -> Field<Text> {
    row(name, OF_ROLE, inside)
}

/// Where a picture, a sound or a file stands, or is to be had.
static SOURCE: &[Field<Text>] = texts! {
    [media("data"), media("bytes"), media("url"), media("file_data"), part("content", Place::Document, BLOCKS_OF_DOCUMENT),]
    no ["type" "media_type" "mimeType" "mime_type" "format" "detail" "file_id"] rest REST_DOCUMENT
};
static BLOCKS_OF_DOCUMENT: &[Field<Text>] = texts! {
    [part("text", Place::Document, &[]), path("source", texts! { [media("data"),] no ["type" "media_type"] rest REST_DOCUMENT }),]
    no ["type" "cache_control"] rest REST_DOCUMENT
};
const fn source(name: &'static str) -> Field<Text> {
    row(name, Text::Opaque(super::Opaque::Media), SOURCE)
}

static DEFINITION: &[Field<Text>] = texts! {
    [path("function", texts! { [] no ["name"] rest REST_DEFINITION }), path("custom", texts! { [] no ["name"] rest REST_DEFINITION }),]
    no ["type" "name" "authorization" "headers" "cache_control"] rest REST_DEFINITION
};

/// Of OpenAI's messages, and of all that took them over.
static PARTS: &[Field<Text>] = texts! {
    [
    of_role("text", &[]),
    text("thinking", Place::Reasoning, &ANY_REASONING),
    source("image_url"),
    source("input_audio"),
    source("audio_url"),
    source("video_url"),
    source("document_url"),
    source("image"),
    source("video"),
    source("audio"),
    source("file"),
    text("document", Place::Document, &ANY_DOCUMENT),]
    no ["type" "signature" "cache_control" "index" "file_id" "prompt_cache_breakpoint"] rest REST_OF_ROLE
};
static CALL: &[Field<Text>] = texts! { [arguments("arguments", false),] no ["name"] rest REST_CALL };
static CALLS: &[Field<Text>] = texts! {
    [path("function", CALL), path("custom", texts! { [text("input", Place::ToolCall, &ANY_CALL),] no ["name"] rest REST_CALL }),]
    no ["id" "type" "index" "extra_content"] rest REST_CALL
};
static MESSAGE: &[Field<Text>] = texts! {
    [
    ROLE,
    of_role("content", PARTS),
    path("tool_calls", CALLS),
    path("function_call", CALL),
    text("reasoning_content", Place::Reasoning, &[]),
    text("reasoning", Place::Reasoning, &ANY_REASONING),
    path("reasoning_details", texts! { [encrypted("data"),] no ["type" "id" "format" "signature"] rest REST_REASONING }),
    media("images"),]
    no ["tool_call_id" "audio" "cache_control"] rest REST_OF_ROLE
};

static CHAT: &[Field<Text>] = texts! {
    [
    message("messages", MESSAGE),
    path("tools", DEFINITION),
    path("functions", DEFINITION),
    text("documents", Place::Document, &ANY_DOCUMENT),
    path("prediction", texts! { [] no ["type"] rest REST_ASSISTANT }),]
    no ["model" "models" "role" "sensitivity" "service_tier" "tool_choice" "function_call" "reasoning_effort" "verbosity"] rest REST_OTHER
};

static ITEM_PARTS: &[Field<Text>] = texts! {
    [
    of_role("text", &[]),
    source("image_url"),
    media("file_data"),
    source("input_audio"),
    source("audio_url"),
    source("video_url"),]
    no ["type" "file_id" "detail" "prompt_cache_breakpoint"] rest REST_OF_ROLE
};
static OUTPUT_PARTS: &[Field<Text>] = texts! {
    [part("text", Place::ToolResult, &[]), source("image_url"), media("file_data"),]
    no ["type" "file_id" "detail"] rest REST_RESULT
};
static ITEM: &[Field<Text>] = texts! {
    [
    ROLE,
    of_role("content", ITEM_PARTS),
    part("output", Place::ToolResult, OUTPUT_PARTS),
    text("results", Place::ToolResult, &ANY_RESULT),
    text("outputs", Place::ToolResult, &ANY_RESULT),
    arguments("arguments", false),
    text("input", Place::ToolCall, &ANY_CALL),
    text("action", Place::ToolCall, &ANY_CALL),
    text("code", Place::ToolCall, &[]),
    text("summary", Place::Reasoning, &ANY_REASONING),
    encrypted("encrypted_content"),
    source("image_url"),
    media("file_data"),
    media("result"),
    path("tools", DEFINITION),]
    no ["type" "id" "call_id" "status" "name" "namespace" "server_label" "container_id" "file_id" "phase"] rest REST_OF_ROLE
};
static RESPONSES: &[Field<Text>] = texts! {
    [
    text("instructions", Place::System, &ANY_SYSTEM),
    message("input", ITEM),
    path("tools", DEFINITION),
    path("prompt", texts! { [text("variables", Place::User, &ANY_USER),] no ["id" "version"] rest REST_OTHER }),]
    no [
        "model" "models" "role" "sensitivity" "service_tier" "tool_choice" "previous_response_id" "conversation" "include" "truncation"
        "reasoning"
    ] rest REST_OTHER
};
static RESULT_BLOCKS: &[Field<Text>] = texts! {
    [part("text", Place::ToolResult, &[]), path("source", SOURCE), encrypted("encrypted_content"),]
    no ["type" "cache_control" "file_id"] rest REST_RESULT
};
static BLOCK: &[Field<Text>] = texts! {
    [
    of_role("text", &[]),
    text("thinking", Place::Reasoning, &[]),
    encrypted("data"),
    text("input", Place::ToolCall, &ANY_CALL),
    part("content", Place::ToolResult, RESULT_BLOCKS),
    path("source", SOURCE),
    text("title", Place::Document, &[]),
    text("context", Place::Document, &[]),
    path("tool", DEFINITION),
    path("tool_changes", DEFINITION),
    // Nova's, where the same tables read it.
    path("image", NESTED_SOURCE),
    path("document", NESTED_SOURCE),
    path("video", NESTED_SOURCE),
    path("audio", NESTED_SOURCE),
    path("toolUse", TOOL_USE),
    path("toolResult", TOOL_RESULT),]
    no ["type" "id" "name" "signature" "tool_use_id" "cache_control" "file_id" "server_name"] rest REST_OF_ROLE
};
static ANTHROPIC_MESSAGE: &[Field<Text>] = texts! { [ROLE, of_role("content", BLOCK),] no [] rest REST_OF_ROLE };
static SYSTEM_BLOCK: &[Field<Text>] =
    texts! { [part("text", Place::System, &[]),] no ["type" "cache_control"] rest REST_SYSTEM };
static ANTHROPIC: &[Field<Text>] = texts! {
    [
    part("system", Place::System, SYSTEM_BLOCK),
    message("messages", ANTHROPIC_MESSAGE),
    path("tools", DEFINITION),
    path("mcp_servers", texts! { [] no ["type" "name" "url" "authorization_token"] rest REST_OTHER }),]
    no ["model" "role" "sensitivity" "service_tier" "tool_choice" "anthropic_beta" "anthropic_version" "container"] rest REST_OTHER
};

static INLINE: &[Field<Text>] = texts! { [media("data"),] no ["mimeType" "mime_type"] rest REST_DOCUMENT };
static FUNCTION_CALL: &[Field<Text>] = texts! { [] no ["name" "id"] rest REST_CALL };
static FUNCTION_RESPONSE: &[Field<Text>] = texts! {
    [path("parts", texts! { [path("inlineData", INLINE), path("inline_data", INLINE),] no [] rest REST_RESULT }),]
    no ["name" "id"] rest REST_RESULT
};
static GEMINI_PARTS: &[Field<Text>] = texts! {
    [
    of_role("text", &[]),
    path("inlineData", INLINE),
    path("inline_data", INLINE),
    path("functionCall", FUNCTION_CALL),
    path("function_call", FUNCTION_CALL),
    path("functionResponse", FUNCTION_RESPONSE),
    path("function_response", FUNCTION_RESPONSE),
    path("toolCall", FUNCTION_CALL),
    path("toolResponse", FUNCTION_RESPONSE),
    path("executableCode", texts! { [] no ["language" "id"] rest REST_CALL }),
    path("codeExecutionResult", texts! { [] no ["outcome" "id"] rest REST_RESULT }),
    encrypted("thoughtSignature"),
    encrypted("thought_signature"),]
    no [] rest REST_OF_ROLE
};
static CONTENT: &[Field<Text>] = texts! { [ROLE, path("parts", GEMINI_PARTS),] no [] rest REST_OF_ROLE };
static INSTRUCTION: &[Field<Text>] = texts! {
    [path("parts", texts! { [part("text", Place::System, &[]), path("inlineData", INLINE), path("inline_data", INLINE),] no [] rest REST_SYSTEM }),]
    no ["role"] rest REST_SYSTEM
};
static GEMINI_TOOLS: &[Field<Text>] = texts! { [] no [] rest REST_DEFINITION };
static GEMINI: &[Field<Text>] = texts! {
    [
    message("contents", CONTENT),
    message("content", CONTENT),
    path("requests", texts! { [message("content", CONTENT),] no ["model" "taskType"] rest REST_DOCUMENT }),
    text("systemInstruction", Place::System, INSTRUCTION),
    text("system_instruction", Place::System, INSTRUCTION),
    path("tools", GEMINI_TOOLS),]
    no [
        "model" "role" "sensitivity" "serviceTier" "service_tier" "toolConfig" "tool_config" "safetySettings" "safety_settings" "cachedContent"
        "cached_content"
    ] rest REST_OTHER
};

static TURN: &[Field<Text>] = texts! {
    [
    ROLE,
    of_role("text", &[]),
    of_role("content", TURN_PARTS),
    media("data"),
    arguments("arguments", false),
    text("result", Place::ToolResult, &ANY_RESULT),
    text("summary", Place::Reasoning, &ANY_REASONING),]
    no ["type" "id" "call_id" "name" "mime_type" "signature"] rest REST_OF_ROLE
};
static TURN_PARTS: &[Field<Text>] = texts! {
    [of_role("text", &[]), media("data"), arguments("arguments", false),]
    no ["type" "id" "call_id" "name" "mime_type" "signature"] rest REST_OF_ROLE
};
static INTERACTIONS: &[Field<Text>] = texts! {
    [
    message("input", TURN),
    text("system_instruction", Place::System, &ANY_SYSTEM),
    text("systemInstruction", Place::System, &ANY_SYSTEM),
    path("tools", DEFINITION),]
    no [
        "model" "role" "sensitivity" "service_tier" "serviceTier" "agent" "previous_interaction_id" "previousInteractionId"
    ] rest REST_OTHER
};

static NESTED_SOURCE: &[Field<Text>] = texts! { [path("source", SOURCE),] no ["format"] rest REST_DOCUMENT };
static TOOL_USE: &[Field<Text>] =
    texts! { [text("input", Place::ToolCall, &ANY_CALL),] no ["name" "toolUseId" "type"] rest REST_CALL };
static TOOL_RESULT: &[Field<Text>] = texts! {
    [
    path("content", texts! {
        [part("text", Place::ToolResult, &[]), path("image", NESTED_SOURCE), path("document", NESTED_SOURCE), path("video", NESTED_SOURCE),]
        no [] rest REST_RESULT
    }),]
    no ["toolUseId" "status" "type"] rest REST_RESULT
};
static CONVERSE_BLOCK: &[Field<Text>] = texts! {
    [
    of_role("text", &[]),
    path("image", NESTED_SOURCE),
    path("document", NESTED_SOURCE),
    path("video", NESTED_SOURCE),
    path("audio", NESTED_SOURCE),
    path("toolUse", TOOL_USE),
    path("toolResult", TOOL_RESULT),
    path("reasoningContent", texts! {
        [path("reasoningText", texts! { [] no ["signature"] rest REST_REASONING }), encrypted("redactedContent"),]
        no [] rest REST_REASONING
    }),
    path("cachePoint", &[]),]
    no [] rest REST_OF_ROLE
};
static CONVERSE_MESSAGE: &[Field<Text>] = texts! { [ROLE, path("content", CONVERSE_BLOCK),] no [] rest REST_OF_ROLE };
static CONVERSE: &[Field<Text>] = texts! {
    [
    path("system", SYSTEM_BLOCK),
    message("messages", CONVERSE_MESSAGE),
    path("toolConfig", GEMINI_TOOLS),
    text("promptVariables", Place::User, &ANY_USER),]
    no ["role" "sensitivity" "serviceTier" "performanceConfig"] rest REST_OTHER
};
/// Each family of models has a shape of its own.
static INVOKE: &[Field<Text>] = texts! {
    [
    part("system", Place::System, SYSTEM_BLOCK),
    message("messages", ANTHROPIC_MESSAGE),
    path("tools", DEFINITION),
    path("toolConfig", GEMINI_TOOLS),
    text("prompt", Place::User, &ANY_USER),
    text("inputText", Place::User, &ANY_USER),
    text("texts", Place::User, &ANY_USER),
    media("image"),
    media("images"),
    media("inputImage"),
    media("init_image"),
    media("conditionImage"),
    media("referenceImage"),
    media("mask"),]
    no ["role" "sensitivity" "anthropic_beta" "anthropic_version" "tool_choice"] rest REST_OTHER
};

static COHERE: &[Field<Text>] = texts! {
    [
    message("messages", MESSAGE),
    path("tools", DEFINITION),
    text("documents", Place::Document, &ANY_DOCUMENT),
    text("message", Place::User, &[]),
    text("preamble", Place::System, &[]),
    message("chat_history", texts! { [ROLE, of_role("message", &[]),] no [] rest REST_OF_ROLE }),
    text("tool_results", Place::ToolResult, &ANY_RESULT),]
    no ["model" "role" "sensitivity" "tool_choice" "conversation_id"] rest REST_OTHER
};

static OLLAMA: &[Field<Text>] = texts! {
    [
    message("messages", MESSAGE),
    path("tools", DEFINITION),
    text("prompt", Place::User, &[]),
    text("suffix", Place::User, &[]),
    text("system", Place::System, &[]),
    text("input", Place::User, &ANY_USER),
    media("images"),]
    no ["model" "role" "sensitivity" "context" "options"] rest REST_OTHER
};

static LM_STUDIO: &[Field<Text>] = texts! {
    [
    text("system_prompt", Place::System, &[]),
    part("input", Place::User, texts! { [part("content", Place::User, &[]), part("text", Place::User, &[]), media("data_url"),] no ["type"] rest REST_USER }),
    path("integrations", DEFINITION),]
    no ["model" "role" "sensitivity" "previous_response_id"] rest REST_OTHER
};

static PROMPTS: &[Field<Text>] = texts! {
    [
    text("prompt", Place::User, &ANY_USER),
    text("suffix", Place::User, &[]),
    text("input", Place::User, PROMPT_PARTS),
    text("inputs", Place::User, PROMPT_PARTS),
    text("texts", Place::User, &ANY_USER),
    text("query", Place::User, &ANY_USER),
    text("instructions", Place::System, &[]),
    text("documents", Place::Document, &ANY_DOCUMENT),
    media("image"),
    media("images"),]
    no ["model" "role" "sensitivity" "voice" "response_format" "encoding_format" "size" "quality"] rest REST_OTHER
};
static PROMPT_PARTS: &[Field<Text>] = texts! {
    [source("image_url"), source("image"), path("content", texts! { [source("image_url"), source("image"),] no ["type"] rest REST_USER }),]
    no ["type"] rest REST_USER
};
