//! The tables, API by API.

use super::{CallTables, Called, Comes, Of, Written, arguments, call, object, path, value};
use crate::json::{Field, OTHERS, Want};

/// The tables of an API, by its name.
pub(super) fn of(api: &str) -> Option<CallTables> {
    let same = |table| Some(CallTables { answer: table, event: table });
    match api {
        "openai_chat" | "gateway_chat" | "openai_completions" => same(CHAT),
        "openai_responses" => Some(CallTables { answer: RESPONSE, event: RESPONSE_EVENT }),
        "anthropic_messages" => same(ANTHROPIC),
        "gemini_generate" => same(GEMINI),
        "gemini_interactions" => Some(CallTables { answer: INTERACTION, event: INTERACTION_EVENT }),
        "bedrock_converse" => same(CONVERSE),
        "bedrock_invoke" => same(INVOKE),
        "cohere_chat" => same(COHERE),
        "ollama_chat" | "ollama_generate" => same(OLLAMA),
        "lm_studio_chat" => Some(CallTables { answer: LM_STUDIO, event: LM_STUDIO_EVENT }),
        _ => None,
    }
}

const INDEX: Field<Called> = value("index", Called::Index);
const ID: Field<Called> = value("id", Called::Id);
const TYPE: Field<Called> = value("type", Called::Type);
const NAME: Field<Called> = value("name", Called::Name);
const EVENT: Field<Called> = value("type", Called::Event);
const fn end(name: &'static str) -> Field<Called> {
    value(name, Called::End)
}
const fn within(name: &'static str) -> Field<Called> {
    value(name, Called::Within)
}
const fn turn(name: &'static str, inside: &'static [Field<Called>]) -> Field<Called> {
    object(name, Called::Turn, inside)
}

/// What an unknown key holds that is a call's.
static UNHEARD_OF: &[Field<Called>] = &[
    INDEX,
    ID,
    TYPE,
    NAME,
    arguments("arguments", Written::Json),
    arguments("args", Written::Json),
    arguments("input", Written::Json),
    path("function", &[NAME, arguments("arguments", Written::Json)]),
];
const UNKNOWN: Field<Called> =
    Field { name: OTHERS, key: Some(Called::Unknown), want: Want::Presence, inside: UNHEARD_OF };

/// A call of OpenAI's chat: a delta's arguments are the next piece of them.
macro_rules! tool_call {
    ($json:expr, $free:expr) => {
        &[
            INDEX,
            ID,
            TYPE,
            object("function", Called::Member("function"), &[NAME, arguments("arguments", $json)]),
            object("custom", Called::Member("custom"), &[NAME, arguments("input", $free)]),
        ]
    };
}
static TOOL_CALL: &[Field<Called>] = tool_call!(Written::Json, Written::Free);
static TOOL_CALL_DELTA: &[Field<Called>] = tool_call!(Written::Piece, Written::FreePiece);
/// Groq's: what it has run already.
static EXECUTED: &[Field<Called>] = &[INDEX, TYPE, NAME, arguments("arguments", Written::Json)];

static MESSAGE: &[Field<Called>] = &[
    call("tool_calls", Of::Chat, Comes::Again, TOOL_CALL),
    call("function_call", Of::Function, Comes::Again, &[NAME, arguments("arguments", Written::Json)]),
    call("executed_tools", Of::Run, Comes::Again, EXECUTED),
    UNKNOWN,
];
static DELTA: &[Field<Called>] = &[
    call("tool_calls", Of::Chat, Comes::InParts, TOOL_CALL_DELTA),
    call("function_call", Of::Function, Comes::InParts, &[NAME, arguments("arguments", Written::Piece)]),
    call("executed_tools", Of::Run, Comes::Again, EXECUTED),
    UNKNOWN,
];
static CHOICE: &[Field<Called>] =
    &[INDEX, path("delta", DELTA), path("message", MESSAGE), end("finish_reason"), end("stop_reason")];
const CHOICES: Field<Called> = turn("choices", CHOICE);
static CHAT: &[Field<Called>] = &[CHOICES];

static ITEM: &[Field<Called>] = &[
    TYPE,
    ID,
    NAME,
    within("namespace"),
    within("server_label"),
    arguments("arguments", Written::Json),
    arguments("input", Written::Free),
    arguments("code", Written::Free),
    arguments("action", Written::Value),
    arguments("actions", Written::Value),
    arguments("operation", Written::Value),
    arguments("queries", Written::Value),
];
static RESPONSE: &[Field<Called>] = &[call("output", Of::Item, Comes::Again, ITEM)];
static RESPONSE_EVENT: &[Field<Called>] = &[
    EVENT,
    value("output_index", Called::Index),
    value("item_id", Called::Id),
    NAME,
    arguments("delta", Written::Piece),
    arguments("arguments", Written::Json),
    arguments("input", Written::Free),
    arguments("code", Written::Free),
    call("item", Of::Item, Comes::ByEvent, ITEM),
    path("response", RESPONSE),
];

const INPUT: Field<Called> = arguments("input", Written::Json);
static BLOCK: &[Field<Called>] = &[TYPE, ID, NAME, within("server_name"), within("toolset_name"), INPUT];
const BLOCKS: Field<Called> = call("content", Of::Block, Comes::Again, BLOCK);
const BLOCK_START: Field<Called> = call("content_block", Of::Block, Comes::InParts, BLOCK);
const BLOCK_DELTA: [Field<Called>; 3] = [TYPE, arguments("partial_json", Written::Piece), end("stop_reason")];
static ANTHROPIC: &[Field<Called>] = &[
    EVENT,
    INDEX,
    call("delta", Of::Block, Comes::InParts, &BLOCK_DELTA),
    BLOCK_START,
    BLOCKS,
    path("message", &[BLOCKS]),
];

/// Both spellings of a field are the same field.
static FUNCTION: &[Field<Called>] = &[
    ID,
    NAME,
    arguments("args", Written::Value),
    object("partialArgs", Called::Parts, &[]),
    object("partial_args", Called::Parts, &[]),
    value("willContinue", Called::GoesOn),
    value("will_continue", Called::GoesOn),
];
static CODE: &[Field<Called>] = &[ID, arguments("code", Written::Free)];
static SERVER_TOOL: &[Field<Called>] =
    &[ID, value("toolType", Called::Type), value("tool_type", Called::Type), arguments("args", Written::Value)];
static PARTS: &[Field<Called>] = &[
    call("functionCall", Of::Function, Comes::Closing, FUNCTION),
    call("function_call", Of::Function, Comes::Closing, FUNCTION),
    call("executableCode", Of::Code, Comes::Closing, CODE),
    call("executable_code", Of::Code, Comes::Closing, CODE),
    call("toolCall", Of::Tool, Comes::Closing, SERVER_TOOL),
    call("tool_call", Of::Tool, Comes::Closing, SERVER_TOOL),
    UNKNOWN,
];
static GEMINI: &[Field<Called>] = &[turn(
    "candidates",
    &[INDEX, path("content", &[path("parts", PARTS)]), end("finishReason"), end("finish_reason")],
)];

static STEP: &[Field<Called>] = &[TYPE, ID, NAME, within("server_name"), arguments("arguments", Written::Json)];
static STEP_DELTA: &[Field<Called>] = &[TYPE, ID, NAME, within("server_name"), arguments("arguments", Written::Piece)];
static INTERACTION: &[Field<Called>] =
    &[call("outputs", Of::Step, Comes::Again, STEP), call("steps", Of::Step, Comes::Again, STEP)];
static INTERACTION_EVENT: &[Field<Called>] = &[
    value("event_type", Called::Event),
    INDEX,
    call("delta", Of::Step, Comes::InParts, STEP_DELTA),
    call("step", Of::Step, Comes::InParts, STEP),
    call("content", Of::Step, Comes::InParts, STEP),
    path("interaction", INTERACTION),
];

static USE: &[Field<Called>] = &[value("toolUseId", Called::Id), NAME, TYPE, INPUT];
static USE_DELTA: &[Field<Called>] = &[value("toolUseId", Called::Id), NAME, TYPE, arguments("input", Written::Piece)];
const BLOCK_INDEX: Field<Called> = value("contentBlockIndex", Called::BlockIndex);
static USE_BEGINS: &[Field<Called>] = &[call("toolUse", Of::Use, Comes::InParts, USE), UNKNOWN];
static USE_GOES_ON: &[Field<Called>] = &[call("toolUse", Of::Use, Comes::InParts, USE_DELTA)];
const BLOCK_BEGINS: Field<Called> = object("start", Called::Block, USE_BEGINS);
const BLOCK_GOES_ON: Field<Called> = object("delta", Called::Block, USE_GOES_ON);
static USES: &[Field<Called>] = &[call("toolUse", Of::Use, Comes::Again, USE), UNKNOWN];
static OUTPUT: &[Field<Called>] = &[path("message", &[path("content", USES)])];
const MESSAGES: Field<Called> = path("output", OUTPUT);
static CONVERSE: &[Field<Called>] = &[BLOCK_INDEX, BLOCK_BEGINS, BLOCK_GOES_ON, MESSAGES, end("stopReason")];

/// Anthropic's models, Nova's, Cohere's first version, and those that speak OpenAI's chat.
static INVOKE: &[Field<Called>] = &[
    EVENT,
    INDEX,
    call("delta", Of::Block, Comes::InParts, &BLOCK_DELTA),
    BLOCK_START,
    BLOCKS,
    path("message", &[BLOCKS]),
    path("contentBlockStart", &[BLOCK_INDEX, BLOCK_BEGINS]),
    path("contentBlockDelta", &[BLOCK_INDEX, BLOCK_GOES_ON]),
    path("contentBlockStop", &[BLOCK_INDEX]),
    path("messageStop", &[end("stopReason")]),
    MESSAGES,
    CHOICES,
    FIRST_CALLS,
];

/// Of the API's first version.
const FIRST_CALLS: Field<Called> =
    call("tool_calls", Of::Function, Comes::Again, &[NAME, arguments("parameters", Written::Json)]);
static COHERE: &[Field<Called>] = &[
    EVENT,
    value("event_type", Called::Event),
    INDEX,
    path(
        "delta",
        &[
            path("message", &[call("tool_calls", Of::Chat, Comes::InParts, TOOL_CALL_DELTA), UNKNOWN]),
            end("finish_reason"),
        ],
    ),
    path("message", &[call("tool_calls", Of::Chat, Comes::Again, TOOL_CALL), UNKNOWN]),
    FIRST_CALLS,
    call("tool_call_delta", Of::Function, Comes::InParts, &[INDEX, NAME, arguments("parameters", Written::Piece)]),
    path("response", &[FIRST_CALLS]),
];

static OLLAMA: &[Field<Called>] = &[path("message", &[call("tool_calls", Of::Chat, Comes::Whole, TOOL_CALL), UNKNOWN])];

const PROVIDER: Field<Called> =
    path("provider_info", &[value("type", Called::Provider), within("server_label"), within("plugin_id")]);
const TOOL: Field<Called> = value("tool", Called::Name);
const GIVEN: Field<Called> = arguments("arguments", Written::Json);
/// Of a call that can't be made.
const INVALID: Field<Called> = path("metadata", &[value("tool_name", Called::Name), GIVEN, PROVIDER]);
static LM_STUDIO: &[Field<Called>] =
    &[call("output", Of::LmStudio, Comes::Again, &[TYPE, TOOL, GIVEN, PROVIDER, INVALID])];
static LM_STUDIO_EVENT: &[Field<Called>] = &[EVENT, TOOL, GIVEN, PROVIDER, INVALID, path("result", LM_STUDIO)];
