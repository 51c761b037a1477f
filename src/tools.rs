//! Rules about tools at work: what a request offers is held against them, and what an answer calls.
//!
//! What is denied is counted, taken out, or refused. A definition of a registered function is the operator's, whoever sends it.

mod called;
mod calling;
mod offered;
mod once;

pub use called::{Arguments, CallId, Calls, Told, Tool};
pub use calling::{Callable, Calling, Refused};
pub use offered::{Judged, Refusal, judge};

/// Of a name that nobody knows, so much is in a record.
const LONGEST_SHOWN: usize = 64;

#[cfg(test)]
mod tests;
