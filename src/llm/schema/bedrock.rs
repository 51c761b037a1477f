//! Bedrock: Converse for all models, InvokeModel in each model's own shape (Anthropic's is read, and of the others what
//! Bedrock's own headers count). Which model and whether it streams stands in the path. Source: the API reference.

use super::field::{
    REST, ROLE, SENSITIVITY, TOOLS, TOOLS_BY_MEMBER, asked, count, error, fields, hidden, inline, known, media, never,
    object, part, parts, path, text, value,
};
use super::{Asked, Dialect, Fact, Field, Medium, OutputBound, Schema, Slot, Small, Want, anthropic, openai};
use crate::llm::usage::{Contract, Count};

const S3: Field<Asked> = hidden("s3Location");
static PICTURE: [Field<Asked>; 1] = [path("source", &[inline("bytes", Medium::Picture), S3])];
static SOUND: [Field<Asked>; 1] = [path("source", &[inline("bytes", Medium::Sound), S3])];
static VIDEO: [Field<Asked>; 1] = [path("source", &[inline("bytes", Medium::Video), S3])];
static DOCUMENT: [Field<Asked>; 1] = [path("source", &[inline("bytes", Medium::Document), S3])];

static RESULT: &[Field<Asked>] = part! {
    [path("image", &PICTURE), path("document", &DOCUMENT), path("video", &VIDEO), path("audio", &SOUND),]
    free ["text" "json" "searchResult"]
};
static BLOCK: &[Field<Asked>] = part! {
    [
    path("image", &PICTURE),
    path("document", &DOCUMENT),
    path("video", &VIDEO),
    path("audio", &SOUND),
    path("toolResult", &[path("content", RESULT)]),
    path("guardContent", &[path("image", &PICTURE)]),]
    free ["text" "toolUse" "reasoningContent" "citationsContent" "searchResult" "toolRemoval" "toolAddition"]
};

const BOUND: &str = "left out: the bound on the output is `inferenceConfig.maxTokens`";

/// Of Nova's, what Converse has no field for. A bound would stand beside that which is reserved.
static INFERENCE_BESIDE: &[Field<Asked>] = fields! {
    [never("maxTokens", BOUND), never("max_new_tokens", BOUND),]
    free ["topK" "top_k" "topP" "top_p" "temperature" "stopSequences"]
};

/// Anthropic's own tools (a computer, a shell) go to the model as they are.
static ADDITIONAL: &[Field<Asked>] = fields! {
    [
    asked("speed", Asked::Speed),
    asked("inference_geo", Asked::Region),
    anthropic::BETAS,
    TOOLS,
    path("inferenceConfig", INFERENCE_BESIDE),
    never("max_tokens", BOUND),
    never("max_completion_tokens", BOUND),
    never("max_output_tokens", BOUND),
    never("max_gen_len", BOUND),
    never("maxTokens", BOUND),
    never("textGenerationConfig", BOUND),
    // Nova's own shape: its tools are Converse's.
    never("toolConfig", "left out: tools are offered in the `toolConfig` beside it"),]
    free [
        "output_config" "reasoning" "reasoningConfig" "reasoning_config" "reasoning_effort"
        "thinking" "tool_choice" "top_k" "topK"
    ]
};

static INFERENCE: &[Field<Asked>] = fields! {
    [asked("maxTokens", Asked::Bound(0)),]
    free ["stopSequences" "temperature" "topP"]
};

static REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    object("inferenceConfig", Asked::Nest, INFERENCE),
    path("serviceTier", &[asked("type", Asked::ServiceTier)]),
    path("performanceConfig", &[asked("latency", Asked::Speed)]),
    path("toolConfig", &[TOOLS_BY_MEMBER]),
    // Whatever the model knows beside.
    path("additionalModelRequestFields", ADDITIONAL),
    object("messages", Asked::Needed, &[path("content", BLOCK)]),
    // Of a prompt that the provider has kept.
    hidden("promptVariables"),]
    free [
        "system" "guardrailConfig" "additionalModelResponseFieldPaths" "requestMetadata" "outputConfig"
        "projectIdentifier"
    ]
};

static ANSWER: [Field<Fact>; 9] = [
    error("error"),
    object(
        "usage",
        Fact::Usage,
        &[
            count("inputTokens", Count::Input),
            count("outputTokens", Count::Output),
            count("totalTokens", Count::Total),
            count("cacheReadInputTokens", Count::Cached),
            count("cacheWriteInputTokens", Count::CacheCreation),
            // As the first models with a cache called them.
            count("cacheReadInputTokenCount", Count::Cached),
            count("cacheWriteInputTokenCount", Count::CacheCreation),
            object(
                "cacheDetails",
                Fact::WrittenFor,
                &[value("ttl", Fact::WrittenAge), value("inputTokens", Fact::WrittenTokens)],
            ),
        ],
    ),
    path(
        "delta",
        &[
            text("text"),
            path("toolUse", &[text("input"), REST]),
            path("reasoningContent", &[text("text"), known("signature"), known("redactedContent"), REST]),
            known("citation"),
            known("image"),
            REST,
        ],
    ),
    path(
        "output",
        &[path(
            "message",
            &[path(
                "content",
                &[
                    text("text"),
                    path(
                        "toolUse",
                        &[text("name"), object("input", Fact::Arguments, &[]), known("toolUseId"), known("type")],
                    ),
                    path(
                        "reasoningContent",
                        &[
                            path("reasoningText", &[text("text"), known("signature"), REST]),
                            known("redactedContent"),
                            REST,
                        ],
                    ),
                    path("citationsContent", &[path("content", &[text("text"), REST]), known("citations"), REST]),
                    path("image", &[known("format"), path("source", &[media("bytes")])]),
                    REST,
                ],
            )],
        )],
    ),
    path("start", &[path("toolUse", &[text("name")])]),
    path("serviceTier", &[value("type", Fact::ServiceTier)]),
    path("performanceConfig", &[value("latency", Fact::Speed)]),
    value("stopReason", Fact::Finish),
    // Which model a prompt router took.
    path("trace", &[path("promptRouter", &[value("invokedModelId", Fact::Model)])]),
];

static BOUNDS: [Slot; 1] = [Slot { nest: Some("inferenceConfig"), name: "maxTokens" }];

pub static CONVERSE: Schema = Schema {
    name: "bedrock_converse",
    dialect: Dialect::Aws,
    failure: Some("validationException"),
    request: REQUEST,
    needs: None,
    takes_forms: false,
    streams: false,
    output: OutputBound::Field(&BOUNDS),
    zero: Small::Refused,
    negative: Small::Refused,
    caches_on_request: true,
    usage_option: false,
    item: None,
    background: false,
    wrapped: false,
    own: false,
    always_reports: true,
    keeps: false,
    answer: &ANSWER,
    event: &ANSWER,
    contract: Contract::CacheBeside,
    grows: false,
    opaque_bytes_per_token: 2,
    compressed_stream_bytes_per_token: 4,
};

const fn picture(name: &'static str) -> Field<Asked> {
    Field { name, key: Some(Asked::Picture), want: Want::Size, inside: &[] }
}

/// Anthropic's blocks, and Nova's.
static INVOKE_BLOCK: &[Field<Asked>] = part! {
    [
    asked("type", Asked::PartKind),
    object("source", Asked::Source, anthropic::SOURCE),
    parts("content", &[asked("type", Asked::PartKind), object("source", Asked::Source, anthropic::SOURCE)]),
    path("image", &PICTURE),
    path("document", &DOCUMENT),
    path("video", &VIDEO),
    path("audio", &SOUND),
    // Tools that join in the middle.
    path("tool", &anthropic::JOINING),
    path("tool_changes", &[path("tool", &anthropic::JOINING)]),
    TOOLS,
    hidden("file_id"),]
    free [
        "text" "thinking" "signature" "id" "name" "input" "tool_use_id" "is_error" "citations" "title" "context" "data"
        "server_name" "caller" "toolUse" "toolResult" "reasoningContent"
    ]
};

/// Each family of models calls its bound otherwise.
static INVOKE_REQUEST: &[Field<Asked>] = fields! {
    [
    ROLE,
    SENSITIVITY,
    asked("max_tokens", Asked::Bound(0)),
    asked("max_gen_len", Asked::Bound(0)),
    asked("maxTokens", Asked::Bound(0)),
    asked("max_completion_tokens", Asked::Bound(0)),
    // How many answers, and how many pictures.
    asked("n", Asked::Choices),
    asked("num_generations", Asked::Choices),
    asked("numResults", Asked::Choices),
    object("imageGenerationConfig", Asked::Drawn, &[asked("numberOfImages", Asked::Drawn)]),
    path("inferenceConfig", &[asked("maxTokens", Asked::Bound(0)), asked("max_new_tokens", Asked::Bound(0))]),
    path("textGenerationConfig", &[asked("maxTokenCount", Asked::Bound(0))]),
    TOOLS,
    path("toolConfig", &[TOOLS_BY_MEMBER]),
    path("messages", &[parts("content", INVOKE_BLOCK), TOOLS]),
    anthropic::LEFT_CONTAINER,
    anthropic::BETAS,
    anthropic::VERSION,
    object("mcp_servers", Asked::Servers("mcp_servers"), &[]),
    // What is ranked: Cohere's and Amazon's. Without a query, documents are read.
    object("documents", Asked::Document, &[]),
    Field { name: "query", key: Some(Asked::Query), want: Want::Size, inside: &[] },
    // Pictures that are embedded by the piece: Titan's, Cohere's, Nova's.
    picture("inputImage"),
    picture("images"),
    path(
        "singleEmbeddingParams",
        &[path("image", &[path("source", &[picture("bytes"), S3])]), path("video", &VIDEO), path("audio", &SOUND)],
    ),]
    free [
        "context_management" "metadata" "output_config" "output_format"
        "stop_sequences" "system"
        "temperature" "thinking" "tool_choice" "top_k" "top_p"
        // Titan's, Nova's, Llama's, Mistral's, Cohere's.
        "inputText" "embeddingConfig" "embeddingTypes" "dimensions" "normalize" "taskType" "textToImageParams"
        "schemaVersion" "prompt" "stop" "reasoning_effort" "response_format" "truncate" "texts" "input_type" "embedding_types" "inputs"
        "output_dimension" "top_n"
        "api_version" "message" "chat_history" "preamble" "k" "p" "seed" "frequency_penalty" "presence_penalty"
    ]
};

/// Anthropic's counts, Nova's, and those of models that speak OpenAI's chat; the others have theirs beside the text.
static INVOKED_USAGE: [Field<Fact>; 23] = {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, _, _] = anthropic::COUNTS;
    let prompt = count("prompt_tokens", Count::Input);
    let completion = count("completion_tokens", Count::Output);
    let input = count("inputTokens", Count::Input);
    let output = count("outputTokens", Count::Output);
    let read = count("cacheReadInputTokenCount", Count::Cached);
    let written = count("cacheWriteInputTokenCount", Count::CacheCreation);
    let total = count("total_tokens", Count::Total);
    let nova_total = count("totalTokens", Count::Total);
    let details = path("completion_tokens_details", &[count("reasoning_tokens", Count::Reasoning)]);
    [
        a, b, c, d, e, f, g, h, i, j, k, l, m, n, input, output, read, written, prompt, completion, total, nova_total,
        details,
    ]
};

/// Of those that speak OpenAI's chat.
static CHAT_CHOICE: [Field<Fact>; 4] = [
    path("message", &openai::MESSAGE),
    path("delta", &openai::MESSAGE),
    text("text"),
    value("finish_reason", Fact::Finish),
];

static NOVA: [Field<Fact>; 1] = [path("message", &[path("content", &[text("text"), REST])])];

static INVOKED_LAST: [Field<Fact>; 1] = [object("usage", Fact::Usage, &INVOKED_USAGE)];

/// What each family of models calls its text; Anthropic's is the same as in its own API. Other strings may be that of a family that
/// nobody has written down here.
static INVOKED: [Field<Fact>; 40] = {
    let [kind, model, error, said, container, _, block, delta, content, stop, metrics, titan, one, many] =
        anthropic::FACTS;
    let usage = object("usage", Fact::Usage, &INVOKED_USAGE);
    let llama =
        [text("generation"), count("prompt_token_count", Count::Input), count("generation_token_count", Count::Output)];
    let [generation, prompt_count, generation_count] = llama;
    // Anthropic's is an object, TwelveLabs' the text itself; and AWS's errors are written there.
    let message = Field { name: "message", key: Some(Fact::Stray), want: Want::Size, inside: said.inside };
    // Titan's texts; and what was ranked, which has no text.
    let titan_texts = object("results", Fact::Made, &[text("outputText"), count("tokenCount", Count::Output)]);
    let titan_text = text("outputText");
    let mistral = path("outputs", &[text("text")]);
    let nova = path("output", &NOVA);
    let nova_delta = path("contentBlockDelta", &[path("delta", &[text("text"), REST])]);
    let chat = path("choices", &CHAT_CHOICE);
    // Nova's, Titan's, Stability's.
    let pictures = object("images", Fact::Each(Count::MadeImages), &[]);
    // The last event of Nova's streams.
    let last = path("metadata", &INVOKED_LAST);
    [
        kind,
        model,
        error,
        message,
        container,
        usage,
        block,
        delta,
        content,
        stop,
        metrics,
        titan,
        one,
        many,
        generation,
        prompt_count,
        generation_count,
        titan_texts,
        titan_text,
        mistral,
        nova,
        nova_delta,
        chat,
        pictures,
        last,
        known("id"),
        known("role"),
        known("object"),
        known("stop_sequence"),
        known("stopReason"),
        known("finishReason"),
        known("finish_reason"),
        known("completionReason"),
        known("response_type"),
        known("messageStart"),
        known("messageStop"),
        // What was asked is said again (Cohere's).
        known("texts"),
        known("prompt"),
        known("chat_history"),
        REST,
    ]
};

pub static INVOKE: Schema = Schema {
    name: "bedrock_invoke",
    request: INVOKE_REQUEST,
    wrapped: true,
    own: false,
    output: OutputBound::Unwritten,
    zero: Small::Either,
    answer: &INVOKED,
    event: &INVOKED,
    always_reports: false,
    ..CONVERSE
};
