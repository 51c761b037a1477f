//! What a list of tools offers, from its text: of each tool its kind, the names that it goes by, and its definition.
//!
//! Whoever reads a definition twice must read the same: an object in which a key stands twice, in whatever letters, is none.

use super::Form;
use crate::llm::schema::Dialect;
use crate::llm::tools::{kind_name, known};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Why what is offered can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no tool, or says not of which kind.
    NoTool,
    /// A key stands twice in it.
    Twice,
    TooMuch,
}

/// A list of tools, and where it stands in the body.
#[derive(Debug, Default)]
pub struct List<'a> {
    pub from: u64,
    pub to: u64,
    pub elements: Vec<Element<'a>>,
    /// A single tool, in the place of a list.
    pub is_one: bool,
}

/// What stands in a list: a tool, several by their members, or more lists.
#[derive(Debug, Default)]
pub struct Element<'a> {
    pub from: u64,
    pub to: u64,
    pub tools: Vec<Tool<'a>>,
    pub lists: Vec<List<'a>>,
    /// It is taken out.
    pub gone: bool,
}

#[derive(Debug, Default)]
pub struct Tool<'a> {
    pub kind: String,
    /// All names in it: which of two counts, its reader decides.
    pub names: Vec<String>,
    /// Of its arguments, as it was written.
    pub schema: Option<&'a str>,
    pub description: Option<String>,
    /// The client asks for arguments that are as the schema says.
    pub strict: bool,
    pub lacks: Lacks,
}

/// Where what a definition lacks can be written, and under which name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Before the bracket that closes it.
    pub at: u64,
    pub schema_before: &'static str,
    pub schema_behind: &'static str,
}

/// Of one object, or one list.
const MOST_MEMBERS: usize = 128;
const MOST_ELEMENTS: usize = 4_096;
/// Lists within each other: a tool in a namespace.
const DEEPEST: usize = 3;

type Read<T> = Result<T, Unread>;

/// The members of an object, each under a key of its own.
struct Members<'a>(Vec<(String, &'a RawValue)>);

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Read<Members<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members: Vec<(String, &RawValue)> = Vec::new();
        let mut flaw = None;
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if members.len() >= MOST_MEMBERS {
                flaw = Some(Unread::TooMuch);
            } else if members.iter().any(|(other, _)| other.eq_ignore_ascii_case(&key)) {
                flaw = Some(Unread::Twice);
            } else {
                members.push((key, value));
            }
        }
        Ok(flaw.map_or(Ok(Members(members)), Err))
    }
}

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Read<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        reader.deserialize_map(MembersVisitor).unwrap_or(Err(Unread::NoTool))
    }

    /// Under one of these keys, that of most servers first; in other letters, not everybody reads it.
    fn get(&self, names: &[&str]) -> Read<Option<&'a str>> {
        for (key, value) in &self.0 {
            if names.contains(&&**key) {
                return Ok(Some(value.get()).filter(|text| *text != "null"));
            }
            if names.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                return Err(Unread::Twice);
            }
        }
        Ok(None)
    }

    fn text(&self, names: &[&str]) -> Read<Option<String>> {
        self.get(names)?.map(string).transpose()
    }
}

fn string(raw: &str) -> Read<String> {
    serde_json::from_str(raw).map_err(|_| Unread::NoTool)
}

fn is_object(raw: &str) -> bool {
    raw.starts_with('{')
}

/// Where a part of a text stands in the body.
fn place_of(part: &str, text: &str, from: u64) -> (u64, u64) {
    let begins = from.saturating_add((part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize) as u64);
    (begins, begins.saturating_add(part.len() as u64))
}

/// Reads a list, whose text stands in the body from `from` on.
pub(super) fn list<'a>(text: &'a str, from: u64, form: Form, dialect: Dialect) -> Read<List<'a>> {
    Reading { text, from, dialect }.list(text, form, 0)
}

#[derive(Clone, Copy)]
struct Reading<'a> {
    text: &'a str,
    from: u64,
    dialect: Dialect,
}

impl<'a> Reading<'a> {
    fn list(self, raw: &'a str, form: Form, depth: usize) -> Read<List<'a>> {
        if depth > DEEPEST {
            return Err(Unread::TooMuch);
        }
        let (from, to) = place_of(raw, self.text, self.from);
        if is_object(raw) {
            let elements = vec![self.element(raw, form, depth)?];
            return Ok(List { from, to, elements, is_one: true });
        }
        let elements: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| Unread::NoTool)?;
        if elements.len() > MOST_ELEMENTS {
            return Err(Unread::TooMuch);
        }
        let elements = elements.into_iter().map(|raw| self.element(raw.get(), form, depth)).collect::<Read<_>>()?;
        Ok(List { from, to, elements, is_one: false })
    }

    fn element(self, raw: &'a str, form: Form, depth: usize) -> Read<Element<'a>> {
        let (from, to) = place_of(raw, self.text, self.from);
        let mut element = Element { from, to, ..Element::default() };
        if raw.starts_with('"') && form == Form::ByType {
            // LM Studio's, by the name of a plugin.
            element.tools.push(Tool { kind: "plugin".to_owned(), names: vec![string(raw)?], ..Tool::default() });
            return Ok(element);
        }
        let members = Members::of(raw)?;
        match form {
            Form::ByType => self.by_type(raw, &members, &mut element, depth)?,
            Form::ByMember => self.by_member(&members, &mut element, depth)?,
            Form::Functions => {
                let schema = if self.dialect == Dialect::Gemini { GEMINI } else { OPENAI };
                element.tools.push(self.function("function", raw, &members, schema)?);
            }
            Form::Servers => {
                let mut server = named("mcp", members.text(&["name"])?);
                server.names.extend(members.text(&["id"])?);
                element.tools.push(server);
            }
            Form::Plugins => {
                let id = members.text(&["id"])?.ok_or(Unread::NoTool)?;
                element.tools.push(named(kind_name(&id), None));
            }
        }
        Ok(element)
    }

    fn by_type(self, raw: &'a str, members: &Members<'a>, element: &mut Element<'a>, depth: usize) -> Read<()> {
        if depth > DEEPEST {
            return Err(Unread::TooMuch);
        }
        let kind = members.text(&["type"])?;
        let definition = members.get(&["definition"])?.filter(|raw| is_object(raw));
        let function = members.get(&["function"])?.filter(|raw| is_object(raw));
        let custom = members.get(&["custom"])?.filter(|raw| is_object(raw));
        let name = members.get(&["name"])?;
        let is_bare = function.is_none() && custom.is_none() && name.is_none();
        if let Some(inner) = definition {
            self.by_type(inner, &Members::of(inner)?, element, depth.saturating_add(1))?;
        }
        // With nothing of its own: whoever reads over the definition finds what stands beside it.
        let wraps = definition.is_some() && is_bare && kind.as_deref().is_none_or(|kind| kind == "tool_definition");
        if kind.is_none() && is_bare && !wraps {
            return self.by_member(members, element, depth);
        }
        // Some relays take Gemini's tools beside whatever a `type` says.
        for (key, value) in &members.0 {
            if key != "function" && known(Dialect::Gemini, key).is_some() && value.get() != "null" {
                self.member(key, value.get(), element, depth)?;
            }
        }
        let kind = match kind.as_deref() {
            // A function is Anthropic's only kind of what a client describes by itself, and `custom` is its name.
            Some("custom") if self.dialect != Dialect::OpenAi => "function".to_owned(),
            Some(kind) => kind_name(kind).to_owned(),
            None if custom.is_some() => "custom".to_owned(),
            None => "function".to_owned(),
        };
        let schema = if self.dialect == Dialect::Anthropic { ANTHROPIC } else { OPENAI };
        match function {
            Some(inner) => {
                let mut tool = self.function(&kind, inner, &Members::of(inner)?, schema)?;
                tool.names.extend(members.text(&["name"])?);
                element.tools.push(tool);
                if kind != "function" {
                    element.tools.push(self.function("function", inner, &Members::of(inner)?, schema)?);
                }
            }
            None if wraps || kind == "namespace" => {}
            None => element.tools.push(self.function(&kind, raw, members, schema)?),
        }
        if let Some(inner) = custom {
            element.tools.push(named("custom", Members::of(inner)?.text(&["name"])?));
        }
        if let Some(tools) = members.get(&["tools"])?.filter(|raw| raw.starts_with('[')) {
            element.lists.push(self.list(tools, Form::ByType, depth.saturating_add(1))?);
        }
        Ok(())
    }

    fn by_member(self, members: &Members<'a>, element: &mut Element<'a>, depth: usize) -> Read<()> {
        if members.0.is_empty() {
            return Err(Unread::NoTool);
        }
        members.0.iter().try_for_each(|(key, value)| self.member(key, value.get(), element, depth))
    }

    fn member(self, key: &str, raw: &'a str, element: &mut Element<'a>, depth: usize) -> Read<()> {
        match kind_name(key) {
            "function" | "functiondeclarations" => {
                element.lists.push(self.list(raw, Form::Functions, depth.saturating_add(1))?);
            }
            "toolSpec" => element.tools.push(self.function("function", raw, &Members::of(raw)?, CONVERSE)?),
            // Nothing that could be called.
            "cachePoint" => {}
            _ if raw == "null" => {}
            kind => {
                let name = if is_object(raw) { Members::of(raw)?.text(&["name"])? } else { None };
                element.tools.push(named(kind, name));
            }
        }
        Ok(())
    }

    /// What has a name, and the schema of its arguments.
    fn function(self, kind: &str, raw: &'a str, members: &Members<'a>, schema: Written) -> Read<Tool<'a>> {
        let mut tool = Tool { kind: kind.to_owned(), ..Tool::default() };
        for key in ["name", "server_label", "mcp_server_name", "id"] {
            tool.names.extend(members.text(&[key])?);
        }
        if let Some(inner) = members.get(&["inputSchema"])?.filter(|raw| is_object(raw)) {
            tool.schema = Members::of(inner)?.get(&["json"])?;
        }
        for key in ["parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema"] {
            let said = members.get(&[key])?;
            if tool.schema.is_some() && said.is_some() {
                return Err(Unread::Twice);
            }
            tool.schema = tool.schema.or(said);
        }
        tool.description = members.get(&["description"])?.filter(|raw| raw.starts_with('"')).map(string).transpose()?;
        tool.strict = members.get(&["strict"])? == Some("true");
        let (_, to) = place_of(raw, self.text, self.from);
        let (schema_before, schema_behind) = schema;
        tool.lacks = Lacks { at: to.saturating_sub(1), schema_before, schema_behind };
        Ok(tool)
    }
}

/// What stands before a schema, and behind it.
type Written = (&'static str, &'static str);
const OPENAI: Written = ("\"parameters\":", "");
const ANTHROPIC: Written = ("\"input_schema\":", "");
const GEMINI: Written = ("\"parametersJsonSchema\":", "");
const CONVERSE: Written = ("\"inputSchema\":{\"json\":", "}");

fn named<'a>(kind: &str, name: Option<String>) -> Tool<'a> {
    Tool { kind: kind.to_owned(), names: name.into_iter().collect(), ..Tool::default() }
}

/// Reads which tools a choice names, however deep: each of them must be one that may be used.
pub(super) fn chosen(text: &str, dialect: Dialect) -> Read<Vec<Tool<'_>>> {
    let mut chosen = Vec::new();
    choose(text, "function", dialect, 0, &mut chosen)?;
    Ok(chosen)
}

/// `kind` is what stands around it says of it.
fn choose<'a>(raw: &'a str, kind: &str, dialect: Dialect, depth: usize, chosen: &mut Vec<Tool<'a>>) -> Read<()> {
    /// What kinds of choices there are, beside kinds of tools.
    const WORDS: [&str; 7] = ["tool", "allowed_tools", "auto", "any", "none", "required", "namespace"];
    let has_room = |chosen: &[Tool<'_>]| if chosen.len() < MOST_ELEMENTS { Ok(()) } else { Err(Unread::TooMuch) };
    has_room(chosen)?;
    if depth > DEEPEST.saturating_add(2) {
        return Err(Unread::TooMuch);
    }
    if raw.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| Unread::NoTool)?;
        return elements.into_iter().try_for_each(|raw| match raw.get() {
            text if text.starts_with('"') => {
                has_room(chosen)?;
                chosen.push(named(kind, Some(string(text)?)));
                Ok(())
            }
            raw => choose(raw, kind, dialect, depth.saturating_add(1), chosen),
        });
    }
    if !is_object(raw) {
        return Ok(());
    }
    let members = Members::of(raw)?;
    let said = members.get(&["type"])?.filter(|raw| raw.starts_with('"')).map(string).transpose()?;
    let said = said.map(|said| kind_name(&said).to_owned()).filter(|said| !WORDS.contains(&&**said));
    let own = match said.as_deref() {
        Some("custom") if dialect != Dialect::OpenAi => "function",
        Some(said) => said,
        None => kind,
    };
    let mut tool = named(own, None);
    for (key, value) in &members.0 {
        match (&**key, value.get()) {
            ("name" | "server_label", text) if text.starts_with('"') => tool.names.push(string(text)?),
            // A prompt's mode, a cache's mark.
            ("type" | "mode" | "cache_control", _) => {}
            ("custom", raw) => choose(raw, "custom", dialect, depth.saturating_add(1), chosen)?,
            (_, raw) => choose(raw, own, dialect, depth.saturating_add(1), chosen)?,
        }
    }
    if !tool.names.is_empty() || said.is_some_and(|said| said != "function" && said != "custom") {
        has_room(chosen)?;
        chosen.push(tool);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name is kept by itself, in many times the two bytes that it was sent in.
    #[test]
    fn a_choice_names_so_many_and_no_more_however_it_is_written() {
        let of = |element: &str, times: usize| format!("[{}]", vec![element; times].join(","));
        for element in ["\"\"", r#"{"name":"f"}"#, r#"["f"]"#, r#"{"tools":["f"]}"#] {
            let most = chosen(&of(element, MOST_ELEMENTS), Dialect::OpenAi).map(|tools| tools.len());
            assert_eq!(most, Ok(MOST_ELEMENTS), "{element}");
            let more = chosen(&of(element, MOST_ELEMENTS + 1), Dialect::OpenAi).map(|tools| tools.len());
            assert_eq!(more, Err(Unread::TooMuch), "{element}");
        }
    }
}
