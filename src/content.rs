//! Rules about what goes through: texts are looked at as they come, and what a rule finds is counted, masked, restored or refused.
//!
//! What is found is never kept: the record has its rule, its place and how often. Only a placeholder that is to become the client's
//! own words again is remembered with them, as long as its stream is open, and nowhere else.

mod answer;
mod kept;
mod nested;
mod placeholders;
mod prompt;
mod reader;
mod screened;
mod seams;
mod unit;

pub use answer::AnswerTexts;
pub use placeholders::Placeholders;
pub use prompt::Prompt;
pub use screened::{Refused, Screened};

#[cfg(test)]
mod tests;
