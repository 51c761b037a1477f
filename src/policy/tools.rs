//! Rules about tools: which may be offered and called by whom, and what is registered.

use std::rc::Rc;

use hashbrown::HashMap;
use serde_json::Value;

use super::flaw::{Checked, flaw};
use crate::config::{self, CalledAction, OfferedAction, ToolPattern};
use crate::json_schema::Schema;
use crate::llm::tools::same_kind;

pub use crate::config::{CalledAction as Called, OfferedAction as Offered};

/// The functions of `tools.registry`, by name.
pub type Registry = HashMap<Rc<str>, Registered>;

/// A function whose definition the operator has written.
#[derive(Debug)]
pub struct Registered {
    pub written: Rc<Value>,
    /// The same as text, for who sends only its name.
    pub text: Box<str>,
    pub schema: Rc<Schema>,
    pub description: Option<Box<str>>,
}

/// Which of the policy's sets of rules about tools hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolsIx(u32);

/// What holds for the tools of some tenants.
#[derive(Debug)]
pub struct ToolRules {
    allow: Option<Box<[ToolPattern]>>,
    deny: Box<[ToolPattern]>,
    registered_only: bool,
    pub offered: OfferedAction,
    pub called: CalledAction,
    pub arguments: CalledAction,
    pub strict: CalledAction,
    registry: Rc<Registry>,
}

/// All sets of rules about tools.
#[derive(Debug, Default)]
pub struct Tools {
    registry: Rc<Registry>,
    sets: Vec<Rc<ToolRules>>,
}

/// Why a tool, or a call of it, is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `deny` has it, or `allow` doesn't.
    NotAllowed,
    /// It is no function of the registry.
    Unregistered,
    /// It is one, with another definition.
    Differs,
    /// Its arguments are not as its schema says.
    Arguments,
    /// What it is can't be told.
    Unread,
    /// The client's own schema has what nobody enforces here.
    Unenforced,
}

impl Why {
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Unregistered => "unregistered",
            Self::Differs => "differs",
            Self::Arguments => "arguments",
            Self::Unread => "unread",
            Self::Unenforced => "unenforced",
        }
    }
}

/// Kinds of which there are many, each with a name of its own. Of all others the kind says what it is.
const NAMED: [&str; 9] = [
    "function",
    "custom",
    "mcp",
    "mcp_toolset",
    "mcp_server",
    "mcp_servers",
    "plugin",
    "ephemeral_mcp",
    "builtin_function",
];

fn is_named(kind: &str, names: &[String]) -> bool {
    !names.is_empty() && NAMED.iter().any(|named| same_kind(named, kind))
}

fn has_kind(patterns: &[ToolPattern], kind: &str) -> bool {
    patterns.iter().any(|pattern| matches!(pattern, ToolPattern::Kind(known) if same_kind(known, kind)))
}

impl ToolRules {
    /// Whether a tool may be used that goes by all of these names.
    pub fn judge(&self, kind: &str, names: &[String]) -> Result<(), Why> {
        let has = |allow: &[ToolPattern], name: &String| {
            allow.iter().any(|pattern| matches!(pattern, ToolPattern::Name(pattern) if pattern.matches(name)))
        };
        let is_allowed = self.allow.as_ref().is_none_or(|allow| {
            has_kind(allow, kind) || (is_named(kind, names) && names.iter().all(|name| has(allow, name)))
        });
        if self.denies(kind, names) || !is_allowed {
            return Err(Why::NotAllowed);
        }
        let is_function = matches!(kind, "function" | "custom");
        if self.registered_only && is_function && !names.iter().all(|name| self.registry.contains_key(&**name)) {
            return Err(Why::Unregistered);
        }
        Ok(())
    }

    /// A name in other letters may be the same to whoever runs the tool: it is denied as well, and not allowed.
    fn denies(&self, kind: &str, names: &[String]) -> bool {
        let has = |name: &String| {
            self.deny.iter().any(|pattern| match pattern {
                ToolPattern::Name(pattern) => pattern.in_lower_case().matches(&name.to_ascii_lowercase()),
                ToolPattern::Kind(_) => false,
            })
        };
        has_kind(&self.deny, kind) || (is_named(kind, names) && names.iter().any(has))
    }

    /// The same of a call. Of what a server or a plugin offers, its name or the call's may be allowed, and neither denied.
    pub fn judge_call(&self, kind: &str, name: &str, within: &str) -> Result<(), Why> {
        let name = [name.to_owned()];
        if within.is_empty() || matches!(kind, "function" | "custom") {
            return self.judge(kind, &name);
        }
        let within = [within.to_owned()];
        if self.denies(kind, &name) || self.denies(kind, &within) {
            return Err(Why::NotAllowed);
        }
        self.judge(kind, &within).or_else(|_| self.judge(kind, &name))
    }

    pub fn registered(&self, name: &str) -> Option<&Registered> {
        self.registry.get(name)
    }

    /// Whether anything of an answer is to be looked at.
    pub fn looks_at_calls(&self) -> bool {
        let checks = self.arguments != CalledAction::Pass && !self.registry.is_empty();
        self.called != CalledAction::Pass || checks || self.strict != CalledAction::Pass
    }
}

impl Tools {
    pub(super) fn begin(written: config::Tools) -> Self {
        let registry = written.registry.entries.into_iter().map(|(name, tool)| {
            let config::RegisteredTool { parameters: config::Parameters { written, schema }, description } = tool;
            let text = written.to_string().into();
            (name, Registered { written, text, schema, description: description.map(Into::into) })
        });
        Self { registry: Rc::new(registry.collect()), sets: Vec::new() }
    }

    /// Another set, as a tier or a tenant has it.
    pub(super) fn add(&mut self, written: &config::ToolRules, path: impl Fn() -> String) -> Checked<ToolsIx> {
        if written.registered_only && self.registry.is_empty() {
            return flaw(
                format!("{}.tools.registered_only", path()),
                "no function is registered: write `tools.registry`, or leave this out",
            );
        }
        let ix = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let config::ToolRules { allow, deny, registered_only, offered, called, arguments, strict } = written;
        self.sets.push(Rc::new(ToolRules {
            allow: allow.as_ref().map(|allow| allow.as_slice().into()),
            deny: deny.as_slice().into(),
            registered_only: *registered_only,
            offered: *offered,
            called: *called,
            arguments: *arguments,
            strict: *strict,
            registry: Rc::clone(&self.registry),
        }));
        Ok(ToolsIx(ix))
    }

    pub fn of(&self, ToolsIx(ix): ToolsIx) -> Option<&Rc<ToolRules>> {
        self.sets.get(usize::try_from(ix).ok()?)
    }
}
