//! Answers that call what they may not: a whole one waits until it is judged, a stream ends before the call.

use super::*;

const JSON: [(&str, &str); 3] = [(":status", "200"), ("content-type", "application/json"), ("content-length", "999")];
const SSE: [(&str, &str); 2] = [(":status", "200"), ("content-type", "text/event-stream")];

fn gateway(tools: &Value) -> Gateway {
    let mut configuration = configuration();
    configuration["tenants"]["acme"] = json!({"tools": tools, "unlimited": ["request_usd", "day_usd"]});
    Gateway::configured(&configuration)
}

fn refusing() -> Value {
    json!({"allow": ["get_*"], "called": "refuse"})
}

fn whole(name: &str) -> String {
    json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}})
    .to_string()
}

fn asked(gateway: &Gateway, stream: bool) -> Stream {
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50, "stream": stream});
    admitted(gateway, &body.to_string())
}

#[test]
fn a_whole_answer_goes_on_when_all_of_it_was_judged() {
    let gateway = gateway(&refusing());
    let body = whole("get_time");
    for size in [1, 10, body.len()] {
        for trailers in [false, true] {
            let stream = asked(&gateway, false);
            assert_eq!(stream.answer_headers(&JSON, false), Action::Pause);
            assert_eq!(held(&stream, &body, size, trailers), Action::Continue);
            let client = stream.client().unwrap();
            assert_eq!((text(&client), client.header("content-length")), (&*body, None), "{size} {trailers}");
            stream.end();
            let record = stream.record().unwrap();
            assert_eq!((&record["outcome"], &record["tools"]["called"]), (&json!("success"), &json!(1)));
        }
    }
}

#[test]
fn in_the_place_of_a_whole_answer_that_is_refused_comes_an_error_and_it_is_paid() {
    let gateway = gateway(&refusing());
    let body = whole("delete_user");
    let stream = asked(&gateway, false);
    stream.answer_headers(&JSON, false);
    stream.answer_body(&body.as_bytes()[..80], false);
    assert_eq!(stream.answer_body(&body.as_bytes()[80..], true), Action::Pause);
    let reply = stream.reply().unwrap();
    assert_eq!((reply.header(":status"), &reply.json()["error"]["code"]), (Some("400"), &json!("tool_not_allowed")));
    assert_eq!(stream.client().unwrap(), reply);
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["status"]), (&json!("tool_not_allowed"), &json!(400)));
    assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("reported"), &json!(7)));
    assert_eq!(reserved(), NanoUsd(0));
}

#[test]
fn an_error_and_what_is_only_counted_wait_for_nothing() {
    for (tools, status, content_type) in [
        (refusing(), "500", "application/json"),
        (refusing(), "200", "text/event-stream"),
        (json!({"allow": ["get_*"]}), "200", "application/json"),
    ] {
        let stream = asked(&gateway(&tools), false);
        let head = [(":status", status), ("content-type", content_type)];
        assert_eq!(stream.answer_headers(&head, false), Action::Continue, "{status} {content_type}");
    }
}

#[test]
fn a_stream_says_what_came_before_the_call_and_then_why_it_ends() {
    let gateway = gateway(&refusing());
    let stream = asked(&gateway, true);
    stream.answer_headers(&SSE, false);
    let before = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I look.\"}}]}\n\n";
    let call = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"delete_user\",\"arguments\":\"{\"}}]}}]}\n\n";
    let more = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]}}]}\n\n";
    stream.answer_body([before, call, more].concat().as_bytes(), false);
    let client = stream.client().unwrap();
    let (said, error) = text(&client).split_once("data: {\"error\"").unwrap();
    assert_eq!(said, before);
    assert!(error.contains("tool_not_allowed") && error.ends_with("\n\n"), "{error}");
    assert_eq!(stream.answer_body(more.as_bytes(), false), Action::Pause);
    assert!(stream.is_closed());
    assert_eq!(stream.client().unwrap(), client);
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!((&record["outcome"], &record["status"]), (&json!("tool_not_allowed"), &json!(200)));
    assert!(record["cost_nanousd"].as_u64().unwrap() > 0);
}
