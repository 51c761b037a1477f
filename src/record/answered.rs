//! What an answer of a compared pair came to: numbers that only say how near it is to the other's.

use crate::json::object::{Object, name};
use crate::llm::meter::Finish;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Why it ended, if it said so.
    pub finish: Option<Finish>,
    pub text_bytes: u64,
    /// Of its text, if it has a word.
    pub text: Option<u64>,
    pub calls: u64,
    /// Of the tools that it called, and of these with their arguments: if it called some, and all of them could be read.
    pub tools: Option<u64>,
    pub arguments: Option<u64>,
}

impl Answered {
    pub fn write(&self, out: &mut String) {
        let mut answer = Object::begin(out);
        answer.maybe_text(name!("finish"), self.finish.map(Finish::name));
        answer.number(name!("text_bytes"), self.text_bytes);
        answer.maybe_text(name!("text_print"), self.text.map(digits).as_deref());
        answer.number(name!("calls"), self.calls);
        answer.maybe_text(name!("tools_print"), self.tools.map(digits).as_deref());
        answer.maybe_text(name!("arguments_print"), self.arguments.map(digits).as_deref());
        answer.end();
    }
}

/// A number of JSON holds 53 bits at most of its readers.
fn digits(print: u64) -> String {
    format!("{print:016x}")
}
