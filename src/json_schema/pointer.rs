//! JSON pointers (RFC 6901): as faults and flaws show them, and as a `$ref` has them.

use std::fmt;

/// Of a pointer that is shown, in bytes. What is longer is cut.
const MAX_POINTER: usize = 256;
/// Of a name or a text of a schema that is shown, in characters.
const MAX_NAME: usize = 64;

/// One step into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'n> {
    Name(&'n str),
    Index(usize),
    /// Into a member that the schema doesn't name.
    Other,
}

pub struct Pointer<'n>(pub &'n [Step<'n>]);

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = MAX_POINTER;
        for step in self.0 {
            let step = match step {
                Step::Name(name) => cut(name).replace('~', "~0").replace('/', "~1"),
                Step::Index(index) => index.to_string(),
                Step::Other => "*".to_owned(),
            };
            match left.checked_sub(step.len().saturating_add(1)) {
                Some(rest) => left = rest,
                None => return f.write_str("/…"),
            }
            write!(f, "/{step}")?;
        }
        Ok(())
    }
}

/// A text of the schema between backticks, on one line and not too long.
pub struct Shown<'n>(pub &'n str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", cut(self.0))
    }
}

fn cut(text: &str) -> String {
    let mut shown = String::new();
    for (place, letter) in text.chars().enumerate() {
        if place == MAX_NAME {
            shown.push('…');
            break;
        }
        shown.push(if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter });
    }
    shown
}

/// A token of a pointer as the name that it stands for.
pub fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// What a fragment of a URI stands for. `None`: there is a `%` without two digits, or it is not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                digit(*high)?.wrapping_shl(4) | digit(*low)?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_and_bounded() {
        let path = [Step::Name("a/b"), Step::Index(3), Step::Name("c~\nd"), Step::Other];
        assert_eq!(Pointer(&path).to_string(), "/a~1b/3/c~0\u{fffd}d/*");
        let long = "x".repeat(10_000);
        let path = vec![Step::Name(&long); 100];
        let shown = Pointer(&path).to_string();
        assert!(shown.len() < MAX_POINTER + 8 && shown.ends_with("/…"), "{shown}");
    }

    #[test]
    fn fragments_are_decoded() {
        for (text, expected) in [
            ("a%25b", Some("a%b")),
            ("%22", Some("\"")),
            ("%c3%A9", Some("é")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(text).as_deref(), expected, "{text}");
        }
        assert_eq!(unescaped("~01~1"), "~1/");
    }
}
