//! What is known of the providers' APIs: the paths they are called by, the request's fields, the answer's usage, the
//! framing of streams.

pub mod aws_stream;
pub mod brings;
pub mod called;
pub mod conversation;
pub mod documents;
pub mod estimate;
pub mod event_data;
pub mod form;
pub mod hidden;
pub(crate) mod kind;
pub mod meter;
pub mod offered;
pub mod passing;
pub mod path;
pub mod request;
pub mod schema;
pub mod served;
pub mod sse;
pub mod stance;
pub mod texts;
pub mod tools;
pub mod usage;
pub mod whole_events;
