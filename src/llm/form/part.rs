//! What the head of a form's part says: whether it is a file, or one of the fields that are read.
//!
//! Each way of writing a name that some server understands and another doesn't is a way to name a model that
//! only one side sees. None of them is read here; a part that uses one is refused, and no SDK does.

/// Of a field's name: as a key of JSON.
const LONGEST: usize = 256;

/// Fields that say what a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldName {
    Model,
    Stream,
    Choices,
    Frames,
    Format,
    Author,
    Address,
    Role,
    Sensitivity,
}

impl FieldName {
    /// With brackets or a dot behind it (`model[]`), some servers take a name for the same.
    fn of(text: &str) -> Result<Option<Self>, Ambiguous> {
        let known = [
            ("model", Self::Model),
            ("stream", Self::Stream),
            ("n", Self::Choices),
            ("frame_count", Self::Frames),
            ("output_format", Self::Format),
            ("svg[model]", Self::Author),
            ("svg.model", Self::Author),
            ("svg", Self::Author),
            // Where Groq finds a recording.
            ("url", Self::Address),
            ("role", Self::Role),
            ("sensitivity", Self::Sensitivity),
        ];
        if let Some((_, name)) = known.into_iter().find(|(known, _)| text == *known) {
            return Ok(Some(name));
        }
        let beginning = text.split(['[', '.']).next().unwrap_or(text).trim();
        if known.iter().any(|(known, _)| [text, beginning].iter().any(|name| name.eq_ignore_ascii_case(known))) {
            return Err(Ambiguous::Letters);
        }
        if text.len() > LONGEST { Err(Ambiguous::Long) } else { Ok(None) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) name: Option<FieldName>,
    /// The name, if it is none of these.
    pub(super) other: Option<String>,
    pub(super) file: bool,
    pub(super) bytes: u64,
    disposed: bool,
}

/// How a part could be taken for two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ambiguous {
    Twice,
    Quoted,
    /// What is no name in HTTP stands where a parameter's name does.
    Unnamed,
    Encoded,
    Letters,
    Long,
    FileOfField,
}

impl Ambiguous {
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Twice => "names a part more than once",
            Self::Quoted => "has a part whose name ends early, or has a backslash, `;`, `=` or blanks in its quotes",
            Self::Unnamed => "has a part's `Content-Disposition` with a parameter whose name is none",
            Self::Encoded => "has a part whose name or content is encoded",
            Self::Letters => {
                "has a field that decides (`model`, `stream`, `n`, `url`, `output_format` and the like) in other letters or with brackets"
            }
            Self::Long => "has a field whose name is longer than 256 bytes",
            Self::FileOfField => {
                "has a file in the place of a field that decides (`model`, `stream`, `n`, `url`, `output_format` and the like)"
            }
        }
    }
}

impl Part {
    /// A line of the head, without its end.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Ambiguous> {
        let Some((header, value)) = line.split_once(':') else { return Ok(()) };
        let (header, value) = (header.trim(), value.trim());
        if header.eq_ignore_ascii_case("content-transfer-encoding") {
            let plain = ["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
            return if plain { Ok(()) } else { Err(Ambiguous::Encoded) };
        }
        if !header.eq_ignore_ascii_case("content-disposition") {
            return Ok(());
        }
        if std::mem::replace(&mut self.disposed, true) {
            return Err(Ambiguous::Twice);
        }
        self.disposition(value)
    }

    fn disposition(&mut self, value: &str) -> Result<(), Ambiguous> {
        let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
        last_name(kind)?;
        let mut named = false;
        while let Some((names, value)) = rest.split_once('=') {
            let name = last_name(names)?;
            let (text, behind) = quoted(value.trim_start())?;
            rest = behind;
            if name.eq_ignore_ascii_case("name") {
                if std::mem::replace(&mut named, true) {
                    return Err(Ambiguous::Twice);
                }
                if text.contains(['\\', ';', '=', '\0']) || text != text.trim() {
                    return Err(Ambiguous::Quoted);
                }
                self.name = FieldName::of(text)?;
                self.other = self.name.is_none().then(|| text.to_owned());
            } else if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("name*")) {
                // Encoded, or in several parts (RFC 2231).
                return Err(Ambiguous::Encoded);
            } else if name.eq_ignore_ascii_case("filename") || name.eq_ignore_ascii_case("filename*") {
                self.file = true;
            }
        }
        last_name(rest).map(|_| ())
    }

    /// The head is over. Of a field that comes as a file some servers take the content for the value all the same.
    pub(super) const fn begins(&self) -> Result<(), Ambiguous> {
        if self.file && self.name.is_some() { Err(Ambiguous::FileOfField) } else { Ok(()) }
    }
}

/// What has no `=` says nothing, but it must be a name as well: behind a quote in it, one server reads on and another doesn't.
fn last_name(names: &str) -> Result<&str, Ambiguous> {
    // RFC 9110, 5.6.2.
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut last = "";
    for name in names.split(';') {
        last = name.trim();
        if !last.bytes().all(is_letter) {
            return Err(Ambiguous::Unnamed);
        }
    }
    Ok(last)
}

/// A parameter's value, in quotes or without, and what stands behind it, up to which nothing is left over.
fn quoted(value: &str) -> Result<(&str, &str), Ambiguous> {
    let Some(inside) = value.strip_prefix('"') else {
        let (text, behind) = value.split_once(';').unwrap_or((value, ""));
        return if text.contains('"') { Err(Ambiguous::Quoted) } else { Ok((text.trim(), behind)) };
    };
    let (text, behind) = inside.split_once('"').ok_or(Ambiguous::Quoted)?;
    let behind = behind.trim_start();
    match (text.ends_with('\\'), behind.is_empty(), behind.strip_prefix(';')) {
        (false, true, _) => Ok((text, "")),
        (false, false, Some(behind)) => Ok((text, behind)),
        _ => Err(Ambiguous::Quoted),
    }
}
