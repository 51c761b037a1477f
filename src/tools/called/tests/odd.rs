//! What readers may take in two ways, what is broken, and what is too much.

use super::examples::{ARGUMENTS, OTHERS, events, texts};
use super::{Heard, calls, ended, feed, told, told_as};
use crate::llm::meter::Form;
use crate::llm::schema;
use crate::tools::called::{Calls, Told};
use serde_json::{Value, json};

fn names(heard: &[Heard]) -> Vec<&str> {
    heard.iter().filter(|heard| heard.arguments.is_none()).map(|heard| &*heard.name).collect()
}

fn arguments(heard: &[Heard]) -> Vec<&str> {
    heard.iter().filter_map(|heard| heard.arguments.as_deref()).collect()
}

fn chunk(call: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
}

fn end() -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
}

fn streamed(api: &str, data: &[Value]) -> (Vec<Heard>, usize) {
    told(api, &[&events(&texts(data))])
}

#[test]
fn another_call_in_the_whole_answer_at_the_end_is_told_and_the_same_is_not() {
    let item = |name: &str, arguments: &str| json!({"id": "fc_1", "type": "function_call", "name": name, "arguments": arguments});
    let begun = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("book", "")}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ARGUMENTS}),
    ];
    for (closed, others) in [
        (vec![], 0),
        (vec![json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": ARGUMENTS})], 0),
        (vec![json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": OTHERS})], 1),
        (vec![json!({"type": "response.output_item.done", "output_index": 0, "item": item("book", ARGUMENTS)})], 0),
        (vec![json!({"type": "response.output_item.done", "output_index": 0, "item": item("book", OTHERS)})], 1),
        (vec![json!({"type": "response.output_item.done", "output_index": 0, "item": item("drop", ARGUMENTS)})], 1),
    ] {
        for (output, more) in [
            (json!([item("book", ARGUMENTS)]), 0),
            (json!([{"type": "message"}, item("book", ARGUMENTS)]), 0),
            (
                json!([item("drop", ARGUMENTS)]),
                usize::from(!closed.iter().any(|event| event["item"]["name"] == "drop")),
            ),
            (json!([item("book", ARGUMENTS), item("book", ARGUMENTS)]), 1),
            (json!([item("book", "{\"x\":1}")]), 1),
        ] {
            let last = json!({"type": "response.completed", "response": {"output": output}});
            let stream: Vec<_> = begun.iter().chain(&closed).chain([&last]).cloned().collect();
            let heard = streamed("openai_responses", &stream).0;
            assert_eq!(ended(&heard).len(), 1 + others + more, "{closed:?} {output} {heard:#?}");
        }
    }
}

#[test]
fn a_name_that_comes_with_the_end_names_the_call() {
    let stream = [
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ARGUMENTS}),
        json!({"type": "response.completed", "response": {"output": [{"type": "function_call", "name": "book", "arguments": ARGUMENTS}]}}),
    ];
    let (heard, _) = streamed("openai_responses", &stream);
    assert_eq!((names(&heard), arguments(&heard)), (vec!["book"], vec![ARGUMENTS]));
}

#[test]
fn a_call_that_is_said_twice_in_one_object_is_told_by_each_name_and_has_no_arguments() {
    for (call, expected) in [
        (r#"{"function":{"name":"good","name":"bad","arguments":"{}"}}"#, (vec!["good", "bad"], "{}")),
        (r#"{"function":{"name":"good","Name":"bad","arguments":"{}"}}"#, (vec!["good", "bad"], "{}")),
        (r#"{"function":{"n\u0061me":"good","arguments":"{}","arguments":"{\"a\":1}"}}"#, (vec!["good"], "Unreadable")),
        (r#"{"function":{"name":"good","arguments":{},"ARGUMENTS":"{\"a\":1}"}}"#, (vec!["good"], "Unreadable")),
        (r#"{"function":{"name":"good","arguments":"{}"},"function":{"name":"bad"}}"#, (vec!["good", "bad"], "{}")),
        (r#"{"function":{"name":"good","arguments":7}}"#, (vec!["good"], "Unreadable")),
        (r#"{"function":{"name":"good","arguments":"[1"}}"#, (vec!["good"], "Unreadable")),
        (r#"{"function":{"name":"good","arguments":null}}"#, (vec!["good"], "Missing")),
        (r#"{"function":{"arguments":"{}"}}"#, (vec![""], "{}")),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"tool_calls":[{call}]}}}}]}}"#);
        let stream = format!("data: {}\n\n", body.replace("message", "delta"));
        for body in [body, stream] {
            let (heard, _) = told("openai_chat", &[body.as_bytes()]);
            assert_eq!((names(&heard), arguments(&heard)), (expected.0.clone(), vec![expected.1]), "{body}");
        }
    }
}

#[test]
fn an_event_that_says_twice_what_it_is_about_is_one_that_nobody_can_read() {
    let kind = r#""type":"response.output_text.delta","type":"response.function_call_arguments.delta""#;
    let stream = format!("data: {{{kind},\"output_index\":0,\"delta\":\"{{}}\"}}\n\n");
    let (heard, unread) = told("openai_responses", &[stream.as_bytes()]);
    assert_eq!((heard.len(), unread), (2, 1));
    let stream =
        r#"data: {"choices":[{"index":0,"index":1,"delta":{"tool_calls":[{"index":0,"function":{"name":"a"}}]}}]}"#;
    assert_eq!(told("openai_chat", &[stream.as_bytes()]).1, 1);
}

#[test]
fn a_name_that_is_too_long_or_is_no_text_is_unclear() {
    for (name, unclear) in
        [(json!("n".repeat(256)), false), (json!("n".repeat(257)), true), (json!(7), true), (json!({"a": 1}), true)]
    {
        for (api, body) in [
            ("openai_chat", json!({"choices": [{"message": {"tool_calls": [{"function": {"name": name}}]}}]})),
            ("anthropic_messages", json!({"content": [{"type": "tool_use", "name": name}]})),
            ("openai_responses", json!({"output": [{"type": "function_call", "name": name}]})),
            ("gemini_generate", json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": name}}]}}]})),
        ] {
            let (heard, _) = told(api, &[body.to_string().as_bytes()]);
            assert!(heard.len() == 2 && heard.iter().all(|heard| heard.unclear == unclear), "{api} {name} {heard:?}");
        }
    }
}

#[test]
fn a_name_that_changes_after_the_arguments_have_begun_is_told_in_each_way() {
    let stream = [
        chunk(&json!({"index": 0, "function": {"name": "good", "arguments": "{\"a\""}})),
        chunk(&json!({"index": 0, "function": {"name": "bad", "arguments": ":1}"}})),
        end(),
    ];
    let (heard, _) = streamed("openai_chat", &stream);
    assert_eq!((names(&heard), arguments(&heard)), (vec!["good", "goodbad", "bad"], vec!["{\"a\":1}"]));
}

#[test]
fn what_is_broken_off_has_no_arguments() {
    let whole = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"good","arguments":"{\"a\":1}"}}]}}]}"#;
    let cut = whole.split("1}\"").next().unwrap();
    for body in [cut.to_owned(), cut.to_owned() + "\u{1}", format!("data: {cut}\n\n"), format!("data: {cut}")] {
        let body = if body.starts_with("data") { body.replace("message", "delta") } else { body };
        for at in 1..body.len() {
            let (first, rest) = body.as_bytes().split_at(at);
            let (heard, unread) = told("openai_chat", &[first, rest]);
            assert_eq!((names(&heard), arguments(&heard), unread), (vec!["good"], vec!["Unreadable"], 1), "{body}");
        }
    }
    // Of a stream that ends too early, its pieces make no document.
    let stream = [chunk(&json!({"index": 0, "function": {"name": "good", "arguments": "{\"a\""}}))];
    assert_eq!(arguments(&streamed("openai_chat", &stream).0), ["Unreadable"]);
}

#[test]
fn what_cannot_be_read_is_told_once() {
    for (form, body) in [
        (Form::Encoded, &b"\x1f\x8b\x08\x00"[..]),
        (Form::Text, b"Once upon a time"),
        (Form::Page, b"<html>"),
        (Form::Binary, b"\x00\x00\x00\x01\x00"),
    ] {
        let mut calls = Calls::new(schema::named("openai_chat").unwrap(), form).unwrap();
        let (mut heard, mut unread) = (Vec::new(), 0);
        body.iter().for_each(|byte| feed(&mut calls, &[*byte], false, &mut heard, &mut unread));
        feed(&mut calls, b"", true, &mut heard, &mut unread);
        assert_eq!((heard.len(), unread), (0, 1), "{form:?}");
    }
    assert_eq!(told("bedrock_converse", &[b"\x00\x00\x00\x01\x00"]).1, 1);
    assert_eq!(told("openai_chat", &[b"data: what\n\ndata: [DONE]\n\n"]).1, 1);
    assert!(Calls::new(schema::named("openai_embeddings").unwrap(), Form::Json).is_none());
}

#[test]
fn what_is_too_long_is_told_as_such_and_so_are_calls_beyond_those_that_are_followed() {
    let long = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size));
    for (size, expected) in [(256 * 1024 - 8, false), (256 * 1024 - 7, true)] {
        let text = long(size);
        for body in [
            json!({"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": text}}]}}]})
                .to_string(),
            format!(r#"{{"message":{{"tool_calls":[{{"function":{{"name":"f","arguments":{text}}}}}]}}}}"#),
        ] {
            let api = if body.starts_with("{\"choices") { "openai_chat" } else { "ollama_chat" };
            let (heard, _) = told(api, &body.as_bytes().chunks(4_096).collect::<Vec<_>>());
            assert_eq!(arguments(&heard) == ["TooLong"], expected, "{api} {size}");
        }
    }
    // Of five that are open at a time, the last has no room.
    let text = long(250 * 1024);
    let call = |index: u64, arguments: &str| {
        chunk(&json!({"index": index, "function": {"name": format!("f{index}"), "arguments": arguments}}))
    };
    let mut stream: Vec<_> = (0..5).map(|index| call(index, &text)).collect();
    stream.push(end());
    let (heard, _) = streamed("openai_chat", &stream);
    assert_eq!(arguments(&heard).iter().filter(|arguments| **arguments == "TooLong").count(), 1);
    let mut stream: Vec<_> = (0..70).map(|index| call(index, "{}")).collect();
    stream.push(end());
    let (heard, _) = streamed("openai_chat", &stream);
    assert_eq!(arguments(&heard).iter().filter(|arguments| **arguments == "TooLong").count(), 6);
    assert_eq!(ended(&heard).len(), 70);
}

#[test]
fn only_what_is_asked_for_is_kept() {
    let mut calls = calls("openai_chat");
    let stream = events(&texts(&[
        chunk(&json!({"index": 0, "function": {"name": "kept", "arguments": "{\"a\""}})),
        chunk(&json!({"index": 1, "function": {"name": "other", "arguments": "{\"b\""}})),
        chunk(&json!({"index": 1, "function": {"arguments": ":1}"}})),
        chunk(&json!({"index": 0, "function": {"arguments": ":1}"}})),
        end(),
    ]));
    let mut all = Vec::new();
    calls.feed(&stream, false, &mut |told| match told {
        Told::Named { tool, .. } => tool.name == "kept",
        Told::Ended { tool, arguments, .. } => {
            all.push(format!("{} {arguments:?}", tool.name));
            false
        }
        Told::Unread => panic!(),
    });
    assert_eq!(all, ["kept Json(\"{\\\"a\\\":1}\")", "other None"]);
}

#[test]
fn an_announced_stream_may_begin_with_a_field_that_nobody_knows() {
    let event = texts(&[chunk(&json!({"index": 0, "function": {"name": "f", "arguments": "{}"}}))]);
    let body = [b"x-trace: 0\n", &events(&event)[..]].concat();
    for size in 1..body.len() {
        let chunks: Vec<_> = body.chunks(size).collect();
        let (heard, unread) = told_as("openai_chat", Form::Sse, &chunks);
        assert_eq!((arguments(&heard), unread), (vec!["{}"], 0));
        assert_eq!(told("openai_chat", &chunks), (Vec::new(), 1));
    }
}

#[test]
fn the_word_that_ends_a_stream_ends_its_calls() {
    let (mut calls, mut heard, mut unread) = (calls("openai_chat"), Vec::new(), 0);
    let mut stream = texts(&[chunk(&json!({"index": 0, "function": {"name": "f", "arguments": "{}"}}))]);
    feed(&mut calls, &events(&stream), false, &mut heard, &mut unread);
    assert_eq!((heard.len(), calls.open_from()), (1, Some(0)));
    stream = vec!["[DONE]".to_owned()];
    feed(&mut calls, &events(&stream), false, &mut heard, &mut unread);
    assert_eq!((heard.len(), unread, calls.open_from(), calls.unfinished_from()), (2, 0, None, None));
}

/// Of hundreds of calls that come twice, those that are not known again are told again, and none is left out.
#[test]
fn each_of_hundreds_of_calls_that_come_twice_is_told() {
    let item = |nth: usize| json!({"type": "function_call", "id": format!("fc_{nth}"), "name": format!("f{nth}"), "arguments": "{}"});
    let done = |nth| json!({"type": "response.output_item.done", "output_index": nth, "item": item(nth)});
    let mut stream: Vec<_> = (0..300).map(done).collect();
    stream.push(json!({"type": "response.completed", "response": {"output": (0..300).map(item).collect::<Vec<_>>()}}));
    let heard = streamed("openai_responses", &stream).0;
    assert!((0..300).all(|nth| names(&heard).contains(&&*format!("f{nth}"))));
    assert_eq!(ended(&heard).len(), 300 + 44);
}
