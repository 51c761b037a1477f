//! Rules about tools at work: what a request offers is held against them, and what an answer calls.
//!
//! What is denied is counted, taken out, or refused. A definition of a registered function is the operator's, whoever sends it.

mod offered;

pub use offered::{Judged, Refusal, judge};

#[cfg(test)]
mod tests;
