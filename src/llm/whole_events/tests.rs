use super::*;
use proptest::prelude::*;

const ERROR: &[u8] = br#"{"error":"over"}"#;

/// A stream, its events, and what its last one of the gateway's own looks like.
struct Case {
    dialect: Dialect,
    form: Form,
    events: Vec<Vec<u8>>,
}

fn texts(events: &[&str]) -> Vec<Vec<u8>> {
    events.iter().map(|event| event.as_bytes().to_vec()).collect()
}

fn cases() -> Vec<Case> {
    let case = |dialect, form, events| Case { dialect, form, events };
    vec![
        case(Dialect::OpenAi, Form::Sse, texts(&["data: {\"a\":1}\n\n", ": ping\n\n", "event: x\ndata: {}\n\n"])),
        case(Dialect::OpenAi, Form::Sse, texts(&["data: é\r\n\r\n", "data: b\r\n\r\n", "data: c\r\n\r\n"])),
        case(Dialect::Anthropic, Form::Sse, texts(&["event: a\rdata: {}\r\r", "data: b\r\r"])),
        case(Dialect::Ollama, Form::Json, texts(&["{\"a\":\"b\"}\n", "{\"a\":\"\\n\"}\n", "{\"done\":false}\n"])),
        case(Dialect::Gemini, Form::Json, texts(&["[{\"a\":[{\"b\":\"}]\\\"\"}]}", ",\r\n{\"a\":{}}", ",\r\n{}"])),
        case(
            Dialect::Aws,
            Form::Binary,
            [b"{}".as_slice(), b"\n\n\n", &[0; 300]].map(|payload| aws_stream::exception("x", payload)).to_vec(),
        ),
    ]
}

/// What goes on of these chunks.
fn passed(events: &mut WholeEvents, form: Form, chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks {
        let mut passage = Passage::Unchanged;
        passage.then(chunk, |chunk| events.feed(form, chunk, false));
        match passage {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
    }
    out
}

#[test]
fn at_every_cut_whole_events_have_gone_on_and_the_last_stands_behind_them() {
    for Case { dialect, form, events } in cases() {
        let body = events.concat();
        let mut ends = vec![0];
        for event in &events {
            ends.push(ends.last().unwrap() + event.len());
        }
        for size in [1, 2, 3, 7, body.len()] {
            for cut in 0..=body.len() {
                let mut whole = WholeEvents::new(dialect);
                let chunks: Vec<_> = body[..cut].chunks(size).collect();
                let out = passed(&mut whole, form, &chunks);
                // The line feed behind the carriage return that ends an event may come too late for it.
                let ended = *ends.iter().filter(|end| **end <= cut).max().unwrap();
                let is_late = |end: &usize| *end == out.len() + 1 && body.get(out.len()) == Some(&b'\n');
                let at = ends.iter().find(|end| **end == out.len() || is_late(end));
                assert!(body.starts_with(&out) && at.is_some_and(|at| *at >= ended), "{form:?} in {size} to {cut}");
                let last = whole.end(Some("failed"), ERROR);
                if cut == 0 {
                    assert_eq!(last, b"", "nothing is known of its form");
                    continue;
                }
                let expected: &[u8] = match form {
                    Form::Sse => b"event: failed\ndata: {\"error\":\"over\"}\n\n",
                    Form::Json if dialect == Dialect::Ollama => b"{\"error\":\"over\"}\n",
                    Form::Json if out.is_empty() => b"[{\"error\":\"over\"}]\n",
                    Form::Json => b",\n{\"error\":\"over\"}]\n",
                    _ => &aws_stream::exception("failed", ERROR),
                };
                assert_eq!(last, expected, "{form:?} in {size} to {cut}");
            }
        }
    }
}

#[test]
fn an_answer_that_ends_by_itself_goes_on_to_its_last_byte() {
    for Case { dialect, form, events } in cases() {
        let body = events.concat();
        for cut in 0..body.len() {
            let mut whole = WholeEvents::new(dialect);
            let mut out = passed(&mut whole, form, &body[..cut].chunks(5).collect::<Vec<_>>());
            let mut passage = Passage::Unchanged;
            passage.then(b"", |bytes| whole.feed(form, bytes, true));
            if let Passage::Replaced(rest) = passage {
                out.extend(rest);
            }
            assert_eq!(out, &body[..cut], "{form:?}, {cut}");
        }
    }
}

#[test]
fn an_event_that_never_ends_goes_on_and_then_nothing_can_be_said() {
    let mut whole = WholeEvents::new(Dialect::OpenAi);
    let endless = vec![b'x'; LONGEST];
    assert_eq!(passed(&mut whole, Form::Sse, &[b"data: ", &endless]).len(), LONGEST + 6);
    assert!(whole.torn);
    assert_eq!(whole.end(None, ERROR), b"");
    // Behind its end it can.
    let mut whole = WholeEvents::new(Dialect::OpenAi);
    passed(&mut whole, Form::Sse, &[b"data: ", &endless, b"\n\ndata: hal"]);
    assert_eq!(whole.end(None, ERROR), b"data: {\"error\":\"over\"}\n\n");
}

#[test]
fn what_has_no_events_passes_as_it_comes() {
    for (form, dialect) in [
        (Form::Json, Dialect::OpenAi),
        (Form::Json, Dialect::Anthropic),
        (Form::Text, Dialect::OpenAi),
        (Form::Encoded, Dialect::OpenAi),
        (Form::Page, Dialect::Gemini),
    ] {
        assert!(!are_events(form, dialect));
        let mut whole = WholeEvents::new(dialect);
        for chunk in [b"{\"a\":".as_slice(), b"1}", b"<"] {
            let mut passage = Passage::Unchanged;
            passage.then(chunk, |chunk| whole.feed(form, chunk, false));
            assert_eq!(passage, Passage::Unchanged);
        }
        assert_eq!(whole.end(None, ERROR), b"");
    }
}

proptest! {
    /// Whatever comes: nothing is lost or doubled, and nothing panics.
    #[test]
    fn any_bytes_in_any_chunks_come_out_as_they_went_in(
        bytes in prop::collection::vec(prop::sample::select(b"data: {}[]\"\\\n\r,\0\x10x".to_vec()), 0..300),
        size in 1..40_usize,
        nth in 0..4_usize,
    ) {
        let (form, dialect) = [
            (Form::Sse, Dialect::OpenAi),
            (Form::Json, Dialect::Ollama),
            (Form::Json, Dialect::Gemini),
            (Form::Binary, Dialect::Aws),
        ][nth];
        let mut whole = WholeEvents::new(dialect);
        let mut out = passed(&mut whole, form, &bytes.chunks(size).collect::<Vec<_>>());
        prop_assert!(bytes.starts_with(&out));
        let mut passage = Passage::Unchanged;
        passage.then(b"", |bytes| whole.feed(form, bytes, true));
        if let Passage::Replaced(rest) = passage {
            out.extend(rest);
        }
        prop_assert_eq!(out, bytes);
    }
}
