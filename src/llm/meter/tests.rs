use super::*;
use crate::llm::estimate::density::Density;
use crate::llm::usage::Usage;
use crate::llm::{estimate, schema};
use crate::units::Tokens;
use proptest::prelude::*;

const CONTENT: &str = r#"data: {"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"héllo 漢"}}],"usage":null}"#;
const USAGE: &str = r#"data: {"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}"#;

fn chat() -> &'static Schema {
    schema::named("openai_chat").unwrap()
}

fn reported(reading: &Reading) -> Option<Usage> {
    reading.reported.is_whole().then(|| reading.reported.usage(Tokens::default, Tokens::default))
}

fn stream(events: &[&str], end: &str) -> String {
    events.iter().map(|event| format!("{event}{end}{end}")).collect()
}

/// Feeds `body` cut at `cuts`; returns what the client would receive, and the reading.
fn passed(body: &[u8], cuts: &[usize], form: Form, withhold: bool) -> (Vec<u8>, Reading) {
    passed_of(chat(), body, cuts, form, withhold)
}

fn passed_of(schema: &'static Schema, body: &[u8], cuts: &[usize], form: Form, withhold: bool) -> (Vec<u8>, Reading) {
    let mut meter = Meter::new(schema, form, withhold);
    let mut cuts: Vec<usize> = cuts.iter().copied().filter(|cut| *cut <= body.len()).collect();
    cuts.sort_unstable();
    cuts.push(body.len());
    let (mut client, mut done) = (Vec::new(), 0);
    for (nth, cut) in cuts.iter().enumerate() {
        let chunk = &body[done..*cut];
        match meter.feed(chunk, nth + 1 == cuts.len()) {
            Passage::Unchanged => client.extend_from_slice(chunk),
            Passage::Replaced(bytes) => client.extend_from_slice(&bytes),
        }
        done = *cut;
    }
    (client, meter.read())
}

fn usage() -> Usage {
    Usage {
        input_tokens: Tokens(7),
        output_tokens: Tokens(3),
        total_tokens: Tokens(10),
        cached_input_tokens: Tokens(2),
        reasoning_tokens: Tokens(1),
        ..Usage::default()
    }
}

proptest! {
    /// However a stream is cut: the same usage, and the client gets every byte but those of the usage event.
    #[test]
    fn any_chunking_gives_the_same_usage_and_the_same_bytes(
        cuts in prop::collection::vec(0usize..900, 0..12),
        end in prop::sample::select(vec!["\n", "\r\n"]),
        last_blank in any::<bool>(),
    ) {
        let mut body = stream(&[CONTENT, ": keep-alive", CONTENT, USAGE, "data: [DONE]"], end);
        if !last_blank {
            body.truncate(body.len() - end.len());
        }
        let kept = body.replacen(&format!("{USAGE}{end}{end}"), "", 1);
        let (client, reading) = passed(body.as_bytes(), &cuts, Form::Sse, true);
        prop_assert_eq!(reported(&reading), Some(usage()));
        // Twice `héllo 漢`.
        prop_assert_eq!(reading.generated, Generated::Text { text: 20, body: body.len() as u64 });
        prop_assert_eq!(String::from_utf8_lossy(&client), kept);
        let (client, reading) = passed(body.as_bytes(), &cuts, Form::Sse, false);
        prop_assert_eq!(reported(&reading), Some(usage()));
        prop_assert_eq!(String::from_utf8_lossy(&client), body);
    }
}

/// The events of every stream that a provider has sent, each with its API and its blank line.
fn provider_events() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut streams = Vec::new();
    for schema in schema::ALL {
        let Ok(cases) = std::fs::read_dir(format!("{fixtures}/{}", schema.name)) else { continue };
        for case in cases {
            let Ok(stream) = std::fs::read(case.unwrap().path().join("answer.sse")) else { continue };
            let mut lines = Sse::new();
            let (mut rest, mut events) = (&stream[..], Vec::new());
            while let Some(behind) = lines.feed_event(rest, &mut |_| {}) {
                events.push(rest[..rest.len() - behind.len()].to_vec());
                rest = behind;
            }
            if !events.is_empty() {
                streams.push((schema.name, events));
            }
        }
    }
    assert!(streams.len() > 40, "{} streams", streams.len());
    streams
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// An event that comes in two chunks is read for itself, and one that comes whole perhaps by what the last one said.
    /// Events come many times here, with a few bytes replaced.
    #[test]
    fn what_the_last_event_said_changes_nothing(
        stream in prop::sample::select(provider_events()),
        nths in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(vec!["", "x", "0", "12", "\"", "\\n", "\\", "\n", "\r", "é", "\u{1}", ",", "}"])),
            0..6,
        ),
        withhold in any::<bool>(),
    ) {
        let (api, events) = stream;
        let mut body = Vec::new();
        for nth in nths {
            let event = nth.get(&events);
            body.extend_from_slice(event);
            body.extend_from_slice(event);
            for (at, text) in &edits {
                let mut edited = event.clone();
                let at = at.index(edited.len());
                edited.splice(at..=at, text.bytes());
                body.extend_from_slice(&edited);
            }
        }
        // A blank line more may have gone on before it was known to what it belongs.
        let read = |cuts: &[usize]| {
            let (mut client, reading) =
                passed_of(schema::named(api).unwrap(), &body, cuts, Form::Sse, withhold);
            client.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            (client, reading)
        };
        let cuts: Vec<usize> = (1..body.len()).collect();
        prop_assert_eq!(read(&[]), read(&cuts), "{}", body.escape_ascii());
    }
}

/// Each of these differs from the event before it by what looks like another text or number, and is none.
#[test]
fn an_event_that_is_nearly_like_the_last_is_read_for_itself() {
    const EVENT: &str = "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":7,\"delta\":\"hi\"}\n\n";
    let read = |chunks: &[&[u8]]| {
        let mut meter = Meter::new(schema::named("openai_responses").unwrap(), Form::Sse, false);
        for chunk in chunks {
            meter.feed(chunk, false);
        }
        let Reading { error, generated: Generated::Text { text, .. }, .. } = meter.read() else { panic!("no text") };
        (text, error)
    };
    let after_two = |event: &str| read(&[EVENT.as_bytes(), EVENT.as_bytes(), event.as_bytes()]);
    assert_eq!(after_two(&EVENT.replace("hi", "hey").replace('7', "80")), (7, false));
    for (from, to, text) in [
        ("7", "07", 4),
        ("7", "-7", 6),
        ("7", "7.5", 6),
        ("7", "7e", 4),
        ("7", "", 4),
        ("7", "\"7\"", 6),
        ("\"hi\"", "\"h\\ni\"", 7),
        ("\"hi\"", "\"h\u{1}i\"", 4),
        ("\"hi\"", "\"hi", 4),
        ("\"hi\"", "\"hi\",\"delta\":\"hi\"", 8),
        ("\"hi\"", "null", 4),
        ("}\n", "}}\n", 6),
        ("}\n", "}\ndata:{\"delta\":\"hi\"}\n", 6),
        ("data:", ":data:", 4),
    ] {
        assert_eq!(after_two(&EVENT.replacen(from, to, 1)), (text, false), "{from} -> {to}");
    }
    assert_eq!(after_two(&EVENT.replace("response.output_text.delta", "error")), (6, true));
    // The rest of an event that began in another chunk is not an event by itself.
    let (name, rest) = EVENT.split_at("data: ".len());
    assert_eq!(read(&[name.as_bytes(), rest.as_bytes(), rest.as_bytes()]), (2, false));
}

#[test]
fn complete_events_are_never_held_back() {
    let mut meter = Meter::new(chat(), Form::Sse, true);
    let event = stream(&[CONTENT], "\n");
    assert_eq!(meter.feed(event.as_bytes(), false), Passage::Unchanged);
    let (half, rest) = event.split_at(20);
    assert_eq!(meter.feed(format!("{event}{half}").as_bytes(), false), Passage::Replaced(event.clone().into_bytes()));
    assert_eq!(meter.feed(rest.as_bytes(), false), Passage::Replaced(event.into_bytes()));
}

#[test]
fn an_event_too_large_to_be_the_usage_flows_on() {
    let event = stream(&[&CONTENT.replace("llo", &"x".repeat(100_000))], "\n");
    let mut meter = Meter::new(chat(), Form::Sse, true);
    let mut client = Vec::new();
    for chunk in event.as_bytes().chunks(1_000) {
        match meter.feed(chunk, false) {
            Passage::Unchanged => client.extend_from_slice(chunk),
            Passage::Replaced(bytes) => client.extend_from_slice(&bytes),
        }
    }
    assert_eq!(client, event.as_bytes());
}

#[test]
fn a_cut_stream_is_never_free_once_a_byte_of_it_was_sent() {
    let body = stream(&[CONTENT, CONTENT, USAGE, "data: [DONE]"], "\n");
    for cut in 1..body.len() {
        let mut meter = Meter::new(chat(), Form::Sse, false);
        meter.feed(&body.as_bytes()[..cut], false);
        let reading = meter.read();
        let likely = estimate::output(chat(), reading.generated, false, reading.error, Density::default());
        assert!(likely >= Tokens(1) && likely <= Tokens(5), "cut at {cut}");
    }
}

#[test]
fn json_answers_are_read_with_any_order_of_fields_and_errors_inside_a_200_are_seen() {
    let body = r#"{"usage":{"total_tokens":10,"completion_tokens":3,"prompt_tokens":7,"completion_tokens_details":{"reasoning_tokens":1},"prompt_tokens_details":{"cached_tokens":2}},"choices":[{"message":{"content":"hi","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}],"model":"m"}"#;
    for cut in 0..body.len() {
        let (_, reading) = passed(body.as_bytes(), &[cut], Form::Json, true);
        assert_eq!((reported(&reading), reading.model.as_deref(), reading.error), (Some(usage()), Some("m"), false));
    }
    let (_, reading) = passed(br#"{"error":{"message":"overloaded"}}"#, &[], Form::Json, false);
    assert!(reading.error);
    let (_, reading) = passed(br#"{"error":null,"choices":[]}"#, &[], Form::Json, false);
    assert!(!reading.error);
}

#[test]
fn an_event_that_is_no_object_is_the_clients_wherever_it_is_cut() {
    let body = format!("data: [{}]\n\n", USAGE.trim_start_matches("data: "));
    for cut in 0..body.len() {
        let (client, reading) = passed(body.as_bytes(), &[cut], Form::Sse, true);
        assert_eq!(String::from_utf8_lossy(&client), body, "cut at {cut}");
        assert_eq!(reported(&reading), Some(usage()));
    }
}

#[test]
fn an_error_in_one_piece_under_a_streams_head_is_read_wherever_it_is_cut() {
    let body = b" \r\n {\"error\":{\"message\":\"overloaded\"},\"model\":\"m\"}";
    for withhold in [false, true] {
        for cut in 0..body.len() {
            let (client, reading) = passed(body, &[cut], Form::Sse, withhold);
            assert_eq!((reading.error, reading.model.as_deref()), (true, Some("m")), "cut at {cut}");
            assert_eq!(client, body, "cut at {cut}");
        }
    }
}

/// A page is none of a stream's events: every byte of it goes on, the blanks before it as well.
#[test]
fn a_page_under_a_streams_head_is_the_clients_wherever_it_is_cut() {
    for body in [&b"\t\r\n\n <!doctype html><p>Sign in.</p>"[..], b"\xef\xbb\xbf\n<p>"] {
        for cut in 0..body.len() {
            let (client, reading) = passed(body, &[cut], Form::Sse, true);
            assert_eq!(client, body, "cut at {cut}");
            assert_eq!(reported(&reading), None);
        }
    }
}

#[test]
fn streams_that_repeat_their_usage_are_not_summed() {
    let first =
        USAGE.replace("\"completion_tokens\":3,\"total_tokens\":10", "\"completion_tokens\":9,\"total_tokens\":16");
    let groq = r#"data: {"choices":[{"delta":{}}],"x_groq":{"usage":{"prompt_tokens":70,"completion_tokens":30}}}"#;
    let body = stream(&[&first, groq, USAGE], "\n");
    let (_, reading) = passed(body.as_bytes(), &[], Form::Sse, false);
    assert_eq!(reported(&reading), Some(usage()));
}

/// A text counts once it is whole, and this one never is: its answer must not come out as good as free.
#[test]
fn json_that_breaks_inside_its_text_is_taken_by_its_size() {
    let text = "a stone under the quiet river ".repeat(500);
    let body = format!(r#"{{"choices":[{{"message":{{"content":"{text}"#);
    for end in ["", "\u{1}", "\\x"] {
        let body = format!("{body}{end}");
        let (_, reading) = passed(body.as_bytes(), &[9], Form::Json, false);
        let size = body.len() as u64;
        assert_eq!((reported(&reading), reading.generated), (None, Generated::Broken(size)), "{end:?}");
        let likely = estimate::output(chat(), reading.generated, false, reading.error, Density::default());
        assert!((3_000..=6_000).contains(&likely.0), "{likely:?} for {size} bytes of text");
    }
    let (_, reading) = passed(br#"{"error":{"message":"The server is overl"#, &[], Form::Json, false);
    assert_eq!((reading.generated, reading.error), (Generated::Text { text: 0, body: 40 }, true));
    let (_, reading) = passed(br#"{"choices":[{"message":{"content":"Hello."}}"#, &[], Form::Json, false);
    assert_eq!(reading.generated, Generated::Text { text: 6, body: 44 });
}

#[test]
fn what_cannot_be_read_is_taken_by_its_size() {
    assert_eq!(Form::of(Some(b"application/json"), Some(b"gzip")), Form::Encoded);
    assert_eq!(Form::of(Some(b"Application/JSON ; charset=utf-8"), Some(b"identity")), Form::Json);
    assert_eq!(Form::of(Some(b"text/event-stream;charset=utf-8"), None), Form::Sse);
    let (client, reading) = passed(&[0x1f; 400], &[7], Form::Encoded, true);
    let size = Generated::Opaque { bytes: 400, encoded: true };
    assert_eq!((client.len(), reported(&reading), reading.generated), (400, None, size));
}

/// Below a delta, what no table knows may be text; what one knows to be none is none; and the same text counts once.
#[test]
fn every_string_below_a_delta_counts_unless_a_table_knows_it() {
    let chat = |delta: &str| format!(r#"data: {{"id":"x","choices":[{{"index":0,"delta":{{{delta}}}}}]}}"#);
    let messages = |delta: &str| format!(r#"data: {{"type":"content_block_delta","index":0,"delta":{{{delta}}}}}"#);
    let gemini = |part: &str| format!(r#"data: {{"candidates":[{{"content":{{"parts":[{{{part}}}]}}}}]}}"#);
    for (api, event, text, stray) in [
        ("openai_chat", chat(r#""role":"assistant","content":"12345""#), 5, 0),
        (
            "openai_chat",
            chat(r#""tool_calls":[{"index":0,"id":"call_1","type":"custom","custom":{"input":"12345"}}]"#),
            0,
            5,
        ),
        (
            "openai_chat",
            chat(r#""reasoning_details":[{"type":"reasoning.text","id":"r1","text":"12345","index":0}]"#),
            5,
            0,
        ),
        (
            "openai_chat",
            chat(r#""reasoning":"12345","reasoning_details":[{"type":"reasoning.text","text":"12345"}]"#),
            5,
            0,
        ),
        ("openai_chat", chat(r#""reasoning":"12345","reasoning_content":"12345","content":"123""#), 8, 0),
        ("openai_chat", chat(r#""next_year":{"deep":[{"words":["12","345"]}],"number":7}"#), 0, 5),
        ("openai_chat", chat(r#""reasoning_details":[{"type":"reasoning.encrypted","data":"aGVsbG8"}]"#), 0, 0),
        ("anthropic_messages", messages(r#""type":"text_delta","text":"12345""#), 5, 0),
        ("anthropic_messages", messages(r#""type":"compaction_delta","content":"12345""#), 0, 5),
        ("anthropic_messages", messages(r#""type":"signature_delta","signature":"aGVsbG8""#), 0, 0),
        ("gemini_generate", gemini(r#""text":"12345","thoughtSignature":"aGVsbG8""#), 5, 0),
        ("gemini_generate", gemini(r#""executableCode":{"language":"PYTHON","code":"12345"}"#), 5, 0),
        ("gemini_generate", gemini(r#""someNewPart":{"words":"12345"}"#), 0, 5),
        ("openai_responses", r#"data: {"type":"response.new.delta","item_id":"x","delta":"12345"}"#.to_owned(), 5, 0),
        ("openai_responses", r#"data: {"type":"response.new.delta","delta":{"words":"12345"}}"#.to_owned(), 0, 5),
    ] {
        // Each event twice: the second one is like the first.
        let body = format!("{event}\n\n{event}\n\n");
        let cuts: Vec<usize> = (0..body.len()).collect();
        for cuts in [&[][..], &cuts] {
            let reading = passed_of(schema::named(api).unwrap(), body.as_bytes(), cuts, Form::Sse, false).1;
            let Generated::Text { text: read, .. } = reading.generated else { panic!("{event}") };
            assert_eq!((read, reading.stray), (2 * text, 2 * stray), "{event}");
        }
    }
}

#[test]
fn the_first_output_is_neither_a_comment_nor_a_role() {
    let role = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    let mut meter = Meter::new(chat(), Form::Sse, false);
    for (piece, shows) in [(": OPENROUTER PROCESSING", false), (role, false), (CONTENT, true)] {
        meter.feed(format!("{piece}\n\n").as_bytes(), false);
        assert_eq!(meter.has_output(), shows, "{piece}");
    }
    for (api, form, before, first) in [
        (
            "anthropic_messages",
            Form::Sse,
            &[
                r#"event: message_start
data: {"type":"message_start","message":{"role":"assistant","content":[],"usage":{"input_tokens":9,"output_tokens":0}}}"#,
                "event: ping\ndata: {\"type\":\"ping\"}",
                r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#,
            ][..],
            r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"So"}}"#,
        ),
        (
            "openai_responses",
            Form::Sse,
            &[
                r#"data: {"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}"#,
                r#"data: {"type":"response.in_progress","response":{"id":"r","status":"in_progress","output":[]}}"#,
                r#"data: {"type":"response.output_item.added","item":{"type":"message","id":"m","status":"in_progress","content":[],"role":"assistant"}}"#,
                r#"data: {"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            ],
            r#"data: {"type":"response.output_text.delta","delta":"So"}"#,
        ),
        (
            "gemini_generate",
            Form::Sse,
            &[
                r#"data: {"usageMetadata":{"promptTokenCount":9},"modelVersion":"g"}"#,
                r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}]}"#,
            ],
            r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"So","thought":true}]},"index":0}]}"#,
        ),
        (
            "cohere_chat",
            Form::Sse,
            &[
                r#"data: {"type":"message-start","id":"c","delta":{"message":{"role":"assistant","content":[]}}}"#,
                r#"data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            ],
            r#"data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"So"}}}}"#,
        ),
        (
            "ollama_chat",
            Form::Json,
            &[r#"{"model":"m","message":{"role":"assistant","content":""},"done":false}"#],
            r#"{"model":"m","message":{"role":"assistant","content":"So"},"done":false}"#,
        ),
    ] {
        let mut meter = Meter::new(schema::named(api).unwrap(), form, false);
        for piece in before {
            meter.feed(format!("{piece}\n\n").as_bytes(), false);
            assert!(!meter.has_output(), "{api}: {piece}");
        }
        meter.feed(format!("{first}\n\n").as_bytes(), false);
        assert!(meter.has_output(), "{api}: {first}");
    }
}

/// Whatever the head says, and wherever it is cut: events are read as such, and what only the gateway asked for stays with it.
#[test]
fn events_under_another_head_are_sieved_as_under_their_own() {
    let preview = USAGE.replace("\"completion_tokens\":3", "\"completion_tokens\":1");
    for before in ["", "\u{feff}", "\r\n \u{feff}\n", ": connected\n\n"] {
        for end in ["\n", "\r\n", "\r"] {
            let body = before.to_owned() + &stream(&[&preview, CONTENT, CONTENT, USAGE, "data: [DONE]"], end);
            let kept = before.to_owned() + &stream(&[CONTENT, CONTENT, "data: [DONE]"], end);
            for form in [Form::Json, Form::Text, Form::Opaque, Form::Page, Form::Sse] {
                // Under the head of a stream, a mark is a part of its first event, and may open nothing but the stream.
                if form == Form::Sse && before.contains('\u{feff}') {
                    continue;
                }
                let blanks = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(['\r', '\n', ' ', '\u{feff}'], "");
                for cut in 0..body.len() {
                    let (client, reading) = passed(body.as_bytes(), &[cut], form, true);
                    assert_eq!(reported(&reading), Some(usage()), "{form:?} {before:?} {end:?} cut at {cut}");
                    assert_eq!(blanks(&client), blanks(kept.as_bytes()), "{form:?} {before:?} {end:?} cut at {cut}");
                    let (client, _) = passed(body.as_bytes(), &[cut], form, false);
                    assert_eq!(client, body.as_bytes(), "{form:?} {before:?} {end:?} cut at {cut}");
                }
            }
        }
    }
}

/// A text may begin with a word that fields of events have, too.
#[test]
fn what_only_begins_as_an_event_is_what_its_head_says() {
    let text = "data are what is given, and nothing in here is an event";
    for (form, generated) in [
        (Form::Text, Generated::Text { text: 55, body: 55 }),
        (Form::Opaque, Generated::Opaque { bytes: 55, encoded: false }),
    ] {
        for cut in 0..text.len() {
            let (client, reading) = passed(text.as_bytes(), &[cut], form, true);
            assert_eq!((reading.generated, reading.is_blank), (generated, false), "{form:?} cut at {cut}");
            assert_eq!(client, text.as_bytes());
        }
    }
    // Under the head of a document it is none, and no answer.
    assert!(passed(text.as_bytes(), &[], Form::Json, false).1.is_blank);
    // A sound may begin with any byte.
    let audio = schema::named("openai_audio").unwrap();
    let (_, reading) = passed_of(audio, b"{\"text\":\"x\"}", &[], Form::Opaque, false);
    assert_eq!(reading.generated, Generated::Opaque { bytes: 12, encoded: false });
}

/// Whoever leaves after a preview has not had the last word on it.
#[test]
fn a_usage_that_text_follows_is_not_the_last() {
    let preview = USAGE.replace("\"completion_tokens\":3", "\"completion_tokens\":1");
    let unfinished = CONTENT.replace("}}]", "},\"finish_reason\":\"\"}]");
    for (api, events) in [
        ("openai_chat", vec![&*preview, &unfinished, &unfinished]),
        (
            "anthropic_messages",
            vec![
                r#"data: {"type":"message_delta","usage":{"input_tokens":7,"output_tokens":1}}"#,
                r#"data: {"type":"content_block_delta","delta":{"text":"hello there"}}"#,
            ],
        ),
        (
            "openai_responses",
            vec![
                r#"data: {"type":"response.created","response":{"usage":{"input_tokens":7,"output_tokens":1}}}"#,
                r#"data: {"type":"response.output_text.delta","delta":"hello there"}"#,
            ],
        ),
        (
            "gemini_generate",
            vec![
                r#"data: {"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1}}"#,
                r#"data: {"candidates":[{"content":{"parts":[{"text":"hello there"}]},"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#,
            ],
        ),
    ] {
        let body = stream(&events, "\n");
        let (_, reading) = passed_of(schema::named(api).unwrap(), body.as_bytes(), &[], Form::Sse, false);
        assert!(reading.reported.is_whole() && !reading.finished && reading.uncounted >= 11, "{api}: {reading:?}");
    }
}

/// Fourteen texts of up to a hundred and forty bytes each are one of a hundred and forty, however they are cut.
#[test]
fn a_stream_that_repeats_its_text_in_each_event_has_said_it_once() {
    let text = "a stone under the quiet river ".repeat(5);
    let event = |field: &str, size: usize| {
        let text = text.get(..size).unwrap();
        match field {
            "content" => format!(r#"data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#),
            _ => format!(
                r#"data: {{"choices":[{{"index":0,"delta":{{"content":"","reasoning":"{text}","reasoning_details":[{{"text":"{text}"}}]}}}}]}}"#
            ),
        }
    };
    let mut events: Vec<String> = (1..=14).map(|nth| event("reasoning", nth * 10)).collect();
    events.extend((1..=14).map(|nth| event("content", nth * 5)));
    let body = stream(&events.iter().map(String::as_str).collect::<Vec<_>>(), "\n");
    let read = |cuts: &[usize]| passed(body.as_bytes(), cuts, Form::Sse, false).1.generated;
    let said = Generated::Text { text: 140 + 70, body: body.len() as u64 };
    assert_eq!(read(&[]), said);
    assert_eq!(read(&(1..body.len()).collect::<Vec<_>>()), said);
    for cut in 0..body.len() {
        assert_eq!(read(&[cut]), said, "cut at {cut}");
    }
}

/// Gemini's streams, unless they are asked for as SSE: text behind the usage of one element is none that was counted there.
#[test]
fn each_element_of_a_list_is_an_event_of_its_own() {
    let element =
        |text: &str, more: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]{more}}}"#);
    let usage = r#","usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}"#;
    let body = format!("[{}\n,\r\n{}", element("aaaa", usage), element("bbbbbbbb", ""));
    let gemini = schema::named("gemini_generate").unwrap();
    for cut in 0..body.len() {
        let (_, reading) = passed_of(gemini, body.as_bytes(), &[cut], Form::Json, false);
        assert_eq!((reading.uncounted, reading.finished), (8, false), "cut at {cut}");
    }
    let (_, reading) =
        passed_of(gemini, format!("[{}]\n[]", element("aaaa", usage)).as_bytes(), &[], Form::Json, false);
    assert_eq!(reading.uncounted, 0);
}

/// The kind of a step is read where it decides what a query is, and costs nothing where it says that text follows text.
#[test]
fn a_delta_of_an_interaction_that_is_like_the_last_one_needs_no_parser() {
    let event = |kind: &str, rest: &str| {
        format!(
            "event: step.delta\ndata: {{\"index\":0,\"delta\":{{\"type\":\"{kind}\",{rest}}},\"event_type\":\"step.delta\"}}\n\n"
        )
    };
    let is_like = |first: &str, next: &str| {
        let mut meter = Meter::new(schema::named("gemini_interactions").unwrap(), Form::Sse, false);
        // A mark may stand before a stream's first event.
        let _ = [first, first].map(|event| meter.feed(event.as_bytes(), false));
        let Framing::Sse { alike, .. } = &meter.framing else { panic!("no events") };
        alike.read(next.as_bytes()).map(|(generated, _)| generated)
    };
    assert_eq!(is_like(&event("text", r#""text":"a""#), &event("text", r#""text":"harbour""#)), Some(7));
    let search = event("google_search_call", r#""arguments":{"queries":["a"]}"#);
    assert_eq!(is_like(&search, &search), None);
}
