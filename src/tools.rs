//! Tools: what an answer calls.

mod called;

pub use called::{Arguments, CallId, Calls, Told, Tool};
