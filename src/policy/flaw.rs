//! How a flaw of the configuration is reported: where it is, what is wrong, and what would be right.

use std::rc::Rc;

use crate::config::ConfigError;

pub(super) type Checked<T> = Result<T, ConfigError>;

pub(super) fn flaw<T>(path: impl Into<String>, problem: impl Into<String>) -> Checked<T> {
    Err(ConfigError::new(path, problem))
}

/// `tenants.acme`: keys are shown escaped, they may be anything.
pub(super) fn under(map: &str, name: &str) -> String {
    format!("{map}.{}", name.escape_debug())
}

/// What is said of a name that is none of those under `map`; `what` such a thing is called.
pub(super) fn unknown<'a>(what: &str, map: &str, name: &str, known: impl Iterator<Item = &'a Rc<str>>) -> String {
    let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
    if known.is_empty() {
        format!("unknown {what} `{name}`: write it under `{map}`")
    } else {
        format!("unknown {what} `{name}`, expected one of {}", known.join(", "))
    }
}

pub(super) fn not_reserved(path: impl FnOnce() -> String, name: &str, reserved: &[&str]) -> Checked<()> {
    if !reserved.contains(&name) {
        return Ok(());
    }
    flaw(path(), format!("`{name}` is a label of the gateway's own; choose another name"))
}
