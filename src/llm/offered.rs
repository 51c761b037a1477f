//! Where a request offers tools, of each API, and where it says which of them is to be used.
//!
//! The tables name the members that hold tools. What is in those is kept as it was written until the body has come, for a
//! definition is judged as a whole; every other byte of the body only passes.

mod tool;

use super::request::Cut;
use super::schema::{Dialect, Schema};
use crate::json::{Field, Found, Hit, MAX_DEPTH, Scanner, Want};
pub use tool::{Element, Lacks, List, Tool, Unread};

/// What a member of a request has to do with tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// A list of them, at the top.
    Tools(Form),
    /// Holds a list and a choice, and goes with them.
    Around,
    /// The list in it.
    Within(Form),
    /// A list of them, or a single one, somewhere in the messages.
    Inside(Form),
    /// Which of them is to be used. What is written where none is to be preferred any more.
    Choice { open: &'static str, at_top: bool },
    /// Says something of tools, and is refused by some providers where there are none.
    Beside,
    /// Names what a provider keeps, with tools in it perhaps.
    Pointed,
}

impl Offer {
    /// Whether what it holds is looked into.
    const fn is_read(self) -> bool {
        !matches!(self, Self::Around | Self::Pointed)
    }
}

/// How the tools of a list say what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By their `type`; without one they are functions.
    ByType,
    /// By the member that holds them.
    ByMember,
    /// All are functions.
    Functions,
    /// All are servers whose tools the provider calls.
    Servers,
    /// By their `id`.
    Plugins,
}

/// More in one request nobody offers.
const MOST_BYTES: usize = 2 * 1024 * 1024;
const MOST_HELD: usize = 1_024;

const fn row(name: &'static str, offer: Offer, inside: &'static [Field<Offer>]) -> Field<Offer> {
    Field { name, key: Some(offer), want: Want::Presence, inside }
}
const fn tools(name: &'static str, form: Form) -> Field<Offer> {
    row(name, Offer::Tools(form), &[])
}
const fn inside(name: &'static str) -> Field<Offer> {
    row(name, Offer::Inside(Form::ByType), &[])
}
const fn choice(name: &'static str, open: &'static str) -> Field<Offer> {
    row(name, Offer::Choice { open, at_top: true }, &[])
}
const fn choice_inside(name: &'static str, open: &'static str) -> Field<Offer> {
    row(name, Offer::Choice { open, at_top: false }, &[])
}
const fn beside(name: &'static str) -> Field<Offer> {
    row(name, Offer::Beside, &[])
}
const fn pointed(name: &'static str) -> Field<Offer> {
    row(name, Offer::Pointed, &[])
}
const fn path(name: &'static str, inside: &'static [Field<Offer>]) -> Field<Offer> {
    Field { name, key: None, want: Want::Presence, inside }
}

const AUTO: &str = "\"auto\"";
const AUTO_TYPE: &str = r#"{"type":"auto"}"#;

/// What goes to Gemini behind a chat, in a body's own object or in a relay's.
static GOOGLE: [Field<Offer>; 1] = [row("tools", Offer::Inside(Form::ByMember), &[])];
static CHAT: [Field<Offer>; 8] = [
    tools("tools", Form::ByType),
    tools("functions", Form::Functions),
    tools("plugins", Form::Plugins),
    choice("tool_choice", AUTO),
    choice("function_call", AUTO),
    beside("parallel_tool_calls"),
    path("google", &GOOGLE),
    path("extra_body", &[path("google", &GOOGLE)]),
];
static RESPONSES: [Field<Offer>; 6] = [
    tools("tools", Form::ByType),
    tools("plugins", Form::Plugins),
    choice("tool_choice", AUTO),
    beside("parallel_tool_calls"),
    pointed("prompt"),
    // What a search for tools has found, and what is added later on.
    path("input", &[inside("tools")]),
];
/// What is added in the middle of a conversation.
static BLOCKS: [Field<Offer>; 2] =
    [path("content", &[inside("tool"), inside("tools"), path("tool_changes", &[inside("tool")])]), inside("tools")];
static ANTHROPIC: [Field<Offer>; 5] = [
    tools("tools", Form::ByType),
    tools("plugins", Form::Plugins),
    tools("mcp_servers", Form::Servers),
    choice("tool_choice", AUTO_TYPE),
    path("messages", &BLOCKS),
];
static CALLING: [Field<Offer>; 2] =
    [choice_inside("functionCallingConfig", "{}"), choice_inside("function_calling_config", "{}")];
static GEMINI: [Field<Offer>; 5] = [
    tools("tools", Form::ByMember),
    path("toolConfig", &CALLING),
    path("tool_config", &CALLING),
    pointed("cachedContent"),
    pointed("cached_content"),
];
/// Google reads both spellings of a name.
static CHOICES: [Field<Offer>; 2] = [choice_inside("tool_choice", AUTO), choice_inside("toolChoice", AUTO)];
static INTERACTIONS: [Field<Offer>; 5] = [
    tools("tools", Form::ByType),
    choice("tool_choice", AUTO),
    choice("toolChoice", AUTO),
    path("generation_config", &CHOICES),
    path("generationConfig", &CHOICES),
];
static TOOL_CONFIG: [Field<Offer>; 2] =
    [row("tools", Offer::Within(Form::ByMember), &[]), choice_inside("toolChoice", r#"{"auto":{}}"#)];
/// What goes to the model as it is: Anthropic's own tools.
const BESIDE_CONVERSE: Field<Offer> =
    path("additionalModelRequestFields", &[inside("tools"), choice_inside("tool_choice", AUTO_TYPE)]);
static CONVERSE: [Field<Offer>; 2] = [row("toolConfig", Offer::Around, &TOOL_CONFIG), BESIDE_CONVERSE];
/// Whatever family a model is of: Anthropic's, Nova's.
static INVOKE: [Field<Offer>; 5] = [
    tools("tools", Form::ByType),
    tools("mcp_servers", Form::Servers),
    choice("tool_choice", AUTO_TYPE),
    row("toolConfig", Offer::Around, &TOOL_CONFIG),
    path("messages", &BLOCKS),
];
static COHERE: [Field<Offer>; 4] = [
    tools("tools", Form::ByType),
    // The first version's: what Cohere searches.
    tools("connectors", Form::Servers),
    beside("tool_choice"),
    beside("strict_tools"),
];
static OLLAMA: [Field<Offer>; 1] = [tools("tools", Form::ByType)];
static LM_STUDIO: [Field<Offer>; 1] = [tools("integrations", Form::ByType)];

/// The table of an API; `None`, where nothing is offered.
fn table(api: &str) -> Option<&'static [Field<Offer>]> {
    Some(match api {
        "openai_chat" | "gateway_chat" => &CHAT,
        "openai_responses" => &RESPONSES,
        "anthropic_messages" => &ANTHROPIC,
        "gemini_generate" => &GEMINI,
        "gemini_interactions" => &INTERACTIONS,
        "bedrock_converse" => &CONVERSE,
        "bedrock_invoke" => &INVOKE,
        "cohere_chat" => &COHERE,
        "ollama_chat" | "ollama_generate" => &OLLAMA,
        "lm_studio_chat" => &LM_STUDIO,
        _ => return None,
    })
}

/// A member that has to do with tools.
#[derive(Clone, Debug)]
pub struct Held {
    pub offer: Offer,
    pub from: u64,
    pub to: u64,
    /// Where its member begins: behind the bracket, or the comma.
    starts: u64,
    /// The whole member, once its end has come.
    pub member: Option<Cut>,
    /// The same was said before, or in other letters: who reads it last, or first, reads another.
    repeated: bool,
    pub is_null: bool,
    /// As it was written; of a container only.
    text: Vec<u8>,
}

/// The tools of a request, kept as its body comes.
pub struct Offers {
    scanner: Scanner<Offer, MAX_DEPTH>,
    dialect: Dialect,
    held: Vec<Held>,
    /// Of `held`, those that are still open: how many containers within each other are.
    open: Vec<(usize, usize)>,
    bytes: usize,
    /// There is more of it than anybody reads.
    too_much: bool,
}

impl Offers {
    /// `None`, where an API has no tools.
    pub fn new(schema: &Schema) -> Option<Box<Self>> {
        let table = table(schema.name)?;
        Some(Box::new(Self {
            // Some servers read keys in any letters.
            scanner: Scanner::deep(table).in_any_case(),
            dialect: schema.dialect,
            held: Vec::new(),
            open: Vec::new(),
            bytes: 0,
            too_much: false,
        }))
    }

    /// The next bytes of the body. One that is no JSON is refused by its reader.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { scanner, held, open, too_much, .. } = self;
        let begins = scanner.offset();
        let at = |from: u64| usize::try_from(from.saturating_sub(begins)).unwrap_or(usize::MAX);
        let _ = scanner.feed(bytes, &mut |hit| {
            let Hit { key: offer, found, from, to, member, repeated } = hit;
            match found {
                Found::Opened(_) => {
                    let inner = open.iter_mut().find(|(nth, _)| held.get(*nth).is_some_and(|held| held.offer == offer));
                    if let Some((_, depth)) = inner {
                        *depth = depth.saturating_add(1);
                    } else if held.len() < MOST_HELD {
                        open.push((held.len(), 1));
                        held.push(Held::new(offer, (member, from, to), repeated));
                    } else {
                        *too_much = true;
                    }
                }
                Found::Closed { .. } => {
                    let inner = open.iter().position(|(nth, _)| held.get(*nth).is_some_and(|held| held.offer == offer));
                    let Some((nth, depth)) = inner.and_then(|at| open.get_mut(at)) else { return };
                    *depth = depth.saturating_sub(1);
                    if *depth == 0 {
                        if let Some(held) = held.get_mut(*nth) {
                            let begun = at(held.from.max(begins));
                            held.close(to, bytes.get(begun..at(to)).unwrap_or_default());
                        }
                        open.retain(|(_, depth)| *depth > 0);
                    }
                }
                // Of a list, what is no object stands within it.
                _ if open.iter().any(|(nth, _)| held.get(*nth).is_some_and(|held| held.offer == offer)) => {}
                found => {
                    let mut scalar = Held::new(offer, (member, from, to), repeated);
                    scalar.is_null = found == Found::Null;
                    scalar.member = Some(Cut::member(member, to));
                    if held.len() < MOST_HELD { held.push(scalar) } else { *too_much = true }
                }
            }
        });
        for (nth, _) in &self.open {
            if let Some(held) = self.held.get_mut(*nth).filter(|held| held.offer.is_read()) {
                held.text.extend_from_slice(bytes.get(at(held.from.max(begins))..).unwrap_or_default());
            }
        }
        self.bytes = self.held.iter().map(|held| held.text.len()).fold(0, usize::saturating_add);
        if self.bytes > MOST_BYTES {
            self.too_much = true;
            self.held.iter_mut().for_each(|held| held.text = Vec::new());
        }
        for cut in self.held.iter_mut().filter_map(|held| held.member.as_mut()) {
            cut.look_behind(begins, bytes);
        }
    }

    /// The members, in their order; or why they can't be told.
    pub fn held(&self) -> Result<&[Held], Unread> {
        match self.held.iter().find(|held| held.repeated) {
            _ if self.too_much => Err(Unread::TooMuch),
            Some(_) => Err(Unread::Twice),
            None => Ok(&self.held),
        }
    }

    /// What a list offers.
    pub fn list<'a>(&self, held: &'a Held, form: Form) -> Result<List<'a>, Unread> {
        if held.is_null {
            return Ok(List::default());
        }
        tool::list(held.text()?, held.from, form, self.dialect)
    }

    /// What a choice names. One in a word names nothing.
    pub fn chosen<'a>(&self, held: &'a Held) -> Result<Vec<Tool<'a>>, Unread> {
        if held.text.is_empty() { Ok(Vec::new()) } else { tool::chosen(held.text()?, self.dialect) }
    }
}

impl Held {
    fn new(offer: Offer, (starts, from, to): (u64, u64, u64), repeated: bool) -> Self {
        Self { offer, from, to, starts, member: None, repeated, is_null: false, text: Vec::new() }
    }

    fn close(&mut self, to: u64, rest: &[u8]) {
        self.to = to;
        self.member = Some(Cut::member(self.starts, to));
        if self.offer.is_read() {
            self.text.extend_from_slice(rest);
        }
    }

    fn text(&self) -> Result<&str, Unread> {
        str::from_utf8(&self.text).ok().filter(|text| !text.is_empty()).ok_or(Unread::NoTool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::schema::{self, Asked};

    /// The lists that a provider may run something of, each by its way from the top.
    fn lists(fields: &[Field<Offer>], way: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
        for field in fields {
            let way = [way, &[field.name]].concat();
            lists(field.inside, &way, found);
            if let Some(Offer::Tools(form) | Offer::Within(form) | Offer::Inside(form)) = field.key
                && form != Form::Functions
            {
                found.push(way);
            }
        }
    }

    fn has_lever(field: &Field<Asked>) -> bool {
        matches!(field.key, Some(Asked::Tools | Asked::Plugins | Asked::Servers(_)))
            || field.inside.iter().any(|field| field.name != crate::json::OTHERS && has_lever(field))
    }

    #[test]
    fn each_list_of_tools_that_rules_are_about_is_priced_as_well() {
        for schema in schema::ALL {
            let mut found = Vec::new();
            lists(table(schema.name).unwrap_or_default(), &[], &mut found);
            for way in found {
                let (mut fields, mut is_read) = (schema.request, false);
                for name in &way {
                    let Some(field) = fields.iter().find(|field| field.name == *name) else {
                        panic!("{}: {way:?}", schema.name);
                    };
                    (fields, is_read) = (field.inside, has_lever(field));
                }
                assert!(is_read, "{}: {way:?}", schema.name);
            }
        }
    }

    /// What a provider is told to run, each by its way from the top.
    fn priced(fields: &[Field<Asked>], way: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
        for field in fields.iter().filter(|field| field.name != crate::json::OTHERS) {
            let way = [way, &[field.name]].concat();
            priced(field.inside, &way, found);
            if matches!(field.key, Some(Asked::Tools | Asked::Plugins | Asked::Servers(_))) {
                found.push(way);
            }
        }
    }

    #[test]
    fn each_list_of_tools_that_is_priced_is_one_that_rules_are_about() {
        for schema in schema::ALL {
            let mut found = Vec::new();
            priced(schema.request, &[], &mut found);
            for way in found {
                let (mut fields, mut is_read) = (table(schema.name).unwrap_or_default(), false);
                for name in &way {
                    let field = fields.iter().find(|field| field.name == *name);
                    is_read |= field.is_some_and(|field| {
                        matches!(field.key, Some(Offer::Tools(_) | Offer::Within(_) | Offer::Inside(_)))
                    });
                    fields = field.map_or(&[][..], |field| field.inside);
                }
                assert!(is_read, "{}: {way:?}", schema.name);
            }
        }
    }
}
