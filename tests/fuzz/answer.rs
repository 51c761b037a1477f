//! An answer is read the same however it is cut, reaches the client less whole events, and can be priced.

use nexus_ai_gateway::llm::estimate::{self, density::Density};
use nexus_ai_gateway::llm::meter::{Form, Generated, Meter, Passage, Reading};
use nexus_ai_gateway::llm::schema::{self, Schema};
use nexus_ai_gateway::llm::usage::Usage;
use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::price::{RateCard, Tariff};
use nexus_ai_gateway::units::{NanoUsd, PicoUsdPerToken, Tokens, UnixNanos};
use serde_json::Value;

use crate::cuts::{chunkings, head};

thread_local! {
    static POLICY: Policy = {
        let prices = include_str!("../fixtures/prices.json");
        Policy::read(format!(r#"{{"tenants":{{"t":{{}}}},"prices":{prices}}}"#).as_bytes()).unwrap()
    };
}

const FORMS: [Form; 6] = [Form::Json, Form::Sse, Form::Binary, Form::Encoded, Form::Opaque, Form::Text];
/// What the meter holds back at most, in the hope of its being the usage event.
const LARGEST_WITHHELD: usize = 16 * 1024;

/// Of more pieces only the end is looked at.
const FEW: usize = 64;

/// What the client has received by the end of each chunk (by the last one, if they are many), and what was read.
fn passed(
    schema: &'static Schema,
    form: Form,
    withhold: bool,
    chunks: &[&[u8]],
    last: bool,
) -> (Vec<Vec<u8>>, Reading) {
    let mut meter = Meter::new(schema, form, withhold);
    // What is no stream by its head may be one by its first byte.
    assert!(withhold || !meter.edits());
    assert!(meter.edits() || !withhold || form != Form::Sse);
    let (mut client, mut received) = (Vec::new(), Vec::new());
    for (nth, chunk) in chunks.iter().enumerate() {
        match meter.feed(chunk, last && nth + 1 == chunks.len()) {
            Passage::Unchanged => client.extend_from_slice(chunk),
            Passage::Replaced(bytes) => {
                assert!(meter.edits());
                client.extend_from_slice(&bytes);
            }
        }
        if chunks.len() <= FEW {
            received.push(client.clone());
        }
    }
    if chunks.len() > FEW {
        received.push(client);
    }
    (received, meter.read())
}

/// The lines of each event that has ended, and those of one that hasn't.
fn events(stream: &[u8]) -> (Vec<Vec<&[u8]>>, Vec<&[u8]>) {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut events, mut event, mut from, mut at) = (Vec::new(), Vec::new(), 0, 0);
    while let Some(byte) = stream.get(at) {
        if matches!(byte, b'\r' | b'\n') {
            if at > from {
                event.push(&stream[from..at]);
            } else if !event.is_empty() {
                events.push(std::mem::take(&mut event));
            }
            at += usize::from(*byte == b'\r' && stream.get(at + 1) == Some(&b'\n'));
            from = at + 1;
        }
        at += 1;
    }
    if at > from {
        event.push(&stream[from..at]);
    }
    (events, event)
}

/// All events, the last one too.
fn all_events(stream: &[u8]) -> Vec<Vec<&[u8]>> {
    let (mut events, last) = events(stream);
    if !last.is_empty() {
        events.push(last);
    }
    events
}

/// A part of a stream, with the ends of its lines.
enum Part<'a> {
    Event(&'a [u8]),
    /// A blank line between events, or the byte order mark: it goes with the event before or behind it, or stays.
    Filler(&'a [u8]),
}

fn parts(stream: &[u8]) -> Vec<Part<'_>> {
    let (mut parts, mut begin, mut from, mut at) = (Vec::new(), 0, 0, 0);
    if stream.starts_with(b"\xef\xbb\xbf") {
        parts.push(Part::Filler(&stream[..3]));
        (begin, from, at) = (3, 3, 3);
    }
    while let Some(byte) = stream.get(at) {
        at += 1;
        if !matches!(byte, b'\r' | b'\n') {
            continue;
        }
        let blank = at - 1 == from;
        at += usize::from(*byte == b'\r' && stream.get(at) == Some(&b'\n'));
        if blank {
            let part = &stream[begin..at];
            parts.push(if begin == from { Part::Filler(part) } else { Part::Event(part) });
            begin = at;
        }
        from = at;
    }
    if begin < stream.len() {
        parts.push(Part::Event(&stream[begin..]));
    }
    parts
}

/// Whether `client` is the stream, byte for byte, less the events that are not kept.
fn is_less(client: &[u8], parts: &[Part<'_>], kept: &[bool]) -> bool {
    let mut kept = kept.iter();
    let mut ends = vec![0];
    for part in parts {
        let (Part::Event(bytes) | Part::Filler(bytes)) = part;
        let passed = ends.iter().filter(|end| client[**end..].starts_with(bytes)).map(|end| end + bytes.len());
        let passed: Vec<usize> = passed.collect();
        match part {
            Part::Event(_) if kept.next() == Some(&true) => ends = passed,
            Part::Event(_) => {}
            Part::Filler(_) => ends.extend(passed),
        }
        ends.sort_unstable();
        ends.dedup();
    }
    ends.contains(&client.len())
}

/// Whether a whole frame of a binary stream tells of an error.
fn has_exception(mut stream: &[u8]) -> bool {
    while let Some((prelude, rest)) = stream.split_first_chunk::<12>() {
        let [a, b, c, d, e, f, g, h, ..] = *prelude;
        let (total, headers) = (u32::from_be_bytes([a, b, c, d]) as usize, u32::from_be_bytes([e, f, g, h]) as usize);
        let whole = total >= headers + 16 && headers <= 128 * 1024;
        let (Some((frame, after)), true) = (rest.split_at_checked(total.saturating_sub(12)), whole) else {
            return false;
        };
        if frame[..headers].windows(9).any(|word| word == b"exception") {
            return true;
        }
        stream = after;
    }
    false
}

/// Without byte order marks: one that opened the stream may have gone with its event, and open another one now.
fn bare<'a>(events: &[Vec<&'a [u8]>]) -> Vec<Vec<&'a [u8]>> {
    let line = |line: &&'a [u8]| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    events.iter().map(|event| event.iter().map(line).collect()).collect()
}

fn data(event: &[&[u8]]) -> Vec<u8> {
    let lines = event.iter().filter_map(|line| match line.strip_prefix(b"data") {
        Some(b"") => Some(&b""[..]),
        Some([b':', b' ', data @ ..] | [b':', data @ ..]) => Some(data),
        _ => None,
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Whether an event is the usage and nothing else; `None` where JSON parsers may disagree.
fn is_usage(schema: &Schema, event: &[&[u8]]) -> Option<bool> {
    let data = data(event);
    let value: Value = serde_json::from_slice(&data).ok()?;
    if data.windows(7).filter(|word| *word == b"choices").count() > 1 || data.contains(&b'\\') {
        return None;
    }
    if !schema.usage_option {
        return Some(false);
    }
    let usage = value.get("usage").is_some_and(Value::is_object);
    match (&value, usage) {
        (Value::Object(_), true) => Some(value.get("choices").is_some_and(|choices| *choices == Value::Array(vec![]))),
        // Also counted elsewhere, or more than once.
        (Value::Object(_), false) => None,
        _ => Some(false),
    }
}

/// `client` has received the events of `stream`, less whole ones that are the usage. `None`: there is no telling which.
fn kept(schema: &Schema, stream: &[Vec<&[u8]>], client: &[Vec<&[u8]>]) -> Vec<bool> {
    let client = bare(client);
    let mut client = client.iter().peekable();
    let kept = stream.iter().zip(bare(stream)).map(|(event, bare)| {
        let goes_on = client.peek() == Some(&&bare) && is_usage(schema, event) != Some(true);
        if goes_on {
            client.next();
        } else {
            assert_ne!(is_usage(schema, event), Some(false), "withheld: {}", event.join(&b'\n').escape_ascii());
        }
        goes_on
    });
    let kept = kept.collect();
    assert_eq!(client.next(), None, "the client got what wasn't sent to it");
    kept
}

fn plausible(usage: &Usage) {
    const MOST: u64 = 1_000_000_000;
    // A whole may be the sum of parts, each plausible: plain, read from the cache, written to it for long and short, of a tool.
    assert!(usage.input_tokens.0 <= 5 * MOST && usage.output_tokens.0 <= 3 * MOST);
    assert_eq!(usage.total_tokens, usage.input_tokens.plus(usage.output_tokens));
    let cached = usage.cached_input_tokens.plus(usage.cache_creation_input_tokens);
    assert!(cached <= usage.input_tokens);
    assert!(usage.cache_creation_1h_input_tokens <= usage.cache_creation_input_tokens);
    assert!(usage.audio_input_tokens <= usage.input_tokens && usage.image_input_tokens <= usage.input_tokens);
    for part in [usage.reasoning_tokens, usage.audio_output_tokens, usage.image_output_tokens] {
        assert!(part <= usage.output_tokens);
    }
    for items in pieces(usage) {
        assert!(items <= MOST);
    }
}

fn pieces(usage: &Usage) -> [u64; 7] {
    [
        usage.images,
        usage.search_units,
        usage.web_searches,
        usage.file_searches,
        usage.container_sessions,
        usage.audio_seconds,
        usage.characters,
    ]
}

/// One rate for everything.
fn flat(rate: u64) -> Tariff {
    let (token, item) = (PicoUsdPerToken(rate), NanoUsd(rate));
    let mut tariff = Tariff::default();
    tariff.standard.base = RateCard {
        input: token,
        cached_input: token,
        cache_creation: token,
        cache_creation_1h: token,
        audio_input: token,
        image_input: token,
        output: token,
        reasoning: token,
        audio_output: token,
        image_output: token,
        request: item,
        image: item,
        search_unit: item,
        web_search: item,
        file_search: item,
        container_session: item,
        audio_second: item,
        character: item,
    };
    tariff
}

fn priced(reading: &Reading, usage: &Usage) {
    let name = reading.served.name();
    let tier = name.as_deref();
    assert_eq!(flat(0).cost(usage, tier), NanoUsd::ZERO);
    assert!(flat(u64::MAX).cost(usage, tier) >= flat(1).cost(usage, tier));
    // A pico-USD for each token, whichever kind it is, and each item a thousand times that.
    let items = pieces(usage).iter().sum::<u64>() + 1;
    assert_eq!(flat(1).cost(usage, tier), NanoUsd((usage.total_tokens.0 + items * 1_000).div_ceil(1_000)));
    POLICY.with(|policy| {
        let model = reading.model.as_deref().unwrap_or("gpt-4o-mini");
        if let Some(price) = policy.prices.find(model, UnixNanos(u64::MAX)) {
            let _ = price.tariff.cost(usage, tier);
        }
    });
}

pub fn holds(input: &[u8]) {
    let Some(([api, form, seed @ ..], body)) = head::<4>(input) else { return };
    let schema = schema::ALL[usize::from(api) % schema::ALL.len()];
    let withhold = form & 8 != 0;
    let form = FORMS[usize::from(form & 7) % FORMS.len()];
    let sieved = withhold && form == Form::Sse;

    let (received, reading) = passed(schema, form, withhold, &[body], true);
    let client = received.last().unwrap();
    let stream = all_events(body);
    // An error in one piece or a page, under the head of a stream: no event of it is looked for.
    let blank = |byte: &&u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(*byte);
    let begins_with = |any: &[u8]| body.iter().find(|byte| !blank(byte)).is_some_and(|first| any.contains(first));
    let in_one_piece = begins_with(b"{[<");
    let expected = (sieved && !in_one_piece).then(|| kept(schema, &stream, &all_events(client)));
    let parts = parts(body);
    if let Some(expected) = &expected {
        assert_eq!(expected.len(), parts.iter().filter(|part| matches!(part, Part::Event(_))).count());
        assert!(is_less(client, &parts, expected));
    }
    for chunks in chunkings(body, seed) {
        let (received, again) = passed(schema, form, withhold, &chunks, true);
        assert_eq!(again, reading);
        if !sieved {
            // Events under another head lose the same ones.
            if Meter::new(schema, form, withhold).edits() && begins_with(b"deir:") {
                kept(schema, &stream, &all_events(received.last().map_or(&[][..], Vec::as_slice)));
            } else {
                assert!(received.last().is_none_or(|client| client == body));
            }
            continue;
        }
        let all = received.last().map_or(&[][..], Vec::as_slice);
        if body.len() > LARGEST_WITHHELD {
            kept(schema, &stream, &all_events(all));
            continue;
        }
        assert_eq!(bare(&all_events(all)), bare(&all_events(client)));
        let Some(expected) = &expected else { continue };
        assert!(is_less(all, &parts, expected));
        // No event that is over waits for the next.
        if chunks.len() <= FEW {
            let mut fed = 0;
            for (chunk, client) in chunks.iter().zip(&received).take(chunks.len().saturating_sub(1)) {
                fed += chunk.len();
                let over: Vec<_> = events(&body[..fed])
                    .0
                    .into_iter()
                    .zip(expected)
                    .filter_map(|(event, kept)| kept.then_some(event))
                    .collect();
                assert_eq!(bare(&events(client).0), bare(&over));
            }
        }
    }
    // The end may come by itself, or never be announced.
    let (ended, again) = passed(schema, form, withhold, &[body, &[]], true);
    assert_eq!(again, reading);
    assert_eq!(bare(&all_events(ended.last().unwrap())), bare(&all_events(client)));
    assert_eq!(passed(schema, form, withhold, &[body], false).1, reading);

    assert!(reading.error || form != Form::Binary || !has_exception(body), "an exception that is overlooked");

    let Reading { reported, generated, error, .. } = reading;
    match (form, generated) {
        // A page for people is an error, and nothing that a model made.
        (_, Generated::Nothing) => assert!(body.is_empty() || error),
        (Form::Encoded | Form::Opaque, Generated::Opaque { bytes, encoded }) => {
            assert_eq!((bytes, encoded), (body.len() as u64, form == Form::Encoded));
        }
        (_, Generated::Text { text, body: whole }) if form != Form::Encoded => {
            assert!(text <= whole && whole == body.len() as u64);
        }
        // A body's first byte says what it is, whatever its head did.
        (_, Generated::Broken(bytes)) if form != Form::Encoded => {
            assert_eq!(bytes, body.len() as u64);
        }
        wrong => panic!("{wrong:?}"),
    }
    let likely = estimate::output(schema, generated, form != Form::Json, error, Density::default());
    assert!(error || body.is_empty() || likely >= Tokens(1), "an answer that is free");
    if reported.is_whole() {
        let usage = reported.usage(|| panic!("reported"), || panic!("reported"));
        plausible(&usage);
        priced(&reading, &usage);
    } else {
        let usage = reported.usage(|| Tokens(7), || likely);
        priced(&reading, &usage);
    }
    let _ = reported.mismatch;
}
