//! One event of a stream, whatever carries it: a `data:` line, a line of JSON, an element, a binary frame.

use serde_json::Value;

use crate::sold::Sold;
use crate::words;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `event:` of SSE, `:event-type` at AWS.
    pub name: Option<&'static str>,
    pub data: Data,
    /// Billed when the first byte of it is sent.
    pub tokens: u64,
    /// And so is this.
    pub sold: Sold,
    /// AWS frames an error in another way.
    pub fault: bool,
}

impl Event {
    pub fn of(value: &Value) -> Self {
        Self::plain(value.to_string())
    }

    pub fn plain(data: impl Into<Vec<u8>>) -> Self {
        Self { name: None, data: Data::from(data.into()), tokens: 0, sold: Sold::default(), fault: false }
    }

    /// An object that says its type in `type` before anything else, and in the event's name.
    pub fn typed(kind: &'static str, value: &Value) -> Self {
        let rest = value.to_string();
        let rest = rest.strip_prefix('{').unwrap_or_default();
        let comma = if rest == "}" { "" } else { "," };
        Self::plain(format!(r#"{{"type":"{kind}"{comma}{rest}"#)).named(kind)
    }

    pub fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    pub fn billing(self, tokens: u64) -> Self {
        Self { tokens, ..self }
    }

    pub fn selling(self, sold: Sold) -> Self {
        Self { sold, ..self }
    }

    pub fn fault(self) -> Self {
        Self { fault: true, ..self }
    }
}

/// Bytes that may have more prose in their middle than fits in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub before: Vec<u8>,
    /// So many bytes of [`words::prose`].
    pub prose: u64,
    pub after: Vec<u8>,
}

impl From<Vec<u8>> for Data {
    fn from(before: Vec<u8>) -> Self {
        Self { before, ..Self::default() }
    }
}

impl Data {
    /// JSON in which the first [`words::GAP`] gives way to prose.
    pub fn with_prose(json: &str, prose: u64) -> Self {
        match json.split_once(words::GAP) {
            Some((before, after)) => Self { before: before.into(), prose, after: after.into() },
            None => Self::from(json.as_bytes().to_vec()),
        }
    }

    pub fn between(mut self, head: &[u8], tail: &[u8]) -> Self {
        self.before.splice(0..0, head.iter().copied());
        self.after.extend_from_slice(tail);
        self
    }

    /// All of it at once, for what cannot be framed piece by piece.
    pub fn whole(self) -> Vec<u8> {
        let prose = words::prose_of(0, self.prose);
        [self.before, prose.into_bytes(), self.after].concat()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_comes_first() {
        assert_eq!(Event::typed("ping", &json!({})).data.whole(), br#"{"type":"ping"}"#);
        assert_eq!(Event::typed("a.b", &json!({"a": 1})).data.whole(), br#"{"type":"a.b","a":1}"#);
    }

    #[test]
    fn prose_stands_in_the_gap() {
        let json = json!({"text": format!("<{}>", words::GAP), "usage": 1}).to_string();
        let data = Data::with_prose(&json, 9).between(b"[", b"]");
        assert_eq!(data.whole(), br#"[{"text":"<the quiet>","usage":1}]"#);
        assert_eq!(Data::with_prose("{}", 9).whole(), b"{}");
    }
}
