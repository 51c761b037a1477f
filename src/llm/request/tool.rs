//! The tools that a request offers: of each, whether a provider runs and sells it.

use super::value::{count, once, whole};
use super::{InnerModel, Invalid};
use crate::json::{Container, Found, Hit};
use crate::llm::schema::{Asked, Dialect, FRAMES};
use crate::llm::tools::{self, Hosted, KnownTool, MOST_HOSTED, PAGE, RESULT, SoldBy, ToolKind, USES};
use crate::name;

pub(super) struct Tools {
    /// Some are offered, whoever runs them.
    pub(super) any: bool,
    /// Those that a provider runs.
    pub(super) hosted: Vec<Hosted>,
    /// How many calls of these there may be in all.
    pub(super) all_calls: Option<u64>,
    /// Models that are to work inside of tools.
    pub(super) models: Vec<InnerModel>,
    /// What those that a provider runs may bring in.
    pub(super) brought: Vec<Brought>,
    /// The one that is read.
    tool: Tool,
    /// How many there were so far.
    count: u32,
}

/// Anthropic's API takes the most: ten thousand, of which a search finds those that are needed.
const MOST: u32 = 10_000;

/// What a hosted tool brings into the context, beside what the body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) uses: u64,
    pub(super) each: u64,
    /// Where the tool begins in the body; 0 if it stands elsewhere.
    pub(super) at: u64,
}

/// A tool, while it is read.
#[derive(Debug)]
struct Tool {
    /// By which it is called, if it isn't free.
    name: String,
    kind: Option<ToolKind>,
    said: bool,
    most: Option<u64>,
    /// As it says of itself, and whether that is read of its kind.
    uses: Option<u64>,
    is_bounded: bool,
    models: Vec<String>,
    /// Pictures in each that it makes.
    makes: u64,
    /// Tokens that a use of it brings in, by its kind, and as the request bounds them.
    brings: u64,
    at_most: Option<u64>,
    at: u64,
    /// It is switched off.
    off: bool,
    /// It says that it runs where the client is, and nowhere else: a shell does.
    here: Option<bool>,
}

/// xAI's number of sources, where none is said.
const SOURCES: u64 = 15;

impl Tool {
    const NONE: Self = Self {
        name: String::new(),
        kind: None,
        said: false,
        most: None,
        uses: None,
        is_bounded: false,
        models: Vec::new(),
        makes: 1,
        brings: 0,
        at_most: None,
        at: 0,
        off: false,
        here: None,
    };

    fn hit(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        match hit.key {
            Asked::ToolKind => {
                once("tools[].type", hit, self.said)?;
                match hit.found {
                    Found::Text { text, cut } => {
                        self.is_bounded = !cut && tools::is_bounded(dialect, text);
                        self.set_kind(text, if cut { None } else { tools::known(dialect, text) })
                    }
                    Found::Null => {}
                    _ => return Err(Invalid::Wrong { field: "tools[].type", expected: "a name" }),
                }
            }
            Asked::ToolMost => {
                once("tools[].max_uses", hit, false)?;
                self.uses = some("tools[].max_uses", hit)?;
            }
            Asked::SearchMost => {
                once("search_parameters.max_search_results", hit, false)?;
                self.most = some("search_parameters.max_search_results", hit)?.or(self.most);
            }
            Asked::ToolTokens => {
                once("tools[].max_content_tokens", hit, false)?;
                self.at_most = some("tools[].max_content_tokens", hit)?;
            }
            Asked::ToolModel => {
                once("tools[].model", hit, false)?;
                match hit.found {
                    Found::Text { text, cut: false } if name::is_name(text) => note(&mut self.models, text.to_owned())?,
                    Found::Null => {}
                    _ => return Err(Invalid::Wrong { field: "tools[].model", expected: "a model's name" }),
                }
            }
            Asked::ToolFrames => {
                once("tools[].frame_count", hit, false)?;
                self.makes = self.makes.max(count("tools[].frame_count", hit)?.unwrap_or(1));
            }
            Asked::ToolFormat => {
                once("tools[].output_format", hit, false)?;
                if matches!(hit.found, Found::Text { text: "gif", .. }) {
                    self.makes = self.makes.max(FRAMES);
                }
            }
            Asked::ToolPlace => {
                once("tools[].environment", hit, false)?;
                if let Found::Text { text, .. } = hit.found {
                    self.here = Some(self.here.unwrap_or(true) && text == "local");
                }
            }
            _ => {
                once("search_parameters.mode", hit, false)?;
                self.off |= matches!(hit.found, Found::Text { text: "off", .. });
            }
        }
        Ok(())
    }

    /// What no table knows may bring in what a search does.
    fn set_kind(&mut self, name: &str, known: Option<KnownTool>) {
        self.said = true;
        self.kind = known.map(|known| known.kind);
        self.brings = known.map_or(RESULT, |known| known.brings);
        if self.kind != Some(ToolKind::Free) {
            name.clone_into(&mut self.name);
        }
    }
}

/// A bound of 0 is none: the APIs that know it refuse it, and another may take it for nothing said.
fn some(field: &'static str, hit: &Hit<'_, Asked>) -> Result<Option<u64>, Invalid> {
    Ok(whole(field, hit)?.filter(|most| *most > 0))
}

/// Each once; of one tool and of all of them, no more than are judged.
fn note<M: PartialEq>(models: &mut Vec<M>, model: M) -> Result<(), Invalid> {
    if models.contains(&model) {
        return Ok(());
    }
    if models.len() >= MOST_HOSTED {
        return Err(Invalid::Wrong { field: "tools[].model", expected: "one of at most 64 models" });
    }
    models.push(model);
    Ok(())
}

impl Tools {
    pub(super) const NONE: Self = Self {
        any: false,
        hosted: Vec::new(),
        all_calls: None,
        models: Vec::new(),
        brought: Vec::new(),
        tool: Tool::NONE,
        count: 0,
    };

    pub(super) fn hit(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        match hit.key {
            Asked::Tools => {
                self.any |= matches!(hit.found, Found::Opened(Container::Object));
                // Of most APIs a tool need not say what it is, and is the client's own then.
                self.offer("tools", Tool { kind: Some(ToolKind::Free), ..Tool::NONE }, hit)
            }
            Asked::Plugins => self.offer("plugins", Tool { name: "plugins".to_owned(), ..Tool::NONE }, hit),
            Asked::Servers(name) => {
                self.offer(name, Tool { kind: Some(ToolKind::Free), brings: PAGE, ..Tool::NONE }, hit)
            }
            Asked::Search(name) => {
                let most = if name == "search_parameters" { SOURCES } else { 1 };
                let kind = Some(ToolKind::Sold(SoldBy::WebSearch));
                // A flag, and no object.
                if matches!(hit.found, Found::Bool(true) | Found::Number(_) | Found::Text { .. }) {
                    once(name, hit, false)?;
                    return self.search(name, hit.from);
                }
                self.offer(
                    name,
                    Tool { name: name.to_owned(), kind, most: Some(most), brings: RESULT, ..Tool::NONE },
                    hit,
                )
            }
            Asked::ToolMember => self.member(dialect, hit),
            Asked::ToolNamed(name) => {
                if matches!(hit.found, Found::Null | Found::Closed { .. }) {
                    return Ok(());
                }
                // One object may have several, and whatever its `type` says is offered beside them.
                self.named(name, tools::known(Dialect::Gemini, name), self.tool.at)
            }
            Asked::AllToolsMost => {
                once("max_tool_calls", hit, false)?;
                self.all_calls = some("max_tool_calls", hit)?;
                Ok(())
            }
            _ => self.tool.hit(dialect, hit),
        }
    }

    /// The provider searches once, for all that the body says.
    pub(super) fn search(&mut self, name: &'static str, at: u64) -> Result<(), Invalid> {
        self.bring(name, Brought { uses: 1, each: RESULT, at })?;
        let kind = Some(ToolKind::Sold(SoldBy::WebSearch));
        self.host(name, Hosted { name: name.to_owned(), kind, most: Some(1), makes: 1, at })
    }

    /// A tool begins, as what it is unless it says otherwise; or it ends.
    fn offer(&mut self, list: &'static str, tool: Tool, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        once(list, hit, false)?;
        match hit.found {
            Found::Opened(Container::Object) => {
                self.count = self.count.saturating_add(1);
                if self.count > MOST {
                    return Err(Invalid::Wrong { field: list, expected: "a list of at most 10,000" });
                }
                self.tool = Tool { at: hit.from, ..tool };
            }
            Found::Closed { container: Container::Object, .. } => {
                let Tool { name, kind, most, uses, is_bounded, models, makes, brings, at_most, at, off, here, .. } =
                    std::mem::replace(&mut self.tool, Tool::NONE);
                let uses = if is_bounded { uses } else { uses.map(|uses| uses.max(USES)) };
                let (most, at_most) = (most.or(uses), at_most.filter(|_| is_bounded));
                let off = off || (here == Some(true) && name == "shell");
                let draws = kind == Some(ToolKind::Sold(SoldBy::Picture));
                for name in models {
                    note(&mut self.models, InnerModel { name, draws })?;
                }
                if brings > 0 && !off {
                    let each = at_most.map_or(brings, |most| most.min(brings));
                    self.bring(list, Brought { uses: most.unwrap_or(USES), each, at })?;
                }
                if kind != Some(ToolKind::Free) && !off {
                    self.host(list, Hosted { name, kind, most, makes, at })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A tool that is called by the member that holds it.
    fn member(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        let Found::Named(name) = hit.found else { return Ok(()) };
        self.named(name, tools::known(dialect, name), hit.from)
    }

    fn named(&mut self, name: &str, known: Option<KnownTool>, at: u64) -> Result<(), Invalid> {
        let kind = known.map(|known| known.kind);
        let brings = known.map_or(RESULT, |known| known.brings);
        if brings > 0 {
            self.bring("tools", Brought { uses: USES, each: brings, at })?;
        }
        if kind == Some(ToolKind::Free) {
            return Ok(());
        }
        self.host("tools", Hosted { name: name.to_owned(), kind, most: None, makes: 1, at })
    }

    fn bring(&mut self, list: &'static str, brought: Brought) -> Result<(), Invalid> {
        if self.brought.len() >= MOST as usize {
            return Err(Invalid::Wrong { field: list, expected: "a list of at most 10,000" });
        }
        self.brought.push(brought);
        Ok(())
    }

    fn host(&mut self, list: &'static str, hosted: Hosted) -> Result<(), Invalid> {
        if self.hosted.len() >= MOST_HOSTED {
            return Err(Invalid::Wrong { field: list, expected: "a list of at most 64 tools that a provider runs" });
        }
        self.hosted.push(hosted);
        Ok(())
    }
}
