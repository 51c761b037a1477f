//! What a request can ask of the provider besides an answer: faults, delays, odd encodings, odd bills.
//!
//! Knobs stand in the header `x-sim: tokens=50; cut=3`, or behind a `+` in the model's name
//! (`gpt-4o-mini+tokens=50,cut=3`) for clients that cannot set a header. Both may be used; the header wins.
//! A knob that is not known is an error: a misspelt fault would let a test pass for nothing. One that means nothing
//! to the API it meets (`cr` to JSON) does nothing.

use crate::refusal::Refusal;

/// Name, form of the value ("" for a switch), meaning. The same list answers `GET /knobs` and unknown knobs.
pub const KNOWN: &[(&str, &str, &str)] = &[
    ("tokens", "N", "completion tokens wanted per choice, before the request's own bound (16)"),
    ("unbounded", "", "heeds no bound of a request on its output"),
    ("prompt", "N", "counts the prompt as N tokens, whatever it says"),
    ("cached", "N", "of the prompt tokens, those read from a cache (Ollama: then the prompt's count is missing)"),
    (
        "prompt_cache",
        "",
        "reads from a cache what this provider has read before of a prompt's beginning, from 1,024 tokens on",
    ),
    ("cache_write", "N", "of the prompt tokens, those written to a cache (for five minutes)"),
    ("cache_write_1h", "N", "of the prompt tokens, those written to a cache for an hour (Anthropic, Bedrock)"),
    ("reasoning", "N", "of the completion tokens, those reported as reasoning (Gemini: thoughts beside them)"),
    ("web_searches", "N", "web searches reported and billed (Anthropic)"),
    ("calls", "N", "calls of each hosted tool that a request offers (1)"),
    ("search_units", "N", "search units reported and billed (rerank; one per 100 documents)"),
    ("dimensions", "N", "numbers of each embedding, 22 bytes each; wins over the request's own (1536)"),
    ("answer_model", "NAME", "the model named in the answer; the bill stays with the one asked for"),
    ("big", "BYTES", "pads the content of the answer: a stream's first event, a JSON answer's first choice"),
    ("events", "N", "turns of each choice, in place of `tokens`: so many events (Responses then echoes no text)"),
    ("event_bytes", "BYTES", "text of each turn, billed by its words, 16 tokens for 83 bytes"),
    ("big_completed", "BYTES", "text echoed before the usage in the last event of a Responses stream, unbilled"),
    ("case", "API/CASE", "plays this case of the corpus (PROVIDER_CASES), on any path; `cut` then counts bytes"),
    ("status", "CODE", "answers this status (300-599) and an error in the API's words, bills nothing"),
    ("failed", "CODE", "answers in full and bills it, but under this status (300-599)"),
    ("retry_after", "N", "sends `retry-after: N` along"),
    ("delay_ms", "N", "waits before the head"),
    ("first_ms", "N", "waits between the head and the first byte of the body"),
    ("gap_ms", "N", "waits between events (JSON: between pieces)"),
    ("reset", "", "closes the connection instead of answering"),
    ("hang", "", "never answers"),
    ("cut", "N", "breaks off after N events (JSON: N bytes), with no end of the body"),
    ("cut_bytes", "BYTES", "breaks off after so much of the body, a stream's too; bills the events begun by then"),
    ("hang_after", "N", "stalls after N events (JSON: N bytes)"),
    ("hold_after", "N", "waits after N events of a stream until the provider is told to let go"),
    ("rst", "", "`reset` and `cut` end in a TCP RST instead of a FIN (HTTP/1.1 only)"),
    ("bytes", "N", "writes the body N bytes at a time, each piece flushed on its own"),
    ("split_utf8", "", "answers in many scripts and cuts the pieces inside code points"),
    ("crlf", "", "ends the lines of a stream by CR LF"),
    ("cr", "", "ends the lines of a stream by CR"),
    ("comments", "", "puts an SSE comment before every event"),
    ("no_done", "", "no `[DONE]` (Anthropic: no `message_stop`)"),
    ("done_then_hangup", "", "breaks off right behind the last event, with no end of the body"),
    ("content_length", "", "a stream with a content-length"),
    ("chunked", "", "a JSON answer without a content-length"),
    ("gzip", "always|asked", "content-encoding: gzip, even unasked; `asked` heeds accept-encoding"),
    ("no_usage", "", "never reports usage, but bills it"),
    (
        "usage_in_content",
        "",
        "usage on the last chunk with choices, asked or not (as Mistral does; OpenAI's completions)",
    ),
    ("continuous_usage", "", "usage so far on every chunk, asked or not (as vLLM can; OpenAI's completions)"),
    ("usage_factor", "N", "reports and bills N times the completion tokens it sends"),
    ("wrong_usage", "negative|string|huge|float|null|missing_total", "reports nonsense, bills the truth"),
    ("error_in_200", "", "an error object under status 200; a stream ends behind it"),
    ("error_at", "N", "the same, after N events of a stream, or all of its text"),
];

/// No wait is longer, not even for ever.
pub const LONGEST_MS: u64 = 600_000;
const MOST_CALLS: u64 = 1_000;
const MOST_TOKENS: u64 = 100_000;
const MOST_BYTES: u64 = 64 << 20;
/// Of what is never in memory all at once.
const MOST_LAZY: u64 = 1 << 40;
const MOST_EVENTS: u64 = 1 << 30;
const MOST_DIMENSIONS: u64 = 1 << 24;
const MOST_FACTOR: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongUsage {
    Negative,
    String,
    Huge,
    Float,
    Null,
    MissingTotal,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gzip {
    #[default]
    Never,
    Asked,
    Always,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    pub calls: Option<u64>,
    pub tokens: Option<u64>,
    pub unbounded: bool,
    pub prompt: Option<u64>,
    pub cached: u64,
    pub prompt_cache: bool,
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub reasoning: u64,
    pub web_searches: u64,
    pub search_units: Option<u64>,
    pub dimensions: Option<u64>,
    pub answer_model: Option<String>,
    pub big: u64,
    pub events: Option<u64>,
    pub event_bytes: Option<u64>,
    pub big_completed: u64,
    pub case: Option<String>,
    pub status: Option<u16>,
    pub failed: Option<u16>,
    pub retry_after: Option<u64>,
    pub delay_ms: u64,
    pub first_ms: u64,
    pub gap_ms: u64,
    pub reset: bool,
    pub hang: bool,
    pub cut: Option<u64>,
    pub cut_bytes: Option<u64>,
    pub hang_after: Option<u64>,
    pub hold_after: Option<u64>,
    pub rst: bool,
    pub bytes: Option<u64>,
    pub split_utf8: bool,
    pub crlf: bool,
    pub cr: bool,
    pub comments: bool,
    pub no_done: bool,
    pub done_then_hangup: bool,
    pub content_length: bool,
    pub chunked: bool,
    pub gzip: Gzip,
    pub no_usage: bool,
    pub usage_in_content: bool,
    pub continuous_usage: bool,
    pub usage_factor: Option<u64>,
    pub wrong_usage: Option<WrongUsage>,
    pub error_at: Option<u64>,
}

impl Knobs {
    /// The knobs of all these texts; later ones win.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, Refusal> {
        let mut knobs = Self::default();
        for text in texts {
            knobs.turn(text).map_err(|message| Refusal::wrong("x-sim", message))?;
        }
        Ok(knobs)
    }

    /// Turns the knobs of `text` (`key=value`, separated by `;` or `,`); `-` and `_` are the same in a name.
    pub fn turn(&mut self, text: &str) -> Result<(), String> {
        for word in text.split([';', ',']).map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.trim())));
            let name = name.trim().to_ascii_lowercase().replace('-', "_");
            self.turn_one(&name, value).map_err(|wanted| match wanted {
                Some(wanted) => format!("x-sim: `{name}` takes {wanted}, not `{}`", value.unwrap_or_default()),
                None => format!("x-sim: unknown knob `{name}`; known are {}", names().join(", ")),
            })?;
        }
        Ok(())
    }

    /// The error tells what the knob takes; `None` says that there is no such knob.
    fn turn_one(&mut self, name: &str, value: Option<&str>) -> Result<(), Option<String>> {
        let number = |least: u64, most: u64| {
            let read = value.and_then(|value| value.parse().ok()).filter(|number| (least..=most).contains(number));
            read.ok_or_else(|| Some(format!("a number from {least} to {most}")))
        };
        let switch = || match value {
            None | Some("" | "1" | "true") => Ok(true),
            Some("0" | "false") => Ok(false),
            _ => Err(Some("no value, 1 or 0".to_owned())),
        };
        let name_given = || value.filter(|name| !name.is_empty()).map(str::to_owned);
        let one_of = |form: &str| Err(Some(form.to_owned()));
        match name {
            "tokens" => self.tokens = Some(number(0, MOST_TOKENS)?),
            "unbounded" => self.unbounded = switch()?,
            "prompt" => self.prompt = Some(number(0, u64::MAX)?),
            "cached" => self.cached = number(0, u64::MAX)?,
            "prompt_cache" => self.prompt_cache = switch()?,
            "cache_write" => self.cache_write = number(0, u64::MAX)?,
            "cache_write_1h" => self.cache_write_1h = number(0, u64::MAX)?,
            "web_searches" => self.web_searches = number(0, u64::MAX)?,
            "calls" => self.calls = Some(number(0, MOST_CALLS)?),
            "search_units" => self.search_units = Some(number(0, u64::MAX)?),
            "dimensions" => self.dimensions = Some(number(0, MOST_DIMENSIONS)?),
            "reasoning" => self.reasoning = number(0, u64::MAX)?,
            "answer_model" => self.answer_model = name_given(),
            "big" => self.big = number(0, MOST_BYTES)?,
            "events" => self.events = Some(number(0, MOST_EVENTS)?),
            "event_bytes" => self.event_bytes = Some(number(0, MOST_BYTES)?),
            "big_completed" => self.big_completed = number(0, MOST_LAZY)?,
            "case" => self.case = name_given(),
            "status" => self.status = Some(number(300, 599)? as u16),
            "failed" => self.failed = Some(number(300, 599)? as u16),
            "retry_after" => self.retry_after = Some(number(0, u64::MAX)?),
            "delay_ms" => self.delay_ms = number(0, LONGEST_MS)?,
            "first_ms" => self.first_ms = number(0, LONGEST_MS)?,
            "gap_ms" => self.gap_ms = number(0, LONGEST_MS)?,
            "reset" => self.reset = switch()?,
            "hang" => self.hang = switch()?,
            "cut" => self.cut = Some(number(0, u64::MAX)?),
            "cut_bytes" => self.cut_bytes = Some(number(0, u64::MAX)?),
            "hold_after" => self.hold_after = Some(number(0, u64::MAX)?),
            "hang_after" => self.hang_after = Some(number(0, u64::MAX)?),
            "rst" => self.rst = switch()?,
            "bytes" => self.bytes = Some(number(1, MOST_BYTES)?),
            "split_utf8" => self.split_utf8 = switch()?,
            "crlf" => self.crlf = switch()?,
            "cr" => self.cr = switch()?,
            "comments" => self.comments = switch()?,
            "no_done" => self.no_done = switch()?,
            "done_then_hangup" => self.done_then_hangup = switch()?,
            "content_length" => self.content_length = switch()?,
            "chunked" => self.chunked = switch()?,
            "gzip" => {
                self.gzip = match value {
                    None | Some("" | "1" | "always") => Gzip::Always,
                    Some("asked") => Gzip::Asked,
                    Some("0") => Gzip::Never,
                    _ => return one_of("always or asked"),
                }
            }
            "no_usage" => self.no_usage = switch()?,
            "usage_in_content" => self.usage_in_content = switch()?,
            "continuous_usage" => self.continuous_usage = switch()?,
            "usage_factor" => self.usage_factor = Some(number(0, MOST_FACTOR)?),
            "wrong_usage" => {
                self.wrong_usage = Some(match value {
                    Some("negative") => WrongUsage::Negative,
                    Some("string") => WrongUsage::String,
                    Some("huge") => WrongUsage::Huge,
                    Some("float") => WrongUsage::Float,
                    Some("null") => WrongUsage::Null,
                    Some("missing_total") => WrongUsage::MissingTotal,
                    _ => return one_of("negative, string, huge, float, null or missing_total"),
                })
            }
            "error_in_200" => self.error_at = switch()?.then_some(self.error_at.unwrap_or(0)),
            "error_at" => self.error_at = Some(number(0, u64::MAX)?),
            _ => return Err(None),
        }
        Ok(())
    }
}

fn names() -> Vec<&'static str> {
    KNOWN.iter().map(|(name, ..)| *name).collect()
}

/// One line per knob, for people.
pub fn explained() -> String {
    let line = |(name, form, meaning): &(&str, &str, &str)| match *form {
        "" => format!("{name:<18} {meaning}\n"),
        form => format!("{:<18} {meaning}\n", format!("{name}={form}")),
    };
    KNOWN.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_of_the_list_turns() {
        for (name, form, _) in KNOWN {
            let value = match *form {
                "" => "1",
                "N" | "BYTES" => "7",
                "CODE" => "503",
                words => words.split('|').next().unwrap_or_default(),
            };
            let mut knobs = Knobs::default();
            knobs.turn(&format!("{name}={value}")).expect(name);
            assert_ne!(knobs, Knobs::default(), "{name} turns nothing");
        }
    }

    #[test]
    fn later_knobs_win_and_forms_are_free() {
        let mut knobs = Knobs::default();
        knobs.turn("tokens=5,cut=3,hang").expect("knobs");
        knobs.turn(" retry-after = 2 ; TOKENS=9; hang=0;;").expect("knobs");
        assert_eq!((knobs.tokens, knobs.cut, knobs.retry_after, knobs.hang), (Some(9), Some(3), Some(2), false));
    }

    #[test]
    fn a_wrong_knob_says_what_is_right() {
        let wrong = |text: &str| Knobs::default().turn(text).expect_err(text);
        assert!(wrong("tokenz=5").contains("unknown knob `tokenz`; known are tokens, "));
        assert!(wrong("cut=x").contains("`cut` takes a number"));
        assert!(wrong("status=200").contains("300 to 599"));
        assert!(wrong("wrong_usage=odd").contains("missing_total"));
        assert!(wrong("bytes=0").contains("1 to"));
        assert!(wrong("hang=maybe").contains("not `maybe`"));
    }
}
