use super::super::tests::around;
use super::super::{AnswerHead, Around, Exchange, Opening, Step};
use crate::headers::Headers;
use crate::kept::Id;
use crate::limit::cell::Cell;
use crate::llm::request::spliced;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::units::Tokens;
use serde_json::{Value, json};

const OWN: &str = "own";

fn policy(stored: &str) -> Policy {
    let configuration = json!({
        "tenants": {"acme": {"tier": "premium", "unlimited": ["request_usd", "day_usd"]}},
        "providers": {"openai": {"cluster": "openai"}},
        "prices": [{"model": "gpt-4o", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1", "container_session_usd": "0.03"}],
        "stored_responses": stored,
    });
    Policy::read(configuration.to_string().as_bytes()).unwrap()
}

/// The exchange of a request that was sent on, and its body as it goes on.
fn sent(stored: &str, path: &str, body: &Value) -> Result<(Exchange, Value), Outcome> {
    let policy = policy(stored);
    let headers = Headers::of(&[(":method", "POST"), (":path", path), ("x-tenant-id", "acme")]);
    let now = around(None).now;
    let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, now) else { panic!("was not read") };
    let body = body.to_string();
    assert_eq!(exchange.body(&policy, body.as_bytes()), None);
    // What acme was given.
    let knows = |tenant: &str, id| tenant == "acme" && [Id::of("resp_own"), Id::of("msg_own")].contains(&id);
    // However large what it refers to is, it is a test of its own.
    let sizes = |_: &str, _: &[Id]| Some(Tokens(10));
    let around = Around { cluster: Some("openai"), knows: &knows, sizes: &sizes, ..around(None) };
    let demand = exchange.end_of_request(&policy, around).unwrap().map_err(|reply| reply.outcome)?;
    let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, now);
    match exchange.decided(&policy, demand, Ok(decision), now) {
        Step::Forward(edits) => {
            let edited = spliced(body.as_bytes(), &edits);
            Ok((exchange, serde_json::from_slice(&edited).expect("JSON")))
        }
        other => panic!("was not sent on: {other:?}"),
    }
}

fn asked(stored: &str, more: Value) -> Result<Value, Outcome> {
    let mut body = json!({"model": "gpt-4o", "input": "hi", "max_output_tokens": 9});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sent(stored, "/v1/responses", &body).map(|(_, body)| body)
}

/// Every way in which a request can name what a provider keeps, with this id.
fn references(response: &str, item: &str) -> Vec<Value> {
    let input = |items: Value| json!({"input": items});
    vec![
        json!({"previous_response_id": response}),
        json!({"conversation": response}),
        json!({"conversation": {"id": response}}),
        input(json!([{"type": "item_reference", "id": item}])),
        input(json!([{"id": item, "type": "item_reference"}])),
        input(json!([{"id": item}])),
        input(json!([{"type": null, "id": item}])),
        // What is kept of an answer, and what nobody knows yet.
        input(json!([{"type": "reasoning", "id": item, "summary": []}])),
        input(json!([{"type": "reasoning", "id": item, "encrypted_content": null}])),
        input(json!([{"type": "reasoning", "id": item, "encrypted_content": ""}])),
        input(json!([{"encrypted_content": "x", "id": item}])),
        input(json!([{"type": "item_reference", "encrypted_content": "x", "id": item}])),
        input(json!([{"id": item, "type": "image_generation_call"}])),
        input(json!([{"id": item, "type": "image_generation_call", "result": null}])),
        input(json!([{"type": "reasoning", "encrypted_content": "x"}, {"type": "reasoning", "id": item}])),
        input(json!([{"type": "next_years_call", "id": item}])),
        input(json!([{"type": "next_years_call", "id": item, "encrypted_content": "x", "result": "aGk="}])),
        input(json!([{"type": "image_generation_call", "id": item, "encrypted_content": "x"}])),
        input(json!([{"type": "reasoning", "id": item, "result": "aGk="}])),
        input(json!([{"type": ["message"], "id": item}])),
        input(json!([{"type": "code_interpreter_call", "id": "ci_b", "container_id": item}])),
        input(
            json!([{"type": "shell_call", "id": "sh_b", "environment": {"type": "container_reference", "container_id": item}}]),
        ),
        json!({"tools": [{"type": "code_interpreter", "container": item}]}),
        json!({"tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": item}}]}),
        input(
            json!([{"role": "user", "content": "hi"}, {"type": "message", "id": "msg_b", "role": "user"}, {"id": item}]),
        ),
    ]
}

#[test]
fn a_tenant_goes_on_from_what_it_was_given_and_from_nothing_else() {
    for own in references("resp_own", "msg_own") {
        assert!(asked(OWN, own.clone()).is_ok(), "{own}");
    }
    for others in references("resp_other", "msg_other") {
        assert_eq!(asked(OWN, others.clone()), Err(Outcome::ResponseNotFound), "{others}");
        assert!(asked("any", others.clone()).is_ok(), "{others}");
        assert_eq!(asked("refuse", others.clone()), Err(Outcome::InvalidRequest), "{others}");
    }
    // With nothing in it, its id is what it stands for.
    for input in [
        json!([{"role": "assistant", "id": "msg_other"}]),
        json!([{"role": "assistant", "id": "msg_other", "content": null}]),
        json!([{"role": "assistant", "id": "msg_other", "type": "item_reference", "content": "hi"}]),
        json!([{"id": "msg_other", "content": [{"type": "output_text", "text": "hi"}]}]),
        json!([{"role": "assistant", "id": "msg_other", "content": []}]),
        json!([{"role": "assistant", "id": "msg_other", "content": "hi"}]),
        json!([{"role": "assistant", "id": "msg_other", "content": 5}]),
        json!([{"role": "assistant", "id": "msg_other", "output": [{"type": "output_text", "text": "hi"}]}]),
        json!([{"role": 5, "id": "msg_other", "content": [{"type": "output_text", "text": "hi"}]}]),
    ] {
        assert_eq!(asked(OWN, json!({"input": input})), Err(Outcome::ResponseNotFound), "{input}");
    }
    // One of them is enough.
    let both = json!({"previous_response_id": "resp_own", "input": [{"id": "msg_own"}, {"id": "msg_other"}]});
    assert_eq!(asked(OWN, both), Err(Outcome::ResponseNotFound));
}

#[test]
fn what_refers_to_nothing_passes() {
    for more in [
        json!({}),
        json!({"previous_response_id": null, "conversation": null, "store": null, "background": null}),
        json!({"previous_response_id": ""}),
        json!({"store": true}),
        json!({"store": false}),
        json!({"background": true}),
        // Whole items, as clients send them back.
        json!({"input": [{"type": "message", "id": "msg_b", "role": "assistant", "content": []}, {"type": "function_call", "id": "fc_b", "name": "f", "arguments": "{}"}]}),
        // As the AI SDK does, which leaves out what it is.
        json!({"input": [{"role": "assistant", "id": "msg_b", "content": [{"type": "output_text", "text": "hi"}]}]}),
        json!({"input": [{"type": "tool_search_output", "id": "ts_b", "tools": []}]}),
        // Codex names what its agents write to each other by ids of its own.
        json!({"store": false, "input": [{"type": "agent_message", "id": "amsg_b", "author": "/root", "recipient": "/root/a",
            "content": [{"type": "input_text", "text": "hi"}, {"type": "encrypted_content", "encrypted_content": "gAAAA"}]}]}),
        json!({"input": [{"type": "reasoning", "id": "rs_b", "summary": [], "encrypted_content": "gAAAA"}]}),
        json!({"input": [{"id": "ig_b", "type": "image_generation_call", "result": "aGk="}]}),
        json!({"input": [{"type": "reasoning", "summary": []}]}),
        json!({"input": [{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}]}),
        json!({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}),
        json!({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}),
        json!({"metadata": {"previous_response_id": "resp_other", "id": "resp_other"}}),
    ] {
        assert!(asked(OWN, more.clone()).is_ok(), "{more}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let raw = |more: &str| {
        let policy = policy(OWN);
        let headers = Headers::of(&[(":method", "POST"), (":path", "/v1/responses"), ("x-tenant-id", "acme")]);
        let Opening::Read(mut exchange) = Exchange::open(&policy, &headers, around(None).now) else { panic!() };
        exchange.body(&policy, format!(r#"{{"model":"gpt-4o",{more}}}"#).as_bytes());
        let knows = |_: &str, id| id == Id::of("resp_own");
        let demand = exchange.end_of_request(&policy, Around { knows: &knows, ..around(Some("openai")) }).unwrap();
        demand.map(|_| ()).map_err(|reply| reply.outcome)
    };
    assert_eq!(raw(r#""input":"x","previous_response_id":"resp_own""#), Ok(()));
    assert_eq!(raw(r#""input":"x","previous_response\u005fid":"resp_\u006fwn""#), Ok(()));
    assert_eq!(raw(r#""input":"x","previous_response\u005fid":"resp_other""#), Err(Outcome::ResponseNotFound));
    let long = format!(r#""input":"x","previous_response_id":"resp_{}""#, "x".repeat(300));
    for more in [
        r#""input":"x","previous_response_id":"resp_own","previous_response_id":"resp_other""#,
        r#""input":"x","previous_response_id":"resp_own","Previous_Response_Id":"resp_other""#,
        r#""input":"x","previous_response_id":5"#,
        r#""input":"x","previous_response_id":"resp_other;x7Q""#,
        r#""input":"x","previous_response_id":"resp_other\u0000x7Q""#,
        r#""input":[{"type":"item_reference","id":"msg_other%00"}]"#,
        r#""input":[{"type":"message","type":"item_reference","id":"msg_other"}]"#,
        r#""input":[{"type":"item_reference","id":"resp_own","id":"msg_other"}]"#,
        r#""input":[],"input":[{"id":"msg_other"}]"#,
        &long,
    ] {
        assert_eq!(raw(more), Err(Outcome::InvalidRequest), "{more}");
    }
}

#[test]
fn a_gateway_that_keeps_nothing_says_so_to_the_provider() {
    for more in [json!({}), json!({"store": null}), json!({"store": false}), json!({"background": false})] {
        assert_eq!(asked("refuse", more.clone()).map(|body| body["store"].clone()), Ok(json!(false)), "{more}");
    }
    for more in [json!({"store": true}), json!({"background": true})] {
        assert_eq!(asked("refuse", more.clone()), Err(Outcome::InvalidRequest), "{more}");
    }
    // Nothing is kept of these unless a request says so.
    let chat = |more: Value| {
        let mut body = json!({"model": "gpt-4o", "messages": [], "max_tokens": 9});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sent("refuse", "/v1/chat/completions", &body).map(|(_, body)| body)
    };
    assert_eq!(chat(json!({})).unwrap().get("store"), None);
    assert_eq!(chat(json!({"store": true})), Err(Outcome::InvalidRequest));
    assert_eq!(asked(OWN, json!({})).unwrap().get("store"), None);
}

const WHOLE: &str = r#"{"id":"resp_1","object":"response","status":"completed","output":[{"type":"reasoning","id":"rs_1"},{"type":"message","id":"msg_1","content":[{"type":"output_text","text":"id"}]}],"metadata":{"id":"no"},"previous_response_id":"resp_0"}"#;
const EVENTS: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"output\":[]}}\n\n\
    data: {\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_1\",\"type\":\"message\"}}\n\n\
    data: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"delta\":\"hi\"}\n\n\
    data: {\"type\":\"response.output_item.done\",\"item\":{\"id\":\"msg_1\",\"type\":\"message\"}}\n\n\
    data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\"}}\n\n";

/// What is noted of an answer that comes in pieces of this size, in the order in which it comes.
fn noted(stored: &str, path: &str, more: Value, answer: &str, kind: &str, size: usize) -> Vec<Id> {
    let mut body = json!({"model": "gpt-4o", "input": "hi", "messages": [], "max_output_tokens": 9});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (mut exchange, _) = sent(stored, path, &body).unwrap();
    let headers = Headers::of(&[(":status", "200"), ("content-type", kind)]);
    let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
    exchange.answer_head(&policy(stored), &head);
    let mut ids = Vec::new();
    for piece in answer.as_bytes().chunks(size) {
        exchange.answer_body(piece, false, || around(None).now);
        ids.extend_from_slice(exchange.fresh_ids());
    }
    ids
}

/// A container is gone on from whatever else is kept.
#[test]
fn a_container_in_which_code_ran_is_its_tenants() {
    let code = json!({"store": false, "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]});
    let call = r#"{"id":"resp_1","output":[{"type":"code_interpreter_call","id":"ci_1","container_id":"cntr_1","status":"completed"}]}"#;
    assert!(noted(OWN, "/v1/responses", code, call, "application/json", 7).contains(&Id::of("cntr_1")));
    let code = json!({"max_tokens": 9, "tools": [{"type": "code_execution_20250825", "name": "code_execution"}]});
    let answer = r#"{"id":"msg_1","type":"message","content":[],"container":{"id":"container_1"},"usage":{"input_tokens":1,"output_tokens":1}}"#;
    assert!(noted(OWN, "/v1/messages", code, answer, "application/json", 7).contains(&Id::of("container_1")));
    assert_eq!(noted(OWN, "/v1/messages", json!({"max_tokens": 9}), answer, "application/json", 7), []);
}

#[test]
fn what_an_answer_names_is_noted_before_it_goes_on_and_once() {
    let of = |ids: &[&str]| ids.iter().map(|id| Id::of(id)).collect::<Vec<_>>();
    let responses = "/v1/responses";
    for size in [1, 7, 10_000] {
        let whole = noted(OWN, responses, json!({}), WHOLE, "application/json", size);
        assert_eq!(whole, of(&["resp_1", "rs_1", "msg_1"]), "{size}");
        let events = noted(OWN, responses, json!({"stream": true}), EVENTS, "text/event-stream", size);
        assert_eq!(events, of(&["resp_1", "msg_1"]), "{size}");
    }
    for (stored, path, more) in [
        (OWN, responses, json!({"store": false})),
        ("any", responses, json!({})),
        ("refuse", responses, json!({})),
        (OWN, "/v1/chat/completions", json!({})),
    ] {
        assert_eq!(noted(stored, path, more, WHOLE, "application/json", 10_000), [], "{stored} {path}");
    }
}

/// Of all APIs: what refers to something that is kept is looked up, whatever the field is called.
#[test]
fn what_other_apis_keep_is_nobodys_unless_it_was_noted() {
    for (path, body) in [
        ("/v1beta/interactions", json!({"model": "gpt-4o", "input": "hi", "previous_interaction_id": "resp_other"})),
        ("/api/v1/chat", json!({"model": "gpt-4o", "input": "hi", "previous_response_id": "resp_other"})),
        ("/v1/messages", json!({"model": "gpt-4o", "messages": [], "max_tokens": 9, "container": "resp_other"})),
        (
            "/v1/messages",
            json!({"model": "gpt-4o", "messages": [], "max_tokens": 9, "container": {"id": "resp_other"}}),
        ),
        ("/v1/messages", json!({"model": "gpt-4o", "messages": [], "max_tokens": 9, "thread": "resp_other"})),
        ("/model/gpt-4o/invoke", json!({"messages": [], "max_tokens": 9, "container": "resp_other"})),
        ("/v1/chat", json!({"model": "gpt-4o", "message": "hi", "max_tokens": 9, "conversation_id": "resp_other"})),
    ] {
        assert_eq!(sent(OWN, path, &body).err(), Some(Outcome::ResponseNotFound), "{body}");
        assert_eq!(sent("refuse", path, &body).err(), Some(Outcome::InvalidRequest), "{body}");
        assert!(sent("any", path, &body).is_ok(), "{body}");
        let own: Value = serde_json::from_str(&body.to_string().replace("resp_other", "resp_own")).unwrap();
        assert!(sent(OWN, path, &own).is_ok(), "{own}");
    }
}

#[test]
fn what_google_and_lm_studio_keep_is_noted_with_the_container_that_code_ran_in() {
    let of = |ids: &[&str]| ids.iter().map(|id| Id::of(id)).collect::<Vec<_>>();
    let json = "application/json";
    let interaction = r#"{"id":"v1_1","object":"interaction","status":"completed","model":"m","outputs":[]}"#;
    assert_eq!(noted(OWN, "/v1beta/interactions", json!({}), interaction, json, 7), of(&["v1_1"]));
    let events =
        "data: {\"event_type\":\"interaction.start\",\"interaction\":{\"id\":\"v1_1\",\"status\":\"in_progress\"}}\n\n";
    let streamed = json!({"stream": true});
    assert_eq!(noted(OWN, "/v1beta/interactions", streamed, events, "text/event-stream", 7), of(&["v1_1"]));
    assert_eq!(noted(OWN, "/v1beta/interactions", json!({"store": false}), interaction, json, 7), []);
    let chat = r#"{"model_instance_id":"m","output":[],"response_id":"resp_9"}"#;
    assert_eq!(noted(OWN, "/api/v1/chat", json!({}), chat, json, 7), of(&["resp_9"]));
    let ran = r#"{"id":"resp_1","status":"completed","output":[{"type":"code_interpreter_call","id":"ci_1","status":"completed","container_id":"cntr_1","code":"1"}]}"#;
    assert_eq!(noted(OWN, "/v1/responses", json!({}), ran, json, 7), of(&["resp_1", "ci_1", "cntr_1"]));
}

/// A chat that is spoken is kept for an hour, whatever it says of `store`.
#[test]
fn what_was_spoken_to_one_tenant_is_not_heard_by_another() {
    let chat = "/v1/chat/completions";
    let heard = |id: &str| {
        let spoken = json!({"role": "assistant", "audio": {"id": id}});
        json!({"model": "gpt-4o", "messages": [spoken], "max_tokens": 9})
    };
    assert_eq!(sent(OWN, chat, &heard("audio_other")).err(), Some(Outcome::ResponseNotFound));
    assert!(sent(OWN, chat, &heard("resp_own")).is_ok());
    assert!(sent("any", chat, &heard("audio_other")).is_ok());
    assert_eq!(sent("refuse", chat, &heard("audio_other")).err(), Some(Outcome::InvalidRequest));
    let answer = r#"{"id":"chatcmpl-1","choices":[{"message":{"content":null,"audio":{"id":"audio_1","data":"aGk=","transcript":"hi"}}}]}"#;
    let aloud = json!({"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}, "store": false});
    assert_eq!(noted(OWN, chat, aloud, answer, "application/json", 7), [Id::of("audio_1")]);
    assert_eq!(noted(OWN, chat, json!({}), answer, "application/json", 7), []);
}
