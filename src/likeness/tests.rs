//! Prints of answers: of each API, cut anywhere, of texts that are alike and of such as aren't.

use super::*;
use crate::llm::aws_stream::tests::message;
use crate::llm::schema;
use proptest::prelude::*;
use serde_json::{Value, json};

const KEY: PairKey = PairKey::drawn([3, 5]);

fn events(data: &[Value]) -> Vec<u8> {
    let events: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    events.into_bytes()
}

fn printed(key: PairKey, text: &str) -> Option<u64> {
    let mut print = text::Print::new(key);
    print.say(text);
    print.end()
}

fn distance(one: &str, other: &str) -> u32 {
    (printed(KEY, one).unwrap() ^ printed(KEY, other).unwrap()).count_ones()
}

/// Whatever stands beside the text: a second choice, what was thought, and what an API says once more.
fn answers(pieces: &[String]) -> Vec<(&'static str, Form, Vec<u8>)> {
    let text: String = pieces.concat();
    let each = |event: &dyn Fn(&str) -> Value| pieces.iter().map(|piece| event(piece)).collect::<Vec<_>>();
    let around = |before: Value, mut data: Vec<Value>, after: Value| {
        data.insert(0, before);
        data.push(after);
        data
    };
    let chat = around(
        json!({"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "Let me think."}}]}),
        each(&|piece| {
            json!({"choices": [
                {"index": 1, "delta": {"content": "Another answer."}},
                {"delta": {"content": piece}, "finish_reason": null, "index": 0},
            ]})
        }),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    );
    let item = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": [{"type": "url_citation", "title": "A page"}]}]});
    let response = json!({"id": "r", "object": "response", "status": "completed", "incomplete_details": null, "billing": {"payer": "developer"}, "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I thought."}]}, item,
    ]});
    let mut responses = around(
        json!({"type": "response.created", "response": {"status": "in_progress", "output": [], "billing": {"payer": "developer"}}}),
        each(&|piece| json!({"type": "response.output_text.delta", "output_index": 1, "delta": piece})),
        json!({"type": "response.output_text.done", "text": text}),
    );
    responses.insert(1, json!({"type": "response.reasoning_summary_text.delta", "delta": "I thought."}));
    responses.push(json!({"type": "response.output_item.done", "item": item}));
    responses.push(json!({"type": "response.completed", "response": response}));
    let anthropic = around(
        json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "stop_reason": null}}),
        each(
            &|piece| json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": piece}}),
        ),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
    );
    let gemini = around(
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}}]}),
        each(&|piece| json!({"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}}]})),
        json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}]}),
    );
    let converse = around(
        json!({"role": "assistant"}),
        each(&|piece| json!({"contentBlockIndex": 0, "delta": {"text": piece}})),
        json!({"stopReason": "end_turn"}),
    );
    let cohere = around(
        json!({"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": []}}}),
        each(&|piece| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}})),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
    );
    let ollama = around(
        json!({"model": "m", "message": {"role": "assistant", "content": "", "thinking": "Well."}, "done": false}),
        each(&|piece| json!({"model": "m", "message": {"role": "assistant", "content": piece}, "done": false})),
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop"}),
    );
    let frames = |data: &[Value]| data.iter().flat_map(|data| message("", data.to_string().as_bytes())).collect();
    let one = |data: &Value| data.to_string().into_bytes();
    let lines: Vec<String> = ollama.iter().map(Value::to_string).collect();
    vec![
        (
            "openai_chat",
            Form::Json,
            one(&json!({"choices": [
                {"index": 0, "message": {"role": "assistant", "content": text, "reasoning": "Let me think."}, "finish_reason": "stop"},
                {"index": 1, "message": {"content": "Another answer."}, "finish_reason": "stop"},
            ]})),
        ),
        ("openai_chat", Form::Sse, events(&chat)),
        ("gateway_chat", Form::Sse, [events(&chat), b"data: [DONE]\n\n".to_vec()].concat()),
        ("openai_responses", Form::Json, one(&response)),
        ("openai_responses", Form::Sse, events(&responses)),
        (
            "anthropic_messages",
            Form::Json,
            one(
                &json!({"type": "message", "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": text}], "stop_reason": "end_turn"}),
            ),
        ),
        ("anthropic_messages", Form::Sse, events(&anthropic)),
        ("gemini_generate", Form::Sse, events(&gemini)),
        ("gemini_generate", Form::Json, one(&json!(gemini))),
        (
            "bedrock_converse",
            Form::Json,
            one(
                &json!({"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn"}),
            ),
        ),
        ("bedrock_converse", Form::Binary, frames(&converse)),
        ("cohere_chat", Form::Sse, events(&cohere)),
        ("ollama_chat", Form::Json, lines.join("\n").into_bytes()),
    ]
}

fn read(key: PairKey, api: &str, form: Form, body: &[u8], cuts: &[usize]) -> Answered {
    let schema = schema::named(api).unwrap();
    let mut meter = crate::llm::meter::Meter::new(schema, form, false);
    let mut likeness = Likeness::new(key, schema, form);
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([body.len()]).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for (nth, to) in cuts.iter().enumerate() {
        let last = nth + 1 == cuts.len();
        meter.feed(&body[from..*to], last);
        likeness.feed(&body[from..*to], last);
        from = *to;
    }
    likeness.answered(meter.finish())
}

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-z]{2,9}", 60..120).prop_map(|words| words.join(" "))
}

/// Changed in its `nth` word.
fn changed(text: &str, nth: usize) -> String {
    let mut words: Vec<_> = text.split(' ').collect();
    let nth = nth % words.len();
    words[nth] = "otherwise";
    words.join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever API it comes by, in one piece or many, and wherever these are cut.
    #[test]
    fn a_text_has_one_print(
        pieces in prop::collection::vec("[a-zA-Zä東 .,\"\\\\\n0-9]{1,12}", 1..8),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let text = pieces.concat();
        for (api, form, body) in answers(&pieces) {
            let answered = read(KEY, api, form, &body, &cuts);
            prop_assert_eq!(answered.text, printed(KEY, &text), "{} {:?}", api, form);
            prop_assert_eq!(answered.text_bytes, text.len() as u64, "{} {:?}", api, form);
            prop_assert_eq!((answered.finish, answered.calls), (Some(Finish::Stop), 0), "{} {:?}", api, form);
        }
    }

    /// Of 64 bits, a word among at least sixty moves few, and texts that share none differ in about half.
    #[test]
    fn what_is_nearly_the_same_is_near_and_what_is_not_is_far(text in words(), nth in any::<usize>(), other in words()) {
        prop_assert_eq!(distance(&text, &text), 0);
        let near = distance(&text, &changed(&text, nth));
        prop_assert!(near <= 16, "{} bits", near);
        let far = distance(&text, &other);
        prop_assert!(far >= 17, "{} bits", far);
        prop_assert!(distance(&text, &text.to_uppercase().replace(' ', ",\n")) == 0, "signs and capitals are no words");
    }

    /// The same text of another pair has another print: nobody can tell that it is the same.
    #[test]
    fn another_key_makes_another_print(text in words(), numbers in any::<[u64; 2]>()) {
        prop_assume!(PairKey::drawn(numbers) != KEY);
        let (one, other) = (printed(KEY, &text).unwrap(), printed(PairKey::drawn(numbers), &text).unwrap());
        prop_assert!((one ^ other).count_ones() >= 12);
        prop_assert_eq!(PairKey::read(&PairKey::drawn(numbers).written()), Some(PairKey::drawn(numbers)));
    }

    /// Two answers that call the same make the same of it, in whatever order, and however their arguments are written.
    #[test]
    fn calls_are_the_same_if_their_arguments_say_the_same(
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        city in "[a-zé]{1,8}", days in any::<u32>(),
    ) {
        let call = |index: usize, name: &str, arguments: &str| json!({"index": index, "id": format!("c{index}"), "type": "function",
            "function": {"name": name, "arguments": arguments}});
        let spaced = format!("{{\n  \"days\": {days},\n  \"city\": {} }}", json!(city));
        let dense = json!({"city": city, "days": days}).to_string();
        let whole = json!({"choices": [{"index": 0, "message": {"content": null, "tool_calls": [call(0, "weather", &dense), call(1, "time", "")]}, "finish_reason": "tool_calls"}]});
        let (first, second) = spaced.split_at(spaced.len() / 2 + (0..4).find(|at| spaced.is_char_boundary(spaced.len() / 2 + at)).unwrap());
        let delta = |calls: Value| json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]});
        let stream = events(&[
            delta(json!([call(0, "time", "{}")])),
            delta(json!([call(1, "weather", first)])),
            delta(json!([{"index": 1, "function": {"arguments": second}}])),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        ]);
        let one = read(KEY, "openai_chat", Form::Json, whole.to_string().as_bytes(), &cuts);
        let other = read(KEY, "openai_chat", Form::Sse, &stream, &cuts);
        prop_assert_eq!(one, other);
        prop_assert_eq!((one.calls, one.finish, one.text), (2, Some(Finish::ToolCalls), None));
        prop_assert!(one.tools.is_some() && one.arguments.is_some() && one.tools != one.arguments);
        let changed = json!({"city": city, "days": u64::from(days) + 1}).to_string();
        let otherwise = whole.to_string().replace(&json!(dense).to_string(), &json!(changed).to_string());
        let otherwise = read(KEY, "openai_chat", Form::Json, otherwise.as_bytes(), &cuts);
        prop_assert_eq!((otherwise.tools, otherwise.calls), (one.tools, 2));
        prop_assert!(otherwise.arguments != one.arguments);
    }

    /// However long its words are, and whatever it is: it has a print, and nothing else happens.
    #[test]
    fn nothing_breaks_it(body in prop::collection::vec(any::<u8>(), 0..400), letter in any::<char>(), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
        for schema in schema::ALL {
            for form in [Form::Json, Form::Sse, Form::Binary, Form::Encoded, Form::Opaque] {
                read(KEY, schema.name, form, &body, &cuts);
            }
        }
        printed(KEY, &letter.to_string().repeat(1_000));
    }
}

#[test]
fn arguments_that_can_not_be_read_are_equal_to_none() {
    let body = json!({"choices": [{"message": {"tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": "}},
    ]}, "finish_reason": "tool_calls"}]});
    let answered = read(KEY, "openai_chat", Form::Json, body.to_string().as_bytes(), &[]);
    assert_eq!((answered.calls, answered.tools, answered.arguments), (1, None, None));
}

#[test]
fn a_record_has_numbers_and_no_word() {
    let text = "The launch code is swordfish.".to_owned();
    let (api, form, body) = answers(&[text]).remove(0);
    let mut line = String::new();
    read(KEY, api, form, &body, &[]).write(&mut line);
    let line: Value = serde_json::from_str(&line).unwrap();
    let text_print = line["text_print"].as_str().unwrap();
    assert!(text_print.len() == 16 && text_print.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(
        line,
        json!({"finish": "stop", "text_bytes": 29, "text_print": text_print, "calls": 0, "tools_print": null, "arguments_print": null})
    );
}

/// Of each API's own words.
#[test]
fn why_an_answer_ended_is_one_of_few_words() {
    let ended =
        |api: &str, body: Value| read(KEY, api, Form::Json, body.to_string().as_bytes(), &[]).finish.map(Finish::name);
    for (reason, known) in [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("insufficient_system_resource", "other"),
    ] {
        assert_eq!(ended("openai_chat", json!({"choices": [{"finish_reason": reason}]})), Some(known), "{reason}");
    }
    for (reason, known) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "other"),
    ] {
        assert_eq!(ended("anthropic_messages", json!({"stop_reason": reason})), Some(known), "{reason}");
        assert_eq!(ended("bedrock_converse", json!({"stopReason": reason})), Some(known), "{reason}");
    }
    for (reason, known) in
        [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("LANGUAGE", "other")]
    {
        assert_eq!(
            ended("gemini_generate", json!({"candidates": [{"finishReason": reason}]})),
            Some(known),
            "{reason}"
        );
    }
    let response = |status: &str, reason: Option<&str>| {
        ended(
            "openai_responses",
            json!({"status": status, "incomplete_details": reason.map(|reason| json!({"reason": reason}))}),
        )
    };
    assert_eq!(response("completed", None), Some("stop"));
    assert_eq!(response("incomplete", Some("max_output_tokens")), Some("length"));
    assert_eq!(response("incomplete", Some("content_filter")), Some("content_filter"));
    assert_eq!((response("incomplete", None), response("in_progress", None)), (None, None));
    assert_eq!(ended("openai_chat", json!({"choices": [{"finish_reason": null}]})), None);
}

/// Where an API has a place of its own for that, it says that the answer is complete.
#[test]
fn a_model_that_declines_has_not_just_stopped() {
    let chat = |refusal: Value, reason: &str| {
        let message = json!({"role": "assistant", "content": null, "refusal": refusal});
        json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})
    };
    let piece =
        |delta: Value, reason: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let pieces = |refusal: &str| {
        events(&[
            piece(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null),
            piece(json!({"refusal": refusal}), Value::Null),
            piece(json!({"refusal": refusal}), Value::Null),
            piece(json!({}), json!("stop")),
        ])
    };
    let part = |part: Value| json!({"status": "completed", "output": [{"type": "message", "content": [part]}]});
    let response = |event: &str| {
        events(&[
            json!({"type": event, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "No."}),
            json!({"type": "response.completed", "response": {"status": "completed"}}),
        ])
    };
    let json = |body: Value| body.to_string().into_bytes();
    for (api, form, body, known) in [
        ("openai_chat", Form::Json, json(chat(json!("I can't help with that."), "stop")), "content_filter"),
        ("openai_chat", Form::Json, json(chat(Value::Null, "stop")), "stop"),
        ("openai_chat", Form::Json, json(chat(json!(""), "stop")), "stop"),
        ("openai_chat", Form::Json, json(chat(json!("I can't"), "length")), "length"),
        ("openai_chat", Form::Sse, pieces("No."), "content_filter"),
        ("openai_chat", Form::Sse, pieces(""), "stop"),
        (
            "openai_responses",
            Form::Json,
            json(part(json!({"type": "refusal", "refusal": "I can't help with that."}))),
            "content_filter",
        ),
        ("openai_responses", Form::Json, json(part(json!({"type": "output_text", "text": "Well."}))), "stop"),
        ("openai_responses", Form::Sse, response("response.refusal.delta"), "content_filter"),
        ("openai_responses", Form::Sse, response("response.output_text.delta"), "stop"),
    ] {
        for cut in (0..body.len()).step_by(7) {
            let finish = read(KEY, api, form, &body, &[cut]).finish.map(Finish::name);
            assert_eq!(finish, Some(known), "{api} {}", String::from_utf8_lossy(&body));
        }
    }
}
