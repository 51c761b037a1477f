//! Calls in whole bodies: of each API, in one piece and as a stream, cut anywhere.

mod examples;
mod hostile;
mod odd;
mod rows;
mod streams;

use super::{Arguments, CallId, Calls, Told};
use crate::llm::meter::Form;
use crate::llm::schema;
use examples::{Example, all};
use std::collections::BTreeMap;

/// What was told of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    pub call: CallId,
    pub kind: String,
    pub name: String,
    pub within: String,
    pub unclear: bool,
    /// `None`: it has been named.
    pub arguments: Option<String>,
}

pub fn calls(api: &str) -> Calls {
    calls_as(api, Form::Opaque)
}

pub fn calls_as(api: &str, form: Form) -> Calls {
    Calls::new(schema::named(api).unwrap(), form).unwrap()
}

/// Feeds on; what was told, and how often something could not be read.
pub fn feed(calls: &mut Calls, bytes: &[u8], last: bool, heard: &mut Vec<Heard>, unread: &mut usize) {
    calls.feed(bytes, last, &mut |told| {
        let (call, tool, arguments) = match told {
            Told::Named { call, tool, .. } => (call, tool, None),
            Told::Ended { call, tool, arguments, .. } => (call, tool, Some(arguments)),
            Told::Unread => {
                *unread += 1;
                return false;
            }
        };
        let arguments = arguments.map(|arguments| match arguments {
            Arguments::Json(text) => {
                serde_json::from_str::<serde::de::IgnoredAny>(text).unwrap();
                text.to_owned()
            }
            Arguments::FreeText(text) => format!("free: {text}"),
            other => format!("{other:?}"),
        });
        let [kind, name, within] = [tool.kind, tool.name, tool.within].map(str::to_owned);
        heard.push(Heard { call, kind, name, within, unclear: tool.unclear, arguments });
        true
    });
}

pub fn told(api: &str, chunks: &[&[u8]]) -> (Vec<Heard>, usize) {
    told_as(api, Form::Opaque, chunks)
}

pub fn told_as(api: &str, form: Form, chunks: &[&[u8]]) -> (Vec<Heard>, usize) {
    let (mut calls, mut heard, mut unread) = (calls_as(api, form), Vec::new(), 0);
    for (nth, chunk) in chunks.iter().enumerate() {
        feed(&mut calls, chunk, nth + 1 == chunks.len(), &mut heard, &mut unread);
    }
    assert_eq!(calls.open_from(), None);
    (heard, unread)
}

/// The calls that have ended: each was named before, by the same name.
pub fn ended(heard: &[Heard]) -> Vec<[String; 4]> {
    let is_named = |ended: &Heard| heard.contains(&Heard { arguments: None, ..ended.clone() });
    let call = |heard: &Heard| {
        assert!(is_named(heard), "{heard:?}");
        Some([heard.kind.clone(), heard.name.clone(), heard.within.clone(), heard.arguments.clone()?])
    };
    heard.iter().filter(|heard| heard.arguments.is_some()).filter_map(call).collect()
}

#[test]
fn the_calls_of_each_example_are_told_as_they_are() {
    for Example { api, title, body, calls, .. } in all() {
        let (heard, unread) = told(api, &[&body]);
        let mut expected: Vec<_> = calls.iter().map(|call| call.map(str::to_owned)).collect();
        let mut ended = ended(&heard);
        expected.sort();
        ended.sort();
        assert_eq!((ended, unread), (expected, 0), "{api} {title}");
    }
}

#[test]
fn what_is_told_is_the_same_however_the_body_is_cut() {
    for Example { api, title, body, .. } in all() {
        let whole = told(api, &[&body]);
        for size in [1, 2, 3, 5] {
            assert_eq!(told(api, &body.chunks(size).collect::<Vec<_>>()), whole, "{api} {title} by {size}");
        }
        // At some hundred places: byte by byte, each of them was cut above.
        for at in (1..body.len()).step_by(1 + body.len() / 500) {
            let (first, rest) = body.split_at(at);
            assert_eq!(told(api, &[first, rest]), whole, "{api} {title} at {at}");
        }
    }
}

/// Where the event begins that this byte stands in, or the document.
fn begins(example: &Example, at: usize) -> usize {
    match example.framing {
        examples::Framing::Document => 0,
        examples::Framing::Lines => example.body[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        examples::Framing::Events => {
            example.body[..at].windows(2).rposition(|bytes| bytes == b"\n\n").map_or(0, |at| at + 2)
        }
        examples::Framing::Frames => {
            let mut begins = 0;
            loop {
                let length = u32::from_be_bytes(example.body[begins..begins + 4].try_into().unwrap()) as usize;
                if begins + length > at {
                    return begins;
                }
                begins += length;
            }
        }
    }
}

#[test]
fn what_may_go_on_never_reaches_an_open_call() {
    for example in all() {
        let (mut calls, mut heard, mut unread) = (calls(example.api), Vec::new(), 0);
        // Each that is alone with its name, and where that has come: where it stands without escapes.
        let place = |name: &str| {
            let quoted = format!("\"{name}\"");
            let is_alone = example.calls.iter().filter(|call| call[1] == name).count() == 1;
            let at =
                example.body.windows(quoted.len()).position(|bytes| bytes == quoted.as_bytes()).filter(|_| is_alone)?;
            Some((name.to_owned(), at + quoted.len(), begins(&example, at) as u64))
        };
        let places: Vec<_> = example.calls.iter().filter_map(|[_, name, ..]| place(name)).collect();
        for at in 0..example.body.len() {
            feed(&mut calls, &example.body[at..=at], at + 1 == example.body.len(), &mut heard, &mut unread);
            let (open, unfinished) = (calls.open_from(), calls.unfinished_from());
            for (name, come, from) in places.iter().filter(|(_, come, _)| *come <= at + 1) {
                if heard.iter().any(|heard| heard.name == *name && heard.arguments.is_some()) {
                    continue;
                }
                let title = format!("{} {} at {at}: {name}, come at {come}", example.api, example.title);
                // Until its event is over, that alone says that it may be a call.
                let held = [open, unfinished].into_iter().flatten().min();
                assert!(held.is_some_and(|held| held <= *from), "{title}: {held:?} {from}");
                if heard.iter().any(|heard| heard.name == *name) {
                    assert!(open.is_some_and(|open| open <= *from), "{title}: {open:?} {from}");
                }
            }
        }
        assert_eq!((calls.open_from(), calls.unfinished_from()), (None, None), "{} {}", example.api, example.title);
    }
}

/// What a stream calls is what the same answer in one piece does.
#[test]
fn whole_and_streamed_answers_call_the_same() {
    let mut whole = BTreeMap::new();
    for Example { api, title, body, .. } in all().into_iter().filter(|example| !example.pair.is_empty()) {
        let mut ended = ended(&told(api, &[&body]).0);
        ended.sort();
        let pair = all().into_iter().find(|example| example.title == title && example.api == api).unwrap().pair;
        assert_eq!(whole.entry((api, pair)).or_insert_with(|| ended.clone()), &ended, "{api} {title}");
    }
    assert!(whole.len() >= 8);
}

/// The events of a stream, as they come; what isn't kept goes on as soon as its name is told.
#[test]
fn a_call_whose_arguments_nobody_wants_goes_on_once_it_has_its_name() {
    for Example { api, title, body, .. } in all() {
        let mut calls = calls(api);
        let mut named = false;
        for (at, byte) in body.iter().enumerate() {
            calls.feed(&[*byte], at + 1 == body.len(), &mut |told| {
                match told {
                    Told::Named { .. } => named = true,
                    Told::Ended { arguments, .. } => assert_eq!(arguments, Arguments::None, "{api} {title}"),
                    Told::Unread => panic!("{api} {title}"),
                }
                false
            });
        }
        assert!(named || title.contains("nothing"), "{api} {title}");
        assert_eq!(calls.open_from(), None);
    }
}
