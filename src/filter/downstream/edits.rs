//! Edits of a request's body, where Envoy holds it.

use crate::host::http;
use crate::llm::request::{self, Edit};
use proxy_wasm::types::BufferType;

/// Splices the edits into the beginning of the buffered body, and corrects its length where the head has one.
pub(super) fn apply(edits: &[Edit], received: u64, hold_headers: bool) {
    let Some(last) = edits.last() else { return };
    let reach = usize::try_from(last.place.to).unwrap_or(usize::MAX);
    let prefix = http::body(BufferType::HttpRequestBody, 0, reach);
    let edited = request::spliced(&prefix, edits);
    let length = received.saturating_sub(prefix.len() as u64).saturating_add(edited.len() as u64);
    http::replace(BufferType::HttpRequestBody, prefix.len(), &edited);
    if hold_headers {
        http::correct_content_length(length);
    }
}
