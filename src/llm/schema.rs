//! Which API a request speaks, by its method and path; never guessed from the body.

/// An API whose requests are admitted and whose answers are metered. Everything else steps aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    OpenAiChat,
}

impl Schema {
    /// The path is read as the loosest server behind us might: escapes decoded, slashes merged, a trailing one
    /// dropped. A spelling that a provider accepts must not be a way around the limits.
    pub fn of(method: &[u8], path: &[u8]) -> Option<Self> {
        if method != b"POST" {
            return None;
        }
        let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let mut segments = Segments { rest: path };
        let mut want = [&b"v1"[..], b"chat", b"completions"].into_iter();
        loop {
            match (segments.next(), want.next()) {
                (None, None) => return Some(Self::OpenAiChat),
                (Some(segment), Some(name)) if same(segment, name) => {}
                _ => return None,
            }
        }
    }
}

struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (segment, rest) = cut_at_slash(self.rest);
            self.rest = rest;
            if !segment.is_empty() && segment != b"." {
                return Some(segment);
            }
        }
    }
}

/// Splits at the first slash, plain or escaped.
fn cut_at_slash(path: &[u8]) -> (&[u8], &[u8]) {
    for at in 0..path.len() {
        let (before, from) = path.split_at(at);
        let width = match from {
            [b'/', ..] => 1,
            [b'%', b'2', b'F' | b'f', ..] => 3,
            _ => continue,
        };
        return (before, from.get(width..).unwrap_or_default());
    }
    (path, &[])
}

fn same(segment: &[u8], name: &[u8]) -> bool {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut rest = segment;
    for wanted in name {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => {
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return false };
                (u8::try_from(high.wrapping_mul(16).wrapping_add(low)).unwrap_or(0), after)
            }
            [byte, after @ ..] => (*byte, after),
            [] => return false,
        };
        if byte != *wanted {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_posts_to_the_chat_path_are_metered_however_it_is_spelt() {
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions?x=/",
            "/v1/chat/completions/",
            "//v1///chat/./completions",
            "/v1/ch%61t/completions",
            "/v1%2Fchat%2fcompletions",
        ] {
            assert_eq!(Schema::of(b"POST", path.as_bytes()), Some(Schema::OpenAiChat), "{path}");
            assert_eq!(Schema::of(b"GET", path.as_bytes()), None);
        }
        for path in
            ["/", "", "/v1/chat", "/v1/chat/completions/x", "/v1/models", "/v1/chat/completion", "/v1/ch%6/completions"]
        {
            assert_eq!(Schema::of(b"POST", path.as_bytes()), None, "{path}");
        }
    }
}
