//! Answers that say what a rule refuses: a whole one waits until it is judged, a stream ends before what was found.

use super::*;
use crate::llm::aws_stream::written::{event as event_of_aws, read as messages_of_aws};

const JSON: [(&str, &str); 3] = [(":status", "200"), ("content-type", "application/json"), ("content-length", "999")];
const SSE: [(&str, &str); 2] = [(":status", "200"), ("content-type", "text/event-stream")];
const MAIL: &str = "jo.doe@example.com";

fn configured(change: impl FnOnce(&mut Value)) -> Gateway {
    let mut configuration = configuration();
    configuration["tenants"]["acme"] = json!({"unlimited": ["request_usd", "day_usd"]});
    configuration["content"] = json!({"rules": [
        {"name": "cards", "find": ["card"], "action": "mask", "on": ["answer"]},
        {"name": "own", "find": ["iban"], "action": "restore"},
        {"name": "people", "find": ["email"], "action": "refuse", "on": ["answer"]},
    ]});
    change(&mut configuration);
    Gateway::configured(&configuration)
}

fn gateway() -> Gateway {
    configured(|_| {})
}

fn whole(said: &str) -> String {
    json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}})
    .to_string()
}

fn event(said: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": said}}]}))
}

const CALL: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"delete_user\",\"arguments\":\"{}\"}}]}}]}\n\n";

fn asked(gateway: &Gateway, stream: bool) -> Stream {
    let said = "I have DE89 3704 0044 0532 0130 00.";
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": said}], "max_tokens": 50, "stream": stream});
    admitted(gateway, &body.to_string())
}

fn found(record: &Value) -> Vec<(&str, &str, u64)> {
    let found = record["content"]["answer"]["found"].as_array().into_iter().flatten();
    found
        .map(|found| {
            (found["rule"].as_str().unwrap(), found["action"].as_str().unwrap(), found["times"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn a_whole_answer_goes_on_masked_and_restored_when_all_of_it_was_judged() {
    let gateway = gateway();
    let body = whole("The card 4111 1111 1111 1111 is of [IBAN_1].");
    let expected = whole("The card [CARD_1] is of DE89 3704 0044 0532 0130 00.");
    for size in [1, 10, body.len()] {
        for trailers in [false, true] {
            let stream = asked(&gateway, false);
            assert_eq!(stream.answer_headers(&JSON, false), Action::Pause);
            assert_eq!(held(&stream, &body, size, trailers), Action::Continue);
            let client = stream.client().unwrap();
            assert_eq!((text(&client), client.header("content-length")), (&*expected, None), "{size} {trailers}");
            stream.end();
            assert_eq!(stream.record().unwrap()["outcome"], "success");
        }
    }
}

#[test]
fn in_the_place_of_a_whole_answer_that_is_refused_comes_an_error_and_it_is_paid() {
    let gateway = gateway();
    let body = whole(&format!("Ask {MAIL}, card 4111 1111 1111 1111."));
    for size in [1, 80, body.len()] {
        for trailers in [false, true] {
            let stream = asked(&gateway, false);
            stream.answer_headers(&JSON, false);
            assert_eq!(held(&stream, &body, size, trailers), Action::Pause);
            let reply = stream.reply().unwrap();
            let error = &reply.json()["error"];
            assert_eq!((reply.header(":status"), &error["code"]), (Some("400"), &json!("content_refused")));
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("The model's answer") && message.contains("`people`"), "{message}");
            assert!(message.contains("EMAIL") && message.contains("`assistant`"), "{message}");
            assert!(!text(&reply).contains("jo.doe"), "{}", text(&reply));
            assert_eq!(stream.client().unwrap(), reply);
            stream.end();
            let record = stream.record().unwrap();
            assert_eq!((&record["outcome"], &record["status"]), (&json!("content_refused"), &json!(400)));
            assert_eq!((&record["usage_source"], &record["output_tokens"]), (&json!("reported"), &json!(7)));
            assert!(found(&record).contains(&("people", "refuse", 1)), "{record}");
            assert_eq!(reserved(), NanoUsd(0));
        }
    }
    assert!(
        metric("rule=.=people;.;kind=.=EMAIL;.;direction=.=answer;.;tenant=.=acme;.;ai_gateway_content_found_total")
            >= 6
    );
}

#[test]
fn a_stream_says_what_came_before_and_then_why_it_ends() {
    let gateway = gateway();
    let before = [event("I have [IBAN_1], "), event("and 4111 1111 1111 1111. Mail ")];
    let sent = [event("I have DE89 3704 0044 0532 0130 00, "), event("and [CARD_1]. Mail ")].concat();
    let all = [&before[..], &[event("jo.doe"), event("@exam"), event("ple.com, "), event("please.")]].concat().concat();
    for size in [1, 7, 60, all.len()] {
        let stream = asked(&gateway, true);
        assert_eq!(stream.answer_headers(&SSE, false), Action::Continue);
        // The provider is cut off with the chunk that comes next.
        let more = event("more");
        for chunk in all.as_bytes().chunks(size).chain([more.as_bytes()]) {
            if stream.answer_body(chunk, false) == Action::Pause {
                break;
            }
        }
        assert!(stream.is_closed());
        let client = stream.client().unwrap();
        let (said, error) = text(&client).split_once("data: {\"error\"").unwrap();
        assert_eq!(said, sent, "{size}");
        assert!(error.contains("content_refused") && error.contains("`people`") && error.ends_with("\n\n"), "{error}");
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!((&record["outcome"], &record["status"]), (&json!("content_refused"), &json!(200)));
        assert_eq!(found(&record), [("cards", "mask", 1), ("people", "refuse", 1)], "{record}");
        assert!(record["cost_nanousd"].as_u64().unwrap() > 0);
        assert_eq!(reserved(), NanoUsd(0));
    }
}

/// The last chunk has it, or the end of the stream itself tells that nothing more belongs to it.
#[test]
fn a_finding_at_the_end_of_a_stream_is_refused_as_well() {
    let gateway = gateway();
    for last in ["chunk", "empty chunk", "trailers"] {
        let stream = asked(&gateway, true);
        stream.answer_headers(&SSE, false);
        let (hello, found) = (event("Hello, "), event(MAIL));
        stream.answer_body(hello.as_bytes(), false);
        stream.answer_body(found.as_bytes(), last == "chunk");
        match last {
            "empty chunk" => drop(stream.answer_body(b"", true)),
            "trailers" => drop(stream.answer_trailers()),
            _ => {}
        }
        let client = stream.client().unwrap();
        let said = text(&client);
        assert!(said.starts_with(&hello) && !said.contains("jo."), "{last}: {said}");
        // Behind trailers nothing can be said any more.
        assert_eq!(said.contains("content_refused"), last != "trailers", "{last}: {said}");
        assert_eq!(stream.is_closed(), last == "trailers");
        stream.end();
        assert_eq!(stream.record().unwrap()["outcome"], "content_refused", "{last}");
    }
}

#[test]
fn of_rules_about_texts_and_tools_there_is_one_held_head_and_one_end() {
    let gateway = configured(|configuration| {
        configuration["tenants"]["acme"]["tools"] = json!({"allow": ["get_*"], "called": "refuse"});
    });
    let (mail, hello) = (event(&format!("Mail {MAIL}, ")), event("Hello, "));
    for (events, said, outcome) in [
        ([&*hello, CALL, &*mail], &*hello, "tool_not_allowed"),
        ([&*hello, &*mail, CALL], &*hello, "content_refused"),
        ([&*mail, CALL, &*hello], "", "content_refused"),
    ] {
        let all = events.concat();
        for size in [1, 50, all.len()] {
            let stream = asked(&gateway, true);
            assert_eq!(stream.answer_headers(&SSE, false), Action::Continue);
            for chunk in all.as_bytes().chunks(size) {
                if stream.answer_body(chunk, false) == Action::Pause {
                    break;
                }
            }
            let client = stream.client().unwrap();
            let (before, error) = text(&client).split_once("data: {\"error\"").unwrap();
            assert_eq!(before, said, "{outcome} by {size}");
            assert!(!error.contains("data: "), "{error}");
            stream.end();
            let record = stream.record().unwrap();
            // All in one chunk, what was said is told before what was called.
            if size < all.len() {
                assert_eq!(record["outcome"], outcome, "{size}: {record}");
            }
        }
    }
    for (body, outcome) in [(whole("Hello."), "success"), (whole(MAIL), "content_refused")] {
        let stream = asked(&gateway, false);
        assert_eq!(stream.answer_headers(&JSON, false), Action::Pause);
        stream.answer_body(body.as_bytes(), true);
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!(record["outcome"], outcome, "{record}");
        // What is not read to its end by the second is no call that can't be read.
        assert_eq!(record["tools"]["denied"], Value::Null, "{record}");
    }
}

#[test]
fn an_error_is_looked_at_and_what_is_only_counted_or_masked_waits_for_nothing() {
    for (action, held) in [("refuse", true), ("mask", false), ("count", false)] {
        let gateway = configured(|configuration| configuration["content"]["rules"][2]["action"] = json!(action));
        let stream = asked(&gateway, false);
        let waits = if held { Action::Pause } else { Action::Continue };
        assert_eq!(stream.answer_headers(&JSON, false), waits, "{action}");
    }
    let gateway = configured(|configuration| configuration["content"]["unscanned"] = json!("refuse"));
    for (status, content_type, body, passes) in [
        ("500", "application/json", format!("{{\"error\":{{\"message\":\"{MAIL}\"}}}}"), false),
        ("502", "text/html", "<html>Bad gateway</html>".to_owned(), true),
        ("200", "text/html", "<html>Hello</html>".to_owned(), false),
    ] {
        let stream = asked(&gateway, false);
        stream.answer_headers(&[(":status", status), ("content-type", content_type)], false);
        stream.answer_body(body.as_bytes(), true);
        let client = stream.client().unwrap();
        assert_eq!(text(&client) == body, passes, "{status}: {}", text(&client));
        assert_eq!(client.header(":status"), Some(if passes { status } else { "400" }));
        stream.end();
        let record = stream.record().unwrap();
        assert_eq!(record["outcome"] == "content_refused", !passes, "{record}");
        assert_eq!(record["cost_nanousd"], 0, "{record}");
    }
}

#[test]
fn without_a_held_head_a_whole_answer_ends_without_a_word_and_without_what_was_found() {
    let gateway = configured(|configuration| configuration["hold_headers"] = json!(false));
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50});
    let stream = gateway.stream();
    let body = body.to_string();
    stream.request_headers(&head(&[("content-length", &body.len().to_string())]), false);
    stream.request_body(body.as_bytes(), true);
    assert_eq!(stream.answer_headers(&JSON, false), Action::Continue);
    let answer = whole(&format!("Ask {MAIL}."));
    for chunk in answer.as_bytes().chunks(20) {
        if stream.answer_body(chunk, false) == Action::Pause {
            break;
        }
    }
    let client = stream.client().unwrap();
    assert!(answer.starts_with(text(&client)) && !text(&client).contains("jo."), "{}", text(&client));
    stream.end();
    assert_eq!(stream.record().unwrap()["outcome"], "content_refused");
}

#[test]
fn a_stream_of_awss_messages_is_masked_and_ended_as_well() {
    let gateway = gateway();
    let body =
        json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}], "inferenceConfig": {"maxTokens": 50}});
    let body = body.to_string();
    let stream = gateway.stream();
    let path = (":path", "/model/gpt-4o-mini/converse-stream");
    let head: Vec<_> = HEAD.iter().map(|field| if field.0 == ":path" { path } else { *field }).collect();
    stream.request_headers(&head, false);
    stream.request_body(body.as_bytes(), true);
    let head = [(":status", "200"), ("content-type", "application/vnd.amazon.eventstream")];
    assert_eq!(stream.answer_headers(&head, false), Action::Continue);
    let said = |text: &str| {
        let delta = json!({"contentBlockIndex": 0, "delta": {"text": text}});
        event_of_aws("contentBlockDelta", delta.to_string().as_bytes())
    };
    let all = ["Card 4111 1111 1111 1111, ", "mail jo.", "doe@example.com, ", "please."].map(said).concat();
    for chunk in all.chunks(60) {
        if stream.answer_body(chunk, false) == Action::Pause {
            break;
        }
    }
    let client = stream.client().unwrap();
    let messages = messages_of_aws(&client.body, false);
    let [(_, card), (_, error)] = &messages[..] else { panic!("{messages:?}") };
    assert!(card.contains("Card [CARD_1], ") && error.contains("content_refused"), "{messages:?}");
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!(record["outcome"], "content_refused", "{record}");
    assert_eq!(found(&record), [("cards", "mask", 1), ("people", "refuse", 1)], "{record}");
}

/// Envoy has no buffer where no byte has come, and a VM that writes to it is gone.
#[test]
fn an_answer_of_trailers_alone_passes_as_it_is_and_loses_them() {
    let gateway = gateway();
    let stream = asked(&gateway, false);
    assert_eq!(stream.answer_headers(&JSON, false), Action::Pause);
    assert_eq!(stream.answer_trailers(), Action::Continue);
    assert_eq!((text(&stream.client().unwrap()), stream.answer_trailers_left()), ("", 0));
    stream.end();
    assert_eq!(reserved(), NanoUsd(0));
}

#[test]
fn an_answer_that_was_held_loses_its_trailers() {
    let gateway = gateway();
    for said in ["Hello.", MAIL] {
        let stream = asked(&gateway, false);
        stream.answer_headers(&JSON, false);
        held(&stream, &whole(said), 80, true);
        assert_eq!(stream.answer_trailers_left(), 0, "{said}");
        stream.end();
    }
}

/// It would be refused at its end, whatever else it says.
#[test]
fn a_request_that_takes_too_much_work_is_refused_before_its_end() {
    let gateway = configured(|configuration| {
        let find = ["ipv4", "phone", "card", "email", "uk_nhs", "us_ssn", "passport"];
        configuration["content"] = json!({"rules": [{"name": "all", "find": find, "action": "count"}]});
        configuration["max_refused_bytes"] = json!(0);
    });
    let stream = gateway.stream();
    stream.request_headers(&HEAD, false);
    let dots = "a.".repeat(160) + "@b.zz ";
    let body = format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{}"#, dots.repeat(9_000));
    stream.request_body(body.as_bytes(), false);
    let reply = stream.reply().expect("a refusal");
    assert_eq!((reply.header(":status"), &reply.json()["error"]["code"]), (Some("400"), &json!("content_refused")));
    assert!(text(&reply).contains("too_much_work"), "{}", text(&reply));
    stream.end();
    let record = stream.record().unwrap();
    assert_eq!(record["content"]["request"]["unscanned"], json!([{"kind": "too_much_work", "times": 1}]));
    assert_eq!((&record["outcome"], reserved()), (&json!("content_refused"), NanoUsd(0)));
}
