//! Names the place of a byte in a JSON text, `tenants.acme.limits`, and finds the byte of a named place.
//!
//! Trade-off: serde knows line and column, not the path, and carrying a path through every value costs each
//! configuration. This walks the text a second time, and only when it is refused.

enum PathStep<'a> {
    /// In an object; `None` until the colon, so that an unknown key is reported at the object it stands in.
    Key(Option<&'a [u8]>),
    Index(usize),
}

struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    steps: Vec<PathStep<'a>>,
    /// Where the string begins that the walk is in.
    string: Option<usize>,
    escaped: bool,
    last_string: &'a [u8],
}

impl<'a> Walk<'a> {
    const fn new(json: &'a [u8]) -> Self {
        Self { json, at: 0, steps: Vec::new(), string: None, escaped: false, last_string: b"" }
    }

    /// Takes one byte; true if a new value begins behind it.
    fn advance(&mut self) -> Option<bool> {
        let byte = *self.json.get(self.at)?;
        let here = self.at;
        self.at = here.saturating_add(1);
        if let Some(start) = self.string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.last_string = self.json.get(start..here).unwrap_or_default();
                self.string = None;
            }
            return Some(false);
        }
        match byte {
            b'"' => self.string = Some(self.at),
            b'{' => self.steps.push(PathStep::Key(None)),
            b'[' => self.steps.push(PathStep::Index(0)),
            b'}' | b']' => drop(self.steps.pop()),
            b':' => {
                if let Some(PathStep::Key(key)) = self.steps.last_mut() {
                    *key = Some(self.last_string);
                }
            }
            b',' => match self.steps.last_mut() {
                Some(PathStep::Key(key)) => *key = None,
                Some(PathStep::Index(index)) => *index = index.saturating_add(1),
                None => {}
            },
            _ => {}
        }
        Some(matches!(byte, b':' | b'[' | b','))
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                PathStep::Key(Some(key)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&String::from_utf8_lossy(key));
                }
                PathStep::Key(None) => {}
                PathStep::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

/// Line and column, both counted from one, the column in bytes: as `serde_json` counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

/// The path of the value that `place` lies in; empty at the top level.
pub fn path_at(json: &[u8], place: LineColumn) -> String {
    let line_start = match place.line.checked_sub(2) {
        None => 0,
        Some(nth) => json
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(nth)
            .map_or(json.len(), |(at, _)| at.saturating_add(1)),
    };
    let end = line_start.saturating_add(place.column);
    let mut walk = Walk::new(json);
    while walk.at < end && walk.advance().is_some() {}
    walk.path()
}

/// Where the value at `path` begins, or nothing if it was not written.
pub fn place_of(json: &[u8], path: &str) -> Option<LineColumn> {
    let mut walk = Walk::new(json);
    loop {
        if walk.advance()? && walk.path() == path {
            break;
        }
    }
    let blanks = json.get(walk.at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let before = json.get(..walk.at.saturating_add(blanks))?;
    let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count().saturating_add(1);
    Some(LineColumn { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{
  "tenants": {"acme": {"tier": "a\"]},:{", "models": ["x", "y"]}},
  "prices": [{"model": "m"}, {"model" : 7}]
}"#;

    #[test]
    fn a_byte_is_named_by_the_keys_and_indices_around_it() {
        // Up to and with the first occurrence of `until`.
        let path = |until: &str| {
            let text = std::str::from_utf8(TEXT).unwrap();
            let line = text.lines().position(|line| line.contains(until)).unwrap();
            let column = text.lines().nth(line).unwrap().find(until).unwrap() + until.len();
            path_at(TEXT, LineColumn { line: line + 1, column })
        };
        assert_eq!(path("\"tenants\""), "", "an open key does not name a place yet");
        assert_eq!(path("\"tenants\":"), "tenants");
        assert_eq!(path("\"tier\""), "tenants.acme");
        assert_eq!(path("\"a\\\"]},:"), "tenants.acme.tier", "inside a string");
        assert_eq!(path("{\","), "tenants.acme");
        assert_eq!(path("[\"x\""), "tenants.acme.models[0]");
        assert_eq!(path("\"y\""), "tenants.acme.models[1]");
        assert_eq!(path("{\"model\": \"m\"}"), "prices[0]", "behind the brace, before the comma");
        assert_eq!(path(": 7}"), "prices[1]");
        assert_eq!(path_at(TEXT, LineColumn { line: 9, column: 9 }), "", "past the end");
    }

    #[test]
    fn a_path_is_found_again() {
        assert_eq!(place_of(TEXT, "prices[1].model"), Some(LineColumn { line: 3, column: 41 }));
        assert_eq!(place_of(TEXT, "tenants.acme.models[1]"), Some(LineColumn { line: 2, column: 60 }));
        assert_eq!(place_of(TEXT, "tenants.beta"), None);
    }

    #[test]
    fn no_text_can_make_the_walk_fail() {
        for text in [&b""[..], b"}}]", b"\"", b"\"\\", b":::", b"[,{:,", b"\xff{\"\xff\":"] {
            for column in 0..9 {
                path_at(text, LineColumn { line: 1, column });
            }
            place_of(text, "nowhere");
        }
    }
}
