//! What is known of the providers' APIs: the request's fields, the answer's usage, the framing of streams.

pub mod estimate;
pub mod framing;
pub mod meter;
pub mod request;
pub mod schema;
pub mod usage;
