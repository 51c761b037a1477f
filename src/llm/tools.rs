//! The kinds of tools that a request can offer: what the client runs by itself, and what a provider runs and sells by the piece.
//!
//! Trade-off: a kind that isn't in these tables is no kind of ours, whatever it may be: what it costs is for the operator to say.
//! A version of a known kind (`web_search_20260318`) is known. Sources: the types of the official SDKs, the providers' price lists.

use super::schema::Dialect;

/// What a hosted tool is sold by, as prices and answers count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    WebSearch,
    FileSearch,
    Container,
    /// A picture that another model makes: by the piece, or by its tokens.
    Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The client runs it, or the provider does for nothing but tokens.
    Free,
    Sold(Piece),
    /// Sold by what no price has a key for.
    Unsold,
}

/// A hosted tool that a request offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// As the client calls it.
    pub name: String,
    /// `None`: it is of no known kind.
    pub kind: Option<Kind>,
    /// How often it may be used, if the request says so.
    pub most: Option<u64>,
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

use Kind::{Free, Sold, Unsold};

/// All APIs but Gemini's.
static KINDS: [(&str, Kind); 48] = [
    ("custom", Free),
    ("function", Free),
    ("namespace", Free),
    ("apply_patch", Free),
    ("bash", Free),
    ("browser_toolset", Free),
    ("computer", Free),
    ("computer_toolset", Free),
    ("computer_use", Free),
    ("computer_use_preview", Free),
    ("local_shell", Free),
    ("memory", Free),
    ("programmatic_tool_calling", Free),
    ("text_editor", Free),
    ("tool_search", Free),
    ("tool_search_tool_bm25", Free),
    ("tool_search_tool_regex", Free),
    // What these bring in is counted as tokens.
    ("mcp", Free),
    ("mcp_toolset", Free),
    ("web_fetch", Free),
    // Bedrock's members.
    ("toolSpec", Free),
    ("cachePoint", Free),
    ("systemTool", Unsold),
    // LM Studio's.
    ("plugin", Free),
    ("ephemeral_mcp", Free),
    ("web_search", Sold(Piece::WebSearch)),
    ("web_search_preview", Sold(Piece::WebSearch)),
    ("file_search", Sold(Piece::FileSearch)),
    ("code_interpreter", Sold(Piece::Container)),
    ("code_execution", Sold(Piece::Container)),
    ("shell", Sold(Piece::Container)),
    ("image_generation", Sold(Piece::Picture)),
    // Anthropic's: another model that is asked for advice.
    ("advisor", Unsold),
    // xAI's, Mistral's, Groq's, Moonshot's.
    ("x_search", Sold(Piece::WebSearch)),
    ("collections_search", Sold(Piece::FileSearch)),
    ("web_search_premium", Unsold),
    ("document_library", Unsold),
    ("browser_search", Unsold),
    ("builtin_function", Unsold),
    // OpenRouter's tools and plugins.
    ("openrouter:datetime", Free),
    ("openrouter:web_search", Sold(Piece::WebSearch)),
    ("openrouter:web_fetch", Unsold),
    ("openrouter:image_generation", Unsold),
    ("web", Sold(Piece::WebSearch)),
    ("file-parser", Unsold),
    ("moderation", Unsold),
    ("response-healing", Free),
    ("context-compression", Free),
];

/// Gemini's, by the member that holds them or by their type; both spellings are one.
static GEMINI: [(&str, Kind); 16] = [
    ("function", Free),
    ("functiondeclarations", Free),
    // Only the tokens of these are billed.
    ("codeexecution", Free),
    ("computeruse", Free),
    ("filesearch", Free),
    ("mcpserver", Free),
    ("mcpservers", Free),
    ("urlcontext", Free),
    ("googlesearch", Sold(Piece::WebSearch)),
    ("googlesearchretrieval", Sold(Piece::WebSearch)),
    ("enterprisewebsearch", Sold(Piece::WebSearch)),
    ("googlemaps", Unsold),
    ("retrieval", Unsold),
    ("exaaisearch", Unsold),
    ("parallelaisearch", Unsold),
    ("imagegeneration", Unsold),
];

/// What a tool of this name is.
pub fn kind(dialect: Dialect, name: &str) -> Option<Kind> {
    if dialect == Dialect::Gemini {
        let name: String =
            name.chars().filter(|letter| *letter != '_').map(|letter| letter.to_ascii_lowercase()).collect();
        return GEMINI.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    }
    let find = |name: &str| KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    find(name).or_else(|| find(undated(name)))
}

/// Without the date that says which version it is: `_20250305`, `_2025_08_26`.
fn undated(name: &str) -> &str {
    let date = |letter: char| letter.is_ascii_digit() || letter == '_';
    let base = name.trim_end_matches(date);
    let digits = name.get(base.len()..).unwrap_or_default().chars().filter(char::is_ascii_digit).count();
    if digits == 8 { base } else { name }
}

impl Hosted {
    /// Whether a search is made by it, and no answer counts it.
    pub fn is_untold(&self) -> bool {
        matches!(&*self.name, "web_search_options" | "web")
    }
}

impl Kind {
    pub const fn piece(self) -> Option<Piece> {
        match self {
            Self::Sold(piece) => Some(piece),
            Self::Free | Self::Unsold => None,
        }
    }
}

impl Piece {
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
        let search = Some(Sold(Piece::WebSearch));
        for (dialect, name, expected) in [
            (Dialect::OpenAi, "function", Some(Free)),
            (Dialect::OpenAi, "web_search", search),
            (Dialect::OpenAi, "web_search_2025_08_26", search),
            (Dialect::OpenAi, "web_search_preview_2025_03_11", search),
            (Dialect::OpenAi, "web_search_deep", None),
            (Dialect::OpenAi, "web_search_2", None),
            (Dialect::OpenAi, "Web_search", None),
            (Dialect::Anthropic, "web_search_20270101", search),
            (Dialect::Anthropic, "code_execution_20260521", Some(Sold(Piece::Container))),
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
            assert_eq!(kind(dialect, name), expected, "{name}");
        }
    }

    #[test]
    fn each_kind_stands_in_its_table_once() {
        for table in [KINDS.as_slice(), GEMINI.as_slice()] {
            for (at, (name, _)) in table.iter().enumerate() {
                assert!(!table.iter().skip(at + 1).any(|(other, _)| other == name), "{name}");
            }
        }
    }
}
