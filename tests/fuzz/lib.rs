//! What holds for any input at all: a file a promise. Held against the seeds and what is near them by `make test`, and by libFuzzer,
//! which looks for more by what an input reaches, in `make fuzz`.

mod answer;
mod configuration;
mod content;
mod cuts;
mod exchange;
mod form;
mod request;
mod scanner;
mod tools;

/// It panics where its promise doesn't hold.
pub type Target = fn(&[u8]);

/// By the name of its seeds' folder.
pub const TARGETS: [(&str, Target); 8] = [
    ("answer", answer::holds),
    ("configuration", configuration::holds),
    ("content", content::holds),
    ("exchange", exchange::holds),
    ("form", form::holds),
    ("request", request::holds),
    ("scanner", scanner::holds),
    ("tools", tools::holds),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|(known, _)| *known == name).map(|(_, target)| target)
}
