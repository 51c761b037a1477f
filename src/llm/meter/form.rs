//! What a body is, as its head and its first bytes tell.

/// What the answer's head says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, one document or many in a row: NDJSON and arrays of answers are no other form.
    Json,
    /// Server-sent events.
    Sse,
    /// AWS's binary event stream.
    Binary,
    /// Nothing but generated text (transcripts).
    Text,
    /// Compressed: only its size is known.
    Encoded,
    /// Of a type that isn't known, or of none.
    Opaque,
    /// A page for people: a login, a console, a proxy's error. No API answers in HTML.
    Page,
}

impl Form {
    pub fn of(content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> Self {
        let plain = content_encoding.is_none_or(is_no_coding);
        let essence =
            content_type.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |names: &[&str]| names.iter().any(|name| essence.eq_ignore_ascii_case(name.as_bytes()));
        if !plain {
            if is(&["text/html", "application/xhtml+xml"]) { Self::Page } else { Self::Encoded }
        } else if is(&["text/event-stream"]) {
            Self::Sse
        } else if is(&["application/vnd.amazon.eventstream"]) {
            Self::Binary
        } else if is(&["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"]) {
            Self::Json
        } else if is(&["text/html", "application/xhtml+xml"]) {
            Self::Page
        } else if essence.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/")) {
            Self::Text
        } else {
            Self::Opaque
        }
    }

    /// Whether the answer comes while it is generated, so that what is missing of it was perhaps never made.
    pub(super) const fn is_stream(self) -> bool {
        matches!(self, Self::Sse | Self::Binary)
    }

    /// Whether events may come under such a head.
    pub(super) const fn may_be_events(self) -> bool {
        !matches!(self, Self::Encoded | Self::Binary)
    }
}

/// Whether this says that nothing is compressed. What stands there in words that name no coding is how relays keep servers between
/// from compressing a stream, or the letters of a text.
fn is_no_coding(encoding: &[u8]) -> bool {
    const WORDS: [&str; 9] = ["", "identity", "none", "utf-8", "utf8", "us-ascii", "binary", "8bit", "chunked"];
    encoding.split(|byte| *byte == b',').all(|word| {
        let word = word.trim_ascii();
        WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// Whether it is the first of `data`, `event`, `id`, `retry` or a comment. No document of JSON begins with one of these.
pub(super) fn begins_event(first: u8) -> bool {
    b"deir:".contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_coding_compresses() {
        for plain in ["", "identity", "none", "NONE", "utf-8", "binary", "identity, none"] {
            assert_eq!(Form::of(Some(b"text/event-stream"), Some(plain.as_bytes())), Form::Sse, "{plain}");
        }
        for coding in ["gzip", "br", "zstd", "deflate", "x-gzip", "identity, gzip", "dcb", "nobody-knows"] {
            assert_eq!(Form::of(Some(b"text/event-stream"), Some(coding.as_bytes())), Form::Encoded, "{coding}");
        }
    }
}
