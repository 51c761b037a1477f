//! Who a request says it is. Envoy's own auth sets the header or strips it; here it is only read, strictly.

use crate::headers::Headers;
use crate::name::{LONGEST, is_printable};

/// What the values of one header come to. Which of two a server takes differs, so a repeated one is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    Missing,
    One(&'a str),
    /// Repeated, not UTF-8, or longer than any configured name.
    Unusable,
    /// It has a control character: no client of HTTP can send one, so whoever set the header has passed on what it was given.
    Garbled,
}

impl<'a> Identity<'a> {
    pub fn of(headers: &'a Headers, name: &str) -> Self {
        let mut values = headers.all(name);
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => match std::str::from_utf8(value.trim_ascii()) {
                Ok("") => Self::Missing,
                Ok(value) if !is_printable(value) => Self::Garbled,
                Ok(value) if value.len() <= LONGEST => Self::One(value),
                _ => Self::Unusable,
            },
            (Some(_), Some(_)) => Self::Unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> String {
        let headers: Vec<_> = values.iter().map(|value| ("x-tenant-id", value)).collect();
        format!("{:?}", Identity::of(&Headers::of(&headers), "x-tenant-id"))
    }

    #[test]
    fn only_one_readable_value_is_an_identity() {
        assert_eq!(of(&[]), "Missing");
        assert_eq!(of(&[b"  "]), "Missing");
        assert_eq!(of(&[b" acme "]), "One(\"acme\")");
        assert_eq!(of(&[b"acme", b"acme"]), "Unusable");
        assert_eq!(of(&[b"\xff"]), "Unusable");
        assert_eq!(of(&[b"ac\rme"]), "Garbled");
        assert_eq!(of(&[&[b'a'; 257]]), "Unusable");
    }
}
