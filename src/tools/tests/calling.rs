//! What answers may call.

use super::rules;
use crate::llm::meter::{Form, Passage};
use crate::llm::schema;
use crate::policy::tools::Why;
use crate::tools::{Callable, Calling};
use proptest::prelude::*;
use serde_json::{Value, json};

fn calling(tools: &Value, api: &str, form: Form) -> Box<Calling> {
    let callable =
        Callable { rules: rules(tools), strict: Vec::new(), kinds: vec![("bash".to_owned(), "bash".to_owned())] };
    Calling::new(callable, schema::named(api).unwrap(), form).unwrap()
}

/// What the client gets of an answer that comes in these pieces.
fn passed(calling: &mut Calling, chunks: &[&[u8]]) -> String {
    let mut out = Vec::new();
    for (nth, chunk) in chunks.iter().enumerate() {
        match calling.feed(chunk, nth + 1 == chunks.len()) {
            Passage::Unchanged => out.extend_from_slice(chunk),
            Passage::Replaced(bytes) => out.extend(bytes),
        }
    }
    String::from_utf8(out).unwrap()
}

/// Of an API: the events before a call, and the call, with a place for its name and its arguments, as JSON in a string.
struct Stream {
    api: &'static str,
    before: &'static str,
    call: &'static str,
    /// Arguments stand as they are, and not in a string.
    bare: bool,
}

const STREAMS: [Stream; 6] = [
    Stream {
        api: "openai_chat",
        before: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I look.\"}}]}\n\n",
        call: "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"@NAME\",\"arguments\":\"\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"@ARGUMENTS\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n",
        bare: false,
    },
    Stream {
        api: "openai_responses",
        before: "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"I look.\"}\n\n",
        call: "data: {\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"c\",\"name\":\"@NAME\",\"arguments\":\"\"}}\n\ndata: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":1,\"item_id\":\"fc\",\"delta\":\"@ARGUMENTS\"}\n\ndata: {\"type\":\"response.function_call_arguments.done\",\"output_index\":1,\"item_id\":\"fc\",\"arguments\":\"@ARGUMENTS\"}\n\ndata: {\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"c\",\"name\":\"@NAME\",\"arguments\":\"@ARGUMENTS\"}}\n\n",
        bare: false,
    },
    Stream {
        api: "anthropic_messages",
        before: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"I look.\"}}\n\n",
        call: "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"@NAME\",\"input\":{}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"@ARGUMENTS\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        bare: false,
    },
    Stream {
        api: "gemini_generate",
        before: "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"I look.\"}]}}]}\n\n",
        call: "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"@NAME\",\"args\":@ARGUMENTS}}]},\"finishReason\":\"STOP\"}]}\n\n",
        bare: true,
    },
    Stream {
        api: "cohere_chat",
        before: "data: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"I look.\"}}}}\n\n",
        call: "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"@NAME\",\"arguments\":\"\"}}}}}\n\ndata: {\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"@ARGUMENTS\"}}}}}\n\ndata: {\"type\":\"tool-call-end\",\"index\":0}\n\n",
        bare: false,
    },
    Stream {
        api: "ollama_chat",
        before: "{\"message\":{\"role\":\"assistant\",\"content\":\"I look.\"},\"done\":false}\n",
        call: "{\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"@NAME\",\"arguments\":@ARGUMENTS}}]},\"done\":true}\n",
        bare: true,
    },
];

impl Stream {
    fn call(&self, name: &str, arguments: &Value) -> String {
        let arguments = arguments.to_string();
        let in_string = serde_json::to_string(&arguments).unwrap();
        let text = if self.bare { &*arguments } else { in_string.trim_matches('"') };
        self.call.replace("@NAME", name).replace("@ARGUMENTS", text)
    }
}

fn good() -> Value {
    json!({"city": "Oslo \"N\""})
}

#[test]
fn what_may_be_called_passes_and_what_may_not_is_seen_by_nobody() {
    let refuse = json!({"allow": ["get_*"], "called": "refuse", "arguments": "refuse"});
    for stream in &STREAMS {
        for (name, arguments, expected) in [
            ("get_weather", good(), None),
            ("get_time", json!({"any": [1, {}]}), None),
            ("delete_user", good(), Some(Why::NotAllowed)),
            ("get\\u005fweather", json!({"city": 1}), Some(Why::Arguments)),
            ("get_weather", json!({}), Some(Why::Arguments)),
        ] {
            let call = stream.call(name, &arguments);
            let body = format!("{}{call}", stream.before);
            for size in [1, 2, 7, 40, body.len()] {
                let mut calling = calling(&refuse, stream.api, Form::Sse);
                let said = passed(&mut calling, &body.as_bytes().chunks(size).collect::<Vec<_>>());
                assert_eq!(calling.refused().map(|refused| refused.why), expected, "{} {name} {size}", stream.api);
                match expected {
                    None => assert_eq!(said, body, "{} {name} {size}", stream.api),
                    Some(_) => assert_eq!(said, stream.before, "{} {name} {size}", stream.api),
                }
                assert_eq!(calling.seen().called, 1, "{} {name} {size}", stream.api);
            }
        }
    }
}

#[test]
fn what_is_only_counted_passes_untouched() {
    for stream in &STREAMS {
        for (name, arguments, why) in
            [("delete_user", good(), Why::NotAllowed), ("get_weather", json!({"city": 1}), Why::Arguments)]
        {
            let body = format!("{}{}", stream.before, stream.call(name, &arguments));
            let mut calling = calling(&json!({"allow": ["get_*"]}), stream.api, Form::Sse);
            for chunk in body.as_bytes().chunks(9) {
                assert_eq!(calling.feed(chunk, false), Passage::Unchanged);
            }
            calling.feed(&[], true);
            let denied: Vec<_> = calling.seen().denied.iter().map(|denied| (denied.why, denied.times)).collect();
            assert_eq!(denied, [(why, 1)], "{} {name}", stream.api);
            assert_eq!(calling.refused(), None);
        }
    }
}

/// Of each API, also where its arguments are told again at the end.
#[test]
fn a_call_counts_once_by_whether_its_arguments_are_as_its_schema_says() {
    let counted = |stream: &Stream, body: &str| {
        let mut calling = calling(&json!({"arguments": "count"}), stream.api, Form::Sse);
        passed(&mut calling, &[stream.before.as_bytes(), body.as_bytes()]);
        assert_eq!(calling.seen().called, 1, "{} {body}", stream.api);
        (calling.seen().arguments.valid, calling.seen().arguments.invalid)
    };
    for stream in &STREAMS {
        for (name, arguments, expected) in [
            ("get_weather", good(), (1, 0)),
            ("get_weather", json!({"city": 5}), (0, 1)),
            ("get_weather", json!({}), (0, 1)),
            // Nobody has said what these are to be.
            ("get_time", json!({"city": 5}), (0, 0)),
        ] {
            let body = stream.call(name, &arguments);
            assert_eq!(counted(stream, &body), expected, "{} {name} {arguments}", stream.api);
        }
    }
    // Of two ends the worse is believed, and what can't be read is wrong.
    let [chat, responses, ..] = &STREAMS;
    let call = responses.call("get_weather", &good());
    assert_eq!(counted(responses, &call.replacen("city", "town", 1)), (0, 1));
    assert_eq!(counted(chat, &chat.call("get_weather", &good()).replace("\\\"}", "")), (0, 1));
}

/// Anthropic's own tools come as functions do.
#[test]
fn a_tool_that_the_client_runs_is_judged_by_the_kind_that_it_was_offered_as() {
    let stream = &STREAMS[2];
    for (allow, expected) in [("kind:bash", None), ("kind:web_search", Some(Why::NotAllowed))] {
        let mut calling = calling(&json!({"allow": [allow], "called": "refuse"}), stream.api, Form::Sse);
        passed(&mut calling, &[stream.call("bash", &json!({"command": "ls"})).as_bytes()]);
        assert_eq!(calling.refused().map(|refused| refused.why), expected, "{allow}");
    }
}

#[test]
fn a_message_names_the_place_of_a_fault_and_never_a_value() {
    let stream = &STREAMS[0];
    let mut calling = calling(&json!({"arguments": "refuse"}), stream.api, Form::Sse);
    passed(&mut calling, &[stream.call("get_weather", &json!({"city": 4_711})).as_bytes()]);
    let fault = calling.refused().unwrap().fault.clone().unwrap();
    assert!(fault.contains("/city") && !fault.contains("4711"), "{fault}");
}

#[test]
fn what_cannot_be_read_is_not_taken_for_nothing() {
    for (body, form) in
        [("data: {\"choices\":[{\n\n", Form::Sse), ("{\"choices\":", Form::Json), ("\u{1f}\u{8b}", Form::Encoded)]
    {
        // It may be any call, with any arguments.
        for rules in [json!({"allow": ["a"], "called": "refuse"}), json!({"called": "pass", "arguments": "refuse"})] {
            let mut calling = calling(&rules, "openai_chat", form);
            assert_eq!(passed(&mut calling, &[body.as_bytes()]), "");
            assert_eq!(calling.refused().map(|refused| refused.why), Some(Why::Unread), "{body}");
        }
    }
}

proptest! {
    #[test]
    fn nothing_of_a_refused_call_passes_wherever_it_is_cut(nth in 0..STREAMS.len(), cuts in prop::collection::vec(0..1_500usize, 0..6)) {
        let stream = &STREAMS[nth];
        let refuse = json!({"allow": ["get_*"], "called": "refuse"});
        let body = format!("{}{}", stream.before, stream.call("delete_user", &good()));
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % body.len()).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|cut| &body.as_bytes()[cut[0]..cut[1]]).collect();
        let mut calling = calling(&refuse, stream.api, Form::Sse);
        let said = passed(&mut calling, &chunks);
        prop_assert!(calling.refused().is_some());
        prop_assert_eq!(said, stream.before);
    }
}
