//! Where text can be in the answers of each API, and in the events of its streams.

use super::{
    ANY_ASSISTANT, ANY_CALL, ANY_REASONING, ANY_RESULT, Place, REST_ASSISTANT, REST_CALL, REST_DOCUMENT,
    REST_REASONING, REST_RESULT, Text, arguments, encrypted, logprobs, media, part, path, row, text, texts,
};
use crate::json::Field;

/// The table of an API's answers in one piece, by its name.
pub(super) fn whole(api: &str) -> &'static [Field<Text>] {
    match api {
        "openai_chat" | "gateway_chat" | "openai_completions" => CHAT,
        "openai_responses" => RESPONSE,
        "anthropic_messages" | "bedrock_invoke" => ANTHROPIC,
        "gemini_generate" | "gemini_embed" => GEMINI,
        "gemini_interactions" => INTERACTION,
        "bedrock_converse" => CONVERSE,
        "cohere_chat" => COHERE,
        "ollama_chat" | "ollama_generate" | "ollama_embed" => OLLAMA,
        _ => OTHERS,
    }
}

/// The same of an event.
pub(super) fn event(api: &str) -> &'static [Field<Text>] {
    match api {
        "openai_responses" => RESPONSE_EVENT,
        "gemini_interactions" => INTERACTION_EVENT,
        "lm_studio_chat" => LM_STUDIO_EVENT,
        other => whole(other),
    }
}

const fn turn(name: &'static str, inside: &'static [Field<Text>]) -> Field<Text> {
    row(name, Text::Turn, inside)
}
const INDEX: Field<Text> = row("index", Text::Index, &[]);
const fn end(name: &'static str) -> Field<Text> {
    row(name, Text::End, &[])
}
const KIND: Field<Text> = row("type", Text::Kind, &[]);
/// Of an event whose kind says whose it is.
const fn by_kind(name: &'static str) -> Field<Text> {
    row(name, Text::In { place: None, joins: true, json: false, named: true }, &ANY_ASSISTANT)
}

static CALL: &[Field<Text>] = texts! { [arguments("arguments", true),] no ["name"] rest REST_CALL };
static CALLS: &[Field<Text>] = texts! {
    [INDEX, path("function", CALL), path("custom", texts! { [part("input", Place::ToolCall, &[]),] no ["name"] rest REST_CALL }),]
    no ["id" "type" "extra_content"] rest REST_CALL
};
static PARTS: &[Field<Text>] = texts! {
    [part("text", Place::Assistant, &[]), path("image_url", texts! { [media("url"),] no ["detail"] rest REST_ASSISTANT }),]
    no ["type" "index"] rest REST_ASSISTANT
};
static MESSAGE: &[Field<Text>] = texts! {
    [
    part("content", Place::Assistant, PARTS),
    part("reasoning_content", Place::Reasoning, &[]),
    part("reasoning", Place::Reasoning, &ANY_REASONING),
    path("reasoning_details", texts! {
        [part("text", Place::Reasoning, &[]), part("summary", Place::Reasoning, &[]), encrypted("data"),]
        no ["type" "id" "format" "signature"] rest REST_REASONING
    }),
    part("thinking", Place::Reasoning, &ANY_REASONING),
    part("refusal", Place::Assistant, &[]),
    turn("tool_calls", CALLS),
    path("function_call", CALL),
    path("audio", texts! { [part("transcript", Place::Assistant, &[]), media("data"),] no ["id"] rest REST_ASSISTANT }),
    path("images", texts! { [path("image_url", texts! { [media("url"),] no [] rest REST_ASSISTANT }),] no ["type"] rest REST_ASSISTANT }),
    text("executed_tools", Place::ToolResult, &ANY_RESULT),]
    no ["role" "id" "name" "tool_name" "reasoning_signature" "obfuscation"] rest REST_ASSISTANT
};
static CHAT: &[Field<Text>] = texts! {
    [
    turn("choices", texts! {
        [
        INDEX,
        path("delta", MESSAGE),
        path("message", MESSAGE),
        part("text", Place::Assistant, &[]),
        end("finish_reason"),
        logprobs("logprobs"),]
        no [] rest REST_ASSISTANT
    }),]
    no ["id" "object" "created" "model" "service_tier" "system_fingerprint" "obfuscation" "usage"] rest REST_ASSISTANT
};

static ITEM: &[Field<Text>] = texts! {
    [
    path("content", texts! {
        [text("text", Place::Assistant, &[]), text("refusal", Place::Assistant, &[]), logprobs("logprobs"),]
        no ["type"] rest REST_ASSISTANT
    }),
    arguments("arguments", false),
    text("input", Place::ToolCall, &ANY_CALL),
    text("action", Place::ToolCall, &ANY_CALL),
    text("code", Place::ToolCall, &[]),
    text("summary", Place::Reasoning, &ANY_REASONING),
    text("results", Place::ToolResult, &ANY_RESULT),
    text("outputs", Place::ToolResult, &ANY_RESULT),
    text("output", Place::ToolResult, &ANY_RESULT),
    encrypted("encrypted_content"),
    media("result"),]
    no ["type" "id" "call_id" "status" "role" "name" "server_label" "container_id" "phase"] rest REST_ASSISTANT
};
static RESPONSE: &[Field<Text>] = texts! {
    [path("output", ITEM),]
    no [
        "id" "object" "created_at" "completed_at" "model" "status" "service_tier" "usage" "previous_response_id" "conversation" "tool_choice" "truncation"
        // What the client said comes back: it knows it.
        "instructions" "tools" "metadata" "user" "prompt" "prompt_cache_key" "safety_identifier" "text" "reasoning"
    ] rest REST_ASSISTANT
};
static RESPONSE_EVENT: &[Field<Text>] = texts! {
    [
    KIND,
    row("output_index", Text::Index, &[]),
    row("content_index", Text::Index, &[]),
    row("summary_index", Text::Index, &[]),
    by_kind("delta"),
    text("text", Place::Assistant, &[]),
    text("refusal", Place::Assistant, &[]),
    arguments("arguments", false),
    text("input", Place::ToolCall, &ANY_CALL),
    text("code", Place::ToolCall, &[]),
    path("item", ITEM),
    path("response", RESPONSE),
    media("partial_image_b64"),
    logprobs("logprobs"),]
    no ["item_id" "sequence_number" "obfuscation"] rest REST_ASSISTANT
};

static BLOCK: &[Field<Text>] = texts! {
    [
    part("text", Place::Assistant, &[]),
    part("thinking", Place::Reasoning, &[]),
    row("partial_json", Text::In { place: Some(Place::ToolCall), joins: true, json: true, named: true }, &[]),
    text("input", Place::ToolCall, &ANY_CALL),
    text("content", Place::ToolResult, RESULT),
    encrypted("data"),]
    no ["type" "id" "tool_use_id" "name" "signature" "stop_reason" "server_name" "role" "usage"] rest REST_ASSISTANT
};
static RESULT: &[Field<Text>] = texts! { [encrypted("encrypted_content"),] no ["type" "file_id"] rest REST_RESULT };
static ANTHROPIC: &[Field<Text>] = texts! {
    [
    KIND,
    INDEX,
    path("delta", BLOCK),
    path("content_block", BLOCK),
    path("content", BLOCK),
    path("message", texts! { [path("content", BLOCK),] no ["id" "type" "role" "model" "stop_reason" "usage"] rest REST_ASSISTANT }),]
    no ["id" "role" "model" "stop_reason" "usage"] rest REST_ASSISTANT
};

static GEMINI_CALL: &[Field<Text>] = texts! { [] no ["name" "id"] rest REST_CALL };
static GEMINI_PARTS: &[Field<Text>] = texts! {
    [
    part("text", Place::Assistant, &[]),
    path("functionCall", GEMINI_CALL),
    path("function_call", GEMINI_CALL),
    path("executableCode", texts! { [] no ["language" "id"] rest REST_CALL }),
    path("codeExecutionResult", texts! { [] no ["outcome" "id"] rest REST_RESULT }),
    path("inlineData", texts! { [media("data"),] no ["mimeType"] rest REST_DOCUMENT }),
    path("inline_data", texts! { [media("data"),] no ["mime_type"] rest REST_DOCUMENT }),
    encrypted("thoughtSignature"),
    encrypted("thought_signature"),]
    no [] rest REST_ASSISTANT
};
static GEMINI: &[Field<Text>] = texts! {
    [
    turn("candidates", texts! {
        [
        INDEX,
        path("content", texts! { [path("parts", GEMINI_PARTS),] no ["role"] rest REST_ASSISTANT }),
        end("finishReason"),
        end("finish_reason"),
        logprobs("logprobsResult"),]
        no ["safetyRatings"] rest REST_ASSISTANT
    }),]
    no ["responseId" "modelVersion" "model_version" "usageMetadata" "usage_metadata" "createTime"] rest REST_ASSISTANT
};

static OUTPUT: &[Field<Text>] = texts! {
    [
    part("text", Place::Assistant, &[]),
    part("thought", Place::Reasoning, &[]),
    text("summary", Place::Reasoning, &ANY_REASONING),
    arguments("arguments", true),
    path("content", texts! { [part("text", Place::Assistant, &[]), media("data"),] no ["type" "mime_type"] rest REST_ASSISTANT }),
    text("result", Place::ToolResult, &ANY_RESULT),
    media("data"),]
    no ["type" "id" "call_id" "name" "mime_type" "signature" "status"] rest REST_ASSISTANT
};
static INTERACTION: &[Field<Text>] = texts! {
    [path("outputs", OUTPUT), path("steps", OUTPUT),]
    no ["id" "object" "model" "status" "usage" "service_tier" "created" "updated" "role"] rest REST_ASSISTANT
};
static INTERACTION_EVENT: &[Field<Text>] = texts! {
    [
    row("event_type", Text::Kind, &[]),
    INDEX,
    path("delta", OUTPUT),
    path("step", OUTPUT),
    path("content", OUTPUT),
    path("interaction", INTERACTION),]
    no ["event_id" "interaction_id" "status"] rest REST_ASSISTANT
};

static CONVERSE_REASONING: &[Field<Text>] = texts! {
    [
    part("text", Place::Reasoning, &[]),
    path("reasoningText", texts! { [part("text", Place::Reasoning, &[]),] no ["signature"] rest REST_REASONING }),
    encrypted("redactedContent"),]
    no ["signature"] rest REST_REASONING
};
static CONVERSE_BLOCK: &[Field<Text>] = texts! {
    [
    part("text", Place::Assistant, &[]),
    path("toolUse", texts! { [arguments("input", true),] no ["name" "toolUseId" "type"] rest REST_CALL }),
    path("reasoningContent", CONVERSE_REASONING),
    path("image", texts! { [path("source", texts! { [media("bytes"),] no [] rest REST_ASSISTANT }),] no ["format"] rest REST_ASSISTANT }),]
    no [] rest REST_ASSISTANT
};
static CONVERSE: &[Field<Text>] = texts! {
    [
    row("contentBlockIndex", Text::Index, &[]),
    path("delta", CONVERSE_BLOCK),
    path("output", texts! { [path("message", texts! { [path("content", CONVERSE_BLOCK),] no ["role"] rest REST_ASSISTANT }),] no [] rest REST_ASSISTANT }),
    end("stopReason"),]
    no ["role" "usage" "metrics" "trace" "start"] rest REST_ASSISTANT
};

static COHERE_MESSAGE: &[Field<Text>] = texts! {
    [
    part("content", Place::Assistant, texts! {
        [part("text", Place::Assistant, &[]), part("thinking", Place::Reasoning, &[]),] no ["type"] rest REST_ASSISTANT
    }),
    part("tool_plan", Place::Reasoning, &[]),
    turn("tool_calls", CALLS),]
    no ["role" "id"] rest REST_ASSISTANT
};
static COHERE: &[Field<Text>] = texts! {
    [
    KIND,
    INDEX,
    path("delta", texts! { [path("message", COHERE_MESSAGE), end("finish_reason"),] no ["usage"] rest REST_ASSISTANT }),
    path("message", COHERE_MESSAGE),
    part("text", Place::Assistant, &[]),
    end("finish_reason"),]
    no ["id" "generation_id" "response_id" "usage" "meta" "event_type"] rest REST_ASSISTANT
};

static OLLAMA: &[Field<Text>] = texts! {
    [
    path("message", MESSAGE),
    part("response", Place::Assistant, &[]),
    part("thinking", Place::Reasoning, &[]),
    end("done_reason"),
    logprobs("logprobs"),]
    no ["model" "created_at"] rest REST_ASSISTANT
};

static LM_STUDIO_EVENT: &[Field<Text>] = texts! {
    [KIND, part("content", Place::Assistant, &[]), arguments("arguments", true),]
    no ["model_instance_id" "response_id"] rest REST_ASSISTANT
};

static OTHERS: &[Field<Text>] = texts! {
    [media("b64_json"), media("embedding"), media("embeddings"), media("audio"), logprobs("logprobs"),]
    no ["model" "id" "object" "created"] rest REST_ASSISTANT
};
