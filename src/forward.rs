//! What of a request's head goes on to a provider: what a table names, and nothing else.
//!
//! Trade-off: a list of what is dangerous is never whole. A header may name another account, carry a key, or have the
//! provider leave its usage out; next year's name for it is on no list today. So what passes is listed, by API, and what
//! the list doesn't know is dropped, counted and written down. An operator may let more names pass.

pub mod answers;
pub mod betas;
mod by_length;
mod names;
mod query;

use crate::digest::hmac;
use crate::headers::Headers;
use crate::json::words::same;
use crate::llm::schema::Dialect;
use crate::name::Pattern;
use names::Class;
use query::Does;

/// What the operator lets pass beside the tables.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Read on the way, and taken out by the routes: tenant, role, sensitivity.
    pub own: Vec<String>,
    /// Read here and taken out, if they are not let pass: whose variant a request gets.
    pub read: Vec<String>,
    pub headers: Vec<String>,
    pub query: Vec<String>,
    pub betas: Vec<Pattern>,
    pub unknown_betas: UnknownBetas,
    /// Of answers.
    pub answers: Vec<String>,
}

/// What becomes of a beta flag that no table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum UnknownBetas {
    /// It passes and is counted: next month's SDK must not stop at the door.
    #[default]
    Count,
    Drop,
}

/// What is done to a head before it goes on. An honest one is left as it is, and costs no call of the host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeadEdit {
    pub remove: Vec<String>,
    /// `:path` among them, where its query changes.
    pub set: Vec<(String, String)>,
    /// What only the operator let pass: an attempt must not take a name for it that an earlier one has filled.
    pub kept: Vec<(String, String)>,
    pub left_out: LeftOut,
}

/// What a client sent and the provider does not get, and what passed unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// By kind.
    pub dropped: [u32; Dropped::ALL.len()],
    /// Names, never values; not the credentials', which SDKs send with every request.
    pub dropped_names: Vec<String>,
    pub unknown_betas: Vec<String>,
    /// Of its body: fields that went on unknown, and levers that have no price.
    pub unknown_fields: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    Header,
    Credential,
    Query,
    Beta,
}

impl Dropped {
    pub const ALL: [Self; 4] = [Self::Header, Self::Credential, Self::Query, Self::Beta];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Credential => "credential",
            Self::Query => "query",
            Self::Beta => "beta",
        }
    }
}

/// Clients choose these names: a record holds a few, shortened, of letters that any reader of a log can stand.
const MOST_NAMES: usize = 8;
const MOST_NAME_BYTES: usize = 64;

fn note(names: &mut Vec<String>, before: &str, name: &[u8]) {
    if names.len() < MOST_NAMES {
        let plain = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
        names.push(before.chars().chain(name.iter().take(MOST_NAME_BYTES).map(plain)).collect());
    }
}

impl LeftOut {
    fn count(&mut self, kind: Dropped) {
        for (known, count) in Dropped::ALL.into_iter().zip(&mut self.dropped) {
            *count = count.saturating_add(u32::from(known == kind));
        }
    }

    fn drop(&mut self, kind: Dropped, name: &[u8]) {
        self.count(kind);
        match kind {
            Dropped::Credential => {}
            Dropped::Header => note(&mut self.dropped_names, "", name),
            Dropped::Query => note(&mut self.dropped_names, "?", name),
            Dropped::Beta => note(&mut self.dropped_names, "beta ", name),
        }
    }

    /// Of the body.
    pub fn unknown_field(&mut self, name: &str) {
        note(&mut self.unknown_fields, "", name.as_bytes());
    }

    fn pass_unknown_beta(&mut self, name: &[u8]) {
        note(&mut self.unknown_betas, "", name);
    }
}

/// Why a head can't be judged.
#[derive(Debug, PartialEq, Eq)]
pub enum Unclear {
    /// A provider may take the first or the last of two.
    Twice(String),
    HeaderName,
}

impl Unclear {
    pub fn message(&self) -> String {
        match self {
            Self::Twice(name) => format!("The query parameter `{name}` is given twice."),
            Self::HeaderName => "A header's name is not ASCII.".to_owned(),
        }
    }
}

/// Whether a flag of this header is in its table. The official SDKs' own lists are held against it.
pub fn knows_beta(header: &str, flag: &str) -> bool {
    betas::LISTS.iter().any(|list| list.header == header && list.known(flag.as_bytes()).is_some())
}

impl HeadEdit {
    /// The body was read as JSON: it goes on under a name by which nobody reads it otherwise. A server takes a form's name for a
    /// form, and Envoy's router takes a name of gRPC for gRPC, whose failures no `error_matcher` sees.
    pub fn read_as_json(&mut self, headers: &Headers) {
        const JSON: &str = "application/json";
        let is_json = |written: &[u8]| {
            let essence = written.split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes())
        };
        let written = headers.get("content-type");
        if written.is_some_and(|written| !same(written, JSON.as_bytes()) && !is_json(written)) {
            self.set.push(("content-type".to_owned(), JSON.to_owned()));
        }
    }
}

/// A flag that no table knows may pass if it is written as all are: a server that reads over anything else finds one of the table's in it.
fn is_plain(flag: &[u8]) -> bool {
    flag.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.=".contains(byte))
}

impl Allowed {
    /// Whether a header needs no entry, whatever the API.
    pub fn passes_anyhow(name: &str) -> bool {
        matches!(names::class(name.as_bytes()), Some(Class::Any | Class::Again))
    }

    /// What the listener does to a request of this API and tenant.
    pub fn cut(
        &self,
        headers: &Headers,
        dialect: Dialect,
        path: &str,
        tenant: Option<&str>,
    ) -> Result<HeadEdit, Unclear> {
        let mut cut = HeadEdit::default();
        let mut flagged = false;
        for (name, value) in headers.iter() {
            match names::class(name) {
                Some(Class::Any | Class::Envoy) => continue,
                Some(Class::Api(apis)) if apis.contains(&dialect) => continue,
                Some(Class::Media) if names::can_be_read(value) => continue,
                Some(Class::Flags(list)) if dialect == list.dialect => {
                    flagged = true;
                    continue;
                }
                Some(Class::Again) => {
                    if let Some(tenant) = tenant {
                        let name = String::from_utf8_lossy(name).into_owned();
                        cut.set.push((name, of_tenant(tenant, value)));
                        continue;
                    }
                }
                _ => {}
            }
            let name = std::str::from_utf8(name).map_err(|_| Unclear::HeaderName)?;
            if self.own.iter().any(|own| own == name) {
                continue;
            }
            if self.headers.iter().any(|allowed| allowed == name) {
                keep(&mut cut.kept, name, value);
                continue;
            }
            let kind = if matches!(names::class(name.as_bytes()), Some(Class::Credential)) {
                Dropped::Credential
            } else {
                Dropped::Header
            };
            if !cut.remove.iter().any(|removed| removed == name) {
                cut.remove.push(name.to_owned());
                if !self.read.iter().any(|read| read == name) {
                    cut.left_out.drop(kind, name.as_bytes());
                }
            }
        }
        if flagged {
            for list in betas::LISTS.into_iter().filter(|list| list.dialect == dialect) {
                self.cut_flags(list, headers, &mut cut);
            }
        }
        let does = if headers.get(":method") == Some(b"GET") { Does::Reads } else { Does::Makes };
        if let Some(path) = query::rebuilt(path, dialect, does, &self.query, &mut cut.left_out)? {
            cut.set.push((":path".to_owned(), path));
        }
        Ok(cut)
    }

    /// Whether a flag may stand in a body, where nothing is cut out of a list: `Err` says why not. What no table knows is noted.
    pub fn flag_in_body(&self, field: &str, flag: &str, left_out: &mut LeftOut) -> Result<(), &'static str> {
        let list = if field == "anthropic_version" { &betas::VERSION_IN_BODY } else { &betas::ANTHROPIC };
        for flag in flag.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
            let allowed = self.betas.iter().any(|pattern| pattern.matches(flag));
            match list.known(flag.as_bytes()) {
                _ if allowed => {}
                Some(betas::Flag::Harmless) => {}
                Some(betas::Flag::Costs) => {
                    return Err(
                        "it costs more, brings in what a request doesn't show, lets another model serve or sends data elsewhere",
                    );
                }
                None if self.unknown_betas == UnknownBetas::Drop || !is_plain(flag.as_bytes()) => {
                    return Err("it is not known here");
                }
                None => left_out.pass_unknown_beta(flag.as_bytes()),
            }
        }
        Ok(())
    }

    fn cut_flags(&self, list: &betas::List, headers: &Headers, cut: &mut HeadEdit) {
        let mut kept: Vec<&[u8]> = Vec::new();
        let mut dropped = false;
        for flag in headers.all(list.header).flat_map(|value| value.split(|byte| *byte == b',')) {
            let flag = flag.trim_ascii();
            let text = String::from_utf8_lossy(flag);
            let allowed = self.betas.iter().any(|pattern| pattern.matches(&text));
            let known = list.known(flag);
            let drops = match known {
                _ if allowed || flag.is_empty() => false,
                Some(betas::Flag::Harmless) => false,
                Some(betas::Flag::Costs) => true,
                None => self.unknown_betas == UnknownBetas::Drop || !is_plain(flag),
            };
            if drops {
                dropped = true;
                cut.left_out.drop(Dropped::Beta, flag);
            } else if !flag.is_empty() {
                kept.push(flag);
                if known.is_none() && !allowed {
                    cut.left_out.pass_unknown_beta(flag);
                }
            }
        }
        if !dropped {
            return;
        }
        if kept.is_empty() {
            cut.remove.push(list.header.to_owned());
        } else {
            let rest = String::from_utf8_lossy(&kept.join(&b',')).into_owned();
            cut.set.push((list.header.to_owned(), rest));
        }
    }
}

/// A value that no other tenant's request can have, and each of this tenant's with the same value has.
fn of_tenant(tenant: &str, value: &[u8]) -> String {
    use std::fmt::Write as _;
    hmac(tenant.as_bytes(), &[value]).iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Of a header that is given more than once, the values stand in one list, as HTTP has it.
fn keep(kept: &mut Vec<(String, String)>, name: &str, value: &[u8]) {
    let value = String::from_utf8_lossy(value);
    match kept.iter_mut().find(|(known, _)| known == name) {
        Some((_, before)) => *before = [before, ", ", &value].concat(),
        None => kept.push((name.to_owned(), value.into_owned())),
    }
}

/// What an attempt does to the head that the one before it has left: whatever was put in for another provider, a key
/// above all, under whatever name, goes. Models have taken out what was Envoy's and the gateway's by then.
pub fn for_attempt(headers: &Headers, dialect: Dialect, kept: &[(String, String)]) -> HeadEdit {
    let mut cut = HeadEdit::default();
    for (name, _) in headers.iter() {
        let passes = match names::class(name) {
            Some(Class::Any | Class::Media | Class::Again) => true,
            Some(Class::Api(apis)) => apis.contains(&dialect),
            Some(Class::Flags(list)) => dialect == list.dialect,
            Some(Class::Envoy | Class::Credential) | None => false,
        };
        if passes {
            continue;
        }
        // The listener has refused what is no text.
        let name = String::from_utf8_lossy(name);
        let is_kept = kept.iter().any(|(known, _)| *known == *name);
        if !is_kept && !cut.remove.iter().any(|removed| *removed == *name) {
            cut.remove.push(name.into_owned());
        }
    }
    let stands = |name: &str, value: &str| {
        let mut values = headers.all(name);
        values.next() == Some(value.as_bytes()) && values.next().is_none()
    };
    cut.set.extend(kept.iter().filter(|(name, value)| !stands(name, value)).cloned());
    cut
}

#[cfg(test)]
mod tests;
