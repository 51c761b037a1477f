//! The tools that a request offers: of each, whether a provider runs and sells it.

use super::Invalid;
use super::value::{once, whole};
use crate::json::{Container, Found, Hit};
use crate::llm::schema::{Asked, Dialect};
use crate::llm::tools::{self, Hosted, Kind, MOST_HOSTED, Piece};
use crate::name;

pub(super) struct Tools {
    /// Some are offered, whoever runs them.
    pub(super) any: bool,
    /// Those that a provider runs.
    pub(super) hosted: Vec<Hosted>,
    /// How many calls of these there may be in all.
    pub(super) all_calls: Option<u64>,
    /// Models that are to work inside of tools.
    pub(super) models: Vec<String>,
    /// The one that is read.
    tool: Tool,
}

/// A tool, while it is read.
#[derive(Debug)]
struct Tool {
    /// By which it is called, if it isn't free.
    name: String,
    kind: Option<Kind>,
    said: bool,
    most: Option<u64>,
    model: Option<String>,
    /// The client runs it after all, or it is switched off.
    off: bool,
}

/// xAI's number of sources, where none is said.
const SOURCES: u64 = 15;

impl Tool {
    const NONE: Self = Self { name: String::new(), kind: None, said: false, most: None, model: None, off: false };

    fn hit(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        match hit.key {
            Asked::ToolKind => {
                once("tools[].type", hit, self.said)?;
                match hit.found {
                    Found::Text { text, cut } => self.is(text, if cut { None } else { tools::kind(dialect, text) }),
                    Found::Null => {}
                    _ => return Err(Invalid::Wrong { field: "tools[].type", expected: "a name" }),
                }
            }
            Asked::ToolMost => {
                once("tools[].max_uses", hit, false)?;
                self.most = whole("tools[].max_uses", hit)?;
            }
            Asked::ToolModel => {
                once("tools[].model", hit, self.model.is_some())?;
                match hit.found {
                    Found::Text { text, cut: false } if name::is_name(text) => self.model = Some(text.to_owned()),
                    Found::Null => {}
                    _ => return Err(Invalid::Wrong { field: "tools[].model", expected: "a model's name" }),
                }
            }
            Asked::ToolPlace => {
                once("tools[].environment.type", hit, false)?;
                self.off |= matches!(hit.found, Found::Text { text: "local", .. });
            }
            _ => {
                once("search_parameters.mode", hit, false)?;
                self.off |= matches!(hit.found, Found::Text { text: "off", .. });
            }
        }
        Ok(())
    }

    fn is(&mut self, name: &str, kind: Option<Kind>) {
        self.said = true;
        self.kind = kind;
        if kind != Some(Kind::Free) {
            name.clone_into(&mut self.name);
        }
    }
}

impl Tools {
    pub(super) const NONE: Self =
        Self { any: false, hosted: Vec::new(), all_calls: None, models: Vec::new(), tool: Tool::NONE };

    pub(super) fn hit(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        match hit.key {
            Asked::Tools => {
                self.any |= matches!(hit.found, Found::Opened(Container::Object));
                // Of most APIs a tool need not say what it is, and is the client's own then.
                self.offer("tools", "", Some(Kind::Free), None, hit)
            }
            Asked::Plugins => self.offer("plugins", "plugins", None, None, hit),
            Asked::Search(name) => {
                let most = if name == "search_parameters" { SOURCES } else { 1 };
                self.offer(name, name, Some(Kind::Sold(Piece::WebSearch)), Some(most), hit)
            }
            Asked::ToolMember => self.member(dialect, hit),
            Asked::AllToolsMost => {
                once("max_tool_calls", hit, false)?;
                self.all_calls = whole("max_tool_calls", hit)?;
                Ok(())
            }
            _ => self.tool.hit(dialect, hit),
        }
    }

    /// A tool begins, as what it is unless it says otherwise; or it ends.
    fn offer(
        &mut self,
        list: &'static str,
        name: &'static str,
        kind: Option<Kind>,
        most: Option<u64>,
        hit: &Hit<'_, Asked>,
    ) -> Result<(), Invalid> {
        once(list, hit, false)?;
        match hit.found {
            Found::Opened(Container::Object) => {
                self.tool = Tool { name: name.to_owned(), kind, most, ..Tool::NONE };
            }
            Found::Closed { container: Container::Object, .. } => {
                let Tool { name, kind, most, model, off, .. } = std::mem::replace(&mut self.tool, Tool::NONE);
                self.models.extend(model);
                if kind != Some(Kind::Free) && !off {
                    self.host(list, Hosted { name, kind, most })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A tool that is called by the member that holds it.
    fn member(&mut self, dialect: Dialect, hit: &Hit<'_, Asked>) -> Result<(), Invalid> {
        let Found::Named(name) = hit.found else { return Ok(()) };
        let kind = tools::kind(dialect, name);
        if kind == Some(Kind::Free) {
            return Ok(());
        }
        self.host("tools", Hosted { name: name.to_owned(), kind, most: None })
    }

    fn host(&mut self, list: &'static str, hosted: Hosted) -> Result<(), Invalid> {
        if self.hosted.len() >= MOST_HOSTED {
            return Err(Invalid::Wrong { field: list, expected: "a list of at most 64 tools that a provider runs" });
        }
        self.hosted.push(hosted);
        Ok(())
    }
}
