//! Reads an answer as it passes: usage, the model that answered, the size of what was generated, errors inside a 200.
//!
//! Trade-off: nothing is buffered or delayed. Only when the usage event was asked for by the gateway and not by the
//! client are the bytes of an unfinished event held back, because an event can be kept from the client only whole.

use super::estimate;
use super::framing::{Piece, Sse};
use super::usage::{OpenAiUsage, Usage};
use crate::json::{Container, Field, Found, Hit, Number, Scanner, Want};
use crate::units::Tokens;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Model,
    Choices,
    Output,
    Error,
    Usage,
    Prompt,
    Completion,
    Total,
    Cached,
    CacheWrite,
    Reasoning,
}

const fn value(name: &'static str, key: Key) -> Field<Key> {
    Field { name, key: Some(key), want: Want::Value, inside: &[] }
}

const fn size(name: &'static str) -> Field<Key> {
    Field { name, key: Some(Key::Output), want: Want::Size, inside: &[] }
}

static MESSAGE: [Field<Key>; 6] = [
    Field { name: "content", key: Some(Key::Output), want: Want::Size, inside: &[size("text")] },
    size("reasoning_content"),
    size("reasoning"),
    size("refusal"),
    Field { name: "tool_calls", key: None, want: Want::Presence, inside: &FUNCTION },
    Field { name: "function_call", key: None, want: Want::Presence, inside: &CALL },
];
static FUNCTION: [Field<Key>; 1] = [Field { name: "function", key: None, want: Want::Presence, inside: &CALL }];
static CALL: [Field<Key>; 2] = [size("name"), size("arguments")];

static CHAT: [Field<Key>; 4] = [
    value("model", Key::Model),
    Field {
        name: "choices",
        key: Some(Key::Choices),
        want: Want::Presence,
        inside: &[
            Field { name: "delta", key: None, want: Want::Presence, inside: &MESSAGE },
            Field { name: "message", key: None, want: Want::Presence, inside: &MESSAGE },
        ],
    },
    Field { name: "error", key: Some(Key::Error), want: Want::Presence, inside: &[] },
    Field {
        name: "usage",
        key: Some(Key::Usage),
        want: Want::Presence,
        inside: &[
            value("prompt_tokens", Key::Prompt),
            value("completion_tokens", Key::Completion),
            value("total_tokens", Key::Total),
            Field {
                name: "prompt_tokens_details",
                key: None,
                want: Want::Presence,
                inside: &[value("cached_tokens", Key::Cached), value("cache_write_tokens", Key::CacheWrite)],
            },
            Field {
                name: "completion_tokens_details",
                key: None,
                want: Want::Presence,
                inside: &[value("reasoning_tokens", Key::Reasoning)],
            },
        ],
    },
];

/// What the answer's head says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    EventStream,
    /// Compressed, or of a type that isn't known: only its size is.
    Opaque,
}

impl Form {
    pub fn of(content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> Self {
        let plain =
            content_encoding.is_none_or(|encoding| encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity"));
        let essence =
            content_type.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !plain {
            Self::Opaque
        } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else if essence.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else {
            Self::Opaque
        }
    }
}

/// What becomes of the bytes that were fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Unchanged,
    Replaced(Vec<u8>),
}

/// What was read, once nothing more comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub usage: Option<Usage>,
    pub model: Option<String>,
    /// Tokens the generated text is taken for when no usage came; at least one once a byte of the body was seen, unless
    /// that was an error and nothing else.
    pub likely_output: Tokens,
    /// An `error` object stood in the answer, or in an event of it.
    pub error: bool,
}

pub struct Meter {
    form: Form,
    scanner: Scanner<Key>,
    sse: Sse,
    seen: Seen,
    event: Event,
    withhold: Option<Withheld>,
    body_bytes: u64,
}

/// Facts of the whole answer.
#[derive(Default)]
struct Seen {
    native: OpenAiUsage,
    model: Option<String>,
    output_bytes: u64,
    error: bool,
}

/// Facts of the current document: the event, or the whole JSON body.
#[derive(Clone, Copy, Default)]
struct Event {
    choices_empty: bool,
    usage: bool,
    /// Its data began otherwise than an object: `[DONE]`, which is never the usage.
    not_an_object: bool,
    begun: bool,
}

/// Bytes of an unfinished event, kept until it is known whether the client may see it.
#[derive(Default)]
struct Withheld {
    bytes: Vec<u8>,
    /// The event outgrew the bound and its beginning has been sent: the rest follows.
    passing: bool,
    /// The last event ended with a carriage return, at the very end of a chunk: a line feed that comes next belongs to
    /// it, and goes where it went.
    returned: Option<Fate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    Withheld,
}

/// No usage event comes near this; anything larger is content and goes on at once.
const LARGEST_WITHHELD: usize = 16 * 1024;

impl Meter {
    /// `withhold_usage`: the usage event was asked for by the gateway, and is not for the client.
    pub fn new(form: Form, withhold_usage: bool) -> Self {
        let withhold = (withhold_usage && form == Form::EventStream).then(Withheld::default);
        Self {
            form,
            scanner: Scanner::new(&CHAT),
            sse: Sse::new(),
            seen: Seen::default(),
            event: Event::default(),
            withhold,
            body_bytes: 0,
        }
    }

    /// Whether the body may come out shorter than it went in.
    pub const fn edits(&self) -> bool {
        self.withhold.is_some()
    }

    /// Reads the next bytes; `last` when no more can come.
    pub fn feed(&mut self, chunk: &[u8], last: bool) -> Passage {
        self.body_bytes = self.body_bytes.saturating_add(chunk.len() as u64);
        match self.form {
            Form::Opaque => Passage::Unchanged,
            Form::Json => {
                let Self { scanner, seen, event, .. } = self;
                // A body that stops being JSON keeps what it has told; the rest is estimated.
                let _ = scanner.feed(chunk, &mut |hit| seen.hit(event, &hit));
                Passage::Unchanged
            }
            Form::EventStream => self.events(chunk, last),
        }
    }

    fn events(&mut self, chunk: &[u8], last: bool) -> Passage {
        let Self { scanner, sse, seen, event, withhold, .. } = self;
        let mut sieve = withhold.as_mut().map(|held| Sieve::over(held, chunk));
        let mut piece = |piece: Piece<'_>| match piece {
            // `[DONE]` and other data that isn't JSON tell nothing and go on.
            Piece::Data(data) => {
                if let (false, Some(first)) = (event.begun, data.trim_ascii_start().first()) {
                    event.begun = true;
                    event.not_an_object = *first != b'{';
                }
                let _ = scanner.feed(data, &mut |hit| seen.hit(event, &hit));
            }
            Piece::EndOfEvent { end } => {
                let _ = scanner.finish(&mut |hit| seen.hit(event, &hit));
                if let Some(sieve) = &mut sieve {
                    sieve.end_of_event(end, event.usage && event.choices_empty);
                }
                scanner.restart();
                *event = Event::default();
            }
        };
        sse.feed(chunk, &mut piece);
        if last {
            sse.finish(&mut |ended| {
                if let Piece::EndOfEvent { .. } = ended {
                    piece(Piece::EndOfEvent { end: chunk.len() });
                }
            });
        }
        let between = sse.at_boundary();
        let known = between || last || event.not_an_object;
        sieve.map_or(Passage::Unchanged, |sieve| sieve.passage(known, between || last))
    }

    /// Closes the books on the answer, wherever it ended.
    pub fn read(mut self) -> Reading {
        let Self { scanner, seen, event, .. } = &mut self;
        // A number at the very end is only complete now. A cut stream's last event counts as far as it was read.
        let _ = scanner.finish(&mut |hit| seen.hit(event, &hit));
        let bytes = if self.form == Form::Opaque { self.body_bytes } else { self.seen.output_bytes };
        let least = Tokens(u64::from(self.body_bytes > 0 && !self.seen.error));
        Reading {
            usage: self.seen.native.canonical(),
            model: self.seen.model,
            likely_output: estimate::output(bytes).max(least),
            error: self.seen.error,
        }
    }
}

impl Seen {
    fn hit(&mut self, event: &mut Event, hit: &Hit<'_, Key>) {
        match hit.key {
            Key::Model => {
                if let Found::Text { text, .. } = hit.found
                    && self.model.as_deref() != Some(text)
                {
                    self.model = Some(text.to_owned());
                }
            }
            Key::Choices => {
                if let Found::Closed { empty, .. } = hit.found {
                    event.choices_empty = empty;
                }
            }
            Key::Output => {
                if let Found::Size(size) = hit.found {
                    self.output_bytes = self.output_bytes.saturating_add(size);
                }
            }
            Key::Error => self.error |= hit.found != Found::Null,
            Key::Usage => event.usage |= hit.found == Found::Opened(Container::Object),
            Key::Prompt => count(&mut self.native.prompt, hit),
            Key::Completion => count(&mut self.native.completion, hit),
            Key::Total => count(&mut self.native.total, hit),
            Key::Cached => count(&mut self.native.cached, hit),
            Key::CacheWrite => count(&mut self.native.cache_write, hit),
            Key::Reasoning => count(&mut self.native.reasoning, hit),
        }
    }
}

/// The last count wins: streams repeat and correct theirs. What isn't a count changes nothing.
fn count(native: &mut Option<u64>, hit: &Hit<'_, Key>) {
    if let Found::Number(Number::Whole(tokens)) = hit.found {
        *native = Some(tokens);
    }
}

/// Lets a chunk's events through, less those that are kept from the client.
struct Sieve<'a> {
    held: &'a mut Withheld,
    chunk: &'a [u8],
    /// Where the current event begins in the chunk; before it, held bytes may belong to it too.
    event_from: usize,
    /// What goes on, once it differs from the chunk.
    out: Vec<u8>,
    /// Bytes of the chunk before this index are in `out` or dropped.
    copied: usize,
    dropped: bool,
}

impl<'a> Sieve<'a> {
    fn over(held: &'a mut Withheld, chunk: &'a [u8]) -> Self {
        let fate = if chunk.is_empty() { None } else { held.returned.take() };
        let fate = fate.filter(|_| chunk.starts_with(b"\n"));
        let dropped = fate == Some(Fate::Withheld);
        let copied = usize::from(dropped);
        Self { held, chunk, event_from: usize::from(fate.is_some()), out: Vec::new(), copied, dropped }
    }

    fn end_of_event(&mut self, end: usize, withhold: bool) {
        let withhold = withhold && !self.held.passing;
        if withhold {
            self.pass_until(self.event_from);
            self.held.bytes.clear();
            self.copied = end;
            self.dropped = true;
        } else if !self.held.bytes.is_empty() {
            self.out.append(&mut self.held.bytes);
            self.pass_until(end);
        }
        let returned = end == self.chunk.len() && self.chunk.ends_with(b"\r");
        self.held.returned = returned.then_some(if withhold { Fate::Withheld } else { Fate::Passed });
        self.held.passing = false;
        self.event_from = end;
    }

    fn pass_until(&mut self, end: usize) {
        self.out.extend_from_slice(self.chunk.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// `known`: nothing of the chunk's end has to wait; `between`: and no event is unfinished.
    fn passage(mut self, known: bool, between: bool) -> Passage {
        if known || self.held.passing {
            self.held.passing = !between;
            if self.out.is_empty() && !self.dropped && self.copied == 0 && self.held.bytes.is_empty() {
                return Passage::Unchanged;
            }
            self.out.append(&mut self.held.bytes);
            self.pass_until(self.chunk.len());
            return Passage::Replaced(self.out);
        }
        // The chunk ends inside an event: its bytes wait for the rest.
        self.pass_until(self.event_from);
        let rest = self.chunk.get(self.event_from..).unwrap_or_default();
        self.held.bytes.extend_from_slice(rest);
        if self.held.bytes.len() > LARGEST_WITHHELD {
            self.out.append(&mut self.held.bytes);
            self.held.passing = true;
        }
        Passage::Replaced(self.out)
    }
}

#[cfg(test)]
mod tests;
