//! What the operator lets pass to providers: names that the tables don't have, each once.

use super::Sticks;
use super::flaw::{Checked, flaw};
use crate::config::{self, HeaderName};
use crate::forward::{Allowed, answers};

pub(super) fn read(written: config::Forward, own: [&HeaderName; 3], sticks: &Sticks) -> Checked<Allowed> {
    let config::Forward { headers, query, betas, unknown_betas, answers: more } = written;
    let own: Vec<String> = own.into_iter().map(|HeaderName(name)| name.clone()).collect();
    for (at, HeaderName(name)) in headers.iter().enumerate() {
        let path = format!("forward.headers[{at}]");
        if own.contains(name) {
            return flaw(
                path,
                format!("`{name}` says who calls, which is none of the provider's business; leave it out"),
            );
        }
        if Allowed::passes_anyhow(name) {
            return flaw(path, format!("`{name}` passes anyhow; leave it out"));
        }
        if name.starts_with("x-nexus-") {
            return flaw(path, format!("`{name}` is a header of the gateway's own; leave it out"));
        }
    }
    for (at, HeaderName(name)) in more.iter().enumerate() {
        let path = format!("forward.answers[{at}]");
        if answers::passes(name.as_bytes(), b"no-cache") {
            return flaw(path, format!("`{name}` passes anyhow; leave it out"));
        }
        if name.starts_with("x-nexus-") {
            return flaw(path, format!("`{name}` is a header of the gateway's own; leave it out"));
        }
    }
    for (at, config::Name(name)) in query.iter().enumerate() {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte)) {
            let problem = format!("`{name}` is no parameter: letters, digits and `-._~$` are allowed");
            return flaw(format!("forward.query[{at}]"), problem);
        }
    }
    Ok(Allowed {
        own,
        read: sticks.headers().cloned().collect(),
        headers: headers.into_iter().map(|HeaderName(name)| name).collect(),
        query: query.into_iter().map(|config::Name(name)| name.to_string()).collect(),
        betas,
        unknown_betas,
        answers: more.into_iter().map(|HeaderName(name)| name).collect(),
    })
}
