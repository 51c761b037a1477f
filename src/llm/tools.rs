//! The kinds of tools that a request can offer: what the client runs by itself, and what a provider runs, sells by the piece, and
//! reads the results of.
//!
//! A kind that isn't in these tables is no kind of ours, whatever it may be: what it costs is for the operator to say.
//! A version of a known kind (`web_search_20260318`) is known. Sources: the types of the official SDKs, the providers' price lists.

use super::schema::Dialect;

/// What a hosted tool is sold by, as prices and answers count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoldBy {
    WebSearch,
    FileSearch,
    Container,
    /// A picture that another model makes: by the piece, or by its tokens.
    Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// The client runs it, or the provider does for nothing but tokens.
    Free,
    Sold(SoldBy),
    /// Sold by what no price has a key for.
    Unsold,
}

/// A hosted tool that a request offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// As the client calls it.
    pub name: String,
    /// `None`: it is of no known kind.
    pub kind: Option<ToolKind>,
    /// How often it may be used, if the request says so.
    pub most: Option<u64>,
    /// What each use of it makes: of a picture that moves, all its frames.
    pub makes: u64,
    /// Where it begins in the body; 0 if it stands elsewhere.
    pub at: u64,
}

/// What is known of a kind of tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTool {
    pub kind: ToolKind,
    /// Tokens that a use of it brings into the model's context, beside what the body holds. The client's own bring nothing.
    pub brings: u64,
}

/// Of one request more are refused: nobody offers as many.
pub const MOST_HOSTED: usize = 64;

/// How often a hosted tool is taken to be used where the request doesn't bound it: as many searches as a turn of a model that
/// reasons commonly comes to. More are charged all the same, as the answer counts them.
pub const USES: u64 = 10;
/// A container serves all calls of a request, and a picture is rarely drawn more than twice.
pub const CONTAINERS: u64 = 1;
pub const PICTURES: u64 = 2;
/// Of one picture, of the dearest size and quality that tools were seen to make (7,024).
pub const PICTURE_TOKENS: u64 = 8_192;

/// What a search finds, files give or code prints, in tokens: OpenAI bills a search of its small models as 8,000, twenty pieces
/// of a file have 800 each, and Anthropic's results come to as much.
pub const RESULT: u64 = 16_384;
/// Whoever runs the server, or owns the page, decides how much it is: as much as the model reads.
pub const PAGE: u64 = u64::MAX;

use ToolKind::{Free, Sold, Unsold};

/// All APIs but Gemini's.
static KINDS: [(&str, ToolKind, u64); 48] = [
    ("custom", Free, 0),
    ("function", Free, 0),
    ("namespace", Free, 0),
    ("apply_patch", Free, 0),
    ("bash", Free, 0),
    ("browser_toolset", Free, 0),
    ("computer", Free, 0),
    ("computer_toolset", Free, 0),
    ("computer_use", Free, 0),
    ("computer_use_preview", Free, 0),
    ("local_shell", Free, 0),
    ("memory", Free, 0),
    ("programmatic_tool_calling", Free, RESULT),
    ("text_editor", Free, 0),
    ("tool_search", Free, 0),
    ("tool_search_tool_bm25", Free, 0),
    ("tool_search_tool_regex", Free, 0),
    // What these bring in is counted as tokens.
    ("mcp", Free, PAGE),
    ("mcp_toolset", Free, PAGE),
    ("web_fetch", Free, PAGE),
    // Bedrock's members.
    ("toolSpec", Free, 0),
    ("cachePoint", Free, 0),
    ("systemTool", Unsold, RESULT),
    // LM Studio's.
    ("plugin", Free, PAGE),
    ("ephemeral_mcp", Free, PAGE),
    ("web_search", Sold(SoldBy::WebSearch), RESULT),
    ("web_search_preview", Sold(SoldBy::WebSearch), RESULT),
    ("file_search", Sold(SoldBy::FileSearch), RESULT),
    ("code_interpreter", Sold(SoldBy::Container), RESULT),
    ("code_execution", Sold(SoldBy::Container), RESULT),
    ("shell", Sold(SoldBy::Container), RESULT),
    ("image_generation", Sold(SoldBy::Picture), 0),
    // Anthropic's: another model that is asked for advice.
    ("advisor", Unsold, 0),
    // xAI's, Mistral's, Groq's, Moonshot's.
    ("x_search", Sold(SoldBy::WebSearch), RESULT),
    ("collections_search", Sold(SoldBy::FileSearch), RESULT),
    ("web_search_premium", Unsold, RESULT),
    ("document_library", Unsold, RESULT),
    ("browser_search", Unsold, RESULT),
    ("builtin_function", Unsold, RESULT),
    // OpenRouter's tools and plugins.
    ("openrouter:datetime", Free, 0),
    ("openrouter:web_search", Sold(SoldBy::WebSearch), RESULT),
    ("openrouter:web_fetch", Unsold, PAGE),
    ("openrouter:image_generation", Unsold, 0),
    ("web", Sold(SoldBy::WebSearch), RESULT),
    ("file-parser", Unsold, 0),
    ("moderation", Unsold, 0),
    ("response-healing", Free, 0),
    ("context-compression", Free, 0),
];

/// Anthropic's own kinds that take a bound of their own: `max_uses`, `max_content_tokens`.
static BOUNDED: [&str; 4] = ["web_search", "web_fetch", "code_execution", "advisor"];

/// Gemini's, by the member that holds them or by their type; both spellings are one.
static GEMINI: [(&str, ToolKind, u64); 17] = [
    ("function", Free, 0),
    ("functiondeclarations", Free, 0),
    // Only the tokens of these are billed.
    ("codeexecution", Free, RESULT),
    ("computeruse", Free, 0),
    ("filesearch", Free, RESULT),
    ("toolsearch", Free, 0),
    ("mcpserver", Free, PAGE),
    ("mcpservers", Free, PAGE),
    ("urlcontext", Free, PAGE),
    ("googlesearch", Sold(SoldBy::WebSearch), RESULT),
    ("googlesearchretrieval", Sold(SoldBy::WebSearch), RESULT),
    ("enterprisewebsearch", Sold(SoldBy::WebSearch), RESULT),
    ("googlemaps", Unsold, RESULT),
    ("retrieval", Unsold, RESULT),
    ("exaaisearch", Unsold, RESULT),
    ("parallelaisearch", Unsold, RESULT),
    ("imagegeneration", Unsold, 0),
];

/// What a tool of this name is.
pub fn known(dialect: Dialect, name: &str) -> Option<KnownTool> {
    if dialect == Dialect::Gemini {
        let name: String =
            name.chars().filter(|letter| *letter != '_').map(|letter| letter.to_ascii_lowercase()).collect();
        return found(&GEMINI, &name);
    }
    let find = |name: &str| found(&KINDS, name);
    find(name).or_else(|| find(undated(name)))
}

/// Whether a tool's own bound is read: by Anthropic, and by Bedrock for its models, of their own kinds. Of whoever doesn't read one,
/// it only says what more there may be.
pub fn is_bounded(dialect: Dialect, name: &str) -> bool {
    matches!(dialect, Dialect::Anthropic | Dialect::Aws) && BOUNDED.contains(&undated(name))
}

/// All kinds that are known, Gemini's beside those of all others.
pub fn kinds() -> [impl Iterator<Item = &'static str>; 2] {
    [&KINDS[..], &GEMINI[..]].map(|table| table.iter().map(|(name, ..)| *name))
}

fn found(table: &[(&str, ToolKind, u64)], name: &str) -> Option<KnownTool> {
    table.iter().find(|(known, ..)| *known == name).map(|(_, kind, brings)| KnownTool { kind: *kind, brings: *brings })
}

/// Whether two names are of the same kind: APIs write one in other letters, with `_` or without.
pub fn same_kind(one: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

/// A kind as its table has it, in whatever letters and version it is written.
pub fn kind_label(kind: &str) -> Option<&'static str> {
    let named = |name: &str| {
        let [all, gemini] = kinds();
        all.chain(gemini).find(|known| same_kind(known, name))
    };
    named(kind).or_else(|| named(undated(kind)))
}

/// The same; what no table knows keeps its own name.
pub fn kind_name(name: &str) -> &str {
    kind_label(name).unwrap_or(name)
}

/// Without the date that says which version it is: `_20250305`, `_2025_08_26`.
fn undated(name: &str) -> &str {
    let date = |letter: char| letter.is_ascii_digit() || letter == '_';
    let base = name.trim_end_matches(date);
    let digits = name.get(base.len()..).unwrap_or_default().chars().filter(char::is_ascii_digit).count();
    if digits == 8 { base } else { name }
}

impl Hosted {
    /// Whether it is asked for by a field or by the model's name, and stands in no list.
    pub fn is_lever(&self) -> bool {
        matches!(&*self.name, "web_search_options" | "search_parameters" | "enable_search" | ":online")
    }

    /// Whether a search is made by it, and no answer counts it.
    pub fn is_uncounted(&self) -> bool {
        matches!(&*self.name, "web_search_options" | "web" | "enable_search" | ":online")
    }
}

impl ToolKind {
    pub const fn piece(self) -> Option<SoldBy> {
        match self {
            Self::Sold(piece) => Some(piece),
            Self::Free | Self::Unsold => None,
        }
    }
}

impl SoldBy {
    /// How often it is reserved for where the request says nothing, or more than it can come to.
    pub fn uses(self, most: Option<u64>) -> u64 {
        let usual = match self {
            Self::WebSearch | Self::FileSearch => USES,
            Self::Container => return most.unwrap_or(CONTAINERS).min(CONTAINERS),
            Self::Picture => PICTURES,
        };
        most.unwrap_or(usual)
    }

    /// Which key of a price it is sold by.
    pub const fn key(self) -> &'static str {
        match self {
            Self::WebSearch => "web_search_usd",
            Self::FileSearch => "file_search_usd",
            Self::Container => "container_session_usd",
            Self::Picture => "image_usd` or `image_output_usd_per_1m_tokens",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_a_known_kind_is_known_and_a_new_kind_is_not() {
        let search = Some(Sold(SoldBy::WebSearch));
        for (dialect, name, expected) in [
            (Dialect::OpenAi, "function", Some(Free)),
            (Dialect::OpenAi, "web_search", search),
            (Dialect::OpenAi, "web_search_2025_08_26", search),
            (Dialect::OpenAi, "web_search_preview_2025_03_11", search),
            (Dialect::OpenAi, "web_search_deep", None),
            (Dialect::OpenAi, "web_search_2", None),
            (Dialect::OpenAi, "Web_search", None),
            (Dialect::Anthropic, "web_search_20270101", search),
            (Dialect::Anthropic, "code_execution_20260521", Some(Sold(SoldBy::Container))),
            (Dialect::Anthropic, "text_editor_20250728", Some(Free)),
            (Dialect::Anthropic, "advisor_20260301", Some(Unsold)),
            (Dialect::Anthropic, "20250728", None),
            (Dialect::Gemini, "google_search", search),
            (Dialect::Gemini, "googleSearchRetrieval", search),
            (Dialect::Gemini, "code_execution", Some(Free)),
            (Dialect::Gemini, "googleMaps", Some(Unsold)),
            (Dialect::Gemini, "bingSearch", None),
            (Dialect::Aws, "systemTool", Some(Unsold)),
        ] {
            assert_eq!(known(dialect, name).map(|known| known.kind), expected, "{name}");
        }
    }

    #[test]
    fn each_kind_stands_in_its_table_once() {
        for table in [KINDS.as_slice(), GEMINI.as_slice()] {
            for (at, (name, ..)) in table.iter().enumerate() {
                assert!(!table.iter().skip(at + 1).any(|(other, ..)| other == name), "{name}");
            }
        }
    }

    /// What the provider runs brings something in; what the client runs comes in the next body.
    #[test]
    fn each_tool_brings_what_who_runs_it_brings() {
        let nothing = [
            "custom",
            "function",
            "namespace",
            "apply_patch",
            "bash",
            "browser_toolset",
            "computer",
            "computer_toolset",
            "computer_use",
            "computer_use_preview",
            "local_shell",
            "memory",
            "text_editor",
            "tool_search",
            "tool_search_tool_bm25",
            "tool_search_tool_regex",
            "toolSpec",
            "cachePoint",
            "image_generation",
            "advisor",
            "openrouter:datetime",
            "openrouter:image_generation",
            "file-parser",
            "moderation",
            "response-healing",
            "context-compression",
            "functiondeclarations",
            "toolsearch",
            "computeruse",
            "imagegeneration",
        ];
        for (name, _, brings) in KINDS.iter().chain(&GEMINI) {
            assert_eq!(*brings == 0, nothing.contains(name), "{name}");
        }
        assert_eq!(known(Dialect::Gemini, "url_context").map(|known| known.brings), Some(PAGE));
        assert_eq!(known(Dialect::OpenAi, "web_search_2025_08_26").map(|known| known.brings), Some(RESULT));
    }
}
